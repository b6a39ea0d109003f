"""Rows: when each activity of a log could begin, began and was over, and how long each case took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from gemel.facts import MINUTE
from gemel.packs.service.log import MISSING, Log

QUARTER = 15 * MINUTE


@dataclass(frozen=True)
class Unknown:
    """What could not be computed, and why."""

    why: str


@dataclass(frozen=True)
class Rows:
    """A log's rows in seconds since 1970 (n,), NaN where untold.

    `ready` is when the case was queued, if the log tells; else when the last thing before it was over, so nothing for a
    case's first row.
    """

    log: Log
    ready: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @cached_property
    def wait(self) -> np.ndarray:
        """Return how long the case waited for it (n,) s."""
        return np.asarray(np.maximum(self.start - self.ready, 0.0))

    @cached_property
    def work(self) -> np.ndarray:
        """Return how long it was worked on (n,) s."""
        return np.asarray(np.maximum(self.end - self.start, 0.0))

    @cached_property
    def moment(self) -> np.ndarray:
        """Return when it began, or where that is untold when it was over, or queued (n,) s."""
        return _first_told(self.start, self.end, self.ready)

    @cached_property
    def until(self) -> np.ndarray:
        """Return when it was over, or where that is untold when it began (n,) s."""
        return _first_told(self.end, self.start, self.ready)

    @cached_property
    def took(self) -> np.ndarray:
        """Return waiting and work together (n,) s."""
        return np.asarray(np.maximum(self.until - self.ready, 0.0))

    @cached_property
    def arrived(self) -> np.ndarray:
        """Return when each case came (cases,) s: the earliest time that is told of it."""
        came = np.full(len(self.log.cases), np.inf)
        np.minimum.at(came, self.log.case.codes, self.log.first / 1000.0)
        return came

    @cached_property
    def left(self) -> np.ndarray:
        """Return when each case was last heard of (cases,) s."""
        gone = np.full(len(self.log.cases), -np.inf)
        np.maximum.at(gone, self.log.case.codes, self.until)
        return gone

    @cached_property
    def visit(self) -> np.ndarray:
        """Return how long each case took, from first to last (cases,) s."""
        return np.asarray(self.left - self.arrived)

    @property
    def measure(self) -> tuple[str, np.ndarray]:
        """Return what can be said of waiting: the wait, or if the log only tells ends, wait and work together."""
        return ("wait", self.wait) if self.log.timed else ("wait and work together", self.took)


def rows_of(log: Log) -> Rows:
    """Return the rows of a log in seconds."""
    queued, start, end = (np.where(one == MISSING, np.nan, one / 1000.0) for one in (log.queued, log.start, log.end))
    moment, until = _first_told(start, end, queued), _first_told(end, start, queued)
    return Rows(log, np.where(np.isnan(queued), _before(log.case.codes, moment, until), queued), start, end)


def _first_told(*times: np.ndarray) -> np.ndarray:
    found = times[0]
    for other in times[1:]:
        found = np.where(np.isnan(found), other, found)
    return found


def _before(case: np.ndarray, moment: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Return for each row the latest end in its case that is not after its beginning (n,), NaN where there is none.

    Beginnings and ends stand in one line, by case and time; of the same moment, by row, and a row's beginning before its end.
    """
    count = len(case)
    row = np.tile(np.arange(count), 2)
    ends = np.arange(2 * count) >= count
    order = np.lexsort((ends, row, np.concatenate([moment, until]), np.tile(case, 2)))
    last = np.maximum.accumulate(np.where(ends[order], np.arange(2 * count), -1))
    from_row = row[order][last]
    told = (last >= 0) & (case[from_row] == np.tile(case, 2)[order])
    found = np.empty(2 * count)
    found[order] = np.where(told, until[from_row], np.nan)
    return found[:count]


def hour_of_week(at: np.ndarray, zone: str) -> np.ndarray:
    """Return the local hour of the week (n,), Monday 00 first, of moments in seconds since 1970; -1 for NaN."""
    told = np.isfinite(at)
    quarters, place = np.unique((at[told] * 1000 // QUARTER).astype(np.int64), return_inverse=True)
    where = ZoneInfo(zone)
    local = [datetime.fromtimestamp(quarter * QUARTER / 1000, where) for quarter in quarters.tolist()]
    hours = np.array([24 * one.weekday() + one.hour for one in local], np.int64)
    found = np.full(len(at), -1, np.int64)
    found[told] = hours[place]
    return found


def spoken(seconds: float | None) -> str:
    """Return a span of time for people: `4 min`, `3.2 h`, `2.1 days`."""
    if seconds is None or not np.isfinite(seconds):
        return "unknown"
    for name, size, digits in (("days", 86400, 1), ("h", 3600, 1), ("min", 60, 0 if seconds >= 600 else 1)):
        if abs(seconds) >= (2 if name == "days" else 1) * size:
            return f"{seconds / size:.{digits}f} {name}"
    return f"{seconds:.0f} s"
