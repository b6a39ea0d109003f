"""A controller's profile, from the shared care plan, or by rules of thumb from the insulin of a usual day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gemel.bank.careplan import HOURS, Setting
from gemel.facts import Time
from gemel.packs.diabetes.control.seam import Profile

SENSITIVITY_RULE, RATIO_RULE, BASAL_SHARE = 1700.0, 500.0, 0.5
"""1 U lowers glucose by 1700/T mg/dL and covers 500/T g, T the insulin of a usual day; half of T is basal (rules of thumb)."""

SHORTEST_H = 3.0
"""Hours that insulin acts at least: what acts most at 75 min cannot be over by 2.5 h. A plan of earlier days may say 2."""


def profile(settings: Mapping[str, Setting], daily: float, offset: Time = 0) -> Profile:
    """Return what the plan's *settings* say, and by rules of thumb from *daily* U what they leave open; *offset* ms from UTC."""
    usual = {"basal": BASAL_SHARE * daily / HOURS, "sensitivity": SENSITIVITY_RULE / daily, "ratio": RATIO_RULE / daily}
    hourly = {name: _hourly(settings.get(name, value)) for name, value in usual.items()}
    target = _one(settings.get("target_low", 100.0)), _one(settings.get("target_high", 120.0))
    return Profile(
        hourly["basal"], hourly["sensitivity"], hourly["ratio"], (min(target), max(target)),
        max(_one(settings.get("action", 6.0)), SHORTEST_H), offset=offset,
        bolus_max=_least(settings.get("bolus_max", np.inf)), basal_max=_least(settings.get("basal_max", np.inf)),
    )  # fmt: skip


def _hourly(value: Setting) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * HOURS


def _one(value: Setting) -> float:
    return float(np.mean(value))


def _least(value: Setting) -> float:
    """Return what holds at every hour of the day."""
    return float(np.min(value))
