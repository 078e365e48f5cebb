"""The texts of the measurements: abstracts where the project's data lie beside the checkout, else the demo's
descriptions of packages, else a file that is given."""
import json
import lzma
import os
import random
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ABSTRACTS = os.path.join(ROOT, "..", "shared", "data", "arxiv-astro.jsonl.xz")


def read_rows(path):
    opener = lzma.open if path.endswith(".xz") else open
    with opener(path, "rt", encoding="utf8") as f:
        return [json.loads(line)["text"] for line in f if line.strip()]


def find(given, folder):
    """Path of the texts and what they are."""
    if given:
        return given, f"the texts of {os.path.basename(given)}"
    if os.path.exists(ABSTRACTS):
        return ABSTRACTS, "abstracts of astronomy papers"
    path = os.path.join(folder, "descriptions.jsonl")
    if not os.path.exists(path):
        made = subprocess.run([os.path.join(ROOT, "scripts", "package-descriptions.sh")], capture_output=True, check=True)
        with open(path, "wb") as f:
            f.write(made.stdout)
    return path, "descriptions of packages"


def sample(rows, n):
    """The same rows every time."""
    return random.Random(1).sample(rows, min(n, len(rows)))


def of_lengths(rows, lengths, n_tokens_of):
    """Texts of exactly these numbers of tokens, made of words of the rows; `n_tokens_of` counts the tokens of each of
    a list of texts, the two special ones included. Words are tokenized by themselves, so their tokens add up."""
    words = sorted(set(" ".join(sample(rows, 50)).split()))
    counts = dict(zip(words, (n - 2 for n in n_tokens_of(words))))
    single = next(w for w in words if counts[w] == 1)
    source, texts = random.Random(2), []
    for length in lengths:
        text, left = [], length - 2
        while left > 0:
            word = source.choice(words)
            word = word if 0 < counts[word] <= left else single
            text.append(word)
            left -= counts[word]
        texts.append(" ".join(text))
    return texts


def write_json(path, texts):
    with open(path, "w", encoding="utf8") as f:
        json.dump(texts, f, ensure_ascii=False)
    return path


def write_jsonl(path, texts):
    with open(path, "w", encoding="utf8") as f:
        f.writelines(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    return path
