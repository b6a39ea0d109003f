"""Design: how a service could be set up (people, hours, units, routing), and what each way costs and feels like.

`frontier` searches over such designs: money a day against customers in a hundred who are let down, that is who wait longer
than promised, give up, or come while the service is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.experiment.search import Design, Frontier, search
from gemel.facts import DAY, HOUR, Time
from gemel.process.calendar import Arrivals, Calendar, Shift
from gemel.process.engine import simulate
from gemel.process.network import Choice, Customers, Network, Pool, Rule, Station, Team
from gemel.process.present import empty

AIMS = ("money a day", "let down in 100")


@dataclass(frozen=True)
class Setup:
    """What is changed of a service: people by factor or by calendar, units added, hours (minutes of the day), ways, helpers.

    `ways` maps "choice>node" to a weight; `helps` maps a station to a pool that serves there when its own are busy.
    """

    people: Mapping[str, float] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    hours: tuple[int, int] | None = None
    ways: Mapping[str, float] = field(default_factory=dict)
    disciplines: Mapping[str, str] = field(default_factory=dict)
    helps: Mapping[str, str] = field(default_factory=dict)


def designed(network: Network, setup: Setup) -> Network:
    """Return the network set up so; raise `BadInput` for pools, stations or ways that it has not."""
    _check(network, setup)
    return replace(
        network,
        pools=tuple(_pool(pool, setup) for pool in network.pools),
        customers=tuple(_customers(group, setup) for group in network.customers),
        stations=tuple(_station(station, setup) for station in network.stations),
        nodes=tuple(_choice(n, setup.ways) if isinstance(n, Choice) else n for n in network.nodes),
    )


def _check(network: Network, setup: Setup) -> None:
    pools, stations = [pool.name for pool in network.pools], [station.name for station in network.stations]
    for name in (*setup.people, *setup.calendars, *setup.units, *setup.helps.values()):
        if name not in pools:
            raise unknown("pool", name, pools)
    for name in (*setup.disciplines, *setup.helps):
        if name not in stations:
            raise unknown("station", name, stations)
    ways = [f"{n.name}>{to}" for n in network.nodes if isinstance(n, Choice) for rule in n.rules for to in rule.to]
    for name in setup.ways:
        if name not in ways:
            raise unknown("way", name, ways)
    if setup.hours is not None and not 0 <= setup.hours[0] < setup.hours[1] <= 1440:
        raise BadInput(f"a day does not open from minute {setup.hours[0]} to {setup.hours[1]}", field="hours")


def _pool(pool: Pool, setup: Setup) -> Pool:
    calendar = setup.calendars.get(pool.name, pool.calendar)
    factor, more = setup.people.get(pool.name, 1.0), setup.units.get(pool.name, 0)
    opens, closes = setup.hours or (0, 1440)
    shifts = [replace(s, count=round(s.count * factor) + more) for s in calendar.shifts]
    if pool.kind == "people":
        clipped = [(s, max(s.start, opens), min(s.end, closes)) for s in shifts]
        shifts = [Shift(s.weekday, start, end, s.count) for s, start, end in clipped if start < end]
    return replace(pool, calendar=replace(calendar, shifts=tuple(shifts)))


def _customers(group: Customers, setup: Setup) -> Customers:
    if setup.hours is None:
        return group
    kept = [rate * _open(hour % 24, setup.hours) for hour, rate in enumerate(group.arrivals.per_hour)]
    return replace(group, arrivals=replace(group.arrivals, per_hour=tuple(kept)))


def _open(hour: int, hours: tuple[int, int]) -> float:
    """Return the share of an hour of the day in which the service is open."""
    return max(min(60 * hour + 60, hours[1]) - max(60 * hour, hours[0]), 0) / 60


def _station(station: Station, setup: Setup) -> Station:
    helper = setup.helps.get(station.name)
    teams = station.teams if helper is None else (*station.teams, Team(helper))
    return replace(station, teams=teams, discipline=setup.disciplines.get(station.name, station.discipline))


def _choice(choice: Choice, ways: Mapping[str, float]) -> Choice:
    def weighed(rule: Rule) -> Rule:
        return replace(rule, to={to: ways.get(f"{choice.name}>{to}", weight) for to, weight in rule.to.items()})

    return replace(choice, rules=tuple(weighed(rule) for rule in choice.rules))


def cost(network: Network, since: Time, until: Time) -> float:
    """Return the money that everyone's planned hours cost."""
    return sum(pool.cost_per_hour * _unit_hours(pool.calendar, since, until) for pool in network.pools)


def _unit_hours(calendar: Calendar, since: Time, until: Time) -> float:
    edges, counts = calendar.steps(since, until)
    return float(np.sum(counts * np.diff(np.append(edges, until))) / HOUR)


def wanted(arrivals: Arrivals, since: Time, until: Time) -> float:
    """Return how many are expected to come."""
    edges, rates = arrivals.steps(since, until)
    return float(np.sum(rates * np.diff(np.append(edges, until))) / HOUR)


def felt(network: Network, setup: Setup, since: Time, until: Time, keys: Sequence[int]) -> np.ndarray:
    """Return money a day and customers in a hundred who are let down (draw, 2), by simulation from empty."""
    other = designed(network, setup)
    run = simulate(other, empty(since), until, members=len(keys), seed=keys[0], threads=1)
    broken = sum(np.asarray(run.gauges[f"breaches.{s.name}"][-1]) for s in network.stations if s.promise is not None)
    left = sum(np.asarray(run.gauges[f"abandoned.{s.name}"][-1]) for s in network.stations if s.promise is None)
    turned = sum(
        wanted(a.arrivals, since, until) - wanted(b.arrivals, since, until)
        for a, b in zip(network.customers, other.customers, strict=True)
    )
    came = np.asarray(run.gauges["came"][-1])
    money = cost(other, since, until) * DAY / (until - since)
    return np.column_stack([np.full(len(keys), money), 100 * (broken + left + turned) / np.maximum(came + turned, 1)])


def frontier(
    network: Network,
    setups: Mapping[str, Setup],
    since: Time,
    *,
    days: int = 1,
    first: int = 16,
    rounds: int = 3,
    seed: int = 0,
) -> Frontier:
    """Return the efficient frontier of setups of a service, over some days from *since*."""
    designs = [Design(name, {"setup": setup}) for name, setup in setups.items()]

    def evaluate(design: Design, keys: Sequence[int]) -> np.ndarray:
        return felt(network, design.values["setup"], since, since + days * DAY, keys)

    return search(designs, evaluate, AIMS, first=first, rounds=rounds, seed=seed)


def crossed(**parts: Mapping[str, Setup]) -> dict[str, Setup]:
    """Return every combination of parts, one choice of each, such as `crossed(people={…}, hours={…})`."""
    found = {}
    for chosen in product(*(part.items() for part in parts.values())):
        merged = Setup()
        for _, setup in chosen:
            merged = _merged(merged, setup)
        found[", ".join(name for name, _ in chosen)] = merged
    return found


def _merged(first: Setup, second: Setup) -> Setup:
    return Setup(
        {**first.people, **second.people}, {**first.calendars, **second.calendars}, {**first.units, **second.units},
        second.hours or first.hours, {**first.ways, **second.ways}, {**first.disciplines, **second.disciplines},
        {**first.helps, **second.helps},
    )  # fmt: skip
