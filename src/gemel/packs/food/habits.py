"""What one person eats: which meals, how often, when in the day."""

from __future__ import annotations

import cmath
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gemel.facts import DAY, HOUR, Time
from gemel.packs.food.absorption import signature
from gemel.packs.food.meal import Meal

ATE = "ate/1"
"""What was eaten: {items: [{food, grams}]}, beside the carbohydrate in `acted/1`; no words of whoever said so."""

HALF_LIFE_DAYS = 30.0
"""After how long a meal counts half: a judgement."""


@dataclass(frozen=True)
class Eaten:
    """A meal that was eaten at a time."""

    at: Time
    meal: Meal


@dataclass(frozen=True)
class Favourite:
    """A meal that comes again: its latest helping, how often it was eaten, weight now, and its usual hour of the day.

    `weight` counts helpings, each half after 30 days; `hour` is the circular mean in [0, 24) of the person's own day, and
    `regular` in [0, 1] how close to it the helpings were.
    """

    meal: Meal
    times: int
    weight: float
    hour: float
    regular: float

    def name(self) -> str:
        """Return how it was called last."""
        return self.meal.text


def favourites(eaten: Sequence[Eaten], now: Time, *, offset: Time = 0, most: int = 20) -> list[Favourite]:
    """Return meals of known foods by weight; *offset* ms is local time minus UTC. What lies after *now* is not looked at."""
    groups: dict[str, list[Eaten]] = defaultdict(list)
    for one in sorted(eaten, key=lambda one: one.at):
        if one.at <= now and one.meal.items:
            groups[signature(one.meal) or one.meal.text].append(one)
    found = [_favourite(held, now, offset) for held in groups.values()]
    return sorted(found, key=lambda one: (-one.weight, one.name()))[:most]


def _favourite(held: Sequence[Eaten], now: Time, offset: Time) -> Favourite:
    weights = [0.5 ** ((now - one.at) / (HALF_LIFE_DAYS * DAY)) for one in held]
    turns = [2j * math.pi * ((one.at + offset) % DAY) / DAY for one in held]
    mean = sum(weight * cmath.exp(turn) for weight, turn in zip(weights, turns, strict=True)) / sum(weights)
    hour = (cmath.phase(mean) / (2 * math.pi) * DAY / HOUR) % 24.0
    return Favourite(held[-1].meal, len(held), sum(weights), hour, abs(mean))


def fits(favourite: Favourite, hour: float) -> float:
    """Return how usual a favourite is at *hour* in [0, 1]: 1 at its hour, 0.5 twelve hours away if it keeps to its hour."""
    away = abs((hour - favourite.hour + 12.0) % 24.0 - 12.0) / 12.0
    return 1.0 - 0.5 * favourite.regular * away
