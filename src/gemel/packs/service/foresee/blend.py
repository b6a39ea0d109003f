"""Blend: which forecasts to trust how much, chosen on what came later, and how wide their intervals must be.

Weights by greedy selection with replacement (Caruana et al. 2004, doi 10.1145/1015330.1015432) on the logs of quantiles; the
median by prefix is kept unless the blend errs less by more than one standard error over cases. Intervals are conformal
(Romano, Patterson and Candès 2019, arXiv 1905.03222): each bound is moved until it held in the right share of past cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.packs.service.foresee.prefix import LEVELS, MIDDLE

ROUNDS = 10
FEW = 60
"""A band of prefix lengths has at least so many cases to be calibrated on its own."""

BOUNDS = (0, 1, 2, 4, 5, 6)
"""Places in `LEVELS` of bounds."""


@dataclass(frozen=True)
class Blend:
    """Weights of named forecasts that sum to 1; `errors` holds each one's mean absolute error where it was chosen (s)."""

    weights: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    unit: float = 1.0

    def of(self, quantiles: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the blended quantiles (prefix, level): weighted means of logs."""
        parts = [weight * np.log1p(quantiles[name] / self.unit) for name, weight in self.weights.items() if weight > 0]
        found: np.ndarray = self.unit * np.expm1(np.sum(parts, axis=0))
        return found


def chosen(
    points: Mapping[str, np.ndarray], truth: np.ndarray, case: np.ndarray, baseline: str, margin: float = 1.0
) -> Blend:
    """Return the blend of point forecasts (prefix,) in seconds that errs least, or the *baseline* if none is clearly better.

    Clearly: by more than *margin* standard errors of the difference, taken over cases.
    """
    unit = max(float(np.median(truth)), 1.0) if len(truth) else 1.0
    names = list(points)
    logs = {name: np.log1p(np.maximum(points[name], 0.0) / unit) for name in names}
    errors = {name: float(np.abs(points[name] - truth).mean()) if len(truth) else 0.0 for name in names}
    alone = Blend({baseline: 1.0}, errors, unit)
    if not len(truth):
        return alone
    picked = _greedy(logs, truth, unit)
    weights = {name: picked.count(name) / len(picked) for name in names if name in picked}
    mixed = unit * np.expm1(sum(weight * logs[name] for name, weight in weights.items()))
    gain = np.abs(points[baseline] - truth) - np.abs(mixed - truth)
    return Blend(weights, errors, unit) if _clear(gain, case, margin) else alone


def _greedy(logs: Mapping[str, np.ndarray], truth: np.ndarray, unit: float) -> list[str]:
    """Return names, as often as their forecast is to count."""
    picked: list[str] = []
    best, best_error = picked, np.inf
    total = np.zeros(len(truth))
    for count in range(1, ROUNDS + 1):
        errors = {name: np.abs(unit * np.expm1((total + log) / count) - truth).mean() for name, log in logs.items()}
        name = min(errors, key=lambda name: errors[name])
        picked, total = [*picked, name], total + logs[name]
        if errors[name] < best_error:
            best, best_error = picked, errors[name]
    return best


def _clear(gain: np.ndarray, case: np.ndarray, margin: float) -> bool:
    """Return whether a mean gain is above *margin* standard errors, the prefixes of one case counting as one."""
    _, place = np.unique(case, return_inverse=True)
    sums, counts = np.bincount(place, gain), np.bincount(place)
    mean = gain.mean()
    error = np.sqrt(np.sum((sums - mean * counts) ** 2)) / counts.sum()
    return bool(mean > margin * error and len(counts) > 1)


@dataclass(frozen=True)
class Calibration:
    """How far each bound is moved, in logs, by band of prefix length: `edges` (band - 1,), `moves` (band, level)."""

    edges: np.ndarray
    moves: np.ndarray
    unit: float

    @staticmethod
    def fit(
        quantiles: np.ndarray,
        truth: np.ndarray,
        length: np.ndarray,
        case: np.ndarray,
        unit: float = 1.0,
        weight: np.ndarray | None = None,
    ) -> Calibration:
        """Return what makes quantiles (prefix, level) hold on *truth* (prefix,), for each band of prefix lengths.

        Prefixes of one case are not independent: as many cases as a band has are as many trials.
        """
        edges, weight = bands(length, len(np.unique(case))), np.ones(len(truth)) if weight is None else weight
        misses = np.log1p(truth / unit)[:, None] - np.log1p(quantiles / unit)
        band = np.searchsorted(edges, length, "right")
        whole = _moves(misses, weight, case)
        rows = [
            _moves(misses[here], weight[here], case[here])
            for row in range(len(edges) + 1)
            if (here := band == row).any()
        ]
        moves = np.array([_wider(row, whole) for row in rows]) if len(rows) == len(edges) + 1 else whole[None, :]
        return Calibration(edges if len(rows) == len(edges) + 1 else np.zeros(0), moves, unit)

    def of(self, quantiles: np.ndarray, length: np.ndarray) -> np.ndarray:
        """Return the quantiles with their bounds moved, never falling, never below 0."""
        band = np.searchsorted(self.edges, length, "right")
        logs = np.log1p(quantiles / self.unit) + self.moves[band]
        for level in range(MIDDLE - 1, -1, -1):
            logs[:, level] = np.minimum(logs[:, level], logs[:, level + 1])
        logs = np.maximum.accumulate(logs, axis=1)
        found: np.ndarray = self.unit * np.expm1(np.clip(logs, 0.0, 60.0))
        return found


def _moves(misses: np.ndarray, weight: np.ndarray, case: np.ndarray) -> np.ndarray:
    """Return the conformal shift of each bound (level,): the smallest (below: largest) that held often enough."""
    n, found = len(np.unique(case)), np.zeros(len(LEVELS))
    for level in BOUNDS:
        share = float(LEVELS[level])
        share = min(share * (n + 1) / n, 1.0) if share > 0.5 else max((share * (n + 1) - 1) / n, 0.0)
        found[level] = _weighted_quantile(misses[:, level], weight, share)
    return found


def _weighted_quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(below, share - 1e-12)), len(values) - 1)])


def _wider(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each bound the move that makes intervals wider: a band of few cases may look safe by chance."""
    return np.asarray(np.where(LEVELS > 0.5, np.maximum(one, other), np.minimum(one, other)))


def bands(length: np.ndarray, cases: int) -> np.ndarray:
    """Return edges of bands of prefix lengths: up to four, fewer for few cases."""
    many = int(np.clip(cases // FEW, 1, 4))
    return (
        np.unique(np.quantile(length, np.linspace(0, 1, many + 1)[1:-1]).astype(int) + 1)
        if len(length)
        else np.zeros(0)
    )


def coverage(quantiles: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the share of *truth* within each interval, by its nominal percentage."""
    pairs: Sequence[tuple[str, int, int]] = (("50", 2, 4), ("80", 1, 5), ("95", 0, 6))
    return {
        name: float(((truth >= quantiles[:, low]) & (truth <= quantiles[:, high])).mean()) for name, low, high in pairs
    }
