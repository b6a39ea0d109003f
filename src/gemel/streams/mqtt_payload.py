"""The JSON that Gemel speaks over MQTT: {"name": "glucose", "value": 123, "unit": "mg/dL", "at": …, "id": "…"}."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from gemel.errors import BadInput
from gemel.streams.clock import LocalClock, moment, plausible
from gemel.streams.contract import Item, Place
from gemel.streams.happening import happened, tells
from gemel.streams.reading import number

LARGEST = 65_536
"""Bytes in a payload; a reading has about a hundred."""


def item_of(payload: bytes, topic: str) -> Item:
    """Return the item in a payload.

    `name` and `unit` are texts, `value` a number, `at` milliseconds since 1970 or ISO 8601 with an offset; `id` (text)
    names the record, `retracted` (true) takes it back. With a `phase` it is an event
    of a case (`happening`). All of it may stand in a CloudEvents envelope. Other members are ignored. The place of an item
    is its topic.
    """
    by = Place(topic)
    content = _unwrapped(_object(payload, by), by)
    at = content.get("at")
    when = moment(at, by.at("at"), LocalClock(None)) if isinstance(at, str) else _ms(at, by.at("at"))
    named = _text(content, "id", by) if content.get("id") is not None else None
    if tells(content):
        return happened(content, when, named, by)
    value = number(content.get("value"), by.at("value"))
    if value is None or isinstance(content.get("value"), str):
        raise by.at("value").bad("is missing, or not a number")
    retracted = content.get("retracted", False)
    if not isinstance(retracted, bool):
        raise by.at("retracted").bad("is neither true nor false")
    return Item(_text(content, "name", by), value, _text(content, "unit", by), when, named, by, retracted)


def _unwrapped(content: dict[str, Any], by: Place) -> dict[str, Any]:
    """Return what a CloudEvents envelope (structured mode, 1.0) carries, with its time and identity; others as they are."""
    if "specversion" not in content:
        return content
    data = content.get("data")
    if not isinstance(data, dict):
        raise by.at("data").bad("is not a JSON object")
    return {**data, "at": content.get("time"), "id": f"{_text(content, 'source', by)} {_text(content, 'id', by)}"}


def is_command(payload: bytes) -> bool:
    """Return whether a payload is one of our own, on its way to the asset under the same wildcard."""
    try:
        content = json.loads(payload) if len(payload) <= LARGEST else None
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "doses" in content and "name" not in content


def _object(payload: bytes, by: Place) -> dict[str, Any]:
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


def _ms(at: object, place: Place) -> int:
    found = number(at, place)
    if found is None:
        raise place.bad("is missing")
    return plausible(found, place)


def _text(content: dict[str, Any], name: str, by: Place) -> str:
    found = content.get(name)
    if not isinstance(found, str) or not found:
        raise by.at(name).bad("is missing, or not a text")
    return found


def payload_of(message: Any, key: str) -> bytes:
    """Return the payload that carries *message* under the idempotency *key*, its `id`."""
    if "id" in message and message["id"] != key:
        raise BadInput(f"the message's own id {message['id']!r} is not its key {key!r}", field="id")
    try:
        return json.dumps({**message, "id": key}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise BadInput(f"the message is not JSON: {error}") from None
