"""Demo: what a pack offers to show, a virtual counterpart and the twin that keeps step with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gemel.bank import Bank
from gemel.facts import Time

Clock = Callable[[], Time]


class Room(Protocol):
    """The living room of one demo: the counterpart with its devices, and how its twin is set up."""

    def prepare(self, bank: Bank) -> None:
        """Make the twin if there is none, and load its past."""
        ...

    def connect(self, bank: Bank, broker_url: str) -> None:
        """Let the twin listen to the devices, and act through them."""
        ...

    async def live(self, broker_url: str, stop: asyncio.Event) -> None:
        """Let the counterpart live until *stop*: its devices speak to the broker, and obey what it carries."""
        ...


@dataclass(frozen=True)
class Demo:
    """One demonstration: who looks on (`actor`, for `purpose`; `others` with theirs), and how to furnish the room by a clock."""

    name: str
    title: str
    actor: str
    purpose: str
    furnish: Callable[[Clock], Room]
    others: Mapping[str, str] = field(default_factory=dict)
