#!/usr/bin/env python3
"""Write src/tokenizer/script_tables.inc: the scripts of the UnicodeScripts pre-tokenizer, as stretches of code points.

    make_script_tables.py OUT.inc

Asked of the `tokenizers` library: two characters are of one script if it does not cut between them; those that it
never cuts beside have none (0). Needs the tokenizers library; the C build does not need this script."""
import sys

import make_unicode_tables as unicode
import tokenizers
from tokenizers import pre_tokenizers

PIECE = 1 << 12


def cuts(split, a, b):
    return len(split.pre_tokenize_str(a + b)) == 2


def main():
    split = pre_tokenizers.UnicodeScripts()
    # alone, a character of a script is a piece, and one of none is left out
    of_none = {c for c in unicode.CODE_POINTS if not split.pre_tokenize_str(chr(c))}
    known, scripts, stretches, before = [], {}, [], None
    for c in unicode.CODE_POINTS:
        if c in of_none:
            scripts[c] = 0
            continue
        if before is None or cuts(split, chr(before), chr(c)):
            same = [i for i, other in enumerate(known) if not cuts(split, other, chr(c))]
            assert len(same) <= 1
            known += [] if same else [chr(c)]
            scripts[c] = same[0] + 1 if same else len(known)
        else:
            scripts[c] = scripts[before]
        before = c
    assert len(known) < 255
    last = None
    for c in unicode.CODE_POINTS:
        if scripts[c] != last:
            stretches.append(c << 8 | scripts[c])
            last = scripts[c]
    text = (f"/* Made by tools/make_script_tables.py from tokenizers {tokenizers.__version__}; do not edit. */\n"
            "/* First code point << 8 | script, 0 for none. */\n" + unicode.array("script_starts", "uint32_t", stretches))
    with open(sys.argv[1], "w") as out:
        out.write(text)
    print(len(text), "bytes", len(known), "scripts", len(stretches), "stretches", file=sys.stderr)


if __name__ == "__main__":
    main()
