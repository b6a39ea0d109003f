"""Correction: a wrong datum is superseded by a new fact; what was said before stays on record, and `known_by` still tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gemel.bank.intake import HAPPENED
from gemel.bank.replica import Replica
from gemel.errors import BadInput, Refused, unknown
from gemel.facts import Draft, Fact, Time
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.bank import Bank
    from gemel.bank.twin import Twin

SAID = ("observed/1", "acted/1")
TELLS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(SAID, ("value", "unit")), HAPPENED: ("case", "phase", "activity", "resource", "attributes")
}  # fmt: skip
"""What each kind says beside its name and time."""

NEXT = "|corrected"
"""What is added to a key by each correction."""

ANEW = "its source says otherwise now"
"""Why a record was corrected that its source tells anew."""


def correct(twin: Twin, seq: int, value: float | None, why: str, unit: str | None = None) -> tuple[Fact, ...]:
    """Say what a reading or dose should have been, in *unit* or its own, or with None that it should not have been.

    Of an event one can only say that it did not happen; what did is told as a new one.

    Returns the facts written: what withdraws the old one, and what stands in its place.
    """
    fact = twin.bank.thread.get(seq)
    if fact.twin != twin.id or fact.kind not in (*SAID, HAPPENED):
        raise BadInput(f"fact {seq} is no reading, dose or event of {twin.id}; `gemel why {twin.id} {seq}` shows it")
    name = str(fact.body["name"])
    twin.bank.gate.require(twin.actor, "write", twin.id, name, twin.purpose)
    if not why.strip():
        raise BadInput("a correction says why", field="why")
    if fact.kind == HAPPENED and value is not None:
        raise BadInput(
            f"fact {seq} tells an event, which has no value: take it back, and tell what happened", field="value"
        )
    if twin.bank.replica(twin.id).standing(str(fact.body["key"])) != seq:
        raise Refused(f"fact {seq} was corrected already; correct what stands in its place")
    told = None if value is None else _checked(twin.type, name, value, unit or str(fact.body["unit"]))
    return twin.bank.append(superseding(fact, told, why, twin.actor, twin.bank.now())).facts


def _checked(twin_type: TwinType, name: str, value: float, unit: str) -> float:
    """Return the value in the type's own unit, or raise for one that cannot be."""
    known = {**twin_type.signals, **twin_type.levers}
    if name not in known:
        raise unknown("signal or lever", name, known)
    port = known[name]
    told = port.convert(value, unit) if unit else value
    if not port.low <= told <= port.high:
        raise BadInput(
            f"{name} of {told:g} {port.unit} cannot be: {port.low:g} to {port.high:g} is possible", field=name
        )
    return told


def superseding(fact: Fact, value: float | None, why: str, by: str, now: Time, at: Time | None = None) -> list[Draft]:
    """Return the drafts that take *fact* back and, with a *value*, say it anew, at its own time or *at* another."""
    return _anew(fact, None if value is None else {"value": value}, why, by, now, at)


def _anew(
    fact: Fact, told: Mapping[str, Any] | None, why: str, by: str, now: Time, at: Time | None = None
) -> list[Draft]:  # fmt: skip
    key = str(fact.body["key"])
    own = {name: fact.body[name] for name in ("name", "case") if name in fact.body}
    gone = Draft(fact.twin, "retracted/1", {"key": key, **own, "why": why}, now, by, (fact.seq,), f"{key}|retracted")
    if told is None:
        return [gone]
    body = {**fact.body, **told, "key": key + NEXT, "corrects": fact.seq, "why": why}
    return [gone, Draft(fact.twin, fact.kind, body, fact.true_at if at is None else at, by, (fact.seq,), key + NEXT)]


def latest(replica: Replica, key: str) -> str:
    """Return the key of the last correction of what was said under *key*, *key* itself where there is none."""
    while key + NEXT in replica.sources:
        key += NEXT
    return key


def amended(bank: Bank, twin: str, drafts: Sequence[Draft]) -> list[Draft]:
    """Return *drafts*, with corrections where a source tells a record anew, under the id it had, but otherwise.

    What a person corrected stays as that person said.
    """
    replica = bank.replica(twin)
    return [found for draft in drafts for found in _amended(bank, replica, draft)]


def _amended(bank: Bank, replica: Replica, draft: Draft) -> list[Draft]:
    if draft.kind == "retracted/1":
        return [draft, *_withdrawn(bank, replica, draft)]
    seq = replica.standing(latest(replica, draft.key or ""))
    if draft.kind not in TELLS or seq is None:
        return [draft]
    held = bank.thread.get(seq)
    by_hand = held.body.get("why", ANEW) != ANEW
    if by_hand or held.kind != draft.kind or _says(held) == _says(draft):
        return [draft]
    told = {name: draft.body[name] for name in TELLS[draft.kind]}
    return _anew(held, told, ANEW, draft.by, bank.now(), draft.true_at)


def revived(bank: Bank, twin: str, drafts: Sequence[Draft], why: str) -> list[Draft]:
    """Return *drafts*, those whose record was taken back because of *why* as corrections: the old key says nothing more."""
    replica = bank.replica(twin)
    return [_revived(bank, replica, draft, why) for draft in drafts]


def _revived(bank: Bank, replica: Replica, draft: Draft, why: str) -> Draft:
    key = latest(replica, draft.key or "")
    seq = replica.sources.get(key)
    if draft.kind not in TELLS or seq is None or replica.standing(key) == seq:
        return draft
    if _taken_back(bank, draft.twin, key) != why:
        return draft
    body = {**draft.body, "key": key + NEXT, "corrects": seq, "why": ANEW}
    return replace(draft, body=body, cause=(seq,), key=key + NEXT)


def _taken_back(bank: Bank, twin: str, key: str) -> str | None:
    """Return why what was said under *key* was taken back, None where nobody said why."""
    facts = bank.thread.read(twin, kinds=["retracted/1"], reverse=True)
    return next((fact.body.get("why") for fact in facts if fact.body["key"] == key), None)


def _withdrawn(bank: Bank, replica: Replica, draft: Draft) -> list[Draft]:
    """Return the draft that takes back what stands in the place of what *draft* does; not what a person said."""
    key = latest(replica, str(draft.body["key"]))
    seq = replica.standing(key)
    if key == draft.body["key"] or seq is None or bank.thread.get(seq).body.get("why", ANEW) != ANEW:
        return []
    body = {**draft.body, "key": key}
    return [Draft(draft.twin, draft.kind, body, draft.true_at, draft.by, (seq,), f"{key}|retracted")]


def _says(told: Fact | Draft) -> tuple[Any, ...]:
    return told.true_at, *(told.body[name] for name in ("name", *TELLS[told.kind]))
