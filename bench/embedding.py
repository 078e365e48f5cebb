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
    "bf16x3": (("bf16_amx", 3), ("fp32_avx512", 1), ("fp32_avx2", 1)),
    "bf16": (("bf16_amx", 1), ("bf16_avx512", 1), ("fp32_avx512", 1), ("fp32_avx2", 1)),
    "int16": (("int16_avx512_vnni", 1), ("int16_avx512", 1), ("int16_avx_vnni", 1), ("int16_avx2", 1)),
    "int8+bf16": (("int8_amx", 1),),
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


def limit_of(numbers, measured, cpu=None):
    """The loop that limits these numbers here and how many products of it they take; None where none was measured."""
    return next(((k, n) for k, n in LIMITS.get(numbers, ()) if k in measured and (not cpu or k.endswith(cpu))), None)


def row_of(taker, rates, work, measured, exact):
    group = taker.group or GROUPS[taker.level]
    allowed = limit_of(taker.numbers or group, measured, taker.cpu)
    rate = statistics.median(rates)
    row = {"name": taker.name, "group": group, "tokens_per_s": rate, "all": rates, "batch": taker.batch,
           "about": taker.about, "is_ours": taker.group is None, "kind": taker.kind, "level": taker.level, "cpu": taker.cpu,
           "numbers": taker.numbers}
    if allowed:
        loop, products = allowed
        row |= {"limit": loop, "products": products, "share": rate * work * products / (1e9 * measured[loop])}
    return row | exact.get(taker.name, {})


class Task:
    """What everybody does with one model: texts, their first few, and what peers are started with."""

    def __init__(self, bench, name, model, n_texts):
        self.name, self.model, self.folder = name, model, bench.subfolder(name)
        self.rows = texts_of.sample(bench.rows, n_texts)
        rest = [r for r in texts_of.sample(bench.rows, n_texts + 120)[n_texts:] if r not in set(self.rows)]
        self.options = {"model": model, "cache": self.folder, "threads": bench.threads,
                        "calibration": texts_of.write_json(os.path.join(self.folder, "calibration.json"), rest[:120])}
        self.path, self.few = write(self.folder, "texts", self.rows), write(self.folder, "few", self.rows[:8])
        self.lengths = bench.count_tokens(model, self.rows)
        with open(os.path.join(model, "config.json"), encoding="utf8") as f:
            self.work = work_per_token(json.load(f), self.lengths)


def compete(bench, task, cpu, has_peers):
    """Rows of those that run with the instructions of `cpu` (None: all there are), and the peers that can not be had. No other
    peers are in memory meanwhile."""
    takers, missing = contenders.saescopes(bench, task.model, cpu), []
    if has_peers:
        peers, missing = contenders.start_peers(bench.python, task.options, bench.kinds, cpu)
        takers += peers
    try:
        for taker in takers:
            bench.say(f"{task.name}: warming {taker.name}")
            taker.choose_batch(task.few if taker.group else task.path, (1, 4) if bench.quick else (1, 4, 8))
        bench.say(f"{task.name}: {bench.runs} rounds of {len(task.rows)} texts")
        rates = in_turns(bench, takers, task.path)
        bench.say(f"{task.name}: accuracy")
        exact = accuracy(bench, takers, task.options, task.folder, task.rows[:4 if bench.quick else 24])
    finally:
        for taker in takers:
            taker.close()
    return [row_of(t, rates[t.name], task.work, bench.results["limits"], exact) for t in takers], missing


def measure(bench, name, model, n_texts, holds_peers=False):
    """The table of one model. Where the machine has more than AVX2, saescope runs with its AVX2 kernels too, and with
    `holds_peers` so do the peers that can be held to AVX2."""
    task = Task(bench, name, model, n_texts)
    rows, missing = compete(bench, task, None, True)
    if "fp32_avx512" in bench.results["limits"]:
        lower, not_had = compete(bench, task, "avx2", holds_peers)
        rows, missing = rows + lower, missing + not_had
    return {"model": name, "texts": len(task.rows), "tokens": sum(task.lengths), "work_per_token": task.work, "missing": missing,
            "rows": rows}
