"""Nightscout documents (API v1 and v3) as they are found in files: what they are, when, in which version.

Shapes: https://github.com/nightscout/cgm-remote-monitor, `lib/api3/swagger.yaml`; a file holds a bare list (v1), one
document, or `{"status": 200, "result": [...]}` (v3).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Literal

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.streams.clock import LocalClock, moment, plausible
from gemel.streams.contract import Place
from gemel.streams.reading import json_of, number
from gemel.streams.report import Report

Kind = Literal["entry", "treatment", "profile", "other"]

_TREATED = ("eventType", "insulin", "carbs", "absolute", "percent", "glucoseType")
_TIMES = ("date", "mills", "created_at", "timestamp", "dateString", "sysTime")


@dataclass(frozen=True)
class Document:
    """One record: its fields, its place (row n is the n-th record of the file), the source's own id."""

    fields: Mapping[str, Any]
    by: Place
    id: str | None
    valid: bool
    modified: float

    @property
    def kind(self) -> Kind:
        """Return what the record is, from the fields that it has: file names differ from site to site."""
        if "sgv" in self.fields or "mbg" in self.fields or self.fields.get("type") == "cal":
            return "entry"
        if "store" in self.fields:
            return "profile"
        return "treatment" if any(name in self.fields for name in _TREATED) else "other"

    @property
    def is_sensor(self) -> bool:
        """Return whether this is a value of a glucose sensor."""
        return "sgv" in self.fields

    @property
    def event(self) -> str:
        """Return the type of event, in words of the source."""
        return str(self.fields.get("eventType") or self.fields.get("type") or "")

    def number(self, name: str) -> float | None:
        """Return the number in field *name*, None where there is none."""
        return number(self.fields.get(name), self.by.at(name))


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the files meant by *paths*; of a folder, those with a Nightscout name, or else all JSON files."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.json")) if path.is_dir() else [path]
        named = [file for file in inside if file.name.lower().startswith(("entries", "treatments", "profile"))]
        found += named or inside
        if not inside:
            raise BadInput("no .json files in this folder", file=str(path))
    return found


def documents(path: Path) -> list[Document]:
    """Return the records of one file."""
    content = json_of(path)
    if isinstance(content, dict):
        content = content.get("result", [content])
    if not isinstance(content, list):
        raise BadInput("holds no list of Nightscout records", file=str(path))
    return [document_of(fields, Place(str(path), row)) for row, fields in enumerate(content, 1)]


def document_of(fields: object, by: Place) -> Document:
    """Return the record that *fields* are."""
    if not isinstance(fields, dict):
        raise by.bad(f"a Nightscout record is an object, not {type(fields).__name__}")
    valid = fields.get("isValid")
    if valid is not None and not isinstance(valid, bool):
        raise by.at("isValid").bad("is neither true nor false")
    modified = _stamp(fields.get("srvModified"), by.at("srvModified")) or 0.0
    return Document(fields, by, _id(fields, by), valid is not False, modified)


def _stamp(value: object, place: Place) -> float | None:
    """Return a server's time in ms; texts, as old servers write them, do not count."""
    return None if isinstance(value, (str, bool)) else number(value, place)


def _id(fields: Mapping[str, Any], by: Place) -> str | None:
    """Return `identifier` (v3), or else `_id` (v1; `{"$oid": …}` in a database dump)."""
    for name in ("identifier", "_id"):
        found = fields.get(name)
        if isinstance(found, dict):
            found = found.get("$oid")
        if found not in (None, ""):
            if not isinstance(found, str):
                raise by.at(name).bad("is not text")
            return found
    return None


def newest(found: Iterable[Document], report: Report) -> list[Document]:
    """Return each record once, in its latest version; those without an id are all kept."""
    kept: dict[object, Document] = {}
    for document in found:
        name = document.id if document.id is not None else (document.by.file, document.by.row)
        before = kept.setdefault(name, document)
        if before is not document:
            report.duplicates += 1
            kept[name] = max(before, document, key=_version)
    return list(kept.values())


def _version(document: Document) -> tuple[float, str]:
    return document.modified, json.dumps(document.fields, sort_keys=True)


def time_of(document: Document, zone: tzinfo | None) -> Time:
    """Return when the record's event was: milliseconds, or text with an offset, or with `utcOffset`, or in *zone*."""
    for name in _TIMES:
        value, place = document.fields.get(name), document.by.at(name)
        if value in (None, ""):
            continue
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdecimal():
            return moment(value, place, LocalClock(_offset(document) or zone))
        found = number(value, place)
        assert found is not None
        return plausible(found, place)
    raise document.by.bad(f"has no time: none of {', '.join(_TIMES)}")


def _offset(document: Document) -> tzinfo | None:
    minutes = document.number("utcOffset")
    if minutes is None:
        return None
    if abs(minutes) >= 24 * 60:
        raise document.by.at("utcOffset").bad(f"{minutes:g} min is no offset")
    return timezone(timedelta(minutes=minutes))


def created(document: Document) -> tuple[str, str]:
    """Return what orders copies of one event by when they were made: an ObjectId begins with its time."""
    made = _stamp(document.fields.get("srvCreated"), document.by.at("srvCreated"))
    return "~" if made is None else f"{made:020.0f}", document.id or "~"


def text(document: Document, name: str) -> str | None:
    """Return the text in field *name*, None where there is none."""
    found = document.fields.get(name)
    if found is None or isinstance(found, str):
        return found or None
    raise document.by.at(name).bad("is not text")
