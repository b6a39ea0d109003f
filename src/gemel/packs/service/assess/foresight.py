"""Foresight: how early a case that takes long can be told, with how many false alarms; and how much is noticed only too late.

A case is long if it breaks the promise for the whole visit, or where there is none, if it takes longer than four of five
do. Gradient boosting learns from the first half of the cases, by arrival, after each of their steps; the third quarter
sets the alarm's cutoff at a given share of false alarms; the last quarter is judged. Where the record changes so much that
a part of it holds too few long cases, every fourth case is judged instead, and the result says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from gemel.packs.service.assess.rows import Rows, Unknown, hour_of_week, spoken

DEEPEST = 12
"""Up to which step the forecast is judged."""

ENOUGH = 10
"""So many long cases, and so many others, must be there to judge from."""

FALSE = (0.05, 0.1, 0.2)
"""Shares of false alarms for which the cutoff is set."""

DAY_S = 86400.0
LONG = 0.8

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AtStep:
    """After so many steps: `cases` judged, `long` of them, the area under the ROC curve with its 95 % interval, and the
    median time (s) then left until a long case is late."""

    step: int
    cases: int
    long: int
    auc: float
    low: float
    high: float
    left: float


@dataclass(frozen=True)
class Alarm:
    """At a cutoff meant for a share of false alarms: the share found, of how many; long cases told in time, of how many;
    how long before (s, median)."""

    wanted: float
    false: int
    of_good: int
    told: int
    of_long: int
    lead: float


@dataclass(frozen=True)
class Foresight:
    """How early a long case can be told; `limit` (s) makes it long, `promised` says whether that is a promise.

    `later` says whether the cases judged came after those learned from, as they do in life.
    """

    limit: float
    promised: bool
    later: bool
    learned_from: int
    judged: int
    steps: tuple[AtStep, ...]
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True)
class _Prefixes:
    """Moments at which a case that goes on is looked at (m,): its index, its step, what is known `x` (m, features), elapsed s."""

    case: np.ndarray
    step: np.ndarray
    elapsed: np.ndarray
    x: np.ndarray

    def only(self, rows: np.ndarray) -> _Prefixes:
        return _Prefixes(self.case[rows], self.step[rows], self.elapsed[rows], self.x[rows])


def foresight_of(rows: Rows, promise: float | None, zone: str, tell: Tell) -> Foresight | Unknown:
    """Return how early a long case can be told, or why that cannot be said."""
    if len(rows.log.cases) < 8 * ENOUGH:
        return Unknown(f"{len(rows.log.cases)} cases are too few: at least {8 * ENOUGH} are needed")
    limit = promise if promise is not None else float(np.quantile(rows.visit, LONG))
    long, cut = rows.visit > limit, Cut(limit, promise is not None, True)
    order = np.argsort(rows.arrived, kind="stable")
    order = order[(long | (rows.arrived + limit <= rows.left.max()))[order]]
    found = _judged(rows, cut, long, np.split(order, [len(order) // 2, 3 * len(order) // 4]), zone, tell)
    if isinstance(found, Foresight):
        return found
    turn = np.arange(len(order)) % 4
    return _judged(
        rows, replace(cut, later=False), long, [order[turn < 2], order[turn == 2], order[turn == 3]], zone, tell
    )


@dataclass(frozen=True)
class Cut:
    """What makes a case long, and how the cases were parted (see `Foresight`)."""

    limit: float
    promised: bool
    later: bool


def _judged(
    rows: Rows, cut: Cut, long: np.ndarray, parts: list[np.ndarray], zone: str, tell: Tell
) -> Foresight | Unknown:
    if any(min(long[part].sum(), (~long[part]).sum()) < ENOUGH for part in parts):
        return Unknown(
            f"fewer than {ENOUGH} cases took longer than {spoken(cut.limit)}, or fewer did not, in a part of the record"
        )
    seen = _prefixes(rows, cut.limit, zone)
    learn, tune, judge = (seen.only(np.flatnonzero(np.isin(seen.case, part))) for part in parts)
    if any(len(np.unique(long[one.case])) < 2 for one in (learn, tune, judge)):
        return Unknown("cases are over, or late, after their first step: nothing is left to foresee")
    tell("learning who takes long", 0, 1)
    score = _taught(learn.x, long[learn.case])
    tell("learning who takes long", 1, 1)
    tuned, judged = score(tune.x), score(judge.x)
    steps = [_at_step(judge, judged, long, cut.limit, step) for step in range(1, DEEPEST + 1)]
    cutoffs = [_cutoff(tune, tuned, long, share, parts[1]) for share in FALSE]
    alarms = [
        _alarm(share, at, judge, judged, long, cut.limit, parts[2]) for share, at in zip(FALSE, cutoffs, strict=True)
    ]
    kept = tuple(one for one in steps if one is not None)
    return Foresight(cut.limit, cut.promised, cut.later, len(parts[0]), len(parts[2]), kept, tuple(alarms))


def _prefixes(rows: Rows, limit: float, zone: str) -> _Prefixes:
    """Return what is known after each step but a case's last, as long as the case is not late already."""
    log = rows.log
    order = np.lexsort((np.arange(len(log)), rows.until, log.case.codes))
    case = log.case.codes[order]
    first = np.searchsorted(case, np.arange(len(log.cases)))
    step = np.arange(len(order)) - first[case] + 1
    elapsed = rows.until[order] - rows.arrived[case]
    goes_on = np.append(case[1:] == case[:-1], False) & (elapsed < limit)
    at = rows.until[order]
    gap = np.where(step > 1, at - np.roll(at, 1), elapsed)
    code = log.activity.codes[order]
    came = np.sort(rows.arrived)
    crowd = np.searchsorted(came, at, "right") - np.searchsorted(came, at - DAY_S)
    hours = hour_of_week(at, zone)
    x = np.stack([
        step, elapsed, gap, code, np.where(step > 1, np.roll(code, 1), -1), log.resource.codes[order],
        rows.wait[order], rows.work[order], crowd, hours % 24, hours // 24,
    ], axis=1).astype(float)  # fmt: skip
    return _Prefixes(case, step, elapsed, x).only(np.flatnonzero(goes_on))


def _taught(x: np.ndarray, long: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from what is known (m, features) to how likely the case takes long (m,)."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # loads slowly
    from threadpoolctl import threadpool_limits

    known = np.nan_to_num(x, nan=-1.0)
    varies = np.ptp(known, axis=0) > 0
    model = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=20, early_stopping=False, random_state=0
    )
    with threadpool_limits(1):  # so few rows are done sooner by one thread than shared by several
        model.fit(known[:, varies], long)
    return lambda some: np.asarray(model.predict_proba(np.nan_to_num(some, nan=-1.0)[:, varies])[:, 1])


def _at_step(judge: _Prefixes, score: np.ndarray, long: np.ndarray, limit: float, step: int) -> AtStep | None:
    here = judge.step == step
    is_long = long[judge.case[here]]
    m, n = int(is_long.sum()), int((~is_long).sum())
    if min(m, n) < ENOUGH:
        return None
    auc, error = area(score[here], is_long)
    left = float(np.median((limit - judge.elapsed[here])[is_long]))
    return AtStep(step, m + n, m, auc, max(0.0, auc - 1.96 * error), min(1.0, auc + 1.96 * error), left)


def area(score: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Return the area under the ROC curve and its standard error (Hanley and McNeil 1982).

    doi:10.1148/radiology.143.1.7063747
    """
    m, n = int(positive.sum()), int((~positive).sum())
    auc = float((rankdata(score)[positive].sum() - m * (m + 1) / 2) / (m * n))
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (m - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / (m * n)
    return auc, float(np.sqrt(max(variance, 0.0)))


def _highest(seen: _Prefixes, score: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return the highest score of each case of a part (k,), minus infinity for those never looked at."""
    top = np.full(int(part.max()) + 1, -np.inf)
    np.maximum.at(top, seen.case, score)
    return np.asarray(top[part])


def _cutoff(tune: _Prefixes, score: np.ndarray, long: np.ndarray, share: float, part: np.ndarray) -> float:
    """Return the score above which just *share* of the cases that went well would have been alarmed."""
    good = _highest(tune, score, part)[~long[part]]
    return float(np.quantile(good, 1 - share, method="higher"))


def _alarm(
    wanted: float, cutoff: float, judge: _Prefixes, score: np.ndarray, long: np.ndarray, limit: float, part: np.ndarray
) -> Alarm:
    alarmed = _highest(judge, score, part) > cutoff
    rows = np.flatnonzero((score > cutoff) & long[judge.case])
    _, first = np.unique(judge.case[rows], return_index=True)
    lead = float(np.median(limit - judge.elapsed[rows[first]])) if len(rows) else float("nan")
    is_long = long[part]
    return Alarm(
        wanted,
        int((alarmed & ~is_long).sum()),
        int((~is_long).sum()),
        int((alarmed & is_long).sum()),
        int(is_long.sum()),
        lead,
    )
