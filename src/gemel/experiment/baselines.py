"""What a forecast must beat: the last value held, and a ridge regression on the last readings and exposures."""

from __future__ import annotations

import numpy as np

from gemel.bank.features import STEP, Past
from gemel.bank.record import Record

LAST = 12
ALPHA = 1.0


def hold(record: Record, step: int) -> np.ndarray:
    """Return the value at each origin as the forecast."""
    del step
    return record.value


def design(past: Past, record: Record) -> np.ndarray:
    """Return the last 12 readings and the exposures over 0–30, 30–60, 60–120 and 120–240 min, per origin."""
    readings = [past.value(record.at - STEP * lag) for lag in range(LAST)]
    return np.column_stack([*readings, past.exposures(record.at)])


def ridge_ar(X: np.ndarray, truth: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the forecast of every origin by a ridge regression (standardised, alpha 1) fitted on *train* rows."""
    rows = train & np.isfinite(truth)
    centre, scale = X[rows].mean(axis=0), X[rows].std(axis=0)
    Z = (X - centre) / np.where(scale > 0, scale, 1.0)
    level = truth[rows].mean()
    weights = np.linalg.solve(Z[rows].T @ Z[rows] + ALPHA * np.eye(Z.shape[1]), Z[rows].T @ (truth[rows] - level))
    found: np.ndarray = level + Z @ weights
    return found
