"""Replay: a stretch of one's own past under other settings: the same days, the same surprises, other doses.

What happened holds everything that nobody announced. Only the difference that other doses would have made is computed, by the
module `supposed`, and added to what was read: replayed glucose is observed glucose plus that shift, so both share every
disturbance. How much 1 U and 1 g do is not known of a person: each draw has its own factor on either, and intervals are of these
and of the days. What the person would have done otherwise because of other glucose, such as correct less, is not in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from gemel.bank import Twin
from gemel.bank.tools import Tool, scenario
from gemel.dynamics import Dose, Plan
from gemel.errors import BadInput
from gemel.facts import DAY, MINUTE, Time
from gemel.intervention import Scenario
from gemel.packs.diabetes.metrics import METRICS
from gemel.simulate import difference

EVERY: Time = 5 * MINUTE
DRAWS, MEMBERS = 200, 4
INSULIN_SD, CARBS_SD = 0.3, 0.25
"""Spread (log) of what 1 U and 1 g do in one person around the rules of thumb; a judgement."""

SHOWN = ("time_in_range", "time_below_range", "time_very_low", "time_above_range", "mean", "cv")
INSULIN, CARBS = ("supposed bolus", "supposed basal"), ("supposed carbs",)


@dataclass(frozen=True)
class Compared:
    """One metric of the stretch, fractions in %: as it was, as it would have been, and the difference with its 90 % interval."""

    name: str
    label: str
    unit: str
    observed: float
    replayed: float
    change: float
    low: float
    high: float


@dataclass(frozen=True)
class Replayed:
    """A stretch replayed: `at` (time,), `observed` (time,), `replayed` (draw, time) mg/dL, and what it comes to."""

    title: str
    since: Time
    until: Time
    at: np.ndarray
    observed: np.ndarray
    replayed: np.ndarray
    metrics: tuple[Compared, ...]

    def body(self) -> dict[str, Any]:
        """Return what it comes to as JSON types."""
        rows = [{**vars(one), **{k: round(float(getattr(one, k)), 1) for k in ("observed", "replayed", "change", "low", "high")}}
                for one in self.metrics]  # fmt: skip
        return {"title": self.title, "since": self.since, "until": self.until, "readings": len(self.at),
                "metrics": rows, "note": NOTE}  # fmt: skip


NOTE = (
    "what other doses would have changed, by rules of thumb with their spread; not a medical device: talk to your team"
)


def replay(twin: Twin, supposed: Scenario, days: float = 7.0, until: Time | None = None, seed: int = 0) -> Replayed:
    """Return the last *days* up to the last reading, or to *until*, as they would have been under *supposed*."""
    for name in ("glucose", "bolus", "basal", "carbs"):
        twin.bank.gate.require(twin.actor, "read", twin.id, name, twin.purpose)
    if supposed.policy is not None:
        raise BadInput("a controller cannot be replayed on what was; a change of doses can", field="scenario")
    readings = twin.readings("glucose", None, until)
    end = readings[-1].at if readings else 0
    kept = [one for one in readings if one.at >= end - round(days * DAY)]
    if len(kept) < 72 or not 0 < days <= 90:
        raise BadInput(f"{len(kept)} readings of glucose in {days:g} days; a replay takes 72 at least", field="days")
    at, observed = np.array([one.at for one in kept]), np.array([one.value for one in kept])
    shifts = _shifts(twin, supposed, int(at[0]), int(at[-1]))
    grid = int(at[0]) // MINUTE * MINUTE + np.arange(len(shifts[0])) * EVERY
    insulin, carbs = (np.interp(at, grid, one) for one in shifts)
    rng = np.random.default_rng([seed, len(at), int(at[0]) & 0xFFFF_FFFF])
    factors = np.exp(np.array([[INSULIN_SD], [CARBS_SD]]) * rng.standard_normal((2, DRAWS)))
    replayed = np.clip(observed + factors[0][:, None] * insulin + factors[1][:, None] * carbs, 20.0, 600.0)
    return Replayed(
        supposed.name, int(at[0]), int(at[-1]), at, observed, replayed, _compared(at, observed, replayed, rng)
    )


def _shifts(twin: Twin, supposed: Scenario, since: Time, until: Time) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much other insulin and other carbohydrate would have moved glucose, mg/dL every 5 min from *since*."""
    with twin.bank.beliefs.lock:
        replica = twin.bank.replica(twin.id)
        start, rates = replica.belief(since), replica.rates(since)
        assert start is not None
        belief = start.belief.rows([0])
        begin = int(belief.at[0])
        past = [Dose(name, rate, since) for name, rate in rates.items()] + replica.plan(since, until + 1)
    levers, dynamics = twin.type.supposes, twin.type.dynamics
    revised = sorted(supposed.revise(past, since), key=lambda dose: dose.at)
    told = difference(past, revised, levers, {name: rate for name, rate in rates.items() if name in levers})
    belief = type(belief)(belief.subjects, belief.at, {k: np.asarray(v)[:, :MEMBERS] for k, v in belief.values.items()})
    rest = [dose for dose in revised if dose.lever not in levers and dose not in past]
    if rest:
        raise BadInput(f"{rest[0].lever} cannot be replayed on what was", field="scenario")

    def shift(kind: Collection[str]) -> np.ndarray:
        plan: Plan = sorted([*past, *(dose for dose in told if dose.lever in kind)], key=lambda dose: dose.at)
        _, way = dynamics.advance(belief, [plan], np.array([until]), 0, record=["supposed.shift"], every=EVERY)
        moved: np.ndarray = np.asarray(way.values["supposed.shift"])[(since - begin) // EVERY :, 0].mean(axis=1)
        return moved

    as_it_was = shift(())  # exercise, illness and stress move glucose too; what was read knows them already
    return shift(INSULIN) - as_it_was, shift(CARBS) - as_it_was


def _compared(
    at: np.ndarray, observed: np.ndarray, replayed: np.ndarray, rng: np.random.Generator
) -> tuple[Compared, ...]:
    """Return each metric with an interval over draws and over days, which are drawn again with replacement."""
    day = at // DAY
    days = [np.flatnonzero(day == one) for one in np.unique(day)]
    picks = [np.concatenate([days[i] for i in rng.integers(len(days), size=len(days))]) for _ in range(len(replayed))]
    found = []
    for name in SHOWN:
        metric = METRICS[name]
        unit, times, of = (
            ("%", 100.0, metric.function) if metric.unit == "fraction" else (metric.unit, 1.0, metric.function)
        )
        was, would = times * float(of(observed)), times * float(np.mean(of(replayed)))
        change = [times * float(of(replayed[k, rows]) - of(observed[rows])) for k, rows in enumerate(picks)]
        low, high = np.quantile(change, (0.05, 0.95))
        found.append(Compared(name, metric.label or name, unit, was, would, would - was, float(low), float(high)))
    return tuple(found)


class OtherWeek(msgspec.Struct, forbid_unknown_fields=True):
    """One of the twin's scenarios with its numbers, and how many days back."""

    scenario: Annotated[str, msgspec.Meta(max_length=100)]
    values: dict[str, float] = {}
    days: Annotated[float, msgspec.Meta(gt=0, le=90)] = 7.0


def _replay(twin: Twin, asked: OtherWeek) -> Mapping[str, Any]:
    return replay(twin, scenario(twin, asked.scenario, asked.values), asked.days).body()


TOOLS = (
    Tool(
        "replay",
        "How the last days would have gone under other doses, with every surprise as it was.",
        OtherWeek,
        _replay,
    ),
)
