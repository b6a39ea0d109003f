"""Bank: the twins of one store, what is believed of them, and who may do what."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gemel.bank import alerting, careplan, companion, erasure, proposals, retention, withdrawal
from gemel.bank.beliefs import Beliefs, Tell, quiet
from gemel.bank.budget import Budgets
from gemel.bank.catalogue import installed, versions
from gemel.bank.cohort import MINIMUM, Cohort
from gemel.bank.erasure import Receipt
from gemel.bank.gate import Gate, nobody
from gemel.bank.index import Index
from gemel.bank.lineage import Lineages, definition
from gemel.bank.proposals import Proposal
from gemel.bank.query import Query, query
from gemel.bank.relations import Graph
from gemel.bank.replica import Followed, Replica
from gemel.bank.rights import Book
from gemel.bank.search import Asked, Page, search
from gemel.bank.tail import Tail
from gemel.bank.trial import Trial
from gemel.bank.twin import Twin
from gemel.consent import ALL, Grant
from gemel.dynamics import Belief, Dose, Seed
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import HOUR, HOUSE, Draft, Fact, Time
from gemel.intervention import Forecast, Intervention, Situation
from gemel.streams import Live, Sink
from gemel.thread import Appended, Thread, open_thread
from gemel.twintype import TwinType

Clock = Callable[[], Time]
LOOK_BACK: Time = 8 * HOUR
SCORED = 300
"""Outcomes that a sentence about calibration looks back on."""


def wall_clock() -> Time:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


class Bank:
    """A versioned repository of twins over one thread; `clock` is the only source of "now"."""

    def __init__(
        self, thread: Thread, clock: Clock = wall_clock, types: Mapping[str, TwinType] | None = None, seed: Seed = 0
    ) -> None:
        self.thread, self.now, self.seed = thread, clock, seed
        self.types = dict(installed() if types is None else types)
        self.rights = Book(thread)
        self.gate = Gate(thread, clock, self.rights)
        self._lessons: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
        self.sources: dict[str, list[tuple[Live, str, str]]] = {}
        self.sinks: dict[str, Sink] = {}
        self.reports: dict[str, dict[str, tuple[Time, Time]]] = {}
        self._created: dict[str, Fact] = {}
        self._proposed = Tail(thread, proposals.KINDS)
        self._scored = Tail(thread, ("outcome/1",))
        self._alerted = Tail(thread, ("alert/1",))
        self._told = Tail(thread, alerting.KINDS)
        self._planned = Tail(thread, careplan.KINDS)
        self._manners = Tail(thread, (companion.COMPANION,))
        self.lineages = Lineages(thread, self.created, self.types, versions() if types is None else ())
        self.lineages.defined()
        self.beliefs = Beliefs(thread, self.created, self.lineages, seed)
        self.index, self.budgets = Index(thread), Budgets(thread)
        self.forgetting: list[Callable[[str], None]] = []
        self._studied = Tail(thread, (withdrawal.STUDIED,))
        if not getattr(thread, "readonly", False):
            self.gate.watch(lambda twin: withdrawal.withdraw(self, twin))
            erasure.finish(self)
            retention.finish(self)

    @classmethod
    def open(
        cls, url: str, clock: Clock = wall_clock, types: Mapping[str, TwinType] | None = None, readonly: bool = False
    ) -> Bank:
        """Open the bank in a folder, made if need be."""
        thread = open_thread(url, readonly=readonly)
        try:
            return cls(thread, clock, types)
        except BaseException:
            thread.close()
            raise

    def close(self) -> None:
        """Keep what was folded, and let go of the store."""
        self.beliefs.remember_all()
        self.thread.close()

    def __enter__(self) -> Bank:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, drafts: Sequence[Draft]) -> Appended:
        """Store facts durably; subscribers, this bank among them, hear of them."""
        return self.thread.append(drafts, self.now())

    # twins

    def create(
        self, twin_type: TwinType | str, id: str, *, by: str, attributes: Mapping[str, float] | None = None
    ) -> Twin:
        """Make a twin; *by* becomes its holder, who alone grants."""
        name = twin_type if isinstance(twin_type, str) else twin_type.name
        if not isinstance(twin_type, str):
            self.register(twin_type)
        if name not in self.types:
            raise unknown("twin type", name, self.types)
        if id.startswith(HOUSE[0]):
            raise BadInput(f"{id!r} cannot be a twin: names that begin with {HOUSE[0]} are the bank's own", field="id")
        if id in self:
            raise BadInput(f"there is a twin {id!r} already")
        made = self.types[name] if isinstance(twin_type, str) else twin_type
        body = {"type": name, "hash": made.hash, "holder": by, "attributes": dict(attributes or {})}
        told = definition(made, id, by, self.now())
        self.append([Draft(id, "created/1", body, self.now(), by, key="created"), *told])
        if told:
            self.lineages.note(made, id)
        return Twin(self, id, by, "self-management")

    def find(self, id: str, *, by: str, purpose: str) -> Twin:
        """Return the twin as *by* may see it for *purpose*; raise `Refused` where no grant opens anything."""
        if id not in self:
            raise nobody(id)
        if not self.holds(by, id):
            self.gate.require(by, "read", id, self._opening(id, by, purpose), purpose)
        return Twin(self, id, by, purpose)

    def visible(self, id: str, by: str, purpose: str) -> bool:
        """Return whether *by* would find the twin; nothing is put on record."""
        return self.gate.decide(by, "read", id, self._opening(id, by, purpose), purpose).allowed

    def _opening(self, id: str, by: str, purpose: str) -> str:
        """Return a signal that some grant lets *by* read, or else one that comes near."""
        grants = [grant for grant in self.gate.rights(id).named(by) if "read" in grant.verbs]
        names = [name for grant in grants for name in grant.signals]
        open_now = (name for name in names if self.gate.decide(by, "read", id, name, purpose).allowed)
        return next(open_now, names[0] if names else ALL)

    def as_writer(self, id: str, actor: str, purpose: str) -> Twin:
        """Return the twin for a stream that writes and may not read; each write still asks the gate."""
        return Twin(self, id, actor, purpose)

    def live_twins(self) -> list[str]:
        """Return the twins that are connected to something."""
        return sorted({*self.sources, *self.sinks})

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self._creation(id) is not None

    def twins(self) -> list[str]:
        """Return the ids of all twins."""
        return sorted(name for name in self.thread.twins() if not name.startswith(HOUSE[0]))

    def created(self, id: str) -> Fact:
        """Return the fact that made the twin."""
        found = self._creation(id)
        if found is None:
            raise nobody(id)
        return found

    def _creation(self, id: str) -> Fact | None:
        if id not in self._created:
            for found in self.thread.read(id, kinds=["created/1"], limit=1):
                self._created[id] = found
        return self._created.get(id)

    def holders(self, id: str, at: Time | None = None) -> tuple[str, ...]:
        """Return who holds the twin's keys at a moment, by default now; each of them suffices."""
        self.created(id)
        return self.gate.holders(id, at)

    def holds(self, actor: str, id: str) -> bool:
        """Return whether *actor* holds the twin's keys now."""
        return actor in self.holders(id)

    def register(self, twin_type: TwinType) -> None:
        """Add a version of a type, kept by its content hash; the first of a name is what new twins are made of."""
        self.lineages.register(twin_type)

    def type_of(self, id: str, at: Time | None = None) -> TwinType:
        """Return the type that the twin was of at a moment, or is now."""
        return self.lineages.type_of(id, at)

    def grants(self, id: str) -> Sequence[Grant]:
        """Return the twin's grants, those that were revoked or have ended among them."""
        return self.gate.rights(id).grants

    # many twins

    def search(
        self, asked: str | Query | Mapping[str, object], *, by: str, purpose: str, sort: str = "id", limit: int = 50,
        cursor: str | None = None, at: Time | None = None, known_by: Time | None = None, tell: Tell = quiet,
    ) -> Page:  # fmt: skip
        """Return some of the twins that *by* may find, and where to go on; `gemel.bank.query` says how to ask."""
        return search(self, Asked(query(asked), by, purpose, sort, at, known_by), limit, cursor, tell)

    def graph(self, *, by: str, purpose: str) -> Graph:
        """Return a question to put together along relations."""
        return Graph(self, by, purpose)

    def cohort(
        self, asked: str | Query, *, by: str, purpose: str, names: Sequence[str] | None = None, minimum: int = MINIMUM
    ) -> Cohort:  # fmt: skip
        """Return the twins of a type, by relation and name, to be asked together by *by*."""
        return Cohort(self, query(asked), by, purpose, None if names is None else tuple(names), minimum)

    # beliefs

    def replica(self, id: str) -> Replica:
        """Return the twin's replica, in step with the thread."""
        return self.beliefs.replica(id)

    def replica_known_by(self, id: str, known_by: Time | None) -> Replica:
        """Return a fresh replica from what was known at *known_by*."""
        return self.beliefs.replica_known_by(id, known_by)

    def remember(self, id: str) -> None:
        """Keep the last belief, so that the next start need not fold from the beginning."""
        self.beliefs.remember(id)

    def followed(self, id: str, since: Time | None = None) -> list[Followed]:
        """Return the beliefs after each cycle from the last before *since* on (None: the latest alone)."""
        return self.beliefs.followed(id, since)

    def belief_at(self, id: str, now: Time) -> Belief:
        """Return the belief carried to *now* from the last reading."""
        return self.beliefs.at(id, now)

    def forecast(self, id: str, signal: str, hours: float, now: Time) -> Forecast:
        """Return quantiles of *signal* if nothing is done but rates going back to usual, mended by what was learned."""
        if (id, signal) in self._lessons:
            withdrawal.barred(self, id, signal, *self._lessons[id, signal])
        return self.beliefs.forecast(id, signal, hours, now)

    def calibration(self, id: str, signal: str) -> str:
        """Return how the last forecasts of *signal* an hour ahead came true, as a sentence."""
        rows = [row for fact in self._scored.of(id)[-SCORED:] if fact.body.get("signal") == signal
                for row in fact.body.get("horizons", ()) if row["horizon"] == 60]  # fmt: skip
        if not rows:
            return "no forecast of this twin has met its reading yet"
        held = sum(bool(row["in80"]) for row in rows) / len(rows)
        return f"an hour ahead, the 80 % interval held {100 * held:.0f} % of the last {len(rows)} readings"

    def studied(
        self, twin_type: TwinType, actor: str, leave_out: Sequence[str] = (), purpose: str = "research"
    ) -> list[str]:
        """Return other twins of a type from whose past *actor* may learn."""
        others = [name for name in self.twins() if name not in leave_out and self.type_of(name).name == twin_type.name]
        return [name for name in others if self.gate.decide(actor, "study", name, ALL, purpose).allowed]

    def learn(self, id: str, signal: str, actor: str, now: Time, tell: Tell = quiet) -> None:
        """Learn from how forecasts of *signal* came true up to *now*, here and where *actor* may study; keep it."""
        self.beliefs.learn(id, signal, self.studied(self.type_of(id), actor, leave_out=[id]), now, tell)
        self._lessons[id, signal] = actor, withdrawal.studied(self, id, signal, actor)

    def studies(self, id: str) -> Sequence[Fact]:
        """Return what says that others were let learn from this twin, and what: facts `studied/1`, in order."""
        return self._studied.of(id)

    def unlearn(self, id: str) -> None:
        """Forget what was learned of the twin's errors, as its constants are others now."""
        self.beliefs.unlearn(id)

    def erase(self, id: str, *, by: str, reason: str, tell: Tell = quiet) -> Receipt:
        """Erase a twin for good; only who holds its keys may, and not while a hold names it. Return the signed receipt."""
        return erasure.erase(self, id, by, reason, tell)

    def reread(self, id: str) -> None:
        """Let what facts say of a twin be read anew, as some were dropped."""
        self.beliefs.refold(id)
        self.rights.forget(id)
        self.gate.forget(id)
        said = self._proposed, self._scored, self._alerted, self._told, self._planned, self._manners, self._studied
        for tail in said:
            tail.forget(id)

    def forget(self, id: str) -> None:
        """Forget all that is held in memory about a twin, as after its erasure; what facts still say is read anew."""
        self.beliefs.forget(id)
        self.index.forget(id)
        self.reread(id)
        self._lessons = {place: held for place, held in self._lessons.items() if id not in (place[0], *held[1])}
        for held in (self._created, self.sources, self.sinks, self.reports):
            held.pop(id, None)
        for also in self.forgetting:
            also(id)

    def situation(self, id: str, now: Time, decided: int | None = None) -> Situation:
        """Return what agents and guards look at; what was approved by or after the fact *decided* is not underway."""
        with self.beliefs.lock:
            replica, twin_type = self.replica(id), self.type_of(id)
            belief = self.belief_at(id, now)
            complete = getattr(twin_type.dynamics, "complete", lambda b: b.values)
            state = {name: float(np.asarray(value).mean()) for name, value in complete(belief).items()}
            past = replica.read(now - LOOK_BACK, now + 1)
            readings = {s: [r for r in past if r.signal == s] for s in twin_type.signals}
            signals = [s for s in twin_type.band if s in twin_type.signals]
            forecasts = {s: self.forecast(id, s, 2.0, now) for s in signals}
            trial = Trial(replica.during(now), belief, now)
            alerts = tuple(str(f.body["name"]) for f in self.alerts(id) if f.body.get("active"))
            found = self.proposals(id)
            return Situation(
                id,
                now,
                readings,
                replica.plan(now - LOOK_BACK, now + 1),
                state,
                forecasts,
                replica.attributes,
                alerts,
                trial,
                proposals.planned(found, now),
                self._underway(replica, found, now, decided),
                self.plan(id).settings,
                companion.offset(self._manners.of(id), now),
            )

    def _underway(self, replica: Replica, agreed: list[Proposal], now: Time, decided: int | None) -> tuple[Dose, ...]:
        """Return what was agreed within the hours that are looked back on, and is not reported."""
        told = [one for one in replica.doses if one[0] >= now - LOOK_BACK - HOUR]
        holds = [name for name, lever in replica.type.levers.items() if lever.holds]
        found = proposals.underway(agreed, told, holds, decided)
        return tuple(dose for dose in found if dose.at > now - LOOK_BACK)

    # proposals

    def guarded(self, id: str, intervention: Intervention, decided: int | None = None) -> tuple[str, str] | None:
        """Return the first guard that objects and why, or None; *decided* is the fact that approved it, if one has."""
        situation = self.situation(id, self.now(), decided)
        for name, guard in self.type_of(id).guards.items():
            reason = guard(intervention, situation)
            if reason is not None:
                return name, reason
        return None

    def proposals(self, id: str) -> list[Proposal]:
        """Return all proposals as they stand."""
        return proposals.fold(self._proposed.of(id), self.now())

    def proposal(self, id: str, seq: int) -> Proposal:
        """Return one proposal as it stands."""
        for found in self.proposals(id):
            if found.seq == seq:
                return found
        raise NotFound(f"{id} has no proposal {seq}")

    def alerts(self, id: str) -> list[Fact]:
        """Return the latest fact of each alert by name."""
        latest = {str(fact.body["name"]): fact for fact in self._alerted.of(id)}
        return sorted(latest.values(), key=lambda fact: fact.seq)

    def told(self, id: str) -> alerting.Told:
        """Return who is to be told of the twin's alerts, who was, and who takes care of which."""
        return alerting.fold(self._told.of(id))

    def plan(self, id: str) -> careplan.Plan:
        """Return the twin's shared care plan."""
        return careplan.fold(self._planned.of(id))

    def evidence(self, id: str) -> tuple[int, ...]:
        """Return the seqs of the last forecast, or else of the last readings: what a proposal rests on."""
        last = list(self.thread.read(id, kinds=["forecast/1"], reverse=True, limit=1))
        if last:
            return (last[0].seq,)
        return tuple(fact.seq for fact in self.thread.read(id, kinds=["observed/1"], reverse=True, limit=12))
