"""`--json` of every command that has it: valid JSON with real types, whatever it is asked; and runs that are looked at from elsewhere."""
import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest

from conftest import ROOT

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar".split()


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    """A folder with a model, an SAE and a run that was made inside it, by relative paths."""
    folder, rng = tmp_path_factory.mktemp("json"), np.random.default_rng(3)
    shutil.copytree(MODEL, folder / "model")
    shutil.copytree(SAE, folder / "sae")
    with open(folder / "texts.jsonl", "w") as file:
        for i in range(300):
            file.write(json.dumps({"text": " ".join(rng.choice(WORDS, 8)) + f" {i}", "kind": "ab"[i % 2]}) + "\n")
    for words in ("analyze -q -m model -s sae -d texts.jsonl -o run --keep kind", "analyze -q -m model -s sae -d texts.jsonl -n 150 -o before --steps none",
                  "embed -q -m model -d texts.jsonl -o x.npy"):
        done = subprocess.run([program, *words.split()], capture_output=True, cwd=folder)
        assert done.returncode == 0, done.stderr.decode()
    return folder


CALLS = ["analyze -m model -s sae -d texts.jsonl -n 40 -o new", "analyze -m model -s sae -d texts.jsonl --part 1/2 -o parts", "describe run --no-score", "describe run --method none",
         "score run --feature 1 --label dust", "families run", "map run", "map run --method hdbscan --place texts.jsonl", "show run --limit 3", "show run 1 2", "show run 1 --family",
         "show run --search dust", "search run dust", "search run dust --meaning", "search run dust --features", "diff before run", "diff run --by kind",
         "train --embeddings x.npy --dict-size 32 --max-steps 3 -o trained", "train --embeddings x.npy --dict-size 32 --max-steps 3 --sweep top-k=2,4 -o swept",
         "evaluate --embeddings x.npy -s sae", "evaluate --embeddings x.npy -s sae --compare sae", "encode --embeddings x.npy -s sae -o f.npz", "encode -m model -s sae -d texts.jsonl -o f.jsonl",
         "embed -m model -d texts.jsonl -o y.npy", "fill-mask -m model 'a <mask> b'", "inspect model", "inspect sae", "inspect run", "inspect texts.jsonl", "inspect x.npy",
         "inspect model/model.safetensors", "inspect model/config.json", "inspect --check model", "inspect --rows 2 texts.jsonl", "convert -s sae --to saelens -o other", "cache ls",
         "describe run --export saedashboard --model-id m --source-id 0-s --force"]
# Members whose names are values: labels by verdict.
NAMED_BY_VALUES = {"labels"}


def refuse(name):
    raise ValueError(f"{name} is no JSON")


def without_doubles(pairs):
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def odd_values(value, path=""):
    """Keys that are prose, and texts that are numbers or truth values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not re.fullmatch("[a-z0-9_]+", key) and path.split("/")[-1] not in NAMED_BY_VALUES:
                yield f"{path}/{key}: the key"
            yield from odd_values(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from odd_values(inner, path)
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9][0-9,]*(\.[0-9]+)?( ?%)?|yes|no|true|false|null|nan|inf", value):
        yield f"{path} is {value!r}"


@pytest.mark.parametrize("call", CALLS)
def test_json_is_valid_and_has_real_types(program, made, call, tmp_path):
    words = re.findall(r"'[^']*'|\S+", call)
    copy = tmp_path / "here"
    shutil.copytree(made, copy)
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("SAESCOPE_")}, "HF_HUB_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([program, *(w.strip("'") for w in words), "--json"], capture_output=True, cwd=copy, text=True, env=env)
    assert done.returncode == 0, done.stderr
    lines = [done.stdout] if "--rows" not in words and words[0] != "cache" else done.stdout.splitlines()
    for line in lines:
        value = json.loads(line, parse_constant=refuse, object_pairs_hook=without_doubles)
        assert list(odd_values(value)) == []
        for one in value if isinstance(value, list) and words[0] != "fill-mask" else [value]:
            assert words[0] == "fill-mask" or "--rows" in words or one["schema"] == 1


# What prints nothing but files.
SILENT = {"encode", "embed", "cache", "convert"}


@pytest.mark.parametrize("call", [*CALLS, "diff before run --print-csv", "plot run -o p.svg", "completion zsh", "merge parts/00001-of-00001.state -o merged"])
def test_a_reader_that_has_gone_ends_every_command_quietly(program, made, call, tmp_path):
    """As head does: what was to be written is written, and nothing is said."""
    copy = tmp_path / "here"
    shutil.copytree(made, copy)
    if call.startswith("merge"):
        subprocess.run([program, *"analyze -m model -s sae -d texts.jsonl --part 1/1 -o parts -q".split()], cwd=copy, check=True)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([program, *(w.strip("'") for w in re.findall(r"'[^']*'|\S+", call))], stdout=writer, stderr=subprocess.PIPE, cwd=copy, text=True)
    os.close(writer)
    assert done.returncode == -signal.SIGPIPE or (call.split()[0] in SILENT | {"plot"} and done.returncode == 0), (done.returncode, done.stderr)
    assert not re.search("error:|pipe|cannot write|saescope:", done.stderr, re.I), done.stderr


def test_every_command_with_json_is_called_here(run):
    listed = re.findall(r"^  ([a-z-]+) +\S", run("--help").out.split("Commands:")[1].split("saescope COMMAND")[0], re.M)
    with_json = {command for command in listed if "--json" in run(command, "--help").out.split("Usage:")[1]}
    assert with_json - {call.split()[0] for call in CALLS} == {"fetch"}  # which needs a hub: tests/net


@pytest.mark.parametrize("call", ["search {run} dust --meaning", "score {run} --feature 1 --label dust", "describe {run}", "map {run} --on decoder", "families {run} --method seed-keywords"])
def test_a_run_is_looked_at_from_elsewhere(program, made, call, tmp_path):
    """Its model and SAE were named relative to where it was made; they are found from its folder, there and where all was moved."""
    shutil.copytree(made, tmp_path / "moved/deep")
    (tmp_path / "elsewhere").mkdir()
    answers = []
    for where, run in (made, "run"), (tmp_path / "elsewhere", tmp_path / "moved/deep/run"), (tmp_path / "moved/deep/run", "."):
        done = subprocess.run([program, *call.format(run=run).split(), "--json"], capture_output=True, cwd=where, text=True)
        assert done.returncode == 0, done.stderr
        answers.append(re.sub(r'"(run|path)": "[^"]*"|"seconds": [0-9.e-]+', "", done.stdout))
    assert answers[0] == answers[1] == answers[2]


def test_an_sae_that_is_built_in_is_named_as_it_was_asked_for(run, tmp_path):
    """Rather than by its place in the cache."""
    np.save(tmp_path / "x.npy", np.random.default_rng(5).normal(size=(70, 384)).astype("f4"))
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    done = run("analyze", "--embeddings", tmp_path / "x.npy", "-s", "embedded:all-MiniLM-L6-v2", "-o", tmp_path / "run", "--steps", "none", env=env)
    assert done.code == 0, done.err
    assert json.loads(run("inspect", tmp_path / "run", "--json").out)["sae"] == "embedded:all-MiniLM-L6-v2"


def test_a_model_that_is_nowhere_is_said(program, made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    done = subprocess.run([program, "search", "run", "dust", "--meaning"], capture_output=True, cwd=tmp_path, text=True)
    assert done.returncode == 66 and "no longer at model" in done.stderr
    shutil.copytree(made / "model", tmp_path / "model")
    shutil.copytree(made / "sae", tmp_path / "sae")
    (tmp_path / "model/config.json").write_text((tmp_path / "model/config.json").read_text() + " ")
    done = subprocess.run([program, "search", "run", "dust", "--meaning"], capture_output=True, cwd=tmp_path, text=True)
    assert done.returncode == 65 and "changed since the run was made" in done.stderr


@pytest.mark.parametrize("words", [["frobnicate", "--json"], ["frobnicate", "x", "--json", "y"], ["--json"], ["--frobnicate", "--json"]])
def test_a_command_that_there_is_not_is_told_as_json(run, words):
    done = run(*words)
    assert done.code == 64 and done.out == ""
    assert json.loads(done.err)["error"]["message"].startswith("unknown ")


def test_after_two_dashes_nothing_asks_for_json(run):
    assert run("frobnicate", "--", "--json").err.startswith("saescope: unknown command")
