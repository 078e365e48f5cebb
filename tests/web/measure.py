#!/usr/bin/env python3
"""How large and how quick a report of 65,536 features with 10 texts each is, in a browser.

    SAESCOPE=build/release/saescope tests/web/measure.py [FEATURES]

Prints a line a bar: what, measured, bar. Exits with 1 where one is missed. Times are the median of five, of the work that
the page does until it has drawn, without what the driver takes.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/web")]
import make_page_run  # noqa: E402
from browser import Browser  # noqa: E402

# Runs a change of the page, waits until it is laid out, and says how long that took.
TIMED = """const done = arguments[arguments.length - 1]; const began = performance.now();
(async () => { %s; await new Promise((r) => requestAnimationFrame(() => setTimeout(r))); done(performance.now() - began); })()"""
INPUT = "const i = document.getElementById('search'); i.value = '%s'; i.dispatchEvent(new Event('input')); document.body.offsetHeight"
SORT = "[...document.querySelectorAll('.sort')].find((b) => b.textContent.startsWith('%s')).click(); document.body.offsetHeight"
JUMP = "const b = document.querySelector('.list .body'); b.scrollTop = Math.random() * b.scrollHeight; b.dispatchEvent(new Event('scroll')); document.body.offsetHeight"
OPEN = "location.hash = '#/feature/%d'; await new Promise((r) => addEventListener('hashchange', () => setTimeout(r), {once: true})); while (document.querySelectorAll('.item').length === 0) await new Promise((r) => setTimeout(r)); document.body.offsetHeight"

MAP = "location.hash = '#/'; await new Promise((r) => addEventListener('hashchange', () => setTimeout(r, 300), {once: true})); const again = performance.now(); location.hash = '#/map'; await new Promise((r) => addEventListener('hashchange', () => setTimeout(r), {once: true})); while (document.querySelectorAll('[data-panel=texts] li').length === 0) await new Promise((r) => setTimeout(r)); document.body.offsetHeight; return done(performance.now() - again)"
ZOOM = "document.querySelector('[aria-label=%s]').click(); await new Promise((r) => setTimeout(r)); document.body.offsetHeight"


def main():
    features = int(sys.argv[1]) if len(sys.argv) > 1 else 65536
    program = os.environ.get("SAESCOPE", ROOT / "build/release/saescope")
    missed = []

    def say(what, value, bar, unit):
        print(f"{what:48} {value:>10.5g} {unit:3} (bar {bar:g})", flush=True)
        if value > bar:
            missed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_page_run.main([str(folder / "run"), "--features", str(features)])
        make_page_run.main([str(folder / "map"), "--features", "2000", "--map-texts", "1000000"])
        subprocess.run([program, "report", folder / "map", "-q", "--budget", "60M", "-o", folder / "map.html"], check=True)
        for name in ("a", "b"):
            began = time.monotonic()
            subprocess.run([program, "report", folder / "run", "-q", "-o", folder / f"{name}.html"], check=True)
            say("report written", time.monotonic() - began, 60, "s")
        say("bytes that differ between two reports", (folder / "a.html").read_bytes() != (folder / "b.html").read_bytes(), 0, "")
        say("size of the report", (folder / "a.html").stat().st_size / 1e6, 15, "MB")
        browser = Browser(folder)
        try:
            url = (folder / "a.html").as_uri()
            times = []
            for _ in range(5):
                browser.open(url)
                times.append(browser.js("return performance.getEntriesByName('ready')[0].startTime"))
            say("ready after", statistics.median(times) / 1e3, 3, "s")
            say("requests", browser.js("return performance.getEntriesByType('resource').length"), 0, "")
            say("lines in the console", len(browser.log()), 0, "")
            browser.open(url, "#/features")
            timed = lambda script: browser.js_async(TIMED % script)  # noqa: E731
            for what, scripts in {
                "sort": [SORT % name for name in ("rate", "max", "mean", "fires", "id")],
                "filter by words, a few match": [INPUT % word for word in ("star galaxy", "orbit dust", "planet gas", "halo sky", "ray disk")],
                "filter by words, many match": [INPUT % word for word in ("star", "a", "e", "s", "ga")],
                "jump": [JUMP] * 5,
            }.items():
                say(what, statistics.median(map(timed, scripts)), 100, "ms")
            browser.js_async(TIMED % (INPUT % ""))
            say("feature page", statistics.median(timed(OPEN % f) for f in (11, 60001 % features, 333, 4444 % features, 31000 % features)), 100, "ms")
            browser.open((folder / "map.html").as_uri(), "#/map")
            say("map of 1,000,000 points drawn", statistics.median(timed(MAP) for _ in range(5)), 100, "ms")
            say("the same after zoom", statistics.median(timed(ZOOM % name) for name in ("Nearer", "Nearer", "Nearer", "Farther", "Farther")), 100, "ms")
        finally:
            browser.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
