"""Calendars: who is there when, and how many come when, by local weekday and time; made concrete for a span of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gemel.errors import BadInput
from gemel.facts import Time

WEEK_HOURS = 168


@dataclass(frozen=True)
class Shift:
    """So many units on one weekday (0 Monday … 6 Sunday), `start <= minute of the day < end`, local time."""

    weekday: int
    start: int
    end: int
    count: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.weekday <= 6 and 0 <= self.start < self.end <= 1440 and self.count >= 0):
            raise BadInput(
                f"a shift on day {self.weekday}, minutes {self.start} to {self.end}, of {self.count} cannot be"
            )


@dataclass(frozen=True)
class Calendar:
    """Shifts in a time zone; overlapping ones add up; on `closed` local days (ISO dates) nobody is there."""

    shifts: tuple[Shift, ...]
    zone: str = "UTC"
    closed: tuple[str, ...] = ()

    @staticmethod
    def always(count: int) -> Calendar:
        """Return the calendar of units that are there day and night."""
        return Calendar(tuple(Shift(day, 0, 1440, count) for day in range(7)))

    def steps(self, since: Time, until: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return when the number of units changes (n,) ms, the first at *since*, and to how many (n,)."""
        changes: dict[Time, int] = {}
        for at, shift in self._days(since, until):
            start, end = (min(max(_moment(at, minute, self.zone), since), until) for minute in (shift.start, shift.end))
            if start < end:
                changes[start] = changes.get(start, 0) + shift.count
                changes[end] = changes.get(end, 0) - shift.count
        edges = np.array(sorted({since, *(edge for edge in changes if edge < until)}), np.int64)
        counts = np.cumsum([changes.get(int(edge), 0) for edge in edges])
        kept = np.diff(counts, prepend=-1) != 0
        return edges[kept], counts[kept].astype(np.int64)

    def _days(self, since: Time, until: Time) -> Iterator[tuple[date, Shift]]:
        for day in _local_days(since, until, self.zone):
            if day.isoformat() not in self.closed:
                yield from ((day, shift) for shift in self.shifts if shift.weekday == day.weekday())

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        shifts = [[shift.weekday, shift.start, shift.end, shift.count] for shift in self.shifts]
        return {"shifts": shifts, "zone": self.zone, "closed": list(self.closed)}

    @staticmethod
    def from_body(body: Any) -> Calendar:
        """Return the calendar that `body()` described."""
        return Calendar(tuple(Shift(*shift) for shift in body["shifts"]), body["zone"], tuple(body["closed"]))


@dataclass(frozen=True)
class Arrivals:
    """How many come per hour, by local hour of the week (168, Monday 00 first); between Poisson gaps, or with `cv`.

    The process is a renewal process of unit-mean gamma gaps (cv 1: Poisson) on the clock that the rates set.
    """

    per_hour: tuple[float, ...]
    zone: str = "UTC"
    closed: tuple[str, ...] = ()
    cv: float = 1.0

    def __post_init__(self) -> None:
        if len(self.per_hour) != WEEK_HOURS or min(self.per_hour) < 0:
            raise BadInput(
                f"arrivals have {WEEK_HOURS} rates, one per hour of the week, none below 0", field="per_hour"
            )

    @staticmethod
    def steady(per_hour: float) -> Arrivals:
        """Return arrivals at one rate day and night."""
        return Arrivals((per_hour,) * WEEK_HOURS)

    def steps(self, since: Time, until: Time) -> tuple[np.ndarray, np.ndarray]:
        """Return when the rate changes (n,) ms, the first at *since*, and to how many per hour (n,)."""
        edges = [since]
        for day in _local_days(since, until, self.zone):
            edges += [moment for hour in range(24) if since < (moment := _moment(day, 60 * hour, self.zone)) < until]
        found = np.array(sorted(set(edges)), np.int64)
        rates = np.array([self._rate(int(edge)) for edge in found], float)
        kept = np.diff(rates, prepend=-1.0) != 0
        return found[kept], rates[kept]

    def _rate(self, at: Time) -> float:
        local = datetime.fromtimestamp(at / 1000, ZoneInfo(self.zone))
        return 0.0 if local.date().isoformat() in self.closed else self.per_hour[24 * local.weekday() + local.hour]

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"per_hour": list(self.per_hour), "zone": self.zone, "closed": list(self.closed), "cv": self.cv}

    @staticmethod
    def from_body(body: Any) -> Arrivals:
        """Return the arrivals that `body()` described."""
        return Arrivals(tuple(body["per_hour"]), body["zone"], tuple(body["closed"]), body["cv"])


def _local_days(since: Time, until: Time, zone: str) -> Iterator[date]:
    day = datetime.fromtimestamp(since / 1000, ZoneInfo(zone)).date() - timedelta(days=1)
    last = datetime.fromtimestamp(until / 1000, ZoneInfo(zone)).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


@lru_cache(maxsize=65536)
def _moment(day: date, minute: int, zone: str) -> Time:
    """Return the moment of a local minute of a day; one that the clocks skip is the first after the gap."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)) + timedelta(minutes=minute)
    return round(local.astimezone(UTC).timestamp() * 1000)
