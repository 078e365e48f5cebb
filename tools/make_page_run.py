#!/usr/bin/env python3
"""A run folder of random features, as large or as hostile as pages have to bear.

    make_page_run.py OUT [--features 65536] [--tops 10] [--texts 15292] [--from FILE] [--map-texts N] [--hostile]

Files are those of docs/formats.md, written from its words: run.json, features.csv, fire_rate.npy,
top_activations.json, descriptions.json. Activations of a feature fall; a hundredth of the features
is dead. With --hostile, texts, labels, keywords, names and settings are markup, scripts and odd
bytes of tests/web/hostile.txt instead of words; with --from they are those of a file of JSON lines. --map-texts adds map.csv and clusters.json with so many
texts. Needs numpy.
"""
import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np

WORDS = ("star galaxy model data field survey spectrum mass dark matter halo disk dust gas wave signal noise image sky red blue "
         "line ray flux time scale power law method result sample error test light source event region cloud planet orbit").split()
Z = 1.959963984540054


def hostile_strings():
    """One a line, JSON-quoted, so that any byte can stand in the file."""
    path = Path(__file__).resolve().parents[1] / "tests/web/hostile.txt"
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines() if line]


def make_texts(n, rng):
    words = rng.choice(np.array(WORDS), size=(n, 44))
    return [f"{i} " + " ".join(row) + "." for i, row in enumerate(words)]


def wilson(k, n):
    p, z2 = k / n, Z * Z
    centre, half = p + z2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (100 * ((centre - half) / (1 + z2 / n)) if k else 0.0, 100 * ((centre + half) / (1 + z2 / n)) if k < n else 100.0)


def make_features(n, n_rows, rng):
    counts = np.minimum(n_rows, np.exp(rng.normal(math.log(n_rows / 100), 1.5, n)).astype(np.int64) + 1)
    counts[rng.random(n) < 0.01] = 0
    return counts


def make_tops(counts, n_tops, n_texts, rng):
    tops = []
    for k in counts.tolist():
        m = min(k, n_tops)
        values = np.sort(rng.gamma(2.0, 1.5, m).astype("<f4"))[::-1]
        tops.append(list(zip(values.tolist(), rng.choice(n_texts, m, replace=False).tolist())))
    return tops


def describe(f, counts, label, n_rows):
    k = int(counts[f])
    scored = k >= 10
    auc = 0.5 + 0.5 * ((f * 791_969) % 1_000_003) / 1_000_003  # of as many digits as scores have
    part = {"auc": round(auc, 6), "low": round(max(0, auc - 0.05), 6), "high": round(min(1, auc + 0.05), 6), "se": 0.02, "positives": min(k, 100), "negatives": 500}
    words = [word for word in label.split(", ") if word]
    return {"feature_id": f, "keywords": [[word, 2.5] for word in words], "label": label or None, "method": "contrast", "description": None, "count": k,
            "rate": k / n_rows, "status": ("topical" if scored else "too few") if label else "no label", "positives": k,
            "scores": {"random": part, "near": part} if scored and label else None, "llm": None}


def write_run(out, n_features, n_tops, texts, labels, name, rng, n_rows=100000):
    out.mkdir(parents=True, exist_ok=True)
    counts = make_features(n_features, n_rows, rng)
    tops = make_tops(counts, n_tops, len(texts), rng)
    rates = (100.0 * counts / n_rows).astype("<f4")
    np.save(out / "fire_rate.npy", rates)
    with open(out / "features.csv", "w", encoding="utf8") as f:
        f.write("feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,max_activation,mean_activation,dead\n")
        for i, k in enumerate(counts.tolist()):
            low, high = wilson(k, n_rows)
            most = tops[i][0][0] if k else 0.0
            f.write(f"{i},{k},{float(rates[i])!r},{low!r},{high!r},{most!r},{most / 2!r},{'false' if k else 'true'}\n")
    quoted = [json.dumps(text, ensure_ascii=False) for text in texts]
    with open(out / "top_activations.json", "w", encoding="utf8") as f:
        f.write("[\n")
        f.write(",\n".join("  []" if not top else "  [\n" + ",\n".join(f"    [\n      {value!r},\n      {quoted[text]}\n    ]" for value, text in top) + "\n  ]" for top in tops))
        f.write("\n]")
    with open(out / "descriptions.json", "w", encoding="utf8") as f:
        json.dump([describe(i, counts, labels[i % len(labels)], n_rows) for i in range(n_features)], f, ensure_ascii=False)
    manifest = {
        "schema": 1, "saescope_version": name, "model": {"name": name, "path": f"/x/{name}", "files": [{"path": f"/x/{name}", "sha256": name}]},
        "sae": {"path": f"/x/{name}", "format": name, "kind": name, "rule": name, "n_features": n_features, "files": []},
        "dataset": {"name": name, "format": name, "text_column": name, "files": []},
        "settings": {"title": name, "top_k": n_tops}, "rows": {"read": n_rows, "used": n_rows, "repaired": 0, "skipped": {"null": 0, "empty": 0, "blank": 0}},
        "tokens": n_rows * 50, "features": {"n": n_features, "dead": int((counts == 0).sum()), "median_rate_pct": float(np.median(rates))},
        "precision": name, "timings": {"seconds": 1.0}, "outputs": {}}
    (out / "run.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf8")


def write_map(out, n_features, n_texts, labels, rng):
    """Thirty clouds of features, and of texts."""
    centres = rng.normal(0, 8, (30, 2))
    with open(out / "map.csv", "w", encoding="utf8") as f:
        f.write("kind,id,x,y,cluster,label\n")
        for kind, n in (("feature", n_features), ("text", n_texts)):
            cluster = rng.integers(0, 30, n)
            places = centres[cluster] + rng.normal(0, 1, (n, 2))
            f.write("".join(f'{kind},{i},{x:.6g},{y:.6g},{c},""\n' for i, ((x, y), c) in enumerate(zip(places.tolist(), cluster.tolist()))))
    (out / "clusters.json").write_text(json.dumps({"clusters": [{"cluster": c, "label": labels[c % len(labels)] or None} for c in range(30)]}), encoding="utf8")


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--features", type=int, default=65536)
    parser.add_argument("--tops", type=int, default=10)
    parser.add_argument("--texts", type=int, default=15292)
    parser.add_argument("--from", type=Path, dest="texts_from")
    parser.add_argument("--map-texts", type=int)
    parser.add_argument("--hostile", action="store_true")
    given = parser.parse_args(argv)
    rng = np.random.default_rng(11)
    if given.hostile:
        texts = hostile_strings()
        labels = [text.replace("\0", " ") for text in texts]
        write_run(given.out, given.features, given.tops, texts, labels, texts[0], rng)
    else:
        labels = [", ".join(rng.choice(WORDS, 3, replace=False)) for _ in range(4999)] + [""]
        texts = make_texts(given.texts, rng) if given.texts_from is None else [json.loads(line)["text"] for line in open(given.texts_from, encoding="utf8")][:given.texts]
        write_run(given.out, given.features, given.tops, texts, labels, "synthetic", rng)
    if given.map_texts is not None:
        write_map(given.out, given.features, given.map_texts, labels, rng)


if __name__ == "__main__":
    main(sys.argv[1:])
