"""What was given: insulin and carbohydrate per day, from the doses on record; a basal rate holds until the next."""

from __future__ import annotations

from dataclasses import dataclass

from gemel.bank import Twin
from gemel.facts import DAY, HOUR, Time
from gemel.packs.diabetes.reports.seen import doses


@dataclass(frozen=True)
class Given:
    """Averages per day over `days`: insulin [U], carbohydrate [g], how often; `basal` is None where no rate is known."""

    days: float
    bolus: float
    boluses: float
    basal: float | None
    carbs: float
    meals: float


def given(twin: Twin, since: Time, until: Time) -> Given:
    """Return what was given a day; `days` is 0 where nothing is on record. Raise `Refused` where any of it may not be read."""
    bolus, carbs = doses(twin, "bolus", since, until), doses(twin, "carbs", since, until)
    rates = doses(twin, "basal", None, until)
    held = units(rates, since, until)
    if not bolus and not carbs and held is None:
        return Given(0.0, 0.0, 0.0, None, 0.0, 0.0)
    days = (until - since) / DAY
    amounts = [sum(amount for _, amount in found) / days for found in (bolus, carbs)]
    return Given(
        days, amounts[0], len(bolus) / days, None if held is None else held / days, amounts[1], len(carbs) / days
    )


def units(rates: list[tuple[Time, float]], since: Time, until: Time) -> float | None:
    """Return how many U rates [U/h] gave from *since* to *until*; None where there is no rate."""
    if not rates:
        return None
    ends = [*(at for at, _ in rates[1:]), until]
    pieces = [
        rate * (min(end, until) - max(at, since)) / HOUR
        for (at, rate), end in zip(rates, ends, strict=True) if end > since and at < until
    ]  # fmt: skip
    return sum(pieces) if pieces else None
