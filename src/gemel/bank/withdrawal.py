"""Withdrawal: what a change of rights ends at once: open proposals, what was learned, the notice of a broken glass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gemel.bank import memory
from gemel.bank.proposals import Proposal
from gemel.consent import ALL, Grant
from gemel.facts import HOUSE, Draft, Time

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

STUDIED, MARKED = "studied/1", "marked/1"
"""That somebody let one twin learn from another; that what was learned is not used any more, and why."""

PURPOSE = "research"
"""What a twin's past is studied for."""


def withdraw(bank: Bank, twin: str) -> None:
    """End what nobody may go on with since the rights of *twin* changed; of the house: of every twin that is in use."""
    for one in bank.gate.asked() if twin == HOUSE else [twin]:
        drafts = [*_proposals(bank, one), *_glasses(bank, one)]
        if drafts:
            bank.append(drafts)
        unlearn(bank, one)


def _proposals(bank: Bank, twin: str) -> Iterator[Draft]:
    for proposal in bank.proposals(twin):
        reason = withdrawn(bank, proposal) if proposal.status == "open" else None
        if reason is not None:
            body = {"proposal": proposal.seq, "verdict": "refused", "reason": f"withdrawn: {reason}"}
            key = f"decided|{proposal.seq}"
            yield Draft(twin, "decided/1", body, bank.now(), "gate", (proposal.seq,), key=key)


def withdrawn(bank: Bank, proposal: Proposal) -> str | None:
    """Return why its proposer may not propose this any more, None if they may."""
    asked = [(dose.lever, float(dose.amount)) for dose in proposal.intervention.doses]
    reasons = [bank.gate.over(proposal.by, "propose", proposal.twin, *_for(proposal, one)) for one in asked]
    return next((reason for reason in reasons if reason is not None), None)


def _for(proposal: Proposal, asked: tuple[str, float]) -> tuple[str, str, float]:
    return asked[0], proposal.purpose, asked[1]


def _glasses(bank: Bank, twin: str) -> Iterator[Draft]:
    """Yield the end of the notice of each glass that is closed again."""
    closed = {f"glass:{glass.id}" for glass in bank.gate.rights(twin).glasses if _closed(glass, bank.now())}
    for fact in bank.alerts(twin) if closed else []:
        if fact.body["name"] in closed and fact.body["active"]:
            body = {**fact.body, "active": False}
            yield Draft(twin, "alert/1", body, bank.now(), "gate", (fact.seq,), key=f"over|{fact.body['name']}")


def _closed(glass: Grant, now: Time) -> bool:
    return glass.revoked is not None or (glass.until is not None and now >= glass.until)


def silenced(bank: Bank, twin: str, actor: str, purpose: str) -> str | None:
    """Return why a stream's actor may not write anything to *twin* any more, None if it still may, or will again."""
    granted = [g for g in bank.gate.rights(twin).named(actor) if "write" in g.verbs]
    names = [name for grant in granted for name in grant.signals] or [ALL]
    reasons = [bank.gate.over(actor, "write", twin, name, purpose) for name in names]
    return None if None in reasons else reasons[-1]


# what was learned


def studied(bank: Bank, id: str, signal: str, actor: str) -> tuple[str, ...]:
    """Put on record, with each twin that *id* has just learned from, who let it learn what; return them."""
    model = model_of(signal)
    sources = memory.learned_from(bank.thread.kept(id, model))
    for source in sources:
        if _student(bank, source, id, model) != actor:
            body = {"twin": id, "model": model, "purpose": PURPOSE}
            bank.append([Draft(source, STUDIED, body, bank.now(), actor)])
    return sources


def unlearn(bank: Bank, source: str) -> None:
    """Drop and mark what other twins learned from *source*, where who let them may not study it any more."""
    students = {(str(f.body["twin"]), str(f.body["model"])): f.by for f in bank.studies(source)}
    for (twin, model), actor in students.items():
        decision = bank.gate.decide(actor, "study", source, ALL, PURPOSE)
        if not decision.allowed and source in memory.learned_from(bank.thread.kept(twin, model)):
            drop(bank, twin, model, source, decision.reason)


def drop(bank: Bank, twin: str, model: str, source: str, why: str) -> None:
    """Drop what *twin* learned, and say so on its record and on that of whom it learned from."""
    with bank.beliefs.lock:
        bank.beliefs.unlearn(twin, model.removeprefix(model_of("")))
    body, now = {"model": model, "why": f"learned from {source}: {why}"}, bank.now()
    bank.append([Draft(twin, MARKED, body, now, "gate"), Draft(source, MARKED, {"twin": twin, **body}, now, "gate")])


def barred(bank: Bank, id: str, signal: str, actor: str, sources: Sequence[str]) -> None:
    """Drop what was learned of a signal if any of *sources* may not be studied by *actor* any more."""
    for source in sources:
        decision = bank.gate.decide(actor, "study", source, ALL, PURPOSE)
        if not decision.allowed and source in memory.learned_from(bank.thread.kept(id, model_of(signal))):
            drop(bank, id, model_of(signal), source, decision.reason)


def model_of(signal: str) -> str:
    """Return the name under which what was learned of a signal is kept."""
    return f"foresight-{signal}"


def _student(bank: Bank, source: str, twin: str, model: str) -> str | None:
    found = [f.by for f in bank.studies(source) if (f.body["twin"], f.body["model"]) == (twin, model)]
    return found[-1] if found else None
