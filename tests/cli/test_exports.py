"""`describe --export saedashboard` and `neuronpedia-bulk`: right bins, no text twice, all fields of the forms."""
import csv
import gzip
import json
import random
import re
import shutil
import subprocess

import numpy as np
import pytest

from conftest import ROOT

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()
IDS = ["--model-id", "some-model", "--source-id", "3-texts__768"]
STATISTICS = ["neuron_alignment_indices", "neuron_alignment_values", "neuron_alignment_l1", "correlated_neurons_indices", "correlated_neurons_pearson", "correlated_neurons_l1",
              "correlated_features_indices", "correlated_features_pearson", "correlated_features_l1", "neg_str", "neg_values", "pos_str", "pos_values", "frac_nonzero",
              "freq_hist_data_bar_values", "freq_hist_data_bar_heights", "logits_hist_data_bar_values", "logits_hist_data_bar_heights"]
FEATURE = ["feature_index", *STATISTICS, "n_prompts_total", "n_tokens_in_prompt", "dataset", "decoder_weights_dist", "vector", "activations"]
LINE = ["modelId", "layer", "index", "creatorId", "createdAt", "maxActApprox", "hasVector", "vector", "vectorLabel", "vectorDefaultSteerStrength", "hookName", "topkCosSimIndices",
        "topkCosSimValues", "sourceSetName", *STATISTICS]
TEXT = ["id", "tokens", "values", "modelId", "layer", "index", "dataIndex", "dataSource", "maxValue", "maxValueTokenIndex", "minValue", "binMin", "binMax", "binContains",
        "qualifyingTokenIndex", "dfaValues", "lossValues", "logitContributions", "dfaTargetIndex", "dfaMaxValue", "creatorId", "createdAt"]


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    """A run of texts with repeats, and the activations of each of its rows."""
    folder, rng = tmp_path_factory.mktemp("exports"), random.Random(5)
    texts = [" ".join(rng.choice(WORDS) for _ in range(6)) + f"\n  {i} ." for i in range(500)]
    texts += texts[:80]
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
    for words in (["analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run", "--steps", "none"],
                  ["encode", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "codes.jsonl"]):
        done = subprocess.run([program, *map(str, words)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    with open(folder / "run/features.csv", newline="", encoding="utf8") as file:
        facts = list(csv.DictReader(file))
    values = np.zeros((len(texts), len(facts)), "f4")
    for row, line in enumerate((folder / "codes.jsonl").read_text(encoding="utf8").splitlines()):
        item = json.loads(line)
        values[row, item["features"]] = item["activations"]
    return {"run": folder / "run", "texts": texts, "values": values}


def blurred(active, edge):
    """How many activations share a bin of the histogram (the float without its lowest 20 bits) with an edge."""
    bin_of = lambda x: np.asarray(x, "f4").view("u4") >> 20  # noqa: E731
    return int((bin_of(active) == bin_of(edge)).sum()) if edge > 0 else 0


def check_bins(made, f, items):
    """items: (bin_min, bin_max, bin_contains, tokens, values) of a feature, in the order of the form."""
    values, texts = made["values"][:, f], made["texts"]
    active, most, n = values[values > 0], float(values.max()), len(texts)
    assert len({"".join(tokens) for _, _, _, tokens, _ in items}) == len(items)
    tops = [item for item in items if item[0] == -1]
    assert items[:len(tops)] == tops and len(tops) > 0 and all(item[1] == most and item[2] == -1 for item in tops)
    lows = [item[0] for item in items[len(tops):]]
    assert lows == sorted(lows, reverse=True) and all(lows.count(low) <= 5 for low in lows)
    for low, high, contains, tokens, shown in items:
        value = float(values[texts.index("".join(tokens))])
        assert len(shown) == len(tokens) and all(abs(x - value) <= 5.1e-6 for x in shown) and all(re.fullmatch(r"\s*\S+", token) for token in tokens)
        if low == -1:
            continue
        k = round(low / most * 10)
        assert low == pytest.approx(most * k / 10) and high == pytest.approx(most * (k + 1) / 10) and low < value <= high
        exact = int(((active > low) & (active <= high)).sum()) + (n - len(active) if k == 0 else 0)
        assert abs(contains * n - exact) <= blurred(active, low) + (blurred(active, high) if k < 9 else 0) + 1e-6


def test_batches_of_saedashboard(run, made):
    assert run("describe", made["run"], "--export", "saedashboard", *IDS, "-f").code == 0
    (path,) = (made["run"] / "saedashboard").iterdir()
    batch = json.loads(path.read_text(encoding="utf8"))
    assert path.name == "batch-0.json" and [batch[key] for key in list(batch)[:4]] == ["some-model", 3, "texts", "768"]
    assert list(batch) == ["model_id", "layer", "sae_set", "sae_id_suffix", "features"]
    fires = (made["values"] > 0).sum(axis=0)
    assert [item["feature_index"] for item in batch["features"]] == np.flatnonzero(fires).tolist() and len(batch["features"]) > 10
    n_intervals = 0
    for item in batch["features"]:
        f = item["feature_index"]
        assert list(item) == FEATURE and item["frac_nonzero"] == fires[f] / len(made["texts"]) and item["n_prompts_total"] == len(made["texts"])
        assert all(list(text) == ["bin_min", "bin_max", "bin_contains", "tokens", "values", "qualifying_token_index"] for text in item["activations"])
        check_bins(made, f, [tuple(text[key] for key in ("bin_min", "bin_max", "bin_contains", "tokens", "values")) for text in item["activations"]])
        heights, middles, most = item["freq_hist_data_bar_heights"], item["freq_hist_data_bar_values"], float(made["values"][:, f].max())
        assert len(heights) == len(middles) == 50 and sum(heights) == fires[f] and min(heights) >= 0 and middles == pytest.approx([most * (i + 0.5) / 50 for i in range(50)], abs=5.1e-6)
        edges, active = np.arange(51) * most / 50, made["values"][:, f][made["values"][:, f] > 0]
        for i in range(50):
            exact = int(((active > edges[i]) & (active <= edges[i + 1])).sum())
            assert abs(heights[i] - exact) <= blurred(active, edges[i]) + blurred(active, edges[i + 1]) + 1
        n_intervals += len({text["bin_min"] for text in item["activations"]} - {-1})
    assert n_intervals > 20


def correlated(values, f):
    """The three largest correlations of a feature with those that fire in a row with it, as SAEDashboard computes them, and the cosines."""
    x = values.astype("f8")
    centred, partners = x - x.mean(axis=0), [g for g in range(x.shape[1]) if g != f and ((x[:, f] > 0) & (x[:, g] > 0)).any()]
    size = lambda v: np.sqrt((v * v).sum())  # noqa: E731
    pearson = {g: centred[:, f] @ centred[:, g] / (size(centred[:, f]) * size(centred[:, g])) for g in partners}
    best = sorted(partners, key=lambda g: (-pearson[g], g))[:3]
    return best, [pearson[g] for g in best], [x[:, f] @ x[:, g] / (size(x[:, f]) * size(x[:, g])) for g in best]


def test_correlated_features_are_those_of_numpy(run, made, tmp_path):
    folders = [made["run"] / "saedashboard/batch-0.json"]
    assert run("describe", made["run"], "--export", "saedashboard", *IDS, "-f").code == 0
    n = 0
    for item in json.loads(folders[0].read_text(encoding="utf8"))["features"]:
        ids, pearson, cosine = correlated(made["values"], item["feature_index"])
        assert item["correlated_features_indices"] == ids
        assert item["correlated_features_pearson"] == pytest.approx(pearson, abs=1.1e-5) and item["correlated_features_l1"] == pytest.approx(cosine, abs=1.1e-5)
        n += len(ids)
    assert n > 20
    shutil.copytree(made["run"], tmp_path / "run", ignore=shutil.ignore_patterns("coactivation.npz", "saedashboard"))
    assert run("describe", tmp_path / "run", "--export", "saedashboard", *IDS).code == 0
    items = json.loads((tmp_path / "run/saedashboard/batch-0.json").read_text(encoding="utf8"))["features"]
    assert items and all(item["correlated_features_indices"] == item["correlated_features_pearson"] == [] for item in items)


def lines_of(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode("utf8").splitlines()]


def test_bulk_files_of_neuronpedia(run, made):
    words = ["describe", made["run"], "--export", "neuronpedia-bulk", *IDS, "--author-id", "me"]
    assert run(*words, "-f").code == 0
    folder = made["run"] / "neuronpedia-bulk/some-model/3-texts__768"
    first = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {str(path.relative_to(folder)) for path in first} >= {"release.jsonl", "model.jsonl", "sourceset.jsonl", "source.jsonl", "features/batch-0.jsonl.gz", "activations/batch-0.jsonl.gz"}
    assert run(*words).code == 74 and run(*words, "-f").code == 0 and all(path.read_bytes() == data for path, data in first.items())
    for name in ("release", "model", "sourceset", "source"):
        (line,) = map(json.loads, (folder / f"{name}.jsonl").read_text(encoding="utf8").splitlines())
        assert line["creatorId"] == "me" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", line["createdAt"])
    features, texts = lines_of(folder / "features/batch-0.jsonl.gz"), lines_of(folder / "activations/batch-0.jsonl.gz")
    fires = np.flatnonzero((made["values"] > 0).any(axis=0)).tolist()
    assert [int(line["index"]) for line in features] == fires and all(list(line) == LINE for line in features) and all(list(line) == TEXT for line in texts)
    assert len({line["id"] for line in texts}) == len(texts) and all(re.fullmatch("c[0-9a-z]{24}", line["id"]) for line in texts)
    for line in features:
        own = [text for text in texts if text["index"] == line["index"]]
        assert (line["modelId"], line["layer"], line["sourceSetName"], line["hasVector"], line["vectorDefaultSteerStrength"]) == ("some-model", "3-texts__768", "texts", False, 10)
        check_bins(made, int(line["index"]), [tuple(text[key] for key in ("binMin", "binMax", "binContains", "tokens", "values")) for text in own])
        assert [int(text["dataIndex"]) for text in own] == list(range(len(own)))


def test_explanations_are_the_labels(run, made):
    assert run("describe", made["run"], "-q").code == 0
    assert run("describe", made["run"], "--export", "neuronpedia-bulk", *IDS, "--author-id", "me", "-f").code == 0
    lines = lines_of(made["run"] / "neuronpedia-bulk/some-model/3-texts__768/explanations/batch-0.jsonl.gz")
    described = json.loads((made["run"] / "descriptions.json").read_text(encoding="utf8"))
    fires = (made["values"] > 0).any(axis=0)
    assert [(int(line["index"]), line["description"]) for line in lines] == [(item["feature_id"], item["label"]) for item in described if item["label"] and fires[item["feature_id"]]]
    assert all(list(line) == ["id", "modelId", "layer", "index", "description", "authorId", "typeName", "explanationModelName"] for line in lines)


@pytest.mark.parametrize("form", ["saedashboard", "neuronpedia-bulk"])
@pytest.mark.parametrize("source", ["texts", "3", "3-", "3-__768", "1000-x", "-x", "a-b"])
def test_a_source_of_another_form_is_refused(run, made, form, source):
    done = run("describe", made["run"], "--export", form, "--model-id", "m", "--source-id", source, "--author-id", "me")
    assert done.code == 64 and "--source-id" in done.err


@pytest.mark.parametrize("model, source", [("../m", "0-x"), ("a/b", "0-x"), (".m", "0-x"), ("m", "0-x/../y")])
def test_ids_that_are_no_names_of_folders_are_refused(run, made, model, source):
    done = run("describe", made["run"], "--export", "neuronpedia-bulk", "--model-id", model, "--source-id", source, "--author-id", "me")
    assert done.code == 64 and "folder" in done.err


def test_without_evidence_there_are_the_strongest_texts(run, made, tmp_path):
    data = tmp_path / "t.jsonl"
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in made["texts"]), encoding="utf8")
    assert run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", data, "-o", tmp_path / "run", "--steps", "none", "--evidence", "none").code == 0
    assert run("describe", tmp_path / "run", "--export", "saedashboard", *IDS).code == 0
    for item in json.loads((tmp_path / "run/saedashboard/batch-0.json").read_text(encoding="utf8"))["features"]:
        assert item["freq_hist_data_bar_values"] == [] and {text["bin_min"] for text in item["activations"]} == {-1}
        check_bins(made, item["feature_index"], [tuple(text[key] for key in ("bin_min", "bin_max", "bin_contains", "tokens", "values")) for text in item["activations"]])
