"""Labels of a run's features (`describe`, `score`, and what `show` says of them)."""
import csv
import gzip
import hashlib
import json
import random
import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from helpers import assert_refused

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
OTHER = ROOT / "tests/data/encoder/bert-dense"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()
FILES = ["feature_keywords.json", "descriptions.json", "descriptions.csv"]
ALL_FILES = [*FILES, "descriptions.run.json", "features.csv", "density.svg", "density.png"]


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("describe"), random.Random(1)
    lines = []
    for i in range(800):
        w = [rng.choice(WORDS) for _ in range(6)]
        lines.append(json.dumps({"text": f"The {w[0]} of a {w[1]} {w[2]} and, {w[3]} {w[4]} {w[5]} {i}."}) + "\n")
    (folder / "texts.jsonl").write_text("".join(lines))
    done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run", "--steps", "none"])
    assert done.returncode == 0
    assert "steps" not in json.loads((folder / "run" / "run.json").read_text("utf8"))
    return folder


@pytest.fixture
def fresh(made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path / "run"


def hashes(folder, names=FILES):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.parametrize("words", [[], ["--method", "seed"], ["--method", "seed", "--seed-variant", "tutorial"], ["--method", "none"], ["--no-score"],
                                   ["--stop-words", "none"], ["--stop-words", "auto"], ["--similarity", "plain"]])
def test_files_agree_and_do_not_depend_on_threads(run, fresh, words):
    before = json.loads((fresh / "run.json").read_text("utf8"))
    done = run("describe", fresh, *words, "--json")
    assert done.code == 0, done.err
    first, everything = hashes(fresh), hashes(fresh, ALL_FILES)
    described = json.loads((fresh / "descriptions.json").read_text("utf8"))
    keywords = json.loads((fresh / "feature_keywords.json").read_text("utf8"))
    # the bytes of Python's json.dump
    assert (fresh / "feature_keywords.json").read_text("utf8") == json.dumps(keywords, indent=2, ensure_ascii=False)
    assert [list(item) for item in keywords] == [["feature_id", "keywords"]] * len(keywords)
    assert [item["feature_id"] for item in keywords] == list(range(before["sae"]["n_features"]))
    assert [item["keywords"] for item in described] == [item["keywords"] for item in keywords]
    with open(fresh / "descriptions.csv", newline="", encoding="utf8") as file:
        lines = list(csv.DictReader(file))
    assert [line["label"] or None for line in lines] == [item["label"] for item in described]
    for line, item in zip(lines, described):
        scores = item["scores"]
        assert line["status"] == item["status"] and int(line["count"]) == item["count"]
        assert line["auc"] == ("" if scores is None or scores["random"] is None else repr(scores["random"]["auc"]))
    said = json.loads(done.out)
    manifest = json.loads((fresh / "run.json").read_text("utf8"))
    record = manifest.pop("steps")["labels"]
    assert manifest["outputs"].pop("features.csv") == everything["features.csv"] != before["outputs"].pop("features.csv")
    assert manifest == before and record["outputs"] == first and record["counts"] == said["labels"]
    assert json.loads((fresh / "descriptions.run.json").read_text("utf8")) == record
    assert run("describe", fresh, *words, "-t", "1", "-q").code == 0
    assert hashes(fresh, ALL_FILES) == everything
    done = run("inspect", fresh, "--check")  # with the hashes as they are now
    assert done.code == 0 and "evidence texts" in done.out


def test_the_table_of_features_and_the_histogram_say_what_labels_are_like(run, made, fresh):
    assert run("describe", fresh, "-q").code == 0
    described = json.loads((fresh / "descriptions.json").read_text("utf8"))
    with open(made / "run" / "features.csv", newline="", encoding="utf8") as old, open(fresh / "features.csv", newline="", encoding="utf8") as new:
        before, after = list(csv.DictReader(old)), list(csv.DictReader(new))
    assert [{**line, "label": item["label"] or "", "verdict": item["status"]} for line, item in zip(before, described)] == after
    counts = json.loads((fresh / "descriptions.run.json").read_text("utf8"))["counts"]
    said = " Labels: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n) + "."
    assert re.search("<desc>(.*)</desc>", (fresh / "density.svg").read_text("utf8"))[1].endswith(said)
    # what reads a run reads it still, and says the same
    assert run("show", fresh, "--json").out.replace(str(fresh), "") == run("show", made / "run", "--json").out.replace(str(made / "run"), "")
    for damage in (",weak\n", ",sharp\n", ",chance\n", ",too few\n", ",no label\n"):
        text = (fresh / "features.csv").read_text("utf8")
        if damage in text:
            (fresh / "features.csv").write_text(text.replace(damage, ",dull\n", 1), "utf8")
            assert run("show", fresh).code == 65
            break


def test_what_a_killed_one_left_is_removed(run, fresh):
    left = fresh / ".saescope-0123456789abcdef.tmp"
    left.write_text("left")
    assert run("describe", fresh, "--no-score", "-q").code == 0 and not left.exists()


def test_labels_are_scored_and_shown(run, fresh):
    assert run("describe", fresh, "-q").code == 0
    described = json.loads((fresh / "descriptions.json").read_text("utf8"))
    scored = [item for item in described if item["scores"]]
    assert scored
    for item in scored:
        auc = item["scores"]["random"]
        assert 0 <= auc["low"] <= auc["auc"] <= auc["high"] <= 1 and auc["positives"] == item["positives"] >= 10 and auc["negatives"] >= 20
    one = scored[0]
    shown = run("show", fresh, one["feature_id"])
    assert shown.code == 0 and one["label"] in shown.out and one["status"] in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    as_json = json.loads(run("show", fresh, one["feature_id"], "--json").out)["features"][0]["description"]
    assert as_json["label"] == one["label"] and abs(as_json["random"]["auc"] - one["scores"]["random"]["auc"]) < 1e-5
    # the same label from elsewhere has the same score
    again = json.loads(run("score", fresh, "--feature", one["feature_id"], "--label", one["label"], "--json").out)["labels"][0]
    assert abs(again["random"]["auc"] - one["scores"]["random"]["auc"]) < 1e-5
    labels = fresh.parent / "labels.csv"
    with open(labels, "w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([["feature", "label"]] + [[item["feature_id"], item["label"]] for item in scored])
    several = json.loads(run("score", fresh, "--labels", labels, "--json").out)["labels"]
    assert [label["feature"] for label in several] == [item["feature_id"] for item in scored]
    for label, item in zip(several, scored):
        assert label["status"] == item["status"] and abs(label["random"]["auc"] - item["scores"]["random"]["auc"]) < 1e-5


def test_what_cannot_be_described_is_refused(run, made, fresh, tmp_path):
    assert_refused(run("describe", tmp_path / "none"), 66, "none")
    done = run("describe", fresh, "-m", OTHER)
    assert done.code == 65 and "not the encoder of" in done.err
    assert not (fresh / "descriptions.json").exists()
    shutil.rmtree(fresh / "evidence")
    done = run("describe", fresh)
    assert done.code in (65, 66) and "evidence" in done.err
    for words in (["--feature", "1"], ["--label", "x"], ["--feature", "1", "--label", "x", "--labels", "y"], []):
        assert run("score", made / "run", *words).code == 64
    assert run("score", made / "run", "--feature", "999999", "--label", "x").code == 64


def test_a_damaged_file_of_descriptions_is_said(run, fresh):
    assert run("describe", fresh, "-q").code == 0
    (fresh / "descriptions.json").write_text('[{"feature_id": 1}]')
    done = run("show", fresh, "0")
    assert done.code == 65 and "feature_id" in done.err


# ---- as a step of analyze ----


def all_hashes(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name not in ("run.json", ".saescope.lock")}


@pytest.mark.parametrize("words", [[], ["--steps", "all"], ["--steps", "labels"], ["--steps", "labels,labels"]])
def test_analyze_makes_the_labels_that_describe_makes(run, made, fresh, tmp_path, words):
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "whole", *words)
    assert done.code == 0, done.err
    assert run("describe", fresh, "-q").code == 0
    steps = ["labels"] if "labels" in " ".join(words) else ["labels", "families", "map"]
    for step in steps[1:]:
        assert run(step, fresh, "-q").code == 0
    assert all_hashes(tmp_path / "whole") == all_hashes(fresh)
    record = json.loads((tmp_path / "whole" / "run.json").read_text("utf8"))["steps"]
    assert list(record) == steps and record["labels"]["outputs"] == hashes(fresh)
    # without steps nothing of an earlier run's is left
    assert run("analyze", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "whole", "--steps", "none", "--force").code == 0
    assert all_hashes(tmp_path / "whole") == all_hashes(made / "run")


@pytest.mark.parametrize("words,reason", [(["--evidence", "none"], "evidence"), (["-n", "59"], "fewer than 60 rows")])
def test_a_step_that_lacks_something_says_so(run, made, tmp_path, words, reason):
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "run", *words)
    assert done.code == 0 and f"note: no labels: " in done.err and reason in done.err
    assert reason in json.loads((tmp_path / "run" / "run.json").read_text("utf8"))["steps"]["labels"]["skipped"]
    assert not (tmp_path / "run" / "descriptions.json").exists()


def test_embeddings_without_encoder_or_texts_have_no_labels(run, made, tmp_path):
    assert run("embed", "-m", MODEL, "-d", made / "texts.jsonl", "-o", tmp_path / "x.npy").code == 0
    for words, reason in [([], "no texts"), (["-d", made / "texts.jsonl"], "saescope describe")]:
        done = run("analyze", "--embeddings", tmp_path / "x.npy", "-s", SAE, *words, "-o", tmp_path / "run", "--force")
        assert done.code == 0 and reason in done.err
    done = run("describe", tmp_path / "run", "-m", MODEL, "-q")
    assert done.code == 0 and hashes(tmp_path / "run")


@pytest.mark.parametrize("names", ["label", "labels,", "", ",", "labels,none", "All"])
def test_unknown_steps_are_refused_before_the_pass(run, made, tmp_path, names):
    done = run("analyze", "-m", MODEL, "-s", SAE, "-d", made / "texts.jsonl", "-o", tmp_path / "run", "--steps", names)
    assert done.code == 64 and "--steps" in done.err and "labels" in done.err
    assert not (tmp_path / "run").exists()


# ---- exports ----


def test_bodies_for_an_upload_hold_what_the_site_takes(run, made, fresh):
    assert run("describe", fresh, "-q").code == 0
    words = ["describe", fresh, "--export", "neuronpedia-upload", "--model-id", "All-MiniLM", "--source-id", "0-SAE"]
    done = run(*words, "--json")
    assert done.code == 0, done.err
    described = json.loads((fresh / "descriptions.json").read_text("utf8"))
    tops = json.loads((fresh / "top_activations.json").read_text("utf8"))
    files = sorted((fresh / "neuronpedia-upload").iterdir(), key=lambda path: int(path.stem.split("-")[1]))
    assert len(files) == json.loads(done.out)["files"] and [path.name for path in files] == [f"batch-{i}.json" for i in range(len(files))]
    bodies = [json.loads(path.read_text("utf8")) for path in files]
    seen = []
    for body in bodies:
        assert list(body) == ["modelId", "source", "features"] and (body["modelId"], body["source"]) == ("all-minilm", "0-sae")
        assert 1 <= len(body["features"]) <= 128
        for feature in body["features"]:
            item = described[feature["index"]]
            assert list(feature) == ["index", "density", "explanations", "activations"] and 0 <= feature["density"] <= 1
            assert feature["explanations"] == [{"text": item["label"]}] and 1 <= len(item["label"]) <= 512
            assert [[a["values"][0], a["tokens"][0]] for a in feature["activations"]] == tops[feature["index"]]
            assert all(1 <= len(a["tokens"]) == len(a["values"]) <= 1024 for a in feature["activations"])
            seen.append(feature["index"])
    assert seen == [item["feature_id"] for item in described if item["label"] and tops[item["feature_id"]]]
    assert run(*words).code == 74 and run(*words, "-f").code == 0


def test_files_for_an_import_have_all_columns_in_every_line(run, fresh):
    assert run("describe", fresh, "-q").code == 0
    words = ["describe", fresh, "--export", "neuronpedia-import", "--model-id", "m", "--source-id", "0-sae", "--author-id", "me"]
    assert run(*words).code == 0
    first = (fresh / "neuronpedia-import/explanations/batch-0.jsonl.gz").read_bytes()
    lines = [json.loads(line) for line in gzip.decompress(first).decode("utf8").splitlines()]
    described = [item for item in json.loads((fresh / "descriptions.json").read_text("utf8")) if item["label"]]
    assert [line["index"] for line in lines] == [str(item["feature_id"]) for item in described]
    assert len({line["id"] for line in lines}) == len(lines) and not any("\0" in line["description"] for line in lines)
    for line, item in zip(lines, described):
        assert list(line) == ["id", "modelId", "layer", "index", "description", "authorId", "typeName", "explanationModelName", "notes"]
        assert (line["modelId"], line["layer"], line["authorId"], line["typeName"]) == ("m", "0-sae", "me", None)
        assert line["description"] == item["label"]
        assert line["notes"] is None if item["scores"] is None else line["notes"].startswith(f"{item['status']}: AUC {item['scores']['random']['auc']:.3f} (")
    assert run(*words, "-f").code == 0 and (fresh / "neuronpedia-import/explanations/batch-0.jsonl.gz").read_bytes() == first


@pytest.mark.parametrize("words,missing", [([], "model-id"), (["--model-id", "m"], "source-id"), (["--model-id", "m", "--source-id", ""], "source-id"),
                                           (["--model-id", "x" * 201, "--source-id", "s"], "model-id")])
def test_an_export_without_its_ids_is_refused(run, fresh, words, missing):
    assert run("describe", fresh, "-q", "--method", "seed", "--no-score").code == 0
    for form in ("neuronpedia-upload", "neuronpedia-import"):
        done = run("describe", fresh, "--export", form, *words)
        assert done.code == 64 and "--" + missing in done.err
    done = run("describe", fresh, "--export", "neuronpedia-import", "--model-id", "m", "--source-id", "s")
    assert done.code == 64 and "--author-id" in done.err and not (fresh / "neuronpedia-import").exists()


def test_an_export_needs_labels(run, fresh):
    done = run("describe", fresh, "--export", "neuronpedia-upload", "--model-id", "m", "--source-id", "s")
    assert done.code == 66 and "descriptions" in done.err


# ---- what must not change labels and scores ----


def label_rows(run, out, lines, *words):
    out.mkdir()
    (out / "texts.jsonl").write_text("".join(lines))
    done = run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", out / "texts.jsonl", "-o", out / "run", "--sample-rows", "300", *words)
    assert done.code == 0, done.err
    return {name: (out / "run" / name).read_bytes() for name in FILES}


def test_labels_do_not_depend_on_order_threads_or_batches(run, made, tmp_path):
    lines = (made / "texts.jsonl").read_text().splitlines(keepends=True)
    expected = label_rows(run, tmp_path / "first", lines)
    shuffled = random.Random(2).sample(lines, len(lines))
    assert label_rows(run, tmp_path / "shuffled", shuffled) == expected
    assert label_rows(run, tmp_path / "threads", lines, "-t", "1", "--batch-tokens", "64") == expected


def test_labels_of_merged_parts_are_those_of_the_single_run(run, made, tmp_path):
    lines = (made / "texts.jsonl").read_text().splitlines(keepends=True)
    expected = label_rows(run, tmp_path / "single", lines)
    assert sum(item["label"] is not None for item in json.loads(expected["descriptions.json"])) > 5
    for part in (1, 2, 3):
        assert run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", tmp_path / "single/texts.jsonl", "-o", tmp_path / "parts", "--sample-rows", "300",
                   "--part", f"{part}/3", "-t", 1 + part % 2).code == 0
    states = sorted((tmp_path / "parts").glob("*.state"), reverse=True)
    assert len(states) == 3
    assert run("merge", *states, "-o", tmp_path / "merged", "-q").code == 0  # which makes the labels, too
    assert {name: (tmp_path / "merged" / name).read_bytes() for name in FILES} == expected
    assert run("describe", tmp_path / "merged", "-q").code == 0
    assert {name: (tmp_path / "merged" / name).read_bytes() for name in FILES} == expected


@pytest.mark.parametrize("name,texts", [
    ("one word", ["galaxy", "halo", "dust", "orbit", "moon"]),
    ("Arabic", ["\u0645\u062c\u0631\u0629 \u0628\u0639\u064a\u062f\u0629", "\u0646\u062c\u0645 \u0642\u0631\u064a\u0628 \u062c\u062f\u0627"]),
    ("Hindi", ["\u0906\u0915\u093e\u0936\u0917\u0902\u0917\u093e \u0926\u0942\u0930", "\u0924\u093e\u0930\u093e \u092a\u093e\u0938"]),
    ("Thai", ["\u0e14\u0e32\u0e23\u0e32\u0e08\u0e31\u0e01\u0e23\u0e44\u0e01\u0e25", "\u0e14\u0e32\u0e27\u0e43\u0e01\u0e25\u0e49"]),
    ("Japanese", ["\u9060\u3044\u9280\u6cb3\u306e\u89b3\u6e2c", "\u8fd1\u3044\u60d1\u661f"]),
    ("digits and marks", ["12 7 %", "3.5 (2)", "???"]),
    ("emoji", ["\U0001f30c\U0001f52d", "\u2728"]),
    ("no words at all", [".", "-", "_"]),
])
def test_texts_of_any_kind_are_described(run, tmp_path, name, texts):
    rng = random.Random(3)
    with open(tmp_path / "texts.jsonl", "w", encoding="utf8") as file:
        for i in range(200):
            word = rng.choice(texts)
            file.write(json.dumps({"text": word if name in ("one word", "no words at all") else f"{word} {rng.choice(texts)} {i}"}) + "\n")
    done = run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", tmp_path / "texts.jsonl", "-o", tmp_path / "run", "--steps", "labels")
    assert done.code == 0, done.err
    described = json.loads((tmp_path / "run/descriptions.json").read_text("utf8"))
    assert all(item["label"] is None or item["label"] for item in described)
    for method in ("seed", "none"):
        assert run("describe", tmp_path / "run", "-q", "--method", method).code == 0
    for feature in (0, len(described) - 1):
        assert run("show", tmp_path / "run", feature).code == 0


def test_an_sae_that_is_gone_costs_the_sentence_test_alone(run, made, tmp_path):
    shutil.copytree(SAE, tmp_path / "sae")
    assert run("analyze", "-q", "-m", MODEL, "-s", tmp_path / "sae", "-d", made / "texts.jsonl", "-o", tmp_path / "run", "--steps", "none").code == 0
    shutil.rmtree(tmp_path / "sae")
    done = run("describe", tmp_path / "run")
    assert done.code == 0 and "no sentence test: " in done.err and str(tmp_path / "sae") in done.err, done.err
    scores = [item["scores"] for item in json.loads((tmp_path / "run/descriptions.json").read_text("utf8")) if item["scores"]]
    assert scores and all(score["sentence"] is None and score["random"] for score in scores)


def test_repeated_rows_change_no_label_and_no_score(run, made, tmp_path):
    lines = (made / "texts.jsonl").read_text().splitlines(keepends=True)
    once = json.loads(label_rows(run, tmp_path / "once", lines)["descriptions.json"])
    repeated = json.loads(label_rows(run, tmp_path / "repeated", lines + lines[::3] + lines[::7])["descriptions.json"])
    for item, again in zip(once, repeated, strict=True):
        # the rate is of all rows, and so is the precision at it
        assert again["count"] >= item["count"]
        for one in (item, again):
            one["count"] = one["rate"] = None
            if one["scores"]:
                one["scores"]["precision"] = None
        assert item == again


def test_labels_of_another_seed_are_made_of_other_texts(run, made, tmp_path):
    lines = (made / "texts.jsonl").read_text().splitlines(keepends=True)
    assert label_rows(run, tmp_path / "zero", lines) != label_rows(run, tmp_path / "seven", lines, "--sample-seed", "7")
