"""Service: the journey map of a service twin, its days, its customers, its proposals on forks, and its frontier."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from gemel.bank import Twin
from gemel.consent import ALL
from gemel.dynamics import EVENTS
from gemel.errors import NotFound
from gemel.facts import DAY, HOUR, Time
from gemel.process.gauges import AT_ONCE
from gemel.process.network import Network, Station
from gemel.server import service_cases, service_map, service_trials
from gemel.server import service_schema as s
from gemel.server.desk import At, Desk, Seen
from gemel.server.ensemble import HORIZON, Ensemble, service_of
from gemel.server.service_day import day
from gemel.server.view import moment

OWN = "case:"
"""How the right to see one customer's own journey is named, before her case: `read="case:17"`."""

FRONTIER = "searched/1"
"""A search over designs that somebody put on record: the body of `experiment.search.Frontier`."""

LENGTHS: tuple[Time, ...] = (8 * HOUR, 2 * DAY, 14 * DAY)
MOST_LIKELY, MOST = 0.9, 300_000
"""A customer's future is run until it is so likely that she has left; at most so many are let come on the way."""

Zone = Annotated[str, Query(min_length=1, max_length=60, description="as in Europe/Paris")]
CaseName = Annotated[str, Path(min_length=1, max_length=200)]

routes = APIRouter()


@routes.get("/api/twins/{twin}/service")
def look(seen: Seen, desk: At) -> s.ServiceView:
    """The map of a service, who is where, and two hours ahead."""
    stations = readable(seen)
    ensemble = _ensemble(seen, desk)
    whole, events = seen.may("read", ALL), seen.may("read", EVENTS)
    names = {f"station:{one.name}" for one in stations}
    hidden = {f"station:{one.name}" for one in ensemble.network.stations} - names
    places = [one for one in service_map.places(ensemble) if one.id not in hidden and (whole or one.kind != "delay")]
    told = {one.id for one in places}
    return s.ServiceView(
        twin=seen.id, now=ensemble.now, members=ensemble.belief.members, at=ensemble.at, promise=ensemble.network.promise,
        inside=len(ensemble.present.cases) if seen.may("read", "inside") else None,
        stations=[service_map.station(ensemble, one) for one in stations], places=places,
        ways=[way for way in service_map.ways(ensemble) if {way.start, way.end} <= told],
        moves=_moves(seen, ensemble) if events and whole else [],
        pools=service_map.pools(ensemble) if whole else [],
    )  # fmt: skip


@routes.get("/api/twins/{twin}/service/day")
def days(seen: Seen, desk: At, zone: Zone = "UTC") -> s.ServiceDay:
    """The last seven days by hour of the day: queues, waits, workload."""
    network, stations = service_of(seen).network, readable(seen)
    return day(seen, network, stations, seen.may("read", ALL), moment(seen, desk.loop)[0], zone)


@routes.get("/api/twins/{twin}/service/cases")
def cases(seen: Seen, desk: At) -> s.ServiceCases:
    """Who is inside: all, or where one may not read events, only whom one was granted."""
    service_of(seen)
    if seen.may("read", EVENTS):
        _require(seen, EVENTS)
        return service_cases.listed(_ensemble(seen, desk))
    own = own_cases(seen)
    if not own:
        _require(seen, EVENTS)
    for case in own:
        _require(seen, OWN + case)
    return service_cases.listed(_ensemble(seen, desk), own)


@routes.get("/api/twins/{twin}/service/cases/{case}")
def case(seen: Seen, desk: At, case: CaseName) -> s.CaseJourney:
    """One customer's way so far, and the ways it may go on."""
    service_of(seen)
    events = seen.may("read", EVENTS)
    _require(seen, EVENTS if events else OWN + case)
    past = service_cases.history(seen.bank.replica(seen.id), case)
    if not past:
        raise NotFound(f"nothing is known of a customer {case!r} in {seen.id}")
    return service_cases.journey(_far(seen, desk, case), case, past, events)


@routes.get("/api/twins/{twin}/service/proposals")
def proposals(seen: Seen, desk: At) -> list[s.ProposalForks]:
    """Open proposals, each tried on a copy beside a copy left alone."""
    service_of(seen)
    known = seen.proposals()
    seen.bank.gate.require(seen.actor, "fork", seen.id, ALL, seen.purpose)
    return service_trials.tried(seen, _ensemble(seen, desk), known)


@routes.get("/api/twins/{twin}/service/frontier")
def frontier(seen: Seen) -> s.FrontierView | None:
    """The last search over designs that is on record, if there is one."""
    service_of(seen)
    _require(seen, ALL)
    for fact in seen.bank.thread.read(seen.id, kinds=[FRONTIER], reverse=True, limit=1):
        fields = s.TriedDesign.model_fields
        tried = [s.TriedDesign(**{name: one[name] for name in fields}) for one in fact.body["tried"]]
        return s.FrontierView(seq=fact.seq, at=fact.true_at, by=fact.by, aims=list(fact.body["aims"]), tried=tried)
    return None


def readable(seen: Twin) -> list[Station]:
    """Return the stations whose gauges the asker may read; raise `Refused` where there is none."""
    network: Network = service_of(seen).network
    found = [one for one in network.stations if all(seen.may("read", f"{kind}.{one.name}") for kind in AT_ONCE)]
    for one in found or network.stations[:1]:
        for kind in AT_ONCE:
            _require(seen, f"{kind}.{one.name}")
    return found


def _moves(seen: Twin, ensemble: Ensemble) -> list[s.MoveView]:
    now = ensemble.now
    events = seen.bank.replica(seen.id).happened(now - service_map.KNOWN, now + 1)
    return service_map.moves(events, ensemble.ways, now - service_map.RECENT)


def own_cases(seen: Twin) -> list[str]:
    """Return the cases whose journeys the asker was granted by name."""
    grants = seen.bank.gate.rights(seen.id).named(seen.actor)
    names = {name for grant in grants for name in grant.signals if name.startswith(OWN)}
    return sorted(name.removeprefix(OWN) for name in names if seen.may("read", name))


def _require(seen: Twin, signal: str) -> None:
    seen.bank.gate.require(seen.actor, "read", seen.id, signal, seen.purpose)


def _ensemble(seen: Twin, desk: Desk) -> Ensemble:
    with desk.tracer.step("bank", seen.id):
        return desk.ensembles.of(seen, desk.version(seen.id), moment(seen, desk.loop)[0])


def _far(seen: Twin, desk: Desk, case: str) -> Ensemble:
    """Return a run that goes on until this customer has most likely left, as far as that is not too much to run."""
    found = _ensemble(seen, desk)
    came = float(found.run.gauges["came"][-1].sum()) / HORIZON
    for length in LENGTHS:
        if service_cases.leaves(found, case) >= MOST_LIKELY or came * length > MOST:
            break
        found = desk.ensembles.of(seen, desk.version(seen.id), moment(seen, desk.loop)[0], length)
    return found
