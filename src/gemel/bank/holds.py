"""Holds: while one names a twin, nothing of what it names is thinned, and the twin is not erased.

A hold is a fact of the house (`held/1`), as is its end (`released/1`): who said so, when and why stays on record, also
after the twin is gone. Who runs the store places holds; the law that asks for one is its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.dynamics import EVENTS
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import HOUSE, Draft, Fact, Time, iso
from gemel.thread import Thread

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

HELD, RELEASED = "held/1", "released/1"
ALL = "*"


@dataclass(frozen=True)
class Hold:
    """What must stay of a twin: its *signals* (`*`: all of it), since when, by whose word, and why; `seq` ends it."""

    seq: int
    twin: str
    signals: tuple[str, ...]
    by: str
    reason: str
    since: Time

    def names(self, signal: str) -> bool:
        """Return whether the hold is on that signal."""
        return ALL in self.signals or signal in self.signals


def place(bank: Bank, id: str, by: str, reason: str, signals: Sequence[str] = (ALL,)) -> Hold:
    """Put a hold on a twin, or on some of its signals."""
    if id not in bank:
        raise unknown("twin", id, bank.twins())
    if not reason.strip():
        raise BadInput("a hold states its reason", field="reason")
    for name in signals:
        if name != ALL and not (name == EVENTS and bank.type_of(id).eventful):
            bank.type_of(id).port(name)
    body = {"twin": id, "signals": list(signals), "reason": reason}
    return _hold(bank.append([Draft(HOUSE, HELD, body, bank.now(), by)]).facts[0])


def release(bank: Bank, seq: int, by: str, reason: str) -> Hold:
    """End a hold."""
    found = next((hold for hold in in_force(bank.thread) if hold.seq == seq), None)
    if found is None:
        raise NotFound(f"no hold {seq} is in force")
    if not reason.strip():
        raise BadInput("the end of a hold states its reason", field="reason")
    body = {"hold": seq, "twin": found.twin, "reason": reason}
    bank.append([Draft(HOUSE, RELEASED, body, bank.now(), by, (seq,), key=f"released|{seq}")])
    return found


def in_force(thread: Thread, id: str | None = None) -> list[Hold]:
    """Return the holds in force, on one twin or on all, oldest first."""
    facts = list(thread.read(HOUSE, kinds=[HELD, RELEASED]))
    ended = {int(fact.body["hold"]) for fact in facts if fact.kind == RELEASED}
    found = [_hold(fact) for fact in facts if fact.kind == HELD and fact.seq not in ended]
    return [hold for hold in found if id is None or hold.twin == id]


def told(hold: Hold) -> str:
    """Return a hold as a reason."""
    what = "all of it" if ALL in hold.signals else ", ".join(hold.signals)
    return f"hold {hold.seq} on {what} by {hold.by} since {iso(hold.since)}: {hold.reason}"


def _hold(fact: Fact) -> Hold:
    names = tuple(str(name) for name in fact.body["signals"])
    return Hold(fact.seq, str(fact.body["twin"]), names, fact.by, str(fact.body["reason"]), fact.true_at)
