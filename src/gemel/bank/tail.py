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

    def warm(self, twins: Collection[str]) -> None:
        """Read what is new of many twins at once."""
        size = self._thread.size
        with self._lock:
            stale = {twin: self._held.get(twin, (0, ())) for twin in twins if self._held.get(twin, (-1,))[0] != size}
            known = {twin for twin, (seen, _) in stale.items() if seen}
            since = min((stale[twin][0] for twin in known), default=0)
            for whose, after in ((known, since), (stale.keys() - known, 0)):
                for told in self._thread.skim(self._kinds, twins=whose, after_seq=after) if whose else ():
                    seen, held = stale[told.twin]
                    if not held or told.seq > held[-1].seq:
                        stale[told.twin] = seen, (*held, told.fact())
            self._held.update((twin, (size, held)) for twin, (_, held) in stale.items())

    def forget(self, twin: str) -> None:
        """Forget what was read of the twin."""
        with self._lock:
            self._held.pop(twin, None)
