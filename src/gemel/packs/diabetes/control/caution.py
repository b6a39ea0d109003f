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
    so that it rests where a share of `goal` is low. One low is one lesson, however long: what is learned of lows within about
    `memory` readings is `lesson` times the gain at the most.
    """

    start: float = 28.0
    gain: float = 0.4
    goal: float = 0.01
    felt: float = 8.0
    lesson: float = 12.0
    memory: float = 48.0
    least: float = -10.0
    most: float = 50.0


LEARNING = Learning()


@dataclass(frozen=True)
class Caution:
    """Of n people, (n,): mg/dL by which forecasts are lowered, and what `lately` was learned of lows, in times the gain."""

    mgdl: np.ndarray
    lately: np.ndarray


def unlearned(count: int, learning: Learning = LEARNING) -> Caution:
    """Return the caution with *count* strangers."""
    return Caution(np.full(count, learning.start), np.zeros(count))


def learned(before: Caution, glucose: np.ndarray, rescued: np.ndarray, learning: Learning = LEARNING) -> Caution:
    """Return the caution after readings (n,) mg/dL, NaN: none, and whether a low was *rescued* (n,) since the last ones."""
    low, faded = glucose < 70.0, before.lately * np.exp(-1.0 / learning.memory)
    lesson = np.clip(learning.lesson - faded, 0.0, low + learning.felt * (rescued & ~low))
    more = learning.gain * (lesson - learning.goal * ~np.isnan(glucose))
    return Caution(np.clip(before.mgdl + more, learning.least, learning.most), faded + lesson)


def caution_of(readings: Sequence[Reading], learning: Learning = LEARNING) -> float:
    """Return the caution in mg/dL after one person's readings, oldest first."""
    caution = unlearned(1, learning)
    for reading in readings:
        caution = learned(caution, np.array([reading.value]), np.array([False]), learning)
    return float(caution.mgdl[0])
