"""Reading what JSON and XML files of many makers have in common: members, numbers with units, moments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta, timezone, tzinfo
from typing import Any

from gemel.facts import Time
from gemel.streams.clock import LocalClock, moment
from gemel.streams.contract import Place
from gemel.streams.reading import number


def member(value: Any, *path: str) -> Any:
    """Return what lies under *path* in a JSON object, None where something on the way is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def positive(value: Any, place: Place) -> float | None:
    """Return a number that is not below zero, None where there is none."""
    found = number(value, place)
    if found is not None and found < 0:
        raise place.bad(f"{found:g} is negative")
    return found


def when(value: Any, place: Place, zone: tzinfo | None, offset_min: Any = None) -> Time:
    """Return the moment of an ISO 8601 text; a naive one is at *offset_min* from UTC, or else in *zone*."""
    if not isinstance(value, str):
        raise place.bad("is no text with a date and time")
    minutes = number(offset_min, place)
    if minutes is not None and abs(minutes) < 24 * 60:
        zone = timezone(timedelta(minutes=minutes))
    return moment(value, place, LocalClock(zone))


def text(value: Any) -> str:
    """Return a text as it is, "" for anything else."""
    return value if isinstance(value, str) else ""
