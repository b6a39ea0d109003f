"""The ambulatory glucose profile: the numbers of the consensus report, from readings and the person's clock.

What belongs on the page, the ranges, targets and the need for 14 days with 70 %: Battelino et al. 2019 (10.2337/dci19-0028).
The profile: Mazze et al. 2008 (10.1089/dia.2007.0293), as one usual day of 24 hours, medians and percentiles by time of day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, tzinfo

import numpy as np

from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes import metrics
from gemel.packs.diabetes.reports import clock

PERCENTILES = (5, 25, 50, 75, 95)
STEPS = 96
"""Quarters of an hour of the usual day."""

WIDTH = 1
"""How many quarters on each side lend their readings: a quarter is said from 45 minutes of every day."""

KERNEL = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
"""Weights by which the five percentiles are smoothed around the clock, over half an hour on each side; a judgement."""

FEWEST = 5
"""Days that must have readings about a quarter of an hour, or there is no profile there; a judgement."""

RANGES = ("time_very_low", "time_low", "time_in_range", "time_high", "time_very_high")
"""The five parts of the time, from below 54 to above 250 mg/dL."""

THUMBNAILS = 14
CADENCES: tuple[Time, ...] = tuple(minutes * MINUTE for minutes in (1, 2, 3, 5, 10, 15))
"""How often sensors read."""

FOLLOWED = 0.4
"""Share of readings that must be followed at a sensor's own step: some are missing, others are scans; a judgement."""

NEAR = 1.5
"""A reading within so many steps follows the one before without a gap."""

BREAK = 3
"""So many steps without a reading interrupt a line."""


@dataclass(frozen=True)
class Day:
    """One local day: when it was on the wall clock, `minute` (n,), and what was read, (n,) mg/dL; NaN interrupts the line."""

    on: date
    minute: np.ndarray
    glucose: np.ndarray


@dataclass(frozen=True)
class Profile:
    """The usual day: `percentiles` (5, 96) mg/dL as in `PERCENTILES`, NaN where too few days speak; `days` (96,) how many do."""

    percentiles: np.ndarray
    days: np.ndarray


@dataclass(frozen=True)
class Agp:
    """What the page says of a period: `values` by the names of `METRICS`, shares of `RANGES`, and whether that is enough data."""

    since: Time
    until: Time
    days: float
    worn: int
    cadence: Time
    readings: int
    active: float
    sufficient: bool
    values: dict[str, float]
    ranges: tuple[float, ...]
    profile: Profile
    thumbnails: tuple[Day, ...]


def agp(at: np.ndarray, glucose: np.ndarray, since: Time, until: Time, zone: tzinfo) -> Agp:
    """Return the report of readings (n,) mg/dL at rising times (n,) ms, `since <= at < until`, by the clock of *zone*."""
    at, glucose = np.asarray(at, np.int64), np.asarray(glucose, float)
    step = cadence(at)
    active = share_active(at, since, until, step)
    weights = metrics.speaks_for(at, step)
    values = {name: float(metric.function(glucose, weights)) for name, metric in metrics.METRICS.items()}
    days = (until - since) / DAY
    enough = (until - since) >= 14 * DAY - HOUR and active >= 0.7  # a fortnight with a spring in it is an hour short
    local = clock.days(at, zone)
    return Agp(
        since, until, days, len(np.unique(local)), step, len(at), active, enough, values,
        tuple(values[name] for name in RANGES), profile(at, glucose, zone), thumbnails(at, glucose, zone, until, step),
    )  # fmt: skip


def cadence(at: np.ndarray, usual: Time = 5 * MINUTE) -> Time:
    """Return how often the sensor reads: the first of `CADENCES` at which readings follow each other; or *usual*.

    Readings between, such as scans, do not shorten it. Where none fits it is the middle step, but 15 min at the most: what
    is read less often is no sensor's record.
    """
    if len(at) < 2:
        return usual
    found = next((step for step in CADENCES if _followed(at, step) >= FOLLOWED), None)
    middle = max(round(float(np.median(np.diff(at))) / MINUTE), 1) * MINUTE
    return found or min(middle, CADENCES[-1])


def _followed(at: np.ndarray, step: Time) -> float:
    """Return the share of readings after which there is one a *step* later, within a fifth of it."""
    first, last = np.searchsorted(at, at + step - step // 5), np.searchsorted(at, at + step + step // 5)
    return float(np.mean(np.less(first, last)))


def share_active(at: np.ndarray, since: Time, until: Time, step: Time) -> float:
    """Return the share of the period in which the sensor read: until the next reading, or for a step where none is near."""
    if not len(at) or until <= since:
        return 0.0
    ahead = np.diff(np.asarray(at, float), append=float(at[-1]) + step)
    return min(float(np.where(ahead <= NEAR * step, ahead, step).sum()) / (until - since), 1.0)


def profile(at: np.ndarray, glucose: np.ndarray, zone: tzinfo) -> Profile:
    """Return the usual day: percentiles of all readings within 45 minutes by the wall clock, then smoothed around the clock."""
    quarter = (clock.minutes(at, zone) // 15).astype(int)
    day = clock.days(at, zone)
    raw, count = np.full((len(PERCENTILES), STEPS), np.nan), np.zeros(STEPS, int)
    order = np.argsort(quarter, kind="stable")
    edges = np.searchsorted(quarter[order], np.arange(STEPS + 1))
    inside = [order[edges[k] : edges[k + 1]] for k in range(STEPS)]
    for k in range(STEPS):
        near = np.concatenate([inside[(k + side) % STEPS] for side in range(-WIDTH, WIDTH + 1)])
        count[k] = len(np.unique(day[near]))
        if count[k] >= FEWEST:
            raw[:, k] = np.percentile(glucose[near], PERCENTILES)
    return Profile(smoothed(raw), count)


def smoothed(raw: np.ndarray) -> np.ndarray:
    """Return *raw* (…, 96) smoothed around the clock by `KERNEL`; what is missing lends no weight and stays missing."""
    there = np.isfinite(raw)
    sides = range(-(len(KERNEL) // 2), len(KERNEL) // 2 + 1)
    total = sum(w * np.roll(np.where(there, raw, 0.0), side, axis=-1) for w, side in zip(KERNEL, sides, strict=True))
    weight = sum(w * np.roll(there.astype(float), side, axis=-1) for w, side in zip(KERNEL, sides, strict=True))
    return np.asarray(np.divide(total, weight, out=np.full(raw.shape, np.nan), where=there))


def thumbnails(at: np.ndarray, glucose: np.ndarray, zone: tzinfo, until: Time, step: Time) -> tuple[Day, ...]:
    """Return the last 14 local days up to *until*; a day without readings is there and empty."""
    last = int(clock.days(np.array([until - 1]), zone)[0])
    local, minute = clock.days(at, zone), clock.minutes(at, zone)
    found = []
    for number in range(last - THUMBNAILS + 1, last + 1):
        rows = local == number
        x, y = interrupted(at[rows], minute[rows], glucose[rows], step)
        found.append(Day(clock.date_of(number), x, y))
    return tuple(found)


def interrupted(at: np.ndarray, minute: np.ndarray, glucose: np.ndarray, step: Time) -> tuple[np.ndarray, np.ndarray]:
    """Return a day's line with a NaN put in wherever readings are missing, or the clock was put back."""
    breaks = np.flatnonzero((np.diff(at) > BREAK * step) | (np.diff(minute) < 0.0)) + 1
    return np.insert(minute, breaks, minute[breaks] if len(breaks) else []), np.insert(glucose, breaks, np.nan)


def in_full(shares: tuple[float, ...], digits: int = 1) -> tuple[float, ...]:
    """Return shares as percentages that sum to 100: rounded down, and what is left goes to the largest remainders."""
    scaled = np.array(shares) * 100.0 * 10**digits
    if not np.isfinite(scaled).all():
        return tuple(float("nan") for _ in shares)
    whole = np.floor(scaled + 1e-9)
    for k in np.argsort(-(scaled - whole), kind="stable")[: round(100 * 10**digits - whole.sum())]:
        whole[k] += 1
    return tuple(float(value) / 10**digits for value in whole)
