"""Adding to the end of a PostgreSQL store over a connection that may be lost at any moment.

What a lost connection leaves open is found out, not guessed: whoever holds the lock anew knows that the session before has
ended, so that what lies there now is what was stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psycopg

from gemel.errors import Tampered, Unavailable
from gemel.thread.ledger import Entry, Head
from gemel.thread.postgres_address import Address
from gemel.thread.postgres_link import Writer
from gemel.thread.postgres_store import head_of
from gemel.thread.postgres_tables import Db, scalar, write

PAUSES_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)
"""Waits before each attempt to learn whether facts were stored whose commit was not answered."""


class Writing:
    """The end of a store; *regained* hears, where the lock was lost for a while, from which size the store grew to which."""

    def __init__(self, address: Address, pauses_s: Sequence[float], regained: Callable[[int, int], None]) -> None:
        self._address, self._pauses_s, self._regained = address, pauses_s, regained
        self._writer = Writer(address)
        self._head: Head | None = None
        self._known = 0

    @property
    def db(self) -> Db:
        """Return the connection that holds the lock."""
        return self._writer.db

    @property
    def held(self) -> bool:
        """Return whether the lock was not lost."""
        return self._writer.alive()

    @property
    def size(self) -> int:
        """Return how many facts are known to be stored."""
        return self._known

    def begin(self) -> Head:
        """Return how far the store goes, on opening it."""
        self._head = head_of(self.db, self._address)
        self._known = self._head.size
        return self._head

    def ready(self) -> Head:
        """Return how far the store goes, connected anew where the connection was lost."""
        if not self.held:
            self._head = None
            self._writer.connect()
        if self._head is None:
            self._head = self._again()
        return self._head

    def _again(self) -> Head:
        head = head_of(self.db, self._address)
        if head.size < self._known:
            raise Tampered(
                f"{self._address.shown} ends at fact {head.size}, but {self._known} were stored; the server lost facts or"
                " an older copy was put in its place"
            )
        self._regained(self._known, head.size)
        self._known = head.size
        return head

    def store(self, entry: Entry) -> None:
        """Store what was composed on the head; where no answer comes, find out what became of it."""
        try:
            write(self.db, entry)
            self._head = entry.head
        except psycopg.Error:
            if self.held:
                raise
            self._head = None
            self._find_out(entry)
        except BaseException:
            self.close()
            raise
        self._known = entry.head.size

    def _find_out(self, entry: Entry) -> None:
        """Connect anew, look whether the entry was stored, and store it if not; give up after the last pause."""
        why: object = None
        for pause in self._pauses_s:
            time.sleep(pause)
            try:
                self._writer.connect()
                if self._is_stored(entry) or self._store_again(entry):
                    return
            except (psycopg.Error, Unavailable) as error:
                if isinstance(error, psycopg.Error) and self.held:
                    raise
                why = error
                continue
            raise Unavailable(
                f"{self._address.shown} was written by another process meanwhile; append {_span(entry)} again"
            )
        self.close()
        raise Unavailable(
            f"the connection broke while {_span(entry)} were on their way, and whether they are stored cannot be known yet"
            f" ({self._address.clean(why)}); append them again with their keys: what is there is not stored twice"
        )

    def _is_stored(self, entry: Entry) -> bool:
        """Return whether the last row lies where it was to lie; the others then do too."""
        last = entry.rows[-1]
        return bool(scalar(self.db, "SELECT leaf FROM fact WHERE seq = %s", last.seq) == last.leaf)

    def _store_again(self, entry: Entry) -> bool:
        """Store an entry unless the store has grown by somebody else's facts."""
        free = head_of(self.db, self._address).size == entry.rows[0].seq - 1
        if free:
            write(self.db, entry)
        return free

    def close(self) -> None:
        """Let go of the connection, and so of the lock."""
        self._head = None
        self._writer.close()


def _span(entry: Entry) -> str:
    return f"facts {entry.rows[0].seq} to {entry.rows[-1].seq}"
