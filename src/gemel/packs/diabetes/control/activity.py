"""How insulin acts: curves, insulin beyond the profile's basal as pulses, insulin on board. Not a medical device.

Exponential curve: LoopKit/Loop issue 388 (tau, a, S); bilinear curve: openaps/oref0 @ 88cf032 lib/iob/calculate.js (MIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gemel.dynamics import Plan
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.control.seam import Profile

STEP = 5 * MINUTE
"""Insulin that runs for longer than this (and 5 %) counts as one pulse every five minutes, as in Loop."""


class Curve(Protocol):
    """What part of a dose is still to act, and how strongly it acts, so many minutes after it was given."""

    @property
    def delay_min(self) -> float:
        """Return the minutes before it acts at all."""
        ...

    def left(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part still to act, 1 at first, 0 in the end."""
        ...

    def activity(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part that acts per minute."""
        ...


@dataclass(frozen=True)
class Exponential:
    """The exponential curve: acts for `action_min`, most at `peak_min` (below half of it), after `delay_min`."""

    action_min: float = 360.0
    peak_min: float = 75.0
    delay_min: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a peak that the curve cannot have."""
        if not 0 < self.peak_min < self.action_min / 2:
            raise ValueError(
                f"insulin that acts for {self.action_min:g} min peaks before {self.action_min / 2:g} min, "
                f"not at {self.peak_min:g}"
            )

    def _shape(self) -> tuple[float, float, float]:
        end, peak = self.action_min, self.peak_min
        tau = peak * (1 - peak / end) / (1 - 2 * peak / end)
        a = 2 * tau / end
        return tau, a, 1 / (1 - a + (1 + a) * float(np.exp(-end / tau)))

    def left(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part still to act, 1 at first, 0 in the end."""
        tau, a, S = self._shape()
        t = np.clip(np.asarray(minutes, dtype=float) - self.delay_min, 0.0, self.action_min)
        rest = (t * t / (tau * self.action_min * (1 - a)) - t / tau - 1) * np.exp(-t / tau) + 1
        return np.where(t >= self.action_min, 0.0, 1 - S * (1 - a) * rest)

    def activity(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part that acts per minute."""
        tau, _, S = self._shape()
        t = np.clip(np.asarray(minutes, dtype=float) - self.delay_min, 0.0, self.action_min)
        return S / tau**2 * t * (1 - t / self.action_min) * np.exp(-t / tau)


@dataclass(frozen=True)
class Bilinear:
    """oref0's older curve: activity rises to 75 min and falls to 180 min, stretched from three hours to `action_h`."""

    action_h: float = 3.0
    delay_min: float = 0.0

    def left(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part still to act; oref0's fitted polynomials, within 0.03 of what `activity` leaves."""
        t = np.maximum(np.asarray(minutes, dtype=float) - self.delay_min, 0.0) * 3 / self.action_h
        up, down = t / 5 + 1, (t - 75) / 5
        before = 1 + 0.001852 * up - 0.001852 * up * up
        after = 0.55556 - 0.054233 * down + 0.001323 * down * down
        return np.where(t < 75, before, np.where(t < 180, after, 0.0))

    def activity(self, minutes: np.ndarray) -> np.ndarray:
        """Return the part that acts per minute."""
        t = np.maximum(np.asarray(minutes, dtype=float) - self.delay_min, 0.0) * 3 / self.action_h
        most = 2 / (self.action_h * 60)
        return np.where(t < 75, most * t / 75, np.where(t < 180, most * (1 - (t - 75) / 105), 0.0))


def curve_of(profile: Profile, delay_min: float = 0.0) -> Exponential:
    """Return the exponential curve that the profile's action time and peak ask for."""
    return Exponential(profile.action_h * 60, profile.peak_min, delay_min)


@dataclass(frozen=True)
class Net:
    """Insulin beyond the profile's basal: `units` (k,) U given evenly from `start` to `end` (k,) ms; below 0 is a pause."""

    start: np.ndarray
    end: np.ndarray
    units: np.ndarray


def segments(plan: Plan, until: Time) -> list[tuple[Time, Time, float]]:
    """Return the basal segments (start, end, U/h) of a plan up to *until*; each rate runs until the next."""
    rates = sorted(((dose.at, float(dose.amount)) for dose in plan if dose.lever == "basal"), key=lambda own: own[0])
    ends = [*(at for at, _ in rates), until][1:]
    spans = ((at, min(end, until), rate) for (at, rate), end in zip(rates, ends, strict=False))
    return [own for own in spans if own[0] < own[1]]


def hours(profile: Profile, start: Time, end: Time) -> list[tuple[Time, Time, int]]:
    """Return the pieces (start, end, hour of the person's day) of a span, cut at the hours of the person's day."""
    cuts, at = [start], start - (start + profile.offset) % HOUR + HOUR
    while at < end:
        cuts.append(at)
        at += HOUR
    return [(a, b, profile.hour(a)) for a, b in zip(cuts, [*cuts[1:], end], strict=True)]


def net(plan: Plan, profile: Profile, until: Time) -> Net:
    """Return insulin beyond the profile's basal up to *until*; before the plan's first rate the profile ran."""
    rows = [(d.at, d.at, float(d.amount)) for d in plan if d.lever == "bolus" and d.at <= until]
    for start, end, rate in segments(plan, until):
        begin = max(start, until - 2 * DAY)
        for a, b, hour in hours(profile, begin, end) if begin < end else ():
            rows.append((a, b, (rate - profile.basal[hour]) * (b - a) / HOUR))
    table = np.array([row for row in rows if row[2] != 0.0], dtype=float).reshape(-1, 3)
    return Net(table[:, 0], table[:, 1], table[:, 2])


@dataclass(frozen=True)
class Pulses:
    """Insulin as pulses of `units` (k,) U at `at` (k,) ms; `began` is when the dose that a pulse is part of began."""

    at: np.ndarray
    units: np.ndarray
    began: np.ndarray


def pulses(doses: Net) -> Pulses:
    """Return the doses as pulses: at once where they take 5.25 min or less, else one for every five minutes."""
    at, units, began = [], [], []
    for start, end, amount in zip(doses.start, doses.end, doses.units, strict=True):
        span = end - start
        offsets = np.arange(0.0, span, STEP) if span > 1.05 * STEP else np.zeros(1)
        shares = np.minimum(STEP, span - offsets) / span if len(offsets) > 1 else np.ones(1)
        at.append(start + offsets)
        units.append(amount * shares)
        began.append(np.full(len(offsets), start))
    if not at:
        return Pulses(np.zeros(0), np.zeros(0), np.zeros(0))
    return Pulses(np.concatenate(at), np.concatenate(units), np.concatenate(began))


def on_board(doses: Pulses, at: np.ndarray, curve: Curve) -> np.ndarray:
    """Return insulin on board in U at *at* (n,) ms, beyond the profile's basal; what is still to be given is not on board.

    As in Loop, pulses that fall within the curve's delay from now count already.
    """
    when = np.atleast_1d(np.asarray(at, dtype=float))
    since = (when - doses.at[:, None]) / MINUTE
    known = (since >= -curve.delay_min) & (when >= doses.began[:, None])
    return np.asarray(doses.units @ np.where(known, curve.left(since), 0.0))
