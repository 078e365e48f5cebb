"""Faults under the commands that come after a run or make an SAE: train, merge, report, map, diff, and parts of analyze.

What a stopped or failing command leaves is what it is said to leave, nothing of other rows is taken up again, and nothing
damaged is called sound.
"""
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused
from test_outputs import MODEL, count, faulty, fresh, library, names, place  # noqa: F401  the library of faults and tiny inputs

TRAIN = ["--dict-size", 8, "--max-steps", 6, "--batch-size", 8, "--top-k", 2, "--checkpoint-steps", 2, "-q"]
CHANGES = "write,sync,rename,create,remove"


def text(i, factor=1):
    return " ".join("abcdefghijklmnopqrstuvwxyz0123456789"[(i * k * factor + k) % 36] for k in range(1, 3 + i % 5))


def write_rows(path, factor=1, n=60):
    path.write_text("".join(json.dumps({"id": i, "text": text(i, factor)}) + "\n" for i in range(n)))
    return path


@pytest.fixture
def x(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(3).normal(size=(60, 16)).astype(np.float32))
    return path


# ---- training ----

def selections(folder):
    """Two ways of reading the same files, of which the second gives other rows; and what is on standard input."""
    rows = write_rows(folder / "a.jsonl")
    (folder / "a.txt").write_text("\n\n".join(f"{text(i)}\n{text(i, 3)}" for i in range(40)))
    (folder / "a.csv").write_text("id,text\n" + "".join(f"{i},{text(i)}\n" for i in range(60)))
    return {
        "where": (["-d", rows, "--where", "id < 40"], ["-d", rows, "--where", "id >= 20"]),
        "sample": (["-d", rows, "--sample", 40], ["-d", rows, "--sample", 41]),
        "unit": (["-d", folder / "a.txt"], ["-d", folder / "a.txt", "--text-unit", "paragraph"]),
        "csv": (["-d", folder / "a.csv"], ["-d", folder / "a.csv", "--csv", "nrows=45"]),
        "num": (["-d", rows, "-n", 50], ["-d", rows, "-n", 51]),
    }


def stop_training(faulty, program, words, folder, **more):  # noqa: F811
    """Killed when the state was saved for the first time, some changes after the embeddings were."""
    for at in range(20, 70):
        shutil.rmtree(folder / "sae.training", ignore_errors=True)
        shutil.rmtree(folder / "sae", ignore_errors=True)
        job = faulty([program, "train", "-m", MODEL, *words, *TRAIN, "-o", folder / "sae"], calls=CHANGES, at=at, kind="kill", **more)
        assert job.returncode == -signal.SIGKILL, job.err
        if (folder / "sae.training/state").exists():
            return
    pytest.fail("no state was saved")


@pytest.mark.parametrize("name", ["where", "sample", "unit", "csv", "num"])
def test_a_training_does_not_go_on_with_embeddings_of_other_rows(run, program, faulty, tmp_path, name):  # noqa: F811
    first, second = selections(tmp_path)[name]
    stop_training(faulty, program, first, tmp_path)
    assert_refused(run("train", "-m", MODEL, *second, *TRAIN, "-o", tmp_path / "sae"), 64, "of other rows", "--force")
    assert run("train", "-m", MODEL, *first, *TRAIN, "-o", tmp_path / "sae").code == 0      # the same go on
    assert not (tmp_path / "sae.training").exists()


def test_a_training_on_an_archive_sees_that_it_changed(run, program, faulty, tmp_path):  # noqa: F811
    def pack(rows):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(rows, "rows.jsonl")
    pack(write_rows(tmp_path / "a.jsonl"))
    stop_training(faulty, program, ["-d", tmp_path / "a.zip"], tmp_path)
    pack(write_rows(tmp_path / "b.jsonl", 7))
    assert_refused(run("train", "-m", MODEL, "-d", tmp_path / "a.zip", *TRAIN, "-o", tmp_path / "sae"), 64, "of other rows")


def test_a_training_on_standard_input_reads_it_again(run, program, library, tmp_path):  # noqa: F811
    a, b = write_rows(tmp_path / "a.jsonl").read_bytes(), write_rows(tmp_path / "b.jsonl", 7).read_bytes()
    env = {"LD_PRELOAD": str(library), "FAULT_CALLS": CHANGES, "FAULT_KIND": "kill"}
    words = ["train", "-m", MODEL, "-d", "-", *TRAIN, "-o", tmp_path / "sae"]
    for at in range(20, 70):
        shutil.rmtree(tmp_path / "sae.training", ignore_errors=True)
        assert run(*words, stdin=a, env={**env, "FAULT_AT": str(at)}).code == -signal.SIGKILL
        if (tmp_path / "sae.training/state").exists():
            break
    assert_refused(run(*words, stdin=b), 64, "of other rows")
    assert run(*words, stdin=a).code == 0


def test_a_sweep_that_was_killed_goes_on(run, program, faulty, x, tmp_path):  # noqa: F811
    words = ["train", "--embeddings", x, *TRAIN, "--sweep", "top-k=1,2", "-o"]
    assert run(*words, tmp_path / "whole").code == 0

    def contents(folder):
        return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}
    whole = contents(tmp_path / "whole")
    assert {p.split("/")[0] for p in whole} == {"top_k-1", "top_k-2", "sweep.csv", "sweep.svg", "sweep.png"}
    n = count(faulty, [program, *words, tmp_path / "counted"], CHANGES, tmp_path)
    for at in range(n // 8, n - 20, n // 7):  # from there on all is there, and what was kept is removed
        out = tmp_path / f"sweep-{at}"
        assert faulty([program, *words, out], calls=CHANGES, at=at, kind="kill").returncode == -signal.SIGKILL
        done = run(*words, out)
        assert done.code == 0, f"killed before change {at} of {n}: {done.err}"
        assert contents(out) == whole and names(out) == set(whole), f"killed before change {at} of {n}"
    other = tmp_path / "other"
    assert faulty([program, *words, other], calls=CHANGES, at=3 * n // 4, kind="kill").returncode == -signal.SIGKILL
    assert_refused(run(*words, other, "--seed", 50), 74, "top_k-1", "not empty")             # an SAE of other options is no part of it


def test_what_a_training_kept_goes_when_it_is_in_place(run, program, faulty, x, tmp_path):  # noqa: F811
    """Killed after the SAE was put in place: the same command says that it is there, and removes what was kept."""
    words = ["train", "--embeddings", x, *TRAIN, "-o"]
    n = count(faulty, [program, *words, tmp_path / "counted"], CHANGES, tmp_path)
    n_left = 0
    for at in range(n - 12, n + 1):
        out = tmp_path / f"sae-{at}"
        assert faulty([program, *words, out], calls=CHANGES, at=at, kind="kill").returncode == -signal.SIGKILL
        kept = out.with_name(out.name + ".training")
        n_left += kept.exists() and (out / "config.json").exists()
        if (out / "config.json").exists():
            assert_refused(run(*words, out), 74, "not empty", "--force")
        else:
            assert run(*words, out).code == 0
        assert not kept.exists() or not (out / "config.json").exists(), f"killed before change {at} of {n}"
    assert n_left > 0


def limit_files(n_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


def test_a_command_that_fails_takes_its_new_folders_away(run, place, x, tmp_path):  # noqa: F811
    shutil.copytree(place / "run", tmp_path / "run")
    kept = names(tmp_path)
    rows = write_rows(tmp_path / "rows.jsonl")
    site = ["--model-id", "m", "--source-id", "0-sae", "--author-id", "a", "-q"]
    for words, made in (
            (["train", "--embeddings", x, *TRAIN, "--sweep", "top-k=1,2", "-o", tmp_path / "new/sweep"], "new"),
            (["analyze", "-m", MODEL, "-s", place / "sae", "-d", rows, "--part", "1/2", "-o", tmp_path / "new/parts", "-q"], "new"),
            (["describe", tmp_path / "run", "--export", "saedashboard", *site], "run/saedashboard")):
        done = run(*words, preexec_fn=limit_files(300))
        assert done.code == 74 and "File too large" in done.err, done.err
        assert not (tmp_path / made).exists(), names(tmp_path) - kept


# ---- states ----

def test_a_state_that_a_dead_merge_left_goes(run, program, place, faulty, tmp_path):  # noqa: F811
    rows = write_rows(tmp_path / "rows.jsonl")
    for part in (1, 2):
        words = ["analyze", "-m", MODEL, "-s", place / "sae", "-d", rows, "--part", f"{part}/2", "-o", tmp_path / "parts", "-q"]
        job = faulty([program, *words], calls="rename", at=1, kind="kill")
        assert job.returncode == -signal.SIGKILL and run(*words).code == 0
    states = sorted((tmp_path / "parts").iterdir())
    assert [p.name for p in states] == ["00001-of-00002.state", "00002-of-00002.state"]
    merge = ["merge", *states, "-o", tmp_path / "out/whole.state", "-q"]
    (tmp_path / "out").mkdir()
    assert faulty([program, *merge], calls="sync", at=1, kind="kill").returncode == -signal.SIGKILL
    assert names(tmp_path / "out") != set()
    assert run(*merge).code == 0 and names(tmp_path / "out") == {"whole.state"}
    assert_refused(run(*merge), 74, "whole.state", "--force")


# ---- a run and what its steps wrote ----

@pytest.fixture(scope="module")
def described(program, place, tmp_path_factory):  # noqa: F811
    run_dir = tmp_path_factory.mktemp("described") / "run"
    rows = write_rows(run_dir.parent / "rows.jsonl", n=80)
    subprocess.run([program, "analyze", "-m", MODEL, "-s", place / "sae", "-d", rows, "-o", run_dir, "--no-pairs", "-q"], check=True)
    return run_dir


@pytest.mark.parametrize("name", ["density.svg", "density.png", "descriptions.json", "descriptions.csv", "feature_keywords.json", "map.csv", "map.png",
                                  "clusters.json"])
def test_a_cut_file_of_a_step_is_not_sound(run, described, tmp_path, name):
    shutil.copytree(described, tmp_path / "run")
    done = run("inspect", "--check", tmp_path / "run")
    assert done.code == 0 and "OK" in done.out, done.err
    path = tmp_path / "run" / name
    path.write_bytes(path.read_bytes()[:-4])
    done = run("inspect", "--check", tmp_path / "run")
    assert done.code == 65 and name in done.err, done.err
    path.unlink()
    assert run("inspect", "--check", tmp_path / "run").code == (0 if name.startswith("density") else 65)


@pytest.mark.parametrize("words", [["map", "RUN", "-q"], ["diff", "RUN", "OTHER"], ["report", "RUN", "-o", "OUT"], ["show", "RUN", "1"],
                                   ["search", "RUN", "a", "--features"]])
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"schema": 1}'])
def test_damaged_labels_are_refused_by_name(run, described, tmp_path, words, content):
    shutil.copytree(described, tmp_path / "run")
    (tmp_path / "run/descriptions.json").write_text(content)
    places = {"RUN": tmp_path / "run", "OTHER": described, "OUT": tmp_path / "report.html"}
    done = run(*[places.get(word, word) for word in words])
    assert done.code == 65 and "descriptions.json" in done.err and done.out == "", (done.code, done.err)


@pytest.mark.parametrize("name", ["diff", "map"])
def test_labels_that_cannot_be_opened_are_no_absent_ones(program, described, faulty, tmp_path, name):  # noqa: F811
    """Whatever opening fails, the answer is the usual one or an error."""
    def line(folder):
        return [program, "diff", described, described, "--print-csv"] if name == "diff" else [program, "map", folder / "run", "--no-labels", "-q"]

    def call(at, **settings):
        out = fresh(tmp_path, at)
        if name == "map":
            shutil.copytree(described, out / "run")
        return faulty(line(out), calls="open", at=at, **settings), out
    usual, out = call(0, count=tmp_path / "number")
    assert usual.returncode == 0, usual.err
    for at in range(1, int((tmp_path / "number").read_text()) + 1):
        done, other = call(at)
        if done.returncode == 0:
            assert done.out == usual.out and all((other / "run" / f).read_bytes() == (out / "run" / f).read_bytes()
                                                 for f in (["map.csv", "clusters.csv"] if name == "map" else [])), at
        else:
            assert done.returncode in (66, 74) and done.err.startswith("saescope: ") and len(done.err) > 20, (at, done.returncode, done.err)


# ---- what cannot be looked at ----

@pytest.mark.parametrize("name", ["convert", "train"])
def test_a_file_that_cannot_be_looked_at_is_not_left_out(program, place, faulty, x, tmp_path, name):  # noqa: F811
    """Stat fails at every place in turn: all files are there, or it is said."""
    def line(folder):
        return [program, "train", "--embeddings", x, *TRAIN, "-o", folder / "sae"] if name == "train" else [
            program, "convert", "--sae", place / "sae", "--to", "saelens", "-o", folder / "sae", "-q"]
    n = count(faulty, line(fresh(tmp_path, 0)), "look", tmp_path)
    whole = names(tmp_path / "out-0/sae")
    for at in range(1, n + 1):
        out = fresh(tmp_path, at)
        done = faulty(line(out), calls="look", at=at)
        where = f"look {at} of {n}: exit {done.returncode}: {done.err}"
        assert done.returncode in (0, 66, 74) and "saescope: \n" not in done.err, where
        assert (names(out / "sae") == whole) == (done.returncode == 0), where
        assert "pipe" not in done.err, where


def test_a_folder_that_cannot_be_made_says_why(run, place, x):  # noqa: F811
    """On a file system that takes no folders the reason is not that there is none of the name."""
    done = run("train", "--embeddings", x, *TRAIN, "-o", "/sys/saescope/sae")
    assert done.code == 74 and "cannot create folder" in done.err and "No such file" not in done.err, done.err


@pytest.mark.parametrize("words", [["train", *TRAIN, "-o", "OUT"], ["evaluate", "-s", "SAE"], ["encode", "-s", "SAE", "-o", "OUT.npz"],
                                   ["analyze", "-s", "SAE", "-o", "OUT"]])
def test_an_array_through_a_pipe_is_refused_for_that(run, place, x, tmp_path, words):  # noqa: F811
    words = [{"OUT": tmp_path / "out", "OUT.npz": tmp_path / "out.npz", "SAE": place / "sae"}.get(word, word) for word in words]
    done = run(*words, "--embeddings", "-", stdin=x.read_bytes())
    assert done.code == 65 and "pipe" in done.err and "array" in done.err, done.err


# ---- files that are cut while they are read ----

@pytest.fixture(scope="module")
def large_run(program, place, tmp_path_factory):  # noqa: F811
    """A run whose embeddings take several pages, so that what is cut off of them is touched."""
    folder = tmp_path_factory.mktemp("large")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": " ".join(str(7919 * i))}) + "\n" for i in range(2000)))
    subprocess.run([program, "analyze", "-m", MODEL, "-s", place / "sae", "-d", rows, "-o", folder / "run", "--sample-rows", "all", "--steps", "none",
                    "--keep-duplicates", "-q"], check=True)
    assert (folder / "run/evidence/embeddings.npy").stat().st_size > 3 * 4096
    return folder / "run"


@pytest.mark.parametrize("words", [["describe", "RUN", "-q"], ["score", "RUN", "--feature", "1", "--label", "a b", "-q"], ["families", "RUN", "-q"],
                                   ["map", "RUN", "-q"], ["search", "RUN", "a b", "--meaning"]])
def test_embeddings_that_are_cut_while_a_step_reads_them(program, large_run, faulty, tmp_path, words):  # noqa: F811
    shutil.copytree(large_run, tmp_path / "run")
    before = names(tmp_path / "run")
    done = faulty([program, *[tmp_path / "run" if word == "RUN" else word for word in words]], cut="evidence/embeddings.npy")
    assert done.returncode == 74 and "embeddings.npy" in done.err and done.out == "", (done.returncode, done.err)
    assert names(tmp_path / "run") == before


@pytest.mark.parametrize("words", [["train", *TRAIN, "-o", "OUT"], ["evaluate", "-s", "SAE", "-n", "3000"]])
def test_embeddings_that_are_cut_while_rows_are_read(program, place, faulty, tmp_path, words):  # noqa: F811
    np.save(tmp_path / "x.npy", np.random.default_rng(4).normal(size=(3000, 16)).astype(np.float32))
    words = [{"OUT": tmp_path / "out", "SAE": place / "sae"}.get(word, word) for word in words]
    done = faulty([program, *words, "--embeddings", tmp_path / "x.npy"], cut="x.npy")
    assert done.returncode == 74 and "x.npy" in done.err and done.out == "", (done.returncode, done.err)
    assert names(tmp_path) == {"x.npy"}


def test_an_evaluation_is_stopped(program, place, tmp_path):  # noqa: F811
    """The nearest of 60,000 rows take minutes."""
    np.save(tmp_path / "x.npy", np.random.default_rng(4).normal(size=(60000, 16)).astype(np.float32))
    job = subprocess.Popen([program, "evaluate", "-s", place / "sae", "--embeddings", tmp_path / "x.npy", "-n", "60000"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    assert job.poll() is None, job.stderr.read()
    job.send_signal(signal.SIGTERM)
    out, err = job.communicate(timeout=10)
    assert job.returncode == 75 and out == "" and "stopped" in err, err


def test_the_rows_of_an_evaluation_lie_where_temporary_files_do(run, place, tmp_path):  # noqa: F811
    rows = write_rows(tmp_path / "rows.jsonl")
    words = ["evaluate", "-s", place / "sae", "-m", MODEL, "-d", rows, "-q"]
    assert run(*words, env={"TMPDIR": str(tmp_path)}).code == 0 and names(tmp_path) == {"rows.jsonl"}
    done = run(*words, preexec_fn=limit_files(100))
    assert done.code == 74 and "/proc/" not in done.err, done.err


# ---- two at the same time ----

def test_two_steps_that_end_together_are_both_recorded(program, described, faulty, tmp_path):  # noqa: F811
    shutil.copytree(described, tmp_path / "run")
    line = [program, "map", tmp_path / "run", "-q"]
    n = count(faulty, line, "rename", tmp_path)
    first = faulty(line, wait=False, calls="rename", at=n, kind="stop")     # before run.json is put in place
    for _ in range(200):
        if "T" in (Path("/proc") / str(first.pid) / "stat").read_text().split(") ")[1][:1]:
            break
        time.sleep(0.05)
    second = subprocess.Popen([program, "describe", tmp_path / "run", "--method", "seed", "-q"])
    time.sleep(1)
    first.send_signal(signal.SIGCONT)
    assert first.wait(20) == 0 and second.wait(20) == 0
    steps = json.loads((tmp_path / "run/run.json").read_text())["steps"]
    assert steps["map"]["outputs"] and steps["labels"]["method"] == "seed"
    assert subprocess.run([program, "inspect", "--check", tmp_path / "run"], capture_output=True).returncode == 0


@pytest.mark.parametrize("more", [[], ["--extract", "REPORT"]])
def test_a_report_goes_to_standard_output(run, program, described, tmp_path, more):
    assert run("report", described, "-o", tmp_path / "report.html", "-q").code == 0
    words = [tmp_path / "report.html" if word == "REPORT" else word for word in more] or [described]
    assert run("report", *words, "-o", tmp_path / "file", "-q").code == 0
    with open(tmp_path / "stdout", "wb") as stdout:
        assert subprocess.run([program, "report", *words, "-o", "-", "-q"], stdout=stdout,
                              cwd=tmp_path).returncode == 0
    assert (tmp_path / "stdout").read_bytes() == (tmp_path / "file").read_bytes() and not (tmp_path / "-").exists()


def test_a_search_by_meaning_needs_no_sae(run, place, tmp_path):  # noqa: F811
    shutil.copytree(place / "sae", tmp_path / "sae")
    rows = write_rows(tmp_path / "rows.jsonl")
    assert run("analyze", "-m", MODEL, "-s", tmp_path / "sae", "-d", rows, "-o", tmp_path / "run", "--steps", "none", "-q").code == 0
    usual = run("search", tmp_path / "run", "a b", "--meaning", "--json")
    shutil.rmtree(tmp_path / "sae")
    without = run("search", tmp_path / "run", "a b", "--meaning", "--json")
    assert usual.code == without.code == 0 and usual.out == without.out, without.err
