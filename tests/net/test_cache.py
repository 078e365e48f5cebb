"""saescope cache: ls, verify, prune, on caches with everything that is found in them."""
import fcntl
import hashlib
import json
import os
import time
from pathlib import Path

import pytest

OLD = time.time() - 7200
COMMIT, OTHER = "a" * 40, "b" * 40


def put(path, data=b"", age=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if age:
        os.utime(path, (OLD, OLD))
    return path


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    os.utime(path, (OLD, OLD), follow_symlinks=False)
    return path


def git_blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def cache(tmp_path):
    """Two repositories: one as usual with some of it broken, one of the shared store of newer clients."""
    top = tmp_path / "cache"
    repo = top / "models--org--m"
    put(top / "CACHEDIR.TAG", b"Signature")
    put(repo / "refs/main", COMMIT.encode())
    put(repo / "refs/refs/pr/1", COMMIT.encode())
    for name, data, path in ((git_blob(b"{}"), b"{}", "config.json"), (hashlib.sha256(b"weights").hexdigest(), b"weights", "deep/er/model.safetensors")):
        put(repo / "blobs" / name, data)
        link(repo / "snapshots" / COMMIT / path, "../" * path.count("/") + f"../../blobs/{name}")
    shared = put(top / "blobs/ab/xethash", b"shared rows")
    put(top / "blobs/.huggingface-shared-blobs", b"1\n")
    data = top / "datasets--org--d"
    etag = hashlib.sha256(b"shared rows").hexdigest()
    link(data / "blobs" / etag, f"../../blobs/ab/{shared.name}")
    link(data / "snapshots" / OTHER / "rows.jsonl", f"../../blobs/{etag}")
    put(data / "snapshots" / OTHER / "plain.txt", b"a file of a cache without links")
    put(data / "refs/main", OTHER.encode())
    return top


@pytest.fixture
def call(run, cache):
    return lambda *words, **env: run("cache", *words, env={"HF_HUB_CACHE": str(cache), **env})


def every(cache):
    return {p.relative_to(cache).as_posix() for p in cache.rglob("*") if p.is_symlink() or p.is_file()}


def test_ls(call, cache, run, tmp_path):
    rows = [json.loads(line) for line in call("ls", "--json").out.splitlines()]
    assert [(r["kind"], r["id"], r["bytes"], r["files"], r["revisions"], r["refs"]) for r in rows] == [
        ("model", "org/m", 9, 2, 1, "main, refs/pr/1"), ("dataset", "org/d", 31, 2, 1, "main")]
    result = call("ls")
    assert result.code == 0 and "org/m" in result.out and "2 repositories" in result.err
    empty = run("cache", "ls", env={"HF_HUB_CACHE": str(tmp_path / "none")})
    assert (empty.code, empty.out) == (0, "")


def test_verify_finds_what_is_wrong(call, cache):
    result = call("verify")
    assert result.code == 0 and "3 files checked, 1 without" in result.err
    blob = next(p for p in (cache / "models--org--m/blobs").iterdir() if len(p.name) == 64)
    blob.write_bytes(b"weighty")
    link(cache / "models--org--m/snapshots" / COMMIT / "gone.txt", "../../blobs/" + "c" * 40)
    (cache / "blobs/ab/xethash").write_bytes(b"SHARED rows")
    before = every(cache)
    result = call("verify")
    assert result.code == 65 and len(result.out.splitlines()) == 3
    assert str(blob) in result.out and "gone.txt" in result.out and "datasets--org--d/blobs" in result.out
    assert every(cache) == before
    found = [json.loads(line) for line in call("verify", "--json").out.splitlines()]
    assert {f["bytes"] for f in found} == {0, 7}


def test_prune_takes_what_nobody_can_use_and_nothing_else(call, cache):
    before = every(cache)
    assert call("prune").err == "0 removed, 0 B freed\n" and every(cache) == before
    repo = cache / "models--org--m"
    goes = [put(repo / "blobs" / ("d" * 40), b"x" * 100), put(repo / "blobs" / ("e" * 64 + ".saescope-part"), b"y" * 50, age=False),
            put(repo / "blobs" / ("f" * 64 + ".0a1b2c3d.incomplete"), b"z" * 25), put(repo / "refs/main.0a1b2c3d.tmp", COMMIT.encode()),
            link(repo / "snapshots" / OTHER / "sub/x.txt", "../../../blobs/" + "0" * 40),
            link(cache / "datasets--org--d/blobs" / ("1" * 64), "../../blobs/ab/nothing")]
    stays = [put(repo / "blobs" / ("2" * 40), b"new", age=False), put(repo / "blobs" / ("3" * 64 + ".incomplete"), b"new", age=False)]
    dry = call("prune", "--dry-run")
    assert dry.code == 0 and "6 would be removed, 215 B would be freed" in dry.err and len(dry.out.splitlines()) == 6
    assert all(p.is_symlink() or p.exists() for p in goes)
    result = call("prune")
    assert result.code == 0 and "6 removed, 215 B freed" in result.err
    assert every(cache) == before | {p.relative_to(cache).as_posix() for p in stays}
    assert not (repo / "snapshots" / OTHER).exists() and (repo / "snapshots" / COMMIT).exists()


def test_prune_leaves_what_another_program_holds(call, cache):
    repo = cache / "models--org--m"
    part = put(repo / "blobs" / ("e" * 64 + ".saescope-part"), b"y")
    blob = put(repo / "blobs" / ("d" * 40), b"x")
    lock = put(cache / ".locks/models--org--m" / ("d" * 40 + ".lock"))
    with open(part) as held, open(lock) as held_too:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.flock(held_too, fcntl.LOCK_EX)
        assert "0 removed" in call("prune").err and part.exists() and blob.exists()
    assert "2 removed" in call("prune").err and not part.exists() and not blob.exists()


def test_prune_goes_through_no_link(call, cache, tmp_path):
    """Folders that are links: what they lead to stays, and so do blobs whose names may lie there."""
    repo = cache / "models--org--m"
    elsewhere = tmp_path / "elsewhere"
    os.rename(repo / "snapshots" / COMMIT, elsewhere)
    link(repo / "snapshots" / COMMIT, elsewhere)
    os.rename(cache / "datasets--org--d", tmp_path / "moved")
    link(cache / "datasets--org--d", tmp_path / "moved")
    put(tmp_path / "moved/blobs" / ("d" * 40), b"x")
    before, other = every(cache), every(tmp_path / "moved")
    assert "0 removed" in call("prune").err
    assert every(cache) == before and every(tmp_path / "moved") == other


def test_words(call):
    assert call("shrink").code == 64 and call().code == 64
    assert Path(call("ls").err.split(": ")[-1].strip()).name == "cache"


def test_a_damaged_blob_is_fetched_again_once_it_is_deleted(world, tmp_path, run):
    put(tmp_path / "hub/models/org/m/config.json", b"{}")
    put(tmp_path / "hub/models/org/m/model.safetensors", b"right")
    with world(tmp_path / "hub") as servers:
        env = {"HF_HUB_CACHE": str(tmp_path / "c"), **servers.environment()}
        assert run("fetch", "org/m", env=env).code == 0
        blob = next(p for p in (tmp_path / "c").rglob("blobs/*") if len(p.name) == 64)
        blob.write_bytes(b"wrong")
        result = run("cache", "verify", env=env)
        assert result.code == 65
        Path(result.out.split(": ")[0]).unlink()
        assert run("fetch", "org/m", env=env).code == 0 and run("cache", "verify", env=env).code == 0


def test_files_under_way_go_with_their_writers(call, cache):
    """A file of a random name is held by its writer as long as that lives; beside blobs and in .locks, where they are made."""
    name = ".saescope-0123456789abcdef.tmp"
    places = [put(folder / name, b"x", age=False) for folder in
              (cache, cache / ".locks", cache / "models--org--m/refs", cache / "models--org--m/blobs", cache / "models--org--m/snapshots" / COMMIT)]
    others = [put(cache / ".locks" / other, b"x", age=False) for other in (".saescope-notes.tmp", "0123456789abcdef.tmp", ".saescope-0123456789abcdef")]
    call("prune", "--dry-run")
    assert all(place.exists() for place in places)
    held = [open(place) for place in places]
    for file in held:
        fcntl.flock(file, fcntl.LOCK_EX)
    assert "0 removed" in call("prune").err and all(place.exists() for place in places)
    for file in held:
        file.close()
    assert call("prune").code == 0 and not any(place.exists() for place in places) and all(other.exists() for other in others)


@pytest.mark.parametrize("content", [b"", b"main", b"a" * 39, b"A" * 40, b"g" * 40, b"a" * 41])
def test_verify_names_a_ref_without_a_commit(call, cache, content):
    """The hub's client counts the whole repository as corrupted because of it."""
    ref = put(cache / "models--org--m/refs/main.4711.tmp", content, age=False)
    result = call("verify")
    assert result.code == 65 and str(ref) in result.out and len(result.out.splitlines()) == 1
    ref.write_bytes(COMMIT.encode() + b"\n")
    assert call("verify").code == 0
