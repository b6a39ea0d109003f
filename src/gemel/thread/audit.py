"""Verification: every hash recomputed, every body decrypted, every signature checked, each problem named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gemel.errors import BadInput, Tampered, Unavailable
from gemel.facts import HOUSE, Fact, iso
from gemel.thread.codec import name, unseal
from gemel.thread.contract import Checkpoint, Verdict
from gemel.thread.keys import Keys, SubjectKey
from gemel.thread.ledger import Head
from gemel.thread.merkle import Tree, leaf_hash
from gemel.thread.row import Row
from gemel.thread.signature import checkpoint_holds
from gemel.thread.thinning import THINNED, cover_of, mark_of

MOST = 1_000
FAR = 1 << 24
"""A seq so far beyond the last is a damaged one, not a gap."""


@dataclass(frozen=True)
class Damage:
    """Where a stored fact should be and cannot be read as one."""

    seq: int
    what: str
    twin: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Claim:
    """What a store says of itself: its head, kept subtree hashes, checkpoints, key."""

    head: Head
    node: Callable[[int, int], bytes | None]
    checkpoints: Sequence[Checkpoint]
    public_key: str


@dataclass
class _Walk:
    """The state of one pass over the rows."""

    claim: Claim
    keys: Keys
    problems: list[str] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)
    seen: bytearray = field(default_factory=lambda: bytearray(1))
    known_at: int = -(1 << 63)
    subjects: dict[str, SubjectKey | str | None] = field(default_factory=dict)
    emptied: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """The twin and the mark of each row without contents, until a fact of the house is found that covers it."""
    covers: list[Fact] = field(default_factory=list)


def audit(rows: Iterable[Row | Damage], claim: Claim, keys: Keys) -> Verdict:
    """Return the verdict on rows that should be facts 1, 2, 3 … as *claim* has them."""
    walk = _Walk(claim, keys)
    due = sorted((checkpoint for checkpoint in claim.checkpoints), key=lambda checkpoint: checkpoint.size)
    for row in rows:
        if len(walk.problems) > MOST:
            break
        due = _checkpoints_at(walk, due)
        if isinstance(row, Damage):
            _mark(walk, row.seq)
            walk.problems.append(f"{name(row.seq, row.twin, row.kind)} cannot be read: {row.what}")
        else:
            walk.problems += _row(walk, row)
    due = _checkpoints_at(walk, due)
    walk.problems += [
        *_missing(walk),
        *_uncovered(walk),
        *_head(walk),
        *(_beyond(walk, checkpoint) for checkpoint in due),
    ]
    walk.problems += [
        f"the checkpoint of {checkpoint.size} facts at {_when(checkpoint)} is not signed by this store"
        for checkpoint in claim.checkpoints
        if not checkpoint_holds(checkpoint, claim.public_key)
    ]
    return Verdict(walk.tree.size, walk.tree.root.hex(), tuple(dict.fromkeys(walk.problems)))


def _when(checkpoint: Checkpoint) -> str:
    try:
        return iso(checkpoint.at)
    except (ValueError, OverflowError, OSError, TypeError):
        return f"{checkpoint.at} ms"


def _mark(walk: _Walk, seq: int) -> bool:
    """Return whether this is the first row with that seq, which is remembered."""
    if not 0 < seq <= min(walk.claim.head.size, len(walk.seen) + FAR):
        return False
    if seq >= len(walk.seen):
        walk.seen.extend(bytes(seq + 1 - len(walk.seen)))
    first = not walk.seen[seq]
    walk.seen[seq] = 1
    return first


def _row(walk: _Walk, row: Row) -> Iterator[str]:
    called = name(row.seq, row.twin, row.kind)
    if not _mark(walk, row.seq):
        yield f"{called} was never part of the thread, or is there twice"
    leaf = leaf_hash(row.record) if row.sealed else row.leaf
    if not row.sealed:
        walk.emptied[row.seq] = row.twin, mark_of(row)
    elif leaf != row.leaf:
        yield f"{called} is not as it was written: its hash differs"
    if row.known_at < walk.known_at:
        yield f"{called} became known before the fact before it"
    walk.known_at = max(walk.known_at, row.known_at)
    for level, place, node in walk.tree.add(leaf):
        if walk.claim.node(level, place) != node:
            yield f"facts {(place << level) + 1} to {(place + 1) << level}: the hash over them is not as it was written"
    if row.sealed:
        yield from _body(walk, row, called)


def _body(walk: _Walk, row: Row, called: str) -> Iterator[str]:
    if row.twin not in walk.subjects:
        walk.subjects[row.twin] = _subject(walk.keys, row.twin)
    key = walk.subjects[row.twin]
    if isinstance(key, str):
        yield f"{called} cannot be read: {key}"
    elif key is not None:
        try:
            fact = unseal(row, key)
        except Tampered:
            yield f"{called} is not as it was written: its body cannot be decrypted"
        else:
            yield from _of_house(walk, fact) if row.twin == HOUSE else ()


def _of_house(walk: _Walk, fact: Fact) -> Iterator[str]:
    """Hold what the house said of others against what is there."""
    if fact.kind == THINNED:
        walk.covers.append(fact)
    if fact.kind == "erased/1" and isinstance(twin := fact.body.get("twin"), str) and not walk.keys.erased(twin):
        yield f"{twin} was erased, by {name(fact.seq, fact.twin, fact.kind)}, but its key is there again or its mark is gone"


def _subject(keys: Keys, twin: str) -> SubjectKey | str | None:
    """Return the subject's key, None if it was erased, or what is wrong with it."""
    try:
        key = keys.subject(twin)
    except Unavailable as error:
        return str(error)
    return key if key is not None or keys.erased(twin) else "the key of its subject is missing"


def _uncovered(walk: _Walk) -> Iterator[str]:
    """Hold each row without contents against the facts that say what was thinned."""
    for fact in walk.covers:
        try:
            cover = cover_of(fact)
        except BadInput as error:
            yield str(error)
            continue
        for seq in cover.marks.keys() & walk.emptied.keys():
            if walk.emptied[seq] == (cover.twin, cover.marks[seq]):
                del walk.emptied[seq]
    for seq, (twin, _) in sorted(walk.emptied.items())[:MOST]:
        yield f"{name(seq, twin)} is without its contents, and no fact of the house says that it was thinned as it stands"


def _missing(walk: _Walk) -> Iterator[str]:
    if len(walk.problems) > MOST:
        yield "and more; the rest was not looked at"
        return
    size, start = walk.claim.head.size, 1
    while start <= size:
        first = walk.seen.find(0, start)
        first = len(walk.seen) if first < 0 else first
        if first > size:
            return
        next_ = walk.seen.find(1, first)
        last = size if next_ < 0 else next_ - 1
        yield _gone(first, last)
        start = last + 1


def _gone(first: int, last: int) -> str:
    return f"fact {first} is missing" if first == last else f"facts {first} to {last} are missing"


def _head(walk: _Walk) -> Iterator[str]:
    claimed = walk.claim.head
    if claimed.size != walk.tree.size:
        yield f"the tree is of {claimed.size} facts, but {walk.tree.size} are stored"
    elif list(claimed.peaks) != walk.tree.peaks:
        yield "the tree's root is not that of the stored facts"
    elif claimed.size and claimed.known_at != walk.known_at:
        yield "the tree's time is not that of the last fact"


def _checkpoints_at(walk: _Walk, due: list[Checkpoint]) -> list[Checkpoint]:
    """Compare the checkpoints of the present size, and return those still to come."""
    while due and due[0].size <= walk.tree.size:
        checkpoint, *due = due
        if checkpoint.size == walk.tree.size and checkpoint.root != walk.tree.root.hex():
            walk.problems.append(
                f"the first {checkpoint.size} facts are not those that were signed at {_when(checkpoint)}"
            )
        elif checkpoint.size < 0:
            walk.problems.append(f"a checkpoint of {checkpoint.size} facts cannot be")
    return due


def _beyond(walk: _Walk, checkpoint: Checkpoint) -> str:
    size = max(walk.tree.size, walk.claim.head.size)
    if checkpoint.size <= size:
        return f"the first {checkpoint.size} facts are not those that were signed at {_when(checkpoint)}"
    return f"{_gone(size + 1, checkpoint.size)}: they were signed at {_when(checkpoint)}"
