"""Copies a whole store, sealed as it lies, into an empty one on any back end: same rows, hashes, signatures and keys.

Until its last step the copy is marked unfinished, and nobody can open it. Cut short at any point, the same copy made
again goes on after the last rows that arrived, once it has been proven that the source begins with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

from gemel.errors import BadInput, NotFound, Refused, Tampered
from gemel.facts import Time
from gemel.thread.codec import name
from gemel.thread.contract import Checkpoint, Thread
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.ledger import Entry, Head
from gemel.thread.merkle import Tree, leaf_hash
from gemel.thread.opening import MEMORY, is_postgres, open_thread, shown, store_exists
from gemel.thread.receiving import Place, receive_in_folder
from gemel.thread.row import Row
from gemel.thread.signature import growth_holds

BATCH = 4_096
"""Rows that arrive together."""


@dataclass(frozen=True)
class Copied:
    """What a copy holds: how many facts under which root, and how many of them an earlier attempt had brought."""

    facts: int
    root: str
    before: int


def copy_thread(
    source: str, target: str, now: Time, tell: Callable[[int, int], object] = lambda done, whole: None
) -> Copied:
    """Copy a store into an empty or unfinished one while nobody writes to either; *tell* hears how far it is."""
    _check(source, target)
    with open_thread(source) as thread, _receiving(target, thread.public_key) as place:
        keys = thread._keys
        assert isinstance(keys, FolderKeys)  # threads in memory were refused
        _check_keys(keys, place, shown(target))
        end, before = thread.checkpoint(now), place.head.size
        _check_begun(thread, place, end, shown(target))
        for done in _rows(thread, place):
            tell(done, end.size)
        if Tree(place.head.size, place.head.peaks).root.hex() != end.root:
            raise Tampered(f"the facts in {shown(source)} are not those under its root; `gemel verify` names them")
        _carry(keys, place.keys)
        place.finish(thread.checkpoints())
        return Copied(end.size, end.root, before)


def _check(source: str, target: str) -> None:
    if MEMORY in (source, target):
        raise BadInput("a thread in memory cannot be copied; possible: folders and postgresql:// addresses")
    if not store_exists(source):
        raise NotFound(f"no store at {shown(source)}")
    if source == target:
        raise BadInput(f"{shown(source)} cannot be copied into itself")


def _receiving(target: str, public_key: str) -> AbstractContextManager[Place]:
    if is_postgres(target):
        from gemel.thread.postgres_receiving import receive_in_schema

        return receive_in_schema(target, public_key)
    return receive_in_folder(target, public_key)


def _check_keys(keys: FolderKeys, place: Place, target: str) -> None:
    if keys.folder.resolve() == place.keys.folder.resolve():
        raise BadInput(
            f"both stores would have their keys in {keys.folder}; unset GEMEL_KEYS, or name others with ?keys=/path"
        )
    theirs, ours = place.keys.signing, keys.signing
    foreign = theirs is None or ours is None or theirs.private_bytes_raw() != ours.private_bytes_raw()
    if foreign and next(place.keys.held(), None) is not None:
        raise Refused(f"{target} cannot take the copy: {place.keys.folder} holds the keys of another store")


def _check_begun(thread: Thread, place: Place, end: Checkpoint, target: str) -> None:
    """Raise unless what arrived earlier is how the source begins."""
    head = place.head
    begun = Checkpoint(head.size, Tree(head.size, head.peaks).root.hex(), 0, "")
    if head.size > end.size or not growth_holds(begun, end, thread.prove_growth(head.size, end.size)):
        raise Refused(
            f"{target} holds {head.size} facts that are not the first of the source; remove it and copy again"
        )


def _rows(thread: Thread, place: Place) -> Iterator[int]:
    """Bring rows over, and yield how many there are after each batch."""
    rows = thread.rows(after_seq=place.head.size)
    while batch := list(islice(rows, BATCH)):
        place.write(_entry(place.head, batch))
        yield place.head.size


def _entry(head: Head, rows: Sequence[Row]) -> Entry:
    """Return rows with the tree over them, computed anew; raise `Tampered` naming one that is not as it was written."""
    tree, entry = Tree(head.size, head.peaks), Entry(head, list(rows))
    for row in rows:
        if row.seq != tree.size + 1:
            raise Tampered(f"{name(tree.size + 1)} is missing; it must be put back before the store is copied")
        if row.sealed and leaf_hash(row.record) != row.leaf:
            raise Tampered(f"{name(row.seq, row.twin, row.kind)} is not as it was written; it is not copied")
        entry.nodes += tree.add(row.leaf)
    entry.head = Head(tree.size, rows[-1].known_at, tuple(tree.peaks))
    return entry


def _carry(keys: FolderKeys, into: FolderKeys) -> None:
    """Copy the keys of all subjects, tombstones too, the key that signs, and the last checkpoint."""
    into.rewrite(dict(keys.held()))
    if keys.signing is not None:
        into.sign_with(keys.signing)
    if keys.remembered is not None:
        into.remember(keys.remembered)
