"""A small dataset of Parquet shards whose texts lie between columns that are not to be fetched, and its rows by `datasets`.

Usage: make_remote_datasets.py tests/data/dataset_repos   (datasets 5.2.0, pyarrow 26)
"""
import json
import os
import random
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import datasets  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

datasets.disable_progress_bars()
WORDS = ["star", "galaxy", "flux", "redshift", "dust", "λ", "中子星", "halo", "lens", "field", "naïve", "jet"]


def main():
    out = Path(sys.argv[1])
    rng = random.Random(7)
    folder = out / "shards"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for shard, codec in enumerate(["snappy", "zstd"]):
        rows = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) for _ in range(60)]
        rows[7], rows[8] = None, ""
        table = pa.table({"id": list(range(60)), "before": [rng.randbytes(2300) for _ in rows], "abstr": rows,
                          "after": [rng.randbytes(2300) for _ in rows], "title": [f"title {i}" for i in range(60)]})
        pq.write_table(table, folder / f"data/train-{shard:05d}-of-00002.parquet", compression=codec, row_group_size=30)
    rows = datasets.load_dataset(str(folder), split="train", streaming=True)
    (out / "shards.json").write_text(json.dumps([row["abstr"] for row in rows], ensure_ascii=False) + "\n", "utf8")


if __name__ == "__main__":
    main()
