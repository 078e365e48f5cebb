"""SAEs that are trained here against torch, and figures of evaluations against those of another implementation."""
import json
import math

import numpy as np
import pytest

from conftest import SHARED

ORACLE = SHARED / "oracle/training"
pytestmark = pytest.mark.skipif(not ORACLE.exists(), reason="no shared oracles here")
EXACT = ["mse_normalised", "mse", "fvu", "explained_variance", "explained_variance_normalised", "cosine", "norm_ratio",
         "reconstruction_bias", "l1_mean", "decoder_max_cosine", "encoder_decoder_cosine"]


def check(found, want):
    for name in EXACT:
        assert math.isclose(found[name], want[name], rel_tol=1e-5), (name, found[name], want[name])
    assert found["dead"] == want["dead"] and found["rows"] == want["rows"]
    for name in ("l0_mean", "l0_median", "l0_p95", "l0_max"):
        assert abs(found[name] - want[name]) <= max(1e-5 * want[name], 1 if name == "l0_max" else 0.02), name
    for name in ("knn_overlap", "ndcg"):
        assert abs(found[name] - want[name]) < 1e-3, name
    assert sum(found["density_counts"]) == sum(want["density_counts"])
    assert np.abs(np.subtract(found["density_counts"], want["density_counts"])).sum() <= 4
    assert np.allclose(found["density_range"], want["density_range"], rtol=1e-5)


@pytest.mark.parametrize("name", ["jumprelu-1536", "topk-768", "vanilla-768", "batchtopk-768"])
def test_figures_of_a_given_sae(run, name):
    wanted = json.loads((ORACLE / f"evaluate/{name}.json").read_text("utf8"))
    sae = next((p for p in (SHARED / f"oracle/astro-2000/{name}", SHARED / f"oracle/sae/{name}", SHARED / f"sae/{name}")
                if (p / "config.json").exists()), None)
    if sae is None:
        pytest.skip("that SAE is not here")
    threshold = next((v for k, v in wanted.items() if "threshold" in k), None)
    more = ["--batchtopk", "threshold", "--batchtopk-threshold", repr(threshold)] if threshold else []
    done = run("evaluate", "--sae", sae, "--embeddings", SHARED / "oracle/astro-2000/embeddings.npy", "--json", *more)
    assert done.code == 0, done.err
    check(json.loads(done.out), wanted.get("evaluation", wanted))
