"""Live: who was in a service at any moment of its log, and the plainest network that a log can be folded into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from gemel.dynamics import Event
from gemel.facts import HOUR, Time
from gemel.packs.service.foresee.prefix import in_order, taken, told
from gemel.packs.service.log import MISSING, Log, Names
from gemel.process.calendar import Arrivals, Calendar
from gemel.process.duration import Duration, fixed, table_of
from gemel.process.fold import Fold, Silence
from gemel.process.network import ANY, END, Choice, Customers, Network, Node, Pool, Rule, Station, Task, Team
from gemel.process.present import Present

MOST_AT_ONCE = 100_000
"""Units of each pool of a network that knows no limits."""


def events_of(log: Log, since: Time | None = None, until: Time | None = None) -> list[Event]:
    """Return the events that a log's rows tell, those from *since* to *until*, by time."""
    found = (event for event in _events(in_order(log)) if (since is None or event.at >= since))
    return sorted((event for event in found if until is None or event.at <= until), key=lambda event: event.at)


def _events(log: Log) -> Iterator[Event]:
    first, begun = log.first, log.bounds()[:-1]
    earliest = np.minimum.reduceat(first, begun) if len(log) else first
    for index, case in enumerate(log.cases):
        about = {name: column.at(index) for name, column in log.about.items() if isinstance(column, Names)}
        yield Event(
            case, "arrived", int(earliest[index]), attributes={name: value for name, value in about.items() if value}
        )
    for row in range(len(log)):
        yield from _row(log, row)


def _row(log: Log, row: int) -> Iterator[Event]:
    case, activity, resource = log.case.at(row), log.activity.at(row), log.resource.at(row)
    end = "abandoned" if log.abandoned[row] else "completed"
    for phase, times in (("queued", log.queued), ("started", log.start), (end, log.end)):
        if times[row] != MISSING:
            yield Event(case, phase, int(times[row]), activity, "" if phase == "queued" else resource)


def silence_of(log: Log, points: int = 101) -> Silence:
    """Return how long the cases of a log were silent after each activity, and how many ended with it."""
    log = in_order(log)
    at, codes = told(log), log.activity.codes
    last = np.r_[log.case.codes[1:] != log.case.codes[:-1], True]
    gaps = np.r_[np.diff(at), 0] / 1000
    ended, between = {}, {}
    for code, name in enumerate(log.activity.names):
        here = codes == code
        ended[name] = float(last[here].mean()) if here.any() else 0.0
        seen = gaps[here & ~last]
        between[name] = tuple(np.quantile(seen, np.linspace(0, 1, points)).tolist()) if len(seen) else ()
    return Silence(ended, between)


def network_of(log: Log) -> Network:
    """Return the network of who follows whom in a log: a station per activity, with hands enough that nobody waits.

    It says where customers go and how long that takes, not why they wait: discovery does. What a log that tells only ends calls
    a service is the whole time since the event before.
    """
    log = in_order(log)
    follows: Counter[tuple[int, int]] = Counter()
    for trace in log.traces():
        codes = [-1, *trace.tolist(), -2]
        follows.update(pairwise(codes))
    names = log.activity.names
    after = [_choice(f"after {name}", code, follows, names) for code, name in enumerate(names)]
    tasks = [Task(name, name, f"after {name}") for name in names]
    stations = tuple(Station(name, {ANY: _lasted(log, code)}, (Team("hands"),)) for code, name in enumerate(names))
    customers = Customers("all", Arrivals.steady(_per_hour(log)), "begin")
    nodes: tuple[Node, ...] = (_choice("begin", -1, follows, names), *tasks, *after)
    return Network("as logged", (customers,), nodes, stations, (Pool("hands", Calendar.always(MOST_AT_ONCE)),))


def _choice(name: str, code: int, follows: Counter[tuple[int, int]], names: tuple[str, ...]) -> Choice:
    weights = {
        END if to == -2 else names[to]: float(count) for (one, to), count in sorted(follows.items()) if one == code
    }
    return Choice(name, (Rule(weights or {END: 1.0}),))


def _lasted(log: Log, code: int) -> Duration:
    at, here = told(log), log.activity.codes == code
    follows = np.r_[False, log.case.codes[1:] == log.case.codes[:-1]]
    before = np.where(follows, np.r_[at[:1], at[:-1]], at)
    begun = np.where(log.start == MISSING, before, log.start)
    seconds = np.maximum(at - begun, 0)[here] / 1000
    return table_of(seconds.tolist()) if len(seconds) > 1 else fixed(0.0)


def _per_hour(log: Log) -> float:
    at = told(log)
    return len(log.cases) / max(float(np.ptp(at)) / HOUR, 1e-9) if len(log) else 0.0


def present_of(
    source: Log | Iterable[Event], at: Time, network: Network | None = None, *, lost: float = 0.0, silence: Silence | None = None
) -> Present:  # fmt: skip
    """Return who was in the service at *at*, by what was known then: ongoing, queued, served.

    Without a *network* the cases of a log move in `network_of` what it told until then. Cases silent for so long that they have
    probably left, as *silence* says (of a log: that of its past), are left out; *lost* is as for `Fold`.
    """
    if isinstance(source, Log):
        past = known_by(source, at)
        events: Iterable[Event] = events_of(source, until=at)
        network = network or network_of(past)
        silence = silence or silence_of(past.only(settled(past, at)))
    elif network is None:
        raise ValueError("events alone do not say what the service is like: give its network")
    else:
        events = source
    fold = Fold(network, lost=lost, silence=silence)
    for event in events:
        fold.take(event)
    return fold.present(at)


def known_by(log: Log, at: Time) -> Log:
    """Return the rows that were known by then, of the cases that had any."""
    rows = np.flatnonzero(told(log) <= at)
    seen = np.zeros(len(log.cases), bool)
    seen[log.case.codes[rows]] = True
    return taken(log, rows).only(seen)


def settled(log: Log, at: Time) -> np.ndarray:
    """Return which cases have been silent for longer than 99 of 100 cases that went on ever were (case,)."""
    log = in_order(log)
    known, last = told(log), log.bounds()[1:] - 1
    gaps = np.diff(known)[log.case.codes[1:] == log.case.codes[:-1]]
    longest = float(np.quantile(gaps, 0.99)) if len(gaps) else 0.0
    return np.asarray(at - known[last] > longest)
