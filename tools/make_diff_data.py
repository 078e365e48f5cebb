#!/usr/bin/env python3
"""Two shares compared by scipy: what tests/unit/test_stats_proportions.c expects.

    make_diff_data.py [tests/data/stats/two_shares.csv]

A line for each pair of counts: k_a, n_a, k_b, n_b; the difference b - a and its 95 % limits by Newcombe's method 10, of
scipy.stats.binomtest(...).proportion_ci(method="wilson"); Cohen's h by numpy; the odds ratio; z and ln p of the
pooled two-sided test, p as scipy.stats.chi2_contingency(correction=False) has it where that does not underflow, its
logarithm by scipy.stats.norm.logsf. With them stand q-values, scipy.stats.false_discovery_control of all p that do not
underflow. Needs numpy and scipy; the versions stand in the first line.
"""
import math
import sys

import numpy as np
import scipy
from scipy import stats

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/data/stats/two_shares.csv"
rng = np.random.default_rng(3)
counts = [(0, 10, 0, 10), (10, 10, 10, 10), (0, 10, 10, 10), (10, 10, 0, 10), (1, 1, 0, 1), (0, 7, 1, 9), (5, 10, 5, 10), (1, 1000000, 2, 1000000),
          (0, 1000000, 999, 1000000), (500000, 1000000, 500001, 1000000), (1, 3, 999999, 2000000), (0, 1, 1, 10**9), (100, 10**7, 5 * 10**6, 10**7)]
for n_a, n_b in ((30, 50), (600, 600), (4569, 15292), (10**6, 10**5), (17, 10**6)):
    for share in (0.001, 0.02, 0.3, 0.9):
        for ratio in (0.5, 0.97, 1.0, 1.2):
            counts.append((int(rng.binomial(n_a, share)), n_a, int(rng.binomial(n_b, min(1, share * ratio))), n_b))


def limits(k, n):
    found = stats.binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
    return found.low, found.high


def line(k_a, n_a, k_b, n_b):
    a, b = k_a / n_a, k_b / n_b
    (low_a, high_a), (low_b, high_b) = limits(k_a, n_a), limits(k_b, n_b)
    low = (b - a) - math.sqrt((b - low_b) ** 2 + (high_a - a) ** 2)
    high = (b - a) + math.sqrt((high_b - b) ** 2 + (a - low_a) ** 2)
    effect = 2 * np.arcsin(np.sqrt(b)) - 2 * np.arcsin(np.sqrt(a))
    table = np.array([[k_a, n_a - k_a], [k_b, n_b - k_b]], dtype="f8")
    odds = np.float64(k_b * (n_a - k_a)) / np.float64(k_a * (n_b - k_b)) if k_a * (n_b - k_b) else (math.inf if k_b * (n_a - k_a) else math.nan)
    pooled = (k_a + k_b) / (n_a + n_b)
    if pooled in (0, 1):
        z, p = 0.0, 1.0
    else:
        found = stats.chi2_contingency(table, correction=False)
        z, p = math.copysign(math.sqrt(found.statistic), b - a), found.pvalue
    return [k_a, n_a, k_b, n_b, b - a, low, high, float(effect), float(odds), z, float(math.log(2) + stats.norm.logsf(abs(z))), p]


np.seterr(divide="ignore", invalid="ignore")
lines = [line(*item) for item in counts]
p = np.array([row[-1] for row in lines])
q = stats.false_discovery_control(np.where(p > 0, p, 1e-300))
with open(OUT, "w", encoding="ascii") as file:
    file.write(f"# scipy {scipy.__version__}, numpy {np.__version__}: k_a,n_a,k_b,n_b,difference,low,high,effect,odds_ratio,z,log_p,q\n")
    for row, value in zip(lines, q):
        file.write(",".join(repr(x) for x in row[:-1]) + f",{float(value)!r}\n")
