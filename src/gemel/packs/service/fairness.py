"""Fairness: what forecasts and actions are like for each group of customers, and a guard that none pays for another's speed.

Figures by group come from fairlearn's `MetricFrame` (the extra `fairness`); intervals and gaps are ours: groups are compared
in pairs with Bonferroni's correction over pairs and measures, so that the widest gap of many is not taken for more than
chance would make it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtri
from scipy.stats import t as student

from gemel.errors import BadInput, Unavailable
from gemel.packs.service.estimate import LEVEL, Estimate, mean, normal, share

MEASURES: Mapping[str, tuple[str, str]] = {
    "error": ("forecasts are off by", "s"),
    "bias": ("forecasts are too high by", "s"),
    "coverage": ("intervals of forecasts hold the truth in", "share"),
    "wait": ("customers wait", "s"),
    "breach": ("promises are broken for", "share"),
    "action_rate": ("something is done for", "share"),
    "delay": ("help comes after", "s"),
}
FEW = 30
"""Of a group with fewer customers than this little can be said, and that is said."""


@cache
def fairlearn() -> Any:
    """Return fairlearn's metrics, or raise `Unavailable` with what to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import fairlearn.metrics as found
    except ImportError:
        raise Unavailable(
            'an audit by group needs fairlearn: pip install "gemel[fairness]"; without it there is none'
        ) from None
    return found


@dataclass(frozen=True)
class Cases:
    """What is known of customers (n,), NaN where it is not: forecast and truth (s), whether the interval held, wait (s), whether
    the promise was broken, whether something was done, and after how many s."""

    group: Sequence[str] | np.ndarray
    said: np.ndarray | None = None
    truth: np.ndarray | None = None
    covered: np.ndarray | None = None
    wait: np.ndarray | None = None
    breach: np.ndarray | None = None
    acted: np.ndarray | None = None
    delay: np.ndarray | None = None

    def measures(self) -> dict[str, np.ndarray]:
        """Return for each measure that the columns allow one number per customer (n,)."""
        found = {"coverage": self.covered, "wait": self.wait, "breach": self.breach, "action_rate": self.acted}
        found["delay"] = self.delay
        if self.said is not None and self.truth is not None:
            off = np.asarray(self.said, float) - np.asarray(self.truth, float)
            found = {"error": np.abs(off), "bias": off, **found}
        told = {name: np.asarray(values, float) for name, values in found.items() if values is not None}
        for name, values in told.items():
            if len(values) != len(self.group):
                raise BadInput(f"{len(values)} values of {name} are not of {len(self.group)} customers", field=name)
        return told


@dataclass(frozen=True)
class Gap:
    """One measure by group, and the gap between the highest and the lowest; `clear` says that it is beyond chance."""

    measure: str
    groups: Mapping[str, Estimate]
    highest: str
    lowest: str
    gap: Estimate
    clear: bool
    text: str

    def body(self) -> dict[str, Any]:
        """Return the gap as JSON types."""
        own = {name: value for name, value in vars(self).items() if name not in ("groups", "gap")}
        return own | {"groups": {name: one.body() for name, one in self.groups.items()}, "gap": self.gap.body()}


@dataclass(frozen=True)
class Audit:
    """All measures by group; `few` names the groups of which little can be said."""

    gaps: tuple[Gap, ...]
    few: tuple[str, ...]

    def body(self) -> dict[str, Any]:
        """Return the audit as JSON types."""
        return {"gaps": [gap.body() for gap in self.gaps], "few": list(self.few)}

    def __str__(self) -> str:
        few = [f"of {name} there are fewer than {FEW} customers: little can be said of them" for name in self.few]
        return "\n".join([*(gap.text for gap in self.gaps), *few])


def audit(cases: Cases) -> Audit:
    """Return what forecasts and actions are like for each group; raise where there is but one group."""
    group = np.asarray(cases.group).astype(str)
    names, size = np.unique(group, return_counts=True)
    if len(names) < 2:
        raise BadInput(f"an audit compares groups, and there is {len(names)}", field="group")
    measures = cases.measures()
    gaps = tuple(_gap(name, values, group, len(measures)) for name, values in measures.items())
    return Audit(gaps, tuple(names[size < FEW].tolist()))


def _gap(measure: str, values: np.ndarray, group: np.ndarray, measures: int) -> Gap:
    there = np.isfinite(values)
    values, group = values[there], group[there]
    if len(np.unique(group)) < 2:
        raise BadInput(f"{measure} is known of one group alone", field=measure)
    by_group = {str(name): float(value) for name, value in _frame(measure, values, group).by_group[measure].items()}
    parts = {name: values[group == name] for name in by_group}
    estimates = {name: _of_group(measure, part) for name, part in parts.items()}
    high, low, (least, most) = _widest(parts, by_group, measures, MEASURES[measure][1] == "share")
    gap = Estimate("gap", by_group[high] - by_group[low], least, most, len(values), MEASURES[measure][1])
    clear = bool(gap.low > 0)
    return Gap(measure, estimates, high, low, gap, clear, _sentence(measure, by_group, high, low, gap, clear))


def _widest(
    parts: Mapping[str, np.ndarray], level: Mapping[str, float], measures: int, shares: bool
) -> tuple[str, str, tuple[float, float]]:
    """Return the highest and the lowest group and the interval of their gap.

    Where that says nothing, for one of them is small, the pair whose gap is surest takes their place, if it is clear.
    """
    order = sorted(level, key=lambda name: level[name])
    compared = measures * len(order) * (len(order) - 1) / 2
    found = {(high, low): _span(parts[high], parts[low], compared, shares) for low, high in combinations(order, 2)}
    widest = (order[-1], order[0])
    best = widest if found[widest][0] > 0 else max(found, key=lambda pair: found[pair][0])
    pair = best if found[best][0] > 0 else widest
    return *pair, found[pair]


def _span(a: np.ndarray, b: np.ndarray, compared: float, shares: bool) -> tuple[float, float]:
    """Return the interval of the difference of means, one of so many *compared* (Welch, Bonferroni).

    Of shares it is that with a yes and a no more in each group, so that two of two are not taken for all
    (Agresti & Caffo 2000, 10.1080/00031305.2000.10474560).
    """
    if min(len(a), len(b)) < 2:
        return -np.inf, np.inf
    if shares:
        a, b = np.append(a, (0.0, 1.0)), np.append(b, (0.0, 1.0))
    gap = float(a.mean() - b.mean())
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    if parts.sum() == 0:
        return gap, gap
    free = parts.sum() ** 2 / (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum()
    reach = float(student.ppf(1 - (1 - LEVEL) / 2 / compared, free) * np.sqrt(parts.sum()))
    return (max(gap - reach, -1.0), min(gap + reach, 1.0)) if shares else (gap - reach, gap + reach)


def _frame(measure: str, values: np.ndarray, group: np.ndarray) -> Any:
    metrics = fairlearn()
    return metrics.MetricFrame(
        metrics={measure: metrics.mean_prediction}, y_true=np.zeros(len(values)), y_pred=values,
        sensitive_features=group,
    )  # fmt: skip


def _of_group(measure: str, part: np.ndarray) -> Estimate:
    unit = MEASURES[measure][1]
    return share(measure, float(part.sum()), len(part)) if unit == "share" else mean(measure, part, unit)


def spoken(value: float, unit: str) -> str:
    """Return a number as people read it: a share in percent, seconds as such, or in minutes, hours or days if they are many."""
    if unit == "share":
        return f"{value:.1%}"
    size = next((size for size in (86_400, 3600, 60) if abs(value) >= 3 * size and np.isfinite(value)), 1)
    return f"{value / size:.3g} {({86_400: 'd', 3600: 'h', 60: 'min'}).get(size, unit)}"


def _sentence(measure: str, by_group: Mapping[str, float], high: str, low: str, gap: Estimate, clear: bool) -> str:
    what, unit = MEASURES[measure]
    said = partial(spoken, unit=unit)
    beyond = "beyond what chance makes" if clear else "no more than chance may make"
    of, for_ = ("", f" of {high}") if unit == "share" else (f"{high}: ", "")
    other = f"{said(by_group[low])} of {low}" if for_ else f"{low}: {said(by_group[low])}"
    span = f"a gap of {said(gap.value)} ({said(gap.low)} to {said(gap.high)})"
    return f"{of}{what} {said(by_group[high])}{for_}, {other}; {span}, {beyond}"


# nobody pays for another's speed


class Waits(Protocol):
    """What customers of each class wait in runs: seconds waited and visits, each (member, class)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        ...

    @property
    def waited(self) -> np.ndarray:
        """Return the seconds waited (member, class)."""
        ...

    @property
    def visits(self) -> np.ndarray:
        """Return the visits (member, class)."""
        ...


def changes(usual: Waits, acted: Waits) -> dict[str, Estimate]:
    """Return by how much each class's mean wait changes (s) from paired runs: ratios of sums, linearised over members."""
    if usual.classes != acted.classes or usual.waited.shape != acted.waited.shape:
        raise BadInput("these runs are not paired: they have other classes or members")
    found = {}
    for k, name in enumerate(usual.classes):
        before, after = (_each(runs.waited[:, k], runs.visits[:, k]) for runs in (usual, acted))
        if before is not None and after is not None:
            gap, n = after[1] - before[1], len(before[1])
            error = float(gap.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
            found[name] = normal(name, after[0] - before[0], error, n, "s")
    return found


def _each(waited: np.ndarray, visits: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Return the mean wait, and how far each member lies from it in the ratio; None where nobody came."""
    if not visits.sum():
        return None
    level = float(waited.sum() / visits.sum())
    return level, (waited - level * visits) / visits.mean()


SURE = 0.95
"""With which confidence no class may pay more than the bound, unless a service says otherwise."""


def guard(usual: Waits, acted: Waits, bound: float, sure: float = SURE) -> str | None:
    """Return why an action must not be done, or None, by the rule of `harmed` on paired runs."""
    return harmed(changes(usual, acted), bound, sure)


def harmed(found: Mapping[str, Estimate], bound: float, sure: float = SURE) -> str | None:
    """Return why an action with these `changes` (s) must not be done, or None: the one rule of fairness for all who act.

    Refused unless every class is *sure* to wait no more than *bound* s longer: the harmful side of a class's interval, the
    one-sided upper limit of its change of mean wait, must not lie beyond the bound. The risk 1 - *sure* is shared by all classes
    (Bonferroni). So what is harmful is refused, and so is what too few runs tell of.
    """
    z = float(ndtri(1 - (1 - sure) / max(len(found), 1))) / float(ndtri((1 + LEVEL) / 2))
    for name, change in found.items():
        most = change.value + z * (change.high - change.value)
        if most > bound:
            gains = min((one for one in found.values()), key=lambda one: one.value)
            others = f", while {gains.name} waits {-gains.value:.0f} s less" if gains.value < 0 else ""
            return (
                f"{name} would wait {change.value:+.0f} s (up to {most:+.0f} s with {sure:.0%} confidence) longer{others}; "
                f"no class may pay more than {bound:.0f} s for another's speed"
            )
    return None
