"""Logs out: XES, and OCEL 2.0 as JSON or SQLite; what is written is read back as the same log.

Each activity performed becomes its events (schedule, start, complete or withdraw), bound together by `concept:instance`.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import quoteattr

from gemel.dynamics import Event
from gemel.errors import BadInput
from gemel.facts import Time, iso
from gemel.packs.service.log import INSTANCE, ZONE, Column, Log, Names, rows_of
from gemel.packs.service.logs.lifecycle import TRANSITION_OF

_EXTENSIONS = (("Concept", "concept"), ("Lifecycle", "lifecycle"), ("Organizational", "org"), ("Time", "time"))
_OWN = ("concept:name", "org:resource", "lifecycle:transition", "time:timestamp", INSTANCE)
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SPACE = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}

CASE, RESOURCE = "case", "resource"
"""The types of object in an OCEL log of ours."""


def write_xes(path: str | Path, log: Log, dates: Iterable[str] = ()) -> None:
    """Write a log as XES, gzipped if the name ends in .gz; numbers of the attributes in *dates* are ms since 1970."""
    file, moments = Path(path), frozenset(dates)
    about = dict(zip(log.cases, rows_of(log.about, len(log.cases)), strict=True))
    with ExitStack() as open_:
        out = open_.enter_context(_text(file))
        out.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1849.2016" xmlns="http://www.xes-standard.org/">\n'
        )
        for name, prefix in _EXTENSIONS:
            out.write(
                f'<extension name="{name}" prefix="{prefix}" uri="http://www.xes-standard.org/{prefix}.xesext"/>\n'
            )
        out.write(_xes(ZONE, log.zone, moments, file))
        for case, events in _by_case(log):
            told = {"concept:name": case, **_free(about[case], ("concept:name",), file)}
            out.write("<trace>\n" + "".join(_xes(name, value, moments, file) for name, value in told.items()))
            for event in events:
                out.write(
                    "<event>\n" + "".join(_xes(*pair, moments, file) for pair in _said(event, file)) + "</event>\n"
                )
            out.write("</trace>\n")
        out.write("</log>\n")


def _text(file: Path) -> TextIO:
    if file.name.endswith(".gz"):
        return TextIOWrapper(gzip.GzipFile(file, "wb", mtime=0), encoding="utf-8", newline="\n")
    return file.open("w", encoding="utf-8", newline="\n")


def _by_case(log: Log) -> Iterator[tuple[str, list[Event]]]:
    """Yield each case with its events, in order of time."""
    events: dict[str, list[Event]] = {case: [] for case in log.cases}
    for event in log.events():
        if event.activity:
            events[event.case].append(event)
    yield from events.items()


def _said(event: Event, file: Path) -> Iterator[tuple[str, str | float]]:
    yield "concept:name", event.activity
    yield INSTANCE, event.attributes[INSTANCE]
    yield "lifecycle:transition", _transition(event)
    yield "time:timestamp", iso(event.at)
    if event.resource:
        yield "org:resource", event.resource
    own = {name: value for name, value in event.attributes.items() if name != INSTANCE}
    yield from _free(own, _OWN, file).items()


def _transition(event: Event) -> str:
    """Return the word for what happened: the log's own if it has one."""
    return str(event.attributes.get("lifecycle:transition") or TRANSITION_OF[event.phase])


def _free(said: Mapping[str, str | float], own: Sequence[str], file: Path) -> Mapping[str, str | float]:
    """Return what is said, if none of it bears a name that the format keeps for itself."""
    taken = sorted(set(said) & set(own) - {"lifecycle:transition"})
    if taken:
        raise BadInput("an attribute has a name that the format uses itself: rename it", file=str(file), field=taken[0])
    return {name: value for name, value in said.items() if name not in own}


def _xes(name: str, value: str | float, dates: frozenset[str], file: Path) -> str:
    if isinstance(value, str):
        kind, text = ("date" if name == "time:timestamp" else "string"), value
    elif name in dates:
        kind, text = "date", iso(Time(value))
    else:
        kind, text = "float", repr(value)
    for part in (name, text):
        if _UNFIT.search(part):
            raise BadInput(f"{part[:40]!r} holds a sign that XML cannot", file=str(file), field=name)
    return f"<{kind} key={quoteattr(name, _SPACE)} value={quoteattr(text, _SPACE)}/>\n"


def write_ocel_json(path: str | Path, log: Log) -> None:
    """Write a log as OCEL 2.0 JSON: objects are its cases and resources, attributes of cases those of their objects."""
    out = _Ocel(log)
    told = {
        "eventTypes": [{"name": kind, "attributes": out.declared(out.of_event)} for kind in log.activity.names],
        "objectTypes": [
            {"name": CASE, "attributes": out.declared(out.of_case)}, {"name": RESOURCE, "attributes": []},
        ],
        "events": [
            {"id": name, "type": event.activity, "time": iso(event.at),
             "attributes": [{"name": key, "value": _json(value)} for key, value in said.items()],
             "relationships": [{"objectId": thing, "qualifier": how} for how, thing in things]}
            for name, event, said, things in out.events()
        ],
        "objects": [
            {"id": case, "type": CASE, "attributes": [{"name": k, "value": _json(v), "time": iso(0)} for k, v in said.items()]}
            for case, said in out.cases()
        ] + [{"id": name, "type": RESOURCE, "attributes": []} for name in out.resources.values()],
    }  # fmt: skip
    try:
        content = json.dumps(told, ensure_ascii=False, allow_nan=False, indent=1).encode()
    except ValueError as error:
        raise BadInput(f"is not JSON: {error}", file=str(path)) from None
    Path(path).write_bytes(content)


def _json(value: str | float) -> str:
    """Return the text that the schema of OCEL 2.0 wants for any value."""
    return value if isinstance(value, str) else repr(value)


class _Ocel:
    """A log as OCEL sees it; a resource that bears the name of a case gets an id of its own."""

    def __init__(self, log: Log) -> None:
        self.log = log
        cases = set(log.cases)
        self.resources: dict[str, str] = {}
        for name in log.resource.names:
            own = name
            while own in cases or own in self.resources.values():
                own = f"{RESOURCE} {own}"
            self.resources[name] = own
        self.of_case: Mapping[str, Column] = log.about
        self.of_event = {
            "lifecycle:transition": log.activity, INSTANCE: log.activity, "org:resource": log.resource,
            **log.attributes,
        }  # fmt: skip

    def declared(self, columns: Mapping[str, Column]) -> list[dict[str, str]]:
        """Return the attributes with their types."""
        return [{"name": n, "type": "string" if isinstance(c, Names) else "float"} for n, c in columns.items()]

    def cases(self) -> Iterator[tuple[str, Mapping[str, str | float]]]:
        """Yield each case with what is known of it."""
        yield from zip(self.log.cases, rows_of(self.log.about, len(self.log.cases)), strict=True)

    def events(self) -> Iterator[tuple[str, Event, dict[str, str | float], list[tuple[str, str]]]]:
        """Yield id, event, attributes and (qualifier, object) of each event."""
        own = set(_OWN) - {"lifecycle:transition"}
        taken = sorted(own & set(self.log.attributes))
        if taken:
            raise BadInput("an attribute has a name that the format uses itself: rename it", field=taken[0])
        for number, event in enumerate((one for one in self.log.events() if one.activity), 1):
            said = {**event.attributes, "lifecycle:transition": _transition(event)}
            things = [(CASE, event.case)]
            if event.resource:
                said["org:resource"] = event.resource
                things.append((RESOURCE, self.resources[event.resource]))
            yield f"e{number}", event, said, things


def write_ocel_sqlite(path: str | Path, log: Log) -> None:
    """Write a log as OCEL 2.0 SQLite, in place of what was there."""
    out, file = _Ocel(log), Path(path)
    file.unlink(missing_ok=True)
    tables = _tables(log.activity.names)
    with closing(sqlite3.connect(file)) as store, store:
        _create(store, "event", tables, dict.fromkeys(tables, out.of_event), file)
        _create(store, "object", {CASE: "case", RESOURCE: "resource"}, {CASE: out.of_case, RESOURCE: {}}, file)
        store.execute("CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT, ocel_qualifier TEXT)")
        store.execute("CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT, ocel_qualifier TEXT)")
        for case, said in out.cases():
            store.execute("INSERT INTO object VALUES (?, ?)", (case, CASE))
            _insert(store, "object_case", {"ocel_id": case, "ocel_time": _sql_time(0), **said})
        for name in out.resources.values():
            store.execute("INSERT INTO object VALUES (?, ?)", (name, RESOURCE))
            _insert(store, "object_resource", {"ocel_id": name, "ocel_time": _sql_time(0)})
        for name, event, said, things in out.events():
            store.execute("INSERT INTO event VALUES (?, ?)", (name, event.activity))
            table = f"event_{tables[event.activity]}"
            _insert(store, table, {"ocel_id": name, "ocel_time": _sql_time(event.at), **said})
            store.executemany(
                "INSERT INTO event_object VALUES (?, ?, ?)", [(name, thing, how) for how, thing in things]
            )


def _tables(kinds: Iterable[str]) -> dict[str, str]:
    """Return a table's name for each type: its letters and digits, and a number where two would share one."""
    tables: dict[str, str] = {}
    for kind in kinds:
        plain = re.sub(r"[^A-Za-z0-9]", "", kind) or "type"
        used = {name.lower() for name in tables.values()} | {"object", "map_type"}
        tables[kind] = next(
            name for n in range(len(tables) + 3) if (name := plain + (str(n) if n else "")).lower() not in used
        )
    return tables


def _create(
    store: sqlite3.Connection,
    what: str,
    tables: Mapping[str, str],
    columns: Mapping[str, Mapping[str, Column]],
    file: Path,
) -> None:
    store.execute(f"CREATE TABLE {what} (ocel_id TEXT PRIMARY KEY, ocel_type TEXT)")
    store.execute(f"CREATE TABLE {what}_map_type (ocel_type TEXT PRIMARY KEY, ocel_type_map TEXT)")
    for kind, table in tables.items():
        store.execute(f"INSERT INTO {what}_map_type VALUES (?, ?)", (kind, table))
        named = [f"{_quoted(n)} {'TEXT' if isinstance(c, Names) else 'REAL'}" for n, c in columns[kind].items()]
        lower = [name.lower() for name in columns[kind]]
        twice = [n for n in columns[kind] if lower.count(n.lower()) > 1 or n.lower().startswith("ocel_") or not n]
        if twice:
            problem = "cannot be a column of SQLite beside the others: rename it"
            raise BadInput(problem, file=str(file), field=twice[0])
        changed = ["ocel_changed_field TEXT"] if what == "object" else []
        every = ", ".join(["ocel_id TEXT", "ocel_time TIMESTAMP", *changed, *named])
        store.execute(f"CREATE TABLE {_quoted(f'{what}_{table}')} ({every})")


def _insert(store: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(map(_quoted, values))
    marks = ", ".join("?" * len(values))
    store.execute(f"INSERT INTO {_quoted(table)} ({names}) VALUES ({marks})", tuple(values.values()))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sql_time(at: Time) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")
