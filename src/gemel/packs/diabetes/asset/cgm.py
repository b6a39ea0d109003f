"""What the receiver of a continuous glucose monitor shows: an error model, and everything else that goes wrong with sensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from gemel.dynamics import Seed
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.asset.keyed import keyed
from gemel.packs.diabetes.asset.sensors import ErrorModel, Sensor, Vettoretti2019


@dataclass(frozen=True)
class CGM:
    """A monitor that shows whole mg/dL every 5 min, held to 39–400.

    It loses `gaps` stretches a day, of `gap` ms on average, and single readings with chance `dropouts`. After the sensor is
    spent comes a new one, `late` ms later on average, and shows nothing for `warm_up` ms. Gains drift by `drift_sd` a day,
    each sensor's its own. A sensor lain on at night (`compressions` a night) reads 20 to 50 % low for 20 to 90 min
    (judgements). `offset` ms is local time minus UTC.
    """

    model: ErrorModel = field(default_factory=Vettoretti2019)
    low: float = 39.0
    high: float = 400.0
    cadence: Time = 5 * MINUTE
    gaps: float = 0.0
    gap: Time = 30 * MINUTE
    dropouts: float = 0.0
    late: Time = 0
    warm_up: Time = 0
    drift_sd: float = 0.0
    compressions: float = 0.0
    offset: Time = 0

    def read(self, glucose: np.ndarray, at: np.ndarray, seed: Seed, subject: str) -> np.ndarray:
        """Return what is shown at times (n,) ms for *glucose* (n,) mg/dL under the skin; NaN where a gap is."""
        day, part = np.divmod(np.asarray(at, np.int64), DAY)
        gain, offset = np.empty(len(day)), np.empty(len(day))
        for number in np.unique(day):
            here = day == number
            gains, offsets = self.chart(seed, subject, int(number))
            gain[here], offset[here] = gains[part[here] // self.cadence], offsets[part[here] // self.cadence]
        return np.asarray(np.clip(np.round(gain * np.asarray(glucose, float) + offset), self.low, self.high))

    def show(self, glucose: float, at: Time, seed: Seed, subject: str) -> float:
        """Return what is shown at one time; NaN in a gap."""
        gains, offsets = self.chart(seed, subject, at // DAY)
        sample = at % DAY // self.cadence
        shown = float(gains[sample] * glucose + offsets[sample])
        return min(max(float(round(shown)), self.low), self.high) if shown == shown else shown

    def chart(self, seed: Seed, subject: str, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and offset of each reading of a day (number since 1970, UTC), offset NaN where a gap is."""
        return _chart(self, seed, subject, day)


@lru_cache(1024)
def _chart(cgm: CGM, seed: Seed, subject: str, day: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.arange(day * DAY, (day + 1) * DAY, cgm.cadence)
    wear, age = np.divmod(at + _put_on(cgm.model, seed, subject), cgm.model.life)
    gain, offset = np.empty(len(at)), np.empty(len(at))
    for number in np.unique(wear):
        here = wear == number
        gain[here], offset[here] = _worn(cgm.model, seed, subject, int(number)).errs(age[here])
        gain[here] += _drift(cgm, seed, subject, int(number)) * age[here] / DAY
        offset[here & (age < _dark(cgm, seed, subject, int(number)))] = np.nan
    left = 1.0 - _pressed(cgm, seed, subject, day, at)
    return gain * left, np.where(_lost(cgm, seed, subject, day, at), np.nan, offset * left)


def _put_on(model: ErrorModel, seed: Seed, subject: str) -> Time:
    """Return how long the first sensor had been worn at time 0, in whole quarters of an hour."""
    quarter = 15 * MINUTE
    return int(keyed(seed, subject, "cgm put on").integers(model.life // quarter)) * quarter


@lru_cache(256)
def _worn(model: ErrorModel, seed: Seed, subject: str, number: int) -> Sensor:
    return model.sensor(keyed(seed, subject, "cgm error", number))


def _drift(cgm: CGM, seed: Seed, subject: str, number: int) -> float:
    return cgm.drift_sd * float(keyed(seed, subject, "cgm drift", number).standard_normal())


def _dark(cgm: CGM, seed: Seed, subject: str, number: int) -> float:
    """Return for how many ms nothing is shown after the sensor before was spent."""
    return cgm.late * float(keyed(seed, subject, "cgm late", number).exponential()) + cgm.warm_up


def _lost(cgm: CGM, seed: Seed, subject: str, day: int, at: np.ndarray) -> np.ndarray:
    lost = keyed(seed, subject, "cgm dropout", day).random(len(at)) < cgm.dropouts
    for start, end in _gaps(cgm, seed, subject, day - 1) + _gaps(cgm, seed, subject, day):
        lost |= (at >= start) & (at < end)
    return lost


def _gaps(cgm: CGM, seed: Seed, subject: str, day: int) -> list[tuple[float, float]]:
    rng = keyed(seed, subject, "cgm gap", day)
    starts = day * DAY + DAY * rng.random(rng.poisson(cgm.gaps))
    return [(start, start + cgm.gap * rng.exponential()) for start in starts]


def _pressed(cgm: CGM, seed: Seed, subject: str, day: int, at: np.ndarray) -> np.ndarray:
    """Return by what share readings are lowered because the sensor is lain on."""
    lower = np.zeros(len(at))
    for most, start, end in _compressed(cgm, seed, subject, day - 1) + _compressed(cgm, seed, subject, day):
        lower = np.maximum(lower, most * np.clip(np.minimum(at - start, end - at) / (10 * MINUTE), 0.0, 1.0))
    return lower


def _compressed(cgm: CGM, seed: Seed, subject: str, day: int) -> list[tuple[float, float, float]]:
    """Return by what share readings are lowered at most, from when until when, in the night that begins on a day."""
    rng = keyed(seed, subject, "cgm compressed", day)
    drawn = rng.random((rng.poisson(cgm.compressions), 3))
    evening = day * DAY + 23 * HOUR - cgm.offset
    begins = [evening + 6 * HOUR * u for u in drawn[:, 0]]
    return [
        (0.2 + 0.3 * depth, start, start + (20 + 70 * length) * MINUTE)
        for start, (_, depth, length) in zip(begins, drawn, strict=True)
    ]
