"""Tables whose header uses our own names, such as `time;glucose (mmol/L);carbs`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gemel.packs.diabetes.sources.words import UNITS
from gemel.streams.csv_table import CsvMap


def own(cells: Sequence[str], timezone: str | None, encoding: str | None = None) -> CsvMap | None:
    """Return the map of a table whose header uses Gemel's names, None for any other."""
    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    for cell in cells:
        word = re.fullmatch(r"\s*([A-Za-z_ ]+?)\s*(?:[(\[](.+)[)\]])?\s*", cell)
        name = word[1].lower().replace(" ", "_") if word else ""
        if word and name in (*UNITS, "time"):
            columns[name] = cell
            units[name] = _written(word[2] or UNITS.get(name, ""))
    known = len(columns) > 1 and "time" in columns
    return CsvMap(columns, units, timezone, encoding=encoding) if known else None


def _written(unit: str) -> str:
    return {"mg/dl": "mg/dL", "mmol/l": "mmol/L"}.get(unit.lower(), unit)
