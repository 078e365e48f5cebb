#!/usr/bin/env python3
"""Small SAEs in every format that is read, with what they answer, for tests/unit/test_sae_formats.c.

    make_sae_formats.py tests/data/sae/formats [NAME...]       with names: only those, beside what is there

Needs torch, sae-lens, eai-sparsify, dictionary-learning, hypothesaes and sentence-transformers. Files and answers come from
each project's own classes, run in float64 on the weights as stored: SAELens, sparsify, dictionary_learning, HypotheSAEs,
sentence-transformers. saerch, openai and latent-sae are not packaged: their files and arithmetic are written out here
(functions named arithmetic_*), as is that of Gemma Scope. A folder holds the checkpoint and expected.txt in the form of
make_tiny_saes.py. No answer changes when inputs move by 1e-5 of their size, so a correct fp32 program gives the same
features.
"""
import ast
import glob
import importlib.util
import json
import os
import shutil
import sys
import types
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

warnings.simplefilter("ignore")
out, only = sys.argv[1], sys.argv[2:]
ROWS, D, L, K = 9, 8, 32, 4
NOISE = 1e-5


def bare_package(name):
    """A package without its __init__, which would import what these classes do not need."""
    if only and importlib.util.find_spec(name) is None:
        return
    folder = importlib.util.find_spec(name).submodule_search_locations
    module = types.ModuleType(name)
    module.__path__ = list(folder)
    sys.modules[name] = module


def write_answer(path, x, a):
    with open(path, "w") as f:
        print(*x.shape, file=f)
        for row in x:
            print(*(float(v).hex() for v in row), file=f)
        for row in a:
            fires = [(i, v) for i, v in enumerate(row.tolist()) if v > 0]
            print(len(fires), *(f"{i} {v.hex()}" for i, v in fires), file=f)


def rows(generator):
    x = torch.randn(ROWS, D, generator=generator)
    x[1] = -x[0]
    x[2] *= 0.1
    return x


def steady(encode, x, a, generator):
    for _ in range(4):
        moved = x.double() * (1 + NOISE * torch.randn(x.shape, generator=generator).double())
        if not torch.equal(encode(moved) > 0, a > 0):
            return False
    return True


def make(name, build):
    """build(folder, generator) writes a checkpoint and returns encode: float64 [N, D] -> [N, L]."""
    if only and name not in only:
        return
    folder = os.path.join(out, name)
    for seed in range(300):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        generator = torch.Generator().manual_seed(1000 + seed)
        torch.manual_seed(seed)
        with torch.no_grad():
            encode = build(folder, generator)
            x = rows(generator)
            a = encode(x.double())
            if torch.isfinite(a).all() and (a > 0).any() and steady(encode, x, a, generator):
                write_answer(os.path.join(folder, "expected.txt"), x, a)
                print(f"{name}: seed {seed}, {(a > 0).sum().item() / ROWS:.2f} features a row")
                return
    raise SystemExit(f"{name}: no seed keeps clear of the thresholds")


def randomize(module, generator, **scales):
    for name, parameter in module.named_parameters():
        scale = scales.get(name, 1 / D ** 0.5 if parameter.ndim == 2 else 0.2)
        parameter.data = (torch.randn(parameter.shape, generator=generator) * scale).to(parameter.dtype)


# ---- SAELens ----

def saelens(architecture, training=False, change=None, old=None, **settings):
    def build(folder, generator):
        from sae_lens import SAE
        from sae_lens.registry import get_sae_class, get_sae_training_class
        sae_class, config_class = (get_sae_training_class if training else get_sae_class)(architecture)
        settings.setdefault("apply_b_dec_to_input", "transcoder" not in architecture)
        config = config_class(d_in=D, d_sae=L, **settings)
        config.metadata.model_name = "tiny/encoder"
        sae = sae_class(config)
        randomize(sae, generator, r_mag=0.3)
        if hasattr(sae, "threshold"):
            sae.threshold.data = torch.randn(L, generator=generator) * 0.5 + 0.3
        if change is not None:
            change(sae)
        sae.save_model(folder)
        loaded_from = folder
        if training:  # what the project makes of it for use
            loaded_from = folder + "-use"
            sae.save_inference_model(loaded_from)
        if old is not None:
            rewrite_as_old(folder, old)
        loaded = SAE.load_from_disk(loaded_from)
        if training:
            shutil.rmtree(loaded_from)
        return loaded.to(dtype=torch.float64).encode
    return build


def rewrite_as_old(folder, old):
    """The config as versions before 6 wrote it."""
    path = os.path.join(folder, "cfg.json")
    config = json.load(open(path))
    flat = {key: config[key] for key in ("d_in", "d_sae", "dtype", "device", "apply_b_dec_to_input")}
    flat.update(model_name="tiny/encoder", hook_point="blocks.0.hook_resid_pre", hook_point_layer=0,
                prepend_bos=True, context_size=128, **old)
    json.dump(flat, open(path, "w"), indent=2)


def set_threshold(value):
    def change(sae):
        sae.topk_threshold = torch.tensor(value, dtype=torch.double)
    return change


def half(sae):
    for parameter in sae.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)


def make_saelens():
    make("saelens-standard", saelens("standard"))
    make("saelens-standard-ln", saelens("standard", normalize_activations="layer_norm", apply_b_dec_to_input=False))
    make("saelens-standard-bf16", saelens("standard", change=half))
    make("saelens-topk", saelens("topk", k=K))
    make("saelens-topk-rescale", saelens("topk", k=K, rescale_acts_by_decoder_norm=True))
    make("saelens-jumprelu", saelens("jumprelu", apply_b_dec_to_input=False))
    make("saelens-jumprelu-scaled", saelens("jumprelu", normalize_activations="constant_norm_rescale"))
    make("saelens-gated", saelens("gated"))
    make("saelens-batchtopk", saelens("batchtopk", training=True, k=K + 0.5, change=set_threshold(0.7)))
    make("saelens-matryoshka", saelens("matryoshka_batchtopk", training=True, k=K, matryoshka_widths=[8, 20, L],
                                       rescale_acts_by_decoder_norm=True, change=set_threshold(0.4)))
    make("saelens-pursuit", saelens("matching_pursuit", residual_threshold=0.3))
    make("saelens-pursuit-short", saelens("matching_pursuit", residual_threshold=0.0, max_iterations=5,
                                          stop_on_duplicate_support=False, apply_b_dec_to_input=False))
    make("saelens-transcoder", saelens("transcoder", d_out=7))
    make("saelens-skip-transcoder", saelens("skip_transcoder", d_out=D))
    make("saelens-jumprelu-transcoder", saelens("jumprelu_transcoder", d_out=9))
    make("saelens-jumprelu-skip", saelens("jumprelu_skip_transcoder", d_out=5))
    make("saelens-old-topk", saelens("topk", k=K, old={"architecture": "standard", "activation_fn_str": "topk",
                                                       "activation_fn_kwargs": {"k": K}, "normalize_activations": "none"}))
    make("saelens-old-standard", saelens("standard", old={"normalize_activations": False}))
    make("saelens-old-gated", saelens("gated", old={"architecture": "gated", "sae_lens_version": "5.9.1",
                                                    "activation_fn_str": "relu", "normalize_activations": "layer_norm"},
                                      normalize_activations="layer_norm"))


def arithmetic_gemma(folder, generator):
    random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    w = {"W_enc": random(D, L) / D ** 0.5, "W_dec": random(L, D), "b_enc": random(L) * 0.2, "b_dec": random(D),
         "threshold": random(L).abs() * 0.5}
    np.savez(os.path.join(folder, "params.npz"), **{key: value.numpy() for key, value in w.items()})

    def encode(x):
        h = x @ w["W_enc"].double() + w["b_enc"].double()
        return torch.relu(h) * (h > w["threshold"].double())
    return encode


# ---- sparsify ----

def dense(encoder_output, features=L):
    def encode(x):
        acts, indices, *_ = encoder_output(x)
        return torch.zeros(len(x), features, dtype=acts.dtype).scatter_(-1, indices, acts)
    return encode


def sparsify(**settings):
    def build(folder, generator):
        from sparsify.config import SparseCoderConfig
        from sparsify.sparse_coder import SparseCoder
        sae = SparseCoder(D, SparseCoderConfig(k=K, **settings))
        randomize(sae, generator)
        sae.save_to_disk(folder)
        return dense(SparseCoder.load_from_disk(folder).double().encode, sae.num_latents)
    return build


# ---- dictionary_learning ----

def dictionary(module, name, arguments=(), change=None, checkpoint=False, wrapped=False, with_config=True):
    def build(folder, generator):
        dict_class = getattr(importlib.import_module("dictionary_learning." + module), name)
        sae = dict_class(D, L, *arguments)
        randomize(sae, generator, r_mag=0.3)
        if hasattr(sae, "threshold"):
            sae.threshold.data = torch.tensor(0.6)
        if name == "JumpReluAutoEncoder":
            sae.threshold.data = torch.randn(L, generator=generator).abs() * 0.5
        if change is not None:
            change(sae)
        state = sae.state_dict()
        path = os.path.join(folder, "checkpoints/ae_700.pt" if checkpoint else "ae.pt")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        optimizer = torch.optim.Adam(sae.parameters())
        torch.save({"step": 7, "ae": state, "optimizer": optimizer.state_dict()} if wrapped else state, path)
        if with_config:
            trainer = {"trainer_class": "Trainer", "dict_class": name, "activation_dim": D, "dict_size": L, "lr": 1e-4,
                       "layer": 3, "lm_name": "tiny/encoder", "wandb_name": "x", "submodule_name": None}
            if arguments:
                trainer["k"] = arguments[0]
            json.dump({"trainer": trainer, "buffer": {"d_submodule": D}}, open(os.path.join(folder, "config.json"), "w"), indent=4)
        plain = path if not wrapped else os.path.join(folder, "plain.pt")
        if wrapped:
            torch.save(state, plain)
        loaded = dict_class.from_pretrained(plain)
        if wrapped:
            os.remove(plain)
        return loaded.double().encode
    return build


def unit_norms(sae):
    sae.decoder.weight.data /= sae.decoder.weight.data.norm(dim=0)


def untrained(sae):
    sae.threshold.data = torch.tensor(-1.0)


def make_dictionary():
    bare_package("dictionary_learning")
    bare_package("dictionary_learning.trainers")
    make("dictionary-standard", dictionary("dictionary", "AutoEncoder"))
    make("dictionary-standard-unit", dictionary("dictionary", "AutoEncoder", change=unit_norms, with_config=False))
    make("dictionary-new", dictionary("dictionary", "AutoEncoderNew"))
    make("dictionary-gated", dictionary("dictionary", "GatedAutoEncoder", with_config=False))
    make("dictionary-jumprelu", dictionary("dictionary", "JumpReluAutoEncoder"))
    make("dictionary-topk", dictionary("trainers.top_k", "AutoEncoderTopK", (K,), wrapped=True))
    make("dictionary-batchtopk", dictionary("trainers.batch_top_k", "BatchTopKSAE", (K,), checkpoint=True))
    make("dictionary-untrained", dictionary("trainers.batch_top_k", "BatchTopKSAE", (K,), change=untrained))
    make("dictionary-matryoshka", dictionary("trainers.matryoshka_batch_top_k", "MatryoshkaBatchTopKSAE", (K, [10, 22]),
                                             with_config=False))


# ---- saerch, openai, CSR ----

def prebias_state(generator, features=L):
    random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return {"pre_bias": random(D) * 0.3, "latent_bias": random(features) * 0.2,
            "encoder.weight": random(features, D) / D ** 0.5, "decoder.weight": random(D, features)}


def keep_largest(h, k):
    values, indices = h.topk(k, dim=-1)
    return torch.zeros_like(h).scatter_(-1, indices, torch.relu(values))


def layer_norm(x):
    x = x - x.mean(dim=-1, keepdim=True)
    return x / (x.std(dim=-1, keepdim=True) + 1e-5)


def arithmetic_saerch(name, k):
    def build(folder, generator):
        w = prebias_state(generator)
        torch.save(w, os.path.join(folder, name))
        return lambda x: keep_largest((x - w["pre_bias"]) @ w["encoder.weight"].double().T + w["latent_bias"], k)
    return build


def arithmetic_openai(activation, tied=False):
    def build(folder, generator):
        w = prebias_state(generator)
        if tied:
            del w["decoder.weight"]
            w["decoder.linear.weight"] = w["encoder.weight"]
        state = dict(w, stats_last_nonzero=torch.arange(L), latents_activation_frequency=torch.ones(L),
                     latents_mean_square=torch.zeros(L))
        if activation is not None:
            state["activation"] = activation
            state["activation_state_dict"] = {"k": K, "postact_fn": "ReLU"} if activation == "TopK" else {}
        torch.save(state, os.path.join(folder, "5.pt"))

        def encode(x):
            x = layer_norm(x) if activation == "TopK" else x
            h = (x - w["pre_bias"]) @ w["encoder.weight"].double().T + w["latent_bias"]
            return keep_largest(h, K) if activation == "TopK" else torch.relu(h)
        return encode
    return build


def csr(normalize, safe, wrapped):
    def build(folder, generator):
        from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder
        module = SparseAutoEncoder(input_dim=D, hidden_dim=L, k=K, k_aux=8, normalize=normalize)
        randomize(module, generator)
        inner = os.path.join(folder, "2_SparseAutoEncoder") if wrapped else folder
        os.makedirs(inner, exist_ok=True)
        module.save(inner, safe_serialization=safe)
        if wrapped:
            kind = "sentence_transformers.sparse_encoder.modules.sparse_auto_encoder.SparseAutoEncoder"
            json.dump([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                       {"idx": 2, "name": "2", "path": "2_SparseAutoEncoder", "type": kind}],
                      open(os.path.join(folder, "modules.json"), "w"))
        loaded = SparseAutoEncoder.load(inner).double().eval()

        def encode(x):
            with torch.inference_mode():
                return loaded({"sentence_embedding": x})["sentence_embedding"].clone()
        return encode
    return build


# ---- HypotheSAEs ----

def hypothesaes(name, **settings):
    def build(folder, generator):
        from hypothesaes.sae import SparseAutoencoder, load_model
        sae = SparseAutoencoder(D, L, K, device="cpu", **settings)
        randomize(sae, generator)
        sae.threshold.data = torch.tensor(0.5)
        path = os.path.join(folder, name)
        sae.save(path)
        loaded = load_model(path, device="cpu").double().eval()
        return lambda x: loaded(x)[1]["activations"]
    return build


# ---- latent-sae ----

def arithmetic_latent(kind, k=K, **settings):
    """b_dec is always subtracted; see each kind below. Where fewer than 4 k features are positive, the original's choice of
    zeros among the candidates of LISTA depends on the order that topk leaves equal values in: its k here is small."""
    def build(folder, generator):
        random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        w = {"W_dec": random(L, D) / D ** 0.5, "b_dec": random(D) * 0.3}
        first = "W_gate" if kind == "GATED" else "encoder"
        w[first + ".weight"], w[first + ".bias"] = random(L, D) / D ** 0.5, random(L) * 0.2
        if kind == "GATED":
            w["W_mag.weight"], w["r_mag"] = random(L, D) / D ** 0.5, random(L) * 0.3
        if kind == "JUMPRELU":
            w["log_threshold"] = random(L) * 0.5 - 1
        if kind == "BATCHTOPK":
            w["batchtopk_threshold"] = torch.tensor(0.45)
        config = {"sae_type": kind, "expansion_factor": 32, "normalize_decoder": True, "num_latents": L, "k": k,
                  "multi_topk": False, "d_in": D, **settings}
        if kind is None:
            del config["sae_type"]
        json.dump(config, open(os.path.join(folder, "cfg.json"), "w"))
        save_file(w, os.path.join(folder, "sae.safetensors"))
        w = {key: value.double() for key, value in w.items()}

        def inhibit(values, indices):
            chosen = w["W_dec"][indices]
            products = chosen @ chosen.transpose(-1, -2)
            products.diagonal(dim1=-2, dim2=-1).zero_()
            return torch.relu(values - settings["lista_eta"] * (products @ values.unsqueeze(-1)).squeeze(-1))

        def encode(x):
            u = x - w["b_dec"]
            h = u @ w[first + ".weight"].T + w[first + ".bias"]
            if kind == "GATED":
                gates, indices = h.topk(k, dim=-1)
                sizes = (u @ w["W_mag.weight"].T * w["r_mag"].exp()).gather(-1, indices)
                return torch.zeros_like(h).scatter_(-1, indices, torch.relu(sizes * torch.sigmoid(gates)))
            if kind == "JUMPRELU":
                return keep_largest(h * (h > w["log_threshold"].exp()), min(4 * k, L))
            if kind == "BATCHTOPK":
                return keep_largest(torch.where(torch.relu(h) >= w["batchtopk_threshold"], h, 0), k)
            if kind == "LISTA":
                pre = torch.relu(h)
                for _ in range(settings["lista_steps"]):
                    values, indices = pre.topk(4 * k, dim=-1)
                    values = inhibit(values, indices)
                    pre = pre.scatter(-1, indices, values)
                return keep_largest(torch.zeros_like(h).scatter_(-1, indices, values), k)
            return keep_largest(h, 6 if kind == "MATRYOSHKA" else k)
        return encode
    return build


# ---- the keys that each project writes and reads ----

def sources(package, pattern):
    folder = importlib.util.find_spec(package).submodule_search_locations[0]
    for path in sorted(glob.glob(os.path.join(folder, pattern), recursive=True)):
        yield ast.parse(open(path).read())


def fields(package, pattern, is_class):
    """Fields of dataclasses and constant lists, read without running the packages."""
    found = set()
    for tree in sources(package, pattern):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and is_class(node.name):
                found |= {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
    return found


def texts_of(package, pattern, is_it):
    """Texts in the nodes that is_it picks."""
    found = set()
    for tree in sources(package, pattern):
        for node in ast.walk(tree):
            if is_it(node):
                found |= {item.value for item in ast.walk(node) if isinstance(item, ast.Constant) and isinstance(item.value, str)}
    return found


def keys_in(package, pattern, function):
    """Keys of the dictionaries in functions of that name."""
    found = set()
    for tree in sources(package, pattern):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == function:
                for item in ast.walk(node):
                    if isinstance(item, ast.Dict):
                        found |= {key.value for key in item.keys if isinstance(key, ast.Constant)}
    return found


def names_target(*names):
    def is_it(node):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        return any(isinstance(target, ast.Name) and target.id in names for target in targets)
    return is_it


def make_keys():
    metadata = texts_of("sae_lens", "loading/pretrained_sae_loaders.py", names_target("LLM_METADATA_KEYS"))
    old = texts_of("sae_lens", "loading/pretrained_sae_loaders.py",
                   lambda node: isinstance(node, ast.FunctionDef) and node.name == "handle_pre_6_0_config")
    old = {key for key in old if key.isidentifier()} - {"none", "hook_z", "relu", "topk", "standard", "cpu", "expected_average_only_in"}
    keys = {
        "saelens": fields("sae_lens", "saes/*.py", lambda name: name.endswith(("SAEConfig", "TranscoderConfig")) and "Temporal" not in name) | {"architecture"},
        "saelens-old": metadata | old,
        "saelens-scaler": keys_in("sae_lens", "training/activation_scaler.py", "save"),
        "sparsify": fields("sparsify", "config.py", lambda name: name == "SparseCoderConfig") | {"d_in"},
        "dictionary_learning": keys_in("dictionary_learning", "trainers/*.py", "config"),
        "hypothesaes": keys_in("hypothesaes", "sae.py", "save"),
        "sentence-transformers": texts_of("sentence_transformers", "sparse_encoder/modules/sparse_auto_encoder.py",
                                          names_target("config_keys"))}
    keys["hypothesaes"] -= {"config", "state_dict"}
    keys["saelens-scaler"] -= {"mean", "matrix", "inverse_matrix"}
    json.dump({name: sorted(found) for name, found in keys.items()}, open(os.path.join(out, "keys.json"), "w"), indent=1)


# ---- checkpoints as trainings and older versions left them ----

SCALE = 0.37


def scaled_checkpoint(architecture, normalize="expected_average_only_in", factor=SCALE, apply_b_dec=True, rescale=False):
    """SAELens before the end of a training: the inputs of encode are multiplied by the factor of activation_scaler.json."""
    def build(folder, generator):
        random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        w = {"W_enc": random(D, L) / D ** 0.5 / SCALE, "W_dec": random(L, D), "b_enc": random(L) * 0.2, "b_dec": random(D) * 0.3}
        if architecture == "jumprelu":
            w["threshold"] = random(L) * 0.5 + 0.3
        if architecture == "gated":
            del w["b_enc"]
            w.update(b_gate=random(L) * 0.2, b_mag=random(L) * 0.2, r_mag=random(L) * 0.3)
        if architecture == "batchtopk":
            w["topk_threshold"] = torch.tensor(0.6, dtype=torch.double)
        config = {"architecture": architecture, "d_in": D, "d_sae": L, "dtype": "float32", "device": "cpu", "k": K,
                  "apply_b_dec_to_input": apply_b_dec, "normalize_activations": normalize, "reshape_activations": "none",
                  "rescale_acts_by_decoder_norm": rescale, "metadata": {"sae_lens_version": "6.18.0"}}
        json.dump(config, open(os.path.join(folder, "cfg.json"), "w"))
        json.dump({"scaling_factor": factor}, open(os.path.join(folder, "activation_scaler.json"), "w"))
        save_file(w, os.path.join(folder, "sae_weights.safetensors"))
        w = {key: value.double() for key, value in w.items()}

        def encode(x):
            x = x * (1 if factor is None else factor) - (w["b_dec"] if apply_b_dec else 0)
            if architecture == "gated":
                u = x @ w["W_enc"]
                return (u + w["b_gate"] > 0) * torch.relu(u * w["r_mag"].exp() + w["b_mag"])
            h = (x @ w["W_enc"] + w["b_enc"]) * (w["W_dec"].norm(dim=1) if rescale else 1)
            if architecture == "topk":
                return keep_largest(h, K)
            if architecture in ("jumprelu", "batchtopk"):
                return torch.relu(h) * (h > w["threshold" if architecture == "jumprelu" else "topk_threshold"])
            return torch.relu(h)
        return encode
    return build


def old_dictionary(dict_class, stored=(), k_in_config=K, change=lambda state: state):
    """dictionary_learning of 2024: h = relu(W (x - b_dec) + b); k and threshold may be nowhere in the file."""
    def build(folder, generator):
        random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        w, b, decoder, b_dec = random(L, D) / D ** 0.5, random(L) * 0.2, random(D, L), random(D) * 0.3
        if "oshka" in dict_class or "yshka" in dict_class:
            state = {"W_enc": w.T.contiguous(), "b_enc": b, "W_dec": decoder.T.contiguous(), "b_dec": b_dec}
        else:
            state = {"encoder.weight": w, "encoder.bias": b, "decoder.weight": decoder, "b_dec": b_dec}
        parts = {"k": torch.tensor(K), "threshold": torch.tensor(0.5), "group_sizes": torch.tensor([10, 22]),
                 "group_indices": torch.tensor([0, 10, 32])}
        state.update({name: parts[name] for name in stored})
        torch.save(change(state), os.path.join(folder, "ae.pt"))
        trainer = {"trainer_class": "Trainer", "dict_class": dict_class, "activation_dim": D, "dict_size": L, "lm_name": "tiny/encoder",
                   "layer": 3, "lr": 1e-4, "k": k_in_config, "wandb_name": "x", "submodule_name": None}
        json.dump({"trainer": trainer, "buffer": {"d_submodule": D}}, open(os.path.join(folder, "config.json"), "w"), indent=4)

        def encode(x):
            h = torch.relu((x - b_dec) @ w.double().T + b)
            return h * (h > 0.5) if "threshold" in stored or dict_class == "BatchTopKSAE" else keep_largest(h, K)
        return encode
    return build


def wrapped(path):
    """The four tensors of a vanilla SAE under a prefix or in dictionaries: relu((x - b_dec) W_enc + b_enc)."""
    def build(folder, generator):
        random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        w = {"W_enc": random(D, L) / D ** 0.5, "W_dec": random(L, D), "b_enc": random(L) * 0.2, "b_dec": random(D) * 0.3}
        *keys, prefix = path.split("/")
        state = {prefix + name: value for name, value in w.items()}
        for key in reversed(keys):
            state = {key: state, "step": 3, "optimizer": {"state": {0: {"exp_avg": random(D, L)}}}}
        torch.save(state, os.path.join(folder, "sae.pt"))
        json.dump({"sae_type": "vanilla", "act_size": D, "dict_size": L, "dtype": "torch.float32"},
                  open(os.path.join(folder, "config.json"), "w"))
        return lambda x: torch.relu((x - w["b_dec"]) @ w["W_enc"].double() + w["b_enc"])
    return build


WRAPPED = {"sae": "sae.", "model": "model.", "twice": "module.module.", "compiled": "_orig_mod._orig_mod.", "in-sae": "sae/",
           "in-state": "sae_state_dict/", "deep": "model/state_dict/_orig_mod.", "ema": "ema/module.", "attribute": "net.autoencoder.",
           "lightning": "state_dict/model.sae."}


def arithmetic_gemma_small(name, widths=(D,)):
    def build(folder, generator):
        random = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        w = {"w_enc": random(D, L) / D ** 0.5, "w_dec": random(L, widths[0]), "b_enc": random(L) * 0.2, "b_dec": random(widths[0]),
             "threshold": random(L).abs() * 0.5}
        if name.endswith("npz"):
            np.savez(os.path.join(folder, name), meta=np.array([{"layer": 3}], dtype=object), ids=np.array(["a"]),
                     scaling_factor=np.ones(L, "f4"), **{key: value.numpy() for key, value in w.items()})
        else:
            save_file(dict(w, affine_skip_connection=random(D, widths[0])), os.path.join(folder, name))
            json.dump({"architecture": "jump_relu", "width": L, "l0": 9, "model_name": "tiny/encoder", "affine_connection": True,
                       "hf_hook_point_in": "model.layers.3.output"}, open(os.path.join(folder, "config.json"), "w"))

        def encode(x):
            h = x @ w["w_enc"].double() + w["b_enc"].double()
            return torch.relu(h) * (h > w["threshold"].double())
        return encode
    return build


def numpy_values(name, values):
    """A file of HypotheSAEs or openai whose config holds numpy's numbers or tensors of one."""
    def build(folder, generator):
        w = prebias_state(generator)
        if name.startswith("SAE"):
            state = {"encoder.weight": w["encoder.weight"], "decoder.weight": w["decoder.weight"], "input_bias": w["pre_bias"],
                     "neuron_bias": w["latent_bias"], "threshold": torch.tensor(0.6)}
            torch.save({"config": values, "state_dict": state}, os.path.join(folder, name))
        else:
            torch.save(dict(w, activation="TopK", activation_state_dict=values), os.path.join(folder, name))

        def encode(x):
            x = x if name.startswith("SAE") else layer_norm(x)
            h = (x - w["pre_bias"]) @ w["encoder.weight"].double().T + w["latent_bias"]
            return torch.relu(h) * (h > 0.6) if values.get("use_batch_topk") else keep_largest(h, K)
        return encode
    return build


def make_older():
    for architecture in ("standard", "jumprelu", "gated", "topk", "batchtopk"):
        make(f"scaled-{architecture}", scaled_checkpoint(architecture, apply_b_dec=architecture != "jumprelu"))
    make("scaled-topk-rescale", scaled_checkpoint("topk", rescale=True))
    make("scaled-final", scaled_checkpoint("standard", normalize="none", factor=None))
    make("dictionary-topk-old", old_dictionary("AutoEncoderTopK"))
    make("dictionary-topk-number", old_dictionary("AutoEncoderTopK", ["k"], None, lambda s: dict(s, k=np.int64(K))))
    make("dictionary-batchtopk-old", old_dictionary("BatchTopKSAE", ["k"]))
    make("dictionary-matroyshka-sizes", old_dictionary("MatroyshkaBatchTopKSAE", ["k", "threshold", "group_sizes"]))
    make("dictionary-matroyshka-indices", old_dictionary("MatroyshkaBatchTopKSAE", ["k", "threshold", "group_indices"]))
    make("gemma-small", arithmetic_gemma_small("params.npz"))
    make("gemma-2", arithmetic_gemma_small("params.safetensors", (11,)))
    for name, path in WRAPPED.items():
        make(f"wrapped-{name}", wrapped(path))
    config = {"input_dim": np.int64(D), "m_total_neurons": np.int32(L), "k_active_neurons": np.uint8(K), "aux_k": None,
              "multi_k": None, "dead_neuron_threshold_steps": 256, "prefix_lengths": None}
    make("hypothesaes-numpy", numpy_values("SAE_numpy.pt", dict(config, use_batch_topk=np.bool_(False))))
    make("hypothesaes-numpy-batch", numpy_values("SAE_numpy.pt", dict(config, use_batch_topk=np.bool_(True))))
    make("hypothesaes-tensors", numpy_values("SAE_tensors.pt", {
        "input_dim": torch.tensor(D), "m_total_neurons": torch.tensor([L]), "k_active_neurons": torch.tensor(float(K)),
        "use_batch_topk": torch.tensor(True)}))
    make("openai-numpy", numpy_values("5.pt", {"k": np.int64(K), "postact_fn": np.str_("ReLU")}))
    make("openai-tensor", numpy_values("6.pt", {"k": torch.tensor([K]), "postact_fn": "ReLU"}))


if not only:
    shutil.rmtree(out, ignore_errors=True)
if not only or "keys" in only:
    make_keys()
make_older()
make_saelens()
make("gemma-scope", arithmetic_gemma)
bare_package("sparsify")
make("sparsify-topk", sparsify(num_latents=L))
make("sparsify-expansion", sparsify(expansion_factor=3, normalize_decoder=False))
make("sparsify-groupmax", sparsify(num_latents=L, activation="groupmax"))
make("sparsify-transcode", sparsify(num_latents=L, transcode=True, skip_connection=True))
make_dictionary()
make("saerch-named", arithmetic_saerch(f"{K}_{L}_256_auxk_epoch_50.pth", K))
make("saerch-domain", arithmetic_saerch(f"csLG_{K + 1}_{L}_1024.pth", K + 1))
make("saerch-unnamed", arithmetic_saerch("final.pth", 3))
make("openai-topk", arithmetic_openai("TopK"))
make("openai-relu", arithmetic_openai("ReLU"))
make("openai-old", arithmetic_openai(None, tied=True))
make("csr", csr(normalize=False, safe=True, wrapped=True))
make("csr-normalize", csr(normalize=True, safe=True, wrapped=False))
make("csr-bin", csr(normalize=True, safe=False, wrapped=False))
bare_package("hypothesaes")
make("hypothesaes", hypothesaes(f"SAE_M={L}_K={K}.pt"))
make("hypothesaes-batch", hypothesaes(f"SAE_matryoshka_M={L}_K={K}_prefixes=10-{L}.pt", prefix_lengths=[10, L],
                                      use_batch_topk=True))
make("latent-topk", arithmetic_latent("TOPK"))
make("latent-gated", arithmetic_latent("GATED"))
make("latent-jumprelu", arithmetic_latent("JUMPRELU"))
make("latent-batchtopk", arithmetic_latent("BATCHTOPK"))
make("latent-matryoshka", arithmetic_latent("MATRYOSHKA", matryoshka_sizes=f"10, {L}", matryoshka_ks="2,6"))
make("latent-lista", arithmetic_latent("LISTA", k=2, lista_eta=0.1, lista_steps=1))
make("latent-lista-2", arithmetic_latent("LISTA", k=2, lista_eta=0.2, lista_steps=2))
for package in [] if only else ("torch", "sae-lens", "eai-sparsify", "dictionary-learning", "hypothesaes", "sentence-transformers"):
    print(package, __import__("importlib.metadata").metadata.version(package))
