"""What packages are made of: the Debian ones from their files, the image as a container engine reads and runs it."""
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from conftest import ROOT

MODEL, SAE, ROWS = (ROOT / "tests/data" / name for name in ("encoder/mpnet-mean", "run/sae-jumprelu", "run/rows.jsonl"))


def paragraphs(path):
    """The fields of a control file, a dictionary a paragraph."""
    return [dict(re.findall(r"^([A-Za-z-]+):((?:.*\n?)(?:[ \t].*\n?)*)", part, re.M)) for part in path.read_text("utf8").split("\n\n") if part.strip()]


def names(field):
    return {re.split(r"[ (]", item.strip())[0] for item in field.split(",") if item.strip() and "$" not in item}


def test_debian_needs_what_setup_installs():
    source, *packages = paragraphs(ROOT / "debian/control")
    wanted = {line.split()[1] for line in (ROOT / "scripts/setup.sh").read_text().splitlines() if re.match(r"build \S+ \S+ \S+$", line)}
    tools = {"gcc", "libc6-dev", "make"}  # always there where packages are built
    assert names(source["Build-Depends"]) - {"debhelper-compat", "dh-python", "python3", "python3-dev"} == wanted - tools
    development = next(p for p in packages if p["Package"].strip() == "libsaescope-dev")
    assert {n for n in names(development["Depends"]) if n.endswith("-dev")} == {n for n in wanted - tools if n.startswith(("lib", "zlib"))}


def test_debian_has_the_version_of_the_header():
    version = re.search(r'SS_VERSION "(.+)"', (ROOT / "include/saescope.h").read_text()).group(1)
    assert re.match(rf"saescope \({re.escape(version)}\) ", (ROOT / "debian/changelog").read_text())
    abi = re.search(r"set\(SS_ABI (\d+)\)", (ROOT / "src/CMakeLists.txt").read_text()).group(1)
    assert f"Package: libsaescope{abi}\n" in (ROOT / "debian/control").read_text()
    assert (ROOT / f"debian/libsaescope{abi}.install").exists()


def test_every_installed_file_is_in_one_package(program, tmp_path):
    install = ["cmake", "--install", program.parent]
    subprocess.run([*install, "--prefix", tmp_path / "usr"], check=True, capture_output=True)
    if (program.parent / "python/saescope/_core.abi3.so").exists():
        done = subprocess.run([*install, "--component", "python-module", "--prefix", tmp_path / "usr/lib/python3/dist-packages"], capture_output=True)
        assert done.returncode == 0, done.stderr
    # what the installation puts in lib is in lib/ARCHITECTURE on Debian
    libs = next(p.parent for p in tmp_path.rglob("libsaescope.so"))
    if libs.name == "lib":
        moved = [p for p in libs.iterdir() if p.name != "python3"]
        (libs / "x86_64-linux-gnu").mkdir()
        for path in moved:
            path.rename(libs / "x86_64-linux-gnu" / path.name)
    files = {p for p in tmp_path.rglob("*") if not p.is_dir()}
    taken = []
    for listing in sorted((ROOT / "debian").glob("*.install")):
        for pattern in listing.read_text().split():
            found = [p for hit in tmp_path.glob(pattern) for p in ([hit] if not hit.is_dir() else hit.rglob("*")) if not p.is_dir()]
            assert found or "python3" in pattern, f"{listing.name}: nothing is installed at {pattern}"
            taken += found
    assert len(taken) == len(set(taken)) and set(taken) == files


@pytest.fixture(scope="module")
def image(program, tmp_path_factory):
    out = tmp_path_factory.mktemp("image") / "saescope.tar.gz"
    done = subprocess.run([ROOT / "scripts/package-image.py", program, out], capture_output=True, text=True)
    if "no certificates" in done.stderr or "no font" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return out


def test_image_is_as_engines_read_it(image, program):
    with tarfile.open(image) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        config, layer = tar.extractfile(manifest["Config"]).read(), tar.extractfile(manifest["Layers"][0]).read()
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    assert json.loads(config)["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(layer).hexdigest()]
    assert manifest["RepoTags"] == ["saescope:" + subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()[1]]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert all(m.mtime == 0 and m.uid == 0 and m.gid == 0 and not m.name.startswith(("/", "..")) for m in tar.getmembers())
    again = image.with_name("again.tar.gz")
    subprocess.run([ROOT / "scripts/package-image.py", program, again], check=True, capture_output=True)
    assert again.read_bytes() == image.read_bytes()
    assert gzip.decompress(image.read_bytes())[:64] == hashlib.sha256(layer).hexdigest().encode()


def test_image_does_the_main_job(image, tmp_path):
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if os.geteuid() != 0 or chroot is None:
        pytest.skip("only root may change the root folder")
    root = tmp_path / "root"
    with tarfile.open(image) as tar:
        layer = tar.extractfile(json.load(tar.extractfile("manifest.json"))[0]["Layers"][0]).read()
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        tar.extractall(root, filter="tar") if hasattr(tarfile, "tar_filter") else tar.extractall(root)
    for source in (MODEL, SAE):
        shutil.copytree(source, root / "data" / source.name)
    shutil.copy(ROWS, root / "data/rows.jsonl")
    done = subprocess.run([chroot, root, "/usr/bin/saescope", "analyze", "-m", f"/data/{MODEL.name}", "-s", f"/data/{SAE.name}", "-d", "/data/rows.jsonl",
                           "-o", "/data/out", "--steps", "none"], capture_output=True, text=True, env={"HOME": "/home/saescope"})
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (root / "data/out").iterdir()} >= {"fire_rate.npy", "top_activations.json", "density.png", "run.json"}
