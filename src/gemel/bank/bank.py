"""Bank: the twins of one store, what is believed of them, and who may do what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gemel.bank import memory, proposals
from gemel.bank.catalogue import installed
from gemel.bank.features import WINDOW, Past
from gemel.bank.foresight import REFIT, Foresight, Walk, mended
from gemel.bank.gate import Gate
from gemel.bank.proposals import Proposal
from gemel.bank.record import AHEAD, known, record
from gemel.bank.replica import Followed, Replica
from gemel.bank.tail import Tail
from gemel.bank.twin import Twin
from gemel.consent import ALL, Grant
from gemel.consent import fold as fold_grants
from gemel.dynamics import Belief, Seed
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import HOUR, HOUSE, MINUTE, Draft, Fact, Time
from gemel.intervention import LEVELS, Forecast, Intervention, Situation
from gemel.simulate import samples, summarise
from gemel.streams import Live, Sink
from gemel.thread import Appended, Thread, open_thread
from gemel.twintype import TwinType

Clock = Callable[[], Time]
Tell = Callable[[str, int, int], object]
"""Called with what is being done, how much of it is done and how much there is."""

LOOK_BACK: Time = 8 * HOUR
EVERY: Time = 5 * MINUTE
SCORED = 300
"""Outcomes that a sentence about calibration looks back on."""

FOLDED = ("observed/1", "acted/1", "retracted/1", "personalised/1")
"""The kinds of fact that a belief is folded from."""


def quiet(what: str, done: int, whole: int) -> None:
    """Tell nobody."""


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
        self.gate = Gate(thread, clock, self.grants, self.holder)
        self.sources: dict[str, list[tuple[Live, str, str]]] = {}
        self.sinks: dict[str, Sink] = {}
        self._created: dict[str, Fact] = {}
        self._granted = Tail(thread, ("granted/1", "revoked/1"))
        self._proposed = Tail(thread, proposals.KINDS)
        self._scored = Tail(thread, ("outcome/1",))
        self._alerted = Tail(thread, ("alert/1",))
        self._grants: dict[str, tuple[int, list[Grant]]] = {}
        self._replicas: dict[str, tuple[int, Replica]] = {}
        self._kept: dict[str, Time] = {}
        self._foresights: dict[tuple[str, str], Foresight] = {}
        self._said: dict[tuple[str, str], tuple[tuple[int, Time, Time], Foresight | None, Forecast]] = {}
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, url: str, clock: Clock = wall_clock, types: Mapping[str, TwinType] | None = None, readonly: bool = False
    ) -> Bank:
        """Open the bank in a folder, made if need be."""
        return cls(open_thread(url, readonly=readonly), clock, types)

    def close(self) -> None:
        """Keep what was folded, and let go of the store."""
        for id_ in list(self._replicas):
            self.remember(id_)
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
            self.types.setdefault(name, twin_type)
        if name not in self.types:
            raise unknown("twin type", name, self.types)
        if id.startswith(HOUSE[0]):
            raise BadInput(f"{id!r} cannot be a twin: names that begin with {HOUSE[0]} are the bank's own", field="id")
        if id in self:
            raise BadInput(f"there is a twin {id!r} already")
        body = {"type": name, "hash": self.types[name].hash, "holder": by, "attributes": dict(attributes or {})}
        self.append([Draft(id, "created/1", body, self.now(), by, key="created")])
        return Twin(self, id, by, "self-management")

    def find(self, id: str, *, by: str, purpose: str) -> Twin:
        """Return the twin as *by* may see it for *purpose*; raise `Refused` where no grant opens anything."""
        if id not in self:
            raise unknown("twin", id, self.twins())
        if by != self.holder(id):
            self.gate.require(by, "read", id, self._opening(id, by, purpose), purpose)
        return Twin(self, id, by, purpose)

    def visible(self, id: str, by: str, purpose: str) -> bool:
        """Return whether *by* would find the twin; nothing is put on record."""
        return self.gate.decide(by, "read", id, self._opening(id, by, purpose), purpose).allowed

    def _opening(self, id: str, by: str, purpose: str) -> str:
        """Return a signal that some grant lets *by* read, or else one that comes near."""
        grants = [grant for grant in self.grants(id) if grant.to == by and "read" in grant.verbs]
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
        return id in self._created or id in self.twins()

    def twins(self) -> list[str]:
        """Return the ids of all twins."""
        return sorted(name for name in self.thread.twins() if not name.startswith(HOUSE[0]))

    def created(self, id: str) -> Fact:
        """Return the fact that made the twin."""
        if id not in self._created:
            found = next(iter(self.thread.read(id, kinds=["created/1"], limit=1)), None)
            if found is None:
                raise unknown("twin", id, self.twins())
            self._created[id] = found
        return self._created[id]

    def holder(self, id: str) -> str:
        """Return who holds the twin's keys."""
        return str(self.created(id).body["holder"])

    def type_of(self, id: str) -> TwinType:
        """Return the twin's type, as installed now."""
        name = str(self.created(id).body["type"])
        if name not in self.types:
            raise unknown("twin type", name, self.types)
        return self.types[name]

    def grants(self, id: str) -> Sequence[Grant]:
        """Return the twin's grants, revoked ones marked."""
        facts = self._granted.of(id)
        seen, grants = self._grants.get(id, (-1, []))
        if seen != len(facts):
            grants = fold_grants(facts, self.holder(id))
            self._grants[id] = len(facts), grants
        return grants

    # beliefs

    def replica(self, id: str) -> Replica:
        """Return the twin's replica, in step with the thread."""
        with self._lock:
            seen, replica = self._replicas.get(id) or (0, self._blank(id))
            facts = list(self.thread.read(id, kinds=FOLDED, after_seq=seen))
            replica.take(facts)
            if id not in self._replicas:
                self._recall(replica, facts)
            self._replicas[id] = facts[-1].seq if facts else seen, replica
            return replica

    def _recall(self, replica: Replica, facts: Sequence[Fact]) -> None:
        """Let a fresh replica go on from the belief that was kept, if that is what folding its facts would give."""
        note = self.thread.kept(replica.id, "belief")
        seq = memory.note_seq(note)
        later = min((fact.true_at for fact in facts if fact.seq > seq), default=None)
        followed = memory.restored(replica, note, later, facts[-1].seq if facts else 0)
        if followed is not None:
            replica.start_from(followed)
            self._kept[replica.id] = followed.at

    def remember(self, id: str) -> None:
        """Keep the last belief, so that the next start need not fold from the beginning."""
        with self._lock:
            seen, replica = self._replicas.get(id, (0, None))
            latest = None if replica is None else replica.latest
            if replica is not None and latest is not None and latest.at > self._kept.get(id, -1):
                self.thread.keep(id, "belief", memory.belief_note(replica, latest, seen))
                self._kept[id] = latest.at

    def _blank(self, id: str) -> Replica:
        attributes = {str(k): float(v) for k, v in self.created(id).body["attributes"].items()}
        return Replica(self.type_of(id), id, attributes, self.seed)

    def followed(self, id: str, since: Time | None = None) -> list[Followed]:
        """Return the beliefs after each cycle from the last before *since* on (None: the latest alone)."""
        with self._lock:
            replica = self.replica(id)
            if since is not None:
                return list(replica.follow(since=since))
            latest = replica.belief()
            return [] if latest is None else [latest]

    def replica_known_by(self, id: str, known_by: Time | None) -> Replica:
        """Return a fresh replica from what was known at *known_by*."""
        made = self._blank(id)
        made.take(self.thread.read(id, kinds=FOLDED, known_by=known_by))
        return made

    def belief_at(self, id: str, now: Time) -> Belief:
        """Return the belief carried to *now* from the last reading."""
        with self._lock:
            replica = self.replica(id)
            followed = replica.belief(now)
            if followed is None:
                raise NotFound(f"nothing is known of {id} yet: import a record or connect a stream")
            return replica.forward(followed, now // MINUTE * MINUTE)

    def forecast(self, id: str, signal: str, hours: float, now: Time) -> Forecast:
        """Return quantiles of *signal* if nothing is done but rates going back to usual, mended by what was learned."""
        twin_type, length = self.type_of(id), max(round(hours * HOUR), EVERY)
        if signal not in twin_type.signals:
            raise unknown("signal", signal, twin_type.signals)
        with self._lock:
            replica, foresight = self.replica(id), self._foresights.get((id, signal))
            asked = (self._replicas[id][0], length, now)
            held = self._said.get((id, signal))
            if held is None or held[0] != asked or held[1] is not foresight:
                held = asked, foresight, self._foretold(replica, signal, length, now, foresight)
                self._said[id, signal] = held
            return held[2]

    def _foretold(
        self, replica: Replica, signal: str, length: Time, now: Time, foresight: Foresight | None
    ) -> Forecast:
        port, belief, last = replica.type.signals[signal], self.belief_at(replica.id, now), replica.last_reading(signal)
        made_at, steps = int(belief.at[0]), length // EVERY
        mend = foresight is not None and last is not None and now - last <= 2 * port.cadence
        if mend and steps <= AHEAD:  # what is mended then replaces all of it
            at = tuple(made_at + EVERY * (i + 1) for i in range(steps))
            said = Forecast(signal, port.unit, made_at, at, np.zeros(steps), np.zeros((len(LEVELS), steps)))
        else:
            plan = replica.expected(made_at, now, length)
            draws = samples(replica.type.dynamics, belief, [plan], length, self.seed, signal, EVERY)
            said = summarise(draws[:, 0], signal, port.unit, made_at, EVERY, port.low, port.high)
        if foresight is None or not mend:
            return said
        _, _, features, mean, sd = known(replica, signal, Past(replica, signal, now - WINDOW), belief, [now])
        return mended(said, foresight, features, mean, sd, port.low, port.high)

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
        """Learn from how forecasts of *signal* came true up to *now*, here and where *actor* may study; keep it.

        What was learned in the last half day and is still allowed is taken as it is.
        """
        twin_type, name = self.type_of(id), f"foresight-{signal}"
        allowed = self.studied(twin_type, actor, leave_out=[id])
        note = memory.read_foresight(self.thread.kept(id, name), twin_type.hash)
        fresh = note is not None and 0 <= now - note.fitted_at < REFIT and set(note.learned_from) <= set(allowed)
        if note is None or not fresh:
            tell("learning from past forecasts", 0, len(allowed) + 2)
            records = []
            for i, other in enumerate(allowed):
                records.append(record(self.replica_known_by(other, None), signal))
                tell("learning from past forecasts", i + 1, len(allowed) + 2)
            own = record(self.replica_known_by(id, None), signal).until(now)
            walk = Walk([other.until(min(now, int(other.at[-1]))) for other in records if len(other.at)])
            walk.along(own, lambda done: tell("weighing past errors", done + 1, len(own.at)))
            self.thread.keep(id, name, memory.foresight_note(walk.foresight, twin_type.hash, now, tuple(allowed)))
            self._foresights[id, signal] = walk.foresight
            tell("learning from past forecasts", len(allowed) + 2, len(allowed) + 2)
        else:
            self._foresights[id, signal] = memory.foresight(note)

    def unlearn(self, id: str) -> None:
        """Forget what was learned of the twin's errors, as its constants are others now."""
        for signal in self.type_of(id).signals:
            self._foresights.pop((id, signal), None)
            if self.thread.kept(id, f"foresight-{signal}") is not None:
                self.thread.keep(id, f"foresight-{signal}", b"")

    def situation(self, id: str, now: Time) -> Situation:
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
            return Situation(
                id, now, readings, replica.plan(now - LOOK_BACK, now + 1), state, forecasts, replica.attributes, alerts
            )

    # proposals

    def guarded(self, id: str, intervention: Intervention) -> tuple[str, str] | None:
        """Return the first guard that objects and why, or None."""
        situation = self.situation(id, self.now())
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

    def evidence(self, id: str) -> tuple[int, ...]:
        """Return the seqs of the last forecast, or else of the last readings: what a proposal rests on."""
        last = list(self.thread.read(id, kinds=["forecast/1"], reverse=True, limit=1))
        if last:
            return (last[0].seq,)
        return tuple(fact.seq for fact in self.thread.read(id, kinds=["observed/1"], reverse=True, limit=12))
