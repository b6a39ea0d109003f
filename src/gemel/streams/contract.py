"""What a stream is: a source says things about the asset, a sink carries decisions to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from gemel.dynamics import EVENTS, Event
from gemel.errors import BadInput, GemelError
from gemel.facts import Time
from gemel.streams.report import Report


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said: a file or topic, the row in it (line, sheet row, n-th record; from 1), the field."""

    file: str
    row: int | None = None
    field: str | None = None

    def at(self, field: str) -> Place:
        """Return the place of one field of this row."""
        return replace(self, field=field)

    def bad(self, problem: str) -> BadInput:
        """Return the error that says what is wrong here."""
        return BadInput(problem, file=self.file, row=self.row, field=self.field)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a source says about the asset: what a signal read or a lever did, in the unit as found.

    `source_id` is the source's own name for the record, if it has one. `retracted` means that the source takes the
    record back: the bank writes a fact that withdraws the one under `withdraws(item)`. With an `event` it tells what
    happened to a case, and value and unit say nothing: `told` makes such an item.
    """

    name: str
    value: float
    unit: str
    at: Time
    source_id: str | None
    by: Place
    retracted: bool = False
    event: Event | None = None


def told(event: Event, source_id: str | None, by: Place) -> Item:
    """Return the item that tells an event."""
    return Item(EVENTS, 1.0, "", event.at, source_id, by, event=event)


def key_of(item: Item) -> str:
    """Return the key that makes importing *item* idempotent, whatever the order or the company it comes in."""
    return f"{withdraws(item)}|retracted" if item.retracted else withdraws(item)


def withdraws(item: Item) -> str:
    """Return the key under which the un-retracted *item* was, or would have been, stored."""
    if item.source_id is not None:
        return f"{item.source_id}|{item.name}"
    if item.event is not None:
        one = item.event
        return "|".join((EVENTS, str(one.at), one.case, one.phase, one.activity, one.resource))
    return f"{item.name}|{item.at}|{item.value!r}|{item.unit}"


@runtime_checkable
class Source(Protocol):
    """Something bounded that can be read whole, such as files."""

    @property
    def name(self) -> str:
        """Say which source this is, without secrets."""
        ...

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items in order of time; raise `BadInput` before the last if any is wrong: collect, then write."""
        ...


@runtime_checkable
class Live(Protocol):
    """Something that goes on talking, such as a broker's topic."""

    @property
    def name(self) -> str:
        """Say which source this is, without secrets."""
        ...

    def items(self) -> AsyncIterator[Item]:
        """Yield items as they come, for ever; asking for the next one acknowledges the one before."""
        ...


@runtime_checkable
class Watched(Live, Protocol):
    """A live source that can say how it fares."""

    def watched(self, on_problem: Callable[[GemelError], None], on_connect: Callable[[], None]) -> Live:
        """Return the same source, telling of each broken connection or useless payload, and of each connection made."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Something that carries a message to the asset, at least once."""

    @property
    def name(self) -> str:
        """Say which sink this is, without secrets."""
        ...

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Return when the other side has *message*; *key* lets it drop repeats; raise `Unavailable` where it cannot."""
        ...
