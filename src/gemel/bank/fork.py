"""Fork: a copy of a twin as it is now, with its own future; it has no streams, no sink and no `apply`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gemel.dynamics import Belief, Dose, Plan, Seed
from gemel.facts import MINUTE, Time
from gemel.intervention import Forecast, Intervention, Scenario
from gemel.simulate import Rates, difference, rate_at, sensed, steered, summarise, with_noise
from gemel.twintype import TwinType

EVERY: Time = 5 * MINUTE
TEMPORARY: Time = 120 * MINUTE
"""How far ahead a policy's choices are turned into an intervention."""


@dataclass(frozen=True)
class Fork:
    """One supposed future of a twin; forks of one twin share their noise, so that differences are paired."""

    name: str
    twin: str
    type: TwinType
    belief: Belief
    usual: Callable[[Time, Time], Plan]
    rates: Rates
    seed: Seed
    admit: Callable[[str], object]
    scenario: Scenario = Scenario("as usual")  # noqa: RUF009 - frozen

    @property
    def now(self) -> Time:
        """Return the moment at which the fork left its twin."""
        return int(self.belief.at[0])

    def suppose(self, scenario: Scenario) -> Fork:
        """Return this fork under one more supposition."""
        self.admit("*")
        return replace(self, scenario=scenario.after(self.scenario) if self.scenario.name != "as usual" else scenario)

    def plan(self, length: Time) -> Plan:
        """Return what would be done over the next *length* ms: a usual day, as the scenario revises it."""
        self.admit("*")
        return sorted(self.scenario.revise(self.usual(self.now, length), self.now), key=lambda dose: dose.at)

    def run(self, signal: str, hours: float) -> tuple[np.ndarray, list[Dose]]:
        """Return draws (time, member) of *signal* every 5 min, and what a policy did on the way."""
        self.admit(signal)
        length = round(hours * 3_600_000)
        variable, dynamics = sensed(self.type.dynamics, signal), self.type.dynamics
        plan, done = self._acting(length), list[Dose]()
        if self.scenario.policy is None:
            until = self.belief.at + length
            _, way = dynamics.advance(self.belief, [plan], until, self.seed, record=[variable], every=EVERY)
        else:
            way, done = steered(
                dynamics, self.belief, plan, length, self.seed, [variable], self.scenario.every, self.scenario.policy,
                lambda dose: self._supposed(dose, length),
            )  # fmt: skip
        course = np.asarray(way.values[variable])
        return with_noise(self.type.dynamics, self.belief, course, signal, self.seed)[:, 0], done

    def _acting(self, length: Time) -> Plan:
        """Return the doses that the dynamics is given: the usual ones, and the supposed changes by their own inputs."""
        supposes, usual, revised = self.type.supposes, self.usual(self.now, length), self.plan(length)
        own = [dose for dose in revised if dose.lever not in supposes]
        kept = [dose for dose in usual if dose.lever in supposes]
        return sorted([*own, *kept, *difference(usual, revised, supposes, self.rates)], key=lambda dose: dose.at)

    def _supposed(self, dose: Dose, length: Time) -> Dose:
        """Return a policy's dose as the dynamics is given it: what it changes, where changes have an input of their own."""
        if dose.lever not in self.type.supposes:
            return dose
        rate = self.rates.get(dose.lever)
        usual = 0.0 if rate is None else rate_at(self.usual(self.now, length), dose.lever, dose.at, rate)
        return Dose(self.type.supposes[dose.lever], np.asarray(dose.amount) - usual, dose.at)

    def forecast(self, signal: str, hours: float) -> Forecast:
        """Return the quantiles of *signal* over the next *hours* in this future."""
        port = self.type.signals[signal]
        draws, _ = self.run(signal, hours)
        return summarise(draws, signal, port.unit, self.now, EVERY, port.low, port.high)

    def intervention(self) -> Intervention:
        """Return what would have to be done to the asset to take this future rather than the usual one."""
        usual, revised = set(self.usual(self.now, TEMPORARY)), set(self.plan(TEMPORARY))
        doses = sorted(revised - usual, key=lambda dose: dose.at)
        if self.scenario.policy is not None:
            _, done = self.run(next(iter(self.type.band or self.type.signals)), TEMPORARY / 3_600_000)
            doses = [*doses, *_half_hours(done)]
        return Intervention(self.scenario.name, tuple(doses))


def _half_hours(done: list[Dose]) -> list[Dose]:
    """Return a policy's doses as one mean amount per lever and half hour."""
    groups: dict[tuple[str, Time], list[Dose]] = {}
    for dose in done:
        first = done[0].at
        groups.setdefault((dose.lever, first + (dose.at - first) // (30 * MINUTE) * 30 * MINUTE), []).append(dose)
    return [
        Dose(lever, round(float(np.mean([np.mean(d.amount) for d in part])), 3), at)
        for (lever, at), part in groups.items()
    ]
