#!/usr/bin/env python3
"""Embedding speed of saescope, and of sentence-transformers in the same run where it is installed.

    embed_against_peer.py PROGRAM MODEL TEXTS.jsonl[.xz] [--limit 256] [--threads 2] [--runs 5] [--batches 8,32]

The two take turns; each figure is the median of the runs. Tokens are real ones, tokenising is counted, loading the
model is not. The peer gets its best batch size. Also printed: the largest difference between the embeddings.
"""
import argparse
import json
import lzma
import os
import random
import statistics
import subprocess
import tempfile
import time

import numpy as np

ap = argparse.ArgumentParser()
ap.add_argument("program")
ap.add_argument("model")
ap.add_argument("texts")
ap.add_argument("--limit", type=int, default=256)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--runs", type=int, default=5)
ap.add_argument("--batches", default="8,32")
a = ap.parse_args()
os.environ["TOKENIZERS_PARALLELISM"] = "false"
opener = lzma.open if a.texts.endswith(".xz") else open
rows = [json.loads(line)["text"] for line in opener(a.texts, "rt", encoding="utf8")]
texts = random.Random(1).sample(rows, min(a.limit, len(rows)))
try:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(a.threads)
    peer = SentenceTransformer(a.model, device="cpu")
except ImportError:
    peer = None
    print("sentence-transformers is not installed here; set PEER_PYTHON to a Python that has it")

with tempfile.TemporaryDirectory() as folder:
    dataset, out = os.path.join(folder, "texts.jsonl"), os.path.join(folder, "out.npy")
    with open(dataset, "w", encoding="utf8") as f:
        f.writelines(json.dumps({"text": t}) + "\n" for t in texts)

    def saescope():
        done = subprocess.run([a.program, "embed", "--model", a.model, "--dataset", dataset, "--out", out, "--threads",
                               str(a.threads), "--force", "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    tokens = saescope()["tokens"]
    ours, theirs = [], {int(b): [] for b in a.batches.split(",")} if peer else {}
    for _ in range(a.runs):
        ours.append(saescope()["seconds"])
        for batch, seconds in theirs.items():
            start = time.perf_counter()
            reference = peer.encode(texts, batch_size=batch)
            seconds.append(time.perf_counter() - start)
    mine = tokens / statistics.median(ours)
    print(f"{len(texts)} texts, {tokens} tokens, {a.threads} threads, medians of {a.runs} runs in turn")
    print(f"saescope                        {mine:10.0f} tokens/s")
    for batch, seconds in theirs.items():
        rate = tokens / statistics.median(seconds)
        print(f"sentence-transformers, batch {batch:2d}  {rate:10.0f} tokens/s   saescope is {mine / rate:.2f} times as fast")
    if peer:
        print(f"largest difference of an embedding: {np.abs(np.load(out) - reference).max():.2e}")
