#!/usr/bin/env python3
"""Make tests/data/vectors: embeddings in the columns of Parquet and Arrow files, by every type of list and of number, and what pyarrow reads in them.

    python tools/make_vector_files.py          # needs pyarrow; made with 26.0.1

expected.json has for each file the column to ask for ("" for none) and either its rows as float32 values, as pyarrow reads them back, or the words of
the sentence with which it must be refused.
"""

import json
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "vectors"
N, WIDTH = 11, 5
VALUES = np.random.default_rng(6).normal(size=(N, WIDTH)) * 40
NUMBERS = {"float": pa.float32(), "double": pa.float64(), "half": pa.float16(), "int8": pa.int8(), "uint8": pa.uint8(), "int32": pa.int32(),
           "int64": pa.int64(), "uint32": pa.uint32()}
expected = {}


def numbers(kind):
    made = np.abs(VALUES) if kind.startswith("u") else VALUES
    return made.astype(NUMBERS[kind].to_pandas_dtype())


def lists(kind, shape):
    flat = pa.array(numbers(kind).ravel(), NUMBERS[kind])
    offsets = np.arange(0, N * WIDTH + 1, WIDTH)
    if shape == "fixed":
        return pa.FixedSizeListArray.from_arrays(flat, WIDTH)
    if shape == "large":
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)
    if shape == "view":
        return pa.ListViewArray.from_arrays(pa.array(offsets[-2::-1].copy(), pa.int32()), pa.array([WIDTH] * N, pa.int32()), flat)
    if shape == "words":  # the numbers are a dictionary
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat.dictionary_encode())
    if shape == "strict":  # neither list nor elements may be null
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat, type=pa.list_(pa.field("element", NUMBERS[kind], nullable=False)))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)


CONTAINERS = {
    "plain.parquet": lambda t, path: pq.write_table(t, path, use_dictionary=False, compression="none", row_group_size=4),
    "dict.parquet": lambda t, path: pq.write_table(t, path, use_dictionary=True, compression="zstd", row_group_size=7),
    "v2.parquet": lambda t, path: pq.write_table(t, path, use_dictionary=False, data_page_version="2.0", compression="snappy", data_page_size=64, write_batch_size=2),
    "arrow": lambda t, path: write_ipc(t, path, pa.ipc.new_file, None),
    "arrows": lambda t, path: write_ipc(t, path, pa.ipc.new_stream, "lz4"),
    "feather": lambda t, path: feather.write_feather(t, str(path), compression="zstd"),
}


def write_ipc(table, path, new, compression):
    with new(str(path), table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, 4)


def read_back(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.suffix == ".arrows":
        return pa.ipc.open_stream(str(path)).read_all()
    return pa.ipc.open_file(str(path)).read_all()


def store(name, table, containers, column="", words=None, names=None):
    """`names` are the columns whose numbers make the rows, else the first column of lists does."""
    for container in containers:
        path = OUT / f"{name}.{container}"
        CONTAINERS[container](table, path)
        if words is not None:
            expected[path.name] = {"column": column, "refused": words}
            continue
        back = read_back(path)
        if names is not None:
            rows = [[row[n] for n in names] for row in back.select(names).to_pylist()]
        else:
            found = next(n for n in back.column_names if "list" in str(back.schema.field(n).type)) if column == "" else column
            rows = back.flatten()[found].to_pylist() if "." in found else back[found].to_pylist()
        expected[path.name] = {"column": column, "rows": [[float(np.float32(float(v))) for v in row] for row in rows]}


def make_lists():
    for kind in NUMBERS:
        store(f"list-{kind}", pa.table({"id": range(N), "v": lists(kind, "list")}), CONTAINERS if kind in ("float", "double", "half") else ("dict.parquet", "arrow"))
    for shape in ("fixed", "large", "strict"):
        for kind in ("float", "half"):
            store(f"{shape}-{kind}", pa.table({"v": lists(kind, shape)}), ("plain.parquet", "arrow"))
    for shape in ("view", "words"):
        store(f"{shape}-float", pa.table({"v": lists("float", shape)}), ("arrow",))
    inside = pa.StructArray.from_arrays([pa.array(range(N)), lists("float", "list")], ["n", "v"])
    store("struct", pa.table({"a": inside, "w": lists("double", "list")}), ("plain.parquet", "arrow"), column="a.v")


def make_faults():
    """Row 3 has what cannot be."""
    rows = VALUES.astype(np.float32).tolist()
    bad = {"null-element": ([*rows[:3], [1.0, None, 3.0, 4.0, 5.0], *rows[4:]], "row 3 of the embeddings, counted from 0, holds a value that is null"),
           "null-row": ([*rows[:3], None, *rows[4:]], "row 3 of the embeddings, counted from 0, holds a value that is null"),
           "ragged": ([*rows[:3], [1.0], *rows[4:]], "row 3 of the embeddings, counted from 0, has 1 values, the rows before it have 5"),
           "empty": ([*rows[:3], [], *rows[4:]], "row 3 of the embeddings, counted from 0, has 0 values"),
           "infinite": ([*rows[:3], [1.0, float("inf"), 3.0, 4.0, 5.0], *rows[4:]], "row 3 of the embeddings, counted from 0, holds a value that is not finite")}
    for name, (made, words) in bad.items():
        store(name, pa.table({"v": pa.array(made, pa.list_(pa.float32()))}), ("dict.parquet", "v2.parquet", "arrow"), words=words)
    store("lists-of-lists", pa.table({"v": pa.array([[[1.0], [2.0]]] * 3)}), ("plain.parquet", "arrow"), column="v", words="holds something else than numbers")
    store("strings", pa.table({"v": pa.array([["a", "b"]] * 3)}), ("plain.parquet", "arrow"), column="v", words="holds something else than numbers")
    store("two-lists", pa.table({"a": lists("float", "list"), "b": lists("float", "list")}), ("plain.parquet",), words="several columns of lists")
    store("no-numbers", pa.table({"a": pa.array(["x"] * 3)}), ("plain.parquet", "arrow"), words="there is no column of lists of numbers")


def wide(names, kind="float", **more):
    columns = {name: pa.array(numbers(kind)[:, i], NUMBERS[kind]) for i, name in enumerate(names)}
    return pa.table({**more, **columns})


def make_wide():
    both = ("dict.parquet", "arrow")
    plain = [str(i) for i in range(WIDTH)]
    dims = [f"dim_{i}" for i in range(WIDTH)]
    padded = [f"emb{i:03}" for i in range(1, WIDTH + 1)]
    store("wide", wide(plain), (*both, "v2.parquet", "feather"), names=plain)
    store("wide-double", wide(plain, "double"), both, names=plain)
    store("wide-half", wide(plain, "half"), both, names=plain)
    store("wide-dims", wide(dims, id=pa.array(range(N)), text=pa.array(["t"] * N), score=pa.array(VALUES[:, 0])), both, names=dims)
    store("wide-from-1", wide(padded, year=pa.array([2000] * N)), both, names=padded)
    mixed = [dims[i] for i in (3, 0, 4, 2, 1)]
    store("wide-mixed", wide(mixed), both, names=dims)
    store("wide-ten", pa.table({f"d{i}": pa.array(VALUES[:, i % WIDTH] + i) for i in range(12)}), both, names=[f"d{i}" for i in range(12)])
    store("pattern", wide(dims, x_0=pa.array(range(N)), x_1=pa.array(range(N))), both, column="dim_*", names=dims)
    store("pattern-names", wide(["b.red", "b.blue", "b.green", "c", "d"]), both, column="b.*", names=["b.red", "b.blue", "b.green"])
    store("pattern-middle", wide(["v10_x", "v9_x", "v8_x", "v7_y", "w"]), both, column="v*_x", names=["v8_x", "v9_x", "v10_x"])
    store("two-series", wide(dims, x_0=pa.array(range(N)), x_1=pa.array(range(N))), both,
          words="7 columns of one number each in more than one series; say which are the embeddings with --embedding-column 'NAME*'")
    store("holes", wide(["d0", "d1", "d3", "d4", "d5"]), both, words="but 5 columns of one number each; say which")
    store("unnumbered", wide(["a", "b", "c", "d", "e"]), both, words="but 5 columns of one number each; say which")
    store("one-number", wide(dims), both, column="dim_2", words="column 'dim_2' holds one number per row, expected lists of numbers")
    store("no-match", wide(dims), both, column="emb_*", words="no column of one number per row matches 'emb_*'")
    gap = [None if i == 3 else float(v) for i, v in enumerate(VALUES[:, 1])]
    store("wide-null", wide(plain).set_column(1, "1", pa.array(gap, pa.float32())), both,
          words="row 3 of the embeddings, counted from 0, holds a value that is null")


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    make_lists()
    make_faults()
    make_wide()
    notes = {"made by": f"tools/make_vector_files.py with pyarrow {pa.__version__}, numpy {np.__version__}"}
    (OUT / "expected.json").write_text(json.dumps({**notes, "files": expected}, indent=1) + "\n")


if __name__ == "__main__":
    main()
