"""Dexcom Clarity's CSV export: glucose of the sensor, rapid-acting insulin, carbohydrates.

Dexcom publishes no specification. Columns: what the University of Michigan's data library and many public exports show
(docs/importing.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from gemel.facts import Time
from gemel.packs.diabetes.sources.dates import Order, placed
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.sheet import Row, sheet, unused
from gemel.packs.diabetes.sources.words import DEXCOM, glucose, glucose_unit
from gemel.streams.contract import Item, Place, Source
from gemel.streams.report import Report

_TIME, _TICKS = "Timestamp (YYYY-MM-DD", "Transmitter Time ("


def is_clarity(cells: Sequence[str]) -> bool:
    """Return whether this is the header of a Clarity export."""
    return "Event Type" in cells and all(
        any(cell.startswith(start) for cell in cells) for start in (_TIME, "Glucose Value (")
    )


def clarity(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a Clarity export says: `glucose`, `bolus` of rapid-acting insulin, `carbs`.

    Local times need *timezone*. Readings are put in order by the transmitter's own count of seconds, so that the hour
    that comes twice is read right. Low and High are 39 and 401 mg/dL.
    """
    return one_file(path, timezone, "clarity", _items)


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    timed: dict[str, list[tuple[Row, datetime, Place]]] = {}
    for row in sheet(path, is_clarity, report).rows:
        column = row.column(_TIME)
        when = row.text(column) if column else ""
        if not when or not column:
            continue  # the person's name, the device, limits of alerts
        by = row.by.at(column)
        kind = row.text("Event Type")
        transmitter = f"{kind}|{row.text('Transmitter ID')}" if kind == "EGV" else kind
        timed.setdefault(transmitter, []).append((row, Order(True).read(when, by), by))
    for rows in timed.values():
        for row, at, _ in placed(_by_ticks(rows), zone, report):
            item = _item(row, at, report)
            if item is not None:
                yield item


def _by_ticks(rows: list[tuple[Row, datetime, Place]]) -> list[tuple[Row, datetime, Place]]:
    """Return the rows in the order of the transmitter's clock, where every row has one; else as they are."""
    column = rows[0][0].column(_TICKS)
    if column is None or not all(row.text(column) for row, _, _ in rows):
        return rows
    return sorted(rows, key=lambda one: one[0].number(column)[0] or 0.0)


def _item(row: Row, at: Time, report: Report) -> Item | None:
    kind, subtype = row.text("Event Type"), row.text("Event Subtype")
    if kind == "EGV":
        column = row.column("Glucose Value (") or ""
        unit = glucose_unit(column) or "mg/dL"
        return glucose(row.cells[column], unit, at, None, row.by.at(column), row.delimiter, DEXCOM, report)
    if kind == "Insulin" and subtype == "Fast-Acting":
        return _dose(row, "Insulin Value (", "bolus", "U", at)
    if kind in ("Carbs", "Carbohydrates"):
        return _dose(row, "Carb Value (", "carbs", "g", at)
    if kind == "Insulin":
        report.warn(f"insulin that is {subtype or 'of no kind that is named'}: not used, this twin takes rapid-acting")
    else:
        unused(report, kind)
    return None


def _dose(row: Row, start: str, name: str, unit: str, at: Time) -> Item | None:
    value, by = row.number(row.column(start) or "")
    return Item(name, value, unit, at, None, by) if value else None
