#!/usr/bin/env python3
"""Write src/tokenizer/compose_tables.inc: compatibility decompositions and canonical compositions.

    make_compose_tables.py OUT.inc

Asked of the `tokenizers` library, whose normal forms are of Unicode 9.0. Hangul is left to arithmetic."""
import sys

import make_unicode_tables as unicode
import tokenizers
from tokenizers import normalizers


def compatibility(nfd):
    """What differs from the canonical decomposition."""
    nfkd = normalizers.NFKD()
    found = {}
    for c in unicode.CODE_POINTS:
        text = [ord(x) for x in nfkd.normalize_str(chr(c))]
        if c not in unicode.HANGUL and text != nfd.get(c, [c]):
            found[c] = text
    return found


def compositions(nfd):
    """(first, second) to the code point that they compose to."""
    nfc = normalizers.NFC()
    pairs = {}
    for c, parts in nfd.items():
        if nfc.normalize_str(chr(c)) != chr(c):
            continue
        first = nfc.normalize_str("".join(map(chr, parts[:-1])))
        assert len(first) == 1 and nfc.normalize_str(first + chr(parts[-1])) == chr(c), hex(c)
        pairs[ord(first), parts[-1]] = c
    return pairs


def main():
    nfd = unicode.decompositions()
    nfkd, pairs = compatibility(nfd), compositions(nfd)
    longest = max(map(len, nfkd.values()))
    assert longest == 18
    keys = sorted(pairs)
    text = (f"/* Made by tools/make_compose_tables.py from tokenizers {tokenizers.__version__}; do not edit. */\n"
            + unicode.mapping("nfkd", nfkd)
            + unicode.array("composed_pairs", "uint32_t", [v for k in keys for v in k])
            + unicode.array("composed", "uint32_t", [pairs[k] for k in keys]))
    with open(sys.argv[1], "w") as out:
        out.write(text)
    print(f"{len(text)} bytes, {len(nfkd)} decompositions, {len(pairs)} compositions", file=sys.stderr)


if __name__ == "__main__":
    main()
