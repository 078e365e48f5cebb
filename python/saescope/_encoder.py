"""Encoders and sparse autoencoders."""
from dataclasses import dataclass

import numpy as np

from . import _core
from ._log import bar, log


_opened: dict[tuple, object] = {}


def _again(kind, reference, options):
    """What was pickled, opened once per process."""
    key = (kind, reference, options)
    if key not in _opened:
        _opened[key] = kind(reference, **dict(options))
    return _opened[key]


class _Named:
    """Something that is opened by path or name, and pickled by that: never its weights."""

    _kind = ""

    def __init__(self, reference, threads, offline, options):
        self._given = (str(reference), tuple(sorted(options.items(), key=lambda item: item[0])), threads, offline)
        path, source, name, commit = _core.fetch(self._kind, str(reference), bool(offline), None, log)
        known = {"source": source, "commit": commit}
        if self._kind == "model":
            known["name"] = name
        self._path = path
        self._options = {key: value for key, value in {**options, **known}.items() if value is not None}
        self._threads = threads or 0

    def __reduce__(self):
        reference, options, threads, offline = self._given
        given = [(key, value) for key, value in options if value is not None]
        return _again, (type(self), reference, (*given, ("threads", threads), ("offline", offline)))


class Encoder(_Named):
    """A sentence encoder: a folder, or a name of the hub, which is downloaded once.

    precision      "highest", "high" (the default), "medium" or "low": how near to exact arithmetic
    threads        None: one per core
    prompt         put before every text; prompt_name: one of the model's named prompts; both None: its default
    max_tokens     lower the model's limit
    truncate_dim   keep the first numbers of an embedding only
    """

    _kind = "model"

    def __init__(self, model, *, precision="high", threads=None, offline=False, prompt=None, prompt_name=None,
                 max_tokens=None, truncate_dim=None):
        super().__init__(model, threads, offline, {"precision": precision, "prompt": prompt, "prompt_name": prompt_name,
                                                   "max_tokens": max_tokens, "truncate_dim": truncate_dim})
        self._core = _core.Encoder(self._path, self._threads, self._options, log)
        self._with_prompts = {}
        self.info = self._core.info()

    def __repr__(self):
        return f"<saescope.Encoder {self.info['name']}: {self.info['architecture']}, {self.info['width']} numbers>"

    @property
    def width(self):
        """Numbers of an embedding."""
        return self.info["width"]

    def get_sentence_embedding_dimension(self):
        """As sentence-transformers calls it."""
        return self.width

    def tokenize(self, text):
        """Token ids of a text, special tokens included."""
        return self._core.tokenize(text)

    def _with_prompt(self, prompt_name, prompt):
        """The encoder of the extension with another prompt, which changes what is pooled, too."""
        if prompt_name is None and prompt is None:
            return self._core
        key = (prompt_name, prompt)
        if key not in self._with_prompts:
            options = {key: value for key, value in self._options.items() if key not in ("prompt", "prompt_name")}
            options.update({"prompt": prompt} if prompt is not None else {"prompt_name": prompt_name})
            self._with_prompts[key] = _core.Encoder(self._path, self._threads, options, log)
        return self._with_prompts[key]

    def encode(self, sentences, prompt_name=None, prompt=None, batch_size=None, show_progress_bar=None, *,
               normalize_embeddings=False, convert_to_numpy=True, convert_to_tensor=False):
        """Embed texts: float32 [n, width]; of one str [width]. `batch_size` is accepted and has no effect: a row does not
        depend on what else is in its batch."""
        if convert_to_tensor or not convert_to_numpy:
            raise ValueError("embeddings are numpy arrays; torch.from_numpy shares their memory")
        is_one = isinstance(sentences, str)
        texts = (sentences,) if is_one else tuple(sentences)
        out = np.empty((len(texts), self.width), np.float32)
        step, close = bar(show_progress_bar, len(texts), "texts")
        try:
            self._with_prompt(prompt_name, prompt).embed(texts, out, step)
        finally:
            close()
        if normalize_embeddings:
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out[0] if is_one else out


@dataclass
class Sparse:
    """Activations above 0 in CSR form: those of row i are features[offsets[i]:offsets[i + 1]], ascending."""

    shape: tuple
    offsets: np.ndarray
    features: np.ndarray
    values: np.ndarray

    def to_scipy(self):
        """A scipy.sparse.csr_array that shares the memory."""
        from scipy.sparse import csr_array
        return csr_array((self.values, self.features, self.offsets), shape=self.shape)

    def to_arrow(self):
        """A pyarrow.Table with two columns of lists."""
        import pyarrow as pa
        lists = pa.LargeListArray if self.offsets.dtype == np.int64 else pa.ListArray
        offsets = pa.array(self.offsets)
        return pa.table({"features": lists.from_arrays(offsets, pa.array(self.features)),
                         "activations": lists.from_arrays(offsets, pa.array(self.values))})

    def to_dense(self):
        """float32 [rows, features]."""
        dense = np.zeros(self.shape, np.float32)
        dense[np.repeat(np.arange(self.shape[0]), np.diff(self.offsets)), self.features] = self.values
        return dense


class SAE(_Named):
    """A sparse autoencoder: a folder or file of any format that is read, or a name of the hub or of an artifact store."""

    _kind = "sae"

    def __init__(self, sae, *, threads=None, offline=False, batchtopk=None, batchtopk_threshold=None, calibration_rows=None,
                 batch_rows=None, sae_format=None, sae_top_k=None):
        super().__init__(sae, threads, offline, {
            "batchtopk": batchtopk, "batchtopk_threshold": batchtopk_threshold, "calibration_rows": calibration_rows,
            "batch_rows": batch_rows, "sae_format": sae_format, "sae_top_k": sae_top_k})
        self._core = _core.SAE(self._path, self._threads, self._options, log)
        self.info = self._core.info()

    def __repr__(self):
        return f"<saescope.SAE {self.info['kind']}: {self.info['width']} numbers, {self.info['n_features']} features>"

    @property
    def n_features(self):
        return self.info["n_features"]

    @property
    def thresholds(self):
        """Of a jumprelu SAE: float32 [n_features]; else None."""
        block = self._core.thresholds()
        return None if block is None else np.asarray(block)

    def encode(self, embeddings):
        """Activations of embeddings [n, width] (or one, [width])."""
        x = np.ascontiguousarray(embeddings, np.float32)
        x = x[None] if x.ndim == 1 else x
        if x.ndim != 2 or x.shape[1] != self.info["width"]:
            raise ValueError(f"embeddings of shape {x.shape} do not fit: the SAE takes [n, {self.info['width']}]")
        parts = [np.asarray(block) for block in self._core.encode(x)]
        return Sparse((len(x), self.n_features), *parts)
