"""Matrix products at the models' shapes, against the libraries that others build on."""
import json
import os
import subprocess


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
    rows = {}
    for x in measured:
        row = rows.setdefault((x["k"], x["n"], x["m"]), {"m": x["m"], "k": x["k"], "n": x["n"], "rates": {}})
        row["rates"][x["engine"]] = x["rate"]
    return {"engines": {k: v for k, v in first["engines"].items() if v["about"]}, "rows": list(rows.values())}
