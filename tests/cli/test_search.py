"""`search`: texts by words and by meaning, features by labels."""
import json
import random
import subprocess

import numpy as np
import pytest

from conftest import ROOT

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("search"), random.Random(4)
    with open(folder / "texts.jsonl", "w", encoding="utf8") as file:
        for i in range(500):
            words = [rng.choice(WORDS) for _ in range(rng.randint(3, 12))]
            file.write(json.dumps({"text": f"{' '.join(words)} {'Straße ÉTÉ' if i % 50 == 0 else ''} {i}", "n": i}) + "\n")
    for words in (["analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run"], ["describe", "-q", folder / "run"],
                  ["embed", "-q", "-m", MODEL, "-d", folder / "texts.jsonl", "-o", folder / "texts.npy"]):
        done = subprocess.run([program, *map(str, words)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    labels = folder / "run/descriptions.json"       # of random texts there may be none
    described = json.loads(labels.read_text(encoding="utf8"))
    for feature, label in ((2, "Straße ÉTÉ"), (5, "comet halo, dust ring")):
        described[feature]["label"] = label
    labels.write_text(json.dumps(described, ensure_ascii=False), encoding="utf8")
    return folder


def texts_of(made):
    return [json.loads(line)["text"] for line in (made / "texts.jsonl").read_text(encoding="utf8").splitlines()]


def answer(run, *words):
    done = run("search", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize("query", ["comet", "COMET moon", "halo dust ring", "été", "straße", "com", "49", "nothing-like-it"])
def test_words(run, made, query):
    texts, words = texts_of(made), query.lower().split()
    rows = [i for i, text in enumerate(texts) if all(word in text.lower() for word in words)]
    rows.sort(key=lambda i: (-sum(texts[i].lower().count(word) for word in words), i))
    found = answer(run, made / "run", query, "--limit", 1000)
    assert found["n_searched"] == len(texts) and found["n_found"] == len(rows)
    assert [item["row"] for item in found["found"]] == rows
    assert [item["text"] for item in found["found"]] == [texts[i] for i in rows]
    assert all(item["file"].endswith("texts.jsonl") for item in found["found"])


@pytest.mark.parametrize("query", ["comet", "a quasar behind a lens", "日本語", ""])
def test_meaning_has_the_order_of_numpy(run, made, query, tmp_path):
    (tmp_path / "query.jsonl").write_text(json.dumps({"text": query}) + "\n", encoding="utf8")
    assert run("embed", "-m", MODEL, "-d", tmp_path / "query.jsonl", "-o", tmp_path / "q.npy").code == 0
    embeddings, q = np.load(made / "texts.npy").astype("f8"), np.load(tmp_path / "q.npy").astype("f8")[0]
    cosines = embeddings @ q / (np.linalg.norm(embeddings, axis=1) * np.linalg.norm(q))
    order = np.lexsort((np.arange(len(cosines)), -cosines))
    found = answer(run, made / "run", query, "--meaning", "--limit", 1000)
    rows = [item["row"] for item in found["found"]]
    assert len(rows) == len(set(rows)) == len(order)
    assert np.allclose([item["score"] for item in found["found"]], cosines[rows], atol=1e-12)
    assert np.all(np.diff(cosines[rows]) <= 1e-14)  # the same order but where two cosines are one
    assert rows[:50] == order[:50].tolist() or np.min(-np.diff(cosines[order[:51]])) < 1e-14


def test_features_of_a_text_are_its_strongest(run, made):
    found = answer(run, made / "run", "comet", "--limit", 5)["found"]
    for item in found:
        values = [feature["activation"] for feature in item["features"]]
        assert values == sorted(values, reverse=True) and len(values) <= 5
    assert any(item["features"] for item in found)


def test_features_by_label(run, made):
    described = json.loads((made / "run/descriptions.json").read_text(encoding="utf8"))
    word = next(word for item in described for word in (item["label"] or "").replace(",", "").split() if word.isalpha()).lower()
    holds = [item["feature_id"] for item in described if word.lower() in f"{item['label'] or ''} {' '.join(k for k, _ in item['keywords'])}".lower()]
    holds.sort(key=lambda f: (-described[f]["count"], f))
    found = answer(run, made / "run", word.title(), "--features", "--limit", 100)
    assert [item["feature"] for item in found["found"]] == holds
    assert word in run("search", made / "run", word, "--features").out.lower()


def test_in_a_terminal(run, made):
    done = run("search", made / "run", "comet moon")
    assert done.code == 0 and "row " in done.out and "comet" in done.out and all(len(line) <= 80 for line in done.out.splitlines())
    assert "none of 500 texts" in run("search", made / "run", "nothing-like-it").out


def test_refusals(run, made, tmp_path, program):
    assert run("search", made / "run", "a", "--meaning", "--features").code == 64
    assert run("search", made / "run").code == 64
    assert run("search", made / "run", "  ").code == 64
    assert run("search", tmp_path / "no", "a").code == 66
    subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "run", "--evidence", "none"], check=True)
    done = run("search", tmp_path / "run", "a")
    assert done.code == 66 and "evidence" in done.err
    done = run("search", tmp_path / "run", "a", "--features")
    assert done.code == 66 and "describe" in done.err
