"""Personalise one twin of the bank from its last days, or go on from where it was; keep it, and say what was learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np

from gemel.bank import Twin
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, Draft, Time, iso
from gemel.packs.diabetes.personal import posterior
from gemel.packs.diabetes.personal.ahead import confidence
from gemel.packs.diabetes.personal.clocks import Clock, clock_of, put_right
from gemel.packs.diabetes.personal.days import Day, days_of, usual_basal
from gemel.packs.diabetes.personal.evidence import Foretold
from gemel.packs.diabetes.personal.stored import body, from_body
from gemel.packs.diabetes.personal.twin import Personal, personalise, update

IDENTIFIED = "identified/1"
WEIGHT = 70.0
"""kg, where nobody has said."""

FEWEST = 1
OWN = Clock()
"""The pump's own."""

MEANS = {
    "gb": "resting glucose", "gb.hour": "resting glucose by the hour", "sg": "glucose effectiveness",
    "p2": "how fast insulin acts",
    "ka2": "absorption of insulin", "kd": "release of insulin", "kempt": "gastric emptying", "kabs": "absorption of meals",
    "beta": "delay of meals", "si": "insulin sensitivity", "si.hour": "sensitivity by the hour", "gain": "carbohydrate's effect",
}  # fmt: skip

Tell = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Identified:
    """What many days say of one person: her twin, from how many days, of which `fresh` are new, and on what was assumed; by what
    `clock` entries of carbohydrate were made and put right."""

    twin: str
    personal: Personal
    fresh: int
    days: int
    weight: float
    assumed: bool
    clock: Clock = OWN

    def body(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "twin": self.twin, "days": self.days, "fresh": self.fresh, "weight_kg": self.weight, "weight_assumed": self.assumed,
            "identified": {name: round(value, 3) for name, value in self.personal.identified().items()},
            "fit": {name: round(float(value), 4) for name, value in self.personal.told.items()},
            "doubts": self.personal.doubts(), "foretold": [_row(day) for day in self.personal.days if _scored(day)],
            "trust": round(float(confidence(self.personal).mean[1]), 3), "carbs_late_h": self.clock.late / HOUR,
            "carbs_without_am_pm": self.clock.twelve,
        }  # fmt: skip

    def __str__(self) -> str:
        told, report = self.personal.told, self.body()
        weight = f"{self.weight:g} kg{' (assumed: set it in the care plan)' if self.assumed else ''}"
        lines = [f"{self.twin}: {self.days} days, {self.fresh} of them new; {weight}"]
        lines += _of_clock(self.clock)
        lines += [
            "",
            "what the days tell, of what is unknown of anybody:",
        ]
        lines += [f"  {MEANS.get(name, name):30} {max(value, 0):5.0%}" for name, value in report["identified"].items()]
        lines += ["", _fit(told)]
        lines += [f"doubt: {text}" for text in report["doubts"]]
        lines += ["", "how yesterday's twin foretold the day, 24 h open loop:", *map(_line, report["foretold"])]
        lines += [f"trust in the equations, learned from that: {report['trust']:.2f} of 1", "", "not a medical device"]
        return "\n".join(lines)


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
    held = f"{told['within90']:.0%} of errors within their 90 %"
    lag = f"lag-1 {told['lag1']:.2f}, {told['white_lag1']:.2f} once whitened"
    return f"fit: RMSE {told['rmse']:.0f} mg/dL; {held}; {lag}; effective sample {told.get('ess', float('nan')):.0f}"


def _scored(day: Foretold) -> bool:
    return bool(np.isfinite(np.asarray(day.said) * np.asarray(day.read)).any())


def _row(day: Foretold) -> dict[str, Any]:
    said, read = np.asarray(day.said), np.asarray(day.read)
    off = said - read
    return {
        "day": iso(day.at)[:10],
        "rmse": round(float(np.sqrt(np.nanmean(off**2))), 1),
        "own_sd": round(float(np.nanstd(read)), 1),
    }


def _line(row: dict[str, Any]) -> str:
    return f"  {row['day']}  RMSE {row['rmse']:5.1f} mg/dL; the day's own SD {row['own_sd']:.1f}"


def identify(
    twin: Twin, days: float = 14, zone: tzinfo = UTC, seed: int = 0, anew: bool = False, quick: bool = False,
    tell: Tell = lambda what, done, whole: None,
) -> Identified:  # fmt: skip
    """Return what the last *days* say of the person, on record as `identified/1`.

    Where an earlier one is on record, only whole days since are learned from, each at its own cost; *anew* begins again. *quick*
    draws from the Gaussian at the mode instead of chains.
    """
    for verb in ("read", "write"):
        twin.bank.gate.require(twin.actor, verb, twin.id, "*", twin.purpose)
    held = None if anew else next(iter(twin.bank.thread.read(twin.id, kinds=[IDENTIFIED], reverse=True, limit=1)), None)
    weight, assumed = _weight(twin)
    if held is not None and held.body["weight"] != weight:
        held = None  # every amount was per kg
    sampler = posterior.quick if quick else posterior.chains
    clock = _clock(twin, zone)
    found = _days(twin, days, zone, weight, None if held is None else float(held.body["basal"]), clock)
    if held is None:
        tell("identifying", 0, 1)
        personal, fresh, count = personalise(found, seed, sampler=sampler), len(found), len(found)
    else:
        personal, count = from_body(held.body["personal"]), int(held.body["days"])
        later = [day for day in found if day.at > personal.at]
        for i, day in enumerate(later):
            tell("learning from new days", i, len(later))
            personal = update(personal, day, seed, sampler)
        fresh, count = len(later), count + len(later)
    tell("identifying", 1, 1)
    if fresh:
        told = {"personal": body(personal), "weight": weight, "basal": found[-1].basal, "days": count, **asdict(clock)}
        now = twin.bank.now()
        twin.bank.append([Draft(twin.id, IDENTIFIED, told, now, twin.actor, twin.bank.evidence(twin.id))])
    return Identified(twin.id, personal, fresh, count, weight, assumed, clock)


def _weight(twin: Twin) -> tuple[float, bool]:
    said = twin.bank.plan(twin.id).settings.get("weight")
    return (WEIGHT, True) if said is None else (float(np.mean(said)), False)


def _clock(twin: Twin, zone: tzinfo) -> Clock:
    replica = twin.bank.replica(twin.id)
    last = replica.last or 0
    return clock_of(replica.plan(last - 90 * DAY, last + 1), last + 1, _offset(zone, last))


def _days(twin: Twin, days: float, zone: tzinfo, weight: float, basal: float | None, clock: Clock) -> list[Day]:
    replica = twin.bank.replica(twin.id)
    last = replica.last
    if last is None or not 1 <= days <= 90:
        raise BadInput(f"{days:g} is not a number of days from 1 to 90, or {twin.id} has no reading yet", field="days")
    since = last - round((days + 1) * DAY)
    doses = put_right(replica.plan(since - DAY, last + 1), clock, last + 1, _offset(zone, last))
    usual = usual_basal(doses, last, weight) if basal is None else basal
    readings = [one for one in replica.read(since, last + 1) if one.signal == "glucose"]
    found = days_of(readings, doses, weight=weight, basal=usual, offset=_offset(zone, last))
    if len(found) < FEWEST:
        raise BadInput(
            f"{twin.id} has no day whose glucose was read for half of it in the last {days:g} days", field="days"
        )
    return found


def _offset(zone: tzinfo, at: Time) -> Time:
    gone = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if gone is None else round(gone.total_seconds() * 1000)
