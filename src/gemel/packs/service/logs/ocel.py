"""OCEL 2.0 (ocel-standard.org, 2023), JSON and SQLite: events of several objects; one type of object is the case.

An event that belongs to several cases is told for each of them. An attribute of a case that changes is told by its first
value. Transition, resource and instance are read from attributes of the event of the XES names, or those that *map* names;
a resource may also be a type of object.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.errors import BadInput, unknown
from gemel.packs.service.log import MISSING, Column, Names
from gemel.packs.service.logs.lifecycle import phases_of
from gemel.packs.service.logs.raw import Words, blocks, exact, typed
from gemel.packs.service.logs.repairs import Read, Repairs
from gemel.packs.service.logs.table import Events, Tell, log_of, silent
from gemel.packs.service.logs.when import moment, settle, zone_found

SQLITE = b"SQLite format 3\x00"

STANDARD: Mapping[str, tuple[str, ...]] = {
    "resource": ("org:resource", "resource"),
    "phase": ("lifecycle:transition", "lifecycle"),
    "instance": ("concept:instance",),
}
"""Attributes of events (for the resource also types of objects) that tell what a log needs."""

Value = str | float


class _Attribute(msgspec.Struct):
    name: str
    value: str | float | bool | None
    time: str = ""


class _Relation(msgspec.Struct):
    objectId: str  # noqa: N815 the standard's name
    qualifier: str = ""


class _Event(msgspec.Struct):
    id: str
    type: str
    time: str
    attributes: list[_Attribute] = []
    relationships: list[_Relation] = []


class _Object(msgspec.Struct):
    id: str
    type: str
    attributes: list[_Attribute] = []
    relationships: list[_Relation] = []


class _Declared(msgspec.Struct):
    name: str
    type: str = "string"


class _Kind(msgspec.Struct):
    name: str
    attributes: list[_Declared] = []


class _File(msgspec.Struct):
    events: list[_Event]
    objects: list[_Object]
    eventTypes: list[_Kind] = []  # noqa: N815
    objectTypes: list[_Kind] = []  # noqa: N815


@dataclass
class Told:
    """One event: where it stands, what it is, when, what is said of it, and the ids of its objects."""

    row: int
    type: str
    time: str
    attributes: dict[str, Value]
    objects: list[str]


@dataclass
class Ocel:
    """A whole file: the type of each object, what is first said of each, and the events."""

    types: dict[str, str] = field(default_factory=dict)
    about: dict[str, dict[str, Value]] = field(default_factory=dict)
    changed: int = 0
    events: list[Told] = field(default_factory=list)


def read_ocel_json(
    path: Path, repairs: Repairs, *, map: Mapping[str, Any] | None = None, zone: str | None = None,
    case: str | None = None, tell: Tell = silent,
) -> Read:  # fmt: skip
    """Return the log of an OCEL 2.0 JSON file; *case* is the type of object whose way it follows."""
    content = b"".join(blocks(path, tell)).lstrip(b"\xef\xbb\xbf")
    try:
        found = msgspec.json.decode(content, type=_File)
    except msgspec.ValidationError as error:
        raise BadInput(f"is not an OCEL 2.0 log: {error}", file=str(path)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"is not JSON, or cut off: {error}", file=str(path), row=content.count(b"\n") + 1) from None
    told = Ocel({one.id: one.type for one in found.objects})
    of_event, of_object = _numeric(found.eventTypes), _numeric(found.objectTypes)
    for one in found.objects:
        _first_values(told, one.id, _declared(sorted(one.attributes, key=lambda said: said.time), of_object[one.type]))
    told.events = [
        Told(
            row,
            one.type,
            one.time,
            _values(_declared(one.attributes, of_event[one.type])),
            [to.objectId for to in one.relationships],
        )
        for row, one in enumerate(_once([(one.id, one) for one in found.events], repairs), 1)
    ]
    return _read(told, repairs, _keys(map or {}, str(path)), zone, case, "ocel json")


def _numeric(kinds: Iterable[_Kind]) -> Mapping[str, set[str]]:
    """Return for each type which of its attributes are numbers, though JSON tells them as texts."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for kind in kinds:
        told[kind.name] |= {one.name for one in kind.attributes if one.type in ("float", "integer")}
    return told


def _declared(said: Iterable[_Attribute], numeric: set[str]) -> Iterator[_Attribute]:
    for one in said:
        number = exact((one.value,)) if one.name in numeric and isinstance(one.value, str) else None
        yield _Attribute(one.name, one.value if number is None else float(number[0]), one.time)


def _once(found: Iterable[tuple[str, _Event]], repairs: Repairs) -> Iterator[_Event]:
    seen = set[str]()
    for row, (name, one) in enumerate(found, 1):
        if name in seen:
            repairs.note("an event's id told twice: the first counts", 1, row)
            continue
        seen.add(name)
        yield one


def _values(said: Iterable[_Attribute]) -> dict[str, Value]:
    return {one.name: _value(one.value) for one in said if one.value is not None}


def _value(value: Any) -> Value:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else float(value)


def _first_values(told: Ocel, name: str, said: Iterable[_Attribute]) -> None:
    mine = told.about.setdefault(name, {})
    for one in said:
        if one.value is not None and mine.setdefault(one.name, _value(one.value)) != _value(one.value):
            told.changed += 1


def read_ocel_sqlite(
    path: Path, repairs: Repairs, *, map: Mapping[str, Any] | None = None, zone: str | None = None,
    case: str | None = None, tell: Tell = silent,
) -> Read:  # fmt: skip
    """Return the log of an OCEL 2.0 SQLite file; *case* is the type of object whose way it follows."""
    if not path.read_bytes()[:16].startswith(SQLITE):
        raise BadInput("is a packed SQLite file: unpack it first", file=str(path))
    store = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        told = _stored(store, repairs)
    except sqlite3.Error as error:
        raise BadInput(f"is not an OCEL 2.0 log: {error}", file=str(path)) from None
    finally:
        store.close()
    size = path.stat().st_size
    tell("reading", size, size)
    return _read(told, repairs, _keys(map or {}, str(path)), zone, case, "ocel sqlite")


def _stored(store: sqlite3.Connection, repairs: Repairs) -> Ocel:
    told = Ocel(dict(store.execute("SELECT ocel_id, ocel_type FROM object ORDER BY rowid")))
    for table in _tables(store, "object"):
        for one in sorted(_named(store, table), key=lambda one: one.get("ocel_time") or ""):
            changed = one.get("ocel_changed_field")
            said = [
                _Attribute(name, value) for name, value in one.items()
                if not name.startswith("ocel_") and value is not None and changed in (None, "", name)
            ]  # fmt: skip
            _first_values(told, one["ocel_id"], said)
    related: dict[str, list[str]] = {}
    for event, name in store.execute("SELECT ocel_event_id, ocel_object_id FROM event_object ORDER BY rowid"):
        related.setdefault(event, []).append(name)
    said_of = {one["ocel_id"]: one for table in _tables(store, "event") for one in _named(store, table)}
    for row, (event, kind) in enumerate(store.execute("SELECT ocel_id, ocel_type FROM event ORDER BY rowid"), 1):
        one = said_of.get(event, {})
        values = {n: _value(v) for n, v in one.items() if not n.startswith("ocel_") and v is not None}
        told.events.append(Told(row, kind, str(one.get("ocel_time") or ""), values, related.get(event, [])))
    return told


def _tables(store: sqlite3.Connection, what: str) -> list[str]:
    return [f"{what}_{name}" for (name,) in store.execute(f"SELECT ocel_type_map FROM {what}_map_type ORDER BY rowid")]


def _named(store: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    quoted = table.replace('"', '""')
    found = store.execute(f'SELECT * FROM "{quoted}" ORDER BY rowid')
    names = [column[0] for column in found.description]
    for values in found:
        yield dict(zip(names, values, strict=True))


def _keys(said: Mapping[str, Any], file: str) -> dict[str, tuple[str, ...]]:
    for name in said:
        if name not in STANDARD:
            raise BadInput(unknown("key", name, STANDARD).problem, file=file, field="map")
    told = {name: (keys,) if isinstance(keys, str) else tuple(keys) for name, keys in said.items()}
    return {**STANDARD, **told}


def _read(
    told: Ocel, repairs: Repairs, keys: Mapping[str, tuple[str, ...]], zone: str | None, case: str | None, form: str
) -> Read:
    if not told.events:
        raise BadInput("holds no event", file=repairs.file)
    kinds, chosen = Counter(told.types.values()), _chosen(told, case, repairs)
    rows = _rows(told, chosen, keys, repairs)
    cases = {name: i for i, name in enumerate(rows.case.known)}
    if told.changed:
        repairs.note("a value of an object that changes: the first counts", told.changed)
    line = np.array(rows.line, np.int64)
    at, offset = np.array([*map(moment, rows.time)], np.int64).reshape(-1, 2).T
    at = settle(at, offset, line, zone, repairs, "time")
    lost = np.flatnonzero(at == MISSING)
    if len(lost):
        repairs.dropped("an event without a time", len(lost), int(line[lost[0]]), len(line), "time")
    case_of, phase = rows.case.column(), phases_of(rows.phase.column(), line, repairs)
    for key in () if repairs.own_words else keys["phase"]:
        rows.attributes.pop(key, None)
    events = Events(
        Names(np.where(at == MISSING, -1, case_of.codes).astype(np.int32), case_of.names),
        rows.activity.column(), rows.resource.column(), rows.instance.column(),
        phase, at, line,
        {name: typed_as(words.column(), numbers) for name, (words, numbers) in rows.attributes.items()},
        _about(told, chosen, cases),
    )  # fmt: skip
    told_else = {"format": form, "case": chosen, "objects": dict(sorted(kinds.items())), "events": len(told.events)}
    return Read(log_of(events, zone or zone_found(at, offset), repairs), repairs, told_else)


def typed_as(column: Names, numbers: bool) -> Column:
    """Return the column as numbers if the file told its values as such."""
    return typed(column) if numbers else column


def _chosen(told: Ocel, case: str | None, repairs: Repairs) -> str:
    kinds = Counter(told.types.values())
    if case is not None:
        if case not in kinds:
            raise BadInput(unknown("type of object", case, kinds).problem, file=repairs.file, field="case")
        return case
    covered = Counter(
        kind for one in told.events for kind in {told.types[name] for name in one.objects if name in told.types}
    )
    if not covered:
        raise BadInput("no event belongs to an object", file=repairs.file, field="relationships")
    chosen = min(covered, key=lambda kind: (-covered[kind], kind))
    if len(kinds) > 1:
        repairs.note(f"no type of object was named as the case: {chosen!r} is taken, which most events belong to")
    return chosen


@dataclass
class _Rows:
    case: Words = field(default_factory=Words)
    activity: Words = field(default_factory=Words)
    resource: Words = field(default_factory=Words)
    instance: Words = field(default_factory=Words)
    phase: Words = field(default_factory=Words)
    time: list[str] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    attributes: dict[str, tuple[Words, bool]] = field(default_factory=dict)


def _rows(told: Ocel, chosen: str, keys: Mapping[str, tuple[str, ...]], repairs: Repairs) -> _Rows:
    rows, used = _Rows(), {*keys["resource"], *keys["instance"]}
    names = dict.fromkeys(name for one in told.events for name in one.attributes if name not in used)
    numeric = {n: all(not isinstance(one.attributes.get(n, 0.0), str) for one in told.events) for n in names}
    rows.attributes = {name: (Words(), numeric[name]) for name in names}
    for one in told.events:
        cases = list(dict.fromkeys(name for name in one.objects if told.types.get(name) == chosen))
        if not cases:
            repairs.note(f"an event of no {chosen!r}: left out", 1, one.row)
        if len(cases) > 1:
            repairs.note(f"an event of several {chosen!r}: told for each", 1, one.row)
        for name in cases:
            _add(rows, name, one, told, keys)
    return rows


def _add(rows: _Rows, case: str, one: Told, told: Ocel, keys: Mapping[str, tuple[str, ...]]) -> None:
    rows.case.add(case)
    rows.activity.add(one.type)
    for name, words in (("resource", rows.resource), ("instance", rows.instance), ("phase", rows.phase)):
        said = [one.attributes[key] for key in keys[name] if key in one.attributes]
        words.add(str(said[0]) if said else _object(one, told, keys, name))
    rows.time.append(one.time)
    rows.line.append(one.row)
    for name, (words, _) in rows.attributes.items():
        value = one.attributes.get(name, "")
        words.add(value if isinstance(value, str) else repr(value))


def _object(one: Told, told: Ocel, keys: Mapping[str, tuple[str, ...]], name: str) -> str:
    """Return the resource that the event names as an object."""
    if name != "resource":
        return ""
    return next((thing for thing in one.objects if told.types.get(thing) in keys["resource"]), "")


def _about(told: Ocel, chosen: str, cases: Mapping[str, int]) -> dict[str, Column]:
    said = {name: told.about.get(name, {}) for name in cases}
    columns: dict[str, Column] = {}
    for key in dict.fromkeys(key for values in said.values() for key in values):
        words = Words()
        values = [values.get(key, "") for values in said.values()]
        for value in values:
            words.add(value if isinstance(value, str) else repr(value))
        columns[key] = typed_as(words.column(), all(not isinstance(value, str) or not value for value in values))
    return columns
