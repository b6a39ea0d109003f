"""What a PostgreSQL store says of itself: whether it is there, who it is, how far it goes; and making a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg import errors, sql

from gemel.errors import NotFound, Tampered, Unavailable
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.ledger import Head
from gemel.thread.postgres_address import Address, parse
from gemel.thread.postgres_link import Writer, connect, understood
from gemel.thread.postgres_tables import SCHEMA, Db, scalar
from gemel.thread.receiving import HINT, UNFINISHED

FORMAT = "1"


@dataclass(frozen=True)
class Identity:
    """A store's own id, which names its keys, and the key that its signatures are checked with."""

    id: str
    public_key: str


def exists(db: Db, address: Address) -> bool:
    """Return whether there is a store; raise `Tampered` where something else lies."""
    tables = db.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s",
        (address.schema,),
    ).fetchall()
    if tables and ("meta",) not in tables:
        raise Tampered(f"{address.shown} is not a store of Gemel; another schema can be made one")
    return bool(tables)


def found(address: Address) -> bool:
    """Return whether there is a store at an address; raise `Unavailable` where its server is out of reach."""
    with understood(address), connect(address, readonly=True) as db:
        return exists(db, address)


@contextmanager
def locked_keys(where: str) -> Iterator[FolderKeys]:
    """Lend the keys of a store that nobody else writes to meanwhile."""
    address = parse(where)
    with closing(Writer(address)) as writer:
        with understood(address):
            if not exists(writer.db, address):
                raise NotFound(f"no store in {address.shown}: there is no such schema")
            found = identity(writer.db, address)
        with closing(address.open_keys(found.id)) as keys:
            yield keys


def new_id(db: Db) -> str:
    """Return an id that no other store has."""
    return str(scalar(db, "SELECT gen_random_uuid()"))


def create(db: Db, address: Address, made: Identity, **more: str) -> None:
    """Make an empty store, whole or not at all."""
    try:
        with db.transaction():
            db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(address.schema)))
            db.execute("; ".join(SCHEMA.values()))
            for name, value in {"format": FORMAT, "id": made.id, "public key": made.public_key, **more}.items():
                db.execute("INSERT INTO meta VALUES (%s, %s)", (name, value))
            db.execute("INSERT INTO tree VALUES (1, 0, %s, '')", (Head().known_at,))
    except errors.InsufficientPrivilege as error:
        raise Unavailable(
            f"{address.shown} cannot be made: {address.clean(error)}; the database's owner can do"
            f" `GRANT CREATE ON DATABASE … TO …`, or make the schema for this user"
        ) from None


def about(db: Db) -> dict[str, str]:
    """Return all that the store says of itself, by name."""
    return dict(db.execute("SELECT name, value FROM meta").fetchall())


def identity(db: Db, address: Address) -> Identity:
    """Return who the store is, or raise an error that says why it cannot be used."""
    meta = about(db)
    if meta.get("format") != FORMAT:
        raise Tampered(f"{address.shown} has format {meta.get('format')}; this version reads format {FORMAT}")
    if UNFINISHED in meta:
        raise Unavailable(f"{address.shown} {HINT}")
    return Identity(meta.get("id", ""), meta.get("public key", ""))


def head_of(db: Db, address: Address) -> Head:
    """Return how far the store goes."""
    size, known_at, peaks = db.execute("SELECT size, known_at, peaks FROM tree", binary=True).fetchone() or (-1, 0, b"")
    head = Head(size, known_at, split(peaks))
    if size != (scalar(db, "SELECT max(seq) FROM fact") or 0) or size.bit_count() != len(head.peaks):
        raise Tampered(f"{address.shown} does not end where its tree does; `gemel verify` names what is wrong")
    return head


def split(peaks: bytes) -> tuple[bytes, ...]:
    """Return the hashes that are stored one after the other."""
    return tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32))
