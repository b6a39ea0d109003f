"""Planner: the agent of a service in the live loop: it sees a broken promise coming, tries what could be done, and proposes.

What it chose of what is on record with the chance it had; in a small share of cases chance alone decides, so that what its
actions bring can be measured. Not every service has the same means: candidates follow from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Intervention, Situation
from gemel.loop.agents import Weighed
from gemel.packs.service.actions import Action, controls
from gemel.packs.service.advise import Extra, Felt, Promised, Proposal, View, advise, fork
from gemel.packs.service.guards import Rules, unfair
from gemel.packs.service.propensity import NOTHING, choose
from gemel.process.engine import Control
from gemel.process.network import Network, Station
from gemel.process.service import PRESENT, Service, held

HORIZON: Time = HOUR
MEMBERS = 64
SLOT: Time = 10 * MINUTE
"""Chance decides anew in each such stretch of time, not at each turn of the loop."""

WORTH = 8.0
"""Money that a kept promise is worth, where a service does not say otherwise."""

AT_RISK = 0.5
"""Expected broken promises within the horizon from which on something is tried."""

PEOPLE = (1, 2)
HOLD_S = 3600.0

Candidates = Callable[[Network, Felt, Situation], Sequence[tuple[Action, ...]]]


@dataclass(frozen=True)
class Known:
    """What is known of one service beyond its network: its own means, its promises by class, what is due before any queue."""

    means: Candidates | None = None
    promised: Promised | None = None
    due: Callable[[Situation], Sequence[tuple[Action, str]]] = lambda situation: ()


def known(network: Network) -> Known:
    """Return what is known of a service; nothing of most."""
    if network.name == "contact centre":
        from gemel.packs.service.centre import means, promised

        return Known(lambda network, usual, situation: means.candidates(usual, situation.now, ()), promised)
    if network.name == "patient flow":
        from gemel.packs.service.hospital import due, help_now, promised

        return Known(promised=promised, due=lambda situation: [*help_now(situation), *due(situation)])
    return Known()


def plan(
    situation: Situation, means: Candidates | None = None, promised: Promised | None = None, rules: Rules | None = None
) -> Sequence[Weighed]:
    """Return what was chosen, or nothing where no promise is at risk or nothing would help.

    By default people are called in and moved, promises are those of the stations.
    """
    view = view_of(situation, promised)
    if view is None:
        return ()
    own = known(view.network)
    due = [maintained(action, reason, situation.now) for action, reason in own.due(situation)]
    if due:
        return due
    if any(situation.now - SLOT < dose.at <= situation.now for dose in situation.doses):
        return ()  # what was just done must show first
    view = replace(view, promised=promised or own.promised or view.promised)
    usual = fork(view)
    if usual.breaches.sum(1).mean() < AT_RISK:
        return ()
    standing = {(kind, target) for kind, target, *_ in held_of(situation) if _turned(kind, target, situation)}
    options = (means or own.means or usual_means)(view.network, usual, situation)
    fresh = [acts for acts in options if not any((c.kind, c.target) in standing for c in controls(acts, view.now))]
    ranked = advise(view, fresh, worth=WORTH, usual=usual)
    free = {one.title: one for one in ranked if one.score > 0 and unfair(one, rules or Rules()) is None}
    if not free:
        return ()
    slot = situation.now // SLOT * SLOT
    choice = choose({name: one.score for name, one in free.items()}, view.seed, situation.twin, slot)
    body = choice.body() | {"situation": dict(situation.state), "expected": [one.body() for one in ranked[:5]]}
    if choice.action == NOTHING:
        return (Weighed(body),)
    taken = free[choice.action]
    level = min((rules or Rules()).of(action.kind) for action in taken.actions)
    return (Weighed(body, intervention(taken, view, held_of(situation)), why(taken, usual), autonomy=level),)


def view_of(situation: Situation, promised: Promised | None) -> View | None:
    """Return the service as it is believed to be now, ready for forks; None for a twin of something else."""
    trial = situation.trial
    if trial is None or not isinstance(trial.dynamics, Service):
        return None
    service, belief = trial.dynamics, trial.belief
    now, present = int(belief.at[0]), belief.values[PRESENT][0, 0]
    standing = _standing(service.controls(belief, 0, ()), now)
    scales = {name: np.resize(value[0], MEMBERS) for name, value in service.scales(belief).items()}
    return View(
        service.network, present.moved(max(now, present.at)), promised or by_station(service.network), scales,
        extra=standing, horizon=HORIZON, members=MEMBERS, seed=crc32(situation.twin.encode()),
    )  # fmt: skip


def _standing(told: Sequence[Control], now: Time) -> tuple[Extra, ...]:
    """Return levers that do not rest, and people who are there beyond the calendar, as changes for the time to come."""
    return tuple(
        (one.kind, one.target, now, now + HORIZON, float(np.mean(one.value)) - REST.get(one.kind, 0.0)) for one in told
    )


def _turned(kind: str, target: str, situation: Situation) -> bool:
    """Return whether a lever does not rest: what it does is being done already."""
    trial = situation.trial
    value = held(trial.belief).get(f"{kind}.{target}", 0.0) if trial is not None else 0.0
    return value != REST.get(kind, 0.0)


def maintained(action: Action, reason: str, now: Time) -> Weighed:
    """Return what is due anyhow: nothing was left to chance."""
    title = str(action)
    option = {"title": title, "chance": 1.0}
    body = {"chosen": title, "propensity": 1.0, "options": [option], "held_out": False}
    doses = tuple(Dose(f"{one.kind}.{one.target}", float(one.value), one.at) for one in controls([action], action.at))
    return Weighed(body, Intervention(title, doses), reason, max(action.at - now, SLOT), Rules().of(action.kind))


def held_of(situation: Situation) -> tuple[Extra, ...]:
    """Return the levers that do not rest, as the asset was told, without the people who happen to be there."""
    trial = situation.trial
    if trial is None or not isinstance(trial.dynamics, Service):
        return ()
    turned = [(lever.partition("."), value) for lever, value in held(trial.belief).items()]
    told = [Control(situation.now, kind, target, value) for (kind, _, target), value in turned]
    return _standing(told, situation.now)


REST: Mapping[str, float] = {"open": 1.0, "patience": 1.0, "arrivals": 1.0, "pace": 1.0}
"""What levers say while nothing acts, where that is not 0."""


def by_station(network: Network) -> Promised:
    """Return the promised wait of each task: that of its station."""
    promises = {node.name: network.station(node.station).promise for node in network.nodes if hasattr(node, "station")}
    return lambda node, customers: promises.get(node) or float("inf")


def usual_means(network: Network, usual: Felt, situation: Situation) -> Sequence[tuple[Action, ...]]:
    """Return people called in, or moved from another pool, for each station whose promise is at risk."""
    now, found = situation.now, list[tuple[Action, ...]]()
    for station in network.stations:
        if station.promise is None or not risky(situation, station):
            continue
        pool = station.teams[0].pool
        others = [one.name for one in network.pools if one.name != pool and one.kind == "people"]
        found += [(Action("add", pool, float(n), now, HOLD_S),) for n in PEOPLE]
        found += [(Action("move", f"{other}>{pool}", float(n), now, HOLD_S),) for other in others for n in PEOPLE]
    return found


def risky(situation: Situation, station: Station) -> bool:
    """Return whether the forecast sees the promise of a station broken within the horizon with a chance of one in ten."""
    forecast = situation.forecasts.get(f"oldest.{station.name}")
    if forecast is None or station.promise is None:
        return False
    steps = np.array(forecast.at) <= situation.now + HORIZON
    return bool((forecast.at_level(0.9)[steps] > station.promise).any())


def intervention(proposal: Proposal, view: View, held: Sequence[Extra]) -> Intervention:
    """Return a proposal as doses of levers: what the engine was told in the fork, of the levers that it turns."""
    own = {(one.kind, one.target) for one in controls(proposal.actions, view.now)}
    told = [one for one in controls(proposal.actions, view.now, held) if (one.kind, one.target) in own]
    doses = tuple(Dose(f"{one.kind}.{one.target}", float(one.value), one.at) for one in told)
    return Intervention(proposal.title, doses, expected(proposal))


def expected(proposal: Proposal) -> str:
    """Return what is expected of a proposal, in words."""
    low, high = proposal.spread
    return (
        f"{proposal.prevented.value:.1f} fewer waits beyond the promise within the hour "
        f"(90 %: {low:.0f} to {high:.0f}), for {proposal.cost:.0f}"
    )


def why(proposal: Proposal, usual: Felt) -> str:
    """Return why something is proposed, in one sentence."""
    broken = float(usual.breaches.sum(1).mean())
    return f"{broken:.1f} customers of the next hour are expected to wait longer than they were promised"
