"""An analysis that was stopped goes on: killed at any moment, started again as it was, it ends with the bytes of a run that nothing
disturbed. What is refused is written by hand."""
import random
import shutil
import signal
import subprocess
import time

import pytest

from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs
from test_parts import common_of, files_of, manifest, write_corpus

N_COPIES, N_KILLS = 30, 8
CHECKPOINT = ".saescope.checkpoint"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Enough rows for a second or two."""
    small, folder = tmp_path_factory.mktemp("small"), tmp_path_factory.mktemp("corpus")
    write_corpus(small)
    lines = (small / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(lines * N_COPIES)
    shutil.copy(small / "b.csv", folder)
    shutil.copy(small / "c.jsonl.gz", folder)
    (folder / "e.jsonl").write_bytes(lines * N_COPIES * 2)
    return folder


@pytest.fixture(scope="module")
def line(program, model, sae, corpus):  # noqa: F811
    words = [program, "analyze", "-m", model, "-s", sae, "--on-bad-row", "skip", "--text-column", "text", "--top-k", "4", "--sample-rows",
             "40", "--batch-tokens", "200", "--steps", "none", "--threads", "1", "--title", "T"]
    for path in sorted(corpus.iterdir()):
        words += ["-d", path]
    return [str(w) for w in words]


@pytest.fixture(scope="module")
def undisturbed(line, tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "run"
    subprocess.run([*line, "-o", folder, "--quiet"], check=True, timeout=300)
    return folder


def start(line, out, *more):
    return subprocess.Popen([*line, "-o", str(out), "--checkpoint-seconds", "0.02", *map(str, more)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def wait_for(path, process, seconds=60):
    end = time.time() + seconds
    while not path.exists() and process.poll() is None and time.time() < end:
        time.sleep(0.005)
    assert path.exists(), process.communicate()


def assert_same(found, expected):
    left, right = files_of(found), files_of(expected)
    assert left.keys() == right.keys()
    assert not [name for name in left if left[name] != right[name] and name != "run.json"]
    assert manifest(found) == manifest(expected)


def test_killed_at_any_moment(line, undisturbed, tmp_path):
    rng = random.Random(11)
    out, n_going_on = tmp_path / "run", 0
    for _ in range(N_KILLS):
        process = start(line, out)
        time.sleep(rng.uniform(0.05, 1.0))
        process.kill()
        n_going_on += "going on after" in process.communicate()[1]
        if (out / "run.json").exists():
            assert_same(out, undisturbed)
            shutil.rmtree(out)
    process = start(line, out)
    wait_for(out / CHECKPOINT, process)
    process.kill()
    process.communicate()
    process = start(line, out)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0 and "going on after" in errors, errors
    assert_same(out, undisturbed)                         # no checkpoint, no staging folder, no lock


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT])
def test_stopped_by_a_signal(line, undisturbed, tmp_path, number):
    out = tmp_path / "run"
    process = start(line, out)
    wait_for(out / CHECKPOINT, process)
    process.send_signal(number)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode != 0 and "the same command goes on" in errors, errors
    assert sorted(p.name for p in out.iterdir()) == [CHECKPOINT]
    process = start(line, out)
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0 and "going on after" in errors, errors
    assert_same(out, undisturbed)


def test_a_part_goes_on_too(line, tmp_path):
    whole = tmp_path / "whole"
    subprocess.run([*line, "-o", whole, "--quiet", "--part", "1/2"], check=True, timeout=300)
    out = tmp_path / "parts"
    process = start(line, out, "--part", "1/2")
    wait_for(out / ".00001-of-00002.checkpoint", process)
    process.kill()
    process.communicate()
    process = start(line, out, "--part", "1/2")
    errors = process.communicate(timeout=300)[1]
    assert process.returncode == 0 and "going on after" in errors, errors
    name = "00001-of-00002.state"
    assert [p.name for p in out.iterdir()] == [name]
    assert common_of((out / name).read_bytes()) == common_of((whole / name).read_bytes())


def test_other_options_and_files_are_refused(line, undisturbed, corpus, tmp_path):
    out, place = tmp_path / "run", tmp_path / "corpus"
    shutil.copytree(corpus, place)
    line = [word.replace(str(corpus), str(place)) for word in line]
    process = start(line, out)
    wait_for(out / CHECKPOINT, process)
    process.kill()
    process.communicate()
    done = start(line, out, "--keep-duplicates")
    errors = done.communicate(timeout=300)[1]
    assert done.returncode == 65 and "keep_duplicates" in errors and "--force" in errors, errors
    with open(place / "e.jsonl", "a") as file:
        file.write("\n")
    done = start(line, out)
    errors = done.communicate(timeout=300)[1]
    assert done.returncode == 65 and "dataset.files[3]" in errors and "--force" in errors, errors
    assert (out / CHECKPOINT).exists()
    shutil.copy2(corpus / "e.jsonl", place / "e.jsonl")
    done = start(line, out, "--force")
    errors = done.communicate(timeout=300)[1]
    assert done.returncode == 0 and "going on" not in errors, errors
    assert (out / "features.csv").read_bytes() == (undisturbed / "features.csv").read_bytes() and not (out / CHECKPOINT).exists()


def test_rows_that_come_once_are_not_kept(line, corpus, tmp_path):
    n = line.index("-d")
    words = [*line[:n], "-d", "-", "-o", str(tmp_path / "run"), "--checkpoint-seconds", "0.001", "--quiet"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write((corpus / "e.jsonl").read_bytes())
    process.stdin.flush()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate(timeout=300)[1].decode()
    assert "nothing was written" in errors and not (tmp_path / "run").exists(), errors
