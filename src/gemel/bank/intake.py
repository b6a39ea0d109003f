"""From what a stream says to facts that may be stored."""

from __future__ import annotations

from collections.abc import Iterable

from gemel.dynamics import Event
from gemel.facts import Draft, Fact
from gemel.streams import Item, key_of, withdraws
from gemel.twintype import TwinType

HAPPENED = "happened/1"
"""Something happened to a case of a service."""


def drafts(items: Iterable[Item], twin_type: TwinType, twin: str, by: str) -> list[Draft]:
    """Return one draft per item (already in the type's own units): observed, acted, happened, or retracted."""
    return [_draft(item, twin_type, twin, by) for item in items]


def _draft(item: Item, twin_type: TwinType, twin: str, by: str) -> Draft:
    if item.retracted:
        own = {} if item.event is None else {"case": item.event.case}
        said = {"key": withdraws(item), "name": item.name, **own}
        return Draft(twin, "retracted/1", said, item.at, by, key=key_of(item))
    if item.event is not None:
        return _happened(item, twin, by)
    kind = "acted/1" if item.name in twin_type.levers else "observed/1"
    key = key_of(item)
    body = {"name": item.name, "value": item.value, "unit": item.unit, "source": item.by.file, "key": key}
    return Draft(twin, kind, body, item.at, by, key=key)


def _happened(item: Item, twin: str, by: str) -> Draft:
    event, key = item.event, key_of(item)
    assert event is not None
    body = {
        "name": item.name, "case": event.case, "phase": event.phase, "activity": event.activity,
        "resource": event.resource, "attributes": dict(event.attributes), "source": item.by.file, "key": key,
    }  # fmt: skip
    return Draft(twin, HAPPENED, body, item.at, by, key=key)


def event_of(fact: Fact) -> Event:
    """Return what a fact `happened/1` tells."""
    body = fact.body
    return Event(body["case"], body["phase"], fact.true_at, body["activity"], body["resource"], body["attributes"])
