"""Study: beside the turns, a twin learns from how its past forecasts came true, every half day of its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gemel.bank import Bank
from gemel.bank.foresight import REFIT
from gemel.facts import DAY, Time

AFTER_S = 20.0
"""How long after its start the loop begins to learn: readings come first."""


class _Stopped(Exception):
    """Learning was given up half way; nothing of it is kept."""


class Study:
    """Knows when there is something to learn, and learns it unless it is told to stop."""

    def __init__(self, bank: Bank, clock: Callable[[], float] = time.monotonic, after_s: float = AFTER_S) -> None:
        self._bank, self._clock, self._from = bank, clock, clock() + after_s
        self._learned: dict[tuple[str, str, str], Time] = {}
        self._stop = threading.Event()

    def due(self, twin: str) -> list[str]:
        """Return the signals of which there is a day to learn from, and nothing learned in the last half day."""
        start, now = self._bank.replica(twin).start, self._bank.now()
        if self._clock() < self._from or start is None or now - start < DAY:
            return []
        kind = self._bank.type_of(twin)
        return [s for s in kind.band if now - self._learned.get((twin, s, kind.hash), -DAY) >= REFIT]

    def learn(self, twin: str, signal: str) -> None:
        """Learn, as the twin's first holder may; give up when stopped."""
        now = self._bank.now()
        try:
            self._bank.learn(twin, signal, self._bank.holders(twin)[0], now, self._tell)
        except _Stopped:
            return
        self._learned[twin, signal, self._bank.type_of(twin).hash] = now

    def forget(self, twin: str) -> None:
        """Forget what was learned of a twin, and when."""
        self._learned = {place: at for place, at in self._learned.items() if place[0] != twin}

    def stop(self) -> None:
        """Give up what is being learned."""
        self._stop.set()

    def _tell(self, what: str, done: int, whole: int) -> None:
        if self._stop.is_set():
            raise _Stopped
