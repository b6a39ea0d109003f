"""Agents and alarms of a person with type 1 diabetes.

What was measured is judged first: while the loop forecasts nothing, a `Situation` holds no forecast.
"""

from __future__ import annotations

from gemel.facts import MINUTE
from gemel.intervention import Situation
from gemel.loop import Agent
from gemel.packs.diabetes.control.before_sport import SPORT_MODE
from gemel.packs.diabetes.control.live import propose
from gemel.twintype import Autonomy

CLOSED_LOOP = Agent("closed-loop", propose, Autonomy.ACT, fallback=propose)
"""MPC on an ensemble that follows the last hours; it acts within its grant, on a simulated pump only, and else proposes.

Without readings of the last 16 min it asks for the safe basal of `control.fallback`, and no controller.
"""

AGENTS = (CLOSED_LOOP, SPORT_MODE)

LOW, VERY_LOW, HIGH = 70.0, 54.0, 250.0
"""mg/dL: level 1 and 2 hypoglycaemia, level 2 hyperglycaemia (10.2337/dci19-0028)."""


def very_low(situation: Situation) -> tuple[str, str] | None:
    """Tell of a reading below 54: an alert of its own, so that who takes care of a low is told that it deepened."""
    latest = situation.latest("glucose")
    if latest is None or latest.value >= VERY_LOW:
        return None
    return "urgent", f"glucose is {latest.value:.0f} mg/dL: treat the low now"


def going_low(situation: Situation) -> tuple[str, str] | None:
    """Tell of a low before it is felt: now, or more likely than not within half an hour."""
    latest = situation.latest("glucose")
    if latest is not None and latest.value < LOW:
        return "urgent", f"glucose is {latest.value:.0f} mg/dL, below 70"
    low = _lowest(situation, 30)
    return ("warning", "more likely than not below 70 mg/dL within 30 min") if low is not None and low < LOW else None


def staying_high(situation: Situation) -> tuple[str, str] | None:
    """Tell of glucose above 250 that will stay there for the next hour, or of which nobody can say that it will not."""
    latest, lowest = situation.latest("glucose"), _lowest(situation, 60)
    if latest is None or latest.value <= HIGH or (lowest is not None and lowest <= HIGH):
        return None
    ahead = "above 250" if lowest is None else "expected above 250 for an hour"
    return "warning", f"glucose is {latest.value:.0f} mg/dL{',' if lowest is None else ' and'} {ahead}"


def _lowest(situation: Situation, minutes: int) -> float | None:
    """Return the lowest middle forecast within so many minutes, where there is a forecast."""
    forecast = situation.forecasts.get("glucose")
    if forecast is None:
        return None
    soon = [i for i, at in enumerate(forecast.at) if at - forecast.made_at <= minutes * MINUTE]
    return float(forecast.at_level(0.5)[soon].min())


ALARMS = {"low": going_low, "very low": very_low, "high": staying_high}
