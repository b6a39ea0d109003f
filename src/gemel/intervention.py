"""What may be done, and how it is judged: forecasts, interventions, situations, guards, metrics, scenarios."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from gemel.dynamics import Array, Belief, Dose, Dynamics, Plan, Reading
from gemel.errors import BadInput, unknown
from gemel.facts import Time, iso

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""The quantiles a forecast states: median, and intervals of 50, 80 and 95 %."""


@dataclass(frozen=True)
class Forecast:
    """Quantiles of one signal over time: `quantiles` is (level, time) in `unit`, `mean` (time,)."""

    signal: str
    unit: str
    made_at: Time
    at: tuple[Time, ...]
    mean: np.ndarray
    quantiles: np.ndarray
    note: str = ""

    def at_level(self, level: float) -> np.ndarray:
        """Return one quantile over time."""
        found: np.ndarray = self.quantiles[LEVELS.index(level)]
        return found

    def body(self) -> dict[str, Any]:
        """Return the forecast as JSON types."""
        quantiles = {f"{level:g}": [round(float(v), 2) for v in self.at_level(level)] for level in LEVELS}
        mean = [round(float(v), 2) for v in self.mean]
        return {
            "signal": self.signal, "unit": self.unit, "made_at": self.made_at, "at": list(self.at),
            "mean": mean, "quantiles": quantiles, "note": self.note,
        }  # fmt: skip

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> Forecast:
        """Return the forecast that `body()` described."""
        rows = np.array([body["quantiles"][f"{level:g}"] for level in LEVELS])
        return Forecast(
            body["signal"], body["unit"], body["made_at"], tuple(body["at"]), np.array(body["mean"]), rows, body["note"]
        )

    def __str__(self) -> str:
        lines = [
            f"{self.signal} [{self.unit}] from {iso(self.made_at)}",
            "time                  median   80 % interval",
        ]
        for i in range(2, len(self.at), 3):
            low, mid, high = (self.at_level(level)[i] for level in (0.1, 0.5, 0.9))
            lines.append(f"{iso(self.at[i]):20}  {mid:6.0f}   {low:.0f} to {high:.0f}")
        return "\n".join([*lines, self.note] if self.note else lines)


@dataclass(frozen=True)
class Intervention:
    """Something to do to the asset: doses still to come, and how it is called."""

    title: str
    doses: tuple[Dose, ...]
    expected: str = ""

    def body(self) -> dict[str, Any]:
        """Return the intervention as JSON types."""
        doses = [{"lever": d.lever, "amount": float(d.amount), "at": d.at} for d in self.doses]
        return {"title": self.title, "doses": doses, "expected": self.expected}

    def starting(self, now: Time) -> Intervention:
        """Return the same doses at the same intervals, moved on together so that none lies before *now*."""
        late = max((now - dose.at for dose in self.doses), default=0)
        if late <= 0:
            return self
        return replace(self, doses=tuple(replace(dose, at=dose.at + late) for dose in self.doses))

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> Intervention:
        """Return the intervention that `body()` described."""
        doses = tuple(Dose(d["lever"], d["amount"], d["at"]) for d in body["doses"])
        return Intervention(body["title"], doses, body["expected"])


class Trial(Protocol):
    """Runs copies of the twin as it is now; nothing leaves them."""

    @property
    def dynamics(self) -> Dynamics:
        """Return how the twin moves."""
        ...

    @property
    def belief(self) -> Belief:
        """Return what copies start from."""
        ...

    def __call__(
        self, doses: Plan, length: Time, record: Sequence[str], every: Time = 300_000
    ) -> Mapping[str, np.ndarray]:
        """Return variables (time, member) over *length* ms if *doses* were given beside what is usual.

        Trials of one situation share their noise: member by member, a difference is the doses' doing.
        """
        ...


@dataclass(frozen=True)
class Situation:
    """What an agent or a guard may look at: the last hours, the state believed now, the forecast as usual.

    `planned` is what was approved and goes on, or was over a short while ago: doses already due and to come. `underway` is what
    was approved within the last hours and no report has told of yet. `settings` is what the care plan has in force, one number
    or one for each hour of the person's day, whose local time is `offset` ms later than UTC.
    """

    twin: str
    now: Time
    readings: Mapping[str, Sequence[Reading]]
    doses: Plan
    state: Mapping[str, float]
    forecasts: Mapping[str, Forecast]
    attributes: Mapping[str, float] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()
    trial: Trial | None = None
    planned: Plan = ()
    underway: Plan = ()
    settings: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    offset: Time = 0

    def latest(self, signal: str) -> Reading | None:
        """Return the last reading of *signal*, if there is one."""
        found = self.readings.get(signal, ())
        return found[-1] if found else None


class Guard(Protocol):
    """Says why an intervention must not be done, or nothing if it may."""

    def __call__(self, intervention: Intervention, situation: Situation) -> str | None:
        """Return the reason of a refusal, or None."""
        ...


Alarm = Callable[[Situation], tuple[str, str] | None]
"""From a situation to (severity: info, warning or urgent; what is the matter), or nothing.

While the loop forecasts nothing, the situation holds readings and doses alone: what was measured is judged all the same.
"""

Policy = Callable[[Mapping[str, Array], Time], Mapping[str, Array]]
"""From every variable of the state (member,) and the time to lever amounts (member,): what a controller does next."""


@dataclass(frozen=True)
class Scenario:
    """A supposed future: `revise` changes the plan from `now` on; `policy` acts every `every` ms along the way."""

    name: str
    revise: Callable[[Plan, Time], Plan] = lambda plan, now: plan
    policy: Policy | None = None
    every: Time = 300_000

    def after(self, earlier: Scenario) -> Scenario:
        """Return the scenario that does *earlier*, then this."""
        return replace(
            self,
            name=f"{earlier.name}, {self.name}",
            revise=lambda plan, now: self.revise(earlier.revise(plan, now), now),
            policy=self.policy or earlier.policy,
        )


@dataclass(frozen=True)
class Metric:
    """A number that says how well a stretch of time went: `of` takes values (time, ...) and drops the time axis.

    `better` is higher, lower, or None where neither is. `target` is where it should be, or better, by the consensus of the field,
    if there is one. While what `outweighs` gets worse, no other metric beside it is called better.
    """

    signal: str
    unit: str
    better: str | None
    of: Callable[[np.ndarray], np.ndarray]
    label: str = ""
    target: float | None = None
    outweighs: bool = False


@dataclass(frozen=True)
class Field:
    """One thing to fill in for a scenario: a number in *unit*, between *low* and *high*; `from_now` if it says when."""

    name: str
    label: str
    unit: str
    low: float
    high: float
    default: float
    step: float = 1.0
    from_now: bool = False

    def accept(self, value: object) -> float:
        """Return *value* if it is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise BadInput(f"{value!r} is not a number from {self.low:g} to {self.high:g} {self.unit}", field=self.name)
        return float(value)


@dataclass(frozen=True)
class Form:
    """A kind of scenario that a person can fill in; `build` makes it from one number per field."""

    title: str
    fields: tuple[Field, ...]
    build: Callable[..., Scenario]

    def fill(self, values: Mapping[str, float]) -> Scenario:
        """Return the scenario for *values*, defaults where none is given; raise `BadInput` for any that cannot be."""
        known = {entry.name: entry for entry in self.fields}
        for name in values:
            if name not in known:
                raise unknown("field", name, known)
        return self.build(**{name: entry.accept(values.get(name, entry.default)) for name, entry in known.items()})
