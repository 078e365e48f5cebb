#!/usr/bin/env python3
"""Print the texts that the SAE built in for all-MiniLM-L6-v2 is trained on, as JSON lines {"text": …, "source": …}.

    tools/make_embedded_texts.py > texts.jsonl

They are text that every Debian 12 machine has or gets from its package archive, and nothing else:
  line         the first line of every package's description;
  description  what follows it: the paragraphs that no earlier package has, after that line;
  gloss        what WordNet 3.0 says of a group of words, after these (package wordnet-base);
  manual       paragraphs of manual pages (sections 1, 4, 5, 7, 8) of packages of priority required, important or
               standard, as far as they are installed;
  licence      paragraphs of /usr/share/common-licenses.
Of each source every n-th text is taken (SHARES), by a hash of the text, so that a training takes minutes.
Descriptions are those of main, bookworm as released, amd64: the lists that `apt-get update` leaves in
/var/lib/apt/lists. Where the list of long descriptions (…_i18n_Translation-en) is not there, as in images without
languages, apt-get fetches it into a folder for the while, and so it does wordnet-base where that is not installed: as
any user. The same lists and pages give the same bytes; number and sha256 of each source's texts go to the standard
error.
"""
import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LISTS = pathlib.Path("/var/lib/apt/lists")
TRANSLATION = "*_dists_bookworm_main_i18n_Translation-en*"
MANUALS = re.compile(r"/usr/share/man/man[14578]/[^/]+\.gz$")
PRIORITIES = {"required", "important", "standard"}
SHORTEST, LONGEST = 80, 400  # characters of a paragraph, and of any text but the first lines
SHARES = {"line": 4, "description": 8, "gloss": 4, "manual": 8, "licence": 1}


def run(*command, folder=None):
    """What a command prints; its warnings are not passed on, so that ours is a list of sums alone."""
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout.decode("utf-8", "replace")


# ---- descriptions ----


def fetch_lists(folder):
    (folder / "lists" / "partial").mkdir(parents=True)
    options = {"Dir::State::Lists": folder / "lists", "Dir::Cache": folder, "Acquire::Languages": "en"}
    arguments = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    run("apt-get", "update", *arguments)
    return folder / "lists"


def translation():
    with tempfile.TemporaryDirectory() as folder:
        lists = LISTS if list(LISTS.glob(TRANSLATION)) else fetch_lists(pathlib.Path(folder))
        return run("/usr/lib/apt/apt-helper", "cat-file", str(sorted(lists.glob(TRANSLATION))[0]))


def descriptions(text):
    """Pairs of a first line and its paragraphs, by name of package."""
    found = {}
    for stanza in text.split("\n\n"):
        match = re.match(r"Package: (\S+)\n.*?^Description-en: (.*?)$\n?(.*)", stanza, re.S | re.M)
        if match:
            name, line, body = match.groups()
            body = "\n".join(one[1:] for one in body.split("\n") if one.startswith(" "))
            found.setdefault(name, (line.strip(), [" ".join(p.split()) for p in re.split(r"(?m)^\.$", body)]))
    return [found[name] for name in sorted(found)]


def cut(text):
    return text if len(text) <= LONGEST else text[: text.rfind(" ", 0, LONGEST)]


def description_texts():
    every, seen = descriptions(translation()), set()
    for line, _ in every:
        yield "line", line
    for line, paragraphs in every:
        fresh = [p for p in paragraphs if len(p) >= SHORTEST and p not in seen]
        seen.update(fresh)
        if fresh:
            yield "description", cut(" ".join([line.rstrip(".") + ".", *fresh]))


# ---- manual pages and licences ----

ESCAPES = [
    (r"\\f(\[[^]]*\]|\(..|.)", ""),
    (r"\\s[-+]?\d+", ""),
    (r"\\[&|^/,%:]", ""),
    (r"\\\((?:aq|cq|oq)|\\\[(?:aq|cq|oq)\]", "'"),
    (r"\\\((?:lq|rq|dq)|\\\[(?:lq|rq|dq)\]|\\\*\(lq|\\\*\(rq", '"'),
    (r"\\\((?:en|em|hy|mi)|\\\[(?:en|em|hy|mi)\]|\\-", "-"),
    (r"\\\(bu|\\\[bu\]", ""),
    (r"\\[ ~0]", " "),
    (r"\\e|\\\(rs|\\\[rs\]", r"\\"),
    (r'\\".*', ""),
]
FONTS = re.compile(r"^[.']\s*(B|I|R|SM|SB|BR|BI|IR|IB|RB|RI)\s+(.*)")


def words_of(line):
    """A line of a page as text; None where a paragraph ends."""
    font = FONTS.match(line)
    if font:
        parts = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', font.group(2))]
        line = ("" if len(font.group(1)) == 2 and font.group(1) != "SM" else " ").join(parts)
    elif line[:1] in (".", "'"):
        return None
    for pattern, to in ESCAPES:
        line = re.sub(pattern, to, line)
    return line


def paragraphs_of_page(text):
    if re.search(r"(?m)^\.(Dd|Sh) ", text):
        return  # mdoc, which a few pages are
    parts, is_example = [], False
    for line in [*text.split("\n"), ".PP"]:
        if re.match(r"^[.']\s*(nf|EX|TS)\b", line):
            is_example = True
        words = None if is_example else words_of(line)
        if re.match(r"^[.']\s*(fi|EE|TE)\b", line):
            is_example = False
        if words is None or not words.strip():
            yield " ".join(" ".join(parts).split())
            parts = []
        else:
            parts.append(words)


def manual_texts():
    listed = run("dpkg-query", "--show", "--showformat", "${Priority} ${Package}:${Architecture}\n").splitlines()
    packages = sorted(line.split()[1].replace(":all", "") for line in listed if line.split()[0] in PRIORITIES)
    files = sorted({f for f in run("dpkg-query", "--listfiles", *packages).splitlines() if MANUALS.match(f)})
    for file in files:
        path = pathlib.Path(file)
        if path.is_file() and not path.is_symlink():
            for text in paragraphs_of_page(gzip.decompress(path.read_bytes()).decode("utf-8", "replace")):
                yield "manual", cut(text)


def licence_texts():
    for path in sorted(pathlib.Path("/usr/share/common-licenses").iterdir()):
        if path.is_file() and not path.is_symlink():
            for text in re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="replace")):
                yield "licence", cut(" ".join(text.split()))


# ---- WordNet ----


def wordnet_files(folder):
    """The four files of synsets, installed or out of the package, which the archive has."""
    root = pathlib.Path("/usr/share/wordnet")
    if not root.is_dir():
        run("apt-get", "download", "wordnet-base", folder=folder)
        [package] = folder.glob("wordnet-base_*.deb")
        run("dpkg-deb", "--extract", str(package), str(folder))
        root = folder / "usr/share/wordnet"
    return [root / f"data.{part}" for part in ("noun", "verb", "adj", "adv")]


def gloss_texts():
    with tempfile.TemporaryDirectory() as folder:
        for path in wordnet_files(pathlib.Path(folder)):
            for line in path.read_text(encoding="latin-1").splitlines():
                head, _, gloss = line.partition(" | ")
                if not line.startswith("  ") and gloss:
                    fields = head.split(" ")  # offset, file, kind, number of words in hexadecimal, word, id, word …
                    words = [word.split("(")[0].replace("_", " ") for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
                    yield "gloss", cut(", ".join(words) + ": " + gloss.strip())


# ---- all of them ----


def is_taken(source, text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % SHARES[source] == 0


def is_prose(source, text):
    letters = sum(c.isalpha() or c == " " for c in text)
    return source in ("line", "gloss") or (len(text) >= SHORTEST and letters >= 0.85 * len(text) and "\\" not in text)


def main():
    seen, sums = set(), {}
    for texts in (description_texts, gloss_texts, manual_texts, licence_texts):
        for source, text in texts():
            if text and text not in seen and is_prose(source, text) and is_taken(source, text):
                seen.add(text)
                line = json.dumps({"text": text, "source": source}, ensure_ascii=False) + "\n"
                n, digest = sums.setdefault(source, [0, hashlib.sha256()])
                sums[source][0] = n + 1
                digest.update(line.encode())
                sys.stdout.write(line)
    for source, (n, digest) in sums.items():
        print(f"{source} {n} {digest.hexdigest()}", file=sys.stderr)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    main()
