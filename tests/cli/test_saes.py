"""SAEs of every format with something wrong in them: one message that names the key or tensor, and the exit code."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import assert_refused, edit_json, poison, read_safetensors, store_safetensors, write_safetensors, write_torch

FORMATS = Path(__file__).resolve().parents[1] / "data/sae/formats"
ENCODER = FORMATS.parents[1] / "encoder/mpnet-mean"
D, L = 8, 32


@pytest.fixture
def inspect(run):
    def call(path, *words):
        return run("inspect", "--as", "sae", path, *words)
    return call


def config(**changes):
    def change(folder):
        for name in ("cfg.json", "config.json"):
            if (folder / name).exists():
                edit_json(folder / name, **changes)
    return change


def trainer(**changes):
    def change(folder):
        value = json.loads((folder / "config.json").read_text())
        value["trainer"].update(changes)
        (folder / "config.json").write_text(json.dumps({"trainer": {k: v for k, v in value["trainer"].items() if v is not None}}))
    return change


def weights_of(folder):
    return next(folder.glob("*.safetensors"))


def drop(name):
    def change(folder):
        header, data = read_safetensors(weights_of(folder))
        tensors = {key: np.frombuffer(data[slice(*value["data_offsets"])], "<f4").reshape(value["shape"])
                   for key, value in header.items() if key != name and value["dtype"] == "F32"}
        write_safetensors(weights_of(folder), tensors)
    return change


def reshape(name, *shape):
    def change(folder):
        header, data = read_safetensors(weights_of(folder))
        header[name]["shape"] = list(shape)
        store_safetensors(weights_of(folder), header, data)
    return change


def nan(name, *places):
    return lambda folder: poison(weights_of(folder), name, *places)


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def remove(name):
    return lambda folder: (folder / name).unlink()


def tied(features=L, width=D, **more):
    zeros = np.zeros
    return {"pre_bias": zeros(width), "latent_bias": zeros(features), "encoder.weight": zeros((features, width)),
            "decoder.weight": zeros((width, features)), **more}


# (format's folder, what is changed, exit code, words)
CASES = [
    ("saelens-standard", config(architecture=None), 65, ["architecture", "missing"]),
    ("saelens-standard", config(architecture="temporal"), 65, ["temporal", "tokens of a sequence"]),
    ("saelens-standard", config(architecture="abstopk"), 65, ["abstopk", "either sign"]),
    ("saelens-standard", config(architecture="clt"), 65, ["'clt'", "known are standard"]),
    ("saelens-standard", config(architecture=7), 65, ["architecture", "not a string"]),
    ("saelens-standard", config(d_in=9), 65, ["b_dec", "[8]", "[9]"]),
    ("saelens-standard", config(d_sae=31), 65, ["b_enc", "[32]", "[31]"]),
    ("saelens-standard", config(d_in=2**40), 65, ["d_in"]),
    ("saelens-standard", config(d_sae=2147483647, d_in=2147483647), 65, ["2147483647"]),
    ("saelens-standard", config(d_in=None), 65, ["d_in", "missing"]),
    ("saelens-standard", config(d_in="8"), 65, ["d_in", "whole number"]),
    ("saelens-standard", config(apply_b_dec_to_input="yes"), 65, ["apply_b_dec_to_input", "true or false"]),
    ("saelens-standard", config(normalize_activations="covariance_whitening"), 65, ["covariance_whitening"]),
    ("saelens-standard", config(normalize_activations=3), 65, ["normalize_activations"]),
    ("saelens-standard", config(reshape_activations="hook_z"), 65, ["hook_z", "heads"]),
    ("saelens-standard", drop("W_dec"), 65, ["W_dec", "missing"]),
    ("saelens-standard", reshape("W_enc", L, D), 65, ["W_enc", "[32,8]", "[8,32]"]),
    ("saelens-standard", reshape("b_enc", 4, 8), 65, ["b_enc", "[4,8]", "[32]"]),
    ("saelens-standard", nan("W_enc", 7, 9), 65, ["W_enc", "2 numbers", "index 7"]),
    ("saelens-standard", nan("W_dec", 3), 65, ["W_dec", "index 3"]),
    ("saelens-standard", nan("b_dec", 0), 65, ["b_dec"]),
    ("saelens-standard", write("cfg.json", "{"), 65, ["cfg.json", "not valid JSON"]),
    ("saelens-standard", write("cfg.json", "[]"), 65, ["cfg.json", "expected an object"]),
    ("saelens-standard", write("cfg.json", '{"d_in": 8, "d_in"}'), 65, ["cfg.json", "line 1, column 19"]),
    ("saelens-standard", remove("cfg.json"), 66, ["cfg.json", "missing"]),
    ("saelens-standard", remove("sae_weights.safetensors"), 66, ["sae_weights.safetensors"]),
    ("saelens-standard-ln", lambda f: (config(d_in=1)(f), reshape("b_dec", 8)(f)), 65, ["width 1"]),
    ("saelens-topk", config(k=None), 65, ["'k'", "missing"]),
    ("saelens-topk", config(k=0), 65, ["k is 0"]),
    ("saelens-topk", config(k=33), 65, ["k is 33", "32"]),
    ("saelens-topk", config(k=1e300), 65, ["k is 1e+300"]),
    ("saelens-topk", config(k="4"), 65, ["'k'", "number"]),
    ("saelens-jumprelu", drop("threshold"), 65, ["threshold", "missing"]),
    ("saelens-jumprelu", nan("threshold", 5), 65, ["threshold", "index 5"]),
    ("saelens-gated", drop("r_mag"), 65, ["r_mag", "missing"]),
    ("saelens-gated", lambda f: fill(f, "r_mag", 100.0), 65, ["r_mag", "beyond float32"]),
    ("saelens-pursuit", config(max_iterations=2**50), 65, ["max_iterations"]),
    ("saelens-pursuit", config(residual_threshold="low"), 65, ["residual_threshold"]),
    ("saelens-transcoder", config(apply_b_dec_to_input=True), 65, ["apply_b_dec_to_input", "transcoder"]),
    ("saelens-transcoder", config(d_out=None), 65, ["d_out", "missing"]),
    ("saelens-transcoder", config(d_out=8), 65, ["b_dec", "[7]", "[8]"]),
    ("saelens-old-topk", config(activation_fn_str="tanh-relu"), 65, ["tanh-relu"]),
    ("saelens-old-topk", config(activation_fn_kwargs=None), 65, ["'k'", "missing"]),
    ("saelens-batchtopk", lambda f: strip_to_f32(f), 65, ["topk_threshold", "missing"]),
    ("sparsify-topk", config(activation="jumprelu"), 65, ["jumprelu", "groupmax"]),
    ("sparsify-topk", config(num_latents=0, expansion_factor=0), 65, ["num_latents"]),
    ("sparsify-topk", config(num_latents=0, expansion_factor=5), 65, ["[32]", "[40]"]),
    ("sparsify-topk", config(k=0), 65, ["k is 0"]),
    ("sparsify-topk", config(transcode="no"), 65, ["transcode", "true or false"]),
    ("sparsify-topk", drop("encoder.bias"), 65, ["encoder.bias", "missing"]),
    ("sparsify-topk", nan("encoder.weight", 11), 65, ["encoder.weight", "index 11"]),
    ("sparsify-groupmax", config(k=5), 65, ["32 features", "5 equal groups"]),
    ("latent-jumprelu", config(sae_type=None), 65, ["sae_type", "log_threshold"]),
    ("latent-jumprelu", config(sae_type="DENSE"), 65, ["DENSE", "BATCHTOPK"]),
    ("latent-jumprelu", drop("log_threshold"), 65, ["log_threshold", "missing"]),
    ("latent-gated", drop("W_mag.weight"), 65, ["W_mag.weight", "missing"]),
    ("latent-gated", reshape("W_mag.weight", D, L), 65, ["W_mag.weight", "[8,32]", "[32,8]"]),
    ("latent-matryoshka", config(matryoshka_sizes="10,31"), 65, ["matryoshka_sizes", "31", "32"]),
    ("latent-matryoshka", config(matryoshka_ks="2"), 65, ["matryoshka_ks has 1"]),
    ("latent-matryoshka", config(matryoshka_ks="2;6"), 65, ["matryoshka_ks", "commas"]),
    ("latent-matryoshka", config(matryoshka_ks="2,99"), 65, ["matryoshka_ks is 99"]),
    ("latent-lista", config(lista_steps=0), 65, ["lista_steps is 0"]),
    ("latent-lista", config(lista_steps=10**9), 65, ["lista_steps"]),
    ("latent-lista", config(lista_eta=1e30), 65, ["lista_eta"]),
    ("dictionary-topk", trainer(k=5), 65, ["k is 5", "says 4"]),
    ("dictionary-topk", trainer(dict_class="IdentityDict"), 65, ["IdentityDict", "AutoEncoderTopK"]),
    ("dictionary-topk", trainer(dict_class="AutoEncoder"), 65, ["'ae/bias'", "missing"]),
    ("dictionary-topk", trainer(activation_dim=7), 65, ["[7]"]),
    ("dictionary-topk", trainer(dict_size=0), 65, ["dict_size is 0"]),
    ("dictionary-topk", remove("config.json"), 65, ["AutoEncoderTopK and BatchTopKSAE", "config.json"]),
    ("dictionary-jumprelu", remove("config.json"), 65, ["class of this dictionary"]),
    ("csr-normalize", config(k=33), 65, ["k is 33"]),
    ("csr-normalize", config(hidden_dim=31), 65, ["latent_bias", "[32]", "[31]"]),
    ("csr-normalize", config(normalize=1), 65, ["normalize", "true or false"]),
    ("csr-normalize", drop("decoder.linear.weight"), 65, ["decoder.linear.weight", "missing"]),
    ("saerch-unnamed", lambda f: None, 64, ["K_N_", "32", "--sae-top-k"]),
    ("saerch-named", lambda f: (f / "4_32_256_auxk_epoch_50.pth").rename(f / "40_32_x.pth"), 65, ["k is 40"]),
    ("saerch-named", lambda f: (f / "4_32_256_auxk_epoch_50.pth").rename(f / "4_33_x.pth"), 64, ["--sae-top-k"]),
    ("gemma-scope", lambda f: np.savez(f / "params.npz", W_enc=np.zeros((D, L), "f4"), threshold=np.zeros(L, "f4")), 65,
     ["b_enc", "missing"]),
]


def fill(folder, name, value):
    header, data = read_safetensors(weights_of(folder))
    start, end = header[name]["data_offsets"]
    values = np.full((end - start) // 4, value, "<f4").tobytes()
    store_safetensors(weights_of(folder), header, data[:start] + values + data[end:])


def strip_to_f32(folder):
    drop("no such tensor")(folder)  # the threshold is a float64


@pytest.mark.parametrize("name, change, code, words", CASES, ids=[f"{c[0]}-{c[3][0]}-{i}" for i, c in enumerate(CASES)])
def test_a_broken_sae_is_refused(inspect, tmp_path, name, change, code, words):
    folder = tmp_path / name
    shutil.copytree(FORMATS / name, folder)
    assert inspect(folder).code == (64 if name == "saerch-unnamed" else 0)
    change(folder)
    assert_refused(inspect(folder), code, str(folder), *words)


# Files of torch, made here: (name, content, exit code, words)
TORCH = [
    ("7.pt", tied(activation="TopK", activation_state_dict={}), 65, ["activation_state_dict/k", "missing"]),
    ("7.pt", tied(activation="TopK", activation_state_dict={"k": 0}), 65, ["activation_state_dict/k", "'0'"]),
    ("7.pt", tied(activation="TopK", activation_state_dict={"k": 99}), 65, ["is 99"]),
    ("7.pt", tied(activation="TopK", activation_state_dict={"k": 4, "postact_fn": "Tanh"}), 65, ["Tanh"]),
    ("7.pt", tied(activation="Identity", activation_state_dict={}), 65, ["Identity"]),
    ("7.pt", tied(width=1, activation="TopK", activation_state_dict={"k": 4}), 65, ["width 1"]),
    ("7.pt", tied(activation="ReLU", latent_bias=np.zeros(31)), 65, ["latent_bias", "[31]", "[32]"]),
    ("7.pt", tied(activation="ReLU", **{"encoder.weight": np.zeros(5)}), 65, ["encoder.weight", "matrix"]),
    ("7.pt", tied(activation="ReLU", **{"encoder.weight": np.zeros((0, 4))}), 65, ["encoder.weight"]),
    ("7.pt", tied(activation="ReLU", pre_bias=np.array([1, 2, 3, 4, 5, 6, np.nan, 8])), 65, ["pre_bias", "index 6"]),
    ("s.pt", {"config": {"input_dim": D, "m_total_neurons": L}, "state_dict": {"encoder.weight": np.zeros((L, D))}}, 65,
     ["config/k_active_neurons", "missing"]),
    ("s.pt", {"config": {"input_dim": D, "m_total_neurons": -4, "k_active_neurons": 2},
              "state_dict": {"encoder.weight": np.zeros((L, D))}}, 65, ["config/m_total_neurons", "'-4'"]),
    ("s.pt", {"config": {"input_dim": D, "m_total_neurons": L, "k_active_neurons": 2},
              "state_dict": {"encoder.weight": np.zeros((L, D))}}, 65, ["neuron_bias", "missing"]),
    ("ae.pt", {"step": 3, "norm_factor": 12.5, "ae": {"bias": np.zeros(D), "encoder.weight": np.zeros((L, D)),
                                                     "encoder.bias": np.zeros(L), "decoder.weight": np.zeros((D, L))}}, 65,
     ["norm_factor, 12.5"]),
    ("m.pt", {"k": np.array(4.0), "threshold": np.array(0.5), "group_sizes": np.array([10.0, 21.0]), "W_enc": np.zeros((D, L)),
              "b_enc": np.zeros(L), "W_dec": np.zeros((L, D)), "b_dec": np.zeros(D)}, 65, ["group_sizes", "31 features", "32"]),
    ("m.pt", {"k": np.array(0.0), "threshold": np.array(0.5), "group_sizes": np.array([32.0]), "W_enc": np.zeros((D, L)),
              "b_enc": np.zeros(L), "W_dec": np.zeros((L, D)), "b_dec": np.zeros(D)}, 65, ["k is 0"]),
    ("checkpoint_3.pth", {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tied(
        stats_last_nonzero=np.zeros(L)).items()}}, 65, ["CSR_Adaptive_Rep", "neither k nor"]),
    ("sae_run_9_final.pt", {"model_state": {"encoder.weight": np.zeros((L, D)), "encoder.bias": np.zeros(L),
                                            "decoder.weight": np.zeros((D, L)), "decoder.bias": np.zeros(D)},
                            "zscore_mean": np.zeros(D), "config": {"k": 4}}, 65, ["prismadb"]),
    ("e.pt", {"epoch": 1, "model_state_dict": {"encoder.weight": np.zeros((L, D)), "decoder.weight": np.zeros((D, L))}}, 65,
     ["EncoderSAE", "does not store k"]),
    ("last.ckpt", {"pytorch-lightning_version": "2.1", "state_dict": {"W_enc": np.zeros((D, L)), "W_dec": np.zeros((L, D))}}, 65,
     ["Lightning"]),
    ("g.pth", {"encoder_linear.weight": np.zeros((L, D)), "decoder_linear.weight": np.zeros((D, L))}, 65, ["Goodfire"]),
    ("f.pth", {"decoder.weight": np.zeros((D, L)), "jump_relu_threshold": np.zeros(L)}, 65, ["Llama Scope"]),
    ("x.pt", {"weight": np.zeros((D, L))}, 65, ["no sparse autoencoder", "1 tensors", "'weight'"]),
]


@pytest.mark.parametrize("name, content, code, words", TORCH, ids=[f"{c[0]}-{c[3][0]}-{i}" for i, c in enumerate(TORCH)])
def test_a_broken_checkpoint_is_refused(inspect, tmp_path, name, content, code, words):
    write_torch(tmp_path / name, content)
    assert_refused(inspect(tmp_path / name), code, str(tmp_path), *words)
    assert_refused(inspect(tmp_path), code, str(tmp_path), *words)  # the only file of its folder


def test_the_torch_files_made_here_are_read(inspect, tmp_path):
    write_torch(tmp_path / "7.pt", tied(activation="TopK", activation_state_dict={"k": 4, "postact_fn": "Identity"}))
    done = inspect(tmp_path / "7.pt")
    assert done.code == 0 and "openai" in done.out and "negative values among the k largest" in done.out


def test_a_file_of_weights_tells_the_sae_in_it(run):
    done = run("inspect", FORMATS / "saerch-unnamed/final.pth")
    assert done.code == 0 and "A weights file" in done.out and "saerch" in done.out
    assert "an SAE of" not in run("inspect", FORMATS / "saelens-standard/sae_weights.safetensors").out


def test_two_formats_ask_for_one(inspect, tmp_path):
    shutil.copytree(FORMATS / "saelens-standard", tmp_path / "both")
    (tmp_path / "both/config.json").write_text(json.dumps({"sae_type": "topk", "act_size": D, "dict_size": L, "top_k": 2}))
    assert_refused(inspect(tmp_path / "both"), 65, "saes-for-sbert or saelens", "--sae-format")
    assert inspect(tmp_path / "both", "--sae-format", "saelens").code == 0
    assert_refused(inspect(tmp_path / "both", "--sae-format", "sparsify"), 66, "sae.safetensors")
    assert_refused(inspect(tmp_path / "both", "--sae-format", "openai"), 65, "encoder.weight", "missing")


def test_a_given_k_must_not_contradict(inspect):
    assert inspect(FORMATS / "saerch-named", "--sae-top-k", "7").code == 0
    assert_refused(inspect(FORMATS / "openai-topk", "--sae-top-k", "7"), 64, "--sae-top-k", "openai")
    assert_refused(inspect(FORMATS / "saerch-named", "--sae-top-k", "33"), 65, "33")


def test_several_files_ask_for_one(inspect, tmp_path):
    for name in ("a.pth", "b.pth"):
        write_torch(tmp_path / name, tied())
    assert_refused(inspect(tmp_path), 65, "2 weights files", "a.pth")


# ---- the last module of a model ----

@pytest.fixture
def sparse_model(tmp_path):
    """A sentence encoder that ends with a SparseAutoEncoder, and the width of its embeddings."""
    folder = tmp_path / "sparse"
    shutil.copytree(ENCODER, folder)
    width = json.loads((folder / "config.json").read_text())["hidden_size"]
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": len(modules), "name": str(len(modules)), "path": "9_SparseAutoEncoder",
                    "type": "sentence_transformers.sparse_encoder.modules.sparse_auto_encoder.SparseAutoEncoder"})
    (folder / "modules.json").write_text(json.dumps(modules))
    inner = folder / "9_SparseAutoEncoder"
    inner.mkdir()
    (inner / "config.json").write_text(json.dumps({"input_dim": width, "hidden_dim": 16, "k": 3, "k_aux": 4, "normalize": True}))
    weight = np.random.default_rng(5).standard_normal((16, width))
    write_safetensors(inner / "model.safetensors", {"decoder.linear.weight": weight, "pre_bias": np.zeros(width),
                                                    "latent_bias": np.zeros(16)})
    return folder, weight


def test_a_model_that_ends_with_an_sae_is_both(run, sparse_model, tmp_path):
    folder, weight = sparse_model
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in ["a b c", "stars and gas", "the end"]))
    for name, model in (("before", ENCODER), ("after", folder)):
        done = run("embed", "-m", model, "-d", tmp_path / "t.jsonl", "--out", tmp_path / f"{name}.npy")
        assert done.code == 0, done.err
    assert "ends with a SparseAutoEncoder" in done.err
    assert (tmp_path / "before.npy").read_bytes() == (tmp_path / "after.npy").read_bytes()
    assert "A sparse autoencoder" in run("inspect", folder).out
    assert run("analyze", "-m", folder, "-s", folder, "-d", tmp_path / "t.jsonl", "--out", tmp_path / "run").code == 0
    x = np.load(tmp_path / "before.npy").astype("f8")
    x = x - x.mean(axis=1, keepdims=True)
    h = x / (x.std(axis=1, ddof=1, keepdims=True) + 1e-5) @ weight.T
    fires = (h >= np.sort(h, axis=1)[:, [-3]]) & (h > 0)
    assert np.allclose(np.load(tmp_path / "run/fire_rate.npy"), 100 * fires.mean(axis=0))


# ---- convert ----

def test_convert_says_what_it_did(run, tmp_path):
    done = run("convert", "--sae", FORMATS / "csr", "--to", "saelens", "--out", tmp_path / "a")
    assert done.code == 0 and done.out == "" and "sentence-transformers written as saelens, kind topk" in done.err
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["cfg.json", "sae_weights.safetensors"]
    done = run("convert", "--sae", FORMATS / "saelens-jumprelu", "--to", "seed", "--out", tmp_path / "b", "--allow-rounding", "--json")
    assert json.loads(done.out) == {"schema": 1, "out": str(tmp_path / "b"), "from": "saelens", "to": "seed", "kind": "jumprelu",
                                    "rounded_thresholds": 2}
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["config.json", "sae.pt"]


def test_convert_refuses_with_the_reason(run, tmp_path):
    assert_refused(run("convert", "--sae", FORMATS / "latent-lista", "--to", "saelens", "--out", tmp_path / "a"), 65, "lista")
    assert_refused(run("convert", "--sae", FORMATS / "csr", "--to", "seed", "--out", tmp_path), 65, "latent_bias")
    assert_refused(run("convert", "--sae", tmp_path / "none", "--to", "seed", "--out", tmp_path / "a"), 66, "none")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine.txt").write_text("x")
    assert_refused(run("convert", "--sae", FORMATS / "saelens-standard", "--to", "seed", "--out", tmp_path), 74, str(tmp_path))
    assert run("convert", "--sae", FORMATS / "csr", "--to", "onnx", "--out", tmp_path / "a").code == 64


# ---- rows that cannot be scaled ----

def fires(run, folder, x, tmp_path, *words):
    np.save(tmp_path / "x.npy", x.astype("f4"))
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "--sae", folder, "--out", tmp_path / "run", *words)
    assert done.code == 0, done.err
    rows = (tmp_path / "run/features.csv").read_text().splitlines()[1:]
    return [line.split(",")[1] for line in rows]


@pytest.mark.parametrize("name", ["saelens-standard", "saelens-topk", "saelens-jumprelu-scaled", "saelens-gated", "saelens-batchtopk",
                                  "saelens-pursuit", "saelens-jumprelu-transcoder"])
def test_a_row_of_zeros_has_no_length_to_scale_and_fires_nothing(run, tmp_path, name):
    """In SAELens x sqrt(D) / |x| of zeros is NaN, and NaN > 0 is false, whatever the biases are."""
    folder = tmp_path / name
    shutil.copytree(FORMATS / name, folder)
    config(normalize_activations="constant_norm_rescale")(folder)
    x = np.random.default_rng(3).standard_normal((40, D))
    without = fires(run, folder, x, tmp_path)
    for place in (0, 7, 40):
        assert fires(run, folder, np.insert(x, place, 0, axis=0), tmp_path) == without
    assert fires(run, folder, np.zeros((3, D)), tmp_path) == ["0"] * L


def test_a_constant_row_is_normalised_to_zeros(run, tmp_path):
    """Layer norm divides by the spread and 1e-5, so that a row without spread becomes 0: h is the bias, or what b_dec makes."""
    x = np.zeros((2, D))
    x[1] = 0.37
    counts = fires(run, FORMATS / "saelens-standard-ln", x, tmp_path)
    assert set(counts) == {"0", "2"}


def test_finite_rows_that_leave_float32_are_told_so(run, tmp_path):
    x = np.random.default_rng(3).standard_normal((5, D))
    x[3] = 1e-45
    np.save(tmp_path / "x.npy", x.astype("f4"))
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "--sae", FORMATS / "saelens-jumprelu-scaled", "--out", tmp_path / "run")
    assert_refused(done, 65, "row 3 is finite, but the scaling of inputs")


# ---- folders above ----

LAYOUTS = {"sparsify": ["layers.0", "layers.1", "embed_tokens"], "latent": ["64_32", "128_4"],
           "dictionary": ["resid_post_layer_3/trainer_0", "resid_post_layer_3/trainer_1", "mlp_out_layer_0/trainer_0"],
           "gemma": ["layer_20/width_16k/average_l0_71", "layer_20/width_65k/average_l0_20"],
           "saelens": ["blocks.3.hook_resid_post", "blocks.4.hook_resid_post"], "seed": ["a/b/run 1", "a/b/run 2"]}
INSIDE = {"sparsify": "sparsify-topk", "latent": "latent-topk", "dictionary": "dictionary-topk", "gemma": "gemma-scope",
          "saelens": "saelens-topk", "seed": "wrapped-sae"}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_folder_above_names_its_saes(run, inspect, tmp_path, name):
    for inner in LAYOUTS[name]:
        shutil.copytree(FORMATS / INSIDE[name], tmp_path / "repo" / inner)
    (tmp_path / "repo/config.json").write_text('{"hookpoints": ["x"], "sae": {"k": 4}}')
    (tmp_path / "repo/README.md").write_text("words")
    for _ in range(2):
        assert_refused(inspect(tmp_path / "repo"), 66, f"but {len(LAYOUTS[name])} in folders below it", *LAYOUTS[name])
        assert inspect(tmp_path / "repo" / LAYOUTS[name][0]).code == 0
        done = run("inspect", tmp_path / "repo")
        assert done.code == 0 and "A folder of sparse autoencoders" in done.out
        assert all(f"\n  {inner}\n" in done.out for inner in LAYOUTS[name])
        (tmp_path / "repo/config.json").unlink(missing_ok=True)


def test_many_saes_are_counted(inspect, tmp_path):
    for i in range(40):
        (tmp_path / f"r/layers.{i}").mkdir(parents=True)
        (tmp_path / f"r/layers.{i}/sae.safetensors").touch()
    assert_refused(inspect(tmp_path / "r"), 66, "but 40 in folders below it: 'layers.0', 'layers.1', 'layers.10'", "...")


# ---- what was meant ----

def test_a_model_and_an_sae_that_changed_places_are_told_so(run, tmp_path):
    (tmp_path / "t.txt").write_text("a b\n")
    rest = ["-d", tmp_path / "t.txt", "--out", tmp_path / "run"]
    for sae in (FORMATS / "saelens-topk", FORMATS / "wrapped-sae", FORMATS / "saerch-named/4_32_256_auxk_epoch_50.pth", FORMATS):
        assert_refused(run("analyze", "-m", sae, "-s", FORMATS / "saelens-topk", *rest), 65 if sae.name == "wrapped-sae" else 66,
                       "this is a sparse autoencoder; give it with --sae")
    for model in (ENCODER, ENCODER / "model.safetensors"):
        assert_refused(run("analyze", "-m", ENCODER, "-s", model, *rest), 65, "a sentence encoder", "give it with --model")


@pytest.mark.parametrize("words", [["--calibration-rows", "20"], ["--batchtopk-threshold", ".125"], []])
def test_the_threshold_is_a_number(run, tmp_path, words):
    """The one that was found on the first rows or given is in run.json; an option has the value that was read, not its text."""
    np.save(tmp_path / "x.npy", np.random.default_rng(3).standard_normal((40, D)).astype("f4"))
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "--batchtopk", "threshold", *words, "--sae", FORMATS / "saelens-batchtopk",
               "--out", tmp_path / "run", "-n", "1k", "-q", "--keep-duplicates")
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "run/run.json").read_text("utf8"))
    threshold = manifest["sae"]["batchtopk_threshold"]
    assert f"a = h where h > {threshold:.9g}, else 0 (threshold" in manifest["sae"]["rule"]
    assert threshold == 0.125 if ".125" in words else threshold > 0
    given = {name: option["value"] for name, option in manifest["options"].items() if option["origin"] == "command line"}
    assert given["num-examples"] == 1000 and given["keep-duplicates"] is True and given["batchtopk"] == "threshold"
    assert all(isinstance(given[word[2:]], (int, float)) for word in words[:1])
    if words[:1] == ["--batchtopk-threshold"]:
        assert given["batchtopk-threshold"] == 0.125
    assert manifest["options"]["top-k"] == {"value": 10, "origin": "default"}


def test_a_rule_that_has_no_effect_is_told(run, tmp_path):
    x = np.random.default_rng(3).standard_normal((5, D)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    words = ["analyze", "--embeddings", tmp_path / "x.npy", "--batchtopk", "row-topk"]
    done = run(*words, "--sae", FORMATS / "saelens-topk", "--out", tmp_path / "a")
    assert done.code == 0 and "--batchtopk) has no effect: this SAE is a topk" in done.err
    done = run(*words, "--sae", FORMATS / "saelens-batchtopk", "--out", tmp_path / "b")
    assert done.code == 0 and "no effect" not in done.err
    done = run(*words[:3], "--sae", FORMATS / "dictionary-batchtopk-old", "--out", tmp_path / "c")
    assert_refused(done, 65, "stores no threshold", "to begin with: --batchtopk threshold")
