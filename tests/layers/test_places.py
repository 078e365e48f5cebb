"""Files that documents and comments name are there: a pointer to a file that has moved leads nowhere."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("tests", "tools", "docs", "scripts", "cli", "bench", "include", "examples")
NAMED = re.compile(r"(?<![\w./*<-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:c|h|inc|py|md))\b")
# Files that a reader is to make (docs/extending.md), and one of the system.
OTHERS = {"cli/cmd_levels.c", "src/format/reader_nul.c", "src/sae/sae_plain.c", "sysexits.h"}


def texts(root):
    """(file, what is to be looked through): documents whole, sources by their comments."""
    for path in [*sorted((root / "docs").glob("*.md")), *sorted((root / "src").rglob("README.md")), *sorted(root.glob("*.md"))]:
        if path.name != "NEWS.md":
            yield path, path.read_text(encoding="utf8"), False
    for folder in ("src", "include", "cli"):
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield path, "\n".join(re.findall(r"/\*.*?\*/", path.read_text(encoding="utf8"), re.S)), True


def places_that_are_not_there(root):
    rooms = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    ours = {path.name for folder in ("src", "cli", "include", "tests", "tools", "scripts", "bench", "examples", "python")
            for path in (root / folder).rglob("*") if path.is_file()}
    wrong = []
    for path, text, is_source in texts(root):
        for place in set(NAMED.findall(text)) - OTHERS:
            first = place.split("/")[0]
            there = (root / "src" / place if first in rooms else root / place if first in (*FOLDERS, "src") else None)
            if there is not None and "/" in place and not there.exists() or (
                    is_source and re.fullmatch(r"\w+\.(?:c|h|inc)", place) and place not in ours):
                wrong.append(f"{path.relative_to(root)} names {place}")
    return sorted(wrong)


def test_files_that_texts_name_are_there():
    wrong = places_that_are_not_there(ROOT)
    assert not wrong, "\n".join(wrong)
