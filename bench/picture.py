"""The picture of the report: tokens per second, a bar each, by model and kind of arithmetic."""
import sys

MODELS = ("mpnet", "minilm")
COLOURS = {"fp32": "#4878a8", "bf16": "#b5762a", "int8": "#5a8a4a"}
NAMES = {"fp32": "fp32", "bf16": "bf16 or 16 bits", "int8": "int8"}


def shown(e):
    """Peers that were held back are in the report alone."""
    return sorted((x for x in e["rows"] if x["is_ours"] or not x["cpu"]), key=lambda x: x["tokens_per_s"])


def draw(axes, e):
    rows = shown(e)
    rates = [x["tokens_per_s"] for x in rows]
    bars = axes.barh(range(len(rows)), rates, color=[COLOURS[x["group"]] for x in rows], height=0.7)
    for bar, row in zip(bars, rows):
        bar.set_alpha(1.0 if row["is_ours"] else 0.4)
        share = f"  {row['tokens_per_s']:,.0f}" + (f"  ({100 * row['share']:.0f} %)" if "share" in row else "")
        axes.text(bar.get_width(), bar.get_y() + bar.get_height() / 2, share, va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [x["name"] for x in rows], fontsize=8)
    for label, row in zip(axes.get_yticklabels(), rows):
        label.set_fontweight("bold" if row["is_ours"] else "normal")
    axes.set_xlim(0, 1.25 * max(rates))
    axes.set_title(f"{e['model']}: {e['texts']} texts of {e['tokens'] / e['texts']:.0f} tokens", fontsize=10, loc="left")
    axes.set_xlabel("tokens per second (share of the machine's limit for that arithmetic)", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def write(results, path):
    """PATH.svg and PATH.png; nothing but a sentence where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        print("bench: no picture, since python3-matplotlib is not installed", file=sys.stderr)
        return
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "saescope"
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    models = [m for m in MODELS if m in results]
    if not models:
        return
    heights = [len(shown(results[m])) for m in models]
    figure, axes = pyplot.subplots(len(models), 1, figsize=(9, 1.6 + 0.3 * sum(heights)), squeeze=False,
                                   gridspec_kw={"height_ratios": heights})
    for axis, model in zip(axes[:, 0], models):
        draw(axis, results[model])
    axes[0, 0].legend(handles=[Patch(color=COLOURS[g], label=NAMES[g]) for g in COLOURS], fontsize=8, loc="lower right", frameon=False)
    m = results["machine"]
    figure.suptitle(f"saescope and its peers, {m['threads']} threads of {m['processor']}", fontsize=11, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(path + ".svg", metadata={"Date": None})
    figure.savefig(path + ".png", dpi=110)
    pyplot.close(figure)
