"""Prefixes of cases, what came after each, and the simplest forecast that is worth beating: the median by prefix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from gemel.facts import Time
from gemel.packs.service.log import MISSING, Column, Log

LEVELS = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
"""The probabilities of all quantiles in this folder; the middle is the point forecast, the others bound 50, 80 and 95 %."""

MIDDLE = 3


def told(log: Log) -> np.ndarray:
    """Return for each row when it was known: its end, or else its start, or when it was ready (n,) ms."""
    known = np.where(log.end == MISSING, log.start, log.end)
    return np.where(known == MISSING, log.queued, known)


def in_order(log: Log) -> Log:
    """Return the log with the rows of each case in the order in which they were known."""
    order = np.lexsort((told(log), log.case.codes))
    same = bool((order == np.arange(len(log))).all())
    return log if same else taken(log, order)


def taken(log: Log, order: np.ndarray) -> Log:
    """Return some rows of a log, in the *order* given (cases without a row stay named)."""

    def part(column: Column) -> Column:
        return column[order] if isinstance(column, np.ndarray) else column.take(order)

    return replace(
        log, case=log.case.take(order), activity=log.activity.take(order), resource=log.resource.take(order),
        queued=log.queued[order], start=log.start[order], end=log.end[order], abandoned=log.abandoned[order],
        attributes={name: part(column) for name, column in log.attributes.items()},
    )  # fmt: skip


@dataclass(frozen=True)
class Prefixes:
    """Beginnings of cases, one per row of the arrays (prefix,): `row` in the log of the last event, `length` in events,
    known `at` ms.

    What came of it: seconds that `remained`, the `next` activity (code, -1: none), whether the case was later `lost` to
    impatience, and when it was `over`. `begun` is when its case began.
    """

    log: Log
    row: np.ndarray
    case: np.ndarray
    length: np.ndarray
    at: np.ndarray
    begun: np.ndarray
    over: np.ndarray
    remained: np.ndarray
    next: np.ndarray
    lost: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def last(self) -> np.ndarray:
        """Return the activity of the last event, as a code (prefix,)."""
        found: np.ndarray = self.log.activity.codes[self.row]
        return found

    def only(self, chosen: np.ndarray) -> Prefixes:
        """Return some of them: *chosen* (prefix,) bool or places."""
        arrays = {name: value[chosen] for name, value in vars(self).items() if name != "log"}
        return Prefixes(self.log, **arrays)


def prefixes_of(log: Log, shortest: int = 2, least: int = 3, whole: bool = False) -> Prefixes:
    """Return the prefixes of *shortest* events and more, but one, of cases of *least* events (the protocol of PGTNet,
    doi 10.1007/978-3-031-61057-8_7); *whole* cases too, for live use, where nobody knows that they are."""
    log = in_order(log)
    bounds, at = log.bounds(), told(log)
    count = np.diff(bounds)
    case = log.case.codes.astype(np.int64)
    length = np.arange(len(log)) - bounds[case] + 1
    chosen = np.flatnonzero((length >= shortest) & (count[case] >= least) & (whole | (length < count[case])))
    later = np.minimum(np.arange(len(log)) + 1, len(log) - 1)
    following = np.where(length < count[case], log.activity.codes[later], -1)
    over = at[bounds[1:] - 1]
    lost = np.zeros(len(count), bool)
    np.logical_or.at(lost, case, log.abandoned)
    here = case[chosen]
    return Prefixes(
        log, chosen, here, length[chosen], at[chosen], at[bounds[:-1]][here], over[here],
        (over[here] - at[chosen]) / 1000, following[chosen], lost[here],
    )  # fmt: skip


class Forecasts(Protocol):
    """A way to foresee remaining times: learned in two steps, so that what is not used is not learned."""

    def fit(self, prefixes: Prefixes) -> Forecasts:
        """Learn the median from prefixes whose remaining time is known."""
        ...

    def widen(self, prefixes: Prefixes) -> Forecasts:
        """Learn how far the other quantiles lie from the median."""
        ...

    def as_wide_as(self, other: Any) -> Forecasts:
        """Take that from another of its kind."""
        ...

    def median(self, prefixes: Prefixes) -> np.ndarray:
        """Return the median remaining time in seconds (prefix,)."""
        ...

    def quantiles(self, prefixes: Prefixes) -> np.ndarray:
        """Return the remaining time in seconds at `LEVELS` (prefix, level)."""
        ...


@dataclass
class ByPrefix:
    """Quantiles of the remaining time by prefix length, and by the last activity too where `activity` says so.

    A group of fewer than `few` prefixes takes those of its length, or of all.
    """

    activity: bool = False
    few: int = 5
    _tables: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def fit(self, prefixes: Prefixes) -> ByPrefix:
        """Learn from prefixes whose remaining time is known."""
        self._tables = {(-1, -1): _quantiles(prefixes.remained)}
        for length in np.unique(prefixes.length).tolist():
            same = prefixes.length == length
            self._tables[length, -1] = _quantiles(prefixes.remained[same])
            for last in np.unique(prefixes.last[same]).tolist() if self.activity else ():
                group = prefixes.remained[same & (prefixes.last == last)]
                if len(group) >= self.few:
                    self._tables[length, last] = _quantiles(group)
        return self

    def quantiles(self, prefixes: Prefixes) -> np.ndarray:
        """Return the remaining time in seconds at `LEVELS` (prefix, level)."""
        pairs = zip(prefixes.length.tolist(), prefixes.last.tolist(), strict=True)
        return np.array([self._of(length, last) for length, last in pairs]).reshape(len(prefixes), len(LEVELS))

    def median(self, prefixes: Prefixes) -> np.ndarray:
        """Return the median remaining time in seconds (prefix,)."""
        found: np.ndarray = self.quantiles(prefixes)[:, MIDDLE]
        return found

    def widen(self, prefixes: Prefixes) -> ByPrefix:
        """Return it as it is: its outer quantiles were learned with the median."""
        return self

    def as_wide_as(self, other: Any) -> ByPrefix:
        """Return it as it is."""
        return self

    def _of(self, length: int, last: int) -> np.ndarray:
        tables = self._tables
        return tables.get((length, last), tables.get((length, -1), tables[-1, -1]))


def mean_by_length(train: Prefixes, test: Prefixes) -> np.ndarray:
    """Return the mean remaining time (s) of each prefix length in *train*, for *test* (prefix,): what others report."""
    total = float(train.remained.mean())
    means = {k: float(train.remained[train.length == k].mean()) for k in np.unique(train.length).tolist()}
    return np.array([means.get(k, total) for k in test.length.tolist()])


def begun_by(prefixes: Prefixes, share: float) -> Time:
    """Return when the given share of all cases of the log had begun."""
    begins = np.sort(told(prefixes.log)[prefixes.log.bounds()[:-1]])
    return int(begins[min(int(share * len(begins)), len(begins) - 1)])


def _quantiles(seconds: np.ndarray) -> np.ndarray:
    return np.quantile(seconds, LEVELS) if len(seconds) else np.zeros(len(LEVELS))
