"""docs/cookbook.md: every program of it is compiled, run, and says what it ought to."""
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from conftest import ROOT

PAGE = (ROOT / "docs/cookbook.md").read_text(encoding="utf8")
RECIPES = dict(re.findall(r"^`(\w+\.[ch])`[^\n]*\n\n```c\n(.*?)^```$", PAGE, re.S | re.M))
MODEL, SAE, ROWS = (ROOT / "tests/data" / name for name in ("encoder/mpnet-mean", "run/sae-jumprelu", "run/rows.jsonl"))


def test_every_block_of_c_is_a_recipe():
    assert len(RECIPES) == PAGE.count("```c\n") >= 10
    assert not [line for text in RECIPES.values() for line in text.splitlines() if len(line) > 122]


@pytest.fixture(scope="module")
def kitchen(program, tmp_path_factory):
    """Compile a recipe, once, as an installed header and the shared library would be used; run it with words."""
    library = program.parent / "src/libsaescope.so"
    if not library.exists() or shutil.which("cc") is None:
        pytest.skip("no shared library or compiler")
    folder = tmp_path_factory.mktemp("cookbook")
    for name, text in RECIPES.items():
        (folder / name).write_text(text, encoding="utf8")

    def cook(name, *words, cwd=folder):
        made = folder / name
        if not made.exists():
            subprocess.run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT / 'include'}", folder / f"{name}.c", library,
                            f"-Wl,-rpath,{library.parent}", "-pthread", "-o", made], check=True)
        return subprocess.run([made, *map(str, words)], capture_output=True, text=True, encoding="utf8", timeout=120, cwd=cwd)
    return cook


def lines_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    """A run with texts to describe, and its embeddings."""
    folder = tmp_path_factory.mktemp("made")
    nouns = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar".split()
    texts = [f"The {nouns[i % 14]} of a {nouns[i * 5 % 14]} and a {nouns[i * 11 % 14]} number {i}." for i in range(300)]
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run", "--save-embeddings",
                    folder / "x.npy"], check=True)
    return folder


def test_embed(kitchen, program, tmp_path):
    lines = lines_of(kitchen("embed", MODEL))
    texts = ["a red star", "a blue star", "a distant galaxy"]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    subprocess.run([program, "embed", "-q", "-m", MODEL, "-d", tmp_path / "t.jsonl", "-o", tmp_path / "x.npy"], check=True)
    assert [line.rsplit(maxsplit=2)[0] for line in lines] == texts
    assert [line.split()[-2] for line in lines] == [f"{row[0]:.6f}" for row in np.load(tmp_path / "x.npy")]
    assert kitchen("embed", "./no-model").returncode == 66


def test_fire(kitchen):
    lines = lines_of(kitchen("fire", MODEL, SAE))
    features = [int(re.fullmatch(r"row 0, feature (\d+): \d+\.\d{4}", line).group(1)) for line in lines]
    assert features == sorted(set(features)) and features


def test_rows(kitchen, tmp_path):
    (tmp_path / "a.csv").write_text("id,body,n\n1,a star,7\n2,,8\n3,too,many,fields\n4,dust,9\n")
    first, empty, bad, last = lines_of(kitchen("rows", tmp_path / "a.csv", "body", "n"))
    assert (first, empty, last) == ('0 text {"n": "7"} a star', '1 empty {"n": "8"} ', '3 text {"n": "9"} dust')
    assert bad.startswith("2 bad ") and "4 fields" in bad


def test_memory(kitchen):
    lines = lines_of(kitchen("memory", MODEL, SAE))
    assert lines[0] == "4 of 5 rows used" and sum(line.startswith("feature ") for line in lines) == 3
    assert {line.split(maxsplit=1)[1] for line in lines if line.startswith("    ")} <= {"a red star", "a blue star", "a distant galaxy", "dust"}


def test_push(kitchen, program, tmp_path):
    assert lines_of(kitchen("push", MODEL, SAE, tmp_path / "pushed")) == ["5 rows of 2 workers"]
    texts = ["a red star", "a blue star", "a distant galaxy", "dust", "gas"]
    (tmp_path / "texts.txt").write_text("".join(text + "\n" for text in texts))
    subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", "texts.txt", "--top-k", "2", "--steps", "none", "-o", "run"],
                   check=True, cwd=tmp_path)
    for name in ("features.csv", "top_activations.json", "evidence/texts.arrow", "histograms.npz", "centroids.npz"):
        assert (tmp_path / "pushed" / name).read_bytes() == (tmp_path / "run" / name).read_bytes(), name


def test_stop(kitchen, made, tmp_path):
    out = tmp_path / "out"
    done = kitchen("stop", MODEL, SAE, made / "texts.jsonl", out)
    assert lines_of(done)[0].startswith("stopped: ") and not out.exists() and "%" in done.stderr
    (tmp_path / "few.jsonl").write_text('{"text": "a star"}\n')
    assert lines_of(kitchen("stop", MODEL, SAE, tmp_path / "few.jsonl", out)) == ["ok: "] and (out / "run.json").exists()


def test_find(kitchen, made, tmp_path):
    top = json.loads((made / "run/top_activations.json").read_text("utf8"))
    expected = {f: sum("pulsar" in text for _, text in texts) for f, texts in enumerate(top)}
    lines = lines_of(kitchen("find", made / "run", "pulsar", cwd=tmp_path))
    assert {tuple(map(int, re.findall(r"\d+", line))) for line in lines} == {(f, n) for f, n in expected.items() if n}
    assert (tmp_path / "density.svg").read_text("utf8").startswith("<?xml")


def test_labels(kitchen, made):
    lines = lines_of(kitchen("labels", made / "run", MODEL))
    described = json.loads((made / "run/descriptions.json").read_text("utf8"))
    assert [line.split(" (")[0] for line in lines] == [f"feature {item['feature_id']}: {item['label'] or ''}" for item in described]


def test_features(kitchen, made, tmp_path):
    lines = lines_of(kitchen("features", SAE, made / "x.npy", tmp_path / "f.npz"))
    matrix = np.load(tmp_path / "f.npz")
    assert lines == [f"300 rows, {len(matrix['data'])} activations"] and len(matrix["indptr"]) == 301


def test_errors(kitchen):
    assert lines_of(kitchen("errors")) == ["no such input, exit code 66, file ./nothing-is-here.jsonl, dataset NULL"]


def test_allocator(kitchen):
    assert lines_of(kitchen("allocator", MODEL)) == ["all of it was ours"]
