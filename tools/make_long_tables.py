#!/usr/bin/env python3
"""Make tests/data/changes: a Parquet file, an Arrow file and an Arrow stream of many small parts, so that a test can change
them after some of their rows were read. Row i says "row i of a table that is read in parts".

    python tools/make_long_tables.py          # needs pyarrow; made with 26.0.1
"""
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "changes"
N_ROWS, PART_ROWS = 2000, 50


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    table = pa.table({"text": [f"row {i} of a table that is read in parts" for i in range(N_ROWS)]})
    pq.write_table(table, OUT / "rows.parquet", row_group_size=PART_ROWS, compression="none", use_dictionary=False,
                   write_statistics=False)
    for name, new in (("rows.arrow", pa.ipc.new_file), ("rows.arrows", pa.ipc.new_stream)):
        with new(str(OUT / name), table.schema) as writer:
            writer.write_table(table, max_chunksize=PART_ROWS)


if __name__ == "__main__":
    main()
