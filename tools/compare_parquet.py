#!/usr/bin/env python3
"""Write random Parquet files with pyarrow and compare saescope's rows with pyarrow's.

    python tools/compare_parquet.py LIBSAESCOPE.so [FILES] [SEED]     # needs pyarrow

With damage (every third file has some bytes changed) the rule is: what saescope reads, pyarrow
reads with the same values, unless it refuses a part of the metadata that saescope does not use.
"""

import ctypes
import json
import pathlib
import random
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

from make_parquet_files import CODECS, WORDS, texts
from parquet_rows import rows_of


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("n_bytes", ctypes.c_size_t)]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("offset", ctypes.c_uint64), ("row", ctypes.c_uint64),
                ("item", ctypes.c_char * 160), ("file", ctypes.c_char * 512),
                ("message", ctypes.c_char * 1024)]


ON_ROW = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Text)


class Reader:
    def __init__(self, path):
        self.each = ctypes.CDLL(path).ss_dataset_each_json
        self.each.restype = ctypes.c_int

    def rows(self, path):
        """The rows, or (None, sentence)."""
        rows, error = [], Error()

        def on_row(_, text):
            rows.append(json.loads(ctypes.string_at(text.data, text.n_bytes)))
            return 0

        paths = (ctypes.c_char_p * 1)(str(path).encode())
        status = self.each(paths, ctypes.c_size_t(1), None, ctypes.c_uint64(0), ON_ROW(on_row),
                           None, ctypes.byref(error))
        return (rows, "") if status == 0 else (None, error.message.decode())


def value_of(rng, kind):
    if rng.random() < 0.15:
        return None
    if pa.types.is_list(kind):
        return [value_of(rng, kind.value_type) for _ in range(rng.choice([0, 1, 2, 5]))]
    if pa.types.is_map(kind):
        return [(rng.choice(WORDS), value_of(rng, kind.item_type))
                for _ in range(rng.choice([0, 1, 3]))]
    if pa.types.is_struct(kind):
        return {f.name: value_of(rng, f.type) for f in kind}
    if pa.types.is_int64(kind):
        return rng.randrange(-9, 10 ** rng.randrange(1, 15))
    if pa.types.is_fixed_size_binary(kind):
        return bytes(rng.randrange(256) for _ in range(kind.byte_width))
    text = texts(rng, 1, False)[0] * rng.choice([1, 1, 1, 1, 30])
    if pa.types.is_binary(kind):
        return text.encode() + bytes([rng.randrange(256)] * rng.randrange(2))
    return text


def kind_of(rng, depth, text_only):
    if depth > 0 and rng.random() < 0.4:
        pick = rng.randrange(3)
        if pick == 0:
            return pa.list_(kind_of(rng, depth - 1, text_only))
        if pick == 1:
            return pa.map_(pa.string(), kind_of(rng, depth - 1, text_only))
        return pa.struct([(f"f{i}", kind_of(rng, depth - 1, text_only))
                          for i in range(rng.randrange(1, 4))])
    kinds = [pa.string(), pa.string(), pa.string(), pa.binary(), pa.binary(5), pa.large_string()]
    return rng.choice(kinds if text_only else [*kinds, pa.int64()])


def table_of(rng, text_only):
    n = rng.choice([0, 1, 7, 100, 1000, 3000])
    arrays, names = [], []
    for i in range(rng.randrange(1, 5)):
        kind = kind_of(rng, rng.randrange(0, 4), text_only)
        pool = [value_of(rng, kind) for _ in range(rng.choice([1, 3, 40, 400]))]
        runs = []
        while len(runs) < n:
            runs += [rng.choice(pool)] * rng.choice([1, 1, 1, 2, 20, 300])
        arrays.append(pa.array(runs[:n], kind))
        names.append(rng.choice([f"c{i}", f"name {i}", f"größe{i}"]))
    arrays.append(pa.array(texts(rng, n, rng.random() < 0.5), pa.string()))
    return pa.table(arrays, names=names + ["text"])


def options_of(rng, table):
    flat = {f.name: f.type for f in table.schema}
    options = {"compression": rng.choice(CODECS), "use_dictionary": rng.random() < 0.5,
               "data_page_version": rng.choice(["1.0", "2.0"]),
               "data_page_size": rng.choice([50, 1000, 1 << 20]),
               "write_batch_size": rng.choice([1, 10, 1024]),
               "row_group_size": rng.choice([13, 500, 5000]),
               "dictionary_pagesize_limit": rng.choice([100, 1 << 20]),
               "write_page_checksum": rng.random() < 0.5}
    if not options["use_dictionary"]:
        kinds = ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
        options["column_encoding"] = {
            name: rng.choice(kinds) for name, kind in flat.items()
            if pa.types.is_string(kind) or pa.types.is_large_string(kind)
            or pa.types.is_binary(kind)}
    return options


def damage(rng, path):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.choice([rng.randrange(len(data)), max(0, len(data) - rng.randrange(1, 400))])
        data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def reference(path):
    """The rows, or (None, sentence)."""
    try:
        return list(rows_of(pq.ParquetFile(path).read())), ""
    except Exception as error:  # whatever pyarrow makes of damage
        return None, str(error)


def main():
    reader = Reader(sys.argv[1])
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    counts = {"equal": 0, "both refuse": 0, "only saescope refuses damage": 0,
              "only pyarrow refuses metadata": 0, "WRONG": 0}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.parquet"
        for i in range(n):
            damaged = i % 3 == 2  # then all that pyarrow reads must be read by saescope too
            table = table_of(rng, damaged)
            options = options_of(rng, table)
            pq.write_table(table, path, store_schema=not damaged, **options)
            if damaged:
                damage(rng, path)
            want, reason = reference(path)
            got, sentence = reader.rows(path)
            if got is None and want is None:
                counts["both refuse"] += 1
            elif got is None and damaged:
                counts["only saescope refuses damage"] += 1
            elif got == want:
                counts["equal"] += 1
            elif damaged and want is None and ("deserialize thrift" in reason
                                               or "histogram size" in reason):
                counts["only pyarrow refuses metadata"] += 1
            else:
                counts["WRONG"] += 1
                keep = f"/tmp/parquet-differs-{i}.parquet"
                pathlib.Path(keep).write_bytes(path.read_bytes())
                print(f"file {i} differs, kept as {keep}; damaged {damaged}; {options}; "
                      f"{sentence}")
    print(counts)
    return counts["WRONG"] > 0


if __name__ == "__main__":
    sys.exit(main())
