"""From an address to a thread."""

from __future__ import annotations

from pathlib import Path

from gemel.errors import BadInput
from gemel.thread.memory import MemoryThread
from gemel.thread.sqlite import SqliteThread

MEMORY = "memory:"
_POSSIBLE = f"possible: a folder, such as family.gemel, or {MEMORY}"


def open_thread(where: str | Path, *, readonly: bool = False) -> SqliteThread | MemoryThread:
    """Open the thread in a folder, made if need be, or one in memory; raise `BadInput` for any other address."""
    address = str(where)
    if address == MEMORY:
        return MemoryThread()
    scheme, sign, _ = address.partition("://")
    if sign and scheme in ("postgresql", "postgres"):
        raise BadInput(f"{scheme}:// stores are not possible yet; {_POSSIBLE}")
    if sign:
        raise BadInput(f"unknown kind of store {scheme}://; {_POSSIBLE}")
    if Path(where).is_file():
        raise BadInput(f"{address} is a file; {_POSSIBLE}")
    return SqliteThread(where, readonly=readonly)
