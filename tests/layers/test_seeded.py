"""Every rule reports a violation that is put into a small tree made for it, and says nothing of the tree without."""
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

HEADER = "#define SS_API\n/* Nothing.\n * Threads  any */\nSS_API int ss_one(void);\n"
GOOD = {
    "include/saescope.h": HEADER,
    "include/saescope_tools.h": "",
    "src/base/base_one.c": '#include "base/base_one.h"\n\nint ss_one(void)\n{\n    return 1;\n}\n',
    "src/base/base_one.h": "int ss_two(void);\n",
    "src/net/net_one.c": '#include "base/base_one.h"\n\nint ss_two(void)\n{\n    return 1;\n}\n',
    "cli/main.c": '#include "saescope.h"\n\nint main(void)\n{\n    return ss_one();\n}\n',
    "tests/fuzz/fuzz_one.c": "int x;\n",
    **{f"src/{room}/README.md": f"# {room}\n" for room in ("base", "net")},
}


def load(name):
    spec = importlib.util.spec_from_file_location(f"seeded_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree(folder, files):
    for name, text in {**GOOD, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")
    return folder


def build(folder):
    """What CMake makes of a tree: objects by room, and both libraries."""
    objects = folder / "build/src/CMakeFiles/saescope_objects.dir"
    made = []
    for source in sorted((folder / "src").rglob("*.c")):
        made.append(objects / source.relative_to(folder / "src").with_suffix(".c.o"))
        made[-1].parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["gcc", "-w", "-fPIC", f"-I{folder}/src", f"-I{folder}/include", "-c", source, "-o", made[-1]], check=True)
    subprocess.run(["gcc", "-shared", "-o", folder / "build/src/libsaescope.so", *made], check=True)
    subprocess.run(["ar", "rc", folder / "build/src/libsaescope.a", *made], check=True)


def verdict(folder, module, rule, *words, is_built=False, monkeypatch=None):
    rules = load(module)
    rules.ROOT, rules.SRC = folder, folder / "src"
    if is_built:
        build(folder)
        monkeypatch.setenv("SAESCOPE", str(folder / "build/saescope"))
    getattr(rules, rule)(*words)


LONG = "int f(void)\n{\n" + "    g();\n" * 81 + "}\n"
WIDE = "int f(int a, int b, int c, int d, int e, int g, int h)\n{\n    return a;\n}\n"
MEDIAN = "".join(f"int f{i}(void)\n{{\n" + "    g();\n" * 21 + "}\n\n" for i in range(9))
IDLE = "int f(void)\n{\n    ss_status status = SS_OK;\n    SS_TRY(g());\nout:\n    return status;\n}\n"

# rule, what it is given beside the tree, the violation, and a word of what it says
SEEDS = [
    ("test_layers", "test_rooms_include_only_rooms_to_their_left", [], {"src/base/b.c": '#include "net/net_one.h"\n'}, "b.c"),
    ("test_layers", "test_rooms_include_only_rooms_to_their_left", [], {"src/base/b.c": '#include "base_one.h"\n'}, "room/file.h"),
    ("test_layers", "test_private_headers_stay_in_their_room", [], {"src/net/n.c": '#include "base/base_priv.h"\n'}, "base_priv.h"),
    ("test_layers", "test_a_room_is_included_by_one_header", [], {"src/dataset/d.c": '#include "source/stream.h"\n'}, "stream.h"),
    ("test_layers", "test_programs_see_only_the_public_header", ["cli"], {"cli/b.c": '#include "base/base_one.h"\n'}, "base_one.h"),
    ("test_layers", "test_file_names_are_unique", [], {"src/net/base_one.c": "int x;\n"}, "share a name"),
    ("test_layers", "test_every_room_has_a_short_readme", [], {"src/net/README.md": "line\n" * 31}, ""),
    ("test_layers", "test_sizes_stay_readable", [], {"src/net/n.c": "int x;\n" * 701}, "too long"),
    ("test_budget", "test_functions_stay_within_the_budget", [], {"src/net/n.c": LONG}, "81 lines"),
    ("test_budget", "test_functions_stay_within_the_budget", [], {"src/net/n.c": WIDE}, "7 parameters"),
    ("test_budget", "test_functions_stay_within_the_budget", [], {"src/net/n.c": MEDIAN}, "median"),
    ("test_budget", "test_the_label_out_releases_something", [], {"src/net/n.c": IDLE}, "owns nothing"),
]
BUILT = [
    ("test_layers", "test_library_does_not_print_exit_or_allocate_outside_base", {"src/base/b.c": "void f(void) { puts(\"\"); }\n"}, "puts"),
    ("test_layers", "test_library_does_not_print_exit_or_allocate_outside_base", {"src/net/n.c": "void *f(void) { return malloc(9); }\n"}, "malloc"),
    ("test_layers", "test_library_does_not_print_exit_or_allocate_outside_base", {"src/net/n.c": "void f(void *a) { qsort(a, 2, 3, 0); }\n"}, "qsort"),
    ("test_layers", "test_shared_library_exports_the_public_header_and_nothing_else", {"src/net/n.c": "int ss_secret(void) { return 1; }\n"},
     "ss_secret"),
    ("test_layers", "test_files_do_not_call_each_other_in_circles",
     {"src/net/n.c": "int g(void); int f(void) { return g(); }\n", "src/net/m.c": "int f(void); int g(void) { return f(); }\n"}, "net/m, net/n"),
]


@pytest.mark.parametrize("module,rule,words,files,says", SEEDS, ids=[f"{s[1]}-{i}" for i, s in enumerate(SEEDS)])
def test_a_violation_is_reported(tmp_path, module, rule, words, files, says):
    verdict(tree(tmp_path / "good", {}), module, rule, *words)
    with pytest.raises(AssertionError, match=says):
        verdict(tree(tmp_path / "bad", files), module, rule, *words)


@pytest.mark.parametrize("module,rule,files,says", BUILT, ids=[s[1] for s in BUILT])
def test_a_violation_in_what_is_built_is_reported(tmp_path, monkeypatch, module, rule, files, says):
    hidden = {"src/net/net_one.c": "__attribute__((visibility(\"hidden\"))) int ss_two(void) { return 1; }\n"}
    verdict(tree(tmp_path / "good", hidden), module, rule, is_built=True, monkeypatch=monkeypatch)
    with pytest.raises(AssertionError, match=says):
        verdict(tree(tmp_path / "bad", {**hidden, **files}), module, rule, is_built=True, monkeypatch=monkeypatch)


@pytest.mark.parametrize("rule,test,says", [("test_every_public_function_is_called_by_a_test_in_c", "int x;", "ss_one"),
                                            ("test_every_public_function_that_can_fail_has_a_fault_case", "ss_one(", "ss_two")])
def test_a_call_that_no_test_makes_is_reported(tmp_path, rule, test, says):
    header = HEADER + "SS_API int ss_two(struct ss_err *err);\n"
    files = {"include/saescope.h": header, "tests/unit/test_faults_one.c": "ss_one(); ss_two(0);\n"}
    verdict(tree(tmp_path / "good", files), "test_public", rule)
    with pytest.raises(AssertionError, match=says):
        verdict(tree(tmp_path / "bad", {**files, "tests/unit/test_faults_one.c": test}), "test_public", rule)


@pytest.mark.parametrize("files", [{"docs/a.md": "see `net/net_two.c`\n"}, {"src/net/n.c": "/* As in net_two.c. */\n"}])
def test_a_place_that_is_not_there_is_reported(tmp_path, files):
    verdict(tree(tmp_path / "good", {"docs/a.md": "see `net/net_one.c`\n"}), "test_places", "test_files_that_texts_name_are_there")
    with pytest.raises(AssertionError, match="net_two.c"):
        verdict(tree(tmp_path / "bad", files), "test_places", "test_files_that_texts_name_are_there")


def test_paths_of_a_machine_are_reported(tmp_path):
    folder = tree(tmp_path, {"docs/a.md": "see /" + "work/shared\n"})
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "-C", folder, "add", "-A"], check=True)
    with pytest.raises(AssertionError, match="a.md"):
        verdict(folder, "test_layers", "test_texts_speak_of_the_project_alone")


def test_a_header_that_does_not_compile_is_reported(tmp_path):
    folder = tree(tmp_path, {"include/saescope.h": "size_t ss_one(void);\n"})
    with pytest.raises(subprocess.CalledProcessError):
        verdict(folder, "test_layers", "test_public_header_compiles_alone", ["gcc", "-std=c11"], "saescope.h", tmp_path)


def test_a_missing_fuzz_target_is_reported(tmp_path):
    with pytest.raises(AssertionError, match="fuzz_zip"):
        verdict(tree(tmp_path, {}), "test_layers", "test_every_parser_has_a_fuzz_target")


# ---- the rules that compilers and tools check ----

def flags_of(preset_flags=()):
    """The warnings that cmake/SaescopeFlags.cmake asks for."""
    text = (ROOT / "cmake/SaescopeFlags.cmake").read_text(encoding="utf8")
    return [word for word in text.split() if re.fullmatch(r"-W[a-z0-9=-]+", word) and not word.startswith("-Werror")] + list(preset_flags)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_warnings_are_errors(tmp_path, compiler):
    if subprocess.run(["which", compiler], capture_output=True).returncode != 0:
        pytest.skip(f"no {compiler}")
    (tmp_path / "a.c").write_text("int f(long a);\nint f(long a)\n{\n    int b = a;\n    return b;\n}\n")
    words = [compiler, "-std=c11", "-fsyntax-only", *flags_of(), tmp_path / "a.c"]
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert subprocess.run([*words, "-Werror"], capture_output=True).returncode != 0
    assert "-DSS_WERROR=ON" in (ROOT / "Makefile").read_text(encoding="utf8")
    for target in ("test", "threads", "fuzz"):  # gcc, gcc, clang
        assert re.search(rf"^make {target} STRICT=1", (ROOT / ".ci/run").read_text(encoding="utf8"), re.M)


def test_formatting_is_checked(tmp_path):
    if subprocess.run(["which", "clang-format"], capture_output=True).returncode != 0:
        pytest.skip("no clang-format")
    (tmp_path / ".clang-format").write_text((ROOT / ".clang-format").read_text(encoding="utf8"))
    (tmp_path / "a.c").write_text("int f( int a ) { return a; }\n")
    assert subprocess.run(["clang-format", "--dry-run", "-Werror", "a.c"], cwd=tmp_path, capture_output=True).returncode != 0


def test_tidy_reports(tmp_path):
    if subprocess.run(["which", "clang-tidy"], capture_output=True).returncode != 0:
        pytest.skip("no clang-tidy")
    (tmp_path / ".clang-tidy").write_text((ROOT / ".clang-tidy").read_text(encoding="utf8"))
    (tmp_path / "a.c").write_text("void f(char *a, int n);\nvoid f(char *a, int n)\n{\n    for (unsigned char i = 0; i < n; i++) {\n"
                                  "        a[i] = 0;\n    }\n}\n")
    done = subprocess.run(["clang-tidy", "--quiet", "a.c", "--"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "bugprone-too-small-loop-variable" in done.stdout + done.stderr


def test_coverage_below_the_floor_is_reported():
    sys.path.insert(0, str(ROOT / "scripts"))
    sys.dont_write_bytecode = True
    import coverage
    assert coverage.__file__ == str(ROOT / "scripts/coverage.py")
    assert coverage.too_low([("base", [100, 90, 100, 80])], {"base": (90,)}) == []
    assert len(coverage.too_low([("base", [100, 89, 100, 80])], {"base": (90,)})) == 1
    assert coverage.too_low([("base", [100, 80, 9, 9]), ("net", [100, 100, 9, 9])], {"base net": (90,)}) == []
    assert coverage.too_low([("base", [100, 90, 100, 75])], {"base": (90, 75)}) == []
    assert "74.0 % of the branches" in coverage.too_low([("base", [100, 90, 100, 74])], {"base": (90, 75)})[0]
    assert "nothing was built" in coverage.too_low([("base", [100, 90, 100, 80])], {"bass": (90,)})[0]
    assert {floor for floors in coverage.FLOORS["all"].values() for floor in floors} == {90, 75}
