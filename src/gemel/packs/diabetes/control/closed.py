"""Closed loops of everyone in a ward at once, behind the guard's own arithmetic in arrays. Not a medical device.

`closed(ward, brain)` steps a ward to its end. A brain sees what `Ward.readings()` and `Ward.settings` tell and asks for doses;
the fallbacks and the guard judge them as `fallback.judge` does for one person.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from gemel.dynamics import Dose, Reading, Seed
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.diabetes.asset.standard import basal_bolus
from gemel.packs.diabetes.asset.ward import Readings, Ward
from gemel.packs.diabetes.control.activity import Exponential
from gemel.packs.diabetes.control.basal_bolus import meal_bolus
from gemel.packs.diabetes.control.body import BODY, Body, Given
from gemel.packs.diabetes.control.caution import LEARNING, Learning, learned, unlearned
from gemel.packs.diabetes.control.fallback import ASTRAY, ASTRAY_MGDL, safe_basal
from gemel.packs.diabetes.control.foresee import Follower
from gemel.packs.diabetes.control.limit import BOOK, BOUNDS, PAUSE_MIN, Book, Bounds, Facts, cut, weigh
from gemel.packs.diabetes.control.mpc import SETTINGS, Asked, Settings, mpc_many, room
from gemel.packs.diabetes.control.oref0 import oref0_many
from gemel.packs.diabetes.control.seam import SEGMENT_MIN, Moment, Profile

SPAN = 5
CURVE = Exponential(360.0, 75.0)


class Brain(Protocol):
    """Asks for doses of everyone; `ahead` is the ensemble (subject, member, time) it goes by, if it has one."""

    ahead: np.ndarray | None

    def __call__(self, ward: Ward, seen: Readings, facts: Facts) -> tuple[np.ndarray, np.ndarray]:
        """Return basal (subject,) U/h and bolus (subject,) U."""
        ...


class Charts:
    """What was read of and given to everyone: insulin of the last day by minutes ago, readings of the last 20 min."""

    def __init__(self, ward: Ward) -> None:
        n = len(ward.names)
        self.book = Book(np.zeros((n, BOOK)), np.zeros((n, BOOK)), np.zeros((n, BOOK)))
        for minute in range(BOOK):
            self.book.usual[:, minute] = ward.settings.basal[:, (BOOK - 1 - minute) // 60 % 24] / 60
        self.book.basal[:] = self.book.usual
        self.glucose = np.full((n, 4), np.nan)
        self.unheard = np.zeros(n)

    def read(self, glucose: np.ndarray) -> None:
        """Keep a reading (subject,), NaN where there is none; newest last."""
        self.glucose = np.concatenate([self.glucose[:, 1:], glucose[:, None]], axis=1)
        self.unheard = np.where(np.isnan(glucose), self.unheard + SPAN, 0.0)

    def gave(self, basal: np.ndarray, bolus: np.ndarray, usual: np.ndarray) -> None:
        """Keep what the pump reports for the last five minutes: U/h, U, and what the profile says, U/h."""
        for series in (self.book.bolus, self.book.basal, self.book.usual):
            series[:, SPAN:] = series[:, :-SPAN].copy()
        self.book.bolus[:, :SPAN] = 0.0
        self.book.bolus[:, SPAN] += bolus
        self.book.basal[:, :SPAN], self.book.usual[:, :SPAN] = basal[:, None] / 60, usual[:, None] / 60

    def facts(self, ward: Ward, ahead: np.ndarray | None, bounds: Bounds) -> Facts:
        """Return what the guard goes by."""
        usual = np.minimum(ward.settings.basal[:, ward.now // HOUR % 24],
                           ward.settings.basal[:, (ward.now + (SEGMENT_MIN - 1) * MINUTE) // HOUR % 24])  # fmt: skip
        age, last, rate = self._trend()
        line = np.where(np.isfinite(last), np.minimum(last, last + 30 * rate), np.inf)
        known = np.where(np.isfinite(last), last, np.inf)  # a sensor that is silent says nothing of lows
        likely, low = line, line
        if ahead is not None:
            soon = ahead[:, :, :13]
            heard = self.unheard <= PAUSE_MIN
            likely = np.where(heard, np.minimum(known, np.median(soon, axis=1).min(axis=-1)), line)
            low = np.where(heard, np.minimum(known, np.quantile(soon, 0.1, axis=1).min(axis=-1)), line)
        changes = np.abs(np.diff(self.glucose, axis=1))
        jumped = (np.nan_to_num(changes) > bounds.jump * SPAN).any(axis=1)
        fresh = age * SPAN <= bounds.stale_min
        likely, low = (np.where(np.isnan(x), -np.inf, x) for x in (likely, low))
        return Facts(usual, daily=ward.settings.daily, likely=likely, low=low, trusted=fresh & ~jumped,
                     **weigh(self.book, CURVE, bounds))  # fmt: skip

    def _trend(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return columns since the last reading (4: none), the last reading, and its change in mg/dL per minute."""
        there, rows = np.isfinite(self.glucose), np.arange(len(self.glucose))
        first, newest = there.argmax(axis=1), 3 - there[:, ::-1].argmax(axis=1)
        age = np.where(there.any(axis=1), 3 - newest, 4)
        last, before = self.glucose[rows, newest], self.glucose[rows, first]
        minutes = (newest - first) * SPAN
        rate = np.where(minutes > 0, (last - before) / np.maximum(minutes, 1), 0.0)
        return age, last, np.nan_to_num(rate)

    def silent(self, bounds: Bounds) -> np.ndarray:
        """Return whose sensor has been silent for too long (subject,)."""
        return np.asarray(self._trend()[0] * SPAN > bounds.stale_min)


class Moments:
    """What was read and done as one moment each, for controllers that go by the whole day and for the fallbacks."""

    def __init__(self, ward: Ward) -> None:
        self.ward, own = ward, ward.settings
        self.profiles = [
            Profile(tuple(own.basal[i]), tuple(own.sensitivity[i]), tuple(own.ratio[i])) for i in range(len(ward.names))
        ]
        self.readings: list[deque[Reading]] = [deque() for _ in ward.names]
        self.doses: list[deque[Dose]] = [deque() for _ in ward.names]
        self._rates = np.full(len(ward.names), np.nan)

    def read(self, seen: Readings) -> None:
        """Keep what is seen now; the last day is enough."""
        for i, (readings, doses) in enumerate(zip(self.readings, self.doses, strict=True)):
            if np.isfinite(seen.glucose[i]):
                readings.append(Reading("glucose", float(seen.glucose[i]), seen.now))
            for grams in (seen.carbs[i], seen.rescue[i]):
                if grams > 0:
                    doses.append(Dose("carbs", float(grams), seen.now))
            while readings and readings[0].at < seen.now - DAY:
                readings.popleft()
            while doses and doses[0].at < seen.now - DAY - HOUR:
                doses.popleft()

    def gave(self, at: int, basal: np.ndarray, bolus: np.ndarray) -> None:
        """Keep what the pump reports from *at* on."""
        for i, doses in enumerate(self.doses):
            if basal[i] != self._rates[i] or at % HOUR == 0:
                doses.append(Dose("basal", float(basal[i]), at))
            if bolus[i] > 0:
                doses.append(Dose("bolus", float(bolus[i]), at))
        self._rates = basal.copy()

    def of(self, i: int) -> Moment:
        """Return the moment of one subject."""
        daily = float(self.ward.settings.daily[i])
        return Moment(self.ward.now, self.profiles[i], list(self.readings[i]), list(self.doses[i]), daily=daily)


def closed(ward: Ward, make: Callable[[Ward], Brain], bounds: Bounds = BOUNDS) -> Ward:
    """Step *ward* to its end under a brain behind the guard and its fallbacks; return the ward."""
    charts, moments, brain = Charts(ward), Moments(ward), make(ward)
    if isinstance(brain, ByOref0):
        brain.moments = moments
    while not ward.over:
        seen = ward.readings()
        charts.read(seen.glucose)
        moments.read(seen)
        usual = ward.settings.basal[:, ward.now // HOUR % 24]
        basal, bolus = brain(ward, seen, charts.facts(ward, None, bounds))
        basal, bolus = _fallen_back(charts, moments, brain.ahead, (basal, bolus), usual, bounds)
        facts = charts.facts(ward, brain.ahead, bounds)
        rate, dose, _, _ = cut(basal, bolus, np.full(len(usual), float(SEGMENT_MIN)), facts, bounds)
        at = ward.now
        ward.step(rate, dose)
        gave, shot = ward.past["basal"][:, -1], ward.past["bolus"][:, -1]
        charts.gave(gave, shot, usual)
        moments.gave(at, gave, shot)
    return ward


def _fallen_back(
    charts: Charts, moments: Moments, ahead: np.ndarray | None, asked: tuple[np.ndarray, np.ndarray],
    usual: np.ndarray, bounds: Bounds,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return what to do where the sensor is silent (safe basal) or the ensemble astray (the profile), else what was *asked*."""
    basal, bolus = (part.copy() for part in asked)
    silent = charts.silent(bounds)
    for i in np.flatnonzero(silent):
        order = safe_basal(moments.of(int(i)), bounds)
        basal[i], bolus[i] = usual[i] if order.basal is None else order.basal, 0.0
    if ahead is not None:
        now, last = ahead[:, :, 0], charts._trend()[1]
        away = np.abs(last - np.median(now, axis=1))
        astray = ~silent & ~(away <= np.maximum(ASTRAY * now.std(axis=1), ASTRAY_MGDL))
        basal, bolus = np.where(astray, usual, basal), np.where(astray, 0.0, bolus)
    return basal, bolus


class ByMPC:
    """MPC on the ensemble of a `Follower` of everyone, each with the caution that their own lows taught."""

    ahead: np.ndarray | None = None

    def __init__(
        self,
        ward: Ward,
        settings: Settings = SETTINGS,
        body: Body = BODY,
        learning: Learning = LEARNING,
        seed: Seed = 0,
    ) -> None:
        own = ward.settings
        self.settings, self.learning = settings, learning
        self.caution = unlearned(len(ward.names), learning)
        self.follower: Follower | None = None
        self._begin = partial(Follower, own.sensitivity, own.ratio, own.basal, seed=seed, body=body)
        self._carbs = np.zeros(len(ward.names))
        self._rest = np.full(len(ward.names), np.inf)

    def __call__(self, ward: Ward, seen: Readings, facts: Facts) -> tuple[np.ndarray, np.ndarray]:
        """Follow what was read and given, foresee, choose."""
        usual = ward.settings.basal[:, seen.now // HOUR % 24]
        self._rest = np.minimum(self._rest + 0.02, np.where(np.isfinite(seen.heart_rate), seen.heart_rate, np.inf))
        if self.follower is None:
            self.follower = self._begin(seen.glucose)
        else:
            before = ward.settings.basal[:, (seen.now - SPAN * MINUTE) // HOUR % 24] / 12
            extra = seen.bolus + seen.basal / 12 - before
            self.follower.step(
                seen.now - SPAN * MINUTE, Given(extra, before, self._carbs, self._effort(seen)), seen.glucose
            )
        self._carbs = seen.carbs + seen.rescue
        self.caution = learned(self.caution, seen.glucose, seen.rescue > 0, self.learning)
        ensemble = self.follower.foresee(seen.now, self._carbs)
        self.ahead = ensemble[0]
        found = mpc_many(
            Asked(
                ensemble[0],
                ensemble[1],
                usual,
                BOUNDS.basal_times * usual,
                room(facts),
                seen.carbs > 0,
                self.caution.mgdl,
            ),
            self.settings,
        )
        return found.basal, found.bolus

    def _effort(self, seen: Readings) -> np.ndarray:
        """Return bpm above rest, where rest is the least of the last days and 25 more are everyday life."""
        return np.asarray(np.maximum(np.nan_to_num(seen.heart_rate - self._rest - 25.0), 0.0))


class ByOref0:
    """The oref0-style controller; boluses of announced meals by the person, as a hybrid loop has it."""

    ahead: np.ndarray | None = None
    moments: Moments

    def __init__(self, ward: Ward) -> None:
        pass

    def __call__(self, ward: Ward, seen: Readings, facts: Facts) -> tuple[np.ndarray, np.ndarray]:
        """Ask for everyone."""
        basal, bolus = ward.settings.basal[:, seen.now // HOUR % 24].copy(), np.zeros(len(ward.names))
        moments = [self.moments.of(i) for i in range(len(ward.names))]
        for i, order in enumerate(oref0_many(moments)):
            basal[i] = basal[i] if order.basal is None else order.basal
            bolus[i] = meal_bolus(moments[i], float(seen.carbs[i])) if seen.carbs[i] > 0 else order.bolus
        return basal, bolus


class Standard:
    """The standard treatment of a ward."""

    ahead: np.ndarray | None = None

    def __init__(self, ward: Ward) -> None:
        pass

    def __call__(self, ward: Ward, seen: Readings, facts: Facts) -> tuple[np.ndarray, np.ndarray]:
        """Return the profile's basal and the person's boluses."""
        basal, bolus = basal_bolus(ward)
        return np.asarray(basal), np.asarray(bolus)
