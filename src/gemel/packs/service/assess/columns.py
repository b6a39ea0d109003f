"""Columns: what a log tells of whom, how well, what of it is personal, what costs, and which assets say nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gemel.packs.service.log import MISSING, Column, Log, Names

ASSETS = ("equipment", "processes", "technology systems", "customers", "front line", "partners")
"""What a service is made of; the last three are people."""

WORDS = (
    ("equipment", r"machine|device|scanner|equipment|room|bed|vehicle|truck|sensor|asset|product|tool"),
    ("partners", r"supplier|vendor|partner|organi[sz]ation|country|carrier|insurer|contractor|external"),
    (
        "customers",
        r"customer|client|patient|applicant|citizen|age$|gender|sex$|diagnos|segment|score|rating|satisf|nps|csat|"
        r"\bces\b|sentiment|emotion|feedback|complain|effort|loan|amount|birth",
    ),
    (
        "front line",
        (
            r"resource|role|employee|agent|staff|user|clerk|nurse|doctor|team|group|responsib|department|location|call"
            r" cent"
        ),
    ),
    (
        "technology systems",
        r"channel|system|software|application|version|source|queue|status|concept:instance|lifecycle",
    ),
)
"""Words in a column's name that say of which asset it tells; anything else tells of the process."""

PERSONAL = (
    r"customer|client|patient|name$|resource|employee|user|agent|responsib|age$|gender|sex$|diagnos|birth|mail|phone"
)
COST = r"cost|price|fee|expense"
FELT = r"score|rating|satisf|nps|csat|\bces\b|sentiment|emotion|feedback|stars"


@dataclass(frozen=True)
class Field:
    """A column: of which asset it tells, one per `activity` or `case`, how much of it is filled, with how many kinds."""

    name: str
    asset: str
    per: str
    filled: float
    kinds: int | None
    personal: bool


def fields_of(log: Log) -> tuple[Field, ...]:
    """Return all columns, those that every log has first."""
    return (*_own(log), *_given(log))


def _own(log: Log) -> Iterator[Field]:
    yield Field("case", "customers", "case", 1.0, len(log.cases), True)
    yield Field(
        "activity", "processes", "activity", float(np.mean(log.activity.codes >= 0)), len(log.activity.names), False
    )
    yield Field(
        "resource", "front line", "activity", float(np.mean(log.resource.codes >= 0)), len(log.resource.names), True
    )
    for name, times in (("ready since", log.queued), ("begin of work", log.start), ("end of work", log.end)):
        yield Field(name, "processes", "activity", float(np.mean(times != MISSING)), None, False)


def _given(log: Log) -> Iterator[Field]:
    for per, columns in (("activity", log.attributes), ("case", log.about)):
        for name, column in columns.items():
            filled, kinds = _filled(column)
            personal = bool(re.search(PERSONAL, name.lower())) and not re.search(COST, name.lower())
            yield Field(name, asset_of(name), per, filled, kinds, personal)


def asset_of(name: str) -> str:
    """Return of which asset a column of that name tells, judged by the name alone."""
    if re.search(COST, name.lower()):
        return "processes"
    return next((asset for asset, words in WORDS if re.search(words, name.lower())), "processes")


def _filled(column: Column) -> tuple[float, int | None]:
    if isinstance(column, Names):
        return float(np.mean(column.codes >= 0)), len(np.unique(column.codes[column.codes >= 0]))
    return float(np.mean(np.isfinite(column))), None


@dataclass(frozen=True)
class Cost:
    """What the log says things cost, in its own money: by column, in all, per case, and the dearest activities."""

    columns: tuple[str, ...]
    total: float
    per_case: float
    by_activity: tuple[tuple[str, float, float], ...]
    """Activity, its cost in all, and for one time."""


def costs_of(log: Log) -> tuple[np.ndarray, Cost] | None:
    """Return the cost of each row (n,), and their summary; None if no column tells a cost."""
    told = {name: values for name, column in log.attributes.items() if (values := _cost(name, column)) is not None}
    if not told:
        return None
    each = np.nansum(np.stack(list(told.values())), axis=0)
    counts = np.bincount(log.activity.codes, minlength=len(log.activity.names))
    sums = np.bincount(log.activity.codes, weights=each, minlength=len(log.activity.names))
    ranked = [
        (log.activity.names[i], float(sums[i]), float(sums[i] / counts[i])) for i in np.argsort(-sums) if counts[i]
    ]
    return each, Cost(tuple(told), float(each.sum()), float(each.sum() / len(log.cases)), tuple(ranked))


def _cost(name: str, column: Column) -> np.ndarray | None:
    return numbers_of(column) if re.search(COST, name.lower()) else None


def numbers_of(column: Column) -> np.ndarray | None:
    """Return a column as numbers (n,) with NaN where there is none; None if its names are no numbers."""
    if not isinstance(column, Names):
        return column if np.isfinite(column).any() else None
    try:
        values = np.array([*(float(name) for name in column.names), np.nan])
    except ValueError:
        return None
    return np.asarray(values[column.codes])


def felt_of(log: Log) -> tuple[str, ...]:
    """Return the columns that seem to tell what customers felt: scores, ratings, sentiment."""
    return tuple(name for name in (*log.attributes, *log.about) if re.search(FELT, name.lower()))


def scores_of(log: Log) -> tuple[str, ...]:
    """Return those of the columns of `felt_of` that hold numbers."""
    return tuple(name for name in felt_of(log) if _numeric(log.attributes.get(name, log.about.get(name))))


def _numeric(column: Column | None) -> bool:
    return isinstance(column, np.ndarray) and bool(np.isfinite(column).any())


@dataclass(frozen=True)
class Check:
    """Something looked at in the data: what, how many of how many are in doubt, and what follows from it."""

    what: str
    doubtful: int
    of: int
    follows: str


def checks_of(log: Log) -> tuple[Check, ...]:
    """Return what was looked at in the rows as they were read."""
    n, cases, first = len(log), len(log.cases), log.first
    instant = (log.start != MISSING) & (log.end != MISSING) & (log.end == log.start)
    sizes = np.diff(log.bounds())
    tied = (log.case.codes[1:] == log.case.codes[:-1]) & (first[1:] == first[:-1])
    days = np.unique(first // 86_400_000)
    spanned = int(days[-1] - days[0]) + 1
    return (
        Check(
            "activities without a begin of work",
            int((log.start == MISSING).sum()),
            n,
            "waiting and work cannot be told apart there",
        ),
        Check("activities without an end", int((log.end == MISSING).sum()), n, "how long work took is unknown there"),
        Check(
            "activities without a ready time",
            int((log.queued == MISSING).sum()),
            n,
            "a wait is then counted from the end of the step before",
        ),
        Check("activities without a resource", int((log.resource.codes < 0).sum()), n, "workload cannot be told there"),
        Check(
            "activities that took no time at all",
            int(instant.sum()),
            n,
            "a mark of a moment, or work whose length is not recorded",
        ),
        Check("activities at the same moment as the one before", int(tied.sum()), n, "their order is that of the file"),
        Check("cases with a single activity", int((sizes == 1).sum()), cases, "nothing can be foreseen in them"),
        Check(
            "times that are whole minutes",
            int((first % 60_000 == 0).sum()),
            n,
            "times may be rounded: short waits are not seen",
        ),
        Check("days without any activity", spanned - len(days), spanned, "closed, or not recorded"),
    )
