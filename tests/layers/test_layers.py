"""The law of calls and the rules of the house, read off the sources and the built library."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
# Rooms from left to right; rooms of one step do not include each other.
STEPS = [["base"], ["net", "tokenizer", "tensor"], ["source"], ["weights", "format"], ["parquet", "arrow", "repo"],
         ["dataset", "encoder", "sae"], ["train", "stats"], ["describe", "graph"], ["view"], ["folder"], ["pass"], ["run"], ["web"]]
LEVEL = {room: level for level, rooms in enumerate(STEPS) for room in rooms}
PUBLIC = ["saescope.h", "saescope_tools.h"]
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# What dataset and run may take from the left is everything; these pairs are the law's exceptions.
DATA = ["source", "format", "parquet", "arrow", "repo", "dataset"]
FORBIDDEN = ({(room, other) for room in [*DATA, "weights"] for other in ("tokenizer", "tensor")}
             | {(room, other) for room in ("encoder", "sae") for other in DATA}
             | {(room, "weights") for room in DATA} | {("sae", "tokenizer"), ("weights", "net")})


def sources(folder):
    return sorted(p for p in folder.rglob("*") if p.suffix in (".c", ".h", ".inc"))


def test_rooms_include_only_rooms_to_their_left():
    wrong = []
    for path in sources(SRC):
        room = path.relative_to(SRC).parts[0]
        for name in INCLUDE.findall(path.read_text(encoding="utf8")):
            other = name.split("/")[0]
            if name in PUBLIC or other == room:
                continue
            if other not in LEVEL:
                wrong.append(f"{path.relative_to(ROOT)} includes {name}: say \"room/file.h\"")
            elif LEVEL[other] >= LEVEL[room] or (room, other) in FORBIDDEN:
                wrong.append(f"{path.relative_to(ROOT)} ({room}) includes {name}")
    assert not wrong, "\n".join(wrong)


def test_private_headers_stay_in_their_room():
    wrong = [f"{p.relative_to(ROOT)} includes {name}" for p in sources(SRC) for name in INCLUDE.findall(p.read_text(encoding="utf8"))
             if name.endswith("_priv.h") and name.split("/")[0] != p.relative_to(SRC).parts[0]]
    assert not wrong, "\n".join(wrong)


# Rooms that have several headers for others, so far.
SEVERAL_HEADERS = {"base", "net", "weights", "tokenizer", "tensor", "encoder", "sae", "stats", "describe", "graph", "view", "folder", "pass", "run"}


def test_a_room_is_included_by_one_header():
    """Of src/ROOM other rooms include ROOM/ROOM.h alone."""
    wrong = [f"{p.relative_to(ROOT)} includes {name}" for p in sources(SRC) for name in INCLUDE.findall(p.read_text(encoding="utf8"))
             if (room := name.split("/")[0]) in LEVEL and room not in SEVERAL_HEADERS
             and room != p.relative_to(SRC).parts[0] and name != f"{room}/{room}.h"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["cli", "examples", "python/src"])
def test_programs_see_only_the_public_header(folder):
    own = {p.name for p in (ROOT / folder).iterdir()}
    for path in sources(ROOT / folder):
        text = path.read_text(encoding="utf8")
        for name in INCLUDE.findall(text):
            stable = name == "saescope.h" or folder == "cli" and name in PUBLIC
            assert stable or name in own, f"{path.name} includes {name}"


def test_file_names_are_unique():
    seen = {}
    for path in sources(SRC):
        assert path.name not in seen, f"{path} and {seen[path.name]} share a name"
        seen[path.name] = path


def test_every_room_has_a_short_readme():
    for room in LEVEL:
        if (SRC / room).is_dir():
            readme = SRC / room / "README.md"
            assert readme.exists(), f"src/{room} has no README.md"
            assert len(readme.read_text(encoding="utf8").splitlines()) <= 30


def library():
    folder = Path(os.environ.get("SAESCOPE", ROOT / "build/release/saescope")).parent / "src"
    if not (folder / "libsaescope.a").exists():
        pytest.skip("the library is not built")
    return folder


# The library may not end the process, print, or take memory behind base's back.
BANNED = {"exit", "_exit", "abort", "printf", "puts", "putchar", "fprintf", "perror", "__printf_chk", "__fprintf_chk",
          "setlocale", "signal", "sigaction", "system", "popen", "gets", "strcpy", "strcat", "strtok", "atoi", "atof"}
MEMORY = {"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "strdup", "strndup"}
# These follow the locale that the program around the library has set; base/number.h has what does not.
LOCALE = {"strtod", "strtof", "strtold", "vsnprintf", "__vsnprintf_chk", "vsprintf"}
SORTING = {"qsort", "qsort_r", "bsearch"}  # undefined for arrays without items, as empty ones are here: base/sort.h


def symbols(objects):
    """(file as ROOM/NAME, kind, symbol) of the objects whose sources are there: others are left over from a build before they moved."""
    listing = subprocess.run(["nm", "-A", *sorted(objects.rglob("*.o"))], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        path, rest = line.rsplit(":", 1)
        name = str(Path(path).relative_to(objects)).removesuffix(".o").removesuffix(".c")
        if (SRC / f"{name}.c").exists():
            yield name, rest.split()[-2], rest.split()[-1].split("@")[0]


def test_library_does_not_print_exit_or_allocate_outside_base():
    wrong = [f"{name} uses {symbol}" for name, kind, symbol in symbols(library() / "CMakeFiles/saescope_objects.dir")
             if kind == "U" and symbol in (BANNED if name.startswith("base/") else BANNED | MEMORY | SORTING)]
    assert not wrong, "\n".join(wrong)


def test_library_writes_and_reads_numbers_with_a_point():
    wrong = [f"{name} uses {symbol}" for name, kind, symbol in symbols(library() / "CMakeFiles/saescope_objects.dir")
             if kind == "U" and symbol in LOCALE and name not in ("base/number", "base/json_parse", "base/error")]
    assert not wrong, "\n".join(wrong)


def test_shared_library_exports_the_public_header_and_nothing_else():
    out = subprocess.run(["nm", "-D", "--defined-only", library() / "libsaescope.so"], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in out.splitlines() if " T " in line}
    header = "".join((ROOT / "include" / name).read_text(encoding="utf8") for name in PUBLIC)
    declared = set(re.findall(r"\b(ss_[a-z0-9_]+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    assert exported == declared, f"only exported: {exported - declared}; only declared: {declared - exported}"


@pytest.mark.parametrize("header", PUBLIC)
@pytest.mark.parametrize("compiler", [["gcc", "-std=c11"], ["g++", "-std=c++17"]])
def test_public_header_compiles_alone(compiler, header, tmp_path):
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"no {compiler[0]}")
    source = tmp_path / ("a.c" if compiler[0] == "gcc" else "a.cpp")
    source.write_text(f'#include "{header}"\n')
    subprocess.run([*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{ROOT}/include", source], check=True)


def test_every_parser_has_a_fuzz_target():
    found = {p.stem for p in (ROOT / "tests/fuzz").glob("fuzz_*.c")}
    needed = {"fuzz_safetensors", "fuzz_torch", "fuzz_npy", "fuzz_zip", "fuzz_tokenizer", "fuzz_jsonl", "fuzz_json", "fuzz_csv",
              "fuzz_stream", "fuzz_parquet", "fuzz_artifact", "fuzz_hub", "fuzz_sae", "fuzz_repo", "fuzz_tar", "fuzz_archive",
              "fuzz_llm", "fuzz_web_gate", "fuzz_web_pages", "fuzz_web_parts"}
    assert needed <= found, f"missing: {needed - found}"


def test_sizes_stay_readable():
    """Files of at most 700 lines, tables excepted; the median function is short."""
    tables = {"unicode_tables.inc", "split_tables.inc", "compose_tables.inc", "grapheme_tables.inc",
              "script_tables.inc", "word_tables.inc"}
    for path in sources(SRC) + sources(ROOT / "cli"):
        if path.name not in tables:
            assert len(path.read_text(encoding="utf8").splitlines()) <= 700, f"{path.relative_to(ROOT)} is too long"


def string_literals(text):
    """Of C: what is between quotes outside of comments, with the line it is on."""
    for found in re.finditer(r"/\*.*?\*/|//[^\n]*|'(?:[^'\\\n]|\\.)+'|\"((?:[^\"\\\n]|\\.)*)\"", text, re.S):
        if found.group(1) is not None:
            yield text.count("\n", 0, found.start()) + 1, found.group(1)


def test_messages_name_options_by_their_ids():
    """The library knows no command line: "`text_column`" is the program's --text-column, and an argument elsewhere."""
    ids = set(re.findall(r'\[SS_OPTION_\w+\] = "(\w+)"', (SRC / "base/enum_names.c").read_text(encoding="utf8")))
    flags = set(re.findall(r'=\s*\{"([a-z0-9-]+)"', (ROOT / "cli/option_table.c").read_text(encoding="utf8")))
    assert len(ids) > 30 and {i.replace("_", "-") for i in ids} <= flags
    wrong = []
    for path in sources(SRC):
        for line, literal in string_literals(path.read_text(encoding="utf8")):
            if re.search(r"(?<![\w-])--[a-z]", literal):
                wrong.append(f"{path.relative_to(ROOT)}:{line} names a flag: {literal}")
            wrong += [f"{path.relative_to(ROOT)}:{line} names no option: {i}" for i in re.findall(r"`(\w+)`", literal) if i not in ids]
    assert not wrong, "\n".join(wrong)


def test_texts_speak_of_the_project_alone():
    if shutil.which("git") is None:
        pytest.skip("no git")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    path_like = re.compile(r'[ "=(`](/work|/farm|/root|/opt/oracle)/')
    for name in tracked.stdout.split():
        path = ROOT / name
        if path.suffix in (".c", ".h", ".py", ".md", ".sh", ".cmake", ".txt") and path.exists() and name != "tests/layers/test_layers.py":
            assert not path_like.search(path.read_text(encoding="utf8", errors="replace")), f"{name} names a path of one machine"


# Circles by calls between files that are left, each with its reason. What is not here is a fault: a helper stands below the
# table that calls its users, a type that two files share has a file of its own.
CIRCLES = [
    ("tensor/cpu tensor/pack", "the choice of kernels tries one on numbers that it packs, and packing asks which kernels were chosen"),
    ("tokenizer/split tokenizer/words", "a splitter hands parts to the next one, and the last to the words; short cuts for words begin with "
     "the splitters again, so that a word of the cache skips all of them"),
    ("tokenizer/load_added tokenizer/load_extra", "files are gone through in the reference's order, which has tokens without a role in "
     "between, and these are made as all others are"),
    ("net/artifact_fetch net/artifact_reference", "a reference leads to entries of another artifact, which may hold references"),
]


def calls_between_files(objects):
    """For each file the files whose functions or data it uses, read off the symbols of the objects."""
    owner, used = {}, {}
    for name, kind, symbol in symbols(objects):
        if kind == "U":
            used.setdefault(name, set()).add(symbol)
        elif kind in "TDRBVW":
            owner[symbol] = name
    return {name: {owner[s] for s in symbols if s in owner} - {name} for name, symbols in used.items()}


def circles(graph):
    """The sets of files that reach each other."""
    def reached(start):
        seen, todo = set(), [start]
        while todo:
            for other in graph.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen
    reach = {name: reached(name) for name in graph}
    return {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in graph if name in reach[name]}


def test_files_do_not_call_each_other_in_circles():
    named = [set(files.split()) for files, _ in CIRCLES]
    found = circles(calls_between_files(library() / "CMakeFiles/saescope_objects.dir"))
    wrong = [", ".join(sorted(circle)) for circle in found if not any(circle <= files for files in named)]
    assert not wrong, "these files call each other in a circle:\n" + "\n".join(wrong)


def test_named_circles_are_still_there():
    found = circles(calls_between_files(library() / "CMakeFiles/saescope_objects.dir"))
    gone = [files for files, _ in CIRCLES if set(files.split()) not in found]
    assert not gone, "no longer a circle: " + "; ".join(gone)


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == {frozenset({"b", "c"})}


# ---- contracts of the public headers ----

FIELD = re.compile(r"\b(Errors|Threads|Memory|Source|Precision|Cost|Ties|Retries)(:| {2,})")


def public_functions(text):
    """(name, result, comment) of each function; a comment holds for those that follow it without a blank line."""
    comment = ""
    for block in re.split(r"\n\n", text):
        rest = block
        while True:
            found = re.search(r"/\*.*?\*/(?=\s*\n)|SS_API\s[^;]*;", rest, re.S)
            if found is None:
                break
            piece, rest = found.group(0), rest[found.end():]
            if piece.startswith("/*"):
                comment = piece
            else:
                yield re.search(r"\b(ss_[a-z0-9_]+)\(", piece).group(1), piece, comment
        comment = ""


@pytest.mark.parametrize("header", [f"include/{name}" for name in PUBLIC])
def test_public_functions_carry_contracts(header):
    wrong = []
    for name, declaration, comment in public_functions((ROOT / header).read_text(encoding="utf8")):
        lines = [re.sub(r"^(/\*| \*) ?", "", line) for line in comment.splitlines()]
        fields = {found.group(1) for line in lines if (found := re.match(r"(\w+) {2,}\S", line))}
        needed = {"Threads"} | ({"Errors"} if "ss_status " in declaration.split(name)[0] else set())
        wrong += [f"{header}: {name} has no line that begins with '{field}  '" for field in sorted(needed - fields)]
    assert not wrong, "\n".join(wrong)


def test_fields_of_contracts_begin_a_line():
    """A formatter that fills paragraphs would run them together: .clang-format leaves comments alone."""
    assert re.search(r"^ReflowComments: +false$", (ROOT / ".clang-format").read_text(encoding="utf8"), re.M)
    wrong = []
    for path in sorted((ROOT / "include").glob("*.h")) + [p for p in sources(SRC) if p.suffix == ".h"]:
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1):
            if line.startswith((" * ", "/* ")) and any(line[:f.start()].strip(" /*") for f in re.finditer(r"\b(Errors|Threads|Memory|Source|Precision|Cost|Ties|Retries) {2,}\S", line)):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line}")
    assert not wrong, "\n".join(wrong)
