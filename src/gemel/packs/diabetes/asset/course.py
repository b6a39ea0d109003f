"""What happens to everyone in a ward whatever a controller does: meals and what is said of them, movement, sensitivity, faults.

All of it is drawn before the first step, keyed by (seed, who, purpose, day): two controllers in wards of one seed meet the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.asset import living, sensitivity
from gemel.packs.diabetes.asset.cgm import CGM
from gemel.packs.diabetes.asset.individuals import parameters_of
from gemel.packs.diabetes.asset.keyed import keyed
from gemel.packs.diabetes.asset.living import Habits, group_of, habits_of
from gemel.packs.diabetes.asset.mishaps import Mishaps
from gemel.packs.diabetes.asset.sensitivity import STEPS as STEPS
from gemel.packs.diabetes.asset.sensitivity import STILL, Varying
from gemel.packs.diabetes.asset.sensors import ErrorModel

TICK: Time = 5 * MINUTE
LEAD: Time = 10 * MINUTE
"""How long before a meal it is announced when nothing goes wrong."""

SET_WORN_DAYS = 3
"""An infusion set is changed every third day."""


@dataclass(frozen=True, eq=False)
class Course:
    """Arrays (subject, step) of 5 min: grams eaten and announced; heart rate above rest that the body feels, bpm, and what the
    watch shows of it (bpm, steps); log of sensitivity; dawn as a share of kp1; gain and offset (NaN: no reading) of the CGM; for
    how many steps an occlusion that begins here would last; draws from (0, 1) for whether a low is heeded and logged; for how
    many days the set has been worn beyond its second.
    """

    eaten: np.ndarray
    announced: np.ndarray
    heart: np.ndarray
    heart_rate: np.ndarray
    steps: np.ndarray
    after_sport: np.ndarray
    sensitivity: np.ndarray
    dawn: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    occluded: np.ndarray
    heeds: np.ndarray
    logs: np.ndarray
    wear: np.ndarray


def course(
    names: Sequence[str], days: int, seed: Seed, mishaps: Mishaps, sensor: ErrorModel, varying: Varying | None
) -> Course:
    """Return the course of *days* for subjects *names*; *varying* None lets sensitivity vary with mishaps alone."""
    cgm = CGM(
        sensor, gaps=mishaps.gaps, dropouts=mishaps.dropouts, warm_up=mishaps.warm_up, late=mishaps.replaced,
        drift_sd=mishaps.drift_sd, compressions=mishaps.compressions,
    )  # fmt: skip
    rows = [_row(name, days, seed, mishaps, cgm, varying or STILL) for name in names]
    return Course(*(np.stack(columns) for columns in zip(*rows, strict=True)))


def _row(name: str, days: int, seed: Seed, mishaps: Mishaps, cgm: CGM, varying: Varying) -> tuple[np.ndarray, ...]:
    habits = replace(habits_of(group_of(name)), sport=mishaps.exercise)
    parts = [sensitivity.day(varying, name, seed, day) for day in range(days)]
    logs, dawn = (np.concatenate(series) for series in zip(*parts, strict=True))
    logs = logs + _spells(name, days, seed, mishaps)
    charts = [cgm.chart(seed, name, day) for day in range(days)]
    gain, offset = (np.concatenate(series) for series in zip(*charts, strict=True))
    moved = _moved(habits, name, days, seed)
    heeds, logged = np.concatenate([keyed(seed, name, "heeds", day).random((2, STEPS)) for day in range(days)], axis=1)
    meals = _meals(habits, name, days, seed, mishaps)
    return (
        *meals,
        *moved,
        logs,
        dawn,
        gain,
        offset,
        _occluded(name, days, seed, mishaps),
        heeds,
        logged,
        _worn(name, days, seed),
    )


def _meals(habits: Habits, name: str, days: int, seed: Seed, mishaps: Mishaps) -> tuple[np.ndarray, np.ndarray]:
    eaten, announced = np.zeros(days * STEPS), np.zeros(days * STEPS)
    for day in range(days):
        rng = keyed(seed, name, "announced", day)
        for meal in living.meals(habits, name, seed, day, 0):
            missed, late, delay, error = rng.random(4)
            counted = mishaps.counted(meal.grams, error, float(rng.standard_normal()))
            _add(eaten, meal.at, meal.grams)
            told = meal.at + round(15 + 45 * delay) * MINUTE if late < mishaps.late else meal.at - LEAD
            _add(announced, told, counted if missed >= mishaps.missed else 0.0)
    return eaten, announced


def _add(series: np.ndarray, at: Time, amount: float) -> None:
    if 0 <= at // TICK < len(series):
        series[at // TICK] += amount


def _moved(habits: Habits, name: str, days: int, seed: Seed) -> tuple[np.ndarray, ...]:
    """Return the heart rate above rest in sport, what the watch shows (bpm, steps), and the afterglow (1: a bout just over)."""
    age = parameters_of(name)["Age"]
    rest, highest = living.heart_range(age)
    times = range(0, days * DAY, TICK)
    efforts = np.array([living.effort(habits, name, seed, at, 0) for at in times])
    shown = np.array([living.watch(habits, name, seed, at, age, 0) for at in times])
    return (
        living.HEART_SHARE * np.minimum(efforts[:, 0], 1.0) * (highest - rest),
        shown[:, 0],
        shown[:, 1],
        efforts[:, 1],
    )


def _spells(name: str, days: int, seed: Seed, mishaps: Mishaps) -> np.ndarray:
    times, logs = np.arange(0, days * DAY, TICK), np.zeros(days * STEPS)
    for day in range(-3, days):
        for spell in sensitivity.spells(name, seed, day, mishaps.illness, mishaps.stress):
            logs += spell.at(times)
    return logs


def _occluded(name: str, days: int, seed: Seed, mishaps: Mishaps) -> np.ndarray:
    lasts = np.zeros(days * STEPS)
    for day in range(days):
        rng = keyed(seed, name, "occluded", day)
        for start, hours in zip(*_begun(rng, mishaps), strict=True):
            lasts[day * STEPS + int(STEPS * start)] = np.ceil(hours / TICK)
    return lasts


def _begun(rng: np.random.Generator, mishaps: Mishaps) -> tuple[np.ndarray, np.ndarray]:
    count = rng.poisson(mishaps.occlusions)
    return rng.random(count), np.clip(mishaps.found * rng.exponential(size=count), HOUR / 2, 12 * HOUR)


def _worn(name: str, days: int, seed: Seed) -> np.ndarray:
    """Return for how many days beyond its second the set has been worn."""
    begun = int(keyed(seed, name, "set worn").integers(SET_WORN_DAYS * STEPS))
    worn = (np.arange(days * STEPS) + begun) % (SET_WORN_DAYS * STEPS) / STEPS
    return np.asarray(np.maximum(worn - 2.0, 0.0))
