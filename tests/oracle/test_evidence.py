"""The evidence of runs against tools/make_evidence_data.py, which sorts all rows and takes the first by the written rules;
and what must not change its bytes.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arrow_reader import read_arrow
from conftest import ROOT

DATA = ROOT / "tests/data/evidence"
CASES = {"jumprelu": ("sae-jumprelu", ["--sample-rows", 40]),
         "topk": ("sae-topk", ["--evidence", "light", "--sample-rows", "all", "--sample-seed", 7])}
FILES = ["histograms.npz", "evidence/texts.arrow", "evidence/embeddings.npy", "evidence/samples.arrow"]
ORACLE_PYTHON = os.environ.get("SAESCOPE_ORACLE_PYTHON", sys.executable)  # one that has pyarrow


def analyze(run, out, case, *words, texts=DATA / "texts.jsonl", embeddings=DATA / "embeddings.npy"):
    sae, options = CASES[case]
    done = run("analyze", "--embeddings", embeddings, "-d", texts, "-s", DATA / sae, "-k", 6, "-q", "-o", out, *options, *words)
    assert done.code == 0, done.err
    return out


def read(out):
    texts, _ = read_arrow(out / "evidence/texts.arrow")
    samples, _ = read_arrow(out / "evidence/samples.arrow")
    return texts, samples, np.load(out / "evidence/embeddings.npy"), dict(np.load(out / "histograms.npz"))


@pytest.mark.parametrize("case", CASES)
def test_equals_the_rules(run, tmp_path, case):
    expected = np.load(DATA / f"{case}.npz")
    rows = [json.loads(line) for line in (DATA / "texts.jsonl").read_text("utf8").splitlines()]
    texts, samples, embeddings, histograms = read(analyze(run, tmp_path / "run", case, "--keep", "id"))
    for name in ("key", "half", "in_pool", "position"):
        assert (np.array(texts[name]) == expected[name]).all(), name
    assert [count or 0 for count in texts["count"]] == expected["count"].tolist()
    assert [len(f) for f in texts["features"]] == np.diff(expected["active_offsets"]).tolist()
    assert (np.concatenate(texts["features"]) == expected["features"]).all()
    assert (np.concatenate(texts["activations"]) == expected["activations"]).all()
    assert texts["text"] == [rows[i]["text"] for i in expected["position"]]
    assert [json.loads(kept) for kept in texts["kept"]] == [{"id": int(i)} for i in expected["position"]]
    assert set(texts["file"]) == {str(DATA / "texts.jsonl")}
    assert (embeddings == np.load(DATA / "embeddings.npy")[expected["position"]]).all()
    for name in ("feature", "kind", "half", "rank", "activation", "text"):
        assert (np.array(samples[name]) == expected["sample_" + name]).all(), name
    for name, there in (("offsets", "bin_offsets"), ("bins", "bins"), ("counts", "bin_counts"), ("rows", "rows"), ("active", "active")):
        assert (histograms[name] == expected[there]).all() and histograms[name].shape == expected[there].shape, name


def test_top_samples_are_the_top_activations(run, tmp_path):
    out = analyze(run, tmp_path / "run", "jumprelu")
    texts, samples, _, histograms = read(out)
    top = json.loads((out / "top_activations.json").read_text("utf8"))
    for f, expected in enumerate(top):
        places = [i for i in range(len(samples["kind"])) if samples["feature"][i] == f and samples["kind"][i] == "top"]
        assert [[float(samples["activation"][i]), texts["text"][samples["text"][i]]] for i in places] == expected
    lines = (out / "features.csv").read_text().splitlines()[1:]
    fires = [int(line.split(",")[1]) for line in lines]
    assert [int(n) for n in np.add.reduceat(np.append(histograms["counts"], 0), histograms["offsets"][:-1].astype(int))
            * (np.diff(histograms["offsets"]) > 0)] == fires
    assert histograms["active"].sum(1).tolist() == fires


def test_order_of_rows_changes_positions_alone(run, tmp_path):
    """Top texts of equal strength are ordered by row; here all others are compared."""
    lines = (DATA / "texts.jsonl").read_text("utf8").splitlines()
    x = np.load(DATA / "embeddings.npy")
    filled = [i for i, line in enumerate(lines) if json.loads(line)["text"]]  # others have the keys of their rows
    outs = []
    for name, order in (("as", filled), ("shuffled", np.random.default_rng(3).permutation(filled))):
        (tmp_path / f"{name}.jsonl").write_text("".join(lines[i] + "\n" for i in order), "utf8")
        np.save(tmp_path / f"{name}.npy", x[list(order)])
        outs.append(read(analyze(run, tmp_path / name, "jumprelu", texts=tmp_path / f"{name}.jsonl", embeddings=tmp_path / f"{name}.npy")))
    (texts, samples, embeddings, histograms), (texts_2, samples_2, embeddings_2, histograms_2) = outs
    by_text = np.array([count is not None for count in texts["count"]])
    assert by_text.sum() == sum(count is not None for count in texts_2["count"])
    by_text_2 = np.array([count is not None for count in texts_2["count"]])
    for name in ("key", "half", "in_pool", "count", "text"):
        assert [v for v, k in zip(texts[name], by_text) if k] == [v for v, k in zip(texts_2[name], by_text_2) if k], name
    assert (embeddings[by_text] == embeddings_2[by_text_2]).all()
    for name in histograms:
        assert (histograms[name] == histograms_2[name]).all(), name

    def listed(texts, samples):
        return [(samples["feature"][i], samples["kind"][i], samples["half"][i], samples["rank"][i], samples["activation"][i],
                 texts["key"][samples["text"][i]]) for i in range(len(samples["kind"])) if samples["kind"][i] != "top"]
    assert listed(texts, samples) == listed(texts_2, samples_2)


def test_bytes_do_not_depend_on_threads_and_batches(run, tmp_path):
    data = ROOT / "tests/data/run"
    outs = []
    for threads, tokens in ((1, 64), (2, 700), (3, 100000)):
        outs.append(tmp_path / str(threads))
        done = run("analyze", "-m", ROOT / "tests/data/encoder/mpnet-mean", "-s", data / "sae-jumprelu", "-d", data / "rows.jsonl",
                   "--threads", threads, "--batch-tokens", tokens, "--sample-rows", 50, "-q", "-o", outs[-1])
        assert done.code == 0, done.err
    for name in FILES:
        assert len({(out / name).read_bytes() for out in outs}) == 1, name
    manifest = json.loads((outs[0] / "run.json").read_text("utf8"))
    assert set(FILES) < set(manifest["outputs"]) and manifest["evidence"]["pool"] == 50


def test_files_of_several(run, tmp_path):
    """Positions count over the whole dataset, whatever file a row is in; an empty file is none."""
    lines = (DATA / "texts.jsonl").read_text("utf8").splitlines(True)
    for name, part in (("a", lines[:200]), ("b", []), ("c", lines[200:450]), ("d", lines[450:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(part), "utf8")
    whole, _, _, _ = read(analyze(run, tmp_path / "whole", "jumprelu"))
    parts, _, _, _ = read(analyze(run, tmp_path / "parts", "jumprelu", texts=tmp_path / "*.jsonl"))
    for name in whole:
        if name != "file":
            assert [str(v) for v in parts[name]] == [str(v) for v in whole[name]], name
    for position, file in zip(parts["position"], parts["file"]):
        assert Path(file).name == ("a.jsonl" if position < 200 else "c.jsonl" if position < 450 else "d.jsonl")


def test_embeddings_without_texts(run, tmp_path):
    done = run("analyze", "--embeddings", DATA / "embeddings.npy", "-s", DATA / "sae-topk", "-q", "-o", tmp_path / "run")
    assert done.code == 0, done.err
    texts, samples, embeddings, _ = read(tmp_path / "run")
    x = np.load(DATA / "embeddings.npy")
    assert sorted(texts["position"]) == list(range(len(x))) and set(texts["text"]) == {None} and set(texts["count"]) == {1}
    assert (embeddings == x[texts["position"]]).all() and len(samples["kind"]) > 1000


def test_how_much_is_kept(run, tmp_path):
    names = {}
    for name, words in (("full", []), ("none", ["--evidence", "none"])):
        out = analyze(run, tmp_path / name, "jumprelu", "--steps", "none", *words)
        names[name] = {p.relative_to(out).as_posix() for p in out.rglob("*")}
    assert names["full"] - names["none"] == {*FILES, "evidence", "centroids.npz"} and names["none"] < names["full"]
    done = run("analyze", "--embeddings", DATA / "embeddings.npy", "-d", DATA / "texts.jsonl", "-s", DATA / "sae-topk", "--evidence-bytes", "450k",
               "--sample-rows", 10, "-o", tmp_path / "small")
    assert done.code == 0 and "evidence: 5 strongest texts and 12 + 18 firing ones" in done.err, done.err
    sizes = json.loads((tmp_path / "small/run.json").read_text())["evidence"]
    assert sizes == {"pool": 10, "top": 10, "strongest": 5, "firing": [12, 18], "miss": [9, 18], "seed": 0, "texts": True}
    assert sum((tmp_path / "small" / name).stat().st_size for name in FILES) < 450_000
    done = run("analyze", "--embeddings", DATA / "embeddings.npy", "-s", DATA / "sae-topk", "--evidence-bytes", "1k", "-o", tmp_path / "none_fits")
    assert done.code == 64 and "--evidence-bytes" in done.err and not (tmp_path / "none_fits").exists()
    # A run in the same place without evidence takes the old one away, and the folder with it.
    analyze(run, tmp_path / "full", "jumprelu", "--evidence", "none", "--force")
    assert not (tmp_path / "full/evidence").exists() and not (tmp_path / "full/histograms.npz").exists()


def test_other_programs_open_the_files(run, tmp_path):
    if subprocess.run([ORACLE_PYTHON, "-c", "import pyarrow, pandas"], capture_output=True).returncode != 0:
        pytest.skip("1 check: SAESCOPE_ORACLE_PYTHON names no Python that has pyarrow and pandas")
    out = analyze(run, tmp_path / "run", "jumprelu", "--keep", "id")
    code = """
import sys, json, pyarrow as pa
for name in ("texts", "samples"):
    file = pa.ipc.open_file(pa.memory_map(f"{sys.argv[1]}/evidence/{name}.arrow"))
    table = file.read_all()
    table.validate(full=True)
    print(json.dumps({"rows": table.num_rows, "types": [str(t) for t in table.schema.types], "evidence": table.schema.metadata[b"evidence"].decode(),
                      "keys": [int(k) for k in table.to_pandas().iloc[:, 0]]}))
"""
    done = subprocess.run([ORACLE_PYTHON, "-c", code, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    texts, samples, _, _ = read(out)
    assert found[0]["keys"] == texts["key"].tolist() and found[1]["keys"] == samples["feature"].tolist()
    assert found[0]["types"] == ["uint64", "uint8", "bool", "uint64", "int64", "string", "string", "string",
                                 "list<item: uint32 not null>", "list<item: float not null>"]
    assert found[1]["types"] == ["uint32", "string", "uint8", "uint32", "float", "uint32"] and found[0]["evidence"] == "1"
