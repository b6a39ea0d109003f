"""A record cut into days of 24 h, each with the 8 h before it from which insulin and meals still act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gemel.dynamics import Dose, Reading
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.personal.equations import CELL, LEAD

CELLS = 288
"""Cells of 5 min in a day."""

MEALS = 12
"""Meals that a day and its lead have room for; the smallest beyond that are joined to the nearest."""

BEGINS: Time = 4 * HOUR
"""Days begin at four in the morning, when least is eaten."""

CELL_MS: Time = round(CELL) * MINUTE

SELDOM = 3
"""Cells between readings at most: 15 min, as older sensors have them. What is further apart is a gap."""

NEARLY: Time = HOUR // 2
"""How near to a day's end its readings must come. A judgement."""

Offset = Callable[[Time], Time]
"""Local time minus UTC, ms, at a time."""


@dataclass(frozen=True)
class Day:
    """One day from `at` on: `glucose` (cell + 1,) mg/dL at the cells' edges, NaN where none; `insulin` (lead + cell,)
    mU/kg/min; `basal` mU/kg/min, the person's usual rate; `meal_at` (MEALS,) min and `meal` (MEALS,) mg/kg, 0 where none;
    `hour` (lead + cell,) of the person's clock at the middle of each cell; `every` so many cells her sensor reads."""

    at: Time
    weight: float
    glucose: np.ndarray
    insulin: np.ndarray
    basal: float
    meal_at: np.ndarray
    meal: np.ndarray
    hour: np.ndarray
    every: int = 1

    @property
    def share(self) -> float:
        """Return the share of the day that was read: each reading counts until the next is due."""
        read = np.isfinite(np.concatenate([np.full(self.every - 1, np.nan), self.glucose[:-1]]))
        return float(np.lib.stride_tricks.sliding_window_view(read, self.every).any(axis=1).mean())

    def seen(self, every: int) -> np.ndarray:
        """Return readings at every so many cells (n,); where a sensor reads less than once a cell, those a cell off for them."""
        around = np.pad(self.glucose, 1, constant_values=np.nan)
        found = self.glucose[::every]
        for other in (around[:-2], around[2:]) if self.every > 1 else ():
            found = np.where(np.isfinite(found), found, other[::every])
        return found


def usual_basal(doses: Sequence[Dose], until: Time, weight: float) -> float:
    """Return the mean basal rate up to a time, mU/kg/min; 0.25 where no rate is known."""
    rates = sorted((d.at, float(d.amount)) for d in doses if d.lever == "basal" and d.at < until)
    if not rates:
        return 0.25
    ends = [at for at, _ in rates[1:]] + [until]
    spans = np.array([end - at for (at, _), end in zip(rates, ends, strict=True)], float)
    mean = float((spans * [rate for _, rate in rates]).sum() / max(spans.sum(), 1.0))
    return mean * 1000.0 / 60.0 / weight


def day_at(
    readings: Sequence[Reading], doses: Sequence[Dose], at: Time, *, weight: float, basal: float, offset: Time = 0,
    every: int = 1,
) -> Day:  # fmt: skip
    """Return the day that begins at a time; *weight* in kg, *basal* the usual rate in mU/kg/min, *offset* local minus UTC in
    ms."""
    if not 2.0 <= weight <= 400.0:
        raise BadInput(f"{weight!r} is not a body weight from 2 to 400 kg", field="weight")
    begin, end = at - LEAD * CELL_MS, at + CELLS * CELL_MS
    times, grams = _meals(doses, begin, end)
    hours = ((begin + offset + CELL_MS // 2 + CELL_MS * np.arange(LEAD + CELLS)) % DAY) / HOUR
    return Day(
        at, weight, _glucose(readings, at), _insulin(doses, begin, end, basal * weight * 0.06) / weight, basal,
        (times - at) / MINUTE, grams * 1000.0 / weight, hours, every,
    )  # fmt: skip


def days_of(
    readings: Sequence[Reading], doses: Sequence[Dose], *, weight: float, basal: float, offset: Time | Offset = 0,
    share: float = 0.5, begins: Time = BEGINS,
) -> list[Day]:  # fmt: skip
    """Return the days of a record that were read for at least *share* of their time, oldest first; the last may go on (`ended`).

    Days begin by the person's clock: where *offset* changes, one ends where the next begins, or an hour is in none.
    """
    times = [r.at for r in readings if r.signal == "glucose"]
    if not times:
        return []
    local = offset if callable(offset) else lambda at: offset
    every, starts = spacing(times), _starts(min(times), max(times), local, begins)
    found = [
        _until(day_at(readings, doses, at, weight=weight, basal=basal, offset=local(at), every=every), end)
        for at, end in pairwise(starts)
        if at < max(times)
    ]
    return [day for day in found if day.share >= share]


def ended(day: Day, last: Time) -> bool:
    """Return whether a record whose last reading was at a time has a day to its end."""
    return last >= day.at + DAY - NEARLY


def spacing(times: Sequence[Time]) -> int:
    """Return how many cells lie between readings: the median, 1 to `SELDOM`."""
    apart = np.diff(np.unique(times))
    return int(np.clip(round(float(np.median(apart)) / CELL_MS), 1, SELDOM)) if len(apart) else 1


def _starts(first: Time, last: Time, local: Offset, begins: Time) -> list[Time]:
    """Return when each day of a record begins, and the day after."""
    days = range((first + local(first) - begins) // DAY, (last + local(last) - begins) // DAY + 2)
    clock = [day * DAY + begins for day in days]
    return [at - local(at - local(at)) for at in clock]


def _until(day: Day, end: Time) -> Day:
    kept = day.at + CELL_MS * np.arange(CELLS + 1) <= end
    return replace(day, glucose=np.where(kept, day.glucose, np.nan))


def _glucose(readings: Sequence[Reading], at: Time) -> np.ndarray:
    """Return the mean of what was read nearest each edge."""
    total, count = np.zeros(CELLS + 1), np.zeros(CELLS + 1)
    for reading in readings:
        edge = (reading.at - at + CELL_MS // 2) // CELL_MS
        if reading.signal == "glucose" and 0 <= edge <= CELLS and np.isfinite(reading.value):
            total[edge] += reading.value
            count[edge] += 1
    found: np.ndarray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def _insulin(doses: Sequence[Dose], begin: Time, end: Time, before: float) -> np.ndarray:
    """Return insulin per cell, mU/min; *before* is the rate in U/h until the first that is known."""
    cells = (end - begin) // CELL_MS
    rates = sorted((d.at, float(d.amount)) for d in doses if d.lever == "basal" and d.at < end)
    edges = np.array([begin, *[max(at, begin) for at, _ in rates], end], float)
    values = np.array([before, *[rate for _, rate in rates]])
    # amount given up to each edge of a cell, then differences: exact where a rate changes within a cell
    given = np.concatenate([[0.0], np.cumsum(values * np.diff(edges) / HOUR)])
    found = np.diff(np.interp(begin + CELL_MS * np.arange(cells + 1.0), edges, given))
    for dose in doses:
        if dose.lever == "bolus" and begin <= dose.at < end:
            found[(dose.at - begin) // CELL_MS] += dose.amount
    given_per_min: np.ndarray = found * 1000.0 / CELL
    return given_per_min


def _meals(doses: Sequence[Dose], begin: Time, end: Time) -> tuple[np.ndarray, np.ndarray]:
    found = sorted(
        (d.at, float(d.amount)) for d in doses if d.lever == "carbs" and begin <= d.at < end and d.amount > 0
    )
    while len(found) > MEALS:
        gaps = [later[0] - earlier[0] for earlier, later in pairwise(found)]
        i = int(np.argmin(gaps))
        found[i : i + 2] = [(found[i][0], found[i][1] + found[i + 1][1])]
    room = MEALS - len(found)
    times = np.array([at for at, _ in found] + [end] * room, float)
    return times, np.array([grams for _, grams in found] + [0.0] * room)
