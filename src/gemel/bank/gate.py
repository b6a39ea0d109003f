"""The gate: every read, write, fork and act is decided here, with its reason, and is on record."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence

from gemel.bank.rights import Book
from gemel.consent import Decision, Request, Rights, again, decide, explain
from gemel.consent.organisation import KINDS as OF_THE_HOUSE
from gemel.consent.rights import KINDS
from gemel.errors import Refused
from gemel.facts import HOUR, HOUSE, Draft, Fact, Time
from gemel.thread import Thread

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
        """Return the decision if it allows; raise `Refused` with its reason if not; record it either way."""
        decision = self.decide(actor, verb, twin, signal, purpose, amount)
        self._record(actor, verb, twin, signal, purpose, decision)
        if not decision.allowed:
            raise Refused(decision.reason)
        return decision

    def holders(self, twin: str, at: Time | None = None) -> tuple[str, ...]:
        """Return who holds the twin's keys at a moment, by default now."""
        rights = self.rights(twin)
        return rights.holders(self._now(rights) if at is None else at)

    def _now(self, rights: Rights) -> Time:
        """Return the time, never before what is known: a clock that jumps back opens nothing that has ended."""
        return max(self._clock(), rights.known)

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
        for twin in dict.fromkeys(fact.twin for fact in facts if fact.kind in KINDS):
            if self._watchers:
                self._await(twin, self._book.of(twin))
            self._tell(twin)
        if any(fact.twin == HOUSE and fact.kind in OF_THE_HOUSE for fact in facts):
            self._tell(HOUSE)

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
        made = [self._access(actor, verb, twin, signal, purpose, decision) for twin, signal, decision in decided]
        drafts = [draft for draft in made if draft is not None]
        if drafts:
            self._thread.append(drafts, self._clock())

    def _record(self, actor: str, verb: str, twin: str, signal: str, purpose: str, decision: Decision) -> None:
        self.record(actor, verb, purpose, [(twin, signal, decision)])

    def _access(self, actor: str, verb: str, twin: str, signal: str, purpose: str, decision: Decision) -> Draft | None:
        """Return the fact of a decision, or None where the like was recorded within the hour."""
        access, now = (actor, verb, twin, signal, purpose, decision.allowed), self._clock()
        if decision.allowed and now - self._recorded.get(access, -HOUR) < HOUR:
            return None
        self._recorded[access] = now
        body = {
            "actor": actor, "verb": verb, "signal": signal, "purpose": purpose,
            "allowed": decision.allowed, "reason": decision.reason,
        }  # fmt: skip
        named = {"grant": decision.grant_id, "policies": list(decision.policies)}
        return Draft(twin, "accessed/1", body | {k: v for k, v in named.items() if v}, now, actor)
