"""Retention that thins: raw readings become statistics of 5 minutes, of hours, of days, each kept as long as a policy says.

Statistics are facts of the twin (`summarised/1`), sealed as its readings were; a fact of the house (`thinned/1`), written in
the same append, covers what they stand for, and only then are its contents dropped. What other facts name as their cause is
evidence, and stays: no forecast, proposal, decision, outcome or alert loses what it rests on. So does what a hold names.

Of the events of a service nothing stands for what goes. A case goes as a whole, once nothing was heard of it for so long: who
is still inside then counts as gone. Of people and equipment what tells that they are there, or down, stays. What was kept of
beliefs goes too, as it names cases; the present follows from what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gemel.bank import columns, holds
from gemel.bank.beliefs import Tell, quiet
from gemel.bank.intake import HAPPENED
from gemel.bank.statistics import COLUMNS, SUMMARISED, Part, merged, part_of, parts_in
from gemel.dynamics import EVENTS
from gemel.errors import BadInput, Refused, unknown
from gemel.facts import DAY, HOUR, HOUSE, MINUTE, Draft, Fact, Time
from gemel.thread import Thread
from gemel.thread.thinning import FIRST, THINNED, cover_of, covering, rows_of

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

RETENTION = "retention/1"
RAW = "raw"
WIDTHS: Mapping[str, Time] = {"5min": 5 * MINUTE, "1h": HOUR, "1d": DAY}
LEVELS = (RAW, *WIDTHS)
"""From fine to coarse."""

OF_EVENTS = (HAPPENED, "retracted/1")
"""The kinds that go where events go."""

_UNITS: Mapping[str, Time] = {"h": HOUR, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
_LASTS = re.compile(r"([1-9][0-9]{0,5})([hdwy])")


@dataclass(frozen=True)
class Retention:
    """How long each level of a signal is kept, in ms, from fine to coarse; None is for ever."""

    signal: str
    keeps: tuple[tuple[str, Time | None], ...]

    def steps(self) -> Iterator[tuple[str, Time, str | None]]:
        """Yield each level that ends, after how long, and what stands for it then: None, nothing."""
        for (level, lasts), following in zip(self.keeps, [*self.keeps[1:], (None, None)], strict=True):
            if lasts is not None:
                yield level, lasts, following[0]


@dataclass(frozen=True)
class Step:
    """What thinning did, or would do, to one level of a signal: facts that go, and those that stay all the same."""

    signal: str
    level: str
    into: str | None
    facts: int
    statistics: int
    evidence: int
    held: bool

    def __str__(self) -> str:
        what = f"{self.signal}, {self.level}: "
        if self.held:
            return f"{what}nothing goes while a hold is on it"
        stay = f"; {self.evidence} more stay, as others rest on them" if self.evidence else ""
        return f"{what}{self.facts} facts into {self.statistics} statistics of {self.into or 'nothing'}{stay}"


def policy(signal: str, keeps: Mapping[str, Any]) -> Retention:
    """Return a policy from text such as `{"raw": "90d", "5min": "1y", "1h": "5y", "1d": None}`; levels may be left out."""
    if RAW not in keeps or (strange := [level for level in keeps if level not in LEVELS]):
        said = f"{strange[0]!r} is no level" if RAW in keeps else f"{RAW!r} is missing"
        raise BadInput(f"{said}; levels are {', '.join(LEVELS)}", field="retention")
    made = tuple((level, _lasts(keeps[level])) for level in LEVELS if level in keeps)
    ends = [lasts for _, lasts in made if lasts is not None]
    if None in [lasts for _, lasts in made[:-1]] or ends != sorted(set(ends)):
        wrong = "each level must be kept longer than the finer one; only the last may be kept for ever"
        raise BadInput(wrong, field="retention")
    return Retention(signal, made)


def _lasts(text: Any) -> Time | None:
    if text is None:
        return None
    found = _LASTS.fullmatch(str(text))
    if found is None:
        raise BadInput(f"{text!r} is no span of time, such as 90d, 12h, 4w or 1y", field="retention")
    return int(found[1]) * _UNITS[found[2]]


def keep(bank: Bank, id: str, by: str, signal: str, keeps: Mapping[str, str | None]) -> Retention:
    """Say how long a signal of a twin is kept; only who holds its keys may."""
    made, kind = policy(signal, keeps), bank.type_of(id)
    if signal not in kind.signals and not (signal == EVENTS and kind.eventful):
        raise unknown("signal", signal, [*kind.signals, *([EVENTS] if kind.eventful else [])])
    if signal == EVENTS and len(made.keeps) > 1:
        raise BadInput(
            f"of events there are no statistics; say only how long they are kept, as in {RAW}=90d", field="retention"
        )
    if not bank.holds(by, id):
        raise Refused(f"{by} may not say how long {signal} of {id} is kept: only who holds its keys may")
    bank.append([Draft(id, RETENTION, {"signal": signal, "keeps": dict(keeps)}, bank.now(), by)])
    return made


def policies(bank: Bank, id: str) -> list[Retention]:
    """Return how long the signals of a twin are kept: as was said last of each, else as its type says."""
    said = {name: policy(name, keeps) for name, keeps in bank.type_of(id).retention.items()}
    for fact in bank.thread.read(id, kinds=[RETENTION]):
        said[str(fact.body["signal"])] = policy(str(fact.body["signal"]), fact.body["keeps"])
    return [said[name] for name in sorted(said)]


def thin(bank: Bank, id: str, by: str, *, dry_run: bool = False, tell: Tell = quiet) -> list[Step]:
    """Thin what has had its time, a whole UTC day at once, and return what that was; with *dry_run* nothing is done.

    Whoever runs the store may: the policy is the holder's.
    """
    if id not in bank:
        raise unknown("twin", id, bank.twins())
    asked = policies(bank, id)
    evidence = frozenset([FIRST, *_evidence(bank, id)]) if asked else frozenset[int]()
    done = []
    for one in asked:
        for level, lasts, into in one.steps():
            day = (bank.now() - lasts) // DAY * DAY
            standing = bank.beliefs.replica_known_by(id, None).standing
            rests = frozenset([FIRST, *_acted_on(bank, id)]) if one.signal == EVENTS else evidence
            todo = _Thinning(bank, id, by, one.signal, level, into, day, rests, standing)
            done.append(todo.run(dry_run, tell))
    return done


def finish(bank: Bank) -> None:
    """Drop what a crash left between saying that it was thinned and doing it."""
    for fact in bank.thread.read(HOUSE, kinds=[THINNED], reverse=True, limit=1):
        twin = cover_of(fact).twin
        if not bank.thread.erased(twin) and _drop(bank.thread, fact):
            bank.beliefs.snapshots.purge(twin)


def _drop(thread: Thread, fact: Fact) -> int:
    """Drop what a fact covers, and before that the column that holds it too: its name is told as long as it is there.

    Return how many facts there were to drop.
    """
    cover = cover_of(fact)
    for first in thread.read(cover.twin, after_seq=cover.seqs[0] - 1, limit=1):
        columns.tidy(thread, cover.twin, str(first.body.get("name")))
    return thread.thin(fact.seq)


def _evidence(bank: Bank, id: str) -> Iterator[int]:
    """Yield the seqs that any fact of the twin or of the house names as its cause."""
    for subject in (id, HOUSE):
        for fact in bank.thread.read(subject):
            yield from fact.cause


def _acted_on(bank: Bank, id: str) -> Iterator[int]:
    """Yield the seqs that alerts, choices, proposals and what came of them rest on, by way of a forecast or not.

    Every forecast names the last events: were it evidence by itself, no event would ever go.
    """
    causes = {fact.seq: fact.cause for fact in bank.thread.read(id, kinds=["forecast/1"])}
    for subject in (id, HOUSE):
        for fact in bank.thread.read(subject):
            scored = fact.kind == "outcome/1" and "proposal" not in fact.body
            if fact.kind not in (*OF_EVENTS, "forecast/1") and not scored:
                yield from fact.cause
                yield from (seq for one in fact.cause for seq in causes.get(one, ()))


@dataclass(frozen=True)
class _Thinning:
    """One level of one signal, up to a day."""

    bank: Bank
    id: str
    by: str
    signal: str
    level: str
    into: str | None
    until: Time
    evidence: frozenset[int]
    standing: Callable[[str], int | None]
    """Which fact says what is said under a key."""

    def run(self, dry_run: bool, tell: Tell) -> Step:
        held = any(hold.names(self.signal) for hold in holds.in_force(self.bank.thread, self.id))
        found = [] if held else [fact for fact in self._facts() if fact.true_at < self.until]
        staying = self.evidence | self._lasting()
        going = [fact for fact in found if fact.seq not in staying]
        days = [list(group) for _, group in groupby(sorted(going, key=_when), key=lambda fact: fact.true_at // DAY)]
        made = []
        for i, facts in enumerate(days):
            tell(f"thinning {self.signal} of {self.id}, {self.level}", i, len(days))
            made.append(self._day(facts, dry_run))
        tell(f"thinning {self.signal} of {self.id}, {self.level}", len(days), len(days))
        return Step(self.signal, self.level, self.into, len(going), sum(made), len(found) - len(going), held)

    def _lasting(self) -> frozenset[int]:
        """Return the events that the present follows from: those of cases that were heard of since, and who is there or down."""
        if self.signal != EVENTS:
            return frozenset()
        told = [fact for fact in self.bank.thread.read(self.id, kinds=OF_EVENTS) if fact.body["name"] == EVENTS]
        return frozenset(lasting(told, self.until, self.evidence))

    def _facts(self) -> Iterator[Fact]:
        """Yield the facts of this level that can still be read."""
        kinds = OF_EVENTS if self.signal == EVENTS else ["observed/1" if self.level == RAW else SUMMARISED]
        for fact in self.bank.thread.read(self.id, kinds=kinds, true_until=self.until):
            if fact.body.get("name") == self.signal and (self.level == RAW or fact.body["level"] == self.level):
                yield fact

    def _day(self, facts: Sequence[Fact], dry_run: bool) -> int:
        """Write the statistics of a day and what they stand for, then drop it; return how many statistics."""
        parts = [] if self.into is None else merged(self._parts(facts), WIDTHS[self.into])
        if not dry_run:
            rows = rows_of(self.bank.thread, self.id, sorted(fact.seq for fact in facts))
            drafts = [Draft(HOUSE, THINNED, covering(rows), self.bank.now(), self.by)]
            if parts:
                drafts = [self._summary(facts, parts), *drafts]
            with self.bank.beliefs.lock:
                cover = self.bank.append(drafts).facts[-1]
                _drop(self.bank.thread, cover)
                self.bank.beliefs.refold(self.id)
                if self.signal == EVENTS:
                    self.bank.beliefs.snapshots.purge(self.id)
        return len(parts)

    def _parts(self, facts: Iterable[Fact]) -> Iterator[Part]:
        """Yield what the facts say; what was taken back says nothing."""
        for fact in facts:
            if self.level != RAW:
                yield from parts_in(fact)
            elif self.standing(str(fact.body["key"])) == fact.seq:
                yield part_of(fact)

    def _summary(self, facts: Sequence[Fact], parts: Sequence[Part]) -> Draft:
        deep = self.level != RAW
        body = {
            "name": self.signal, "unit": self.bank.type_of(self.id).signals[self.signal].unit, "level": self.into,
            "known_at": max(int(fact.body["known_at"]) if deep else fact.known_at for fact in facts),
            "last": max(int(fact.body["last"]) if deep else fact.seq for fact in facts),
            "columns": list(COLUMNS), "rows": [list(part) for part in parts],
        }  # fmt: skip
        day = min(fact.true_at for fact in facts) // DAY * DAY
        return Draft(self.id, SUMMARISED, body, day, "retention")


def lasting(told: Sequence[Fact], until: Time, evidence: Collection[int]) -> Iterator[int]:
    """Yield the seqs of events before *until* that stay: of cases that go on or are evidence, and of who is there or down."""
    since = {fact.body.get("case") for fact in told if fact.true_at >= until or fact.seq in evidence}
    resources: dict[str, list[Fact]] = {}
    for fact in sorted((fact for fact in told if fact.true_at < until), key=_when):
        if fact.body.get("case"):
            if fact.body["case"] in since:
                yield fact.seq
        elif fact.kind == HAPPENED:
            resources.setdefault(str(fact.body["resource"]), []).append(fact)
    for facts in resources.values():
        last = facts[-1]
        if (
            last.body["phase"] == facts[0].body["phase"]
        ):  # it began with what is not usual: here, of people; down, of machines
            yield last.seq


def _when(fact: Fact) -> tuple[Time, int]:
    return fact.true_at, fact.seq
