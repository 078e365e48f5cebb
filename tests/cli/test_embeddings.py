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


# ---- rows without a text ----

NULLS = ["One star.", None, "", "A galaxy.", None, "Cold gas.", None]


@pytest.fixture
def nulls(tmp_path):
    path = tmp_path / "nulls.jsonl"
    path.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(NULLS)))
    return path


@pytest.mark.parametrize("name", ["jsonl", "csv", "jsonl.gz"])
@pytest.mark.parametrize("more", [[], ["--threads", "1", "--batch-tokens", "8"]])
def test_null_texts_keep_their_place(program, model, nulls, tmp_path, name, more):  # noqa: F811
    import gzip
    path = tmp_path / f"rows.{name}"
    if name == "csv":  # where null is a field without quotes, and an empty one is an empty text
        path.write_text("text,id\n" + "".join(f'{"NA" if text is None else json.dumps(text)},{i}\n' for i, text in enumerate(NULLS)))
    else:
        path.write_bytes(gzip.compress(nulls.read_bytes()) if name.endswith("gz") else nulls.read_bytes())
    words = ["embed", "-m", model, "-d", path, "--text-column", "text", *more]
    arrays = {}
    for rule in ("zero", "nan", "skip"):
        done = run(program, *words, "--null", rule, "-o", tmp_path / f"{rule}.npy", "--json")
        assert done.returncode == 0, done.stderr
        arrays[rule] = np.load(tmp_path / f"{rule}.npy")
        said = json.loads(done.stdout)
        assert (said["rows"], said["rows_without_text"]) == (len(arrays[rule]), 3)
    there = [i for i, text in enumerate(NULLS) if text is not None]
    missing = [i for i, text in enumerate(NULLS) if text is None]
    assert len(arrays["zero"]) == len(arrays["nan"]) == len(NULLS) and len(arrays["skip"]) == len(there)
    for rule in ("zero", "nan"):
        assert (arrays[rule][there] == arrays["skip"]).all()
    assert (arrays["zero"][missing] == 0).all() and np.isnan(arrays["nan"][missing]).all()
    assert (np.abs(arrays["skip"]).sum(axis=1) > 0).all()  # an empty text is embedded
    assert run(program, *words, "--skip-empty", "-o", tmp_path / "old.npy").returncode == 0
    assert (tmp_path / "old.npy").read_bytes() == (tmp_path / "skip.npy").read_bytes()
    for asked, rule, n in (("3", "zero", 3), ("3", "skip", 3), ("2", "nan", 2), ("7", "zero", 7)):
        assert run(program, *words, "--null", rule, "-n", asked, "-o", tmp_path / "n.npy", "-f").returncode == 0
        assert np.array_equal(np.load(tmp_path / "n.npy"), arrays[rule][:n], equal_nan=True)
    for null in ([], ["--null", "stop"]):
        done = run(program, *words, *null, "-o", tmp_path / "stop.npy")
        assert done.returncode == 65 and "has no text (null); --null zero or nan keeps the place" in done.stderr
        assert not (tmp_path / "stop.npy").exists()
    done = run(program, *words, "--null", "nan", "--skip-empty", "-o", tmp_path / "stop.npy")
    assert done.returncode == 64 and "--skip-empty is --null skip; --null nan contradicts it" in done.stderr


@pytest.mark.parametrize("rule", ["zero", "nan"])
def test_missing_embeddings_are_not_counted(program, model, sae, nulls, tmp_path, rule):  # noqa: F811
    vectors = tmp_path / "x.npy"
    assert run(program, "embed", "-m", model, "-d", nulls, "--null", rule, "-o", vectors).returncode == 0
    assert analyze(program, sae, tmp_path / "a", "--embeddings", vectors, "-d", nulls, "--text-column", "text", "--keep", "id").returncode == 0
    kept = [i for i, text in enumerate(NULLS) if text is not None]
    np.save(tmp_path / "few.npy", np.load(vectors)[kept])
    (tmp_path / "few.jsonl").write_text("".join(json.dumps({"id": i, "text": NULLS[i]}) + "\n" for i in kept))
    assert analyze(program, sae, tmp_path / "b", "--embeddings", tmp_path / "few.npy", "-d", tmp_path / "few.jsonl", "--text-column", "text").returncode == 0
    for name in ("fire_rate.npy", "top_activations.json", "features.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    rows = json.loads((tmp_path / "a/run.json").read_text())["rows"]
    assert (rows["read"], rows["used"], rows["skipped"]) == (7, 4, {"null": 3, "empty": 0, "blank": 0})
    lines = [json.loads(line) for line in (tmp_path / "a/top_texts.jsonl").read_text().splitlines()]
    assert lines and all(line["kept"]["id"] == line["row"] in kept for line in lines)
    assert run(program, "inspect", "--check", tmp_path / "a").returncode == 0


def test_zeros_beside_a_text_are_an_embedding(program, sae, vectors, tmp_path):  # noqa: F811
    """Zeros are missing only beside a null text; without a dataset nothing says so."""
    array = np.load(vectors)[:4]
    array[1] = 0
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(4)))
    for more in ([], ["-d", tmp_path / "x.jsonl"]):
        assert analyze(program, sae, tmp_path / "run", "--embeddings", tmp_path / "x.npy", *more, "--force").returncode == 0
        assert json.loads((tmp_path / "run/run.json").read_text())["rows"]["used"] == 4
    array[1, :-1] = np.nan  # neither missing nor finite
    np.save(tmp_path / "x.npy", array)
    done = analyze(program, sae, tmp_path / "bad", "--embeddings", tmp_path / "x.npy")
    assert done.returncode == 65 and "row 1 of the embeddings, counted from 0, holds a value that is not finite" in done.stderr


@pytest.mark.parametrize("words", [["--batchtopk", "batch", "--batch-rows", "3"], ["--batchtopk", "threshold", "--calibration-rows", "3"]])
def test_batches_of_a_rule_pass_over_missing_rows(program, tmp_path, words):
    folder = ROOT / "tests/data/run/sae-batchtopk"
    array = np.random.default_rng(8).normal(size=(600, 16)).astype(np.float32)
    holes = np.sort(np.random.default_rng(9).choice(600, 90, replace=False))
    with_holes = array.copy()
    with_holes[holes] = np.nan
    with_holes[:2] = np.nan
    np.save(tmp_path / "holes.npy", with_holes)
    np.save(tmp_path / "few.npy", with_holes[~np.isnan(with_holes[:, 0])])
    for name in ("holes", "few"):
        assert analyze(program, folder, tmp_path / name, "--embeddings", tmp_path / f"{name}.npy", *words).returncode == 0
    assert (tmp_path / "holes/features.csv").read_bytes() == (tmp_path / "few/features.csv").read_bytes()


def test_a_pair_that_differs_in_rows(program, sae, vectors, tmp_path):  # noqa: F811
    array = np.load(vectors)
    many = np.vstack([array] * (1500 // len(array) + 1))
    np.save(tmp_path / "x.npy", many[:1490])
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(1500)))
    done = analyze(program, sae, tmp_path / "run", "--embeddings", tmp_path / "x.npy", "-d", path)
    assert done.returncode == 65 and "there are 1,490 embeddings and 1,491 or more rows" in done.stderr
    assert "were rows without a text left out when they were made" in done.stderr
