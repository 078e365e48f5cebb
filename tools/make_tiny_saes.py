#!/usr/bin/env python3
"""Small SAEs of every kind in the seed's format, with what they answer, for tests/unit/test_sae_*.c.

    make_tiny_saes.py tests/data/sae

GOOD/NAME holds config.json, sae.pt or sae.safetensors, and EXPECTED.txt files: a line "rows width", a line per row of the
input, a line per row "n feature value ..." of its activations > 0. Answers are computed in float64 from the weights as
stored (half types widened), by the activation rules of the BatchTopK code family. No answer lies within 1e-4 of its
threshold or of the next value, so a correct fp32 program gives the same features; `exact` and `ties` use small integers, in
which nothing is rounded. BAD/CODE/NAME must be refused with that status.
"""
import json
import os
import shutil
import sys
from collections import OrderedDict

import torch
from safetensors.torch import save_file

out = sys.argv[1]
ROWS, GAP = 13, 1e-4
BATCH, GIVEN = 4, 0.75


def config(kind, d, features, norm, dtype, k):
    return {"seed": 49, "batch_size": 32, "lr": 0.0003, "num_examples": 1000, "dtype": f"torch.{dtype}",
            "model_name": "tiny/encoder", "act_size": d, "dict_size": features, "device": "cuda",
            "input_unit_norm": norm, "sae_type": kind, "top_k": k, "bandwidth": 0.001, "name": f"tiny_{features}_{kind}"}


def tensors(kind, d, features, generator, dtype):
    random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    encoder = random(d, features) / d ** 0.5
    state = OrderedDict(W_enc=encoder, W_dec=encoder.t().contiguous() / encoder.norm(dim=0)[:, None],
                        b_enc=random(features) * (30 if "topk" in kind else 0.2), b_dec=random(d) * 0.3)
    if kind == "jumprelu":
        state["jumprelu.log_threshold"] = random(features) * 0.5 - 0.5
    return OrderedDict((name, value.to(getattr(torch, dtype))) for name, value in state.items())


def hidden(w, x, kind, norm):
    x = x.double()
    if norm:
        x = x - x.mean(dim=-1, keepdim=True)
        x = x / (x.std(dim=-1, keepdim=True) + 1e-5)
    if kind != "jumprelu":
        x = x - w["b_dec"]
    return torch.relu(x @ w["W_enc"] + (0 if "topk" in kind else w["b_enc"]))


def largest(h, k):
    """The k largest of a flat tensor; equal values: lower index first."""
    order = sorted(range(h.numel()), key=lambda i: (-h[i].item(), i))
    kept = torch.zeros_like(h)
    kept[order[:k]] = h[order[:k]]
    return kept, (h[order[k - 1]] - h[order[k]]).item() if k < h.numel() else 1.0


def above(h, threshold):
    positive = h > 0
    return h * (h > threshold), min((h - threshold).abs().min().item(), h[positive].min().item())


def answers(w, h, kind, k):
    """(file name, activations, distance of the closest call) of every rule that applies."""
    flat_k = k * len(h)
    if kind == "jumprelu":
        theta = torch.exp(w["jumprelu.log_threshold"]).float().double()
        yield ("expected", *above(h, theta))
    elif kind == "vanilla":
        yield "expected", h, h[h > 0].min().item()
    else:
        rows = [largest(row, k) for row in h]
        yield "expected" if kind == "topk" else "row-topk", torch.stack([r for r, _ in rows]), min(g for _, g in rows)
    if kind == "batchtopk":
        parts = [(part, largest(part.flatten(), k * len(part))) for part in h.split(BATCH)]
        yield "batch", torch.cat([kept.view_as(part) for part, (kept, _) in parts]), min(gap for _, (_, gap) in parts)
        yield ("threshold", *above(h, GIVEN))
        values = h.flatten().sort(descending=True).values
        theta = ((values[flat_k - 1] + values[flat_k]) / 2).item()
        kept, gap = above(h, theta)
        assert (kept > 0).sum() == flat_k
        yield "calibrated", kept, gap


def write_answer(path, x, a):
    with open(path, "w") as f:
        print(*x.shape, file=f)
        for row in x:
            print(*(float(v).hex() for v in row), file=f)
        for row in a:
            fires = [(i, v) for i, v in enumerate(row.tolist()) if v > 0]
            print(len(fires), *(f"{i} {v.hex()}" for i, v in fires), file=f)


def write_sae(folder, settings, state, container="pt"):
    os.makedirs(folder)
    json.dump(settings, open(os.path.join(folder, "config.json"), "w"), indent=4)
    if container == "pt":
        torch.save(state, os.path.join(folder, "sae.pt"))
    elif container:
        save_file(dict(state), os.path.join(folder, "sae.safetensors"))


def make_good(name, kind, d=8, features=32, norm=False, dtype="float32", k=3, container="pt", seed=0):
    for attempt in range(1000):
        generator = torch.Generator().manual_seed(1000 * seed + attempt)
        state = tensors(kind, d, features, generator, dtype)
        w = {key: value.double() for key, value in state.items()}
        x = torch.randn(ROWS, d, generator=generator)
        x[1] = -x[0]
        x[2] = 0.37  # a constant row: LN gives zeros
        results = list(answers(w, hidden(w, x, kind, norm), kind, k))
        if all(gap > GAP for _, _, gap in results):
            break
    else:
        raise SystemExit(f"{name}: no seed keeps clear of the thresholds")
    folder = os.path.join(out, "good", name)
    write_sae(folder, config(kind, d, features, norm, dtype, k), state, container)
    for rule, a, _ in results:
        write_answer(os.path.join(folder, rule + ".txt"), x, a)


def make_exact(name, kind, k, features=20):
    """Integers only: pre-activations that equal the threshold 1, and equal values at the k-th place."""
    generator = torch.Generator().manual_seed(7)
    integers = lambda *shape: torch.randint(-2, 3, shape, generator=generator).float()  # noqa: E731
    state = OrderedDict(W_enc=integers(4, features), W_dec=integers(features, 4), b_enc=integers(features), b_dec=integers(4))
    if kind == "jumprelu":
        state["jumprelu.log_threshold"] = torch.zeros(features)
    w = {key: value.double() for key, value in state.items()}
    x = integers(ROWS, 4)
    h = hidden(w, x, kind, False)
    folder = os.path.join(out, "good", name)
    write_sae(folder, config(kind, 4, features, False, "float32", k), state)
    ties = sum((row.sort().values[-k] == row.sort().values[-k - 1]).item() and row.sort().values[-k].item() > 0 for row in h)
    print(name, "on the threshold:", (h == 1).sum().item(), "tied rows:", ties)
    for rule, a, _ in answers(w, h, kind, k):
        write_answer(os.path.join(folder, rule + ".txt"), x, a)


def make_bad(status, name, change, kind="jumprelu", norm=True, d=8):
    generator = torch.Generator().manual_seed(3)
    settings = config(kind, d, 32, norm, "float32", 3)
    state = tensors(kind, d, 32, generator, "float32")
    container = change(settings, state) or "safetensors"
    write_sae(os.path.join(out, "bad", status, name), settings, state, None if container == "none" else container)


def drop_key(name):
    return lambda settings, state: settings.pop(name) and None


def drop_tensor(name):
    def change(settings, state):
        del state[name]
    return change


def put(name, index, value):
    def change(settings, state):
        state[name].view(-1)[index] = value
    return change


def cut(name, *index):
    def change(settings, state):
        state[name] = state[name][index].contiguous()
    return change


shutil.rmtree(out, ignore_errors=True)
make_good("jumprelu", "jumprelu", norm=True, seed=1)
make_good("jumprelu-f16", "jumprelu", dtype="float16", features=70, seed=2)
make_good("jumprelu-bf16", "jumprelu", norm=True, dtype="bfloat16", container="safetensors", d=12, features=520, seed=3)
make_good("topk", "topk", seed=4)
make_good("topk-norm", "topk", norm=True, container="safetensors", features=300, k=5, d=16, seed=5)
make_good("topk-all", "topk", k=32, seed=6)
make_good("vanilla", "vanilla", norm=True, seed=7)
make_good("vanilla-f16", "vanilla", dtype="float16", container="safetensors", seed=8)
make_good("batchtopk", "batchtopk", k=2, seed=9)
make_exact("exact", "jumprelu", 3)
make_exact("ties", "topk", 3)

make_bad("data", "no-act-size", drop_key("act_size"))
make_bad("data", "no-sae-type", drop_key("sae_type"))
make_bad("data", "act-size-text", lambda c, s: c.update(act_size="8"))
make_bad("data", "act-size-zero", lambda c, s: c.update(act_size=0))
make_bad("data", "no-top-k", drop_key("top_k"), kind="topk")
make_bad("data", "no-threshold", drop_tensor("jumprelu.log_threshold"))
make_bad("data", "no-decoder", drop_tensor("W_dec"))
make_bad("shape", "width", lambda c, s: c.update(act_size=9))
make_bad("shape", "features", lambda c, s: c.update(dict_size=31))
make_bad("shape", "transposed", lambda c, s: s.update(W_enc=s["W_enc"].t().contiguous()))
make_bad("shape", "bias", cut("b_enc", slice(0, 31)))
make_bad("shape", "width-one", lambda c, s: None, d=1)
make_bad("nonfinite", "encoder-nan", put("W_enc", 77, float("nan")))
make_bad("nonfinite", "threshold-inf", put("jumprelu.log_threshold", 5, float("inf")))
make_bad("nonfinite", "unused-bias", put("b_enc", 3, float("-inf")), kind="topk")
make_bad("nonfinite", "decoder-nan", put("W_dec", 0, float("nan")))
make_bad("unsupported", "unknown-type", lambda c, s: c.update(sae_type="gated"))
make_bad("noinput", "no-weights", lambda c, s: "none")
print("torch", torch.__version__)
