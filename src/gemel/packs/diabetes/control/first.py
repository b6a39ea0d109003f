"""A first closed loop: basal insulin modulated on the forecast. Not a medical device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gemel.dynamics import Array, Dose
from gemel.facts import MINUTE
from gemel.intervention import Intervention, Situation


@dataclass(frozen=True)
class Settings:
    """How the loop steers: glucose in mg/dL; at most `most` times the usual basal, none below `suspend`."""

    target: float = 115.0
    suspend: float = 85.0
    most: float = 3.0
    hours: float = 1.5
    trend_min: float = 20.0
    segment_min: int = 30
    least_change: float = 0.15


def basal_rate(foreseen: Array, sensitivity: Array, on_board: Array, usual: Array, settings: Settings) -> np.ndarray:
    """Return the basal rate in U/h that would bring *foreseen* glucose to target over `hours`.

    *sensitivity* in mg/dL/U, *on_board* beyond usual in U, *usual* in U/h; all broadcast together.
    """
    needed = (foreseen - settings.target) / sensitivity - np.maximum(on_board, 0.0)
    rate = np.clip(usual + needed / settings.hours, 0.0, settings.most * usual)
    return np.where(np.asarray(foreseen) < settings.suspend, 0.0, rate)


def advise(situation: Situation, settings: Settings = Settings()) -> Sequence[tuple[Intervention, str]]:
    """Return a temporary basal segment where the forecast asks for one, with its reason."""
    forecast = situation.forecasts["glucose"]
    index = [i for i, at in enumerate(forecast.at) if at - forecast.made_at <= 60 * MINUTE]
    soon, low = float(forecast.at_level(0.5)[index[-1]]), float(forecast.at_level(0.1)[index].min())
    usual, now = situation.state["habit.basal"] * 60, situation.state["pump.basal"] * 60
    wanted = basal_rate(
        soon, situation.state["insulin.sensitivity"], situation.state["insulin.on_board"], usual, settings
    )
    rate = 0.0 if low < 70.0 else round(float(wanted) / 0.05) * 0.05
    if abs(rate - now) < max(0.05, settings.least_change * usual):
        return []
    until = situation.now + settings.segment_min * MINUTE
    why = f"{soon:.0f} mg/dL expected in an hour (10 % chance below {low:.0f}); usual basal is {usual:.2f} U/h"
    what = f"basal {rate:.2f} U/h for {settings.segment_min} min"
    doses = (Dose("basal", round(rate, 3), situation.now), Dose("basal", round(usual, 2), until))
    return [(Intervention(what, doses, f"about {settings.target:.0f} mg/dL"), why)]
