"""Tables and numbers of the report."""


def table(head, rows):
    """Markdown; the first column is text, the others numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows] + [""]


def number(x, digits=0):
    return "" if x is None else f"{x:,.{digits}f}"


def percent(x):
    return "" if x is None else f"{100 * x:.0f} %"


def times(ratio):
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"
