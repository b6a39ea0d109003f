"""What yesterday's twin says of today, shrunk to what it foretold before, with errors carried on from the readings so far.

y(t) = level + trust (f(t) - centre) + e(t): f is the twin's replay under today's inputs, e goes on through all days,
correlated as `Noise` says, with a part that changes slowly from day to day. It is one Gaussian process: level and trust are
learned from the days that the twin foretold before it saw them. Trust near 0 means that the level foretells as well as the twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from gemel.dynamics import Seed
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.personal.equations import CELL
from gemel.packs.diabetes.personal.noise import Noise, learn

LEVEL, TRUST = (145.0, 30.0), (0.1, 0.2)
"""Mean and spread of the level (mg/dL) and of the trust, before any day was foretold.

A twin of one day foretold the next with an RMSE of 87 where days had an SD of 44 (peers, 26 days): little is due to it at first.
"""

BETWEEN, BETWEEN_MIN = 10.0, 2000.0
"""Spread (mg/dL) and time (min) of what changes from day to day: judgements."""

ERRORS = (Noise(45.0, 250.0, 8.0, 40.0, 1.5), (0.25, 0.4, 0.4, 0.3, 0.3))
"""What errors of a day foretold are before any was seen, and the spread of the logarithms: judgements."""

EVERY = 3
"""Cells between the readings of a day foretold that are kept."""

LAST = 10
"""Days that are learned from, the last ones."""

LEAST = 5
"""Days foretold before their errors' size and times are learned; fewer made the next day worse (docs/personalise.md)."""


@dataclass(frozen=True)
class Foretold:
    """A day that was foretold: `said` (n,) by the twin before it, NaN if there was none, and `read` (n,), every 15 min."""

    at: Time
    said: np.ndarray
    read: np.ndarray


@dataclass(frozen=True)
class Trust:
    """Mean (2,) and covariance (2, 2) of level and trust; the `centre` that the twin's word is a deviation from; the errors'
    `noise`; readings so far: their time (n,) in min, `design` (n, 2) and values (n,)."""

    mean: np.ndarray
    covariance: np.ndarray
    centre: float
    noise: Noise
    at: np.ndarray
    design: np.ndarray
    read: np.ndarray


def trust(days: Sequence[Foretold]) -> Trust:
    """Return what the days so far teach of level and trust."""
    days = days[-LAST:]
    every = np.concatenate([day.read for day in days]) if days else np.array([np.nan])
    centre = float(np.nanmean(every)) if np.isfinite(every).any() else LEVEL[0]
    seen = np.isfinite(every)
    at = np.concatenate([day.at / MINUTE + CELL * EVERY * np.arange(len(day.read)) for day in days] or [np.zeros(1)])
    design = _design(np.concatenate([day.said for day in days] or [np.full(1, np.nan)]), centre)
    noise = ERRORS[0]
    found = _regress(at[seen], design[seen], every[seen], noise)
    if sum(bool(np.isfinite(day.said).any()) for day in days) >= LEAST:
        off = np.stack([day.read - _design(day.said, centre) @ found[0] for day in days])
        noise = learn(off, ERRORS, CELL * EVERY)
        found = _regress(at[seen], design[seen], every[seen], noise)
    return Trust(*found, centre, noise, at[seen], design[seen], every[seen])


def _design(said: np.ndarray, centre: float) -> np.ndarray:
    return np.stack([np.ones(len(said)), np.where(np.isfinite(said), said - centre, 0.0)], 1)


def _errors(noise: Noise, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the covariance (a, b) of errors at minutes, without white noise."""
    found: np.ndarray = noise.between(a, b) + BETWEEN**2 * np.exp(-np.abs(a[:, None] - b) / BETWEEN_MIN)
    return found


def _regress(at: np.ndarray, x: np.ndarray, read: np.ndarray, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    precision = np.diag([LEVEL[1] ** -2.0, TRUST[1] ** -2.0])
    right = precision @ [LEVEL[0], TRUST[0]]
    if len(at):
        weighed = cho_solve(cho_factor(_errors(noise, at, at) + noise.white**2 * np.eye(len(at)), lower=True), x)
        precision, right = precision + x.T @ weighed, right + weighed.T @ read
    covariance = np.linalg.inv(precision)
    return covariance @ right, covariance


def foretold(begin: Time, said: np.ndarray, read: np.ndarray, known: Trust) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n,) and covariance (n, n) of readings every 5 min from *begin*, given what the twin says and what was *read*
    of them so far, NaN where nothing was."""
    now = begin / MINUTE + CELL * np.arange(len(said))
    seen = np.isfinite(read)
    x = _design(said, known.centre)
    prior = np.diag([LEVEL[1] ** 2.0, TRUST[1] ** 2.0])
    before = known.at < now[0]
    at = np.concatenate([known.at[before], now[seen]])
    design = np.concatenate([known.design[before], x[seen]])
    values = np.concatenate([known.read[before], read[seen]])
    white = known.noise.white**2
    own = x @ prior @ x.T + _errors(known.noise, now, now) + white * np.eye(len(now))
    mean = x @ [LEVEL[0], TRUST[0]]
    if not len(at):
        return mean, own
    cross = x @ prior @ design.T + _errors(known.noise, now, at)
    given = design @ prior @ design.T + _errors(known.noise, at, at) + white * np.eye(len(at))
    gain = cho_solve(cho_factor(given, lower=True), cross.T).T
    after = own - gain @ cross.T
    return mean + gain @ (values - design @ [LEVEL[0], TRUST[0]]), 0.5 * (after + after.T)


def drawn(mean: np.ndarray, covariance: np.ndarray, count: int, seed: Seed, at: int) -> np.ndarray:
    """Return draws (count, n) keyed by seed and time, at 20 to 600 mg/dL."""
    rng = np.random.default_rng([seed, 3, at // 1000])
    value, vector = np.linalg.eigh(covariance)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    found: np.ndarray = np.clip(mean + rng.standard_normal((count, len(mean))) @ root.T, 20.0, 600.0)
    return found
