"""The privacy budget: how much every asker may learn of cohorts in all, and what they have asked; facts of the house."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemel.bank.tail import Tail
from gemel.errors import BadInput, Refused
from gemel.facts import HOUSE, Draft, Fact, Time
from gemel.thread import Thread

ASKED, BUDGET = "cohort_asked/1", "budget/1"

MOST = 10.0
"""The largest epsilon that one question may have; from about there on noise hides nobody."""


@dataclass(frozen=True)
class Budget:
    """What one asker may spend in all, what of it is spent, and on what; in epsilon."""

    asker: str
    total: float
    spent: float
    asked: tuple[Fact, ...]

    @property
    def left(self) -> float:
        """Return what is left."""
        return max(self.total - self.spent, 0.0)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        rows = [{"seq": fact.seq, "at": fact.true_at, **fact.body} for fact in self.asked]
        return {"asker": self.asker, "total": self.total, "spent": self.spent, "left": self.left, "asked": rows}


class Budgets:
    """The budgets of a bank, read from the facts of its house."""

    def __init__(self, thread: Thread) -> None:
        self._thread, self._tail = thread, Tail(thread, (ASKED, BUDGET))

    def of(self, asker: str) -> Budget:
        """Return one asker's budget; nothing, where none was set."""
        own = [fact for fact in self._tail.of(HOUSE) if fact.body["asker"] == asker]
        asked = tuple(fact for fact in own if fact.kind == ASKED)
        total = next((float(fact.body["epsilon"]) for fact in reversed(own) if fact.kind == BUDGET), 0.0)
        return Budget(asker, total, math.fsum(float(fact.body["epsilon"]) for fact in asked), asked)

    def set(self, asker: str, epsilon: float, by: str, now: Time) -> Budget:
        """Say how much an asker may spend in all; nobody sets their own."""
        if by == asker:
            raise Refused(f"{asker} may not set the budget of {asker}: somebody else must")
        if not (math.isfinite(epsilon) and epsilon >= 0) or not asker:
            raise BadInput(
                f"a budget of {epsilon} for {asker or 'nobody'} is none; it is an epsilon of 0 or more", field="set"
            )
        self._thread.append([Draft(HOUSE, BUDGET, {"asker": asker, "epsilon": epsilon}, now, by)], now)
        return self.of(asker)

    def spend(self, asker: str, epsilon: float, what: Mapping[str, Any], now: Time) -> Budget:
        """Put a question on record and take its price, or raise `Refused`; of two at once, neither takes what is not there."""
        while True:
            held = self.of(asker)
            if held.spent + epsilon > held.total * (1 + 1e-12):
                raise Refused(_spent(held, epsilon))
            body = {"asker": asker, "epsilon": epsilon, **what}
            draft = Draft(HOUSE, ASKED, body, now, asker, key=f"asked|{asker}|{len(held.asked)}")
            if self._thread.append([draft], now).facts:
                return self.of(asker)


def priced(epsilon: float) -> float:
    """Return an epsilon that a question may have, or raise `BadInput`."""
    if not (math.isfinite(epsilon) and 0 < epsilon <= MOST):
        raise BadInput(f"epsilon {epsilon} is not above 0 and up to {MOST:g}", field="epsilon")
    return epsilon


def _spent(held: Budget, epsilon: float) -> str:
    if not held.total:
        first = f"{held.asker} has no budget to ask about cohorts"
        return f"{first}: somebody else sets one, as in `gemel cohort budget {held.asker} --set 3`"
    return f"{held.asker} may not spend {epsilon:g}: {held.left:.4g} of a budget of {held.total:g} is left"
