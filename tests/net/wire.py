"""An HTTP/1.1 server on raw sockets that does what it is told, also what no server should do.

An `Origin` listens on a port of its own (scheme + host + port: what clients compare before they send a token) and hands each
`Request` to a handler that gives an `Answer`. Before the answer goes out, a script of faults may take over the `Wire`.
"""
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 416: "Range Not Satisfiable", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
MAX_HEAD_BYTES = 1 << 16
PATIENCE_S = 30.0  # how long a fault that waits holds a connection at most


@dataclass
class Request:
    origin: str
    method: str
    target: str
    headers: dict
    body: bytes = b""
    status: int = 0   # what was answered, or would have been without the fault
    fault: str = ""   # the fault that took over
    at_s: float = field(default_factory=time.monotonic)

    @property
    def path(self):
        return urllib.parse.urlsplit(self.target).path

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True))

    def as_json(self):
        return {"origin": self.origin, "method": self.method, "target": self.target, "headers": self.headers, "status": self.status,
                "body": self.body.decode("utf8", "replace")}


@dataclass
class Part:
    """Bytes of a file, sent without being read into memory."""
    path: Path
    start: int
    n_bytes: int

    def __len__(self):
        return self.n_bytes

    def read(self):
        with open(self.path, "rb") as file:
            file.seek(self.start)
            return file.read(self.n_bytes)


@dataclass
class Answer:
    status: int = 200
    headers: list = field(default_factory=list)  # (name, value); Content-Length is added
    body: object = b""                           # bytes or a Part
    name: str = ""                               # the file it carries, for scripts that wait for one

    def with_headers(self, *pairs):
        names = {name.lower() for name, _ in pairs}
        kept = [(n, v) for n, v in self.headers if n.lower() not in names]
        return Answer(self.status, kept + list(pairs), self.body, self.name)

    def content(self):
        return self.body.read() if isinstance(self.body, Part) else self.body

    def head(self, length=True):
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if length and not any(name.lower() == "content-length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


class Gone(Exception):
    """The client closed the connection, or the server is being closed."""


class Wire:
    """One connection, seen from the server."""

    def __init__(self, sock, stop):
        self.sock, self.stop, self.pending = sock, stop, b""

    def read_request(self, origin):
        while b"\r\n\r\n" not in self.pending:
            if len(self.pending) > MAX_HEAD_BYTES:
                raise Gone
            self._more()
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        n_bytes = int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self.pending) < n_bytes:
            self._more()
        body, self.pending = self.pending[:n_bytes], self.pending[n_bytes:]
        return Request(origin, method, target, headers, body)

    def _more(self):
        try:
            data = self.sock.recv(1 << 16)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self.pending += data

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def send_part(self, part):
        try:
            with open(part.path, "rb") as file:
                self.sock.sendfile(file, part.start, part.n_bytes)
        except OSError as error:
            raise Gone from error

    def wait(self, seconds):
        """Sleep, but not longer than the client stays."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stop.is_set():
                raise Gone
            self.sock.settimeout(min(left, 0.5))
            try:
                if not self.sock.recv(1, socket.MSG_PEEK if not isinstance(self.sock, ssl.SSLSocket) else 0):
                    raise Gone
                time.sleep(min(left, 0.05))
            except TimeoutError:
                pass
            except OSError as error:
                raise Gone from error
            finally:
                self.sock.settimeout(None)

    def hold(self):
        self.wait(PATIENCE_S)
        self.reset()

    def fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        """Close with RST, so that the client sees the connection reset."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def answer(self, request, answer):
        self.send(answer.head())
        if request.method == "HEAD":
            return
        if isinstance(answer.body, Part):
            self.send_part(answer.body)
        else:
            self.send(answer.body)


class Origin:
    """A port with a handler; `script` is asked before every answer."""

    def __init__(self, name, handler, log, script, certificate=None):
        self.name, self.handler, self.log, self.script = name, handler, log, script
        self.stop, self.wires, self.lock = threading.Event(), set(), threading.Lock()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.port = 0
        self.listen()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def listen(self):
        """Listen, again on the same port after `refuse`."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """New connections are refused until `listen`."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def close(self):
        self.stop.set()
        self.refuse()
        with self.lock:
            for wire in self.wires:
                try:
                    wire.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        wire = Wire(sock, self.stop)
        try:
            if self.context:
                wire.sock = self.context.wrap_socket(sock, server_side=True)
            with self.lock:
                self.wires.add(wire)
            while not self.stop.is_set() and self._exchange(wire):
                pass
        except (Gone, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.wires.discard(wire)
            wire.close()

    def _exchange(self, wire):
        request = wire.read_request(self.name)
        answer = self.handler(request)
        request.status = answer.status
        self.log.append(request)
        taken = self.script(self, wire, request, answer)
        if taken is not None:
            return taken
        wire.answer(request, answer)
        return request.headers.get("connection", "").lower() != "close"


def ranged(request, answer):
    """The answer to a request with `Range: bytes=…` (one range), as storage servers give it."""
    words = request.headers.get("range", "")
    if answer.status != 200 or not words.startswith("bytes=") or "," in words:
        return answer.with_headers(("Accept-Ranges", "bytes"))
    n_bytes = len(answer.body)
    validator = request.headers.get("if-range")
    if validator is not None and validator not in [v for n, v in answer.headers if n.lower() == "etag"]:
        return answer
    first, _, last = words[len("bytes="):].partition("-")
    start = int(first) if first else max(0, n_bytes - int(last))
    end = min(int(last) + 1, n_bytes) if first and last else n_bytes
    if start >= end:
        return Answer(416, [("Content-Range", f"bytes */{n_bytes}")], b"", answer.name)
    body = answer.body
    part = Part(body.path, body.start + start, end - start) if isinstance(body, Part) else body[start:end]
    return Answer(206, answer.headers + [("Content-Range", f"bytes {start}-{end - 1}/{n_bytes}")], part, answer.name)
