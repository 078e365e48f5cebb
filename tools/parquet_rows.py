"""What the rows of a Parquet or Arrow file are, as pyarrow reads them: the rules that saescope's reader follows.

Only columns with text are shown: structs, lists and maps are cut down to the leaves that hold
text. Binary is text where it is UTF-8, else {"hex": ...}; a map is a list of key/value objects;
with repeated column names a row is a list of [name, value].
"""

import json

import pyarrow.types as pt


def is_text(kind):
    return (pt.is_string(kind) or pt.is_large_string(kind) or pt.is_binary(kind)
            or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind)
            or pt.is_string_view(kind) or pt.is_binary_view(kind))


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


def show(value, kind):
    if value is None:
        return None
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return show(value, kind.value_type)
    if pt.is_struct(kind):
        return {f.name: show(value[f.name], f.type) for f in kind if has_text(f.type)}
    if pt.is_map(kind):
        parts = (("key", 0, kind.key_type), ("value", 1, kind.item_type))
        return [{name: show(entry[at], part) for name, at, part in parts if has_text(part)}
                for entry in value]
    if isinstance(value, list):
        return [show(item, kind.value_type) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    return value


def rows_of(table):
    """The rows of a table, as the objects that saescope prints."""
    fields = [(i, f) for i, f in enumerate(table.schema) if has_text(f.type)]
    columns = [[show(v, f.type) for v in table.column(i).to_pylist()] for i, f in fields]
    names = [f.name for _, f in fields]
    as_pairs = len(set(names)) < len(names)
    for values in zip(*columns):
        pairs = list(zip(names, values))
        yield [list(pair) for pair in pairs] if as_pairs else dict(pairs)


def write_rows(table, path):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for row in rows_of(table):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
