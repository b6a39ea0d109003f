"""Outbox: what was approved is written as sent, then sent, at least once, then delivered or failed with its cause."""

from __future__ import annotations

from typing import Any

from gemel.bank import Bank, Proposal
from gemel.errors import GemelError
from gemel.facts import Draft, Fact

PENDING = ("approved", "sent")


def pending(bank: Bank, twin: str) -> list[Proposal]:
    """Return proposals that must still reach the asset, those a crash caught half way among them."""
    return [proposal for proposal in bank.proposals(twin) if proposal.status in PENDING]


async def flush(bank: Bank, twin: str) -> int:
    """Send all that is pending for *twin*; return how many were delivered."""
    delivered = 0
    for proposal in pending(bank, twin):
        delivered += await _deliver(bank, proposal)
    return delivered


async def _deliver(bank: Bank, proposal: Proposal) -> bool:
    sink = bank.sinks.get(proposal.twin)
    if sink is None:
        return False
    last = proposal.history[-1]
    if proposal.status == "approved":
        last = _say(bank, proposal, "sent/1", {"sink": sink.name}, last).seq
    try:
        await sink.send(message(bank, proposal), key(proposal))
    except (GemelError, OSError) as error:
        _say(bank, proposal, "failed/1", {"reason": str(error)}, last)
        return False
    _say(bank, proposal, "delivered/1", {"sink": sink.name}, last)
    return True


def key(proposal: Proposal) -> str:
    """Return the key by which the other side knows a repeat."""
    return f"{proposal.twin}/{proposal.seq}"


def message(bank: Bank, proposal: Proposal) -> dict[str, Any]:
    """Return what a sink is told: doses with units and times."""
    levers = bank.type_of(proposal.twin).levers
    doses = [
        {"name": d.lever, "value": float(d.amount), "unit": levers[d.lever].unit, "at": d.at} for d in proposal.intervention.doses
    ]
    return {"id": key(proposal), "title": proposal.intervention.title, "doses": doses}


def _say(bank: Bank, proposal: Proposal, kind: str, body: dict[str, Any], cause: int) -> Fact:
    said = {"proposal": proposal.seq, **body}
    return bank.append([Draft(proposal.twin, kind, said, bank.now(), "loop:outbox", (cause,))]).facts[0]
