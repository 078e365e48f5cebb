"""Parts of an analysis and their merge: every file has the bytes of the single run, whatever the cut and the order of merges.

The single run is what the same program writes without --part; that its numbers are right is shown elsewhere (tests/oracle,
tests/cli/test_jobs.py). What is refused, and with which sentence, is written by hand."""
import csv
import gzip
import json
import random
import shutil
import subprocess

import numpy as np
import pytest

from helpers import assert_refused
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

N_SPLITS = 10
WORDS = "star galaxy dust cold gas the of and spectrum infrared planet orbit mass ray caf\u00e9".split()


def write_corpus(folder):
    """Files of several formats, with rows of every kind: missing, empty, blank, broken, equal and with ties."""
    rng = random.Random(7)

    def text():
        return rng.choice(["the same text again", "Stars."]) if rng.random() < 0.2 else " ".join(rng.choices(WORDS, k=rng.randint(1, 9)))

    def value():
        p = rng.random()
        return None if p < 0.04 else "" if p < 0.08 else " \t" if p < 0.1 else text()

    rows = [{"id": i, "text": value()} for i in range(420)]
    lines = [json.dumps(row) if rng.random() > 0.03 else '{"text": "broken' for row in rows[:200]]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    with open(folder / "b.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows([row["id"], (row["text"] or "") + ("\nnext, line" if row["id"] % 7 == 0 else "")] for row in rows[200:280])
    (folder / "c.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows[280:350]).encode(), mtime=0))
    (folder / "d.jsonl").write_bytes(b"")
    (folder / "e.json").write_text(json.dumps(rows[350:]))
    (folder / "f.jsonl").write_bytes(b'{"id": 1, "text": "bad \xff bytes"}\n{"id": 2, "other": "no text"}\n')


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


OPTIONS = ["--on-bad-row", "skip", "--text-column", "text", "--keep", "id", "--quiet", "--top-k", "4", "--sample-rows", "30"]


@pytest.fixture(scope="module")
def call(program, model, sae, corpus):  # noqa: F811
    def run_it(*words, check=True, files=None, options=OPTIONS, env=None, stdin=None):
        line = [program, "analyze", "-m", model, "-s", sae, *options, *words]
        for path in files or sorted(corpus.iterdir()):
            line += ["-d", path]
        done = subprocess.run([str(w) for w in line], capture_output=True, text=True, timeout=300, env=env, input=stdin)
        assert not check or done.returncode == 0, done.stderr
        return done
    return run_it


@pytest.fixture(scope="module")
def single(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "run"
    call("-o", folder, "--title", "T")
    return folder


def merge(program, *words, check=True):
    done = subprocess.run([str(w) for w in (program, "merge", *words, "--quiet")], capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return done


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def manifest(folder):
    """run.json without timings, threads, and what belongs to the command line."""
    found = json.loads((folder / "run.json").read_text())
    for key in ("timings", "options", "parts", "settings"):
        found.pop(key, None)
    for step in found.get("steps", {}).values():
        step.pop("seconds", None)
    found["warnings"] = sorted(found["warnings"])
    return found


def assert_same(found, expected):
    left, right = files_of(found), files_of(expected)
    assert left.keys() == right.keys()
    differing = [name for name in left if left[name] != right[name] and not name.endswith("run.json")]
    assert not differing
    assert manifest(found) == manifest(expected)


def test_random_splits_and_trees_give_the_bytes_of_the_single_run(program, call, single, tmp_path):
    rng = random.Random(3)
    for split in range(N_SPLITS):
        n = rng.choice([1, 2, 3, 5, 8, 13])
        place = tmp_path / str(split)
        for part in range(1, n + 1):
            call("--part", f"{part}/{n}", "-o", place, "--threads", rng.choice([1, 2]), "--batch-tokens", rng.choice([64, 500, 4000]))
        states = sorted(place.glob("*.state"))
        assert [s.name for s in states] == [f"{k:05d}-of-{n:05d}.state" for k in range(1, n + 1)]
        rng.shuffle(states)
        while len(states) > 3:                                # a random tree, the rest at once
            pick = [states.pop(rng.randrange(len(states))) for _ in range(2)]
            states.append(place / f"tree-{len(states)}-{split}.state")
            merge(program, *pick, "-o", states[-1])
        merge(program, *states, "-o", place / "run", "--title", "T")
        assert_same(place / "run", single)


def test_a_merge_is_the_same_bytes_in_any_order(program, call, tmp_path):
    for part in range(1, 5):
        call("--part", f"{part}/4", "-o", tmp_path)
    states = sorted(tmp_path.glob("*-of-*.state"))
    orders = [states, states[::-1], [states[2], states[0], states[3], states[1]]]
    found = []
    for i, order in enumerate(orders):
        merge(program, *order, "-o", tmp_path / f"{i}.state")
        found.append((tmp_path / f"{i}.state").read_bytes())
    merge(program, states[0], states[3], "-o", tmp_path / "left.state")
    merge(program, states[2], states[1], "-o", tmp_path / "right.state")
    merge(program, tmp_path / "right.state", tmp_path / "left.state", "-o", tmp_path / "tree.state")
    found.append((tmp_path / "tree.state").read_bytes())
    commons = {common_of(data) for data in found}
    assert len(commons) == 1


def common_of(state):
    """All sections of a state but the record, by docs/formats.md."""
    n_sections = 9
    table = np.frombuffer(state[-72 - n_sections * 16:-72], dtype="<u8").reshape(n_sections, 2)
    return state[:int(table[-1, 0])]


def test_a_part_again_is_known_and_another_is_refused(program, call, tmp_path):
    for part in (1, 2, 3):
        call("--part", f"{part}/3", "-o", tmp_path / "a")
    again = call("--part", "2/3", "-o", tmp_path / "a", options=[o for o in OPTIONS if o != "--quiet"])
    assert "complete already" in again.stderr
    call("--part", "2/3", "-o", tmp_path / "b", "--threads", "1")
    a, b = (tmp_path / x / "00002-of-00003.state" for x in "ab")
    assert common_of(a.read_bytes()) == common_of(b.read_bytes())
    states = sorted((tmp_path / "a").glob("*.state"))
    merge(program, *states, b, "-o", tmp_path / "run", "--steps", "none")
    assert json.loads((tmp_path / "run/run.json").read_text())["parts"]["n"] == 3
    call("--part", "2/3", "-o", tmp_path / "c", options=["--on-bad-row", "skip", "--text-column", "text", "--quiet", "--top-k", "5"])
    done = merge(program, *states, tmp_path / "c/00002-of-00003.state", "-o", tmp_path / "other", check=False)
    assert done.returncode == 65 and "another analysis" in done.stderr and "top_k (4 and 5)" in done.stderr, done.stderr
    both = tmp_path / "both.state"
    merge(program, states[0], states[1], "-o", both)
    done = merge(program, states[2], states[1], both, "-o", tmp_path / "other", check=False)
    assert done.returncode == 65 and "beside others" in done.stderr


def test_missing_parts_are_listed(program, call, tmp_path):
    for part in (2, 6):
        call("--part", f"{part}/7", "-o", tmp_path)
    states = sorted(tmp_path.glob("*.state"))
    done = merge(program, *states, "-o", tmp_path / "run", check=False)
    assert done.returncode == 66 and "1, 3-5, 7" in done.stderr and "--allow-missing" in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()
    merge(program, *states, "-o", tmp_path / "run", "--allow-missing", "--steps", "none")
    found = json.loads((tmp_path / "run/run.json").read_text())
    assert [p["part"] for p in found["parts"]["merged"]] == [2, 6] and any("3-5" in w for w in found["warnings"])


@pytest.mark.parametrize("words, needle", [
    (["--num-examples", "5"], "--num-examples"),
    (["--save-embeddings", "x.npy"], "of a whole dataset"),
    (["--part", "0/3"], "K from 1 to N"),
    (["--part", "4/3"], "K from 1 to N"),
    (["--part", "1"], "K from 1 to N"),
    (["--part", "auto"], "no variable of a scheduler"),
])
def test_what_cannot_be_done_in_parts_is_refused_first(call, tmp_path, words, needle):
    part = [] if "--part" in words else ["--part", "1/3"]
    done = call(*part, *words, "-o", tmp_path / "parts", check=False)
    assert done.returncode == 64 and needle in done.stderr, done.stderr
    assert not (tmp_path / "parts").exists()


def test_standard_input_is_not_cut(call, tmp_path):
    done = call("--part", "1/3", "-o", tmp_path / "parts", files=["-"], stdin='{"id": 1, "text": "a star"}\n', check=False)
    assert done.returncode == 64 and "one process only" in done.stderr, done.stderr
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("variables, expected", [
    ({"SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "3",
      "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, "00003-of-00003"),
    ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}, "00001-of-00002"),
    ({"PMI_RANK": "1", "PMI_SIZE": "2"}, "00002-of-00002"),
    ({"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}, "00002-of-00004"),
    ({"JOB_COMPLETION_INDEX": "4"}, "00005-of-00006"),
])
def test_schedulers_say_the_part(call, tmp_path, variables, expected):
    part = "auto/6" if "JOB_COMPLETION_INDEX" in variables else "auto"
    call("--part", part, "-o", tmp_path / "parts", "--evidence", "none", env={"PATH": "/usr/bin:/bin", **variables})
    assert [p.name for p in (tmp_path / "parts").iterdir()] == [expected + ".state"]


def test_damaged_and_later_states_are_refused(program, call, tmp_path):
    call("--part", "1/1", "-o", tmp_path, "--evidence", "none", "--no-pairs")
    path = tmp_path / "00001-of-00001.state"
    whole = path.read_bytes()
    rng = random.Random(1)
    damages = [whole[:n] for n in (0, 7, 15, 100, len(whole) - 1)] + [whole + b"\0" * 8]
    for _ in range(10):
        at = rng.randrange(16, len(whole))
        damages.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1:])
    for damaged in damages:
        path.write_bytes(damaged)
        done = merge(program, path, "-o", tmp_path / "run", check=False)
        assert done.returncode == 65 and "damaged" in done.stderr, done.stderr
    path.write_bytes(whole[:8] + (2).to_bytes(8, "little") + whole[16:])
    done = merge(program, path, "-o", tmp_path / "run", check=False)
    assert done.returncode != 0 and "version 2" in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()


def test_files_that_change_between_parts_are_noticed(program, call, corpus, tmp_path):
    place = tmp_path / "corpus"
    shutil.copytree(corpus, place)
    files = sorted(place.iterdir())
    call("--part", "1/2", "-o", tmp_path / "parts", files=files)
    with open(place / "e.json", "a") as file:
        file.write(" ")
    call("--part", "2/2", "-o", tmp_path / "parts", files=files)
    done = merge(program, *sorted((tmp_path / "parts").glob("*.state")), "-o", tmp_path / "run", check=False)
    assert done.returncode == 65 and "dataset.files[4]" in done.stderr, done.stderr


def test_models_that_moved_are_named(program, model, sae, corpus, tmp_path):  # noqa: F811
    for name, from_ in (("m", model), ("s", sae)):
        shutil.copytree(from_, tmp_path / name)
    line = [program, "analyze", "-m", tmp_path / "m", "-s", tmp_path / "s", "-d", corpus / "e.json", "--part", "1/1", "-o",
            tmp_path / "parts", "--quiet"]
    subprocess.run([str(w) for w in line], check=True)
    (tmp_path / "m").rename(tmp_path / "m2")
    (tmp_path / "s").rename(tmp_path / "s2")
    state = tmp_path / "parts/00001-of-00001.state"
    done = merge(program, state, "-o", tmp_path / "run", "--steps", "none", check=False)
    assert done.returncode == 66 and "no longer" in done.stderr, done.stderr
    merge(program, state, "-o", tmp_path / "run", "-m", tmp_path / "m2", "-s", tmp_path / "s2", "--steps", "none")
    (tmp_path / "s2/config.json").write_text((tmp_path / "s2/config.json").read_text() + " ")
    done = merge(program, state, "-o", tmp_path / "again", "-m", tmp_path / "m2", "-s", tmp_path / "s2", "--steps", "none", check=False)
    assert done.returncode == 65 and "changed since" in done.stderr, done.stderr


def plan(program, files, out, n, *words, check=True):
    line = [program, "plan", "--on-bad-row", "skip", "--text-column", "text", "--keep", "id", "--parts", n, "-o", out, "--quiet", *words]
    for path in files:
        line += ["-d", path]
    done = subprocess.run([str(w) for w in line], capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


def test_a_plan_tells_the_parts_and_refuses_files_that_changed(program, call, corpus, single, tmp_path):
    place = tmp_path / "corpus"
    shutil.copytree(corpus, place)
    files = sorted(place.iterdir())
    plan(program, files, tmp_path / "plan.json", 4)
    found = json.loads((tmp_path / "plan.json").read_text())
    assert found["n_parts"] == len(found["parts"]) == 4
    covered = {}
    for piece in sum(found["parts"], []):                      # every byte is of one part
        begin, n = covered.get(piece["file"], (0, 0))
        assert piece["begin"] == begin
        covered[piece["file"]] = (piece["end"], n + 1)
    assert {name: end for name, (end, _) in covered.items()} == {str(p): p.stat().st_size for p in files if p.stat().st_size}
    for part in ("1", "2/4", "3", "4"):
        call("--plan", tmp_path / "plan.json", "--part", part, "-o", tmp_path / "parts", files=files)
    merge(program, *sorted((tmp_path / "parts").iterdir()), "-o", tmp_path / "run", "--title", "T")
    assert (tmp_path / "run/features.csv").read_bytes() == (single / "features.csv").read_bytes()
    for words, needle in ((["--part", "1/3"], "is of 4 parts, not of 3"), (["--part", "5"], "part 5 of 4"), ([], "say which one")):
        done = call("--plan", tmp_path / "plan.json", *words, "-o", tmp_path / "other", files=files, check=False)
        assert done.returncode == 64 and needle in done.stderr, done.stderr
    done = call("--plan", tmp_path / "plan.json", "--part", "1", "-o", tmp_path / "other", files=files[1:], check=False)
    assert done.returncode == 65 and "files[0].name" in done.stderr, done.stderr
    with open(files[4], "a") as file:
        file.write(" ")
    done = call("--plan", tmp_path / "plan.json", "--part", "1", "-o", tmp_path / "other", files=files, check=False)
    assert done.returncode == 65 and "files[4].bytes" in done.stderr and "make the plan" in done.stderr, done.stderr
    assert not (tmp_path / "other").exists()
    assert plan(program, files, tmp_path / "plan.json", 4, check=False).returncode == 74
    done = plan(program, files, tmp_path / "sample.json", 4, "--where", "id < ", check=False)
    assert done.returncode == 64, done.stderr
    (tmp_path / "no.json").write_text('{"format": "saescope plan", "n_parts": 4, "version": 2}')
    done = call("--plan", tmp_path / "no.json", "--part", "1", "-o", tmp_path / "other", files=files, check=False)
    assert done.returncode != 0 and "another version" in done.stderr, done.stderr


@pytest.mark.parametrize("where", ["id >= 30", "id < 0", "id = 'x' or text is not null"])
def test_rows_chosen_with_where_are_the_same_in_parts(program, call, tmp_path, where):
    """What is said of values that cannot be compared, and of rows that are not wanted, is that of all parts together."""
    words = ["--where", where, "--steps", "none"]
    whole = call(*words, "-o", tmp_path / "whole", "--title", "T", check=where != "id < 0")
    for part in (1, 2, 3):
        call(*words, "--part", f"{part}/3", "-o", tmp_path / "parts")
    done = merge(program, *sorted((tmp_path / "parts").iterdir()), "-o", tmp_path / "run", "--title", "T", "--steps", "none", check=whole.returncode == 0)
    if whole.returncode == 0:
        assert_same(tmp_path / "run", tmp_path / "whole")
        assert ("compared" in str(manifest(tmp_path / "run")["warnings"])) == ("'x'" in where)
    else:
        assert done.returncode == whole.returncode and "no row had text" in done.stderr and "is true for none of" in done.stderr


def test_labels_families_and_map_of_merged_parts_are_those_of_one_run(program, model, sae, tmp_path):  # noqa: F811
    rng = random.Random(8)
    rows = [{"text": " ".join(rng.choices(WORDS, k=rng.randint(3, 9)))} for _ in range(400)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    line = [str(w) for w in (program, "analyze", "-m", model, "-s", sae, "-d", tmp_path / "rows.jsonl", "--quiet")]
    subprocess.run([*line, "-o", str(tmp_path / "whole"), "--title", "T"], check=True)
    for part in (1, 2, 3):
        subprocess.run([*line, "-o", str(tmp_path / "parts"), "--part", f"{part}/3"], check=True)
    merge(program, *sorted((tmp_path / "parts").iterdir()), "-o", tmp_path / "run", "--title", "T")
    for name in ("descriptions.json", "families.json", "pairs.arrow"):
        assert (tmp_path / "run" / name).exists()
    assert_same_but_times(tmp_path / "run", tmp_path / "whole")


def assert_same_but_times(found, expected):
    """Every file; the records of steps have times and the folder's own name."""
    left, right = files_of(found), files_of(expected)
    assert left.keys() == right.keys()
    records = {name for name in left if name.endswith("run.json")}
    assert not [name for name in left if left[name] != right[name] and name not in records]


def test_a_run_in_one_part_is_the_single_run(program, call, single, tmp_path):
    call("--part", "1/1", "-o", tmp_path)
    merge(program, tmp_path / "00001-of-00001.state", "-o", tmp_path / "run", "--title", "T")
    assert_same(tmp_path / "run", single)


def test_refusals_are_one_sentence(run, tmp_path):
    (tmp_path / "x.state").write_bytes(b"SSSTATE?")
    assert_refused(run("merge", tmp_path / "x.state", "-o", tmp_path / "run"), 65, "not the state of an analysis")
