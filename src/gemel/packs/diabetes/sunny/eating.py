"""Tools about food: what is in a meal, writing down what was eaten, and what to eat with the forecast behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

import msgspec

from gemel.bank import Twin
from gemel.bank.tools import Answer
from gemel.errors import Refused
from gemel.facts import DAY, MINUTE, Draft, Time
from gemel.intervention import Forecast
from gemel.packs.diabetes.scenarios import meal as eaten
from gemel.packs.diabetes.sunny.settings import offset
from gemel.packs.food import Absorption, Eaten, Item, Meal, Search, Taste, everyday, expected, favourites, learn, parse
from gemel.packs.food.absorption import Learned, kind
from gemel.packs.food.habits import ATE
from gemel.packs.food.measures import Grams
from gemel.packs.food.suggest import plate, suggest
from gemel.packs.language import meaning
from gemel.streams import Item as Record
from gemel.streams import Place

NEAR: Time = 30 * MINUTE
"""How near to a helping its food must have been written down."""

SNACKS = ("apple", "banana", "yoghurt", "crackers", "hummus", "orange", "popcorn", "strawberries", "milk")
MEALS = ("vegetable soup", "spaghetti bolognese", "ham sandwich", "chicken wrap", "tomato soup")
"""What is tried when nothing is known of what somebody likes: a judgement."""


@cache
def foods() -> Search:
    """Return the search of the built-in table."""
    return Search(everyday(), meaning())


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """Food in words, such as "two slices of toast and a glass of milk"."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Logged(msgspec.Struct, forbid_unknown_fields=True):
    """Grams of carbohydrate that were eaten, when (by default now), and of what, in words; written only if `sure`."""

    grams: Annotated[float, msgspec.Meta(gt=0, le=300)]
    minutes_ago: Annotated[float, msgspec.Meta(ge=0, le=24 * 60)] = 0.0
    text: Annotated[str, msgspec.Meta(max_length=300)] = ""
    sure: bool = False


class Hungry(msgspec.Struct, forbid_unknown_fields=True):
    """How many to suggest, and how far ahead to look."""

    most: Annotated[int, msgspec.Meta(ge=1, le=5)] = 2
    hours: Annotated[float, msgspec.Meta(ge=1, le=6)] = 3.0
    small: bool = True


def food(twin: Twin, asked: Said) -> Answer:
    """Return foods, grams and nutrients of a meal in words, with spans of 90 %, and what was not understood."""
    meal = parse(asked.text, foods())
    held = meal.body()
    items = [
        {
            "name": one["name"],
            "said": one["said"],
            "grams": one["grams"],
            "how": one["how"],
            "carbohydrate": one["carbohydrate"],
        }
        for one in held["items"]
    ]
    totals = {name: held["totals"][name] for name in ("carbohydrate", "sugars", "fibre", "fat", "protein")}
    found = {"items": items, "totals": totals, "unknown": held["unknown"], "unit": "g"}
    return found | {"absorption": _comes_in(twin, meal)} if items else found


def _comes_in(twin: Twin, meal: Meal) -> Answer:
    """Return how quickly a meal comes in: by its composition, and by what was seen of this person, if that may be read."""
    try:
        one = expected(absorptions(twin), meal)
    except Refused:
        one = expected({}, meal)
    return {"kind": kind(meal), "speed": round(one.speed, 2), "seen": one.seen}


def absorptions(twin: Twin) -> Learned:
    """Return what was learned of the person's meals: how quickly they came in, where it is on record what they were."""
    held, book = _past(twin, twin.bank.now()), dict[str, Absorption]()
    for one in _helpings(twin) if held else ():
        meal = next((each.meal for each in held if abs(each.at - one["at"]) <= NEAR and each.meal.items), None)
        book = book if meal is None else learn(book, meal, one["speed"], one["spread"])
    return book


def _helpings(twin: Twin) -> Sequence[Mapping[str, Any]]:
    from gemel.packs.diabetes.personal.report import IDENTIFIED

    last = next(iter(twin.bank.thread.read(twin.id, kinds=[IDENTIFIED], reverse=True, limit=1)), None)
    return () if last is None else last.body.get("helpings", ())


def log_food(twin: Twin, asked: Logged) -> Answer:
    """Write carbohydrate as eaten, by whoever says so, or, unless they are sure, say what would be written."""
    twin.bank.gate.require(twin.actor, "write", twin.id, "carbs", twin.purpose)
    now = twin.bank.now()
    at = now - round(asked.minutes_ago * MINUTE)
    told = {"grams": round(asked.grams, 1), "at": at, "minutes_ago": asked.minutes_ago, "written": asked.sure}
    if not asked.sure:
        return told
    twin.record([Record("carbs", asked.grams, "g", at, None, Place("Sunny"))])
    items = [{"food": one.food.key, "grams": round(one.amount.grams, 1)} for one in parse(asked.text, foods()).items]
    if items:
        twin.bank.append([Draft(twin.id, ATE, {"items": items}, at, twin.actor)])
    return told


def suggest_food(twin: Twin, asked: Hungry) -> Answer:
    """Return meals that keep glucose steady, each with the twin's own forecast; taste is what was logged before."""
    signal = next(iter(twin.type.band))
    usual, now = twin.fork("as usual"), twin.bank.now()

    def tried(meal: Meal) -> Forecast:
        fork = usual.suppose(eaten(max(meal.total("carbohydrate").value, 0.1)))
        return fork.forecast(signal, asked.hours)

    ms = offset(twin, now)
    liked = favourites(_past(twin, now), now, offset=ms, most=4)
    meals = list(_candidates(asked.small, [one.meal for one in liked]))
    found = suggest(
        meals, tried, Taste(liked), foods().meaning, now=now, band=twin.type.band[signal], offset=ms, most=asked.most
    )
    rows = [
        {"food": one.meal.text, "carbohydrate": round(one.meal.total("carbohydrate").value), "unit": one.figures.unit,
         "low80": round(one.figures.low), "high80": round(one.figures.high), "in_range_percent": round(100 * one.figures.inside),
         "steady": one.figures.inside >= 0.9}
        for one in found.suggestions
    ]  # fmt: skip
    return {"suggestions": rows, "hours": asked.hours, "left_out": len(found.left_out)}


def _candidates(small: bool, liked: list[Meal]) -> Iterator[Meal]:
    held = {one.text for one in liked}
    yield from liked
    for name in SNACKS if small else MEALS:
        found = foods().by_name(name)
        if found is not None and found.name not in held:
            yield plate(found)


def _past(twin: Twin, now: Time) -> list[Eaten]:
    """Return what was eaten in the last 60 days, as far as its foods are known."""
    twin.bank.gate.require(twin.actor, "read", twin.id, "*", twin.purpose)
    facts = (fact for fact in twin.bank.thread.read(twin.id, kinds=[ATE]) if now - fact.true_at < 60 * DAY)
    return [Eaten(fact.true_at, _meal(fact.body)) for fact in facts]


def _meal(body: Any) -> Meal:
    table = foods().table
    held = [(table[one["food"]], float(one["grams"])) for one in body["items"] if one["food"] in table]
    items = tuple(Item(food.name, food, Grams(grams, 0.15, "as logged"), 1.0) for food, grams in held)
    return Meal(" with ".join(one.food.name for one in items), items)
