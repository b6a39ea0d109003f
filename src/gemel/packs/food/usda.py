"""USDA FoodData Central (public domain, CC0), from a download: a folder of CSV files, or one JSON file.

Formats as in https://fdc.nal.usda.gov/download-datasets and the field descriptions published there: `food.csv`,
`food_nutrient.csv`, `nutrient.csv`, `food_portion.csv`, `measure_unit.csv`; or
`{"FoundationFoods": [{"fdcId", "description", "foodNutrients", "foodPortions"}]}`, likewise SRLegacyFoods and SurveyFoods.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gemel.errors import BadInput
from gemel.packs.food.kinds import kind_of
from gemel.packs.food.table import Food, Table

NUMBERS = {
    "208": ("energy_kj", 4.184), "957": ("energy_kj", 4.184), "958": ("energy_kj", 4.184), "268": ("energy_kj", 1.0),
    "205": ("carbohydrate", 1.0), "205.2": ("carbohydrate", 1.0), "269": ("sugars", 1.0), "269.3": ("sugars", 1.0),
    "291": ("fibre", 1.0), "293": ("fibre", 1.0), "204": ("fat", 1.0), "298": ("fat", 1.0), "203": ("protein", 1.0),
    "307": ("sodium_mg", 1.0), "306": ("potassium_mg", 1.0),
}  # fmt: skip
"""Nutrient numbers of USDA in order of preference, what they are here, and by what to multiply (kcal to kJ)."""

NEEDED = ("carbohydrate", "fat", "protein")
DONE = ("foundation_food", "sr_legacy_food", "survey_fndds_food", "branded_food")
"""Kinds of rows that are foods to eat, not samples of their makers' or markets'."""


def usda(path: str | Path) -> Table:
    """Return foods that state carbohydrate, fat and protein, per 100 g, of a folder of CSV files or a JSON file."""
    path = Path(path)
    if not path.exists():
        raise BadInput("there is no such file or folder", file=str(path))
    foods = tuple(_folder(path) if path.is_dir() else _json(path))
    if not foods:
        raise BadInput("holds no food of FoodData Central with carbohydrate, fat and protein", file=str(path))
    return Table("usda", foods)


def _food(fdc: str, name: str, found: Iterable[tuple[str, float]], portions: Mapping[str, float]) -> Iterator[Food]:
    amounts = dict(found)
    per_100: dict[str, float] = {}
    for number, (nutrient, factor) in NUMBERS.items():
        if number in amounts:
            per_100.setdefault(nutrient, amounts[number] * factor)
    if all(nutrient in per_100 for nutrient in NEEDED):
        per_100.setdefault("energy_kj", 17 * (per_100["carbohydrate"] + per_100["protein"]) + 37 * per_100["fat"])
        yield Food(f"usda:{fdc}", name, kind_of(name), per_100, f"USDA FoodData Central {fdc}", portions=portions)


def _portion(*words: str) -> str:
    """Return the word for one portion, such as cup or slice: the first of *words* that says something."""
    said = [word.strip().lower() for word in words if word and word.strip().lower() not in ("undetermined", "")]
    text = (said[0] if said else "serving").split(",")[0].split("(")[0].strip()
    first, _, rest = text.partition(" ")
    return rest if first.replace(".", "").isdigit() and rest else text


def _json(path: Path) -> Iterator[Food]:
    try:
        held = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, Any]]])
    except (msgspec.MsgspecError, OSError) as error:
        raise BadInput(f"is no JSON file of FoodData Central: {error}", file=str(path)) from None
    for foods in held.values():
        for food in foods:
            yield from _from_json(food, path)


def _from_json(food: dict[str, Any], path: Path) -> Iterator[Food]:
    try:
        found = [
            (str(one["nutrient"]["number"]), float(one["amount"])) for one in food["foodNutrients"] if "amount" in one
        ]
        portions = {
            _portion(
                one.get("measureUnit", {}).get("name", ""),
                one.get("modifier", "") if not str(one.get("modifier", "")).isdigit() else "",
                one.get("portionDescription", ""),
            ): float(one["gramWeight"]) / float(one.get("amount") or 1.0)
            for one in food.get("foodPortions", [])
        }
        yield from _food(str(food["fdcId"]), str(food["description"]), found, portions)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"food {food.get('fdcId', '?')} is not as published: {error!r}", file=str(path), field="foodNutrients"
        ) from None


def _folder(folder: Path) -> Iterator[Food]:
    number = {row["id"]: row["nutrient_nbr"] for row in _rows(folder / "nutrient.csv", "id", "nutrient_nbr")}
    number |= {one: one for one in NUMBERS}  # survey foods name nutrients by number; ids begin at 1001
    wanted = {one for one, held in number.items() if held in NUMBERS}
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for row in _rows(folder / "food_nutrient.csv", "fdc_id", "nutrient_id", "amount"):
        if row["nutrient_id"] in wanted and row["amount"]:
            found[row["fdc_id"]].append((number[row["nutrient_id"]], float(row["amount"])))
    portions = _portions(folder)
    for row in _rows(folder / "food.csv", "fdc_id", "data_type", "description"):
        if row["data_type"] in DONE and row["fdc_id"] in found:
            yield from _food(row["fdc_id"], row["description"], found[row["fdc_id"]], portions.get(row["fdc_id"], {}))


def _portions(folder: Path) -> dict[str, dict[str, float]]:
    if not (folder / "food_portion.csv").is_file():
        return {}
    units: dict[str, str] = {}
    if (folder / "measure_unit.csv").is_file():
        units = {row["id"]: row["name"] for row in _rows(folder / "measure_unit.csv", "id", "name")}
    held: dict[str, dict[str, float]] = defaultdict(dict)
    for row in _rows(folder / "food_portion.csv", "fdc_id", "amount", "measure_unit_id", "modifier", "gram_weight"):
        amount, unit = float(row["amount"] or 1.0), units.get(row["measure_unit_id"], "")
        modifier = "" if row["modifier"].isdigit() else row["modifier"]
        name = _portion(unit, modifier, row.get("portion_description") or "")
        held[row["fdc_id"]].setdefault(name, float(row["gram_weight"]) / amount)
    return held


def _rows(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise BadInput(f"lacks the columns {', '.join(missing)}", file=str(path))
            yield from reader
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read: {error}", file=str(path)) from None
