"""Journeys: touchpoints before, during and after the moment of truth, what customers waited and felt there, and what hurts.

The moment of truth is the main service (touchpoints over three phases: Lemon & Verhoef 2016, 10.1509/jm.15.0420).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.errors import BadInput, unknown
from gemel.facts import SECOND, Time, iso
from gemel.packs.service.log import MISSING, Log
from gemel.packs.service.pains import Pain, pains
from gemel.packs.service.touchpoints import (
    PHASES,
    Delays,
    Touchpoint,
    delays,
    moment_of_truth,
    phases,
    span,
    touchpoints,
)
from gemel.packs.service.touchpoints import Promise as Promise
from gemel.packs.service.variants import Variant, variants


@dataclass(frozen=True)
class Journeys:
    """All journeys of a log: the moment of truth and why it is taken for it, touchpoints in order, pains, variants."""

    truth: str
    why: str
    cases: int
    touchpoints: tuple[Touchpoint, ...]
    pains: tuple[Pain, ...]
    variants: tuple[Variant, ...]

    def body(self) -> dict[str, Any]:
        """Return the journeys as JSON types."""
        parts = {name: [one.body() for one in getattr(self, name)] for name in ("touchpoints", "pains", "variants")}
        return {"truth": self.truth, "why": self.why, "cases": self.cases, **parts}

    def __str__(self) -> str:
        lines = [f"{self.cases} journeys; the moment of truth is {self.truth}: {self.why}"]
        for phase in PHASES:
            names = [point.name for point in self.touchpoints if point.phase == phase]
            lines.append(f"{phase}: {', '.join(names) or 'nothing'}")
        return "\n".join([*lines, *(f"{pain.rank}. {pain.text}" for pain in self.pains[:10])])


def journeys(
    log: Log, promise: Promise | None = None, *, truth: str | None = None, feelings: Sequence[str] = (), seed: int = 0
) -> Journeys:
    """Return the journeys of a log; *feelings* names columns of numbers, of rows or cases, such as scores and sentiment."""
    if not len(log):
        raise BadInput("the log holds no activity: there is no journey to see")
    if truth is not None and truth not in log.activity.names:
        raise unknown("activity", truth, log.activity.names)
    promised = promise or Promise()
    said = delays(log)
    main, why = (truth, "it was named") if truth else moment_of_truth(log, said)
    where = phases(log, log.activity.names.index(main))
    points = touchpoints(log, said, where, promised, feelings)
    hurts = pains(log, said, points, promised, feelings, seed)
    return Journeys(main, why, len(log.cases), points, hurts, variants(log))


# the journey of one customer


@dataclass(frozen=True)
class Expected:
    """What is to come for one customer: *what*, between when and when, and why that is expected."""

    what: str
    low: Time
    high: Time
    why: str = ""


@dataclass(frozen=True)
class Step:
    """One touchpoint of one customer: `state` is waiting, in service, done or gave up; waited and promised in s."""

    name: str
    phase: str
    state: str
    since: Time
    until: Time | None
    waited: float
    promised: float
    told: bool
    who: str

    def __str__(self) -> str:
        by = f" with {self.who}" if self.who else ""
        than = "promised" if self.told else "usual"
        late = self.waited - self.promised
        how = f", {span(late)} longer than {than}" if late > 0 else ""
        wait = f", after {span(self.waited)}{how}" if np.isfinite(self.waited) else ""
        return f"{iso(self.since)}  {self.name}: {self.state}{by}{wait}"


@dataclass(frozen=True)
class Journey:
    """One customer's own view: where she is, what was, what is expected and why."""

    case: str
    steps: tuple[Step, ...]
    ahead: tuple[Expected, ...] = ()

    @property
    def where(self) -> str:
        """Return where she is now, in a sentence."""
        last = self.steps[-1]
        if last.state in ("waiting", "in service"):
            return f"{last.state} for {last.name}" if last.state == "waiting" else f"in service: {last.name}"
        return f"{last.state}: {last.name}"

    def body(self) -> dict[str, Any]:
        """Return the journey as JSON types."""
        steps, ahead = ([dict(vars(one)) for one in group] for group in (self.steps, self.ahead))
        return {"case": self.case, "where": self.where, "steps": steps, "ahead": ahead}

    def __str__(self) -> str:
        to_come = [
            f"{iso(one.low)} to {iso(one.high)}  {one.what}" + (f": {one.why}" if one.why else "") for one in self.ahead
        ]
        return "\n".join([f"{self.case}, {self.where}", *map(str, self.steps), *to_come])


def journey(
    log: Log, case: str, promise: Promise | None = None, *, truth: str | None = None, now: Time | None = None,
    ahead: Sequence[Expected] = (),
) -> Journey:  # fmt: skip
    """Return one customer's journey; until *now* she waits for what has not begun. *ahead* is what a forecast expects."""
    if case not in log.case.names:
        raise unknown("case", case, log.case.names)
    code = log.case.names.index(case)
    first, last = log.bounds()[code : code + 2].tolist()
    if first == last:
        raise BadInput(f"nothing was done for {case} yet", field="case")
    said = delays(log)
    main = truth or moment_of_truth(log, said)[0]
    where = phases(log, log.activity.names.index(main))
    known = {point.name: point for point in touchpoints(log, said, where, promise or Promise(), ())}
    steps = (_step(log, row, said, int(where[row]), known, now) for row in range(first, last))
    return Journey(case, tuple(steps), tuple(ahead))


def _step(log: Log, row: int, said: Delays, phase: int, known: dict[str, Touchpoint], now: Time | None) -> Step:
    start, end, since = int(log.start[row]), int(log.end[row]), int(log.first[row])
    state = (
        "gave up"
        if log.abandoned[row]
        else "done"
        if end != MISSING
        else "waiting"
        if start == MISSING
        else "in service"
    )
    waited = float(said.seconds[row])
    if state == "waiting" and now is not None:
        waited = (now - since) / SECOND
    point = known[log.activity.at(row)]
    own = log.attributes.get("promise")
    told = isinstance(own, np.ndarray) and bool(np.isfinite(own[row]))
    promised = float(own[row]) if told and isinstance(own, np.ndarray) else point.promised
    return Step(
        point.name, PHASES[max(phase, 0)], state, since, None if end == MISSING else end, waited, promised,
        told or point.told, log.resource.at(row),
    )  # fmt: skip
