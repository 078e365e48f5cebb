"""Embeddings in columns: every type of list and of number, and wide frames, to the last bit as pyarrow reads them.

tests/data/vectors (tools/make_vector_files.py) has the files and what pyarrow reads in them. An SAE that is the identity, once
as it is and once negated, lets `encode` show the numbers that were read: relu(x) and relu(-x).
"""
import json
import time

import numpy as np
import pytest

from conftest import ROOT
from helpers import write_safetensors

DATA = ROOT / "tests/data/vectors"
FILES = json.loads((DATA / "expected.json").read_text())["files"]


def write_identity(folder, width):
    folder.mkdir()
    eye = np.eye(width)
    write_safetensors(folder / "sae.safetensors", {"W_enc": np.hstack([eye, -eye]), "W_dec": np.vstack([eye, -eye]),
                                                   "b_enc": np.zeros(2 * width), "b_dec": np.zeros(width)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "vanilla", "act_size": width, "dict_size": 2 * width, "model_name": "",
                                                    "input_unit_norm": False, "dtype": "torch.float32", "num_examples": 5}))
    return folder


def read_rows(run, path, width, tmp_path, column=""):
    folder = tmp_path / f"identity-{width}"
    sae = folder if folder.exists() else write_identity(folder, width)
    more = ["--embedding-column", column] if column else []
    done = run("encode", "--embeddings", path, *more, "-s", sae, "-o", tmp_path / "rows.jsonl", "-f")
    if done.code != 0:
        return done
    rows = []
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        made = json.loads(line)
        row = [0.0] * width
        for feature, value in zip(made["features"], made["activations"]):
            row[feature % width] = value if feature < width else -value
        rows.append(row)
    return rows


@pytest.mark.parametrize("name", FILES)
def test_numbers_are_those_of_pyarrow(run, tmp_path, name):
    want = FILES[name]
    width = 5 if "refused" in want else len(want["rows"][0])
    got = read_rows(run, DATA / name, width, tmp_path, want["column"])
    if "refused" in want:
        assert not isinstance(got, list), "it was read"
        assert (got.code, want["refused"] in got.err, got.err.count("\n")) == (65, True, 1), got.err
    else:
        assert isinstance(got, list), got.err
        assert got == want["rows"]


@pytest.mark.parametrize("name", ["wide.dict.parquet", "wide-mixed.arrow"])
def test_a_folder_of_files_is_one_dataset(run, tmp_path, name):
    (tmp_path / "data").mkdir()
    for part in "ab":
        (tmp_path / f"data/{part}-{name}").write_bytes((DATA / name).read_bytes())
    assert read_rows(run, tmp_path / "data", 5, tmp_path) == 2 * FILES[name]["rows"]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.tsv", "x.csv.gz"])
def test_wide_frames_of_text_formats(run, tmp_path, name):
    import gzip
    array = np.random.default_rng(3).normal(size=(30, 12)).astype(np.float32)
    names = [f"e{i}" for i in range(12)]
    rows = [dict(zip(["id", *names], [i, *map(float, row)])) for i, row in enumerate(array)]
    delimiter = "\t" if "tsv" in name else ","
    text = {"jsonl": "\n".join(map(json.dumps, rows)), "json": json.dumps(rows)}.get(name.split(".")[1])
    if text is None:
        text = delimiter.join(rows[0]) + "\n" + "\n".join(delimiter.join(map(repr, row.values())) for row in rows)
    data = (text + "\n").encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert read_rows(run, tmp_path / name, 12, tmp_path) == array.astype(float).tolist()
    assert read_rows(run, tmp_path / name, 12, tmp_path, "e*") == array.astype(float).tolist()


def test_decimals_are_rounded_once(run, tmp_path):
    """Texts of doubles of all sizes, as Python reads them, then to float32."""
    rng = np.random.default_rng(12)
    values = np.concatenate([rng.normal(size=4000), rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000), [0.0, -0.0, 1e-45, 3.4e38, 5e-324]])
    texts = [f"{v:.{d}{k}}" for v in values for d, k in ((3, "e"), (8, "g"), (17, "g"), (16, "f"), (19, "e"))] + [repr(float(v)) for v in values]
    texts += ["1", "-7", "123456789012345678901234567890", "0.1000000000000000055511151231257827", "9007199254740993", "1E5", "4.5e-07"]
    texts = [t for t in texts if abs(float(t)) < 3e38]
    n = len(texts) // 8 * 8
    (tmp_path / "x.jsonl").write_text("".join('{"v": [' + ", ".join(texts[i:i + 8]) + "]}\n" for i in range(0, n, 8)))
    got = read_rows(run, tmp_path / "x.jsonl", 8, tmp_path)
    want = np.array([float(t) for t in texts[:n]]).astype(np.float32).reshape(-1, 8).astype(float)
    assert (np.array(got) == want).all()


def test_wide_json_lines_take_linear_time(run, tmp_path):
    width, n = 700, 300
    names = [str(i) for i in range(width)]
    line = json.dumps({name: 0.5 for name in names}) + "\n"
    (tmp_path / "x.jsonl").write_text(line * n)
    began = time.monotonic()
    assert len(read_rows(run, tmp_path / "x.jsonl", width, tmp_path)) == n
    assert time.monotonic() - began < 20  # 0.3 s; a scan of the row for each column took 30
