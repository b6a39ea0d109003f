"""What the model leaves of the readings: two errors that are correlated in time, and white noise; never white noise alone.

The slow error is an Ornstein-Uhlenbeck process (AR(1) on a grid: life that nobody announced), the fast one a Matern process of
order 3/2 (AR(2), which has momentum: sensor and timing; Rasmussen & Williams 2006, eq. 4.17). Both are continuous, so that gaps
cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from gemel.packs.diabetes.personal.equations import CELL


@dataclass(frozen=True)
class Noise:
    """Standard deviations (mg/dL) and times (min) of the slow and the fast error, and the deviation of white noise."""

    slow: float = 26.0
    slow_min: float = 200.0
    fast: float = 6.0
    fast_min: float = 40.0
    white: float = 1.5

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return the covariance (a, b) of errors at minutes, without white noise."""
        apart = np.abs(a[:, None] - b)
        near = np.sqrt(3.0) * apart / self.fast_min
        found: np.ndarray = self.slow**2 * np.exp(-apart / self.slow_min) + self.fast**2 * (1.0 + near) * np.exp(-near)
        return found

    def covariance(self, at: np.ndarray) -> np.ndarray:
        """Return the covariance (n, n) of readings at minutes."""
        return self.between(at, at) + self.white**2 * np.eye(len(at))


def whitener(noise: Noise, seen: np.ndarray) -> np.ndarray:
    """Return what makes errors white (n, n): rows and columns of what was not seen are 0."""
    at = CELL * np.flatnonzero(seen)
    found = np.zeros((len(seen), len(seen)))
    inverse = solve_triangular(cholesky(noise.covariance(at), lower=True), np.eye(len(at)), lower=True)
    found[np.ix_(seen, seen)] = inverse
    return found


def log_det(noise: Noise, seen: np.ndarray) -> float:
    """Return half the log determinant of the covariance of what was seen."""
    return float(np.log(np.diag(cholesky(noise.covariance(CELL * np.flatnonzero(seen)), lower=True))).sum())


PRIOR = (Noise(), (0.4, 0.5, 0.4, 0.3, 0.3))
"""Median, and spread of the logarithms, of the five numbers."""


def learn(
    off: np.ndarray, prior: tuple[Noise, tuple[float, ...]] = PRIOR, every: float = CELL, seldom: bool = False
) -> Noise:
    """Return the mode of the noise given errors (day, n) mg/dL *every* so many min, NaN where nothing was read, which is in most
    cells if the sensor reads *seldom*."""
    median, spread = np.log(list(vars(prior[0]).values())), np.array(prior[1])
    if every == CELL and not seldom:
        off, every = off[:, ::2], 2 * CELL  # 10 min apart is enough, and eight times as quick
    seen = np.isfinite(off)
    days = [(every * np.flatnonzero(s), o[s]) for s, o in zip(seen, off, strict=True) if s.any()]

    def cost(z: np.ndarray) -> float:
        noise = Noise(*np.exp(median + spread * z))
        total = 0.5 * float(z @ z)
        for at, error in days:
            factor = np.linalg.cholesky(noise.covariance(at))
            total += 0.5 * float((solve_triangular(factor, error, lower=True) ** 2).sum()) + float(
                np.log(np.diag(factor)).sum()
            )
        return total

    found = minimize(cost, np.zeros(5), method="L-BFGS-B", options={"maxiter": 10}, bounds=[(-3, 3)] * 5)
    return Noise(*[float(v) for v in np.exp(median + spread * found.x)])
