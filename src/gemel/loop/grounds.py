"""Grounds: the facts that a forecast rests on most."""

from __future__ import annotations

from bisect import bisect_left

from gemel.bank import Replica
from gemel.facts import Time

READINGS, DOSES, EVENTS, WITHIN = 6, 4, 8, 60


def grounds(replica: Replica, signal: str, now: Time) -> tuple[int, ...]:
    """Return the seqs of the last readings of *signal*, doses and events at or before *now*."""
    readings = replica.readings[: bisect_left(replica.readings, (now + 1,))][-WITHIN:]
    doses = replica.doses[: bisect_left(replica.doses, (now + 1,))][-DOSES:]
    events = replica.events[: bisect_left(replica.events, (now + 1,))][-EVENTS:]
    entries = [entry for entry in readings if entry[1] == signal][-READINGS:] + doses
    keys = [*(entry[3] for entry in entries), *(entry[-1] for entry in events)]
    return tuple(sorted(replica.sources[key] for key in keys))
