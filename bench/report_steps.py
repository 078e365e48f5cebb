"""The sections of the report about single steps and whole programs."""
from tables import number, percent, table, times


def lengths(r):
    e = r["lengths"]
    names = list(e["work"])
    rows = [(name, *(f"{number(row[n])} ({100 * row[n] / row[names[0]]:.0f} %)" for n in names)) for name, row in e["rows"].items()]
    work = ("million operations per token", *(f"{e['work'][n] / 1e6:.1f}" for n in names))
    return ["## Texts of other lengths", "", "Tokens per second of the MPNet shape, and as a share of the rate at 200 tokens. Attention makes a "
            "token of a long text dearer; engines that pad lose on a mix.", "", *table(("", *names), [*rows, work])]


def threads(r):
    t = r["threads"]
    rows = [(f"{x['model']}, {x['level']}", number(x["one"]), number(x["all"]), number(x["all"] / t["threads"]),
             percent(x["all"] / t["threads"] / x["one"])) for x in t["rows"]]
    return ["## Threads", "", f"Tokens per second in one thread and in {t['threads']}, in turns.", "",
            *table(("", "1 thread", f"{t['threads']} threads", "per thread", "of one alone"), rows)]


def tokenizer(r):
    t = r["tokenizer"]
    rows = []
    for x in t["rows"]:
        peer = x.get("peer")
        rows.append((x["name"], number(x["bytes"] / x["seconds"] / 1e6, 1), number(x["tokens"] / x["seconds"] / 1e6, 1),
                     number(peer and x["bytes"] / peer["seconds"] / 1e6, 1), times(peer["seconds"] / x["seconds"]) if peer else "",
                     number(x["tokens"]), number(peer and peer["tokens"])))
    about = next((x["peer"]["about"] for x in t["rows"] if "peer" in x), "the reference library")
    return ["## Tokenizing", "", f"{number(t['texts'])} texts, one thread, against {about}. Byte-level BPE is RoBERTa's and ModernBERT's kind, "
            "Unigram XLM-R's; both are trained on these texts.", "",
            *table(("", "MB/s", "million tokens/s", "the library, MB/s", "ratio", "tokens", "the library's"), rows)]


def sae(r):
    rows = []
    for x in r["sae"]:
        name = f"{number(x['features'])} features, {number(x['rows'])} embeddings"
        peer = x.get("peer")
        rows.append((name, number(x["rows"] / x["seconds"]), number(x["work"] / x["seconds"] / 1e9), percent(x["product_seconds"] / x["seconds"]),
                     number(peer and x["rows"] / peer["seconds"]), times(peer["seconds"] / x["seconds"]) if peer else "",
                     number(x["fires"]), number(peer and peer["fires"])))
    return ["## The SAE from stored embeddings", "", "Against torch's product, compare, sum and top-k. The share is of saescope's own plain "
            "matrix product at that width. Fires differ by pairs at the threshold, since torch sums in another order.", "",
            *table(("", "rows/s", "10⁹ op/s", "share of own product", "torch, rows/s", "ratio", "fires", "torch's"), rows)]


def workflow(r):
    w = r["workflow"]
    peer = next((x for x in w["rows"] if x.get("is_peer")), None)
    rows = [(x["name"], number(x["seconds"], 1), number(x["memory_mb"]), times(peer["seconds"] / x["seconds"]) if peer else "",
             f"1/{peer['memory_mb'] / x['memory_mb']:.1f}" if peer else "") for x in w["rows"]]
    return ["## The whole workflow", "", f"Fire rates and top texts of {number(w['features'])} features in {w['texts']} texts with the MPNet shape, "
            "loading and start-up included. The peer is `bench/seed_workflow.py`: two passes with sentence-transformers and a heap per "
            "feature.", "", *table(("", "seconds", "peak MB", "times as fast", "memory"), rows)]


def start(r):
    s = r["start"]
    return ["## Starting", "", f"One short text with a model of {s['bytes'] / 1e6:.0f} MB that is in the page cache, from the start of the program "
            "to its end.", "", *table(("", "seconds"), [(x["name"], number(x["seconds"], 3)) for x in s["rows"]])]


def profile_of(p, limit):
    total, lines = p["seconds"], []
    rest = total - sum(x["seconds"] for x in p["parts"])
    rows = [(x["name"], number(1e3 * x["seconds"], 1), percent(x["seconds"] / total),
             number(x["work"] / x["seconds"] / 1e9) if x["work"] else "",
             percent(x["work"] / x["seconds"] / 1e9 / limit) if x["work"] and limit else "")
            for x in sorted(p["parts"], key=lambda x: -x["seconds"])]
    rows.append(("everything else", number(1e3 * rest, 1), percent(rest / total), "", ""))
    lines += [f"### {p['model']}" + (f", {p['level']}" if p.get("level") else ""), "",
              f"{number(p['tokens'])} tokens in {total:.2f} s, {p['kernels']} kernels.", "",
              *table(("call", "ms", "share of time", "10⁹ op/s", "share of fp32 limit"), rows)]
    if p["functions"]:
        lines += ["By function (Linux perf, samples of the processor time): " +
                  ", ".join(f"`{f['name']}` {percent(f['share'])}" for f in p["functions"][:12]) + ".", ""]
    return lines


def profile(r):
    limits = r.get("limits", {})
    limit = limits.get("fp32_avx512", limits.get("fp32_avx2"))
    lines = ["## Where the time of a batch goes", "", "Calls of the encoder into other rooms, with what is fused into them.", ""]
    for p in r["profile"]:
        lines += profile_of(p, limit)
    return lines


SECTIONS = (("lengths", lengths), ("threads", threads), ("tokenizer", tokenizer), ("sae", sae), ("workflow", workflow), ("start", start), ("profile", profile))
