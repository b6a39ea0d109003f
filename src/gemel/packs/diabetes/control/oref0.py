"""A controller in the manner of oref0: temporary basal and super micro boluses. Not a medical device.

Written anew after openaps/oref0 lib/determine-basal/determine-basal.js @ 69d7673 (MIT). Left out: temp targets, noise,
carbs required, cancelling before the hour. Its roundings are kept: they reach the decision. One person and many are judged in
the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from gemel.dynamics import Dose, Reading
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.diabetes.control.activity import curve_of
from gemel.packs.diabetes.control.oref0_ahead import (
    Ahead,
    Known,
    Preferences,
    Setup,
    known,
    look_ahead,
    threshold,
)
from gemel.packs.diabetes.control.oref0_facts import (
    Insulin,
    Many,
    Small,
    Temp,
    autosens,
    by_minute,
    carbs,
    deviations,
    each,
    near,
    small,
    status,
)
from gemel.packs.diabetes.control.seam import SEGMENT_MIN, Moment, Order

DEFAULTS = Preferences()
Timed = TypeVar("Timed", Reading, Dose)


@dataclass(frozen=True)
class Decision:
    """What oref0 decides: `rate` NaN leaves what runs; `bolus` U; `required` U of insulin."""

    rate: Many
    minutes: Many
    bolus: Many
    required: Many
    why: str | np.ndarray


def decide(facts: Known, own: Setup, prefs: Preferences = DEFAULTS) -> tuple[Decision, Ahead]:
    """Return what to do, and the forecasts behind it."""
    with np.errstate(divide="ignore", invalid="ignore"):  # in cases that do not apply
        ahead = look_ahead(facts, own, prefs)
        return _decided(facts, own, prefs, ahead), ahead


def _decided(facts: Known, own: Setup, prefs: Preferences, ahead: Ahead) -> Decision:
    where, eaten = facts.status, facts.carbs
    floor, middle = threshold(own), sum(own.target) / 2
    rise = np.maximum(np.maximum(where.delta, where.short), where.long)
    smb = prefs.smb & (prefs.smb_always | (eaten.grams > 0) | (eaten.on_board > 0))
    smb &= (ahead.guard >= floor) & (rise <= 0.2 * where.glucose)
    basal, sens = near(own.basal * own.need * 20) / 20, near(own.sens / own.need, 1)
    impact = near(-facts.activity[..., 0] * sens * 5, 2)
    expected = near(impact + (middle - ahead.eventual) / 24, 1)
    least = np.minimum(where.delta, where.short)
    recovering = (facts.iob < -own.basal / 3) & (least > np.maximum(0.0, expected))
    low = (np.minimum(where.glucose, ahead.guard) < floor) & ~((where.glucose < floor) & recovering)
    minutes = near(near(60 * (middle - ahead.guard) / sens / own.basal) / 30) * 30
    return _first(
        (low, Decision(0.0, np.clip(minutes, 30, 120), 0.0, 0.0, "low expected")),
        (ahead.eventual < own.target[0], _less(facts, own, ahead, basal, sens, expected)),
        (~smb & (least < expected), Decision(basal, 30, 0.0, 0.0, "falling faster than expected")),
        (~smb & (np.minimum(ahead.eventual, ahead.lowest) < own.target[1]), Decision(basal, 30, 0.0, 0.0, "in range")),
        (facts.iob > own.max_iob, Decision(basal, 30, 0.0, 0.0, "as much on board as allowed")),
        otherwise=_more(facts, own, prefs, ahead, basal, sens, smb & (where.glucose > floor)),
    )


def _first(*cases: tuple[np.ndarray, Decision], otherwise: Decision) -> Decision:
    """Return for each person the decision of the first case that holds."""
    for holds, decision in reversed(cases):
        parts = ((getattr(decision, part.name), getattr(otherwise, part.name)) for part in fields(Decision))
        otherwise = Decision(*(np.where(holds, mine, other) for mine, other in parts))
    return otherwise


def _less(facts: Known, own: Setup, ahead: Ahead, basal: Many, sens: Many, expected: Many) -> Decision:
    """Return the low temporary basal that brings the eventual glucose up to target, twice as fast for safety."""
    least, middle = np.minimum(facts.status.delta, facts.status.short), sum(own.target) / 2
    required = near(2 * np.minimum(0.0, (ahead.eventual - middle) / sens), 2)
    slower = (expected < least) & (least < 0)
    required = np.where(slower, near(required * least / expected, 2), required)
    rate = np.maximum(0.0, near((basal + 2 * required) * 20) / 20)
    running = facts.running
    planned, naive = running.minutes * (running.rate - basal) / 60, np.minimum(0.0, (ahead.naive - middle) / sens)
    enough = (running.minutes > 5) & (running.rate * 0.8 <= rate)
    enough &= planned >= np.minimum(required, near(naive, 2)) - 0.3 * basal
    none = np.clip(near(near(60 * (middle - ahead.naive) / sens / own.basal) / 30) * 30, 0, 120)
    minutes = np.where((rate > 0) | (none == 0), 30, none)
    return _first(
        (least > np.maximum(expected, 0.0),
         Decision(np.where(ahead.naive < 40, 0.0, basal), 30, 0.0, 0.0, "low in the end, but rising")),
        (enough, Decision(np.nan, 0, 0.0, required, "what runs is little enough")),
        otherwise=Decision(rate, minutes, 0.0, required, "low in the end"),
    )  # fmt: skip


def _more(
    facts: Known, own: Setup, prefs: Preferences, ahead: Ahead, basal: Many, sens: Many, smb: np.ndarray
) -> Decision:
    """Return the high temporary basal, or the micro bolus with a low one, that brings the lowest forecast to target."""
    middle = sum(own.target) / 2
    required = near((np.minimum(ahead.lowest, ahead.eventual) - middle) / sens, 2)
    required = near(np.minimum(required, own.max_iob - facts.iob), 3)
    rate = np.minimum(np.maximum(0.0, near((basal + 2 * required) * 20) / 20), own.most_basal)
    bolus, low, minutes = _micro(facts, own, prefs, ahead, required, basal, sens)
    bolus = np.where(smb, bolus, 0.0)
    running = facts.running
    enough = (running.minutes > 5) & (rate <= near(running.rate * 20) / 20)
    enough &= running.minutes * (running.rate - basal) / 60 < 2 * required
    return _first(
        (smb & (minutes > 0), Decision(low, minutes, bolus, required, "micro bolus, and less basal meanwhile")),
        (enough, Decision(np.nan, 0, bolus, required, "what runs is enough")),
        otherwise=Decision(rate, 30, bolus, required, "high in the end"),
    )


def _micro(
    facts: Known, own: Setup, prefs: Preferences, ahead: Ahead, required: np.ndarray, basal: Many, sens: Many
) -> tuple[np.ndarray, ...]:
    """Return a micro bolus in U, and a low basal in U/h for how many minutes that would take it back (0: none)."""
    covered = (facts.iob > near(facts.carbs.on_board / own.ratio, 3)) & (facts.iob > 0)
    most = near(own.basal * np.where(covered, prefs.uam_min, prefs.smb_min) / 60, 1)
    bolus = np.floor(np.minimum(required / 2, most) / prefs.increment) * prefs.increment
    worst = (sum(own.target) / 2 - (ahead.naive + ahead.lowest_iob) / 2) / sens
    minutes = near(60 * worst / own.basal)
    none = (minutes < 0) | ((minutes == 0) & (not prefs.early)) | ((required > 0) & (bolus < prefs.increment))
    low = np.where(none | (minutes >= 30), 0.0, near(basal * minutes / 30, 2))
    span = np.where(minutes >= 30, np.minimum(60, near(minutes / 30) * 30), 30)
    soon = facts.now - facts.last_bolus <= prefs.apart_min * MINUTE
    return np.where(soon, 0.0, np.maximum(0.0, bolus)), low, np.where(none, 0, span)


def facts_of(moments: Sequence[Moment], prefs: Preferences = DEFAULTS) -> tuple[Known, Setup]:
    """Return what is known at moments, and the settings then; sensitivity as autosens and what is known raise it."""
    now = np.array([own.now for own in moments], dtype=float)
    at, value = _series([own.glucose for own in moments], lambda reading: reading.value)
    basal, boluses, meals = (_given(moments, lever) for lever in ("basal", "bolus", "carbs"))
    setup = _setup(moments, prefs)
    mine, zeroed = _insulin(moments, basal, boluses, now)
    eaten = np.stack([np.where(meals[0] <= each(now), meals[0], np.nan), meals[1]], axis=-1)
    sens, ratio, usual = setup.sens, setup.ratio, np.array([max(own.profile.basal) for own in moments])
    need = autosens(eaten, at, value, mine, sens, ratio, usual, prefs.autosens)
    setup = replace(setup, need=need / np.array([own.raised for own in moments]))
    moved = deviations(at, value, now, mine, sens)
    on_board = carbs(eaten, at, value, now, mine, sens, ratio)
    return known(now, status(at, value), mine, zeroed, on_board, moved, _running(*basal, now)), setup


def _setup(moments: Sequence[Moment], prefs: Preferences) -> Setup:
    """Return the settings of the hour, as the profiles say."""
    rows = []
    for moment in moments:
        own, hour = moment.profile, moment.profile.hour(moment.now)
        most = min(prefs.daily_safety * max(own.basal), prefs.current_safety * own.basal[hour])
        most_iob = prefs.iob_share * (moment.daily or 2 * sum(own.basal))
        rows.append((own.basal[hour], own.sensitivity[hour], own.ratio[hour], *own.target, most, most_iob))
    basal, sens, ratio, low, high, most_basal, max_iob = np.array(rows, dtype=float).T
    return Setup(basal, sens, ratio, (low, high), most_basal, max_iob)


def _given(moments: Sequence[Moment], lever: str) -> tuple[np.ndarray, np.ndarray]:
    """Return times and amounts of one lever's doses, as a series."""
    doses = [[dose for dose in own.doses if dose.lever == lever] for own in moments]
    return _series(doses, lambda dose: float(dose.amount))


def _series(rows: Sequence[Sequence[Timed]], worth: Callable[[Timed], float]) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values (person, n) of each person's rows; newest last, NaN before the first."""
    count, flat = np.array([len(own) for own in rows]), [row for own in rows for row in own]
    at, value = (np.array(part, dtype=float) for part in ([row.at for row in flat], [worth(row) for row in flat]))
    order, longest = np.lexsort((at, np.repeat(np.arange(len(rows)), count))), max(1, count.max())
    there, found = np.arange(longest) >= longest - each(count), np.full((2, len(rows), longest), np.nan)
    found[0, there], found[1, there] = at[order], value[order]
    return found[0], found[1]


def _insulin(
    moments: Sequence[Moment],
    basal: tuple[np.ndarray, np.ndarray],
    boluses: tuple[np.ndarray, np.ndarray],
    now: np.ndarray,
) -> tuple[Insulin, Insulin]:
    """Return insulin as given so far, the running rate for a minute more; and with four hours of no basal after that."""
    hourly, offset = (np.array([getattr(own.profile, name) for own in moments]) for name in ("basal", "offset"))

    def scheduled(who: np.ndarray, when: np.ndarray) -> np.ndarray:
        return np.asarray(hourly[who, ((when + offset[who]) % DAY // HOUR).astype(int)])

    soon, (begin, rate), (at, units) = now + MINUTE, basal, boluses
    end = np.minimum(np.append(begin[:, 1:], each(soon), axis=1), each(soon))
    runs, given, everyone = begin < end, at <= each(now), np.arange(len(now))
    real = Small(np.nonzero(given)[0], at[given].astype(np.int64), units[given])
    extra = small(np.nonzero(runs)[0], begin[runs], end[runs], rate[runs], scheduled)
    mine = Insulin(real, _curves(moments)).also(extra)
    return mine, mine.also(small(everyone, soon, soon + 240 * MINUTE, np.zeros(len(now)), scheduled))


def _curves(moments: Sequence[Moment]) -> np.ndarray:
    """Return the curves (2, person, minute) by which insulin acts; (2, 1, minute) where it is the same for all."""
    found = [by_minute(curve_of(own.profile), own.profile.action_h * 60) for own in moments]
    if all(own is found[0] for own in found):
        return found[0][:, None]
    longest = max(own.shape[1] for own in found)
    return np.stack([np.pad(own, ((0, 0), (0, longest - own.shape[1]))) for own in found], axis=1)


def _running(begin: np.ndarray, rate: np.ndarray, now: np.ndarray) -> Temp:
    """Return the temporary basal that runs, with the minutes it still has: until the plan's next rate, or half an hour."""
    past = begin <= each(now)
    last = begin.shape[1] - 1 - past[:, ::-1].argmax(axis=1)
    at, runs = (np.take_along_axis(own, each(last), 1)[:, 0] for own in (begin, rate))
    after = np.where(begin > each(now), begin, np.inf).min(axis=1)
    end = np.where(np.isfinite(after), after, at + SEGMENT_MIN * MINUTE)
    return Temp(at, np.where(past.any(axis=1) & (end > now), (end - now) / MINUTE, 0.0), np.nan_to_num(runs))


def oref0_many(moments: Sequence[Moment], prefs: Preferences = DEFAULTS) -> list[Order]:
    """Return for each of many what oref0's manner asks for; without good readings, the profile."""
    good = [i for i, own in enumerate(moments) if _seen(own)]
    orders = [Order(None, why="no good reading in the last 12 min: the profile goes on")] * len(moments)
    if not good:
        return orders
    facts, setup = facts_of([moments[i] for i in good], prefs)
    decision, ahead = decide(facts, setup, prefs)
    goes_on = np.isnan(decision.rate)
    rate = np.where(goes_on, facts.running.rate, decision.rate)
    minutes = np.where(goes_on, np.round(facts.running.minutes), decision.minutes).astype(int)
    columns = (rate, decision.bolus, minutes, decision.why, ahead.eventual, ahead.lowest)
    for i, basal, bolus, span, why, end, low in zip(
        good, *(np.asarray(part).tolist() for part in columns), strict=True
    ):
        orders[i] = Order(basal, bolus, span, f"{why}: {end:.0f} mg/dL in the end, {low:.0f} at the lowest")
    return orders


def _seen(moment: Moment) -> bool:
    """Return whether there is a good reading of the last 12 min."""
    last = moment.glucose[-1] if moment.glucose else None
    return last is not None and moment.now - last.at <= 12 * MINUTE and last.value > 38


def oref0(moment: Moment, prefs: Preferences = DEFAULTS) -> Order:
    """Return the temporary basal and micro bolus that oref0's manner asks for; without good readings, the profile."""
    return oref0_many([moment], prefs)[0]
