#!/usr/bin/env python3
"""Make tests/data/arrow: small random Arrow streams and files of every kind that saescope reads,
written by pyarrow, and beside each the rows that pyarrow reads back (NAME.jsonl).

    python tools/make_arrow_files.py          # needs pyarrow; made with 26.0.1
"""

import pathlib
import random
import tempfile

from compare_arrow import batches_of, keep_sample, write

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "arrow"
N_FILES, MAX_BYTES, SEED = 44, 3000, 5


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for path in OUT.glob("random-*"):
        path.unlink()
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
