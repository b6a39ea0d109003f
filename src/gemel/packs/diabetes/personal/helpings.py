"""Helpings: how quickly each meal of a day came in, as the readings after it say, beside what is usual for the person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.personal import unknowns
from gemel.packs.diabetes.personal.days import Day
from gemel.packs.diabetes.personal.double import double
from gemel.packs.diabetes.personal.fit import P, Problem, Q, jacobians
from gemel.packs.diabetes.personal.twin import Personal

STEPS, LONGEST = 10, 1.0
"""Steps to a day's mode, and the longest of them, in standard deviations."""

TOLD = 0.8
"""A meal is told of where its readings leave less than this part of the spread that there was before; a judgement."""

FARTHEST = 3.0
"""Standard deviations from usual that a helping can be; what is farther is something else."""


@dataclass(frozen=True)
class Helping:
    """A meal at a time: it came in at `speed` times the person's usual rate, `spread` is the sd of the logarithm of that."""

    at: Time
    speed: float
    spread: float


@double
def helpings(personal: Personal, days: Sequence[Day]) -> list[Helping]:
    """Return what the readings of *days* say of their meals, by themselves: nothing believed beforehand of a meal is in it."""
    if not days:
        return []
    daily, spread = _modes(Problem(days, personal.noise, personal.posterior, np.zeros(P)), personal.posterior.mean)
    rate = float(unknowns.split(unknowns.PERSON, personal.posterior.mean)["kabs"])
    return [one for day, mean, sd in zip(days, daily, spread, strict=True) for one in _of(day, mean, sd, rate)]


def _modes(problem: Problem, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mode of each day's own unknowns (day, Q), the person being known, and their standard deviations."""
    daily = np.zeros((len(problem.days), Q))
    for _ in range(STEPS):
        said, jac = jacobians(problem, person, daily)
        own, off = jac[:, :, P:], np.einsum("dij,dj->di", problem.white, said - problem.read)
        curvature = np.swapaxes(own, 1, 2) @ own + np.eye(Q)
        gradient = np.einsum("dnq,dn->dq", own, off) + daily
        daily = daily - np.clip(np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0], -LONGEST, LONGEST)
    return daily, np.sqrt(np.diagonal(np.linalg.inv(curvature), axis1=1, axis2=2))


def _of(day: Day, mean: np.ndarray, sd: np.ndarray, rate: float) -> list[Helping]:
    first, scale = unknowns.place("kabs.meal")
    found = []
    for i in np.flatnonzero((day.meal > 0) & (day.meal_at >= 0)):
        left = sd[first + i] ** 2
        if left < TOLD**2:
            off = float(np.clip(mean[first + i] / (1.0 - left), -FARTHEST, FARTHEST))
            share, usual = _share(rate + scale * off), _share(rate)
            spread = scale * (1.0 - share) / np.sqrt(1.0 / left - 1.0)
            at = day.at + round(float(day.meal_at[i])) * MINUTE
            found.append(Helping(at, round(share / usual, 3), round(float(spread), 3)))
    return found


def _share(odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-odds)))
