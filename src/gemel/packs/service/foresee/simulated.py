"""Simulated: remaining times by runs of a network from whoever was there, to be blended with what was learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.packs.service.foresee.ensemble import remaining_of
from gemel.packs.service.foresee.live import events_of, network_of
from gemel.packs.service.foresee.prefix import LEVELS, MIDDLE, Prefixes
from gemel.process.engine import simulate
from gemel.process.fold import Fold
from gemel.process.network import Network


@dataclass
class Simulated:
    """Quantiles of the remaining time by *members* runs from the state at each prefix; without a `network`, of `network_of`.

    One run per moment and a pass over the log for each: for logs of thousands of events, not of millions.
    """

    network: Network | None = None
    members: int = 100
    seed: int = 0
    horizon: float = 0.0
    _own: Network | None = None
    _kept: dict[str, Any] = field(default_factory=dict)

    def fit(self, prefixes: Prefixes) -> Simulated:
        """Find out how far to look, and the network if none was given."""
        self.horizon = 2.0 * float(np.quantile(prefixes.remained, 0.99)) + 1.0
        cases = np.zeros(len(prefixes.log.cases), bool)
        cases[prefixes.case] = True
        self._own = self.network or network_of(prefixes.log.only(cases))
        return self

    def widen(self, prefixes: Prefixes) -> Simulated:
        """Return it as it is: runs tell all quantiles."""
        return self

    def as_wide_as(self, other: Any) -> Simulated:
        """Return it as it is."""
        return self

    def median(self, prefixes: Prefixes) -> np.ndarray:
        """Return the median remaining time in seconds (prefix,)."""
        found: np.ndarray = self.quantiles(prefixes)[:, MIDDLE]
        return found

    def quantiles(self, prefixes: Prefixes) -> np.ndarray:
        """Return the remaining time in seconds at `LEVELS` (prefix, level)."""
        assert self._own is not None, "fit it first"
        fold = Fold(self._own)
        for event in events_of(prefixes.log, until=int(prefixes.at.max())):
            fold.take(event)
        found = np.zeros((len(prefixes), len(LEVELS)))
        for at in np.unique(prefixes.at).tolist():
            here = np.flatnonzero(prefixes.at == at)
            foretold = self._at(fold, at)
            for row in here.tolist():
                found[row] = foretold.get(prefixes.log.cases[prefixes.case[row]], 0.0)
        return found

    def _at(self, fold: Fold, at: int) -> dict[str, np.ndarray]:
        assert self._own is not None
        present = fold.present(at)
        if not present.cases:
            return {}
        run = simulate(self._own, present, at + round(1000 * self.horizon), self.members, self.seed, keep=("cases",))
        left = np.minimum(remaining_of(run, len(present.cases), self.members)[0], self.horizon)
        levels = np.quantile(left, LEVELS, axis=1).T
        return {case.id: row for case, row in zip(present.cases, levels, strict=True)}
