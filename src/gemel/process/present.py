"""Present: the state of a service at one moment: who is where, since when, who serves them, what stands still.

It holds everything that the future depends on. What is not known is NaN (or -1), and the engine draws it given what is
known: the rest of a service that began a while ago, the patience of who has waited, when the next one comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gemel.facts import Time
from gemel.process.network import Network

WAITING, SERVED, DELAYED, JOINED = 0, 1, 2, 3
"""What a token does: waits at its task's station, is served there, is in a delay, has come to a join."""


@dataclass(frozen=True)
class Case:
    """One customer in the service: class, when she came, her attributes (as `Network` codes them), how often she was where.

    `urgency` is the priority that somebody gave her, where it is not that of her class. Ids that begin with `~` are those of
    customers that a run made up.
    """

    id: str
    customers: str
    arrived: float
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    times: Mapping[str, int] = field(default_factory=dict)
    urgency: float | None = None


@dataclass(frozen=True)
class Token:
    """One of a customer's tokens: at which node (task, delay or join), doing what, `since` when, served by which team.

    `due` is when the service or the delay ends, `patient_until` when she gives up, where that is known already. A service that
    stands still has `left`, ms of work, and no `due`. Those served together in a batch have one `group`: the place of the first
    of them among the tokens. Times are ms; those that a run made up have fractions.
    """

    case: str
    node: str
    status: int
    since: float
    started: float | None = None
    team: int = -1
    due: float | None = None
    patient_until: float | None = None
    left: float | None = None
    group: int = -1


@dataclass(frozen=True)
class Present:
    """A service at the moment `at`: cases and tokens, units away (pool → until when, None unknown), the next arrivals known.

    `came` counts the arrivals of each class so far: together with the seed it keys their draws, so that a run started from a
    snapshot is the run that was not interrupted. `change` holds what levers changed, named as in "staff.POOL", "open.STATION",
    "pace.STATION", "patience.STATION", "arrivals.CLASS", "route.CHOICE>NODE": see `engine.Control`.
    """

    at: Time
    cases: tuple[Case, ...] = ()
    tokens: tuple[Token, ...] = ()
    away: tuple[tuple[str, float | None], ...] = ()
    next_arrival: Mapping[str, float] = field(default_factory=dict)
    came: Mapping[str, int] = field(default_factory=dict)
    change: Mapping[str, float] = field(default_factory=dict)
    fails: tuple[tuple[str, float], ...] = ()
    """Units that will fail, by pool, and when, where that is known already."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many failures and repairs of each pool were drawn so far."""
    since_arrival: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By class: since when, ms, its next arrival is awaited, and how many arrivals the rates must add up to until then."""

    def waiting(self, network: Network, station: str) -> int:
        """Return how many wait at a station."""
        there = {node.name for node in network.nodes if getattr(node, "station", None) == station}
        return sum(token.status == WAITING and token.node in there for token in self.tokens)

    def moved(self, at: Time) -> Present:
        """Return the same, said of another moment: nothing was seen to change until then."""
        return replace(self, at=at)


def empty(at: Time) -> Present:
    """Return the service with nobody in it."""
    return Present(at)
