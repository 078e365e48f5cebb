"""The Python package: what it gives is what the program gives, and it behaves as Python users expect."""
import gc
import json
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope")).parent / "python"
if not (PACKAGE / "saescope/_core.abi3.so").exists():
    pytest.skip("the Python package is not built: Python's headers are missing", allow_module_level=True)
sys.path[:0] = [str(PACKAGE), str(Path(__file__).parent)]

import saescope  # noqa: E402
from c_stream import Table  # noqa: E402

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
ROWS = ROOT / "tests/data/run/rows.jsonl"
RECORDS = [json.loads(line) for line in ROWS.read_text(encoding="utf8").splitlines()]
TEXTS = [record.get("text") for record in RECORDS]


@pytest.fixture(scope="module")
def encoder():
    return saescope.Encoder(MODEL)


@pytest.fixture(scope="module")
def sae():
    return saescope.SAE(SAE)


def same(a, b):
    return all(np.array_equal(a.features[name], b.features[name]) for name in a.features) and \
        all([top.text for top in a[i].top] == [top.text for top in b[i].top] for i in range(len(a)))


# ---- encoder and SAE ----

def test_encode_is_what_embed_writes(encoder, program, tmp_path):
    texts = [text for text in TEXTS if text]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    subprocess.run([program, "embed", "--model", MODEL, "--dataset", tmp_path / "texts.jsonl", "--out", tmp_path / "x.npy"],
                   check=True, capture_output=True)
    x = encoder.encode(texts)
    assert x.dtype == np.float32 and np.array_equal(x, np.load(tmp_path / "x.npy"))
    assert np.array_equal(encoder.encode(texts[3]), x[3])
    assert np.array_equal(encoder.encode(iter(texts), batch_size=7), x)
    assert np.allclose(np.linalg.norm(encoder.encode(texts[:9], normalize_embeddings=True), axis=1), 1)
    assert encoder.encode([]).shape == (0, encoder.width)


def test_prompts(encoder):
    with_prompt = saescope.Encoder(MODEL, prompt="star: ")
    assert np.array_equal(encoder.encode("dust", prompt="star: "), with_prompt.encode("dust"))
    assert not np.array_equal(encoder.encode("dust"), with_prompt.encode("dust"))
    with pytest.raises(saescope.SaescopeError):
        encoder.encode("dust", prompt_name="nothing of that name")


def test_sae_encode_is_what_the_program_writes(encoder, sae, program, tmp_path):
    x = encoder.encode([text for text in TEXTS if text])
    np.save(tmp_path / "x.npy", x)
    subprocess.run([program, "encode", "--embeddings", tmp_path / "x.npy", "--sae", SAE, "--out", tmp_path / "z.npz"],
                   check=True, capture_output=True)
    wanted, sparse = np.load(tmp_path / "z.npz"), sae.encode(x)
    assert sparse.shape == tuple(wanted["shape"]) and sparse.offsets.dtype == sparse.features.dtype == np.int32
    assert np.array_equal(sparse.offsets, wanted["indptr"])
    assert np.array_equal(sparse.features, wanted["indices"]) and np.array_equal(sparse.values, wanted["data"])
    dense = sparse.to_dense()
    assert (dense > 0).sum() == len(sparse.values) and sae.encode(x[0]).to_dense().tolist() == dense[:1].tolist()
    assert sae.thresholds.shape == (sae.n_features,)


def test_numbers_of_the_library_are_not_copied(sae, encoder):
    values = sae.encode(encoder.encode(["dust"])).values
    assert isinstance(values.base, memoryview) and type(values.base.obj).__name__ == "Block"


# ---- rows ----

def test_all_forms_of_rows_give_the_same(encoder, sae):
    wanted = saescope.analyze(str(ROWS), encoder, sae)
    ids = [record["id"] for record in RECORDS]
    forms = {
        "a path": ROWS, "paths": [ROWS], "texts": TEXTS, "an iterator": iter(TEXTS), "mappings": RECORDS,
        "strings": Table({"text": ("u", TEXTS)}), "large strings": Table({"text": ("U", TEXTS)}),
        "views": Table({"text": ("vu", TEXTS)}), "batches": Table({"text": ("u", TEXTS)}, rows=17),
        "an offset": Table({"text": ("u", TEXTS)}, rows=50, skip=11),
        "the only column of strings": Table({"id": ("l", ids), "body": ("U", TEXTS)}),
    }
    distinct = sorted({text for text in TEXTS if text is not None})
    forms["a dictionary"] = Table({"text": ("u", distinct, [None if text is None else distinct.index(text) for text in TEXTS])}, rows=31)
    for name, data in forms.items():
        run = saescope.analyze(data, encoder, sae)
        assert same(run, wanted), name
        assert run.info["rows_read"] == len(TEXTS) and run.info["rows_used"] == wanted.info["rows_used"], name


def test_frames_and_columns(encoder, sae):
    """A frame, and a mapping of columns, are rows; iterating over either gives the names of its columns."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": TEXTS, "n": range(len(TEXTS))}).iloc[::2]  # the index has gaps
    of_list = saescope.analyze(TEXTS[::2], encoder, sae)
    without_stream = type("Frame", (), {name: getattr(frame, name) for name in ("astype", "notna", "columns", "itertuples")})()
    for data in (frame, without_stream, frame["text"], {"text": TEXTS[::2], "n": list(range(len(TEXTS[::2])))}, {"text": np.array(TEXTS[::2])}):
        run = saescope.analyze(data, encoder, sae)
        assert same(of_list, run) and run.info["rows_null"] == of_list.info["rows_null"], type(data)
    assert saescope.analyze(frame, encoder, sae, keep="n")[0].top[0].kept["n"] % 2 == 0
    for data in ({"train": frame}, {"text": "a b c"}, {"text": ["a"], "n": [1, 2]}):
        with pytest.raises(ValueError):
            saescope.analyze(data, encoder, sae)


def test_columns_are_kept(encoder, sae):
    n = len(TEXTS)
    kept = {"id": ("l", [record["id"] for record in RECORDS]), "name": ("u", [f'"{i}\\\n' for i in range(n)]),
            "share": ("g", [i / 3 for i in range(n)]), "half": ("f", [0.1] * n), "flag": ("b", [i % 3 == 0 for i in range(n)]),
            "big": ("L", [2**64 - 1 - i for i in range(n)]), "small": ("c", [-(i % 100) for i in range(n)]),
            "gap": ("i", [None if i % 2 else i for i in range(n)]), "nan": ("g", [float("nan")] * n)}
    run = saescope.analyze(Table({"text": ("u", TEXTS), **kept}, rows=40, skip=3), encoder, sae, keep=list(kept))
    tops = [top for feature in run for top in feature.top]
    assert len(tops) > 50
    for top in tops:
        expected = {name: values[top.row] for name, (_, values) in kept.items()}
        assert top.kept == {**expected, "nan": None}
    mapped = saescope.analyze(RECORDS, encoder, sae, keep="id")
    assert all(top.kept == {"id": RECORDS[top.row]["id"]} for feature in mapped for top in feature.top)


def test_a_stream_is_released(encoder, sae):
    table = Table({"text": ("u", TEXTS)}, rows=100)
    saescope.analyze(table, encoder, sae)
    gc.collect()
    assert table.n_released == 2 + len(table.batches)


@pytest.mark.parametrize("data, more, error, says", [
    (["a", 7], {}, TypeError, "str or None"),
    ([7], {}, TypeError, "int"),
    ([{"body": "a"}], {}, ValueError, "text_column"),
    ([{"text": "a"}, "b"], {}, TypeError, "mappings"),
    (["a"], {"keep": "id"}, ValueError, "kept"),
    (["a"], {"split": "train"}, TypeError, "split"),
    (7, {}, TypeError, "int"),
    (Table({"a": ("u", ["x"]), "b": ("u", ["y"])}), {}, ValueError, "text_column"),
    (Table({"a": ("u", ["x"])}), {"text_column": "b"}, ValueError, "'b'"),
    (Table({"a": ("l", [1])}), {"text_column": "a"}, ValueError, "'l'"),
    (Table({"text": ("u", ["x"])}), {"keep": ["id"]}, ValueError, "'id'"),
    (Table({"text": ("u", ["x", "y"])}, rows=1, fail_at=1), {}, ValueError, "the cable is out"),
    ([], {}, ValueError, "no row"),
    ([None, ""], {}, ValueError, "no row"),
])
def test_rows_that_are_none(encoder, sae, data, more, error, says):
    with pytest.raises(error, match=says):
        saescope.analyze(data, encoder, sae, **more)


def test_what_an_iterator_raises_is_raised(encoder, sae):
    def rows():
        yield from ["dust", "star"]
        raise ZeroDivisionError("in the middle")
    with pytest.raises(ZeroDivisionError, match="in the middle"):
        saescope.analyze(rows(), encoder, sae)


def test_optional_packages(encoder, sae):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    wanted = saescope.analyze(TEXTS, encoder, sae)
    table = arrow.table({"id": range(len(TEXTS)), "text": TEXTS})
    for data in (table, table.to_reader(max_chunksize=30), table.to_pandas(), table.to_pandas()["text"],
                 table.set_column(1, "text", table["text"].dictionary_encode())):
        run = saescope.analyze(data, encoder, sae)
        assert same(run, wanted)
    assert run.features.to_pandas().equals(pandas.DataFrame(dict(run.features)))
    assert arrow.table(run.features)["n_fires"].to_pylist() == run.features["n_fires"].tolist()
    scipy = sae.encode(encoder.encode(["dust"] * 9)).to_scipy()
    assert scipy.shape == (9, sae.n_features)


# ---- runs ----

def test_a_run_is_that_of_its_folder(encoder, sae, tmp_path):
    run = saescope.analyze(RECORDS, encoder, sae, out=tmp_path / "run", keep="id", top_k=4)
    again = saescope.Run(tmp_path / "run")
    assert same(run, again) and again.info["rows_used"] == run.info["rows_used"]
    assert np.array_equal(run.rates, np.load(tmp_path / "run/fire_rate.npy"))
    feature = int(np.argmax(run.rates))
    assert len(run[feature].top) == 4 and f"Feature {feature}" in run[feature]._repr_html_() and "<table>" in run._repr_html_()
    with pytest.raises(IndexError):
        run[len(run)]
    run.plot(tmp_path / "density.svg")
    with pytest.raises(FileExistsError):
        run.plot(tmp_path / "density.svg")
    with pytest.raises(saescope.OutputExistsError):
        saescope.analyze(RECORDS, encoder, sae, out=tmp_path / "run")


def test_descriptions(encoder, sae, tmp_path):
    run = saescope.analyze(RECORDS, encoder, sae, out=tmp_path / "run").describe(encoder)
    labels = json.loads((tmp_path / "run/descriptions.json").read_text())
    assert [run[i].label for i in range(len(run))] == [one["label"] or "" for one in labels]
    assert [feature.label for feature in saescope.Run(tmp_path / "run")] == [one["label"] or "" for one in labels]
    with pytest.raises(ValueError, match="out"):
        saescope.analyze(RECORDS, encoder, sae).describe(encoder)


def test_steps(encoder, sae, tmp_path):
    run = saescope.analyze(RECORDS, encoder, sae, out=tmp_path / "run", steps="labels")
    assert (tmp_path / "run/descriptions.json").exists() and not (tmp_path / "run/families.json").exists()
    assert run[0].description["status"] in ("sharp", "topical", "weak", "chance", "too few", "no label")
    with pytest.raises(saescope.UsageError, match="no step 'sums'"):
        saescope.analyze(RECORDS, encoder, sae, out=tmp_path / "other", steps="sums")


def test_what_is_made_of_a_folder(encoder, sae, program, tmp_path):
    """Families, map and report have the bytes of the program's; searches and differences its numbers."""
    texts = [{"text": f"{word} {number} of the night sky", "kind": word} for number in range(60) for word in ("star", "dust")]
    run = saescope.analyze(texts, encoder, sae, out=tmp_path / "a", keep="kind", steps="none")
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    def check(name, *words):
        done = subprocess.run([program, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if name:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        return done.stdout

    found = run.families(rule="saerch", tau=0.2)
    check("families.json", "families", tmp_path / "b", "--method", "saerch", "--tau", "0.2")
    assert found["n_families"] == len(json.loads((tmp_path / "a/families.json").read_text())["families"])
    found = run.map(encoder, n_clusters=2, seed=3)
    check("map.csv", "map", tmp_path / "b", "--clusters", "2", "--seed", "3")
    assert found["n_clusters"] == 2 and found["n_features"] > 2
    assert run.report(tmp_path / "a.html", no_texts=True) == (tmp_path / "a.html").stat().st_size
    listed = json.loads(check(None, "search", tmp_path / "b", "dust 7", "--json"))["found"]
    hits = run.search("dust 7")
    assert [(hit.row, hit.text) for hit in hits] == [(item["row"], item["text"]) for item in listed] and hits[0].text.startswith("dust 7 ")
    assert hits[0].feature is None and all(value > 0 for value in hits[0].features.values())
    table = run.diff(by="kind")
    listed = json.loads(check(None, "diff", tmp_path / "b", "--by", "kind", "--json"))["differences"]
    assert set(table["group"]) == {"dust", "star"} and len(table["p"]) >= len(listed) > 0
    assert [int(f) for f in table["feature_a"][:3]] == [item["feature_a"] for item in listed[:3]]
    same = saescope.diff(run, tmp_path / "b")
    assert np.all(same["difference_pct"] == 0) and np.all(same["similarity"] == 1)
    with pytest.raises(saescope.UsageError):
        run.diff()
    with pytest.raises(ValueError):
        run.search("dust", by="smell")
    with pytest.raises(ValueError, match="out"):
        saescope.analyze(texts, encoder, sae).families()


def test_training_gives_the_program_s_sae(program, tmp_path):
    x = np.random.default_rng(5).standard_normal((600, 16)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    steps = []
    given = {"dict_size": 48, "top_k": 4, "batch_size": 32, "max_steps": 40}
    with pytest.warns(saescope.SaescopeWarning, match="held out") as warned:
        found = saescope.train(None, None, tmp_path / "a", embeddings=x, progress=steps.append, **given)
    assert warned[0].filename == __file__  # the user's own line, not one of the package
    subprocess.run([program, "train", "--embeddings", tmp_path / "x.npy", "--out", tmp_path / "b", "-q", "--dict-size", "48", "--top-k", "4",
                    "--batch-size", "32", "--max-steps", "40"], check=True, capture_output=True)
    a, b = saescope.SAE(tmp_path / "a").encode(x), saescope.SAE(tmp_path / "b").encode(x)
    assert np.array_equal(a.values, b.values) and np.array_equal(a.features, b.features)
    assert found == json.loads((tmp_path / "b/evaluation.json").read_text()) and 0 < found["explained_variance"] < 1
    assert steps[-1]["step"] == 40 and steps[-1]["n_features"] == 48
    of_all = saescope.evaluate(tmp_path / "a", x)
    assert of_all["rows"] == 600 and of_all == saescope.evaluate(tmp_path / "b", tmp_path / "x.npy")
    with pytest.raises(FileExistsError):
        saescope.train(None, None, tmp_path / "a", embeddings=x, **given)
    with pytest.raises(ZeroDivisionError):
        saescope.train(None, None, tmp_path / "c", embeddings=x, progress=lambda metrics: 1 / 0, **given)


def test_embeddings_instead_of_texts(encoder, sae, tmp_path):
    texts = [text for text in TEXTS if text and text.strip()]
    x = encoder.encode(texts)
    np.save(tmp_path / "x.npy", x)
    runs = [saescope.analyze(texts, None, sae, embeddings=x), saescope.analyze(texts, None, sae, embeddings=tmp_path / "x.npy"),
            saescope.analyze(texts, encoder, sae)]
    assert same(runs[0], runs[1]) and np.array_equal(runs[0].features["n_fires"], runs[2].features["n_fires"])
    assert saescope.analyze(None, None, sae, embeddings=x)[0].top[0].text.startswith("row ")


# ---- behaviour ----

def test_progress_and_messages(encoder, sae, tmp_path, caplog):
    reports = []
    saescope.analyze(TEXTS, encoder, sae, progress=reports.append)
    assert reports and reports[-1]["rows_done"] == len(TEXTS) and reports[-1]["is_end"]
    (tmp_path / "bad.jsonl").write_bytes(b'{"text": "star \xff dust"}\n{"text": "old star"}\n')
    with pytest.warns(saescope.SaescopeWarning, match="UTF-8"):
        saescope.analyze(tmp_path / "bad.jsonl", encoder, sae)
    with caplog.at_level(logging.INFO, "saescope"):
        (tmp_path / "body.jsonl").write_text('{"body": "star dust"}\n')
        saescope.analyze(tmp_path / "body.jsonl", encoder, sae)
    assert "'body'" in caplog.text
    with warnings.catch_warnings(), pytest.raises(saescope.SaescopeWarning):
        warnings.simplefilter("error")
        saescope.analyze(tmp_path / "bad.jsonl", encoder, sae)
    with pytest.raises(RuntimeError, match="enough"):
        saescope.analyze(TEXTS, encoder, sae, progress=lambda report: (_ for _ in ()).throw(RuntimeError("enough")))


def test_errors_are_what_except_asks_for(encoder, sae, tmp_path):
    cases = [(lambda: saescope.Encoder("/not/there"), FileNotFoundError), (lambda: saescope.SAE(ROWS), ValueError),
             (lambda: saescope.Run(tmp_path / "no"), FileNotFoundError), (lambda: saescope.Run(tmp_path), ValueError), (lambda: saescope.Encoder(MODEL, precision="exact"), ValueError),
             (lambda: sae.encode(np.zeros((2, 3))), ValueError), (lambda: sae.encode(np.full((1, sae.info["width"]), np.nan)), ValueError),
             (lambda: encoder.encode([None]), TypeError), (lambda: encoder.encode(["\ud800"]), UnicodeEncodeError),
             (lambda: encoder.encode("a", convert_to_tensor=True), ValueError)]
    for call, error in cases:
        with pytest.raises(error):
            call()
    (tmp_path / "broken.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(saescope.DataError) as caught:
        saescope.analyze(tmp_path / "broken.jsonl", encoder, sae)
    error = caught.value
    assert isinstance(error, saescope.SaescopeError) and error.code == "bad data" and error.row == 1 and error.option == "on_bad_row"
    assert error.file.endswith("broken.jsonl") and "broken.jsonl" in str(error)


def test_pickled_by_reference(encoder, sae):
    for thing in (encoder, sae):
        data = pickle.dumps(thing)
        assert len(data) < 1000 and pickle.loads(data) is pickle.loads(data)
    assert np.array_equal(pickle.loads(pickle.dumps(encoder)).encode("dust"), encoder.encode("dust"))


def test_an_encoder_is_shared_by_threads(encoder):
    texts = [text for text in TEXTS if text] * 4
    wanted, found = encoder.encode(texts), [None] * 4

    def work(i):
        found[i] = encoder.encode(texts)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, wanted) for one in found)


def in_child(encoder, wanted, answers):
    answers.put(np.array_equal(encoder.encode(["star dust"] * 3), wanted))


def test_an_encoder_works_behind_a_fork(encoder):
    wanted = encoder.encode(["star dust"] * 3)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=in_child, args=(encoder, wanted, answers))
    child.start()
    assert answers.get(timeout=60)
    child.join(60)
    assert child.exitcode == 0 and np.array_equal(encoder.encode(["star dust"] * 3), wanted)


LONG_WORK = """
import sys; sys.path.insert(0, sys.argv[1])
import itertools, saescope
encoder, sae = saescope.Encoder(sys.argv[2], threads=2), saescope.SAE(sys.argv[3])
text = " ".join(["star dust galaxy"] * 60)
print("ready", flush=True)
try:
    if sys.argv[4] == "encode":
        encoder.encode([text] * 2_000_000)
    else:
        saescope.analyze(itertools.repeat(text), encoder, sae)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("what", ["encode", "analyze"])
def test_interrupts_are_heard_at_once(what):
    took = []
    for i in range(3):
        child = subprocess.Popen([sys.executable, "-c", LONG_WORK, str(PACKAGE), str(MODEL), str(SAE), what], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        time.sleep(1 + 0.13 * i)
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        took.append(time.monotonic() - start)
        child.kill()
        child.wait()
    assert min(took) <= 0.3 and sorted(took)[1] <= 1, took  # a busy machine may be slow once


def test_opening_leaks_nothing():
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    x = np.zeros((1, saescope.SAE(SAE).info["width"]), np.float32)

    def open_both():
        saescope.Encoder(MODEL, threads=1).encode("star")
        saescope.SAE(SAE, threads=1).encode(x)
        with pytest.raises(FileNotFoundError):
            saescope.SAE("/not/there")
    for _ in range(50):
        open_both()
    gc.collect()
    before = resident()
    for _ in range(400):
        open_both()
    gc.collect()
    assert resident() - before < 8 << 20


def test_the_module_needs_python_3_11_and_no_more():
    """Its undefined symbols of Python are those of the limited API: none is private."""
    names = subprocess.run(["nm", "-D", "--undefined-only", PACKAGE / "saescope/_core.abi3.so"], capture_output=True, text=True, check=True)
    python = [line.split()[-1] for line in names.stdout.splitlines() if line.split()[-1].startswith(("Py", "_Py"))]
    private = [name for name in python if name.startswith("_Py") and not name.endswith("_SizeT") and name not in
               ("_Py_Dealloc", "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct", "_PyObject_New")]
    assert len(python) > 30 and not private, private


def test_the_program_comes_with_the_package():
    done = subprocess.run([sys.executable, "-m", "saescope", "--version"], env={**os.environ, "PYTHONPATH": str(PACKAGE)}, capture_output=True, text=True)
    assert done.returncode == 0 and saescope.__version__ in done.stdout, done.stderr
