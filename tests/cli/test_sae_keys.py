"""Every key and tensor name of every format of SAEs: read, without a part in activations, or refused by name when it is set; a
name that no format has is warned of, and names that fit two formats are refused with the way out. keys.json has the keys of
each project's own classes (tools/make_sae_formats.py)."""
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers import assert_refused, write_safetensors, write_torch

FORMATS = Path(__file__).resolve().parents[1] / "data/sae/formats"
KEYS = json.loads((FORMATS / "keys.json").read_text())
D, L = 8, 32

# format in keys.json -> (a folder of it, its document, the object in that)
PLACES = {"saelens": ("saelens-standard", "cfg.json", None), "saelens-old": ("saelens-old-standard", "cfg.json", None),
          "saelens-scaler": ("scaled-standard", "activation_scaler.json", None), "sparsify": ("sparsify-topk", "cfg.json", None),
          "latent-sae": ("latent-topk", "cfg.json", None), "dictionary_learning": ("dictionary-topk-old", "config.json", "trainer"),
          "sentence-transformers": ("csr-normalize", "config.json", None), "seed": ("wrapped-sae", "config.json", None)}
KEYS["latent-sae"] = ["sae_type", "expansion_factor", "normalize_decoder", "num_latents", "k", "multi_topk", "d_in", "matryoshka_sizes",
                      "matryoshka_ks", "lista_eta", "lista_steps"]
KEYS["seed"] = ["seed", "batch_size", "lr", "num_examples", "num_tokens", "l1_coeff", "beta1", "beta2", "max_grad_norm", "seq_len",
                "dtype", "model_name", "site", "layer", "act_size", "dict_size", "device", "model_batch_size", "num_batches_in_buffer",
                "dataset_path", "wandb_project", "input_unit_norm", "perf_log_freq", "sae_type", "checkpoint_freq", "n_batches_to_dead",
                "top_k", "top_k_aux", "aux_penalty", "bandwidth", "hook_point", "name"]


def copy(format_name, tmp_path):
    name, document, inner = PLACES[format_name]
    folder = tmp_path / name
    shutil.copytree(FORMATS / name, folder, dirs_exist_ok=True)
    whole = json.loads((folder / document).read_text())
    return folder, folder / document, whole, whole[inner] if inner else whole


def rule(done):
    return next((line for line in done.out.splitlines() if line.strip().startswith("rule")), None)


@pytest.mark.parametrize("format_name", PLACES)
def test_keys_of_the_original_are_known(run, tmp_path, format_name):
    """null is what every loader takes for a key that is not given; what a document has stays."""
    folder, path, whole, part = copy(format_name, tmp_path)
    before = rule(run("inspect", "--as", "sae", folder))
    for key in KEYS[format_name]:
        part.setdefault(key, None)
    path.write_text(json.dumps(whole))
    done = run("inspect", "--as", "sae", folder)
    assert done.code == 0 and "not known" not in done.err, done.err
    assert rule(done) == before


@pytest.mark.parametrize("format_name", PLACES)
def test_other_keys_are_warned_of(run, tmp_path, format_name):
    folder, path, whole, part = copy(format_name, tmp_path)
    part["gate_by_mystery"] = True
    path.write_text(json.dumps(whole))
    done = run("inspect", "--as", "sae", folder)
    assert done.code == 0 and "warning" in done.err and "'gate_by_mystery' is not known" in done.err
    part.update({f"odd_{i}": i for i in range(9)})
    path.write_text(json.dumps(whole))
    err = run("inspect", "--as", "sae", folder).err
    assert "... are not known" in err and err.count("\n") == 1


# (format, key, value, words of the refusal)
CHANGES_THE_RULE = [
    ("sparsify", "signed", True, ["signed", "either sign"]),
    ("latent-sae", "signed", True, ["signed", "either sign"]),
    ("latent-sae", "transcode", True, ["transcode"]),
    ("latent-sae", "skip_connection", True, ["skip_connection"]),
    ("dictionary_learning", "apply_b_dec_to_input", True, ["apply_b_dec_to_input"]),
    ("saelens", "reshape_activations", "hook_z", ["hook_z"]),
    ("saelens-old", "hook_point", "blocks.3.attn.hook_z", ["hook_z"]),
    ("saelens-old", "hook_name", "blocks.3.attn.hook_z", ["hook_z"]),
    ("saelens-old", "activation_fn_kwargs", {"signed": True}, ["signed"]),
    ("saelens-old", "activation_fn", "tanh-relu", ["tanh-relu"]),
    ("saelens-scaler", "scaling_factor", 0, ["scaling_factor is 0"]),
    ("saelens-scaler", "scaling_factor", -2, ["scaling_factor is -2"]),
    ("saelens-scaler", "scaling_factor", "0.37", ["scaling_factor", "not a number"]),
    ("saelens-scaler", "has_whitening", "yes", ["has_whitening", "true or false"]),
]


@pytest.mark.parametrize("format_name, key, value, words", CHANGES_THE_RULE)
def test_keys_that_change_the_rule_are_refused(run, tmp_path, format_name, key, value, words):
    folder, path, whole, part = copy(format_name, tmp_path)
    part[key] = value
    path.write_text(json.dumps(whole))
    assert_refused(run("inspect", "--as", "sae", folder), 65, path.name, *words)
    if value is True:
        for off in (False, None):
            part[key] = off
            path.write_text(json.dumps(whole))
            assert run("inspect", "--as", "sae", folder).code == 0


def test_a_scale_beside_other_inputs_is_refused(run, tmp_path):
    for name, words in {"saelens-pursuit": ["matching_pursuit"], "saelens-transcoder": ["transcoder"],
                        "saelens-standard-ln": ["normalize_activations"]}.items():
        shutil.copytree(FORMATS / name, tmp_path / name)
        (tmp_path / name / "activation_scaler.json").write_text('{"scaling_factor": 0.5}')
        assert_refused(run("inspect", "--as", "sae", tmp_path / name), 65, "activation_scaler.json", "0.5", *words)
    shutil.copytree(FORMATS / "scaled-final", tmp_path / "white")
    write_safetensors(tmp_path / "white/activation_whitening.safetensors", {"mean": np.zeros(D)})
    assert_refused(run("inspect", "--as", "sae", tmp_path / "white"), 65, "activation_whitening.safetensors")
    (tmp_path / "white/activation_scaler.json").write_text('{"scaling_factor": null, "has_whitening": false}')
    assert run("inspect", "--as", "sae", tmp_path / "white").code == 0


def test_the_scale_is_a_file_of_the_run(run, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, D), "f4"))
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "--sae", FORMATS / "scaled-standard", "--out", tmp_path / "run")
    assert done.code == 0 and "warning" not in done.err, done.err
    files = json.dumps(json.loads((tmp_path / "run/run.json").read_text())["sae"]["files"])
    assert "activation_scaler.json" in files and "sae_weights.safetensors" in files
    shutil.copytree(FORMATS / "scaled-standard", tmp_path / "bare")
    (tmp_path / "bare/activation_scaler.json").unlink()
    done = run("inspect", "--as", "sae", tmp_path / "bare")
    assert done.code == 0 and "warning" in done.err and "expected_average_only_in" in done.err and "activation_scaler.json" in done.err


def vanilla(**more):
    return {"W_enc": np.ones((D, L)), "W_dec": np.ones((L, D)), "b_enc": np.zeros(L), "b_dec": np.zeros(D), **more}


@pytest.mark.parametrize("factor, flag, words", [(1.0, None, None), (2.0, True, "decoder alone"), (2.0, None, "scaling_factor"),
                                                (2.0, False, "scaling_factor")])
def test_factors_of_finetuning(run, tmp_path, factor, flag, words):
    config = {"d_in": D, "d_sae": L, "finetuning_scaling_factor": flag}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    write_safetensors(tmp_path / "sae_weights.safetensors", vanilla(scaling_factor=np.full(L, factor)))
    done = run("inspect", "--as", "sae", tmp_path)
    if factor != 1 and not flag:
        assert_refused(done, 65, words)
    else:
        assert done.code == 0 and (words is None or words in done.out)


def test_values_that_are_not_understood_are_refused_by_name(run, tmp_path):
    config = {"input_dim": D, "m_total_neurons": L, "k_active_neurons": 3, "use_batch_topk": False}
    state = {"encoder.weight": np.ones((L, D)), "decoder.weight": np.ones((D, L)), "input_bias": np.zeros(D),
             "neuron_bias": np.zeros(L), "threshold": np.array(0.5)}
    odd = [[3], (3, 4), {"a": 1}, b"3", "three", 3.5, {1, 2}, 1 + 2j, 10**30, "x" * 3000]
    for key, value in itertools.product(config, odd):
        write_torch(tmp_path / "s.pt", {"config": dict(config, **{key: value}), "state_dict": state})
        assert_refused_or_true(run("inspect", "--as", "sae", tmp_path / "s.pt"), key, value)
    prebias = {"pre_bias": np.zeros(D), "latent_bias": np.zeros(L), "encoder.weight": np.ones((L, D)), "decoder.weight": np.ones((D, L))}
    for value in odd:
        write_torch(tmp_path / "5.pt", dict(prebias, activation="TopK", activation_state_dict={"k": value}))
        assert_refused(run("inspect", "--as", "sae", tmp_path / "5.pt"), 65, "activation_state_dict/k")
        write_torch(tmp_path / "5.pt", dict(prebias, activation=value))
        assert_refused(run("inspect", "--as", "sae", tmp_path / "5.pt"), 65, "activation")
        write_torch(tmp_path / "ae.pt", {"norm_factor": value, "ae": {
            "bias": np.zeros(D), "encoder.weight": np.ones((L, D)), "encoder.bias": np.zeros(L), "decoder.weight": np.ones((D, L))}})
        assert_refused(run("inspect", "--as", "sae", tmp_path / "ae.pt"), 65, "norm_factor")


def assert_refused_or_true(done, key, value):
    if key == "use_batch_topk" and value == 3.5:
        assert done.code == 0 and "batch_topk" in done.out  # as Python takes it
    else:
        assert_refused(done, 65, key)


def test_values_that_are_not_known_are_warned_of(run, tmp_path):
    config = {"input_dim": D, "m_total_neurons": L, "k_active_neurons": 3, "use_batch_topk": False, "mystery": 2, "prefix_lengths": [4]}
    state = {"encoder.weight": np.ones((L, D)), "decoder.weight": np.ones((D, L)), "input_bias": np.zeros(D),
             "neuron_bias": np.zeros(L), "threshold": np.array(0.5)}
    write_torch(tmp_path / "s.pt", {"config": config, "state_dict": state})
    done = run("inspect", "--as", "sae", tmp_path / "s.pt")
    assert done.code == 0 and "value 'config/mystery' is not known" in done.err
    assert set(KEYS["hypothesaes"]) <= {"mystery", "aux_k", "multi_k", "dead_neuron_threshold_steps", *config}


# ---- names of tensors ----

LINEAR = {"encoder.weight": (L, D), "decoder.weight": (D, L)}
PLAIN = {"W_enc": (D, L), "W_dec": (L, D), "b_enc": (L,), "b_dec": (D,)}
PREBIAS = {**LINEAR, "pre_bias": (D,), "latent_bias": (L,)}
# What a lone file of each form holds, and what is said of it: (code, words)
LONE = {
    "AutoEncoder": ({**LINEAR, "encoder.bias": (L,), "bias": (D,)}, 0, ["AutoEncoder"]),
    "AutoEncoderNew": ({**LINEAR, "encoder.bias": (L,), "decoder.bias": (D,)}, 65, ["AutoEncoderNew", "--sae-format"]),
    "GatedAutoEncoder": ({**LINEAR, "gate_bias": (L,), "mag_bias": (L,), "r_mag": (L,), "decoder_bias": (D,)}, 0, ["GatedAutoEncoder"]),
    "AutoEncoderTopK": ({**LINEAR, "encoder.bias": (L,), "b_dec": (D,), "k": (), "threshold": ()}, 65,
                        ["AutoEncoderTopK", "BatchTopKSAE", "config.json"]),
    "AutoEncoderTopK of 2024": ({**LINEAR, "encoder.bias": (L,), "b_dec": (D,)}, 65, ["AutoEncoderTopK", "config.json"]),
    "JumpReluAutoEncoder": ({**PLAIN, "threshold": (L,)}, 65, ["JumpReluAutoEncoder", "other projects"]),
    "MatryoshkaBatchTopKSAE": ({**PLAIN, "k": (), "threshold": (), "group_sizes": (1,)}, 0, ["MatryoshkaBatchTopKSAE"]),
    "saerch": (PREBIAS, 64, ["--sae-top-k"]),
    "openai": ({**PREBIAS, "stats_last_nonzero": (L,), "latents_activation_frequency": (L,), "latents_mean_square": (L,)}, 0, ["openai"]),
    "CSR": ({"encoder.weight": (L, D), "pre_bias": (D,), "latent_bias": (L,), "stats_last_nonzero": (L,)}, 65, ["CSR_Adaptive_Rep"]),
    "hypothesaes": ({**LINEAR, "input_bias": (D,), "neuron_bias": (L,), "threshold": ()}, 65, ["config/input_dim"]),
    "Gemma Scope 2": ({"w_enc": (D, L), "w_dec": (L, D), "b_enc": (L,), "b_dec": (D,), "threshold": (L,)}, 0, ["gemma-scope"]),
    "Goodfire": ({"encoder_linear.weight": (L, D), "decoder_linear.weight": (D, L)}, 65, ["Goodfire"]),
    "Llama Scope": ({**LINEAR, "encoder.bias": (L,), "decoder.bias": (D,), "jump_relu_threshold": (L,)}, 65, ["Llama Scope"]),
    "seed": (PLAIN, 65, ["saes-for-sbert", "saelens", "config.json", "--sae-format"]),
    "sparsify": ({"encoder.weight": (L, D), "encoder.bias": (L,), "W_dec": (L, D), "b_dec": (D,)}, 65, ["sparsify and latent-sae", "cfg.json"]),
}


def arrays(shapes, prefix=""):
    special = {"k": 3, "group_sizes": L, "threshold": 0.5}
    return {prefix + name: np.full(shape, special.get(name, 0.25)) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", LONE)
def test_a_lone_file(run, tmp_path, name):
    shapes, code, words = LONE[name]
    write_torch(tmp_path / "x.pt", arrays(shapes))
    done = run("inspect", "--as", "sae", tmp_path / "x.pt")
    if code == 0:
        assert done.code == 0 and all(word in done.out for word in words), done.err + done.out
    else:
        assert_refused(done, code, "x.pt", *words)


def test_names_of_two_formats_together_are_refused_or_warned_of(run, tmp_path):
    """All pairs, in one file under the same names: no rule is taken from one without a word about the other's tensors."""
    for (a, (first, *_)), (b, (second, *_)) in itertools.combinations(LONE.items(), 2):
        both = {**first, **second}
        if both in (first, second):
            continue  # one is a part of the other, and its names alone tell nothing
        write_torch(tmp_path / "x.pt", arrays(both))
        done = run("inspect", "--as", "sae", tmp_path / "x.pt")
        assert done.code in (64, 65) or "not known" in done.err, f"{a} and {b}: {done.out}"


def test_two_saes_in_a_file_are_listed(run, tmp_path):
    """All pairs, under prefixes of their own."""
    for (a, (first, *_)), (b, (second, *_)) in itertools.combinations_with_replacement(LONE.items(), 2):
        write_torch(tmp_path / "x.pt", {**arrays(first, "first."), **{"second": arrays(second)}})
        assert_refused(run("inspect", "--as", "sae", tmp_path / "x.pt"), 65, "2 SAEs or more", "'first.", "'second/")


def test_one_format_may_be_named(run, tmp_path):
    write_torch(tmp_path / "x.pt", arrays(LONE["AutoEncoderNew"][0]))
    done = run("inspect", "--as", "sae", tmp_path / "x.pt", "--sae-format", "dictionary_learning")
    assert done.code == 0 and "AutoEncoderNew" in done.out and done.err == ""
    write_torch(tmp_path / "x.pt", {**arrays(LONE["AutoEncoderNew"][0]), "activation_mean": np.zeros(D)})
    assert_refused(run("inspect", "--as", "sae", tmp_path / "x.pt"), 65, "'activation_mean'", "--sae-format")
    done = run("inspect", "--as", "sae", tmp_path / "x.pt", "--sae-format", "dictionary_learning")
    assert done.code == 0 and "tensor 'activation_mean' is not known" in done.err


@pytest.mark.parametrize("name", ["saelens-standard", "sparsify-topk", "latent-topk", "csr-normalize"])
def test_a_tensor_that_no_format_has_is_warned_of(run, tmp_path, name):
    from helpers import read_safetensors
    shutil.copytree(FORMATS / name, tmp_path / name)
    path = next((tmp_path / name).glob("*.safetensors"))
    header, data = read_safetensors(path)
    tensors = {key: np.frombuffer(data[slice(*value["data_offsets"])], "<f4").reshape(value["shape"]) for key, value in header.items()
               if key != "__metadata__" and value["dtype"] == "F32"}
    write_safetensors(path, {**tensors, "input_scale": np.ones(D, "f4")})
    done = run("inspect", "--as", "sae", tmp_path / name)
    assert done.code == 0 and "tensor 'input_scale' is not known" in done.err


def test_a_missing_tensor_names_one_that_is_there(run, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"sae_type": "vanilla", "act_size": D, "dict_size": L}))
    write_torch(tmp_path / "sae.pt", {"a": {"W_enc": np.ones((D, L)), "W_dec": np.ones((L, D))}, "b": {"b_enc": np.zeros(L)}})
    assert_refused(run("inspect", tmp_path), 65, "'a/b_enc' is missing", "'a/W_dec'")
