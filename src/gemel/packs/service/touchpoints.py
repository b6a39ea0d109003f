"""Touchpoints: activities as customers feel them: when in the journey, how long a wait, what was promised, what was felt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gemel.facts import SECOND
from gemel.packs.service.estimate import Estimate, distinct, mean
from gemel.packs.service.experience import numbers
from gemel.packs.service.log import MISSING, Log

PHASES = ("before", "during", "after")
QUEUE, GAP, STEP = "wait in the queue", "time since the step before", "wait and work together"
"""What the log lets one measure of a delay, best first."""


@dataclass(frozen=True)
class Promise:
    """What customers are promised: waits (s) by touchpoint, what an hour beyond costs there (1 by default), in `money`.

    Where nothing is promised, what is usual there, the median, takes its place, and `told` says so. A column `promise` of
    numbers (s) in the rows of a log goes before both.
    """

    waits: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    money: str = "h"


@dataclass(frozen=True)
class Delays:
    """How long customers waited, per row (n,) in s, NaN where the log does not tell; `measured` names how, per touchpoint."""

    seconds: np.ndarray
    worked: np.ndarray
    measured: tuple[str, ...]


@dataclass(frozen=True)
class Touchpoint:
    """An activity as customers feel it: when, how many, what they waited (median and 90 %, s), were promised, and felt."""

    name: str
    phase: str
    phases: Mapping[str, float]
    visits: int
    customers: int
    gave_up: int
    waited: tuple[float, float]
    worked: tuple[float, float]
    promised: float
    told: bool
    measured: str
    feelings: Mapping[str, Estimate] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """Return the touchpoint as JSON types."""
        own = {name: value for name, value in vars(self).items() if name != "feelings"}
        own |= {"waited": list(self.waited), "worked": list(self.worked), "phases": dict(self.phases)}
        return own | {"feelings": {name: one.body() for name, one in self.feelings.items()}}


def delays(log: Log) -> Delays:
    """Return waits, and how they could be measured: from the queue, from the step before, or mixed with the work."""
    before = _ended_before(log)
    ready = np.where(log.queued != MISSING, log.queued, before)
    began = np.where(log.abandoned | (log.start == MISSING), log.end, log.start)
    told = (ready != MISSING) & (began != MISSING)
    seconds = np.where(told, np.maximum(began - np.where(told, ready, 0), 0) / SECOND, np.nan)
    both = (log.start != MISSING) & (log.end != MISSING)
    worked = np.where(both, (log.end - log.start) / SECOND, np.nan)
    kinds = np.select([(log.start == MISSING) & ~log.abandoned, log.queued == MISSING], [2, 1], 0)
    votes = np.zeros((len(log.activity.names), 3), int)
    np.add.at(votes, (log.activity.codes[told], kinds[told]), 1)
    return Delays(seconds, worked, tuple((QUEUE, GAP, STEP)[i] for i in votes.argmax(axis=1)))


def _ended_before(log: Log) -> np.ndarray:
    """Return for each row (n,) when the last of the case's earlier activities ended, MISSING for none."""
    told = log.end != MISSING
    if not told.any():
        return np.full(len(log), MISSING)
    low = int(log.end[told].min())
    span = int(log.end[told].max()) - low + 2
    lifted = np.where(told, log.end - low + 1, 0) + log.case.codes.astype(np.int64) * span
    last = np.concatenate([[-1], np.maximum.accumulate(lifted)[:-1]]) - log.case.codes.astype(np.int64) * span
    found: np.ndarray = np.where(last > 0, last + low - 1, MISSING)
    return found


def moment_of_truth(log: Log, said: Delays) -> tuple[str, str]:
    """Return the main service and why: of what half the customers pass, the activity with most work in all."""
    customers = _customers(log)
    common = customers >= min(0.5 * len(log.cases), customers.max())
    worked = np.isfinite(said.worked).any() and np.nansum(said.worked) > 0
    spent = np.nan_to_num(said.worked if worked else said.seconds)
    total = np.where(common, np.bincount(log.activity.codes, spent, len(customers)), -1.0)
    best = int(total.argmax())
    what = "most work is done there" if worked else "most time goes by there (the log does not tell work from waiting)"
    return log.activity.names[best], f"of what at least {common[best] and customers[best]:,} customers pass, {what}"


def _customers(log: Log) -> np.ndarray:
    """Return how many cases pass each activity (k,)."""
    k = len(log.activity.names)
    pairs = distinct(log.case.codes.astype(np.int64) * k + log.activity.codes)
    return np.bincount(pairs % k, minlength=k)


def phases(log: Log, truth: int) -> np.ndarray:
    """Return for each row (n,) 0 before the case's first moment of truth, 1 from it to its last, 2 after; -1 without one."""
    at = np.arange(len(log))
    first, last = np.full(len(log.cases), len(log)), np.full(len(log.cases), -1)
    rows = np.flatnonzero(log.activity.codes == truth)
    np.minimum.at(first, log.case.codes[rows], rows)
    np.maximum.at(last, log.case.codes[rows], rows)
    first, last = first[log.case.codes], last[log.case.codes]
    found: np.ndarray = np.select([last < 0, at < first, at > last], [-1, 0, 2], 1)
    return found


def touchpoints(
    log: Log, said: Delays, where: np.ndarray, promise: Promise, feelings: Sequence[str]
) -> tuple[Touchpoint, ...]:
    customers, begun = _customers(log), log.first - log.first[log.bounds()[:-1]][log.case.codes]
    found = []
    for code, name in enumerate(log.activity.names):
        rows = np.flatnonzero(log.activity.codes == code)
        if not len(rows):
            continue
        shares = {phase: float(np.mean(where[rows] == i)) for i, phase in enumerate(PHASES)}
        phase = max(shares, key=lambda one: shares[one])
        felt = {column: _felt(log, rows, column) for column in feelings}
        point = Touchpoint(
            name, phase, shares, len(rows), int(customers[code]), int(log.abandoned[rows].sum()),
            _spread(said.seconds[rows]), _spread(said.worked[rows]), *_promised(log, said, rows, name, promise),
            said.measured[code], felt,
        )  # fmt: skip
        found.append((PHASES.index(phase), float(np.median(begun[rows])), point))
    return tuple(point for _, _, point in sorted(found, key=lambda one: one[:2]))


def _promised(log: Log, said: Delays, rows: np.ndarray, name: str, promise: Promise) -> tuple[float, bool]:
    own = log.attributes.get("promise")
    if isinstance(own, np.ndarray) and np.isfinite(own[rows]).any():
        return float(np.nanmedian(own[rows])), True
    if name in promise.waits:
        return float(promise.waits[name]), True
    return _spread(said.seconds[rows])[0], False


def _spread(values: np.ndarray) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return float("nan"), float("nan")
    middle, most = np.quantile(there, [0.5, 0.9])
    return float(middle), float(most)


def _felt(log: Log, rows: np.ndarray, column: str) -> Estimate:
    """Return what customers who passed there said: of the row, or once for each case."""
    values = numbers(log, column)
    chosen = values[rows] if column in log.attributes else values[distinct(log.case.codes[rows])]
    return mean(column, chosen) if np.isfinite(chosen).any() else Estimate(column, np.nan, np.nan, np.nan, 0)


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    if not np.isfinite(seconds):
        return "unknown"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (1.5 if unit == "d" else 1) * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
