"""How much memory a run takes: what is packed and what a batch needs, not the file and not the number of texts."""
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from helpers import edit_json, read_safetensors, write_safetensors

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
WIDTH, FEATURES = 16, 8
MIB = 1 << 20

# A child's peak begins with that of the process it was made from, so a small one stands between.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.fixture
def peak_bytes(program):
    def call(*words):
        done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, program, *map(str, words)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return int(done.stdout) * 1024
    return call


@pytest.fixture
def sae(tmp_path):
    folder = tmp_path / "sae"
    folder.mkdir()
    source = np.random.default_rng(1)
    write_safetensors(folder / "sae.safetensors", {
        "W_enc": source.normal(size=(WIDTH, FEATURES)), "W_dec": source.normal(size=(FEATURES, WIDTH)), "b_enc": np.zeros(FEATURES),
        "b_dec": np.zeros(WIDTH), "jumprelu.log_threshold": np.zeros(FEATURES)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": WIDTH, "dict_size": FEATURES,
                                                    "input_unit_norm": True, "dtype": "torch.float32"}))
    return folder


def write_texts(path, n):
    path.write_text("".join(json.dumps({"text": f"Cloud {i} of {i * 7919 % 10007} stars."}) + "\n" for i in range(n)))
    return path


def test_peak_does_not_grow_with_the_number_of_texts(peak_bytes, sae, tmp_path):
    """Of the pass. What is made of the run afterwards takes what the sampled texts need, some thousands at most."""
    peaks = [peak_bytes("analyze", "--model", MODEL, "--sae", sae, "--dataset", write_texts(tmp_path / f"{n}.jsonl", n), "--quiet",
                        "--steps", "none", "--out", tmp_path / f"out-{n}") for n in (2000, 20000)]
    assert peaks[1] < peaks[0] + 3 * MIB, peaks


def test_a_map_holds_embeddings_once(peak_bytes, tmp_path):
    """A text takes its embedding, once from its file and once as products take it, and a little more; not float64 copies of it."""
    width, few, many, source = 768, 300, 2300, np.random.default_rng(2)
    folder = tmp_path / "wide"
    folder.mkdir()
    write_safetensors(folder / "sae.safetensors", {
        "W_enc": source.normal(size=(width, FEATURES)), "W_dec": source.normal(size=(FEATURES, width)), "b_enc": np.zeros(FEATURES),
        "b_dec": np.zeros(width), "jumprelu.log_threshold": np.zeros(FEATURES)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": width, "dict_size": FEATURES,
                                                    "input_unit_norm": True, "dtype": "torch.float32"}))
    peaks = []
    for n in (few, many):
        np.save(tmp_path / f"{n}.npy", source.normal(size=(n, width)).astype("<f4"))
        assert peak_bytes("analyze", "--embeddings", tmp_path / f"{n}.npy", "--sae", folder, "--dataset", write_texts(tmp_path / f"{n}.jsonl", n), "--quiet",
                          "--steps", "none", "--out", tmp_path / f"run-{n}")
        peaks.append(peak_bytes("map", tmp_path / f"run-{n}", "--no-labels", "--quiet", "--threads", 1))
    assert peaks[1] - peaks[0] < (many - few) * (2 * 4 * width + 3000), peaks


def test_labels_hold_the_products_of_a_block(peak_bytes, tmp_path):
    """Similarities of candidates with the pool, 60 of each of 24 features and 4,096 texts, take 24 MB; all candidates of 96 features
    would take four times as much, and a second copy for joint texts twice."""
    n, features, source = 9000, 96, np.random.default_rng(3)
    x, w = source.normal(size=(n, WIDTH)).astype("f4"), source.normal(size=(WIDTH, features)).astype("f4")
    least = np.partition(x @ w, -40, axis=0)[-40]  # the 40 rows with the largest activations fire, of which each half has some 20
    folder = tmp_path / "sae"
    folder.mkdir()
    write_safetensors(folder / "sae.safetensors", {"W_enc": w, "W_dec": w.T, "b_enc": np.zeros(features), "b_dec": np.zeros(WIDTH),
                                                   "jumprelu.log_threshold": np.log(least)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": WIDTH, "dict_size": features,
                                                    "input_unit_norm": False, "dtype": "torch.float32"}))
    np.save(tmp_path / "x.npy", x)
    fires = x @ w >= least
    words = [[f"{chr(97 + f // 26)}{chr(97 + f % 26)}word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(60)] for f in range(features)]
    with open(tmp_path / "x.jsonl", "w") as file:
        for row in range(n):
            own = [word for f in np.flatnonzero(fires[row]) for word in source.choice(words[f], 25, replace=False)]
            file.write(json.dumps({"text": ". ".join([f"row {row}", *own])}) + "\n")
    run = tmp_path / "run"
    none = peak_bytes("analyze", "--embeddings", tmp_path / "x.npy", "-d", tmp_path / "x.jsonl", "-s", folder, "-q", "--steps", "none", "-o", run)
    peak = peak_bytes("describe", run, "-m", MODEL, "-q", "--no-sentence-test")
    labels = json.loads((run / "descriptions.json").read_text("utf8"))
    assert sum(item["label"] is not None for item in labels) == features
    assert peak < none + 60 * MIB, (none, peak)


def tall_model(folder, inner, n_words):
    """The tiny model with a wide feed-forward part and rows for many more words; the bytes of both."""
    shutil.copytree(MODEL, folder)
    header, data = read_safetensors(MODEL / "model.safetensors")
    tensors = {k: np.frombuffer(data[slice(*v["data_offsets"])], "<f4").reshape(v["shape"]) for k, v in header.items()}
    n_matrices = 0
    for name, value in tensors.items():
        sizes = [inner if n == 40 else n_words if n == 305 else n for n in value.shape]
        tensors[name] = np.resize(value, sizes)
        n_matrices += tensors[name].nbytes if inner in sizes and len(sizes) == 2 else 0
    write_safetensors(folder / "model.safetensors", tensors)
    edit_json(folder / "config.json", intermediate_size=inner, vocab_size=n_words)
    return n_matrices


@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_peak_is_what_is_packed_not_the_file(peak_bytes, sae, tmp_path, kind):
    texts = write_texts(tmp_path / "texts.jsonl", 3)
    n_packed = tall_model(tmp_path / "tall", 30000, 500000)
    if kind == "f16":
        halve(tmp_path / "tall" / "model.safetensors")
    n_file = (tmp_path / "tall" / "model.safetensors").stat().st_size
    small, tall = (peak_bytes("analyze", "--model", model, "--sae", sae, "--dataset", texts, "--quiet", "--precision", "highest", "--threads", 1,
                              "--out", tmp_path / f"out-{model.name}") for model in (MODEL, tmp_path / "tall"))
    n_scratch = 30000 * 4 * 64 * 2    # rows of the wide part, twice: three texts have fewer than 64 tokens
    assert n_packed > 7e6 and n_file > n_packed + n_scratch / 2
    assert tall < small + n_packed + n_scratch + 4 * MIB, (small, tall, n_packed, n_file)


def halve(path):
    header, data = read_safetensors(path)
    parts, at = [], 0
    for entry in header.values():
        parts.append(np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").astype("<f2").tobytes())
        entry.update(dtype="F16", data_offsets=[at, at + len(parts[-1])])
        at += len(parts[-1])
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(parts))
