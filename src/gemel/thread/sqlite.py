"""The embedded back end: a folder with one SQLite file of facts and a separate folder of keys; one writer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import apsw

from gemel.errors import NotFound, Tampered, Unavailable, unknown
from gemel.facts import Draft, Fact, Time
from gemel.thread.bulk import facts_in, listed, skim, unsealed
from gemel.thread.codec import prepare
from gemel.thread.commit import GroupCommit, Ticket
from gemel.thread.contract import Appended, Checkpoint, Inclusion, Light, Listener, S, Said, Verdict
from gemel.thread.inspection import verify_store
from gemel.thread.key_stores import open_keys
from gemel.thread.keys import secrets_of
from gemel.thread.ledger import Entry, Head, Held, compose
from gemel.thread.listeners import Listeners
from gemel.thread.lock import StoreLock
from gemel.thread.merkle import KEPT_LEVEL, Tree, fold
from gemel.thread.notes import FolderNotes, opened, sealed
from gemel.thread.proving import growth, inclusion, known_nodes
from gemel.thread.query import PAGE, asked, last_known, pages, skimmed
from gemel.thread.row import Row
from gemel.thread.signature import sign_checkpoint
from gemel.thread.sqlite_store import check_end, check_format, create, held, known, load, write
from gemel.thread.tables import FILE, ROW, connect, drop_contents, scalar, understood
from gemel.thread.thinning import cover_of, kept_out
from gemel.thread.within import bounded, within


class SqliteThread:
    """A thread in a folder; `readonly` opens it beside the process that writes."""

    def __init__(self, folder: Path | str, *, readonly: bool = False) -> None:
        self.folder, self.readonly = Path(folder), readonly
        self.path = self.folder / FILE
        self._write = threading.Lock()
        self._commits = GroupCommit(self._commit)
        self._listeners = Listeners()
        self._node = known_nodes(self._perfect)
        self._notes = FolderNotes(self.folder / "notes")
        self._idle: deque[apsw.Connection] = deque()
        self._closed = False
        self._head: Head | None = None
        self._repeats = False
        self._lock: StoreLock | None = None
        self._writer: apsw.Connection | None = None
        if readonly and not self.path.exists():
            raise NotFound(f"no store in {self.folder}: {FILE} is missing")
        with understood(self.path):
            if not readonly:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = StoreLock(self.folder)
            try:
                self._keys = open_keys(None, self.folder / "keys", readonly=readonly)
                self._public_key = self._read_key() if readonly else self._open_writer()
            except BaseException:
                self._let_go()
                raise

    # opening and closing

    def _read_key(self) -> str:
        with self._reader() as db:
            return check_format(db, self.path)

    def _open_writer(self) -> str:
        self._writer = db = connect(self.path, readonly=False)
        if scalar(db, "SELECT count(*) FROM sqlite_schema") == 0:
            create(db, self._keys.make_signing().public_key().public_bytes_raw().hex())
        public = check_format(db, self.path)
        signing = self._keys.signing
        if signing is None:
            raise Unavailable(f"{self._keys.folder} is without its signing key; put the folder back from a copy")
        if signing.public_key().public_bytes_raw().hex() != public:
            raise Tampered(f"{self.path} does not belong to the keys beside it; `gemel verify` says more")
        self._head = load(db, self.path)
        check_end(db, self.path, self._head, self._keys.remembered)
        return public

    def close(self) -> None:
        """Sign what is new, and let go of files."""
        with self._write:
            if self._closed:
                return
            try:
                if self._writer is not None and self._head is not None:
                    self._sign_rest(self._writer, self._head)
            finally:
                self._let_go()

    def _sign_rest(self, db: apsw.Connection, head: Head) -> None:
        with understood(self.path):
            if head.size > (scalar(db, "SELECT max(size) FROM checkpoint") or 0):
                self._checkpoint(db, head, head.known_at)

    def _let_go(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close(True)
        if self._writer is not None:
            self._writer.close(True)
        if hasattr(self, "_keys"):
            self._keys.close()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> SqliteThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the store {self.folder} is closed")

    def _db(self) -> apsw.Connection:
        """Return the writing connection."""
        self._check_open()
        if self._writer is None:
            raise Unavailable(f"the store {self.folder} was opened read-only")
        return self._writer

    # writing

    def append(self, drafts: Sequence[Draft], now: Time, *, after: int | None = None) -> Appended:
        """Store all of *drafts* or none, durably, in order; `known_at` is *now*, never before an earlier fact's."""
        self._db()
        ticket = Ticket([prepare(draft) for draft in drafts], bounded(now, "now"), after)
        if ticket.drafts:
            self._commits.submit(ticket)
        if ticket.error is not None:
            raise ticket.error
        self._listeners.tell()
        return Appended(ticket.facts, ticket.duplicates)

    def _commit(self, tickets: Sequence[Ticket]) -> None:
        with self._write, understood(self.path):
            db = self._db()
            head = self._head or load(db, self.path)
            self._head = None
            try:
                entry = self._store(db, tickets, head, partial(held, db) if self._repeats else None)
            except apsw.ConstraintError:
                entry = self._store(db, tickets, head, partial(held, db))
            self._repeats = len(entry.rows) < sum(len(ticket.drafts) for ticket in tickets)
            self._head = entry.head
            self._listeners.put(entry.facts)

    def _store(self, db: apsw.Connection, tickets: Sequence[Ticket], head: Head, asking: Held | None) -> Entry:
        entry = compose(tickets, head, self._keys, asking, partial(known, db))
        if entry.rows:
            write(db, entry)
        return entry

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with each durable batch, in order; return the function that stops it."""
        return self._listeners.subscribe(listener)

    # erasing

    def erase(self, twin: str) -> None:
        """Destroy the subject's key: its facts can no longer be read, and the tree still verifies."""
        with self._write, understood(self.path):
            self._db()
            if not self._keys.erased(twin):
                if self._keys.subject(twin) is None:
                    raise unknown("twin", twin, self.twins())
                self._keys.erase(twin)
            self._notes.drop(twin)

    def thin(self, cover: int) -> int:
        """Drop the contents of the facts that fact *cover*, a `thinned/1` of the house, stands for; their hashes stay."""
        what = cover_of(self.get(cover))
        with self._write, understood(self.path):
            return drop_contents(self._db(), what.full(self))

    def erased(self, twin: str) -> bool:
        """Return whether the subject was erased; nothing can be appended to it again."""
        return self._keys.erased(twin)

    # notes

    def keep(self, twin: str, name: str, data: bytes) -> None:
        """Keep what can be computed again, sealed with the subject's key; the last of each name, no fact, no promise."""
        key = self._keys.subject(twin)
        if key is not None:
            self._notes.put(twin, name, sealed(data, key, twin, name))
            if self._keys.erased(twin):
                self._notes.drop(twin)

    def kept(self, twin: str, name: str) -> bytes | None:
        """Return what was kept last under that name, or None."""
        return opened(self._notes.get(twin, name), self._keys.subject(twin), twin, name)

    # reading

    @contextmanager
    def _reader(self) -> Iterator[apsw.Connection]:
        self._check_open()
        with understood(self.path):
            db = self._idle.pop() if self._idle else connect(self.path, readonly=True)
            try:
                yield db
            finally:
                if self._closed or db.in_transaction:
                    db.close(True)
                else:
                    self._idle.append(db)

    def _ask(self, statement: str, values: Sequence[object]) -> list[tuple[object, ...]]:
        with self._reader() as db:
            return db.execute(statement, tuple(values)).fetchall()

    @property
    def size(self) -> int:
        """Return how many facts are durable: the place of the last one."""
        head = self._head
        return head.size if head is not None else int(str(self._ask("SELECT size FROM tree", ())[0][0]))

    def read(
        self,
        twin: str | None = None,
        *,
        kinds: Collection[str] | None = None,
        after_seq: int = 0,
        true_from: Time | None = None,
        true_until: Time | None = None,
        known_by: Time | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Iterator[Fact]:
        """Yield facts in order of seq: `true_from <= true_at < true_until`, `known_at <= known_by`."""
        self._check_open()
        query = asked(twin, kinds, after_seq, self._last(known_by), true_from, true_until, reverse)
        if query.kinds == () or within(limit) == 0:
            return iter(())
        found = (
            fact for page in pages(query, self._ask, min(limit or PAGE, PAGE)) for fact in facts_in(page, self._keys)
        )
        return found if limit is None else islice(found, limit)

    def _row(self, seq: int) -> Row:
        found = self._ask(f"SELECT {ROW} FROM fact WHERE rowid = ?", (seq,)) if 0 < seq < 1 << 63 else []
        if not found:
            raise NotFound(f"no fact {seq}; the thread has {self.size} facts")
        return Row(*found[0])  # type: ignore[arg-type]  # columns of ROW

    def get(self, seq: int) -> Fact:
        """Return one fact, or raise `NotFound`."""
        row = self._row(seq)
        for fact in facts_in([row], self._keys):
            return fact
        erased = f"fact {seq} cannot be read: {row.twin} was erased"
        raise NotFound(erased if row.sealed else kept_out(row))

    def bodies(
        self,
        shape: type[S],
        twin: str,
        kind: str,
        *,
        after_seq: int = 0,
        true_from: Time | None = None,
        true_until: Time | None = None,
        known_by: Time | None = None,
    ) -> list[Said[S]]:
        """Return of all facts of one kind when they were true, their seq, and *shape* of their bodies, in this order."""
        query = asked(twin, [kind], after_seq, self._last(known_by), true_from, true_until, False)
        rows, key = self._ask(*listed(query)), self._keys.subject(twin)
        if rows and key is None and not self._keys.erased(twin):
            raise Unavailable(f"{twin} cannot be read: its key is not in {self._keys.folder}")
        return [] if key is None else unsealed(rows, twin, kind, key, shape)

    def skim(
        self, kinds: Collection[str], *, twins: Collection[str] | None = None, after_seq: int = 0
    ) -> Iterator[Light]:
        """Yield facts of some kinds of many twins (all) in order of seq: the quick way to many facts."""
        self._check_open()
        query = skimmed(kinds, twins, after_seq, self.size)
        return skim(pages(query, self._ask), self._keys)

    def _last(self, known_by: Time | None) -> int:
        """Return how many facts were known by some time, or are known."""
        size = self.size
        if known_by is None:
            return size
        with self._reader() as db:
            return last_known(db, size, bounded(known_by, "known_by"))

    def rows(self, twin: str | None = None, *, after_seq: int = 0) -> Iterator[Row]:
        """Yield rows in order of seq as they lie in the store, sealed, those of erased subjects too."""
        query = asked(twin, None, after_seq, self.size, None, None, False)
        return (row for page in pages(query, self._ask) for row in page)

    def twins(self) -> list[str]:
        """Return the ids of all twins that have facts, in order, erased ones left out."""
        rows = self._ask(
            "WITH RECURSIVE hop(twin) AS (SELECT min(twin) FROM fact UNION ALL"
            " SELECT (SELECT min(twin) FROM fact WHERE twin > hop.twin) FROM hop WHERE hop.twin IS NOT NULL)"
            " SELECT twin FROM hop WHERE twin IS NOT NULL",
            (),
        )
        return self._keys.living(twin for (twin,) in rows if isinstance(twin, str))

    # proving

    def verify(self) -> Verdict:
        """Recompute every hash and decrypt every body."""
        return verify_store(self.folder)

    def secrets(self, twin: str) -> tuple[bytes, ...]:
        """Return the subject's keys, oldest first, to hand the whole twin over; raise `NotFound` if there are none."""
        return secrets_of(self._keys, twin)

    @property
    def public_key(self) -> str:
        """Return the Ed25519 key that signatures are checked with, in hex."""
        return self._public_key

    def sign(self, message: bytes) -> str:
        """Return the store's Ed25519 signature of *message*, in hex, as on the receipt of an erasure."""
        signing = self._keys.signing
        if signing is None:
            raise Unavailable(f"{self._keys.folder} is without its signing key")
        return signing.sign(message).hex()

    def checkpoint(self, now: Time) -> Checkpoint:
        """Sign the tree as it is, and keep the signature; done when closing too."""
        with self._write, understood(self.path):
            db = self._db()
            return self._checkpoint(db, self._head or load(db, self.path), bounded(now, "now"))

    def _checkpoint(self, db: apsw.Connection, head: Head, now: Time) -> Checkpoint:
        signing = self._keys.signing
        if signing is None:
            raise Unavailable(f"{self._keys.folder} is without its signing key")
        made = sign_checkpoint(signing, head.size, Tree(head.size, head.peaks).root.hex(), now)
        db.execute("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", (made.size, made.root, made.at, made.signature))
        self._keys.remember(made)
        return made

    def checkpoints(self) -> list[Checkpoint]:
        """Return what was signed, oldest first."""
        rows = self._ask("SELECT size, root, at, signature FROM checkpoint ORDER BY rowid", ())
        return [Checkpoint(*row) for row in rows]  # type: ignore[arg-type]  # as the table has them

    def prove(self, seq: int, size: int | None = None) -> Inclusion:
        """Return the proof that a fact, erased or not, is among the first *size* (all)."""
        return inclusion(seq, size, self.size, self._row, self._node)

    def prove_growth(self, first: int, second: int | None = None) -> tuple[str, ...]:
        """Return the path that shows the first *second* (all) facts to begin with the first *first*."""
        return growth(first, second, self.size, self._node)

    def _perfect(self, level: int, place: int) -> bytes:
        if level >= KEPT_LEVEL:
            rows = self._ask("SELECT hash FROM node WHERE level = ? AND place = ?", (level, place))
        else:
            span = (place << level, (place + 1) << level)
            rows = self._ask("SELECT leaf FROM fact WHERE rowid > ? AND rowid <= ? ORDER BY rowid", span)
        hashes = [row[0] for row in rows if isinstance(row[0], bytes)]
        if len(hashes) != (1 if level >= KEPT_LEVEL else 1 << level):
            raise Tampered(f"{self.path} lacks hashes of its tree; `gemel verify` names what is wrong")
        return fold(hashes)
