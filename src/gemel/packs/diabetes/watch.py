"""Watch: what heart rate says of exercise, told to the twin beside what it reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

from gemel.streams import Item, Live, Source
from gemel.streams.report import Report

REST, QUIET, STEP = 65.0, 15.0, 10.0
"""bpm, by judgement: the rate at rest where none is known, what above it is no exercise yet, and what change is told."""


@dataclass
class _Effort:
    """The last heart rate above rest that was told."""

    rest: float
    told: float = 0.0

    def beside(self, item: Item) -> list[Item]:
        """Return *item*, and what it says of exercise where that has changed."""
        if item.name != "heart_rate" or item.retracted:
            return [item]
        above = item.value - self.rest
        now = above if above >= QUIET else 0.0
        if abs(now - self.told) < STEP and (now > 0.0) == (self.told > 0.0):
            return [item]
        self.told = now
        source_id = None if item.source_id is None else f"{item.source_id}|exercise"
        return [item, replace(item, name="exercise", value=round(min(now, 160.0), 1), unit="bpm", source_id=source_id)]


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
        effort = _Effort(self.rest)
        for item in self.source.read(report):
            yield from effort.beside(item)


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


def with_exercise(source: Source, rest: float = REST) -> Source:
    """Return a file source that also tells exercise: how far the heart rate is above *rest* bpm, whenever that changes."""
    return _Bounded(source, rest)


def live_exercise(source: Live, rest: float = REST) -> Live:
    """Return a live source that also tells exercise: how far the heart rate is above *rest* bpm, whenever that changes."""
    return _Endless(source, rest)
