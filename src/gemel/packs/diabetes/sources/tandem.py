"""Tandem's t:connect CSV export: sections for the sensor, the meter, the basal rate and boluses.

Tandem publishes no specification. Columns: public exports and the columns that public programs read
(docs/importing.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from pathlib import Path

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.sources.dates import order_of, placed
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.rates import Stretch, changes
from gemel.packs.diabetes.sources.sheet import Row, sheet, unused
from gemel.packs.diabetes.sources.words import DEXCOM, glucose, glucose_unit
from gemel.streams.contract import Item, Place, Source
from gemel.streams.report import Report
from gemel.streams.spread import spread

_WHEN = ("CompletionDateTime", "BolexCompletionDateTime", "BolexStartDateTime", "EventDateTime", "RequestDateTime")
_READINGS = ("Readings (", "BG (", "BG")


def is_tandem(cells: Sequence[str]) -> bool:
    """Return whether this is the header of a section of a t:connect export."""
    names = set(cells)
    return (
        {"DeviceType", "EventDateTime"} <= names
        or {"Type", "EventDateTime", "BasalRate"} <= names
        or {"Type", "CompletionDateTime", "InsulinDelivered"} <= names
        or {"Type", "EventDateTime", "IOB"} <= names
    )


def tandem(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a t:connect export says: `glucose` (sensor and meter), `basal`, `bolus`, `carbs`.

    Local times need *timezone*. What a bolus gives later (`BolexInsulinDelivered`) is told as a bolus every 5 min.
    """
    return one_file(path, timezone, "tandem", _items)


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    found = sheet(path, is_tandem, report)
    rates: list[Stretch] = []
    for section in found.sections:
        for row, at in _timed(section, zone, report):
            if "BasalRate" in row.cells:
                rate, by = row.number("BasalRate")
                rates += [] if rate is None else [Stretch(at, None, rate, None, by)]
            elif "InsulinDelivered" in row.cells:
                yield from _bolus(row, at, report)
            elif "DeviceType" in row.cells:
                yield from _reading(row, at, report)
            else:
                unused(report, row.text("Type") or "IOB")
    yield from changes(rates, report)


def _timed(section: Sequence[Row], zone: tzinfo | None, report: Report) -> Iterator[tuple[Row, Time]]:
    timed: list[tuple[Row, str, str]] = []
    for row in section:
        column = next((name for name in _WHEN if row.text(name)), None)
        if column is None:
            report.warn(f"a row of {section[0].text('Type', 'Description') or 'this section'} without a time: not used")
        else:
            timed.append((row, row.text(column), column))
    if not timed:
        return
    order = order_of([text for _, text, _ in timed], timed[0][0].by, report)
    rows: list[tuple[Row, datetime, Place]] = [
        (row, order.read(text, row.by.at(column)), row.by.at(column)) for row, text, column in timed
    ]
    yield from ((row, at) for row, at, _ in placed(rows, zone, report))


def _reading(row: Row, at: Time, report: Report) -> Iterator[Item]:
    column = next((found for start in _READINGS if (found := row.column(start)) and row.text(found)), None)
    if column is None:
        return unused(report, row.text("Description"))
    unit = glucose_unit(column) or "mg/dL"
    item = glucose(row.text(column), unit, at, None, row.by.at(column), row.delimiter, DEXCOM, report)
    if item is not None:
        yield item
    return None


def _bolus(row: Row, at: Time, report: Report) -> Iterator[Item]:
    value, by = row.number("InsulinDelivered")
    if value:
        yield Item("bolus", value, "U", at, None, by)
    carbs, by = row.number("CarbSize")
    if carbs:
        yield Item("carbs", carbs, "g", at, None, by)
    later, by = row.number("BolexInsulinDelivered")
    if later:
        minutes, _ = row.number(row.column("Duration") or "")
        if not minutes:
            raise by.bad("what a bolus gives later needs a duration in minutes")
        report.warn("the extended part of a bolus is imported as a bolus every 5 min, from the bolus on")
        yield from spread(Item("bolus", later, "U", at, None, by), round(min(minutes, 1e6) * MINUTE))
