"""Losses: where customers lose time, by waits, by what is done again and in vain; and what a cure would gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.packs.service.assess.rows import Rows, spoken
from gemel.packs.service.assess.stations import HOUR_S, Station

WHOLE = "*"
"""Stands for the whole visit, where a promise is about it and not about one station."""
BESIDE = ("done again", "gave up", "whole visit")
"""Losses that are no wait at a touchpoint, and so no pain point."""


@dataclass(frozen=True)
class Loss:
    """Time that customers lose by one trouble: so many of them, `hours` in all; `basis` says what was counted.

    `cost` is those hours at the price of an hour of waiting, and of what was done again its own cost, if they are told.
    """

    kind: str
    where: str
    customers: int
    hours: float
    cost: float | None
    basis: str


def losses_of(
    rows: Rows,
    stations: Sequence[Station],
    promises: Mapping[str, float],
    hour_cost: float | None,
    costs: np.ndarray | None,
) -> tuple[Loss, ...]:
    """Return where time is lost, the most first. Where it hurts is ranked by `journeys`; this says what a cure could gain."""
    found = [*_waits(rows, stations, hour_cost), *_again(rows, hour_cost, costs), *_gave_up(rows, hour_cost)]
    if WHOLE in promises:
        found.append(_whole(rows, promises[WHOLE], hour_cost))
    return tuple(sorted((one for one in found if one.customers and one.hours > 0), key=lambda one: -one.hours))


def _loss(
    kind: str, where: str, case: np.ndarray, lost: np.ndarray, price: float | None, basis: str, extra: float = 0.0
) -> Loss:
    """Return what is lost in some rows: `case` (k,) whose they are, `lost` (k,) s."""
    hours = float(np.nansum(lost)) / HOUR_S
    cost = None if price is None and not extra else hours * (price or 0.0) + extra
    return Loss(kind, where, len(np.unique(case)), hours, cost, basis)


def _waits(rows: Rows, stations: Sequence[Station], price: float | None) -> list[Loss]:
    what, values = rows.measure
    place = {name: code for code, name in enumerate(rows.log.activity.names)}
    found = []
    for one in stations:
        kept = one.promise or 0.0
        mine = (rows.log.activity.codes == place[one.name]) & (values > kept)
        basis = f"all {what}" if one.promise is None else f"{what} over the promised {spoken(one.promise)}"
        found.append(_loss(what, one.name, rows.log.case.codes[mine], values[mine] - kept, price, basis))
    return found


def repeats_of(rows: Rows) -> np.ndarray:
    """Return which rows (n,) bool do again what was done before for the same case."""
    order = np.lexsort((np.arange(len(rows.log)), rows.log.activity.codes, rows.log.case.codes))
    case, code = rows.log.case.codes[order], rows.log.activity.codes[order]
    again = np.zeros(len(rows.log), bool)
    again[order[1:]] = (case[1:] == case[:-1]) & (code[1:] == code[:-1])
    return again


def _again(rows: Rows, price: float | None, costs: np.ndarray | None) -> list[Loss]:
    again = repeats_of(rows)
    found = []
    for code, name in enumerate(rows.log.activity.names):
        mine = again & (rows.log.activity.codes == code)
        if mine.any():
            extra = 0.0 if costs is None else float(np.nansum(costs[mine]))
            basis = "time of each repeat, waiting included, so part of it stands under its wait too"
            found.append(_loss("done again", name, rows.log.case.codes[mine], rows.took[mine], price, basis, extra))
    return found


def _gave_up(rows: Rows, price: float | None) -> list[Loss]:
    found = []
    for code, name in enumerate(rows.log.activity.names):
        mine = rows.log.abandoned & (rows.log.activity.codes == code)
        found.append(_loss("gave up", name, rows.log.case.codes[mine], rows.took[mine], price, "time waited in vain"))
    return found


def _whole(rows: Rows, promise: float, price: float | None) -> Loss:
    late = np.flatnonzero(rows.visit > promise)
    basis = f"whole visit over the promised {spoken(promise)}"
    return _loss("whole visit", "from first to last", late, rows.visit[late] - promise, price, basis)


@dataclass(frozen=True)
class Opportunity:
    """A touchpoint, what a cure could gain at most (s of the mean visit, and its share), and what might cure it."""

    where: str
    kind: str
    gain: float
    share: float
    levers: tuple[str, ...]


def opportunities_of(
    rows: Rows, losses: Sequence[Loss], stations: Sequence[Station], most: int = 10
) -> tuple[Opportunity, ...]:
    """Return the losses by what their cure could gain, the most first; waits and repeats of one station overlap."""
    by_name, mean = {one.name: one for one in stations}, float(rows.visit.mean())
    ranked = [one for one in losses if one.where in by_name][:most]
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


def _levers(loss: Loss, station: Station) -> tuple[str, ...]:
    """Return what might cure a loss, by rules of thumb that the page states."""
    found = []
    if loss.kind == "done again":
        found.append("find out why it is done again; ask for what was missing the first time")
    if loss.kind == "gave up":
        found.append("offer to call back; tell customers how long it will take")
    if loss.kind.startswith("wait") and (station.closed or 0.0) > 0.5:
        found.append(
            f"{station.closed:.0%} of it passes while the service rests: open longer, or tell customers beforehand"
        )
    if loss.kind.startswith("wait") and (station.peak or 0.0) > 0.3:
        found.append(f"{station.peak:.0%} of it falls on a tenth of the hours: move staff or appointments there")
    if loss.kind.startswith("wait") and not found:
        found.append("it is spread over the week: add a unit, shorten the work, or let cases take another way")
    return tuple(found)
