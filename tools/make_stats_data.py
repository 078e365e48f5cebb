#!/usr/bin/env python3
"""What numpy and torch say about histograms and densities, for tests/unit/test_stats_histogram.c.

    make_stats_data.py tests/data/stats

histograms.txt: per case a line "NAME n bins fixed|own", then a line each of values, counts and edges.
densities.txt: per line a rate in percent and torch.log10(rate / 100 + 1e-10), both f32.
All floats are hexadecimal, so that nothing is lost in reading.
"""
import os
import sys

import numpy as np
import torch

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
rng = np.random.default_rng(20)


def hexes(values):
    return " ".join(float(v).hex() for v in values)


def rates(n_features, n_rows):
    counts = np.minimum(np.round(n_rows * 10 ** rng.normal(-2.5, 0.8, n_features)), n_rows)
    counts[:: 97] = 0
    return (100 * counts / n_rows).astype(np.float32)


def density(rate):
    return torch.log10(torch.from_numpy(rate) / 100 + 1e-10).numpy()


cases = [
    ("typical", density(rates(1536, 15292)), 50, None),
    ("typical-fixed", density(rates(1536, 15292)), 50, (-10.0, 0.0)),
    ("all-dead", np.full(40, -10, np.float32), 50, None),
    ("all-equal", np.full(7, 0.3, np.float32), 50, None),
    ("one", np.array([2.5], np.float32), 50, None),
    ("none", np.array([], np.float32), 50, None),
    ("on-edges", (np.arange(101) / 10).astype(np.float32), 50, None),
    ("on-edges-fixed", (-np.arange(101) / 10).astype(np.float32), 50, (-10.0, 0.0)),
    ("outside", np.array([-11, -10, -0.2, 0, 0.1], np.float32), 50, (-10.0, 0.0)),
    ("thresholds", np.exp(rng.normal(0, 0.3, 700)).astype(np.float32), 50, None),
    ("one-bin", rng.normal(size=30).astype(np.float32), 1, None),
    ("many-bins", rng.normal(size=500).astype(np.float32), 333, None),
    ("narrow", (1000 + rng.integers(0, 200, 300) * 6e-5).astype(np.float32), 50, None),
]
with open(os.path.join(out, "histograms.txt"), "w") as f:
    for name, values, bins, fixed in cases:
        counts, edges = np.histogram(values, bins=bins, range=fixed)
        print(name, len(values), bins, "fixed" if fixed else "own", file=f)
        print(hexes(values), " ".join(map(str, counts)), hexes(edges.astype(np.float32)), sep="\n", file=f)

every = np.concatenate([rates(500, 15292), [0, 100, 1e-9], 10 ** rng.uniform(-9, 2, 500)]).astype(np.float32)
with open(os.path.join(out, "densities.txt"), "w") as f:
    for rate, value in zip(every, density(every)):
        print(float(rate).hex(), float(value).hex(), file=f)
print("numpy", np.__version__, "torch", torch.__version__)
