"""A browser for tests, driven by the WebDriver protocol (chromedriver): no package is needed."""
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Browser:
    def __init__(self, downloads):
        self.port = free_port()
        self.process = subprocess.Popen([DRIVER, f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.call("GET", "/status")
                break
            except OSError:
                assert time.monotonic() < deadline, "chromedriver does not answer"
                time.sleep(0.05)
        options = {"binary": CHROMIUM, "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-ipc-flooding-protection", "--window-size=1200,900"],
                   "prefs": {"download.default_directory": str(downloads), "download.prompt_for_download": False}}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"}, "goog:chromeOptions": options}}})
        self.session = f"/session/{made['sessionId']}"

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(), headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:500]) from None

    def js(self, script, *arguments):
        return self.call("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def js_async(self, script, *arguments):
        return self.call("POST", f"{self.session}/execute/async", {"script": script, "args": list(arguments)})

    def cdp(self, command, **parameters):
        return self.call("POST", f"{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def wait(self, expression, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            value = self.js(f"return {expression}")
            if value:
                return value
            assert time.monotonic() < deadline, f"{expression} does not come true"
            time.sleep(0.02)

    def open(self, url, fragment="#/"):
        """Load a page from nothing and wait until it is drawn."""
        self.call("POST", f"{self.session}/url", {"url": "about:blank"})
        self.call("POST", f"{self.session}/url", {"url": f"{url}{fragment}"})
        self.wait("document.body && document.body.dataset.ready")

    def go(self, fragment):
        """Another page of the same document."""
        self.js("delete document.body.dataset.ready; location.hash = '#/nowhere-yet'; location.hash = arguments[0]", fragment)
        self.wait("document.body.dataset.ready === location.hash")

    def log(self):
        return [line["message"] for line in self.call("POST", f"{self.session}/se/log", {"type": "browser"})]

    def keys(self, *keys):
        actions = [action for key in keys for action in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})]
        self.call("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def close(self):
        with contextlib.suppress(AssertionError, OSError):
            self.call("DELETE", self.session)
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with chromedriver")
    made = Browser(tmp_path_factory.mktemp("downloads"))
    yield made
    made.close()
