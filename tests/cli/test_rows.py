"""Rows in files: dialects of delimited text as the reference library reads them, one table in every format, rows that are left out.

tests/data/rows/dialects.json and table.* are made by tools/make_row_files.py with datasets, pandas and pyarrow.
"""
import csv
import gzip
import json
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

DATA = ROOT / "tests/data/rows"
CASES = json.loads((DATA / "dialects.json").read_text("utf8"))["cases"]
TABLE = json.loads((DATA / "table.expected.json").read_text("utf8"))


@pytest.fixture
def texts(program):
    """The texts that the library reads, a null one as ""; or its sentence."""
    def read(path, column="-", split="-", csv_options="-", field="-"):
        words = [program.parent / "examples/read_texts", path, column, split, "-", csv_options, field]
        done = subprocess.run([str(word) for word in words], capture_output=True, timeout=60)
        said = done.stderr.decode()
        lines = done.stdout.decode().split("\n")[:-1]
        return lines if done.returncode == 0 else said
    return read


def flat(values):
    return [("" if value is None else value).replace("\n", "\\n") for value in values]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_dialect_from_the_command_line(texts, tmp_path, case):
    path = tmp_path / "rows.csv"
    path.write_bytes(case["data"].encode("latin-1"))
    assert texts(path, case["column"], csv_options=case["csv"] or "-") == flat(case["texts"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_dialect_from_the_card(texts, tmp_path, case):
    (tmp_path / "rows.csv").write_bytes(case["data"].encode("latin-1"))
    options = "".join(f"  {name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in case["card"].items())
    card = f"---\nconfigs:\n- config_name: default\n  data_files: rows.csv\n{options}---\n"
    (tmp_path / "README.md").write_text(card, "utf8")
    assert texts(tmp_path, case["column"], "train") == flat(case["texts"])


@pytest.mark.parametrize("option", ["sep: '::'", "quotechar: 'ab'", "header: [0, 1]", "skipfooter: 1", "dialect: odd", "engine: pyarrow",
                                    "encoding_errors: surrogateescape", "skiprows: [1]", "na_values: {a: b}", "index_col: false",
                                    "names: [a]\n  usecols: [0]", "on_bad_lines: odd", "error_bad_lines: false", "encoding: klingon"])
def test_what_is_not_read_is_refused_by_name(texts, tmp_path, option):
    (tmp_path / "rows.csv").write_bytes(b"id,text\n1,a\n")
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: default\n  data_files: rows.csv\n  {option}\n---\n", "utf8")
    said = texts(tmp_path, "text", "train")
    assert isinstance(said, str) and option.split(":")[0] in said, said


FORMATS = {"table.jsonl": "-", "table.json": "-", "table-field.json": "data", "table-columns.json": "data", "table.parquet": "-", "table.arrow": "-",
           "table.csv": "-", "table.tsv": "-"}


@pytest.mark.parametrize("column", ["text", "doc.title", "tags"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_texts(texts, name, column):
    if column != "text" and name.endswith("sv"):
        pytest.skip("delimited text has no nested values")
    assert texts(DATA / name, column, field=FORMATS[name]) == flat(TABLE[column])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_keeps_the_same_values(program, model, sae, tmp_path, name):  # noqa: F811
    words = ["--field", FORMATS[name]] if FORMATS[name] != "-" else []
    done = subprocess.run([program, "analyze", "--model", model, "--sae", sae, "--dataset", DATA / name, "--out", tmp_path / "run", "-q",
                           "--keep", "id,score,ok", "--top-k", "10", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in map(json.loads, (tmp_path / "run/top_texts.jsonl").read_text("utf8").splitlines()):
        want = TABLE["kept"][line["row"]]
        if name.endswith("sv"):
            want = {key: "" if value is None else value for key, value in want.items()}
            got = {"id": int(line["kept"]["id"]), "score": line["kept"]["score"] and float(line["kept"]["score"]),
                   "ok": {"True": True, "False": False}.get(line["kept"]["ok"], line["kept"]["ok"])}
            assert {key: "" if value is None else value for key, value in got.items()} == want
        else:
            assert line["kept"] == want


BAD = (b'{"text": "one"}\n{"text": 7}\n{"text": "two"\n\n{"text": "three"}\n{"text": "four"} x\n' + b'{"text": "five"}\n')


def test_rows_left_out_are_counted_and_listed(program, model, sae, tmp_path):  # noqa: F811
    path = tmp_path / "rows, all.jsonl"
    path.write_bytes(BAD)
    words = [program, "analyze", "--model", model, "--sae", sae, "--dataset", path, "--out", tmp_path / "run"]
    done = subprocess.run(words + ["-q"], capture_output=True, text=True)
    assert done.returncode == 65 and "line 2" in done.stderr and "--on-bad-row skip" in done.stderr
    done = subprocess.run(words + ["--on-bad-row", "skip"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "run/run.json").read_text("utf8"))
    assert run["rows"] == {"read": 6, "used": 3, "skipped": {"null": 0, "empty": 0, "blank": 0, "bad": 3},
                           "bad": {"malformed JSON": 2, "wrong type": 1}, "repaired": 0}
    assert "3 rows could not be read" in " ".join(run["warnings"])
    with open(tmp_path / "run/skipped_rows.csv", newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["row"], row["reason"]) for row in rows] == [
        (str(path), "1", "wrong type"), (str(path), "2", "malformed JSON"), (str(path), "4", "malformed JSON")]
    assert all(f"line {line}" in row["problem"] for line, row in zip((2, 3, 6), rows))
    again = subprocess.run([program, "inspect", "--check", tmp_path / "run"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr


def test_other_commands_leave_bad_rows_out_too(program, model, tmp_path):  # noqa: F811
    path = tmp_path / "rows.jsonl"
    path.write_bytes(BAD)
    common = ["--on-bad-row", "skip"]
    done = subprocess.run([program, "tokenize", "-m", model, "-d", path, *common], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("\n") == 3 and "3 rows could not be read and were left out" in done.stderr
    for null, n in (("stop", 3), ("zero", 6)):
        out = tmp_path / f"{null}.npy"
        done = subprocess.run([program, "embed", "-m", model, "-d", path, "-o", out, "--null", null, *common], capture_output=True, text=True)
        assert done.returncode == 0 and len(np.load(out)) == n, done.stderr
    assert not np.load(tmp_path / "zero.npy")[[1, 2, 4]].any()
    done = subprocess.run([program, "inspect", "--rows", "9", path, *common], capture_output=True, text=True)
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["one", 7, "three", "five"]
    done = subprocess.run([program, "inspect", "--check", path, *common], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_row_that_is_too_long_is_left_out(program, model, tmp_path):  # noqa: F811
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "one"}\n{"text": "' + b"word " * (11 << 20) + b'"}\n{"text": "two"}\n', 1))
    done = subprocess.run([program, "tokenize", "-m", model, "-d", path, "--on-bad-row", "skip"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("\n") == 2 and "too large 1" in done.stderr, done.stderr


def test_late_columns(texts, tmp_path):
    late = tmp_path / "late.jsonl"
    late.write_text("".join(json.dumps({"id": i}) + "\n" for i in range(3000)) + '{"id": 1, "body": "river"}\n')
    assert texts(late, "body") == [""] * 3000 + ["river"]
    assert "there is no column 'boby'" in texts(late, "boby")
    rival = tmp_path / "rival.jsonl"
    rival.write_text("".join(json.dumps({"id": f"x{i}"}) + "\n" for i in range(200)) + '{"id": "y", "body": "river"}\n')
    assert "here 'body' holds one too; say which with `text_column`" in texts(rival)
    assert texts(rival, "id")[200] == "y"


@pytest.mark.parametrize("name", ["table.json", "table-field.json", "table-columns.json", "table.parquet", "table.arrow"])
def test_every_format_shows_the_same_rows(run, name):
    words = ["--field", FORMATS[name]] if FORMATS[name] != "-" else []
    shown = run("inspect", DATA / name, "--rows", 9, *words)
    lines = run("inspect", DATA / "table.jsonl", "--rows", 9)
    assert shown.code == 0 and list(map(json.loads, shown.out.splitlines())) == list(map(json.loads, lines.out.splitlines()))


@pytest.mark.parametrize("name", ["kept.parquet", "kept-v2.parquet", "kept.arrow", "kept.arrows"])
def test_rows_show_every_type(run, name):
    expected = [json.loads(line) for line in (DATA / "kept.expected.jsonl").read_text("utf8").splitlines()]
    shown = [json.loads(line) for line in run("inspect", DATA / name, "--rows", 99).out.splitlines()]
    assert len(shown) == len(expected)
    for row, want in zip(shown, expected):
        group = row.pop("group") or {}
        row.update({f"group.{key}": group.get(key) for key in ("x", "y")})
        assert {key: row[key] for key in want} == want


def test_types_of_parquet_have_their_names(run):
    table = json.loads(run("inspect", DATA / "kept.parquet", "--json").out)["table"]
    types = {row["column"]: row["type"] for row in table}
    assert types["day"] == "date" and types["clock"] == "time" and types["micro"] == types["milli"] == "timestamp"
    assert types["large"] == "uint64" and types["half"] == "float16" and types["price"] == "decimal"


def test_whole_rows_show_null_where_texts_are_null(run, tmp_path):
    """The words that stand for missing are null in `inspect --rows`, too, as in what is kept, compared, or read as a text."""
    path = tmp_path / "rows.csv"
    path.write_text('text,score\na,nan\nb,NA\nc,\nd,"NA"\nNULL,1\ne\n')
    rows = [json.loads(line) for line in run("inspect", "--rows", "9", path).out.splitlines()]
    assert rows == [{"text": "a", "score": None}, {"text": "b", "score": None}, {"text": "c", "score": ""}, {"text": "d", "score": "NA"},
                    {"text": None, "score": "1"}, {"text": "e", "score": None}]
    assert [json.loads(line)["text"] for line in run("inspect", "--rows", "9", "--where", "score is null", path).out.splitlines()] == ["a", "b", "e"]
    assert "NA" in run("inspect", "--rows", "9", "--csv", "na_filter=false", path).out


@pytest.mark.parametrize("document", ['{"text":{"0":"a","1":"b"},"n":{"0":1,"1":null}}', '{"0":{"text":"a","n":1},"1":{"text":"b","n":null}}'])
def test_a_table_by_row_number_is_named(run, tmp_path, document):
    """What pandas' to_json writes with orient columns (its default) and index: one object, no rows."""
    (tmp_path / "x.json").write_text(document)
    done = run("tokenize", "-m", ROOT / "tests/data/encoder/mpnet-mean", "-d", tmp_path / "x.json")
    assert done.code == 65 and "to_json(orient='records', lines=True)" in done.err, done.err


def test_a_single_bad_row_is_one_row(program, model, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\nnot JSON\n{"text": "b"}\n')
    done = subprocess.run([program, "embed", "-m", model, "-d", path, "-o", tmp_path / "x.npy", "--on-bad-row", "skip"], capture_output=True, text=True)
    assert done.returncode == 0 and " 1 row could not be read and was left out" in done.stderr
