"""What was given over a while, told as small amounts: a square or dual wave bolus, an extended bolus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

from gemel.facts import DAY, MINUTE, Time
from gemel.streams.contract import Item

EVERY: Time = 5 * MINUTE
"""How far apart the small amounts are: pumps give an extended bolus in steps of some minutes."""


def spread(item: Item, length: Time) -> Iterator[Item]:
    """Yield *item* as equal amounts every 5 min over *length* ms from its time on; raise for more than a day."""
    if not 0 <= length <= DAY:
        raise item.by.bad(f"{length / MINUTE:g} min is no time over which a bolus is given: 0 to {DAY / MINUTE:g}")
    parts = max(1, ceil(length / EVERY))
    named = item.source_id or f"extended:{item.at}:{item.value:g}:{length}"  # never taken for a bolus of its own
    for part in range(parts):
        at = item.at + part * length // parts
        yield replace(item, value=item.value / parts, at=at, source_id=f"{named}+{part}")
