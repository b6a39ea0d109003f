"""Watch: what heart rate and steps say of exercise, told to the twin beside what it reads.

A heart rate above rest alone may be a fright, so where steps are told too, it counts as exercise only with purposeful steps, or
where it is as high as in exercise of moderate intensity. Where there is no heart rate, steps stand in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from gemel.errors import GemelError
from gemel.facts import HOUR, MINUTE, Time
from gemel.streams import Item, Live, Source, Watched
from gemel.streams.report import Report

REST, QUIET, STEP = 65.0, 15.0, 10.0
"""bpm, by judgement: the rate at rest where none is known, what above it is no exercise yet, and what change is told."""

PURPOSEFUL, BRISK = 40.0, 100.0
"""Steps a minute: purposeful ones (10.2165/11599170-000000000-00000), and brisk walking (10.1136/bjsports-2017-097628)."""

ALONE, WALK = 50.0, 40.0
"""bpm above rest: exercise even without steps, 40 % (10.1249/MSS.0b013e318213fefb) of a reserve of 125 bpm; brisk walking, by
judgement."""

FRESH: Time = 10 * MINUTE
"""How long a reading of the watch speaks for the present."""

EVERY: Time = 5 * MINUTE
"""The time that a first count of steps is taken to be of; a later one is of the time since, an hour at most."""


@dataclass
class _Effort:
    """The last heart rate above *rest* and the last steps a minute, each with its time, and the effort last told, bpm."""

    rest: float
    told: float | None = None
    told_at: Time | None = None
    beats: tuple[Time, float] | None = None
    pace: tuple[Time, float] | None = None

    def beside(self, item: Item) -> list[Item]:
        """Return *item*, and what it says of exercise where that is new."""
        if item.retracted or not self._heard(item) or item.at == self.told_at:
            return [item]
        now = self._now(item.at)
        if self.told is not None and abs(now - self.told) < STEP and (now > 0.0) == (self.told > 0.0):
            return [item]
        self.told, self.told_at = now, item.at
        source_id = None if item.source_id is None else f"{item.source_id}|exercise"
        return [item, replace(item, name="exercise", value=round(min(now, 160.0), 1), unit="bpm", source_id=source_id)]

    def _heard(self, item: Item) -> bool:
        """Take in a reading; return whether it is time to judge: not by one that comes late, nor before its steps are told.

        What other devices say is time to judge where the watch fell silent in the middle of exercise.
        """
        last = max((at for at, _ in self._known()), default=item.at)
        if item.name not in ("heart_rate", "steps"):
            return bool(self.told) and item.at - last > FRESH
        if item.at < last:
            return False
        if item.name == "heart_rate":
            self.beats = (item.at, item.value - self.rest)
            return self.pace is None or self.pace[0] == item.at or item.at - self.pace[0] > FRESH
        since = EVERY if self.pace is None else min(item.at - self.pace[0], HOUR)
        self.pace = (item.at, item.value / (since / MINUTE)) if since else self.pace
        return True

    def _known(self) -> list[tuple[Time, float]]:
        return [one for one in (self.beats, self.pace) if one is not None]

    def _now(self, at: Time) -> float:
        """Return the effort, bpm above rest."""
        above, pace = (None if one is None or at - one[0] > FRESH else one[1] for one in (self.beats, self.pace))
        if above is None:
            return WALK * min((pace or 0.0) / BRISK, 1.5) if (pace or 0.0) >= PURPOSEFUL else 0.0
        moving = pace is None or pace >= PURPOSEFUL or above >= ALONE
        return above if above >= QUIET and moving else 0.0


def recognised(items: Iterable[Item], rest: float = REST) -> Iterator[Item]:
    """Yield *items* in order, and after each what it says of exercise, for a heart rate of *rest* bpm at rest."""
    effort = _Effort(rest)
    for item in items:
        yield from effort.beside(item)


@dataclass(frozen=True)
class _Bounded:
    source: Source
    rest: float

    @property
    def name(self) -> str:
        """Return which source this is."""
        return self.source.name

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield what the source says, and exercise."""
        yield from recognised(self.source.read(report), self.rest)


@dataclass(frozen=True)
class _Endless:
    source: Live
    rest: float

    @property
    def name(self) -> str:
        """Return which source this is."""
        return self.source.name

    async def items(self) -> AsyncIterator[Item]:
        """Yield what the source says, and exercise."""
        effort = _Effort(self.rest)
        async for item in self.source.items():
            for told in effort.beside(item):
                yield told


@dataclass(frozen=True)
class _Tended(_Endless):
    source: Watched

    def watched(self, on_problem: Callable[[GemelError], None], on_connect: Callable[[], None]) -> Live:
        """Return the same source, telling of its troubles."""
        return _Endless(self.source.watched(on_problem, on_connect), self.rest)


def with_exercise(source: Source, rest: float = REST) -> Source:
    """Return a file source that also tells exercise, in bpm of the heart rate above *rest*, whenever that changes."""
    return _Bounded(source, rest)


def live_exercise(source: Live, rest: float = REST) -> Live:
    """Return a live source that also tells exercise, in bpm of the heart rate above *rest*, whenever that changes."""
    return _Tended(source, rest) if isinstance(source, Watched) else _Endless(source, rest)
