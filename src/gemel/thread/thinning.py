"""Thinning: the contents of facts are dropped once a fact of the house, in the signed tree, says what stands for them.

A thinned row keeps its clear part and its leaf, so that the tree and all proofs hold; its sealed part is empty. The fact
`thinned/1` names whose facts these are, their seqs as spans, and of each clear part the first eight bytes of SHA-256: so
no column of a thinned row can be changed unseen, though its leaf can no longer be computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import Any

from gemel.errors import BadInput, Tampered
from gemel.facts import HOUSE, Fact
from gemel.thread.codec import name
from gemel.thread.contract import Thread
from gemel.thread.row import Row

THINNED = "thinned/1"
FIRST = 1
_MARK = 8


@dataclass(frozen=True)
class Cover:
    """What a fact `thinned/1` covers: facts of one twin by seq, and the mark of each one's clear part."""

    twin: str
    marks: dict[int, bytes]

    @property
    def seqs(self) -> list[int]:
        """Return the seqs, in order."""
        return list(self.marks)

    def full(self, thread: Thread) -> list[Row]:
        """Return those of its rows that are not thinned yet; raise `Tampered` unless all are what was covered."""
        found = rows_of(thread, self.twin, self.seqs)
        for row in found:
            if self.marks[row.seq] != mark_of(row):
                raise Tampered(f"{name(row.seq, row.twin, row.kind)} is not the fact that was to be thinned")
        if len(found) != len(self.marks):
            raise Tampered(f"{len(self.marks)} facts of {self.twin} were to be thinned, and {len(found)} are there")
        return [row for row in found if row.sealed]


def rows_of(thread: Thread, twin: str, seqs: Sequence[int]) -> list[Row]:
    """Return the rows of a twin with these seqs, given and returned in order."""
    wanted, last = frozenset(seqs), seqs[-1] if seqs else 0
    rows = thread.rows(twin, after_seq=seqs[0] - 1) if seqs else iter(())
    return [row for row in takewhile(lambda row: row.seq <= last, rows) if row.seq in wanted]


def mark_of(row: Row) -> bytes:
    """Return what stands for the clear part of a row."""
    return sha256(row.clear).digest()[:_MARK]


def covering(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the body of the fact that covers some rows of one twin, given in order of seq."""
    return {
        "twin": rows[0].twin,
        "facts": spans([row.seq for row in rows]),
        "clear": b"".join(map(mark_of, rows)).hex(),
    }


def cover_of(fact: Fact) -> Cover:
    """Return what a fact covers, or raise `BadInput` if it is none of the house that could."""
    twin, seqs, clear = (fact.body.get(part) for part in ("twin", "facts", "clear"))
    if (fact.twin, fact.kind) != (HOUSE, THINNED) or not isinstance(twin, str) or twin == HOUSE:
        raise BadInput(f"{name(fact.seq, fact.twin, fact.kind)} does not say which facts may be thinned")
    try:
        found, marks = list(_seqs(seqs)), bytes.fromhex(str(clear))
        cut = [marks[i : i + _MARK] for i in range(0, len(marks), _MARK)]
        if FIRST in found:
            raise BadInput(f"fact {FIRST} of a store is never thinned: size and root of the tree are found from it")
        return Cover(twin, dict(zip(found, cut, strict=True)))
    except (TypeError, ValueError):
        raise BadInput(f"{name(fact.seq, fact.twin, fact.kind)} cannot be read as what was thinned") from None


def spans(seqs: Sequence[int]) -> list[list[int]]:
    """Return seqs in order as spans, first and last of each."""
    found: list[list[int]] = []
    for seq in seqs:
        if found and found[-1][1] == seq - 1:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found


def _seqs(found: Any) -> Iterator[int]:
    for first, last in found:
        yield from range(int(first), int(last) + 1)


def kept_out(row: Row) -> str:
    """Return why a thinned row cannot be read or proven."""
    return f"{name(row.seq, row.twin, row.kind)} was thinned: statistics stand for what it said, and its hash stays"
