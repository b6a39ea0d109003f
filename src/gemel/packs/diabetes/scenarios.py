"""What can be supposed: another bolus, its lead time, a basal segment, a meal, sport, illness, stress, a closed loop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.dynamics import Array, Dose, Plan
from gemel.facts import HOUR, MINUTE, Time
from gemel.intervention import Field, Form, Scenario
from gemel.packs.diabetes.control.basal_rule import Settings, basal_rate
from gemel.units import duration

MEAL_WINDOW: Time = 45 * MINUTE
"""A bolus this close to carbohydrate is that meal's bolus."""


def bolus_lead(lead: str | Time) -> Scenario:
    """Suppose each meal's bolus *lead* before its carbohydrate, though never in the past."""
    ahead = duration(lead)

    def revise(plan: Plan, now: Time) -> Plan:
        meals = [dose.at for dose in plan if dose.lever == "carbs"]
        return [_led(dose, meals, ahead, now) if dose.lever == "bolus" else dose for dose in plan]

    return Scenario(f"bolus {ahead // MINUTE} min before meals", revise)


def _led(bolus: Dose, meals: list[Time], ahead: Time, now: Time) -> Dose:
    near = [at for at in meals if abs(at - bolus.at) <= MEAL_WINDOW]
    return (
        Dose("bolus", bolus.amount, max(now, min(near, key=lambda at: abs(at - bolus.at)) - ahead)) if near else bolus
    )


def bolus(amount: float, after: str | Time = 0) -> Scenario:
    """Suppose one more bolus of *amount* U, *after* a while."""
    return _one_more("bolus", amount, duration(after), f"{amount:g} U")


def meal(carbs: float, after: str | Time = 0) -> Scenario:
    """Suppose a meal of *carbs* g, *after* a while."""
    return _one_more("carbs", carbs, duration(after), f"{carbs:g} g of carbohydrate")


def meal_bolus(carbs: float, eat: str | Time, amount: float, after: str | Time) -> Scenario:
    """Suppose a meal of *carbs* g and a bolus of *amount* U, each at its own time: "30 g now, 2 U in 10 min"."""
    return bolus(amount, after).after(meal(carbs, eat))


def _one_more(lever: str, amount: float, after: Time, what: str) -> Scenario:
    name = f"{what} in {after // MINUTE} min" if after else f"{what} now"
    return Scenario(name, lambda plan, now: [*plan, Dose(lever, amount, now + after)])


def bolus_scale(factor: float) -> Scenario:
    """Suppose every bolus *factor* times as large."""
    return Scenario(f"boluses × {factor:g}", lambda plan, now: [
        Dose("bolus", dose.amount * factor, dose.at) if dose.lever == "bolus" else dose for dose in plan
    ])  # fmt: skip


def basal_scale(factor: float) -> Scenario:
    """Suppose every basal rate *factor* times as high."""
    return Scenario(f"basal × {factor:g}", lambda plan, now: [
        Dose("basal", dose.amount * factor, dose.at) if dose.lever == "basal" else dose for dose in plan
    ])  # fmt: skip


def basal(rate: float, after: str | Time = 0, lasting: str | Time = "2 h") -> Scenario:
    """Suppose a basal segment of *rate* U/h, *after* a while and *lasting* so long; then what was planned goes on."""
    start, length = duration(after), duration(lasting)

    def revise(plan: Plan, now: Time) -> Plan:
        begin, end = now + start, now + start + length
        planned = [dose for dose in plan if dose.lever == "basal" and dose.at <= end]
        others = [dose for dose in plan if dose.lever != "basal" or not begin <= dose.at <= end]
        back = [Dose("basal", planned[-1].amount, end)] if planned else []
        return [*others, Dose("basal", rate, begin), *back]

    return Scenario(f"basal {rate:g} U/h for {length // MINUTE} min", revise)


def sport(after: str | Time = 0, lasting: str | Time = "45 min", effort: float = 60.0) -> Scenario:
    """Suppose exercise, *after* a while and *lasting* so long, at a heart rate of *effort* bpm above rest."""
    return _spell("exercise", effort, duration(after), duration(lasting), f"{duration(lasting) // MINUTE} min of sport")


def illness(severity: float = 50.0, after: str | Time = 0, lasting: str | Time = "24 h") -> Scenario:
    """Suppose an illness that asks for *severity* % more insulin: 25 a cold, 50 a fever, 100 an acute infection in bed.

    The scale is a judgement but for its end: acute infections about halved insulin sensitivity (10.1210/jcem-69-2-317).
    """
    what = f"an illness that asks for {severity:g} % more insulin"
    return _spell("illness", severity, duration(after), duration(lasting), what)


def stress(severity: float = 25.0, after: str | Time = 0, lasting: str | Time = "1 h") -> Scenario:
    """Suppose mental stress that asks for *severity* % more insulin; 22 % was measured (10.1007/BF00398050)."""
    what = f"{duration(lasting) // MINUTE} min of stress"
    return _spell("stress", severity, duration(after), duration(lasting), what)


def _spell(lever: str, amount: float, start: Time, length: Time, what: str) -> Scenario:
    name = f"{what} in {start // MINUTE} min" if start else f"{what} now"

    def revise(plan: Plan, now: Time) -> Plan:
        return [*plan, Dose(lever, amount, now + start), Dose(lever, 0.0, now + start + length)]

    return Scenario(name, revise)


def ArtificialPancreas(settings: Settings = Settings()) -> Scenario:  # noqa: N802, B008 - read as the thing; frozen
    """Suppose a closed loop that modulates basal every five minutes on what it foresees."""

    def policy(state: Mapping[str, Array], now: Time) -> Mapping[str, Array]:
        plasma = state["glucose.plasma"] + state["supposed.shift"]
        trend = (plasma - state["sensor.interstitial"]) / np.maximum(state["sensor.lag"], 1.0)
        foreseen = state["sensor.glucose"] + settings.trend_min * np.clip(trend, -4.0, 4.0)
        on_board = state["insulin.on_board"] + state["supposed.on_board"]
        usual = state["habit.basal"] * 60
        return {"basal": basal_rate(foreseen, state["insulin.sensitivity"], on_board, usual, settings)}

    return Scenario("closed loop", policy=policy)


def _minutes(name: str, label: str, high: float, default: float) -> Field:
    return Field(name, label, "min", 0, high, default, 5)


def _when(name: str, label: str, high: float, default: float) -> Field:
    return Field(name, label, "min", 0, high, default, 5, from_now=True)


FORMS = {
    "bolus": Form(
        "Give insulin now", (Field("amount", "Bolus", "U", 0, 10, 1, 0.1), _when("after", "In", 120, 0)),
        lambda amount, after: bolus(amount, int(after * MINUTE)),
    ),
    "meal": Form(
        "Eat something", (Field("carbs", "Carbohydrate", "g", 0, 120, 20), _when("after", "In", 120, 0)),
        lambda carbs, after: meal(carbs, int(after * MINUTE)),
    ),
    "meal_bolus": Form(
        "Eat and give insulin",
        (Field("carbs", "Carbohydrate", "g", 0, 120, 30), _when("eat", "Eat in", 120, 0),
         Field("amount", "Bolus", "U", 0, 10, 1, 0.1), _when("after", "Bolus in", 120, 10)),
        lambda carbs, eat, amount, after: meal_bolus(carbs, int(eat * MINUTE), amount, int(after * MINUTE)),
    ),
    "basal": Form(
        "Change basal", (Field("rate", "Rate", "U/h", 0, 5, 0.5, 0.05), _minutes("lasting", "For", 480, 120)),
        lambda rate, lasting: basal(rate, 0, int(lasting * MINUTE)),
    ),
    "bolus_lead": Form(
        "Bolus earlier before meals", (_minutes("lead", "Lead", 60, 15),), lambda lead: bolus_lead(int(lead * MINUTE))
    ),
    "bolus_scale": Form(
        "Larger or smaller boluses", (Field("factor", "Times", "", 0, 2, 1.1, 0.05),), bolus_scale
    ),
    "basal_scale": Form(
        "Higher or lower basal", (Field("factor", "Times", "", 0, 2, 0.9, 0.05),), basal_scale
    ),
    "sport": Form(
        "Do sport",
        (_when("after", "In", 480, 60), _minutes("lasting", "For", 180, 45),
         Field("effort", "Heart rate above rest", "bpm", 10, 130, 60, 5)),
        lambda after, lasting, effort: sport(int(after * MINUTE), int(lasting * MINUTE), effort),
    ),
    "illness": Form(
        "Fall ill",
        (Field("severity", "More insulin needed", "%", 0, 200, 50, 5), _when("after", "In", 480, 0),
         Field("lasting", "For", "h", 1, 96, 24)),
        lambda severity, after, lasting: illness(severity, int(after * MINUTE), int(lasting * HOUR)),
    ),
    "stress": Form(
        "Have stress",
        (Field("severity", "More insulin needed", "%", 0, 100, 25, 5), _when("after", "In", 480, 0),
         _minutes("lasting", "For", 480, 60)),
        lambda severity, after, lasting: stress(severity, int(after * MINUTE), int(lasting * MINUTE)),
    ),
    "closed_loop": Form("Closed loop", (), ArtificialPancreas),
}  # fmt: skip
