"""The virtual patient as modules wired into a Composite: UVA/Padova S2008, or S2013 behind one switch.

S2008 (10.1177/193229680900300106) has 13 states and is simglucose's to hundredths of a mg/dL. S2013 (10.1177/1932296813514502)
shares its gut, insulin and subjects, and adds glucagon, risk, exercise, and sensitivity that varies in time.
"""

from __future__ import annotations

from functools import cache

from gemel.errors import unknown
from gemel.model import Composite, Input, Module, Sensor
from gemel.packs.diabetes.asset import glucose_2013
from gemel.packs.diabetes.asset.exercise import exercise
from gemel.packs.diabetes.asset.glucagon import glucagon_action, glucagon_depot, plasma_glucagon
from gemel.packs.diabetes.asset.glucose import glucose, skin
from gemel.packs.diabetes.asset.individuals import own
from gemel.packs.diabetes.asset.insulin import action, depot, plasma_insulin
from gemel.packs.diabetes.asset.meal import meal

MODELS_OF_PATIENTS = ("S2008", "S2013")

INPUTS = {
    "carbs": Input("mouth.carbs", "g/min", "g"),
    "bolus": Input("pump.bolus", "U/min", "U"),
    "basal": Input("pump.basal", "U/min", "U/h", holds=True),
}
"""Carbohydrate served, a bolus given within its minute, and a basal rate that holds."""

INPUTS_2013 = INPUTS | {
    "glucagon": Input("rescue.glucagon", "mg/min", "mg"),
    "heart": Input("heart.above_rest", "bpm", "bpm", holds=True),
    "sensitivity": Input("body.sensitivity", "", "", holds=True),
    "dawn": Input("body.dawn", "", "", holds=True),
}
"""And glucagon injected; heart rate above rest; the logarithm of insulin sensitivity; the share by which kp1 is raised."""


def modules(model: str = "S2008") -> list[Module]:
    """Return the modules of the virtual patient; their order does not matter."""
    if model not in MODELS_OF_PATIENTS:
        raise unknown("model of a patient", model, MODELS_OF_PATIENTS)
    body = Module(name="body", parameters=own("BW"))
    shared = [body, meal(), depot(), plasma_insulin(), action(), skin()]
    if model == "S2008":
        return [*shared, glucose()]
    return [*shared, glucose_2013.glucose(), plasma_glucagon(), glucagon_action(), glucagon_depot(), exercise()]


def patient(model: str = "S2008") -> Composite:
    """Return the dynamics of the virtual patients; `skin.glucose` (mg/dL) is what simglucose calls BG."""
    return _patient(model)


@cache
def _patient(model: str) -> Composite:
    inputs = INPUTS if model == "S2008" else INPUTS_2013
    return Composite(modules(model), inputs, {"glucose": Sensor("skin.glucose", 0.0)})
