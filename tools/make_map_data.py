#!/usr/bin/env python3
"""Clusters and steps of UMAP as the reference libraries have them, for tests/unit/test_graph_map.c.

    make_map_data.py OUT.json

Needs numpy, scipy, scikit-learn, hdbscan and umap-learn; the file names their versions. HDBSCAN's answers are kept where they do
not depend on the order of rows: of 30 permutations, all give the same partition.
"""
import json
import sys
import warnings

import hdbscan
import numpy as np
import scipy
import sklearn
import umap
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.manifold import trustworthiness
from umap.umap_ import find_ab_params, fuzzy_simplicial_set, smooth_knn_dist

warnings.filterwarnings("ignore")
OPTIONS = [{}, {"cluster_selection_method": "leaf"}, {"min_cluster_size": 12}, {"min_samples": 1}, {"min_samples": 1, "cluster_selection_method": "leaf"},
           {"min_samples": 8, "min_cluster_size": 16}, {"cluster_selection_method": "leaf", "cluster_selection_epsilon": 1.0},
           {"cluster_selection_epsilon": 4.0}, {"max_cluster_size": 40}, {"allow_single_cluster": True, "min_cluster_size": 60}, {"alpha": 1.3}]


def blobs(rng, n, width, k):
    centres = rng.normal(size=(k, width)) * 5
    x = centres[rng.integers(0, k, n)] + rng.normal(size=(n, width)) * rng.uniform(0.2, 1.1, size=(n, 1))
    return np.round(x, 3)


def canonical(labels):
    seen = {}
    return [-1 if t < 0 else seen.setdefault(int(t), len(seen)) for t in labels]


def run(x, options):
    h = hdbscan.HDBSCAN(algorithm="generic", approx_min_span_tree=False, **options).fit(x)
    return canonical(h.labels_), h.probabilities_


def hdbscan_cases(rng):
    cases = []
    for width, n, k in ((2, 110, 4), (6, 130, 5)):
        x = blobs(rng, n, width, k)
        kept = []
        for options in OPTIONS:
            labels, probabilities = run(x, options)
            for _ in range(30):
                p = rng.permutation(n)
                back, other = np.empty(n, int), np.empty(n)
                found, chances = run(x[p], options)
                back[p], other[p] = found, chances
                if canonical(back) != labels or np.abs(other - probabilities).max() > 1e-9:
                    break
            else:
                kept.append({"options": options, "labels": labels, "probabilities": [round(float(v), 9) for v in probabilities]})
        cases.append({"points": x.tolist(), "answers": kept})
    return cases


def ward_cases(rng):
    cases = []
    for x in (blobs(rng, 90, 5, 6), np.round(rng.normal(size=(40, 12)), 3), np.repeat(np.round(rng.normal(size=(12, 3)), 3), 4, axis=0)[rng.permutation(48)]):
        z = linkage(x, "ward")
        cuts = {k: canonical(fcluster(z, k, "maxclust")) for k in (2, 5, 11)}
        cases.append({"points": x.tolist(), "heights": z[:, 2].tolist(), "sizes": z[:, 3].astype(int).tolist(), "cuts": cuts})
    return cases


def umap_steps(rng):
    x = rng.normal(size=(60, 8))
    x = np.round(x / np.linalg.norm(x, axis=1, keepdims=True), 6)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    d = np.maximum(0, 1 - x @ x.T)
    np.fill_diagonal(d, -1)
    near = np.argsort(d, axis=1, kind="stable")[:, :10]
    dist = np.take_along_axis(d, near, axis=1)
    dist[:, 0] = 0
    sigmas, rhos = smooth_knn_dist(dist.astype(np.float32), 10.0)
    graph = fuzzy_simplicial_set(x, 10, np.random.RandomState(0), "cosine", knn_indices=near.astype(np.int32), knn_dists=dist.astype(np.float32))[0].tocoo()
    up = graph.row < graph.col
    y = rng.normal(size=(60, 2)) + x[:, :2] * 4
    of_map = np.argsort(((y[:, None] - y[None]) ** 2).sum(-1) - np.eye(60), axis=1, kind="stable")[:, 1:16]
    nearest = np.argsort(d, axis=1, kind="stable")[:, 1:16]
    kept = float(np.mean([len(np.intersect1d(a, b)) / 15 for a, b in zip(of_map, nearest)]))
    return {"points": x.tolist(), "neighbours": near[:, 1:].tolist(), "sigmas": sigmas.tolist(), "rhos": rhos.tolist(),
            "graph": [[int(i), int(j), float(w)] for i, j, w in zip(graph.row[up], graph.col[up], graph.data[up])],
            "map": y.tolist(), "trustworthiness": float(trustworthiness(x, y, n_neighbors=15, metric="cosine")), "kept": kept}


rng = np.random.default_rng(11)
curves = [{"min_dist": m, "spread": s, "a": float(a), "b": float(b)} for m, s in ((0.0, 1.0), (0.05, 1.0), (0.1, 1.0), (0.25, 1.0), (0.5, 1.5), (0.99, 1.0))
          for a, b in [find_ab_params(s, m)]]
made = {"made_by": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__, "hdbscan": "0.8.44", "umap-learn": umap.__version__},
        "hdbscan": hdbscan_cases(rng), "ward": ward_cases(rng), "curves": curves, "umap": umap_steps(rng)}
with open(sys.argv[1], "w", encoding="utf8") as file:
    json.dump(made, file)
    file.write("\n")
print([[len(c["answers"]) for c in made["hdbscan"]], len(made["ward"])])
