"""A bolus adviser that shows its reasons: options ranked by what the twin foretells of each. Not a medical device.

Each option is a plan of doses; its future is the ensemble plus what every dose changes, at its time. Ranked by Kovatchev's risk
(see `mpc`); told beside it are shares of time and lows with 80 % intervals over members, and what the guard would say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.dynamics import Dose, Plan
from gemel.facts import HOUR, MINUTE, Time
from gemel.packs.diabetes.control.basal_bolus import meal_bolus
from gemel.packs.diabetes.control.limit import limit
from gemel.packs.diabetes.control.mpc import risk
from gemel.packs.diabetes.control.seam import Foreseen, Moment, Order
from gemel.packs.diabetes.control.sport import MODES, Sport

CARBS, BOLUS, BASAL = "carbs", "bolus", "basal"
LATER, FAST_G, HALF_HOURS = 10 * MINUTE, 15.0, 4
"""What is tried: a bolus ten minutes later; 15 g of fast carbohydrate; basal changed for two hours."""

NOTE = "not a medical device; ask your team"


@dataclass(frozen=True)
class Option:
    """Something to do: `doses` with their times, `metrics` as mean and 80 % interval over members (`risk` is one number),
    `reasons` in numbers, and the rules of the guard that would cut it (none: it may pass)."""

    title: str
    doses: tuple[Dose, ...]
    metrics: dict[str, Any]
    reasons: tuple[str, ...]
    guard: tuple[str, ...] = ()


def what_if(moment: Moment, plan: Plan) -> np.ndarray:
    """Return glucose (member, time) mg/dL if the doses of *plan* were given beside the profile's basal.

    Basal rates (U/h) hold until the next, or to the end; doses before now count as now. Raises `ValueError` without a forecast.
    """
    ahead = _foreseen(moment)
    path = ahead.glucose.astype(float)
    for dose in plan:
        change = {BOLUS: ahead.per_unit, CARBS: ahead.per_gram}.get(dose.lever)
        if change is not None:
            path = path + float(dose.amount) * _later(change, dose.at - moment.now, ahead.every)
    for at, units in _extra_basal(moment, plan, ahead):
        path = path + units * _later(ahead.per_unit, at - moment.now, ahead.every)
    return np.asarray(np.maximum(path, 20.0))


def _foreseen(moment: Moment) -> Foreseen:
    if moment.foreseen is None:
        raise ValueError("there is no forecast to advise on")
    return moment.foreseen


def _later(change: np.ndarray, wait: Time, every: Time) -> np.ndarray:
    """Return what a dose changes that comes *wait* ms from now."""
    steps = min(max(round(wait / every), 0), change.shape[1])
    late = np.zeros_like(change, dtype=float)
    late[:, steps:] = change[:, : change.shape[1] - steps]
    return late


def _extra_basal(moment: Moment, plan: Plan, ahead: Foreseen) -> Iterable[tuple[Time, float]]:
    """Yield (time, U beyond the profile's basal) for every column in which the plan sets another rate."""
    rates = sorted(((d.at, float(d.amount)) for d in plan if d.lever == BASAL), key=lambda own: own[0])
    for k in range(ahead.glucose.shape[1] - 1 if rates else 0):
        at = moment.now + k * ahead.every
        running = [rate for since, rate in rates if since <= at]
        usual = moment.profile.basal[moment.profile.hour(at)]
        if running and np.isfinite(running[-1]) and running[-1] != usual:
            yield at, (running[-1] - usual) * ahead.every / HOUR


def metrics(path: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Return lower 10 %, mean and upper 90 % over members: % of time in ranges, the lowest, the highest, the last mg/dL."""
    each = {
        "70-180": 100 * ((path >= 70) & (path <= 180)).mean(axis=1), "<70": 100 * (path < 70).mean(axis=1),
        ">180": 100 * (path > 180).mean(axis=1), "lowest": path.min(axis=1), "highest": path.max(axis=1),
        "last": path[:, -1],
    }  # fmt: skip
    return {name: (float(np.quantile(x, 0.1)), float(x.mean()), float(np.quantile(x, 0.9))) for name, x in each.items()}


def scored(moment: Moment, title: str, doses: Sequence[Dose], planned: Sequence[Dose] = ()) -> Option:
    """Return the option of *doses* with what comes of it, *planned* doses (a meal) coming anyway."""
    path = what_if(moment, [*planned, *doses])
    found = metrics(path)
    low, mean, high = found["lowest"]
    below, severe = (float((path.min(axis=1) < bound).mean()) for bound in (70.0, 54.0))
    reasons = (
        f"{found['70-180'][1]:.0f} % of the next {_hours(moment):.0f} h in 70-180 mg/dL "
        f"(80 % interval {found['70-180'][0]:.0f} to {found['70-180'][2]:.0f})",
        f"lowest {mean:.0f} mg/dL ({low:.0f} to {high:.0f}); chance of below 70 is {below:.0%}, below 54 {severe:.0%}",
        f"highest {found['highest'][1]:.0f} mg/dL ({found['highest'][0]:.0f} to {found['highest'][2]:.0f})",
    )
    told: dict[str, Any] = {**found, "below_70": below, "below_54": severe, "risk": float(risk(path).mean())}
    return Option(title, tuple(doses), told, reasons, _judged(moment, doses))


def _hours(moment: Moment) -> float:
    ahead = _foreseen(moment)
    return float((ahead.glucose.shape[1] - 1) * ahead.every / HOUR)


def _judged(moment: Moment, doses: Sequence[Dose]) -> tuple[str, ...]:
    """Return the rules of the guard that bite on insulin beyond the profile's basal, as if all of it were asked for now."""
    units = sum(float(dose.amount) for dose in doses if dose.lever == BOLUS)
    rates = [float(dose.amount) for dose in doses if dose.lever == BASAL]
    usual = moment.profile.basal[moment.profile.hour(moment.now)]
    more = units > 0 or any(rate > usual for rate in rates)
    return limit(Order(rates[0] if rates else None, units), moment)[1] if more else ()


def advise(moment: Moment, grams: float = 0.0, eat_at: Time | None = None) -> list[Option]:
    """Return options for a meal of *grams* at *eat_at* ms (now, if not told), the one of least risk first.

    Options that the guard would cut come after those it would not.
    """
    now = moment.now
    at = now if eat_at is None else eat_at
    planned = (Dose(CARBS, grams, at),) if grams > 0 else ()
    whole = round(meal_bolus(moment, grams) / 0.05) * 0.05
    usual = moment.profile.basal[moment.profile.hour(now)]
    options: list[tuple[str, list[Dose]]] = [("no bolus", [])]
    if whole >= 0.05:
        some, rest, less, more = (round(whole * share / 0.05) * 0.05 for share in (0.6, 0.4, 0.7, 1.3))
        options += [
            (f"bolus now: {whole:.2f} U", [Dose(BOLUS, whole, now)]),
            (f"bolus in 10 min: {whole:.2f} U", [Dose(BOLUS, whole, now + LATER)]),
            (f"split bolus: {some:.2f} U now, {rest:.2f} U in an hour",
             [Dose(BOLUS, some, now), Dose(BOLUS, rest, now + HOUR)]),
            (f"smaller bolus: {less:.2f} U now", [Dose(BOLUS, less, now)]),
            (f"larger bolus: {more:.2f} U now", [Dose(BOLUS, more, now)]),
        ]  # fmt: skip
    options += [
        (f"eat {FAST_G:.0f} g of fast carbohydrate now", [Dose(CARBS, FAST_G, now)]),
        ("no basal for 2 h", [Dose(BASAL, 0.0, now), Dose(BASAL, usual, now + HALF_HOURS * 30 * MINUTE)]),
        (f"basal {1.5 * usual:.2f} U/h for 2 h",
         [Dose(BASAL, 1.5 * usual, now), Dose(BASAL, usual, now + HALF_HOURS * 30 * MINUTE)]),
    ]  # fmt: skip
    found = [scored(moment, title, doses, planned) for title, doses in options]
    return sorted(found, key=lambda one: (bool(one.guard), one.metrics["risk"]))


def with_sport(moment: Moment, sport: Sport, raised: float) -> tuple[Moment, list[Dose]]:
    """Return the moment if *sport* were ahead, insulin acting *raised* times as strongly while it lasts, and sport mode's basal.

    The profile's basal during it acts more strongly too, which is what lowers glucose in a forecast without other doses.
    """
    ahead, usual = _foreseen(moment), moment.profile.basal[moment.profile.hour(moment.now)]
    columns = moment.now + np.arange(ahead.glucose.shape[1]) * ahead.every
    moves = np.diff(ahead.per_unit, axis=1, prepend=0.0)
    stronger = np.where(columns >= sport.starts, raised, 1.0)
    units = [(int(at), (raised - 1) * usual * ahead.every / HOUR) for at in columns if sport.starts <= at < sport.ends]
    glucose = ahead.glucose + sum(amount * _later(ahead.per_unit, at - moment.now, ahead.every) for at, amount in units)
    mode = MODES[sport.how]
    begin = max(moment.now, int(sport.starts - mode.before_min * MINUTE))
    doses = [Dose(BASAL, mode.basal * usual, begin), Dose(BASAL, usual, int(sport.ends + mode.after_min * MINUTE))]
    return replace(
        moment, foreseen=Foreseen(glucose, np.cumsum(moves * stronger, axis=1), ahead.per_gram, ahead.every)
    ), doses
