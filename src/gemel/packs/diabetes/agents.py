"""Agents and alarms of a person with type 1 diabetes."""

from __future__ import annotations

from gemel.facts import MINUTE
from gemel.intervention import Situation
from gemel.loop import Agent
from gemel.packs.diabetes.control.before_sport import SPORT_MODE
from gemel.packs.diabetes.control.live import propose
from gemel.twintype import Autonomy

CLOSED_LOOP = Agent("closed-loop", propose, Autonomy.ACT)
"""MPC on an ensemble that follows the last hours; it acts within its grant, on a simulated pump only, and else proposes."""

AGENTS = (CLOSED_LOOP, SPORT_MODE)


def going_low(situation: Situation) -> tuple[str, str] | None:
    """Tell of a low before it is felt: now, or more likely than not within half an hour."""
    latest, forecast = situation.latest("glucose"), situation.forecasts["glucose"]
    if latest is not None and latest.value < 54:
        return "urgent", f"glucose is {latest.value:.0f} mg/dL: treat the low now"
    if latest is not None and latest.value < 70:
        return "urgent", f"glucose is {latest.value:.0f} mg/dL, below 70"
    soon = [i for i, at in enumerate(forecast.at) if at - forecast.made_at <= 30 * MINUTE]
    low = float(forecast.at_level(0.5)[soon].min())
    return ("warning", "more likely than not below 70 mg/dL within 30 min") if low < 70 else None


def staying_high(situation: Situation) -> tuple[str, str] | None:
    """Tell of glucose above 250 that will stay there for the next hour."""
    latest, forecast = situation.latest("glucose"), situation.forecasts["glucose"]
    soon = [i for i, at in enumerate(forecast.at) if at - forecast.made_at <= 60 * MINUTE]
    if latest is not None and latest.value > 250 and float(forecast.at_level(0.5)[soon].min()) > 250:
        return "warning", f"glucose is {latest.value:.0f} mg/dL and expected above 250 for an hour"
    return None


ALARMS = {"low": going_low, "high": staying_high}
