"""What a store in SQLite is made of, checked for when it is opened, and written with each commit."""

from __future__ import annotations

from pathlib import Path

import apsw

from gemel.errors import Tampered, Unavailable
from gemel.thread.contract import Checkpoint
from gemel.thread.ledger import Entry, Head, Marks
from gemel.thread.receiving import HINT, UNFINISHED
from gemel.thread.tables import FORMAT, SCHEMA, scalar, store

_ALL_MARKS = 400
_HELD = "SELECT 1 FROM fact WHERE mark IS NOT NULL AND twin = ? AND mark = ?"


def create(db: apsw.Connection, public: str) -> None:
    """Make an empty store that signs with the key of this public one."""
    with db:
        for statement in SCHEMA.values():
            db.execute(statement)
        db.execute("INSERT INTO meta VALUES ('format', ?), ('public key', ?)", (FORMAT, public))
        db.execute("INSERT INTO tree VALUES (1, 0, ?, x'')", (Head().known_at,))


def check_format(db: apsw.Connection, path: Path) -> str:
    """Return the public key of the store, or raise for what is none, or of another version, or half copied."""
    try:
        found: dict[object, object] = dict(db.execute("SELECT name, value FROM meta").fetchall())  # type: ignore[arg-type]  # two columns
    except apsw.SQLError:
        raise Tampered(f"{path} is not a store of Gemel") from None
    if found.get("format") != FORMAT:
        raise Tampered(f"{path} has format {found.get('format')}; this version reads format {FORMAT}")
    if UNFINISHED in found:
        raise Unavailable(f"{path} {HINT}")
    return str(found.get("public key"))


def load(db: apsw.Connection, path: Path) -> Head:
    """Return how far the store is."""
    size, known_at, peaks = db.execute("SELECT size, known_at, peaks FROM tree").fetchone() or (-1, 0, b"")
    head = Head(size, known_at, tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32)))
    if size != (scalar(db, "SELECT max(rowid) FROM fact") or 0) or size.bit_count() != len(head.peaks):
        raise Tampered(f"{path} does not end where its tree does; `gemel verify` names what is wrong")
    return head


def check_end(db: apsw.Connection, path: Path, head: Head, remembered: Checkpoint | None) -> None:
    """Raise where facts are gone that were signed."""
    signed = max(scalar(db, "SELECT max(size) FROM checkpoint") or 0, remembered.size if remembered else 0)
    if signed > head.size:
        raise Tampered(
            f"{path} ends at fact {head.size}, but {signed} were signed; the missing facts must be put back"
            " (the store can be opened read-only)"
        )


def write(db: apsw.Connection, entry: Entry) -> None:
    """Store all of an entry, durably, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        store(db, entry.rows)
        if entry.nodes:
            db.executemany("INSERT INTO node VALUES (?, ?, ?)", entry.nodes)
        head = entry.head
        db.execute(
            "UPDATE tree SET size = ?, known_at = ?, peaks = ?", (head.size, head.known_at, b"".join(head.peaks))
        )
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def held(db: apsw.Connection, asked: Marks) -> Marks:
    """Return which marks are stored already."""
    if len(asked) == 1:
        return set(asked) if scalar(db, _HELD, *next(iter(asked))) else set()
    by_twin, found = dict[str, list[bytes]](), set[tuple[str, bytes]]()
    for twin, mark in asked:
        by_twin.setdefault(twin, []).append(mark)
    for twin, marks in by_twin.items():
        for start in range(0, len(marks), _ALL_MARKS):
            some = marks[start : start + _ALL_MARKS]
            places = ",".join("?" * len(some))
            statement = f"SELECT mark FROM fact WHERE mark IS NOT NULL AND twin = ? AND mark IN ({places})"
            found.update((twin, bytes(row[0])) for row in db.execute(statement, (twin, *some)))
    return found


def known(db: apsw.Connection, twin: str) -> bool:
    """Return whether a twin has facts."""
    return scalar(db, "SELECT 1 FROM fact WHERE twin = ? LIMIT 1", twin) is not None
