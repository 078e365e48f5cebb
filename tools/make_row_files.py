#!/usr/bin/env python3
"""Make tests/data/rows/dialects.json: files of delimited text, how they are written, and their texts as the reference library reads them; and
tests/data/rows/table.*: one table in every format, with table.expected.json.

    python tools/make_row_files.py        # needs datasets, pandas and pyarrow; made with 5.2.0, 3.1.1 and 26.0.1

A text that is null or empty is "" here: the reference does not tell them apart in delimited text.
"""

import csv
import json
import math
import pathlib
import tempfile

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "rows"

# name, bytes, options of the card, the same on the command line, name of the text column
CASES = [
    ("semicolon", b"id;text\n1;the river\n2;\"a lamp; and stone\"\n", {"sep": ";"}, "delimiter=;"),
    ("delimiter-wins", b"id|text\n1|a, b\n", {"sep": ",", "delimiter": "|"}, "sep=comma,delimiter=|"),
    ("tab", b"id\ttext\n1\ta, b\n2\t\n", {"sep": "\t"}, r"delimiter=\t"),
    ("space", b"id text\n1 river\n2 \"two words\"\n", {"sep": " "}, "delimiter=space"),
    ("wide-delimiter", "id\u00a6text\n1\u00a6a, b\n2\u00a6\"c\u00a6d\"\n".encode(), {"sep": "\u00a6"}, "delimiter=\u00a6"),
    ("control-delimiter", b"id\x01text\n1\x01a, b\n", {"sep": "\x01"}, "delimiter=\x01"),
    ("single-quotes", b"id,text\n1,'a, b'\n2,'it''s'\n3,say \"hi\"\n", {"quotechar": "'"}, "quotechar='"),
    ("no-quotes", b"id\ttext\n1\t\"the river\n2\ta \"lamp\"\n3\t\"stone\" and\n", {"sep": "\t", "quoting": 3}, "delimiter=tab,quoting=3"),
    ("all-quoted", b"\"id\",\"text\"\n\"1\",\"a\"\n", {"quoting": 1}, "quoting=all"),
    ("escape", b"id,text\n1,\"he said \\\"river\\\" and\"\n2,a\\, b\n3,c\\\\d\n", {"escapechar": "\\"}, r"escapechar=\\"),
    ("escape-not-doubled", b"id,text\n1,\"a \\\"b\\\" c\"\n", {"escapechar": "\\", "doublequote": False}, r"escapechar=\\,doublequote=false"),
    ("escaped-newline", b"id,text\n1,a\\\nb\n2,c\n", {"escapechar": "\\"}, r"escapechar=\\"),
    ("no-header", b"\"3\",\"the river\"\n\"4\",\"stone\"\n", {"column_names": ["label", "text"]}, "column_names=label|text"),
    ("names", b"3,the river\n4,stone\n", {"names": ["label", "text"]}, "names=label|text"),
    ("names-instead", b"a,b\n3,the river\n", {"column_names": ["label", "text"], "header": 0}, "column_names=label|text,header=0"),
    ("header-null", b"3,the river\n4,stone\n", {"header": None}, "header=none", "1"),
    ("header-second", b"made by somebody\n\nid,text\n1,river\n", {"header": 1}, "header=1"),
    ("skiprows", b"# made, by, somebody\nid,text\n1,river\n", {"skiprows": 1}, "skiprows=1"),
    ("nrows", b"id,text\n1,river\n2,lamp\n3,stone\n", {"nrows": 2}, "nrows=2"),
    ("comment", b"# first\nid,text\n1,river # of stone\n  # alone\n2,lamp\n", {"comment": "#"}, "comment=#"),
    ("initial-space", b"id, text\n1, river\n2, \"a, b\"\n", {"skipinitialspace": True}, "skipinitialspace=true"),
    ("blank-lines", b"text\nriver\n\n   \nlamp\n", {}, ""),
    ("kept-blank-lines", b"id,text\n1,river\n\n2,lamp\n", {"skip_blank_lines": False}, "skip_blank_lines=false"),
    ("terminator", b"id,text~1,river~2,a\nb~", {"lineterminator": "~"}, "lineterminator=~"),
    ("na-values", b"id,text\n1,-\n2,NA\n3,river\n", {"na_values": ["-", "?"]}, "na_values=-|?"),
    ("one-na-value", b"id,text\n1,-\n2,NA\n3,river\n", {"na_values": "-"}, "na_values=-"),
    ("only-na-values", b"id,text\n1,-\n2,NA\n3,river\n", {"na_values": ["-"], "keep_default_na": False}, "na_values=-,keep_default_na=false"),
    ("no-default-na", b"id,text\n1,NA\n2,null\n", {"keep_default_na": False}, "keep_default_na=false"),
    ("no-na-filter", b"id,text\n1,NA\n2,river\n", {"na_filter": False}, "na_filter=false"),
    ("dialect", b"id\ttext\n1\triver\n", {"dialect": "excel-tab"}, "dialect=excel-tab"),
    ("bad-lines-skip", b"id,text\n1,river\n2,a,b\n3,lamp\n", {"on_bad_lines": "skip"}, "on_bad_lines=skip"),
    ("bad-lines-warn", b"id,text\n1,river\n2,a,b,c\n3,lamp\n", {"on_bad_lines": "warn"}, "on_bad_lines=warn"),
    ("short-rows", b"id,text,more\n1,river,x\n2,lamp\n3\n4,stone,\n", {}, ""),
    ("latin-1", "text,id\ncaf\u00e9 \u00fcber,1\n".encode("latin-1"), {"encoding": "latin-1"}, "encoding=latin-1"),
    ("cp1252", "text,id\n\u201cquoted\u201d \u2014 20 \u20ac,1\n".encode("cp1252"), {"encoding": "cp1252"}, "encoding=cp1252"),
    ("utf-16", "text,id\nna\u00efve \U0001f600,1\n".encode("utf-16"), {"encoding": "utf-16"}, "encoding=utf-16"),
    ("utf-16-be", "text,id\nna\u00efve,1\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, "encoding=utf-16-be"),
    ("utf-8-sig", "text,id\nna\u00efve,1\n".encode("utf-8-sig"), {"encoding": "utf-8-sig"}, "encoding=utf-8-sig"),
    ("gbk", "text,id\n\u6cb3\u6d41,1\n".encode("gbk"), {"encoding": "gbk"}, "encoding=gbk"),
    ("koi8-r", "text,id\n\u0440\u0435\u043a\u0430,1\n".encode("koi8-r"), {"encoding": "koi8-r"}, "encoding=koi8-r"),
    ("replace", b"text,id\na\x81b,1\n", {"encoding": "cp1252", "encoding_errors": "replace"}, "encoding=cp1252,encoding_errors=replace"),
    ("ignore", b"text,id\na\x81b,1\n", {"encoding": "cp1252", "encoding_errors": "ignore"}, "encoding=cp1252,encoding_errors=ignore"),
    ("mixed", b"made by;somebody\nid;text\n1;'a; b'\n2;NA\n3;-\n", {"sep": ";", "quotechar": "'", "skiprows": 1, "na_values": "-"},
     "delimiter=;,quotechar=',skiprows=1,na_values=-"),
]

ROWS = [
    {"id": 1, "text": "river", "score": 0.5, "ok": True, "doc": {"title": "one", "n": 1}, "tags": ["a", None]},
    {"id": 2, "text": "a lamp, \"lit\"", "score": -2.25, "ok": False, "doc": {"title": None, "n": 2}, "tags": []},
    {"id": 3, "text": "two\nlines", "score": None, "ok": None, "doc": None, "tags": None},
    {"id": 4, "text": "na\u00efve \u2014 \u6cb3", "score": 1e300, "ok": True, "doc": {"title": "\u00e9\\\"", "n": None}, "tags": ["\u00e9\n"]},
    {"id": 5, "text": "end", "score": float("nan"), "ok": True, "doc": {"title": "five", "n": 5}, "tags": ["x", "y"]},
]


def texts_of(name, data, options, column):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "rows.csv"
        path.write_bytes(data)
        rows = datasets.load_dataset("csv", data_files=str(path), cache_dir=folder, **options)["train"]
        return ["" if value is None else value for value in rows[column]]


def dialects():
    cases = []
    for name, data, card, command, *column in CASES:
        column = column[0] if column else "text"
        cases.append({"name": name, "data": data.decode("latin-1"), "card": card, "csv": command, "column": column,
                      "texts": texts_of(name, data, card, column)})
    return {"made_with": f"datasets {datasets.__version__}, pandas {pandas.__version__}; data is in latin-1", "cases": cases}


def write_delimited(path, delimiter):
    with open(path, "w", newline="", encoding="utf8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(["id", "text", "score", "ok"])
        for row in ROWS:
            writer.writerow([row["id"], row["text"], row["score"], row["ok"]])


def write_table():
    schema = pa.schema([("id", pa.int64()), ("text", pa.string()), ("score", pa.float64()), ("ok", pa.bool_()),
                        ("doc", pa.struct([("title", pa.string()), ("n", pa.int64())])), ("tags", pa.list_(pa.string()))])
    table = pa.Table.from_pylist(ROWS, schema=schema)
    pq.write_table(table, OUT / "table.parquet")
    with pa.ipc.new_file(OUT / "table.arrow", schema) as file:
        file.write_table(table)
    (OUT / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf8")
    (OUT / "table.json").write_text(json.dumps(ROWS, indent=1, ensure_ascii=False), "utf8")
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    (OUT / "table-field.json").write_text(json.dumps({"v": "1", "data": ROWS}), "utf8")
    (OUT / "table-columns.json").write_text(json.dumps({"data": columns}), "utf8")
    write_delimited(OUT / "table.csv", ",")
    write_delimited(OUT / "table.tsv", "\t")
    kept = [{name: None if isinstance(row[name], float) and math.isnan(row[name]) else row[name] for name in ("id", "score", "ok")}
            for row in ROWS]
    expected = {"text": [row["text"] for row in ROWS], "doc.title": [row["doc"] and row["doc"]["title"] for row in ROWS],
                "tags": [row["tags"] if row["tags"] is None else json.dumps(row["tags"], ensure_ascii=False) for row in ROWS], "kept": kept}
    (OUT / "table.expected.json").write_text(json.dumps(expected, indent=1) + "\n", "utf8")


def main():
    datasets.disable_progress_bars()
    (OUT / "dialects.json").write_text(json.dumps(dialects(), indent=1) + "\n", "utf8")
    write_table()


if __name__ == "__main__":
    main()
