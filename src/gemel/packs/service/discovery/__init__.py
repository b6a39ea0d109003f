"""Discovery: from a log to the network of a service, with what is uncertain about it and what could not be identified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gemel.facts import Time
from gemel.packs.service.discovery.arrivals import Came, arrivals_of
from gemel.packs.service.discovery.batches import batches_of
from gemel.packs.service.discovery.evidence import UNSEEN, Evidence, Note, evidence_of
from gemel.packs.service.discovery.flow import flow_of, ready
from gemel.packs.service.discovery.routing import Routed, routed
from gemel.packs.service.discovery.staff import Staff, staff_of, unseen
from gemel.packs.service.discovery.times import Timing, timing_of, waiting_since
from gemel.packs.service.discovery.zone import zone_of
from gemel.packs.service.log import Column, Log, Names
from gemel.process.control import Control
from gemel.process.duration import table_of
from gemel.process.network import Attribute, Customers, Network

CUSTOMERS = "case"
"""The class of all customers."""


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Found:
    """A network, the posterior of its rates, which activity each task is, what was seen and what could not be.

    `posterior` has, by the names that `simulate(scales=)` knows, mean and sd of the log of a multiplier. `counts` tells for
    each choice that goes by shares alone how often each way was taken; choices by rules are taken as known, as are delays.
    """

    network: Network
    posterior: Mapping[str, tuple[float, float]]
    report: tuple[Note, ...]
    activity: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]

    def scales(self, members: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return multipliers (members,) of each rate, drawn from the posterior."""
        return {name: np.exp(rng.normal(mean, sd, members)) for name, (mean, sd) in self.posterior.items()}

    def routes(self, at: Time, members: int, rng: np.random.Generator) -> tuple[Control, ...]:
        """Return levers that give each member its own shares of choices from a moment on, ms: Dirichlet of the counts.

        A share that n passages tell is known to about √(p(1 - p)/n); the mean is the network's (Rubin 1981,
        10.1214/aos/1176345338).
        """
        found: list[Control] = []
        for choice, counts in self.counts.items():
            shares = rng.dirichlet(list(counts.values()), members)
            found += [Control(at, "route", f"{choice}>{to}", shares[:, k]) for k, to in enumerate(counts)]
        return tuple(found)

    @property
    def unknown(self) -> tuple[Note, ...]:
        """Return what could not be identified, and why."""
        return tuple(note for note in self.report if note.kind == "unknown")


def discover(log: Log, *, seed: int = 0, name: str = "service", tell: Callable[[str], None] = _silent) -> Found:
    """Return the network that made a log, as far as the log tells; *tell* hears of each step."""
    rng = np.random.default_rng(seed)
    evidence = evidence_of(log)
    tell("the flow: what follows what, and what runs at once")
    level = flow_of(evidence)
    could = ready(evidence, level)
    tell("the hours: local time, arrivals, staff")
    zone = zone_of(evidence)
    came = arrivals_of(evidence, np.sort(evidence.arrived()), zone, CUSTOMERS)
    batches = batches_of(evidence, waiting_since(evidence, could.since))
    staff = staff_of(evidence, zone, batches.leading)
    tell("the times: work, delays, batches")
    timing = timing_of(evidence, staff, could, batches, rng)
    tell("the choices")
    ways = routed(evidence, level, timing.delays, rng)
    network = _network(name, log, zone, came, staff, timing, ways, evidence)
    return Found(network, _posterior(came, timing), tuple(evidence.notes), ways.activity, ways.counts)


def _network(
    name: str, log: Log, zone: str, came: Came, staff: Staff, timing: Timing, ways: Routed, evidence: Evidence
) -> Network:
    attributes = {name: _attribute(log.about[name]) for name in sorted(ways.used)}
    if len(attributes) > 1:
        evidence.unknown("attributes", f"{', '.join(attributes)} are drawn one apart from the other")
    customers = Customers(CUSTOMERS, came.arrivals, ways.entry, attributes=attributes)
    stations = tuple(timing.stations.values())
    needed = {pool for station in stations for team in station.teams for pool in (team.pool, *team.with_)}
    pools = tuple(pool for pool in (*staff.pools, unseen(zone)) if pool.name in needed)
    return Network(name, (customers,), ways.nodes, stations, pools)


def _attribute(column: Column) -> Attribute:
    if isinstance(column, Names):
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
        return Attribute(column.names, tuple((counts / counts.sum()).tolist()))
    return Attribute(numbers=table_of(column.tolist()))


def _posterior(came: Came, timing: Timing) -> dict[str, tuple[float, float]]:
    service = {f"service.{name}": (0.0, sd) for name, sd in timing.sd.items() if sd > 0}
    return {f"arrivals.{CUSTOMERS}": (0.0, came.sd)} | service


__all__ = ["CUSTOMERS", "UNSEEN", "Found", "Note", "discover"]
