#!/usr/bin/env python3
"""Train the demo's small jumprelu SAE with torch and write it in the seed's format.

    train_demo_sae.py TEXTS.jsonl MODEL_DIR OUT_DIR [--features 768] [--k 10] [--epochs 60]

The texts are embedded with sentence-transformers, and a batch-top-k SAE is trained on their layer-normalised
embeddings. The result is written as a jumprelu SAE: the decoder bias is folded into the encoder's
(b_enc - b_dec W_enc, since a jumprelu of this format does not subtract b_dec), and every feature gets the threshold
at which the mean number of active features over the training rows is k. Weights are stored as float16. The figures
(rows, L0, variance explained, dead features), computed from the stored weights, go into config.json and to stdout.
"""
import argparse
import json
import os

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

ap = argparse.ArgumentParser()
ap.add_argument("texts")
ap.add_argument("model")
ap.add_argument("out")
ap.add_argument("--features", type=int, default=768)
ap.add_argument("--k", type=int, default=10)
ap.add_argument("--epochs", type=int, default=60)
ap.add_argument("--batch", type=int, default=1024)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--seed", type=int, default=49)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--embeddings", help="keep the embeddings in this .npy, or take them from it")
a = ap.parse_args()
torch.manual_seed(a.seed)
torch.set_num_threads(a.threads)


def embeddings():
    if a.embeddings and os.path.exists(a.embeddings):
        return torch.from_numpy(np.load(a.embeddings))
    texts = [json.loads(line)["text"] for line in open(a.texts, encoding="utf8")]
    x = SentenceTransformer(a.model, device="cpu").encode(texts, batch_size=64, show_progress_bar=True)
    if a.embeddings:
        np.save(a.embeddings, x)
    return torch.from_numpy(x)


def normalised(x):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.std(-1, keepdim=True) + 1e-5)


x = normalised(embeddings().float())
rows, width = x.shape
b_dec = torch.nn.Parameter(x.mean(0).clone())
W_enc = torch.nn.Parameter(torch.nn.init.kaiming_uniform_(torch.empty(width, a.features)))
W_dec = torch.nn.Parameter(torch.nn.functional.normalize(W_enc.detach().T.clone(), dim=-1))
b_enc = torch.nn.Parameter(torch.zeros(a.features))
parameters = [b_dec, W_enc, W_dec, b_enc]
optimiser = torch.optim.Adam(parameters, lr=a.lr, betas=(0.9, 0.999))
steps = a.epochs * (rows // a.batch)
schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min(1.0, (s + 1) / 100, max(0.0, 5 * (steps - s) / steps)))
silent = torch.zeros(a.features)          # batches since a feature last fired


def keep_largest(h, n):
    kept = torch.topk(h.flatten(), n)
    return torch.zeros_like(h.flatten()).scatter(0, kept.indices, kept.values).view_as(h)


step = 0
for epoch in range(a.epochs):
    order = torch.randperm(rows)
    for i in range(0, rows - a.batch + 1, a.batch):
        batch = x[order[i:i + a.batch]]
        h = torch.relu((batch - b_dec) @ W_enc + b_enc)
        acts = keep_largest(h, a.k * len(batch))
        error = batch - (acts @ W_dec + b_dec)
        loss = error.pow(2).mean()
        silent = torch.where((acts > 0).any(0), torch.zeros_like(silent), silent + 1)
        dead = silent > 50
        if dead.any():                    # dead features learn to explain what is left over
            spare = torch.relu((batch - b_dec) @ W_enc[:, dead] + b_enc[dead])
            spare = keep_largest(spare, min(spare.numel(), 64 * len(batch) // 2, spare.numel()))
            loss = loss + (error.detach() - spare @ W_dec[dead]).pow(2).mean() / 32
        loss.backward()
        with torch.no_grad():             # only the part of the gradient across a decoder row turns it
            W_dec.grad -= (W_dec.grad * W_dec).sum(-1, keepdim=True) * W_dec
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        with torch.no_grad():
            W_dec.copy_(torch.nn.functional.normalize(W_dec, dim=-1))
        step += 1
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, dead {int(dead.sum())}", flush=True)

with torch.no_grad():
    folded = b_enc - b_dec @ W_enc
    stored = {"W_enc": W_enc.half(), "W_dec": W_dec.half(), "b_enc": folded.half(), "b_dec": b_dec.half()}
    wide = {name: value.float() for name, value in stored.items()}
    h = torch.relu(x @ wide["W_enc"] + wide["b_enc"])
    theta = torch.topk(h.flatten(), a.k * rows).values[-1]
    stored["jumprelu.log_threshold"] = torch.full((a.features,), float(torch.log(theta))).half()
    acts = h * (h > torch.exp(stored["jumprelu.log_threshold"].float()))
    left = (x - acts @ wide["W_dec"] - wide["b_dec"]).pow(2).sum()
    figures = {
        "rows": rows,
        "mean_L0": round(float((acts > 0).sum() / rows), 3),
        "variance_explained": round(float(1 - left / (x - x.mean(0)).pow(2).sum()), 4),
        "dead_features": int(((acts > 0).sum(0) == 0).sum()),
    }
os.makedirs(a.out, exist_ok=True)
torch.save(stored, os.path.join(a.out, "sae.pt"))
config = {
    "sae_type": "jumprelu", "act_size": width, "dict_size": a.features, "input_unit_norm": True, "dtype": "torch.float16",
    "model_name": "sentence-transformers/all-MiniLM-L6-v2", "dataset_path": "descriptions of Debian packages",
    "num_examples": rows, "top_k": a.k, "seed": a.seed, "lr": a.lr, "batch_size": a.batch, "epochs": a.epochs,
    "device": "cpu", "name": f"debian-descriptions_{a.features}_jumprelu", "figures": figures,
}
with open(os.path.join(a.out, "config.json"), "w", encoding="utf8") as f:
    json.dump(config, f, indent=4)
print(json.dumps(figures))
