"""What a sentence says beside its intent: amounts, each with its time; glucose; the words that name food."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo

from gemel.facts import Time
from gemel.packs.diabetes.sunny.food_named import amount_in, carbs_in, food_in, sport_in
from gemel.packs.diabetes.sunny.normal import normal
from gemel.packs.diabetes.sunny.reported import glucose_in
from gemel.packs.diabetes.sunny.times import AT, NOW, NUMBER, Ahead, ago, ahead, clocked, span
from gemel.packs.diabetes.sunny.times import stretch as stretch

UNITS = re.compile(rf"\b(?:{NUMBER} ?|(half a |an? ))(?:u|units?)\b")
CLAUSE = re.compile(r"[,;](?!\d)|[.?!] |\b(?:and|then|but|plus)\b")
CARBS, INSULIN = "carbs", "insulin"


@dataclass(frozen=True)
class Slots:
    """Grams and units that were named, glucose in mg/dL, food, an amount of the food before, hours that it is about, and times.

    `ahead` and `ago_min` are of the whole sentence; `carbs_at` and `units_at` are when each amount is to come.
    """

    grams: float | None = None
    units: float | None = None
    glucose: float | None = None
    ahead: Ahead | None = None
    ago_min: float | None = None
    hours: float | None = None
    food: str = ""
    amount: str = ""
    carbs_at: Ahead | None = None
    units_at: Ahead | None = None
    sport: bool = False

    @property
    def ahead_min(self) -> float | None:
        """Return minutes until what is said to come."""
        return None if self.ahead is None else self.ahead.minutes


def slots(text: str, now: Time, place: tzinfo) -> Slots:
    """Return what *text* names; times of the clock are those of *place*, the next or the last such time."""
    said = clocked(normal(text))
    at = _times(said, now, place)
    return Slots(
        carbs_in(said), _units(said), glucose_in(said), ahead(said, now, place), ago(said, now, place), span(said),
        food_in(said), amount_in(said), at.get(CARBS), at.get(INSULIN), sport_in(said),
    )  # fmt: skip


def _units(said: str) -> float | None:
    found = UNITS.search(said)
    if found is None:
        return None
    return float(found[1].replace(",", ".")) if found[1] else 0.5 if "half" in found[2] else 1.0


def _times(said: str, now: Time, place: tzinfo) -> Mapping[str, Ahead]:
    """Return when carbohydrate and insulin are to come: each by its own clause, else by a time said before or after both."""
    times: dict[str, Ahead] = {}
    seen: set[str] = set()
    first: Ahead | None = None
    for clause in CLAUSE.split(said):
        named, at = _amounts(clause), _time(clause, now, place)
        seen |= named
        if at is None or (sport_in(clause) and not named):
            continue
        first = first if seen else at
        times = dict.fromkeys(named or seen, at) | times
    return times if first is None else {CARBS: first, INSULIN: first} | times


def _time(clause: str, now: Time, place: tzinfo) -> Ahead | None:
    """Return when a clause is to come; "for breakfast" in the afternoon names a meal and no time."""
    at = ahead(clause, now, place)
    if at is None or (at.over and AT.search(clause) is None):
        return Ahead(0.0) if NOW.search(clause) else None
    return at


def _amounts(clause: str) -> set[str]:
    carbs = carbs_in(clause) is not None or food_in(clause) or amount_in(clause)
    return {name for name, held in ((CARBS, carbs), (INSULIN, _units(clause) is not None)) if held}
