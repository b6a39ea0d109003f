"""Conditions made ready for one type of twin: units turned, words checked, and which field of a twin each one reads."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gemel.bank.query import ANY, Condition
from gemel.consent import ALL
from gemel.errors import BadInput, unknown
from gemel.facts import Time, time_of
from gemel.twintype import Signal, TwinType
from gemel.units import duration

COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*)")
_UNIT = re.compile(r"(1/)?[A-Za-zµ°%_]+(\^?-?[1-9])?([/* ·][A-Za-zµ°%_]+(\^?-?[1-9])?)*")
"""Units that anybody may write; what is behind it computes powers, of which some take for ever."""

_RANGE = re.compile(r"(.+?)\.\.(.+)")

LONGEST = 1e9
"""Of whatever unit, nobody asks for a longer time."""

OWN = ("id", "seen", "silent", "alert")
"""What can be asked of every twin, whatever its type."""


@dataclass(frozen=True)
class Test:
    """A comparison of what is kept under *kind* and *name* with *value*; *field* is what the gate is asked about."""

    kind: str
    name: str
    operator: str
    value: Any
    field: str | None

    def of(self, found: Any) -> Any:
        """Return whether a value, or which values of an array, pass; nan never does."""
        passed = COMPARE[self.operator](found, self.value)
        return passed & (found == found) if self.kind in ("signal", "attribute") else passed


def tests(conditions: Iterable[Condition], twin_type: TwinType | None, now: Time) -> list[Test]:
    """Return the tests for twins of one type (None: for any twin); raise `BadInput` where it has no such field."""
    return [test for condition in conditions for test in _tests(condition, twin_type, now)]


def types_with(conditions: Iterable[Condition], types: Mapping[str, TwinType]) -> list[TwinType]:
    """Return the types that have every field the conditions name; raise `NotFound` for a field that none has."""
    names = {condition.name for condition in conditions} - set(OWN)
    known = {name for twin_type in types.values() for name in (*twin_type.signals, *twin_type.attributes)}
    for name in sorted(names - known):
        raise unknown("signal or attribute", name, known | set(OWN))
    return [t for t in types.values() if names <= {*t.signals, *t.attributes}]


def _tests(condition: Condition, twin_type: TwinType | None, now: Time) -> list[Test]:
    name, text = condition.name, condition.value
    if name in OWN:
        return [{"id": _id, "alert": _alert, "seen": _seen, "silent": _silent}[name](condition, now)]
    if twin_type is None or not (name in twin_type.signals or name in twin_type.attributes):
        has = [] if twin_type is None else [*twin_type.signals, *twin_type.attributes]
        raise unknown("signal or attribute", name, [*has, *OWN])
    kind = "signal" if name in twin_type.signals else "attribute"
    port = twin_type.signals[name] if kind == "signal" else twin_type.attributes[name]
    between = _RANGE.fullmatch(text)
    if between is None:
        return [Test(kind, name, _comparing(condition, COMPARE), _number(text, port, name), name)]
    _comparing(condition, ("=",))
    high = _number(between[2], port, name)
    low = _number(between[1] if _has_unit(between[1]) else f"{between[1]} {_unit(between[2])}", port, name)
    return [Test(kind, name, ">=", low, name), Test(kind, name, "<=", high, name)]


def _number(text: str, port: Signal, name: str) -> float:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text!r} is not a number, with or without a unit, to compare {name} with", field=name)
    unit = found[2] or port.unit
    return float(found[1]) if unit == port.unit else port.convert(float(found[1]), _readable(unit, port, name))


def _readable(unit: str, port: Signal, name: str) -> str:
    if unit not in port.accepts and (len(unit) > 40 or not _UNIT.fullmatch(unit)):
        raise BadInput(f"{unit[:40]!r} is not a unit, such as {port.unit}", field=name)
    return unit


def _has_unit(text: str) -> bool:
    return bool(_unit(text))


def _unit(text: str) -> str:
    found = _NUMBER.fullmatch(text.strip())
    return found[2] if found else ""


def _comparing(condition: Condition, possible: Iterable[str]) -> str:
    if condition.operator not in possible:
        raise BadInput(
            f"{condition.name} cannot be compared by {condition.operator}; possible: {' '.join(possible)}",
            field=condition.name,
        )
    return condition.operator


def _id(condition: Condition, now: Time) -> Test:
    return Test("id", "id", _comparing(condition, ("=", "!=", "~")), condition.value, None)


def _alert(condition: Condition, now: Time) -> Test:
    how = _comparing(condition, ("=", "!="))
    if condition.value == "none":
        how, value = {"=": "!=", "!=": "="}[how], ANY
        return Test("alert", "alert", how, value, ALL)
    return Test("alert", "alert", how, condition.value, ALL)


def _seen(condition: Condition, now: Time) -> Test:
    return Test(
        "seen", "seen", _comparing(condition, (">", ">=", "<", "<=")), time_of(condition.value, what="seen"), ALL
    )


def _silent(condition: Condition, now: Time) -> Test:
    how = _FLIPPED[_comparing(condition, (">", ">=", "<", "<="))]
    found = _NUMBER.fullmatch(condition.value)
    if found is None or not found[2].isalpha() or not float(found[1]) < LONGEST:
        raise BadInput(f"{condition.value!r} is not a length of time, such as 15 min or 2 h", field="silent")
    return Test("silent", "silent", how, now - duration(condition.value), ALL)
