"""Compare: the same twin under several futures, with the same noise, so that a difference is the scenario's doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.bank import Fork, Twin
from gemel.errors import BadInput, unknown
from gemel.facts import MINUTE, Time
from gemel.intervention import Metric, Scenario
from gemel.twintype import TwinType

TOGETHER: Time = 10 * MINUTE
"""Forks made within this time of each other may be compared."""

MOST_HOURS = 240
SHAPE = '{"metric": NAME, "hours": H, "scenarios": [{"scenario": NAME, "values": {FIELD: NUMBER}}]}'
"""What a scenario file holds; each scenario may also have a `name`."""


@dataclass(frozen=True)
class Effect:
    """What one fork does to the metric, against the first: means, the paired difference and its 95 % interval."""

    fork: Fork
    mean: float
    difference: float
    low: float
    high: float
    better: float | None

    def body(self) -> dict[str, Any]:
        """Return the effect as JSON types; `better` is the share of members in which it is the better one, if one can be."""
        return {
            "fork": self.fork.name, "scenario": self.fork.scenario.name,
            "mean": self.mean, "difference": self.difference, "interval95": [self.low, self.high],
            "better": self.better,
        }  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Forks of one twin, ranked by one metric over some hours; the first fork is the reference.

    `direction` is None where neither more nor less of the metric is better: there is a difference then, and no best.
    """

    metric: str
    unit: str
    hours: float
    direction: str | None
    effects: tuple[Effect, ...]

    @property
    def best(self) -> Fork:
        """Return the fork whose mean is best; raise `BadInput` where neither way is."""
        found = self._best()
        if found is None:
            raise BadInput(f"neither more nor less {self.metric} is better: rank by another metric", field="metric")
        return found

    def _best(self) -> Fork | None:
        if self.direction is None:
            return None
        pick = max if self.direction == "higher" else min
        return pick(self.effects, key=lambda effect: effect.mean).fork

    def body(self) -> dict[str, Any]:
        """Return the comparison as JSON types."""
        best = self._best()
        return {
            "metric": self.metric, "unit": self.unit, "hours": self.hours, "better": self.direction,
            "effects": [effect.body() for effect in self.effects], "best": None if best is None else best.name,
        }  # fmt: skip

    def __str__(self) -> str:
        scale, unit = (100.0, "%") if self.unit == "fraction" else (1.0, self.unit)
        way, best = "neither way" if self.direction is None else self.direction, self._best()
        lines = [f"{self.metric} over {self.hours:g} h [{unit}], {way} is better"]
        width = max(len(effect.fork.name) for effect in self.effects)
        for effect in self.effects:
            paired = f"{scale * effect.difference:+6.1f} ({scale * effect.low:+.1f} to {scale * effect.high:+.1f})"
            mark = " *" if effect.fork is best else ""
            lines.append(f"{effect.fork.name:{width}}  {scale * effect.mean:6.1f}   {paired}{mark}")
        return "\n".join(lines)


def compare(*forks: Fork, metric: str, hours: float = 24) -> Comparison:
    """Return how *forks* of one twin differ in *metric* over the next *hours*, member by member, against the first.

    All start from the first fork's belief, so that forks made minutes apart are paired too.
    """
    if not forks or any(fork.twin != forks[0].twin or abs(fork.now - forks[0].now) > TOGETHER for fork in forks):
        raise BadInput("compare forks of one twin made at one time; these are " + ", ".join(f.name for f in forks))
    forks = tuple(replace(fork, belief=forks[0].belief) for fork in forks)
    known = forks[0].type.metrics
    if metric not in known:
        raise unknown("metric", metric, known)
    chosen = known[metric]
    scores = [np.asarray(chosen.of(fork.run(chosen.signal, hours)[0]), float) for fork in forks]
    effects = tuple(_effect(fork, score, scores[0], chosen) for fork, score in zip(forks, scores, strict=True))
    return Comparison(metric, chosen.unit, hours, chosen.better, effects)


def _effect(fork: Fork, score: np.ndarray, reference: np.ndarray, metric: Metric) -> Effect:
    paired = score - reference
    low, high = np.quantile(paired, [0.025, 0.975])
    gain = paired if metric.better == "higher" else -paired
    share = None if metric.better is None else float(np.mean(gain > 0))
    return Effect(fork, float(score.mean()), float(paired.mean()), float(low), float(high), share)


def scenario_forks(twin: Twin, spec: object, now: Time | None = None) -> tuple[list[Fork], str, float]:
    """Return forks made at *now*, metric and hours for a scenario file's content: "as usual" and one per scenario."""
    if not isinstance(spec, dict) or not isinstance(spec.get("scenarios"), list) or not spec["scenarios"]:
        raise BadInput(f"a scenario file is {SHAPE}")
    _known_keys(spec, ("metric", "hours", "scenarios"), "key")
    scenarios = [_scenario(twin.type, i, entry) for i, entry in enumerate(spec["scenarios"])]
    hours, metric = spec.get("hours", 24), spec.get("metric", next(iter(twin.type.metrics)))
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours <= MOST_HOURS:
        raise BadInput(f"{hours!r} is not a number of hours above 0 and up to {MOST_HOURS}", field="hours")
    if not isinstance(metric, str) or metric not in twin.type.metrics:
        raise unknown("metric", str(metric), twin.type.metrics)
    usual = twin.fork("as usual", now)
    return [usual, *(replace(usual, name=name).suppose(scenario) for name, scenario in scenarios)], metric, float(hours)


def _scenario(twin_type: TwinType, i: int, entry: object) -> tuple[str, Scenario]:
    where = f"scenarios[{i}]"
    if not isinstance(entry, dict):
        raise BadInput(f'{entry!r} is no scenario; one is {{"scenario": NAME, "values": {{…}}}}', field=where)
    _known_keys(entry, ("name", "scenario", "values"), f"key of {where}")
    kind, values = str(entry.get("scenario")), entry.get("values", {})
    if kind not in twin_type.scenarios:
        raise unknown(f"scenario in {where}:", kind, twin_type.scenarios)
    if not isinstance(values, dict):
        raise BadInput(f"{values!r} is not an object of fields and numbers", field=f"{where}.values")
    try:
        scenario = twin_type.scenarios[kind].fill(values)
    except BadInput as error:
        place = f"{where}.values" + (f".{error.field}" if error.field else "")
        raise BadInput(error.problem, field=place) from None
    return str(entry.get("name", scenario.name)), scenario


def _known_keys(found: Mapping[str, object], possible: Sequence[str], what: str) -> None:
    for key in found:
        if key not in possible:
            raise unknown(what, key, possible)
