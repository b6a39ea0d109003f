"""The contact centre itself, simulated: two sites, people who tire, customers who call again, storms and slow drift.

It stands in for the real one in demos and benchmarks. Its laws (mixtures, fatigue, redials, bursts, absences) are not those
of the twin, and the twin sees only `until(time)`'s events and `gauges()`. Draws belong to customers, people and days, so
that two runs of one seed differ by nothing but what was done to them. The flow follows the `teleclaims` log: a call, taken
at one of two sites, then a claim is assessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gemel.dynamics import Event
from gemel.errors import unknown
from gemel.facts import DAY, HOUR, MINUTE, SECOND, Time
from gemel.packs.service.actions import Action
from gemel.packs.service.world import Desk, Faults, Outcome, Visit, Worker, World, drawn, lognormal

SITES = ("brisbane", "sydney")
START: Time = 1_767_571_200_000
"""Monday 5 January 2026, 00:00."""
OPENS, CLOSES = 8, 20


@dataclass(frozen=True)
class Caller:
    """A class of callers: calls per weekday and site, promised wait, handling, patience, chance that one call does it."""

    per_day: float
    promise: float
    handling: float
    patience: float
    solved: float
    urgency: float = 0.0


CALLERS = {
    "claim": Caller(300.0, 180.0, 330.0, 480.0, 0.82),
    "status": Caller(210.0, 300.0, 165.0, 360.0, 0.88),
    "vulnerable": Caller(45.0, 60.0, 450.0, 900.0, 0.80, -1.0),
}
HOURLY = (0.07, 0.095, 0.115, 0.11, 0.09, 0.085, 0.095, 0.10, 0.085, 0.065, 0.05, 0.04)
WEEKDAY = (1.15, 1.0, 0.97, 1.0, 0.98, 0.62, 0.5)
SHIFTS = ((8, 16, 8), (10, 18, 4), (12, 20, 5))
"""From, to (hours), people at each site."""
STANDBY = 3
HANDLERS = 14
CALLED_BACK_WITHIN = 3600.0
GIVES = 15.0
"""Money for each who was let down."""
PAY = 32.0
"""Money per hour."""


class Centre:
    """A simulated contact centre; `act` changes what happens from then on, `until` lets time pass and returns the events."""

    def __init__(self, seed: int, *, start: Time = START, days: int = 100, faults: Faults | None = None) -> None:
        self.world = World(seed, start, Faults() if faults is None else faults)
        self.seed, self.start = seed, start
        self.outcomes: list[Outcome] = []
        self.actions: list[Action] = []
        self.hours = {"agents": 0.0, "stand-by": 0.0}
        self.called_in: dict[str, list[Worker]] = {site: [] for site in SITES}
        self.given: set[str] = set()
        self._tired = dict.fromkeys(SITES, 0.0)
        for site in SITES:
            Desk(self.world, f"phone.{site}", self._lasts, self._answered, self._begun, self._gave_up)
        Desk(self.world, "assessment", self._assessing, self._assessed)
        for day in range(days):
            self.world.at(start + day * DAY, partial(self._day, day))

    def until(self, time: Time) -> list[Event]:
        """Let the centre work until then and return the events that have come in meanwhile: most, in about their order."""
        self.world.run(time)
        return self.world.delivered(time)

    def act(self, action: Action) -> None:
        """Do something from now on; raise `BadInput` for what cannot be done here."""
        possible = {"add": self._call_in, "move": self._move, "compensate": self._compensate}
        if action.kind not in (*possible, "call back", "tell", "reroute"):
            raise unknown("action in this centre", action.kind, (*possible, "call back", "tell", "reroute"))
        self.actions.append(action)
        if action.kind in possible:
            self.world.at(action.works, partial(possible[action.kind], action))

    def gauges(self) -> dict[str, float]:
        """Return what the telephone system shows now: who waits, who is logged in and who is busy."""
        found = {}
        for site in SITES:
            desk = self.world.desks[f"phone.{site}"]
            queue = desk.queue()
            found[f"queue.phone.{site}"] = float(len(queue))
            found[f"oldest.phone.{site}"] = (
                self.world.now - min((v.since for v in queue), default=self.world.now)
            ) / 1e3
            found[f"here.pool.agents.{site}"] = float(sum(w.here for w in desk.workers))
            found[f"busy.pool.agents.{site}"] = float(sum(w.here and w.busy for w in desk.workers))
        return found

    def cost(self) -> float:
        """Return the money spent so far on agents' hours and on what was done."""
        return PAY * self.hours["agents"] + sum(action.cost for action in self.actions)

    def _day(self, day: int) -> None:
        for site in SITES:
            for caller in CALLERS:
                for number, at in enumerate(self._arrivals(day, site, caller)):
                    self.world.at(at, partial(self._arrives, f"{caller[0]}{site[0]}{day}-{number}", caller, site, 0))
            for worker, first, last in self._rota(day, site):
                self._on_duty(worker, f"phone.{site}", day, first, last)
            self.called_in[site] = []
        for number in range(HANDLERS):
            self._on_duty(Worker(f"handler-{number}", "assessment"), "assessment", day, OPENS, CLOSES, rest=False)

    def _arrivals(self, day: int, site: str, caller: str) -> Iterator[float]:
        """Yield when calls come, ms: thinned from a bound on the rate, so that it depends on the day alone."""
        mean = CALLERS[caller].per_day * WEEKDAY[day % 7] * self._drift(day, site)
        begin, length, factor = self._storm(day, site) if caller == "claim" else (0.0, 0.0, 1.0)
        at, step, most = float(OPENS), 0, mean * max(HOURLY) * max(factor, 1.0)
        while True:
            u, v = drawn(self.seed, f"{site}{caller}", f"arrival {day} {step}", 2)
            at, step = at - math.log(u) / most, step + 1
            if at >= CLOSES:
                return
            rate = mean * HOURLY[int(at) - OPENS] * (factor if begin <= at < begin + length else 1.0)
            if v * most < rate:
                yield self.start + day * DAY + at * HOUR

    def _drift(self, day: int, site: str) -> float:
        noise = sum(0.6**k * (drawn(self.seed, site, f"drift {day - k}")[0] - 0.5) for k in range(4))
        season = 0.06 * math.sin(2 * math.pi * day / 37 + (site == "sydney"))
        return math.exp(0.0008 * day + season + 0.25 * noise)

    def _storm(self, day: int, site: str) -> tuple[float, float, float]:
        """Return when a storm lets claims burst, for how many hours and how much; most days there is none."""
        u, v, w, x = drawn(self.seed, site, f"storm {day}", 4)
        return (8.5 + 8 * v, 1.0 + 1.5 * w, 1.7 + 0.8 * x) if u < 0.2 else (0.0, 0.0, 1.0)

    def _rota(self, day: int, site: str) -> Iterator[tuple[Worker, float, float]]:
        bad = 0.22 if drawn(self.seed, site, f"flu {day}")[0] < 0.08 else 0.04
        number = 0
        for first, last, count in SHIFTS:
            for _ in range(count if day % 7 < 5 else round(0.6 * count)):
                number += 1
                name = f"{site}-{number}"
                absent, late, u, v = drawn(self.seed, name, f"duty {day}", 4)
                if absent > bad + self._tired[site]:
                    w, x = drawn(self.seed, name, "pace", 2)
                    pace = lognormal(w, x, 1.0, 0.12)
                    yield Worker(name, f"phone.{site}", pace=pace), first + (0.4 * v if late < 0.05 else 0.03 * u), last
        self._tired[site] = 0.0

    def _on_duty(
        self, worker: Worker, desk: str, day: int, first: float, last: float, *, rest: bool = True
    ) -> None:  # fmt: skip
        origin, world = self.start + day * DAY, self.world
        world.at(origin + first * HOUR, partial(self._enter, worker, desk))
        world.at(origin + last * HOUR, partial(self._leave, worker))
        if desk != "assessment":
            self.hours["agents"] += last - first
        if rest and last - first > 5:
            pause = first + 3 + 1.5 * drawn(self.seed, worker.name, f"rest {day}")[0]
            world.at(origin + pause * HOUR, partial(self._leave, worker))
            world.at(origin + (pause + 0.75) * HOUR, partial(self._back, worker))

    def _enter(self, worker: Worker, desk: str) -> None:
        worker.begun = self.world.now
        self.world.tell("", "up", resource=worker.name, pool=_pool(desk))
        self.world.desks[desk].enter(worker)

    def _back(self, worker: Worker) -> None:
        self._enter(worker, worker.desk or worker.home)

    def _leave(self, worker: Worker) -> None:
        if worker.here:
            self.world.tell("", "down", resource=worker.name, pool=_pool(worker.desk))
            self.world.desks[worker.desk].leave(worker)

    def _call_in(self, action: Action) -> None:
        site = action.target.partition(".")[2]
        for _ in range(min(round(action.amount), STANDBY - len(self.called_in[site]))):
            worker = Worker(f"{site}-standby-{len(self.called_in[site])}", f"phone.{site}", pace=1.05)
            self.called_in[site].append(worker)
            self.hours["stand-by"] += action.hold / 3600
            self._tired[site] += 0.004
            self._enter(worker, f"phone.{site}")
            self.world.at(action.until, partial(self._leave, worker))

    def _move(self, action: Action) -> None:
        source, goal = (f"phone.{pool.partition('.')[2]}" for pool in action.target.split(">"))
        there = sorted(self.world.desks[source].workers, key=lambda w: (w.busy, w.home != source, w.name))
        for worker in [w for w in there if w.here and w.home == source][: round(action.amount)]:
            self.world.desks[source].lend(worker, goal)
            self.world.at(action.until, partial(self._home, worker))

    def _compensate(self, action: Action) -> None:
        """Give something to who of a class is here and was let down: those named, or as many as the money is for."""
        kind, _, site = action.target.partition(".")
        inside = [o for o in self.outcomes if (o.customers, o.site) == (kind, site) and math.isnan(o.score)]
        waits = [o for o in inside if o.waited > o.promise or math.isnan(o.waited)]
        named = [o for o in waits if o.case in action.whom] or waits[: round(action.amount * action.counts / GIVES)]
        self.given.update(o.case for o in named)

    def _home(self, worker: Worker) -> None:
        if worker.here and worker.desk != worker.home:
            self.world.desks[worker.desk].lend(worker, worker.home)
        worker.desk = worker.home

    def _active(self, kind: str, target: str) -> Action | None:
        now = self.world.now
        for action in reversed(self.actions[-40:]):
            if action.kind == kind and action.target.startswith(target) and action.works <= now < action.until:
                return action
        return None

    def _arrives(self, case: str, caller: str, site: str, tries: int) -> None:
        about, draws = CALLERS[caller], drawn(self.seed, case, "caller", 12)
        away = self._active("reroute", f"way.{site}>")
        goal = away.target.rpartition(".")[2] if away and draws[0] < away.amount else site
        outcome = Outcome(case, caller, site, self.world.now, about.promise, again=tries > 0)
        self.outcomes.append(outcome)
        self.world.tell(case, "arrived", customers=f"{caller}.{site}")
        visit = Visit(case, caller, f"call.{goal}", self.world.now, about.urgency)
        visit.about = {"outcome": len(self.outcomes) - 1, "tries": tries}
        if self._wants_call_back(goal, about, draws):
            outcome.called_back, outcome.promise = True, CALLED_BACK_WITHIN
            visit.activity = f"recall.{goal}"
            self.world.tell(case, "queued", f"later.{goal}")
            self.world.at(self.world.now + 30 * MINUTE, lambda: self.world.desks[f"phone.{goal}"].join(visit))
            return
        visit.gives_up = self.world.now + SECOND * self._patience(outcome, about, goal, draws)
        self.world.desks[f"phone.{goal}"].join(visit)

    def _wants_call_back(self, site: str, about: Caller, draws: Sequence[float]) -> bool:
        if self._active("call back", f"way.{site}>") is None or self.world.now % DAY > (CLOSES - 1) * HOUR:
            return False
        desk = self.world.desks[f"phone.{site}"]
        expected = len(desk.queue()) * 300 / max(len(desk.workers), 1)
        return expected > 0.7 * about.promise and draws[1] < (0.2 if about.urgency else 0.5)

    def _patience(self, outcome: Outcome, about: Caller, site: str, draws: Sequence[float]) -> float:
        patience = lognormal(draws[2], draws[3], about.patience, 0.9) if draws[4] > 0.06 else 25 * draws[3] + 2
        told = self._active("tell", f"phone.{site}")
        if told is None or not self.world.desks[f"phone.{site}"].queue():
            return patience
        outcome.told = told.amount
        if told.amount > 900 and draws[5] < 0.25:
            return 10.0
        return patience * (1.5 if told.amount <= about.promise else 1.2)

    def _lasts(self, visit: Visit, worker: Worker) -> float:
        about, draws = CALLERS[visit.kind], drawn(self.seed, visit.case, "handling", 5)
        seconds = lognormal(draws[0], draws[1], about.handling * (1.0 if draws[2] < 0.86 else 2.4), 0.5)
        tired = min(max((self.world.now - worker.begun) / HOUR, 0), 5) * 0.018
        return seconds * (1 + tired) * (1.08 if worker.home != worker.desk else 1.0)

    def _begun(self, visit: Visit, worker: Worker) -> None:
        outcome = self.outcomes[int(visit.about["outcome"])]
        outcome.waited = (self.world.now - outcome.at) / SECOND

    def _answered(self, visit: Visit, worker: Worker) -> None:
        outcome, about = self.outcomes[int(visit.about["outcome"])], CALLERS[visit.kind]
        draws = drawn(self.seed, visit.case, "after", 8)
        outcome.solved = draws[0] < about.solved - 0.06 * outcome.breach
        outcome.score = self._felt(outcome, draws)
        if draws[3] < 0.25:
            self.world.tell(visit.case, "noted", score=outcome.score)
        if visit.kind == "claim" and outcome.solved:
            self.world.desks["assessment"].join(Visit(visit.case, visit.kind, "assess", self.world.now))
            return
        self.world.tell(visit.case, "left")
        if not outcome.solved and visit.about["tries"] < 2:
            self._again(visit, outcome, 7200 * lognormal(draws[4], draws[5], 1.0, 0.8))

    def _felt(self, outcome: Outcome, draws: Sequence[float]) -> float:
        """Return how content she was, 1 to 10: waits weigh against the promise, and a kept word is worth something."""
        wait = outcome.waited / outcome.promise
        word = 0.0 if math.isnan(outcome.told) else 0.8 if outcome.waited <= 1.1 * outcome.told else -1.2
        felt = (8.4 if outcome.solved else 5.0) - 2.2 * math.log1p(max(wait, 0)) + word + 0.2 * outcome.called_back
        felt += outcome.case in self.given
        return float(min(max(round(felt + math.sqrt(-2 * math.log(draws[1])) * math.cos(6.2832 * draws[2])), 1), 10))

    def _gave_up(self, visit: Visit) -> None:
        outcome, draws = self.outcomes[int(visit.about["outcome"])], drawn(self.seed, visit.case, "gave up", 4)
        outcome.waited, outcome.abandoned = (self.world.now - outcome.at) / SECOND, True
        outcome.score = float(max(1, round(3 - 2 * draws[0])))
        self.world.tell(visit.case, "left")
        if draws[1] < 0.5 and visit.about["tries"] < 2:
            self._again(visit, outcome, 720 * lognormal(draws[2], draws[3], 1.0, 0.7))

    def _again(self, visit: Visit, outcome: Outcome, after: float) -> None:
        at = self.world.now + after * SECOND
        if at % DAY >= CLOSES * HOUR or at % DAY < OPENS * HOUR:
            at = (at - OPENS * HOUR) // DAY * DAY + DAY + (OPENS + 1.5 * (after % 1)) * HOUR
        tries = int(visit.about["tries"]) + 1
        self.world.at(at, partial(self._arrives, f"{visit.case}~", visit.kind, outcome.site, tries))

    def _assessing(self, visit: Visit, worker: Worker) -> float:
        u, v, w = drawn(self.seed, visit.case, "assess", 3)
        return lognormal(u, v, 700.0, 0.6) + 300 * w

    def _assessed(self, visit: Visit, worker: Worker) -> None:
        self.world.tell(visit.case, "left")


def _pool(desk: str) -> str:
    return "handlers" if desk == "assessment" else f"agents.{desk.partition('.')[2]}"
