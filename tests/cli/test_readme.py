"""The commands of the README run as they stand."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf8")


def test_readme_is_short_enough_to_read():
    assert len(README.splitlines()) <= 250


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_commands_run(program, tmp_path):
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saescope/all-MiniLM-L6-v2/model.safetensors"
    if not cache.exists():
        pytest.skip("no encoder here: scripts/fetch-encoder.sh fetches it")
    if shutil.which("apt-cache") is None:
        pytest.skip("no package descriptions on this system")
    for name in ("scripts", "demo"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "build/demo").mkdir(parents=True)
    (tmp_path / "build/demo/all-MiniLM-L6-v2").symlink_to(cache.parent)
    (tmp_path / "build/release").symlink_to(program.parent)
    rows = subprocess.run([ROOT / "scripts/package-descriptions.sh"], capture_output=True, check=True).stdout.splitlines(keepends=True)
    if len(rows) < 2500:
        pytest.skip("the package lists are not read here (apt-get update)")
    (tmp_path / "build/demo/descriptions.jsonl").write_bytes(b"".join(rows[:2500]))
    block = re.search(r"```sh\n(.*?)```", README, re.S).group(1)
    done = subprocess.run(["bash", "-e", "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name in ("run/run.json", "run-500/top_texts.jsonl", "density.pdf", "thresholds.svg", "x.npy", "features.npz", "saescope.bash"):
        assert (tmp_path / "build/try" / name).stat().st_size > 0
