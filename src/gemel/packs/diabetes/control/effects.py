"""What moves glucose, each as a timeline, and the glucose they foretell together. Not a medical device.

Written anew after LoopKit/LoopAlgorithm @ 2f5c630 (MIT): InsulinMath, CarbStatus, GlucoseMath, LoopMath,
StandardRetrospectiveCorrection. Times are ms; timelines stand on whole five minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.control.absorption import Followed, Velocity
from gemel.packs.diabetes.control.activity import STEP, Curve, Pulses

MOMENTUM_MIN = 15.0
"""Momentum is read from, and lasts for, this long."""

FASTEST = 4.0
"""mg/dL/min: the fastest rise that momentum believes; a fall is believed as it is."""

GROUPED_MIN = 30.0
"""Retrospective correction looks back this far,"""

CORRECTING_MIN = 60.0
"""and lasts this long."""


@dataclass(frozen=True)
class Effect:
    """A running effect on glucose: `value` (k,) mg/dL at `at` (k,) ms; only its changes matter."""

    at: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Steps:
    """A setting that changes in steps: `value` (k,) from `at` (k,) ms until the next, the first also before."""

    at: np.ndarray
    value: np.ndarray

    def on(self, when: np.ndarray) -> np.ndarray:
        """Return the setting at *when* (n,) ms."""
        return self.value[np.maximum(np.searchsorted(self.at, when, side="right") - 1, 0)]


def grid(start: float, end: float) -> np.ndarray:
    """Return whole five minutes that cover *start* to *end* ms."""
    return np.arange(np.floor(start / STEP), np.ceil(end / STEP) + 1) * STEP


def insulin_effect(doses: Pulses, at: np.ndarray, curve: Curve, sensitivity: Steps) -> Effect:
    """Return the effect of doses, each at the sensitivity (mg/dL per U) when it began."""
    acted = 1 - curve.left((at - doses.at[:, None]) / MINUTE)
    return Effect(at, -(doses.units * sensitivity.on(doses.began)) @ acted)


def insulin_effect_as_it_acts(doses: Pulses, at: np.ndarray, curve: Curve, sensitivity: Steps) -> Effect:
    """Return the effect of doses, each part of a dose at the sensitivity when that part acts."""
    starts = np.concatenate([[-np.inf], sensitivity.at[1:]])
    ends = np.concatenate([sensitivity.at[1:], [np.inf]])
    total = np.zeros(len(at))
    for start, end, value in zip(starts, ends, sensitivity.value, strict=True):
        before = curve.left(np.maximum(start - doses.at, 0.0) / MINUTE)[:, None]
        after = curve.left(np.maximum(np.clip(at, start, end) - doses.at[:, None], 0.0) / MINUTE)
        total -= value * (doses.units @ (before - after))
    return Effect(at, total)


def _timed(meal: Followed, at: np.ndarray, delay_min: float) -> np.ndarray:
    """Return grams absorbed at *at* by the meal's shape alone: before it is eaten, or where too little was seen."""
    since = (at - meal.meal.at) / MINUTE - delay_min
    return meal.meal.grams * meal.how.shape.done(since / meal.whole_min)


def _after(meal: Followed, at: np.ndarray, end: float) -> np.ndarray:
    """Return grams absorbed at *at*, after the observation ended: the shape goes on from where it is."""
    whole = meal.taken_min + meal.left_min
    x = (at - end) / MINUTE + meal.taken_min
    return meal.meal.grams * (meal.how.shape.done(x / whole) if whole > 0 else np.ones(len(at)))


def absorbed(meal: Followed, at: np.ndarray, delay_min: float = 10.0) -> np.ndarray:
    """Return grams of *meal* absorbed at *at* (n,) ms: as seen, then as its shape goes on."""
    if not meal.timeline or meal.grams_seen < meal.grams_least:
        return _timed(meal, at, delay_min)
    start, end, grams = np.array(meal.timeline).T
    shares = np.clip((at - start[:, None]) / (end - start)[:, None], 0.0, 1.0)
    shares = np.where(start[:, None] + STEP <= at, shares, 0.0)
    # Only the last of the intervals begun is taken in part, all earlier ones are taken whole.
    begun = start[:, None] + STEP <= at
    last = begun & (np.cumsum(begun[::-1], axis=0)[::-1] == 1)
    seen = np.minimum((np.where(last, shares, begun) * grams[:, None]).sum(axis=0), meal.meal.grams)
    known = np.where(at <= end[-1], seen, _after(meal, at, end[-1]))
    return np.where(at < meal.meal.at, _timed(meal, at, delay_min), known)


def carbs_on_board(meal: Followed, at: np.ndarray, delay_min: float = 10.0) -> np.ndarray:
    """Return grams of *meal* still to be absorbed at *at* (n,) ms; none more than five minutes before it is eaten."""
    if not meal.timeline or meal.grams_seen < meal.grams_least:
        rest = meal.meal.grams - _timed(meal, at, delay_min)
    else:
        _, end, grams = np.array(meal.timeline).T
        seen = ((end[:, None] <= at) * grams[:, None]).sum(axis=0)
        rest = np.where(
            at <= end[-1], np.maximum(meal.meal.grams - seen, 0.0), meal.meal.grams - _after(meal, at, end[-1])
        )
    return np.where(at >= meal.meal.at - STEP, rest, 0.0)


def carb_effect(meals: Sequence[Followed], at: np.ndarray, delay_min: float = 10.0) -> Effect:
    """Return the effect of meals as they are absorbed."""
    return Effect(at, sum((own.per_gram * absorbed(own, at, delay_min) for own in meals), np.zeros(len(at))))


def counteraction(at: np.ndarray, glucose: np.ndarray, insulin: Effect) -> Velocity:
    """Return what glucose (k,) mg/dL at *at* (k,) ms did beyond *insulin*, between readings over four minutes apart."""
    rows, index = [], 0
    first = int(np.searchsorted(at, insulin.at[0])) if len(insulin.at) else len(at)
    for after in range(first + 1, len(at)):
        if at[after] - at[first] <= 4 * MINUTE:
            continue
        begin = max(index, int(np.searchsorted(insulin.at, at[first])))
        finish = max(begin + 1, int(np.searchsorted(insulin.at, at[after])))
        if finish >= len(insulin.at):
            break
        change = glucose[after] - glucose[first] - (insulin.value[finish] - insulin.value[begin])
        rows.append((at[first], at[after], change / (at[after] - at[first]) * MINUTE))
        first, index = after, finish
    return Velocity(*np.array(rows, dtype=float).reshape(-1, 3).T)


def momentum(at: np.ndarray, glucose: np.ndarray, within_min: float = MOMENTUM_MIN) -> Effect:
    """Return the straight line through the last readings carried on; none from fewer than three, or with a gap."""
    if len(at) < 3 or at[-1] - at[0] >= STEP * len(at):
        return Effect(np.zeros(0), np.zeros(0))
    x = (at - at[0]) / MINUTE
    spread = float(((x - x.mean()) ** 2).sum())
    if spread == 0.0:
        return Effect(np.zeros(0), np.zeros(0))
    slope = min(float(((x - x.mean()) * (glucose - glucose.mean())).sum()) / spread, FASTEST)
    when = grid(float(at[-1]), float(at[-1]) + within_min * MINUTE)
    return Effect(when, np.maximum(0.0, when - at[-1]) / MINUTE * slope)


def discrepancies(seen: Velocity, carbs: Effect) -> Effect:
    """Return, at the end of each interval, the mg/dL in five minutes that neither insulin nor carbohydrate explains."""
    others = carbs.at >= seen.end[0] if len(seen.end) else np.zeros(len(carbs.at), dtype=bool)
    when, value = carbs.at[others], carbs.value[others]
    ours = seen.end >= when[0] if len(when) else np.ones(len(seen.end), dtype=bool)
    ends, rates = seen.end[ours], seen.rate[ours]
    rest, index = rates * STEP / MINUTE, 0
    for j in range(1, len(when)):
        if index < len(ends) and ends[index] <= when[j]:
            rest[index] -= value[j] - value[j - 1]
            index += 1
    return Effect(ends, rest)


def retrospective(now: Time, glucose: float, apart: Effect) -> Effect:
    """Return a correction by the last half hour's discrepancies, which fades over an hour."""
    recent = apart.at >= (apart.at[-1] - GROUPED_MIN * 1.01 * MINUTE) if len(apart.at) else np.zeros(0, dtype=bool)
    if not recent.any() or now - apart.at[-1] > 15 * MINUTE:
        return Effect(np.zeros(0), np.zeros(0))
    seen = apart.at[recent]
    rate = float(apart.value[recent].sum()) / max((seen[-1] - seen[0]) / MINUTE, GROUPED_MIN)
    return decay(now, glucose, rate)


def decay(now: Time, glucose: float, rate: float, lasts_min: float = CORRECTING_MIN) -> Effect:
    """Return glucose from *now* on at *rate* mg/dL/min that falls to none, in the closed form of LoopAlgorithm's #33."""
    when = grid(now, now + lasts_min * MINUTE)[:-1]
    step = STEP / MINUTE
    bend = -rate / (2 * (lasts_min - step))
    t = np.clip((when - now) / MINUTE, 0.0, lasts_min)
    return Effect(when, glucose + bend * t * t + (rate - bend * step) * t)


def predict(now: Time, glucose: float, effects: Sequence[Effect], moving: Effect) -> Effect:
    """Return glucose from *now* on: the effects' changes added up, momentum blended in at first."""
    changes: dict[float, float] = {}
    for effect in effects:
        for at, change in zip(effect.at, np.diff(effect.value, prepend=effect.value[:1]), strict=True):
            changes[float(at)] = changes.get(float(at), 0.0) + float(change)
    if len(moving.at) > 1:
        count = len(moving.at) - 2
        offset = (now - moving.at[0]) / (moving.at[1] - moving.at[0]) / count
        for i, at in enumerate(moving.at):
            share = min(1.0, max(0.0, (len(moving.at) - i) / count - 1 / count + offset))
            change = moving.value[i] - moving.value[max(i - 1, 0)]
            changes[float(at)] = (1 - share) * changes.get(float(at), 0.0) + share * change
    later = sorted(at for at in changes if at > now)
    return Effect(np.array([now, *later], dtype=float), glucose + np.cumsum([0.0, *(changes[at] for at in later)]))
