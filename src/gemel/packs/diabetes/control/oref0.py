"""A controller in the manner of oref0: temporary basal and super micro boluses. Not a medical device.

Written anew after openaps/oref0 lib/determine-basal/determine-basal.js @ 69d7673 (MIT). Left out: temp targets, noise,
carbs required, cancelling before the hour. Its roundings are kept: they reach the decision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE
from gemel.packs.diabetes.control.activity import curve_of, segments
from gemel.packs.diabetes.control.oref0_ahead import Ahead, Known, Preferences, Setup, known, look_ahead, threshold
from gemel.packs.diabetes.control.oref0_facts import Insulin, Temp, autosens, carbs, deviations, insulin, near, status
from gemel.packs.diabetes.control.seam import Moment, Order

DEFAULTS = Preferences()


@dataclass(frozen=True)
class Decision:
    """What oref0 decides: `rate` None leaves what runs; `bolus` U; `required` U of insulin."""

    rate: float | None
    minutes: int
    bolus: float
    required: float
    why: str


def decide(facts: Known, own: Setup, prefs: Preferences = DEFAULTS) -> tuple[Decision, Ahead]:
    """Return what to do, and the forecasts behind it."""
    where, eaten = facts.status, facts.carbs
    smb = prefs.smb and (prefs.smb_always or eaten.grams > 0 or eaten.on_board > 0)
    ahead = look_ahead(facts, own, prefs)
    floor, middle = threshold(own), sum(own.target) / 2
    rise = max(where.delta, where.short, where.long)
    smb = smb and ahead.guard >= floor and rise <= 0.2 * where.glucose
    basal, sens = float(near(own.basal * own.need * 20) / 20), float(near(own.sens / own.need, 1))
    impact = float(near(-facts.activity[0] * sens * 5, 2))
    expected = float(near(impact + (middle - ahead.eventual) / 24, 1))
    least = min(where.delta, where.short)
    recovering = facts.iob < -own.basal / 3 and least > max(0.0, expected)
    if min(where.glucose, ahead.guard) < floor and not (where.glucose < floor and recovering):
        minutes = near(near(60 * (middle - ahead.guard) / sens / own.basal) / 30) * 30
        return Decision(0.0, int(np.clip(minutes, 30, 120)), 0.0, 0.0, "low expected"), ahead
    if ahead.eventual < own.target[0]:
        return _less(facts, own, ahead, (basal, sens, expected)), ahead
    if not smb and least < expected:
        return Decision(basal, 30, 0.0, 0.0, "falling faster than expected"), ahead
    if not smb and min(ahead.eventual, ahead.lowest) < own.target[1]:
        return Decision(basal, 30, 0.0, 0.0, "in range"), ahead
    if facts.iob > own.max_iob:
        return Decision(basal, 30, 0.0, 0.0, "as much on board as allowed"), ahead
    return _more(facts, own, prefs, ahead, (basal, sens), smb and where.glucose > floor), ahead


def _less(facts: Known, own: Setup, ahead: Ahead, now: tuple[float, float, float]) -> Decision:
    """Return the low temporary basal that brings the eventual glucose up to target, twice as fast for safety."""
    basal, sens, expected = now
    least, middle = min(facts.status.delta, facts.status.short), sum(own.target) / 2
    if least > max(expected, 0.0):
        return Decision(0.0 if ahead.naive < 40 else basal, 30, 0.0, 0.0, "low in the end, but rising")
    required = float(near(2 * min(0.0, (ahead.eventual - middle) / sens), 2))
    if expected < least < 0:
        required = float(near(required * least / expected, 2))
    rate = max(0.0, float(near((basal + 2 * required) * 20) / 20))
    running = facts.running
    if running and running.minutes > 5 and running.rate * 0.8 <= rate:
        planned, naive = running.minutes * (running.rate - basal) / 60, min(0.0, (ahead.naive - middle) / sens)
        if planned >= min(required, float(near(naive, 2))) - 0.3 * basal:
            return Decision(None, 0, 0.0, required, "what runs is little enough")
    minutes = 30
    if rate <= 0:
        minutes = int(np.clip(near(near(60 * (middle - ahead.naive) / sens / own.basal) / 30) * 30, 0, 120)) or 30
    return Decision(rate, minutes, 0.0, required, "low in the end")


def _more(facts: Known, own: Setup, prefs: Preferences, ahead: Ahead, now: tuple[float, float], smb: bool) -> Decision:
    """Return the high temporary basal, or the micro bolus with a low one, that brings the lowest forecast to target."""
    basal, sens = now
    middle = sum(own.target) / 2
    required = float(near((min(ahead.lowest, ahead.eventual) - middle) / sens, 2))
    required = float(near(min(required, own.max_iob - facts.iob), 3))
    rate = min(max(0.0, float(near((basal + 2 * required) * 20) / 20)), own.most_basal)
    bolus = 0.0
    if smb:
        bolus, low, minutes = _micro(facts, own, prefs, ahead, required, now)
        if minutes:
            return Decision(low, minutes, bolus, required, "micro bolus, and less basal meanwhile")
    running = facts.running
    enough = running is not None and running.minutes > 5 and rate <= near(running.rate * 20) / 20
    if running and enough and running.minutes * (running.rate - basal) / 60 < 2 * required:
        return Decision(None, 0, bolus, required, "what runs is enough")
    return Decision(rate, 30, bolus, required, "high in the end")


def _micro(
    facts: Known, own: Setup, prefs: Preferences, ahead: Ahead, required: float, now: tuple[float, float]
) -> tuple[float, float, int]:
    """Return a micro bolus in U, and a low basal in U/h for how many minutes that would take it back (0: none)."""
    covered = facts.iob > near(facts.carbs.on_board / own.ratio, 3) and facts.iob > 0
    most = float(near(own.basal * (prefs.uam_min if covered else prefs.smb_min) / 60, 1))
    bolus = float(np.floor(min(required / 2, most) / prefs.increment) * prefs.increment)
    worst = (sum(own.target) / 2 - (ahead.naive + ahead.lowest_iob) / 2) / now[1]
    minutes = float(near(60 * worst / own.basal))
    if minutes < 0 or (minutes == 0 and not prefs.early) or (required > 0 and bolus < prefs.increment):
        low, span = 0.0, 0
    elif minutes >= 30:
        low, span = 0.0, min(60, int(near(minutes / 30)) * 30)
    else:
        low, span = float(near(now[0] * minutes / 30, 2)), 30
    soon = facts.now - facts.last_bolus <= prefs.apart_min * MINUTE
    return (0.0 if soon else max(0.0, bolus)), low, span


def facts_of(moment: Moment, prefs: Preferences = DEFAULTS) -> tuple[Known, Setup]:
    """Return what is known at a moment, and the settings now; sensitivity as autosens and what is known raise it."""
    own, now, hour = moment.profile, moment.now, moment.profile.hour(moment.now)
    at = np.array([r.at for r in moment.glucose], dtype=float)
    value = np.array([r.value for r in moment.glucose], dtype=float)
    sens, ratio, daily = own.sensitivity[hour], own.ratio[hour], moment.daily or 2 * sum(own.basal)
    temps = [Temp(a, (b - a) / MINUTE, rate) for a, b, rate in segments(moment.doses, now + MINUTE)]
    boluses = [(d.at, float(d.amount)) for d in moment.doses if d.lever == "bolus"]
    meals = [(d.at, float(d.amount)) for d in moment.doses if d.lever == "carbs" and d.at <= now]
    curve, action = curve_of(own), own.action_h * 60

    def given(zero_min: float = 0.0) -> Insulin:
        return insulin(boluses, temps, lambda t: own.basal[own.hour(t)], now, curve, action, zero_min)

    mine = given()
    eaten = carbs(meals, at, value, now, mine, sens, ratio)
    moved = deviations(at, value, now, mine, sens)
    need = autosens(meals, at, value, mine, sens, ratio, max(own.basal), prefs.autosens) / moment.raised
    most = min(prefs.daily_safety * max(own.basal), prefs.current_safety * own.basal[hour])
    setup = Setup(own.basal[hour], sens, ratio, own.target, most, prefs.iob_share * daily, need)
    return known(now, status(at, value), mine, given(240.0), eaten, moved, _running(moment)), setup


def _running(moment: Moment) -> Temp | None:
    """Return the temporary basal that runs, with the minutes it still has: until the plan's next rate, or half an hour."""
    past = [d for d in moment.doses if d.lever == "basal" and d.at <= moment.now]
    if not past:
        return None
    last = max(past, key=lambda dose: dose.at)
    ends = [d.at for d in moment.doses if d.lever == "basal" and d.at > moment.now]
    left = (min(ends, default=last.at + 30 * MINUTE) - moment.now) / MINUTE
    return Temp(last.at, left, float(last.amount)) if left > 0 else None


def oref0(moment: Moment, prefs: Preferences = DEFAULTS) -> Order:
    """Return the temporary basal and micro bolus that oref0's manner asks for; without good readings, the profile."""
    if not moment.glucose or moment.now - moment.glucose[-1].at > 12 * MINUTE or moment.glucose[-1].value <= 38:
        return Order(None, why="no good reading in the last 12 min: the profile goes on")
    facts, setup = facts_of(moment, prefs)
    decision, ahead = decide(facts, setup, prefs)
    why = f"{decision.why}: {ahead.eventual:.0f} mg/dL in the end, {ahead.lowest:.0f} at the lowest"
    if decision.rate is None:
        left = facts.running
        return Order(left.rate if left else None, decision.bolus, round(left.minutes) if left else 30, why)
    return Order(decision.rate, decision.bolus, decision.minutes, why)
