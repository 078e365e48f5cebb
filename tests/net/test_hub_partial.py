"""Models of which the cache holds a part: a file that is not there and a file of which nothing is known are two things."""
import json
import shutil

import pytest

from conftest import ROOT

ID, FOLDER = "org/mini", "models--org--mini"
DATA = ROOT / "tests/data/encoder"
SETTINGS = {"sentence_bert_config.json": {"max_seq_length": 32}, "config_sentence_transformers.json": {"prompts": {}},
            "special_tokens_map.json": {}, "adapter_config.json": {"peft_type": "LORA"}}
# Models and files that are put to them.
MODELS = {"bert-dense": ["sentence_bert_config.json", "config_sentence_transformers.json", "special_tokens_map.json"],
          "bert-old": ["special_tokens_map.json"], "roberta-files": [], "camembert-plain": [],
          "mpnet-mean": ["adapter_config.json"]}
# What has a default or a stand-in, so that it counts as absent where nothing is known of it.
MAY_BE_UNKNOWN = {"bert-dense": {"special_tokens_map.json", "6_Dropout/config.json", "7_Normalize/config.json"},
                  "bert-old": {"special_tokens_map.json"}, "roberta-files": {"special_tokens_map.json"}, "camembert-plain": {"special_tokens_map.json"},
                  "mpnet-mean": {"special_tokens_map.json", "adapter_config.json"}}


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Cache:
    def __init__(self, path):
        self.path, self.repo = path, path / FOLDER

    @property
    def snapshot(self):
        return self.repo / "snapshots" / (self.repo / "refs/main").read_text()

    def list_files(self):
        """The listing that the Python client keeps of a commit."""
        path = self.repo / "trees" / f"{self.snapshot.name}.json"
        path.parent.mkdir(exist_ok=True)
        files = {name: {"size": len(data), "blob_id": "0" * 40} for name, data in files_of(self.snapshot).items()}
        path.write_text(json.dumps({"format_version": 1, "files": files}))

    def forget_absences(self):
        shutil.rmtree(self.repo / ".no_exist")

    def make_plain(self):
        for path in list(self.snapshot.rglob("*")):
            if path.is_symlink():
                data = path.read_bytes()
                path.unlink()
                path.write_bytes(data)
        shutil.rmtree(self.repo / "blobs")

    def without(self, name, way):
        path = self.snapshot / name
        if way == "listed":
            self.list_files()
        if way == "plain":
            self.make_plain()
        if way == "link":
            path.resolve().unlink()
        else:
            path.unlink()


@pytest.fixture
def call(run, tmp_path):
    def fetch(cache, servers, *words, verb="fetch", **more):
        env = {"HF_HUB_CACHE": str(cache.path), "HF_TOKEN_PATH": str(tmp_path / "none"), "SAESCOPE_NET_RETRY_SECONDS": "0.01",
               **servers.environment(), **more}
        return run(verb, ID, *words, env=env)
    return fetch


def make(name, tmp_path):
    source = tmp_path / "hub/models" / ID
    shutil.copytree(DATA / name, source)
    for file in MODELS[name]:
        (source / file).write_text(json.dumps(SETTINGS[file]))
    if "adapter_config.json" in MODELS[name]:
        (source / "adapter_model.bin").write_bytes(b"not read here")
    return tmp_path / "hub", sorted(files_of(source))


@pytest.mark.parametrize("way", ["gone", "plain", "listed", "link"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_is_missing_is_not_taken_for_absent(name, way, world, tmp_path, call):
    root, files = make(name, tmp_path)
    whole = Cache(tmp_path / "whole")
    with world(root) as servers:
        assert call(whole, servers).code == 0
        right = files_of(whole.snapshot)
        assert sorted(right) == [f for f in files if f != "README.md"]
        for file in right:
            cache = Cache(tmp_path / f"cache-{file.replace('/', '-')}")
            shutil.copytree(whole.path, cache.path, symlinks=True)
            cache.without(file, way)
            away = call(cache, servers, "--offline")
            if way in ("gone", "plain") and file in MAY_BE_UNKNOWN[name]:
                assert away.code == 0, away.err
            else:
                assert away.code == 69 and away.out == "" and file in away.err, f"{file}: {away.err}"
                assert str(cache.snapshot) in away.err
            again = call(cache, servers)
            assert again.code == 0 and files_of(cache.snapshot) == right, f"{file}: {again.err}"


@pytest.mark.parametrize("knows", ["marks", "listing", "both"])
@pytest.mark.parametrize("name", MODELS)
def test_a_whole_model_needs_no_network(name, knows, world, tmp_path, call):
    root, _ = make(name, tmp_path)
    cache = Cache(tmp_path / "cache")
    with world(root) as servers:
        assert call(cache, servers).code == 0
        if knows != "marks":
            cache.list_files()
        if knows == "listing":
            cache.forget_absences()
        before = len(servers.log)
        assert call(cache, servers, "--offline").code == 0
        assert len(servers.log) == before


def test_what_settings_tell_is_enough_without_marks(world, tmp_path, call):
    root, _ = make("bert-dense", tmp_path)
    cache = Cache(tmp_path / "cache")
    with world(root) as servers:
        assert call(cache, servers).code == 0
        cache.forget_absences()
        assert call(cache, servers, "--offline").code == 0


@pytest.mark.parametrize("name, file", [("roberta-files", "modules.json"), ("bert-old", "tokenizer.json"), ("mpnet-mean", "config_sentence_transformers.json")])
def test_nothing_known_of_a_file_that_matters(name, file, world, tmp_path, call):
    """roberta-files has no modules.json and mpnet-mean no prompts; without marks, that is not known. bert-old needs no tokenizer.json."""
    root, _ = make(name, tmp_path)
    cache = Cache(tmp_path / "cache")
    with world(root) as servers:
        assert call(cache, servers).code == 0
        cache.forget_absences()
        away = call(cache, servers, "--offline")
        assert (away.code == 0) == (name == "bert-old") and (name == "bert-old" or file in away.err), away.err


def test_the_older_names_of_the_sentence_config_are_fetched(world, tmp_path, call):
    root, _ = make("mpnet-mean", tmp_path)
    source = root / "models" / ID
    (source / "sentence_bert_config.json").rename(source / "sentence_xlm-roberta_config.json")
    cache = Cache(tmp_path / "cache")
    with world(root) as servers:
        assert call(cache, servers).code == 0
        assert (cache.snapshot / "sentence_xlm-roberta_config.json").is_file()
        cache.forget_absences()
        (cache.repo / ".no_exist").mkdir()
        cache.list_files()
        assert call(cache, servers, "--offline").code == 0


def test_weights_of_one_kind_stand_for_the_other(world, tmp_path, call):
    """A listing names both, and only pytorch_model.bin was fetched."""
    root, _ = make("bert-old", tmp_path)
    cache = Cache(tmp_path / "cache")
    with world(root) as servers:
        assert call(cache, servers).code == 0
        (cache.snapshot / "model.safetensors").write_bytes(b"")
        cache.list_files()
        (cache.snapshot / "model.safetensors").unlink()
        assert call(cache, servers, "--offline").code == 0


# ---- the cache of sentence-transformers ----

# (variables, where the model is fetched to): the first column of the environment wins in order.
HOMES = [
    ({"SENTENCE_TRANSFORMERS_HOME": "st", "HF_HUB_CACHE": "a", "HUGGINGFACE_HUB_CACHE": "b", "HF_HOME": "c", "XDG_CACHE_HOME": "d"}, "st"),
    ({"HF_HUB_CACHE": "a", "HUGGINGFACE_HUB_CACHE": "b", "HF_HOME": "c", "XDG_CACHE_HOME": "d", "TRANSFORMERS_CACHE": "e"}, "a"),
    ({"HUGGINGFACE_HUB_CACHE": "b", "HF_HOME": "c", "XDG_CACHE_HOME": "d", "TRANSFORMERS_CACHE": "e"}, "b"),
    ({"HF_HOME": "c", "XDG_CACHE_HOME": "d", "TRANSFORMERS_CACHE": "e"}, "c/hub"),
    ({"XDG_CACHE_HOME": "d", "TRANSFORMERS_CACHE": "e"}, "d/huggingface/hub"),
    ({"TRANSFORMERS_CACHE": "e"}, ".cache/huggingface/hub"),
]


@pytest.fixture
def model_hub(tmp_path):
    root, _ = make("mpnet-mean", tmp_path)
    return root


@pytest.fixture
def go(run, tmp_path):
    """saescope fetch with the variables given and no other that names a cache."""
    def call(servers, variables, *words, name=ID):
        names = {"SENTENCE_TRANSFORMERS_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "TRANSFORMERS_CACHE"}
        env = {**dict.fromkeys(names, ""), **{k: str(tmp_path / "home" / v) for k, v in variables.items()},
               "HOME": str(tmp_path / "home"), "HF_TOKEN_PATH": str(tmp_path / "none"), **servers.environment()}
        return run("fetch", name, *words, env=env)
    return call


@pytest.mark.parametrize("variables, place", HOMES)
def test_which_variable_names_the_cache(variables, place, world, model_hub, tmp_path, go):
    """As sentence-transformers 6.2.0 and huggingface_hub 2.4.0 read them; TRANSFORMERS_CACHE is of older releases."""
    with world(model_hub) as servers:
        done = go(servers, variables)
        assert done.code == 0 and done.out.startswith(str(tmp_path / "home" / place / FOLDER)), done.out + done.err
        assert go(servers, variables, "--offline").out == done.out


def test_the_cache_that_has_the_model_is_used(world, model_hub, tmp_path, go):
    with world(model_hub) as servers:
        done = go(servers, {"HF_HOME": "c"})
        both = {"HF_HOME": "c", "SENTENCE_TRANSFORMERS_HOME": "st"}
        assert go(servers, both, "--offline").out == done.out
        assert go(servers, {"SENTENCE_TRANSFORMERS_HOME": "st"}).code == 0
        assert go(servers, both, "--offline").out.startswith(str(tmp_path / "home/st"))


def test_a_bare_name_is_found_in_the_cache(world, model_hub, go):
    (model_hub / "models/org").rename(model_hub / "models/sentence-transformers")
    with world(model_hub) as servers:
        done = go(servers, {"SENTENCE_TRANSFORMERS_HOME": "st"}, name="hf:mini")
        assert done.code == 0
        assert go(servers, {"SENTENCE_TRANSFORMERS_HOME": "st"}, "--offline", name="hf:mini").out == done.out


def test_a_chat_template_comes_along_where_it_counts(world, tmp_path, call):
    """Without modules.json texts would go through it: it must be here to be refused. With modules.json nobody asks for it."""
    for name, counts in (("camembert-plain", True), ("mpnet-mean", False)):
        root, _ = make(name, tmp_path / name)
        (root / "models" / ID / "chat_template.jinja").write_text("{{ messages }}")
        (root / "models" / ID / "adapter_config.json").unlink(missing_ok=True)
        cache = Cache(tmp_path / name / "cache")
        with world(root) as servers:
            assert call(cache, servers).code == 0
            assert (cache.snapshot / "chat_template.jinja").exists() == counts
            done = call(cache, servers, "--offline", verb="inspect")
            assert (done.code, "chat template" in done.err) == ((65, True) if counts else (0, False)), done.err
