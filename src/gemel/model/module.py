"""A module: one process with its own state, that meets others only through named variables with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Values = Mapping[str, Any]
"""Variables by name; arrays that broadcast to (twin, member)."""

Rule = Callable[[Values], Values]
"""A pure function of the variables a module declares."""


@dataclass(frozen=True)
class State:
    """A variable a module keeps: where it starts (a number, or a function of the parameters) and its hard bounds.

    `learned` is false for one that follows from what was done alone, so that readings teach nothing about it.
    """

    unit: str
    start: float | Callable[[Values], Any]
    low: float = -np.inf
    high: float = np.inf
    learned: bool = True


@dataclass(frozen=True)
class Output:
    """A variable a module computes at each instant; `needs` are the variables it depends on without delay."""

    unit: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """A constant of one individual: median and spread `sd` on its scale (log above `low`, logit between two bounds).

    `sd` 0 means known; `individual` ones may be set by an attribute of the subject; `initial` ones only say where states
    start and are then forgotten. `between` says how much persons differ, as a spread on the same scale: no reading moves
    such a number, an offline fit may, and the subject's attributes then carry it. `source` says where the number is from.
    """

    unit: str
    value: float
    sd: float = 0.0
    low: float = 0.0
    high: float = np.inf
    individual: bool = False
    initial: bool = False
    between: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class Balance:
    """A quantity that is conserved: what `holds` changes by is what it `gains` minus what it `loses`, each a rule."""

    holds: tuple[str, ...]
    gains: Callable[[Values], Any]
    loses: Callable[[Values], Any]


@dataclass(frozen=True)
class Module:
    """One process: rates of change of its states per minute, instantaneous outputs, and noise.

    `noise` names the standard deviation per square root of a minute of each noisy state, as a rule.
    """

    name: str
    states: Mapping[str, State] = field(default_factory=dict)
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    change: Rule | None = None
    output: Rule | None = None
    noise: Rule | None = None
    balances: Mapping[str, Balance] = field(default_factory=dict)
    scale: str = "1 min"

    def writes(self) -> dict[str, str]:
        """Return the unit of each variable this module writes."""
        return {
            name: port.unit for group in (self.states, self.parameters, self.outputs) for name, port in group.items()
        }
