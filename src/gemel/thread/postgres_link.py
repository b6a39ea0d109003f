"""Connections to a PostgreSQL store: readers' ones that come and go, and the one that may write, which holds the lock.

The lock is an advisory lock of the writing session. It ends with that session, so that whoever has taken it anew knows
that nothing which the session before was about can still be committed.
"""

from __future__ import annotations

import os
import select
import socket
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.pq import ConnStatus

from gemel.errors import Tampered, Unavailable
from gemel.thread.postgres_address import Address
from gemel.thread.postgres_tables import Db, scalar

_IDLE = 8
"""Connections of readers that are kept for the next ones."""
_HOLDER = (
    "SELECT pid, backend_start, coalesce(application_name, ''), coalesce(client_addr::text, '') FROM pg_stat_activity"
    " WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32 | objid::bigint) = %s)"
)
_SELF = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_DAMAGED = (
    errors.IntegrityError, errors.DataCorrupted, errors.IndexCorrupted, errors.UndefinedTable, errors.UndefinedColumn,
    errors.DatatypeMismatch, errors.WrongObjectType, errors.UndefinedFunction, UnicodeDecodeError,
)  # fmt: skip


@contextmanager
def understood(address: Address) -> Iterator[None]:
    """Turn what PostgreSQL raises into what a user can mend."""
    try:
        yield
    except errors.DiskFull:
        raise Unavailable(f"the disk of {address.shown} is full; nothing was stored") from None
    except errors.ReadOnlySqlTransaction:
        raise Unavailable(f"{address.shown} cannot be written: the server or database is read-only") from None
    except errors.InsufficientPrivilege as error:
        raise Unavailable(f"{address.shown} does not let this user do that: {address.clean(error)}") from None
    except _DAMAGED as error:
        raise Tampered(f"{address.shown} is damaged ({address.clean(error)}); `gemel verify` names what") from None
    except psycopg.Error as error:
        raise Unavailable(
            f"{address.shown} broke off ({address.clean(error)}); nothing was stored; try again when it answers"
        ) from None


def connect(address: Address, *, readonly: bool) -> Db:
    """Return a connection, or raise `Unavailable` saying which server and what can be done."""
    try:
        db = psycopg.connect(**{**address.parameters, "application_name": whoami()}, autocommit=True)
    except psycopg.Error as error:
        raise Unavailable(f"{address.shown} cannot be reached: {_advised(address.clean(error))}") from None
    try:
        _set_up(db, address, readonly)
    except BaseException:
        db.close()
        raise
    return db


def whoami() -> str:
    """Return how a connection names itself to the server: 63 bytes at most."""
    program = Path(sys.argv[0]).name or "python"
    name = f"gemel: process {os.getpid()} ({program[:16]}) on {socket.gethostname()}"
    return name.encode("ascii", "replace").decode()[:63]


def _advised(message: str) -> str:
    """Return what was said, with what to do about it."""
    advice = "start it, or check host and port"
    if "password" in message or "authentication" in message or "role" in message:
        advice = "check user and password (in PGPASSWORD or ~/.pgpass they are seen by nobody)"
    elif "database" in message and "does not exist" in message:
        advice = "make it with `createdb`, or check its name"
    elif "starting up" in message or "shutting down" in message:
        advice = "try again in a moment"
    elif "too many" in message or "reserved" in message:
        advice = "raise its max_connections, or close other programs' connections"
    return f"{message}; {advice}"


def _set_up(db: Db, address: Address, readonly: bool) -> None:
    """Plans take indexes, and are never compiled: without scans of tables the server thinks that worth its while."""
    durable = db.execute(
        "SELECT current_setting('synchronous_commit'), set_config('search_path', %s, false), set_config('jit', 'off', false),"
        " set_config('enable_seqscan', 'off', false), set_config('default_transaction_read_only', %s, false)",
        (sql.Identifier(address.schema).as_string(db), "on" if readonly else "off"),
    ).fetchone()
    if durable is not None and durable[0] == "off":
        db.execute("SET synchronous_commit = on")


def alive(db: Db) -> bool:
    """Return whether an idle connection can be used: a server that speaks unasked says good-bye, or has gone."""
    if db.closed or db.pgconn.status != ConnStatus.OK:
        return False
    unasked = select.poll()
    unasked.register(db.pgconn.socket, select.POLLIN)
    return not unasked.poll(0)


class Readers:
    """Connections for reading, one per thread that reads at the moment."""

    def __init__(self, address: Address, *, readonly: bool) -> None:
        self._address, self._readonly = address, readonly
        self._idle: deque[Db] = deque()
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Db]:
        """Lend a connection that works."""
        db = self._take()
        try:
            with understood(self._address):
                yield db
        finally:
            if self._closed or len(self._idle) >= _IDLE or not alive(db) or db.info.transaction_status:
                db.close()
            else:
                self._idle.append(db)

    def _take(self) -> Db:
        while self._idle:
            db = self._idle.pop()
            if alive(db):
                return db
            db.close()
        return connect(self._address, readonly=self._readonly)

    def close(self) -> None:
        """Let go of all connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class Writer:
    """The connection that may write; `connect` makes it anew where it was lost."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._number = int.from_bytes(sha256(f"gemel store {address.schema}".encode()).digest()[:8], signed=True)
        self._db: Db | None = None
        self._session: tuple[Any, ...] | None = None
        self.connect()

    @property
    def db(self) -> Db:
        """Return the connection, working or not."""
        if self._db is None:
            raise Unavailable(f"{self._address.shown} is not connected")
        return self._db

    def alive(self) -> bool:
        """Return whether the connection, and so the lock, is still held."""
        return self._db is not None and alive(self._db)

    def connect(self) -> None:
        """Connect and take the lock, or raise `Unavailable` naming who has it."""
        self.close()
        db = connect(self._address, readonly=False)
        try:
            with understood(self._address):
                if not self._locked(db):
                    self._refuse(db)
                self._session = db.execute(_SELF).fetchone()
        except BaseException:
            db.close()
            raise
        self._db = db

    def _locked(self, db: Db) -> bool:
        """Return whether the lock could be taken; a session of this writer that still lingers is ended first."""
        for _ in range(2):
            if scalar(db, "SELECT pg_try_advisory_lock(%s)", self._number):
                return True
            holder = db.execute(_HOLDER, (self._number,)).fetchone()
            if holder is not None and holder[:2] == self._session:
                db.execute("SELECT pg_terminate_backend(%s, 10000)", (holder[0],))
        return False

    def _refuse(self, db: Db) -> None:
        _, _, who, where = db.execute(_HOLDER, (self._number,)).fetchone() or (0, None, "", "")
        called = who.removeprefix("gemel: ") or (f"a session from {where}" if where else "another session")
        raise Unavailable(
            f"the store {self._address.shown} is held by {called}; stop that first, or, if it is a server, ask it over HTTP"
        )

    def close(self) -> None:
        """Let go of the connection, and so of the lock; `connect` may come after."""
        if self._db is not None:
            self._db.close()
            self._db = None
