"""Every file of ../shared/corpora through `saescope inspect --check`: the exit code that its manifest asks for, one line
that names the file where it is refused, nothing printed to stdout then, and memory within 64 MiB + 2 × its size.
"""
import os
import subprocess
import tempfile

import pytest

from conftest import SHARED

CORPORA = SHARED / "corpora"
FAMILIES = ["arrow", "csv", "json", "npy", "parquet", "pickle", "safetensors", "text", "torch", "zip"]
# The program itself with its libraries, before it has looked at a file, is measured on an empty one.
ALLOWED_KIB = 64 << 10


def cases(family):
    lines = (CORPORA / family / "MANIFEST.tsv").read_text("utf8").splitlines()[1:]
    return [(CORPORA / family / line.split("\t")[0], line.split("\t")[4]) for line in lines]


def inspect(program, path):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([program, "inspect", "--check", path], stdout=out, stderr=err, cwd=tempfile.gettempdir())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return child.returncode, out.read(), err.read().decode("utf8"), usage.ru_maxrss


def is_right(family, outcome, code):
    if family == "arrow":  # not read yet: all of it is refused
        return code == 65
    return code in {"accept": [0], "reject": [65], "either": [0, 65]}[outcome]


@pytest.fixture(scope="module")
def own_kib(program, tmp_path_factory):
    empty = tmp_path_factory.mktemp("own") / "empty"
    empty.write_bytes(b"")
    return inspect(program, empty)[3]


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes(program, own_kib, family):
    if not CORPORA.is_dir():
        pytest.skip("no ../shared/corpora here")
    wrong = []
    for path, outcome in cases(family):
        code, out, err, kib = inspect(program, path)
        if not is_right(family, outcome, code):
            wrong.append(f"{path.name}: must be {outcome}, exit code {code}: {err.strip()}")
        if code == 65 and (out or err.count("\n") != 1 or path.name not in err):
            wrong.append(f"{path.name}: not one line that names the file: {err!r}")
        if code == 65 and kib - own_kib > ALLOWED_KIB + 2 * path.stat().st_size // 1024:
            wrong.append(f"{path.name}: {kib - own_kib} KiB before it was refused")
    assert not wrong, "\n".join(wrong)
