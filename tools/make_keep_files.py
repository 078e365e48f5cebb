#!/usr/bin/env python3
"""Make tests/data/rows: vectors.*, the same floats as an array and as lists; and kept.*, one table with columns of every type that can be carried along, as
JSON Lines, CSV, Parquet and Arrow, and kept.expected.jsonl, how its values must look; uuids.*, identifiers and intervals, beside
uuids.expected.json.

    python tools/make_keep_files.py          # needs pyarrow; made with 26.0.1

Floats are Python's, decimals and times strings: str(Decimal), isoformat().
"""

import csv
import datetime
import decimal
import json
import pathlib
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "rows"
N = 40
UTC = datetime.timezone.utc


def moment(i):
    return datetime.datetime(1931 + 3 * i, 1 + i % 12, 28, i % 24, 59, i, i * 1001 if i % 3 else 0)


def maybe(i, value):
    return None if i % 7 == 3 else value


def table():
    rows = range(N)
    group = pa.struct([("x", pa.int16()), ("y", pa.string())])
    return pa.table({
        "id": pa.array(rows, pa.int64()),
        "title": pa.array([f"Title {i}, \"é\"" for i in rows]),
        "text": pa.array([f"Star number {i} in a galaxy of {i * i} stars" for i in rows]),
        "small": pa.array([maybe(i, i - 20) for i in rows], pa.int8()),
        "large": pa.array([2 ** 64 - 1 - i for i in rows], pa.uint64()),
        "word": pa.array([2 ** 32 - 1 - i for i in rows], pa.uint32()),
        "single": pa.array([maybe(i, i / 3) for i in rows], pa.float32()),
        "double": pa.array([10.0 ** (i - 20) for i in rows], pa.float64()),
        "half": pa.array([i / 8 - 2 for i in rows], pa.float16()),
        "flag": pa.array([maybe(i, i % 3 == 0) for i in rows]),
        "price": pa.array([maybe(i, decimal.Decimal(i * 37 - 700) / 100) for i in rows], pa.decimal128(9, 2)),
        "vast": pa.array([decimal.Decimal(-7) ** (i + 1) for i in rows], pa.decimal256(60, 0)),
        "day": pa.array([maybe(i, moment(i).date()) for i in rows], pa.date32()),
        "milli": pa.array([moment(i).replace(microsecond=i * 1000) for i in rows], pa.timestamp("ms")),
        "micro": pa.array([moment(i) for i in rows], pa.timestamp("us", "UTC")),
        "clock": pa.array([moment(i).time() for i in rows], pa.time64("us")),
        "bytes": pa.array([b"\xff" + bytes([i]) if i % 2 else b"abc" for i in rows], pa.binary()),
        "kind": pa.array(["alpha", "beta", None, "gamma"] * (N // 4)).dictionary_encode(),
        "group": pa.array([maybe(i, {"x": i, "y": maybe(i + 1, "q")}) for i in rows], group),
        "list": pa.array([maybe(i, [i, None, -i][:i % 4]) for i in rows], pa.list_(pa.int32())),
        "groups": pa.array([maybe(i, [{"x": j, "y": str(j)} for j in range(i % 3)]) for i in rows],
                           pa.list_(group)),
    })


def look(value):
    if isinstance(value, list):
        return [look(item) for item in value]
    if isinstance(value, dict):
        return {key: look(item) for key, item in value.items()}
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode() if value.isascii() else {"hex": value.hex()}
    return value


def flattened(row):
    """A struct is carried along leaf by leaf."""
    group = row.pop("group")
    for name in ("x", "y"):
        row[f"group.{name}"] = None if group is None else group[name]
    return row


def milliseconds(row):
    """isoformat has six digits; a column of milliseconds is shown with three."""
    if "." in row["milli"]:
        row["milli"] = row["milli"][:-3]
    return row


def make_vectors():
    """The same rows of floats as an array and as columns of lists."""
    rng = np.random.default_rng(8)
    values = rng.normal(size=(70, 6)).astype(np.float32)
    np.save(OUT / "vectors.npy", values)
    lists = pa.array(values.tolist(), pa.list_(pa.float32()))
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 6)
    ids = pa.array(range(len(values)))
    pq.write_table(pa.table({"id": ids, "vector": lists}), OUT / "vectors.parquet", row_group_size=32)
    for name, column in (("vectors.arrow", lists), ("vectors-fixed.arrow", fixed)):
        made = pa.table({"id": ids, "v": column})
        with pa.ipc.new_file(str(OUT / name), made.schema) as writer:
            writer.write_table(made, 25)


def make_uuids():
    """UUIDs as all bytes that are no text; intervals as ISO 8601 durations of their months, days and seconds."""
    ids = [None if i == 3 else uuid.UUID(bytes=bytes((37 * i + 11 * j) % 256 for j in range(16))) for i in range(8)]
    parts = [(1, 2, 3), None, (0, 0, 0), (-13, 0, 0), (0, -4, 1_500_000_000), (0, 0, -1), (0, 0, -2_000_000_001), (2, 3, 60_000_000_000)]
    written = ["P1M2DT0.000000003S", None, "P0D", "P-13M", "P-4DT1.500000000S", "PT-0.000000001S", "PT-2.000000001S", "P2M3DT60S"]
    columns = {"text": pa.array([f"text {i}" for i in range(8)]), "key": pa.array([i and i.bytes for i in ids], pa.uuid())}
    pq.write_table(pa.table(columns), OUT / "uuids.parquet")
    columns["after"] = pa.array(parts, pa.month_day_nano_interval())
    made = pa.table(columns)
    with pa.ipc.new_file(str(OUT / "uuids.arrow"), made.schema) as writer:
        writer.write_table(made)
    (OUT / "uuids.expected.json").write_text(json.dumps({"key": [i and {"hex": i.hex} for i in ids], "after": written}) + "\n")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    make_vectors()
    make_uuids()
    made = table()
    rows = [milliseconds(flattened(look(row))) for row in made.to_pylist()]
    with open(OUT / "kept.expected.jsonl", "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    plain = [{key: row[key] for key in ("id", "title", "text")} for row in rows]
    with open(OUT / "kept.jsonl", "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in plain)
    with open(OUT / "kept.csv", "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["id", "title", "text"])
        writer.writeheader()
        writer.writerows(plain)
    pq.write_table(made, OUT / "kept.parquet", row_group_size=17, compression="zstd")
    pq.write_table(made, OUT / "kept-v2.parquet", row_group_size=40, data_page_version="2.0", use_dictionary=False,
                   compression="none", data_page_size=64, write_batch_size=7, use_deprecated_int96_timestamps=False,
                   column_encoding={"id": "DELTA_BINARY_PACKED", "large": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED",
                                    "single": "BYTE_STREAM_SPLIT", "double": "BYTE_STREAM_SPLIT", "flag": "RLE",
                                    "word": "BYTE_STREAM_SPLIT"})
    for name, new in (("kept.arrow", pa.ipc.new_file), ("kept.arrows", pa.ipc.new_stream)):
        options = pa.ipc.IpcWriteOptions(compression="lz4" if name.endswith("s") else None)
        with new(str(OUT / name), made.schema, options=options) as writer:
            writer.write_table(made, 13)


if __name__ == "__main__":
    main()
