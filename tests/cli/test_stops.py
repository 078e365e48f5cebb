"""Signals and changing files while a command is at work, as a user meets them: commands × signals × moments."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import ROOT

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
SAE = ROOT / "tests/data/run/sae-jumprelu"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU]
MOST_SECONDS = 6.0  # two on a machine that does nothing else
# More than what is looked at to know the format (64 KiB, read in steps of 256) and what a pipe holds: when all of it is
# written, model and SAE are open and rows are read.
MANY_ROWS = (json.dumps({"text": "one", "more": "x" * 200}) + "\n") * 3000

HEADS = {"nothing": b"", "half a row": b'{"text": "half a r', "one row": b'{"text": "one row"}\n',
         "head of gzip": bytes([31, 139, 8, 0, 0, 0, 0, 0, 0, 3]), "head of zstd": bytes([0x28, 0xB5, 0x2F, 0xFD, 4]),
         "head of parquet": b"PAR1\x15\x04\x15\x10", "head of arrow": b"ARROW1\0\0"}


def words_of(command, out, data="-"):
    common = ["-d", data]
    return {"tokenize": ["tokenize", "-m", MODEL, *common], "embed": ["embed", "-m", MODEL, *common, "-o", out / "x.npy", "-q"],
            "analyze": ["analyze", "-m", MODEL, "-s", SAE, *common, "-o", out / "run", "-q"],
            "encode": ["encode", "-m", MODEL, "-s", SAE, *common, "-o", out / "x.jsonl", "-q"]}[command]


def start(program, words, **more):
    return subprocess.Popen([program, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def feed(pipe):
    """Rows without an end, until nobody reads them."""
    rows = b"".join(b'{"text": "row %d of stars and galaxies"}\n' % i for i in range(300))
    try:
        while True:
            pipe.write(rows)
    except OSError:
        pass


def stop(process, number, what, *ways):
    """One sentence and exit code 75 in time."""
    assert process.poll() is None, f"{what}: ended by itself with {process.returncode}: {process.stderr.read()}"
    process.send_signal(number)
    begin = time.monotonic()
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"{what}: not stopped")
    took = time.monotonic() - begin
    said = process.stderr.read().decode()
    assert code == 75, f"{what}: exit code {code}: {said}"
    assert took < MOST_SECONDS, f"{what}: {took:.1f} s"
    assert said.startswith("saescope: ") and said.count("\n") == 1 and "stop" in said, f"{what}: {said!r}"
    for word in ways:
        assert word in said, f"{what}: {said!r}"


@pytest.mark.parametrize("command", ["tokenize", "embed", "analyze", "encode"])
def test_a_command_that_waits_for_input_is_stopped(program, tmp_path, command):
    """Every head of input, and a named pipe without a writer; signals in turn. All wait at the same time."""
    waiting = []
    for i, (what, head) in enumerate(HEADS.items()):
        out = tmp_path / f"out{i}"
        out.mkdir()
        process = start(program, words_of(command, out), stdin=subprocess.PIPE)
        process.stdin.write(head)
        process.stdin.flush()
        waiting.append((process, what, out))
    out = tmp_path / "out-fifo"
    out.mkdir()
    os.mkfifo(tmp_path / "rows.jsonl")
    waiting.append((start(program, words_of(command, out, tmp_path / "rows.jsonl")), "pipe without a writer", out))
    time.sleep(1.5)
    for i, (process, what, out) in enumerate(waiting):
        stop(process, SIGNALS[i % len(SIGNALS)], f"{command}, {what}", *(["nothing was written"] if command != "tokenize" else []))
        assert list(out.iterdir()) == [], what


@pytest.mark.parametrize("command", ["tokenize", "embed", "analyze", "encode"])
def test_a_command_at_work_is_stopped(program, tmp_path, command):
    """By every signal; all are at work at the same time."""
    working = []
    for number in SIGNALS:
        out = tmp_path / number.name
        out.mkdir()
        process = start(program, words_of(command, out), stdin=subprocess.PIPE)
        threading.Thread(target=feed, args=[process.stdin], daemon=True).start()
        working.append((process, number, out))
    time.sleep(1.0)
    for process, number, out in working:
        stop(process, number, f"{command}, {number.name}")
        assert list(out.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_what_the_caller_ignores_stays_ignored(program, tmp_path, number):
    process = start(program, words_of("tokenize", tmp_path), stdin=subprocess.PIPE,
                    preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    time.sleep(0.5)
    process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None, process.stderr.read()
    process.stdin.write(b'{"text": "the end"}\n')
    process.stdin.close()
    assert process.wait(10) == 0


# ---- files that change ----

def write_rows(path, n):
    path.write_text("".join(json.dumps({"text": f"row {i} of stars and galaxies"}) + "\n" for i in range(n)))


def analyze_changing(program, tmp_path, what, change):
    """Run over rows that come through a pipe, with `change` in between; the manifest and what was said."""
    shutil.copytree(MODEL, tmp_path / "model")
    shutil.copytree(SAE, tmp_path / "sae")
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_rows(first, 40)
    os.mkfifo(second)
    process = start(program, ["analyze", "-m", tmp_path / "model", "-s", tmp_path / "sae", "-d", first, "-d", second, "-o",
                              tmp_path / "run", "-q"])
    with open(second, "w") as pipe:
        pipe.write(MANY_ROWS)
        pipe.flush()
        change(tmp_path / what)
        pipe.write('{"text": "two"}\n')
    said = process.stderr.read().decode()
    code = process.wait(20)
    manifest = json.loads((tmp_path / "run/run.json").read_text()) if code == 0 else None
    return code, said, manifest


def replace(path):
    other = path.with_name("other")
    other.write_bytes(b"another file")
    other.rename(path)


def append(path):
    with open(path, "ab") as file:
        file.write(b"\n")


FILES = {"a.jsonl": "dataset", "sae/sae.safetensors": "sae", "model/config.json": "model", "model/model.safetensors": "model"}


@pytest.mark.parametrize("change", [replace, append, os.unlink], ids=["replaced", "written to", "removed"])
@pytest.mark.parametrize("what", FILES)
def test_the_manifest_has_no_hash_of_what_was_not_read(program, tmp_path, what, change):
    code, said, manifest = analyze_changing(program, tmp_path, what, change)
    name = what.rsplit("/", 1)[-1]
    if what == "model/model.safetensors" and change is append:      # its words are read while texts run
        assert code == 74 and name in said and not (tmp_path / "run").exists()
        return
    assert code == 0, said
    entry = [f for f in manifest[FILES[what]]["files"] if f["path"] == str(tmp_path / what)][0]
    assert entry["sha256"] is None and name in said and any(name in w for w in manifest["warnings"]), (entry, said)
    others = [f for part in ("model", "sae", "dataset") for f in manifest[part]["files"] if f is not entry and "bytes" in f
              and f["path"] != str(tmp_path / what)]
    assert others and all(f["sha256"] == hashlib.sha256(open(f["path"], "rb").read()).hexdigest() for f in others)


def test_the_hash_of_a_large_file_takes_reading_it(run, tmp_path):
    """A file of 20 MiB: with all rows its hash, with the first ten null; a small one has it always."""
    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    write_rows(small, 40)
    write_rows(large, 40)
    with open(large, "ab") as file:
        file.write(b" " * (20 << 20) + b"\n")
    for path, words, hashed in ((small, ["-n", 10], True), (large, ["-n", 10], False), (large, [], True)):
        out = tmp_path / f"run-{path.stem}-{len(words)}"
        done = run("analyze", "-m", MODEL, "-s", SAE, "-d", path, "-o", out, "-q", *words)
        assert done.code == 0, done.err
        entry = json.loads((out / "run.json").read_text())["dataset"]["files"][0]
        assert entry["sha256"] == (hashlib.sha256(path.read_bytes()).hexdigest() if hashed else None)
        assert entry["bytes"] == path.stat().st_size and entry["modified"].endswith("Z")


@pytest.mark.parametrize("command", ["embed", "analyze", "encode", "tokenize"])
def test_a_model_that_is_cut_while_texts_run(program, tmp_path, command):
    shutil.copytree(MODEL, tmp_path / "model")
    out = tmp_path / "out"
    out.mkdir()
    words = [tmp_path / "model" if word == MODEL else word for word in words_of(command, out)]
    process = start(program, words, stdin=subprocess.PIPE)
    process.stdin.write(MANY_ROWS.encode())
    process.stdin.flush()
    os.truncate(tmp_path / "model/model.safetensors", 5000)
    process.stdin.write(b'{"text": "two"}\n')
    process.stdin.close()
    said = process.stderr.read().decode()
    code = process.wait(20)
    if command == "tokenize":                                       # needs no weights by then
        assert code == 0, said
        return
    assert code == 74 and "model.safetensors" in said.splitlines()[-1] and "5000" in said, (code, said)
    assert list(out.iterdir()) == []
