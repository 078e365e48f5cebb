"""The cache is the hub's Python client's too: what it leaves is used, and what saescope writes it reads.

What it leaves was written down by tools/make_hub_cache.py; where the client itself is installed, it takes part.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

MADE = json.loads((ROOT / "tests/data/net/hub_cache.json").read_text())
FILES, ID, FOLDER = MADE["files"], "org/dummy", "models--org--dummy"


def lay_out(cache, entries):
    for name, entry in entries.items():
        path = cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "link" in entry:
            path.symlink_to(entry["link"])
        else:
            path.write_text(entry["text"])


def describe(folder):
    return {p.relative_to(folder).as_posix(): os.readlink(p) if p.is_symlink() else p.read_text()
            for p in folder.rglob("*") if p.is_symlink() or p.is_file()}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "hub/models" / ID / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "hub"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.mark.parametrize("kind", MADE["caches"])
def test_what_the_client_left_is_used(kind, world, root, cache, run):
    lay_out(cache, MADE["caches"][kind])
    before = describe(cache)
    env = {"HF_HUB_CACHE": str(cache)}
    for words in ([ID], [f"{ID}@refs/pr/1"], ["--as", "sae", f"hf:{ID}"]):
        result = run("fetch", "--offline", *words, env=env)
        assert result.code == 0, result.err
        snapshot = Path(result.out.strip())
        assert {name: (snapshot / name).read_text() for name in FILES} == FILES
    with world(root, {"repos": {f"models/{ID}": {"commit": snapshot.name, "refs": ["refs/pr/1"]}}}) as servers:
        assert run("fetch", ID, env={**env, **servers.environment()}).out == f"{snapshot}\n"
        assert not servers.requests("hub", "GET") and not servers.requests("cdn")
        assert not [r for r in servers.log if r.path.endswith("added_tokens.json")]     # known not to exist
    new = {k: v for k, v in describe(cache).items() if k not in before}
    assert all("/.no_exist/" in name for name in new) and {k: v for k, v in describe(cache).items() if k in before} == before
    assert run("cache", "verify", env=env).code == 0
    assert "0 removed" in run("cache", "prune", env=env).err


def test_the_layout_is_the_same_file_by_file(world, root, cache, run):
    """All that both write has the same names, links and bytes; only the client keeps listings of trees."""
    commit = MADE["caches"]["links"][f"{FOLDER}/refs/main"]["text"]
    for kind, env in (("links", {}), ("no_links", {"HF_HUB_DISABLE_SYMLINKS": "1"})):
        own = cache / kind
        with world(root, {"repos": {f"models/{ID}": {"commit": commit, "refs": ["refs/pr/1"]}}}) as servers:
            for words in (["--as", "sae", f"hf:{ID}"], [f"hf:{ID}@refs/pr/1"]):
                result = run("fetch", *words, env={"HF_HUB_CACHE": str(own), **servers.environment(), **env})
                assert result.code == 0, result.err
        expected = {name: entry.get("link", entry.get("text")) for name, entry in MADE["caches"][kind].items()
                    if "/trees/" not in name and "/.no_exist/" not in name and name != "CACHEDIR.TAG"}
        found = {name: text for name, text in describe(own).items() if "/.no_exist/" not in name and name != "CACHEDIR.TAG"}
        assert found == expected


# ---- with the client itself ----

@pytest.fixture
def client(cache):
    """Run a program with the client of this interpreter; the value it prints as JSON."""
    pytest.importorskip("huggingface_hub", reason="the hub's Python client is not installed")

    def call(program, **env):
        environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_TOKEN": "", **env}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
    return call


READ = f"""
import json
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache, _CACHED_NO_EXIST
path = snapshot_download({ID!r}, local_files_only=True)
files = {{name: open(hf_hub_download({ID!r}, name)).read() for name in {list(FILES)!r}}}
info = scan_cache_dir()
print(json.dumps({{"path": path, "files": files, "absent": try_to_load_from_cache({ID!r}, "added_tokens.json") is _CACHED_NO_EXIST,
                  "warnings": [str(w) for w in info.warnings], "repos": [r.repo_id for r in info.repos]}}))
"""


@pytest.mark.parametrize("env", [{}, {"HF_HUB_DISABLE_SYMLINKS": "1"}])
def test_the_client_reads_what_we_wrote(world, root, cache, run, client, env):
    with world(root) as servers:
        result = run("fetch", ID, env={"HF_HUB_CACHE": str(cache), **servers.environment(), **env})
    assert result.code == 0, result.err
    seen = client(READ, HF_HUB_OFFLINE="1", **env)
    assert seen == {"path": result.out.strip(), "files": FILES, "absent": True, "warnings": [], "repos": [ID]}


def test_the_client_downloads_nothing_again(world, root, cache, run, client):
    with world(root) as servers:
        assert run("fetch", ID, env={"HF_HUB_CACHE": str(cache), **servers.environment()}).code == 0
        before = len(servers.requests("cdn"))
        client("import json; from huggingface_hub import snapshot_download; print(json.dumps(snapshot_download('org/dummy')))",
               **servers.environment())
        assert len(servers.requests("cdn")) == before


def test_we_read_what_the_client_wrote(world, root, cache, run, client):
    with world(root) as servers:
        path = client("import json; from huggingface_hub import snapshot_download; print(json.dumps(snapshot_download('org/dummy')))",
                      **servers.environment())
        before = len(servers.log)
        result = run("fetch", ID, env={"HF_HUB_CACHE": str(cache), **servers.environment()})
        assert result.out == f"{path}\n" and not [r for r in servers.log[before:] if r.method == "GET"]
    assert run("fetch", "--offline", ID, env={"HF_HUB_CACHE": str(cache)}).out == f"{path}\n"
