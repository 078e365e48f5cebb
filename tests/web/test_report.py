"""`report`: one file that shows a run in a browser. Numbers on its pages are those of the run's files."""
import csv
import hashlib
import json
import math
import random
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from arrow_reader import read_arrow
from browser import browser  # noqa: F401: a fixture
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import make_page_run  # noqa: E402

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()
READY = "document.body.dataset.ready"


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    """A real run with evidence, columns and labels."""
    folder, rng = tmp_path_factory.mktemp("report"), random.Random(1)
    with open(folder / "texts.jsonl", "w", encoding="utf8") as file:
        for i in range(600):
            w = [rng.choice(WORDS) for _ in range(6)]
            file.write(json.dumps({"text": f"The {w[0]} of a {w[1]} {w[2]} and, {w[3]} {w[4]} {w[5]} {i}.", "id": f"id-{i}"}) + "\n")
    for words in (["analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "--keep", "id", "-o", folder / "run"], ["describe", "-q", folder / "run"],
                  ["report", "-q", folder / "run", "-o", folder / "report.html"], ["report", "-q", "--extract", folder / "report.html", "-o", folder / "report.npz"]):
        done = subprocess.run([program, *map(str, words)], capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    return folder


@pytest.fixture(scope="module")
def hostile(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    make_page_run.main([str(folder / "run"), "--features", "450", "--tops", "4", "--hostile"])
    done = subprocess.run([program, "report", folder / "run", "-o", folder / "report.html"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return folder


def features_of(folder):
    with open(folder / "features.csv", newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


# ---- the file ----


def test_same_bytes_and_existing_files_stay(run, made, tmp_path):
    out = tmp_path / "a.html"
    assert run("report", made / "run", "-o", out).code == 0
    assert out.read_bytes() == (made / "report.html").read_bytes()
    assert run("report", made / "run", "-o", out).code == 74
    assert run("report", made / "run", "-o", out, "--force", "--budget", "9M").code == 0


def test_arrays_are_those_of_the_run(made):
    arrays, rows = np.load(made / "report.npz"), features_of(made / "run")
    assert arrays["n_fires"].tolist() == [int(row["n_fires"]) for row in rows]
    for name in ("rate_pct", "max_activation", "mean_activation"):
        assert arrays[name].astype("f8").tolist() == [float(row[name]) for row in rows]
    tops = json.loads((made / "run/top_activations.json").read_text(encoding="utf8"))
    texts = text_list(arrays)
    offsets = arrays["top_offsets"].tolist()
    shown = [[[float(v), texts[t]] for v, t in zip(arrays["top_values"][a:b].tolist(), arrays["top_texts"][a:b].tolist())] for a, b in zip(offsets, offsets[1:])]
    assert shown == tops
    described = json.loads((made / "run/descriptions.json").read_text(encoding="utf8"))
    assert bytes(arrays["labels"]).decode().split("\n")[:-1] == [item["label"] or "" for item in described]
    meta = json.loads(arrays["meta.json"])
    assert [meta["labels"]["statuses"][i] for i in arrays["label_status"]] == [item["status"] for item in described]
    auc = np.array([(item["scores"] or {}).get("random", {}).get("auc", math.nan) or math.nan for item in described])
    assert np.array_equal(arrays["label_auc"], auc.astype("f4"), equal_nan=True)


def text_list(arrays):
    chunks, at, texts = {}, 0, []
    for i, n in enumerate(arrays["text_bytes"].tolist()):
        name = f"texts_{i // 256:04d}"
        if name not in chunks:
            chunks[name], at = bytes(arrays[name]), 0
        texts.append(chunks[name][at:at + n].decode())
        at += n
    return texts


def test_histograms_and_samples_are_those_of_the_run(made):
    arrays, bins = np.load(made / "report.npz"), np.load(made / "run/histograms.npz")
    assert np.array_equal(arrays["histogram_offsets"], bins["offsets"]) and np.array_equal(arrays["histogram_bins"], bins["bins"])
    assert np.array_equal(arrays["histogram_counts"], bins["counts"])
    lines = [json.loads(line) for line in (made / "texts.jsonl").read_text(encoding="utf8").splitlines()]
    texts, kept = text_list(arrays), bytes(arrays["text_kept"]).decode().split("\n")
    for i, row in enumerate(arrays["text_rows"].astype(int).tolist()):
        assert row >= 0 and lines[row]["text"] == texts[i] and lines[row]["id"] in kept[i]
    # a text that fires is in no list of near misses, and the other way round
    for f in range(len(arrays["n_fires"])):
        part = {kind: set(arrays[f"{kind}_texts"][arrays[f"{kind}_offsets"][f]:arrays[f"{kind}_offsets"][f + 1]].tolist()) for kind in ("firing", "miss")}
        assert not part["firing"] & part["miss"] and (part["firing"] or arrays["n_fires"][f] < 10)


def test_pairs_and_parents_are_those_of_the_run(made):
    """The first ten partners of each feature in pairs.arrow, and the parents of families.json."""
    arrays, pairs = np.load(made / "report.npz"), read_arrow(made / "run/pairs.arrow")[0]
    n_features, offsets = len(arrays["n_fires"]), arrays["pair_offsets"].tolist()
    rows = list(zip(*(pairs[name] for name in ("feature", "partner", "rows", "phi", "lift", "jaccard", "npmi"))))
    assert rows and offsets[0] == 0 and len(offsets) == n_features + 1
    for f in range(n_features):
        part = slice(offsets[f], offsets[f + 1])
        expected = [row for row in rows if row[0] == f][:10]
        assert arrays["pair_partners"][part].tolist() == [row[1] for row in expected] and arrays["pair_rows"][part].tolist() == [row[2] for row in expected]
        for k, name in enumerate(("phi", "lift", "jaccard", "npmi")):
            assert arrays[f"pair_{name}"][part].tolist() == [float(np.float32(row[3 + k])) for row in expected]
    families = json.loads((made / "run/families.json").read_text(encoding="utf8"))
    parents = {item["child"]: item["parent"] for item in families["parents"]}
    assert arrays["parents"].tolist() == [parents.get(f, -1) for f in range(n_features)]


MAP = 'kind,id,x,y,cluster,label\nfeature,0,-1.5,2,0,"a, ""b""\nfeature,9,9,9,0,x"\nfeature,5,0.25,-1e-3,-1,\nfeature,7,3,4,,plain\ntext,3,1,1,0,"c,d"\n'


def with_map(made, tmp_path, text):
    shutil.copytree(made / "run", tmp_path / "run")
    (tmp_path / "run/map.csv").write_text(text, encoding="utf8")
    (tmp_path / "run/clusters.json").write_text(json.dumps({"clusters": [{"cluster": 0, "label": "stars\nand"}, {"cluster": 1, "label": None}]}), encoding="utf8")
    return tmp_path / "run"


def test_the_map_is_that_of_the_run(run, browser, made, tmp_path):
    folder = with_map(made, tmp_path, MAP)
    assert run("report", folder, "-o", tmp_path / "a.html").code == 0
    assert run("report", "--extract", tmp_path / "a.html", "-o", tmp_path / "a.npz").code == 0
    arrays = np.load(tmp_path / "a.npz")
    x, y = np.full(24, np.nan, "f4"), np.full(24, np.nan, "f4")
    x[[0, 5, 7]], y[[0, 5, 7]] = [-1.5, 0.25, 3], [2, -1e-3, 4]
    assert np.array_equal(arrays["map_x"], x, equal_nan=True) and np.array_equal(arrays["map_y"], y, equal_nan=True)
    assert arrays["map_clusters"].tolist() == [0 if f == 0 else -1 for f in range(24)]
    assert bytes(arrays["cluster_labels"]).decode() == "stars and\n\n"
    browser.open((tmp_path / "a.html").as_uri(), "#/map")
    assert browser.js("return [...document.querySelectorAll('.texts a')].map((a) => Number(a.textContent.split(' ')[0])).sort((a, b) => a - b)") == [0, 5, 7]
    coloured = browser.js("const c = document.querySelector('canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n")
    assert 3 * 4 <= coloured <= 3 * 81
    assert browser.log() == []


@pytest.mark.parametrize("text", ["", "x\n", MAP.replace("feature,5", "feature,24"), MAP.replace("0.25", "nan"), MAP.replace("feature,7,3,4", "feature,7,3"), MAP.replace("-1e-3,-1", "-1e-3,x"),
                                  MAP.replace("0.25", "1" * 90), MAP[:-12] + "text"])
def test_a_damaged_map_is_refused(run, made, tmp_path, text):
    done = run("report", with_map(made, tmp_path, text), "-o", tmp_path / "a.html")
    assert done.code == 65 and "map.csv" in done.err and not (tmp_path / "a.html").exists()


def test_nothing_of_the_texts_with_no_texts(run, made, tmp_path):
    assert run("report", made / "run", "-o", tmp_path / "a.html", "--no-texts").code == 0
    assert run("report", "--extract", tmp_path / "a.html", "-o", tmp_path / "a.npz").code == 0
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"id-17" not in everything and b" of a " not in everything
    assert not [name for name in np.load(tmp_path / "a.npz").files if name.startswith("texts_") or name == "text_kept"]


def test_the_file_says_nothing_of_the_machine(made):
    with zipfile.ZipFile(made / "report.npz") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert str(made).encode() not in everything and str(ROOT).encode() not in everything


def test_a_budget_shortens_texts(run, program, tmp_path):
    make_page_run.main([str(tmp_path / "run"), "--features", "500", "--texts", "2000"])
    sizes, own = {}, sum(path.stat().st_size for path in (ROOT / "src/web/assets").iterdir())  # the pages themselves
    for budget in (own + 309_500, own + 89_500, own + 59_500):
        done = run("report", tmp_path / "run", "-o", tmp_path / "a.html", "--force", "--budget", budget)
        assert done.code == 0, done.err
        sizes[budget] = (tmp_path / "a.html").stat().st_size
        assert sizes[budget] <= budget
    large, middle, small = sizes.values()
    assert large > middle >= small
    done = run("report", tmp_path / "run", "-o", tmp_path / "b.html", "--budget", own)
    assert done.code == 65 and "--budget" in done.err and "--no-texts" in done.err and not (tmp_path / "b.html").exists()


def size_by_the_table(arrays):
    """The table of docs/pages.md, for what `--extract` gives."""
    text = (ROOT / "docs/pages.md").read_text(encoding="utf8").split("How large a report is")[1].split("`--no-texts`")[0]
    numbers = [float(n.replace(",", "")) for n in re.findall(r"([\d.][\d,.]*)(?= [FSUBHPNM]\b| \| the pages)", text)]
    pages, base, scored, mapped, listed, each, shown, bars, pairs, neighbours, places = numbers
    size = lambda *names: sum(len(arrays[name]) for name in names if name in arrays)  # noqa: E731
    f = size("n_fires")
    has_scores, has_map = np.isfinite(arrays["label_auc"]).any() if "label_auc" in arrays else False, "map_x" in arrays
    return (pages + f * (base + scored * has_scores + mapped * has_map) + listed * size("top_texts", "firing_texts", "miss_texts") + each * size("text_bytes")
            + shown * float(arrays["text_bytes"].astype("u8").sum()) + bars * size("histogram_bins") + pairs * size("pair_partners")
            + neighbours * size("neighbour_ids") + places * size("map_text_x"))


@pytest.mark.parametrize("features, tops, budget", [(2304, 10, "30M"), (2304, 10, "1M"), (8192, 10, "30M"), (8192, 10, "2M"), (32768, 5, "30M"), (6000, 40, "30M")])
def test_the_size_is_what_the_table_says(run, tmp_path, features, tops, budget):
    """Within a tenth, whole texts and cut ones, as many of them as there are beside few and many features."""
    make_page_run.main([str(tmp_path / "run"), "--features", str(features), "--tops", str(tops), "--from", str(ROOT / "demo/texts.jsonl")])
    assert run("report", tmp_path / "run", "-o", tmp_path / "a.html", "--budget", budget).code == 0
    assert run("report", "--extract", tmp_path / "a.html", "-o", tmp_path / "a.npz").code == 0
    size, expected = (tmp_path / "a.html").stat().st_size, size_by_the_table(np.load(tmp_path / "a.npz"))
    assert abs(size / expected - 1) <= 0.1, (size, expected)


@pytest.mark.parametrize("text, sentence", [(b"<html>", "no report"), (b'<script type="application/octet-stream" id="data">AAAA</script>', "damaged"),
                                            (b'<script type="application/octet-stream" id="data">UEsDBA', "damaged"), (b"", "no report")])
def test_what_is_no_report_is_refused(run, tmp_path, text, sentence):
    (tmp_path / "a.html").write_bytes(text)
    done = run("report", "--extract", tmp_path / "a.html", "-o", tmp_path / "a.npz")
    assert done.code == 65 and sentence in done.err and not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize("words, sentence", [([], "a run folder is needed"), (["x", "--extract", "y"], "not both")])
def test_wrong_use(run, tmp_path, words, sentence):
    done = run("report", *words, "-o", tmp_path / "a")
    assert done.code == 64 and sentence in done.err


def test_damaged_parts_are_refused(run, made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    for name, code in (("evidence/samples.arrow", 65), ("descriptions.json", 65), ("features.csv", 65), ("run.json", 65)):
        good = (tmp_path / "run" / name).read_bytes()
        (tmp_path / "run" / name).write_bytes(good[:len(good) // 2])
        done = run("report", tmp_path / "run", "-o", tmp_path / "a.html")
        assert done.code == code and name.split("/")[-1] in done.err and not (tmp_path / "a.html").exists()
        (tmp_path / "run" / name).write_bytes(good)


def test_hashes_of_the_policy(made):
    import base64
    import re
    page = (made / "report.html").read_bytes()
    policy = re.search(rb'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1].decode()
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        body = re.search(rb"<%b>(.*?)</%b>" % (tag.encode(), tag.encode()), page, re.S)[1]
        assert f"{directive} 'sha256-{base64.b64encode(hashlib.sha256(body).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "require-trusted-types-for 'script'" in policy


# ---- in a browser ----


def test_no_requests_and_no_errors(browser, made):
    for fragment in ("#/", "#/features", "#/feature/3", "#/texts?q=galaxy", "#/feature/99999", "#/feature/-1", "#/nothing"):
        browser.open((made / "report.html").as_uri(), fragment)
        assert browser.log() == []
        assert browser.js("return performance.getEntriesByType('resource').length") == 0


TABLE = """return [...document.querySelectorAll('.list .body .row')].map((row) => [...row.querySelectorAll('[role=cell]')].map((cell) => cell.textContent))"""


def percent(rate):
    digits = 2 - math.floor(math.log10(rate))
    return f"{rate:.2f} %" if 99.95 <= rate < 100 else f"{rate:.{max(0, digits)}f} %"


def row_of(row, label, auc):
    dead = row["n_fires"] == "0"
    return [row["feature"], label or ("dead" if dead else "no label"), f"{auc:.3f}" if auc is not None else "–", "dead" if dead else percent(float(np.float32(row["rate_pct"]))), f"{int(row['n_fires']):,}"]


@pytest.mark.parametrize("query, key, keep", [
    ("", lambda r: -int(r["n_fires"]), lambda r: True),
    ("?sort=rate", lambda r: int(r["n_fires"]), lambda r: True),
    ("?sort=feature", lambda r: 0, lambda r: True),
    ("?sort=-feature", lambda r: -int(r["feature"]), lambda r: True),
    ("?sort=-max", lambda r: -float(r["max_activation"]), lambda r: True),
    ("?sort=mean", lambda r: float(r["mean_activation"]), lambda r: True),
    ("?show=dead&sort=feature", lambda r: 0, lambda r: r["dead"] == "true"),
    ("?show=dense", lambda r: -int(r["n_fires"]), lambda r: float(r["rate_pct"]) >= 10),
    ("?rate=1..20", lambda r: -int(r["n_fires"]), lambda r: 1 <= float(r["rate_pct"]) <= 20),
    ("?rate=..5&sort=-mean", lambda r: -float(r["mean_activation"]), lambda r: float(r["rate_pct"]) <= 5),
])
def test_the_table_has_the_numbers_of_the_files(browser, made, query, key, keep):
    rows = features_of(made / "run")
    described = json.loads((made / "run/descriptions.json").read_text(encoding="utf8"))
    browser.open((made / "report.html").as_uri(), f"#/features{query}")
    expected = sorted((r for r in rows if keep(r)), key=lambda r: (key(r), int(r["feature"])))
    shown = browser.js(TABLE)
    assert browser.js("return document.querySelector('.above .found').textContent").startswith(f"{len(expected)} of {len(rows)} features")
    assert len(shown) >= min(len(expected), 10)
    for line, row in zip(shown, expected):
        item = described[int(row["feature"])]
        auc = ((item["scores"] or {}).get("random") or {}).get("auc")
        assert line[:5] == row_of(row, item["label"], None if auc is None else float(np.float32(auc)))


def test_words_filter_the_table(browser, made):
    described = json.loads((made / "run/descriptions.json").read_text(encoding="utf8"))
    word = next(item["label"] for item in described if item["label"]).split(",")[0].split()[0]
    browser.open((made / "report.html").as_uri(), "#/features")
    browser.js("const i = document.getElementById('search'); i.value = arguments[0]; i.dispatchEvent(new Event('input'))", word.upper())
    expected = sorted(item["feature_id"] for item in described if word.lower() in f"{item['feature_id']} {item['label'] or ''} {', '.join(k for k, _ in item['keywords'])}".lower())
    assert sorted(int(line[0]) for line in browser.js(TABLE)) == expected
    assert browser.js("return location.hash") == f"#/features?q={word.upper()}"


def test_the_brush_filters(browser, made):
    browser.open((made / "report.html").as_uri(), "#/features")
    browser.js("document.querySelector('.handle').focus()")
    browser.keys(*["\ue014"] * 25)  # to the right, a bin each
    low, high = (float(x) if x else None for x in browser.js("return new URLSearchParams(location.hash.split('?')[1]).get('rate')").split(".."))
    expected = [r for r in features_of(made / "run") if low <= float(r["rate_pct"]) <= (high or 100)]
    assert browser.js("return document.querySelector('.above .found').textContent").startswith(f"{len(expected)} of ")
    assert 0 < len(expected) < len(features_of(made / "run"))


def test_a_feature_page_has_the_numbers_of_the_files(browser, made):
    rows = features_of(made / "run")
    tops = json.loads((made / "run/top_activations.json").read_text(encoding="utf8"))
    for row in sorted(rows, key=lambda r: -int(r["n_fires"]))[:3] + [r for r in rows if r["dead"] == "true"][:1]:
        f = int(row["feature"])
        browser.open((made / "report.html").as_uri(), f"#/feature/{f}")
        page = browser.js("return document.querySelector('main').innerText")
        assert f"{int(row['n_fires'])} of 600 texts" in page
        if row["dead"] == "true":
            assert f"below {100 * (1 - 0.05 ** (1 / 600)):.3f} %" in page
            continue
        assert f"{percent(float(np.float32(row['rate_pct'])))} (95 %: {percent(float(row['rate_low_pct']))} to {percent(float(row['rate_high_pct']))})" in page
        browser.wait("document.querySelectorAll('.item').length > 0")
        shown = browser.js("return [...document.querySelectorAll('.item')].map((item) => [item.querySelector('.value').textContent, item.querySelector('.text').textContent])")
        assert [text for _, text in shown] == [text for _, text in tops[f]]
        assert [float(value) for value, _ in shown] == pytest.approx([value for value, _ in tops[f]], rel=1e-3)
        table = browser.js("document.querySelector('figure button').click(); return [...document.querySelectorAll('figure table tbody tr')].map((row) => row.lastChild.textContent)")
        assert sum(map(int, table)) == int(row["n_fires"])


def test_the_text_under_the_pointer_is_marked_in_the_histogram(browser, made):
    """A line in the bar of its activation; none before, none beside the texts."""
    arrays = np.load(made / "report.npz")
    f = int(np.argmax(np.diff(arrays["histogram_offsets"].astype("i8"))))
    browser.open((made / "report.html").as_uri(), f"#/feature/{f}")
    browser.wait("document.querySelectorAll('.item').length > 2")
    first, last = arrays["histogram_offsets"][f:f + 2].tolist()
    low, high = (math.log2(float((np.array([bin_], "u4") << np.uint32(20)).view("f4")[0])) for bin_ in (int(arrays["histogram_bins"][first]), int(arrays["histogram_bins"][last - 1]) + 1))
    lines = "[...document.querySelectorAll('.chart .pointed')].map((line) => [line.getAttribute('visibility'), Number(line.getAttribute('x1'))])"
    assert browser.js(f"return {lines}")[0][0] == "hidden"
    for i in (0, 2):
        browser.js("document.querySelectorAll('.item')[arguments[0]].querySelector('.meta').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", i)
        ((visibility, x),) = browser.js(f"return {lines}")
        value = float(browser.js("return document.querySelectorAll('.item')[arguments[0]].dataset.activation", i))
        bars = browser.js("return [...document.querySelectorAll('.chart .bar')].map((bar) => [Number(bar.getAttribute('x')), Number(bar.getAttribute('width'))])")
        assert visibility == "visible" and any(left - 1.5 <= x <= left + width + 1.5 for left, width in bars)
        width = float(browser.js("return document.querySelector('.chart').getAttribute('viewBox').split(' ')[2]"))
        assert x == pytest.approx(44 + (math.log2(value) - low) / (high - low) * (width - 44 - 12), abs=0.01)
    browser.js("document.querySelector('h1').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))")
    assert browser.js(f"return {lines}")[0][0] == "hidden" and browser.log() == []


def test_the_family_and_the_partners_of_a_feature(browser, made):
    pairs = read_arrow(made / "run/pairs.arrow")[0]
    f = int(pairs["feature"][0])
    browser.open((made / "report.html").as_uri(), f"#/feature/{f}")
    shown = browser.js("return [...document.querySelectorAll('.pairs tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent))")
    expected = [i for i, feature in enumerate(pairs["feature"]) if feature == f][:10]
    assert [int(row[0].split()[0]) for row in shown] == [int(pairs["partner"][i]) for i in expected]
    assert [row[1] for row in shown] == [f"{int(pairs['rows'][i]):,}" for i in expected] and [row[2] for row in shown] == [f"{pairs['phi'][i]:.3f}" for i in expected]
    families = json.loads((made / "run/families.json").read_text(encoding="utf8"))
    for item in families["parents"][:3]:
        browser.go(f"#/feature/{item['child']}")
        assert browser.js("return document.querySelector('.family dd').textContent").split()[0] == str(item["parent"])


def test_exports_are_the_numbers_of_the_files(browser, made, tmp_path):
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open((made / "report.html").as_uri(), "#/features?sort=feature")
    for kind in ("CSV", "JSON", "JSONL"):
        browser.js("[...document.querySelectorAll('.above button')].find((b) => b.textContent === arguments[0]).click()", kind)
    names = [tmp_path / f"features.{kind}" for kind in ("csv", "json", "jsonl")]
    import time
    for _ in range(200):
        if all(name.exists() and name.stat().st_size > 0 for name in names):
            break
        time.sleep(0.05)
    rows = features_of(made / "run")
    with open(names[0], newline="", encoding="utf8") as file:
        saved = list(csv.DictReader(file))
    listed = json.loads(names[1].read_text(encoding="utf8"))
    assert listed == [json.loads(line) for line in names[2].read_text(encoding="utf8").splitlines()]
    assert len(saved) == len(listed) == len(rows)
    for row, line, item in zip(rows, saved, listed):
        for name in ("n_fires", "rate_pct", "rate_low_pct", "rate_high_pct", "max_activation", "mean_activation"):
            assert float(line[name]) == item[name] == float(row[name]), (row["feature"], name)


def test_keys_alone(browser, made):
    """List, feature, next, back, texts, help: without a pointer."""
    browser.open((made / "report.html").as_uri(), "#/")
    browser.keys("g", "f")
    browser.wait("document.querySelector('.list .row.current')")
    browser.keys("j", "j", "k", "\ue007")
    browser.wait("/^#\\/feature\\//.test(location.hash) && document.querySelector('h1')")
    order = sorted(features_of(made / "run"), key=lambda r: (-int(r["n_fires"]), int(r["feature"])))
    assert browser.js("return location.hash") == f"#/feature/{order[1]['feature']}"
    browser.keys("n")
    browser.wait(f"location.hash === '#/feature/{order[2]['feature']}'")
    browser.wait("document.querySelector('.eyebrow').textContent.endsWith(location.hash.split('/')[2])")
    browser.keys("\ue00c")
    browser.wait("location.hash === '#/features'")
    browser.keys("g", "t")
    browser.wait("location.hash === '#/texts'")
    browser.keys("?")
    browser.wait("document.getElementById('help').open")


def test_texts_are_found(browser, made):
    browser.open((made / "report.html").as_uri(), "#/texts?q=PULSAR moon")
    arrays = np.load(made / "report.npz")
    expected = [text for text in text_list(arrays) if "pulsar" in text.lower() and "moon" in text.lower()]
    assert browser.js("return document.querySelector('.found').textContent").startswith(f"{len(expected)} of {len(arrays['text_bytes'])} texts")
    assert browser.js("return [...document.querySelectorAll('.item .text')].map((t) => t.textContent)") == expected[:100]
    assert set(t.lower() for t in browser.js("return [...document.querySelectorAll('mark')].map((t) => t.textContent)")) == {"pulsar", "moon"}


OWN_TAGS = ("html head meta title style body noscript header main nav a span input button div h1 h2 p section figure figcaption svg line rect text table caption thead tbody tr th td "
            "canvas ul strong details summary dl dt dd dialog kbd label code select option ol li mark b").split()
FOREIGN = f"""return [...document.querySelectorAll('*')].filter((e) => !{json.dumps(OWN_TAGS)}.includes(e.localName) && !(e.localName === 'script' && e.parentNode === document.body)
  || [...e.attributes].some((a) => /^on/i.test(a.name) || /javascript:/i.test(a.value) && a.name !== 'title' && a.name !== 'value')).map((e) => e.outerHTML.slice(0, 200))"""


def test_hostile_texts_stay_texts(browser, hostile):
    """Every string of the list as text, label, keyword and name: nothing becomes markup, nothing runs."""
    url = (hostile / "report.html").as_uri()
    browser.open(url, "#/")
    scripts = browser.js("return document.scripts.length")
    for fragment in ["#/", "#/features", "#/texts?q=script", "#/features?q=%3Cimg%20src=x%20onerror=window.__x=1%3E"] + [f"#/feature/{f}" for f in range(450)]:
        browser.go(fragment)
        assert browser.js(FOREIGN) == [], fragment
    assert browser.js("return [window.__x === undefined, document.scripts.length]") == [True, scripts]
    assert browser.log() == [] and browser.js("return performance.getEntriesByType('resource').length") == 0


def test_hostile_texts_are_shown_as_they_are(browser, hostile):
    tops = json.loads((hostile / "run/top_activations.json").read_text(encoding="utf8"))
    browser.open((hostile / "report.html").as_uri(), "#/")
    for f in range(0, 450, 9):
        if tops[f]:
            browser.go(f"#/feature/{f}")
            browser.wait(f"document.querySelectorAll('.item').length === {len(tops[f])}")
            shown = browser.js("return [...document.querySelectorAll('.item .text')].map((t) => t.textContent)")
            assert [text.removesuffix("… more") for text in shown] == [text if len(text) <= 360 else text[:360] for _, text in tops[f]]


def test_the_policy_holds(browser, made):
    browser.open((made / "report.html").as_uri(), "#/")
    assert browser.js("""
        const script = document.createElement('script');
        try { script.textContent = 'window.__x = 1'; } catch { /* a trusted type is wanted */ }
        document.body.append(script);
        const link = document.createElement('a');
        try { link.setAttribute('onclick', 'window.__x = 1'); } catch { /* as it should be */ }
        document.body.append(link);
        link.click();
        let markup = false;
        try { document.createElement('div').innerHTML = '<b>'; markup = true; } catch { /* as it should be */ }
        return [window.__x === undefined, markup]""") == [True, False]
    assert browser.js_async("const done = arguments[arguments.length - 1]; fetch('data:text/plain,a').then(() => done('fetched'), () => done('refused'))") == "refused"
    browser.call("POST", f"{browser.session}/url", {"url": "about:blank"})
    browser.log()  # what was tried here is said by now, and no other test takes it for its own
