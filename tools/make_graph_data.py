#!/usr/bin/env python3
"""What scipy, exact arithmetic and networkx say of tails, q-values and families, for tests/unit/test_graph_significance.c and
tests/oracle/test_families.py.

    make_graph_data.py tests/data/graph

tails.txt    per line: rows, marked, drawn, both; ln P(X >= both) by mpmath with 60 digits, and P as scipy.stats.hypergeom.sf has it
q_values.txt per line: p and its q-value by scipy.stats.false_discovery_control (Benjamini and Hochberg), p rising
measures.txt per line: rows, marked, drawn, both; overlap, Jaccard, cosine, lift, phi (Pearson's r of the two 0/1 columns by numpy), NPMI
run/         activations of 300 rows and 26 features as embeddings.npy, an SAE that passes them on, made-up keyword scores, and
             expected.json: the families of every rule, and the pairs of q <= 0.01
VERSIONS.txt what made them"""
import json
import math
import random
import sys
from pathlib import Path

import mpmath
import networkx as nx
import numpy as np
import scipy
import scipy.stats
from safetensors.numpy import save_file

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


# ---- families ----

def planted(rng, rows=300, features=26):
    """A few general features, special ones that fire mostly beside one of them, some rare, dead or everywhere."""
    fires = np.zeros((rows, features), bool)
    for f in range(5):
        fires[:, f] = rng.random(rows) < (0.5, 0.3, 0.25, 0.2, 0.12)[f]
    for f in range(5, 20):
        above = f % 5 if f < 15 else f - 10
        fires[:, f] = (rng.random(rows) < 0.35) & fires[:, above] | (rng.random(rows) < 0.02)
    fires[:3, 20] = True
    fires[:, 21] = True
    fires[:, 22] = fires[:, 6]  # twins
    fires[:, 24] = rng.random(rows) < 0.1
    return np.where(fires, rng.random((rows, features)) + 0.25, 0).astype(np.float32)


def directed(tree, high_first):
    d = nx.DiGraph()
    for u, v in tree.edges():
        d.add_edge(*((u, v) if high_first(u, v) else (v, u)))
    return d


def seed_graph(c):
    share = c / (np.diag(c)[:, None] + 1e-6)
    g = nx.Graph()
    for i, j in zip(*np.nonzero(np.triu(share > 0.1, 1))):
        g.add_edge(int(i), int(j), weight=share[i, j])
    d, found = directed(nx.maximum_spanning_tree(g), lambda u, v: c[u, u] >= c[v, v]), []
    for _ in range(3):
        roots = [n for n in d if not d.in_degree(n)]
        found += [f for f in ([int(n) for n in nx.dfs_preorder_nodes(d, r)] for r in roots) if len(f) > 1]
        d.remove_nodes_from(roots)
    return found


def seed_keywords(c, scores):
    ids = np.flatnonzero(scores >= np.percentile(scores, 75))
    share = (c / (np.diag(c)[:, None] + 1e-6))[np.ix_(ids, ids)]
    g = nx.from_numpy_array(np.where(share > 0.1, share, 0))
    g.remove_edges_from(list(nx.selfloop_edges(g)))
    d = directed(nx.maximum_spanning_tree(g), lambda u, v: c[ids[u], ids[u]] >= c[ids[v], ids[v]])
    found = []
    for root in [n for n in d if not d.in_degree(n)]:
        family = sorted(int(ids[n]) for n in nx.dfs_preorder_nodes(d, root))
        if len(family) > 1 and all(len({*family} & {*k}) / len({*family} | {*k}) <= 0.6 for k in found):
            found.append(family)
    return found


def saerch(c, rows):
    fires = np.diag(c)
    ids, found = [int(f) for f in np.flatnonzero((fires > 0) & (fires / rows < 0.2))], {}
    for tree in range(4):
        w = (c / (fires + 1.0)[:, None])[np.ix_(ids, ids)]
        w = np.where(w < (0.1 if tree == 0 else 0.07), 0, np.exp(w))
        np.fill_diagonal(w, 0)
        d = nx.DiGraph()
        t = nx.maximum_spanning_tree(nx.from_numpy_array(w))
        d.add_nodes_from(t)
        d.add_edges_from((u, v) if fires[ids[u]] > fires[ids[v]] else (v, u) for u, v in t.edges())
        here = {}

        def look(g):
            for r in [n for n in g if not g.in_degree(n) and g.out_degree(n) > 2]:
                if r not in here:
                    below = nx.dfs_tree(g, r)
                    here[r] = [ids[n] for n in below]
                    rest = below.copy()
                    rest.remove_node(r)
                    look(rest)
        look(d)
        found.update({ids[r]: f for r, f in here.items() if len(f) > 4})
        ids = [f for n, f in enumerate(ids) if n not in here]
    kept, sets = dict(found), {r: {*f[1:]} for r, f in found.items()}
    for x in found:
        for y in found:
            if x != y and len(sets[x] & sets[y]) / len(sets[x] | sets[y]) > 0.6:
                kept.pop(y if len(sets[x]) > len(sets[y]) else x, None)
    return list(kept.values())


def significant(c, rows):
    """(i, j, p, q) of the pairs of live features whose q-value is at most 0.01: every p by scipy, q over all of them."""
    fires = np.diag(c)
    alive = np.flatnonzero(fires)
    pairs = [(int(i), int(j)) for n, i in enumerate(alive) for j in alive[n + 1:]]
    p = np.array([scipy.stats.hypergeom.sf(c[i, j] - 1, rows, fires[i], fires[j]) for i, j in pairs])
    q = scipy.stats.false_discovery_control(np.minimum(p, 1), method="bh")
    return [(i, j, float(x), float(y)) for (i, j), x, y in zip(pairs, p, q) if y <= 0.01]


def parents(c, rows):
    fires, best = np.diag(c).astype(float), {}
    for i, j, _, _ in significant(c, rows):
        p, child = (i, j) if fires[i] >= fires[j] else (j, i)
        n, spread = float(c[i, j]), fires[i] * fires[j] * (rows - fires[i]) * (rows - fires[j])
        if n >= 5 and n * rows >= 2 * fires[i] * fires[j] and spread > 0:
            score = ((rows * n - fires[i] * fires[j]) / math.sqrt(spread), n, -p)
            best[child] = max(best.get(child, (-2,)), score)
    return [[child, -b[2], b[0]] for child, b in sorted(best.items())]


def trees(edges):
    """Every subtree: depth of the root, the root, then the others by number; by depth, falling size, root."""
    d = nx.DiGraph()
    d.add_edges_from((p, c) for c, p, _ in edges)
    above = lambda n: 0 if not d.in_degree(n) else 1 + above(next(iter(d.predecessors(n))))  # noqa: E731
    found = [[above(n), n, *sorted(nx.descendants(d, n))] for n in sorted(d) if d.out_degree(n)]
    return sorted(found, key=lambda f: (f[0], -len(f), f[1]))


def make_run(out):
    out.mkdir(exist_ok=True)
    (out / "sae").mkdir(exist_ok=True)
    a = planted(np.random.default_rng(8))
    rows, features = a.shape
    np.save(out / "embeddings.npy", a)
    eye = np.eye(features, dtype=np.float32)
    save_file({"W_enc": eye, "W_dec": eye, "b_enc": np.zeros(features, np.float32), "b_dec": np.zeros(features, np.float32)},
              out / "sae/sae_weights.safetensors")
    (out / "sae/cfg.json").write_text(json.dumps({"architecture": "standard", "d_in": features, "d_sae": features, "dtype": "float32",
                                                  "apply_b_dec_to_input": False, "normalize_activations": "none"}) + "\n")
    scores = np.array([round((f * 37 % 26) / 26, 6) if a[:, f].any() else 0.0 for f in range(features)])
    (out / "feature_keywords.json").write_text(json.dumps(
        [{"feature_id": f, "keywords": [[f"word{f}", s], ["other", s / 2]] if s else []} for f, s in enumerate(scores.tolist())]) + "\n")
    fires = (a > 0).astype(np.int64)
    c = fires.T @ fires
    edges = parents(c, rows)
    (out / "expected.json").write_text(json.dumps({
        "parents": edges, "trees": trees(edges), "seed": seed_graph(c), "seed-keywords": seed_keywords(c, scores), "saerch": saerch(c, rows),
        "significant": significant(c, rows)}) + "\n")


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
    make_run(out / "run")
    (out / "VERSIONS.txt").write_text(f"tools/make_graph_data.py: python {sys.version.split()[0]}, numpy {np.__version__}, scipy {scipy.__version__}, "
                                      f"mpmath {mpmath.__version__}, networkx {nx.__version__}\n")


main()
