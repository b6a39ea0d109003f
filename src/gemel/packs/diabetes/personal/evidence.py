"""What the doses of a day tell of its glucose, as a record and not as a plan: who boluses without eating is high, whose pump
withholds basal is low, whatever either does to glucose afterwards.

Each kind of dose has a response over the hours before and after it; how large, other people tell (`habits`). A response before a
dose cannot be its effect. And whenever basal begins to be withheld, that is a reading: glucose was about where this person or
pump withholds it. So this says what a day probably was given what was done, never what a dose would do. Glucose is on the root's
scale (`root`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.personal.days import CELLS, Day
from gemel.packs.diabetes.personal.equations import CELL, LEAD
from gemel.packs.diabetes.personal.noise import Noise
from gemel.packs.diabetes.personal.root import rooted
from gemel.packs.diabetes.personal.unknowns import KNOTS, by_hour

KINDS = ("bolus with a meal", "bolus alone", "meal with a bolus", "meal alone", "basal withheld")
COARSE = 3
"""Cells of a bin of doses: 15 min."""

LAGS = np.arange(-180.0, 361.0, 60.0)
"""Minutes after a dose at which its response has a knot, straight between; it is smooth over `SMOOTH` min."""

SMOOTH = 75.0
TOLD = len(KINDS) * len(LAGS) + KNOTS
WIDTH = TOLD + 3
"""What is learned of a person: level, trust, responses and clock, and where basal is withheld."""

BINS = (LEAD + CELLS) // COARSE

SMALLEST, NEAR = 0.3, 30.0
"""Insulin (U per cell) above the usual rate that is a bolus; how near (min) a meal and its bolus are. Judgements."""

UNIT, GRAMS, MOST = 4.0, 40.0, (15.0, 100.0)
"""A bolus (U) and a meal (g) that count as one; more than the largest counts as the largest. Judgements."""

EVERY = COARSE
"""Cells between the readings of a day foretold that are kept."""

LEVEL, LEVEL_SD = 145.0, 30.0
BETWEEN, BETWEEN_MIN = 10.0, 2000.0

TRUST, OWN_TRUST = (0.1, 0.2), 0.05
"""Mean and spread of the trust in what a twin foretells, before any day was foretold; its spread between people (a judgement).

A twin of one day foretold the next with an RMSE of 87 where days had an SD of 44 (peers, 26 days): little is due to it at first.
"""

LOW, OWN_LOW = (100.0, 25.0), 30.0
"""Where basal is withheld: mean, its spread, that between people. Judgements."""

MISSING, WHOLE = 0.5, 0.9
"""Share of 15 min of basal that is missing where it is withheld, and for some quarter of an hour of each spell. Judgements."""

NONE = np.zeros((len(KINDS), BINS))
"""A day without doses."""

MEAN = np.array([LEVEL, TRUST[0], *[0.0] * TOLD, LOW[0]])
"""Of what is learned of a person (WIDTH,), before anybody is known."""


@dataclass(frozen=True)
class Foretold:
    """A day that was foretold: `said` (n,) by the twin before it, NaN if there was none, and `read` (n,), mg/dL every 15 min; its
    `doses` (kind, bin) and the `hour` it began."""

    at: Time
    said: np.ndarray
    read: np.ndarray
    doses: np.ndarray = field(default_factory=lambda: NONE)
    hour: float = 4.0


@dataclass(frozen=True)
class Record:
    """One person's readings: minutes (n,), what level, twin and doses say (n, WIDTH, or 2 without doses) and what was read (n,);
    `low` where basal began to be withheld, which reads that glucose less that level is nothing."""

    at: np.ndarray
    design: np.ndarray
    read: np.ndarray
    low: np.ndarray

    def where(self, kept: np.ndarray) -> Record:
        """Return a part of the record."""
        return Record(self.at[kept], self.design[kept], self.read[kept], self.low[kept])

    def white(self, noise: Noise, off: float) -> np.ndarray:
        """Return the variance (n,) of errors that are not correlated in time."""
        return np.asarray(np.where(self.low, off, noise.white) ** 2)


def nothing(width: int) -> Record:
    """Return a record of no reading."""
    return Record(np.zeros(0), np.zeros((0, width)), np.zeros(0), np.zeros(0, bool))


def joined(records: Sequence[Record]) -> Record:
    """Return records of one width as one."""
    return Record(
        *[np.concatenate([getattr(one, name) for one in records]) for name in ("at", "design", "read", "low")]
    )


def doses_of(day: Day) -> np.ndarray:
    """Return doses of each kind (kind, BINS) in a day and the 8 h before it, each as a share of a usual one; of basal, hours."""
    insulin = day.insulin * CELL * day.weight / 1000.0
    usual = float(np.median(insulin))
    bolus = np.where(insulin > usual + SMALLEST, insulin - usual, 0.0)
    meal = np.zeros(LEAD + CELLS)
    cell = np.floor(day.meal_at / CELL).astype(int) + LEAD
    there = (day.meal > 0) & (cell >= 0) & (cell < len(meal))
    np.add.at(meal, cell[there], day.meal[there] * day.weight / 1000.0)
    fed, dosed = _around(meal > 0), _around(bolus > 0)
    bolus, meal = np.minimum(bolus, MOST[0]) / UNIT, np.minimum(meal, MOST[1]) / GRAMS
    missing = np.clip(1.0 - insulin / max(usual, 1e-9), 0.0, 1.0) * CELL / 60.0
    kinds = np.stack([bolus * fed, bolus * ~fed, meal * dosed, meal * ~dosed, missing])
    return np.asarray(kinds.reshape(len(KINDS), BINS, COARSE).sum(axis=2))


def _around(there: np.ndarray) -> np.ndarray:
    return np.convolve(there, np.ones(2 * int(NEAR / CELL) + 1), "same") > 0.5


def responses(doses: np.ndarray, hour: float, every: int = 1) -> np.ndarray:
    """Return what doses (kind, BINS) and the clock are (n, TOLD) at every so many cells of a day that begins at an hour."""
    at = CELL * np.arange(0, CELLS + 1, every)
    given = CELL * COARSE * (np.arange(BINS) + 0.5) - CELL * LEAD
    after = at[:, None] - given
    step = LAGS[1] - LAGS[0]
    parts = [np.maximum(1.0 - np.abs(after - lag) / step, 0.0) @ doses.T for lag in LAGS]
    return np.concatenate([np.stack(parts, 2).reshape(len(at), -1), by_hour((hour + at / 60.0) % 24.0)], axis=1)


def centre(days: Sequence[Foretold]) -> float:
    """Return what a twin's word is taken as a deviation from: the mean of what was read."""
    read = np.concatenate([rooted(day.read) for day in days] or [np.full(1, np.nan)])
    return float(np.nanmean(read)) if np.isfinite(read).any() else LEVEL


def deviation(said: np.ndarray, about: float) -> np.ndarray:
    """Return how far what a twin said (n,) mg/dL is from a centre; 0 where it said nothing."""
    return np.asarray(np.where(np.isfinite(said), rooted(said) - about, 0.0))


def design_of(said: np.ndarray, about: float, doses: np.ndarray | None, hour: float, every: int) -> np.ndarray:
    """Return what level, twin and, unless None, doses say (n, WIDTH or 2) at every so many cells of a day."""
    known = [np.ones(len(said)), deviation(said, about)]
    if doses is None:
        return np.column_stack(known)
    return np.column_stack([*known, responses(doses, hour, every), np.zeros(len(said))])


def record(begin: Time, design: np.ndarray, read: np.ndarray, doses: np.ndarray | None, every: int) -> Record:
    """Return readings (n,) mg/dL at every so many cells of a day as a record, and when basal began to be withheld."""
    at = begin / MINUTE + CELL * every * np.arange(len(read))
    seen = np.isfinite(read)
    found = Record(at[seen], design[seen], rooted(read[seen]), np.zeros(seen.sum(), bool))
    if doses is None:
        return found
    low = withheld(doses) * COARSE // every
    row = design[low].copy()
    row[:, -1] = -1.0
    return joined([found, Record(at[low], row, np.zeros(len(low)), np.ones(len(low), bool))])


def withheld(doses: np.ndarray) -> np.ndarray:
    """Return at which quarters of an hour of a day basal began to be withheld: not where a lower rate began."""
    missing = doses[KINDS.index("basal withheld")] / (CELL * COARSE / 60.0)
    low = missing > MISSING
    begins = low & ~np.concatenate([[False], low[:-1]])
    spell = np.cumsum(begins)
    begun = np.flatnonzero(begins & np.isin(spell, spell[missing > WHOLE])) - LEAD // COARSE
    return np.asarray(begun[begun >= 0])


def errors(noise: Noise, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the covariance (a, b) of errors at minutes, with a part that changes slowly from day to day, without white noise."""
    found: np.ndarray = noise.between(a, b) + BETWEEN**2 * np.exp(-np.abs(a[:, None] - b) / BETWEEN_MIN)
    return found
