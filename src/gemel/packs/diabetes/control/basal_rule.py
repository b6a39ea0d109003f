"""Basal by rule, quick enough for every copy in a fork: what the scenario "closed loop" supposes. Not a medical device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.dynamics import Array


@dataclass(frozen=True)
class Settings:
    """How the loop steers: glucose in mg/dL; at most `most` times the usual basal, none below `suspend`."""

    target: float = 115.0
    suspend: float = 85.0
    most: float = 3.0
    hours: float = 1.5
    trend_min: float = 20.0


def basal_rate(foreseen: Array, sensitivity: Array, on_board: Array, usual: Array, settings: Settings) -> np.ndarray:
    """Return the basal rate in U/h that would bring *foreseen* glucose to target over `hours`.

    *sensitivity* in mg/dL/U, *on_board* beyond usual in U, *usual* in U/h; all broadcast together.
    """
    needed = (foreseen - settings.target) / sensitivity - np.maximum(on_board, 0.0)
    rate = np.clip(usual + needed / settings.hours, 0.0, settings.most * usual)
    return np.where(np.asarray(foreseen) < settings.suspend, 0.0, rate)
