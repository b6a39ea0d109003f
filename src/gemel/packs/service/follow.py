"""Follow: from events as they come to who is in the service now, and from weeks of them to its rates.

News may be lost, late or told twice: an event that comes too late for its case is not taken, and what the gauges deny is
dropped. `repaired` counts both.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from gemel.dynamics import Event
from gemel.facts import HOUR, MINUTE, Time
from gemel.process.calendar import Arrivals
from gemel.process.duration import exponential, table_of
from gemel.process.network import ANY, Customers, Delay, Network, Station
from gemel.process.present import DELAYED, SERVED, WAITING, Case, Present, Token

ORDER = {"arrived": 0, "queued": 1, "started": 2, "completed": 3, "abandoned": 4, "left": 5}


@dataclass
class Follower:
    """Who is in a service now, by its events; `window` is how far back arrivals are remembered, ms."""

    network: Network
    window: Time = HOUR
    cases: dict[str, Case] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    came: dict[str, deque[Time]] = field(default_factory=lambda: defaultdict(deque))
    repaired: int = 0
    _gone: dict[str, Time] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._delays = {node.name for node in self.network.nodes if isinstance(node, Delay)}
        self._station = {node.name: getattr(node, "station", "") for node in self.network.nodes}

    def take(self, events: Iterable[Event]) -> None:
        """Take events as they came in."""
        for event in events:
            if event.case and event.phase in ORDER:
                self._take(event)

    def _take(self, event: Event) -> None:
        if event.case in self._gone or (event.phase == "arrived" and event.case in self.cases):
            self.repaired += 1
            return
        if event.case not in self.cases and not self._arrive(event):
            return
        if event.phase in ("left", "abandoned"):
            self._leave(event.case, event.at)
        elif event.phase != "arrived" and event.activity in self._station:
            self._move(event)

    def _arrive(self, event: Event) -> bool:
        kind = str(event.attributes.get("customers", ""))
        if not kind:
            self.repaired += 1
            kind = self.network.customers[0].name
        self.cases[event.case] = Case(event.case, kind, event.at)
        self.came[kind].append(event.at)
        return event.phase not in ("left", "completed") or self._leave(event.case, event.at)

    def _leave(self, case: str, at: Time) -> bool:
        self.cases.pop(case, None)
        self.tokens.pop(case, None)
        self._gone[case] = at
        return False

    def _move(self, event: Event) -> None:
        token = self.tokens.get(event.case)
        here = token is not None and token.node == event.activity
        if event.phase == "completed":
            if here:
                del self.tokens[event.case]
        elif event.phase == "started":
            since = token.since if token is not None and here else event.at
            self.tokens[event.case] = Token(event.case, event.activity, SERVED, since, event.at, team=0)
        elif not here:
            status = DELAYED if event.activity in self._delays else WAITING
            self.tokens[event.case] = Token(event.case, event.activity, status, event.at)

    def settle(self, now: Time, gauges: Mapping[str, float]) -> None:
        """Drop what the gauges deny, the oldest first, and forget what is long over."""
        for gauge, count in gauges.items():
            kind, _, name = gauge.partition(".")
            if kind == "queue":
                self._trim(
                    [t for t in self.tokens.values() if t.status == WAITING and self._station[t.node] == name], count
                )
        for case, at in list(self._gone.items()):
            if at < now - 12 * HOUR:
                del self._gone[case]
        for times in self.came.values():
            while times and times[0] < now - self.window:
                times.popleft()
        stale = [c for c, case in self.cases.items() if c not in self.tokens and case.arrived < now - 10 * MINUTE]
        stale += [t.case for t in self.tokens.values() if t.started is not None and t.started < now - 2 * HOUR]
        for case in stale:
            self.repaired += 1
            self._leave(case, now)

    def _trim(self, waiting: list[Token], count: float) -> None:
        for token in sorted(waiting, key=lambda token: token.since)[: max(len(waiting) - round(count), 0)]:
            self.repaired += 1
            del self.tokens[token.case]

    def present(self, at: Time) -> Present:
        """Return the service as it is believed to be."""
        tokens = tuple(self.tokens.values())
        return Present(at, tuple(self.cases[token.case] for token in tokens), tokens)


def scales(
    follower: Follower, at: Time, members: int, rng: np.random.Generator, *, weight: float = 12.0, service: float = 0.06
) -> Mapping[str, np.ndarray]:
    """Return what is uncertain, (member,) each: arrivals as the last window has them (gamma-Poisson), the pace of service.

    `weight` is how many expected arrivals what was learned before counts for.
    """
    found = {}
    for customers in follower.network.customers:
        expected = _expected(customers, at, follower.window)
        count = len(follower.came[customers.name])
        shape, rate = weight + count, weight + expected
        found[f"arrivals.{customers.name}"] = rng.gamma(shape, 1 / rate, members)
    for station in follower.network.stations:
        found[f"service.{station.name}"] = np.exp(service * rng.standard_normal(members))
    return found


def _expected(customers: Customers, at: Time, window: Time) -> float:
    edges, rates = customers.arrivals.steps(at - window, at)
    return float(np.sum(rates * np.diff(np.append(edges, at))) / HOUR)


def learned(network: Network, events: Iterable[Event], since: Time, until: Time) -> Network:
    """Return *network* with the arrivals, services and patience that the events of whole weeks show (zone UTC)."""
    seen = _Seen(network)
    for event in sorted(events, key=lambda event: (event.at, ORDER.get(event.phase, 9))):
        seen.take(event)
    weeks = (until - since) / (168 * HOUR)
    customers = tuple(replace(c, arrivals=_arrivals(c, seen.arrived[c.name], weeks)) for c in network.customers)
    stations = tuple(seen.station(station) for station in network.stations)
    return replace(network, customers=customers, stations=stations)


def _arrivals(customers: Customers, times: list[Time], weeks: float) -> Arrivals:
    counts = np.zeros((7, 24))
    for at in times:
        local = datetime.fromtimestamp(at / 1000, UTC)
        counts[local.weekday(), local.hour] += 1 / weeks
    days, hours = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    smooth = days * hours / max(float(counts.sum()), 1e-9)
    return replace(customers.arrivals, per_hour=tuple((0.25 * counts + 0.75 * smooth).ravel().tolist()))


class _Seen:
    """What events show of durations: service by station and class, waits, and how many gave up."""

    def __init__(self, network: Network) -> None:
        self.follower = Follower(network)
        self.arrived: dict[str, list[Time]] = defaultdict(list)
        self.service: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.given_up: dict[str, int] = defaultdict(int)

    def take(self, event: Event) -> None:
        case, token = self.follower.cases.get(event.case), self.follower.tokens.get(event.case)
        if event.phase == "arrived" and case is None:
            self.arrived[str(event.attributes.get("customers", ""))].append(event.at)
        if case is not None and token is not None and token.node == event.activity:
            self._timed(event, case, token)
        self.follower.take([event])

    def _timed(self, event: Event, case: Case, token: Token) -> None:
        station = self.follower._station[token.node]
        if event.phase == "completed" and token.started is not None:
            self.service[station, case.customers].append((event.at - token.started) / 1000)
        if event.phase in ("started", "abandoned") and token.status == WAITING:
            self.waits[station].append((event.at - token.since) / 1000)
            self.given_up[station] += event.phase == "abandoned"

    def station(self, station: Station) -> Station:
        service = {
            name: table_of(times, 65)
            for (where, name), times in self.service.items()
            if where == station.name and len(times) >= 20
        }
        patience = dict(station.patience)
        if patience and self.given_up[station.name]:
            patience = {ANY: exponential(sum(self.waits[station.name]) / self.given_up[station.name])}
        return replace(station, service={**station.service, **service}, patience=patience)
