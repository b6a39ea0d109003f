"""Diff: what changed between two views of a twin, by how much, and because of which facts; largest first."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from gemel.bank.beliefs import FOLDED
from gemel.bank.contrast import CORRECTED, Change, Data, Difference, Foreseen, Group, changed, label_of, variables
from gemel.bank.intake import HAPPENED
from gemel.bank.replica import Followed, Replica
from gemel.bank.versions import View, at_view, replica_at
from gemel.dynamics import EVENTS, Array, Belief
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.simulate import samples, summarise

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

HORIZONS = (30, 60, 120)
"""Minutes ahead at which forecasts are compared."""

CYCLES = 3000
"""How many cycles may be folded again to see what each group of facts did; beyond, groups are ordered by their size."""

TIMED = ("observed/1", "acted/1", HAPPENED)
"""Kinds that tell something of one moment, and nothing of what was before."""

TOLD = 5
"""How many facts of a group are named, for `why` to go on from."""


@dataclass(frozen=True)
class Side:
    """One view, and what it comes to."""

    view: View
    facts: dict[int, Fact]
    replica: Replica
    followed: Followed

    @property
    def moment(self) -> Time:
        """Return about when the view is: at its time, or where the record ends before that, at its end."""
        at, last = int(self.followed.belief.at[0]), self.replica.last or 0
        return at if self.view.true_at is None else max(at, min(self.view.true_at, last) // MINUTE * MINUTE)

    @cached_property
    def belief(self) -> Belief:
        """Return what is believed about that moment."""
        return self.replica.forward(self.followed, self.moment)

    @cached_property
    def variables(self) -> Mapping[str, Array]:
        """Return what of it can be compared."""
        return variables(self.replica.type, self.belief)


def _side(bank: Bank, id: str, view: View) -> Side:
    known = bank.thread.read(id, kinds=FOLDED, known_by=view.known_by)
    facts = {fact.seq: fact for fact in known if _seen(fact, view)}
    return Side(view, facts, replica_at(bank, id, view), at_view(bank, id, view))


def _seen(fact: Fact, view: View) -> bool:
    late = fact.kind in TIMED and view.true_at is not None and fact.true_at > view.true_at
    return not late and (view.seq is None or fact.seq <= view.seq)


def diff(bank: Bank, id: str, a: View, b: View, horizons: Sequence[int] = HORIZONS) -> Difference:
    """Return what changed from *a* to *b*; *horizons* in minutes."""
    before, after = _side(bank, id, a), _side(bank, id, b)
    types = (before.replica.type, after.replica.type)
    old, new = before.variables, after.variables
    changes = [changed(name, old[name], new[name], types) for name in sorted(old.keys() & new.keys())]
    return Difference(
        id, (a.label, b.label), (before.moment, after.moment), tuple((t.name, t.hash) for t in types),
        tuple(sorted((c for c in changes if c.before != c.after), key=lambda c: -c.size)),
        tuple(sorted(new.keys() - old.keys())), tuple(sorted(old.keys() - new.keys())),
        (*_data(before, after), *_happened(before, after)),
        tuple(_foreseen(before, after, horizons)), tuple(_groups(bank, id, before, after)),
    )  # fmt: skip


def _data(before: Side, after: Side) -> Iterator[Data]:
    """Yield, per signal and lever, what was added, taken back and corrected."""
    old, new = (_entries(side) for side in (before, after))
    gone, come = old - new, new - old
    for name in sorted({entry[1] for entry in gone | come}):
        lost = {e[0]: e[2] for e in gone if e[1] == name}
        more = {e[0]: e[2] for e in come if e[1] == name}
        both = sorted(lost.keys() & more.keys())
        pairs = tuple((at, lost[at], more[at]) for at in both if lost[at] != more[at])
        times, (label, unit) = sorted([*lost, *more]), _told(name, after, before)
        yield Data(name, label, unit, len(more) - len(both), len(lost) - len(both), pairs, times[0], times[-1])


def _happened(before: Side, after: Side) -> Iterator[Data]:
    """Yield how many events were added and taken back, if any were."""
    old, new = (
        {entry for entry in side.replica.events if side.view.true_at is None or entry[0] <= side.view.true_at}
        for side in (before, after)
    )
    times = sorted(entry[0] for entry in old ^ new)
    if times:
        yield Data(EVENTS, EVENTS, "", len(new - old), len(old - new), (), times[0], times[-1])


def _told(name: str, *sides: Side) -> tuple[str, str]:
    """Return label and unit of a port, by the first type that has it."""
    types = [side.replica.type for side in sides]
    port = next((p for t in types for p in (t.signals.get(name), t.levers.get(name)) if p is not None), None)
    return (name, "") if port is None else (port.label or name, port.unit)


def _entries(side: Side) -> set[tuple[Time, str, float, str]]:
    until = side.view.true_at
    entries = [*side.replica.readings, *side.replica.doses]
    return {entry for entry in entries if until is None or entry[0] <= until}


def _foreseen(before: Side, after: Side, horizons: Sequence[int]) -> Iterator[Foreseen]:
    """Yield what each side foresees of signals that both have, each from its own moment, if nothing new is done."""
    bands = [side.replica.type.band or side.replica.type.signals for side in (before, after)]
    for name in (name for name in bands[0] if name in bands[1]):
        label, unit = _told(name, after, before)
        rows = [_quantiles(side, name, horizons) for side in (before, after)]
        for minutes, was, now in zip(horizons, *rows, strict=True):
            yield Foreseen(name, label, unit, minutes, was, now)


def _quantiles(side: Side, signal: str, horizons: Sequence[int]) -> list[tuple[float, float, float]]:
    """Return (low, median, high) of the 80 % interval at each horizon."""
    replica, every, length = side.replica, 5 * MINUTE, max(horizons) * MINUTE
    plan = replica.expected(side.moment, side.moment, length)
    port = replica.type.signals[signal]
    draws = samples(replica.type.dynamics, side.belief, [plan], length, replica.seed, signal, every)
    said = summarise(draws[:, 0], signal, port.unit, side.moment, every, port.low, port.high)
    columns = [max(minutes // 5, 1) - 1 for minutes in horizons]
    return [(float(said.at_level(0.1)[i]), float(said.at_level(0.5)[i]), float(said.at_level(0.9)[i])) for i in columns]


# why


def _groups(bank: Bank, id: str, before: Side, after: Side) -> list[Group]:
    """Return the facts that one side alone has, by who said them, kind and name, with what each group did."""
    parts: dict[tuple[bool, str, str, str], list[Fact]] = defaultdict(list)
    for side, other in ((after, before), (before, after)):
        fresh = [fact for seq, fact in side.facts.items() if seq not in other.facts]
        wrong = {fact.body["corrects"] for fact in fresh if "corrects" in fact.body}
        for fact in fresh:
            kind = CORRECTED if "corrects" in fact.body or wrong & set(fact.cause) else fact.kind
            parts[side is after, fact.by, kind, str(fact.body.get("name", ""))].append(fact)
    cost = {key: _cost(after if key[0] else before, facts) for key, facts in parts.items()}
    cheap = sum(cost.values()) <= CYCLES
    types = (before.replica.type, after.replica.type)
    found = []
    for (added, by, kind, name), facts in parts.items():
        side = after if added else before
        moved = _without(bank, id, side, {fact.seq for fact in facts}) if cheap else None
        told = [fact for fact in facts if kind != CORRECTED or "corrects" in fact.body]
        times, label = sorted(fact.true_at for fact in told), label_of(name, types) if name else ""
        seqs = tuple(fact.seq for fact in told[:TOLD])
        found.append(Group(by, kind, name, label, added, len(told), times[0], times[-1], seqs, moved))
    return sorted(found, key=lambda group: (-group.size, -group.count))


def _cost(side: Side, facts: Sequence[Fact]) -> int:
    """Return about how many cycles are folded again without these facts."""
    whole = any(fact.kind not in TIMED for fact in facts)
    since = side.replica.start or 0 if whole else min(fact.true_at for fact in facts) - HOUR
    events = side.replica.events
    return sum(entry[0] >= since for entry in side.replica.readings) + len(events) - bisect_left(events, (since,))


def _without(bank: Bank, id: str, side: Side, seqs: set[int]) -> Change | None:
    """Return how the variable that these facts moved most would differ without them, at the side's own moment."""
    kept = [fact for seq, fact in side.facts.items() if seq not in seqs]
    replica = bank.beliefs.replica_of(id, kept).during(side.moment)
    followed = replica.belief(side.moment)
    if followed is None or int(followed.belief.at[0]) > side.moment:
        return None
    other, here = variables(replica.type, replica.forward(followed, side.moment)), side.variables
    types = (replica.type, side.replica.type)
    moves = [changed(name, other[name], here[name], types) for name in sorted(other.keys() & here.keys())]
    return max((move for move in moves if np.isfinite(move.size)), key=lambda move: move.size, default=None)
