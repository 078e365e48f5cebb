#!/usr/bin/env python3
"""Write src/describe/word_tables.inc: which code points Python takes for word characters, and what its lower-casing of
the Greek capital sigma looks at, as stretches of code points.

    make_word_tables.py OUT.inc

Asked of Python's `re` and `str.lower`, whose tables are those of one version of Unicode; the C build does not need this
script."""
import platform
import re
import sys
import unicodedata

WORD, CASED, IGNORABLE = 1, 2, 4


def bits(c):
    letter = chr(c)
    final_behind = (letter + "Σ").lower()[-1] == "ς"  # a sigma at the end of a word: behind a cased letter
    final_beyond = ("A" + letter + "Σ").lower()[-1] == "ς"
    return (WORD if re.match(r"\w", letter) else 0) | (CASED if final_behind else IGNORABLE if final_beyond else 0)


def main():
    stretches, last = [], 0
    for c in range(0x110000):
        now = 0 if 0xD800 <= c < 0xE000 else bits(c)
        if now != last:
            stretches.append(c << 8 | now)
            last = now
    lines = [", ".join(map(str, stretches[i:i + 8])) for i in range(0, len(stretches), 8)]
    with open(sys.argv[1], "w") as out:
        out.write(f"/* Made by tools/make_word_tables.py from Python {platform.python_version()}, Unicode {unicodedata.unidata_version}; do not edit. */\n"
                  "/* First code point << 8 | bits: 1 word, 2 cased, 4 ignored between cased letters. */\n"
                  f"static const uint32_t word_starts[{len(stretches)}] = {{\n    " + ",\n    ".join(lines) + "};\n")


if __name__ == "__main__":
    main()
