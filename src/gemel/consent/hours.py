"""Hours: a window that comes again every day or on some days of the week, in a time zone of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from gemel.errors import BadInput
from gemel.facts import Time

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

FORM = "such as '08:00-15:00 Europe/Paris Mon-Fri'"

_PATTERN = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d) (\S+)(?: (\S+))?")


@dataclass(frozen=True)
class Hours:
    """From `start` until before `end` on `days` (0 is Monday) in `zone`; a window past midnight belongs to its first day."""

    start: time
    end: time
    zone: str
    days: frozenset[int]

    def open(self, at: Time) -> bool:
        """Return whether the window is open at a moment."""
        local = _local(at, self.zone)
        now, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        yesterday = (today - 1) % 7
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)

    def turns(self, after: Time) -> Time:
        """Return the next moment after *after* at which the window may open or close."""
        local = _local(after, self.zone)
        edges = [
            local.replace(hour=edge.hour, minute=edge.minute, second=0, microsecond=0) + timedelta(days=day)
            for day in range(9) for edge in (self.start, self.end)
        ]  # fmt: skip
        moments = sorted(round(edge.astimezone(UTC).timestamp() * 1000) for edge in edges)
        return next(moment for moment in moments if moment > after)


@cache
def hours(text: str) -> Hours:
    """Return what *text* means: `HH:MM-HH:MM Zone [Mon-Fri | Mon,Wed]`, every day without days."""
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{text!r} is no window of hours, {FORM}", field="hours")
    try:
        start, end = time.fromisoformat(found[1]), time.fromisoformat(found[2])
        ZoneInfo(found[3])
    except (ValueError, KeyError, OSError):
        raise BadInput(f"{text!r} has a time or a time zone that does not exist, {FORM}", field="hours") from None
    if start == end:
        raise BadInput(f"{text!r} begins when it ends, {FORM}", field="hours")
    return Hours(start, end, found[3], _days(found[4] or "Mon-Sun", text))


def _days(text: str, whole: str) -> frozenset[int]:
    try:
        spans = [[DAYS.index(day) for day in part.split("-")] for part in text.split(",")]
    except ValueError:
        raise BadInput(f"{whole!r} names a day that is none of {', '.join(DAYS)}, {FORM}", field="hours") from None
    if any(len(span) > 2 for span in spans):
        raise BadInput(f"{whole!r} has days that cannot be read, {FORM}", field="hours")
    return frozenset((span[0] + i) % 7 for span in spans for i in range((span[-1] - span[0]) % 7 + 1))


def _local(at: Time, zone: str) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
