"""The page of two runs, and nearest decoder directions: numbers are those of `diff` and of neighbours.arrow."""
import csv
import io
import json
import random
import subprocess

import numpy as np
import pytest

from arrow_reader import read_arrow
from browser import browser  # noqa: F401: a fixture
from conftest import ROOT
from test_report import MODEL, SAE, TABLE, WORDS, percent

OTHER_SAE = ROOT / "tests/data/run/sae-batchtopk"


@pytest.fixture(scope="module")
def pair(program, tmp_path_factory):
    """Two runs of one SAE on texts of other words, one of another SAE; reports that compare the first with each."""
    folder, rng = tmp_path_factory.mktemp("compare"), random.Random(3)
    for name, n_words in (("a", len(WORDS)), ("b", 8), ("c", len(WORDS))):
        with open(folder / f"{name}.jsonl", "w", encoding="utf8") as file:
            for i in range(400 if name == "a" else 250):
                file.write(json.dumps({"text": " ".join(rng.choice(WORDS[:n_words]) for _ in range(7)) + f" {i}"}) + "\n")
        steps = [] if name == "a" else ["--steps", "none", *(["--batchtopk", "row-topk"] if name == "c" else [])]
        sae = OTHER_SAE if name == "c" else SAE
        for words in (["analyze", "-q", "-m", MODEL, "-s", sae, "-d", folder / f"{name}.jsonl", "-o", folder / f"run-{name}", *steps],
                      *([["report", "-q", folder / "run-a", "--with", folder / f"run-{name}", "-o", folder / f"{name}.html"],
                         ["report", "-q", "--extract", folder / f"{name}.html", "-o", folder / f"{name}.npz"]] if name != "a" else [])):
            done = subprocess.run([program, *map(str, words)], capture_output=True)
            assert done.returncode == 0, done.stderr.decode()
    return folder


def differences(run, pair, name):
    done = run("diff", pair / "run-a", pair / f"run-{name}", "--print-csv")
    assert done.code == 0, done.err
    return list(csv.DictReader(io.StringIO(done.out)))


@pytest.mark.parametrize("name", ["b", "c"])
def test_arrays_are_those_of_diff(run, pair, name):
    rows, arrays = differences(run, pair, name), np.load(pair / f"{name}.npz")
    number = lambda text: float(text) if text else np.nan  # noqa: E731
    assert rows
    for array, column in (("a", "feature_a"), ("b", "feature_b"), ("fires_b", "n_fires_b"), ("difference", "difference_pct"), ("low", "low_pct"), ("high", "high_pct"), ("p", "p"), ("q", "q")):
        assert np.array_equal(arrays[f"compare_{array}"], [number(row[column]) for row in rows], equal_nan=True), column
    for array, column in (("similarity", "similarity"), ("effect", "effect"), ("odds", "odds_ratio"), ("z", "z")):
        assert np.array_equal(arrays[f"compare_{array}"], np.array([number(row[column]) for row in rows], "f4"), equal_nan=True), column
    facts = json.loads(arrays["compare.json"])
    assert facts["rows_used"] == 250 and facts["is_same_sae"] == (name == "b")


def shown(rate):
    return "never" if rate == 0 else percent(rate)


@pytest.mark.parametrize("name", ["b", "c"])
@pytest.mark.parametrize("query, key, keep", [
    ("", lambda r: 0, lambda r: float(r["q"] or 1) <= 0.05), ("?most=1", lambda r: 0, lambda r: True), ("?most=0.001", lambda r: 0, lambda r: float(r["q"] or 1) <= 0.001),
    ("?most=1&sort=-difference", lambda r: -float(r["difference_pct"]), lambda r: True), ("?most=1&sort=a", lambda r: int(r["feature_a"]), lambda r: True)])
def test_the_table_has_the_numbers_of_diff(run, browser, pair, name, query, key, keep):
    expected = sorted((row for row in differences(run, pair, name) if keep(row)), key=key)
    browser.open((pair / f"{name}.html").as_uri(), f"#/compare{query}")
    assert browser.js("return document.querySelector('.above .found').textContent").startswith(f"{len(expected)} difference")
    lines = browser.js(TABLE)
    assert len(lines) >= min(len(expected), 10)
    for line, row in zip(lines, expected):
        rates = [float(np.float32(100 * int(row[f"n_fires_{side}"]) / int(row[f"n_rows_{side}"]))) for side in "ab"]
        assert line[:2] == [row["feature_a"], row["feature_b"]] and line[3:5] == [shown(rate) for rate in rates]
        assert float(line[5]) == pytest.approx(float(row["difference_pct"]), rel=6e-3, abs=1e-12)
        assert (line[7] == "–") == (row["q"] == "") and (row["q"] == "" or float(line[7]) == pytest.approx(float(row["q"]), rel=6e-2))
    assert browser.log() == []


def test_exports_are_the_numbers_of_diff(run, browser, pair, tmp_path):
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open((pair / "b.html").as_uri(), "#/compare?most=1")
    browser.js("[...document.querySelectorAll('.above button')].find((b) => b.textContent === 'CSV').click()")
    saved = tmp_path / "differences.csv"
    for _ in range(200):
        if saved.exists() and saved.stat().st_size > 0:
            break
        browser.js_async("setTimeout(arguments[0], 50)")
    with open(saved, newline="", encoding="utf8") as file:
        lines = list(csv.DictReader(file))
    rows = differences(run, pair, "b")
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows):
        for column in ("feature_a", "n_fires_a", "n_fires_b", "difference_pct", "low_pct", "high_pct", "q"):
            assert (line[column] == "") == (row[column] == "") and float(line[column] or 0) == float(row[column] or 0), column


def test_wrong_runs_are_refused(run, pair, tmp_path):
    done = run("report", pair / "run-a", "--with", tmp_path / "nothing", "-o", tmp_path / "a.html")
    assert done.code == 66 and not (tmp_path / "a.html").exists()
    (tmp_path / "empty").mkdir()
    assert run("report", pair / "run-a", "--with", tmp_path / "empty", "-o", tmp_path / "a.html").code in (65, 66)
    assert run("view", pair / "run-a", "--with", tmp_path / "nothing").code == 66


def test_neighbours_are_those_of_the_run(browser, pair):
    arrays, (rows, notes) = np.load(pair / "b.npz"), read_arrow(pair / "run-a/neighbours.arrow")[:2]
    offsets = arrays["neighbour_offsets"].tolist()
    for f in range(len(offsets) - 1):
        own = [i for i, feature in enumerate(rows["feature"]) if feature == f]
        part = slice(offsets[f], offsets[f + 1])
        assert arrays["neighbour_ids"][part].tolist() == [rows["neighbour"][i] for i in own] and arrays["neighbour_rows"][part].tolist() == [rows["rows"][i] for i in own]
        assert arrays["neighbour_cosine"][part].tolist() == [float(np.float32(rows["cosine"][i])) for i in own]
    browser.open((pair / "b.html").as_uri(), "#/feature/3")
    own = [i for i, feature in enumerate(rows["feature"]) if feature == 3]
    assert "opposite" in [rows["kind"][i] for i in own] and "Most opposite decoder directions" in browser.js("return document.querySelector('main').innerText")
    lines = browser.js("return [...document.querySelectorAll('.neighbours tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert [int(line[0].split()[0]) for line in lines] == [rows["neighbour"][i] for i in own]
    assert [line[1] for line in lines] == [f"{rows['cosine'][i]:.3f}" for i in own] and [line[4] for line in lines] == [rows["kind"][i] for i in own]
    assert f"above {arrays['neighbour_chance'][0]:.3f}" in browser.js("return document.querySelector('main').innerText")
