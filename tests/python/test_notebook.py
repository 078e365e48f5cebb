"""The notebook in examples/, cell after cell, with a tiny encoder in place of the one that is downloaded."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope")).parent / "python"
NOTEBOOK = ROOT / "examples/dataframe.ipynb"
# What Jupyter does with a cell: run it, and show its last expression as HTML where it has such a form.
RUNNER = """
import ast, json, sys
names = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1], encoding="utf8"))["cells"]:
    if cell["cell_type"] == "code":
        tree = ast.parse("".join(cell["source"]))
        last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), names)
        shown = last and eval(compile(last, cell["id"], "eval"), names)
        if shown is not None:
            getattr(shown, "_repr_html_", shown.__repr__)()
print(json.dumps({"features": len(names["features"]), "labelled": int((names["features"]["label"] != "").sum()), "hits": len(names["hits"]),
                  "differences": len(names["difference"])}))
"""


def test_every_cell_runs(tmp_path):
    pytest.importorskip("pandas", reason="pandas is not installed")
    if not (PACKAGE / "saescope/_core.abi3.so").exists():
        pytest.skip("the Python package is not built: Python's headers are missing")
    more = {"PYTHONPATH": str(PACKAGE), "SAESCOPE_EXAMPLES": str(NOTEBOOK.parent), "SAESCOPE_EXAMPLE_ROWS": "600",
            "SAESCOPE_EXAMPLE_MODEL": str(ROOT / "tests/data/encoder/mpnet-mean"), "SAESCOPE_EXAMPLE_OUT": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", RUNNER, NOTEBOOK], env={**os.environ, **more}, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["features"] == 64 and found["labelled"] > 5 and found["hits"] == 5 and found["differences"] > 0
    assert (tmp_path / "report.html").stat().st_size > 100_000 and (tmp_path / "run/map.svg").exists()


def test_it_holds_no_outputs():
    cells = json.loads(NOTEBOOK.read_text("utf8"))["cells"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code")
