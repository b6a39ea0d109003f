"""Planner: the agent of a service in the live loop: it sees a broken promise coming, tries what could be done, and proposes.

What it chose of what is on record with the chance it had; in a small share of cases chance alone decides, so that what its
actions bring can be measured. Not every service has the same means (`means.Means`); `pilot` uses the same pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from zlib import crc32

import numpy as np

from gemel.bank.twin import PROPOSAL_LASTS
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.intervention import Intervention, Situation
from gemel.loop.agents import Weighed
from gemel.packs.service.actions import REST, Action, controls, doses
from gemel.packs.service.advise import Extra, Felt, Promised, Proposal, View, advise, fork
from gemel.packs.service.estimate import Estimate
from gemel.packs.service.guards import Rules, money_of, sorted_out
from gemel.packs.service.means import AT_RISK, Acts, Here, Look, Means, Opening, closed, opened
from gemel.packs.service.propensity import NOTHING, choose
from gemel.packs.service.remedy import SOON, offers, overdue, repairs
from gemel.process.engine import Control
from gemel.process.network import Network, Station
from gemel.process.service import PRESENT, Service, held

HORIZON: Time = HOUR
MEMBERS = 64
SLOT: Time = 10 * MINUTE
"""Chance decides anew in each such stretch of time, not at each turn of the loop."""

PEOPLE = (1, 2)
HOLD_S = 3600.0


def means_of(network: Network) -> Means:
    """Return a service's own means, or people called in and moved, and stations opened that were closed."""
    if network.name in ("contact centre", "contact centre calls"):
        from gemel.packs.service.centre.means import MEANS as CENTRE

        return CENTRE
    if network.name == "patient flow":
        from gemel.packs.service.hospital.means import MEANS as HOSPITAL

        return HOSPITAL
    return Means((Look("queue", usual_means),), openings=tuple(Opening(one.name) for one in network.stations))


# what the live loop and the pilot share


@dataclass(frozen=True)
class Considered:
    """What came of one question: what is coming as usual, what was tried, what may be done of it, and why the rest may not."""

    look: Look
    view: View
    usual: Felt
    ranked: Sequence[Proposal]
    free: Sequence[Proposal]
    refused: Mapping[str, str]


def considered(view: View, look: Look, means: Means, here: Here, rules: Rules) -> Considered | None:
    """Return what could be done about a question, tried on forks; None where no promise is at risk, or nothing is possible."""
    view = replace(view, horizon=look.horizon)
    usual = fork(view)
    if usual.breaches.sum(1).mean() < AT_RISK:
        return None
    tried = fresh([*look.options(view, usual, here), *opened(means, here)], view, here)
    return _ranked(view, look, means, usual, tried, here, rules) if tried else None


def repaired(view: View, means: Means, here: Here, rules: Rules, also: Sequence[Action] = ()) -> Considered | None:
    """Return what could be given to who is let down for certain even if *also* is done; None where nobody is."""
    waits = overdue(view, means.remedies, _settled(here))
    if not waits:
        return None
    view = replace(view, standing=(*view.standing, *also))
    usual = fork(view)
    tried = offers(view, usual, means.remedies, waits, here.left)
    return _ranked(view, REPAIR, means, usual, tried, here, rules) if tried else None


REPAIR = Look("repair", lambda view, usual, here: ())
"""The question of whom to compensate, asked once it is known what else is done."""


def _ranked(
    view: View, look: Look, means: Means, usual: Felt, tried: Sequence[Acts], here: Here, rules: Rules
) -> Considered:  # fmt: skip
    ranked = advise(view, tried, worth=means.worth, usual=usual, besides=partial(_besides, view, means))
    return Considered(look, view, usual, ranked, *sorted_out(ranked, rules, max(rules.money_per_day - here.left, 0.0)))


def _besides(view: View, means: Means, acts: Acts) -> Estimate | None:
    """Return what actions are worth beside the waits: customers kept, or else repairs spared."""
    kept, machines = repairs(means.remedies, acts), view.machines
    return machines.spared(acts, view.now + view.horizon) if kept is None and machines is not None else kept


def _settled(here: Here) -> dict[str, Time]:
    """Return by class until when broken promises were met: whoever was let down then has been given something."""
    given = {name: at for name, at in here.turned.items() if name.startswith("compensate.")}
    return {name.partition(".")[2]: at + SOON for name, at in given.items()}


def fresh(options: Sequence[Acts], view: View, here: Here) -> list[Acts]:
    """Return the options of which nothing is being done already."""
    return [acts for acts in options if not any((c.kind, c.target) in here.busy for c in controls(acts, view.now))]


# in the live loop


def plan(situation: Situation, means: Means | None = None, rules: Rules | None = None) -> Sequence[Weighed]:
    """Return what was chosen to shorten waits, or nothing where no promise is at risk or nothing would help."""
    rules = rules or Rules()
    seen = None if _just_done(situation) else _seen(situation, means, rules)  # what was just done must show first
    if seen is None:
        return ()
    view, means, here = seen
    told = [considered(view, look, means, here, rules) for look in means.looks if look.when(here)]
    return [chosen(one, situation, here, rules) for one in told if one is not None and one.free]


def amend(situation: Situation, means: Means | None = None, rules: Rules | None = None) -> Sequence[Weighed]:
    """Return what was chosen to give to those who are let down for certain, whatever else is being done.

    It is an agent of its own: an offer that waits for somebody's word must not hold back what shortens waits.
    """
    rules = rules or Rules()
    seen = _seen(situation, means, rules)
    told = None if seen is None else repaired(*seen, rules)
    return () if seen is None or told is None or not told.free else (chosen(told, situation, seen[2], rules),)


def _seen(situation: Situation, means: Means | None, rules: Rules) -> tuple[View, Means, Here] | None:
    view = view_of(situation)
    if view is None:
        return None
    means = means or means_of(view.network)
    here = here_of(situation, view, rules)
    return means.sharpen(replace(view, promised=means.promised or view.promised), here), means, here


def _just_done(situation: Situation) -> bool:
    return any(
        situation.now - SLOT < dose.at <= situation.now and not dose.lever.startswith("compensate.")
        for dose in situation.doses
    )


def chosen(told: Considered, situation: Situation, here: Here, rules: Rules) -> Weighed:
    """Return one of what may be done, or nothing, as chance and gain decide, with its record."""
    free, slot = {one.title: one for one in told.free}, situation.now // SLOT * SLOT
    scores = {name: one.score for name, one in free.items()}
    choice = choose(scores, told.view.seed, f"{situation.twin}/{told.look.name}", slot)
    expects = [one.body() for one in told.ranked[:5]]
    body = choice.body() | {
        "situation": dict(situation.state), "expected": expects, "refused": dict(told.refused), "look": told.look.name
    }  # fmt: skip
    if choice.action == NOTHING:
        return Weighed(body)
    taken = free[choice.action]
    level = min(rules.of(action.kind) for action in taken.actions)
    lasts = max(PROPOSAL_LASTS, min(action.works for action in taken.actions) - situation.now)
    reason = told.look.reason(here) + why(taken, told.usual, told.view.horizon)
    what = intervention(taken, told.view, held_of(situation))
    return Weighed(body, what, reason, lasts, level)


def view_of(situation: Situation, promised: Promised | None = None) -> View | None:
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


def here_of(situation: Situation, view: View, rules: Rules) -> Here:
    """Return what means are asked about, from a situation of the live loop."""
    turned = {dose.lever: dose.at for dose in sorted(situation.doses, key=lambda dose: dose.at)}
    today = [dose for dose in situation.doses if dose.at >= situation.now - situation.now % DAY]
    return Here(
        view.now, {name: found[-1].value for name, found in situation.readings.items() if found}, turned,
        left=rules.money_per_day - money_of(today, situation.now), closed=closed(view), busy=_busy(situation),
        risky=frozenset(one.name for one in view.network.stations if risky(situation, one)),
    )  # fmt: skip


def _busy(situation: Situation) -> frozenset[tuple[str, str]]:
    """Return the levers that do not rest; to open what somebody closed is not being done already."""
    return frozenset((kind, target) for kind, target, _, _, change in held_of(situation) if change and kind != "open")


def _standing(told: Sequence[Control], now: Time) -> tuple[Extra, ...]:
    """Return levers that do not rest, and people who are there beyond the calendar, as changes for the time to come.

    A station that is closed stays closed beyond any fork, so that what opens it for an hour does not open it for good.
    """
    return tuple(
        (one.kind, one.target, now, now + (DAY if one.kind == "open" else HORIZON), float(np.mean(one.value)) - REST[one.kind])
        for one in told if one.kind in REST
    )  # fmt: skip


def held_of(situation: Situation) -> tuple[Extra, ...]:
    """Return the levers that do not rest, as the asset was told, without the people who happen to be there."""
    trial = situation.trial
    if trial is None or not isinstance(trial.dynamics, Service):
        return ()
    turned = [(lever.partition("."), value) for lever, value in held(trial.belief).items()]
    told = [Control(situation.now, kind, target, value) for (kind, _, target), value in turned]
    return _standing(told, situation.now)


def by_station(network: Network) -> Promised:
    """Return the promised wait of each task: that of its station."""
    promises = {node.name: network.station(node.station).promise for node in network.nodes if hasattr(node, "station")}
    return lambda node, customers: promises.get(node) or float("inf")


def usual_means(view: View, usual: Felt, here: Here) -> Sequence[Acts]:
    """Return people called in, or moved from another pool, for each station whose promise is at risk."""
    network, now, found = view.network, view.now, list[Acts]()
    for station in network.stations:
        if station.promise is None or station.name not in here.risky:
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


def intervention(proposal: Proposal, view: View, extra: Sequence[Extra] = ()) -> Intervention:
    """Return a proposal as doses of levers: what the engine was told in the fork, of the levers that it turns."""
    return Intervention(proposal.title, doses(proposal.actions, view.now, extra), expected(proposal, view.horizon))


def expected(proposal: Proposal, horizon: Time = HORIZON) -> str:
    """Return what is expected of a proposal, in words."""
    low, high = proposal.spread
    fewer = f"{proposal.prevented.value:.1f} fewer waits beyond the promise within {_hours(horizon)}"
    gain, told = proposal.besides, f"{fewer} (90 %: {low:.0f} to {high:.0f})"
    if gain is not None:
        told = "no shorter wait" if _given(proposal) else told
        told += f"; {gain.name}: {gain.value:.0f} in money ({gain.low:.0f} to {gain.high:.0f})"
    return f"{told}, for {proposal.cost:.0f}"


def _given(proposal: Proposal) -> bool:
    return all(action.kind == "compensate" for action in proposal.actions)


def _hours(horizon: Time) -> str:
    return "the hour" if horizon == HOUR else f"{horizon / HOUR:g} hours"


def why(proposal: Proposal, usual: Felt, horizon: Time = HORIZON) -> str:
    """Return why something is proposed, in one sentence."""
    if _given(proposal):
        count = sum(one.counts for one in proposal.actions)
        return f"{count:.0f} were promised a wait that is broken for certain, whatever else is done"
    broken, within = float(usual.breaches.sum(1).mean()), _hours(horizon).replace("the hour", "the next hour")
    return f"{broken:.1f} customers of {within} are expected to wait longer than they were promised"
