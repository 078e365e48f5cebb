#!/usr/bin/env python3
"""What scipy and exact arithmetic say of tails and q-values, for tests/unit/test_graph_significance.c.

    make_graph_data.py tests/data/graph

tails.txt    per line: rows, marked, drawn, both; ln P(X >= both) by mpmath with 60 digits, and P as scipy.stats.hypergeom.sf has it
q_values.txt per line: p and its q-value by scipy.stats.false_discovery_control (Benjamini and Hochberg), p rising
measures.txt per line: rows, marked, drawn, both; overlap, Jaccard, cosine, lift, phi (Pearson's r of the two 0/1 columns by numpy), NPMI
VERSIONS.txt what made them"""
import math
import random
import sys
from pathlib import Path

import mpmath
import numpy as np
import scipy
import scipy.stats

mpmath.mp.dps = 60


def exact_log_tail(n, a, b, x):
    """The first term from factorials, the others by ratios, all with 60 digits."""
    lf = lambda k: mpmath.loggamma(k + 1)
    choose = lambda m, k: lf(m) - lf(k) - lf(m - k)
    least = max(0, a + b - n)
    if x <= least:
        return mpmath.mpf(0)
    total = term = mpmath.mpf(1)
    for k in range(x, min(a, b)):
        term = term * (a - k) * (b - k) / (mpmath.mpf(k + 1) * (n - a - b + k + 1))
        total += term
        if term < total * mpmath.mpf(10) ** -45 and k * n > a * b:
            break
    return choose(a, x) + choose(n - a, b - x) - choose(n, b) + mpmath.log(total)


def counts(rng):
    """Small to large, rare to frequent, near to the mean and far above it."""
    n = rng.choice((1, 2, 3, 7, 20, 50, 400, 2000, 15292, 10**5, 10**6, 10**7, 10**9, 2**33))
    most = min(n, rng.choice((5, 60, 2000, n)) if n <= 20000 else rng.choice((40, 3000, 20000)))
    a, b = rng.randint(1, most), rng.randint(1, most)
    least, top, mean = max(0, a + b - n), min(a, b), a * b // n
    x = rng.choice((least, top, mean, min(top, mean + 1), rng.randint(least, top), min(top, mean + rng.randint(0, 30))))
    return n, a, b, min(max(x, least), top)


def phi(n, a, b, x):
    """Pearson's r of two columns of 0 and 1, from their four kinds of rows."""
    if not (0 < a < n and 0 < b < n):
        return 0.0
    first = np.repeat([1.0, 1.0, 0.0, 0.0], [x, a - x, b - x, n - a - b + x])
    second = np.repeat([1.0, 0.0, 1.0, 0.0], [x, a - x, b - x, n - a - b + x])
    return float(np.corrcoef(first, second)[0, 1])


def main():
    out, rng = Path(sys.argv[1]), random.Random(11)
    with open(out / "tails.txt", "w") as file:
        seen = set()
        while len(seen) < 700:
            case = counts(rng)
            if case in seen:
                continue
            n, a, b, x = case
            exact = exact_log_tail(*case)
            if exact < -690:
                continue
            seen.add(case)
            file.write(f"{n} {a} {b} {x} {float(exact)!r} {float(scipy.stats.hypergeom.sf(x - 1, n, a, b))!r}\n")
    draws = np.random.default_rng(3)
    p = np.concatenate([draws.random(250), draws.random(80) ** 12, [1e-300, 1e-300, 3e-308, 0.5, 0.5, 1.0]])
    p.sort()
    q = scipy.stats.false_discovery_control(p, method="bh")
    with open(out / "q_values.txt", "w") as file:
        file.writelines(f"{float(x)!r} {float(y)!r}\n" for x, y in zip(p, q))
    with open(out / "measures.txt", "w") as file:
        seen = set()
        while len(seen) < 300:
            case = counts(rng)
            n, a, b, x = case
            if n > 20000 or case in seen:
                continue
            seen.add(case)
            lift = x * n / (a * b)
            npmi = -1.0 if x == 0 else 1.0 if x == n else math.log(lift) / -math.log(x / n)
            values = (x / min(a, b), x / (a + b - x), x / math.sqrt(a * b), lift, phi(*case), npmi)
            file.write(" ".join([*map(str, case), *(repr(v) for v in values)]) + "\n")
    (out / "VERSIONS.txt").write_text(f"tools/make_graph_data.py: python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}, "
                                      f"mpmath {mpmath.__version__}\n")


main()
