"""Shifts: for each pool, the exact roster of a week for a target service level, and how simulation judges it.

Who comes when is read from a run in which nobody waits for people (the modified offered load; Jennings, Mandelbaum, Massey &
Whitt 1996, 10.1287/mnsc.42.10.1383); Erlang says what each hour needs; a mixed-integer programme chooses the shifts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, Time
from gemel.packs.service.design import cost
from gemel.packs.service.estimate import Estimate
from gemel.packs.service.options import by_minute, calendar_of, clock, with_pool
from gemel.packs.service.staffing import Roster, Template, kept, needed, roster
from gemel.process.calendar import Calendar
from gemel.process.engine import simulate
from gemel.process.network import ANY, Network, Station
from gemel.process.present import empty

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
EVERY = 30
"""Minutes of an interval that shifts cover; its need is that of its hour."""

LONG, REST = 360, 30
"""A shift of so many minutes or more has a rest, unpaid, in its middle."""

AMPLE, WEEKS = 10, 16
"""So many times the people are there where the load is read, in so many runs of a week."""


@dataclass(frozen=True)
class Rostered:
    """A pool's exact week: a roster for each weekday (None: nobody is there), and the share of promises kept, by simulation."""

    pool: str
    level: float
    within_s: float
    days: tuple[Roster | None, ...]
    calendar: Calendar
    hours: float
    hours_now: float
    judged: tuple[tuple[str, Estimate, Estimate], ...]
    """Station, share of promises kept with the roster, and as it is."""

    @property
    def holds(self) -> bool:
        """Return whether simulation finds the level kept at each station."""
        return all(found.value >= self.level for _, found, _ in self.judged)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "pool": self.pool, "level": self.level, "within_s": self.within_s, "hours": self.hours,
            "hours_now": self.hours_now, "holds": self.holds, "calendar": self.calendar.body(),
            "days": {day: _shifts(one) for day, one in zip(DAYS, self.days, strict=True)},
            "need": {day: None if one is None else one.need.tolist() for day, one in zip(DAYS, self.days, strict=True)},
            "judged": [
                {"station": name, "kept": found.body(), "as_it_is": now.body()} for name, found, now in self.judged
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [
            f"{self.pool}: for {self.level:.0%} within {self.within_s / 60:g} min, exactly {self.hours:g} paid hours a week"
            f" (now {self.hours_now:g})"
        ]
        for day, one in zip(DAYS, self.days, strict=True):
            told = ", ".join(f"{s['from']}-{s['to']} × {s['people']}" for s in _shifts(one))
            lines.append(f"  {day} {told or 'nobody'}")
        for name, found, now in self.judged:
            word = "keeps" if found.value >= self.level else "does not keep"
            lines.append(
                f"  simulated, it {word} the level at {name}: {_share(found)} in time; as it is, {_share(now)}"
            )
        return "\n".join(lines)


def _share(one: Estimate) -> str:
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})"


def _shifts(found: Roster | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    return [
        {"from": clock(s.start), "to": clock(s.end), "rest": None if s.rest is None else [clock(m) for m in s.rest], "people": n}
        for s, n in sorted(zip(found.shifts, found.counts, strict=True), key=lambda one: (one[0].start, one[0].end)) if n
    ]  # fmt: skip


def promising(network: Network, pool: str) -> list[Station]:
    """Return the stations with a promise that this pool alone serves, with or without equipment."""
    people = {one.name for one in network.pools if one.kind == "people"}

    def alone(station: Station) -> bool:
        hands = {name for team in station.teams for name in (team.pool, *team.with_) if name in people}
        return hands == {pool}

    return [one for one in network.stations if one.promise is not None and alone(one)]


def exact(
    network: Network, pool: str, since: Time, *, level: float = 0.8, lengths: Sequence[int] = (240, 360, 480),
    members: int = 16, seed: int = 0,
) -> Rostered:  # fmt: skip
    """Return the pool's cheapest week of shifts of these *lengths* (min) for a *level*, in the hours in which it is there now."""
    served = promising(network, pool)
    if not served:
        raise BadInput(
            f"no station with a promise is served by {pool} alone, so no level can be asked of it", field="pool"
        )
    loads = [_load(network, pool, one, since, seed) for one in served]
    within = min(one.promise or 0.0 for one in served)
    there = by_minute(network.pool(pool).calendar)
    days = tuple(
        _day(there[day], [(rate[day], s) for rate, s in loads], served, within, level, lengths) for day in range(7)
    )
    counts = np.stack([np.zeros(1440, np.int64) if one is None else by_minute(one.calendar([0]))[0] for one in days])
    other = with_pool(network, pool, calendar_of(counts, network.pool(pool).calendar))
    until = since + 7 * DAY

    def share(of: Network, station: str) -> Estimate:
        return kept(of, station, since, until=until, members=members, seed=seed)

    judged = tuple((one.name, share(other, one.name), share(network, one.name)) for one in served)
    hours, now = (_hours(of, pool, since, until) for of in (other, network))
    return Rostered(pool, level, within, days, other.pool(pool).calendar, hours, now, judged)


def _hours(network: Network, pool: str, since: Time, until: Time) -> float:
    alone = tuple(replace(one, cost_per_hour=float(one.name == pool)) for one in network.pools)
    return cost(replace(network, pools=alone), since, until)


def _load(network: Network, pool: str, station: Station, since: Time, seed: int) -> tuple[np.ndarray, float]:
    """Return how many come to a station an hour, by weekday and hour of the pool's zone (7, 24), and the mean service in s."""
    calendar = network.pool(pool).calendar
    ample = with_pool(network, pool, calendar_of(AMPLE * by_minute(calendar), calendar))
    run = simulate(ample, empty(since), since + 7 * DAY, members=WEEKS, seed=seed, keep=("visits",), threads=1)
    place = [one.name for one in network.stations].index(station.name)
    assert run.visits is not None, "they were asked to be kept"
    visits = run.visits[run.visits["station"] == place]
    hours = since + HOUR * np.arange(7 * 24)
    counts = np.bincount((visits["ready"] // 3600).astype(int), minlength=len(hours))[: len(hours)] / WEEKS
    rates = np.zeros((7, 24))
    for at, count in zip(hours, counts, strict=True):
        local = datetime.fromtimestamp(int(at) / 1000, ZoneInfo(calendar.zone))
        rates[local.weekday(), local.hour] += count
    lasted = visits["ended"] - visits["started"]
    lasted = lasted[np.isfinite(lasted)]
    return rates, float(lasted.mean()) if len(lasted) else 1.0


def _day(
    there: np.ndarray, loads: Sequence[tuple[np.ndarray, float]], served: Sequence[Station], within: float, level: float,
    lengths: Sequence[int],
) -> Roster | None:  # fmt: skip
    """Return the roster of one weekday on which people are there by minute (1440,), from the hourly loads of its stations."""
    open_ = np.flatnonzero(there)
    if not len(open_):
        return None
    opens, closes = int(open_[0]) // EVERY * EVERY, -(-(int(open_[-1]) + 1) // EVERY) * EVERY
    needs = [_need(loads, served, within, level, hour) for hour in range(24)]
    need = [needs[m // 60] if there[m : m + EVERY].any() else 0 for m in range(opens, closes, EVERY)]
    return roster(need, templates(opens, closes, lengths), opens=opens, every=EVERY)


def _need(
    loads: Sequence[tuple[np.ndarray, float]], served: Sequence[Station], within: float, level: float, hour: int
) -> int:
    rate = sum(float(rates[hour]) for rates, _ in loads)
    if rate <= 0:
        return 1
    lasts = sum(float(rates[hour]) * seconds for rates, seconds in loads) / rate
    patient = [one.patience.get(ANY) or next(iter(one.patience.values())) for one in served if one.patience]
    patience = patient[0].mean if len(patient) == len(served) else None
    return needed(rate, lasts, within, level=level, patience_s=patience)


def templates(opens: int, closes: int, lengths: Sequence[int]) -> list[Template]:
    """Return every shift of these lengths that begins on a half hour within a day; the whole day where it is shorter."""
    found = []
    for length in sorted({min(length, closes - opens) for length in lengths}):
        for start in range(opens, closes - length + 1, EVERY):
            middle = start + length // 2 // EVERY * EVERY
            rest = (middle, middle + REST) if length >= LONG else None
            found.append(Template(clock(start), start, start + length, (length - (REST if rest else 0)) / 60, rest))
    return found
