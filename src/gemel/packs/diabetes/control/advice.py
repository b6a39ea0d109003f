"""A bolus adviser that shows its reasons: options ranked by what the twin foretells of each. Not a medical device.

Each option is a plan of doses; its future is the ensemble plus what every dose changes, at its time. Ranked by Kovatchev's risk
(see `mpc`), those too likely to end low behind all others; told beside it are shares of time and lows with 80 % intervals over
members, and what the guard would say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.dynamics import Dose, Plan
from gemel.facts import HOUR, MINUTE, Time
from gemel.packs.diabetes.control.basal_bolus import Terms, terms
from gemel.packs.diabetes.control.limit import limit
from gemel.packs.diabetes.control.mpc import risk
from gemel.packs.diabetes.control.seam import Foreseen, Moment, Order
from gemel.packs.diabetes.control.sport import MODES, Sport

CARBS, BOLUS, BASAL = "carbs", "bolus", "basal"
LATER, FAST_G, LASTS = 10 * MINUTE, 15.0, 2 * HOUR
"""What is tried: a bolus ten minutes later; 15 g of fast carbohydrate; basal changed for two hours."""

STEP = 0.05
"""U: boluses are advised in steps that a pump has."""

OFTEN_LOW, OFTEN_DEEP = 0.10, 0.02
"""Chances of ever going below 70 and below 54 mg/dL above which an option comes last, whatever its risk. A judgement of ours,
and no guideline's: mean risk alone lets a good average pay for one low in three."""

LIKELIER_LOW, LIKELIER_DEEP = 0.05, 0.02
"""By how much such a chance must be above that of the safest option: what comes whatever one does speaks against nothing."""

NOTE = "not a medical device; ask your team"


@dataclass(frozen=True)
class Option:
    """Something to do: `doses` with their times, `metrics` as mean and 80 % interval over members (`risk` is one number),
    `reasons` in numbers, and in `guard` the rules that would cut it, and lows that are too likely (none: it may pass)."""

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


def scored(
    moment: Moment, title: str, doses: Sequence[Dose], planned: Sequence[Dose] = (), why: Sequence[str] = ()
) -> Option:
    """Return the option of *doses* with what comes of it, *planned* doses (a meal) coming anyway; *why* it is what it is."""
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
    return Option(title, tuple(doses), told, (*reasons, *why), _judged(moment, doses))


def _weighed(options: Sequence[Option]) -> list[Option]:
    """Return options, those too likely to end low beside the safest of them marked, in the order of `_rank`."""
    below, deep = (min(one.metrics[name] for one in options) for name in ("below_70", "below_54"))
    most = {70: max(OFTEN_LOW, below + LIKELIER_LOW), 54: max(OFTEN_DEEP, deep + LIKELIER_DEEP)}
    lows = [tuple(_lows(one, most)) for one in options]
    ranked = sorted(zip(options, lows, strict=True), key=lambda pair: _rank(*pair))
    return [replace(one, guard=(*one.guard, *low)) for one, low in ranked]


def _lows(option: Option, most: dict[int, float]) -> Iterator[str]:
    """Yield which lows are too likely to put an option first."""
    for level, bound in most.items():
        if option.metrics[f"below_{level}"] > bound:
            yield f"chance of below {level} mg/dL above {bound:.0%}"


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

    Options that the guard would cut, or that are too likely to end low, come after all others; of those the least likely first.
    """
    at = moment.now if eat_at is None else max(eat_at, moment.now)
    planned = (Dose(CARBS, grams, at),) if grams > 0 else ()
    parts = terms(moment, grams)
    why = _told(moment, parts, grams)
    found = [scored(moment, "no bolus", (), planned)]
    found += [scored(moment, title, doses, planned, why) for title, doses in _boluses(moment, parts.units, at)]
    found += [scored(moment, title, doses, planned) for title, doses in _others(moment)]
    return _weighed(found)


def _rank(option: Option, lows: Sequence[str]) -> tuple[bool, float, float]:
    """Return what options are sorted by: whether it may pass, how likely lows that are too likely are, the risk."""
    chances = option.metrics["below_70"] + option.metrics["below_54"] if lows else 0.0
    return bool(option.guard or lows), chances, option.metrics["risk"]


def _stepped(moment: Moment, units: float) -> float:
    """Return a bolus in whole steps, at most the care plan's largest."""
    steps = min(round(units / STEP), np.floor(moment.profile.bolus_max / STEP + 1e-9))
    return float(steps * STEP)


def _told(moment: Moment, parts: Terms, grams: float) -> tuple[str, ...]:
    """Return where a bolus comes from, and whether the care plan holds it back."""
    off = ", which comes off the correction" if parts.on_board > 0 and parts.correction > 0 else ""
    made = (
        f"{parts.food:.2f} U for {grams:.0f} g of carbohydrate, {parts.correction:+.2f} U to correct glucose, "
        f"{parts.on_board:.2f} U on board{off}: {parts.units:.2f} U"
    )
    most = moment.profile.bolus_max
    if parts.units <= most:
        return (made,)
    return made, f"held at the care plan's largest bolus, {most:.2f} U; {parts.units - most:.2f} U of it are left out"


def _boluses(moment: Moment, units: float, at: Time) -> list[tuple[str, list[Dose]]]:
    """Return boluses now, soon, and when one eats, in parts and in other sizes; none where nothing is due."""
    whole, more = _stepped(moment, units), _stepped(moment, 1.3 * units)
    some, rest, less = (_stepped(moment, whole * share) for share in (0.6, 0.4, 0.7))
    if whole < STEP:
        return []
    now, wait = moment.now, (at - moment.now) // MINUTE
    then = f"in {wait} min, when eating" if wait else "now"
    found = [(f"bolus now: {whole:.2f} U", [Dose(BOLUS, whole, now)])]
    if wait != LATER // MINUTE:
        found += [(f"bolus in 10 min: {whole:.2f} U", [Dose(BOLUS, whole, now + LATER)])]
    if wait:
        found += [(f"bolus {then}: {whole:.2f} U", [Dose(BOLUS, whole, at)])]
    found += [
        (f"split bolus: {some:.2f} U {then}, {rest:.2f} U an hour later",
         [Dose(BOLUS, some, at), Dose(BOLUS, rest, at + HOUR)]),
        (f"smaller bolus: {less:.2f} U {then}", [Dose(BOLUS, less, at)]),
    ]  # fmt: skip
    return [*found, (f"larger bolus: {more:.2f} U {then}", [Dose(BOLUS, more, at)])] if more > whole else found


def _others(moment: Moment) -> list[tuple[str, list[Dose]]]:
    """Return fast carbohydrate, no basal, and more of it as far as the care plan lets it be."""
    own, now, end = moment.profile, moment.now, moment.now + LASTS
    usual, back = own.basal[own.hour(now)], Dose(BASAL, own.basal[own.hour(end)], end)
    more = min(1.5 * usual, own.basal_max)
    found = [
        (f"eat {FAST_G:.0f} g of fast carbohydrate now", [Dose(CARBS, FAST_G, now)]),
        ("no basal for 2 h", [Dose(BASAL, 0.0, now), back]),
    ]
    return [*found, (f"basal {more:.2f} U/h for 2 h", [Dose(BASAL, more, now), back])] if more > usual else found


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
