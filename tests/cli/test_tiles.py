"""The program with the kernels of the tile unit: on the unit where the machine has it, else their instructions are carried out
one by one (tests/support/tile_unit.c). It is the program itself but for that; what is shipped has no such way."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT, Result
from helpers import write_safetensors

ENCODERS = ROOT / "tests/data/encoder"
ROWS = ROOT / "tests/data/run/rows.jsonl"
MODEL = ENCODERS / "mpnet-mean"
# Relative errors of the tiny encoders' embeddings, whose weights are strong: three to sixteen times what one product of
# random matrices loses (fp32 3.5e-7, bf16x3 4.4e-6, bf16 2.3e-3, 8 bits 1.1e-2), and half as much again for other texts.
MOST_ERROR = {"highest": 2e-6, "high": 1e-4, "medium": 4e-2, "low": 1.1e-1}


@pytest.fixture(scope="session")
def tiles(program, tmp_path_factory):
    """Calls the program with the kernels amx: tiles(words…, env={})."""
    path = Path(os.environ.get("SAESCOPE", program)).parent / "tests/saescope_tiles"
    assert path.exists(), f"{path} is not built"

    def call(*words, env=None):
        environment = {k: v for k, v in os.environ.items() if k != "SAESCOPE_CPU"} | (env or {})
        done = Result(subprocess.run([path, *map(str, words)], capture_output=True, env=environment, timeout=300))
        assert done.code == 0, done.err
        return done

    out = tmp_path_factory.mktemp("kernels") / "run"
    call("analyze", "-m", MODEL, "-d", ROWS, "--sae", ROOT / "tests/data/run/sae-jumprelu", "-n", 3, "-o", out)
    if manifest(out)["kernels"] != "amx":
        pytest.skip("this machine cannot run what stands around the tiles")
    return call


def manifest(folder):
    return json.loads((folder / "run.json").read_text())


def write_texts(path, texts):
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf8")
    return path


@pytest.mark.parametrize("name", sorted(p.name for p in ENCODERS.iterdir() if p.is_dir()))
def test_embeddings_are_those_of_the_reference(tiles, tmp_path, name):
    said = json.loads((ENCODERS / f"{name}.json").read_text())
    if "embeddings" not in said:
        pytest.skip(f"{name} has no embeddings")
    texts, want = write_texts(tmp_path / "texts.jsonl", said["texts"]), np.array(said["embeddings"])
    for level, most in MOST_ERROR.items():
        out = tmp_path / f"{level}.npy"
        tiles("embed", "-q", "-m", ENCODERS / name, "-d", texts, "--precision", level, "-o", out)
        error = np.linalg.norm(np.load(out) - want, axis=1) / np.linalg.norm(want, axis=1)
        assert error.max() <= most, f"{level}: {error.max():.2g}"
        assert level == "highest" or error.max() > MOST_ERROR["highest"], f"{level} is not made of its own numbers"


@pytest.mark.parametrize("level", MOST_ERROR)
def test_threads_and_batches_change_nothing(tiles, tmp_path, level):
    outs = []
    for i, more in enumerate((["--threads", 1], ["--threads", 2], ["--threads", 5, "--batch-tokens", 64], ["--batch-tokens", 700])):
        outs.append(tmp_path / f"{i}.npy")
        tiles("embed", "-q", "--skip-empty", "-m", MODEL, "-d", ROWS, "--precision", level, "-o", outs[-1], *more)
    assert len({out.read_bytes() for out in outs}) == 1


def test_fp32_has_the_bytes_of_vnni(tiles, tmp_path):
    outs = [tmp_path / "amx.npy", tmp_path / "vnni.npy"]
    for out, env in zip(outs, ({}, {"SAESCOPE_CPU": "avx512-vnni"})):
        tiles("embed", "-q", "--skip-empty", "-m", MODEL, "-d", ROWS, "--precision", "highest", "-o", out, env=env)
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.fixture
def close_sae(tiles, tmp_path):
    """A SAE whose thresholds stand between what `highest` and `high` give the text in which they differ most."""
    embeddings = []
    for level in ("highest", "high"):
        out = tmp_path / f"{level}.npy"
        tiles("embed", "-q", "--skip-empty", "-m", MODEL, "-d", ROWS, "--precision", level, "-o", out)
        embeddings.append(np.load(out).astype(float))
    weights = np.random.default_rng(5).normal(size=(embeddings[0].shape[1], 40))
    exact, rough = (x @ weights for x in embeddings)
    worst = np.where((exact > 0.01) & (rough > 0.01), abs(exact - rough), 0).argmax(axis=0)
    thresholds = np.array([max((exact[r, f] + rough[r, f]) / 2, 1e-3) for f, r in enumerate(worst)])
    folder = tmp_path / "sae"
    folder.mkdir()
    write_safetensors(folder / "sae.safetensors", {
        "W_enc": weights, "W_dec": weights.T, "b_enc": np.zeros(40), "b_dec": np.zeros(len(weights)),
        "jumprelu.log_threshold": np.log(thresholds)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": len(weights), "dict_size": 40,
                                                    "input_unit_norm": False, "dtype": "torch.float32"}))
    return folder


def test_high_fires_what_highest_fires(tiles, tmp_path, close_sae):
    for level in ("highest", "high"):
        tiles("analyze", "-m", MODEL, "-d", ROWS, "--sae", close_sae, "--precision", level, "-o", tmp_path / level, "--top-k", 300)
    high, highest = (tmp_path / level for level in ("high", "highest"))
    assert manifest(high)["numbers"] == "bf16x3" and manifest(highest)["numbers"] == "fp32"
    assert 0 < manifest(high)["n_reembedded"] < manifest(high)["rows"]["used"]
    assert (high / "fire_rate.npy").read_bytes() == (highest / "fire_rate.npy").read_bytes()
    fired = [[{text for _, text in feature} for feature in json.loads((run / "top_activations.json").read_text())] for run in (high, highest)]
    assert fired[0] == fired[1] and any(fired[0])


def test_the_shipped_program_needs_the_unit(run, tmp_path):
    has_unit = "amx_tile" in Path("/proc/cpuinfo").read_text()
    done = run("analyze", "-m", MODEL, "-d", ROWS, "--sae", ROOT / "tests/data/run/sae-jumprelu", "-n", 3, "-o", tmp_path / "run",
               env={"SAESCOPE_CPU": "amx"})
    assert done.code == 0, done.err
    assert has_unit or manifest(tmp_path / "run")["kernels"] != "amx"
