"""Glucose on the scale of its square root, on which errors are about as wide where it is high as where it is low.

Of powers from 0 (the logarithm) to 1 (glucose itself) the half and three quarters have the greatest likelihood on real days, by
18 over 1 (docs/personalise.md), and the half has a mean in closed form.
"""

from __future__ import annotations

import numpy as np

USUAL = 140.0
"""mg/dL where the scale has glucose's own value and slope."""


def rooted(glucose: np.ndarray) -> np.ndarray:
    """Return glucose (mg/dL) on the root's scale."""
    return np.asarray(2.0 * USUAL * np.sqrt(np.maximum(glucose, 0.0) / USUAL) - USUAL)


def squared(x: np.ndarray) -> np.ndarray:
    """Return glucose (mg/dL) of what is on the root's scale."""
    return np.asarray(USUAL * (np.maximum(x + USUAL, 0.0) / (2.0 * USUAL)) ** 2)


def mean_squared(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the mean of glucose (mg/dL) of what has a mean and a variance on the root's scale."""
    return np.asarray(USUAL * ((mean + USUAL) ** 2 + variance) / (2.0 * USUAL) ** 2)
