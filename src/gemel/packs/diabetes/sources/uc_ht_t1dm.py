"""The UC_HT_T1DM spreadsheets (Langarica et al., IEEE OJEMB 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.streams.check import ascending
from gemel.streams.clock import LocalClock, zone
from gemel.streams.contract import Item, Place, Source
from gemel.streams.reading import amount
from gemel.streams.report import Report
from gemel.streams.sheets import sheet_of

STEPS_PER_HOUR = 12
"""A sheet has a row every 5 min, and writes the basal rate in U per 5 min."""


@dataclass(frozen=True)
class _Column:
    """How one column of a sheet is read; `changes` keeps only rows whose value is new, `positive` only doses."""

    file: str
    header: str
    name: str
    unit: str
    factor: float = 1.0
    changes: bool = False
    positive: bool = False


_COLUMNS = (
    _Column("Glucose.xlsx", "Value (mg/dl)", "glucose", "mg/dL"),
    _Column("Insulin.xlsx", "Basal Rate (U/5min)", "basal", "U/h", factor=STEPS_PER_HOUR, changes=True),
    _Column("Insulin.xlsx", "Bolus (U)", "bolus", "U", positive=True),
    _Column("Carbohidrates.xlsx", "Value (g)", "carbs", "g", positive=True),
    _Column("Heart Rate.xlsx", "Value (bpm)", "heart_rate", "bpm"),
    _Column("Steps.xlsx", "Value (-)", "steps", "step"),
)


def uc_ht_t1dm(folder: str | Path, timezone: str = "America/Santiago") -> Source:
    """Return what the sheets of one person in UC_HT_T1DM say (Langarica et al., IEEE OJEMB 2023).

    Only measured columns are read: `Value_interp` is interpolated with values yet to come, `IGAR.xlsx` and
    `PlasmaInsulin.xlsx` are outputs of a model. Times in the sheets are naive; they are assumed to be wall-clock times
    in Santiago de Chile, where the data were gathered. `steps` is a count over the 5 min of its row.
    """
    path = Path(folder)
    if not (path / "Glucose.xlsx").is_file():
        people = ", ".join(sorted(sheet.parent.name for sheet in path.glob("*/Glucose.xlsx")))
        hint = f"; name one person: {people}" if people else ""
        raise BadInput(f"holds no Glucose.xlsx{hint}", file=str(path))
    return _Folder(path, zone(timezone))


@dataclass(frozen=True)
class _Folder:
    path: Path
    zone: tzinfo

    @property
    def name(self) -> str:
        """Return whose sheets these are."""
        return f"uc_ht_t1dm:{self.path.name}"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items by time."""
        report = Report() if report is None else report
        items: list[Item] = []
        for file in dict.fromkeys(column.file for column in _COLUMNS):
            if (self.path / file).is_file():
                items += self._sheet(file, report)
            else:
                report.warn(f"{file} is not there")
        yield from sorted(items, key=lambda item: (item.at, item.name))

    def _sheet(self, file: str, report: Report) -> Iterator[Item]:
        path = str(self.path / file)
        header, *rows = sheet_of(self.path / file)
        clock = LocalClock(self.zone)
        times = [_time(row, Place(path, number), clock) for number, row in enumerate(rows, 2)]
        for column in (column for column in _COLUMNS if column.file == file):
            yield from _kept(column, ascending(_column(column, path, header, rows, times), report))


def _time(row: Sequence[Any], place: Place, clock: LocalClock) -> Time:
    when = row[0] if row else None
    if not isinstance(when, datetime):
        raise place.at("time").bad(f"the first cell is no date and time but {str(when)[:40]!r}")
    return clock.read(when, place.at("time"))


def _column(
    column: _Column, path: str, header: Sequence[Any], rows: Sequence[Sequence[Any]], times: Sequence[Time]
) -> Iterator[Item]:
    if column.header not in header:
        found = ", ".join(str(cell) for cell in header if cell)
        raise Place(path, 1, column.header).bad(f"there is no such column; the sheet has {found}")
    index = header.index(column.header)
    for number, (row, at) in enumerate(zip(rows, times, strict=True), 2):
        place = Place(path, number, column.header)
        value = amount(row[index] if index < len(row) else None, place)
        if value is not None:
            yield Item(column.name, round(value * column.factor, 6), column.unit, at, None, place)


def _kept(column: _Column, items: Iterator[Item]) -> Iterator[Item]:
    last: float | None = None
    for item in items:
        if not (column.changes and item.value == last) and not (column.positive and item.value == 0):
            yield item
        last = item.value
