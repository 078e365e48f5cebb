"""Models and files of the hub: what is asked, what lands in the cache, what is said when it does not work."""
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from helpers import assert_refused, write_safetensors

MODEL = ROOT / "tests/data/encoder/mpnet-mean"
ID = "org/mini"
FOLDER = "models--org--mini"
BIG = bytes(range(251)) * 20000


@pytest.fixture
def root(tmp_path):
    """A hub with one encoder, one folder of files, one dataset."""
    top = tmp_path / "hub"
    shutil.copytree(MODEL, top / "models" / ID)
    for name, data in {"models/org/files/a.txt": b"a", "models/org/files/deep/er/b.bin": BIG, "models/org/files/deep/c.txt": b"c",
                       "datasets/org/rows/data/train.jsonl": b'{"text": "a star"}\n'}.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return top


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def fetch(run, cache):
    """saescope fetch against a world, with its own cache and quick retries."""
    def call(servers, *words, **more):
        env = {"HF_HUB_CACHE": str(cache), "SAESCOPE_NET_RETRY_SECONDS": "0.01", "SAESCOPE_NET_STALL_SECONDS": "1",
               "HF_TOKEN_PATH": str(cache / "no-token"), **servers.environment(), **more}
        return run("fetch", *words, env=env)
    return call


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def leftovers(cache):
    return [p.name for p in cache.rglob("*") if p.name.endswith(("-part", ".tmp", ".incomplete"))]


def write_sae(folder, width):
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    write_safetensors(folder / "sae.safetensors", {"W_enc": rng.normal(size=(width, 8)), "W_dec": rng.normal(size=(8, width)), "b_enc": np.zeros(8),
                                                   "b_dec": np.zeros(width), "jumprelu.log_threshold": np.zeros(8)})
    (folder / "config.json").write_text(json.dumps({"sae_type": "jumprelu", "act_size": width, "dict_size": 8, "model_name": "m"}))


# ---- a model ----

def test_a_model_lands_as_the_python_client_lays_it_out(world, root, fetch, cache):
    (root / "models" / ID / "README.md").write_text("not needed")
    with world(root) as servers:
        result = fetch(servers, ID)
    assert (result.code, result.err) == (0, "")
    snapshot = cache / FOLDER / "snapshots" / (cache / FOLDER / "refs/main").read_text()
    assert result.out == f"{snapshot}\n"
    assert files_of(snapshot) == {k: v for k, v in files_of(root / "models" / ID).items() if k != "README.md"}
    for path in snapshot.rglob("*"):
        if path.is_dir():
            continue
        data, depth = path.read_bytes(), len(path.relative_to(snapshot).parts)
        etag = hashlib.sha256(data).hexdigest() if path.suffix == ".safetensors" else git_blob(data)
        assert os.readlink(path) == "../" * (depth + 1) + "blobs/" + etag
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~os.umask(os.umask(0o22))
        assert (cache / ".locks" / FOLDER / f"{etag}.lock").is_file()
    assert (cache / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    commit = snapshot.name
    assert (cache / FOLDER / ".no_exist" / commit / "added_tokens.json").read_bytes() == b""
    assert leftovers(cache) == []


def test_a_model_that_is_there_costs_one_question(world, root, fetch):
    with world(root) as servers:
        fetch(servers, ID)
        before = len(servers.log)
        assert fetch(servers, ID).code == 0
        assert [r.method for r in servers.log[before:]] == ["HEAD"]
        commit = (fetch(servers, ID, "--json").out)
        before = len(servers.log)
        assert fetch(servers, f"{ID}@{json.loads(commit)['commit']}").code == 0
        assert len(servers.log) == before


def test_the_model_is_used_and_recorded(world, root, run, cache, tmp_path):
    texts = tmp_path / "t.txt"
    texts.write_text("a star\na galaxy\n")
    words = ["embed", "--dataset", texts, "--out"]
    with world(root) as servers:
        env = {"HF_HUB_CACHE": str(cache), **servers.environment()}
        assert run(*words, tmp_path / "a.npy", "--model", ID, env=env).code == 0
        assert run(*words, tmp_path / "b.npy", "--model", MODEL).code == 0
        assert run("tokenize", "--dataset", texts, "--model", f"hf:{ID}@main", env=env).code == 0
        inspected = run("inspect", "--json", ID, env=env)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    assert json.loads(inspected.out)["width"] > 0


def test_run_json_records_the_commit(world, root, run, cache, tmp_path):
    sae = tmp_path / "sae"
    write_sae(sae, json.loads((MODEL / "config.json").read_text())["hidden_size"])
    (tmp_path / "t.txt").write_text("a star\na galaxy\n")
    with world(root) as servers:
        result = run("analyze", "--model", ID, "--sae", sae, "--dataset", tmp_path / "t.txt", "--out", tmp_path / "run", "--quiet",
                     env={"HF_HUB_CACHE": str(cache), **servers.environment()})
    assert result.code == 0, result.err
    model = json.loads((tmp_path / "run/run.json").read_text())["model"]
    assert model["source"] == f"hf:{ID}" and model["name"] == ID
    assert model["commit"] == (cache / FOLDER / "refs/main").read_text()


def test_a_folder_of_that_name_wins(world, root, run, tmp_path):
    shutil.copytree(MODEL, tmp_path / ID)
    with world(root) as servers:
        result = run("inspect", ID, env=servers.environment(), cwd=tmp_path)
        assert result.code == 0 and servers.log == []


def test_a_bare_name_is_also_looked_for_where_sentence_encoders_are(world, root, fetch):
    shutil.copytree(MODEL, root / "models/sentence-transformers/tiny")
    with world(root) as servers:
        result = fetch(servers, "hf:tiny", "--json")
    assert json.loads(result.out)["source"] == "hf:sentence-transformers/tiny"


@pytest.mark.parametrize("command, name", [
    ("fetch", "tiny"), ("inspect", "tiny"), ("inspect", "nofile.txt"), ("embed", "tiny"), ("inspect", "here/sea"), ("embed", "here/sea"),
    ("embed", "./org/mini"), ("inspect", "/org/mini")])
def test_a_path_with_a_mistake_reaches_no_server(world, root, run, tmp_path, command, name):
    (tmp_path / "here").mkdir()
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n')
    words = ["-m", name, "-d", "x.jsonl", "-o", "x.npy"] if command == "embed" else [name]
    with world(root) as servers:
        result = run(command, *words, env=servers.environment(), cwd=tmp_path)
        assert servers.log == []
    assert_refused(result, 66, name, "no such")


def test_sharded_and_older_weights(world, root, fetch, cache):
    model = root / "models" / ID
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with world(root) as servers:
        assert fetch(servers, ID).code == 0
        (model / "pytorch_model.bin").rename(model / "part-1.safetensors")
        (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "part-1.safetensors", "b": "part-1.safetensors"}}')
        result = fetch(servers, ID)
        assert result.code == 0, result.err
        (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../../../../evil"}}')
        result = fetch(servers, ID)
    assert result.code == 65 and "evil" in result.err


# ---- other things ----

def test_a_folder_of_a_repository(world, root, fetch, cache):
    with world(root, {"page_size": 2}) as servers:
        result = fetch(servers, "--as", "sae", "hf:org/files/deep")
        assert result.code == 0, result.err
        assert files_of(cache / result.out.strip()) == {"er/b.bin": BIG, "c.txt": b"c"}
        assert not [r for r in servers.log if r.path.endswith("a.txt")]
        result = fetch(servers, "hf:datasets/org/rows")
        assert files_of(cache / result.out.strip()) == files_of(root / "datasets/org/rows")


def test_revisions_and_renamed_repositories(world, root, fetch, cache):
    with world(root, {"repos": {f"models/{ID}": {"refs": ["v1", "refs/pr/3"]}, "models/org/old": {"renamed_to": ID}}}) as servers:
        assert fetch(servers, f"{ID}@v1").code == 0
        assert fetch(servers, f"hf://models/{ID}@refs/pr/3").code == 0
        assert fetch(servers, "org/old").code == 0
    commit = (cache / FOLDER / "refs/v1").read_text()
    assert (cache / FOLDER / "refs/refs/pr/3").read_text() == commit
    assert (cache / "models--org--old/refs/main").read_text() == commit


def test_small_files_by_a_redirect_within_the_hub(world, root, fetch, cache):
    with world(root, {"resolve_cache": True, "tokens": {"t": [f"models/{ID}"]}, "repos": {f"models/{ID}": {"private": True}}}) as servers:
        assert fetch(servers, ID, HF_TOKEN="t").code == 0
        assert all("authorization" in r.headers for r in servers.requests("hub"))
        assert servers.requests("cdn") and not [r for r in servers.requests("cdn") if "authorization" in r.headers]


def test_without_links(world, root, fetch, cache):
    with world(root) as servers:
        assert fetch(servers, ID, HF_HUB_DISABLE_SYMLINKS="1").code == 0
    snapshot = next((cache / FOLDER / "snapshots").iterdir())
    assert not [p for p in snapshot.rglob("*") if p.is_symlink()]
    assert files_of(snapshot) == files_of(root / "models" / ID)


# ---- without the hub ----

def test_offline_and_unreachable(world, root, fetch, cache, run):
    with world(root) as servers:
        fetch(servers, ID)
        before = len(servers.log)
        for word in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "SAESCOPE_OFFLINE"):
            result = fetch(servers, ID, **{word: "yes"})
            assert (result.code, result.err) == (0, "")
            result = fetch(servers, "org/other", **{word: "yes"})
            assert result.code == 69 and f"because of {word};" in result.err
        assert fetch(servers, ID, "--offline").code == 0
        result = fetch(servers, "org/other", "--offline")
        assert result.code == 69 and "because of --offline" in result.err and str(cache) in result.err
        assert len(servers.log) == before
    result = fetch(servers, ID)
    assert result.code == 0 and "using the copy" in result.err
    result = fetch(servers, "org/other")
    assert result.code == 69 and "no connection" in result.err and str(cache) in result.err


def test_a_cache_that_cannot_be_written_is_read(world, root, fetch, cache):
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere")
    with world(root) as servers:
        fetch(servers, ID)
        commit = (cache / FOLDER / "refs/main").read_text()
        (cache / FOLDER / "refs/main").unlink()
        (cache / FOLDER / "refs").rmdir()
        (cache / FOLDER / "refs").write_text("in the way")
        result = fetch(servers, ID)
    assert result.code == 0 and commit in result.out


# ---- refusals ----

@pytest.mark.parametrize("facts, token, says", [
    ({"private": True}, None, "private"),
    ({"private": True}, "other", "private"),
    ({"gated": "auto"}, None, "accept its terms"),
    ({"gated": "auto"}, "other", "not granted"),
    ({"disabled": True}, None, "disabled"),
    ({}, "wrong", "token is not accepted"),
])
def test_refusals_say_what_to_do(world, root, fetch, cache, facts, token, says):
    with world(root, {"repos": {f"models/{ID}": facts}, "tokens": {"other": [], "mine": [f"models/{ID}"]}}) as servers:
        result = fetch(servers, ID, **({"HF_TOKEN": token} if token else {}))
    assert result.code == 66 and says in result.err and "Root=1-scripted" in result.err
    assert not (cache / FOLDER).exists() or not list((cache / FOLDER / "blobs").glob("*"))


@pytest.mark.parametrize("name, code, says", [
    ("org/nothing", 66, "no such repository"),
    (f"{ID}@v9", 66, "no such revision"),
    (f"hf:{ID}/nothing", 66, "has no file nothing"),
    ("hf:org//x", 64, "not a name"), ("hf:", 64, "not a name"), ("hf:a..b/c", 64, "not a name"), ("hf:org/x/../y", 64, "not a name"),
    ("hf:org/x@../y", 64, "not a name"), ("hf:org/x.git", 64, "not a name"), ("hf:org/x/a\\b", 64, "not a name"),
])
def test_names_that_are_not_there(world, root, fetch, name, code, says):
    with world(root) as servers:
        result = fetch(servers, "--as", "sae", name)
    assert result.code == code and says in result.err


def test_the_token_comes_from_where_the_python_client_keeps_it(world, root, fetch, tmp_path):
    scenario = {"repos": {f"models/{ID}": {"private": True}}, "tokens": {"secret": [f"models/{ID}"]}}
    home = tmp_path / "home"
    home.mkdir()
    (home / "token").write_text(" secret\n")
    with world(root, scenario) as servers:
        assert fetch(servers, ID, HF_TOKEN="secret").code == 0
        shutil.rmtree(tmp_path / "cache")
        assert fetch(servers, ID, HUGGING_FACE_HUB_TOKEN="secret").code == 0
        assert fetch(servers, f"{ID}", HF_HOME="$HOMES/home", HOMES=str(tmp_path), HF_TOKEN_PATH="").code == 0
        shutil.rmtree(tmp_path / "cache")
        result = fetch(servers, ID, HF_TOKEN="secret", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
        assert result.code == 66
        assert fetch(servers, ID, HF_TOKEN="se cret").code == 64


def test_a_server_that_is_no_hub(world, root, fetch):
    (root / "web").mkdir()
    with world(root) as servers:
        result = fetch(servers, ID, HF_ENDPOINT=servers.url("web"))
        assert result.code in (66, 69)
        assert fetch(servers, ID, HF_ENDPOINT="nonsense").code == 64


# ---- content ----

def test_content_that_is_not_what_its_hash_says(world, root, fetch, cache):
    with world(root) as servers:
        servers.play("html-page", "first-byte", times=9, name="model.safetensors")
        result = fetch(servers, ID)
    assert result.code in (65, 69), result.err
    assert not [p for p in (cache / FOLDER / "blobs").iterdir() if len(p.name) == 64] and leftovers(cache) == []


def test_an_expired_address_is_asked_for_again(world, root, fetch, cache):
    (root / "models" / ID / "model.safetensors").write_bytes(BIG)
    with world(root, {"cdn": {"uses": 1}}) as servers:
        servers.play("short-body", "middle", times=2, name="model.safetensors")
        assert fetch(servers, ID).code == 0
        ranges = [r.headers.get("range") for r in servers.requests("cdn", "GET")]
    assert ranges[0] is None and ranges[-1] is not None
    assert next((cache / FOLDER / "snapshots").glob("*/model.safetensors")).read_bytes() == BIG


def test_a_stopped_download_goes_on(world, root, program, cache, tmp_path):
    data = os.urandom(1 << 20)
    (root / "models" / ID / "model.safetensors").write_bytes(data)
    with world(root) as servers:
        servers.play("stall", "middle", times=1, name="model.safetensors")
        env = {**os.environ, "HF_HUB_CACHE": str(cache), **servers.environment()}
        child = subprocess.Popen([program, "fetch", ID], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not [p for p in cache.rglob("*-part") if p.stat().st_size >= len(data) // 2]:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
        assert child.returncode == 75 and b"stopped" in err
        assert len(leftovers(cache)) == 1
        before = len(servers.log)
        env.pop("SAESCOPE_NET_STALL_SECONDS", None)
        done = subprocess.run([program, "fetch", ID], env=env, capture_output=True, timeout=60)
        assert done.returncode == 0
        assert [r.headers["range"] for r in servers.log[before:] if r.origin == "cdn"][0].startswith("bytes=")
    assert next((cache / FOLDER / "snapshots").glob("*/model.safetensors")).read_bytes() == data and leftovers(cache) == []


def test_two_programs_fetch_a_file_once(world, root, program, cache):
    (root / "models" / ID / "model.safetensors").write_bytes(os.urandom(4 << 20))
    with world(root) as servers:
        env = {**os.environ, "HF_HUB_CACHE": str(cache), **servers.environment()}
        children = [subprocess.Popen([program, "fetch", "--quiet", ID], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
        outputs = {child.communicate(timeout=60)[0] for child in children}
        assert [c.returncode for c in children] == [0, 0, 0] and len(outputs) == 1
        assert len(servers.requests("cdn", "GET")) == 1
    assert leftovers(cache) == []


def test_limits_of_the_hub_are_waited_for(world, root, fetch):
    for style in ("retry-after", "ratelimit"):
        with world(root, {"limit": {"free": 3, "refuse": 1, "wait_s": 0, "style": style}}) as servers:
            result = fetch(servers, f"{ID}@main", HF_HUB_CACHE=str(root / style))
            assert result.code == 0, result.err


def test_an_sae_by_its_name(world, root, run, cache, tmp_path):
    sae = root / "models/org/saes/layer-1"
    write_sae(sae, json.loads((MODEL / "config.json").read_text())["hidden_size"])
    (root / "models/org/saes/layer-2").mkdir()
    (root / "models/org/saes/layer-2/sae.safetensors").write_bytes(BIG)
    (tmp_path / "t.txt").write_text("a star\na galaxy\n")
    with world(root) as servers:
        result = run("analyze", "--model", MODEL, "--sae", "hf:org/saes/layer-1", "--dataset", tmp_path / "t.txt", "--out", tmp_path / "run",
                     "--quiet", env={"HF_HUB_CACHE": str(cache), **servers.environment()})
        assert result.code == 0, result.err
        assert not [r for r in servers.log if "layer-2" in r.path]
    facts = json.loads((tmp_path / "run/run.json").read_text())["sae"]
    assert facts["source"] == "hf:org/saes/layer-1" and facts["commit"] in facts["path"]


def test_a_repository_of_saes_names_them_before_anything_comes(world, root, fetch, cache):
    for layer in range(9):
        folder = root / f"models/org/many/sae/layers.{layer}"
        folder.mkdir(parents=True)
        (folder / "sae.safetensors").write_bytes(BIG)
        (folder / "cfg.json").write_text("{}")
    (root / "models/org/many/config.json").write_text("{}")
    with world(root) as servers:
        for name in ("hf:org/many", "hf:org/many/sae"):
            done = fetch(servers, "--as", "sae", name)
            assert_refused(done, 66, "org/many holds 9 SAEs", "'sae/layers.0', 'sae/layers.1'", "...", "hf:org/many/sae/layers.0")
        assert not [r for r in servers.log if "safetensors" in r.path]
        assert fetch(servers, "--as", "sae", "hf:org/many/sae/layers.3").code == 0
        assert not [r for r in servers.log if "layers.4" in r.path]


def test_a_path_may_name_a_single_file(world, root, fetch, cache):
    (root / "models" / ID / "more").mkdir()
    (root / "models" / ID / "more/sae.pt").write_bytes(b"weights")
    with world(root) as servers:
        done = fetch(servers, "--as", "sae", f"hf:{ID}/more/sae.pt")
        assert done.code == 0, done.err
        assert Path(done.out.strip()).read_bytes() == b"weights"
        assert len(list((cache / FOLDER / "blobs").iterdir())) == 1
        assert_refused(fetch(servers, "--as", "sae", f"hf:{ID}/more/none.pt"), 66, "more/none.pt")


# ---- killed ----

CHANGES = "write,sync,rename,create,remove"


@pytest.fixture(scope="module")
def library(tmp_path_factory, program):
    path = tmp_path_factory.mktemp("fault") / "fault.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, ROOT / "tests/support/fault.c", "-ldl"], check=True)
    if subprocess.run([program, "--version"], env={**os.environ, "LD_PRELOAD": str(path)}, capture_output=True).returncode != 0:
        pytest.skip("this build cannot be run with a library before its own (a sanitizer)")
    return path


@pytest.mark.parametrize("links", [True, False])
def test_a_killed_fetch_leaves_whole_files_only(world, root, fetch, cache, run, library, tmp_path, links):
    """Whoever reads the cache takes all files in refs/ and snapshots/ for whole ones."""
    more = {} if links else {"HF_HUB_DISABLE_SYMLINKS": "1"}
    faulty = {**more, "LD_PRELOAD": str(library), "FAULT_CALLS": CHANGES, "FAULT_COUNT": str(tmp_path / "n")}
    (root / "models/org/small").mkdir()
    (root / "models/org/small/c.txt").write_bytes(b"c")
    fetch_small = lambda servers, **env: fetch(servers, "--as", "sae", "hf:org/small", **env)
    with world(root) as servers:
        fetch_small(servers, **faulty)
        good = {p.relative_to(cache) for p in cache.rglob("*")}
        n = int((tmp_path / "n").read_text())
        assert n > 10
        for at in range(1, n + 1):
            shutil.rmtree(cache)
            assert fetch_small(servers, **faulty, FAULT_AT=str(at), FAULT_KIND="kill").code == -signal.SIGKILL
            for path in cache.rglob("*"):
                if path.is_file() and {"refs", "snapshots"} & set(path.relative_to(cache).parts):
                    assert (path.name == "c.txt" and path.read_bytes() == b"c") or (path.name == "main" and len(path.read_bytes()) == 40), path
            fetch_small(servers, **more)
            run("cache", "prune", env={"HF_HUB_CACHE": str(cache)})
            found = {p.relative_to(cache) for p in cache.rglob("*")}
            assert good <= found, f"killed before change {at} of {n}"
            assert links or all(p.parts[-2] == "blobs" for p in found - good)  # content without a name goes after an hour
            assert not links or found == good
