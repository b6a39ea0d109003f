"""The JSON that Gemel speaks over MQTT: {"name": "glucose", "value": 123, "unit": "mg/dL", "at": …, "id": "…"}."""

from __future__ import annotations

import json
from typing import Any

from gemel.errors import BadInput
from gemel.streams.clock import LocalClock, moment, plausible
from gemel.streams.contract import Item, Place
from gemel.streams.envelope import LARGEST, object_of, text_of, unwrapped
from gemel.streams.happening import happened, tells
from gemel.streams.reading import number


def item_of(payload: bytes, topic: str) -> Item:
    """Return the item in a payload.

    `name` and `unit` are texts, `value` a number, `at` milliseconds since 1970 or ISO 8601 with an offset; `id` (text)
    names the record, `retracted` (true) takes it back. With a `phase` it is an event
    of a case (`happening`). All of it may stand in a CloudEvents `envelope`. Other members are ignored. The place of an item
    is its topic.
    """
    by = Place(topic)
    content = unwrapped(object_of(payload, by), by)
    at = content.get("at")
    when = moment(at, by.at("at"), LocalClock(None)) if isinstance(at, str) else _ms(at, by.at("at"))
    named = text_of(content, "id", by) if content.get("id") is not None else None
    if tells(content):
        return happened(content, when, named, by)
    value = number(content.get("value"), by.at("value"))
    if value is None or isinstance(content.get("value"), str):
        raise by.at("value").bad("is missing, or not a number")
    retracted = content.get("retracted", False)
    if not isinstance(retracted, bool):
        raise by.at("retracted").bad("is neither true nor false")
    return Item(text_of(content, "name", by), value, text_of(content, "unit", by), when, named, by, retracted)


def is_command(payload: bytes) -> bool:
    """Return whether a payload is one of our own, on its way to the asset under the same wildcard."""
    try:
        content = json.loads(payload) if len(payload) <= LARGEST else None
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "doses" in content and "name" not in content


def _ms(at: object, place: Place) -> int:
    found = number(at, place)
    if found is None:
        raise place.bad("is missing")
    return plausible(found, place)


def payload_of(message: Any, key: str) -> bytes:
    """Return the payload that carries *message* under the idempotency *key*, its `id`."""
    if "id" in message and message["id"] != key:
        raise BadInput(f"the message's own id {message['id']!r} is not its key {key!r}", field="id")
    try:
        return json.dumps({**message, "id": key}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"the message is not JSON: {error}") from None
