"""Co-activation and families: against what numpy, scipy and networkx say of the same activations.

The large sets are in ../shared (oracle/families: how they were made is written there) and are skipped visibly without it; the
small ones are in the tree.
"""
import hashlib
import json

import numpy as np
import pytest

from conftest import ROOT, SHARED

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
    assert (product == np.triu(units, 1)).all() and (z["features"][:, 3] == np.diag(units)).all()
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
