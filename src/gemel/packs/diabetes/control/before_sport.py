"""Sport mode ahead of planned sport: an agent that proposes less basal before it begins. Not a medical device.

Sport is planned when an approved intervention has exercise that is to come, goes on, or was over a short while ago: somebody
proposed the scenario `sport`, and who may decide agreed.
What is proposed is `sport.MODES`; how hard the sport is follows from its heart rate above rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.dynamics import Dose, Plan
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Intervention, Situation, Trial
from gemel.loop import Agent
from gemel.loop.agents import Weighed
from gemel.packs.diabetes.control.sport import MODES, Sport
from gemel.packs.diabetes.usual import basal, setting
from gemel.twintype import Autonomy

NOTICE: Time = 30 * MINUTE
"""How long before sport mode begins it is proposed, so that somebody can decide; a judgement."""

MODERATE, HARD = 50.0, 75.0
"""bpm above rest: 40 and 60 % of the heart rate reserve (10.1249/MSS.0b013e318213fefb), for a reserve of 125 bpm."""

UNTOLD: Time = 45 * MINUTE
"""How long sport lasts whose end is not planned."""

REACH: Time = 6 * HOUR
"""How far ahead the guards let anything be planned."""

LOW = 70.0


def planned_sport(planned: Plan) -> list[Sport]:
    """Return the sport in what is *planned*, in order: from each effort to the next change of it."""
    efforts = sorted((dose for dose in planned if dose.lever == "exercise"), key=lambda dose: dose.at)
    ends = [*(dose.at for dose in efforts[1:]), *(dose.at + UNTOLD for dose in efforts[-1:])]
    return [
        Sport(dose.at, end, how_hard(float(dose.amount)))
        for dose, end in zip(efforts, ends, strict=True)
        if dose.amount > 0 and end > dose.at
    ]


def how_hard(effort: float) -> str:
    """Return the mode for an *effort* in bpm above rest."""
    return "hard" if effort >= HARD else "moderate" if effort >= MODERATE else "light"


def propose(situation: Situation) -> Sequence[Weighed]:
    """Return sport mode for the next planned sport when its time has come, once for each: basal, and the way back."""
    due = [own for own in planned_sport(situation.planned) if _begins(own) - NOTICE <= situation.now < own.starts]
    if not due:
        return []
    mode, begin = MODES[due[0].how], max(situation.now, _begins(due[0]))
    end = min(due[0].ends + round(mode.after_min * MINUTE), situation.now + REACH)
    usual, after = (_usual(situation, at) for at in (begin, end))
    rate = round(usual * mode.basal / 0.05) * 0.05
    if round(usual - rate, 3) < 0.05:
        return []
    title = f"sport mode: basal {rate:.2f} U/h from {_minutes(situation.now - due[0].starts, begin - due[0].starts)}"
    doses = (Dose("basal", round(rate, 3), begin), Dose("basal", round(after, 2), end))
    what = Intervention(title, doses, "fewer lows during and after sport")
    key = f"sport|{due[0].starts}"
    choice = {"chosen": title, "options": [title, "usual basal"], "propensity": 1.0, "held_out": False, "key": key}
    return [Weighed(choice, what, _why(situation, due[0], rate - usual, begin, end), due[0].starts - situation.now)]


def _usual(situation: Situation, at: Time) -> float:
    """Return the usual basal in U/h, as far as the care plan's largest allows it."""
    return min(basal(situation, at), setting(situation, "basal_max", at, np.inf))


def _begins(own: Sport) -> Time:
    return own.starts - round(MODES[own.how].before_min * MINUTE)


def _minutes(now: Time, begin: Time) -> str:
    return "now" if begin <= now else f"{-begin // MINUTE} min before it"


def _why(situation: Situation, own: Sport, change: float, begin: Time, end: Time) -> str:
    length, away = (own.ends - own.starts) // MINUTE, (own.starts - situation.now) // MINUTE
    said = f"{length} min of {own.how} sport is planned in {away} min"
    if situation.trial is None:
        return said
    sport = [dose for dose in situation.planned if dose.lever == "exercise" and dose.at > situation.now]
    less = [Dose("supposed basal", change, begin), Dose("supposed basal", 0.0, end)]
    usual, supposed = (_low(situation.trial, plan, situation.now, own) for plan in (sport, [*sport, *less]))
    return (
        f"{said}; below {LOW:.0f} mg/dL until an hour after it: {usual:.0%} with usual basal, {supposed:.0%} with this"
    )


def _low(trial: Trial, plan: Plan, now: Time, own: Sport) -> float:
    """Return the chance of a value below `LOW` from the sport's start until an hour after it."""
    length = (own.ends + HOUR - now) // MINUTE * MINUTE
    course = trial(plan, length, ("sensor.glucose",))["sensor.glucose"]
    first = min(round((own.starts - now) / (5 * MINUTE)), len(course) - 1)
    return float(np.mean(course[first:].min(axis=0) < LOW))


SPORT_MODE = Agent("sport-mode", propose, Autonomy.APPROVE)
"""Proposes sport mode before planned sport; a person decides."""
