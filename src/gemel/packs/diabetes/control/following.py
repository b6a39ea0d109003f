"""The small model of `foresee` for one person: it follows what a moment tells of the last hours, and foretells from there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import HOUR, Time
from gemel.packs.diabetes.control.body import BODY, Body, Given
from gemel.packs.diabetes.control.foresee import STEP, Follower
from gemel.packs.diabetes.control.seam import Foreseen, Moment, Profile

SEED = 5
"""Any number: the same moment is always foretold alike."""


def followed(moment: Moment, body: Body = BODY) -> Foreseen | None:
    """Return what is foretold after following a moment's readings and doses from its first reading on; None without readings.

    Doses are boluses, basal rates, carbohydrate, and exercise (bpm above rest, until the next). `raised` counts from the start.
    """
    if not moment.glucose:
        return None
    follower = _begun(moment.profile, moment.raised, moment.glucose[0].value, body)
    for at, given, reading in _steps(moment):
        follower.step(at + moment.profile.offset, given, reading)
    path, unit, gram = follower.foresee(moment.now + moment.profile.offset)
    return Foreseen(path[0].astype(float), unit[0].astype(float), gram[0].astype(float))


def _begun(profile: Profile, raised: float, glucose: float, body: Body) -> Follower:
    """Return a follower of one person; insulin that does less leaves what a gram does as it is."""
    sensitivity, ratio = (raised * np.array([hours]) for hours in (profile.sensitivity, profile.ratio))
    return Follower(sensitivity, ratio, np.array([profile.basal]), np.array([glucose]), SEED, body)


def _steps(moment: Moment) -> Iterator[tuple[Time, Given, np.ndarray]]:
    """Yield five minutes after five minutes up to now: when they begin, what happened in them, the reading at their end."""
    count = -(-(moment.now - moment.glucose[0].at) // STEP)
    doses = sorted(moment.doses, key=lambda dose: dose.at)
    for at in range(moment.now - count * STEP, moment.now, STEP):
        usual = moment.profile.basal[moment.profile.hour(at)]
        extra = _taken(doses, "bolus", at) + (_held(doses, "basal", at, usual) - usual) * STEP / HOUR
        told = (extra, usual * STEP / HOUR, _taken(doses, "carbs", at), _held(doses, "exercise", at, 0.0))
        read = [r.value for r in moment.glucose if at < r.at <= at + STEP]
        yield at, Given(*(np.array([value]) for value in told)), np.array([read[-1] if read else np.nan])


def _taken(doses: list[Dose], lever: str, at: Time) -> float:
    """Return how much was taken within five minutes, from *at* on."""
    return sum(float(dose.amount) for dose in doses if dose.lever == lever and at <= dose.at < at + STEP)


def _held(doses: list[Dose], lever: str, at: Time, before: float) -> float:
    """Return what a lever is set to at a time; *before* it was first set."""
    own = [float(dose.amount) for dose in doses if dose.lever == lever and dose.at <= at]
    return own[-1] if own else before
