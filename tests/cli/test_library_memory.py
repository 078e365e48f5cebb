"""Memory that runs out inside a library: exit 70 with an error message, or the output as ever; never a crash, another answer, or 'damaged'."""
import bz2
import gzip
import json
import lzma
import os
import subprocess

import pytest

from conftest import ROOT
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

ROWS = b"".join(b'{"text": "a river %d"}\n' % i for i in range(60))
CODECS = "libz.,libbz2,liblzma,libzstd,liblz4,libbrotli,libsnappy"
MOST_PLACES = 60  # per command; all of them where there are fewer


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("fault") / "fault.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, ROOT / "tests/support/fault.c", "-ldl"], check=True)
    return path


@pytest.fixture(scope="module")
def compressed(program, tmp_path_factory):
    """Rows in every codec that a stream, a Parquet page or an Arrow buffer may have; what the machine has a writer for."""
    folder = tmp_path_factory.mktemp("compressed")
    for name, data in {"gz": gzip.compress(ROWS), "bz2": bz2.compress(ROWS), "xz": lzma.compress(ROWS)}.items():
        (folder / f"rows.jsonl.{name}").write_bytes(data)
    subprocess.run(["zstd", "-q", "-o", folder / "rows.jsonl.zst"], input=ROWS, check=True)
    return folder


def sweep(program, library, folder, libraries, words):
    """Run the command with each place failing in turn; what went wrong, and how many places there were."""
    def call(at, out):
        env = {**os.environ, "LD_PRELOAD": str(library), "FAULT_CALLS": "alloc", "FAULT_ERRNO": "12", "FAULT_LIBRARIES": libraries, "FAULT_AT": str(at),
               "FAULT_COUNT": str(folder / "count")}
        return subprocess.run([program, *words, *out], capture_output=True, env=env, timeout=60, check=False)
    out = lambda name: [word for word in (["--out", folder / name] if words[0] in ("plot", "convert") else [])]  # noqa: E731
    usual = call(0, out("usual.svg"))
    assert usual.returncode == 0, usual.stderr
    n_places = int((folder / "count").read_text())
    wrong = []
    for at in range(1, n_places + 1, 1 + n_places // MOST_PLACES):
        done = call(at, out(f"{at}.svg"))
        good = done.stdout == usual.stdout if done.returncode == 0 else done.returncode == 70 and b"memory" in done.stderr
        if not good:
            wrong.append((at, done.returncode, done.stderr))
    return wrong, n_places


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.jsonl.bz2", "rows.jsonl.xz", "rows.jsonl.zst"])
def test_streams(program, library, compressed, model, tmp_path, name):  # noqa: F811
    wrong, n_places = sweep(program, library, tmp_path, CODECS, ["tokenize", "-m", model, "-d", compressed / name])
    assert not wrong and n_places > 0


@pytest.mark.parametrize("folder, most_files", [("parquet", 8), ("arrow", 8)])
def test_tables(program, library, tmp_path, folder, most_files):
    """Compressed tables of the corpus, up to so many whose codec asks for memory."""
    n_files = 0
    for path in sorted((ROOT / "tests/data" / folder).rglob("*")):
        words = ["inspect", "-q", "--rows", "5", path]
        if path.suffix == ".jsonl" or subprocess.run([program, *words], capture_output=True, check=False).returncode != 0:
            continue
        wrong, n_places = sweep(program, library, tmp_path, CODECS, words)
        assert not wrong, path
        n_files += n_places > 0
        if n_files == most_files:
            break
    assert n_files > 0


def test_a_dataset_card(program, library, model, tmp_path):  # noqa: F811
    card = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "*.jsonl"}]}]}
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo/README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    (tmp_path / "repo/rows.jsonl").write_bytes(ROWS)
    wrong, n_places = sweep(program, library, tmp_path, "libyaml", ["tokenize", "-m", model, "-d", tmp_path / "repo", "--split", "train", "-n", "2"])
    assert not wrong and n_places > 0


def test_hashes_and_pictures(program, library, model, sae, tmp_path):  # noqa: F811
    (tmp_path / "rows.jsonl").write_bytes(ROWS)
    words = [program, "analyze", "-q", "-m", model, "-s", sae, "-d", tmp_path / "rows.jsonl", "-o", tmp_path / "run"]
    subprocess.run(words, check=True)
    wrong, _ = sweep(program, library, tmp_path, "libcrypto", ["inspect", "--check", tmp_path / "run"])
    assert not wrong
    wrong, n_places = sweep(program, library, tmp_path, "libfontconfig,libfreetype", ["plot", tmp_path / "run", "-q"])
    assert not wrong and n_places > 0


def test_little_memory_in_all(program, model, sae, tmp_path):  # noqa: F811
    """A limit on the whole process, as batch systems set it: nothing else than an end with an error message, whatever the limit."""
    (tmp_path / "rows.jsonl").write_bytes(ROWS)
    run = tmp_path / "run"
    subprocess.run([program, "analyze", "-q", "-m", model, "-s", sae, "-d", tmp_path / "rows.jsonl", "-o", run], check=True)
    codes = set()
    for kib in range(20000, 120000, 2500):
        done = subprocess.run(["sh", "-c", f'ulimit -v {kib}; exec "$@"', "sh", program, "plot", run, "-q", "-f", "-o", tmp_path / "x.png"],
                              capture_output=True, check=False)
        codes.add(done.returncode)
        assert done.returncode in (0, 70, 127), (kib, done.returncode, done.stderr)  # 127: not even its libraries fit
        assert done.returncode != 70 or b"memory" in done.stderr
    assert {0, 70} <= codes
