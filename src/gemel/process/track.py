"""Track: one customer's way through a network, as her events tell it, with what they leave out made up for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from gemel.dynamics import Event
from gemel.facts import Time
from gemel.process.network import END, Choice, Delay, Join, Split, Task
from gemel.process.present import DELAYED, JOINED, SERVED, WAITING, Case, Token
from gemel.process.ways import Ways

FINISHING = {SERVED: 0.5, WAITING: 1.0, DELAYED: 0.1, JOINED: 0.6}
"""How unlikely it is that a token was done there unseen; a token at a choice is done there already."""


@dataclass
class Track:
    """A case that is followed: her tokens, the services that were seen whole, and how much had to be made sense of.

    A token that has left one task and is not seen at the next stands at the choice between, DELAYED since then.
    """

    ways: Ways
    case: Case
    tokens: list[Token] = field(default_factory=list)
    served: list[tuple[str, str, int, float]] = field(default_factory=list)
    mended: int = 0
    gone: bool = False
    arrived: bool = False
    doing: str = ""
    """The activity that was last heard of."""
    _paused: dict[str, Time] = field(default_factory=dict)

    def follow(self, events: Sequence[Event]) -> None:
        """Take the events of this case, given by time; those of one moment in the order in which they can have happened."""
        start = 0
        while start < len(events):
            end = start
            while end < len(events) and events[end].at == events[start].at:
                end += 1
            moment = list(events[start:end])
            while moment:
                moment.sort(key=lambda event: (self._turn(event), event.activity, event.resource))
                self._take(moment.pop(0))
            start = end

    def _turn(self, event: Event) -> float:
        """Return how late an event comes among those of its moment."""
        phase, places = event.phase, self.ways.called(event.activity)
        here = {token.status for token in self.tokens if token.node in places}
        if phase in ("completed", "paused", "resumed"):
            return 1.0 if SERVED in here else 8.0 if here else 8.5
        if phase in ("queued", "started"):
            cost = 0.0 if WAITING in here else self._nearest(places)[0]
            return 2.0 + min(cost, 4.0) + 0.02 * (phase == "queued") + 0.05 * (phase == "started")
        return {"arrived": 0.0, "noted": 0.5, "abandoned": 3.0 if WAITING in here else 7.0}.get(phase, 9.0)

    def _take(self, event: Event) -> None:
        self.doing = event.activity or self.doing
        if event.attributes:
            self.case = replace(self.case, attributes={**self.case.attributes, **event.attributes})
        doing = PHASE.get(event.phase)
        if doing is None:
            return
        if event.activity and not self.ways.called(event.activity):
            self.mended += 1
            return
        doing(self, event)

    # what events do

    def _arrives(self, event: Event) -> None:
        if self.arrived:
            self.mended += 1
            return
        self.arrived, self.gone = True, False
        self.case = replace(self.case, arrived=event.at)
        self._enter(self._entry(), event.at)

    def _queues(self, event: Event) -> None:
        place = self._at(event.activity, WAITING, DELAYED)
        if place is None:
            self._bring(event.activity, event.at, event.at)
        elif self.tokens[place].status == DELAYED and isinstance(self.ways.nodes[self.tokens[place].node], Task):
            self.tokens[place] = replace(self.tokens[place], status=WAITING, since=event.at, due=None)  # called back
        elif self.tokens[place].since != event.at:
            self.mended += 1

    def _starts(self, event: Event) -> None:
        place = self._at(event.activity, WAITING)
        if place is None and self._at(event.activity, SERVED) is not None and self._nearest_free(event.activity) > 0:
            self.mended += 1  # told twice
            return
        place = self._bring(event.activity, event.at) if place is None else place
        token = self.tokens[place]
        if token.status == WAITING:
            self.tokens[place] = replace(
                token, status=SERVED, started=event.at, team=self._team(token.node, event.resource), patient_until=None
            )

    def _completes(self, event: Event) -> None:
        place = self._at(event.activity, SERVED, DELAYED, WAITING)
        place = self._bring(event.activity, event.at) if place is None else place
        token = self.tokens.pop(place)
        if token.started is not None:
            self._serve(token, event)
        elif token.status == WAITING:
            self.mended += 1
        self._enter(self.ways.after(token.node), event.at)

    def _serve(self, token: Token, event: Event) -> None:
        team = token.team if token.team >= 0 else self._team(token.node, event.resource)
        node = self.ways.nodes[token.node]
        if isinstance(node, Task) and token.started is not None:
            self.served.append((self.case.customers, node.station, team, (event.at - token.started) / 1000))

    def _gives_up(self, event: Event) -> None:
        place = self._at(event.activity, WAITING) if event.activity else self._any_waiting()
        if place is None and event.activity:
            place = self._bring(event.activity, event.at)
        if place is None:
            self._leaves(event)
            return
        node = self.ways.nodes[self.tokens.pop(place).node]
        self._enter(self.ways.stations[node.station].gives_up_to if isinstance(node, Task) else END, event.at)

    def _leaves(self, event: Event) -> None:
        self.tokens.clear()
        self.gone = True

    def _pauses(self, event: Event) -> None:
        self._paused.setdefault(event.activity, event.at)

    def _resumes(self, event: Event) -> None:
        place, since = self._at(event.activity, SERVED), self._paused.pop(event.activity, event.at)
        if place is not None and (started := self.tokens[place].started) is not None:
            self.tokens[place] = replace(self.tokens[place], started=started + event.at - since)

    # how tokens move

    def _enter(self, name: str, at: float) -> None:
        """Put a token at *name* and on, as far as there is only one way."""
        while name != END:
            node = self.ways.nodes[name]
            if isinstance(node, Task | Delay | Split):
                self._count(name)
            if isinstance(node, Task | Delay):
                self.tokens.append(Token(self.case.id, name, WAITING if isinstance(node, Task) else DELAYED, at))
                return
            if isinstance(node, Split):
                for branch in node.to:
                    self._enter(branch, at)
                return
            onward = self._joined(node, at) if isinstance(node, Join) else self._chosen(node, at)
            if onward is None:
                return
            name = onward
        self.gone = not self.tokens

    def _joined(self, join: Join, at: float) -> str | None:
        self.tokens.append(Token(self.case.id, join.name, JOINED, at))
        there = [token for token in self.tokens if token.node == join.name]
        if len(there) < self.ways.parts.get(join.name, 1):
            return None
        self.tokens = [token for token in self.tokens if token.node != join.name]
        return join.then

    def _chosen(self, choice: Choice, at: float) -> str | None:
        about = {**self.case.attributes, "class": self.case.customers, "times": self.case.times.get(choice.name, 0)}
        only = self.ways.only(choice, about)
        if only is None:
            self.tokens.append(Token(self.case.id, choice.name, DELAYED, at))
        else:
            self._count(choice.name)
        return only

    def _count(self, node: str) -> None:
        self.case = replace(self.case, times={**self.case.times, node: self.case.times.get(node, 0) + 1})

    def _bring(self, activity: str, at: Time, since: Time | None = None) -> int:
        """Bring the token that can best have come there to *activity*, unseen until now; return its place."""
        cost, place, path = self._nearest(self.ways.called(activity))
        ready: float = at
        if place is not None:
            token = self.tokens.pop(place)
            ready = token.since if isinstance(self.ways.nodes[token.node], Choice) else at
            if token.status == JOINED:
                self._absorb(token.node)
        self.mended += cost >= 0.5
        self._walk(path, ready)
        self._count(path[-1])
        node, status = path[-1], WAITING if isinstance(self.ways.nodes[path[-1]], Task) else DELAYED
        self.tokens.append(Token(self.case.id, node, status, ready if since is None else since))
        self.gone = False
        return len(self.tokens) - 1

    def _walk(self, path: Sequence[str], at: float) -> None:
        for name, then in pairwise(path):
            node = self.ways.nodes[name]
            if not isinstance(node, Join):
                self._count(name)
            if isinstance(node, Split):
                for branch in [branch for branch in node.to if branch != then]:
                    self._enter(branch, at)
            elif isinstance(node, Join):
                self._absorb(name)

    def _absorb(self, join: str) -> None:
        """Take away the tokens that must have come to *join* for one to have passed it."""
        for _ in range(self.ways.parts.get(join, 1) - 1):
            costs = [
                (-1.0 if token.node == join else self._cost(token, (join,))[0], place)
                for place, token in enumerate(self.tokens)
            ]
            if costs and min(costs)[0] < LOST:
                self.tokens.pop(min(costs)[1])

    def _nearest(self, places: Sequence[str]) -> tuple[float, int | None, tuple[str, ...]]:
        """Return the cost, the place of the token (None: a new one) and the way by which one came to one of *places*."""
        found = [(*self._cost(token, places), place) for place, token in enumerate(self.tokens)]
        if found and min(found)[0] < LOST:
            cost, path, place = min(found)
            return cost, place, path
        if not self.tokens and not self.arrived and not self.gone:
            cost, path = self._cheapest(self._entry(), places)
            return cost, None, path
        return LOST, (0 if len(self.tokens) == 1 else None), tuple(places[:1])

    def _nearest_free(self, activity: str) -> float:
        """Return the cost of a way from where the activity is done back to itself."""
        return min(
            (self._cheapest(self.ways.after(name), (name,))[0] for name in self.ways.called(activity)), default=LOST
        )

    def _cost(self, token: Token, places: Sequence[str]) -> tuple[float, tuple[str, ...]]:
        at_choice = isinstance(self.ways.nodes[token.node], Choice)
        cost, path = self._cheapest(self.ways.after(token.node), places)
        return cost + (0.0 if at_choice else FINISHING[token.status]), path

    def _cheapest(self, start: str, places: Sequence[str]) -> tuple[float, tuple[str, ...]]:
        ways = [way for place in places if (way := self.ways.way(start, place)) is not None]
        return min(ways, default=(LOST, tuple(places[:1])))

    def _at(self, activity: str, *statuses: int) -> int | None:
        """Return the place of the token at *activity* that has the first of these statuses, the longest there first."""
        places = self.ways.called(activity)
        found = [
            (statuses.index(token.status), token.since, place)
            for place, token in enumerate(self.tokens)
            if token.node in places and token.status in statuses
        ]
        return min(found)[2] if found else None

    def _any_waiting(self) -> int | None:
        return next((place for place, token in enumerate(self.tokens) if token.status == WAITING), None)

    def _entry(self) -> str:
        groups = {group.name: group.entry for group in self.ways.network.customers}
        return groups[self.case.customers]

    def _team(self, node: str, resource: str) -> int:
        found = self.ways.nodes[node]
        teams = self.ways.stations[found.station].teams if isinstance(found, Task) else ()
        named = [index for index, team in enumerate(teams) if resource in (team.pool, *team.with_)]
        return named[0] if named else 0 if len(teams) == 1 else -1


LOST = 1e3
"""The cost where there is no way at all."""

PHASE: Mapping[str, Callable[[Track, Event], None]] = {
    "arrived": Track._arrives, "queued": Track._queues, "started": Track._starts, "completed": Track._completes,
    "abandoned": Track._gives_up, "left": Track._leaves, "paused": Track._pauses, "resumed": Track._resumes,
}  # fmt: skip
