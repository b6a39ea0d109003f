"""Tools that look at glucose for a conversation: the last days one by one, what happened lately, what would come of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from gemel.bank import Twin
from gemel.bank.tools import Answer, local, steps
from gemel.dynamics import Dose, Reading
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE
from gemel.intervention import Intervention, Scenario
from gemel.packs.diabetes.sunny.settings import manner
from gemel.streams.clock import zone

GLUCOSE = "glucose"
Minutes = Annotated[float, msgspec.Meta(ge=0, le=360)]


class Days(msgspec.Struct, forbid_unknown_fields=True):
    """How many days back, today among them."""

    days: Annotated[int, msgspec.Meta(ge=1, le=31)] = 7


class Lately(msgspec.Struct, forbid_unknown_fields=True):
    """How many hours back."""

    hours: Annotated[float, msgspec.Meta(gt=0, le=24)] = 4.0


class Tried(msgspec.Struct, forbid_unknown_fields=True):
    """Carbohydrate in g and a bolus in U, each in how many minutes, and for how many hours to look ahead."""

    carbs: Annotated[float, msgspec.Meta(ge=0, le=300)] = 0.0
    carbs_in_min: Minutes = 0.0
    bolus: Annotated[float, msgspec.Meta(ge=0, le=50)] = 0.0
    bolus_in_min: Minutes = 0.0
    hours: Annotated[float, msgspec.Meta(gt=0.5, le=6)] = 3.0


def week(twin: Twin, asked: Days) -> Answer:
    """Return, for each day of the person's own clock, readings, mean, lowest, highest and percent in range."""
    place, now = zone(manner(twin).timezone), twin.bank.now()
    unit, band = twin.type.signals[GLUCOSE].unit, twin.type.band[GLUCOSE]
    read = twin.readings(GLUCOSE, now - asked.days * DAY, now + 1)
    days: dict[str, list[float]] = {}
    for one in read:
        days.setdefault(local(one.at, place).date().isoformat(), []).append(one.value)
    rows = [{"day": day, "weekday": _weekday(day), **_told(values, band)} for day, values in sorted(days.items())]
    return {"unit": unit, "band": list(band), "days": rows, "whole": _told([one.value for one in read], band)}


def _weekday(day: str) -> str:
    from datetime import date

    return date.fromisoformat(day).strftime("%A")


def _told(values: Sequence[float], band: tuple[float, float]) -> dict[str, Any]:
    if not values:
        return {"readings": 0}
    held = np.array(values)
    return {
        "readings": len(values), "mean": round(float(held.mean()), 1), "lowest": round(float(held.min()), 1),
        "highest": round(float(held.max()), 1),
        "in_range_percent": round(100 * float(((held >= band[0]) & (held <= band[1])).mean())),
        "below_percent": round(100 * float((held < band[0]).mean()), 1),
        "above_percent": round(100 * float((held > band[1]).mean()), 1),
    }  # fmt: skip


def recent(twin: Twin, asked: Lately) -> Answer:
    """Return carbohydrate and insulin of the last hours, what is still at work, and how glucose went over the last hour."""
    situation, now = twin.situation(), twin.bank.now()
    since = now - round(asked.hours * HOUR)
    return {
        "carbs": [_row(one, now, "g") for one in situation.doses if one.lever == "carbs" and since <= one.at <= now],
        "boluses": [_row(one, now, "U") for one in situation.doses if one.lever == "bolus" and since <= one.at <= now],
        "insulin_on_board": round(max(situation.state["insulin.on_board"], 0.0), 1),
        "hours": asked.hours, **_change(situation.readings.get(GLUCOSE, ()), now),
    }  # fmt: skip


def _row(dose: Dose, now: int, unit: str) -> dict[str, Any]:
    return {
        "amount": round(float(dose.amount), 1),
        "unit": unit,
        "minutes_ago": round((now - dose.at) / MINUTE),
        "at": dose.at,
    }


def _change(read: Sequence[Reading], now: int) -> dict[str, Any]:
    held = [one for one in read if one.at >= now - HOUR]
    if len(held) < 2:
        return {"change": None}
    return {"change": round(held[-1].value - held[0].value), "change_min": round((held[-1].at - held[0].at) / MINUTE)}


def try_out(twin: Twin, asked: Tried) -> Answer:
    """Return glucose as usual and as supposed, and, where there is insulin in it, whether the guards would refuse it."""
    if asked.carbs <= 0 and asked.bolus <= 0:
        raise BadInput("suppose some carbohydrate, some insulin or both", field="carbs")
    usual = twin.fork("as usual")
    doses = _doses(asked, usual.now)
    title = " and ".join(
        f"{one.amount:g} {'g of carbohydrate' if one.lever == 'carbs' else 'U of insulin'}" for one in doses
    )
    fork = usual.suppose(Scenario(title, lambda plan, now: [*plan, *doses]))
    answer = {
        "asked": {"carbs": asked.carbs, "bolus": asked.bolus, "carbs_in_min": asked.carbs_in_min,
                  "bolus_in_min": asked.bolus_in_min},
        "usual": steps(usual.forecast(GLUCOSE, asked.hours)),
        "supposed": {"title": title, **steps(fork.forecast(GLUCOSE, asked.hours))},
        "band": list(twin.type.band[GLUCOSE]), "hours": asked.hours,
    }  # fmt: skip
    return {**answer, "guard": _guard(twin, title, doses)} if asked.bolus > 0 else answer


def _doses(asked: Tried, now: int) -> tuple[Dose, ...]:
    carbs = Dose("carbs", asked.carbs, now + round(asked.carbs_in_min * MINUTE))
    bolus = Dose("bolus", asked.bolus, now + round(asked.bolus_in_min * MINUTE))
    return tuple(dose for dose in (carbs, bolus) if float(dose.amount) > 0)


def _guard(twin: Twin, title: str, doses: tuple[Dose, ...]) -> dict[str, Any]:
    twin.bank.gate.require(twin.actor, "read", twin.id, "*", twin.purpose)
    insulin = tuple(dose for dose in doses if dose.lever == "bolus")
    refusal = twin.bank.guarded(twin.id, Intervention(title, insulin))
    return {
        "refuses": refusal is not None,
        "by": refusal[0] if refusal else "",
        "reason": refusal[1] if refusal else "",
    }
