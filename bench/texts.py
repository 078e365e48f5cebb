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


def words_of(rows, seed):
    """Words of the rows in a random order, without end: texts of a given length are made of them."""
    words = " ".join(sample(rows, 200)).split()
    source = random.Random(seed)
    while True:
        yield source.choice(words)


def of_lengths(rows, lengths, n_tokens_of):
    """Texts that have exactly the wanted numbers of tokens, by a function that counts a list of texts."""
    words, texts = words_of(rows, 2), []
    for length in lengths:
        texts.append([next(words) for _ in range(length)])   # a word has at least one token: enough of them
    for _ in range(12):
        counts = n_tokens_of([" ".join(t) for t in texts])
        over = [c - wanted for c, wanted in zip(counts, lengths)]
        if not any(over):
            break
        for text, more in zip(texts, over):
            if more > 0:
                del text[-max(1, more // 2):]
            else:
                text.extend(["the"] * -more)
    return [" ".join(t) for t in texts]


def write_json(path, texts):
    with open(path, "w", encoding="utf8") as f:
        json.dump(texts, f, ensure_ascii=False)
    return path


def write_jsonl(path, texts):
    with open(path, "w", encoding="utf8") as f:
        f.writelines(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts)
    return path
