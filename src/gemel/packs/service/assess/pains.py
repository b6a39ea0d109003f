"""Pains: what costs customers time, by how many of them times how much worse times cost; and what a cure would gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.packs.service.assess.rows import Rows, spoken
from gemel.packs.service.assess.stations import HOUR_S, Station

WHOLE = "*"
"""Stands for the whole visit, where a promise is about it and not about one station."""


@dataclass(frozen=True)
class Pain:
    """Something that costs customers time: `customers` of them, `worse` seconds each on average, `hours` in all.

    `cost` is those hours at the price of an hour of waiting, and of what was done again its own cost, if they are told;
    `basis` says what was counted.
    """

    kind: str
    where: str
    customers: int
    worse: float
    hours: float
    cost: float | None
    promised: bool
    basis: str


def pains_of(
    rows: Rows,
    stations: Sequence[Station],
    promises: Mapping[str, float],
    hour_cost: float | None,
    costs: np.ndarray | None,
) -> tuple[Pain, ...]:
    """Return the pains, the worst first.

    Broken promises stand before what nobody promised, then by cost where that of an hour is told, else by hours.
    """
    found = [*_waits(rows, stations, hour_cost), *_again(rows, hour_cost, costs), *_gave_up(rows, hour_cost)]
    if WHOLE in promises:
        found.append(_whole(rows, promises[WHOLE], hour_cost))
    worth = [one for one in found if one.customers and one.hours > 0]
    return tuple(sorted(worth, key=lambda one: (-one.promised, -(one.hours if hour_cost is None else one.cost or 0.0))))


def _pain(
    kind: str,
    where: str,
    case: np.ndarray,
    lost: np.ndarray,
    price: float | None,
    basis: str,
    *,
    promised: bool = False,
    extra: float = 0.0,
) -> Pain:
    """Return the pain of some rows: `case` (k,) whose they are, `lost` (k,) s."""
    customers, hours = len(np.unique(case)), float(np.nansum(lost)) / HOUR_S
    cost = None if price is None and not extra else hours * (price or 0.0) + extra
    return Pain(kind, where, customers, hours * HOUR_S / max(customers, 1), hours, cost, promised, basis)


def _waits(rows: Rows, stations: Sequence[Station], price: float | None) -> list[Pain]:
    what, values = rows.measure
    place = {name: code for code, name in enumerate(rows.log.activity.names)}
    found = []
    for one in stations:
        mine = (rows.log.activity.codes == place[one.name]) & (values > (one.promise or 0.0))
        lost = values[mine] - (one.promise or 0.0)
        basis = (
            f"{what} over the promised {spoken(one.promise)}"
            if one.promise is not None
            else f"all {what}; nothing was promised"
        )
        found.append(
            _pain(what, one.name, rows.log.case.codes[mine], lost, price, basis, promised=one.promise is not None)
        )
    return found


def repeats_of(rows: Rows) -> np.ndarray:
    """Return which rows (n,) bool do again what was done before for the same case."""
    order = np.lexsort((np.arange(len(rows.log)), rows.log.activity.codes, rows.log.case.codes))
    case, code = rows.log.case.codes[order], rows.log.activity.codes[order]
    again = np.zeros(len(rows.log), bool)
    again[order[1:]] = (case[1:] == case[:-1]) & (code[1:] == code[:-1])
    return again


def _again(rows: Rows, price: float | None, costs: np.ndarray | None) -> list[Pain]:
    again = repeats_of(rows)
    found = []
    for code, name in enumerate(rows.log.activity.names):
        mine = again & (rows.log.activity.codes == code)
        if mine.any():
            extra = 0.0 if costs is None else float(np.nansum(costs[mine]))
            basis = "time of each repeat, waiting included, so part of it stands under its wait too"
            found.append(
                _pain("done again", name, rows.log.case.codes[mine], rows.took[mine], price, basis, extra=extra)
            )
    return found


def _gave_up(rows: Rows, price: float | None) -> list[Pain]:
    found = []
    for code, name in enumerate(rows.log.activity.names):
        mine = rows.log.abandoned & (rows.log.activity.codes == code)
        found.append(_pain("gave up", name, rows.log.case.codes[mine], rows.took[mine], price, "time waited in vain"))
    return found


def _whole(rows: Rows, promise: float, price: float | None) -> Pain:
    late = np.flatnonzero(rows.visit > promise)
    basis = f"whole visit over the promised {spoken(promise)}"
    return _pain("whole visit", "from first to last", late, rows.visit[late] - promise, price, basis, promised=True)


@dataclass(frozen=True)
class Opportunity:
    """A touchpoint, what curing its pain could gain at most (s of the mean visit, and its share), and what might cure it."""

    where: str
    kind: str
    gain: float
    share: float
    levers: tuple[str, ...]


def opportunities_of(
    rows: Rows, pains: Sequence[Pain], stations: Sequence[Station], most: int = 10
) -> tuple[Opportunity, ...]:
    """Return the pains by what their cure could gain, the most first; waits and repeats of one station overlap."""
    by_name, mean = {one.name: one for one in stations}, float(rows.visit.mean())
    ranked = sorted((one for one in pains if one.where in by_name), key=lambda one: -one.hours)[:most]
    cases = len(rows.log.cases)
    return tuple(
        Opportunity(
            one.where,
            one.kind,
            gain := one.hours * HOUR_S / cases,
            gain / mean if mean > 0 else 0.0,
            _levers(one, by_name[one.where]),
        )
        for one in ranked
    )


def _levers(pain: Pain, station: Station) -> tuple[str, ...]:
    """Return what might cure a pain, by rules of thumb that the page states."""
    found = []
    if pain.kind == "done again":
        found.append("find out why it is done again; ask for what was missing the first time")
    if pain.kind == "gave up":
        found.append("offer to call back; tell customers how long it will take")
    if pain.kind.startswith("wait") and (station.closed or 0.0) > 0.5:
        found.append(
            f"{station.closed:.0%} of it passes while the service rests: open longer, or tell customers beforehand"
        )
    if pain.kind.startswith("wait") and (station.peak or 0.0) > 0.3:
        found.append(f"{station.peak:.0%} of it falls on a tenth of the hours: move staff or appointments there")
    if pain.kind.startswith("wait") and not found:
        found.append("it is spread over the week: add a unit, shorten the work, or let cases take another way")
    return tuple(found)
