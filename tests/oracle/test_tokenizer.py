"""Token ids from the command line, against the reference libraries: the oracle's own texts, and every line of the
text corpora (digests made by tools/make_tokenizer_data.py)."""
import hashlib
import json

import pytest

from conftest import ROOT, SHARED

ORACLE, CORPORA = SHARED / "oracle", SHARED / "corpora/text"
DIGESTS = json.loads((ROOT / "tests/data/tokenizer/corpora-ids.json").read_text())
MODELS = ["tiny-bert-cls-normalize", "tiny-bert-last", "tiny-bert-max-dense", "tiny-bert-sqrtlen", "tiny-bert-weighted",
          "tiny-distilbert-cased", "tiny-mpnet"]
pytestmark = pytest.mark.skipif(not ORACLE.is_dir() or not CORPORA.is_dir(), reason=f"{SHARED} is not there")


def tokenize(run, model, texts):
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = run("tokenize", "--model", ORACLE / model, "--dataset", "-", "--quiet", stdin=rows.encode())
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize("model", MODELS)
def test_ids_of_the_oracle_texts(run, model):
    folder = ORACLE / f"{model}.expected"
    texts, ids = (json.loads((folder / name).read_text()) for name in ("texts.json", "ids.json"))
    ours = [json.loads(line) for line in tokenize(run, model, texts).splitlines()]
    assert len(ours) == len(ids) > 0
    assert ours == ids


@pytest.mark.parametrize("model", DIGESTS)
def test_ids_of_every_line_of_the_corpora(run, model):
    wrong = []
    for name, digest in DIGESTS[model].items():
        lines = (CORPORA / name).read_bytes().split(b"\n")
        texts = [line.decode("utf-8", "replace") for line in (lines[:-1] if lines[-1] == b"" else lines)]
        if hashlib.sha256(tokenize(run, model, texts).encode()).hexdigest() != digest:
            wrong.append(name)
    assert not wrong
