"""Beliefs: the replica of each twin in step with its facts, and what is foreseen from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from gemel.bank import memory
from gemel.bank.cold import cold_start
from gemel.bank.features import WINDOW, Past
from gemel.bank.foresight import REFIT, Foresight, Walk, mended
from gemel.bank.intake import HAPPENED
from gemel.bank.lineage import RETYPED, Lineages, Span, spans
from gemel.bank.record import AHEAD, known, record
from gemel.bank.replica import Followed, Replica
from gemel.bank.snapshots import Snapshots
from gemel.bank.statistics import SUMMARISED
from gemel.dynamics import Belief, Seed
from gemel.errors import NotFound, unknown
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.intervention import LEVELS, Forecast
from gemel.simulate import samples, summarise
from gemel.thread import Thread

Tell = Callable[[str, int, int], object]
"""Called with what is being done, how much of it is done and how much there is."""

EVERY: Time = 5 * MINUTE

FOLDED = ("observed/1", "acted/1", HAPPENED, "retracted/1", "personalised/1", SUMMARISED, RETYPED)
"""The kinds of fact that a belief is folded from."""


def quiet(what: str, done: int, whole: int) -> None:
    """Tell nobody."""


class Beliefs:
    """What is believed of each twin of one thread, folded when asked for and kept; *lock* is held while it folds."""

    def __init__(self, thread: Thread, created: Callable[[str], Fact], lineages: Lineages, seed: Seed) -> None:
        self.thread, self.seed, self.lock = thread, seed, threading.RLock()
        self._created, self._lineages, self._type_of = created, lineages, lineages.type_of
        self._replicas: dict[str, tuple[int, Replica]] = {}
        self.snapshots = Snapshots(thread)
        self._hours: dict[str, int] = {}
        self._foresights: dict[tuple[str, str], Foresight] = {}
        self._said: dict[tuple[str, str], tuple[tuple[int, Time, Time], Foresight | None, Forecast]] = {}

    def replica(self, id: str) -> Replica:
        """Return the twin's replica, in step with the thread."""
        with self.lock:
            seen, replica = self._replicas.get(id, (0, None))
            facts = list(self.thread.read(id, kinds=FOLDED, after_seq=seen))
            if replica is None or any(fact.kind == RETYPED for fact in facts):
                facts = facts if seen == 0 else list(self.thread.read(id, kinds=FOLDED))
                if replica is not None:  # what was learned before the first look stands
                    self._forget_said(id)
                replica = self._blank(id, self._lineages.refresh(id, [f for f in facts if f.kind == RETYPED]))
            replica.take(facts)
            self._replicas[id] = facts[-1].seq if facts else seen, replica
            return replica

    def loaded(self, id: str) -> Replica | None:
        """Return the twin's replica in step with the thread if it is in memory already; none is made."""
        with self.lock:
            return self.replica(id) if id in self._replicas else None

    def remember(self, id: str) -> None:
        """Keep snapshots of what was folded, so that the next start need not fold from the beginning."""
        with self.lock:
            seen, replica = self._replicas.get(id, (0, None))
            if replica is not None and replica.folded:
                self.snapshots.put(replica, seen)

    def _settle(self, replica: Replica) -> None:
        """Keep snapshots once in each hour of the twin's time: the process may be killed."""
        hour = replica.points[-1].at // HOUR if replica.points else 0
        if hour != self._hours.get(replica.id):
            self._hours[replica.id] = hour
            self.remember(replica.id)

    def remember_all(self) -> None:
        """Keep the last belief of every twin."""
        for id_ in list(self._replicas):
            self.remember(id_)

    def forget(self, id: str) -> None:
        """Forget all that is held in memory about a twin."""
        with self.lock:
            self._replicas.pop(id, None)
            self._hours.pop(id, None)
            self.snapshots.forget(id)
            self._lineages.forget(id)
            self._forget_said(id)

    def refold(self, id: str) -> None:
        """Fold the twin anew when it is asked for next, as its readings were thinned."""
        with self.lock:
            self._replicas.pop(id, None)
            self._said = {place: held for place, held in self._said.items() if place[0] != id}

    def _forget_said(self, id: str) -> None:
        for held in (self._foresights, self._said):
            for place in [place for place in held if place[0] == id]:
                del held[place]

    def _blank(self, id: str, spans: Sequence[Span]) -> Replica:
        """Return a replica that knows nothing yet, of the versions that the twin was of one after the other."""
        attributes = {str(k): float(v) for k, v in self._created(id).body["attributes"].items()}
        made = Replica(self._lineages.version(spans[0]), id, attributes, self.seed, shelf=self.snapshots.find)
        for span in spans[1:]:
            assert span.migration is not None
            made = made.retyped(self._lineages.version(span), span.since, span.migration)
        return made

    def followed(self, id: str, since: Time | None = None) -> list[Followed]:
        """Return the beliefs after each cycle from the last before *since* on (None: the latest alone)."""
        with self.lock:
            replica = self.replica(id)
            latest = replica.belief() if since is None else None
            found = list(replica.follow(since=since)) if since is not None else [latest] if latest is not None else []
            self._settle(replica)
            return found

    def replica_known_by(self, id: str, known_by: Time | None, seq: int | None = None) -> Replica:
        """Return a fresh replica from what was known at *known_by*, to fact *seq* where it is given."""
        facts = [f for f in self.thread.read(id, kinds=FOLDED, known_by=known_by) if seq is None or f.seq <= seq]
        return self.replica_of(id, [*facts, *self._stand_ins(id, known_by, seq)])

    def _stand_ins(self, id: str, known_by: Time | None, seq: int | None) -> list[Fact]:
        """Return statistics made since, of readings that were known by then and are thinned now."""
        last = (1 << 63) - 1
        by, upto = last if known_by is None else known_by, last if seq is None else seq
        facts = self.thread.read(id, kinds=[SUMMARISED])
        later = (fact for fact in facts if fact.known_at > by or fact.seq > upto)
        return [fact for fact in later if fact.body["known_at"] <= by and fact.body["last"] <= upto]

    def replica_of(self, id: str, facts: Sequence[Fact]) -> Replica:
        """Return a fresh replica that knows these facts alone."""
        made = self._blank(id, spans(self._created(id), [f for f in facts if f.kind == RETYPED]))
        made.take(facts)
        return made

    def at(self, id: str, now: Time) -> Belief:
        """Return the belief carried to *now* from the last reading."""
        with self.lock:
            replica = self.replica(id).during(now)
            followed = replica.belief(now)
            if followed is None:
                raise NotFound(f"nothing is known of {id} yet: import a record or connect a stream")
            self._settle(replica)
            return replica.forward(followed, now // MINUTE * MINUTE)

    def forecast(self, id: str, signal: str, hours: float, now: Time) -> Forecast:
        """Return quantiles of *signal* if nothing is done but rates going back to usual, mended by what was learned."""
        twin_type, length = self._type_of(id, now), max(round(hours * HOUR), EVERY)
        if signal not in twin_type.signals:
            raise unknown("signal", signal, twin_type.signals)
        with self.lock:
            replica, foresight = self.replica(id).during(now), self._foresights.get((id, signal))
            asked = (self._replicas[id][0], length, now)
            held = self._said.get((id, signal))
            if held is None or held[0] != asked or held[1] is not foresight:
                held = asked, foresight, self._foretold(replica, signal, length, now, foresight)
                self._said[id, signal] = held
            return held[2]

    def _foretold(
        self, replica: Replica, signal: str, length: Time, now: Time, foresight: Foresight | None
    ) -> Forecast:
        port, belief, last = replica.type.signals[signal], self.at(replica.id, now), replica.last_reading(signal)
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

    def learn(self, id: str, signal: str, allowed: Sequence[str], now: Time, tell: Tell) -> None:
        """Learn from how forecasts of *signal* came true up to *now*, here and with the twins *allowed*; keep it.

        What was learned in the last half day and is still allowed is taken as it is.
        """
        twin_type, name = self._type_of(id), f"foresight-{signal}"
        note = memory.read_foresight(self.thread.kept(id, name), twin_type.hash)
        fresh = note is not None and 0 <= now - note.fitted_at < REFIT and set(note.learned_from) <= set(allowed)
        if note is None or not fresh:
            tell("learning from past forecasts", 0, len(allowed) + 2)
            records = []
            for i, other in enumerate(allowed):
                records.append(record(self.replica_known_by(other, None), signal))
                tell("learning from past forecasts", i + 1, len(allowed) + 2)
            own = record(self.replica_known_by(id, None), signal).until(now)
            known = [other.until(min(now, int(other.at[-1]))) for other in records if len(other.at)]
            walk = Walk(known, cold=cold_start(twin_type, signal))
            walk.along(own, lambda done: tell("weighing past errors", done + 1, len(own.at)))
            with self.lock:
                if any(self.thread.erased(one) for one in (id, *allowed)):
                    return
                self.thread.keep(id, name, memory.foresight_note(walk.foresight, twin_type.hash, now, tuple(allowed)))
                self._foresights[id, signal] = walk.foresight
            tell("learning from past forecasts", len(allowed) + 2, len(allowed) + 2)
        else:
            self._foresights[id, signal] = memory.foresight(note)

    def unlearn(self, id: str, only: str | None = None) -> None:
        """Forget what was learned of the twin's errors in foreseeing its signals, or *only* one of them."""
        for signal in [only] if only else self._type_of(id).signals:
            self._said.pop((id, signal), None)
            self._foresights.pop((id, signal), None)
            if self.thread.kept(id, f"foresight-{signal}") is not None:
                self.thread.keep(id, f"foresight-{signal}", b"")
