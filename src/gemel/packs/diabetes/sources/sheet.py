"""Exports as text tables that hold several tables, each under a header of its own, after some lines about the person."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gemel.errors import BadInput
from gemel.streams.contract import Place
from gemel.streams.reading import decimal, encoding_of, text_of
from gemel.streams.report import Report

DELIMITERS = (",", ";", "\t")
IsHeader = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Row:
    """The cells of one line by the names of their columns."""

    cells: Mapping[str, str]
    by: Place
    delimiter: str

    def text(self, *names: str) -> str:
        """Return what stands in the first of these columns that is there, "" where none is."""
        return next((self.cells[name].strip() for name in names if name in self.cells), "")

    def number(self, *names: str) -> tuple[float | None, Place]:
        """Return the number in the first of these columns that is there, not below zero, and its place."""
        for name in names:
            if name in self.cells:
                found = decimal(self.cells[name], self.by.at(name), self.delimiter)
                if found is not None and found < 0:
                    raise self.by.at(name).bad(f"{found:g} is negative")
                return found, self.by.at(name)
        return None, self.by

    def column(self, start: str) -> str | None:
        """Return the column whose name begins with *start*, in any case."""
        return next((name for name in self.cells if name.lower().startswith(start.lower())), None)


@dataclass(frozen=True)
class Sheet:
    """The lines above the first header, and the rows below each header."""

    above: Sequence[Sequence[str]]
    sections: Sequence[Sequence[Row]]

    @property
    def rows(self) -> list[Row]:
        """Return all rows."""
        return [row for section in self.sections for row in section]


def sheet(
    path: Path, is_header: IsHeader, report: Report, part: Callable[[Sequence[str]], bool] = lambda cells: False
) -> Sheet:
    """Return the tables in a file; a line of which *part* is true ends one; a line that is cut off raises `BadInput`."""
    text = text_of(path, encoding_in(path, report))
    for delimiter in DELIMITERS:
        if any(is_header(cells) for _, cells in _few(text, delimiter, str(path))):
            return _sheet(text, delimiter, str(path), is_header, part)
    raise BadInput("no header that is known", file=str(path), row=1)


def encoding_in(path: Path, report: Report) -> str | None:
    """Return the encoding of a table if it is neither UTF-8 nor UTF-16, and report it."""
    encoding = encoding_of(path)
    if encoding is not None:
        report.warn(f"the table is no UTF-8: it is read as {encoding}, in which Excel on Windows saves")
    return encoding


def _few(text: str, delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from _lines(text, delimiter, file)
    except BadInput:
        return


def _lines(text: str, delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the tidied cells of each line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise BadInput(f"is not a table: {error}", file=file, row=reader.line_num) from None


def _sheet(text: str, delimiter: str, file: str, is_header: IsHeader, part: Callable[[Sequence[str]], bool]) -> Sheet:
    above: list[list[str]] = []
    sections: list[list[Row]] = []
    header: list[str] | None = None
    for number, cells in _lines(text, delimiter, file):
        if is_header(cells):
            header = cells
            sections.append([])
        elif part(cells):
            header = None
        elif header is None:
            above.append(cells)
        else:
            sections[-1].append(_row(header, cells, Place(file, number), delimiter))
    return Sheet(above, sections)


def _row(header: Sequence[str], cells: Sequence[str], by: Place, delimiter: str) -> Row:
    if len(cells) < len(header) and not all(not name for name in header[len(cells) :]):
        raise by.bad(f"has {len(cells)} fields where the header has {len(header)}; is the file cut off?")
    if any(cells[len(header) :]):
        raise by.bad(f"has {len(cells)} fields where the header has {len(header)}")
    named = dict(zip(header, cells, strict=False))
    named.pop("", None)
    return Row(named, by, delimiter)


def unused(report: Report, what: str) -> None:
    """Report one more row that says *what*, and is not used."""
    report.warn(f"{what[:40] or 'a row without a kind'}: not used")
