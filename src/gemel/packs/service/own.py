"""A customer's own view of a twin: where she is, what is expected and why, from the events on the thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.bank import Twin
from gemel.dynamics import CASE, EVENTS, PHASES, Event
from gemel.errors import BadInput, unknown
from gemel.facts import Time
from gemel.packs.service.journeys import Expected, Journey, journey
from gemel.packs.service.log import MISSING, Log, Names
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.logs.table import Events, log_of
from gemel.packs.service.touchpoints import Promise
from gemel.process.network import Network, Task

FEWEST = 10
"""Of fewer customers before her nothing is expected."""


def own(seen: Twin, case: str, now: Time | None = None) -> Journey:
    """Return one customer's journey as it stands *now*, by default the bank's own, with what is expected and why.

    Whoever may read `events` sees anybody's, a customer with `case:CASE` her own: of others she is told spans of ten or more.
    """
    if not seen.type.eventful:
        raise BadInput(f"{seen.id} is no service: it has readings, not cases")
    seen.bank.gate.require_one(seen.actor, "read", seen.id, (EVENTS, CASE + case), seen.purpose)
    moment = seen.bank.now() if now is None else now
    events = list(seen.bank.replica(seen.id).happened(None, moment + 1))
    known = {event.case for event in events if event.activity}
    if case not in known:
        raise unknown("case", case, known if seen.may("read", EVENTS) else ())
    log = log_of_events(events)
    over = {event.case: event.at for event in events if event.phase in ("left", "abandoned")}
    ahead = () if case in over else expected(log, case, over, moment)
    return journey(log, case, promised(seen), now=moment, ahead=ahead)


def log_of_events(events: Sequence[Event], zone: str = "UTC") -> Log:
    """Return the log that events of cases tell."""
    told = [event for event in events if event.case]

    def names(values: Sequence[str]) -> Names:
        known = {name: i for i, name in enumerate(dict.fromkeys(value for value in values if value))}
        return Names(np.array([known.get(value, -1) for value in values], np.int32), tuple(known))

    case, activity, who = (names([getattr(event, name) for event in told]) for name in ("case", "activity", "resource"))
    phase = np.array([PHASES.index(event.phase) for event in told])
    at = np.array([event.at for event in told], np.int64)
    nothing = Names(np.full(len(told), -1, np.int32), ())
    return log_of(Events(case, activity, who, nothing, phase, at, np.arange(len(told))), zone, Repairs("thread"))


def promised(seen: Twin) -> Promise:
    """Return the waits that the twin's service promises, by activity."""
    network = getattr(seen.type.dynamics, "network", None)
    if not isinstance(network, Network):
        return Promise()
    waits = {one.name: one.promise for one in network.stations}
    tasks = [node for node in network.nodes if isinstance(node, Task)]
    return Promise({task.name: float(wait) for task in tasks if (wait := waits[task.station]) is not None})


def expected(log: Log, case: str, over: dict[str, Time], now: Time) -> tuple[Expected, ...]:
    """Return what is to come: the next touchpoint and the end, as it was for those before her who had come this far.

    Of them only those count who had been where she is for as long as she has; each span holds eight of ten.
    """
    code, first = log.cases.index(case), log.first
    here = int(np.flatnonzero(log.case.codes == code)[-1])
    since = int(first[here])
    place = np.flatnonzero((log.activity.codes == log.activity.codes[here]) & (log.case.codes != code))
    left = np.array([over.get(name, MISSING) for name in log.cases])
    ended = left[log.case.codes[place]]
    like = place[(ended != MISSING) & (ended - first[place] > now - since)]
    if len(like) < FEWEST:
        return ()
    found = [_to_come("all done", left[log.case.codes[like]] - first[like], len(like), since, now)]
    after = like[like + 1 < len(log)]
    after = after[log.case.codes[after + 1] == log.case.codes[after]]
    after = after[first[after + 1] - first[after] > now - since]
    if len(after) >= FEWEST:
        kinds = np.bincount(log.activity.codes[after + 1])
        best = int(kinds.argmax())
        rows = after[log.activity.codes[after + 1] == best]
        if len(rows) >= FEWEST:
            found.insert(0, _to_come(log.activity.names[best], first[rows + 1] - first[rows], len(like), since, now))
    return tuple(found)


def _to_come(what: str, spans: np.ndarray, like: int, since: Time, now: Time) -> Expected:
    low, high = (since + int(value) for value in np.quantile(spans, [0.1, 0.9], method="weibull"))
    share = "" if len(spans) == like else f", to which {len(spans) / like:.0%} went next"
    why = f"so it was for eight of ten of the {like} customers before her who had come this far{share}"
    return Expected(what, max(low, now), high, why)
