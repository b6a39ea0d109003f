"""World: what the simulated assets share: a clock, people who serve, draws that belong to a customer, events that get lost.

Nothing here is known to a twin: it sees `delivered` events and the gauges, as it would of a real service.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gemel.dynamics import Event
from gemel.facts import SECOND, Time


def drawn(seed: int, who: str, purpose: str, count: int = 1) -> list[float]:
    """Return up to sixteen uniform numbers that depend on nothing but this key."""
    digest = hashlib.blake2b(f"{seed} {who} {purpose}".encode()).digest()
    return [(word + 0.5) / 2**32 for word in struct.unpack(f"<{count}I", digest[: 4 * count])]


def lognormal(u: float, v: float, median: float, sigma: float) -> float:
    """Return a lognormal number from two uniform ones (Box and Muller)."""
    return median * math.exp(sigma * math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v))


@dataclass(frozen=True)
class Faults:
    """How events go astray: shares lost and told twice, the share that is late, and by how many seconds on average."""

    lost: float = 0.003
    twice: float = 0.003
    late: float = 0.02
    delay: float = 40.0


PERFECT = Faults(0.0, 0.0, 0.0)


class World:
    """A clock with things to come, and the events that were told of it."""

    def __init__(self, seed: int, start: Time, faults: Faults) -> None:
        self.seed, self.now, self.faults = seed, start, faults
        self._ahead: list[tuple[float, int, Callable[[], None]]] = []
        self._turn = 0
        self._told: list[tuple[float, int, Event]] = []
        self.desks: dict[str, Desk] = {}

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do *act* at *when* (ms)."""
        self._turn += 1
        heapq.heappush(self._ahead, (max(when, float(self.now)), self._turn, act))

    def run(self, until: Time) -> None:
        """Do all that comes until then."""
        while self._ahead and self._ahead[0][0] <= until:
            when, _, act = heapq.heappop(self._ahead)
            self.now = math.ceil(when)
            act()
        self.now = until

    def tell(self, case: str, phase: str, activity: str = "", resource: str = "", **said: str | float) -> None:
        """Tell of something that happens now, with the faults that such news has."""
        event, turn = Event(case, phase, self.now, activity, resource, said), self._turn
        for late in self._astray(f"{case}{resource}{phase}{activity}{self.now}"):
            turn += 1
            heapq.heappush(self._told, (self.now + late * SECOND, turn, event))
        self._turn = turn

    def _astray(self, key: str) -> Sequence[float]:
        """Return by how many seconds each copy of an event is late: no copy if it is lost."""
        faults, u = self.faults, zlib.crc32(key.encode(), self.seed & 0xFFFF) / 2**32
        if u >= faults.lost + faults.twice + faults.late:
            return (0.0,)
        if u < faults.lost:
            return ()
        later = -math.log(drawn(self.seed, key, "late")[0]) * faults.delay
        return (0.0, later) if u < faults.lost + faults.twice else (later,)

    def delivered(self, until: Time) -> list[Event]:
        """Return the events that have come in by then and were not returned before."""
        found = []
        while self._told and self._told[0][0] <= until:
            found.append(heapq.heappop(self._told)[2])
        return found


@dataclass(eq=False)
class Visit:
    """A customer at a desk: what is done for her, since when she waits, until when she will."""

    case: str
    kind: str
    activity: str
    since: float
    urgency: float = 0.0
    gives_up: float = math.inf
    over: bool = False
    about: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class Worker:
    """A person or a machine at a desk; `here` says on duty, `busy` serving."""

    name: str
    home: str
    desk: str = ""
    here: bool = False
    busy: bool = False
    since: float = 0.0
    pace: float = 1.0
    begun: float = 0.0
    """When the shift, or the last rest, was over: what fatigue is counted from."""


class Desk:
    """Where customers wait and workers serve them, the most urgent first and then in order."""

    def __init__(
        self, world: World, name: str,
        lasts: Callable[[Visit, Worker], float],
        done: Callable[[Visit, Worker], None],
        begun: Callable[[Visit, Worker], None] = lambda visit, worker: None,
        gone: Callable[[Visit], None] = lambda visit: None,
    ) -> None:  # fmt: skip
        self.world, self.name, self.lasts, self.done, self.begun, self.gone = world, name, lasts, done, begun, gone
        self.workers: list[Worker] = []
        self.waiting: list[tuple[float, float, int, Visit]] = []
        self._turn = 0
        world.desks[name] = self

    def join(self, visit: Visit) -> None:
        """Let a customer wait here, if nobody is free."""
        self.world.tell(visit.case, "queued", visit.activity)
        self._turn += 1
        heapq.heappush(self.waiting, (visit.urgency, visit.since, self._turn, visit))
        if math.isfinite(visit.gives_up):
            self.world.at(visit.gives_up, lambda: self._give_up(visit))
        self.serve()

    def free(self) -> list[Worker]:
        """Return who could serve now, the longest idle first."""
        return sorted((w for w in self.workers if w.here and not w.busy), key=lambda w: (w.since, w.name))

    def serve(self) -> None:
        """Begin what can begin."""
        free = self.free() if self.waiting else []
        while self.waiting and free:
            visit = heapq.heappop(self.waiting)[3]
            if not visit.over:
                self._begin(visit, free.pop(0))

    def queue(self) -> list[Visit]:
        """Return who waits, in the order of service."""
        return [entry[3] for entry in sorted(self.waiting, key=lambda e: e[:3]) if not entry[3].over]

    def enter(self, worker: Worker) -> None:
        """Let a worker serve here."""
        if worker not in self.workers:
            self.workers.append(worker)
        worker.desk, worker.here, worker.since = self.name, True, self.world.now
        self.serve()

    def leave(self, worker: Worker) -> None:
        """Let a worker go, when what is being done is finished."""
        worker.here = False
        if worker in self.workers:
            self.workers.remove(worker)

    def lend(self, worker: Worker, desk: str) -> None:
        """Let a worker go on at another desk, when what is being done is finished."""
        self.leave(worker)
        self.world.desks[desk].enter(worker)

    def _begin(self, visit: Visit, worker: Worker) -> None:
        visit.over, worker.busy = True, True
        self.world.tell(visit.case, "started", visit.activity, worker.name)
        self.begun(visit, worker)
        self.world.at(
            self.world.now + self.lasts(visit, worker) * SECOND * worker.pace, lambda: self._end(visit, worker)
        )

    def _end(self, visit: Visit, worker: Worker) -> None:
        self.world.tell(visit.case, "completed", visit.activity, worker.name)
        worker.busy, worker.since = False, self.world.now
        self.done(visit, worker)
        self.world.desks[worker.desk].serve()

    def _give_up(self, visit: Visit) -> None:
        if not visit.over:
            visit.over = True
            self.world.tell(visit.case, "abandoned", visit.activity)
            self.gone(visit)


@dataclass
class Outcome:
    """The truth of one customer: how long she waited against what was promised, and what she said of it."""

    case: str
    customers: str
    site: str
    at: float
    promise: float
    waited: float = math.nan
    """Seconds, until served or given up."""
    abandoned: bool = False
    called_back: bool = False
    told: float = math.nan
    solved: bool = False
    score: float = math.nan
    """1 to 10, of those who answered the survey."""
    again: bool = False

    @property
    def breach(self) -> bool:
        """Return whether she waited longer than promised; who was called back, longer than said then."""
        return bool(self.waited > self.promise)


Gauges = Mapping[str, float]
