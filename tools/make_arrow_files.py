#!/usr/bin/env python3
"""Make tests/data/arrow: small random Arrow streams and files of every kind that saescope reads,
written by pyarrow, and beside each the rows that pyarrow reads back (NAME.jsonl). And one file whose
buffers were made to overlap (overlapping.bad), as no writer would.

    python tools/make_arrow_files.py          # needs pyarrow; made with 26.0.1
"""

import pathlib
import random
import struct
import tempfile

import pyarrow as pa

from compare_arrow import batches_of, keep_sample, write

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "arrow"
N_FILES, MAX_BYTES, SEED = 44, 3000, 5


def overlapping(n_columns=20, n_rows=24):
    """A file of int64 columns and one of strings; the place of each column's integers becomes that of all of them."""
    batch = pa.record_batch({**{f"c{i}": pa.array(range(n_rows), pa.int64()) for i in range(n_columns)}, "text": pa.array(["a"] * n_rows)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data = bytearray(sink.getvalue().to_pybytes())
    step = (8 * n_rows + 63) // 64 * 64  # pyarrow aligns buffers to 64 bytes
    first = data.index(struct.pack("<qq", 0, 8 * n_rows))  # a column has two places: validity, values
    for at, i in ((first + 32 * i, i) for i in range(n_columns)):
        assert data[at:at + 16] == struct.pack("<qq", i * step, 8 * n_rows)
        data[at:at + 16] = struct.pack("<qq", 0, n_columns * step)
    return bytes(data)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for path in OUT.glob("random-*"):
        path.unlink()
    (OUT / "overlapping.bad").write_bytes(overlapping())
    rng = random.Random(SEED)
    n = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.arrow"
        while n < N_FILES:
            is_file = write(rng, path, batches_of(rng))
            if path.stat().st_size <= MAX_BYTES:
                keep_sample(path, is_file, OUT, n)
                n += 1


if __name__ == "__main__":
    main()
