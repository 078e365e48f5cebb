"""The files of a run against numpy: the activations of a tiny autoencoder are computed here, in float64, from the
embeddings that the program writes, and the statistics from them.
"""
import io
import json
import math
import struct

import numpy as np
import pytest

from conftest import ROOT

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
DATA = ROOT / "tests/data/run"
SAE = DATA / "sae-jumprelu"
TOP_K = 5
# Activations are about 1 and fp32 sums of 16 products: 1e-5 is many times their error, and no activation of these rows
# is that close to its threshold (the test would say so).
TOLERANCE = 1e-5


def read_safetensors(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    data = raw[8 + n:]
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).astype(np.float64)
            for name, entry in json.loads(raw[8:8 + n]).items()}


@pytest.fixture(scope="module")
def rows():
    return [json.loads(line)["text"] for line in (DATA / "rows.jsonl").read_text("utf8").splitlines()]


@pytest.fixture
def results(run, rows, tmp_path):
    words = ["-m", MODEL, "-d", DATA / "rows.jsonl", "-q"]
    assert run("embed", *words, "--skip-empty", "-o", tmp_path / "e.npy").code == 0
    done = run("analyze", *words, "-s", SAE, "-k", TOP_K, "-o", tmp_path / "run")
    assert done.code == 0, done.err
    kept = [text for text in rows if text is not None]
    embeddings = np.load(tmp_path / "e.npy")
    assert len(embeddings) == len(kept)
    used = [i for i, text in enumerate(kept) if text.strip()]
    return tmp_path / "run", embeddings[used].astype(np.float64), [kept[i] for i in used]


def activations(x):
    w = read_safetensors(SAE / "sae.safetensors")
    x = x - x.mean(1, keepdims=True)
    x = x / (x.std(1, ddof=1, keepdims=True) + 1e-5)
    h = np.maximum(x @ w["W_enc"] + w["b_enc"], 0)
    threshold = np.exp(w["jumprelu.log_threshold"])
    assert np.abs(h - threshold).min() > TOLERANCE
    return h * (h > threshold)


def wilson(k, n, z=1.959963984540054):
    centre, half = (k + z * z / 2) / (n + z * z), z / (n + z * z) * math.sqrt(k * (n - k) / n + z * z / 4)
    return 100 * max(0, centre - half), 100 * min(1, centre + half)


def test_statistics_equal_numpys(results):
    out, x, _ = results
    acts = activations(x)
    n = len(acts)
    counts = (acts > 0).sum(0)
    lines = (out / "features.csv").read_text().splitlines()
    assert lines[0] == "feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,max_activation,mean_activation,dead,label,verdict"
    assert len(lines) == acts.shape[1] + 1 and (counts == 0).sum() >= 2
    for f, line in enumerate(lines[1:]):
        feature, fires, rate, low, high, largest, mean, dead = line.split(",")[:8]  # label and verdict are of tests/cli/test_describe.py
        assert (int(feature), int(fires), dead) == (f, counts[f], "true" if counts[f] == 0 else "false")
        assert float(rate) == np.float32(100 * counts[f] / n)
        assert np.allclose((float(low), float(high)), wilson(int(counts[f]), n), atol=1e-9)
        assert abs(float(largest) - acts[:, f].max()) < TOLERANCE
        assert abs(float(mean) - (acts[:, f].sum() / counts[f] if counts[f] else 0)) < TOLERANCE
    expected = io.BytesIO()
    np.save(expected, (100 * counts / n).astype(np.float32))
    assert (out / "fire_rate.npy").read_bytes() == expected.getvalue()


def test_top_texts_equal_numpys(results):
    out, x, texts = results
    acts = activations(x).astype(np.float32)
    raw = (out / "top_activations.json").read_text("utf8")
    top = json.loads(raw)
    assert raw == json.dumps(top, indent=2, ensure_ascii=False)
    for f, ours in enumerate(top):
        best = {}
        for row in np.argsort(-acts[:, f], kind="stable"):
            if acts[row, f] > 0:
                best.setdefault(texts[row], float(acts[row, f]))
        wanted = list(best.items())
        assert len(ours) == min(TOP_K, len(wanted))
        for rank, (value, text) in enumerate(ours):
            assert value == float(np.float32(value)) and abs(value - wanted[rank][1]) < TOLERANCE
            if all(abs(wanted[rank][1] - wanted[i][1]) > TOLERANCE for i in (rank - 1, rank + 1) if 0 <= i < len(wanted)):
                assert text == wanted[rank][0]


def test_manifest_says_what_was_done(results, rows):
    out, x, _ = results
    manifest = json.loads((out / "run.json").read_text("utf8"))
    assert manifest["schema"] == 1
    assert manifest["rows"] == {"read": len(rows), "used": len(x), "repaired": 0,
                                "skipped": {"null": rows.count(None), "empty": rows.count(""),
                                            "blank": len([t for t in rows if t and not t.strip()])}}
    assert manifest["denominators"] == {"rows_used": len(x), "num_examples": None}
    assert manifest["sae"]["config"] == json.loads((SAE / "config.json").read_text())
    assert manifest["options"]["top-k"] == {"value": TOP_K, "origin": "command line"}
    assert manifest["settings"]["title"] == "Log Feature Fire Rate Distribution (rows)"
    for part in ("model", "sae", "dataset"):
        assert all(len(file["sha256"]) == 64 for file in manifest[part]["files"]) and manifest[part]["files"]


def test_run_is_sound_and_damage_is_found(run, results):
    out, _, _ = results
    assert run("inspect", "--check", out).code == 0
    path = out / "features.csv"
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole.replace(b"true", b"True"), whole + b"\n", b"", whole.replace(b",1", b",2", 1)):
        path.write_bytes(damaged)
        done = run("inspect", "--check", out)
        assert done.code == 65 and done.err.count("\n") == 1 and "features.csv" in done.err
    path.unlink()
    assert run("inspect", "--check", out).code == 65
    path.write_bytes(whole)
    assert run("inspect", "--check", out).code == 0
