"""The bar: a share and the time left from bytes where rows are not known, and lines that fit the terminal."""
import bz2
import gzip
import json
import os
import pty
import re
import select
import struct
import subprocess
import fcntl
import termios
import time
import zipfile

import numpy as np
import pytest

from conftest import ROOT
from test_embedding_columns import write_identity

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
N = 6_000
LINES = "".join(json.dumps({"text": f"text {i} " + "of some words " * 12}) + "\n" for i in range(N))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("progress")
    (folder / "x.jsonl").write_text(LINES)
    (folder / "x.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    (folder / "x.csv").write_text("text\n" + "".join(f"text {i} of some words\n" for i in range(N)))
    (folder / "x.txt").write_text("".join(f"text {i} of some words\n" for i in range(N)))
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", LINES)
    return folder


def watch(program, words, columns, stdin=None, term="xterm", whole=False):
    """What the program writes to a terminal of so many columns: what stands between returns to the line's beginning, or all as it is."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    process = subprocess.Popen([program, *map(str, words)], stdin=stdin if stdin is not None else subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=follower, env={**environment, "TERM": term})
    os.close(follower)
    out, end = b"", time.monotonic() + 110
    while time.monotonic() < end:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            out += part
    os.close(leader)
    assert process.wait(timeout=20) == 0, out
    return out.decode().replace("\r\n", "\n") if whole else [line.split("\x1b[K")[0] for line in out.decode().replace("\r\n", "\n").split("\r")]


def embed(path, tmp_path):
    return ["embed", "-m", MODEL, "-d", path, "--text-column" if not str(path).endswith("txt") else "--format",
            "text" if not str(path).endswith("txt") else "txt", "--threads", "1", "--batch-tokens", "512", "-o", tmp_path / "x.npy", "-f"]


@pytest.mark.parametrize("name", ["x.jsonl.bz2", "x.csv.bz2"])
def test_a_check_has_a_bar(program, tmp_path, name):
    text = LINES if "jsonl" in name else "id,text\n" + "".join(f"{i},text {i} of some words and many more of them\n" for i in range(4 * N))
    (tmp_path / name).write_bytes(bz2.compress(text.encode()) if "csv" in name else bz2.compress(text.encode()) * 60)
    lines = [line for line in watch(program, ["inspect", "--check", tmp_path / name], 100) if line.startswith("check:")]
    shares = [int(re.match(r"check: +(\d+)%\|.*\| [\d,]+ rows \[[\d:]+<([\d:]+|\?), .* rows/s\]$", line)[1]) for line in lines]
    assert shares == sorted(shares) and (shares or "csv" in name), lines
    assert [line for line in watch(program, ["inspect", tmp_path / name], 100) if "%" in line] == []


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.csv", "x.txt", "x.zip", "stdin"])
def test_share_of_bytes(program, files, tmp_path, name):
    if name == "stdin":
        with open(files / "x.jsonl", "rb") as stdin:
            lines = watch(program, embed("-", tmp_path), 100, stdin=stdin)
    else:
        lines = watch(program, embed(files / name, tmp_path), 100)
    shown = [re.search(r"^embed: +(\d+)%\|.*\| ([\d,]+) rows \[[\d:]+<([\d:]+|\?), .* rows/s, .* tokens/s\]$", line) for line in lines if line.startswith("embed:")]
    assert shown and all(shown), lines
    shares = [int(match[1]) for match in shown]
    rows = [int(match[2].replace(",", "")) for match in shown]
    assert shares == sorted(shares) and shares[-1] == 100 and rows[-1] == N
    if name != "x.csv" and name != "x.txt":  # of lines of about equal length the share of bytes is that of rows
        for share, row in zip(shares, rows):
            assert abs(share - 100 * row / N) < 12, (share, row)


def test_a_pipe_has_no_end_that_is_known(program, files, tmp_path):
    with subprocess.Popen(["cat", files / "x.jsonl"], stdout=subprocess.PIPE) as cat:
        lines = watch(program, embed("-", tmp_path), 100, stdin=cat.stdout)
    shown = [line for line in lines if line.startswith("embed:")]
    assert shown and all(re.match(r"embed: [\d,]+ rows \[[\d:]+, ", line) for line in shown)


@pytest.mark.parametrize("columns", [20, 30, 40, 54, 60, 79])
@pytest.mark.parametrize("more", [[], ["-n", "3000"]])
def test_lines_fit_the_terminal(program, files, tmp_path, columns, more):
    lines = [line for line in watch(program, [*embed(files / "x.txt", tmp_path), *more], columns) if "%" in line]
    assert lines and all(len(line.split("\n")[0]) < columns for line in lines), lines


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 120])
def test_a_training_fits_the_terminal(program, tmp_path, columns):
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(400, 16)).astype("f4"))
    words = ["train", "--embeddings", tmp_path / "x.npy", "--dict-size", "32", "--max-steps", "80", "-o", tmp_path / "sae"]
    lines = [line.split("\n")[0] for line in watch(program, words, columns) if line.startswith("train: ")]
    assert len(lines) >= 10 and all(len(line) < columns for line in lines), lines
    assert all(("explained variance" in line) == (columns > 110) for line in lines) and (columns < 60 or all(line.endswith("s left") for line in lines))


def test_a_note_begins_a_line_of_its_own(program, files, tmp_path):
    """Beside a bar that is being drawn."""
    sae = write_identity(tmp_path / "sae", 16)
    words = ["analyze", "-m", MODEL, "-s", sae, "-d", files / "x.jsonl", "-n", "50", "-o", tmp_path / "run"]
    text = watch(program, words, 100, whole=True)
    assert "analyze: 100%" in text
    noted = [line for line in text.split("\n") if "note: " in line or "warning: " in line]
    assert any("note: no labels" in line for line in noted) and all(line.startswith(("note: ", "warning: ")) for line in noted), noted


def test_embeddings_have_no_tokens(program, files, tmp_path):
    sae = write_identity(tmp_path / "sae", 4)
    rows = np.random.default_rng(2).normal(size=(20_000, 4))
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"v": row.tolist()}) + "\n" for row in rows))
    lines = watch(program, ["analyze", "--embeddings", tmp_path / "x.jsonl", "-s", sae, "-o", tmp_path / "run"], 100)
    shown = [line for line in lines if line.startswith("analyze:")]
    assert shown and "100%" in shown[-1] and not any("tokens" in line for line in shown)
    done = subprocess.run([program, "analyze", "--embeddings", tmp_path / "x.jsonl", "-s", sae, "-o", tmp_path / "run", "-f"], capture_output=True, text=True)
    assert "tokens/s" not in done.stdout and re.search(r"Time +[\d.]+ s, [\d,]+ rows/s", done.stdout)


def test_a_dumb_terminal_gets_no_control_characters(program, files, tmp_path):
    lines = watch(program, [*embed(files / "x.jsonl", tmp_path), "-n", "500"], 100, term="dumb")
    assert "\x1b" not in "".join(lines) and lines[-1].startswith("500 rows written")


def test_tokenize_has_one(program, tmp_path):
    """Rows and rates, with a share where --num-examples says how many rows there are; none without a terminal to see it."""
    path = tmp_path / "x.jsonl"
    path.write_text(LINES * 20)
    lines = watch(program, ["tokenize", "-m", MODEL, "-d", path], 100)
    assert any(re.match(r"tokenize: [0-9,]+ rows? \[\d\d:\d\d, [0-9.k]+ rows/s, ", line) for line in lines), lines
    lines = watch(program, ["tokenize", "-m", MODEL, "-d", path, "-n", 15 * N], 140)
    assert any(re.match(rf"tokenize: +\d+%\|.*\| [0-9,]+/{15 * N:,} \[", line) for line in lines), lines
    assert all("tokenize" not in line for line in watch(program, ["tokenize", "-m", MODEL, "-d", path, "-n", 10, "-q"], 100))
