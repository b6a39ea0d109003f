"""Sport mode: before and during exercise a raised target, less basal, no automatic boluses. Not a medical device.

The figures follow the consensus of Riddell et al. 2017 (10.1016/S2213-8587(17)30014-1): basal reduced by 50 to 80 % from
about 90 min before, the bolus of a meal shortly before reduced by 25 to 75 %, glucose of 126 to 180 mg/dL to begin with.
What exercise itself does to insulin sensitivity enters by `Moment.raised`, from the twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.control.seam import Controller, Moment, Order


@dataclass(frozen=True)
class Mode:
    """What changes: `target` mg/dL, `basal` and meal `bolus` as parts of usual, from `before_min` to `after_min` after."""

    target: tuple[float, float]
    basal: float
    bolus: float
    before_min: float
    after_min: float


MODES = {
    "light": Mode((130.0, 150.0), 0.8, 0.75, 60.0, 0.0),
    "moderate": Mode((140.0, 160.0), 0.5, 0.5, 90.0, 30.0),
    "hard": Mode((140.0, 160.0), 0.3, 0.25, 90.0, 60.0),
    "race": Mode((130.0, 160.0), 1.0, 0.75, 30.0, 0.0),
}
"""Modes by how hard it will be; a short anaerobic race often raises glucose, so its basal stays."""


@dataclass(frozen=True)
class Sport:
    """Planned exercise: from `starts` to `ends`, how hard (a key of MODES)."""

    starts: Time
    ends: Time
    how: str = "moderate"

    def __post_init__(self) -> None:
        """Refuse what is no mode, or ends before it starts."""
        if self.how not in MODES:
            raise ValueError(f"unknown sport mode {self.how!r}; there are {', '.join(MODES)}")
        if self.ends <= self.starts:
            raise ValueError("sport ends before it starts")


def mode(planned: Sequence[Sport], now: Time) -> Mode | None:
    """Return the mode at *now*, the one with least basal where plans overlap."""
    active = [
        MODES[own.how]
        for own in planned
        if own.starts - MODES[own.how].before_min * MINUTE <= now < own.ends + MODES[own.how].after_min * MINUTE
    ]
    return min(active, key=lambda own: own.basal, default=None)


def prepare(moment: Moment, now_on: Mode) -> Moment:
    """Return the moment with the mode's target, never below the profile's own, and basal."""
    own = moment.profile
    target = (max(own.target[0], now_on.target[0]), max(own.target[1], now_on.target[1]))
    return replace(moment, profile=replace(own, target=target, basal=tuple(rate * now_on.basal for rate in own.basal)))


def sporting(controller: Controller, planned: Sequence[Sport], meal_min: float = 5.0) -> Controller:
    """Return *controller* in sport mode when one is planned; put the guards outside, `guarded(sporting(...))`.

    A bolus passes only for carbohydrate announced within *meal_min*, reduced; basal never above the mode's.
    """

    def within(moment: Moment) -> Order:
        now_on = mode(planned, moment.now)
        if now_on is None:
            return controller(moment)
        order = controller(prepare(moment, now_on))
        usual = moment.profile.basal[moment.profile.hour(moment.now)] * now_on.basal
        rate = usual if order.basal is None else min(order.basal, usual)
        bolus = order.bolus * now_on.bolus if _eating(moment, meal_min) else 0.0
        return Order(rate, bolus, order.minutes, f"{order.why}; sport mode".lstrip("; "))

    return within


def _eating(moment: Moment, meal_min: float) -> bool:
    """Return whether carbohydrate was announced just now."""
    since = moment.now - meal_min * MINUTE
    return any(d.lever == "carbs" and since < d.at <= moment.now and d.amount > 0 for d in moment.doses)
