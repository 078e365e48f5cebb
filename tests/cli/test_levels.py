"""The lower levels of precision on a model with channels that are far stronger than the others, as real ones have."""
import json
import shutil
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from helpers import edit_json, read_safetensors, write_safetensors

PLAIN = ROOT / "tests/data/encoder/mpnet-mean"
WIDTH, INNER = 256, 512
STRONG = [5, 77, 130, 201]


def shape_of(name, shape):
    """That of the tiny model's tensor in one of WIDTH and INNER; heads and tables of positions stay."""
    widths = {16: WIDTH, 40: INNER}
    keeps_first = "embeddings.weight" in name or "relative_attention_bias" in name
    return [n if (i == 0 and keeps_first) or "relative" in name else widths.get(n, n) for i, n in enumerate(shape)]


def tensor_of(name, shape, source):
    if name.endswith("LayerNorm.weight"):
        return np.ones(shape)
    if len(shape) == 1:
        return np.zeros(shape)
    value = source.normal(size=shape)
    if "embeddings.weight" not in name:
        return value if "relative" in name else value / np.sqrt(shape[1])
    if "word" in name:
        value[:, STRONG] *= 20
    return value


@pytest.fixture(scope="module")
def strong_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("levels") / "model"
    shutil.copytree(PLAIN, folder)
    edit_json(folder / "config.json", hidden_size=WIDTH, intermediate_size=INNER)
    edit_json(folder / "1_Pooling/config.json", embedding_dimension=WIDTH)
    header, _ = read_safetensors(PLAIN / "model.safetensors")
    source = np.random.default_rng(5)
    write_safetensors(folder / "model.safetensors",
                      {name: tensor_of(name, shape_of(name, of["shape"]), source) for name, of in header.items()})
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    words = [*"abcdefghijklmnopqrstuvwxyz0123456789"]
    source = np.random.default_rng(6)
    path = tmp_path_factory.mktemp("levels") / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": " ".join(source.choice(words, 60))}) + "\n" for _ in range(40)))
    return path


def embeddings(program, model, texts, level, folder):
    out = folder / f"{level}.npy"
    subprocess.run([program, "embed", "--model", model, "--dataset", texts, "--precision", level, "--out", out, "-q"], check=True)
    return np.delete(np.load(out).astype(float), STRONG, axis=1)  # what they alone would agree in


@pytest.mark.parametrize("level, least", [("medium", 0.99999), ("low", 1 - 2.5e-4)])
def test_strong_channels_leave_room_for_the_others(program, strong_model, texts, tmp_path, level, least):
    want = embeddings(program, strong_model, texts, "highest", tmp_path)
    got = embeddings(program, strong_model, texts, level, tmp_path)
    cosines = (want * got).sum(1) / np.linalg.norm(want, axis=1) / np.linalg.norm(got, axis=1)
    assert cosines.min() >= least
