#!/usr/bin/env python3
"""SAEs that saescope converted, as SAELens and torch themselves see them.

    check_converted.py SAESCOPE tests/data/sae/formats

Every SAE there is converted to SAELens' format, loaded with SAE.load_from_disk and run on the rows of its expected.txt: the
same features, values within 1e-5 of the largest. Every one that the seed's format can say is loaded with torch.load and run
by the activation rules of the BatchTopK code family. Needs torch and sae-lens; ends with 0 if all agree.
"""
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from sae_lens import SAE

warnings.simplefilter("ignore")
TOLERANCE = 1e-5  # fp32 sums of at most 16 terms, folds and normalisation


def read_answer(path):
    lines = path.read_text().splitlines()
    n_rows = int(lines[0].split()[0])
    x = torch.tensor([[float.fromhex(v) for v in line.split()] for line in lines[1:1 + n_rows]])
    fires = []
    for line in lines[1 + n_rows:]:
        fields = line.split()
        fires.append({int(f): float.fromhex(v) for f, v in zip(fields[1::2], fields[2::2])})
    return x, fires


def run_seed(folder, x):
    config = json.loads((folder / "config.json").read_text())
    w = torch.load(folder / "sae.pt", weights_only=True)
    if config["input_unit_norm"]:
        x = x - x.mean(dim=-1, keepdim=True)
        x = x / (x.std(dim=-1, keepdim=True) + 1e-5)
    kind = config["sae_type"]
    if kind == "jumprelu":
        h = torch.relu(x @ w["W_enc"] + w["b_enc"])
        return h * (h > torch.exp(w["jumprelu.log_threshold"]))
    h = torch.relu((x - w["b_dec"]) @ w["W_enc"] + (w["b_enc"] if kind == "vanilla" else 0))
    if kind == "vanilla":
        return h
    values, indices = h.topk(config["top_k"], dim=-1)
    return torch.zeros_like(h).scatter_(-1, indices, values)


def run_saelens(folder, x):
    return SAE.load_from_disk(str(folder)).encode(x)


def compare(name, a, fires):
    most = max(v for row in fires for v in row.values())
    for r, row in enumerate(a.tolist()):
        found = {f: v for f, v in enumerate(row) if v > 0}
        assert found.keys() == fires[r].keys(), f"{name}: row {r} fires {sorted(found)}, expected {sorted(fires[r])}"
        for f, value in found.items():
            assert abs(value - fires[r][f]) <= TOLERANCE * most, f"{name}: row {r} feature {f}: {value}, expected {fires[r][f]}"


def main():
    saescope, root = sys.argv[1], Path(sys.argv[2])
    counts = {"saelens": [0, 0], "seed": [0, 0]}
    for answer in sorted(root.glob("*/expected.txt")):
        x, fires = read_answer(answer)
        steps = sorted(answer.parent.glob("checkpoints/*.pt"))
        for to, run in (("saelens", run_saelens), ("seed", run_seed)):
            with tempfile.TemporaryDirectory() as out:
                k = ["--sae-top-k", "3"] if answer.parent.name == "saerch-unnamed" else []
                done = subprocess.run([saescope, "convert", "--sae", steps[0] if steps else answer.parent, "--to", to, "--out", out,
                                       "--allow-rounding", *k], capture_output=True, text=True)
                if done.returncode != 0:
                    assert "cannot say what this SAE does" in done.stderr, done.stderr
                    counts[to][1] += 1
                    continue
                with torch.no_grad():
                    compare(f"{answer.parent.name} as {to}", run(Path(out), x), fires)
                counts[to][0] += 1
    for to, (n_equal, n_refused) in counts.items():
        assert n_equal > 0
        print(f"{to}: {n_equal} give the same activations, {n_refused} cannot be said")


main()
