"""Staff: who does what, in which pools, when they are there, and whether work pauses while they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gemel.packs.service.discovery.clock import OpenTime
from gemel.packs.service.discovery.evidence import UNSEEN, Evidence
from gemel.packs.service.discovery.week import Week, open_hours
from gemel.process.calendar import WEEK_HOURS, Calendar, Shift
from gemel.process.network import Pool

ALIKE, USUAL, RARE, MANY, PLENTY = 0.7, 0.02, 0.02, 0.995, 10_000
"""Cosine of what two people do for them to be of one pool; share of a pool's work, or of an activity's, that makes a skill;
share of rows that may overlap by mistake; how often the capacity is enough; units of the pool that nobody counts."""

PART_TIME = 40
"""Moments of work by which a person's own hours can be told."""

FULL = 0.3
"""Share of an hour that a pool is at its most for that to be all there are."""

FEW_MISSING = 8.0
"""Moments that should have been in the hours that a pool seems to be away from, for that to be chance."""

MINUTES = 15


@dataclass(frozen=True)
class Staff:
    """Pools, for each row the pool that did it (n,) (-1: nobody named), and the open time of each pool in the log's span."""

    pools: tuple[Pool, ...]
    pool: np.ndarray
    open_time: tuple[OpenTime, ...]
    members: tuple[tuple[str, ...], ...]

    def skilled(self, evidence: Evidence) -> Mapping[int, tuple[int, ...]]:
        """Return for each activity the pools that do it, most often first."""
        table = np.zeros((len(evidence.names), len(self.pools)))
        known = (self.pool >= 0) & ~evidence.gave_up
        np.add.at(table, (evidence.activity[known], self.pool[known]), 1)
        usual = (table > 0) & (table >= USUAL * table.sum(1, keepdims=True))
        return {a: tuple(int(p) for p in np.argsort(-row, kind="stable") if usual[a, p]) for a, row in enumerate(table)}


def staff_of(evidence: Evidence, zone: str, leading: np.ndarray) -> Staff:
    """Return who serves, from who did what and when; of a batch only the *leading* row (n,) bool counts as work."""
    if not evidence.timed or not (evidence.resource >= 0).any():
        if evidence.timed:
            evidence.unknown("staff", "the log names nobody who serves: as many as are needed are taken to be there")
        return Staff((), np.full(len(evidence.case), -1), (), ())
    groups = _groups(evidence)
    pool = np.array([*groups, -1])[evidence.resource]
    found, times, names = [], [], []
    week = Week.of(int(evidence.begin.min()), int(evidence.end.max()) + 1, zone)
    if week.short:
        evidence.unknown("staff", "the log is shorter than 8 days: all weekdays are taken as alike")
    common = open_hours(week.counts(evidence.start[pool >= 0]))
    for group in range(max(groups) + 1):
        who = [person for person, its in enumerate(groups) if its == group]
        one = _pool(evidence, week, pool == group, who, common, leading)
        found.append(one)
        times.append(OpenTime.of(one.calendar, int(evidence.begin.min()), int(evidence.end.max()) + 1))
        names.append(tuple(evidence.log.resource.names[person] for person in who))
    return Staff(tuple(_named(found)), pool, tuple(times), tuple(names))


def _groups(evidence: Evidence) -> list[int]:
    """Return the pool of each person: people who do about the same are of one (average linkage of cosines)."""
    from scipy.cluster.hierarchy import fcluster, linkage

    people = len(evidence.log.resource.names)
    table = np.zeros((people, len(evidence.names)))
    known = evidence.resource >= 0
    np.add.at(table, (evidence.resource[known], evidence.activity[known]), 1)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    if people < 2:
        return [0] * people
    unit = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    apart = np.clip(1 - unit @ unit.T, 0, None)[np.triu_indices(people, 1)]
    marks = fcluster(linkage(apart, "average"), 1 - ALIKE, "distance")
    order = {mark: place for place, mark in enumerate(dict.fromkeys(marks.tolist()))}
    return [order[mark] for mark in marks.tolist()]


def _pool(
    evidence: Evidence, week: Week, mine: np.ndarray, who: Sequence[int], common: np.ndarray, leading: np.ndarray
) -> Pool:
    name = _common(tuple(evidence.log.resource.names[person] for person in who))
    worked = mine & ~evidence.gave_up & (evidence.end > evidence.start) & leading
    rows = worked if worked.any() else mine
    start, end = evidence.start[rows], evidence.end[rows]
    hours, pauses = _hours(week, start, end, common)
    units = _units(evidence, name, rows, who)
    counts = _by_hour(week, start, end, units) if units > len(who) else np.full(WEEK_HOURS, units)
    calendar = _calendar(week, hours, np.concatenate([start, end - 1]) if pauses else start, counts)
    own = [] if units > len(who) else _own(evidence, week, rows, who, hours, pauses)
    if own:
        calendar = Calendar(tuple(shift for one in own for shift in one.shifts), week.zone)
        evidence.seen(f"pool {name}", "its people keep different hours: each has a calendar of their own")
    outside = 1 - float(np.mean(OpenTime.of(calendar, int(week.edges[0]), week.until).units(start) > 0))
    if outside > 0.005:
        evidence.unknown(f"pool {name}", f"{outside:.1%} of its work begins outside the hours found")
    return Pool(name, calendar, pauses=pauses)


def _common(names: tuple[str, ...]) -> str:
    """Return what the names of a pool share, or its first name and how many more."""
    if len(names) == 1:
        return names[0]
    shared = "".join(a for a, *rest in zip(*names, strict=False) if all(a == b for b in rest))
    prefix = next(
        (
            names[0][:i]
            for i in range(len(min(names, key=len)), 2, -1)
            if all(n.startswith(names[0][:i]) for n in names)
        ),
        "",
    )
    words = prefix.rstrip("0123456789 -_.#")
    return words if len(words) > 2 and shared else f"{names[0]} and {len(names) - 1} more"


def _named(pools: Sequence[Pool]) -> list[Pool]:
    from dataclasses import replace

    taken: dict[str, int] = {}
    found = []
    for pool in pools:
        taken[pool.name] = taken.get(pool.name, 0) + 1
        found.append(pool if taken[pool.name] == 1 else replace(pool, name=f"{pool.name} ({taken[pool.name]})"))
    return found


def _hours(week: Week, start: np.ndarray, end: np.ndarray, common: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the open hours of the week (168,), and whether work pauses when they end; the service's where few tell.

    It pauses if more work goes on in a later stretch of hours than ends where, by its starts, nobody is there.
    """
    by_start = _or_common(week.counts(start), open_hours(week.counts(start)), common)
    edges, open_ = week.edges, by_start[week.hour]
    if open_.all():
        return by_start, False
    stretch = np.cumsum(np.concatenate([[True], open_[1:] & ~open_[:-1]]))
    at, over = np.searchsorted(edges, start, "right") - 1, np.searchsorted(edges, end - 1, "right") - 1
    late = ~open_[over] & open_[at]
    across = open_[over] & open_[at] & (stretch[over] > stretch[at])
    pauses = bool(across.sum() > 2 * late.sum() and across.sum() >= 3)
    both = week.counts(start) + week.counts(end - 1)
    return (_or_common(both, open_hours(both), common) if pauses else by_start), pauses


def _or_common(counts: np.ndarray, own: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Return a pool's own hours, or the service's if chance alone can have left the others empty."""
    missing = counts.sum() * np.mean(~own[common]) if common.any() else 0.0
    strange = counts[~common].sum()
    return common if missing < FEW_MISSING and strange <= RARE * counts.sum() else own


def _units(evidence: Evidence, name: str, rows: np.ndarray, who: Sequence[int]) -> int:
    """Return how many units a pool has: its people, or as many as one of them was seen to do at once."""
    most = [
        _at_once(evidence.start[mine], evidence.end[mine])
        for p in who
        if (mine := rows & (evidence.resource == p)).any()
    ]
    several = sum(most)
    if several > len(who):
        evidence.unknown(
            f"pool {name}", f"{several} things at once under {len(who)} names: capacity taken as the most seen"
        )
    people = max(several, 1)
    together = _at_once(evidence.start[rows], evidence.end[rows])
    if together < people:
        evidence.seen(f"pool {name}", f"{people} units, at most {together} of them busy at once")
    return people


def _at_once(start: np.ndarray, end: np.ndarray) -> int:
    """Return how many are done at once, but for rare moments; 1 where only few rows overlap another."""
    if not len(start):
        return 1
    begins, ends = np.sort(start), np.sort(end)
    running = np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, "right")
    if np.mean(running > 1) < RARE:
        return 1
    return int(max(np.quantile(running, MANY), 1))


def _calendar(week: Week, hours: np.ndarray, at: np.ndarray, units: np.ndarray) -> Calendar:
    """Return shifts of the open hours (168,) with *units* (168,), edges moved to the quarter of an hour of the work seen."""
    if hours.mean() > 0.95 and np.ptp(units) == 0:
        return Calendar(tuple(Shift(day, 0, 1440, int(units[0])) for day in range(7)), week.zone)
    minute, hour = week.minute(at), week.of_week(at)
    shifts = []
    for since, until in _runs((hours * units).reshape(7, 24)):
        first, last = (_near(hours, hour, minute, edge) for edge in (since, until - 1))
        opens, closes = not (since % 24 and hours[since - 1]), not (until % 24 and hours[until])
        begin = int(first.min() // MINUTES * MINUTES) if opens and since % 24 and len(first) >= 10 else 0
        over = int(-(-(last.max() + 1) // MINUTES) * MINUTES) if closes and until % 24 and len(last) >= 10 else 60
        shifts.append(Shift(since // 24, since % 24 * 60 + begin, (until - 1) % 24 * 60 + over, int(units[since])))
    return Calendar(tuple(shifts), week.zone)


def _by_hour(week: Week, start: np.ndarray, end: np.ndarray, units: int) -> np.ndarray:
    """Return how many units there are in each hour of the week (168,) of a pool that is told by one name.

    Where it was at its most for three tenths of the time, that most is the capacity; elsewhere nothing tells, and the most seen
    at any time is taken.
    """
    edges = week.edges
    at = np.concatenate([start, end, edges])
    change = np.concatenate([np.ones(len(start)), -np.ones(len(end)), np.zeros(len(edges))])
    order = np.lexsort((change, at))
    moments, running = at[order], np.cumsum(change[order]).astype(np.int64)
    lasted = np.diff(moments, append=week.until)
    hour = week.hour[week.place(moments)] % (24 if week.short else WEEK_HOURS)
    most = np.zeros(WEEK_HOURS, np.int64)
    np.maximum.at(most, hour[lasted > 0], running[lasted > 0])
    full = np.bincount(hour, lasted * (running == most[hour]), minlength=WEEK_HOURS)
    known = (full >= FULL * np.bincount(hour, lasted, minlength=WEEK_HOURS)) & (most > 0)
    found = np.where(known, most, 0)
    found = np.tile(found[:24], 7) if week.short else found
    return np.where(found > 0, found, units)


def _near(hours: np.ndarray, hour: np.ndarray, minute: np.ndarray, edge: int) -> np.ndarray:
    """Return the minutes seen in the hour of the day of an edge, on all days that are open then."""
    days = [24 * day + edge % 24 for day in range(7) if hours[24 * day + edge % 24]]
    found: np.ndarray = minute[np.isin(hour, days)]
    return found


def _runs(table: np.ndarray) -> list[tuple[int, int]]:
    """Return stretches of hours with the same units within days, as hours of the week from and until."""
    found = []
    for day, row in enumerate(table):
        edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), 24]
        found += [(24 * day + a, 24 * day + b) for a, b in pairwise(edges) if row[a] > 0]
    return found


def _own(
    evidence: Evidence, week: Week, rows: np.ndarray, who: Sequence[int], hours: np.ndarray, pauses: bool
) -> list[Calendar]:
    """Return a calendar per person if the hours of some are surely not those of the pool."""
    from scipy.stats import chi2

    if len(who) < 2:
        return []
    found, apart = [], False
    total = np.zeros(168)
    counts = []
    for person in who:
        mine = rows & (evidence.resource == person)
        at = np.concatenate([evidence.start[mine], evidence.end[mine] - 1]) if pauses else evidence.start[mine]
        counts.append((week.counts(at), at, max(_at_once(evidence.start[mine], evidence.end[mine]), 1)))
        total += counts[-1][0]
    for table, at, units in counts:
        kinds = _coarse(table), _coarse(total)
        expected = kinds[1] * kinds[0].sum() / max(kinds[1].sum(), 1)
        used = expected >= 5
        off = float(np.sum((kinds[0] - expected)[used] ** 2 / expected[used]))
        differs = len(at) >= PART_TIME and used.sum() > 1 and chi2.sf(off, used.sum() - 1) < 1e-6
        mine_hours = open_hours(table) if differs else hours
        differs = bool(differs and np.mean(hours & ~mine_hours) > 0.15 * np.mean(hours))
        apart |= differs
        found.append(_calendar(week, mine_hours if differs else hours, at, np.full(WEEK_HOURS, units)))
    return found if apart else []


def _coarse(counts: np.ndarray) -> np.ndarray:
    """Return counts by hour of the day and then by day of the week (31,)."""
    table = counts.reshape(7, 24)
    return np.concatenate([table.sum(0), table.sum(1)])


def unseen(zone: str) -> Pool:
    """Return the pool of whoever serves where nobody is named."""
    calendar = Calendar(tuple(Shift(day, 0, 1440, PLENTY) for day in range(7)), zone)
    return Pool(UNSEEN, calendar)
