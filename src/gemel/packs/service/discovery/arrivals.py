"""Arrivals: how customers come: by the hours of the week, at random or evenly, whichever foretells held-out weeks best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from scipy.stats import gamma

from gemel.facts import Time
from gemel.packs.service.discovery.evidence import Evidence
from gemel.packs.service.discovery.week import Week, open_hours
from gemel.process.calendar import WEEK_HOURS, Arrivals

FOLDS, EVEN, STRANGE, SHRUNK = 4, 0.02, 1e-3, 3.0
"""Spans held out in turn; cv below which gaps are equal; share of the mean rate at which the impossible is scored; hours'
worth of arrivals that the product of day and hour counts for."""

SURE_CLOSED = 12.0
"""Expected arrivals on a local day without any that make it a closed day."""


@dataclass(frozen=True)
class Came:
    """How customers come, the sd of the log of their rate, and the name of the shape that won."""

    arrivals: Arrivals
    sd: float
    shape: str


def arrivals_of(evidence: Evidence, at: np.ndarray, zone: str, who: str) -> Came:
    """Return how customers come, given moments *at* (n,) ms in order."""
    span = (int(at[0]), int(at[-1]) + 1)
    week = Week.of(*span, zone)
    if len(at) < 2 * FOLDS:
        evidence.unknown(f"arrivals of {who}", f"only {len(at)} came: taken as a steady rate")
        rates = _steady(week, at)
        return Came(Arrivals(tuple(rates.tolist()), zone), 1 / np.sqrt(len(at)), "steady")
    if week.short:
        evidence.unknown(f"arrivals of {who}", "the log is shorter than 8 days: all weekdays are taken as alike")
    scores = {name: _held_out(shape, at, span, zone) for name, shape in SHAPES.items()}
    best = max(scores, key=scores.__getitem__)
    shown = at - 1 if best in ENDING else at
    rates = SHAPES[best](week, at)
    cv = _cv(_clock(week, rates, shown))
    closed = _closed(week, rates, shown)
    rates = rates * _reopened(week, rates, closed)
    rates = rates / max(float(np.diff(_clock(week, rates, shown)).mean()), 1e-9) if not closed else rates
    sd = _spread(week, rates, shown)
    evidence.seen(
        f"arrivals of {who}", f"{best}; cv of gaps on the open clock {cv:.2f}; rate known to ±{1.645 * sd:.0%}"
    )
    found = Arrivals(tuple(rates.tolist()), zone, closed, 0.0 if cv < EVEN else float(min(cv, 5.0)))
    return Came(found, sd, best)


def _steady(week: Week, at: np.ndarray) -> np.ndarray:
    return np.full(WEEK_HOURS, len(at) / max(week.lasted().sum(), 1 / 60))


def _open(week: Week, at: np.ndarray) -> np.ndarray:
    counts, lasted = week.counts(at), week.lasted()
    hours = open_hours(counts)
    return np.where(hours, counts[hours].sum() / max(lasted[hours].sum(), 1 / 60), 0.0)


def _open_ending(week: Week, at: np.ndarray) -> np.ndarray:
    """Moments on the hour belong to the hour that ends."""
    return _open(week, at - 1)


def _product(week: Week, at: np.ndarray) -> np.ndarray:
    """Rate of the hour of the day times that of the day."""
    counts, lasted = (table.reshape(7, 24) for table in (week.counts(at), week.lasted()))
    day = counts.sum(1) / np.maximum(lasted.sum(1), 1e-9)
    hour = counts.sum(0) / np.maximum((lasted * day[:, None]).sum(0), 1e-9)
    found: np.ndarray = (day[:, None] * hour[None, :]).reshape(-1)
    return found


def _each(week: Week, at: np.ndarray) -> np.ndarray:
    """Each hour of the week by itself, drawn towards the product."""
    product, counts, lasted = _product(week, at), week.counts(at), week.lasted()
    found: np.ndarray = (counts + SHRUNK * product) / (lasted + SHRUNK)
    return found


SHAPES: Mapping[str, Callable[[Week, np.ndarray], np.ndarray]] = {
    "steady day and night": _steady, "one rate in open hours": _open, "one rate in open hours, hours closed at their end":
    _open_ending, "by hour of the day and by weekday": _product, "by each hour of the week": _each,
}  # fmt: skip
ENDING = ("one rate in open hours, hours closed at their end",)


def _held_out(
    shape: Callable[[Week, np.ndarray], np.ndarray], at: np.ndarray, span: tuple[Time, Time], zone: str
) -> float:
    """Return the log-likelihood of each part of the span given the rest."""
    edges = np.linspace(span[0], span[1], FOLDS + 1).astype(np.int64)
    total, week = 0.0, Week.of(*span, zone)
    for since, until in pairwise(edges.tolist()):
        inside = (at >= since) & (at < until)
        rates = _fitted_without(shape, week, at, (since, until), zone)
        total += _likelihood(week, rates, at, inside, shape is _open_ending)
    return total


def _fitted_without(
    shape: Callable[[Week, np.ndarray], np.ndarray], week: Week, at: np.ndarray, out: tuple[Time, Time], zone: str
) -> np.ndarray:
    kept = (week.edges < out[0]) | (week.edges >= out[1])
    lengths = np.diff(week.edges, append=week.until)
    rest = _Part(week.edges, week.hour, week.until, zone, np.where(kept, lengths, 0) / 3.6e6)
    return shape(rest, at[(at < out[0]) | (at >= out[1])])


@dataclass(frozen=True)
class _Part(Week):
    """The hours of a span of which only some count."""

    kept: np.ndarray

    def lasted(self) -> np.ndarray:
        return self.tally(self.hour, self.kept)


def _likelihood(week: Week, rates: np.ndarray, at: np.ndarray, inside: np.ndarray, ending: bool) -> float:
    floor = np.maximum(rates, STRANGE * rates.mean())
    shown = at - 1 if ending else at
    clock = _clock(week, floor, shown)
    outside = np.diff(clock)[~inside[1:]]
    cv = max(_cv_of(outside), EVEN) if len(outside) > 2 else 1.0
    gaps = np.maximum(np.diff(clock)[inside[1:]], 1e-6)
    shape = cv**-2
    mean = max(float(outside.mean()), 1e-9) if len(outside) else 1.0
    density = gamma.logpdf(gaps, shape, scale=mean / shape)
    return float(np.sum(density) + np.sum(np.log(floor[week.of_week(shown[1:][inside[1:]])])))


def _clock(week: Week, rates: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return how many should have come by moments (n,)."""
    per_ms = rates[week.hour] / 3.6e6
    passed = np.concatenate([[0.0], np.cumsum(per_ms * np.diff(week.edges, append=week.until))])
    place = week.place(at)
    found: np.ndarray = passed[place] + per_ms[place] * (at - week.edges[place])
    return found


def _cv(clock: np.ndarray) -> float:
    return _cv_of(np.diff(clock))


def _cv_of(gaps: np.ndarray) -> float:
    mean = float(gaps.mean())
    return float(gaps.std() / mean) if mean > 0 else 1.0


def _days(week: Week) -> list[str]:
    zone = ZoneInfo(week.zone)
    return [datetime.fromtimestamp(edge / 1000, zone).date().isoformat() for edge in week.edges.tolist()]


def _closed(week: Week, rates: np.ndarray, at: np.ndarray) -> tuple[str, ...]:
    """Return the local days on which many should have come and nobody did."""
    days = _days(week)
    names, place = np.unique(days, return_inverse=True)
    expected = np.bincount(place, rates[week.hour] * np.diff(week.edges, append=week.until) / 3.6e6)
    came = np.bincount(place[week.place(at)], minlength=len(names))
    return tuple(str(name) for name, e, c in zip(names, expected, came, strict=True) if c == 0 and e >= SURE_CLOSED)


def _reopened(week: Week, rates: np.ndarray, closed: tuple[str, ...]) -> float:
    """Return by how much rates are higher when closed days are not counted."""
    if not closed:
        return 1.0
    mass = rates[week.hour] * np.diff(week.edges, append=week.until)
    shut = np.isin(_days(week), closed)
    return float(mass.sum() / mass[~shut].sum())


def _spread(week: Week, rates: np.ndarray, at: np.ndarray) -> float:
    """Return the sd of the log of the rate: counts of days vary more (or less) than Poisson's by a factor."""
    days = np.unique(_days(week), return_inverse=True)[1]
    expected = np.bincount(days, rates[week.hour] * np.diff(week.edges, append=week.until) / 3.6e6)
    came = np.bincount(days[week.place(at)], minlength=len(expected))
    open_ = expected > 0
    dispersion = float(np.mean((came[open_] - expected[open_]) ** 2 / np.maximum(expected[open_], 0.1)))
    return float(np.sqrt(max(dispersion, 1e-4) / len(at)))
