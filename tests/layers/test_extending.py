"""docs/extending.md: what it says is done to a copy of the sources, and the program that is built of them runs."""
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf8")
STEP = re.compile(r"in\s+`([^`]+\.[ch])`(?:, which `[^`]+` lists|, (above|below) the line with `([^`]+)`)[^`]*?(?:\([^)]*\)[^`]*?)?:\n\n```c\n(.*?)```", re.S | re.I)


def steps(title):
    """(file, above or below or None, the line, the code) of a section."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = [m.groups() for m in STEP.finditer(section)]
    assert len(found) == section.count("```c\n"), f"{title}: a block of code without its place"
    return found


def ninja(build, *words):
    return subprocess.run(["ninja", "-C", build, *words], capture_output=True, text=True, check=True).stdout


def compile_command(build, source):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if entry["file"] == str(source):
            return entry
    raise AssertionError(f"{source} is not built")


def extend(title, tmp_path):
    """Do what a section says, and link a program of it: only files that changed, or include a header that did, are compiled."""
    build = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope")).parent
    if not (build / "build.ninja").exists() or shutil.which("ninja") is None:
        pytest.skip("not built by ninja")
    copy = tmp_path / "copy"
    for folder in "src", "cli", "include":
        shutil.copytree(ROOT / folder, copy / folder)
    changed = []
    for name, where, line, code in steps(title):
        path = copy / name
        if where is None:
            assert not path.exists(), f"{name} is there already"
            path.write_text(code, encoding="utf8")
        else:
            lines = path.read_text(encoding="utf8").split("\n")
            at = [i for i, text in enumerate(lines) if line in text]
            assert at, f"{name} has no line with {line}"
            at = at[-1] if where == "above" else at[0] + 1
            path.write_text("\n".join(lines[:at] + code.rstrip("\n").split("\n") + lines[at:]), encoding="utf8")
        if name.endswith(".c"):
            changed.append(path)
    objects = {}
    for path in changed:
        original = ROOT / path.relative_to(copy)
        like = original if original.exists() else next(p for p in sorted(original.parent.glob("*.c")))
        entry = compile_command(build, like)
        words = shlex.split(entry["command"].replace(str(like), str(path)).replace(str(ROOT / "src"), str(copy / "src")).replace(str(ROOT / "include"), str(copy / "include")))
        words = [w for w in words if Path(w).name != "ccache"]
        at = words.index("-o")
        object_name = words[at + 1]
        words[at + 1] = str(tmp_path / f"{path.stem}.o")
        words[1:1] = [f"-I{copy}/src", f"-I{copy}/include", f"-I{copy}/cli"]
        if "-c" in words:
            words[words.index("-c") + 1] = str(path)
        subprocess.run([*words, "-O1"], cwd=entry["directory"], check=True)
        objects[object_name if original.exists() else path.name] = str(tmp_path / f"{path.stem}.o")
    link = ninja(build, "-t", "commands", "saescope").strip().split("\n")[-1]
    words = shlex.split(link.split("&&", 1)[1].rsplit("&&", 1)[0])
    words = [w for w in words if w not in objects]
    at = words.index("-o")
    words[at + 1] = str(tmp_path / "saescope")
    words[at:at] = objects.values()
    subprocess.run(words, cwd=build, check=True)
    return tmp_path / "saescope"


def run(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True)


def test_a_format_of_datasets(tmp_path):
    program = extend("A format of datasets", tmp_path)
    (tmp_path / "paths.nul").write_bytes(b"one\0two\nlines\0")
    done = run(program, "tokenize", "-m", ROOT / "tests/data/encoder/mpnet-mean", "-d", tmp_path / "paths.nul")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    done = run(program, "inspect", tmp_path / "paths.nul", "--json")
    assert done.returncode == 0 and '"nul"' in done.stdout, done.stderr


def test_a_family_of_encoders(tmp_path):
    program = extend("A family of encoders", tmp_path)
    rows = ROOT / "tests/data/dataset/rows.jsonl"
    outputs = []
    for name in "bert", "plainbert":
        model = tmp_path / name
        shutil.copytree(ROOT / "tests/data/encoder/bert-old", model)
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "model_type": name}))
        outputs.append(tmp_path / f"{name}.npy")
        done = run(program, "embed", "-q", "-m", model, "-d", rows, "--skip-empty", "-o", outputs[-1])
        assert done.returncode == 0, done.stderr
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def write_safetensors(path, arrays):
    header, data = {}, b""
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.astype("<f4").tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_a_format_of_saes(tmp_path):
    program = extend("A format of SAEs", tmp_path)
    numbers = np.random.default_rng(1)
    enc, dec, shift = (numbers.normal(size=s).astype("f4") for s in ((8, 32), (32, 8), (32,)))
    (tmp_path / "sae").mkdir()
    write_safetensors(tmp_path / "sae/plain.safetensors", {"enc": enc, "dec": dec, "shift": shift})
    x = numbers.normal(size=(4, 8)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    done = run(program, "inspect", tmp_path / "sae", "--json")
    assert done.returncode == 0 and '"plain"' in done.stdout, done.stderr
    done = run(program, "encode", "-q", "--embeddings", tmp_path / "x.npy", "--sae", tmp_path / "sae", "-o", tmp_path / "a.jsonl")
    assert done.returncode == 0, done.stderr
    expected = np.maximum(x.astype("f8") @ enc + shift, 0)
    for line, row in zip((tmp_path / "a.jsonl").read_text().splitlines(), expected):
        found = json.loads(line)
        assert found["features"] == list(np.flatnonzero(row))
        assert np.allclose(found["activations"], row[row > 0], rtol=1e-5, atol=1e-6)


def test_a_command(tmp_path):
    program = extend("A command", tmp_path)
    assert sorted(run(program, "levels").stdout.split()) == ["high", "highest", "low", "medium"]
    assert "levels" in run(program, "help").stdout
    assert run(program, "levels", "--help").returncode == 0
