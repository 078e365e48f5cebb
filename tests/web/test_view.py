"""`view`: pages on this machine. Whoever has no link gets no data, whatever bytes they send; numbers are those of the run."""
import concurrent.futures
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import time

import numpy as np
import pytest

from browser import browser, free_port  # noqa: F401: a fixture
from conftest import ROOT
from test_report import MODEL, SAE, TABLE, WORDS, features_of
from viewer import Viewer

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("view"), random.Random(2)
    with open(folder / "texts.jsonl", "w", encoding="utf8") as file:
        for i in range(300):
            file.write(json.dumps({"text": " ".join(rng.choice(WORDS) for _ in range(7)) + f" {i}"}) + "\n")
    done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run"], capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def viewer(program, made):
    viewer = Viewer(program, made / "run")
    viewer.take_token()
    yield viewer
    viewer.close()


# ---- who gets in ----


def test_a_code_works_once(program, made):
    viewer = Viewer(program, made / "run")
    assert viewer.ask("GET", "/api/v1/run")[0] == 401
    for wrong in ({"code": "0" * 64}, {"code": viewer.code[:-1]}, {"code": viewer.code + "0"}, {"code": 5}, {}, [], {"code": None}, b"{", b""):
        assert viewer.ask("POST", "/api/v1/session", wrong)[0] == 401
    status, answer, _ = viewer.ask("POST", "/api/v1/session", {"code": viewer.code})
    assert status == 200 and re.fullmatch("[0-9a-f]{64}", answer["token"]) and answer["token"] != viewer.code
    assert viewer.ask("POST", "/api/v1/session", {"code": viewer.code})[0] == 401
    viewer.token = answer["token"]
    assert viewer.ask("GET", "/api/v1/run")[0] == 200
    viewer.close()


def test_only_this_machine_is_listened_to(viewer):
    inodes = {os.readlink(f"/proc/{viewer.process.pid}/fd/{n}") for n in os.listdir(f"/proc/{viewer.process.pid}/fd")}
    with open("/proc/net/tcp", encoding="ascii") as file:
        own = [line.split() for line in file.readlines()[1:] if f"socket:[{line.split()[9]}]" in inodes]
    assert [line[1] for line in own if line[3] == "0A"] == [f"0100007F:{viewer.port:04X}"]


def test_secrets_are_in_no_argument_and_no_log(viewer):
    with open(f"/proc/{viewer.process.pid}/cmdline", "rb") as file:
        assert viewer.token.encode() not in file.read()


PAGES = ["/", "/app.js", "/style.css", "/numbers.js", "/healthz"]
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
           "Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"}


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/run", "/api/v1/pages.npz", "/nothing", "/api/v1/nothing", "/api/v1/features?x=1"])
def test_every_answer_has_the_policy(viewer, path):
    status, _, headers = viewer.ask("GET", path)
    assert status == (200 if path in PAGES or path in ("/api/v1/run", "/api/v1/pages.npz") else 400 if "?" in path else 404)
    assert {name: headers[name] for name in HEADERS} == HEADERS and "Access-Control-Allow-Origin" not in headers and "Server" not in headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy and "require-trusted-types-for 'script'" in policy
    assert not path.startswith("/api/") or "text/html" not in headers["Content-Type"]


def test_pages_hold_no_data(viewer, made):
    words = set(WORDS)
    for path in PAGES:
        data = viewer.raw(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{viewer.port}\r\n\r\n".encode())
        assert data.startswith(b"HTTP/1.1 200 ") and not words & set(re.findall(r"[a-z]+", data.decode())) - {"ring", "survey", "lens"}


# ---- attacks on a socket ----


def requests(port, token):
    """(what, bytes, statuses that may come; None: nothing may). No answer may hold data of the run."""
    host = f"Host: 127.0.0.1:{port}\r\n"
    auth = f"Authorization: Bearer {token}\r\n"
    get = "GET /api/v1/run HTTP/1.1\r\n"
    json2 = "Content-Type: application/json\r\nContent-Length: 2\r\n"
    yield from [(f"host {name!r}", f"{get}Host: {name}\r\n{auth}\r\n", {421, 400}) for name in (
        "example.invalid", f"example.invalid:{port}", "127.0.0.1", f"127.0.0.1.example.invalid:{port}", f"127.0.0.1:{port}.example.invalid", f"2130706433:{port}",
        f"0x7f.1:{port}", f"[::]:{port}", f"0:{port}", "", f"localhost:{port + 1}", f"127.0.0.1:{port}, example.invalid", f"user@127.0.0.1:{port}", f"127.0.0.2:{port}")]
    yield from [(f"origin {name!r}", f"{get}{host}{auth}Origin: {name}\r\n\r\n", {403}) for name in
                ("null", "http://example.invalid", f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}", f"http://127.0.0.1:{port}.example.invalid", "file://", "")]
    yield from [(f"site {name}", f"{get}{host}{auth}Sec-Fetch-Site: {name}\r\n\r\n", {403}) for name in ("cross-site", "same-site", "none", "SAME-ORIGIN", "")]
    yield from [(f"token {value[:20]!r}", f"{get}{host}{value}\r\n", {401}) for value in (
        "", "Authorization: Bearer\r\n", "Authorization: Bearer x\r\n", f"Authorization: Basic {token}\r\n", f"Authorization: Bearer {token[:-1]}\r\n",
        f"Authorization: Bearer {token}a\r\n", f"Authorization: Bearer {token[::-1]}\r\n", f"Cookie: token={token}\r\n", f"X-Token: {token}\r\n", f"Authorization: {token}\r\n")]
    yield ("token in the query", f"GET /api/v1/run?token={token} HTTP/1.1\r\n{host}\r\n", {401})
    yield from [(f"path {path}", f"GET {path} HTTP/1.1\r\n{host}{auth}\r\n", {400, 404}) for path in (
        "/../run.json", "/..", "/%2e%2e/run.json", "/%2e%2e%2frun.json", "/..%2frun.json", "/%252e%252e%252frun.json", "/..%5crun.json", "/..\\run.json", "/%c0%ae%c0%ae/run.json",
        "/./run.json", "//run.json", "/run.json", "/evidence/texts.arrow", "/api/v1/../run.json", "/api/v1/features/../run", "/api/v1/features/99999999999", "/api/v1/features/-1",
        "/api/v1/features/1e1", "/api/v1/features/0x1", "/api/v1/features/", "/api/v1/columns/../../run.json", "/app.js%00", "/app.js/", "/src/app.js", "/.git/config", "/..;/run.json",
        "/assets/app.js", "/API/v1/run", "/api/v1/run/", "/api/v2/run", "http://example.invalid/", f"http://127.0.0.1:{port}/api/v1/run", "*")]
    yield from [(f"method {method}", f"{method} /api/v1/run HTTP/1.1\r\n{host}{auth}Content-Length: 0\r\n\r\n", {405, 400}) for method in
                ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND", "GET\0", "G ET")]
    yield from [(f"framing {name}", f"{line}{host}{auth}{headers}\r\n{body}", {400, 411, 413, 501, 417, 415}) for name, line, headers, body in (
        ("te", get, "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), ("te and cl", "POST /api/v1/encode HTTP/1.1\r\n", f"{json2}Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("two cl", "POST /api/v1/encode HTTP/1.1\r\n", f"{json2}Content-Length: 3\r\n", "{} "), ("cl on get", get, "Content-Length: 4\r\n", "abcd"),
        ("cl sign", "POST /api/v1/encode HTTP/1.1\r\n", "Content-Type: application/json\r\nContent-Length: +2\r\n", "{}"),
        ("cl list", "POST /api/v1/encode HTTP/1.1\r\n", "Content-Type: application/json\r\nContent-Length: 2, 2\r\n", "{}"),
        ("cl large", "POST /api/v1/encode HTTP/1.1\r\n", "Content-Type: application/json\r\nContent-Length: 99999999999999999999\r\n", "{}"),
        ("no cl", "POST /api/v1/encode HTTP/1.1\r\n", "Content-Type: application/json\r\n", ""), ("expect", "POST /api/v1/encode HTTP/1.1\r\n", f"{json2}Expect: 100-continue\r\n", "{}"),
        ("form", "POST /api/v1/encode HTTP/1.1\r\n", "Content-Type: text/plain\r\nContent-Length: 2\r\n", "{}"), ("websocket", get, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", ""),
        ("smuggled", "POST /api/v1/encode HTTP/1.1\r\n", json2, f"{{}}{get}{host}{auth}\r\n"), ("pipelined", get, "", f"{get}{host}{auth}\r\n"),
        ("fold", get, "X: a\r\n b\r\n", ""), ("space before colon", get, "X : a\r\n", ""), ("cr", get, "X: a\rb\r\n", ""), ("lf", get, "X: a\nY: b\r\n", ""), ("nul", get, "X: a\0b\r\n", ""),
        ("nul in a name", get, "X\0: a\r\n", ""), ("no colon", get, "abc\r\n", ""), ("host twice", get, host, ""))]
    yield ("bare lf", f"{get}{host}{auth}\r\n".replace("\r\n", "\n"), None)
    yield ("http/0.9", "GET /\r\n\r\n", {400})
    yield ("http/1.0", f"GET /api/v1/run HTTP/1.0\r\n{host}{auth}\r\n", {505})
    yield ("http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505})
    yield ("tls", "\x16\x03\x01\x02\x00\x01\x00", None)
    yield ("split header", f"{get}{host}X: a\r\nSet-Cookie: b\r\n\r\n", {401})
    yield ("query", f"GET /api/v1/features?q=%00 HTTP/1.1\r\n{host}{auth}\r\n", {400})
    yield ("query with crlf", f"GET /api/v1/features?q=%0d%0aSet-Cookie:a HTTP/1.1\r\n{host}{auth}\r\n", {400})
    yield ("twice", f"GET /api/v1/features?limit=1&limit=2 HTTP/1.1\r\n{host}{auth}\r\n", {400})
    yield ("long target", f"GET /{'a' * 4000} HTTP/1.1\r\n{host}\r\n", {414})
    yield ("long head", f"{get}{host}X: {'a' * 20000}\r\n\r\n", {431})
    yield ("many headers", f"{get}{host}{''.join(f'X{i}: a{chr(13)}{chr(10)}' for i in range(500))}\r\n", {431})
    yield ("empty", "", None)


def test_nothing_gets_through(viewer):
    n = 0
    for what, text, statuses in requests(viewer.port, viewer.token):
        back = viewer.raw(text.encode("latin-1"))
        n += 1
        found = re.match(rb"HTTP/1\.1 (\d{3}) ", back)
        assert (found and int(found[1]) in statuses) if statuses else not back.startswith(b"HTTP/1.1 2"), f"{what}: {back[:120]}"
        assert back.count(b"HTTP/1.1 ") <= 1 and b"rows_used" not in back and b'"n_features"' not in back, what
        assert b"Set-Cookie" not in back and b"<" not in back.split(b"\r\n\r\n", 1)[-1], what
    assert n >= 100
    assert viewer.ask("GET", "/api/v1/run")[0] == 200


def test_slow_requests_are_cut_off(viewer):
    """A byte now and then moves no deadline; others are served meanwhile."""
    with socket.create_connection(("127.0.0.1", viewer.port)) as slow:
        slow.settimeout(30)
        started = time.monotonic()
        with contextlib.suppress(OSError):
            for c in f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{viewer.port}\r\n" + "X: a\r\n" * 20:
                slow.sendall(c.encode())
                time.sleep(0.2)
                assert time.monotonic() - started < 20
        assert 9 < time.monotonic() - started < 14
    assert viewer.ask("GET", "/healthz")[0] == 200


def test_many_connections(viewer):
    """Two thousand that say nothing, at most a thousand at a time: whoever asks is answered after them."""
    for _ in range(2):
        idle = []
        with contextlib.ExitStack() as stack:
            for _ in range(1000):
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    s.connect(("127.0.0.1", viewer.port))
                idle.append(s)
        with open(f"/proc/{viewer.process.pid}/status", encoding="ascii") as file:
            assert "Threads" in file.read()
    assert viewer.ask("GET", "/api/v1/run")[0] == 200
    assert len(os.listdir(f"/proc/{viewer.process.pid}/fd")) < 100


def test_requests_at_once(viewer):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: viewer.ask("GET", "/api/v1/features/3")[0], range(300))) == {200}


# ---- answers ----


def test_the_run(viewer, made):
    status, answer, headers = viewer.ask("GET", "/api/v1/run")
    manifest = json.loads((made / "run/run.json").read_text(encoding="utf8"))
    assert status == 200 and answer["rows"]["used"] == manifest["rows"]["used"] and answer["n_features"] == manifest["sae"]["n_features"]
    assert headers["ETag"] and headers["Cache-Control"] == "private, no-cache"


def test_tags(viewer):
    for path in ("/api/v1/run", "/api/v1/pages.npz", "/api/v1/features/1", "/", "/app.js"):
        tag = viewer.ask("GET", path)[2]["ETag"]
        for given in (tag, f"W/{tag}", "*", f'"x", {tag}'):
            status, data, _ = viewer.ask("GET", path, headers={"If-None-Match": given})
            assert status == 304 and data == b""
        assert viewer.ask("GET", path, headers={"If-None-Match": '"x"'})[0] == 200


@pytest.mark.parametrize("path", ["/api/v1/run", "/", "/nothing", "/api/v1/pages.npz"])
def test_head_is_get_without_a_body(viewer, path):
    got, head = viewer.ask("GET", path), viewer.ask("HEAD", path)
    assert head[0] == got[0] and head[2]["Content-Length"] == got[2]["Content-Length"]


def test_features_are_those_of_show(viewer, made, run):
    for query, words in (("", []), ("?limit=5&offset=3", []), ("?sort=max", ["--sort", "max"]), ("?q=comet", ["--search", "comet", "--sort", "rate"]),
                         ("?rate_min=5&rate_max=30", ["--rate", "5..30"]), ("?show=dead", ["--dead"])):
        status, answer, _ = viewer.ask("GET", f"/api/v1/features{query}")
        assert status == 200
        shown = json.loads(run("show", made / "run", "--json", "--limit", 1000, *words).out)
        part = slice(3, 8) if "offset" in query else slice(0, 100)
        assert answer["n_found"] == shown["n_found"]
        assert [item["feature"] for item in answer["features"]] == [item["feature"] for item in shown["features"]][part]
        for item, other in zip(answer["features"], shown["features"][part]):
            assert item["n_fires"] == other["n_fires"] and item["rate_low_pct"] == other["rate_low_pct"] and np.float32(item["rate_pct"]) == np.float32(other["rate_pct"])


@pytest.mark.parametrize("query", ["limit=0x5", "limit=1001", "offset=100001", "offset=-1", "sort=x", "rate_min=101", "rate_max=x", "show=all", "x=1", "q=a&q=b", "limit=99999999999"])
def test_wrong_parameters_are_refused(viewer, query):
    status, answer, headers = viewer.ask("GET", f"/api/v1/features?{query}")
    assert status == 400 and headers["Content-Type"] == "application/problem+json" and set(answer) == {"type", "title", "status", "detail"}


def test_a_feature_is_that_of_show(viewer, made, run):
    for f in range(0, 24, 5):
        answer = viewer.ask("GET", f"/api/v1/features/{f}")[1]
        shown = json.loads(run("show", made / "run", f, "--json").out)["features"][0]
        assert [(item["activation"], item["text"]) for item in answer["top_texts"]] == [(float(np.float32(item["activation"])), item["text"]) for item in shown["top_texts"]]
        assert sum(answer["histogram"]["counts"]) == answer["n_fires"] == shown["n_fires"]


def test_typed_texts_have_the_features_of_encode(viewer, made, run, tmp_path):
    texts = ["A comet near a pulsar.", "Ünïcödé 日本語 \u202e text", "x " * 2000, "a", "\0\x1b<script>"]
    status, answer, _ = viewer.ask("POST", "/api/v1/encode", {"texts": texts, "top": 256})
    assert status == 200, answer
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
    assert run("encode", "-m", MODEL, "-s", SAE, "-d", tmp_path / "texts.jsonl", "-o", tmp_path / "a.jsonl").code == 0
    for item, line in zip(answer["texts"], (tmp_path / "a.jsonl").read_text(encoding="utf8").splitlines()):
        expected = json.loads(line)
        pairs = sorted(zip(expected["features"], expected["activations"]), key=lambda p: (-p[1], p[0]))
        assert [(f["feature"], np.float32(f["activation"])) for f in item["features"]] == [(f, np.float32(a)) for f, a in pairs]
        assert item["n_active"] == len(pairs)
    assert [item["may_be_cut"] for item in answer["texts"]] == [False, False, True, False, False]


@pytest.mark.parametrize("body", [{}, [], {"texts": []}, {"texts": "a"}, {"texts": [1]}, {"texts": ["a"] * 17}, {"texts": ["a"], "top": 0}, {"texts": ["a"], "top": 257},
                                  {"texts": ["a"], "top": "5"}, {"texts": ["a"], "x": 1}, b"{", b'{"texts": ["\xff"]}', b"[" * 5000, {"texts": None}])
def test_wrong_bodies_are_refused(viewer, body):
    status, answer, headers = viewer.ask("POST", "/api/v1/encode", body)
    assert status == 400 and headers["Content-Type"] == "application/problem+json" and answer["status"] == 400


def test_models_that_are_gone(program, made, tmp_path):
    import shutil
    shutil.copytree(made / "run", tmp_path / "run")
    manifest = json.loads((made / "run/run.json").read_text(encoding="utf8"))
    manifest["model"]["path"] = str(tmp_path / "nowhere")
    (tmp_path / "run/run.json").write_text(json.dumps(manifest), encoding="utf8")
    viewer = Viewer(program, tmp_path / "run")
    viewer.take_token()
    status, answer, _ = viewer.ask("POST", "/api/v1/encode", {"texts": ["a"]})
    assert status == 503 and "no longer at" in answer["detail"]
    assert viewer.ask("GET", "/api/v1/run")[0] == 200
    viewer.close()


# ---- the program ----


def test_a_port_in_use_and_wrong_runs(run, program, made, tmp_path, viewer):
    done = run("view", made / "run", "--port", viewer.port)
    assert done.code == 74 and str(viewer.port) in done.err
    assert run("view", tmp_path / "nothing").code == 66
    assert run("view", tmp_path).code == 65
    assert run("view", made / "run", "--port", 70000).code == 64


def test_two_viewers_and_kill(program, made, viewer):
    other = Viewer(program, made / "run", "--port", str(free_port()))
    other.take_token()
    assert other.token != viewer.token
    assert other.ask("GET", "/api/v1/run", headers={"Authorization": f"Bearer {viewer.token}"})[0] == 401
    other.process.kill()
    other.process.wait()
    assert viewer.ask("GET", "/api/v1/run")[0] == 200


# ---- in a browser ----


def test_pages_in_a_browser(browser, program, made):
    viewer = Viewer(program, made / "run")
    browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
    browser.wait("document.body && document.body.dataset.ready")
    assert viewer.code not in browser.js("return location.href") and browser.log() == []
    rows = sorted(features_of(made / "run"), key=lambda r: (-int(r["n_fires"]), int(r["feature"])))
    browser.go("#/features")
    assert [line[0] for line in browser.js(TABLE)][:10] == [r["feature"] for r in rows][:10]
    browser.go("#/text")
    browser.js("const t = document.querySelector('textarea'); t.value = 'A comet near a pulsar.'; t.dispatchEvent(new Event('input'))")
    browser.wait("document.querySelectorAll('.answer tbody tr').length > 0")
    viewer.token = browser.js("return sessionStorage.getItem('saescope-token')")
    expected = viewer.ask("POST", "/api/v1/encode", {"texts": ["A comet near a pulsar."]})[1]["texts"][0]
    shown = browser.js("return [...document.querySelectorAll('.answer tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert [int(row[0]) for row in shown] == [item["feature"] for item in expected["features"]]
    assert [float(row[2]) for row in shown] == pytest.approx([item["activation"] for item in expected["features"]], rel=1e-3)
    assert browser.log() == []
    assert {entry.split("/")[2] for entry in browser.js("return performance.getEntriesByType('resource').map((e) => e.name)")} == {f"127.0.0.1:{viewer.port}"}
    # a link is good once; the tab keeps what it got
    browser.call("POST", f"{browser.session}/refresh", {})
    browser.wait("document.body && document.body.dataset.ready && document.body.dataset.ready !== 'error'")
    viewer.close()


def test_without_a_link_there_is_no_data(browser, viewer):
    browser.call("POST", f"{browser.session}/url", {"url": f"http://localhost:{viewer.port}/#/features"})
    browser.wait("document.body && document.body.dataset.ready === 'error'")
    assert "link" in browser.js("return document.querySelector('main').innerText")
