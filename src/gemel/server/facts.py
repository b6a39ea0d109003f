"""Facts, as a server shows them one by one: which kinds, and whether the gate opens one to the asker."""

from __future__ import annotations

from gemel.bank import Bank
from gemel.bank.gate import signal_of
from gemel.errors import Refused
from gemel.facts import HOUSE, Fact
from gemel.server.asker import Asker

OUT = (
    "observed/1", "acted/1", "retracted/1", "forecast/1", "outcome/1", "alert/1", "proposed/1", "decided/1", "sent/1",
    "delivered/1", "failed/1", "happened/1", "chosen/1",
)  # fmt: skip
"""Kinds that tell what happens to a twin, not who looked at it or may."""


def may_read(bank: Bank, asker: Asker, fact: Fact) -> bool:
    """Return whether the gate opens a fact to the asker; what is opened goes on record, once an hour."""
    if fact.kind not in OUT or fact.twin.startswith(HOUSE[0]):
        return False
    signal = signal_of(fact)
    try:
        if not bank.gate.decide(asker.actor, "read", fact.twin, signal, asker.purpose).allowed:
            return False
        bank.gate.require(asker.actor, "read", fact.twin, signal, asker.purpose)
    except Refused:
        return False
    return True
