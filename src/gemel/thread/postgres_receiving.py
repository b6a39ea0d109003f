"""A PostgreSQL store that is being copied into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from gemel.thread.contract import Checkpoint
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.ledger import Entry
from gemel.thread.postgres_address import Address, parse
from gemel.thread.postgres_link import Writer, understood
from gemel.thread.postgres_store import Identity, about, create, exists, head_of, new_id
from gemel.thread.postgres_tables import Db, scalar, write
from gemel.thread.receiving import UNFINISHED, Place, check_empty

_SET = "INSERT INTO meta VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


@contextmanager
def receive_in_schema(where: str, public_key: str) -> Iterator[Place]:
    """Lend the schema, made if need be, as the place for a copy of the store with that key."""
    address = parse(where)
    with closing(Writer(address)) as writer, understood(address):
        id_ = _marked(writer.db, address, public_key)
        with closing(address.open_keys(id_)) as keys:
            yield _SchemaPlace(writer.db, address, keys)


def _marked(db: Db, address: Address, public_key: str) -> str:
    """Mark the store as unfinished, and return its id."""
    if not exists(db, address):
        made = Identity(new_id(db), public_key)
        create(db, address, made, **{UNFINISHED: public_key})
        return made.id
    meta, size = about(db), head_of(db, address).size
    check_empty(address.shown, meta.get(UNFINISHED), public_key, size, scalar(db, "SELECT count(*) FROM checkpoint"))
    with db.transaction():
        for name in ("public key", UNFINISHED):
            db.execute(_SET, (name, public_key))
    return meta["id"]


class _SchemaPlace:
    """In PostgreSQL."""

    def __init__(self, db: Db, address: Address, keys: FolderKeys) -> None:
        self._db, self.keys = db, keys
        self.head = head_of(db, address)

    def write(self, entry: Entry) -> None:
        """Store rows, whole or not at all."""
        write(self._db, entry)
        self.head = entry.head

    def finish(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Store the checkpoints and take the mark away, in one step."""
        with self._db.transaction():
            for made in checkpoints:
                self._db.execute(
                    "INSERT INTO checkpoint(size, root, at, signature) VALUES (%s, %s, %s, %s)",
                    (made.size, made.root, made.at, made.signature),
                )
            self._db.execute("DELETE FROM meta WHERE name = %s", (UNFINISHED,))
