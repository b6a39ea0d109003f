"""What a personal twin says of a day: as it is foretold, as it was replayed, and what one more unit or gram would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gemel.dynamics import Seed
from gemel.packs.diabetes.control.seam import Foreseen
from gemel.packs.diabetes.personal import carried as telling
from gemel.packs.diabetes.personal.carried import Trust
from gemel.packs.diabetes.personal.days import CELLS, Day
from gemel.packs.diabetes.personal.double import double
from gemel.packs.diabetes.personal.equations import CELL, LEAD
from gemel.packs.diabetes.personal.evidence import doses_of
from gemel.packs.diabetes.personal.fit import Q, replays, stacked
from gemel.packs.diabetes.personal.habits import Habits
from gemel.packs.diabetes.personal.root import mean_squared
from gemel.packs.diabetes.personal.twin import DRAWS, Personal, apart, ensemble, members

AHEAD = 72
"""Steps of 5 min that a controller is shown: 6 h."""

ROUNDS, MET = 60, 1.0
"""Rounds at most in which disturbances are inferred; how near (mg/dL) to every reading is near enough."""


def confidence(personal: Personal, habits: Habits | None = None) -> Trust:
    """Return how much to trust the twin's word, from the days it foretold.

    With *habits* of other people, `foretell` takes the doses of a day as evidence of what happened. That is for days that were,
    whose doses are a record. It is not for plans, nor for a controller.
    """
    return telling.trust(personal.days, habits)


@double
def foretell(personal: Personal, day: Day, seed: Seed, count: int = DRAWS, trust: Trust | None = None) -> np.ndarray:
    """Return draws (count, cell + 1) mg/dL of a day under its insulin and meals, given its readings so far: NaN from now on;
    *trust* spares to work it out again."""
    return telling.drawn(*_told(personal, day, seed, trust), count, seed, day.at)


@double
def expected(personal: Personal, day: Day, seed: Seed, trust: Trust | None = None) -> np.ndarray:
    """Return the mean (cell + 1,) mg/dL of what `foretell` draws."""
    mean, covariance = _told(personal, day, seed, trust)
    return mean_squared(mean, np.diag(covariance))


def _told(personal: Personal, day: Day, seed: Seed, trust: Trust | None) -> telling.Belief:
    said = plain(personal, day, seed).mean(axis=0)
    known = trust or confidence(personal)
    return telling.foretold(day.at, said, day.glucose, known, doses_of(day), float(day.hour[LEAD]))


@double
def plain(personal: Personal, day: Day, seed: Seed) -> np.ndarray:
    """Return what the equations alone say of a day (member, cell + 1) mg/dL, open loop from its first reading."""
    return ensemble(members(personal.tomorrow(apart(personal.at, day.at)), seed, day.at), day, seed)


@double
def replay(
    personal: Personal, day: Day, other: Day | None = None, flow: np.ndarray | None = None, count: int = 32
) -> np.ndarray:
    """Return a past *day* under the inputs of an *other* (draw, cell + 1) mg/dL, with the disturbances that make each draw
    meet the day's readings; under its own inputs each draw therefore gives the readings, smoothed.

    *flow* (draw, cell) mg/dl/min, if given, stands for the disturbances.
    """
    person = personal.draws[:: max(len(personal.draws) // count, 1)][:count]
    found = disturbances(personal, day, count) if flow is None else flow
    return _replayed(person, other or day, day.glucose, found)


@double
def disturbances(personal: Personal, day: Day, count: int = 32) -> np.ndarray:
    """Return what nobody announced (draw, cell) mg/dl/min: above 0 carbohydrate or stress, below 0 exercise; 30 min smooth.

    Each round turns what the replay misses into a flow, its slope and its return to rest, until nothing is missed. A few rounds
    do, unless insulin on record would have brought glucose to the ground without them: then they work forward from there.
    """
    person = personal.draws[:: max(len(personal.draws) // count, 1)][:count]
    want = _smooth(day.glucose)
    flow = np.zeros((len(person), CELLS))
    for _ in range(ROUNDS):
        off = want - _replayed(person, day, day.glucose, flow)
        if np.abs(off[:, 1:]).max() < MET:
            break
        flow += np.gradient(_ahead(off), CELL, axis=1)[:, :-1] + 0.02 * _ahead(off)[:, :-1]
    return flow


def announced_too_little(flow: np.ndarray, weight: float) -> np.ndarray:
    """Return the grams (draw, cell) of carbohydrate that would explain a flow: its positive part, in 1.45 dl/kg."""
    grams: np.ndarray = np.maximum(flow, 0.0) * CELL * 1.45 * weight / 1000.0 / 0.9
    return grams


def foreseen(personal: Personal, day: Day, now: int, seed: Seed, trust: Trust | None = None) -> Foreseen:
    """Return what a controller is shown from cell *now* of a day on: draws, and what 1 U or 1 g given now changes in them.

    The draws are shrunk to what foretold before; the effects are the twin's own, each member's with its own constants, since
    a controller acts and does not watch. *day* has the profile's basal from now on.
    """
    steps = min(AHEAD, CELLS - now)
    seen = replace(day, glucose=np.where(np.arange(CELLS + 1) <= now, day.glucose, np.nan))
    usual = plain(personal, seen, seed)
    draws = foretell(personal, seen, seed, len(usual), trust)[:, now : now + steps + 1]
    unit = _effect(personal, seen, usual, _dosed(seen, now), seed)
    gram = _effect(personal, seen, usual, _fed(seen, now), seed)
    return Foreseen(draws, unit[:, now : now + steps + 1], gram[:, now : now + steps + 1])


def _effect(personal: Personal, day: Day, usual: np.ndarray, other: Day, seed: Seed) -> np.ndarray:
    found: np.ndarray = plain(personal, other, seed) - usual
    return found


def _dosed(day: Day, now: int) -> Day:
    insulin = day.insulin.copy()
    insulin[LEAD + now] += 1000.0 / CELL / day.weight
    return replace(day, insulin=insulin)


def _fed(day: Day, now: int) -> Day:
    """Return the day with a gram more, in the room of the meal that is longest gone."""
    free = int(np.argmin(np.where(day.meal > 0, day.meal_at, -np.inf)))
    meal, meal_at = day.meal.copy(), day.meal_at.copy()
    meal[free], meal_at[free] = 1000.0 / day.weight, CELL * now
    return replace(day, meal=meal, meal_at=meal_at)


def _replayed(person: np.ndarray, day: Day, read: np.ndarray, flow: np.ndarray) -> np.ndarray:
    rows = {name: np.repeat(value, len(person), 0) for name, value in stacked([day]).items()}
    rows["flow"] = flow
    seen = read[np.isfinite(read)]
    rows["start"] = np.full(len(person), seen[0] if len(seen) else np.nan)
    return replays(person, np.zeros((len(person), Q)), rows)


def _smooth(read: np.ndarray) -> np.ndarray:
    """Return readings without gaps, smoothed over 30 min."""
    seen = np.flatnonzero(np.isfinite(read))
    full = np.interp(np.arange(len(read)), seen, read[seen])
    bell = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    return np.convolve(np.pad(full, 6, mode="edge"), bell / bell.sum(), "valid")


def _ahead(off: np.ndarray) -> np.ndarray:
    """Return errors of the sensor as they were in blood: a lag of 7 min is about one cell."""
    return np.concatenate([off[:, 1:], off[:, -1:]], axis=1)
