"""Rules of the modules that a browser runs: no markup from data, one script out of many modules."""
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

ASSETS = ROOT / "src/web/assets"
MODULES = re.findall(r'"(\w+\.js)"', (ROOT / "src/web/asset_list.h").read_text(encoding="utf8"))
FORBIDDEN = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "javascript:", "createContextualFragment",
             "DOMParser", "srcdoc", ".setHTML", "setAttributeNS", "importScripts", "import("]


def forbidden(text):
    found = [word for word in FORBIDDEN if word in text]
    return found + re.findall(r"set(?:Timeout|Interval)\(\s*[\"'`]", text)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_makes_no_markup(name):
    assert forbidden((ASSETS / name).read_text(encoding="utf8")) == []


@pytest.mark.parametrize("line", ["x.innerHTML = y;", "setTimeout('x()', 1)", "new Function('x')", "eval(x)"])
def test_what_is_forbidden_is_found(line):
    assert forbidden(line)


def test_all_modules_are_listed_and_nothing_ends_the_script():
    assert sorted(MODULES) == sorted(p.name for p in ASSETS.glob("*.js"))
    for path in ASSETS.iterdir():
        assert "</script" not in path.read_text(encoding="utf8") or path.name == "page.html"
        assert "</style" not in path.read_text(encoding="utf8")


def test_modules_join_to_one_script():
    """Imports stand on one line and lead to modules that are listed before; names are unique."""
    seen, names = set(), {}
    for name in MODULES:
        for line in (ASSETS / name).read_text(encoding="utf8").splitlines():
            if "import" in line.split("//")[0].split("(")[0].split():
                found = re.fullmatch(r'import \{ [\w, ]+ \} from "\./(\w+\.js)";', line)
                assert found and found[1] in seen, f"{name}: {line}"
            assert not line.startswith("export default") and not line.startswith("export {"), f"{name}: {line}"
            made = re.match(r"(?:export )?(?:async )?(?:function|const|let|class) (\w+)", line)
            if made:
                assert made[1] not in names, f"{made[1]} is in {names[made[1]]} and {name}"
                names[made[1]] = name
        seen.add(name)
    imported = {(word, file) for name in MODULES for words, file in re.findall(r'import \{ ([\w, ]+) \} from "\./(\w+\.js)"', (ASSETS / name).read_text(encoding="utf8"))
                for word in words.split(", ")}
    assert all(names.get(word) == file for word, file in imported)


def test_modules_are_sound_javascript():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    for name in MODULES:
        done = subprocess.run([node, "--input-type=module", "--check"], input=(ASSETS / name).read_bytes(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
