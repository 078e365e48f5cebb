#!/usr/bin/env python3
"""Lines and branches that the last test run went through, per room: coverage.py BUILD [WORD].

BUILD was configured with SS_COVERAGE=ON, and tests were run in it. With the word `fast` the result must not
be below the floors of the fast tests, with `all` below those of all tests but the slow ones: exit 1 and a
sentence else. `coverage.py BUILD ROOM` lists the files of a room, thinnest first, with the lines that no
test ran."""
import collections
import gzip
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Least percentage of lines, and of branches where it says so, that tests go through in one room or in
# several together. Floors only rise.
FLOORS = {
    # The units and the tests of faults: a few points below what they do, since kernels that a machine does
    # not have are not run.
    "fast": {
        "base": (91,), "tokenizer": (95,), "tensor": (78,), "weights": (92,), "net": (46,), "encoder": (80,), "sae": (89,), "stats": (95,),
        "source": (61,), "format": (83,), "arrow": (91,), "parquet": (87,), "dataset": (62,), "repo": (90, 75), "train": (88,), "describe": (80,), "graph": (88,),
        "view": (90,), "folder": (80,), "pass": (79,), "run": (79,), "web": (48,),
    },
    # What reads bytes of somebody else's, with the tests of the program and of the network.
    "all": {room: (90, 75) for room in ("source", "format", "parquet", "arrow", "repo", "dataset", "weights", "tokenizer", "sae", "net")},
}


class Counts:
    """Of a source file: how often a line ran, and the ways out of it."""

    def __init__(self):
        self.lines = collections.Counter()
        self.branches = {}

    def add(self, line):
        number = line["line_number"]
        self.lines[number] += line["count"]
        new = [b["count"] for b in line["branches"] if not b["throw"]]
        old = self.branches.get(number, [])
        wider = max(len(old), len(new))
        self.branches[number] = [sum(pair) for pair in zip(old + [0] * (wider - len(old)), new + [0] * (wider - len(new)))]

    def sums(self):
        ways = [n for counts in self.branches.values() for n in counts]
        return [len(self.lines), sum(n > 0 for n in self.lines.values()), len(ways), sum(n > 0 for n in ways)]


def read_notes(notes):
    """What gcov says of some object files."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--hash-filenames", *notes], cwd=folder,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode != 0:  # counts of an older build do not fit
            sys.exit("coverage: sources were built again since tests were run; run them again")
        return [json.loads(gzip.open(p).read()) for p in sorted(Path(folder).glob("*.gcov.json.gz"))]


def read_build(build):
    objects = build / "src/CMakeFiles/saescope_objects.dir"
    notes = sorted(str(p.resolve()) for p in objects.rglob("*.gcno")
                   if (ROOT / "src" / p.relative_to(objects).with_suffix("")).exists())  # else left over from before it moved
    if not notes:
        sys.exit(f"coverage: {build} was not built with SS_COVERAGE=ON")
    groups = [notes[i:i + 24] for i in range(0, len(notes), 24)]
    found = collections.defaultdict(Counts)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for documents in pool.map(read_notes, groups):
            for document in documents:
                base = Path(document["current_working_directory"])
                for file in document["files"]:
                    path = Path(os.path.normpath(base / file["file"]))
                    if ROOT / "src" in path.parents and path.exists():
                        for line in file["lines"]:
                            found[path.relative_to(ROOT / "src")].add(line)
    return found


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def table(sums):
    print(f"{'':14}{'lines':>8}{'run':>8}{'%':>7}{'branches':>10}{'taken':>8}{'%':>7}")
    for name, (lines, run, branches, taken) in sums:
        print(f"{name:14}{lines:8}{run:8}{percent(run, lines):7.1f}{branches:10}{taken:8}{percent(taken, branches):7.1f}")


def too_low(sums, floors):
    """Sentences about rooms below their floor."""
    wrong = []
    for rooms, least in floors.items():
        counts = [s for room, s in sums if room in rooms.split()]
        if len(counts) < len(rooms.split()):
            wrong.append(f"coverage: a floor is set for {rooms}, and nothing was built of it")
        for what, floor, run, whole in zip(("lines", "branches"), least, (1, 3), (0, 2)):
            share = percent(sum(s[run] for s in counts), sum(s[whole] for s in counts))
            if share < floor:
                wrong.append(f"coverage: tests go through {share:.1f} % of the {what} of {rooms}, at least {floor} are expected")
    return wrong


def list_room(found, room):
    for path, counts in sorted(found.items(), key=lambda f: percent(f[1].sums()[1], f[1].sums()[0])):
        if path.parts[0] == room:
            lines, run, branches, taken = counts.sums()
            missed = [str(n) for n, count in sorted(counts.lines.items()) if count == 0]
            print(f"{path}: {percent(run, lines):.0f} % of {lines} lines, {percent(taken, branches):.0f} % of {branches} branches; not run: {' '.join(missed[:60])}")


def main(build, word=""):
    found = read_build(Path(build))
    if word and word not in FLOORS:
        list_room(found, word)
        return
    rooms = collections.defaultdict(lambda: [0, 0, 0, 0])
    for path, counts in found.items():
        rooms[path.parts[0]] = [a + b for a, b in zip(rooms[path.parts[0]], counts.sums())]
    sums = sorted(rooms.items())
    table(sums + [("all", [sum(s[i] for _, s in sums) for i in range(4)])])
    wrong = too_low(sums, FLOORS[word]) if word else []
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
