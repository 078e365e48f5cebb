"""What holds for large corpora, in minutes: `make test-scale`. Smaller samples of the same are in `make test` (tests/cli/test_parts.py,
test_resume.py, test_killed.py, tests/python/test_state.py). Numbers are printed; bars are asserted."""
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "cli")]
from helpers import write_safetensors  # noqa: E402
from test_parts import OPTIONS, assert_same, write_corpus  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope"))
MODEL = ROOT / "tests/data/encoder/mpnet-mean"
N_SPLITS = int(os.environ.get("SAESCOPE_SPLITS", "500"))
N_STATES = int(os.environ.get("SAESCOPE_STATES", "1000"))
N_SHORT_ROWS = int(os.environ.get("SAESCOPE_ROWS", "2000000"))
KILL_SECONDS = float(os.environ.get("SAESCOPE_KILL_SECONDS", "180"))


def make_sae(folder, n_features, low, high):
    width = json.loads((MODEL / "config.json").read_text())["hidden_size"]
    rng = np.random.default_rng(3)
    folder.mkdir()
    write_safetensors(folder / "sae.safetensors", {
        "W_enc": rng.normal(0, 1 / np.sqrt(width), (width, n_features)).astype("f4"), "W_dec": rng.normal(size=(n_features, width)).astype("f4"),
        "b_enc": rng.normal(0, 0.1, n_features).astype("f4"), "b_dec": np.zeros(width, "f4"),
        "jumprelu.log_threshold": np.log(rng.uniform(low, high, n_features)).astype("f4")})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": width, "dict_size": n_features, "input_unit_norm": True,
                                                    "dtype": "torch.float32", "model_name": "mpnet", "num_examples": 5}))
    return folder


@pytest.fixture(scope="module")
def sae(tmp_path_factory):
    return make_sae(tmp_path_factory.mktemp("small") / "sae", 40, 0.3, 1.5)


def run(*words, **more):
    done = subprocess.run([str(w) for w in (PROGRAM, *words)], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return done


def cpu_seconds(*words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(*words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_random_splits_and_trees(sae, tmp_path):
    rng = random.Random(17)
    (tmp_path / "in").mkdir()
    write_corpus(tmp_path / "in")
    inputs = [word for path in sorted((tmp_path / "in").iterdir()) for word in ("-d", path)]
    words = ["analyze", "-m", MODEL, "-s", sae, *OPTIONS, *inputs, "--threads", "1", "--steps", "none"]
    run(*words, "-o", tmp_path / "whole", "--title", "T")
    n_parts = 0
    for split in range(N_SPLITS):
        n = rng.randint(1, 40)
        n_parts += n
        place = tmp_path / "split"
        for part in range(1, n + 1):
            run(*words, "--part", f"{part}/{n}", "-o", place)
        states = sorted(place.glob("*.state"))
        rng.shuffle(states)
        while len(states) > 8 and rng.random() < 0.8:
            pick = [states.pop(rng.randrange(len(states))) for _ in range(rng.randint(2, 6))]
            states.append(place / f"tree-{len(states)}.state")
            run("merge", *pick, "-o", states[-1], "--quiet")
        run("merge", *states, "-o", place / "run", "--title", "T", "--quiet", "--steps", "none")
        assert_same(place / "run", tmp_path / "whole")
        shutil.rmtree(place)
    print(f"{N_SPLITS} splits, {n_parts} parts: every file equal")


def test_many_states(tmp_path):
    """States of 2,304 features whose texts have 1.1 KB, 2 % of them shared."""
    package = PROGRAM.parent / "python"
    if not (package / "saescope/_core.abi3.so").exists():
        pytest.skip("the Python package is not built")
    sys.path.insert(0, str(package))
    import saescope
    encoder = saescope.Encoder(MODEL, max_tokens=24, threads=1)
    sae = saescope.SAE(make_sae(tmp_path / "sae", 2304, 2.0, 3.5))
    rng, words = random.Random(1), "star galaxy dust gas orbit the of mass ray spectrum infrared planet".split()
    shared = [" ".join(rng.choices(words, k=190)) for _ in range(50)]
    n_bytes = 0
    for k in range(N_STATES):
        texts = [rng.choice(shared) if rng.random() < 0.02 else f"{k} {i} " + " ".join(rng.choices(words, k=185)) for i in range(20)]
        state = saescope.state_of([{"text": texts, "n": list(range(k * 20, k * 20 + 20))}], encoder, sae, key="n", threads=1)
        (tmp_path / f"{k:04d}.state").write_bytes(state)
        n_bytes += len(state)
    done = subprocess.run(["/usr/bin/time", "-f", "%U %S %e %M", PROGRAM, "merge", *sorted(tmp_path.glob("*.state")), "-o", tmp_path / "sum.state", "-q"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    user, system, seconds, peak = map(float, done.stderr.split())
    size = (tmp_path / "sum.state").stat().st_size
    print(f"{N_STATES} states, {n_bytes / 1e6:.0f} MB: {user + system:.1f} s of CPU, {seconds:.1f} s, peak {peak / 1e3:.0f} MB, sum {size / 1e6:.0f} MB")
    assert user + system <= 10 * N_STATES / 1000 and peak * 1024 <= 4 * size + 256e6


def test_two_million_short_rows(sae, tmp_path):
    path = tmp_path / "rows.txt"
    with open(path, "w") as file:
        for i in range(N_SHORT_ROWS):
            file.write(f"star {i % 1000}\n")
    job = subprocess.Popen([str(w) for w in (PROGRAM, "analyze", "-m", MODEL, "-s", sae, "-d", path, "-o", tmp_path / "run", "--steps", "none", "-q")])
    seen = []
    while job.poll() is None:
        time.sleep(1)
        try:
            status = Path(f"/proc/{job.pid}/status").read_text()
            kilobytes = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
            seen.append((kilobytes, len(os.listdir(f"/proc/{job.pid}/fd"))))
        except (OSError, StopIteration):
            break
    assert job.wait() == 0
    middle = seen[len(seen) // 4:-2]
    memory, descriptors = [m for m, _ in middle], [d for _, d in middle]
    print(f"{N_SHORT_ROWS} rows: {min(memory) / 1024:.0f} to {max(memory) / 1024:.0f} MB, {min(descriptors)} to {max(descriptors)} descriptors")
    assert max(memory) - min(memory) <= 16 * 1024 and max(descriptors) - min(descriptors) <= 2      # a checkpoint is written now and then


@pytest.mark.parametrize("n_features, n_rows", [(2304, 60000), (65536, 6000)])
def test_a_checkpoint_costs_a_hundredth(tmp_path, n_features, n_rows):
    """CPU seconds with and without, in turns; medians."""
    sae = make_sae(tmp_path / "sae", n_features, 2.5, 3.5)
    rng, words = random.Random(1), "star galaxy dust gas orbit the of mass ray spectrum infrared planet".split()
    with open(tmp_path / "rows.txt", "w") as file:
        for _ in range(n_rows):
            file.write(" ".join(rng.choices(words, k=40)) + "\n")
    line = ["analyze", "-m", MODEL, "-s", sae, "-d", tmp_path / "rows.txt", "--steps", "none", "-q", "--threads", "1"]
    found = {"with": [], "without": []}
    for turn in range(5):
        for name in ("with", "without"):
            more = [] if name == "with" else ["--checkpoint-seconds", "1000000"]
            found[name].append(cpu_seconds(*line, "-o", tmp_path / f"{name}{turn}", *more))
            shutil.rmtree(tmp_path / f"{name}{turn}")
    a, b = (sorted(found[name])[2] for name in ("with", "without"))
    print(f"{n_features} features: {a:.2f} s with, {b:.2f} s without checkpoints: {100 * (a / b - 1):+.2f} %; all {found}")
    assert a <= 1.03 * b


def test_killed_at_random_times(sae, tmp_path):
    rng = random.Random(23)
    with open(tmp_path / "rows.jsonl", "w") as file:
        for i in range(6000):
            file.write(json.dumps({"text": f"star {rng.randrange(700)} of {rng.randrange(30)}"}) + "\n")
    line = [str(w) for w in (PROGRAM, "analyze", "-m", MODEL, "-s", sae, "-d", tmp_path / "rows.jsonl", "--steps", "none", "--threads", "1",
                             "--batch-tokens", "300", "--checkpoint-seconds", "0.02", "--title", "T")]
    begin = time.monotonic()
    run(*line[1:], "-o", tmp_path / "whole")
    seconds, n_kills, n_runs, n_on, end = time.monotonic() - begin, 0, 0, 0, time.monotonic() + KILL_SECONDS
    while time.monotonic() < end:
        out = tmp_path / "run"
        while not (out / "run.json").exists():
            job = subprocess.Popen([*line, "-o", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(rng.uniform(0.01, 0.8 * seconds))
            job.send_signal(signal.SIGKILL)
            n_on += "going on after" in job.communicate()[1]
            n_kills += job.returncode == -signal.SIGKILL
        run(*line[1:], "-o", out)                              # complete, or completed
        assert_same(out, tmp_path / "whole")
        assert not [p for p in out.rglob("*") if p.name.startswith(".")]
        shutil.rmtree(out)
        n_runs += 1
    print(f"{n_kills} kills in {n_runs} runs, {n_on} went on: every file equal")
    assert n_kills > 0 and n_on > 0
