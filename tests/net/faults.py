"""The 32 faults of HTTP that a download must survive, each at five moments.

Moments: `headers`, in the conversation before the body (HEAD at the hub, the query at the artifact store); `first-byte`, `middle`,
`last-byte`, in the answer that carries the body; `resumed`, in the first answer to a request with Range, given to a later process
that finds a partial file.

Three kinds of fault:
  stream   the answer begins well and breaks after some bytes of the body (in the head, where there is no body)
  answer   the whole answer is wrong. At `middle` and `last-byte` a connection is cut there first, and the next answer is the wrong one.
  place    the address does not answer. At `middle` and `last-byte` the body is cut, the signed address expires, and the next one
           that is given out leads there.
"""
import functools
import gzip
import re
import socket
import threading
import zlib
from dataclasses import dataclass

from wire import Answer, Part

MOMENTS = ["headers", "first-byte", "middle", "last-byte", "resumed"]
DRIP_S = 1.0
FLOOD_BYTES = 64 << 20


@dataclass
class Case:
    """What a fault has to work with: the right answer, and how much of its body goes out first."""
    world: object
    origin: object
    wire: object
    request: object
    answer: Answer
    at: int

    @property
    def is_head(self):
        return self.request.method == "HEAD"

    def body(self):
        return b"" if self.is_head else self.answer.content()

    def whole(self, head=None, body=None):
        """Send an answer that is well-formed."""
        self.wire.send(head if head is not None else self.answer.head())
        if not self.is_head:
            self.wire.send(self.body() if body is None else body)

    def begin(self):
        """Send the answer up to the fault: `at` bytes of the body, or half of the head where no body follows."""
        head = self.answer.head()
        if self.is_head or self.at < 0:
            self.wire.send(head[:len(head) // 2])
        else:
            self.wire.send(head + self.body()[:self.at])

    def with_headers(self, *pairs):
        return self.answer.with_headers(*pairs)


# ---- stream: the answer breaks on its way ----


def short_body(case):
    case.begin()
    case.wire.fin()


def reset(case):
    case.begin()
    case.wire.wait(0.02)  # what was sent arrives before the reset throws away the rest
    case.wire.reset()


def stall(case):
    case.begin()
    case.wire.hold()


def one_byte_per_second(case):
    case.begin()
    rest = case.answer.head()[len(case.answer.head()) // 2:] if case.is_head else case.body()[case.at:]
    for byte in rest:
        case.wire.wait(DRIP_S)
        case.wire.send(bytes([byte]))


def longer_than_length(case):
    at = max(case.at, 0)
    case.wire.send(case.answer.head() + case.body()[:at])
    case.wire.send(case.body()[at:] + b"and more than was promised" * 40)
    case.wire.fin()


def chunks(case, n_bytes):
    head = case.answer.head(length=False).replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    head = re.sub(rb"\r\nContent-Length: \d+", b"", head)
    body = case.body()[:max(n_bytes, 0)]
    case.wire.send(head + (f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b""))


def bad_chunk_size(case):
    chunks(case, case.at)
    case.wire.send(b"zz\r\n" + case.body()[max(case.at, 0):] + b"\r\n0\r\n\r\n")
    case.wire.fin()


def chunk_overflow(case):
    chunks(case, case.at)
    case.wire.send(b"fffffffffffffffff\r\n" + case.body()[max(case.at, 0):] + b"\r\n0\r\n\r\n")
    case.wire.fin()


def missing_last_chunk(case):
    is_last = case.at == len(case.body()) - 1
    chunks(case, case.at + is_last)  # at the last byte everything came but the end
    case.wire.fin()


# ---- answer: the answer is wrong as a whole ----


def header_drip(case):
    for byte in case.answer.head():
        case.wire.send(bytes([byte]))
        case.wire.wait(DRIP_S)
    case.whole(b"")


def header_too_long(case):
    pairs = [(f"X-Padding-{i}", "p" * 1000) for i in range(200)]
    case.whole(case.with_headers(*pairs).head())
    return True


def bytes_in_header(case):
    """NUL and a bare CR inside values that matter."""
    head = case.with_headers(("ETag", '"0123\0456\r789"'), ("X-Linked-Etag", '"ab\0cd\ref"')).head()
    case.whole(head)
    case.wire.fin()


def flood_of_1xx(case):
    piece = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 200
    for _ in range(FLOOD_BYTES // len(piece)):
        case.wire.send(piece)
    case.whole()
    return True


def conflicting_length(case):
    n = len(case.answer.body)
    head = case.answer.head(length=False).replace(b"\r\n\r\n", f"\r\nContent-Length: {n + 10}\r\nContent-Length: {n}\r\n\r\n".encode())
    case.whole(head)
    case.wire.fin()


def length_with_encoding(case):
    body = case.body()
    case.wire.send(case.with_headers(("Content-Length", str(len(body) + 5)), ("Transfer-Encoding", "chunked")).head())
    if not case.is_head:
        case.wire.send(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
    case.wire.fin()


def gzip_unasked(case):
    packed = gzip.compress(case.answer.content(), 1)
    case.whole(case.with_headers(("Content-Encoding", "gzip"), ("Content-Length", str(len(packed)))).head(), packed)
    return True


@functools.cache
def bomb():
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(256)) + squeeze.flush()


def gzip_bomb(case):
    case.whole(case.with_headers(("Content-Encoding", "gzip"), ("Content-Length", str(len(bomb())))).head(), bomb())
    return True


def whole_for_range(case):
    answer, body = case.answer, case.answer.body
    if answer.status == 206:
        if isinstance(body, Part):
            body = Part(body.path, 0, body.path.stat().st_size)
        else:
            body = case.world.whole_answer(case.request).body
        answer = Answer(200, [(n, v) for n, v in answer.headers if n != "Content-Range"], body, answer.name)
    case.wire.answer(case.request, answer)
    return True


def wrong_content_range(case):
    found = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", case.answer.head())
    start, last, n = (int(g) for g in found.groups()) if found else (0, len(case.answer.body) - 1, len(case.answer.body))
    answer = Answer(206, [(h, v) for h, v in case.answer.headers if h != "Content-Range"] +
                    [("Content-Range", f"bytes {start + 7}-{last + 7}/{n + 7}")], case.answer.body, case.answer.name)
    case.wire.answer(case.request, answer)
    return True


def change(case, longer):
    """Another version of the file takes the place of this one while it is fetched."""
    case.world.change_file(longer)
    case.wire.fin()


def etag_changed(case):
    change(case, False)


def size_changed(case):
    change(case, True)


def redirect_loop(case):
    target = case.request.target.split("&turn=")[0]
    turn = int(case.request.query.get("turn", 0)) + 1
    place = case.origin.url + target + ("&" if "?" in target else "?") + f"turn={turn}"
    case.whole(Answer(302, [("Location", place)], b"").head(), b"")
    return True


def redirect_elsewhere(case):
    """Once: to another host, which has the file. Again and again: to a local file."""
    if case.world.script.is_forever:
        place = "file:///etc/hostname"
    else:
        place = case.world.elsewhere_url(case.request)
    keep = [(n, v) for n, v in case.answer.headers if n.startswith("X-Linked") or n == "X-Repo-Commit"]
    case.whole(Answer(302, keep + [("Location", place)], b"").head(), b"")
    return True


def status(code, headers=(), body=b"no"):
    def act(case):
        case.whole(Answer(code, list(headers), body).head(), body)
        return True
    return act


def burst_of_5xx(case):
    code = (500, 502, 503, 504)[case.world.script.n_acts % 4]
    return status(code)(case)


def html_page(case):
    page = b"<!DOCTYPE html><html><title>Log in to this network</title><p>Please accept the terms.</html>"
    keep = [(n, v) for n, v in case.answer.headers if n == "X-Repo-Commit"]
    case.whole(Answer(200, keep + [("Content-Type", "text/html")], page).head(), page)
    return True


def close_between(case):
    case.wire.fin()


# ---- place: the address does not answer ----


def refused(world):
    """A port where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


def no_such_name(world):
    return "http://no-such-host.invalid"


def not_trusted(world):
    """Speaks TLS with a certificate that nobody signed."""
    return world.untrusted_url()


def connect_hang(world):
    """A listener whose queue is full: the handshake is never answered."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    world.keep.append(sock)
    for _ in range(3):
        waiting = socket.socket()
        waiting.setblocking(False)
        waiting.connect_ex(sock.getsockname())
        world.keep.append(waiting)
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


@dataclass(frozen=True)
class Fault:
    kind: str
    act: object


FAULTS = {
    "refused": Fault("place", refused),
    "dns": Fault("place", no_such_name),
    "tls": Fault("place", not_trusted),
    "connect-hang": Fault("place", connect_hang),
    "header-drip": Fault("answer", header_drip),
    "header-too-long": Fault("answer", header_too_long),
    "bytes-in-header": Fault("answer", bytes_in_header),
    "flood-of-1xx": Fault("answer", flood_of_1xx),
    "short-body": Fault("stream", short_body),
    "reset": Fault("stream", reset),
    "stall": Fault("stream", stall),
    "one-byte-per-second": Fault("stream", one_byte_per_second),
    "longer-than-length": Fault("stream", longer_than_length),
    "conflicting-length": Fault("answer", conflicting_length),
    "length-with-encoding": Fault("answer", length_with_encoding),
    "bad-chunk-size": Fault("stream", bad_chunk_size),
    "chunk-overflow": Fault("stream", chunk_overflow),
    "missing-last-chunk": Fault("stream", missing_last_chunk),
    "gzip-unasked": Fault("answer", gzip_unasked),
    "gzip-bomb": Fault("answer", gzip_bomb),
    "whole-for-range": Fault("answer", whole_for_range),
    "wrong-content-range": Fault("answer", wrong_content_range),
    "etag-changed": Fault("stream", etag_changed),
    "size-changed": Fault("stream", size_changed),
    "redirect-loop": Fault("answer", redirect_loop),
    "redirect-elsewhere": Fault("answer", redirect_elsewhere),
    "401-403-404": Fault("answer", status(403)),
    "416": Fault("answer", status(416, [("Content-Range", "bytes */0")])),
    "429": Fault("answer", status(429, [("Retry-After", "0")])),
    "burst-of-5xx": Fault("answer", burst_of_5xx),
    "html-page": Fault("answer", html_page),
    "close-between": Fault("answer", close_between),
    # The same line of the list with its other statuses.
    "401": Fault("answer", status(401)),
    "404": Fault("answer", status(404)),
}
LISTED = [name for name in FAULTS if name not in ("401", "404")]
assert len(LISTED) == 32


class Script:
    """One fault at one moment, `times` times or for ever (None), to the file `name`."""

    def __init__(self, world, fault, moment, times=1, name=None):
        self.world, self.fault, self.moment, self.name = world, FAULTS[fault], moment, name
        self.label, self.left, self.n_acts, self.was_cut = fault, times, 0, False
        self.first_start, self.expired = None, False
        self.lock = threading.Lock()

    @property
    def is_forever(self):
        return self.left is None

    def spend(self):
        if self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        self.n_acts += 1
        return True

    def place(self, usual):
        """Where an address that is given out now leads."""
        due = self.fault.kind == "place" and self.moment != "headers" and (self.moment not in ("middle", "last-byte") or self.was_cut)
        with self.lock:
            return self.fault.act(self.world) if due and self.spend() else usual

    def endpoint(self, usual):
        """Where the client is told that the service is."""
        due = self.fault.kind == "place" and self.moment == "headers"
        return self.fault.act(self.world) if due and self.spend() else usual

    def take(self, origin, wire, request, answer):
        """None to answer as usual, else whether the connection lives on."""
        with self.lock:
            act, at = self.choose(request, answer)
        if act is None:
            return None
        request.fault = self.label
        return bool(act(Case(self.world, origin, wire, request, answer, at)))

    def choose(self, request, answer):
        """The fault to act now and where in the body, or (None, 0)."""
        is_body = (request.origin, request.method) in self.world.body_requests
        is_first_talk = (request.origin, request.method) in self.world.first_requests
        if self.name is not None and answer.name and answer.name != self.name:
            return None, 0
        if self.moment == "headers":
            due = is_first_talk and self.fault.kind != "place"
            return (self.fault.act, -1) if due and self.spend() else (None, 0)
        if not is_body or (self.moment == "resumed" and "range" not in request.headers):
            return None, 0
        return self.choose_in_body(answer)

    def where(self, answer):
        """How many bytes of this answer go out until the place in the file where the fault is."""
        found = [re.match(r"bytes (\d+)-\d+/(\d+)", v) for n, v in answer.headers if n == "Content-Range"]
        start, n_bytes = (int(g) for g in found[0].groups()) if found and found[0] else (0, len(answer.body))
        if self.first_start is None:
            self.first_start = start
        place = {"first-byte": 0, "last-byte": n_bytes - 1, "middle": n_bytes // 2}.get(self.moment, (self.first_start + n_bytes) // 2)
        return max(0, place - start)

    def choose_in_body(self, answer):
        at = self.where(answer)
        if self.fault.kind == "stream":
            return (self.fault.act, at) if self.spend() else (None, 0)
        if self.moment in ("middle", "last-byte") and not self.was_cut:
            self.was_cut = True
            return short_body, at
        if self.fault.kind == "place":
            return self.choose_expiry()
        return (self.fault.act, 0) if self.spend() else (None, 0)

    def choose_expiry(self):
        """After the cut, the address that was given out before has expired once."""
        if self.was_cut and not self.expired:
            self.expired = True
            return status(403), 0
        return None, 0
