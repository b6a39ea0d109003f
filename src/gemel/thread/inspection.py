"""Verification of a store in a folder, however damaged: reads what can be read, and names the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import apsw

from gemel.errors import GemelError, NotFound
from gemel.thread.audit import Claim, Damage, audit
from gemel.thread.codec import NONCE, name
from gemel.thread.contract import Checkpoint, Verdict
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.key_stores import open_keys
from gemel.thread.ledger import Head
from gemel.thread.pages import facts_on
from gemel.thread.receiving import HINT, UNFINISHED
from gemel.thread.row import Row
from gemel.thread.tables import FILE, FORMAT, SCHEMA, connect, scalar

_TYPES = "integertexttextintegerintegerblobblobblobblob"
_SCAN = (
    "SELECT rowid, cast(twin AS blob), cast(kind AS blob), true_at, known_at,"
    " cast(mark AS blob), cast(leaf AS blob), cast(nonce AS blob), cast(sealed AS blob),"
    " concat(typeof(rowid), typeof(twin), typeof(kind), typeof(true_at), typeof(known_at),"
    " replace(typeof(mark), 'null', 'blob'), typeof(leaf), typeof(nonce), typeof(sealed))"
    " FROM fact NOT INDEXED WHERE rowid > ? ORDER BY rowid"
)


def verify_store(folder: Path | str) -> Verdict:
    """Return the verdict on the store in *folder*, in a state of one moment; a writer may go on meanwhile."""
    path = Path(folder) / FILE
    if not path.exists():
        raise NotFound(f"no store in {folder}: {FILE} is missing")
    keys = open_keys(None, path.parent / "keys", readonly=True)
    try:
        return _verify(path, keys)
    except (apsw.Error, UnicodeDecodeError, ValueError, TypeError) as error:
        return Verdict(0, "", (f"{path} is damaged and cannot be read: {error}",))
    finally:
        keys.close()


def _verify(path: Path, keys: FolderKeys) -> Verdict:
    problems: list[str] = []
    remembered = _remembered(keys, problems)
    db = connect(path, readonly=True)
    try:
        db.execute("BEGIN")
        problems += _schema(db)
        claim = _claim(db, keys, remembered, problems)
        verdict = audit(_scan(db, claim.head.size), claim, keys)
        problems += verdict.problems
        problems += _structure(db, path)
        return Verdict(verdict.size, verdict.root, tuple(dict.fromkeys(problems)))
    finally:
        db.close(True)


def _remembered(keys: FolderKeys, problems: list[str]) -> Checkpoint | None:
    try:
        return keys.remembered
    except GemelError as error:
        problems.append(str(error))
        return None


def _schema(db: apsw.Connection) -> Iterator[str]:
    try:
        rows = db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        found = {str(table): str(sql) for table, sql in rows}
    except (apsw.Error, UnicodeDecodeError) as error:
        yield f"the schema cannot be read: {error}"
        return
    for table in sorted(SCHEMA.keys() | found.keys()):
        if SCHEMA.get(table) != found.get(table):
            yield f"the definition of {table} is not as it was written"


def _claim(db: apsw.Connection, keys: FolderKeys, remembered: Checkpoint | None, problems: list[str]) -> Claim:
    signing = keys.signing
    public = None if signing is None else signing.public_key().public_bytes_raw().hex()
    stored = str(_ask(db, "SELECT value FROM meta WHERE name = 'public key'", problems))
    if _ask(db, "SELECT value FROM meta WHERE name = 'format'", problems) != FORMAT:
        problems.append("the store's format is not as it was written")
    if _ask(db, f"SELECT value FROM meta WHERE name = '{UNFINISHED}'", problems) is not None:
        problems.append(f"the store {HINT}")
    if public is not None and public != stored:
        problems.append("the store's public key is not that of its signing key")
    checkpoints = _checkpoints(db, problems)
    if remembered is not None and remembered not in checkpoints:
        problems.append(f"the last checkpoint, of {remembered.size} facts, is missing")
        checkpoints.append(remembered)
    return Claim(_head(db, problems), lambda level, place: _node(db, level, place), checkpoints, public or stored)


def _ask(db: apsw.Connection, statement: str, problems: list[str]) -> object:
    try:
        return scalar(db, statement)
    except (apsw.Error, UnicodeDecodeError) as error:
        problems.append(f"{statement!r} failed: {error}")
        return None


def _node(db: apsw.Connection, level: int, place: int) -> bytes | None:
    try:
        found = scalar(db, "SELECT hash FROM node WHERE level = ? AND place = ?", level, place)
    except (apsw.Error, UnicodeDecodeError):
        return None
    return found if isinstance(found, bytes) else None


def _checkpoints(db: apsw.Connection, problems: list[str]) -> list[Checkpoint]:
    found = []
    try:
        for row in db.execute("SELECT size, root, at, signature FROM checkpoint ORDER BY rowid"):
            if list(map(type, row)) == [int, str, int, str]:
                found.append(Checkpoint(*row))
            else:
                problems.append("a checkpoint is not as it was written")
    except (apsw.Error, UnicodeDecodeError) as error:
        problems.append(f"the checkpoints cannot be read: {error}")
    return found


def _head(db: apsw.Connection, problems: list[str]) -> Head:
    try:
        row = db.execute("SELECT size, known_at, peaks FROM tree").fetchone()
    except (apsw.Error, UnicodeDecodeError) as error:
        problems.append(f"the tree cannot be read: {error}")
        row = None
    if row is None:
        return Head()
    size, known_at, peaks = row
    if not (isinstance(size, int) and isinstance(known_at, int) and isinstance(peaks, bytes)) or size < 0:
        problems.append("the tree is not as it was written")
        return Head()
    return Head(size, known_at, tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32)))


def _scan(db: apsw.Connection, size: int) -> Iterator[Row | Damage]:
    """Yield all rows in the order they lie; where SQLite gives up, a damage, and on with the next seq."""
    after = 0
    while True:
        try:
            for values in db.execute(_SCAN, (after,)):
                yield _row(values)
                after = max(after, min(values[0], size))
            return
        except apsw.Error as error:
            after += 1
            if after > size:
                return
            yield Damage(after, str(error))


def _row(values: tuple[object, ...]) -> Row | Damage:
    seq, twin, kind, true_at, known_at, mark, leaf, nonce, sealed, types = values
    assert isinstance(seq, int)
    texts = [part.decode(errors="replace") if isinstance(part, bytes) else None for part in (twin, kind)]
    sizes = (
        isinstance(leaf, bytes) and len(leaf) == 32 and isinstance(nonce, bytes) and len(nonce) == NONCE
        and (mark is None or (isinstance(mark, bytes) and len(mark) == 16))
    )  # fmt: skip
    if types != _TYPES or not sizes or any(text is None or "\ufffd" in text or len(text) > 4096 for text in texts):
        return Damage(seq, "a column is not of the type it was written with", *texts)
    return Row(seq, texts[0], texts[1], true_at, known_at, mark, leaf, nonce, sealed)  # type: ignore[arg-type]  # by _TYPES


def _structure(db: apsw.Connection, path: Path) -> Iterator[str]:
    """Ask SQLite whether pages, cells and indices fit together, and say which facts are concerned."""
    try:
        found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(200)")]
    except (apsw.Error, UnicodeDecodeError) as error:
        found = [str(error)]
    for message in "\n".join(found).splitlines():
        if message != "ok" and not message.startswith("***"):
            yield _explained(message, path)


def _explained(message: str, path: Path) -> str:
    row = re.match(r"row (\d+) missing from index (\w+)|.*value in \w+\.\w+ row (\d+)", message)
    if row:
        return f"{name(int(row[1] or row[3]))}: {message}"
    page = re.search(r"page (\d+)(?: cell \d+)?", message)
    seqs = facts_on(path, int(page[1])) if page else []
    return f"{', '.join(name(seq) for seq in seqs)}: {message}" if seqs else f"the file's structure: {message}"
