"""The guard outside every controller: what of an order may reach a pump. Not a medical device.

One arithmetic, on arrays of any shape, judges one order or a million. It shares its constants with the guards of the live
loop (gemel.packs.diabetes.guards), and knows nothing of the controller.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.diabetes.control.activity import Curve, curve_of, hours, segments
from gemel.packs.diabetes.control.seam import SEGMENT_MIN, Moment, Order
from gemel.packs.diabetes.guards import APART_MIN, BASAL_TIMES, BOLUS_SHARE, JUMP, LOW, ON_BOARD_SHARE, STALE_MIN

BOOK = DAY // MINUTE
"""Minutes of insulin the guard keeps in its book."""


PAUSE_MIN = 60
"""What was going low holds basal back until so long after the last reading, and an ensemble speaks no longer than that: insulin
that never comes back is a danger of its own. Judgement."""

MOST = 1000.0
"""U or U/h beyond which a pump's book cannot be right."""


@dataclass(frozen=True)
class Bounds:
    """The hard caps. Shares are of a usual day's insulin; insulin is "extra" beyond the basal that the profile gives.

    Basal at most `basal_times` the profile's and rising by at most `rise` of it in five minutes; one bolus at most
    `bolus_share`; on board at most `on_board_share`; extra at most `hour_share` in any hour, `day_share` in any day;
    boluses at least `apart_min` apart; an order holds for at most `longest_min`.
    """

    basal_times: float = BASAL_TIMES
    bolus_share: float = BOLUS_SHARE
    on_board_share: float = ON_BOARD_SHARE
    hour_share: float = ON_BOARD_SHARE
    day_share: float = 1.0
    rise: float = 1.0
    apart_min: int = APART_MIN
    longest_min: int = 120
    low: float = LOW
    stale_min: float = STALE_MIN
    jump: float = JUMP


BOUNDS = Bounds()


@dataclass(frozen=True)
class Book:
    """Insulin of the last day by whole minutes ago, newest first: `bolus` and `basal` (..., 1440) U; `usual` the profile's."""

    bolus: np.ndarray
    basal: np.ndarray
    usual: np.ndarray


@dataclass(frozen=True)
class Facts:
    """What the guard goes by, each (...,): rates in U/h, amounts in U, glucose in mg/dL.

    `usual` is the profile's lowest rate while the order would hold, `floor` the lowest rate that ran in the last five minutes;
    `bolus_max` and `basal_max` the largest that the care plan allows, infinite where it is silent;
    `likely` and `low` are the middle and lower forecasts of glucose within the hour; `trusted` whether the sensor is.
    """

    usual: np.ndarray
    floor: np.ndarray
    daily: np.ndarray
    on_board: np.ndarray
    hour: np.ndarray
    day: np.ndarray
    since_bolus: np.ndarray
    likely: np.ndarray
    low: np.ndarray
    trusted: np.ndarray
    bolus_max: np.ndarray = field(default_factory=lambda: np.asarray(np.inf))
    basal_max: np.ndarray = field(default_factory=lambda: np.asarray(np.inf))


def weigh(book: Book, curve: Curve, bounds: Bounds = BOUNDS) -> dict[str, np.ndarray]:
    """Return what a book says, for `Facts`: floor, on_board, hour, day, since_bolus; a minute is counted when in doubt.

    Only extra insulin is on board: pauses of basal earn no room. A book with amounts that are no numbers says NaN.
    """
    extra = np.maximum(book.basal - book.usual, 0.0)
    extra += book.bolus
    recent = book.bolus[..., : bounds.apart_min] > 0
    return {
        "floor": np.nan_to_num(60 * book.basal[..., :5].min(axis=-1)),
        "on_board": extra @ curve.left(np.arange(BOOK, dtype=float)),
        "hour": extra[..., :61].sum(axis=-1),
        "day": extra.sum(axis=-1),
        "since_bolus": np.where(recent.any(axis=-1), recent.argmax(axis=-1), bounds.apart_min),
    }


RULES = (
    "not an order",
    "low glucose",
    "low expected",
    "sensor not trusted",
    "basal cap",
    "bolus cap",
    "basal rises too fast",
    "bolus too soon",
    "insulin cap",
)
"""The rules in the order in which they are applied."""


def cut(
    basal: np.ndarray, bolus: np.ndarray, minutes: np.ndarray, facts: Facts, bounds: Bounds = BOUNDS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what may pass of basal (U/h), bolus (U) and minutes, each (...,), and which rules bit, (rule, ...).

    What is not a number, below 0, or for no time or longer than allowed becomes the profile's basal and no bolus.
    """
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(basal) & (basal >= 0) & np.isfinite(bolus) & (bolus >= 0)
        sound &= (minutes >= 1) & (minutes <= bounds.longest_min)
    minutes = np.where(sound, minutes, float(SEGMENT_MIN))
    rate, dose = np.where(sound, basal, facts.usual), np.where(sound, bolus, 0.0)
    bites = [~sound]

    def hold(most_rate: np.ndarray, most_dose: np.ndarray) -> None:
        nonlocal rate, dose
        bites.append((rate > most_rate) | (dose > most_dose))
        rate, dose = np.minimum(rate, most_rate), np.minimum(dose, most_dose)

    never, none = np.full(np.shape(rate), np.inf), np.zeros(np.shape(rate))
    hold(np.where(facts.likely >= bounds.low, never, none), np.where(facts.likely >= bounds.low, never, none))
    for well in (facts.low >= bounds.low, facts.trusted):
        hold(np.where(well, never, facts.usual), np.where(well, never, none))
    hold(np.minimum(bounds.basal_times * facts.usual, facts.basal_max), never)
    hold(never, np.minimum(bounds.bolus_share * facts.daily, facts.bolus_max))
    hold(np.maximum(facts.usual, facts.floor + bounds.rise * facts.usual), never)
    hold(never, np.where(facts.since_bolus >= bounds.apart_min, never, none))
    room = _room(facts, bounds)
    dose_left = np.minimum(dose, room)
    bites.append((dose > room) | (rate > facts.usual + (room - dose_left) * 60 / minutes))
    rate = np.minimum(rate, facts.usual + (room - dose_left) * 60 / minutes)
    return rate, dose_left, minutes, np.stack(bites)


def _room(facts: Facts, bounds: Bounds) -> np.ndarray:
    """Return the units of extra insulin that the caps still leave; books that cannot be read leave none."""
    room = np.minimum(
        bounds.on_board_share * facts.daily - np.maximum(facts.on_board, 0.0),
        np.minimum(bounds.hour_share * facts.daily - facts.hour, bounds.day_share * facts.daily - facts.day),
    )
    return np.where(np.isfinite(room), np.maximum(room, 0.0), 0.0)


def limit(order: Order, moment: Moment, bounds: Bounds = BOUNDS) -> tuple[Order, tuple[str, ...]]:
    """Return what of *order* may pass, and the rules that bit; an order that passes whole is returned as it is."""
    minutes = _number(order.minutes)
    facts = facts_of(moment, bounds, float(minutes) if 1 <= minutes <= bounds.longest_min else bounds.longest_min)
    asked = facts.usual if order.basal is None else _number(order.basal)
    rate, dose, held, bites = cut(asked, _number(order.bolus), minutes, facts, bounds)
    reasons = tuple(rule for rule, bit in zip(RULES, bites, strict=True) if bit)
    if not reasons:
        return order, ()
    profile = (bool(bites[0]) or order.basal is None) and rate >= facts.usual
    why = f"{order.why} ({'; '.join(reasons)})" if order.why else "; ".join(reasons)
    return replace(
        order, basal=None if profile else float(rate), bolus=float(dose), minutes=int(held), why=why
    ), reasons


def _number(value: object) -> np.ndarray:
    """Return *value* as a number, and what is none as NaN."""
    return np.asarray(value if isinstance(value, int | float | np.number) else np.nan, dtype=float)


def facts_of(moment: Moment, bounds: Bounds = BOUNDS, minutes: float = SEGMENT_MIN) -> Facts:
    """Return what the guard goes by at a moment, for an order that holds *minutes*.

    Without a usual day's insulin, twice the profile's basal stands in.
    """
    profile, now = moment.profile, moment.now
    ahead = [profile.basal[hour] for _, _, hour in hours(profile, now, now + int(minutes * MINUTE))]
    daily = 2 * sum(profile.basal) if moment.daily is None else moment.daily
    likely, low = _expected(moment)
    said = weigh(book(moment), curve_of(profile), bounds)
    trusted = np.asarray(_trusted(moment, bounds))
    most = {"bolus_max": np.asarray(profile.bolus_max), "basal_max": np.asarray(profile.basal_max)}
    return Facts(_whole(min(ahead)), daily=_whole(daily), likely=likely, low=low, trusted=trusted, **most, **said)


def _whole(value: float) -> np.ndarray:
    """Return *value*, and 0 for what is not a number or below 0."""
    return np.asarray(value if np.isfinite(value) and value >= 0 else 0.0)


def book(moment: Moment) -> Book:
    """Return the insulin of the last day by minutes ago; boluses of the future count as just given, rates of it not at all."""
    profile, now = moment.profile, moment.now
    edges = -np.arange(BOOK + 1) * float(MINUTE)
    as_usual = [(a - now, b - now, profile.basal[hour]) for a, b, hour in hours(profile, now - DAY, now)]
    ran = [
        (max(a - now, -DAY), b - now, _credible(rate)) for a, b, rate in segments(moment.doses, now) if b > now - DAY
    ]
    first = float(ran[0][0]) if ran else 0.0
    basal = -np.diff(_summed(as_usual, np.minimum(edges, first))) - np.diff(_summed(ran, edges))
    bolus = np.zeros(BOOK)
    for dose in moment.doses:
        ago = max((now - dose.at) // MINUTE, 0)
        if dose.lever == "bolus" and ago < BOOK:
            bolus[ago] += _credible(float(dose.amount))
    return Book(bolus, basal, -np.diff(_summed(as_usual, edges)))


def _summed(rates: list[tuple[int, int, float]], at: np.ndarray) -> np.ndarray:
    """Return the U given by adjoining rates (start, end, U/h) until *at* (n,) ms."""
    if not rates:
        return np.zeros(len(at))
    start, end, rate = np.array(rates, dtype=float).T
    total = np.concatenate([[0.0], np.cumsum(rate * (end - start) / HOUR)])
    return np.asarray(np.interp(at, [*start, end[-1]], total))


def _credible(amount: float) -> float:
    """Return an amount from the books, and NaN for one that no pump ever gave: it leaves no room for extra insulin."""
    return amount if 0 <= amount <= MOST else np.nan


def _expected(moment: Moment) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle and lower (10 %) forecast of the lowest glucose within the hour, none above the last reading.

    Without the twin's ensemble both are the last readings' line, carried on for half an hour; after an hour without a reading the
    ensemble has nothing to go by.
    """
    recent = [r for r in moment.glucose if r.at > moment.now - 20 * MINUTE]
    last = float(recent[-1].value) if recent else np.inf
    likely = low = min(last, last + 30 * _slope(moment)) if recent else np.inf
    heard = bool(moment.glucose) and moment.now - moment.glucose[-1].at <= PAUSE_MIN * MINUTE
    if moment.foreseen is not None and heard:
        soon = moment.foreseen.glucose[:, : HOUR // moment.foreseen.every + 1]
        likely = min(last, float(np.median(soon, axis=0).min()))
        low = min(last, float(np.quantile(soon, 0.1, axis=0).min()))
    return np.nan_to_num(likely, nan=-np.inf, posinf=np.inf), np.nan_to_num(low, nan=-np.inf, posinf=np.inf)


def _slope(moment: Moment) -> float:
    """Return mg/dL per minute over the last readings, a quarter of an hour at most."""
    recent = [r for r in moment.glucose if r.at > moment.now - 20 * MINUTE][-4:]
    minutes = (recent[-1].at - recent[0].at) / MINUTE
    return (recent[-1].value - recent[0].value) / minutes if minutes > 0 else 0.0


def _trusted(moment: Moment, bounds: Bounds) -> bool:
    """Return whether the sensor spoke of late, without a jump, and in numbers."""
    readings = moment.glucose
    if not readings or not -MINUTE <= moment.now - readings[-1].at <= bounds.stale_min * MINUTE:
        return False
    pairs = list(zip(readings[-4:], readings[-3:], strict=False))
    if not all(np.isfinite(r.value) for r in readings[-4:]):
        return False
    return all(abs(b.value - a.value) <= bounds.jump * max((b.at - a.at) / MINUTE, 1.0) for a, b in pairs)
