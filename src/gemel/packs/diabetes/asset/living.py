"""How a virtual person lives: meals, the counting of them, boluses, rescue carbohydrate, movement.

Times and sizes of meals are near those of simglucose's RandomScenario; counts err so that two thirds lie within 20 %
(Deeb et al. 2017, 10.1177/1932296816679850), and a bolus is forgotten now and then.
Movement and the drift of insulin sensitivity are no part of UVA/Padova S2008: they are there so that a twin has
something to learn, and `Habits` turns them off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.asset.keyed import keyed


@dataclass(frozen=True)
class Serving:
    """A usual meal: how likely it is, hour of the day and grams with their standard deviations."""

    chance: float
    hour: float
    hour_sd: float
    grams: float
    grams_sd: float


SERVINGS = (
    Serving(0.95, 7.25, 0.5, 45, 10),
    Serving(0.3, 9.75, 0.4, 12, 5),
    Serving(0.95, 12.25, 0.6, 70, 12),
    Serving(0.4, 15.5, 0.4, 15, 6),
    Serving(0.97, 18.5, 0.7, 75, 14),
    Serving(0.2, 21.0, 0.4, 12, 5),
)


@dataclass(frozen=True, eq=False)
class Habits:
    """How someone eats, counts, doses and moves."""

    servings: tuple[Serving, ...] = SERVINGS
    appetite: float = 1.0
    counting_sd: float = 0.2
    forgets: float = 0.05
    lead_min: float = 8.0
    lead_sd: float = 8.0
    target: float = 120.0
    corrects_above: float = 180.0
    rescue_below: float = 70.0
    rescue_grams: float = 15.0
    logs_rescue: float = 0.6
    doses: bool = True
    drift: float = 0.12
    sport: float = 0.35
    sport_effect: float = 0.5


def group_of(name: str) -> str:
    """Return adult, adolescent or child, from the name of a subject."""
    return name.replace("~", "#").split("#")[0]


def habits_of(group: str) -> Habits:
    """Return the usual habits of an age group."""
    if group == "child":
        return replace(Habits(), appetite=0.6, rescue_grams=8.0, sport=0.6)
    return replace(Habits(), sport=0.5) if group == "adolescent" else Habits()


@dataclass(frozen=True)
class Meal:
    """One meal: really eaten grams, what was counted, and when it is dosed (None: forgotten)."""

    at: Time
    grams: float
    counted: float
    dosed_at: Time | None


@dataclass(frozen=True)
class Bout:
    """A stretch of sport; intensity 0 to 1."""

    start: Time
    end: Time
    intensity: float


@lru_cache(4096)
def meals(habits: Habits, who: str, seed: Seed, day: int, offset: Time) -> tuple[Meal, ...]:
    """Return the meals of a day (number since 1970, in the person's own time)."""
    rng = keyed(seed, who, "meals", day)
    midnight = day * DAY - offset
    planned = [_meal(habits, serving, midnight, rng.standard_normal(4), rng.random(2)) for serving in habits.servings]
    return tuple(meal for meal in planned if meal.grams > 0.0)


def _meal(habits: Habits, serving: Serving, midnight: Time, z: np.ndarray, u: np.ndarray) -> Meal:
    hour = serving.hour + serving.hour_sd * float(np.clip(z[0], -2.5, 2.5))
    at = midnight + round(hour * 60) * MINUTE
    eaten = u[0] < serving.chance
    grams = float(max(round(habits.appetite * (serving.grams + serving.grams_sd * z[1])), 3)) if eaten else 0.0
    counted = float(max(round(grams * np.exp(habits.counting_sd * z[2]) / 5) * 5, 5)) if eaten else 0.0
    forgotten = u[1] < habits.forgets or not habits.doses or not eaten
    lead = round(habits.lead_min + habits.lead_sd * z[3]) * MINUTE
    return Meal(at, grams, counted, None if forgotten else at - lead)


@lru_cache(4096)
def sport(habits: Habits, who: str, seed: Seed, day: int, offset: Time) -> tuple[Bout, ...]:
    """Return the sport of a day: none, or one bout in the afternoon."""
    rng = keyed(seed, who, "sport", day)
    chance, hour, length, intensity = rng.random(4)
    if chance >= habits.sport:
        return ()
    start = day * DAY - offset + round((14.5 + 4.0 * hour) * 60) * MINUTE
    return (Bout(start, start + round(25 + 50 * length) * MINUTE, 0.4 + 0.6 * intensity),)


def effort(habits: Habits, who: str, seed: Seed, at: Time, offset: Time) -> tuple[float, float]:
    """Return the intensity of sport now, and what it still does to insulin sensitivity (halved every 2 h)."""
    day = (at + offset) // DAY
    now = after = 0.0
    for bout in sport(habits, who, seed, day - 1, offset) + sport(habits, who, seed, day, offset):
        if bout.start <= at < bout.end:
            now, after = now + bout.intensity, after + bout.intensity
        elif at >= bout.end:
            after += bout.intensity * 0.5 ** ((at - bout.end) / (2 * HOUR))
    return now, after


def sensitivity(habits: Habits, who: str, seed: Seed, at: Time, offset: Time) -> float:
    """Return the factor on insulin sensitivity: drifts over hours, rises with sport."""
    step, part = divmod(at, 8 * HOUR)
    ends = [_drawn(seed, who, step), _drawn(seed, who, step + 1)]
    drift = habits.drift * float(np.interp(part / (8 * HOUR), [0.0, 1.0], ends))
    return float(np.exp(drift + habits.sport_effect * effort(habits, who, seed, at, offset)[1]))


@lru_cache(65536)
def _drawn(seed: Seed, who: str, step: int) -> float:
    return float(keyed(seed, who, "sensitivity", step).standard_normal())


def asleep(at: Time, offset: Time) -> bool:
    """Return whether it is between 22:30 and 06:30 for the person."""
    return not 6.5 * HOUR <= (at + offset) % DAY < 22.5 * HOUR


HEART_SHARE = 0.7
"""The share of the way from rest to the highest heart rate that sport of full intensity takes."""


def heart_range(age: float) -> tuple[float, float]:
    """Return heart rate at rest (judgement) and at most (10.1016/S0735-1097(00)01054-8), bpm, at an age in years."""
    return 62.0 + max(0.0, 20.0 - 1.2 * age), 208.0 - 0.7 * age


def watch(habits: Habits, who: str, seed: Seed, at: Time, age: float, offset: Time) -> tuple[float, float]:
    """Return heart rate (bpm) now and steps since five minutes ago."""
    day, part = divmod(at, DAY)
    fidget, beat, pace = (float(x) for x in _moves(who, seed, day)[:, part // (5 * MINUTE)])
    intensity, _ = effort(habits, who, seed, at, offset)
    rest, highest = heart_range(age)
    sleeping = asleep(at, offset)
    moving = min(intensity or (0.0 if sleeping else fidget), 1.0)
    rate = rest - (8.0 if sleeping else -6.0) + HEART_SHARE * moving * (highest - rest) + 2.5 * beat
    return float(round(rate)), float(max(round(600.0 * moving * (1.0 + 0.15 * pace)), 0))


@lru_cache(1024)
def _moves(who: str, seed: Seed, day: int) -> np.ndarray:
    rng = keyed(seed, who, "watch", day)
    return np.stack([0.12 * rng.gamma(0.8, size=288), rng.standard_normal(288), rng.standard_normal(288)])
