"""A ward: many virtual subjects stepped every 5 min under a controller from outside, on arrays; for closed-loop experiments.

The same seed gives the same meals, errors, sensor noise and faults, whatever the controller does, so that controllers can be
compared in pairs. Rescue carbohydrate follows what the sensor shows and the person feels, by the same draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gemel.dynamics import Seed
from gemel.errors import BadInput, unknown
from gemel.facts import HOUR, MINUTE, Time
from gemel.packs.diabetes.asset.course import STEPS, TICK, Course, course
from gemel.packs.diabetes.asset.individuals import parameters_of, subject
from gemel.packs.diabetes.asset.living import Habits, asleep, group_of, habits_of, heart_range
from gemel.packs.diabetes.asset.mishaps import NONE, Mishaps
from gemel.packs.diabetes.asset.pump import MODELS
from gemel.packs.diabetes.asset.sensitivity import Varying
from gemel.packs.diabetes.asset.sensors import SENSORS
from gemel.packs.diabetes.asset.therapy import Settings, settings
from gemel.packs.diabetes.asset.uva_padova import patient

SPAN = TICK // MINUTE
FELT = 55.0
"""mg/dL of true glucose below which a low is felt without a sensor: judgement."""

HEEDS, HEEDS_ASLEEP, LOGS = 0.8, 0.25, 0.6
"""How likely a low that is seen or felt is treated within 5 min, awake and asleep, and that this is logged: judgements."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What a controller may see now, each (subject,): `glucose` mg/dL (NaN: no reading); grams announced since the last step:
    `carbs` of a meal (to be dosed for), `rescue` eaten against a low; `heart_rate` bpm and `steps` of the last 5 min; `bolused`
    ms since the last bolus the pump reports; and what the pump says it gave in the last step: `basal` U/h and `bolus` U.
    """

    now: Time
    glucose: np.ndarray
    carbs: np.ndarray
    rescue: np.ndarray
    heart_rate: np.ndarray
    steps: np.ndarray
    bolused: np.ndarray
    basal: np.ndarray
    bolus: np.ndarray


class Ward:
    """Subjects over days, from midnight; `settings` and `readings()` are for controllers, `truth`, `past` and `course` are not.

    `varying` says by how much sensitivity varies (S2013 only; `STILL` for not at all), `rescues` whether lows are treated.
    Raises `NotFound` for an unknown subject, model, sensor or pump, `BadInput` for a dose that is no finite amount.
    """

    def __init__(
        self, subjects: Sequence[str], days: int, seed: Seed, mishaps: Mishaps = NONE, model: str = "S2013",
        sensor: str = "G6", pump: str = "Insulet", varying: Varying | None = None, rescues: bool = True,
    ) -> None:  # fmt: skip
        if sensor not in SENSORS:
            raise unknown("sensor", sensor, SENSORS)
        if pump not in MODELS:
            raise unknown("pump", pump, MODELS)
        varies = (varying or Varying()) if model == "S2013" else None
        self.dynamics, self.model, self.names, self.days = patient(model), model, tuple(subjects), days
        self.settings: Settings = settings(self.names, seed, model, varies)
        self.course: Course = course(self.names, days, seed, mishaps, SENSORS[sensor], varies)
        self.step_number = 0
        self._mishaps, self._pump, self._rescues = mishaps, MODELS[pump], rescues
        self._habits = [habits_of(group_of(name)) for name in self.names]
        self._begin(seed)

    def _begin(self, seed: Seed) -> None:
        count = len(self.names)
        belief = self.dynamics.prior([subject(name, model=self.model) for name in self.names], 1, seed)
        self._values: dict[str, Any] = dict(belief.values)
        if "heart.rest" in self._values:
            rest = [heart_range(parameters_of(name)["Age"])[0] for name in self.names]
            self._values["heart.rest"] = np.array(rest, np.float32)[:, None]
        self._usual = {name: np.asarray(self._values[name]) for name in ("Vmx", "kp3")}
        self._volume = np.asarray(self._values["Vg"])[:, 0]
        self._keys = jax.random.split(jax.random.key(0), count)
        self._blocked, self._held_back = np.zeros(count), np.zeros(count)
        self._rescued = np.full(count, -(10**9))
        self._bolused = np.full(count, -(10**9))
        kept = ("truth", "shown", "basal", "bolus", "reached", "rescued")
        self._kept = {name: np.zeros((count, self.days * STEPS)) for name in kept}
        self._see()

    @property
    def truth(self) -> np.ndarray:
        """Return plasma glucose after each step so far, mg/dL (subject, time)."""
        return self.past["truth"]

    @property
    def past(self) -> Mapping[str, np.ndarray]:
        """Return what was so far, (subject, time) each.

        "truth"; "shown", what the sensor showed before each step; "basal" U/h and "bolus" U as the pump reports; "reached", U
        that reached the body; "rescued", g eaten against lows.
        """
        return {name: series[:, : self.step_number] for name, series in self._kept.items()}

    @property
    def now(self) -> Time:
        """Return the time the ward has reached, ms since its first midnight."""
        return self.step_number * TICK

    @property
    def over(self) -> bool:
        """Return whether all days are done."""
        return self.step_number >= self.days * STEPS

    def readings(self) -> Readings:
        """Return what a controller may see now."""
        i, before = min(self.step_number, self.days * STEPS - 1), max(self.step_number - 1, 0)
        kept, told = self._kept, self.course
        return Readings(
            self.now, self._shown.copy(), told.announced[:, i].copy(), self._eats_now * (told.logs[:, i] < LOGS),
            told.heart_rate[:, i].copy(), told.steps[:, i].copy(), (self.step_number - self._bolused) * TICK,
            kept["basal"][:, before].copy(), kept["bolus"][:, before].copy(),
        )  # fmt: skip

    def step(self, basal: np.ndarray, bolus: np.ndarray) -> None:
        """Give everyone a basal rate (subject,) U/h for 5 min and a bolus (subject,) U now, as far as pump and set allow."""
        if self.over:
            raise BadInput(f"the {self.days} days of this ward are over")
        i = self.step_number
        rate = _whole(basal, self._pump.basal_step, self._pump.basal_max, len(self.names), "basal")
        shot = _whole(bolus, self._pump.bolus_step, self._pump.bolus_max, len(self.names), "bolus")
        share = self._open(i, rate * TICK / HOUR + shot)
        self._flow(i, rate * share, shot * share)
        glucose = np.asarray(self._values["glucose.plasma"])[:, 0] / self._volume
        seen = (glucose, self._shown, rate, shot, (rate * TICK / HOUR + shot) * share, self._eats_now)
        for (_, series), value in zip(self._kept.items(), seen, strict=True):
            series[:, i] = value
        self._bolused = np.where(shot > 0.0, i, self._bolused)
        self.step_number += 1
        self._see()

    def run(self, policy: Callable[[Ward], tuple[np.ndarray, np.ndarray]]) -> Ward:
        """Step to the end under a policy from the ward to (basal, bolus); return the ward."""
        while not self.over:
            self.step(*policy(self))
        return self

    def _open(self, i: int, units: np.ndarray) -> np.ndarray:
        """Return the share of insulin that gets through the set now; an occlusion ends when found, or by the pump's alarm."""
        begins = (self._blocked <= 0.0) & (self.course.occluded[:, i] > 0.0)
        self._blocked = np.where(begins, self.course.occluded[:, i], self._blocked)
        blocked = self._blocked > 0.0
        self._held_back = np.where(blocked, self._held_back + units, 0.0)
        self._blocked = np.where(self._held_back > self._mishaps.alarm_units, 0.0, np.maximum(self._blocked - 1.0, 0.0))
        worn = np.maximum(1.0 - self._mishaps.wear * self.course.wear[:, i], 0.0)
        return np.where(blocked, 0.0, worn)

    def _flow(self, i: int, rate: np.ndarray, shot: np.ndarray) -> None:
        """Advance every body by five minutes."""
        now, inputs = self.course, self.dynamics.inputs
        acts = {"carbs": now.eaten[:, i] + self._eats_now, "bolus": shot, "basal": rate}
        if self.model == "S2013":
            acts |= {"heart": now.heart[:, i], "sensitivity": now.sensitivity[:, i], "dawn": now.dawn[:, i]}
        else:
            factor = np.exp(now.sensitivity[:, i] + Habits().sport_effect * now.after_sport[:, i]).astype(np.float32)
            self._values |= {name: usual * factor[:, None] for name, usual in self._usual.items()}
        doses = {
            entry.variable: np.full((SPAN, len(self.names), 1), np.nan if entry.holds else 0.0, np.float32)
            for entry in inputs.values()
        }
        for lever, amount in acts.items():
            doses[inputs[lever].variable][0, :, 0] = amount * inputs[lever].per_minute
        left = np.full(len(self.names), SPAN, np.int32)
        start = np.full(len(self.names), i * SPAN, np.int32)
        self._values, _ = self.dynamics.kernel.run(self._values, doses, left, start, self._keys, record=(), every=1)

    def _see(self) -> None:
        """Read the sensors, and let those who notice a low eat."""
        i = min(self.step_number, self.days * STEPS - 1)
        skin = np.asarray(self._values["skin.plasma_equivalent"])[:, 0] / self._volume
        self._shown = np.clip(np.round(self.course.gain[:, i] * skin + self.course.offset[:, i]), 39.0, 400.0)
        blood = np.asarray(self._values["glucose.plasma"])[:, 0] / self._volume
        below = np.array([habits.rescue_below for habits in self._habits])
        grams = np.array([habits.rescue_grams for habits in self._habits])
        heeds = self.course.heeds[:, i] < (HEEDS_ASLEEP if asleep(i * TICK, 0) else HEEDS)
        low = (np.nan_to_num(self._shown, nan=999.0) < below) | (blood < FELT)
        eats = self._rescues & low & heeds & (i - self._rescued >= 4)
        self._rescued = np.where(eats, i, self._rescued)
        self._eats_now = np.where(eats, grams, 0.0)


def _whole(amount: np.ndarray, step: float, most: float, count: int, name: str) -> np.ndarray:
    """Return amounts in whole steps, at most *most*."""
    given = np.asarray(amount, float)
    if given.shape != (count,) or not np.isfinite(given).all() or (given < 0.0).any():
        raise BadInput(f"{name} must be {count} finite amounts of at least 0; it is {given.shape}: {given}", field=name)
    return np.minimum(np.round(given / step) * step, most)
