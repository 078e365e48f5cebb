"""Retired words (docs/glossary.md) do not come back, and what the glossary names is there."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = (ROOT / "docs/glossary.md").read_text(encoding="utf8")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def table(heading):
    section = GLOSSARY.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def parts_of(text):
    """Code without comments and strings, and the comments, each as long as the text: offsets stay."""
    code, comments = [], []
    at = 0
    for match in TOKEN.finditer(text):
        blank = re.sub(r"[^\n]", " ", match.group())
        code += [text[at:match.start()], blank]
        comments += [re.sub(r"[^\n]", " ", text[at:match.start()]), match.group() if match.group()[0] == "/" else blank]
        at = match.end()
    code.append(text[at:])
    return "".join(code), "".join(comments)


def uses(text, word, where):
    """Lines in which a retired word occurs."""
    code, comments = parts_of(text)
    between = r"(?<![A-Za-z0-9])" + word.replace(" ", "_") + r"(?![A-Za-z0-9])"
    prose = r"\b" + word.replace(" ", r"[\s*]+") + r"\b"
    found = []
    if "identifiers" in where:
        found += [m.start() for m in re.finditer(between, code, re.I)]
    if "comments" in where:
        found += [m.start() for m in re.finditer(prose, comments, re.I)]
    return sorted({text.count("\n", 0, at) + 1 for at in found})


@pytest.mark.parametrize("word,term,where,folders", table("Retired words"))
def test_retired_words_are_gone(word, term, where, folders):
    wrong = []
    for folder in folders.split():
        assert (ROOT / folder).exists(), f"docs/glossary.md: there is no folder {folder}"
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".inc"):
                lines = uses(path.read_text(encoding="utf8"), word, where)
                wrong += [f"{path.relative_to(ROOT)}:{line}: '{word}' is retired, say '{term}'" for line in lines]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text,lines", [
    ("int n_answer;\n", [1]),
    ("x();\n/* the\n * answer */\n", [3]),
    ('f("an answer"); /* a reply */\n', []),
    ("int answered; /* unanswered */\n", []),
    ("#define SS_ANSWER_BYTES 1\n", [1]),
])
def test_a_retired_word_is_found(text, lines):
    assert uses(text, "answer", "identifiers, comments") == lines


def test_the_glossary_names_what_exists():
    """Files and public or internal names in the column "where" are there."""
    text = "\n".join(p.read_text(encoding="utf8") for d in ("src", "include", "cli") for p in (ROOT / d).rglob("*.[ch]"))
    names = {p.name for p in (ROOT / "src").rglob("*")} | {p.name for p in (ROOT / "docs").iterdir()}
    wrong = []
    for line in GLOSSARY.split("\n## Retired words")[0].splitlines():
        where = line.rstrip("|").split("|")[-1] if line.startswith("|") else ""
        for name in re.findall(r"`([^`]+)`", where):
            last = name.split("/")[-1]
            if re.fullmatch(r"(ss|SS)_\w+", name) and not re.search(rf"\b{name}\b", text):
                wrong.append(name)
            elif re.search(r"\.(c|h|inc|md)$", name) and "*" not in name and last not in names:
                wrong.append(name)
    assert not wrong, f"docs/glossary.md names what is not there: {wrong}"


def test_no_term_stands_twice():
    terms = [t.strip() for line in GLOSSARY.split("\n## Retired words")[0].splitlines() if line.startswith("| ")
             for t in line.split("|")[1].split(",")]
    terms = [t for t in terms if t != "term"]
    assert len(terms) == len(set(terms)), sorted({t for t in terms if terms.count(t) > 1})
