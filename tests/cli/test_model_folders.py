"""Files of a model folder that are there and cannot be reached are not taken for absent."""
import json
import os
import shutil

import pytest

from conftest import ROOT
from helpers import edit_json

DATA = ROOT / "tests/data/encoder"
# Folders, and files that are put to them so that each optional one is there once.
MORE = {"bert-old": {"special_tokens_map.json": {}, "added_tokens.json": {}, "sentence_roberta_config.json": {}, "config_sentence_transformers.json": {}},
        "bert-dense": {"sentence_bert_config.json": {"max_seq_length": 9}}, "mpnet-mean": {}, "roberta-files": {}, "modernbert-new": {}}


@pytest.fixture
def folder(tmp_path):
    def make(name):
        path = tmp_path / name
        shutil.copytree(DATA / name, path)
        for file, value in MORE[name].items():
            if not (path / file).exists():
                (path / file).write_text(json.dumps(value))
        return path
    return make


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("a star\n")
    return path


def files_of(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def make_unreachable(path, how):
    path.unlink()
    if how == "nowhere":
        path.symlink_to("nowhere")
    elif how == "loop":
        path.symlink_to(path.name)
    else:
        (path.parent / "gone").mkdir()
        path.symlink_to("gone/two/levels")


@pytest.mark.parametrize("how", ["nowhere", "loop", "deep"])
@pytest.mark.parametrize("name", MORE)
def test_a_link_that_leads_nowhere_is_not_a_missing_file(name, how, folder, texts, run, tmp_path):
    whole = folder(name)
    assert run("embed", "-m", whole, "-d", texts, "-o", tmp_path / "x.npy").code == 0
    for i, file in enumerate(files_of(whole)):
        if name == "bert-old" and file == "sentence_roberta_config.json":
            continue  # of two sentence configs the first counts
        copy = tmp_path / f"copy-{i}"
        shutil.copytree(whole, copy)
        make_unreachable(copy / file, how)
        done = run("embed", "-m", copy, "-d", texts, "-o", tmp_path / "y.npy")
        assert 64 <= done.code <= 75 and os.path.basename(file) in done.err, f"{file}: {done.code} {done.err}"


def test_a_file_without_access_is_not_a_missing_file(folder, texts, run, tmp_path):
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    whole = folder("mpnet-mean")
    for file in files_of(whole):
        (whole / file).chmod(0)
        done = run("embed", "-m", whole, "-d", texts, "-o", tmp_path / "y.npy")
        (whole / file).chmod(0o644)
        assert 64 <= done.code <= 75 and os.path.basename(file) in done.err, f"{file}: {done.code} {done.err}"


def test_whole_weights_stand_for_those_that_cannot_be_reached(folder, texts, run, tmp_path):
    whole = folder("bert-old")
    assert run("embed", "-m", whole, "-d", texts, "-o", tmp_path / "x.npy").code == 0
    (whole / "model.safetensors").symlink_to("nowhere")
    assert run("embed", "-m", whole, "-d", texts, "-o", tmp_path / "y.npy").code == 0
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


# ---- adapters ----

def adapter(path, **config):
    import model_variants
    names = [f"base_model.model.encoder.layer.{i}.attention.self.query.lora_{m}.weight" for i in range(2) for m in "AB"]
    from helpers import write_safetensors
    write_safetensors(path / "adapter_model.safetensors", {n: model_variants.numbers(n, [2, 16] if "_A" in n else [16, 2]) for n in names})
    (path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "target_modules": ["query"], **config}))


def test_an_adapter_alone_needs_its_base(texts, run, tmp_path):
    base, alone, both = tmp_path / "base", tmp_path / "alone", tmp_path / "both"
    shutil.copytree(DATA / "bert-multilingual", base)
    shutil.copytree(base, both)
    adapter(both)
    shutil.copytree(both, alone)
    for file in ("config.json", "model.safetensors"):
        (alone / file).unlink()
    for name in ("org/base", ""):
        edit_json(alone / "adapter_config.json", base_model_name_or_path=name)
        done = run("embed", "-m", alone, "-d", texts, "-o", tmp_path / "x.npy")
        assert done.code == 66 and "adapter" in done.err and f"'{name}'" in done.err
    right = run("embed", "-m", both, "-d", texts, "-o", tmp_path / "right.npy")
    assert right.code == 0 and "adapter" in right.err
    for name in (str(base), "../base"):
        edit_json(alone / "adapter_config.json", base_model_name_or_path=name)
        done = run("embed", "-m", alone, "-d", texts, "-o", tmp_path / "x.npy", "--force")
        assert done.code == 0, done.err
        assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "right.npy").read_bytes()
    assert run("embed", "-m", base, "-d", texts, "-o", tmp_path / "base.npy").code == 0
    assert (tmp_path / "base.npy").read_bytes() != (tmp_path / "right.npy").read_bytes()


@pytest.mark.parametrize("lacks, says", [("adapter_config.json", "adapter_config.json"), ("adapter_model.safetensors", "adapter_model")])
def test_half_an_adapter(lacks, says, texts, run, tmp_path):
    shutil.copytree(DATA / "bert-multilingual", tmp_path / "model")
    adapter(tmp_path / "model")
    (tmp_path / "model" / lacks).unlink()
    done = run("embed", "-m", tmp_path / "model", "-d", texts, "-o", tmp_path / "x.npy")
    assert 64 <= done.code <= 75 and says in done.err, done.err


def test_levels_and_masks_see_the_adapter(texts, run, tmp_path):
    """Packing again for smaller numbers, and the language-model head's table, are made of the merged weights."""
    shutil.copytree(DATA / "bert-multilingual", tmp_path / "model")
    adapter(tmp_path / "model", lora_alpha=64)
    outs = {}
    for level in ("highest", "high", "medium", "low"):
        outs[level] = tmp_path / f"{level}.npy"
        assert run("embed", "-m", tmp_path / "model", "-d", texts, "--precision", level, "-o", outs[level]).code == 0
    import numpy as np
    right = np.load(outs["highest"])
    for level, bound in {"high": 1e-4, "medium": 2e-2, "low": 0.2}.items():
        assert np.abs(np.load(outs[level]) - right).max() / np.abs(right).max() < bound
