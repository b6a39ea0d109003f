"""Guards: what must not reach a pump, whoever proposes it. They sit outside every agent and are no medical device."""

from __future__ import annotations

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Intervention, Situation
from gemel.packs.diabetes.usual import basal, beside, boluses, daily, extra, setting

TOLD = ("illness", "stress")
"""What somebody may tell or suppose, and nobody may propose."""

STALE_MIN = 16
"""A CGM speaks every five minutes; three missed readings and it is stale."""

JUMP = 4.0
"""mg/dL per minute: twice the 2 mg/dL/min that CGM arrows call a rapid change."""

LOW = 70.0
"""mg/dL, level 1 hypoglycaemia (10.2337/dci19-0028)."""

BASAL_TIMES = 3.0
"""Basal never above this many times the usual rate (oref0's max_daily_safety_multiplier)."""

BOLUS_SHARE = 0.25
"""One bolus never above this share of a usual day's insulin."""

APART_MIN = 3
"""Minutes between two boluses; those that one intervention gives within them count as one."""

ON_BOARD_SHARE = 0.3
"""Insulin on board, with what is proposed, never above this share of a usual day's insulin."""

TINY = 1e-9
"""By how much sums of the same parts in another order may differ."""


def in_reach(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse what is not a number, negative, past, more than six hours away, or nothing that can be done."""
    for dose in intervention.doses:
        if dose.lever in TOLD:
            return f"{dose.lever} is told, not done"
        if not np.isfinite(dose.amount) or dose.amount < 0:
            return f"{dose.lever} of {dose.amount} is not an amount"
        if not situation.now - 5 * MINUTE <= dose.at <= situation.now + 6 * HOUR:
            return f"{dose.lever} is not within the next six hours"
    return None


def dose_caps(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse a bolus or a basal rate that is large for this person, or above what the care plan allows."""
    for dose in intervention.doses:
        if dose.lever == "basal" and (reason := _rate(dose, situation)):
            return reason
    shots = boluses(intervention.doses)
    for first in shots:
        units = sum(float(one.amount) for one in shots if 0 <= one.at - first.at < APART_MIN * MINUTE)
        if reason := _bolus(units, first.at, situation):
            return reason
    return None


def _rate(dose: Dose, situation: Situation) -> str | None:
    rate, usual = float(dose.amount), basal(situation, dose.at)
    most = setting(situation, "basal_max", dose.at, np.inf)
    if rate > most + TINY:
        return f"basal {rate:.2f} U/h is above the care plan's largest, {most:.2f} U/h"
    if rate > BASAL_TIMES * usual + TINY:
        return f"basal {rate:.2f} U/h is above {BASAL_TIMES:g} times the usual {usual:.2f} U/h"
    return None


def _bolus(units: float, at: Time, situation: Situation) -> str | None:
    most, day = setting(situation, "bolus_max", at, np.inf), daily(situation)
    if units > most + TINY:
        return f"a bolus of {units:.2f} U is above the care plan's largest, {most:.2f} U"
    if units > BOLUS_SHARE * day + TINY:
        return f"a bolus of {units:.1f} U is above a quarter of a usual day's {day:.0f} U"
    return None


def insulin_on_board(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse insulin that would stack on what is still at work, or on what was approved and is not reported yet."""
    if extra(intervention.doses, situation) <= 0:
        return None
    on_board, day = max(situation.state["insulin.on_board"], 0.0), daily(situation)
    more = extra(beside(intervention.doses, situation.underway), situation)
    if on_board + more > ON_BOARD_SHARE * day + TINY:
        return f"{on_board:.1f} U on board and {more:.1f} U more would be above {ON_BOARD_SHARE * day:.1f} U"
    return _too_soon(intervention, situation)


def _too_soon(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse a bolus within minutes of another that was given or is underway."""
    before = boluses([*situation.doses, *situation.underway])
    for own in boluses(intervention.doses):
        near = [one for one in before if abs(own.at - one.at) < APART_MIN * MINUTE]
        if near:
            return f"another bolus, of {near[-1].amount:.1f} U, is less than {APART_MIN} min away"
    return None


def predicted_low(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse more insulin than usual while a low is likely within the hour."""
    if extra(intervention.doses, situation) <= 0:
        return None
    forecast = situation.forecasts["glucose"]
    soon = [i for i, at in enumerate(forecast.at) if at - forecast.made_at <= HOUR]
    low = float(forecast.at_level(0.1)[soon].min())
    latest = situation.latest("glucose")
    if latest is not None and latest.value < LOW:
        return f"glucose is {latest.value:.0f} mg/dL"
    return f"one chance in ten of {low:.0f} mg/dL or less within the hour" if low < LOW else None


def sensor_trusted(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse more insulin than usual on a stale or jumping sensor."""
    if extra(intervention.doses, situation) <= 0:
        return None
    readings = situation.readings.get("glucose", ())
    if not readings or situation.now - readings[-1].at > STALE_MIN * MINUTE:
        return f"no CGM reading in the last {STALE_MIN} min"
    for before, after in zip(readings[-4:], readings[-3:], strict=False):
        minutes = max((after.at - before.at) / MINUTE, 1.0)
        if abs(after.value - before.value) / minutes > JUMP:
            return f"the CGM jumped from {before.value:.0f} to {after.value:.0f} mg/dL in {minutes:.0f} min"
    return None


GUARDS = {
    "in reach": in_reach,
    "dose caps": dose_caps,
    "insulin on board": insulin_on_board,
    "predicted low": predicted_low,
    "sensor": sensor_trusted,
}
