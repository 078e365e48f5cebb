#!/usr/bin/env python3
"""Compare the tokenizer with the reference libraries.

    check_tokenizer.py points                    the normalisers and splits, over every code point
    check_tokenizer.py random [--texts N] [--folders N] [--seed S]
                                                 random texts on random model folders
    check_tokenizer.py files FOLDER FILE...      every line (or JSONL text) of files, one model
    check_tokenizer.py trained [--texts N] [--lines FILE] [--seed S]
                                                 BPE and Unigram of many kinds, trained on the spot,
                                                 on lines of a file and random texts from all scripts
    options: --library PATH (libsaescope.a), --verbose

Needs transformers and tokenizers; prints a count of differences and exits 1 if there are any. The
driver, tools/tokenizer_driver.c, is compiled against a built library."""
import argparse
import json
import lzma
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ALL_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
N_SHOWN = 8


def build_driver(library, folder):
    path = os.path.join(folder, "driver")
    subprocess.run(["cc", "-O2", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/src", f"-I{ROOT}/include",
                    f"{ROOT}/tools/tokenizer_driver.c", library, "-lcrypto", "-lpthread", "-lm",
                    "-o", path], check=True)
    return path


def drive(driver, mode, folder, values, *more):
    lines = "".join(json.dumps(v) + "\n" for v in values)
    done = subprocess.run([driver, mode, folder, *more], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{done.returncode}: {done.stderr.strip()}")
    return done.stdout.splitlines()


class Count:
    def __init__(self):
        self.compared = self.wrong = 0

    def add(self, what, texts, ours, theirs):
        assert len(texts) == len(ours) == len(theirs), (what, len(texts), len(ours), len(theirs))
        self.compared += len(texts)
        for text, a, b in zip(texts, ours, theirs):
            if a != b:
                self.wrong += 1
                if self.wrong <= N_SHOWN:
                    print(f"{what}: {text!r}\n  ours {a!r}\n  ref  {b!r}")


# ---- folders ----

def words_of(seed):
    """A vocabulary in which most single characters can be told apart."""
    chars = [chr(c) for c in list(range(0x21, 0x7F)) + list(range(0xA1, 0x180)) if chr(c) != "\u00ad"]
    chars += [chr(c) for c in (0x300, 0x301, 0x323, 0x345, 0x3B1, 0x3C3, 0x3C2, 0x1100, 0x1161, 0x11A8, 0x4E2D, 0x6587,
                               0x3042, 0x304B, 0x3099, 0x915, 0x93E, 0x94D, 0x5D0, 0x5B0, 0x627, 0x64E, 0x1F600, 0xFB01,
                               0x1E9E, 0xDF, 0x131, 0x307, 0x1DF6, 0x8D4, 0x1E000, 0x302E, 0x20DD, 0x2E43, 0x166D)]
    words = ["the", "The", "ing", "re", "un", "caf", "hello", "world", "ab", "abc", "able", "new", "New", "mask", "don"]
    rng = random.Random(seed)
    words += ["".join(rng.choice("aeioustrnl") for _ in range(rng.randint(2, 5))) for _ in range(200)]
    pieces = chars + words + ["##" + w for w in chars + words]
    return list(dict.fromkeys(pieces))


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MPNET = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]"]


def added(content, **flags):
    return {"content": content, **{**dict(single_word=False, lstrip=False, rstrip=False, normalized=False,
                                          special=True), **flags}}


def random_added(rng):
    content = rng.choice(["[X]", "QQ", "qq", "\u00c9t\u00e9", "new york", " sp", "zz top", "\u4e2d\u6587", "<a>", "ab", "The",
                          "##ing", "\u0130x", "tok", "[MASK]", "a", "\u00a0n", "foo\tbar", "e\u0301", "..", "\u200bz"])
    return added(content, **{k: rng.random() < 0.4 for k in
                             ("single_word", "lstrip", "rstrip", "normalized", "special")})


def distinct(tokens):
    """Without tokens that a normaliser could make equal: which of them the reference finds is chance."""
    def key(token):
        kept = (c for c in unicodedata.normalize("NFD", token["content"]) if unicodedata.category(c) not in ("Mn", "Cf"))
        return "".join(kept).lower().strip()
    return list({key(t): t for t in reversed(tokens)}.values())[::-1]


def tokenizer_json(vocab, tokens, normalizer, template, maximum=100):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": normalizer,
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": template,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": maximum, "vocab": vocab}}


def random_normalizer(rng):
    bert = {"type": "BertNormalizer", "clean_text": rng.random() < 0.7, "handle_chinese_chars": rng.random() < 0.7,
            "strip_accents": rng.choice([None, True, False]), "lowercase": rng.random() < 0.5}
    simple = [{"type": "Lowercase"}, {"type": "NFD"}, {"type": "StripAccents"}]
    return rng.choice([bert, None, rng.choice(simple),
                       {"type": "Sequence", "normalizers": rng.sample(simple, rng.randint(1, 3)) +
                        rng.choice([[], [bert]])}])


# Names of classes that WordPiece comes with, and some that are not known to the reference.
GENERIC_NAMES = ["PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "NezhaTokenizer", "RetriBertTokenizer",
                 "RealmTokenizer", "OwnTokenizer", "OwnTokenizerFast", "BloomTokenizerFast", "ConvBertTokenizer",
                 "ConvBertTokenizerFast", "DPRContextEncoderTokenizerFast", "DPRQuestionEncoderTokenizerFast",
                 "DPRReaderTokenizerFast"]
CLASS_NAMES = GENERIC_NAMES + """ElectraTokenizer ElectraTokenizerFast LayoutLMTokenizer LayoutLMTokenizerFast LxmertTokenizer
LxmertTokenizerFast MobileBertTokenizer MobileBertTokenizerFast SqueezeBertTokenizer SqueezeBertTokenizerFast
DPRContextEncoderTokenizer DPRQuestionEncoderTokenizer DPRReaderTokenizer SplinterTokenizer SplinterTokenizerFast FunnelTokenizer
FunnelTokenizerFast MPNetTokenizerFast DistilBertTokenizerFast""".split()


def random_template(rng, vocab):
    cls, sep = ["[CLS]", vocab["[CLS]"]], ["[SEP]", vocab["[SEP]"]]
    special = {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in (cls, sep)}
    parts = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    template = {"type": "TemplateProcessing", "single": rng.choice([parts, parts[1:], parts[:2], parts + parts[2:]]),
                "pair": parts + [{"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": special}
    return rng.choice([template, template, None, {"type": "BertProcessing", "sep": sep, "cls": cls},
                       {"type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": True,
                        "add_prefix_space": False}])


def make_folder(path, rng):
    """A random model folder; returns its description and whether lower-casing comes first."""
    os.makedirs(path)
    kind = rng.choice(["BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "MPNetTokenizer", None,
                       "PreTrainedTokenizerFast", "TokenizersBackend"] if rng.random() < 0.6 else CLASS_NAMES)
    model_type = rng.choice(["bert", "distilbert", "mpnet", "modernbert", "electra", "nomic_bert"])
    mpnet = kind == "MPNetTokenizer" or (kind is None and model_type == "mpnet")
    generic = kind in GENERIC_NAMES or model_type == "modernbert"
    specials = MPNET if mpnet else BERT
    words = words_of(rng.random())
    rng.shuffle(words)
    tokens = specials + words + (["<mask>"] if mpnet and rng.random() < 0.8 else [])
    vocab = {t: i for i, t in enumerate(tokens)}
    listed = [t for t in tokens if t in BERT + MPNET + ["<mask>"]]
    file_added = [{"id": vocab[t], **added(t, lstrip=t == "<mask>")} for t in listed if rng.random() < 0.9]
    for _ in range(rng.randint(0, 4)):
        token = random_added(rng)
        file_added.append({"id": vocab.get(token["content"], len(vocab) + len(file_added)), **token})
    file_added = distinct(file_added)
    config = {"tokenizer_class": kind} if kind else {}
    for key, values in (("do_lower_case", [True, False]), ("strip_accents", [None, True, False]),
                        ("tokenize_chinese_chars", [True, False]), ("clean_up_tokenization_spaces", [True, False])):
        if rng.random() < 0.6:
            config[key] = rng.choice(values)
    names = dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"],
                     ["<pad>", "[UNK]", "<s>", "</s>", "<mask>"] if mpnet else BERT))
    if rng.random() < 0.2:
        names["mask_token"] = rng.choice(["<new mask>", "the", "[X]"])
    for key, value in names.items():
        if rng.random() < 0.6:
            config[key] = value if rng.random() < 0.7 else {"__type": "AddedToken",
                                                            **added(value, normalized=False, lstrip=rng.random() < 0.5)}
    some = lambda *texts: [t if rng.random() < 0.7 else {"__type": "AddedToken", **added(t, lstrip=rng.random() < 0.5)} for t in texts]
    if rng.random() < 0.2:
        config["query_token"] = some("[Q]")[0]
    if rng.random() < 0.1:
        config["question_token"] = some("[Q2]")[0]
    if rng.random() < 0.3:
        config["extra_special_tokens"] = rng.choice([some("[E1]", "qq"), [], {"image_token": some("<img>")[0], "query_token": "[Q3]"}])
    if rng.random() < 0.3:
        config["additional_special_tokens"] = rng.choice([some("[E2]", "QQ"), [], some("[E1]")])
    if rng.random() < 0.1:
        config["split_special_tokens"] = rng.choice([True, False])
    if rng.random() < 0.1:
        config[rng.choice(["mask_token", "pad_token", "bos_token", "eos_token"])] = None
    if rng.random() < 0.1:
        config[rng.choice(["add_bos_token", "add_eos_token"])] = rng.choice([True, False])
    if rng.random() < 0.3:
        chosen = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in file_added if rng.random() < 0.8}
        for _ in range(rng.randint(0, 2)):
            token = random_added(rng)
            if len(distinct(file_added + [token])) > len(file_added) or token["content"] in [t["content"] for t in file_added]:
                chosen[str(rng.randint(0, len(vocab) + 5))] = token
        config["added_tokens_decoder"] = chosen
    write = lambda name, value: json.dump(value, open(os.path.join(path, name), "w"))
    write("config.json", {"model_type": model_type})
    if generic or rng.random() < 0.6:
        normalizer = random_normalizer(rng) if generic else {"type": "BertNormalizer", "clean_text": True, "lowercase": True,
                                                             "handle_chinese_chars": True, "strip_accents": None}
        write("tokenizer.json", tokenizer_json(vocab, file_added, normalizer, random_template(rng, {"[CLS]": 2, "[SEP]": 3}),
                                               rng.choice([100, 5])))
    else:
        open(os.path.join(path, "vocab.txt"), "w", newline="").write(
            "".join(t + rng.choice(["\n", "\n", "\n", " \n", "\r\n"]) for t in tokens))
    if config or rng.random() < 0.5:
        write("tokenizer_config.json", config)
    if rng.random() < 0.3:
        special_map = {k: v if rng.random() < 0.6 else {k2: v2 for k2, v2 in added(v).items() if k2 != "special"}
                       for k, v in names.items() if rng.random() < 0.7}
        if rng.random() < 0.3:
            special_map["additional_special_tokens"] = ["[E3]", "tok"]
        if rng.random() < 0.2:
            special_map["extra_special_tokens"] = rng.choice([["[E4]", "qq"], {"image_token": "<img2>"}])
        if rng.random() < 0.2:
            special_map["answer_token"] = "[A]"
        write("special_tokens_map.json", special_map)
    if rng.random() < 0.2:
        write("added_tokens.json", {"[AA]": len(vocab), "Bb": len(vocab) + 1})
    return {"class": kind, "model_type": model_type, "config": config}


# ---- texts ----

POOLS = [
    (30, [chr(c) for c in range(0x20, 0x7F)]),
    (20, list("abcdefghijklmnopqrstuvwxyzABCDEFG    ")),
    (6, [chr(c) for c in range(0xC0, 0x250)]),
    (6, [chr(c) for c in list(range(0x300, 0x370)) + [0x5B0, 0x64E, 0x93C, 0x94D, 0x3099, 0x302E, 0x1D165, 0x1DF6, 0x8D4,
                                                       0x1E000, 0x20DD, 0x34F, 0xF71, 0xF72, 0x1AC1]]),
    (4, [chr(c) for c in list(range(0x4E00, 0x4E20)) + [0x4E2D, 0x6587, 0xF900, 0x2B81F, 0x2B820, 0x2B920, 0x2CEB0]]),
    (4, [chr(c) for c in range(0xAC00, 0xAC40)] + [chr(c) for c in range(0x1100, 0x1120)]),
    (4, [chr(c) for c in list(range(0x370, 0x400)) + list(range(0x1F00, 0x2000))]),
    (4, [chr(c) for c in list(range(0x900, 0x980)) + list(range(0x600, 0x680)) + list(range(0x3040, 0x3100))]),
    (3, [chr(c) for c in list(range(0x1F600, 0x1F640)) + [0x1FAE8, 0x200D, 0xFE0F, 0x2122, 0xB0, 0xB2]]),
    (3, [chr(c) for c in list(range(0, 0x20)) + list(range(0x7F, 0xA1)) + [0xAD, 0xFEFF, 0xFFFD, 0xFFF9, 0x200B, 0x180E,
                                                                         0xE000, 0x10FFFD, 0x378, 0xFFFF]]),
    (3, [chr(c) for c in [0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x205F, 0x3000, 9, 10, 13]]),
    (3, [chr(c) for c in list(range(0x2010, 0x2060)) + [0x37E, 0x2260, 0x226E, 0x1FEF, 0x212A, 0x130, 0x1E9E, 0x2E43]]),
    (3, None),  # any code point
    (5, ["[MASK]", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "<s>", "</s>", "<pad>", "<mask>", "<unk>", "<new mask>", "[X]", "QQ",
         "qq", "\u00c9t\u00e9", "\u00e9t\u00e9", "ete", "new york", "NEW YORK", " sp", "zz top", "\u4e2d\u6587", "<a>", "##ing",
         "\u0130x", "tok", "[AA]", "Bb", "bb", "[E1]", "[E2]", "[E3]", "[E4]", "[Q]", "[Q2]", "[Q3]", "[A]", "[QUESTION]",
         "<img>", "<img2>", "<cls>", "<sep>", "e\u0301", "the", "The", "hello", "world", "un", "re"]),
    (2, ["a" * 100, "a" * 101, "\u00e9" * 100, "ab" * 60, "\u0301" * 40, " " * 5, "\u0323\u0301\u0345" * 12]),
]


def random_text(rng):
    weights = [w for w, _ in POOLS]
    if rng.random() < 0.5:
        weights = [w if rng.random() < 0.3 else 0 for w in weights]
        weights[1] = weights[1] or 5
    out = []
    for pool in rng.choices([p for _, p in POOLS], weights, k=rng.choice([1, 3, 8, 20, 60])):
        out.append(chr(rng.choice(ALL_POINTS)) if pool is None else rng.choice(pool))
    return "".join(out)


# ---- the comparisons ----

def load_reference(folder, lower=False):
    from tokenizers import normalizers
    from transformers import AutoTokenizer
    reference = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    backend = reference.backend_tokenizer
    if lower:  # as sentence-transformers does for do_lower_case
        old = backend.normalizer
        parts = list(old) if isinstance(old, normalizers.Sequence) else [old] if old is not None else []
        if not any(isinstance(p, normalizers.Lowercase) for p in parts):
            backend.normalizer = normalizers.Sequence([normalizers.Lowercase()] + parts)
    backend.no_truncation()
    backend.no_padding()
    return reference


def reference_ids(reference, texts):
    return [e.ids for e in reference.backend_tokenizer.encode_batch(texts)]


def check_decoding(count, driver, folder, reference, lists, lower):
    ours = drive(driver, "decode", folder, lists, *(["lower"] if lower else []))
    theirs = []
    for ids in lists:
        both = [reference.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
        theirs.append(both)
    count.add(f"decode {folder}", lists, [[json.loads(x) for x in line.split("\t")] for line in ours], theirs)


def check_points(driver, scratch, count):
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
    vocab = {t: i for i, t in enumerate(BERT + ["a", "b", "##b", "e"])}
    template = random_template(random.Random(1), vocab)
    bert = lambda **on: {"type": "BertNormalizer", **{**dict(clean_text=False, handle_chinese_chars=False,
                                                             strip_accents=False, lowercase=False), **on}}
    plans = {"clean": bert(clean_text=True), "cjk": bert(handle_chinese_chars=True), "strip": bert(strip_accents=True),
             "lower": {"type": "Lowercase"}, "nfd": {"type": "NFD"}, "marks": {"type": "StripAccents"},
             "uncased": bert(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True)}
    single = {"id": len(vocab), **added("#zz#", single_word=True)}
    shapes = {"alone": "{}", "between": "a{}b", "marks before": "e\u0334\u0345{}", "marks behind": "e{}\u0334\u0345\u0323"}
    for name, normalizer in plans.items():
        folder = os.path.join(scratch, name)
        os.makedirs(folder)
        text = json.dumps(tokenizer_json(vocab, [single], normalizer, template))
        open(os.path.join(folder, "tokenizer.json"), "w").write(text)
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast"}, open(os.path.join(folder, "tokenizer_config.json"), "w"))
        reference = Tokenizer.from_str(text)
        for shape, form in shapes.items():
            texts = [form.format(chr(c)) for c in ALL_POINTS]
            theirs = [reference.normalizer.normalize_str(t) for t in texts]
            count.add(f"{name}, {shape}", texts, [json.loads(x) for x in drive(driver, "normalize", folder, texts)], theirs)
        if name in ("uncased", "clean", "lower"):
            texts = [form.format(chr(c)) for form in ("a{}b", "{}#zz#", "#zz#{}") for c in ALL_POINTS]
            theirs = [reference.encode(t).ids for t in texts]
            count.add(f"{name}, ids", texts, [json.loads(x) for x in drive(driver, "ids", folder, texts)], theirs)
        print(f"{name}: {count.compared} compared, {count.wrong} differ", flush=True)


def check_random(driver, scratch, count, options):
    refused = ours_refused = 0
    for i in range(options.folders) if options.only is None else [options.only]:
        rng = random.Random(options.seed * 1000003 + i)
        folder = os.path.join(scratch, f"f{i}")
        about = make_folder(folder, rng)
        lower = rng.random() < 0.15
        texts = [random_text(rng) for _ in range(max(1, options.texts // options.folders))]
        try:
            reference = load_reference(folder, lower)
            theirs = reference_ids(reference, texts)
        except BaseException as problem:
            refused += 1
            print(f"folder {i}: the reference fails: {str(problem)[:120]}")
            continue
        try:
            ours = [json.loads(x) for x in drive(driver, "ids", folder, texts, *(["lower"] if lower else []))]
        except RuntimeError as problem:
            if "not supported" in str(problem) and not options.verbose:
                ours_refused += 1
                continue
            count.wrong += 1
            print(f"folder {i}: {problem} {about}")
            continue
        before = count.wrong
        count.add(f"folder {i}", texts, ours, theirs)
        lists = theirs[:60] + [[rng.randrange(0, 1500) for _ in range(rng.randint(0, 30))] for _ in range(60)]
        check_decoding(count, driver, folder, reference, lists, lower)
        if count.wrong > before and options.verbose:
            print(f"folder {i}: {about}")
    if options.keep:
        shutil.copytree(scratch, options.keep, dirs_exist_ok=True)
    print(f"{options.folders} folders, {refused} refused by the reference, {ours_refused} by us alone")


def lines_of(path):
    opener = lzma.open if path.endswith(".xz") else open
    for line in opener(path, "rb"):
        text = line.decode("utf-8", "replace")
        if ".jsonl" in path:
            try:
                text = json.loads(text)
                text = text if isinstance(text, str) else text["text"]
            except (ValueError, KeyError, TypeError):
                pass
        yield text.encode("utf-8", "replace").decode("utf-8") if isinstance(text, str) else str(text)


def check_files(driver, count, options):
    reference = load_reference(options.folder)
    for path in options.files:
        texts = list(lines_of(path))
        before = count.wrong
        count.add(path, texts, [json.loads(x) for x in drive(driver, "ids", options.folder, texts)],
                  reference_ids(reference, texts))
        print(f"{path}: {len(texts)} texts, {count.wrong - before} differ", flush=True)


# ---- trained tokenizers ----

def damaged(rng, line):
    """A line with odd things put into it: what stands beside a word decides how it is cut."""
    out = list(line[rng.randrange(len(line) + 1):][:rng.choice([20, 80, 300])])
    for _ in range(rng.choice([0, 1, 1, 3, 8])):
        odd = rng.choice([lambda: chr(rng.choice(ALL_POINTS)), lambda: random_text(rng)[:40], lambda: "'" + rng.choice("stdmlrvSTDM\u017f"),
                          lambda: rng.choice(["<mask>", "<s>", "</s>", "<pad>", "<unk>", "  <mask>", "\u2581", "<0x41>", "</w>", "@@", "<unk>NOTUSED", "<s>NOTUSED"]),
                          lambda: rng.choice([" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u200b", "\x00", "\x85"]) * rng.randint(1, 4),
                          lambda: rng.choice("0123456789\u00bd\u0663\u2167") * rng.randint(1, 7)])
        out.insert(rng.randint(0, len(out)), odd())
    return "".join(out)


def trained_texts(rng, n, lines):
    some = lambda: random_text(rng) if rng.random() < 0.4 else damaged(rng, rng.choice(lines))
    longest = [c * 20000 for c in ("a", "ab", "\u4e2d", "\U0001f600", "x1", "\u0301", " ", "a ")]
    return [""] + longest + [some() for _ in range(n)]


def check_trained(driver, scratch, count, options):
    import trained_tokenizers as trained
    lines = [line.rstrip("\n") for line in open(options.lines)] if options.lines else trained.sample_lines()
    makers = {name: lambda path, train=train, roberta=not name.startswith("unigram"):
              trained.write_folder(path, trained.finish(train(), roberta)) for name, train in trained.kinds(lines[:4000]).items()}
    makers.update(trained.class_folders(lines[:4000]))
    for name, make in makers.items():
        if options.kinds and name not in options.kinds:
            continue
        folder = os.path.join(options.keep or scratch, name)
        make(folder)
        reference, before = load_reference(folder), count.wrong
        rng = random.Random(f"{options.seed} {name}")
        for at in range(0, options.texts, 50000):
            texts = trained_texts(rng, min(50000, options.texts - at), lines)
            count.add(name, texts, [json.loads(x) for x in drive(driver, "ids", folder, texts)], reference_ids(reference, texts))
        # what is decoded is a C string, which a NUL would end
        lists = [reference.backend_tokenizer.encode(t).ids for t in texts[:300] if "\0" not in t]
        check_decoding(count, driver, folder, reference, lists, False)
        print(f"{name}: {options.texts} texts, {count.wrong - before} differ", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", default=f"{ROOT}/build/release/src/libsaescope.a")
    parser.add_argument("--verbose", action="store_true")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("points")
    some = modes.add_parser("random")
    some.add_argument("--texts", type=int, default=20000)
    some.add_argument("--folders", type=int, default=100)
    some.add_argument("--seed", type=int, default=1)
    some.add_argument("--only", type=int, help="number of a single folder")
    some.add_argument("--keep", help="copy the folders here")
    some = modes.add_parser("trained")
    some.add_argument("--texts", type=int, default=5000)
    some.add_argument("--seed", type=int, default=1)
    some.add_argument("--lines", help="a file of texts to train on and to damage")
    some.add_argument("--kinds", nargs="*", help="only these")
    some.add_argument("--keep", help="make the folders here")
    files = modes.add_parser("files")
    files.add_argument("folder")
    files.add_argument("files", nargs="+")
    options = parser.parse_args()
    count = Count()
    with tempfile.TemporaryDirectory() as scratch:
        driver = build_driver(options.library, scratch)
        if options.mode == "points":
            check_points(driver, scratch, count)
        elif options.mode == "random":
            check_random(driver, scratch, count, options)
        elif options.mode == "trained":
            check_trained(driver, scratch, count, options)
        else:
            check_files(driver, count, options)
    print(f"{count.compared} compared, {count.wrong} differ")
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
