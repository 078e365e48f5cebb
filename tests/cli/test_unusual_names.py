"""Names of files that are no plain text: what reaches the terminal, and that --json stays JSON."""
import json
import os
import shutil
import subprocess

import pytest

from test_jobs import dataset, model, sae  # noqa: F401  the tiny models of the jobs

NAMES = {
    "escape sequence": b"x\x1b[31m\x07",
    "line break": b"a\nb",
    "delete": b"a\x7fb",
    "C1 control": "a\u009b31m".encode(),
    "direction": "a\u202eb".encode(),
    "isolate": "a\u2066b".encode(),
    "latin-1": b"caf\xe9",
    "surrogate": b"a\xed\xa0\x80",
    "overlong": b"a\xc0\xaf",
    "beyond Unicode": b"a\xf4\x90\x80\x80",
    "cut": b"a\xe2\x82",
}
UNSAFE = set(range(0x20)) - {0x0A} | set(range(0x7F, 0xA0)) | {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF}


def commands(folder, inputs):
    """Every command that names a path when it succeeds: words, and the lines that it prints at most."""
    model, sae, texts = inputs
    x = folder + b"/x.npy"
    run = folder + b"/run"
    return [
        (["embed", "-m", model, "-d", texts, "--null", "skip", "-o", x], 2),
        (["embed", "-m", model, "-d", texts, "--null", "skip", "-o", x, "--force", "--json"], 1),
        (["encode", "--embeddings", x, "-s", sae, "-o", folder + b"/f.npz"], 2),
        (["encode", "--embeddings", x, "-s", sae, "-o", folder + b"/f.npz", "--force", "--json"], 1),
        (["analyze", "-m", model, "-s", sae, "-d", texts, "-o", run], None),
        (["analyze", "-m", model, "-s", sae, "-d", texts, "-o", run, "--force", "--json"], None),
        (["plot", run, "-o", folder + b"/p.svg"], 1),
        (["convert", "-s", sae, "--to", "saelens", "-o", folder + b"/lens"], 1),
        (["convert", "-s", sae, "--to", "saelens", "-o", folder + b"/json", "--json"], 1),
        (["inspect", sae], None), (["inspect", "--json", sae], 1), (["inspect", run], None), (["inspect", "--json", run], 1),
        (["inspect", "--json", texts], 1), (["inspect", x], None), (["inspect", "--json", x], 1), (["inspect", "--check", run], None),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_names_reach_the_terminal_safely(program, model, sae, dataset, tmp_path, name):  # noqa: F811
    folder = os.path.join(os.fsencode(tmp_path), NAMES[name])
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system does not take the name")
    inputs = [os.path.join(folder, kind) for kind in (b"model", b"sae", b"texts.jsonl")]
    for path, copy in zip((model, sae, dataset), inputs):
        (shutil.copytree if os.path.isdir(path) else shutil.copy)(os.fsencode(path), copy)
    for words, lines in commands(folder, inputs):
        done = subprocess.run([program, *words], capture_output=True, check=False)
        assert done.returncode == 0, (words, done.stderr)
        for text in (done.stdout.decode("utf8"), done.stderr.decode("utf8")):
            assert not {f"U+{ord(c):04X}" for c in text if ord(c) in UNSAFE}, (words, text)
            assert lines is None or text.count("\n") <= lines, (words, text)
        if "--json" in words:
            json.loads(done.stdout)
