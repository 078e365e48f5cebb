#!/usr/bin/env python3
"""Write src/tokenizer/grapheme_tables.inc: what decides where characters that are read together begin and end.

    make_grapheme_tables.py OUT.inc

The properties are those of the `regex` package, whose Unicode is newer, without the code points that the reference
does not know yet. What the reference knows is seen in its Precompiled normaliser, which replaces a cluster of up to 5
bytes by what its first character maps to. Needs tokenizers, sentencepiece and regex."""
import io
import os
import sys
import tempfile

import make_unicode_tables as unicode
import regex
import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import normalizers

# in the order of enum grapheme_class in src/tokenizer/grapheme.c
CLASSES = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark", "L", "V", "T",
           "LV", "LVT"]
INDIC = ["None", "Consonant", "Linker", "Extend"]


def having(pattern):
    compiled = regex.compile(pattern)
    return {c for c in unicode.CODE_POINTS if compiled.match(chr(c))}


def charsmap(pairs):
    """A precompiled map of texts, made by sentencepiece itself."""
    with tempfile.TemporaryDirectory() as folder:
        rules = os.path.join(folder, "rules.tsv")
        with open(rules, "w") as out:
            for a, b in pairs:
                out.write("\t".join(" ".join(f"{ord(c):X}" for c in text) for text in (a, b)) + "\n")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c"] * 50), model_writer=model, vocab_size=10,
                                                 hard_vocab_limit=False, normalization_rule_tsv=rules, minloglevel=2,
                                                 model_type="char")
    parsed = sentencepiece_model_pb2.ModelProto()
    parsed.ParseFromString(model.getvalue())
    return parsed.normalizer_spec.precompiled_charsmap


def known(found):
    """Without what the reference does not know; fails where it knows what is not in the lists."""
    def normalize(pairs):
        return normalizers.Precompiled(charsmap(pairs)).normalize_str

    plain = normalize([("a", "X"), ("\u00a9", "Y")])
    joined = {c for c in unicode.CODE_POINTS if plain("a" + chr(c)) == "X"}
    listed = found["Extend"] | found["ZWJ"] | found["SpacingMark"]
    assert joined <= listed
    for name in ("Extend", "SpacingMark"):
        found[name] &= joined
    found["pictographic"] = {c for c in unicode.CODE_POINTS
                             if c not in joined and plain("\u00a9\u200d" + chr(c)).startswith("Y\u200d")}
    leads = normalize([(chr(c), "Z") for c in found["Prepend"]])
    found["Prepend"] = {c for c in found["Prepend"] if leads(chr(c) + "b") == "Z"}
    # a consonant behind a linker: its cluster is too long to be replaced as a whole
    consonants = normalize([(chr(c), "Z") for c in found["InCB Consonant"]])
    follows = lambda c, linker="\u094d": consonants(f"\u0915{linker}{chr(c)}\u0300").endswith("\u0300")
    found["InCB Consonant"] = {c for c in found["InCB Consonant"] if follows(c)}
    linkers = {c for c in joined if follows(0x915, chr(c))}
    assert linkers <= found["InCB Linker"]
    found["InCB Linker"] = linkers
    found["InCB Extend"] &= joined
    return found


def main():
    found = {name: having(rf"\p{{GCB={name}}}") for name in CLASSES[1:]}
    found.update({f"InCB {name}": having(rf"\p{{InCB={name}}}") for name in INDIC[1:]})
    before = {name: len(points) for name, points in found.items()}
    found = known(found)

    def record(c):
        kind = next((i for i, name in enumerate(CLASSES) if i and c in found[name]), 0)
        indic = next((i for i, name in enumerate(INDIC) if i and c in found[f"InCB {name}"]), 0)
        return kind | indic << 4 | (c in found["pictographic"]) << 6

    text = (f"/* Made by tools/make_grapheme_tables.py from tokenizers {tokenizers.__version__}; do not edit. */\n"
            + unicode.record_table(record, "grapheme"))
    with open(sys.argv[1], "w") as out:
        out.write(text)
    print(len(text), "bytes", {name: (before.get(name), len(points)) for name, points in found.items()}, file=sys.stderr)


if __name__ == "__main__":
    main()
