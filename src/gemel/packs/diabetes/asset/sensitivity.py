"""How insulin sensitivity varies: through the day, from day to day, at dawn, in illness and under stress.

UVA/Padova S2017 (10.1177/1932296818757747) varies it by meal in seven classes of people (10.1089/dia.2014.0192) and raises
production while lowering sensitivity at dawn. That the pattern is each person's own was measured (10.2337/db12-1759). Its sizes
are not at hand: the numbers below are judgements. All draws are keyed by (seed, who, purpose, day).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import DAY, MINUTE, Time
from gemel.packs.diabetes.asset.keyed import keyed

STEPS = 288
"""Five-minute steps of a day."""

CLASSES = ((0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
"""Sensitivity at breakfast, lunch and dinner: all alike, or one lower or higher than the others."""

KNOTS = (0.0, 4.0, 7.0, 12.0, 18.0, 22.0, 24.0)
"""Hours between which sensitivity goes in straight lines: night, night, breakfast, lunch, dinner, night, night."""


@dataclass(frozen=True)
class Varying:
    """Sizes, on a log scale: of the pattern of the day, from day to day, within hours; and the dawn as a share of kp1."""

    pattern: float = 0.25
    day_sd: float = 0.12
    hours_sd: float = 0.08
    dawn: float = 0.06
    dawn_sd: float = 0.4
    dawn_resistance: float = 0.1


STILL = Varying(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Nothing varies."""


def pattern(varying: Varying, who: str, seed: Seed) -> np.ndarray:
    """Return the log of sensitivity through this person's usual day, (288,), mean 0."""
    kind = CLASSES[int(keyed(seed, who, "sensitivity class").integers(len(CLASSES)))]
    meals = varying.pattern * np.array(kind, float)
    hours = np.arange(STEPS) * 24.0 / STEPS
    night = 0.0
    usual = np.interp(hours, KNOTS, [night, night, *meals, night, night]) - varying.dawn_resistance * dawn_shape()
    return np.asarray(usual - usual.mean())


def dawn_shape() -> np.ndarray:
    """Return the course of the dawn, 0 to 1: from 3 to 7 h, highest at 5 h (10.1177/1932296818757747), (288,)."""
    hours = np.arange(STEPS) * 24.0 / STEPS
    return np.where((hours > 3.0) & (hours < 7.0), 0.5 - 0.5 * np.cos(2.0 * np.pi * (hours - 3.0) / 4.0), 0.0)


def usual_dawn(varying: Varying, who: str, seed: Seed) -> float:
    """Return the share by which kp1 is raised at this person's usual dawn."""
    return varying.dawn * float(np.exp(varying.dawn_sd * keyed(seed, who, "dawn").standard_normal()))


@lru_cache(4096)
def day(varying: Varying, who: str, seed: Seed, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the log of sensitivity and the dawn's share of kp1 every 5 min of a day in the person's own time, (288,) each."""
    at = np.arange(STEPS) / STEPS
    drift = np.interp(at, (0.0, 1.0), [_drawn(who, seed, "sensitivity day", number + i) for i in (0, 1)])
    part = [_drawn(who, seed, "sensitivity hours", 4 * number + i) for i in range(5)]
    within = np.interp(at, np.arange(5) / 4, part)
    logs = pattern(varying, who, seed) + varying.day_sd * drift + varying.hours_sd * within
    strength = float(np.exp(0.3 * varying.dawn_sd * _drawn(who, seed, "dawn day", number)))
    return logs, usual_dawn(varying, who, seed) * strength * dawn_shape()


def _drawn(who: str, seed: Seed, purpose: str, when: int) -> float:
    return float(keyed(seed, who, purpose, when).standard_normal())


@dataclass(frozen=True)
class Spell:
    """A stretch in which sensitivity changes by `log`, risen to within `ramp` ms and gone as slowly."""

    start: Time
    end: Time
    log: float
    ramp: Time

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return the change of log sensitivity at *times* (n,) ms."""
        share = np.minimum(times - self.start, self.end - times) / self.ramp
        return np.asarray(self.log * np.clip(share, 0.0, 1.0))


ILLNESS_LOG, STRESS_LOG = float(np.log(0.6)), float(np.log(0.8))
"""Sensitivity falls to 60 % in an illness with fever and to 80 % under stress: judgements."""


def spells(who: str, seed: Seed, number: int, illness: float, stress: float) -> list[Spell]:
    """Return the illness (one to three days) and stress (two to six hours) that begin on a day; arguments: chances a day."""
    rng = keyed(seed, who, "spell", number)
    ill, long, strained, hour, length = rng.random(5)
    start = number * DAY
    found = []
    if ill < illness:
        begins = start + round(10 * 60 * hour) * MINUTE
        found.append(Spell(begins, begins + round((1.0 + 2.0 * long) * DAY), ILLNESS_LOG, 360 * MINUTE))
    if strained < stress:
        begins = start + round((8.0 + 10.0 * hour) * 60) * MINUTE
        found.append(Spell(begins, begins + round((2.0 + 4.0 * length) * 60) * MINUTE, STRESS_LOG, 30 * MINUTE))
    return found
