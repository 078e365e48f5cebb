"""Clusters of a run's features, and the map of features and texts (`map`)."""
import csv
import hashlib
import json
import random
import shutil
import struct
import subprocess

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused, write_safetensors

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()
FILES = ["clusters.csv", "clusters.json", "map.csv", "map.svg", "map.png"]


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("map"), random.Random(1)
    lines = []
    for i in range(600):
        w = [rng.choice(WORDS) for _ in range(6)]
        lines.append(json.dumps({"text": f"The {w[0]} of a {w[1]} {w[2]} and, {w[3]} {w[4]} {w[5]} {i}."}) + "\n")
    (folder / "texts.jsonl").write_text("".join(lines))
    done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run", "--steps", "none"])
    assert done.returncode == 0
    return folder


@pytest.fixture
def fresh(made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path / "run"


def hashes(folder, names=FILES):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def rows(path):
    with open(path, newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("words", [[], ["--clusters", "2"], ["--method", "hdbscan", "--min-cluster-size", "2"], ["--no-labels", "--seed", "3"],
                                   ["--method", "hdbscan", "--min-cluster-size", "3", "--min-samples", "1", "--leaves"]])
def test_files_agree_and_do_not_depend_on_threads(run, fresh, words):
    before = json.loads((fresh / "run.json").read_text("utf8"))
    done = run("map", fresh, *words, "--json")
    assert done.code == 0, done.err
    first, said = hashes(fresh), json.loads(done.out)
    manifest = json.loads((fresh / "run.json").read_text("utf8"))
    record = manifest.pop("steps")["map"]
    assert manifest == before and record["outputs"] == first
    fires = [int(line["n_fires"]) for line in rows(fresh / "features.csv")]
    clusters, of = json.loads((fresh / "clusters.json").read_text("utf8")), rows(fresh / "clusters.csv")
    # features that fire in 5 rows or more have a cluster or are noise; the others have an empty cell
    assert [line["cluster"] != "" for line in of] == [n >= 5 for n in fires]
    assert said["features"] == clusters["n_features"] == sum(n >= 5 for n in fires) and said["rare"] == sum(n < 5 for n in fires)
    members = [[i for i, line in enumerate(of) if line["cluster"] == str(c)] for c in range(said["clusters"])]
    assert [item["features"] for item in clusters["clusters"]] == members and all(members)
    assert [len(m) for m in members] == sorted(map(len, members), reverse=True)
    assert said["noise"] == sum(line["cluster"] == "-1" for line in of) and ("hdbscan" in words or said["noise"] == 0)
    if "--clusters" in words:
        assert said["clusters"] == 2
    places = rows(fresh / "map.csv")
    assert [int(p["id"]) for p in places if p["kind"] == "feature"] == [i for i, n in enumerate(fires) if n >= 5]
    assert sum(p["kind"] == "text" for p in places) == said["texts"] == 600
    assert np.isfinite([[float(p["x"]), float(p["y"])] for p in places]).all()
    assert run("map", fresh, *words, "-t", "1", "-q").code == 0
    assert hashes(fresh) == first
    assert run("inspect", fresh, "--check").code == 0


def test_analyze_makes_the_same_map(run, made, fresh, tmp_path):
    assert run("map", fresh, "-q").code == 0
    done = run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "at-once", "--steps", "map")
    assert done.code == 0, done.err
    assert hashes(tmp_path / "at-once") == hashes(fresh)


def test_texts_are_placed_alone(run, made, fresh, tmp_path):
    lines = (made / "texts.jsonl").read_text().splitlines(keepends=True)
    strangers = [json.dumps({"text": f"A {a} and a {b}"}) + "\n" for a in WORDS[:4] for b in WORDS[4:8]]
    (tmp_path / "all.jsonl").write_text("".join([lines[7], *strangers, lines[3]]))
    (tmp_path / "one.jsonl").write_text(strangers[5])
    assert run("map", fresh, "--place", tmp_path / "all.jsonl", "-q", "--no-labels").code == 0
    placed = rows(fresh / "placed.csv")
    assert [int(p["row"]) for p in placed] == list(range(18))
    # a text of the run lies where it lies
    known = {p["label"]: (p["x"], p["y"]) for p in rows(fresh / "map.csv") if p["kind"] == "text"}
    assert known[placed[0]["text"]] == (placed[0]["x"], placed[0]["y"]) and known[placed[-1]["text"]] == (placed[-1]["x"], placed[-1]["y"])
    # and no place depends on what else is placed
    assert run("map", fresh, "--place", tmp_path / "one.jsonl", "-q", "--no-labels", "-t", "1").code == 0
    alone = rows(fresh / "placed.csv")
    assert len(alone) == 1 and [alone[0][k] for k in ("x", "y", "cluster", "text")] == [placed[6][k] for k in ("x", "y", "cluster", "text")]


def test_keywords_are_a_place_too(run, fresh):
    assert_refused(run("map", fresh, "--on", "keywords"), 66, "saescope describe")
    assert run("describe", fresh, "--method", "seed", "--no-score", "-q").code == 0
    done = run("map", fresh, "--on", "keywords", "--method", "hdbscan", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["texts"] == 0 and json.loads((fresh / "clusters.json").read_text("utf8"))["vectors"] == "keywords"


def test_what_is_lacking_is_said(run, made, fresh, tmp_path):
    assert_refused(run("map", fresh, "--clusters", "100000"), 64, "cannot make 100000 clusters")
    assert run("map", fresh, "--clusters", "3", "--method", "hdbscan").code == 64
    (fresh / "centroids.npz").unlink()
    assert_refused(run("map", fresh), 66, "analyze")
    done = run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-n", "3", "-o", tmp_path / "few", "--steps", "none")
    assert done.code == 0
    assert_refused(run("map", tmp_path / "few"), 66, "no feature fires in 5 rows")
    args = ["-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "--steps", "none"]
    assert run("analyze", "-q", *args, "--evidence", "none", "-o", tmp_path / "bare").code == 0
    for more in (["--on", "keywords"], ["--on", "decoder", "--place", made / "texts.jsonl"]):
        assert_refused(run("map", tmp_path / "bare", *more), 66, "no evidence; run saescope analyze again, with --evidence full or light")
    assert run("analyze", "-q", *args, "-o", tmp_path / "unnamed").code == 0
    assert_refused(run("map", tmp_path / "unnamed", "--on", "keywords"), 66, "saescope describe")


@pytest.mark.parametrize("kind", ["nan", "short", "cut"])
def test_damaged_centroids_are_refused(run, fresh, kind):
    path = fresh / "centroids.npz"
    with np.load(path) as z:
        arrays = dict(z)
    name = next(n for n, a in arrays.items() if a.ndim == 2)
    if kind == "nan":
        arrays[name] = arrays[name].copy()
        arrays[name][0, 0] = np.nan
    elif kind == "short":
        arrays[name] = arrays[name][1:]
    np.savez(path, **arrays)
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    assert_refused(run("map", fresh), 65, "centroids.npz")


def centroids_as(path, change):
    with np.load(path) as z:
        arrays = dict(z)
    name = next(n for n, a in arrays.items() if a.ndim == 2)
    arrays[name] = change(arrays[name].copy()).astype(arrays[name].dtype)
    np.savez(path, **arrays)


def alike(c):
    c[:] = c[np.abs(c).sum(1).argmax()]
    return c


def one(c):
    c[np.arange(len(c)) != np.abs(c).sum(1).argmax()] = 0
    return c


def twins(c):
    c[1::2] = c[0::2][:len(c[1::2])]
    return c


@pytest.mark.parametrize("change", [alike, one, twins, lambda c: c * 1e30, lambda c: c * 1e-30])
@pytest.mark.parametrize("words", [[], ["--method", "hdbscan", "--min-cluster-size", "2"]])
def test_degenerate_features(run, fresh, change, words):
    """All alike, a single one, equal pairs, numbers near the ends of float32."""
    centroids_as(fresh / "centroids.npz", change)
    done = run("map", fresh, *words, "--no-labels", "--json")
    assert done.code == 0, done.err
    assert all(np.isfinite([float(p["x"]), float(p["y"])]).all() for p in rows(fresh / "map.csv"))
    if change in (alike, one) and not words:
        assert json.loads(done.out)["clusters"] == 1


def test_runs_of_embeddings_without_texts(run, made, tmp_path):
    np.save(tmp_path / "e.npy", np.load(made / "run/evidence/embeddings.npy"))
    assert run("analyze", "-q", "--embeddings", tmp_path / "e.npy", "-s", SAE, "-o", tmp_path / "run").code == 0
    steps = json.loads((tmp_path / "run/run.json").read_text("utf8"))["steps"]
    assert steps["map"]["n_texts"] == 600
    assert all(c["label"] == "" for c in json.loads((tmp_path / "run/clusters.json").read_text("utf8"))["clusters"])


def test_pictures(run, fresh):
    assert run("map", fresh, "-q").code == 0
    svg, png = (fresh / "map.svg").read_text("utf8"), (fresh / "map.png").read_bytes()
    clusters = json.loads((fresh / "clusters.json").read_text("utf8"))
    assert f"{clusters['n_features']} features in {clusters['n_clusters']} clusters; 600 texts" in svg and "Map of features (texts)" in svg
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (1080, 1080)


def decoder_run(run, folder, change, model=MODEL):
    """A run over an SAE of twelve features whose decoder is changed."""
    source = np.random.default_rng(5)
    decoder = source.normal(size=(12, 16))
    change(decoder)
    (folder / "sae").mkdir()
    write_safetensors(folder / "sae/sae.safetensors", {
        "W_enc": source.normal(size=(16, 12)), "W_dec": decoder, "b_enc": np.zeros(12), "b_dec": np.zeros(16), "jumprelu.log_threshold": np.full(12, -3.0)})
    (folder / "sae/config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": 16, "dict_size": 12, "input_unit_norm": True,
                                                        "dtype": "torch.float32"}))
    return decoder, run("analyze", "-q", "-m", model, "-s", folder / "sae", "-d", folder / "texts.jsonl", "-o", folder / "run", "--steps", "none")


def twin_and_zero(decoder):
    decoder[7], decoder[4] = 2 * decoder[3], 0      # a length is no direction


def test_decoder_directions(run, made, tmp_path):
    """Clusters are those of the directions; equal ones lie together; a feature without a direction is left out."""
    shutil.copy(made / "texts.jsonl", tmp_path)
    decoder, done = decoder_run(run, tmp_path, twin_and_zero)
    assert done.code == 0, done.err
    fires = [int(line["n_fires"]) for line in rows(tmp_path / "run/features.csv")]
    there = [f for f in range(12) if fires[f] >= 5 and f != 4]
    n_clusters = len(there) - 1  # one cluster has two features: the nearest
    done = run("map", tmp_path / "run", "--on", "decoder", "--clusters", n_clusters, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    places = {int(p["id"]): p for p in rows(tmp_path / "run/map.csv")}
    assert sorted(places) == there and {3, 7} <= set(there) and said["texts"] == 0 and said["clusters"] == n_clusters
    assert places[3]["cluster"] == places[7]["cluster"]
    assert sum(p["cluster"] == places[3]["cluster"] for p in places.values()) == 2
    assert np.hypot(*(float(places[3][k]) - float(places[7][k]) for k in "xy")) < 2
    assert json.loads((tmp_path / "run/clusters.json").read_text("utf8"))["vectors"] == "decoder"
    # the two are marked where directions are compared, and none that has no direction is there
    assert run("families", tmp_path / "run", "-q", "--no-labels").code == 0
    (tmp_path / "sae").rename(tmp_path / "gone")
    assert_refused(run("map", tmp_path / "run", "--on", "decoder"), 66, "no longer at")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_decoder_directions_that_are_no_numbers_are_refused(run, made, tmp_path, value):
    """With the SAE; where a file is changed behind the run's back, as another SAE."""
    shutil.copy(made / "texts.jsonl", tmp_path)

    def broken(decoder):
        decoder[2, 5] = value
    _, done = decoder_run(run, tmp_path, broken)
    if done.code == 0:
        assert_refused(run("map", tmp_path / "run", "--on", "decoder"), 65, "finite")
    else:
        assert_refused(done, 65, "finite")
