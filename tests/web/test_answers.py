"""What the server answers about rows, searches, differences, influence and steering: numpy's numbers, from the run's own files."""
import csv
import json
import math
import random
import subprocess

import numpy as np
import pytest

from arrow_reader import read_arrow
from conftest import ROOT
from helpers import read_safetensors
from test_report import MODEL, SAE, WORDS
from viewer import Viewer

N_ROWS = 300


def start(program, folder):
    rng = random.Random(5)
    with open(folder / "texts.jsonl", "w", encoding="utf8") as file:
        for i in range(N_ROWS):
            text = f"The {rng.choice(WORDS)} of a {rng.choice(WORDS)}. It has {rng.choice(WORDS)} and {rng.choice(WORDS)}! Is it {i} or a {rng.choice(WORDS)}?"
            file.write(json.dumps({"text": text if i != 7 else "twice", "id": f"id-{i}", "kind": rng.choice("ab")}) + "\n")
        file.write(json.dumps({"text": "twice", "id": "again", "kind": "a"}) + "\n")
    for words in (["analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "--keep", "id,kind", "--steps", "none", "--sample-rows", "200", "-o", folder / "run"],
                  ["analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-n", "150", "--steps", "none", "-o", folder / "other"],
                  ["describe", "-q", folder / "run"]):
        done = subprocess.run([program, *map(str, words)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    return start(program, tmp_path_factory.mktemp("answers"))


@pytest.fixture(scope="module")
def viewer(program, made):
    viewer = Viewer(program, made / "run", "--with", made / "other")
    viewer.take_token()
    yield viewer
    viewer.close()


class Kept:
    """The texts that a run kept, in the order of its files."""

    def __init__(self, folder):
        table, _ = read_arrow(folder / "evidence/texts.arrow")
        self.rows, self.texts, self.features, self.activations = ([*table[name]] for name in ("position", "text", "features", "activations"))
        self.files, self.kept, self.counts, self.in_pool = ([*table[name]] for name in ("file", "kept", "count", "in_pool"))
        self.rows = [int(row) for row in self.rows]
        self.x = np.load(folder / "evidence/embeddings.npy").astype("f8")

    def order(self, scores):
        """Places by falling score, equal ones by row."""
        return sorted(range(len(self.rows)), key=lambda i: (-scores[i], self.rows[i]))

    def cosines(self, y):
        return self.x @ y / (np.linalg.norm(self.x, axis=1) * np.linalg.norm(y))


@pytest.fixture(scope="module")
def kept(made):
    return Kept(made / "run")


class Decoder:
    """x ≈ decode(z) as the SAE's own code has it: rows are normalised by their mean and (n - 1) deviation, and put back."""

    def __init__(self, folder):
        header, data = read_safetensors(folder / "sae.safetensors")
        read = lambda name: np.frombuffer(data[slice(*header[name]["data_offsets"])], "<f4").reshape(header[name]["shape"]).astype("f8")  # noqa: E731
        self.w, self.b = read("W_dec"), read("b_dec")

    def __call__(self, z, x):
        return (z @ self.w + self.b) * x.std(ddof=1) + x.mean()


def dense(features, activations, n=24):
    z = np.zeros(n)
    z[list(features)] = list(activations)
    return z


def cosine(a, b):
    return a @ b / math.sqrt(a @ a * (b @ b))


# ---- rows ----


def test_rows(viewer, kept):
    rows = sorted(kept.rows)
    for place in range(0, len(kept.rows), 17):
        row = kept.rows[place]
        answer = viewer.get(f"/api/v1/rows/{row}?near=7")
        assert (answer["row"], answer["text"], answer["file"], answer["n_rows"]) == (row, kept.texts[place], kept.files[place], kept.counts[place])
        assert answer["kept"] == json.loads(kept.kept[place])
        at = rows.index(row)
        assert answer["previous_row"] == (rows[at - 1] if at else None) and answer["next_row"] == (rows[at + 1] if at + 1 < len(rows) else None)
        pairs = sorted(zip(kept.features[place], kept.activations[place]), key=lambda p: (-p[1], p[0]))
        assert [(item["feature"], np.float32(item["activation"])) for item in answer["features"]] == [(f, np.float32(a)) for f, a in pairs]
        assert answer["n_active"] == len(pairs)
        cosines = kept.cosines(kept.x[place])
        nearest = [i for i in kept.order(cosines) if i != place][:7]
        assert [item["row"] for item in answer["nearest"]] == [kept.rows[i] for i in nearest]
        assert [item["cosine"] for item in answer["nearest"]] == pytest.approx([cosines[i] for i in nearest], abs=1e-12)
        assert [item["n_shared"] for item in answer["nearest"]] == [len({*kept.features[place]} & {*kept.features[i]}) for i in nearest]
        assert [item["text"] for item in answer["nearest"]] == [kept.texts[i] for i in nearest]


def test_a_text_that_comes_twice(viewer, kept):
    if 7 in kept.rows:
        assert viewer.get("/api/v1/rows/7")["n_rows"] == 2
    assert viewer.ask("GET", f"/api/v1/rows/{N_ROWS}")[0] == 404  # it is kept by its first row


@pytest.mark.parametrize("path, status", [("rows/99999999", 404), ("rows/4294967295", 404), ("rows/4294967296", 404), ("rows/", 404), ("rows/-1", 404), ("rows/1e3", 404),
                                          ("rows/0x1", 404), ("rows/+1", 400), ("rows/0?near=101", 400), ("rows/0?near=-1", 400), ("rows/0?far=1", 400), ("rows/0?near=1&near=2", 400), ("rows", 404)])
def test_rows_that_are_not_there(viewer, path, status):
    assert viewer.ask("GET", f"/api/v1/{path}")[0] == status


def test_a_run_without_texts(program, made, tmp_path):
    done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "--evidence", "none", "--steps", "none", "-o", tmp_path / "run"], capture_output=True)
    assert done.returncode == 0, done.stderr
    viewer = Viewer(program, tmp_path / "run")
    viewer.take_token()
    for status, answer, _ in (viewer.ask("GET", "/api/v1/rows/0"), viewer.ask("POST", "/api/v1/steer", {"row": 0, "changes": []}), viewer.ask("GET", "/api/v1/search?q=a&by=meaning")):
        assert status == 404 and "evidence" in answer["detail"]
    assert viewer.ask("GET", "/api/v1/search?q=a&by=features")[0] == 404
    assert viewer.ask("GET", "/api/v1/diff")[0] == 404
    answer = viewer.post("/api/v1/encode", {"texts": ["a comet"], "near": 3})
    assert answer["usual_active"] == {"usual_low": None, "usual_high": None} and answer["texts"][0]["nearest"] == []
    viewer.close()


# ---- search ----


@pytest.mark.parametrize("query, words", [("q=comet", []), ("q=The%20comet", []), ("q=dust+orbit&by=meaning", ["--meaning"]), ("q=a&by=meaning&limit=200", ["--meaning", "--limit", "200"]),
                                          ("q=%C3%A9t%C3%A9+%E6%97%A5&by=meaning", ["--meaning"]), ("q=it&by=features", ["--features"]), ("q=nowhere", [])])
def test_search_is_that_of_the_command(viewer, made, run, query, words):
    from urllib.parse import parse_qs
    answer = viewer.get(f"/api/v1/search?{query}")
    printed = json.loads(run("search", made / "run", parse_qs(query)["q"][0], "--json", *words).out)
    assert answer["query"] == printed["query"] and answer["n_searched"] == printed["n_searched"] and answer["n_found"] == printed["n_found"]
    single = lambda items: [{**item, "features": [(f["feature"], np.float32(f["activation"])) for f in item.get("features", [])]} for item in items]  # noqa: E731
    assert single(answer["found"]) == single(printed["found"])


def test_meaning_has_the_order_of_numpy(viewer, kept, run, tmp_path):
    (tmp_path / "q.jsonl").write_text(json.dumps({"text": "a planet with a ring"}) + "\n", encoding="utf8")
    assert run("embed", "-m", MODEL, "-d", tmp_path / "q.jsonl", "-o", tmp_path / "q.npy").code == 0
    cosines = kept.cosines(np.load(tmp_path / "q.npy")[0].astype("f8"))
    found = viewer.get("/api/v1/search?by=meaning&limit=1000&q=a+planet+with+a+ring")["found"]
    assert [item["row"] for item in found] == [kept.rows[i] for i in kept.order(cosines)]
    assert [item["score"] for item in found] == pytest.approx([cosines[i] for i in kept.order(cosines)], abs=1e-12)


@pytest.mark.parametrize("query", ["", "by=words", "q=", "q=%20", "q=a&by=x", "q=a&limit=0", "q=a&limit=1001", "q=a&limit=x", "q=a&q=b", "q=%ff", "q=a%00b", "x=1"])
def test_searches_that_are_refused(viewer, query):
    status, answer, headers = viewer.ask("GET", f"/api/v1/search?{query}")
    assert status == 400 and headers["Content-Type"] == "application/problem+json" and answer["status"] == 400


# ---- differences ----


@pytest.mark.parametrize("query, words", [("", None), ("by=kind", ["--by", "kind"])])
def test_differences_are_those_of_the_command(viewer, made, run, query, words):
    answer = viewer.get(f"/api/v1/diff?{query}&limit=1000".replace("?&", "?"))
    done = run("diff", made / "run", *(words or [made / "other"]), "--json", "--limit", "1000", "--most-q", "1")
    printed = json.loads(done.out)
    for key in ("same_sae", "n_compared", "n_unmatched_a", "n_unmatched_b"):
        assert answer[key] == printed[key]
    assert answer["n_found"] == answer["n_compared"] and answer["differences"] == printed["differences"]
    assert len(answer["differences"]) >= 24


def test_parts_of_differences(viewer):
    whole = viewer.get("/api/v1/diff?limit=1000")["differences"]
    assert viewer.get("/api/v1/diff?offset=3&limit=4")["differences"] == whole[3:7]
    part = viewer.get("/api/v1/diff?q_max=0.5")
    assert part["differences"] == [item for item in whole if item["q"] <= 0.5] and part["n_found"] == len(part["differences"])
    assert viewer.get("/api/v1/diff?offset=100000")["differences"] == []


@pytest.mark.parametrize("query, status", [("by=nothing", 404), ("q_max=2", 400), ("q_max=x", 400), ("q_max=nan", 400), ("limit=1001", 400), ("offset=-1", 400), ("with=/etc", 400)])
def test_differences_that_are_refused(viewer, query, status):
    assert viewer.ask("GET", f"/api/v1/diff?{query}")[0] == status


def test_another_run_that_is_not_there(run, made, tmp_path):
    assert run("view", made / "run", "--with", tmp_path / "nothing").code == 66
    assert run("view", made / "run", "--with", tmp_path).code == 65


# ---- typed texts ----


def percentiles(values):
    return [float(p) for p in np.percentile(values, [1, 99])]


def test_what_is_usual_is_numpys_percentile(viewer, kept):
    """Over the pool of both halves; outside of it a text is unlike the run's."""
    decode = Decoder(SAE)
    pool = [i for i, is_in in enumerate(kept.in_pool) if is_in]
    assert 100 < len(pool) <= 400
    fits = [cosine(kept.x[i], decode(dense(kept.features[i], kept.activations[i]), kept.x[i])) for i in pool]
    answer = viewer.post("/api/v1/encode", {"texts": [kept.texts[pool[0]]], "near": 3})
    text = answer["texts"][0]
    assert [text["reconstruction"]["usual_low"], text["reconstruction"]["usual_high"]] == pytest.approx(percentiles(fits), abs=2e-7)
    assert [answer["usual_active"]["usual_low"], answer["usual_active"]["usual_high"]] == pytest.approx(percentiles([len(kept.features[i]) for i in pool]), abs=1e-12)
    assert text["reconstruction"]["cosine"] == pytest.approx(fits[0], abs=2e-6)
    assert [item["row"] for item in text["nearest"]] == [kept.rows[i] for i in kept.order(kept.cosines(kept.x[pool[0]]))[:3]]
    assert text["nearest"][0]["cosine"] == pytest.approx(1, abs=1e-6)


def test_where_a_text_is_cut(viewer):
    """By the encoder itself: what comes behind the cut changes nothing, the last character before it does."""
    def encode(text):
        return viewer.post("/api/v1/encode", {"texts": [text], "top": 256})["texts"][0]
    limit = encode("a")["max_tokens"]
    for n in (1, limit - 3, limit - 2, limit - 1, limit, 3 * limit):
        text = " ".join(random.Random(n).choice("abcde") for _ in range(n))
        answer = encode(text + "  \n")
        assert answer["is_cut"] == (n > limit - 2), n
        assert answer["n_characters"] == len(text) + 3
        if answer["is_cut"]:
            read = answer["n_characters_read"]
            assert read < len(text) and encode(text[:read])["features"] == answer["features"] and encode(text[:read - 1] + "q")["features"] != answer["features"]
        else:
            assert answer["n_characters_read"] == answer["n_characters"]
    wide = encode("日本語 été 🌍 " * 60)
    assert wide["is_cut"] and 0 < wide["n_characters_read"] < wide["n_characters"] == 60 * 10


# ---- influence ----


def all_parts(viewer, body):
    parts, at, n = [], 0, None
    while at is not None:
        answer = viewer.post("/api/v1/influence", {**body, "from": at})
        assert n in (None, answer["n_parts"]) and len(answer["parts"]) <= 16
        n, at = answer["n_parts"], answer["next"]
        parts += answer["parts"]
    assert len(parts) == n
    return parts, answer["activations"]


TEXTS = ["The comet has a tail. It is bright! Is it? Yes.", "One sentence alone", "A dot e.g. here does not end it. 日本語です。もう一つ！", " leads  and\ttrails \n\nnew paragraph here\n",
         "word " * 40, "“Quoted.” Then more. 🌍 🚀 end", "3.14 is a number. So is 2.", "...", "\u0085x\u2003y\u200bz."]
SENTENCES = [["The comet has a tail. ", "It is bright! ", "Is it? ", "Yes."], ["One sentence alone"], ["A dot e.g. here does not end it. ", "日本語です。", "もう一つ！"],
             [" leads  and\ttrails \n\n", "new paragraph here\n"], ["word " * 40], ["“Quoted.” ", "Then more. ", "🌍 🚀 end"], ["3.14 is a number. ", "So is 2."], ["..."], ["\u0085x\u2003y\u200bz."]]


@pytest.mark.parametrize("text, sentences", zip(TEXTS, SENTENCES))
def test_influence_is_the_difference_without_a_part(viewer, text, sentences):
    """Each part, taken out by Python, gives what encode gives for the rest."""
    def activations(texts, features):
        out = []
        for i in range(0, len(texts), 16):
            for item in viewer.post("/api/v1/encode", {"texts": texts[i:i + 16], "top": 256})["texts"]:
                out.append([dict((f["feature"], f["activation"]) for f in item["features"]).get(f, 0) for f in features])
        return out
    features = [3, 0, 17, 23]
    for unit in ("sentence", "word"):
        parts, whole = all_parts(viewer, {"text": text, "features": features, "unit": unit})
        pieces = [text[part["start"]:part["end"]] for part in parts]
        assert "".join(pieces) == text
        if unit == "sentence":
            assert pieces == sentences
        else:
            assert all(piece.split() for piece in pieces) and all(len(piece.split()) == 1 for piece in pieces)
        assert [whole] == activations([text], features)
        assert [part["without"] for part in parts] == activations([text[:part["start"]] + text[part["end"]:] for part in parts], features)
    for i, sentence in enumerate(sentences):
        parts, _ = all_parts(viewer, {"text": text, "features": features, "unit": "word", "sentence": i})
        assert "".join(text[part["start"]:part["end"]] for part in parts) == sentence


def test_influence_is_bounded(viewer):
    many = viewer.post("/api/v1/influence", {"text": "comet " * 1000, "features": [1], "unit": "word"})
    assert many["n_parts"] == 1000 and len(many["parts"]) <= 16 and many["next"] == len(many["parts"])
    status, answer, _ = viewer.ask("POST", "/api/v1/influence", {"text": "a " * 1025, "features": [1], "unit": "word"})
    assert status == 400 and "1024" in answer["detail"]
    assert viewer.post("/api/v1/influence", {"text": " ", "features": [1]})["n_parts"] == 0


@pytest.mark.parametrize("body", [{}, {"text": "a"}, {"features": [1]}, {"text": "a", "features": []}, {"text": "a", "features": [24]}, {"text": "a", "features": [-1]}, {"text": "a", "features": ["1"]},
                                  {"text": "a", "features": [1.5]}, {"text": "a", "features": 1}, {"text": "a", "features": [1] * 17}, {"text": 5, "features": [1]}, {"text": "a", "features": [1], "unit": "letter"},
                                  {"text": "a", "features": [1], "unit": "wor"}, {"text": "a", "features": [1], "from": 2}, {"text": "a", "features": [1], "from": -1}, {"text": "a", "features": [1], "sentence": 0},
                                  {"text": "a", "features": [1], "unit": "word", "sentence": 1}, {"text": "a", "features": [1], "x": 1}, [], b"", b'{"text": "\xff"}'])
def test_influence_that_is_refused(viewer, body):
    status, answer, headers = viewer.ask("POST", "/api/v1/influence", body)
    assert status == 400 and headers["Content-Type"] == "application/problem+json" and answer["detail"].endswith(".")


# ---- steering ----


def largest(made):
    with open(made / "run/features.csv", newline="", encoding="utf8") as file:
        return [float(row["max_activation"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("keep_error", [False, True])
def test_steering_is_numpys(viewer, made, kept, keep_error):
    decode, most, rng = Decoder(SAE), largest(made), random.Random(4)
    for place in range(0, len(kept.rows), 23):
        x, z = kept.x[place], dense(kept.features[place], kept.activations[place])
        chosen = rng.sample(range(24), rng.randint(1, 5))
        changed = z.copy()
        for f in chosen:
            changed[f] = rng.choice([0, 0.5, 1, 2]) * most[f]
        body = {"row": kept.rows[place], "changes": [{"feature": f, "activation": changed[f]} for f in chosen], "keep_error": keep_error, "limit": 12}
        answer = viewer.post("/api/v1/steer", body)
        y, steered = decode(z, x), decode(changed, x)
        assert answer["reconstruction"]["cosine"] == pytest.approx(cosine(x, y), abs=1e-6)
        assert answer["reconstruction"]["error"] == pytest.approx(((x - y) ** 2).sum() / (x ** 2).sum(), rel=1e-5)
        assert [(c["feature"], c["before"], c["after"]) for c in answer["changes"]] == [(f, pytest.approx(z[f], rel=1e-6), pytest.approx(changed[f], rel=1e-6)) for f in chosen]
        before, after = (x, x + steered - y) if keep_error else (y, steered)
        assert answer["moved_cosine"] == pytest.approx(cosine(before, after), abs=1e-6)
        assert answer["n_texts"] == len(kept.rows)
        scores = {"before": kept.cosines(before), "after": kept.cosines(after)}
        for key, other in (("before", "after"), ("after", "before")):
            listed = answer[key]
            assert [item["cosine"] for item in listed] == pytest.approx(sorted(scores[key], reverse=True)[:12], abs=2e-6)
            ranks = {kept.rows[i]: rank for rank, i in enumerate(kept.order(scores[other]), 1)}
            for item in listed:
                i = kept.rows.index(item["row"])
                assert item["text"] == kept.texts[i] and item["cosine"] == pytest.approx(scores[key][i], abs=2e-6)
                assert item[f"cosine_{other}"] == pytest.approx(scores[other][i], abs=2e-6)
                near = sorted(scores[other], reverse=True)  # float32 vectors: neighbours within 2e-6 may change places
                assert abs(near[item[f"rank_{other}"] - 1] - scores[other][i]) < 4e-6, ranks[item["row"]]


def test_steering_nothing_moves_nothing(viewer, kept):
    answer = viewer.post("/api/v1/steer", {"row": kept.rows[3], "changes": []})
    assert answer["moved_cosine"] == pytest.approx(1, abs=1e-12) and answer["changes"] == []
    assert [item["row"] for item in answer["before"]] == [item["row"] for item in answer["after"]]
    assert [item["rank_before"] for item in answer["after"]] == list(range(1, 11))
    exact = viewer.post("/api/v1/steer", {"row": kept.rows[3], "changes": [], "keep_error": True})
    assert exact["before"][0]["row"] == kept.rows[3] and exact["before"][0]["cosine"] == pytest.approx(1, abs=1e-12)


def test_a_typed_text_is_steered_like_the_row_that_it_is(viewer, made, kept):
    most = largest(made)
    changes = [{"feature": 5, "activation": most[5]}, {"feature": 9, "activation": 0}]
    row, text = (viewer.post("/api/v1/steer", {**what, "changes": changes}) for what in ({"row": kept.rows[11]}, {"text": kept.texts[11]}))
    assert [item["row"] for item in row["after"]] == [item["row"] for item in text["after"]]
    assert text["moved_cosine"] == pytest.approx(row["moved_cosine"], abs=1e-5)


@pytest.mark.parametrize("body, status", [({}, 400), ({"row": 0, "text": "a", "changes": []}, 400), ({"row": -1}, 400), ({"row": 0.5}, 400), ({"row": "0"}, 400), ({"row": 99999999}, 404),
                                          ({"text": "a", "changes": [{"feature": 24, "activation": 0}]}, 400), ({"text": "a", "changes": [{"feature": 1}]}, 400), ({"text": "a", "changes": [{"feature": 1, "activation": -0.1}]}, 400),
                                          ({"text": "a", "changes": [{"feature": 1, "activation": 1e9}]}, 400), (b'{"text": "a", "changes": [{"feature": 1, "activation": NaN}]}', 400),
                                          ({"text": "a", "changes": [{"feature": 1, "activation": 0, "x": 1}]}, 400), ({"text": "a", "changes": [{"feature": 1, "activation": 0}] * 2}, 400), ({"text": "a", "changes": [5]}, 400),
                                          ({"text": "a", "changes": {}}, 400), ({"text": "a", "limit": 0}, 400), ({"text": "a", "limit": 101}, 400), ({"text": "a", "keep_error": 1}, 400),
                                          ({"text": "a", "changes": [{"feature": i, "activation": 0} for i in range(24)] + [{"feature": 0, "activation": 0}] * 41}, 400)])
def test_steering_that_is_refused(viewer, body, status):
    got, answer, headers = viewer.ask("POST", "/api/v1/steer", body)
    assert got == status and headers["Content-Type"] == "application/problem+json" and answer["detail"]
