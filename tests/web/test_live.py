"""A run is seen while it is written, and the job neither waits for who looks nor dies with them."""
import contextlib
import fcntl
import json
import os
import random
import re
import signal
import subprocess
import time

import numpy as np
import pytest

from browser import browser  # noqa: F401: a fixture
from test_report import MODEL, SAE, WORDS, features_of
from viewer import Viewer

pytestmark = pytest.mark.filterwarnings("ignore")


class Feed:
    """Rows that are written to an analysis bit by bit, by a pipe."""

    def __init__(self, program, folder, *words):
        self.program, self.run, self.n = program, folder / "run", 0
        self.rng = random.Random(6)
        self.process = subprocess.Popen([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", "-", "--format", "jsonl", "--steps", "none", "-o", self.run, *map(str, words)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def rows(self, n):
        for _ in range(n):
            self.process.stdin.write(json.dumps({"text": f"{self.rng.choice(WORDS)} {self.rng.choice(WORDS)} {self.n}"}).encode() + b"\n")
            self.n += 1
        self.process.stdin.flush()

    def until_snapshot(self, seconds=60):
        """Rows until the first snapshot is there; its path."""
        deadline = time.monotonic() + seconds
        while True:
            self.rows(500)
            found = [*self.run.glob(".unfinished.*/snapshot.json")]
            if found:
                return found[0]
            assert time.monotonic() < deadline and self.process.poll() is None, "no snapshot comes"
            time.sleep(0.2)

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        self.process.stdout.close()
        assert code == 0, self.process.stderr.read().decode()
        self.process.stderr.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


@pytest.fixture
def feed(program, tmp_path):
    feed = Feed(program, tmp_path)
    yield feed
    feed.close()


def until(test, seconds=30):
    deadline = time.monotonic() + seconds
    while not (value := test()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return value


def test_a_run_under_way(feed, program, browser):
    snapshot = feed.until_snapshot()
    viewer = Viewer(program, feed.run)
    browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
    browser.wait("document.body && document.body.dataset.ready")
    viewer.token = browser.js("return sessionStorage.getItem('saescope-token')")
    kept = json.loads(snapshot.read_text(encoding="utf8"))
    live = viewer.get("/api/v1/live")
    assert live["state"] == "running" and live["rows_total"] is None
    assert (live["rows_read"], live["rows_used"]) >= (kept["rows"]["read"], kept["rows"]["used"]) and live["rows_used"] > 0
    answer = viewer.get("/api/v1/features?sort=feature")
    assert answer["rows_used"] == viewer.get("/api/v1/live")["rows_used"]
    assert len(answer["features"]) == 24 and sum(item["n_fires"] for item in answer["features"]) > 0
    for item in answer["features"]:
        assert item["rate_pct"] == pytest.approx(100 * item["n_fires"] / answer["rows_used"], rel=1e-6)
    assert "at work" in browser.wait("document.querySelector('.live') && document.querySelector('.live').innerText")
    assert viewer.ask("GET", "/api/v1/rows/0")[0] == 404
    status, problem, _ = viewer.ask("POST", "/api/v1/encode", {"texts": ["a"]})
    assert status == 503 and "not done" in problem["detail"]
    feed.end()
    until(lambda: viewer.get("/api/v1/live")["state"] == "done")
    assert viewer.get("/api/v1/live")["rows_used"] == feed.n
    rows = features_of(feed.run)
    assert [item["n_fires"] for item in viewer.get("/api/v1/features?sort=feature")["features"]] == [int(row["n_fires"]) for row in rows]
    assert viewer.post("/api/v1/encode", {"texts": ["a comet"]})["texts"]
    browser.wait("!document.querySelector('.live')")  # the overview has the numbers of all rows then
    assert f"{feed.n:,}" in browser.js("return document.querySelector('.tile strong').innerText")
    assert browser.log() == []
    viewer.close()
    assert not [name for name in os.listdir(feed.run) if name.startswith(".")]


def test_before_there_are_numbers(program, run, tmp_path, browser):
    """A job that has its folder and nothing in it yet: one that holds the lock, as others see it."""
    folder = tmp_path / "run"
    (folder / ".unfinished.0123456789abcdef").mkdir(parents=True)
    with open(folder / ".saescope.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        viewer = Viewer(program, folder)
        browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
        browser.wait("document.getElementById('waiting')")
        viewer.token = browser.js("return sessionStorage.getItem('saescope-token')")
        for path in ("run", "pages.npz", "features", "features/1", "rows/1", "search?q=a"):
            status, answer, headers = viewer.ask("GET", f"/api/v1/{path}")
            assert status == 503 and headers["Retry-After"] and "no numbers yet" in answer["detail"]
        assert viewer.get("/api/v1/live") == {"schema": 1, "state": "running", "rows_read": 0, "rows_used": 0, "rows_total": None, "seconds": 0, "pages": None}
    until(lambda: viewer.get("/api/v1/live")["state"] == "interrupted")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": f"{word} {i}"}) + "\n" for i in range(3) for word in WORDS), encoding="utf8")
    assert run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", tmp_path / "texts.jsonl", "--steps", "none", "-o", folder).code == 0
    browser.wait("document.body.dataset.ready === '#/'")
    assert browser.js("return document.querySelector('.tile strong').innerText") == str(3 * len(WORDS))
    assert [message for message in browser.log() if "503" not in message] == []
    viewer.close()


def test_numbers_of_a_job_that_was_killed(feed, program):
    feed.until_snapshot()
    feed.process.kill()
    feed.process.wait()
    viewer = Viewer(program, feed.run)
    viewer.take_token()
    live = viewer.get("/api/v1/live")
    assert live["state"] == "interrupted" and live["rows_used"] > 0
    assert viewer.get("/api/v1/features")["rows_used"] == live["rows_used"]
    viewer.close()


@pytest.mark.parametrize("change", [lambda d: d.pop("rows"), lambda d: d["rows"].update(used=-1), lambda d: d["rows"].update(used=1e99), lambda d: d["features"].update(n_fires=[]),
                                    lambda d: d["features"]["n_fires"].__setitem__(0, d["rows"]["used"] + 1), lambda d: d["features"]["max_activation"].__setitem__(3, "x"), lambda d: d["sae"].update(n_features=10 ** 12),
                                    lambda d: d["sae"].update(n_features=0), lambda d: d["features"]["mean_activation"].__setitem__(3, float("nan")), lambda d: d.clear()])
def test_snapshots_that_are_wrong(run, tmp_path, change):
    """Nothing of a folder is believed."""
    n = 24
    made = {"schema": 1, "dataset": {"name": "x"}, "model": {"name": "m"}, "sae": {"kind": "k", "n_features": n}, "rows": {"read": 10, "used": 9, "total": 0}, "seconds": 1.5,
            "features": {"n_fires": [3] * n, "max_activation": [1.0] * n, "mean_activation": [0.5] * n}}
    change(made)
    (tmp_path / ".unfinished.0123456789abcdef").mkdir()
    (tmp_path / ".unfinished.0123456789abcdef/snapshot.json").write_text(json.dumps(made), encoding="utf8")
    done = run("view", tmp_path)
    assert done.code == 65 and "snapshot.json" in done.err


def test_newer_results_are_taken(program, run, tmp_path):
    """What a later step adds to a run is shown without a new viewer."""
    rng = random.Random(3)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": f"{rng.choice(WORDS)} {rng.choice(WORDS)} {rng.choice(WORDS)} {i}"}) + "\n" for i in range(200)), encoding="utf8")
    assert run("analyze", "-q", "-m", MODEL, "-s", SAE, "-d", tmp_path / "texts.jsonl", "--steps", "none", "-o", tmp_path / "run").code == 0
    viewer = Viewer(program, tmp_path / "run")
    viewer.take_token()
    before = viewer.get("/api/v1/live")["pages"]
    assert viewer.get("/api/v1/run")["labels"] is None
    assert run("describe", "-q", tmp_path / "run").code == 0
    until(lambda: viewer.get("/api/v1/live")["pages"] != before)
    assert viewer.get("/api/v1/run")["labels"] is not None and viewer.get("/api/v1/search?q=a&by=features")["n_searched"] == 24
    status, _, headers = viewer.ask("GET", "/api/v1/live")
    assert viewer.ask("GET", "/api/v1/live", headers={"If-None-Match": headers["ETag"]})[0] == 304
    viewer.close()


# ---- analyze --view ----


def link_of(process):
    for line in iter(process.stderr.readline, b""):
        found = re.match(rb"http://127\.0\.0\.1:(\d+)/#t=([0-9a-f]{64})", line)
        if found:
            return int(found[1]), found[2].decode()
    raise AssertionError("no link")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def test_the_job_starts_a_viewer_and_ends_it(program, tmp_path):
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": word}) + "\n" for word in WORDS), encoding="utf8")
    process = subprocess.Popen([program, "analyze", "-m", MODEL, "-s", SAE, "-d", tmp_path / "texts.jsonl", "--steps", "none", "-o", tmp_path / "run", "--view", "--json"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    link_of(process)
    child, = children(process.pid)
    assert os.getpriority(os.PRIO_PROCESS, child) == 19 and os.sched_getscheduler(child) == os.SCHED_IDLE
    assert json.loads(process.stdout.readline())["rows_used"] == len(WORDS)  # standard output is the job's
    time.sleep(0.5)
    assert process.poll() is None  # the pages stay
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    process.stdout.close()
    process.stderr.close()


def test_the_viewer_is_killed_and_the_job_goes_on(program, tmp_path):
    feed = Feed(program, tmp_path, "--view")
    feed.until_snapshot()
    link_of(feed.process)
    child, = children(feed.process.pid)
    os.kill(child, signal.SIGKILL)
    feed.rows(20)
    feed.end()
    assert json.loads((feed.run / "run.json").read_text(encoding="utf8"))["rows"]["used"] == feed.n
    assert np.load(feed.run / "fire_rate.npy").shape == (24,)


def test_a_job_that_fails_takes_its_viewer_with_it(program, tmp_path):
    done = subprocess.run([program, "analyze", "-m", MODEL, "-s", SAE, "-d", tmp_path / "nothing.jsonl", "-o", tmp_path / "run", "--view"], capture_output=True, timeout=60)
    assert done.returncode == 66 and b"http://" not in done.stderr


def test_a_job_that_is_killed_takes_its_viewer_with_it(program, tmp_path):
    feed = Feed(program, tmp_path, "--view")
    feed.until_snapshot()
    link_of(feed.process)
    child, = children(feed.process.pid)
    feed.process.kill()
    feed.process.wait()

    def is_gone():
        try:
            with open(f"/proc/{child}/stat", encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True
    until(is_gone)
    feed.close()
