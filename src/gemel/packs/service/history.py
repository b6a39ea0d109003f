"""History: what each customer of a service went through, from the events on a thread: waits, forecasts made for her, help.

Forecasts are made again at moments of the record, each from the events until then, by the network that the twin has: a record
from which that network was learned flatters it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.dynamics import Dose, Event
from gemel.errors import BadInput
from gemel.facts import DAY, SECOND, Time
from gemel.packs.service.foresee.ensemble import foresee
from gemel.packs.service.foresee.live import settled, silence_of
from gemel.packs.service.foresee.prefix import LEVELS
from gemel.packs.service.log import MISSING, Log
from gemel.packs.service.own import log_of_events
from gemel.process.fold import Fold, Silence
from gemel.process.network import Network, Task

LONGEST: Time = 30 * DAY
"""No further ahead is anybody's end foreseen."""

LOW, MIDDLE, HIGH = (int(np.flatnonzero(level == LEVELS)[0]) for level in (0.1, 0.5, 0.9))


@dataclass(frozen=True)
class History:
    """The record as waits: rows of the log, from when to when each was waited (n,) s, NaN where that is not told, and of each
    case when it began and, where that is known, when it was over."""

    log: Log
    events: Mapping[str, Sequence[Event]]
    since: np.ndarray
    until: np.ndarray
    promise: np.ndarray
    begun: Mapping[str, Time]
    over: Mapping[str, Time]
    last: Time
    silence: Silence | None

    @staticmethod
    def of(events: Sequence[Event], network: Network, promises: Mapping[str, float]) -> History:
        """Return the record of events in order of time; who still waits at its end has waited until then."""
        log = log_of_events(events)
        if not len(log):
            raise BadInput("no customer is on record", field="twin")
        told: dict[str, list[Event]] = {}
        for event in events:
            told.setdefault(event.case, []).append(event)
        last, left = events[-1].at, {one.case: one.at for one in events if one.phase in ("left", "abandoned")}
        over = left or _silent(log, last)
        ends = np.array([over.get(case, last) for case in log.cases], np.int64)[log.case.codes]
        until = np.where(log.start != MISSING, log.start, np.where(log.end != MISSING, log.end, ends))
        since = np.where(log.queued == MISSING, np.nan, log.queued / SECOND)
        promise = np.array([promises.get(name, np.inf) for name in log.activity.names])
        begun = {case: own[0].at for case, own in told.items()}
        silence = None if left else silence_of(log)
        return History(
            log, told, since, until / SECOND, promise[log.activity.codes], begun, over, last, silence
        )  # fmt: skip

    def waits(self, who: Sequence[str]) -> dict[str, np.ndarray]:
        """Return for customers (n,) the seconds they waited in all, and whether a promise was broken, NaN if not known."""
        waited = np.maximum(self.until - self.since, 0)
        promised = np.isfinite(waited) & np.isfinite(self.promise)
        late = np.where(promised, (waited > self.promise).astype(float), np.nan)
        return {
            "wait": self.by_case(who, waited, np.add, 0.0), "breach": self.by_case(who, late, np.maximum, 0.0)
        }  # fmt: skip

    def by_case(self, who: Sequence[str], rows: np.ndarray, how: np.ufunc, start: float) -> np.ndarray:
        """Return what rows (n,) come to for each case, NaN where none of its rows is known."""
        some = np.isfinite(rows)
        codes, many = self.log.case.codes[some], len(self.log.cases)
        found = np.full(many, start)
        how.at(found, codes, rows[some])
        found[np.bincount(codes, minlength=many) == 0] = np.nan
        told: np.ndarray = found[self.places(who)]
        return told

    def places(self, who: Sequence[str]) -> np.ndarray:
        """Return the codes of cases (n,)."""
        known = {case: place for place, case in enumerate(self.log.cases)}
        return np.array([known[case] for case in who], np.int64)

    def past(self, at: Time, reach: Time) -> Iterator[Event]:
        """Yield what was known at a moment of those who came within *reach* before."""
        for case, own in self.events.items():
            if at - reach <= self.begun[case] <= at:
                yield from (event for event in own if event.at <= at)


def _silent(log: Log, last: Time) -> dict[str, Time]:
    """Return when cases ended that nobody says have left: with their last event, if they have been silent long enough."""
    ended, bounds = settled(log, last), log.bounds()
    row_ends = np.maximum(log.end, np.maximum(log.start, log.queued))
    rows = ((case, slice(bounds[k], bounds[k + 1])) for k, case in enumerate(log.cases) if ended[k])
    return {case: int(row_ends[own].max()) for case, own in rows if own.stop > own.start}


# what was foreseen


def foreseen(
    history: History, network: Network, who: Sequence[str], moments: int, members: int, seed: int
) -> dict[str, np.ndarray]:
    """Return of customers (n,) for how long they were to stay yet (s), how long they did, and whether 80 % intervals held.

    Each counts at the first moment at which she was there; NaN for those who were there at none, or are there still.
    """
    place = {case: k for k, case in enumerate(who)}
    found = np.full((3, len(who)), np.nan)
    stays = [over - history.begun[case] for case, over in history.over.items()]
    if not who or not stays:
        return dict(zip(("said", "truth", "covered"), found, strict=True))
    reach = int(min(2 * max(float(np.quantile(stays, 0.99)), SECOND), LONGEST))
    first = min(history.begun[case] for case in who)
    for at in np.linspace(first, history.last, moments + 2)[1:-1].astype(np.int64).tolist():
        fold = Fold(network, silence=history.silence)
        for event in history.past(at, reach):
            fold.take(event)
        here = fold.present(at)
        fresh = {case.id for case in here.cases if case.id in place and np.isnan(found[0, place[case.id]])}
        if not fresh & history.over.keys():
            continue
        for one in foresee(network, here, at + reach, members=members, seed=seed, every=reach).cases:
            if one.id in fresh and history.over.get(one.id, 0) > at:
                found[:, place[one.id]] = _against(one.remaining, history.over[one.id] - at, reach)
    return dict(zip(("said", "truth", "covered"), found, strict=True))


def _against(remaining: np.ndarray, stayed: Time, reach: Time) -> tuple[float, float, float]:
    """Return what was said, what was so, each no longer than *reach*, and whether the interval of 80 % held."""
    told, truth = np.minimum(remaining, reach / SECOND), min(stayed, reach) / SECOND
    return float(told[MIDDLE]), truth, float(told[LOW] <= truth <= told[HIGH])


# who got help


def helped(history: History, who: Sequence[str], doses: Sequence[Dose], network: Network) -> dict[str, np.ndarray]:
    """Return of customers (n,) who waited whether help came meanwhile, and after how many seconds, NaN where none did."""
    tasks = {node.name: node.station for node in network.nodes if isinstance(node, Task)}
    station = np.array([tasks.get(name, "") for name in history.log.activity.names])[history.log.activity.codes]
    spans = list(helping(doses, network, history.last))
    if not spans:
        return {}
    soonest = np.full(len(history.since), np.inf)
    for name, since, until in spans:
        meets = (station == name) & (history.until > since / SECOND) & (history.since < until / SECOND)
        delay = np.maximum(since / SECOND - history.since, 0)
        soonest = np.where(meets & (history.until > history.since), np.minimum(soonest, delay), soonest)
    known = np.isfinite(history.since)
    reached = np.where(known, np.isfinite(soonest).astype(float), np.nan)
    return {
        "acted": history.by_case(who, reached, np.maximum, 0.0),
        "delay": history.by_case(who, np.where(np.isfinite(soonest), soonest, np.nan), np.minimum, np.inf),
    }


def helping(doses: Sequence[Dose], network: Network, last: Time) -> Iterator[tuple[str, Time, Time]]:
    """Yield the stations where something was done for those who wait, and from when until when (ms): people were added to a
    pool that serves there, the station was opened for a while, or those who wait were told for how long."""
    turned: dict[str, list[Dose]] = {}
    for dose in sorted(doses, key=lambda one: one.at):
        turned.setdefault(dose.lever, []).append(dose)
    for lever, steps in turned.items():
        kind, _, target = lever.partition(".")
        places = [
            one.name for one in network.stations
            if (kind in ("patience", "open") and one.name == target)
            or (kind == "staff" and any(target in (team.pool, *team.with_) for team in one.teams))
        ]  # fmt: skip
        for step, after in zip(steps, [*steps[1:], replace(steps[-1], at=last)], strict=True):
            told = kind == "patience" and step.amount != 1
            opened = kind == "open" and step.amount > 0 and after.amount == 0
            if told or opened or (kind == "staff" and step.amount > 0):
                yield from ((name, step.at, max(after.at, step.at)) for name in places)
