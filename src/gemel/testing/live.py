"""To test what lives: a clock that is told the time, a source that says what it is given, a sink that remembers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gemel.errors import GemelError, Unavailable
from gemel.facts import Time
from gemel.streams import Item, Live


@dataclass
class FakeClock:
    """Shows `now` until it is moved."""

    now: Time = 0

    def __call__(self) -> Time:
        return self.now

    def pass_time(self, length: Time) -> Time:
        """Move on by *length* ms, and return the time."""
        self.now += length
        return self.now


@dataclass
class ListSource:
    """Says `says` once, errors among it as problems, then ends."""

    says: Sequence[Item | GemelError]
    name: str = "list"
    on_problem: Callable[[GemelError], None] = field(default=lambda problem: None)
    on_connect: Callable[[], None] = field(default=lambda: None)

    def watched(self, on_problem: Callable[[GemelError], None], on_connect: Callable[[], None]) -> Live:
        """Return the same source, telling how it fares."""
        return ListSource(self.says, self.name, on_problem, on_connect)

    async def items(self) -> AsyncIterator[Item]:
        """Yield what it was given."""
        for said in self.says:
            if isinstance(said, GemelError):
                self.on_problem(said)
            else:
                yield said


@dataclass
class MemorySink:
    """Remembers what it was sent, with its key; before that, calls the next of `before`, which may raise."""

    name: str = "memory"
    sent: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    before: list[Callable[[], None]] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        """Return the keys of what was sent."""
        return [key for key, _ in self.sent]

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Take a message."""
        if self.before:
            self.before.pop(0)()
        self.sent.append((key, message))


def broken() -> None:
    """Fail as a sink does whose other side is away."""
    raise Unavailable("nobody there")
