#!/usr/bin/python3
"""Small dataset files for the tests: tests/data/dataset.

The same texts in every format and compression, written by Python's json and csv modules and by
the programs gzip, zstd, bzip2 and xz; expected.json holds the texts themselves. broken/ has the
damaged ones, tree/ a folder. Run without arguments; needs no package beyond Python's own.
"""
import csv
import io
import json
import pathlib
import shutil
import struct
import subprocess
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "dataset"

TEXTS = [
    "The galaxy turns slowly.",
    "naïve café, «quoted» — dash",
    'says "hello", twice',
    "two\nlines",
    "tab\there",
    "日本語のテキスト",
    "emoji 🜁🚀 beyond the BMP",
    "back\\slash and /",
    "ctrl \u0001\u001f del \u007f",
    "  spaces around  ",
    "mixed é combining",
    "x" * 300,
] + [f"row {i}: " + " ".join(f"w{(i * j) % 97}" for j in range(1, 12)) for i in range(12, 60)]


def run(program, data):
    return subprocess.run(program, input=data, stdout=subprocess.PIPE, check=True).stdout


def write(name, data):
    path = ROOT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def table(delimiter):
    out = io.StringIO(newline="")
    rows = csv.writer(out, delimiter=delimiter)
    rows.writerow(["id", "text", "note"])
    for i, text in enumerate(TEXTS):
        rows.writerow([i, text, "plain, with comma"])
    return out.getvalue()


def halves(data):
    middle = data.index(b"\n", len(data) // 2) - 7  # members need not end where lines do
    return data[:middle], data[middle:]


def packed(program, data):
    return b"".join(run(program, part) for part in halves(data))


def bgzf(data, block=700):
    """Blocked gzip: each member carries its size in an extra field; an empty one ends."""
    out = b""
    for at in list(range(0, len(data), block)) + [len(data)]:
        piece = data[at : at + block]
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = deflate.compress(piece) + deflate.flush()
        out += b"\x1f\x8b\x08\x04" + struct.pack("<IBBH2sHH", 0, 0, 255, 6, b"BC", 2, len(body) + 25)
        out += body + struct.pack("<II", zlib.crc32(piece), len(piece))
    return out


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    lines = "".join(json.dumps({"id": i, "text": text, "more": {"a": [1, None]}}, ensure_ascii=i % 2 == 0) + "\n"
                    for i, text in enumerate(TEXTS)).encode()
    write("expected.json", json.dumps(TEXTS, indent=0))
    write("rows.jsonl", lines)
    write("rows.json", json.dumps([{"id": i, "text": t} for i, t in enumerate(TEXTS)], indent=1))
    write("strings.json", json.dumps(TEXTS, ensure_ascii=False))
    write("rows.csv", table(","))
    write("rows.tsv", table("\t"))
    tools = {"gz": ["gzip", "-9nc"], "zst": ["zstd", "-qc", "--check"], "bz2": ["bzip2", "-c"], "xz": ["xz", "-c"]}
    for ending, program in tools.items():
        data = packed(program, lines)
        write(f"rows.jsonl.{ending}", data)
        write(f"broken/cut.jsonl.{ending}", data[:-9])
        write(f"broken/flip.jsonl.{ending}", flip(data, len(data) - 40))
        write(f"broken/junk.jsonl.{ending}", data + b"junk")
        write(f"unnamed-{ending}", data)
    write("rows.csv.gz", run(tools["gz"], table(",").encode()))
    write("rows.json.xz", run(tools["xz"], (ROOT / "rows.json").read_bytes()))
    write("blocked.jsonl.gz", bgzf(lines))
    write("padded.jsonl.gz", run(tools["gz"], lines) + bytes(512))
    write("padded.jsonl.xz", run(tools["xz"], lines) + bytes(8))
    write("broken/one-line.jsonl.zst", run(["zstd", "-19", "-qc"], b'{"text":"' + bytes([97]) * (120 << 20)))
    write("broken/many-lines.txt.zst", run(["zstd", "-19", "-qc"], bytes([10]) * (120 << 20)))
    write("tree/b/2.jsonl.gz", run(tools["gz"], lines[: lines.index(b"\n") + 1]))
    write("tree/a.csv", "text\nfrom a\n")
    write("tree/b/1.txt", "from b/1\n")
    for name in ("tree/.hidden.jsonl", "tree/.folder/x.txt", "tree/__x/x.txt", "tree/README.md",
                 "tree/config.json"):
        write(name, "not a row")


main()
