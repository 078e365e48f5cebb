"""Sections of docs/spec that the sources cite are there."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CITED = re.compile(r"docs/spec/([a-z-]+)\.md(?:,?[ *\n]+(\d+(?:\.\d+)?)((?:,\s[ *]*\d+(?:\.\d+)?)*))?")


def missing(root):
    wrong = []
    for folder in "src", "include", "cli", "tests/unit":
        for path in sorted((root / folder).rglob("*.[ch]")):
            for name, first, more in CITED.findall(path.read_text(encoding="utf8")):
                page = root / f"docs/spec/{name}.md"
                text = page.read_text(encoding="utf8") if page.exists() else ""
                numbers = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)[. ]", text, re.M)
                wrong += [f"{path.relative_to(root)} cites docs/spec/{name}.md {n}".rstrip() for n in [first, *re.findall(r"\d+(?:\.\d+)?", more)]
                          if not text or (n and n not in numbers)]
    return wrong


def test_cited_sections_are_there():
    assert not missing(ROOT), "\n".join(missing(ROOT))


def test_a_reference_to_nowhere_is_reported(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "docs/spec").mkdir(parents=True)
    (tmp_path / "docs/spec/a.md").write_text("## 1. One\n### 1.2 Two\n")
    (tmp_path / "src/a.c").write_text("/* docs/spec/a.md 1.2, 1 and\n * docs/spec/a.md 3; docs/spec/b.md 1 */\n")
    assert missing(tmp_path) == ["src/a.c cites docs/spec/a.md 3", "src/a.c cites docs/spec/b.md 1"]
