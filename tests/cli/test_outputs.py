"""Outputs under faults: whatever call goes wrong, whenever the program is killed, whoever writes beside it, an output is old,
new or not there, nothing of another run is in it, and nothing unfinished stays.

A small library (tests/support/fault.c) lets one call of the program fail, take nothing, stop it or kill it.
"""
import errno
import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import stat
import subprocess
import time

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused, write_safetensors

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
PARQUET = ROOT / "tests/data/parquet/gzip-dict-v2.parquet"
WIDTH, N_FEATURES = 16, 6
RUN_FILES = {"fire_rate.npy", "top_activations.json", "features.csv", "density.svg", "density.png", "run.json",
             "analysis.state", "histograms.npz", "centroids.npz", "coactivation.npz", "evidence/texts.arrow", "evidence/embeddings.npy", "evidence/samples.arrow"}
EXPECTED = {"analyze": RUN_FILES, "embed": {"x.npy"}, "encode": {"x.npz"},
            "convert": {"sae_weights.safetensors", "cfg.json"}, "plot": {"x.svg"}}
LAST = {"analyze": "run/run.json", "embed": "x.npy", "encode": "x.npz", "convert": "run/cfg.json", "plot": "x.svg"}
HEX = "0123456789abcdef"


@pytest.fixture(scope="module")
def place(tmp_path_factory, program):
    """Inputs, an older run for plot, and what each command writes when nothing goes wrong."""
    top = tmp_path_factory.mktemp("outputs")
    rng = np.random.default_rng(11)
    (top / "sae").mkdir()
    write_safetensors(top / "sae/sae.safetensors", {
        "W_enc": rng.normal(size=(WIDTH, N_FEATURES)), "W_dec": rng.normal(size=(N_FEATURES, WIDTH)), "b_enc": np.zeros(N_FEATURES),
        "b_dec": np.zeros(WIDTH), "jumprelu.log_threshold": np.full(N_FEATURES, -2.0)})
    (top / "sae/config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": WIDTH, "dict_size": N_FEATURES,
                                                     "input_unit_norm": True, "dtype": "torch.float32"}))
    for name, n in (("texts", 5), ("others", 3), ("many", 20000)):
        (top / f"{name}.jsonl").write_text("".join(json.dumps({"id": i, "text": f"{name} {i}: a galaxy is bright."}) + "\n" for i in range(n)))
    for name in EXPECTED:
        out = top / "good" / name
        out.mkdir(parents=True)
        if name == "plot":
            subprocess.run(words(program, top, "analyze", top), check=True)
        subprocess.run(words(program, top, name, out), check=True)
    return top


def words(program, place, name, folder, texts="texts", more=()):
    """The command, writing into `folder`: itself for analyze and convert, else a file in it."""
    return [program, *map(str, {
        "analyze": ["analyze", "-m", MODEL, "-s", place / "sae", "-d", place / f"{texts}.jsonl", "-o", folder / "run", "--title", "t", "--steps", "none",
                    "-q"],
        "embed": ["embed", "-m", MODEL, "-d", place / f"{texts}.jsonl", "-o", folder / "x.npy", "-q"],
        "encode": ["encode", "-m", MODEL, "-s", place / "sae", "-d", place / f"{texts}.jsonl", "-o", folder / "x.npz", "-q"],
        "convert": ["convert", "--sae", place / "sae", "--to", "saelens", "-o", folder / "run", "-q"],
        "plot": ["plot", place / "run", "-o", folder / "x.svg", "-q"]}[name]), *map(str, more)]


@pytest.fixture(scope="module")
def library(tmp_path_factory, program):
    path = tmp_path_factory.mktemp("fault") / "fault.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, ROOT / "tests/support/fault.c", "-ldl"], check=True)
    if subprocess.run([program, "--version"], env={**os.environ, "LD_PRELOAD": str(path)}, capture_output=True).returncode != 0:
        pytest.skip("this build cannot be run with a library before its own (a sanitizer)")
    return path


@pytest.fixture
def faulty(library):
    """Runs words with FAULT_… set by name; the result, with text."""
    jobs = []

    def call(line, wait=True, **settings):
        env = {**os.environ, "LD_PRELOAD": str(library), **{f"FAULT_{k.upper()}": str(v) for k, v in settings.items()}}
        job = subprocess.Popen(list(map(str, line)), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        jobs.append(job)
        if not wait:
            return job
        job.out, job.err = job.communicate(timeout=60)
        return job
    yield call
    for job in jobs:
        job.kill()


def count(faulty, line, calls, tmp_path):
    """How many calls of some kinds a command makes."""
    number = tmp_path / "number"
    assert faulty(line, calls=calls, at=0, count=number).returncode == 0
    n = int(number.read_text())
    assert n > 0
    return n


def names(folder):
    """Files and empty folders below, temporary ones too."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir() or not any(p.iterdir())}


def contents(folder):
    """Bytes of the files; run.json has the time in it."""
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "run.json"}


def assert_whole(out, place, name):
    base = out / "run" if name in ("analyze", "convert") else out
    assert names(base) == EXPECTED[name]
    assert contents(out) == contents(place / "good" / name)


def fresh(tmp_path, at):
    out = tmp_path / f"out-{at}"
    out.mkdir()
    return out


# ---- killed ----


@pytest.mark.parametrize("name", EXPECTED)
def test_after_a_kill_the_same_command_runs_and_cleans_up(program, place, faulty, tmp_path, name):
    calls = "rename,create,remove" if name == "analyze" else "write,sync,rename,create,remove"
    n = count(faulty, words(program, place, name, fresh(tmp_path, 0)), calls, tmp_path)
    for at in range(1, n + 1):
        out = fresh(tmp_path, at)
        line = words(program, place, name, out)
        assert faulty(line, calls=calls, at=at, kind="kill").returncode == -signal.SIGKILL
        if (out / LAST[name]).exists():
            line.append("--force")  # it was complete already
        again = subprocess.run(line, capture_output=True, text=True)
        assert again.returncode == 0, f"killed before change {at} of {n}: {again.stderr}"
        assert_whole(out, place, name)


def test_after_a_kill_with_force_no_run_is_mixed(program, place, faulty, tmp_path):
    """An older run with a file that the new one does not have: --keep writes top_texts.jsonl."""
    older = tmp_path / "older"
    subprocess.run(words(program, place, "analyze", older, "others", ["--keep", "id"]), check=True)
    n = count(faulty, words(program, place, "analyze", fresh(tmp_path, 0)), "rename,remove", tmp_path) + 2
    for at in range(1, n + 1):
        out = tmp_path / f"out-{at}"
        shutil.copytree(older, out)
        line = words(program, place, "analyze", out, more=["--force"])
        faulty(line, calls="rename,remove", at=at, kind="kill")
        if (out / "run/run.json").exists():
            seen = subprocess.run([program, "inspect", "--check", out / "run"], capture_output=True, text=True)
            assert seen.returncode == 0, f"killed before change {at}: {seen.stderr}"
        assert subprocess.run(line).returncode == 0
        assert_whole(out, place, "analyze")


def test_what_lives_and_what_is_the_users_is_not_touched(program, place, tmp_path):
    mine = ["x.npy.tmp", "y.npy.77.tmp", ".saescope-notes.tmp", f".saescope-{HEX}.tmp.gz", f".saescope-{HEX.upper()}.tmp"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    alive, dead = tmp_path / f".saescope-{HEX}.tmp", tmp_path / f".saescope-{HEX[::-1]}.tmp"
    dead.write_text("left")
    link = tmp_path / f".saescope-{'0' * 16}.tmp"
    link.symlink_to(tmp_path / "x.npy.tmp")
    with open(alive, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert subprocess.run(words(program, place, "embed", tmp_path)).returncode == 0
        assert alive.exists() and not dead.exists()
    assert subprocess.run(words(program, place, "embed", tmp_path, more=["--force"])).returncode == 0
    assert names(tmp_path) == {"x.npy", link.name, *mine}
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


@pytest.mark.parametrize("name", ["notes", ".unfinished", ".unfinished.txt", ".unfinished.4711", f".unfinished.{HEX}0", "run.json.tmp"])
def test_a_folder_with_something_of_the_users_is_refused_by_name(run, program, place, tmp_path, name):
    (tmp_path / "run" / name).mkdir(parents=True)
    assert_refused(run(*words(program, place, "analyze", tmp_path)[1:]), 74, name, "--force")
    assert subprocess.run(words(program, place, "analyze", tmp_path, more=["--force"])).returncode == 0
    assert (tmp_path / "run" / name).is_dir() and names(tmp_path / "run") == {name, *RUN_FILES}


def test_a_dead_file_in_a_folder_is_no_content(run, program, place, tmp_path):
    (tmp_path / "run").mkdir()
    dead = tmp_path / f"run/.saescope-{HEX}.tmp"
    dead.write_text("left")
    with open(dead) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert_refused(run(*words(program, place, "convert", tmp_path)[1:]), 74, "not empty", dead.name)
    assert run(*words(program, place, "convert", tmp_path)[1:]).code == 0
    assert_whole(tmp_path, place, "convert")


def test_what_could_not_be_replaced_at_the_end_is_refused_at_once(run, program, place, tmp_path):
    """A file that is mounted by itself, as containers have them."""
    file, other = tmp_path / "x.npy", tmp_path / "other"
    file.write_text("")
    other.write_text("")
    if subprocess.run(["mount", "--bind", other, file], capture_output=True).returncode != 0:
        pytest.skip("a file cannot be mounted here")
    try:
        assert_refused(run(*words(program, place, "embed", tmp_path, more=["--force"])[1:]), 74, file, "mounted")
    finally:
        subprocess.run(["umount", file], check=True)
    assert names(tmp_path) == {"x.npy", "other"}


# ---- errors ----


@pytest.mark.parametrize("name,number", [*((name, errno.EIO) for name in EXPECTED), ("embed", errno.ENOSPC), ("convert", errno.EDQUOT)])
def test_every_change_that_fails_is_said_and_leaves_nothing(program, place, faulty, tmp_path, name, number):
    """But where cleaning up is what fails."""
    calls = "write,sync,rename,create"
    n = count(faulty, words(program, place, name, fresh(tmp_path, 0)), calls, tmp_path)
    for at in range(1, n + 1):
        out = fresh(tmp_path, at)
        done = faulty(words(program, place, name, out), calls=calls, at=at, errno=number)
        where = f"call {at} of {n}: exit {done.returncode}: {done.err}"
        if done.returncode == 0:  # such as an existing parent that could not be made
            assert_whole(out, place, name)
            continue
        assert done.returncode == 74 and done.err.count("\n") == 1 and (str(out) in done.err or "TMPDIR" in done.err), where
        assert f".unfinished." not in done.err or "folder in this folder" in done.err, where
        if "power cut" in done.err and at == n:  # all is written; only the last flush of the folder failed
            assert_whole(out, place, name)
        else:
            assert names(out) == set(), where


@pytest.mark.parametrize("name", EXPECTED)
def test_writes_that_take_nothing_end(program, place, faulty, tmp_path, name):
    n = count(faulty, words(program, place, name, fresh(tmp_path, 0)), "write", tmp_path)
    for at in range(1, n + 1):
        out = fresh(tmp_path, at)
        done = faulty(words(program, place, name, out), calls="write", at=at, kind="zero", on=1)
        assert done.returncode == 74 and "takes no more" in done.err and names(out) == set()
    out = fresh(tmp_path, n + 1)
    assert faulty(words(program, place, name, out), calls="write", at=1, kind="zero").returncode == 0  # once is no fault
    assert_whole(out, place, name)


@pytest.mark.parametrize("settings", [{"kind": "short", "on": 1}, {"errno": errno.EINTR}])
@pytest.mark.parametrize("name", EXPECTED)
def test_short_and_interrupted_writes_go_on(program, place, faulty, tmp_path, name, settings):
    assert faulty(words(program, place, name, tmp_path), calls="write", at=1, **settings).returncode == 0
    assert_whole(tmp_path, place, name)


@pytest.mark.parametrize("name,step", [("convert", 7), ("embed", 11), ("encode", 23), ("plot", 41), ("analyze", 61)])
def test_cleaning_up_needs_no_memory(program, place, faulty, tmp_path, name, step):
    n = count(faulty, words(program, place, name, fresh(tmp_path, 0)), "alloc", tmp_path)
    for at in range(1, n + 1, step):
        out = fresh(tmp_path, at)
        done = faulty(words(program, place, name, out), calls="alloc", at=at, on=1)
        assert done.returncode != 0 or names(out) != set()
        if done.returncode != 0:
            assert names(out) == set(), f"no memory from allocation {at} of {n} on: {names(out)}"


@pytest.mark.parametrize("old", [False, True])
def test_a_folder_that_cannot_be_listed_ends_whole_or_is_said(program, place, faulty, tmp_path, old):
    for at in range(1, 9):
        out = fresh(tmp_path, at)
        if old:
            subprocess.run(words(program, place, "analyze", out, "others", ["--keep", "id"]), check=True)
        done = faulty(words(program, place, "analyze", out, more=["--force"]), calls="list", at=at)
        assert done.returncode in (0, 74)
        if done.returncode == 0:
            assert_whole(out, place, "analyze")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_limit_on_the_size_of_files_is_said(program, place, tmp_path, name):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    done = subprocess.run(words(program, place, name, tmp_path), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 74 and "File too large" in done.stderr and done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr
    assert names(tmp_path) == set()


def test_a_limit_on_standard_output_is_said(program, place, tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
    with open(tmp_path / "ids", "w") as out:
        done = subprocess.run([program, "tokenize", "-m", MODEL, "-d", place / "many.jsonl"], stdout=out, stderr=subprocess.PIPE, text=True,
                              preexec_fn=limit)
    assert done.returncode == 74 and done.stderr.count("\n") == 1 and "standard output" in done.stderr


# ---- file systems that lack something ----


def test_without_renaming_that_keeps(program, place, faulty, tmp_path):
    """renameat2 is not everywhere, nor are second names: then an empty file claims the name."""
    for at, settings in enumerate([{"at": 1}, {"at": 1, "on": 1}]):
        out = fresh(tmp_path, at)
        done = faulty(words(program, place, "embed", out), calls="rename", errno=errno.EINVAL, **settings)
        if "on" in settings:  # nothing works any more
            assert done.returncode == 74 and names(out) == set()
        else:
            assert done.returncode == 0
            assert_whole(out, place, "embed")


@pytest.mark.parametrize("name", EXPECTED)
def test_without_locks(program, place, faulty, tmp_path, name):
    """Nobody can tell what is dead, so that stays, and a folder with it has content."""
    number = errno.ENOLCK
    left = tmp_path / f".saescope-{HEX}.tmp"
    left.write_text("left")
    assert faulty(words(program, place, name, tmp_path), calls="lock", at=1, on=1, errno=number).returncode == 0
    left.unlink()
    assert_whole(tmp_path, place, name)
    if name in ("analyze", "convert"):
        other = fresh(tmp_path, 1)
        (other / "run" / f".unfinished.{HEX}").mkdir(parents=True)
        done = faulty(words(program, place, name, other), calls="lock", at=1, on=1, errno=number)
        assert done.returncode == 74 and "not empty" in done.err and (other / "run" / f".unfinished.{HEX}").exists()


# ---- two at once ----


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_for_stop(job):
    _, state = os.waitpid(job.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state)


@pytest.mark.parametrize("other", ["analyze", "convert"])
@pytest.mark.parametrize("at", [7, 9, 12])
def test_a_folder_has_one_writer(program, place, faulty, tmp_path, other, at):
    """The first stops before a rename: of a file that it makes, or while it puts its files in place."""
    job = faulty(words(program, place, "analyze", tmp_path), wait=False, calls="rename", at=at, kind="stop")
    wait_for_stop(job)
    second = subprocess.run(words(program, place, other, tmp_path, "others", ["--force"]), capture_output=True, text=True)
    assert second.returncode == 74 and "another saescope" in second.stderr and second.stderr.count("\n") == 1
    job.send_signal(signal.SIGCONT)
    assert job.wait(timeout=60) == 0, job.stderr.read()
    assert_whole(tmp_path, place, "analyze")


def test_many_at_once_leave_one_whole_run(program, place, tmp_path):
    for i in range(5):
        jobs = [subprocess.Popen(words(program, place, "analyze", tmp_path, texts, ["--force"]), stderr=subprocess.PIPE, text=True)
                for texts in ("texts", "others", "texts", "others")]
        for job in jobs:
            _, err = job.communicate(timeout=60)
            assert job.returncode == 0 or (job.returncode == 74 and "another saescope" in err), err
        assert names(tmp_path / "run") == RUN_FILES
        assert subprocess.run([program, "inspect", "--check", tmp_path / "run"], capture_output=True).returncode == 0


@pytest.mark.parametrize("name,file", [("embed", "x.npy"), ("encode", "x.npz"), ("plot", "x.svg")])
def test_a_file_that_comes_to_be_meanwhile_is_left_alone(program, place, faulty, tmp_path, name, file):
    job = faulty(words(program, place, name, tmp_path), wait=False, calls="sync", at=1, kind="stop")
    wait_for_stop(job)
    (tmp_path / file).write_text("mine")
    job.send_signal(signal.SIGCONT)
    assert job.wait(timeout=60) == 74 and "meanwhile" in job.stderr.read()
    assert names(tmp_path) == {file} and (tmp_path / file).read_text() == "mine"


def test_two_writers_of_one_file_leave_one_of_both(program, place, tmp_path):
    jobs = [subprocess.Popen(words(program, place, "embed", tmp_path, texts, more)) for texts, more in
            (("texts", []), ("others", []), ("texts", ["--force"]), ("others", ["--force"]))]
    assert {job.wait(timeout=60) for job in jobs} <= {0, 74}
    assert names(tmp_path) == {"x.npy"} and np.load(tmp_path / "x.npy").shape in {(5, WIDTH), (3, WIDTH)}


# ---- places ----


def array_of(place):
    return (place / "good/embed/x.npy").read_bytes()


def embed_to(program, place, out, *more):
    line = words(program, place, "embed", place)
    line[line.index("-o") + 1] = str(out)
    return [*line, *map(str, more)]


@pytest.mark.parametrize("out", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
@pytest.mark.parametrize("to", ["file", "end", "pipe"])
def test_standard_output_gets_the_whole_array(program, place, tmp_path, out, to):
    link = tmp_path / "link"
    link.symlink_to("/proc/self/fd/1")
    line = embed_to(program, place, link if out == "link" else out)
    if to == "pipe":
        done = subprocess.run(line, capture_output=True)
        got = done.stdout
    else:  # the shell's `>` behind something that is there, and `>>`
        with open(tmp_path / "got", "wb" if to == "file" else "ab") as file:
            file.write(b"before")
            file.flush()
            done = subprocess.run(line, stdout=file, stderr=subprocess.PIPE)
        got = (tmp_path / "got").read_bytes().removeprefix(b"before")
    assert (done.returncode, done.stderr) == (0, b"") and got == array_of(place)
    assert os.readlink(link) == "/proc/self/fd/1"


def test_a_named_pipe_and_another_descriptor_get_the_whole_array(program, place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    assert subprocess.run(embed_to(program, place, tmp_path / "pipe")).returncode == 0
    assert reader.communicate(timeout=20)[0] == array_of(place) and stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    with open(tmp_path / "got", "wb") as file:
        line = embed_to(program, place, f"/dev/fd/{file.fileno()}")
        assert subprocess.run(line, pass_fds=[file.fileno()]).returncode == 0
    assert (tmp_path / "got").read_bytes() == array_of(place)
    assert subprocess.run(embed_to(program, place, "/dev/null")).returncode == 0 and stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_places_that_take_no_array_are_refused_before_any_work(run, program, place, tmp_path):
    line = lambda out, *more: map(str, embed_to(program, place, out, *more)[1:])
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "to-folder").symlink_to(place)
    assert_refused(run(*line(loop)), 74, loop, "symbolic links")
    assert_refused(run(*line(tmp_path / "to-folder", "--force")), 74, "to-folder", "folder")
    assert_refused(run(*line(tmp_path / ("n" * 256))), 74, "too long")
    assert_refused(run(*line(f"{tmp_path}/new/")), 74, "new")
    assert_refused(run(*line(f"{tmp_path}/new.npy/")), 74, "new.npy", "folder")
    assert_refused(run(*line("/dev/stdin")), 74, "/dev/stdin", "not open for writing")
    assert_refused(run(*line("/dev/stdout"), env={"TMPDIR": "/nowhere"}), 74, "TMPDIR", "/nowhere")
    for ending in ("txt", "CSV", "npz", "jsonl", "pt"):
        assert_refused(run(*line(tmp_path / f"x.{ending}")), 64, f"x.{ending}", ".npy")
    done = run(*line("-", "--json"))
    assert done.code == 64 and "--json" in done.err and done.out == ""
    for name in ("analyze", "convert"):
        command = words(program, place, name, tmp_path)[1:]
        command[command.index("-o") + 1] = "-"
        done = run(*command)
        assert done.code == 64 and "standard output" in done.err and not (tmp_path / "-").exists()
        command[command.index("-o") + 1] = "/dev/stdout"
        assert_refused(run(*command), 74, "/dev/stdout", "not a folder")
    assert names(tmp_path) == {"loop", "to-folder"}


def test_a_terminal_gets_no_array(program, place):
    parent, child = pty.openpty()
    done = subprocess.run(embed_to(program, place, "-"), stdout=child, stderr=subprocess.PIPE, text=True)
    os.close(child)
    os.close(parent)
    assert done.returncode == 74 and "terminal" in done.stderr and done.stderr.count("\n") == 1


def test_links_are_followed_and_stay(run, program, place, tmp_path):
    """To a file, over a relative link in a folder, to nothing yet."""
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk/target.npy", tmp_path / "x.npy"
    (tmp_path / "disk/inner").symlink_to("target.npy")
    link.symlink_to("disk/inner")
    assert run(*words(program, place, "embed", tmp_path)[1:]).code == 0  # to nothing
    assert target.read_bytes() == array_of(place) and link.is_symlink() and not target.is_symlink()
    target.write_text("old")
    assert_refused(run(*words(program, place, "embed", tmp_path)[1:]), 74, link, "--force")
    assert run(*words(program, place, "embed", tmp_path, more=["--force"])[1:]).code == 0
    assert target.read_bytes() == array_of(place) and os.readlink(link) == "disk/inner"
    assert names(tmp_path) == {"x.npy", "disk/target.npy", "disk/inner"}
    (tmp_path / "run").symlink_to(tmp_path / "disk/run")
    (tmp_path / "disk/run").mkdir()
    assert run(*words(program, place, "analyze", tmp_path)[1:]).code == 0
    assert names(tmp_path / "disk/run") == RUN_FILES and (tmp_path / "run").is_symlink()


def test_results_have_the_permissions_of_any_file(program, place, tmp_path):
    for mask in (0o022, 0o027, 0o002):
        for name in EXPECTED:
            out = fresh(tmp_path, f"{mask}-{name}")
            subprocess.run(words(program, place, name, out), check=True, umask=mask)
            for path in out.rglob("*"):
                assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~mask, path


def test_long_and_deep_places(run, program, place, tmp_path):
    name = "n" * 251 + ".npy"
    assert run(*map(str, embed_to(program, place, tmp_path / name)[1:])).code == 0 and names(tmp_path) == {name}
    deep = tmp_path / "/".join("abcdefgh")
    command = words(program, place, "convert", deep)[1:]
    assert run(*command).code == 0 and names(deep / "run") == EXPECTED["convert"]
    bad = tmp_path / "new/deep/er"
    command[command.index("-o") + 1], command[command.index("--sae") + 1] = str(bad), str(place / "texts.jsonl")
    assert run(*command).code == 65 and not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    command[command.index("-o") + 1] = str(tmp_path / "file/under/it")
    assert_refused(run(*command), 74, tmp_path / "file")


# ---- standard output that nobody reads ----


LISTENED = {"tokenize": ["tokenize", "-m", MODEL, "-d", "{many}"], "inspect": ["inspect", "--rows", "20000", "{many}"],
            "embed": ["embed", "-m", MODEL, "-d", "{many}", "-n", "5000", "-o", "-", "-q"], "help": ["--help"],
            "completion": ["completion", "bash"]}


@pytest.mark.parametrize("name", LISTENED)
def test_a_reader_that_has_gone_ends_the_program_quietly(program, place, name):
    line = [program, *(str(word).format(many=place / "many.jsonl") for word in LISTENED[name])]
    for ignored in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, text=True, restore_signals=not ignored)
        os.close(writer)
        if ignored:  # who does so wants to be told
            assert done.returncode == 74 and done.stderr.count("\n") == 1
        else:
            assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


# ---- input that is kept in a temporary file ----


def test_kept_input_has_no_name(program, tmp_path):
    spool = tmp_path / "spool"
    spool.mkdir()
    job = subprocess.Popen([program, "tokenize", "-m", MODEL, "-d", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           env={**os.environ, "TMPDIR": str(spool)})
    job.stdin.write(b"PAR1" + bytes(600000))
    job.stdin.flush()
    links = lambda: [os.readlink(p) for p in os.scandir(f"/proc/{job.pid}/fd")]
    wait_for(lambda: any(str(spool) in link for link in links()))
    assert list(spool.iterdir()) == []
    job.kill()
    job.wait()
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize("n", [1, 4, 12])
def test_kept_input_lies_where_tmpdir_says(run, program, tmp_path, n):
    folder = tmp_path / "/".join(["d" * 150] * n)
    data = PARQUET.read_bytes()
    ask = lambda: run("inspect", "--rows", "1", "-", stdin=data, env={"TMPDIR": str(folder)})
    missing = ask()
    assert missing.code == 74 and missing.err.count("\n") == 1 and "TMPDIR" in missing.err
    assert str(folder) in missing.err or n > 4
    folder.mkdir(parents=True)
    there = ask()
    assert there.code == 0 and there.out and list(folder.iterdir()) == []
