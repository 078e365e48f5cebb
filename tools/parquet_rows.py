"""What the rows of a Parquet or Arrow file are, as pyarrow reads them: the rules that saescope's reader follows.

Of rows only columns with text are shown: structs, lists and maps are cut down to the leaves that hold
text. Binary is text where it is UTF-8, else {"hex": ...}; a map is a list of key/value objects;
with repeated column names a row is a list of [name, value]. Of what is carried along all is
shown: floats that are not finite are null, times and decimals strings, zones left out (it is UTC).
"""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt


def is_bytes(kind):
    return (pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind)
            or pt.is_binary_view(kind))


def is_text(kind):
    return is_string(kind) or is_bytes(kind)


def is_string(kind):
    return pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind)


def is_list(kind):
    return (pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)
            or pt.is_list_view(kind) or pt.is_large_list_view(kind))


def has_text(kind):
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return has_text(kind.value_type)
    if pt.is_struct(kind):
        return any(has_text(field.type) for field in kind)
    if pt.is_map(kind):
        return has_text(kind.key_type) or has_text(kind.item_type)
    if is_list(kind):
        return has_text(kind.value_type)
    return is_text(kind)


DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def clock(value, unit):
    """A time of the day; the part below a second only where it is not 0."""
    seconds, part = divmod(value, 10 ** DIGITS[unit])
    behind = f".{part:0{DIGITS[unit]}}" if part else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{behind}"


def moment(value, unit):
    days, part = divmod(value, 86400 * 10 ** DIGITS[unit])
    return f"{np.datetime64(days, 'D')}T{clock(part, unit)}"


def number(scalar):
    kind, value = scalar.type, scalar.as_py() if not pt.is_temporal(scalar.type) else scalar.value
    if pt.is_floating(kind):
        return float(value) if math.isfinite(value) else None
    if pt.is_decimal(kind):
        return f"{value:f}" if value else f"{abs(value):f}"
    if pt.is_date(kind):
        return str(np.datetime64(value if pt.is_date32(kind) else value // 86400000, "D"))
    if pt.is_time(kind):
        return clock(value, kind.unit)
    return moment(value, kind.unit) if pt.is_timestamp(kind) else value


def text_of(value):
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return {"hex": value.hex()}


def show(scalar, is_whole):
    """A value as JSON: with is_whole all of it, as it is carried along, else what has text."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        value = scalar.value if pt.is_dictionary(kind) else pa.scalar(scalar.as_py(), kind.value_type)
        return show(value, is_whole)
    if pt.is_struct(kind):
        return {f.name: show(scalar[f.name], is_whole) for f in kind
                if is_whole or has_text(f.type)}
    if pt.is_map(kind) or is_list(kind):
        return [show(item, is_whole) for item in scalar.values]
    return text_of(scalar.as_py()) if is_text(kind) else number(scalar)


def rows_of(table):
    """The rows of a table, as the objects that saescope prints."""
    fields = [(i, f) for i, f in enumerate(table.schema) if has_text(f.type)]
    columns = [[show(v, False) for v in table.column(i)] for i, f in fields]
    names = [f.name for _, f in fields]
    as_pairs = len(set(names)) < len(names)
    for values in zip(*columns):
        pairs = list(zip(names, values))
        yield [list(pair) for pair in pairs] if as_pairs else dict(pairs)


def leaf_columns(table):
    """The columns as they are named: structs by their leaves, with dots; each a list of scalars."""
    out = {}

    def add(name, kind, column):
        if not pt.is_struct(kind):
            out[name] = column
            return
        for field in kind:
            add(f"{name}.{field.name}", field.type,
                [value[field.name] if value.is_valid else pa.scalar(None, field.type)
                 for value in column])

    for i, field in enumerate(table.schema):
        add(field.name, field.type, list(table.column(i)))
    return out


def as_text(value):
    """A value of a text column, as a row's text; a list of strings is JSON."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"]).decode("utf-8", "replace")
    return value


def is_list_of_text(kind):
    return is_list(kind) and is_string(kind.value_type)


def is_text_column(kind):
    return is_list_of_text(kind) or is_text(kind.value_type if pt.is_dictionary(kind) else kind)


def column_kinds(schema):
    """The types of the columns as they are named: structs by their leaves, with dots."""
    kinds = {}

    def add(name, kind):
        if pt.is_struct(kind):
            for field in kind:
                add(f"{name}.{field.name}", field.type)
        else:
            kinds[name] = kind

    for field in schema:
        add(field.name, field.type)
    return kinds


def text_column(kinds):
    """The name of a column to take texts from."""
    texts = [name for name, kind in kinds.items() if is_text_column(kind)]
    return "text" if "text" in texts else texts[-1]


def reference(path, text):
    """Rows as JSON, pairs of text and the row's columns, and their types; or (None, sentence)."""
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        table.validate(full=True)
        columns = leaf_columns(table)
        shown = {name: [show(value, True) for value in column] for name, column in columns.items()}
        kept = [dict(zip(shown, values)) for values in zip(*shown.values())]
        texts = list(zip(map(as_text, shown[text]), kept))
        return (list(rows_of(table)), texts, column_kinds(table.schema)), ""
    except Exception as error:  # whatever pyarrow makes of damage
        return None, f"{type(error).__name__}: {error}"


def write_rows(table, path):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for row in rows_of(table):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_expected(path, stem):
    """STEM.jsonl, the rows of a Parquet file; STEM.kept.jsonl, a line with the names of its text
    column and of all columns, then the text of each row and all its columns. False where pyarrow
    does not read what it wrote."""
    kinds = column_kinds(pq.ParquetFile(path).schema_arrow)
    text = text_column(kinds)
    want, _ = reference(path, text)
    if want is None:
        return False
    rows, texts, _ = want
    lines = [{"text": text, "keep": ",".join(kinds)}]
    lines += [{"text": value, "kept": kept} for value, kept in texts]
    for name, items in ((f"{stem}.jsonl", rows), (f"{stem}.kept.jsonl", lines)):
        with open(name, "w", encoding="utf-8", newline="\n") as out:
            out.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    return True
