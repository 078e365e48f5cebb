"""What people have texts in, as the rows of a dataset."""
import contextlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from . import _core
from ._log import log

FILE_OPTIONS = ("format", "text_unit", "split", "config", "offline", "cache_dataset", "on_bad_row", "csv", "encoding", "field", "where", "sample", "seed")


def _names(keep):
    """The columns to keep, as a tuple of names."""
    return tuple(keep.split(",")) if isinstance(keep, str) else tuple(keep or ())


def _json(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value, ensure_ascii=False, default=str)


def _from_mappings(rows, text_column, keep):
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"rows must all be mappings, not {type(row).__name__}")
        if text_column not in row:
            raise ValueError(f"a row has no column {text_column!r}; its columns are {', '.join(map(str, row))}: say text_column=…")
        yield (row[text_column], *(_json(row.get(name)) for name in keep)) if keep else row[text_column]


def _first(rows):
    """The first row, and an iterator of all."""
    rows = iter(rows)
    for row in rows:
        return row, _chain(row, rows)
    return None, iter(())


def _chain(first, rows):
    yield first
    yield from rows


def _open_rows(data, text_column, keep, name):
    count = len(data) if hasattr(data, "__len__") else 0
    first, rows = _first(data)
    if isinstance(first, Mapping):
        rows = _from_mappings(rows, text_column or "text", keep)
    elif keep:
        raise ValueError("columns can be kept of tables and mappings, not of single texts")
    elif first is not None and not isinstance(first, str):
        raise TypeError(f"texts must be str or None, or rows mappings, not {type(first).__name__}")
    return _core.Dataset.rows(rows, count, keep, name, log)


def _frame_rows(frame):
    """Rows of a frame that gives no Arrow stream (pandas before 2.2), as mappings; what is missing is None."""
    whole = frame.astype(object).where(frame.notna(), None)
    return [dict(zip(whole.columns, row)) for row in whole.itertuples(index=False, name=None)]


def _column_rows(columns):
    """Rows of a mapping from names to columns."""
    lengths = {len(column) if isinstance(column, Sequence) or hasattr(column, "__array__") else None for column in columns.values()}
    if len(lengths) != 1 or None in lengths or any(isinstance(column, str) for column in columns.values()):
        raise ValueError("a mapping must hold columns of equal length; a dictionary of splits: choose one, data['train']")
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _open_files(paths, text_column, keep, options):
    given = {key: value for key, value in options.items() if value is not None}
    if text_column is not None:
        given["text_column"] = text_column
    if keep:
        given["keep"] = ",".join(keep)
    return _core.Dataset.open(tuple(os.fspath(path) for path in paths), given, log)


def open_rows(data, text_column=None, keep=None, name="memory", **options):
    """A dataset of the extension from

    - a path, pattern, URL or name of a dataset (str), a path (os.PathLike), or a list of paths (os.PathLike);
    - anything with __arrow_c_stream__: tables of pyarrow, polars, pandas, duckdb, a reader of record batches;
    - a series of pandas or polars, or a mapping from names to columns;
    - an iterable of texts (str or None), or of mappings.
    """
    keep = _names(keep)
    is_file = isinstance(data, (str, os.PathLike))
    if is_file or (isinstance(data, (list, tuple)) and data and all(isinstance(item, os.PathLike) for item in data)):
        return _open_files([data] if is_file else data, text_column, keep, options)
    wrong = [key for key, value in options.items() if value is not None]
    if wrong:
        raise TypeError(f"{wrong[0]} is said of files, and these rows are in memory")
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):
        data, text_column = data.to_frame("text"), "text"
    if hasattr(data, "__arrow_c_stream__"):
        return _core.Dataset.arrow(data.__arrow_c_stream__(), text_column, keep, name, log)
    if hasattr(data, "itertuples") and hasattr(data, "notna"):
        data = _frame_rows(data)
    elif isinstance(data, Mapping):
        data = _column_rows(data)
    if not isinstance(data, Iterable) or hasattr(data, "columns"):
        raise TypeError(f"texts cannot be taken from {type(data).__name__}")
    return _open_rows(data, text_column, keep, name)


@contextlib.contextmanager
def embeddings_file(embeddings):
    """The path of embeddings: of a file as it is, of an array that of one that is there for as long as it is needed."""
    if embeddings is None or isinstance(embeddings, (str, os.PathLike)):
        yield None if embeddings is None else os.fspath(embeddings)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "embeddings.npy")
        np.save(path, np.asarray(embeddings, np.float32))
        yield path
