"""The person's clock: when it was by the wall, and on which day, daylight saving included."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np

from gemel.facts import DAY, MINUTE, Time

QUARTER: Time = 15 * MINUTE
"""Offsets from UTC change on quarters of an hour, everywhere and as long as there are sensors."""


def wall(at: np.ndarray, zone: tzinfo) -> np.ndarray:
    """Return times (n,) ms UTC as ms on the wall clock of *zone*: an hour may come twice there, or not at all."""
    quarters, back = np.unique(np.asarray(at, np.int64) // QUARTER, return_inverse=True)
    offsets = np.array([_offset(int(quarter) * QUARTER, zone) for quarter in quarters], np.int64)
    return np.asarray(at, np.int64) + offsets[back]


def _offset(at: Time, zone: tzinfo) -> Time:
    shift = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    return round((shift or timedelta()).total_seconds() * 1000)


def days(at: np.ndarray, zone: tzinfo) -> np.ndarray:
    """Return the number of the local day of each time, days since 1970."""
    return wall(at, zone) // DAY


def minutes(at: np.ndarray, zone: tzinfo) -> np.ndarray:
    """Return the minute of the local day of each time, [0, 1440)."""
    return (wall(at, zone) % DAY) / MINUTE


def date_of(day: int) -> date:
    """Return the date of a day's number."""
    return date(1970, 1, 1) + timedelta(days=day)


def midnight(day: int, zone: tzinfo) -> Time:
    """Return when a local day begins, ms UTC."""
    return round(datetime.combine(date_of(day), time(), zone).timestamp() * 1000)
