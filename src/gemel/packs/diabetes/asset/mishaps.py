"""What goes wrong in a ward, and how often: the axes of scenarios in closed-loop experiments."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from gemel.errors import BadInput
from gemel.facts import HOUR, MINUTE, Time

SHAPES = ("uniform", "log-normal")


@dataclass(frozen=True)
class Mishaps:
    """Rates and sizes; all 0: meals are announced on time and counted exactly, and all devices work.

    Meals: `missed` and `late` (15 to 60 min) are shares of meals, `carb_error` the largest relative error of counts (uniform)
    or its standard deviation on a log scale (log-normal). Body: `exercise`, `illness`, `stress` are chances a day. Sensor:
    `gaps` a day, `dropouts` a share of readings, `compressions` a night, `warm_up` ms and `replaced` ms on average between
    sensors, `drift_sd` a day. Pump: `occlusions` a
    day, each found after `found` ms on average, or once `alarm_units` U are held back; `wear` is the share of insulin lost per
    day that a set is worn beyond its second.
    """

    missed: float = 0.0
    late: float = 0.0
    carb_error: float = 0.0
    carb_shape: str = "uniform"
    exercise: float = 0.0
    illness: float = 0.0
    stress: float = 0.0
    gaps: float = 0.0
    dropouts: float = 0.0
    compressions: float = 0.0
    warm_up: Time = 0
    replaced: Time = 0
    drift_sd: float = 0.0
    occlusions: float = 0.0
    found: Time = 5 * HOUR
    alarm_units: float = 3.0
    wear: float = 0.0

    def __post_init__(self) -> None:
        if self.carb_shape not in SHAPES:
            raise BadInput(f"carb_shape is {self.carb_shape!r}; possible are {', '.join(SHAPES)}", field="carb_shape")
        for one in fields(self):
            value = getattr(self, one.name)
            most = 1.0 if one.name in ("missed", "late", "dropouts", "exercise", "illness", "stress") else np.inf
            if not isinstance(value, str) and not 0.0 <= value <= most:
                raise BadInput(f"{one.name} is {value}; it must lie between 0 and {most:g}", field=one.name)

    def counted(self, grams: float, draw: float, normal: float) -> float:
        """Return what is announced of *grams*, given a draw from (0, 1) and a normal one; whole grams, at least 1."""
        uniform = self.carb_shape == "uniform"
        wrong = 1.0 + self.carb_error * (2.0 * draw - 1.0) if uniform else float(np.exp(self.carb_error * normal))
        return float(max(round(grams * max(wrong, 0.0)), 1))


NONE = Mishaps()
"""Nothing goes wrong."""

COMMON = Mishaps(
    missed=0.1, late=0.1, carb_error=0.3, exercise=0.4, stress=0.1, gaps=0.5, dropouts=0.01, compressions=0.15,
    warm_up=120 * MINUTE, occlusions=0.03,
)  # fmt: skip
"""What is usual in daily life, by judgement: one meal in ten forgotten, one late, counts ±30 %, sport on two days in five."""
