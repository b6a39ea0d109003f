"""Remedies: what is offered to customers whose promise is broken for certain, and what keeping them is worth.

Compensation shortens no wait. Its gain is what a customer is worth who stays (`experience.clv_of`) times how many more stay of
those who got it than of those who did not, as the service has counted them. Whether satisfaction lasts is for those counts to
say: a meta-analysis found satisfaction raised by a good recovery, and the will to come again not (de Matos, Henrique & Vargas
Rossi 2007, 10.1177/1094670507303012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.errors import BadInput
from gemel.facts import MINUTE, SECOND, Time
from gemel.packs.service.actions import Action
from gemel.packs.service.advise import Felt, View
from gemel.packs.service.estimate import Estimate, normal
from gemel.packs.service.experience import clv_of
from gemel.process.network import Task

CERTAIN = 0.95
"""The share of members in which a promise must be broken before anything is offered for it."""

SOON: Time = 10 * MINUTE
"""Promises that will be broken later than this are left to a later look: they may still be kept."""


@dataclass(frozen=True)
class Remedy:
    """What is offered to each of a class who was let down: money; and how many stayed, (stayed, of so many), without and with it.

    `margin` is what a customer brings in a period, `discount` the interest of a period.
    """

    money: float
    margin: float
    without: tuple[int, int]
    given: tuple[int, int]
    discount: float = 0.1

    def __post_init__(self) -> None:
        for stayed, of in (self.without, self.given):
            if not 0 <= stayed <= of or of < 2:
                raise BadInput(
                    f"{stayed} of {of} customers cannot have stayed; at least two are counted", field="remedy"
                )

    @property
    def gain(self) -> Estimate:
        """Return what one more customer who is given it is worth, in money, by the delta method over both counts."""
        (before, a), (after, b) = (self._worth(*counted) for counted in (self.without, self.given))
        n = self.without[1] + self.given[1]
        return normal("worth of those who stay", after - before, float(np.hypot(a, b)), n, "money")

    def _worth(self, stayed: int, of: int) -> tuple[float, float]:
        share = stayed / of
        slope = self.margin * (1 + self.discount) / (1 + self.discount - share) ** 2
        return clv_of(self.margin, share, self.discount), slope * float(np.sqrt(share * (1 - share) / of))


Remedies = Mapping[str, Remedy]
"""What is offered, by class of customers."""


def repairs(remedies: Remedies, actions: Sequence[Action]) -> Estimate | None:
    """Return what the compensations among *actions* are worth; None where there is none."""
    given = [one for one in actions if one.kind == "compensate" and one.target in remedies]
    if not given:
        return None
    gains = [remedies[one.target].gain.times(one.counts, "money") for one in given]
    error = sum(gain.high - gain.value for gain in gains)  # counts of one survey may be wrong together
    value = sum(gain.value for gain in gains)
    return Estimate(gains[0].name, value, value - error, value + error, min(gain.n for gain in gains), "money")


@dataclass(frozen=True)
class Overdue:
    """A wait whose promise is broken, or will be soon unless it ends: whose, of which class, since when (ms)."""

    case: str
    customers: str
    since: float


def overdue(view: View, remedies: Remedies, settled: Mapping[str, Time]) -> list[Overdue]:
    """Return the waits of classes with a remedy whose promise breaks before `SOON`, the longest first.

    *settled* says by class until which broken promises were met before. Where a wait counts as broken whatever it is (a promise
    below 0), another time was promised, and nothing is owed.
    """
    groups = {case.id: case.customers for case in view.present.cases}
    tasks = {node.name for node in view.network.nodes if isinstance(node, Task)}
    found = list[Overdue]()
    for token in view.present.tokens:
        name = groups[token.case]
        if token.node not in tasks or name not in remedies or (promise := view.promised(token.node, name)) < 0:
            continue
        if settled.get(name, 0) < token.since + promise * SECOND <= view.now + SOON:
            found.append(Overdue(token.case, name, token.since))
    return sorted(found, key=lambda one: (one.since, one.case))


def offers(
    view: View, usual: Felt, remedies: Remedies, waits: Sequence[Overdue], left: float
) -> list[tuple[Action, ...]]:  # fmt: skip
    """Return an offer for each class with customers who are let down for certain, and a smaller one where money is short.

    *left* is the money of the day; who has waited longest comes first.
    """
    sure = {case.id for case, share in zip(view.present.cases, usual.let_down, strict=True) if share >= CERTAIN}
    found = list[tuple[Action, ...]]()
    for name, remedy in remedies.items():
        whom = [one.case for one in waits if one.customers == name and one.case in sure]
        most = int(min(max(left / remedy.money, 0), len(whom))) if remedy.money else len(whom)
        found += [_offer(name, remedy, whom[:n], view.now) for n in sorted({len(whom), most}) if n]
    return found


def _offer(name: str, remedy: Remedy, whom: Sequence[str], now: Time) -> tuple[Action, ...]:
    return (Action("compensate", name, remedy.money, now, SOON / SECOND, len(whom), tuple(whom)),)
