"""Events of a live service in CloudEvents 1.0 envelopes (structured JSON), as they travel by MQTT and HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gemel.dynamics import Event
from gemel.facts import iso, time_of
from gemel.streams import Place, happened

TYPE = "gemel.happened.v1"
MEDIA = "application/cloudevents+json"
LARGEST = 65_536
"""Bytes in a payload; an event has some hundreds."""
_NEEDED = ("specversion", "id", "source", "type")


def event_of(payload: bytes, by: Place | None = None) -> Event:
    """Return the event in an envelope; raise `BadInput` that names the field if there is none.

    *by* says where it came from, such as the topic. The time is the envelope's.
    """
    place = by or Place("cloud event")
    told = _object(payload, place)
    for name in _NEEDED:
        if not isinstance(told.get(name), str) or not told[name]:
            raise place.at(name).bad("is missing, or not a text")
    if told["specversion"] != "1.0" or told["type"] != TYPE:
        raise place.at("type").bad(
            f"{told['type'][:60]!r} of version {told['specversion'][:8]!r} is not {TYPE!r} of '1.0'"
        )
    data = told.get("data")
    if not isinstance(data, dict):
        raise place.at("data").bad("is not a JSON object")
    if not isinstance(told.get("time"), str):
        raise place.at("time").bad("is missing, or not a text")
    item = happened(data, time_of(told["time"]), told["id"], place)
    assert item.event is not None
    return item.event


def _object(payload: bytes, place: Place) -> dict[str, Any]:
    if len(payload) > LARGEST:
        raise place.bad(f"{len(payload)} bytes are more than {LARGEST}")
    try:
        told = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise place.bad(f"is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise place.bad("is not a JSON object")
    return told


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
