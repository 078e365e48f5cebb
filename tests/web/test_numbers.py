"""Numbers on pages are those of the run's files: the overview, lists after sort, filter, brush and scroll, samples, picks, influence."""
import csv
import json
import statistics
import time
from collections import Counter

import numpy as np
import pytest

from arrow_reader import read_arrow
from browser import browser  # noqa: F401: a fixture
from test_report import TABLE, features_of, made, percent, row_of  # noqa: F401: a fixture
from viewer import Viewer


def described(made):
    return json.loads((made / "run/descriptions.json").read_text(encoding="utf8"))


def expected_rows(made, rows):
    items = described(made)
    auc = [((items[int(row["feature"])]["scores"] or {}).get("random") or {}).get("auc") for row in rows]
    return [row_of(row, items[int(row["feature"])]["label"], None if a is None else float(np.float32(a))) for row, a in zip(rows, auc)]


def test_the_overview(browser, made):
    rows = features_of(made / "run")
    manifest = json.loads((made / "run/run.json").read_text(encoding="utf8"))
    browser.open((made / "report.html").as_uri(), "#/")
    tiles = dict(reversed(pair) for pair in browser.js("return [...document.querySelectorAll('.tile')].map((t) => [...t.children].map((c) => c.textContent))"))
    fires = [int(row["n_fires"]) for row in rows]
    assert tiles["texts used"] == f"{manifest['rows']['used']:,}" and tiles["features"] == str(len(rows))
    mean = tiles["features fire on a text, in the mean"]
    assert float(mean) == pytest.approx(sum(fires) / manifest["rows"]["used"], rel=5e-3) and len(mean.replace(".", "").lstrip("0")) == 3
    assert tiles["median fire rate"] == percent(statistics.median(float(np.float32(row["rate_pct"])) for row in rows))
    (dead,), (dense,) = ([value for name, value in tiles.items() if name.startswith(word)] for word in ("dead", "dense"))
    assert int(dead) == fires.count(0) and int(dense) == sum(float(row["rate_pct"]) >= 10 for row in rows)
    verdicts = browser.js("return [...document.querySelectorAll('table.plain tbody tr')].filter((r) => r.querySelector('.chip')).map((r) => [r.children[0].textContent, Number(r.children[1].textContent)])")
    assert dict(verdicts) == Counter(item["status"] for item in described(made)) and verdicts
    facts = dict(browser.js("return [...document.querySelectorAll('.facts dt')].map((t) => [t.textContent, t.nextSibling.textContent])"))
    assert facts["Rows read"] == f"{manifest['rows']['read']:,}" and facts["SAE"].startswith(f"{manifest['sae']['kind']} of {len(rows)} features")
    table = browser.js("document.querySelector('figure button').click(); return [...document.querySelectorAll('figure table tbody tr')].map((r) => Number(r.lastChild.textContent))")
    assert sum(table) == len(rows) - fires.count(0)


@pytest.mark.parametrize("fragment", ["#/", "#/features"])
def test_a_brush_by_the_pointer(browser, made, fragment):
    browser.open((made / "report.html").as_uri(), fragment)
    left, top, width = browser.js("const c = document.querySelector('.catch'); c.scrollIntoView({block: 'center'}); const b = c.getBoundingClientRect(); return [b.left, b.top + b.height / 2, b.width]")
    moves = [{"type": "pointerMove", "x": round(left + part * width), "y": round(top), "duration": 0} for part in (0.35, 0.5, 0.8)]
    browser.call("POST", f"{browser.session}/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                                                                   "actions": [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]}]})
    if fragment == "#/":
        said = int(browser.js("return document.querySelector('.found').textContent").split()[0])
        browser.js("[...document.querySelectorAll('.found button')].find((b) => b.textContent === 'List them').click()")
        browser.wait("location.hash.startsWith('#/features') && document.body.dataset.ready === location.hash")
    low, high = (float(x) for x in browser.js("return new URLSearchParams(location.hash.split('?')[1]).get('rate')").split(".."))
    rows = sorted((r for r in features_of(made / "run") if low <= float(r["rate_pct"]) <= high), key=lambda r: (-int(r["n_fires"]), int(r["feature"])))
    assert 0 < len(rows) < len(features_of(made / "run")) and (fragment != "#/" or said == len(rows))
    shown = browser.js(TABLE)
    assert [line[:5] for line in shown] == expected_rows(made, rows)[:len(shown)] and len(shown) == min(len(rows), len(shown)) > 0


def test_the_end_of_a_list(browser, made):
    """After a sort by a click, words, and a jump to the end: the last rows."""
    browser.open((made / "report.html").as_uri(), "#/features")
    browser.js("[...document.querySelectorAll('.sort')].find((b) => b.textContent.startsWith('max')).click()")
    browser.js("document.querySelector('.list .body').focus()")
    browser.keys("\ue010")
    rows = sorted(features_of(made / "run"), key=lambda r: (-float(r["max_activation"]), int(r["feature"])))
    browser.wait(f"[...document.querySelectorAll('.list .body .row')].some((r) => r.getAttribute('aria-rowindex') === '{len(rows) + 1}')")
    shown = browser.js(TABLE)
    assert [line[:5] for line in shown] == expected_rows(made, rows)[-len(shown):]
    for line, row in zip(shown, rows[-len(shown):]):
        for cell, name in zip(line[5:], ("max_activation", "mean_activation")):
            assert cell == "–" if row["dead"] == "true" else float(cell) == pytest.approx(float(row[name]), rel=6e-4)


def test_samples_of_a_feature(browser, made):
    """Any texts, near misses and random ones: the evidence of the half on which labels are scored."""
    samples, texts = read_arrow(made / "run/evidence/samples.arrow")[0], read_arrow(made / "run/evidence/texts.arrow")[0]
    rows = features_of(made / "run")
    f = int(max(rows, key=lambda r: int(r["n_fires"]) if int(r["n_fires"]) < 300 else 0)["feature"])
    for tab, kind in (("firing", "firing"), ("miss", "miss")):
        own = [i for i in range(len(samples["feature"])) if samples["feature"][i] == f and samples["kind"][i] == kind and samples["half"][i] == 1][:10]
        browser.open((made / "report.html").as_uri(), f"#/feature/{f}?texts={tab}")
        browser.wait(f"document.querySelectorAll('.item').length === {len(own)}")
        shown = browser.js("return [...document.querySelectorAll('.item')].map((item) => [item.querySelector('.value').textContent, item.querySelector('.text').textContent])")
        assert own and [text for _, text in shown] == [texts["text"][samples["text"][i]] for i in own]
        assert [float(value) for value, _ in shown] == pytest.approx([float(samples["activation"][i]) for i in own], rel=6e-4)
    pool = [i for i in range(len(texts["text"])) if texts["half"][i] == 1 and texts["in_pool"][i]][:10]
    browser.open((made / "report.html").as_uri(), f"#/feature/{f}?texts=random")
    browser.wait("document.querySelectorAll('.item').length === 10")
    shown = browser.js("return [...document.querySelectorAll('.item')].map((item) => [item.querySelector('.value').textContent, item.querySelector('.text').textContent])")
    assert [text for _, text in shown] == [texts["text"][i] for i in pool]
    values = [dict(zip(map(int, texts["features"][i]), map(float, texts["activations"][i]))).get(f, 0) for i in pool]
    assert [float(value) for value, _ in shown] == pytest.approx(values, rel=6e-4)


def test_picked_features_are_what_is_saved(browser, made, tmp_path):
    """By x and by a click on its box; a link holds them."""
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open((made / "report.html").as_uri(), "#/features?sort=feature")
    browser.keys("j", "j", "x", "j")
    browser.js("document.querySelectorAll('.list .body .pick input')[5].click()")
    assert browser.js("return location.hash") == "#/features?sort=feature&pick=2%2C5"
    assert "2 picked" in browser.js("return document.querySelector('.above .found').textContent")
    browser.open((made / "report.html").as_uri(), browser.js("return location.hash"))
    browser.js("[...document.querySelectorAll('.above button')].find((b) => b.textContent === 'CSV').click()")
    deadline = time.monotonic() + 20
    while not (tmp_path / "features.csv").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with open(tmp_path / "features.csv", newline="", encoding="utf8") as file:
        saved = list(csv.DictReader(file))
    assert [row["feature"] for row in saved] == ["2", "5"]
    rows = features_of(made / "run")
    assert all(float(row[name]) == float(rows[int(row["feature"])][name]) for row in saved for name in ("n_fires", "rate_low_pct", "mean_activation"))


@pytest.mark.parametrize("query, command", [("", "saescope show RUN --sort rate --limit 1000"), ("?sort=-max&rate=1..20", "saescope show RUN --sort max --rate 1..20 --limit 1000"),
                                            ("?show=dead&sort=feature", "saescope show RUN --sort feature --dead --limit 1000"), ("?q=it's", "saescope search RUN 'it'\\''s' --features"),
                                            ("?score=0.5..", None), ("?sort=rate", None)])
def test_the_command_prints_the_same(run, browser, made, query, command):
    browser.open((made / "report.html").as_uri(), f"#/features{query}")
    assert browser.js("const c = document.querySelector('main .command code'); return c && c.textContent") == command
    if command and "show" in command:
        done = run(*[made / "run" if word == "RUN" else word for word in command.split()[1:]], "--json")
        listed = [str(item["feature"]) for item in json.loads(done.out)["features"]]
        shown = [line[0] for line in browser.js(TABLE)]
        assert shown == listed[:len(shown)] and browser.js("return document.querySelector('.above .found').textContent").startswith(f"{len(listed)} of ")


def test_influence_is_what_the_server_measured(browser, program, made):
    """Beside a text of a feature: what each sentence, and each word, does to the activation."""
    viewer = Viewer(program, made / "run")
    browser.call("POST", f"{browser.session}/url", {"url": viewer.link})
    browser.wait("document.body && document.body.dataset.ready")
    f = int(max(features_of(made / "run"), key=lambda r: int(r["n_fires"]) if int(r["n_fires"]) < 300 else 0)["feature"])
    browser.go(f"#/feature/{f}")
    browser.wait("document.querySelectorAll('.item').length > 0")
    text = browser.js("return document.querySelector('.item .text').textContent")
    browser.js("[...document.querySelectorAll('.item button')].find((b) => b.textContent === 'What matters?').click()")
    browser.wait("document.querySelectorAll('.item .influence').length === 2")
    viewer.token = browser.js("return sessionStorage.getItem('saescope-token')")
    for i, question in enumerate(({"unit": "sentence"}, {"unit": "word", "sentence": 0})):
        status, answer, _ = viewer.ask("POST", "/api/v1/influence", {"text": text, "features": [f], **question})
        assert status == 200 and answer["n_parts"] == len(answer["parts"]) > 0
        shown = browser.js("return [...document.querySelectorAll('.item .influence')[arguments[0]].querySelectorAll('[data-influence]')].map((s) => [s.textContent, Number(s.dataset.influence), s.title])", i)
        falls = [answer["activations"][0] - part["without"][0] for part in answer["parts"]]
        assert [word for word, *_ in shown] == [text[part["start"]:part["end"]] for part in answer["parts"]]
        assert [number for _, number, _ in shown] == pytest.approx(falls, rel=1e-6, abs=1e-9)
        assert [float(title.replace("−", "-")) for *_, title in shown] == pytest.approx(falls, rel=6e-4, abs=1e-9)
    assert browser.log() == []
    viewer.close()
