#!/usr/bin/env python3
"""Expected evidence of two runs over embeddings, by the rules of docs/formats.md, without the program.

    make_evidence_data.py [tests/data/evidence]

texts.jsonl, embeddings.npy   rows: many texts occur again, one of them with another embedding, two are empty
sae-jumprelu/, sae-topk/      SAEs in the format saelens
jumprelu.npz, topk.npz        what the files of the evidence hold (CASES says of which options)

Embeddings, weights and thresholds are small multiples of 1/8, so that every product and sum is exact in float32: the
activations are those of any order of additions. Needs numpy. The versions used stand in VERSIONS.txt beside the data.
"""
import hashlib
import json
import os
import platform
import struct
import sys

import numpy as np

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/data/evidence"
N, WIDTH, F, TOP_K = 700, 8, 12, 6
FULL = {"strongest": 20, "firing": (64, 100), "miss": (50, 100)}
LIGHT = {"strongest": 10, "firing": (24, 36), "miss": (18, 36)}
# name: SAE, sizes, --sample-rows, --sample-seed
CASES = {"jumprelu": ("jumprelu", FULL, 40, 0), "topk": ("topk", LIGHT, 10 ** 9, 7)}


def make_rows(rng):
    words = [a + b for a in ("dark", "cold", "new", "é", "星") for b in ("map", "dust", "gas", "ray", "far")]
    distinct = sorted({" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(2000)})
    rng.shuffle(distinct)
    distinct = distinct[:520]
    texts = distinct + [distinct[i] for i in rng.integers(0, 60, N - len(distinct) - 2)] + ["", ""]
    order = rng.permutation(N)
    texts = [texts[i] for i in order]
    of_text = {text: rng.integers(-24, 25, WIDTH) / 8 for text in texts}
    rows = np.array([of_text[text] for text in texts], "<f4")
    again = [i for i, text in enumerate(texts) if text == distinct[3]]
    rows[again[-1]] = rng.integers(-24, 25, WIDTH) / 8  # an equal text with another embedding
    assert len(again) > 1
    for i, text in enumerate(texts):
        if not text:
            rows[i] = rng.integers(-24, 25, WIDTH) / 8
    return texts, rows


def make_saes(rng):
    weights = {"W_enc": rng.integers(-8, 9, (WIDTH, F)) / 8, "b_enc": rng.integers(-8, 9, F) / 8,
               "W_dec": rng.integers(-8, 9, (F, WIDTH)) / 8, "b_dec": rng.integers(-8, 9, WIDTH) / 8}
    threshold = np.where(np.arange(F) % 3 == 0, 0.25, rng.integers(4, 40, F) / 8)
    threshold[F - 1] = 1000  # never fires
    return weights, threshold


def save_sae(folder, config, tensors):
    os.makedirs(folder, exist_ok=True)
    head, at, data = {}, 0, b""
    for name, value in tensors.items():
        value = np.ascontiguousarray(value, "<f4")
        head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at, data = at + value.nbytes, data + value.tobytes()
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "sae_weights.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(folder, "cfg.json"), "w") as f:
        json.dump({"d_in": WIDTH, "d_sae": F, "dtype": "float32", "apply_b_dec_to_input": True,
                   "normalize_activations": "none", **config}, f, indent=1)


def encode(kind, x, weights, threshold, k=5):
    h = (x.astype("f8") - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    assert (h == h.astype("f4")).all()
    if kind == "jumprelu":
        return h, np.where(h > threshold, np.maximum(h, 0), 0)
    acts = np.zeros_like(h)
    for row, out in zip(np.maximum(h, 0), acts):
        best = sorted(range(F), key=lambda f: (-row[f], f))[:k]  # equal values: the lower feature
        out[best] = row[best]
    return h, acts


def digest(text, number, seed):
    data = text.encode("utf8") or struct.pack("<Q", number)
    return hashlib.sha256((struct.pack("<Q", seed) if seed else b"") + data).digest()


def evidence(texts, x, h, acts, sizes, n_pool, seed):
    """Every rule as it is written down: sort all there is, and take the first ones."""
    hashes = [digest(text, i, seed) for i, text in enumerate(texts)]
    names = [(d[8] & 1, d[:16], hashlib.sha256(row.astype("<f4").tobytes()).digest()[:8]) for d, row in zip(hashes, x)]
    first, count = {}, {}
    for i, name in enumerate(names):
        first.setdefault(name, i)
        count[name] = count.get(name, 0) + 1
    distinct = sorted(first)
    halves = [[name for name in distinct if name[0] == half] for half in (0, 1)]
    pool = [half[:n_pool] for half in halves]
    samples = []  # feature, kind, half, rank, activation, name
    for f in range(F):
        rows = sorted((i for i in range(len(x)) if acts[i, f] > 0), key=lambda i: (-acts[i, f], i))
        top, seen = [], set()
        for i in rows:  # what people see of them is told apart: the text
            if texts[i] not in seen and len(top) < TOP_K:
                top.append((acts[i, f], names[i]))
                seen.add(texts[i])
        samples += [(f, "top", name[0], rank, a, name) for rank, (a, name) in enumerate(top)]
        firing = [[n for n in half if acts[first[n], f] > 0] for half in halves]
        best = sorted(firing[0], key=lambda n: (-acts[first[n], f], n))[:sizes["strongest"]]
        samples += [(f, "strongest", 0, rank, acts[first[n], f], n) for rank, n in enumerate(best)]
        for half in (0, 1):
            chosen = firing[half][:sizes["firing"][half]]
            samples += [(f, "firing", half, rank, acts[first[n], f], n) for rank, n in enumerate(chosen)]
        for half in (0, 1):
            near = [n for n in pool[half] if acts[first[n], f] == 0 and h[first[n], f] > 0]
            near = sorted(near, key=lambda n: (-h[first[n], f], n))[:sizes["miss"][half]]
            samples += [(f, "miss", half, rank, h[first[n], f], n) for rank, n in enumerate(near)]
    by_text = {s[5] for s in samples if s[1] in ("strongest", "firing")} | {n for half in pool for n in half}
    kept = sorted(by_text | {s[5] for s in samples})
    place = {name: i for i, name in enumerate(kept)}
    active = [np.flatnonzero(acts[first[n]]) for n in kept]
    values = [(f, int(np.float32(a).view("u4") >> 20)) for f in range(F) for a in acts[:, f] if a > 0]
    bins, counts = np.unique(np.array(values), axis=0, return_counts=True)
    half_of = np.array([name[0] for name in names])
    return {
        "key": np.array([int.from_bytes(n[1][:8], "big") for n in kept], "u8"),
        "half": np.array([n[0] for n in kept], "u1"),
        "in_pool": np.array([n in pool[n[0]] for n in kept]),
        "count": np.array([count[n] if n in by_text else 0 for n in kept], "u8"),  # 0: null
        "position": np.array([first[n] for n in kept], "i8"),
        "active_offsets": np.cumsum([0] + [len(a) for a in active]),
        "features": np.concatenate(active).astype("u4"),
        "activations": np.concatenate([acts[first[n]][a] for n, a in zip(kept, active)]).astype("f4"),
        "sample_feature": np.array([s[0] for s in samples], "u4"),
        "sample_kind": np.array([s[1] for s in samples]),
        "sample_half": np.array([s[2] for s in samples], "u1"),
        "sample_rank": np.array([s[3] for s in samples], "u4"),
        "sample_activation": np.array([s[4] for s in samples], "f4"),
        "sample_text": np.array([place[s[5]] for s in samples], "u4"),
        "bin_offsets": np.searchsorted(bins[:, 0], np.arange(F + 1)).astype("u8"),
        "bins": bins[:, 1].astype("u4"),
        "bin_counts": counts.astype("u8"),
        "rows": np.array([(half_of == half).sum() for half in (0, 1)], "u8"),
        "active": np.array([[(acts[half_of == half, f] > 0).sum() for half in (0, 1)] for f in range(F)], "u8"),
    }


def main():
    rng = np.random.default_rng(11)
    os.makedirs(OUT, exist_ok=True)
    texts, x = make_rows(rng)
    weights, threshold = make_saes(rng)
    with open(os.path.join(OUT, "texts.jsonl"), "w", encoding="utf8") as f:
        for i, text in enumerate(texts):
            f.write(json.dumps({"text": text, "id": i}, ensure_ascii=False) + "\n")
    np.save(os.path.join(OUT, "embeddings.npy"), x)
    save_sae(os.path.join(OUT, "sae-jumprelu"), {"architecture": "jumprelu"}, {**weights, "threshold": threshold})
    save_sae(os.path.join(OUT, "sae-topk"), {"architecture": "topk", "k": 5}, weights)
    for name, (kind, sizes, n_pool, seed) in CASES.items():
        h, acts = encode(kind, x, weights, threshold)
        np.savez_compressed(os.path.join(OUT, f"{name}.npz"), **evidence(texts, x, h, acts, sizes, n_pool, seed))
    with open(os.path.join(OUT, "VERSIONS.txt"), "w") as f:
        f.write(f"tools/make_evidence_data.py: Python {platform.python_version()}, numpy {np.__version__}\n")


if __name__ == "__main__":
    main()
