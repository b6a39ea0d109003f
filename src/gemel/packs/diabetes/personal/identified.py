"""What many days say of one person, as JSON types and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any

from gemel.facts import HOUR
from gemel.packs.diabetes.personal.ahead import confidence
from gemel.packs.diabetes.personal.clocks import Clock
from gemel.packs.diabetes.personal.helpings import Helping
from gemel.packs.diabetes.personal.predictive import lines
from gemel.packs.diabetes.personal.scores import line, scores
from gemel.packs.diabetes.personal.twin import Personal

OWN = Clock()
"""The pump's own."""

MEANS = {
    "gb": "resting glucose", "gb.hour": "resting glucose by the hour", "sg": "glucose effectiveness",
    "p2": "how fast insulin acts",
    "ka2": "absorption of insulin", "kd": "release of insulin", "kempt": "gastric emptying", "kabs": "absorption of meals",
    "beta": "delay of meals", "si": "insulin sensitivity", "si.hour": "sensitivity by the hour", "gain": "carbohydrate's effect",
}  # fmt: skip


@dataclass(frozen=True)
class Identified:
    """What many days say of one person: her twin, from how many days, of which `fresh` are new, and on what was assumed; by what
    `clock` entries of carbohydrate were made and put right; in what time `zone` days begin; how `predictive` checks went; how
    quickly `helpings` of known food came in."""

    twin: str
    personal: Personal
    fresh: int
    days: int
    weight: float
    assumed: bool
    clock: Clock = OWN
    zone: tzinfo = UTC
    predictive: Mapping[str, Any] = field(default_factory=dict)
    helpings: tuple[Helping, ...] = ()

    @cached_property
    def foretold(self) -> list[dict[str, Any]]:
        """Return how each of the last days was foretold."""
        return scores(self.personal.days, self.zone)

    def body(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "twin": self.twin, "days": self.days, "fresh": self.fresh, "weight_kg": self.weight, "weight_assumed": self.assumed,
            "identified": {name: round(value, 3) for name, value in self.personal.identified().items()},
            "fit": {name: round(float(value), 4) for name, value in self.personal.told.items()},
            "doubts": self.personal.doubts(), "foretold": self.foretold,
            "trust": round(float(confidence(self.personal).mean[1]), 3), "carbs_late_h": self.clock.late / HOUR,
            "carbs_without_am_pm": self.clock.twelve, "timezone": str(self.zone), "predictive": dict(self.predictive),
            "helpings": [asdict(one) for one in self.helpings],
        }  # fmt: skip

    def __str__(self) -> str:
        told, report = self.personal.told, self.body()
        weight = f"{self.weight:g} kg{' (assumed: set it in the care plan)' if self.assumed else ''}"
        told_of = [f"{self.twin}: {self.days} days from 04:00 {self.zone}, {self.fresh} of them new; {weight}"]
        told_of += [*_of_clock(self.clock), "", "what the days tell, of what is unknown of anybody:"]
        told_of += [
            f"  {MEANS.get(name, name):30} {max(value, 0):5.0%}" for name, value in report["identified"].items()
        ]
        told_of += ["", _fit(told), *[f"doubt: {text}" for text in report["doubts"]], *lines(self.predictive)]
        told_of += ["", "how yesterday's twin foretold the day, 24 h open loop:", *map(line, report["foretold"])]
        told_of += [
            f"trust in the equations, learned from that: {report['trust']:.2f} of 1",
            "",
            "not a medical device",
        ]
        return "\n".join(told_of)


def _of_clock(clock: Clock) -> list[str]:
    if clock.twelve:
        return [
            "entries of carbohydrate all stand between 1 and 12 h, and meet boluses twelve hours from there: a clock without "
            "a.m. and p.m.? moved here; the record itself: export the log with 24 hours and import it again"
        ]
    late = clock.late / HOUR
    how = f"moved here; the record itself: gemel import --shift 'carbs={-late:+g} h'"
    return [f"entries of carbohydrate stand {late:+g} h behind boluses: another clock? {how}"] if late else []


def _fit(told: Mapping[str, float]) -> str:
    held = f"{told['within90']:.0%} of whitened errors within their 90 %"
    lag = f"lag-1 {told['lag1']:.2f}, {told['white_lag1']:.2f} once whitened"
    return f"fit at the mode: RMSE {told['rmse']:.0f} mg/dL; {held}; {lag}; effective sample {told.get('ess', float('nan')):.0f}"
