#!/usr/bin/env python3
"""Tokenizers of many kinds, trained on small texts by the reference library: folders for comparisons.

    trained_tokenizers.py OUT [TEXTS]      write every kind to OUT/<name>, trained on the lines of TEXTS

Used by check_tokenizer.py and make_tokenizer_data.py. Needs the tokenizers and sentencepiece libraries."""
import io
import json
import os
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD, ENDING = r"[^\r\n\p{L}\p{N}]?", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
GPT4O = (LEAD + UPPER + "*" + LOWER + "+" + ENDING + "|" + LEAD + UPPER + "+" + LOWER + "*" + ENDING +
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = """the quick brown fox jumps over lazy dog galaxy cluster star formation we present a new method for spectra of
sparse features It's don't they're we've I'll O'Neil 1999 2024 3.14 10,000 caf\u00e9 na\u00efve \u4e2d\u6587\u5b57\u7b26 \u65e5\u672c\u8a9e
\ud55c\uad6d\uc5b4 \u0434\u043e\u0431\u0440\u044b\u0439 \u03b1\u03b2\u03b3 \u0915\u094d\u0937\u093f \U0001f600 -- ... https://example.org/a_b?c=d <tag> (x) [y] {z}""".split()


def sample_lines(n=3000, seed=5):
    rng = random.Random(seed)
    return [" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) for _ in range(n)]


def bpe(lines, pre, size, norm=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre
    if norm:
        tokenizer.normalizer = norm
    affixes = {k: model[k] for k in ("continuing_subword_prefix", "end_of_word_suffix") if k in model}
    alphabet = pre_tokenizers.ByteLevel.alphabet() if "ByteLevel" in repr(pre) else []
    extra = ["<0x%02X>" % i for i in range(256)] if model.get("byte_fallback") else []
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIALS + extra, show_progress=False,
                                                             initial_alphabet=alphabet, **affixes))
    return tokenizer


def unigram(lines, pre, size, norm=None, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre
    if norm:
        tokenizer.normalizer = norm
    extra = ["<0x%02X>" % i for i in range(256)] if byte_fallback else []
    size += len(set("".join(lines)))  # every character is a piece
    tokenizer.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIALS + extra, unk_token="<unk>",
                                                                 show_progress=False))
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = byte_fallback
    state["added_tokens"] = [t for t in state["added_tokens"] if not t["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))


def finish(tokenizer, roberta=True):
    sep, cls = ("</s>", 2), ("<s>", 0)
    tokenizer.post_processor = (processors.RobertaProcessing(sep, cls) if roberta else processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[cls, sep]))
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    splits = json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"])
    if "ByteLevel" in splits:
        tokenizer.decoder = decoders.ByteLevel()
    elif "Metaspace" in splits:
        scheme = next(x for x in ("always", "first", "never") if x in splits)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    elif getattr(tokenizer.model, "end_of_word_suffix", None):
        tokenizer.decoder = decoders.BPEDecoder(suffix=tokenizer.model.end_of_word_suffix)
    return tokenizer


def kinds(lines, size=600, rule="nmt_nfkc"):
    """Name to a function that trains it."""
    byte, split, seq = pre_tokenizers.ByteLevel, pre_tokenizers.Split, pre_tokenizers.Sequence
    meta, white = pre_tokenizers.Metaspace, pre_tokenizers.WhitespaceSplit
    spm = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    llama = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    strip = normalizers.Sequence([normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                  normalizers.Replace("``", '"'), normalizers.Replace("e", "")])
    return {
        "bpe-bytes": lambda: bpe(lines, byte(add_prefix_space=False), size),
        "bpe-bytes-space": lambda: bpe(lines, byte(add_prefix_space=True), size),
        "bpe-bytes-nfc": lambda: bpe(lines, byte(add_prefix_space=False), size, normalizers.NFC()),
        "bpe-bytes-whole": lambda: bpe(lines, byte(add_prefix_space=False), size, ignore_merges=True),
        "bpe-bytes-no-regex": lambda: bpe(lines, byte(add_prefix_space=False, use_regex=False), size),
        "bpe-gpt4": lambda: bpe(lines, seq([split(Regex(GPT4 % "{1,3}"), "isolated"), byte(False, use_regex=False)]), size),
        "bpe-qwen": lambda: bpe(lines, seq([split(Regex(GPT4 % ""), "isolated"), byte(False, use_regex=False)]), size,
                                normalizers.NFC()),
        "bpe-gpt4o": lambda: bpe(lines, seq([split(Regex(GPT4O), "isolated"), byte(False, use_regex=False)]), size),
        "bpe-digits": lambda: bpe(lines, seq([pre_tokenizers.Digits(True), byte(False)]), size),
        "bpe-contiguous": lambda: bpe(lines, seq([pre_tokenizers.Digits(False), pre_tokenizers.Punctuation("contiguous"), byte(True)]), size),
        "bpe-llama": lambda: bpe(lines, split("\u2581", "merged_with_next"), size, llama, unk_token="<unk>", fuse_unk=True, byte_fallback=True),
        "bpe-unknown": lambda: bpe(lines, pre_tokenizers.Whitespace(), size, normalizers.NFKC(), unk_token="<unk>"),
        "bpe-fused": lambda: bpe(lines, pre_tokenizers.BertPreTokenizer(), size, normalizers.NFD(), unk_token="<unk>", fuse_unk=True),
        "bpe-suffix": lambda: bpe(lines, pre_tokenizers.BertPreTokenizer(), size, normalizers.BertNormalizer(), unk_token="<unk>",
                                  end_of_word_suffix="</w>"),
        "bpe-prefix": lambda: bpe(lines, white(), size, None, unk_token="<unk>", continuing_subword_prefix="@@"),
        "bpe-none": lambda: bpe(lines, white(), size),
        "bpe-first": lambda: bpe(lines, meta(prepend_scheme="first", split=False), size, strip, unk_token="<unk>"),
        "unigram": lambda: unigram(lines, seq([white(), meta()]), size),
        "unigram-meta": lambda: unigram(lines, meta(), size, spm),
        "unigram-bytes": lambda: unigram(lines, meta(), size + 256, spm, True),
        "unigram-never": lambda: unigram(lines, meta(prepend_scheme="never"), size, normalizers.NFKD()),
        "unigram-first": lambda: unigram(lines, meta(prepend_scheme="first"), size, strip),
        "unigram-unsplit": lambda: unigram(lines, meta(prepend_scheme="first", split=False), size, normalizers.NFKC()),
        "unigram-map": lambda: precompiled(lines, size, rule),
        "unigram-map-fold": lambda: precompiled(lines, size, rule.replace("nfkc", "nfkc_cf"), squeeze=True, splits=seq([white(), meta()])),
        "unigram-previous": lambda: unigram(lines, seq([split(" ", "merged_with_previous"), split("a", "removed"),
                                                        pre_tokenizers.CharDelimiterSplit("-")]), size),
    }


def sentencepiece_model(lines, size, rule="nmt_nfkc", **options):
    """A trained sentencepiece.bpe.model, and what is in it; `rule` names a map of characters, or a file of rules."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, vocab_size=size, model_type="unigram",
                                             minloglevel=2, hard_vocab_limit=False,
                                             num_threads=1, **options,
                                             **{"normalization_rule_tsv" if "/" in rule else "normalization_rule_name": rule})
    parsed = sentencepiece_model_pb2.ModelProto()
    parsed.ParseFromString(model.getvalue())
    return model.getvalue(), parsed


def precompiled(lines, size, rule, **more):
    """Unigram with the map of characters of a sentencepiece model in front, for tokenizer.json."""
    _, model = sentencepiece_model(lines, size, rule)
    first = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocab = first + [(p.piece, p.score) for p in model.pieces[3:]] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    charsmap = normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)
    tokenizer.normalizer = normalizers.Sequence([charsmap, normalizers.Replace(Regex(" {2,}"), " ")]) if more.get("squeeze") else charsmap
    tokenizer.pre_tokenizer = more.get("splits") or pre_tokenizers.Metaspace()
    return finish(tokenizer, False)


def class_folders(lines, size=600, rule="nmt_nfkc"):
    """Folders of the known classes: name to a function that writes one to a path."""
    def put(path, name, content):
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, name), "wb" if isinstance(content, bytes) else "w") as out:
            out.write(content) if isinstance(content, bytes) else json.dump(content, out)

    def byte_pairs(path, config, as_json=True):
        tokenizer = finish(bpe(lines, pre_tokenizers.ByteLevel(False), size))
        state = json.loads(tokenizer.to_str())
        put(path, "config.json", {"model_type": "roberta"})
        put(path, "tokenizer_config.json", config)
        if as_json:
            return put(path, "tokenizer.json", state)
        put(path, "vocab.json", state["model"]["vocab"])
        put(path, "merges.txt", ("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in state["model"]["merges"])).encode())

    def sentences(path, model_type, config, rule=rule, **options):
        put(path, "config.json", {"model_type": model_type})
        put(path, "tokenizer_config.json", config)
        put(path, "sentencepiece.bpe.model", sentencepiece_model(lines, size, rule, **options)[0])

    def unigram_json(path, model_type, config, **more):
        put(path, "config.json", {"model_type": model_type})
        put(path, "tokenizer_config.json", config)
        put(path, "tokenizer.json", json.loads(precompiled(lines, size, rule, **more).to_str()))

    listed = {"0": {"content": "<s>"}, "3": {"content": "<unk>"}, "9": {"content": "QQ", "single_word": True}}
    mask = {"content": "<mask>", "lstrip": True, "special": True, "__type": "AddedToken"}
    return {
        "roberta": lambda p: byte_pairs(p, {"tokenizer_class": "RobertaTokenizer"}),
        "roberta-space": lambda p: byte_pairs(p, {"tokenizer_class": "RobertaTokenizerFast", "add_prefix_space": True}),
        "roberta-files": lambda p: byte_pairs(p, {"mask_token": mask, "additional_special_tokens": ["QQ"]}, False),
        "xlm-roberta": lambda p: unigram_json(p, "bert", {"tokenizer_class": "XLMRobertaTokenizer", "mask_token": mask}, squeeze=True),
        "xlm-roberta-model": lambda p: sentences(p, "xlm-roberta", {"tokenizer_class": "XLMRobertaTokenizer"}),
        "xlm-roberta-user": lambda p: sentences(p, "xlm-roberta", {"mask_token": mask, "add_prefix_space": False}, rule.replace("nmt_nfkc", "nfkc_cf"),
                                                user_defined_symbols=["QQ", "<x>"], control_symbols=["<c>"]),
        "xlm-roberta-identity": lambda p: sentences(p, "xlm-roberta", {"added_tokens_decoder": listed}, "identity"),
        "camembert": lambda p: unigram_json(p, "camembert", {"tokenizer_class": "CamembertTokenizerFast"}),
        "camembert-listed": lambda p: unigram_json(p, "camembert", {"additional_special_tokens": ["[E1]"], "do_lower_case": True}),
        "camembert-model": lambda p: sentences(p, "camembert", {"additional_special_tokens": ["[E1]"]}),
        "camembert-user": lambda p: sentences(p, "camembert", {}, user_defined_symbols=["QQ"]),
    }


def write_folder(path, tokenizer, config=None):
    os.makedirs(path, exist_ok=True)
    tokenizer.save(os.path.join(path, "tokenizer.json"))
    with open(os.path.join(path, "tokenizer_config.json"), "w") as out:
        json.dump(config or {"tokenizer_class": "PreTrainedTokenizerFast", "mask_token": "<mask>", "unk_token": "<unk>",
                             "pad_token": "<pad>"}, out)


def main():
    lines = [line.rstrip("\n") for line in open(sys.argv[2])] if len(sys.argv) > 2 else sample_lines()
    for name, train in kinds(lines).items():
        write_folder(os.path.join(sys.argv[1], name), finish(train(), not name.startswith("unigram")))
        print(name, flush=True)
    for name, write in class_folders(lines).items():
        write(os.path.join(sys.argv[1], name))


if __name__ == "__main__":
    main()
