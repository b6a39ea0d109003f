"""LibreView's CSV export, and the table of DDATSHR, which was made from one.

Abbott publishes no specification. Columns and record types: public notes and exports, and DDATSHR itself
(docs/importing.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.packs.diabetes.sources.dates import order_of, placed
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.sheet import Row, Sheet, sheet, unused
from gemel.packs.diabetes.sources.words import LIBRE, glucose, glucose_unit
from gemel.streams.contract import Item, Place, Source
from gemel.streams.report import Report

_PERSON = "Subject code number"
_TIMES = ("Device Timestamp", "Local datetime [ISO8601]")
_GLUCOSE = {"0": "Historic Glucose", "1": "Scan Glucose", "2": "Strip Glucose"}
_SAYS = {"3": "ketone", "6": "a note or event"}


def is_libreview(cells: Sequence[str]) -> bool:
    """Return whether this is the header of a LibreView export."""
    return _TIMES[0] in cells and "Record Type" in cells


def is_ddatshr(cells: Sequence[str]) -> bool:
    """Return whether this is the header of DDATSHR's table of Libre data."""
    return _TIMES[1] in cells and _PERSON in cells and "Record Type" in cells


def libreview(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a LibreView export says: `glucose` (historic, scan, strip), `bolus` of rapid-acting insulin, `carbs`.

    Local times need *timezone*. Whether dates begin with day or month is found from the dates. The unit of glucose
    stands in the header. LO and HI are 39 and 501 mg/dL.
    """
    return one_file(path, timezone, "libreview", partial(_items, is_libreview, None))


def ddatshr(path: str | Path, person: str | None = None, timezone: str | None = "Europe/Amsterdam") -> Source:
    """Return what DDATSHR's `Abbott.csv` says of one *person* (den Braber et al., Maastricht): as `libreview`.

    Its times bear an offset, but for the hour of 2019-10-27 that comes twice.
    """
    return one_file(path, timezone, "ddatshr", partial(_items, is_ddatshr, person))


def _items(
    known: Callable[[Sequence[str]], bool], person: str | None, path: Path, zone: tzinfo | None, report: Report
) -> Iterator[Item]:
    found = sheet(path, known, report)
    rows = _of(found, person, str(path))
    column = next(name for name in _TIMES if not rows or name in rows[0].cells)
    if not rows:
        return
    order = order_of([row.text(column) for row in rows], rows[0].by.at(column), report)
    groups: dict[tuple[str, str], list[tuple[Row, datetime, Place]]] = {}
    for row in rows:
        by = row.by.at(column)
        groups.setdefault((row.text("Serial Number"), row.text("Record Type")), []).append(
            (row, order.read(row.text(column), by), by)
        )
    for (_, kind), group in groups.items():
        for row, at, _ in placed(group, zone, report):
            yield from _said(row, kind, at, report)


def _of(found: Sheet, person: str | None, file: str) -> list[Row]:
    """Return the rows of one person; raise where the table holds several and none is named, or not this one."""
    people = sorted({row.text(_PERSON) for row in found.rows})
    if person is None and len(people) <= 1:
        return found.rows
    if person not in people:
        asked = "name one" if person is None else f"{person} is not one of them"
        raise BadInput(f"holds {len(people)} people, {asked}: {', '.join(people)}"[:500], file=file, field=_PERSON)
    return [row for row in found.rows if row.text(_PERSON) == person]


def _said(row: Row, kind: str, at: Time, report: Report) -> Iterator[Item]:
    if kind in _GLUCOSE:
        column = row.column(_GLUCOSE[kind]) or ""
        unit = glucose_unit(column)
        if unit is None:
            raise row.by.bad(f"record type {kind} needs a column {_GLUCOSE[kind]}, with mg/dL or mmol/L in its name")
        item = glucose(row.cells[column], unit, at, None, row.by.at(column), row.delimiter, LIBRE, report)
        if item is not None:
            yield item
    elif kind in ("4", "5"):
        yield from _doses(row, at, report)
    else:
        unused(report, _SAYS.get(kind, f"record type {kind}"))


def _doses(row: Row, at: Time, report: Report) -> Iterator[Item]:
    """Yield insulin and carbohydrates that have an amount; what has none, and what the twin does not take, is told."""
    for start, name, unit in (("Rapid-Acting Insulin", "bolus", "U"), ("Carbohydrates (grams", "carbs", "g"),
                              ("Carbohydrates [g]", "carbs", "g")):  # fmt: skip
        value, by = row.number(row.column(start) or "")
        if value:
            yield Item(name, value, unit, at, None, by)
    for start, what in (
        ("Long-Acting Insulin", "long-acting insulin"), ("Non-numeric", "insulin or food without an amount"),
        ("Carbohydrates (serv", "carbohydrates in servings"), ("Carbohydrates [serv", "carbohydrates in servings"),
        ("Meal Insulin", "parts of a bolus"), ("Correction Insulin", "parts of a bolus"),
        ("User Change Insulin", "parts of a bolus"),
    ):  # fmt: skip
        if any(name.startswith(start) and row.cells[name].strip() not in ("", "0") for name in row.cells):
            unused(report, what)
