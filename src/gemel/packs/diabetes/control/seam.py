"""The one seam of all controllers: what one may look at, and what it may ask of the pump. Not a medical device.

A controller is a pure function from a `Moment` to an `Order`. Guards sit outside it and judge every order, whoever gave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.dynamics import Plan, Reading
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.control.caution import LEARNING

SEGMENT_MIN = 30
"""A basal rate is asked for this long; then the pump's own profile goes on by itself, should nothing follow."""


@dataclass(frozen=True)
class Profile:
    """What a care team has set, one value for each hour of the person's day.

    `basal` U/h, `sensitivity` mg/dL per U, `ratio` g of carbohydrate per U, `target` (low, high) mg/dL; insulin acts for
    `action_h` hours and most at `peak_min`; `offset` ms is local time minus UTC; no bolus (U) and no rate (U/h) is to be above
    `bolus_max` and `basal_max`.
    """

    basal: tuple[float, ...]
    sensitivity: tuple[float, ...]
    ratio: tuple[float, ...]
    target: tuple[float, float] = (100.0, 120.0)
    action_h: float = 6.0
    peak_min: float = 75.0
    offset: Time = 0
    bolus_max: float = np.inf
    basal_max: float = np.inf

    def hour(self, at: Time) -> int:
        """Return the hour of the person's day, 0 to 23."""
        return (at + self.offset) % DAY // HOUR


@dataclass(frozen=True)
class Foreseen:
    """What the twin expects from now on, every 5 min: the first column is now.

    `glucose` (member, time) mg/dL if the profile's basal goes on; `per_unit` (member, time) mg/dL by which one U given now
    changes it (mostly below 0); `per_gram` the same for 1 g of carbohydrate.
    """

    glucose: np.ndarray
    per_unit: np.ndarray
    per_gram: np.ndarray
    every: Time = 5 * MINUTE


@dataclass(frozen=True)
class Moment:
    """All a controller may look at: readings and doses of the last day, oldest first, and the twin's ensemble if it has one.

    `doses` holds boluses (U), basal rates (U/h, each until the next) and announced carbohydrate (g). `raised` is by how much
    exercise, illness or the like is known to change insulin sensitivity (1 is as usual); `daily` is a usual day's insulin in U;
    `caution` is by how many mg/dL a forecast is to be taken as lower than it says when lows are counted; as for a stranger,
    if nobody learned it.
    """

    now: Time
    profile: Profile
    glucose: Sequence[Reading]
    doses: Plan
    foreseen: Foreseen | None = None
    raised: float = 1.0
    daily: float | None = None
    caution: float = LEARNING.start


@dataclass(frozen=True)
class Order:
    """What a controller asks for: a basal rate in U/h for `minutes`, a bolus in U now, and why.

    `basal` None leaves the pump on its profile.
    """

    basal: float | None
    bolus: float = 0.0
    minutes: int = SEGMENT_MIN
    why: str = ""


Controller = Callable[[Moment], Order]
"""From a moment to an order; pure, quick, never told who it is for."""
