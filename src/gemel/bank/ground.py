"""What a belief was folded from, as one number; which beliefs to hold on to; which to keep on disk, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

from gemel.facts import HOUR, Time

SIZE = 1 << 128
DENSE = 24
"""How many of the latest beliefs are held one by one; of older ones ever fewer: four in each doubling of their age."""

MOST = 96
"""How many beliefs of one twin are held before they are thinned."""

SLOTS = 16
"""How many snapshots of one twin are kept beside the latest."""


class Dated(Protocol):
    """Whatever has a time."""

    @property
    def at(self) -> Time:
        """Return when."""
        ...


D = TypeVar("D", bound=Dated)


def weight(entries: Iterable[tuple[Time | str | float, ...]]) -> int:
    """Return a sum that is the same for the same entries in any order, and for no others (128-bit BLAKE2b)."""
    return sum(int.from_bytes(blake2b(repr(entry).encode(), digest_size=16).digest()) for entry in entries) % SIZE


def grain(age: Time) -> Time:
    """Return how far apart beliefs of that age are held: an hour, then a quarter of their age or less."""
    return HOUR << max(0, (age // (4 * HOUR)).bit_length() - 1)


def thinned(points: Sequence[D]) -> list[D]:
    """Return the latest `DENSE` of *points* and, before them, the first in each bucket, which widen with age."""
    kept, last = list[D](), (0, -1)
    for point in points[:-DENSE]:
        width = grain(points[-1].at - point.at)
        bucket = (width, point.at // width)
        if bucket != last:
            kept.append(point)
        last = bucket
    return [*kept, *points[-DENSE:]]


def slot(at: Time) -> int:
    """Return where the snapshot of that hour is kept: hour by hour the slots fill so that each is twice as old.

    It is the number of times that 2 divides the hour: of the last 2^k hours, one at least is in slot k or higher.
    """
    hour = max(at // HOUR, 1)
    return min((hour & -hour).bit_length() - 1, SLOTS - 1)
