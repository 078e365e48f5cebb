"""Every file of the corpora (those beside the checkout, else those of the tree) through `saescope inspect --check`: the exit code that its manifest asks for, one line
that names the file where it is refused, nothing printed to stdout then, and memory within 64 MiB + 2 × its size; all in
20 seconds and 2 GiB of addresses. Datasets also through `inspect --rows`: what their expected files hold.
"""
import calendar
import json
import os
import resource
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import ROOT, SHARED

CORPORA = SHARED / "corpora" if (SHARED / "corpora").is_dir() else ROOT / "tests/data/corpora"
FAMILIES = ["arrow", "csv", "json", "npy", "parquet", "pickle", "safetensors", "text", "torch", "zip"]
# The program itself with its libraries, before it has looked at a file, is measured on an empty one.
ALLOWED_KIB = 64 << 10
ADDRESSES = 2 << 30
SECONDS = 20


def manifest(family):
    lines = (CORPORA / family / "MANIFEST.tsv").read_text("utf8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"))) for line in lines[1:]]


def cases(family):
    return [(CORPORA / family / entry["path"], entry["outcome"]) for entry in manifest(family)]


def limits(program):
    """To be called in the child. Sanitizers reserve terabytes of addresses, so a build with one is not limited in them."""
    binary = program.read_bytes()
    is_sanitized = b"__asan_init" in binary or b"__tsan_init" in binary

    def limit():
        if not is_sanitized:
            resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        signal.alarm(SECONDS)
    return limit


def inspect(program, path, limit):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen([program, "inspect", "--check", "--quiet", path], stdout=out, stderr=err, cwd=tempfile.gettempdir(),
                                 preexec_fn=limit)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return child.returncode, out.read(), err.read().decode("utf8"), usage.ru_maxrss


def is_right(outcome, code):
    return code in {"accept": [0], "reject": [65], "either": [0, 65]}[outcome]


@pytest.fixture(scope="module")
def own_kib(program, tmp_path_factory):
    empty = tmp_path_factory.mktemp("own") / "empty"
    empty.write_bytes(b"")
    return inspect(program, empty, limits(program))[3]


@pytest.mark.parametrize("family", FAMILIES)
def test_outcomes(program, own_kib, family):
    if not (CORPORA / family).is_dir():
        pytest.skip("files of other projects, which are not part of this one")
    wrong, limit = [], limits(program)
    for path, outcome in cases(family):
        code, out, err, kib = inspect(program, path, limit)
        if not is_right(outcome, code):
            wrong.append(f"{path.name}: must be {outcome}, exit code {code}: {err.strip()}")
        if code == 65 and (out or err.count("\n") != 1 or path.name not in err):
            wrong.append(f"{path.name}: not one line that names the file: {err!r}")
        if code == 65 and kib - own_kib > ALLOWED_KIB + 2 * path.stat().st_size // 1024:
            wrong.append(f"{path.name}: {kib - own_kib} KiB before it was refused")
    assert not wrong, "\n".join(wrong)


def expected_rows(family, entry):
    """As many as are given, of the first 1,000; None where the manifest names none."""
    name = entry["path"][:7] + ".json" if family == "text" else entry["expected_file"]
    if name == "-":
        return None
    text = (CORPORA / family / name).read_text("utf8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith(".jsonl") else json.loads(text)


def nanoseconds(text):
    """Since 1970, of a time as text."""
    seconds, _, fraction = text.partition(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int((fraction + "000000000")[:9])


def holds(value, expected):
    """Expected files of tables hold some columns and members of structs alone, and times as numbers."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return all(name in value and holds(value[name], want) for name, want in expected.items())
    if isinstance(expected, list) and isinstance(value, list):
        return len(value) == len(expected) and all(map(holds, value, expected))
    if expected in ("NaN", "Infinity", "-Infinity"):
        return value is None
    if isinstance(expected, int) and isinstance(value, str):
        return len(value.split("-")[0]) > 4 or value > "2262" or nanoseconds(value) == expected  # later ones do not fit the reference's 64 bits
    return value == expected


@pytest.mark.parametrize("family", ["arrow", "csv", "parquet", "text"])
def test_rows(program, family):
    if not (CORPORA / family).is_dir():
        pytest.skip("files of other projects, which are not part of this one")
    wrong, limit = [], limits(program)
    for entry in manifest(family):
        expected = expected_rows(family, entry)
        if expected is None:
            continue
        done = subprocess.run([program, "inspect", "--rows", "1000", CORPORA / family / entry["path"]], capture_output=True,
                              preexec_fn=limit)
        if done.returncode == 65 and entry["outcome"] == "either":
            continue
        rows = [json.loads(line) for line in done.stdout.decode("utf8").splitlines()]
        if family == "text":
            rows = [row["text"] for row in rows]
        same = holds(rows[:len(expected)], expected) if family in ("arrow", "parquet") else rows == expected
        if done.returncode != 0 or not same:
            wrong.append(f"{entry['path']}: exit code {done.returncode}, {len(rows)} rows: {done.stderr.decode('utf8')}")
    assert not wrong, "\n".join(wrong)
