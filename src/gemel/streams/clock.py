"""Wall clocks: from local time to `Time`, with the hour that is skipped and the hour that comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gemel.errors import BadInput
from gemel.facts import SECOND, Time
from gemel.streams.contract import Place

EARLIEST: Time = 100_000_000_000
"""1973: what is less is more likely seconds than milliseconds."""

LATEST: Time = 7_258_118_400_000
"""2200: what is more is no time of a reading."""


def zone(name: str, place: Place | None = None) -> ZoneInfo:
    """Return the IANA time zone; `ETC/GMT+3`, as Loop writes it, is understood."""
    tidy = "Etc/" + name[4:] if name[:4].upper() == "ETC/" else name
    try:
        return ZoneInfo(tidy)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = f"unknown time zone {name[:60]!r}; name one like 'Europe/Madrid'"
        raise (place.bad(problem) if place else BadInput(problem, field="timezone")) from None


def plausible(at: float, place: Place) -> Time:
    """Return *at* as `Time` if something can have been measured then."""
    if at < EARLIEST:
        raise place.bad(f"time {at:.0f} is before 1973; times are milliseconds since 1970, are these seconds?")
    if at >= LATEST:
        raise place.bad(f"time {at:.0f} is after 2200; times are milliseconds since 1970")
    return int(at)


def instants(local: datetime, zone: tzinfo) -> list[Time]:
    """Return when a clock in *zone* shows naive *local*: never (skipped hour), once, or twice (repeated hour)."""
    found: list[Time] = []
    for fold in (0, 1):
        utc = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        at = round(utc.timestamp() * SECOND)
        if utc.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(fold=0) and at not in found:
            found.append(at)
    return found


@dataclass
class LocalClock:
    """Reads the naive times of one ascending file.

    In the hour that comes twice, a time is the first one, unless that would be before the time read last: then it is
    the second. So a file that runs through the change is read right, and a lone time in that hour is the earlier one.
    """

    zone: tzinfo | None
    last: Time | None = None

    def read(self, when: datetime, place: Place) -> Time:
        """Return *when* as `Time`; raise `BadInput` if it needs a zone and there is none, or never happened."""
        try:
            self.last = plausible(self._aware(when) if when.tzinfo else self._local(when, place), place)
        except OverflowError:
            raise place.bad(f"time {when.isoformat()} is out of range") from None
        return self.last

    def _aware(self, when: datetime) -> Time:
        return round(when.timestamp() * SECOND)

    def _local(self, when: datetime, place: Place) -> Time:
        if self.zone is None:
            raise place.bad(f"time {when.isoformat()} has no offset: say which timezone= the file is in")
        found = instants(when, self.zone)
        if not found:
            raise place.bad(f"local time {when.isoformat()} never was in {self.zone}: the clock skipped it")
        later = [at for at in found if self.last is None or at >= self.last]
        return later[0] if later else found[0]


def moment(text: str, place: Place, clock: LocalClock, form: str | None = None) -> Time:
    """Return the time written as ISO 8601, as milliseconds since 1970, or in the `strptime` *form*."""
    plain = text.strip()
    if form is None and plain.isdecimal() and len(plain) >= 11:
        clock.last = plausible(float(plain), place)
        return clock.last
    try:
        when = datetime.strptime(plain, form) if form else datetime.fromisoformat(plain)  # noqa: DTZ007 LocalClock adds it
    except ValueError:
        expected = f"like {form!r}" if form else "ISO 8601, such as 2026-11-20T08:00:00+01:00"
        raise place.bad(f"time {plain[:40]!r} is not {expected}") from None
    return clock.read(when, place)


def local_seconds(at: Time, zone: tzinfo) -> int:
    """Return how many seconds after local midnight a clock in *zone* shows."""
    shown = datetime.fromtimestamp(at / SECOND, zone)
    return shown.hour * 3600 + shown.minute * 60 + shown.second


def times_shown(seconds: tuple[int, ...], zone: tzinfo, start: Time, end: Time) -> Iterator[Time]:
    """Yield when clocks in *zone* pass any of *seconds* after midnight, or jump, with start < time <= end."""
    day = datetime.fromtimestamp(start / SECOND, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last = datetime.fromtimestamp(end / SECOND, zone).replace(tzinfo=None)
    while day <= last:
        shown = [at for second in seconds for at in instants(day + timedelta(seconds=second), zone)]
        yield from (at for at in (*shown, *_jump(day, zone)) if start < at <= end)
        day += timedelta(days=1)


def _jump(day: datetime, zone: tzinfo) -> list[Time]:
    """Return the second on which the offset of *zone* changes within this day, if it does."""
    low, high = (int((day + timedelta(days=n)).replace(tzinfo=zone).timestamp()) for n in (0, 1))
    if _offset(low, zone) == _offset(high, zone):
        return []
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
    return [high * SECOND]


def _offset(second: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(second, zone).utcoffset()
