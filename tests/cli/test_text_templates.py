"""Texts made of several columns (`--text-column '{title}. {abstract}'`), in every format that has columns.

What a text must be is Python's str.format over the row, which tests/data/rows/kept.expected.jsonl has (made with pyarrow by
tools/make_keep_files.py): strings as they are, null as nothing, other values as JSON.
"""
import csv
import gzip
import json

import pytest

from conftest import ROOT
from helpers import assert_refused
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

DATA = ROOT / "tests/data/rows"
FORMATS = ["kept.jsonl", "kept.csv", "kept.parquet", "kept-v2.parquet", "kept.arrow", "kept.arrows"]
ROWS = [json.loads(line) for line in (DATA / "kept.expected.jsonl").read_text("utf8").splitlines()]
PLAIN = ["title", "text", "id"]


def word(value, as_text=False):
    return "" if value is None else value if isinstance(value, str) else str(value) if as_text else json.dumps(value, ensure_ascii=False)


def texts_of(run, model, sae, dataset, template, tmp_path, *more):  # noqa: F811
    out = tmp_path / "out.jsonl"
    done = run("encode", "-m", model, "-s", sae, "-d", dataset, "--text-column", template, "--with-text", "-o", out, "-q", "-f", *more)
    assert done.code == 0, done.err
    return [json.loads(line) for line in out.read_text("utf8").splitlines()]


@pytest.mark.parametrize("template", ["{title}. {text}", "{text}", "{id}", "<{id}>{title}{title}{{{text}}} {{}}", "{text}\n{id}"])
@pytest.mark.parametrize("name", FORMATS)
def test_plain_columns(run, model, sae, tmp_path, name, template):  # noqa: F811
    rows = [{key: word(row[key], name.endswith("csv")) for key in PLAIN} for row in ROWS]
    for keep in ([], ["--keep", "title"], ["--keep", "text,id"]):
        got = texts_of(run, model, sae, DATA / name, template, tmp_path, *keep)
        assert [row["text"] for row in got] == [template.format(**row) for row in rows]
        if keep:
            assert [list(row["kept"]) for row in got] == [keep[1].split(",")] * len(rows)


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.endswith(("csv", "jsonl"))])
@pytest.mark.parametrize("column", [key for key in ROWS[0] if key not in PLAIN])
def test_columns_of_every_type(run, model, sae, tmp_path, name, column):  # noqa: F811
    got = texts_of(run, model, sae, DATA / name, "{text} {%s}!" % column, tmp_path)
    for row, have in zip(ROWS, got, strict=True):
        expected = word(row[column])
        if isinstance(row[column], (list, dict, float)):  # the same value, spaces and digits aside
            assert json.loads(have["text"].removeprefix(row["text"] + " ").removesuffix("!")) == row[column]
        else:
            assert have["text"] == f"{row['text']} {expected}!"


def test_rows_that_lack_values(run, model, sae, tmp_path):  # noqa: F811
    rows = [{"a": "x", "b": None}, {"a": None, "b": None}, {"a": "", "b": None}, {"a": " ", "b": 0}, {"b": [1, "y"]}, {"a": "caf\u00e9 \"q\"\n", "b": {"c": True}}]
    expected = ["x, ", None, "", " , 0", ', [1, "y"]', 'caf\u00e9 "q"\n, {"c": true}']
    plain = tmp_path / "rows.jsonl"
    plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    packed = tmp_path / "rows.json.gz"
    packed.write_bytes(gzip.compress(json.dumps(rows).encode()))
    for path in (plain, packed):
        got = [row["text"] for row in texts_of(run, model, sae, path, "{a}, {b}", tmp_path, "--null", "zero")]
        assert [text and text.replace('[1,"y"]', '[1, "y"]').replace('{"c":true}', '{"c": true}') for text in got] == expected
    with (tmp_path / "rows.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["a", "b"], ["x", ""], ["", ""], ["1", "2"]])
    assert [row["text"] for row in texts_of(run, model, sae, tmp_path / "rows.tsv", "{a}-{b}", tmp_path)] == ["x-", "", "1-2"]


def test_every_command_takes_it(run, model, sae, tmp_path):  # noqa: F811
    """The same ids, embeddings and results as from a column that holds the text."""
    made = tmp_path / "made.jsonl"
    made.write_text("".join(json.dumps({"text": f"{row['title']}. {row['text']}"}) + "\n" for row in ROWS))
    given = {"made": ["-d", made], "template": ["-d", DATA / "kept.parquet", "--text-column", "{title}. {text}"]}
    for name, words in given.items():
        assert run("embed", "-m", model, *words, "-o", tmp_path / f"{name}.npy", "-q").code == 0
        assert run("analyze", "-m", model, "-s", sae, *words, "-o", tmp_path / name, "-q", "--title", "t").code == 0
    assert run("tokenize", "-m", model, *given["made"]).out == run("tokenize", "-m", model, *given["template"]).out
    for name in ("made.npy", "made/fire_rate.npy", "made/top_activations.json", "made/density.svg"):
        assert (tmp_path / name).read_bytes() == (tmp_path / name.replace("made", "template")).read_bytes()
    manifest = json.loads((tmp_path / "template/run.json").read_text("utf8"))
    assert manifest["dataset"]["text_column"] == "{title}. {text}"


@pytest.mark.parametrize("template, code, words", [
    ("{title} {x", 64, ["no other one at '{x'"]), ("a}{title}", 64, ["no other one at '}{title}'"]), ("{title} {}", 64, ["'{}'"]),
    ("{{title}}", 64, ["names no column"]), ("{title} {nothing}", 65, ["nothing", "'title' (string)"]), ("{titel}", 65, ["did you mean 'title'?"])])
def test_templates_that_are_refused(run, model, template, code, words):  # noqa: F811
    assert_refused(run("tokenize", "-m", model, "-d", DATA / "kept.jsonl", "--text-column", template), code, *words)


@pytest.mark.parametrize("name", FORMATS)
def test_columns_in_the_path(run, model, sae, tmp_path, name):  # noqa: F811
    """Hive partitions: whole numbers as JSON writes them, other values as decoded strings; what the file itself has goes before them."""
    values = {"2007": 2007, "-3": -3, "007": "007", "a%2Fb c": "a/b c", "caf\u00e9": "caf\u00e9", "x=y": "x=y", "": "", "__HIVE_DEFAULT_PARTITION__": None}
    for text, value in values.items():
        folder = tmp_path / "data" / f"part={text}" / "id=7"
        folder.mkdir(parents=True)
        (folder / name).write_bytes((DATA / name).read_bytes())
        got = texts_of(run, model, sae, folder / name, "{text} {part}", tmp_path, "--keep", "part,id")
        ids = [row["id"] if not name.endswith("csv") else str(row["id"]) for row in ROWS]
        assert [row["kept"] for row in got] == [{"part": value, "id": i} for i in ids]
        assert [row["text"] for row in got] == [f"{row['text']} {word(value)}" for row in ROWS]
        shown = [json.loads(line) for line in run("inspect", "--rows", 99, folder / name).out.splitlines()]
        assert [row["part"] for row in shown] == [value] * len(ROWS) and [row["id"] for row in shown] == ids
        table = json.loads(run("inspect", "--json", folder / name).out)["table"]
        assert [row["column"] for row in table if row["type"] == "partition"] == ["part"]
    got = texts_of(run, model, sae, tmp_path / "data", "{text}", tmp_path, "--keep", "part")
    assert {row["kept"]["part"] for row in got} == set(values.values())
    assert_refused(run("encode", "-m", model, "-s", sae, "-d", tmp_path / "data", "--keep", "pert", "-o", tmp_path / "x.jsonl"), 65, "no column to keep 'pert'")
