#!/usr/bin/env python3
"""Training traces to compare with: the loss of every kind written down in torch, differentiated by torch, step by step.

    make_training_data.py [OUT]         # tests/data/training; torch, numpy, safetensors (made with torch 2.15.0)

OUT/small has rows.npy (float32, sums of a few of 48 directions), batches.npy (uint16 [steps, B]), init.safetensors and a folder
for each run with config.json, trace-f32.csv, trace-f64.csv and final-f64.safetensors. The formulas are those of docs/training.md;
a trace has a line for each step with the state before its update.
"""
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "tests/data/training"
D, L, B, STEPS, ROWS = 24, 40, 32, 40, 256
NAMES = ["b_dec", "b_enc", "W_enc", "W_dec", "jumprelu.log_threshold"]
BASE = {
    "sae_type": "topk", "act_size": D, "dict_size": L, "seed": 49, "lr": 0.003, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
    "max_grad_norm": 100000, "input_unit_norm": True, "l1_coeff": 0.0, "top_k": 5, "top_k_aux": 4, "aux_penalty": 0.03125,
    "n_batches_to_dead": 2, "bandwidth": 0.001, "n_steps": STEPS, "lr_warmup_steps": 0, "lr_decay_steps": 0, "l0_warmup_steps": 0,
    "renorm_after_step": False, "use_b_enc": False, "aux_detach": False, "aux_normalised": False, "prefixes": [], "l0_target": 0.0,
    "l0_on_pre": False, "log_chain": False, "threshold_init": 1.0, "b_dec_init": "zeros", "batch_size": B,
}
RECIPE = {"sae_type": "batchtopk", "lr_warmup_steps": 5, "lr_decay_steps": 12, "renorm_after_step": True, "use_b_enc": True,
          "aux_detach": True, "aux_normalised": True}
RUNS = {
    "vanilla": {"sae_type": "vanilla", "l1_coeff": 0.003},
    "topk": {},
    "batchtopk": {"sae_type": "batchtopk"},
    "jumprelu": {"sae_type": "jumprelu", "l1_coeff": 0.003, "bandwidth": 0.1},
    "clipped": {"sae_type": "vanilla", "l1_coeff": 0.001, "input_unit_norm": False, "max_grad_norm": 0.02},
    "recipe": RECIPE,
    "matryoshka": {**RECIPE, "prefixes": [8, 20, 40]},
    "target": {"sae_type": "jumprelu", "lr_warmup_steps": 5, "renorm_after_step": True, "l0_target": 5, "l1_coeff": 1.0,
               "l0_warmup_steps": 10, "l0_on_pre": True, "log_chain": True, "bandwidth": 0.5},
}


def make_rows():
    g = np.random.default_rng(5)
    directions = g.standard_normal((48, D))
    x = np.zeros((ROWS, D))
    for row in x:
        chosen = g.choice(48, 4, replace=False)
        row += g.uniform(0.5, 1.5, 4) @ directions[chosen]
    return (x + 0.3 * g.standard_normal(D) + 0.05 * g.standard_normal(x.shape)).astype(np.float32) / 8


def first_weights(kind):
    torch.manual_seed(49)
    w = torch.nn.init.kaiming_uniform_(torch.empty(D, L))
    weights = {"b_dec": torch.zeros(D), "b_enc": torch.zeros(L), "W_enc": w}
    weights["W_dec"] = w.T.contiguous() / w.T.norm(dim=-1, keepdim=True)
    if kind == "jumprelu":
        weights["jumprelu.log_threshold"] = torch.zeros(L)
    return weights


def rectangle(v, theta, eps):
    u = (v - theta) / eps
    return ((u > -0.5) & (u < 0.5)).to(v.dtype)


class Gate(torch.autograd.Function):
    """h [h > theta] (values), or [h > theta] alone; the gradient to t = log theta by the rectangle."""

    @staticmethod
    def forward(ctx, v, t, eps, chain, is_step):
        theta = t.exp()
        ctx.save_for_backward(v, theta)
        ctx.rest = eps, chain, is_step
        return (v > theta).to(v.dtype) if is_step else v * (v > theta)

    @staticmethod
    def backward(ctx, g):
        v, theta = ctx.saved_tensors
        eps, chain, is_step = ctx.rest
        to_t = (-(1 / eps if is_step else theta / eps) * rectangle(v, theta, eps) * g).sum(0)
        return None if is_step else g * (v > theta), to_t * theta if chain else to_t, None, None, None


def keep(h, k, dim):
    flat = h if dim == 1 else h.reshape(1, -1)
    mask = torch.zeros_like(flat).scatter_(1, flat.topk(k, dim=1).indices, 1)
    return mask.view_as(h)


def losses(c, w, x, idle, ramp):
    kind = c["sae_type"]
    h = (x if kind == "jumprelu" else x - w["b_dec"]) @ w["W_enc"]
    if kind in ("vanilla", "jumprelu") or c["use_b_enc"]:
        h = h + w["b_enc"]
    h = h.relu()
    if kind == "jumprelu":
        t = w["jumprelu.log_threshold"]
        a = Gate.apply(h, t, c["bandwidth"], c["log_chain"], False)
        l0 = Gate.apply(h if c["l0_on_pre"] else a, t, c["bandwidth"], c["log_chain"], True).sum(1).mean()
    else:
        a = h if kind == "vanilla" else h * keep(h.detach(), c["top_k"] * (1 if kind == "topk" else len(x)), 1 if kind == "topk" else 0)
        l0 = (a > 0).to(x.dtype).sum(1).mean()
        idle[:] = torch.where(a.detach().sum(0) != 0, torch.zeros_like(idle), idle + 1)
    ends = c["prefixes"] or [c["dict_size"]]
    ys = [a[:, :p] @ w["W_dec"][:p] + w["b_dec"] for p in ends]
    l2 = torch.stack([(y - x).pow(2).mean() for y in ys]).mean()
    l1_norm = a.sum(1).mean()
    coefficient = c["l1_coeff"] * ramp
    if kind == "jumprelu":
        sparsity = coefficient * ((l0 / c["l0_target"] - 1) ** 2 if c["l0_target"] else l0)
    else:
        sparsity = coefficient * l1_norm
    aux, n_dead = x.new_zeros(()), 0
    if kind in ("topk", "batchtopk"):
        dead = idle >= c["n_batches_to_dead"]
        n_dead = int(dead.sum())
        if n_dead:
            rest = x - ys[-1]
            rest = rest.detach() if c["aux_detach"] else rest
            hd = h[:, dead]
            aux = ((hd * keep(hd.detach(), min(c["top_k_aux"], n_dead), 1)) @ w["W_dec"][dead] - rest).pow(2).mean()
            if c["aux_normalised"]:
                aux = aux / (rest - rest.mean(0)).pow(2).mean().detach()
            aux = c["aux_penalty"] * aux
    return l2, sparsity, aux, l0, l1_norm, n_dead, a.detach()


def train(c, rows, batches, dtype):
    w = {n: p.to(dtype).requires_grad_() for n, p in first_weights(c["sae_type"]).items()}
    m, v = ({n: torch.zeros_like(p) for n, p in w.items()} for _ in range(2))
    idle, trace, count = torch.zeros(L, dtype=torch.int64), [], {n: 0 for n in w}
    for i, batch in enumerate(batches):
        x = torch.from_numpy(rows[batch]).to(dtype)
        if c["input_unit_norm"]:
            x = x - x.mean(1, keepdim=True)
            x = x / (x.std(1, keepdim=True) + 1e-5)
        ramp = min(1.0, (i + 1) / c["l0_warmup_steps"]) if c["l0_warmup_steps"] else 1.0
        l2, sparsity, aux, l0, l1_norm, n_dead, a = losses(c, w, x, idle, ramp)
        loss = l2 + sparsity + aux
        grads = {n: g for n, g in zip(w, torch.autograd.grad(loss, list(w.values()), allow_unused=True)) if g is not None}
        norms = {n: float(g.norm()) for n, g in grads.items()}
        total = math.sqrt(sum(g * g for g in norms.values()))
        scale = min(1.0, c["max_grad_norm"] / (total + 1e-6))
        lr = c["lr"] * (min(1.0, (i + 1) / c["lr_warmup_steps"]) if c["lr_warmup_steps"] else 1.0)
        lr *= min(1.0, (c["n_steps"] - i) / c["lr_decay_steps"]) if c["lr_decay_steps"] else 1.0
        with torch.no_grad():
            grads = {n: g * scale for n, g in grads.items()}
            unit = w["W_dec"] / w["W_dec"].norm(dim=1, keepdim=True)
            grads["W_dec"] = grads["W_dec"] - (grads["W_dec"] * unit).sum(1, keepdim=True) * unit
            w["W_dec"].copy_(unit)
            for n, g in grads.items():
                count[n] += 1
                m[n] += (1 - c["beta1"]) * (g - m[n])
                v[n].mul_(c["beta2"]).addcmul_(g, g, value=1 - c["beta2"])
                root = (v[n] / (1 - c["beta2"] ** count[n])).sqrt() + c["eps"]
                w[n].addcdiv_(m[n] / (1 - c["beta1"] ** count[n]), root, value=-lr)
            if c["renorm_after_step"]:
                w["W_dec"] /= w["W_dec"].norm(dim=1, keepdim=True)
        selects = c["sae_type"] in ("topk", "batchtopk")
        row = {"step": i, "loss": float(loss.detach()), "l2_loss": float(l2.detach()), "l1_loss": float(sparsity.detach()),
               "aux_loss": float(aux.detach()), "l0_norm": float(l0.detach()), "l1_norm": float(l1_norm.detach()),
               "num_dead_features": int((idle > c["n_batches_to_dead"]).sum()), "n_dead_aux": n_dead if selects else 0,
               "n_dead_in_batch": int((a.sum(0) == 0).sum()), "lr": lr, "grad_norm": total}
        row.update({"grad_" + n.split(".")[-1]: norms.get(n, 0.0) for n in NAMES})
        row["grad_W_dec_tangent"] = float(grads["W_dec"].norm())
        trace.append(row)
    return {n: p.detach() for n, p in w.items()}, trace


def main():
    torch.set_num_threads(1)
    folder = OUT / "small"
    rows, batches = make_rows(), np.random.default_rng(6).integers(0, ROWS, (STEPS, B)).astype(np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "batches.npy", batches)
    save_file(first_weights("jumprelu"), folder / "init.safetensors")
    for name, changes in RUNS.items():
        c = {**BASE, **changes}
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(c, indent=1) + "\n", "utf8")
        for tag, dtype, digits in (("f32", torch.float32, 9), ("f64", torch.float64, 17)):
            weights, trace = train(c, rows, batches.astype(np.int64), dtype)
            lines = [",".join(trace[0])] + [",".join(f"{v:.{digits}g}" for v in row.values()) for row in trace]
            (folder / name / f"trace-{tag}.csv").write_text("\n".join(lines) + "\n", "utf8")
        save_file(weights, folder / name / "final-f64.safetensors")


main()
