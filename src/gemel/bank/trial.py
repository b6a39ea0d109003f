"""Trial: what would come of some doses, run on copies of a twin as it is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.bank.replica import Replica
from gemel.dynamics import Belief, Dynamics, Plan
from gemel.facts import MINUTE, Time


@dataclass(frozen=True)
class Trial:
    """Runs copies of a twin from one belief; trials share their noise."""

    replica: Replica
    belief: Belief
    now: Time

    @property
    def dynamics(self) -> Dynamics:
        """Return how the twin moves."""
        return self.replica.type.dynamics

    def __call__(
        self, doses: Plan, length: Time, record: Sequence[str], every: Time = 5 * MINUTE
    ) -> Mapping[str, np.ndarray]:
        """Return variables (time, member) over *length* ms if *doses* were given beside what is usual."""
        belief = self.belief
        usual = self.replica.expected(int(belief.at[0]), self.now, length)
        plan = sorted([*usual, *doses], key=lambda dose: dose.at)
        _, way = self.dynamics.advance(
            belief, [plan], belief.at + length, self.replica.seed, record=list(record), every=every
        )
        return {name: np.asarray(way.values[name])[:, 0] for name in record}
