"""Stations: how long customers wait and are served at each activity, when in the week, and by how busy a staff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from gemel.packs.service.assess.rows import Rows, hour_of_week
from gemel.process.calendar import WEEK_HOURS

HOUR_S = 3600.0


@dataclass(frozen=True)
class Spread:
    """How a number spreads: how many there are, their mean, percentiles and sum."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    total: float


def spread_of(values: np.ndarray) -> Spread | None:
    """Return the spread of the finite values, None if there is none."""
    told = values[np.isfinite(values)]
    if not len(told):
        return None
    low, high, top = np.percentile(told, (50, 90, 99))
    return Spread(len(told), float(told.mean()), float(low), float(high), float(top), float(told.sum()))


@dataclass(frozen=True)
class Station:
    """One activity, taken as a station of its own; all times in seconds.

    `measured` is the wait, or waiting and work together where the log only tells ends (`Rows.measure`); `took` is both
    together always; `week` the mean of what is measured by local hour of the week (168), None where nobody came, `came`
    how many came. `promise` is what customers were promised, `breaches` how many of the visits broke it. `closed` is the
    share of the waiting in hours in which the service rests, `peak` the share in the worst tenth of the hours.
    """

    name: str
    visits: int
    cases: int
    measured: Spread | None
    took: Spread | None
    work: Spread | None
    gave_up: int
    promise: float | None
    breaches: int | None
    closed: float | None
    peak: float | None
    week: tuple[float | None, ...]
    came: tuple[int, ...]


def stations_of(rows: Rows, promises: Mapping[str, float], zone: str) -> tuple[Station, ...]:
    """Return the stations, those first at which customers lose most time in all."""
    hours, rest = hour_of_week(rows.ready, zone), _at_rest(rows, zone)
    order = np.argsort(rows.log.activity.codes, kind="stable")
    edges = np.searchsorted(rows.log.activity.codes[order], np.arange(len(rows.log.activity.names) + 1))
    found = [
        _station(rows, name, order[first:last], promises.get(name), hours, rest)
        for name, first, last in zip(rows.log.activity.names, edges[:-1], edges[1:], strict=True)
        if last > first
    ]
    return tuple(sorted(found, key=lambda one: -(one.measured.total if one.measured else 0.0)))


def _station(
    rows: Rows, name: str, mine: np.ndarray, promise: float | None, hours: np.ndarray, rest: np.ndarray
) -> Station:
    values = rows.measure[1][mine]
    week, came = _week(hours[mine], values)
    whole = float(np.nansum(values))
    return Station(
        name,
        len(mine),
        len(np.unique(rows.log.case.codes[mine])),
        spread_of(values),
        spread_of(rows.took[mine]),
        spread_of(rows.work[mine]),
        int(rows.log.abandoned[mine].sum()),
        promise,
        None if promise is None else int((values > promise).sum()),
        float(np.nansum(rest[mine])) / whole if whole > 0 else None,
        _peak(hours[mine], values),
        week,
        came,
    )


def _week(hours: np.ndarray, values: np.ndarray) -> tuple[tuple[float | None, ...], tuple[int, ...]]:
    """Return the mean (168) and the count (168) by hour of the week."""
    told = np.isfinite(values) & (hours >= 0)
    came = np.bincount(hours[told], minlength=WEEK_HOURS).tolist()
    lost = np.bincount(hours[told], weights=values[told], minlength=WEEK_HOURS).tolist()
    return tuple(one / n if n else None for one, n in zip(lost, came, strict=True)), tuple(came)


def _peak(hours: np.ndarray, values: np.ndarray) -> float | None:
    """Return which share of the time is lost by those who came in the worst tenth of the hours that anyone came in."""
    told = np.isfinite(values) & (hours >= 0)
    lost = np.bincount(hours[told], weights=values[told], minlength=WEEK_HOURS)
    used = int((np.bincount(hours[told], minlength=WEEK_HOURS) > 0).sum())
    worst = np.sort(lost)[::-1][: max(1, round(used / 10))]
    return float(worst.sum() / lost.sum()) if lost.sum() > 0 else None


def _at_rest(rows: Rows, zone: str) -> np.ndarray:
    """Return how much of each wait (n,) s fell in hours of the week in which the service did nearly nothing."""
    first, last = rows.arrived.min() // HOUR_S, rows.left.max() // HOUR_S + 1
    grid = np.arange(first, last + 1) * HOUR_S
    resting = ~_busy_hours(rows, zone)[hour_of_week(grid[:-1], zone)]
    passed = np.concatenate([[0.0], np.cumsum(resting * HOUR_S)])
    through = np.where(np.isnan(rows.start), rows.until, rows.start)
    return np.asarray(np.interp(through, grid, passed) - np.interp(rows.ready, grid, passed))


def _busy_hours(rows: Rows, zone: str) -> np.ndarray:
    """Return which hours of the week (168,) bool see at least a twentieth of the usual number of beginnings and ends."""
    moments = np.concatenate([rows.start, rows.end])
    hours = hour_of_week(moments[np.isfinite(moments)], zone)
    counts = np.bincount(hours, minlength=WEEK_HOURS)
    return np.asarray(counts >= max(1.0, 0.05 * counts.mean()))


@dataclass(frozen=True)
class Worker:
    """One resource: what it did, on how many days, hours at work (overlaps counted once), share of its days at work."""

    name: str
    activities: int
    kinds: int
    days: int
    hours: float | None
    busy: float | None


def workers_of(rows: Rows, zone: str) -> tuple[Worker, ...]:
    """Return the resources, those first that did most."""
    codes = rows.log.resource.codes
    order = np.lexsort((rows.moment, codes))
    edges = np.searchsorted(codes[order], np.arange(len(rows.log.resource.names) + 1))
    found = [
        _worker(rows, name, order[first:last], zone)
        for name, first, last in zip(rows.log.resource.names, edges[:-1], edges[1:], strict=True)
        if last > first
    ]
    return tuple(sorted(found, key=lambda one: (-(one.hours or 0.0), -one.activities)))


def _worker(rows: Rows, name: str, mine: np.ndarray, zone: str) -> Worker:
    start, end = rows.start[mine], rows.end[mine]
    days = np.unique((rows.moment[mine] + _offset(rows, zone)) // 86400)
    kinds = len(np.unique(rows.log.activity.codes[mine]))
    if not np.isfinite(start).all() or not np.isfinite(end).all() or not (end > start).any():
        return Worker(name, len(mine), kinds, len(days), None, None)
    hours, there = _covered(start, end) / HOUR_S, _there(start, end, _offset(rows, zone)) / HOUR_S
    return Worker(name, len(mine), kinds, len(days), hours, hours / there if there > 0 else None)


def _offset(rows: Rows, zone: str) -> float:
    """Return how far local time is ahead of UTC (s) when the log begins: enough to tell days apart."""
    ahead = datetime.fromtimestamp(float(rows.arrived.min()), ZoneInfo(zone)).utcoffset()
    return 0.0 if ahead is None else ahead.total_seconds()


def _covered(start: np.ndarray, end: np.ndarray) -> float:
    """Return how long (s) at least one of some spans, ordered by start, goes on."""
    reached = np.concatenate([[-np.inf], np.maximum.accumulate(end)[:-1]])
    return float(np.maximum(end - np.maximum(start, reached), 0.0).sum())


def _there(start: np.ndarray, end: np.ndarray, offset: float) -> float:
    """Return how long (s) from the first beginning to the last end of each local day, all days together."""
    day = (start + offset) // 86400
    edges = np.flatnonzero(np.diff(day, prepend=np.nan) != 0)
    return _covered(np.minimum.reduceat(start, edges), np.maximum.reduceat(end, edges))
