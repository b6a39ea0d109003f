"""The signals and levers that sources of this pack speak of, and the words for units and for values off the scale."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gemel.packs.diabetes.metrics import MGDL_PER_MMOL
from gemel.streams.contract import Item, Place
from gemel.streams.reading import decimal
from gemel.streams.report import Report

UNITS = {"glucose": "mg/dL", "heart_rate": "bpm", "steps": "step", "bolus": "U", "basal": "U/h", "carbs": "g"}
"""The signals and levers that these sources speak of, in the unit that each has where none is written."""

GLUCOSE = {"mg/dl": "mg/dL", "mgdl": "mg/dL", "mmol/l": "mmol/L", "mmol": "mmol/L"}

_LOW, _HIGH = ("low", "lo", "<40", "<2.2"), ("high", "hi", ">400", ">22.2")


def glucose_unit(text: str) -> str | None:
    """Return the unit of glucose that a header or unit names, None where it names none."""
    found = re.search(r"mg/?dl|mmol(/l)?", text, re.IGNORECASE)
    return GLUCOSE[found[0].lower()] if found else None


@dataclass(frozen=True)
class Scale:
    """Below and above which mg/dL a sensor writes a word in place of a number."""

    low: float
    high: float


DEXCOM, LIBRE = Scale(40, 400), Scale(40, 500)
"""Dexcom writes Low below 40 and High above 400 mg/dL; Libre LO below 40 and HI above 500 mg/dL."""


def glucose(
    text: str, unit: str, at: int, source_id: str | None, by: Place, delimiter: str, scale: Scale, report: Report
) -> Item | None:
    """Return a reading of glucose; one off the scale is told as 1 mg/dL beyond it, and reported."""
    word = text.strip().lower().replace(" ", "")
    for words, value in ((_LOW, scale.low - 1), (_HIGH, scale.high + 1)):
        if word in words:
            report.warn(f"a reading says {text.strip()[:8]!r}: it is imported as {value:g} mg/dL")
            return Item("glucose", float(value), "mg/dL", at, source_id, by)
    value_read = decimal(text, by, delimiter)
    return None if value_read is None else metered(Item("glucose", value_read, unit, at, source_id, by), report)


def metered(item: Item, report: Report, off: bool = False) -> Item:
    """Return a reading; one just off the scale of meters, as LO and HI are told in numbers, is its end, and reported.

    The scale is 20 to 600 mg/dL; LO is 1 to 19, HI 601 to 605. So low a number in mg/dL may be one in mmol/L: it is LO
    only if the record says that it is *off* the scale. The ends are told in mmol/L, where they can mean nothing else.
    """
    mmol = item.unit == "mmol/L"
    exact = item.value * (MGDL_PER_MMOL if mmol else 1.0)
    low, high = 0.5 < exact < 20 and (mmol or off), 600 < exact < 605.5
    if not low and not high:
        return item
    word, end = ("LO", 20) if low else ("HI", 600)
    if round(exact) != end:
        report.warn(f"a reading is {exact:.0f} mg/dL, as meters tell {word}: it is imported as {end} mg/dL")
    return replace(item, value=end / MGDL_PER_MMOL, unit="mmol/L")
