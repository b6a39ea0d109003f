"""Envelope: what CloudEvents 1.0 (structured JSON) carry, as events and readings travel by MQTT and HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NoReturn

from gemel.dynamics import Event
from gemel.facts import iso, time_of
from gemel.streams.contract import Place
from gemel.streams.happening import happened

TYPE = "gemel.happened.v1"
"""The type of envelopes that carry an event of a case."""

LARGEST = 65_536
"""Bytes in a payload; a reading has about a hundred, an event some hundreds."""

_NEEDED = ("specversion", "id", "source", "type")


def object_of(payload: bytes, by: Place) -> dict[str, Any]:
    """Return the JSON object in a payload; numbers that JSON does not know, as NaN, are refused."""
    if len(payload) > LARGEST:
        raise by.bad(f"{len(payload)} bytes are more than {LARGEST}")
    try:
        content = json.loads(payload.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise by.bad(f"is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise by.bad("is not a JSON object")
    return content


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def text_of(content: Mapping[str, Any], name: str, by: Place) -> str:
    """Return a member that must be there and be a text."""
    found = content.get(name)
    if not isinstance(found, str) or not found:
        raise by.at(name).bad("is missing, or not a text")
    return found


def unwrapped(content: dict[str, Any], by: Place) -> dict[str, Any]:
    """Return what an envelope carries, with its time (`at`) and identity (`id`); objects that are none as they are."""
    if "specversion" not in content:
        return content
    data = content.get("data")
    if not isinstance(data, dict):
        raise by.at("data").bad("is not a JSON object")
    return {**data, "at": content.get("time"), "id": f"{text_of(content, 'source', by)} {text_of(content, 'id', by)}"}


def event_of(payload: bytes, by: Place | None = None) -> Event:
    """Return the event in an envelope; raise `BadInput` that names the field if there is none.

    *by* says where it came from, such as the topic. The time is the envelope's.
    """
    place = by or Place("cloud event")
    content = object_of(payload, place)
    version, type_ = [text_of(content, name, place) for name in _NEEDED][::3]
    if (version, type_) != ("1.0", TYPE):
        raise place.at("type").bad(f"{type_[:60]!r} of version {version[:8]!r} is not {TYPE!r} of '1.0'")
    told = unwrapped(content, place)
    item = happened(told, time_of(text_of(content, "time", place)), told["id"], place)
    assert item.event is not None
    return item.event


def payload_of(event: Event, source: str, subject: str, id: str | None = None) -> bytes:
    """Return the envelope of an event: *source* sends it, *subject* is the twin; without an *id* it gets one from what it says.

    So the same event sent twice has the same id, and is stored once.
    """
    data = _said(event)
    own = id or sha256(json.dumps([source, event.at, data], sort_keys=True).encode()).hexdigest()[:32]
    return json.dumps({
        "specversion": "1.0", "id": own, "source": source, "type": TYPE, "subject": subject, "time": iso(event.at),
        "datacontenttype": "application/json", "data": data,
    }, allow_nan=False).encode()  # fmt: skip


def _said(event: Event) -> Mapping[str, Any]:
    said: dict[str, Any] = {"phase": event.phase}
    for name in ("case", "activity", "resource"):
        if getattr(event, name):
            said[name] = getattr(event, name)
    if event.attributes:
        said["attributes"] = dict(event.attributes)
    return said
