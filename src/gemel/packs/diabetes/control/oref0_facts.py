"""What an oref0-style decision is made from: insulin as small boluses, deltas, deviations, carbs on board, autosens.

Written anew after openaps/oref0 (MIT) lib/iob, lib/glucose-get-last.js, lib/determine-basal/{cob,autosens}.js and
lib/meal/total.js, @ 5c56514 and 10f9e27. Its roundings are kept: they reach the decision. Not a medical device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.control.activity import Curve

PIECE = 0.05
"""U: a temporary basal counts as boluses of this size, spread evenly over it."""

TICKS = 48
"""Five-minute steps of a forecast: four hours."""

ENOUGH = 36
"""Readings below which carbohydrate on board is not reckoned: three hours."""


def near(value: float | np.ndarray, digits: int = 0) -> np.ndarray:
    """Return *value* rounded half up, as JavaScript rounds."""
    scale = 10.0**digits
    return np.floor(np.asarray(value, dtype=float) * scale + 0.5) / scale


@dataclass(frozen=True)
class Temp:
    """A temporary basal: from `at`, `minutes` long, U/h."""

    at: Time
    minutes: float
    rate: float


@dataclass(frozen=True)
class Insulin:
    """Boluses, real or stood in for: `units` (k,) U at `at` (k,) ms; and the curve they act by."""

    at: np.ndarray
    units: np.ndarray
    curve: Curve
    action_min: float

    def totals(self, when: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return insulin on board (U), activity (U/min) and on board by temporary basals, each at *when* (n,) ms."""
        ago = near((when - self.at[:, None]) / MINUTE)
        live = (self.at[:, None] <= when) & (self.at[:, None] > when - self.action_min * MINUTE)
        live &= ago < self.action_min
        # Ages are whole minutes, so the curve is read from a table.
        whole = np.arange(np.floor(self.action_min) + 1)
        age = np.clip(ago, 0, whole[-1]).astype(np.int64)
        own = np.where(live, self.units[:, None] * self.curve.left(whole)[age], 0.0)
        acts = np.where(live, self.units[:, None] * self.curve.activity(whole)[age], 0.0)
        return near(own.sum(0), 3), near(acts.sum(0), 4), near(own[self.units < 0.1].sum(0), 3)


def insulin(
    boluses: Sequence[tuple[Time, float]],
    temps: Sequence[Temp],
    scheduled: Callable[[Time], float],
    now: Time,
    curve: Curve,
    action_min: float,
    zero_min: float = 0.0,
) -> Insulin:
    """Return the boluses and what temps gave beyond the scheduled basal (U/h); then *zero_min* of none, from a minute on.

    A temp is cut where the next begins, every half hour, and on the hours where the scheduled basal may change.
    """
    rows = [own for own in boluses if own[0] <= now]
    ordered = [*sorted(temps, key=lambda own: own.at), Temp(now + MINUTE, zero_min, 0.0)]
    for temp, after in zip(ordered, [*(own.at for own in ordered[1:]), None], strict=True):
        end = temp.at + temp.minutes * MINUTE
        rows += _small(temp, end if after is None else min(end, after), scheduled)
    at, units = np.array(sorted(rows), dtype=float).reshape(-1, 2).T
    return Insulin(at, units, curve, action_min)


def _small(temp: Temp, end: float, scheduled: Callable[[Time], float]) -> list[tuple[Time, float]]:
    """Return the small boluses that a temp stands for."""
    turns = [
        h for h in np.arange(temp.at // HOUR * HOUR + HOUR, end, HOUR) if scheduled(int(h)) != scheduled(int(h) - 1)
    ]
    starts = sorted({*np.arange(temp.at, end, 30 * MINUTE), *turns})
    rows: list[tuple[Time, float]] = []
    if not starts:
        return rows
    for start, stop in zip(starts, [*starts[1:], end], strict=True):
        minutes, beyond = (stop - start) / MINUTE, temp.rate - scheduled(int(start))
        piece = -PIECE if beyond < 0 else PIECE
        count = int(near(near(beyond * minutes * 10 / 6) / 100 / piece))
        rows += [(int(start + j * minutes / count * MINUTE), piece) for j in range(count)]
    return rows


@dataclass(frozen=True)
class Status:
    """The last reading `glucose` mg/dL at `at`, and its change per five minutes over 5, 15 and 40 minutes."""

    glucose: float
    delta: float
    short: float
    long: float
    at: Time


def status(at: np.ndarray, glucose: np.ndarray) -> Status:
    """Return the status of readings (k,), newest last; an interval without readings has no change."""
    ago = near((at[-1] - at[:-1]) / MINUTE)
    rates = (glucose[-1] - glucose[:-1]) / np.maximum(ago, 1.0) * 5
    good = glucose[:-1] > 38

    def mean(low: float, high: float) -> float:
        chosen = rates[good & (ago > low) & (ago < high)]
        return float(near(chosen.mean(), 2)) if len(chosen) else 0.0

    return Status(float(glucose[-1]), mean(2.5, 7.5), mean(2.5, 17.5), mean(17.5, 42.5), int(at[-1]))


@dataclass(frozen=True)
class Deviations:
    """How glucose moved beyond insulin's effect, per five minutes, now and over the last 45 min, and the slopes to now."""

    current: float = 0.0
    most: float = 0.0
    least: float = 999.0
    from_most: float = 0.0
    from_least: float = 999.0


def _moves(at: np.ndarray, glucose: np.ndarray, own: Insulin, sens: float) -> tuple[np.ndarray, np.ndarray]:
    """Return, for all readings but the three oldest, newest first, deviations over 5 and 15 min per five minutes."""
    when, value = at[::-1], glucose[::-1]
    impact = near(-own.totals(when[:-3])[1] * sens * 5, 2)
    return near(value[:-3] - value[1:-2] - impact, 2), near(near((value[:-3] - value[3:]) / 3, 2) - impact, 3)


def deviations(at: np.ndarray, glucose: np.ndarray, now: Time, own: Insulin, sens: float) -> Deviations:
    """Return the deviations of the last 45 min of readings; *sens* in mg/dL per U."""
    recent = (at >= now - 45 * MINUTE) & (at <= now)
    if recent.sum() < 4:
        return Deviations()
    _, average = _moves(at[recent], glucose[recent], own, sens)
    steps = (at[recent][::-1][: len(average)] - now) / (5 * MINUTE)
    slopes = (average - average[0]) / np.where(steps < 0, steps, -np.inf)
    most, least, from_most, from_least = 0.0, 999.0, 0.0, 999.0
    for value, slope in zip(average[1:], slopes[1:], strict=True):
        if value > most:
            most, from_most = float(value), min(0.0, float(slope))
        if value < least:
            least, from_least = float(value), max(0.0, float(slope))
    current, most, least = (float(near(x, 2)) for x in (average[0], most, least))
    return Deviations(current, most, least, float(near(from_most, 3)), float(near(from_least, 3)))


@dataclass(frozen=True)
class Carbs:
    """Carbohydrate of the last six hours that still counts (g), what of it is on board (g), the last meal's time."""

    grams: float = 0.0
    on_board: float = 0.0
    last: Time = 0


def carbs(
    meals: Sequence[tuple[Time, float]],
    at: np.ndarray,
    glucose: np.ndarray,
    now: Time,
    own: Insulin,
    sens: float,
    ratio: float,
    least: float = 8.0,
    most: float = 120.0,
) -> Carbs:
    """Return carbohydrate on board: each five minutes absorb what the deviation stands for, at least *least* mg/dL."""
    recent = sorted(((t, g) for t, g in meals if now - 6 * HOUR < t <= now and g >= 1), reverse=True)
    if not recent or len(at) < 4:
        return Carbs()
    fast, average = _moves(at, glucose, own, sens)
    used = np.maximum(np.maximum(fast, average[0] / 2), least) * ratio / sens
    total = on_board = spent = 0.0
    for eaten, grams in recent:
        total += grams
        mine = max(0.0, total - float(used[at[::-1][: len(used)] > eaten].sum()))
        spent = spent + grams if mine < on_board else 0.0
        on_board = max(on_board, mine)
    on_board = float(near(min(on_board, most))) if len(at) >= ENOUGH else 0.0
    return Carbs(total - spent, on_board, recent[0][0])


def autosens(
    meals: Sequence[tuple[Time, float]],
    at: np.ndarray,
    glucose: np.ndarray,
    own: Insulin,
    sens: float,
    ratio: float,
    basal: float,
    bounds: tuple[float, float] = (0.7, 1.2),
) -> float:
    """Return how much more insulin than usual (1) the last day's non-meal deviations ask for, within *bounds*.

    The median of the last 96 deviations outside meals, with one of zero for each hour and up to twelve more where few.
    """
    if len(at) < 5:
        return 1.0
    day = at >= at[-1] - DAY
    when, value = at[day], glucose[day]
    if len(when) < 5:
        return 1.0
    fast, _ = _moves(when, value, own, sens)
    kept = _outside_meals(when[3:], fast[::-1], own, sorted(meals), ratio / sens, basal)[-96:]
    kept += [0.0] * int(near((1 - len(kept) / 96) * 12))
    ordered, middle = np.sort(kept), len(kept) // 2
    half = float(ordered[middle]) if len(kept) % 2 == 0 else float(ordered[middle : middle + 2].mean())
    return float(near(np.clip(1 + half * 12 / sens / basal, *bounds), 2))


def _outside_meals(
    at: np.ndarray,
    moved: np.ndarray,
    own: Insulin,
    meals: Sequence[tuple[Time, float]],
    grams_per: float,
    basal: float,
) -> list[float]:
    """Return the deviations that are neither a meal's nor, with much insulin on board, an unannounced one's."""
    kept: list[float] = []
    waiting, on_board, eating, rising, since = list(meals), 0.0, False, False, 999
    iob = own.totals(at)[0]
    for when, move, active in zip(at, moved, iob, strict=True):
        while waiting and waiting[0][0] < when:
            on_board, eating, since = on_board + waiting.pop(0)[1], True, 0
        since += 1
        on_board = max(0.0, on_board - max(float(move), 8.0) * grams_per)
        if eating:
            eating = on_board >= 0.5 or (move > 0 and since <= 60)
        elif active > 2 * basal or rising or since < 9:
            rising = bool(move > 0)
        else:
            kept.append(float(move))
        if when // MINUTE % 60 < 5:
            kept.append(0.0)
    return kept
