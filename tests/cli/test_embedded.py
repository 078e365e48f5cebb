"""The SAE that is built in: unpacked, found by what the encoder does and not by its name, refused for others."""
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused

NAME = "embedded:all-MiniLM-L6-v2"
FILES = ROOT / "src/sae/embedded"
CONFIG = json.loads((FILES / "all-MiniLM-L6-v2.json").read_text("utf8"))
TINY = ROOT / "tests/data/encoder"
SENTENCES = ["A telescope for radio waves.", "The cat sleeps.", "Install the database server.", "Rain is expected tomorrow."] * 3


@pytest.fixture
def cache(tmp_path):
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": f"{s} {i}"}) + "\n" for i, s in enumerate(SENTENCES)), "utf8")
    return path


@pytest.fixture
def minilm():
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saescope/all-MiniLM-L6-v2"
    if not (folder / "model.safetensors").exists():
        pytest.skip("no encoder here: scripts/fetch-encoder.sh fetches it")
    return folder


def test_its_files_are_small_halves_with_figures():
    assert sum(p.stat().st_size for p in FILES.iterdir()) <= 3_000_000
    assert CONFIG["sae_type"] == "jumprelu" and CONFIG["act_size"] == 384 and CONFIG["dtype"] == "torch.float16"
    assert CONFIG["training"]["encoder"]["fingerprint"].startswith("1:384:")
    figures = CONFIG["figures"]
    assert figures["rows"] > 5000 and figures["explained_variance"] > 0.7 and figures["dead_frac"] <= 0.01
    assert abs(figures["l0_mean"] - CONFIG["top_k"]) < 0.5


def test_the_texts_it_was_made_of_are_told():
    """A line a source: its name, how many texts, their hash."""
    lines = [line.split() for line in (ROOT / "tools/embedded_sae_inputs.txt").read_text("utf8").splitlines()]
    assert [line[0] for line in lines] == ["line", "description", "gloss", "manual", "licence"]
    assert all(len(line[2]) == 64 for line in lines)
    assert sum(int(line[1]) for line in lines) == CONFIG["num_examples"]


def test_it_is_unpacked_once_and_mended(run, cache, tmp_path):
    assert run("inspect", NAME, env=cache).code == 0
    folders = list((tmp_path / "cache/saescope/embedded").iterdir())
    assert len(folders) == 1
    weights = folders[0] / "sae.safetensors"
    assert weights.read_bytes() == (FILES / "all-MiniLM-L6-v2.safetensors").read_bytes()
    first = weights.stat().st_mtime_ns
    assert run("convert", "--sae", NAME, "--to", "saelens", "--out", tmp_path / "lens", env=cache).code == 0
    assert weights.stat().st_mtime_ns == first, "what is there is not written again"
    weights.write_bytes(weights.read_bytes()[:-5] + b"wrong")
    assert run("convert", "--sae", NAME, "--to", "seed", "--out", tmp_path / "seed", env=cache).code == 0
    assert weights.read_bytes() == (FILES / "all-MiniLM-L6-v2.safetensors").read_bytes()


def test_other_names_and_places_are_refused(run, tmp_path):
    assert_refused(run("evaluate", "--sae", "embedded:other", "--embeddings", "x.npy"), 66, "other", NAME)
    (tmp_path / "cache").write_text("no folder")
    assert_refused(run("inspect", NAME, env={"XDG_CACHE_HOME": str(tmp_path / "cache")}), 74, str(tmp_path / "cache"))
    assert_refused(run("inspect", NAME, env={"XDG_CACHE_HOME": "", "HOME": ""}), 64, "XDG_CACHE_HOME")


def test_without_an_sae_another_encoder_is_told_what_to_do(run, cache, texts, tmp_path):
    other = tmp_path / "all-MiniLM-L6-v2"
    shutil.copytree(TINY / "mpnet-mean", other)
    for verb, out in (("analyze", "run"), ("encode", "x.npz")):
        done = run(verb, "-m", other, "-d", texts, "-o", tmp_path / out, env=cache)
        assert_refused(done, 66, "--sae", "saescope train", "docs/saes.md")
        assert not (tmp_path / out).exists()


def test_embeddings_do_not_tell_their_encoder(run, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 384), np.float32))
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "-o", tmp_path / "run")
    assert done.code == 64 and NAME in done.err and "--sae" in done.err


@pytest.mark.parametrize("precision", ["high", "low"])
def test_it_is_taken_for_its_encoder_whatever_that_is_called(run, cache, minilm, texts, tmp_path, precision):
    (tmp_path / "renamed").symlink_to(minilm)
    args = ["-m", tmp_path / "renamed", "-d", texts, "--precision", precision]
    done = run("analyze", *args, "-o", tmp_path / "run", "--steps", "none", env=cache)
    assert done.code == 0 and NAME in done.err and "warning" not in done.err.lower()
    record = json.loads((tmp_path / "run/run.json").read_text("utf8"))
    assert record["sae"]["source"] == NAME and record["sae"]["n_features"] == CONFIG["dict_size"]
    named = run("analyze", *args, "-s", NAME, "-o", tmp_path / "named", "--steps", "none", env=cache)
    assert named.code == 0 and NAME not in named.err
    assert (tmp_path / "named/fire_rate.npy").read_bytes() == (tmp_path / "run/fire_rate.npy").read_bytes()
    assert run("encode", *args, "-o", tmp_path / "x.npz", env=cache).code == 0


def test_an_sae_knows_the_encoder_it_was_trained_for(run, texts, tmp_path):
    """By what it does: a renamed one is the same, another one of the same name and width is not."""
    mine, other = tmp_path / "a/model", tmp_path / "b/model"
    shutil.copytree(TINY / "mpnet-mean", mine)
    done = run("train", "-m", mine, "-d", texts, "-o", tmp_path / "sae", "--dict-size", 8, "--top-k", 2, "--batch-size", 4,
               "--max-steps", 5, "-q")
    assert done.code == 0, done.err
    config = json.loads((tmp_path / "sae/config.json").read_text("utf8"))
    assert config["training"]["encoder"]["name"] == "model" and config["figures"]["features"] == 8
    shutil.copytree(TINY / "mpnet-mean", tmp_path / "renamed")
    same = run("encode", "-m", tmp_path / "renamed", "-s", tmp_path / "sae", "-d", texts, "-o", tmp_path / "x.jsonl", "-f")
    assert same.code == 0 and "mean nothing" not in same.err
    found = {p.parent: json.loads(run("inspect", p.parent, "--json").out) for p in sorted(TINY.glob("*/modules.json"))}
    shutil.copytree(next(p for p, facts in found.items() if facts["width"] == config["act_size"] and p.name != "mpnet-mean"), other)
    done = run("encode", "-m", other, "-s", tmp_path / "sae", "-d", texts, "-o", tmp_path / "y.jsonl", "-f")
    assert done.code == 0 and "mean nothing" in done.err, done.err
