"""Rows that are wanted: `--where` beside SQLite, which has the same comparisons and the same logic of three values, and
`--sample` beside its rule (docs/datasets.md), in every format and by every command that takes a dataset."""
import gzip
import itertools
import json
import random
import sqlite3
import zipfile

import numpy as np
import pytest

from conftest import ROOT

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
SAE = ROOT / "tests/data/run/sae-jumprelu"
DATA = ROOT / "tests/data/rows"
TABLE = [json.loads(line, parse_constant=lambda name: None) for line in (DATA / "table.jsonl").read_text("utf8").splitlines()]

WORDS = ["a", "b", "it's", 'say "x"', "", "é", "Z", "10", "z z"]


def random_rows(seed, n):
    draw = random.Random(seed)
    return [{"text": f"text {i}", "n": draw.choice([None, -3, 0, 2, 7, 10, 2**53 + 1]), "r": draw.choice([None, -1.5, 0.1, 2.0, 1e30, 7]),
             "s": draw.choice([None, *WORDS]), "t": draw.choice(WORDS)} for i in range(n)]


def literal(value):
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def random_expression(draw, depth):
    if depth > 0 and draw.random() < 0.7:
        parts = [random_expression(draw, depth - 1) for _ in range(2)]
        return draw.choice([f"({parts[0]} and {parts[1]})", f"{parts[0]} OR {parts[1]}", f"not ({parts[0]})", f"not {parts[0]}"])
    column, values = draw.choice([("n", [-3, 0, 2, 2**53, 2**53 + 1, 2.5, 1e1]), ("r", [0.1, 2, -1.5, 1e30, 7]), ("s", WORDS), ("t", WORDS)])
    name = draw.choice([column, f'"{column}"', f"`{column}`"])
    kind = draw.randrange(6)
    if kind == 0:
        return f"{name} is {draw.choice(['', 'not '])}null"
    if kind == 1:
        return f"{name} {draw.choice(['', 'not '])}in ({', '.join(literal(v) for v in draw.sample(values, 3))})"
    return f"{name} {draw.choice(['=', '==', '!=', '<>', '<', '<=', '>', '>='])} {literal(draw.choice(values))}"


def by_sqlite(rows, expression):
    base = sqlite3.connect(":memory:")
    base.execute("create table rows (i integer, n, r, s, t)")
    base.executemany("insert into rows values (?, ?, ?, ?, ?)", [(i, row["n"], row["r"], row["s"], row["t"]) for i, row in enumerate(rows)])
    return [i for i, in base.execute(f"select i from rows where {expression} order by i")]


def rows_of(run, path, *words):
    done = run("inspect", "--as", "dataset", "--rows", "1000000", *words, path)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("seed", range(60))
def test_expressions_as_in_sqlite(run, tmp_path, seed):
    rows = random_rows(seed, 80)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    expression = random_expression(random.Random(1000 + seed), 3)
    wanted = by_sqlite(rows, expression)
    assert [row["text"] for row in rows_of(run, path, "--where", expression)] == [f"text {i}" for i in wanted], expression


def test_texts_and_whole_rows_choose_the_same(run, tmp_path):
    """tokenize takes texts with values beside them, inspect whole rows: two ways through every reader."""
    rows = random_rows(7, 200)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf8")
    for seed in range(5):
        expression = random_expression(random.Random(seed), 2)
        done = run("tokenize", "-m", MODEL, "-d", path, "--where", expression, "-q")
        assert done.code == 0, done.err
        everything = run("tokenize", "-m", MODEL, "-d", path, "-q").out.splitlines()
        assert done.out.splitlines() == [everything[i] for i in by_sqlite(rows, expression)]


# ---- formats ----

FORMATS = {"table.jsonl": [], "table.json": [], "table-field.json": ["--field", "data"], "table-columns.json": ["--field", "data"],
           "table.parquet": [], "table.arrow": [], "table.csv": [], "table.tsv": []}


def ids(rows):
    return [int(row["id"]) for row in rows]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(run, name):
    numbers = [row["id"] for row in TABLE]
    middle = sorted(numbers)[len(numbers) // 2]
    for expression, holds in {f"id >= {middle}": lambda row: row["id"] >= middle,
                              f"id in ({numbers[0]}, {numbers[-1]}.0, 1e9)": lambda row: row["id"] in (numbers[0], numbers[-1]),
                              "ok = true": lambda row: row["ok"] is True, "ok != true": lambda row: row["ok"] is False,
                              "score > 0.5": lambda row: row["score"] is not None and row["score"] > 0.5,
                              "score is null": lambda row: row["score"] is None}.items():
        if name.endswith("sv") and expression.endswith("null"):
            expression = "score = '' or score is null"  # an empty field is an empty text, a word for missing is null
        got = rows_of(run, DATA / name, *FORMATS[name], "--where", expression)
        assert ids(got) == [row["id"] for row in TABLE if holds(row)], (name, expression)


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.endswith("sv")])
def test_nested_names(run, name):
    titles = [row["doc"]["title"] for row in TABLE if row.get("doc") and row["doc"].get("title")]
    got = rows_of(run, DATA / name, *FORMATS[name], "--where", f"doc.title = {literal(titles[0])}")
    assert ids(got) == [row["id"] for row in TABLE if row.get("doc") and row["doc"].get("title") == titles[0]]


def test_columns_in_paths_archives_and_standard_input(run, tmp_path):
    for year in (2006, 2007):
        (tmp_path / f"d/year={year}").mkdir(parents=True)
        (tmp_path / f"d/year={year}/part.jsonl").write_text("".join(json.dumps({"text": f"{year} {i}", "i": i}) + "\n" for i in range(3)))
    assert [row["text"] for row in rows_of(run, tmp_path / "d", "--where", "year > 2006 and i < 2")] == ["2007 0", "2007 1"]
    done = run("tokenize", "-m", MODEL, "-d", tmp_path / "d", "--where", "year > 2006 and i < 2", "-q")
    assert done.code == 0 and len(done.out.splitlines()) == 2, done.err
    lines = (tmp_path / "d/year=2006/part.jsonl").read_bytes()
    (tmp_path / "part.jsonl.gz").write_bytes(gzip.compress(lines[:30]) + gzip.compress(lines[30:]))
    with zipfile.ZipFile(tmp_path / "parts.zip", "w") as archive:
        archive.writestr("a.jsonl", lines)
    for path in ("part.jsonl.gz", "parts.zip"):
        assert [row["i"] for row in rows_of(run, tmp_path / path, "--where", "i != 1")] == [0, 2]
    assert [json.loads(line)["i"] for line in run("inspect", "--as", "dataset", "--rows", "9", "--where", "i != 1", "-", stdin=lines).out.splitlines()] == [0, 2]


def test_a_column_that_only_later_files_lack_is_null_there(run, tmp_path):
    (tmp_path / "1.jsonl").write_text('{"text": "a", "n": 1}\n')
    (tmp_path / "2.jsonl").write_text('{"text": "b"}\n')
    assert [row["text"] for row in rows_of(run, tmp_path, "--where", "n is null")] == ["b"]


# ---- what is refused, and what is said ----

@pytest.mark.parametrize("expression, message", [
    ("n", "ends where =, !=, <, <=, >, >=, in, or is null is expected"), ("n >", "ends where a value is expected"),
    ("= 1", "the name of a column is expected at '= 1'"), ("n = null", "'is null' and 'is not null' ask for null"),
    ("n = t", "a text in quotes (columns are not compared with one another) is expected at 't'"), ("n in ()", "a value is expected at ')'"),
    ("n in (1", "ends where ',' or ')' is expected"), ("(n = 1", "ends where and, or, or ')' is expected"), ("n = 1 t", "and, or, or the end is expected"),
    ("n = 1 and", "ends where the name of a column is expected"), ("n is 1", "null or not null is expected"), ("n not 1", "in is expected"),
    ("n < true", "true and false have no order"), ("n = 'a", "is not closed"), ("'n' = 1", "bare, or in double or backward quotes"),
    ("n = 1e", "a number or a text in quotes is expected at '1e'"), ("n = 1.2.3", "is expected at '1.2.3'"), ("n & 1", "is expected at '& 1'"),
    ("", "ends where the name of a column is expected"), ("(" * 200 + "n = 1" + ")" * 200, "nested more than 100 levels"),
    (" and ".join(["n = 1"] * 600), "more than 1000 comparisons and operators")])
def test_what_is_no_expression(run, tmp_path, expression, message):
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "n": 1, "t": "x"}\n')
    done = run("inspect", "--rows", "1", "--where", expression, tmp_path / "rows.jsonl")
    assert done.code in (64, 65) and message in done.err and "--where" in done.err, done.err


@pytest.mark.parametrize("name", FORMATS)
def test_a_column_that_is_not_there(run, name):
    for words in (["tokenize", "-m", MODEL, "--text-column", "text", "-q", "-d", DATA / name], ["inspect", "--rows", "9", DATA / name]):
        done = run(*words, *FORMATS[name], "--where", "nonesuch = 1")
        assert done.code == 65 and "nonesuch" in done.err, (words[0], done.err)


def test_lines_of_text_have_no_columns(run, tmp_path):
    (tmp_path / "rows.txt").write_text("a\n")
    done = run("tokenize", "-m", MODEL, "-d", tmp_path / "rows.txt", "--where", "n = 1")
    assert done.code == 64 and "no columns to keep or compare" in done.err


def test_other_types_are_neither_and_said(run, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "n": "7"}\n{"text": "b", "n": 7}\n{"text": "c", "n": [7]}\n{"text": "d", "n": true}\n')
    done = run("inspect", "--rows", "9", "--where", "n = 7 or not n = 7", tmp_path / "rows.jsonl")
    assert [json.loads(line)["text"] for line in done.out.splitlines()] == ["b"]
    assert "compared 6 values of another type" in done.err and "in row 0, column 'n' holds a text" in done.err


def test_none_is_said(run, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "n": 1}\n')
    done = run("tokenize", "-m", MODEL, "-d", tmp_path / "rows.jsonl", "--where", "n > 1")
    assert done.code == 0 and done.out == "" and "--where is true for none of 1 row" in done.err
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", tmp_path / "rows.jsonl", "--where", "n > 1", "-o", tmp_path / "run", "-q")
    assert done.code == 65 and "no row had text" in done.err and "--where" in done.err


@pytest.mark.parametrize("words", [["inspect", DATA / "table.jsonl"], ["analyze", "-s", SAE, "--embeddings", "x.npy", "-o", "run"]])
@pytest.mark.parametrize("option", [["--where", "n = 1"], ["--sample", "3"]])
def test_no_option_without_effect(run, words, option):
    done = run(*words, *option)
    assert done.code == 64 and "choose" in done.err


# ---- samples ----

def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & (2**64 - 1)
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & (2**64 - 1)
    return x ^ x >> 31


def sample(rows, n, seed):
    """The rule of docs/datasets.md."""
    return sorted(sorted(rows, key=lambda row: mix((row + mix(seed)) & (2**64 - 1)))[:n])


def test_a_sample_is_the_smallest_keys(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{i}", "i": i, "pad": "x" * 3000}) + "\n" for i in range(2000)))
    for n, seed in itertools.product((1, 7, 900, 5000), (0, 3)):
        got = rows_of(run, path, "--sample", n, "--seed", seed)
        assert [row["i"] for row in got] == sample(range(2000), n, seed)
        assert all(len(row["pad"]) == 3000 for row in got)  # rows that waited in a file
    got = rows_of(run, path, "--sample", "50", "--seed", "9", "--where", "i >= 100 and i < 1000")
    assert [row["i"] for row in got] == sample(range(100, 1000), 50, 9)


def test_samples_are_uniform():
    """Not of the program but of the rule: rows and pairs of rows are as often in samples as chance has it."""
    counts, pairs = np.zeros(40), 0
    for seed in range(2000):
        taken = sample(range(40), 10, seed)
        counts[taken] += 1
        pairs += 0 in taken and 1 in taken
    expected = 2000 * 10 / 40
    assert ((counts - expected) ** 2 / (expected * 0.75)).sum() < 75  # chi² of 39 degrees, p = 5e-4
    assert abs(pairs - 2000 * (10 * 9) / (40 * 39)) < 4 * (2000 * 0.0577) ** 0.5


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_sample_in_every_format(run, name):
    """Known numbers of rows (Parquet, Arrow) choose ahead, the others while they read."""
    for n in (2, 4):
        assert ids(rows_of(run, DATA / name, *FORMATS[name], "--sample", n, "--seed", "5")) == [TABLE[i]["id"] for i in sample(range(len(TABLE)), n, 5)]
        done = run("tokenize", "-m", MODEL, "-d", DATA / name, *FORMATS[name], "--text-column", "text", "--sample", n, "--seed", "5", "--skip-empty", "-q")
        assert done.code == 0, done.err
        whole = run("tokenize", "-m", MODEL, "-d", DATA / "table.jsonl", "--text-column", "text", "--skip-empty", "-q").out.splitlines()
        with_text = [i for i, row in enumerate(TABLE) if row["text"] is not None]
        assert done.out.splitlines() == [whole[with_text.index(i)] for i in sample(range(len(TABLE)), n, 5) if i in with_text]


# ---- commands ----

ROWS = ROOT / "tests/data/run/rows.jsonl"
TEXTS = [json.loads(line).get("text") for line in ROWS.read_text("utf8").splitlines()]


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    path = tmp_path_factory.mktemp("numbered") / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text, "i": i}) + "\n" for i, text in enumerate(TEXTS)), "utf8")
    return path


CHOICES = {"where": (["--where", "i >= 40 and i < 200 and i != 77"], [i for i in range(40, 200) if i != 77]),
           "sample": (["--sample", "90", "--seed", "4"], sample(range(len(TEXTS)), 90, 4)),
           "both": (["--sample", "50", "--where", "i < 150"], sample(range(150), 50, 0))}


@pytest.mark.parametrize("choice", CHOICES)
def test_analyze_counts_and_equals_the_rows_alone(run, numbered, tmp_path, choice):
    words, chosen = CHOICES[choice]
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps({"text": TEXTS[i], "i": i}) + "\n" for i in chosen), "utf8")
    analyze = ["analyze", "-m", MODEL, "-s", SAE, "--keep", "i", "--steps", "none", "-q"]
    for name, path, more in (("a", numbered, [*words, "--threads", "1"]), ("b", numbered, [*words, "--threads", "3"]), ("few", few, [])):
        done = run(*analyze, "-d", path, "-o", tmp_path / name, *more)
        assert done.code == 0, done.err
    for name in ("fire_rate.npy", "features.csv", "top_activations.json"):
        contents = {run: (tmp_path / run / name).read_bytes() for run in ("a", "b", "few")}
        assert contents["a"] == contents["b"] == contents["few"], name
    rows = json.loads((tmp_path / "a/run.json").read_text("utf8"))["rows"]
    few_rows = json.loads((tmp_path / "few/run.json").read_text("utf8"))["rows"]
    passed = rows.pop("passed_over")
    assert sum(passed.values()) == len(TEXTS) - len(chosen) and rows.pop("read") == len(TEXTS) and few_rows.pop("read") == len(chosen)
    assert rows == few_rows and (passed["where"] > 0) == (choice != "sample") and (passed["sample"] > 0) == (choice != "where")
    options = json.loads((tmp_path / "a/run.json").read_text("utf8"))["options"]
    assert options[words[0][2:]]["origin"] == "command line" or options[words[0][2:]], options
    for top in (tmp_path / "a/top_texts.jsonl").read_text("utf8").splitlines():
        for text in json.loads(top).get("top", []):
            if "row" in text and "kept" in text:
                assert text["row"] == text["kept"]["i"]
    done = run("inspect", "--json", tmp_path / "a")
    assert json.loads(done.out)["rows_passed_over"] == len(TEXTS) - len(chosen), done.out


@pytest.mark.parametrize("choice", CHOICES)
def test_embeddings_of_all_rows_serve_any_choice(run, numbered, tmp_path, choice):
    words, chosen = CHOICES[choice]
    assert run("embed", "-m", MODEL, "-d", numbered, "-o", tmp_path / "all.npy", "--null", "nan", "-q").code == 0
    everything = np.load(tmp_path / "all.npy")
    done = run("embed", "-m", MODEL, "-d", numbered, "-o", tmp_path / "few.npy", "--null", "nan", *words, "-q")
    assert done.code == 0, done.err
    assert np.array_equal(np.load(tmp_path / "few.npy"), everything[chosen], equal_nan=True)
    done = run("embed", "-m", MODEL, "-d", numbered, "-o", tmp_path / "less.npy", "--null", "skip", *words, "-q")
    assert np.array_equal(np.load(tmp_path / "less.npy"), everything[[i for i in chosen if TEXTS[i] is not None]]), done.err
    for name, more in (("texts", ["-m", MODEL]), ("npy", ["--embeddings", tmp_path / "all.npy"])):
        for extension in ("jsonl", "npz"):
            keep = ["--keep", "i"] if extension == "jsonl" else []
            done = run("encode", *more, "-s", SAE, "-d", numbered, "-o", tmp_path / f"{name}.{extension}", *keep, *words, "-q")
            assert done.code == 0, done.err
    texts, npy = ([json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text("utf8").splitlines()] for name in ("texts", "npy"))
    assert [line["row"] for line in texts] == [line["kept"]["i"] for line in texts] == chosen == [line["row"] for line in npy]
    assert np.load(tmp_path / "texts.npz")["rows"].tolist() == chosen == np.load(tmp_path / "npy.npz")["rows"].tolist()
    done = run("analyze", "--embeddings", tmp_path / "few.npy", "-s", SAE, "-d", numbered, "-o", tmp_path / "run", *words, "-q", "--steps", "none")
    assert done.code == 65 and "belong together row by row" in done.err, done.err
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", numbered, "-o", tmp_path / "saved", "--save-embeddings", tmp_path / "saved.npy", *words, "-q",
               "--steps", "none")
    assert done.code == 0, done.err
    saved = np.load(tmp_path / "saved.npy")
    used = [i for i in chosen if TEXTS[i] is not None and TEXTS[i].strip()]
    assert len(saved) == len(TEXTS) and np.flatnonzero(~np.isnan(saved[:, 0])).tolist() == used
    done = run("analyze", "--embeddings", tmp_path / "saved.npy", "-s", SAE, "-d", numbered, "-o", tmp_path / "again", *words, "-q", "--steps", "none")
    assert done.code == 0, done.err
    assert (tmp_path / "again/fire_rate.npy").read_bytes() == (tmp_path / "saved/fire_rate.npy").read_bytes()


def test_the_first_n_of_those_that_are_wanted(run, numbered, tmp_path):
    done = run("embed", "-m", MODEL, "-d", numbered, "-o", tmp_path / "x.npy", "--null", "zero", "--where", "i >= 40", "-n", "25", "-q")
    assert done.code == 0 and len(np.load(tmp_path / "x.npy")) == 25, done.err
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", numbered, "-o", tmp_path / "run", "--where", "i >= 40", "-n", "25", "-q", "--steps", "none")
    rows = json.loads((tmp_path / "run/run.json").read_text("utf8"))["rows"]
    assert done.code == 0 and rows["used"] == 25 and rows["passed_over"] == {"where": 40, "sample": 0}, rows


def test_rows_that_cannot_be_read_are_not_wanted(run, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "i": 0}\nbroken\n{"text": "c", "i": 2}\n{"text": "d", "i": 3}\n')
    for words in (["--where", "i >= 0"], ["--sample", "9"]):
        assert [row["text"] for row in rows_of(run, path, "--on-bad-row", "skip", *words)] == ["a", "c", "d"]
        done = run("embed", "-m", MODEL, "-d", path, "-o", tmp_path / "x.npy", "-f", "--null", "zero", "--on-bad-row", "skip", *words)
        assert done.code == 0 and len(np.load(tmp_path / "x.npy")) == 3, done.err
        assert run("embed", "-m", MODEL, "-d", path, "-o", tmp_path / "x.npy", "-f", *words).code == 65


def test_training_takes_the_rows_that_are_wanted(run, numbered, tmp_path):
    small = ["--dict-size", "32", "--top-k", "4", "--max-steps", "20", "--batch-size", "32", "-q"]
    done = run("embed", "-m", MODEL, "-d", numbered, "-o", tmp_path / "x.npy", "--where", "i < 150", "--null", "skip", "-q")
    assert done.code == 0, done.err
    done = run("train", "-m", MODEL, "-d", numbered, "--where", "i < 150", "-o", tmp_path / "a", *small)
    assert done.code == 0, done.err
    done = run("train", "--embeddings", tmp_path / "x.npy", "-o", tmp_path / "b", *small)
    assert done.code == 0, done.err
    assert (tmp_path / "a/sae.pt").read_bytes() == (tmp_path / "b/sae.pt").read_bytes()
