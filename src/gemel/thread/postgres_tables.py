"""The tables of a PostgreSQL store. Names are bytes, so that their order and equality are the same on every server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

from psycopg import Connection

from gemel.thread.ledger import Entry
from gemel.thread.merkle import Node
from gemel.thread.row import Row

Db = Connection[tuple[Any, ...]]

SCHEMA = {
    "meta": "CREATE TABLE meta(name text PRIMARY KEY, value text NOT NULL)",
    "fact": "CREATE TABLE fact(seq bigint PRIMARY KEY, twin bytea NOT NULL, kind bytea NOT NULL,"
    " true_at bigint NOT NULL, known_at bigint NOT NULL, mark bytea, leaf bytea NOT NULL, nonce bytea NOT NULL,"
    " sealed bytea NOT NULL)",
    "sealed": "ALTER TABLE fact ALTER sealed SET STORAGE EXTERNAL",
    "fact_twin": "CREATE INDEX fact_twin ON fact(twin, kind, seq)",
    "fact_kind": "CREATE INDEX fact_kind ON fact(kind, seq)",
    "fact_when": "CREATE INDEX fact_when ON fact(twin, true_at, kind, seq)",
    "fact_mark": "CREATE UNIQUE INDEX fact_mark ON fact(twin, mark) WHERE mark IS NOT NULL",
    "node": "CREATE TABLE node(level integer, place bigint, hash bytea NOT NULL, PRIMARY KEY(level, place))",
    "tree": "CREATE TABLE tree(id integer PRIMARY KEY CHECK(id = 1), size bigint NOT NULL, known_at bigint NOT NULL,"
    " peaks bytea NOT NULL)",
    "checkpoint": "CREATE TABLE checkpoint(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, size bigint NOT NULL,"
    " root text NOT NULL, at bigint NOT NULL, signature text NOT NULL)",
    "note": "CREATE TABLE note(twin bytea, name bytea, data bytea NOT NULL, PRIMARY KEY(twin, name))",
}

ROW = "seq, twin, kind, true_at, known_at, mark, leaf, nonce, sealed"
_TYPES = ("bigint", "bytea", "bytea", "bigint", "bigint", "bytea", "bytea", "bytea", "bytea")
_AT_ONCE = 256
"""Rows that one statement stores; more are copied."""

_FACTS = ", ".join(f"%b::{each}[]" for each in _TYPES)
_NODES = "INSERT INTO node SELECT * FROM unnest(%b::integer[], %b::bigint[], %b::bytea[])"
_TREE = "UPDATE tree SET size = %b, known_at = %b, peaks = %b"
_WRITE = f"WITH facts AS (INSERT INTO fact({ROW}) SELECT * FROM unnest({_FACTS})), nodes AS ({_NODES}) {_TREE}"
_COPY = f"COPY fact({ROW}) FROM STDIN (FORMAT BINARY)"


def text(name: str) -> bytes:
    """Return a name as it is stored; one that is no Unicode text is found nowhere."""
    return name.encode(errors="surrogatepass")


def as_row(values: Sequence[Any]) -> Row:
    """Return the columns of `ROW` as a row."""
    seq, twin, kind, *rest = values
    return Row(seq, twin.decode(), kind.decode(), *rest)


def write(db: Db, entry: Entry) -> None:
    """Store an entry whole or not at all: a few rows in one statement, many by COPY in one transaction."""
    head = (entry.head.size, entry.head.known_at, b"".join(entry.head.peaks))
    rows = [(row.seq, text(row.twin), text(row.kind), *row[3:]) for row in entry.rows]
    if len(rows) <= _AT_ONCE:
        db.execute(_WRITE, [*_columns(rows, 9), *_columns(entry.nodes, 3), *head])
        return
    with db.transaction():
        with db.cursor().copy(_COPY) as copy:
            copy.set_types(["int8" if each == "bigint" else each for each in _TYPES])
            for row in rows:
                copy.write_row(row)
        _write_nodes(db, entry.nodes)
        db.execute(_TREE, head)


def drop_contents(db: Db, rows: Sequence[Row]) -> int:
    """Empty the sealed part of rows, all or none; return how many."""
    db.execute("UPDATE fact SET sealed = ''::bytea WHERE seq = ANY(%b::bigint[])", ([row.seq for row in rows],))
    return len(rows)


def _write_nodes(db: Db, nodes: Sequence[Node]) -> None:
    for start in range(0, len(nodes), 4_096):
        db.execute(_NODES, _columns(nodes[start : start + 4_096], 3))


def _columns(rows: Iterable[Sequence[Any]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def scalar(db: Db, statement: LiteralString, *values: Any) -> Any:
    """Return the first column of the first row, or None."""
    row = db.execute(statement, values, binary=True).fetchone()
    return None if row is None else row[0]
