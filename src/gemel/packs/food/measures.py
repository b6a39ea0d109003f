"""Household measures in grams, each with how far it may be off.

A table's own portion comes first. Else a measure is a volume, times the food's density: grams of a cup over 240 mL (USDA's
cup). Sizes of bowls, plates, glasses and hands are judgements, as are all spreads (standard deviations as shares).
"""

from __future__ import annotations

from dataclasses import dataclass

from gemel.packs.food.table import Food

CUP_ML = 240.0

WEIGHTS = {
    "g": 1.0,
    "gram": 1.0,
    "gm": 1.0,
    "kg": 1000.0,
    "kilo": 1000.0,
    "oz": 28.35,
    "ounce": 28.35,
    "lb": 453.6,
    "pound": 453.6,
}
VOLUMES = {
    "ml": 1.0,
    "millilitre": 1.0,
    "milliliter": 1.0,
    "cl": 10.0,
    "dl": 100.0,
    "l": 1000.0,
    "litre": 1000.0,
    "liter": 1000.0,
}
VESSELS = {
    "cup": (180.0, CUP_ML, 360.0), "mug": (220.0, 300.0, 380.0), "glass": (150.0, 200.0, 300.0), "bowl": (CUP_ML, 360.0, 480.0),
    "plate": (CUP_ML, 360.0, 480.0), "plateful": (CUP_ML, 360.0, 480.0), "handful": (40.0, 60.0, 90.0),
    "ladle": (90.0, 120.0, 150.0),
    "tbsp": (15.0, 15.0, 20.0), "tsp": (5.0, 5.0, 7.0), "dessertspoon": (10.0, 10.0, 13.0), "spoon": (10.0, 15.0, 20.0),
    "tub": (100.0, 170.0, 250.0), "scoop": (50.0, 65.0, 90.0), "can": (250.0, 375.0, 500.0), "bottle": (300.0, 500.0, 600.0),
    "box": (200.0, 200.0, 250.0), "splash": (15.0, 30.0, 45.0), "drizzle": (5.0, 7.0, 10.0), "dollop": (15.0, 20.0, 30.0),
    "pinch": (0.5, 0.5, 1.0), "jar": (120.0, 240.0, 400.0), "pot": (100.0, 170.0, 250.0), "ramekin": (100.0, 120.0, 180.0),
}  # fmt: skip
"""Millilitres of what holds food: small, medium, large."""
SAME = {
    "tablespoon": "tbsp", "tb": "tbsp", "tablespoonful": "tbsp", "teaspoon": "tsp", "teaspoonful": "tsp", "spoonful": "spoon",
    "cupful": "cup", "bowlful": "bowl", "glas": "glass", "tumbler": "glass", "carton": "box", "juicebox": "box", "popper": "box",
    "bag": "packet", "pack": "packet", "pkt": "packet", "dish": "plate", "hand": "handful", "rasher": "slice", "wedge": "slice",
    "strip": "slice", "chunk": "piece", "bit": "piece", "serve": "serving", "portion": "serving", "helping": "serving",
    "tin": "can", "container": "tub", "punnet": "tub", "fillet": "piece", "row": "square", "cob": "piece", "ear": "piece",
}  # fmt: skip
COUNTED = frozenset({
    "piece", "slice", "stick", "square", "bar", "packet", "leaf", "roll", "cube", "tube", "serving", "whole", "pat",
})  # fmt: skip
SIZES = {
    "small": 0, "little": 0, "tiny": 0, "mini": 0, "thin": 0, "kids": 0, "medium": 1, "regular": 1, "average": 1, "large": 2,
    "big": 2, "huge": 2, "thick": 2, "tall": 2, "heaped": 2, "generous": 2, "level": 1, "full": 1,
}  # fmt: skip
FACTORS = (0.75, 1.0, 1.35)
"""Of a piece that is small, medium, large, where the table does not say."""

DENSITIES = {
    "drink": 1.03, "soup": 1.03, "dish": 0.95, "grain": 0.7, "vegetable": 0.6, "fruit": 0.63, "cereal": 0.16, "dairy": 1.03,
    "legume": 0.75, "snack": 0.12, "nut": 0.6, "meat": 0.58, "sauce": 1.04, "spread": 1.05, "sweet": 0.55, "baked": 0.4,
    "bread": 0.2, "cheese": 0.47, "egg": 0.9, "other": 0.7,
}  # fmt: skip
"""Grams per mL as it lies in a cup, by kind, where the table has no cup."""
SERVINGS = {
    "drink": 206.0, "soup": 250.0, "dish": 250.0, "grain": 160.0, "vegetable": 75.0, "fruit": 120.0, "cereal": 35.0,
    "dairy": 170.0, "legume": 120.0, "snack": 28.0, "nut": 28.0, "meat": 90.0, "sauce": 60.0, "spread": 16.0,
    "sweet": 30.0, "baked": 60.0, "bread": 30.0, "cheese": 25.0, "egg": 50.0, "other": 100.0,
}  # fmt: skip
"""A usual serving in grams by kind, where the table names none."""

WEIGHED, OWN, SIZED, HELD, GUESSED = 0.03, 0.15, 0.2, 0.25, 0.35
"""Spreads of a weight, a table's portion, a size of it, a vessel, and of a serving that nobody measured."""


@dataclass(frozen=True)
class Grams:
    """An amount in grams, its standard deviation as a share of it, and how it came about."""

    grams: float
    spread: float
    how: str


def density(food: Food) -> float:
    """Return g per mL."""
    return food.portions["cup"] / CUP_ML if "cup" in food.portions else DENSITIES[food.kind]


def serving(food: Food) -> float:
    """Return grams of a usual serving."""
    return food.portions.get("serving", SERVINGS[food.kind])


def grams(food: Food, count: float | None, unit: str, size: str) -> Grams:
    """Return the amount of *count* times *unit* (a key of the tables above, or empty) of *size* (a key of SIZES, or empty)."""
    times = 1.0 if count is None else count
    if unit in WEIGHTS:
        return Grams(times * WEIGHTS[unit], WEIGHED, f"{times:g} {unit}")
    if unit in VOLUMES:
        millilitres = times * VOLUMES[unit]
        own = millilitres if food.per == "mL" else millilitres * density(food)
        return Grams(own, 0.05 if food.kind in ("drink", "soup") else SIZED, f"{times:g} {unit}")
    one = _one(food, unit, size, counted=count is not None)
    return Grams(times * one.grams, one.spread, f"{times:g} × {one.how} ({one.grams:g} g)")


def _one(food: Food, unit: str, size: str, *, counted: bool) -> Grams:
    """Return grams of one *unit* of a food; without one, of a piece if it was counted, else of a serving."""
    level = SIZES.get(size, 1)
    for name in (f"{size} {unit}", unit) if unit else ():
        if name in food.portions and (level == 1 or name != unit):
            return Grams(food.portions[name], OWN, name)
    if unit in VESSELS and not (unit in food.portions and unit not in ("cup", "handful", "bowl")):
        millilitres = VESSELS[unit][level]
        return Grams(millilitres * density(food), HELD if unit != "cup" else SIZED, f"{size} {unit}".strip())
    if unit in food.portions:
        return Grams(food.portions[unit] * FACTORS[level], SIZED, f"{size} {unit}")
    return _piece(food, unit, size, level, counted=counted)


def _piece(food: Food, unit: str, size: str, level: int, *, counted: bool) -> Grams:
    if size in food.portions and unit in ("", "piece", "whole"):
        return Grams(food.portions[size], OWN, f"{size} piece")
    named = {"": ("piece", "slice") if counted or size else ("serving",)}.get(unit, (unit, "piece", "slice"))
    for name in named:
        if name in food.portions:
            return Grams(food.portions[name] * FACTORS[level], OWN if counted else GUESSED, f"{size} {name}".strip())
    return Grams(serving(food) * FACTORS[level], GUESSED, f"{size} serving".strip())
