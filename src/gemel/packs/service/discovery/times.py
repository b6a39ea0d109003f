"""Times: how long the work lasts, what was outside delay rather than waiting for staff, what was done in batches.

A case could go on at `ready`. Until it queues (where the log tells that) or until staff could have begun it (where not),
something outside the service held it: a `Delay`. That is the idea of extraneous delays of Chapela-Campa & Dumas
(10.1016/j.is.2023.102324), here with what is censored: a delay that ended while nobody was free is only known to have
outlasted the last moment at which somebody was, and not to be longer than the wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gemel.facts import SECOND
from gemel.packs.service.discovery.batches import Batches
from gemel.packs.service.discovery.evidence import UNSEEN, Evidence
from gemel.packs.service.discovery.fitting import censored, fitted, within
from gemel.packs.service.discovery.flow import Ready
from gemel.packs.service.discovery.staff import Staff
from gemel.process.duration import Duration, fixed
from gemel.process.network import ANY, Batch, Station, Team

HELD, LEAST, BLINK = 0.02, 1.0, 5 * SECOND
"""Share of rows that must be held, and mean seconds, for a delay to be one; ms that a handover may take."""

PAIRS = 30
"""Pairs that waited together, to tell the order."""

OWN, SURE = 40, 1e-5
"""Rows after one step, and how surely their delays must differ, for a delay of their own."""

PREFERRED = 0.8


@dataclass(frozen=True)
class Timing:
    """Stations by activity, delays by what they stand before and after, and the sd of the log of mean service.

    A delay has the key (activity, step before it); `ANY` stands for all steps that have no delay of their own.
    """

    stations: Mapping[str, Station]
    delays: Mapping[tuple[str, str], Duration]
    sd: Mapping[str, float]


def timing_of(evidence: Evidence, staff: Staff, ready: Ready, batches: Batches, rng: np.random.Generator) -> Timing:
    """Return stations and delays, given when the flow let each row begin (n,) ms."""
    skilled = staff.skilled(evidence)
    work = _work(evidence, staff)
    free = [_Free.of(evidence, staff, pool, batches.leading) for pool in range(len(staff.pools))]
    stations: dict[str, Station] = {}
    delays: dict[tuple[str, str], Duration] = {}
    sd: dict[str, float] = {}
    could = ready.since
    for code, name in enumerate(evidence.names):
        rows = np.flatnonzero(evidence.activity == code)
        if not len(rows):
            continue
        done = rows[~evidence.gave_up[rows]]
        batch = batches.by_activity.get(name)
        speeds = _speeds(staff, work, done, skilled.get(code, ()))
        seconds = work[done] * np.array([*speeds.values(), 1.0])[_place(staff.pool[done], speeds)]
        held = _held(evidence, staff, name, rows, could, free, skilled.get(code, ()), batch)
        if held is not None:
            delays |= {(name, step): fitted(seconds, rng) for step, seconds in held.by_step(ready.after).items()}
        service = fitted(seconds, rng) if len(done) else fixed(0.0)
        stations[name] = _station(evidence, staff, name, rows, could, service, speeds, batch)
        sd[name] = (
            float(min(seconds.std() / max(seconds.mean(), 1e-9) / np.sqrt(len(done)), 1.0)) if len(done) > 1 else 1.0
        )
    return Timing(stations, delays, sd)


def _place(pools: np.ndarray, speeds: Mapping[int, float]) -> np.ndarray:
    """Return for each row the place of its pool's speed, the last where it has none."""
    places = {pool: place for place, pool in enumerate(speeds)}
    found: np.ndarray = np.array([places.get(int(pool), len(speeds)) for pool in pools], np.int64)
    return found


def _work(evidence: Evidence, staff: Staff) -> np.ndarray:
    """Return the seconds of work of each row (n,): while its pool is there, if the pool's work pauses otherwise."""
    found: np.ndarray = (evidence.end - evidence.start) / 1000.0
    for place, (pool, open_time) in enumerate(zip(staff.pools, staff.open_time, strict=True)):
        if pool.pauses:
            rows = staff.pool == place
            found[rows] = (open_time.passed(evidence.end[rows]) - open_time.passed(evidence.start[rows])) / 1000.0
    return found


def _speeds(staff: Staff, work: np.ndarray, rows: np.ndarray, pools: tuple[int, ...]) -> dict[int, float]:
    """Return how fast each pool works at an activity, against all, where the difference is beyond chance."""
    found = dict.fromkeys(pools, 1.0)
    if len(pools) < 2 or work[rows].mean() <= 0:
        return found
    for pool in pools:
        mine = work[rows[staff.pool[rows] == pool]]
        ratio = mine.mean() / work[rows].mean()
        if (
            len(mine) >= 20
            and abs(ratio - 1) > 3 * mine.std() / max(mine.mean(), 1e-9) / np.sqrt(len(mine))
            and ratio > 0
        ):
            found[pool] = float(1 / ratio)
    return found


def _station(
    evidence: Evidence, staff: Staff, name: str, rows: np.ndarray, ready: np.ndarray, service: Duration,
    speeds: Mapping[int, float], batch: Batch | None,
) -> Station:  # fmt: skip
    teams = tuple(Team(staff.pools[pool].name, speed=speed) for pool, speed in speeds.items())
    shares = np.bincount(staff.pool[rows][staff.pool[rows] >= 0], minlength=1) if len(staff.pools) else np.zeros(1)
    patience = _patience(evidence, name, rows, ready)
    return Station(
        name, {ANY: service}, teams or (Team(UNSEEN),), _discipline(evidence, name, rows),
        {} if patience is None else {ANY: patience}, batch=batch,
        choose="order" if shares.max() >= PREFERRED * max(shares.sum(), 1) else "random",
    )  # fmt: skip


def waiting_since(evidence: Evidence, ready: np.ndarray) -> np.ndarray:
    """Return since when each row waited (n,) ms, as far as the log tells."""
    return _since(evidence, np.arange(len(ready)), ready)


def _since(evidence: Evidence, rows: np.ndarray, ready: np.ndarray) -> np.ndarray:
    """Return since when rows waited (m,) ms, as far as the log tells."""
    told = np.where(ready[rows] >= 0, np.minimum(ready[rows], evidence.start[rows]), evidence.start[rows])
    found: np.ndarray = np.where(evidence.told[rows], evidence.begin[rows], told)
    return found


def _patience(evidence: Evidence, name: str, rows: np.ndarray, ready: np.ndarray) -> Duration | None:
    gone = evidence.gave_up[rows]
    if not gone.any():
        return None
    waits = (evidence.start[rows] - _since(evidence, rows, ready)) / 1000.0
    found = censored(waits, gone)
    if found is None:
        evidence.unknown(f"patience at {name}", f"only {int(gone.sum())} gave up: nobody is taken to")
    return found


def _discipline(evidence: Evidence, name: str, rows: np.ndarray) -> str:
    """Return the order in which those who waited together were served: in order, the last first, or neither."""
    waited = rows[evidence.told[rows] & ~evidence.gave_up[rows]]
    if len(waited) < PAIRS:
        return "fifo"
    waited = waited[np.argsort(evidence.start[waited], kind="stable")]
    queued, start = evidence.queued[waited], evidence.start[waited]
    both = (queued[1:] < start[:-1]) & (queued[1:] != queued[:-1]) & (start[1:] > start[:-1])
    if both.sum() < PAIRS:
        return "fifo"
    passed = float(np.mean(queued[1:][both] < queued[:-1][both]))
    if passed < 0.2:
        return "fifo"
    evidence.unknown(
        f"order at {name}", f"{passed:.0%} of neighbours in the queue were served out of order: no rule was sought"
    )
    return "lifo" if passed > 0.8 else "random"


@dataclass(frozen=True)
class _Free:
    """When a pool had somebody free: from and until (n,) ms, in order, apart by more than a handover."""

    since: np.ndarray
    until: np.ndarray

    @staticmethod
    def of(evidence: Evidence, staff: Staff, pool: int, leading: np.ndarray) -> _Free:
        rows = (staff.pool == pool) & ~evidence.gave_up & (evidence.end > evidence.start) & leading
        start, end = evidence.start[rows], evidence.end[rows]
        open_time = staff.open_time[pool]
        at = np.concatenate([start, end, open_time.edges])
        change = np.concatenate([
            -np.ones(len(start)), np.ones(len(end)), np.diff(open_time.counts, prepend=0),
        ])  # fmt: skip
        order = np.argsort(at, kind="stable")
        edges, free = at[order], np.cumsum(change[order])
        lengths = np.diff(edges, append=edges[-1] + BLINK + 1)
        lasting = (lengths > 0) & (free > 0)
        since, until = edges[lasting], (edges + lengths)[lasting]
        joined = np.concatenate([[True], since[1:] > until[:-1]]) if len(since) else np.zeros(0, bool)
        since, until = since[joined], until[np.concatenate([joined[1:], [True]])] if len(until) else until
        long_ = until - since > BLINK
        return _Free(since[long_], until[long_])

    def at(self, moments: np.ndarray) -> np.ndarray:
        """Return whether somebody was free (m,) bool."""
        if not len(self.since):
            return np.zeros(len(moments), bool)
        place = np.searchsorted(self.since, moments, "right") - 1
        found: np.ndarray = (place >= 0) & (moments < self.until[np.maximum(place, 0)])
        return found

    def last(self, moments: np.ndarray) -> np.ndarray:
        """Return the last moment before *moments* (m,) at which somebody was free, or one long before all."""
        place = np.searchsorted(self.since, moments, "right") - 1
        if not len(self.since):
            return np.full(len(moments), -(1 << 60))
        return np.where(place >= 0, np.minimum(self.until[np.maximum(place, 0)], moments), -(1 << 60))


@dataclass(frozen=True)
class _Held:
    """Rows (m,), and the seconds for which something outside held each, at least and at most."""

    rows: np.ndarray
    least: np.ndarray
    most: np.ndarray

    def by_step(self, after: np.ndarray) -> dict[str, np.ndarray]:
        """Return samples of the delay after each step from which it surely differs, and after all others (`ANY`)."""
        steps = after[self.rows]
        own = {step for step in set(steps.tolist()) if step and self._differs(steps == step)}
        rest = ~np.isin(steps, list(own))
        groups = {step: steps == step for step in sorted(own)} | ({ANY: rest} if rest.any() else {})
        return {step: within(self.least[mine], self.most[mine]) for step, mine in groups.items()}

    def _differs(self, mine: np.ndarray) -> bool:
        from scipy.stats import ks_2samp

        if min(mine.sum(), (~mine).sum()) < OWN:
            return False
        return bool(ks_2samp(self.most[mine], self.most[~mine]).pvalue < SURE)


def _held(
    evidence: Evidence, staff: Staff, name: str, rows: np.ndarray, ready: np.ndarray, free: list[_Free],
    pools: tuple[int, ...], batch: Batch | None,
) -> _Held | None:  # fmt: skip
    """Return for how long something outside held an activity, None where nothing did."""
    rows = rows[(ready[rows] >= 0) & (~evidence.gave_up[rows] | evidence.told[rows])]
    gap = np.maximum((evidence.begin[rows] - ready[rows]) / 1000.0, 0.0)
    untold = ~evidence.told[rows]
    if not len(rows) or not untold.any() or not evidence.timed or not pools:
        some = len(rows) and np.mean(gap > LEAST) >= HELD and gap.mean() > LEAST
        return _Held(rows, gap, gap) if some else None
    if batch is not None:
        return None
    before = evidence.start[rows] - BLINK // 2
    exact = np.any([free[pool].at(before) for pool in pools], axis=0) | (gap * 1000 <= BLINK) | ~untold
    held = exact & (gap * 1000 > 2 * BLINK)
    if held.mean() < HELD:
        return None
    evidence.seen(
        f"before {name}", f"{held.mean():.0%} begin later than somebody was free: a delay outside the service"
    )
    last = np.max([free[pool].last(before) for pool in pools], axis=0)
    least = np.clip((last - ready[rows]) / 1000.0, 0.0, gap)
    return _Held(rows, np.where(exact, gap, least), gap)
