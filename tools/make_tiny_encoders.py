#!/usr/bin/env python3
"""Make tests/data/encoder: tiny encoders with random weights, and what the reference libraries answer.

    make_tiny_encoders.py OUT [NAME ...]

makes all of them anew, or those that are named. Each OUT/<name>/ is a model folder that sentence-transformers reads; beside it OUT/<name>.json holds the texts, their
token ids, the embeddings (computed in float64 from the stored weights by sentence-transformers) and, where there is a
language-model head, what the fill-mask pipeline answers. OUT/VERSIONS.json names the releases. The folders differ in
architecture, layout, pooling, modules and weights format, so that each way of reading is met at least once. The
vocabulary is written below; nothing is taken from a published model. Needs torch, transformers and
sentence-transformers.
"""
import json
import os
import shutil
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import tokenizers  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from transformers import (BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast, DistilBertConfig,  # noqa: E402
                          DistilBertForMaskedLM, DistilBertModel, DistilBertTokenizerFast, ModernBertConfig,
                          ModernBertForMaskedLM, ModernBertModel, MPNetConfig, MPNetForMaskedLM, MPNetTokenizerFast,
                          NomicBertConfig, NomicBertForMaskedLM, NomicBertModel, PreTrainedTokenizerFast,
                          CamembertConfig, CamembertForMaskedLM, RobertaConfig, RobertaForMaskedLM, XLMRobertaConfig,
                          XLMRobertaModel, pipeline)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import trained_tokenizers as trained  # noqa: E402

OUT = sys.argv[1]
WIDTH, LAYERS, HEADS, INNER = 16, 2, 4, 40
WORDS = """the of and to in is a that for with on as are by this from we an be at which it or have has not can our their
but was were these more than between also into such new results using show data model method paper study time field
light star stars galaxy galaxies sun moon planet planets dust gas cloud mass energy heat cold bright dark distant near
far old young small large high low first second third one two three four many few most some all each other find found
measure measured present observe observed observation spectrum line lines band width depth surface wave waves particle
particles force motion speed turn orbit ring disk core shell map image sky night day year river stone tree bird fish
house road bread water fire wind rain snow query document goal way word words text sentence""".split()
ENDS = "##s ##ed ##ing ##er ##ly ##al ##ion ##ness".split()
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
SIGNS = list("0123456789.,;:!?'\"()-/%+=[]<>_")
TEXTS = ["", "a", "The galaxy is bright.", "We measured the mass of dust in a distant galaxy, using observations of lines.",
         "Stars, planets and moons: 42 found!", "UPPER and lower, naïve café", "fishing in cold rivers; birds on trees",
         "zzzz unknown ☃ word", "a [SEP] b </s> c <pad> d [PAD] e", "  spaced   out\ttext\n",
         " ".join(WORDS), " ".join(WORDS[::-1] + WORDS)]


def vocabulary(specials, last=()):
    cased = [w.capitalize() for w in WORDS[:40] if len(w) > 1] + [c.upper() for c in LETTERS]
    words = specials + SIGNS + LETTERS + ["##" + c for c in LETTERS] + cased + WORDS + ENDS + list(last)
    return {w: i for i, w in enumerate(dict.fromkeys(words))}


BERT = vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
MPNET = vocabulary(["<s>", "<pad>", "</s>", "<unk>", "[UNK]"], ["<mask>"])


def randomise(model, seed):
    """Random weights with uneven scales, so that a mistake in any part shows in the result."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if p.dim() == 1:
                is_gain = "norm" in name.lower() and name.endswith("weight")
                p.copy_(torch.exp(0.4 * noise) if is_gain else 0.2 * noise)
            else:
                p.copy_(noise * (1.0 if "embedding" in name else 1.6 / p.shape[-1] ** 0.5))
    return model.eval()


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(value, f, indent=1)


def modules(folder, kinds, old):
    spaces = {"Transformer": "base.modules.transformer", "Pooling": "sentence_transformer.modules.pooling",
              "Dense": "base.modules.dense", "Normalize": "base.modules.normalize",
              "LayerNorm": "sentence_transformer.modules.layer_norm", "Dropout": "sentence_transformer.modules.dropout"}
    rows = []
    for i, kind in enumerate(kinds):
        where = "models" if old else spaces[kind]
        rows.append(dict(idx=i, name=str(i), path="" if i == 0 else f"{i}_{kind}",
                         type=f"sentence_transformers.{where}.{kind}"))
    write_json(f"{folder}/modules.json", rows)


def dense(folder, config, seed):
    g = torch.Generator().manual_seed(seed)
    n_in, n_out = config["in_features"], config["out_features"]
    tensors = {"linear.weight": torch.randn(n_out, n_in, generator=g) * 0.4}
    if config["bias"]:
        tensors["linear.bias"] = torch.randn(n_out, generator=g) * 0.2
    if config.get("use_residual") and n_in != n_out:
        tensors["residual.weight"] = torch.randn(n_out, n_in, generator=g) * 0.3
    write_json(f"{folder}/config.json", config)
    save_file(tensors, f"{folder}/model.safetensors")


def plain(numbers):
    return np.asarray(numbers, dtype=np.float64).tolist()


def answer(name, head=None, prompts=()):
    """Ask the reference about the finished folder."""
    folder = f"{OUT}/{name}"
    st = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
    prompt = st.prompts.get(st.default_prompt_name, "") if st.default_prompt_name else ""
    limit = st.max_seq_length
    said = dict(texts=TEXTS, prompt=prompt, max_tokens=limit,
                ids=st.tokenizer([prompt + t for t in TEXTS], truncation=True, max_length=limit)["input_ids"],
                embeddings=plain(st.double().encode(TEXTS, batch_size=1)))
    if head is not None:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        fill = pipeline("fill-mask", model=head.double(), tokenizer=tokenizer, top_k=4)
        said["fill_mask"] = [dict(text=p, answer=fill(p)) for p in prompts]
    write_json(f"{OUT}/{name}.json", said)
    print(name, np.shape(said["embeddings"]), "limit", limit)


def make_mpnet():
    """New layout, mean, safetensors with a head; longer than the farthest distance bucket."""
    folder = f"{OUT}/mpnet-mean"
    config = MPNetConfig(vocab_size=len(MPNET), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                         intermediate_size=INNER, layer_norm_eps=1e-5, max_position_embeddings=202)
    model = randomise(MPNetForMaskedLM(config), 1)
    model.save_pretrained(folder)
    MPNetTokenizerFast(vocab=MPNET, do_lower_case=True, model_max_length=200).save_pretrained(folder)
    modules(folder, ["Transformer", "Pooling"], old=False)
    write_json(f"{folder}/sentence_bert_config.json",
               {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings",
                "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}})
    write_json(f"{folder}/1_Pooling/config.json",
               {"embedding_dimension": WIDTH, "pooling_mode": "mean", "include_prompt": True})
    answer("mpnet-mean", model, ["The <mask> is bright.", "We <mask> a new <mask> of stars.", "<mask>"])


def make_bert_old():
    """Old layout, cls + max + Normalize, lower-casing in front of a cased tokenizer, vocab.txt, pytorch_model.bin
    with the prefix, spellings and buffers of its time."""
    folder = f"{OUT}/bert-old"
    config = BertConfig(vocab_size=len(BERT), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                        intermediate_size=INNER, layer_norm_eps=1e-12, max_position_embeddings=64)
    model = randomise(BertForMaskedLM(config), 2)
    os.makedirs(folder)
    model.config.save_pretrained(folder)
    old = {}
    for key, value in model.state_dict().items():
        key = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        old[key] = value
    old["bert.embeddings.position_ids"] = torch.arange(64)[None]
    old["bert.pooler.dense.weight"] = torch.zeros(WIDTH, WIDTH)
    old["bert.pooler.dense.bias"] = torch.zeros(WIDTH)
    torch.save(old, f"{folder}/pytorch_model.bin")
    with open(f"{folder}/vocab.txt", "w") as f:
        f.write("".join(w + "\n" for w in BERT))
    write_json(f"{folder}/tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    modules(folder, ["Transformer", "Pooling", "Normalize"], old=True)
    write_json(f"{folder}/sentence_bert_config.json", {"max_seq_length": 40, "do_lower_case": True})
    write_json(f"{folder}/config_sentence_transformers.json", {"__version__": {"sentence_transformers": "2.0.0"}})
    write_json(f"{folder}/1_Pooling/config.json",
               {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False,
                "pooling_mode_max_tokens": True, "pooling_mode_mean_sqrt_len_tokens": False})
    answer("bert-old", model, ["The [MASK] is bright.", "[MASK] of the [MASK] [MASK]."])


def make_bert_dense():
    """New layout, weightedmean, two Dense, LayerNorm, Dropout, Normalize; shards with an index; tanh-form GELU."""
    folder = f"{OUT}/bert-dense"
    config = BertConfig(vocab_size=len(BERT), hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                        intermediate_size=INNER, layer_norm_eps=1e-6, max_position_embeddings=96, hidden_act="gelu_new")
    model = randomise(BertModel(config), 3)
    model.save_pretrained(folder, max_shard_size="24KB")
    BertTokenizerFast(vocab=BERT, do_lower_case=True).save_pretrained(folder)
    modules(folder, ["Transformer", "Pooling", "Dense", "Dense", "Dense", "LayerNorm", "Dropout", "Normalize"], old=False)
    write_json(f"{folder}/1_Pooling/config.json", {"embedding_dimension": WIDTH, "pooling_mode": "weightedmean"})
    act = "torch.nn.modules.activation."
    dense(f"{folder}/2_Dense", dict(in_features=WIDTH, out_features=24, bias=True), 4)
    dense(f"{folder}/3_Dense", dict(in_features=24, out_features=24, bias=False, activation_function=act + "GELU",
                                    use_residual=True), 5)
    dense(f"{folder}/4_Dense", dict(in_features=24, out_features=10, bias=True,
                                    activation_function="torch.nn.modules.linear.Identity", use_residual=True,
                                    module_input_name="sentence_embedding", module_output_name="sentence_embedding"), 6)
    write_json(f"{folder}/5_LayerNorm/config.json", {"dimension": 10})
    g = torch.Generator().manual_seed(7)
    save_file({"norm.weight": torch.rand(10, generator=g) + 0.5, "norm.bias": torch.randn(10, generator=g) * 0.1},
              f"{folder}/5_LayerNorm/model.safetensors")
    write_json(f"{folder}/6_Dropout/config.json", {"dropout": 0.1})
    write_json(f"{folder}/7_Normalize/config.json",
               {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"})
    answer("bert-dense")


def make_distilbert_plain():
    """A transformers folder without modules.json, cased, with a head."""
    folder = f"{OUT}/distilbert-plain"
    config = DistilBertConfig(vocab_size=len(BERT), dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=INNER,
                              max_position_embeddings=80, activation="relu")
    model = randomise(DistilBertForMaskedLM(config), 8)
    model.save_pretrained(folder)
    DistilBertTokenizerFast(vocab=BERT, do_lower_case=False).save_pretrained(folder)
    answer("distilbert-plain", model, ["The [MASK] is bright.", "We [MASK] the [MASK] of a star.", "[MASK]"])


def make_distilbert_half():
    """float16 weights, three poolings in a list, a default prompt that pooling leaves out."""
    folder = f"{OUT}/distilbert-half"
    config = DistilBertConfig(vocab_size=len(BERT), dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=INNER,
                              max_position_embeddings=80)
    randomise(DistilBertModel(config), 9).half().save_pretrained(folder)
    DistilBertTokenizerFast(vocab=BERT, do_lower_case=True, model_max_length=48).save_pretrained(folder)
    modules(folder, ["Transformer", "Pooling"], old=False)
    write_json(f"{folder}/config_sentence_transformers.json",
               {"model_type": "SentenceTransformer", "prompts": {"query": "find the text: ", "document": ""},
                "default_prompt_name": "query"})
    write_json(f"{folder}/1_Pooling/config.json",
               {"embedding_dimension": WIDTH, "pooling_mode": ["mean_sqrt_len_tokens", "lasttoken", "cls", "mean"],
                "include_prompt": False})
    answer("distilbert-half")


# ---- RoBERTa's family: positions that count, tokenizers that are trained ----

RULES = "FF21\t41\n9\t20\nA\t20\n200B\t\nE9\t65\n"  # a map of characters for sentencepiece


def class_folder(folder, kind, size):
    """The tokenizer of a class, trained on the texts; returns how many ids it has."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(RULES)
        rules.flush()
        trained.class_folders([t for t in TEXTS if t] * 3, size, rules.name)[kind](folder)
    with open(f"{folder}/tokenizer_config.json") as f:
        write_json(f.name, {**json.load(f), "model_max_length": 60})
    return max(transformers.AutoTokenizer.from_pretrained(folder).get_vocab().values()) + 1


def roberta_sizes(n_vocab, **more):
    return dict(vocab_size=n_vocab, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                intermediate_size=INNER, layer_norm_eps=1e-5, type_vocab_size=1, bos_token_id=0, eos_token_id=2, **more)


def pooled(folder):
    modules(folder, ["Transformer", "Pooling"], old=False)
    write_json(f"{folder}/1_Pooling/config.json", {"embedding_dimension": WIDTH, "pooling_mode": "mean"})


def make_roberta():
    """vocab.json and merges.txt, a padding that is not 1 and occurs in a text, a head for masks."""
    folder = f"{OUT}/roberta-files"
    n_vocab = class_folder(folder, "roberta-files", 330)
    write_json(f"{folder}/tokenizer_config.json", {"pad_token": "<unk>", "model_max_length": 60})
    model = randomise(RobertaForMaskedLM(RobertaConfig(**roberta_sizes(n_vocab, max_position_embeddings=70, pad_token_id=3))), 21)
    model.save_pretrained(folder)
    pooled(folder)
    answer("roberta-files", model, ["The<mask> is bright.", "We <mask> a new<mask> of stars."])


def make_xlm_roberta():
    """sentencepiece.bpe.model alone; float16."""
    folder = f"{OUT}/xlm-roberta-model"
    n_vocab = class_folder(folder, "xlm-roberta-model", 150)
    config = XLMRobertaConfig(**roberta_sizes(n_vocab, max_position_embeddings=82, pad_token_id=1))
    randomise(XLMRobertaModel(config), 22).half().save_pretrained(folder)
    pooled(folder)
    answer("xlm-roberta-model")


def make_multilingual_bert():
    """BERT's body behind the tokenizer of XLM-RoBERTa, as in the multilingual MiniLM."""
    folder = f"{OUT}/bert-multilingual"
    n_vocab = class_folder(folder, "xlm-roberta", 150)
    config = BertConfig(vocab_size=n_vocab, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                        intermediate_size=INNER, max_position_embeddings=90, pad_token_id=0)
    randomise(BertModel(config), 23).save_pretrained(folder)
    pooled(folder)
    answer("bert-multilingual")


def make_camembert():
    """A folder without modules.json, a head for masks."""
    folder = f"{OUT}/camembert-plain"
    n_vocab = class_folder(folder, "camembert-model", 150)
    config = CamembertConfig(**roberta_sizes(n_vocab, max_position_embeddings=100, pad_token_id=1))
    model = randomise(CamembertForMaskedLM(config), 24)
    model.save_pretrained(folder)
    answer("camembert-plain", model, ["The <mask> is bright.", "We <mask> a new <mask> of stars."])


# ---- rotary positions: ModernBERT and Nomic-BERT ----

def answer_alone(name, model, ids=((5,), (7, 9), tuple(range(5, 60)))):
    """Mean hidden states of sequences of ids, without special tokens: of one token, two, many."""
    with torch.no_grad():
        hidden = [model.double()(input_ids=torch.tensor([i])).last_hidden_state[0].mean(0) for i in ids]
    with open(f"{OUT}/{name}.json") as f:
        said = json.load(f)
    said.update(ids_alone=ids, embeddings_alone=plain(torch.stack(hidden)))
    write_json(f"{OUT}/{name}.json", said)


def byte_level_tokenizer(limit):
    """Byte-level BPE as ModernBERT's: NFC, no space before the first word, runs of spaces as tokens of their own, a
    mask that takes the space before it."""
    t = tokenizers.Tokenizer(tokenizers.models.BPE())
    t.normalizer = tokenizers.normalizers.NFC()
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = tokenizers.decoders.ByteLevel()
    t.train_from_iterator([" ".join(WORDS)] * 3, tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["|||IP_ADDRESS|||", "<|padding|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.add_tokens([tokenizers.AddedToken(" " * n, normalized=True) for n in range(6, 1, -1)])
    t.add_special_tokens([tokenizers.AddedToken(s, lstrip=s == "[MASK]", normalized=False)
                          for s in ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")])
    ends = [(s, t.token_to_id(s)) for s in ("[CLS]", "[SEP]")]
    t.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=t, model_max_length=limit, unk_token="[UNK]", cls_token="[CLS]",
                                   sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]",
                                   model_input_names=["input_ids", "attention_mask"])


def mean_folder(folder, width, limit=400):
    BertTokenizerFast(vocab=BERT, do_lower_case=True, model_max_length=limit).save_pretrained(folder)
    modules(folder, ["Transformer", "Pooling"], old=False)
    write_json(f"{folder}/1_Pooling/config.json", {"embedding_dimension": width, "pooling_mode": "mean"})


def change_config(folder, drop, change):
    with open(f"{folder}/config.json") as f:
        config = json.load(f)
    write_json(f"{folder}/config.json", {**{k: v for k, v in config.items() if k not in drop}, **change})


def make_modernbert_old():
    """Config keys and tokenizer of ModernBERT's first release, no biases, a window of 8 and texts far longer, heads of
    12 numbers, a head for masks."""
    name, width = "modernbert-old", 24
    folder = f"{OUT}/{name}"
    tokenizer = byte_level_tokenizer(400)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    config = ModernBertConfig(vocab_size=len(tokenizer) + 3, hidden_size=width, num_hidden_layers=4, num_attention_heads=2,
                              intermediate_size=20, max_position_embeddings=420, local_attention=17,
                              rope_parameters={"full_attention": {"rope_theta": 16000.0, "rope_type": "default"},
                                               "sliding_attention": {"rope_theta": 100.0, "rope_type": "default"}},
                              pad_token_id=tokenizer.pad_token_id, bos_token_id=cls, eos_token_id=sep,
                              cls_token_id=cls, sep_token_id=sep)
    model = randomise(ModernBertForMaskedLM(config), 16)
    model.save_pretrained(folder)
    mean_folder(folder, width)
    tokenizer.save_pretrained(folder)
    change_config(folder, ["layer_types", "rope_parameters"],
                  {"global_attn_every_n_layers": 3, "global_rope_theta": 16000.0, "local_rope_theta": 100.0,
                   "position_embedding_type": "absolute", "reference_compile": None})
    answer(name, model, ["The [MASK] is bright.", "We [MASK] a new [MASK] of stars."])
    answer_alone(name, ModernBertModel.from_pretrained(folder, dtype=torch.float32))


def make_modernbert_new():
    """The later config: layer types of any order, stretched positions; all biases, another activation, heads of 10.
    The first 12 of 20 values are kept, after they were normalised."""
    name, width = "modernbert-new", 20
    folder = f"{OUT}/{name}"
    config = ModernBertConfig(vocab_size=len(BERT), hidden_size=width, num_hidden_layers=3, num_attention_heads=2,
                              intermediate_size=33, max_position_embeddings=300, local_attention=40,
                              hidden_activation="silu", norm_bias=True, attention_bias=True, mlp_bias=True,
                              norm_eps=1e-6,
                              layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                              rope_parameters={"full_attention": {"rope_theta": 5000.0, "rope_type": "linear",
                                                                  "factor": 4.0},
                                               "sliding_attention": {"rope_theta": 300.0, "rope_type": "default"}},
                              pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3)
    model = randomise(ModernBertModel(config), 12)
    model.save_pretrained(folder)
    mean_folder(folder, width)
    modules(folder, ["Transformer", "Pooling", "Normalize"], old=False)
    write_json(f"{folder}/2_Normalize/config.json", {})
    write_json(f"{folder}/config_sentence_transformers.json", {"model_type": "SentenceTransformer", "truncate_dim": 12})
    answer(name)


# What the published config of Nomic-BERT says besides its sizes, where transformers says it otherwise or not at all.
NOMIC = dict(activation_function="swiglu", attn_pdrop=0.0, causal=False, dense_seq_output=True, embd_pdrop=0.0,
             fused_bias_fc=True, fused_dropout_add_ln=True, max_trained_positions=2048, mlp_fc1_bias=False,
             mlp_fc2_bias=False, model_type="nomic_bert", pad_vocab_size_multiple=64, parallel_block=False,
             parallel_block_tied_norm=False, prenorm=False, qkv_proj_bias=False, resid_pdrop=0.0,
             rotary_emb_base=1000, rotary_emb_fraction=1.0, rotary_emb_interleaved=False, rotary_emb_scale_base=None,
             rotary_scaling_factor=None, scale_attn_by_inverse_layer_idx=False, scale_attn_weights=True,
             type_vocab_size=2, use_flash_attn=True, use_rms_norm=False, use_xentropy=True)


def nomic_config(**kwargs):
    return NomicBertConfig(vocab_size=len(BERT), num_hidden_layers=LAYERS, max_position_embeddings=300,
                           layer_norm_eps=1e-12, **kwargs)


def published_config(folder, config, **change):
    write_json(f"{folder}/config.json",
               {**NOMIC, "n_embd": config.hidden_size, "n_head": config.num_attention_heads,
                "n_inner": config.intermediate_size, "n_layer": config.num_hidden_layers,
                "n_positions": config.max_position_embeddings, "vocab_size": config.vocab_size,
                "layer_norm_epsilon": config.layer_norm_eps, **change})


def make_nomic_published():
    """Tensors and config as published; heads of 18 numbers. transformers answers for its own form of the same."""
    name, width = "nomic-published", 36
    folder = f"{OUT}/{name}"
    config = nomic_config(hidden_size=width, num_attention_heads=2, intermediate_size=50)
    model = randomise(NomicBertModel(config), 13)
    model.save_pretrained(folder)
    mean_folder(folder, width, limit=300)
    answer(name)
    answer_alone(name, model)
    published_config(folder, config)
    with safe_open(f"{folder}/model.safetensors", "pt") as f:
        assert "encoder.layers.0.attn.Wqkv.weight" in f.keys() and "emb_ln.weight" in f.keys(), list(f.keys())


def make_nomic_native():
    """Tensors and config as transformers holds them, with the prefix, and a head for masks; another activation."""
    name, width = "nomic-native", 16
    folder = f"{OUT}/{name}"
    config = nomic_config(hidden_size=width, num_attention_heads=4, intermediate_size=24, hidden_act="gelu",
                          rope_parameters={"rope_type": "default", "rope_theta": 77.0})
    model = randomise(NomicBertForMaskedLM(config), 14)
    model.save_pretrained(folder)
    mean_folder(folder, width, limit=300)
    answer(name, model, ["The [MASK] is bright.", "[MASK] of the [MASK] [MASK]."])
    answer_alone(name, NomicBertModel.from_pretrained(folder, dtype=torch.float32))
    state = {k: v.float().contiguous() for k, v in model.state_dict().items() if "decoder" not in k}
    save_file(state, f"{folder}/model.safetensors")


def nomic_forward(t, config, ids):
    """Nomic-BERT's published arithmetic for what transformers does not read: biases, a gate other than SiLU, heads
    that turn in part, pairs of neighbours, no token types. Post-norm; the gate is act(fc12 x), its factor fc11 x; of
    each head the first `rotary` numbers turn, i with rotary / 2 + i, or 2 i with 2 i + 1 where interleaved."""
    linear, norm = torch.nn.functional.linear, torch.nn.functional.layer_norm
    n_heads, d = config["n_head"], config["n_embd"] // config["n_head"]
    rotary = int(d * config["rotary_emb_fraction"])
    n = len(ids)
    frequencies = 1.0 / config["rotary_emb_base"] ** (torch.arange(0, rotary, 2, dtype=torch.float32) / rotary)
    angles = torch.outer(torch.arange(n, dtype=torch.float32), frequencies).double()
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]

    def apply(name, x):
        return linear(x, t[name + ".weight"], t.get(name + ".bias"))

    def layer_norm(name, x):
        return norm(x, x.shape[-1:], t[name + ".weight"], t[name + ".bias"], config["layer_norm_epsilon"])

    def turn(x):
        rest = x[..., rotary:]
        if config["rotary_emb_interleaved"]:
            a, b = x[..., 0:rotary:2], x[..., 1:rotary:2]
            turned = torch.stack([a * cosine - b * sine, b * cosine + a * sine], -1).flatten(-2)
        else:
            a, b = x[..., :rotary // 2], x[..., rotary // 2:rotary]
            turned = torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)
        return torch.cat([turned, rest], -1)

    x = layer_norm("emb_ln", t["embeddings.word_embeddings.weight"][list(ids)])
    for i in range(config["n_layer"]):
        at = f"encoder.layers.{i}."
        q, k, v = apply(at + "attn.Wqkv", x).view(n, 3, n_heads, d).unbind(1)
        scores = torch.einsum("ihd,jhd->hij", turn(q), turn(k)) / d ** 0.5
        context = torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).reshape(n, -1)
        x = layer_norm(at + "norm1", apply(at + "attn.out_proj", context) + x)
        gate = torch.nn.functional.gelu(apply(at + "mlp.fc12", x))
        x = layer_norm(at + "norm2", apply(at + "mlp.fc2", apply(at + "mlp.fc11", x) * gate) + x)
    return x


def make_nomic_variant(name="nomic-variant", seed=15, **more):
    """Switches of the published config that transformers does not read; computed here from its definition."""
    width, inner = 24, 28
    folder = f"{OUT}/{name}"
    config = nomic_config(hidden_size=width, num_attention_heads=2, intermediate_size=inner)
    change = dict(activation_function="geglu", qkv_proj_bias=True, mlp_fc1_bias=True, mlp_fc2_bias=True,
                  type_vocab_size=0, rotary_emb_fraction=0.5, rotary_emb_base=500, rotary_scaling_factor=2,
                  max_trained_positions=250)
    change.update(more)
    shapes = {"embeddings.word_embeddings": (len(BERT), width), "emb_ln": (width,)}
    for i in range(LAYERS):
        for part, shape in {"attn.Wqkv": (3 * width, width), "attn.out_proj": (width, width), "norm1": (width,),
                            "mlp.fc11": (inner, width), "mlp.fc12": (inner, width), "mlp.fc2": (width, inner),
                            "norm2": (width,)}.items():
            shapes[f"encoder.layers.{i}.{part}"] = shape
    g = torch.Generator().manual_seed(seed)
    tensors = {}
    for part, shape in shapes.items():
        noise = torch.randn(shape, generator=g)
        is_norm = len(shape) == 1
        tensors[part + ".weight"] = torch.exp(0.4 * noise) if is_norm else noise * (
            1.0 if "embeddings" in part else 1.6 / shape[1] ** 0.5)
        if "embeddings" not in part:
            tensors[part + ".bias"] = 0.2 * torch.randn(shape[0], generator=g)
    mean_folder(folder, width, limit=300)
    published_config(folder, config, **change)
    buffers = {f"encoder.layers.{i}.attn.rotary_emb.inv_freq": torch.ones(3) for i in range(LAYERS)}
    save_file({**tensors, **buffers}, f"{folder}/model.safetensors")
    with open(f"{folder}/config.json") as f:
        stated = json.load(f)
    ids = BertTokenizerFast.from_pretrained(folder)(TEXTS, truncation=True, max_length=250)["input_ids"]
    doubles = {k: v.double() for k, v in tensors.items()}
    alone = ((5,), (7, 9), tuple(range(5, 60)))
    write_json(f"{OUT}/{name}.json", dict(
        texts=TEXTS, prompt="", max_tokens=250, ids=ids,
        embeddings=plain([nomic_forward(doubles, stated, i).mean(0).numpy() for i in ids]), ids_alone=alone,
        embeddings_alone=plain([nomic_forward(doubles, stated, i).mean(0).numpy() for i in alone])))


def make_nomic_neighbours():
    make_nomic_variant("nomic-neighbours", 19, rotary_emb_interleaved=True, rotary_emb_fraction=0.67)


def make_rope():
    """rope.json: what the reference's rotary tables hold at some positions up to the last of the published models."""
    positions = [0, 1, 2, 3, 100, 511, 512, 2047, 4095, 8191]
    tables = []
    for head_width, theta, factor in ((64, 160000.0, 1.0), (64, 10000.0, 1.0), (64, 1000.0, 1.0), (18, 77.0, 1.0),
                                      (20, 5000.0, 4.0)):
        kind = dict(rope_type="default") if factor == 1 else dict(rope_type="linear", factor=factor)
        config = NomicBertConfig(hidden_size=head_width, num_attention_heads=1, max_position_embeddings=8192,
                                 rope_parameters=dict(rope_theta=theta, **kind))
        cosines, sines = NomicBertModel(config).rotary_emb(torch.zeros(1), torch.tensor([positions]))
        half = head_width // 2
        tables.append(dict(half=half, theta=theta, factor=factor, cosines=plain(cosines[0, :, :half]),
                           sines=plain(sines[0, :, :half])))
    write_json(f"{OUT}/rope.json", dict(positions=positions, tables=tables))


MAKERS = {"mpnet-mean": make_mpnet, "bert-old": make_bert_old, "bert-dense": make_bert_dense,
          "distilbert-plain": make_distilbert_plain, "distilbert-half": make_distilbert_half,
          "modernbert-old": make_modernbert_old, "modernbert-new": make_modernbert_new,
          "roberta-files": make_roberta, "xlm-roberta-model": make_xlm_roberta,
          "bert-multilingual": make_multilingual_bert, "camembert-plain": make_camembert,
          "nomic-published": make_nomic_published, "nomic-native": make_nomic_native,
          "nomic-variant": make_nomic_variant, "nomic-neighbours": make_nomic_neighbours,
          "rope": make_rope}
VERSIONS = dict(torch=torch.__version__, transformers=transformers.__version__,
                sentence_transformers=sentence_transformers.__version__)
known = {}
if len(sys.argv) == 2:
    shutil.rmtree(OUT, ignore_errors=True)
else:
    with open(f"{OUT}/VERSIONS.json") as f:
        known = json.load(f)
os.makedirs(OUT, exist_ok=True)
for each in sys.argv[2:] or MAKERS:
    shutil.rmtree(f"{OUT}/{each}", ignore_errors=True)
    MAKERS[each]()
    known[each] = VERSIONS
write_json(f"{OUT}/VERSIONS.json", known)
