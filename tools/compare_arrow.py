#!/usr/bin/env python3
"""Write random Arrow streams and files with pyarrow and compare saescope's rows with pyarrow's.

    python tools/compare_arrow.py LIBSAESCOPE.so [FILES] [SEED]     # needs pyarrow

Types, batches, codecs, versions of the metadata, and dictionaries that are added to or replaced
are mixed. With damage (every third file has some bytes changed) the rule is: what saescope reads,
pyarrow reads with the same values, if it reads it.
"""

import json
import pathlib
import random
import sys
import tempfile

import pyarrow as pa
import pyarrow.compute

from compare_parquet import Reader
from parquet_rows import rows_of, write_rows
from random_parquet import damage, kind_of, value_of

OTHER_KINDS = [pa.int8(), pa.uint16(), pa.int32(), pa.float16(), pa.float32(), pa.float64(),
               pa.bool_(), pa.date32(), pa.timestamp("us", "UTC"), pa.decimal128(9, 2), pa.null(),
               pa.time64("ns"), pa.duration("ms"), pa.list_(pa.int64()), pa.list_(pa.float32(), 3)]
TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary_view(), pa.large_binary()]


def arrow_kind(rng):
    """A type with text, as Parquet has them and as only Arrow has them."""
    pick = rng.randrange(8)
    inner = rng.choice(TEXTS)
    if pick == 0:
        return pa.dictionary(rng.choice([pa.int8(), pa.int16(), pa.int32(), pa.int64(),
                                         pa.uint16()]), rng.choice([pa.string(), pa.binary()]))
    if pick == 1:
        return pa.large_list(inner)
    if pick == 2:
        return pa.list_(inner, rng.randrange(0, 4))
    if pick == 3:
        return pa.list_view(inner)
    if pick == 4:
        return pa.struct([("a", inner), ("b", pa.list_(pa.struct([("c", inner)])))])
    if pick == 5:
        return pa.run_end_encoded(rng.choice([pa.int16(), pa.int32(), pa.int64()]), pa.string())
    return kind_of(rng, rng.randrange(0, 4), True) if pick == 6 else inner


def python_value(rng, kind):
    """As value_of, for the types that Parquet does not have."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return value_of(rng, kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return None if rng.random() < 0.2 else [python_value(rng, kind.value_type)
                                                for _ in range(kind.list_size)]
    if pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return None if rng.random() < 0.2 else [python_value(rng, kind.value_type)
                                                for _ in range(rng.choice([0, 1, 4]))]
    if pa.types.is_binary_view(kind) or pa.types.is_large_binary(kind):
        return value_of(rng, pa.binary())
    return value_of(rng, kind)


def column(rng, kind, n):
    pool = [python_value(rng, kind) for _ in range(rng.choice([1, 3, 40, 400]))]
    values = []
    while len(values) < n:
        values += [rng.choice(pool)] * rng.choice([1, 1, 1, 2, 20, 300])
    if pa.types.is_dictionary(kind):
        return pa.array(values[:n], kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_run_end_encoded(kind):
        return pa.compute.run_end_encode(pa.array(values[:n], kind.value_type),
                                         run_end_type=kind.run_end_type)
    return pa.array(values[:n], kind)


def other(kind, n):
    return pa.nulls(n, kind)


def batches_of(rng):
    kinds = [arrow_kind(rng) for _ in range(rng.randrange(1, 5))]
    more = [rng.choice(OTHER_KINDS) for _ in range(rng.randrange(0, 3))]
    names = [rng.choice([f"c{i}", f"name {i}", f"größe{i}"]) for i in range(len(kinds))]
    names += [f"other{i}" for i in range(len(more))]
    fields = [pa.field(name, kind) for name, kind in zip(names, kinds + more)]
    batches = []
    for _ in range(rng.choice([1, 1, 2, 5])):
        n = rng.choice([0, 1, 7, 100, 120])
        arrays = [column(rng, kind, n) for kind in kinds] + [other(kind, n) for kind in more]
        batch = pa.record_batch(arrays, schema=pa.schema(fields))
        first = rng.randrange(0, n + 1) if rng.random() < 0.3 else 0
        batches.append(batch.slice(first))
    return batches


def write(rng, path, batches):
    is_file = rng.random() < 0.5
    version = rng.choice([pa.ipc.MetadataVersion.V5, pa.ipc.MetadataVersion.V5,
                          pa.ipc.MetadataVersion.V4])
    codecs = [None, "lz4", "zstd"] if version == pa.ipc.MetadataVersion.V5 else [None]
    options = pa.ipc.IpcWriteOptions(
        compression=rng.choice(codecs), unify_dictionaries=is_file,
        emit_dictionary_deltas=rng.random() < 0.5,
        metadata_version=version)
    new = pa.ipc.new_file if is_file else pa.ipc.new_stream
    with new(path, batches[0].schema, options=options) as writer:
        if is_file:
            writer.write_table(pa.Table.from_batches(batches))
        else:
            for batch in batches:
                writer.write_batch(batch)
    return is_file


def read(path, is_file):
    source = pa.OSFile(str(path))
    return (pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)).read_all()


def reference(path, is_file):
    """The rows, or (None, sentence)."""
    try:
        table = read(path, is_file)
        table.validate(full=True)
        return list(rows_of(table)), ""
    except Exception as error:  # whatever pyarrow makes of damage
        return None, str(error)


def keep_sample(path, is_file, folder, i):
    """A file and its rows for tests/data."""
    name = f"random-{i:03d}.{'arrow' if is_file else 'arrows'}"
    (folder / name).write_bytes(path.read_bytes())
    write_rows(read(path, is_file), folder / (name + ".jsonl"))


def main():
    reader = Reader(sys.argv[1])
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    counts = {"equal": 0, "both refuse": 0, "only saescope refuses damage": 0,
              "only pyarrow refuses damage": 0, "WRONG": 0}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.arrow"
        for i in range(n):
            damaged = i % 3 == 2
            is_file = write(rng, path, batches_of(rng))
            if damaged:
                damage(rng, path)
            want, reason = reference(path, is_file)
            got, sentence = reader.rows(path)
            if got is None and want is None:
                counts["both refuse"] += 1
            elif got is None and damaged:
                counts["only saescope refuses damage"] += 1
            elif got == want:
                counts["equal"] += 1
            elif damaged and want is None:
                counts["only pyarrow refuses damage"] += 1
            else:
                counts["WRONG"] += 1
                kept = f"/tmp/arrow-differs-{i}.arrow"
                pathlib.Path(kept).write_bytes(path.read_bytes())
                print(f"file {i} differs, kept as {kept}; damaged {damaged}; {sentence} {reason}")
    print(json.dumps(counts))
    return counts["WRONG"] > 0


if __name__ == "__main__":
    sys.exit(main())
