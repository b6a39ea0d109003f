"""Erasure of one case: what a service's twin holds of one customer is dropped, and the rest stays.

The facts that name her go as thinned facts do: a fact of the house, in the signed tree, covers them, then their contents are
dropped; every older proof still holds. What was kept of beliefs goes, as it names who was inside. Gauges, forecasts, scores
and statistics stay: they name nobody. The house does not learn her name; the receipt that is handed out says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gemel.bank import holds
from gemel.bank.beliefs import Tell, quiet
from gemel.bank.erasure import Receipt, exports_of
from gemel.dynamics import CASE, EVENTS
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUSE, Draft, Fact
from gemel.thread.receipt import signed
from gemel.thread.thinning import FIRST, THINNED, covering, rows_of

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

CASE_ERASURE = "gemel erasure of a case 1"
FEW = 5
"""Digits that a number has at least to be taken for a name in a text."""

KEPT = ("created/1", "defined/1", "retyped/1")
"""Kinds without which there is no twin; they tell of the service, and of no customer."""


def erase_case(bank: Bank, id: str, case: str, by: str, reason: str, tell: Tell = quiet) -> Receipt:
    """Erase one customer's case for good; raise `Refused` unless *by* holds the twin's keys, or while events are held."""
    bank.created(id)
    if not reason.strip():
        raise BadInput("an erasure states its reason", field="reason")
    if not bank.holds(by, id):
        raise Refused(f"{by} may not erase a case of {id}: only who holds its keys may")
    held = [hold for hold in holds.in_force(bank.thread, id) if hold.names(EVENTS)]
    if held:
        raise Refused(f"no case of {id} may be erased: {holds.told(held[0])}")
    tell(f"looking for {case}", 0, 2)
    with bank.beliefs.lock:
        told = (fact for fact in bank.thread.read(id) if fact.kind not in KEPT and fact.seq != FIRST)
        seqs = [fact.seq for fact in told if names(fact, case)]
        if not seqs:
            raise NotFound(f"nothing is on record about {case!r} of {id}")
        before = bank.thread.checkpoint(bank.now())
        cover = bank.append([Draft(HOUSE, THINNED, covering(rows_of(bank.thread, id, seqs)), bank.now(), by)]).facts[0]
        tell(f"dropping {len(seqs)} facts", 1, 2)
        carry_out(bank, cover)
    body = {
        "twin": id, "case": case, "asked_by": by, "reason": reason, "erased_at": bank.now(), "facts": len(seqs),
        "cover": cover.seq, "before": {"size": before.size, "root": before.root},
        "exports": [str(path) for path, _ in exports_of(bank, id)],
    }  # fmt: skip
    return CaseReceipt(signed(bank.thread, CASE_ERASURE, body), cover.seq, None)


def carry_out(bank: Bank, cover: Fact) -> None:
    """Drop what a fact covers, and all that was folded from it: in notes and in memory."""
    twin = str(cover.body["twin"])
    bank.thread.thin(cover.seq)
    bank.beliefs.snapshots.purge(twin)
    bank.reread(twin)


class CaseReceipt(Receipt):
    """What the erasure of a case did, as signed by the store."""

    def __str__(self) -> str:
        body = self.body
        done = f"{body['case']} of {body['twin']} was erased: {body['facts']} facts that named it can be read by nobody"
        return "\n".join(
            [done, *(f"NOT deleted: {path}, which was made of {body['twin']}" for path in body["exports"])]
        )


def names(fact: Fact, case: str) -> bool:
    """Return whether a fact names a case: as a value, in a key, a signal or a lever, or as a word of a text.

    A short number is no name in a text: it may count or measure something.
    """
    word = re.compile(rf"(?<![\w-]){re.escape(case)}(?![\w-])")
    plain = case.isdecimal() and len(case) < FEW
    return any(_is(text, case, None if plain else word) for text in _texts(fact.body))


def _is(text: str, case: str, word: re.Pattern[str] | None) -> bool:
    bare = text in (case, CASE + case) or f"|{case}|" in text or text.endswith(f".{case}")
    return bare or (word is not None and word.search(text) is not None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield str(name)
            yield from _texts(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _texts(held)
