"""Options: ways to set up a service (people, hours, stations, shares of ways), each a function of its network, and crossed.

What is not there is refused with what is: pools, stations and ways by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.packs.service.design import Setup, designed
from gemel.process.calendar import Calendar, Shift
from gemel.process.network import Choice, Network, Node, Pool, Split, Station, Task
from gemel.process.network_json import hash_of
from gemel.process.wiring import check, ways

DAY_MINUTES = 1440
WHOLE = "*"
"""Stands for the whole service, where opening hours are meant."""

AS_IT_IS = "as it is"
MOST = 4000
"""So many designs are tried at the most."""

Change = Callable[[Network], Network]


@dataclass(frozen=True)
class Option:
    """One way of one thing: its name for people, the lever with its value, and what it makes of a network."""

    name: str
    lever: str
    value: str | int | float
    change: Change


@dataclass(frozen=True)
class Variant:
    """One design: a name, the values of its levers, and the network that it is."""

    name: str
    values: Mapping[str, str | int | float]
    network: Network


def crossed(network: Network, parts: Sequence[Sequence[Option]]) -> list[Variant]:
    """Return every combination, one option of each part, and the service as it is; those that are the same once."""
    count = math.prod(map(len, parts))
    if count > MOST:
        raise BadInput(f"that is {count} designs; at the most {MOST} are tried: give fewer values")
    found = {hash_of(network): Variant(AS_IT_IS, {}, network)}
    for chosen in product(*parts):
        other = network
        for option in chosen:
            other = option.change(other)
        check(other)
        name, values = ", ".join(one.name for one in chosen), {one.lever: one.value for one in chosen}
        known = found.get(key := hash_of(other))
        if known is None:
            found[key] = Variant(name, values, other)
        elif values and not known.values:
            found[key] = Variant(f"{name} ({AS_IT_IS})", values, other)
    return list(found.values())


# people and equipment


def staff(network: Network, pool: str, counts: Sequence[int]) -> list[Option]:
    """Return a pool of these sizes at its busiest; the rest of its week in proportion, nobody where nobody was."""
    _pool(network, pool)
    if not peak(network.pool(pool).calendar):
        raise BadInput(f"nobody of {pool} is ever there, so there are no hours to scale", field="staff")
    return [Option(f"{pool} {n}", f"staff.{pool}", n, partial(_sized, pool, n)) for n in counts]


def peak(calendar: Calendar) -> int:
    """Return how many are there at the busiest."""
    return int(by_minute(calendar).max())


def by_minute(calendar: Calendar) -> np.ndarray:
    """Return how many are there by weekday and minute (7, 1440)."""
    found = np.zeros((7, DAY_MINUTES), np.int64)
    for shift in calendar.shifts:
        found[shift.weekday, shift.start : shift.end] += shift.count
    return found


def calendar_of(counts: np.ndarray, like: Calendar) -> Calendar:
    """Return the calendar in which so many are there by weekday and minute (7, 1440), in the zone of another."""
    shifts = []
    for day, row in enumerate(counts.tolist()):
        edges = [0, *(m for m in range(1, DAY_MINUTES) if row[m] != row[m - 1]), DAY_MINUTES]
        shifts += [Shift(day, a, b, row[a]) for a, b in pairwise(edges) if row[a]]
    return replace(like, shifts=tuple(shifts))


def with_pool(network: Network, name: str, calendar: Calendar) -> Network:
    """Return the network with a pool that keeps a calendar; the same network where it does so already."""
    if np.array_equal(by_minute(calendar), by_minute(network.pool(name).calendar)):
        return network
    pools = tuple(replace(one, calendar=calendar) if one.name == name else one for one in network.pools)
    return replace(network, pools=pools)


def _sized(pool: str, n: int, network: Network) -> Network:
    calendar = network.pool(pool).calendar
    counts = by_minute(calendar)
    if not counts.max():
        return network
    sized = np.floor(counts * n / counts.max() + 0.5).astype(np.int64)
    least = 1 if n else 0
    return with_pool(network, pool, calendar_of(np.where(counts > 0, np.maximum(sized, least), 0), calendar))


def _pool(network: Network, name: str) -> Pool:
    if name not in [pool.name for pool in network.pools]:
        raise unknown("pool", name, [pool.name for pool in network.pools])
    return network.pool(name)


# hours


def hours(network: Network, pool: str, spans: Sequence[tuple[int, int]]) -> list[Option]:
    """Return a pool, or `*` the whole service, that is there from one minute of the day to another, on its weekdays.

    Where it opens earlier or later than it did, as many are there as were at the first or the last hour. Who would have
    come while the whole service is closed is turned away; who comes while only a pool is away waits.
    """
    if pool != WHOLE:
        _pool(network, pool)
    for opens, closes in spans:
        if not 0 <= opens < closes <= DAY_MINUTES:
            raise BadInput(f"a day does not open from {clock(opens)} to {clock(closes)}", field="hours")
    return [
        Option(
            f"{'open' if pool == WHOLE else pool} {clock(opens)}-{clock(closes)}", f"hours.{pool}",
            f"{clock(opens)}-{clock(closes)}", partial(_opened, pool, (opens, closes)),
        )
        for opens, closes in spans
    ]  # fmt: skip


def clock(minute: int) -> str:
    """Return a minute of the day for people."""
    return f"{minute // 60}:{minute % 60:02d}"


def _opened(pool: str, span: tuple[int, int], network: Network) -> Network:
    people = [one.name for one in network.pools if one.kind == "people"] if pool == WHOLE else [pool]
    for name in people:
        calendar = network.pool(name).calendar
        network = with_pool(network, name, calendar_of(_stretched(by_minute(calendar), span), calendar))
    return designed(network, Setup(hours=span)) if pool == WHOLE else network


def _stretched(counts: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    found, minutes = np.zeros_like(counts), np.arange(*span)
    for day, row in enumerate(counts):
        there = np.flatnonzero(row)
        if len(there):
            found[day, span[0] : span[1]] = row[np.clip(minutes, there[0], there[-1])]
    return found


# stations


def stations(network: Network, station: str, copies: Sequence[int]) -> list[Option]:
    """Return a station closed (0), as it is (1), or with so many times its equipment.

    Closed, those who may go elsewhere go there, and pools that serve nowhere else are sent home.
    """
    names = [one.name for one in network.stations]
    if station not in names:
        raise unknown("station", station, names)
    own, machines = network.station(station), _machines(network, network.station(station))
    if max(copies, default=0) > 1 and not machines:
        pools = ", ".join(sorted(_served(own)))
        raise BadInput(f"{station} has no equipment to have more of; its people are set by --staff: {pools}")
    return [Option(_said(station, n), f"station.{station}", n, partial(_copied, station, n)) for n in copies]


def _said(station: str, copies: int) -> str:
    return f"{station} {'closed' if copies == 0 else 'open' if copies == 1 else f'× {copies}'}"


def _served(station: Station) -> set[str]:
    return {name for team in station.teams for name in (team.pool, *team.with_)}


def _machines(network: Network, station: Station) -> list[str]:
    return sorted(name for name in _served(station) if network.pool(name).kind == "equipment")


def _copied(station: str, copies: int, network: Network) -> Network:
    if copies == 0:
        return _closed(network, network.station(station))
    for name in _machines(network, network.station(station)) if copies > 1 else ():
        calendar = network.pool(name).calendar
        network = with_pool(network, name, calendar_of(by_minute(calendar) * copies, calendar))
    return network


def _closed(network: Network, station: Station) -> Network:
    tasks = {node.name for node in network.nodes if isinstance(node, Task) and node.station == station.name}
    nodes = tuple(_around(node, tasks, station.name) for node in network.nodes)
    for group in network.customers:
        if group.entry in tasks:
            raise _no_way(station.name, f"{group.name} enter there")
    for one in network.stations:
        if one.gives_up_to in tasks and one.name != station.name:
            raise _no_way(station.name, f"who gives up at {one.name} goes there")
    others: set[str] = set().union(*(_served(one) for one in network.stations if one.name != station.name))
    for name in _served(station) - others:
        network = with_pool(network, name, replace(network.pool(name).calendar, shifts=()))
    return replace(network, nodes=nodes)


def _around(node: Node, tasks: set[str], station: str) -> Node:
    """Return a node from which nobody is sent to these tasks; those within the closed station stay as they are."""
    if isinstance(node, Choice):
        rules = tuple(replace(r, to={to: 0.0 if to in tasks else w for to, w in r.to.items()}) for r in node.rules)
        if any(not sum(rule.to.values()) for rule in rules):
            raise _no_way(station, f"{node.name} leads nowhere else")
        return replace(node, rules=rules)
    after = node.to if isinstance(node, Split) else (node.then,)
    if node.name not in tasks and set(after) & tasks:
        raise _no_way(station, f"{node.name} leads there alone")
    return node


def _no_way(station: str, why: str) -> BadInput:
    return BadInput(f"{station} cannot close: {why}; only what a choice can send elsewhere may", field="station")


# ways


def routes(network: Network, way: str, shares: Sequence[float]) -> list[Option]:
    """Return a choice that sends this share of customers one way, `CHOICE>NODE`, and the rest as they went, in proportion."""
    known = [f"{n.name}>{to}" for n in network.nodes if isinstance(n, Choice) for to in ways(network)[n.name]]
    if way not in known:
        raise unknown("way", way, known)
    for share in shares:
        if not 0 <= share <= 1:
            raise BadInput(f"{share:g} is no share from 0 to 1", field="route")
    return [Option(f"{way} {share:.0%}", f"route.{way}", share, partial(_sent, way, share)) for share in shares]


def _sent(way: str, share: float, network: Network) -> Network:
    name, _, to = way.partition(">")
    nodes = tuple(_shared(n, to, share) if isinstance(n, Choice) and n.name == name else n for n in network.nodes)
    return replace(network, nodes=nodes)


def _shared(choice: Choice, to: str, share: float) -> Choice:
    rules = []
    for rule in choice.rules:
        others = {node: weight for node, weight in rule.to.items() if node != to}
        rest = sum(others.values())
        if to not in rule.to:
            rules.append(rule)
            continue
        if share < 1 and not rest:
            raise BadInput(f"{choice.name} has no other way than {to} for the rest to go", field="route")
        scaled = {node: (1 - share) * weight / rest if rest else 0.0 for node, weight in others.items()}
        rules.append(replace(rule, to={node: share if node == to else scaled[node] for node in rule.to}))
    return replace(choice, rules=tuple(rules))


def possible(network: Network) -> str:
    """Return what of a service can be designed, for people."""
    choices = [f"{n.name}>{to}" for n in network.nodes if isinstance(n, Choice) for to in ways(network)[n.name]]
    kinds = {
        "pools (--staff, --hours)": [f"{pool.name} {peak(pool.calendar)}" for pool in network.pools],
        "stations (--station)": [station.name for station in network.stations],
        "ways (--route)": choices,
    }
    return "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in kinds.items())
