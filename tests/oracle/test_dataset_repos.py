"""Dataset repositories: the same files in the same order as the library `datasets` (tools/make_dataset_repos.py)."""
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
LAYOUTS = json.loads((Path(__file__).resolve().parents[1] / "data/dataset_repos/layouts.json").read_text("utf8"))
# The library reads no split where one of them has no files it knows, or files of another kind; here the one asked for counts.
LENIENT = {"ValueError", "DataFilesNotFoundError"}

# A table with the separator of another kind has no column "text", as in the library.
NO_TEXT = {"KeyError", "ArrowInvalid"}


def content(path):
    """As in tools/make_dataset_repos.py."""
    rows = [f"{path} {i}" for i in range(2)]
    ends = path.rsplit("/", 1)[-1].split(".")[1:]
    if "jsonl" in ends or "ndjson" in ends:
        return "".join(json.dumps({"text": row}) + "\n" for row in rows)
    if "json" in ends:
        return json.dumps([{"text": row} for row in rows])
    if "csv" in ends:
        return "id,text\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows))
    if "tsv" in ends:
        return "id\ttext\n" + "".join(f"{i}\t{row}\n" for i, row in enumerate(rows))
    return "".join(row + "\n" for row in rows)


@pytest.mark.parametrize("case", LAYOUTS["cases"], ids=lambda case: case["name"])
def test_layout(case, tmp_path, run):
    for path in case["paths"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content(path).encode())
    if case["readme"]:
        (tmp_path / "README.md").write_bytes(case["readme"].encode())
    for ask in case["asks"]:
        words = ["--split", ask["split"]] + (["--config", ask["config"]] if ask["config"] else [])
        done = run("inspect", tmp_path, "--as", "dataset", "--rows", 1000, "--quiet", *words)
        rows = [json.loads(line).get("text") for line in done.out.splitlines()] if done.code == 0 else None
        if ask.get("error") in NO_TEXT and rows is not None:
            assert None in rows, ask
        elif "rows" in ask and any(".." in line for line in case["readme"].split("/")):
            assert done.code == 65 and "leaves the repository" in done.err
        elif "rows" in ask:
            assert rows == ask["rows"], (ask, done.err)
        elif rows is not None:
            assert ask["error"] in LENIENT, (ask, rows)
        else:
            assert done.code in (64, 65, 66), (ask, done.err)
            assert done.err.count("\n") == 1, done.err
