"""The gate: every read, write, fork and act is decided here, with its reason, and is on record."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence

from gemel.bank.rights import Book
from gemel.consent import ALL, Decision, Request, Rights, again, decide, explain
from gemel.consent.organisation import KINDS as OF_THE_HOUSE
from gemel.consent.rights import CREATED, KINDS
from gemel.dynamics import ALERTS, CASE, PLAN
from gemel.errors import NotFound, Refused
from gemel.facts import HOUR, HOUSE, Draft, Fact, Time
from gemel.thread import Thread

OF_A_SIGNAL = (
    "observed/1", "acted/1", "happened/1", "retracted/1", "forecast/1", "outcome/1", "summarised/1", "related/1", "unrelated/1"
)  # fmt: skip
"""Kinds that are about the one signal, lever or relation they name; any other is opened by a right to read all."""

OF_ALERTS = ("alert/1", "notified/1", "acknowledged/1")
"""Kinds that a right to read alerts opens."""

OF_THE_PLAN = ("plan_proposed/1", "plan_decided/1", "reviewed/1")
"""Kinds that a right to read the care plan opens."""

OF_A_CASE = ("happened/1", "retracted/1")
"""Kinds that may be about one case."""

Access = tuple[str, str, str, str, str, bool]

Watcher = Callable[[str], None]
"""Is called with a twin whose rights may have changed; with `HOUSE` when a policy or a role did, which concerns all."""


class Gate:
    """Decides for actors; allowed requests are recorded once an hour each, refusals every time."""

    def __init__(self, thread: Thread, clock: Callable[[], Time], book: Book | None = None) -> None:
        self._thread, self._clock, self._book = thread, clock, book or Book(thread)
        self._recorded: dict[Access, Time] = {}
        self._watchers: list[Watcher] = []
        self._turning: list[tuple[Time, str]] = []
        self._due: dict[str, tuple[Rights, Time | None]] = {}
        self._lock = threading.Lock()
        self._latest = next((fact.known_at for fact in thread.read(reverse=True, limit=1)), 0)
        thread.subscribe(self._heard)

    def rights(self, twin: str) -> Rights:
        """Return who may do what with *twin*, by its facts."""
        rights = self._book.of(twin)
        if self._watchers and self._due.get(twin, (None, None))[0] is not rights:
            self._await(twin, rights)
        return rights

    def decide(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> Decision:
        """Return the decision, on record nowhere."""
        rights = self.rights(twin)
        request = Request(actor, verb, twin, signal, purpose, self._now(rights), amount)
        return decide(rights, request, self._book.organisation())

    def over(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> str | None:
        """Return why something is refused for good, None where it is allowed or will be at the next hours of a grant."""
        rights, house = self.rights(twin), self._book.organisation()
        request = Request(actor, verb, twin, signal, purpose, self._now(rights), amount)
        return None if again(rights, request, house) else decide(rights, request, house).reason

    def explain(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> tuple[str, ...]:
        """Return what a decision considers, one line each."""
        rights = self.rights(twin)
        request = Request(actor, verb, twin, signal, purpose, self._now(rights), amount)
        return explain(rights, request, self._book.organisation())

    def require(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> Decision:
        """Return the decision if it allows; raise `Refused` with its reason if not; record it either way.

        Raises `NotFound` for a name that is no twin: nothing is ever put on record under it.
        """
        if not self.rights(twin).holdings:
            raise nobody(twin)
        decision = self.decide(actor, verb, twin, signal, purpose, amount)
        self._record(actor, verb, twin, signal, purpose, decision)
        if not decision.allowed:
            raise Refused(decision.reason)
        return decision

    def require_one(self, actor: str, verb: str, twin: str, signals: Sequence[str], purpose: str) -> Decision:
        """Return the decision on the first of *signals* that is open; raise `Refused` about the last where none is."""
        opened = (name for name in signals if self.decide(actor, verb, twin, name, purpose).allowed)
        return self.require(actor, verb, twin, next(opened, signals[-1]), purpose)

    def holders(self, twin: str, at: Time | None = None) -> tuple[str, ...]:
        """Return who holds the twin's keys at a moment, by default now."""
        rights = self.rights(twin)
        return rights.holders(self._now(rights) if at is None else at)

    def _now(self, rights: Rights) -> Time:
        """Return the time, never before what is known: a clock that jumps back opens nothing that has ended."""
        return max(self._clock(), rights.known, self._latest)

    # changes

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call *watcher* with each twin whose rights change, by facts or as time goes by; return what stops it.

        It is called on the thread of whoever appended or ticked, after the fact is durable; it may append.
        """
        self._watchers.append(watcher)

        def stop() -> None:
            self._watchers.remove(watcher)

        return stop

    def asked(self) -> list[str]:
        """Return the twins whose rights somebody has asked for."""
        with self._lock:
            return sorted(self._due)

    def tick(self) -> None:
        """Tell of what opened or ended by itself since: expiry, hours, hand-overs; the loop calls this at each turn."""
        turned = self._turned()
        while turned:
            twin = next(iter(turned))
            try:
                self._tell(twin)
            except Exception:
                self._put_back(turned)
                raise
            turned.discard(twin)
            self._await(twin, self._book.of(twin))

    def _put_back(self, twins: set[str]) -> None:
        """Note twins as due again: what should have followed could not be done yet."""
        now = self._clock()
        with self._lock:
            for twin in twins:
                self._due[twin] = self._book.of(twin), now
                heapq.heappush(self._turning, (now, twin))

    def _turned(self) -> set[str]:
        now, found = self._clock(), set()
        with self._lock:
            while self._turning and self._turning[0][0] <= now:
                when, twin = heapq.heappop(self._turning)
                if self._due.get(twin, (None, None))[1] == when:
                    found.add(twin)
                    del self._due[twin]
        return found

    def _await(self, twin: str, rights: Rights) -> None:
        """Note when the rights of a twin next change by themselves."""
        when = rights.turns(self._now(rights))
        with self._lock:
            self._due[twin] = rights, when
            if when is not None:
                heapq.heappush(self._turning, (when, twin))

    def _heard(self, facts: Sequence[Fact]) -> None:
        self._latest = max(self._latest, facts[-1].known_at)
        for twin in self._changed(facts):
            if self._watchers:
                self._await(twin, self._book.of(twin))
            self._tell(twin)
        if any(fact.twin == HOUSE and fact.kind in OF_THE_HOUSE for fact in facts):
            self._tell(HOUSE)

    def _changed(self, facts: Sequence[Fact]) -> list[str]:
        """Return the twins whose rights changed; not those only just made, whose rights nobody has asked for yet."""
        kinds: dict[str, set[str]] = {}
        for fact in facts:
            if fact.kind in KINDS:
                kinds.setdefault(fact.twin, set()).add(fact.kind)
        with self._lock:
            return [twin for twin, said in kinds.items() if said != {CREATED} or twin in self._due]

    def _tell(self, twin: str) -> None:
        for watcher in list(self._watchers):
            watcher(twin)

    def forget(self, twin: str) -> None:
        """Forget what was recorded of a twin, and what is due of it."""
        with self._lock:
            self._due.pop(twin, None)
            self._turning = [entry for entry in self._turning if entry[1] != twin]
            self._recorded = {access: at for access, at in self._recorded.items() if access[2] != twin}

    # the record

    def record(self, actor: str, verb: str, purpose: str, decided: Iterable[tuple[str, str, Decision]]) -> None:
        """Put many decisions about (twin, signal) on record, in one append."""
        now, drafts = self._clock(), dict[Access, Draft]()
        for twin, signal, decision in decided:
            access = actor, verb, twin, signal, purpose, decision.allowed
            if not decision.allowed or now - self._recorded.get(access, -HOUR) >= HOUR:
                drafts[access] = _draft(access, decision, now)
        if drafts:
            self._thread.append(list(drafts.values()), now)
            with self._lock:  # what could not be stored is not on record
                self._recorded.update(dict.fromkeys(drafts, now))

    def _record(self, actor: str, verb: str, twin: str, signal: str, purpose: str, decision: Decision) -> None:
        self.record(actor, verb, purpose, [(twin, signal, decision)])


def signal_of(fact: Fact) -> str:
    """Return what the gate is asked about before a fact is shown."""
    if fact.kind in OF_ALERTS:
        return ALERTS
    if fact.kind in OF_THE_PLAN:
        return PLAN
    own = str(fact.body.get("name") or fact.body.get("signal") or ALL)
    return own if fact.kind in OF_A_SIGNAL else ALL


def signals_of(fact: Fact) -> tuple[str, ...]:
    """Return the signals of which each suffices to be shown a fact: what is told of a case may be read by who has the case."""
    case = fact.body.get("case") if fact.kind in OF_A_CASE else None
    return (signal_of(fact), CASE + str(case)) if case else (signal_of(fact),)


def _draft(access: Access, decision: Decision, now: Time) -> Draft:
    """Return the fact of a decision."""
    actor, verb, twin, signal, purpose, allowed = access
    body = {
        "actor": actor, "verb": verb, "signal": signal, "purpose": purpose,
        "allowed": allowed, "reason": decision.reason,
    }  # fmt: skip
    named = {"grant": decision.grant_id, "policies": list(decision.policies)}
    return Draft(twin, "accessed/1", body | {k: v for k, v in named.items() if v}, now, actor)


def nobody(twin: str) -> NotFound:
    """Return the error for a name that is no twin; it names no other twin, as whoever asks may know of none."""
    return NotFound(f"unknown twin {twin!r}; `gemel twins` lists those there are")
