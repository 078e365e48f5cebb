"""States: what an analysis holds of some rows, as bytes between the workers of an engine."""
import os
import tempfile
from collections.abc import Mapping

import numpy as np

from . import _core
from ._encoder import SAE, Encoder
from ._log import log, watcher
from ._rows import _json, _names
from ._run import Run


def _column(batch, name):
    """A column of a batch as a list: of pyarrow, pandas, polars, datasets, or a mapping from names to lists."""
    try:
        column = batch[name]
    except (KeyError, IndexError):
        raise ValueError(f"a batch has no column {name!r}") from None
    for convert in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, convert):
            return getattr(column, convert)()
    return list(column)


def _texts(values):
    """Texts as str or None; NaN is how frames write a missing one."""
    return [None if value is None or value != value else value for value in values]


def _numbers(values, what, dtype):
    numbers = np.asarray(values)
    if len(numbers) and (numbers.dtype.kind not in "iu" or int(numbers.min()) < 0):
        raise ValueError(f"{what} must be whole numbers from 0, not {numbers.dtype}")
    return numbers.astype(dtype).tobytes()


class _Keys:
    """Which row is which: a column of numbers, or the names of files and numbers in them."""

    def __init__(self, key, files):
        self._names = () if key is None else (key,) if isinstance(key, str) else tuple(key)
        if len(self._names) > 2 or (len(self._names) == 2) != (files is not None):
            raise ValueError("key is the name of a column of row numbers, or a pair of columns, of files and rows, with files=[...], "
                             "which has the names of all files in their order")
        self._places = {} if files is None else {name: i for i, name in enumerate(files)}

    def of(self, batch):
        """Files and rows of a batch, as bytes or None."""
        if not self._names:
            return None, None
        rows = _numbers(_column(batch, self._names[-1]), f"the key {self._names[-1]!r}", np.uint64)
        if len(self._names) == 1:
            return None, rows
        names = _column(batch, self._names[0])
        unknown = next((name for name in names if name not in self._places), None)
        if unknown is not None:
            raise ValueError(f"a row is of the file {unknown!r}, which is none of files=[...]")
        return np.array([self._places[name] for name in names], np.uint32).tobytes(), rows


def state_of(batches, encoder, sae, *, text="text", key=None, keep=None, files=None, file_rows=None, name="memory", **options):
    """What an analysis gathers of some rows, as bytes; None where there are none. Merge states with `merge_states`, in any order.

    batches  an iterable of batches: record batches and tables of pyarrow, frames, mappings from names to lists, lists of texts
    text     the column of the texts
    key      the column of each row's number over all rows, or a pair of columns, of its file and of its number there: what tells rows
             of equal activation apart, whoever has which. Without, rows are numbered as they come here
    files    with a pair: the names of all files, in their order, the same for every worker; file_rows: how many rows each has
    keep     columns to carry along
    options  as those of `analyze`: top_k, keep_duplicates, evidence, sample_rows, …
    """
    encoder = Encoder(encoder) if isinstance(encoder, (str, os.PathLike)) else encoder
    sae = SAE(sae) if isinstance(sae, (str, os.PathLike)) else sae
    keys, keep, analysis = _Keys(key, files), _names(keep), None
    counts = None if file_rows is None else np.asarray(file_rows, np.uint64).tobytes()
    for batch in batches:
        is_list = isinstance(batch, (list, tuple)) and not isinstance(batch, Mapping)
        texts = _texts(batch if is_list else _column(batch, text))
        if not texts:
            continue
        if analysis is None:
            analysis = _core.Analysis(encoder._core, sae._core, options, name, None if files is None else tuple(files), counts, keep, log)
        values = [_json(value) for row in zip(*(_column(batch, column) for column in keep)) for value in row] if keep else None
        analysis.add(texts, *keys.of(batch), values)
    return None if analysis is None else analysis.state()


def merge_states(states):
    """Add up states, in any order; None among them, of workers without rows, are left out. None where there are no others."""
    states = [bytes(state) for state in states if state is not None]
    return _core.merge_states(states) if states else None


def _from_state(cls, state, out=None, *, encoder=None, sae=None, progress=None, **options):
    """The run of a state, and its folder if `out` names one.

    encoder, sae  where they are now, if not where the worker had them: a path, or an Encoder and an SAE
    options       title, steps, force, threads as those of `analyze`
    """
    if state is None:
        raise ValueError("there is no state: no worker had rows")
    if isinstance(encoder, Encoder):
        encoder = encoder._core.info()["path"]
    if isinstance(sae, SAE):
        sae = sae._core.info()["path"]
    given = {"out": None if out is None else os.fspath(out), "encoder": encoder and os.fspath(encoder), "sae": sae and os.fspath(sae), **options}
    watch, close = watcher(progress)
    with tempfile.NamedTemporaryFile(suffix=".state") as file:
        file.write(state)
        file.flush()
        try:
            found = _core.merge((file.name,), given, watch, log)
        finally:
            close()
    return cls(out, _found=found)


Run.from_state = classmethod(_from_state)
