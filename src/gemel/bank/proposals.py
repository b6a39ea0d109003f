"""Proposals: what was proposed, what became of it; their status is a fold of facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gemel.dynamics import Dose
from gemel.facts import Fact, Time
from gemel.intervention import Intervention

KINDS = ("proposed/1", "decided/1", "sent/1", "delivered/1", "failed/1")


@dataclass(frozen=True)
class Proposal:
    """An intervention somebody proposed; `status` is open, approved, rejected, refused, expired, sent, delivered or failed."""

    seq: int
    twin: str
    by: str
    made_at: Time
    expires_at: Time
    intervention: Intervention
    why: str
    purpose: str
    cause: tuple[int, ...]
    status: str = "open"
    reason: str = ""
    advice: bool = False
    decided_by: str = ""
    decided_for: str = ""
    history: tuple[int, ...] = ()


def fold(facts: Iterable[Fact], now: Time) -> list[Proposal]:
    """Return the proposals of one twin in the order they were made, as they stand at *now*."""
    found: dict[int, Proposal] = {}
    for fact in facts:
        if fact.kind == "proposed/1":
            found[fact.seq] = _proposal(fact)
        elif fact.kind in KINDS:
            seq = int(fact.body["proposal"])
            if seq in found:
                found[seq] = _moved(found[seq], fact)
    return [_aged(proposal, now) for proposal in found.values()]


def to_come(found: Iterable[Proposal], now: Time) -> tuple[Dose, ...]:
    """Return the doses after *now* of what was approved, in order of time."""
    agreed = [one for one in found if one.status in ("approved", "sent", "delivered")]
    doses = [dose for one in agreed for dose in one.intervention.doses if dose.at > now]
    return tuple(sorted(doses, key=lambda dose: dose.at))


def _proposal(fact: Fact) -> Proposal:
    body = fact.body
    return Proposal(
        fact.seq, fact.twin, fact.by, fact.true_at, int(body["expires_at"]), Intervention.from_body(body["intervention"]),
        str(body["why"]), str(body["purpose"]), fact.cause, advice=bool(body.get("advice", False)), history=(fact.seq,),
    )  # fmt: skip


def _moved(proposal: Proposal, fact: Fact) -> Proposal:
    status = str(fact.body["verdict"]) if fact.kind == "decided/1" else fact.kind.split("/")[0]
    reason = str(fact.body.get("reason", "")) or proposal.reason
    moved = replace(proposal, status=status, reason=reason, history=(*proposal.history, fact.seq))
    if fact.kind != "decided/1":
        return moved
    as_decided = Intervention.from_body(fact.body.get("intervention") or moved.intervention.body())
    return replace(moved, decided_by=fact.by, decided_for=str(fact.body.get("purpose", "")), intervention=as_decided)


def _aged(proposal: Proposal, now: Time) -> Proposal:
    late = proposal.status == "open" and now >= proposal.expires_at
    return replace(proposal, status="expired", reason="nobody decided in time") if late else proposal
