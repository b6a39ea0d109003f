"""Deciders: who may decide on a proposal, asked of the gate; nothing of it goes on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.bank.account import SOFTWARE
from gemel.bank.proposals import Proposal

if TYPE_CHECKING:
    from gemel.bank.twin import Twin


def may_decide(twin: Twin, proposal: Proposal) -> bool:
    """Return whether the actor of *twin* may approve or reject an open proposal, as far as rights go."""
    return _opens(twin, proposal, twin.actor, twin.purpose)


def deciders(twin: Twin, proposal: Proposal) -> tuple[str, ...]:
    """Return the people who may approve or reject a proposal now, those who hold the keys first."""
    granted = [(one.to, one.purpose) for one in twin.bank.grants(twin.id) if "act" in one.verbs]
    named = [*((who, proposal.purpose) for who in twin.bank.holders(twin.id)), *granted]
    people = dict.fromkeys(one for one in named if not one[0].startswith(SOFTWARE))
    return tuple(dict.fromkeys(who for who, purpose in people if _opens(twin, proposal, who, purpose)))


def _opens(twin: Twin, proposal: Proposal, actor: str, purpose: str) -> bool:
    gate, doses = twin.bank.gate, proposal.intervention.doses
    return all(gate.decide(actor, "act", twin.id, d.lever, purpose, float(d.amount)).allowed for d in doses)
