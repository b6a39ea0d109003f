"""Bank: the twins of one store, what is believed of them, and who may do what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gemel.bank import proposals
from gemel.bank.catalogue import installed
from gemel.bank.gate import Gate
from gemel.bank.proposals import Proposal
from gemel.bank.replica import Followed, Replica
from gemel.bank.tail import Tail
from gemel.bank.twin import Twin
from gemel.consent import Grant
from gemel.consent import fold as fold_grants
from gemel.dynamics import Belief, Seed
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import Forecast, Intervention, Situation
from gemel.simulate import samples, summarise
from gemel.streams import Live, Sink
from gemel.thread import Appended, Thread, open_thread
from gemel.twintype import TwinType

Clock = Callable[[], Time]
LOOK_BACK: Time = 8 * HOUR
EVERY: Time = 5 * MINUTE
FOLDED = ("observed/1", "acted/1", "retracted/1")
"""The kinds of fact that a belief is folded from."""


def wall_clock() -> Time:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


class Bank:
    """A versioned repository of twins over one thread; `clock` is the only source of "now"."""

    def __init__(self, thread: Thread, clock: Clock = wall_clock, types: Mapping[str, TwinType] | None = None, seed: Seed = 0) -> None:
        self.thread, self.now, self.seed = thread, clock, seed
        self.types = dict(installed() if types is None else types)
        self.gate = Gate(thread, clock, self.grants, self.holder)
        self.sources: dict[str, list[tuple[Live, str, str]]] = {}
        self.sinks: dict[str, Sink] = {}
        self._created: dict[str, Fact] = {}
        self._granted = Tail(thread, ("granted/1", "revoked/1"))
        self._proposed = Tail(thread, proposals.KINDS)
        self._alerted = Tail(thread, ("alert/1",))
        self._grants: dict[str, tuple[int, list[Grant]]] = {}
        self._replicas: dict[str, tuple[int, Replica]] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(cls, url: str, clock: Clock = wall_clock, types: Mapping[str, TwinType] | None = None, readonly: bool = False) -> Bank:
        """Open the bank in a folder, made if need be."""
        return cls(open_thread(url, readonly=readonly), clock, types)

    def close(self) -> None:
        """Let go of the store."""
        self.thread.close()

    def __enter__(self) -> Bank:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, drafts: Sequence[Draft]) -> Appended:
        """Store facts durably; subscribers, this bank among them, hear of them."""
        return self.thread.append(drafts, self.now())

    # twins

    def create(self, twin_type: TwinType | str, id: str, *, by: str, attributes: Mapping[str, float] | None = None) -> Twin:  # noqa: A002 - the field's word
        """Make a twin; *by* becomes its holder, who alone grants."""
        name = twin_type if isinstance(twin_type, str) else twin_type.name
        if not isinstance(twin_type, str):
            self.types.setdefault(name, twin_type)
        if name not in self.types:
            raise unknown("twin type", name, self.types)
        if id in self:
            raise BadInput(f"there is a twin {id!r} already")
        body = {"type": name, "hash": self.types[name].hash, "holder": by, "attributes": dict(attributes or {})}
        self.append([Draft(id, "created/1", body, self.now(), by, key="created")])
        return Twin(self, id, by, "self-management")

    def find(self, id: str, *, by: str, purpose: str) -> Twin:  # noqa: A002 - the field's word
        """Return the twin as *by* may see it for *purpose*; raise `Refused` where no grant opens anything."""
        if id not in self:
            raise unknown("twin", id, self.twins())
        if by != self.holder(id):
            names = [grant.signals[0] for grant in self.grants(id) if grant.to == by and grant.purpose == purpose]
            self.gate.require(by, "read", id, names[0] if names else "*", purpose)
        return Twin(self, id, by, purpose)

    def as_writer(self, id: str, actor: str, purpose: str) -> Twin:  # noqa: A002 - the field's word
        """Return the twin for a stream that writes and may not read; each write still asks the gate."""
        return Twin(self, id, actor, purpose)

    def live_twins(self) -> list[str]:
        """Return the twins that are connected to something."""
        return sorted({*self.sources, *self.sinks})

    def __contains__(self, id: object) -> bool:
        return id in self._created or id in self.thread.twins()

    def twins(self) -> list[str]:
        """Return the ids of all twins."""
        return sorted(self.thread.twins())

    def created(self, id: str) -> Fact:  # noqa: A002 - the field's word
        """Return the fact that made the twin."""
        if id not in self._created:
            found = next(iter(self.thread.read(id, kinds=["created/1"], limit=1)), None)
            if found is None:
                raise unknown("twin", id, self.twins())
            self._created[id] = found
        return self._created[id]

    def holder(self, id: str) -> str:  # noqa: A002 - the field's word
        """Return who holds the twin's keys."""
        return str(self.created(id).body["holder"])

    def type_of(self, id: str) -> TwinType:  # noqa: A002 - the field's word
        """Return the twin's type, as installed now."""
        name = str(self.created(id).body["type"])
        if name not in self.types:
            raise unknown("twin type", name, self.types)
        return self.types[name]

    def grants(self, id: str) -> Sequence[Grant]:  # noqa: A002 - the field's word
        """Return the twin's grants, revoked ones marked."""
        facts = self._granted.of(id)
        seen, grants = self._grants.get(id, (-1, []))
        if seen != len(facts):
            grants = fold_grants(facts)
            self._grants[id] = len(facts), grants
        return grants

    # beliefs

    def replica(self, id: str) -> Replica:  # noqa: A002 - the field's word
        """Return the twin's replica, in step with the thread."""
        with self._lock:
            seen, replica = self._replicas.get(id) or (0, self._blank(id))
            facts = list(self.thread.read(id, kinds=FOLDED, after_seq=seen))
            replica.take(facts)
            self._replicas[id] = facts[-1].seq if facts else seen, replica
            return replica

    def _blank(self, id: str) -> Replica:  # noqa: A002 - the field's word
        attributes = {str(k): float(v) for k, v in self.created(id).body["attributes"].items()}
        return Replica(self.type_of(id), id, attributes, self.seed)

    def followed(self, id: str, since: Time | None = None) -> list[Followed]:  # noqa: A002 - the field's word
        """Return the beliefs after each cycle from the last before *since* on (None: the latest alone)."""
        with self._lock:
            replica = self.replica(id)
            if since is not None:
                return list(replica.follow(since=since))
            latest = replica.belief()
            return [] if latest is None else [latest]

    def replica_known_by(self, id: str, known_by: Time | None) -> Replica:  # noqa: A002 - the field's word
        """Return a fresh replica from what was known at *known_by*."""
        made = self._blank(id)
        made.take(self.thread.read(id, kinds=FOLDED, known_by=known_by))
        return made

    def belief_at(self, id: str, now: Time) -> Belief:  # noqa: A002 - the field's word
        """Return the belief carried to *now* from the last reading."""
        with self._lock:
            replica = self.replica(id)
            followed = replica.belief(now)
            if followed is None:
                raise NotFound(f"nothing is known of {id} yet: import a record or connect a stream")
            return replica.forward(followed, now // MINUTE * MINUTE)

    def forecast(self, id: str, signal: str, hours: float, now: Time) -> Forecast:  # noqa: A002 - the field's word
        """Return quantiles of *signal*, with held rates held and nothing else done."""
        twin_type = self.type_of(id)
        if signal not in twin_type.signals:
            raise unknown("signal", signal, twin_type.signals)
        port, belief = twin_type.signals[signal], self.belief_at(id, now)
        draws = samples(twin_type.dynamics, belief, [[]], round(hours * HOUR), self.seed, signal, EVERY)
        return summarise(draws[:, 0], signal, port.unit, int(belief.at[0]), EVERY, port.low, port.high)

    def situation(self, id: str, now: Time) -> Situation:  # noqa: A002 - the field's word
        """Return what agents and guards look at."""
        with self._lock:
            replica, twin_type = self.replica(id), self.type_of(id)
            belief = self.belief_at(id, now)
            complete = getattr(twin_type.dynamics, "complete", lambda b: b.values)
            state = {name: float(np.mean(value)) for name, value in complete(belief).items()}
            past = replica.read(now - LOOK_BACK, now + 1)
            readings = {s: [r for r in past if r.signal == s] for s in twin_type.signals}
            signals = [s for s in twin_type.band if s in twin_type.signals]
            forecasts = {s: self.forecast(id, s, 2.0, now) for s in signals}
            alerts = tuple(str(f.body["name"]) for f in self.alerts(id) if f.body.get("active"))
            return Situation(id, now, readings, replica.plan(now - LOOK_BACK, now + 1), state, forecasts, replica.attributes, alerts)

    # proposals

    def guarded(self, id: str, intervention: Intervention) -> tuple[str, str] | None:  # noqa: A002 - the field's word
        """Return the first guard that objects and why, or None."""
        situation = self.situation(id, self.now())
        for name, guard in self.type_of(id).guards.items():
            reason = guard(intervention, situation)
            if reason is not None:
                return name, reason
        return None

    def proposals(self, id: str) -> list[Proposal]:  # noqa: A002 - the field's word
        """Return all proposals as they stand."""
        return proposals.fold(self._proposed.of(id), self.now())

    def proposal(self, id: str, seq: int) -> Proposal:  # noqa: A002 - the field's word
        """Return one proposal as it stands."""
        for found in self.proposals(id):
            if found.seq == seq:
                return found
        raise NotFound(f"{id} has no proposal {seq}")

    def alerts(self, id: str) -> list[Fact]:  # noqa: A002 - the field's word
        """Return the latest fact of each alert by name."""
        latest = {str(fact.body["name"]): fact for fact in self._alerted.of(id)}
        return sorted(latest.values(), key=lambda fact: fact.seq)

    def evidence(self, id: str) -> tuple[int, ...]:  # noqa: A002 - the field's word
        """Return the seqs of the last forecast, or else of the last readings: what a proposal rests on."""
        last = list(self.thread.read(id, kinds=["forecast/1"], reverse=True, limit=1))
        if last:
            return (last[0].seq,)
        return tuple(fact.seq for fact in self.thread.read(id, kinds=["observed/1"], reverse=True, limit=12))
