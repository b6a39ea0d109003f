"""Cohorts: many twins asked together; only aggregates come out, of a group that is large enough, with noise, at a price.

One function, `release`, decides on every answer, whatever is asked. A member is counted if a grant of `study` for the
purpose is open, on the field that is asked about; others are left out of everything. What one member adds to an answer is
one number, between bounds that are known beforehand: the type's range of the signal, or that of the metric.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.bank import noise
from gemel.bank.budget import priced
from gemel.bank.query import ACTOR, ANY, Query
from gemel.bank.search import Asked, Finder
from gemel.bank.statistics import SUMMARISED, part_of, parts_in
from gemel.errors import BadInput, Refused, unknown
from gemel.facts import Time
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

MINIMUM = 5
"""Members other than the asker's own below which nothing is answered; an asker may raise it for themselves."""

STATISTICS = ("count", "mean", "share", "quantiles", "histogram", "rows")


@dataclass(frozen=True)
class Question:
    """What is asked of the members: a statistic of a signal's mean, or of a metric, over `since <= at < until`.

    `count`: members with a reading. `mean` of them all. `share` of them above *above*. `quantiles` at *levels*.
    `histogram` between *edges*. `rows`: one number each, which needs a grant to read of every one. *bounds* are for a
    metric whose range does not follow from its unit, or to have less noise; what lies beyond is taken to lie on them.
    """

    statistic: str
    field: str
    since: Time | None = None
    until: Time | None = None
    above: float | None = None
    levels: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    epsilon: float = 0.5

    def __post_init__(self) -> None:
        if self.statistic not in STATISTICS:
            raise unknown("statistic", self.statistic, STATISTICS)
        priced(self.epsilon)
        if (self.statistic == "share") != (self.above is not None):
            raise BadInput("a share is asked of what lies above a number, and nothing else is", field="above")
        if (self.statistic == "quantiles") != bool(self.levels) or not all(0 < level < 1 for level in self.levels):
            raise BadInput("quantiles are asked at levels between 0 and 1, and nothing else is", field="levels")
        increasing = len(self.edges) > 1 and all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
        if (self.statistic == "histogram") != bool(self.edges) or (self.edges and not increasing):
            raise BadInput(
                "a histogram has two edges at least, in increasing order, and nothing else has", field="edges"
            )

    def body(self) -> dict[str, Any]:
        """Return what was asked as JSON types, what was left out left out."""
        held = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self).items()}
        return {name: value for name, value in held.items() if value not in (None, []) and name != "epsilon"}


@dataclass(frozen=True)
class Answer:
    """What came out: *value* is None where it was held back, for the *reason*; *left* is what remains of the budget.

    *mechanism* says which noise was added, so that a reader can tell an effect from it.
    """

    statistic: str
    unit: str
    value: Any = None
    reason: str = ""
    epsilon: float = 0.0
    mechanism: str = ""
    left: float = 0.0

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return dict(vars(self))


@dataclass(frozen=True)
class Cohort:
    """A group of twins, in the eyes of one asker: of one type, by relation or name; never by what is so of them."""

    bank: Bank
    query: Query
    by: str
    purpose: str
    names: tuple[str, ...] | None = None
    minimum: int = MINIMUM

    def __post_init__(self) -> None:
        if self.minimum < MINIMUM:
            raise BadInput(f"a group of {self.minimum} is too small; the least is {MINIMUM}", field="minimum")
        _framed(self.query)
        if self.query.steps[0].type not in self.bank.types:
            raise unknown("twin type", self.query.steps[0].type, self.bank.types)

    @property
    def type(self) -> TwinType:
        """Return the type of all members."""
        return self.bank.types[self.query.steps[0].type]

    def ask(self, question: Question) -> Answer:
        """Return the answer; raise `Refused` where the budget is spent or, for rows, a grant is missing."""
        return release(self, question)


def _framed(query: Query) -> None:
    """Whose value passes a condition must not decide who is counted without noise: a share is asked for instead."""
    named = {condition.name for step in query.steps for condition in step.where} - {"id"}
    if named:
        what = ", ".join(sorted(named))
        raise BadInput(f"a cohort is chosen by type, id and relation, not by {what}; ask for a share above a number")
    if query.steps[0].type in (ANY, ACTOR):
        raise BadInput("a cohort is of twins of one type, such as 'person part_of ward'")


def release(cohort: Cohort, question: Question) -> Answer:
    """Decide on every answer about a cohort, and give it.

    Rows go out where every member may be read, each on its own grant. Of anything else: who may be studied is counted; the
    price is paid, whatever comes out; a group that is too small is not answered about; the rest goes through noise.
    """
    bank, rows, measure = cohort.bank, question.statistic == "rows", _measure(cohort.type, question)
    verb, names = ("read" if rows else "study"), _frame(cohort, "study", *(["read"] if rows else []))
    decided = {name: bank.gate.decide(cohort.by, verb, name, measure.signal, cohort.purpose) for name in names}
    admitted = [name for name in names if decided[name].allowed]
    if rows and (not names or len(admitted) < len(names)):
        raise Refused("rows of single twins go only to those who may read every one of them; ask for an aggregate")
    left = bank.budgets.of(cohort.by).left if rows else _paid(cohort, question)
    if not rows and sum(not bank.holds(cohort.by, name) for name in admitted) < cohort.minimum:
        return Answer(question.statistic, measure.unit, None, _too_small(cohort), question.epsilon, left=left)
    decisions = [(name, measure.signal, decided[name]) for name in admitted]
    bank.gate.record(cohort.by, verb, cohort.purpose, decisions)
    values = measure.values(bank, admitted, question)
    if rows:
        return Answer("rows", measure.unit, values, left=left)
    value, mechanism = NOISY[question.statistic](list(values.values()), question, measure)
    reason = NOTHING if value is None else ""
    return Answer(question.statistic, measure.unit, value, reason, question.epsilon, mechanism, left)


NOTHING = "held back: with the noise there is nothing to divide by; a larger group or epsilon may tell more"


def _too_small(cohort: Cohort) -> str:
    return (
        f"held back: fewer than {cohort.minimum} members, besides those that {cohort.by} holds, may be studied for"
        f" {cohort.purpose}"
    )


def _frame(cohort: Cohort, *verbs: str) -> list[str]:
    """Return the twins that type, relations and names choose, for one of some verbs; who is counted is for the gate."""
    found: dict[str, None] = {}
    for verb in verbs:
        finder = Finder(cohort.bank, Asked(cohort.query, cohort.by, cohort.purpose, verb=verb))
        names = finder.find(None) if cohort.names is None else filter(finder.takes, cohort.names)
        found |= dict.fromkeys(names)
    return list(found)


def _paid(cohort: Cohort, question: Question) -> float:
    """Take the price, before anything is read, and return what is left; keep no names: a subject may be erased."""
    noise.opendp()
    body = {
        "purpose": cohort.purpose,
        "cohort": str(cohort.query),
        "minimum": cohort.minimum,
        "question": question.body(),
    }
    if cohort.names is not None:
        digest = hashlib.sha256("|".join(sorted(cohort.names)).encode()).hexdigest()[:16]
        body["names"] = f"{len(cohort.names)}, sha256 {digest}"
    bank = cohort.bank
    return bank.budgets.spend(cohort.by, question.epsilon, body, bank.now()).left


# one number for each member


@dataclass(frozen=True)
class Measure:
    """How a member becomes one number, from readings of *signal*, between *low* and *high*."""

    signal: str
    unit: str
    low: float
    high: float
    of: Any = field(repr=False)

    def values(self, bank: Bank, names: Iterable[str], question: Question) -> dict[str, float]:
        """Return one number for each member that has readings in the time asked about."""
        found = {}
        for name in names:
            read = _readings(bank, name, self.signal, question)
            value = float(self.of(np.array(read))) if read else np.nan
            if np.isfinite(value):
                found[name] = min(max(value, self.low), self.high)
        return found

    def scaled(self, value: float) -> float:
        """Return where a value lies between low (0) and high (1)."""
        return (value - self.low) / (self.high - self.low)

    def back(self, part: float) -> float:
        """Return the value that lies there."""
        return self.low + part * (self.high - self.low)


def _measure(twin_type: TwinType, question: Question) -> Measure:
    asked, signals, metrics = question.field, twin_type.signals, twin_type.metrics
    if asked in signals:
        port, unit, of = signals[asked], signals[asked].unit, np.mean
        return Measure(asked, unit, *_bounds(question, unit, (port.low, port.high)), of)
    if asked not in metrics:
        raise unknown("signal or metric", asked, [*signals, *metrics])
    metric = metrics[asked]
    port = signals[metric.signal]
    known = {"fraction": (0.0, 1.0), port.unit: (port.low, port.high)}.get(metric.unit)
    return Measure(metric.signal, metric.unit, *_bounds(question, metric.unit, known), metric.of)


def _bounds(question: Question, unit: str, known: tuple[float, float] | None) -> tuple[float, float]:
    """Return between which numbers a member's own is taken to lie: what was asked, or else what is known of all."""
    found = question.bounds or known
    if found is None or not (np.isfinite(found).all() and found[0] < found[1]):
        raise BadInput(
            f"{question.field} in {unit or 'no unit'} has no range of its own; say its bounds", field="bounds"
        )
    return found


def _readings(bank: Bank, name: str, signal: str, question: Question) -> list[float]:
    """Return a member's readings in the time asked about, in order; thinned ones as so many readings of their mean."""
    withdrawn = {str(fact.body["key"]) for fact in bank.thread.read(name, kinds=["retracted/1"])}
    raw = bank.thread.read(name, kinds=["observed/1"], true_from=question.since, true_until=question.until)
    parts = [part_of(fact) for fact in raw if fact.body["name"] == signal]
    thinned = [fact for fact in bank.thread.read(name, kinds=[SUMMARISED]) if fact.body["name"] == signal]
    parts += [
        part for fact in thinned for part in parts_in(fact)
        if (question.since is None or part.first_at >= question.since)
        and (question.until is None or part.first_at < question.until)
    ]  # fmt: skip
    found = sorted((part.first_at, part.mean, part.n) for part in parts if part.key not in withdrawn)
    return [value for _, value, n in found for _ in range(n)]


# with noise


def _count(values: Sequence[float], question: Question, measure: Measure) -> tuple[Any, str]:
    return max(noise.counts([len(values)], question.epsilon)[0], 0), f"discrete Laplace, scale {1 / question.epsilon:g}"


def _mean(values: Sequence[float], question: Question, measure: Measure) -> tuple[Any, str]:
    """Return the noisy sum of distances from the middle of the range, over the noisy count; each for half the price."""
    half = question.epsilon / 2
    how = f"discrete Laplace, of the sum with scale {(measure.high - measure.low) / 2 / half:g}, of the count with {1 / half:g}"
    count = noise.counts([len(values)], half)[0]
    away = noise.total([2 * measure.scaled(value) - 1 for value in values], half)
    return (None if count < 1 else measure.back((min(max(away / count, -1.0), 1.0) + 1) / 2)), how


def _share(values: Sequence[float], question: Question, measure: Measure) -> tuple[Any, str]:
    """Return the noisy count above over both noisy counts: nobody is in both, so that each has the whole price."""
    above = sum(value > (question.above or 0.0) for value in values)
    high, low = (max(n, 0) for n in noise.counts([above, len(values) - above], question.epsilon))
    how = f"discrete Laplace, of both counts with scale {1 / question.epsilon:g}"
    return (None if high + low < 1 else high / (high + low)), how


def _quantiles(values: Sequence[float], question: Question, measure: Measure) -> tuple[Any, str]:
    each, parts = question.epsilon / len(question.levels), [measure.scaled(value) for value in values]
    found = [noise.quantile(parts, level, each) for level in question.levels]
    how = f"exponential mechanism over {noise.GRID + 1} values of the range, epsilon {each:g} each"
    return {str(level): measure.back(part) for level, part in zip(question.levels, found, strict=True)}, how


def _histogram(values: Sequence[float], question: Question, measure: Measure) -> tuple[Any, str]:
    exact = np.histogram(np.array(values), np.array([-np.inf, *question.edges[1:-1], np.inf]))[0]
    found = [max(n, 0) for n in noise.counts([int(n) for n in exact], question.epsilon)]
    return {
        "edges": list(question.edges),
        "counts": found,
    }, f"discrete Laplace, of each count with scale {1 / question.epsilon:g}"


NOISY = {"count": _count, "mean": _mean, "share": _share, "quantiles": _quantiles, "histogram": _histogram}
