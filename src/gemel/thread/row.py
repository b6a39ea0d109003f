"""The row: a fact as it lies in a store, with what may be read in the clear, and what is hashed."""

from __future__ import annotations

import struct
from typing import NamedTuple

from gemel.facts import Time

_CLEAR = struct.Struct(">BQqqHHB")
_FORMAT = 1


class Row(NamedTuple):
    """A stored fact: `mark` is the keyed digest of its idempotency key, `leaf` the hash of its record."""

    seq: int
    twin: str
    kind: str
    true_at: Time
    known_at: Time
    mark: bytes | None
    leaf: bytes
    nonce: bytes
    sealed: bytes

    @property
    def clear(self) -> bytes:
        """Return the clear part."""
        return clear(self.seq, self.twin, self.kind, self.true_at, self.known_at, self.mark)

    @property
    def record(self) -> bytes:
        """Return what the tree hashes."""
        return self.clear + self.nonce + self.sealed


def clear(seq: int, twin: str, kind: str, true_at: Time, known_at: Time, mark: bytes | None) -> bytes:
    """Return the clear part of a record: format, seq, times, lengths; then twin, kind and mark."""
    twin_, kind_, mark_ = twin.encode(), kind.encode(), mark or b""
    head = _CLEAR.pack(_FORMAT, seq, true_at, known_at, len(twin_), len(kind_), len(mark_))
    return b"".join((head, twin_, kind_, mark_))
