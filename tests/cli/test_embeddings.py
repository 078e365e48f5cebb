"""Embeddings that are there (`analyze --embeddings`): the same results as from the model that made them, from every kind of file."""
import json
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

DATASET = ROOT / "tests/data/rows/kept.jsonl"
VECTORS = ROOT / "tests/data/rows"


def run(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True)


def analyze(program, sae, out, *more):  # noqa: F811
    return run(program, "analyze", "--sae", sae, "--out", out, "-q", *more)


@pytest.fixture(scope="module")
def vectors(program, model, tmp_path_factory):  # noqa: F811
    path = tmp_path_factory.mktemp("vectors") / "x.npy"
    assert run(program, "embed", "--model", model, "--dataset", DATASET, "--text-column", "text", "--out", path).returncode == 0
    return path


def test_results_are_those_of_the_model(program, model, sae, vectors, tmp_path):  # noqa: F811
    texts = ["--dataset", DATASET, "--text-column", "text"]
    assert analyze(program, sae, tmp_path / "a", "--model", model, *texts).returncode == 0
    array = np.load(vectors)
    np.savez(tmp_path / "x.npz", arr_0=array)
    np.savez_compressed(tmp_path / "packed.npz", arr_0=array)
    np.save(tmp_path / "f8.npy", array.astype("<f8"))
    np.save(tmp_path / "columns.npy", np.asfortranarray(array))
    np.save(tmp_path / "swapped.npy", array.astype(">f4"))
    lines = [json.dumps({"id": i, "embedding": [float(v) for v in row]}) for i, row in enumerate(array)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines) + "\n")
    for path in [vectors, *(tmp_path / n for n in ("x.npz", "packed.npz", "f8.npy", "columns.npy", "swapped.npy", "x.jsonl"))]:
        done = analyze(program, sae, tmp_path / "b", "--embeddings", path, *texts, "--force")
        assert done.returncode == 0, done.stderr
        for name in ("fire_rate.npy", "top_activations.json", "features.csv"):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), (path, name)
        assert json.loads((tmp_path / "b/run.json").read_text())["model"]["path"] == str(path)
        assert run(program, "inspect", "--check", tmp_path / "b").returncode == 0


@pytest.mark.parametrize("name", ["vectors.parquet", "vectors.arrow", "vectors-fixed.arrow"])
def test_columns_of_lists(program, tmp_path, name):
    """Parquet and Arrow (made by tools/make_keep_files.py) give what the array in vectors.npy gives."""
    width = np.load(VECTORS / "vectors.npy").shape[1]
    folder = write_sae(tmp_path / "sae", width)
    for out, path in (("a", "vectors.npy"), ("b", name)):
        done = analyze(program, folder, tmp_path / out, "--embeddings", VECTORS / path)
        assert done.returncode == 0, done.stderr
    for file in ("fire_rate.npy", "top_activations.json", "features.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    tops = json.loads((tmp_path / "a/top_activations.json").read_text())
    assert all(text.startswith("row ") for pairs in tops for _, text in pairs) and any(tops)


def write_sae(folder, width):
    from helpers import write_safetensors
    folder.mkdir()
    rng = np.random.default_rng(4)
    tensors = {"W_enc": rng.normal(size=(width, 12)), "W_dec": rng.normal(size=(12, width)), "b_enc": np.zeros(12),
               "b_dec": np.zeros(width), "jumprelu.log_threshold": np.full(12, -3.0)}
    write_safetensors(folder / "sae.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": width, "dict_size": 12, "model_name": "",
                                                    "input_unit_norm": False, "dtype": "torch.float32", "num_examples": 5}))
    return folder


def test_f16_is_widened(program, tmp_path):
    array = np.load(VECTORS / "vectors.npy").astype("<f2")
    np.save(tmp_path / "half.npy", array)
    np.save(tmp_path / "single.npy", array.astype("<f4"))
    folder = write_sae(tmp_path / "sae", array.shape[1])
    for out, path in (("a", "half.npy"), ("b", "single.npy")):
        assert analyze(program, folder, tmp_path / out, "--embeddings", tmp_path / path).returncode == 0
    assert (tmp_path / "a/top_activations.json").read_bytes() == (tmp_path / "b/top_activations.json").read_bytes()


def test_refusals(program, sae, vectors, tmp_path):  # noqa: F811
    array = np.load(vectors)
    cases = {"narrow.npy": (array[:, :-1], "width"), "flat.npy": (array[0], "two dimensions"),
             "short.npy": (array[:-1], f"{len(array) - 1} embeddings and {len(array)}"),
             "long.npy": (np.vstack([array, array[:2]]), f"{len(array) + 2} embeddings and {len(array)}")}
    bad = array.copy()
    bad[17, 3] = np.nan
    cases["nan.npy"] = (bad, "row 17 of the embeddings")
    for name, (values, sentence) in cases.items():
        np.save(tmp_path / name, values)
        done = analyze(program, sae, tmp_path / "run", "--embeddings", tmp_path / name, "--dataset", DATASET, "--text-column", "text")
        assert done.returncode == 65 and sentence in done.stderr, (name, done.stderr)
        assert done.stderr.count("\n") == 1 and not (tmp_path / "run").exists()
    rows = ['{"embedding": [1, 2, 3]}', '{"embedding": [1, null, 3]}']
    (tmp_path / "null.jsonl").write_text("\n".join(rows) + "\n")
    done = analyze(program, write_sae(tmp_path / "sae", 3), tmp_path / "run", "--embeddings", tmp_path / "null.jsonl")
    assert done.returncode == 65 and "row 1 of the embeddings, counted from 0, holds a value that is null" in done.stderr


def test_a_model_or_embeddings(program, sae, vectors, model, tmp_path):  # noqa: F811
    both = analyze(program, sae, tmp_path / "run", "--embeddings", vectors, "--model", model)
    none = analyze(program, sae, tmp_path / "run", "--dataset", DATASET)
    assert (both.returncode, none.returncode) == (64, 64)
    assert "exclude each other" in both.stderr and "--model MODEL is needed" in none.stderr
