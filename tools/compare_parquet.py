#!/usr/bin/env python3
"""Write random Parquet files with pyarrow and compare saescope's rows with pyarrow's.

    python tools/compare_parquet.py LIBSAESCOPE.so [FILES] [SEED]     # needs pyarrow

Of each file three things are compared: its rows as JSON, its text column, and all other columns
as they are carried along. Every third file has some bytes changed; then the rule is: what saescope
reads, pyarrow reads with the same values. Where one of the two refuses damage that the other
reads, a rule below must name the reason, else the file counts as WRONG.
"""

import ctypes
import json
import pathlib
import random
import re
import sys
import tempfile
from collections import Counter

import pyarrow.parquet as pq
import pyarrow.types as pt

from parquet_rows import column_kinds, is_list, is_list_of_text, is_text_column, reference, text_column
from random_parquet import damage, write_random

# Sentences with which saescope refuses damage that pyarrow reads, and why it is stricter.
STRICTER = [
    ("\"PAR1\" at its (start|end)", "pyarrow looks for PAR1 at the end only"),
    ("another type than the schema", "pyarrow goes by the schema's type, not the column chunk's"),
    ("(field|list) (of|in) the metadata has an unknown type", "pyarrow takes a field of type 0, "
     "whatever its id, for the end of a struct, and lists without elements for lists of any type"),
    ("a needed field of the metadata is missing", "pyarrow puts 0 for a needed field"),
    ("lacks the part for its kind of page", "pyarrow puts 0 for a needed part of a page header"),
    ("impossible repetition or number", "pyarrow takes an unknown repetition for one it knows"),
    ("damaged Parquet footer: (metadata ends early|a text in the metadata)",
     "saescope refuses a footer of which any part is damaged, pyarrow passes over some"),
    ("a page claims more rows or nulls", "pyarrow does not use these counts"),
    ("a plain page has two different sizes", "pyarrow goes by one of the two sizes"),
    ("pages hold more values than the row group declares", "pyarrow stops at the last row"),
    ("chunk is not inside the file", "pyarrow takes what there is of a chunk, if that is enough"),
    ("there is no column to keep", "a damaged name has a comma, which --keep cannot say"),
    ("pages hold fewer values than its column chunk declares",
     "pyarrow does not miss values behind the last row"),
]

# What pyarrow says where it refuses damage that saescope reads: parts that saescope does not use.
LAXER = [
    ("deserialize thrift", "pyarrow parses metadata that saescope has no use for"),
    ("histogram size", "pyarrow checks statistics"),
    ("Invalid DECIMAL precision", "saescope has no use for the precision of a decimal"),
    ("Logical type Undefined cannot be applied|TimeUnit must be one of",
     "saescope reads columns of logical types that it does not know as they are stored"),
]

# Files that pyarrow writes and does not read; others are made in their place.
PYARROW_FAULTS = [
    ("expected length|smaller than expected for struct", "pyarrow loses rows of lists without values in DELTA_BYTE_ARRAY"),
]


class Text(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("n_bytes", ctypes.c_size_t)]

    def value(self):
        return ctypes.string_at(self.data, self.n_bytes) if self.n_bytes else b""


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("offset", ctypes.c_uint64), ("row", ctypes.c_uint64),
                ("item", ctypes.c_char * 160), ("file", ctypes.c_char * 512),
                ("message", ctypes.c_char * 1024)]


class Options(ctypes.Structure):
    _fields_ = [("text_column", ctypes.c_char_p), ("format", ctypes.c_char_p),
                ("text_unit", ctypes.c_int), ("split", ctypes.c_char_p),
                ("config", ctypes.c_char_p), ("offline", ctypes.c_bool),
                ("cache_dataset", ctypes.c_bool), ("keep", ctypes.c_char_p),
                ("stop_and_log", ctypes.c_void_p * 4)]


class Row(ctypes.Structure):
    _fields_ = [("id", ctypes.c_uint64), ("text", Text), ("kind", ctypes.c_int), ("kept", Text),
                ("repaired", ctypes.c_bool), ("file", ctypes.c_char_p)]


ON_ROW = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, Text)
NULL_ROW = 1


class Reader:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.ss_dataset_close.argtypes = [ctypes.c_void_p]

    def rows(self, path):
        """The rows, or (None, sentence)."""
        rows, error = [], Error()

        def on_row(_, text):
            rows.append(json.loads(text.value()))
            return 0

        paths = (ctypes.c_char_p * 1)(str(path).encode())
        status = self.lib.ss_dataset_each_json(
            paths, ctypes.c_size_t(1), None, ctypes.c_uint64(0), ON_ROW(on_row), None,
            ctypes.byref(error))
        return (rows, "") if status == 0 else (None, error.message.decode())

    def texts(self, path, column, keep):
        """Texts and what is carried along, each a pair, or (None, sentence)."""
        options = Options(text_column=column.encode(), keep=",".join(keep).encode() or None)
        paths = (ctypes.c_char_p * 1)(str(path).encode())
        dataset, error = ctypes.c_void_p(), Error()
        status = self.lib.ss_dataset_open(paths, ctypes.c_size_t(1), ctypes.byref(options),
                                          ctypes.byref(dataset), ctypes.byref(error))
        rows, row, has_row = [], Row(), ctypes.c_bool(status == 0)
        while status == 0 and has_row.value:
            status = self.lib.ss_dataset_next(dataset, ctypes.byref(row), ctypes.byref(has_row),
                                              ctypes.byref(error))
            if status == 0 and has_row.value:
                rows.append((None if row.kind == NULL_ROW else row.text.value().decode(),
                             json.loads(row.kept.value() or b"{}")))
        self.lib.ss_dataset_close(dataset)
        return (rows, "") if status == 0 else (None, error.message.decode())


def read(reader, path, text, names):
    """The same as saescope reads it. A list of strings comes as JSON."""
    rows, sentence = reader.rows(path)
    if rows is None:
        return None, sentence
    texts, sentence = reader.texts(path, text[0], names)
    if texts is None:
        return None, sentence
    if text[1]:
        texts = [(value and json.loads(value), kept) for value, kept in texts]
    return (rows, texts), ""


def reason_of(rules, sentence):
    return next((reason for part, reason in rules if re.search(part, sentence)), None)


def does_not_fit(kind, want, got):
    """Why damage made two leaves differ: a value that its own type cannot have; else None."""
    if pt.is_integer(kind) and isinstance(got, int):
        return "pyarrow cuts integers to their width" if want == as_width(got, kind) else None
    if pt.is_timestamp(kind) and kind.unit == "ns" and not "1677" < str(got)[:-25].zfill(4) < "2263":
        return "pyarrow's nanoseconds overflow"
    return None


def as_width(value, kind):
    bits = kind.bit_width
    value %= 1 << bits
    return value - (value >> bits - 1 << bits) if pt.is_signed_integer(kind) else value


def reasons_of(kind, want, got):
    """Why two values differ that are carried along: a set with None for no known reason."""
    if want == got:
        return set()
    if is_list(kind) and want and got and len(want) == len(got):
        return set().union(*(reasons_of(kind.value_type, *pair) for pair in zip(want, got)))
    return {does_not_fit(kind, want, got)}


def compare_values(want, got, kinds):
    """Rows and texts must be equal; in damage, what is carried along may differ by a rule."""
    if got == want:
        return "equal"
    texts = [[text for text, _ in rows] for rows in (want[1], got[1])]
    if got[0] != want[0] or texts[0] != texts[1]:
        return "WRONG: values differ"
    reasons = set()
    for (_, row), (_, other) in zip(want[1], got[1]):
        reasons |= {reason for name, value in row.items()
                    for reason in reasons_of(kinds.get(name), value, other.get(name))}
    return "WRONG: values differ" if None in reasons else "values differ: " + ", ".join(sorted(reasons))


def refused(want, fault, got, sentence, damaged):
    """The name under which a file counts that one of the two refuses, or both."""
    if got is None and want is None:
        return "both refuse"
    if got is None:
        reason = damaged and reason_of(STRICTER, sentence)
        return f"only saescope refuses: {reason}" if reason else "WRONG: refused by saescope"
    reason = damaged and reason_of(LAXER, fault)
    return f"only pyarrow refuses: {reason}" if reason else "WRONG: refused by pyarrow"


def check_refusals(reader, path, kinds):
    """Every column that is no text is refused as the text column, with a sentence."""
    for name, kind in kinds.items():
        sentence = reader.texts(path, name, [])[1]
        if not is_text_column(kind) and "expected one text per row" not in sentence:
            return f"WRONG: column {name} of type {kind} as text column: {sentence}"
    return None


def compare_file(rng, reader, path, damaged):
    """Make a file and compare it. Gives the outcome, and what people need to look into it."""
    options = write_random(rng, path, damaged)
    kinds = column_kinds(pq.ParquetFile(path).schema_arrow)
    text = text_column(kinds)
    want, fault = reference(path, text)
    if want is None:
        reason = reason_of(PYARROW_FAULTS, fault)
        return (f"made again: {reason}" if reason else "WRONG: pyarrow's own file"), fault, options
    if not damaged and (wrong := check_refusals(reader, path, kinds)):
        return wrong, "", options
    if damaged:
        damage(rng, path)
        want, fault = reference(path, text)
        kinds = want[2] if want else kinds
    got, sentence = read(reader, path, (text, is_list_of_text(kinds[text])), list(kinds))
    name = (compare_values(want[:2], got, kinds) if want and got
            else refused(want, fault, got, sentence, damaged))
    if not damaged and name.startswith("values differ"):
        name = "WRONG: " + name
    return name, f"{sentence} | {fault}", options


def main():
    reader = Reader(sys.argv[1])
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng, counts, n_done = random.Random(seed), Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "t.parquet"
        while n_done < n:
            damaged = n_done % 3 == 2
            name, sentences, options = compare_file(rng, reader, path, damaged)
            counts[name] += 1
            n_done += not name.startswith("made again")
            if name.startswith("WRONG"):
                kept = f"/tmp/parquet-differs-{seed}-{n_done - 1}.parquet"
                pathlib.Path(kept).write_bytes(path.read_bytes())
                print(f"{kept}: {name}; {sentences}; {options}")
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return any(name.startswith("WRONG") for name in counts)


if __name__ == "__main__":
    sys.exit(main())
