"""Changes: who waits for news of a twin is woken, from whatever thread they come; only the latest state counts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterable

Waiting = tuple[asyncio.AbstractEventLoop, asyncio.Event, str]


class Changes:
    """A version per twin, raised by each change."""

    def __init__(self) -> None:
        self._versions: Counter[str] = Counter()
        self._all = 0
        self._waiting: set[Waiting] = set()
        self._lock = threading.Lock()

    def version(self, twin: str) -> int:
        """Return how often the twin has changed."""
        return self._versions[twin] + self._all

    def mark(self, twin: str) -> None:
        """Say that something about *twin* is new."""
        with self._lock:
            self._versions[twin] += 1
            waiting = [entry for entry in self._waiting if entry[2] == twin]
        _wake(waiting)

    def mark_all(self) -> None:
        """Say that something about every twin may be new."""
        with self._lock:
            self._all += 1
            waiting = list(self._waiting)
        _wake(waiting)

    async def after(self, twin: str, version: int, patience_s: float) -> int:
        """Return the version once it is not *version* any more, or after *patience_s*."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event, twin)
        with self._lock:
            self._waiting.add(entry)
        try:
            if self.version(twin) == version:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience_s):
                        await event.wait()
            return self.version(twin)
        finally:
            with self._lock:
                self._waiting.discard(entry)


def _wake(waiting: Iterable[Waiting]) -> None:
    for loop, event, _ in waiting:
        with contextlib.suppress(RuntimeError):  # its loop has closed
            loop.call_soon_threadsafe(event.set)
