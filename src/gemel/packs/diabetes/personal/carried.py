"""What yesterday's twin says of today, shrunk to what it foretold before, with errors carried on from the readings so far.

y(t) = level + trust (f(t) - centre) + e(t): f is the twin's replay under today's inputs, e goes on through all days,
correlated as `Noise` says, with a part that changes slowly from day to day. It is one Gaussian process: level and trust are
learned from the days that the twin foretold before it saw them. Trust near 0 means that the level foretells as well as the twin.
Where `Habits` of other people are given, the doses of each day are taken as evidence besides (`evidence`), and what is said is
the mean of what is said with that evidence and without: it helps some people and misleads others, and means of forecasts err
less than most of them (Bates & Granger 1969, 10.1057/jors.1969.103; Clemen 1989, 10.1016/0169-2070(89)90012-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import block_diag, cho_factor, cho_solve

from gemel.dynamics import Seed
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.personal.equations import CELL
from gemel.packs.diabetes.personal.evidence import BINS, KINDS, LEVEL, LEVEL_SD, WIDTH, Habits, errors, responses
from gemel.packs.diabetes.personal.noise import Noise, learn

TRUST = (0.1, 0.2)
"""Mean and spread of the trust, before any day was foretold.

A twin of one day foretold the next with an RMSE of 87 where days had an SD of 44 (peers, 26 days): little is due to it at first.
"""

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
    """A day that was foretold: `said` (n,) by the twin before it, NaN if there was none, and `read` (n,), every 15 min; its
    `doses` (kind, bin) and the `hour` it began, as `evidence` takes them."""

    at: Time
    said: np.ndarray
    read: np.ndarray
    doses: np.ndarray = field(default_factory=lambda: np.zeros((len(KINDS), BINS)))
    hour: float = 4.0


@dataclass(frozen=True)
class Trust:
    """Mean and covariance of level, trust and, with `habits`, responses to doses; the `centre` that the twin's word is a
    deviation from; the errors' `noise`; readings so far: their time (n,) in min, `design` (n, 2 or more) and values (n,).
    With `habits`, `without` is what the same days teach without them."""

    mean: np.ndarray
    covariance: np.ndarray
    centre: float
    noise: Noise
    at: np.ndarray
    design: np.ndarray
    read: np.ndarray
    habits: Habits | None = None
    without: Trust | None = None


def trust(days: Sequence[Foretold], habits: Habits | None = None) -> Trust:
    """Return what the days so far teach of level and trust, and with *habits* of what doses tell."""
    days = days[-LAST:]
    every = np.concatenate([day.read for day in days]) if days else np.array([np.nan])
    centre = float(np.nanmean(every)) if np.isfinite(every).any() else LEVEL
    seen = np.isfinite(every)
    at = np.concatenate([day.at / MINUTE + CELL * EVERY * np.arange(len(day.read)) for day in days] or [np.zeros(1)])
    said = np.concatenate([day.said for day in days] or [np.full(1, np.nan)])
    told = np.concatenate([_told(day, habits) for day in days] or [np.zeros((1, 0 if habits is None else WIDTH))])
    design = _design(said, centre, told)
    noise = ERRORS[0] if habits is None else habits.noise
    found = _regress(at[seen], design[seen], every[seen], noise, habits)
    if habits is None and sum(bool(np.isfinite(day.said).any()) for day in days) >= LEAST:
        off = np.stack([day.read - _design(day.said, centre, _told(day, None)) @ found[0] for day in days])
        noise = learn(off, ERRORS, CELL * EVERY)
        found = _regress(at[seen], design[seen], every[seen], noise, habits)
    without = None if habits is None else trust(days)
    return Trust(*found, centre, noise, at[seen], design[seen], every[seen], habits, without)


def _told(day: Foretold, habits: Habits | None) -> np.ndarray:
    return np.zeros((len(day.read), 0)) if habits is None else responses(day.doses, day.hour, EVERY)


def _design(said: np.ndarray, centre: float, told: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(said)), np.where(np.isfinite(said), said - centre, 0.0), told])


def _prior(habits: Habits | None) -> tuple[np.ndarray, np.ndarray]:
    plain = np.diag([LEVEL_SD**2, TRUST[1] ** 2])
    if habits is None:
        return np.array([LEVEL, TRUST[0]]), plain
    return np.concatenate([[LEVEL, TRUST[0]], habits.mean]), np.asarray(block_diag(plain, habits.covariance))


def _regress(
    at: np.ndarray, x: np.ndarray, read: np.ndarray, noise: Noise, habits: Habits | None
) -> tuple[np.ndarray, np.ndarray]:
    mean, covariance = _prior(habits)
    precision = np.linalg.inv(covariance)
    right = precision @ mean
    if len(at):
        weighed = cho_solve(cho_factor(errors(noise, at, at) + noise.white**2 * np.eye(len(at)), lower=True), x)
        precision, right = precision + x.T @ weighed, right + weighed.T @ read
    covariance = np.linalg.inv(precision)
    return covariance @ right, covariance


def foretold(
    begin: Time, said: np.ndarray, read: np.ndarray, known: Trust, told: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n,) and covariance (n, n) of readings every 5 min from *begin*, given what the twin says, what was *read*
    of them so far, NaN where nothing was, and where habits are known what doses are (n, WIDTH)."""
    found = _foretold(begin, said, read, known, told)
    return found if known.without is None else _either(found, _foretold(begin, said, read, known.without, None))


def _either(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of what is as likely to be the one as the other."""
    (mean, covariance), (mean2, covariance2) = one, other
    apart = (mean - mean2) / 2
    return (mean + mean2) / 2, (covariance + covariance2) / 2 + np.outer(apart, apart)


def _foretold(
    begin: Time, said: np.ndarray, read: np.ndarray, known: Trust, told: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    now = begin / MINUTE + CELL * np.arange(len(said))
    seen = np.isfinite(read)
    mean, prior = _prior(known.habits)
    x = _design(said, known.centre, np.zeros((len(said), len(mean) - 2)) if told is None else told)
    before = known.at < now[0]
    at = np.concatenate([known.at[before], now[seen]])
    design = np.concatenate([known.design[before], x[seen]])
    values = np.concatenate([known.read[before], read[seen]])
    white = known.noise.white**2
    own = x @ prior @ x.T + errors(known.noise, now, now) + white * np.eye(len(now))
    if not len(at):
        return x @ mean, own
    cross = x @ prior @ design.T + errors(known.noise, now, at)
    given = design @ prior @ design.T + errors(known.noise, at, at) + white * np.eye(len(at))
    gain = cho_solve(cho_factor(given, lower=True), cross.T).T
    after = own - gain @ cross.T
    return x @ mean + gain @ (values - design @ mean), 0.5 * (after + after.T)


def drawn(mean: np.ndarray, covariance: np.ndarray, count: int, seed: Seed, at: int) -> np.ndarray:
    """Return draws (count, n) keyed by seed and time, at 20 to 600 mg/dL."""
    rng = np.random.default_rng([seed, 3, at // 1000])
    value, vector = np.linalg.eigh(covariance)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    found: np.ndarray = np.clip(mean + rng.standard_normal((count, len(mean))) @ root.T, 20.0, 600.0)
    return found
