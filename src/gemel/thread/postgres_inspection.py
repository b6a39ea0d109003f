"""Verification of a PostgreSQL store, however it was tampered with: reads what can be read, and names the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import IsolationLevel

from gemel.errors import GemelError, NotFound
from gemel.thread.audit import Claim, Damage, audit
from gemel.thread.codec import NONCE
from gemel.thread.contract import Checkpoint, Verdict
from gemel.thread.keys import Keys
from gemel.thread.ledger import Head
from gemel.thread.postgres_address import Address
from gemel.thread.postgres_link import alive, connect, understood
from gemel.thread.postgres_store import FORMAT, exists, split
from gemel.thread.postgres_tables import ROW, Db
from gemel.thread.receiving import HINT, UNFINISHED
from gemel.thread.row import Row

_BATCH = 2_000
_TYPES: tuple[type | tuple[type, ...], ...] = (int, bytes, bytes, int, int, (bytes, type(None)), bytes, bytes, bytes)

_DEFINED = {
    "meta": "name text not null, value text not null",
    "fact": "seq bigint not null, twin bytea not null, kind bytea not null, true_at bigint not null,"
    " known_at bigint not null, mark bytea, leaf bytea not null, nonce bytea not null, sealed bytea not null",
    "node": "level integer not null, place bigint not null, hash bytea not null",
    "tree": "id integer not null, size bigint not null, known_at bigint not null, peaks bytea not null",
    "checkpoint": "id bigint not null, size bigint not null, root text not null, at bigint not null,"
    " signature text not null",
    "note": "twin bytea not null, name bytea not null, data bytea not null",
    "meta_pkey": "CREATE UNIQUE INDEX meta_pkey ON meta USING btree (name)",
    "fact_pkey": "CREATE UNIQUE INDEX fact_pkey ON fact USING btree (seq)",
    "fact_twin": "CREATE INDEX fact_twin ON fact USING btree (twin, kind, seq)",
    "fact_kind": "CREATE INDEX fact_kind ON fact USING btree (kind, seq)",
    "fact_when": "CREATE INDEX fact_when ON fact USING btree (twin, true_at, kind, seq)",
    "fact_mark": "CREATE UNIQUE INDEX fact_mark ON fact USING btree (twin, mark) WHERE (mark IS NOT NULL)",
    "node_pkey": "CREATE UNIQUE INDEX node_pkey ON node USING btree (level, place)",
    "tree_pkey": "CREATE UNIQUE INDEX tree_pkey ON tree USING btree (id)",
    "checkpoint_pkey": "CREATE UNIQUE INDEX checkpoint_pkey ON checkpoint USING btree (id)",
    "note_pkey": "CREATE UNIQUE INDEX note_pkey ON note USING btree (twin, name)",
}
"""What the server says of the tables and indexes that `postgres_tables` makes."""
_FOUND = (
    "SELECT c.relname, string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN a.attnotnull THEN 'not null' END), ', ' ORDER BY a.attnum)"
    " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"
    " AND NOT c.relrowsecurity AND NOT c.relhasrules AND NOT c.relhastriggers AND NOT c.relhassubclass"
    " GROUP BY c.relname UNION ALL SELECT indexname, replace(indexdef, quote_ident(schemaname) || '.', '')"
    " FROM pg_indexes WHERE schemaname = current_schema()"
)


def verify(address: Address, keys: Keys | None = None) -> Verdict:
    """Return the verdict on a store, in a state of one moment; a writer may go on meanwhile."""
    with understood(address):
        db = connect(address, readonly=True)
        try:
            if not exists(db, address):
                raise NotFound(f"no store in {address.shown}: there is no such schema")
            return _verify(db, address, keys)
        finally:
            db.close()


def _verify(db: Db, address: Address, keys: Keys | None) -> Verdict:
    problems: list[str] = []
    id_ = dict(_asked(db, "SELECT name, value FROM meta", problems)).get("id", "")
    own = address.open_keys(id_, readonly=True) if keys is None else None
    try:
        found = keys or own
        assert found is not None
        return _judged(db, found, problems)
    finally:
        if own is not None:
            own.close()


def _judged(db: Db, keys: Keys, problems: list[str]) -> Verdict:
    remembered = _remembered(keys, problems)  # before the moment looked at: what was signed then is in the store
    db.isolation_level = IsolationLevel.REPEATABLE_READ
    with db.transaction():
        problems += _definitions(db, problems)
        claim = _claim(db, keys, remembered, problems)
        verdict = audit(_scan(db, claim.head.size), claim, keys)
        problems += [*verdict.problems, *_uncounted(db, verdict.size, problems)]
    return Verdict(verdict.size, verdict.root, tuple(dict.fromkeys(problems)))


def _asked(db: Db, statement: str, problems: list[str], *values: object) -> list[tuple[Any, ...]]:
    """Return what the server answers; what it cannot is a problem, unless the server is gone."""
    try:
        with db.transaction():
            return db.execute(statement, values, binary=True).fetchall()
    except psycopg.Error as error:
        if not alive(db):
            raise
        problems.append(f"{statement.split(' WHERE ')[0]!r} failed: {' '.join(str(error).split())}")
        return []


def _remembered(keys: Keys, problems: list[str]) -> Checkpoint | None:
    try:
        return keys.remembered
    except GemelError as error:
        problems.append(str(error))
        return None


def _definitions(db: Db, problems: list[str]) -> Iterator[str]:
    found = dict(_asked(db, _FOUND, problems))
    for name in sorted(_DEFINED.keys() | found.keys()):
        if _DEFINED.get(name) != found.get(name):
            yield f"the definition of {name} is not as it was written"


def _claim(db: Db, keys: Keys, remembered: Checkpoint | None, problems: list[str]) -> Claim:
    meta = dict(_asked(db, "SELECT name, value FROM meta", problems))
    signing = keys.signing
    public = None if signing is None else signing.public_key().public_bytes_raw().hex()
    stored = str(meta.get("public key"))
    if meta.get("format") != FORMAT:
        problems.append("the store's format is not as it was written")
    if UNFINISHED in meta:
        problems.append(f"the store {HINT}")
    if public is not None and public != stored:
        problems.append("the store's public key is not that of its signing key")
    rows = _asked(db, "SELECT size, root, at, signature FROM checkpoint ORDER BY id", problems)
    checkpoints = [Checkpoint(*row) for row in rows]
    if remembered is not None and remembered not in checkpoints:
        problems.append(f"the last checkpoint, of {remembered.size} facts, is missing")
        checkpoints.append(remembered)
    return Claim(_head(db, problems), lambda *place: _node(db, place), checkpoints, public or stored)


def _node(db: Db, place: tuple[int, int]) -> bytes | None:
    found = _asked(db, "SELECT hash FROM node WHERE level = %s AND place = %s", [], *place)
    return found[0][0] if found else None


def _head(db: Db, problems: list[str]) -> Head:
    rows = _asked(db, "SELECT size, known_at, peaks FROM tree", problems)
    if len(rows) != 1 or rows[0][0] < 0:
        problems.append("the tree is not as it was written")
        return Head()
    size, known_at, peaks = rows[0]
    return Head(size, known_at, split(peaks))


def _scan(db: Db, size: int) -> Iterator[Row | Damage]:
    """Yield all rows in order; where the server gives up, those after it one by one, and a damage for what it cannot."""
    after = -(1 << 63)
    while True:
        try:
            with db.transaction(), db.cursor(name="facts", binary=True) as cursor:
                cursor.itersize = _BATCH
                for values in cursor.execute(f"SELECT {ROW} FROM fact WHERE seq > %s ORDER BY seq", (after,)):
                    yield _row(values)
                    after = values[0]
            return
        except psycopg.Error:
            if not alive(db):
                raise
        first, after = max(after, 0) + 1, max(after, 0) + _BATCH
        for seq in range(first, min(after, size) + 1):
            yield from _one(db, seq)
        if after >= size:
            return


def _one(db: Db, seq: int) -> Iterator[Row | Damage]:
    problems: list[str] = []
    yield from (_row(values) for values in _asked(db, f"SELECT {ROW} FROM fact WHERE seq = %s", problems, seq))
    if problems:
        yield Damage(seq, problems[0].partition(" failed: ")[2])


def _row(values: Sequence[Any]) -> Row | Damage:
    seq, twin, kind, true_at, known_at, mark, leaf, nonce, sealed = values
    if not all(isinstance(value, type_) for value, type_ in zip(values, _TYPES, strict=True)):
        return Damage(seq if isinstance(seq, int) else 0, "a column is not of the type it was written with")
    names = [part.decode(errors="replace") for part in (twin, kind)]
    sizes = (len(leaf), len(nonce), 16 if mark is None else len(mark))
    if sizes != (32, NONCE, 16) or any("\ufffd" in text or len(text) > 4096 for text in names):
        return Damage(seq, "a column is not of the type it was written with", *names)
    return Row(seq, names[0], names[1], true_at, known_at, mark, leaf, nonce, sealed)


def _uncounted(db: Db, read: int, problems: list[str]) -> Iterator[str]:
    """Count the rows as they lie in the table: the index that led to them may have left some out."""
    for way in ("indexscan", "indexonlyscan", "bitmapscan"):
        db.execute(f"SET LOCAL enable_{way} = off")
    db.execute("SET LOCAL enable_seqscan = on")
    for (count,) in _asked(db, "SELECT count(*) FROM fact", problems):
        if count != read and not problems:
            yield f"the table holds {count} facts, its index leads to {read}; REINDEX mends it"
