"""Tables: what a file tells, in columns; from events or rows of a file to a `Log` in its one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.packs.service.log import MISSING, Column, Log, Names
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.pairing import ABANDONED, COMPLETED, LATE_START, LOOSE, NOTED, Pairs, pairs

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
    events = _once(events, repairs)
    group, instanced = _groups(events)
    found = pairs(group, instanced, events.phase, events.at, events.resource.codes)
    _told(found, events, instanced, repairs)
    one = np.stack([found.ended, found.started, found.queued, _first_of(found)])
    main = one[np.argmax(one >= 0, axis=0), np.arange(one.shape[1])]
    attributes = {name: _merged(column, one) for name, column in events.attributes.items()}
    if found.paused.any():
        attributes["paused_s"] = np.where(found.paused > 0, found.paused / 1000, np.nan)
    at, phase = np.append(events.at, MISSING), np.append(events.phase, NOTED)
    log = Log(
        events.case.take(main), events.activity.take(main), _merged_names(events.resource, one),
        at[found.queued], at[found.started], at[found.ended], phase[found.ended] == ABANDONED,
        attributes, events.about, zone,
    )  # fmt: skip
    return ordered(log, main)


def _once(events: Events, repairs: Repairs) -> Events:
    """Return the events without those that repeat all that another one tells."""
    named = (events.case, events.activity, events.resource, events.instance)
    kept = told_once([*named, events.phase, events.at, *events.attributes.values()], events.line, repairs)
    if kept is None:
        return events
    return Events(
        named[0].take(kept), named[1].take(kept), named[2].take(kept), named[3].take(kept),
        events.phase[kept], events.at[kept], events.line[kept],
        {name: taken(column, kept) for name, column in events.attributes.items()}, events.about,
    )  # fmt: skip


def told_once(columns: Sequence[Column], line: np.ndarray, repairs: Repairs) -> np.ndarray | None:
    """Return the rows that do not repeat an earlier one in all columns, None if that is all of them."""
    parts = [column.codes if isinstance(column, Names) else column for column in columns]
    mixed = np.zeros(len(line), np.uint64)
    for part in parts:
        wide = np.ascontiguousarray(part if part.dtype == np.float64 else part.astype(np.int64)).view(np.uint64)
        mixed = (mixed ^ wide) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed, kind="stable")
    alike = np.flatnonzero(mixed[order[1:]] == mixed[order[:-1]]) + 1
    if not len(alike):
        return None
    again = [
        order[i] for i in alike.tolist()
        if all(np.array_equal(part[order[i]], part[order[i - 1]], equal_nan=part.dtype == np.float64) for part in parts)
    ]  # fmt: skip
    repairs.note(
        "told twice, word for word: the second is left out", len(again), int(line[again].min()) if again else None
    )
    return np.setdiff1d(np.arange(len(line)), again)


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
    never = np.iinfo(np.int64).max
    begins = np.full(len(log.cases), never)
    np.minimum.at(begins, log.case.codes[kept], first[kept])
    keys = zip(begins.tolist(), map(len, log.cases), log.cases, range(len(log.cases)), strict=True)
    some = [key[3] for key in sorted(keys) if key[0] != never]
    rank = np.full(len(log.cases), -1, np.int32)
    rank[some] = np.arange(len(some), dtype=np.int32)
    codes = rank[log.case.codes]
    rows = kept[np.lexsort((place[kept], last[kept], first[kept], codes[kept]))]
    chosen = np.array(some, np.int64)
    return Log(
        Names(codes[rows], tuple(log.cases[code] for code in some)), tidy(log.activity.take(rows)),
        tidy(log.resource.take(rows)), log.queued[rows], log.start[rows], log.end[rows], log.abandoned[rows],
        {name: taken(column, rows) for name, column in sorted(log.attributes.items()) if _tells(column, rows)},
        {name: taken(column, chosen) for name, column in sorted(log.about.items()) if _tells(column, chosen)}, log.zone,
    )  # fmt: skip


def taken(column: Column, rows: np.ndarray) -> Column:
    """Return some rows of a column, in order, with only the names that occur."""
    return tidy(column.take(rows)) if isinstance(column, Names) else column[rows]


def _tells(column: Column, rows: np.ndarray) -> bool:
    """Return whether any of the rows has a value."""
    some = column.codes[rows] >= 0 if isinstance(column, Names) else ~np.isnan(column[rows])
    return bool(some.any())


def tidy(column: Names) -> Names:
    """Return the column with only the names that occur, in order of the alphabet."""
    used = np.unique(column.codes[column.codes >= 0])
    some = sorted(used.tolist(), key=lambda code: column.names[code])
    place = np.full(len(column.names) + 1, -1, np.int32)
    place[some] = np.arange(len(some), dtype=np.int32)
    return Names(place[column.codes], tuple(column.names[code] for code in some))
