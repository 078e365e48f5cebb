"""Every public function is called by a test in C, and every one that can fail by a test in which memory and files fail."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ["saescope.h", "saescope_tools.h"]
# Calls that can fail and that no fault reaches, with the reason.
NO_FAULTS = {
    "ss_set_allocator": "it takes no memory and opens no file, and holds only before the first allocation of a process",
}


def public_functions():
    """(name, whether it takes an error, and so can fail) of each."""
    for header in PUBLIC:
        text = re.sub(r"/\*.*?\*/", "", (ROOT / "include" / header).read_text(encoding="utf8"), flags=re.S)
        for found in re.finditer(r"SS_API\s[^;(]*?\b(ss_[a-z0-9_]+)\(([^;]*);", text):
            yield found.group(1), "ss_err" in found.group(2)


def calls(pattern):
    """The names that C tests call; a macro that makes the names of an enum's functions counts for both."""
    text = "".join(path.read_text(encoding="utf8") for path in sorted((ROOT / "tests/unit").glob(pattern)))
    named = {f"ss_{kind}_{verb}" for kind in re.findall(r"CHECK_NAMES\((\w+),", text) for verb in ("name", "parse")}
    return named | set(re.findall(r"\b(ss_[a-z0-9_]+)\(", text))


def never_called():
    return sorted(name for name, _ in public_functions() if name not in calls("*.[ch]"))


def never_failed():
    called = calls("test_faults_*.c")
    return sorted(name for name, can_fail in public_functions() if can_fail and name not in called and name not in NO_FAULTS)


def test_every_public_function_is_called_by_a_test_in_c():
    assert not never_called(), "no test in tests/unit calls " + ", ".join(never_called())


def test_every_public_function_that_can_fail_has_a_fault_case():
    assert not never_failed(), "no case of tests/unit/test_faults_*.c calls " + ", ".join(never_failed())


def test_exceptions_are_still_needed():
    known = {name for name, can_fail in public_functions() if can_fail}
    assert set(NO_FAULTS) <= known - calls("test_faults_*.c")
