"""How glucose sensors err: published models, each sensor drawn when it is put on.

Breton and Kovatchev 2008 (10.1177/193229680800200517): correlated noise, a Johnson SU transform of an AR(1) at 15 min.
Facchinetti et al. 2014 (10.1109/TBME.2013.2284023) and Vettoretti et al. 2018 (10.1109/TBME.2017.2746340): calibration that
drifts since the last fingerstick, and AR(2) noise, for the Dexcom SEVEN Plus and G5.
Vettoretti et al. 2019: the same since the sensor was put on, for the G6 (10.1109/EMBC.2019.8856790) and, with its spread
from sensor to sensor, for factory-calibrated sensors (10.3390/s19235320).

Noise steps every 5 min, as the sensors sample. LoopInsighT1 steps the same coefficients every minute: then errors have the
same size and are forgotten five times as fast, which is easier on a controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from scipy.signal import lfilter

from gemel.facts import DAY, HOUR, MINUTE, Time

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
    """Noise (n,) mg/dL every `step` ms, linear in between; gain a and offset b as polynomials of days.

    The days count from the last calibration, one every `calibrated` ms, or else from when the sensor was put on; `slips`
    is by how much the gain is off after each calibration.
    """

    noise: np.ndarray
    step: Time
    a: tuple[float, ...] = (1.0,)
    b: tuple[float, ...] = (0.0,)
    calibrated: Time | None = None
    slips: tuple[float, ...] = (0.0,)

    def errs(self, age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and offset (mg/dL), noise included."""
        times, days = (np.zeros_like(age), age) if self.calibrated is None else np.divmod(age, self.calibrated)
        gain = np.polyval(self.a[::-1], days / DAY) + np.asarray(self.slips)[times]
        offset = np.polyval(self.b[::-1], days / DAY)
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
class Average:
    """The average sensor of a make: polynomials a and b, its own noise, noise common to sensors worn at once, calibration.

    Averages err less than sensors do. `gain_sd` is by how much the gain differs between calibrations (or sensors); the papers'
    averages do not tell it, and it is set so that the mean absolute relative difference is what the clinic measured.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    own: AR2
    common: AR2
    life: Time
    calibrated: Time | None = None
    gain_sd: float = 0.0

    def sensor(self, rng: np.random.Generator) -> Noisy:
        """Return a sensor."""
        noise = self.own.draw(self.life, rng) + self.common.draw(self.life, rng)
        times = 1 if self.calibrated is None else -(-self.life // self.calibrated)
        slips = tuple(float(slip) for slip in self.gain_sd * rng.standard_normal(times))
        return Noisy(noise, 5 * MINUTE, self.a, self.b, self.calibrated, slips)


FACCHINETTI_2014 = Average(
    (1.1, 2e-4), (-14.8, 0.04), AR2(1.013, -0.2135, 14.45**0.5), AR2(1.23, -0.3995, 11.3**0.5), 7 * DAY, 12 * HOUR, 0.17
)
"""Dexcom SEVEN Plus, 10.1109/TBME.2013.2284023, table 1 and eq. 13 and 14; fingersticks twice a day."""

VETTORETTI_2018_G5 = Average(
    (1.04, 0.02), (-8.75,), AR2(1.27, -0.42, 7.64**0.5), AR2(0.0, 0.0, 0.0), 7 * DAY, 12 * HOUR, 0.09
)
"""Dexcom G5, 10.1109/TBME.2017.2746340, tables 1 and 2; fingersticks twice a day."""

VETTORETTI_2019_G6 = Average(
    (1.048, -0.033, 0.002), (-6.398, 6.179, -0.448), AR2(1.22, -0.331, 3.641**0.5), AR2(1.34, -0.492, 5.538**0.5),
    10 * DAY, gain_sd=0.085,
)  # fmt: skip
"""Dexcom G6, 10.1109/EMBC.2019.8856790, tables 1 (a, b) and 2 (its own noise, the common)."""


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


SENSORS: Mapping[str, ErrorModel] = MappingProxyType({
    "Breton 2008": Breton2008(), "SEVEN Plus": FACCHINETTI_2014, "G5": VETTORETTI_2018_G5, "G6": VETTORETTI_2019_G6,
    "factory": Vettoretti2019(),
})  # fmt: skip
"""Kinds of sensors by name."""
