#!/usr/bin/env python3
"""Write src/tokenizer/unicode_tables.inc: what the reference tokenizer does to every code point.

    make_unicode_tables.py OUT.inc [--classes CLASSES.txt]

Everything is asked of the `tokenizers` library itself, one code point at a time, because it mixes
versions of Unicode: general categories of 8.0, decompositions of 9.0, lower-case of the Rust
standard library. With --classes, the classes found are also compared with a list in the form
"NAME first-last first ...". Needs the tokenizers library; the C build does not need this script.
"""
import argparse
import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

BLOCK = 64
CLASSES = ["PLAIN", "DROP", "SPACE", "CJK", "MARK", "PUNCT"]
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **on})


def classes():
    """The class of every code point that has one; the classes must not overlap."""
    clean, cjk, strip = bert(clean_text=True), bert(handle_chinese_chars=True), bert(strip_accents=True)
    split = pre_tokenizers.BertPreTokenizer()
    found = {}

    def put(c, name):
        assert c not in found, (hex(c), name, found[c])
        found[c] = name

    for c in CODE_POINTS:
        ch = chr(c)
        cleaned = clean.normalize_str(ch)
        if cleaned != ch or ch == " ":
            put(c, {"": "DROP", " ": "SPACE"}[cleaned])
            continue
        if cjk.normalize_str(ch) != ch:
            assert cjk.normalize_str(ch) == f" {ch} "
            put(c, "CJK")
        if strip.normalize_str(ch) == "":
            put(c, "MARK")
        pieces = [p for p, _ in split.pre_tokenize_str(f"a{ch}b")]
        if pieces != [f"a{ch}b"]:
            assert pieces == ["a", ch, "b"], (hex(c), pieces)
            put(c, "PUNCT")
    return found


def any_marks():
    """What the StripAccents normaliser removes."""
    strip = normalizers.StripAccents()
    return {c for c in CODE_POINTS if strip.normalize_str(chr(c)) == ""}


def word_characters():
    """What counts as a word character beside an added token with single_word."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "zz": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_tokens([AddedToken("#zz#", single_word=True, normalized=False)])
    token = tokenizer.token_to_id("#zz#")
    found = set()
    for start in range(0, len(CODE_POINTS), 1 << 14):
        part = CODE_POINTS[start:start + (1 << 14)]
        before = tokenizer.encode_batch([chr(c) + "#zz#" for c in part])
        after = tokenizer.encode_batch(["#zz#" + chr(c) for c in part])
        for c, x, y in zip(part, before, after):
            assert (token in x.ids) == (token in y.ids), hex(c)
            if token not in x.ids:
                found.add(c)
    return found


def decompositions():
    nfd = normalizers.NFD()
    found = {c: nfd.normalize_str(chr(c)) for c in CODE_POINTS if c not in HANGUL}
    for c in HANGUL:
        index = c - 0xAC00
        jamo = [0x1100 + index // 588, 0x1161 + index % 588 // 28] + ([0x11A7 + index % 28] if index % 28 else [])
        assert nfd.normalize_str(chr(c)) == "".join(map(chr, jamo)), hex(c)
    return {c: [ord(x) for x in text] for c, text in found.items() if text != chr(c)}


def lower_cases():
    lower = normalizers.Lowercase()
    found = {c: lower.normalize_str(chr(c)) for c in CODE_POINTS}
    return {c: [ord(x) for x in text] for c, text in found.items() if text != chr(c)}


def combining_classes(decomposed):
    """Combining classes: found by how NFD orders a code point against marks of known class.

    Classes never change once assigned, so a newer table gives the value of every code point that
    the library knows; whether it knows it is seen in the order."""
    nfd = normalizers.NFD()
    low, high = "\u0334", "\u0345"  # classes 1 and 240, the smallest and the largest
    found = {}
    for c in CODE_POINTS:
        ch = chr(c)
        moves = nfd.normalize_str(ch + low)[0] == low if ch != low else False
        moves_left = nfd.normalize_str(high + ch)[0] != high if ch != high else False
        if c in decomposed or not (moves or moves_left or ch in (low, high)):
            continue
        value = unicodedata.combining(ch)
        assert value != 0 and (moves == (value > 1)) and (moves_left == (value < 240)), hex(c)
        found[c] = value
    for c, value in found.items():  # against one mark of every class
        for other in {v: k for k, v in found.items()}.values():
            pair = nfd.normalize_str(chr(c) + chr(other))
            assert (pair == chr(other) + chr(c)) == (value > found[other]) or c == other, (hex(c), hex(other))
    return found


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def compare(path, found):
    want = {}
    for line in open(path):
        words = line.split()
        if words and words[0] in CLASSES:
            name = words[0]
            words = words[1:]
        if not words or words[0] == "#":
            continue
        for word in words:
            first, _, last = word.partition("-")
            for c in range(int(first, 16), int(last or first, 16) + 1):
                want[c] = name
    wrong = [hex(c) for c in CODE_POINTS if want.get(c) != found.get(c)]
    print(f"classes against {path}: {len(wrong)} differ {wrong[:20]}", file=sys.stderr)
    assert not wrong


def rows(values, form="{}"):
    line, out = "   ", []
    for value in values:
        text = " " + form.format(value) + ","
        if len(line) + len(text) > 96:
            out.append(line)
            line = "   "
        line += text
    return "\n".join(out + [line])


def array(name, kind, values, form="{}"):
    return f"static const {kind} {name}[{len(values)}] = {{\n{rows(values, form)}\n}};\n"


def mapping(name, table):
    """A sparse map of code points to short sequences: sorted keys, starts, and one pool."""
    keys, starts, pool = [], [], []
    for c in sorted(table):
        keys.append(c)
        starts.append(len(pool))
        pool += table[c]
    starts.append(len(pool))
    return (array(f"{name}_keys", "uint32_t", keys) + array(f"{name}_starts", "uint16_t", starts) +
            array(f"{name}_pool", "uint32_t", pool))


def record_table(record, name="record"):
    """A byte for every code point, by blocks; the index of a block is itself looked up by groups of
    blocks, since planes 4 to 13 hold nothing."""
    blocks, index = {}, []
    for start in range(0, 0x110000, BLOCK):
        block = tuple(record(c) if not 0xD800 <= c <= 0xDFFF else 0 for c in range(start, start + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    assert len(blocks) < 65536
    group = 256
    groups, top = {}, []
    for start in range(0, len(index), group):
        top.append(groups.setdefault(tuple(index[start:start + group]), len(groups)))
    return (array(f"{name}_groups", "uint8_t", top)
            + array(f"{name}_blocks", "uint16_t", [b for g in groups for b in g])
            + array(f"{name}s", "uint8_t", [r for b in blocks for r in b]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--classes")
    options = parser.parse_args()
    found = classes()
    if options.classes:
        compare(options.classes, found)
    marks, words, nfd, lower = any_marks(), word_characters(), decompositions(), lower_cases()
    ccc = combining_classes(nfd)

    def record(c):
        return (CLASSES.index(found.get(c, "PLAIN")) | (c in nfd or c in HANGUL) << 3 | (c in lower) << 4 |
                (c in ccc) << 5 | (c in marks) << 6 | (c in words) << 7)

    text = (f"/* Made by tools/make_unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit. */\n"
            + record_table(record)
            + mapping("nfd", nfd) + mapping("lower", lower))
    runs = sorted((a, b, v) for v in set(ccc.values()) for a, b in ranges(c for c in ccc if ccc[c] == v))
    text += array("combining_ranges", "struct combining_range", ["{%d, %d, %d}" % run for run in runs])
    with open(options.out, "w") as out:
        out.write(text)
    print(f"{len(text)} bytes, {len(nfd)} decompositions, "
          f"{len(lower)} lower-case, {len(runs)} combining ranges, {len(words)} word characters", file=sys.stderr)


if __name__ == "__main__":
    main()
