"""Keep a belief in step with readings, in the order in which they were true."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.assimilate.ensemble import Filter, condition
from gemel.dynamics import Belief, Dose, Dynamics, Event, Info, Plan, Reading, Seed, exact
from gemel.facts import MINUTE, Time


@dataclass(frozen=True)
class Cycle:
    """What was read, and what happened, within one minute."""

    at: Time
    readings: tuple[Reading, ...]
    events: tuple[Event, ...] = ()


def cycles(readings: Sequence[Reading], events: Sequence[Event] = ()) -> list[Cycle]:
    """Return readings, and *events* (in order), grouped by minute, in an order that does not depend on how they arrived."""
    read: dict[Time, list[Reading]] = defaultdict(list)
    told: dict[Time, list[Event]] = defaultdict(list)
    for reading in readings:
        read[reading.at // MINUTE * MINUTE].append(reading)
    for event in events:
        told[event.at // MINUTE * MINUTE].append(event)
    return [
        Cycle(at, tuple(sorted(read.get(at, ()), key=lambda r: (r.signal, r.at, r.value))), tuple(told.get(at, ())))
        for at in sorted(read.keys() | told.keys())
    ]


def between(plan: Plan, start: Time, end: Time) -> Sequence[Dose]:
    """Return the part of *plan* (sorted by time) with `start <= at < end`, whole minutes."""
    first = bisect_left(plan, start // MINUTE * MINUTE, key=lambda dose: dose.at)
    last = bisect_left(plan, end // MINUTE * MINUTE, key=lambda dose: dose.at)
    return plan[first:last]


def step(
    dynamics: Dynamics, belief: Belief, cycle: Cycle, plan: Plan, seed: Seed, settings: Filter
) -> tuple[Belief, Info]:
    """Return the belief (all rows under one plan) moved to *cycle* and conditioned on its readings."""
    rows = len(belief.subjects)
    due = between(plan, int(belief.at[0]), cycle.at)
    if exact(dynamics):
        return dynamics.condition(belief, cycle.events, [due] * rows, np.full(rows, cycle.at), seed)
    moved, _ = dynamics.advance(belief, [due] * rows, np.full(rows, cycle.at), seed)
    info: dict[str, np.ndarray] = {}
    for reading in cycle.readings:
        value = {reading.signal: np.full(rows, reading.value, np.float32)}
        moved, how = condition(dynamics, moved, value, settings)
        info |= how
    return moved, info


def follow(
    dynamics: Dynamics, belief: Belief, readings: Sequence[Cycle], plan: Plan, seed: Seed, settings: Filter
) -> Iterator[tuple[Cycle, Belief, Info]]:
    """Yield the belief after each cycle, and how its readings fitted."""
    for cycle in readings:
        belief, info = step(dynamics, belief, cycle, plan, seed, settings)
        yield cycle, belief, info
