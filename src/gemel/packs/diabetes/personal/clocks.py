"""Whether entries of carbohydrate were made by another clock than the pump's: a log in UTC beside a pump in local time, or one
that lost its a.m. and p.m.

Where clocks agree, most entries have a bolus within minutes. Another clock is believed if entries meet boluses by it far more
often than chance has it, and not so by the pump's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaln, logsumexp

from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, MINUTE, Time

MEET, NEAR = 0.8, 10.0 * MINUTE
"""Share of entries that have a bolus when clocks agree, and how far from it they are in the mean: judgements."""

FAULTY, SURE = 0.1, 0.99
"""How many logs have another clock, half of them one of twelve hours; how sure one must be to move entries. Judgements."""

MORNINGS = 5.0
"""Of entries by a clock of 24 hours the share from 1 to 13 h has the distribution Beta(5, 5): from 0.2 to 0.8. A judgement."""

SHARES = np.linspace(0.005, 0.995, 100)
"""Shares of entries that a clock of twelve hours wrote before noon, all as likely before any is known."""

THERE = 0.15
"""Least share of entries with no bolus where they stand and one twelve hours on, by a clock of twelve hours: a judgement."""

SHIFTS = HOUR * np.arange(-12, 13)


@dataclass(frozen=True)
class Clock:
    """The clock of entries of carbohydrate beside the pump's: how `late` (ms, whole hours) they stand; whether it has `twelve`
    hours, without a.m. and p.m."""

    late: Time = 0
    twelve: bool = False


def clock_of(doses: Sequence[Dose], until: Time, offset: Time = 0) -> Clock:
    """Return the clock of entries as far as doses up to a time tell; the pump's unless another is clear. *offset* is local time
    minus UTC in ms."""
    carbs = np.array([d.at for d in doses if _entry(d) and d.at < until], float)
    boluses = _boluses(doses, until)
    if not len(carbs) or not len(boluses):
        return Clock()
    clocks = [Clock(int(shift)) for shift in SHIFTS] + [Clock(twelve=True)]
    likely = [_log_likely(carbs, boluses, clock, offset) for clock in clocks]
    prior = [np.log(_prior(clock)) for clock in clocks]
    nothing_to_do = np.log(0.5 * (1 - FAULTY))  # with each other
    weights = np.array([*np.add(likely, prior), nothing_to_do])
    chance = np.exp(weights - weights.max())
    best = int(np.argmax(chance))
    clear = best < len(clocks) and chance[best] > SURE * chance.sum()
    return clocks[best] if clear else Clock()


def _prior(clock: Clock) -> float:
    if clock == Clock():
        return 0.5 * (1 - FAULTY)
    return 0.5 * FAULTY * (1.0 if clock.twelve else 1.0 / (len(SHIFTS) - 1))


def put_right(doses: Sequence[Dose], clock: Clock, until: Time, offset: Time = 0) -> list[Dose]:
    """Return doses with entries of carbohydrate at the time they were taken; of the two times a clock of twelve hours may have
    meant, the likelier by what boluses there are on that day and others; none after *until*, where the log ends."""
    boluses = _boluses(doses, until)

    def taken(dose: Dose) -> Dose:
        if not _entry(dose):
            return dose
        if not clock.twelve or not len(boluses):
            return replace(dose, at=dose.at - clock.late)
        twice = np.array([dose.at, _other_half(dose.at, offset)], float)
        met = _meetings(twice, boluses, _rate(twice, boluses), _usual(twice, boluses))
        moves = _by_twelve(twice[:1], offset).all() and met[1] > met[0] and twice[1] < until
        return replace(dose, at=int(twice[int(moves)]))

    return sorted(map(taken, doses), key=lambda dose: (dose.at, dose.lever))


def _entry(dose: Dose) -> bool:
    return dose.lever == "carbs" and dose.amount > 0


def _boluses(doses: Sequence[Dose], until: Time) -> np.ndarray:
    return np.array([d.at for d in doses if d.lever == "bolus" and d.amount > 0 and d.at < until], float)


def _log_likely(carbs: np.ndarray, boluses: np.ndarray, clock: Clock, offset: Time) -> float:
    """Return the log likelihood of entries and boluses under a clock, to that of having nothing to do with each other.

    That all stand from 1 to 13 h is likelier by a clock of twelve hours, but it may be a person who only logs breakfast, or
    another time zone: so many entries must also meet a bolus twelve hours on and none where they stand.
    """
    rate = _rate(carbs, boluses)
    if not clock.twelve:
        return float(np.log(_meetings(carbs - clock.late, boluses, rate)).sum())
    first, other = (_meetings(at, boluses, rate) for at in (carbs, _other_half(carbs, offset)))
    each = np.log(SHARES[:, None] * first + (1.0 - SHARES[:, None]) * other).sum(axis=1)
    met = float(logsumexp(each) - np.log(len(SHARES)))
    there = float(((first < 1.0) & (other > 1.0)).mean())
    better = met - float(np.log(first).sum()) > np.log(SURE / (1.0 - SURE))
    if there <= THERE or not better or not _by_twelve(carbs, offset).all():
        return -np.inf
    return met + float(betaln(MORNINGS, MORNINGS) - betaln(MORNINGS + len(carbs), MORNINGS))


def _by_twelve(at: np.ndarray, offset: Time) -> np.ndarray:
    """Return whether a clock of twelve hours can write times: from 1 to 13 h."""
    hour = (at + offset) % DAY / HOUR
    return np.asarray((hour >= 1) & (hour < 13))


def _rate(carbs: np.ndarray, boluses: np.ndarray) -> float:
    """Return how many boluses there are in a ms."""
    return float(len(boluses) / max(float(np.ptp(np.concatenate([carbs, boluses]))), float(DAY)))


def _meetings(carbs: np.ndarray, boluses: np.ndarray, rate: float, alone: np.ndarray | float = 1.0) -> np.ndarray:
    """Return how much likelier boluses are, at times, if each entry may have had one than by chance at a *rate* (1/ms); where an
    entry had none, it counts by how usual its time is: *alone*."""
    apart = np.abs(carbs[:, None] - boluses)
    return np.asarray((1.0 - MEET) * alone + MEET * np.exp(-apart / NEAR).sum(axis=1) / (2.0 * NEAR * rate))


def _usual(at: np.ndarray, boluses: np.ndarray) -> np.ndarray:
    """Return how many boluses there are at about the time of day of each of some times, 1 where that is as at any."""
    apart = np.abs((at[:, None] - boluses + DAY // 2) % DAY - DAY // 2)
    return np.asarray(np.exp(-apart / HOUR).sum(axis=1) * DAY / (2.0 * HOUR * len(boluses)))


def _other_half(at: np.ndarray | Time, offset: Time) -> np.ndarray:
    """Return the same times by the other half of the day."""
    morning = (np.asarray(at) + offset) % DAY < DAY // 2
    return np.asarray(at + np.where(morning, DAY // 2, -DAY // 2))
