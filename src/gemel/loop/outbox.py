"""Outbox: what was approved is written as sent, then sent, at least once, then delivered or failed with its cause."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gemel.bank import Bank, Proposal
from gemel.errors import GemelError
from gemel.facts import MINUTE, Draft, Fact, Time

PENDING = ("approved", "sent")

PATIENCE: Time = 10 * MINUTE
"""How long after it was decided an action may still set out; a late dose is another dose."""

BACKOFF_S = (1.0, 60.0)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """How sending one proposal has gone so far: whose, attempts made, when to try again, what went wrong last."""

    twin: str
    attempts: int
    again_at: float
    problem: str


class Outbox:
    """Sends for all twins of a bank; `clock` paces the retries, in seconds of this machine."""

    def __init__(
        self, bank: Bank, clock: Callable[[], float] = time.monotonic, backoff_s: tuple[float, float] = BACKOFF_S
    ) -> None:
        self._bank, self._clock, self._backoff_s = bank, clock, backoff_s
        self._trials: dict[int, Trial] = {}
        self._turn = asyncio.Lock()

    def trouble(self, twin: str) -> str | None:
        """Return what keeps an action of *twin* from setting out, or None."""
        held = [self._trials[p.seq].problem for p in pending(self._bank, twin) if p.seq in self._trials]
        return held[-1] if held else None

    def forget(self, twin: str) -> None:
        """Forget how sending for a twin has gone."""
        self._trials = {seq: trial for seq, trial in self._trials.items() if trial.twin != twin}

    async def flush(self, twin: str) -> int:
        """Send all that is due for *twin*, oldest first; return how many were delivered."""
        delivered = 0
        async with self._turn:
            for proposal in await asyncio.to_thread(pending, self._bank, twin):
                if self._clock() >= self._trials.get(proposal.seq, Trial("", 0, 0.0, "")).again_at:
                    delivered += await self._deliver(proposal)
        return delivered

    async def _deliver(self, proposal: Proposal) -> bool:
        ended = await asyncio.to_thread(self._given_up, proposal)
        if ended or proposal.twin not in self._bank.sinks:
            return False
        sink = self._bank.sinks[proposal.twin]
        sent = await asyncio.to_thread(self._sent, proposal, sink.name)
        try:
            await sink.send(message(self._bank, proposal), proposal.key)
        except Exception as error:
            if not isinstance(error, (GemelError, OSError)):
                log.exception("a sink failed in a way of its own")
            self._later(proposal, str(error) or type(error).__name__)
            return False
        self._trials.pop(proposal.seq, None)
        await asyncio.to_thread(self._say, proposal, "delivered/1", {"sink": sink.name}, sent)
        return True

    def _later(self, proposal: Proposal, problem: str) -> None:
        first, longest = self._backoff_s
        attempts = self._trials[proposal.seq].attempts + 1 if proposal.seq in self._trials else 1
        pause = min(first * 2.0 ** (attempts - 1), longest)
        self._trials[proposal.seq] = Trial(proposal.twin, attempts, self._clock() + pause, problem)

    def _sent(self, proposal: Proposal, sink: str) -> int:
        """Write that it is being sent, before it is; a repeat is already on record."""
        if proposal.status == "sent":
            return proposal.history[-1]
        return self._say(proposal, "sent/1", {"sink": sink}, proposal.history[-1]).seq

    def _given_up(self, proposal: Proposal) -> bool:
        """Put an end to what may no longer set out."""
        reason = self._too_late(proposal) or self._no_longer_allowed(proposal)
        if reason is None:
            return False
        unsure = "; it was sent before, and whether it arrived is not known" if proposal.status == "sent" else ""
        self._trials.pop(proposal.seq, None)
        self._say(proposal, "failed/1", {"reason": reason + unsure}, proposal.history[-1])
        return True

    def _too_late(self, proposal: Proposal) -> str | None:
        decided_at = self._bank.thread.get(proposal.history[1]).known_at
        if self._bank.now() - decided_at <= PATIENCE:
            return None
        trial = self._trials.get(proposal.seq)
        connected = proposal.twin in self._bank.sinks
        nowhere = "it could not be sent" if connected else "nothing carries actions to the asset"
        return f"not delivered within {PATIENCE // MINUTE} min: {trial.problem if trial else nowhere}"

    def _no_longer_allowed(self, proposal: Proposal) -> str | None:
        """Ask consent and guards once more: both may have changed since the decision."""
        for dose in proposal.intervention.doses:
            decision = self._bank.gate.decide(
                proposal.decided_by, "act", proposal.twin, dose.lever, proposal.decided_for, float(dose.amount)
            )
            if not decision.allowed:
                return decision.reason
        refusal = self._bank.guarded(proposal.twin, proposal.intervention, proposal.history[1])
        return None if refusal is None else f"{refusal[0]}: {refusal[1]}"

    def _say(self, proposal: Proposal, kind: str, body: dict[str, Any], cause: int) -> Fact:
        said = {"proposal": proposal.seq, **body}
        draft = Draft(proposal.twin, kind, said, self._bank.now(), "loop:outbox", (cause,))
        return self._bank.append([draft]).facts[0]


def pending(bank: Bank, twin: str) -> list[Proposal]:
    """Return proposals that must still reach the asset, those a crash caught half way among them."""
    return [proposal for proposal in bank.proposals(twin) if proposal.status in PENDING]


def message(bank: Bank, proposal: Proposal) -> dict[str, Any]:
    """Return what a sink is told: doses with units and times."""
    levers = bank.type_of(proposal.twin).levers
    doses = [
        {"name": d.lever, "value": float(d.amount), "unit": levers[d.lever].unit, "at": d.at}
        for d in proposal.intervention.doses
    ]
    return {"id": proposal.key, "title": proposal.intervention.title, "doses": doses}
