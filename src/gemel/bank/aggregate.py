"""Aggregates: how often, how high and how low a signal was read, bin by bin, straight from the facts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.thread import Said, Thread

MOST = 1_000_000
"""Bins that one aggregate may span."""


@dataclass(frozen=True)
class Bin:
    """The readings with `at <= true_at < at + every`: how many, their mean, least, greatest, and the last."""

    at: Time
    count: int
    mean: float
    min: float
    max: float
    last: float


@dataclass(frozen=True)
class Aggregate:
    """A signal in bins of `every` ms that begin at whole multiples of it since 1970 UTC; bins without reading are left out."""

    signal: str
    unit: str
    every: Time
    bins: tuple[Bin, ...]

    @property
    def count(self) -> int:
        """Return how many readings there are."""
        return sum(one.count for one in self.bins)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self) | {"bins": [asdict(one) for one in self.bins], "count": self.count}


class _Reading(msgspec.Struct, gc=False):
    name: str
    value: float
    key: str


class _Withdrawn(msgspec.Struct):
    key: str


def aggregate(
    thread: Thread,
    twin: str,
    signal: str,
    unit: str,
    every: Time,
    since: Time | None = None,
    until: Time | None = None,
    known_by: Time | None = None,
) -> Aggregate:
    """Return readings of one signal, `since <= true_at < until`, in bins, as known by some time.

    A reading that was taken back or superseded does not count; of two with one key, the first counts.
    """
    if every <= 0:
        raise BadInput(f"bins of {every} ms cannot be", field="every")
    at, values = _standing(thread, twin, signal, since, until, known_by)
    if len(at) and (at[-1] - at[0]) // every >= MOST:
        raise BadInput(f"more than {MOST} bins; make them longer", field="every")
    return Aggregate(signal, unit, every, _bins(at, values, every))


def _standing(
    thread: Thread, twin: str, signal: str, since: Time | None, until: Time | None, known_by: Time | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return when, in order, and what was read, as it stands."""
    withdrawn = {said.key for _, _, said in thread.bodies(_Withdrawn, twin, "retracted/1", known_by=known_by)}
    found = thread.bodies(_Reading, twin, "observed/1", true_from=since, true_until=until, known_by=known_by)
    standing = [entry for entry in found if entry[2].name == signal and entry[2].key not in withdrawn]
    if len({said.key for _, _, said in standing}) < len(standing):
        standing = _first(standing)
    times = np.fromiter([at for at, _, _ in standing], np.int64, len(standing))
    return times, np.fromiter([said.value for _, _, said in standing], np.float64, len(standing))


def _first(found: list[Said[_Reading]]) -> list[Said[_Reading]]:
    """Leave out what was said again under a key."""
    first = {said.key: seq for _, seq, said in sorted(found, key=lambda entry: -entry[1])}
    return [entry for entry in found if first[entry[2].key] == entry[1]]


def _bins(at: np.ndarray, values: np.ndarray, every: Time) -> tuple[Bin, ...]:
    if not len(at):
        return ()
    places = at // every
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    counts = np.diff(starts, append=len(at))
    columns = (
        places[starts] * every,
        counts,
        np.add.reduceat(values, starts) / counts,
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
        values[starts + counts - 1],
    )
    return tuple(Bin(*row) for row in zip(*(column.tolist() for column in columns), strict=True))
