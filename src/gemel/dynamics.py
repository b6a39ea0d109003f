"""One picture of everything that moves: a population of ensembles, advanced and observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeGuard, runtime_checkable

import msgspec
import numpy as np

from gemel.facts import MINUTE, Time

Array = Any
"""A NumPy or JAX array; axes are (twin, member) unless said otherwise."""

Seed = int
"""Random draws are keyed by (seed, twin, purpose, time), never taken in sequence."""


@dataclass(frozen=True)
class Subject:
    """Who is modelled: the id that keys its draws, and what is known of it (attributes in the type's units)."""

    id: str
    born: Time
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Belief:
    """What is believed of some twins: `values[name]` is (twin, member); `at` (twin,) is each twin's own time.

    Dynamics that are `Exact` also hold objects, (twin, 1) where all members share them.
    """

    subjects: tuple[Subject, ...]
    at: np.ndarray
    values: Mapping[str, Array]

    @property
    def members(self) -> int:
        """Return how many members each twin has."""
        return max(int(value.shape[1]) for value in self.values.values())

    def rows(self, index: Sequence[int]) -> Belief:
        """Return the belief of some of the twins, in the order of *index*; repeat a row to fork it."""
        chosen = np.asarray(index, dtype=np.int64)
        return Belief(
            tuple(self.subjects[i] for i in chosen),
            self.at[chosen],
            {name: np.asarray(value)[chosen] for name, value in self.values.items()},
        )

    def with_values(self, **changed: Array) -> Belief:
        """Return this belief with some values replaced."""
        return replace(self, values={**self.values, **changed})


def stack(beliefs: Sequence[Belief]) -> Belief:
    """Return many beliefs of one dynamics as one belief."""
    if any(belief.values.keys() != beliefs[0].values.keys() for belief in beliefs):
        raise ValueError("these beliefs do not hold the same values: some carry constants of their own")
    return Belief(
        tuple(subject for belief in beliefs for subject in belief.subjects),
        np.concatenate([belief.at for belief in beliefs]),
        {name: np.concatenate([np.asarray(b.values[name]) for b in beliefs]) for name in beliefs[0].values},
    )


@dataclass(frozen=True)
class Range:
    """Where a value may lie: `soft` bounds are approached and never reached (log, logit), others hold it."""

    low: float = -np.inf
    high: float = np.inf
    soft: bool = False


@dataclass(frozen=True)
class Varies:
    """How individuals differ in one constant: its median, and its spread `sd` on the line that its range maps to."""

    median: float
    sd: float
    within: Range


@dataclass(frozen=True)
class Dose:
    """Something a lever did: *amount* (or one per member) in the lever's unit, at once, or from then on for a rate."""

    lever: str
    amount: float | Array
    at: Time


Plan = Sequence[Dose]
"""What acts on one twin over some span, past or supposed; a rate holds until the next, the belief remembers it."""


@dataclass(frozen=True)
class Trajectory:
    """Variables over time: `after` is (time,) ms from each twin's start, `values[name]` is (time, twin, member)."""

    after: np.ndarray
    values: Mapping[str, Array]


@dataclass(frozen=True)
class Expected:
    """What a sensor should read: `mean` and white-noise standard deviation `sd`, each (twin, member)."""

    mean: Array
    sd: Array


@dataclass(frozen=True)
class Reading:
    """A value a sensor gave, in the signal's unit."""

    signal: str
    value: float
    at: Time


PHASES = ("arrived", "queued", "started", "paused", "resumed", "completed", "abandoned", "left", "down", "up", "noted")
"""What may happen to a case: it arrives, waits for an activity, is served (with pauses), gives up, leaves; `noted` only tells
attributes. A resource that nobody can use is `down` until it is `up`; those two name no case."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a service: a *phase* of an *activity* of a *case*, by a resource, with what was said of it."""

    case: str
    phase: str
    at: Time
    activity: str = ""
    resource: str = ""
    attributes: Mapping[str, str | float] = field(default_factory=dict)


EVENTS = "events"
"""What the gate and the thread call all that is told of cases."""

ALERTS = "alerts"
"""What the gate calls the alerts of a twin, for those who may see nothing else of it."""

PLAN = "plan"
"""What the gate calls the shared care plan of a twin."""

CASE = "case:"
"""How the gate calls what is told of one case: `case:4711`, for the customer whose case it is."""

Info = Mapping[str, Array]
"""How a computation went: named arrays, leading axis (twin,), never discarded."""


@runtime_checkable
class Dynamics(Protocol):
    """Whatever moves: bodies, machines, queues, populations."""

    @property
    def ranges(self) -> Mapping[str, Range]:
        """Return the values that readings may teach something about, with where they may lie."""
        ...

    def prior(self, subjects: Sequence[Subject], members: int, seed: Seed) -> Belief:
        """Return what is believed before any reading, at each subject's `born`."""
        ...

    def advance(
        self,
        belief: Belief,
        plans: Sequence[Plan],
        until: np.ndarray,
        seed: Seed,
        *,
        record: Sequence[str] = (),
        every: Time = 5 * MINUTE,
    ) -> tuple[Belief, Trajectory]:
        """Return the belief at *until* (twin,) ms under one plan per twin, and the variables to *record* on the way."""
        ...

    def observe(self, belief: Belief) -> Mapping[str, Expected]:
        """Return what each sensor should read now."""
        ...


class Exact(Dynamics, Protocol):
    """Dynamics whose events fix their state: nothing is simulated up to now, and silence means that nothing happened."""

    def condition(
        self, belief: Belief, events: Sequence[Event], plans: Sequence[Plan], until: np.ndarray, seed: Seed
    ) -> tuple[Belief, Info]:
        """Return the belief at *until* (twin,) ms, given all *events* since and what was done, and how they fitted."""
        ...

    def frozen(self, belief: Belief) -> Mapping[str, Array]:
        """Return the values as plain arrays, for a snapshot."""
        ...

    def thawed(self, belief: Belief) -> Belief:
        """Return the belief whose values `frozen` gave."""
        ...


def exact(dynamics: Dynamics) -> TypeGuard[Exact]:
    """Return whether events fix the state of these dynamics."""
    return hasattr(type(dynamics), "condition")


def bits(value: Array) -> bytes:
    """Return what a value of a belief is made of: equal bytes, equal values; of objects 1 and 1.0 are equal, as they are."""
    held = np.ascontiguousarray(value)
    if held.dtype != object:
        return held.tobytes()
    return msgspec.msgpack.encode(_numbers(msgspec.to_builtins(held.ravel().tolist())), order="deterministic")


def _numbers(told: Any) -> Any:
    """Return plain data in which every number is a float."""
    if isinstance(told, dict):
        return {name: _numbers(one) for name, one in told.items()}
    if isinstance(told, (list, tuple)):
        return [_numbers(one) for one in told]
    return float(told) if type(told) is int else told
