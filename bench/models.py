"""The models of the measurements, made without any package but numpy.

mpnet     the shape of paraphrase-mpnet-base-v2 (12 layers, 768 wide, vocabulary 30,527, relative attention bias, mean
          pooling, 512 tokens) with random weights: speed does not depend on them. Gains of some LayerNorms and rows
          of queries are raised, so that attention is peaked and channels differ in scale, as in trained models.
sae-N     jumprelu SAEs of N features with random weights, whose thresholds let about 50 features of a text fire.
"""
import json
import os
import shutil
import struct

import numpy as np

WIDTH, INNER, HEADS, LAYERS, POSITIONS = 768, 3072, 12, 12, 514
FIRING = 50


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, t in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(np.ascontiguousarray(t, dtype="<f4").tobytes())


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf8") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)


class Random:
    def __init__(self, seed):
        self.source = np.random.default_rng(seed)

    def normal(self, *shape, scale=1.0):
        return self.source.standard_normal(shape, dtype=np.float32) * np.float32(scale)

    def linear(self, out, name, n_out, n_in, scale):
        out[f"{name}.weight"] = self.normal(n_out, n_in, scale=scale)
        out[f"{name}.bias"] = self.normal(n_out, scale=0.02)

    def norm(self, out, name):
        gain = np.exp(self.normal(WIDTH, scale=0.3))
        gain[self.source.permutation(WIDTH)[:6]] *= 4      # a few strong channels
        out[f"{name}.weight"], out[f"{name}.bias"] = gain, self.normal(WIDTH, scale=0.1)


def mpnet_weights(n_vocab):
    random, t = Random(0), {}
    t["embeddings.word_embeddings.weight"] = random.normal(n_vocab, WIDTH, scale=0.02)
    t["embeddings.position_embeddings.weight"] = random.normal(POSITIONS, WIDTH, scale=0.02)
    random.norm(t, "embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        for part, scale in (("q", 0.05), ("k", 0.05), ("v", 0.02), ("o", 0.02)):
            random.linear(t, f"{layer}.attention.attn.{part}", WIDTH, WIDTH, scale)
        random.norm(t, f"{layer}.attention.LayerNorm")
        random.linear(t, f"{layer}.intermediate.dense", INNER, WIDTH, 0.02)
        random.linear(t, f"{layer}.output.dense", WIDTH, INNER, 0.02)
        random.norm(t, f"{layer}.output.LayerNorm")
    t["encoder.relative_attention_bias.weight"] = random.normal(32, HEADS)
    random.linear(t, "pooler.dense", WIDTH, WIDTH, 0.02)
    return t


def token(i, content, lstrip=False):
    return {"id": i, "content": content, "single_word": False, "lstrip": lstrip, "rstrip": False, "normalized": False,
            "special": True}


def mpnet_tokenizer(words):
    """The words of an uncased BERT vocabulary between MPNet's own special tokens."""
    vocab = {w: i for i, w in enumerate(["<s>", "<pad>", "</s>", "<unk>"] + words + ["<mask>"])}
    bert = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    special = [(w, False) for w in ("<s>", "<pad>", "</s>", "[UNK]")] + [("<mask>", True)]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [token(vocab[w], w, lstrip) for w, lstrip in special],
        "normalizer": {"type": "BertNormalizer", **bert},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", vocab["</s>"]], "cls": ["<s>", vocab["<s>"]],
                           "trim_offsets": True, "add_prefix_space": False},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    }


def make_mpnet(folder, minilm):
    """Write the model, with the vocabulary of the MiniLM folder; nothing if it is there."""
    if os.path.exists(folder):
        return
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    bert = json.load(open(f"{minilm}/tokenizer.json", encoding="utf8"))["model"]["vocab"]
    tokenizer = mpnet_tokenizer(sorted(bert, key=bert.get))
    n_vocab = len(tokenizer["model"]["vocab"])
    write_json(f"{part}/tokenizer.json", tokenizer)
    write_json(f"{part}/tokenizer_config.json", {
        "tokenizer_class": "MPNetTokenizer", "model_max_length": 512, "do_lower_case": True, "bos_token": "<s>",
        "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "mask_token": "<mask>", "pad_token": "<pad>",
        "unk_token": "[UNK]", "strip_accents": None, "tokenize_chinese_chars": True})
    write_json(f"{part}/config.json", {
        "architectures": ["MPNetModel"], "model_type": "mpnet", "hidden_act": "gelu", "hidden_size": WIDTH,
        "intermediate_size": INNER, "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "vocab_size": n_vocab,
        "max_position_embeddings": POSITIONS, "relative_attention_num_buckets": 32, "layer_norm_eps": 1e-05,
        "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "dtype": "float32"})
    write_json(f"{part}/sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    write_json(f"{part}/modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])
    write_json(f"{part}/1_Pooling/config.json", {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True})
    write_safetensors(f"{part}/model.safetensors", mpnet_weights(n_vocab))
    os.rename(part, folder)


def make_sae(folder, embeddings, n_features):
    """Write a jumprelu SAE for embeddings like these; nothing if it is there."""
    if os.path.exists(folder):
        return
    part = folder + ".part"
    os.makedirs(part, exist_ok=True)
    random = Random(n_features)
    width = embeddings.shape[1]
    w = random.normal(width, n_features, scale=width ** -0.5)
    x = embeddings - embeddings.mean(1, keepdims=True)
    x = x / (x.std(1, keepdims=True, ddof=1) + 1e-5)
    h = x @ w
    threshold = np.maximum(np.quantile(h, 1 - FIRING / n_features), 0.01)
    write_safetensors(f"{part}/sae.safetensors", {
        "W_enc": w, "b_enc": np.zeros(n_features, np.float32), "W_dec": np.ascontiguousarray(w.T),
        "b_dec": np.zeros(width, np.float32),
        "jumprelu.log_threshold": np.full(n_features, np.log(threshold), np.float32)})
    write_json(f"{part}/config.json", {
        "sae_type": "jumprelu", "act_size": width, "dict_size": n_features, "input_unit_norm": True,
        "dtype": "torch.float32", "top_k": FIRING, "seed": 0})
    os.rename(part, folder)
