"""Basal insulin told as stretches of one rate, and counts told over stretches of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gemel.facts import HOUR, MINUTE, Time, iso
from gemel.streams.contract import Item, Place
from gemel.streams.report import Report

SLACK: Time = 5 * MINUTE
"""How far apart two stretches may lie that follow each other."""

LONG: Time = 3 * HOUR
"""How long other records may go on after the last stretch before that is told."""

BIN: Time = 5 * MINUTE
"""Over how long `steps` counts, and `heart_rate` is the mean."""


@dataclass(frozen=True)
class Stretch:
    """Basal insulin at *rate* U/h from *start* until *end*, or until the next one."""

    start: Time
    end: Time | None
    rate: float
    source_id: str | None
    by: Place


def changes(stretches: Iterable[Stretch], report: Report, said: Sequence[Item] = ()) -> Iterator[Item]:
    """Yield an item `basal` for each change of rate; where none is told the last one is taken to hold, and reported.

    What else was *said* shows whether the record goes on when that of basal has ended.
    """
    last: Stretch | None = None
    for one in sorted(stretches, key=lambda one: (one.start, one.end or one.start)):
        if last is not None and last.end is not None and one.start > last.end + SLACK:
            report.warn("no basal rate is told for a while: the last one is taken to hold")
        if last is None or one.rate != last.rate:
            yield Item("basal", one.rate, "U/h", one.start, one.source_id, one.by)
        last = one
    if last is not None and last.end is not None and any(item.at > last.end + LONG for item in said):
        report.warn(f"no basal rate is told after {iso(last.end)}: the last one is taken to hold")


@dataclass
class Bins:
    """Gathers counts, or values, of several devices in stretches of 5 min; of two that count at once the larger counts."""

    name: str
    unit: str
    summed: bool
    label: str
    _held: dict[Time, dict[str, tuple[float, int, Place]]] = field(default_factory=dict)

    def add(self, start: Time, end: Time, value: float, device: str, by: Place, report: Report) -> None:
        """Take in a value from *start* to *end*; a count is shared out evenly, one over more than an hour is left out."""
        if end < start:
            raise by.bad("ends before it begins")
        if self.summed and end - start > HOUR:
            report.warn(f"{self.name} counted over more than an hour: not used, it does not say when")
            return
        for at, share in _shares(start, end) if self.summed else [(start - start % BIN, 1.0)]:
            total, times, place = self._held.setdefault(at, {}).get(device, (0.0, 0, by))
            self._held[at][device] = (total + value * share, times + 1, place)

    def items(self, report: Report) -> Iterator[Item]:
        """Yield one item per stretch, at its end, named by its time: a later export may say more of it."""
        for at, by_device in sorted(self._held.items()):
            if len(by_device) > 1 and self.summed:
                report.warn(f"{self.name} counted by two devices at once: the larger count is used")
            found = [(total if self.summed else total / times, place) for total, times, place in by_device.values()]
            value, place = (
                max(found, key=lambda one: one[0]) if self.summed else (_mean([v for v, _ in found]), found[0][1])
            )
            yield Item(self.name, round(float(value), 3), self.unit, at + BIN, f"{self.label}:{at}", place)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _shares(start: Time, end: Time) -> Iterator[tuple[Time, float]]:
    """Yield the stretches of 5 min that a span touches, with the share of it that falls into each."""
    at = start - start % BIN
    if end == start:
        yield at, 1.0
    while at < end:
        yield at, (min(end, at + BIN) - max(start, at)) / (end - start) if end > start else 0.0
        at += BIN
