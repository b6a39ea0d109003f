"""Network: a service as data: who comes, what is done for them where and by whom, and where they go next.

Customers enter at a node and move as tokens along nodes: a `Task` is served at a station, a `Choice` sends the token one
way, a `Split` sends it several ways at once until a `Join` has seen them all, a `Delay` waits for nobody of the service,
and `END` is out. Stations hold queues; pools hold the people and the equipment that serve them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemel.process.calendar import Arrivals, Calendar
from gemel.process.duration import Duration

END = "end"
ANY = "*"
"""Stands for every class of customers that is not named."""

DISCIPLINES = ("fifo", "lifo", "random", "priority", "promise")
"""Who of those waiting is served next: `priority` by class and then in order; `promise` by the earliest promised time."""

TESTS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Attribute:
    """Something known of each case: one of `options` with weights, or a number drawn from a `Duration`-like table."""

    options: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    numbers: Duration | None = None


@dataclass(frozen=True)
class Customers:
    """A class of customers: how they come, where they enter, how urgent (lower is first), what they are worth."""

    name: str
    arrivals: Arrivals
    entry: str
    priority: int = 0
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    value: float = 0.0


@dataclass(frozen=True)
class Test:
    """A condition on a case: an attribute (a class name under "class", how often this choice was taken under "times")."""

    attribute: str
    test: str
    value: str | float


@dataclass(frozen=True)
class Rule:
    """If all of `when` hold, the token goes to one of `to` (node names), with these weights."""

    to: Mapping[str, float]
    when: tuple[Test, ...] = ()


@dataclass(frozen=True)
class Task:
    """Something done for the customer at a station."""

    name: str
    station: str
    then: str = END


@dataclass(frozen=True)
class Choice:
    """A fork in the way; the first rule whose conditions hold applies, and the last has none."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Split:
    """Several ways at once; each must lead to the join named."""

    name: str
    to: tuple[str, ...]
    join: str


@dataclass(frozen=True)
class Join:
    """Where the ways of a split meet again."""

    name: str
    then: str = END


@dataclass(frozen=True)
class Delay:
    """Time that passes without anyone of the service: the customer's own, a partner's, the post's."""

    name: str
    lasts: Duration
    then: str = END


Node = Task | Choice | Split | Join | Delay


@dataclass(frozen=True)
class Team:
    """One unit of `pool`, and one of each pool in `with_`, serve together, `speed` times as fast as the station says."""

    pool: str
    with_: tuple[str, ...] = ()
    speed: float = 1.0


@dataclass(frozen=True)
class Batch:
    """Customers are served `size` at a time, or fewer once the first has waited `most_wait` seconds."""

    size: int
    most_wait: float


@dataclass(frozen=True)
class Callback:
    """Of those who give up, a `share` is called back after some time, and joins the queue again."""

    share: float
    after: Duration


@dataclass(frozen=True)
class Station:
    """Where customers wait and are served: `service` and `patience` by class (`ANY` for the rest), teams in order of preference.

    Who finds `balk_at` or more waiting goes away at once with probability `balk`, as if patience had ended. `promise` is the
    wait in seconds that customers were promised. `choose` says which of several free teams serves: the first by `order`, or
    `random`.
    """

    name: str
    service: Mapping[str, Duration]
    teams: tuple[Team, ...]
    discipline: str = "fifo"
    patience: Mapping[str, Duration] = field(default_factory=dict)
    balk_at: int | None = None
    balk: float = 1.0
    gives_up_to: str = END
    callback: Callback | None = None
    batch: Batch | None = None
    promise: float | None = None
    choose: str = "order"
    cost: float = 0.0


@dataclass(frozen=True)
class Breakdown:
    """How long a unit works between failures, and how long its repair takes; `planned` windows are `(from, until)` ms."""

    between: Duration | None = None
    repair: Duration | None = None
    planned: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Pool:
    """Interchangeable people or equipment, there by a calendar; at the end of a shift work is finished, or `pauses`."""

    name: str
    calendar: Calendar
    kind: str = "people"
    pauses: bool = False
    cost_per_hour: float = 0.0
    breakdown: Breakdown | None = None


@dataclass(frozen=True)
class Network:
    """A whole service; `check()` in `process.wiring` says what in it cannot be."""

    name: str
    customers: tuple[Customers, ...]
    nodes: tuple[Node, ...]
    stations: tuple[Station, ...]
    pools: tuple[Pool, ...]
    promise: float | None = None
    """Seconds from arrival to leaving that customers were promised."""

    def station(self, name: str) -> Station:
        """Return the station of that name."""
        return {station.name: station for station in self.stations}[name]

    def pool(self, name: str) -> Pool:
        """Return the pool of that name."""
        return {pool.name: pool for pool in self.pools}[name]
