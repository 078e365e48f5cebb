#!/usr/bin/env python3
"""Make tests/data/parquet: small Parquet files of every kind that saescope reads, written by
pyarrow, and beside each the rows that pyarrow reads back (NAME.jsonl).

    python tools/make_parquet_files.py          # needs pyarrow; made with 26.0.1
"""

import json
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

from parquet_rewrite import I32, STRUCT, put, rewrite, rewrite_schema
from parquet_rows import write_rows

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "parquet"
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]
ENCODINGS = {
    "plain": {"use_dictionary": False},
    "dict": {"use_dictionary": True},
    "deltalen": {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},
    "delta": {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
}
WORDS = ["star", "galaxy", "Größe", "光", "emission", "\U0001F52D", "a", "", "dust lane",
         "line\nbreak", "tab\t\"quote\"", "nul\0byte", "redshift", "e\u0301", "\u2028", "zz"]


def texts(rng, n, nulls):
    made = []
    for _ in range(n):
        if nulls and rng.random() < 0.3:
            made.append(None)
        else:
            made.append(" ".join(rng.choice(WORDS) for _ in range(rng.randrange(0, 6))))
    return made


def flat_table(rng, n):
    whole = texts(rng, n, False)
    return pa.table(
        [pa.array(range(n), pa.int64()), pa.array(whole), pa.array(texts(rng, n, True)),
         pa.array([None] * n, pa.string())],
        schema=pa.schema([("id", pa.int64()), pa.field("text", pa.string(), nullable=False),
                          ("note", pa.string()), ("nothing", pa.string())]))


def write(name, table, **options):
    path = OUT / f"{name}.parquet"
    pq.write_table(table, path, **options)
    write_rows(pq.ParquetFile(path).read(), OUT / f"{name}.jsonl")


def make_matrix(rng):
    for codec in CODECS:
        for encoding, defaults in ENCODINGS.items():
            for version in ("1.0", "2.0"):
                table = flat_table(rng, 45)
                options = dict(defaults)
                if "column_encoding" in options:
                    kind = options["column_encoding"]
                    options["column_encoding"] = {
                        name: kind for name in ("text", "note", "nothing")}
                write(f"{codec}-{encoding}-v{version[0]}", table, compression=codec,
                      data_page_version=version, data_page_size=300, write_batch_size=7,
                      row_group_size=rng.choice([11, 25, 45]),
                      write_page_checksum=rng.random() < 0.5, **options)


def maybe(rng, value, odds=0.25):
    return None if rng.random() < odds else value


def nested_table(rng, n):
    word = lambda: maybe(rng, rng.choice(WORDS), 0.2)
    words = lambda: [word() for _ in range(rng.randrange(0, 4))]
    struct = pa.struct([("title", pa.string()), ("year", pa.int32()),
                        ("inner", pa.struct([("text", pa.string())]))])
    made_struct = lambda: {"title": word(), "year": 1, "inner": maybe(rng, {"text": word()})}
    entry = pa.struct([("kind", pa.string()), ("values", pa.list_(pa.string())),
                       ("n", pa.int64())])
    made_entry = lambda: {"kind": word(), "values": maybe(rng, words()), "n": 3}
    pairs = lambda: [(rng.choice(WORDS) + str(i), word()) for i in range(rng.randrange(0, 3))]
    return pa.table({
        "meta": pa.array([maybe(rng, made_struct()) for _ in range(n)], struct),
        "tags": pa.array([maybe(rng, words()) for _ in range(n)], pa.list_(pa.string())),
        "deep": pa.array([maybe(rng, [maybe(rng, words()) for _ in range(rng.randrange(3))])
                          for _ in range(n)], pa.list_(pa.list_(pa.string()))),
        "entries": pa.array([maybe(rng, [maybe(rng, made_entry())
                                         for _ in range(rng.randrange(0, 3))])
                             for _ in range(n)], pa.list_(entry)),
        "map": pa.array([maybe(rng, pairs()) for _ in range(n)],
                        pa.map_(pa.string(), pa.string())),
        "count": pa.array(range(n), pa.int32()),
        "text": pa.array(texts(rng, n, True)),
    })


def make_others(rng):
    for version in ("1.0", "2.0"):
        write(f"nested-v{version[0]}", nested_table(rng, 40), compression="zstd",
              data_page_version=version, data_page_size=100, write_batch_size=5,
              row_group_size=17, write_page_checksum=True)
    some = bytes(range(256))
    binary = [maybe(rng, some[i:i + rng.randrange(9)]) for i in range(0, 250, 5)]
    fixed = [maybe(rng, bytes([65 + i % 150, 66, 67])) for i in range(50)]
    for split in (False, True):
        write("binary-split" if split else "binary", pa.table({
            "bytes": pa.array(binary, pa.binary()), "fixed": pa.array(fixed, pa.binary(3)),
            "large": pa.array(texts(rng, 50, True), pa.large_string())}),
            use_dictionary=not split, compression="snappy",
            column_encoding={"fixed": "BYTE_STREAM_SPLIT"} if split else None)
    write("fallback", pa.table({"text": [f"value {i % 700}" for i in range(900)]}),
          compression="none", dictionary_pagesize_limit=2000, data_page_size=1000,
          write_batch_size=50)
    write("empty", flat_table(rng, 0))
    write("empty-groups", pa.concat_tables([flat_table(rng, 3), flat_table(rng, 0)]),
          row_group_size=1)
    write("repeated-names", pa.table([pa.array(["a", None]), pa.array(["b", "c"])],
                                     names=["text", "text"]))
    write("category", pa.table({"text": pa.array(texts(rng, 50, True)).dictionary_encode()}))
    write("long", pa.table({"text": ["x" * 70000, "é" * 40000, "tail"]}), compression="zstd")
    write("checksum", pa.table({"text": [f"every bit of this text counts: {i}" for i in range(80)]}),
          compression="none", use_dictionary=False, write_page_checksum=True,
          write_statistics=False)
    write("large-list", pa.table({"tags": pa.array([["a", None], [], None, ["b"]],
                                                   pa.large_list(pa.string())),
                                  "pair": pa.array([["a", "b"], None, ["c", None], ["d", "e"]],
                                                   pa.list_(pa.string(), 2))}))


def annotate(path, logical, converted):
    """Give the only column of a file a type that its values cannot have."""
    def edit(elements):
        put(elements[1], 10, STRUCT, [[logical, STRUCT, []]])
        put(elements[1], 6, I32, converted)
    rewrite_schema(path, edit)


def make_odd():
    """Types that values do not fit. pyarrow refuses a decimal of no bytes, and reads a date of
    eight bytes as the number that it is."""
    (OUT / "odd").mkdir(exist_ok=True)
    path = OUT / "odd" / "empty-decimal.parquet"
    values = pa.array([b"\x01", b"", b"\x02"])
    pq.write_table(pa.table({"value": values}), path, use_dictionary=False)
    rewrite(random.Random(1), path, False, True)
    path = OUT / "odd" / "long-date.parquet"
    pq.write_table(pa.table({"value": [1, -1, 2**63 - 1, -2**63]}), path, use_dictionary=False)
    annotate(path, 6, 6)
    with open(path.with_suffix(".jsonl"), "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in pq.ParquetFile(path).read().to_pylist())


def make_shared_text():
    """A text of 1 MiB in each of 4 million rows: 4 TB of text, so without expected rows."""
    rows = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000_000, pa.int32()),
                                          pa.array(["x" * (1 << 20)]))
    (OUT / "large").mkdir(exist_ok=True)
    pq.write_table(pa.table({"text": rows}), OUT / "large" / "shared-text.parquet",
                   compression="zstd", write_statistics=False, store_schema=False,
                   row_group_size=4_000_000, data_page_size=1 << 24, max_rows_per_page=4_000_000,
                   dictionary_pagesize_limit=1 << 24)


def make_find():
    """Thirty million nulls in some hundred bytes: right, but no input to look for others with."""
    folder = OUT.parent / "finds" / "fuzz_parquet"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": pa.nulls(30_000_000, pa.string())}), folder / "nulls.parquet",
                   write_statistics=False, store_schema=False, row_group_size=30_000_000,
                   data_page_size=1 << 24, max_rows_per_page=30_000_000)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for old in [*OUT.glob("*.parquet"), *OUT.glob("*.jsonl")]:
        old.unlink()
    make_matrix(random.Random(1))
    make_others(random.Random(2))
    make_shared_text()
    make_odd()
    make_find()


if __name__ == "__main__":
    main()
