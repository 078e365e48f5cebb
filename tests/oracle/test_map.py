"""The map and the clusters of a run against the reference libraries.

Needs ../shared: 2,000 abstracts, their embeddings, SAEs, and what umap-learn and scipy make of them.
"""
import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from conftest import SHARED

ORACLE = SHARED / "oracle"
FAMILIES = ORACLE / "families"
# Of umap-learn on the same vectors, the mean of its seeds rounded up: trustworthiness(15), neighbours kept.
FEATURES, TEXTS, PLACED = (0.920, 0.33), (0.933, 0.39), (0.911, 0.29)


@pytest.fixture(scope="module")
def analysed(program, tmp_path_factory):
    if not FAMILIES.is_dir():
        pytest.skip("no ../shared here")
    folder = tmp_path_factory.mktemp("map")
    (folder / "e.npy").write_bytes((ORACLE / "astro-2000/embeddings.npy").read_bytes())
    subprocess.run([program, "analyze", "-q", "--embeddings", folder / "e.npy", "-s", ORACLE / "sae/jumprelu-1536", "-d", SHARED / "data/arxiv-astro.jsonl.xz",
                    "-n", "2000", "-o", folder / "run", "--steps", "none"], check=True)
    return folder / "run"


def table(path):
    with open(path, newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def unit(x):
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def quality(x, y, k=15):
    """Trustworthiness and kept neighbours as docs/map.md has them, from all distances."""
    n, s = len(x), unit(x)
    d = 1 - s @ s.T
    np.fill_diagonal(d, -1)
    order = np.argsort(d, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(n)[None], axis=1)
    m = ((y[:, None] - y[None]) ** 2).sum(-1)
    np.fill_diagonal(m, -1)
    near = np.argsort(m, axis=1, kind="stable")[:, 1:k + 1]
    r = np.take_along_axis(ranks, near, axis=1)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * np.maximum(0, r - k).sum(), (r <= k).mean()


def places(rows):
    return np.array([[float(r["x"]), float(r["y"])] for r in rows])


@pytest.mark.parametrize("seed", [0, 1])
def test_maps_keep_more_than_umap_learn(run, analysed, seed):
    done = run("map", analysed, "--no-labels", "--seed", seed, "--json")
    assert done.code == 0, done.err
    said, rows = json.loads(done.out), table(analysed / "map.csv")
    features, texts = ([r for r in rows if r["kind"] == kind] for kind in ("feature", "text"))
    with np.load(analysed / "centroids.npz") as z:
        centroids = z["centroids"][[int(r["id"]) for r in features]]
    embeddings = np.load(analysed / "evidence/embeddings.npy")[[int(r["id"]) for r in texts]]
    for vectors, points, bars, names in ((centroids, features, FEATURES, ("trustworthiness", "kept")),
                                         (embeddings, texts, TEXTS, ("text_trustworthiness", "text_kept"))):
        found = quality(vectors, places(points))
        assert found[0] >= bars[0] and found[1] >= bars[1], found
        assert np.abs(np.array(found) - [said[n] for n in names]).max() < 1e-3  # what is printed is so
    with np.load(FAMILIES / "centroids/facts.npz") as z:
        assert [int(r["id"]) for r in features] == z["ids"].tolist()


def test_texts_and_features_share_one_map(run, analysed):
    """The features nearest to a text in the space of the embeddings are nearer on the map than others."""
    assert run("map", analysed, "--no-labels", "-q").code == 0
    rows = table(analysed / "map.csv")
    features, texts = ([r for r in rows if r["kind"] == kind] for kind in ("feature", "text"))
    with np.load(analysed / "centroids.npz") as z:
        centroids, mean = unit(z["centroids"][[int(r["id"]) for r in features]]), z["mean"]
    near = unit(np.load(analysed / "evidence/embeddings.npy")[[int(r["id"]) for r in texts]] - mean) @ centroids.T
    d = np.linalg.norm(places(texts)[:, None] - places(features)[None], axis=-1)
    own = np.take_along_axis(d, np.argsort(-near, axis=1)[:, :5], axis=1)
    share = np.mean(d < np.median(own, axis=1, keepdims=True))  # by chance 0.5
    assert share < 0.2, share


def test_clusters_are_scipys(run, analysed):
    with np.load(FAMILIES / "centroids/ward.npz") as z:
        for n in (30, 100):
            assert run("map", analysed, "--no-labels", "-q", "--clusters", n).code == 0
            of = [int(r["cluster"]) for r in table(analysed / "clusters.csv") if r["cluster"]]
            pairs = set(zip(of, z[f"cut{n}"].tolist()))
            assert len(pairs) == len(set(of)) == n  # the same partition


def test_hdbscan_calls_most_features_noise(run, analysed):
    """The package on the same vectors: 85 % noise on the half of the rows; here all rows, the same order."""
    done = run("map", analysed, "--no-labels", "--method", "hdbscan", "--json")
    said = json.loads(done.out)
    assert done.code == 0 and 0.6 < said["noise"] / said["features"] < 0.95


@pytest.fixture(scope="module")
def minilm():
    folder = Path(os.environ.get("SAESCOPE_MINILM", Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "saescope/all-MiniLM-L6-v2"))
    if not (folder / "model.safetensors").exists():
        pytest.skip("no encoder here: scripts/fetch-encoder.sh fetches it")
    return folder


def test_memory_of_a_map_of_15292_texts(program, minilm, tmp_path):
    """With labels of its clusters, the encoder among it. Embeddings are those of 2,000 abstracts with some noise, since memory does not
    depend on them."""
    if not FAMILIES.is_dir():
        pytest.skip("no ../shared here")
    few = np.load(ORACLE / "astro-2000/embeddings.npy")
    rows = few[np.arange(15292) % len(few)] + 0.02 * np.random.default_rng(1).normal(size=(15292, few.shape[1]))
    np.save(tmp_path / "e.npy", unit(rows).astype("<f4"))
    subprocess.run([program, "analyze", "-q", "--embeddings", tmp_path / "e.npy", "-s", ORACLE / "sae/jumprelu-1536", "-d", SHARED / "data/arxiv-astro.jsonl.xz",
                    "-o", tmp_path / "run", "--steps", "none"], check=True)
    child = subprocess.Popen([program, "map", tmp_path / "run", "--model", minilm, "-q"], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0 and usage.ru_maxrss / 1024 <= 250, usage.ru_maxrss
    # The texts are not those of the embeddings, so that some clusters have no phrase that stands out; others have, by the encoder.
    assert sum(c["label_from"] == "contrast" for c in json.loads((tmp_path / "run/clusters.json").read_text("utf8"))["clusters"][:20]) >= 5
