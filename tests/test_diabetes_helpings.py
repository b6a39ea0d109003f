"""How quickly a person's meals come in: learned from days that were personalised, told by foods that are on record."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from gemel.bank import Bank, Twin
from gemel.bank.tools import named
from gemel.dynamics import Dose
from gemel.facts import DAY, HOUR, Draft, Time
from gemel.packs.diabetes import Person, personal
from gemel.packs.diabetes.asset import LILY, virtual_days
from gemel.packs.diabetes.personal import identify, unknowns
from gemel.packs.diabetes.personal.fit import Gaussian, P, Q, replays, stacked
from gemel.packs.diabetes.personal.helpings import helpings
from gemel.packs.diabetes.personal.noise import Noise
from gemel.packs.diabetes.sunny.eating import absorptions, foods
from gemel.packs.diabetes.sunny.tools import TOOLS
from gemel.packs.food import parse
from gemel.packs.food.habits import ATE
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

CELLS, DAYS = 288, 12
QUICK, SLOW = 1.6, -1.6
"""Standard deviations by which breakfasts come in quicker, and dinners slower."""

ERRORS = Noise(8.0, 100.0, 2.0, 40.0, 1.5)
START: Time = 20_000 * DAY
SMALL = replace(Person, members=8)


def days() -> list[personal.Day]:
    """Return days that the model lived, a breakfast, a lunch and a dinner on each, with correlated errors."""
    rng, (first, _) = np.random.default_rng(3), unknowns.place("kabs.meal")
    given = [Dose("basal", 1.0, day * DAY) for day in range(DAYS + 1)]
    for day in range(DAYS + 1):
        for hour, grams in ((8, 50.0), (13, 60.0), (19, 60.0)):
            given += [Dose("carbs", grams, day * DAY + hour * HOUR), Dose("bolus", grams / 10, day * DAY + hour * HOUR)]
    empty = [personal.day_at([], given, d * DAY + 4 * HOUR, weight=70.0, basal=0.24) for d in range(DAYS)]
    started = [replace(day, glucose=np.where(np.arange(CELLS + 1) == 0, 130.0, np.nan)) for day in empty]
    daily = np.zeros((DAYS, Q))
    for row, day in zip(daily, empty, strict=True):
        hour = (day.meal_at / 60 + 4) % 24
        row[first : first + len(hour)] = np.where(hour == 8, QUICK, np.where(hour == 19, SLOW, 0.0)) * (day.meal > 0)
    with jax.enable_x64(True):
        said = replays(np.zeros((DAYS, P)), daily, stacked(started))
    root = np.linalg.cholesky(ERRORS.covariance(5.0 * np.arange(CELLS + 1)))
    return [replace(d, glucose=g + root @ rng.standard_normal(CELLS + 1)) for d, g in zip(empty, said, strict=True)]


def test_meals_that_come_in_quickly_and_slowly_are_told_apart() -> None:
    """By the ratio that they were made with, within their spread, one helping at a time and all together."""
    known = personal.Personal(0, Gaussian(np.zeros(P), 1e4 * np.eye(P)), np.zeros((4, P)), ERRORS, ())
    found = helpings(known, days())
    usual, scale = next(u.mean for u in unknowns.PERSON if u.name == "kabs"), unknowns.place("kabs.meal")[1]
    for hour, off in ((8, QUICK), (19, SLOW)):
        own = [one for one in found if one.at % DAY == hour * HOUR]
        truth = np.log((1 + np.exp(-usual)) / (1 + np.exp(-usual - scale * off)))
        apart = np.array([(np.log(one.speed) - truth) / one.spread for one in own])
        weights = np.array([one.spread**-2.0 for one in own])
        mean = float(np.average([np.log(one.speed) for one in own], weights=weights))
        assert len(own) >= DAYS // 2 and (np.abs(apart) < 1.645).mean() >= 0.7
        assert mean == pytest.approx(truth, abs=3.0 / np.sqrt(weights.sum()) + 0.05) and mean * off > 0


def test_no_readings_tell_of_no_meal() -> None:
    known = personal.Personal(0, Gaussian(np.zeros(P), np.eye(P)), np.zeros((4, P)), ERRORS, ())
    assert helpings(known, [replace(day, glucose=np.full(CELLS + 1, np.nan)) for day in days()[:2]]) == []
    assert helpings(known, []) == []


@pytest.fixture(scope="module")
def lily() -> Twin:
    """Three days of a virtual child, with toast on record as each breakfast."""
    bank = Bank(MemoryThread(), FakeClock(START + 5 * DAY), {SMALL.name: SMALL})
    twin = bank.create(SMALL, "lily", by="sarah")
    told = virtual_days([LILY], 4, seed=5, start=START)[LILY]
    twin.record([Item(name, value, unit, at, None, Place("virtual")) for name, value, unit, at in told])
    meals = [at for name, _, _, at in told if name == "carbs" and at % DAY < 10 * HOUR]
    toast = {"items": [{"food": parse("toast", foods()).items[0].food.key, "grams": 60.0}]}
    twin.bank.append([Draft("lily", ATE, toast, at, "sarah") for at in meals])
    return twin


def test_what_was_eaten_is_learned_with_the_days(lily: Twin) -> None:
    """Kept with what was identified, each helping once; without food on record nothing is worked out."""
    found = identify(lily, 14, quick=True)
    assert found.helpings and found.body()["helpings"][0]["at"] == found.helpings[0].at
    assert identify(lily, 14, quick=True).helpings == found.helpings
    assert all(0.2 < one.speed < 5.0 and one.spread > 0.0 for one in found.helpings)


def test_the_food_tool_tells_what_was_learned_of_this_person(lily: Twin) -> None:
    identify(lily, 14, quick=True)
    seen = named(TOOLS, "food").call(lily, {"text": "toast"})["absorption"]
    book = absorptions(lily)
    assert seen["seen"] >= 1 and [round(one.speed, 2) for one in book.values()] == [seen["speed"]]
    assert named(TOOLS, "food").call(lily, {"text": "banana"})["absorption"]["seen"] == 0
    lily.grant(to="dina", purpose="care", read="glucose")
    dina = lily.bank.find("lily", by="dina", purpose="care")
    assert named(TOOLS, "food").call(dina, {"text": "toast"})["absorption"]["seen"] == 0
