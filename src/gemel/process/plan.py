"""Plan: a network as the tables that the kernel reads, with names for every place in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np

from gemel.process import memory
from gemel.process.calendar import Calendar
from gemel.process.draws import coded, key_of
from gemel.process.duration import Duration
from gemel.process.kernel import CHOICE, DELAY, JOIN, SPLIT, TASK
from gemel.process.network import (
    ANY,
    DISCIPLINES,
    END,
    TESTS,
    Choice,
    Delay,
    Join,
    Network,
    Pool,
    Split,
    Station,
    Task,
)
from gemel.process.wiring import check, loops

KINDS = {Task: TASK, Choice: CHOICE, Split: SPLIT, Join: JOIN, Delay: DELAY}


@dataclass(frozen=True)
class Plan:
    """Tables by name, and the names: `levers` of all that `Present.change` may hold, `options` of each attribute's values."""

    network: Network
    tables: dict[str, np.ndarray]
    attributes: tuple[str, ...]
    options: dict[str, tuple[str, ...]]
    ways: dict[str, tuple[int, ...]]
    margin: int
    joins: int
    looped: bool

    @cached_property
    def nodes(self) -> dict[str, int]:
        """Return the place of each node."""
        return {node.name: place for place, node in enumerate(self.network.nodes)} | {END: -1}

    @cached_property
    def stations(self) -> dict[str, int]:
        """Return the place of each station."""
        return {station.name: place for place, station in enumerate(self.network.stations)}

    @cached_property
    def pools(self) -> dict[str, int]:
        """Return the place of each pool."""
        return {pool.name: place for place, pool in enumerate(self.network.pools)}

    @cached_property
    def classes(self) -> dict[str, int]:
        """Return the place of each class of customers."""
        return {group.name: place for place, group in enumerate(self.network.customers)}

    @cached_property
    def levers(self) -> dict[str, tuple[int, ...]]:
        """Return the places of each lever in what is packed of `Present.change`."""
        network = self.network
        names = [f"staff.{pool.name}" for pool in network.pools]
        names += [f"{what}.{one.name}" for what in ("open", "pace", "patience") for one in network.stations]
        names += [f"arrivals.{group.name}" for group in network.customers]
        placed = {name: (place,) for place, name in enumerate(names)}
        return placed | {f"route.{name}": tuple(len(names) + p for p in places) for name, places in self.ways.items()}

    @cached_property
    def lean(self) -> bool:
        """Return whether the kernel's short way can run it: tasks, each in order of arrival with a pool of its own."""
        return (
            all(type(node) is Task for node in self.network.nodes)
            and not self.looped
            and not self.attributes
            and all(
                row["simple"]
                and row["order"] == 0
                and row["size"] <= 1
                and not row["impatient"]
                and row["balk_at"] > 1 << 30
                for row in self.tables["stations"]
            )
            and all(row["users"] <= 1 and not row["pauses"] and row["between"] < 0 for row in self.tables["pools"])
        )

    @property
    def width(self) -> int:
        """Return how many numbers hold all levers."""
        return len(self.network.pools) + 3 * len(self.network.stations) + len(self.network.customers) + self.ways_many

    @property
    def ways_many(self) -> int:
        """Return how many ways all choices have."""
        return len(self.tables["usual_weights"])


class _Durations:
    """Collects durations; each is kept once."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, float, int, int, int]] = []
        self.values: list[float] = []
        self.known: dict[Duration, int] = {}

    def add(self, duration: Duration | None) -> int:
        """Return the place of a duration, -1 for none."""
        if duration is None:
            return -1
        if duration not in self.known:
            (mean, a, b, kind), table = coded(duration)
            self.known[duration] = len(self.rows)
            self.rows.append((mean, a, b, kind, len(self.values), len(table)))
            self.values += table
        return self.known[duration]


def plan(network: Network) -> Plan:
    """Return a network's tables; raises `BadInput` for one that cannot be run."""
    check(network)
    durations = _Durations()
    tables: dict[str, np.ndarray] = {}
    attributes = tuple(dict.fromkeys(name for group in network.customers for name in group.attributes))
    options = {name: _options(network, name) for name in attributes}
    ways = _ways(network)
    tables |= _stations(network, durations) | _pools(network, durations) | _classes(network, durations)
    tables |= _nodes(network, durations, attributes, options) | _attributes(network, durations, attributes, options)
    tables |= {"durations": np.array(durations.rows or [(0,) * 6], memory.DURATION)}
    tables |= {"tables": np.array(durations.values or [0.0])}
    most = max([station.batch.size for station in network.stations if station.batch] + [1])
    wide = max([len(node.to) for node in network.nodes if isinstance(node, Split)] + [1])
    joins = sum(isinstance(node, Join) for node in network.nodes)
    return Plan(network, tables, attributes, options, ways, 64 + most * wide * 4, joins, bool(loops(network)))


def _options(network: Network, name: str) -> tuple[str, ...]:
    groups = [group.attributes[name].options for group in network.customers if name in group.attributes]
    return tuple(dict.fromkeys(option for options in groups for option in options))


def _ways(network: Network) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    place = 0
    for node in network.nodes:
        for rule in node.rules if isinstance(node, Choice) else ():
            for to in rule.to:
                found[f"{node.name}>{to}"] = (*found.get(f"{node.name}>{to}", ()), place)
                place += 1
    return found


def _row(dtype: np.dtype[Any], **values: Any) -> np.ndarray:
    row = np.zeros(1, dtype)
    for name, value in values.items():
        row[name] = value
    return row


def _rows(rows: Sequence[np.ndarray], dtype: np.dtype[Any]) -> np.ndarray:
    return np.concatenate(rows) if rows else np.zeros(1, dtype)


def _stations(network: Network, durations: _Durations) -> dict[str, np.ndarray]:
    pools = {pool.name: place for place, pool in enumerate(network.pools)}
    nodes = {node.name: place for place, node in enumerate(network.nodes)} | {END: -1}
    users = [0] * len(pools)
    for station in network.stations:
        for team in station.teams:
            for pool in (team.pool, *team.with_):
                users[pools[pool]] += 1
    stations: list[np.ndarray] = []
    teams: list[np.ndarray] = []
    needs: list[int] = []
    team0 = 0
    for place, station in enumerate(network.stations):
        simple = len(station.teams) == 1 and not station.teams[0].with_
        batch, callback = station.batch, station.callback
        stations.append(_row(
            memory.STATION, promise=math.inf if station.promise is None else station.promise * 1000, balk=station.balk,
            share=callback.share if callback else 0.0, after=durations.add(callback.after) if callback else -1,
            size=batch.size if batch else 1, most_wait=batch.most_wait * 1000 if batch else math.inf, cost=station.cost,
            order=DISCIPLINES.index(station.discipline), gives_up_to=nodes[station.gives_up_to],
            balk_at=(1 << 31) - 1 if station.balk_at is None else station.balk_at, team0=team0,
            teams=len(station.teams), any_team=station.choose == "random", impatient=bool(station.patience),
            simple=simple, pool=pools[station.teams[0].pool],
        ))  # fmt: skip
        for team in station.teams:
            wanted = [pools[team.pool], *(pools[pool] for pool in team.with_)]
            teams.append(_row(memory.TEAM, speed=team.speed, station=place, need0=len(needs), needs=len(wanted)))
            needs += wanted
        team0 += len(station.teams)
    chosen = [
        [durations.add(by.get(group.name, by.get(ANY))) for station in network.stations for group in network.customers
         for by in (getattr(station, what),)]
        for what in ("service", "patience")
    ]  # fmt: skip
    return {
        "stations": _rows(stations, memory.STATION), "teams": _rows(teams, memory.TEAM), "needs": np.array(needs or [0], "i8"),
        "service": np.array(chosen[0] or [0], "i8"), "patience": np.array(chosen[1] or [0], "i8"),
    }  # fmt: skip


def _pools(network: Network, durations: _Durations) -> dict[str, np.ndarray]:
    rows: list[np.ndarray] = []
    users: list[int] = []
    teams = [team for station in network.stations for team in station.teams]
    for pool in network.pools:
        own = [place for place, team in enumerate(teams) if pool.name in (team.pool, *team.with_)]
        broken = pool.breakdown
        rows.append(_row(
            memory.POOL, rate=pool.cost_per_hour / 3_600_000, key=key_of(f"pool {pool.name}"), pauses=pool.pauses,
            user0=len(users), users=len(own), between=durations.add(broken.between if broken else None),
            repair=durations.add(broken.repair if broken else None), units=most_at_once(pool.calendar),
        ))  # fmt: skip
        users += own
    return {"pools": _rows(rows, memory.POOL), "users": np.array(users or [0], "i8")}


def most_at_once(calendar: Calendar) -> int:
    """Return the most units that a calendar ever has at once."""
    minutes = np.zeros((7, 1441), np.int64)
    for shift in calendar.shifts:
        minutes[shift.weekday, shift.start] += shift.count
        minutes[shift.weekday, shift.end] -= shift.count
    return int(minutes.cumsum(axis=1).max(initial=0))


def _classes(network: Network, durations: _Durations) -> dict[str, np.ndarray]:
    nodes = {node.name: place for place, node in enumerate(network.nodes)}
    rows = []
    for group in network.customers:
        cv = group.arrivals.cv
        poisson = cv == 1.0
        gap = Duration("exponential", 0.001, 1.0) if poisson else Duration("gamma", 0.001, cv)
        shape = cv**-2 if cv > 0 else 0.0
        first = gap if poisson or cv == 0 else Duration("gamma", 0.001 * (1 + 1 / shape), (shape + 1) ** -0.5)
        rows.append(_row(
            memory.CUSTOMERS, priority=group.priority, key=key_of(f"class {group.name}"), entry=nodes[group.entry],
            gap=durations.add(gap), first=durations.add(first),
        ))  # fmt: skip
    return {"classes": _rows(rows, memory.CUSTOMERS)}


def _nodes(
    network: Network, durations: _Durations, attributes: Sequence[str], options: dict[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    places = {node.name: place for place, node in enumerate(network.nodes)} | {END: -1}
    stations = {station.name: place for place, station in enumerate(network.stations)}
    joins = [node.name for node in network.nodes if isinstance(node, Join)]
    parts = {node.join: len(node.to) for node in network.nodes if isinstance(node, Split)}
    rows: list[dict[str, Any]] = []
    rules: list[tuple[int, ...]] = []
    tests: list[tuple[float, int, int]] = []
    targets: list[int] = []
    weights: list[float] = []
    for node in network.nodes:
        row = {"key": key_of(node.name), "kind": KINDS[type(node)], "station": -1, "lasts": -1, "join": -1, "then": -1}
        if isinstance(node, Task | Delay | Join):
            row["then"] = places[node.then]
        if isinstance(node, Task):
            row["station"] = stations[node.station]
        if isinstance(node, Delay):
            row["lasts"] = durations.add(node.lasts)
        if isinstance(node, Join):
            row |= {"join": joins.index(node.name), "parts": parts[node.name]}
        if isinstance(node, Choice):
            row |= {"first": len(rules), "count": len(node.rules)}
            for rule in node.rules:
                rules.append((len(targets), len(rule.to), len(tests), len(rule.when)))
                targets += [places[to] for to in rule.to]
                weights += list(rule.to.values())
                tests += [_test(network, test, attributes, options) for test in rule.when]
        rows.append(row)
    for row, node in zip(rows, network.nodes, strict=True):
        if isinstance(node, Split):
            row |= {"first": len(targets), "count": len(node.to)}
            targets += [places[to] for to in node.to]
    return {
        "nodes": _rows([_row(memory.NODE, **row) for row in rows], memory.NODE),
        "rules": np.array(rules or [(0,) * 4], memory.RULE), "tests": np.array(tests or [(0, 0, 0)], memory.TEST),
        "targets": np.array(targets or [0], "i8"), "usual_weights": np.array(weights, float),
    }  # fmt: skip


def _test(
    network: Network, test: Any, attributes: Sequence[str], options: dict[str, tuple[str, ...]]
) -> tuple[float, int, int]:
    how = TESTS.index(test.test)
    if test.attribute == "times":
        return float(test.value), -2, how
    if test.attribute == "class":
        return float([group.name for group in network.customers].index(test.value)), -1, how
    return code(options[test.attribute], test.value), list(attributes).index(test.attribute), how


def code(options: Sequence[str], value: str | float) -> float:
    """Return the number that stands for an attribute's value; -1 for a word that is none of its options."""
    if isinstance(value, str):
        return float(options.index(value)) if value in options else -1.0
    return float(value)


def _attributes(
    network: Network, durations: _Durations, attributes: Sequence[str], options: dict[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    rows = [(key_of(f"attribute {name}"), 0, 0, 0, -1) for name in attributes]
    has = np.full((max(len(network.customers), 1), max(len(attributes), 1)), -1, "i8")
    usual = _nodes(network, durations, attributes, options)["usual_weights"]
    weights, codes = usual.tolist(), [0.0] * len(usual)
    for g, group in enumerate(network.customers):
        for name, attribute in group.attributes.items():
            has[g, attributes.index(name)] = len(rows)
            numbers = durations.add(attribute.numbers)
            rows.append((key_of(f"attribute {name}"), 0, len(weights), len(attribute.options), numbers))
            if attribute.options:
                shares = np.array(attribute.weights or (1.0,) * len(attribute.options), float)
                weights += (shares.cumsum() / shares.sum()).tolist()
                codes += [float(options[name].index(option)) for option in attribute.options]
    return {
        "attributes": np.array(rows or [(0,) * 5], memory.ATTRIBUTE), "has": has.ravel(),
        "weights": np.array(weights or [0.0]), "options": np.array(codes or [0.0]),
    }  # fmt: skip


def capacity(pool: Pool, since: int, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Return when the units that a pool lists change, ms, and to how many; planned maintenance takes one away."""
    at, counts = pool.calendar.steps(since, until)
    planned = pool.breakdown.planned if pool.breakdown else ()
    if not planned:
        return at, counts
    edges = np.unique(np.concatenate([at, [m for w in planned for m in w if since < m < until]]).astype(np.int64))
    listed = counts[np.searchsorted(at, edges, "right") - 1]
    away = sum(((edges >= begin) & (edges < end)).astype(np.int64) for begin, end in planned)
    found = np.maximum(listed - away, 0)
    kept = np.diff(found, prepend=-1) != 0
    return edges[kept], found[kept]


WEEK = int(timedelta(days=7).total_seconds() * 1000)


def worked(pool: Pool, station: Station, since: float, until: float) -> float:
    """Return for how many ms of a span a pool was there, if its work pauses; the whole span otherwise."""
    if not pool.pauses or until <= since:
        return max(until - since, 0.0)
    at, counts = capacity(pool, math.floor(since), math.ceil(until))
    edges = np.clip(np.append(at, until).astype(float), since, until)
    return float(np.diff(edges)[counts > 0].sum())
