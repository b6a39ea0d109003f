"""What a model leaves unsaid: a kernel ridge on its past forecast errors, and intervals that have held so far.

Random Fourier features (Rahimi & Recht 2007) beside linear ones; adaptive conformal intervals (Gibbs & Candès 2021,
arXiv 2106.00170) on errors in units of the model's own spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.intervention import LEVELS

ANCHORS = (5, 11, 17, 23)
"""Steps at which errors are learned (30, 60, 90, 120 min of 5-min steps); between them the correction is linear."""


@dataclass(frozen=True)
class Lessons:
    """Past forecasts and what came: features (n, p), error = truth - said (n, steps), NaN where none came; weight (n,)."""

    features: np.ndarray
    error: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Learning:
    """How errors are learned: count of random features, shrinkage of linear and random ones, length scale of these.

    Nothing is learned on fewer than `least` rows; on n rows the correction counts n / (n + `trust_after`), and what was
    learned elsewhere fades from `cold_share` to nothing as that comes near 1. Chosen by rolling cross-validation inside
    the first 70 % of four people's records, see docs/diabetes.md.
    """

    random: int = 300
    shrink_linear: float = 3000.0
    shrink_random: float = 9000.0
    length: float = 1.2
    least: int = 150
    trust_after: float = 700.0
    cold_share: float = 0.25
    limit: float = 4.0


@dataclass(frozen=True)
class Residual:
    """A learned correction of a model's mean: `correct(features)` -> (n, steps); `start` is what it began with."""

    centre: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    settings: Learning
    start: Residual | None = None

    def times(self, share: float) -> Residual:
        """Return a share of this correction."""
        return replace(self, weights=share * self.weights)

    def correct(self, features: np.ndarray, steps: int) -> np.ndarray:
        """Return what to add to the model's mean at each step."""
        learned = self._learned(features, steps)
        return learned if self.start is None else learned + self.start.correct(features, steps)

    def _learned(self, features: np.ndarray, steps: int) -> np.ndarray:
        anchored = self._basis(features) @ self.weights
        at = np.arange(steps)
        xs = np.concatenate([[-1], ANCHORS])
        rows = np.concatenate([np.zeros((len(features), 1)), anchored], axis=1)
        return np.stack([np.interp(at, xs, row) for row in rows]) if len(rows) else np.zeros((0, steps))

    def _basis(self, features: np.ndarray) -> np.ndarray:
        limit = self.settings.limit
        return _basis(np.clip((features - self.centre) / self.scale, -limit, limit), self.settings)


def learn(lessons: Sequence[Lessons], settings: Learning, cold: Residual | None = None) -> Residual | None:
    """Return the correction that *lessons* teach, begun with *cold*, learned elsewhere; where too few, what there is of it."""
    features = np.concatenate([lesson.features for lesson in lessons])
    error = np.concatenate([lesson.error for lesson in lessons])[:, ANCHORS]
    weight = np.concatenate([lesson.weight for lesson in lessons])
    cold = None if cold is None or cold.centre.shape != features.shape[1:] else cold.times(settings.cold_share)
    if np.isfinite(error[:, 0]).sum() < settings.least:
        return cold
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    basis = _basis(np.clip((features - centre) / scale, -settings.limit, settings.limit), settings)
    p = features.shape[1]
    penalty = np.concatenate(
        [[1.0], np.full(p, settings.shrink_linear), np.full(settings.random, settings.shrink_random)]
    )
    weights = np.column_stack([_ridge(basis, error[:, i], weight, penalty) for i in range(len(ANCHORS))])
    rows = np.isfinite(error).sum(axis=0)
    trust = rows / (rows + settings.trust_after)
    return Residual(centre, scale, weights * trust, settings, None if cold is None else cold.times(1 - float(trust[0])))


def _ridge(basis: np.ndarray, target: np.ndarray, weight: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    from scipy.linalg import cho_factor, cho_solve  # slow to load, and only learning needs it

    there = np.isfinite(target)
    X, y, w = basis[there], target[there], weight[there]
    gram = (X * w[:, None]).T @ X + np.diag(penalty)
    found: np.ndarray = cho_solve(cho_factor(gram), X.T @ (w * y))
    return found


def _basis(standard: np.ndarray, settings: Learning) -> np.ndarray:
    """Return [1, linear, random Fourier] features of standardised ones; length scale sqrt(p)."""
    p = standard.shape[1]
    rng = np.random.default_rng([p, settings.random])
    directions = rng.standard_normal((p, settings.random)) / (np.sqrt(p) * settings.length)
    phases = rng.uniform(0, 2 * np.pi, settings.random)
    waves = np.sqrt(2.0) * np.cos(standard @ directions + phases)
    return np.column_stack([np.ones(len(standard)), standard, waves])


@dataclass(frozen=True)
class Spread:
    """Quantiles of past errors in units of the model's spread: `quantiles` (level, steps)."""

    quantiles: np.ndarray

    def around(self, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Return quantiles (level, n, steps) around *mean* (n, steps)."""
        found: np.ndarray = mean[None] + self.quantiles[:, None, :] * sd[None]
        return found


def spread(errors: np.ndarray, sds: np.ndarray, weight: np.ndarray, least: int = 100) -> Spread:
    """Return the weighted quantiles of standardised errors (n, steps), two-sided Gaussian ones where too few came."""
    steps = errors.shape[1]
    columns = [_quantiles(errors[:, i] / sds[:, i], weight, least) for i in range(steps)]
    return Spread(np.column_stack(columns))


GAUSSIAN = np.array([-1.959964, -1.281552, -0.674490, 0.0, 0.674490, 1.281552, 1.959964])
"""Standard normal quantiles at `LEVELS`."""


def _quantiles(standard: np.ndarray, weight: np.ndarray, least: int) -> np.ndarray:
    there = np.isfinite(standard)
    if there.sum() < least:
        return GAUSSIAN
    order = np.argsort(standard[there])
    values, mass = standard[there][order], np.cumsum(weight[there][order])
    found: np.ndarray = np.interp(LEVELS, (mass - 0.5 * weight[there][order]) / mass[-1], values)
    return found
