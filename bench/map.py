#!/usr/bin/env python3
"""saescope map against umap-learn, on the vectors of a run: quality and seconds of CPU, each on one thread.

    python bench/map.py build/release/saescope RUN [SEEDS]

Needs numpy and umap-learn. RUN is a folder of `analyze` with texts; its map is made anew. saescope's seconds are those of the whole
verb without labels of clusters: reading the run, clusters, both maps, their figures, the pictures.
"""
import csv
import os
import resource
import subprocess
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
from umap import UMAP

warnings.filterwarnings("ignore")


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def quality(x, y, k=15):
    """Trustworthiness and kept neighbours as docs/map.md has them."""
    n, s = len(x), unit(x)
    d = 1 - s @ s.T
    np.fill_diagonal(d, -1)
    ranks = np.argsort(np.argsort(d, axis=1, kind="stable"), axis=1, kind="stable")
    m = ((y[:, None] - y[None]) ** 2).sum(-1)
    np.fill_diagonal(m, -1)
    r = np.take_along_axis(ranks, np.argsort(m, axis=1, kind="stable")[:, 1:k + 1], axis=1)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * np.maximum(0, r - k).sum(), (r <= k).mean()


def user_seconds():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def ours(program, run, seed):
    before = user_seconds()
    subprocess.run([program, "map", run, "--no-labels", "-t", "1", "-q", "--seed", str(seed)], check=True)
    seconds = user_seconds() - before
    with open(os.path.join(run, "map.csv"), newline="", encoding="utf8") as file:
        return list(csv.DictReader(file)), seconds


def peer(x, seed):
    before = time.process_time()
    y = UMAP(metric="cosine", random_state=seed, n_jobs=1).fit_transform(x)
    return y, time.process_time() - before


def main(program, run, seeds=3):
    rows, _ = ours(program, run, 0)
    ids = {kind: [int(r["id"]) for r in rows if r["kind"] == kind] for kind in ("feature", "text")}
    with np.load(os.path.join(run, "centroids.npz")) as z:
        vectors = {"feature": z["centroids"][ids["feature"]]}
    vectors["text"] = np.load(os.path.join(run, "evidence/embeddings.npy"))[ids["text"]]
    UMAP(n_neighbors=5, n_epochs=10, random_state=1).fit_transform(vectors["feature"][:100])  # compile
    totals = []
    for seed in range(int(seeds)):
        rows, seconds = ours(program, run, seed)
        theirs = 0
        for kind, x in vectors.items():
            y, spent = peer(x, seed)
            theirs += spent
            own = np.array([[float(r["x"]), float(r["y"])] for r in rows if r["kind"] == kind])
            print(f"seed {seed}  {kind:8}{len(x):6}  saescope {quality(x, own)[0]:.4f} {quality(x, own)[1]:.3f}  umap-learn {quality(x, y)[0]:.4f} "
                  f"{quality(x, y)[1]:.3f}  {spent:.2f} s", flush=True)
        totals.append((seconds, theirs))
        print(f"seed {seed}  seconds of CPU, both maps: saescope {seconds:.2f} (the whole verb), umap-learn {theirs:.2f}: {theirs / seconds:.1f} times", flush=True)
    print(f"median {np.median([b / a for a, b in totals]):.1f} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
