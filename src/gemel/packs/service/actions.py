"""Actions: what can be done for those who wait, what it costs and who bears it, and how the engine is told of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gemel.dynamics import Dose
from gemel.errors import BadInput, unknown
from gemel.facts import DAY, SECOND, Time, iso
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
"""Prices in one unit of money; stand-by time and moves are of the size that agencies ask. `Action.price` and `Action.lead` are a
service's own."""

EACH = ("reschedule", "compensate")
"""Kinds whose price is for each customer whom they reach."""

STAYS = 1.15
"""Who is told a wait stays so many times longer: told customers abandon later (Jouini, Akşin & Dallery,
10.1287/msom.1110.0339); the size is a guess, to be learned."""


@dataclass(frozen=True)
class Action:
    """Something done to a service at `at` for `hold` seconds: see `KINDS` for what target and amount mean.

    `counts` is how many it reaches, where its price is for each of them, and `whom` their cases where they are known. `price` and
    `lead` take the place of those of its kind.
    """

    kind: str
    target: str
    amount: float
    at: Time
    hold: float = 3600.0
    counts: float = 1.0
    whom: tuple[str, ...] = ()
    price: float | None = None
    lead: float | None = None

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
        price, per = kind.price if self.price is None else self.price, self.counts if self.kind in EACH else 1.0
        return price * self.amount * per * (self.hold / 3600.0 if kind.hourly else 1.0)

    @property
    def bears(self) -> str:
        """Return who bears it, beside the money."""
        return KINDS[self.kind].bears

    @property
    def works(self) -> Time:
        """Return when it begins to work."""
        return self.at + round(self.after * SECOND)

    @property
    def after(self) -> float:
        """Return how many seconds pass before it works."""
        return KINDS[self.kind].lead if self.lead is None else self.lead

    @property
    def until(self) -> Time:
        """Return when it ends."""
        return self.works + round(self.hold * SECOND)

    def __str__(self) -> str:
        return TEXTS[self.kind](self)

    def body(self) -> dict[str, Any]:
        """Return it as JSON types, its text and cost with it."""
        own = {name: value for name, value in asdict(self).items() if value is not None} | {"whom": list(self.whom)}
        return own | {"text": str(self), "cost": self.cost, "bears": self.bears}


def _minutes(seconds: float) -> str:
    return f"{max(seconds / 60, 0):.0f} min"


def _ways(action: Action) -> tuple[str, str]:
    first, _, second = action.target.partition(">")
    return first, second


TEXTS = {
    "add": lambda a: f"call in {a.amount:g} for {a.target}, there in {_minutes(a.after)}, for {_minutes(a.hold)}",
    "move": lambda a: f"move {a.amount:g} from {_ways(a)[0]} to {_ways(a)[1]} for {_minutes(a.hold)}",
    "open": lambda a: (
        f"{'open' if a.amount else 'close'} {a.target}{f' in {_minutes(a.after)}' if a.after else ''} for {_minutes(a.hold)}"
    ),
    "reroute": lambda a: f"send {a.amount:.0%} of {_ways(a)[0]} to {_ways(a)[1]} for {_minutes(a.hold)}",
    "call back": lambda a: f"offer a call back at {_ways(a)[0]} for {_minutes(a.hold)}",
    "tell": lambda a: f"tell who comes to {a.target} to count on {_minutes(a.amount)}",
    "maintain": lambda a: f"maintain {a.target} for {_minutes(a.amount)} from {iso(a.works)}",
    "reschedule": lambda a: f"move {a.amount:.0%} of the appointments of {a.target} by {_minutes(a.hold)}",
    "compensate": lambda a: (
        f"give {a.amount:g} to each of {a.counts:.0f} of {a.target}{': ' if a.whom else ''}{', '.join(a.whom)}"
    ),
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
    if action.kind == "open":
        return [("open", action.target, 1.0 if action.amount else -1.0)]
    return []


REST: Mapping[str, float] = {
    "staff": 0.0, "route": 0.0, "patience": 1.0, "arrivals": 1.0, "open": 1.0, "pace": 1.0
}  # fmt: skip
"""What each control says while nothing acts."""


def _summed(kind: str, target: str, spans: Sequence[tuple[Time, Time, float]], since: Time) -> list[Control]:
    edges = sorted({max(edge, since) for start, end, _ in spans for edge in (start, end) if end >= since})
    return [Control(edge, kind, target, _told(kind, _here(spans, edge))) for edge in edges]


def _here(spans: Sequence[tuple[Time, Time, float]], at: Time) -> list[float]:
    return [change for start, end, change in spans if start <= at < end]


def _told(kind: str, changes: Sequence[float]) -> float:
    """Return what a control says while these changes act: waits are told once, and a station is open or closed."""
    total = max(changes, default=0.0) if kind == "patience" else sum(changes)
    value = REST[kind] + total
    return value if kind == "staff" else min(max(value, 0.0), 1.0) if kind == "open" else max(value, 0.0)


def doses(
    actions: Sequence[Action], since: Time, extra: Iterable[tuple[str, str, Time, Time, float]] = ()
) -> tuple[Dose, ...]:
    """Return actions as doses of a service twin's levers (`kind.service_type`): of the levers that they turn, all that is told.

    *extra* is what those levers do besides. What is given to customers is told as money in all.
    """
    own = {(one.kind, one.target) for one in controls(actions, since)}
    told = [one for one in controls(actions, since, extra) if (one.kind, one.target) in own]
    given = [Dose(f"{one.kind}.{one.target}", one.cost, one.works) for one in actions if one.kind == "compensate"]
    return (*(Dose(f"{one.kind}.{one.target}", float(one.value), one.at) for one in told), *given)


def called_in(done: Sequence[Action], now: Time) -> dict[str, int]:
    """Return how many were called in today, by the last part of their pool's name."""
    found: dict[str, int] = {}
    for action in done:
        if action.kind == "add" and action.at // DAY == now // DAY:
            place = action.target.rpartition(".")[2]
            found[place] = found.get(place, 0) + round(action.amount)
    return found
