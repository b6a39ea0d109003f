"""What can be read off a past at a moment, for any twin: last values, trends, exposures, habits, the clock."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from gemel.bank.replica import Replica
from gemel.facts import DAY, MINUTE, Time

STEP: Time = 5 * MINUTE
LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 18, 24)
WINDOW: Time = 8 * DAY
"""How far back features look."""

SPANS = ((0, 15), (0, 30), (30, 60), (60, 120), (120, 240))
"""Minutes back over which exposures are summed."""


class Past:
    """One twin's readings of *signal* and all that went with them, ready to be asked about any moment."""

    def __init__(self, replica: Replica, signal: str, since: Time | None = None) -> None:
        self._replica, self._signal, self._since_then = replica, signal, since
        self.times, self.values = replica.series(signal, since)

    @cached_property
    def _origins(self) -> dict[Time, Time]:
        """Return the last reading of each minute."""
        return {at // MINUTE * MINUTE: at for at in self.times.tolist()}

    @property
    def minutes(self) -> set[Time]:
        """Return the minutes in which there is a reading."""
        return set(self._origins)

    @cached_property
    def width(self) -> int:
        """Return how many features there are."""
        return self.features(self.times[:1]).shape[1] if len(self.times) else 0

    def origin(self, minute: Time) -> Time:
        """Return when, in that minute, the last reading was taken."""
        return self._origins[minute]

    def value(self, at: np.ndarray) -> np.ndarray:
        """Return the last reading at or before each moment; the first one before there was any."""
        index = np.searchsorted(self.times, at, side="right") - 1
        found: np.ndarray = self.values[np.maximum(index, 0)]
        return found

    def truth(self, at: np.ndarray, every: Time, ahead: int) -> np.ndarray:
        """Return (n, ahead) the reading within half a step of each later moment, NaN where there is none."""
        wanted = at[:, None] + every * np.arange(1, ahead + 1)[None]
        if not len(self.times):
            return np.full(wanted.shape, np.nan)
        right = np.clip(np.searchsorted(self.times, wanted), 0, len(self.times) - 1)
        left = np.maximum(right - 1, 0)
        near = np.where(abs(self.times[left] - wanted) <= abs(self.times[right] - wanted), left, right)
        return np.where(abs(self.times[near] - wanted) <= every // 2, self.values[near], np.nan)

    def features(self, at: np.ndarray) -> np.ndarray:
        """Return features (n, width) of each moment from what was true before it."""
        now = self.value(at)
        lags = np.column_stack([now - self.value(at - STEP * lag) for lag in LAGS])
        longer = np.column_stack([self._mean(at, hours) - now for hours in (3, 24)])
        span = self._extremes(at) - now[:, None]
        parts = [now[:, None], lags, longer, span, self._exposures(at), self._others(at), self._habits(at), _phase(at)]
        return np.concatenate(parts, axis=1)

    def _mean(self, at: np.ndarray, hours: int) -> np.ndarray:
        total = np.concatenate([[0.0], np.cumsum(self.values)])
        first, last = self._window(self.times, at, hours * 60)
        return np.where(last > first, (total[last] - total[first]) / np.maximum(last - first, 1), self.value(at))

    def _extremes(self, at: np.ndarray) -> np.ndarray:
        steps = np.stack([self.value(at - STEP * lag) for lag in range(25)])
        return np.column_stack([steps.min(axis=0), steps.max(axis=0)])

    @staticmethod
    def _window(times: np.ndarray, at: np.ndarray, minutes: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the index range of what happened in (at - minutes, at]."""
        return np.searchsorted(times, at - int(minutes * MINUTE), side="right"), np.searchsorted(
            times, at, side="right"
        )

    @cached_property
    def _doses(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return per lever the times and amounts given; a rate as amounts at the end of every step. Conditions are no doses."""
        levers = set(self._replica.type.levers) - set(self._replica.type.conditions)
        return {name: self._given(name) for name in sorted(levers)}

    def _given(self, lever: str) -> tuple[np.ndarray, np.ndarray]:
        doses = [dose for dose in self._replica.plan() if dose.lever == lever]
        given = (
            self._steps(lever) if self._replica.type.levers[lever].holds else [(d.at, float(d.amount)) for d in doses]
        )
        return np.array([t for t, _ in given], np.int64), np.array([a for _, a in given], float)

    def _steps(self, lever: str) -> list[tuple[Time, float]]:
        """Return a held rate as an amount at the end of every step, so that nothing is counted before it flowed."""
        rates = [d for d in self._replica.plan() if d.lever == lever]
        if not rates or not len(self.times):
            return []
        times = np.arange(rates[0].at + STEP, max(int(self.times[-1]), rates[-1].at) + 1, STEP)
        changed = np.array([d.at for d in rates], np.int64)
        amounts = np.array([float(d.amount) for d in rates])
        held = amounts[np.maximum(np.searchsorted(changed, times - STEP, side="right") - 1, 0)]
        return [(int(t), float(rate) * STEP / (60 * MINUTE)) for t, rate in zip(times, held, strict=True)]

    def _sum(self, lever: str, at: np.ndarray, minutes: float) -> np.ndarray:
        times, amounts = self._doses[lever]
        total = np.concatenate([[0.0], np.cumsum(amounts)])
        first, last = self._window(times, at, minutes)
        given: np.ndarray = total[last] - total[first]
        return given

    def exposures(self, at: np.ndarray) -> np.ndarray:
        """Return the amount of each exposure over the last 0–30, 30–60, 60–120 and 120–240 min."""
        groups = self._replica.type.exposures or {name: (name,) for name in self._doses}
        columns = [
            sum(self._sum(name, at, far) - self._sum(name, at, near) for name in names)
            for names in groups.values()
            for near, far in SPANS[1:]
        ]
        return np.column_stack(columns)

    def _exposures(self, at: np.ndarray) -> np.ndarray:
        columns = []
        for name in self._doses:
            usual = self._usual(name, at)
            columns += [(self._sum(name, at, far) - self._sum(name, at, near)) / usual for near, far in SPANS]
            if not self._replica.type.levers[name].holds:
                columns.append(np.minimum(self._since(name, at), 300.0))
        return np.column_stack(columns)

    def _usual(self, lever: str, at: np.ndarray) -> np.ndarray:
        """Return the amount of an ordinary day of the last week, of one lever; half a day of data at least is assumed."""
        times, _ = self._doses[lever]
        if not len(times):
            return np.ones(len(at))
        days = np.clip((at - times[0]) / DAY, 0.5, 7.0)
        given = self._sum(lever, at, 7 * 1440)
        return np.where(given > 0, given / days, 1.0)

    def _since(self, lever: str, at: np.ndarray) -> np.ndarray:
        """Return minutes since the last dose that was worth more than a fiftieth of the largest."""
        times, amounts = self._doses[lever]
        large = times[amounts > 0.02 * amounts.max()] if len(times) else times
        if not len(large):
            return np.full(len(at), 300.0)
        index = np.searchsorted(large, at, side="right") - 1
        return np.where(index >= 0, (at - large[np.maximum(index, 0)]) / MINUTE, 300.0)

    def _others(self, at: np.ndarray) -> np.ndarray:
        """Return other signals' last 15, 30 and 120 min against their last day, in its standard deviations."""
        columns = [np.zeros(len(at))]
        for name in sorted(set(self._replica.type.signals) - {self._signal}):
            times, values = self._replica.series(name, self._since_then)
            columns += _standing(times, np.sqrt(values), at)
        return np.column_stack(columns)

    def _habits(self, at: np.ndarray) -> np.ndarray:
        """Return what the next hour brought at this time of day on the days before, shrunk towards nothing."""
        names = sorted(self._doses)
        total, weight = np.zeros((len(at), len(names) + 2)), np.zeros(len(at))
        for day in range(1, 8):
            then = at - day * DAY
            seen = (then >= self.times[0]).astype(float) if len(self.times) else np.zeros(len(at))
            later = [np.minimum(then + hours * 30 * MINUTE, at) for hours in (1, 2)]
            change = [self.value(moment) - self.value(then) for moment in later]
            given = [self._sum(name, then + 60 * MINUTE, 60) / self._usual(name, at) for name in names]
            total += seen[:, None] * np.column_stack([*change, *given])
            weight += seen
        return total / (weight + 1.0)[:, None]


def _standing(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    total, square = (np.concatenate([[0.0], np.cumsum(v)]) for v in (values, values**2))

    def mean(of: np.ndarray, minutes: float) -> tuple[np.ndarray, np.ndarray]:
        first, last = Past._window(times, at, minutes)
        return (of[last] - of[first]) / np.maximum(last - first, 1), last > first

    day, known = mean(total, 1440)
    spread = np.sqrt(np.maximum(mean(square, 1440)[0] - day**2, 0.0))
    found = []
    for minutes in (15, 30, 120):
        recent, there = mean(total, minutes)
        found.append(np.where(there & known & (spread > 0), (recent - day) / np.where(spread > 0, spread, 1.0), 0.0))
    return found


def _phase(at: np.ndarray) -> np.ndarray:
    """Return the time of day as two harmonics, (n, 4)."""
    angle = 2 * np.pi * (at % DAY) / DAY
    return np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
