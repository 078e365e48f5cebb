#!/usr/bin/env python3
"""Write src/describe/stop_word_hashes.inc: the FNV-1a-64 hash of each English stop word of scikit-learn.

    make_stop_word_hashes.py OUT.inc

Only membership is asked for, so hashes stand for the words. Needs scikit-learn; the C build does not need this script."""
import sys

import sklearn
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS


def fnv1a64(word):
    h = 0xCBF29CE484222325
    for byte in word.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def main():
    hashes = [f"0x{h:016x}" for h in sorted({fnv1a64(w) for w in ENGLISH_STOP_WORDS})]
    assert len(hashes) == len(ENGLISH_STOP_WORDS)
    lines = [", ".join(hashes[i:i + 4]) for i in range(0, len(hashes), 4)]
    with open(sys.argv[1], "w") as out:
        out.write(f"/* FNV-1a-64 of each of the English stop words of scikit-learn {sklearn.__version__} ({len(hashes)} words), sorted; made by\n"
                  " * tools/make_stop_word_hashes.py; do not edit. */\n"
                  f"static const uint64_t stop_word_hashes[{len(hashes)}] = {{\n    " + ",\n    ".join(lines) + "};\n")


if __name__ == "__main__":
    main()
