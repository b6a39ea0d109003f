"""Grounds: the facts that a forecast rests on most."""

from __future__ import annotations

from bisect import bisect_left

from gemel.bank import Replica
from gemel.facts import Time

READINGS, DOSES, WITHIN = 6, 4, 60


def grounds(replica: Replica, signal: str, now: Time) -> tuple[int, ...]:
    """Return the seqs of the last readings of *signal* and the last doses at or before *now*."""
    readings = replica.readings[: bisect_left(replica.readings, (now + 1,))][-WITHIN:]
    doses = replica.doses[: bisect_left(replica.doses, (now + 1,))][-DOSES:]
    entries = [entry for entry in readings if entry[1] == signal][-READINGS:] + doses
    return tuple(sorted(replica.sources[entry[3]] for entry in entries))
