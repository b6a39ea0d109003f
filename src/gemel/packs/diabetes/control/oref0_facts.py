"""What an oref0-style decision is made from: insulin as small boluses, deltas, deviations, carbs on board, autosens.

Times and readings run along the last axis, newest last, NaN before the first; people, one or many, along those before it.

Written anew after openaps/oref0 (MIT) lib/iob, lib/glucose-get-last.js, lib/determine-basal/{cob,autosens}.js and
lib/meal/total.js, @ 5c56514 and 10f9e27. Its roundings are kept: they reach the decision. Not a medical device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.fft import irfft, rfft

from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.control.activity import Bilinear, Exponential

Many = float | np.ndarray
"""One number, or one for each person."""

Pairs = Sequence[tuple[Time, float]] | np.ndarray
"""Times in ms and amounts of one person, or (person, n, 2)."""

PIECE = 0.05
"""U: a temporary basal counts as boluses of this size, spread evenly over it."""

TICKS = 48
"""Five-minute steps of a forecast: four hours."""

ENOUGH = 36
"""Readings below which carbohydrate on board is not reckoned: three hours."""

QUICK = 240
"""Minutes, a whole number of which Fourier transforms are quick at."""

DEVIATIONS = 96
"""Deviations that autosens goes by: eight hours of them, which may lie further apart."""


def near(value: Many, digits: int = 0) -> np.ndarray:
    """Return *value* rounded half up, as JavaScript rounds."""
    scale = 10.0**digits
    return np.floor(np.asarray(value, dtype=float) * scale + 0.5) / scale


def each(one: Many) -> np.ndarray:
    """Return what there is one of for each person, to go with what each has many of."""
    return np.asarray(one)[..., None]


class Temp(NamedTuple):
    """A temporary basal: from `at`, `minutes` long, U/h."""

    at: Many
    minutes: Many
    rate: Many


class Small(NamedTuple):
    """Boluses, real or stood in for, of everyone: `units` (k,) U at `at` (k,) ms, of the person `who` (k,)."""

    who: np.ndarray
    at: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Insulin:
    """What was given, by person, and how it acts: `curves` (2, person or 1, minute), left and activity, by whole minutes."""

    given: Small
    curves: np.ndarray

    def acting(self, when: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return insulin on board (U) and activity (U/min), each at *when* (..., n) ms.

        Ages are whole minutes, so what was given in each minute is convolved with the curves: once for each person and
        each second of the minute that *when* falls on.
        """
        flat = when.reshape(-1, when.shape[-1])
        at = np.where(np.isnan(flat), each(np.nanmax(flat, axis=-1)), flat).astype(np.int64)
        who = np.broadcast_to(each(np.arange(len(at))), at.shape)
        kinds, kind = np.unique(who * MINUTE + at % MINUTE, return_inverse=True)
        person, kind = kinds // MINUTE, kind.reshape(at.shape)
        newest = (at // MINUTE).max(axis=1)
        back = each(newest) - at // MINUTE
        width = -(-(int(back.max()) + self.curves.shape[-1]) // QUICK) * QUICK
        everything, at_once = self._by_minute(person, newest[person] * MINUTE + kinds % MINUTE, width)
        first, later = self.curves[..., :1], self.curves.copy()
        later[..., 0] = 0.0
        if self.curves.shape[1] > 1:
            first, later = first[:, person], later[:, person]
        acts = irfft(rfft(everything) * rfft(later, width), width) + at_once * first
        on_board, activity = acts[:, kind, width - 1 - back].reshape(2, *when.shape)
        return near(on_board, 3), near(activity, 4)

    def _by_minute(self, person: np.ndarray, until: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return units of each minute up to *until* (k,) ms of *person* (k,); and those that count in it, not from the next."""
        who, at, units = self.given
        begin = np.searchsorted(who, person)
        row, one = counted(np.searchsorted(who, person, side="right") - begin)
        one += begin[row]
        ago = until[row] - at[one] + MINUTE // 2
        place, amount = row * width + width - 1 - ago // MINUTE, units[one]
        within = (ago >= 0) & (ago < width * MINUTE)
        at_once = within & (ago % MINUTE >= MINUTE // 2)
        sums = (np.bincount(place[own], amount[own], len(person) * width) for own in (within, at_once))
        everything, counted_now = (own.reshape(-1, width) for own in sums)
        return everything, counted_now

    def totals(self, when: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return insulin on board (U), activity (U/min) and on board by temporary basals, each at *when* (..., n) ms."""
        small = self.given.units < 0.1
        by_basal, _ = replace(self, given=Small(*(part[small] for part in self.given))).acting(when)
        return *self.acting(when), by_basal

    def last(self, count: int) -> np.ndarray:
        """Return when each of so many people had their last bolus of 0.1 U or more; 0 for never."""
        found, real = np.zeros(count), self.given.units >= 0.1
        np.maximum.at(found, self.given.who[real], self.given.at[real])
        return found

    def also(self, more: Small) -> Insulin:
        """Return this and *more*."""
        parts = [np.concatenate(both) for both in zip(self.given, more, strict=True)]
        order = np.argsort(parts[0], kind="stable")
        return replace(self, given=Small(*(part[order] for part in parts)))


@lru_cache(maxsize=64)
def by_minute(curve: Exponential | Bilinear, action_min: float) -> np.ndarray:
    """Return (2, minute) what of a unit is left and what acts per minute, by its age in whole minutes; at the last, nothing."""
    age = np.arange(np.floor(action_min) + 2)
    return np.where(age < action_min, [curve.left(age), curve.activity(age)], 0.0)


def insulin(
    boluses: Sequence[tuple[Time, float]],
    temps: Sequence[Temp],
    scheduled: Callable[[np.ndarray], Many],
    now: Time,
    curve: Exponential | Bilinear,
    action_min: float,
    zero_min: float = 0.0,
) -> Insulin:
    """Return one person's boluses and what temps gave beyond the scheduled basal (U/h); then *zero_min* of none.

    A temp is cut where the next begins, or a minute from now.
    """
    ordered = [*sorted(temps, key=lambda own: float(own.at)), Temp(now + MINUTE, zero_min, 0.0)]
    begin, minutes, rate = np.array(ordered, dtype=float).T
    end = np.minimum(begin + minutes * MINUTE, np.append(begin[1:], np.inf))
    at, units = np.array([own for own in boluses if own[0] <= now], dtype=float).reshape(-1, 2).T
    real = Small(np.zeros(len(at), dtype=int), at.astype(np.int64), units)
    extra = small(np.zeros(len(begin), dtype=int), begin, end, rate, lambda _, when: scheduled(when))
    return Insulin(real, by_minute(curve, action_min)[:, None]).also(extra)


def small(
    who: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    rate: np.ndarray,
    scheduled: Callable[[np.ndarray, np.ndarray], Many],
) -> Small:
    """Return the small boluses that temporary basals (k,) stand for, beyond what was *scheduled* for whom and when (U/h).

    Each is cut every half hour, and on the hours where the scheduled basal changes.
    """
    temp, starts = _cuts(who, begin, end, scheduled)
    same = np.append(temp[1:] == temp[:-1], False)
    stops = np.where(same, np.append(starts[1:], 0.0), end[temp])
    minutes, beyond = (stops - starts) / MINUTE, rate[temp] - scheduled(who[temp], starts)
    piece = np.where(beyond < 0, -PIECE, PIECE)
    count = near(near(beyond * minutes * 10 / 6) / 100 / piece).astype(int)
    own, j = counted(count)
    at = starts[own] + j * minutes[own] / count[own] * MINUTE
    return Small(who[temp[own]], at.astype(np.int64), piece[own])


def _cuts(
    who: np.ndarray, begin: np.ndarray, end: np.ndarray, scheduled: Callable[[np.ndarray, np.ndarray], Many]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where temporary basals begin, or go on after a cut: which and when, in order."""
    own, j = counted(np.maximum(np.ceil((end - begin) / (30 * MINUTE)), 0).astype(int))
    halves = begin[own] + j * 30 * MINUTE
    first = begin // HOUR * HOUR + HOUR
    turning, j = counted(np.maximum(np.ceil((end - first) / HOUR), 0).astype(int))
    hours = first[turning] + j * HOUR
    turns = np.full(len(hours), scheduled(who[turning], hours) != scheduled(who[turning], hours - 1))
    which, starts = np.concatenate([own, turning[turns]]), np.concatenate([halves, hours[turns]])
    order = np.lexsort((starts, which))
    which, starts = which[order], starts[order]
    new = np.append(True, (np.diff(which) != 0) | (np.diff(starts) != 0))[: len(which)]
    return which[new], starts[new]


def counted(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for things of which there are *count* (k,), of which each one is, and its number there from 0."""
    own = np.repeat(np.arange(len(count)), count)
    return own, np.arange(len(own)) - (np.cumsum(count) - count)[own]


@dataclass(frozen=True)
class Status:
    """The last reading `glucose` mg/dL at `at`, and its change per five minutes over 5, 15 and 40 minutes."""

    glucose: np.ndarray
    delta: np.ndarray
    short: np.ndarray
    long: np.ndarray
    at: np.ndarray


def status(at: np.ndarray, glucose: np.ndarray) -> Status:
    """Return the status of readings (..., k); an interval without readings has no change."""
    ago = near((at[..., -1:] - at[..., :-1]) / MINUTE)
    rates = (glucose[..., -1:] - glucose[..., :-1]) / np.maximum(ago, 1.0) * 5
    good = glucose[..., :-1] > 38

    def mean(low: float, high: float) -> np.ndarray:
        chosen = good & (ago > low) & (ago < high)
        return near(_sum(chosen, rates) / np.maximum(chosen.sum(axis=-1), 1), 2)

    return Status(glucose[..., -1], mean(2.5, 7.5), mean(2.5, 17.5), mean(17.5, 42.5), at[..., -1])


def _sum(chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return sums of the chosen along the last axis, one after the other; 0 of none."""
    there = np.append(np.zeros((*values.shape[:-1], 1)), np.where(chosen, values, 0.0), axis=-1)
    return np.asarray(there.cumsum(axis=-1)[..., -1])


@dataclass(frozen=True)
class Deviations:
    """How glucose moved beyond insulin's effect, per five minutes, now and over the last 45 min, and the slopes to now."""

    current: Many = 0.0
    most: Many = 0.0
    least: Many = 999.0
    from_most: Many = 0.0
    from_least: Many = 999.0


def _moves(at: np.ndarray, glucose: np.ndarray, own: Insulin, sens: Many) -> tuple[np.ndarray, ...]:
    """Return, for all readings but the three oldest, deviations over 5 and 15 min per five minutes, and insulin on board."""
    on_board, activity = own.acting(at[..., 3:])
    impact = near(-activity * each(sens) * 5, 2)
    average = near(near((glucose[..., 3:] - glucose[..., :-3]) / 3, 2) - impact, 3)
    fast = near(glucose[..., 3:] - glucose[..., 2:-1] - impact, 2)
    return np.where(np.isnan(average), np.nan, fast), average, on_board


def _since(at: np.ndarray, start: Many) -> slice:
    """Return the readings that anyone has from *start* on, and three before."""
    early = np.count_nonzero((~(at >= each(start))).reshape(-1, at.shape[-1]).all(axis=0))
    return slice(max(0, min(early, at.shape[-1] - 1) - 3), None)


def deviations(at: np.ndarray, glucose: np.ndarray, now: Many, own: Insulin, sens: Many) -> Deviations:
    """Return the deviations of the last 45 min of readings; *sens* in mg/dL per U."""
    start = np.asarray(now) - 45 * MINUTE
    chosen = _since(at, start)
    when, value = at[..., chosen], glucose[..., chosen]
    if when.shape[-1] < 4:
        return Deviations()
    recent = when >= each(start)
    average = np.where(recent[..., :-3], _moves(when, value, own, sens)[1], np.nan)
    latest = average[..., -1]
    most, least = np.zeros(latest.shape), np.full(latest.shape, 999.0)
    from_most, from_least = most, least
    for k in range(average.shape[-1] - 2, -1, -1):
        steps = (when[..., k + 3] - now) / (5 * MINUTE)
        slope = (average[..., k] - latest) / np.where(steps < 0, steps, -np.inf)
        higher, lower = average[..., k] > most, average[..., k] < least
        from_most = np.where(higher, np.minimum(0.0, slope), from_most)
        from_least = np.where(lower, np.maximum(0.0, slope), from_least)
        most, least = np.where(higher, average[..., k], most), np.where(lower, average[..., k], least)
    current = near(np.nan_to_num(latest), 2)
    return Deviations(current, near(most, 2), near(least, 2), near(from_most, 3), near(from_least, 3))


@dataclass(frozen=True)
class Carbs:
    """Carbohydrate of the last six hours that still counts (g), what of it is on board (g), the last meal's time."""

    grams: Many = 0.0
    on_board: Many = 0.0
    last: Many = 0


def carbs(
    meals: Pairs,
    at: np.ndarray,
    glucose: np.ndarray,
    now: Many,
    own: Insulin,
    sens: Many,
    ratio: Many,
    least: float = 8.0,
    most: float = 120.0,
) -> Carbs:
    """Return carbohydrate on board of *meals* (..., n, 2), ms and g.

    Each five minutes absorb what the deviation stands for, at least *least* mg/dL.
    """
    eaten, grams = _meals(meals)
    count = np.isfinite(glucose).sum(axis=-1)
    counts = (eaten > each(now) - 6 * HOUR) & (eaten <= each(now)) & (grams >= 1) & each(count >= 4)
    if not counts.any():
        return Carbs(*np.zeros((3, *count.shape)))
    chosen = _since(at, np.where(counts, eaten, np.inf).min(axis=-1))
    fast, average, _ = _moves(at[..., chosen], glucose[..., chosen], own, sens)
    used = np.maximum(np.maximum(fast, average[..., -1:] / 2), least) * each(ratio) / each(sens)
    when = at[..., chosen][..., 3:]
    total, on_board, spent = np.zeros((3, *count.shape))
    for k in range(eaten.shape[-1] - 1, -1, -1):
        total = total + np.where(counts[..., k], grams[..., k], 0.0)
        left = np.maximum(0.0, total - _sum((when > eaten[..., k, None]) & (used > 0), used))
        again = np.where(left < on_board, spent + grams[..., k], 0.0)
        spent = np.where(counts[..., k], again, spent)
        on_board = np.where(counts[..., k], np.maximum(on_board, left), on_board)
    on_board = np.where(count >= ENOUGH, near(np.minimum(on_board, most)), 0.0)
    return Carbs(total - spent, on_board, np.where(counts, eaten, 0.0).max(axis=-1))


def _meals(rows: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return times and grams of meals, each (..., n), oldest first."""
    meals = np.asarray(rows, dtype=float)
    meals = meals.reshape(0, 2) if meals.size == 0 and meals.ndim < 3 else meals
    order = np.lexsort((meals[..., 1], meals[..., 0]), axis=-1)
    return np.take_along_axis(meals[..., 0], order, -1), np.take_along_axis(meals[..., 1], order, -1)


def autosens(
    meals: Pairs,
    at: np.ndarray,
    glucose: np.ndarray,
    own: Insulin,
    sens: Many,
    ratio: Many,
    basal: Many,
    bounds: tuple[float, float] = (0.7, 1.2),
) -> np.ndarray:
    """Return how much more insulin than usual (1) the last day's non-meal deviations ask for, within *bounds*.

    The median of the last 96 deviations outside meals, with one of zero for each hour and up to twelve more where few.
    """
    chosen = _since(at, at[..., -1] - DAY)
    at, glucose = at[..., chosen], glucose[..., chosen]
    day = at >= at[..., -1:] - DAY
    if at.shape[-1] < 5:
        return np.ones(at.shape[:-1])
    fast, _, on_board = _moves(at, glucose, own, sens)
    moved = np.where(day[..., :-3], fast, np.nan)
    rapid = on_board > 2 * each(basal)
    values, outside = _outside_meals(at[..., 3:], moved, rapid, *_meals(meals), np.asarray(ratio) / np.asarray(sens))
    kept = outside & (outside[..., ::-1].cumsum(axis=-1)[..., ::-1] <= DEVIATIONS)
    count = kept.sum(axis=-1)
    few = near((1 - count / DEVIATIONS) * 12)
    zeros = np.where(np.arange(12) < each(few), 0.0, np.inf)
    ordered = np.sort(np.concatenate([np.where(kept, values, np.inf), zeros], axis=-1), axis=-1)
    size = (count + few).astype(int)
    low, high = (np.take_along_axis(ordered, each(k), -1)[..., 0] for k in (size // 2, size // 2 + size % 2))
    need = near(np.clip(1 + (low + high) / 2 * 12 / np.asarray(sens) / np.asarray(basal), *bounds), 2)
    return np.where(day.sum(axis=-1) < 5, 1.0, need)


def _outside_meals(
    at: np.ndarray, moved: np.ndarray, much: np.ndarray, eaten: np.ndarray, grams: np.ndarray, grams_per: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return deviations, each followed by 0, and which count: what is neither a meal's nor, with *much* insulin on board, an
    unannounced one's; and an hourly 0. Where *moved* is NaN there is nothing.
    """
    there, step = np.isfinite(moved), np.arange(at.shape[-1])
    moved = np.where(there, moved, 0.0)
    meal, added = np.full(at.shape, -999), np.zeros(at.shape)
    for k in range(eaten.shape[-1]):
        begins = there & (at > eaten[..., k, None])
        begins[..., 1:] &= ~begins[..., :-1].copy()
        meal, added = np.where(begins, step, meal), added + np.where(begins, grams[..., k, None], 0.0)
    meal = np.maximum.accumulate(meal, axis=-1)
    left = _left(added, np.maximum(moved, 8.0) * each(grams_per))
    eating = _before(_last(step, ~((left >= 0.5) | ((moved > 0) & (step - meal < 60))))) < meal
    much = much | (step - meal < 8)
    rises, falls = (_last(step, there & ~eating & moves) for moves in ((moved > 0) & much, moved <= 0))
    outside = there & ~(eating | much | (_before(rises) > _before(falls)))
    chosen = np.stack([outside, there & (at // MINUTE % 60 < 5)], axis=-1)
    values, flat = np.stack([moved, np.zeros(at.shape)], axis=-1), (*at.shape[:-1], -1)
    return values.reshape(flat), chosen.reshape(flat)


def _left(added: np.ndarray, absorbed: np.ndarray) -> np.ndarray:
    """Return grams on board after each step."""
    found, left = np.zeros(added.shape), np.zeros(added.shape[:-1])
    for k in range(added.shape[-1]):
        left = np.maximum(0.0, left + added[..., k] - absorbed[..., k])
        found[..., k] = left
    return found


def _last(step: np.ndarray, holds: np.ndarray) -> np.ndarray:
    """Return at each step the last one, itself or before, at which something held; -1 for none."""
    return np.maximum.accumulate(np.where(holds, step, -1), axis=-1)


def _before(last: np.ndarray) -> np.ndarray:
    return np.concatenate([np.full((*last.shape[:-1], 1), -1), last[..., :-1]], axis=-1)
