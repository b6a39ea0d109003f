"""What oref0's manner foretells: glucose by insulin, by carbs, by unannounced meals and without basal; and their lowest.

Written anew after openaps/oref0 lib/determine-basal/determine-basal.js @ 69d7673 (MIT). Not a medical device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.facts import MINUTE
from gemel.packs.diabetes.control.oref0_facts import TICKS, Carbs, Deviations, Insulin, Many, Status, Temp, each, near

NO_TEMP = Temp(0, 0.0, 0.0)


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

    basal: Many
    sens: Many
    ratio: Many
    target: tuple[Many, Many]
    most_basal: Many
    max_iob: Many
    need: Many = 1.0


@dataclass(frozen=True)
class Ahead:
    """Forecasts in mg/dL every five minutes by insulin, carbs, unannounced meals, and no more basal; and their lowest."""

    iob: np.ndarray
    cob: np.ndarray
    uam: np.ndarray
    zero: np.ndarray
    eventual: np.ndarray
    naive: np.ndarray
    lowest: np.ndarray
    guard: np.ndarray
    lowest_iob: np.ndarray


@dataclass(frozen=True)
class Known:
    """All that is known at a moment."""

    now: Many
    status: Status
    iob: np.ndarray
    activity: np.ndarray
    zero_activity: np.ndarray
    last_bolus: Many
    carbs: Carbs
    moved: Deviations
    running: Temp


def known(
    now: Many,
    where: Status,
    own: Insulin,
    zeroed: Insulin,
    eaten: Carbs,
    moved: Deviations,
    running: Temp = NO_TEMP,
) -> Known:
    """Return what is known, with activity (U/min) over four hours as things are, and with no more basal."""
    when = each(now) + np.arange(TICKS) * 5.0 * MINUTE
    iob, activity = own.acting(when)
    last = own.last(np.size(now)).reshape(np.shape(now))
    return Known(now, where, iob[..., 0], activity, zeroed.acting(when)[1], last, eaten, moved, running)


def look_ahead(facts: Known, own: Setup, prefs: Preferences) -> Ahead:
    """Return the forecasts and the lowest glucose that dosing and guarding look at."""
    where, eaten = facts.status, facts.carbs
    sens = near(own.sens / own.need, 1)
    impact = near(-facts.activity * each(sens) * 5, 2)
    now = impact[..., 0]
    least, averages = np.minimum(where.delta, where.short), np.minimum(where.short, where.long)
    off = near(6 * (least - now))
    off = np.where(off >= 0, off, near(6 * (averages - now)))
    off = np.where(off >= 0, off, near(6 * (where.long - now)))
    naive = near(where.glucose - facts.iob * np.where(facts.iob > 0, sens, np.minimum(sens, own.sens)))
    gram = sens / own.ratio
    unannounced = near(least - now, 1)
    carb_impact = np.minimum(unannounced, near(30 * gram * 5 / 60, 1))
    time = _absorption_h(facts, own)
    seen = np.maximum(0.0, carb_impact / 5 * 60 * time / 2) / gram
    peak = np.clip(eaten.on_board - seen, 0.0, 90.0) * gram * 5 / 60 / (time / 2)
    lasting = np.minimum(time * 6, np.maximum(0.0, eaten.on_board * gram / carb_impact))
    lasting = np.where(carb_impact == 0, 0.0, lasting)
    i = np.arange(1.0, TICKS + 1)
    fading = each(carb_impact) * (1 - np.minimum(1, i / 12))
    by_carbs = np.maximum(0, each(np.maximum(0.0, carb_impact)) * (1 - i / each(np.maximum(lasting * 2, 1))))
    later = np.maximum(0, np.minimum(i, each(time * 12) - i) / each(time * 6) * each(peak))
    slope = np.minimum(near(facts.moved.from_most, 2), -near(facts.moved.from_least, 2) / 3)
    starts = each(unannounced)
    risen = np.minimum(np.maximum(0, starts + i * each(slope)), np.maximum(0, starts * (1 - i / 36)))

    def path(moves: np.ndarray) -> np.ndarray:
        begin = np.zeros((*moves.shape[:-1], 1))
        return np.asarray(each(where.glucose) + np.concatenate([begin, np.cumsum(moves, axis=-1)], axis=-1))

    iob = path(impact + fading)
    zero = path(near(-facts.zero_activity * each(sens) * 5, 2) + (fading if prefs.early else 0.0))
    cob = path(impact + np.minimum(0, fading) + by_carbs + later)
    uam = path(impact + np.minimum(0, fading) + risen)
    eventual = naive + off
    ends = np.maximum(np.where(eaten.on_board > 0, _end(cob), 0.0), _end(uam) if prefs.uam else 0.0)
    eventual = np.where((carb_impact > 0) | (peak > 0), np.maximum(eventual, ends), eventual)
    lowest, guard, first = _lowest((iob, cob, uam, zero), facts, own, prefs, (lasting != 0) | (peak > 0))
    return Ahead(iob, cob, uam, zero, eventual, naive, lowest, guard, first)


def _end(path: np.ndarray) -> np.ndarray:
    return near(np.clip(path[..., TICKS - 1], 39, 401))


def _least(path: np.ndarray) -> np.ndarray:
    return near(path.min(axis=-1))


def _absorption_h(facts: Known, own: Setup) -> np.ndarray:
    """Return how long, in h, carbs not yet seen absorbed are thought to take: 3 h, more for many and for older ones."""
    time = 3 / own.need
    age = near((facts.now - facts.carbs.last) / MINUTE)
    longer = near(np.maximum(time, facts.carbs.on_board / 20) + 1.5 * age / 60, 1)
    return np.where(facts.carbs.grams > 0, longer, time)


def _lowest(
    paths: tuple[np.ndarray, ...], facts: Known, own: Setup, prefs: Preferences, eating: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lowest forecast to dose by, the lowest to guard by, and the lowest by insulin alone."""
    iob, cob, uam, zero = paths
    late_iob = np.maximum(39.0, _least(iob[..., prefs.wait :]))
    late_cob = np.where(eating, np.maximum(39.0, _least(cob[..., prefs.wait :])), 999.0)
    late_uam = np.maximum(39.0, _least(uam[..., 12:])) if prefs.uam else np.full(late_iob.shape, 999.0)
    floor, fed = _least(zero[..., 1:]), facts.carbs.grams > 0
    left = np.where(fed, facts.carbs.on_board / facts.carbs.grams, 0.0)
    by_uam, by_cob = late_uam < 999, late_cob < 999
    one = (iob[..., -1] + np.where(by_cob, cob[..., -1], uam[..., -1])) / 2
    average = np.where(by_uam | by_cob, one, iob[..., -1])
    average = np.where(by_uam & by_cob, (1 - left) * uam[..., -1] + left * cob[..., -1], average)
    average = np.maximum(near(average), floor)
    guards = [_least(path[..., 1:]) for path in (iob, cob, uam)]
    if prefs.uam:
        guard = np.where(eating, left * guards[1] + (1 - left) * guards[2], guards[2])
    else:
        guard = np.where(eating, guards[1], guards[0])
    blended = _blend(late_uam, floor, own)
    if prefs.uam:
        most = np.maximum(np.maximum(late_iob, late_cob), left * late_cob + (1 - left) * blended)
        lowest = np.where(fed, np.where(by_cob, near(most), blended), np.maximum(late_iob, blended))
    else:
        most = np.maximum(late_iob, late_cob)
        lowest = np.where(fed, np.where(by_cob, near(most), near(guard)), late_iob)
    lowest = np.minimum(lowest, average)
    most_cob = np.where(eating, cob[..., 1:].max(axis=-1), 0.0)
    lowest = np.where(most_cob > facts.status.glucose, np.minimum(lowest, most_cob), lowest)
    return lowest, near(guard), late_iob


def _blend(late_uam: np.ndarray, floor: np.ndarray, own: Setup) -> np.ndarray:
    """Return the unannounced meal's lowest, drawn towards the lowest without basal where that is low."""
    middle, low = sum(own.target) / 2, threshold(own)
    part = (floor - low) / (middle - low)
    drawn = np.where(floor < middle, (late_uam + late_uam * part + floor * (1 - part)) / 2, late_uam)
    far = (floor < low) | (floor > np.maximum(late_uam, middle))
    return near(np.where(far, (late_uam + floor) / 2, drawn))


def threshold(own: Setup) -> np.ndarray:
    """Return the glucose below which basal stops: 70 mg/dL for a target of 100."""
    return np.asarray(own.target[0] - 0.5 * (own.target[0] - 40))
