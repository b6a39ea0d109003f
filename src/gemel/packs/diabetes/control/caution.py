"""How careful to be with one person: mg/dL by which forecasts are lowered when lows are counted, learned from those that came.

Integral control of the share of readings that are low, after the run-to-run tuning of Magni et al. 2009
(10.1177/193229680900300512), reading by reading instead of day by day. It takes in what no model of glucose knows of: a sensor
that reads high, a profile that is too strong, carbohydrate counted too high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.dynamics import Reading


@dataclass(frozen=True)
class Learning:
    """Caution is at `start` mg/dL, and within `least` and `most`. A reading below 70 mg/dL raises it by `gain` mg/dL, and
    carbohydrate eaten against a low that no reading showed by `felt` times as much; every reading lowers it by `gain` * `goal`,
    so that it rests where a share of `goal` is low.
    """

    start: float = 27.0
    gain: float = 1.0
    goal: float = 0.01
    felt: float = 10.0
    least: float = -10.0
    most: float = 80.0


LEARNING = Learning()


def learned(caution: np.ndarray, glucose: np.ndarray, rescued: np.ndarray, learning: Learning = LEARNING) -> np.ndarray:
    """Return the caution (n,) after readings (n,) mg/dL, NaN: none, and whether a low was *rescued* (n,) since the last ones."""
    low = glucose < 70.0
    evidence = low + learning.felt * (rescued & ~low) - learning.goal * ~np.isnan(glucose)
    return np.asarray(np.clip(caution + learning.gain * evidence, learning.least, learning.most))


def caution_of(readings: Sequence[Reading], learning: Learning = LEARNING) -> float:
    """Return the caution after one person's readings, oldest first."""
    caution = np.array([learning.start])
    for reading in readings:
        caution = learned(caution, np.array([reading.value]), np.array([False]), learning)
    return float(caution[0])
