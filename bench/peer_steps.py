#!/usr/bin/env python3
"""What others offer for one step, run whenever a line comes on standard input; answers with one JSON object a line.

    peer_steps.py tokenize MODEL TEXTS.json       the reference tokenizer, in one thread
    peer_steps.py sae SAE ROWS.f32 THREADS        torch: product, compare, sum of fires, top 10 per feature
"""
import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
BLOCK_ROWS = 1024


def tokenize(model, path):
    import tokenizers

    texts = json.load(open(path, encoding="utf8"))
    n_bytes = sum(len(t.encode()) for t in texts)
    tokenizer = tokenizers.Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    for _ in sys.stdin:
        start = time.perf_counter()
        encoded = tokenizer.encode_batch_fast(texts)
        seconds = time.perf_counter() - start
        n = sum(len(e.ids) for e in encoded)
        print(json.dumps({"seconds": seconds, "tokens": n, "bytes": n_bytes, "about": f"tokenizers {tokenizers.__version__}"}), flush=True)


def sae(folder, path, threads):
    import numpy as np
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(int(threads))
    w = load_file(f"{folder}/sae.safetensors")
    threshold = torch.exp(w["jumprelu.log_threshold"])
    rows = torch.from_numpy(np.fromfile(path, np.float32).reshape(-1, w["W_enc"].shape[0]))
    with torch.inference_mode():
        for _ in sys.stdin:
            start = time.perf_counter()
            fires = torch.zeros(threshold.numel())
            best = None
            for x in rows.split(BLOCK_ROWS):
                x = x - x.mean(-1, keepdim=True)
                x = x / (x.std(-1, keepdim=True) + 1e-5)
                h = torch.addmm(w["b_enc"], x, w["W_enc"])
                is_on = h > threshold
                fires += is_on.sum(0)
                top = torch.topk(torch.where(is_on, h, 0), min(10, len(x)), dim=0).values
                best = top if best is None else torch.topk(torch.cat([best, top]), 10, dim=0).values
            print(json.dumps({"seconds": time.perf_counter() - start, "rows": len(rows), "fires": int(fires.sum()),
                              "about": f"PyTorch {torch.__version__}"}), flush=True)


{"tokenize": tokenize, "sae": sae}[sys.argv[1]](*sys.argv[2:])
