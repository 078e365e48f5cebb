#!/usr/bin/env python3
"""Copy from a collection of test files those that are the project's own: take_corpora.py CORPORA

A family is a folder with a MANIFEST.tsv: path, sha256, origin, licence, outcome, reason, expected_file, expected_sha256. Rows with the
licence `project` (made by a script, none of somebody else's files) go to tests/data/corpora, with their files and the rows of the
manifest, so that a clone without the collection runs the same tests on them."""
import csv
import hashlib
import shutil
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "tests/data/corpora"


def take(family):
    with open(family / "MANIFEST.tsv", encoding="utf8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows = [row for row in reader if row["licence"] == "project"]
        names = reader.fieldnames
    if not rows:
        return
    shutil.rmtree(OUT / family.name, ignore_errors=True)
    for row in rows:
        for name, digest in (row["path"], row["sha256"]), (row["expected_file"], row["expected_sha256"]):
            if name != "-":
                content = (family / name).read_bytes()
                assert hashlib.sha256(content).hexdigest() == digest, name
                (OUT / family.name / name).parent.mkdir(parents=True, exist_ok=True)
                (OUT / family.name / name).write_bytes(content)
    lines = ["\t".join(names)] + ["\t".join(row[n] for n in names) for row in rows]
    (OUT / family.name / "MANIFEST.tsv").write_text("\n".join(lines) + "\n", encoding="utf8")
    print(f"{family.name}: {len(rows)} files")


if __name__ == "__main__":
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        if (folder / "MANIFEST.tsv").exists():
            take(folder)
