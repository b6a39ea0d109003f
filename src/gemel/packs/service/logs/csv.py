"""CSV: a row per activity (start, end, ready) or a row per event (time, and what happened), read by a map of columns."""

from __future__ import annotations

import csv as text_table
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.packs.service.log import MISSING, Column, Log, Names
from gemel.packs.service.logs.lifecycle import phases_of
from gemel.packs.service.logs.raw import Words, lines, typed
from gemel.packs.service.logs.repairs import Read, Repairs
from gemel.packs.service.logs.table import Events, Tell, log_of, ordered, silent, told_once
from gemel.packs.service.logs.when import moment, settle, zone_found

USUAL: Mapping[str, tuple[str, ...]] = {
    "case": ("caseid", "caseconceptname", "case", "traceid", "trace", "patient", "customer", "customerid"),
    "activity": ("activity", "conceptname", "activityname", "task", "event", "handling", "step", "operation"),
    "resource": ("resource", "orgresource", "employee", "agent", "user", "worker", "staff"),
    "queued": ("enabledtime", "enabletime", "enabled", "enabledtimestamp", "queued", "queuedtime", "ready", "scheduletime"),
    "start": ("starttime", "starttimestamp", "start", "started", "begin", "starttimestamps"),
    "end": ("endtime", "endtimestamp", "end", "ended", "completetime", "completetimestamp", "finish"),
    "time": ("time", "timestamp", "timetimestamp", "date", "datetime", "eventtime", "at"),
    "phase": ("lifecycletransition", "registrationtype", "lifecycle", "transition", "phase", "eventtype", "lifecycleid"),
    "instance": ("conceptinstance", "handlingid", "activityinstanceid", "activityinstance", "instance", "instanceid"),
}  # fmt: skip
"""Names that columns usually bear, without case, spaces and signs."""

_SAID = (*USUAL, "about", "encoding", "delimiter")
_DELIMITERS = (",", ";", "\t", "|")
_TIMES = ("queued", "start", "end", "time")
_NAMED = ("case", "activity", "resource", "instance", "phase")


def read_csv(
    path: Path, repairs: Repairs, *, map: Mapping[str, Any] | None = None, zone: str | None = None, tell: Tell = silent
) -> Read:
    """Return the log of a table.

    *map* names the column of `case`, `activity`, `resource`, `queued`, `start`, `end` (or `time`, `phase`), `instance`;
    what it leaves out is found by its usual name. `about` names columns that hold for the whole case; `encoding` and
    `delimiter` are found if not told. All other columns are attributes of the rows.
    """
    told = _Map(map or {}, str(path))
    table = _rows(path, told, repairs, tell)
    read = _wide(table, told, zone, repairs) if "time" not in table.columns else _long(table, told, zone, repairs)
    return Read(read, repairs, {"format": "csv", "columns": dict(table.columns)})


class _Map:
    """What the user said of the columns."""

    def __init__(self, said: Mapping[str, Any], file: str) -> None:
        for name in said:
            if name not in _SAID:
                raise BadInput(unknown("column", name, _SAID).problem, file=file, field="map")
        self.columns = {name: str(said[name]) for name in USUAL if name in said}
        self.about: tuple[str, ...] = tuple(said.get("about", ()))
        self.encoding, self.delimiter = said.get("encoding"), said.get("delimiter")


@dataclass
class _Table:
    columns: Mapping[str, str]
    names: dict[str, Words]
    at: dict[str, array[int]]
    offset: dict[str, array[int]]
    others: dict[str, Words]
    line: array[int]

    def word(self, name: str) -> Names:
        return self.names[name].column() if name in self.names else Names(np.full(len(self.line), -1, np.int32), ())

    def times(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in self.at:
            return np.full(len(self.line), MISSING), np.zeros(len(self.line), np.int64)
        return np.array(self.at[name], np.int64), np.array(self.offset[name], np.int64)

    def attributes(self) -> dict[str, Column]:
        return {name: typed(words.column()) for name, words in self.others.items()}


def _rows(path: Path, told: _Map, repairs: Repairs, tell: Tell) -> _Table:
    text = _clean(lines(path, told.encoding, tell), repairs)
    top, first = next(((row, line) for row, line in enumerate(text, 1) if line.strip()), (1, ""))
    delimiter = told.delimiter or max(_DELIMITERS, key=first.count)
    header = [cell.strip() for cell in next(text_table.reader([first], delimiter=delimiter), [])]
    columns = _found(header, told, str(path))
    at, offset = ({name: array("q") for name in _TIMES if name in columns} for _ in range(2))
    others = {name: Words() for name in header if name and name not in columns.values()}
    named = {name: Words() for name in _NAMED if name in columns}
    table = _Table(columns, named, at, offset, others, array("q"))
    _fill(table, header, text_table.reader(text, delimiter=delimiter, strict=True), str(path), top)
    return table


def _clean(text: Iterator[str], repairs: Repairs) -> Iterator[str]:
    for row, line in enumerate(text, 1):
        if "\x00" in line:
            repairs.note("NUL bytes: left out", line.count("\x00"), row)
            line = line.replace("\x00", "")
        yield line


def _found(header: Sequence[str], told: _Map, file: str) -> dict[str, str]:
    for column in (*told.columns.values(), *told.about):
        if column not in header:
            raise BadInput(unknown("column", column, header).problem, file=file, row=1, field=column)
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise BadInput("two columns have this name", file=file, row=1, field=twice[0])
    found, plain = dict(told.columns), {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
    for name, usual in USUAL.items():
        free = [plain[word] for word in usual if word in plain and plain[word] not in found.values()]
        if name not in found and free:
            found[name] = free[0]
    return _needed(found, header, file)


def _needed(found: dict[str, str], header: Sequence[str], file: str) -> dict[str, str]:
    if "start" in found or "end" in found:
        found = {name: column for name, column in found.items() if name not in ("time", "phase")}
    for name in ("case", "activity"):
        if name not in found:
            problem = f"no column for the {name}: say map={{{name!r}: …}}; this table has {', '.join(header) or 'none'}"
            raise BadInput(problem[:500], file=file, row=1, field=name)
    if not {"start", "end", "time"} & set(found):
        problem = f"no column for a time: say map={{'end': …}}; this table has {', '.join(header)}"
        raise BadInput(problem[:500], file=file, row=1, field="time")
    return found


def _fill(table: _Table, header: Sequence[str], reader: Any, file: str, top: int) -> None:
    place = {name: i for i, name in enumerate(header)}
    names = [(words.add, place[table.columns[name]]) for name, words in table.names.items()]
    others = [(words.add, place[name]) for name, words in table.others.items()]
    times = [(table.at[name].append, table.offset[name].append, place[table.columns[name]]) for name in table.at]
    width, row = len(header), top
    try:
        for cells in reader:
            row = reader.line_num + top
            if len(cells) != width:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) < width or any(cells[width:]):
                    problem = f"has {len(cells)} fields where the header has {width}; is the file cut off?"
                    raise BadInput(problem, file=file, row=row)
            table.line.append(row)
            for add, i in names:
                add(cells[i].strip())
            for add, i in others:
                add(cells[i])
            for at, offset, i in times:
                ms, minutes = moment(cells[i])
                at(ms)
                offset(minutes)
    except text_table.Error as error:
        raise BadInput(f"is not a table: {error}", file=file, row=reader.line_num + top) from None
    if not len(table.line):
        raise BadInput("has a header and no rows", file=file, row=top)


def _settled(table: _Table, zone: str | None, repairs: Repairs) -> tuple[dict[str, np.ndarray], str]:
    line = np.array(table.line, np.int64)
    raw = {name: table.times(name) for name in _TIMES}
    every = [raw[name] for name in _TIMES if name in table.at]
    at, offset = (np.stack(part, axis=1).ravel() for part in zip(*every, strict=True))
    done = settle(at, offset, np.repeat(line, len(every)), zone, repairs, table.columns[next(iter(table.at))])
    split = done.reshape(-1, len(every)).T
    settled = {name: split[i] for i, name in enumerate(table.at)}
    return settled, zone or zone_found(done, offset)


def _caseless(table: _Table, repairs: Repairs) -> None:
    for name in ("case", "activity"):
        lost = np.flatnonzero(table.word(name).codes < 0)
        if len(lost):
            why = f"no {name} in column {table.columns[name]!r}"
            repairs.dropped(why, len(lost), table.line[int(lost[0])], len(table.line), table.columns[name])


def _wide(table: _Table, told: _Map, zone: str | None, repairs: Repairs) -> Log:
    _caseless(table, repairs)
    at, local = _settled(table, zone, repairs)
    none = np.full(len(table.line), MISSING)
    queued, start, end = (at.get(name, none) for name in ("queued", "start", "end"))
    queued, start = _sane(queued, start, end, table, repairs)
    case, activity, resource = (table.word(name) for name in ("case", "activity", "resource"))
    line = np.array(table.line, np.int64)
    kept = told_once([case, activity, resource, queued, start, end, *table.attributes().values()], line, repairs)
    attributes, about = _parted(table, told, case)
    _timeless(queued, start, end, table, repairs)
    left_out = activity.codes < 0
    if kept is not None:
        left_out |= ~np.isin(np.arange(len(line)), kept)
    case = Names(np.where(left_out, -1, case.codes).astype(np.int32), case.names)
    given_up = np.zeros(len(start), bool)
    return ordered(Log(case, activity, resource, queued, start, end, given_up, attributes, about, local))


def _timeless(queued: np.ndarray, start: np.ndarray, end: np.ndarray, table: _Table, repairs: Repairs) -> None:
    lost = np.flatnonzero((queued == MISSING) & (start == MISSING) & (end == MISSING))
    if len(lost):
        field = table.columns[next(iter(table.at))]
        repairs.dropped("a row without any time", len(lost), table.line[int(lost[0])], len(table.line), field)


def _sane(
    queued: np.ndarray, start: np.ndarray, end: np.ndarray, table: _Table, repairs: Repairs
) -> tuple[np.ndarray, np.ndarray]:
    """Return queued and start where nothing ends before it began, nor begins before it was ready."""
    wrong = (start != MISSING) & (end != MISSING) & (end < start)
    _note(wrong, "an end before its start: the start is taken as untold", table, repairs)
    start = np.where(wrong, MISSING, start)
    first = np.where(start != MISSING, start, end)
    early = (queued != MISSING) & (first != MISSING) & (first < queued)
    _note(early, "begun before it was ready: when it was ready is taken as untold", table, repairs)
    return np.where(early, MISSING, queued), start


def _note(which: np.ndarray, what: str, table: _Table, repairs: Repairs) -> None:
    if which.any():
        repairs.note(what, int(which.sum()), table.line[int(np.flatnonzero(which)[0])])


def _parted(table: _Table, told: _Map, case: Names) -> tuple[dict[str, Column], dict[str, Column]]:
    attributes = table.attributes()
    about = {name: first_told(attributes.pop(name), case) for name in told.about}
    return attributes, about


def first_told(column: Column, case: Names) -> Column:
    """Return for each case the first value told in its rows."""
    told = (column.codes >= 0) if isinstance(column, Names) else ~np.isnan(column)
    rows = np.flatnonzero(told & (case.codes >= 0))[::-1]
    if isinstance(column, Names):
        codes = np.full(len(case.names), -1, np.int32)
        codes[case.codes[rows]] = column.codes[rows]
        return Names(codes, column.names)
    values = np.full(len(case.names), np.nan)
    values[case.codes[rows]] = column[rows]
    return values


def _long(table: _Table, told: _Map, zone: str | None, repairs: Repairs) -> Log:
    _caseless(table, repairs)
    at, local = _settled(table, zone, repairs)
    line = np.array(table.line, np.int64)
    case = table.word("case")
    attributes, about = _parted(table, told, case)
    phase = phases_of(table.word("phase"), line, repairs)
    if repairs.own_words:
        attributes[table.columns["phase"]] = table.word("phase")
    lost = np.flatnonzero(at["time"] == MISSING)
    if len(lost):
        field = table.columns["time"]
        repairs.dropped("an event without a time", len(lost), int(line[lost[0]]), len(line), field)
    case = Names(np.where(at["time"] == MISSING, -1, case.codes).astype(np.int32), case.names)
    activity, resource, instance = (table.word(name) for name in ("activity", "resource", "instance"))
    events = Events(case, activity, resource, instance, phase, at["time"], line, attributes, about)
    return log_of(events, local, repairs)
