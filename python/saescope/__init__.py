"""What the features of a sparse autoencoder mean in a text dataset.

    encoder = saescope.Encoder("sentence-transformers/all-MiniLM-L6-v2")
    sae = saescope.SAE("folder/of/an/sae")
    run = saescope.analyze(frame, encoder, sae, out="run", text_column="abstract")
    run.features.to_pandas(); run[7].top; run.describe()[7].label
"""
from . import _core
from ._encoder import SAE, Encoder, Sparse
from ._errors import (DataError, FileError, InternalError, LimitError, NetworkError, NoInputError, NonFiniteError,
                      OutOfMemoryError, OutputExistsError, SaescopeError, ShapeError, UnsupportedError, UsageError)
from ._log import SaescopeWarning
from ._rows import open_rows
from ._run import Feature, Features, Hit, Run, Table, TopText, analyze, diff
from ._state import merge_states, state_of
from ._train import evaluate, train

__version__ = _core.version()
__all__ = ["DataError", "Encoder", "Feature", "Features", "FileError", "Hit", "InternalError", "LimitError", "NetworkError",
           "NoInputError", "NonFiniteError", "OutOfMemoryError", "OutputExistsError", "Run", "SAE", "SaescopeError",
           "SaescopeWarning", "ShapeError", "Sparse", "Table", "TopText", "UnsupportedError", "UsageError", "analyze",
           "diff", "evaluate", "merge_states", "open_rows", "state_of", "train"]
