"""Artifacts by name: what the store says, what must be checked, and where keys may go."""
import base64
import hashlib
import random
import shutil

import pytest

from artifacts import md5_base64
from conftest import ROOT
from helpers import assert_refused

SAE = random.Random(1).randbytes(200_000)
NAME = "wandb:ent/proj/sae"


@pytest.fixture
def folder(tmp_path):
    for name, data in {"v0/sae.pt": b"old", "v1/sae.pt": SAE, "v1/config.json": b"{}", "v1/more/empty.txt": b""}.items():
        path = tmp_path / "root/artifacts/ent/proj/sae" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "root"


@pytest.fixture
def fetch(run, world, folder, tmp_path):
    """fetch(name, scenario, **environment): the program's answer and the servers it spoke to."""
    def call(name=NAME, scenario=None, change=None, words=(), **environment):
        with world(folder, scenario or {}, of="store") as servers:
            if change:
                change(servers)
            env = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc"), "WANDB_CACHE_DIR": str(tmp_path / "cache"), "WANDB_API_KEY": "",
                   "WANDB_ARTIFACT_DIR": str(tmp_path / "out"), "SAESCOPE_NET_RETRY_SECONDS": "0.01", **servers.environment(), **environment}
            done = run("fetch", "--as", "sae", *words, name, env=env)
            done.requests = servers.requests
            return done
    return call


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_artifact_comes_with_all_its_files(fetch, tmp_path):
    done = fetch(NAME + ":latest")
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path}/out/sae:v1\n"
    assert files(tmp_path / "out") == {"sae:v1/sae.pt": SAE, "sae:v1/config.json": b"{}", "sae:v1/more/empty.txt": b""}
    digest = hashlib.md5(SAE).hexdigest()
    assert (tmp_path / "cache/artifacts/obj/md5" / digest[:2] / digest[2:]).read_bytes() == SAE
    assert not any(p.is_file() for p in (tmp_path / "cache/artifacts/tmp").rglob("*"))
    assert not [r for r in done.requests() if "authorization" in r.headers]


def test_what_is_there_is_not_fetched_again(fetch, tmp_path):
    assert fetch().code == 0
    again = fetch()
    assert again.code == 0 and [r.path for r in again.requests("storage")] == ["/bucket/manifest.json"]
    (tmp_path / "out/sae:v1/sae.pt").unlink()              # comes from the cache
    assert len(fetch().requests("storage")) == 1 and (tmp_path / "out/sae:v1/sae.pt").read_bytes() == SAE


def test_damage_on_disk_is_found_out(fetch, tmp_path):
    assert fetch().code == 0
    digest = hashlib.md5(SAE).hexdigest()
    for path in (tmp_path / "out/sae:v1/sae.pt", tmp_path / "cache/artifacts/obj/md5" / digest[:2] / digest[2:]):
        path.write_bytes(SAE[:-1] + b"!")
    done = fetch()
    assert done.code == 0 and [r.path for r in done.requests("storage")] == ["/bucket/manifest.json", "/bucket/sae.pt"]
    assert (tmp_path / "out/sae:v1/sae.pt").read_bytes() == SAE and path.read_bytes() == SAE


@pytest.mark.parametrize("scenario", [
    {"unknown_fields": ["artifactCollectionMembership"]},
    {"unknown_fields": ["artifactCollectionMembership", "state"], "unknown_status": 200},
    {"unknown_fields": ["artifact(id: $id) { files"]},
    {"page_size": 1},
    {"page_size": 2, "storage": {"uses": 1}},
], ids=["old", "older", "membership", "pages", "one-use"])
def test_servers_new_and_old(fetch, tmp_path, scenario):
    done = fetch(scenario=scenario)
    assert done.code == 0, done.err
    assert files(tmp_path / "out/sae:v1")["sae.pt"] == SAE


def test_files_without_a_signed_address_come_from_the_store(fetch, tmp_path):
    done = fetch(scenario={"unsigned": ["sae.pt"], "keys": ["k1"], "needs_key": True}, WANDB_API_KEY="k1")
    assert done.code == 0, done.err
    assert files(tmp_path / "out/sae:v1")["sae.pt"] == SAE
    asked = [r for r in done.requests("store", "GET")]
    assert len(asked) == 1 and asked[0].path.startswith("/artifactsV2/default/ent/proj/sae/")
    assert not [r for r in done.requests("storage") if "authorization" in r.headers]


# ---- keys ----


PRIVATE = {"keys": ["k1"], "artifacts": {"ent/proj/sae": {"private": True}}}


@pytest.mark.parametrize("scenario", [PRIVATE, {"keys": ["k1"], "needs_key": True}], ids=["null", "401"])
def test_a_key_is_used_only_when_needed_and_only_at_the_store(fetch, tmp_path, scenario):
    done = fetch(scenario=dict(scenario), WANDB_API_KEY="k1")
    assert done.code == 0, done.err
    sent = base64.b64encode(b"api:k1").decode()
    asked = [r.headers.get("authorization") for r in done.requests("store")]
    assert asked[0] is None and set(asked[1:]) == {f"Basic {sent}"}
    assert not [r for r in done.requests("storage") if "authorization" in r.headers or sent in r.target]
    open_done = fetch(scenario={"keys": ["k1"]}, WANDB_API_KEY="k1")
    assert open_done.code == 0 and not [r for r in open_done.requests() if "authorization" in r.headers]


def test_the_key_of_netrc(fetch, tmp_path):
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password no\nmachine 127.0.0.1\n  login user password k1\n")
    assert fetch(scenario=dict(PRIVATE)).code == 0
    (tmp_path / "netrc").rename(tmp_path / ".netrc")
    assert fetch(scenario=dict(PRIVATE), NETRC="").code == 0


def test_what_is_said_without_access(fetch):
    assert_refused(fetch(scenario=dict(PRIVATE)), 66, "ent/proj/sae:latest", "WANDB_API_KEY")
    assert_refused(fetch(scenario=dict(PRIVATE), WANDB_API_KEY="wrong"), 66, "does not accept the key")
    assert_refused(fetch(scenario={"needs_key": True}), 66, "wants a key", "WANDB_API_KEY")
    assert_refused(fetch("wandb:ent/proj/none:v1"), 66, "ent/proj/none:v1")
    assert_refused(fetch(NAME + ":v7"), 66, "sae:v7")


# ---- what is checked ----


def said(**facts):
    return {"artifacts": {"ent/proj/sae": facts}}


ENTRY = {"digest": md5_base64(b"old"), "size": 3}


@pytest.mark.parametrize("scenario,code,words", [
    (said(served={"sae.pt": base64.b64encode(SAE[::-1]).decode()}), 65, ["sae.pt", "hash", hashlib.md5(SAE).hexdigest()]),
    (said(served={"sae.pt": base64.b64encode(SAE[:-5]).decode()}), 65, ["sae.pt", "199995", "200000"]),
    (said(digest="0" * 32), 65, ["manifest", "0" * 32]),
    (said(state="PENDING"), 66, ["PENDING"]),
    (said(manifest={"../evil": ENTRY}), 65, ["../evil"]),
    (said(manifest={"/etc/evil": ENTRY}), 65, ["/etc/evil"]),
    (said(manifest={"a/../../evil": ENTRY}), 65, ["a/../../evil"]),
    (said(manifest={"sae.pt": {"digest": "nonsense"}}), 65, ["nonsense", "MD5"]),
    (said(manifest={"gone.pt": ENTRY}), 65, ["no URL for", "gone.pt"]),
    (said(manifest_head={"storagePolicy": "other"}), 65, ["other"]),
    (said(manifest_head={"version": 9}), 65, ["version 9"]),
    (said(manifest_head={"contents": []}), 65, ["contents"]),
    (said(refs={"x": {"digest": "tag", "ref": "s3://bucket/x"}}), 65, ["s3://bucket/x"]),
    (said(refs={"x": {"digest": "tag", "ref": "gs://bucket/x"}}), 65, ["gs://bucket/x"]),
    (said(refs={"x": {"digest": "tag", "ref": "file:///etc/passwd"}}), 65, ["file:///etc/passwd"]),
    ({"storage": {"uses": 0}}, 66, ["403"]),
], ids=lambda value: None if not isinstance(value, list) else value[0].replace("/", "_"))
def test_what_is_wrong_is_refused(fetch, tmp_path, scenario, code, words):
    done = fetch(scenario=scenario)
    assert_refused(done, code, *words)
    kept = {p.read_bytes() for p in [*(tmp_path / "out").rglob("*"), *(tmp_path / "cache").rglob("*")] if p.is_file()}
    assert kept <= {b"", b"{}", SAE, b"old"}, "wrong bytes were kept"
    assert not list(tmp_path.rglob("evil")) and "Signature" not in done.err


@pytest.mark.parametrize("name", ["wandb:", "wandb:sae", "wandb:proj/sae:v0", "wandb:a/b/c/d:v0", "wandb:a/b/..:v0"])
def test_names_that_are_none(fetch, name):
    assert_refused(fetch(name), 64, name, "wandb:ENTITY/PROJECT/NAME:ALIAS")


# ---- references ----


def reference(version, path):
    return f"wandb-artifact://{f'Artifact:ent/proj/sae:{version}'.encode().hex()}/{path}"


def test_references_to_another_artifact(fetch, folder, tmp_path):
    def change(servers):
        servers.scenario["artifacts"] = {"ent/proj/user": {"refs": {"model/sae.pt": {"digest": md5_base64(SAE), "size": 0,
                                                                                  "ref": reference("v1", "sae.pt")}}}}
    (folder / "artifacts/ent/proj/user/v0").mkdir(parents=True)
    done = fetch("wandb:ent/proj/user:v0", change=change)
    assert done.code == 0, done.err
    assert files(tmp_path / "out/user:v0") == {"model/sae.pt": SAE}
    again = fetch("wandb:ent/proj/user:v0", change=change)
    assert again.code == 0 and len(again.requests("storage")) == 1


def test_references_in_a_circle_or_to_nothing(fetch, folder):
    entry = {"digest": md5_base64(b"x"), "size": 1}
    circle = said(refs={"x": {**entry, "ref": reference("v1", "x")}})
    assert_refused(fetch(NAME + ":v1", scenario=circle), 65, "on and on")
    nothing = said(refs={"x": {**entry, "ref": reference("v1", "none")}})
    assert_refused(fetch(NAME + ":v1", scenario=nothing), 65, "none")
    absent = said(refs={"x": {**entry, "ref": reference("v9", "x")}})
    assert_refused(fetch(NAME + ":v1", scenario=absent), 66, "refers to")
    assert_refused(fetch(NAME + ":v1", scenario=said(refs={"x": {**entry, "ref": "wandb-artifact://zz/x"}})), 65, "wandb-artifact://zz/x")


def test_references_to_plain_files(fetch, folder, tmp_path):
    (folder / "web").mkdir()
    (folder / "web/page.txt").write_bytes(b"page")

    def point(**more):
        def change(servers):
            facts = {"digest": "tag", "size": 4, "ref": servers.url("web") + "/page.txt", **more}
            servers.scenario.update(said(refs={"page.txt": facts}), keys=["k1"], needs_key=True)
        return change
    done = fetch(change=point(), WANDB_API_KEY="k1")
    assert done.code == 0, done.err
    assert files(tmp_path / "out/sae:v1")["page.txt"] == b"page"
    assert not [r for r in done.requests("web") if "authorization" in r.headers]
    assert_refused(fetch(change=point(extra={"etag": '"other"'}), WANDB_API_KEY="k1"), 65, "has changed")
    assert_refused(fetch(change=point(size=3), WANDB_API_KEY="k1"), 65, "page.txt")


# ---- as a place of an SAE ----


def test_an_artifact_that_lies_here_is_a_path(run, fetch, tmp_path):
    assert fetch().code == 0
    done = run("fetch", "--as", "sae", tmp_path / "out/sae:v1", env={"WANDB_BASE_URL": "http://no-such-host.invalid"})
    assert done.code == 0 and done.out.strip() == str(tmp_path / "out/sae:v1")


def test_a_name_means_what_it_meant_where_the_store_is_away(fetch, tmp_path):
    assert_refused(fetch(SAESCOPE_OFFLINE="1"), 69, "SAESCOPE_OFFLINE")
    assert fetch().code == 0
    for away in ({"SAESCOPE_OFFLINE": "1"}, {"WANDB_BASE_URL": "http://no-such-host.invalid"}):
        done = fetch(**away)
        assert done.code == 0 and done.out == f"{tmp_path}/out/sae:v1\n" and "as it was last time" in done.err, done.err
        assert done.requests() == []
    (tmp_path / "out/sae:v1/sae.pt").unlink()                      # the cache has it
    assert fetch(SAESCOPE_OFFLINE="1").code == 0 and (tmp_path / "out/sae:v1/sae.pt").read_bytes() == SAE
    digest = hashlib.md5(SAE).hexdigest()
    (tmp_path / "cache/artifacts/obj/md5" / digest[:2] / digest[2:]).unlink()
    (tmp_path / "out/sae:v1/sae.pt").unlink()
    assert fetch(SAESCOPE_OFFLINE="1").code == 69
    assert_refused(fetch(NAME + ":v0", SAESCOPE_OFFLINE="1"), 69, "SAESCOPE_OFFLINE")


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"id": "x", "digest": "y", "type": "z", "version": 1, "manifest": {}}',
                                    b'{"id": "x", "digest": "y", "type": "z", "version": -1, "manifest": {}}'])
def test_a_damaged_record_is_no_answer(fetch, tmp_path, damage):
    assert fetch().code == 0
    (tmp_path / "cache/artifacts/saescope/ent/proj/sae/latest.json").write_bytes(damage)
    assert fetch(SAESCOPE_OFFLINE="1").code == 65
    assert fetch().code == 0 and fetch(SAESCOPE_OFFLINE="1").code == 0


def test_an_address_of_the_store_that_is_none(fetch):
    assert_refused(fetch(WANDB_BASE_URL="ftp://x"), 64, "WANDB_BASE_URL")


def test_an_sae_is_analysed_by_its_name(run, world, folder, tmp_path):
    """The project's own tiny model and SAE: what a name gives is what the folder gives."""
    model, sae = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/sae/good/topk-norm"
    shutil.copytree(sae, folder / "artifacts/ent/proj/tiny/v3")
    rows = tmp_path / "rows.txt"
    rows.write_text("Stars form in cold clouds.\nA galaxy is bright.\n")
    env = {"HOME": str(tmp_path), "WANDB_CACHE_DIR": str(tmp_path / "cache"), "WANDB_ARTIFACT_DIR": str(tmp_path / "out")}
    with world(folder, of="store") as servers:
        for i, place in enumerate([sae, "wandb:ent/proj/tiny:latest"]):
            done = run("analyze", "-m", model, "-s", place, "-d", rows, "-o", tmp_path / f"run{i}", "-q", env={**env, **servers.environment()})
            assert done.code == 0, done.err
    assert (tmp_path / "run0/fire_rate.npy").read_bytes() == (tmp_path / "run1/fire_rate.npy").read_bytes()
    assert "wandb:ent/proj/tiny" in (tmp_path / "run1/run.json").read_text()


# What xxhash 4.1.0 of Python gives for the two files and for the manifest's text.
XXH128 = {"config.json": "3HBI+Ph0f1YTSc3hJ3BcFg==", "sae.pt": "G8v8G+kMGzAPPKB6jMi/QA=="}
XXH128_DIGEST, XXH128_HEX = "ec74d381bddf50ac3b5e088a634880ef", "1bcbfc1be90c1b300f3ca07a8cc8bf40"


@pytest.fixture
def xxh(folder):
    """The scenario of an artifact whose digests are XXH128."""
    for name, data in {"sae.pt": b"old", "config.json": b"{}"}.items():
        path = folder / "artifacts/ent/proj/xxh/v0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {"manifest": {path: {"digest": digest, "extra": {"alg": "XXH128"}} for path, digest in XXH128.items()}, "digest": XXH128_DIGEST}


def test_an_artifact_by_xxh128(fetch, xxh, tmp_path):
    name, scenario = "wandb:ent/proj/xxh:v0", {"artifacts": {"ent/proj/xxh": xxh}}
    done = fetch(name, scenario)
    assert done.code == 0, done.err
    assert files(tmp_path / "out") == {"xxh:v0/sae.pt": b"old", "xxh:v0/config.json": b"{}"}
    cached = tmp_path / "cache/artifacts/obj/xxh128" / XXH128_HEX[:2] / XXH128_HEX[2:]
    assert cached.read_bytes() == b"old" and not (tmp_path / "cache/artifacts/obj/md5").exists()
    for path in (cached, tmp_path / "out/xxh:v0/sae.pt"):  # damage on disk is found out by the same hash
        path.write_bytes(b"odd")
    done = fetch(name, scenario)
    assert done.code == 0 and (tmp_path / "out/xxh:v0/sae.pt").read_bytes() == b"old"


def test_damage_under_xxh128_is_refused(fetch, xxh, folder, tmp_path):
    (folder / "artifacts/ent/proj/xxh/v0/sae.pt").write_bytes(b"odd")
    assert_refused(fetch("wandb:ent/proj/xxh:v0", {"artifacts": {"ent/proj/xxh": xxh}}), 65, "sae.pt", XXH128_HEX)
    assert not (tmp_path / "out/xxh:v0/sae.pt").exists()


def test_other_digests_of_manifests_are_refused(fetch, xxh):
    xxh["digest"] = "0" * 32
    assert_refused(fetch("wandb:ent/proj/xxh:v0", {"artifacts": {"ent/proj/xxh": xxh}}), 65, XXH128_DIGEST, "XXH128", "damaged")
    xxh["manifest"]["sae.pt"]["extra"] = {"alg": "BLAKE3"}
    assert_refused(fetch("wandb:ent/proj/xxh:v0", {"artifacts": {"ent/proj/xxh": xxh}}), 65, "'BLAKE3'", "XXH128")


@pytest.mark.parametrize("name", ["my artifact", "my artifact 🙀", "säe", "sae+k=16, final", "50% #1 & ?x=y", "Finetuned SAE-3.2", ".hidden",
                                  "a\\b", "'q' \"r\" $HOME `x`"])
@pytest.mark.parametrize("signed", [True, False])
def test_names_of_any_characters(fetch, folder, tmp_path, name, signed):
    path = folder / "artifacts/org/proj" / name / "v0/sae.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"data")
    done = fetch(f"wandb:org/proj/{name}:v0", {} if signed else {"unsigned": ["sae.pt"]})
    assert done.code == 0, done.err
    assert files(tmp_path / "out") == {f"{name}:v0/sae.pt": b"data"}
