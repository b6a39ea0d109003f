"""The standard treatment of a ward, to compare controllers with: basal profile and boluses as people are taught them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gemel.facts import HOUR
from gemel.packs.diabetes.asset.living import asleep
from gemel.packs.diabetes.asset.ward import Ward

Policy = Callable[[Ward], tuple[np.ndarray, np.ndarray]]
"""From a ward to basal (subject,) U/h and bolus (subject,) U; it looks at `readings()` and `settings` alone."""


def basal_bolus(ward: Ward) -> tuple[np.ndarray, np.ndarray]:
    """Return the basal profile, a bolus for what is announced, and corrections as a person makes them.

    With a meal: for glucose above 180 mg/dL if three hours have passed since the last bolus, and for glucose below 90. Between
    meals, awake: above 180, three hours after the last bolus.
    """
    now, own = ward.readings(), ward.settings
    hour = now.now // HOUR % 24
    glucose = np.where(np.isnan(now.glucose), own.target, now.glucose)
    over = (glucose - own.target) / own.sensitivity[:, hour]
    meal, awake = now.carbs > 0.0, not asleep(now.now, 0)
    due = (glucose > 180.0) & (now.bolused >= 3 * HOUR) & (meal | awake)
    correction = np.where(due | ((glucose < 90.0) & meal), over, 0.0)
    return own.basal[:, hour], np.maximum(now.carbs / own.ratio[:, hour] + correction, 0.0)
