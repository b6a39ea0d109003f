"""A thread for as long as the process runs: the same promises but durability, for tests, forks and trials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

from gemel.errors import NotFound, Unavailable, unknown
from gemel.facts import Draft, Fact, Time
from gemel.thread.audit import Claim, audit
from gemel.thread.bulk import shaped, skim
from gemel.thread.codec import prepare, unseal
from gemel.thread.commit import GroupCommit, Ticket
from gemel.thread.contract import Appended, Checkpoint, Inclusion, Light, Listener, S, Said, Verdict
from gemel.thread.keys import MemoryKeys, secrets_of
from gemel.thread.ledger import Head, Marks, compose
from gemel.thread.listeners import Listeners
from gemel.thread.merkle import KEPT_LEVEL, Tree, fold
from gemel.thread.notes import MemoryNotes, opened, sealed
from gemel.thread.proving import growth, inclusion, known_nodes
from gemel.thread.query import Query, asked, skimmed
from gemel.thread.row import Row
from gemel.thread.signature import sign_checkpoint
from gemel.thread.thinning import cover_of, kept_out
from gemel.thread.within import bounded, within


class MemoryThread:
    """A thread in memory: sealed, hashed and signed as a stored one is."""

    readonly = False

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._by_twin: dict[str, list[int]] = {}
        self._marks: Marks = set()
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._checkpoints: list[Checkpoint] = []
        self._head = Head()
        self._keys = MemoryKeys()
        self._write = threading.Lock()
        self._commits = GroupCommit(self._commit)
        self._listeners = Listeners()
        self._node = known_nodes(self._perfect)
        self._notes = MemoryNotes()
        self._closed = False

    def close(self) -> None:
        """Sign what is new; everything else is gone."""
        if not self._closed:
            if self._head.size > max((made.size for made in self._checkpoints), default=0):
                self.checkpoint(self._head.known_at)
            self._closed = True

    def __enter__(self) -> MemoryThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the thread in memory is closed")

    def append(self, drafts: Sequence[Draft], now: Time, *, after: int | None = None) -> Appended:
        """Store all of *drafts* or none, in order; `known_at` is *now*, never before an earlier fact's."""
        self._check_open()
        ticket = Ticket([prepare(draft) for draft in drafts], bounded(now, "now"), after)
        if ticket.drafts:
            self._commits.submit(ticket)
        if ticket.error is not None:
            raise ticket.error
        self._listeners.tell()
        return Appended(ticket.facts, ticket.duplicates)

    def _commit(self, tickets: Sequence[Ticket]) -> None:
        with self._write:
            entry = compose(tickets, self._head, self._keys, self._marks.intersection, self._by_twin.__contains__)
            for row in entry.rows:
                self._by_twin.setdefault(row.twin, []).append(row.seq)
            self._marks.update((row.twin, row.mark) for row in entry.rows if row.mark)
            self._nodes.update({(level, place): node for level, place, node in entry.nodes})
            self._rows += entry.rows
            self._head = entry.head
            self._listeners.put(entry.facts)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with each batch, in order; return the function that stops it."""
        return self._listeners.subscribe(listener)

    def erase(self, twin: str) -> None:
        """Destroy the subject's key: its facts can no longer be read, and the tree still verifies."""
        with self._write:
            self._check_open()
            if not self._keys.erased(twin):
                if self._keys.subject(twin) is None:
                    raise unknown("twin", twin, self.twins())
                self._keys.erase(twin)
            self._notes.drop(twin)

    def thin(self, cover: int) -> int:
        """Drop the contents of the facts that fact *cover*, a `thinned/1` of the house, stands for; their hashes stay."""
        what = cover_of(self.get(cover))
        with self._write:
            rows = what.full(self)
            for row in rows:
                self._rows[row.seq - 1] = row._replace(sealed=b"")
        return len(rows)

    def erased(self, twin: str) -> bool:
        """Return whether the subject was erased; nothing can be appended to it again."""
        return self._keys.erased(twin)

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

    @property
    def size(self) -> int:
        """Return how many facts there are: the place of the last one."""
        return self._head.size

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
        query = asked(twin, kinds, after_seq, self._head.size, true_from, true_until, reverse)
        if known_by is not None:
            bounded(known_by, "known_by")
        return islice(self._facts(query, known_by), within(limit))

    def _facts(self, query: Query, known_by: Time | None) -> Iterator[Fact]:
        seqs = range(query.after + 1, query.last + 1) if query.twin is None else self._by_twin.get(query.twin, [])
        count = len(seqs)
        for i in range(count - 1, -1, -1) if query.reverse else range(count):
            row = self._rows[seqs[i] - 1] if seqs[i] > 0 else None
            if row is not None and row.sealed and query.matches(row) and (known_by is None or row.known_at <= known_by):
                key = self._keys.subject(row.twin)
                if key is not None:
                    yield unseal(row, key)

    def _row(self, seq: int) -> Row:
        if not 0 < seq <= len(self._rows):
            raise NotFound(f"no fact {seq}; the thread has {len(self._rows)} facts")
        return self._rows[seq - 1]

    def get(self, seq: int) -> Fact:
        """Return one fact, or raise `NotFound`."""
        self._check_open()
        row = self._row(seq)
        key = self._keys.subject(row.twin)
        if key is None:
            raise NotFound(f"fact {seq} cannot be read: {row.twin} was erased")
        if not row.sealed:
            raise NotFound(kept_out(row))
        return unseal(row, key)

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
        facts = self.read(
            twin, kinds=[kind], after_seq=after_seq, true_from=true_from, true_until=true_until, known_by=known_by
        )
        return shaped(facts, shape)

    def skim(
        self, kinds: Collection[str], *, twins: Collection[str] | None = None, after_seq: int = 0
    ) -> Iterator[Light]:
        """Yield facts of some kinds of many twins (all) in order of seq: the quick way to many facts."""
        self._check_open()
        query = skimmed(kinds, twins, after_seq, self.size)
        every = range(query.after + 1, query.last + 1)
        seqs = every if twins is None else sorted(seq for twin in {*twins} for seq in self._by_twin.get(twin, ()))
        rows = (self._rows[seq - 1] for seq in seqs)
        return skim([[row for row in rows if query.matches(row)]], self._keys)

    def rows(self, twin: str | None = None, *, after_seq: int = 0) -> Iterator[Row]:
        """Yield rows in order of seq as they lie, sealed, those of erased subjects too."""
        self._check_open()
        return iter([row for row in self._rows[max(after_seq, 0) :] if twin is None or row.twin == twin])

    def twins(self) -> list[str]:
        """Return the ids of all twins that have facts, in order, erased ones left out."""
        return sorted((twin for twin in self._by_twin.copy() if not self._keys.erased(twin)), key=str.encode)

    def verify(self) -> Verdict:
        """Recompute every hash and decrypt every body."""
        with self._write:
            claim = Claim(self._head, lambda *place: self._nodes.get(place), self._checkpoints.copy(), self.public_key)
            rows = self._rows.copy()
        return audit(rows, claim, self._keys)

    def secrets(self, twin: str) -> tuple[bytes, ...]:
        """Return the subject's keys, oldest first, to hand the whole twin over; raise `NotFound` if there are none."""
        return secrets_of(self._keys, twin)

    @property
    def public_key(self) -> str:
        """Return the Ed25519 key that signatures are checked with, in hex."""
        return self._keys.signing.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """Return the Ed25519 signature of *message*, in hex, as on the receipt of an erasure."""
        return self._keys.signing.sign(message).hex()

    def checkpoint(self, now: Time) -> Checkpoint:
        """Sign the tree as it is, and keep the signature."""
        with self._write:
            self._check_open()
            root = Tree(self._head.size, self._head.peaks).root.hex()
            made = sign_checkpoint(self._keys.signing, self._head.size, root, bounded(now, "now"))
            self._checkpoints.append(made)
            return made

    def checkpoints(self) -> list[Checkpoint]:
        """Return what was signed, oldest first."""
        return self._checkpoints.copy()

    def prove(self, seq: int, size: int | None = None) -> Inclusion:
        """Return the proof that a fact, erased or not, is among the first *size* (all)."""
        return inclusion(seq, size, self._head.size, self._row, self._node)

    def prove_growth(self, first: int, second: int | None = None) -> tuple[str, ...]:
        """Return the path that shows the first *second* (all) facts to begin with the first *first*."""
        return growth(first, second, self._head.size, self._node)

    def _perfect(self, level: int, place: int) -> bytes:
        if level >= KEPT_LEVEL:
            return self._nodes[level, place]
        return fold([row.leaf for row in self._rows[place << level : (place + 1) << level]])
