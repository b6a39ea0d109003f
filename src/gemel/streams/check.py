"""From what a source says to what a twin can take: own units, plausible values, no repeats; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Protocol

from gemel.dynamics import EVENTS, PHASES
from gemel.errors import BadInput, unknown
from gemel.facts import DAY, MINUTE, Time, iso
from gemel.streams.contract import Item, Source, key_of
from gemel.streams.report import Gap, Report
from gemel.twintype import Lever, Signal

SILENT = 12
"""How many of its cadences a signal may be silent before the report calls it a gap."""

AHEAD: Time = DAY
"""How far ahead of now a reading may claim to be: clocks are off by minutes, a wrong zone by hours, no more."""

SOON: Time = 10 * MINUTE
"""How far ahead of now a reading may be that comes as it is made: further ahead, it would stand for readings that are missing."""


class Ports(Protocol):
    """What is asked of a twin type here."""

    def port(self, name: str) -> Signal:
        """Return the signal or lever of that *name*."""
        ...

    def accept(self, name: str, value: float, unit: str) -> float:
        """Return *value* in the port's own unit."""
        ...

    @property
    def eventful(self) -> bool:
        """Return whether it takes events of cases."""
        ...


@dataclass(frozen=True)
class Imported:
    """All that a source holds, in the twin type's own units and in order of time, and what to tell about it."""

    items: tuple[Item, ...]
    report: Report


def collect(source: Source, twin_type: Ports, now: Time | None = None) -> Imported:
    """Read the whole *source* and check it: all of it can be written, or `BadInput` says why none of it is."""
    report = Report()
    return Imported(tuple(checked(source.read(report), twin_type, now=now, report=report)), report)


def checked(
    items: Iterable[Item], twin_type: Ports, *, now: Time | None = None, report: Report | None = None,
    ahead: Time = AHEAD,
) -> list[Item]:  # fmt: skip
    """Return *items* in own units, each once, by time; raise `BadInput` naming the place of the first that is wrong.

    A sensor's reading may be *ahead* ms later than *now*; what is done or happens, a day.
    """
    report = Report() if report is None else report
    found = sorted(items, key=lambda item: (item.at, item.name))
    _unmixed([item for item in found if not item.retracted], twin_type)
    unique = _each_once((_timely(_own(item, twin_type, now), twin_type, now, ahead) for item in found), report)
    _tell(unique, twin_type, report)
    return unique


def _own(item: Item, twin_type: Ports, now: Time | None) -> Item:
    """Return *item* in the port's unit; of a retracted one only the name and unit have to be known."""
    if item.at < 0 or (now is not None and item.at > now + AHEAD):
        raise item.by.bad(f"{item.name} at {iso(item.at) if item.at >= 0 else item.at}: that time cannot be")
    if item.event is not None:
        return _told(item, twin_type)
    try:
        port = twin_type.port(item.name)
        convert = port.convert(item.value, item.unit) if item.retracted else None
        value = twin_type.accept(item.name, item.value, item.unit) if convert is None else convert
    except BadInput as error:
        place, hint = item.by, _hint(item, twin_type)
        raise type(error)(error.problem + hint, file=place.file, row=place.row, field=place.field) from None
    return replace(item, value=value, unit=port.unit)


def _timely(item: Item, twin_type: Ports, now: Time | None, ahead: Time) -> Item:
    """Return *item* unless it is a reading of what is yet to come."""
    reads = item.event is None and not item.retracted and not isinstance(twin_type.port(item.name), Lever)
    if reads and now is not None and item.at > now + ahead:
        late = f"{(item.at - now) // MINUTE} min ahead of this machine's clock"
        raise item.by.bad(f"{item.name} at {iso(item.at)}: that time cannot be, it is {late}")
    return item


def _told(item: Item, twin_type: Ports) -> Item:
    """Return an item that tells an event, if the type takes events and the event is one."""
    assert item.event is not None
    if not twin_type.eventful:
        raise item.by.bad("this type of twin takes readings and doses, no events of cases")
    if item.event.phase not in PHASES:
        raise item.by.at("phase").bad(unknown("phase", item.event.phase, PHASES).problem)
    if not item.event.case and item.event.phase not in ("down", "up"):
        raise item.by.at("case").bad("an event names its case; only `down` and `up` of a resource do not")
    return item


def _hint(item: Item, twin_type: Ports) -> str:
    """Return which other unit would make sense of an item that was not accepted, as the end of a sentence."""
    try:
        port = twin_type.port(item.name)
        fits = [unit for unit in (port.unit, *port.accepts) if unit != item.unit and _fits(port, item.value, unit)]
    except BadInput:
        return ""
    return f"; is it in {' or '.join(fits)}?" if fits else ""


def _fits(port: Signal, value: float, unit: str) -> bool:
    return port.low <= port.convert(value, unit) <= port.high


def _unmixed(items: list[Item], twin_type: Ports) -> None:
    """Raise if, within one file, some values of a signal can only be in another unit than the one given."""
    groups: dict[tuple[str, str, str], list[Item]] = {}
    for item in items:
        if item.event is None:
            groups.setdefault((item.by.file, item.name, item.unit), []).append(item)
    for (_, name, unit), group in groups.items():
        try:
            port = twin_type.port(name)
        except BadInput:
            continue
        _one_unit(group, unit, {unit: 1.0, **port.accepts} if unit == port.unit else {}, port.high)


def _one_unit(group: list[Item], unit: str, accepts: Mapping[str, float], high: float) -> None:
    """A value that *could* be in the other unit, where most could not, is: 7.8 among 140s is no mg/dL."""
    for other, factor in accepts.items():
        most = high / factor
        if factor > 2 and median(item.value for item in group) > 2 * most:
            for item in group:
                if 0 < item.value <= most:
                    raise item.by.bad(
                        f"{item.name} of {item.value:g} {unit} among values around "
                        f"{median(i.value for i in group):g} {unit}: is this one in {other}?"
                    )


def _each_once(items: Iterable[Item], report: Report) -> list[Item]:
    unique: dict[str, Item] = {}
    for item in items:
        if unique.setdefault(key_of(item), item) is not item:
            report.duplicates += 1
    return list(unique.values())


def _tell(items: list[Item], twin_type: Ports, report: Report) -> None:
    held = [item for item in items if not item.retracted]
    report.items.update(item.name for item in held)
    report.retractions += len(items) - len(held)
    if held:
        report.first, report.last = held[0].at, held[-1].at
    for name in sorted(name for name in report.items if name != EVENTS):
        port = twin_type.port(name)
        if not isinstance(port, Lever):
            report.gaps += _gaps(name, [item.at for item in held if item.name == name], SILENT * port.cadence)


def _gaps(name: str, times: list[Time], silent: Time) -> list[Gap]:
    return [Gap(name, before, after) for before, after in pairwise(times) if after - before > silent]


def ascending(items: Iterable[Item], report: Report) -> Iterator[Item]:
    """Yield the items of one file written in order; repeats are dropped, contradictions and steps back raise."""
    last: dict[str, Item] = {}
    for item in items:
        before = last.get(item.name)
        if before is not None and item.at < before.at:
            raise item.by.bad(f"time runs backwards: {iso(item.at)} after {iso(before.at)} in row {before.by.row}")
        if before is not None and item.at == before.at and item.source_id == before.source_id:
            if (item.value, item.unit) != (before.value, before.unit):
                raise item.by.bad(
                    f"{item.name} at {iso(item.at)} is {item.value:g} here and {before.value:g} in row {before.by.row}"
                )
            report.duplicates += 1
            continue
        last[item.name] = item
        yield item
