"""`diff`: runs and groups compared. Numbers of single comparisons are held against scipy in tests/unit/test_stats_proportions.c."""
import csv
import io
import json
import math
import random
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from test_search import MODEL, SAE, WORDS

OTHER = ROOT / "tests/data/run/sae-batchtopk"


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("diff"), random.Random(5)
    for name, words in (("a", WORDS[:14]), ("b", WORDS[6:])):
        with open(folder / f"{name}.jsonl", "w", encoding="utf8") as file:
            for i in range(400):
                kind = ["near", "far, \"out\"", 5, None][i % 4]
                pool = words[:5] if i % 4 == 0 else words
                file.write(json.dumps({"text": " ".join(rng.choice(pool) for _ in range(6)) + f" {name}{i}", "kind": kind}) + "\n")
    for name, sae, data, more in (("a", SAE, "a", []), ("b", SAE, "b", []), ("c", OTHER, "b", ["--batchtopk", "row-topk"])):
        done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", sae, "-d", folder / f"{data}.jsonl", "-o", folder / name, "--keep", "kind", *more], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    return folder


def rows_of(run, *words):
    done = run("diff", *words, "--print-csv")
    assert done.code == 0, done.err
    return list(csv.DictReader(io.StringIO(done.out, newline="")))


def features_of(folder):
    with open(folder / "features.csv", newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def q_values(p):
    """Benjamini and Hochberg's, of p in rising order."""
    q = np.minimum.accumulate((np.asarray(p) * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    return np.minimum(q, 1)


def test_two_runs_of_one_sae(run, made):
    rows, a, b = rows_of(run, made / "a", made / "b"), features_of(made / "a"), features_of(made / "b")
    assert sorted(int(row["feature_a"]) for row in rows) == list(range(len(a))) and all(row["feature_a"] == row["feature_b"] and row["similarity"] == "1" for row in rows)
    for row in rows:
        f = int(row["feature_a"])
        assert (row["n_fires_a"], row["n_rows_a"], row["n_fires_b"], row["n_rows_b"]) == (a[f]["n_fires"], "400", b[f]["n_fires"], "400")
        assert math.isclose(float(row["difference_pct"]), float(b[f]["rate_pct"]) - float(a[f]["rate_pct"]), abs_tol=1e-5)
        assert float(row["low_pct"]) <= float(row["difference_pct"]) <= float(row["high_pct"])
    p = [float(row["p"]) for row in rows]
    assert p == sorted(p)
    tested = [row for row in rows if row["n_fires_a"] != "0" or row["n_fires_b"] != "0"]
    assert np.allclose([float(row["q"]) for row in tested], q_values([float(row["p"]) for row in tested]), rtol=1e-9)
    assert all(row["q"] == "1" for row in rows if row not in tested)


def test_a_run_does_not_differ_from_itself(run, made):
    assert all(float(row["difference_pct"]) == 0 and float(row["p"]) == 1 == float(row["q"]) for row in rows_of(run, made / "a", made / "a"))
    assert "0 of " in run("diff", made / "a", made / "a").out


def test_other_saes_are_matched(run, made):
    done = run("diff", made / "b", made / "c", "--json", "--limit", 1000)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    items = found["differences"]
    assert not found["same_sae"] and found["n_compared"] == len(items)
    assert found["n_unmatched_a"] + len(items) == found["n_unmatched_b"] + len(items) == 24
    assert len({item["feature_a"] for item in items}) == len({item["feature_b"] for item in items}) == len(items)
    assert all(-1 <= item["similarity"] <= 1 for item in items)
    a, b = decoder_rows(SAE), decoder_rows(OTHER)
    cosines = (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T
    mutual = {(i, int(k)) for i, k in enumerate(cosines.argmax(1)) if cosines[:, k].argmax() == i}
    assert {(item["feature_a"], item["feature_b"]) for item in items} == mutual
    assert all(math.isclose(item["similarity"], cosines[item["feature_a"], item["feature_b"]], abs_tol=1e-5) for item in items)


def decoder_rows(folder):
    """W_dec [features, width] of a folder of saes-for-sbert with a safetensors file."""
    import struct
    data = (folder / "sae.safetensors").read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + n])["W_dec"]
    begin, end = entry["data_offsets"]
    rows = np.frombuffer(data[8 + n + begin:8 + n + end], "<f4").reshape(entry["shape"]).astype("f8")
    return rows if rows.shape[0] == 24 else rows.T


def test_groups_of_one_run(run, made):
    rows = rows_of(run, made / "a", "--by", "kind")
    groups = {"near": 0, 'far, "out"': 1, "5": 2}
    assert {row["group"] for row in rows} == set(groups)
    assert run("encode", "-m", MODEL, "-s", SAE, "-d", made / "a.jsonl", "-o", made / "a.out.jsonl", "--force").code == 0
    fires = np.zeros((400, 24), bool)
    for i, line in enumerate((made / "a.out.jsonl").read_text(encoding="utf8").splitlines()):
        fires[i, json.loads(line)["features"]] = True
    kind = np.arange(400) % 4
    for row in rows:
        inside, f = kind == groups[row["group"]], int(row["feature_a"])
        outside = (kind != 3) & ~inside
        assert [int(row[name]) for name in ("n_fires_a", "n_rows_a", "n_fires_b", "n_rows_b")] == [fires[outside, f].sum(), outside.sum(), fires[inside, f].sum(), inside.sum()]
    p = [float(row["p"]) for row in rows]
    assert p == sorted(p) and np.allclose([float(row["q"]) for row in rows], q_values(p), rtol=1e-9)
    assert "near" in run("diff", made / "a", "--by", "kind", "--most-q", "1").out


@pytest.mark.parametrize("words, code, sentence", [
    (["a"], 64, "two runs are needed"), (["a", "b", "--by", "kind"], 64, "one run"), (["a", "--by", "nothing"], 66, "--keep"), (["a", "no"], 66, "no"), (["no", "b"], 66, "no")])
def test_refusals(run, made, words, code, sentence):
    done = run("diff", *[made / word if len(word) < 3 else word for word in words])
    assert done.code == code and sentence in done.err


def test_a_column_without_groups(run, made, program, tmp_path):
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": f"comet {i}", "id": i}) + "\n" for i in range(60)), encoding="utf8")
    assert run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", tmp_path / "t.jsonl", "-o", tmp_path / "run", "--keep", "id").code == 0
    done = run("diff", tmp_path / "run", "--by", "id")
    assert done.code == 66 and "no groups" in done.err


def test_json_has_as_many_as_are_asked_for(run, tmp_path):
    """All that --limit allows; with --most-q those that are so sure; --print-csv beside it is said to have no effect."""
    texts = "".join(json.dumps({"text": f"{'galaxy halo' if i % 2 else 'dust ring'} {i}", "kind": "ab"[i % 2]}) + "\n" for i in range(200))
    (tmp_path / "t.jsonl").write_text(texts)
    assert run("analyze", "-q", "-m", ROOT / "tests/data/encoder/mpnet-mean", "-s", ROOT / "tests/data/run/sae-jumprelu", "-d", tmp_path / "t.jsonl", "--keep", "kind", "--steps", "none", "-o", tmp_path / "run").code == 0
    words = ["diff", tmp_path / "run", "--by", "kind", "--json", "--limit", "1000"]
    every = json.loads(run(*words).out)["differences"]
    for q in (0.5, 1e-6, 1):
        assert json.loads(run(*words, "--most-q", q).out)["differences"] == [item for item in every if item["q"] <= q]
    assert len(every) > len([item for item in every if item["q"] <= 1e-6])
    done = run(*words, "--print-csv")
    assert "--print-csv has no effect beside --json" in done.err and json.loads(done.out)["differences"] == every
