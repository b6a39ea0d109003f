"""From an address to a thread, and to the verdict on one. PostgreSQL's client loads only where an address asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.errors import BadInput
from gemel.thread import inspection
from gemel.thread.contract import Verdict
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.key_stores import open_keys
from gemel.thread.lock import StoreLock
from gemel.thread.memory import MemoryThread
from gemel.thread.sqlite import SqliteThread
from gemel.thread.tables import FILE

if TYPE_CHECKING:
    from gemel.thread.postgres import PostgresThread

MEMORY = "memory:"
POSTGRES = ("postgresql", "postgres")
_POSSIBLE = f"possible: a folder, such as family.gemel, postgresql://user@host/database?schema=gemel, or {MEMORY}"


def open_thread(where: str | Path, *, readonly: bool = False) -> SqliteThread | PostgresThread | MemoryThread:
    """Open the thread in a folder or a PostgreSQL schema, made if need be, or one in memory; raise `BadInput` else."""
    address = str(where)
    if address == MEMORY:
        return MemoryThread()
    if is_postgres(address):
        from gemel.thread.postgres import PostgresThread

        return PostgresThread(address, readonly=readonly)
    return SqliteThread(_folder(address), readonly=readonly)


def verify_store(where: str | Path) -> Verdict:
    """Return the verdict on the store at an address, in a state of one moment; a writer may go on meanwhile."""
    address = str(where)
    if is_postgres(address):
        from gemel.thread.postgres_address import parse
        from gemel.thread.postgres_inspection import verify

        return verify(parse(address))
    return inspection.verify_store(_folder(address))


def store_exists(where: str | Path) -> bool:
    """Return whether there is a store at an address; raise `Unavailable` where its server is out of reach."""
    address = str(where)
    if is_postgres(address):
        from gemel.thread.postgres_address import parse
        from gemel.thread.postgres_store import found

        return found(parse(address))
    return (_folder(address) / FILE).exists()


@contextmanager
def locked_keys(where: str | Path) -> Iterator[FolderKeys]:
    """Lend the keys of a store that nobody else writes to meanwhile."""
    address = str(where)
    if is_postgres(address):
        from gemel.thread.postgres_store import locked_keys as locked

        with locked(address) as keys:
            yield keys
        return
    folder = _folder(address)
    with closing(StoreLock(folder)), closing(open_keys(None, folder / "keys")) as keys:
        yield keys


def shown(where: str | Path) -> str:
    """Return an address as messages may show it: without a password."""
    address = str(where)
    if is_postgres(address):
        from gemel.thread.postgres_address import parse

        return parse(address).shown
    return address


def is_postgres(address: str) -> bool:
    """Return whether an address is one of PostgreSQL."""
    return address.partition("://")[0] in POSTGRES and "://" in address


def _folder(address: str) -> Path:
    scheme, sign, _ = address.partition("://")
    if sign:
        raise BadInput(f"unknown kind of store {scheme}://; {_POSSIBLE}")
    if Path(address).is_file():
        raise BadInput(f"{address} is a file; {_POSSIBLE}")
    return Path(address)
