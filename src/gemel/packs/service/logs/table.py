"""Tables: what a file tells, in columns; from events or rows of a file to a `Log` in its one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.packs.service.log import MISSING, Column, Log, Names
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.pairing import ABANDONED, COMPLETED, LATE_START, LOOSE, Pairs, pairs

Tell = Callable[[str, int, int], None]
"""`tell(what, done, whole)`: how far a reading has come, in bytes."""


def silent(what: str, done: int, whole: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Events:
    """Events as told (n,), in the order of the file; `line` is where each stands in it."""

    case: Names
    activity: Names
    resource: Names
    instance: Names
    phase: np.ndarray
    at: np.ndarray
    line: np.ndarray
    attributes: Mapping[str, Column] = field(default_factory=dict)
    about: Mapping[str, Column] = field(default_factory=dict)


def log_of(events: Events, zone: str, repairs: Repairs) -> Log:
    """Return the log that *events* tell, each activity performed in one row."""
    group, instanced = _groups(events)
    found = pairs(group, instanced, events.phase, events.at, events.resource.codes)
    _told(found, events, instanced, repairs)
    one = np.stack([found.ended, found.started, found.queued, _first_of(found)])
    main = one[np.argmax(one >= 0, axis=0), np.arange(one.shape[1])]
    time = lambda which: np.where(which >= 0, events.at[which], MISSING) if len(which) else which  # noqa: E731
    attributes = {name: _merged(column, one) for name, column in events.attributes.items()}
    if found.paused.any():
        attributes["paused_s"] = np.where(found.paused > 0, found.paused / 1000, np.nan)
    log = Log(
        events.case.take(main), events.activity.take(main), _merged_names(events.resource, one),
        time(found.queued), time(found.started), time(found.ended),
        (found.ended >= 0) & (events.phase[found.ended] == ABANDONED) if len(main) else np.zeros(0, bool),
        attributes, events.about, zone,
    )  # fmt: skip
    return ordered(log, main)


def _first_of(found: Pairs) -> np.ndarray:
    """Return for each row its first event in the file."""
    first = np.full(len(found.ended), -1, np.int64)
    told = np.flatnonzero(found.row >= 0)[::-1]
    first[found.row[told]] = told
    return first


def _groups(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return which events (n,) belong together, and whether by an instance that was told."""
    instanced = events.instance.codes >= 0
    within = events.case.codes.astype(np.int64) * (len(events.activity.names) + 1) + events.activity.codes
    group = within * (len(events.instance.names) + 1) + events.instance.codes + 1
    usable = (events.case.codes >= 0) & (events.activity.codes >= 0)
    return np.where(usable, group, -1), instanced


def _told(found: Pairs, events: Events, instanced: np.ndarray, repairs: Repairs) -> None:
    for reason, text in (
        (LATE_START, "an end before its start: the start is taken as untold"),
        (LOOSE, "a pause or resumption of nothing that was begun: left out"),
    ):
        which = np.flatnonzero(found.row == reason)
        if len(which):
            repairs.note(text, len(which), int(events.line[which].min()))
    begun = np.unique(events.activity.codes[found.started[found.started >= 0]])
    ends = found.ended[(found.ended >= 0) & (found.started < 0)]
    lone = ends[(events.phase[ends] == COMPLETED) & np.isin(events.activity.codes[ends], begun)]
    if len(lone):
        text = "an end without a start, of an activity whose starts are told: the start is untold"
        repairs.note(text, len(lone), int(events.line[lone].min()))
    endless = found.started[(found.started >= 0) & (found.ended < 0)]
    if len(endless):
        repairs.note("a start without an end: the end is untold", len(endless), int(events.line[endless].min()))


def _merged_names(column: Names, one: np.ndarray) -> Names:
    codes = np.full(one.shape[1], -1, np.int32)
    for which in one[::-1]:
        told = np.where(which >= 0, column.codes[which], -1) if len(column.codes) else codes
        codes = np.where(told >= 0, told, codes).astype(np.int32)
    return Names(codes, column.names)


def _merged(column: Column, one: np.ndarray) -> Column:
    if isinstance(column, Names):
        return _merged_names(column, one)
    values = np.full(one.shape[1], np.nan)
    for which in one[::-1]:
        told = np.where(which >= 0, column[which], np.nan) if len(column) else values
        values = np.where(np.isnan(told), values, told)
    return values


def ordered(log: Log, place: np.ndarray | None = None) -> Log:
    """Return the log in its one order: cases by their first time, rows by first and last time, then by *place* in the file.

    Cases that begin at one moment are in order of their ids. Rows that tell no time are left out, and cases without rows.
    """
    place = np.arange(len(log)) if place is None else place
    last = np.maximum(np.maximum(log.queued, log.start), log.end)
    kept = np.flatnonzero((last != MISSING) & (log.case.codes >= 0))
    first = log.first
    begins = np.full(len(log.cases), np.iinfo(np.int64).max)
    np.minimum.at(begins, log.case.codes[kept], first[kept])
    some = [code for code in range(len(log.cases)) if begins[code] != np.iinfo(np.int64).max]
    some.sort(key=lambda code: (begins[code], len(log.cases[code]), log.cases[code]))
    rank = np.full(len(log.cases), -1, np.int32)
    rank[some] = np.arange(len(some), dtype=np.int32)
    codes = rank[log.case.codes]
    rows = kept[np.lexsort((place[kept], last[kept], first[kept], codes[kept]))]
    taken = np.array(some, np.int64)
    return Log(
        Names(codes[rows], tuple(log.cases[code] for code in some)), tidy(log.activity.take(rows)),
        tidy(log.resource.take(rows)), log.queued[rows], log.start[rows], log.end[rows], log.abandoned[rows],
        {name: _taken(column, rows) for name, column in sorted(log.attributes.items())},
        {name: _taken(column, taken) for name, column in sorted(log.about.items())}, log.zone,
    )  # fmt: skip


def _taken(column: Column, rows: np.ndarray) -> Column:
    return tidy(column.take(rows)) if isinstance(column, Names) else column[rows]


def tidy(column: Names) -> Names:
    """Return the column with only the names that occur, in order of the alphabet."""
    used = np.unique(column.codes[column.codes >= 0])
    some = sorted(used.tolist(), key=lambda code: column.names[code])
    place = np.full(len(column.names) + 1, -1, np.int32)
    place[some] = np.arange(len(some), dtype=np.int32)
    return Names(place[column.codes], tuple(column.names[code] for code in some))


def zoned(log: Log, zone: str) -> Log:
    """Return the log with another local time."""
    return replace(log, zone=zone)
