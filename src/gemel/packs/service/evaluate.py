"""How well a twin of a service does its work: lead time, forecasts that came true, failures prevented, speed, likeness.

Every figure bears its interval; the definitions are those of the documentation's page on services, section Evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kstest

from gemel.errors import BadInput
from gemel.packs.service.estimate import Estimate, interval, mean, normal, redrawn, share

Z = 1.959964

# alarms before the event


@dataclass(frozen=True)
class Risks:
    """Risk over time of some units (customers, hours): row i says of `unit[i]` at `at[i]` (s) the risk `risk[i]`.

    `event` (units,) is when what was feared happened, NaN where it did not. Rows at or after it are of no use.
    """

    unit: np.ndarray
    at: np.ndarray
    risk: np.ndarray
    event: np.ndarray


@dataclass(frozen=True)
class Lead:
    """How long before the event the alarm went on for good (median of all events, 0 where it did not), and at what price."""

    threshold: float
    lead: Estimate
    foreseen: Estimate
    false_alarms: Estimate
    precision: Estimate

    def body(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {name: one.body() if isinstance(one, Estimate) else one for name, one in vars(self).items()}


def threshold_for(risks: Risks, false_alarms: float) -> float:
    """Return the lowest threshold at which no more than this share of units without an event is ever alarmed for."""
    quiet = np.isnan(risks.event)
    if not quiet.any():
        raise BadInput("a rate of false alarms needs units in which nothing happened", field="event")
    worst = np.full(len(risks.event), -np.inf)
    np.maximum.at(worst, risks.unit, risks.risk)
    ranked = np.sort(worst[quiet])[::-1]
    allowed = int(np.floor(false_alarms * len(ranked)))
    return float(np.nextafter(ranked[allowed], np.inf)) if allowed < len(ranked) else float(ranked[-1])


def lead_time(risks: Risks, threshold: float, seed: int = 0) -> Lead:
    """Return how early alarms came at a *threshold*, which is best found (`threshold_for`) on another record.

    An alarm counts for an event from when it went on and stayed on; for a unit without one it is false if it ever went on.
    """
    since, ever = _since(risks, threshold)
    happened = np.isfinite(risks.event)
    if not happened.any():
        raise BadInput("a lead time needs events that happened", field="event")
    leads = np.where(np.isfinite(since), risks.event - since, 0.0)[happened]
    many = len(leads)
    again = np.random.default_rng(seed).integers(0, many, (1000, many))
    lead = Estimate("lead_time", float(np.median(leads)), *interval(np.median(leads[again], axis=1)), many, "s")
    right, wrong = int(np.sum(leads > 0)), int(ever[~happened].sum())
    quiet = max(int(np.sum(~happened)), 1)
    alarmed = right + wrong
    precision = (
        share("precision", right, alarmed) if alarmed else Estimate("precision", np.nan, np.nan, np.nan, 0, "share")
    )
    return Lead(
        threshold, lead, share("foreseen", right, many), share("false_alarms", wrong, quiet), precision
    )  # fmt: skip


def _since(risks: Risks, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return per unit since when the alarm is on until its event, NaN if it is not, and whether it ever was on."""
    before = ~(risks.at >= risks.event[risks.unit])
    order = np.lexsort((risks.at, risks.unit))
    order = order[before[order]]
    unit, at, on = risks.unit[order], risks.at[order], risks.risk[order] >= threshold
    ever = np.zeros(len(risks.event), bool)
    np.logical_or.at(ever, unit, on)
    off = np.full(len(risks.event), -1)
    np.maximum.at(off, unit[~on], np.flatnonzero(~on))
    late = np.flatnonzero(on & (np.arange(len(unit)) > off[unit]))
    since = np.full(len(risks.event), np.inf)
    np.minimum.at(since, unit[late], at[late])
    return np.where(np.isfinite(since), since, np.nan), ever


# forecasts that came true


@dataclass(frozen=True)
class Scored:
    """How well stated probabilities came true: `skill` is against always saying the base rate; `bins` tell calibration."""

    precision: Estimate
    recall: Estimate
    brier: Estimate
    skill: float
    bins: tuple[Mapping[str, Any], ...]

    def body(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        figures = {name: getattr(self, name).body() for name in ("precision", "recall", "brier")}
        return figures | {"skill": self.skill, "bins": [dict(one) for one in self.bins]}


def scored(risk: np.ndarray, happened: np.ndarray, threshold: float = 0.5, bins: int = 10) -> Scored:
    """Return how well probabilities (n,) foretold what *happened* (n,) bool."""
    risk, truth = np.asarray(risk, float), np.asarray(happened, float)
    if len(risk) != len(truth) or not len(risk):
        raise BadInput(f"{len(risk)} forecasts cannot be held against {len(truth)} truths")
    said = risk >= threshold
    right = float(np.sum(truth[said]))
    brier, base = mean("brier", (risk - truth) ** 2), float(truth.mean() * (1 - truth.mean()))
    rows = [_bin(risk[rows], truth[rows]) for rows in _binned(risk, bins)]
    return Scored(
        _share("precision", right, int(said.sum())), _share("recall", right, int(truth.sum())), brier,
        1 - brier.value / base if base else float("nan"), tuple(rows),
    )  # fmt: skip


def _share(name: str, hits: float, n: int) -> Estimate:
    return share(name, hits, n) if n else Estimate(name, np.nan, np.nan, np.nan, 0, "share")


def _binned(risk: np.ndarray, bins: int) -> Iterable[np.ndarray]:
    """Yield rows in bins of as many forecasts each; equal forecasts stay together."""
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, risk, side="right")
    return (np.flatnonzero(place == i) for i in np.unique(place))


def _bin(risk: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    came = share("came", float(truth.sum()), len(truth))
    said = float(risk.mean())
    return {
        "said": said,
        "came": came.value,
        "interval95": [came.low, came.high],
        "n": len(truth),
        "holds": came.holds(said),
    }


@dataclass(frozen=True)
class Spread:
    """How well ensembles came true: CRPS, coverage of central intervals by the share they should hold, and uniformity."""

    crps: Estimate
    coverage: Mapping[float, Estimate]
    uniform_p: float

    def body(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        shares = {f"{level:g}": one.body() for level, one in self.coverage.items()}
        return {"crps": self.crps.body(), "coverage": shares, "uniform_p": self.uniform_p}


def ensemble(
    members: np.ndarray, truth: np.ndarray, levels: Sequence[float] = (0.5, 0.8, 0.95), seed: int = 0
) -> Spread:
    """Return how well ensembles (member, n) foretold truth (n,): the fair CRPS of Ferro 2014 (10.1002/qj.2270).

    `uniform_p` is the p-value of Kolmogorov and Smirnov that truth is one more member (ranks with ties broken at random);
    quantiles are Weibull's, which hold one more member as often as they say.
    """
    m, n = members.shape
    ordered = np.sort(members, axis=0)
    weights = (2 * np.arange(1, m + 1) - m - 1)[:, None]
    apart = 2 * (weights * ordered).sum(axis=0) / (m * (m - 1))
    crps = np.abs(members - truth).mean(axis=0) - apart / 2
    held = {}
    for level in levels:
        low, high = np.quantile(members, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
        held[level] = share(f"coverage{level:.0%}", float(np.sum((low <= truth) & (truth <= high))), n)
    rng = np.random.default_rng(seed)
    below, same = (members < truth).sum(axis=0), (members == truth).sum(axis=0)
    ranks = (below + rng.random(n) * (same + 1)) / (m + 1)
    return Spread(mean("crps", crps), held, float(kstest(ranks, "uniform").pvalue))


# failures prevented


def prevented(without: np.ndarray, acted: np.ndarray) -> Estimate:
    """Return how many failures were prevented: the sum over alarms acted on of P(event | no act) - P(event | act).

    *without* and *acted* are (alarm, member), the event (0 or 1) in runs paired by common random numbers. The interval is
    that of the sum for these alarms: it says how exactly the runs tell it, not what other alarms would bring.
    """
    if without.shape != acted.shape or without.ndim != 2 or without.shape[1] < 2:
        raise BadInput(f"runs of shape {without.shape} and {acted.shape} are no pairs of (alarm, member)")
    gain = without.astype(float) - acted.astype(float)
    error = float(np.sqrt(np.sum(gain.var(axis=1, ddof=1)) / gain.shape[1]))
    return normal("prevented", float(gain.mean(axis=1).sum()), error, len(gain), "failures")


@dataclass(frozen=True)
class Agreement:
    """What paired runs say beside what a randomised hold-out says; `agrees` unless their difference excludes zero."""

    predicted: Estimate
    measured: Estimate
    difference: Estimate
    agrees: bool

    def body(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {name: one.body() if isinstance(one, Estimate) else one for name, one in vars(self).items()}


def held_out(predicted: Estimate, acted: np.ndarray, happened: np.ndarray) -> Agreement:
    """Return whether the hold-out agrees: alarms (n,) that were acted on or, at random, were not, and what happened.

    The failures prevented among those acted on are the difference of the two shares times their number.
    """
    acted, happened = np.asarray(acted, bool), np.asarray(happened, float)
    groups = happened[~acted], happened[acted]
    if min(map(len, groups)) < 2:
        raise BadInput(
            f"the hold-out has {len(groups[0])} and the rest {len(groups[1])}: at least two of each are needed"
        )
    n = len(groups[1])
    error = n * float(np.sqrt(sum(group.var(ddof=1) / len(group) for group in groups)))
    measured = normal("measured", n * float(groups[0].mean() - groups[1].mean()), error, len(acted), "failures")
    both = float(np.hypot(error, (predicted.high - predicted.low) / (2 * Z)))
    gap = normal("difference", predicted.value - measured.value, both, len(acted), "failures")
    return Agreement(predicted, measured, gap, gap.holds(0.0))


def paired(name: str, with_: np.ndarray, without: np.ndarray, unit: str = "") -> Estimate:
    """Return the mean paired difference over runs or days (n,), such as breaches with the twin and without it."""
    return mean(name, np.asarray(with_, float) - np.asarray(without, float), unit)


# how alike


@dataclass(frozen=True)
class Fidelity:
    """How far a twin is from its asset by one measure, and how far two halves of the asset's own record are."""

    measure: str
    distance: float
    floor: float

    @property
    def ratio(self) -> float:
        """Return how many times the floor the distance is; 1 is as alike as the asset is to itself."""
        return self.distance / self.floor if self.floor else float("inf")

    def __str__(self) -> str:
        return f"{self.measure}: {self.distance:.3g}, {self.ratio:.1f} × the floor of {self.floor:.3g}"


def fidelity(distances: Mapping[str, float], floors: Mapping[str, float]) -> tuple[Fidelity, ...]:
    """Return the likeness by every measure that has a floor, worst first."""
    missing = sorted(set(distances) - set(floors))
    if missing:
        raise BadInput(f"there is no floor for {', '.join(missing)}: what two halves of the record differ by")
    found = (Fidelity(name, float(value), float(floors[name])) for name, value in distances.items())
    return tuple(sorted(found, key=lambda one: -one.ratio))


def skill(error: np.ndarray, baseline: np.ndarray, seed: int = 0) -> Estimate:
    """Return by what share errors (n,) are smaller than those of a baseline on the same points, by drawing points again."""
    totals = redrawn(np.stack([np.abs(error), np.abs(baseline)], axis=1), seed)
    value = 1 - float(np.abs(error).sum() / np.abs(baseline).sum())
    return Estimate("skill", value, *interval(1 - totals[:, 0] / totals[:, 1]), len(error), "share")
