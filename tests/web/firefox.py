"""Firefox for the same tests, driven by WebDriver BiDi, which it speaks itself: no driver and no package is needed.

The class has the methods of browser.Browser. What only Chromium's own protocol can do is skipped."""
import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time

import pytest

from browser import Browser, free_port

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)


class Socket:
    """A WebSocket to this machine: texts there and back."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        if b" 101 " not in status:
            raise OSError(f"no WebSocket: {status!r}")
        while self.file.readline().strip():
            pass

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        n = len(data)
        head = struct.pack(">BB", 0x81, 0x80 | n) if n < 126 else struct.pack(">BBH", 0x81, 0xFE, n) if n < 65536 else struct.pack(">BBQ", 0x81, 0xFF, n)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        text = b""
        while True:
            head = self.file.read(2)
            if len(head) < 2:
                raise OSError("the browser has gone")
            n = head[1] & 0x7F
            n = struct.unpack(">H", self.file.read(2))[0] if n == 126 else struct.unpack(">Q", self.file.read(8))[0] if n == 127 else n
            data, kind = self.file.read(n), head[0] & 0x0F
            if kind in (0, 1):
                text += data
                if head[0] & 0x80:
                    return text.decode()

    def close(self):
        self.file.close()
        self.socket.close()


# What a script returns, r, as JSON; of elements, that there is one.
PACKED = "JSON.stringify(r === undefined ? null : r instanceof Node ? true : r)"


class Firefox(Browser):
    """Scripts are bodies of functions, as with WebDriver; what they return goes by JSON."""

    def __init__(self, downloads, profile):
        self.port, self.session, self.next, self.lines = free_port(), "", 0, []
        profile.mkdir(parents=True, exist_ok=True)
        prefs = {"browser.shell.checkDefaultBrowser": False, "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False,
                 "browser.download.folderList": 2, "browser.download.dir": str(downloads), "browser.download.always_ask_before_handling_new_types": False}
        (profile / "user.js").write_text("".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in prefs.items()))
        self.process = subprocess.Popen([FIREFOX, "--headless", "--no-remote", "--profile", profile, f"--remote-debugging-port={self.port}", "--window-size=1200,900", "about:blank"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(profile), "MOZ_DISABLE_CONTENT_SANDBOX": "1"})
        deadline = time.monotonic() + 120
        while True:
            try:
                self.socket = Socket(self.port, "/session")
                break
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None, "firefox does not answer"
                time.sleep(0.1)
        self.ask("session.new", capabilities={})
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]
        self.ask("browsingContext.setViewport", context=self.context, viewport={"width": 1200, "height": 900})
        self.ask("session.subscribe", events=["log.entryAdded"])

    def ask(self, method, **parameters):
        self.next += 1
        self.socket.send(json.dumps({"id": self.next, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get("method") == "log.entryAdded":
                entry = answer["params"]
                if entry.get("level") in ("error", "warn"):
                    self.lines.append(entry.get("text"))
            elif answer.get("id") == self.next:
                assert answer["type"] == "success", answer
                return answer["result"]

    def run(self, declaration, arguments):
        answer = self.ask("script.callFunction", functionDeclaration=declaration, awaitPromise=True, target={"context": self.context},
                          arguments=[{"type": "string", "value": json.dumps(arguments)}])
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def js(self, script, *arguments):
        return self.run(f"function (json) {{ const r = (function () {{ {script} }}).apply(null, JSON.parse(json)); return {PACKED}; }}", arguments)

    def js_async(self, script, *arguments):
        return self.run("function (json) { return new Promise((done) => { (function () { " + script +
                        " }).apply(null, [...JSON.parse(json), (r) => done(" + PACKED + ")]); }); }", arguments)

    def call(self, method, path, body=None):
        """Those calls of WebDriver that tests make themselves."""
        command = path.rsplit("/", 1)[-1]
        if command == "url":
            return self.ask("browsingContext.navigate", context=self.context, url=body["url"], wait="complete")
        if command == "refresh":
            return self.ask("browsingContext.reload", context=self.context, wait="complete")
        if command == "actions":
            return self.ask("input.performActions", context=self.context, actions=body["actions"])
        assert command == "log", path
        return self.log()

    def cdp(self, command, **parameters):
        pytest.skip(f"{command} is of Chromium's protocol alone")

    def log(self):
        lines, self.lines = self.lines, []
        return lines

    def keys(self, *keys):
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]}]})

    def close(self):
        with contextlib.suppress(AssertionError, OSError, ValueError):
            self.ask("browser.close")
        with contextlib.suppress(OSError):
            self.socket.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if FIREFOX is None:
        pytest.skip("no firefox")
    made = Firefox(tmp_path_factory.mktemp("downloads"), tmp_path_factory.mktemp("profile"))
    yield made
    made.close()
