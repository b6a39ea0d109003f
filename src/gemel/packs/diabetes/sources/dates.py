"""Local times as devices write them: year, month and day in any order, twelve hours or twenty-four, naive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from itertools import pairwise
from typing import TypeVar

from gemel.facts import Time
from gemel.streams.clock import LocalClock, instants
from gemel.streams.contract import Place
from gemel.streams.report import Report

_SHAPE = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})\2(\d{2,4})[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp])?\.?[Mm]?\.?"
)


@dataclass(frozen=True)
class Order:
    """Whether the day comes before the month, where the year comes last."""

    day_first: bool

    def read(self, text: str, place: Place) -> datetime:
        """Return the moment written, with an offset only if it is written too."""
        found = _SHAPE.fullmatch(text.strip())
        try:
            if found is None:
                return datetime.fromisoformat(text.strip())
            one, _, two, three, hour, minute, second, half = found.groups()
            year, month, day = (
                (one, two, three) if len(one) == 4 else (three, *((two, one) if self.day_first else (one, two)))
            )
            far = int(year) + (2000 if len(year) == 2 else 0)
            clock = time(_hour(int(hour), half), int(minute), int(second or 0))
            return datetime.combine(date(far, int(month), int(day)), clock)
        except ValueError:
            raise place.bad(f"time {text.strip()[:40]!r} is no date and time") from None


def _hour(hour: int, half: str | None) -> int:
    """Return an hour of the day; 12 AM is midnight."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half in "Pp" else 0)


def order_of(texts: Sequence[str], place: Place, report: Report) -> Order:
    """Return in which order *texts* write day and month; raise `BadInput` where nothing in them says."""
    found = [match for text in texts if (match := _SHAPE.fullmatch(text.strip())) and len(match[1]) < 3]
    pairs = [(int(match[1]), int(match[3])) for match in found]
    day, month = any(one > 12 for one, _ in pairs), any(two > 12 for _, two in pairs)
    if day and month:
        raise place.bad("some dates can only be day and month, others only month and day")
    if day or month or not pairs:
        return Order(day or not pairs)
    votes = {vote for before, after in pairwise(found) if (vote := _vote(before, after)) is not None}
    if len(votes) == 1:
        return Order(votes.pop())
    if found[0][2] == "." or any(match[8] for match in found):
        report.warn(
            f"dates are read {'day' if found[0][2] == '.' else 'month'} first, as is usual where they are so written"
        )
        return Order(found[0][2] == ".")
    raise place.bad("do dates begin with the day or with the month? Nothing here says: export more than twelve days")


def _vote(one: re.Match[str], two: re.Match[str]) -> bool | None:
    """Return what a step over one midnight says: the number that changes is the day; None where there is no such step."""
    first, second = int(two[1]) - int(one[1]), int(two[3]) - int(one[3])
    late = _hour(int(one[5]), one[8]) >= 18 and _hour(int(two[5]), two[8]) < 6 if _sane(one, two) else False
    early = _hour(int(one[5]), one[8]) < 6 and _hour(int(two[5]), two[8]) >= 18 if _sane(one, two) else False
    if not ((late and 1 in (first, second)) or (early and -1 in (first, second))) or first * second:
        return None
    return first != 0


def _sane(*times: re.Match[str]) -> bool:
    return all(1 <= int(one[5]) <= 12 if one[8] else int(one[5]) < 24 for one in times)


Row = TypeVar("Row")


def placed(
    rows: Iterable[tuple[Row, datetime, Place]], zone: tzinfo | None, report: Report
) -> list[tuple[Row, Time, Place]]:
    """Return the rows of one device with the moment of each: the file may run forwards or backwards in time.

    The hour that comes twice is read in the order of the rows; what was read so is reported. The hour that is skipped
    raises `BadInput`.
    """
    held = list(rows)
    steps = [(two > one) - (two < one) for (_, one, _), (_, two, _) in pairwise(held)
             if (one.tzinfo is None) == (two.tzinfo is None)]  # fmt: skip
    clock, found = LocalClock(zone), []
    for row, when, place in reversed(held) if sum(steps) < 0 else held:
        at = clock.read(when, place)
        if when.tzinfo is None and zone is not None and len(instants(when, zone)) > 1:
            report.warn("a local time was in the hour that comes twice: the first one, unless the row before was later")
        found.append((row, at, place))
    return found
