#!/usr/bin/env python3
"""Read what `saescope train` wrote with torch, and compare activations with those of `saescope encode`.

    check_trained.py SAESCOPE FOLDER        # torch, numpy, safetensors; sae-lens too where it is there

Rows are drawn here. For each kind and recipe an SAE is trained; sae.pt is opened with weights_only=True and must equal
sae.safetensors; its activations are those of the classes of SAEs-for-Sentence-BERT, written down in `activations`, and after
`convert --to saelens` those of the SAE that SAELens loads. Prints a line for each SAE with the largest difference, and fails above 1e-5.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import load_file

D, FEATURES, K, ROWS = 24, 64, 4, 800
program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
NAMES = ["b_dec", "b_enc", "W_enc", "W_dec"]


def rows():
    g = np.random.default_rng(8)
    directions = g.standard_normal((40, D))
    return np.stack([g.uniform(0.5, 1.5, 3) @ directions[g.choice(40, 3, replace=False)] for _ in range(ROWS)]).astype(np.float32)


def call(*words):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def keep_largest(h, k):
    kept = torch.topk(h, k, dim=-1)
    return torch.zeros_like(h).scatter(-1, kept.indices, kept.values)


def activations(config, w, x):
    """The four classes, a row at a time: batch-top-k by row, as `--batchtopk row-topk` has it."""
    if config["input_unit_norm"]:
        x = x - x.mean(-1, keepdim=True)
        x = x / (x.std(-1, keepdim=True) + 1e-5)
    kind = config["sae_type"]
    if kind == "jumprelu":
        h = torch.relu(x @ w["W_enc"] + w["b_enc"])
        return h * (h > torch.exp(w["jumprelu.log_threshold"]))
    h = (x - w["b_dec"]) @ w["W_enc"]
    return torch.relu(h + w["b_enc"]) if kind == "vanilla" else keep_largest(torch.relu(h), config["top_k"])


def encoded(sae, x, *more):
    call("encode", "--embeddings", x, "--sae", sae, "--out", folder / "rows.jsonl", "--force", "-q", *more)
    out = np.zeros((ROWS, FEATURES), np.float32)
    for i, line in enumerate(open(folder / "rows.jsonl", encoding="utf8")):
        row = json.loads(line)
        out[i, row["features"]] = row["activations"]
    return torch.from_numpy(out)


def saelens(name, sae, x, found, rule):
    try:
        from sae_lens import SAE
    except ImportError:
        return ""
    call("convert", "--sae", sae, "--to", "saelens", "--out", folder / f"{name}-lens", "-q", *rule)
    off = (SAE.load_from_disk(str(folder / f"{name}-lens")).encode(x) - found).abs().max().item()
    assert off <= 1e-5, (name, off)
    return f", by SAELens {off:.1e}"


def check(name, *options, rule=()):
    sae = folder / name
    call("train", "--embeddings", folder / "x.npy", "--out", sae, "--dict-size", FEATURES, "--top-k", K, "--batch-size", 64,
         "--max-steps", 120, "-q", *options)
    config = json.loads((sae / "config.json").read_text("utf8"))
    w = torch.load(sae / "sae.pt", weights_only=True)
    again = load_file(sae / "sae.safetensors")
    names = NAMES + (["jumprelu.log_threshold"] if config["sae_type"] == "jumprelu" else [])
    assert list(w) == names and sorted(again) == sorted(names), (name, list(w))
    assert all(torch.equal(w[n], again[n]) and str(w[n].dtype) == config["dtype"] for n in names), name
    x = torch.from_numpy(np.load(folder / "x.npy"))
    found = encoded(sae, folder / "x.npy", *rule)
    expected = activations(config, {n: w[n].float() for n in w}, x)
    off = ((found > 0) != (expected > 0)).sum().item(), (found - expected).abs().max().item()
    print(f"{name}: {config['sae_type']}, {config['dtype']}, L0 {(found > 0).sum(1).float().mean():.2f}, "
          f"largest difference {off[1]:.1e}{saelens(name, sae, x, found, rule)}")
    assert off[1] <= 1e-5 and off[0] == 0 and (found > 0).any(), (name, off)


np.save(folder / "x.npy", rows())
for kind in ("vanilla", "topk", "batchtopk", "jumprelu"):
    check(f"saescope-{kind}", "--kind", kind)
    check(f"seed-{kind}", "--kind", kind, "--recipe", "seed", rule=("--batchtopk", "row-topk") if kind == "batchtopk" else ())
check("half", "--dtype", "float16")
check("prefixes", "--prefixes", "16,32,64")
