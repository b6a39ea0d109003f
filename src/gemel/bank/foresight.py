"""Foresight: a twin's forecast, mended by what its own past errors and those of others teach, with intervals that held.

The model's mean is corrected by a residual that is learned anew every half day from what was known then; intervals are
quantiles of past errors in units of the model's spread, widened or narrowed by how they held (adaptive conformal).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.assimilate import Learning, Lessons, Residual, Spread, learn, spread
from gemel.bank.record import AHEAD, EVERY, Record
from gemel.facts import HOUR, Time
from gemel.intervention import LEVELS, Forecast

REFIT: Time = 12 * HOUR
OWN_WEIGHT = 3.0
GAIN = 0.02
START = 24
"""Origins left out at the beginning of a record, while the filter settles."""

LIMITS = (-0.6, 0.8)


@dataclass(frozen=True)
class Walked:
    """A record as it was foreseen, step by step: `mean` (n, AHEAD) and `quantiles` (level, n, AHEAD), both causal."""

    record: Record
    mean: np.ndarray
    quantiles: np.ndarray


@dataclass
class Foresight:
    """What has been learned of one twin's errors so far; `others` are past records that grants allow to learn from.

    `cold` is what a pack learned beforehand, on virtual counterparts: it speaks until enough is known, and then fades.
    """

    others: Sequence[Record]
    learning: Learning = field(default_factory=Learning)
    cold: Residual | None = None
    residual: Residual | None = None
    spread: Spread | None = None
    widen: np.ndarray = field(default_factory=lambda: np.zeros((2, AHEAD)))

    def refit(self, own: Record, errors: np.ndarray) -> None:
        """Learn from *own* record as known now and its errors as foreseen (n, AHEAD), NaN where nothing came yet."""
        lessons = [_lessons(own, OWN_WEIGHT), *(_lessons(other, 1.0) for other in self.others)]
        self.residual = learn(lessons, self.learning, self.cold)
        parts = [(errors, own.sd, OWN_WEIGHT), *((other.truth - other.said, other.sd, 1.0) for other in self.others)]
        self.spread = spread(
            np.concatenate([error for error, _, _ in parts]), np.concatenate([sd for _, sd, _ in parts]),
            np.concatenate([np.full(len(error), weight) for error, _, weight in parts]),
        )  # fmt: skip

    def mend(self, features: np.ndarray, said: np.ndarray) -> np.ndarray:
        """Return the corrected mean (n, AHEAD)."""
        if self.residual is None:
            return said
        corrected: np.ndarray = said + self.residual.correct(features, said.shape[1])
        return corrected

    def quantiles(self, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Return quantiles (level, n, AHEAD) around *mean*."""
        known = self.spread or spread(np.full((1, AHEAD), np.nan), np.ones((1, AHEAD)), np.ones(1))
        stated: np.ndarray = mean[None] + known.quantiles[:, None, :] * self._factors()[:, None, :] * sd[None]
        return stated

    def _factors(self) -> np.ndarray:
        """Return how much wider each level stands (level, AHEAD): inner ones by the 80 % interval, outer by the 95 %."""
        inner, outer = np.exp(self.widen[0]), np.exp(np.maximum(self.widen[1], self.widen[0] - 0.3))
        return np.stack([outer if level in (LEVELS[0], LEVELS[-1]) else inner for level in LEVELS])

    def adapt(self, step: np.ndarray, missed80: np.ndarray, missed95: np.ndarray) -> None:
        """Widen or narrow the steps whose forecasts have just met their truth."""
        move = GAIN * np.stack([missed80 - 0.2, 2.0 * (missed95 - 0.05)])
        self.widen[:, step] = np.clip(self.widen[:, step] + move, *LIMITS)


def _lessons(record: Record, weight: float) -> Lessons:
    rows = slice(START, None)
    return Lessons(record.features[rows], (record.truth - record.said)[rows], np.full(len(record.at[rows]), weight))


class Walk:
    """Goes along one record origin by origin, foreseeing each from what was known then, and keeps what it learned."""

    def __init__(
        self, others: Sequence[Record], learning: Learning | None = None, cold: Residual | None = None
    ) -> None:
        self.foresight = Foresight(others, learning or Learning(), cold)
        self._fitted: Time | None = None
        self._met = np.zeros(AHEAD, np.int64)
        self.mean = np.zeros((0, AHEAD))
        self.quantiles = np.zeros((len(LEVELS), 0, AHEAD))

    def along(self, record: Record, tell: Callable[[int], object] = lambda done: None) -> Walked:
        """Foresee every origin of *record* that has not been yet; earlier ones must be the ones walked before."""
        for k in range(len(self.mean), len(record.at)):
            self._meet(record, k)
            if self._fitted is None or record.at[k] - self._fitted >= REFIT:
                self._refit(record, k)
            row = slice(k, k + 1)
            corrected = self.foresight.mend(record.features[row], record.said[row])
            stated = self.foresight.quantiles(corrected, record.sd[row])
            self.mean = np.concatenate([self.mean, corrected])
            self.quantiles = np.concatenate([self.quantiles, stated], axis=1)
            tell(k)
        return Walked(record, self.mean[: len(record.at)], self.quantiles[:, : len(record.at)])

    def _refit(self, record: Record, k: int) -> None:
        known = record.until(int(record.at[k]))
        errors = np.full(known.truth.shape, np.nan)
        errors[:k] = known.truth[:k] - self.mean[:k]
        self.foresight.refit(known, errors)
        self._fitted = int(record.at[k])

    def _meet(self, record: Record, k: int) -> None:
        """Let the forecasts whose time has come by origin *k* meet what was read."""
        due = record.at[k] - EVERY * np.arange(1, AHEAD + 1)
        for step in range(AHEAD):
            while self._met[step] < k and record.at[self._met[step]] <= due[step]:
                self._judge(record, int(self._met[step]), step)
                self._met[step] += 1

    def _judge(self, record: Record, j: int, step: int) -> None:
        truth, stated = record.truth[j, step], self.quantiles[:, j, step]
        if np.isfinite(truth) and j >= START:
            missed80 = not stated[1] <= truth <= stated[-2]
            missed95 = not stated[0] <= truth <= stated[-1]
            self.foresight.adapt(np.array([step]), np.array([missed80], float), np.array([missed95], float))


def mended(
    forecast: Forecast,
    foresight: Foresight,
    features: np.ndarray,
    said: np.ndarray,
    sd: np.ndarray,
    low: float,
    high: float,
) -> Forecast:
    """Return *forecast* with the mean and quantiles that *foresight* gives; past two hours its last correction holds."""
    mean = foresight.mend(features, said)
    stated = foresight.quantiles(mean, sd)[:, 0]
    steps = len(forecast.at)
    if steps <= AHEAD:
        return replace(
            forecast, mean=np.clip(mean[0, :steps], low, high), quantiles=np.clip(stated[:, :steps], low, high)
        )
    shift = mean[0, -1] - said[0, -1]
    rest_mean, rest = forecast.mean[AHEAD:] + shift, forecast.quantiles[:, AHEAD:] + shift
    return replace(
        forecast, mean=np.clip(np.concatenate([mean[0], rest_mean]), low, high),
        quantiles=np.clip(np.concatenate([stated, rest], axis=1), low, high),
    )  # fmt: skip
