"""The fact: one immutable sentence about a twin, with the time it was true and the time it was known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gemel.errors import BadInput

Time = int
"""Milliseconds since 1970-01-01T00:00Z."""

Body = Mapping[str, Any]
"""What a fact says: JSON types only (str, int, float, bool, None, list, dict)."""

SECOND: Time = 1_000
MINUTE: Time = 60 * SECOND
HOUR: Time = 60 * MINUTE
DAY: Time = 24 * HOUR


HOUSE = "@house"
"""The subject of facts about a bank itself: its tokens, policies, budgets, exchanges. No twin's name begins with @."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact not yet stored; `key` makes it idempotent: a twin holds each key once."""

    twin: str
    kind: str
    body: Body
    true_at: Time
    by: str
    cause: tuple[int, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A stored fact; `seq` is its place in the store, `cause` the seqs it follows from."""

    twin: str
    kind: str
    body: Body = field(hash=False)
    true_at: Time
    known_at: Time
    by: str
    cause: tuple[int, ...]
    seq: int


def time_of(when: Time | float | str | datetime, *, what: str = "time") -> Time:
    """Return *when* (ms, ISO 8601 text with an offset, or an aware datetime) as `Time`."""
    if isinstance(when, bool):
        raise BadInput(f"{what} {when!r} is not a time")
    if isinstance(when, (int, float)):
        return int(when)
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            raise BadInput(f"{what} {when!r} is not ISO 8601, such as 2026-11-20T08:00:00+01:00") from None
    if when.tzinfo is None:
        raise BadInput(f"{what} {when.isoformat()!r} has no time zone; add an offset or Z")
    return round(when.timestamp() * 1000)


def iso(when: Time) -> str:
    """Return *when* as ISO 8601 in UTC."""
    text = datetime.fromtimestamp(when / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")
