"""How well glucose is controlled: the consensus metrics of CGM, from readings with gaps.

Ranges, CV and the need for 70 % of 14 days: Battelino et al. 2019 (10.2337/dci19-0028). GMI: Bergenstal et al. 2018
(10.2337/dc18-1581). LBGI and HBGI: Kovatchev et al. 2006 (10.2337/dc06-1085). GRI: Klonoff et al. 2023
(10.1177/19322968221085273). Targets are those for most adults with type 1 or 2 diabetes (10.2337/dci19-0028); older,
frail and pregnant people have others.

Every function takes glucose in mg/dL along the last axis, NaN where there is none, and how long each reading speaks for
(`weights`, by default all the same); it returns NaN where nothing was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.facts import DAY, MINUTE, Time

MGDL_PER_MMOL = 18.018
"""mg/dL in 1 mmol/L of glucose, molar mass 180.18 g/mol."""

Weights = np.ndarray | None


class Function(Protocol):
    """A metric of glucose (…, n) mg/dL; the last axis goes."""

    def __call__(self, glucose: np.ndarray, weights: Weights = None) -> np.ndarray: ...


@dataclass(frozen=True)
class Metric:
    """A number to compare lives by: its unit, which way is better, how it is computed, the target for most adults.

    `better` is None where neither way is: a lower mean may be fewer highs or more lows. While what `outweighs` gets worse, no
    other number is called better.
    """

    unit: str
    better: Literal["higher", "lower"] | None
    function: Function
    label: str = ""
    target: float | None = None
    outweighs: bool = False


@dataclass(frozen=True)
class Measured:
    """A metric of one person: `present` is the fraction of readings there, `sufficient` what the consensus asks for."""

    name: str
    value: float
    unit: str
    present: float
    days: float
    sufficient: bool


def mgdl(values: Sequence[float | None] | np.ndarray, unit: str = "mg/dL") -> np.ndarray:
    """Return glucose in mg/dL, NaN where a reading is None; refuse other units and what cannot be glucose."""
    numbers = np.array(values, dtype=float)
    if unit == "mmol/L":
        numbers = numbers * MGDL_PER_MMOL
    elif unit != "mg/dL":
        raise unknown("unit of glucose", unit, ["mg/dL", "mmol/L"])
    if np.any(numbers <= 0.0) or np.any(np.isinf(numbers)):
        raise BadInput(f"glucose must be finite and above 0; found {numbers[(numbers <= 0) | np.isinf(numbers)][0]:g}")
    return numbers


def speaks_for(at: Sequence[Time] | np.ndarray, cadence: Time = 5 * MINUTE) -> np.ndarray:
    """Return for how many ms each reading, at rising times, speaks: until the next, at most twice the cadence."""
    times = np.asarray(at, np.int64)
    until_next = np.diff(times, append=times[-1:] + cadence)
    return np.minimum(until_next, 2 * cadence).astype(float)


def present(glucose: np.ndarray) -> np.ndarray:
    """Return the fraction of readings that are there."""
    return np.asarray(np.mean(~np.isnan(glucose), axis=-1))


def sufficient(glucose: np.ndarray, cadence: Time = 5 * MINUTE, days: float = 14.0, least: float = 0.7) -> np.ndarray:
    """Return whether at least *days* are covered and *least* of them read (10.2337/dci19-0028: 14 days, 70 %)."""
    covered = glucose.shape[-1] * cadence >= days * DAY
    return np.asarray(covered & (present(glucose) >= least))


def measure(
    name: str, values: Sequence[float | None] | np.ndarray, unit: str = "mg/dL", *,
    at: Sequence[Time] | None = None, cadence: Time = 5 * MINUTE,
) -> Measured:  # fmt: skip
    """Return one metric of one person's readings: on a grid with None for gaps, or with the times of each."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    glucose = mgdl(values, unit)
    if at is None:
        weights, span = None, len(glucose) * cadence
    else:
        weights, span = speaks_for(at, cadence), int(at[-1] - at[0] + cadence) if len(at) else 0
    there = float(np.sum(~np.isnan(glucose))) * cadence / span if span else 0.0
    enough = span >= 14 * DAY and there >= 0.7
    value = float(METRICS[name].function(glucose, weights))
    return Measured(name, value, METRICS[name].unit, min(there, 1.0), span / DAY, enough)


def share(glucose: np.ndarray, where: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the fraction of the time read in which *where* holds."""
    return _mean(np.where(np.isnan(glucose), np.nan, where), weights)


def _mean(values: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the weighted mean along the last axis of what is there."""
    there = ~np.isnan(values)
    weight = there * (np.ones(values.shape[-1]) if weights is None else weights)
    total = np.sum(weight, axis=-1)
    summed = np.sum(np.where(there, values, 0.0) * weight, axis=-1)
    return np.asarray(np.divide(summed, total, out=np.full(np.shape(total), np.nan), where=total > 0.0))


def _between(low: float, high: float) -> Function:
    """Return the fraction of time with low <= glucose < high, in whole mg/dL: the consensus puts 180 in and 181 out.

    Rounding first also puts 10.0 and 13.9 mmol/L (180.2 and 250.5 mg/dL) where the consensus does.
    """

    def fraction(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
        whole = np.floor(glucose + 0.5)
        return share(glucose, (whole >= low) & (whole < high), weights)

    return fraction


very_low = _between(-np.inf, 54.0)
low = _between(54.0, 70.0)
in_range = _between(70.0, 181.0)
tight_range = _between(70.0, 141.0)
high = _between(181.0, 251.0)
very_high = _between(251.0, np.inf)
below_range = _between(-np.inf, 70.0)
above_range = _between(181.0, np.inf)


def mean(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return mean glucose, mg/dL."""
    return _mean(glucose, weights)


def sd(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the standard deviation of glucose, mg/dL (of the readings there, not of a population behind them)."""
    return np.asarray(np.sqrt(_mean((glucose - _mean(glucose, weights)[..., None]) ** 2, weights)))


def cv(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the coefficient of variation, %; above 36 is unstable (10.2337/dci19-0028)."""
    return np.asarray(100.0 * sd(glucose, weights) / mean(glucose, weights))


def gmi(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the glucose management indicator, %: 3.31 + 0.02392 × mean mg/dL (10.2337/dc18-1581)."""
    return 3.31 + 0.02392 * mean(glucose, weights)


def _scaled_risk(glucose: np.ndarray) -> np.ndarray:
    """Return f(BG) = 1.509 (ln(BG)^1.084 - 5.381): zero near 112.5 mg/dL, negative below."""
    return np.asarray(1.509 * (np.log(np.maximum(glucose, 1.0)) ** 1.084 - 5.381))


def lbgi(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the low blood glucose index: the mean of 10 f² where f < 0."""
    return _mean(10.0 * np.minimum(_scaled_risk(glucose), 0.0) ** 2, weights)


def hbgi(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the high blood glucose index: the mean of 10 f² where f > 0."""
    return _mean(10.0 * np.maximum(_scaled_risk(glucose), 0.0) ** 2, weights)


def gri(glucose: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return the glycemia risk index, 0 to 100: 3.0 VLow + 2.4 Low + 1.6 VHigh + 0.8 High, in % of the time."""
    lows = 3.0 * very_low(glucose, weights) + 2.4 * low(glucose, weights)
    highs = 1.6 * very_high(glucose, weights) + 0.8 * high(glucose, weights)
    return np.asarray(np.minimum(100.0 * (lows + highs), 100.0))


METRICS: MappingProxyType[str, Metric] = MappingProxyType({
    "time_in_range": Metric("fraction", "higher", in_range, "70–180 mg/dL", 0.70),
    "time_in_tight_range": Metric("fraction", "higher", tight_range, "70–140 mg/dL"),
    "time_below_range": Metric("fraction", "lower", below_range, "below 70 mg/dL", 0.04, outweighs=True),
    "time_very_low": Metric("fraction", "lower", very_low, "below 54 mg/dL", 0.01, outweighs=True),
    "time_low": Metric("fraction", "lower", low, "54–69 mg/dL"),
    "time_high": Metric("fraction", "lower", high, "181–250 mg/dL"),
    "time_very_high": Metric("fraction", "lower", very_high, "above 250 mg/dL", 0.05),
    "time_above_range": Metric("fraction", "lower", above_range, "above 180 mg/dL", 0.25),
    "mean": Metric("mg/dL", None, mean, "mean glucose"),
    "sd": Metric("mg/dL", "lower", sd, "standard deviation"),
    "cv": Metric("%", "lower", cv, "coefficient of variation", 36.0),
    "gmi": Metric("%", None, gmi, "glucose management indicator"),
    "lbgi": Metric("", "lower", lbgi, "low blood glucose index", outweighs=True),
    "hbgi": Metric("", "lower", hbgi, "high blood glucose index"),
    "gri": Metric("", "lower", gri, "glycemia risk index"),
})  # fmt: skip
"""The metrics by the names that `compare` and reports use."""
