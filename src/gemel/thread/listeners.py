"""Who hears of new facts: each listener in order of seq, on the thread of whoever appended, outside its lock."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from gemel.facts import Fact
from gemel.thread.contract import Listener

_log = logging.getLogger("gemel.thread")


class Listeners:
    """Batches are put in by whoever commits, and told by whoever finds nobody telling."""

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._numbers = itertools.count()
        self._batches: deque[Sequence[Fact]] = deque()
        self._telling = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with each batch from now on; return the function that stops it."""
        number = next(self._numbers)
        self._listeners[number] = listener

        def stop() -> None:
            self._listeners.pop(number, None)

        return stop

    def put(self, facts: Sequence[Fact]) -> None:
        """Take in a durable batch; to be called in order of seq."""
        if facts and self._listeners:
            self._batches.append(tuple(facts))

    def tell(self) -> None:
        """Tell what was put in, unless another thread is about it, which then tells this too."""
        while self._batches and self._telling.acquire(blocking=False):
            try:
                while self._batches:
                    self._tell(self._batches.popleft())
            finally:
                self._telling.release()

    def _tell(self, facts: Sequence[Fact]) -> None:
        for number, listener in list(self._listeners.items()):
            if number in self._listeners:
                try:
                    listener(facts)
                except Exception:
                    _log.exception("a listener failed on facts %d to %d; they are stored", facts[0].seq, facts[-1].seq)
