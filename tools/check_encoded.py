#!/usr/bin/env python3
"""Files of features that saescope wrote, as scipy, pyarrow and pandas see them.

    check_encoded.py SAESCOPE

`encode` writes 70,000 rows (more than a record batch of Arrow takes; every tenth is missing) from embeddings, once in each
format. The matrix passes scipy's full check and has its usual types, the tables pass pyarrow's full validation, and all of
them hold the same. What scipy writes for the same matrix has the same members, types and values. Needs numpy, scipy,
pyarrow, pandas; prints their versions and ends with 0 if all agree.

It agreed with scipy 1.17.1, pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import scipy
import scipy.sparse

ROOT = Path(__file__).resolve().parents[1]
N, WIDTH = 70_000, 16


def check(program, folder):
    x = np.random.default_rng(1).normal(size=(N, WIDTH)).astype(np.float32)
    x[::10] = np.nan
    np.save(folder / "x.npy", x)
    kept = [{"text": f"text {i}", "id": i, "score": i / 2 if i % 3 else None, "flag": i % 2 == 0, "name": f"é{i}"} for i in range(N)]
    (folder / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    words = [program, "encode", "-q", "--embeddings", folder / "x.npy", "-s", ROOT / "tests/data/run/sae-jumprelu"]
    table_words = ["-d", folder / "x.jsonl", "--text-column", "text", "--keep", "id,score,flag,name", "--with-text"]
    subprocess.run([*words, "-o", folder / "x.npz"], check=True)
    for name in ("x.arrow", "x.feather", "rows.jsonl"):
        subprocess.run([*words, *table_words, "-o", folder / name], check=True)

    matrix = scipy.sparse.load_npz(folder / "x.npz")
    matrix.check_format(full_check=True)
    assert matrix.format == "csr" and matrix.shape == (N, 24) and matrix.has_sorted_indices and matrix.has_canonical_format
    assert (matrix.dtype, matrix.indices.dtype, matrix.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert (np.diff(matrix.indptr)[::10] == 0).all() and matrix.nnz > N
    scipy.sparse.save_npz(folder / "scipy.npz", matrix, compressed=False)
    ours, theirs = np.load(folder / "x.npz"), np.load(folder / "scipy.npz")
    for name in theirs.files:  # scipy of today adds an entry that tells arrays from matrices
        if name != "_is_array":
            assert ours[name].dtype == theirs[name].dtype and (ours[name] == theirs[name]).all(), name

    with pa.memory_map(str(folder / "x.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    table.validate(full=True)
    assert table.schema.metadata[b"n_features"] == b"24"
    assert pa.feather.read_table(folder / "x.feather").equals(table)
    assert [str(field.type) for field in table.schema] == ["int64", "list<item: uint32 not null>", "list<item: float not null>", "string",
                                                           "int64", "double", "bool", "string"]
    assert table.select(["text", "id", "score", "flag", "name"]).to_pylist() == kept
    assert (table["features"].combine_chunks().flatten().to_numpy() == matrix.indices).all()
    assert (table["activations"].combine_chunks().flatten().to_numpy() == matrix.data).all()
    lengths = table["features"].combine_chunks().value_lengths().to_numpy()
    assert (lengths == np.diff(matrix.indptr)).all() and (table["row"].to_numpy() == np.arange(N)).all()
    frame = pd.read_feather(folder / "x.feather")
    assert len(frame) == N and (frame["id"] == np.arange(N)).all()

    lines = [json.loads(line) for line in (folder / "rows.jsonl").read_text("utf8").splitlines()]
    for name in ("row", "features", "activations", "text"):
        assert [line[name] for line in lines] == table[name].to_pylist(), name


if __name__ == "__main__":
    print(f"numpy {np.__version__}, scipy {scipy.__version__}, pyarrow {pa.__version__}, pandas {pd.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        check(Path(sys.argv[1]).resolve(), Path(folder))
    print("all agree")
