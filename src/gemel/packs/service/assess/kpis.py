"""KPIs: figures to steer by, as the log gives them today, each with its interval; and how long a change of them takes to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, norm

from gemel.errors import BadInput
from gemel.packs.service.assess.columns import scores_of
from gemel.packs.service.assess.foresight import Foresight
from gemel.packs.service.assess.losses import WHOLE, repeats_of
from gemel.packs.service.assess.rows import Rows, Unknown
from gemel.packs.service.experience import SURVEYS, experience
from gemel.packs.service.log import Log

SURE = 0.95
WEEK_S = 7 * 86400.0


@dataclass(frozen=True)
class Kpi:
    """A figure to steer by: today's value with its 95 % interval in its unit (`s`, `share`, …); what it means; what is better."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    means: str
    better: str


def kpis_of(
    rows: Rows, promises: Mapping[str, float], costs: np.ndarray | None, foresight: Foresight | Unknown
) -> tuple[Kpi, ...]:
    """Return the figures that this log can give."""
    found = [
        _quantile("Median visit", rows.visit, 0.5, "half of the customers take no longer, from first to last"),
        _quantile("Slow visit", rows.visit, 0.9, "nine of ten customers take no longer, from first to last"),
        *_kept(rows, promises),
        *_flowing(rows),
        *_first_time(rows),
        *_gave_up(rows),
    ]
    if costs is not None:
        each = np.bincount(rows.log.case.codes, weights=costs, minlength=len(rows.log.cases))
        found.append(_mean("Cost per case", each, "money", "what the log says a case costs"))
    if isinstance(foresight, Foresight):
        alarm = foresight.alarms[1]
        means = f"long cases told in time, at {alarm.false / alarm.of_good:.0%} false alarms among the others"
        found.append(_share("Foreseen", alarm.told, alarm.of_long, means, "higher"))
    return (*found, *_felt(rows.log))


def _felt(log: Log) -> list[Kpi]:
    """Return NPS, CSAT and CES where a column bears the name and its numbers are on the scale."""
    columns = {kind: name for kind in SURVEYS for name in scores_of(log) if kind in name.lower()}
    found = []
    for kind, name in columns.items():
        try:
            one = experience(log, {kind: name})[kind]
        except BadInput:  # on another scale: it is no such score
            continue
        found.append(Kpi(kind.upper(), one.value, one.low, one.high, one.unit, f"from column {name}", "higher"))
    return found


def _quantile(name: str, values: np.ndarray, level: float, means: str) -> Kpi:
    """Return a quantile with the interval that order statistics give."""
    ranked, n = np.sort(values), len(values)
    low, high = binom.ppf([(1 - SURE) / 2, (1 + SURE) / 2], n, level).astype(int)
    return Kpi(
        name,
        float(np.quantile(ranked, level)),
        float(ranked[max(low - 1, 0)]),
        float(ranked[min(high, n - 1)]),
        "s",
        means,
        "lower",
    )


def _mean(name: str, values: np.ndarray, unit: str, means: str) -> Kpi:
    middle, error = (
        float(values.mean()),
        1.96 * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0,
    )
    return Kpi(name, middle, middle - error, middle + error, unit, means, "lower")


def _share(name: str, hits: int, of: int, means: str, better: str) -> Kpi:
    low, high = wilson(hits, of)
    return Kpi(name, hits / of, low, high, "share", means, better)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z, p = 1.959964, hits / of
    middle, half = p + z * z / (2 * of), z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return float((middle - half) / (1 + z * z / of)), float((middle + half) / (1 + z * z / of))


def _kept(rows: Rows, promises: Mapping[str, float]) -> list[Kpi]:
    found = []
    for name, promise in promises.items():
        values = (
            rows.visit
            if name == WHOLE
            else rows.measure[1][rows.log.activity.codes == rows.log.activity.names.index(name)]
        )
        told = values[np.isfinite(values)]
        if len(told):
            what = "whole visit" if name == WHOLE else name
            means = f"those who got it within the promised time ({what})"
            found.append(_share(f"Promise kept: {what}", int((told <= promise).sum()), len(told), means, "higher"))
    return found


def _flowing(rows: Rows) -> list[Kpi]:
    """Return which share of a visit is work: only where work is told."""
    if not rows.log.timed or not np.nansum(rows.work) > 0:
        return []
    work = np.bincount(rows.log.case.codes, weights=np.nan_to_num(rows.work), minlength=len(rows.log.cases))
    long = rows.visit > 0
    each = np.minimum(work[long] / rows.visit[long], 1.0)
    return [_quantile_share(each)] if len(each) else []


def _quantile_share(each: np.ndarray) -> Kpi:
    one = _quantile("Time at work", each, 0.5, "share of a visit in which something is done, in the median case")
    return Kpi(one.name, one.value, one.low, one.high, "share", one.means, "higher")


def _first_time(rows: Rows) -> list[Kpi]:
    again = np.unique(rows.log.case.codes[repeats_of(rows)])
    n = len(rows.log.cases)
    return [_share("Right the first time", n - len(again), n, "cases in which no activity was done twice", "higher")]


def _gave_up(rows: Rows) -> list[Kpi]:
    gone = np.unique(rows.log.case.codes[rows.log.abandoned])
    return (
        [_share("Gave up", len(gone), len(rows.log.cases), "cases that left before they were served", "lower")]
        if len(gone)
        else []
    )


@dataclass(frozen=True)
class Trial:
    """How long a comparison of two equal groups takes to show a change of `points` in a share of `base`, with power 80 %."""

    base: float
    points: float
    cases: int
    weeks: float


def trials_of(rows: Rows, base: float, points: tuple[float, ...] = (0.1, 0.05, 0.02)) -> tuple[Trial, ...]:
    """Return the trials: cases in both groups together, weeks at today's arrivals (two-sided 5 %, power 80 %, normal)."""
    spanned = max(float(rows.arrived.max() - rows.arrived.min()), 1.0)
    weekly = len(rows.log.cases) / spanned * WEEK_S
    z = float(norm.ppf(0.975) + norm.ppf(0.8))
    found = []
    for change in points:
        if base - change > 0:
            variance = base * (1 - base) + (base - change) * (1 - base + change)
            cases = 2 * int(np.ceil(z * z * variance / change**2))
            found.append(Trial(base, change, cases, cases / weekly))
    return tuple(found)


@dataclass(frozen=True)
class Half:
    """One half of the cases, by arrival: when, how many a week, their median visit (s) with interval."""

    since: float
    until: float
    cases: int
    weekly: float
    median: float
    low: float
    high: float


def halves_of(rows: Rows) -> tuple[Half, ...]:
    """Return both halves: if they differ, what was learned from the past may not hold."""
    order = np.argsort(rows.arrived, kind="stable")
    return tuple(_half(rows, part) for part in np.array_split(order, 2) if len(part) > 1)


def _half(rows: Rows, part: np.ndarray) -> Half:
    since, until = float(rows.arrived[part].min()), float(rows.arrived[part].max())
    one = _quantile("", rows.visit[part], 0.5, "")
    return Half(since, until, len(part), len(part) / max(until - since, 1.0) * WEEK_S, one.value, one.low, one.high)
