"""Ensembles: one run of a service from its present state, from which all that the page shows of its future is read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from gemel.bank import Twin
from gemel.dynamics import Belief, Plan
from gemel.errors import NotFound
from gemel.facts import HOUR, MINUTE, Time
from gemel.process.network import Network, Station, Task
from gemel.process.present import Present
from gemel.process.ways import Ways

if TYPE_CHECKING:
    from gemel.process.engine import Run
    from gemel.process.service import Service

HORIZON: Time = 2 * HOUR
EVERY: Time = MINUTE
STEP = 5
"""Every so many minutes a value is shown."""

HELD = 16


@dataclass(frozen=True)
class Ensemble:
    """Futures of one service from one moment; `run` has gauges each minute, visits and cases."""

    service: Service
    belief: Belief
    run: Run

    @property
    def network(self) -> Network:
        """Return the service as data."""
        return self.service.network

    @property
    def now(self) -> Time:
        """Return the moment that it starts from."""
        return int(self.belief.at[0])

    @property
    def present(self) -> Present:
        """Return who is where now."""
        found: Present = self.belief.values["present"][0, 0]
        return found

    @cached_property
    def ways(self) -> Ways:
        """Return the network as a map."""
        return Ways(self.network)

    @cached_property
    def at(self) -> list[Time]:
        """Return the moments that are shown."""
        return [self.now + int(after) for after in self.run.after[STEP - 1 :: STEP]]

    def shown(self, gauge: str) -> np.ndarray:
        """Return a gauge at those moments (time, member)."""
        return np.asarray(self.run.gauges[gauge])[STEP - 1 :: STEP]

    def station_of(self, node: str) -> Station | None:
        """Return the station of a node, if it has one."""
        found = self.ways.nodes[node]
        return self.ways.stations[found.station] if isinstance(found, Task) else None


class Ensembles:
    """Runs by twin and minute, each made once for all who look at the same state; the last few are held."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int, Time, Time], Ensemble] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, seen: Twin, version: int, now: Time, length: Time = HORIZON) -> Ensemble:
        """Return the run of a service twin from *now* on."""
        key = seen.id, version, now // MINUTE, length
        with self._lock:
            if key not in self._held:
                self._held[key] = made(seen, now, length)
            self._held.move_to_end(key)
            while len(self._held) > HELD:
                self._held.popitem(last=False)
            return self._held[key]

    def forget(self, twin: str) -> None:
        """Forget what was run of a twin."""
        with self._lock:
            for key in [key for key in self._held if key[0] == twin]:
                del self._held[key]


def service_of(seen: Twin) -> Service:
    """Return the dynamics of a service twin; raise `NotFound` for any other."""
    dynamics = seen.type.dynamics
    if not isinstance(getattr(dynamics, "network", None), Network):
        raise NotFound(f"{seen.id} is no service: it has no stations")
    return cast("Service", dynamics)


def made(seen: Twin, now: Time, length: Time = HORIZON, doses: Plan = ()) -> Ensemble:
    """Return futures from *now* under what is done already, and *doses* beside; the same seed whatever the doses."""
    service, bank = service_of(seen), seen.bank
    with bank.beliefs.lock:
        replica = bank.replica(seen.id)
        known = replica.start is not None and replica.start <= now
        belief = bank.belief_at(seen.id, now) if known else _blank(seen, service, now)
        plan = sorted([*replica.expected(int(belief.at[0]), now, length), *doses], key=lambda dose: dose.at)
    every = max(EVERY, length // 120)
    run = service.run(belief, 0, plan, int(belief.at[0]) + length, bank.seed, every, ("visits", "cases"))
    return Ensemble(service, belief, run)


def _blank(seen: Twin, service: Service, now: Time) -> Belief:
    """Return a service with nobody in it: nothing is known yet."""
    return service.prior([seen.bank.replica(seen.id).subject(now)], seen.type.members, seen.bank.seed)
