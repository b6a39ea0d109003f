"""The map of a service: places and ways between them, who goes where, what is foreseen of each station and pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from gemel.dynamics import Event
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import LEVELS
from gemel.process.gauges import gauges_of
from gemel.process.network import END, Choice, Delay, Join, Network, Split, Station, Task
from gemel.process.present import SERVED
from gemel.server import service_schema as s
from gemel.server.ensemble import Ensemble

if TYPE_CHECKING:
    from gemel.process.ways import Ways

IN, OUT = "in", "out"
GONE = ("left", "abandoned")
SOON: Time = HOUR
"""How far ahead trouble is looked for, and flows are counted."""

RECENT: Time = 15 * MINUTE
"""How far back moves are told."""

KNOWN: Time = 4 * HOUR
"""How far back events are looked at for where somebody came from."""

# places and ways


def places(ensemble: Ensemble) -> list[s.PlaceView]:
    """Return the places: the way in, stations, delays, the way out; and who is there now."""
    network, present = ensemble.network, ensemble.present
    here = Counter(_place(ensemble.ways, token.node) for token in present.tokens)
    stations = [s.PlaceView(id=f"station:{one.name}", kind="station", name=one.name) for one in network.stations]
    delays = [
        s.PlaceView(id=f"delay:{one.name}", kind="delay", name=one.name)
        for one in network.nodes if isinstance(one, Delay)
    ]  # fmt: skip
    ends = s.PlaceView(id=IN, kind="in", name="customers come"), s.PlaceView(id=OUT, kind="out", name="done")
    return [one.model_copy(update={"here": here[one.id]}) for one in (ends[0], *stations, *delays, ends[1])]


def _place(ways: Ways, node: str) -> str:
    found = ways.nodes.get(node)
    if isinstance(found, Task):
        return f"station:{found.station}"
    return f"delay:{node}" if isinstance(found, Delay) else ""


def direct(network: Network, ways: Ways) -> list[tuple[str, str]]:
    """Return which places lead to which with none between them, in the order of the network."""
    found: dict[tuple[str, str], None] = {}
    for group in network.customers:
        found |= {(IN, end): None for end in _reached(ways, group.entry)}
    for node in network.nodes:
        if isinstance(node, Task | Delay):
            found |= {(_place(ways, node.name), end): None for end in _reached(ways, node.then)}
    for station in network.stations:
        if station.patience or station.balk_at is not None:
            found |= {(f"station:{station.name}", end): None for end in _reached(ways, station.gives_up_to)}
    return list(found)


def _reached(ways: Ways, start: str) -> list[str]:
    """Return the first places on each way from entering *start*."""
    seen, waiting, found = set[str](), [start], dict[str, None]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        node = ways.nodes.get(name)
        if node is None:
            found[OUT] = None
        elif isinstance(node, Task | Delay):
            found[_place(ways, name)] = None
        else:
            waiting += _onward(node)
    return list(found)


def _onward(node: object) -> list[str]:
    if isinstance(node, Choice):
        return [to for rule in node.rules for to in rule.to]
    if isinstance(node, Split):
        return list(node.to)
    return [node.then if isinstance(node, Join) else END]


def ways(ensemble: Ensemble) -> list[s.WayView]:
    """Return all ways between places, with how many are expected to go there within the hour."""
    flow, own = flows(ensemble), direct(ensemble.network, ensemble.ways)
    return [s.WayView(start=a, end=b, per_hour=round(flow.get((a, b), 0.0), 2)) for a, b in own]


def flows(ensemble: Ensemble) -> Mapping[tuple[str, str], float]:
    """Return the mean number of customers on each way within the hour."""
    found: Counter[tuple[str, str]] = Counter()
    for (start, end), count in _steps(ensemble).items():
        for way in _between(ensemble, start, end):
            found[way] += count
    return {way: count / ensemble.belief.members for way, count in found.items()}


def _steps(ensemble: Ensemble) -> Mapping[tuple[str, str], int]:
    """Count steps from node to node within the hour: from a class (as `>CLASS`), to the end; delays are not told of."""
    visits, cases, network = ensemble.run.visits, ensemble.run.cases, ensemble.network
    assert visits is not None and cases is not None
    nodes = [node.name for node in network.nodes]
    visits = visits[np.lexsort((visits["ready"], visits["case"], visits["member"]))]
    many, soon = len(nodes), SOON / 1000
    first = np.ones(len(visits), bool)
    first[1:] = (visits["member"][1:] != visits["member"][:-1]) | (visits["case"][1:] != visits["case"][:-1])
    group, left = _of_cases(visits, cases)
    before = np.where(first, many + group, np.roll(visits["node"], 1))
    came = (visits["ready"] > 0) & (visits["ready"] <= soon)
    last = np.append(first[1:], True) if len(visits) else first
    went = last & (left > 0) & (left <= soon)
    steps = Counter(zip(before[came].tolist(), visits["node"][came].tolist(), strict=True))
    ends = Counter(visits["node"][went].tolist())
    names = [*nodes, *(f">{one.name}" for one in network.customers)]
    return {(names[a], names[b]): n for (a, b), n in steps.items()} | {(names[a], END): n for a, n in ends.items()}


def _of_cases(visits: np.ndarray, cases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the class of each visit's case and when it left (s), NaN if it has not."""
    width = int(max(cases["index"].max(initial=0), visits["case"].max(initial=0))) + 1
    members = int(max(cases["member"].max(initial=0), visits["member"].max(initial=0))) + 1
    group, left = np.zeros(members * width, np.int64), np.full(members * width, np.nan)
    place = cases["member"].astype(np.int64) * width + cases["index"]
    group[place], left[place] = cases["customers"], cases["left"]
    own = visits["member"].astype(np.int64) * width + visits["case"]
    return group[own], left[own]


def _between(ensemble: Ensemble, start: str, end: str) -> Iterator[tuple[str, str]]:
    """Yield the ways passed from one node to the next that is told of, through delays."""
    own, network = ensemble.ways, ensemble.network
    if start.startswith(">"):
        entry, here = next(one.entry for one in network.customers if one.name == start[1:]), IN
    else:
        entry, here = own.after(start), _place(own, start)
    path = own.way(entry, end)
    passed = [name for name in (path[1] if path else (end,)) if isinstance(own.nodes.get(name), Delay)]
    for name in [*passed, end]:
        then = OUT if name == END else _place(own, name)
        yield here, then
        here = then


def moves(events: Iterable[Event], own: Ways, since: Time) -> list[s.MoveView]:
    """Return who went from where to where, by events in order, those *since* a moment; the ones before say where from."""
    where: dict[str, str] = {}
    found = []
    for event in events:
        to, start = _went(event, own), where.get(event.case)
        if not event.case or not to or to == start:
            continue
        where[event.case] = to
        if start is not None and to != IN and event.at >= since:
            found.append(s.MoveView(at=event.at, start=start, end=to, case=event.case))
    return found


def _went(event: Event, own: Ways) -> str:
    if event.phase == "arrived":
        return IN
    if event.phase in GONE:
        return OUT
    node = next(iter(own.called(event.activity)), "")
    return _place(own, node) if node and event.phase in ("queued", "started") else ""


# stations


def station(ensemble: Ensemble, of: Station) -> s.StationView:
    """Return a station now and ahead."""
    now = gauges_of(ensemble.network, ensemble.present)
    return s.StationView(
        name=of.name, activities=activities(ensemble.network, of), pools=pools_of(of),
        queue=round(now[f"queue.{of.name}"]), busy=round(now[f"busy.{of.name}"]), oldest=round(now[f"oldest.{of.name}"], 1),
        promise=of.promise, risk=risk(ensemble, of), queue_fan=fan(ensemble.shown(f"queue.{of.name}")),
        oldest_fan=fan(ensemble.shown(f"oldest.{of.name}")),
    )  # fmt: skip


def activities(network: Network, of: Station) -> list[str]:
    """Return what is done at a station."""
    return sorted({node.name for node in network.nodes if isinstance(node, Task) and node.station == of.name})


def pools_of(of: Station) -> list[str]:
    """Return who may serve at a station."""
    return list(dict.fromkeys(name for team in of.teams for name in (team.pool, *team.with_)))


def fan(draws: np.ndarray) -> s.Fan:
    """Return quantiles of draws (time, member)."""
    rows = np.quantile(draws, LEVELS, axis=1)
    return {f"{level:g}": [round(float(v), 1) for v in row] for level, row in zip(LEVELS, rows, strict=True)}  # type: ignore[misc]


def risk(ensemble: Ensemble, of: Station) -> s.Risk | None:
    """Return the chance that somebody waits longer than promised within the hour; None where nothing is promised."""
    if of.promise is None:
        return None
    gauges, within = ensemble.run.gauges, ensemble.run.after <= SOON
    broken = (gauges[f"oldest.{of.name}"] > of.promise) | (gauges[f"breaches.{of.name}"] > 0)
    broken = np.asarray(broken)[within]
    ever = broken.any(axis=0)
    now = gauges_of(ensemble.network, ensemble.present)[f"oldest.{of.name}"] > of.promise
    first = ensemble.run.after[within][broken.argmax(axis=0)][ever]
    at = ensemble.now if now else ensemble.now + int(np.median(first)) if len(first) else None
    return s.Risk(chance=1.0 if now else round(float(ever.mean()), 3), broken=now, at=at)


# pools


def pools(ensemble: Ensemble) -> list[s.PoolView]:
    """Return how many of each pool serve and are there, now and ahead."""
    busy, gauges = busy_now(ensemble), ensemble.run.gauges
    return [
        s.PoolView(
            name=pool.name, kind=pool.kind, busy=busy[pool.name],
            there=round(float(np.asarray(gauges[f"here.pool.{pool.name}"])[0].mean()), 1),
            busy_ahead=_means(ensemble.shown(f"busy.pool.{pool.name}")),
            there_ahead=_means(ensemble.shown(f"here.pool.{pool.name}")),
        )
        for pool in ensemble.network.pools
    ]  # fmt: skip


def _means(draws: np.ndarray) -> list[float]:
    return [round(float(v), 2) for v in draws.mean(axis=1)]


def busy_now(ensemble: Ensemble) -> Counter[str]:
    """Return how many of each pool serve now; a service by who is not known counts for the first team."""
    found: Counter[str] = Counter()
    for token in ensemble.present.tokens:
        of = ensemble.station_of(token.node)
        if of is not None and token.status == SERVED and of.teams:
            team = of.teams[token.team if 0 <= token.team < len(of.teams) else 0]
            found.update((team.pool, *team.with_))
    return found
