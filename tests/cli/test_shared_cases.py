"""Situations that people reported, as they lie in ../shared/cases: each check.sh must end with 0 (77: this machine cannot tell)."""
import os
import shutil
import subprocess

import pytest

from conftest import SHARED

CASES = SHARED / "cases"
# It counts the files of a run as they are without what is kept for later steps, and without these.
WITHOUT_EVIDENCE = {"faults/02-entries-left-out"}
CHECKS = sorted(CASES.rglob("check.sh")) if CASES.is_dir() else []


@pytest.mark.skipif(not CHECKS, reason="no ../shared here")
@pytest.mark.parametrize("check", CHECKS, ids=lambda path: path.parent.relative_to(CASES).as_posix())
def test_a_case(program, tmp_path, check):
    case = shutil.copytree(check.parent, tmp_path / "case")  # cases may write beside themselves
    common = check.parent.parent / "common"
    if common.is_dir():
        shutil.copytree(common, tmp_path / "common")
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    if check.parent.relative_to(CASES).as_posix() in WITHOUT_EVIDENCE:
        wrapper = tmp_path / "without-evidence"
        wrapper.write_text(f'#!/bin/sh\ncase $1 in analyze) exec "{program}" "$@" --evidence none --no-pairs --steps none ;; *) exec "{program}" "$@" ;; esac\n', encoding="utf8")
        wrapper.chmod(0o755)
        program = wrapper
    env = {name: value for name, value in os.environ.items() if not name.startswith("SAESCOPE")}
    done = subprocess.run(["sh", "./check.sh"], cwd=case, env={**env, "SAESCOPE": str(program)}, capture_output=True, text=True, timeout=600)
    if done.returncode == 77:
        pytest.skip("this machine cannot tell")
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
