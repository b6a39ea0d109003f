"""A store that is being copied into: marked unfinished in its `meta`, so that nobody takes it for whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import apsw

from gemel.errors import Refused
from gemel.thread.contract import Checkpoint
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.key_stores import open_keys
from gemel.thread.ledger import Entry, Head
from gemel.thread.lock import StoreLock
from gemel.thread.tables import FILE, FORMAT, SCHEMA, connect, scalar, store, understood

UNFINISHED = "unfinished copy"
"""The name in `meta` of the public key of the store that is being copied into this one."""
HINT = "is an unfinished copy; `gemel thread copy` from the same store finishes it"


class Place(Protocol):
    """Where a copy arrives: how far it is, its keys, and the steps to bring it on and to declare it whole."""

    head: Head
    keys: FolderKeys

    def write(self, entry: Entry) -> None:
        """Store rows, whole or not at all."""
        ...

    def finish(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Store the checkpoints and take the mark away, in one step."""
        ...


def check_empty(where: str, marked: str | None, public_key: str, size: int, signed: int) -> None:
    """Raise `Refused` unless a store is empty, or an unfinished copy of the store with that key."""
    if marked is not None and marked != public_key:
        raise Refused(f"{where} is an unfinished copy of another store; remove it, or copy elsewhere")
    if marked is None and (size or signed):
        raise Refused(f"{where} is not empty: it has {size} facts; a copy needs an empty store")


@contextmanager
def receive_in_folder(where: str, public_key: str) -> Iterator[Place]:
    """Lend the folder, made if need be, as the place for a copy of the store with that key."""
    folder = Path(where)
    path = folder / FILE
    with understood(path):
        folder.mkdir(parents=True, exist_ok=True)
        with closing(StoreLock(folder)), closing(connect(path, readonly=False)) as db:
            _mark(db, where, public_key)
            with closing(open_keys(None, folder / "keys")) as keys:
                yield _FolderPlace(db, keys)


def _mark(db: apsw.Connection, where: str, public_key: str) -> None:
    with db:
        if scalar(db, "SELECT count(*) FROM sqlite_schema") == 0:
            for statement in SCHEMA.values():
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT,))
            db.execute("INSERT INTO tree VALUES (1, 0, ?, x'')", (Head().known_at,))
        marked = scalar(db, "SELECT value FROM meta WHERE name = ?", UNFINISHED)
        size, signed = scalar(db, "SELECT size FROM tree"), scalar(db, "SELECT count(*) FROM checkpoint")
        check_empty(where, marked, public_key, size, signed)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('public key', ?), (?, ?)", (public_key, UNFINISHED, public_key))


class _FolderPlace:
    """In SQLite."""

    def __init__(self, db: apsw.Connection, keys: FolderKeys) -> None:
        self._db, self.keys = db, keys
        found: tuple[Any, ...] = db.execute("SELECT size, known_at, peaks FROM tree").fetchall()[0]
        size, known_at, peaks = found
        self.head = Head(size, known_at, tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32)))

    def write(self, entry: Entry) -> None:
        """Store rows, whole or not at all."""
        head = entry.head
        with self._db:
            store(self._db, entry.rows)
            self._db.executemany("INSERT INTO node VALUES (?, ?, ?)", entry.nodes)
            self._db.execute(
                "UPDATE tree SET size = ?, known_at = ?, peaks = ?", (head.size, head.known_at, b"".join(head.peaks))
            )
        self.head = head

    def finish(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Store the checkpoints and take the mark away, in one step."""
        with self._db:
            signed = [(made.size, made.root, made.at, made.signature) for made in checkpoints]
            self._db.executemany("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", signed)
            self._db.execute("DELETE FROM meta WHERE name = ?", (UNFINISHED,))
