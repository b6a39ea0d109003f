"""What changed from one period to the next, with intervals that know that the readings of one day belong together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from gemel.packs.diabetes import metrics
from gemel.packs.diabetes.reports import clock
from gemel.packs.diabetes.reports.agp import cadence

DRAWS = 2000
FEWEST = 7
"""Days with readings that each period needs before a change is stated; a judgement."""

COMPARED = (
    "time_in_range",
    "time_below_range",
    "time_very_low",
    "time_above_range",
    "time_very_high",
    "mean",
    "gmi",
    "cv",
)


@dataclass(frozen=True)
class Change:
    """A metric before and now, and the difference with its 95 % interval."""

    name: str
    before: float
    now: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """Return now minus before."""
        return self.now - self.before

    @property
    def clear(self) -> bool:
        """Return whether the interval leaves out zero."""
        return self.low > 0.0 or self.high < 0.0


def sums(at: np.ndarray, glucose: np.ndarray, zone: tzinfo) -> np.ndarray:
    """Return per local day (day, 8): the time read, its integrals of glucose and the square, the times in `COMPARED`'s ranges."""
    day = clock.days(at, zone)
    weight = metrics.speaks_for(at, cadence(at))
    whole = np.floor(glucose + 0.5)
    inside = [(whole >= 70) & (whole <= 180), whole < 70, whole < 54, whole > 180, whole > 250]
    columns = np.column_stack([np.ones(len(glucose)), glucose, glucose**2, *inside]) * weight[:, None]
    days, back = np.unique(day, return_inverse=True)
    found = np.zeros((len(days), columns.shape[1]))
    np.add.at(found, back, columns)
    return found


def figures(total: np.ndarray) -> np.ndarray:
    """Return the metrics of `COMPARED` (…, 8) from sums (…, 8) over days."""
    n = total[..., :1]
    shares, mean = total[..., 3:] / n, total[..., 1] / n[..., 0]
    sd = np.sqrt(np.maximum(total[..., 2] / n[..., 0] - mean**2, 0.0))
    return np.concatenate([shares, np.stack([mean, 3.31 + 0.02392 * mean, 100.0 * sd / mean], axis=-1)], axis=-1)


def changes(
    before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray], zone: tzinfo, rng: np.random.Generator
) -> tuple[Change, ...]:
    """Return what changed between two records (times ms, glucose mg/dL); nothing where either has fewer than `FEWEST` days.

    Whole days are drawn again with replacement within each period, so that the interval is as wide as days differ
    (block bootstrap: Künsch 1989, 10.1214/aos/1176347265); readings count for as long as they speak.
    """
    old, new = sums(*before, zone), sums(*now, zone)
    if min(len(old), len(new)) < FEWEST:
        return ()
    drawn = figures(_again(new, rng)) - figures(_again(old, rng))
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    was, is_ = figures(old.sum(axis=0)), figures(new.sum(axis=0))
    return tuple(
        Change(name, float(was[k]), float(is_[k]), float(low[k]), float(high[k])) for k, name in enumerate(COMPARED)
    )


def _again(days: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sums (draw, 8) over as many days, drawn with replacement."""
    counts = rng.multinomial(len(days), np.full(len(days), 1.0 / len(days)), size=DRAWS)
    return np.asarray(counts @ days)
