"""Tables in text files, with a map from names to columns: wide (a column per name) or long (a row per value)."""

from __future__ import annotations

import csv as text_table
import io
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from gemel.errors import BadInput, unknown
from gemel.facts import Time
from gemel.streams.check import ascending
from gemel.streams.clock import LocalClock, moment, zone
from gemel.streams.contract import Item, Place, Source
from gemel.streams.reading import decimal, text_of
from gemel.streams.report import Report

Layout = Literal["wide", "long"]

_DELIMITERS = (",", ";", "\t", "|")
_PREAMBLE = 20
_LONG = ("name", "value")
_OWN = ("time", "unit", "id")


@dataclass(frozen=True)
class CsvMap:
    """How to read a table.

    `columns` names the column of `time`, of each signal and lever (wide) or of `name` and `value` (long), and, if
    there are such, of `unit` (or `glucose.unit`) and `id`. `units` is by name, for tables without a unit column.
    `names` turns words in a long table's name column into names, and leaves out all others. `where` keeps rows by
    column and text.
    """

    columns: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    layout: Layout = "wide"
    names: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        needed = ("time", *_LONG) if self.layout == "long" else ("time",)
        missing = [name for name in needed if name not in self.columns]
        if self.layout not in ("wide", "long") or missing:
            raise BadInput(f"a {self.layout} table needs columns for {', '.join(needed)}", field="columns")
        if not self.values:
            raise BadInput("no column is mapped to a signal or lever", field="columns")

    @property
    def values(self) -> list[str]:
        """Return the names whose columns hold values."""
        return [name for name in self.columns if name not in (*_OWN, "name") and not name.endswith(".unit")]


def csv(
    path: str | Path,
    columns: Mapping[str, str],
    units: Mapping[str, str] | None = None,
    *,
    timezone: str | None = None,
    layout: Layout = "wide",
    names: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    time_format: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Source:
    """Return what a table says, for example `csv("g.csv", {"time": "When", "glucose": "CGM"}, {"glucose": "mg/dL"})`.

    Rows are in order of time; naive times need *timezone*; the delimiter is found, a decimal comma understood.
    """
    told = (units or {}, timezone, layout, names or {}, where or {}, time_format, delimiter, encoding)
    return csv_by(path, CsvMap(columns, *told))


def csv_by(path: str | Path, how: CsvMap) -> Source:
    """Return what a table says, read as *how* says."""
    return _Table(Path(path), how)


def read_map(path: str | Path) -> CsvMap:
    """Return the map in a TOML or JSON file, whose keys are the fields of `CsvMap`."""
    text, file = text_of(Path(path)), str(path)
    try:
        content = tomllib.loads(text) if file.lower().endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"is not {'TOML' if file.lower().endswith('.toml') else 'JSON'}: {error}", file=file) from None
    known = {one.name: one for one in fields(CsvMap)}
    for key, value in content.items() if isinstance(content, dict) else ():
        if key not in known:
            raise BadInput(unknown("key", key, known).problem, file=file, field=key)
        _typed(key, value, "Mapping" in str(known[key].type), file)
    if not isinstance(content, dict) or "columns" not in content:
        raise BadInput("says nothing about columns", file=file, field="columns")
    return CsvMap(**content)


def _typed(key: str, value: Any, by_name: bool, file: str) -> None:
    texts = value.values() if by_name and isinstance(value, dict) else [value]
    if by_name != isinstance(value, dict) or not all(isinstance(text, str) for text in texts):
        raise BadInput(f"should be {'a table of texts' if by_name else 'a text'}", file=file, field=key)


def headers(path: str | Path, encoding: str | None = None) -> Iterator[list[str]]:
    """Yield what may be the header of a table: each of its first rows, split in each of the usual ways."""
    text = text_of(Path(path), encoding)
    for delimiter in _DELIMITERS:
        yield from (cells for _, cells in _top(text, delimiter, str(path)))


@dataclass(frozen=True)
class _Row:
    cells: Mapping[str, str]
    by: Place
    delimiter: str


@dataclass(frozen=True)
class _Table:
    path: Path
    how: CsvMap

    @property
    def name(self) -> str:
        """Return which table this is."""
        return f"csv:{self.path.name}"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items in order of time."""
        report = Report() if report is None else report
        clock = LocalClock(zone(self.how.timezone) if self.how.timezone else None)
        items = (item for row in self._rows(report) for item in self._items(row, clock, report))
        yield from sorted(ascending(items, report), key=lambda item: (item.at, item.name))

    def _rows(self, report: Report) -> Iterator[_Row]:
        text = text_of(self.path, self.how.encoding)
        delimiter, start = self._header(text)
        lines = _cells(text, delimiter, str(self.path))
        header = next(cells for row, cells in lines if row == start)
        twice = [name for name in self.how.columns.values() if header.count(name) > 1]
        if twice:
            raise BadInput("two columns have this name", file=str(self.path), row=start, field=twice[0])
        unused = [name for name in header if name and name not in {*self.how.columns.values(), *self.how.where}]
        if unused:
            report.warn(f"columns not used: {', '.join(unused)}")
        for row, cells in lines:
            by = Place(str(self.path), row)
            if len(cells) < len(header) or any(cells[len(header) :]):
                raise by.bad(f"has {len(cells)} fields where the header has {len(header)}; is the file cut off?")
            found = dict(zip(header, cells, strict=False))
            if all(found[name].strip() == wanted for name, wanted in self.how.where.items()):
                yield _Row(found, by, delimiter)

    def _header(self, text: str) -> tuple[str, int]:
        """Return the delimiter, and the row of the header: the first of the first few that has all columns."""
        wanted, best = {*self.how.columns.values(), *self.how.where}, list[str]()
        for delimiter in [self.how.delimiter] if self.how.delimiter else _DELIMITERS:
            for row, cells in _top(text, delimiter, str(self.path)):
                if wanted <= set(cells):
                    return delimiter, row
                best = max(best, cells, key=lambda cells: (len(wanted & set(cells)), len(cells)))
        missing = ", ".join(sorted(wanted - set(best)))
        raise BadInput(f"no column {missing}; this table has {', '.join(best)}"[:500], file=str(self.path), row=1)

    def _items(self, row: _Row, clock: LocalClock, report: Report) -> Iterator[Item]:
        wide = self.how.layout == "wide"
        said = self.how.values if wide else ["value"]
        if not any(row.cells[self.how.columns[name]].strip() for name in said):
            return
        column = self.how.columns["time"]
        at = moment(row.cells[column], row.by.at(column), clock, self.how.time_format)
        for key in said:
            name = key if wide else self._named(row, report)
            item = None if name is None else self._item(row, key, name, at)
            if item is not None:
                yield item

    def _named(self, row: _Row, report: Report) -> str | None:
        word = row.cells[self.how.columns["name"]].strip()
        if self.how.names and word not in self.how.names:
            report.warn(f"{word[:40]!r} is in no map of names: its rows are not used")
            return None
        return self.how.names.get(word, word)

    def _item(self, row: _Row, key: str, name: str, at: Time) -> Item | None:
        column = self.how.columns[key]
        value = decimal(row.cells[column], row.by.at(column), row.delimiter)
        if value is None:
            return None
        named = row.cells[self.how.columns["id"]].strip() if "id" in self.how.columns else ""
        return Item(name, value, self._unit(row, name), at, named or None, row.by.at(column))

    def _unit(self, row: _Row, name: str) -> str:
        column = self.how.columns.get(f"{name}.unit") or self.how.columns.get("unit")
        unit = (row.cells[column].strip() if column else "") or self.how.units.get(name)
        if not unit:
            raise row.by.bad(f"which unit is {name} in? Say units={{{name!r}: …}}, or name a column")
        return unit


def _cells(text: str, delimiter: str, file: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the line number and the cells of each row that is not blank."""
    reader = text_table.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except text_table.Error as error:
        raise BadInput(f"is not a table: {error}", file=file, row=reader.line_num) from None


def _top(text: str, delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first rows, as far as they can be read."""
    try:
        for _, (row, cells) in zip(range(_PREAMBLE), _cells(text, delimiter, file), strict=False):
            yield row, list(cells)
    except BadInput:
        return
