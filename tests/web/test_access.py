"""Every page for everybody: names, roles, contrast, order of focus, narrow windows, no pointer; both colour schemes.

axe-core is run, too, where there is a copy of it: $SAESCOPE_AXE names axe.min.js, or a package `axe_playwright_python` has it.
"""
import importlib.util
import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from browser import browser  # noqa: F401: a fixture
from test_report import MODEL, SAE, WORDS, features_of
from test_view import Viewer

SCHEMES = ("light", "dark")
FRAGMENTS = ["#/", "#/features", "#/features?show=dead", "#/feature/3", "#/feature/3?texts=miss", "#/feature/3?texts=random", "#/feature/99999", "#/map", "#/map?q=galaxy&colour=rate",
             "#/compare", "#/compare?most=1", "#/texts?q=galaxy", "#/nothing"]


@pytest.fixture(scope="module")
def pair(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("access"), random.Random(4)
    for name in ("a", "b"):
        with open(folder / f"{name}.jsonl", "w", encoding="utf8") as file:
            for i in range(300):
                file.write(json.dumps({"text": " ".join(rng.choice(WORDS) for _ in range(7)) + f" {i}", "id": i, "kind": "ab"[i % 2]}) + "\n")
        done = subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / f"{name}.jsonl", "-o", folder / f"run-{name}", "--keep", "kind,id",
                               *(["--steps", "none"] if name == "b" else [])], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    done = subprocess.run([program, "report", "-q", folder / "run-a", "--with", folder / "run-b", "-o", folder / "report.html"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def pages(browser, program, pair):
    """Pages of the file and, of what is served, those that the file has not: functions that open one."""
    viewer = Viewer(program, pair / "run-a", "--with", pair / "run-b")
    url = (pair / "report.html").as_uri()
    browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
    browser.wait("document.body && document.body.dataset.ready")
    served = browser.js("return [...document.querySelectorAll('header nav a')].map((a) => a.hash)")
    browser.open(url)
    own = browser.js("return [...document.querySelectorAll('header nav a')].map((a) => a.hash)")

    def open_served(fragment):
        browser.call("POST", f"{browser.session}/url", {"url": f"http://127.0.0.1:{viewer.port}/{fragment}"})
        browser.call("POST", f"{browser.session}/refresh", {})
        browser.wait("document.body && document.body.dataset.ready")
        assert browser.js("return document.body.dataset.ready") != "error"

    found = {fragment: (lambda f=fragment: browser.open(url, f)) for fragment in dict.fromkeys([*FRAGMENTS, *own])}
    found |= {f"served {fragment}": (lambda f=fragment: open_served(f)) for fragment in served if fragment not in own}
    assert len(found) > len(FRAGMENTS)
    yield found
    viewer.close()


def in_scheme(browser, scheme, width=1200, height=900):
    browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)


@pytest.fixture(autouse=True)
def as_it_was(request):
    yield
    if "browser" in request.fixturenames:
        driver = request.getfixturevalue("browser")
        driver.cdp("Emulation.setEmulatedMedia", features=[])
        driver.cdp("Emulation.clearDeviceMetricsOverride")


# ---- axe ----


def axe_path():
    if os.environ.get("SAESCOPE_AXE"):
        return Path(os.environ["SAESCOPE_AXE"])
    found = importlib.util.find_spec("axe_playwright_python")
    return Path(found.origin).with_name("axe.min.js") if found else None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing(browser, pages, scheme):
    path = axe_path()
    if path is None or not path.exists():
        pytest.skip(f"no axe-core here ($SAESCOPE_AXE): {len(pages)} pages are not looked at by it")
    for name, show in pages.items():
        in_scheme(browser, scheme)
        show()
        browser.js(path.read_text(encoding="utf8") + "; window.axe = axe")
        found = browser.js_async("const done = arguments[0]; axe.run().then((r) => done([r.passes.length, r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 160))])]), (e) => done([0, String(e)]))")
        assert found[0] > 5 and found[1] == [], (name, scheme, found)


# ---- own checks ----

NAMELESS = """
const name = (e) => (e.getAttribute('aria-label') || [...(e.labels || [])].map((l) => l.textContent).join('') || e.textContent || e.title || '').trim();
return [...document.querySelectorAll('a, button, input, select, textarea, canvas, [role=img], [role=slider], [role=tab], [role=table], [role=region], [role=tablist]')].filter((e) => e.getClientRects().length > 0 && name(e) === '').map((e) => e.outerHTML.slice(0, 120))"""

STRUCTURE = """
const wrong = [], levels = [...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]));
if (levels.filter((l) => l === 1).length < 1) wrong.push('no h1');
levels.forEach((l, i) => { if (i > 0 && l > levels[i - 1] + 1) wrong.push('a level of headings is left out'); });
if (document.documentElement.lang !== 'en' || document.title === '') wrong.push('no language or title');
for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) wrong.push('tabindex ' + e.tabIndex);
for (const row of document.querySelectorAll('[role=row]')) if (!row.closest('[role=rowgroup]')) wrong.push('a row outside of a group');
for (const cell of document.querySelectorAll('[role=cell], [role=columnheader]')) if (!cell.closest('[role=row]')) wrong.push('a cell outside of a row');
for (const id of [...document.querySelectorAll('[id]')].map((e) => e.id)) if (document.querySelectorAll('#' + CSS.escape(id)).length > 1) wrong.push('id ' + id);
for (const e of document.querySelectorAll('button, a, input, select')) {
  const box = e.getBoundingClientRect();
  if (box.height > 1 && box.height < 16) wrong.push('small: ' + e.outerHTML.slice(0, 100));
}
return wrong"""

# Texts whose colour is nearer to what is behind them than 4.5:1 (3:1 where they are large).
PALE = """
const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
const light = ([r, g, b]) => { const part = [r, g, b].map((v) => { const c = v / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }); return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]; };
const behind = (e) => { for (; e; e = e.parentElement) { const colour = parse(getComputedStyle(e).backgroundColor); if (colour[3] === 1) return colour; } return [255, 255, 255, 1]; };
const pale = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (walker.currentNode.textContent.trim() === '' || e.getClientRects().length === 0 || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION'].includes(e.tagName)) continue;
  const style = getComputedStyle(e), ink = parse(e.namespaceURI.endsWith('svg') ? style.fill : style.color), a = light(ink), b = light(behind(e));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) pale.push([ratio.toFixed(2), walker.currentNode.textContent.slice(0, 40), e.className]);
}
return pale"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_structure_and_contrast(browser, pages, scheme):
    for name, show in pages.items():
        in_scheme(browser, scheme)
        show()
        assert browser.js(NAMELESS) == [], name
        assert browser.js(STRUCTURE) == [], name
        assert browser.js(PALE) == [], (name, scheme)


@pytest.mark.parametrize("script, breaks", [(NAMELESS, "document.querySelector('header button').textContent = ''; document.querySelector('header button').removeAttribute('aria-label')"),
                                            (STRUCTURE, "document.querySelector('main a, main button').tabIndex = 3"), (PALE, "document.querySelector('main p').style.color = '#999'")],
                         ids=["names", "structure", "contrast"])
def test_what_is_wrong_is_found(browser, pages, script, breaks):
    in_scheme(browser, "light")
    pages["#/feature/3"]()
    assert browser.js(script) == []
    browser.js(breaks)
    assert browser.js(script) != []


def test_focus_goes_through_a_page_in_its_order(browser, pages):
    """Tab reaches every control once, in the order in which they stand, and each shows it."""
    for fragment in ("#/features", "#/feature/3", "#/map", "#/compare"):
        pages[fragment]()
        browser.js("document.activeElement.blur(); window.scrollTo(0, 0); document.querySelector('.skip').focus()")
        order = browser.js("""return [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')].filter((e) => e.getClientRects().length > 0 && !e.closest('dialog') && e.tabIndex >= 0).length""")
        places = []
        for _ in range(min(order + 5, 120)):
            here = browser.js("""const all = [...document.querySelectorAll('*')], e = document.activeElement, style = getComputedStyle(e);
                return e === document.body ? null : [all.indexOf(e), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]""")
            if here is None or (places and here[0] <= places[-1]):
                break
            assert here[1] or not places, "the focus is not seen"  # the first is not there by a key
            places.append(here[0])
            browser.keys("\ue004")
        assert len(places) >= min(order, 110) * 0.95, (fragment, len(places), order)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_narrow_windows_and_large_letters(browser, pages, scheme):
    """390 pixels, and 640, which is 1,280 at 200 %: nothing is wider than the window."""
    for width in (390, 640):
        for name, show in pages.items():
            in_scheme(browser, scheme, width, 844)
            show()
            wide = browser.js("return [document.documentElement.scrollWidth, [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, svg')).slice(0, 3).map((e) => e.outerHTML.slice(0, 100))]")
            assert wide[0] <= width and wide[1] == [], (name, width, wide)


def until_focus(browser, test, back=False, most=80):
    """Tab, or Shift and Tab, until an element has the focus."""
    pressed = [("keyDown", "\ue008")] * back + [("keyDown", "\ue004"), ("keyUp", "\ue004")] + [("keyUp", "\ue008")] * back
    for _ in range(most):
        if browser.js(f"const e = document.activeElement; return {test}"):
            return
        browser.call("POST", f"{browser.session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [{"type": kind, "value": key} for kind, key in pressed]}]})
    raise AssertionError(f"Tab does not lead to {test}")


def test_a_walk_by_keys(browser, pages, pair, tmp_path):
    """List, feature, next, its other texts, the texts page, export: no pointer."""
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    pages["#/"]()
    browser.log()
    browser.keys("g", "f")
    browser.wait("document.activeElement.classList.contains('body')")
    order = [row["feature"] for row in sorted(features_of(pair / "run-a"), key=lambda r: (-int(r["n_fires"]), int(r["feature"])))]
    browser.keys("j", "\ue007")
    browser.wait(f"location.hash === '#/feature/{order[1]}'")
    browser.keys("n")
    browser.wait(f"location.hash === '#/feature/{order[2]}'")
    browser.wait(f"document.querySelector('.eyebrow').textContent === 'Feature {order[2]}'")
    until_focus(browser, "e.getAttribute('role') === 'tab'")
    browser.keys("\ue014")
    browser.wait("document.querySelector('[role=tab][aria-selected=true]').dataset.kind !== 'top' && document.activeElement.getAttribute('role') === 'tab'")
    browser.keys("g", "t")
    browser.wait("location.hash === '#/texts'")
    browser.keys("/")
    browser.wait("document.activeElement.id === 'search'")
    browser.keys(*"galaxy")
    browser.wait("document.querySelectorAll('.item').length > 0")
    until_focus(browser, "e.textContent === 'Copy all'")
    browser.keys("g", "f")
    browser.wait("document.activeElement.classList.contains('body')")
    until_focus(browser, "e.textContent === 'CSV'", back=True)
    browser.keys("\ue007")
    deadline = time.monotonic() + 20
    while not (tmp_path / "features.csv").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert browser.log() == []
