"""The twin type of a service, made from its network: gauges are signals, staff and ways are levers, promises are bands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from gemel.dynamics import Dose, Plan
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Alarm, Field, Form, Metric, Scenario, Situation
from gemel.packs.service.guards import GUARDS
from gemel.process.gauges import AT_ONCE, SINCE
from gemel.process.network import Network, Station
from gemel.process.network_json import body_of, network_of
from gemel.process.service import Service
from gemel.twintype import Asset, Autonomy, Level, Lever, Scope, Signal, TwinType

MAKER = "service"
"""What a spec calls this module."""

CADENCE: Time = 5 * MINUTE
MOST = 1e7

LABELS = {
    "queue": "waiting", "busy": "being served", "oldest": "longest present wait", "served": "served",
    "waited": "waited in all", "abandoned": "gave up", "breaches": "waited longer than promised",
}  # fmt: skip

RISK = 0.5
"""The quantile of the forecast that must keep the promise, or an alarm is raised before it is broken: more likely than not."""

SOON: Time = HOUR
"""How far ahead alarms look: what may happen later can still be met later."""


def service_type(
    network: Network, spread: Mapping[str, float] | None = None, members: int = 128,
    watched: Mapping[str, tuple[str, str]] | None = None,
) -> TwinType:  # fmt: skip
    """Return the type of the twins of one service; *spread* is how uncertain each multiplier is (`process.service`).

    *watched* names what equipment itself tells, beside the gauges: unit and label, as of a scanner's wear.
    """
    spread, told = dict(spread or {}), {name: list(pair) for name, pair in (watched or {}).items()}
    sensed = {name: Signal(unit, 0, MOST, CADENCE, label) for name, (unit, label) in told.items()}
    return TwinType(
        name=f"service.{network.name}", asset=Asset.PROCESS, scope=Scope.ORGANISATION,
        level=Level(fidelity=2, connectedness=3, learning=2, autonomy=Autonomy.APPROVE),
        dynamics=Service(network, spread), signals={**_signals(network), **sensed}, levers=_levers(network),
        metrics=_metrics(network),
        guards=GUARDS, alarms={f"promise:{one.name}": _alarm(one) for one in _promising(network)},
        scenarios=_forms(network), band=_band(network), members=members,
        spec={"maker": MAKER, "network": body_of(network), "spread": spread, "members": members, "watched": told},
    )  # fmt: skip


def make(spec: Mapping[str, Any]) -> TwinType:
    """Return the type that a spec describes."""
    watched = {name: (unit, label) for name, (unit, label) in spec["watched"].items()}
    return service_type(network_of(spec["network"]), spec["spread"], spec["members"], watched)


def _promising(network: Network) -> list[Station]:
    return [station for station in network.stations if station.promise is not None]


def _signals(network: Network) -> dict[str, Signal]:
    """Return the gauges; counts since the beginning of a run are for comparing futures."""
    found = {}
    for station in network.stations:
        for kind in (*AT_ONCE, *SINCE):
            unit = "s" if kind in ("oldest", "waited") else "count"
            found[f"{kind}.{station.name}"] = Signal(unit, 0, MOST, CADENCE, f"{station.name}: {LABELS[kind]}")
    found["inside"] = Signal("count", 0, MOST, CADENCE, "customers inside")
    for name, label in (("came", "came"), ("left", "left"), ("late", "left later than promised")):
        found[name] = Signal("count", 0, MOST, CADENCE, label)
    return found | {"cost": Signal("count", 0, 1e12, CADENCE, "cost")}


def _band(network: Network) -> dict[str, tuple[float, float]]:
    """Return the waits that were promised; where nothing is promised, how many are inside is watched."""
    found = {f"oldest.{one.name}": (0.0, one.promise or 0.0) for one in _promising(network)}
    return found or {"inside": (0.0, MOST)}


def _levers(network: Network) -> dict[str, Lever]:
    """Return what acts on the service: people beside the calendar, open stations, ways, and equipment set aside."""
    found = {
        f"staff.{pool.name}": Lever("count", -500, 500, 0, f"{pool.name}: people added", holds=True)
        for pool in network.pools
    }
    found |= {f"away.{pool.name}": Lever("s", 0, 1e6, 0, f"{pool.name}: one set aside") for pool in network.pools}
    for station in network.stations:
        found[f"open.{station.name}"] = Lever("count", 0, 1, 0, f"{station.name}: open", holds=True)
        found[f"patience.{station.name}"] = Lever("count", 0, 10, 0, f"{station.name}: told the wait", holds=True)
    for group in network.customers:
        found[f"arrivals.{group.name}"] = Lever("count", 0, 10, 0, f"{group.name}: arrivals moved", holds=True)
        found[f"compensate.{group.name}"] = Lever("count", 0, 1e6, 0, f"{group.name}: money given to who was let down")
    for node in network.nodes:
        for way in sorted({name for rule in getattr(node, "rules", ()) for name in rule.to}):
            found[f"route.{node.name}>{way}"] = Lever("count", 0, 1e6, 0, f"{node.name}: way to {way}", holds=True)
    return found


def _metrics(network: Network) -> dict[str, Metric]:
    """Return how a stretch of time is judged: promises broken, customers lost, waits, money."""
    found = {}
    for station in network.stations:
        name = station.name
        if station.promise is not None:
            found[f"breaches {name}"] = Metric(
                f"breaches.{name}", "count", "lower", _last, f"{name}: waits longer than promised"
            )
        if station.patience:
            found[f"abandoned {name}"] = Metric(f"abandoned.{name}", "count", "lower", _last, f"{name}: gave up")
        found[f"longest wait {name}"] = Metric(f"oldest.{name}", "s", "lower", _most, f"{name}: longest wait")
    found["late"] = Metric("late", "count", "lower", _last, "left later than promised")
    return found | {"cost": Metric("cost", "count", "lower", _last, "cost")}


def _last(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[-1])


def _most(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.max(axis=0))


def _alarm(station: Station) -> Alarm:
    return partial(foreseen, station)


def foreseen(station: Station, situation: Situation) -> tuple[str, str] | None:
    """Say so before customers wait longer at *station* than they were promised, and when they do."""
    promise, forecast = station.promise, situation.forecasts.get(f"oldest.{station.name}")
    if promise is None or forecast is None:
        return None
    wait = situation.state.get(f"oldest.{station.name}", 0.0)
    if wait > promise:
        return "urgent", f"{station.name}: a customer waits {wait / 60:.0f} min, {promise / 60:.0f} were promised"
    soon = np.array(forecast.at) <= situation.now + SOON
    late = np.flatnonzero((forecast.at_level(RISK) > promise) & soon)
    if not len(late):
        return None
    ahead = (forecast.at[int(late[0])] - situation.now) / MINUTE
    return "warning", f"{station.name}: in {ahead:.0f} min a wait may grow past the promised {promise / 60:.0f} min"


# what can be supposed


def _forms(network: Network) -> dict[str, Form]:
    found = {f"staff {pool.name}": _staff_form(pool.name) for pool in network.pools}
    found |= {
        f"demand {group.name}": _factor_form("arrivals", group.name, "times as many come")
        for group in network.customers
    }
    return found | {
        f"pace {one.name}": _factor_form("pace", one.name, "times as long per customer") for one in network.stations
    }


def _staff_form(pool: str) -> Form:
    fields = (
        Field("people", "people added", "count", -100, 100, 1),
        Field("after", "after", "h", 0, 24, 0, 0.25),
        Field("hours", "for", "h", 0.25, 240, 2, 0.25),
    )
    return Form(f"{pool}: more or fewer people", fields, partial(staffed, pool))


def staffed(pool: str, people: float = 1, after: float = 0, hours: float = 2) -> Scenario:
    """Suppose people added to a pool, or taken away, for some hours."""
    return _for_a_while(f"{people:+g} {pool}", f"staff.{pool}", people, 0.0, after, hours)


def _factor_form(kind: str, target: str, what: str) -> Form:
    fields = (
        Field("factor", what, "count", 0, 10, 1.2, 0.05),
        Field("after", "after", "h", 0, 24, 0, 0.25),
        Field("hours", "for", "h", 0.25, 240, 8, 0.25),
    )
    return Form(f"{target}: {what}", fields, partial(scaled, kind, target))


def scaled(kind: str, target: str, factor: float = 1.2, after: float = 0, hours: float = 8) -> Scenario:
    """Suppose more or fewer arrivals of a class, or longer or shorter service at a station, for some hours."""
    return _for_a_while(f"{target} × {factor:g}", f"{kind}.{target}", factor, 1.0, after, hours)


def _for_a_while(name: str, lever: str, value: float, rest: float, after: float, hours: float) -> Scenario:
    def revise(plan: Plan, now: Time) -> Plan:
        start = now + round(after * HOUR)
        return [*plan, Dose(lever, value, start), Dose(lever, rest, start + round(hours * HOUR))]

    return Scenario(name, revise)
