#!/usr/bin/python3
"""Figures of the house (`make figures`): how the sources are cut up, and what no test reaches.

    scripts/figures.py [BUILD] [SITES]

BUILD has the library (default build/release): circles are read off its objects. SITES is what the tests of
faults wrote where SS_FAULTS_SITES named a file (`make faults` does): then the allocations that never failed
are counted, and with -v listed. Each line says how it is counted; docs/architecture.md has the goals."""
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Lines with a call that takes memory. SS_ALLOC and its kin are macros over ss__alloc, and memory of an arena
# or of a growing text may come from a block that is there already.
SITE = re.compile(r"\b(?:SS_(?:ALLOC|GROW)\w*|ss__(?:alloc|realloc|grow|strdup|strndup|path_join)\w*)\(")
TABLES = re.compile(r"_(?:tables|hashes)\.inc$")


def rule(name):
    """A file of tests/layers as a module: its rules count what is counted here, too."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests/layers" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources(*folders):
    return [p for folder in folders for p in sorted((ROOT / folder).rglob("*"))
            if p.suffix in (".c", ".h", ".inc") and not TABLES.search(p.name)]


def comment_lines(text):
    """(lines that hold words of a comment, lines that are not blank)."""
    found = set()
    for piece in re.finditer(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", text, re.S):
        if piece.group().startswith("/"):
            first = text.count("\n", 0, piece.start())
            found |= {first + i for i, line in enumerate(piece.group().split("\n")) if re.search(r"\w", line)}
    return len(found), sum(bool(line.strip()) for line in text.split("\n"))


def count_lines():
    rooms, texts = {}, {p: p.read_text(encoding="utf8") for p in sources("src", "include", "cli")}
    for path, text in texts.items():
        parts = path.relative_to(ROOT).parts
        room = parts[1] if parts[0] == "src" and len(parts) > 2 else parts[0]
        rooms[room] = rooms.get(room, 0) + text.count("\n")
    comments = [comment_lines(text) for text in texts.values()]
    return rooms, sum(c for c, _ in comments), sum(n for _, n in comments)


def allocation_sites():
    """(file, line) of every call that takes memory, outside of base's own."""
    for path in sources("src"):
        if path.parts[-2:-1] != ("base",) or path.name not in ("mem.c", "mem.h"):
            for number, line in enumerate(path.read_text(encoding="utf8").split("\n"), 1):
                code = line.split("//")[0]
                if SITE.search(code) and not re.match(r"\s*(?:#|/?\*)|\w[\w ]*\*?ss__", line):
                    yield str(path.relative_to(ROOT)), number


def failed_sites(listing):
    """The lines of the stacks in a listing of SS_FAULTS_SITES."""
    places = {}
    for line in Path(listing).read_text(encoding="utf8", errors="replace").split("\n"):
        found = re.match(r"(\S+)\(\+(0x[0-9a-f]+)\)", line)
        if found:  # where the call returns to is one byte past it
            places.setdefault(found.group(1), set()).add(hex(int(found.group(2), 16) - 1))
    lines = set()
    for program, offsets in places.items():
        told = subprocess.run(["addr2line", "-i", "-e", program], input="\n".join(sorted(offsets)), capture_output=True, text=True,
                              check=True, cwd=ROOT).stdout
        for found in re.finditer(r"(?:^|/)(src/[\w/.]+):(\d+)", told, re.M):
            lines.add((found.group(1), int(found.group(2))))
    return lines


def statement(path, number):
    """The lines of the statement that begins on a line: a call may be attributed to each of them."""
    text = (ROOT / path).read_text(encoding="utf8").split("\n")
    end = number
    while end < len(text) and end < number + 6 and not text[end - 1].rstrip().endswith((";", "{")):
        end += 1
    return {(path, n) for n in range(number - 1, end + 1)}


def main(build="build/release", sites=None, *words):
    budget, layers, public = rule("test_budget"), rule("test_layers"), rule("test_public")
    functions = budget.all_functions(ROOT)
    rooms, n_comments, n_filled = count_lines()
    n_src, n_all = sum(n for room, n in rooms.items() if room not in ("include", "cli")), sum(rooms.values())
    largest = max((room for room in rooms if room not in ("include", "cli")), key=rooms.get)
    n_code = n_src + rooms["cli"]
    lengths = sorted(body.count("\n") for _, _, _, body in functions)
    print(f"lines of src, include and cli                 {n_all:7}   without generated tables")
    print(f"functions per 1,000 lines of src and cli      {1000 * len(functions) / n_code:7.1f}   {len(functions)} functions")
    print(f"longest, median function                      {lengths[-1]:4}, {lengths[len(lengths) // 2]}")
    print(f"lines with a comment                          {100 * n_comments / n_filled:7.1f} % of those that are not blank")
    print(f"largest room                                  {100 * rooms[largest] / n_src:7.1f} % of src: {largest}")
    objects = ROOT / build / "src/CMakeFiles/saescope_objects.dir"
    if objects.is_dir():
        found = layers.circles(layers.calls_between_files(objects))
        print(f"circles by calls between files                {len(found):7}   over {sum(map(len, found))} files, {len(layers.CIRCLES)} named")
    print(f"public functions that no test in C calls      {len(public.never_called()):7}")
    print(f"public functions that can fail without a case {len(public.never_failed()):7}   {len(public.NO_FAULTS)} named")
    if sites:
        failed = failed_sites(sites)
        missing = sorted(site for site in allocation_sites() if not statement(*site) & failed)
        n_sites = len(list(allocation_sites()))
        print(f"allocations that never failed                 {len(missing):7}   of {n_sites} lines that take memory")
        if "-v" in words:
            print("\n".join(f"  {path}:{number}" for path, number in missing))


if __name__ == "__main__":
    main(*sys.argv[1:])
