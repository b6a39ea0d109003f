"""Facts, as a server shows them one by one: which kinds, and whether the gate opens one to the asker."""

from __future__ import annotations

from gemel.bank import Bank
from gemel.consent import ALL
from gemel.errors import Refused
from gemel.facts import HOUSE, Fact
from gemel.server.asker import Asker

OF_A_SIGNAL = ("observed/1", "acted/1", "retracted/1", "forecast/1", "outcome/1")
"""Kinds that are about the one signal or lever they name; any other is opened by a right to read all."""

OUT = (*OF_A_SIGNAL, "alert/1", "proposed/1", "decided/1", "sent/1", "delivered/1", "failed/1")
"""Kinds that tell what happens to a twin, not who looked at it or may."""


def may_read(bank: Bank, asker: Asker, fact: Fact) -> bool:
    """Return whether the gate opens a fact to the asker; what is opened goes on record, once an hour."""
    if fact.kind not in OUT or fact.twin.startswith(HOUSE[0]):
        return False
    signal = ALL
    if fact.kind in OF_A_SIGNAL:
        signal = str(fact.body.get("name") or fact.body.get("signal") or ALL)
    try:
        if not bank.gate.decide(asker.actor, "read", fact.twin, signal, asker.purpose).allowed:
            return False
        bank.gate.require(asker.actor, "read", fact.twin, signal, asker.purpose)
    except Refused:
        return False
    return True
