"""States in Python, and the adapters for Ray and Spark with stand-ins for the engines (tests/engines has the engines themselves).

The run of all rows in one go is what the same library makes of a file; that its numbers are right is shown elsewhere."""
import json
import os
import random
import sys
import types
from pathlib import Path

import pytest

from conftest import ROOT

PACKAGE = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope")).parent / "python"
sys.path.insert(0, str(PACKAGE))
saescope = pytest.importorskip("saescope", reason="the Python package is not built")

MODEL, SAE = str(ROOT / "tests/data/encoder/mpnet-mean"), str(ROOT / "tests/data/run/sae-jumprelu")
COMPARED = ["features.csv", "top_activations.json", "histograms.npz", "centroids.npz", "coactivation.npz", "evidence/texts.arrow"]
N_ROWS = 120


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    rng, words = random.Random(4), "star galaxy dust cold gas spectrum planet orbit".split()
    rows = [{"text": " ".join(rng.choices(words, k=rng.randint(1, 6))) if i % 17 else None, "id": i} for i in range(N_ROWS)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    saescope.analyze(folder / "rows.jsonl", MODEL, SAE, out=folder / "run", title="T")
    return types.SimpleNamespace(folder=folder, rows=rows, file=str(folder / "rows.jsonl"))


def batch(place, ids):
    return {"text": [place.rows[i]["text"] for i in ids], "file": [place.file] * len(ids), "row": list(ids)}


def options(place):
    return {"key": ("file", "row"), "files": [place.file], "file_rows": [N_ROWS]}


def same(place, state, name):
    run = saescope.Run.from_state(state, place.folder / name, title="T")
    assert run.info["rows_used"] == sum(row["text"] is not None for row in place.rows)
    for name_ in COMPARED:
        assert (place.folder / name / name_).read_bytes() == (place.folder / "run" / name_).read_bytes(), name_


def test_random_partitions_and_trees(place):
    rng, encoder, sae = random.Random(3), saescope.Encoder(MODEL), saescope.SAE(SAE)
    for turn in range(4):
        ids = list(range(N_ROWS))
        rng.shuffle(ids)
        cuts = sorted(rng.sample(range(N_ROWS), rng.randint(0, 5)))
        parts = [ids[a:b] for a, b in zip([0, *cuts], [*cuts, N_ROWS])]
        states = [saescope.state_of([batch(place, part[:7]), batch(place, part[7:])], encoder, sae, **options(place)) for part in parts]
        states += [None, saescope.state_of([], encoder, sae, **options(place)), rng.choice(states)]      # no rows; a task that was done twice
        rng.shuffle(states)
        same(place, saescope.merge_states(states), f"turn{turn}")
        kept = list(dict.fromkeys(states))
        same(place, saescope.merge_states([saescope.merge_states(kept[:3]), saescope.merge_states(kept[3:])]), f"tree{turn}")


def test_a_row_number_alone_is_a_key(place, tmp_path):
    encoder, sae = saescope.Encoder(MODEL), saescope.SAE(SAE)
    states = [saescope.state_of([{"text": [r["text"] for r in part], "id": [r["id"] for r in part]}], encoder, sae, key="id")
              for part in (place.rows[1::2], place.rows[::2])]
    whole = saescope.state_of([[r["text"] for r in place.rows]], encoder, sae)                           # numbered as they come
    a = saescope.Run.from_state(saescope.merge_states(states), tmp_path / "a")
    b = saescope.Run.from_state(whole, tmp_path / "b", encoder=encoder, sae=sae)
    assert (tmp_path / "a/top_activations.json").read_bytes() == (tmp_path / "b/top_activations.json").read_bytes()
    assert [top.row for feature in a for top in feature.top] == [top.row for feature in b for top in feature.top]


def test_columns_go_along(place, tmp_path):
    state = saescope.state_of([{"text": ["a star", "a galaxy"], "tag": ["x", {"y": 1}]}], MODEL, SAE, keep="tag")
    run = saescope.Run.from_state(state, tmp_path / "run")
    kept = {json.dumps(top.kept) for feature in run for top in feature.top}
    assert kept == {'{"tag": "x"}', '{"tag": {"y": 1}}'}


def test_what_is_wrong_is_said(place, tmp_path):
    encoder, sae = saescope.Encoder(MODEL), saescope.SAE(SAE)
    one = {"text": ["a star"], "row": [0], "file": ["other"]}
    for call, needle in [
        (lambda: saescope.state_of([one], encoder, sae, text="body"), "no column 'body'"),
        (lambda: saescope.state_of([one], encoder, sae, key="file"), "must be whole numbers"),
        (lambda: saescope.state_of([one], encoder, sae, key=("file", "row")), "files="),
        (lambda: saescope.state_of([one], encoder, sae, key=("file", "row"), files=["a"]), "none of files"),
        (lambda: saescope.state_of([{"text": ["a"], "row": [-1]}], encoder, sae, key="row"), "from 0"),
        (lambda: saescope.state_of([{"text": ["a"], "row": [1 << 41]}], encoder, sae, key="row"), "the largest is"),
        (lambda: saescope.Run.from_state(None), "no worker had rows"),
    ]:
        with pytest.raises(ValueError, match=needle):
            call()
    state = saescope.state_of([one], encoder, sae)
    other = saescope.state_of([one], encoder, sae, top_k=3)
    for states, needle in [([b"x"], "damaged"), ([state, other], "top_k"), ([state[:-9]], "damaged"), ([state[:8] + b"\x07" + state[9:]], "version 7")]:
        with pytest.raises(saescope.SaescopeError, match=needle):
            saescope.merge_states(states)
    with pytest.raises(TypeError):
        saescope.merge_states(["text"])
    with pytest.raises(TypeError, match="no option"):
        saescope.state_of([one], encoder, sae, topk=3)
    with pytest.raises(saescope.UsageError):
        saescope.state_of([one], encoder, sae, num_examples=3)


def test_append(place, tmp_path):
    rows = place.rows
    for name, part in (("a", rows[:50]), ("b", rows[50:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    saescope.analyze([a, b], MODEL, SAE, out=tmp_path / "once", title="T")
    saescope.analyze(a, MODEL, SAE, out=tmp_path / "run", title="T")
    saescope.analyze(b, MODEL, SAE, out=tmp_path / "run", title="T", append=True)
    for name in COMPARED:
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "once" / name).read_bytes(), name


# ---- Ray and Spark, in this process ----

class Ref:
    def __init__(self, value):
        self.value = value


def stand_in_for_ray(cpus):
    ray = types.ModuleType("ray")
    ray.nodes = lambda: [{"Alive": True, "Resources": {"CPU": cpus}}]
    ray.cluster_resources = lambda: {"CPU": cpus}
    ray.put, ray.get = Ref, lambda ref: ref.value
    ray.remote = lambda function: types.SimpleNamespace(remote=lambda *refs: Ref(function(*(ref.value for ref in refs))))
    ray.data = types.SimpleNamespace(ActorPoolStrategy=lambda size: size)
    return ray


class RayDataset:
    """Blocks in an order of its own; the last is done twice, of which one result counts, as Ray has it."""

    def __init__(self, blocks):
        self.blocks = blocks

    def map_batches(self, kind, fn_constructor_args, batch_format, batch_size, compute, num_cpus):
        assert batch_format == "pyarrow" and num_cpus >= 1
        actor = kind(*fn_constructor_args)
        actor(self.blocks[-1])
        rows = [{"state": state} for block in self.blocks for state in actor(block)["state"]]
        return types.SimpleNamespace(iter_rows=lambda: iter(rows))


def test_the_adapter_for_ray(place, monkeypatch):
    import saescope.ray as adapter
    monkeypatch.setitem(sys.modules, "ray", stand_in_for_ray(4))
    ids = random.Random(5).sample(range(N_ROWS), N_ROWS)
    blocks = RayDataset([batch(place, ids[i::11]) for i in range(11)] + [batch(place, [])])
    same(place, adapter.state_of(blocks, MODEL, SAE, actors=2, num_cpus=1, **options(place)), "ray")
    assert adapter.state_of(RayDataset([batch(place, [])]), MODEL, SAE, **options(place)) is None
    with pytest.raises(ValueError, match="nothing is left to read"):
        adapter.state_of(blocks, MODEL, SAE, actors=4, num_cpus=1)
    with pytest.raises(TypeError, match="name encoder and sae"):
        adapter.state_of(blocks, saescope.Encoder(MODEL), SAE)


class SparkFrame:
    """Partitions, whose rows and states go through pyarrow where it is there, and are lists elsewhere."""

    def __init__(self, partitions):
        self.partitions = partitions
        self.rdd = types.SimpleNamespace(getNumPartitions=lambda: len(partitions))

    def mapInArrow(self, function, schema):
        assert schema == "bucket int, state binary"
        return Grouped([row for part in self.partitions for table in function(iter(part)) for row in table])


class Grouped:
    def __init__(self, rows):
        self.rows = rows

    def groupBy(self, name):
        assert name == "bucket"
        return self

    def applyInArrow(self, function, schema):
        buckets = {bucket: [state for b, state in self.rows if b == bucket] for bucket, _ in self.rows}
        found = [row for states in buckets.values() for row in function(states)]
        return types.SimpleNamespace(collect=lambda: [{"state": bytearray(state)} for _, state in found])


def test_the_adapter_for_spark(place, monkeypatch):
    import saescope.spark as adapter
    monkeypatch.setattr(adapter, "_table", lambda buckets, states: list(zip(buckets, states)))
    monkeypatch.setattr(adapter, "merge", lambda states: [(0, adapter._state.merge_states(states))])
    ids = random.Random(6).sample(range(N_ROWS), N_ROWS)
    frame = SparkFrame([[batch(place, ids[i::14]), batch(place, ids[i + 7::14])] for i in range(7)] + [[], [batch(place, [])]])
    same(place, adapter.state_of(frame, MODEL, SAE, **options(place)), "spark")
    assert len(adapter._opened) == 1                          # models once for each process
    with pytest.raises(TypeError, match="name encoder and sae"):
        adapter.state_of(frame, MODEL, saescope.SAE(SAE))
