"""Levenberg-Marquardt from many starts at once (Marquardt 1963, 10.1137/0111030; damping after Nielsen 1999)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Cost = Callable[[np.ndarray], np.ndarray]
"""From points (start, n) to what is to be small (start,)."""

Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From points (start, n) to gradients (start, n) and curvatures (start, n, n), about positive definite."""


@dataclass(frozen=True)
class Solved:
    """The best point (n,), its cost; where every start ended (start, n) and at which cost; how many steps were taken."""

    point: np.ndarray
    cost: float
    points: np.ndarray
    costs: np.ndarray
    steps: int

    @property
    def agreed(self) -> int:
        """Return how many starts ended within a log unit of the best."""
        return int((self.costs < self.cost + 1.0).sum())


def solve(cost: Cost, slopes: Slopes, begin: np.ndarray, steps: int, close: float = 1e-5) -> Solved:
    """Return where descents from *begin* (start, n) lead; each stops when a step gains less than *close*."""
    z, now = begin.copy(), cost(begin)
    damp, factor = np.full(len(z), 1e-2), np.full(len(z), 2.0)
    still, taken = np.zeros(len(z), int), 0
    while taken < steps:
        taken += 1
        gradient, curvature = slopes(z)
        size = np.maximum(np.diagonal(curvature, axis1=1, axis2=2), 1e-8)
        damped = curvature + np.eye(z.shape[1]) * (damp[:, None] * size)[:, :, None]
        move = _steps(damped, gradient)
        tried = cost(z + move)
        hoped = -(move * gradient).sum(axis=1) - 0.5 * np.einsum("si,sij,sj->s", move, curvature, move)
        gained = np.where(np.isfinite(tried), now - tried, -np.inf)
        better = gained > 0
        z[better] += move[better]
        ratio = np.clip(gained / np.maximum(hoped, 1e-12), -1.0, 1.0)
        damp = np.clip(np.where(better, damp * np.maximum(1 / 3, 1 - (2 * ratio - 1) ** 3), damp * factor), 1e-9, 1e9)
        factor = np.where(better, 2.0, np.minimum(2 * factor, 64.0))
        now = np.where(better, tried, now)
        still = np.where(better & (gained > close), 0, still + 1)
        if (still > 5).all():
            break
    best = int(np.nanargmin(now))
    return Solved(z[best], float(now[best]), z, now, taken)


def _steps(damped: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return Newton's steps; where the curvature has no positive direction, along the gradient."""
    try:
        found: np.ndarray = -np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        found = -gradient / np.diagonal(damped, axis1=1, axis2=2)
    uphill = (found * gradient).sum(axis=1) > 0
    found[uphill] = (-gradient / np.diagonal(damped, axis1=1, axis2=2))[uphill]
    return found
