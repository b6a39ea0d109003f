"""What companions remember between two sentences: in memory, for each actor, purpose and twin, and no longer than a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from gemel.facts import MINUTE, Time

Place = tuple[str, str, str]
"""A twin, an actor and a purpose."""

LASTS: Time = 30 * MINUTE
MOST = 10_000
"""How many conversations are remembered at once."""


class Talks:
    """Conversations that go on; nothing of them is written anywhere. *ticks* are seconds as people live them."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._held: OrderedDict[Place, tuple[Time, Mapping[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def now(self) -> Time:
        """Return the time of conversations, ms, which no demo speeds up."""
        return round(self._ticks() * 1000)

    def state(self, place: Place, now: Time) -> Mapping[str, Any]:
        """Return what is remembered, nothing of a conversation that has rested for half an hour."""
        with self._lock:
            at, held = self._held.get(place, (now, {}))
            return held if now - at <= LASTS else {}

    def keep(self, place: Place, state: Mapping[str, Any], now: Time) -> None:
        """Remember what the companion wants to remember; of too many conversations the oldest is forgotten."""
        with self._lock:
            self._held[place] = now, state
            self._held.move_to_end(place)
            while len(self._held) > MOST:
                self._held.popitem(last=False)

    def forget(self, twin: str) -> None:
        """Forget all conversations about a twin."""
        with self._lock:
            for place in [place for place in self._held if place[0] == twin]:
                del self._held[place]
