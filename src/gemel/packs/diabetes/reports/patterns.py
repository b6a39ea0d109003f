"""Lows and highs by time of day: how often, on how many days, in which part of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.reports import clock

PARTS = (("Night", 0, 6), ("Morning", 6, 12), ("Afternoon", 12, 18), ("Evening", 18, 24))
"""Parts of the person's day, in hours by the wall clock; a judgement."""

LASTS: Time = 15 * MINUTE
"""How long glucose must stay beyond a limit to be an episode, and back to end it (10.2337/dci19-0028)."""

LOW, HIGH = 70.0, 180.0
OFTEN_LOW, OFTEN_HIGH = 0.04, 0.25
"""Shares of a part of the day from which it is called a pattern: the targets of whole days, applied to parts; a judgement."""


@dataclass(frozen=True)
class Part:
    """One part of the day: days with readings in it, shares of readings below 70 and above 180, days with an episode of each."""

    name: str
    begins: int
    ends: int
    days: int
    below: float
    above: float
    days_low: int
    days_high: int

    @property
    def low(self) -> bool:
        """Return whether lows are a pattern here: more than the target, on two days at least."""
        return self.below > OFTEN_LOW and self.days_low >= 2

    @property
    def high(self) -> bool:
        """Return whether highs are a pattern here."""
        return self.above > OFTEN_HIGH and self.days_high >= 2


def episodes(at: np.ndarray, beyond: np.ndarray, step: Time) -> list[tuple[Time, Time]]:
    """Return when *beyond* (n,) held for 15 min at least; a shorter return does not end it, a gap of 30 min or 3 steps does."""
    gap = max(2 * LASTS, 3 * step)
    found: list[tuple[Time, Time]] = []
    for a, b in _runs(at, beyond, gap):
        start, end = int(at[a]), int(at[b - 1]) + step
        if found and start - found[-1][1] < LASTS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= LASTS]


def _runs(at: np.ndarray, beyond: np.ndarray, gap: Time) -> list[tuple[int, int]]:
    """Return stretches `[a, b)` of readings beyond, cut at gaps."""
    cut = np.append(np.diff(at) > gap, True)
    ends = np.flatnonzero(beyond & (cut | ~np.append(beyond[1:], False))) + 1
    starts = np.flatnonzero(beyond & np.concatenate(([True], cut[:-1] | ~beyond[:-1])))
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def parts(at: np.ndarray, glucose: np.ndarray, step: Time, zone: tzinfo) -> tuple[Part, ...]:
    """Return the parts of the day; an episode counts for the part and the day in which it begins."""
    whole = np.floor(glucose + 0.5)
    day, hour = clock.days(at, zone), clock.minutes(at, zone) / 60.0
    begun = {name: _begun(at, rows, step, zone) for name, rows in (("low", whole < LOW), ("high", whole > HIGH))}
    return tuple(_part(part, day, hour, whole, begun) for part in PARTS)


def _begun(at: np.ndarray, beyond: np.ndarray, step: Time, zone: tzinfo) -> tuple[np.ndarray, np.ndarray]:
    """Return on which day and at which hour each episode begins."""
    starts = np.array([start for start, _ in episodes(at, beyond, step)], np.int64)
    return clock.days(starts, zone), clock.minutes(starts, zone) / 60.0


def _part(
    part: tuple[str, int, int], day: np.ndarray, hour: np.ndarray, whole: np.ndarray,
    begun: dict[str, tuple[np.ndarray, np.ndarray]],
) -> Part:  # fmt: skip
    name, begins, ends = part
    rows = (hour >= begins) & (hour < ends)
    n = int(rows.sum())
    shares = [float((rows & beyond).sum()) / n if n else float("nan") for beyond in (whole < LOW, whole > HIGH)]
    on = [len(np.unique(days[(h >= begins) & (h < ends)])) for days, h in begun.values()]
    return Part(name, begins, ends, len(np.unique(day[rows])), shares[0], shares[1], on[0], on[1])
