"""Features of a run on the screen (`show`): what the files of the run say, found by Python's own search and sorting."""
import csv
import json
import unicodedata

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
KEPT = ROOT / "tests/data/rows/kept.jsonl"
TEXTS = ["Stars form in COLD clouds.", "A galaxy, the Milky Way, is bright.", "Straße nach Köln", "ΟΔΥΣΣΕΥΣ σε πλοίο", "cold gas", "İstanbul şehri",
         "long " * 400, "word" * 100, "中文文本" * 30, "tab\tand\nnewline \x1b[31m red", "caf\u00e9 au lait", "black holes and galaxies"]


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    import subprocess
    folder = tmp_path_factory.mktemp("show")
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))
    for name, words in (("run", ["-d", folder / "texts.jsonl"]), ("kept", ["-d", KEPT, "--text-column", "text", "--keep", "id,title"])):
        assert subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, *words, "-o", folder / name]).returncode == 0
    return folder


def facts_of(folder):
    with open(folder / "features.csv", newline="") as file:
        rows = [{key: value == "true" if key == "dead" else float(value) for key, value in line.items()} for line in csv.DictReader(file)]
    for row, tops in zip(rows, json.loads((folder / "top_activations.json").read_text("utf8")), strict=True):
        row["tops"] = tops
    return rows


def select(rows, words=None, low=0, high=100, dead=False, order="rate"):
    found = []
    for row in rows:
        parts = (words or "").lower().replace("ς", "σ").split()
        n = sum(all(p in text.lower().replace("ς", "σ") for p in parts) for _, text in row["tops"])
        if low <= row["rate_pct"] <= high and (row["dead"] or not dead) and (not parts or n > 0):
            found.append((row, n))
    key = {"rate": lambda f: -f[0]["n_fires"], "max": lambda f: -f[0]["max_activation"], "mean": lambda f: -f[0]["mean_activation"],
           "texts": lambda f: -f[1], "feature": lambda f: 0}[order]
    return [int(row["feature"]) for row, _ in sorted(found, key=lambda f: (key(f), f[0]["feature"]))]


@pytest.mark.parametrize("words,query", [([], {}), (["--sort", "max"], {"order": "max"}), (["--sort", "mean"], {"order": "mean"}), (["--sort", "feature"], {"order": "feature"}),
                                         (["--dead"], {"dead": True}), (["--rate", "20..60"], {"low": 20, "high": 60}), (["--rate", "50.."], {"low": 50}),
                                         (["--rate", "..0"], {"high": 0}), (["--rate", "1e1..9e1", "--sort", "feature"], {"low": 10, "high": 90, "order": "feature"}),
                                         (["--search", "cold"], {"words": "cold", "order": "texts"}), (["--search", "GAS Cold"], {"words": "gas cold", "order": "texts"}),
                                         (["--search", "galax", "--sort", "max"], {"words": "galax", "order": "max"}), (["--search", "STRASSE"], {"words": "strasse", "order": "texts"}),
                                         (["--search", "straße KÖLN"], {"words": "straße köln", "order": "texts"}), (["--search", "οδυσσευς"], {"words": "οδυσσευς", "order": "texts"}),
                                         (["--search", "CAFÉ"], {"words": "café", "order": "texts"}), (["--search", "nowhere"], {"words": "nowhere", "order": "texts"}),
                                         (["--search", "文本", "--rate", "1.."], {"words": "文本", "low": 1, "order": "texts"})])
def test_features_that_are_asked_for(run, made, words, query):
    rows = facts_of(made / "run")
    done = run("show", made / "run", *words, "--json", "--limit", "1000")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert [f["feature"] for f in said["features"]] == select(rows, **query) and said["n_found"] == len(said["features"])
    for feature in said["features"]:
        row = rows[feature["feature"]]
        for key in ("n_fires", "rate_low_pct", "rate_high_pct", "mean_activation"):
            assert feature[key] == row[key]
        for key in ("rate_pct", "max_activation"):  # the shortest form of the 32-bit number
            assert np.float32(feature[key]) == np.float32(row[key]) and len(str(feature[key])) <= len(str(np.float32(row[key])))
        assert feature["dead"] is row["dead"] and feature["text"] == (row["tops"][0][1] if row["tops"] else None)
    table = run("show", made / "run", *words, "--limit", "3").out.splitlines()
    assert [int(line.split()[0]) for line in table[1:4] if line.split()[0].isdigit()] == select(rows, **query)[:3]
    if len(select(rows, **query)) > 3:
        assert table[-1] == f"3 of {len(select(rows, **query))} features; --limit N shows more"


def width_of(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("columns", ["80", "44", "120", None])
def test_one_feature(run, made, columns):
    rows = facts_of(made / "run")
    env = {} if columns is None else {"COLUMNS": columns}
    for row in rows:
        done = run("show", made / "run", int(row["feature"]), env=env)
        assert done.code == 0 and f"Feature {int(row['feature'])} of" in done.out
        lines = done.out.splitlines()
        assert all(width_of(line) <= int(columns or 80) for line in lines[1:])
        assert "\x1b" not in done.out and "\t" not in done.out
        assert ("a dead feature" in done.out) is row["dead"]
        shown = [line for line in lines if line[:4].strip().isdigit() and line[4] == " "]
        assert len(shown) == len(row["tops"])
        for i, (line, (activation, text)) in enumerate(zip(shown, row["tops"], strict=True)):
            assert line.split()[:2] == [str(i + 1), f"{activation:.4g}"]
        assert all(lines.count(line) == 1 for line in shown)


@pytest.mark.parametrize("words, note", [(["--limit", "2"], "--limit"), (["--sort", "max"], "--sort"), ([], None)])
def test_options_of_tables_beside_numbers(run, made, words, note):
    done = run("show", made / "run", 1, *words)
    assert done.code == 0 and done.err == (f"note: {note} has no effect beside numbers of features\n" if note else "")
    assert done.out == run("show", made / "run", 1).out


def test_texts_are_whole_in_json(run, made):
    rows = facts_of(made / "run")
    done = run("show", made / "run", *range(len(rows)), "--json")
    said = json.loads(done.out)
    assert said["rows_used"] == len(TEXTS)
    assert [[[np.float32(t["activation"]), t["text"]] for t in f["top_texts"]] for f in said["features"]] == \
        [[[np.float32(a), t] for a, t in row["tops"]] for row in rows]


def test_kept_columns(run, made):
    lines = [json.loads(line) for line in (made / "kept/top_texts.jsonl").read_text("utf8").splitlines()]
    feature = lines[-1]["feature"]
    mine = [line for line in lines if line["feature"] == feature]
    said = json.loads(run("show", made / "kept", feature, "--json").out)["features"][0]
    assert [{key: top[key] for key in ("row", "text", "file", "kept")} for top in said["top_texts"]] == \
        [{key: line[key] for key in ("row", "text", "file", "kept")} for line in mine]
    screen = run("show", made / "kept", feature).out
    for line in mine:
        shown = next(s for s in screen.splitlines() if f"row {line['row']}  " in s)
        first = next(iter(line["kept"]))  # as people read it, without the punctuation of JSON
        assert f"row {line['row']}  {line['file']}, {first} {line['kept'][first]}" in shown and not set('{}"') & set(shown)


def test_a_damaged_list_of_texts_is_refused(run, made, tmp_path):
    import shutil
    good = (made / "kept/top_texts.jsonl").read_text("utf8").splitlines(keepends=True)
    bad = {"fewer": (good[:-1], "there are fewer lines"), "more": ([*good, good[0]], "there are more lines"),
           "order": ([good[1], good[0], *good[2:]], "line 1: expected the same texts"),
           "cut": ([*good[:3], good[3][:30] + "\n", *good[4:]], "line 4: expected"), "text": (["hello\n", *good[1:]], "line 1: expected an object"),
           "row": ([good[0].replace('"row": ', '"row": -'), *good[1:]], "line 1: expected the number of a row"),
           "tail": ([good[0].rstrip("\n") + " x\n", *good[1:]], "line 1: expected the end of the object")}
    for name, (lines, words) in bad.items():
        shutil.copytree(made / "kept", tmp_path / name)
        (tmp_path / name / "top_texts.jsonl").write_text("".join(lines), "utf8")
        assert_refused(run("show", tmp_path / name, 1), 65, tmp_path / name / "top_texts.jsonl", words)
    (tmp_path / "cut/top_texts.jsonl").write_bytes(b"\xff" + "".join(good).encode())
    assert_refused(run("show", tmp_path / "cut"), 65, "not valid UTF-8")


def test_wrong_use(run, made):
    for words, code, sentence in (([made / "run", "24"], 64, "there is no feature 24: the run has features 0 to 23"), ([made / "run", "-1"], 64, "unknown option"),
                                  ([made / "run", "star"], 64, "'star' is not the number of a feature; --search 'star'"),
                                  ([made / "run", "1", "--search", "x"], 64, "numbers of features or --search, not both"),
                                  ([made / "run", "--rate", "5"], 64, "is not a range of percent such as"), ([made / "run", "--rate", "9..2"], 64, "is not a range"),
                                  ([made / "run", "--rate", "0..101"], 64, "is not a range"), ([made / "run", "--search", "  "], 64, "no words to search for"),
                                  ([made / "run", "1", "99999999999999999999999"], 64, "not the number of a feature"), ([made / "nope"], 66, "no such folder"), ([], 64, "RUN")):
        done = run("show", *words)
        assert (done.code, sentence in done.err, done.out) == (code, True, ""), done.err


@pytest.mark.parametrize("words", [["show"], ["describe"], ["score", "--feature", "1", "--label", "x"], ["plot"], ["inspect", "--as", "run"]])
def test_a_file_is_no_run(run, tmp_path, words):
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    done = run(*words, tmp_path / "rows.jsonl")
    assert done.code == 65 and "not the folder of an analysis's results" in done.err, done.err
