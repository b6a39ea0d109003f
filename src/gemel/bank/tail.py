"""Tail: the facts of some kinds of each twin, kept as they were read, and topped up with what is new."""

from __future__ import annotations

import threading
from collections.abc import Collection

from gemel.facts import Fact
from gemel.thread import Thread


class Tail:
    """Asks the thread each time, and only for what it has not seen: always in step with it, whoever appended."""

    def __init__(self, thread: Thread, kinds: Collection[str]) -> None:
        self._thread, self._kinds = thread, frozenset(kinds)
        self._held: dict[str, tuple[int, tuple[Fact, ...]]] = {}
        self._lock = threading.Lock()

    def of(self, twin: str) -> tuple[Fact, ...]:
        """Return the twin's facts of these kinds, in order; nothing is read where the thread has not grown."""
        size = self._thread.size
        with self._lock:
            seen, held = self._held.get(twin, (-1, ()))
            if seen != size:
                after = held[-1].seq if held else 0
                held = (*held, *self._thread.read(twin, kinds=self._kinds, after_seq=after))
                self._held[twin] = size, held
            return held

    def forget(self, twin: str) -> None:
        """Forget what was read of the twin."""
        with self._lock:
            self._held.pop(twin, None)
