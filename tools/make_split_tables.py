#!/usr/bin/env python3
"""Write src/tokenizer/split_tables.inc: the character classes that patterns of pre-tokenizers are made of.

    make_split_tables.py OUT.inc

Asked of the `tokenizers` library, whose regular expressions and character tests are of newer versions of Unicode
than its normalisers."""
import sys

import make_unicode_tables as unicode
import tokenizers
from tokenizers import Regex, pre_tokenizers


def matching(pattern):
    """The code points that a pattern for one character matches."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    for start in range(0, len(unicode.CODE_POINTS), 1 << 13):
        text = "".join(map(chr, unicode.CODE_POINTS[start:start + (1 << 13)]))
        found |= {ord(piece) for piece, _ in split.pre_tokenize_str(text)}
    return found


def isolated_by(split):
    return {c for c in unicode.CODE_POINTS if len(split.pre_tokenize_str(f"a{chr(c)}a")) == 3}


def main():
    letters, numbers, marks = matching(r"\p{L}"), matching(r"\p{N}"), matching(r"\p{M}")
    upper = matching(r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]")
    lower = matching(r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]")
    digits = isolated_by(pre_tokenizers.Digits(True))
    spaces = matching(r"\s")
    assert spaces == {ord(c) for c in "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"} | set(range(0x2000, 0x200B))
    word = {c for c in unicode.CODE_POINTS
            if len(pre_tokenizers.Whitespace().pre_tokenize_str(f"a{chr(c)}a")) == 1}
    assert word == unicode.word_characters()
    for letter, more in (("s", {0x17F}), ("t", set()), ("r", set()), ("e", set()), ("v", set()), ("m", set()),
                         ("l", set()), ("d", set())):
        assert matching(f"(?i:{letter})") == {ord(letter), ord(letter.upper())} | more
    sets = (letters, numbers, marks, upper, lower, digits, spaces, {0x0A, 0x0D})
    record = lambda c: sum((c in s) << i for i, s in enumerate(sets))
    text = (f"/* Made by tools/make_split_tables.py from tokenizers {tokenizers.__version__}; do not edit. */\n"
            + unicode.record_table(record, "split_record")
            + unicode.array("ss_tokenizer_split_ascii", "uint8_t", [record(c) for c in range(128)]).replace("static ", ""))
    with open(sys.argv[1], "w") as out:
        out.write(text)
    print(len(text), "bytes", [len(s) for s in sets], file=sys.stderr)


if __name__ == "__main__":
    main()
