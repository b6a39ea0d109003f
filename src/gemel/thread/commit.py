"""Group commit: whoever finds nobody committing commits for all who wait; a lone writer commits on its own thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from gemel.errors import Unavailable
from gemel.facts import Fact, Time
from gemel.thread.codec import Prepared


class Ticket:
    """One append on its way: it ends with `facts` and `duplicates`, or with an `error`."""

    __slots__ = ("done", "drafts", "duplicates", "error", "facts", "now", "wake")

    def __init__(self, drafts: Sequence[Prepared], now: Time) -> None:
        self.drafts, self.now = drafts, now
        self.facts: tuple[Fact, ...] = ()
        self.duplicates = 0
        self.error: BaseException | None = None
        self.done = False
        self.wake: threading.Lock | None = None


class GroupCommit:
    """Hands tickets to *commit* in order of arrival, many at a time, from one thread at a time."""

    def __init__(self, commit: Callable[[Sequence[Ticket]], None]) -> None:
        self._commit = commit
        self._mutex = threading.Lock()
        self._pending: deque[Ticket] = deque()
        self._leading = False

    def submit(self, ticket: Ticket) -> None:
        """Return once *commit* has dealt with the ticket."""
        with self._mutex:
            alone = not self._leading
            if alone:
                self._leading = True
            else:
                ticket.wake = threading.Lock()
                ticket.wake.acquire()
                self._pending.append(ticket)
        if ticket.wake is not None:
            self._wait(ticket, ticket.wake)
        if not ticket.done:
            self._lead(ticket)

    def _wait(self, ticket: Ticket, wake: threading.Lock) -> None:
        """Return when the ticket is done or has to lead; an interrupt takes it back only while nobody has taken it."""
        try:
            wake.acquire()
        except BaseException:
            with self._mutex:
                if ticket in self._pending:
                    self._pending.remove(ticket)
                    raise
            wake.acquire()
            if not ticket.done:
                self._lead(ticket)
            raise

    def _lead(self, ticket: Ticket) -> None:
        with self._mutex:
            batch = [ticket, *self._pending]
            self._pending.clear()
        try:
            self._commit(batch)
        except BaseException as error:
            for failed in batch:
                failed.error = failed.error or _of(error, failed is ticket)
            raise
        finally:
            for finished in batch:
                finished.done = True
            with self._mutex:
                successor = self._pending.popleft() if self._pending else None
                self._leading = successor is not None
            for waiting in (*batch[1:], successor):
                if waiting is not None and waiting.wake is not None:
                    waiting.wake.release()


def _of(error: BaseException, own: bool) -> BaseException:
    """Return the error as others in the batch see it: an interrupt concerns only the thread it hit."""
    return error if own or isinstance(error, Exception) else Unavailable("the append was interrupted; try again")
