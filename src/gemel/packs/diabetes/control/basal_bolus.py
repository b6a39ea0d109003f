"""The standard treatment: the profile's basal, and a bolus for each meal. Not a medical device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE
from gemel.packs.diabetes.control.activity import curve_of, net, on_board, pulses
from gemel.packs.diabetes.control.seam import Moment, Order


@dataclass(frozen=True)
class Habits:
    """How a person boluses: for carbohydrate announced within `within_min`; `corrects` high glucose along with the meal."""

    within_min: float = 5.0
    corrects: bool = True
    smallest: float = 0.05


@dataclass(frozen=True)
class Terms:
    """What a bolus is made of, in U: for carbohydrate, for glucose above the target (below 0: below it), what is on board."""

    food: float
    correction: float = 0.0
    on_board: float = 0.0

    @property
    def units(self) -> float:
        """Return the bolus: what is on board comes off a correction, low glucose off the meal; never below 0."""
        above = self.correction
        return max(0.0, self.food + (max(0.0, above - self.on_board) if above > 0 else above))


def terms(moment: Moment, grams: float, corrects: bool = True) -> Terms:
    """Return the terms of a bolus for *grams* now; the target is the middle of the profile's."""
    own, hour = moment.profile, moment.profile.hour(moment.now)
    food = grams / (own.ratio[hour] * moment.raised)
    if not (corrects and moment.glucose):
        return Terms(food)
    apart = float(moment.glucose[-1].value) - sum(own.target) / 2
    doses = pulses(net(moment.doses, own, moment.now))
    active = float(on_board(doses, np.array([float(moment.now)]), curve_of(own))[0])
    return Terms(food, apart / (own.sensitivity[hour] * moment.raised), max(active, 0.0))


def meal_bolus(moment: Moment, grams: float, corrects: bool = True) -> float:
    """Return the units for *grams*: grams / ratio, plus (glucose - target) / sensitivity less what is on board.

    The target is the middle of the profile's; low glucose takes insulin off the meal; never below 0.
    """
    return terms(moment, grams, corrects).units


def basal_bolus(moment: Moment, habits: Habits = Habits()) -> Order:
    """Return the profile's basal, and the bolus for what was announced since the last bolus, within the habits' minutes."""
    boluses = [dose.at for dose in moment.doses if dose.lever == "bolus" and dose.at <= moment.now]
    since = max(moment.now - habits.within_min * MINUTE, max(boluses, default=0))
    grams = sum(float(d.amount) for d in moment.doses if d.lever == "carbs" and since < d.at <= moment.now)
    if grams <= 0:
        return Order(None, why="the profile's basal")
    units = meal_bolus(moment, grams, habits.corrects)
    if units < habits.smallest:
        return Order(None, why=f"{grams:.0f} g need no insulin now")
    return Order(None, units, why=f"{units:.2f} U for {grams:.0f} g")
