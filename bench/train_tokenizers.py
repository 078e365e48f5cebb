#!/usr/bin/env python3
"""Tokenizers of kinds that the models of this benchmark do not have, trained by the reference library.

    train_tokenizers.py TEXTS.json FOLDER      FOLDER/bytes: byte-level BPE, as RoBERTa's and ModernBERT's;
                                               FOLDER/unigram: as XLM-R's and CamemBERT's
"""
import json
import os
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

SPECIALS = ["<s>", "<pad>", "</s>", "<unk>"]
N_MERGED, N_UNIGRAM = 50265, 32000


def byte_level(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=N_MERGED, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def unigram(texts):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=N_UNIGRAM, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False))
    return tokenizer


def write(folder, tokenizer):
    os.makedirs(folder)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf8") as f:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "mask_token": "<mask>",
                   "unk_token": "<unk>", "pad_token": "<pad>"}, f)


def main():
    with open(sys.argv[1], encoding="utf8") as f:
        texts = json.load(f)
    write(os.path.join(sys.argv[2], "bytes"), byte_level(texts))
    write(os.path.join(sys.argv[2], "unigram"), unigram(texts))


main()
