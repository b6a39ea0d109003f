"""What oref0's manner foretells: glucose by insulin, by carbs, by unannounced meals and without basal; and their lowest.

Written anew after openaps/oref0 lib/determine-basal/determine-basal.js @ 69d7673 (MIT). Not a medical device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE, Time
from gemel.packs.diabetes.control.oref0_facts import TICKS, Carbs, Deviations, Insulin, Status, Temp, near


@dataclass(frozen=True)
class Preferences:
    """oref0's preferences, at its defaults but for micro boluses, which are on; `iob_share` of a usual day may be on board.

    A micro bolus is at most `smb_min` minutes of basal (`uam_min` where insulin on board covers the carbs), half of what is
    required, every `apart_min`. `early` decides as oref0's recorded example of 2018 does: the forecast without basal carries
    the deviation too, the lowest counts from an hour on (not 90 min), and a step of micro bolusing that asks for no pause
    still pauses for half an hour (this last is inferred from the one record).
    """

    smb: bool = True
    uam: bool = True
    smb_always: bool = False
    smb_min: float = 30.0
    uam_min: float = 30.0
    increment: float = 0.1
    apart_min: float = 3.0
    daily_safety: float = 3.0
    current_safety: float = 4.0
    iob_share: float = 0.3
    autosens: tuple[float, float] = (0.7, 1.2)
    early: bool = False

    @property
    def wait(self) -> int:
        """Return from which five minutes on the lowest forecast counts."""
        return 12 if self.early else 18


@dataclass(frozen=True)
class Setup:
    """The settings now: `basal` U/h, `sens` mg/dL/U, `ratio` g/U as the profile says; `need` times the insulin of usual."""

    basal: float
    sens: float
    ratio: float
    target: tuple[float, float]
    most_basal: float
    max_iob: float
    need: float = 1.0


@dataclass(frozen=True)
class Ahead:
    """Forecasts in mg/dL every five minutes by insulin, carbs, unannounced meals, and no more basal; and their lowest."""

    iob: np.ndarray
    cob: np.ndarray
    uam: np.ndarray
    zero: np.ndarray
    eventual: float
    naive: float
    lowest: float
    guard: float
    lowest_iob: float


@dataclass(frozen=True)
class Known:
    """All that is known at a moment."""

    now: Time
    status: Status
    iob: float
    activity: np.ndarray
    zero_activity: np.ndarray
    last_bolus: Time
    carbs: Carbs
    moved: Deviations
    running: Temp | None


def known(
    now: Time,
    where: Status,
    own: Insulin,
    zeroed: Insulin,
    eaten: Carbs,
    moved: Deviations,
    running: Temp | None = None,
) -> Known:
    """Return what is known, with activity (U/min) over four hours as things are, and with no more basal."""
    when = now + np.arange(TICKS) * 5.0 * MINUTE
    iob, activity, _ = own.totals(when)
    last = int(own.at[own.units >= 0.1].max(initial=0))
    return Known(now, where, float(iob[0]), activity, zeroed.totals(when)[1], last, eaten, moved, running)


def look_ahead(facts: Known, own: Setup, prefs: Preferences) -> Ahead:
    """Return the forecasts and the lowest glucose that dosing and guarding look at."""
    where, eaten = facts.status, facts.carbs
    sens = float(near(own.sens / own.need, 1))
    impact = near(-facts.activity * sens * 5, 2)
    least, averages = min(where.delta, where.short), min(where.short, where.long)
    off = float(near(6 * (least - impact[0])))
    off = off if off >= 0 else float(near(6 * (averages - impact[0])))
    off = off if off >= 0 else float(near(6 * (where.long - impact[0])))
    naive = float(near(where.glucose - facts.iob * (sens if facts.iob > 0 else min(sens, own.sens))))
    gram = sens / own.ratio
    unannounced = float(near(least - impact[0], 1))
    carb_impact = min(unannounced, float(near(30 * gram * 5 / 60, 1)))
    time = _absorption_h(facts, own)
    rest = min(90.0, max(0.0, eaten.on_board - max(0.0, carb_impact / 5 * 60 * time / 2) / gram))
    peak = rest * gram * 5 / 60 / (time / 2)
    lasting = 0.0 if carb_impact == 0 else min(time * 6, max(0.0, eaten.on_board * gram / carb_impact))
    i = np.arange(1.0, TICKS + 1)
    fading = carb_impact * (1 - np.minimum(1, i / 12))
    by_carbs = np.maximum(0, max(0.0, carb_impact) * (1 - i / max(lasting * 2, 1)))
    later = np.maximum(0, np.minimum(i, time * 12 - i) / (time * 6) * peak)
    slope = min(float(near(facts.moved.from_most, 2)), -float(near(facts.moved.from_least, 2)) / 3)
    risen = np.minimum(np.maximum(0, unannounced + i * slope), np.maximum(0, unannounced * (1 - i / 36)))

    def path(moves: np.ndarray) -> np.ndarray:
        return where.glucose + np.concatenate([[0.0], np.cumsum(moves)])

    iob = path(impact + fading)
    zero = path(near(-facts.zero_activity * sens * 5, 2) + (fading if prefs.early else 0.0))
    cob = path(impact + np.minimum(0, fading) + by_carbs + later)
    uam = path(impact + np.minimum(0, fading) + risen)
    eventual = naive + off
    if carb_impact > 0 or peak > 0:
        eventual = max(eventual, _last(cob) if eaten.on_board > 0 else 0.0, _last(uam) if prefs.uam else 0.0)
    lowest, guard, first = _lowest((iob, cob, uam, zero), facts, own, prefs, bool(lasting or peak > 0))
    return Ahead(iob, cob, uam, zero, eventual, naive, lowest, guard, first)


def _last(path: np.ndarray) -> float:
    return float(near(np.clip(path[TICKS - 1], 39, 401)))


def _absorption_h(facts: Known, own: Setup) -> float:
    """Return how long, in h, carbs not yet seen absorbed are thought to take: 3 h, more for many and for older ones."""
    time = 3 / own.need
    if not facts.carbs.grams:
        return time
    age = float(near((facts.now - facts.carbs.last) / MINUTE))
    return float(near(max(time, facts.carbs.on_board / 20) + 1.5 * age / 60, 1))


def _lowest(
    paths: tuple[np.ndarray, ...], facts: Known, own: Setup, prefs: Preferences, eating: bool
) -> tuple[float, float, float]:
    """Return the lowest forecast to dose by, the lowest to guard by, and the lowest by insulin alone."""
    iob, cob, uam, zero = paths
    late_iob = max(39.0, float(near(iob[prefs.wait :].min())))
    late_cob = max(39.0, float(near(cob[prefs.wait :].min()))) if eating else 999.0
    late_uam = max(39.0, float(near(uam[12:].min()))) if prefs.uam else 999.0
    floor = float(near(zero[1:].min()))
    left = facts.carbs.on_board / facts.carbs.grams if facts.carbs.grams else 0.0
    if late_uam < 999 and late_cob < 999:
        average = (1 - left) * uam[-1] + left * cob[-1]
    elif min(late_uam, late_cob) < 999:
        average = (iob[-1] + (cob if late_cob < 999 else uam)[-1]) / 2
    else:
        average = iob[-1]
    average = max(float(near(average)), floor)
    guards = [float(near(path[1:].min())) for path in (iob, cob, uam)]
    guard = (
        left * guards[1] + (1 - left) * guards[2] if eating and prefs.uam else guards[2 if prefs.uam else int(eating)]
    )
    blended = _blend(late_uam, floor, own)
    if facts.carbs.grams and late_cob < 999:
        both = [left * late_cob + (1 - left) * blended] if prefs.uam else []
        lowest = float(near(max(late_iob, late_cob, *both)))
    elif facts.carbs.grams:
        lowest = blended if prefs.uam else float(near(guard))
    else:
        lowest = max(late_iob, blended) if prefs.uam else late_iob
    lowest = min(lowest, average)
    most_cob = float(cob[1:].max()) if eating else 0.0
    return (min(lowest, most_cob) if most_cob > facts.status.glucose else lowest), float(near(guard)), late_iob


def _blend(late_uam: float, floor: float, own: Setup) -> float:
    """Return the unannounced meal's lowest, drawn towards the lowest without basal where that is low."""
    middle, low = sum(own.target) / 2, threshold(own)
    if floor < low or floor > max(late_uam, middle):
        return float(near((late_uam + floor) / 2))
    if floor < middle:
        part = (floor - low) / (middle - low)
        return float(near((late_uam + late_uam * part + floor * (1 - part)) / 2))
    return float(near(late_uam))


def threshold(own: Setup) -> float:
    """Return the glucose below which basal stops: 70 mg/dL for a target of 100."""
    return own.target[0] - 0.5 * (own.target[0] - 40)
