"""The Merkle tree of RFC 9162, section 2.1: growing, proving, and checking proofs; SHA-256 throughout.

Leaves are numbered from 0. `perfect(level, place)` stands for the hash over leaves `place << level` up to
`(place + 1) << level`; proofs are put together from such hashes, so a store need not read all its leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

Perfect = Callable[[int, int], bytes]
Node = tuple[int, int, bytes]
"""Level, place and hash of a perfect subtree."""

KEPT_LEVEL = 8
"""Stores keep the hashes of perfect subtrees from this level (256 leaves) up; lower ones are quickly recomputed."""


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows at its right edge; it keeps its peaks, the perfect subtrees it consists of, largest first."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size.bit_count() != len(peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def add(self, leaf: bytes) -> list[Node]:
        """Add a leaf hash; return the perfect subtrees of `KEPT_LEVEL` and above that it completes."""
        node, level, completed = leaf, 0, []
        while self.size >> level & 1:
            node = node_hash(self.peaks.pop(), node)
            level += 1
            if level >= KEPT_LEVEL:
                completed.append((level, self.size >> level, node))
        self.peaks.append(node)
        self.size += 1
        return completed

    @property
    def root(self) -> bytes:
        """Return the hash of the whole tree; of an empty one, that of nothing."""
        return _join(self.peaks) if self.peaks else sha256().digest()


def _join(peaks: Sequence[bytes]) -> bytes:
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def fold(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root


def span_hash(start: int, end: int, perfect: Perfect) -> bytes:
    """Return the hash over leaves *start* to *end*, where *start* is a multiple of the power of two that spans them."""
    peaks = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(perfect(level, start >> level))
        start += 1 << level
    return _join(peaks)


def _split(size: int) -> int:
    """Return the largest power of two below *size*."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_path(index: int, size: int, perfect: Perfect) -> list[bytes]:
    """Return PATH(index, D[size]), section 2.1.3.1: from the leaf's sibling up."""
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(span_hash(middle, end, perfect))
            end = middle
        else:
            path.append(span_hash(start, middle, perfect))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int, perfect: Perfect) -> list[bytes]:
    """Return PROOF(first, D[second]), section 2.1.4.1; empty if either tree holds nothing new."""
    if not 0 < first < second:
        return []
    start, end, path, whole = 0, second, [], True
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(span_hash(middle, end, perfect))
            end = middle
        else:
            path.append(span_hash(start, middle, perfect))
            start, whole = middle, False
    if not whole:
        path.append(span_hash(start, end, perfect))
    return path[::-1]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether *path* shows the leaf hash to be at *index* under *root*, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(step, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, step)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def extends(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Return whether *path* shows the tree of *second* leaves to begin with that of *first*, section 2.1.4.2."""
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not path and first_root == sha256().digest()
    if first == second:
        return not path and first_root == second_root
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, step)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
