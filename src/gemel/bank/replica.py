"""Replica: the belief of one twin, folded from its facts, the same whatever order they came in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.assimilate import Cycle, Filter, cycles, step
from gemel.dynamics import Belief, Dose, Info, Plan, Reading, Seed, Subject
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.twintype import TwinType

DENSE = 24
"""How many of the latest beliefs are kept one by one; of older ones, one an hour."""

SETTINGS = Filter(doubt=4.0)


@dataclass(frozen=True)
class Followed:
    """The belief just after one cycle, and how its readings fitted."""

    at: Time
    belief: Belief
    info: Info


@dataclass
class Replica:
    """One twin's history and the belief that follows from it; `take` facts in any order, then ask `belief`."""

    type: TwinType
    id: str
    attributes: dict[str, float]
    seed: Seed
    readings: list[tuple[Time, str, float, str]] = field(default_factory=list)
    doses: list[tuple[Time, str, float, str]] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    _withdrawn: set[str] = field(default_factory=set)
    _points: list[Followed] = field(default_factory=list)

    def take(self, facts: Iterable[Fact]) -> None:
        """Add what was observed, done and withdrawn; forget the beliefs that this changes."""
        for fact in facts:
            body = fact.body
            if fact.kind == "retracted/1":
                self._withdraw(str(body["key"]))
            elif fact.kind in ("observed/1", "acted/1") and body["key"] not in self._withdrawn:
                entry = (fact.true_at, str(body["name"]), float(body["value"]), str(body["key"]))
                insort(self.readings if fact.kind == "observed/1" else self.doses, entry)
                self.sources[str(body["key"])] = fact.seq
                self._forget(fact.true_at)

    def _withdraw(self, key: str) -> None:
        self._withdrawn.add(key)
        for group in (self.readings, self.doses):
            for entry in [entry for entry in group if entry[3] == key]:
                group.remove(entry)
                self._forget(entry[0])

    def _forget(self, since: Time) -> None:
        minute, start = since // MINUTE * MINUTE, self.start
        valid = [p for p in self._points if p.at < minute and p.belief.subjects[0].born == start]
        self._points = valid

    @property
    def start(self) -> Time | None:
        """Return the first minute of which anything is known."""
        firsts = [group[0][0] for group in (self.readings, self.doses) if group]
        return min(firsts) // MINUTE * MINUTE if firsts else None

    @property
    def last(self) -> Time | None:
        """Return when the last reading or dose was true."""
        lasts = [group[-1][0] for group in (self.readings, self.doses) if group]
        return max(lasts) if lasts else None

    def plan(self, since: Time | None = None, until: Time | None = None) -> list[Dose]:
        """Return doses with `since <= at < until`, in order."""
        low = 0 if since is None else bisect_left(self.doses, (since,))
        high = len(self.doses) if until is None else bisect_left(self.doses, (until,))
        return [Dose(name, value, at) for at, name, value, _ in self.doses[low:high]]

    def read(self, since: Time | None = None, until: Time | None = None) -> list[Reading]:
        """Return readings with `since <= at < until`, in order."""
        low = 0 if since is None else bisect_left(self.readings, (since,))
        high = len(self.readings) if until is None else bisect_left(self.readings, (until,))
        return [Reading(name, value, at) for at, name, value, _ in self.readings[low:high]]

    def belief(self, until: Time | None = None) -> Followed | None:
        """Return the belief after the last cycle at or before *until*, or None where nothing is known yet."""
        last: Followed | None = None
        for last in self.follow(until):
            pass
        return last

    def follow(self, until: Time | None = None, since: Time | None = None) -> Iterator[Followed]:
        """Yield the belief after each cycle to *until*, from *since* on, or from the last one that is still known."""
        if self.start is None:
            return
        limit = until if since is None else since
        known = self._known(limit)
        yield known
        plan, belief = self.plan(since=int(known.belief.at[0])), known.belief
        for cycle in self._cycles(known.at, until):
            belief, info = step(self.type.dynamics, belief, cycle, plan, self.seed, SETTINGS)
            yield self._keep(Followed(cycle.at, belief, info))

    def _cycles(self, after: Time, until: Time | None) -> Sequence[Cycle]:
        sensed = getattr(self.type.dynamics, "sensors", self.type.signals)
        fresh = self.read((after // MINUTE + 1) * MINUTE, None if until is None else until + 1)
        return cycles([reading for reading in fresh if reading.signal in sensed])

    def _known(self, until: Time | None) -> Followed:
        """Return the latest belief kept at or before *until*; before the first cycle, the prior."""
        known = [point for point in self._points if until is None or point.at <= until]
        if known:
            return known[-1]
        start = self.start or 0
        subject = Subject(self.id, start, self.attributes)
        return Followed(start - 1, self.type.dynamics.prior([subject], self.type.members, self.seed), {})

    def _keep(self, followed: Followed) -> Followed:
        """Keep the last hour's beliefs and one an hour before."""
        index = bisect_right(self._points, followed.at, key=lambda point: point.at)
        if index == 0 or self._points[index - 1].at != followed.at:
            self._points.insert(index, followed)
        if index >= DENSE and self._points[index - DENSE].at // HOUR == self._points[index - DENSE + 1].at // HOUR:
            del self._points[index - DENSE + 1]
        return followed

    def forward(self, followed: Followed, until: Time) -> Belief:
        """Return the belief carried on to *until* under what was done since, with no further reading."""
        at = int(followed.belief.at[0])
        plan = self.plan(since=at, until=until // MINUTE * MINUTE)
        moved, _ = self.type.dynamics.advance(followed.belief, [plan], np.array([max(until, at)]), self.seed)
        return moved

    def usual(self, now: Time, length: Time) -> Plan:
        """Return the last day's doses, shifted to come again from *now* on: the plan of a usual day."""
        day = 24 * HOUR
        past = self.plan(since=now - day, until=now)
        days = range(1, int(length // day) + 2)
        again = [Dose(d.lever, d.amount, d.at + k * day) for k in days for d in past]
        return sorted((d for d in again if now <= d.at < now + length), key=lambda d: d.at)
