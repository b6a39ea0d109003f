"""Actions: what can be done for those who wait, what it costs and who bears it, and how the engine is told of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gemel.dynamics import Dose
from gemel.errors import BadInput, unknown
from gemel.facts import DAY, SECOND, Time
from gemel.intervention import Intervention
from gemel.process.engine import Control
from gemel.twintype import Autonomy


@dataclass(frozen=True)
class Kind:
    """A kind of action: what `target` and `amount` mean, who bears it, what it costs, and who decides by default.

    `price` is per amount and, if `hourly`, per hour that it lasts; `lead` is how many seconds pass before it works.
    """

    target: str
    amount: str
    bears: str
    price: float = 0.0
    hourly: bool = False
    lead: float = 0.0
    autonomy: Autonomy = Autonomy.APPROVE


KINDS: Mapping[str, Kind] = {
    "add": Kind("pool", "people", "those called in", 48.0, True, 1200.0),
    "move": Kind("pool>pool", "people", "those who wait where they leave", 4.0, False, 120.0, Autonomy.ACT),
    "open": Kind("station", "1 opens, 0 closes", "the staff", 20.0, True),
    "reroute": Kind("choice>node", "weight of that way", "those sent elsewhere", 0.0, False, 0.0, Autonomy.ACT),
    "call back": Kind("choice>node", "share who accept", "those called later", 6.0, True, 0.0, Autonomy.ACT),
    "tell": Kind("station", "seconds told", "nobody", 0.0, False, 0.0, Autonomy.ACT),
    "maintain": Kind("pool", "seconds it is away", "technicians"),
    "reschedule": Kind("class", "share moved", "those whose appointment moves", 15.0),
    "compensate": Kind("class", "money for each", "the service", 1.0),
}
"""Prices in one unit of money; stand-by time and moves are of the size that agencies ask, and a service sets its own."""

STAYS = 1.15
"""Who is told a wait stays so many times longer: told customers abandon later (Jouini, Akşin & Dallery,
10.1287/msom.1110.0339); the size is a guess, to be learned."""


@dataclass(frozen=True)
class Action:
    """Something done to a service at `at` for `hold` seconds: see `KINDS` for what target and amount mean.

    `counts` is how many it reaches, where its price is for each of them.
    """

    kind: str
    target: str
    amount: float
    at: Time
    hold: float = 3600.0
    counts: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind of action", self.kind, KINDS)
        if not (self.amount >= 0 and self.hold > 0):
            raise BadInput(f"{self.kind} of {self.amount} for {self.hold} s cannot be", field="amount")
        if KINDS[self.kind].target.count(">") != self.target.count(">"):
            raise BadInput(f"{self.kind} names {KINDS[self.kind].target}, not {self.target!r}", field="target")

    @property
    def cost(self) -> float:
        """Return what it costs in money."""
        kind = KINDS[self.kind]
        per = self.counts if self.kind in ("reschedule", "compensate") else 1.0
        return kind.price * self.amount * per * (self.hold / 3600.0 if kind.hourly else 1.0)

    @property
    def bears(self) -> str:
        """Return who bears it, beside the money."""
        return KINDS[self.kind].bears

    @property
    def works(self) -> Time:
        """Return when it begins to work."""
        return self.at + round(KINDS[self.kind].lead * SECOND)

    @property
    def until(self) -> Time:
        """Return when it ends."""
        return self.works + round(self.hold * SECOND)

    def __str__(self) -> str:
        return TEXTS[self.kind](self)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types, its text and cost with it."""
        return asdict(self) | {"text": str(self), "cost": self.cost, "bears": self.bears}


def _minutes(seconds: float) -> str:
    return f"{max(seconds / 60, 0):.0f} min"


def _ways(action: Action) -> tuple[str, str]:
    first, _, second = action.target.partition(">")
    return first, second


TEXTS = {
    "add": lambda a: (
        f"call in {a.amount:g} for {a.target}, there in {_minutes(KINDS['add'].lead)}, for {_minutes(a.hold)}"
    ),
    "move": lambda a: f"move {a.amount:g} from {_ways(a)[0]} to {_ways(a)[1]} for {_minutes(a.hold)}",
    "open": lambda a: f"{'open' if a.amount else 'close'} {a.target} for {_minutes(a.hold)}",
    "reroute": lambda a: f"send {a.amount:.0%} of {_ways(a)[0]} to {_ways(a)[1]} for {_minutes(a.hold)}",
    "call back": lambda a: f"offer a call back at {_ways(a)[0]} for {_minutes(a.hold)}",
    "tell": lambda a: f"tell who comes to {a.target} to count on {_minutes(a.amount)}",
    "maintain": lambda a: f"maintain {a.target} for {_minutes(a.amount)}",
    "reschedule": lambda a: f"move {a.amount:.0%} of the appointments of {a.target} by {_minutes(a.hold)}",
    "compensate": lambda a: f"give {a.amount:g} to each of {a.counts:.0f} of {a.target}",
}


def controls(
    actions: Iterable[Action], since: Time, extra: Iterable[tuple[str, str, Time, Time, float]] = ()
) -> list[Control]:
    """Return what the engine is told, from *since* on: effects that overlap add up, and each ends with its action.

    *extra* are changes that nobody chose, as (kind, target, from, until, change).
    """
    steps: dict[tuple[str, str], list[tuple[Time, Time, float]]] = defaultdict(list)
    sent: list[Control] = []
    for action in actions:
        if action.kind == "maintain":
            sent += [Control(action.works, "away", action.target, action.amount)] if action.works >= since else []
        for kind, target, value in _effects(action):
            steps[kind, target].append((*_span(action), value))
        if action.kind == "reschedule":
            steps["arrivals", action.target].append((action.until, 2 * action.until - action.works, action.amount))
    for kind, target, start, end, change in extra:
        steps[kind, target].append((start, end, change))
    for (kind, target), spans in steps.items():
        sent += _summed(kind, target, spans, since)
    return sorted(sent, key=lambda control: control.at)


def _span(action: Action) -> tuple[Time, Time]:
    return action.works, action.until


def _effects(action: Action) -> Sequence[tuple[str, str, float]]:
    """Return (kind, target, change) of the controls that an action turns: changes to 0 people, or to a factor of 1."""
    if action.kind == "add":
        return [("staff", action.target, action.amount)]
    if action.kind == "move":
        source, goal = _ways(action)
        return [("staff", source, -action.amount), ("staff", goal, action.amount)]
    if action.kind in ("reroute", "call back"):
        return [("route", action.target, action.amount)]
    if action.kind == "tell":
        return [("patience", action.target, STAYS - 1)]
    if action.kind == "reschedule":
        return [("arrivals", action.target, -action.amount)]
    return [("open", action.target, action.amount - 1)] if action.kind == "open" else []


REST = {"staff": 0.0, "route": 0.0, "patience": 1.0, "arrivals": 1.0, "open": 1.0}
"""What each control says while nothing acts."""


def _summed(kind: str, target: str, spans: Sequence[tuple[Time, Time, float]], since: Time) -> list[Control]:
    edges = sorted({max(edge, since) for start, end, _ in spans for edge in (start, end) if end >= since})
    found = []
    for edge in edges:
        here = [change for start, end, change in spans if start <= edge < end]
        total = max(here, default=0.0) if kind == "patience" else sum(here)
        found.append(Control(edge, kind, target, max(REST[kind] + total, 0.0) if kind != "staff" else total))
    return found


def intervention(actions: Sequence[Action], since: Time, standing: Sequence[Action] = ()) -> Intervention:
    """Return actions as doses of a service twin's levers (`kind.service_type`), summed with what is being done already."""
    told = controls([*standing, *actions], since)
    doses = tuple(Dose(f"{control.kind}.{control.target}", control.value, control.at) for control in told)
    return Intervention("; ".join(str(action) for action in actions), doses)


def called_in(done: Sequence[Action], now: Time) -> dict[str, int]:
    """Return how many were called in today, by the last part of their pool's name."""
    found: dict[str, int] = {}
    for action in done:
        if action.kind == "add" and action.at // DAY == now // DAY:
            place = action.target.rpartition(".")[2]
            found[place] = found.get(place, 0) + round(action.amount)
    return found
