"""Duration: how long something takes, as a distribution over seconds that is drawn by its quantile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown

KINDS = ("fixed", "exponential", "lognormal", "gamma", "weibull", "uniform", "table")


@dataclass(frozen=True)
class Duration:
    """A distribution of seconds: `mean` and coefficient of variation `cv`, or a `table` of quantiles at equal steps 0…1.

    `cv` is 0 for fixed and 1 for exponential. A uniform one lies within mean·(1 ± √3·cv). What is drawn is the quantile
    of one uniform number, so that scenarios share their draws and a longer mean gives a longer draw.
    """

    kind: str
    mean: float
    cv: float = 0.0
    table: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of duration", self.kind, KINDS)
        if not (np.isfinite(self.mean) and self.mean >= 0 and np.isfinite(self.cv) and self.cv >= 0):
            raise BadInput(f"a duration of mean {self.mean} s and cv {self.cv} cannot be", field="mean")
        if self.kind == "table" and (
            len(self.table) < 2 or min(self.table) < 0 or list(self.table) != sorted(self.table)
        ):
            raise BadInput("a table of quantiles has two values or more, none below 0, in rising order", field="table")

    def scaled(self, factor: float) -> Duration:
        """Return the duration that is *factor* times as long."""
        return Duration(self.kind, self.mean * factor, self.cv, tuple(value * factor for value in self.table))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """Return the quantiles in seconds at probabilities *p*: the slow reference of what the engine draws."""
        if self.kind == "fixed":
            return np.full_like(np.asarray(p, float), self.mean)
        if self.kind == "table":
            return np.asarray(np.interp(p, np.linspace(0, 1, len(self.table)), self.table))
        found: np.ndarray = self._frozen().ppf(p)
        return found

    def cdf(self, seconds: np.ndarray) -> np.ndarray:
        """Return the probability of at most *seconds*."""
        if self.kind == "fixed":
            return (np.asarray(seconds, float) >= self.mean).astype(float)
        if self.kind == "table":
            return np.asarray(np.interp(seconds, self.table, np.linspace(0, 1, len(self.table))))
        found: np.ndarray = self._frozen().cdf(seconds)
        return found

    def _frozen(self) -> Any:
        return _scipy(self.kind, self.mean, self.cv)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"kind": self.kind, "mean": self.mean, "cv": self.cv} | (
            {"table": list(self.table)} if self.table else {}
        )

    @staticmethod
    def from_body(body: Any) -> Duration:
        """Return the duration that `body()` described."""
        return Duration(body["kind"], body["mean"], body.get("cv", 0.0), tuple(body.get("table", ())))


def fixed(seconds: float) -> Duration:
    """Return always the same."""
    return Duration("fixed", seconds)


def exponential(mean: float) -> Duration:
    """Return the memoryless duration."""
    return Duration("exponential", mean, 1.0)


def table_of(seconds: Sequence[float], points: int = 129) -> Duration:
    """Return the empirical duration of what was seen, as a table of quantiles."""
    values = np.quantile(np.asarray(seconds, float), np.linspace(0, 1, points))
    mean = float(np.mean(seconds))
    return Duration(
        "table", mean, float(np.std(seconds) / mean) if mean else 0.0, tuple(np.maximum(values, 0.0).tolist())
    )


@lru_cache(maxsize=4096)
def _scipy(kind: str, mean: float, cv: float) -> Any:
    from scipy import stats  # a second to load, and only this asks for it

    if kind == "exponential":
        return stats.expon(scale=mean)
    if kind == "uniform":
        half = mean * np.sqrt(3) * cv
        return stats.uniform(mean - half, 2 * half)
    if kind == "gamma":
        return stats.gamma(cv**-2, scale=mean * cv**2)
    if kind == "lognormal":
        sigma = np.sqrt(np.log1p(cv**2))
        return stats.lognorm(sigma, scale=mean * np.exp(-(sigma**2) / 2))
    return _weibull(mean, cv)


def _weibull(mean: float, cv: float) -> Any:
    from scipy import stats
    from scipy.optimize import brentq
    from scipy.special import gammaln

    shape = brentq(lambda k: gammaln(1 + 2 / k) - 2 * gammaln(1 + 1 / k) - np.log1p(cv**2), 0.1, 50.0)
    return stats.weibull_min(shape, scale=mean / np.exp(gammaln(1 + 1 / shape)))
