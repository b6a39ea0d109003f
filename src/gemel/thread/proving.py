"""Making proofs, whatever holds the tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from gemel.errors import NotFound
from gemel.thread.contract import Inclusion
from gemel.thread.merkle import Perfect, consistency_path, inclusion_path
from gemel.thread.row import Row
from gemel.thread.thinning import kept_out

_KEPT = 1 << 15
"""Hashes of perfect subtrees that are kept in memory, about 200 bytes each: neighbouring facts share most of their path."""


def known_nodes(perfect: Perfect) -> Perfect:
    """Return *perfect* with what it said last kept in mind; a perfect subtree never changes."""
    return lru_cache(_KEPT)(perfect)


def inclusion(seq: int, size: int | None, most: int, row: Callable[[int], Row], perfect: Perfect) -> Inclusion:
    """Return the proof that a fact is among the first *size* of *most*."""
    size = _up_to(size, most)
    if not 0 < seq <= size:
        raise NotFound(f"no fact {seq} among the first {size}")
    found = row(seq)
    if not found.sealed:
        raise NotFound(kept_out(found))
    path = inclusion_path(seq - 1, size, perfect)
    return Inclusion(seq, size, found.record.hex(), tuple(step.hex() for step in path))


def growth(first: int, second: int | None, most: int, perfect: Perfect) -> tuple[str, ...]:
    """Return the path that shows the first *second* facts of *most* to begin with the first *first*."""
    second = _up_to(second, most)
    if not 0 <= first <= second:
        raise NotFound(f"a tree of {second} facts does not begin with one of {first}")
    return tuple(step.hex() for step in consistency_path(first, second, perfect))


def _up_to(size: int | None, most: int) -> int:
    if size is not None and not 0 <= size <= most:
        raise NotFound(f"no tree of {size} facts; the thread has {most}")
    return most if size is None else size
