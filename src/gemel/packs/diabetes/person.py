"""diabetes.person: a person with type 1 diabetes, as CGM, pump and watch show them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gemel.facts import MINUTE
from gemel.intervention import Metric
from gemel.model import Composite, Input, Sensor
from gemel.packs.diabetes import modules
from gemel.packs.diabetes.agents import ALARMS
from gemel.packs.diabetes.guards import GUARDS
from gemel.packs.diabetes.metrics import METRICS
from gemel.packs.diabetes.scenarios import FORMS
from gemel.twintype import Asset, Autonomy, Level, Lever, Scope, Signal, TwinType

MMOL = {"mmol/L": 18.018}
"""mg/dL per mmol/L of glucose, molar mass 180.18 g/mol."""

DYNAMICS = Composite(
    [
        modules.insulin(),
        modules.habit(),
        modules.meal(),
        modules.glucose(),
        modules.exercise(),
        modules.strain(),
        modules.supposed(),
        modules.sensor(),
    ],
    inputs={
        "bolus": Input("pump.bolus", "U/min", "U"),
        "basal": Input("pump.basal", "U/min", "U/h", holds=True),
        "carbs": Input("mouth.carbs", "g/min", "g"),
        "exercise": Input("heart.above_rest", "bpm", "bpm", holds=True),
        "illness": Input("illness.told", "", "%", holds=True),
        "stress": Input("stress.told", "", "%", holds=True),
        "supposed bolus": Input("supposed.bolus", "U/min", "U"),
        "supposed basal": Input("supposed.basal", "U/min", "U/h", holds=True),
        "supposed carbs": Input("supposed.carbs", "g/min", "g"),
    },
    sensors={"glucose": Sensor("sensor.glucose", "sensor.noise")},
)


def _along(function: Callable[..., np.ndarray], draws: np.ndarray) -> np.ndarray:
    """Return a metric of draws (time, ...) by a function that takes time last."""
    return function(np.moveaxis(draws, 0, -1))


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
        "carbs": Lever("g", 0, 1000, 0, "Carbohydrate"),
        "exercise": Lever("bpm", 0, 160, 0, "Exercise, heart rate above rest", holds=True),
        "illness": Lever("%", 0, 200, 0, "Illness, more insulin needed", holds=True),
        "stress": Lever("%", 0, 100, 0, "Stress, more insulin needed", holds=True),
    },
    settings={
        "basal": Signal("U/h", 0, 15, label="Basal rate"),
        "ratio": Signal("g/U", 1, 150, label="Carbohydrate ratio"),
        "sensitivity": Signal("mg/dL/U", 5, 500, label="Correction factor"),
        "target_low": Signal("mg/dL", 70, 180, label="Target from"),
        "target_high": Signal("mg/dL", 70, 250, label="Target to"),
        "action": Signal("h", 3, 10, label="Insulin acts for"),
        "weight": Signal("kg", 2, 300, label="Weight"),
        "bolus_max": Signal("U", 0.05, 50, label="Largest bolus"),
        "basal_max": Signal("U/h", 0.05, 15, label="Largest basal rate"),
    },
    metrics={
        name: Metric(
            "glucose", own.unit, own.better, partial(_along, own.function), own.label, own.target, own.outweighs
        )
        for name, own in METRICS.items()
    },
    guards=GUARDS,
    alarms=ALARMS,
    scenarios=FORMS,
    explains=("insulin.on_board", "insulin.excess", "meal.on_board", "glucose.lowering", "glucose.raising"),
    supposes={"bolus": "supposed bolus", "basal": "supposed basal", "carbs": "supposed carbs"},
    conditions=("illness", "stress"),
    exposures={"insulin": ("bolus", "basal"), "carbs": ("carbs",)},
    band={"glucose": (70.0, 180.0)},
    members=256,
)
