"""TwinType: what the twins of one kind have in common, as data with a content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property

from gemel.dynamics import ALERTS, CASE, EVENTS, PLAN, Dynamics, exact
from gemel.errors import BadInput, unknown
from gemel.facts import MINUTE, Time
from gemel.intervention import Alarm, Form, Guard, Metric
from gemel.units import converted


class Asset(StrEnum):
    """What the real counterpart is."""

    PHYSICAL = "physical"
    PROCESS = "process"
    TECHNOLOGY = "technology system"
    SOCIAL = "social"


class Scope(StrEnum):
    """How much of the world one twin spans."""

    MOLECULE = "molecule"
    CELL = "cell"
    ORGAN = "organ"
    BODY_SYSTEM = "body system"
    PERSON = "person"
    ORGANISATION = "organisation"


class Autonomy(IntEnum):
    """Who decides on an agent's proposal: nobody yet, a reader, an approver, the agent within its guard."""

    OBSERVE = 0
    RECOMMEND = 1
    APPROVE = 2
    ACT = 3


@dataclass(frozen=True)
class Level:
    """How far the twin goes: each from 0 (none) to 3 (full)."""

    fidelity: int = 0
    connectedness: int = 0
    learning: int = 0
    autonomy: Autonomy = Autonomy.OBSERVE


@dataclass(frozen=True)
class Signal:
    """Something a sensor reads; `accepts` gives factors from other units that need more than arithmetic."""

    unit: str
    low: float
    high: float
    cadence: Time = 5 * MINUTE
    label: str = ""
    accepts: Mapping[str, float] = field(default_factory=dict)

    def convert(self, value: float, unit: str) -> float:
        """Return *value* given in *unit* in the signal's own unit."""
        return value * self.accepts[unit] if unit in self.accepts else converted(value, unit, self.unit)


@dataclass(frozen=True)
class Lever(Signal):
    """Something that acts on the asset: an amount at once, or (`holds`) a rate until the next."""

    holds: bool = False


@dataclass(frozen=True)
class TwinType:
    """A kind of twin: its dynamics, what is read of it, what acts on it, how it is judged and guarded.

    `band` is the range in which a signal is well; `exposures` names the levers that give one and the same thing;
    `explains` the variables from which errors of the forecast may be learned; `supposes` the input of the dynamics
    through which a supposed change of each lever acts, where that is not the lever's own; `conditions` the levers that hold
    and are told of the asset rather than done to it: one stays as it was told, and is no habit; `settings` is what its shared
    care plan may set, one number or one for each hour of the day; `retention` says of a signal
    how long it is kept as it came and as statistics (`{"raw": "90d", "5min": "1y", "1d": None}`), unless a holder does.
    A type that was made from data has a `spec`: JSON from which its pack makes it again, under `"maker"` the maker's name.
    """

    name: str
    asset: Asset
    scope: Scope
    level: Level
    dynamics: Dynamics
    signals: Mapping[str, Signal]
    levers: Mapping[str, Lever]
    attributes: Mapping[str, Signal] = field(default_factory=dict)
    settings: Mapping[str, Signal] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    guards: Mapping[str, Guard] = field(default_factory=dict)
    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    scenarios: Mapping[str, Form] = field(default_factory=dict)
    explains: tuple[str, ...] = ()
    supposes: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    exposures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    band: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    members: int = 128
    retention: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    spec: Mapping[str, object] | None = None

    @property
    def eventful(self) -> bool:
        """Return whether its twins take events of cases beside readings."""
        return exact(self.dynamics)

    @cached_property
    def hash(self) -> str:
        """Return the content hash: SHA-256 over everything that changes what a fact means, 64 hex digits."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, object]:
        """Return the type as plain data."""
        ports = {
            kind: {name: vars(port) | {"accepts": dict(port.accepts)} for name, port in group.items()}
            for kind, group in (("signals", self.signals), ("levers", self.levers), ("attributes", self.attributes))
        }
        dynamics = getattr(self.dynamics, "describe", lambda: repr(self.dynamics))()
        level = {"fidelity": self.level.fidelity, "connectedness": self.level.connectedness}
        level |= {"learning": self.level.learning, "autonomy": int(self.level.autonomy)}
        return {
            "name": self.name, "asset": self.asset.value, "scope": self.scope.value, "level": level,
            "dynamics": dynamics, "members": self.members, "metrics": sorted(self.metrics), "guards": sorted(self.guards),
            "band": {name: list(span) for name, span in self.band.items()}, **ports,
            **({"conditions": sorted(self.conditions)} if self.conditions else {}),
        }  # fmt: skip

    def port(self, name: str) -> Signal:
        """Return the signal or lever of that *name*."""
        found = self.signals.get(name) or self.levers.get(name)
        if found is None:
            raise unknown("signal", name, [*self.signals, *self.levers])
        return found

    def speaks_of(self, name: str) -> None:
        """Raise `NotFound` unless *name* is a signal, a lever, `alerts`, `plan`, or of a service `events` or `case:CASE`."""
        own = [EVENTS, f"{CASE}CASE"] if self.eventful else []
        case = name.startswith(CASE) and name != CASE
        if name not in {ALERTS, PLAN, *self.signals, *self.levers} and not (own and (name == EVENTS or case)):
            raise unknown("signal", name, [ALERTS, PLAN, *own, *self.signals, *self.levers])

    def accept(self, name: str, value: float, unit: str) -> float:
        """Return *value* in the port's own unit, or raise `BadInput` where it cannot be true."""
        port = self.port(name)
        converted = port.convert(value, unit)
        if not port.low <= converted <= port.high:
            raise BadInput(
                f"{name} of {value:g} {unit} is outside {port.low:g} to {port.high:g} {port.unit}", field=name
            )
        return converted
