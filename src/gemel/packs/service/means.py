"""Means: what one service can do about what is coming: the questions it asks its twin, and what could be tried for each.

A means says which stations can be opened, at what cost and how soon; what compensation is offered; which other actions may help.
What is tried, and what comes of it, is for forks to say (`planner.considered`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gemel.facts import HOUR, Time
from gemel.packs.service.actions import KINDS, Action, controls
from gemel.packs.service.advise import Felt, Promised, View
from gemel.packs.service.remedy import Remedies

Acts = tuple[Action, ...]

WORTH = 8.0
"""Money that a kept promise is worth, where a service does not say otherwise."""

AT_RISK = 0.5
"""Expected broken promises within the horizon from which on something is tried."""


@dataclass(frozen=True)
class Here:
    """What means are asked about: now, what is read of the service, when levers were turned, what was done, money left.

    `closed` are the stations that are closed now, `risky` those whose forecast sees a broken promise coming, and `busy` the
    levers that are turned already, as (kind, target).
    """

    now: Time
    gauges: Mapping[str, float] = field(default_factory=dict)
    turned: Mapping[str, Time] = field(default_factory=dict)
    done: Sequence[Action] = ()
    left: float = float("inf")
    closed: frozenset[str] = frozenset()
    risky: frozenset[str] = frozenset()
    busy: frozenset[tuple[str, str]] = frozenset()

    def since(self, lever: str) -> float:
        """Return how long ago, ms, a lever was last turned, or below 0 that it is yet to turn; infinity for never."""
        return self.now - self.turned[lever] if lever in self.turned else float("inf")


def always(here: Here) -> bool:
    """Look at every turn."""
    return True


def silent(here: Here) -> str:
    """Add nothing to the reason."""
    return ""


@dataclass(frozen=True)
class Look:
    """One question: when to ask it, how far ahead forks go, what could be tried, and why it was asked."""

    name: str
    options: Callable[[View, Felt, Here], Sequence[Acts]]
    horizon: Time = HOUR
    when: Callable[[Here], bool] = always
    reason: Callable[[Here], str] = silent


@dataclass(frozen=True)
class Opening:
    """A station that may be opened: money an hour, seconds until it is, seconds that it stays, and ways sent there meanwhile."""

    station: str
    price: float = KINDS["open"].price
    lead: float = KINDS["open"].lead
    hold: float = 3600.0
    ways: Mapping[str, float] = field(default_factory=dict)
    """Weights by "choice>node"."""

    def acts(self, now: Time) -> Acts:
        """Return the opening as actions from *now* on."""
        ways = [Action("reroute", way, w, now, self.hold, lead=self.lead) for way, w in self.ways.items()]
        return (Action("open", self.station, 1.0, now, self.hold, price=self.price, lead=self.lead), *ways)


def as_it_is(view: View, here: Here) -> View:
    """Know nothing more than the view does."""
    return view


@dataclass(frozen=True)
class Means:
    """What one service can do: its looks, promises by node and class, stations to open, what it gives to who is let down.

    `sharpen` adds to a view what gauges tell beside the events, such as of machines; `worth` is money for a kept promise.
    """

    looks: tuple[Look, ...]
    promised: Promised | None = None
    openings: tuple[Opening, ...] = ()
    remedies: Remedies = field(default_factory=dict)
    sharpen: Callable[[View, Here], View] = as_it_is
    worth: float = WORTH


def closed(view: View) -> frozenset[str]:
    """Return the stations that are closed now."""
    told = [one for one in controls(view.standing, view.now, view.extra) if one.kind == "open" and one.at <= view.now]
    return frozenset(name for name, value in {one.target: one.value for one in told}.items() if not value)


def opened(means: Means, here: Here) -> list[Acts]:
    """Return what opens each station that may be opened and is closed."""
    return [one.acts(here.now) for one in means.openings if one.station in here.closed]
