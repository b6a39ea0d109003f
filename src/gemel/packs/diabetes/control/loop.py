"""A controller in the manner of Loop: effects foretell glucose, a correction brings it to target. Not a medical device.

Written anew after LoopKit/LoopAlgorithm @ 2f5c630 (MIT), LoopAlgorithm and DoseMath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.control import effects as ef
from gemel.packs.diabetes.control.absorption import Absorbing, Followed, Meal, Velocity, follow
from gemel.packs.diabetes.control.activity import Exponential, Net, curve_of, net, on_board, pulses
from gemel.packs.diabetes.control.seam import Moment, Order, Profile

ABSORBING = Absorbing()

GRADUAL = 40.0
"""mg/dL: a bigger change between two of the last readings turns momentum and retrospective correction off."""


@dataclass(frozen=True)
class Given:
    """All that the forecast is made from: readings (k,) at ms, doses beyond the profile, meals, settings over time."""

    now: Time
    at: np.ndarray
    glucose: np.ndarray
    doses: Net
    meals: Sequence[Meal]
    sensitivity: ef.Steps
    ratio: ef.Steps
    curve: Exponential = field(default_factory=lambda: Exponential(360.0, 75.0, 10.0))
    as_it_acts: bool = False


@dataclass(frozen=True)
class Forecast:
    """What Loop foretells: `glucose` from the last reading on, `on_board` U, `carbs` g on board."""

    glucose: ef.Effect
    on_board: float
    carbs: float


def forecast(given: Given, how: Absorbing = ABSORBING) -> Forecast:
    """Return glucose as insulin, carbohydrate, momentum and what they did not explain of late will move it."""
    doses, last = pulses(given.doses), int(given.at[-1])
    ends = [given.now, last, *(given.doses.end + (given.curve.action_min + given.curve.delay_min) * MINUTE)]
    when = ef.grid(min(given.now, float(given.at[0]), *given.doses.start), max(ends))
    act = ef.insulin_effect_as_it_acts if given.as_it_acts else ef.insulin_effect
    insulin = act(doses, when, given.curve, given.sensitivity)
    seen = ef.counteraction(given.at, given.glucose, insulin)
    meals = _meals(given, seen, how)
    until = max((m.meal.at + (m.whole_min + 10) * MINUTE for m in meals), default=float(given.now))
    carbs = ef.carb_effect(meals, ef.grid(given.now - 3 * HOUR, max(until, given.now)))
    rest, moving = _unexplained(given, ef.discrepancies(seen, carbs))
    glucose = ef.predict(last, float(given.glucose[-1]), (carbs, insulin, rest), moving)
    now = np.array([float(given.now)])
    on = sum(float(ef.carbs_on_board(own, now)[0]) for own in meals)
    return Forecast(_long_enough(glucose, given), float(on_board(doses, now, given.curve)[0]), on)


def _meals(given: Given, seen: Velocity, how: Absorbing) -> list[Followed]:
    eaten = np.array([meal.at for meal in given.meals], dtype=float)
    return follow(given.meals, list(given.sensitivity.on(eaten) / given.ratio.on(eaten)), seen, how)


def _unexplained(given: Given, apart: ef.Effect) -> tuple[ef.Effect, ef.Effect]:
    """Return retrospective correction and momentum; neither where a reading of the last half hour jumped."""
    late = given.at >= given.at[-1] - ef.GROUPED_MIN * MINUTE
    if (np.abs(np.diff(given.glucose[late])) > GRADUAL).any():
        return ef.Effect(np.zeros(0), np.zeros(0)), ef.Effect(np.zeros(0), np.zeros(0))
    recent = given.at >= given.now - ef.MOMENTUM_MIN * MINUTE
    moving = ef.momentum(given.at[recent], given.glucose[recent])
    return ef.retrospective(int(given.at[-1]), float(given.glucose[-1]), apart), moving


def _long_enough(glucose: ef.Effect, given: Given) -> ef.Effect:
    """Return the forecast, held at its end until insulin given now has acted."""
    end = given.now + (given.curve.action_min + given.curve.delay_min) * MINUTE
    if glucose.at[-1] >= end:
        return glucose
    return ef.Effect(np.append(glucose.at, end), np.append(glucose.value, glucose.value[-1]))


@dataclass(frozen=True)
class Correction:
    """Insulin in U that would correct a forecast (below 0: less than the profile), and its lowest value in mg/dL."""

    kind: str
    units: float
    lowest: float


def correction(
    glucose: ef.Effect,
    now: Time,
    target: tuple[float, float],
    suspend: float,
    sensitivity: ef.Steps,
    curve: Exponential,
) -> Correction:
    """Return the least insulin that brings the forecast to target; `kind` is suspend, below, above or in range.

    Until half of the insulin's action the target is *suspend*, then it rises to the middle of *target* mg/dL.
    """
    ahead = glucose.at >= now
    at, value = glucose.at[ahead], glucose.value[ahead]
    lowest = int(np.argmin(value))
    if value[lowest] < suspend:
        return Correction("suspend", 0.0, float(value[lowest]))
    middle, length = sum(target) / 2, (curve.action_min + curve.delay_min) * MINUTE
    aim = suspend + (middle - suspend) * np.clip(((at - now) / length - 0.5) / 0.5, 0.0, 1.0)
    doses = pulses(Net(np.array([now]), np.array([now]), np.ones(1)))
    power = np.maximum(-ef.insulin_effect_as_it_acts(doses, at, curve, sensitivity).value, np.finfo(float).eps)
    if value[lowest] < target[0] and value[-1] < target[0]:
        return Correction("below", float((value[lowest] - middle) / power[lowest]), float(value[lowest]))
    units = (value - aim) / power
    if value[-1] > target[1] and (units > 0).any():
        return Correction("above", float(units[units > 0].min()), float(value[lowest]))
    return Correction("in range", 0.0, float(value[lowest]))


def temp_basal(wanted: Correction, neutral: float, most: float, room: float, low_target: float) -> float:
    """Return the basal rate in U/h for half an hour; *room* is the U that may yet be on board."""
    if wanted.kind == "suspend":
        return 0.0
    if wanted.kind == "above" and wanted.lowest < low_target:
        most = neutral
    return float(min(max(0.0, neutral + wanted.units * 2), most, max(0.0, room * 2 + neutral)))


def part_bolus(wanted: Correction, part: float, most: float, room: float, low_target: float) -> float:
    """Return the U of an automatic bolus: a *part* of the correction, none while the forecast dips below target."""
    if wanted.kind != "above" or wanted.lowest < low_target:
        return 0.0
    return float(min(max(0.0, wanted.units * part), most * part, max(0.0, room)))


@dataclass(frozen=True)
class Settings:
    """How Loop steers: `suspend` mg/dL, at most `most` times the profile's basal, `bolus_share` of a usual day a bolus.

    `part` above 0 gives that part of a correction as a bolus, 0 corrects by basal alone; insulin on board stays below two
    such largest boluses; `meal_min` is how long a meal is thought to be absorbed.
    """

    suspend: float = 75.0
    most: float = 4.0
    bolus_share: float = 0.15
    part: float = 0.0
    meal_min: float = 180.0
    delay_min: float = 10.0


def given_of(moment: Moment, settings: Settings = Settings()) -> Given:
    """Return what Loop looks at, out of a moment: the settings of each hour, and sensitivity as it is raised now."""
    own = moment.profile
    readings = [r for r in moment.glucose if r.at >= moment.now - 10 * HOUR]
    meals = [
        Meal(d.at, float(d.amount), settings.meal_min)
        for d in moment.doses
        if d.lever == "carbs" and d.at >= moment.now - 10 * HOUR
    ]
    return Given(
        moment.now,
        np.array([r.at for r in readings], dtype=float),
        np.array([r.value for r in readings], dtype=float),
        net(moment.doses, own, moment.now),
        meals,
        hourly(own, own.sensitivity, moment.now, moment.raised),
        hourly(own, own.ratio, moment.now, moment.raised),
        curve_of(own, settings.delay_min),
    )


def hourly(profile: Profile, values: Sequence[float], now: Time, scale: float = 1.0) -> ef.Steps:
    """Return a profile's hourly values over two days back and one ahead, times *scale*."""
    at = np.arange((now + profile.offset) // HOUR * HOUR - profile.offset - 2 * DAY, now + DAY, HOUR)
    return ef.Steps(at.astype(float), np.array([values[profile.hour(int(t))] for t in at]) * scale)


def loop(moment: Moment, settings: Settings = Settings()) -> Order:
    """Return the temporary basal (and part bolus) by which Loop's manner would bring glucose to target."""
    if not moment.glucose or moment.now - moment.glucose[-1].at >= 15 * MINUTE:
        return Order(None, why="no reading in the last 15 min: the profile goes on")
    given = given_of(moment, settings)
    ahead, own = forecast(given), moment.profile
    wanted = correction(ahead.glucose, moment.now, own.target, settings.suspend, given.sensitivity, given.curve)
    neutral = own.basal[own.hour(moment.now)] / moment.raised
    bolus_most = settings.bolus_share * (moment.daily or 2 * sum(own.basal))
    room = 2 * bolus_most - ahead.on_board
    low = own.target[0]
    bolus = part_bolus(wanted, settings.part, bolus_most, room, low) if settings.part else 0.0
    most = neutral if settings.part else settings.most * neutral
    rate = temp_basal(wanted, neutral, most, room, low)
    why = f"{ahead.glucose.value[-1]:.0f} mg/dL in the end, {wanted.lowest:.0f} at the lowest: {wanted.kind}"
    return Order(rate, bolus, why=why)
