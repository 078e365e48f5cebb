"""What `cmake --install` gives: program, libraries, header, pkg-config, CMake package, pages, completions."""
import os
import shutil
import subprocess

import pytest

from conftest import ROOT

SOURCE = "#include <saescope.h>\n#include <stdio.h>\nint main(void) { puts(ss_version()); return 0; }\n"


@pytest.fixture(scope="module")
def prefix(program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    if shutil.which("cmake") is None:
        pytest.skip("no cmake")
    subprocess.run(["cmake", "--install", program.parent, "--prefix", folder], check=True, capture_output=True)
    return folder


def library_folder(prefix):
    return next(p.parent for p in prefix.rglob("libsaescope.so"))


def test_everything_is_installed(prefix):
    found = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    libs = library_folder(prefix).relative_to(prefix)
    for name in ("bin/saescope", "include/saescope.h", "include/saescope_tools.h", f"{libs}/libsaescope.a", f"{libs}/pkgconfig/saescope.pc",
                 f"{libs}/cmake/saescope/saescopeConfig.cmake", "share/man/man1/saescope.1", "share/man/man3/saescope.3", "share/man/man1/saescope-analyze.1",
                 "share/man/man1/saescope-fill-mask.1", "share/bash-completion/completions/saescope",
                 "share/zsh/site-functions/_saescope", "share/fish/vendor_completions.d/saescope.fish"):
        assert name in found, name
    assert subprocess.run([prefix / "bin/saescope", "--version"], capture_output=True).returncode == 0


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_pkg_config(prefix, tmp_path, kind):
    if shutil.which("pkg-config") is None or shutil.which("gcc") is None:
        pytest.skip("no compiler or pkg-config")
    source = tmp_path / "a.c"
    source.write_text(SOURCE)
    words = ["pkg-config", "--cflags", "--libs", *(["--static"] if kind == "static" else []), "saescope"]
    flags = subprocess.run(words, env={**os.environ, "PKG_CONFIG_PATH": str(library_folder(prefix) / "pkgconfig")}, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["gcc", source, "-o", tmp_path / "a", *flags], check=True)
    done = subprocess.run([tmp_path / "a"], env={}, capture_output=True, text=True)  # found where it was linked
    assert done.stdout.startswith("0.")


def test_cmake_package(prefix, tmp_path):
    (tmp_path / "a.c").write_text(SOURCE)
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.25)\nproject(a C)\nfind_package(saescope 0.2 REQUIRED)\n"
                                             "add_executable(a a.c)\ntarget_link_libraries(a PRIVATE saescope::saescope)\n")
    subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}"], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", tmp_path / "b"], check=True, capture_output=True)
    assert subprocess.run([tmp_path / "b/a"], capture_output=True, text=True).stdout.startswith("0.")


def test_examples_are_short_and_built(program):
    examples = sorted((ROOT / "examples").glob("*.c"))
    assert len(examples) == 6
    for path in examples:
        assert len(path.read_text(encoding="utf8").splitlines()) < 65
        done = subprocess.run([program.parent / "examples" / path.stem], capture_output=True, text=True)
        assert done.returncode == 64 and done.stderr.startswith("usage: ")
