"""Killed at every call that changes a file, an analysis that keeps checkpoints, and one that is appended to, end with the bytes of one that
nothing disturbed, when the same command is given again; and a disk that is full while a checkpoint is written costs that checkpoint alone.

By default every 7th call (SAESCOPE_KILLS=1: every one)."""
import json
import os
import random
import shutil
import signal
import subprocess

import pytest

from test_finished import assert_same
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs
from test_outputs import count, faulty, library  # noqa: F401  calls that go wrong

EACH = int(os.environ.get("SAESCOPE_KILLS", "7"))
CHANGES = "write,sync,rename,create,remove"


@pytest.fixture(scope="module")
def place(tmp_path_factory, program, model, sae):  # noqa: F811
    folder = tmp_path_factory.mktemp("killed")
    rng = random.Random(2)
    for name, n in (("a", 90), ("b", 70)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": f"star {rng.randrange(60)} of {rng.randrange(9)}"}) + "\n" for _ in range(n)))
    return folder


def line_of(program, model, sae, place, names, *more):  # noqa: F811
    words = [program, "analyze", "-m", model, "-s", sae, "--steps", "none", "--threads", "1", "--batch-tokens", "120", "--title", "T", "--evidence", "light",
             "--sample-rows", "20", "--checkpoint-seconds", "0.000001", "-q"]
    for name in names:
        words += ["-d", place / f"{name}.jsonl"]
    return [str(w) for w in (*words, *more)]


def temporary_files(folder):
    return [p.name for p in folder.rglob("*") if p.name.startswith(".")]


def test_killed_at_every_change_while_it_runs(program, place, model, sae, faulty, tmp_path):  # noqa: F811
    whole = tmp_path / "whole"
    subprocess.run(line_of(program, model, sae, place, "ab", "-o", whole), check=True)
    n = count(faulty, line_of(program, model, sae, place, "ab", "-o", tmp_path / "counted"), CHANGES, tmp_path)
    n_going_on = 0
    for at in range(1, n + 1, EACH):
        out = tmp_path / "run"
        line = line_of(program, model, sae, place, "ab", "-o", out)
        assert faulty(line, calls=CHANGES, at=at, kind="kill").returncode == -signal.SIGKILL, at
        again = subprocess.run([w for w in line if w != "-q"], capture_output=True, text=True)
        assert again.returncode == 0, (at, n, again.stderr)
        n_going_on += "going on after" in again.stderr
        assert_same(out, whole)
        assert temporary_files(out) == [], (at, n)
        shutil.rmtree(out)
    assert n_going_on > 0


def test_killed_at_every_change_while_it_is_appended_to(program, place, model, sae, faulty, tmp_path):  # noqa: F811
    whole, before = tmp_path / "whole", tmp_path / "before"
    subprocess.run(line_of(program, model, sae, place, "ab", "-o", whole), check=True)
    subprocess.run(line_of(program, model, sae, place, "a", "-o", before), check=True)
    shutil.copytree(before, tmp_path / "counted")
    n = count(faulty, line_of(program, model, sae, place, "b", "--append", tmp_path / "counted"), CHANGES, tmp_path)
    for at in range(1, n + 1, EACH):
        out = tmp_path / "run"
        shutil.copytree(before, out)
        line = line_of(program, model, sae, place, "b", "--append", out)
        assert faulty(line, calls=CHANGES, at=at, kind="kill").returncode == -signal.SIGKILL, at
        again = subprocess.run(line, capture_output=True, text=True)
        assert again.returncode == 0, (at, n, again.stderr)
        assert_same(out, whole)
        assert temporary_files(out) == [], (at, n)
        shutil.rmtree(out)


def test_a_full_disk_costs_the_checkpoint_alone(program, place, model, sae, faulty, tmp_path):  # noqa: F811
    whole = tmp_path / "whole"
    subprocess.run(line_of(program, model, sae, place, "ab", "-o", whole), check=True)
    n = count(faulty, line_of(program, model, sae, place, "ab", "-o", tmp_path / "counted"), "write", tmp_path)
    n_said = 0
    for at in range(2, n, max(1, n // 12)):
        out = tmp_path / f"run{at}"
        done = faulty(line_of(program, model, sae, place, "ab", "-o", out), calls="write", at=at, kind="error", errno=28)
        if done.returncode == 0:                              # it was a checkpoint's
            n_said += "could not be kept, which goes on" in done.err and "No space left" in done.err
            assert_same(out, whole)
        else:
            assert "No space left" in done.err and not (out / "run.json").exists(), done.err
            again = subprocess.run(line_of(program, model, sae, place, "ab", "-o", out), capture_output=True, text=True)
            assert again.returncode == 0, again.stderr
            assert_same(out, whole)
    assert n_said > 0
