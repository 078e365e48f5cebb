#!/usr/bin/env python3
"""What the definitions say of ROC areas, DeLong errors and rank correlations, for tests/unit/test_describe_auc.c.

    make_auc_data.py tests/data/describe/auc.txt

Per line: positives, negatives (whole numbers, with many ties), the area and its DeLong error over all pairs, the threshold
that divides best, and Spearman's correlation (scipy) of the first min(m, n) of both, "nan" where it is not defined."""
import random
import sys
import warnings

import numpy as np
import scipy.stats

warnings.simplefilter("ignore")


def delong(x, y):
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    v10, v01 = psi.mean(1), psi.mean(0)
    se = np.sqrt(v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(y)) if min(len(x), len(y)) > 1 else 0.0
    return psi.mean(), se


def threshold(x, y):
    values = sorted(set(x.tolist() + y.tolist()))
    gains = [round((x >= t).mean() - (y >= t).mean(), 12) for t in values]
    return values[gains.index(max(gains))]


def main():
    rng = random.Random(5)
    with open(sys.argv[1], "w") as out:
        for case in range(1200):
            top = rng.choice((1, 2, 5, 9, 40))
            m, n = rng.randint(1, 14), rng.randint(1, 14)
            shift = rng.randint(0, 3)
            x = np.array([rng.randint(0, top) + shift for _ in range(m)])
            y = np.array([rng.randint(0, top) for _ in range(n)])
            area, se = delong(x, y)
            k = min(m, n)
            rho = scipy.stats.spearmanr(x[:k], y[:k]).statistic if k > 1 else float("nan")
            out.write(f"{m} {n} {' '.join(map(str, x))} {' '.join(map(str, y))} {area:.12g} {se:.12g} {threshold(x, y)} {rho:.12g}\n")


if __name__ == "__main__":
    main()
