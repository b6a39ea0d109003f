"""How quickly the carbohydrate of a meal comes in: fast, medium or slow by composition, then learned from what was observed.

Fat slows the emptying of the stomach and raises glucose late (Wolpert et al. 2013, 10.2337/dc12-0092); protein and fat add up in
children (Smart et al. 2013, 10.2337/dc13-1195; review: Bell et al. 2015, 10.2337/dc15-0100). That they do is published; the
index, its limits and the priors below are judgements. No table of the glycaemic index is used: none is open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gemel.packs.food.meal import Meal

FAST, SLOW = 0.15, 0.5
"""Limits of the index (fat + half the protein + fibre, per gram of carbohydrate)."""
COARSE = 0.05
"""Grams of fibre per gram of carbohydrate from which on nothing is fast."""
PRIORS = {"fast": math.log(1.6), "medium": 0.0, "slow": math.log(0.6)}
"""Log of how many times quicker than this person's usual meal."""
PRIOR_SD = 0.35
HELPINGS_SD = 0.25
"""Of one meal from day to day, in the log."""
USUAL_PEAK_MIN = 40.0
"""Time of most appearance of a usual meal (Hovorka 2004, 10.1088/0967-3334/25/4/010, tmaxG)."""


@dataclass(frozen=True)
class Absorption:
    """What is believed of a meal's rate of absorption, as the log of its ratio to the person's usual rate: normal.

    `seen` is the number of observed helpings behind it.
    """

    mean: float
    sd: float
    seen: int = 0

    @property
    def speed(self) -> float:
        """Return the median ratio to the usual rate."""
        return math.exp(self.mean)

    def kabs(self, usual: float) -> tuple[float, float]:
        """Return the median rate constant in the unit of *usual*, and the standard deviation of its log for the next helping."""
        return usual * self.speed, math.hypot(self.sd, HELPINGS_SD)

    def peak_min(self, usual: float = USUAL_PEAK_MIN) -> float:
        """Return the time of most appearance in minutes: twice as quick is half as long."""
        return usual / self.speed

    def learn(self, speed: float, spread: float) -> Absorption:
        """Return the belief after a helping was observed at *speed* times the usual rate, *spread* the sd of its log.

        The conjugate update of a normal mean with known variance (Gelman et al., Bayesian Data Analysis, eq. 2.10).
        """
        noise = spread**2 + HELPINGS_SD**2
        precision = 1 / self.sd**2 + 1 / noise
        mean = (self.mean / self.sd**2 + math.log(speed) / noise) / precision
        return Absorption(mean, precision**-0.5, self.seen + 1)


def kind(meal: Meal) -> str:
    """Return fast, medium or slow, by the composition of all that is eaten together; medium without carbohydrate."""
    carbohydrate, fat, protein, fibre = (meal.total(one).value for one in ("carbohydrate", "fat", "protein", "fibre"))
    if carbohydrate < 1.0:
        return "medium"
    index = (fat + 0.5 * protein + fibre) / carbohydrate
    if index >= SLOW:
        return "slow"
    return "fast" if index < FAST and fibre / carbohydrate < COARSE else "medium"


def prior(meal: Meal) -> Absorption:
    """Return what is believed of a meal that this person was never seen to eat."""
    return Absorption(PRIORS[kind(meal)], PRIOR_SD)


Learned = Mapping[str, Absorption]
"""What was learned of one person's meals, by their signature."""


def signature(meal: Meal) -> str:
    """Return what tells one meal from another: keys of the foods that bring a tenth or more of its carbohydrate, sorted."""
    whole = meal.total("carbohydrate").value
    held = {item.food.key: (item.food.of("carbohydrate", item.amount.grams) or 0.0) for item in meal.items}
    return " + ".join(sorted(key for key, grams in held.items() if grams >= 0.1 * whole))


def expected(learned: Learned, meal: Meal) -> Absorption:
    """Return what is believed of a meal: what was learned of it, else its prior."""
    return learned.get(signature(meal)) or prior(meal)


def learn(learned: Learned, meal: Meal, speed: float, spread: float) -> dict[str, Absorption]:
    """Return what is known after one more helping, observed at *speed* (log sd *spread*); nothing else changes."""
    return {**learned, signature(meal): expected(learned, meal).learn(speed, spread)}
