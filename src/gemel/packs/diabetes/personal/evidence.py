"""What the doses of a day tell of its glucose, as a record and not as a plan: who boluses without eating is high, whose pump
withholds basal is low, whatever either does to glucose afterwards.

Each kind of dose has a response over the hours before and after it; responses and the clock are learned as one Gaussian process
from other people, who share a mean response, and deviate from it (empirical Bayes: Rasmussen & Williams 2006, ch. 5). A response
before a dose cannot be its effect. So this says what a day probably was given what was done, never what a dose would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, cho_factor, cho_solve
from scipy.optimize import minimize

from gemel.facts import MINUTE
from gemel.packs.diabetes.personal.days import CELLS, Day
from gemel.packs.diabetes.personal.equations import CELL, LEAD
from gemel.packs.diabetes.personal.noise import Noise
from gemel.packs.diabetes.personal.unknowns import KNOTS, by_hour

KINDS = ("bolus with a meal", "bolus alone", "meal with a bolus", "meal alone", "basal withheld")
COARSE = 3
"""Cells of a bin of doses: 15 min."""

LAGS = np.arange(-180.0, 361.0, 60.0)
"""Minutes after a dose at which its response has a knot, straight between; it is smooth over `SMOOTH` min."""

SMOOTH = 75.0
WIDTH = len(KINDS) * len(LAGS) + KNOTS
BINS = (LEAD + CELLS) // COARSE

SMALLEST, NEAR = 0.3, 30.0
"""Insulin (U per cell) above the usual rate that is a bolus; how near (min) a meal and its bolus are. Judgements."""

UNIT, GRAMS, MOST = 4.0, 40.0, (15.0, 100.0)
"""A bolus (U) and a meal (g) that count as one; more than the largest counts as the largest. Judgements."""

SIZES = np.array([45.0, 250.0, 8.0, 40.0, 1.5, *[10.0] * len(KINDS), 0.5, 10.0, 10.0])
SPREADS = np.array([0.25, 0.4, 0.4, 0.3, 0.3, *[1.0] * len(KINDS), 0.7, 1.0, 1.0])
"""Medians, and spreads of the logarithms, of what is learned: the five of `Noise`; the size (mg/dL) of each kind's response in
people; a person's share of it; sizes of the clock in people and in a person. Judgements."""

LEVEL, LEVEL_SD = 145.0, 30.0
BETWEEN, BETWEEN_MIN = 10.0, 2000.0


@dataclass(frozen=True)
class Habits:
    """Mean (WIDTH,) and covariance of responses and clock in a person nobody knows yet, mg/dL, and the errors' noise."""

    mean: np.ndarray
    covariance: np.ndarray
    noise: Noise


@dataclass(frozen=True)
class Record:
    """One person's readings: minutes (n,), what doses and clock were (n, WIDTH), mg/dL (n,)."""

    at: np.ndarray
    design: np.ndarray
    read: np.ndarray


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
    withheld = np.clip(1.0 - insulin / max(usual, 1e-9), 0.0, 1.0) * CELL / 60.0
    kinds = np.stack([bolus * fed, bolus * ~fed, meal * dosed, meal * ~dosed, withheld])
    return np.asarray(kinds.reshape(len(KINDS), BINS, COARSE).sum(axis=2))


def _around(there: np.ndarray) -> np.ndarray:
    return np.convolve(there, np.ones(2 * int(NEAR / CELL) + 1), "same") > 0.5


def responses(doses: np.ndarray, hour: float, every: int = 1) -> np.ndarray:
    """Return what doses (kind, BINS) and the clock are (n, WIDTH) at every so many cells of a day that begins at an hour."""
    at = CELL * np.arange(0, CELLS + 1, every)
    given = CELL * COARSE * (np.arange(BINS) + 0.5) - CELL * LEAD
    after = at[:, None] - given
    step = LAGS[1] - LAGS[0]
    parts = [np.maximum(1.0 - np.abs(after - lag) / step, 0.0) @ doses.T for lag in LAGS]
    return np.concatenate([np.stack(parts, 2).reshape(len(at), -1), by_hour((hour + at / 60.0) % 24.0)], axis=1)


def record(days: Sequence[Day], every: int) -> Record:
    """Return a person's readings at every so many cells of her days."""
    at = np.concatenate([day.at / MINUTE + CELL * np.arange(0, CELLS + 1, every) for day in days])
    design = np.concatenate([responses(doses_of(day), day.hour[LEAD], every) for day in days])
    read = np.concatenate([day.glucose[::every] for day in days])
    at, first = np.unique(np.where(np.isfinite(read), at, -1.0), return_index=True)
    keep = first[at >= 0]
    return Record(at[at >= 0], design[keep], read[keep])


def errors(noise: Noise, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the covariance (a, b) of errors at minutes, with a part that changes slowly from day to day, without white noise."""
    found: np.ndarray = noise.between(a, b) + BETWEEN**2 * np.exp(-np.abs(a[:, None] - b) / BETWEEN_MIN)
    return found


def learned(people: Sequence[Sequence[Day]]) -> Habits:
    """Return what the days of some people teach of another."""
    records = [record(days, 2 * COARSE) for days in people]

    def cost(z: np.ndarray) -> float:
        precision, right, total = _shared(z, records)
        size = np.linalg.slogdet(precision @ _of_people(z))[1]
        return float(0.5 * (z @ z) + total + 0.5 * size - 0.5 * right @ np.linalg.solve(precision, right))

    z = minimize(
        cost, np.zeros(len(SIZES)), method="L-BFGS-B", options={"maxiter": 100}, bounds=[(-3, 3)] * len(SIZES)
    ).x
    precision, right, _ = _shared(z, records)
    covariance = np.linalg.inv(precision)
    return Habits(covariance @ right, covariance + _of_a_person(z), Noise(*[float(v) for v in _sizes(z)[:5]]))


def _shared(z: np.ndarray, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return precision and right side of the mean response, and what of minus the log likelihood does not depend on it."""
    noise = Noise(*[float(v) for v in _sizes(z)[:5]])
    precision, right, total = np.linalg.inv(_of_people(z)), np.zeros(WIDTH), 0.0
    own = _of_a_person(z)
    for one in records:
        n = len(one.at)
        spread = (
            one.design @ own @ one.design.T + errors(noise, one.at, one.at) + noise.white**2 * np.eye(n) + LEVEL_SD**2
        )
        factor = cho_factor(spread, lower=True)
        off = one.read - LEVEL
        weighed = cho_solve(factor, np.column_stack([one.design, off]))
        precision, right = precision + one.design.T @ weighed[:, :-1], right + one.design.T @ weighed[:, -1]
        total += 0.5 * float(off @ weighed[:, -1]) + float(np.log(np.diag(factor[0])).sum())
    return precision, right, total


def _sizes(z: np.ndarray) -> np.ndarray:
    return np.asarray(SIZES * np.exp(SPREADS * z))


def _of_people(z: np.ndarray) -> np.ndarray:
    *kinds, _, clock, _ = _sizes(z)[5:]
    return _prior(np.array(kinds), clock) + 1e-6 * np.eye(WIDTH)


def _of_a_person(z: np.ndarray) -> np.ndarray:
    *kinds, share, _, clock = _sizes(z)[5:]
    return _prior(share * np.array(kinds), clock)


def _prior(kinds: np.ndarray, clock: float) -> np.ndarray:
    smooth = np.exp(-0.5 * ((LAGS[:, None] - LAGS) / SMOOTH) ** 2)
    return np.asarray(block_diag(*[size**2 * smooth for size in kinds], clock**2 * np.eye(KNOTS)))
