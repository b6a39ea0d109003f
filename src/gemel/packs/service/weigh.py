"""Weigh: what designs of a service cost and feel like, under the draws that all of them share, and which none beats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.bank import Twin
from gemel.consent import ALL
from gemel.errors import BadInput, unknown
from gemel.experiment.search import Design, Frontier, search
from gemel.facts import DAY, MINUTE, Draft, Time
from gemel.packs.service.design import cost, wanted
from gemel.packs.service.options import Variant
from gemel.process.engine import Run, simulate
from gemel.process.network import Network
from gemel.process.present import empty

SEARCHED = "searched/1"
"""A search over designs on record: aims, what was tried with intervals (as `experiment.search.Frontier`), rosters."""

MONEY, HOURS = "money a day", "paid hours a day"
LET_DOWN, WAIT = "let-downs per 100", "mean wait in min"

Tell = Callable[[str, int, int], None]
"""Hears what goes on: what, how much is done, of how much."""

EVERY: Time = 15 * MINUTE
"""How often queues are looked at: their mean over time, by Little's law, is the mean wait, of those still waiting too."""

MOMENTS = 672
"""So many times they are looked at, at the most: every quarter of an hour of a week."""

LISTED = 500
"""So many designs are put on record, at the most: those that are most likely efficient."""


@dataclass(frozen=True)
class Trial:
    """What all designs are tried on: the service as it is, from when, for how long, and what is uncertain.

    `scales` maps multipliers of the engine to draws (n,) of what is known of them; each draw of a search takes one.
    """

    network: Network
    since: Time
    days: int = 7
    scales: Mapping[str, np.ndarray] | None = None

    @property
    def until(self) -> Time:
        """Return when it ends."""
        return self.since + self.days * DAY

    @property
    def aims(self) -> tuple[str, str, str]:
        """Return what is weighed, all of it better when smaller."""
        return (HOURS if _free(self.network) else MONEY, LET_DOWN, WAIT)


def priced(network: Network, prices: Mapping[str, float]) -> Network:
    """Return the network with what an hour of one unit of a pool costs; `*` is all that are not named."""
    names = [pool.name for pool in network.pools]
    for name in prices:
        if name != "*" and name not in names:
            raise unknown("pool", name, names)
    rest = prices.get("*")
    pools = tuple(
        replace(p, cost_per_hour=prices.get(p.name, p.cost_per_hour if rest is None else rest)) for p in network.pools
    )
    return replace(network, pools=pools)


def _free(network: Network) -> bool:
    return not any(pool.cost_per_hour for pool in network.pools)


def weighed(trial: Trial, network: Network, keys: Sequence[int]) -> np.ndarray:
    """Return the aims of one design (draw, 3), by simulation from empty; equal keys, equal draws.

    Where no hour has a price, each hour of each unit counts one. A customer is let down by each wait longer than promised, by
    giving up where nothing was promised, by a visit longer than promised as a whole, and by coming while it is closed.
    """
    scales = {name: values[np.asarray(keys) % len(values)] for name, values in (trial.scales or {}).items()}
    keep = ("cases",) if network.promise is not None else ()
    run = simulate(
        network, empty(trial.since), trial.until, members=len(keys), seed=keys[0], scales=scales, keep=keep, threads=1,
        every=max(EVERY, (trial.until - trial.since) // MOMENTS),
    )  # fmt: skip
    turned = sum(
        (wanted(a.arrivals, trial.since, trial.until) - wanted(b.arrivals, trial.since, trial.until))
        * scales.get(f"arrivals.{a.name}", 1.0)
        for a, b in zip(trial.network.customers, network.customers, strict=True)
    )
    came = np.asarray(run.gauges["came"][-1])
    down = 100 * (_broken(network, run) + _late(network, run, trial) + turned) / np.maximum(came + turned, 1)
    nobody = np.zeros((1, len(keys)))
    queues = sum((np.asarray(run.gauges[f"queue.{one.name}"]) for one in network.stations), nobody)
    waited = np.mean(queues, axis=0) * (trial.until - trial.since) / MINUTE / np.maximum(came, 1)
    return np.column_stack([np.full(len(keys), _daily(trial, network)), down, waited])


def _daily(trial: Trial, network: Network) -> float:
    told = priced(network, {"*": 1.0}) if _free(network) else network
    return cost(told, trial.since, trial.until) / trial.days


def _broken(network: Network, run: Run) -> np.ndarray:
    names = [f"{'abandoned' if one.promise is None else 'breaches'}.{one.name}" for one in network.stations]
    return np.asarray(np.sum([run.gauges[name][-1] for name in names], axis=0))


def _late(network: Network, run: Run, trial: Trial) -> np.ndarray:
    """Return how many stayed, or stay still, longer than the whole visit was promised to take (draw,)."""
    members = np.asarray(run.gauges["came"][-1]).shape[0]
    if network.promise is None or run.cases is None:
        return np.zeros(members)
    left = np.where(np.isfinite(run.cases["left"]), run.cases["left"], (trial.until - trial.since) / 1000)
    late = left - run.cases["arrived"] > network.promise
    return np.bincount(run.cases["member"][late], minlength=members).astype(float)


def best(
    trial: Trial, variants: Sequence[Variant], *, draws: int = 8, rounds: int = 3, seed: int = 0, tell: Tell | None = None
) -> Frontier:  # fmt: skip
    """Return the efficient frontier of designs; the first round has so many *draws*, each further one as many again."""
    if draws < 2 or rounds < 1:
        raise BadInput(f"{draws} draws in {rounds} rounds give no interval; 2 draws and 1 round at the least")
    networks = {one.name: one.network for one in variants}
    tried, whole = [0], len(variants) * rounds

    def evaluate(design: Design, keys: Sequence[int]) -> np.ndarray:
        found = weighed(trial, networks[design.name], keys)
        tried[0] += 1
        if tell is not None:
            tell("trying designs", tried[0], whole)
        return found

    designs = [Design(one.name, dict(one.values)) for one in variants]
    return search(designs, evaluate, trial.aims, first=draws, rounds=rounds, seed=seed)


def record(view: Twin, body: Mapping[str, Any]) -> int:
    """Put a search on a twin's record as `searched/1` and return its place; raise `Refused` to who may not write."""
    view.bank.gate.require(view.actor, "write", view.id, ALL, view.purpose)
    now, tried = view.bank.now(), body["tried"]
    least = sorted((one["efficient"] for one in tried), reverse=True)[:LISTED][-1]
    told = [one for one in tried if one["efficient"] >= least][:LISTED] if len(tried) > LISTED else tried
    kept = {**body, "tried": told, "designs": len(tried)}
    draft = Draft(view.id, SEARCHED, kept, now, view.actor, view.bank.evidence(view.id))
    return view.bank.append([draft]).facts[0].seq
