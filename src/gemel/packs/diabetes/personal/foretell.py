"""What yesterday's twin says of today, shrunk to what it foretold before, with errors that are carried on from the readings
so far.

y(t) = level + trust (f(t) - centre) + e(t): f is the twin's replay under today's inputs. Trust and level are learned from the
days that the twin foretold before it saw them, with e correlated as `Noise` says. Trust near 0 means that the person's level
foretells as well as the twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from gemel.dynamics import Seed
from gemel.packs.diabetes.personal.equations import CELL
from gemel.packs.diabetes.personal.noise import Noise, learn

LEVEL, TRUST = (145.0, 30.0), (0.3, 0.3)
"""Mean and spread of the level (mg/dL) and of the trust, before any day was foretold: judgements."""

BETWEEN = 10.0
"""Spread of levels between days, mg/dL: a judgement."""

ERRORS = (Noise(45.0, 200.0, 8.0, 40.0, 1.5), (0.25, 0.4, 0.4, 0.3, 0.3))
"""What errors of a day foretold are before any was seen, and the spread of the logarithms: judgements."""

EVERY = 3
"""Cells between the readings that trust is learned from."""


@dataclass(frozen=True)
class Foretold:
    """A day that was foretold: `said` (n,) by the twin before it, NaN if there was none, and `read` (n,), both every 15 min."""

    at: int
    said: np.ndarray
    read: np.ndarray


@dataclass(frozen=True)
class Trust:
    """Mean (2,) and covariance (2, 2) of level and trust, the `centre` that the twin's word is a deviation from, and the
    errors' `noise`."""

    mean: np.ndarray
    covariance: np.ndarray
    centre: float
    noise: Noise


def trust(days: Sequence[Foretold]) -> Trust:
    """Return what the days so far teach of level and trust."""
    every = np.concatenate([day.read for day in days]) if days else np.array([np.nan])
    centre = float(np.nanmean(every)) if np.isfinite(every).any() else LEVEL[0]
    noise = ERRORS[0]
    found = _regress(days, centre, noise)
    for _ in range(2 if days else 0):
        off = np.stack([day.read - _design(day, centre) @ found[0] for day in days])
        noise = learn(off, ERRORS, CELL * EVERY)
        found = _regress(days, centre, noise)
    return Trust(*found, centre, noise)


def _design(day: Foretold, centre: float) -> np.ndarray:
    return np.stack([np.ones(len(day.said)), np.where(np.isfinite(day.said), day.said - centre, 0.0)], 1)


def _regress(days: Sequence[Foretold], centre: float, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    precision = np.diag([LEVEL[1] ** -2.0, TRUST[1] ** -2.0])
    right = precision @ [LEVEL[0], TRUST[0]]
    for day in days:
        seen = np.isfinite(day.read)
        if not seen.any():
            continue
        x = _design(day, centre)[seen]
        factor = cho_factor(noise.covariance(CELL * EVERY * np.flatnonzero(seen)) + BETWEEN**2, lower=True)
        weighed = cho_solve(factor, x)
        precision = precision + x.T @ weighed
        right = right + weighed.T @ day.read[seen]
    covariance = np.linalg.inv(precision)
    return covariance @ right, covariance


def foretold(said: np.ndarray, read: np.ndarray, known: Trust) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n,) and covariance (n, n) of readings every 5 min, given what the twin says and those *read* so far, NaN
    where none."""
    at = CELL * np.arange(len(said))
    x = np.stack([np.ones(len(said)), said - known.centre], 1)
    prior = x @ known.covariance @ x.T + BETWEEN**2 + known.noise.between(at, at)
    seen = np.isfinite(read)
    mean = x @ known.mean
    if not seen.any():
        return mean, prior + known.noise.white**2 * np.eye(len(said))
    factor = cho_factor(prior[np.ix_(seen, seen)] + known.noise.white**2 * np.eye(int(seen.sum())), lower=True)
    gain = cho_solve(factor, prior[seen]).T
    after = prior - gain @ prior[seen] + known.noise.white**2 * np.eye(len(said))
    return mean + gain @ (read - mean)[seen], 0.5 * (after + after.T)


def drawn(mean: np.ndarray, covariance: np.ndarray, count: int, seed: Seed, at: int) -> np.ndarray:
    """Return draws (count, n) keyed by seed and time, at 20 to 600 mg/dL."""
    rng = np.random.default_rng([seed, 3, at // 1000])
    value, vector = np.linalg.eigh(covariance)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    found: np.ndarray = np.clip(mean + rng.standard_normal((count, len(mean))) @ root.T, 20.0, 600.0)
    return found
