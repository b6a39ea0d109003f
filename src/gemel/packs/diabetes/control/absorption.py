"""How announced carbohydrate is absorbed, as the glucose that followed shows. Not a medical device.

Loop's dynamic absorption, written anew after LoopKit/LoopAlgorithm @ 2f5c630 Sources/LoopAlgorithm/Carbs (MIT): what
glucose did beyond insulin's effect is credited to the meals on board; never less than a slowest absorption allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from gemel.facts import MINUTE, Time

SMALL = float(np.finfo(np.float32).eps)
"""mg/dL below which Loop counts an effect as used up."""


class Shape(Protocol):
    """How absorption goes over its own duration, 0 to 1."""

    def done(self, x: np.ndarray) -> np.ndarray:
        """Return the part absorbed at part *x* of the duration."""
        ...

    def when(self, part: float) -> float:
        """Return the part of the duration at which *part* is absorbed."""
        ...

    def rate(self, x: float) -> float:
        """Return the rate at *x*, relative to the mean rate."""
        ...


class Linear:
    """Absorption at a constant rate."""

    def done(self, x: np.ndarray) -> np.ndarray:
        """Return the part absorbed at part *x* of the duration."""
        return np.asarray(np.clip(x, 0.0, 1.0))

    def when(self, part: float) -> float:
        """Return the part of the duration at which *part* is absorbed."""
        return min(max(part, 0.0), 1.0)

    def rate(self, x: float) -> float:
        """Return the rate at *x*, relative to the mean rate."""
        return 1.0 if 0 < x <= 1 else 0.0


class Piecewise:
    """Absorption that rises to 15 % of its duration, stays until 50 %, then falls: Loop's own."""

    rise, fall = 0.15, 0.5
    top = 2 / (1 + fall - rise)

    def done(self, x: np.ndarray) -> np.ndarray:
        """Return the part absorbed at part *x* of the duration."""
        x = np.clip(np.asarray(x, dtype=float), 0.0, 1.0)
        up, level = x * x / (2 * self.rise), x - self.rise / 2
        late = x - self.fall
        down = self.fall - self.rise / 2 + late * (1 - late / (2 * (1 - self.fall)))
        part = self.top * np.where(x < self.rise, up, np.where(x < self.fall, level, down))
        return np.where(x >= 1, 1.0, part)

    def when(self, part: float) -> float:
        """Return the part of the duration at which *part* is absorbed."""
        if part <= 0 or part >= 1:
            return float(part > 0)
        if part < self.top * self.rise / 2:
            return float(np.sqrt(2 * self.rise * part / self.top))
        if part < self.top * (self.fall - self.rise / 2):
            return self.rise / 2 + part / self.top
        return 1 - float(np.sqrt((1 - self.fall) * (1 + self.fall - self.rise) * (1 - part)))

    def rate(self, x: float) -> float:
        """Return the rate at *x*, relative to the mean rate."""
        if not 0 < x < 1:
            return 0.0
        return self.top * min(x / self.rise, 1.0, (1 - x) / (1 - self.fall))


@dataclass(frozen=True)
class Meal:
    """Announced carbohydrate: `grams` at `at`, thought to take `minutes` to absorb."""

    at: Time
    grams: float
    minutes: float = 180.0


@dataclass(frozen=True)
class Absorbing:
    """How meals are followed: at first `overrun` times the stated duration, at most `longest` times; begins after a delay.

    `adaptive` lets the pace seen so far go on once a part `standby` of the duration has passed.
    """

    overrun: float = 1.5
    longest: float = 1.5
    delay_min: float = 10.0
    shape: Shape = field(default_factory=Piecewise)
    adaptive: bool = False
    standby: float = 0.2


@dataclass(frozen=True)
class Velocity:
    """What glucose did beyond insulin's effect: `rate` (k,) mg/dL/min between `start` and `end` (k,) ms."""

    start: np.ndarray
    end: np.ndarray
    rate: np.ndarray


@dataclass
class Followed:
    """One meal and what was seen of it; `per_gram` is mg/dL per g, `last` ms the end of what was observed."""

    meal: Meal
    per_gram: float
    how: Absorbing
    last: float
    seen: float = 0.0
    finished: float | None = None
    timeline: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """Return the longest duration of absorption in min."""
        return self.meal.minutes * self.how.longest

    @property
    def grams_seen(self) -> float:
        """Return the grams that were seen absorbed."""
        return self.seen / self.per_gram

    @property
    def elapsed(self) -> float:
        """Return minutes since absorption could begin, at the last observation."""
        return (self.last - self.meal.at) / MINUTE - self.how.delay_min

    @property
    def grams_least(self) -> float:
        """Return the grams that the slowest absorption allowed would have brought by then."""
        return self.meal.grams * float(self.how.shape.done(np.asarray(self.elapsed / self.longest)))

    @property
    def grams(self) -> float:
        """Return the grams taken as absorbed: what was seen, within the least and the whole meal."""
        return min(self.meal.grams, max(self.grams_least, self.grams_seen))

    @property
    def paced(self) -> bool:
        """Return whether the pace seen so far is to go on."""
        return self.how.adaptive and self.elapsed > self.meal.minutes * self.how.overrun * self.how.standby

    @property
    def part(self) -> float:
        """Return the part of the meal taken as absorbed; a meal of nothing is."""
        return self.grams / self.meal.grams if self.meal.grams > 0 else 1.0

    @property
    def taken_min(self) -> float:
        """Return the minutes that the absorption so far stands for."""
        if self.elapsed <= 0:
            return 0.0
        if self.paced:
            return min(self.elapsed, self.longest)
        return min(self.how.shape.when(self.part) * self.meal.minutes * self.how.overrun, self.longest)

    @property
    def left_min(self) -> float:
        """Return the minutes that the rest of the meal will take."""
        if self.elapsed <= 0:
            return self.meal.minutes * self.how.overrun
        if self.paced:
            rest = self.elapsed / max(self.how.shape.when(self.part), float(np.finfo(float).eps)) - self.elapsed
        else:
            rest = self.meal.minutes * self.how.overrun - self.taken_min
        return min(rest, max(self.longest - self.elapsed, 0.0))

    @property
    def whole_min(self) -> float:
        """Return the minutes from the meal to the end of its absorption, as known now."""
        return ((self.finished or self.last) - self.meal.at) / MINUTE + self.left_min

    def pace(self, at: float) -> float:
        """Return grams per min expected at *at* ms."""
        whole = min(self.whole_min, self.longest)
        return self.meal.grams / whole * self.how.shape.rate((at - self.meal.at) / MINUTE / whole) if whole > 0 else 0.0

    def add(self, effect: float, start: float, end: float) -> None:
        """Credit *effect* mg/dL to this meal."""
        self.seen += effect
        if self.finished is None:
            self.timeline.append((start, end, effect / self.per_gram))
            if self.seen + SMALL >= self.meal.grams * self.per_gram:
                self.finished = end


def follow(meals: Sequence[Meal], per_gram: Sequence[float], seen: Velocity, how: Absorbing) -> list[Followed]:
    """Return the meals with what was seen of them; *per_gram* is each meal's mg/dL per g."""
    last = float(seen.end[-1]) if len(seen.end) else -np.inf
    followed = [
        Followed(m, s, how, min(m.at + (m.minutes * how.longest + how.delay_min) * MINUTE, max(last, m.at)))
        for m, s in zip(meals, per_gram, strict=True)
    ]
    for start, end, rate in zip(seen.start, seen.end, seen.rate, strict=True):
        active = [f for f in followed if f.meal.at <= start < f.meal.at + (f.longest + how.delay_min) * MINUTE]
        _credit(active, max(0.0, float(rate) * (end - start) / MINUTE), float(start), float(end))
    return followed


def _credit(active: list[Followed], effect: float, start: float, end: float) -> None:
    """Share one interval's *effect* among the *active* meals by their pace; what is over falls to the last."""
    paces = [own.pace(start) for own in active]
    total = sum(paces)
    for own, pace in zip(active, paces, strict=True):
        part = 0.0
        if total > 0:
            part = min(max(own.meal.grams * own.per_gram - own.seen, 0.0), pace / total * effect)
            total, effect = total - pace, effect - part
        own.add(part, start, end)
    if active and effect > SMALL:
        active[-1].add(effect, start, end)
