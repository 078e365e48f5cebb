#!/usr/bin/env python3
"""Write tests/data/tokenizer_parts.json: parts of tokenizer.json, and what the reference makes of their combinations.

    make_tokenizer_product.py OUT.json             the parts, texts, and a digest for each combination of the product
    make_tokenizer_product.py --search [--library PATH] [--seed S] [--folders N]
                                                   random combinations and random texts, compared with a built library

The first model is combined with every pre-tokenizer and every normalizer, the others with a sixth of these pairs each,
so that each pair meets three of them; post-processors, which see ids alone, with every model. With "all" behind OUT.json
there is no such choice: for a test that was built with PARTS_STEP 1. A digest is FNV-1a of 32 bits over the ids of all texts, each as 4 bytes, little end first, and -1 behind each
text. Where the reference fails on a text, the combination has none ("--------"). Needs the tokenizers library."""
import json
import os
import random
import struct
import sys
import tempfile

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_tokenizer as check  # noqa: E402
import trained_tokenizers as trained  # noqa: E402
import tokenizers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

MARK = "\u2581"
TEXTS = ["foo foobar walking rivers", "The cat sat.", "  two  spaces ", "don't stop: it's 3.14, 10,000!", "caf\u00e9 cafe\u0301 \u00c9T\u00c9",
         "\u4e2d\u6587 \u6771\u4eac\u30bf\u30ef\u30fc \u3072\u3089", "a-b_c--d", "\u0410\u0431\u0432 \u03b1\u03b2\u03b3 abc\u0430bc", "tab\tnew\nline\r\n end", "x\u00a0y\u2003z\u3000w",
         "\u00b2\u00bd\u0663 12ab34", MARK + "mark " + MARK + MARK + "x a" + MARK + "b", "<m> a <m>b", "Zz top zz", "[UNK] <unk> [CLS]", "\U0001f600!\U0001f600", "\u200bz\u00adw\ufeff",
         "\ufb01ne \u2167 \uff21\u212a \u0130I", "", " ", "aaaaaaa bbbbbbbbbbbbb", "ab ab  abab", "<0x41> \x01\x7f"]
CHARS = ("abcdefghijklmnopqrstuvwxyzABCTZ0123456789.,:;!'-_[]<>" + "\u00e9\u00c9\u0301\u00b2\u00bd\u0663\u4e2d\u6587\u6771\u4eac\u30bf\u3072\u0410\u0431\u0432\u03b1\u03b2\ufb01\uff21K\u2167" +
         MARK + "\u0120\u010a\u00c3\u00a9\u00e4\u00b8\u0143\u00e2\u0138\u0124\u00d0" + " ")
WORDS = ["fo", "oo", "foo", "bar", "walk", "ing", "river", "rivers", "cat", "Cat", "sat", "the", "The", "ab", "abab", "aa", "bb", "don", "don't", "it", "'s", "10",
         "caf", "caf\u00e9", "cafe", "\u4e2d\u6587", "12", "a-", "-b", "\u0120t", "\u0120a", "\u0120foo", "\u0120caf", "\u00c3\u00a9", MARK + "a", MARK + "f", MARK + "foo", MARK + "T", MARK + MARK,
         " a", " f", "two", "  ", "top", "Zz", "zz", "stop", "end", "ne", "zw"]
PAIRS = [("f", "o"), ("fo", "o"), ("o", "o"), ("a", "b"), ("ab", "ab"), ("a", "a"), ("b", "b"), ("t", "h"), ("th", "e"), ("c", "a"), ("ca", "t"),
         ("ca", "f"), ("caf", "\u00e9"), ("i", "n"), ("in", "g"), ("1", "0"), ("\u0120", "t"), ("\u0120", "a"), ("\u0120", "f"), ("\u0120f", "oo"), ("\u00c3", "\u00a9"), (MARK, "a"), (MARK, "f"),
         (MARK, MARK), (" ", "a"), ("'", "s"), ("\u4e2d", "\u6587"), ("z", "z"), ("Z", "z")]


def ids_of(tokens):
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def wordpiece(prefix="##", maximum=100, unknown="[UNK]"):
    pieces = list(CHARS) + WORDS
    vocab = ids_of(["[UNK]", "<unk>", "[CLS]", "[SEP]"] + pieces + [prefix + p for p in pieces if p not in ("\u0663", "q")])
    return {"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": prefix, "max_input_chars_per_word": maximum,
            "vocab": vocab}


def bpe(prefix=None, suffix=None, fallback=(), unknown="<unk>", **more):
    p, s = prefix or "", suffix or ""
    chars = [c for c in CHARS if c not in "q\u0663\u4e2d"] if unknown or fallback else list(CHARS)
    vocab = ["[UNK]", "<unk>", "[CLS]", "[SEP]"] + chars + ["<0x%02X>" % b for b in fallback]
    merges = []
    vocab += [p + c for c in chars] + [c + s for c in chars] + [p + c + s for c in chars]
    for a, b in PAIRS:  # a continuing symbol has the prefix, the last one the suffix
        for left in {a, p + a}:
            for right in {p + b, p + b + s}:
                merges.append((left, right))
                vocab += [left, right, left + right[len(p):]]
    vocab += ["foo", "the", "walking", "zz" + s]
    return {"type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix,
            "fuse_unk": False, "byte_fallback": bool(fallback), "ignore_merges": False, **more, "vocab": ids_of(vocab),
            "merges": [list(m) for m in dict.fromkeys(merges)]}


def unigram(fallback=()):
    rng = random.Random(3)
    pieces = [c for c in CHARS if c not in "q\u0663\u4e2d"] + WORDS + ["<0x%02X>" % b for b in fallback]
    score = lambda t: -round(rng.uniform(2, 4) + 8 / (1 + len(t)), 3)
    return {"type": "Unigram", "unk_id": 1, "byte_fallback": bool(fallback),
            "vocab": [["[UNK]", 0.0], ["<unk>", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0]] + [[t, score(t)] for t in dict.fromkeys(pieces)]}


def models():
    words = ["[UNK]", "<unk>", "[CLS]", "[SEP]"] + list(CHARS) + WORDS + ["foobar", "walking", "spaces", "it's", "3.14", "line", MARK + "spaces", "\u0120spaces", "stop:"]
    return {
        "wordpiece": wordpiece(), "wordpiece-at": wordpiece("@@"), "wordpiece-bare": wordpiece(""), "wordpiece-short": wordpiece(maximum=5),
        "wordpiece-unk": wordpiece(unknown="<unk>"), "wordpiece-mark": wordpiece(MARK),
        "wordlevel": {"type": "WordLevel", "unk_token": "<unk>", "vocab": ids_of(words)},
        "bpe": bpe(), "bpe-none": bpe(unknown=None), "bpe-fused": bpe(fuse_unk=True), "bpe-whole": bpe(ignore_merges=True),
        "bpe-suffix": bpe(suffix="</w>"), "bpe-prefix": bpe(prefix="@@"), "bpe-both": bpe(prefix="##", suffix="</w>", fuse_unk=True),
        "bpe-fallback": bpe(fallback=range(256)), "bpe-some-fallback": bpe(fallback=range(0xC0, 0x100), fuse_unk=True, dropout=0.0),
        "unigram": unigram(), "unigram-fallback": unigram(range(256)),
    }


def charsmap():
    """A small map that a sentencepiece model was trained with (make_tokenizer_data.py)."""
    with open(os.path.join(check.ROOT, "tests/data/tokenizer/unigram-map/tokenizer.json")) as file:
        return json.load(file)["normalizer"]["precompiled_charsmap"]


def sequence(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def bert_normalizer(clean, cjk, strip, lower):
    return {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": cjk, "strip_accents": strip, "lowercase": lower}


def simple(name, **more):
    return {"type": name, **more}


def replace(to, text=None, regex=None):
    return {"type": "Replace", "pattern": {"String": text} if regex is None else {"Regex": regex}, "content": to}


def normalizers():
    strip = lambda left, right: simple("Strip", strip_left=left, strip_right=right)
    lower, nfd, marks = simple("Lowercase"), simple("NFD"), simple("StripAccents")
    seq = lambda *parts: sequence("normalizers", *parts)
    return {
        "none": None, "bert": bert_normalizer(True, True, None, True), "bert-cased": bert_normalizer(True, True, None, False),
        "bert-strip": bert_normalizer(False, False, True, False), "bert-keep": bert_normalizer(True, False, False, True),
        "lower": lower, "nfc": simple("NFC"), "nfd": nfd, "nfkc": simple("NFKC"), "nfkd": simple("NFKD"), "marks": marks,
        "nmt": simple("Nmt"), "prepend": simple("Prepend", prepend=MARK), "prepend-words": simple("Prepend", prepend="x y"),
        "replace": replace(MARK, " "), "replace-gone": replace("", "a"), "replace-pair": replace("b", "ab"), "replace-spaces": replace(" ", regex=" {2,}"),
        "strip": strip(True, True), "strip-left": strip(True, False), "strip-right": strip(False, True), "bytes": simple("ByteLevel"),
        "map": simple("Precompiled", precompiled_charsmap=charsmap()), "usual": seq(nfd, lower, marks),
        "llama": seq(simple("Prepend", prepend=MARK), replace(MARK, " ")), "spm": seq(simple("Nmt"), simple("NFKC"), replace(" ", regex=" {2,}")),
        "many": seq(strip(True, True), simple("NFKD"), marks, lower, replace('"', "``"), replace("", "e")),
        "lower-bytes": seq(lower, simple("ByteLevel")), "bytes-nfd": seq(simple("ByteLevel"), nfd), "nested": seq(seq(nfd, marks), bert_normalizer(True, True, False, True)),
    }


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def pre_tokenizers():
    byte = lambda first=False, regex=True: simple("ByteLevel", add_prefix_space=first, trim_offsets=True, use_regex=regex)
    meta = lambda scheme, split=True, mark=MARK: simple("Metaspace", replacement=mark, prepend_scheme=scheme, split=split)
    split = lambda behavior, invert=False, text=" ", regex=None: simple("Split", pattern={"String": text} if regex is None else {"Regex": regex},
                                                                        behavior=behavior, invert=invert)
    white, words, bert = simple("WhitespaceSplit"), simple("Whitespace"), simple("BertPreTokenizer")
    punctuation = lambda behavior: simple("Punctuation", behavior=behavior)
    digits, single = simple("Digits", individual_digits=False), simple("Digits", individual_digits=True)
    scripts, dash = simple("UnicodeScripts"), simple("CharDelimiterSplit", delimiter="-")
    length = lambda n: simple("FixedLength", length=n)
    seq = lambda *parts: sequence("pretokenizers", *parts)
    out = {"none": None, "bert": bert, "white": white, "words": words, "digits": digits, "digits-single": single, "scripts": scripts, "dash": dash,
           "delimiter-long": simple("CharDelimiterSplit", delimiter="\u4e2d"), "length-3": length(3), "length": simple("FixedLength")}
    out.update({f"bytes-{first}-{regex}": byte(first, regex) for first in (0, 1) for regex in (0, 1)})
    out = {k: v if v is None else json.loads(json.dumps(v)) for k, v in out.items()}
    for key in [k for k in out if k.startswith("bytes-")]:
        for name in ("add_prefix_space", "use_regex"):
            out[key][name] = bool(out[key][name])
    out.update({f"meta-{scheme}-{'split' if splits else 'whole'}": meta(scheme, splits) for scheme in ("always", "first", "never") for splits in (True, False)})
    out["meta-line"] = meta("first", True, "_")
    out.update({f"punctuation-{b}": punctuation(b) for b in BEHAVIORS})
    out.update({f"split-{b}{'-invert' if i else ''}": split(b, i) for b in BEHAVIORS for i in (False, True)})
    out.update({f"split-ab-{b}": split(b, False, "ab") for b in BEHAVIORS})
    out.update({"gpt4": split("Isolated", regex=trained.GPT4 % "{1,3}"), "gpt4-removed": split("Removed", True, regex=trained.GPT4 % ""),
                "gpt4o": seq(split("Isolated", regex=trained.GPT4O), byte(False, False)),
                "white-meta": seq(white, meta("always")), "digits-bytes": seq(single, byte()), "punctuation-words": seq(punctuation("Contiguous"), words),
                "bert-meta": seq(bert, meta("first")), "meta-bytes": seq(meta("always"), byte(False, False)), "bytes-digits": seq(byte(), digits),
                "bytes-meta": seq(byte(True), meta("first")), "scripts-white": seq(scripts, white), "length-punctuation": seq(length(4), punctuation("MergedWithNext")),
                "words-bytes": seq(words, byte(True)), "white-bytes-bert": seq(white, byte(True, False), bert), "bytes-bytes": seq(byte(), byte(True, False)),
                "split-meta": seq(split("Removed"), meta("first")), "isolated-meta": seq(split("Isolated", False, "T"), meta("first", False)),
                "removed-meta": seq(split("Removed", False, "T"), meta("first")), "empty": seq(), "nested": seq(seq(white, digits), dash),
                "scripts-meta": seq(scripts, meta("first")), "length-meta": seq(length(3), meta("first"))})
    return out


def post_processors():
    part = lambda name: {"SpecialToken": {"id": name, "type_id": 0}} if name != "$A" else {"Sequence": {"id": "A", "type_id": 0}}
    tokens = {"[CLS]": [2], "[SEP]": [3], "three": [2, 3, 2]}
    template = lambda text: {"type": "TemplateProcessing", "single": [part(x) for x in text.split()], "pair": [part("$A"), {"Sequence": {"id": "B", "type_id": 0}}],
                             "special_tokens": {k: {"id": k, "ids": v, "tokens": ["[CLS]"] * len(v)} for k, v in tokens.items()}}
    pair = lambda name, **more: {"type": name, "sep": ["[SEP]", 3], "cls": ["[CLS]", 2], **more}
    roberta = pair("RobertaProcessing", trim_offsets=True, add_prefix_space=True)
    byte = simple("ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True)
    seq = lambda *parts: sequence("processors", *parts)
    return {"none": None, "template": template("[CLS] $A [SEP]"), "front": template("three [SEP] $A"), "behind": template("$A [SEP] three"), "bare": template("$A"),
            "bert": pair("BertProcessing"), "roberta": roberta, "bytes": byte, "bytes-template": seq(byte, template("[CLS] $A [SEP]")),
            "twice": seq(pair("BertProcessing"), template("three $A")), "roberta-bytes-bert": seq(roberta, byte, pair("BertProcessing")), "empty": seq()}


ADDED = [{"id": 0, **check.added("[UNK]")}, {"id": 900, **check.added("<m>", lstrip=True)}, {"id": 901, **check.added("Zz", normalized=True, special=False, single_word=True)}]
AXES = [("models", models), ("normalizers", normalizers), ("pre_tokenizers", pre_tokenizers), ("post_processors", post_processors)]


def document(model, normalizer, pre, post):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": ADDED, "normalizer": normalizer, "pre_tokenizer": pre,
            "post_processor": post, "decoder": None, "model": model}


def reference_ids(tokenizer, texts):
    """None where the reference fails on one of the texts."""
    try:
        return [tokenizer.encode(t).ids for t in texts]
    except BaseException:  # a panic of the library is no Exception
        return None


def digest(rows):
    if rows is None:
        return "--------"
    value = 0x811C9DC5
    for row in rows:
        for byte in b"".join(struct.pack("<i", i) for i in row + [-1]):
            value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{value:08x}"


def combinations(parts, step):
    """In the order of the digests: a model with normalizers and pre-tokenizers, then with every post-processor."""
    for m, model in enumerate(parts["models"]):
        for i, normalizer in enumerate(parts["normalizers"]):
            for j, pre in enumerate(parts["pre_tokenizers"]):
                if m == 0 or (m + i + j) % step == 0:
                    yield model, normalizer, pre, "none"
        for post in parts["post_processors"]:
            yield model, "none", "white", post


class Made:
    """Tokenizers of the reference by combination: the parts of one model are put in and out of one tokenizer."""
    def __init__(self, parts):
        self.parts = parts

    def get(self, names):
        chosen = [part[name] for part, name in zip((self.parts[axis] for axis, _ in AXES), names)]
        return Tokenizer.from_str(json.dumps(document(*chosen)))


def write(path, step):
    parts = {axis: make() for axis, make in AXES}
    made = Made(parts)
    digests = [digest(reference_ids(made.get(names), TEXTS)) for names in combinations(parts, step)]
    about = f"tokenizers {tokenizers.__version__}, tools/make_tokenizer_product.py"
    text = lambda part: json.dumps(part, separators=(",", ":"))
    listed = {axis: [[name, text(part)] for name, part in values.items()] for axis, values in parts.items()}
    with open(path, "w") as out:
        json.dump({"about": about, "added_tokens": text(ADDED), "texts": TEXTS, **listed, "digests": "".join(digests)}, out, ensure_ascii=True,
                  separators=(",", ":"))
        out.write("\n")
    print(len(digests), "combinations,", digests.count("--------"), "of them fail in the reference", file=sys.stderr)


def search(options):
    parts = {axis: make() for axis, make in AXES}
    made, count, refused, failed = Made(parts), check.Count(), {}, 0
    # a pair of any two parts is one more part
    flat = lambda part, key: part[key] if part and part["type"] == "Sequence" else [part] if part else []
    with tempfile.TemporaryDirectory() as scratch:
        driver = check.build_driver(options["library"], scratch)
        folder = os.path.join(scratch, "model")
        os.makedirs(folder)
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast"}, open(os.path.join(folder, "tokenizer_config.json"), "w"))
        for i in range(options["folders"]):
            rng = random.Random(options["seed"] * 1000003 + i)
            pick = lambda axis: rng.choice(list(parts[axis].values()))
            joined = lambda axis, key: sequence(key, *[p for _ in range(rng.randint(2, 3)) for p in flat(pick(axis), key)])
            normalizer = joined("normalizers", "normalizers") if rng.random() < 0.5 else pick("normalizers")
            pre = joined("pre_tokenizers", "pretokenizers") if rng.random() < 0.7 else pick("pre_tokenizers")
            post = pick("post_processors")  # behind a template the reference panics, or multiplies tokens
            if str(normalizer).count("Precompiled") > 1:
                continue
            whole = document(pick("models"), normalizer, pre, post)
            whole["added_tokens"] = [ADDED[0]] + [{"id": 900 + j, **check.random_added(rng)} for j in range(rng.randint(0, 3))]
            whole["added_tokens"] = check.distinct(whole["added_tokens"])
            texts = rng.sample(TEXTS, 8) + [check.random_text(rng) for _ in range(options["texts"])]
            try:
                tokenizer = Tokenizer.from_str(json.dumps(whole))
            except BaseException:
                failed += 1
                continue
            theirs = [reference_ids(tokenizer, [t]) for t in texts]
            kept = [(t, x[0]) for t, x in zip(texts, theirs) if x is not None]
            failed += len(kept) < len(texts)
            json.dump(whole, open(os.path.join(folder, "tokenizer.json"), "w"))
            try:
                ours = [json.loads(x) for x in check.drive(driver, "ids", folder, [t for t, _ in kept])]
            except RuntimeError as problem:
                sentence = str(problem).split("tokenizer.json: ")[-1][:90]
                refused[sentence] = refused.get(sentence, 0) + 1
                continue
            before = count.wrong
            short = {k: v for k, v in whole.items() if k not in ("model", "version", "truncation", "padding", "decoder")}
            about = {k: v for k, v in whole["model"].items() if k not in ("vocab", "merges")}
            count.add(f"folder {i}", [t for t, _ in kept], ours, [x for _, x in kept])
            if count.wrong > before and count.wrong < 400:
                print(f"folder {i}: {about} {json.dumps(short)[:900]}", flush=True)
    print(f"{options['folders']} folders, {failed} on which the reference fails, {sum(refused.values())} refused by us:")
    for sentence, n in sorted(refused.items(), key=lambda x: -x[1]):
        print(f"  {n} {sentence}")
    print(f"{count.compared} compared, {count.wrong} differ")
    return 1 if count.wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "--search":
        values = dict(zip(sys.argv[2::2], sys.argv[3::2]))
        sys.exit(search({"library": values.get("--library", f"{check.ROOT}/build/release/src/libsaescope.a"), "seed": int(values.get("--seed", 1)),
                         "folders": int(values.get("--folders", 2000)), "texts": int(values.get("--texts", 12))}))
    write(sys.argv[1], 1 if sys.argv[2:] == ["all"] else 6)
