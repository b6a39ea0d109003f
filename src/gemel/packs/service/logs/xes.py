"""XES (IEEE 1849-2016, 2023): from what stands in a file to a log.

Nested attributes are told as `parent/child`. The log's defaults (`global`) fill what an event does not tell, unless they
only say that nothing is known. Dates become numbers: ms since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.packs.service.log import MISSING, ZONE, Column, Names
from gemel.packs.service.logs.lifecycle import phases_of
from gemel.packs.service.logs.raw import typed
from gemel.packs.service.logs.repairs import Read, Repairs
from gemel.packs.service.logs.table import Events, Tell, log_of, silent
from gemel.packs.service.logs.when import NAIVE, settle, zone_found, zone_of
from gemel.packs.service.logs.xes_scan import Scan, scan
from gemel.packs.service.logs.xes_tags import DATE, DEFAULT_EVENT, NUMBER, OF_EVENT, OF_LOG, OF_TRACE

STANDARD: Mapping[str, str] = {
    "case": "concept:name", "activity": "concept:name", "resource": "org:resource", "time": "time:timestamp",
    "phase": "lifecycle:transition", "instance": "concept:instance",
}  # fmt: skip
"""The keys that tell what a log needs; `case` is one of the trace."""

NOTHING = {"unknown", "__invalid__", "default", "undefined", "", "name", "resource", "string"}
"""Defaults that tell nothing."""


def read_xes(
    path: Path, repairs: Repairs, *, map: Mapping[str, Any] | None = None, zone: str | None = None, tell: Tell = silent
) -> Read:
    """Return the log in a file; *map* names other keys (`activity` may also be a classifier, or keys joined by +)."""
    return _Reading(scan(path, repairs, tell), repairs, _keys(map or {}, str(path)), zone).read()


def _keys(said: Mapping[str, Any], file: str) -> dict[str, str]:
    for name in said:
        if name not in STANDARD:
            raise BadInput(unknown("key", name, STANDARD).problem, file=file, field="map")
    return {**STANDARD, **{name: str(key) for name, key in said.items()}}


class _Reading:
    """The way from a scan to a log."""

    def __init__(self, found: Scan, repairs: Repairs, keys: Mapping[str, str], zone: str | None) -> None:
        self.found, self.repairs, self.keys, self.zone = found, repairs, keys, zone
        self.file, self.items = repairs.file, found.items
        self.events, self.traces = len(found.event_trace), len(found.trace_line)
        self.dates: set[str] = set()

    def read(self) -> Read:
        if not self.events:
            raise BadInput("holds no event", file=self.file, row=1)
        of_event, of_trace = self._split(OF_EVENT, self.events), self._split(OF_TRACE, self.traces)
        at, local = self._times(of_event)
        phase = phases_of(self._names(of_event, "phase"), self.found.event_line, self.repairs)
        case, about = self._cases(of_trace)
        resource, instance = self._names(of_event, "resource"), self._names(of_event, "instance")
        activity = self._activity(of_event)
        for name in ("phase", "instance", "resource"):
            self._used(of_event, self.keys[name], name)
        attributes = {key: self._column(key, items, self.events) for key, items in of_event.items()}
        case = Names(np.where(at == MISSING, -1, case.codes).astype(np.int32), case.names)
        log = log_of(
            Events(case, activity, resource, instance, phase, at, self.found.event_line, attributes, about), local, self.repairs
        )  # fmt: skip
        return Read(log, self.repairs, self._told())

    def _used(self, of_event: dict[str, np.ndarray], key: str, name: str) -> None:
        """Leave out of the attributes what the log tells in its own columns; words of no standard stay."""
        items = of_event.get(key)
        strange = name == "phase" and self.repairs.own_words
        if items is not None and not strange:
            del of_event[key]

    def _split(self, scope: int, rows: int) -> dict[str, np.ndarray]:
        """Return the items (their indices) of each key; if one owner tells a key twice, the first counts."""
        mine = np.flatnonzero(self.items["scope"] == scope)
        narrow = np.uint16 if len(self.found.keys) < 1 << 16 else np.int32  # NumPy sorts short numbers by radix
        order = mine[np.argsort(self.items["key"][mine].astype(narrow), kind="stable")]
        keys, starts = np.unique(self.items["key"][order], return_index=True)
        ends = [*starts.tolist(), len(order)]
        lines = self.found.event_line if scope == OF_EVENT else self.found.trace_line
        split = {self.found.keys[key]: order[ends[i] : ends[i + 1]] for i, key in enumerate(keys.tolist())}
        return {key: self._once(key, items, lines) for key, items in split.items()}

    def _once(self, key: str, items: np.ndarray, lines: np.ndarray) -> np.ndarray:
        owner = self.items["owner"][items]
        again = np.append(False, owner[1:] == owner[:-1])
        if again.any():
            first = int(lines[owner[again][0]])
            self.repairs.note(
                f"{key!r} told again by the same event or case: the first counts", int(again.sum()), first
            )
        once: np.ndarray = items[~again]
        return once

    def _times(self, of_event: dict[str, np.ndarray]) -> tuple[np.ndarray, str]:
        key, line = self.keys["time"], self.found.event_line
        items = of_event.pop(key, np.zeros(0, np.int64))
        wrong = items[self.items["kind"][items] != DATE]
        if len(wrong):
            raise BadInput("is no date", file=self.file, row=int(line[self.items["owner"][wrong[0]]]), field=key)
        at, offset = np.full(self.events, MISSING), np.full(self.events, NAIVE)
        at[self.items["owner"][items]], offset[self.items["owner"][items]] = (
            self.items["value"][items],
            self.items["offset"][items],
        )
        at = settle(at, offset, line, self.zone, self.repairs, key)
        lost = np.flatnonzero(at == MISSING)
        if len(lost):
            self.repairs.dropped("an event without a time", len(lost), int(line[lost[0]]), self.events, key)
        return at, self.zone or self._zone() or zone_found(at, offset)

    def _zone(self) -> str | None:
        """Return the zone that a log of ours tells."""
        mine = np.flatnonzero((self.items["scope"] == OF_LOG) & (self.items["kind"] != DATE))
        told = [self.found.texts[self.items["value"][i]] for i in mine if self.found.keys[self.items["key"][i]] == ZONE]
        return zone_of(told[0]).key if told else None

    def _names(self, of_event: Mapping[str, np.ndarray], name: str) -> Names:
        return self._texts(self.keys[name], of_event.get(self.keys[name]), self.events)

    def _texts(self, key: str, items: np.ndarray | None, rows: int) -> Names:
        codes = np.full(rows, -1, np.int64)
        if items is not None:
            codes[self.items["owner"][items]] = self.items["value"][items]
        default = self._default(key) if rows == self.events else None
        if default is not None and (codes < 0).any():
            codes[codes < 0] = default
        seen = np.zeros(len(self.found.texts) + 1, bool)
        seen[codes] = True
        used = np.flatnonzero(seen[:-1])
        told = dict.fromkeys(text for code in used.tolist() if (text := self.found.texts[code]))
        names = {text: i for i, text in enumerate(told)}
        place = np.full(len(seen), -1, np.int32)
        place[used] = [names.get(self.found.texts[code], -1) for code in used.tolist()]
        return Names(place[codes], tuple(names))

    def _default(self, key: str) -> int | None:
        """Return the code of the text that fills in for *key* in events, if the log says one that tells something."""
        mine = (self.items["scope"] == DEFAULT_EVENT) & (self.items["kind"] != DATE)
        for item in np.flatnonzero(mine):
            if self.found.keys[self.items["key"][item]] == key:
                code = int(self.items["value"][item])
                return None if self.found.texts[code].strip().lower() in NOTHING else code
        return None

    def _activity(self, of_event: dict[str, np.ndarray]) -> Names:
        said = self.keys["activity"]
        keys = self.found.classifiers[said].split() if said in self.found.classifiers else said.split("+")
        parts = [self._texts(key, of_event.get(key), self.events) for key in keys]
        for key in keys if len(keys) == 1 else ():
            of_event.pop(key, None)
        column = parts[0]
        for part in parts[1:]:
            column = _joined(column, part)
        lost = np.flatnonzero(column.codes < 0)
        if len(lost):
            line = int(self.found.event_line[lost[0]])
            self.repairs.dropped("an event without an activity", len(lost), line, self.events, said)
        return column

    def _cases(self, of_trace: dict[str, np.ndarray]) -> tuple[Names, dict[str, Column]]:
        traces = self._texts(self.keys["case"], of_trace.pop(self.keys["case"], None), self.traces)
        lost = np.flatnonzero(traces.codes < 0)
        names = list(traces.names)
        codes = traces.codes.copy()
        for trace in lost.tolist():
            codes[trace] = len(names)
            names.append(f"case {trace + 1}")
        if len(lost):
            text = "a case without an id: named by its place in the file"
            self.repairs.note(text, len(lost), int(self.found.trace_line[lost[0]]))
        same = self.traces - len(set(codes.tolist()))
        if same:
            self.repairs.note("an id borne by several traces: they are one case", same)
        loose = np.flatnonzero(self.found.event_trace < 0)
        if len(loose):
            first = int(self.found.event_line[loose[0]])
            self.repairs.dropped("an event of no case", len(loose), first, self.events, self.keys["case"])
        case = Names(np.append(codes, -1)[self.found.event_trace].astype(np.int32), tuple(names))
        about = {
            key: _by_case(self._column(key, items, self.traces), codes, len(names)) for key, items in of_trace.items()
        }
        return case, about

    def _column(self, key: str, items: np.ndarray, rows: int) -> Column:
        kinds = set(self.items["kind"][items].tolist())
        if kinds == {DATE}:
            self.dates.add(key)
            values = np.full(rows, np.nan)
            told = self.items["value"][items]
            values[self.items["owner"][items]] = np.where(told <= MISSING, np.nan, told)
            return values
        if DATE in kinds:
            raise BadInput("is a date in some events and not in others", file=self.file, field=key)
        return typed(self._texts(key, items, rows), words=kinds != {NUMBER})

    def _told(self) -> dict[str, Any]:
        mine = np.flatnonzero((self.items["scope"] == OF_LOG) & (self.items["kind"] != DATE))
        of_log = {self.found.keys[self.items["key"][i]]: self.found.texts[self.items["value"][i]] for i in mine}
        return {
            "format": "xes", "keys": dict(self.keys), "attributes": of_log, "extensions": self.found.extensions,
            "classifiers": self.found.classifiers, "dates": sorted(self.dates), "events": self.events,
        }  # fmt: skip


def _joined(one: Names, other: Names) -> Names:
    pair = np.stack([one.codes, other.codes], axis=1)
    kinds, codes = np.unique(pair, axis=0, return_inverse=True)
    texts = tuple(f"{one.names[a]}+{other.names[b]}" if a >= 0 and b >= 0 else "" for a, b in kinds.tolist())
    place = {text: i for i, text in enumerate(dict.fromkeys(filter(None, texts)))}
    return Names(np.array([place.get(text, -1) for text in texts], np.int32)[codes.reshape(-1)], tuple(place))


def _by_case(column: Column, codes: np.ndarray, cases: int) -> Column:
    if isinstance(column, Names):
        moved = np.full(cases, -1, np.int32)
        moved[codes[::-1]] = column.codes[::-1]
        return Names(moved, column.names)
    values = np.full(cases, np.nan)
    values[codes[::-1]] = column[::-1]
    return values
