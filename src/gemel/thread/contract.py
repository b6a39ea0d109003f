"""What every thread back end promises; `gemel.testing.thread` holds each of them to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from gemel.facts import Draft, Fact, Time
from gemel.thread.row import Row

Listener = Callable[[Sequence[Fact]], None]
"""Is called with facts that are durable, in order of seq."""

S = TypeVar("S")
"""What is asked of bodies: a `msgspec.Struct` with some of the names that they have, or dict for all."""

Said = tuple[Time, int, S]
"""When a fact was true, its seq, and of its body what was asked for."""


class Light(msgspec.Struct, gc=False):
    """A stored fact in the light form in which `skim` tells many."""

    twin: str
    kind: str
    body: dict[str, Any]
    true_at: Time
    known_at: Time
    by: str
    cause: tuple[int, ...]
    seq: int

    def fact(self) -> Fact:
        """Return it as a fact."""
        return Fact(self.twin, self.kind, self.body, self.true_at, self.known_at, self.by, self.cause, self.seq)


@dataclass(frozen=True)
class Appended:
    """What an append did: facts now durable, and how many drafts were there already (by their key)."""

    facts: tuple[Fact, ...]
    duplicates: int


@dataclass(frozen=True)
class Verdict:
    """What a verification found: `problems` name the fact (by seq) or the part that is not as written."""

    size: int
    root: str
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Return whether nothing was found."""
        return not self.problems


@dataclass(frozen=True)
class Checkpoint:
    """What the store signed at some time: its first `size` facts have this `root`; root and signature in hex."""

    size: int
    root: str
    at: Time
    signature: str


@dataclass(frozen=True)
class Inclusion:
    """That a fact is among the first `size`: `record` is what was hashed (hex), `path` leads from it to the root."""

    seq: int
    size: int
    record: str
    path: tuple[str, ...]


class Thread(Protocol):
    """An append-only, bitemporal, tamper-evident sequence of facts, encrypted per subject."""

    def append(self, drafts: Sequence[Draft], now: Time, *, after: int | None = None) -> Appended:
        """Store all of *drafts* or none, durably, in order; `known_at` is *now*, never before an earlier fact's.

        With *after*, they are stored only as the facts that follow that one, else `Unavailable` is raised: their seqs are
        then known beforehand, and a draft may name earlier ones of the same append as its cause.
        """
        ...

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
        ...

    @property
    def size(self) -> int:
        """Return how many facts are durable: the place of the last one."""
        ...

    def get(self, seq: int) -> Fact:
        """Return one fact, or raise `NotFound`."""
        ...

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
        """Return of all facts of one kind when they were true, their seq, and *shape* of their bodies, in this order.

        It is the quick way to many numbers, and with *after_seq* to the few that came since. *shape* is a
        `msgspec.Struct` with some of the names that the bodies have, or dict for all of them; raise `BadInput` for a
        body that does not fit.
        """
        ...

    def skim(
        self, kinds: Collection[str], *, twins: Collection[str] | None = None, after_seq: int = 0
    ) -> Iterator[Light]:
        """Yield facts of some kinds of many twins (all) in order of seq: the quick way to many facts."""
        ...

    def rows(self, twin: str | None = None, *, after_seq: int = 0) -> Iterator[Row]:
        """Yield rows in order of seq as they lie in the store, sealed, those of erased subjects too."""
        ...

    def twins(self) -> list[str]:
        """Return the ids of all twins that have facts, in order, erased ones left out."""
        ...

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with each durable batch, in order; return the function that stops it.

        It is called on the thread of whoever appended, outside the lock: others go on committing, and an append
        inside it is heard after it. A lone writer's listeners have been called when its append returns.
        """
        ...

    def verify(self) -> Verdict:
        """Recompute every hash and decrypt every body."""
        ...

    def erase(self, twin: str) -> None:
        """Destroy the subject's key: its facts can no longer be read, and the tree still verifies."""
        ...

    def erased(self, twin: str) -> bool:
        """Return whether the subject was erased; nothing can be appended to it again."""
        ...

    def thin(self, cover: int) -> int:
        """Drop the contents of the facts that fact *cover*, a `thinned/1` of the house, stands for; their hashes stay.

        Returns how many had any. They can no longer be read; the tree, and every older proof, still holds.
        """
        ...

    def secrets(self, twin: str) -> tuple[bytes, ...]:
        """Return the subject's keys, oldest first, to hand the whole twin over; raise `NotFound` if there are none."""
        ...

    @property
    def public_key(self) -> str:
        """Return the Ed25519 key that signatures are checked with, in hex."""
        ...

    def sign(self, message: bytes) -> str:
        """Return the store's Ed25519 signature of *message*, in hex, as on the receipt of an erasure."""
        ...

    def checkpoint(self, now: Time) -> Checkpoint:
        """Sign the tree as it is, and keep the signature; done when closing too."""
        ...

    def checkpoints(self) -> list[Checkpoint]:
        """Return what was signed, oldest first."""
        ...

    def prove(self, seq: int, size: int | None = None) -> Inclusion:
        """Return the proof that a fact, erased or not, is among the first *size* (all)."""
        ...

    def prove_growth(self, first: int, second: int | None = None) -> tuple[str, ...]:
        """Return the path that shows the first *second* (all) facts to begin with the first *first*."""
        ...

    def keep(self, twin: str, name: str, data: bytes) -> None:
        """Keep what can be computed again, sealed with the subject's key; the last of each name, no fact, no promise."""
        ...

    def kept(self, twin: str, name: str) -> bytes | None:
        """Return what was kept last under that name, or None."""
        ...

    def close(self) -> None:
        """Sign what is new, and let go of files."""
        ...
