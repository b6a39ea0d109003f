"""Virtual people: patients of S2008 or S2013 who eat, dose, move and wear a CGM, a pump and a watch; live, or in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gemel.dynamics import Dose, Seed
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, Time
from gemel.packs.diabetes.asset import living, sensitivity
from gemel.packs.diabetes.asset.cgm import CGM
from gemel.packs.diabetes.asset.individuals import parameters_of, subject
from gemel.packs.diabetes.asset.keyed import keyed
from gemel.packs.diabetes.asset.living import Habits, habits_of
from gemel.packs.diabetes.asset.pump import MODELS, Pump, PumpModel
from gemel.packs.diabetes.asset.sensitivity import Varying
from gemel.packs.diabetes.asset.uva_padova import patient

TICK: Time = 5 * MINUTE
"""How often the monitor shows, the watch reports and the person may decide."""

Record = tuple[str, float, str, Time]
"""What a device reports: signal or lever, value, unit, time in ms."""

LILY = "child#010"
"""The subject behind the demo's Lily: 12 years old, 35 kg, about 83 % of the time in range."""


@dataclass
class Wearer:
    """One virtual person's devices and what they remember; the body is a row of the household's belief."""

    name: str
    id: str
    seed: Seed
    habits: Habits
    cgm: CGM
    pump: Pump
    offset: Time
    rescued: Time = -DAY
    dosed: Time = -DAY
    served: tuple[Dose, ...] = ()

    def feels(self, at: Time, shown: float) -> list[Record]:
        """Decide at a tick, from what the monitor shows (NaN: nothing); return what is logged of it."""
        logged = [record for meal in self._due(at) for record in self._doses(meal, shown)]
        if shown < self.habits.rescue_below:
            logged += self._rescue(at)
        elif shown > self.habits.corrects_above and self.habits.doses and not living.asleep(at, self.offset):
            self._correct(at, shown)
        return logged

    def eat(self, grams: float, at: Time) -> None:
        """Put *grams* of carbohydrate on the plate at a time."""
        self.served += (Dose("carbs", grams, at // MINUTE * MINUTE),)

    def take(self, start: Time, end: Time) -> list[Dose]:
        """Return everything that enters the body from *start* until *end*."""
        now = [Dose("carbs", d.amount, max(d.at, start)) for d in self.served if d.at < end]
        self.served = tuple(d for d in self.served if d.at >= end)
        return now + self.pump.take(start, end)

    def _due(self, at: Time) -> list[living.Meal]:
        """Return the meals that are dosed, or else eaten, within this tick; serve what is eaten in it."""
        day = (at + self.offset) // DAY
        around = [
            m for d in (day - 1, day, day + 1) for m in living.meals(self.habits, self.id, self.seed, d, self.offset)
        ]
        for meal in around:
            if at <= meal.at < at + TICK:
                self.eat(meal.grams, meal.at)
        return [meal for meal in around if meal.dosed_at is not None and at <= meal.dosed_at < at + TICK]

    def _doses(self, meal: living.Meal, shown: float) -> list[Record]:
        assert meal.dosed_at is not None
        therapy = parameters_of(self.name)
        over = shown - self.habits.target if shown > self.habits.corrects_above or shown < 90.0 else 0.0
        recent = meal.dosed_at - self.dosed < 3 * HOUR
        units = meal.counted / therapy["CR"] + (min(over, 0.0) if recent else over) / therapy["CF"]
        self.pump.command("bolus", max(units, 0.0), meal.dosed_at)
        self.dosed = meal.dosed_at
        return [("carbs", meal.counted, "g", meal.dosed_at)]

    def _correct(self, at: Time, shown: float) -> None:
        if at - self.dosed >= 3 * HOUR:
            self.pump.command("bolus", (shown - self.habits.target) / parameters_of(self.name)["CF"], at)
            self.dosed = at

    def _rescue(self, at: Time) -> list[Record]:
        rng = keyed(self.seed, self.id, "rescue", at // TICK)
        heard = rng.random() < (0.25 if living.asleep(at, self.offset) else 0.8)
        if at - self.rescued < 20 * MINUTE or not heard:
            return []
        self.rescued = at
        self.eat(self.habits.rescue_grams, at)
        return [("carbs", self.habits.rescue_grams, "g", at)] if rng.random() < self.habits.logs_rescue else []

    def watched(self, at: Time) -> list[Record]:
        """Return what the watch reports."""
        rate, steps = living.watch(self.habits, self.id, self.seed, at, parameters_of(self.name)["Age"], self.offset)
        return [("heart_rate", rate, "bpm", at), ("steps", steps, "step", at)]

    def lived(self, at: Time) -> list[Dose]:
        """Return what a body of S2013 feels from a tick on: heart rate above rest in sport, sensitivity and dawn."""
        day, part = divmod(at + self.offset, DAY)
        logs, dawn = sensitivity.day(Varying(), self.id, self.seed, day)
        rest, highest = living.heart_range(parameters_of(self.name)["Age"])
        moving = min(living.effort(self.habits, self.id, self.seed, at, self.offset)[0], 1.0)
        felt = (living.HEART_SHARE * moving * (highest - rest), float(logs[part // TICK]), float(dawn[part // TICK]))
        return [Dose(lever, amount, at) for lever, amount in zip(("heart", "sensitivity", "dawn"), felt, strict=True)]


class Household:
    """Virtual people advanced together, each as they would be alone: draws are keyed by (seed, id, time)."""

    def __init__(
        self, names: Sequence[str], seed: Seed, start: Time, *, ids: Sequence[str] | None = None,
        habits: Habits | None = None, cgm: CGM | None = None, pump: PumpModel = MODELS["Insulet"], offset: Time = 0,
        model: str = "S2008",
    ) -> None:  # fmt: skip
        if len(set(ids or names)) < len(names):
            raise BadInput("two of these virtual people bear one id; pass ids, one for each")
        start = -(-start // TICK) * TICK
        self.wearers = [
            _wearer(name, id_, seed, habits, cgm or CGM(gaps=0.7), pump, offset)
            for name, id_ in zip(names, ids or names, strict=True)
        ]
        bodies = [subject(name, start, id_, model) for name, id_ in zip(names, ids or names, strict=True)]
        self._dynamics, self._s2013 = patient(model), model == "S2013"
        self._belief = self._dynamics.prior(bodies, 1, seed)
        self._usual = {name: np.asarray(self._belief.values[name]) for name in ("Vmx", "kp3")}
        self._seed, self._ticked = seed, start - TICK

    @property
    def now(self) -> Time:
        """Return the time the household has reached."""
        return int(self._belief.at[0])

    def glucose(self, variable: str = "blood.glucose") -> np.ndarray:
        """Return true glucose now, mg/dL, per person: in blood, or under the skin (`skin.glucose`)."""
        mass = {"blood.glucose": "glucose.plasma", "skin.glucose": "skin.plasma_equivalent"}[variable]
        return np.asarray(np.asarray(self._belief.values[mass])[:, 0] / np.asarray(self._belief.values["Vg"])[:, 0])

    def advance(self, until: Time) -> list[list[Record]]:
        """Live until a time, taken down to the minute; return what each one's devices reported from now up to it."""
        told: list[list[Record]] = [[] for _ in self.wearers]
        while self.now < until // MINUTE * MINUTE:
            if self.now - self._ticked >= TICK:
                self._tick(told)
            self._flow(min(self._ticked + TICK, until // MINUTE * MINUTE), told)
        return [sorted(records, key=lambda record: record[3]) for records in told]

    def _tick(self, told: list[list[Record]]) -> None:
        at, true = self.now, self.glucose("skin.glucose")
        self._ticked = at
        factors = np.ones(len(self.wearers), np.float32)
        for i, wearer in enumerate(self.wearers):
            shown = wearer.cgm.show(float(true[i]), at, wearer.seed, wearer.id)
            told[i] += [("glucose", shown, "mg/dL", at)] if shown == shown else []
            told[i] += wearer.watched(at) + wearer.feels(at, shown)
            factors[i] = living.sensitivity(wearer.habits, wearer.id, wearer.seed, at, wearer.offset)
        if not self._s2013:
            changed = {name: usual * factors[:, None] for name, usual in self._usual.items()}
            self._belief = self._belief.with_values(**changed)

    def _flow(self, until: Time, told: list[list[Record]]) -> None:
        start = self.now
        plans = [wearer.take(start, until) for wearer in self.wearers]
        for records, plan in zip(told, plans, strict=True):
            units = {"bolus": "U", "basal": "U/h"}
            records += [(d.lever, float(d.amount), units[d.lever], d.at) for d in plan if d.lever in units]
        felt = [wearer.pump.reaching(plan, start, until) for wearer, plan in zip(self.wearers, plans, strict=True)]
        if self._s2013:
            felt = [plan + wearer.lived(self._ticked) for wearer, plan in zip(self.wearers, felt, strict=True)]
        until_all = np.full(len(self.wearers), until, np.int64)
        self._belief = self._dynamics.advance(self._belief, felt, until_all, self._seed)[0]


def _wearer(name: str, id_: str, seed: Seed, habits: Habits | None, cgm: CGM, pump: PumpModel, offset: Time) -> Wearer:
    values = parameters_of(name)
    usual = values["u2ss"] * values["BW"] / 100.0  # pmol/kg/min to U/h
    tuned = np.exp(0.08 * keyed(seed, id_, "profile").standard_normal(4)).repeat(6)
    return Wearer(
        name,
        id_,
        seed,
        habits or habits_of(living.group_of(name)),
        cgm,
        Pump(pump, [float(r) for r in usual * tuned], offset),
        offset,
    )


class VirtualPerson:
    """One virtual person, live: what her devices report, and a pump that takes commands and acts on her body."""

    def __init__(
        self, name: str, seed: Seed, start: Time, *, id: str | None = None,
        habits: Habits | None = None, cgm: CGM | None = None, pump: PumpModel = MODELS["Insulet"], offset: Time = 0,
        model: str = "S2008",
    ) -> None:  # fmt: skip
        self._household = Household(
            [name], seed, start, ids=[id or name], habits=habits, cgm=cgm, pump=pump, offset=offset, model=model
        )
        self.pump = self._household.wearers[0].pump

    @property
    def now(self) -> Time:
        """Return the time she has reached."""
        return self._household.now

    @property
    def blood_glucose(self) -> float:
        """Return her true blood glucose, mg/dL: no device shows it."""
        return float(self._household.glucose()[0])

    def advance(self, until: Time) -> list[Record]:
        """Live until a time; return what her CGM, pump and watch reported since the last call."""
        return self._household.advance(until)[0]

    def eat(self, grams: float, at: Time) -> None:
        """Let her eat *grams* of carbohydrate that nothing announces."""
        self._household.wearers[0].eat(grams, at)


def virtual_days(
    subject_names: Sequence[str], days: float, seed: Seed, *, start: Time = 0, ids: Sequence[str] | None = None,
    habits: Habits | None = None, cgm: CGM | None = None, offset: Time = 0, model: str = "S2008",
) -> Mapping[str, list[Record]]:  # fmt: skip
    """Return what the devices of some virtual people report over *days*, by id: the same as of each alone."""
    household = Household(subject_names, seed, start, ids=ids, habits=habits, cgm=cgm, offset=offset, model=model)
    told = household.advance(household.now + round(days * DAY))
    return {wearer.id: records for wearer, records in zip(household.wearers, told, strict=True)}
