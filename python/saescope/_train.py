"""Training SAEs, and measuring them."""
import json
import os

from . import _core
from ._encoder import Encoder
from ._log import log, watcher
from ._rows import embeddings_file, open_rows


def train(data, encoder, out, *, embeddings=None, embedding_column=None, text_column=None, progress=None, name="memory",
          recipe=None, kind=None, dict_size=None, top_k=None, batch_size=None, max_steps=None, seed=None, lr=None, l1_coeff=None,
          bandwidth=None, prefixes=None, num_examples=None, checkpoint_steps=None, force=None, threads=None, batch_tokens=None,
          **file_options):
    """Train an SAE on the embeddings of texts, or on embeddings, and write it into the folder `out`, for `SAE(out)`.

    data        texts in any form that `saescope.open_rows` names; None with embeddings
    encoder     an Encoder, or what opens one; None with embeddings
    embeddings  an array [rows, width], or a file of them
    progress    None: a bar in a terminal; a callable is given the figures of each step, a dict

    The other options are those of `saescope train`, where None is the recipe's value. Stopped, the same call goes on from
    where it was. Returns what was measured on rows that were held out, a dict.
    """
    encoder = Encoder(encoder) if isinstance(encoder, (str, os.PathLike)) else encoder
    dataset = None if data is None else open_rows(data, text_column, None, name, **file_options)
    options = {"recipe": recipe, "kind": kind, "dict_size": dict_size, "top_k": top_k, "batch_size": batch_size,
               "max_steps": max_steps, "seed": seed, "lr": lr, "l1_coeff": l1_coeff, "bandwidth": bandwidth,
               "prefixes": prefixes, "num_examples": num_examples, "checkpoint_steps": checkpoint_steps, "name": name,
               "force": force, "threads": threads, "batch_tokens": batch_tokens}
    step, close = watcher(progress, "steps", "step")
    try:
        with embeddings_file(embeddings) as path:
            core_encoder = None if encoder is None or path is not None else encoder._core
            return json.loads(_core.train(core_encoder, None if path is not None else dataset, path, embedding_column,
                                          os.fspath(out), options, step, None, log))
    finally:
        close()


def evaluate(sae, embeddings, *, embedding_column=None, num_examples=None, threads=None):
    """How well an SAE (a path) reconstructs embeddings, an array or a file, how sparsely, and what becomes of neighbours."""
    with embeddings_file(embeddings) as path:
        return json.loads(_core.evaluate(os.fspath(sae), path, embedding_column, num_examples or 0, threads or 0))
