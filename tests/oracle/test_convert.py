"""What convert writes, as the libraries themselves read it (tools/check_converted.py).

They are no packages of the distribution: SAESCOPE_SAELENS_PYTHON names an interpreter that has torch and sae-lens.
"""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_libraries_read_converted_saes(program):
    python = os.environ.get("SAESCOPE_SAELENS_PYTHON")
    if not python:
        pytest.skip("SAESCOPE_SAELENS_PYTHON names no interpreter with torch and sae-lens")
    done = subprocess.run([python, ROOT / "tools/check_converted.py", program, ROOT / "tests/data/sae/formats"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("give the same activations") == 2
