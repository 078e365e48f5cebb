"""Who takes part: saescope at each of its levels, and the peers, each able to embed a file of texts when told to.

A contender has a name, a note on how it was made, `choose_batch(texts)` and `run(texts, save)`, which gives seconds
and real tokens. Loading is never in the seconds; reading, tokenizing and pooling are.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LEVELS = ("highest", "high", "medium", "low")

# kind, name in the report, what its arithmetic is compared with
PEERS = (
    ("st-fp32", "sentence-transformers fp32", "fp32"),
    ("ort-fp32", "ONNX Runtime fp32", "fp32"),
    ("ov-fp32", "OpenVINO f32", "fp32"),
    ("st-bf16", "sentence-transformers bf16", "bf16"),
    ("ov-bf16", "OpenVINO bf16", "bf16"),
    ("ort-int8", "ONNX Runtime int8, dynamic", "int8"),
    ("ov-int8", "OpenVINO int8, static (NNCF)", "int8"),
)

# The switches by which peers can be held to the instructions of a lesser machine, and the kinds that have one: ONNX Runtime
# has none, and PyTorch's bf16 without its instructions is slower than its fp32 by far. OpenVINO's code outside oneDNN, and some of
# PyTorch's, may look at the processor itself.
HELD = {"avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}}
HELD_KINDS = ("st-fp32", "ov-fp32", "ov-int8")


def levels(program):
    """The precision levels that the program knows; [None] where it has no choice to offer."""
    text = subprocess.run([program, "embed", "--help"], capture_output=True, text=True, check=True).stdout
    option = re.search(r"^ +(?:-\w, )?--precision.*?(?=^ +(?:-\w, )?--|\Z)", text, re.M | re.S)
    if not option:
        return [None]
    return [level for level in LEVELS if re.search(rf"\b{level}\b", option.group())]


def numbers_of(bench, level, cpu=None):
    """The numbers that a level multiplies here, and the kernels that do it."""
    env = dict(os.environ, SAESCOPE_CPU=cpu) if cpu else None
    done = subprocess.run([bench.binary("bench_steps"), "numbers", level or "highest"], capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout)


def saescopes(bench, model, cpu=None):
    """One contender per kind of number that the levels compute in here: levels that share one are timed once."""
    found = {}
    for level in levels(bench.program):
        numbers = numbers_of(bench, level, cpu)["numbers"]
        if numbers in found:
            found[numbers].add_level(level)
        else:
            found[numbers] = Saescope(bench.program, model, level, bench.threads, numbers, cpu)
    return list(found.values())


class Saescope:
    """The program as a user runs it; its own report says how long embedding took."""

    group = kind = None

    def __init__(self, program, model, level, threads, numbers="fp32", cpu=None):
        self.program, self.model, self.level, self.threads = program, model, level, threads
        self.numbers, self.cpu, self.names = numbers, cpu, []
        self.about, self.batch, self.repeats = "", None, 1
        self.add_level(level)

    def add_level(self, level):
        self.names += [level] if level else []
        self.name = " ".join(["saescope", " and ".join(self.names)]).strip() + (f", {self.cpu} kernels" if self.cpu else "")

    def command(self, texts, out):
        options = ["--precision", self.level] if self.level else []
        datasets = [word for _ in range(self.repeats) for word in ("--dataset", texts)]
        return [self.program, "embed", "--model", self.model, *datasets, "--out", out, "--threads", str(self.threads),
                "--force", "--json", *options]

    def run(self, texts, save=None):
        out = save or os.path.join(os.path.dirname(texts), "saescope-out.npy")
        env = dict(os.environ, SAESCOPE_CPU=self.cpu) if self.cpu else None
        done = subprocess.run(self.command(texts + "l", out), capture_output=True, text=True, env=env)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip() or "the program failed")
        answer = json.loads(done.stdout)
        return answer["seconds"], answer["tokens"]

    def choose_batch(self, texts, _):
        """No batch to choose; short runs are made longer by giving the texts several times."""
        seconds, _ = self.run(texts)
        self.repeats = max(1, min(16, round(1.0 / max(seconds, 1e-3))))

    def close(self):
        pass


class Peer:
    """A process of bench/peer.py that waits for commands."""

    level = numbers = None

    def __init__(self, python, kind, options, name="", group=None, cpu=None):
        self.name, self.group, self.batch, self.kind, self.cpu = name, group, 8, kind, cpu
        self.log = open(os.path.join(options["cache"], f"{kind}-{cpu or 'all'}.log"), "w", encoding="utf8")
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        self.process = subprocess.Popen([python, os.path.join(HERE, "peer.py"), kind, *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=os.environ | HELD.get(cpu, {}))
        self.about = ""

    def wait_until_ready(self):
        try:
            self.about = self.answer()["about"]
        except (RuntimeError, ValueError):
            self.close()
            raise
        return self

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            with open(self.log.name, encoding="utf8") as f:
                lines = f.read().strip().splitlines()
            raise RuntimeError(lines[-1] if lines else "ended without a word")
        return json.loads(line)

    def run(self, texts, save=None):
        print(json.dumps(dict(texts=texts, batch=self.batch, save=save)), file=self.process.stdin, flush=True)
        answer = self.answer()
        return answer["seconds"], answer["tokens"]

    def choose_batch(self, texts, sizes):
        """The batch that is fastest on some of the texts, each tried after one run that does not count."""
        rates = {}
        for self.batch in sizes[:1] + sizes:
            seconds, tokens = self.run(texts)
            rates[self.batch] = tokens / seconds
        self.batch = max(rates, key=rates.get)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def start_peers(python, options, kinds=None, cpu=None):
    """The peers that can be had here, held to a kind of processor if one is named, and a sentence for each that can not.
    They start side by side, but one after the other where files that they share are still to be made."""
    wanted = [p for p in PEERS if python and (not kinds or p[0] in kinds) and (not cpu or p[0] in HELD_KINDS)]
    is_cached = any(name.endswith(".onnx") for name in os.listdir(options["cache"]))
    started, found, missing = [], [], []
    for kind, name, group in wanted:
        started.append(Peer(python, kind, options, name + (f", held to {cpu.upper()}" if cpu else ""), group, cpu))
        if not is_cached:
            found, missing = await_peers(started, found, missing)
            started = []
    return await_peers(started, found, missing)


def await_peers(started, found, missing):
    for peer in started:
        try:
            found.append(peer.wait_until_ready())
        except (RuntimeError, ValueError) as e:
            missing.append(f"{peer.name} did not start: {e}")
            print(f"bench: {missing[-1]}", file=sys.stderr)
    return found, missing
