"""A clock that was wrong: what one name tells of happened so much earlier or later than the record says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gemel.errors import BadInput, unknown
from gemel.facts import DAY, HOUR, Time, iso
from gemel.streams.contract import Item
from gemel.units import duration

FURTHEST: Time = DAY


def shifts(told: Sequence[str], names: Iterable[str]) -> dict[str, Time]:
    """Return ms to add to times by name, of texts such as "carbs=-4 h"; raise `BadInput` for what cannot be."""
    known, found = sorted(names), {}
    for text in told:
        name, _, length = (part.strip() for part in text.partition("="))
        if name not in known:
            raise unknown("signal or lever", name, known)
        found[name] = duration(length)
        if abs(found[name]) > FURTHEST:
            raise BadInput(f"{text!r} moves times by more than a day; clocks differ by hours", field="shift")
    return found


def shifted(items: Sequence[Item], by: Mapping[str, Time], now: Time, *, instead: bool = False) -> tuple[Item, ...]:
    """Return *items* in order of time with those named moved *by* so many ms; raise `BadInput` where that is after *now*.

    With *instead*, what was imported as it stood is taken back beside each, for a record that is there already.
    """
    moved = [_moved(item, by[item.name]) if by.get(item.name) else item for item in items]
    late = next((item for item in moved if by.get(item.name) and item.at > now), None)
    if late is not None:
        raise late.by.bad(f"shifted, {late.name} would be at {iso(late.at)}, which is still to come")
    gone = [replace(item, retracted=True) for item in items if by.get(item.name)] if instead else []
    return tuple(sorted([*gone, *moved], key=lambda item: item.at))


def _moved(item: Item, by: Time) -> Item:
    """Return the item at its new time, under a name of its own."""
    named = None if item.source_id is None else f"{item.source_id}|{by / HOUR:+g} h"
    return replace(item, at=item.at + by, source_id=named)
