"""Office: a service in plain Python, as an asset that owes nothing to the engine; what it does is told as a log.

Mortgages: a clerk takes the application; credit and property are checked at once, by analysts and by appraisers; one in
eight goes back to the clerk; the customer thinks for a day or so; an officer decides, and clerks tell. Mondays to Fridays
from 8 to 17 in Berlin; who has begun finishes. The log names who did what from when to when, not when it was queued.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gemel.packs.service.log import MISSING, Log, Names

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2025, 1, 6, tzinfo=ZONE)
HOUR = 3600.0
BY_HOUR = (0.06, 0.12, 0.16, 0.14, 0.08, 0.12, 0.14, 0.12, 0.06)


@dataclass(frozen=True)
class Office:
    """How an office is: staff by pool, how many come a day by weekday, shares sent back and rejected, hours customers think.

    `tasks` has pool, kind, mean seconds and shape of each task.
    """

    tasks: Mapping[str, tuple[str, str, float, float]]
    staff: Mapping[str, int]
    per_day: tuple[float, float, float, float, float] = (36, 30, 30, 28, 22)
    rework: float = 0.125
    rejected: float = 0.3
    thinks: float = 26.0


MORTGAGES = Office(
    {
        "take": ("clerk", "lognormal", 1500.0, 0.6),
        "credit": ("analyst", "gamma", 2800.0, 2.5),
        "appraise": ("appraiser", "uniform", 5000.0, 0.0),
        "decide": ("officer", "gamma", 1500.0, 4.0),
        "reject": ("clerk", "uniform", 600.0, 0.0),
        "offer": ("clerk", "lognormal", 900.0, 0.4),
    },
    {"clerk": 9, "analyst": 9, "appraiser": 15, "officer": 6},
)


def another(seed: int) -> Office:
    """Return an office of other times, kinds, shares, customers and staff; each pool is busy 25 % to 36 % of its hours."""
    draw = random.Random(f"office {seed}")
    kinds = (("lognormal", 0.3, 0.9), ("gamma", 1.0, 5.0), ("uniform", 0.0, 0.0))
    tasks = {}
    for task, (pool, _, mean, _) in MORTGAGES.tasks.items():
        kind, low, high = draw.choice(kinds)
        tasks[task] = (pool, kind, mean * draw.uniform(0.6, 1.6), draw.uniform(low, high))
    days = [size * draw.uniform(0.6, 1.4) for size in MORTGAGES.per_day]
    rework, rejected = draw.uniform(0.05, 0.3), draw.uniform(0.15, 0.5)
    visits = dict.fromkeys(("take", "credit", "appraise"), 1 / (1 - rework))
    visits |= {"decide": 1.0, "reject": rejected, "offer": 1 - rejected}
    hours = dict.fromkeys(MORTGAGES.staff, 0.0)
    for task, (pool, _, mean, _) in tasks.items():
        hours[pool] += sum(days) * visits[task] * mean / HOUR
    staff = {pool: max(round(work / 45 / draw.uniform(0.25, 0.36)), 3) for pool, work in hours.items()}
    return Office(tasks, staff, (days[0], days[1], days[2], days[3], days[4]), rework, rejected, draw.uniform(10, 40))


@dataclass
class Asset:
    """One run: how long it lasts, how many times as many come, what share of the staff is there."""

    weeks: int
    seed: int
    arrivals: float = 1.0
    staff: float = 1.0
    office: Office = MORTGAGES
    rows: list[tuple[int, str, str, float, float]] = field(default_factory=list)
    left: dict[int, float] = field(default_factory=dict)
    came: dict[int, float] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.heap: list[tuple[float, int, str, tuple[object, ...]]] = []
        self.count = 0
        self.free = {
            pool: [f"{pool} {i + 1}" for i in range(round(n * self.staff))] for pool, n in self.office.staff.items()
        }
        self.queues: dict[str, deque[tuple[float, int, str]]] = {pool: deque() for pool in self.office.staff}
        self.checks: dict[int, int] = {}
        self._run()

    def _at(self, when: float, what: str, *about: object) -> None:
        self.count += 1
        heapq.heappush(self.heap, (when, self.count, what, about))

    def _run(self) -> None:
        case = 0
        self.shut: list[tuple[float, float]] = []
        for opens, closes, weekday in self._days(self.weeks + 12):
            self.shut.append((opens, closes))
            self._at(opens, "open")
            if opens < self.weeks * 168 * HOUR:
                for when in self._arrivals(opens, weekday):
                    self.came[case] = when
                    self._at(when, "queue", case, "take")
                    case += 1
        while self.heap:
            now, _, what, about = heapq.heappop(self.heap)
            getattr(self, f"_{what}")(now, *about)

    def _days(self, weeks: int) -> Iterator[tuple[float, float, int]]:
        for day in range(7 * weeks):
            date = START + timedelta(days=day)
            if date.weekday() < 5:
                opens, closes = (date.replace(hour=h).timestamp() - START.timestamp() for h in (8, 17))
                yield opens, closes, date.weekday()

    def _arrivals(self, opens: float, weekday: int) -> list[float]:
        found = []
        for hour, part in enumerate(BY_HOUR):
            clock, rate = 0.0, self.arrivals * self.office.per_day[weekday] * part / HOUR
            while (clock := clock + self.random.expovariate(rate)) < HOUR:
                found.append(opens + hour * HOUR + clock)
        return found

    def _is_open(self, now: float) -> bool:
        while self.shut and self.shut[0][1] <= now:
            self.shut.pop(0)
        return bool(self.shut) and self.shut[0][0] <= now

    def _open(self, now: float) -> None:
        for pool in self.office.staff:
            self._serve(now, pool)

    def _queue(self, now: float, case: int, task: str) -> None:
        pool = self.office.tasks[task][0]
        self.queues[pool].append((now, case, task))
        self._serve(now, pool)

    def _serve(self, now: float, pool: str) -> None:
        while self.queues[pool] and self.free[pool] and self._is_open(now):
            since, case, task = self.queues[pool].popleft()
            who = self.free[pool].pop(self.random.randrange(len(self.free[pool])))
            end = now + self._lasts(task)
            self.waited.append(now - since)
            self.rows.append((case, task, who, now, end))
            self._at(end, "done", case, task, pool, who)

    def _lasts(self, task: str) -> float:
        _, kind, mean, shape = self.office.tasks[task]
        if kind == "lognormal":
            return self.random.lognormvariate(np.log(mean) - shape**2 / 2, shape)
        if kind == "gamma":
            return self.random.gammavariate(shape, mean / shape)
        return mean * (0.7 + 0.6 * self.random.random())

    def _done(self, now: float, case: int, task: str, pool: str, who: str) -> None:
        self.free[pool].append(who)
        self._serve(now, pool)
        self._next(now, case, task)

    def _next(self, now: float, case: int, task: str) -> None:
        if task == "take":
            self.checks[case] = 2
            self._at(now, "queue", case, "credit")
            self._at(now, "queue", case, "appraise")
        elif task in ("credit", "appraise"):
            self.checks[case] -= 1
            if not self.checks[case]:
                back = self.random.random() < self.office.rework
                self._at(
                    now + (0 if back else self.random.expovariate(1 / (self.office.thinks * HOUR))),
                    "queue",
                    case,
                    "take" if back else "decide",
                )
        elif task == "decide":
            self._at(now, "queue", case, "reject" if self.random.random() < self.office.rejected else "offer")
        else:
            self.left[case] = now

    def cycles(self) -> np.ndarray:
        """Return the hours from coming to leaving of each case."""
        return np.array([self.left[case] - came for case, came in self.came.items()]) / HOUR

    def log(self) -> Log:
        """Return what was done."""
        rows = sorted(self.rows, key=lambda row: (self.came[row[0]], row[3], row[4]))
        origin = round(START.timestamp() * 1000)
        start, end = (np.array([origin + round(1000 * row[k]) for row in rows]) for k in (3, 4))
        names = (_names([str(row[k]) for row in rows]) for k in range(3))
        return Log(*names, np.full(len(rows), MISSING), start, end, np.zeros(len(rows), bool))


def _names(words: list[str]) -> Names:
    codes: dict[str, int] = {}
    return Names(np.array([codes.setdefault(word, len(codes)) for word in words], np.int32), tuple(codes))
