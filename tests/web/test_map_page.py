"""The map of features and texts: what is drawn, chosen by a lasso, marked by words, and listed is that of map.csv."""
import csv
import json
import shutil

import numpy as np
import pytest

from arrow_reader import read_arrow
from browser import browser  # noqa: F401: a fixture
from test_report import made, text_list  # noqa: F401: a fixture

WIDTH_OF = "const c = document.querySelector('[data-panel=%s] canvas'); const b = c.getBoundingClientRect();"
FOUND = "return document.querySelector('[data-panel=%s] .found').textContent"
IDS = "return [...document.querySelectorAll('[data-panel=features] .texts a')].map((a) => Number(a.textContent.split(' ')[0]))"


@pytest.fixture(scope="module")
def points(made):
    """kind → ids and places."""
    with open(made / "run/map.csv", newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    return {kind: (np.array([int(r["id"]) for r in rows if r["kind"] == kind]), np.array([[float(r["x"]), float(r["y"])] for r in rows if r["kind"] == kind]),
                   np.array([int(r["cluster"] or -1) for r in rows if r["kind"] == kind])) for kind in ("feature", "text")}


def inside(places, corners):
    """Even and odd crossings of a ray to the right."""
    is_in = np.zeros(len(places), bool)
    for (ax, ay), (bx, by) in zip(corners, corners[-1:] + corners[:-1]):
        with np.errstate(divide="ignore", invalid="ignore"):
            crosses = ((ay > places[:, 1]) != (by > places[:, 1])) & (places[:, 0] < (bx - ax) * (places[:, 1] - ay) / (by - ay) + ax)
        is_in ^= crosses
    return is_in


def corners_of(browser):
    numbers = [float(x) for x in browser.js("return new URLSearchParams(location.hash.split('?')[1]).get('lasso')").split(",")]
    return list(zip(numbers[::2], numbers[1::2]))


def drag(browser, panel, path, key=None):
    """Press, move along parts of the canvas's size, let go; with a key held."""
    box = browser.js(WIDTH_OF % panel + "c.scrollIntoView({block: 'center'}); const r = c.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]")
    at = [{"type": "pointerMove", "x": round(box[0] + x * box[2]), "y": round(box[1] + y * box[3]), "duration": 0} for x, y in path]
    mouse = [at[0], {"type": "pointerDown", "button": 0}, *at[1:], {"type": "pointerUp", "button": 0}]
    pause = {"type": "pause", "duration": 0}
    keys = [{"type": "keyDown", "value": key}, *[pause] * len(mouse), {"type": "keyUp", "value": key}] if key else []
    actions = [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [pause, *mouse] if key else mouse}]
    browser.call("POST", f"{browser.session}/actions", {"actions": actions + ([{"type": "key", "id": "held", "actions": keys}] if key else [])})


def test_arrays_of_texts_are_those_of_the_run(made, points):
    arrays, (ids, places, clusters) = np.load(made / "report.npz"), points["text"]
    rows = read_arrow(made / "run/evidence/texts.arrow")[0]
    assert len(ids) > 100 and np.array_equal(arrays["map_text_x"], places[:, 0].astype("f4")) and np.array_equal(arrays["map_text_y"], places[:, 1].astype("f4"))
    assert np.array_equal(arrays["map_text_clusters"], clusters)
    texts, lines = text_list(arrays), [json.loads(line)["text"] for line in (made / "texts.jsonl").read_text(encoding="utf8").splitlines()]
    for i, number, row in zip(ids.tolist(), arrays["map_text_numbers"].tolist(), arrays["map_text_rows"].astype(int).tolist()):
        assert number >= 0 and texts[number] == rows["text"][i] == lines[row]


def test_random_texts_are_those_of_the_run(made):
    """The first of the pool of the half on which labels are scored; in each, what fires in its row of the dataset."""
    arrays, evidence = np.load(made / "report.npz"), read_arrow(made / "run/evidence/texts.arrow")[0]
    texts, offsets = text_list(arrays), arrays["random_offsets"].tolist()
    pool = [i for i, (half, is_in) in enumerate(zip(evidence["half"], evidence["in_pool"])) if int(half) == 1 and is_in]
    assert [texts[i] for i in arrays["random_texts"]] == [evidence["text"][i] for i in pool[:10]]
    for i, row in enumerate(pool[:10]):
        part = slice(offsets[i], offsets[i + 1])
        assert arrays["random_features"][part].tolist() == [int(f) for f in evidence["features"][row]]
        assert arrays["random_values"][part].tolist() == [float(a) for a in evidence["activations"][row]]


@pytest.mark.parametrize("panel", ["features", "texts"])
@pytest.mark.parametrize("key", ["\ue008", None])
def test_a_lasso_lists_what_is_in_it(browser, made, points, panel, key):
    """Drawn with Shift, or after the button: the numbers, the list, and the table that it leads to."""
    browser.open((made / "report.html").as_uri(), "#/map")
    if key is None:
        browser.js("[...document.querySelectorAll('.filters button')].find((b) => b.textContent === 'Lasso').click()")
    drag(browser, panel, [(0.1, 0.1), (0.6, 0.05), (0.75, 0.5), (0.5, 0.8), (0.05, 0.6)], key)
    corners = corners_of(browser)
    features, texts = (ids[inside(places.astype("f4"), corners)] for ids, places, _ in (points["feature"], points["text"]))
    assert len(corners) == 5 and 0 < len(texts) < len(points["text"][0])
    assert browser.js(FOUND % "features").startswith(f"{len(features)} feature")
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent.startsWith('{len(texts)} text')")
    assert sorted(browser.js(IDS)) == sorted(features.tolist())
    arrays = np.load(made / "report.npz")
    shown = [text_list(arrays)[n] for n, i in zip(arrays["map_text_numbers"], inside(points["text"][1].astype("f4"), corners)) if i][:40]
    browser.wait(f"document.querySelectorAll('[data-panel=texts] .item').length === {len(shown)}")
    assert browser.js("return [...document.querySelectorAll('[data-panel=texts] .item .text')].map((t) => t.textContent)") == shown
    fragment = browser.js("return [...document.querySelectorAll('[data-panel=features] a')].find((a) => a.textContent === 'As a table').hash")
    browser.go(fragment)
    assert browser.js("return document.querySelector('.above .found').textContent").startswith(f"{len(features)} of ")
    assert browser.log() == []


def test_words_are_marked_on_the_whole_map(browser, made, points):
    """Also where they are out of sight."""
    browser.open((made / "report.html").as_uri(), "#/map?q=PULSAR")
    texts = text_list(np.load(made / "report.npz"))
    hits = sum("pulsar" in texts[n].lower() for n in np.load(made / "report.npz")["map_text_numbers"])
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent.includes('{hits} hits on the whole map')")
    for _ in range(12):
        browser.js("document.querySelector('[aria-label=Nearer]').click()")
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent.includes('{hits} hits on the whole map')")
    assert not browser.js(FOUND % "texts").startswith(f"{hits} texts")


def test_a_feature_marks_its_texts(browser, made):
    arrays = np.load(made / "report.npz")
    f = int(np.argmax(arrays["n_fires"]))
    own = {int(t) for kind in ("top", "firing") for t in arrays[f"{kind}_texts"][arrays[f"{kind}_offsets"][f]:arrays[f"{kind}_offsets"][f + 1]]}
    hits = sum(int(n) in own for n in arrays["map_text_numbers"])
    browser.open((made / "report.html").as_uri(), f"#/map?feature={f}")
    assert browser.js(FOUND % "texts").startswith(f"{hits} text") and hits > 0 and browser.js(FOUND % "features").startswith("1 feature")


def test_keys_move_the_map(browser, made, points):
    browser.open((made / "report.html").as_uri(), "#/map")
    every = browser.js(FOUND % "texts")
    browser.js("document.querySelector('[data-panel=texts] canvas').focus()")
    browser.keys("+", "+", "+", "+", "+", "+", "\ue012", "\ue012")
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent !== {json.dumps(every)}")
    browser.keys("0")
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent === {json.dumps(every)}")
    browser.js("[...document.querySelectorAll('.filters button')].find((b) => b.textContent === 'Choose the view').click()")
    assert len(corners_of(browser)) == 4
    browser.wait(f"document.querySelector('[data-panel=texts] .found').textContent.startsWith('{len(points['text'][0])} texts in the lasso')")
    browser.js("document.querySelector('[data-panel=features] canvas').focus()")
    browser.keys("\ue007")
    assert browser.js("return document.activeElement.hash.startsWith('#/feature/')")


@pytest.mark.parametrize("old, new", [("\ntext,0,", "\ntext,99999999,"), ("\ntext,0,", "\ntext,-1,"), ("\ntext,0,", "\ntext,x,")])
def test_a_text_that_is_not_there_is_refused(run, made, tmp_path, old, new):
    shutil.copytree(made / "run", tmp_path / "run")
    text = (made / "run/map.csv").read_text(encoding="utf8")
    assert old in text
    (tmp_path / "run/map.csv").write_text(text.replace(old, new), encoding="utf8")
    done = run("report", tmp_path / "run", "-o", tmp_path / "a.html")
    assert done.code == 65 and "map.csv" in done.err and not (tmp_path / "a.html").exists()
