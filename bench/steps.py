"""The rest of the way, each step against what a user would otherwise run: texts of other lengths, tokenizing, the SAE
from stored embeddings, the whole workflow, and the start of the program; and where the time of a batch goes."""
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

import numpy as np

import contenders
import embedding
import models
import texts as texts_of

HERE = os.path.dirname(os.path.abspath(__file__))


class Step:
    """A program that loads, then does its step for every line that it is sent."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self):
        print("run", file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} ended without an answer")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def in_turns(bench, own, peer):
    """Answers of both, one run of each before that does not count; the peer may be missing."""
    both = [s for s in (own, peer) if s]
    for step in both:
        step.run()
    answers = [[step.run() for step in both] for _ in range(bench.runs)]
    for step in both:
        step.close()
    return [list(column) for column in zip(*answers)]


def median(answers, key="seconds"):
    return statistics.median(a[key] for a in answers)


# ---- texts of other lengths ----

def lengths(bench):
    """Tokens per second of saescope and of the fastest peers in fp32 on short, long and mixed texts."""
    source, n = random.Random(3), 8 if bench.quick else 24
    sets = {"200 tokens": [200] * n, "10 tokens": [10] * (20 * n), "512 tokens": [512] * (n // 2),
            "5 to 512 tokens": [source.randint(5, 512) for _ in range(n)]}
    folder = bench.subfolder("lengths")
    paths = {}
    for name, wanted in sets.items():
        rows = texts_of.of_lengths(bench.rows, wanted, lambda rows: bench.count_tokens(bench.mpnet, rows))
        paths[name] = embedding.write(folder, name.replace(" ", "-"), rows)
    options = {"model": bench.mpnet, "cache": bench.subfolder("MPNet base shape"), "threads": bench.threads}
    peers, _ = contenders.start_peers(bench.python, options, ["st-fp32", "ort-fp32", "ov-fp32"])
    takers = contenders.saescopes(bench, bench.mpnet) + peers
    rates = {t.name: {name: [] for name in sets} for t in takers}
    for taker in takers:
        taker.repeats = 2
        taker.run(paths["10 tokens"])
    for _ in range(min(3, bench.runs)):
        for name, path in paths.items():
            for taker in takers:
                seconds, tokens = taker.run(path)
                rates[taker.name][name].append(tokens / seconds)
    for taker in takers:
        taker.close()
    with open(os.path.join(bench.mpnet, "config.json"), encoding="utf8") as f:
        config = json.load(f)
    return {"work": {name: embedding.work_per_token(config, wanted) for name, wanted in sets.items()},
            "rows": {name: {s: statistics.median(r) for s, r in row.items()} for name, row in rates.items()}}


# ---- threads ----

def threads(bench):
    """Tokens per second of saescope in one thread and in all, in turns."""
    found = []
    for name, model, n in (("MPNet base shape", bench.mpnet, 16), ("all-MiniLM-L6-v2", bench.minilm, 128)):
        path = embedding.write(bench.subfolder("threads"), "texts", texts_of.sample(bench.rows, n // 2 if bench.quick else n))
        for taker in contenders.saescopes(bench, model):
            taker.choose_batch(path, None)
            rates = {1: [], bench.threads: []}
            for _ in range(bench.runs):
                for taker.threads in rates:
                    seconds, tokens = taker.run(path)
                    rates[taker.threads].append(tokens / seconds)
            found.append({"model": name, "level": " and ".join(taker.names), "one": statistics.median(rates[1]),
                          "all": statistics.median(rates[bench.threads])})
    return {"threads": bench.threads, "rows": found}


# ---- steps ----

def trained_tokenizers(bench):
    """Names and folders of tokenizers that are trained here, once; the peers' library is needed for that."""
    folder = os.path.join(bench.folder, "tokenizers")
    if bench.python and not os.path.exists(folder):
        part = folder + ".part"
        shutil.rmtree(part, ignore_errors=True)
        path = embedding.write(bench.subfolder("tokenizer"), "trained-on", bench.rows)
        subprocess.run([bench.python, os.path.join(HERE, "train_tokenizers.py"), path, part], check=True)
        os.rename(part, folder)
    named = (("byte-level BPE, 50,265 tokens", "bytes"), ("Unigram, 32,000 tokens", "unigram"))
    return [(name, os.path.join(folder, part)) for name, part in named if os.path.exists(folder)]


def tokenizer(bench):
    folder = bench.subfolder("tokenizer")
    rows = texts_of.sample(bench.rows, 1000 if bench.quick else 4000)
    path = embedding.write(folder, "texts", rows)
    found = []
    for name, model in [("WordPiece, 30,527 tokens", bench.mpnet), *trained_tokenizers(bench)]:
        own = Step(bench.binary("bench_steps"), "tokenize", model, path + "l")
        peer = Step(bench.python, os.path.join(HERE, "peer_steps.py"), "tokenize", model, path) if bench.python else None
        answers = in_turns(bench, own, peer)
        row = {"name": name, "bytes": answers[0][0]["bytes"], "tokens": answers[0][0]["tokens"], "seconds": median(answers[0])}
        if peer:
            row["peer"] = {"seconds": median(answers[1]), "tokens": answers[1][0]["tokens"], "about": answers[1][0]["about"]}
        found.append(row)
    return {"texts": len(rows), "rows": found}


def some_embeddings(bench, n):
    """Embeddings of real texts, and around them as many more as are asked for."""
    folder = bench.subfolder("sae")
    path = embedding.write(folder, "texts", texts_of.sample(bench.rows, 64))
    out = os.path.join(folder, "out.npy")
    contenders.Saescope(bench.program, bench.mpnet, contenders.levels(bench.program)[0], bench.threads).run(path, out)
    real = np.load(out)
    source = np.random.default_rng(4)
    x = real[source.integers(0, len(real), n)]
    return (x + source.standard_normal(x.shape, dtype=np.float32) * real.std(0)).astype(np.float32)


def sae(bench):
    found = []
    for n_features, n_rows in ((2304, 4096 if bench.quick else 16384), (65536, 1024 if bench.quick else 2048)):
        x = some_embeddings(bench, n_rows)
        folder = os.path.join(bench.folder, f"sae-{n_features}")
        models.make_sae(folder, x[:512], n_features)
        path = os.path.join(bench.subfolder("sae"), "rows.f32")
        x.tofile(path)
        own = Step(bench.binary("bench_steps"), "sae", folder, path, str(bench.threads))
        peer = Step(bench.python, os.path.join(HERE, "peer_steps.py"), "sae", folder, path, str(bench.threads)) if bench.python else None
        answers = in_turns(bench, own, peer)
        row = {"features": n_features, "rows": n_rows, "fires": answers[0][0]["fires"], "seconds": median(answers[0]),
               "product_seconds": median(answers[0], "product_seconds"), "work": 2.0 * n_rows * n_features * x.shape[1]}
        if peer:
            row["peer"] = {"seconds": median(answers[1]), "fires": answers[1][0]["fires"], "about": answers[1][0]["about"]}
        found.append(row)
    return found


# ---- whole programs ----

# The peak of a process begins with that of the one it was made from, so a small one stands between.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, 1, 2)])
_, status, usage = os.wait4(child, 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1000)
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def time_program(command):
    """Seconds by the clock and peak resident memory in MB."""
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def level_options(level):
    return ["--precision", level] if level else []


def workflow(bench):
    """The tutorial's two passes against `analyze`, loading included."""
    folder = bench.subfolder("workflow")
    n = 16 if bench.quick else 64
    path = embedding.write(folder, "texts", texts_of.sample(bench.rows, n)) + "l"
    sae_folder = os.path.join(bench.folder, "sae-2304")
    models.make_sae(sae_folder, some_embeddings(bench, 512), 2304)
    rows = []
    for level in contenders.levels(bench.program):
        runs = [time_program([bench.program, "analyze", "--model", bench.mpnet, "--sae", sae_folder, "--dataset", path, "--out",
                              os.path.join(folder, "run"), "--force", "--quiet", "--threads", str(bench.threads), *level_options(level)])
                for _ in range(min(3, bench.runs))]
        rows.append({"name": "saescope analyze" + (f" {level}" if level else ""), "seconds": statistics.median(r[0] for r in runs),
                     "memory_mb": max(r[1] for r in runs)})
    if bench.python:
        seconds, memory = time_program([bench.python, os.path.join(HERE, "seed_workflow.py"), "--model", bench.mpnet, "--sae", sae_folder,
                                        "--texts", path, "--limit", str(n), "--threads", str(bench.threads)])
        rows.append({"name": "two passes in Python", "seconds": seconds, "memory_mb": memory, "is_peer": True})
    return {"texts": n, "features": 2304, "rows": rows}


def start(bench):
    """One short text through the 438 MB model, its file in the page cache."""
    path = embedding.write(bench.subfolder("start"), "text", ["The mass of the star is small."]) + "l"
    out = os.path.join(bench.subfolder("start"), "out.npy")
    rows = []
    for level in contenders.levels(bench.program):
        command = [bench.program, "embed", "--model", bench.mpnet, "--dataset", path, "--out", out, "--force", "--quiet", "--threads",
                   str(bench.threads), *level_options(level)]
        time_program(command)
        rows.append({"name": "saescope embed" + (f" {level}" if level else ""),
                     "seconds": statistics.median(time_program(command)[0] for _ in range(bench.runs))})
    return {"bytes": os.path.getsize(os.path.join(bench.mpnet, "model.safetensors")), "rows": rows}


# ---- where the time goes ----

def perf(bench, command):
    """The functions that take most samples, by Linux perf; nothing where it is missing or forbidden."""
    data = os.path.join(bench.folder, "perf.data")
    try:
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock:u", "-F", "1999", "-o", data, *command], check=True, capture_output=True)
        text = subprocess.run(["perf", "report", "-i", data, "--stdio", "-q", "--no-children", "--sort", "symbol"], check=True,
                              capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = re.findall(r"^\s*([\d.]+)%\s+\[.\]\s+(\S+)", text, re.M)
    return [{"share": float(share) / 100, "name": name} for share, name in rows if float(share) >= 0.5]


def profile(bench):
    found = []
    for name, model, n in (("MPNet base shape", bench.mpnet, 16), ("all-MiniLM-L6-v2", bench.minilm, 128)):
        path = embedding.write(bench.subfolder("profile"), "texts", texts_of.sample(bench.rows, n // 2 if bench.quick else n)) + "l"
        for taker in contenders.saescopes(bench, model):
            command = [bench.binary("bench_profile"), model, path, str(bench.threads), taker.level or "highest"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append({"model": name, "level": " and ".join(taker.names), **json.loads(done.stdout), "functions": perf(bench, command)})
    return found
