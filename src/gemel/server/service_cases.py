"""The customers inside a service: where each is, how long she will be, and the ways that her journey may go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from gemel.bank import Replica
from gemel.dynamics import Event
from gemel.facts import Time
from gemel.process.present import DELAYED, JOINED, SERVED, WAITING, Case, Token
from gemel.server import service_schema as s
from gemel.server.ensemble import Ensemble

STATUS = {WAITING: "waiting", SERVED: "served", DELAYED: "elsewhere", JOINED: "joining"}
MOST = 300
"""How many customers are listed."""

STEPS, PATHS, LIKELY = 6, 5, 0.01
"""How many steps of a pathway are told, how many pathways, and from which chance on a next step is."""

SPREAD = (0.1, 0.5, 0.9)


def listed(ensemble: Ensemble, only: Iterable[str] | None = None) -> s.ServiceCases:
    """Return who is inside, who has been longest first; *only* those, where not all may be told of."""
    wanted = None if only is None else set(only)
    cases = [(k, case) for k, case in enumerate(ensemble.present.cases) if wanted is None or case.id in wanted]
    cases.sort(key=lambda one: (one[1].arrived, one[1].id))
    shown = views(ensemble, [k for k, _ in cases[:MOST]])
    return s.ServiceCases(
        now=ensemble.now, total=len(cases), more=max(len(cases) - MOST, 0), cases=shown, own=sorted(wanted or ())
    )


def views(ensemble: Ensemble, places: Sequence[int]) -> list[s.CaseView]:
    """Return the cases at these places of the present."""
    left, breach = _left(ensemble), _breaches(ensemble)
    tokens: dict[str, list[Token]] = {}
    for token in ensemble.present.tokens:
        tokens.setdefault(token.case, []).append(token)
    cases = ensemble.present.cases
    return [
        _view(ensemble, cases[k], tokens.get(cases[k].id, []), left[:, k], None if breach is None else breach[:, k])
        for k in places
    ]  # fmt: skip


def _view(
    ensemble: Ensemble, case: Case, tokens: Sequence[Token], left: np.ndarray, breach: np.ndarray | None
) -> s.CaseView:
    return s.CaseView(
        id=case.id, customers=case.customers, arrived=int(case.arrived), places=[_place(ensemble, one) for one in tokens],
        remaining=spread(left), breach=None if breach is None else round(float(breach.mean()), 3),
    )  # fmt: skip


def _place(ensemble: Ensemble, token: Token) -> s.CasePlace:
    station = ensemble.station_of(token.node)
    since = token.started if token.status == SERVED and token.started is not None else token.since
    return s.CasePlace(
        activity=token.node, station=station.name if station else None, status=STATUS[token.status],  # type: ignore[arg-type]
        since=int(since),
    )  # fmt: skip


def spread(values: np.ndarray) -> s.Spread:
    """Return quantiles of 10, 50 and 90 %, where infinity is beyond what is foreseen."""
    low, mid, high = np.quantile(values, SPREAD, method="inverted_cdf") if len(values) else [np.inf] * 3
    return _told(low), _told(mid), _told(high)


def _told(value: float) -> float | None:
    return round(float(value), 1) if np.isfinite(value) else None


def _left(ensemble: Ensemble) -> np.ndarray:
    """Return when each who is inside leaves (member, case) s, infinity where that is beyond the run."""
    many, cases = len(ensemble.present.cases), ensemble.run.cases
    assert cases is not None
    found = np.full((ensemble.belief.members, many), np.inf)
    own = cases[(cases["index"] >= 0) & (cases["index"] < many)]
    found[own["member"], own["index"]] = np.where(np.isnan(own["left"]), np.inf, own["left"])
    return found


def _breaches(ensemble: Ensemble) -> np.ndarray | None:
    """Return whether each who is inside waits, or stays, longer than promised (member, case); None if nothing is promised."""
    network, many, visits = ensemble.network, len(ensemble.present.cases), ensemble.run.visits
    promises = np.array([np.inf if one.promise is None else one.promise for one in network.stations])
    if network.promise is None and not np.isfinite(promises).any():
        return None
    assert visits is not None
    found = np.zeros((ensemble.belief.members, many), bool)
    own = visits[visits["case"] < many]
    late = _waits(ensemble, own) > promises[own["station"]]
    found[own["member"][late], own["case"][late]] = True
    if network.promise is not None:
        inside = np.array([(ensemble.now - case.arrived) / 1000 for case in ensemble.present.cases])
        horizon = float(ensemble.run.after[-1]) / 1000
        found |= inside[None] + np.minimum(_left(ensemble), horizon) > network.promise
    return found


def _waits(ensemble: Ensemble, visits: np.ndarray) -> np.ndarray:
    """Return how long each visit waits (s); one that still does at the end, until then."""
    over = np.where(np.isnan(visits["started"]), visits["ended"], visits["started"])
    over = np.where(np.isnan(over), float(ensemble.run.after[-1]) / 1000, over)
    return np.asarray(np.maximum(over - visits["ready"], 0.0))


# one of them


def history(replica: Replica, case: str) -> list[Event]:
    """Return what happened to one customer, in order."""
    own = (entry for entry in replica.events if entry[1] == case)
    return [Event(case, phase, at, activity, resource) for at, _, phase, activity, resource, _, _ in own]


def journey(ensemble: Ensemble, case: str, events: Sequence[Event], resources: bool) -> s.CaseJourney:
    """Return one customer's way so far and ahead."""
    place = next((k for k, one in enumerate(ensemble.present.cases) if one.id == case), None)
    told = [
        s.CaseEvent(at=one.at, phase=one.phase, activity=one.activity, resource=one.resource if resources else "")
        for one in events if one.at <= ensemble.now
    ]  # fmt: skip
    until = ensemble.now + int(ensemble.run.after[-1])
    if place is None:
        return s.CaseJourney(id=case, now=ensemble.now, until=until, past=told, ahead=[], pathways=[])
    own = _visits(ensemble, place)
    return s.CaseJourney(
        id=case, now=ensemble.now, until=until, case=views(ensemble, [place])[0], past=told,
        ahead=ahead(ensemble, own), pathways=pathways(ensemble, own, _left(ensemble)[:, place]),
    )  # fmt: skip


def leaves(ensemble: Ensemble, case: str) -> float:
    """Return the chance that a customer leaves within the run: 1 for one who has left."""
    place = next((k for k, one in enumerate(ensemble.present.cases) if one.id == case), None)
    return 1.0 if place is None else float(np.isfinite(_left(ensemble)[:, place]).mean())


def _visits(ensemble: Ensemble, place: int) -> np.ndarray:
    """Return the visits of a case that are still to come, by member and in order."""
    visits = ensemble.run.visits
    assert visits is not None
    own = visits[(visits["case"] == place) & (visits["ready"] > 0)]
    return np.asarray(own[np.lexsort((own["ready"], own["member"]))])


def ahead(ensemble: Ensemble, own: np.ndarray) -> list[s.NextStep]:
    """Return what may come next, the soonest first."""
    found = []
    for node in np.unique(own["node"]):
        visits = own[own["node"] == node]
        _, first = np.unique(visits["member"], return_index=True)
        chance = len(first) / ensemble.belief.members
        if chance >= LIKELY:
            found.append((float(np.median(visits["ready"][first])), _step(ensemble, visits[first], chance)))
    return [step for _, step in sorted(found, key=lambda one: (one[0], one[1].activity))]


def _step(ensemble: Ensemble, visits: np.ndarray, chance: float) -> s.NextStep:
    name = ensemble.network.nodes[int(visits["node"][0])].name
    station = ensemble.station_of(name)
    low, mid, high = (_moment(ensemble.now, value) for value in spread(visits["ready"]))
    return s.NextStep(
        activity=name, station=station.name if station else "", chance=round(chance, 3), at=(low, mid, high),
        wait=round(float(np.median(_waits(ensemble, visits))), 1),
    )  # fmt: skip


def _moment(now: Time, seconds: float | None) -> Time | None:
    return None if seconds is None else now + int(1000 * seconds)


def pathways(ensemble: Ensemble, own: np.ndarray, left: np.ndarray) -> list[s.Pathway]:
    """Return the likeliest ways on, over members."""
    names = [node.name for node in ensemble.network.nodes]
    steps: dict[int, list[str]] = {}
    for visit in own:
        steps.setdefault(int(visit["member"]), []).append(names[int(visit["node"])])
    taken = Counter(
        (tuple(steps.get(k, [])[:STEPS]), bool(np.isfinite(left[k])) and len(steps.get(k, [])) <= STEPS)
        for k in range(ensemble.belief.members)
    )
    return [
        s.Pathway(steps=list(way), chance=round(count / ensemble.belief.members, 3), left=over)
        for (way, over), count in sorted(taken.items(), key=lambda one: (-one[1], one[0]))[:PATHS]
    ]
