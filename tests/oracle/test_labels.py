"""Scores of given labels against the rules of docs/descriptions.md, computed here with numpy from the texts, the reference's
embeddings and the SAE's weights.

Needs ../shared (abstracts, embeddings, an SAE) and the encoder, which scripts/fetch-encoder.sh keeps in the user's cache.
"""
import hashlib
import json
import lzma
import os
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from conftest import SHARED
from helpers import write_safetensors

TEXTS, EMBEDDINGS = SHARED / "data/arxiv-astro.jsonl.xz", SHARED / "oracle/astro-2000/embeddings.npy"
SAE = SHARED / "oracle/sae/jumprelu-1536"
N = 2000
LABELS = {450: "cosmic, stellar", 63: "magnetic fields", 1117: "galaxies", 20: "black holes", 759: "eclipse, matter", 848: "galaxies", 1299: "triaxial",
          1169: "alpha, variation, lyman-alpha", 292: "reactions, fusion, rate coefficient", 125: "exoplanets, extrasolar planets",
          1335: "stability, flow", 1396: "active galactic nuclei, agn, emission", 92: "scalar field, external, predicted", 371: "transport"}


@pytest.fixture(scope="module")
def minilm():
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saescope/all-MiniLM-L6-v2"
    folder = Path(os.environ.get("SAESCOPE_MINILM", cache))
    if not EMBEDDINGS.exists():
        pytest.skip("no ../shared here")
    if not (folder / "model.safetensors").exists():
        pytest.skip("no encoder here: scripts/fetch-encoder.sh fetches it")
    return folder


@pytest.fixture(scope="module")
def astro(program, minilm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    with lzma.open(TEXTS, "rt", encoding="utf8") as file:
        texts = [json.loads(next(file))["text"] for _ in range(N)]
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf8")
    (folder / "labels.csv").write_text("feature,label\n" + "".join(f'{f},"{label}"\n' for f, label in LABELS.items()))
    (folder / "labels.jsonl").write_text("".join(json.dumps({"text": label}) + "\n" for label in LABELS.values()))
    x, first = np.load(EMBEDDINGS), {}
    for row, text in enumerate(texts):  # those of repeated texts differ in their last bits, which would make them two texts
        x[row] = x[first.setdefault(text, row)]
    np.save(folder / "x.npy", x)
    assert subprocess.run([program, "analyze", "-q", "--embeddings", folder / "x.npy", "-d", folder / "texts.jsonl", "-s", SAE, "-o", folder / "run"]).returncode == 0
    assert subprocess.run([program, "embed", "-q", "-m", minilm, "-d", folder / "labels.jsonl", "-o", folder / "labels.npy"]).returncode == 0
    return folder, texts, x


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pre_activations(x):
    with zipfile.ZipFile(SAE / "sae.pt") as file:
        b_enc, w_enc, log_threshold = (np.frombuffer(file.read(f"sae/data/{i}"), "<f4") for i in (1, 2, 4))
    y = x - x.mean(1, keepdims=True)
    y = y / (y.std(1, ddof=1, keepdims=True) + 1e-5)
    return np.maximum(y @ w_enc.reshape(x.shape[1], -1) + b_enc, 0), np.exp(log_threshold)


class Protocol:
    """Distinct texts by half and key, what fires in them, and the sets of a feature."""

    def __init__(self, texts, x):
        self.texts, self.x = texts, x.astype(np.float64)
        self.pre, threshold = pre_activations(x)
        self.fires = self.pre > threshold
        digests = {}
        for row, text in enumerate(texts):
            digests.setdefault(hashlib.sha256(text.encode()).digest(), row)
        self.half = [np.array([row for digest, row in sorted(digests.items()) if digest[8] & 1 == half]) for half in (0, 1)]
        self.pool = [rows[:4096] for rows in self.half]
        self.mean = self.x[self.pool[0]].mean(0)

    def strongest(self, f, rows, k):
        return rows[np.argsort(-self.pre[rows, f], kind="stable")[:k]]

    def sets(self, f):
        active = self.half[0][self.fires[self.half[0], f]]
        describe = sorted({*active[:64].tolist(), *self.strongest(f, active, 20).tolist()})
        idle = self.pool[1][~self.fires[self.pool[1], f]]
        near = idle[np.argsort(-(unit(self.x[idle]) @ unit(self.x[describe].mean(0))), kind="stable")[:100]]
        miss = self.strongest(f, idle, 100)
        return self.half[1][self.fires[self.half[1], f]][:100], {"random": idle[:500], "near": near, "miss": miss[self.pre[miss, f] > 0]}


def delong(x, y):
    wins = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    return wins.mean(), np.sqrt(wins.mean(1).var(ddof=1) / len(x) + wins.mean(0).var(ddof=1) / len(y))


@pytest.mark.parametrize("similarity", ["centred", "plain"])
def test_areas_of_given_labels(run, astro, minilm, similarity):
    folder, texts, x = astro
    done = run("score", folder / "run", "-m", minilm, "--labels", folder / "labels.csv", "--similarity", similarity, "--no-sentence-test", "--json")
    assert done.code == 0, done.err
    said = {label["feature"]: label for label in json.loads(done.out)["labels"]}
    protocol, n_checked = Protocol(texts, x), 0
    mean = protocol.mean if similarity == "centred" else 0
    for f, label in zip(LABELS, np.load(folder / "labels.npy").astype(np.float64)):
        positives, negatives = protocol.sets(f)
        if len(positives) < 10:
            assert said[f]["status"] == "too few"
            continue
        similarities = unit(protocol.x - mean) @ unit(label - mean)
        for kind, rows in negatives.items():
            if len(rows) < 20:
                assert said[f][kind] is None
                continue
            area, se = delong(similarities[positives], similarities[rows])
            assert (said[f][kind]["positives"], said[f][kind]["negatives"]) == (len(positives), len(rows)), (f, kind)
            assert abs(said[f][kind]["auc"] - area) < 5e-4, (f, kind)
            low, high = (1 / (1 + np.exp(-(np.log(area / (1 - area)) + z * se / (area * (1 - area))))) for z in (-1.96, 1.96))
            assert abs(said[f][kind]["low"] - low) < 2e-3 and abs(said[f][kind]["high"] - high) < 2e-3, (f, kind)
            n_checked += 1
    assert n_checked >= 30


def test_the_sentence_test(run, astro, minilm, tmp_path):
    folder, texts, x = astro
    done = run("score", folder / "run", "-m", minilm, "--labels", folder / "labels.csv", "--json")
    assert done.code == 0, done.err
    said = {label["feature"]: label for label in json.loads(done.out)["labels"]}
    protocol, cut = Protocol(texts, x), {}
    for f in LABELS:
        for row in protocol.sets(f)[0][:20]:
            cut[int(row)] = [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", texts[row]) if len(s) > 20]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps({"text": s}) + "\n" for parts in cut.values() for s in parts))
    assert run("embed", "-q", "-m", minilm, "-d", tmp_path / "s.jsonl", "-o", tmp_path / "s.npy").code == 0
    vectors, at = np.load(tmp_path / "s.npy"), 0
    of_row = {}
    for row, parts in cut.items():
        of_row[row] = vectors[at:at + len(parts)]
        at += len(parts)
    for f, label in zip(LABELS, np.load(folder / "labels.npy").astype(np.float64)):
        positives, wins = protocol.sets(f)[0], []
        if len(positives) < 10:
            continue
        for row in positives[:20]:
            if len(cut[int(row)]) < 2:
                continue
            pre = pre_activations(of_row[int(row)])[0][:, f]
            if pre.max() > pre.min():
                pair = unit(of_row[int(row)][[pre.argmax(), pre.argmin()]] - protocol.mean) @ unit(label - protocol.mean)
                wins.append(1.0 if pair[0] > pair[1] else 0.5 if pair[0] == pair[1] else 0.0)
        assert said[f]["sentence"]["n"] == len(wins) and abs(said[f]["sentence"]["share"] - np.mean(wins)) < 1e-6, f


def test_a_planted_word_is_the_label(run, minilm, tmp_path):
    """A feature that fires exactly where a text holds a made-up word gets that word, and its area is 0.99 or more."""
    rng = np.random.default_rng(5)
    words = ("the galaxy shows a bright disc of young stars near its centre while dust hides part of the light that old clusters send and "
             "gas falls along the arms into a ring around the nucleus where shocks heat it again").split()
    holds = rng.random(700) < 0.25
    texts = []
    for i, held in enumerate(holds):
        text = [words[j] for j in rng.integers(0, len(words), 14)]
        if held:
            text[2] = text[9] = "zorblax"
        texts.append(" ".join(text) + f" {i}.")
    (tmp_path / "x.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert run("embed", "-q", "-m", minilm, "-d", tmp_path / "x.jsonl", "-o", tmp_path / "x.npy").code == 0
    x = np.load(tmp_path / "x.npy").astype(np.float64)
    mean = x.mean(0)
    w = np.linalg.solve(np.cov(x.T) + 1e-4 * np.eye(x.shape[1]), x[holds].mean(0) - x[~holds].mean(0))
    w /= np.std(x @ w)
    side = (x - mean) @ w
    assert side[holds].min() > side[~holds].max()  # one number tells them apart
    middle = (side[holds].min() + side[~holds].max()) / 2
    w_enc = np.column_stack([w, rng.normal(size=(x.shape[1], 7))])
    b_enc = np.array([3 - middle, *[3.0] * 7]) - mean @ w_enc
    sae = tmp_path / "sae"
    sae.mkdir()
    write_safetensors(sae / "sae.safetensors", {"W_enc": w_enc, "W_dec": w_enc.T, "b_enc": b_enc, "b_dec": np.zeros(x.shape[1]),
                                                "jumprelu.log_threshold": np.full(8, np.log(3.0))})
    (sae / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": x.shape[1], "dict_size": 8, "input_unit_norm": False,
                                                 "dtype": "torch.float32"}))
    assert run("analyze", "-q", "--embeddings", tmp_path / "x.npy", "-d", tmp_path / "x.jsonl", "-s", sae, "-o", tmp_path / "run", "--steps", "none").code == 0
    done = run("describe", tmp_path / "run", "-m", minilm, "-q")
    assert done.code == 0, done.err
    planted = json.loads((tmp_path / "run/descriptions.json").read_text("utf8"))[0]
    assert planted["count"] == holds.sum()
    assert "zorblax" in planted["label"] and planted["scores"]["random"]["auc"] >= 0.99, planted
    assert planted["status"] == "sharp" and planted["scores"]["coverage"] == 1
