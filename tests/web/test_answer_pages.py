"""Pages that ask the program, in a browser: their numbers are those of its answers, their links lead to the same view."""
import json
from urllib.parse import quote, urlencode

import pytest

from browser import browser  # noqa: F401: a fixture
from test_answers import start
from viewer import Viewer

HOSTILE = "<img src=x onerror=window.__x=1> </script><script>window.__x=1</script> 日本語 \u202e ${x} & ' \""


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    return start(program, tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def viewer(program, made, browser):
    viewer = Viewer(program, made / "run")
    browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
    browser.wait("document.body && document.body.dataset.ready")
    viewer.token = browser.js("return sessionStorage.getItem('saescope-token')")
    yield viewer
    assert browser.log() == [] and browser.js("return window.__x") is None
    viewer.close()


CELLS = "return [...document.querySelectorAll('.answer tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))"
ROWS = "return [...document.querySelectorAll('{} .item')].map((item) => [item.querySelector('a').textContent, item.querySelector('.meta').textContent])"


def test_a_row(browser, viewer):
    answer = viewer.get("/api/v1/rows/12")
    browser.go("#/row/12")
    assert browser.js("return document.querySelector('.whole').textContent") == answer["text"]
    cells = browser.js(CELLS)
    assert [int(row[0]) for row in cells] == [item["feature"] for item in answer["features"]]
    assert [float(row[2]) for row in cells] == pytest.approx([item["activation"] for item in answer["features"]], rel=1e-3)
    nearest = browser.js(ROWS.format("section .texts"))
    assert [name for name, _ in nearest] == [f"row {item['row']}" for item in answer["nearest"]]
    assert all(f"{item['cosine']:.3f}" in text and f"{item['n_shared']} of its features" in text for item, (_, text) in zip(answer["nearest"], nearest))
    assert [text for text in browser.js("return [...document.querySelectorAll('.kept')].map((cell) => cell.textContent)")] == [f"{key} {value}" for key, value in answer["kept"].items()]
    browser.js("document.querySelector('main').focus()")
    browser.keys("n")
    browser.wait(f"location.hash === '#/row/{answer['next_row']}' && document.body.dataset.ready === location.hash")
    browser.keys("p")
    browser.wait("location.hash === '#/row/12'")


@pytest.mark.parametrize("path, words", [("row/4000000", "did not keep"), ("row/x", "whole number"), ("row", "number of a row")])
def test_rows_that_are_not_there(browser, viewer, path, words):
    browser.go(f"#/{path}")
    browser.wait(f"document.querySelector('.found').textContent.includes({json.dumps(words)})")
    browser.call("POST", f"{browser.session}/se/log", {"type": "browser"})  # the browser notes a 404


def test_rows_of_features_and_searches_are_links(browser, viewer):
    browser.go("#/feature/3")
    rows = browser.wait("[...document.querySelectorAll('.texts .meta a')].map((a) => a.getAttribute('href')).filter((href) => /^#.row.\\d+$/.test(href)).length")
    assert rows > 0
    browser.go(f"#/texts?{urlencode({'q': 'a comet', 'by': 'meaning'})}")
    found = viewer.get("/api/v1/search?q=a+comet&by=meaning&limit=100")["found"]
    browser.wait(f"document.querySelectorAll('ol.texts .item').length === {len(found)}")
    assert [name for name, _ in browser.js(ROWS.format("ol.texts"))] == [f"row {item['row']}" for item in found]


def test_a_typed_text_and_another(browser, viewer):
    a, b = "The comet of a planet. It has dust!", HOSTILE
    browser.go(f"#/text?a={quote(a)}&b={quote(b)}")
    browser.wait("document.querySelectorAll('.common').length === 1")
    answers = viewer.post("/api/v1/encode", {"texts": [a, b], "top": 256, "near": 5})["texts"]
    both = {item["feature"] for item in answers[0]["features"]} & {item["feature"] for item in answers[1]["features"]}
    assert f"In both ({len(both)})" in browser.js("return document.querySelector('.common').textContent")
    assert browser.js("return [...document.querySelectorAll('textarea')].map((area) => area.value)") == [a, b]
    assert browser.js("return document.querySelectorAll('main img, main script').length") == 0


def test_warnings(browser, viewer):
    long = "zzz " * 400
    browser.go(f"#/text?a={quote(long)}")
    browser.wait("document.querySelectorAll('.answer tbody tr').length > 0")
    answer = viewer.post("/api/v1/encode", {"texts": [long.strip()], "top": 1})["texts"][0]
    said = " ".join(browser.js("return [...document.querySelectorAll('.warning')].map((part) => part.innerText)"))
    assert answer["is_cut"] and f"read {answer['n_characters_read']:,} of" in said
    fit = answer["reconstruction"]
    assert ("reconstruction" in said or "gives its embedding back" in said) == (not fit["usual_low"] <= fit["cosine"] <= fit["usual_high"])


def test_influence(browser, viewer):
    text = "The comet of a planet. It has dust and light! Is it 5?"
    browser.go(f"#/text?a={quote(text)}")
    browser.wait("document.querySelectorAll('.answer tbody tr').length > 0")
    feature = int(browser.js(CELLS)[0][0])
    browser.js("document.querySelector('.answer button').click()")
    browser.wait("document.querySelectorAll('.influences h3').length === 1")
    expected = viewer.post("/api/v1/influence", {"text": text, "features": [feature], "unit": "sentence"})
    shown = browser.js("return [...document.querySelectorAll('.influence')[0].children].map((part) => [part.textContent, Number(part.dataset.influence), part.className.split(' ')[0]])")
    effects = [expected["activations"][0] - part["without"][0] for part in expected["parts"]]
    assert [piece for piece, _, _ in shown] == [text[part["start"]:part["end"]] for part in expected["parts"]]
    assert [value for _, value, _ in shown] == pytest.approx(effects, abs=1e-12) and [kind for _, _, kind in shown] == ["raises" if effect >= 0 else "lowers" for effect in effects]
    strongest = max(range(len(effects)), key=lambda i: (abs(effects[i]), -i))
    words = viewer.post("/api/v1/influence", {"text": text, "features": [feature], "unit": "word", "sentence": strongest})
    shown = browser.js("return [...document.querySelectorAll('.influence')[1].children].map((part) => [part.textContent, Number(part.dataset.influence)])")
    assert [value for _, value in shown] == pytest.approx([words["activations"][0] - part["without"][0] for part in words["parts"]], abs=1e-12)


STEERED = "return [...document.querySelectorAll('.pair section')].map((list) => [...list.querySelectorAll('li')].map((item) => [Number(item.dataset.row), item.querySelector('.meta').textContent]))"


def test_steering(browser, viewer):
    row = viewer.get("/api/v1/rows/12")
    feature = row["features"][0]["feature"]
    browser.go("#/steer?row=12")
    browser.wait("document.querySelectorAll('.sliders input').length > 0 && document.querySelectorAll('.steered li').length === 20")
    assert [int(f) for f in browser.js("return [...document.querySelectorAll('.sliders input')].map((input) => input.dataset.feature)")] == [item["feature"] for item in row["features"][:8]]
    value = browser.js("const input = document.querySelector('.sliders input'); input.value = input.max; input.dispatchEvent(new Event('input')); return Number(input.value)")
    largest = viewer.get(f"/api/v1/features/{feature}")["max_activation"]
    assert value == pytest.approx(2 * largest, rel=1e-6)
    expected = viewer.post("/api/v1/steer", {"row": 12, "changes": [{"feature": feature, "activation": value}]})
    browser.wait(f"document.querySelector('.pair') && location.hash.includes('set={feature}')")
    browser.wait(f"[...document.querySelectorAll('.found')].some((said) => said.textContent.includes('{expected['moved_cosine']:.4f}'))")
    for items, key, other in zip(browser.js(STEERED), ("before", "after"), ("after", "before")):
        assert [found for found, _ in items] == [item["row"] for item in expected[key]]
        for i, (item, (_, text)) in enumerate(zip(expected[key], items), 1):
            rank = item[f"rank_{other}"]
            was, now = (rank, i) if key == "after" else (i, rank)
            assert f"{item['cosine']:.3f}" in text and str(rank) in text and ("▲" if now < was else "▼" if now > was else "=") in text
    link = browser.js("return location.hash")
    browser.go("#/")
    browser.go(link)  # the link leads to the same view
    browser.wait("document.querySelectorAll('.steered li').length === 20")
    assert [[found for found, _ in items] for items in browser.js(STEERED)] == [[item["row"] for item in expected[key]] for key in ("before", "after")]
    assert float(browser.js("return document.querySelector('.sliders input').value")) == pytest.approx(value, rel=1e-6)


def test_a_typed_text_is_steered(browser, viewer):
    browser.go(f"#/steer?text={quote(HOSTILE)}")
    browser.wait("document.querySelectorAll('.steered li').length === 20")
    assert browser.js("return document.querySelectorAll('main img, main script').length") == 0


@pytest.mark.parametrize("most", ["0.05", "1"])
def test_groups_of_a_column(browser, viewer, run, made, most):
    """The numbers are those of `diff --by`; a group and a column are chosen, and what is shown has a link."""
    expected = [item for item in json.loads(run("diff", made / "run", "--by", "kind", "--most-q", most, "--limit", "1000", "--json").out)["differences"]]
    browser.go(f"#/groups?by=kind&most={most}")
    cells = browser.js("return [...document.querySelectorAll('.groups tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
    assert len(cells) == len(expected), browser.js("return document.querySelector('main').innerText")
    assert [(row[0], int(row[1].split()[0])) for row in cells] == [(item["group"], item["feature_a"]) for item in expected]
    for row, item in zip(cells, expected):
        rate = 100 * item["n_fires_b"] / item["n_rows_b"]
        assert row[2] == ("never" if rate == 0 else row[2]) and (rate == 0 or float(row[2].split()[0]) == pytest.approx(rate, rel=6e-3))
        assert float(row[4].replace("−", "-")) == pytest.approx(item["difference_pct"], rel=6e-3, abs=1e-9)
    if most == "1":
        assert len(cells) > 20
        browser.js("const s = document.querySelector('[aria-label=Group]'); s.value = 'a'; s.dispatchEvent(new Event('change'))")
        assert set(browser.js("return [...document.querySelectorAll('.groups tbody tr')].map((row) => row.firstChild.textContent)")) == {"a"}
        assert "group=a" in browser.js("return location.hash")
        browser.js("document.querySelector('[aria-label=Column]').value = 'id'; document.querySelector('[aria-label=Column]').dispatchEvent(new Event('change'))")
        browser.wait("location.hash.includes('by=id') && document.body.dataset.ready === location.hash")
        assert "make no groups" in browser.js("return document.querySelector('.found').textContent")
        browser.log()  # the browser notes the answer's status


def test_rows_in_a_file(browser, made, run):
    """The report knows the texts of features' lists."""
    assert run("report", made / "run", "-o", made / "report.html").code == 0
    here = browser.js("return location.href")
    browser.open(f"file://{made}/report.html", "#/row/12")
    text = json.loads((made / "texts.jsonl").read_text(encoding="utf8").splitlines()[12])["text"]
    assert browser.js("return document.querySelector('.whole') ? document.querySelector('.whole').textContent : null") in (text, None)
    assert browser.js("return document.querySelector('h1').textContent") == "Row 12"
    browser.go("#/steer")
    assert "saescope view" in browser.js("return document.querySelector('main').innerText")
    assert browser.log() == []
    browser.call("POST", f"{browser.session}/url", {"url": here})
