"""What to eat now: meals that keep glucose steady and fit taste, each with the forecast behind it. Not medical advice.

Forecasts come from the caller's twin; nothing here makes up a number. A meal that holds an allergen or may hold one (its table
does not say), that is disliked, or that may bring glucose low is left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.facts import DAY, HOUR, Time
from gemel.intervention import LEVELS, Forecast
from gemel.packs.food.habits import Favourite, fits
from gemel.packs.food.meal import Item, Meal
from gemel.packs.food.measures import grams
from gemel.packs.food.spelling import words
from gemel.packs.food.table import Food
from gemel.packs.language import Meaning

Try = Callable[[Meal], Forecast]
"""The forecast if this meal is eaten now, with whatever else is planned."""

PARTS = ((5, "night"), (12, "morning"), (17, "afternoon"), (21, "evening"), (24, "night"))
"""Until which hour a part of the day lasts."""
STEADY = 0.9
"""The chance of being in range, over the forecast, from which on a meal is called steady: a judgement."""
RISK = 0.1
"""A meal is left out if the chance to be below the range is above this at any time: a judgement."""
LIKE_DISLIKED = 0.8
"""The cosine from which on a food means what is disliked."""


@dataclass(frozen=True)
class Taste:
    """What a person likes (favourites), dislikes (words), and must not eat (allergens)."""

    favourites: Sequence[Favourite] = ()
    disliked: frozenset[str] = field(default_factory=frozenset)
    allergens: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Figures:
    """What a forecast says of a meal: `inside` is the mean chance to be in range, `below` the greatest chance to be under it.

    `low` and `high` bound the 80 % interval over the whole forecast; `until` is its end.
    """

    inside: float
    below: float
    low: float
    high: float
    unit: str
    until: Time


@dataclass(frozen=True)
class Suggestion:
    """A meal, its figures, how well it fits taste in [0, 1], the score they make, and a sentence with those figures."""

    meal: Meal
    figures: Figures
    taste: float
    score: float
    sentence: str


@dataclass(frozen=True)
class Suggested:
    """Suggestions, best first, and what was left out with the reason."""

    suggestions: tuple[Suggestion, ...]
    left_out: tuple[tuple[str, str], ...]


def plate(food: Food) -> Meal:
    """Return a usual serving of one food as a meal."""
    amount = grams(food, None, "", "")
    return Meal(food.name, (Item(food.name, food, amount, 1.0),))


def candidates(favourites: Iterable[Favourite], foods: Iterable[Food], *, least_g: float = 5.0) -> list[Meal]:
    """Return favourites as they were eaten last, then servings of *foods* with at least *least_g* of carbohydrate."""
    own = [one.meal for one in favourites]
    held = {meal.text for meal in own}
    made = (plate(food) for food in foods)
    return [*own, *(one for one in made if one.text not in held and one.total("carbohydrate").value >= least_g)]


def suggest(
    meals: Sequence[Meal], tried: Try, taste: Taste, meaning: Meaning, *, now: Time, band: tuple[float, float],
    offset: Time = 0, most: int = 3,
) -> Suggested:  # fmt: skip
    """Return up to *most* of *meals*; *band* is the range to stay in, in the forecast's unit; *offset* ms local minus UTC."""
    reasons = [_barred(meal, taste, meaning) for meal in meals]
    out = [(meal.text, reason) for meal, reason in zip(meals, reasons, strict=True) if reason]
    left = [meal for meal, reason in zip(meals, reasons, strict=True) if not reason]
    liked = _liked(left, taste, meaning, ((now + offset) % DAY) / HOUR)
    made = []
    for meal, fit in zip(left, liked, strict=True):
        figures = figures_of(tried(meal), band)
        if figures.below > RISK:
            out.append((meal.text, f"the chance to go below {band[0]:g} {figures.unit} is {figures.below:.0%}"))
            continue
        score = figures.inside * (0.5 + 0.5 * fit)
        made.append(Suggestion(meal, figures, fit, score, _sentence(meal, figures, now + offset, offset)))
    best = sorted(made, key=lambda one: (-one.score, one.meal.text))[:most]
    return Suggested(tuple(best), tuple(out))


def figures_of(forecast: Forecast, band: tuple[float, float]) -> Figures:
    """Return what a forecast says of a range, chances read off between its quantiles; beyond them they are 0 and 1."""
    columns = forecast.quantiles.T
    under = np.array([np.interp(band[0], column, LEVELS, left=0.0, right=1.0) for column in columns])
    upto = np.array([np.interp(band[1], column, LEVELS, left=0.0, right=1.0) for column in columns])
    return Figures(
        float((upto - under).mean()), float(under.max()), float(forecast.at_level(0.1).min()),
        float(forecast.at_level(0.9).max()), forecast.unit, forecast.at[-1],
    )  # fmt: skip


def _barred(meal: Meal, taste: Taste, meaning: Meaning) -> str:
    """Return why a meal must not be suggested, or nothing."""
    if not meal.items or meal.unknown:
        return "not every food of it is known"
    for item in meal.items:
        reason = _allergic(item.food, taste.allergens) or _disliked(item.food, taste.disliked, meaning)
        if reason:
            return reason
    return ""


def _allergic(food: Food, allergens: frozenset[str]) -> str:
    if not allergens:
        return ""
    if food.allergens is None:
        return f"its table does not say what allergens {food.name} holds"
    held = sorted(food.allergens & allergens)
    return f"{food.name} holds {', '.join(held)}" if held else ""


def _disliked(food: Food, disliked: frozenset[str], meaning: Meaning) -> str:
    if not disliked:
        return ""
    names = (food.name, *food.aliases, *(key.partition(":")[2] for key, _ in food.parts))
    for one in sorted(disliked):
        if any(set(words(one)) <= set(words(name)) for name in names):
            return f"{one} is disliked"
    cosines = meaning.embed([food.name]) @ meaning.embed(sorted(disliked)).T
    return f"{food.name} is like what is disliked" if float(cosines.max()) >= LIKE_DISLIKED else ""


def _liked(meals: Sequence[Meal], taste: Taste, meaning: Meaning, hour: float) -> list[float]:
    """Return how well meals fit taste: the nearest favourite in meaning, by its weight and how usual it is at this hour."""
    if not meals or not taste.favourites:
        return [0.5] * len(meals)
    top = max(one.weight for one in taste.favourites)
    weights = np.array([(0.5 + 0.5 * one.weight / top) * fits(one, hour) for one in taste.favourites])
    liked = meaning.embed([one.name() for one in taste.favourites])
    near = np.clip(meaning.embed([meal.text for meal in meals]) @ liked.T, 0.0, 1.0)
    return [float(value) for value in (near * weights).max(axis=1)]


def _sentence(meal: Meal, figures: Figures, local: Time, offset: Time) -> str:
    until = (figures.until + offset) % DAY
    told = (
        f"between {figures.low:.4g} and {figures.high:.4g} {figures.unit} (80 %) until {until // HOUR:02d}:"
        f"{until % HOUR // (HOUR // 60):02d}, in range with {figures.inside:.0%}"
    )
    carbohydrate = f"{meal.text}, {meal.total('carbohydrate').value:.0f} g of carbohydrate"
    if figures.inside >= STEADY:
        return f"{carbohydrate}: it'll keep your {_part(local)} steady, {told}"
    return f"{carbohydrate}: less steady, {told}"


def _part(local: Time) -> str:
    hour = local % DAY // HOUR
    return next(name for until, name in PARTS if hour < until)
