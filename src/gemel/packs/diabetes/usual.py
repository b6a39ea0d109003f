"""Usual insulin: what somebody gets when nobody does anything, and how much more than that some doses are.

Doses may come in any order and in any parts: what is judged is what they amount to. Not a medical device.
"""

from __future__ import annotations

from collections.abc import Iterator

from gemel.dynamics import Dose, Plan
from gemel.facts import DAY, HOUR, Time
from gemel.intervention import Situation

HOLDS: Time = 2 * HOUR
"""How long a basal rate that nothing follows is taken to hold."""

ROUNDING = 0.025
"""U/h, half of a pump's step: a rate no further above the usual is the usual one, or a pause would fail on its rounded end."""


def setting(situation: Situation, name: str, at: Time, silent: float) -> float:
    """Return what the care plan has in force at a moment, by the hour of the person's day; *silent* where it says nothing."""
    value = situation.settings.get(name, silent)
    return value[(at + situation.offset) % DAY // HOUR] if isinstance(value, tuple) else float(value)


def basal(situation: Situation, at: Time) -> float:
    """Return the usual basal rate in U/h at a moment: the care plan's, or else what was given of late."""
    return setting(situation, "basal", at, situation.state["habit.basal"] * 60)


def daily(situation: Situation) -> float:
    """Return the usual insulin of a day in U."""
    return situation.state["habit.total"] * 1440


def boluses(doses: Plan) -> list[Dose]:
    """Return the boluses in order of time."""
    return sorted((dose for dose in doses if dose.lever == "bolus" and dose.amount > 0), key=lambda dose: dose.at)


def extra(doses: Plan, situation: Situation) -> float:
    """Return the units that *doses* give beyond the usual basal; what they give less of earns nothing."""
    total = sum(float(dose.amount) for dose in boluses(doses))
    for start, end, rate in _pieces(doses, situation.offset):
        above = rate - basal(situation, start)
        total += above * (end - start) / HOUR if above > ROUNDING + 1e-9 else 0.0
    return total


def beside(doses: Plan, underway: Plan) -> list[Dose]:
    """Return *doses* and what is *underway*, whose basal they replace from their first rate on."""
    first = min((dose.at for dose in doses if dose.lever == "basal"), default=None)
    kept = [dose for dose in underway if dose.lever != "basal" or first is None or dose.at < first]
    return [*kept, *doses]


def _pieces(doses: Plan, offset: Time) -> Iterator[tuple[Time, Time, float]]:
    """Yield (start, end, U/h) of basal, cut at the hours of the person's day; of rates at one time the highest holds."""
    rates = sorted((dose.at, float(dose.amount)) for dose in doses if dose.lever == "basal")
    ends = [*(at for at, _ in rates[1:]), *(at + HOLDS for at, _ in rates[-1:])]
    for (start, rate), end in zip(rates, ends, strict=True):
        while start < end:
            cut = min(end, start - (start + offset) % HOUR + HOUR)
            yield start, cut, rate
            start = cut
