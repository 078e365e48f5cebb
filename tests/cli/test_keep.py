"""Columns that are carried along (`analyze --keep`): top_texts.jsonl beside the files that every run has.

The dataset's columns in Parquet and Arrow are of every type that is shown; tests/data/rows holds them, made by
tools/make_keep_files.py with pyarrow, beside what they must look like.
"""
import json
import subprocess

import pytest

from conftest import ROOT
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

DATA = ROOT / "tests/data/rows"
FORMATS = ["kept.jsonl", "kept.csv", "kept.parquet", "kept-v2.parquet", "kept.arrow", "kept.arrows"]


def analyze(program, model, sae, dataset, out, *more):  # noqa: F811
    return subprocess.run([program, "analyze", "--model", model, "--sae", sae, "--dataset", dataset, "--out", out, "-q", *more],
                          capture_output=True, text=True)


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


@pytest.mark.parametrize("name", FORMATS)
def test_top_texts_have_their_columns(program, model, sae, tmp_path, name):  # noqa: F811
    rows = lines_of(DATA / "kept.expected.jsonl")
    columns = ["id", "title"] if name.endswith(("csv", "jsonl")) else [key for key in rows[0] if key != "text"]
    done = analyze(program, model, sae, DATA / name, tmp_path / "run", "--text-column", "text", "--keep", ", ".join(columns))
    assert done.returncode == 0, done.stderr
    lines = lines_of(tmp_path / "run/top_texts.jsonl")
    lists = json.loads((tmp_path / "run/top_activations.json").read_text("utf8"))
    assert [[line["activation"], line["text"]] for line in lines] == [pair for pairs in lists for pair in pairs]
    assert len(lines) > len(rows)  # so that rows stand in several lists, with whichever of the models
    for line in lines:
        assert line["file"] == str(DATA / name)
        want = {key: rows[line["row"]][key] for key in columns}
        if name.endswith("csv"):
            want = {key: str(value) for key, value in want.items()}
        assert line["kept"] == want
        assert line["text"] == rows[line["row"]]["text"]
    assert "top_texts.jsonl" in json.loads((tmp_path / "run/run.json").read_text())["outputs"]


@pytest.mark.parametrize("name", ["uuids.parquet", "uuids.arrow"])
def test_identifiers_and_intervals(program, name):
    """Bytes that are no text: a UUID is not repaired as if it were UTF-8, an interval no number."""
    want = json.loads((DATA / "uuids.expected.json").read_text("utf8"))
    done = subprocess.run([program, "inspect", "--rows", "9", DATA / name], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for column in rows[0].keys() - {"text"}:
        assert [row[column] for row in rows] == want[column], column
    assert "'key' (uuid)" in subprocess.run([program, "inspect", "--rows", "9", "--where", "no = 1", DATA / name], capture_output=True, text=True).stderr


def test_other_files_do_not_change(program, model, sae, tmp_path):  # noqa: F811
    assert analyze(program, model, sae, DATA / "kept.jsonl", tmp_path / "a").returncode == 0
    assert analyze(program, model, sae, DATA / "kept.jsonl", tmp_path / "b", "--keep", "id").returncode == 0
    names = {path.relative_to(tmp_path / "a").as_posix() for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*") if path.is_file()} == names | {"top_texts.jsonl"}
    for name in names - {"run.json", "analysis.state", "evidence/texts.arrow"}:  # which have columns of them
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    again = analyze(program, model, sae, DATA / "kept.jsonl", tmp_path / "b", "--force")
    assert again.returncode == 0 and not (tmp_path / "b/top_texts.jsonl").exists()


@pytest.mark.parametrize("name", ["kept.jsonl", "kept.csv", "kept.parquet", "kept.arrow"])
def test_an_unknown_column_is_told(program, model, sae, tmp_path, name):  # noqa: F811
    done = analyze(program, model, sae, DATA / name, tmp_path / "run", "--text-column", "text", "--keep", "id,year")
    assert done.returncode == 65 and not (tmp_path / "run").exists()
    assert "there is no column to keep 'year'; the columns are 'id' (" in done.stderr


def test_plain_text_has_no_columns(program, model, sae, tmp_path):  # noqa: F811
    (tmp_path / "a.txt").write_text("one star\n")
    done = analyze(program, model, sae, tmp_path / "a.txt", tmp_path / "run", "--keep", "id")
    assert done.returncode == 64 and "no columns to keep" in done.stderr
