"""Matrix products at the models' shapes, against the libraries that others build on."""
import json
import os
import subprocess

import contenders
import embedding


def environment(has_avx512):
    """Old releases do not know new processors and fall back to slow kernels: name the best that will run."""
    hints = {"OPENBLAS_CORETYPE": "SkylakeX", "BLIS_ARCH_TYPE": "skx"} if has_avx512 else {"OPENBLAS_CORETYPE": "Haswell",
                                                                                          "BLIS_ARCH_TYPE": "haswell"}
    return hints | dict(os.environ)


def products(bench):
    """What the engines are, and a row per shape with the rate of each."""
    options = ["3", "10"] if bench.quick else ["5", "25"]
    done = subprocess.run([bench.binary("bench_matmul"), str(bench.threads), *options], capture_output=True, text=True, check=True,
                          env=environment("fp32_avx512" in bench.results.get("limits", {})))
    first, *measured = json.loads(done.stdout)
    bench.note_limits(embedding.limits(bench))
    rows = {}
    for x in measured:
        row = rows.setdefault((x["k"], x["n"], x["m"]), {"m": x["m"], "k": x["k"], "n": x["n"], "rates": {}})
        row["rates"][x["engine"]] = x["rate"]
    engines = {name: e for name, e in first["engines"].items() if e["about"]}
    for name, engine in engines.items():
        engine["limit"] = limit(bench, name)
    return {"engines": engines, "rows": list(rows.values())}


def limit(bench, name):
    """What an engine of ours could reach: 10⁹ operations per second of the loop of its numbers, by the products that they take.
    None for others, whose instructions are not known."""
    if not name.startswith("saescope "):
        return None
    found = embedding.limit_of(contenders.numbers_of(bench, name.split()[1])["numbers"], bench.results.get("limits", {}))
    return bench.results["limits"][found[0]] / found[1] if found else None
