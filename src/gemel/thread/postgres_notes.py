"""Notes in a table of a PostgreSQL store."""

from __future__ import annotations

import contextlib

from gemel.errors import GemelError
from gemel.thread.postgres_link import Readers
from gemel.thread.postgres_tables import scalar, text

_PUT = "INSERT INTO note VALUES (%b, %b, %b) ON CONFLICT (twin, name) DO UPDATE SET data = excluded.data"


class TableNotes:
    """Notes as rows; a server that cannot be reached or written only means that nothing is kept."""

    def __init__(self, connections: Readers) -> None:
        self._connections = connections

    def put(self, twin: str, name: str, data: bytes) -> None:
        """Replace a note."""
        with contextlib.suppress(GemelError), self._connections.one() as db:
            db.execute(_PUT, (text(twin), text(name), data))

    def get(self, twin: str, name: str) -> bytes | None:
        """Return a note, or None."""
        with contextlib.suppress(GemelError), self._connections.one() as db:
            found: bytes | None = scalar(
                db, "SELECT data FROM note WHERE twin = %b AND name = %b", text(twin), text(name)
            )
            return found
        return None

    def drop(self, twin: str) -> None:
        """Remove all notes of a subject, or raise what hinders that."""
        with self._connections.one() as db:
            db.execute("DELETE FROM note WHERE twin = %b", (text(twin),))
