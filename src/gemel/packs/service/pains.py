"""Pain points: touchpoints ranked by how many customers × how much worse than promised × what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from gemel.facts import HOUR, SECOND
from gemel.packs.service.estimate import LEVEL, Estimate, blocks, distinct, interval, redrawn
from gemel.packs.service.experience import numbers
from gemel.packs.service.log import Log
from gemel.packs.service.touchpoints import STEP, Delays, Promise, Touchpoint, span


@dataclass(frozen=True)
class Pain:
    """What hurts: customers × mean excess over the promise × cost = score; ranks that cannot be told apart overlap."""

    touchpoint: str
    phase: str
    rank: int
    ranks: tuple[int, int]
    customers: Estimate
    excess: Estimate
    score: Estimate
    share: float
    felt: Mapping[str, Estimate]
    text: str

    def body(self) -> dict[str, Any]:
        """Return the pain point as JSON types."""
        return {
            "touchpoint": self.touchpoint, "phase": self.phase, "rank": self.rank, "ranks": list(self.ranks),
            "customers": self.customers.body(), "excess_s": self.excess.body(), "score": self.score.body(),
            "share": self.share, "felt": {name: one.body() for name, one in self.felt.items()}, "text": self.text,
        }  # fmt: skip


def pains(
    log: Log, said: Delays, points: Sequence[Touchpoint], promise: Promise, feelings: Sequence[str], seed: int
) -> tuple[Pain, ...]:
    place = {name: i for i, name in enumerate(log.activity.names)}
    k = len(place)
    excess = _excess(log, said, {place[point.name]: point.promised for point in points})
    late = np.flatnonzero(excess > 0)
    block = blocks(len(log.cases), seed)
    cell = block[log.case.codes[late]] * k + log.activity.codes[late]
    pairs = distinct(log.case.codes[late].astype(np.int64) * k + log.activity.codes[late])
    size = (int(block.max()) + 1) * k
    hours = np.bincount(cell, excess[late], size).reshape(-1, k) / (HOUR / SECOND)
    people = np.bincount(block[pairs // k] * k + pairs % k, minlength=size).reshape(-1, k).astype(float)
    draws = redrawn(np.concatenate([hours, people], axis=1), seed)
    cost = np.array([promise.cost.get(name, 1.0) for name in place])
    totals = (hours.sum(axis=0), people.sum(axis=0))
    scored = [point for point in points if totals[1][place[point.name]] > 0]
    codes = np.array([place[point.name] for point in scored], int)
    worth, drawn = (totals[0] * cost)[codes], (draws[:, :k] * cost)[:, codes]
    ranks = _ranks(drawn)
    pained = {code: pairs[pairs % k == code] // k for code in codes.tolist()}
    found = []
    for rank, i in enumerate(np.argsort(-worth, kind="stable").tolist(), 1):
        code, point, n = codes[i], scored[i], len(log.cases)
        customers = Estimate("customers", float(totals[1][code]), *interval(draws[:, k + code]), n, "customers")
        with np.errstate(invalid="ignore", divide="ignore"):
            each = draws[:, code] / draws[:, k + code] * 3600
        over = Estimate("excess", float(totals[0][code] / totals[1][code] * 3600), *interval(each), n, "s")
        score = Estimate("score", float(worth[i]), *interval(drawn[:, i]), n, promise.money)
        felt = {column: _difference(log, column, code, pained[code]) for column in feelings}
        share = float(worth[i] / worth.sum())
        text = _sentence(point, customers, over, score, share, felt)
        found.append(Pain(point.name, point.phase, rank, ranks[i], customers, over, score, share, felt, text))
    return tuple(found)


def _excess(log: Log, said: Delays, promised: Mapping[int, float]) -> np.ndarray:
    """Return by how much each row (n,) waited longer than promised, s; 0 where it is not told."""
    own = log.attributes.get("promise")
    usual = np.full(len(log.activity.names), np.nan)
    usual[list(promised)] = list(promised.values())
    limit = usual[log.activity.codes]
    if isinstance(own, np.ndarray):
        limit = np.where(np.isfinite(own), own, limit)
    found: np.ndarray = np.nan_to_num(np.maximum(said.seconds - limit, 0.0))
    return found


def _ranks(drawn: np.ndarray) -> list[tuple[int, int]]:
    """Return between which ranks each touchpoint lies in 95 % of the draws (draws, k)."""
    if not drawn.size:
        return []
    ranks = (-drawn).argsort(axis=1, kind="stable").argsort(axis=1) + 1
    low, high = np.quantile(ranks, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="nearest")
    return [(int(a), int(b)) for a, b in zip(low, high, strict=True)]


def _difference(log: Log, column: str, code: int, pained: np.ndarray) -> Estimate:
    """Return by how much those who waited too long there felt other than those who did not (Welch's interval)."""
    values = numbers(log, column)
    hurt = np.zeros(len(log.cases), bool)
    hurt[pained] = True
    rows = np.flatnonzero(log.activity.codes == code)
    passed = log.case.codes[rows] if column in log.attributes else distinct(log.case.codes[rows])
    said = values[rows] if column in log.attributes else values[passed]
    told = np.isfinite(said)
    return _welch(column, said[told & hurt[passed]], said[told & ~hurt[passed]])


def _welch(name: str, a: np.ndarray, b: np.ndarray) -> Estimate:
    if len(a) < 2 or len(b) < 2:
        return Estimate(name, np.nan, np.nan, np.nan, len(a) + len(b))
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    gap, n = float(a.mean() - b.mean()), len(a) + len(b)
    if va + vb == 0:
        return Estimate(name, gap, gap, gap, n)
    free = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    reach = float(student.ppf((1 + LEVEL) / 2, free) * np.sqrt(va + vb))
    return Estimate(name, gap, gap - reach, gap + reach, n)


def _sentence(
    point: Touchpoint, customers: Estimate, over: Estimate, score: Estimate, share: float, felt: Mapping[str, Estimate]
) -> str:
    than = "promised" if point.told else "usual there"
    worth = f"{_much(score.value)} {score.unit} ({_much(score.low)} to {_much(score.high)})"
    waited, wait = ("waited", "waiting") if point.measured != STEP else ("were there", "waiting and work")
    what = f" of {wait} beyond that" if score.unit == "h" else ""
    text = (
        f"{point.name}: {customers.value:,.0f} of {point.customers:,} customers {waited} longer than {than} "
        f"({span(point.promised)}), by {span(over.value)} on average; that is {worth}{what}, {share:.0%} of all"
    )
    clear = [one for one in felt.values() if np.isfinite(one.low) and not one.holds(0.0)]
    return "; ".join([text, *(f"{one.name} is {one.value:+.2g} where that happens" for one in clear)])


def _much(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
