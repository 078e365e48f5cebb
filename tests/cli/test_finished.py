"""A finished run: given again it says so, and further files are added to it.

The run over all files, in the same order, is what the same program writes in one go; that its numbers are right is shown elsewhere.
What is refused, and with which sentence, is written by hand."""
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
import zipfile

import numpy as np
import pytest

from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs
from test_parts import OPTIONS, files_of, manifest, write_corpus

DONE, PLAIN = "complete already; nothing was done", [o for o in OPTIONS if o != "--quiet"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def call(program, model, sae):  # noqa: F811
    def run_it(*words, check=True, options=PLAIN, steps="none", stdin=None, sae_path=sae, **more):
        line = [program, "analyze", "-m", model, "-s", sae_path, *options, "--steps", steps, *words]
        done = subprocess.run([str(w) for w in line], capture_output=True, text=True, timeout=300, input=stdin, **more)
        assert not check or done.returncode == 0, done.stderr
        return done
    return run_it


def options_but(words):
    """The usual options without those that are given otherwise."""
    found = []
    for option, value in zip(PLAIN[::2], PLAIN[1::2]):
        found += [] if option in words else [option, value]
    return found


def d(*paths):
    return [word for path in paths for word in ("-d", path)]


def assert_same(found, expected):
    left, right = files_of(found), files_of(expected)
    assert left.keys() == right.keys()
    assert not [name for name in left if left[name] != right[name] and name != "run.json"]
    assert manifest(found) == manifest(expected)


# ---- again ----

def archive(corpus, folder):
    with zipfile.ZipFile(folder / "x.zip", "w") as file:
        for name in ("a.jsonl", "f.jsonl"):
            file.write(corpus / name, name)
    return folder / "x.zip"


@pytest.mark.parametrize("shape", ["file", "files", "folder", "glob", "archive", "parquet-like names", "where", "sample", "first rows"])
def test_a_finished_run_given_again_says_so(call, corpus, tmp_path, shape):
    words = {"file": d(corpus / "a.jsonl"), "files": d(*sorted(corpus.iterdir())), "folder": d(corpus), "glob": d(f"{corpus}/*.jsonl"),
             "where": [*d(corpus / "a.jsonl"), "--where", "id < 90"], "sample": [*d(corpus / "a.jsonl"), "--sample", "40"],
             "first rows": [*d(corpus / "a.jsonl"), "-n", "50"]}.get(shape)
    if shape == "archive":
        words = d(archive(corpus, tmp_path))
    if shape == "parquet-like names":
        shutil.copy(corpus / "a.jsonl", tmp_path / "train-00000-of-00001.jsonl")
        words = d(tmp_path / "train-00000-of-00001.jsonl")
    call(*words, "-o", tmp_path / "run")
    before = files_of(tmp_path / "run")
    again = call(*words, "-o", tmp_path / "run")
    assert DONE in again.stderr and "Rows " in again.stdout
    assert files_of(tmp_path / "run") == before
    quiet = call(*words, "-o", tmp_path / "run", "--threads", "1", "--batch-tokens", "100", "--json")
    assert json.loads(quiet.stdout)["rows_used"] == json.loads((tmp_path / "run/run.json").read_text())["rows"]["used"]


@pytest.mark.parametrize("words, needle", [
    (["--top-k", "5"], "gathers.top_k (4 and 5) differs"),
    (["--keep-duplicates"], "gathers.keep_duplicates (false and true) differs"),
    (["--sample-rows", "20"], "evidence"),
    (["--sample-seed", "4"], "gathers.seed (0 and 4) differs"),
    (["--no-pairs"], "gathers.pairs (true and false) differs"),
    (["--evidence", "none"], "gathers"),
    (["-n", "50"], "gathers.num_examples (0 and 50) differs"),
    (["--prompt", "x: "], "encoder.prompt"),
    (["--max-tokens", "9"], "encoder.max_tokens"),
    (["--where", "id < 5"], "dataset"),
    (["--keep", "text"], "dataset.keep"),
    (["--on-bad-row", "stop"], "dataset.on_bad_row"),
    (["--title", "Other"], "its title is"),
])
def test_another_analysis_is_refused_with_what_differs(call, corpus, tmp_path, words, needle):
    call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run")
    done = call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run", *words, options=options_but(words), check=False)
    assert done.returncode == 74 and needle in done.stderr and "--force" in done.stderr, done.stderr


def test_another_sae_or_file_is_refused(call, corpus, sae, tmp_path):  # noqa: F811
    shutil.copy(corpus / "a.jsonl", tmp_path / "a.jsonl")
    call(*d(tmp_path / "a.jsonl"), "-o", tmp_path / "run")
    shutil.copytree(sae, tmp_path / "sae")
    (tmp_path / "sae/config.json").write_text((sae / "config.json").read_text() + " ")
    done = call(*d(tmp_path / "a.jsonl"), "-o", tmp_path / "run", check=False, sae_path=tmp_path / "sae")
    assert done.returncode == 74 and "sae.files" in done.stderr, done.stderr
    os.utime(tmp_path / "a.jsonl", (1, 1))                    # another time, the same content
    assert DONE in call(*d(tmp_path / "a.jsonl"), "-o", tmp_path / "run").stderr
    done = call(*d(tmp_path / "a.jsonl", corpus / "f.jsonl"), "-o", tmp_path / "run", check=False)
    assert done.returncode == 74 and "dataset.files" in done.stderr, done.stderr
    text = (tmp_path / "a.jsonl").read_bytes()
    (tmp_path / "a.jsonl").write_bytes(text.replace(b"star", b"scar", 1))
    done = call(*d(tmp_path / "a.jsonl"), "-o", tmp_path / "run", check=False)
    assert done.returncode == 74 and "dataset.files[0].edges" in done.stderr, done.stderr


def test_a_change_in_the_middle_of_a_large_file_is_seen(call, corpus, tmp_path):
    path = tmp_path / "large.jsonl"
    lines = "".join(json.dumps({"text": f"a star {i}"}) + "\n" for i in range(12000))
    path.write_text(lines)
    options = ["--top-k", "3", "--evidence", "none", "--no-pairs"]
    call(*d(path), "-o", tmp_path / "run", options=options)
    assert DONE in call(*d(path), "-o", tmp_path / "run", options=options).stderr
    path.write_text(lines.replace("a star 6000", "a scar 6000"))
    done = call(*d(path), "-o", tmp_path / "run", options=options, check=False)
    assert done.returncode == 74 and "large.jsonl was written to since" in done.stderr, done.stderr


def test_rows_that_come_once_cannot_be_compared(call, tmp_path):
    rows = '{"id": 1, "text": "a star"}\n'
    call("-d", "-", "-o", tmp_path / "run", stdin=rows)
    done = call("-d", "-", "-o", tmp_path / "run", stdin=rows, check=False)
    assert done.returncode == 74 and "not empty" in done.stderr, done.stderr


def test_embeddings_given_again(program, sae, tmp_path):  # noqa: F811
    width = json.loads((sae / "config.json").read_text())["act_size"]
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(80, width)).astype("f4"))
    line = [program, "analyze", "--embeddings", tmp_path / "x.npy", "-s", sae, "-o", tmp_path / "run", "--steps", "none"]
    subprocess.run(list(map(str, line)), check=True, capture_output=True)
    again = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    assert again.returncode == 0 and DONE in again.stderr, again.stderr
    np.save(tmp_path / "x.npy", np.random.default_rng(2).normal(size=(80, width)).astype("f4"))
    other = subprocess.run(list(map(str, line)), capture_output=True, text=True)
    assert other.returncode == 74 and "embeddings.files[0].sha256" in other.stderr, other.stderr


def test_saved_embeddings_are_part_of_what_was_asked_for(call, corpus, tmp_path):
    words = [*d(corpus / "a.jsonl"), "-o", tmp_path / "run", "--save-embeddings", tmp_path / "x.npy"]
    call(*words)
    before = (tmp_path / "x.npy").read_bytes()
    assert DONE in call(*words).stderr and (tmp_path / "x.npy").read_bytes() == before
    (tmp_path / "x.npy").unlink()
    done = call(*words, check=False)
    assert done.returncode == 74 and "has no embeddings in" in done.stderr, done.stderr


def test_steps_that_are_missing_are_made(call, corpus, tmp_path):
    words = d(*sorted(corpus.iterdir()))
    call(*words, "-o", tmp_path / "run")
    call(*words, "-o", tmp_path / "once", steps="families")
    later = call(*words, "-o", tmp_path / "run", steps="families")
    assert "but for what is made of it now" in later.stderr, later.stderr
    assert_same(tmp_path / "run", tmp_path / "once")
    assert DONE in call(*words, "-o", tmp_path / "run", steps="families").stderr


def test_a_run_of_an_earlier_version_is_content_like_any_other(call, corpus, tmp_path):
    call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run")
    root = json.loads((tmp_path / "run/run.json").read_text())
    del root["identity"]
    (tmp_path / "run/run.json").write_text(json.dumps(root))
    done = call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run", check=False)
    assert done.returncode == 74 and "not empty" in done.stderr, done.stderr
    (tmp_path / "run/run.json").write_text("{")
    done = call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run", check=False)
    assert done.returncode == 74 and "not empty" in done.stderr, done.stderr


# ---- --append ----

def write_files(folder, n, rng):
    """n files with rows: equal texts, missing ones, broken lines, compressed or not."""
    words = "star galaxy dust cold gas spectrum planet orbit".split()
    for i in range(n):
        rows = [json.dumps({"id": k, "text": rng.choice([None, "", "Stars."] + [" ".join(rng.choices(words, k=5))] * 9)})
                if rng.random() > 0.05 else '{"text": "br' for k in range(rng.randint(8, 40))]
        data = ("\n".join(rows) + "\n").encode()
        if i % 3 == 2:
            (folder / f"{i:02d}.jsonl.gz").write_bytes(gzip.compress(data, mtime=0))
        else:
            (folder / f"{i:02d}.jsonl").write_bytes(data)
    return sorted(folder.iterdir())


def test_ten_appends_equal_one_run_over_the_same_order(call, tmp_path):
    (tmp_path / "in").mkdir()
    files = write_files(tmp_path / "in", 12, random.Random(5))
    random.Random(6).shuffle(files)                          # the order is that of the appends, not of the names
    call(*d(*files), "-o", tmp_path / "once", "--title", "T")
    call(*d(*files[:2]), "-o", tmp_path / "run", "--title", "T")
    for path in files[2:]:
        call(*d(path), "--append", tmp_path / "run")
        assert (tmp_path / "run/run.json").exists()
    assert_same(tmp_path / "run", tmp_path / "once")
    again = call(*d(*files), "-o", tmp_path / "run", "--title", "T")
    assert DONE in again.stderr


def test_merged_runs_can_be_appended_to(program, call, corpus, tmp_path):
    files = sorted(corpus.iterdir())
    call(*d(*files), "-o", tmp_path / "once", "--title", "T")
    for part in (1, 2, 3):
        call(*d(*files[:4]), "--part", f"{part}/3", "-o", tmp_path / "parts")
    states = sorted(map(str, (tmp_path / "parts").iterdir()))
    subprocess.run([str(program), "merge", *states, "-o", str(tmp_path / "run"), "--steps", "none", "--title", "T"], check=True)
    call(*d(*files[4:]), "--append", tmp_path / "run", "--title", "T")
    assert_same(tmp_path / "run", tmp_path / "once")


def test_files_that_are_in_are_left_out(call, corpus, tmp_path):
    files = [corpus / name for name in ("a.jsonl", "b.csv", "e.json")]
    call(*d(*files), "-o", tmp_path / "once")
    call(*d(files[0]), "-o", tmp_path / "run")
    copies = tmp_path / "copies"
    copies.mkdir()
    shutil.copy(files[0], copies)                            # moved or copied: the same name and content
    done = call(*d(files[1], copies / "a.jsonl", files[2]), "--append", tmp_path / "run")
    assert "1 file in it already" in done.stderr, done.stderr
    assert_same(tmp_path / "run", tmp_path / "once")
    before = files_of(tmp_path / "run")
    done = call(*d(*files), "--append", tmp_path / "run")
    assert "3 files given, all in it already; nothing was done" in done.stderr, done.stderr
    assert files_of(tmp_path / "run") == before


def test_files_of_one_name_in_two_folders_are_two(call, corpus, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    shutil.copy(corpus / "a.jsonl", tmp_path / "x/data.jsonl")
    shutil.copy(corpus / "f.jsonl", tmp_path / "y/data.jsonl")
    call(*d(tmp_path / "x/data.jsonl", tmp_path / "y/data.jsonl"), "-o", tmp_path / "once")
    call(*d(tmp_path / "x/data.jsonl"), "-o", tmp_path / "run")
    call(*d(tmp_path / "y/data.jsonl"), "--append", tmp_path / "run")
    assert_same(tmp_path / "run", tmp_path / "once")


@pytest.mark.parametrize("named", [True, False])
def test_a_changed_file_is_refused_by_name(call, corpus, tmp_path, named):
    shutil.copy(corpus / "a.jsonl", tmp_path / "a.jsonl")
    call(*d(tmp_path / "a.jsonl"), "-o", tmp_path / "run")
    before = files_of(tmp_path / "run")
    with open(tmp_path / "a.jsonl", "a") as file:
        file.write('{"text": "one more"}\n')
    files = [tmp_path / "a.jsonl"] * named + [corpus / "f.jsonl"]
    done = call(*d(*files), "--append", tmp_path / "run", check=False)
    assert done.returncode == 65 and "a.jsonl: this file is in the run" in done.stderr and "has changed since" in done.stderr, done.stderr
    assert files_of(tmp_path / "run") == before


def test_archives_are_appended_and_known(call, corpus, tmp_path):
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    for path, names in ((first, ["a.jsonl"]), (second, ["f.jsonl"])):
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.write(corpus / name, name)
    call(*d(first, second), "-o", tmp_path / "once")
    call(*d(first), "-o", tmp_path / "run")
    call(*d(first, second), "--append", tmp_path / "run")
    assert_same(tmp_path / "run", tmp_path / "once")
    with zipfile.ZipFile(second, "a") as file:
        file.write(corpus / "b.csv", "more.jsonl")
    done = call(*d(second), "--append", tmp_path / "run", check=False)
    assert done.returncode == 65 and "second.zip" in done.stderr and "has changed since" in done.stderr, done.stderr


@pytest.mark.parametrize("words, code, needle", [
    (["--top-k", "5"], 65, "gathers.top_k"),
    (["--prompt", "x: "], 65, "encoder.prompt"),
    (["-n", "5"], 64, "counts used rows"),
    (["--sample", "5"], 64, "choose with `where`"),
    (["--part", "1/2"], 64, "append when all are merged"),
    (["--force"], 64, "makes a run anew"),
    (["--save-embeddings", "x.npy"], 64, "embed the new files"),
    (["-o", "elsewhere"], 64, "--append names the folder"),
])
def test_what_cannot_be_appended_is_refused_first(call, corpus, tmp_path, words, code, needle):
    call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run")
    before = files_of(tmp_path / "run")
    done = call(*d(corpus / "f.jsonl"), "--append", tmp_path / "run", *words, options=options_but(words), check=False, cwd=tmp_path)
    needle = needle.replace("`where`", "--where")
    assert done.returncode == code and needle in done.stderr, done.stderr
    assert files_of(tmp_path / "run") == before


def test_runs_without_a_state_say_so(call, corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    done = call(*d(corpus / "f.jsonl"), "--append", tmp_path / "empty", check=False)
    assert done.returncode == 66 and "no finished run" in done.stderr, done.stderr
    call(*d(corpus / "a.jsonl"), "-n", "20", "-o", tmp_path / "run")
    assert not (tmp_path / "run/analysis.state").exists()
    done = call(*d(corpus / "f.jsonl"), "--append", tmp_path / "run", check=False)
    assert done.returncode == 66 and "keeps no state" in done.stderr, done.stderr
    call(*d(corpus / "a.jsonl"), "-o", tmp_path / "run", "--force")
    state = tmp_path / "run/analysis.state"
    data = bytearray(state.read_bytes())
    data[100] ^= 1
    state.write_bytes(data)
    done = call(*d(corpus / "f.jsonl"), "--append", tmp_path / "run", check=False)
    assert done.returncode == 65 and "damaged" in done.stderr, done.stderr


def test_an_append_that_was_killed_goes_on(program, model, sae, tmp_path):  # noqa: F811
    (tmp_path / "in").mkdir()
    rng = random.Random(9)
    for name, n in (("a", 60), ("b", 9000)):
        (tmp_path / f"in/{name}.jsonl").write_text("".join(json.dumps({"text": f"star {rng.randrange(500)} of {rng.randrange(9)}"}) + "\n"
                                                           for _ in range(n)))
    line = [str(w) for w in (program, "analyze", "-m", model, "-s", sae, "--steps", "none", "--threads", "1", "--batch-tokens", "300",
                             "--checkpoint-seconds", "0.02")]
    a, b = (d(str(tmp_path / f"in/{name}.jsonl")) for name in "ab")
    subprocess.run([*line, *a, *b, "-o", str(tmp_path / "once")], check=True, capture_output=True)
    subprocess.run([*line, *a, "-o", str(tmp_path / "run")], check=True, capture_output=True)
    process = subprocess.Popen([*line, *b, "--append", str(tmp_path / "run")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.time() + 60
    while not (tmp_path / "run/.saescope.checkpoint").exists() and process.poll() is None and time.time() < end:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "run/run.json").exists()              # the run of before is whole
    done = subprocess.run([*line, *b, "--append", str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == 0 and "going on after" in done.stderr, done.stderr
    assert_same(tmp_path / "run", tmp_path / "once")
