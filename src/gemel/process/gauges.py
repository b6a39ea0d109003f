"""Gauges: what a service shows at one moment: who waits, for how long, who is served, how many are inside."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.facts import SECOND
from gemel.process.network import Network, Task
from gemel.process.present import SERVED, WAITING, Present

AT_ONCE = ("queue", "busy", "oldest")
"""Gauges of a station at one moment: how many wait, how many are served, the longest present wait in seconds."""

SINCE = ("served", "waited", "abandoned", "breaches")
"""Counts of a station since the beginning of a run: at the moment where it begins they are 0."""


def names_of(network: Network) -> tuple[str, ...]:
    """Return the names of all gauges of a network."""
    stations = [f"{kind}.{station.name}" for station in network.stations for kind in (*AT_ONCE, *SINCE)]
    return (*stations, "inside", "came", "left", "late", "cost")


def gauges_of(network: Network, present: Present) -> Mapping[str, float]:
    """Return what each gauge shows at the moment of *present*."""
    found = dict.fromkeys(names_of(network), 0.0)
    stations = {node.name: node.station for node in network.nodes if isinstance(node, Task)}
    for token in present.tokens:
        station = stations.get(token.node)
        if station is not None and token.status == WAITING:
            found[f"queue.{station}"] += 1
            waits = max(present.at - token.since, 0) / SECOND
            found[f"oldest.{station}"] = max(found[f"oldest.{station}"], waits)
        elif station is not None and token.status == SERVED:
            found[f"busy.{station}"] += 1
    found["inside"] = float(len(present.cases))
    return found
