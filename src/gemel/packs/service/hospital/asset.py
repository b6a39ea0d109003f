"""The hospital itself, simulated: emergency and outpatient flow past a scanner that wears out.

Registration, triage, consultation, scan, report, discharge, as in the `eventdataR_patients` log. The scanner fails by a
hazard that rises with scans since maintenance (Weibull), and a service is planned for the middle of a working day. What can
be done: bring the maintenance to a quiet hour, call a technician, move appointments, tell patients, call in a doctor,
compensate. Draws belong to patients, machines and days: two runs of one seed differ by nothing but what was done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from gemel.dynamics import Event
from gemel.errors import unknown
from gemel.facts import DAY, HOUR, MINUTE, SECOND, Time
from gemel.packs.service.actions import Action
from gemel.packs.service.world import Desk, Faults, Outcome, Visit, Worker, World, drawn, lognormal

START: Time = 1_767_571_200_000
"""Monday 5 January 2026, 00:00."""

STEPS = {
    "register": "registration",
    "triage": "triage",
    "consult": "consultation",
    "scan": "scanner",
    "report": "reading",
}
STAFF = {"registration": 3, "triage": 3, "consultation": 9, "scanner": 2, "reading": 2}
"""People, or scanners, by day; a third of them, at least one, by night."""
MEDIAN = {"register": 240.0, "triage": 360.0, "consult": 1080.0, "scan": 1260.0, "report": 660.0}
WALK_IN = (
    1.6,
    1.2,
    1.0,
    0.9,
    0.9,
    1.2,
    2.0,
    3.4,
    5.0,
    6.6,
    7.2,
    7.0,
    6.4,
    6.0,
    5.8,
    5.8,
    6.0,
    6.4,
    6.4,
    5.8,
    4.8,
    3.8,
    2.8,
    2.0,
)
"""Patients an hour who come unannounced, by hour of the day."""
SLOTS = tuple(8.0 + 0.4 * k for k in range(20))
"""Hours of the day at which outpatients have an appointment for a scan."""
PROMISE = {"urgent": 3600.0, "walk-in": 4 * 3600.0, "outpatient": 2700.0}
"""From coming to the scan, or to the doctor for whom needs none; outpatients, from the appointment."""
WEAR_SCALE, WEAR_SHAPE = 380.0, 3.2
DUE = 300
"""Scans after which the maker asks for maintenance."""
GIVES = 20.0
"""Money for each who was let down."""
PLANNED_HOUR, MAINTAINS, BROKEN, CALLED = 10.5, 3.0, 7.0, 3.0
"""Hour of the day at which it is planned; hours that it takes, that a repair takes, and that takes with a technician called."""


@dataclass(eq=False)
class Scanner(Worker):
    """A scanner: scans since its maintenance, and the wear at which it will fail."""

    scans: int = 0
    lives: int = 0
    fails_at: float = math.inf
    planned: Time | None = None
    down: bool = False
    back: Time = 0


class Hospital:
    """A simulated patient flow; `act` changes what happens from then on, `until` lets time pass and returns the events."""

    def __init__(self, seed: int, *, start: Time = START, days: int = 30, faults: Faults | None = None) -> None:
        self.world = World(seed, start, Faults() if faults is None else faults)
        self.seed, self.start = seed, start
        self.outcomes: list[Outcome] = []
        self.actions: list[Action] = []
        self.failures = 0
        self.moved = 0
        self.given: set[str] = set()
        for activity, station in STEPS.items():
            Desk(self.world, station, self._lasts, partial(self._after, activity), self._begun)
        self.scanners = [
            Scanner(f"scanner-{k}", "scanner", scans=wear) for k, wear in enumerate((225, 60)[: STAFF["scanner"]])
        ]
        for scanner in self.scanners:
            self._renew(scanner, scanner.scans)
            self.world.desks["scanner"].enter(scanner)
        for day in range(days):
            self.world.at(start + day * DAY, partial(self._day, day))

    def until(self, time: Time) -> list[Event]:
        """Let the hospital work until then and return the events that have come in meanwhile."""
        self.world.run(time)
        return self.world.delivered(time)

    def act(self, action: Action) -> None:
        """Do something from now on; raise `BadInput` for what cannot be done here."""
        possible = {"maintain": self._maintain, "add": self._add, "tell": lambda action: None}
        possible |= {"reschedule": lambda action: None, "compensate": self._compensate}
        if action.kind not in possible:
            raise unknown("action in this hospital", action.kind, possible)
        self.actions.append(action)
        self.world.at(action.works, partial(possible[action.kind], action))

    def gauges(self) -> dict[str, float]:
        """Return what the hospital's own systems show: queues, who is there, each scanner's wear, whether
        it is up, and in how many hours its maintenance is planned (0: it is not)."""
        found = {}
        for name, desk in self.world.desks.items():
            queue = desk.queue()
            found[f"queue.{name}"] = float(len(queue))
            found[f"oldest.{name}"] = (self.world.now - min((v.since for v in queue), default=self.world.now)) / SECOND
            found[f"here.pool.{name}"] = float(len(desk.workers))
        for scanner in self.scanners:
            found[f"wear.{scanner.name}"] = float(scanner.scans)
            found[f"up.{scanner.name}"] = float(not scanner.down)
            ahead = 0 if scanner.planned is None or scanner.down else scanner.planned - self.world.now
            found[f"planned.{scanner.name}"] = max(ahead, 0) / HOUR
        return found

    def maintenance(self) -> dict[str, Time]:
        """Return when each scanner's maintenance is planned, where it is."""
        return {scanner.name: scanner.planned for scanner in self.scanners if scanner.planned is not None}

    def cost(self) -> float:
        """Return the money spent on what was done, repairs with it."""
        return sum(action.cost for action in self.actions) + 1800.0 * self.failures

    # who comes

    def _day(self, day: int) -> None:
        origin = self.start + day * DAY
        for number, hour in enumerate(self._walk_ins(day)):
            urgent = drawn(self.seed, f"w{day}-{number}", "urgent")[0] < 0.16
            kind = "urgent" if urgent else "walk-in"
            self.world.at(origin + hour * HOUR, partial(self._arrives, f"w{day}-{number}", kind))
        for number, hour in enumerate(SLOTS if day % 7 < 5 else ()):
            self._appointment(f"o{day}-{number}", origin + round(hour * HOUR))
        for station, count in STAFF.items():
            if station != "scanner":
                self._shifts(station, count, origin)

    def _walk_ins(self, day: int) -> Iterator[float]:
        busy = math.exp(0.25 * (drawn(self.seed, "ed", f"day {day}")[0] - 0.5)) * (1.12 if day % 7 == 0 else 1.0)
        at, step, most = 0.0, 0, max(WALK_IN) * busy
        while True:
            u, v = drawn(self.seed, "ed", f"arrival {day} {step}", 2)
            at, step = at - math.log(u) / most, step + 1
            if at >= 24:
                return
            if v * max(WALK_IN) < WALK_IN[int(at)]:
                yield at

    def _appointment(self, case: str, at: Time) -> None:
        """Let a patient come near her time, unless the appointment is moved before she sets out; some do not come."""
        u, v, w = drawn(self.seed, case, "appointment", 3)
        if u > 0.06:
            early = 10 * MINUTE * (0.5 + v) - 15 * MINUTE * (w > 0.9)
            self.world.at(at - HOUR, partial(self._sets_out, case, at, early))

    def _sets_out(self, case: str, at: Time, early: float) -> None:
        moves = [a for a in self.actions if a.kind == "reschedule" and a.works <= at < a.until]
        if any(drawn(self.seed, case, f"moved {action.at}")[0] < action.amount for action in moves):
            self.moved += 1
            later = at + round(moves[0].hold * SECOND)
            self.world.at(later - HOUR, partial(self._sets_out, f"{case}+", later, early))
            return
        self.world.at(at - early, partial(self._arrives, case, "outpatient"))

    def _shifts(self, station: str, count: int, origin: float) -> None:
        night = max(count // 3, 1)
        for number in range(count):
            worker = Worker(
                f"{station}-{number}", station, pace=0.9 + 0.2 * drawn(self.seed, f"{station}-{number}", "pace")[0]
            )
            first, last = (0.0, 24.0) if number < night else (7.5 + 0.5 * (number % 3), 19.5 + 0.75 * (number % 3))
            self.world.at(origin + first * HOUR, partial(self.world.desks[station].enter, worker))
            self.world.at(origin + last * HOUR - 1, partial(self.world.desks[station].leave, worker))

    # the way of a patient

    def _arrives(self, case: str, kind: str) -> None:
        self.outcomes.append(Outcome(case, kind, "hospital", self.world.now, PROMISE[kind]))
        self.world.tell(case, "arrived", customers=kind)
        self._to("register", case, kind, len(self.outcomes) - 1)

    def _to(self, activity: str, case: str, kind: str, place: int) -> None:
        urgency = {"urgent": 0.0, "outpatient": 1.0}.get(kind, 2.0)
        visit = Visit(case, kind, activity, self.world.now, urgency, about={"outcome": place})
        self.world.desks[STEPS[activity]].join(visit)

    def _lasts(self, visit: Visit, worker: Worker) -> float:
        u, v, w = drawn(self.seed, visit.case, visit.activity, 3)
        crowd = 1 + 0.01 * min(len(self.world.desks["consultation"].waiting), 15)
        longer = 1.7 if visit.activity == "consult" and w < 0.12 else 1.0
        return lognormal(u, v, MEDIAN[visit.activity], 0.42) * crowd * longer

    def _begun(self, visit: Visit, worker: Worker) -> None:
        outcome = self.outcomes[int(visit.about["outcome"])]
        if visit.activity in ("consult", "scan"):
            outcome.waited = (self.world.now - outcome.at) / SECOND

    def _after(self, activity: str, visit: Visit, worker: Worker) -> None:
        follows = self._next(activity, visit)
        if activity == "scan" and isinstance(worker, Scanner):
            self._wears(worker)
        if follows:
            self._to(follows, visit.case, visit.kind, int(visit.about["outcome"]))
        else:
            self._leaves(visit)

    def _next(self, activity: str, visit: Visit) -> str:
        if activity == "register":
            return "scan" if visit.kind == "outpatient" else "triage"
        if activity == "consult":
            share = {"urgent": 0.5, "walk-in": 0.22}[visit.kind]
            return "scan" if drawn(self.seed, visit.case, "needs a scan")[0] < share else ""
        return {"triage": "consult", "scan": "report"}.get(activity, "")

    def _leaves(self, visit: Visit) -> None:
        outcome = self.outcomes[int(visit.about["outcome"])]
        told = [a for a in self.actions if a.kind == "tell" and a.works <= outcome.at < a.until]
        outcome.told = told[-1].amount if told else math.nan
        outcome.solved, u = True, drawn(self.seed, visit.case, "felt", 2)
        word = 0.0 if not told else 0.9 if outcome.waited <= 1.1 * outcome.told else -1.0
        felt = 8.8 - 3.0 * math.log1p(outcome.waited / outcome.promise) + word + (visit.case in self.given)
        outcome.score = float(min(max(round(felt + 2.5 * (u[0] - u[1])), 1), 10))
        self.world.tell(visit.case, "left")

    # the scanner

    def _renew(self, scanner: Scanner, worn: int = 0) -> None:
        """Draw when the machine will fail, given that it lasted until now; plan its maintenance anew."""
        scanner.lives += 1
        scanner.scans, scanner.planned = worn, None
        u = drawn(self.seed, scanner.name, f"life {scanner.lives}")[0]
        scanner.fails_at = WEAR_SCALE * ((worn / WEAR_SCALE) ** WEAR_SHAPE - math.log(u)) ** (1 / WEAR_SHAPE)

    def _wears(self, scanner: Scanner) -> None:
        scanner.scans += 1
        if scanner.scans >= scanner.fails_at and not scanner.down:
            self.failures += 1
            self._down(scanner, BROKEN, "failed")
        elif scanner.scans >= DUE - 60 and scanner.planned is None:
            day = (self.world.now - self.start) // DAY + 2
            scanner.planned = self.start + day * DAY + round(PLANNED_HOUR * HOUR)
            self.world.at(scanner.planned, partial(self._planned, scanner, scanner.lives))
            self.world.tell("", "noted", resource=scanner.name, planned=float(scanner.planned))

    def _planned(self, scanner: Scanner, life: int) -> None:
        if scanner.lives == life and not scanner.down:
            self._down(scanner, MAINTAINS, "maintained")

    def _maintain(self, action: Action) -> None:
        """Maintain the most worn scanner of those that run."""
        running = [scanner for scanner in self.scanners if not scanner.down]
        if running:
            self._down(max(running, key=lambda scanner: scanner.scans), MAINTAINS, "maintained")

    def _down(self, scanner: Scanner, hours: float, why: str) -> None:
        spread = 0.7 + 0.6 * drawn(self.seed, scanner.name, f"down {scanner.lives}")[0]
        scanner.down, scanner.back = True, self.world.now + round(hours * spread * HOUR)
        self.world.desks["scanner"].leave(scanner)
        self.world.tell("", "down", resource=scanner.name, pool="scanner", why=why)
        self.world.at(scanner.back, partial(self._up, scanner, scanner.back))

    def _up(self, scanner: Scanner, due: Time) -> None:
        if scanner.down and scanner.back == due:
            scanner.down = False
            self._renew(scanner)
            self.world.tell("", "up", resource=scanner.name, pool="scanner")
            self.world.desks["scanner"].enter(scanner)

    def _add(self, action: Action) -> None:
        """Call in a technician for what is broken, or staff for a station."""
        if action.target == "technicians":
            for scanner in (s for s in self.scanners if s.down):
                scanner.back = min(scanner.back, self.world.now + round(CALLED * HOUR))
                self.world.at(scanner.back, partial(self._up, scanner, scanner.back))
            return
        for number in range(round(action.amount)):
            worker = Worker(f"{action.target}-called-{number}", action.target, pace=1.05)
            self.world.desks[action.target].enter(worker)
            self.world.at(action.until, partial(self.world.desks[action.target].leave, worker))

    def _compensate(self, action: Action) -> None:
        """Give something to who of a class is here and was let down: those named, or as many as the money was for."""
        inside = [o for o in self.outcomes if o.customers == action.target and math.isnan(o.score)]
        waits = [o for o in inside if o.waited > o.promise or math.isnan(o.waited)]
        named = [o for o in waits if o.case in action.whom] or waits[: round(action.amount * action.counts / GIVES)]
        self.given.update(o.case for o in named)
