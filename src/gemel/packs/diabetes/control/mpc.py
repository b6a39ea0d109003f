"""Our own controller: the dose that an ensemble of forecasts would have, within chance constraints. Not a medical device.

Of all doses on a ladder (no basal, part of it, the profile's, then a bolus on top) it takes the one of least expected risk,
unless more than a few members of the ensemble would then go low; then the largest with which they do not. Insulin only lowers
glucose, so both are found by halving one interval, for one person or a thousand in the same lines, and a lower forecast
never gets more insulin. The risk is Kovatchev's (10.2337/diacare.20.11.1655, in mg/dL as in 10.2337/dc06-1085), made convex.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gemel.facts import MINUTE
from gemel.packs.diabetes.control.limit import BOUNDS, Bounds, Facts, facts_of
from gemel.packs.diabetes.control.seam import SEGMENT_MIN, Moment, Order

CALM = 112.5
"""mg/dL at which Kovatchev's risk is 0."""

STEP = 5
"""Minutes between the columns of an ensemble."""

HALVINGS = 14
"""Times an interval is halved: to a thousandth of a U for the largest bolus."""


@dataclass(frozen=True)
class Settings:
    """What to aim for: at most a share of members below 70 and 54 mg/dL within `low_hours`, each taken lower by the caution.

    Risk counts for `hours`, lows weigh `under` times their risk. What comes will be met by later doses: in the risk, members
    lie only `recourse` of the way from their mean; in lows, all of it. `target` mg/dL is where the risk is least.
    Without a meal just announced, a `part` of the bolus that is due is given now, the next part five minutes later if it is
    still due. `spare_min` of the basal after this order count, when lows are counted, as insulin that could still be held
    back. Boluses come in steps of `smallest` U; without `boluses`, what is due beyond the profile's basal comes as basal.
    """

    target: float = 90.0
    under: float = 1.0
    below_70: float = 0.3
    below_54: float = 0.15
    low_hours: float = 4.0
    recourse: float = 0.3
    hours: float = 5.0
    part: float = 0.4
    meal_part: float = 1.0
    spare_min: int = 90
    smallest: float = 0.05
    meal_min: float = 5.0
    boluses: bool = True


SETTINGS = Settings()


@dataclass(frozen=True)
class Asked:
    """What is known of n people: the ensemble's `glucose`, `per_unit` (n, member, time) as in `Foreseen`; and each (n,): the
    profile's basal `usual` U/h, the largest basal in U/h, the largest bolus in U, whether a meal was just announced, and the
    `caution`, mg/dL by which forecasts are taken to be lower than they say when lows are counted.
    """

    glucose: np.ndarray
    per_unit: np.ndarray
    usual: np.ndarray
    most_basal: np.ndarray
    most_bolus: np.ndarray
    meal: np.ndarray
    caution: np.ndarray


@dataclass(frozen=True)
class Chosen:
    """For n people, each (n,): `basal` U/h, `bolus` U now; the `wanted` U over the next half hour and the `allowed` ones; the
    shares of members below 70 and 54 mg/dL with what is given, caution taken; and the expected glucose at the end.
    """

    basal: np.ndarray
    bolus: np.ndarray
    wanted: np.ndarray
    allowed: np.ndarray
    below_70: np.ndarray
    below_54: np.ndarray
    ends: np.ndarray


def risk(glucose: np.ndarray) -> np.ndarray:
    """Return Kovatchev's risk of glucose in mg/dL: 0 at 112.5, about 8 at 70 and 180, 100 at 20 and 600."""
    return np.asarray(10 * (1.509 * (np.log(np.clip(glucose, 20.0, 600.0)) ** 1.084 - 5.381)) ** 2)


_SLOPE = np.maximum.accumulate(np.gradient(risk(np.arange(20.0, 601.0))))
"""The risk's slope per mg/dL from 20 to 600 mg/dL; above about 300, where it would fall again, it stays."""


def slope(glucose: np.ndarray, under: float) -> np.ndarray:
    """Return the slope of the convex risk per mg/dL at glucose (...), lows weighed *under* times."""
    found = _SLOPE[np.clip(glucose - 20.0, 0.0, 580.0).astype(np.int32)]
    return np.where(found < 0.0, under * found, found)


@dataclass(frozen=True)
class _Ladder:
    """Glucose without insulin for the next half hour, and what a U of basal and of bolus in it change, (n, member, time)."""

    none: np.ndarray
    basal: np.ndarray
    bolus: np.ndarray
    rung: np.ndarray

    def at(self, units: np.ndarray) -> np.ndarray:
        """Return glucose with *units* (n,) U over half an hour: basal up to the rung, a bolus beyond."""
        below, above = np.minimum(units, self.rung), np.maximum(units - self.rung, 0.0)
        return np.asarray(self.none + below[:, None, None] * self.basal + above[:, None, None] * self.bolus)

    def drawn_in(self, part: float) -> _Ladder:
        """Return the ladder with members drawn in to *part* of their distance from the mean."""
        none, basal, bolus = (
            x.mean(axis=1, keepdims=True) * (1 - part) + x * part for x in (self.none, self.basal, self.bolus)
        )
        return _Ladder(none, basal, bolus, self.rung)


def _shifted(change: np.ndarray, steps: int) -> np.ndarray:
    """Return what a dose changes that is given *steps* columns later."""
    late = np.zeros_like(change)
    late[..., steps:] = change[..., : change.shape[-1] - steps]
    return late


def _spread(change: np.ndarray, start: int, minutes: int) -> np.ndarray:
    """Return what a U changes that is given evenly over *minutes* from column *start* on."""
    count = minutes // STEP
    return sum((_shifted(change, start + k) for k in range(count)), np.zeros_like(change)) / max(count, 1)


def _ladder(asked: Asked, settings: Settings) -> tuple[_Ladder, np.ndarray]:
    """Return the ladder, and by how much glucose (n, member, time) rises if the basal after it is held back."""
    last = round(settings.hours * 60 / STEP) + 1
    unit = np.minimum(asked.per_unit[..., :last], 0.0)
    rung = asked.usual * SEGMENT_MIN / 60
    basal = _spread(unit, 0, SEGMENT_MIN)
    spare = -_spread(unit, SEGMENT_MIN // STEP, settings.spare_min)
    spare *= (asked.usual * settings.spare_min / 60)[:, None, None]
    seen = slice(0, last, 3)
    none = asked.glucose[..., :last] - rung[:, None, None] * basal
    return _Ladder(none[..., seen], basal[..., seen], unit[..., seen], rung), spare[..., seen]


def shares(glucose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares (n,) of members of (n, member, time) that are ever below 70 and 54 mg/dL."""
    lowest = glucose.min(axis=-1)
    return (lowest < 70.0).mean(axis=-1), (lowest < 54.0).mean(axis=-1)


def mpc_many(asked: Asked, settings: Settings = SETTINGS) -> Chosen:
    """Return what to give n people now; where the ensemble is not numbers, nothing."""
    sound = np.isfinite(asked.glucose).all((-1, -2)) & np.isfinite(asked.per_unit).all((-1, -2))
    clean = replace(asked, glucose=_or(asked.glucose, sound, 100.0), per_unit=_or(asked.per_unit, sound, 0.0))
    ladder, spare = _ladder(clean, settings)
    held = spare - asked.caution[:, None, None]
    most, soon = ladder.rung + clean.most_bolus, round(settings.low_hours * 4) + 1
    drawn = ladder.drawn_in(settings.recourse)
    moved = settings.target - CALM

    def too_much(units: np.ndarray) -> np.ndarray:
        unit = np.where((units < ladder.rung)[:, None, None], drawn.basal, drawn.bolus)
        return np.asarray((slope(drawn.at(units) - moved, settings.under) * unit).sum((-1, -2)) >= 0.0)

    def too_low(units: np.ndarray) -> np.ndarray:
        low, very_low = shares((ladder.at(units) + held)[..., :soon])
        return np.asarray((low > settings.below_70) | (very_low > settings.below_54))

    wanted, allowed = _largest(most, too_much), _largest(most, too_low)
    units = np.where(sound, np.minimum(wanted, allowed), 0.0)
    basal, bolus = _given(units, ladder.rung, asked, settings)
    with_it = ladder.at(basal * SEGMENT_MIN / 60 + bolus)
    low, very_low = shares((with_it + held)[..., :soon])
    return Chosen(basal, bolus, wanted, allowed, low, very_low, with_it[..., -1].mean(axis=-1))


def _or(values: np.ndarray, sound: np.ndarray, other: float) -> np.ndarray:
    return np.where(sound[:, None, None], values, other)


def _largest(most: np.ndarray, too: object) -> np.ndarray:
    """Return the largest units (n,) up to *most* that are not too many; 0 if all are. Halving keeps the order of two people."""
    assert callable(too)
    low, high = np.zeros_like(most), most.copy()
    low = np.where(too(high), low, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        over = too(middle)
        low, high = np.where(over, low, np.maximum(middle, low)), np.where(over, middle, high)
    return low


def _given(units: np.ndarray, rung: np.ndarray, asked: Asked, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return basal (n,) U/h and bolus (n,) U for *units* over half an hour, in the pump's steps, rounded down."""
    rate = np.minimum(np.minimum(units, rung) * 60 / SEGMENT_MIN, asked.most_basal)
    if not settings.boluses:
        return np.minimum(units * 60 / SEGMENT_MIN, asked.most_basal), np.zeros_like(rate)
    part = np.where(asked.meal, settings.meal_part, settings.part)
    bolus = np.minimum(np.maximum(units - rung, 0.0) * part, asked.most_bolus)
    return rate, np.floor(bolus / settings.smallest + 1e-9) * settings.smallest


def room(facts: Facts, bounds: Bounds = BOUNDS) -> np.ndarray:
    """Return the largest bolus in U that the guard's caps leave, by the guard's own facts and constants."""
    left = bounds.on_board_share * facts.daily - np.maximum(facts.on_board, 0.0)
    left = np.minimum(left, bounds.hour_share * facts.daily - facts.hour)
    left = np.minimum(left, bounds.day_share * facts.daily - facts.day)
    left = np.minimum(left, bounds.bolus_share * facts.daily)
    left = np.where(facts.since_bolus >= bounds.apart_min, left, 0.0)
    return np.where(np.isfinite(left), np.maximum(left, 0.0), 0.0)


def mpc(moment: Moment, settings: Settings = SETTINGS) -> Order:
    """Return the order of least expected risk within the chance constraints; without a forecast, the profile."""
    ahead = moment.foreseen
    if ahead is None or not all(np.isfinite(part).all() for part in (ahead.glucose, ahead.per_unit)):
        return Order(None, why="the twin foretells nothing: the profile goes on")
    facts, profile = facts_of(moment), moment.profile
    usual = profile.basal[profile.hour(moment.now)]
    asked = Asked(
        ahead.glucose[None], ahead.per_unit[None], np.array([usual]), np.array([BOUNDS.basal_times * usual]),
        np.atleast_1d(room(facts)), np.array([_eating(moment, settings)]),
        np.array([moment.caution]),
    )  # fmt: skip
    found = mpc_many(asked, settings)
    return Order(float(found.basal[0]), float(found.bolus[0]), why=told(found, 0, moment.caution))


def told(found: Chosen, i: int, caution: float) -> str:
    """Return why person *i* gets what they get."""
    bound = "lows bound it" if found.allowed[i] < found.wanted[i] else "least risk"
    return (
        f"{found.ends[i]:.0f} mg/dL expected in the end; of forecasts, taken {caution:.0f} mg/dL lower for caution, "
        f"{found.below_70[i]:.0%} go below 70 and {found.below_54[i]:.0%} below 54 mg/dL; {bound}"
    )


def _eating(moment: Moment, settings: Settings) -> bool:
    """Return whether carbohydrate was announced within the last minutes, and no bolus since."""
    since = moment.now - settings.meal_min * MINUTE
    eaten = [d.at for d in moment.doses if d.lever == "carbs" and since < d.at <= moment.now and d.amount > 0]
    shots = [d.at for d in moment.doses if d.lever == "bolus" and d.at <= moment.now]
    return bool(eaten) and max(eaten) >= max(shots, default=0)
