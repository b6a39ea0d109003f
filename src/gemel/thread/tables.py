"""The tables of a store: a fact's seq is its rowid, so that no byte of a row is without meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from gemel.errors import Tampered, Unavailable
from gemel.thread.row import Row

FORMAT = "1"
FILE = "thread.db"

SCHEMA = {
    "meta": "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    "fact": "CREATE TABLE fact(twin TEXT NOT NULL, kind TEXT NOT NULL, true_at INTEGER NOT NULL,"
    " known_at INTEGER NOT NULL, mark BLOB, leaf BLOB NOT NULL, nonce BLOB NOT NULL, sealed BLOB NOT NULL) STRICT",
    "fact_when": "CREATE INDEX fact_when ON fact(twin, true_at, kind)",
    "fact_kind": "CREATE INDEX fact_kind ON fact(kind, twin)",
    "fact_mark": "CREATE UNIQUE INDEX fact_mark ON fact(twin, mark) WHERE mark IS NOT NULL",
    "node": "CREATE TABLE node(level INTEGER, place INTEGER, hash BLOB NOT NULL, PRIMARY KEY(level, place))"
    " STRICT, WITHOUT ROWID",
    "tree": "CREATE TABLE tree(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL,"
    " known_at INTEGER NOT NULL, peaks BLOB NOT NULL) STRICT",
    "checkpoint": "CREATE TABLE checkpoint(size INTEGER NOT NULL, root TEXT NOT NULL, at INTEGER NOT NULL,"
    " signature TEXT NOT NULL) STRICT",
}

WRITING = (
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    " PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000"
)
"""Marks are random, so that bulk loads touch the whole index of marks: the cache holds it for a million facts."""

ROW = "rowid, twin, kind, true_at, known_at, mark, leaf, nonce, sealed"
_COLUMNS = len(Row._fields)


@cache
def insert(rows: int) -> str:
    """Return the statement that stores so many rows at once."""
    return f"INSERT INTO fact({ROW}) VALUES {', '.join(['(?,?,?,?,?,?,?,?,?)'] * rows)}"


def store(db: apsw.Connection, rows: Sequence[Row]) -> None:
    """Insert rows, many per statement: each statement lets go of the interpreter, and has to win it back."""
    start, left = 0, len(rows)
    while left:
        size = 256 if left >= 256 else min(left, 64)
        db.execute(insert(size), [value for row in rows[start : start + size] for value in row])
        start, left = start + size, left - size


def drop_contents(db: apsw.Connection, rows: Sequence[Row]) -> int:
    """Empty the sealed part of rows, all or none, in the file and in its log; return how many."""
    with db:
        db.executemany("UPDATE fact SET sealed = x'' WHERE rowid = ?", [(row.seq,) for row in rows])
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return len(rows)


def connect(path: Path, *, readonly: bool) -> apsw.Connection:
    """Return a connection; a store on a disk that cannot be written is read as it lies there."""
    if not readonly:
        return _set_up(apsw.Connection(str(path)), readonly)
    try:
        return _set_up(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY), readonly)
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        wal = path.with_name(f"{path.name}-wal")
        if wal.exists() and wal.stat().st_size:
            raise
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return _set_up(apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags), readonly)


def _set_up(db: apsw.Connection, readonly: bool) -> apsw.Connection:
    db.set_busy_timeout(5_000)
    db.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
    if not readonly:
        db.execute(WRITING)
    db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return db


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into what a user can mend."""
    try:
        yield
    except apsw.FullError:
        raise Unavailable(f"the disk of {path} is full; nothing was stored") from None
    except apsw.ReadOnlyError:
        raise Unavailable(f"{path} cannot be written: the file or its disk is read-only") from None
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError):
        raise Unavailable(f"{path} is locked by another process; stop that and try again") from None
    except (apsw.CorruptError, apsw.NotADBError, apsw.ConstraintError, apsw.MismatchError, UnicodeDecodeError) as error:
        raise Tampered(f"{path} is damaged ({error}); `gemel verify` names what") from None
    except (apsw.CantOpenError, apsw.IOError, apsw.PermissionsError, OSError) as error:
        raise Unavailable(f"{path} cannot be used: {error}") from None
    except apsw.ConnectionClosedError:
        raise Unavailable(f"{path} is closed") from None


def scalar(db: apsw.Connection, statement: str, *values: Any) -> Any:
    """Return the first column of the first row, or None."""
    row = db.execute(statement, values).fetchone()
    return None if row is None else row[0]
