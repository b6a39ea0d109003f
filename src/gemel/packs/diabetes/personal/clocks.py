"""Whether entries of carbohydrate were made by another clock than the pump's: a log in UTC beside a pump in local time.

Where clocks agree, most entries have a bolus within half an hour. A shift of whole hours is believed if entries meet boluses
under it far more often than chance has it, and not so without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE, Time

NEAR: Time = 30 * MINUTE
MEET = 0.8
"""Share of entries that have a bolus near them when clocks agree: a judgement."""

FAULTY, SURE = 0.1, 0.99
"""How many logs have another clock, and how sure one must be to move entries: judgements."""

SHIFTS = HOUR * np.arange(-12, 13)


def entered_late(doses: Sequence[Dose], until: Time) -> Time:
    """Return how late (ms, whole hours) entries of carbohydrate stand beside boluses up to a time; 0 unless it is clear."""
    carbs, boluses = (np.array([d.at for d in doses if d.lever == lever and d.amount > 0 and d.at < until], float)
                      for lever in ("carbs", "bolus"))  # fmt: skip
    if not len(carbs) or not len(boluses):
        return 0
    odds = np.array([_log_odds(carbs - shift, boluses) for shift in SHIFTS])
    prior = np.where(SHIFTS == 0, 0.5 * (1 - FAULTY), FAULTY / (len(SHIFTS) - 1))
    weights = np.append(
        odds + np.log(prior), np.log(0.5 * (1 - FAULTY))
    )  # the last: they have nothing to do with each other
    chance = np.exp(weights - weights.max())
    best = int(np.argmax(chance))
    clear = best < len(SHIFTS) and chance[best] > SURE * chance.sum()
    return int(SHIFTS[best]) if clear else 0


def _log_odds(carbs: np.ndarray, boluses: np.ndarray) -> float:
    """Return the log odds that clocks agree against meetings by chance, of entries and boluses at times."""
    met = (np.abs(carbs[:, None] - boluses) <= NEAR).any(axis=1).sum()
    span = max(float(np.ptp(np.concatenate([carbs, boluses]))), float(DAY))
    chance = min(1.0 - np.exp(-len(boluses) * 2 * NEAR / span), MEET - 0.01)
    return float(met * np.log(MEET / chance) + (len(carbs) - met) * np.log((1 - MEET) / (1 - chance)))


def moved(doses: Sequence[Dose], late: Time) -> list[Dose]:
    """Return doses with entries of carbohydrate as early as they were taken."""
    return sorted(
        (replace(d, at=d.at - late) if d.lever == "carbs" else d for d in doses), key=lambda dose: (dose.at, dose.lever)
    )
