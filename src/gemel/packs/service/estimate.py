"""Estimate: a figure with its interval of 95 %; cases are the units that are drawn again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import t as student

from gemel.errors import BadInput

LEVEL = 0.95
BLOCKS = 2000
"""Of more cases than these, blocks chosen at random are drawn again instead of each: as wide, and as quick for millions."""

DRAWS = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval of 95 % (NaN where one cannot be given), in *unit*, from *n* observations."""

    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str = ""

    def body(self) -> dict[str, Any]:
        """Return the estimate as JSON types."""
        return {
            "name": self.name,
            "value": self.value,
            "interval95": [self.low, self.high],
            "n": self.n,
            "unit": self.unit,
        }

    def holds(self, value: float) -> bool:
        """Return whether the interval holds *value*."""
        return bool(self.low <= value <= self.high)

    def times(self, factor: float, unit: str) -> Estimate:
        """Return it in another unit."""
        low, high = sorted((self.low * factor, self.high * factor))
        return replace(self, value=self.value * factor, low=low, high=high, unit=unit)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        span = "no interval" if np.isnan(self.low) else f"{self.low:.3g} to {self.high:.3g}"
        return f"{self.name} {self.value:.3g}{unit} ({span}; n {self.n})"


def told(values: np.ndarray, name: str) -> np.ndarray:
    """Return the values (n,) that are there; raise where there is none."""
    every: np.ndarray = np.asarray(values, float).ravel()
    found: np.ndarray = every[np.isfinite(every)]
    if not len(found):
        raise BadInput("there is no value to work it out from", field=name)
    return found


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the different values in order; by sorting, which is much quicker than NumPy's table of whole numbers."""
    ordered = np.sort(values)
    found: np.ndarray = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered
    return found


def normal(name: str, value: float, error: float, n: int, unit: str = "") -> Estimate:
    """Return an estimate from its standard error, by the normal distribution."""
    reach = float(ndtri((1 + LEVEL) / 2)) * error
    return Estimate(name, value, value - reach, value + reach, n, unit)


def mean(name: str, values: np.ndarray, unit: str = "") -> Estimate:
    """Return the mean of values (n,) with Student's interval; one value alone has none."""
    found = told(values, name)
    n, value = len(found), float(found.mean())
    if n < 2:
        return Estimate(name, value, np.nan, np.nan, n, unit)
    reach = float(student.ppf((1 + LEVEL) / 2, n - 1)) * float(found.std(ddof=1)) / np.sqrt(n)
    return Estimate(name, value, value - reach, value + reach, n, unit)


def share(name: str, hits: float, n: int) -> Estimate:
    """Return hits of *n* with Wilson's interval (Brown, Cai & DasGupta 2001, 10.1214/ss/1009213286)."""
    if n < 1:
        raise BadInput("there is nothing to take a share of", field=name)
    z = float(ndtri((1 + LEVEL) / 2))
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Estimate(name, p, float(max(middle - reach, 0.0)), float(min(middle + reach, 1.0)), n, "share")


def clustered(name: str, hits: np.ndarray, clusters: np.ndarray) -> Estimate:
    """Return a share of hits (n,) whose clusters (n,), such as days, are alike within: the interval comes from clusters.

    A ratio of sums over clusters, linearised, with Student's quantile (Cochran 1977, Sampling techniques, section 2.11).
    """
    found = np.unique(clusters, return_inverse=True)[1].ravel()
    size, sums = np.bincount(found).astype(float), np.bincount(found, np.asarray(hits, float))
    k, n = len(size), len(found)
    value = float(sums.sum() / n)
    if k < 2:
        return Estimate(name, value, np.nan, np.nan, n, "share")
    off = sums - value * size
    error = float(np.sqrt(k / (k - 1) * (off**2).sum()) / n)
    reach = float(student.ppf((1 + LEVEL) / 2, k - 1)) * error
    return Estimate(name, value, max(value - reach, 0.0), min(value + reach, 1.0), n, "share")


def blocks(cases: int, seed: int = 0) -> np.ndarray:
    """Return in which block each case (cases,) is drawn again: its own, or of many cases one chosen at random."""
    many = min(cases, BLOCKS)
    found: np.ndarray = np.arange(cases) if cases == many else np.random.default_rng(seed).permutation(cases) % many
    return found


def redrawn(sums: np.ndarray, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Return totals (draws, k) of sums (block, k) over blocks drawn again with replacement."""
    many = len(sums)
    drawn = np.random.default_rng(seed).integers(0, many, (draws, many)) + many * np.arange(draws)[:, None]
    times = np.bincount(drawn.ravel(), minlength=draws * many).reshape(draws, many).astype(float)
    found: np.ndarray = times @ sums
    return found


def resampled(columns: np.ndarray, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Return totals (draws, k) of columns (cases, k) over cases drawn again with replacement."""
    where = blocks(len(columns), seed)
    sums = np.stack([np.bincount(where, column) for column in np.asarray(columns, float).T], axis=1)
    return redrawn(sums, seed, draws)


def interval(draws: np.ndarray) -> tuple[float, float]:
    """Return the central 95 % of draws, those that are NaN left out."""
    there = draws[np.isfinite(draws)]
    if not len(there):
        return float("nan"), float("nan")
    low, high = np.quantile(there, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def bootstrap(
    name: str, columns: np.ndarray, figure: Callable[[np.ndarray], np.ndarray], unit: str = "", seed: int = 0
) -> Estimate:
    """Return a figure of totals (…, k) of columns (cases, k), such as their ratio, its interval by drawing cases again."""
    value = float(figure(np.asarray(columns, float).sum(axis=0)))
    return Estimate(name, value, *interval(np.asarray(figure(resampled(columns, seed)))), len(columns), unit)
