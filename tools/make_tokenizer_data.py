#!/usr/bin/env python3
"""Write tests/data/tokenizer: small model folders with an own vocabulary, texts, and what the reference says.

    make_tokenizer_data.py OUT [SHARED]

OUT/texts.json holds the texts; OUT/<name>/ a tokenizer folder of one kind; OUT/<name>.expected.json the reference's
ids for every text, and the decoding of some lists of ids. With SHARED, the folder of shared test material,
OUT/corpora-ids.json holds the SHA-256 of the ids of every line of its text corpora, by file, for two of its models.
Needs transformers, tokenizers and sentencepiece."""
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_tokenizer as check  # noqa: E402
import trained_tokenizers as trained  # noqa: E402

WORDS = """the of and to in a is that for it as was with be by on not he his but at are this have from or had an they
which you were her all one she there would their we him been has when who will more no if out so said what up its about
into than them can only other new some could time these two may then do first any my now such like our over man me even
most made after also did many before must through back years where much your way well down should because each just those
people how too little state good very make world still own see men work long get here between both life being under never
day same another know while last might us great old year off come since against go came right used take three model text
sparse feature auto encoder galaxy star mass dust light survey data cluster emission spectrum""".split()
PIECES = """s ed ing er ly es al ion ment ness able ful less y en ize ist ity ous ive th ty r t d n m e o re on an in at
or is it us ers ings ation ational ally""".split()
TITLES = "The Of In A We It This For Galaxy Sparse New World Model".split()
CHARS = ([chr(c) for c in range(0x21, 0x7F)] +
         list("\u00a1\u00a7\u00a9\u00b0\u00b1\u00b2\u00b5\u00bf\u00df\u00e6\u00e9\u00ef\u00f1\u00f6\u00f8\u00fc\u0131\u0142\u0153") +
         list("\u00c9\u00d6\u00dc\u0130\u1e9e\u03b1\u03b4\u03bf\u03c2\u03c3\u03a3\u0430\u0431\u0416\u0436\u05d0\u0627\u0915\u093e") +
         list("\u3042\u304b\u304c\u30ab\u30bf\u30ca\u4e2d\u6587\u6771\u4eac\u1100\u1161\u11ab\u1112\uac00\ud55c\ufb01\u2013\u2014\u2026") +
         list("\u201c\u201d\u20ac\u2122\u2264\u221e\u0301\u0307\u0323\u0338\u20dd\u1df6\u08d4\u302e\u0345\U0001f600\u2e43\u166d;\u212a"))

TEXTS = """
|the galaxy survey of sparse features|Hello, World!|THE MODEL IS NEW|  leading and trailing  |a|.|...|?!
tab\tline\nreturn\rend|no\u00a0break\u2003em\u3000ideographic\u1680ogham\u2028line\u205fmath\u202fnarrow
form\x0cfeed|vertical\x0btab|next\x85line|nul\x00in|bell\x07in|delete\x7fin|repl\ufffdacement|\ufffd|\x00|\x01\x02
zero\u200bwidth|join\u200dner|soft\u00adhyphen|word\u2060joiner|\ufeffmark|mongolian\u180evowel|private\ue000use|\U0010fffd
unassigned\u0378point|non\uffffcharacter|arabic\u0600sign|late\u08e2format|\U000e0041tag|new\U0001fae8emoji|kept\U000110cdformat
\u4e2d\u6587text|text\u6771\u4eac|\u4e2d|\u2e80radical|\u304b\u304c|\u30ab\u30bf\u30ab\u30ca|\uac00|\ud55c\uae00 \ud55c\uad6d\uc5b4|\u1112\u1161\u11ab
a\U0002b81fb|a\U0002b820b|a\U0002b91fb|a\U0002b920b|a\U0002ceafb|a\U0002ceb0b|a\uf900b|a\U0002f800b|\u9fffx|\u3400x|\u4dc0x
caf\u00e9|cafe\u0301|na\u00efve r\u00e9sum\u00e9|\u00dcber|\u00c5ngstr\u00f6m|\u212bngstrom|\u212aelvin|a\u0301\u0323b|a\u0323\u0301b|\u1ec7|\u0344|\u0958
e\u20dde|a\u1df6b|a\u08d4b|\u302e\u0301a|a\u302e\u0301\u0323|\u0915\u093e|\u0915\u0947|\u05d0\u05b0|\u0627\u064e|\u0301|\u0301\u0301 the|the \u0301
\u0130stanbul|\u0131|I\u0307|\u039f\u0394\u039f\u03a3|\u03a3|\u03c3\u03c2|stra\u00dfe|STRA\u1e9eE|\ufb01ne|\uff21\uff22|\u2167|\u01c5|\u1c89|\ua7cb|\U00010400|\u10a0|\u13a0|\uab70
a$b+c<d=e>f^g`h|i~j|don't can't it's|U.S.A. e-mail 3.14 x_y|(a)[b]{c}|"q" 'q'|a/b\\c|#tag @you 100%|a*b&c;d:e,f
well\u2013known\u2014fact\u2026|\u201cquote\u201d|\u00bfque?|\u00a7 1|10\u00b0 \u00b15 \u20ac9 \u2122 \u00a9|x\u00b2\u2264\u221e|a\u2e43b|a\u166db|a\u037eb|a\u2260b|a\u226eb|\u1fefx|a\u061db|\U000111c9
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|hello\u2603world|\U0001f600|the\U0001f600
[MASK]|the [MASK] is|the[MASK]is|[mask]|[MASK|MASK]|[[MASK]]|[MASK][MASK]|[CLS] [SEP] [PAD] [UNK]|[CLS][SEP]|[SEP]the
<s> </s> <pad> <mask> <unk>|the <mask> is|the   <mask>is|the\u00a0<mask> is|<mask>|  <mask>  |<mas<mask>|the\u200b<mask>
a ##ing|##ing|##|# #|the##s|ing|encoders|sparsely|unknownness|galaxys|Galaxy|GALAXY|galAxy
https://example.org/abs/2408.00657v2|the the the the the the the the the the|a a a a a a a a a a a a a a a a a a a a
new york|New York|NEWYORK|a new york b|newyork|qq QQ Qq|xqq|qqx|q q|the QQ.|zz|zz top|azz topb|zz  top|\u00e9t\u00e9|\u00c9T\u00c9|ete|xetex
tok|tok tok|toktok|  tok  the|the tok\u3000the|atok|tok\u00e9|\u00e9tok|tok_|tok-|\u4e2dtok\u4e2d|sp| sp sp|a  sp b|left  right| left the right |right\t\nthe
"""


def texts():
    out = [""]
    for line in TEXTS.strip("\n").split("\n"):
        out += line.split("|")
    out += ["a" * 99, "a" * 100, "a" * 101, "\u00e9" * 100, "e\u0301" * 100, "\u00e9" * 101, "\uac00" * 50, "\uac00" * 51,
            "\u0323\u0301\u0345" * 20 + "a", "a" + "\u302e\u0301\u1df6\u0323" * 20, "the " * 200, " " * 300, "." * 60, "|", "a|b",
            "\u4e2d" * 40, "the\n\n\nof", "\r\n", "x" * 31, "x" * 30 + "\u00e9", "galaxies" * 12, "[MASK]" * 9]
    rng = random.Random(20)
    out += [check.random_text(rng) for _ in range(140)]
    return list(dict.fromkeys(out))


def vocabulary(specials, cased, after=()):
    words = WORDS + (TITLES if cased else [])
    return list(dict.fromkeys(specials + CHARS + words + ["##" + p for p in CHARS + PIECES] + list(after)))


def write(path, value):
    with open(path, "w") as out:
        json.dump(value, out, ensure_ascii=True, separators=(",", ":"))
        out.write("\n")


def write_rows(path, rows):
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=True, separators=(",", ":")) for r in rows) + "\n]\n")


def roles(names):
    return dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], names))


def flagged(vocab, *tokens):
    return [{"id": vocab.get(t["content"], len(vocab) + i), **t} for i, t in enumerate(tokens)]


ADDED = [check.added("[MASK]", lstrip=True), check.added("new york", normalized=True, special=False),
         check.added("QQ", normalized=True, special=False, single_word=True), check.added("zz top", special=False),
         check.added("\u00c9t\u00e9", normalized=True, special=False), check.added("tok", single_word=True, rstrip=True),
         check.added(" sp", special=False), check.added("left", rstrip=True), check.added("right", lstrip=True, rstrip=True),
         check.added("zz", special=False, single_word=True)]


def folders():
    """Name to (files, options): each a tokenizer folder."""
    uncased = {t: i for i, t in enumerate(vocabulary(check.BERT, False))}
    cased = vocabulary(check.BERT, True)
    mpnet = {t: i for i, t in enumerate(vocabulary(check.MPNET, False, ["<mask>"]))}
    bert = [check.added(t) for t in check.BERT]
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                  "lowercase": True}
    template = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    one = lambda v, added, n=normalizer, t=template, m=100: check.tokenizer_json(v, added, n, t, m)
    names = roles(check.BERT)
    mp_names = roles(["<pad>", "[UNK]", "<s>", "</s>", "<mask>"])
    mp_added = [check.added(t, lstrip=t == "<mask>") for t in ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]]
    generic = {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}]}
    twice = {"type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
             "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                        {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
             "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (("[CLS]", 2), ("[SEP]", 3))}}
    return {
        "uncased": {"tokenizer.json": one(uncased, flagged(uncased, *bert)),
                    "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 512, **names}},
        "cased-vocab-txt": {"vocab.txt": cased, "config.json": {"model_type": "distilbert"},
                            "tokenizer_config.json": {"do_lower_case": False, "model_max_length": 1e30}},
        "cased-strip": {"vocab.txt": cased, "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizerFast", "do_lower_case": False, "strip_accents": True}},
        "lower-keep": {"tokenizer.json": one(uncased, flagged(uncased, *bert)), "tokenizer_config.json": {
            "tokenizer_class": "DistilBertTokenizer", "strip_accents": False, "tokenize_chinese_chars": False, **names,
            "clean_up_tokenization_spaces": True}},
        "mpnet": {"tokenizer.json": one(mpnet, flagged(mpnet, *mp_added), t={
            "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}),
            "tokenizer_config.json": {"tokenizer_class": "MPNetTokenizer", **mp_names}},
        "mpnet-vocab-txt": {"vocab.txt": list(mpnet), "config.json": {"model_type": "mpnet"}},
        "added": {"tokenizer.json": one(uncased, flagged(uncased, *bert, *ADDED[1:])), "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer", **names, "added_tokens_decoder": {
                str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in flagged(uncased, *ADDED)}}},
        "generic": {"tokenizer.json": one(uncased, flagged(uncased, *bert, *ADDED[3:6]), generic, twice, 7),
                    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **names,
                                              "additional_special_tokens": ["qq"]}},
        "generic-plain": {"tokenizer.json": one(uncased, flagged(uncased, *bert[1:]), None, None),
                          "tokenizer_config.json": {"tokenizer_class": "TokenizersBackend"}},
        "special-map": {"vocab.txt": cased, "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", **names},
                        "added_tokens.json": {"zz top": len(cased), "QQ": len(cased) + 1},
                        "special_tokens_map.json": {"mask_token": check.added("tok", rstrip=True), "cls_token": "[CLS]"}},
    }


# The kinds that are kept; check_tokenizer.py trained has them all.
TRAINED = """bpe-bytes bpe-bytes-space bpe-bytes-nfc bpe-bytes-whole bpe-gpt4 bpe-gpt4o bpe-digits bpe-contiguous bpe-llama
bpe-unknown bpe-fused bpe-suffix bpe-prefix bpe-first unigram unigram-meta unigram-bytes unigram-never unigram-first
unigram-previous unigram-map""".split()
CLASSES = "roberta-space roberta-files xlm-roberta xlm-roberta-model xlm-roberta-user camembert camembert-model".split()

# A small map of characters: letters of several forms, sequences, some that vanish, some that become more.
RULES = [("\uff21", "A"), ("\uff22", "B"), ("\ufb01", "fi"), ("\u00e9", "e"), ("e\u0301", "\u00e9"), ("\u2167", "VIII"), ("\t", " "),
         ("\n", " "), ("\r", " "), ("\u3000", " "), ("\u00a0", " "), ("\u200b", ""), ("\u00ad", ""), ("\u00b2", "2"), ("\u2026", "..."),
         ("\u212a", "K"), ("\uff76", "\u30ab"), ("\uff76\uff9e", "\u30ac"), ("\u304b\u3099", "\u304c"), ("\u1100\u1161", "\uac00"),
         ("\u0915\u093c", "\u0958"), ("\U0001f600", ":)"), ("\u00a9", "(c)"), ("\u00df", "ss"), ("\u0130", "i\u0307")]


def trained_folders(scratch):
    """Small tokenizers that are trained: of the generic class, and folders of the known ones."""
    lines, rules = trained.sample_lines(400), os.path.join(scratch, "rules.tsv")
    with open(rules, "w") as out:
        out.writelines("\t".join(" ".join(f"{ord(c):X}" for c in x) for x in rule) + "\n" for rule in RULES)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "mask_token": "<mask>", "unk_token": "<unk>", "pad_token": "<pad>"}
    makers = trained.kinds(lines, 340, rules)
    for name in TRAINED:
        tokenizer = trained.finish(makers[name](), not name.startswith("unigram"))
        yield name, {"tokenizer.json": json.loads(tokenizer.to_str()), "tokenizer_config.json": config}
    makers = trained.class_folders(lines, 340, rules)
    for name in CLASSES:
        folder = os.path.join(scratch, name)
        makers[name](folder)
        files = {file: open(os.path.join(folder, file), "rb").read() for file in sorted(os.listdir(folder))}
        yield name, {file: json.loads(data) if file.endswith(".json") else data for file, data in files.items()}


def digest_corpora(shared):
    """Ids of every line, cut to 128 as those models do, one JSON array a line."""
    found = {}
    corpora = os.path.join(shared, "corpora", "text")
    for model in ("tiny-mpnet", "tiny-distilbert-cased"):
        reference = check.load_reference(os.path.join(shared, "oracle", model))
        found[model] = {}
        for file in sorted(os.listdir(corpora)):
            with open(os.path.join(corpora, file), "rb") as lines:
                rows = [line.decode("utf-8", "replace").rstrip("\n") for line in lines]
            ids = [i if len(i) <= 128 else i[:127] + i[-1:] for i in check.reference_ids(reference, rows)]
            found[model][file] = hashlib.sha256("".join(json.dumps(i) + "\n" for i in ids).encode()).hexdigest()
    return found


def main():
    out, scratch = sys.argv[1], tempfile.mkdtemp()
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    inputs = texts()
    write_rows(os.path.join(out, "texts.json"), inputs)
    rng = random.Random(30)
    for name, files in [*folders().items(), *trained_folders(scratch)]:
        folder = os.path.join(out, name)
        os.makedirs(folder)
        for file, content in files.items():
            path = os.path.join(folder, file)
            if isinstance(content, bytes):
                open(path, "wb").write(content)
            elif file == "vocab.txt":
                open(path, "w", newline="").write("".join(t + "\n" for t in content))
            else:
                write(path, content)
        made = None
        if "config.json" not in files:  # the reference wants one to find the class
            made = os.path.join(folder, "config.json")
            write(made, {"model_type": "bert"})
        reference = check.load_reference(folder)
        ids = check.reference_ids(reference, inputs)
        n_vocab = max(reference.backend_tokenizer.get_vocab().values()) + 1
        lists = rng.sample(ids, 12) + [[rng.randrange(n_vocab + 9) for _ in range(25)] for _ in range(12)]
        decoded = [[i, reference.decode(i), reference.decode(i, skip_special_tokens=True)] for i in lists]
        lowered = check.reference_ids(check.load_reference(folder, True), inputs) if name in ("cased-vocab-txt", "generic-plain") else None
        if made:
            os.remove(made)
        expected = {"n_vocab": n_vocab, "ids": ids, "decoded": decoded, **({"lower_first_ids": lowered} if lowered else {})}
        write(os.path.join(out, name + ".expected.json"), expected)
    shutil.rmtree(scratch)
    if len(sys.argv) > 2:
        with open(os.path.join(out, "corpora-ids.json"), "w") as digests:
            json.dump(digest_corpora(sys.argv[2]), digests, indent=1)


if __name__ == "__main__":
    main()
