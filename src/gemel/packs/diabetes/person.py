"""diabetes.person: a person with type 1 diabetes, as CGM, pump and watch show them."""

from __future__ import annotations

from gemel.facts import MINUTE
from gemel.model import Composite, Input, Sensor
from gemel.packs.diabetes import modules
from gemel.twintype import Asset, Autonomy, Level, Lever, Scope, Signal, TwinType

MMOL = {"mmol/L": 18.018}
"""mg/dL per mmol/L of glucose, molar mass 180.18 g/mol."""

DYNAMICS = Composite(
    [modules.insulin(), modules.habit(), modules.meal(), modules.glucose(), modules.sensor()],
    inputs={
        "bolus": Input("pump.bolus", "U/min", "U"),
        "basal": Input("pump.basal", "U/min", "U/h", holds=True),
        "carbs": Input("mouth.carbs", "g/min", "g"),
    },
    sensors={"glucose": Sensor("sensor.glucose", "sensor.noise")},
)

Person = TwinType(
    name="diabetes.person",
    asset=Asset.PHYSICAL,
    scope=Scope.PERSON,
    level=Level(fidelity=2, connectedness=3, learning=2, autonomy=Autonomy.APPROVE),
    dynamics=DYNAMICS,
    signals={
        "glucose": Signal("mg/dL", 20, 600, 5 * MINUTE, "Glucose", accepts=MMOL),
        "heart_rate": Signal("bpm", 20, 260, 5 * MINUTE, "Heart rate"),
        "steps": Signal("step", 0, 5_000, 5 * MINUTE, "Steps"),
    },
    levers={
        "bolus": Lever("U", 0, 50, 0, "Bolus"),
        "basal": Lever("U/h", 0, 15, 0, "Basal", holds=True),
        "carbs": Lever("g", 0, 400, 0, "Carbohydrate"),
    },
)
