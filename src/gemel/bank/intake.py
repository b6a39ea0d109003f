"""From what a stream says to facts that may be stored."""

from __future__ import annotations

from collections.abc import Iterable

from gemel.facts import Draft
from gemel.streams import Item, key_of, withdraws
from gemel.twintype import TwinType


def drafts(items: Iterable[Item], twin_type: TwinType, twin: str, by: str) -> list[Draft]:
    """Return one draft per item (already in the type's own units): observed, acted, or retracted."""
    return [_draft(item, twin_type, twin, by) for item in items]


def _draft(item: Item, twin_type: TwinType, twin: str, by: str) -> Draft:
    if item.retracted:
        return Draft(twin, "retracted/1", {"key": withdraws(item), "name": item.name}, item.at, by, key=key_of(item))
    kind = "acted/1" if item.name in twin_type.levers else "observed/1"
    key = key_of(item)
    body = {"name": item.name, "value": item.value, "unit": item.unit, "source": item.by.file, "key": key}
    return Draft(twin, kind, body, item.at, by, key=key)
