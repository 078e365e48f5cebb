"""Zip and tar archives as datasets: their rows are those of the folder that was packed, in its order, and whatever is wrong
with one is said in an error message.

Python's zipfile and tarfile make the archives; headers that they do not write are made here by hand.
"""
import bz2
import gzip
import json
import lzma
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib

import pytest

from conftest import ROOT
from test_jobs import model, sae  # noqa: F401  the tiny models of the jobs

DATA = ROOT / "tests/data/rows"
COMPRESSORS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.fixture
def folder(tmp_path):
    """Files of every kind, in folders whose order is not that of their names, and what a folder leaves out."""
    root = tmp_path / "d"
    lines = "".join(f'{{"id": {i}, "text": "line {i} of é"}}\n' for i in range(3000))
    files = {"b.jsonl": lines, "a/z.csv": "id,text\n1,first\n2,\"sec\nond\"\n", "a-b/t.tsv": "id\ttext\n7\ttab\n", "plain.txt": "one\ntwo\n",
             "list.json": '[{"text": "of a list"}]', "empty.jsonl": "", ".hidden/x.jsonl": '{"text": "no"}\n', ".h.jsonl": '{"text": "no"}\n',
             "__MACOSX/a/._z.csv": "text\nno\n", "README.md": "no", "a/config.json": '{"text": "no"}', "nested/inner.zip": "no"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf8")
    (root / "packed").mkdir()
    for ending, compress in COMPRESSORS.items():
        (root / f"packed/{ending}.jsonl.{ending}").write_bytes(compress(b'{"text": "packed by %s"}\n' % ending.encode()))
    for name in ["kept.parquet", "kept.arrow"]:
        shutil.copy(DATA / name, root / "packed" / name)
    return root


def rows(program, path, *more, stdin=None):
    return subprocess.run([program, "inspect", "--as", "dataset", "--rows", "100000", path, *more], capture_output=True, stdin=stdin)


def members(folder):
    return sorted((p for p in folder.rglob("*")), key=lambda p: p.name[::-1])


def pack_zip(folder, path, method, streamed=False):
    with open(path, "wb") as file:
        out = Unseekable(file) if streamed else file
        with zipfile.ZipFile(out, "w", method) as archive:
            for member in members(folder):
                archive.write(member, member.relative_to(folder))
    return path


class Unseekable:
    """Makes zipfile write data descriptors, as it does into a pipe."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


def pack_tar(folder, path, mode="w", kind=tarfile.PAX_FORMAT, prefix=""):
    with tarfile.open(path, mode, format=kind) as archive:
        for member in members(folder):
            archive.add(member, prefix + str(member.relative_to(folder)), recursive=False)
    return path


PACKERS = {
    "stored.zip": lambda folder, path: pack_zip(folder, path, zipfile.ZIP_STORED),
    "deflated.zip": lambda folder, path: pack_zip(folder, path, zipfile.ZIP_DEFLATED),
    "streamed.ZIP": lambda folder, path: pack_zip(folder, path, zipfile.ZIP_DEFLATED, streamed=True),
    "pax.tar": pack_tar,
    "gnu.tar": lambda folder, path: pack_tar(folder, path, kind=tarfile.GNU_FORMAT, prefix="./"),
    "ustar.tar": lambda folder, path: pack_tar(folder, path, kind=tarfile.USTAR_FORMAT),
    "x.tar.gz": lambda folder, path: pack_tar(folder, path, "w:gz"),
    "x.tgz": lambda folder, path: pack_tar(folder, path, "w:gz"),
    "x.tar.bz2": lambda folder, path: pack_tar(folder, path, "w:bz2"),
    "x.tar.xz": lambda folder, path: pack_tar(folder, path, "w:xz"),
}


@pytest.mark.parametrize("name", PACKERS)
def test_rows_are_those_of_the_folder(program, folder, tmp_path, name):
    archive = PACKERS[name](folder, tmp_path / name)
    want = rows(program, folder)
    assert want.returncode == 0 and len(want.stdout.splitlines()) > 3000, want.stderr
    got = rows(program, archive)
    assert got.returncode == 0, got.stderr
    assert got.stdout == want.stdout
    assert b'"no"' not in got.stdout


KINDS = {"csv": [".csv", ".tsv"], "txt": [".txt"], "parquet": [".parquet"], "arrow": [".arrow"]}


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_each_kind(program, folder, tmp_path, kind):
    """Of a mixed folder those of one kind are read (tests/cli/test_dataset_layouts.py), so here each kind stands alone."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in KINDS[kind]:
            path.unlink()
    want = rows(program, folder)
    assert want.returncode == 0 and want.stdout, want.stderr
    for name in ["deflated.zip", "pax.tar", "x.tgz"]:
        got = rows(program, PACKERS[name](folder, tmp_path / name))
        assert got.returncode == 0 and got.stdout == want.stdout, got.stderr


def test_zstd(program, folder, tmp_path):
    tar = pack_tar(folder, tmp_path / "x.tar")
    if shutil.which("zstd") is None:
        pytest.skip("no zstd")
    subprocess.run(["zstd", "-q", tar, "-o", tmp_path / "y.tar.zst"], check=True)
    assert rows(program, tmp_path / "y.tar.zst").stdout == rows(program, folder).stdout


def test_long_names(program, tmp_path):
    """Names beyond a header's 100 bytes: pax and GNU headers, ustar's prefix."""
    root = tmp_path / "d"
    deep = root / ("a" * 90) / ("b" * 60)
    deep.mkdir(parents=True)
    for name in ["short.jsonl", "é" + "c" * 90 + ".jsonl"]:
        (deep / name).write_text(f'{{"text": "{name}"}}\n')
    want = rows(program, root)
    for kind in [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]:
        assert rows(program, pack_tar(root, tmp_path / f"{kind}.tar", kind=kind)).stdout == want.stdout
    (deep / ("é" + "c" * 90 + ".jsonl")).unlink()
    assert rows(program, pack_tar(root, tmp_path / "u.tar", kind=tarfile.USTAR_FORMAT)).stdout == rows(program, root).stdout != b""


def test_a_run_names_members_and_hashes_the_archive(program, folder, model, sae, tmp_path):  # noqa: F811
    archive = pack_zip(folder, tmp_path / "x.zip", zipfile.ZIP_DEFLATED)
    common = [program, "analyze", "--model", model, "--sae", sae, "--text-column", "text", "-q", "--dataset"]
    for dataset, out in [(folder, "a"), (archive, "b")]:
        done = subprocess.run([*common, dataset, "--out", tmp_path / out], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for name in ["fire_rate.npy", "top_activations.json", "features.csv"]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    said = json.loads((tmp_path / "b/run.json").read_text())["dataset"]
    assert said["files"][0]["path"] == f"{archive}!/b.jsonl"
    assert [item["path"] for item in said["archives"]] == [str(archive)] and len(said["archives"][0]["sha256"]) == 64
    kept = subprocess.run([*common, pack_tar(folder, tmp_path / "y.tar"), "--out", tmp_path / "c", "--format", "csv"], capture_output=True)
    assert kept.returncode == 65 and b"y.tar!/b.jsonl" in kept.stderr


def test_archives_in_folders_and_beside_files(program, tmp_path):
    (tmp_path / "d").mkdir()
    for name in "bd":
        (tmp_path / f"d/{name}.jsonl").write_text(f'{{"text": "{name}"}}\n')
    with zipfile.ZipFile(tmp_path / "d/c.zip", "w") as archive:
        archive.writestr("m.jsonl", '{"text": "in c"}\n')
    texts = [json.loads(line)["text"] for line in rows(program, tmp_path / "d").stdout.splitlines()]
    assert texts == ["b", "d"]
    named = rows(program, tmp_path / "d/*", "--text-column", "text")
    assert [json.loads(line)["text"] for line in named.stdout.splitlines()] == ["b", "in c", "d"], named.stderr


# ---- tars by hand ----


def header(name, size, kind=b"0", magic=b"ustar\x0000", size_field=None, prefix=b""):
    block = bytearray(512)
    block[0:len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = size_field or b"%011o\0" % size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = magic
    block[345:345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name, content, kind=b"0", **more):
    return header(name, len(content), kind, **more) + content + bytes(-len(content) % 512)


def pax(**records):
    out = b""
    for key, value in records.items():
        body = b" " + key.replace("__", ".").encode() + b"=" + value + b"\n"
        out += next(b"%d" % n + body for n in range(len(body), len(body) + 9) if len(str(n)) + len(body) == n)
    return member(b"pax", out, b"x")


END = bytes(1024)
ROW = b'{"text":"rows"}\n'
ROWS = ROW * 64  # 1024 bytes
GOOD = {
    "old format": (member(b"a.jsonl", ROW, b"\0", magic=bytes(8)) + END, 1),
    "old folder": (member(b"a.jsonl/", b"", b"\0", magic=bytes(8)) + member(b"b.jsonl", ROW) + END, 1),
    "one zero block": (member(b"a.jsonl", ROW) + bytes(512), 1),
    "binary size": (member(b"a.jsonl", ROW, size_field=b"\x80" + bytes(9) + struct.pack(">H", len(ROW))) + END, 1),
    "pax size": (pax(size=b"1024", path=b"a.jsonl") + header(b"x", 0) + ROWS + END, 64),
    "global comment": (member(b"g", b"20 comment=12345678\n", b"g") + member(b"a.jsonl", ROW) + END, 1),
    "replaced": (member(b"a.jsonl", ROWS) + member(b"./a.jsonl", ROW) + END, 1),
    "climbing name": (member(b"../../a.jsonl", ROW) + member(b"/b.jsonl", ROW) + member(b"c\x1b[2J\n.jsonl", ROW) + END, 3),
    "link of no interest": (member(b"a.jsonl", ROW) + header(b"b.md", 0, b"2") + header(b"dev.jsonl", 0, b"3") + END, 1),
}


@pytest.mark.parametrize("case", GOOD)
def test_tars_that_are_read(program, tmp_path, case):
    data, n_rows = GOOD[case]
    (tmp_path / "x.tar").write_bytes(data)
    done = rows(program, tmp_path / "x.tar")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ROW * n_rows
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar"]


BAD = {
    "empty": (b"", "byte 0", "end mark"),
    "no end": (member(b"a.jsonl", ROW), "byte 1024", "without its end mark"),
    "cut header": (member(b"a.jsonl", ROW) + header(b"b", 0)[:100], "byte 1024", "cut short"),
    "cut content": (member(b"a.jsonl", ROWS)[:1024], "byte 0", "1024 bytes, but the archive ends after 512"),
    "checksum": (member(b"a.jsonl", ROW).replace(b"0000644", b"0000645") + END, "byte 0", "checksum"),
    "not a tar": (b"text " * 1000, "byte 0", "checksum"),
    "size not octal": (header(b"a.jsonl", 0, size_field=b"00000000009\0") + END, "byte 0", "size"),
    "size negative": (header(b"a.jsonl", 0, size_field=b"\xff" * 12) + END, "byte 0", "size"),
    "size huge": (header(b"a.jsonl", 0, size_field=b"\x80" + b"\0" * 3 + b"\xff" * 8) + END, "byte 0", "cut short"),
    "pax size huge": (pax(size=b"18446744073709551615") + member(b"a.jsonl", ROW) + END, "byte 1024", "cut short"),
    "pax size over": (pax(size=b"99999999999999999999999") + member(b"a.jsonl", ROW) + END, "byte 0", "size"),
    "pax junk": (member(b"pax", b"junk", b"x") + member(b"a.jsonl", ROW) + END, "byte 0", "not made of records"),
    "pax NUL": (pax(path=b"a\0.jsonl") + member(b"a.jsonl", ROW) + END, "byte 0", "NUL"),
    "pax long": (member(b"pax", b" " * (2 << 20), b"x") + END, "byte 0", "1 MiB"),
    "name long": (member(b"L", b"a" * 70000, b"L") + member(b"a.jsonl", ROW) + END, "byte 0", "64 KiB"),
    "global path": (member(b"g", b"16 path=a.jsonl\n", b"g") + member(b"a.jsonl", ROW) + END, "byte 0", "all members"),
    "announced": (pax(path=b"a.jsonl") + END, "byte 1024", "announced"),
    "joined": (member(b"a.jsonl", ROW) + END + member(b"b.jsonl", ROW) + END, "byte 1024", "joined"),
    "symbolic link": (header(b"a.jsonl", 0, b"2") + END, "x.tar!/a.jsonl", "link"),
    "hard link": (member(b"b.jsonl", ROW) + header(b"a.jsonl", 0, b"1") + END, "x.tar!/a.jsonl", "link"),
    "old sparse": (member(b"a.jsonl", ROW, b"S") + END, "x.tar!/a.jsonl", "sparse"),
    "pax sparse": (pax(GNU__sparse__major=b"1") + member(b"a.jsonl", ROW) + END, "x.tar!/a.jsonl", "sparse"),
    "unknown type": (member(b"a.jsonl", ROW, b"Q") + END, "x.tar!/a.jsonl", "type"),
    "volume": (member(b"a.jsonl", ROW, b"M") + END, "byte 0", "volume"),
    "nothing known": (member(b"a.md", ROW) + member(b".b.jsonl", ROW) + END, "x.tar", "no dataset in this archive"),
    "bad row": (member(b"a/b.jsonl", b'{"text": 1\n') + END, "x.tar!/a/b.jsonl", "line 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_tars_that_are_refused(program, tmp_path, case):
    data, *words = BAD[case]
    (tmp_path / "x.tar").write_bytes(data)
    check_refused(rows(program, tmp_path / "x.tar"), words)
    (tmp_path / "y.tar.gz").write_bytes(gzip.compress(data))
    check_refused(rows(program, tmp_path / "y.tar.gz"), [word.replace("x.tar", "y.tar.gz") for word in words])


def check_refused(done, words):
    assert done.returncode in (65, 66), (done.returncode, done.stderr)
    sentence = done.stderr.decode("utf8")
    assert sentence.count("\n") == 1, sentence
    for word in words:
        assert word in sentence, sentence


def test_a_compressed_tar_that_is_cut(program, tmp_path):
    whole = gzip.compress(member(b"a.jsonl", ROWS * 50) + END)
    (tmp_path / "x.tgz").write_bytes(whole[:-20])
    check_refused(rows(program, tmp_path / "x.tgz"), ["x.tgz", "cut off at byte"])


def test_standard_input_is_refused(program, tmp_path):
    for name, data in {"a": member(b"a.jsonl", ROW) + END, "b": gzip.compress(member(b"a.jsonl", ROW, magic=b"ustar  \0") + END)}.items():
        (tmp_path / name).write_bytes(data)
        check_refused(rows(program, tmp_path / name), ["tar archive", ".tar.gz"])


# ---- zips ----


def make_zip(path, entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path.read_bytes()


def edit_zip(data, offset_local, offset_central, value):
    """Write bytes into the first local and the first central header."""
    data = bytearray(data)
    central = data.index(b"PK\1\2")
    data[offset_local:offset_local + len(value)] = value
    data[central + offset_central:central + offset_central + len(value)] = value
    return bytes(data)


def damage_content(data):
    out = bytearray(data)
    out[30 + len("a.jsonl")] ^= 1
    return bytes(out)


ZIPS = {
    "encrypted": (lambda data: edit_zip(data, 6, 8, b"\1\0"), ["a.jsonl", "encrypted"]),
    "method": (lambda data: edit_zip(data, 8, 10, b"\x0c\0"), ["a.jsonl", "method 12"]),
    "CRC": (lambda data: edit_zip(data, 14, 16, b"\1\2\3\4"), ["x.zip!/a.jsonl", "CRC-32"]),
    "size over": (lambda data: edit_zip(data, 22, 24, struct.pack("<I", 5)), ["x.zip!/a.jsonl", "more than its declared size"]),
    "size under": (lambda data: edit_zip(data, 22, 24, struct.pack("<I", 5000)), ["x.zip!/a.jsonl", "declared size"]),
    "bomb": (lambda data: edit_zip(data, 22, 24, struct.pack("<I", 4 << 20)), ["x.zip!/a.jsonl", "1000 to 1"]),
    "cut": (lambda data: data[:-30], ["x.zip", "cut short"]),
    "content": (damage_content, ["a.jsonl"]),
    "junk before": (lambda data: b"junk" + data, ["x.zip", "damaged"]),
    "no zip": (lambda data: b"text", ["x.zip", "cut short"]),
    "disks": (lambda data: data[:-18] + b"\1\0" + data[-16:], ["x.zip", "disks"]),
}


@pytest.mark.parametrize("case", ZIPS)
def test_zips_that_are_refused(program, tmp_path, case):
    edit, words = ZIPS[case]
    data = make_zip(tmp_path / "x.zip", {"a.jsonl": ROWS})
    assert rows(program, tmp_path / "x.zip").stdout == ROWS
    (tmp_path / "x.zip").write_bytes(edit(data))
    check_refused(rows(program, tmp_path / "x.zip"), words)


def test_zip_names_and_links(program, tmp_path):
    path = tmp_path / "x.zip"
    make_zip(path, {"../up.jsonl": ROW, "/abs.jsonl": ROW, "a\x07.jsonl": ROW})
    assert rows(program, path).stdout == ROW * 3
    link = zipfile.ZipInfo("l.jsonl")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    make_zip(path, {link: "a.jsonl"})
    check_refused(rows(program, path), ["x.zip!/l.jsonl", "link"])
    make_zip(path, {"a.md": ROW, "__MACOSX/a.jsonl": ROW})
    check_refused(rows(program, path), ["no dataset in this archive"])


def test_zip64(program, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.jsonl", "w", force_zip64=True) as out:
        out.write(ROWS)
    assert rows(program, tmp_path / "x.zip").stdout == ROWS


def test_a_packed_bomb_in_an_archive_stays_small(program, tmp_path):
    compressor = zlib.compressobj(9, wbits=31)
    data = compressor.compress(bytes(200 << 20)) + compressor.flush()
    make_zip(tmp_path / "x.zip", {"a.jsonl.gz": gzip.compress(data)}, zipfile.ZIP_STORED)
    done = rows(program, tmp_path / "x.zip")
    assert done.returncode in (65, 66) and b"x.zip!/a.jsonl.gz" in done.stderr


def test_zip_corpus(program, tmp_path):
    corpus = ROOT / "../shared/corpora/zip"
    if not corpus.is_dir():
        pytest.skip("no corpora")
    n = 0
    for path in sorted(corpus.glob("*.zip")):
        done = rows(program, path)
        assert done.returncode in (0, 65, 66), (path, done.stderr)
        n += 1
    assert n > 50
