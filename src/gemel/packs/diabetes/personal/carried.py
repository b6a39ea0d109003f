"""What yesterday's twin says of today, shrunk to what it foretold before, with errors carried on from the readings so far.

y(t) = level + trust (f(t) - centre) + e(t), on the root's scale (`root`): f is the twin's replay under today's inputs, e goes on
through all days, correlated as `Noise` says, with a part that changes slowly from day to day. It is one Gaussian process: level
and trust are learned from the days that the twin foretold before it saw them. Trust near 0 means that the level foretells as well
as the twin. Where `Habits` of other people are given, trust begins at theirs, the doses of each day are taken as evidence besides
(`evidence`), and what is said is the mean of what is said with that evidence and without: it helps some people and misleads
others, and means of forecasts err less than most of them (Bates & Granger 1969, 10.1057/jors.1969.103; Clemen 1989,
10.1016/0169-2070(89)90012-5). How wide it is follows the person: days that were foretold say by how much errors were wider
or narrower than days before them say (the variance's scaled inverse chi-squared: Gelman et al., Bayesian Data Analysis, 3rd ed.,
2.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from gemel.dynamics import Seed
from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.personal.equations import CELL
from gemel.packs.diabetes.personal.evidence import (
    EVERY,
    LEVEL_SD,
    MEAN,
    NONE,
    TRUST,
    Foretold,
    Record,
    centre,
    design_of,
    errors,
    joined,
    nothing,
    record,
)
from gemel.packs.diabetes.personal.habits import Habits
from gemel.packs.diabetes.personal.noise import Noise, learn
from gemel.packs.diabetes.personal.root import rooted, squared

ERRORS = (Noise(45.0, 250.0, 8.0, 40.0, 1.5), (0.25, 0.4, 0.4, 0.3, 0.3))
"""What errors of a day foretold are before any was seen, and the spread of the logarithms: judgements."""

LAST = 10
"""Days that are learned from, the last ones."""

LEAST = 5
"""Days foretold before their errors' size and times are learned; fewer made the next day worse (docs/personalise.md)."""

WORTH = 1.0
"""Days that the spread as it is counts for beside the person's own: of 1 to 16 the likeliest on 30 virtual people."""

Belief = tuple[np.ndarray, np.ndarray]
"""A mean and a covariance."""


STRANGER: Belief = (MEAN[:2], np.diag([LEVEL_SD**2, TRUST[1] ** 2]))
"""Level and trust of whoever nobody knows."""


@dataclass(frozen=True)
class Trust:
    """What is believed of level, trust and, where doses are evidence, of them (`evidence`): `prior`, and from the days so far
    `mean` and `covariance`; the `centre` that the twin's word is a deviation from; the errors' `noise`, and how far `off` its
    level basal is withheld; the `record` so far; the person's own `scale` of spreads. Where doses are evidence, `without` is what
    the same days teach without."""

    prior: Belief
    mean: np.ndarray
    covariance: np.ndarray
    centre: float
    noise: Noise
    off: float
    record: Record
    scale: float = 1.0
    without: Trust | None = None


def trust(days: Sequence[Foretold], habits: Habits | None = None) -> Trust:
    """Return what the days so far teach of level, trust and spread, and with *habits* of what doses tell."""
    days = days[-LAST:]
    known = _trust(days, habits)
    noise = (known.without or known).noise
    apart = [
        _apart(day, _trust(days[:i], habits, noise)) for i, day in enumerate(days) if i and np.isfinite(day.said).any()
    ]
    squares, shares = np.sum(apart, axis=0) if apart else (0.0, 0.0)
    return replace(known, scale=float(np.sqrt((WORTH + squares) / (WORTH + shares))))


def _trust(days: Sequence[Foretold], habits: Habits | None, noise: Noise | None = None) -> Trust:
    """Return what days teach but for the spread; *noise*, if given, is that of errors where no habits have it."""
    if habits is None:
        return _learned(days, STRANGER, None, noise)
    without = _learned(days, (habits.mean[:2], habits.covariance[:2, :2]), None, noise)
    return replace(_learned(days, (habits.mean, habits.covariance), habits), without=without)


def _apart(day: Foretold, known: Trust) -> tuple[float, float]:
    """Return the sum of a day's squared errors, in units of the spread that days before it say, by all readings that a day may
    have, and its share of those; both without its first reading, which is given."""
    read = np.isfinite(day.read)
    first = read & (np.cumsum(read) == 1)
    mean, covariance = foretold(day.at, day.said, np.where(first, day.read, np.nan), known, day.doses, day.hour, EVERY)
    later = read & ~first
    squares = ((rooted(day.read) - mean) ** 2 / np.diag(covariance))[later]
    return float(squares.sum() / len(read)), float(later.mean())


def _learned(days: Sequence[Foretold], prior: Belief, habits: Habits | None, noise: Noise | None = None) -> Trust:
    """Return what days teach under a *prior*; errors' *noise* is learned too where nothing has it and days are enough."""
    about, known = centre(days), habits is not None or noise is not None
    noise, off = (noise or ERRORS[0], 0.0) if habits is None else (habits.noise, habits.off)
    given = [None if habits is None else day.doses for day in days]
    designs = [design_of(day.said, about, doses, day.hour, EVERY) for day, doses in zip(days, given, strict=True)]
    each = zip(days, designs, given, strict=True)
    found = joined([nothing(len(prior[0])), *[record(day.at, x, day.read, doses, EVERY) for day, x, doses in each]])
    belief = _regress(found, noise, off, prior)
    if not known and sum(bool(np.isfinite(day.said).any()) for day in days) >= LEAST:
        left = np.stack([rooted(day.read) - x @ belief[0] for day, x in zip(days, designs, strict=True)])
        noise = learn(left, ERRORS, CELL * EVERY)
        belief = _regress(found, noise, off, prior)
    return Trust(prior, *belief, about, noise, off, found)


def _regress(known: Record, noise: Noise, off: float, prior: Belief) -> Belief:
    precision = np.linalg.inv(prior[1])
    right = precision @ prior[0]
    if len(known.at):
        x, spread = known.design, errors(noise, known.at, known.at) + np.diag(known.white(noise, off))
        weighed = cho_solve(cho_factor(spread, lower=True), x)
        precision, right = precision + x.T @ weighed, right + weighed.T @ known.read
    covariance = np.linalg.inv(precision)
    return covariance @ right, covariance


def foretold(
    begin: Time, said: np.ndarray, read: np.ndarray, known: Trust, doses: np.ndarray | None = None, hour: float = 4.0,
    every: int = 1,
) -> Belief:  # fmt: skip
    """Return mean (n,) and covariance (n, n), on the root's scale, of readings at *every* so many cells from *begin*, given what
    the twin says and what was *read* of them so far (mg/dL, NaN where nothing was), and where doses are evidence the day's."""
    mean, covariance = _foretold(begin, said, read, known, doses, hour, every)
    if known.without is not None:
        mean, covariance = _either((mean, covariance), _foretold(begin, said, read, known.without, None, hour, every))
    return mean, known.scale**2 * covariance


def _either(one: Belief, other: Belief) -> Belief:
    """Return mean and covariance of what is as likely to be the one as the other."""
    (mean, covariance), (mean2, covariance2) = one, other
    apart = (mean - mean2) / 2
    return (mean + mean2) / 2, (covariance + covariance2) / 2 + np.outer(apart, apart)


def _foretold(
    begin: Time, said: np.ndarray, read: np.ndarray, known: Trust, doses: np.ndarray | None, hour: float, every: int
) -> Belief:
    noise, (mean, prior) = known.noise, known.prior
    now = begin / MINUTE + CELL * every * np.arange(len(said))
    doses = None if len(mean) == len(STRANGER[0]) else NONE if doses is None else doses
    x = design_of(said, known.centre, doses, hour, every)
    seen = joined([known.record.where(known.record.at < now[0]), record(begin, x, read, doses, every)])
    own = x @ prior @ x.T + errors(noise, now, now) + noise.white**2 * np.eye(len(now))
    if not len(seen.at):
        return x @ mean, own
    cross = x @ prior @ seen.design.T + errors(noise, now, seen.at)
    white = np.diag(seen.white(noise, known.off))
    given = seen.design @ prior @ seen.design.T + errors(noise, seen.at, seen.at) + white
    gain = cho_solve(cho_factor(given, lower=True), cross.T).T
    after = own - gain @ cross.T
    return x @ mean + gain @ (seen.read - seen.design @ mean), 0.5 * (after + after.T)


def drawn(mean: np.ndarray, covariance: np.ndarray, count: int, seed: Seed, at: int) -> np.ndarray:
    """Return draws (count, n) keyed by seed and time, at 20 to 600 mg/dL."""
    rng = np.random.default_rng([seed, 3, at // 1000])
    value, vector = np.linalg.eigh(covariance)
    root = vector * np.sqrt(np.maximum(value, 0.0))
    found: np.ndarray = np.clip(squared(mean + rng.standard_normal((count, len(mean))) @ root.T), 20.0, 600.0)
    return found
