"""The gate: every read, write, fork and act is decided here, with its reason, and is on record."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gemel.consent import Decision, Grant, Request, decide
from gemel.errors import Refused
from gemel.facts import HOUR, Draft, Time
from gemel.thread import Thread

Access = tuple[str, str, str, str, str, bool]


class Gate:
    """Decides for actors; allowed requests are recorded once an hour each, refusals every time."""

    def __init__(
        self,
        thread: Thread,
        clock: Callable[[], Time],
        grants: Callable[[str], Sequence[Grant]],
        holder: Callable[[str], str],
    ) -> None:
        self._thread, self._clock, self._grants, self._holder = thread, clock, grants, holder
        self._recorded: dict[Access, Time] = {}

    def decide(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> Decision:
        """Return the decision, on record nowhere."""
        request = Request(actor, verb, twin, signal, purpose, self._clock(), amount)
        return decide(self._grants(twin), request, self._holder(twin))

    def require(
        self, actor: str, verb: str, twin: str, signal: str, purpose: str, amount: float | None = None
    ) -> Decision:
        """Return the decision if it allows; raise `Refused` with its reason if not; record it either way."""
        decision = self.decide(actor, verb, twin, signal, purpose, amount)
        self._record(actor, verb, twin, signal, purpose, decision)
        if not decision.allowed:
            raise Refused(decision.reason)
        return decision

    def _record(self, actor: str, verb: str, twin: str, signal: str, purpose: str, decision: Decision) -> None:
        access, now = (actor, verb, twin, signal, purpose, decision.allowed), self._clock()
        if decision.allowed and now - self._recorded.get(access, -HOUR) < HOUR:
            return
        self._recorded[access] = now
        body = {
            "actor": actor, "verb": verb, "signal": signal, "purpose": purpose,
            "allowed": decision.allowed, "reason": decision.reason,
        }  # fmt: skip
        self._thread.append([Draft(twin, "accessed/1", body, now, actor)], now)
