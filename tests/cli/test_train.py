"""`saescope train` and `evaluate` from the outside: files, going on, refusals."""
import hashlib
import json
import os
import random
import signal
import subprocess
import time
import zipfile

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused

D = 16


def rows(n=900, seed=3):
    g = np.random.default_rng(seed)
    directions = g.standard_normal((40, D))
    x = np.stack([g.uniform(0.5, 1.5, 3) @ directions[g.choice(40, 3, replace=False)] for _ in range(n)])
    return (x + 0.05 * g.standard_normal(x.shape)).astype(np.float32)


@pytest.fixture
def x(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, rows())
    return path


ARGS = ["--dict-size", 64, "--top-k", 4, "--batch-size", 64, "--max-steps", 150]


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_files_and_figures(run, x, tmp_path):
    done = run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS)
    assert done.code == 0, done.err
    assert "explained variance" in done.err and "EV %" in done.out
    assert sorted(digests(tmp_path / "sae")) == ["config.json", "curves.png", "curves.svg", "evaluation.json", "metrics.csv", "sae.pt",
                                                "sae.safetensors"]
    assert not (tmp_path / "sae.training").exists()
    config = json.loads((tmp_path / "sae/config.json").read_text("utf8"))
    assert config["sae_type"] == "jumprelu" and config["training"]["trained_as"] == "batchtopk" and config["act_size"] == D
    figures = json.loads((tmp_path / "sae/evaluation.json").read_text("utf8"))
    assert figures["rows"] == config["training"]["rows_held_out"] and 40 < figures["rows"] < 150
    assert figures["explained_variance"] > 0.6 and abs(figures["l0_mean"] - 4) < 0.1
    assert config["figures"] == figures and config["training"]["encoder"] is None
    raw = (tmp_path / "sae/sae.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header.pop("__metadata__")["config"]) == config
    assert sorted(header) == ["W_dec", "W_enc", "b_dec", "b_enc", "jumprelu.log_threshold"]
    lines = (tmp_path / "sae/metrics.csv").read_text("utf8").splitlines()
    assert len(lines) == 151 and lines[0].startswith("step,loss,l2_loss")
    assert float(lines[150].split(",")[2]) < 0.5 * float(lines[1].split(",")[2])
    assert zipfile.ZipFile(tmp_path / "sae/sae.pt").testzip() is None
    assert "not known" not in run("inspect", tmp_path / "sae").err
    assert run("convert", "--sae", tmp_path / "sae", "--to", "saelens", "--out", tmp_path / "lens").code == 0


@pytest.mark.parametrize("kind", ["vanilla", "topk", "batchtopk", "jumprelu"])
@pytest.mark.parametrize("recipe", ["saescope", "seed"])
def test_every_kind_reads_back(run, x, tmp_path, kind, recipe):
    """What is evaluated from the files is what numpy makes of the weights."""
    done = run("train", "--embeddings", x, "--out", tmp_path / "sae", "--recipe", recipe, "--kind", kind, *ARGS, "-q")
    assert done.code == 0, done.err
    extra = ["--batchtopk", "row-topk"] if recipe == "seed" and kind == "batchtopk" else []
    found = json.loads(run("evaluate", "--sae", tmp_path / "sae", "--embeddings", x, "--json", *extra).out)
    assert run("convert", "--sae", tmp_path / "sae", "--to", "saelens", "--out", tmp_path / "lens", "-q",
               *(["--batchtopk", "row-topk"] if extra else [])).code in (0, 65), "converted, or refused for what SAELens cannot say"
    assert found["features"] == 64 and found["rows"] == 900
    assert found["explained_variance"] > (0.2 if recipe == "seed" else 0.5), found
    assert found["l0_mean"] > 1


def test_the_same_bytes_for_any_threads_and_from_a_wider_type(run, x, tmp_path):
    np.save(tmp_path / "f64.npy", np.load(x).astype(np.float64))
    for name, words in (("a", ["--threads", 1]), ("b", ["--threads", 2]), ("c", ["--threads", 3])):
        assert run("train", "--embeddings", x, "--out", tmp_path / name, *ARGS, *words, "-q").code == 0
    assert digests(tmp_path / "a") == digests(tmp_path / "b") == digests(tmp_path / "c")
    assert run("train", "--embeddings", tmp_path / "f64.npy", "--out", tmp_path / "d", *ARGS, "-q").code == 0
    assert digests(tmp_path / "d")["sae.pt"] == digests(tmp_path / "a")["sae.pt"]


def test_the_same_bytes_with_other_instructions(run, x, tmp_path):
    """Width 16 is whole groups of lanes; 13 has a rest."""
    np.save(tmp_path / "narrow.npy", np.load(x)[:, :13])
    for kind, rows_of in (("batchtopk", x), ("topk", tmp_path / "narrow.npy"), ("jumprelu", x)):
        for cpu in ("avx2", "reference"):
            out = tmp_path / f"{kind}-{cpu}"
            done = run("train", "--embeddings", rows_of, "--kind", kind, "--out", out, *ARGS, "-q", env={"SAESCOPE_CPU": cpu})
            assert done.code == 0, done.err
        assert digests(tmp_path / f"{kind}-avx2")["sae.pt"] == digests(out)["sae.pt"], kind


def test_a_dataset_gives_what_its_embeddings_give(run, tmp_path):
    texts = tmp_path / "t.jsonl"
    words = (ROOT / "demo/texts.jsonl").read_text("utf8").splitlines()[:300]
    texts.write_text("\n".join(words) + "\n", "utf8")
    model = ROOT / "tests/data/encoder/tiny-bert"
    if not model.exists():
        model = next(p.parent for p in sorted((ROOT / "tests/data").rglob("modules.json")))
    assert run("embed", "-m", model, "-d", texts, "--out", tmp_path / "e.npy").code == 0
    args = ["--dict-size", 48, "--top-k", 4, "--batch-size", 32, "--max-steps", 30, "-q"]
    done = run("train", "-m", model, "-d", texts, "--out", tmp_path / "a", *args)
    assert done.code == 0, done.err
    assert run("train", "--embeddings", tmp_path / "e.npy", "--out", tmp_path / "b", *args).code == 0
    assert digests(tmp_path / "a")["sae.pt"] == digests(tmp_path / "b")["sae.pt"]


def test_killed_at_random_times_it_ends_in_the_same_bytes(program, run, x, tmp_path):
    args = ["train", "--embeddings", str(x), "--dict-size", "64", "--top-k", "4", "--batch-size", "64", "--max-steps", "1500",
            "--checkpoint-steps", "50", "-q"]
    assert run(*args, "--out", tmp_path / "whole").code == 0
    random.seed(11)
    n_killed = 0
    for _ in range(20):
        process = subprocess.Popen([program, *args, "--out", tmp_path / "killed"], stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.02, 0.25))
        process.send_signal(random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        process.wait()
        n_killed += process.returncode != 0
    done = run(*args, "--out", tmp_path / "killed")
    assert done.code in (0, 74) and n_killed > 0
    assert digests(tmp_path / "whole") == digests(tmp_path / "killed")
    assert not (tmp_path / "killed.training").exists()


def stopped(program, x, out, *more):
    process = subprocess.Popen([program, "train", "--embeddings", x, "--out", out, "--dict-size", "64", "--batch-size", "64",
                                "--max-steps", "100000", "--checkpoint-steps", "10", "-q", *map(str, more)], stderr=subprocess.PIPE)
    state = out.with_name(out.name + ".training") / "state"
    for _ in range(200):
        if state.exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    return state, process.communicate()[1].decode()


def test_a_state_of_other_rows_or_options_is_refused(program, run, x, tmp_path):
    state, said = stopped(program, x, tmp_path / "sae")
    assert state.exists() and "the same command goes on" in said
    args = ["--out", tmp_path / "sae", "--dict-size", 64, "--batch-size", 64, "--max-steps", 100000, "-q"]
    np.save(tmp_path / "y.npy", rows(seed=4))
    assert_refused(run("train", "--embeddings", tmp_path / "y.npy", *args), 64, "other rows", str(state))
    assert_refused(run("train", "--embeddings", x, *args, "--top-k", 3), 64, "other options")
    state.write_bytes(state.read_bytes()[:-7])
    assert_refused(run("train", "--embeddings", x, *args), 65, "no whole state")
    assert run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS, "--force", "-q").code == 0


@pytest.mark.parametrize("name, change, code, words", [
    ("nan", lambda x: np.put(x, [37 * D + 2], np.nan), 65, ["37"]),
    ("alike", lambda x: x.__setitem__(slice(None), x[0]), 65, ["alike"]),
])
def test_bad_rows(run, tmp_path, name, change, code, words):
    x = rows(300)
    change(x)
    np.save(tmp_path / "x.npy", x)
    assert_refused(run("train", "--embeddings", tmp_path / "x.npy", "--out", tmp_path / "sae", "-q"), code, *words)
    assert not (tmp_path / "sae").exists() and not (tmp_path / "sae.training").exists()


def test_rows_without_an_embedding_are_left_out(run, tmp_path):
    x = rows(500)
    x[7] = np.nan
    x[9] = 0
    np.save(tmp_path / "x.npy", x)
    done = run("train", "--embeddings", tmp_path / "x.npy", "--out", tmp_path / "sae", *ARGS)
    assert done.code == 0 and "2 rows without an embedding" in done.err
    np.save(tmp_path / "y.npy", np.delete(x, [7, 9], 0))
    assert run("train", "--embeddings", tmp_path / "y.npy", "--out", tmp_path / "b", *ARGS, "-q").code == 0
    assert digests(tmp_path / "sae")["sae.pt"] == digests(tmp_path / "b")["sae.pt"]


def test_equal_rows_are_on_one_side(run, tmp_path):
    x = np.repeat(rows(300), 3, 0)
    np.save(tmp_path / "x.npy", x)
    assert run("train", "--embeddings", tmp_path / "x.npy", "--out", tmp_path / "sae", *ARGS, "-q").code == 0
    assert json.loads((tmp_path / "sae/config.json").read_text("utf8"))["training"]["rows_held_out"] % 3 == 0


@pytest.mark.parametrize("words, code, said", [
    (["--batch-size", 5000], 65, "smaller --batch-size"),
    (["--dict-size", 10, "--top-k", 11], 64, "--top-k is 11"),
    (["--prefixes", "10,5"], 64, "--prefixes"),
    (["--target-l0", 8], 64, "--kind jumprelu"),
    (["--target-l0", 8000, "--kind", "jumprelu"], 64, "the target of L0 is 8000"),
    (["--prefixes", "10,x"], 64, "--prefixes"),
    (["--lr", 1e9], 64, "lr is"),
])
def test_options_that_do_not_fit(run, x, tmp_path, words, code, said):
    assert_refused(run("train", "--embeddings", x, "--out", tmp_path / "sae", "-q", *words), code, said)
    assert not (tmp_path / "sae").exists() and not (tmp_path / "sae.training").exists()


def test_a_learning_rate_that_diverges_stops_with_the_last_state(run, x, tmp_path):
    done = run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS, "--lr", 1000, "-q")
    assert_refused(done, 65, "training diverges", "smaller --lr")
    assert not (tmp_path / "sae").exists()


def test_an_sae_that_is_there_is_not_replaced(run, x, tmp_path):
    assert run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS, "-q").code == 0
    before = digests(tmp_path / "sae")
    assert_refused(run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS, "-q"), 74, "--force")
    assert digests(tmp_path / "sae") == before


def test_prefixes_and_a_target_of_jumprelu(run, x, tmp_path):
    assert run("train", "--embeddings", x, "--out", tmp_path / "m", *ARGS, "--prefixes", "16,32,64", "-q").code == 0
    assert json.loads((tmp_path / "m/config.json").read_text("utf8"))["training"]["prefixes"] == [16, 32, 64]
    done = run("train", "--embeddings", x, "--out", tmp_path / "j", "--dict-size", 64, "--top-k", 6, "--batch-size", 64, "--max-steps",
               600, "--kind", "jumprelu", "-q", "--json")
    assert abs(json.loads(done.out)["l0_mean"] - 6) < 0.1, done.out


@pytest.mark.parametrize("recipe", ["saescope", "seed"])
@pytest.mark.parametrize("target", [3, 7.5])
def test_jumprelu_is_trained_for_a_target(run, x, tmp_path, recipe, target):
    """Thresholds that are a little off at the end are moved together, by the rows held out."""
    args = ["--dict-size", 64, "--batch-size", 64, "--max-steps", 300, "--kind", "jumprelu", "--recipe", recipe, "-q"]
    done = run("train", "--embeddings", x, "--out", tmp_path / "j", *args, "--target-l0", target, "--json")
    assert done.code == 0, done.err
    figures = json.loads(done.out)
    assert abs(figures["l0_mean"] - target) < 0.1, figures["l0_mean"]
    config = json.loads((tmp_path / "j/config.json").read_text("utf8"))
    assert config["training"]["l0_target"] == target and 0.2 < config["training"]["threshold_factor"] < 5


def test_saes_are_compared_in_one_table(run, x, tmp_path):
    for name, k in (("a", 2), ("b", 6)):
        assert run("train", "--embeddings", x, "--out", tmp_path / name, *ARGS[:2], "--top-k", k, *ARGS[4:], "-q").code == 0
    done = run("evaluate", "--sae", tmp_path / "a", "--embeddings", x, "--compare", tmp_path / "b")
    lines = done.out.splitlines()
    assert done.code == 0 and len(lines) == 4 and lines[1].endswith("/a") and lines[2].endswith("/b")
    both = json.loads(run("evaluate", "--sae", tmp_path / "a", "--embeddings", x, "--compare", tmp_path / "b", "--json").out)
    assert both[0]["explained_variance"] < both[1]["explained_variance"] and both[0]["l0_mean"] < both[1]["l0_mean"]
    np.save(tmp_path / "narrow.npy", np.ones((20, 8), np.float32) * np.arange(1, 21)[:, None])
    assert_refused(run("evaluate", "--sae", tmp_path / "a", "--embeddings", tmp_path / "narrow.npy"), 65, "16")


def test_a_full_disk_is_said(run, x, tmp_path):
    """A limit of file size stands for it; what was there before stays as it was."""
    import resource
    limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))  # noqa: E731
    done = run("train", "--embeddings", x, "--out", tmp_path / "sae", *ARGS, "-q", preexec_fn=limit)
    assert_refused(done, 74)
    assert not os.path.exists(tmp_path / "sae/config.json")


def test_a_sweep_trains_every_combination_on_the_same_rows(run, x, tmp_path):
    args = ["--batch-size", 64, "--max-steps", 60, "-q"]
    done = run("train", "--embeddings", x, "--out", tmp_path / "s", *args, "--sweep", "top-k=2,4,8", "dict_size=32,64")
    assert done.code == 0, done.err
    names = [f"top_k-{k}_dict_size-{n}" for k in (2, 4, 8) for n in (32, 64)]
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == sorted([*names, "sweep.csv", "sweep.png", "sweep.svg"])
    assert not (tmp_path / "s.training").exists()
    table = (tmp_path / "s/sweep.csv").read_text("utf8").splitlines()
    assert [line.split(",")[0] for line in table] == ["sae", *names]
    assert [line.rsplit("/", 1)[-1] for line in done.out.splitlines()[1:7]] == names
    points = {}
    for line in table[1:]:
        name, _, _, l0, variance, *_, is_best = line.split(",")
        figures = json.loads((tmp_path / "s" / name / "evaluation.json").read_text("utf8"))
        assert abs(figures["l0_mean"] - float(l0)) < 1e-3 and abs(figures["explained_variance"] - float(variance)) < 1e-5
        points[name] = figures["l0_mean"], figures["explained_variance"], is_best == "1"
    for name, (l0, variance, is_best) in points.items():
        beaten = any((a <= 1.01 * l0 and b > variance) or (1.01 * a < l0 and b >= variance) for a, b, _ in points.values())
        assert is_best != beaten, (name, points)
    assert run("train", "--embeddings", x, "--out", tmp_path / "one", *args, "--top-k", 4, "--dict-size", 64).code == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "s/top_k-4_dict_size-64")
    assert "SAEs; figures of rows that were held out" in (tmp_path / "s/sweep.svg").read_text("utf8")
    assert_refused(run("train", "--embeddings", x, "--out", tmp_path / "s", *args, "--sweep", "top-k=2", "dict_size=32"), 74, "--force")


@pytest.mark.parametrize("words, said", [
    (["--sweep"], "NAME=VALUE"), (["top-k=2"], "--sweep"), (["--sweep", "top-k"], "top-k"), (["--sweep", "colour=1,2"], "colour"),
    (["--sweep", "top-k=2,,4"], "top-k"), (["--sweep", "lr=fast"], "fast"), (["--sweep", "top-k=0"], "0"),
    (["--sweep", "top-k=" + ",".join(map(str, range(1, 18)))], "values"),
    (["--sweep", "top-k=" + ",".join(map(str, range(1, 17))), "seed=1,2,3,4,5"], "64"),
])
def test_sweeps_that_are_none(run, x, tmp_path, words, said):
    done = run("train", "--embeddings", x, "--out", tmp_path / "s", "-q", *words)
    assert done.code == 64 and said in done.err and not (tmp_path / "s").exists(), done.err


def test_the_default_recipe_starts_at_rows(run, x, tmp_path):
    """So its first step explains more than that of weights which are drawn, and features fire from the start."""
    first = {}
    for recipe in ("saescope", "seed"):
        args = ["--recipe", recipe, "--kind", "batchtopk", "--dict-size", 64, "--top-k", 4, "--batch-size", 64, "--max-steps", 3, "-q"]
        assert run("train", "--embeddings", x, "--out", tmp_path / recipe, *args).code == 0
        first[recipe] = float((tmp_path / recipe / "metrics.csv").read_text("utf8").splitlines()[1].split(",")[6])
        config = json.loads((tmp_path / recipe / "config.json").read_text("utf8"))
        assert config["training"]["directions_init"] == ("rows" if recipe == "saescope" else "random")
        assert config["aux_penalty"] == (1 / 8 if recipe == "saescope" else 1 / 32)
    assert first["saescope"] > max(0.2, first["seed"] + 0.1), first
