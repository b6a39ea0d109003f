"""Replica: the belief of one twin, folded from its facts, the same whatever order they came in."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256

import numpy as np

from gemel.assimilate import Cycle, Filter, cycles, step
from gemel.bank.ground import MOST, SIZE, thinned, weight
from gemel.bank.intake import HAPPENED
from gemel.bank.migration import Migration
from gemel.bank.statistics import SUMMARISED, parts_in
from gemel.dynamics import Belief, Dose, Event, Info, Plan, Reading, Seed, Subject, exact
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.twintype import TwinType

RETURN: Time = HOUR
"""Time constant with which a rate is expected back at its usual level."""

FOLDS: Time = 5 * MINUTE
"""Thinned readings that lie no further apart are folded as one."""

SETTINGS = Filter(doubt=4.0)


@dataclass(frozen=True)
class Followed:
    """The belief just after one cycle, how its readings fitted, and what stands for all that it was folded from."""

    at: Time
    belief: Belief
    info: Info
    ground: int = 0


Shelf = Callable[["Replica", "Time | None"], "Followed | None"]
"""Finds the latest snapshot, at or before a time, of what folding a replica's facts would give."""


def bare(replica: Replica, until: Time | None) -> Followed | None:
    """Find nothing."""
    return None


@dataclass(frozen=True)
class Former:
    """What a twin was before `until`, a whole minute, and how its state went over."""

    replica: Replica
    until: Time
    migration: Migration


@dataclass
class Replica:
    """One twin's history and the belief that follows from it; `take` facts in any order, then ask `belief`.

    `folded` counts the cycles that were computed; `former` is the same history under the type before.
    """

    type: TwinType
    id: str
    attributes: dict[str, float]
    seed: Seed
    readings: list[tuple[Time, str, float, str]] = field(default_factory=list)
    doses: list[tuple[Time, str, float, str]] = field(default_factory=list)
    events: list[tuple[Time, str, str, str, str, str, str]] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    personal: list[tuple[Time, int, dict[str, float]]] = field(default_factory=list)
    former: Former | None = None
    shelf: Shelf = bare
    folded: int = 0
    thinned: bool = False
    _withdrawn: set[str] = field(default_factory=set)
    _points: list[Followed] = field(default_factory=list)

    def retyped(self, twin_type: TwinType, until: Time, migration: Migration) -> Replica:
        """Return the replica that has another type from *until* on, and shares all that is known with this one."""
        return replace(self, type=twin_type, former=Former(self, until, migration), folded=0, _points=[])

    @property
    def chain(self) -> tuple[Replica, ...]:
        """Return this replica and what it was before, latest first."""
        return (self,) if self.former is None else (self, *self.former.replica.chain)

    def during(self, at: Time) -> Replica:
        """Return the replica of the type that was in force at a moment."""
        return self if self.former is None or at >= self.former.until else self.former.replica.during(at)

    @property
    def lineage(self) -> str:
        """Return the hash of the type, or, after a retyping, of all types and how each became the next."""
        if self.former is None:
            return self.type.hash
        told = f"{self.former.replica.lineage}|{self.former.until}|{self.former.migration.digest}|{self.type.hash}"
        return sha256(told.encode()).hexdigest()

    @cached_property
    def senses(self) -> frozenset[str]:
        """Return the signals that move the belief."""
        if exact(self.type.dynamics):
            return frozenset()
        return frozenset(getattr(self.type.dynamics, "sensors", self.type.signals))

    @cached_property
    def acts(self) -> frozenset[str]:
        """Return the levers that move the belief."""
        return frozenset({*self.type.levers, *getattr(self.type.dynamics, "inputs", ())})

    def take(self, facts: Iterable[Fact]) -> None:
        """Add what was observed, done and withdrawn; forget the beliefs that this changes."""
        for fact in facts:
            body = fact.body
            if fact.kind == "retracted/1":
                self._withdraw(str(body["key"]))
            elif fact.kind == "personalised/1":
                self._personalise(fact)
            elif fact.kind == SUMMARISED:
                self.thinned = True
                self._summarise(fact)
            elif fact.kind in ("observed/1", "acted/1"):
                self._add(fact, str(body["key"]))
            elif fact.kind == HAPPENED:
                self._happen(fact, str(body["key"]))

    def _happen(self, fact: Fact, key: str) -> None:
        if key in self._withdrawn or key in self.sources:
            return
        body, told = fact.body, json.dumps(fact.body["attributes"], sort_keys=True)
        insort(self.events, (fact.true_at, body["case"], body["phase"], body["activity"], body["resource"], told, key))
        self.sources[key] = fact.seq
        self._forget_since(fact.true_at, True)

    def _summarise(self, fact: Fact) -> None:
        """Take what lay within five minutes as one reading, its mean; coarser statistics are for looking back."""
        for part in parts_in(fact):
            key = part.key or f"{fact.body['name']}|{SUMMARISED}|{part.first_at}|{part.n}"
            if part.last_at - part.first_at <= FOLDS and key not in self._withdrawn and key not in self.sources:
                entry = (part.at, str(fact.body["name"]), part.mean, key)
                insort(self.readings, entry)
                self.sources[key] = fact.seq
                self._forget(entry)

    def _add(self, fact: Fact, key: str) -> None:
        if key in self._withdrawn or key in self.sources:
            return
        entry = (fact.true_at, str(fact.body["name"]), float(fact.body["value"]), key)
        insort(self.readings if fact.kind == "observed/1" else self.doses, entry)
        self.sources[key] = fact.seq
        self._forget(entry)

    def _personalise(self, fact: Fact) -> None:
        """Take the constants of an adopted fit; where they are the latest, everything is folded anew with them."""
        known = {seq for _, seq, _ in self.personal}
        if not fact.body["adopted"] or fact.seq in known:
            return
        before = [replica.constants for replica in self.chain]
        values = {str(name): float(entry["value"]) for name, entry in fact.body["parameters"].items()}
        insort(self.personal, (fact.true_at, fact.seq, values), key=lambda entry: entry[:2])
        if [replica.constants for replica in self.chain] != before:
            for replica in self.chain:
                replica._points = []

    @property
    def constants(self) -> dict[str, float]:
        """Return the constants of the latest fit that was adopted, as far as this type still knows them."""
        varies = getattr(self.type.dynamics, "varies", {})
        return {name: value for name, value in self.personal[-1][2].items() if name in varies} if self.personal else {}

    def subject(self, born: Time) -> Subject:
        """Return who is modelled: the attributes given, and the constants that were fitted."""
        return Subject(self.id, born, {**self.attributes, **self.constants})

    def supposing(self, constants: Mapping[str, float], since: Followed) -> Replica:
        """Return a copy with other constants, that goes on from *since* and is nobody's belief."""
        moment = max([since.at, *(at for at, _, _ in self.personal)])
        made = replace(self, personal=[*self.personal, (moment, sys.maxsize, dict(constants))], shelf=bare, _points=[])
        belief = since.belief
        held = {name: np.full((1, belief.members), value, np.float32) for name, value in made.constants.items()}
        subject = made.subject(belief.subjects[0].born)
        made.start_from(replace(since, belief=replace(belief, subjects=(subject,), values={**belief.values, **held})))
        return made

    def standing(self, key: str) -> int | None:
        """Return which fact says what is said under *key*, None where none does or it was taken back."""
        return None if key in self._withdrawn else self.sources.get(key)

    def _withdraw(self, key: str) -> None:
        self._withdrawn.add(key)
        for group in (self.readings, self.doses):
            for entry in [entry for entry in group if entry[3] == key]:
                group.remove(entry)
                self._forget(entry)
        for told in [told for told in self.events if told[-1] == key]:
            self.events.remove(told)
            self._forget_since(told[0], True)

    def _forget(self, entry: tuple[Time, str, float, str]) -> None:
        """Forget the beliefs that an entry changes: those after it, and all where it changes the beginning."""
        self._forget_since(entry[0], any(entry[1] in replica.senses | replica.acts for replica in self.chain))

    def _forget_since(self, at: Time, moves: bool) -> None:
        minute, start = at // MINUTE * MINUTE, self.start
        for replica in self.chain:
            replica._points = [
                p for p in replica._points if (p.at < minute or not moves) and p.belief.subjects[0].born == start
            ]

    @property
    def since(self) -> Time:
        """Return from when on the twin is of this type: 0 where it always was."""
        return 0 if self.former is None else self.former.until

    @property
    def start(self) -> Time | None:
        """Return the first minute of which anything is known."""
        firsts = [int(group[0][0]) for group in (self.readings, self.doses, self.events) if group]
        return min(firsts) // MINUTE * MINUTE if firsts else None

    @property
    def last(self) -> Time | None:
        """Return when the last reading or dose was true."""
        lasts = [int(group[-1][0]) for group in (self.readings, self.doses, self.events) if group]
        return max(lasts) if lasts else None

    def plan(self, since: Time | None = None, until: Time | None = None) -> list[Dose]:
        """Return doses with `since <= at < until`, in order."""
        low = 0 if since is None else bisect_left(self.doses, (since,))
        high = len(self.doses) if until is None else bisect_left(self.doses, (until,))
        return [Dose(name, value, at) for at, name, value, _ in self.doses[low:high] if name in self.acts]

    def read(self, since: Time | None = None, until: Time | None = None) -> list[Reading]:
        """Return readings with `since <= at < until`, in order."""
        low = 0 if since is None else bisect_left(self.readings, (since,))
        high = len(self.readings) if until is None else bisect_left(self.readings, (until,))
        return [Reading(name, value, at) for at, name, value, _ in self.readings[low:high]]

    def happened(self, since: Time | None = None, until: Time | None = None) -> list[Event]:
        """Return events with `since <= at < until`, in order."""
        low = 0 if since is None else bisect_left(self.events, (since,))
        high = len(self.events) if until is None else bisect_left(self.events, (until,))
        return [
            Event(case, phase, at, activity, resource, json.loads(told))
            for at, case, phase, activity, resource, told, _ in self.events[low:high]
        ]

    def series(self, signal: str, since: Time | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return when *signal* was read and what, `since <= at`, in order: times (int64) and values (float64)."""
        low = 0 if since is None else bisect_left(self.readings, (since,))
        found = [(at, value) for at, name, value, _ in self.readings[low:] if name == signal]
        return np.array([at for at, _ in found], np.int64), np.array([value for _, value in found], float)

    def belief(self, until: Time | None = None) -> Followed | None:
        """Return the belief after the last cycle at or before *until*, or None where nothing is known yet."""
        latest = deque(self.follow(until), maxlen=1)
        return latest[0] if latest else None

    def follow(self, until: Time | None = None, since: Time | None = None) -> Iterator[Followed]:
        """Yield the belief after each cycle to *until*, from *since* on, or from the last one that is still known."""
        if self.start is None:
            return
        limit = until if since is None else since
        known = self._known(limit)
        yield known
        plan = self.plan(since=int(known.belief.at[0]))
        for cycle in self.cycles(known.at, until):
            known = self._step(known, cycle, plan)
            yield known

    def _step(self, known: Followed, cycle: Cycle, plan: Sequence[Dose]) -> Followed:
        belief, info = step(self.type.dynamics, known.belief, cycle, plan, self.seed, SETTINGS)
        self.folded += 1
        ground = (known.ground + self._weight(known.at, int(known.belief.at[0]), cycle.at, cycle.at)) % SIZE
        return self._keep(Followed(cycle.at, belief, info, ground))

    def ground(self, at: Time, moment: Time) -> int:
        """Return what stands for all that a belief follows from: readings to the minute of *at*, doses before *moment*."""
        start = self.start or 0
        if self.former is None:
            return self._weight(start - 1, start, at, moment)
        until = self.former.until
        return (self.former.replica.ground(until - 1, until) + self._weight(until - 1, until, at, moment)) % SIZE

    def _weight(self, after: Time, since: Time, at: Time, moment: Time) -> int:
        """Return the part of it that came between one belief and the next."""
        first, last = ((bound // MINUTE + 1) * MINUTE for bound in (after, at))
        read = self.readings[bisect_left(self.readings, (first,)) : bisect_left(self.readings, (last,))]
        done = self.doses[bisect_left(self.doses, (since,)) : bisect_left(self.doses, (moment,))]
        told = self.events[bisect_left(self.events, (first,)) : bisect_left(self.events, (last,))]
        return weight([*(e for e in read if e[1] in self.senses), *(e for e in done if e[1] in self.acts), *told])

    def cycles(self, after: Time, until: Time | None) -> Sequence[Cycle]:
        """Return what sensors of the dynamics read, and what happened, after the minute of *after*, to *until*."""
        since, end = (after // MINUTE + 1) * MINUTE, None if until is None else until + 1
        fresh = self.read(since, end) if self.senses else []
        return cycles([reading for reading in fresh if reading.signal in self.senses], self.happened(since, end))

    def _known(self, until: Time | None) -> Followed:
        """Return the latest belief held or kept at or before *until*; before the first cycle, the root."""
        held = [point for point in self._points if until is None or point.at <= until]
        if held:
            return held[-1]
        kept = self.shelf(self, until)
        return self._root() if kept is None else self._keep(kept)

    def _root(self) -> Followed:
        """Return what folding begins with: the prior, or what the former type believed, moved over."""
        start = self.start or 0
        prior = self.type.dynamics.prior([self.subject(start)], self.type.members, self.seed)
        if self.former is None or self.former.until <= start:
            return Followed(start - 1, prior, {})
        until = self.former.until
        last = self.former.replica.belief(until - 1)
        assert last is not None
        belief = self.former.replica.forward(last, until)
        moved = self.former.migration.apply(self.type.dynamics.ranges, belief, prior)
        self.folded += 1
        return self._keep(Followed(until - 1, moved, {}, self.ground(until - 1, until)))

    def start_from(self, followed: Followed) -> None:
        """Go on from a belief that was folded before."""
        self._keep(followed)

    @property
    def latest(self) -> Followed | None:
        """Return the last belief that is still known, without folding any further."""
        return self._points[-1] if self._points else None

    def last_reading(self, signal: str) -> Time | None:
        """Return when *signal* was read last."""
        return next((entry[0] for entry in reversed(self.readings) if entry[1] == signal), None)

    def _keep(self, followed: Followed) -> Followed:
        """Hold on to a belief: to the latest one by one, to older ones ever fewer."""
        index = bisect_right(self._points, followed.at, key=lambda point: point.at)
        if index == 0 or self._points[index - 1].at != followed.at:
            self._points.insert(index, followed)
        if len(self._points) > MOST:
            self._points = thinned(self._points)
        return followed

    @property
    def points(self) -> tuple[Followed, ...]:
        """Return the beliefs that are held, oldest first."""
        return tuple(self._points)

    def forward(self, followed: Followed, until: Time) -> Belief:
        """Return the belief carried on to *until* under what was done since, with no further reading."""
        at = int(followed.belief.at[0])
        plan = self.plan(since=at, until=until // MINUTE * MINUTE)
        if exact(self.type.dynamics):
            ends = np.array([max(until, at)])
            return self.type.dynamics.condition(followed.belief, (), [plan], ends, self.seed)[0]
        moved, _ = self.type.dynamics.advance(followed.belief, [plan], np.array([max(until, at)]), self.seed)
        return moved

    def expected(self, since: Time, now: Time, length: Time) -> Plan:
        """Return what was done from *since* to *now*, and rates going back, within an hour or so, to their usual level.

        A rate that differs from a person's median is mostly a temporary one; the time constant is 60 min. A condition stays
        as it was told. Where events fix the state, levers stay as they are: what is usual is in the dynamics.
        """
        if exact(self.type.dynamics):
            return self.plan(since, now + 1)
        levers = [name for name, lever in self.type.levers.items() if lever.holds and name not in self.type.conditions]
        back = [dose for name in levers for dose in self._back(name, now, length)]
        return [*self.plan(since, now + 1), *back]

    def rates(self, now: Time) -> dict[str, float]:
        """Return the rate at which each lever that holds stands at *now*, 0 where it was never set."""
        found = {name: 0.0 for name, lever in self.type.levers.items() if lever.holds}
        return found | {dose.lever: float(dose.amount) for dose in self.plan(until=now + 1) if dose.lever in found}

    def _back(self, lever: str, now: Time, length: Time) -> list[Dose]:
        past = [
            (at, value)
            for at, name, value, _ in self.doses[: bisect_right(self.doses, (now, "\uffff"))]
            if name == lever
        ]
        if not past:
            return []
        usual, rate = _time_median(past, now), past[-1][1]
        steps = range(RETURN // 4, int(min(length, 3 * RETURN)), RETURN // 4)
        return [
            Dose(lever, usual + (rate - usual) * float(np.exp(-step / RETURN)), now + step)
            for step in steps
            if rate != usual
        ]

    def usual(self, now: Time, length: Time) -> Plan:
        """Return the last day's doses, shifted to come again from *now* on: the plan of a usual day."""
        if exact(self.type.dynamics):
            return []
        day = 24 * HOUR
        past = [dose for dose in self.plan(since=now - day, until=now) if dose.lever not in self.type.conditions]
        days = range(1, int(length // day) + 2)
        again = [Dose(d.lever, d.amount, d.at + k * day) for k in days for d in past]
        return sorted((d for d in again if now <= d.at < now + length), key=lambda d: d.at)


def _time_median(rates: Sequence[tuple[Time, float]], now: Time) -> float:
    """Return the rate that held for at least half of the time."""
    held = np.diff([at for at, _ in rates], append=max(now, rates[-1][0]) + 1)
    values = np.array([value for _, value in rates])
    order = np.argsort(values)
    share = np.cumsum(held[order]) / held.sum()
    return float(values[order][np.searchsorted(share, 0.5)])
