"""The model hub and its CDN, played from a folder of files.

ROOT/models/ORG/NAME/…           files of a model at every revision that has no folder of its own
ROOT/datasets/ORG/NAME/…         the same of a dataset
ROOT/datasets/ORG/NAME@REV/…     its files at one revision, percent-quoted as in addresses (refs%2Fconvert%2Fparquet)

Small files are answered by the hub itself; large ones (patterns of `lfs`) by a redirect to a signed address on the CDN origin.
"""
import fnmatch
import hashlib
import hmac
import json
import re
import shutil
import time
import urllib.parse
from pathlib import Path

from wire import Answer, Part, ranged

LFS = ["*.safetensors", "*.bin", "*.pt", "*.parquet", "*.arrow", "*.gz", "*.zst", "*.bz2", "*.xz", "*.npy", "*.zip", "*.tar"]
RESOLVE = re.compile(r"/(?P<prefix>datasets/|spaces/)?(?P<repo>[^/]+(?:/[^/]+)?)/resolve/(?P<rev>[^/]+)/(?P<path>.+)")
API = re.compile(r"/api/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+(?:/[^/]+)??)(?:/(?P<verb>revision|tree|paths-info|parquet|refs)(?:/(?P<rest>.*))?)?/?")
CACHED = re.compile(r"/api/resolve-cache/(?P<kind>models|datasets|spaces)/(?P<repo>[^/]+(?:/[^/]+)?)/(?P<rev>[0-9a-f]{40})/(?P<path>.+)")
KEY = b"signed by the scripted hub"


def refuse(status, code="", message="", headers=()):
    named = [("X-Error-Code", code)] if code else []
    named += [("X-Error-Message", message)] if message else []
    body = json.dumps({"error": message or code}).encode()
    return Answer(status, [("Content-Type", "application/json"), ("X-Request-Id", "Root=1-scripted"), *named, *headers], body)


class Files:
    """Hashes of files, each taken once for a state of the file."""

    def __init__(self):
        self.known = {}

    def look(self, path):
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self.known:
            sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % stat.st_size)
            with open(path, "rb") as file:
                while data := file.read(1 << 20):
                    sha256.update(data)
                    blob.update(data)
            self.known[key] = {"path": path, "size": stat.st_size, "sha256": sha256.hexdigest(), "blob": blob.hexdigest()}
        return self.known[key]


def files_below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


class Hub:
    def __init__(self, world):
        self.world, self.files, self.signed = world, Files(), {}

    # ---- what there is ----

    def repo_scenario(self, kind, repo):
        return self.world.scenario.get("repos", {}).get(f"{kind}/{repo}", {})

    def folder(self, kind, repo, rev):
        """The folder of a revision and its commit, or an Answer that refuses."""
        base = self.world.root / kind / repo
        own = self.world.root / kind / f"{repo}@{urllib.parse.quote(rev, safe='')}"
        facts = self.repo_scenario(kind, repo)
        if own.is_dir():
            return own, rev if re.fullmatch("[0-9a-f]{40}", rev) else self.commit(own)
        if not base.is_dir() and not own.parent.is_dir():
            return None, None
        commit = facts.get("commit") or (self.commit(base) if base.is_dir() else "0" * 40)
        for other in base.parent.glob(base.name + "@*"):
            if self.commit(other) == rev:
                return other, rev
        if base.is_dir() and rev in ("main", commit, *facts.get("refs", [])):
            return base, commit
        return None, None

    def keep_commit(self, path):
        """Before a file changes: its repository as it is stays at its commit, as on the hub."""
        kind, org, name = path.relative_to(self.world.root).parts[:3]
        folder = self.world.root / kind / org / name
        kept = folder.parent / f"{name}@{self.commit(folder)}"
        if not kept.exists():
            shutil.copytree(folder, kept)

    def commit(self, folder):
        """40 hex digits that change with the files."""
        digest = hashlib.sha1(folder.name.encode())
        for name in files_below(folder):
            digest.update(f"{name} {self.files.look(folder / name)['blob']}\n".encode())
        return digest.hexdigest()

    def is_lfs(self, kind, repo, path):
        patterns = self.repo_scenario(kind, repo).get("lfs", self.world.scenario.get("lfs", LFS))
        return any(fnmatch.fnmatch(path, p) or fnmatch.fnmatch(path.rsplit("/", 1)[-1], p) for p in patterns)

    # ---- who may see it ----

    def guard(self, request, kind, repo):
        """An Answer that keeps the caller out, or None."""
        facts, tokens = self.repo_scenario(kind, repo), self.world.scenario.get("tokens", {})
        sent = request.headers.get("authorization", "")
        token = sent[len("Bearer "):] if sent.startswith("Bearer ") else None
        if token is not None and token not in tokens:
            return refuse(401, "", "Invalid credentials in Authorization header")
        if facts.get("disabled"):
            return refuse(403, "", "Access to this resource is disabled.")
        known = any((self.world.root / kind / repo).parent.glob((self.world.root / kind / repo).name + "*"))
        allowed = token is not None and f"{kind}/{repo}" in tokens[token]
        if not known or (facts.get("private") and not allowed):
            return refuse(404 if token is not None else 401, "RepoNotFound", "Repository not found")
        if facts.get("gated") and not allowed:
            return refuse(401 if token is None else 403, "GatedRepo",
                          f"Access to model {repo} is restricted. You must have access to it and be authenticated to access it.")
        return None

    def limited(self):
        """429 after `free` requests, `refuse` times."""
        limit = self.world.scenario.get("limit")
        if not limit:
            return None
        if limit.get("free", 0) > 0:
            limit["free"] -= 1
            return None
        if limit.get("refuse", 0) <= 0:
            return None
        limit["refuse"] -= 1
        wait = limit.get("wait_s", 0)
        named = ("RateLimit", f'"resolvers";r=0;t={wait}') if limit.get("style") == "ratelimit" else ("Retry-After", str(wait))
        return refuse(429, "", "Too many requests", [named])

    # ---- what it says ----

    def answer(self, request):
        path = urllib.parse.unquote(request.path) if "%" not in request.path else request.path
        for pattern, method in ((CACHED, self.cached), (API, self.api), (RESOLVE, self.resolve)):
            found = pattern.fullmatch(path)
            if found:
                refused = self.limited()
                return refused or method(request, **{k: v and urllib.parse.unquote(v) for k, v in found.groupdict().items()})
        if request.path in ("/splits", "/parquet"):
            return self.converted(request)
        return refuse(404, "", "Not Found")

    def resolve(self, request, prefix, repo, rev, path):
        kind = (prefix or "models/").rstrip("/")
        moved = self.repo_scenario(kind, repo).get("renamed_to")
        if moved:
            place = f"/{prefix or ''}{moved}/resolve/{urllib.parse.quote(rev, safe='')}/{urllib.parse.quote(path)}"
            return Answer(307, [("Location", place)], b"Temporary Redirect")
        refused = self.guard(request, kind, repo)
        if refused:
            return refused
        folder, commit = self.folder(kind, repo, rev)
        if folder is None:
            return refuse(404, "RevisionNotFound", "Invalid rev id: " + rev)
        if not (folder / path).is_file() or ".." in path:
            return refuse(404, "EntryNotFound", "Entry not found", [("X-Repo-Commit", commit)])
        facts = self.files.look(folder / path)
        if self.is_lfs(kind, repo, path):
            return self.redirect(facts, commit, path)
        if self.world.scenario.get("resolve_cache"):
            place = f"/api/resolve-cache/{kind}/{repo}/{commit}/{urllib.parse.quote(path)}"
            return Answer(307, [("Location", place), ("X-Repo-Commit", commit), ("X-Linked-Size", str(facts["size"])),
                                ("X-Linked-Etag", f'"{facts["blob"]}"')], b"", path)
        return self.plain(request, facts, commit, path)

    def cached(self, request, kind, repo, rev, path):
        folder, commit = self.folder(kind, repo, rev)
        refused = self.guard(request, kind, repo)
        if refused or folder is None:
            return refused or refuse(404, "RevisionNotFound")
        return self.plain(request, self.files.look(folder / path), commit, path)

    def plain(self, request, facts, commit, path):
        whole = Answer(200, [("Content-Type", "text/plain"), ("X-Repo-Commit", commit), ("ETag", f'W/"{facts["blob"]}"')],
                       Part(facts["path"], 0, facts["size"]), path)
        return ranged(request, whole)

    def redirect(self, facts, commit, path):
        return Answer(302, [("X-Repo-Commit", commit), ("X-Linked-Etag", f'"{facts["sha256"]}"'), ("X-Linked-Size", str(facts["size"])),
                            ("ETag", f'"{facts["sha256"]}"'), ("Location", self.sign(facts, path)), ("X-Xet-Hash", facts["sha256"]),
                            ("Link", f'<{self.world.url("hub")}/api/xet>; rel="xet-auth"')], b"Found. Redirecting", path)

    # ---- the CDN ----

    def sign(self, facts, path):
        cdn = self.world.scenario.get("cdn", {})
        until = time.time() + cdn.get("seconds", 3600)
        serial = len(self.signed)
        text = f"{facts['sha256']}/{until:.3f}/{serial}"
        signature = hmac.new(KEY, text.encode(), "sha256").hexdigest()
        self.signed[signature] = {"path": facts["path"], "until": until, "uses": cdn.get("uses", 1 << 60), "name": path}
        query = urllib.parse.urlencode({"Expires": f"{until:.3f}", "Key-Pair-Id": serial, "Signature": signature})
        return f"{self.world.cdn_url()}/repos/{facts['sha256']}?{query}"

    def cdn(self, request):
        entry = self.signed.get(request.query.get("Signature", ""))
        if entry is None or entry["until"] < time.time() or entry["uses"] <= 0:
            return Answer(403, [("Content-Type", "application/xml")], b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        if request.method == "GET":
            entry["uses"] -= 1
        facts = self.files.look(entry["path"])
        whole = Answer(200, [("Content-Type", "binary/octet-stream"), ("ETag", f'"{facts["blob"][:32]}"')],
                       Part(facts["path"], 0, facts["size"]), entry["name"])
        return ranged(request, whole)

    # ---- the API ----

    def api(self, request, kind, repo, verb, rest):
        refused = self.guard(request, kind, repo)
        if refused:
            return refused
        moved = self.repo_scenario(kind, repo).get("renamed_to")
        if moved:
            return Answer(307, [("Location", request.target.replace(repo, moved, 1))])
        verbs = {"tree": self.tree, "paths-info": self.paths_info, "parquet": self.parquet_route, None: self.info, "revision": self.info}
        return verbs[verb](request, kind, repo, rest) if verb in verbs else refuse(404, "", "Not Found")

    @staticmethod
    def json(value, *headers):
        return Answer(200, [("Content-Type", "application/json; charset=utf-8"), *headers], json.dumps(value).encode())

    def info(self, request, kind, repo, rev):
        folder, commit = self.folder(kind, repo, rev or "main")
        if folder is None:
            return refuse(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        facts = self.repo_scenario(kind, repo)
        return self.json({"id": repo, "sha": commit, "private": bool(facts.get("private")), "gated": facts.get("gated", False),
                          "siblings": [{"rfilename": name} for name in files_below(folder)]})

    def entry(self, kind, repo, folder, name):
        if (folder / name).is_dir():
            return {"type": "directory", "path": name, "size": 0, "oid": hashlib.sha1(name.encode()).hexdigest()}
        facts = self.files.look(folder / name)
        if not self.is_lfs(kind, repo, name):
            return {"type": "file", "path": name, "size": facts["size"], "oid": facts["blob"]}
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{facts['sha256']}\nsize {facts['size']}\n".encode()
        oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
        return {"type": "file", "path": name, "size": facts["size"], "oid": oid, "xetHash": facts["sha256"],
                "lfs": {"oid": facts["sha256"], "size": facts["size"], "pointerSize": len(pointer)}}

    def tree(self, request, kind, repo, rest):
        rev, below = self.split_rev(kind, repo, rest or "main")
        folder, _ = self.folder(kind, repo, rev)
        if folder is None:
            return refuse(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        top = folder / below
        if not top.is_dir():
            return refuse(404, "EntryNotFound", f"{below} does not exist on \"{rev}\"")
        is_deep = request.query.get("recursive", "").lower() in ("1", "true")
        found = top.rglob("*") if is_deep else top.iterdir()
        names = sorted(p.relative_to(folder).as_posix() for p in found)
        start, n = int(request.query.get("cursor", 0)), self.world.scenario.get("page_size", 1000)
        headers = []
        if start + n < len(names):
            query = urllib.parse.urlencode({**request.query, "cursor": start + n})
            headers = [("Link", f'<{self.world.url("hub")}{request.path}?{query}>; rel="next"')]
        return self.json([self.entry(kind, repo, folder, name) for name in names[start:start + n]], *headers)

    def split_rev(self, kind, repo, rest):
        """REV[/PATH], where a revision such as refs/convert/parquet holds slashes once unquoted."""
        parts = rest.split("/")
        for n in range(len(parts), 0, -1):
            rev = "/".join(parts[:n])
            if self.folder(kind, repo, rev)[0] is not None:
                return rev, "/".join(parts[n:])
        return parts[0], "/".join(parts[1:])

    def paths_info(self, request, kind, repo, rev):
        folder, _ = self.folder(kind, repo, rev or "main")
        if folder is None:
            return refuse(404, "RevisionNotFound", f"Invalid rev id: {rev}")
        if request.headers.get("content-type", "").startswith("application/json"):
            names = json.loads(request.body or b"{}").get("paths", [])
        else:
            names = urllib.parse.parse_qs(request.body.decode()).get("paths", [])
        return self.json([self.entry(kind, repo, folder, name) for name in names if (folder / name).exists()])

    # ---- Parquet that the hub made itself ----

    def converted_files(self, repo):
        folder, commit = self.folder("datasets", repo, "refs/convert/parquet")
        files = []
        for name in files_below(folder) if folder else []:
            config, split, filename = name.split("/")
            place = f"{self.world.url('hub')}/datasets/{repo}/resolve/refs%2Fconvert%2Fparquet/{urllib.parse.quote(name)}"
            files.append({"dataset": repo, "config": config, "split": split, "url": place, "filename": filename,
                          "size": (folder / name).stat().st_size})
        return files, commit

    def converted(self, request):
        """The routes of the dataset server: /splits and /parquet."""
        repo = request.query.get("dataset", "")
        refused = self.guard(request, "datasets", repo)
        if refused:
            return refused
        files, _ = self.converted_files(repo)
        _, commit = self.folder("datasets", repo, "main")
        facts = self.repo_scenario("datasets", repo)
        revision = ("X-Revision", facts.get("converted_from", commit or ""))
        if request.path == "/splits":
            seen = {(f["config"], f["split"].removeprefix("partial-")): None for f in files}
            return self.json({"splits": [{"dataset": repo, "config": c, "split": s} for c, s in seen], "pending": [], "failed": []}, revision)
        return self.json({"parquet_files": files, "pending": [], "failed": [], "partial": any(f["split"].startswith("partial-") for f in files)},
                         revision)

    def parquet_route(self, request, kind, repo, rest):
        """GET /api/datasets/ID/parquet[/CONFIG[/SPLIT]]: addresses by config and split."""
        files, _ = self.converted_files(repo)
        tree = {}
        for file in files:
            tree.setdefault(file["config"], {}).setdefault(file["split"], []).append(file["url"])
        for part in (rest or "").split("/") if rest else []:
            if part not in tree:
                return refuse(404, "EntryNotFound", f"{part} not found")
            tree = tree[part]
        return self.json(tree)
