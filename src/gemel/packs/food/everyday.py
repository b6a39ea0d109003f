"""Everyday foods that need no data: composition from USDA, portions and recipes by judgement.

`everyday.csv` holds per 100 g what FNDDS (Food and Nutrient Database for Dietary Studies), or SR Legacy, in USDA FoodData
Central says, which is in the public domain (CC0): the column `source` is the name there. Aliases, portions and allergens are
ours: portions are household weights, judgements within some 20 %, and allergens say what the usual recipe holds, never what
a label says.
`dishes.csv` holds recipes by mass, all judgement; a name with * takes any food in its place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from gemel.packs.food.table import NUTRIENTS, Food, Table, composed

Frame = tuple[str, str, tuple[tuple[str, float], ...], dict[str, float]]
"""What makes a dish of any food: last words of its name, kind, parts (* is the food), portions."""

ANY = "*"


@cache
def everyday() -> Table:
    """Return the built-in table: simple foods, then dishes by their parts."""
    simple = Table("everyday", tuple(_food(row) for row in _rows("everyday.csv")))
    dishes = tuple(
        composed(_key(row["key"]), row["key"], row["kind"], _parts(simple, row), _numbers(row["portions"]), _names(row))
        for row in _rows("dishes.csv")
        if ANY not in row["key"]
    )
    return Table("everyday", (*simple.foods, *dishes))


@cache
def frames() -> tuple[Frame, ...]:
    """Return the recipes that take any food."""
    rows = [row for row in _rows("dishes.csv") if ANY in row["key"]]
    return tuple(
        (
            row["key"].replace(ANY, "").strip(),
            row["kind"],
            tuple((part if part == ANY else _key(part), share) for part, share in _numbers(row["parts"]).items()),
            _numbers(row["portions"]),
        )
        for row in rows
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(files("gemel.packs.food").joinpath(name).read_text(encoding="utf-8").splitlines())


def _food(row: dict[str, str]) -> Food:
    per_100 = {name: float(row[name]) for name in NUTRIENTS if row[name]}
    allergens = frozenset(filter(None, row["allergens"].split(";")))
    source = f"USDA {row['source']}" if row["source"] != "-" else "judgement: what labels of such products say"
    portions = _numbers(row["portions"])
    return Food(_key(row["key"]), row["key"], row["kind"], per_100, source, _names(row), portions, allergens)


def _parts(table: Table, row: dict[str, str]) -> list[tuple[Food, float]]:
    return [(table[_key(name)], share) for name, share in _numbers(row["parts"]).items()]


def _key(name: str) -> str:
    return f"everyday:{name}"


def _names(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(filter(None, row["aliases"].split(";")))


def _numbers(text: str) -> dict[str, float]:
    return {name: float(value) for name, _, value in (part.partition("=") for part in text.split(";"))}
