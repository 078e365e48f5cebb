"""Pointers of a large-file store in place of any file of a model, an SAE, embeddings or a dataset: one message says what they are."""
import shutil

import pytest

from conftest import ROOT

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 90868376\n"
ENCODERS = ROOT / "tests/data/encoder"
FORMATS = ROOT / "tests/data/sae/formats"


def check(done):
    assert done.code == 65, (done.code, done.err)
    assert "pointer of a large-file store (Git LFS)" in done.err and "'git lfs pull'" in done.err, done.err


def files(folder):
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md" and path.name != "expected.txt"]


def first_with_each(root, family):
    """(folder, file) for every name of a file in every family of folders."""
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not list(path.glob("checkpoints"))):
        for path in files(folder):
            found.setdefault((family(folder.name), str(path)), (folder.name, str(path)))
    return sorted(found.values())


@pytest.mark.parametrize("name, path", first_with_each(ENCODERS, lambda name: ""))
def test_files_of_a_model(run, tmp_path, name, path):
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    shutil.copytree(ENCODERS / name, tmp_path / "m")
    (tmp_path / "m" / path).write_bytes(POINTER)
    check(run("embed", "-m", tmp_path / "m", "-d", tmp_path / "rows.jsonl", "-o", tmp_path / "x.npy"))
    if path == "tokenizer.json":
        check(run("tokenize", "-m", tmp_path / "m", "-d", tmp_path / "rows.jsonl"))


@pytest.mark.parametrize("name, path", first_with_each(FORMATS, lambda name: name.split("-")[0]))
def test_files_of_an_sae(run, tmp_path, name, path):
    shutil.copytree(FORMATS / name, tmp_path / "s")
    (tmp_path / "s" / path).write_bytes(POINTER)
    check(run("inspect", "--as", "sae", tmp_path / "s" if len(files(FORMATS / name)) > 1 else tmp_path / "s" / path))


@pytest.mark.parametrize("ending", ["npy", "npz", "safetensors", "pt", "bin", "pth", "parquet", "arrow", "csv", "jsonl", "json", "txt", "csv.gz", "tar.gz", "zip", "tar", "unknown"])
def test_other_files(run, tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(POINTER)
    check(run("inspect", path))
    check(run("inspect", "--as", "dataset", path))
    if ending not in ("tar.gz", "zip", "tar", "unknown", "txt"):
        check(run("analyze", "--embeddings", path, "--sae", FORMATS / "openai-topk/5.pt", "--out", tmp_path / "run"))


def test_standard_input(run):
    check(run("tokenize", "-m", ENCODERS / "mpnet-mean", "-d", "-", stdin=POINTER))
