#!/usr/bin/env python3
"""The workflow that saescope replaces, timed: fire rates, then the top-10 texts of every feature, in two passes.

    seed_workflow.py --model DIR --sae DIR --texts FILE.jsonl[.xz] [--limit 256] [--threads 2] [--out DIR]

Follows the tutorial as written: sentence-transformers fp32 in batches of 64 for the first pass, one text at a time
with a Python heap per feature for the second. Prints seconds per pass and peak resident memory as JSON.
--out writes fire_rate.npy and top_activations.json as the tutorial does.
"""
import argparse
import heapq
import json
import lzma
import os
import random
import resource
import time

ap = argparse.ArgumentParser()
ap.add_argument("--model", required=True)
ap.add_argument("--sae", required=True)
ap.add_argument("--texts", required=True)
ap.add_argument("--limit", type=int, default=256)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--out")
a = ap.parse_args()
os.environ["TOKENIZERS_PARALLELISM"] = "false"
begin = time.perf_counter()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

torch.set_num_threads(a.threads)
opener = lzma.open if a.texts.endswith(".xz") else open
rows = [json.loads(line)["text"] for line in opener(a.texts, "rt", encoding="utf8")]
texts = random.Random(1).sample(rows, min(a.limit, len(rows)))
model = SentenceTransformer(a.model, device="cpu")
config = json.load(open(os.path.join(a.sae, "config.json")))
weights = load_file(os.path.join(a.sae, "sae.safetensors"))
assert config["sae_type"] == "jumprelu"


def encode(x):
    if config.get("input_unit_norm"):
        x = x - x.mean(dim=-1, keepdim=True)
        x = x / (x.std(dim=-1, keepdim=True) + 1e-5)
    pre = torch.relu(x @ weights["W_enc"] + weights["b_enc"])
    return pre * (pre > torch.exp(weights["jumprelu.log_threshold"])).float()


features = config["dict_size"]
count = torch.zeros(features)
start = time.perf_counter()
with torch.no_grad():
    for i in range(0, len(texts), 64):
        acts = encode(model.encode(texts[i:i + 64], convert_to_tensor=True))
        count += (acts > 0).float().sum(dim=0)
first = time.perf_counter() - start
rate = 100 * count / len(texts)
heaps = [[] for _ in range(features)]
start = time.perf_counter()
with torch.no_grad():
    for text in texts:
        acts = encode(model.encode(text, convert_to_tensor=True).unsqueeze(0)).squeeze(0)
        for j in range(features):
            value = acts[j].item()
            (heapq.heappush if len(heaps[j]) < 10 else heapq.heappushpop)(heaps[j], (value, text))
second = time.perf_counter() - start
if a.out:
    os.makedirs(a.out, exist_ok=True)
    np.save(os.path.join(a.out, "fire_rate.npy"), rate.numpy())
    top = [sorted(h, key=lambda p: p[0], reverse=True) for h in heaps]
    json.dump(top, open(os.path.join(a.out, "top_activations.json"), "w", encoding="utf8"), indent=2, ensure_ascii=False)
print(json.dumps(dict(texts=len(texts), features=features, fire_rate_s=round(first, 3), top_texts_s=round(second, 3), total_s=round(time.perf_counter() - begin, 3),
                      peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)))
