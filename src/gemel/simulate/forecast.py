"""Forecasts from a belief: what the sensor will read, in quantiles."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from gemel.dynamics import Belief, Dynamics, Plan, Seed
from gemel.facts import Time
from gemel.intervention import LEVELS, Forecast


def samples(
    dynamics: Dynamics, belief: Belief, plans: Sequence[Plan], length: Time, seed: Seed, signal: str, every: Time
) -> np.ndarray:
    """Return (time, twin, member) draws of what *signal* will read, sensor noise included."""
    variable = sensed(dynamics, signal)
    _, way = dynamics.advance(belief, plans, belief.at + length, seed, record=[variable], every=every)
    return with_noise(dynamics, belief, np.asarray(way.values[variable]), signal, seed)


def with_noise(dynamics: Dynamics, belief: Belief, course: np.ndarray, signal: str, seed: Seed) -> np.ndarray:
    """Return *course* (time, twin, member) with the sensor's white noise, keyed by twin and time."""
    sd = np.asarray(dynamics.observe(belief)[signal].sd)
    starts = zip(belief.subjects, belief.at, strict=True)
    noise = [_noise(subject.id, int(at), seed, course) for subject, at in starts]
    noisy: np.ndarray = course + sd[None] * np.stack(noise, axis=1)
    return noisy


def sensed(dynamics: Dynamics, signal: str) -> str:
    """Return the variable that a sensor of *dynamics* reads."""
    found: str = dynamics.sensors[signal].variable  # type: ignore[attr-defined]  # every dynamics with sensors names them
    return found


def _noise(twin: str, at: Time, seed: Seed, course: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng([seed, zlib.crc32(twin.encode()), at // 60_000, zlib.crc32(b"reading")])
    return rng.standard_normal((course.shape[0], course.shape[2])).astype(np.float32)


def summarise(
    draws: np.ndarray, signal: str, unit: str, made_at: Time, every: Time, low: float, high: float
) -> Forecast:
    """Return draws (time, member) as a forecast, no quantile outside what the sensor can show."""
    at = tuple(made_at + every * (i + 1) for i in range(draws.shape[0]))
    quantiles = np.quantile(draws, LEVELS, axis=1)
    return Forecast(signal, unit, made_at, at, np.clip(draws.mean(axis=1), low, high), np.clip(quantiles, low, high))
