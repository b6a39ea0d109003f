"""The Australian Food Composition Database, Release 2 (Food Standards Australia New Zealand, 2022), from the user's own copy.

Its licence asks for attribution and share-alike (FSANZ data user licence, based on CC BY-SA 3.0 AU). It is therefore never
part of this package: docs/food.md says how to bring it.
"""

from __future__ import annotations

import csv
from pathlib import Path

from gemel.errors import BadInput
from gemel.packs.food.table import Food, Table

ATTRIBUTION = "AFCD Release 2, © Food Standards Australia New Zealand, data user licence based on CC BY-SA 3.0 AU"
COLUMNS = {
    "energy_kj": "energy_kj", "carbohydrate": "carb_g", "sugars": "sugars_g", "fibre": "fibre_g", "fat": "fat_g",
    "protein": "protein_g", "sodium_mg": "sodium_mg", "potassium_mg": "potassium_mg",
}  # fmt: skip
CLASSES = {
    "111": "drink", "112": "drink", "113": "drink", "114": "drink", "115": "drink", "118": "drink", "191": "drink",
    "198": "drink", "201": "drink", "295": "drink", "121": "grain", "122": "bread", "123": "bread", "124": "grain",
    "125": "cereal", "126": "grain", "131": "baked", "132": "baked", "133": "baked", "134": "baked", "136": "baked",
    "135": "dish", "14": "spread", "15": "meat", "16": "fruit", "17": "egg", "18": "meat", "192": "dairy",
    "193": "dairy", "194": "cheese", "195": "sweet", "196": "dairy", "21": "soup", "22": "nut", "23": "sauce",
    "24": "vegetable", "25": "legume", "26": "snack", "27": "spread", "28": "sweet",
}  # fmt: skip
"""Beginnings of AFCD's classes, the longest that fits counts; read off the names in each class."""


def afcd(path: str | Path) -> Table:
    """Return the table of a CSV with the key columns: key, class, name, energy_kj, protein_g, fat_g, …, per 100 g."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot be read as AFCD's CSV: {error}", file=str(path)) from None
    missing = [name for name in ("key", "class", "name", *COLUMNS.values()) if not rows or name not in rows[0]]
    if missing:
        raise BadInput(f"is not AFCD's CSV of key columns; missing: {', '.join(missing)}", file=str(path))
    return Table("afcd", tuple(_food(row, number, path) for number, row in enumerate(rows, 2)))


def _food(row: dict[str, str], number: int, path: Path) -> Food:
    try:
        per_100 = {name: float(row[column]) for name, column in COLUMNS.items()}
    except ValueError as error:
        raise BadInput(str(error), file=str(path), row=number) from None
    source = f"AFCD Release 2: {row['key']}"
    return Food(f"afcd:{row['key']}", row["name"], _kind(row["class"], row["name"]), per_100, source)


def _kind(number: str, name: str) -> str:
    if name.startswith(("Spread", "Peanut butter", "Butter", "Margarine")):
        return "spread"
    fits = [start for start in CLASSES if number.startswith(start)]
    return CLASSES[max(fits, key=len)] if fits else "other"
