"""Where data on a person with diabetes comes from: the UC_HT_T1DM spreadsheets, and whatever `detect` recognises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.streams.check import ascending
from gemel.streams.clock import LocalClock, zone
from gemel.streams.contract import Item, Place, Source
from gemel.streams.csv_table import CsvMap, csv_by, headers
from gemel.streams.nightscout_json import nightscout
from gemel.streams.reading import amount
from gemel.streams.report import Report
from gemel.streams.sheets import sheet_of

UNITS = {"glucose": "mg/dL", "heart_rate": "bpm", "steps": "step", "bolus": "U", "basal": "U/h", "carbs": "g"}
"""The signals and levers that these sources speak of, in the unit that each has where none is written."""

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


def detect(path: str | Path, timezone: str | None = None) -> Source:
    """Return the source for a file or folder with data on diabetes; raise `BadInput` saying what was looked for.

    *timezone* is for times without an offset (UC_HT_T1DM: Santiago de Chile if not given).
    """
    found = Path(path)
    if not found.exists():
        raise BadInput("there is no such file or folder", file=str(path))
    for matches, make in _FORMATS:
        if matches(found):
            return make(found, timezone)
    raise BadInput(f"not recognised; looked for {_LOOKED_FOR}", file=str(path))


_LOOKED_FOR = (
    "a folder with Glucose.xlsx (UC_HT_T1DM), Nightscout .json files or a folder of them, a Dexcom Clarity .csv, or a "
    ".csv whose header has time and some of " + ", ".join(UNITS) + ", units in brackets: glucose (mmol/L); "
    "any other table can be read with a map of its columns"
)


def _is_uc(path: Path) -> bool:
    return path.is_dir() and any(any(path.glob(where)) for where in ("Glucose.xlsx", "*/Glucose.xlsx"))


def _is_nightscout(path: Path) -> bool:
    return path.suffix.lower() == ".json" or (path.is_dir() and any(path.glob("*.json")))


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv", ".txt")


def _table(path: Path, timezone: str | None) -> Source:
    for cells in headers(path):
        how = _dexcom(cells, timezone) or _own(cells, timezone)
        if how is not None:
            return csv_by(path, how)
    raise BadInput(f"no header that is known; looked for {_LOOKED_FOR}", file=str(path), row=1)


def _dexcom(cells: Sequence[str], timezone: str | None) -> CsvMap | None:
    """Return the map of a Dexcom Clarity export: its glucose; its insulin mixes long-acting and rapid, and is left."""
    times = [cell for cell in cells if cell.startswith("Timestamp (YYYY-MM-DD")]
    glucose = {cell: cell[15:-1] for cell in cells if cell in ("Glucose Value (mg/dL)", "Glucose Value (mmol/L)")}
    if not times or not glucose or "Event Type" not in cells:
        return None
    column, unit = next(iter(glucose.items()))
    columns = {"time": times[0], "glucose": column}
    return CsvMap(columns, {"glucose": unit}, timezone, where={"Event Type": "EGV"})


def _own(cells: Sequence[str], timezone: str | None) -> CsvMap | None:
    """Return the map of a table whose header uses Gemel's names, such as `time;glucose (mmol/L);carbs`."""
    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    for cell in cells:
        word = re.fullmatch(r"\s*([A-Za-z_ ]+?)\s*(?:[(\[](.+)[)\]])?\s*", cell)
        name = word[1].lower().replace(" ", "_") if word else ""
        if word and name in (*UNITS, "time"):
            columns[name] = cell
            units[name] = _written(word[2] or UNITS.get(name, ""))
    known = len(columns) > 1 and "time" in columns
    return CsvMap(columns, units, timezone) if known else None


def _written(unit: str) -> str:
    return {"mg/dl": "mg/dL", "mmol/l": "mmol/L"}.get(unit.lower(), unit)


_FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path, str | None], Source]], ...] = (
    (_is_uc, lambda path, timezone: uc_ht_t1dm(path, timezone) if timezone else uc_ht_t1dm(path)),
    (_is_nightscout, lambda path, timezone: nightscout(path, timezone=timezone)),
    (_is_table, _table),
)
