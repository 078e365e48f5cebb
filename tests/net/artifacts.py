"""The artifact store, played from a folder of files: GraphQL on one origin, presigned addresses on another.

ROOT/artifacts/ENTITY/PROJECT/NAME/v0/…   files of a version; `latest` is the highest

`scenario["artifacts"]["ENTITY/PROJECT/NAME"]` may say: type, state, aliases {name: version}, private, refs {path: entry},
digest (a false one), manifest (changes to entries, None takes one out), served {path: other bytes in base64}.
"""
import base64
import hashlib
import json
import time
import urllib.parse

from hub import files_below
from wire import Answer, Part, ranged


def md5_base64(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def digest_of(contents):
    """The digest of a manifest: every file's path and digest, by path."""
    text = "wandb-artifact-manifest-v1\n" + "".join(f"{path}:{contents[path]['digest']}\n" for path in sorted(contents))
    return hashlib.md5(text.encode()).hexdigest()


class Version:
    """One version of an artifact: its folder and what the scenario says of it."""

    def __init__(self, store, full_name, version):
        self.store, self.full_name, self.version = store, full_name, version
        self.folder = store.world.root / "artifacts" / full_name / version
        self.facts = store.world.scenario.get("artifacts", {}).get(full_name, {})

    @property
    def id(self):
        return base64.b64encode(f"Artifact:{self.full_name}:{self.version}".encode()).decode()

    def contents(self):
        entries = {}
        for name in files_below(self.folder):
            data = (self.folder / name).read_bytes()
            entries[name] = {"digest": md5_base64(data), "size": len(data), "birthArtifactID": self.id}
        entries.update(self.facts.get("refs", {}))
        return entries

    def manifest(self):
        contents = self.contents()
        for name, change in self.facts.get("manifest", {}).items():
            if change is None:
                contents.pop(name, None)
            else:
                contents[name] = {**contents.get(name, {}), **change}
        return {"version": 1, "storagePolicy": "wandb-storage-policy-v1", "storagePolicyConfig": {"storageLayout": "V2"},
                "contents": contents, **self.facts.get("manifest_head", {})}

    def digest(self):
        return self.facts.get("digest") or digest_of(self.manifest()["contents"])

    def node(self):
        entity, project, name = self.full_name.split("/")
        return {"id": self.id, "state": self.facts.get("state", "COMMITTED"), "digest": self.digest(), "size": 0,
                "artifactType": {"name": self.facts.get("type", "model")}, "versionIndex": int(self.version[1:]),
                "artifactSequence": {"name": name, "project": {"name": project, "entity": {"name": entity}}}}


class Store:
    def __init__(self, world):
        self.world, self.signed = world, {}

    # ---- what there is ----

    def find(self, full_name, alias):
        base = self.world.root / "artifacts" / full_name
        facts = self.world.scenario.get("artifacts", {}).get(full_name, {})
        versions = sorted((p.name for p in base.glob("v*")), key=lambda v: int(v[1:])) if base.is_dir() else []
        wanted = facts.get("aliases", {}).get(alias, versions[-1] if alias == "latest" and versions else alias)
        return Version(self, full_name, wanted) if wanted in versions else None

    def find_id(self, wanted):
        for folder in (self.world.root / "artifacts").glob("*/*/*/v*"):
            version = Version(self, folder.parent.relative_to(self.world.root / "artifacts").as_posix(), folder.name)
            if version.id == wanted:
                return version
        return None

    def may_see(self, request, version):
        return not version.facts.get("private") or self.key_of(request) in self.world.scenario.get("keys", [])

    @staticmethod
    def key_of(request):
        """The key that was sent; None where there is none."""
        sent = request.headers.get("authorization", "")
        if not sent.startswith("Basic "):
            return None
        user, _, key = base64.b64decode(sent[len("Basic "):]).decode().partition(":")
        return key if user == "api" else ""

    # ---- GraphQL ----

    def answer(self, request):
        if request.path.startswith("/artifactsV2/") and request.method == "GET":
            return self.own_address(request)
        if request.path != "/graphql" or request.method != "POST":
            return Answer(404, [], b"404 page not found")
        key = self.key_of(request)
        if (key is not None and key not in self.world.scenario.get("keys", [])) or (key is None and self.world.scenario.get("needs_key")):
            return Answer(401, [("Content-Type", "application/json")], b'{"errors":[{"message":"user is not logged in"}],"data":null}')
        asked = json.loads(request.body)
        query, variables = asked["query"], asked.get("variables", {})
        for word in self.world.scenario.get("unknown_fields", []):
            if word in query:
                text = json.dumps({"errors": [{"message": f'Cannot query field "{word}" on type "Project".'}]})
                return Answer(self.world.scenario.get("unknown_status", 400), [("Content-Type", "application/json")], text.encode())
        return self.say({"data": self.data(request, query, variables)})

    def own_address(self, request):
        """/artifactsV2/REGION/ENTITY/PROJECT/COLLECTION/ID/BIRTH ID/MD5/NAME: a redirect to the storage, for those who may."""
        _, _, _, entity, project, collection, artifact, birth, md5, name = (urllib.parse.unquote(p) for p in request.path.split("/"))
        version = self.find_id(artifact)
        if version is None or version.full_name != f"{entity}/{project}/{collection}" or birth != version.id:
            return Answer(404, [], b"not found")
        if self.world.scenario.get("needs_key") and self.key_of(request) not in self.world.scenario.get("keys", []):
            return Answer(401, [], b"no key")
        for path, entry in version.contents().items():
            if path.rsplit("/", 1)[-1] == name and base64.b64decode(entry["digest"]).hex() == md5:
                return Answer(302, [("Location", self.sign(version, path))], b"", path)
        return Answer(404, [], b"not found")

    @staticmethod
    def say(value):
        return Answer(200, [("Content-Type", "application/json")], json.dumps(value).encode(), "graphql")

    def data(self, request, query, variables):
        if "artifactMembership" in query and "artifactCollectionMembership" not in query:
            version = self.named(request, variables, variables.get("collectionName", ""), variables.get("aliasName", "latest"))
            files = {"files": self.files(version, variables)} if version else None
            return {"project": {"artifactCollection": {"artifactMembership": files} if files else None}}
        if "project(" in query:
            name, _, alias = variables.get("name", "").partition(":")
            version = self.named(request, variables, name, alias)
            if "artifactCollectionMembership" in query:
                member = version and {"versionIndex": int(version.version[1:]), "artifact": version.node()}
                return {"project": {"artifactCollectionMembership": member}}
            return {"project": {"artifact": version and version.node()}}
        version = self.find_id(variables.get("id", ""))
        if version is None or not self.may_see(request, version):
            return {"artifact": None}
        node = version.node()
        if "currentManifest" in query:
            node["currentManifest"] = {"id": "m", "file": {"directUrl": self.sign(version, None)}}
        if "files(" in query:
            node["files"] = self.files(version, variables)
        return {"artifact": node}

    def named(self, request, variables, name, alias):
        full_name = f"{variables.get('entityName')}/{variables.get('projectName')}/{name}"
        version = self.find(full_name, alias or "latest")
        return version if version and self.may_see(request, version) else None

    def files(self, version, variables):
        names = files_below(version.folder)
        start = int(variables.get("after") or 0)
        n = min(int(variables.get("first") or 5000), self.world.scenario.get("page_size", 5000))
        page = names[start:start + n]
        unsigned = self.world.scenario.get("unsigned", [])
        edges = [{"node": {"name": name, "directUrl": None if name in unsigned else self.sign(version, name)}} for name in page]
        return {"pageInfo": {"endCursor": str(start + len(page)), "hasNextPage": start + n < len(names)}, "edges": edges}

    # ---- presigned addresses ----

    def sign(self, version, name):
        store = self.world.scenario.get("storage", {})
        until = time.time() + store.get("seconds", 3600)
        signature = hashlib.sha256(f"{version.full_name}:{version.version}/{name}/{until}/{len(self.signed)}".encode()).hexdigest()
        self.signed[signature] = {"version": version, "name": name, "until": until, "uses": store.get("uses", 1 << 60)}
        query = urllib.parse.urlencode({"X-Amz-Expires": "3600", "X-Amz-Signature": signature})
        return f"{self.world.storage_url()}/bucket/{urllib.parse.quote(name or 'manifest.json')}?{query}"

    def storage(self, request):
        entry = self.signed.get(request.query.get("X-Amz-Signature", ""))
        if entry is None or entry["until"] < time.time() or entry["uses"] <= 0:
            return Answer(self.world.scenario.get("storage", {}).get("expired_status", 403), [("Content-Type", "application/xml")],
                          b"<Error><Code>AccessDenied</Code></Error>")
        if "authorization" in request.headers:  # what the real storage says to a second way of signing
            return Answer(400, [], b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>")
        if request.method == "GET":
            entry["uses"] -= 1
        version, name = entry["version"], entry["name"]
        if name is None:
            return ranged(request, Answer(200, [], json.dumps(version.manifest()).encode(), "manifest.json"))
        other = version.facts.get("served", {}).get(name)
        path = version.folder / name
        body = base64.b64decode(other) if other is not None else Part(path, 0, path.stat().st_size)
        return ranged(request, Answer(200, [("ETag", f'"{hashlib.md5(name.encode()).hexdigest()}"')], body, name))
