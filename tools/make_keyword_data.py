#!/usr/bin/env python3
"""What Python and its libraries say about words and keywords, for tests/unit/test_describe_*.c.

    make_keyword_data.py tests/data/describe

words.txt     per line a text (JSON), then its words by scikit-learn's CountVectorizer (JSON list): all characters of
              scripts that matter, and random texts of them
keywords.txt  per case: its texts and features, then the keywords of both variants of the seed's method, written out with
              plain Python and scikit-learn over a stand-in for an encoder, whose vectors are small whole numbers:
              see `vector`
"""
import json
import math
import os
import random
import sys
from itertools import combinations

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

WIDTH = 16
STEMS = "alpha beta gamma delta epsilon theta lambda sigma omega quark lepton boson meson hadron photon gluon muon pion kaon axion".split()
ENDINGS = ["", "s", "ed", "ing", "al", "er"]
FILLERS = "the of and system mine interest we is with don isn x 7 12 a".split()


def fnv1a64(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def word_vector(word):
    stem, whole = fnv1a64(word[:4]), fnv1a64(word)
    return np.array([6 * ((stem >> 4 * k & 15) - 7) + (whole >> 4 * k & 7) - 3 for k in range(WIDTH)], np.float32)


def vector(text):
    """The sum of the vectors of the text's pieces between spaces, of length 1 in fp32."""
    v = sum((word_vector(w) for w in text.split(" ") if w), np.zeros(WIDTH, np.float32))
    return v / np.float32(max(np.sqrt(np.float32((v * v).sum())), 1e-30))


def of_text(text):
    try:
        words = CountVectorizer(stop_words="english").fit([text]).get_feature_names_out().tolist()
    except ValueError:
        return []
    whole = vector(text)
    cosines = [float(vector(w) @ whole) for w in words]
    order = sorted(range(len(words)), key=lambda i: (-cosines[i], -i))[:5]
    listed = [(words[i], round(cosines[i], 4)) for i in order]
    merged, used = [], set()
    for i, (word, score) in enumerate(listed):
        if i not in used:
            used |= {j for j in range(i + 1, len(listed)) if float(vector(word) @ vector(listed[j][0])) >= 0.9}
            merged.append((word, score))
    pairs = [f"{a} {b}" for (a, _), (b, _) in combinations(merged, 2)]
    return merged + [(p, c) for p in pairs if (c := float(vector(p) @ whole)) >= 0.4]


def of_feature(texts, bound):
    total, count = {}, {}
    for terms in texts:
        for word, score in terms:
            total[word], count[word] = total.get(word, 0.0) + score, count.get(word, 0) + 1
    score = {w: total[w] / count[w] * math.log(1 + count[w]) for w in total}
    terms, used, found = sorted(score, key=score.get, reverse=True), set(), []
    for i, head in enumerate(terms):
        if head in used:
            continue
        members = [head] + [t for t in terms[i + 1:] if t not in used and float(vector(head) @ vector(t)) >= bound]
        used |= set(members)
        s, n = sum(total[w] for w in members), sum(count[w] for w in members)
        found.append([head, s / n * math.log(1 + n)])
    return sorted(found, key=lambda p: p[1], reverse=True)


def make_text(rng):
    n = rng.randint(0, 14)
    return " ".join(rng.choice(FILLERS) if rng.random() < 0.3 else rng.choice(STEMS) + rng.choice(ENDINGS) for _ in range(n))


def write_keywords(out):
    rng = random.Random(9)
    texts = sorted({make_text(rng) for _ in range(120)}) + ["the of", "x 7"]
    lists = [[rng.randrange(len(texts)) for _ in range(rng.randint(0, 10))] for _ in range(39)] + [[len(texts) - 1]]
    terms = [of_text(t) for t in texts]
    out.write(json.dumps(texts) + "\n" + json.dumps(lists) + "\n")
    for bound, kept in ((0.75, None), (0.8, 3)):
        out.write(json.dumps([of_feature([terms[i] for i in f], bound)[:kept] for f in lists]) + "\n")


CORNERS = ["It's a state-of-the-art café, don't you think? naïve 3.14 x_y AI/ML U.S.A. 日本語テスト e-mail İstanbul ß", "ΣΑΣ ΣΑΣ. ΑΣ'Α ΑΣ' Σ ΣΣ", "",
           "don't x-ray z~3.5 10^{-3} __ _a a_ ²½ Ⅷx ⅦⅦ", "cafe\u0301 naive\u0308s हिन्दी भाषा ไทย שלום عربي", "ⒶⒷ ⓐⓑ ǅungla ẞtraße İİ Iıiİ", "a\u00adb ab\u200dcd e\u0301e"]


def write_words(out):
    words_of = CountVectorizer(stop_words=None).build_analyzer()
    rng = random.Random(3)
    blocks = [range(0x20, 0x250), range(0x250, 0x600), range(0x900, 0xA00), range(0x1E00, 0x2100), range(0x2150, 0x2200), range(0x2C00, 0x2E00),
              range(0x3040, 0x3100), range(0x4E00, 0x4E80), range(0xA640, 0xA830), range(0xFB00, 0xFE00), range(0x10400, 0x10500), range(0x1E900, 0x1E960)]
    whole = ["".join(map(chr, block)) for block in blocks]
    mixed = ["".join(chr(rng.choice(rng.choice(blocks))) if rng.random() < 0.6 else rng.choice("aΣσ ς'.A\u0301 ") for _ in range(rng.randint(1, 24))) for _ in range(300)]
    sigmas = ["".join(rng.choice("ΣΣΑσ '.\u0301:\u00adA1_") for _ in range(rng.randint(1, 9))) for _ in range(300)]
    for text in CORNERS + whole + mixed + sigmas:
        out.write(json.dumps(text) + "\n" + json.dumps(words_of(text)) + "\n")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, write in (("words.txt", write_words), ("keywords.txt", write_keywords)):
        with open(os.path.join(folder, name), "w") as out:
            write(out)


if __name__ == "__main__":
    main()
