"""Week: local hours of the week of moments, and which of them are open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import DAY, MINUTE, Time
from gemel.process.calendar import WEEK_HOURS, Arrivals

QUIET, FEWEST, SURE = 0.05, 2, 12.0
"""Share of the busiest hour below which an hour is closed; count below which it is; expected count that makes a 0 tell."""

SHORT = 8 * DAY


@dataclass(frozen=True)
class Week:
    """The local hours of a span: when each begins (n,) ms and which of the week's 168 it is (n,)."""

    edges: np.ndarray
    hour: np.ndarray
    until: Time
    zone: str

    @staticmethod
    def of(since: Time, until: Time, zone: str) -> Week:
        """Return the local hours that touch a span."""
        edges, marks = Arrivals(tuple(float(i) for i in range(WEEK_HOURS)), zone).steps(since, until)
        return Week(edges, marks.astype(np.int64), until, zone)

    def place(self, at: np.ndarray) -> np.ndarray:
        """Return in which of the span's hours moments are (m,)."""
        return np.clip(np.searchsorted(self.edges, at, "right") - 1, 0, len(self.edges) - 1)

    def of_week(self, at: np.ndarray) -> np.ndarray:
        """Return the hour of the week of moments (m,)."""
        found: np.ndarray = self.hour[self.place(at)]
        return found

    def minute(self, at: np.ndarray) -> np.ndarray:
        """Return the minute of the local hour of moments (m,)."""
        place = self.place(at)
        found: np.ndarray = (at - self.edges[place]) // MINUTE + np.where(place == 0, self._first_minute, 0)
        return found

    @property
    def _first_minute(self) -> int:
        return 60 - int((self.edges[1] - self.edges[0]) // MINUTE) if len(self.edges) > 1 else 0

    @property
    def short(self) -> bool:
        """Return whether the span is too short to tell one weekday from another: then all are taken as alike."""
        return int(self.until - self.edges[0]) < SHORT

    def lasted(self) -> np.ndarray:
        """Return how many hours the span has of each hour of the week (168,)."""
        return self.tally(self.hour, np.diff(self.edges, append=self.until) / 3.6e6)

    def counts(self, at: np.ndarray) -> np.ndarray:
        """Return how many moments fall in each hour of the week (168,)."""
        return self.tally(self.of_week(at), np.ones(len(at)))

    def tally(self, hour: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the sum of weights by hour of the week (168,); of all days together in a short span."""
        found = np.bincount(hour, weights, minlength=WEEK_HOURS)
        return np.tile(found.reshape(7, 24).sum(0), 7) if self.short else found


def open_hours(counts: np.ndarray) -> np.ndarray:
    """Return which hours of the week (168,) bool are open, given counts (168,) of what is done in them.

    Days and hours of the day decide together, so that an hour that chance left empty is open when its neighbours are; an
    hour that should have seen many and saw none is closed.
    """
    table = counts.reshape(7, 24).astype(float)
    found = np.zeros((7, 24), bool)
    for days in _alike(table):
        hours = table[days].sum(0)
        open_ = (hours >= np.maximum(FEWEST, QUIET * _busy(hours))) & (hours > 0)
        expected = np.outer(table[days].sum(1), hours) / max(hours.sum(), 1.0)
        found[days] = open_[None, :] & ~((expected >= SURE) & (table[days] == 0))
    return found.reshape(-1)


def _busy(hours: np.ndarray) -> float:
    positive = hours[hours > 0]
    return float(np.quantile(positive, 0.9)) if len(positive) else 0.0


def _alike(table: np.ndarray) -> list[list[int]]:
    """Return the days that are open, in groups with about the same amount: working days and, apart, weekends."""
    totals = table.sum(1)
    open_ = [day for day in range(7) if totals[day] >= max(FEWEST, QUIET * _busy(totals))]
    typical = float(np.median(totals[open_])) if open_ else 0.0
    busy = [day for day in open_ if totals[day] >= 0.6 * typical - 2 * np.sqrt(typical)]
    return [days for days in (busy, [day for day in open_ if day not in busy]) if days]
