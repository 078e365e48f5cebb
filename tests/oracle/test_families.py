"""Co-activation and families: against what numpy, scipy and networkx say of the same activations.

The large sets are in ../shared (oracle/families: how they were made is written there) and are skipped visibly without it; the
small ones are in the tree.
"""
import hashlib
import json

import numpy as np
import pytest

from arrow_reader import read_arrow
from conftest import ROOT, SHARED
from helpers import write_safetensors

DATA = ROOT / "tests/data/evidence"
ORACLE = SHARED / "oracle/families"
SAES = ["jumprelu-1536", "topk-768"]
needs_shared = pytest.mark.skipif(not ORACLE.is_dir(), reason="no ../shared here")


def analyze(run, out, embeddings, sae, *words):
    done = run("analyze", "--embeddings", embeddings, "-s", sae, "-q", "-o", out, *words)
    assert done.code == 0, done.err
    return out


made = {}


@pytest.fixture
def shared_runs(run, tmp_path_factory):
    """Runs of both SAEs over the embeddings of 2,000 abstracts, made once."""
    for sae in SAES:
        if sae not in made:
            made[sae] = analyze(run, tmp_path_factory.mktemp("families") / sae, SHARED / "oracle/astro-2000/embeddings.npy",
                                SHARED / "oracle/sae" / sae)
    return made


def pairs_of(out):
    """The whole matrix of counts, that of the score half, and the arrays of the file."""
    z = dict(np.load(out / "coactivation.npz"))
    n = int(z["shape"][0])
    rows = np.repeat(np.arange(n), np.diff(z["indptr"]))
    both, score, product = np.zeros((n, n), np.int64), np.zeros((n, n), np.int64), np.zeros((n, n), np.uint64)
    both[rows, z["indices"]], score[rows, z["indices"]], product[rows, z["indices"]] = z["data"], z["score"], z["product"]
    return both, score, product, z


@needs_shared
@pytest.mark.parametrize("sae", SAES)
def test_counts_equal_the_reference(shared_runs, sae):
    both, _, product, z = pairs_of(shared_runs[sae])
    expected = np.load(ORACLE / sae / "pairs.npz")
    facts = json.loads((ORACLE / sae / "pairs.json").read_text())
    counts = np.zeros_like(both)
    counts[expected["i"].astype(int), expected["j"].astype(int)] = expected["count"]
    assert (both == counts).all() and len(z["data"]) == facts["pairs_with_count"]
    triangle = both[np.triu_indices(len(both), 1)].astype("<u4").tobytes()
    assert hashlib.sha256(triangle).hexdigest() == facts["triangle_u32_sha256"]
    assert (z["features"][:, :2].sum(1) == expected["fires"]).all() and z["rows"].sum() == facts["rows"]
    assert (z["features"][:, 2] == (both + both.T).sum(1)).all()
    lines = [line.split(",") for line in (ORACLE / sae / "measures.csv").read_text().splitlines()]
    i, j, at = (lines[0].index(name) for name in ("i", "j", "activation_product"))
    for line in lines[1:]:
        # Each of up to 2,000 products is cut by a unit at most; activations themselves are those of f32 products of matrices.
        expected_sum = float(line[at])
        assert abs(product[int(line[i]), int(line[j])] / 2**32 - expected_sum) <= 1e-5 * expected_sum + 2000 / 2**32


def activations_of(run, tmp_path, sae):
    """Of the small set, as encode gives them: other tests compare those with torch."""
    done = run("encode", "--embeddings", DATA / "embeddings.npy", "-s", sae, "-o", tmp_path / "a.npz", "-q")
    assert done.code == 0, done.err
    z = np.load(tmp_path / "a.npz")
    a = np.zeros(tuple(z["shape"]), np.float32)
    a[np.repeat(np.arange(len(z["indptr"]) - 1), np.diff(z["indptr"])), z["indices"]] = z["data"]
    return a


def halves_of(texts):
    """A row without a text has its number in the place of it."""
    return np.array([hashlib.sha256(text.encode() or i.to_bytes(8, "little")).digest()[8] & 1 for i, text in enumerate(texts)])


@pytest.mark.parametrize("sae", ["sae-jumprelu", "sae-topk"])
def test_counts_of_halves_and_products(run, tmp_path, sae):
    texts = [json.loads(line)["text"] for line in (DATA / "texts.jsonl").read_text("utf8").splitlines()]
    a = activations_of(run, tmp_path, DATA / sae)
    half = halves_of(texts)
    both, score, product, z = pairs_of(analyze(run, tmp_path / "run", DATA / "embeddings.npy", DATA / sae, "-d", DATA / "texts.jsonl"))
    fires = (a > 0).astype(np.int64)
    assert (both == np.triu(fires.T @ fires, 1)).all()
    assert (score == np.triu(fires[half == 1].T @ fires[half == 1], 1)).all()
    assert (z["rows"] == [(half == 0).sum(), (half == 1).sum()]).all()
    assert (z["features"][:, :2].T == [fires[half == 0].sum(0), fires[half == 1].sum(0)]).all()
    wide = a.astype(np.float64)
    units = sum(np.floor(np.outer(row, row) * 2.0**32).astype(np.uint64) for row in wide)
    assert (product == np.triu(units, 1)).all() and (z["features"][:, 3:].sum(1) == np.diag(units)).all()
    there = sum(np.floor(np.outer(row, row) * 2.0**32).astype(np.uint64) for row in wide[half == 1])
    upper = [(i, j) for i, (begin, end) in enumerate(zip(z["indptr"], z["indptr"][1:])) for j in z["indices"][begin:end]]
    assert z["score_product"].tolist() == [int(there[i, j]) for i, j in upper] and (z["features"][:, 4] == np.diag(there)).all()
    centroids = np.load(tmp_path / "run/centroids.npz")
    embeddings = np.load(DATA / "embeddings.npy").astype(np.float64)
    expected = wide.T @ embeddings / np.maximum(wide.sum(0), 1e-300)[:, None] - embeddings.mean(0)
    expected[wide.sum(0) == 0] = 0
    # f32, and terms rounded to 2^-28 beside activations that add up to a few.
    assert np.abs(centroids["centroids"] - expected).max() < 3e-7 and np.abs(centroids["mean"] - embeddings.mean(0)).max() < 1e-7


def test_bytes_depend_on_neither_memory_threads_batches_nor_order(run, tmp_path):
    lines = (DATA / "texts.jsonl").read_text("utf8").splitlines()
    kept = [i for i, line in enumerate(lines) if json.loads(line)["text"]]  # others have a half by their number
    texts, embeddings = [lines[i] for i in kept], np.load(DATA / "embeddings.npy")[kept]
    np.save(tmp_path / "all.npy", embeddings)
    (tmp_path / "all.jsonl").write_text("".join(text + "\n" for text in texts), encoding="utf8")
    outs = [analyze(run, tmp_path / f"run{i}", tmp_path / "all.npy", DATA / "sae-jumprelu", "-d", tmp_path / "all.jsonl", *words)
            for i, words in enumerate(([], ["--pairs-bytes", "1"], ["--threads", "1"], ["--threads", "2", "--batch-tokens", "64"]))]
    order = np.random.default_rng(5).permutation(len(texts))
    np.save(tmp_path / "e.npy", embeddings[order])
    (tmp_path / "t.jsonl").write_text("".join(texts[i] + "\n" for i in order), encoding="utf8")
    outs.append(analyze(run, tmp_path / "shuffled", tmp_path / "e.npy", DATA / "sae-jumprelu", "-d", tmp_path / "t.jsonl"))
    for name in ("coactivation.npz", "centroids.npz"):
        assert len({(out / name).read_bytes() for out in outs}) == 1, name


def test_pairs_are_switched_off(run, tmp_path):
    out = analyze(run, tmp_path / "run", DATA / "embeddings.npy", DATA / "sae-topk", "-d", DATA / "texts.jsonl")
    assert (out / "coactivation.npz").exists()
    analyze(run, out, DATA / "embeddings.npy", DATA / "sae-topk", "-d", DATA / "texts.jsonl", "--no-pairs", "--evidence", "none", "--force")
    assert not (out / "coactivation.npz").exists() and not (out / "centroids.npz").exists()


# ---- families ----

SMALL = ROOT / "tests/data/graph/run"
RULES = ["seed", "seed-keywords", "saerch"]


@pytest.fixture
def small_run(run, tmp_path):
    out = analyze(run, tmp_path / "small", SMALL / "embeddings.npy", SMALL / "sae", "--steps", "none")
    (out / "feature_keywords.json").write_bytes((SMALL / "feature_keywords.json").read_bytes())
    return out


def families(run, out, rule, *words):
    done = run("families", out, "--method", rule, "-q", *words)
    assert done.code == 0, done.err
    return json.loads((out / "families.json").read_text()), json.loads((out / "feature_families.json").read_text())


@pytest.mark.parametrize("score", ["cosine", "npmi", "conditional"])
def test_parents_by_other_scores(run, small_run, score):
    """The best of the candidates, by numpy."""
    a = np.load(SMALL / "embeddings.npy").astype(np.float64)
    fires, n = (a > 0).sum(0), len(a)
    best = {}
    for i, j, _, _ in json.loads((SMALL / "expected.json").read_text())["significant"]:
        p, child = (i, j) if fires[i] >= fires[j] else (j, i)
        both = ((a[:, i] > 0) & (a[:, j] > 0)).sum()
        lift, share = both * n / (fires[i] * fires[j]), both / fires[child]
        if both >= 5 and lift >= 2:
            z = 1.959963984540054
            value = {"cosine": np.log(lift) * (a[:, i] @ a[:, j]) / np.sqrt((a[:, i] @ a[:, i]) * (a[:, j] @ a[:, j])),
                     "npmi": np.log(lift) / -np.log(both / n),
                     "conditional": (share + z * z / (2 * fires[child]) - z * np.sqrt(share * (1 - share) / fires[child] + (z / (2 * fires[child])) ** 2))
                     / (1 + z * z / fires[child])}[score]
            best[child] = max(best.get(child, (-9,)), (value, both, -p))
    found, _ = families(run, small_run, "parents", "--score", score)
    assert [[p["child"], p["parent"]] for p in found["parents"]] == [[c, -b[2]] for c, b in sorted(best.items())] and len(best) > 8


def test_small_families_by_parents(run, small_run):
    expected = json.loads((SMALL / "expected.json").read_text())
    found, lists = families(run, small_run, "parents", "--score", "phi")
    assert [[p["child"], p["parent"]] for p in found["parents"]] == [e[:2] for e in expected["parents"]]
    assert max(abs(p["phi"] - e[2]) for p, e in zip(found["parents"], expected["parents"])) < 1e-12
    assert [[f["round"], *f["members"]] for f in found["families"]] == expected["trees"]
    assert lists == [e[1:] for e in expected["trees"]]


@pytest.mark.parametrize("rule", RULES)
def test_small_families_of_other_rules(run, small_run, rule):
    expected = json.loads((SMALL / "expected.json").read_text())[rule]
    found, lists = families(run, small_run, rule)
    assert lists == expected and len(expected) > 1
    assert sorted(f["members"] for f in found["families"]) == sorted(expected)
    ratios = [f["block_ratio"] for f in found["families"]]
    assert ratios == sorted(ratios, reverse=True)


def measures_of(a, i, j):
    x, y = a[:, i] > 0, a[:, j] > 0
    n, n_i, n_j, both = len(a), x.sum(), y.sum(), (x & y).sum()
    lift = both * n / (n_i * n_j)
    wide = a.astype(np.float64)
    return {"rows": both, "overlap": both / min(n_i, n_j), "jaccard": both / (x | y).sum(), "lift": lift, "npmi": np.log(lift) / -np.log(both / n),
            "cosine": wide[:, i] @ wide[:, j] / np.linalg.norm(wide[:, i]) / np.linalg.norm(wide[:, j]), "phi": np.corrcoef(x, y)[0, 1]}


def test_small_pairs(run, small_run):
    a = np.load(SMALL / "embeddings.npy")
    expected = {(i, j): (p, q) for i, j, p, q in json.loads((SMALL / "expected.json").read_text())["significant"]}
    families(run, small_run, "parents")
    table, _ = read_arrow(small_run / "pairs.arrow")
    rows = list(zip(table["feature"], table["partner"]))
    assert {tuple(sorted(r)) for r in rows} == set(expected) and len(rows) == 2 * len(expected) > 20
    for at, (i, j) in enumerate(rows):
        p, q = expected[min(i, j), max(i, j)]
        assert abs(np.exp(table["log_p"][at]) / p - 1) < 1e-12 and abs(table["q"][at] / q - 1) < 1e-12
        for name, value in measures_of(a, i, j).items():
            assert abs(table[name][at] - value) < 1e-8, (name, i, j)  # the cosine is of products in units of 2^-32
        again = at > 0 and table["feature"][at - 1] == i
        assert table["rank"][at] == (table["rank"][at - 1] + 1 if again else 0)
        assert not again or table["phi"][at - 1] >= table["phi"][at]
    families(run, small_run, "parents", "--pairs-phi", "0.3")
    strong, _ = read_arrow(small_run / "pairs.arrow")
    assert len(strong["phi"]) == sum(phi >= 0.3 for phi in table["phi"]) and min(strong["phi"]) >= 0.3


def test_held_out_figures(run, small_run):
    """Parents of the describe half, counted on the score half, by numpy."""
    a = np.load(SMALL / "embeddings.npy") > 0
    half = halves_of([""] * len(a))
    found, _ = families(run, small_run, "parents")
    held_out = found["held_out"]
    there = a[half == 1]
    n = len(there)
    one = run("families", small_run, "--json")
    assert json.loads(one.out)["held_out"]["pairs"] == held_out["pairs"] > 3
    assert 0 < held_out["low"] < held_out["lift"] < held_out["high"] and held_out["rows"] <= there.sum() ** 2
    whole = [f for f in found["families"] if f["round"] == 0]
    assert sum(f["held_out"]["pairs"] for f in whole) <= held_out["pairs"]
    for f in whole:
        if f["held_out"]["pairs"]:
            assert abs(f["held_out"]["lift"] - f["held_out"]["rows"] / f["held_out"]["expected"]) < 1e-12
    assert abs(held_out["lift"] - held_out["rows"] / held_out["expected"]) < 1e-12 and n == 300 - (half == 0).sum()


def test_show_prints_the_family(run, small_run):
    assert run("show", small_run, 6, "--family").code == 66
    families(run, small_run, "parents")
    done = run("show", small_run, 6, "--family")
    assert done.code == 0 and "parent" in done.out and "in the family of 1" in done.out and "its own family: 6, 3 features" in done.out
    shown = json.loads(run("show", small_run, 6, 20, "--family", "--json").out)["features"]
    assert shown[0]["family"]["parent"]["feature"] == 1 and shown[0]["family"]["families"] == [{"parent": 1, "size": 5}, {"parent": 6, "size": 3}]
    assert shown[1]["family"] == {"rule": "parents", "parent": None, "families": []}
    assert run("show", small_run, "--family").code == 64
    families(run, small_run, "seed")
    assert "by the rule seed" in run("show", small_run, 6, "--family").out


def test_damaged_families_are_refused(run, small_run):
    families(run, small_run, "parents")
    whole = json.loads((small_run / "families.json").read_text())
    for change in ({"families": 3}, {"features": 25}, {"parents": whole["parents"] * 2}, {"families": [{"members": [99]}]}, {"rule": None},
                   {"parents": [{"child": 1, "parent": 2, "rows": 5}, {"child": 2, "parent": 1, "rows": 5}]}, {"families": [{"members": []}]}):
        (small_run / "families.json").write_text(json.dumps(whole | change))
        done = run("show", small_run, 6, "--family")
        assert done.code == 65 and "families.json" in done.err, (change, done.err)


def test_pictures_have_the_same_bytes_and_say_n(run, small_run):
    names = [f"{name}.{ending}" for name in ("families", "family_maps", "coactivation") for ending in ("svg", "png")]
    families(run, small_run, "parents", "--threads", 1)
    first = [(small_run / name).read_bytes() for name in names]
    families(run, small_run, "parents", "--threads", 2)
    assert first == [(small_run / name).read_bytes() for name in names]
    for name in names:
        if name.endswith("svg"):
            assert "300 rows, 26 features, 5 families" in (small_run / name).read_text("utf8")
    for rule in RULES:
        families(run, small_run, rule)
        assert all((small_run / name).stat().st_size > 1000 for name in names)


def test_neighbours_of_directions(run, tmp_path):
    """By numpy; with a copy of a direction, one of zeros, and without the SAE."""
    a = np.load(SMALL / "embeddings.npy")
    decoder = np.random.default_rng(4).standard_normal((26, 12)).astype(np.float32)
    decoder[22], decoder[9] = 2 * decoder[6], 0  # 22 fires as 6 does
    weights = {"W_enc": np.eye(26, dtype=np.float32), "W_dec": decoder, "b_enc": np.zeros(26, np.float32), "b_dec": np.zeros(12, np.float32)}
    cfg = json.loads((SMALL / "sae/cfg.json").read_text())
    (tmp_path / "sae").mkdir()
    write_safetensors(tmp_path / "sae/sae_weights.safetensors", weights)
    (tmp_path / "sae/cfg.json").write_text(json.dumps(cfg))
    done = run("analyze", "--embeddings", SMALL / "embeddings.npy", "-s", tmp_path / "sae", "-q", "-o", tmp_path / "run")
    if done.code != 0:  # a decoder of another width: a transcoder, which this format does not have
        decoder = np.random.default_rng(4).standard_normal((26, 26)).astype(np.float32)
        decoder[22], decoder[9] = 2 * decoder[6], 0
        write_safetensors(tmp_path / "sae/sae_weights.safetensors", weights | {"W_dec": decoder, "b_dec": np.zeros(26, np.float32)})
        analyze(run, tmp_path / "run", SMALL / "embeddings.npy", tmp_path / "sae")
    table, notes = read_arrow(tmp_path / "run/neighbours.arrow")
    unit = decoder.astype(np.float64) / np.maximum(np.linalg.norm(decoder.astype(np.float64), axis=1, keepdims=True), 1e-300)
    both = (a > 0).astype(np.int64).T @ (a > 0)
    for f in range(26):
        at = [i for i, g in enumerate(table["feature"]) if g == f]
        if f == 9:
            assert not at
            continue
        order = [g for g in np.lexsort((np.arange(26), -np.round(unit @ unit[f], 12))) if g not in (f, 9)]
        expected, away = order[:10], [i for i in at if table["kind"][i] == "opposite"]
        opposite = [g for g in np.lexsort((np.arange(26), np.round(unit @ unit[f], 12))) if g not in (f, 9) and unit[f] @ unit[g] < 0][:3]
        assert at[10:] == away and [table["neighbour"][i] for i in away] == opposite and [table["rank"][i] for i in away] == list(range(len(opposite))) and opposite
        assert max(abs(table["cosine"][i] - unit[f] @ unit[table["neighbour"][i]]) for i in away) < 1e-12 and all(table["rows"][i] == both[f, table["neighbour"][i]] for i in away)
        at = at[:10]
        assert [table["neighbour"][i] for i in at] == expected and [table["rank"][i] for i in at] == list(range(10))
        assert max(abs(table["cosine"][i] - unit[f] @ unit[table["neighbour"][i]]) for i in at) < 1e-12
        assert all(table["rows"][i] == both[f, table["neighbour"][i]] for i in at)
    kinds = {(f, n): k for f, n, k in zip(table["feature"], table["neighbour"], table["kind"])}
    assert kinds[6, 22] == kinds[22, 6] == "duplicate"
    (tmp_path / "sae/sae_weights.safetensors").rename(tmp_path / "elsewhere")
    done = run("families", tmp_path / "run")
    assert done.code == 0 and "no neighbours.arrow" in done.err and not (tmp_path / "run/neighbours.arrow").exists()


def test_matrix_is_the_workflows(run, small_run):
    a = (np.load(SMALL / "embeddings.npy") > 0).astype(np.int64)
    families(run, small_run, "seed", "--matrix")
    matrix = np.load(small_run / "coactivation_matrix.npy")
    assert matrix.dtype == np.float64 and (matrix == a.T @ a).all()


@needs_shared
@pytest.mark.parametrize("sae", SAES)
def test_families_equal_the_reference(run, shared_runs, sae):
    out = shared_runs[sae]
    (out / "feature_keywords.json").write_bytes((ORACLE / sae / "keywords.json").read_bytes())
    read = lambda name: json.loads((ORACLE / sae / f"families_{name}.json").read_text())  # noqa: E731
    found, _ = families(run, out, "parents", "--score", "phi")
    expected = read("parents")
    assert [[p["child"], p["parent"]] for p in found["parents"]] == [e[:2] for e in expected["parents"]]
    assert [f["members"] for f in found["families"] if f["round"] == 0] == [e["members"] for e in expected["families"]]
    facts = json.loads((ORACLE / sae / "pairs.json").read_text())["benjamini_hochberg"]["0.01"]
    pairs, _ = read_arrow(out / "pairs.arrow")
    assert len({tuple(sorted(p)) for p in zip(pairs["feature"], pairs["partner"])}) <= facts["pairs"]
    families(run, out, "parents", "--pairs-phi", "0.000001")
    pairs, _ = read_arrow(out / "pairs.arrow")
    assert len(pairs["phi"]) == 2 * facts["pairs"] and abs(max(pairs["log_p"]) - facts["log_p_of_last"]) < 1e-9
    found, lists = families(run, out, "seed")
    assert lists == read("seed_graph")
    for f, e in zip(found["families"], read("seed_graph_metrics")):
        assert (f["parent"], f["size"]) == (e["parent"], e["size"])
        for name in ("R_pc", "R_children", "in_block", "off_block", "block_ratio"):
            assert abs(f[name] - e[name]) <= 1e-9 * abs(e[name]), name
    assert families(run, out, "seed-keywords")[1] == read("seed_keywords")
    assert families(run, out, "saerch")[1] == [[int(root), *(child for _, child in f["children"])] for root, f in read("saerch").items()]


# ---- what stands in the way ----

def test_runs_without_what_is_needed(run, tmp_path):
    out = analyze(run, tmp_path / "run", SMALL / "embeddings.npy", SMALL / "sae", "--no-pairs", "--steps", "none")
    done = run("families", out)
    assert done.code == 66 and "--no-pairs" in done.err and "analyze" in done.err
    out = analyze(run, tmp_path / "again", SMALL / "embeddings.npy", SMALL / "sae", "--steps", "none")
    done = run("families", out, "--method", "seed-keywords")
    assert done.code == 66 and "describe" in done.err
    for words in (["--method", "seed", "--score", "npmi"], ["--tau", "0.2"], ["--method", "none"], ["--max-parent-rate", "2"]):
        assert run("families", out, *words).code == 64, words
    assert run("families", tmp_path / "nothing").code == 66


@pytest.mark.parametrize("what", ["one feature", "all alike", "always", "never twice", "one row"])
def test_edges(run, tmp_path, what):
    a = np.zeros((40, 26), np.float32)
    a[{"one feature": (slice(None, None, 3), 4), "all alike": (slice(None, None, 3), slice(None)), "always": (slice(None), slice(None)),
       "never twice": (range(26), range(26)), "one row": (0, slice(None))}[what]] = 1.5
    np.save(tmp_path / "e.npy", a)
    out = analyze(run, tmp_path / "run", tmp_path / "e.npy", SMALL / "sae", "--steps", "none")
    for rule in ("parents", "seed", "saerch"):
        found, lists = families(run, out, rule)
        assert len(found["families"]) == len(lists)
        if what in ("one feature", "always", "never twice", "one row") and rule == "parents":
            assert lists == []
    if what == "all alike":  # equal features: the smallest number is the parent of all
        assert families(run, out, "parents")[1] == [list(range(26))]


def test_damaged_counts_are_refused(run, small_run):
    raw = (small_run / "coactivation.npz").read_bytes()
    for at in range(0, len(raw), 97):
        changed = bytearray(raw)
        changed[at] ^= 0x55
        (small_run / "coactivation.npz").write_bytes(changed)
        done = run("families", small_run, "-q")
        assert done.code in (0, 65, 66), (at, done.err)
    (small_run / "coactivation.npz").write_bytes(raw[:200])
    assert run("families", small_run).code == 65


def test_files_do_not_depend_on_threads(run, small_run):
    files = []
    for n in (1, 2, 7):
        families(run, small_run, "parents", "--threads", n)
        files.append([(small_run / name).read_bytes() for name in ("families.json", "feature_families.json", "pairs.arrow")])
    assert files[0] == files[1] == files[2]
