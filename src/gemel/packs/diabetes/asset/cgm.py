"""Continuous glucose monitors: published error models, and what a receiver shows of them.

Breton and Kovatchev 2008 (10.1177/193229680800200517): correlated noise, a Johnson SU transform of an AR(1) at 15 min.
Vettoretti et al. 2019: a drifting calibration and AR(2) noise at 5 min, for the Dexcom G6 (10.1109/EMBC.2019.8856790)
and, with its spread from sensor to sensor, for factory-calibrated sensors (10.3390/s19235320).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy.signal import lfilter

from gemel.dynamics import Seed
from gemel.facts import DAY, MINUTE, Time
from gemel.packs.diabetes.asset.keyed import keyed

BURN_IN = 200
"""Samples after which an AR process started at zero no longer remembers it (0.95 ** 200 < 4e-5)."""


class Sensor(Protocol):
    """One sensor, as drawn when it is put on."""

    def errs(self, age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and offset (mg/dL) at ages (n,) ms: it reads gain * glucose + offset."""
        ...


class ErrorModel(Protocol):
    """A kind of sensor, worn for `life` ms and then replaced by another draw."""

    @property
    def life(self) -> Time: ...

    def __hash__(self) -> int: ...

    def sensor(self, rng: np.random.Generator) -> Sensor:
        """Return a new sensor with all of its noise."""
        ...


@dataclass(frozen=True, eq=False)
class Noisy:
    """Noise (n,) mg/dL every `step` ms, linear in between; gain a and offset b as polynomials of the age in days."""

    noise: np.ndarray
    step: Time
    a: tuple[float, ...] = (1.0,)
    b: tuple[float, ...] = (0.0,)

    def errs(self, age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and offset (mg/dL), noise included."""
        gain, offset = np.polyval(self.a[::-1], age / DAY), np.polyval(self.b[::-1], age / DAY)
        return gain, offset + np.interp(age / self.step, np.arange(len(self.noise)), self.noise)


@dataclass(frozen=True)
class Breton2008:
    """Noise without calibration error; table of 10.1177/193229680800200517 as in simglucose's Dexcom."""

    correlation: float = 0.7
    gamma: float = -0.5444
    scale: float = 15.9574
    delta: float = 1.6898
    xi: float = -5.47
    life: Time = 7 * DAY

    def sensor(self, rng: np.random.Generator) -> Noisy:
        """Return a sensor: every 15 min e' = 0.7 (e + w), and the noise xi + scale sinh((e - gamma) / delta)."""
        drawn = rng.standard_normal(BURN_IN + self.life // (15 * MINUTE) + 2)
        e = lfilter([self.correlation], [1.0, -self.correlation], drawn)[BURN_IN:]
        return Noisy(self.xi + self.scale * np.sinh((e - self.gamma) / self.delta), 15 * MINUTE)


@dataclass(frozen=True)
class AR2:
    """Noise in mg/dL every 5 min: v(k) = first v(k-1) + second v(k-2) + sd w(k)."""

    first: float
    second: float
    sd: float

    def draw(self, life: Time, rng: np.random.Generator) -> np.ndarray:
        """Return the noise of a whole life."""
        drawn = self.sd * rng.standard_normal(BURN_IN + life // (5 * MINUTE) + 2)
        return np.asarray(lfilter([1.0], [1.0, -self.first, -self.second], drawn)[BURN_IN:])

    @property
    def total_sd(self) -> float:
        """Return the standard deviation of the noise itself (Box and Jenkins, eq. 3.2.28); infinite where unstable."""
        first, second = self.first, self.second
        if not (abs(second) < 1.0 and abs(first) < 1.0 - second):
            return float("inf")
        variance = (1.0 - second) * self.sd**2 / ((1.0 + second) * ((1.0 - second) ** 2 - first**2))
        return float(variance**0.5)


@dataclass(frozen=True)
class Vettoretti2019G6:
    """The average Dexcom G6, 10 days (10.1109/EMBC.2019.8856790): tables 1 (a, b) and 2 (its own noise, the common)."""

    a: tuple[float, float, float] = (1.048, -0.033, 0.002)
    b: tuple[float, float, float] = (-6.398, 6.179, -0.448)
    own: AR2 = AR2(1.220, -0.331, 3.641**0.5)
    common: AR2 = AR2(1.340, -0.492, 5.538**0.5)
    life: Time = 10 * DAY

    def sensor(self, rng: np.random.Generator) -> Noisy:
        """Return a sensor."""
        noise = self.own.draw(self.life, rng) + self.common.draw(self.life, rng)
        return Noisy(noise, 5 * MINUTE, self.a, self.b)


MEAN = np.array([0.942288, 0.00493988, -0.000584875, 6.38260, 1.260407, -0.4022229, 3.251636])
"""a0, a1, a2, b0, alpha1, alpha2 and SD of a factory-calibrated sensor, 10.3390/s19235320."""

COVARIANCE = np.array([
    [1.324583e-2, -3.951303e-3, 3.127674e-4, 1.571791e-1, 2.687656e-3, -2.890463e-3, -3.180171e-3],
    [-3.951303e-3, 1.852798e-3, -1.558033e-4, -1.028801e-1, -1.390233e-3, 1.159185e-3, -2.728493e-3],
    [3.127674e-4, -1.558033e-4, 1.374596e-5, 8.068586e-3, 1.207497e-4, -1.004214e-4, 1.113029e-4],
    [1.571791e-1, -1.028801e-1, 8.068586e-3, 2.900584e1, 1.240834e-1, -1.019364e-1, 6.007538e-1],
    [2.687656e-3, -1.390233e-3, 1.207497e-4, 1.240834e-1, 2.079353e-2, -1.843111e-2, -1.572185e-2],
    [-2.890463e-3, 1.159185e-3, -1.004214e-4, -1.019364e-1, -1.843111e-2, 1.870087e-2, 1.552334e-2],
    [-3.180171e-3, -2.728493e-3, 1.113029e-4, 6.007538e-1, -1.572185e-2, 1.552334e-2, 7.235684e-1],
])  # fmt: skip
"""Covariance of the same seven from sensor to sensor."""


@dataclass(frozen=True)
class Vettoretti2019:
    """Factory-calibrated sensors, each drawn anew (10.3390/s19235320), their covariance taken at 0.9 as there."""

    life: Time = 10 * DAY

    def sensor(self, rng: np.random.Generator) -> Noisy:
        """Return a sensor: stable, and with noise of at most 10 mg/dL."""
        root = np.linalg.cholesky(0.9 * COVARIANCE)
        while True:
            a0, a1, a2, b0, *noise = (float(x) for x in MEAN + root @ rng.standard_normal(7))
            ar2 = AR2(*noise)
            if ar2.second <= 1.0 - abs(ar2.first) - 0.02 and ar2.total_sd <= 10.0:
                return Noisy(ar2.draw(self.life, rng), 5 * MINUTE, (a0, a1, a2), (b0,))


@dataclass(frozen=True)
class CGM:
    """A monitor that shows whole mg/dL every 5 min, holds them to 39–400, and loses some: `gaps` a day of `gap` ms."""

    model: ErrorModel = field(default_factory=Vettoretti2019)
    low: float = 39.0
    high: float = 400.0
    cadence: Time = 5 * MINUTE
    gaps: float = 0.0
    gap: Time = 30 * MINUTE

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
    for start, end in _gaps(cgm, seed, subject, day - 1) + _gaps(cgm, seed, subject, day):
        offset[(at >= start) & (at < end)] = np.nan
    return gain, offset


def _put_on(model: ErrorModel, seed: Seed, subject: str) -> Time:
    """Return how long the first sensor had been worn at time 0, in whole quarters of an hour."""
    quarter = 15 * MINUTE
    return int(keyed(seed, subject, "cgm put on").integers(model.life // quarter)) * quarter


@lru_cache(256)
def _worn(model: ErrorModel, seed: Seed, subject: str, number: int) -> Sensor:
    return model.sensor(keyed(seed, subject, "cgm error", number))


def _gaps(cgm: CGM, seed: Seed, subject: str, day: int) -> list[tuple[float, float]]:
    rng = keyed(seed, subject, "cgm gap", day)
    starts = day * DAY + DAY * rng.random(rng.poisson(cgm.gaps))
    return [(start, start + cgm.gap * rng.exponential()) for start in starts]
