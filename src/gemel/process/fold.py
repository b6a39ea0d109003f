"""Fold: from events, in any order, some missing, some late, to who is in the service at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gemel.dynamics import Event
from gemel.facts import HOUR, Time
from gemel.process.network import END, Choice, Network, Task
from gemel.process.present import SERVED, WAITING, Case, Present, Token, empty
from gemel.process.track import Track
from gemel.process.ways import Ways

GONE = 0.5
"""A silent case that has left with a higher probability than this is not counted as present."""

UNTOLD: Time = HOUR
"""A choice takes no time: who could leave there, and is not heard of for so long, has left."""

LONG = 3.0
"""What lasts less than this many times the mean is not asked whether it must have ended unseen."""


@dataclass(frozen=True)
class Silence:
    """How long cases are silent: per activity last seen, the share that ended with it, and for the others the quantiles (s) of
    the time until the next event, at equal steps 0…1."""

    ended: Mapping[str, float]
    gaps: Mapping[str, tuple[float, ...]]

    def left(self, activity: str, seconds: float) -> float:
        """Return the probability that a case not heard of for *seconds* since *activity* has left."""
        ended, gaps = self.ended.get(activity, 0.0), self.gaps.get(activity, ())
        if not gaps:
            return ended
        longer = 1.0 - float(np.interp(seconds, gaps, np.linspace(0.0, 1.0, len(gaps))))
        return ended / (ended + (1.0 - ended) * longer) if ended > 0 else 0.0


@dataclass
class Fold:
    """Who is in a service, from a present state (default: nobody) and the events since; the same whatever their order.

    `lost` is the share of events that never come: with it a service that lasts far longer than it can is taken to be over.
    With `silence`, cases that have probably left in silence are left out of `present`, and `leaving` says how probably.
    `mended` counts events that did not fit and were made sense of; `arrived` names the classes of those who came, and
    `served` tells the services that were seen whole: class, station, team, seconds.
    """

    network: Network
    base: Present | None = None
    lost: float = 0.0
    silence: Silence | None = None
    ways: Ways | None = None
    _events: dict[str, dict[tuple[Time, str, str, str], Event]] = field(default_factory=dict)
    _tracks: dict[str, tuple[int, Track]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ways = self.ways or Ways(self.network)
        self._cases = {case.id: case for case in self.base.cases} if self.base else {}
        self._tokens: dict[str, list[Token]] = {name: [] for name in self._cases}
        for token in self.base.tokens if self.base else ():
            self._tokens.setdefault(token.case, []).append(token)

    def take(self, event: Event) -> None:
        """Take one event, in whatever order they come; the same one told twice counts once."""
        key = (event.at, event.phase, event.activity, event.resource)
        self._events.setdefault(event.case, {})[key] = event

    @property
    def mended(self) -> int:
        """Return how many of the events taken did not fit."""
        return sum(track.mended for track in self._followed(None))

    @property
    def arrived(self) -> tuple[str, ...]:
        """Return the class of each case that was not there before."""
        return tuple(track.case.customers for track in self._followed(None) if track.case.id not in self._cases)

    @property
    def served(self) -> tuple[tuple[str, str, int, float], ...]:
        """Return the services that were seen whole: class, station, team, seconds."""
        return tuple(one for track in self._followed(None) for one in track.served)

    def present(self, at: Time) -> Present:
        """Return who is in the service at *at*, by the events until then."""
        base = self.base or empty(at)
        tracks = self._followed(at)
        touched = {track.case.id for track in tracks}
        here = [track for track in tracks if track.tokens]
        here += [self._still(name) for name in self._cases if name not in touched]
        here = sorted((self._aged(track, at) for track in here), key=lambda track: (track.case.arrived, track.case.id))
        here = [track for track in here if track.tokens and self._left(track, at) <= GONE]
        return replace(
            base, at=at, cases=tuple(track.case for track in here), away=self._away(at),
            tokens=tuple(token for track in here for token in track.tokens), came=self._came(tracks),
            next_arrival={name: due for name, due in base.next_arrival.items() if due > at and not tracks},
        )  # fmt: skip

    def leaving(self, at: Time) -> Mapping[str, float]:
        """Return for each case with tokens left the probability that it has left in silence."""
        tracks = [*self._followed(at)]
        tracks += [self._still(name) for name in self._cases if name not in self._events]
        return {track.case.id: self._left(track, at) for track in tracks if track.tokens}

    # one case

    def _followed(self, at: Time | None) -> list[Track]:
        """Return the tracks of all cases that events until *at* tell of, in the order in which they arrived."""
        found = [self._track(case, at) for case in sorted(self._events) if case]
        return sorted((track for track in found if track), key=lambda track: (track.case.arrived, track.case.id))

    def _track(self, case: str, at: Time | None) -> Track | None:
        keys = sorted(self._events[case])
        events = [self._events[case][key] for key in keys if at is None or key[0] <= at]
        if not events:
            return None
        if case not in self._tracks or self._tracks[case][0] != len(events):
            track = self._still(case) if case in self._cases else self._begun(events)
            track.follow(events)
            self._tracks[case] = (len(events), track)
        return self._tracks[case][1]

    def _still(self, case: str) -> Track:
        return Track(self._ways, self._cases[case], list(self._tokens[case]), arrived=True)

    def _begun(self, events: list[Event]) -> Track:
        """Return the track of a case that was not there before: its class as told, or the one that can best have come."""
        about = {name: value for event in events for name, value in event.attributes.items()}
        told = str(about.get("customers", about.get("class", "")))
        groups = [group.name for group in self.network.customers]
        name = (
            told
            if told in groups
            else min(groups, key=lambda group: (self._strange(group, events), groups.index(group)))
        )
        return Track(self._ways, Case(events[0].case, name, events[0].at))

    def _strange(self, group: str, events: list[Event]) -> float:
        entry = next(one.entry for one in self.network.customers if one.name == group)
        first = next((event.activity for event in events if event.activity), "")
        ways = [self._ways.way(entry, name) for name in self._ways.called(first)]
        return min((way[0] for way in ways if way), default=1e3)

    # what silence says

    def _aged(self, track: Track, at: Time) -> Track:
        """Return the track without services and waits that must be over, if events get lost."""
        over = [token for token in track.tokens if self.lost and self._over(track.case, token, at)]
        if not over:
            return track
        kept = [token for token in track.tokens if token not in over]
        aged = Track(self._ways, track.case, kept, arrived=True, doing=track.doing)
        for token in over:
            aged._enter(self._ways.after(token.node) if token.status == SERVED else self._given_up(token), at)
        return aged

    def _given_up(self, token: Token) -> str:
        node = self._ways.nodes[token.node]
        return self._ways.stations[node.station].gives_up_to if isinstance(node, Task) else END

    def _over(self, case: Case, token: Token, at: Time) -> bool:
        """Return whether a service, or patience, must have ended unseen, or she left after her last service untold."""
        node = self._ways.nodes[token.node]
        if isinstance(node, Choice):
            return at - token.since > UNTOLD and self._ways.way(token.node, END) is not None
        if token.status not in (SERVED, WAITING) or not isinstance(node, Task):
            return False
        station = self._ways.stations[node.station]
        lasts = station.service if token.status == SERVED else station.patience
        usual = lasts.get(case.customers) or lasts.get("*")
        seconds = (at - (token.started if token.started is not None else token.since)) / 1000
        if usual is None or seconds < LONG * usual.mean:
            return False
        done = float(usual.cdf(np.array(seconds)))
        return self.lost * done > 1.0 - done

    def _left(self, track: Track, at: Time) -> float:
        """Return the probability that a case has left: one that ends at a choice which leads out, in silence."""
        if self.silence is None or len(track.tokens) != 1:
            return 0.0
        token = track.tokens[0]
        if not isinstance(self._ways.nodes[token.node], Choice) or self._ways.way(token.node, END) is None:
            return 0.0
        before = [name for name, node in self._ways.nodes.items() if getattr(node, "then", "") == token.node]
        doing = track.doing or (before[0].partition("#")[0] if len(before) == 1 else "")
        return self.silence.left(doing, (at - token.since) / 1000)

    # the rest

    def _came(self, tracks: list[Track]) -> Mapping[str, int]:
        came = dict(self.base.came) if self.base else {}
        for track in tracks:
            if track.case.id not in self._cases:
                came[track.case.customers] = came.get(track.case.customers, 0) + 1
        return came

    def _away(self, at: Time) -> tuple[tuple[str, float | None], ...]:
        """Return units that are away: those of before that are not back, and resources that are down."""
        away = [one for one in (self.base.away if self.base else ()) if one[1] is None or one[1] > at]
        pools = {pool.name for pool in self.network.pools}
        for key in sorted(self._events.get("", {})):
            event = self._events[""][key]
            if event.at > at or event.resource not in pools:
                continue
            if event.phase == "down":
                away.append((event.resource, None))
            elif event.phase == "up":
                gone = next((one for one in away if one[0] == event.resource), None)
                away = [one for one in away if one is not gone]
        return tuple(away)
