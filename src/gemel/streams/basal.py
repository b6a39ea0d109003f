"""What a pump's basal rate was: a daily schedule in local time, overridden by temporary rates."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from math import isfinite
from typing import TypeVar

from gemel.facts import Time
from gemel.streams.clock import local_seconds, times_shown
from gemel.streams.contract import Item, Place
from gemel.streams.report import Report


@dataclass(frozen=True)
class Schedule:
    """From *start* until the next schedule: `rates[i]` U/h from `seconds[i]` after local midnight (ascending)."""

    start: Time
    seconds: tuple[int, ...]
    rates: tuple[float, ...]
    zone: tzinfo
    by: Place

    def rate(self, at: Time) -> float:
        """Return the rate in U/h; before the first entry of a day the last one still holds."""
        return self.rates[bisect_right(self.seconds, local_seconds(at, self.zone)) - 1]


@dataclass(frozen=True)
class Temporary:
    """A rate from *start* until *end* or the next one: U/h, or a fraction of the schedule, or (neither) none."""

    start: Time
    end: Time
    rate: float | None
    fraction: float | None
    source_id: str | None
    by: Place


def timeline(
    temporaries: Sequence[Temporary], schedules: Sequence[Schedule], start: Time, end: Time, report: Report
) -> Iterator[Item]:
    """Yield an item `basal` in U/h for each change of rate in start <= time <= end.

    The planned end of a temporary rate counts once the records reach it: before, it may yet be cut short.
    """
    temps, plans = _cut(temporaries), sorted(schedules, key=lambda plan: plan.start)
    if any(temp.end > end and (temp.rate, temp.fraction) != (None, None) for temp in temps):
        report.warn("a temporary basal rate runs beyond the last record; its end is not imported")
    last: float | None = None
    for at in _changes(temps, plans, start, end):
        temp, plan = _latest(temps, at), _latest(plans, at)
        rate = _rate(temp, plan, at, report)
        if rate is not None and rate != last:
            yield _item(rate, at, temp, plan)
        last = rate


Since = TypeVar("Since", Temporary, Schedule)


def _cut(temporaries: Sequence[Temporary]) -> list[Temporary]:
    """Return them by start; of several with one start the last counts."""
    return sorted({temp.start: temp for temp in temporaries}.values(), key=lambda temp: temp.start)


def _latest(known: Sequence[Since], at: Time) -> Since | None:
    index = bisect_right(known, at, key=lambda one: one.start)
    return known[index - 1] if index else None


def _changes(temps: Sequence[Temporary], plans: Sequence[Schedule], start: Time, end: Time) -> list[Time]:
    found = {start, *(temp.start for temp in temps), *(temp.end for temp in temps), *(plan.start for plan in plans)}
    for plan, following in zip(plans, [*(plan.start for plan in plans[1:]), end], strict=False):
        found.update(times_shown(plan.seconds, plan.zone, max(plan.start, start), min(following, end)))
    return sorted(at for at in found if start <= at <= end)


def _rate(temp: Temporary | None, plan: Schedule | None, at: Time, report: Report) -> float | None:
    active = temp if temp is not None and at < temp.end else None
    if active is not None and active.rate is not None:
        return active.rate
    if plan is not None:
        fraction = 1.0 if active is None or active.fraction is None else active.fraction
        return round(plan.rate(at) * fraction, 6)
    if active is not None and active.fraction is not None:
        report.warn("a temporary basal rate in percent is skipped: no profile says of what")
    elif temp is not None:
        report.warn("a temporary basal rate ends and no profile says which rate follows")
    return None


def _item(rate: float, at: Time, temp: Temporary | None, plan: Schedule | None) -> Item:
    origin = temp if temp is not None and at < temp.end else plan or temp
    assert origin is not None
    if not isfinite(rate):
        raise origin.by.bad("the basal rate is not finite")
    source_id = temp.source_id if temp is not None and temp.start == at else None
    return Item("basal", rate, "U/h", at, source_id, origin.by)
