"""Guards: what must not reach a pump, whoever proposes it. They sit outside every agent and are no medical device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE
from gemel.intervention import Intervention, Situation

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

SMALLEST = 0.05
"""Units that a pump gives in one step: less than that beyond usual is none, or a pause would fail on its rounded end."""

ON_BOARD_SHARE = 0.3
"""Insulin on board, with what is proposed, never above this share of a usual day's insulin."""


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
    """Refuse a bolus or a basal rate that is large for this person."""
    usual, daily = _usual(situation)
    for dose in intervention.doses:
        amount = float(dose.amount)
        if dose.lever == "basal" and amount > BASAL_TIMES * usual:
            return f"basal {amount:.2f} U/h is above {BASAL_TIMES:g} times the usual {usual:.2f} U/h"
        if dose.lever == "bolus" and amount > BOLUS_SHARE * daily:
            return f"a bolus of {amount:.1f} U is above a quarter of a usual day's {daily:.0f} U"
    return None


def insulin_on_board(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse insulin that would stack on what is still at work."""
    extra, daily = _extra(intervention.doses, situation), _usual(situation)[1]
    on_board = max(situation.state["insulin.on_board"], 0.0)
    if extra > 0 and on_board + extra > ON_BOARD_SHARE * daily:
        return f"{on_board:.1f} U on board and {extra:.1f} U more would be above {ON_BOARD_SHARE * daily:.1f} U"
    return None


def predicted_low(intervention: Intervention, situation: Situation) -> str | None:
    """Refuse more insulin than usual while a low is likely within the hour."""
    if _extra(intervention.doses, situation) < SMALLEST:
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
    if _extra(intervention.doses, situation) < SMALLEST:
        return None
    readings = situation.readings.get("glucose", ())
    if not readings or situation.now - readings[-1].at > STALE_MIN * MINUTE:
        return f"no CGM reading in the last {STALE_MIN} min"
    for before, after in zip(readings[-4:], readings[-3:], strict=False):
        minutes = max((after.at - before.at) / MINUTE, 1.0)
        if abs(after.value - before.value) / minutes > JUMP:
            return f"the CGM jumped from {before.value:.0f} to {after.value:.0f} mg/dL in {minutes:.0f} min"
    return None


def _usual(situation: Situation) -> tuple[float, float]:
    """Return the usual basal rate in U/h and the usual insulin of a day in U."""
    return situation.state["habit.basal"] * 60, situation.state["habit.total"] * 1440


def _extra(doses: Sequence[Dose], situation: Situation) -> float:
    """Return units of insulin beyond the usual basal; a rate counts for the time it holds, two hours at most."""
    usual = _usual(situation)[0]
    total = sum(float(dose.amount) for dose in doses if dose.lever == "bolus")
    rates = [dose for dose in doses if dose.lever == "basal"]
    ends = [*(dose.at for dose in rates[1:]), *(dose.at + 2 * HOUR for dose in rates[-1:])]
    for dose, until in zip(rates, ends, strict=True):
        total += max(float(dose.amount) - usual, 0.0) * (until - dose.at) / HOUR
    return total


GUARDS = {
    "in reach": in_reach,
    "dose caps": dose_caps,
    "insulin on board": insulin_on_board,
    "predicted low": predicted_low,
    "sensor": sensor_trusted,
}
