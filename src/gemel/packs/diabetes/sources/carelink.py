"""Medtronic CareLink's CSV export: sections of pump and sensor, with commas or semicolons, points or decimal commas.

Medtronic publishes no specification. Columns: public exports and schemas (docs/importing.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from pathlib import Path

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.sources.dates import order_of, placed
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.sheet import Row, sheet, unused
from gemel.packs.diabetes.sources.words import DEXCOM, glucose, glucose_unit
from gemel.streams.basal import Schedule, Temporary, timeline
from gemel.streams.clock import LATEST
from gemel.streams.contract import Item, Place, Source
from gemel.streams.report import Report
from gemel.streams.spread import spread

_MARKS = ("Bolus Volume Delivered (U)", "Basal Rate (U/h)", "Sensor Glucose", "BG Reading", "BWZ Carb Input")
_USED = ("Sensor Glucose (", "BG Reading (", "BWZ Carb Input (", "Bolus Volume Delivered", "Basal Rate (",
         "Temp Basal Amount", "Suspend")  # fmt: skip
_TOTAL = "CLOSED_LOOP_AUTO_INSULIN"
"""The source of what auto mode gave in a whole day, basal and corrections, told as a bolus at midnight."""


def is_carelink(cells: Sequence[str]) -> bool:
    """Return whether this is the header of a section of a CareLink export."""
    return {"Index", "Date", "Time"} <= set(cells) and any(cell.startswith(_MARKS) for cell in cells)


def carelink(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a CareLink export says: `glucose` (sensor and meter), `bolus`, `carbs`, `basal`.

    Local times need *timezone*. Square and dual waves are told as a bolus every 5 min; temporary rates and suspends
    return to the rate of `Basal Rate (U/h)`.
    """
    return one_file(path, timezone, "carelink", _items)


@dataclass
class _Pump:
    """What is gathered for the basal rate."""

    schedules: list[Schedule] = field(default_factory=list)
    temporaries: list[Temporary] = field(default_factory=list)


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    found = sheet(path, is_carelink, report, part=lambda cells: cells[0].startswith("---"))
    times: list[Time] = []
    pump = _Pump()
    for section in found.sections:
        for row, at in _timed(section, zone, report):
            times.append(at)
            _pump(row, at, pump, report)
            yield from _said(row, at, report)
    if pump.schedules or pump.temporaries:
        yield from timeline(_cut(pump.temporaries), pump.schedules, min(times), max(times), report)


def _cut(temporaries: Sequence[Temporary]) -> list[Temporary]:
    """Return temporary rates, each until the next at most."""
    known = sorted(temporaries, key=lambda temp: temp.start)
    ends = [temp.start for temp in known[1:]] + [LATEST]  # one too many where no rate is temporary
    return [replace(temp, end=min(temp.end, end)) for temp, end in zip(known, ends, strict=False)]


def _timed(section: Sequence[Row], zone: tzinfo | None, report: Report) -> Iterator[tuple[Row, Time]]:
    dated = list(_dated(section, report))
    if not dated:
        return
    texts = [f"{row.text('Date')} {row.text('Time')}" for row in dated]
    order = order_of(texts, dated[0].by.at("Date"), report)
    rows = [
        (row, order.read(text, row.by.at("Date")), row.by.at("Date")) for row, text in zip(dated, texts, strict=True)
    ]
    yield from ((row, at) for row, at, _ in placed(rows, zone, report))


def _dated(section: Sequence[Row], report: Report) -> Iterator[Row]:
    """Yield the rows that tell of a moment; the total of a day stands at midnight, and is of no moment."""
    for row in section:
        if row.text("Bolus Source").upper() == _TOTAL:
            unused(report, "automatic insulin, a total of a day")
        elif row.text("Date") and row.text("Time"):
            yield row


def _said(row: Row, at: Time, report: Report) -> Iterator[Item]:
    for start in ("Sensor Glucose (", "BG Reading ("):
        column = row.column(start)
        if column is not None and row.text(column):
            unit = glucose_unit(column)
            if unit is None:
                raise row.by.at(column).bad("names neither mg/dL nor mmol/L")
            item = glucose(row.text(column), unit, at, None, row.by.at(column), row.delimiter, DEXCOM, report)
            if item is not None and item.value > 0:
                yield item
    yield from _carbs(row, at, report)
    yield from _bolus(row, at, report)
    if not any(name.startswith(_USED) and row.cells[name].strip() for name in row.cells):
        unused(report, next((name for name in ("Alarm", "Event Marker", "Prime Type") if row.text(name)), "other rows"))


def _carbs(row: Row, at: Time, report: Report) -> Iterator[Item]:
    column = row.column("BWZ Carb Input (")
    value, by = row.number(column or "")
    if value and column and "gram" not in column.lower():
        unused(report, "carbohydrates in exchanges")
    elif value:
        yield Item("carbs", value, "g", at, None, by)


def _bolus(row: Row, at: Time, report: Report) -> Iterator[Item]:
    value, by = row.number(row.column("Bolus Volume Delivered") or "")
    if not value:
        return
    item = Item("bolus", value, "U", at, None, by)
    if "square" not in row.text("Bolus Type").lower():
        yield item
        return
    column = row.column("Bolus Duration (") or row.column("Programmed Bolus Duration (") or ""
    length = _length(row.text(column), row.by.at(column))
    if length is None:
        raise row.by.bad("a square wave bolus needs a duration, h:mm:ss")
    report.warn("a square wave bolus is imported as a bolus every 5 min")
    yield from spread(item, length)


def _length(text: str, by: Place) -> Time | None:
    """Return h:mm:ss in ms."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
    if found is None:
        raise by.bad(f"{text[:20]!r} is no duration, h:mm:ss")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return (hours * 60 + minutes) * MINUTE + seconds * 1000


def _pump(row: Row, at: Time, pump: _Pump, report: Report) -> None:
    """Gather what a row says of the basal rate: the rate of the schedule, a temporary one, a suspend or its end."""
    rate, by = row.number(row.column("Basal Rate (") or "")
    if rate is not None:
        pump.schedules.append(Schedule(at, (0,), (rate,), UTC, by))
    amount, by = row.number("Temp Basal Amount")
    if amount is not None:
        pump.temporaries.append(_temporary(row, at, amount, by))
    state = row.text("Suspend").upper()
    if "NORMAL" in state or "RESUME" in state:
        pump.temporaries.append(Temporary(at, at, None, None, None, row.by.at("Suspend")))
    elif state:
        pump.temporaries.append(Temporary(at, LATEST, 0.0, None, None, row.by.at("Suspend")))


def _temporary(row: Row, at: Time, amount: float, by: Place) -> Temporary:
    column = row.column("Temp Basal Duration (") or ""
    length = _length(row.text(column), row.by.at(column))
    if length is None:
        raise by.bad("a temporary basal rate needs a duration, h:mm:ss")
    share = "percent" in row.text("Temp Basal Type").lower()
    return Temporary(at, at + length, None if share else amount, amount / 100 if share else None, None, by)
