"""A meal: foods and grams with confidence, and totals with what they may be off by; every number comes from the table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.packs.food.measures import Grams
from gemel.packs.food.search import Hit
from gemel.packs.food.table import NUTRIENTS, Food

COMPOSITION, RECIPE = 0.1, 0.2
"""How far a food on a plate is from the table's, and a dish from its recipe: standard deviations as shares, judgements."""
Z90 = 1.6449


@dataclass(frozen=True)
class Amount:
    """A quantity with its standard deviation; `low` and `high` hold 90 %, never below 0."""

    value: float
    sd: float

    @property
    def low(self) -> float:
        """Return the 5 % quantile."""
        return max(0.0, self.value - Z90 * self.sd)

    @property
    def high(self) -> float:
        """Return the 95 % quantile."""
        return self.value + Z90 * self.sd


@dataclass(frozen=True)
class Item:
    """A food that was eaten: grams, how they came about, confidence in [0, 1] that it is this food, and what else it may be."""

    said: str
    food: Food
    amount: Grams
    confidence: float
    alternatives: tuple[Hit, ...] = ()

    def nutrient(self, name: str) -> Amount | None:
        """Return how much of a nutrient is in it, or None if the table does not say.

        The spread holds the portion's, the table's, and that of the foods it may be instead.
        """
        value = self.food.of(name, self.amount.grams)
        if value is None:
            return None
        own = value * math.hypot(self.amount.spread, RECIPE if self.food.parts else COMPOSITION)
        others = [one.food.of(name, self.amount.grams) for one in self.alternatives[:3]]
        apart = [(other - value) ** 2 for other in others if other is not None]
        mistaken = (1 - self.confidence) * sum(apart) / len(apart) if apart else 0.0
        return Amount(value, math.sqrt(own**2 + mistaken))


@dataclass(frozen=True)
class Unknown:
    """What was said and is not in the table, with the nearest that are."""

    said: str
    nearest: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Meal:
    """Foods eaten together, and what was not understood; totals leave the latter out."""

    text: str
    items: tuple[Item, ...]
    unknown: tuple[Unknown, ...] = ()

    def total(self, nutrient: str) -> Amount:
        """Return a nutrient of all items whose table states it; errors of items are independent."""
        held = [amount for item in self.items if (amount := item.nutrient(nutrient)) is not None]
        return Amount(sum(one.value for one in held), math.sqrt(sum(one.sd**2 for one in held)))

    @property
    def totals(self) -> Mapping[str, Amount]:
        """Every nutrient, in kJ, g and mg."""
        return {name: self.total(name) for name in NUTRIENTS}

    def body(self) -> dict[str, Any]:
        """Return the meal as JSON types."""
        return {
            "text": self.text,
            "items": [_body(item) for item in self.items],
            "totals": {
                name: {"value": round(a.value, 1), "low": round(a.low, 1), "high": round(a.high, 1)}
                for name, a in self.totals.items()
            },
            "unknown": [{"said": one.said, "nearest": [hit.food.name for hit in one.nearest]} for one in self.unknown],
        }


def _body(item: Item) -> dict[str, Any]:
    held = {name: item.nutrient(name) for name in NUTRIENTS}
    return {
        "said": item.said, "food": item.food.key, "name": item.food.name, "grams": round(item.amount.grams, 1),
        "how": item.amount.how, "confidence": round(item.confidence, 2), "source": item.food.source,
        "alternatives": [hit.food.key for hit in item.alternatives],
        **{name: None if amount is None else round(amount.value, 1) for name, amount in held.items()},
    }  # fmt: skip
