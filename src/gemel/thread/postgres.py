"""The back end for servers: one schema of a PostgreSQL database holds the facts, a folder elsewhere the keys; one writer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from gemel.errors import NotFound, Tampered, Unavailable, unknown
from gemel.facts import Draft, Fact, Time
from gemel.thread.bulk import facts_in, skim, unsealed
from gemel.thread.codec import prepare
from gemel.thread.commit import GroupCommit, Ticket
from gemel.thread.contract import Appended, Checkpoint, Inclusion, Light, Listener, S, Said, Verdict
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.keys import secrets_of
from gemel.thread.ledger import Head, Marks, compose
from gemel.thread.listeners import Listeners
from gemel.thread.merkle import KEPT_LEVEL, Tree, fold
from gemel.thread.notes import opened, sealed
from gemel.thread.postgres_address import parse
from gemel.thread.postgres_inspection import verify
from gemel.thread.postgres_link import Readers, understood
from gemel.thread.postgres_notes import TableNotes
from gemel.thread.postgres_query import TWINS, contents, last_known, pages
from gemel.thread.postgres_store import Identity, create, exists, identity, new_id
from gemel.thread.postgres_tables import ROW, Db, as_row, drop_contents, scalar, text
from gemel.thread.postgres_writing import PAUSES_S, Writing
from gemel.thread.proving import growth, inclusion, known_nodes
from gemel.thread.query import PAGE, asked, skimmed
from gemel.thread.row import Row
from gemel.thread.signature import sign_checkpoint
from gemel.thread.thinning import cover_of, kept_out
from gemel.thread.within import bounded, within

log = logging.getLogger(__name__)

_HELD = (
    "SELECT asked.twin, asked.mark FROM unnest(%b::bytea[], %b::bytea[]) AS asked(twin, mark)"
    " WHERE EXISTS (SELECT 1 FROM fact WHERE fact.twin = asked.twin AND fact.mark = asked.mark)"
)


class PostgresThread:
    """A thread in a schema of a PostgreSQL database; `readonly` opens it beside the process that writes."""

    def __init__(
        self, address: str, *, readonly: bool = False, keys: FolderKeys | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:  # fmt: skip
        self.address, self.readonly = parse(address), readonly
        self._write = threading.RLock()
        self._commits = GroupCommit(self._commit)
        self._listeners = Listeners()
        self._node = known_nodes(self._perfect)
        self._readers = Readers(self.address, readonly=readonly)
        self._notes = TableNotes(self._readers)
        self._closed = False
        self._end: Writing | None = None
        self._own_keys = keys
        try:
            self._public_key = self._open_reader() if readonly else self._open_writer(pauses_s)
        except BaseException:
            self._let_go()
            raise

    # opening and closing

    def _open_reader(self) -> str:
        with self._readers.one() as db:
            if not exists(db, self.address):
                raise NotFound(f"no store in {self.address.shown}: there is no such schema")
            found = identity(db, self.address)
        self._keys = self._own_keys or self.address.open_keys(found.id, readonly=True)
        return found.public_key

    def _open_writer(self, pauses_s: Sequence[float]) -> str:
        self._end = Writing(self.address, pauses_s, self._regained)
        with understood(self.address):
            db = self._end.db
            found = identity(db, self.address) if exists(db, self.address) else self._create(db)
            self._keys = self._own_keys = self._own_keys or self.address.open_keys(found.id)
            signing = self._keys.signing
            if signing is None:
                raise Unavailable(f"{self._keys.folder} is without its signing key; put the folder back from a copy")
            if signing.public_key().public_bytes_raw().hex() != found.public_key:
                raise Tampered(f"{self.address.shown} does not belong to the keys in {self._keys.folder}")
            self._check_end(db, self._end.begin())
        return found.public_key

    def _create(self, db: Db) -> Identity:
        id_ = new_id(db)
        keys = self._own_keys = self._own_keys or self.address.open_keys(id_)
        if keys.remembered is not None or next(keys.held(), None) is not None:
            raise Unavailable(
                f"{self.address.shown} holds nothing, but the keys in {keys.folder} belong to a store with facts; put that"
                " back, or name another folder with ?keys="
            )
        made = Identity(id_, keys.make_signing().public_key().public_bytes_raw().hex())
        create(db, self.address, made)
        return made

    def _check_end(self, db: Db, head: Head) -> None:
        remembered = self._keys.remembered
        signed = max(scalar(db, "SELECT max(size) FROM checkpoint") or 0, remembered.size if remembered else 0)
        if signed > head.size:
            raise Tampered(
                f"{self.address.shown} ends at fact {head.size}, but {signed} were signed; the missing facts must be put"
                " back (the store can be opened read-only)"
            )

    def close(self) -> None:
        """Sign what is new, and let go of connections; facts stay where a server is out of reach, signed next time."""
        with self._write:
            if self._closed:
                return
            try:
                if self._end is not None:
                    self._sign_rest(self._end)
            except Unavailable as error:
                log.warning("closed without a signature: %s", error)
            finally:
                self._let_go()

    def _sign_rest(self, end: Writing) -> None:
        with understood(self.address):
            head = end.ready()
            if head.size > (scalar(end.db, "SELECT max(size) FROM checkpoint") or 0):
                self._checkpoint(end, head, head.known_at)

    def _let_go(self) -> None:
        self._closed = True
        self._readers.close()
        if self._end is not None:
            self._end.close()
        keys = self._own_keys or getattr(self, "_keys", None)
        if keys is not None:
            keys.close()

    def __enter__(self) -> PostgresThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"the store {self.address.shown} is closed")

    def _writing(self) -> Writing:
        """Return the end of the store, or raise `Unavailable` where nothing may be added."""
        self._check_open()
        if self._end is None:
            raise Unavailable(f"the store {self.address.shown} was opened read-only")
        return self._end

    def _hold(self) -> None:
        """Take the lock again where it was lost, before anything is read that others may have added to meanwhile."""
        self._check_open()
        if self._end is not None and self._write.acquire(blocking=False):
            try:
                if not self._end.held:
                    with understood(self.address):
                        self._end.ready()
            finally:
                self._write.release()

    def _regained(self, known: int, size: int) -> None:
        """Take in what another process did while this one was without the lock, and tell of its facts."""
        self._keys.refresh()
        for page in pages(asked(None, None, known, size, None, None, False), self._ask):
            self._listeners.put(list(facts_in(page, self._keys)))
        threading.Thread(target=self._listeners.tell, daemon=True).start()  # a reader's thread may hold locks of theirs

    # writing

    def append(self, drafts: Sequence[Draft], now: Time, *, after: int | None = None) -> Appended:
        """Store all of *drafts* or none, durably, in order; `known_at` is *now*, never before an earlier fact's."""
        self._writing()
        ticket = Ticket([prepare(draft) for draft in drafts], bounded(now, "now"), after)
        if ticket.drafts:
            self._commits.submit(ticket)
        if ticket.error is not None:
            raise ticket.error
        self._listeners.tell()
        return Appended(ticket.facts, ticket.duplicates)

    def _commit(self, tickets: Sequence[Ticket]) -> None:
        with self._write, understood(self.address):
            end = self._writing()
            entry = compose(tickets, end.ready(), self._keys, self._held, self._known)
            if entry.rows:
                end.store(entry)
            self._listeners.put(entry.facts)

    def _held(self, marks: Marks) -> Marks:
        twins, marked = [text(twin) for twin, _ in marks], [mark for _, mark in marks]
        found = self._writing().db.execute(_HELD, (twins, marked), binary=True).fetchall()
        return {(twin.decode(), mark) for twin, mark in found}

    def _known(self, twin: str) -> bool:
        return scalar(self._writing().db, "SELECT 1 FROM fact WHERE twin = %b LIMIT 1", text(twin)) is not None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with each durable batch, in order; return the function that stops it."""
        return self._listeners.subscribe(listener)

    # erasing

    def erase(self, twin: str) -> None:
        """Destroy the subject's key: its facts can no longer be read, and the tree still verifies."""
        with self._write:
            self._writing()
            if not self._keys.erased(twin):
                if self._keys.subject(twin) is None:
                    raise unknown("twin", twin, self.twins())
                self._keys.erase(twin)
            self._notes.drop(twin)

    def thin(self, cover: int) -> int:
        """Drop the contents of the facts that fact *cover*, a `thinned/1` of the house, stands for; their hashes stay."""
        what = cover_of(self.get(cover))
        with self._write, understood(self.address):
            end = self._writing()
            end.ready()
            return drop_contents(end.db, what.full(self))

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

    def _ask(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        self._hold()
        with self._readers.one() as db:
            return db.execute(statement, values, binary=True).fetchall()

    @property
    def size(self) -> int:
        """Return how many facts are durable: the place of the last one."""
        if self._end is None:
            return int(self._ask("SELECT size FROM tree", ())[0][0])
        self._hold()
        return self._end.size

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
        found = self._ask(f"SELECT {ROW} FROM fact WHERE seq = %s", (seq,)) if 0 < seq < 1 << 63 else []
        if not found:
            raise NotFound(f"no fact {seq}; the thread has {self.size} facts")
        return as_row(found[0])

    def get(self, seq: int) -> Fact:
        """Return one fact, or raise `NotFound`."""
        self._check_open()
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
        self._check_open()
        query = asked(twin, [kind], after_seq, self._last(known_by), true_from, true_until, False)
        key, rows = self._keys.subject(twin), self._ask(*contents(query))
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
        return size if known_by is None else last_known(self._ask, size, bounded(known_by, "known_by"))

    def rows(self, twin: str | None = None, *, after_seq: int = 0) -> Iterator[Row]:
        """Yield rows in order of seq as they lie in the store, sealed, those of erased subjects too."""
        self._check_open()
        query = asked(twin, None, after_seq, self.size, None, None, False)
        return (row for page in pages(query, self._ask) for row in page)

    def twins(self) -> list[str]:
        """Return the ids of all twins that have facts, in order, erased ones left out."""
        return self._keys.living(twin.decode() for (twin,) in self._ask(TWINS, ()))

    # proving

    def verify(self) -> Verdict:
        """Recompute every hash and decrypt every body."""
        self._check_open()
        return verify(self.address, self._keys)

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
        with self._write, understood(self.address):
            end = self._writing()
            return self._checkpoint(end, end.ready(), bounded(now, "now"))

    def _checkpoint(self, end: Writing, head: Head, now: Time) -> Checkpoint:
        signing = self._keys.signing
        if signing is None:
            raise Unavailable(f"{self._keys.folder} is without its signing key")
        made = sign_checkpoint(signing, head.size, Tree(head.size, head.peaks).root.hex(), now)
        end.db.execute(
            "INSERT INTO checkpoint(size, root, at, signature) VALUES (%s, %s, %s, %s)",
            (made.size, made.root, made.at, made.signature),
        )
        self._keys.remember(made)
        return made

    def checkpoints(self) -> list[Checkpoint]:
        """Return what was signed, oldest first."""
        return [
            Checkpoint(*row) for row in self._ask("SELECT size, root, at, signature FROM checkpoint ORDER BY id", ())
        ]

    def prove(self, seq: int, size: int | None = None) -> Inclusion:
        """Return the proof that a fact, erased or not, is among the first *size* (all)."""
        return inclusion(seq, size, self.size, self._row, self._node)

    def prove_growth(self, first: int, second: int | None = None) -> tuple[str, ...]:
        """Return the path that shows the first *second* (all) facts to begin with the first *first*."""
        return growth(first, second, self.size, self._node)

    def _perfect(self, level: int, place: int) -> bytes:
        if level >= KEPT_LEVEL:
            rows = self._ask("SELECT hash FROM node WHERE level = %s AND place = %s", (level, place))
        else:
            span = (place << level, (place + 1) << level)
            rows = self._ask("SELECT leaf FROM fact WHERE seq > %s AND seq <= %s ORDER BY seq", span)
        if len(rows) != (1 if level >= KEPT_LEVEL else 1 << level):
            raise Tampered(f"{self.address.shown} lacks hashes of its tree; `gemel verify` names what is wrong")
        return fold([row[0] for row in rows])
