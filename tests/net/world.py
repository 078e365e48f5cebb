"""All the servers that saescope talks to, on ports of this machine: a folder of files and a scenario make them.

    with World(folder, scenario) as world:
        run("fetch", "org/name", env=world.environment())
        assert not [r for r in world.log if r.origin == "cdn" and "authorization" in r.headers]

Origins: `hub` (models, datasets, the API, the routes of the dataset server), `cdn` (large files of the hub, by signed address),
`store` (GraphQL of artifacts), `storage` (their files, by signed address), `web` (plain files below ROOT/web).
See README.md for the scenario.
"""
import hashlib
import subprocess
import urllib.parse
from pathlib import Path

from artifacts import Store
from faults import Script
from hub import Hub
from wire import Answer, Origin, Part, ranged


def make_certificate(folder):
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    path = Path(folder) / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", f"{path}.crt"],
                   check=True, capture_output=True)
    with open(path, "ab") as file:
        file.write(Path(f"{path}.crt").read_bytes())
    return path


class World:
    # What the moments of a script mean here: (origin, method) of the talk before the body, and of the body.
    FIRST = {"hub": {("hub", "HEAD")}, "store": {("store", "POST")}, "web": {("web", "HEAD")}}
    BODY = {"hub": {("cdn", "GET")}, "store": {("storage", "GET")}, "web": {("web", "GET")}}

    def __init__(self, root, scenario=None, certificate=None, of="hub"):
        self.root, self.scenario = Path(root), scenario or {}
        self.of, self.first_requests, self.body_requests = of, self.FIRST[of], self.BODY[of]
        self.log, self.keep, self.script, self.changes = [], [], None, None
        self.certificate = certificate  # for every origin, which then speak https
        self.hub, self.store, self.origins, self.untrusted = Hub(self), Store(self), {}, None

    def __enter__(self):
        handlers = {"hub": self.hub.answer, "cdn": self.hub.cdn, "store": self.store.answer, "storage": self.store.storage, "web": self.web}
        for name, handler in handlers.items():
            certificate = None if name in self.scenario.get("plain", []) else self.certificate
            self.origins[name] = Origin(name, handler, self.log, self.take, certificate)
        return self

    def __exit__(self, *_):
        for origin in [*self.origins.values(), *([self.untrusted] if self.untrusted else [])]:
            origin.close()
        for sock in self.keep:
            sock.close()

    # ---- addresses ----

    def url(self, name):
        return self.origins[name].url

    def endpoint(self, name):
        """The address of a service to tell the client: a bad one where the script says so."""
        return self.script.endpoint(self.url(name)) if self.script and name == self.of else self.url(name)

    def environment(self):
        """The variables by which saescope and the Python clients find these servers."""
        hub, store = self.endpoint("hub"), self.endpoint("store")
        return {"HF_ENDPOINT": hub, "WANDB_BASE_URL": store, "no_proxy": "*"}

    def cdn_url(self):
        return self.script.place(self.url("cdn")) if self.script else self.url("cdn")

    def storage_url(self):
        return self.script.place(self.url("storage")) if self.script else self.url("storage")

    def untrusted_url(self):
        if self.untrusted is None:
            folder = self.root.parent / "untrusted"
            folder.mkdir(exist_ok=True)
            self.untrusted = Origin("untrusted", self.web, self.log, lambda *_: None, make_certificate(folder))
        return self.untrusted.url

    # ---- faults ----

    def play(self, fault, moment, times=1, name=None, change=None):
        """Act a fault from now on. `change` is the file that etag-changed and size-changed replace."""
        self.changes = change
        self.script = Script(self, fault, moment, times, name)
        return self.script

    def take(self, origin, wire, request, answer):
        return self.script.take(origin, wire, request, answer) if self.script else None

    def change_file(self, longer):
        data = self.changes.read_bytes()
        if self.of == "hub":
            self.hub.keep_commit(self.changes)
        self.changes.write_bytes(bytes(b ^ 0x55 for b in data) + (b"longer" if longer else b""))

    def whole_answer(self, request):
        """What a request would get without its Range."""
        headers = {k: v for k, v in request.headers.items() if k != "range"}
        return self.origins[request.origin].handler(type(request)(request.origin, request.method, request.target, headers, request.body))

    def elsewhere_url(self, request):
        """An address on the web origin that gives what this request would have got."""
        name = hashlib.sha256(request.target.encode()).hexdigest()
        self.scenario.setdefault("elsewhere", {})[f"/{name}"] = request
        return f"{self.url('web')}/{name}"

    # ---- plain files ----

    def web(self, request):
        original = self.scenario.get("elsewhere", {}).get(request.path)
        if original is not None:
            again = type(request)(original.origin, request.method, original.target, request.headers)
            return self.origins[original.origin].handler(again)
        path = self.root / "web" / urllib.parse.unquote(request.path).lstrip("/")
        if ".." in request.path or not path.is_file():
            return Answer(404, [], b"not here")
        facts = self.hub.files.look(path)
        return ranged(request, Answer(200, [("ETag", f'"{facts["blob"][:16]}"')], Part(path, 0, facts["size"]), path.name))

    # ---- what happened ----

    def requests(self, origin=None, method=None):
        return [r for r in self.log if origin in (None, r.origin) and method in (None, r.method)]
