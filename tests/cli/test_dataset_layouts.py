"""Folders, archives and files of datasets as programs leave them, with the rows that count (tools/make_dataset_layouts.py)."""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest

DATA = json.loads((Path(__file__).resolve().parents[1] / "data/dataset_layouts.json").read_text("utf8"))


def lay_out(case, folder):
    for path, packed in case["files"].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(zlib.decompress(base64.b64decode(packed)))


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_layout(case, tmp_path, run):
    lay_out(case, tmp_path)
    for ask in case["asks"]:
        path = tmp_path / ask["path"] if ask["path"] != "." else tmp_path
        done = run("inspect", path, "--as", "dataset", "--rows", 10000, *ask["words"])
        if "rows" in ask:
            assert done.code == 0, (ask, done.err)
            rows = [json.loads(line) for line in done.out.splitlines()]
            assert [row.get(ask["column"]) for row in rows] == ask["rows"], (ask, done.err)
            for word in ask["says"]:
                assert word in done.err, ask
        else:
            assert done.code in (64, 65, 66), (ask, done.err, done.out)
            for word in ask["refused"]:
                assert word in done.err.splitlines()[-1], (ask, done.err)


# ---- what a folder's listing meets ----

ROW = '{"text": "%s"}\n'


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "d"
    (root / "b").mkdir(parents=True)
    for name in ["a", "b/c", "d"]:
        (root / f"{name}.jsonl").write_text(ROW % name)
    return root


def read(run, *words):
    done = run("inspect", *words, "--as", "dataset", "--rows", 100)
    return done, [json.loads(line)["text"] for line in done.out.splitlines()] if done.code == 0 else None


@pytest.mark.parametrize("words", [[], ["--split", "train"]])
@pytest.mark.parametrize("target", ["nowhere", "self.jsonl"])
def test_links_to_nowhere(run, folder, words, target):
    (folder / "self.jsonl").symlink_to(folder / target if target == "nowhere" else "self.jsonl")
    done, _ = read(run, folder, *words)
    assert done.code == 66 and "self.jsonl" in done.err, done.err
    done, _ = read(run, folder / "*.jsonl")
    assert done.code == 66 and "self.jsonl" in done.err, done.err
    (folder / "self.jsonl").unlink()
    (folder / "shards").symlink_to(folder / target)
    done, rows = read(run, folder, *words)
    assert rows == ["a", "b/c", "d"] and "shards: left out" in done.err
    (folder / "shards").unlink()
    (folder / ".#lock.jsonl").symlink_to(folder / target)
    done, rows = read(run, folder, *words)
    assert rows == ["a", "b/c", "d"] and done.err == ""


def test_links_are_followed(run, folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/x.jsonl").write_text(ROW % "x")
    (folder / "z").symlink_to(tmp_path / "other")
    (folder / "y.jsonl").symlink_to(tmp_path / "other/x.jsonl")
    assert read(run, folder)[1] == ["a", "b/c", "d", "x", "x"]


def test_what_is_no_file(run, folder):
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        done, rows = read(run, folder)
    assert rows == ["a", "b/c", "d"] and "pipe.jsonl: left out" in done.err and "socket" not in done.err


@pytest.mark.parametrize("path", ["", "b/*", "*/*.jsonl", "**/*.jsonl"])
def test_folders_that_cannot_be_read(program, path):
    """As a user for whom permissions count."""
    def become_nobody():
        if os.getuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        folder = Path(root)
        (folder / "b").mkdir()
        (folder / "a.jsonl").write_text(ROW % "a")
        (folder / "b/c.jsonl").write_text(ROW % "c")
        copy = shutil.copy(program, folder / "program")
        (folder / "b").chmod(0)
        done = subprocess.run([copy, "inspect", folder / path, "--as", "dataset", "--rows", "9"], capture_output=True, text=True, preexec_fn=become_nobody)
        (folder / "b").chmod(0o755)
    assert done.returncode == 66 and "/b: cannot list" in done.stderr, done.stderr


def test_patterns(run, folder):
    (folder / "b/.h.jsonl").write_text(ROW % "no")
    (folder / "b/_t.jsonl").write_text(ROW % "named")
    (folder / ".g").mkdir()
    (folder / ".g/x.jsonl").write_text(ROW % "hidden")
    for pattern, rows in {"*.jsonl": ["a", "d"], "*/*.jsonl": ["b/c"], "**/*.jsonl": ["a", "b/c", "d"], "**": ["a", "b/c", "d"], "b/**": ["b/c"], "[ad].jsonl": ["a", "d"],
                          "?.jsonl": ["a", "d"], "b/_*": ["named"], ".g/*": ["hidden"], "**/c.*": ["b/c"], "*/c.jsonl": ["b/c"], "b//c*": ["b/c"], "./**/d.jsonl": ["d"]}.items():
        done, found = read(run, f"{folder}/{pattern}")
        assert found == rows, (pattern, done.err)
    assert read(run, folder / "*.nothing")[0].code == 66


def test_order_and_repetition(run, tmp_path, program):
    """What is given keeps its order; a folder, a pattern and an archive are in natural order: part-2 before part-10."""
    for i in (1, 2, 10):
        (tmp_path / f"part-{i}.csv").write_text(f"text\n{i}\n")
    assert [row["text"] for row in map(json.loads, run("inspect", tmp_path, "--as", "dataset", "--rows", 9).out.splitlines())] == ["1", "2", "10"]
    assert [row["text"] for row in map(json.loads, run("inspect", f"{tmp_path}/part-*", "--as", "dataset", "--rows", 9).out.splitlines())] == ["1", "2", "10"]
    names = ["a/3.csv", "a/20.csv", "a/020.csv", "a9/x.csv", "a10/x.csv", "b1-10-2.csv", "b1-9-3.csv", "b1-9-20.csv", "b.csv", "b00000000000000000000000000000000001.csv"]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in names:
            archive.writestr(name, f"text\n{name}\n")
    order = ["a/3.csv", "a/020.csv", "a/20.csv", "a9/x.csv", "a10/x.csv", "b.csv", "b1-9-3.csv", "b1-9-20.csv", "b1-10-2.csv",
             "b00000000000000000000000000000000001.csv"]
    assert [json.loads(line)["text"] for line in run("inspect", tmp_path / "x.zip", "--as", "dataset", "--rows", 99).out.splitlines()] == order
