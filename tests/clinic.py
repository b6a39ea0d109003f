"""A walk-in clinic as a service twin: small, with all that the map of a service can have, and days of events to fold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from serving import CARE, Works, bearer, secret_of

from gemel.bank import Bank
from gemel.bank.intake import HAPPENED
from gemel.bank.tokens import Tokens
from gemel.dynamics import Event
from gemel.facts import DAY, HOUR, MINUTE, Draft, Time, time_of
from gemel.loop import Loop
from gemel.packs.service.kind import service_type
from gemel.process import ANY, Arrivals, Calendar, Choice, Customers, Delay, Network, Pool, Rule, Station, Task, Team
from gemel.process.duration import Duration, exponential
from gemel.process.present import empty
from gemel.thread import MemoryThread, Thread

NOW: Time = time_of("2026-11-20T10:30:00Z")
RUSH = {7: 6.0, 8: 14.0, 9: 20.0, 10: 29.0, 11: 30.0, 12: 22.0, 13: 16.0, 14: 14.0, 15: 12.0, 16: 9.0, 17: 5.0}
"""How many walk in per hour, by hour of the day."""


def network() -> Network:
    """Return the clinic: reception, triage, and from there imaging and laboratory or at once a doctor."""
    walk_in = tuple(RUSH.get(hour % 24, 0.4) for hour in range(168))
    booked = tuple(6.0 if 8 <= hour % 24 < 17 else 0.0 for hour in range(168))
    nodes = (
        Task("register", "reception", "triage"),
        Task("triage", "triage", "sorted"),
        Choice("sorted", (Rule({"scan": 0.3, "blood test": 0.25, "see doctor": 0.4, "end": 0.05}),)),
        Task("scan", "imaging", "see doctor"),
        Task("blood test", "triage", "laboratory"),
        Delay("laboratory", Duration("gamma", 1500.0, 0.3), "see doctor"),
        Task("see doctor", "doctors", "seen"),
        Choice("seen", (Rule({"end": 0.75, "pay": 0.25}),)),
        Task("pay", "reception"),
    )
    stations = (
        Station("reception", {ANY: Duration("lognormal", 150.0, 0.6)}, (Team("clerks"),), promise=600.0),
        Station("triage", {ANY: Duration("lognormal", 260.0, 0.5)}, (Team("nurses"),), "priority", promise=600.0),
        Station("imaging", {ANY: Duration("gamma", 560.0, 0.4)}, (Team("scanner", ("radiographers",)),), promise=2400.0),
        Station(
            "doctors", {ANY: Duration("gamma", 640.0, 0.7)}, (Team("doctors"),), "priority",
            patience={ANY: exponential(9000.0)}, promise=900.0,
        ),
    )  # fmt: skip
    pools = (
        Pool("clerks", Calendar.always(2)), Pool("nurses", Calendar.always(3)), Pool("doctors", Calendar.always(6)),
        Pool("scanner", Calendar.always(1), kind="equipment"), Pool("radiographers", Calendar.always(2)),
    )  # fmt: skip
    customers = (
        Customers("walk-in", Arrivals(walk_in), "register", priority=1),
        Customers("booked", Arrivals(booked), "register"),
    )
    return Network("clinic", customers, nodes, stations, pools)


def lived(net: Network, since: Time, until: Time, seed: int = 5) -> list[Event]:
    """Return the events of a clinic that opened empty at *since*, from one run of the engine."""
    from gemel.process.engine import simulate

    run = simulate(net, empty(since), until, members=1, seed=seed, keep=("visits", "cases"))
    assert run.visits is not None
    assert run.cases is not None
    found = []
    for row in run.cases:
        name = f"{1000 + row['index']}"
        about = {"customers": net.customers[int(row["customers"])].name}
        found.append(Event(name, "arrived", _at(since, row["arrived"]), attributes=about))
        if np.isfinite(row["left"]):
            found.append(Event(name, "left", _at(since, row["left"])))
    for row in run.visits:
        found += _told(net, since, row)
    order = {"arrived": 0, "completed": 1, "abandoned": 2, "queued": 3, "started": 4, "left": 5}
    return sorted(found, key=lambda event: (event.at, order[event.phase], event.case))


def _told(net: Network, since: Time, row: Any) -> list[Event]:
    name, activity = f"{1000 + row['case']}", net.nodes[int(row["node"])].name
    said = [Event(name, "queued", _at(since, row["ready"]), activity)]
    if np.isfinite(row["started"]):
        said.append(Event(name, "started", _at(since, row["started"]), activity))
    if np.isfinite(row["ended"]):
        phase = "completed" if np.isfinite(row["started"]) else "abandoned"
        said.append(Event(name, phase, _at(since, row["ended"]), activity))
    return said


def _at(since: Time, seconds: float) -> Time:
    return since + round(1000 * float(seconds))


def drafts(events: list[Event], twin: str, key: str = "event") -> list[Draft]:
    """Return events as facts to be stored."""
    return [_draft(event, twin, f"{key}|{k}") for k, event in enumerate(events)]


def _draft(event: Event, twin: str, key: str) -> Draft:
    body = {
        "name": "events", "case": event.case, "phase": event.phase, "activity": event.activity, "resource": event.resource,
        "attributes": dict(event.attributes), "source": "", "key": key,
    }  # fmt: skip
    return Draft(twin, HAPPENED, body, event.at, "stream:desk", key=key)


@dataclass
class Clinic(Works):
    """A clinic of ann's; bea may read the gauges of imaging; one customer her own journey; eve may nothing."""

    thread: Thread = field(default_factory=MemoryThread)
    days: float = 0.25
    now: Time = NOW
    seed: int = 5

    def __post_init__(self) -> None:
        from tank import Clock

        self.clock = Clock(self.now)
        kind = service_type(network(), members=64)
        self.bank = Bank(self.thread, self.clock, {kind.name: kind})
        self.loop = Loop(self.bank, [])
        self.tokens = Tokens(self.bank)
        self.bank.create(kind, "clinic", by="ann")
        since = self.now - round(self.days * DAY)
        self.events = lived(network(), since, self.now, self.seed) if self.days else []
        self.bank.append(drafts(self.events, "clinic"))
        self.twin.grant(to="bea", purpose=CARE, read=[f"{kind}.imaging" for kind in ("queue", "busy", "oldest")])
        for actor in ("ann", "bea", "eve", "cleo"):
            self.tokens.create(secret_of(actor), actor, [CARE], by="ann")

    @property
    def twin(self) -> Any:
        """Return the clinic, as ann has it."""
        return self.bank.find("clinic", by="ann", purpose=CARE)

    def inside(self) -> list[str]:
        """Return who is inside, as it is believed now."""
        return [case.id for case in self.bank.belief_at("clinic", self.clock()).values["present"][0, 0].cases]

    def weekly(self) -> None:
        """Write down what the gauges would have read every five minutes since the clinic opened."""
        from gemel.process.gauges import gauges_of

        told, belief = list[Draft](), None
        replica, net = self.bank.replica("clinic"), network()
        shown: dict[str, float] = {}
        for at in range(self.now - round(self.days * DAY) + 5 * MINUTE, self.now + 1, 5 * MINUTE):
            belief = replica.belief(at)
            if belief is None:
                continue
            present = replica.forward(belief, at).values["present"][0, 0]
            for name, value in gauges_of(net, present).items():
                if shown.get(name, 0.0) != value:
                    shown[name] = value
                    body = {"name": name, "value": value, "unit": "", "source": "", "key": f"gauge|{name}|{at}"}
                    told.append(Draft("clinic", "observed/1", body, at, "loop:gauges", key=f"gauge|{name}|{at}"))
        self.bank.append(told)


__all__ = ["CARE", "HOUR", "Clinic", "bearer", "lived", "network"]
