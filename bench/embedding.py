"""How fast texts become embeddings, and how exact these are: saescope and its peers in turn."""
import json
import os
import statistics
import subprocess

import numpy as np

import contenders
import texts as texts_of

# The loops that can limit an arithmetic, best first, with the products that it takes of them: the first that the machine
# has counts. fp32 as two bf16 parts takes three products of tiles.
LIMITS = {
    "fp32": (("fp32_avx512", 1), ("fp32_avx2", 1)),
    "split": (("bf16_amx", 3), ("fp32_avx512", 1), ("fp32_avx2", 1)),
    "bf16": (("bf16_amx", 1), ("bf16_avx512", 1), ("fp32_avx512", 1), ("fp32_avx2", 1)),
    "int16": (("int16_avx512_vnni", 1), ("int16_avx512", 1), ("int16_avx_vnni", 1), ("int16_avx2", 1)),
    "int8": (("int8_amx", 1), ("int8_avx512_vnni", 1), ("int8_avx_vnni", 1), ("int8_avx2", 1)),
}
GROUPS = {None: "fp32", "highest": "fp32", "high": "fp32", "medium": "bf16", "low": "int8"}  # the peers of a level


def work_per_token(config, lengths):
    """Operations per token in matrix products, and in attention, at these lengths."""
    width, layers = config["hidden_size"], config["num_hidden_layers"]
    products = layers * 2 * (4 * width * width + 2 * width * config["intermediate_size"])
    attention = layers * 4 * width * sum(n * n for n in lengths) / sum(lengths)
    return products + attention


def limits(bench):
    done = subprocess.run([bench.binary("bench_limits"), str(bench.threads), "40" if bench.quick else "80"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def in_turns(bench, takers, path):
    """Rates per taker of rounds in which everybody runs once, in an order that moves on; limits are measured in each."""
    rates, measured = {t.name: [] for t in takers}, []
    for i in range(bench.runs):
        measured.append(limits(bench))
        at = i * 3 % max(1, len(takers))
        for taker in takers[at:] + takers[:at]:
            seconds, tokens = taker.run(path)
            rates[taker.name].append(tokens / seconds)
    for m in measured:
        bench.note_limits(m)
    return rates


def errors(out, reference):
    """Worst relative L2 error and worst cosine over the texts."""
    out, reference = out.astype(np.float64), reference.astype(np.float64)
    norm = np.linalg.norm(reference, axis=1)
    cosine = (out * reference).sum(1) / (np.linalg.norm(out, axis=1) * norm)
    return {"l2": float((np.linalg.norm(out - reference, axis=1) / norm).max()), "cosine": float(cosine.min())}


def accuracy(bench, takers, options, folder, rows):
    """Errors of each taker against PyTorch in double, on a few texts; nothing without PyTorch."""
    if bench.python is None:
        return {}
    path = write(folder, "exact", rows)
    double = contenders.Peer(bench.python, "st-double", options).wait_until_ready()
    double.batch = 1
    double.run(path, os.path.join(folder, "double.npy"))
    double.close()
    reference, found = np.load(os.path.join(folder, "double.npy")), {}
    for taker in takers:
        repeats, taker.repeats = getattr(taker, "repeats", 1), 1
        out = os.path.join(folder, "out.npy")
        taker.run(path, out)
        taker.repeats = repeats
        found[taker.name] = errors(np.load(out), reference)
    return found


def write(folder, name, rows):
    """Texts as peers read them; saescope reads the same as JSON lines, whose name ends in one more letter."""
    path = os.path.join(folder, f"{name}.json")
    texts_of.write_jsonl(path + "l", rows)
    return texts_of.write_json(path, rows)


def row_of(taker, rates, work, measured, exact):
    group = taker.group or GROUPS[taker.level]
    allowed = [(k, n) for k, n in LIMITS.get(taker.numbers or group, ()) if k in measured and (not taker.cpu or k.endswith(taker.cpu))]
    rate = statistics.median(rates)
    row = {"name": taker.name, "group": group, "tokens_per_s": rate, "all": rates, "batch": taker.batch,
           "about": taker.about, "is_ours": taker.group is None, "kind": taker.kind, "level": taker.level, "cpu": taker.cpu,
           "numbers": taker.numbers}
    if allowed:
        loop, products = allowed[0]
        row |= {"limit": loop, "products": products, "share": rate * work * products / (1e9 * measured[loop])}
    return row | exact.get(taker.name, {})


def measure(bench, name, model, n_texts, holds_peers=False):
    """The table of one model. Where the machine has more than AVX2, saescope takes part with its AVX2 kernels too, and
    with `holds_peers` so do the peers that can be held to AVX2."""
    folder = bench.subfolder(name)
    rows = texts_of.sample(bench.rows, n_texts)
    rest = [r for r in texts_of.sample(bench.rows, n_texts + 120)[n_texts:] if r not in set(rows)]
    options = {"model": model, "cache": folder, "threads": bench.threads,
               "calibration": texts_of.write_json(os.path.join(folder, "calibration.json"), rest[:120])}
    path, few = write(folder, "texts", rows), write(folder, "few", rows[:8])
    lower = ["avx2"] if "fp32_avx512" in bench.results["limits"] else []
    takers, missing = [], []
    for cpu in [None, *lower]:
        takers += contenders.saescopes(bench, model, cpu)
        if cpu is None or holds_peers:
            peers, not_had = contenders.start_peers(bench.python, options, bench.kinds, cpu)
            takers, missing = takers + peers, missing + not_had
    try:
        for taker in takers:
            bench.say(f"{name}: warming {taker.name}")
            taker.choose_batch(few if taker.group else path, (1, 4) if bench.quick else (1, 4, 8))
        bench.say(f"{name}: {bench.runs} rounds of {len(rows)} texts")
        rates = in_turns(bench, takers, path)
        bench.say(f"{name}: accuracy")
        exact = accuracy(bench, takers, options, folder, rows[:4 if bench.quick else 24])
    finally:
        for taker in takers:
            taker.close()
    lengths = bench.count_tokens(model, rows)
    with open(os.path.join(model, "config.json"), encoding="utf8") as f:
        work = work_per_token(json.load(f), lengths)
    return {"model": name, "texts": len(rows), "tokens": sum(lengths), "work_per_token": work, "missing": missing,
            "rows": [row_of(t, rates[t.name], work, bench.results["limits"], exact) for t in takers]}
