#!/usr/bin/env python3
"""Make tests/data/encoder_variants.json and .npy: encoders of tests/data/encoder with one thing changed, and what the reference says.

    make_model_variants.py tests/data [GROUP …]

makes all groups anew, or those named. Each variant (tests/model_variants.py) is opened with sentence-transformers in float32; its embeddings of three texts, in float64,
are a row of the matrix, equal ones once. "fails" holds the reference's error instead. Where weights are missing the reference goes on
with random ones: that counts as an error. Needs torch, transformers, sentence-transformers and peft.
"""
import json
import logging
import os
import pathlib
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ.update(TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import numpy as np  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import model_variants  # noqa: E402

logging.disable(logging.WARNING)
CONFIG, SENTENCE, PROMPTS, POOLING = "config.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json"
# One folder per architecture and layout.
FAMILIES = {"bert": "bert-multilingual", "mpnet": "mpnet-mean", "distilbert": "distilbert-plain", "roberta": "roberta-files",
            "xlm-roberta": "xlm-roberta-model", "camembert": "camembert-plain", "modernbert": "modernbert-old",
            "modernbert, new": "modernbert-new", "nomic_bert": "nomic-native"}


def read(base, name):
    return json.loads((ROOT / "tests/data/encoder" / base / name).read_text("utf8"))


# These have a sentencepiece model, for which the reference would need its library; here they take another folder's tokenizer.json.
TOKENIZER = {"copy": {"tokenizer.json": "bert-multilingual/tokenizer.json", "tokenizer_config.json": "bert-multilingual/tokenizer_config.json"},
             "remove": ["sentencepiece.bpe.model"]}
MORE = {"xlm-roberta": TOKENIZER, "camembert": TOKENIZER}


# ---- what is varied ----

def defaults():
    """Each key of each architecture's config taken away in turn, and all at once that do not tell a size."""
    for family, base in FAMILIES.items():
        keys = read(base, CONFIG)
        for key in keys:
            yield {"about": f"default, {family}", "key": key, "base": base, **MORE.get(family, {}), "drop": {CONFIG: [key]}}
        sizes = {"model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "type_vocab_size",
                 "max_position_embeddings", "dim", "n_layers", "n_heads", "hidden_dim", "layer_types", "attention_bias", "mlp_bias", "norm_bias"}
        yield {"about": f"default, {family}", "key": "all others", "base": base, **MORE.get(family, {}), "drop": {CONFIG: [k for k in keys if k not in sizes]}}


# Values that another model might have, where changing the value by rule would not be one.
OTHER = {"hidden_act": "relu", "hidden_activation": "relu", "activation": "gelu", "classifier_activation": "relu", "classifier_pooling": "mean",
         "tokenizer_class": "BertTokenizer", "dtype": "float32", "torch_dtype": "float32", "architectures": ["SomeModel"], "problem_type": "regression",
         "id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0}, "transformers_version": "9.9.9", "classifier_dropout": 0.3, "pruned_heads": {"0": [1]},
         "per_layer_config": {"0": {"intermediate_size": 7}}, "position_embedding_type": "relative_key", "quantization_config": {"quant_method": "bitsandbytes"},
         "is_causal": True, "auto_map": {"AutoModel": "x.Y"}, "task_specific_params": {"a": 1}, "head_dim": 8, "embedding_size": 8,
         "partial_rotary_factor": 0.5, "layer_norm_eps": 0.25, "norm_eps": 0.25, "made_up_scale": 2.5, "sliding_window": 3,
         "rope_theta": 50.0, "rope_scaling": {"type": "linear", "factor": 2.0}, "attn_implementation": "eager", "num_labels": 5,
         "name_or_path": "elsewhere", "global_rope_theta": 70.0, "local_rope_theta": 30.0, "global_attn_every_n_layers": 2,
         "rope_parameters": None, "layer_types": None, "pad_token_id": 2, "finetuning_task": "x", "directionality": "uni",
         "use_memory_efficient_attention": True, "gradient_checkpointing": True, "prefix": "x", "temperature": 3.0}
EXTRA = ["pruned_heads", "per_layer_config", "position_embedding_type", "quantization_config", "is_causal", "auto_map", "task_specific_params", "embedding_size",
         "partial_rotary_factor", "made_up_scale", "attn_implementation", "num_labels", "name_or_path", "finetuning_task", "directionality", "torch_dtype",
         "use_memory_efficient_attention", "gradient_checkpointing", "prefix", "temperature", "id2label", "label2id", "problem_type", "tokenizer_class"]


def other_value(key, value):
    if key in OTHER:
        return OTHER[key]
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 2 if value else 1
    return 7 if value is None else value


def values():
    """Every key of every config, and keys that none has, with another value."""
    for family, base in FAMILIES.items():
        config = read(base, CONFIG)
        extra = EXTRA + (["rope_scaling", "sliding_window", "global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"] if "modern" in family else [])
        extra += ["rope_theta", "rope_scaling", "head_dim"] if "nomic" in family else []
        extra += ["hidden_size", "num_attention_heads", "num_hidden_layers"] if family == "distilbert" else []
        for key in [*config, *(k for k in extra if k not in config)]:
            if key == "model_type":
                continue
            new = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}.get(key) if family == "distilbert" else None
            new = other_value(key, config.get(key)) if new is None else new
            yield {"about": f"value, {family}", "key": key, "base": base, **MORE.get(family, {}), "set": {CONFIG: {key: new}}}


def arguments():
    """The keys of the sentence config, and of the arguments in it."""
    cased = {"base": "bert-old"}
    plain = {"base": "mpnet-mean"}
    for name in ("tokenizer_args", "processor_kwargs"):
        for key, value in {"model_max_length": 9, "truncation_side": "left", "padding_side": "left", "do_lower_case": False, "strip_accents": False,
                           "tokenize_chinese_chars": False, "use_fast": False, "trust_remote_code": True, "cache_dir": "/nowhere", "revision": "other",
                           "local_files_only": True, "token": "x", "model_input_names": ["input_ids"], "clean_up_tokenization_spaces": True,
                           "cls_token": "[MASK]", "sep_token": "[MASK]"}.items():
            yield {**cased, "key": f"{name}/{key}", "set": {SENTENCE: {f"{name}/{key}": value}}}
        yield {**cased, "key": f"{name}/both lengths", "set": {SENTENCE: {f"{name}/model_max_length": 9, "max_seq_length": 20}}}
        yield {**cased, "key": f"{name}/no limit", "set": {SENTENCE: {f"{name}/model_max_length": None}}}
        yield {**cased, "key": f"{name}/twice", "set": {SENTENCE: {"tokenizer_args/model_max_length": 9, "processor_kwargs/model_max_length": 7}}}
        yield {**plain, "key": f"{name}/of mpnet", "set": {SENTENCE: {f"{name}/do_lower_case": False, f"{name}/model_max_length": 11}}}
    for name in ("config_args", "config_kwargs"):
        for key, value in {"num_hidden_layers": 1, "layer_norm_eps": 0.25, "hidden_act": "relu", "num_attention_heads": 2, "hidden_dropout_prob": 0.9,
                           "output_hidden_states": True, "made_up": 3, "cache_dir": "/nowhere", "trust_remote_code": True, "revision": "x",
                           "num_labels": 4, "use_cache": True, "attn_implementation": "eager", "is_decoder": True, "pad_token_id": 5}.items():
            yield {**cased, "key": f"{name}/{key}", "set": {SENTENCE: {f"{name}/{key}": value}}}
        yield {"base": "roberta-files", "rename": {}, "key": f"{name}/not without modules", "set": {SENTENCE: {f"{name}/num_hidden_layers": 1}}}
        yield {"base": "modernbert-old", "key": f"{name}/local_attention", "set": {SENTENCE: {f"{name}/local_attention": 4}}}
        yield {"base": "modernbert-old", "key": f"{name}/global_rope_theta", "set": {SENTENCE: {f"{name}/global_rope_theta": 4.0}}}
        yield {"base": "distilbert-half", "key": f"{name}/hidden layers by alias", "set": {SENTENCE: {f"{name}/num_hidden_layers": 1}}}
    for name in ("model_args", "model_kwargs"):
        for key, value in {"torch_dtype": "float32", "dtype": "float32", "attn_implementation": "eager", "add_pooling_layer": False, "variant": "other",
                           "low_cpu_mem_usage": True, "use_safetensors": False, "cache_dir": "/nowhere", "subfolder": "x", "revision": "x", "made_up": 1,
                           "gguf_file": "x.gguf", "trust_remote_code": True, "local_files_only": True}.items():
            yield {**cased, "key": f"{name}/{key}", "set": {SENTENCE: {f"{name}/{key}": value}}}
    for key, value in {"max_seq_length": 9, "do_lower_case": False, "query_length": 4, "document_length": 4, "unpad_inputs": True, "backend": "onnx",
                       "tokenizer_name_or_path": "elsewhere", "made_up": 3, "transformer_task": "fill-mask", "module_output_name": "sentence_embedding",
                       "processing_kwargs/text/max_length": 8, "processing_kwargs/common/max_length": 8, "processing_kwargs/text/truncation": False,
                       "processing_kwargs/text/add_special_tokens": False, "processing_kwargs/text/padding": "max_length", "processing_kwargs/made_up/x": 1,
                       "processing_kwargs/image/size": 1, "processing_kwargs/text/stride": 2, "cache_dir": "/nowhere",
                       "processing_kwargs/text/pad_to_multiple_of": 8, "processing_kwargs/text/return_overflowing_tokens": True}.items():
        yield {**cased, "key": key, "set": {SENTENCE: {key: value}}}
    for name in ("roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet", "electra"):
        yield {**cased, "key": f"name {name}", "remove": [SENTENCE], "set": {f"sentence_{name}_config.json": {"max_seq_length": 7, "tokenizer_args/truncation_side": "left"}}}


def modules():
    for key, value in {"pooling_mode": "cls", "pooling_mode_cls_token": True, "include_prompt": False, "made_up": 3, "word_embedding_dimension": 16}.items():
        yield {"base": "mpnet-mean", "key": f"Pooling/{key}", "set": {POOLING: {key: value}}}
    for key, value in {"made_up": 3, "bias": True, "module_input_name": "token_embeddings", "init_bias": None}.items():
        yield {"base": "bert-dense", "key": f"Dense/{key}", "set": {"2_Dense/config.json": {key: value}}}
    for folder in ("5_LayerNorm", "6_Dropout", "7_Normalize"):
        yield {"base": "bert-dense", "key": f"{folder}/made_up", "set": {f"{folder}/config.json": {"made_up": 3}}}
    for key, value in {"prompts": {"q": "The stars: "}, "truncate_dim": 5, "similarity_fn_name": "dot", "model_type": "SparseEncoder", "made_up": 3,
                       "default_prompt_name": "q", "requirements": []}.items():
        yield {"base": "mpnet-mean", "key": f"prompts/{key}", "set": {PROMPTS: {key: value}}}
    yield {"base": "mpnet-mean", "key": "prompts/both", "set": {PROMPTS: {"prompts": {"q": "The stars: "}, "default_prompt_name": "q"}}}
    yield {"base": "mpnet-mean", "key": "modules/same name", "set": {"modules.json": {"1/name": "0"}}}
    yield {"base": "mpnet-mean", "key": "modules/kwargs", "set": {"modules.json": {"1/kwargs": ["task"]}}}
    yield {"base": "mpnet-mean", "key": "modules/made_up", "set": {"modules.json": {"1/made_up": 3}}}


def tensors():
    spare = {"projection": {"linear.weight": [5, 16]}, "scale": {"logit_scale": [1], "mlp.dense.weight": [3, 3]}, "own pooler": {"pooler.dense.weight": [16, 16], "pooler.dense.bias": [16]},
             "classifier": {"classifier.weight": [2, 16]}, "positions": {"embeddings.position_ids": [1, 8]}, "many": {f"extra.{i}": [1] for i in range(12)}}
    for name, shapes in spare.items():
        yield {"base": "mpnet-mean", "key": name, "tensors": shapes}
    for base, key in (("mpnet-mean", "num_hidden_layers"), ("distilbert-plain", "n_layers"), ("modernbert-old", "num_hidden_layers"), ("nomic-native", "num_hidden_layers"),
                      ("roberta-files", "num_hidden_layers")):
        yield {"base": base, "key": f"one layer of {base}", "set": {CONFIG: {key: 1}}}
    yield {"base": "modernbert-new", "key": "biases that are not used", "set": {CONFIG: {"mlp_bias": False}}}


LORA = {"peft_type": "LORA", "task_type": "FEATURE_EXTRACTION", "base_model_name_or_path": "BASE", "r": 2, "lora_alpha": 6, "bias": "none", "inference_mode": True,
        "lora_dropout": 0.1, "fan_in_fan_out": False, "init_lora_weights": True, "layers_to_transform": None, "modules_to_save": None}


def low_rank(names, rank=2, sizes=(16, 16)):
    shapes = {}
    for name in names:
        shapes[f"base_model.model.{name}.lora_A.weight"] = [rank, sizes[1]]
        shapes[f"base_model.model.{name}.lora_B.weight"] = [sizes[0], rank]
    return shapes


def adapters():
    def one(key, config, shapes, base="bert-multilingual"):
        return {"base": base, "key": key, "set": {"adapter_config.json": {**LORA, **config}}, "adapter": shapes}
    query = [f"encoder.layer.{i}.attention.self.query" for i in range(2)]
    value = [f"encoder.layer.{i}.attention.self.value" for i in range(2)]
    inner = [f"encoder.layer.{i}.intermediate.dense" for i in range(2)]
    both = low_rank(query + value)
    yield one("plain", {"target_modules": ["query", "value"]}, both)
    yield one("rslora", {"target_modules": ["query", "value"], "use_rslora": True}, both)
    yield one("fan_in_fan_out", {"target_modules": ["query", "value"], "fan_in_fan_out": True}, both)
    yield one("alpha 1", {"target_modules": ["query", "value"], "lora_alpha": 1}, both)
    yield one("regular expression", {"target_modules": ".*(query|value)"}, both)
    yield one("inner", {"target_modules": ["intermediate.dense"]}, low_rank(inner, sizes=(40, 16)))
    yield one("one layer", {"target_modules": ["query"], "layers_to_transform": [1]}, low_rank(query[1:]))
    yield one("one layer, all stored", {"target_modules": ["query"], "layers_to_transform": [1], "layers_pattern": "layer"}, low_rank(query))
    yield one("more stored than named", {"target_modules": ["query"]}, both)
    yield one("fewer stored than named", {"target_modules": ["query", "value"]}, low_rank(query))
    yield one("rank_pattern", {"target_modules": ["query", "value"], "rank_pattern": {"value": 3}}, {**low_rank(query), **low_rank(value, 3)})
    yield one("alpha_pattern", {"target_modules": ["query", "value"], "alpha_pattern": {"layer.0.attention.self.value": 1}}, both)
    yield one("rank by expression", {"target_modules": ["query", "value"], "rank_pattern": {".*value": 3}}, {**low_rank(query), **low_rank(value, 3)})
    yield one("wrong rank", {"target_modules": ["query", "value"], "r": 4}, both)
    yield one("all-linear", {"target_modules": "all-linear"}, {**both, **low_rank(["pooler.dense"])})
    yield one("saved module", {"target_modules": ["query"], "modules_to_save": ["LayerNorm"]},
              {**low_rank(query), **{f"base_model.model.encoder.layer.{i}.output.LayerNorm.{end}": [16] for i in range(2) for end in ("weight", "bias")}})
    yield one("words", {"target_modules": ["word_embeddings"]}, {"base_model.model.embeddings.word_embeddings.lora_embedding_A": [2, 152],
                                                                 "base_model.model.embeddings.word_embeddings.lora_embedding_B": [16, 2]})
    for key, config in {"bias all": {"bias": "all"}, "dora": {"use_dora": True}, "pissa": {"init_lora_weights": "pissa"}, "ia3": {"peft_type": "IA3", "feedforward_modules": []},
                        "made_up": {"made_up": 3}, "lora_bias": {"lora_bias": True}, "token indices": {"trainable_token_indices": [3]}}.items():
        yield one(key, {"target_modules": ["query", "value"], **config}, both)
    yield one("mpnet", {"target_modules": ["q", "o"]}, low_rank([f"encoder.layer.{i}.attention.attn.{n}" for i in range(2) for n in "qo"]), "mpnet-mean")
    yield one("distilbert", {"target_modules": ["q_lin", "lin2"]}, {**low_rank([f"transformer.layer.{i}.attention.q_lin" for i in range(2)]),
                                                                   **low_rank([f"transformer.layer.{i}.ffn.lin2" for i in range(2)], sizes=(16, 40))}, "distilbert-plain")
    yield one("modernbert", {"target_modules": ["Wqkv"]}, low_rank([f"layers.{i}.attn.Wqkv" for i in range(4)], sizes=(72, 24)), "modernbert-old")


CHAT = "{% for message in messages %}{{ message['content'] }} stars{% endfor %}"


def plain():
    """Folders without modules.json: which of the files and keys around the weights count there."""
    written = {"chat_template.jinja": CHAT, "chat_template.json": json.dumps({"chat_template": CHAT}), "processor_config.json": json.dumps({"chat_template": CHAT}),
               "additional_chat_templates/rag.jinja": CHAT, SENTENCE: json.dumps({"max_seq_length": 5, "do_lower_case": False}),
               PROMPTS: json.dumps({"prompts": {"q": "The stars: "}, "default_prompt_name": "q", "truncate_dim": 3}), "generation_config.json": '{"max_length": 3}',
               POOLING: json.dumps({"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}),
               "preprocessor_config.json": json.dumps({"image_processor_type": "ViTImageProcessor", "size": 224})}
    bases = {"distilbert": {"base": "distilbert-plain"}, "mpnet": {"base": "mpnet-mean", "remove": ["modules.json", SENTENCE]}}
    for family, base in bases.items():
        yield {"about": f"plain, {family}", "key": "as it is", **base}
        for name, text in written.items():
            yield {"about": f"plain, {family}", "key": name, **base, "write": {name: text}}
        for key, value in {"text": CHAT, "none": None, "of names": [{"name": "default", "template": CHAT}], "of another name": [{"name": "rag", "template": CHAT}],
                           "no names": [], "an object": {"default": CHAT}}.items():
            yield {"about": f"plain, {family}", "key": f"chat_template/{key}", **base, "set": {"tokenizer_config.json": {"chat_template": value}}}
    for key, value in {"chat_template": CHAT, "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}}.items():
        yield {"about": "plain, not so", "key": key, "base": "mpnet-mean",
               "set": {"tokenizer_config.json": {key: value}} if key == "chat_template" else {SENTENCE: {key: value, "module_output_name": "token_embeddings"}}}
    yield {"about": "plain, not so", "key": "chat_template.jinja", "base": "mpnet-mean", "write": {"chat_template.jinja": CHAT}}


GROUPS = [defaults, values, arguments, modules, tensors, adapters, plain]


# ---- what the reference says ----

def check_weights(folder):
    """The reference fills what is missing with random numbers."""
    where = folder
    _, info = transformers.AutoModel.from_pretrained(where, output_loading_info=True)
    missing = [k for k in info["missing_keys"] if "pooler" not in k and "lora" not in k]
    if missing:
        raise ValueError(f"missing: {sorted(missing)[0]}")


def ask(variant, folder):
    config = folder / "adapter_config.json"
    if config.exists():  # the reference reads the base's config by the adapter's word
        value = json.loads(config.read_text("utf8"))
        value["base_model_name_or_path"] = str(ROOT / "tests/data/encoder" / variant["base"])
        config.write_text(json.dumps(value), "utf8")
    else:
        try:
            check_weights(folder)
        except ValueError:
            raise
        except Exception:  # the arguments may be what makes it work
            pass
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32} if "model_kw" not in str(variant) and "model_args" not in str(variant) else None)
    return model.double().encode(model_variants.TEXTS, batch_size=1).astype(np.float64)


def read_made(out, names):
    """What was made before, without some groups."""
    made, values, rows = json.loads((out / "encoder_variants.json").read_text("utf8")), np.load(out / "encoder_variants.npy"), []
    for width in made["widths"]:
        n = width * len(model_variants.TEXTS)
        rows.append(values[:n].reshape(-1, width))
        values = values[n:]
    return [v for v in made["variants"] if v["about"] not in names], rows


def main():
    out, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    variants, rows = read_made(out, names) if names else ([], [])
    for group in GROUPS:
        for variant in group():
            variant.setdefault("about", group.__name__)
            if names and variant["about"] not in names:
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = model_variants.make(variant, ROOT / "tests/data/encoder", pathlib.Path(folder) / "model")
                try:
                    values = ask(variant, path).astype(np.float32)
                    same = [i for i, row in enumerate(rows) if row.shape == values.shape and np.array_equal(row, values)]
                    if not same:
                        rows.append(values)
                    variant["row"] = same[0] if same else len(rows) - 1
                except Exception as problem:  # whatever it is, the reference does not embed with it
                    variant["fails"] = f"{type(problem).__name__}: {problem}".replace(folder, "").split("\n")[0][:90]
            print(variant["about"], variant["key"], variant.get("fails", variant.get("row")), flush=True)
            variants.append(variant)
    versions = {"sentence-transformers": sentence_transformers.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    text = ",\n".join(json.dumps(v, ensure_ascii=False) for v in variants)
    (out / "encoder_variants.json").write_text(f'{{"versions": {json.dumps(versions)},\n"widths": {json.dumps([r.shape[1] for r in rows])},\n"variants": [\n{text}\n]}}\n', "utf8")
    np.save(out / "encoder_variants.npy", np.concatenate([r.ravel() for r in rows]))


if __name__ == "__main__":
    main()
