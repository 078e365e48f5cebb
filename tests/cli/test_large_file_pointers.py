"""Pointers of a large-file store, and pages of a server, in place of any file of a model, an SAE, embeddings or a dataset: one message says what they are."""
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


KEY = "SHA256E-s1234--" + "ab" * 32
ANNEXED = [f"/annex/objects/{KEY}.csv\n", f"/annex/objects/{KEY}", f"../.git/annex/objects/zz/1x/{KEY}.csv/{KEY}.csv"]


@pytest.mark.parametrize("pointer", ANNEXED)
@pytest.mark.parametrize("ending", ["npy", "safetensors", "pt", "parquet", "arrow", "csv", "jsonl", "json", "txt", "csv.gz", "zip", "unknown"])
def test_pointers_of_git_annex(run, tmp_path, ending, pointer):
    path = tmp_path / f"x.{ending}"
    path.write_text(pointer)
    for words in ([], ["--as", "dataset"]):
        done = run("inspect", *words, path)
        assert done.code == 65 and "git-annex" in done.err and "'git annex get'" in done.err, done.err


def test_links_of_git_annex(run, tmp_path):
    (tmp_path / "x.csv").symlink_to(f".git/annex/objects/zz/1x/{KEY}/{KEY}")
    (tmp_path / "y.csv").symlink_to("elsewhere.csv")
    for name, way in ("x.csv", "'git annex get'"), ("y.csv", "restore"):
        done = run("tokenize", "-m", ENCODERS / "mpnet-mean", "-d", tmp_path / name)
        assert done.code == 66 and "a link that leads nowhere" in done.err and way in done.err, done.err


@pytest.mark.parametrize("text", ["/annex/objects is a folder of git-annex\n", f"/annex/objects/{KEY}\nmore\n", f"see /annex/objects/{KEY}\n"])
def test_texts_that_are_no_pointers(run, tmp_path, text):
    (tmp_path / "x.txt").write_text(text)
    done = run("inspect", "--rows", 9, tmp_path / "x.txt")
    assert done.code == 0 and len(done.out.splitlines()) == len(text.splitlines())


@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<html><title>Sign in</title>\n", "\n <!doctype HTML>\n", "<html lang='en'>\n", "\ufeff<HTML>\n",
                                  '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>\n'])
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "arrow", "feather", "csv.gz", "json", "jsonl"])
def test_pages_in_place_of_a_table(run, tmp_path, ending, page):
    """A server's error or a page to sign in, saved under the file's name; a text may well begin so."""
    (tmp_path / f"x.{ending}").write_text(page)
    (tmp_path / "x.txt").write_text(page)
    for words in (["inspect", "--rows", 1], ["tokenize", "-m", ENCODERS / "mpnet-mean", "-d"]):
        done = run(*words, tmp_path / f"x.{ending}")
        assert done.code == 65 and ("expected a JSON value" if "json" in ending else "web page") in done.err, done.err
        assert run(*words, tmp_path / "x.txt", *(["--skip-empty"] if words[0] != "inspect" else [])).code == 0
