"""Downloads under the 32 faults of HTTP at five moments, of the hub's files and of artifacts.

Each of the 160 cells is played twice: the fault once, after which the file must be there or a message says why not; and again and
again, which must end in an error message. After every message the same command runs once more with a sound server, and must bring the
right file. Never, at no point, may there be wrong bytes in the cache or a file that is neither a blob nor a part to go on with.
"""
import hashlib
import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from faults import LISTED, MOMENTS, bomb, short_body, status
from world import World

DATA = random.Random(2).randbytes(120_000)
DEADLINE_S = 30.0
# Waits are cut to what a test can afford. Only faults that wait for the client's patience to end make it short, so that a busy
# machine does not look like a slow server.
PATIENCE = {"SAESCOPE_NET_TRIES": "4", "SAESCOPE_NET_RETRY_SECONDS": "0.01", "SAESCOPE_NET_STALL_SECONDS": "10"}
SHORT = {"SAESCOPE_NET_STALL_SECONDS": "0.3"}
SLOW_FAULTS = {"connect-hang", "header-drip", "stall", "one-byte-per-second"}


# ---- two services: what is asked for, and where it comes to lie ----


@dataclass
class Service:
    of: str
    source: str    # below the root of the servers
    reference: str
    storage: str   # the origin that gives the body

    def place(self, folder):
        """The file that the user gets, or None."""
        found = [p for p in folder.rglob("sae.pt") if "root" not in p.relative_to(folder).parts]
        return found[0] if found else None


SERVICES = {
    "hub": Service("hub", "models/org/m/sae.pt", "hf:org/m", "cdn"),
    "store": Service("store", "artifacts/ent/proj/sae/v0/sae.pt", "wandb:ent/proj/sae:v0", "storage"),
}


class Desk:
    """A user with an empty home, a file on a server, and the program."""

    def __init__(self, program, folder, service):
        self.program, self.folder, self.service = program, folder, service
        self.source = folder / "root" / service.source
        self.source.parent.mkdir(parents=True)
        self.source.write_bytes(DATA)

    def environment(self, world):
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")}
        return {**kept, "HOME": str(home), "HF_HOME": str(home / "hf"), "WANDB_CACHE_DIR": str(home / "wandb"), "HF_TOKEN": "hf_secret",
                "WANDB_ARTIFACT_DIR": str(home / "artifacts"), "WANDB_API_KEY": "wandb_secret", **PATIENCE, **world.environment()}

    def start(self, world, **environment):
        words = [self.program, "fetch", "--as", "sae", self.service.reference]
        return subprocess.Popen(words, env={**self.environment(world), **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)

    def fetch(self, world, **environment):
        begin = time.monotonic()
        process = self.start(world, **environment)
        try:
            out, err = process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += b" (killed: no end within the deadline)"
        return process.returncode, err.decode(), time.monotonic() - begin

    def parts(self):
        """The unfinished files on disk."""
        return [p for p in (self.folder / "home").rglob("*") if p.is_file() and ("saescope-" in p.name or p.name.endswith(".saescope-part"))]

    def faults_on_disk(self, contents):
        """What should not be there: bytes that no version of the file has, files of no known purpose."""
        wrong = []
        for path in (self.folder / "home").rglob("*"):
            is_note = path.name.endswith(".lock") or path.name == "CACHEDIR.TAG" or "refs" in path.parts or path.suffix == ".json"
            if not path.is_file() or is_note:
                continue
            data, name = path.read_bytes(), path.name
            if path in self.parts():
                if not data or not any(c.startswith(data) for c in contents):
                    wrong.append(f"{name}: a part of {len(data)} bytes that does not begin the file")
            elif data not in contents:
                wrong.append(f"{name}: {len(data)} bytes of something else")
            elif "blobs" in path.parts and name != hashlib.sha256(data).hexdigest():
                wrong.append(f"{name}: a blob of another name")
            elif "obj" in path.parts and path.parent.name + name != hashlib.md5(data).hexdigest():
                wrong.append(f"{name}: an object of another name")
        return wrong

    def got(self):
        place = self.service.place(self.folder)
        return place.read_bytes() if place and place.exists() else None


# ---- one cell ----


@dataclass
class Outcome:
    code: int
    err: str
    seconds: float
    got: str               # "file", "new file" where the server changed it, "none", or "WRONG"
    n_acts: int            # how often the fault was played
    wrong: list            # on disk, after the fault
    again: tuple = ()      # of the next command: code, sentence, got
    went_on: bool = True   # it asked for the rest of a part that was there
    secrets: list = field(default_factory=list)


def leave_part(desk, world):
    """An earlier command that came to the middle of the file, and then saw only errors."""
    script = world.play("short-body", "middle", None, "sae.pt")
    acts = iter([(short_body, len(DATA) // 2)])

    def choose(request, answer):
        is_body = request.origin == desk.service.storage and answer.name == "sae.pt"
        return next(acts, (status(500), 0)) if is_body else (None, 0)
    script.choose = choose
    code, err, _ = desk.fetch(world)
    assert code == 69 and [p.stat().st_size for p in desk.parts()] == [len(DATA) // 2], err
    world.script = None
    world.log.clear()


def secrets_seen(world):
    """Requests that carried a token or key to a server that it was not meant for."""
    own = {"hub": "hub", "store": "store"}
    return [f"{r.origin}: {r.method} {r.path}" for r in world.log if "authorization" in r.headers and r.origin not in own]


def describe(desk, changed):
    got = desk.got()
    return "none" if got is None else "file" if got == DATA else "new file" if changed and got == desk.source.read_bytes() else "WRONG"


def play(program, folder, service, fault, moment, times):
    desk = Desk(program, folder, SERVICES[service])
    with World(folder / "root", {"tokens": {"hf_secret": []}, "keys": ["wandb_secret"]}, of=service) as world:
        if moment == "resumed":
            leave_part(desk, world)
        script = world.play(fault, moment, times, None if moment == "headers" else "sae.pt", change=desk.source)
        code, err, seconds = desk.fetch(world, **(SHORT if fault in SLOW_FAULTS else {}))
        changed = desk.source.read_bytes() != DATA
        contents = {DATA, desk.source.read_bytes()}
        outcome = Outcome(code, err, seconds, describe(desk, changed), script.n_acts, desk.faults_on_disk(contents),
                          secrets=secrets_seen(world))
        if code != 0:
            world.script = None
            world.log.clear()
            had_part = bool(desk.parts())
            code, err, _ = desk.fetch(world)
            bodies = [r for r in world.requests(desk.service.storage, "GET") if "manifest.json" not in r.path]
            outcome.again = (code, err, describe(desk, changed))
            outcome.went_on = not had_part or changed or any("range" in r.headers for r in bodies)
            outcome.wrong += desk.faults_on_disk(contents) + [f"{p.name} was left" for p in desk.parts() if code == 0 and not changed]
    return outcome


CELLS = [(service, fault, moment, times) for service in SERVICES for fault in [*LISTED, "401", "404"] for moment in MOMENTS for times in (1, None)]


@pytest.fixture(scope="module")
def outcomes(program, tmp_path_factory):
    """All cells, played side by side: most of the time a cell waits for a clock."""
    folder = tmp_path_factory.mktemp("faults")
    bomb()
    with ThreadPoolExecutor(8) as pool:
        yield {cell: pool.submit(play, program, folder / "-".join(map(str, cell)), *cell) for cell in CELLS}


# ---- what each cell must come to ----

FILE = (0, "")
BROKEN = (69, "")
NEW = (0, "new")       # the server's file changed before the client had seen anything of the old one
# By fault: what one occurrence comes to, and what a server comes to that always does it.
EXPECTED = {
    "refused": (FILE, (69, "no connection")),
    "dns": (FILE, (69, "host name is not known")),
    "tls": ((69, "certificate is not trusted"), (69, "certificate is not trusted")),
    "connect-hang": (FILE, (69, "did not take the connection in time")),
    "header-drip": (FILE, (69, "no response within")),
    "header-too-long": ((69, "larger than 64 KiB"), (69, "larger than 64 KiB")),
    "bytes-in-header": (FILE, (69, "not sound")),
    "flood-of-1xx": ((69, "larger than 64 KiB"), (69, "larger than 64 KiB")),
    "short-body": (FILE, BROKEN),
    "reset": (FILE, (69, "the connection broke")),
    "stall": (FILE, (69, "try again later")),
    "one-byte-per-second": (FILE, (69, "try again later")),
    "longer-than-length": (FILE, FILE),
    "conflicting-length": (FILE, (69, "contradicts itself")),
    "length-with-encoding": (FILE, (69, "contradicts itself")),
    "bad-chunk-size": (FILE, BROKEN),
    "chunk-overflow": (FILE, BROKEN),
    "missing-last-chunk": (FILE, BROKEN),
    "gzip-unasked": (FILE, (69, "compressed")),
    "gzip-bomb": (FILE, (69, "compressed")),
    "whole-for-range": (FILE, FILE),
    "wrong-content-range": (FILE, (69, "another part")),
    "etag-changed": (FILE, BROKEN),
    "size-changed": (FILE, BROKEN),
    "redirect-loop": (FILE, (69, "too many redirects")),
    "redirect-elsewhere": (FILE, (69, "file:///etc/hostname")),
    "401-403-404": (FILE, (66, "403")),
    "401": (FILE, (66, "401")),
    "404": ((66, "404"), (66, "404")),
    "416": (FILE, (65, "changed on the server")),
    "429": (FILE, (69, "429")),
    "burst-of-5xx": (FILE, (69, "500")),
    "html-page": (FILE, (65, "92 bytes")),
    "close-between": (FILE, (69, "closed without a response")),
}
# What a single moment, or a single service, has of its own.
EXPECTED_AT = {
    ("refused", "headers"): (EXPECTED["refused"][1],) * 2,
    ("dns", "headers"): (EXPECTED["dns"][1],) * 2,
    ("connect-hang", "headers"): (EXPECTED["connect-hang"][1],) * 2,
    ("missing-last-chunk", "last-byte"): (FILE, FILE),   # all bytes came, and they are right
    ("416", "headers"): ((69, "416"), (69, "416")),
    ("416", "resumed"): (FILE, FILE),                    # from the start, where nothing is resumed any more
    ("html-page", "resumed"): (FILE, FILE),
    # An answer to HEAD has no body that could be wrong.
    ("hub", "bad-chunk-size", "headers"): (FILE, FILE),
    ("hub", "chunk-overflow", "headers"): (FILE, FILE),
    ("hub", "missing-last-chunk", "headers"): (FILE, FILE),
    ("hub", "gzip-unasked", "headers"): (FILE, FILE),
    ("hub", "gzip-bomb", "headers"): (FILE, FILE),
    ("hub", "wrong-content-range", "headers"): (FILE, FILE),
    ("hub", "401-403-404", "headers"): ((66, "403"), (66, "403")),
    ("hub", "401", "headers"): ((66, "private"), (66, "private")),
    ("hub", "html-page", "headers"): (FILE, (65, "ETag")),
    # The store keeps no older content: what changed is not what the manifest says.
    ("store", "etag-changed", "headers"): (NEW, BROKEN),
    ("store", "size-changed", "headers"): (NEW, BROKEN),
    ("store", "etag-changed"): ((65, "sae.pt"), BROKEN),
    ("store", "size-changed"): ((65, "sae.pt"), BROKEN),
    # A question is not sent to another address than the store's.
    ("store", "redirect-loop", "headers"): ((69, "302"), (69, "302")),
    ("store", "redirect-elsewhere", "headers"): ((69, "302"), (69, "file:///etc/hostname")),
    ("store", "401-403-404", "headers"): (FILE, (66, "key")),
    ("store", "401", "headers"): (FILE, (66, "key")),
    ("store", "wrong-content-range", "headers"): (FILE, FILE),
    ("store", "html-page", "headers"): ((65, "not valid JSON"), (65, "not valid JSON")),
}


def expected(service, fault, moment, times):
    own = [EXPECTED_AT.get(key) for key in ((service, fault, moment), (service, fault), (fault, moment))]
    pair = next((value for value in own if value is not None), EXPECTED[fault])
    return pair[0 if times else 1]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", [*LISTED, "401", "404"])
@pytest.mark.parametrize("service", SERVICES)
def test_cell(outcomes, service, fault, moment):
    for times in (1, None):
        what = f"{service} {fault} {moment} {'once' if times else 'for ever'}"
        outcome = outcomes[service, fault, moment, times].result()
        code, words = expected(service, fault, moment, times)
        assert (outcome.code, outcome.got) == (code, {FILE: "file", NEW: "new file"}.get((code, words), "none")), f"{what}: {outcome}"
        assert outcome.n_acts > 0, f"{what} did not happen"
        assert not outcome.wrong and not outcome.secrets, f"{what}: {outcome}"
        assert outcome.seconds < DEADLINE_S
        if code != 0:
            assert outcome.err.startswith("saescope: ") and outcome.err.count("\n") == 1 and words in outcome.err, f"{what}: {outcome.err}"
            assert "Signature" not in outcome.err and "secret" not in outcome.err, f"{what}: {outcome.err}"
            assert outcome.again[0] == 0 and outcome.again[2] != "WRONG" and outcome.went_on, f"{what}: {outcome}"


# ---- interrupted by the user ----


def wait_for_part(desk, n_bytes):
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        try:
            if sum(p.stat().st_size for p in desk.parts()) >= n_bytes:
                return
        except FileNotFoundError:
            pass  # a temporary file got its name between two looks
        time.sleep(0.01)
    pytest.fail("the download did not begin")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.parametrize("service", SERVICES)
def test_an_interrupted_download_goes_on(program, tmp_path, service, sent):
    desk = Desk(program, tmp_path, SERVICES[service])
    half = len(DATA) // 2
    with World(tmp_path / "root", {"tokens": {"hf_secret": []}}, of=service) as world:
        world.play("stall", "middle", 1, "sae.pt")
        process = desk.start(world, SAESCOPE_NET_STALL_SECONDS="20")
        wait_for_part(desk, half)
        begin = time.monotonic()
        process.send_signal(sent)
        _, err = process.communicate(timeout=10)
        assert process.returncode in (-sent, 75) and time.monotonic() - begin < 5, err
        assert [p.read_bytes() for p in desk.parts()] == [DATA[:half]] and not desk.faults_on_disk({DATA})
        if sent != signal.SIGKILL:
            assert b"goes on" in err, err
        world.log.clear()
        assert desk.fetch(world)[0] == 0 and desk.got() == DATA and not desk.parts()
        assert [r.headers.get("range") for r in world.requests(desk.service.storage, "GET") if r.path.find("manifest") < 0] == \
            [f"bytes={half}-{len(DATA) - 1}"]
