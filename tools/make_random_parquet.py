#!/usr/bin/env python3
"""Make tests/data/parquet/random: small random Parquet files, and the rows that pyarrow reads back.

    python tools/make_random_parquet.py          # needs pyarrow; made with 26.0.1
"""

import random

from make_parquet_files import OUT
from parquet_rows import write_expected
from random_parquet import write_random

N_FILES, MAX_BYTES = 24, 6000
FOLDER = OUT / "random"


def main():
    rng = random.Random(11)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    n = 0
    while n < N_FILES:
        path = FOLDER / f"{n:02}.parquet"
        write_random(rng, path, rows=[0, 1, 7, 12, 16, 20])
        if path.stat().st_size < MAX_BYTES and write_expected(path, FOLDER / f"{n:02}"):
            n += 1


if __name__ == "__main__":
    main()
