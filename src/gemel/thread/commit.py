"""Group commit: whoever finds nobody committing commits for all who wait; a lone writer commits on its own thread.

Those who wait are called one after the other: each calls the next, and goes on. Called all at once, they would queue for
the interpreter, and the one who commits behind them. Who is to commit next is called first, so that the disk works while
the others come back with more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise

from gemel.errors import Unavailable
from gemel.facts import Fact, Time
from gemel.thread.codec import Prepared


class Ticket:
    """One append on its way: it ends with `facts` and `duplicates`, or with an `error`."""

    __slots__ = ("after", "called", "done", "drafts", "duplicates", "error", "facts", "following", "now", "wake")

    def __init__(self, drafts: Sequence[Prepared], now: Time, after: int | None = None) -> None:
        self.drafts, self.now, self.after = drafts, now, after
        self.facts: tuple[Fact, ...] = ()
        self.duplicates = 0
        self.error: BaseException | None = None
        self.done = self.called = False
        self.wake: threading.Lock | None = None
        self.following: Ticket | None = None


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
            if self._leading:
                ticket.wake = threading.Lock()
                ticket.wake.acquire()
                self._pending.append(ticket)
            self._leading = True
        if ticket.wake is None:
            self._lead(ticket)
        else:
            self._wait(ticket, ticket.wake)

    def _wait(self, ticket: Ticket, wake: threading.Lock) -> None:
        """Return when the ticket is done, by itself if need be; an interrupt takes it back while nobody has taken it."""
        interrupt: BaseException | None = None
        while not ticket.called:
            try:
                wake.acquire()
            except BaseException as error:
                if self._taken_back(ticket):
                    raise
                interrupt = error
        _call(ticket.following)
        if not ticket.done:
            self._lead(ticket)
        if interrupt is not None:
            raise interrupt

    def _taken_back(self, ticket: Ticket) -> bool:
        with self._mutex:
            waiting = ticket in self._pending
            if waiting:
                self._pending.remove(ticket)
            return waiting

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
            self._finish(batch)

    def _finish(self, batch: Sequence[Ticket]) -> None:
        """Let the next one lead, and all of *batch* but its leader go on."""
        for finished in batch:
            finished.done = True
        with self._mutex:
            self._leading = bool(self._pending)
            waiting = [self._pending.popleft(), *batch[1:]] if self._pending else batch[1:]
        for one, following in pairwise(waiting):
            one.following = following
        _call(waiting[0] if waiting else None)


def _call(ticket: Ticket | None) -> None:
    if ticket is not None and ticket.wake is not None:
        ticket.called = True
        ticket.wake.release()


def _of(error: BaseException, own: bool) -> BaseException:
    """Return the error as others in the batch see it: an interrupt concerns only the thread it hit."""
    return error if own or isinstance(error, Exception) else Unavailable("the append was interrupted; try again")
