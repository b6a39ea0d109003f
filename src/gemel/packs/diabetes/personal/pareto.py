"""Smoothing the largest importance weights by a generalised Pareto (Vehtari et al. 2024, arXiv:1507.02646)."""

from __future__ import annotations

import numpy as np


def smoothed(log: np.ndarray) -> tuple[np.ndarray, float]:
    """Return normalised weights (n,) whose tail is smoothed, and its shape k: above 0.7 they cannot be believed."""
    weight = np.exp(log - log.max())
    order = np.argsort(weight)
    tail = min(len(log) // 5, int(3 * np.sqrt(len(log))))
    largest, cut = order[-tail:], weight[order[-tail - 1]]
    k, scale = pareto(weight[largest] - cut)
    if np.isfinite(k):
        at = (np.arange(tail) + 0.5) / tail
        over = scale * np.expm1(-k * np.log1p(-at)) / k if abs(k) > 1e-9 else -scale * np.log1p(-at)
        weight[largest] = np.minimum(cut + over, 1.0)
    return weight / weight.sum(), float(k)


def pareto(over: np.ndarray) -> tuple[float, float]:
    """Return shape and scale of exceedances, ascending, by the posterior mean of Zhang & Stephens 2009
    (10.1198/tech.2009.08017)."""
    n = len(over)
    if n < 5 or over[-1] <= 0 or over[n // 4] <= 0:
        return float("inf"), 0.0
    grid = 30 + int(np.sqrt(n))
    b = 1 / over[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * over[int(n / 4 + 0.5) - 1])
    k = np.log1p(-b[:, None] * over).mean(axis=1)
    log = n * (np.log(-b / k) - k - 1)
    weight = 1 / np.exp(log - log[:, None]).sum(axis=1)
    best = float((b * weight).sum() / weight.sum())
    shape = float(np.log1p(-best * over).mean())
    return (n * shape + 5) / (n + 10), -shape / best
