#!/usr/bin/env python3
"""What families found on one half of the shared abstracts are worth in the other half: lift and meaning of parent and child.

    bench/families_halves.py PROGRAM EMBEDDINGS.npy SHARED [OPTION of `saescope families`]…

EMBEDDINGS are those of SHARED/data/arxiv-astro.jsonl.xz (saescope embed). Rows are divided by their number, even and odd. Needs numpy,
scipy and scikit-learn. Per SAE and direction it prints: pairs, median lift and its mean conditional share on the other half, the share
of parents that fire in more than a tenth of the rows, and meaning: the mean cosine of parent's and child's centred TF-IDF, each of the
feature's ten strongest texts in the other half."""
import json
import lzma
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def meanings(a, texts, keep):
    c, vectors = a.tocsc(), []
    for f in keep:
        rows, values = c.indices[c.indptr[f]:c.indptr[f + 1]], c.data[c.indptr[f]:c.indptr[f + 1]]
        vectors.append(np.asarray(texts[rows[np.argsort(-values, kind="stable")[:10]]].mean(0)).ravel())
    vectors = np.array(vectors)
    return unit(vectors - vectors.mean(0))


def main():
    program, embeddings, shared, options = sys.argv[1], np.load(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
    texts = [json.loads(line)["text"] for line in lzma.open(shared / "data/arxiv-astro.jsonl.xz", "rt", encoding="utf8")]
    assert len(texts) == len(embeddings)
    vectors = TfidfVectorizer(stop_words="english", min_df=3, sublinear_tf=True).fit_transform(texts)
    call = lambda *words: subprocess.run([program, *map(str, words)], check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        for sae in ("jumprelu-1536", "topk-768"):
            for half in (0, 1):
                there = Path(folder)
                np.save(there / "here.npy", embeddings[half::2])
                np.save(there / "other.npy", embeddings[1 - half::2])
                call("analyze", "--embeddings", there / "here.npy", "-s", shared / "oracle/sae" / sae, "-o", there / "run", "--force", "-q",
                     "--evidence", "none", "--steps", "none")
                call("families", there / "run", "-q", *options)
                call("encode", "--embeddings", there / "other.npy", "-s", shared / "oracle/sae" / sae, "-o", there / "a.npz", "--force", "-q")
                a = sp.load_npz(there / "a.npz").tocsr()
                n, fires = a.shape[0], np.diff(a.tocsc().indptr)
                found = json.loads((there / "run/families.json").read_text())
                pairs = np.array([(p["parent"], p["child"]) for p in found["parents"]])
                b = a.copy()
                b.data[:] = 1
                both = np.asarray((b.T @ b)[pairs[:, 0], pairs[:, 1]]).ravel()
                alive = (fires[pairs] > 0).all(1)
                lift = both[alive] * n / (fires[pairs[alive, 0]].astype(float) * fires[pairs[alive, 1]])
                keep = np.flatnonzero(fires >= 5)
                place = np.full(len(fires), -1)
                place[keep] = np.arange(len(keep))
                v, rare = meanings(a, vectors[1 - half::2], keep), (place[pairs] < 0).any(1)
                p = place[pairs[~rare]]
                meaning = float((v[p[:, 0]] * v[p[:, 1]]).sum(1).mean())
                print(f"{sae} found on {'even' if half == 0 else 'odd'} rows: {len(pairs)} pairs, {len(found['families'])} subtrees, held-out lift "
                      f"median {np.median(lift):.3f}, P(parent given child) {np.mean(both[alive] / fires[pairs[alive, 1]]):.3f}, "
                      f"parents over 10 % {np.mean(fires[pairs[:, 0]] > 0.1 * n):.3f}, meaning {meaning:.4f}", flush=True)


main()
