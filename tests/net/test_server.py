"""The scripted servers themselves: what they say is what the protocols say, and every fault happens at every moment."""
import base64
import hashlib
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest

from artifacts import digest_of, md5_base64
from faults import FAULTS, LISTED, MOMENTS
from world import World, make_certificate

BIG = bytes(range(256)) * 256


@pytest.fixture
def folder(tmp_path):
    for name, data in {"models/org/m/config.json": b"{}", "models/org/m/model.safetensors": BIG, "models/org/m/1_Pooling/config.json": b"{ }",
                       "datasets/org/d/data/train.parquet": b"PAR1", "web/a.txt": b"plain",
                       "datasets/org/d@refs%2Fconvert%2Fparquet/default/partial-train/0000.parquet": b"PAR1PAR1",
                       "artifacts/ent/proj/sae/v0/sae.pt": b"old", "artifacts/ent/proj/sae/v1/sae.pt": BIG,
                       "artifacts/ent/proj/sae/v1/config.json": b"{}"}.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "root"


def talk(url, method="GET", headers=(), body=None, timeout=5):
    """One request without following redirects: status, headers in lower case, body."""
    parts = urllib.parse.urlsplit(url)
    client = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    client.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers))
    answer = client.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def test_large_files_come_from_the_cdn_in_ranges(folder):
    with World(folder) as world:
        place = world.url("hub") + "/org/m/resolve/main/model.safetensors"
        status, headers, _ = talk(place, "HEAD")
        assert status == 302 and headers["x-linked-etag"] == f'"{hashlib.sha256(BIG).hexdigest()}"'
        assert headers["x-linked-size"] == str(len(BIG)) and len(headers["x-repo-commit"]) == 40
        assert headers["location"].startswith(world.url("cdn"))
        assert talk(headers["location"])[2] == BIG
        status, more, body = talk(headers["location"], headers={"Range": "bytes=100-"})
        assert status == 206 and body == BIG[100:] and more["content-range"] == f"bytes 100-{len(BIG) - 1}/{len(BIG)}"
        assert talk(headers["location"], headers={"Range": f"bytes={len(BIG)}-"})[0] == 416
        assert talk(headers["location"] + "0")[0] == 403
        assert [r.status for r in world.requests("cdn")] == [200, 206, 416, 403]


def test_small_files_repositories_and_tokens(folder):
    scenario = {"repos": {"models/org/old": {"renamed_to": "org/m"}, "models/org/m": {"gated": "manual"}}, "tokens": {"hf_a": ["models/org/m"], "hf_b": []}}
    with World(folder, scenario) as world:
        place = world.url("hub") + "/org/m/resolve/main/config.json"
        a, b = [("Authorization", f"Bearer hf_{x}") for x in "ab"]
        assert [talk(place)[0], talk(place, headers=[a])[0], talk(place, headers=[b])[0]] == [401, 200, 403]
        assert talk(place)[1]["x-error-code"] == "GatedRepo"
        status, headers, _ = talk(place, headers=[("Authorization", "Bearer nonsense")])
        assert status == 401 and headers["x-error-message"].startswith("Invalid credentials")
        status, headers, _ = talk(world.url("hub") + "/org/old/resolve/main/config.json")
        assert status == 307 and headers["location"] == "/org/m/resolve/main/config.json"
        etag = talk(place, headers=[a])[1]["etag"]
        assert etag == f'W/"{hashlib.sha1(b"blob 2" + bytes(1) + b"{}").hexdigest()}"'
        missing = {"/org/none/resolve/main/x": "RepoNotFound", "/org/m/resolve/v9/x": "RevisionNotFound", "/org/m/resolve/main/x": "EntryNotFound"}
        for path, code in missing.items():
            status, headers, _ = talk(world.url("hub") + path, headers=[a])
            assert status == 404 and headers["x-error-code"] == code


def test_the_tree_has_pages_and_limits_are_kept(folder):
    with World(folder, {"page_size": 2, "limit": {"free": 1, "refuse": 1, "wait_s": 3, "style": "ratelimit"}}) as world:
        place = world.url("hub") + "/api/models/org/m/tree/main?recursive=true"
        names, n_pages = [], 0
        while place:
            status, headers, body = talk(place)
            if status == 429:
                assert headers["ratelimit"] == '"resolvers";r=0;t=3'
                continue
            names += [(e["type"], e["path"]) for e in json.loads(body)]
            place = headers["link"].split(">")[0][1:] if "link" in headers else None
            n_pages += 1
        assert names == [("directory", "1_Pooling"), ("file", "1_Pooling/config.json"), ("file", "config.json"), ("file", "model.safetensors")]
        assert n_pages == 2 and 429 in [r.status for r in world.log]


def test_datasets_and_their_parquet(folder):
    with World(folder) as world:
        hub = world.url("hub")
        entries = json.loads(talk(hub + "/api/datasets/org/d/tree/main?recursive=true")[2])
        assert [e["path"] for e in entries] == ["data", "data/train.parquet"] and entries[1]["lfs"]["size"] == 4
        made = json.loads(talk(hub + "/parquet?dataset=org/d")[2])
        assert made["partial"] and made["parquet_files"][0]["split"] == "partial-train"
        status, headers, _ = talk(made["parquet_files"][0]["url"])
        assert status == 302 and talk(headers["location"])[2] == b"PAR1PAR1"
        assert json.loads(talk(hub + "/api/datasets/org/d/parquet")[2]) == {"default": {"partial-train": [made["parquet_files"][0]["url"]]}}


def ask(world, query, variables, key=None):
    headers = [("Content-Type", "application/json")]
    if key:
        headers.append(("Authorization", "Basic " + base64.b64encode(f"api:{key}".encode()).decode()))
    status, _, body = talk(world.url("store") + "/graphql", "POST", headers, json.dumps({"query": query, "variables": variables}))
    return status, json.loads(body)


def test_artifacts(folder):
    scenario = {"keys": ["k"], "page_size": 1, "artifacts": {"ent/proj/sae": {"private": True}}}
    query = "query { project(name: $p, entityName: $e) { artifactCollectionMembership(name: $name) { versionIndex artifact { id } } } }"
    names = {"entityName": "ent", "projectName": "proj", "name": "sae:latest"}
    with World(folder, scenario, of="store") as world:
        assert ask(world, query, names)[1] == {"data": {"project": {"artifactCollectionMembership": None}}}
        assert ask(world, query, names, "wrong")[0] == 401
        found = ask(world, query, names, "k")[1]["data"]["project"]["artifactCollectionMembership"]
        artifact = found["artifact"]
        place = ask(world, "{ artifact(id: $id) { currentManifest { file { directUrl } } } }", {"id": artifact["id"]}, "k")[1]
        manifest = json.loads(talk(place["data"]["artifact"]["currentManifest"]["file"]["directUrl"])[2])
        assert found["versionIndex"] == 1 and manifest["contents"]["sae.pt"]["digest"] == md5_base64(BIG)
        assert artifact["digest"] == digest_of(manifest["contents"])
        pages = [ask(world, "{ artifact(id: $id) { files(after: $after, first: 9) } }", {"id": artifact["id"], "after": after}, "k")[1]["data"]["artifact"]["files"]
                 for after in (None, "1")]
        assert [p["edges"][0]["node"]["name"] for p in pages] == ["config.json", "sae.pt"] and pages[0]["pageInfo"]["hasNextPage"]
        assert not pages[1]["pageInfo"]["hasNextPage"] and talk(pages[1]["edges"][0]["node"]["directUrl"])[2] == BIG


def test_https(folder, tmp_path):
    certificate = make_certificate(tmp_path)
    with World(folder, certificate=certificate) as world:
        context = ssl.create_default_context(cafile=f"{certificate}.crt")
        assert urllib.request.urlopen(world.url("web") + "/a.txt", context=context).read() == b"plain"
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(world.url("web") + "/a.txt")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", list(FAULTS))
def test_every_fault_happens_at_every_moment(folder, fault, moment):
    """A plain client walks the conversation of a download until the fault has acted."""
    assert len(LISTED) == 32
    path = folder / "models/org/m/model.safetensors"
    with World(folder) as world:
        script = world.play(fault, moment, 1, change=path)
        begin = world.endpoint("hub") + "/org/m/resolve/main/model.safetensors"

        def walk():
            for headers in ({}, {"Range": "bytes=100-"}, {}):
                try:
                    place = talk(begin, "HEAD", timeout=0.1)[1]["location"]
                    talk(place, headers=headers, timeout=0.1)
                    talk(place, headers={"Range": "bytes=100-"}, timeout=0.1)
                except (OSError, http.client.HTTPException, KeyError, ValueError, OverflowError):
                    pass
        walk()
        assert script.n_acts == 1
