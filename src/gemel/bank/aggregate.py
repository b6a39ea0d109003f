"""Aggregates: how often, how high and how low a signal was read, bin by bin, from facts, columns kept of them, or a replica."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from gemel.bank.columns import Readings, readings
from gemel.bank.replica import Replica
from gemel.bank.statistics import SUMMARISED, parts_in
from gemel.dynamics import Array
from gemel.errors import BadInput
from gemel.facts import Time
from gemel.thread import Thread

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

    A reading that was taken back or superseded does not count; of two with one key, the first counts. What stands for
    thinned readings counts as those did, in the bin in which it begins.
    """
    if every <= 0:
        raise BadInput(f"bins of {every} ms cannot be", field="every")
    withdrawn = {said.key for _, _, said in thread.bodies(_Withdrawn, twin, "retracted/1", known_by=known_by)}
    parts = _raw(readings(thread, twin, signal, since, until, known_by).standing(withdrawn))
    thinned = [
        (part.first_at, part.last_at, part.n, part.mean, part.low, part.high, part.last)
        for fact in thread.read(twin, kinds=[SUMMARISED], known_by=known_by) if fact.body["name"] == signal
        for part in parts_in(fact) if part.key not in withdrawn
        and (since is None or part.first_at >= since) and (until is None or part.first_at < until)
    ]  # fmt: skip
    if thinned:
        parts = np.hstack([parts, np.array(thinned, float).T])
        parts = parts[:, np.lexsort((parts[1], parts[0] // every))]
    return Aggregate(signal, unit, every, _bins(parts, every))


def of_replica(
    replica: Replica, signal: str, unit: str, every: Time, since: Time | None = None, until: Time | None = None
) -> Aggregate | None:
    """Return the same from a replica, or None where only the facts can tell: thinned readings, two at one moment."""
    if replica.thinned or every <= 0:
        return None
    at, values = replica.series(signal, since)
    count = len(at) if until is None else int(np.searchsorted(at, until))
    at, values = at[:count].astype(float), values[:count]
    if (np.diff(at) == 0).any():
        return None
    return Aggregate(signal, unit, every, _bins(np.stack([at, at, np.ones(count), *[values] * 4]), every))


def _raw(found: Readings) -> Array:
    """Return readings as columns of parts: first and last time, count, mean, least, greatest, last."""
    at = found.at.astype(float)
    return np.stack([at, at, np.ones(len(at)), *[found.values] * 4])


def _bins(parts: Array, every: Time) -> tuple[Bin, ...]:
    """Return the bins of parts that are in order."""
    if not parts.size:
        return ()
    first, _, count, mean, low, high, last = parts
    places = first // every
    if places[-1] - places[0] >= MOST:
        raise BadInput(f"more than {MOST} bins; make them longer", field="every")
    starts = np.flatnonzero(np.diff(places, prepend=places[0] - 1))
    counts = np.add.reduceat(count, starts)
    columns = (
        (places[starts] * every).astype(np.int64),
        counts.astype(np.int64),
        np.add.reduceat(count * mean, starts) / counts,
        np.minimum.reduceat(low, starts),
        np.maximum.reduceat(high, starts),
        last[np.append(starts[1:], len(first)) - 1],
    )
    return tuple(Bin(*row) for row in zip(*(column.tolist() for column in columns), strict=True))
