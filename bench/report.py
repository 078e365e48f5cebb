"""The report, written from the numbers of one run alone."""
import statistics

import report_steps
from tables import number, percent, table

LOOPS = {
    "fp32_avx2": "fp32 multiply-add, AVX2", "fp32_avx512": "fp32 multiply-add, AVX-512",
    "int16_avx2": "16-bit `vpmaddwd` + add, AVX2", "int16_avx512": "16-bit `vpmaddwd` + add, AVX-512",
    "int16_avx_vnni": "16-bit `vpdpwssd`, AVX-VNNI", "int16_avx512_vnni": "16-bit `vpdpwssd`, AVX-512 VNNI", "int8_avx2": "8-bit `vpmaddubsw` + `vpmaddwd` + add, AVX2",
    "int8_avx_vnni": "8-bit `vpdpbusd`, AVX-VNNI", "int8_avx512_vnni": "8-bit `vpdpbusd`, AVX-512 VNNI",
    "bf16_avx512": "bf16 `vdpbf16ps`, AVX-512", "bf16_amx": "bf16 tiles, AMX", "int8_amx": "8-bit tiles, AMX",
    "memory_read": "memory, reading", "memory_copy": "memory, copying",
}
GROUPS = {"fp32": "fp32", "bf16": "bf16 or 16 bits", "int8": "int8"}


def spread(rates):
    return f"± {50 * (max(rates) - min(rates)) / statistics.median(rates):.0f} %"


def one_minus(cosine):
    return "" if cosine is None else f"{cosine:.6f}" if cosine < 0.999999 else f"1 − {max(0.0, 1 - cosine):.0e}"


def machine(r):
    m = r["machine"]
    caches = ", ".join(f"{k} {v}" for k, v in m["caches"].items())
    return [f"{m['processor']} (family {m['family']}, model {m['model']}), {m['cores']} cores of which {m['threads']} were used, "
            f"{m['memory_gb']} GB of memory, caches {caches}. Instruction sets: {', '.join(m['instruction_sets'])}. "
            f"{m['system']}, {m['compiler']}. {m['program']}.", ""]


def quiet(r):
    """A warning where others used the machine: the same loop should always take the same time."""
    rates = sorted(r.get("quiet", []))
    lost = 1 - rates[len(rates) // 2] / rates[-1] if rates and rates[-1] > 0 else 0
    return [f"**The machine was busy with other work**: the same loop of multiply-adds ran {100 * lost:.0f} % slower than at its best "
            "in half of the rounds, so figures and shares are too low.", ""] if lost > 0.05 else []


def limits(r):
    rows = [(LOOPS[k], number(v, 1), "GB/s" if k.startswith("memory") else "10⁹ operations/s") for k, v in r["limits"].items()]
    return ["## What the machine can do", "",
            "Loops that keep everything in registers, in all threads; a multiplication and an addition are two operations. The "
            "highest rate of the run counts.", "",
            *table(("loop", "rate", "unit"), rows), *quiet(r)]


def is_deaf(row):
    """A peer that was to be held to lesser instructions and is faster than these can be."""
    return bool(row["cpu"]) and not row["is_ours"] and row.get("share", 0) > 1


def best_peer(rows, group):
    peers = [x for x in rows if not x["is_ours"] and x["group"] == group and not is_deaf(x)]
    return max(peers, key=lambda x: x["tokens_per_s"], default=None)


def rival(rows, row):
    """Whom a level is compared with, and what that is. No peer has a bf16 that gains anything on AVX2."""
    if row["cpu"] and row["group"] == "bf16":
        return next((x for x in rows if x.get("kind") == "st-fp32"), None), "what a user would take instead"
    return best_peer(rows, row["group"]), f"the best {GROUPS[row['group']]} peer"


def verdicts(rows):
    """A sentence for each level of saescope: ahead or behind, and of whom."""
    lines = []
    for row in (x for x in rows if x["is_ours"]):
        peer, what = rival(rows, row)
        if peer is None:
            continue
        ratio = row["tokens_per_s"] / peer["tokens_per_s"]
        how = f"{ratio:.2f} times as fast as" if ratio >= 1 else f"**slower than** ({ratio:.2f} times)"
        lines.append(f"- `{row['name']}` is {how} {what}, {peer['name']}.")
    return lines + [""] if lines else []


def embedding_table(rows):
    fp32 = best_peer(rows, "fp32")
    head = ("", "tokens/s", "spread", "× best fp32 peer", "share of limit", "limit", "L2 error", "cosine")
    return table(head, [(
        row["name"] + (f", batch {row['batch']}" if row["batch"] else ""), number(row["tokens_per_s"]), spread(row["all"]),
        number(row["tokens_per_s"] / fp32["tokens_per_s"], 2) if fp32 else "", percent(row.get("share")),
        LOOPS.get(row.get("limit"), "") + (" / 3" if row.get("products") == 3 else ""), "" if "l2" not in row else f"{row['l2']:.1e}",
        one_minus(row.get("cosine"))) for row in sorted(rows, key=lambda x: x["tokens_per_s"])])


def held(rows):
    """What was kept from using more than AVX2, on a machine that has more."""
    if not rows:
        return []
    lines = ["### As on a machine with AVX2 only", "", *embedding_table(rows)]
    if all(x["is_ours"] for x in rows):
        return lines
    deaf = [f"{x['name']}: faster than AVX2 can be, and so not compared with." for x in rows if is_deaf(x)]
    return [*lines, "Peers are held to AVX2 by `ONEDNN_MAX_CPU_ISA`, `ATEN_CPU_CAPABILITY` and `MKL_ENABLE_INSTRUCTIONS`. They may "
            "ignore these in part: OpenVINO has code beside oneDNN that does not ask them. ONNX Runtime has no switch and is left out.",
            *deaf, "", *verdicts(rows)]


def embedding(r, key):
    e = r[key]
    free, lower = [x for x in e["rows"] if not x["cpu"]], [x for x in e["rows"] if x["cpu"]]
    return [f"## Embedding with {e['model']}", "",
            f"{e['texts']} texts, {e['tokens'] / e['texts']:.0f} tokens each, {e['work_per_token'] / 1e6:.1f} million operations per token. "
            f"Medians of {len(free[0]['all'])} rounds in which everybody ran once. Tokens are real ones; tokenizing and pooling count, "
            "loading does not. Errors are the worst of a few texts against PyTorch in float64.", "",
            *embedding_table(free), *verdicts(free), *held(lower), *(f"- {sentence}." for sentence in e["missing"]), ""]


def rate_of(rate, limit):
    """A rate, and as a share of what the machine could do."""
    return number(rate) + (f" ({percent(rate / limit)})" if rate is not None and limit else "")


def products(r):
    p, lines = r["products"], []
    for kind in ("fp32", "16 bits", "8 bits"):
        names = [name for name, e in p["engines"].items() if e["kind"] == kind]
        rows = [(f"{x['m']:,} × {x['k']:,} × {x['n']:,}", *(rate_of(x["rates"].get(e), p["engines"][e].get("limit")) for e in names)) for x in p["rows"]]
        lines += table((f"rows × inputs × outputs, {kind}", *names), rows) if names else []
    about = "; ".join(dict.fromkeys(e["about"] for e in p["engines"].values()))
    return ["## Matrix products", "", f"10⁹ operations per second in all threads, medians of turns; of saescope's also the share of the loop of the same "
            f"numbers above, of which bf16 in two parts takes three products. {about}. oneDNN and saescope have packed "
            "the weights before, as for a model; the interface of the BLAS libraries has no place for that. oneDNN's 8-bit product takes "
            "activations that are quantized already.", "", *lines]


def peers(r):
    about = {x["name"]: x["about"] for key in ("minilm", "mpnet") if key in r for x in r[key]["rows"] if not x["is_ours"] and not x["cpu"]}
    if not about:
        return ["No peers were timed: the packages of `bench/requirements.txt` could not be installed.", ""]
    return ["## The peers", "", "Each got the batch size that was fastest for it.", "",
            *(f"- {name}: {text}." for name, text in about.items()), ""]


SECTIONS = (("machine", machine), ("limits", limits), ("mpnet", lambda r: embedding(r, "mpnet")),
            ("minilm", lambda r: embedding(r, "minilm")), ("machine", peers), ("products", products),
            *report_steps.SECTIONS)


def write(results, path, picture):
    lines = ["# How fast saescope is", "", "Written by `make bench` from one run on one machine; nothing is typed in by hand.", "",
             f"![Tokens per second of saescope and its peers]({picture}.svg)", ""]
    for name, section in SECTIONS:
        if name in results:
            lines += section(results)
    with open(path, "w", encoding="utf8") as f:
        f.write("\n".join(lines).rstrip() + "\n")
