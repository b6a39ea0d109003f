"""What is so of each twin: now, from the index in one sweep; or at a past moment, from the twin's own facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.bank.conditions import Test, tests, types_with
from gemel.bank.index import Index
from gemel.bank.index_columns import NEVER
from gemel.bank.intake import HAPPENED
from gemel.bank.query import ACTOR, ANY, Step
from gemel.bank.statistics import SUMMARISED, Part, parts_in
from gemel.dynamics import Array
from gemel.errors import unknown
from gemel.facts import Time
from gemel.thread import Thread
from gemel.twintype import TwinType


@dataclass(frozen=True)
class Ready:
    """A step made ready: which tests for which type (`"*"`: any), and what the gate is asked of each twin it takes."""

    step: Step
    by_type: Mapping[str, tuple[Test, ...]]

    def tests(self, type_name: str) -> tuple[Test, ...] | None:
        """Return the tests for a type, or None if its twins are not asked for."""
        return self.by_type.get(type_name, self.by_type.get(ANY))

    def fields(self, type_name: str) -> tuple[str, ...]:
        """Return the fields that the tests read of a twin of that type."""
        return tuple(dict.fromkeys(t.field for t in self.tests(type_name) or () if t.field is not None))


def ready(step: Step, types: Mapping[str, TwinType], now: Time) -> Ready:
    """Return the step ready for the types there are."""
    own = all(condition.name in ("id", "seen", "silent", "alert") for condition in step.where)
    if step.type == ACTOR:
        return Ready(step, {ACTOR: tuple(tests(step.where, None, now))})
    if step.type == ANY and own:
        return Ready(step, {ANY: tuple(tests(step.where, None, now))})
    if step.type == ANY:
        return Ready(step, {t.name: tuple(tests(step.where, t, now)) for t in types_with(step.where, types)})
    if step.type not in types:
        raise unknown("twin type", step.type, types)
    return Ready(step, {step.type: tuple(tests(step.where, types[step.type], now))})


class Present:
    """What the index says now; it is asked under the index's lock."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def mask(self, ready: Ready) -> Array:
        """Return which places a step takes."""
        found = np.zeros(self._index.size, bool)
        for name, wanted in ready.by_type.items():
            part = self._index.of_type(name)
            for test in wanted:
                part &= self._passing(test)
            found |= part
        return found

    def _passing(self, test: Test) -> Array:
        index, size = self._index, self._index.size
        if test.kind == "id":
            return self._named(test)
        if test.kind == "alert":
            return index.alerting(test.value) == (test.operator == "=")
        if test.kind == "silent":
            return np.asarray(test.of(index.seen.upto(size)))
        if test.kind == "seen":
            seen = index.seen.upto(size)
            return np.asarray(test.of(seen) & (seen != NEVER))
        return np.asarray(test.of(column(index, test.name)))

    def _named(self, test: Test) -> Array:
        ids = self._index.ids
        if test.operator == "~":
            return np.fromiter((test.value in name for name in ids), bool, len(ids))
        found = np.full(len(ids), test.operator == "!=")
        place = self._index.places.get(test.value)
        if place is not None:
            found[place] = test.operator == "="
        return found


def column(index: Index, name: str) -> Array:
    """Return the last values of a signal, or an attribute's values, by place; nan where there is none."""
    if name == "seen":
        seen = index.seen.upto(index.size)
        return np.where(seen == NEVER, np.nan, seen.astype(float))
    if name in index.signals:
        return index.signals[name].values.upto(index.size)
    if name in index.attributes:
        return index.attributes[name].upto(index.size)
    return np.full(index.size, np.nan)


def named(test: Test, name: str) -> bool:
    """Return whether a name passes a test of `id`."""
    return str(test.value) in name if test.operator == "~" else (name == test.value) == (test.operator == "=")


@dataclass
class Then:
    """What the facts said of single twins at *at*, as far as they were known by *known_by*."""

    thread: Thread
    at: Time
    known_by: Time | None
    _held: dict[str, _Said] = field(default_factory=dict)

    def passes(self, id: str, wanted: tuple[Test, ...], attributes: Mapping[str, float]) -> bool:
        """Return whether a twin passed the tests."""
        if id not in self._held:
            self._held[id] = _said(self.thread, id, self.at, self.known_by)
        return all(self._passes(id, test, self._held[id], attributes) for test in wanted)

    def _passes(self, id: str, test: Test, said: _Said, attributes: Mapping[str, float]) -> bool:
        if test.kind == "id":
            return named(test, id)
        if test.kind == "alert":
            found = bool(said.alerts) if test.value == ANY else test.value in said.alerts
            return found == (test.operator == "=")
        if test.kind in ("seen", "silent"):
            return bool(test.of(said.seen)) and (test.kind == "silent" or said.seen != NEVER)
        held: Any = said.signals.get(test.name, (0, np.nan))[1] if test.kind == "signal" else attributes.get(test.name)
        return held is not None and bool(test.of(held))


@dataclass
class _Said:
    seen: Time = NEVER
    signals: dict[str, tuple[Time, float]] = field(default_factory=dict)
    alerts: set[str] = field(default_factory=set)


_KINDS = ("observed/1", "acted/1", HAPPENED, "retracted/1", "alert/1")


def _said(thread: Thread, id: str, at: Time, known_by: Time | None) -> _Said:
    facts = list(thread.read(id, kinds=_KINDS, known_by=known_by))
    withdrawn = {str(fact.body["key"]) for fact in facts if fact.kind == "retracted/1"}
    said = _Said()
    for fact in facts:
        if fact.true_at > at or fact.kind == "retracted/1":
            continue
        name = str(fact.body["name"])
        if fact.kind == "alert/1":
            (said.alerts.add if fact.body["active"] else said.alerts.discard)(name)
        elif str(fact.body.get("key")) not in withdrawn:
            said.seen = max(said.seen, fact.true_at)
            if fact.kind == "observed/1":
                value = fact.true_at, float(fact.body["value"])
                said.signals[name] = max(said.signals.get(name, value), value)
    for name, part in _thinned(thread, id, known_by):
        if part.last_at <= at and part.key not in withdrawn:
            value = part.last_at, part.last
            said.seen, said.signals[name] = max(said.seen, part.last_at), max(said.signals.get(name, value), value)
    return said


def _thinned(thread: Thread, id: str, known_by: Time | None) -> Iterator[tuple[str, Part]]:
    """Yield what stands for readings that were known by then and are thinned now, with the names of their signals."""
    for fact in thread.read(id, kinds=[SUMMARISED]):
        if known_by is None or fact.body["known_at"] <= known_by:
            yield from ((str(fact.body["name"]), part) for part in parts_in(fact))
