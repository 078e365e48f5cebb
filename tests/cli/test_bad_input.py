"""Bad input through the program: every case gives one message on stderr that says what and where, the exit code of its
kind (64 usage, 65 bad data, 66 missing, 74 input and output, 75 stopped), and leaves nothing half-written.

Models, SAEs and datasets are the project's own small ones, damaged here by rule.
"""
import bz2
import contextlib
import gzip
import json
import lzma
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused, edit_json, poison, read_safetensors, store_safetensors, write_safetensors

ENCODERS = ROOT / "tests/data/encoder"
MODEL = ENCODERS / "mpnet-mean"
WIDTH = 16
N_FEATURES = 6


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "Stars form in cold clouds."}\n{"text": "A galaxy is bright."}\n')
    return path


def write_sae(folder, **changes):
    rng = np.random.default_rng(11)
    tensors = {"W_enc": rng.normal(size=(WIDTH, N_FEATURES)), "W_dec": rng.normal(size=(N_FEATURES, WIDTH)),
               "b_enc": np.zeros(N_FEATURES), "b_dec": np.zeros(WIDTH), "jumprelu.log_threshold": np.zeros(N_FEATURES)}
    tensors.update(changes)
    folder.mkdir()
    write_safetensors(folder / "sae.safetensors", {k: v for k, v in tensors.items() if v is not None})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": WIDTH, "dict_size": N_FEATURES,
                                                    "input_unit_norm": True, "dtype": "torch.float32"}))
    return folder


# ---- models ----


def replace_text(path, old, new):
    text = path.read_text("utf8")
    assert old in text
    path.write_text(text.replace(old, new), "utf8")


def reshape(path, name, shape):
    header, data = read_safetensors(path)
    header[name]["shape"] = shape
    store_safetensors(path, header, data)


def drop(path, name):
    """Renames a tensor, so that the one a reader needs is missing."""
    header, data = read_safetensors(path)
    header["other." + name] = header.pop(name)
    store_safetensors(path, header, data)


QUERY = "mpnet.encoder.layer.1.attention.attn.q.weight"
BAD_MODELS = {
    "cut weights": ("mpnet-mean", lambda m: os.truncate(m / "model.safetensors", 40000), 65, ["model.safetensors"]),
    "cut header": ("mpnet-mean", lambda m: os.truncate(m / "model.safetensors", 100), 65, ["model.safetensors"]),
    "empty weights": ("mpnet-mean", lambda m: os.truncate(m / "model.safetensors", 0), 65, ["model.safetensors"]),
    "cut torch weights": ("bert-old", lambda m: os.truncate(m / "pytorch_model.bin", 20000), 65, ["pytorch_model.bin"]),
    "missing shard": ("bert-dense", lambda m: os.unlink(m / "model-00002-of-00003.safetensors"), 66,
                      ["model-00002-of-00003.safetensors"]),
    "wrong shape": ("mpnet-mean", lambda m: reshape(m / "model.safetensors", QUERY, [8, 32]), 65, [QUERY, "8", "32", "16"]),
    "missing tensor": ("mpnet-mean", lambda m: drop(m / "model.safetensors", QUERY), 65, [QUERY.removeprefix("mpnet.")]),
    "NaN": ("mpnet-mean", lambda m: poison(m / "model.safetensors", QUERY, 37, 200), 65, [QUERY, "2 ", "37"]),
    "no weights": ("mpnet-mean", lambda m: os.unlink(m / "model.safetensors"), 66, ["model.safetensors"]),
    "no tokenizer": ("mpnet-mean", lambda m: os.unlink(m / "tokenizer.json"), 66, ["tokenizer.json", "vocab.txt"]),
    "no config": ("mpnet-mean", lambda m: os.unlink(m / "config.json"), 66, ["config.json"]),
    "no pooling config": ("mpnet-mean", lambda m: os.unlink(m / "1_Pooling/config.json"), 66, ["1_Pooling/config.json"]),
    "config without a key": ("mpnet-mean", lambda m: edit_json(m / "config.json", model_type=None), 65, ["config.json", "model_type"]),
    "a default that is not so": ("mpnet-mean", lambda m: edit_json(m / "config.json", hidden_size=None), 65, ["768", "16"]),
    "text for a number": ("mpnet-mean", lambda m: edit_json(m / "config.json", num_hidden_layers="two"), 65,
                          ["config.json", "num_hidden_layers"]),
    "heads do not divide": ("mpnet-mean", lambda m: edit_json(m / "config.json", num_attention_heads=5), 65, ["5", "16"]),
    "huge size": ("mpnet-mean", lambda m: edit_json(m / "config.json", hidden_size=2**62), 65, ["hidden_size"]),
    "negative size": ("mpnet-mean", lambda m: edit_json(m / "config.json", intermediate_size=-1), 65, ["intermediate_size"]),
    "more layers than stored": ("mpnet-mean", lambda m: edit_json(m / "config.json", num_hidden_layers=3), 65, ["layer.2."]),
    "broken JSON": ("mpnet-mean", lambda m: os.truncate(m / "config.json", 60), 65, ["config.json"]),
    "broken tokenizer": ("mpnet-mean", lambda m: os.truncate(m / "tokenizer.json", 500), 65, ["tokenizer.json"]),
    "broken modules": ("mpnet-mean", lambda m: os.truncate(m / "modules.json", 90), 65, ["modules.json"]),
    "unknown architecture": ("mpnet-mean", lambda m: edit_json(m / "config.json", model_type="deberta"), 65, ["deberta", "mpnet"]),
    "unknown activation": ("bert-old", lambda m: edit_json(m / "config.json", hidden_act="gelo"), 65, ["gelo", "gelu"]),
    "unknown module": ("mpnet-mean", lambda m: replace_text(m / "modules.json", "pooling.Pooling", "cnn.CNN"), 65, ["CNN"]),
    "unknown last module": ("bert-old", lambda m: replace_text(m / "modules.json", "models.Normalize", "models.WKPooling"), 65,
                            ["WKPooling"]),
    "module outside": ("mpnet-mean", lambda m: replace_text(m / "modules.json", '"1_Pooling"', '"../1_Pooling"'), 65,
                       ["../1_Pooling"]),
    "absolute module": ("mpnet-mean", lambda m: replace_text(m / "modules.json", '"1_Pooling"', '"/etc"'), 65, ["/etc"]),
    "config is a folder": ("mpnet-mean", lambda m: (os.unlink(m / "config.json"), os.mkdir(m / "config.json")), 65, ["config.json"]),
    "weights are a folder": ("mpnet-mean", lambda m: (os.unlink(m / "model.safetensors"), os.mkdir(m / "model.safetensors")), 65,
                             ["model.safetensors"]),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_model_is_refused(run, texts, tmp_path, name):
    source, damage, code, words = BAD_MODELS[name]
    folder = tmp_path / "model"
    shutil.copytree(ENCODERS / source, folder)
    damage(folder)
    out = tmp_path / "e.npy"
    assert_refused(run("embed", "-m", folder, "-d", texts, "-o", out), code, folder, *words)
    assert_refused(run("inspect", "--check", folder, "--as", "model"), code, folder, *words)
    assert sorted(os.listdir(tmp_path)) == ["model", "texts.jsonl"]


@pytest.mark.parametrize("precision", ["highest", "low"])
def test_tokens_without_a_row_are_refused_where_they_occur(run, texts, tmp_path, precision):
    """Tokens that were added without resizing the model do no harm until a text has one."""
    folder, more = tmp_path / "model", tmp_path / "more.jsonl"
    shutil.copytree(ENCODERS / "bert-old", folder)
    with open(folder / "vocab.txt", "a") as vocab:
        vocab.write("moreover\nbeyond\n")
    more.write_text(texts.read_text() + '{"text": "A galaxy is beyond."}\n')
    outs = [tmp_path / "whole.npy", tmp_path / "more.npy"]
    for model, out in zip([ENCODERS / "bert-old", folder], outs):
        done = run("embed", "-m", model, "-d", texts, "-o", out, "--precision", precision)
        assert done.code == 0, done.err
        assert ("305" in done.err and "304" in done.err) == (model == folder)
    assert outs[0].read_bytes() == outs[1].read_bytes()
    done = run("embed", "-m", folder, "-d", more, "-o", tmp_path / "e.npy", "--precision", precision)
    assert done.code == 65 and not (tmp_path / "e.npy").exists()
    assert all(word in done.err for word in [str(more), "row 2", "'beyond'", "305", "304 rows"]), done.err
    done = run("tokenize", "-m", folder, "-d", more)
    assert done.code == 0 and "305" in done.out.splitlines()[2]


def test_a_model_that_is_no_folder_is_refused(run, texts, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    out = ["-d", texts, "-o", tmp_path / "e.npy"]
    assert_refused(run("embed", "-m", texts, *out), 66, texts, "folder")
    assert_refused(run("embed", "-m", tmp_path / "none", *out), 66, tmp_path / "none")
    assert_refused(run("embed", "-m", empty, *out), 66, empty, "config.json")
    assert_refused(run("embed", "-m", texts / "under", *out), 66, texts / "under")


# ---- SAEs ----

BAD_SAES = {
    "wrong shape": ({"b_enc": np.zeros(5)}, {}, 65, ["b_enc", "5", "6"]),
    "turned decoder": ({"W_dec": np.zeros((WIDTH, N_FEATURES))}, {}, 65, ["W_dec", "16", "6"]),
    "missing tensor": ({"W_dec": None}, {}, 65, ["W_dec"]),
    "missing threshold": ({"jumprelu.log_threshold": None}, {}, 65, ["jumprelu.log_threshold"]),
    "NaN": ({"W_enc": np.where(np.arange(96) % 50 == 40, np.nan, 1).reshape(16, 6)}, {}, 65, ["W_enc", "2 ", "40"]),
    "infinite bias": ({"b_dec": np.full(WIDTH, np.inf)}, {}, 65, ["b_dec", "16 ", "0"]),
    "no kind": ({}, {"sae_type": None}, 65, ["sae_type"]),
    "unknown kind": ({}, {"sae_type": "gated"}, 65, ["gated", "jumprelu"]),
    "no width": ({}, {"act_size": None}, 65, ["act_size"]),
    "another width": ({}, {"act_size": 17}, 65, ["17", "16"]),
    "zero features": ({}, {"dict_size": 0}, 65, ["dict_size"]),
    "text for a number": ({}, {"dict_size": "six"}, 65, ["dict_size"]),
    "no k": ({}, {"sae_type": "topk"}, 65, ["top_k"]),
    "k above the features": ({}, {"sae_type": "topk", "top_k": 7}, 65, ["top_k", "7", "6"]),
}


def analyze(run, sae, texts, tmp_path, *more):
    return run("analyze", "-m", MODEL, "-s", sae, "-d", texts, "-o", tmp_path / "run", *more)


@pytest.mark.parametrize("name", BAD_SAES)
def test_a_bad_sae_is_refused(run, texts, tmp_path, name):
    tensors, config, code, words = BAD_SAES[name]
    folder = write_sae(tmp_path / "sae", **tensors)
    edit_json(folder / "config.json", **config)
    assert_refused(analyze(run, folder, texts, tmp_path), code, folder, *words)
    assert_refused(run("inspect", "--check", folder, "--as", "sae"), code, folder, *words)
    assert not (tmp_path / "run").exists()


def test_an_sae_without_its_files_is_refused(run, texts, tmp_path):
    folder = write_sae(tmp_path / "sae")
    (folder / "config.json").rename(tmp_path / "config.json")
    assert_refused(analyze(run, folder, texts, tmp_path), 66, folder, "config.json")
    (tmp_path / "config.json").rename(folder / "config.json")
    os.truncate(folder / "config.json", 30)
    assert_refused(analyze(run, folder, texts, tmp_path), 65, folder / "config.json", "JSON")
    shutil.copy(ROOT / "src/sae/embedded/all-MiniLM-L6-v2.json", folder / "config.json")
    (folder / "sae.safetensors").unlink()
    assert_refused(analyze(run, folder, texts, tmp_path), 66, folder, "sae.pt", "sae.safetensors")
    assert_refused(analyze(run, tmp_path / "none", texts, tmp_path), 66, tmp_path / "none")
    assert_refused(analyze(run, texts, texts, tmp_path), 65, texts)


@pytest.mark.parametrize("n_bytes", [0, 3, 1000, 300000, -1])
def test_a_cut_checkpoint_is_refused(run, texts, tmp_path, n_bytes):
    folder = tmp_path / "sae"
    assert run("convert", "--sae", "embedded:all-MiniLM-L6-v2", "--to", "seed", "--out", folder, "-q").code == 0
    size = (folder / "sae.pt").stat().st_size
    os.truncate(folder / "sae.pt", n_bytes % size)
    assert_refused(analyze(run, folder, texts, tmp_path), 65, folder / "sae.pt")
    assert_refused(run("inspect", "--check", folder / "sae.pt"), 65, folder / "sae.pt")


def test_a_width_that_is_not_the_encoders_names_both(run, texts, tmp_path):
    assert_refused(analyze(run, "embedded:all-MiniLM-L6-v2", texts, tmp_path, "-q"), 65, "384", WIDTH)
    assert not (tmp_path / "run").exists()


def test_batchtopk_without_a_rule_names_the_choices(run, texts, tmp_path):
    folder = write_sae(tmp_path / "sae")
    edit_json(folder / "config.json", sae_type="batchtopk", top_k=2)
    assert_refused(analyze(run, folder, texts, tmp_path), 65, folder, "threshold", "row-topk", "batch")
    assert not (tmp_path / "run").exists()


def test_a_pickle_that_calls_is_refused_and_not_run(run, texts, tmp_path):
    """The oldest trick: os.system named in the stream, as protocol 0 writes it."""
    folder = write_sae(tmp_path / "sae")
    (folder / "sae.safetensors").unlink()
    (folder / "sae.pt").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    assert_refused(analyze(run, folder, texts, tmp_path), 65, folder / "sae.pt")
    assert_refused(run("inspect", "--check", folder / "sae.pt"), 65, folder / "sae.pt")
    assert not (tmp_path / "ran").exists()


# ---- datasets ----


def tokenize(run, *paths, more=(), **options):
    words = [w for path in paths for w in ("-d", path)]
    return run("tokenize", "-m", MODEL, *words, *more, **options)


LINES = b'{"text": "one"}\n{"text": "two"}\n'
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress,
           "zst": lambda data: subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout}
BAD_DATASETS = {
    "empty.jsonl": (b"", 65, []),
    "broken.jsonl": (LINES + b'{"text": "three"\n{"text": "four"}\n', 65, ["line 3"]),
    "two-on-a-line.jsonl": (LINES + b'{"text": "3"} x {"text": "4"}\n', 65, ["line 3"]),
    "broken.json": (b'[{"text": "one"}, {"text": }]', 65, []),
    "open.json": (b'[{"text": "one"}', 65, []),
    "other-columns.jsonl": (b'{"title": "a", "abstract": "b"}\n', 65, ["title", "abstract", "--text-column"]),
    "other-columns.csv": (b"id,title,abstract\n1,a,b\n", 65, ["id", "title", "abstract", "--text-column"]),
    "no-strings.jsonl": (b'{"a": 1, "b": 2}\n', 65, ["a", "b"]),
    "number.jsonl": (LINES + b'{"text": 7}\n', 65, ["line 3", "number"]),
    "object.jsonl": (LINES + b'{"text": {"a": "b"}}\n', 65, ["line 3", "object"]),
    "null.jsonl": (LINES + b'{"text": null}\n', 65, ["row 2", "--skip-empty"]),
    "ragged.csv": (b"id,text\n1,one\n2\n3,three\n", 65, ["row 1", "null", "--skip-empty"]),
    "long-row.csv": (b"id,text\n1,one\n2,two,more\n", 65, ["line 3", "2", "3"]),
    "open-quote.csv": (b'id,text\n1,"one\n2,two\n', 65, ["quote"]),
    "wide.jsonl": ('{"text": "wide"}\n'.encode("utf-16"), 65, ["UTF-16"]),
    "wide.csv": ("text\nwide\n".encode("utf-16"), 65, ["UTF-16"]),
    "wide.txt": ("wide words\n".encode("utf-16"), 65, ["UTF-16"]),
    "noise.parquet": (b"PAR1" + bytes(range(256)) + b"PAR1", 65, []),
}


@pytest.mark.parametrize("name", BAD_DATASETS)
def test_a_bad_dataset_is_refused(run, tmp_path, name):
    data, code, words = BAD_DATASETS[name]
    path = tmp_path / name
    path.write_bytes(data)
    done = tokenize(run, path)
    done.out = "".join(line for line in done.out.splitlines() if not line.startswith("["))  # rows before the bad one
    assert_refused(done, code, path, *words)
    assert_refused(run("embed", "-m", MODEL, "-d", path, "-o", tmp_path / "e.npy"), code, path, *words)
    assert os.listdir(tmp_path) == [name]


def test_a_dataset_that_is_not_there_is_refused(run, tmp_path):
    empty = tmp_path / "folder"
    empty.mkdir()
    assert_refused(tokenize(run, tmp_path / "none.jsonl"), 66, tmp_path / "none.jsonl")
    assert_refused(tokenize(run, empty), 66, empty, ".jsonl")
    assert_refused(tokenize(run, tmp_path / "*.jsonl"), 66, tmp_path / "*.jsonl")
    assert_refused(tokenize(run, "-"), 65)


def test_a_text_column_that_is_not_there_lists_the_columns(run, tmp_path):
    for name, data in {"a.jsonl": b'{"id": 1, "text": "one"}\n', "a.csv": b"id,text\n1,one\n"}.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert_refused(tokenize(run, path, more=["--text-column", "abstract"]), 65, path, "abstract", "id", "text")


@pytest.mark.parametrize("ending", PACKERS)
def test_a_cut_compressed_file_is_refused(run, tmp_path, ending):
    if ending == "zst" and shutil.which("zstd") is None:
        pytest.skip("no zstd command here")
    packed = PACKERS[ending](b"".join(b'{"text": "number %d of many"}\n' % i for i in range(3000)))
    path = tmp_path / f"texts.jsonl.{ending}"
    for n_bytes in (len(packed) // 2, len(packed) - 3, 5):
        path.write_bytes(packed[:n_bytes])
        assert_refused(run("embed", "-m", MODEL, "-d", path, "-o", tmp_path / "e.npy"), 65, path)
        assert_refused(run("inspect", "--check", path), 65, path)
        assert os.listdir(tmp_path) == [path.name]


def test_a_first_line_that_is_no_json_is_named(run, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_bytes(b"<html>\n" + LINES)
    for done in (run("inspect", path), run("inspect", "--check", path), tokenize(run, path)):
        assert_refused(done, 65, path, "line 1", "JSON")


def test_rows_without_any_text_are_sound(run, tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_bytes(b'{"text": null}\n' * 3)
    assert run("inspect", "--check", path).code == 0
    done = tokenize(run, path, more=["--skip-empty"])
    assert done.code == 0 and done.out == ""


def test_a_cut_parquet_file_is_refused(run, tmp_path):
    whole = sorted((ROOT / "tests/data/parquet").glob("**/*.parquet"))[0].read_bytes()
    path = tmp_path / "texts.parquet"
    for n_bytes in (0, 3, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        assert_refused(run("inspect", "--check", path), 65, path)


def test_a_folder_where_one_file_lacks_the_column_names_it(run, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"id,text\n1,one\n")
    (folder / "b.csv").write_bytes(b"id,title\n1,one\n")
    done = run("embed", "-m", MODEL, "-d", folder, "-o", tmp_path / "e.npy")
    assert_refused(done, 65, folder / "b.csv", "text", "id", "title")
    assert not (tmp_path / "e.npy").exists()


INVALID = [b"caf\xe9 au lait", b"\xff\xfe", b"a\xe4\xb8 b", b"\xed\xa0\x80 x", b"\xf4\x90\x80\x80", b"plain", b"\xc0\xaf y"]


def test_invalid_utf8_is_replaced_as_python_does_counted_and_said(run, tmp_path):
    bad, good = tmp_path / "bad.txt", tmp_path / "good.txt"
    bad.write_bytes(b"\n".join(INVALID) + b"\n")
    good.write_text("\n".join(raw.decode("utf8", "replace") for raw in INVALID) + "\n", "utf8")
    rows = [json.loads(line) for line in run("inspect", "--rows", "100", bad).out.splitlines()]
    assert [r["text"] for r in rows] == [raw.decode("utf8", "replace") for raw in INVALID]
    tokens = tokenize(run, bad)
    assert tokens.out == tokenize(run, good).out
    done = run("embed", "-m", MODEL, "-d", bad, "-o", tmp_path / "e.npy")
    for err in (tokens.err, done.err):
        assert "UTF-8" in err and "6 of 7 rows" in err, err
    sae = write_sae(tmp_path / "sae")
    plain = analyze(run, sae, bad, tmp_path)
    assert plain.code == 0 and "UTF-8" in plain.out, plain.out + plain.err
    summary = json.loads(run("analyze", "-m", MODEL, "-s", sae, "-d", bad, "-o", tmp_path / "b", "--json", "-q").out)
    assert summary["rows_repaired"] == 6
    assert json.loads((tmp_path / "run/run.json").read_text("utf8"))["rows"]["repaired"] == 6


# ---- outputs ----


def test_an_output_that_is_there_is_left_alone(run, texts, tmp_path):
    out = tmp_path / "e.npy"
    out.write_bytes(b"mine")
    assert_refused(run("embed", "-m", MODEL, "-d", texts, "-o", out), 74, out, "--force")
    assert out.read_bytes() == b"mine"
    sae, folder = write_sae(tmp_path / "sae"), tmp_path / "run"
    folder.mkdir()
    (folder / "mine").write_bytes(b"")
    assert_refused(analyze(run, sae, texts, tmp_path), 74, folder, "--force")
    assert os.listdir(folder) == ["mine"]


@pytest.mark.parametrize("place", ["{texts}/under", "/dev/full/under", "/proc/saescope-out", "{tmp}/none/deeper/out"])
def test_a_place_that_takes_no_output_is_refused(run, texts, tmp_path, place):
    path = place.format(texts=texts, tmp=tmp_path)
    sae = write_sae(tmp_path / "sae")
    before = sorted(os.listdir(tmp_path))
    assert_refused(run("embed", "-m", MODEL, "-d", texts, "-o", path), 74, path.rsplit("/", 1)[0])
    if "deeper" not in place:
        assert_refused(run("analyze", "-m", MODEL, "-s", sae, "-d", texts, "-o", path), 74, path.rsplit("/", 1)[0])
    assert sorted(os.listdir(tmp_path)) == before


def test_a_full_device_is_said(run, texts):
    for more in ([], ["--force"]):
        assert_refused(run("embed", "-m", MODEL, "-d", texts, "-o", "/dev/full", *more), 74, "/dev/full")


PRINTING = {"tokenize": ["tokenize", "-m", MODEL, "-d", "{texts}"], "inspect": ["inspect", "{texts}"],
            "inspect --json": ["inspect", "--json", "{texts}"], "inspect --rows": ["inspect", "--rows", "2", "{texts}"],
            "inspect --check": ["inspect", "--check", "{texts}"],
            "fill-mask": ["fill-mask", "-m", MODEL, "A <mask> is bright."],
            "fill-mask --json": ["fill-mask", "-m", MODEL, "--json", "A <mask> is bright."],
            "analyze": ["analyze", "-m", MODEL, "-s", "{sae}", "-d", "{texts}", "-o", "{run}", "-q", "--json"],
            "help": ["--help"], "version": ["--version"], "completion": ["completion", "bash"]}


@pytest.mark.parametrize("stdout", ["/dev/full", "closed"])
@pytest.mark.parametrize("name", PRINTING)
def test_a_stdout_that_takes_nothing_is_an_error(program, texts, tmp_path, name, stdout):
    places = {"texts": texts, "sae": tmp_path / "sae", "run": tmp_path / "run"}
    write_sae(places["sae"])
    words = [str(word).format(**places) for word in PRINTING[name]]
    target = ">&-" if stdout == "closed" else ">/dev/full"
    done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {target}', program, *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    err = done.stderr.decode("utf8")
    assert done.returncode == 74 and err.count("\n") == 1 and "standard output" in err, f"exit code {done.returncode}: {err!r}"


@pytest.mark.parametrize("name", ["tokenize", "inspect --rows"])
def test_a_reader_that_goes_away_ends_the_program(program, tmp_path, name):
    many = tmp_path / "many.jsonl"
    many.write_bytes(b"".join(b'{"text": "number %d of very many rows"}\n' % i for i in range(300000)))
    words = {"tokenize": ["tokenize", "-m", MODEL, "-d", many], "inspect --rows": ["inspect", "--rows", "300000", many]}[name]
    start = time.monotonic()
    job = subprocess.Popen([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert job.stdout.readline().endswith(b"\n")
    job.stdout.close()
    err = job.stderr.read()
    job.wait(timeout=20)
    assert time.monotonic() - start < 5 and err.count(b"\n") <= 1, err


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], capture_output=True)
    if made.returncode != 0:
        pytest.skip("a small disk cannot be mounted here: " + made.stderr.decode("utf8").strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_is_said_and_left_clean(run, tmp_path):
    many = tmp_path / "many.jsonl"
    many.write_bytes(b"".join(b'{"text": "A galaxy %d."}\n' % i for i in range(2000)))
    sae = write_sae(tmp_path / "sae")
    with small_disk(tmp_path / "disk", 16) as disk:
        assert_refused(run("embed", "-m", MODEL, "-d", many, "-o", disk / "e.npy", "-q"), 74, disk / "e.npy", "space")
        assert os.listdir(disk) == []
        assert_refused(run("analyze", "-m", MODEL, "-s", sae, "-d", many, "-o", disk / "run", "-q"), 74, disk / "run", "space")
        assert os.listdir(disk) == []


# ---- stopping ----


@pytest.mark.parametrize("verb", ["embed", "tokenize"])
def test_a_stop_is_said_and_leaves_nothing(program, tmp_path, verb):
    """Rows come from a pipe that stays open, so that the program cannot be done before it is stopped."""
    out = tmp_path / "e.npy"
    words = [verb, "-m", MODEL, "-d", "-", *(["-o", out] if verb == "embed" else [])]
    job = subprocess.Popen([program, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    job.stdin.write(LINES * 4000)
    job.stdin.flush()
    job.send_signal(signal.SIGINT)
    err = job.stderr.read().decode("utf8")
    assert job.wait(timeout=20) == 75 and "stopped" in err.splitlines()[-1], err
    assert os.listdir(tmp_path) == []
