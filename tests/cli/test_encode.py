"""Features per row as a file (`encode`): the counts of analyze, rows that match the dataset, the same bytes always.

That scipy, pyarrow and pandas read the files is checked by tools/check_encoded.py; here numpy and the project's own reader
do, and analyze is what the numbers must agree with.
"""
import csv
import json
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from test_jobs import TEXTS

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
DATA = ROOT / "tests/data/run"
ROWS = DATA / "rows.jsonl"  # 300 rows, some of them null, empty or blank
TEXTS_OF_ROWS = [json.loads(line).get("text") for line in ROWS.read_text("utf8").splitlines()]
USED = [i for i, text in enumerate(TEXTS_OF_ROWS) if text is not None and text.strip()]
RULES = {"jumprelu": ["-s", DATA / "sae-jumprelu"],
         "row-topk": ["-s", DATA / "sae-batchtopk", "--batchtopk", "row-topk"],
         "batch": ["-s", DATA / "sae-batchtopk", "--batchtopk", "batch", "--batch-rows", "7"],
         "calibrated": ["-s", DATA / "sae-batchtopk", "--batchtopk", "threshold", "--calibration-rows", "50"],
         "given": ["-s", DATA / "sae-batchtopk", "--batchtopk", "threshold", "--batchtopk-threshold", "0.5"]}


def load_npz(path):
    """Rows as {feature: activation}, and the archive."""
    archive = np.load(path)
    assert archive["format"].item() == b"csr" and archive["shape"].dtype == np.int64
    n_rows, n_features = archive["shape"]
    indices, indptr, data = archive["indices"], archive["indptr"], archive["data"]
    assert indices.dtype == indptr.dtype == np.int32 and data.dtype == np.float32
    assert len(indptr) == n_rows + 1 and indptr[0] == 0 and indptr[-1] == len(indices) == len(data)
    rows = []
    for begin, end in zip(indptr, indptr[1:]):
        features = indices[begin:end]
        assert (np.diff(features) > 0).all() and (features < n_features).all()
        rows.append({int(f): float(v) for f, v in zip(features, data[begin:end])})
    return rows, archive


def load_jsonl(path):
    lines = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    return lines, [dict(zip(line["features"], line["activations"])) for line in lines]


def load_arrow(run, path, columns, tmp_path):
    """The columns of an Arrow file as the project's own reader sees them: as columns that are kept."""
    out = tmp_path / "read-back.jsonl"
    width = 16
    np.save(tmp_path / "zeros.npy", np.ones((int(json.loads(run("inspect", "--json", path).out)["rows"]), width), np.float32))
    done = run("encode", "--embeddings", tmp_path / "zeros.npy", "-s", DATA / "sae-jumprelu", "-d", path, "--text-column", "text",
               "--keep", ",".join(columns), "-o", out, "-f", "-q")
    assert done.code == 0, done.err
    return [line["kept"] for line in load_jsonl(out)[0]]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("source", ["model", "embeddings"])
def test_counts_are_those_of_analyze(run, tmp_path, rule, source):
    words = ["-m", MODEL, "-d", ROWS]
    if source == "embeddings":
        assert run("embed", *words, "--null", "nan", "-o", tmp_path / "x.npy").code == 0
        words = ["--embeddings", tmp_path / "x.npy", "-d", ROWS]
    assert run("analyze", *words, *RULES[rule], "-o", tmp_path / "run", "-q").code == 0
    done = run("encode", *words, *RULES[rule], "-o", tmp_path / "x.npz", "--json")
    assert done.code == 0, done.err
    rows, archive = load_npz(tmp_path / "x.npz")
    values = [[row[f] for row in rows if f in row] for f in range(archive["shape"][1])]
    with open(tmp_path / "run/features.csv", newline="") as file:
        for line, fires in zip(csv.DictReader(file), values, strict=True):
            assert int(line["n_fires"]) == len(fires)
            assert float(line["max_activation"]) == (max(fires) if fires else 0)
            assert float(line["mean_activation"]) == pytest.approx(np.mean(fires) if fires else 0, rel=1e-12)
    assert len(rows) == len(TEXTS_OF_ROWS)
    manifest = json.loads((tmp_path / "run/run.json").read_text())["rows"]
    said = json.loads(done.out)
    assert said["rows"] == manifest["read"] == len(rows)
    assert said["rows_without_text"] == manifest["read"] - manifest["used"]
    assert said["activations"] == sum(map(len, rows)) > 100


def test_row_i_is_row_i_of_the_dataset(run, tmp_path):
    assert run("encode", "-m", MODEL, "-d", ROWS, *RULES["jumprelu"], "-o", tmp_path / "all.npz").code == 0
    rows, _ = load_npz(tmp_path / "all.npz")
    assert [i for i, row in enumerate(rows) if row] == [i for i in USED if rows[i]] and len(USED) < len(rows)
    assert sum(1 for i in USED if rows[i]) > len(USED) / 2
    for i in (0, USED[len(USED) // 2], USED[-1]):  # each as a dataset of its own
        (tmp_path / "one.jsonl").write_text(json.dumps({"text": TEXTS_OF_ROWS[i]}) + "\n")
        assert run("encode", "-m", MODEL, "-d", tmp_path / "one.jsonl", *RULES["jumprelu"], "-o", tmp_path / "one.npz", "-f").code == 0
        assert load_npz(tmp_path / "one.npz")[0] == [rows[i]]


def test_left_out_rows_are_told(run, tmp_path):
    words = ["encode", "-m", MODEL, "-d", ROWS, *RULES["jumprelu"]]
    for name, more in {"all.npz": [], "few.npz": ["--null", "skip"], "few2.npz": ["--skip-empty"], "few.jsonl": ["--null", "skip"],
                       "first.npz": ["-n", "40"], "used.npz": ["-n", "40", "--null", "skip"]}.items():
        assert run(*words, *more, "-o", tmp_path / name).code == 0
    every, few = load_npz(tmp_path / "all.npz"), load_npz(tmp_path / "few.npz")
    assert few[1]["rows"].tolist() == USED and "rows" not in every[1]
    assert few[0] == [every[0][i] for i in USED]
    assert (tmp_path / "few.npz").read_bytes() == (tmp_path / "few2.npz").read_bytes()
    lines, features = load_jsonl(tmp_path / "few.jsonl")
    assert [line["row"] for line in lines] == USED and features == few[0]
    assert load_npz(tmp_path / "first.npz")[0] == every[0][:40]
    assert load_npz(tmp_path / "used.npz")[0] == few[0][:40]


def test_all_formats_say_the_same(run, tmp_path):
    rows = [{"id": i, "text": text, "flag": i % 2 == 0, "score": i / 4 if i % 3 else i, "row": f"r{i}", "any": [1, "é", None, {"a": 1}][i % 4],
             "none": None, "big": 2**53 + i, "huge": 2**63 + i} for i, text in enumerate([*TEXTS, None])]
    rows[3].pop("score")
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = ["id", "flag", "score", "row", "any", "none", "big", "huge"]
    words = ["encode", "-m", MODEL, "-d", tmp_path / "x.jsonl", "--text-column", "text", *RULES["jumprelu"]]
    assert run(*words, "-o", tmp_path / "x.npz").code == 0
    for name in ("x.out.jsonl", "x.arrow", "x.feather"):
        done = run(*words, "--keep", ",".join(columns), "--with-text", "-o", tmp_path / name)
        assert done.code == 0, done.err
    matrix, _ = load_npz(tmp_path / "x.npz")
    lines, features = load_jsonl(tmp_path / "x.out.jsonl")
    assert features == matrix and any(matrix) and [line["row"] for line in lines] == list(range(len(rows)))
    assert [line["text"] for line in lines] == [row["text"] for row in rows]
    assert [line["kept"] for line in lines] == [{key: row.get(key) for key in columns} for row in rows]
    assert (tmp_path / "x.arrow").read_bytes() == (tmp_path / "x.feather").read_bytes()
    assert run("inspect", "--check", tmp_path / "x.arrow").code == 0
    types = {line["column"]: line["type"] for line in json.loads(run("inspect", "--json", tmp_path / "x.arrow").out)["table"]}
    assert types == {"row": "int64", "features": "list", "activations": "list", "text": "string", "id": "int64", "flag": "boolean",
                     "score": "double", "kept.row": "string", "any": "string", "none": "null", "big": "int64", "huge": "string"}
    names = ["row", "features", "activations", "text", "id", "flag", "score", "kept.row", "any", "none", "big", "huge"]
    for made, line, row in zip(load_arrow(run, tmp_path / "x.arrow", names, tmp_path), lines, rows, strict=True):
        assert [made["row"], made["features"], made["activations"], made["text"]] == [line["row"], line["features"], line["activations"], row["text"]]
        assert [made["id"], made["flag"], made["score"], made["kept.row"], made["none"], made["big"]] == \
            [row["id"], row["flag"], row.get("score"), row["row"], None, row["big"]]
        assert made["huge"] == str(row["huge"])
        assert (None if made["any"] is None else json.loads(made["any"])) == row["any"]


@pytest.mark.parametrize("name", ["x.npz", "x.arrow", "x.jsonl"])
@pytest.mark.parametrize("rule", ["jumprelu", "batch"])
def test_bytes_depend_on_rows_alone(run, tmp_path, name, rule):
    made = []
    for i, more in enumerate((["-t", "1"], ["-t", "2", "--batch-tokens", "64"], ["-t", "3", "--batch-tokens", "1000"])):
        (tmp_path / str(i)).mkdir()
        out = tmp_path / str(i) / name
        assert run("encode", "-m", MODEL, "-d", ROWS, *RULES[rule], "-o", out, *more).code == 0
        made.append(out.read_bytes())
        assert [p.name for p in (tmp_path / str(i)).iterdir()] == [name]
    assert made[0] == made[1] == made[2]


def test_many_record_batches(run, tmp_path):
    """More rows than a record batch takes (65,536)."""
    n = 70_000
    np.save(tmp_path / "x.npy", np.random.default_rng(5).normal(size=(n, 16)).astype(np.float32))
    (tmp_path / "x.txt").write_text("".join(f"text {i}\n" for i in range(n)))
    words = ["encode", "--embeddings", tmp_path / "x.npy", *RULES["jumprelu"]]
    assert run(*words, "-o", tmp_path / "x.npz").code == 0
    assert run(*words, "-d", tmp_path / "x.txt", "--with-text", "-o", tmp_path / "x.arrow").code == 0
    assert run("inspect", "--check", tmp_path / "x.arrow").code == 0
    assert json.loads(run("inspect", "--json", tmp_path / "x.arrow").out)["rows"] == n
    rows, _ = load_npz(tmp_path / "x.npz")
    assert len(rows) == n
    done = run("analyze", "--embeddings", tmp_path / "x.npy", *RULES["jumprelu"], "-d", tmp_path / "x.arrow", "-o", tmp_path / "run", "-k", "1")
    assert done.code == 0, done.err
    for f, tops in enumerate(json.loads((tmp_path / "run/top_activations.json").read_text())):
        for activation, text in tops:
            assert rows[int(text.split()[1])][f] == activation  # so that texts are those of their rows in later batches, too


def test_no_rows_at_all(run, tmp_path):
    (tmp_path / "null.jsonl").write_text('{"text": null}\n{"text": ""}\n')
    for name in ("x.npz", "x.arrow", "x.jsonl"):
        assert run("encode", "-m", MODEL, "-d", tmp_path / "null.jsonl", *RULES["jumprelu"], "-o", tmp_path / name).code == 0
        assert run("encode", "-m", MODEL, "-d", tmp_path / "null.jsonl", *RULES["jumprelu"], "--null", "skip", "-o", tmp_path / f"no-{name}").code == 0
    assert load_npz(tmp_path / "x.npz")[0] == [{}, {}] and load_npz(tmp_path / "no-x.npz")[0] == []
    assert load_jsonl(tmp_path / "x.jsonl")[1] == [{}, {}] and load_jsonl(tmp_path / "no-x.jsonl")[1] == []
    assert b"ARROW1" == (tmp_path / "no-x.arrow").read_bytes()[-6:]


def test_refusals(run, tmp_path):
    words = ["encode", "-m", MODEL, "-d", ROWS, *RULES["jumprelu"]]
    for more, code, sentence in ((["-o", tmp_path / "x.csv"], 64, ".npz (for scipy.sparse.load_npz), .arrow, .feather or .jsonl"),
                                 (["-o", tmp_path / "x.npz", "--keep", "text"], 64, "cannot hold texts or kept columns"),
                                 (["-o", tmp_path / "x.npz", "--with-text"], 64, "cannot hold texts or kept columns"),
                                 (["-o", tmp_path / "x.arrow", "--keep", "text,text"], 64, "'text' is to be kept twice"),
                                 (["-o", tmp_path / "x.npz", "--null", "nan"], 64, "cannot be NaN"),
                                 (["-o", tmp_path / "x.npz", "--null", "zero", "--skip-empty"], 64, "--null zero contradicts it"),
                                 (["-o", tmp_path / "x.npz", "--null", "stop"], 65, "row 7 of the dataset"),
                                 (["-o", tmp_path / "no/x.npz"], 74, "no/x.npz"),
                                 (["-o", tmp_path / "x.arrow", "--keep", "nope"], 65, "no column to keep 'nope'")):
        done = run(*words, *more)
        assert (done.code, sentence in done.err, list(tmp_path.iterdir())) == (code, True, []), (more, done.err)
    (tmp_path / "x.npz").write_text("mine")
    assert run(*words, "-o", tmp_path / "x.npz").code == 74 and (tmp_path / "x.npz").read_text() == "mine"
    assert run(*words, "-o", tmp_path / "x.npz", "-f").code == 0 and load_npz(tmp_path / "x.npz")[0]
    for name in ("x.npz", "x.arrow", "x.jsonl"):
        full = subprocess.run(["ln", "-s", "/dev/full", tmp_path / f"full-{name}"])
        assert full.returncode == 0 and run(*words, "-o", tmp_path / f"full-{name}").code == 74
