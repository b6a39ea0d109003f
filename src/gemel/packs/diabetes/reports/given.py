"""What was given: insulin and carbohydrate per day, from the doses on record; a basal rate holds until the next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from gemel.bank import Twin
from gemel.facts import DAY, HOUR, Time
from gemel.packs.diabetes.reports import clock
from gemel.packs.diabetes.reports.seen import doses


@dataclass(frozen=True)
class Given:
    """Averages over the `days` on which anything was written down: insulin [U], carbohydrate [g], how often a day.

    `basal` is None where no rate is known.
    """

    days: float
    bolus: float
    boluses: float
    basal: float | None
    carbs: float
    meals: float


def given(twin: Twin, since: Time, until: Time, zone: tzinfo) -> Given:
    """Return what was given a day; `days` is 0 where nothing is on record. Raise `Refused` where any of it may not be read."""
    bolus, carbs = doses(twin, "bolus", since, until), doses(twin, "carbs", since, until)
    rates = doses(twin, "basal", None, until)
    told = [at for at, _ in (*bolus, *carbs, *rates) if at >= since]
    known = written(told, since, until, zone)
    days = sum(end - start for start, end in known) / DAY
    if not days:
        return Given(0.0, 0.0, 0.0, None, 0.0, 0.0)
    held = [part for span in known if (part := units(rates, *span)) is not None]
    amounts = [sum(amount for _, amount in found) / days for found in (bolus, carbs)]
    return Given(days, amounts[0], len(bolus) / days, sum(held) / days if held else None, amounts[1], len(carbs) / days)


def written(at: list[Time], since: Time, until: Time, zone: tzinfo) -> list[tuple[Time, Time]]:
    """Return, within the period, the local days of these times: of a day without a word what was given is not known."""
    told = np.unique(clock.days(np.array(at, np.int64), zone)).tolist()
    return [(max(clock.midnight(day, zone), since), min(clock.midnight(day + 1, zone), until)) for day in told]


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
