"""What train writes, as torch reads it (tools/check_trained.py).

torch is no package of the distribution everywhere: SAESCOPE_ORACLE_PYTHON names an interpreter that has it, with safetensors.
"""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_torch_reads_what_train_writes(program, tmp_path):
    python = os.environ.get("SAESCOPE_ORACLE_PYTHON")
    if not python or subprocess.run([python, "-c", "import torch, safetensors"], capture_output=True).returncode != 0:
        pytest.skip("SAESCOPE_ORACLE_PYTHON names no interpreter with torch and safetensors")
    done = subprocess.run([python, ROOT / "tools/check_trained.py", program, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("largest difference") == 10
