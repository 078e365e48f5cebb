#!/usr/bin/env python3
"""Make demo/texts.jsonl: sentences of this project's own documentation, comments and doc strings, for the demo on
systems whose package lists cannot be read. A line is {"text": …, "source": …}; each sentence stands once, by file.
"""
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAST, MOST = 40, 300
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
DOC = re.compile(r'"""(.*?)"""', re.S)


def prose(path, text):
    """The parts of a file that people read, as paragraphs."""
    if path.suffix == ".md":
        text = re.sub(r"```.*?```", "", text, flags=re.S)
        return [p for p in text.split("\n\n") if not p.lstrip().startswith(("|", "    "))]
    pattern = DOC if path.suffix == ".py" else COMMENT
    return [re.sub(r"^\s*\*", "", block, flags=re.M) for block in pattern.findall(text)]


def sentences(paragraph):
    flat = re.sub(r"[*_`#>]|\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
    return [s.strip(" -·") for s in re.split(r"(?<=[.;:!?])\s+", flat)]


def main():
    files = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.inc", "*.md", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    seen, lines = set(), []
    for name in files.stdout.split():
        path = ROOT / name
        for paragraph in prose(path, path.read_text(encoding="utf8")):
            for sentence in sentences(paragraph):
                letters = sum(c.isalpha() or c == " " for c in sentence)
                if LEAST <= len(sentence) <= MOST and letters > 0.8 * len(sentence) and sentence not in seen:
                    seen.add(sentence)
                    lines.append(json.dumps({"text": sentence, "source": name}, ensure_ascii=False) + "\n")
    (ROOT / "demo/texts.jsonl").write_text("".join(lines), encoding="utf8")
    print(len(lines), "texts,", sum(map(len, lines)), "bytes")


if __name__ == "__main__":
    main()
