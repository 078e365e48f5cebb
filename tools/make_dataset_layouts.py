"""Folders and files of datasets as programs leave them, with the rows that count.

Usage: make_dataset_layouts.py tests/data/dataset_layouts.json   (datasets 5.2.0, pyarrow 26, pandas 3, zstandard, the programs zstd, lz4, gzip)

Each case holds its files (zlib, base64) and asks: the path, further words for `inspect`, and the rows (values of a column), which
`from` gave: load_from_disk, load_dataset or pyarrow.dataset; "rule" where a specification or a program says it that is no library
here (the Delta protocol, Iceberg's and Hudi's specifications, Spark's empty parts), and the rows were written down by hand."""
import base64
import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import datasets  # noqa: E402
import pandas  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.dataset  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import zstandard  # noqa: E402

datasets.disable_progress_bars()
datasets.logging.set_verbosity_error()
ROWS = ["river", "lamp", "stone", "bridge"]
CASES = []


def pack(data):
    return base64.b64encode(zlib.compress(data, 9)).decode()


def lines(*rows):
    return "".join(json.dumps({"text": row}) + "\n" for row in rows).encode()


def parquet(*rows):
    out = io.BytesIO()
    pq.write_table(pa.table({"text": pa.array(rows, pa.string())}), out)
    return out.getvalue()


def table(*rows):
    return ("text,n\n" + "".join(f"{row},1\n" for row in rows)).encode()


def put(root, files):
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def files_of(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def add(name, source, files, *asks):
    CASES.append({"name": name, "from": source, "files": {path: pack(data) for path, data in files.items()}, "asks": list(asks)})


def ask(rows, path=".", words=(), column="text", says=()):
    return {"path": path, "words": list(words), "column": column, "rows": rows, "says": list(says)}


def refused(*says, path=".", words=()):
    return {"path": path, "words": list(words), "refused": list(says)}


# ---- saved datasets ----


def texts(dataset):
    return [row["text"] for row in dataset]


def saved():
    root = Path(tempfile.mkdtemp())
    whole = datasets.Dataset.from_dict({"text": ROWS, "n": [0, 1, 2, 3]})
    whole.save_to_disk(root / "plain")
    whole.save_to_disk(root / "shards", num_shards=3)
    for work in ["mapped", "shuffled", "filtered"]:
        whole.save_to_disk(root / work)
        loaded = datasets.load_from_disk(root / work)
        {"mapped": lambda: loaded.map(lambda row: {"n": row["n"] + 1}), "shuffled": lambda: loaded.shuffle(seed=1),
         "filtered": lambda: loaded.filter(lambda row: row["n"] > 1)}[work]()
    loaded = datasets.load_from_disk(root / "shards")
    loaded.map(lambda row: {"n": 7}, num_proc=2)
    whole.shuffle(seed=3).select(range(3)).save_to_disk(root / "picked")
    named = datasets.Dataset.from_dict({"text": ROWS[:2]}, split="validation")
    named.save_to_disk(root / "named")
    for name in ["plain", "shards", "mapped", "shuffled", "filtered", "picked"]:
        right = texts(datasets.load_from_disk(root / name))
        add(f"saved_{name}", "load_from_disk", files_of(root / name), ask(right), ask(right, words=["--split", "train"]), ask(right, words=["--split", "all"]),
            refused("train", words=["--split", "test"]))
    right = texts(datasets.load_from_disk(root / "named"))
    add("saved_named", "load_from_disk", files_of(root / "named"), ask(right), ask(right, words=["--split", "validation"]), refused("validation", words=["--split", "train"]))
    both = datasets.DatasetDict({"train": whole, "test": named})
    both.save_to_disk(root / "dict")
    datasets.load_from_disk(root / "dict").map(lambda row: {"m": 1})
    files = files_of(root / "dict")
    assert sum("cache-" in path for path in files) == 2, list(files)
    files["old/data-00000-of-00001.arrow"] = files["test/data-00000-of-00001.arrow"]
    put(root / "dict", files)
    loaded = datasets.load_from_disk(root / "dict")
    train, test = texts(loaded["train"]), texts(loaded["test"])
    add("saved_dict", "load_from_disk", files, ask(test + train), ask(train, words=["--split", "train"]), ask(test, words=["--split", "test"]),
        ask(test + train, words=["--split", "test+train"]), ask(train + test, words=["--split", "all"]), ask(train, path="train"),
        refused("several splits", words=["--config", "default"]), refused("has no split", words=["--split", "old"]))
    broken = dict(files_of(root / "plain"))
    broken["state.json"] = broken["state.json"].replace(b"data-00000", b"data-00001")
    add("saved_missing", "rule", broken, refused("data-00001-of-00001.arrow", "not there"), refused("data-00001-of-00001.arrow", words=["--split", "train"]))
    broken["state.json"] = broken["state.json"][:20]
    add("saved_cut", "rule", broken, refused("state.json"))
    broken["state.json"] = json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_data_files": [{"filename": "indices.arrow"}]}).encode()
    add("saved_with_index", "rule", broken, refused("index", "flatten_indices"))
    inside = {f"x/{path}": data for path, data in files_of(root / "mapped").items()}
    add("saved_inside", "load_from_disk", inside, ask(ROWS))
    mapped = files_of(root / "mapped")
    add("saved_by_pattern", "load_from_disk", mapped, ask(ROWS, path="*.arrow"), ask(ROWS, path="data-*"),
        ask(ROWS, path=next(p for p in mapped if p.startswith("cache-")), says=["left over"]))
    cache = {"x-train.arrow": mapped["data-00000-of-00001.arrow"], "dataset_info.json": mapped["dataset_info.json"],
             **{p: d for p, d in mapped.items() if p.startswith("cache-")}}
    add("cache_of_library", "rule", cache, ask(ROWS))
    add("state_of_others", "rule", {"state.json": b'{"a": 1}', "rows.jsonl": lines("a")}, ask(["a"]))
    for case in [c for c in CASES if c["name"] in ("saved_mapped", "saved_shuffled")]:
        zipped = {path: zlib.decompress(base64.b64decode(data)) for path, data in case["files"].items()}
        add(case["name"] + "_tar", "load_from_disk", {"x.tar": make_tar(zipped)}, ask(ROWS, path="x.tar"))


def make_tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in files:
            info = tarfile.TarInfo(path)
            info.size = len(files[path])
            archive.addfile(info, io.BytesIO(files[path]))
    return out.getvalue()


# ---- bookkeeping, kinds ----


def by_arrow(name, files, kind):
    root = Path(tempfile.mkdtemp())
    put(root, files)
    found = pyarrow.dataset.dataset(root, format=kind, partitioning="hive", exclude_invalid_files=False)
    add(name, "pyarrow.dataset", files, ask(found.to_table()["text"].to_pylist()))


def bookkeeping():
    by_arrow("spark_json", {"part-00001.json": lines("lamp"), "part-00000.json": lines("river"), "_SUCCESS": b"", "._SUCCESS.crc": b"crc",
                            ".part-00000.json.crc": b"crc", "_temporary/0/task/part-00002.json": lines("no"), "_committed_12": b"{}", "_started_12": b""}, "json")
    by_arrow("spark_parquet", {"year=2007/part-0.snappy.parquet": parquet("river"), "year=2008/part-0.parquet": parquet("lamp"), "_metadata": parquet(),
                               "_common_metadata": parquet(), "year=2008/_tmp.parquet": parquet("no"), "year=2008/.x.parquet": parquet("no")}, "parquet")
    by_arrow("spark_csv", {"a=1/b=x/p.csv": table("river"), "a=2/b=y/p.csv": table("lamp"), "_delta.csv": table("no"), "a=2/_old/p.csv": table("no")}, "csv")
    log = [{"protocol": {"minReaderVersion": 1}}, {"add": {"path": "part-0.parquet", "dataChange": True}}]
    by_arrow("delta_one", {"part-0.parquet": parquet("river", "lamp"), "_delta_log/00000000000000000000.json": delta(log)}, "parquet")
    projects = {"data/train.jsonl": lines("river", "lamp"), "LICENSE.txt": b"no\n", "requirements.txt": b"no\n", "README.txt": b"no\n", "dev-requirements.txt": b"no\n",
                "LICENSE-MIT.txt": b"no\n", "NOTICE.txt": b"no\n", "README.md": b"no\n", ".gitattributes": b"no\n", "CITATION.cff": b"no\n", "CMakeLists.txt": b"no\n"}
    add("project", "rule", projects, ask(["river", "lamp"], says=["7 text(s)"]))
    texts_only = {"a.txt": b"river\n", "b.txt": b"lamp\n", "LICENSE": b"no\n", "requirements.txt": b"no\n", "README": b"no\n"}
    add("texts_of_project", "rule", texts_only, ask(["river", "lamp"]), ask(["river", "lamp"], path="*"), ask(["no"], path="requirements.txt"), ask(["no"], path="LIC*"))
    words = {f"{word}.txt": f"{word}\n".encode() for word in ["notice", "install", "authors", "licenses", "readmes", "changes"]}
    add("words_as_names", "rule", words, ask(sorted(words[w].decode().strip() for w in words)))
    mac = {"a.jsonl": lines("river"), "__MACOSX/._a.jsonl": b"\0\5\26\7", ".DS_Store": b"\0\0", "Thumbs.db": b"\xd0\xcf\x11\xe0", "a.jsonl.tmp": b"x", "b.jsonl.lock": b"",
           "c.parquet.incomplete": b"x", "d.parquet.crc": b"crc", ".~lock.a.csv#": b"x"}
    add("litter", "rule", mac, ask(["river"]))
    for name, files in mixed().items():
        add(name, "load_dataset", files, ask(load(files), says=["several kinds"]), ask(load(files), words=["--split", "train"]))
    add("kinds_not_read", "rule", {"a.csv": table("river"), "b.xlsx": b"PK\3\4", "c.zip": b"PK\5\6" + bytes(18)}, ask(["river"], says=["b.xlsx", "c.zip"]))
    add("nothing", "rule", {"b.xlsx": b"PK\3\4", "_a.csv": table("no")}, refused("no dataset in here"))
    add("part_names", "rule", {"part-00000": b"river\n", "part-00001.gz": gzip.compress(b"lamp\n", mtime=0), "_SUCCESS": b"", "part-of-it.log": b"no\n"}, ask(["river", "lamp"]))


def mixed():
    return {
        "mixed_log": {"a.jsonl": lines("a"), "b.jsonl": lines("b"), "notes.txt": b"no\n"},
        "mixed_tie": {"a.csv": table("no"), "b.jsonl": lines("a"), "c.txt": b"no\n"},
        "mixed_most": {"a.jsonl": lines("no"), "b.csv": table("b"), "c.csv": table("c")},
        "mixed_packed": {"a.jsonl.gz": gzip.compress(lines("a"), mtime=0), "x/b.json": b'[{"text": "b"}]', "c.txt": b"no\n"},
        "mixed_parquet": {"a.parquet": parquet("a"), "b.csv": table("no")},
        "mixed_text": {"a.txt": b"a\n", "b.txt": b"b\n", "stats.csv": table("no")},
    }


def load(files):
    root = Path(tempfile.mkdtemp())
    put(root, files)
    return texts(datasets.load_dataset(str(root), split="train", streaming=True))


# ---- tables ----


def delta(*commits):
    return "".join(json.dumps(action) + "\n" for commit in commits for action in commit).encode()


def log_name(version):
    return f"_delta_log/{version:020d}.json"


def tables():
    one, two, three = parquet("river"), parquet("lamp"), parquet("stone")
    added = [[{"protocol": {}}, {"metaData": {}}, {"add": {"path": "a.parquet"}}], [{"add": {"path": "b.parquet"}}, {"commitInfo": {}}]]
    files = {"a.parquet": one, "b.parquet": two, "c.parquet": three}
    log = {log_name(i): delta(commit) for i, commit in enumerate(added)}
    add("delta_added", "rule", {**files, **log}, ask(["river", "lamp"]), ask(["river", "lamp"], words=["--split", "train"]))
    removed = {**files, **log, log_name(2): delta([{"remove": {"path": "a.parquet"}}, {"add": {"path": "c.parquet"}}])}
    add("delta_removed", "rule", removed, ask(["lamp", "stone"]), ask(["lamp", "stone"], words=["--split", "train"]))
    add("delta_inside", "rule", {f"t/{p}": d for p, d in removed.items()}, ask(["lamp", "stone"]))
    add("delta_tar", "rule", {"x.tar": make_tar({f"t/{p}": d for p, d in removed.items()})}, ask(["lamp", "stone"], path="x.tar"))
    again = {**removed, log_name(3): delta([{"add": {"path": "a.parquet"}}])}
    add("delta_again", "rule", again, ask(["river", "lamp", "stone"]))
    quoted = {"p=a b/x%y.parquet": one, log_name(0): delta([{"add": {"path": "p=a%20b/x%25y.parquet", "partitionValues": {"p": "a b"}}}])}
    add("delta_quoted", "rule", quoted, ask(["river"]))
    pruned = {"b.parquet": two, **log, log_name(2): delta([{"remove": {"path": "a.parquet"}}])}
    add("delta_vacuumed", "rule", pruned, ask(["lamp"]))
    add("delta_missing", "rule", {"b.parquet": two, **log}, refused("a.parquet", "not there"))
    late = {**files, "_delta_log/00000000000000000010.checkpoint.parquet": one, log_name(11): delta(added[1])}
    add("delta_checkpoint", "rule", late, refused("checkpoint"), refused("checkpoint", words=["--split", "train"]))
    vector = {**files, log_name(0): delta([{"add": {"path": "a.parquet", "deletionVector": {"storageType": "u"}}}])}
    add("delta_vector", "rule", vector, refused("deletion vectors"))
    for mode in ("name", "id"):
        mapped = {**log, log_name(2): delta([{"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
                                             {"metaData": {"id": "x", "configuration": {"delta.columnMapping.mode": mode}}}])}
        add(f"delta_mapped_{mode}", "rule", {**files, **mapped}, refused("column mapping"), refused("column mapping", words=["--split", "train"]))
    plain = delta([{"metaData": {"id": "x", "configuration": {"delta.columnMapping.mode": "none"}}}, *added[0]])
    add("delta_not_mapped", "rule", {**files, **log, log_name(0): plain}, ask(["river", "lamp"]))
    add("delta_damaged", "rule", {**files, log_name(0): b"{no\n"}, refused("00000000000000000000.json"))
    add("delta_outside", "rule", {**files, log_name(0): delta([{"add": {"path": "s3://bucket/a.parquet"}}])}, refused("outside"))

    def iceberg(n_files, n_deletes=0, version=1):
        return {f"metadata/0000{version}-abc.metadata.json": json.dumps({"current-snapshot-id": 7, "snapshots": [
            {"snapshot-id": 6, "summary": {"total-data-files": "9"}},
            {"snapshot-id": 7, "summary": {"operation": "append", "total-data-files": str(n_files), "total-delete-files": str(n_deletes)}}]}).encode(),
            "metadata/snap-7.avro": b"Obj\1", "metadata/version-hint.text": b"1"}
    inner = {"data/a.parquet": one, "data/p=1/b.parquet": two}
    add("iceberg", "rule", {**inner, **iceberg(2)}, ask(["river", "lamp"]), ask(["river", "lamp"], words=["--split", "train"]))
    add("iceberg_newest", "rule", {**inner, **iceberg(5), **iceberg(2, version=2)}, ask(["river", "lamp"]))
    add("iceberg_dead", "rule", {**inner, **iceberg(1)}, refused("Iceberg"), refused("Iceberg", words=["--split", "train"]))
    add("iceberg_deletes", "rule", {**inner, **iceberg(2, 1)}, refused("Iceberg"))
    hudi = {"p/g1-0_0-1-2_20240101.parquet": one, "p/g2-0_0-1-2_20240101.parquet": two, ".hoodie/hoodie.properties": b"x", "p/.hoodie_partition_metadata": b"x"}
    add("hudi", "rule", hudi, ask(["river", "lamp"]))
    add("hudi_versions", "rule", {**hudi, "p/g1-0_0-3-4_20240102.parquet": three}, refused("Hudi"), refused("Hudi", words=["--split", "train"]))
    add("hudi_logs", "rule", {**hudi, "p/.g1-0_20240102.log.1_0-1-1": b"x"}, refused("Hudi"))
    add("metadata_of_others", "rule", {"metadata/x.metadata.json": b'{"text": "no table"}', "data/b.jsonl": lines("lamp")}, ask(["lamp", "no table"]))
    add("metadata_folder", "rule", {"metadata/a.jsonl": lines("river"), "data/b.jsonl": lines("lamp")}, ask(["lamp", "river"]))


# ---- recognition, compression, empty parts ----


def recognition():
    for name, data in {"notes": b"[1]\nplain\n", "list": b'["a", "b"]\n["c"]\n', "empty": b"[]\nafter\n", "log": b'{"a": 1}\n{"text": "x"}\n', "number": b"12\n13\n",
                       "magic": b"PAR1 is a mark\nORC too\n", "pdf": b"%PDF-1.7 begins it\n", "gif": b"GIF89a\n", "zip": b"PKZIP\n"}.items():
        root = Path(tempfile.mkdtemp())
        (root / "x.txt").write_bytes(data)
        add(f"text_{name}", "load_dataset", {"x.txt": data}, ask(texts(datasets.load_dataset("text", data_files=str(root / "x.txt"), split="train")), path="x.txt"))
    add("text_bz", "rule", {"x.txt": b"BZh91 is no file\n"}, ask(["BZh91 is no file"], path="x.txt"))
    data = b'["a"]\ttext\n1\triver\n2\tlamp\n'
    add("tsv_head", "pandas", {"x.tsv": data}, ask(pandas.read_csv(io.BytesIO(data), sep="\t")["text"].tolist(), path="x.tsv"))
    data = b'[a],text\n1,river\n'
    add("csv_head", "pandas", {"x.csv": data}, ask(pandas.read_csv(io.BytesIO(data))["text"].tolist(), path="x.csv"))
    add("json_family", "rule", {"x.json": lines("river", "lamp"), "y.jsonl": b'[{"text": "stone"}]'}, ask(["river", "lamp"], path="x.json"), ask(["stone"], path="y.jsonl"))
    add("binary_by_content", "rule", {"x.txt": parquet("river"), "y.csv": gzip.compress(table("lamp"), mtime=0)}, ask(["river"], path="x.txt"), ask(["lamp"], path="y.csv"))
    marks = {"x.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.sqlite": b"SQLite format 3\0", "x.db": b"SQLite format 3\0", "x.pkl": b"\x80\x04\x95\0", "y.pkl": b"(dp0\n.", "x.h5": b"\x89HDF\r\n\x1a\n",
             "x.pdf": b"%PDF-1.4\n", "x.orc": b"ORC\0", "x.avro": b"Obj\1\0", "x.7z": b"7z\xbc\xaf\x27\x1c", "x.rar": b"Rar!\x1a\x07\0", "x.png": b"\x89PNG\r\n\x1a\n", "x.jpg": b"\xff\xd8\xff\xe0",
             "x.lance": b"\0\1", "x.npy": b"\x93NUMPY\1\0", "x.mp3": b"ID3\3\0", "x.mp4": b"\0\0\0\x18ftypmp42", "x.sz": b"\xff\x06\0\0sNaPpY", "x.wav": b"RIFF\0\0\0\0WAVE", "x.dta": b"\x72\1\0",
             "x.safetensors": b"\x08\0\0\0\0\0\0\0{}      ", "noname": b"SQLite format 3\0"}
    words = {"x.xls": "old office", "x.sqlite": "SQLite", "x.db": "SQLite", "noname": "SQLite", "x.pkl": "pickle", "y.pkl": "pickle", "x.h5": "HDF5", "x.pdf": "PDF", "x.orc": "ORC", "x.avro": "Avro",
             "x.7z": "7z", "x.rar": "RAR", "x.png": "image", "x.jpg": "image", "x.lance": "Lance", "x.npy": "--embeddings", "x.mp3": "recording", "x.wav": "recording", "x.mp4": "video",
             "x.sz": "compressed", "x.dta": "Stata", "x.safetensors": "weights"}
    books = {"x.xlsx": {"[Content_Types].xml": b"", "xl/workbook.xml": b""}, "x.docx": {"[Content_Types].xml": b"", "word/document.xml": b""},
             "x.ods": {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}, "workbook": {"[Content_Types].xml": b"", "xl/workbook.xml": b""}}
    import zipfile
    for name, entries in books.items():
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for path, data in entries.items():
                archive.writestr(zipfile.ZipInfo(path), data)
        marks[name] = out.getvalue()
    words.update({"x.xlsx": "Excel", "workbook": "Excel", "x.docx": "office", "x.ods": "OpenDocument"})
    add("refused_kinds", "rule", marks, *[refused(words[name], path=name) for name in marks])
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 90868376\n"
    names = [f"x.{e}" for e in ["txt", "csv", "tsv", "json", "jsonl", "parquet", "arrow", "csv.gz", "jsonl.zst", "parquet.gz", "unknown"]] + ["noname"]
    old = pointer.replace(b"git-lfs.github.com", b"hawser.github.com").replace(b"\n", b"\r\n")
    extended = pointer.replace(b"oid", b"ext-0-x sha256:00\noid", 1)
    add("pointers", "rule", {**{name: pointer for name in names}, "old.txt": old, "extended.txt": extended, "d/x.csv": pointer, "p.tar": make_tar({"x.csv": pointer})},
        *[refused("large-file", path=name) for name in names + ["old.txt", "extended.txt", "d", "p.tar", "*.csv"]],
        *[refused("large-file", path="x.txt", words=["--format", kind]) for kind in ["txt", "csv", "parquet"]])
    long = pointer + b"more\n" * 300
    add("no_pointer", "rule", {"x.txt": long, "y.txt": b"version https://git-lfs.github.com/spec/v1\nis how they begin\n"},
        ask(long.decode().splitlines(), path="x.txt"), ask(["version https://git-lfs.github.com/spec/v1", "is how they begin"], path="y.txt"))


def run(program, data):
    return subprocess.run(program, input=data, stdout=subprocess.PIPE, check=True).stdout


def unpack(data):
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        return reader.read()


def compression():
    one, two = lines("river"), lines("lamp")
    skip = b"\x50\x2a\x4d\x18\4\0\0\0abcd"
    other = b"\x5f\x2a\x4d\x18\0\0\0\0"
    za, zb = (zstandard.ZstdCompressor().compress(part) for part in (one, two))
    frames = {"first": skip + za + zb, "between": za + other + zb, "after": za + zb + skip, "many": skip + skip + za + other + skip + zb + other, "empty_frame": za + zstandard.ZstdCompressor().compress(b"") + zb}
    for name, data in frames.items():
        assert unpack(data) == one + two, name
        add(f"zstd_{name}", "zstandard", {"x.jsonl.zst": data, "unnamed": data, "x.tar": make_tar({"a.jsonl.zst": data})}, ask(["river", "lamp"], path="x.jsonl.zst"), ask(["river", "lamp"], path="unnamed"), ask(["river", "lamp"], path="x.tar"))
    rows = [f"row {i}" for i in range(50)]
    for bits in (27, 28, 31):
        add(f"zstd_long_{bits}", "zstd", {"x.jsonl.zst": run(["zstd", "-q", "-c", f"--long={bits}", "--ultra", "-1"], lines(*rows))}, ask(rows, path="x.jsonl.zst"))
    add("zstd_only_skip", "rule", {"x.jsonl.zst": skip, "y.jsonl": one}, ask(["river"]), ask([], path="x.jsonl.zst"))
    ga, gb = (gzip.compress(part, mtime=0) for part in (one, two))
    members = {"members": ga + gb, "zeros": ga + gb + bytes(700), "empty_member": ga + gzip.compress(b"", mtime=0) + gb, "bgzip": bgzf(one) + bgzf(two) + bgzf(b"")}
    for name, data in members.items():
        assert gzip.decompress(data) == one + two
        add(f"gzip_{name}", "gzip", {"x.jsonl.gz": data}, ask(["river", "lamp"], path="x.jsonl.gz"))
    add("bzip2_members", "bz2", {"x.jsonl.bz2": bz2.compress(one) + bz2.compress(two)}, ask(["river", "lamp"], path="x.jsonl.bz2"))
    xz = lzma.compress(one) + bytes(8) + lzma.compress(two) + bytes(4)
    assert run(["xz", "-dc"], xz) == one + two
    add("xz_members", "xz", {"x.jsonl.xz": xz}, ask(["river", "lamp"], path="x.jsonl.xz"))
    la, lb = (run(["lz4", "-q", "-c", "--content-size"], part) for part in (one, two))
    assert run(["lz4", "-dc"], la + lb) == one + two
    add("lz4", "lz4", {"x.jsonl.lz4": la + lb, "unnamed": la, "x.csv.lz4": run(["lz4", "-q", "-c"], table("stone")), "x.tar.lz4": run(["lz4", "-q", "-c"], make_tar({"a.jsonl": one}))},
        ask(["river", "lamp"], path="x.jsonl.lz4"), ask(["river"], path="unnamed"), ask(["stone"], path="x.csv.lz4"), ask(["river"], path="x.tar.lz4"))
    add("lz4_damaged", "rule", {"x.jsonl.lz4": la[:-6], "y.jsonl.lz4": la[:20] + b"\xff" + la[21:]}, refused("lz4 data is cut off", path="x.jsonl.lz4"), refused("lz4 data is damaged", path="y.jsonl.lz4"))


def bgzf(data):
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\0\xff\6\0BC\2\0" + (len(body) + 25).to_bytes(2, "little")
    return head + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


PACKERS = {"": bytes, ".gz": lambda data: gzip.compress(data, mtime=0), ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}


def empty_parts():
    """A part without a byte has no rows: Spark writes such, and the library's json reader passes over them."""
    contents = {"json": lines, "jsonl": lines, "csv": table, "tsv": lambda *rows: table(*rows).replace(b",", b"\t"), "txt": lambda *rows: "".join(r + "\n" for r in rows).encode()}
    for kind, write in contents.items():
        for ending, packer in PACKERS.items():
            def name(i):
                return f"part-{i}.{kind}{ending}"
            for where in ["first", "middle", "last"]:
                parts = [write("river"), write("lamp")]
                parts.insert({"first": 0, "middle": 1, "last": 2}[where], b"")
                files = {name(i): packer(part) for i, part in enumerate(parts)}
                add(f"empty_{kind}{ending}_{where}", "rule", files, ask(["river", "lamp"]))
            if kind in ("json", "csv", "tsv"):
                add(f"empty_{kind}{ending}_all", "rule", {name(0): packer(b""), name(1): packer(b"")}, refused("empty"))
    for name, blank in {"feed": b"\n", "spaces": b" \n\n", "crlf": b"\r\n", "mark": b"\xef\xbb\xbf\n", "list": b"[]"}.items():
        files = {"a.json": lines("river"), "b.json": blank, "c.json": lines("lamp")}
        add(f"blank_json_{name}", "load_dataset", files, ask(load(files)))
        if name != "list":
            add(f"blank_csv_{name}", "rule", {"a.csv": blank, "b.csv": table("river"), "c.csv": blank}, ask(["river"]))
    add("empty_raw_gz", "rule", {"a.csv.gz": b"", "b.csv.gz": gzip.compress(table("river"), mtime=0), "c.csv": b"\xef\xbb\xbf"}, ask(["river"]))
    add("empty_in_archive", "rule", {"x.tar": make_tar({"a.csv": b"", "b.csv": table("river"), "c.csv": b""})}, ask(["river"], path="x.tar"))
    for kind, data in {"parquet": parquet("river"), "arrow": None}.items():
        files = {f"b.{kind}": b""} if data is None else {f"a.{kind}": data, f"b.{kind}": b""}
        add(f"empty_{kind}", "pyarrow", files, refused("b." + kind, "empty"))


def samples():
    """Reference: the library's reader of archives of samples."""
    plain = {"00000.json": b'{"url": "u",\n "width": 3}', "00000.txt": b"the river", "00000.cls": b"7", "00001.json": b'{"url": "v", "width": 4}', "00001.txt": b"a lamp\nand more", "00001.cls": b"8\n"}
    binary = {"a/x.bin": b"\xff\xd8\xff\xe0", "a/x.txt": "é".encode(), "a/y.bin": b"\xff\xd8\xff\xe0\1", "a/y.txt": b"two"}
    nested = {"s1.meta.json": b'{"text": "no"}', "s1.caption.txt": b"first", "s2.meta.json": b'{"text": "no"}', "s2.caption.txt": b"second"}
    packed = {"0.txt.gz": gzip.compress(b"packed", mtime=0), "0.json": b"[1, 2]", "1.txt.gz": gzip.compress(b"too", mtime=0), "1.json": b"null"}
    late = {f"{i}.{e}": (b"t%d" % i if e == "txt" else b"%d" % i) for i in range(7) for e in ("txt", "cls") if not (i == 6 and e == "txt")}
    hidden = {".x.txt": b"no", "__y.txt": b"no", **{k: v for k, v in plain.items()}, "noending": b"no"}
    apart = {"a.txt": b"one", "a.cls": b"1", "b.txt": b"two", "b.cls": b"2", "c.txt": b"three", "c.cls": b"3", "d.txt": b"four", "d.cls": b"4", "e.txt": b"five", "e.cls": b"5"}
    for name, files, column in [("plain", plain, "txt"), ("binary", binary, "txt"), ("nested", nested, "caption.txt"), ("packed", packed, "txt.gz"), ("late", late, "txt"),
                                ("hidden", hidden, "txt"), ("apart", apart, "txt")]:
        root = Path(tempfile.mkdtemp())
        (root / "x.tar").write_bytes(make_tar(files))
        rows = list(datasets.load_dataset("webdataset", data_files=str(root / "x.tar"), split="train", streaming=True))
        asks = [ask([row[c] for row in rows], path="x.tar", column=c) for c in rows[0] if c not in ("__url__", "bin")]
        tar = make_tar(files)
        add(f"samples_{name}", "load_dataset", {"x.tar": tar, "y.tar.gz": gzip.compress(tar, mtime=0), "d/0.tar": tar, "d/1.tar": tar}, *asks, ask([row[column] for row in rows], path="y.tar.gz", column=column),
            ask([row[column] for row in rows] * 2, path="d", column=column),
            ask([row[column] for row in rows] * 2, path="d", column=column, words=["--split", "train"]))
    images = make_tar({name.replace("bin", "jpg"): data for name, data in binary.items()})
    add("samples_images", "rule", {"x.tar": images}, ask(["é", "two"], path="x.tar", column="txt"))
    different = make_tar({"a.txt": b"1", "a.json": b"{}", "b.txt": b"2", "b.cls": b"1"})
    for name, data in {"different": different}.items():
        root = Path(tempfile.mkdtemp())
        (root / "x.tar").write_bytes(data)
        try:
            datasets.load_dataset("webdataset", data_files=str(root / "x.tar"), split="train", streaming=True)
            raise SystemExit("the library reads " + name)
        except ValueError:
            add(f"samples_{name}", "load_dataset", {"x.tar": data}, refused("samples", path="x.tar"))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in [("a.txt", b"1"), ("a.cls", b"1"), ("a.txt", b"2"), ("b.txt", b"2"), ("b.cls", b"2")]:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    add("samples_twice", "load_dataset", {"x.tar": out.getvalue()}, refused("'txt'", "a", path="x.tar"))
    bad = {"json": make_tar({"a.txt": b"1", "a.json": b"{no"}), "cls": make_tar({"a.txt": b"1", "a.cls": b"x"})}
    for name, data in bad.items():
        add(f"samples_bad_{name}", "load_dataset", {"x.tar": data}, refused(f"a.{name}", path="x.tar"))
    shards = {"c4.00000-of-00002.jsonl": lines("river"), "c4.00001-of-00002.jsonl": lines("lamp")}
    add("no_samples_shards", "rule", {"x.tar": make_tar(shards)}, ask(["river", "lamp"], path="x.tar"))
    sums = {"a.jsonl": lines("river"), "a.jsonl.sha256": b"00\n", "b.jsonl": lines("lamp"), "b.jsonl.sha256": b"00\n", "b.md": b"no"}
    add("no_samples_sums", "rule", {"x.tar": make_tar(sums)}, ask(["river", "lamp"], path="x.tar"))


def main():
    saved()
    bookkeeping()
    tables()
    recognition()
    compression()
    empty_parts()
    samples()
    result = {"made_by": "tools/make_dataset_layouts.py", "datasets": datasets.__version__, "pyarrow": pa.__version__, "pandas": pandas.__version__, "zstandard": zstandard.__version__, "cases": CASES}
    Path(sys.argv[1]).write_text(json.dumps(result, indent=0, ensure_ascii=False) + "\n", "utf8")
    print(len(CASES), "cases,", sum(len(c["asks"]) for c in CASES), "asks")


main()
