"""Families of a small run: meaning on the other half, phrases, and families.json read back from strangers."""
import hashlib
import json
import math
import random
import shutil
import subprocess

import pytest

from conftest import ROOT

MODEL, SAE = ROOT / "tests/data/encoder/mpnet-mean", ROOT / "tests/data/run/sae-jumprelu"
WORDS = "galaxy cluster halo dust orbit planet comet shock jet plasma photon survey lens pulsar quasar corona flare tide ring moon".split()


@pytest.fixture(scope="module")
def made(program, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("families"), random.Random(2)
    lines = []
    for i in range(500):
        w = [rng.choice(WORDS[:10] if i % 2 else WORDS[10:]) for _ in range(5)]
        lines.append(json.dumps({"text": f"The {w[0]} of a {w[1]} {w[2]} and the {w[3]} {w[4]}."}) + "\n")
    (folder / "texts.jsonl").write_text("".join(lines))
    subprocess.run([program, "analyze", "-q", "-m", MODEL, "-s", SAE, "-d", folder / "texts.jsonl", "-o", folder / "run", "--steps", "none"], check=True)
    return folder


@pytest.fixture
def fresh(made, tmp_path):
    shutil.copytree(made / "run", tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("words", [[], ["--method", "seed"], ["--no-labels"]])
def test_families_say_what_they_are_about(run, fresh, words):
    done = run("families", fresh, *words, "--json")
    assert done.code == 0, done.err
    said, found = json.loads(done.out), json.loads((fresh / "families.json").read_text("utf8"))
    first = hashlib.sha256((fresh / "families.json").read_bytes()).hexdigest()
    named = [f for f in found["families"] if "phrases" in f]
    large = [f for f in found["families"] if f["size"] >= 4]
    assert len(named) == (0 if "--no-labels" in words else min(50, len(large)))
    for family in named:
        assert family["size"] >= 4 and 0 <= family["texts"] <= 500 / 10 and isinstance(family["phrases"], str)
        assert family["auc"] is None or family["auc_low"] <= family["auc"] <= family["auc_high"]
    if "seed" not in words:
        for family in found["families"]:
            held_out = family["held_out"]
            n, value, low, high = (held_out[k] for k in ("meaning_pairs", "meaning", "meaning_low", "meaning_high"))
            assert n <= held_out["pairs"] and (value is None) == (n == 0) and (low is None) == (high is None) == (n < 2)
            assert value is None or -1 - 1e-9 <= value <= 1 + 1e-9
        assert said["held_out"]["meaning_pairs"] == found["held_out"]["meaning_pairs"] <= said["held_out"]["pairs"]
    assert run("families", fresh, *words, "-q", "-t", "1").code == 0
    assert hashlib.sha256((fresh / "families.json").read_bytes()).hexdigest() == first


def test_without_the_encoder_there_are_families_all_the_same(run, fresh):
    manifest = json.loads((fresh / "run.json").read_text("utf8"))
    manifest["model"]["path"] = str(fresh / "gone")
    (fresh / "run.json").write_text(json.dumps(manifest))
    done = run("families", fresh)
    assert done.code == 0 and "no phrases of families" in done.err and "--model" in done.err
    assert not any("phrases" in f for f in json.loads((fresh / "families.json").read_text("utf8"))["families"])


def hostile(text, rng):
    """The text of families.json with something wrong in it: bytes, or values of other kinds in any place."""
    if rng.random() < 0.5:
        data = bytearray(text.encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at:at + rng.choice([0, 1, 1, 7])] = rng.choice([b"", b"\x00", b"}", b"-1", b"1e999", b"\xff", b"[" * 50, b'"'])
        return bytes(data)
    root = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        place = root
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = rng.choice(list(keys))
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.8:
                place = place[key]
                continue
            place[key] = rng.choice([None, -1, 2**63, 2**80, 1e300, True, "", "x" * 5000, [], {}, [[]], 0.5, math.pi, 11, 12, "\ud83d\ude00"])
            break
    return json.dumps(root).encode()


def test_families_from_strangers_are_read_or_refused(run, fresh):
    assert run("families", fresh, "-q", "--no-labels").code == 0
    text, rng, codes = (fresh / "families.json").read_text("utf8"), random.Random(3), []
    for _ in range(60):
        (fresh / "families.json").write_bytes(hostile(text, rng))
        done = run("show", fresh, rng.randrange(3), "--family", "--json")
        assert done.code in (0, 65, 66), (done.code, done.err)
        assert done.code == 0 or len(done.err) > 20
        codes.append(done.code)
    assert codes.count(65) >= 15
