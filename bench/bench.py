#!/usr/bin/env python3
"""Measure saescope, its peers and the machine's limits in one run, and write one report.

    bench.py [--quick] [--threads N] [--texts FILE] [--python PYTHON] [--only SECTION,…] [--peers KIND,…]

Everything made on the way lies in build/bench; the numbers stand in build/bench/results.json, the report and its
picture, drawn from these alone, in bench/REPORT.md and bench/report.svg (of a quick run: in build/bench); where there is a
tile unit, in bench/REPORT-amx.md and bench/report-amx.svg. --only measures some sections again and keeps the others. PYTHON has the peers' packages (bench/requirements.txt); without it only saescope is timed.
"""
import argparse
import json
import os
import subprocess
import sys
import time

import contenders
import embedding
import kernels
import machine
import models
import picture
import report
import steps
import texts

ROOT = texts.ROOT


class Bench:
    """What all sections share: choices, paths, texts, and the results so far."""

    def __init__(self, a):
        self.threads, self.quick, self.python = a.threads, a.quick, a.python
        self.kinds = a.peers.split(",") if a.peers else None
        self.runs = a.runs or (3 if a.quick else 5)
        self.folder = os.path.join(ROOT, "build", "bench")
        self.program = self.binary("saescope")
        self.started = time.monotonic()
        os.makedirs(self.folder, exist_ok=True)
        self.path = os.path.join(self.folder, "results.json")
        self.results = {}
        if os.path.exists(self.path) and a.only:
            with open(self.path, encoding="utf8") as f:
                self.results = json.load(f)
        path, what = texts.find(a.texts, self.folder)
        self.rows = texts.read_rows(path)
        self.results["texts"] = {"what": what, "rows": len(self.rows)}
        self.minilm = subprocess.run([os.path.join(ROOT, "scripts", "fetch-encoder.sh")], capture_output=True, text=True,
                                     check=True).stdout.strip()
        self.mpnet = os.path.join(self.folder, "mpnet")
        models.make_mpnet(self.mpnet, self.minilm)

    def binary(self, name):
        return os.path.join(ROOT, "build", "release", name)

    def subfolder(self, name):
        path = os.path.join(self.folder, f"{name}-files")
        os.makedirs(path, exist_ok=True)
        return path

    def say(self, sentence):
        print(f"bench: {time.monotonic() - self.started:5.0f} s  {sentence}", file=sys.stderr, flush=True)

    def count_tokens(self, model, rows):
        """Tokens of each text, special ones included, cut to the model's limit."""
        path = texts.write_jsonl(os.path.join(self.folder, "counted.jsonl"), rows)
        done = subprocess.run([self.program, "tokenize", "--model", model, "--dataset", path],
                              capture_output=True, text=True, check=True)
        return [len(json.loads(line)) for line in done.stdout.splitlines()]

    def note_limits(self, measured):
        """A limit is the highest rate that was seen in the run: nothing but noise lowers it. All rates of multiply-adds
        are kept, since they say how quiet the machine was."""
        seen = self.results.setdefault("limits", {})
        for name, rate in measured.items():
            seen[name] = max(rate, seen.get(name, 0))
        self.results.setdefault("quiet", []).append(measured.get("fp32_avx2", 0))

    def keep(self):
        with open(self.path, "w", encoding="utf8") as f:
            json.dump(self.results, f, indent=1)


SECTIONS = {
    "machine": lambda b: machine.describe(b.program, b.threads),
    "limits": lambda b: b.note_limits(embedding.limits(b)),
    "minilm": lambda b: embedding.measure(b, "all-MiniLM-L6-v2", b.minilm, 64 if b.quick else 256),
    "mpnet": lambda b: embedding.measure(b, "MPNet base shape", b.mpnet, 16 if b.quick else 64, holds_peers=True),
    "products": kernels.products,
    "profile": steps.profile,
    "lengths": steps.lengths,
    "threads": steps.threads,
    "tokenizer": steps.tokenizer,
    "sae": steps.sae,
    "workflow": steps.workflow,
    "start": steps.start,
}


# What every table needs; both take seconds.
ALWAYS = ("machine", "limits")


def kind_of(results):
    """The end of the report's name: machines with the tile unit have one of their own beside that of the others."""
    return "-amx" if "amx_tile" in results.get("machine", {}).get("instruction_sets", ()) else ""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--quick", action="store_true", help="few texts and runs: minutes instead of a quarter of an hour")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--runs", type=int)
    ap.add_argument("--texts", help="JSON lines with a text each")
    ap.add_argument("--python", help="the Python that has the peers' packages")
    ap.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}; or 'report' to draw it again")
    ap.add_argument("--peers", default="", help=f"of {', '.join(kind for kind, _, _ in contenders.PEERS)}")
    a = ap.parse_args()
    bench = Bench(a)
    only = a.only.split(",") if a.only else list(SECTIONS)
    for name, section in SECTIONS.items():
        if name in only or (name in ALWAYS and only != ["report"]):
            bench.say(f"section {name}")
            found = section(bench)
            if found is not None:
                bench.results[name] = found
            bench.keep()
    folder, kind = bench.folder if a.quick else os.path.join(ROOT, "bench"), kind_of(bench.results)
    path = os.path.join(folder, f"REPORT{kind}.md")
    report.write(bench.results, path, f"report{kind}")
    picture.write(bench.results, os.path.join(folder, f"report{kind}"))
    bench.say(f"the report is {os.path.relpath(path, ROOT)}")


main()
