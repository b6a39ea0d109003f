"""Machines: what is believed of a pool of equipment, member by member, and what maintenance and repair make of it in a fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.facts import SECOND, Time
from gemel.packs.service.actions import Action
from gemel.packs.service.estimate import Estimate, mean
from gemel.process.engine import Control
from gemel.process.present import Present


@dataclass(frozen=True)
class Machines:
    """Units of one pool: when those that are away come back, when those that run fail, each (unit, member) ms; what is planned.

    `planned` holds (moment, seconds) of maintenance to come. Once people of the pool `helpers` are called in, whatever is away is
    back within `helped` seconds. A failure costs `bill` in money.
    """

    pool: str
    back: np.ndarray
    fails: np.ndarray
    planned: tuple[tuple[Time, float], ...] = ()
    helpers: str = ""
    helped: float = 0.0
    bill: float = 0.0

    def present(self, present: Present, actions: Sequence[Action]) -> tuple[Present, ...]:
        """Return the present as each member believes it to be, if *actions* are done."""
        called = [one.works for one in actions if one.kind == "add" and one.target == self.helpers]
        least = min(called) + round(self.helped * SECOND) if called else np.inf
        back = np.minimum(self.back, least)
        return tuple(self._of(present, back[:, m], self.fails[:, m]) for m in range(self.fails.shape[1]))

    def _of(self, present: Present, back: np.ndarray, fails: np.ndarray) -> Present:
        away = tuple((self.pool, float(at)) for at in back)
        return replace(present, away=away, fails=tuple((self.pool, float(at)) for at in fails))

    def spared(self, actions: Sequence[Action], until: Time) -> Estimate | None:
        """Return the bills of failures before *until* that maintenance takes away, of the unit that would fail first."""
        works = [one.works for one in actions if one.kind == "maintain" and one.target == self.pool]
        if not works or not self.bill or not len(self.fails):
            return None
        first = self.fails.min(0)
        return mean("repairs spared", self.bill * ((first > min(works)) & (first <= until)), "money")

    def controls(self, actions: Sequence[Action], since: Time) -> list[Control]:
        """Return the maintenance that is still to come from *since* on: what *actions* bring forward is not done twice."""
        moved = sum(one.kind == "maintain" and one.target == self.pool and one.works >= since for one in actions)
        return [Control(at, "away", self.pool, seconds) for at, seconds in sorted(self.planned)[moved:]]
