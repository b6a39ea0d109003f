"""Learned: gradient boosting on what was known: quantiles of the remaining time, the next activity, whether she gives up.

Trees of histograms (Ke et al. 2017, LightGBM; scikit-learn's HistGradientBoosting) on the log of the remaining time, whose
median is the log of the median. The outer quantiles are fitted on their own, as distances from the median.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.packs.service.foresee.features import LOAD, Encoder, Table
from gemel.packs.service.foresee.prefix import LEVELS, Prefixes

OUTER = (0, 1, 5, 6)
"""Places in `LEVELS` of the quantiles that have trees of their own; those between are interpolated."""

MOST_ROWS = 12_000
"""Outer quantiles and probabilities learn from so many rows at most, evenly drawn."""


@dataclass
class Learned:
    """Quantiles of the remaining time by boosting; without `load` the state of the whole service is not looked at."""

    load: bool = True
    trees: int = 120
    seed: int = 0
    unit: float = 1.0
    encoder: Encoder = field(default_factory=Encoder)
    _middle: Any = None
    _outer: dict[int, Any] = field(default_factory=dict)
    _wide: Learned | None = None

    def fit(self, prefixes: Prefixes) -> Learned:
        """Learn the median from prefixes whose remaining time is known."""
        self.encoder = Encoder.fit(prefixes.log, prefixes.row)
        table, y = self._table(prefixes), np.log1p(prefixes.remained / self.unit)
        self._middle = _boost("absolute_error", table, y, self.trees, self.seed)
        return self

    def widen(self, prefixes: Prefixes) -> Learned:
        """Learn the distances of the outer quantiles from the median too."""
        some = prefixes.only(_drawn(len(prefixes)))
        table, y = self._table(some), np.log1p(some.remained / self.unit)
        self._outer = {
            place: _boost("quantile", table, y, 50, self.seed, quantile=float(LEVELS[place])) for place in OUTER
        }
        return self

    def as_wide_as(self, other: Any) -> Learned:
        """Take the distances of the outer quantiles from a model that has learned them; the unit must be the same."""
        self._wide = other
        return self

    def median(self, prefixes: Prefixes) -> np.ndarray:
        """Return the median remaining time in seconds (prefix,)."""
        return _back(self._middle.predict(self._table(prefixes).x), self.unit)

    def quantiles(self, prefixes: Prefixes) -> np.ndarray:
        """Return the remaining time in seconds at `LEVELS` (prefix, level), never falling."""
        middle = self._middle.predict(self._table(prefixes).x)
        return _back(middle[:, None] + (self._wide or self)._distances(prefixes), self.unit)

    def _distances(self, prefixes: Prefixes) -> np.ndarray:
        """Return the distance in logs of each level from the median (prefix, level)."""
        x = self._table(prefixes).x
        middle = self._middle.predict(x)
        found = {place: model.predict(x) - middle for place, model in self._outer.items()}
        low, high = np.minimum(found[1], 0.0), np.maximum(found[5], 0.0)
        lowest, highest = np.minimum(found[0], low), np.maximum(found[6], high)
        return np.stack([lowest, low, QUARTER * low, np.zeros(len(x)), QUARTER * high, high, highest], axis=1)

    def _table(self, prefixes: Prefixes) -> Table:
        table = self.encoder.encode(prefixes.log)
        table = Table(table.names, table.kinds, table.x[prefixes.row])
        return table if self.load else table.without(LOAD)


QUARTER = 0.6745 / 1.2816
"""Where the quartile lies between the median and the tenth percentile of a normal distribution."""


@dataclass
class Next:
    """Probabilities of the next activity, or of any other thing that a prefix is followed by, as boosting learns them."""

    seed: int = 0
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    encoder: Encoder = field(default_factory=Encoder)
    _model: Any = None

    def fit(self, prefixes: Prefixes, what: np.ndarray, rare: int = 10) -> Next:
        """Learn which codes *what* (prefix,) follow; codes seen fewer than *rare* times are never foretold."""
        codes, counts = np.unique(what, return_counts=True)
        kept = codes[counts >= min(rare, int(counts.max()))]
        self.classes = kept
        if len(kept) < 2:
            return self
        rows = np.flatnonzero(np.isin(what, kept))
        rows = rows[_drawn(len(rows))]
        self.encoder = Encoder.fit(prefixes.log, prefixes.row)
        table = self.encoder.encode(prefixes.log)
        some = Table(table.names, table.kinds, table.x[prefixes.row[rows]])
        trees = int(np.clip(300 // len(kept), 12, 60))
        self._model = _classify(some, what[rows], trees, self.seed)
        return self

    def probabilities(self, prefixes: Prefixes) -> np.ndarray:
        """Return the probability of each of `classes` (prefix, class)."""
        if self._model is None:
            return np.ones((len(prefixes), len(self.classes)))
        x = self.encoder.encode(prefixes.log).x[prefixes.row]
        found: np.ndarray = self._model.predict_proba(x)
        return found


def _drawn(count: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(np.int64)


def _back(logs: np.ndarray, unit: float) -> np.ndarray:
    found: np.ndarray = unit * np.expm1(np.clip(logs, 0.0, 60.0))
    return found


def _boost(loss: str, table: Table, y: np.ndarray, trees: int, seed: int, **how: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        loss=loss, max_iter=trees, categorical_features=table.kinds, early_stopping=False, random_state=seed,
        min_samples_leaf=20 if len(y) > 400 else 5, max_leaf_nodes=15, learning_rate=0.1,
        max_bins=_bins(len(y)), **how,
    )  # fmt: skip
    return _alone(model, table, y)


def _alone(model: Any, table: Table, y: np.ndarray) -> Any:
    """Fit on one thread: threads that wait for each other cost more than they bring on tables of this size."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="openmp"):
        return model.fit(table.x, y)


def _bins(rows: int) -> int:
    return 255 if rows >= 10_000 else 63


def _classify(table: Table, y: np.ndarray, trees: int, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=trees, categorical_features=table.kinds, early_stopping=False, random_state=seed, max_leaf_nodes=15,
        learning_rate=0.15, max_bins=_bins(len(y)),
    )  # fmt: skip
    return _alone(model, table, y)
