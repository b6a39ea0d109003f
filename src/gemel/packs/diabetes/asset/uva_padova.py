"""The virtual patient: UVA/Padova S2008 (10.1177/193229680900300106), 13 states, as modules wired into a Composite."""

from __future__ import annotations

from functools import cache

from gemel.model import Composite, Input, Module, Sensor
from gemel.packs.diabetes.asset.glucose import glucose, skin
from gemel.packs.diabetes.asset.individuals import own
from gemel.packs.diabetes.asset.insulin import action, depot, plasma_insulin
from gemel.packs.diabetes.asset.meal import meal

INPUTS = {
    "carbs": Input("mouth.carbs", "g/min", "g"),
    "bolus": Input("pump.bolus", "U/min", "U"),
    "basal": Input("pump.basal", "U/min", "U/h", holds=True),
}
"""Carbohydrate served, a bolus given within its minute, and a basal rate that holds."""


def modules() -> list[Module]:
    """Return the modules of the virtual patient; their order does not matter."""
    body = Module(name="body", parameters=own("BW"))
    return [body, meal(), depot(), plasma_insulin(), action(), glucose(), skin()]


@cache
def patient() -> Composite:
    """Return the dynamics of the virtual patients; `skin.glucose` (mg/dL) is what simglucose calls BG."""
    return Composite(modules(), INPUTS, {"glucose": Sensor("skin.glucose", 0.0)})
