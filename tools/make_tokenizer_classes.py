#!/usr/bin/env python3
"""Write tests/data/tokenizer_classes.json: what the reference makes of every name of a tokenizer class that it knows.

    make_tokenizer_classes.py OUT.json

A small WordPiece folder, whose tokenizer.json says other things than its config, is opened under each name; the file
holds the folder's files, texts, and for each name the ids, or null where the reference fails. Needs transformers."""
import json
import os
import sys
import tempfile
import warnings

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_tokenizer as check  # noqa: E402

warnings.simplefilter("ignore")
MORE = """ElectraTokenizer DPRContextEncoderTokenizer DPRReaderTokenizer RetriBertTokenizer RealmTokenizer NezhaTokenizer QDQBertTokenizer
SqueezeBertTokenizer LayoutLMTokenizer ConvBertTokenizer LxmertTokenizer LongformerTokenizer XLMRobertaXLTokenizer BloomTokenizer
PreTrainedTokenizer OwnTokenizer""".split()
TEXTS = ["the Galaxy isn't", "CAF\u00c9 caf\u00e9 \u4e2d\u6587x", "[MASK] the[MASK] <mask> [Q]the [QUESTION] <x>", "", "walking \u0130x foo-bar", "<cls> [CLS] </s>"]


def folder_files():
    words = check.BERT + ["<unk>", "<s>", "</s>", "<pad>", "<mask>", "<cls>", "<sep>"] + [chr(c) for c in range(0x21, 0x7F)]
    words += ["\u00e9", "\u00c9", "\u4e2d", "the", "galaxy", "Galaxy", "caf", "##\u00e9", "##e", "##x", "isn", "walk", "##ing", "\u4e2d\u6587x"]
    words += ["##" + chr(c) for c in range(0x61, 0x7B)]
    vocab = {w: i for i, w in enumerate(dict.fromkeys(words))}
    added = [{"id": vocab[t], **check.added(t)} for t in check.BERT] + [{"id": len(vocab), **check.added("[Q]")}]
    template = {"type": "BertProcessing", "sep": ["[MASK]", 4], "cls": ["[PAD]", 0]}
    whole = check.tokenizer_json(vocab, added, {"type": "Lowercase"}, template, 7)
    config = {"do_lower_case": False, "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]"}
    return whole, config


def names():
    import transformers
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES
    found = {v for v in TOKENIZER_MAPPING_NAMES.values() if v} | {n for n in dir(transformers) if n.endswith(("Tokenizer", "TokenizerFast"))}
    found = {n.removesuffix("Fast") for n in found | set(MORE)} - {"AutoTokenizer"}
    return sorted(found | {n + "Fast" for n in found})


def main():
    from transformers import AutoTokenizer, __version__
    whole, config = folder_files()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        put = lambda name, value: json.dump(value, open(os.path.join(folder, name), "w"))
        put("tokenizer.json", whole)
        put("config.json", {"model_type": "bert"})
        for name in names():
            put("tokenizer_config.json", {"tokenizer_class": name, **config})
            try:
                ids = AutoTokenizer.from_pretrained(folder)(TEXTS)["input_ids"]
            except BaseException:  # of libraries that are not there, too
                ids = None
            rows.append([name, ids])
    text = lambda value: json.dumps(value, separators=(",", ":"))
    with open(sys.argv[1], "w") as out:
        out.write(text({"about": f"transformers {__version__}, tools/make_tokenizer_classes.py", "tokenizer.json": text(whole), "config": text(config)[1:],
                        "texts": TEXTS, "names": rows}) + "\n")
    print(len(rows), "names,", sum(ids is None for _, ids in rows), "fail in the reference", file=sys.stderr)


if __name__ == "__main__":
    main()
