"""What some people's days teach of another person: how doses tell of glucose, and how far a twin's word is to be trusted.

Responses to doses (`evidence`), the clock and the trust in what the twins of those people foretold are one Gaussian process;
people share a mean, and deviate from it (empirical Bayes: Rasmussen & Williams 2006, ch. 5). Glucose is on the root's scale
(`root`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, cho_factor, cho_solve
from scipy.optimize import minimize

from gemel.packs.diabetes.personal.evidence import (
    EVERY,
    KINDS,
    LAGS,
    LEVEL_SD,
    LOW,
    MEAN,
    OWN_LOW,
    OWN_TRUST,
    SMOOTH,
    TRUST,
    WIDTH,
    Foretold,
    Record,
    centre,
    design_of,
    errors,
    joined,
    nothing,
    record,
)
from gemel.packs.diabetes.personal.noise import Noise
from gemel.packs.diabetes.personal.unknowns import KNOTS

SIZES = np.array([45.0, 250.0, 8.0, 40.0, 1.5, *[10.0] * len(KINDS), 0.5, 10.0, 10.0, 40.0])
SPREADS = np.array([0.25, 0.4, 0.4, 0.3, 0.3, *[1.0] * len(KINDS), 0.7, 1.0, 1.0, 0.7])
"""Medians, and spreads of the logarithms, of what is learned: the five of `Noise`; the size (mg/dL) of each kind's response in
people; a person's share of it; sizes of the clock in people and in a person; how far off its level basal is withheld. Judgements.
"""


@dataclass(frozen=True)
class Habits:
    """Mean (WIDTH,) and covariance of what is learned of a person in one nobody knows yet; the errors' noise, and how far (`off`)
    from its level basal is withheld."""

    mean: np.ndarray
    covariance: np.ndarray
    noise: Noise
    off: float


def learned(people: Sequence[Sequence[Foretold]]) -> Habits:
    """Return what the days of some people, and what their twins foretold of them, teach of another."""
    records = [_thinned(days) for days in people]
    lows = [one.where(one.low) for one in records]

    def cost(z: np.ndarray) -> float:
        """Return minus the log likelihood of what was read, given when basal was withheld."""
        return float(0.5 * (z @ z) + _shared(z, records)[2] - _shared(z, lows)[2])

    z = minimize(
        cost, np.zeros(len(SIZES)), method="L-BFGS-B", options={"maxiter": 100}, bounds=[(-3, 3)] * len(SIZES)
    ).x
    mean, covariance, _ = _shared(z, records)
    return Habits(mean, covariance + _of_a_person(z), _noise(z), float(_sizes(z)[-1]))


def _thinned(days: Sequence[Foretold]) -> Record:
    """Return a person's record, one reading in two of those kept."""
    about = centre(days)
    each = [nothing(WIDTH)]
    for day in days:
        design = design_of(day.said, about, day.doses, day.hour, EVERY)
        other = np.where(
            np.arange(len(day.read) - 1) % 2 == 0, day.read[:-1], np.nan
        )  # the last is the next day's first
        each.append(record(day.at, design[:-1], other, day.doses, EVERY))
    return joined(each)


def _shared(z: np.ndarray, records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean and covariance of what people share, and minus the log likelihood of their records."""
    noise, off, people, own = _noise(z), float(_sizes(z)[-1]), _of_people(z), _of_a_person(z)
    precision, right, total = np.linalg.inv(people), np.zeros(WIDTH), 0.0
    for one in records:
        x = one.design
        factor = cho_factor(x @ own @ x.T + errors(noise, one.at, one.at) + np.diag(one.white(noise, off)), lower=True)
        apart = one.read - x @ MEAN
        weighed = cho_solve(factor, np.column_stack([x, apart]))
        precision, right = precision + x.T @ weighed[:, :-1], right + x.T @ weighed[:, -1]
        total += 0.5 * float(apart @ weighed[:, -1]) + float(np.log(np.diag(factor[0])).sum())
    covariance = np.linalg.inv(precision)
    total += 0.5 * float(np.linalg.slogdet(precision @ people)[1] - right @ covariance @ right)
    return MEAN + covariance @ right, covariance, total


def _noise(z: np.ndarray) -> Noise:
    return Noise(*[float(value) for value in _sizes(z)[:5]])


def _sizes(z: np.ndarray) -> np.ndarray:
    return np.asarray(SIZES * np.exp(SPREADS * z))


def _of_people(z: np.ndarray) -> np.ndarray:
    *kinds, _, clock, _, _ = _sizes(z)[5:]
    return _prior(0.0, TRUST[1], np.array(kinds), clock, LOW[1]) + 1e-6 * np.eye(WIDTH)


def _of_a_person(z: np.ndarray) -> np.ndarray:
    *kinds, share, _, clock, _ = _sizes(z)[5:]
    return _prior(LEVEL_SD, OWN_TRUST, share * np.array(kinds), clock, OWN_LOW)


def _prior(level: float, trust: float, kinds: np.ndarray, clock: float, low: float) -> np.ndarray:
    smooth = np.exp(-0.5 * ((LAGS[:, None] - LAGS) / SMOOTH) ** 2)
    responses = [size**2 * smooth for size in kinds]
    return np.asarray(block_diag(level**2, trust**2, *responses, clock**2 * np.eye(KNOTS), low**2))
