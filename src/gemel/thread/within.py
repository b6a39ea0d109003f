"""Checks of what readers and writers pass in."""

from __future__ import annotations

from gemel.errors import BadInput
from gemel.facts import Time


def bounded(when: Time, what: str) -> Time:
    """Return a time that can be stored."""
    if type(when) is not int or not -(1 << 63) <= when < 1 << 63:
        raise BadInput(f"{what} {when!r} is not a time in ms", field=what)
    return when


def within(limit: int | None) -> int | None:
    """Return a limit that is not negative."""
    if limit is not None and limit < 0:
        raise BadInput(f"limit {limit} is negative", field="limit")
    return limit
