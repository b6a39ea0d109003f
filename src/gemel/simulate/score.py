"""How well a forecast came true: proper scores, coverage, and the errors that clinics and services quote."""

from __future__ import annotations

import numpy as np

from gemel.intervention import LEVELS


def crps(quantiles: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the continuous ranked probability score of quantiles (level, n) against truth (n,), in its unit.

    Twice the pinball loss averaged over the levels with trapezoid weights on [0, 1] (Gneiting & Raftery 2007,
    10.1198/016214506000001437, section 4.2; exact as levels fill the unit interval).
    """
    levels = np.array(LEVELS)[:, None]
    off = truth[None] - quantiles
    pinball = np.maximum(levels * off, (levels - 1) * off)
    found: np.ndarray = 2.0 * (pinball * _weights()[:, None]).sum(axis=0)
    return found


def _weights() -> np.ndarray:
    edges = np.concatenate([[0.0], (np.array(LEVELS)[1:] + np.array(LEVELS)[:-1]) / 2, [1.0]])
    return np.diff(edges)


def gaussian_crps(mean: np.ndarray, sd: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the continuous ranked probability score of normal forecasts (Gneiting & Raftery 2007, equation 21)."""
    from scipy.special import ndtr  # half a second to load, and only scores of normal forecasts need it

    z = (truth - mean) / sd
    found: np.ndarray = sd * (z * (2 * ndtr(z) - 1) + 2 * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) - 1 / np.sqrt(np.pi))
    return found


def covered(quantiles: np.ndarray, truth: np.ndarray, share: float) -> np.ndarray:
    """Return whether truth (n,) lies in the central interval that should hold *share* of it."""
    low, high = LEVELS.index(round((1 - share) / 2, 6)), LEVELS.index(round((1 + share) / 2, 6))
    found: np.ndarray = (quantiles[low] <= truth) & (truth <= quantiles[high])
    return found


def rmse(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean square error."""
    return float(np.sqrt(np.mean((said - truth) ** 2)))


def mard(said: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean absolute relative difference in percent of the truth; NaN where some truth is 0: it has no share."""
    if not np.all(truth):
        return float("nan")
    return float(100 * np.mean(np.abs(said - truth) / np.abs(truth)))
