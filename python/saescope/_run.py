"""Analyses, and what they found."""
import html
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from . import _core
from ._encoder import SAE, Encoder
from ._log import log, watcher
from ._rows import embeddings_file, open_rows


@dataclass(frozen=True)
class TopText:
    """A text that activates a feature strongly."""

    activation: float
    row: int | None
    text: str
    kept: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Feature:
    """One feature of a run. Rates are in percent, activations in the SAE's own scale."""

    id: int
    n_fires: int
    rate_pct: float
    rate_low_pct: float
    rate_high_pct: float
    max_activation: float
    mean_activation: float
    dead: bool
    top: list
    description: dict | None = None

    @property
    def label(self):
        """What it means, in words; "" where no label was made."""
        return self.description["label"] if self.description else ""

    def _repr_html_(self):
        rows = "".join(f"<tr><td style='text-align:right'>{top.activation:.4g}</td><td style='text-align:left'>"
                       f"{html.escape(top.text[:300])}</td></tr>" for top in self.top)
        title = f"Feature {self.id}" + (f": {html.escape(self.label)}" if self.label else "")
        return (f"<h4>{title}</h4><p>{'dead' if self.dead else f'fires on {self.rate_pct:.3g} % of the rows'}</p>"
                f"<table><tr><th>activation</th><th>text</th></tr>{rows}</table>")


class Table(Mapping):
    """A mapping from the name of a column to a numpy array."""

    def __init__(self, columns):
        self._columns = columns

    def __getitem__(self, name):
        return self._columns[name]

    def __iter__(self):
        return iter(self._columns)

    def __len__(self):
        return len(self._columns)

    def to_pandas(self):
        import pandas
        return pandas.DataFrame(dict(self._columns))

    def to_polars(self):
        import polars
        return polars.DataFrame(dict(self._columns))

    def to_arrow(self):
        import pyarrow
        return pyarrow.table(dict(self._columns))

    def __arrow_c_stream__(self, requested_schema=None):
        return self.to_arrow().__arrow_c_stream__(requested_schema)


class Features(Table):
    """Statistics of all features."""


@dataclass(frozen=True)
class Hit:
    """What a search found: a text of the sample, with the features that fire in it, or a feature, with its label."""

    score: float
    feature: int | None
    text: str
    row: int | None
    file: str
    features: dict


class Run:
    """The results of an analysis: those of `analyze`, or a folder that one wrote.

    info      facts: rows, tokens, seconds, what was used
    features  statistics of all features
    rates     in percent of the used rows, as fire_rate.npy has them
    run[7]    one feature, with its top texts
    """

    def __init__(self, path, *, _found=None):
        self.path = None if path is None else os.fspath(path)
        self._core = _found or _core.open_run(self.path, log)
        self.info = self._core.info()
        columns = {name: np.asarray(block) for name, block in self._core.columns().items()}
        self.features = Features({"feature": np.arange(len(self)), **columns})
        self._descriptions = None

    def __len__(self):
        return self.info["n_features"]

    @property
    def rates(self):
        return self.features["rate_pct"]

    def _description(self, feature):
        if self._descriptions is None and self.path is not None and os.path.exists(os.path.join(self.path, "descriptions.json")):
            self._descriptions = _core.open_descriptions(self.path)
        return None if self._descriptions is None else self._descriptions.get(feature)

    def __getitem__(self, feature):
        feature = int(feature)
        if feature < 0 or feature >= len(self):
            raise IndexError(f"there is no feature {feature}: the run has {len(self)}, from 0")
        top = [TopText(activation, row, text, json.loads(kept)["kept"] if kept else {})
               for activation, row, text, kept in self._core.top(feature)]
        numbers = {name: self.features[name][feature].item() for name in self.features if name != "feature"}
        return Feature(feature, top=top, description=self._description(feature), **numbers)

    def __iter__(self):
        return (self[feature] for feature in range(len(self)))

    def describe(self, encoder=None, *, method="contrast", seed_variant=None, no_score=None, stop_words=None, threads=None):
        """Make and score labels from the evidence in the run's folder; see `saescope describe`."""
        options = {"method": method, "seed_variant": seed_variant, "no_score": no_score, "stop_words": stop_words,
                   "threads": threads}
        self._descriptions = _core.describe(self._folder("labels are made"), None if encoder is None else encoder._core, options, log)
        return self

    def _folder(self, what):
        if self.path is None:
            raise ValueError(f"{what} in a run's folder: give analyze an `out`")
        return self.path

    def families(self, **options):
        """Find families among the features, and write them into the folder: `saescope families` has the rules. What came
        out, in numbers."""
        return _core.families(self._folder("families are found"), options, log)

    def map(self, encoder=None, **options):
        """Cluster the features and put them and the sampled texts on a map, in the folder: see `saescope map`."""
        return _core.map(self._folder("a map is made"), None if encoder is None else encoder._core, options, log)

    def report(self, path, **options):
        """Write the run as one page that needs no network. The bytes of the file."""
        return _core.report(self._folder("a report is made of what is"), os.fspath(path), options)

    def search(self, query, by="words", *, limit=None, threads=None):
        """Texts of the sample by their "words" or their "meaning", or "features" by label and keywords: a list of Hit."""
        found = _core.search(self._folder("texts are kept"), query, {"by": by, "limit": limit, "threads": threads})
        return [Hit(score, feature, text, row if is_text else None, file, features)
                for score, feature, is_text, text, row, file, features in found]

    def diff(self, other=None, *, by=None):
        """How often features fire in another run, or, with `by`, in groups of this one by a kept column: a Table, the surest
        differences first."""
        return diff(self, other, by=by)

    def plot(self, path, *, force=False):
        """Draw the histogram of rates as .svg, .png or .pdf."""
        self._core.plot(os.fspath(path), force)

    def __repr__(self):
        return f"<saescope.Run of {self.info['dataset_name']}: {self.info['rows_used']} rows, {len(self)} features>"

    def _repr_html_(self):
        order = np.lexsort((self.features["feature"], -self.features["n_fires"].astype(np.int64)))[:10]
        rows = "".join(f"<tr><td>{feature}</td><td>{self.rates[feature]:.3g} %</td><td>{html.escape(self[feature].label)}</td></tr>"
                       for feature in order)
        return (f"<h4>{html.escape(self.info['dataset_name'])}: {self.info['rows_used']} rows, {len(self)} features, "
                f"{self.info['n_dead']} dead</h4><table><tr><th>feature</th><th>rate</th><th>label</th></tr>{rows}</table>")


DIFFERENCES = ("feature_a", "feature_b", "similarity", "group", "n_fires_a", "n_rows_a", "n_fires_b", "n_rows_b", "difference_pct",
               "low_pct", "high_pct", "effect", "odds_ratio", "z", "p", "q")


def diff(run_a, run_b=None, *, by=None):
    """Compare how often features fire in two runs (Run objects or folders), or in groups of one by a column that was kept."""
    folders = [None if run is None else run._folder("differences are found") if isinstance(run, Run) else os.fspath(run)
               for run in (run_a, run_b)]
    rows = _core.diff(*folders, {"by": by})
    return Table({name: np.array([row[i] for row in rows], dtype=object if name == "group" else None)
                  for i, name in enumerate(DIFFERENCES)})


def _analyze(core_encoder, sae, dataset, embeddings, embedding_column, options, progress):
    watch, close = watcher(progress)
    try:
        return _core.analyze(core_encoder, sae._core, dataset, embeddings, embedding_column, options, watch, log)
    finally:
        close()


def analyze(data, encoder, sae, out=None, *, text_column=None, keep=None, top_k=None, embeddings=None, embedding_column=None,
            progress=None, name="memory", num_examples=None, keep_duplicates=None, threads=None, batch_tokens=None, title=None,
            save_embeddings=None, evidence=None, evidence_bytes=None, sample_rows=None, sample_seed=None, force=None,
            steps=None, pairs_bytes=None, no_pairs=None, append=None, **file_options):
    """Embed and encode every row once, and gather how often each feature fires and which texts activate it most.

    data        texts in any form that `saescope.open_rows` names; None with embeddings: rows without texts
    encoder     an Encoder, or what opens one; None with embeddings
    sae         an SAE, or what opens one
    out         the folder of the results; None: in memory only
    embeddings  an array [rows, width], or a file of them: used instead of embedding the texts
    steps       what to make of the folder afterwards: "labels", "families", "map", names with commas between, "all";
                None: nothing
    append      add the rows to the finished run in `out`; files that it has already are left out
    progress    True, False, None (a bar in a terminal), or a function that gets each report
    """
    encoder = Encoder(encoder) if isinstance(encoder, (str, os.PathLike)) else encoder
    sae = SAE(sae) if isinstance(sae, (str, os.PathLike)) else sae
    dataset = None if data is None else open_rows(data, text_column, keep, name, **file_options)
    options = {"out": None if out is None else os.fspath(out), "top_k": top_k, "num_examples": num_examples,
               "keep_duplicates": keep_duplicates, "threads": threads, "batch_tokens": batch_tokens, "title": title,
               "save_embeddings": save_embeddings and os.fspath(save_embeddings), "evidence": evidence,
               "evidence_bytes": evidence_bytes, "sample_rows": sample_rows, "sample_seed": sample_seed, "force": force,
               "steps": steps, "pairs_bytes": pairs_bytes, "no_pairs": no_pairs, "append": append}
    core_encoder = None if encoder is None or embeddings is not None else encoder._core
    with embeddings_file(embeddings) as path:
        found = _analyze(core_encoder, sae, dataset, path, embedding_column, options, progress)
    return Run(out, _found=found)
