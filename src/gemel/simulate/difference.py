"""What a supposed plan does beyond the usual one: the part whose effect is to be known, not only to be foreseen.

A model fitted to foresee learns what goes with a dose, such as a bolus with a rise already under way, and so underrates
what the dose does. A dynamics may therefore carry the effect of supposed changes by inputs of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from gemel.dynamics import Dose, Plan
from gemel.facts import Time

Rates = Mapping[str, float]
"""The rate at which each lever that holds stands now, in its unit."""


def difference(usual: Plan, revised: Plan, supposes: Mapping[str, str], rates: Rates) -> list[Dose]:
    """Return *revised* minus *usual*, on the inputs that *supposes* names for each lever; `rates` are the ones that hold."""
    found: list[Dose] = []
    for lever, supposed in supposes.items():
        before, after = ([dose for dose in plan if dose.lever == lever] for plan in (usual, revised))
        found += _rates(before, after, supposed, rates[lever]) if lever in rates else _amounts(before, after, supposed)
    return sorted(found, key=lambda dose: dose.at)


def rate_at(plan: Plan, lever: str, when: Time, rate: float) -> float:
    """Return the rate of a lever at a moment under *plan*, which began at *rate*."""
    for dose in sorted((dose for dose in plan if dose.lever == lever), key=lambda dose: dose.at):
        if dose.at <= when:
            rate = float(dose.amount)
    return rate


def _amounts(before: Plan, after: Plan, supposed: str) -> list[Dose]:
    left, new = Counter(before), Counter(after)
    gone = [Dose(supposed, -float(dose.amount), dose.at) for dose in (left - new).elements()]
    return [*gone, *(Dose(supposed, dose.amount, dose.at) for dose in (new - left).elements())]


def _rates(before: Plan, after: Plan, supposed: str, rate: float) -> list[Dose]:
    times = sorted({dose.at for dose in [*before, *after]})
    lever = next((dose.lever for dose in [*before, *after]), "")
    return [Dose(supposed, rate_at(after, lever, at, rate) - rate_at(before, lever, at, rate), at) for at in times]
