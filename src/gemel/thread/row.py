"""The row: a fact as it lies in a store, with what may be read in the clear, and what is hashed."""

from __future__ import annotations

import struct
from itertools import accumulate, pairwise
from typing import NamedTuple

from gemel.errors import Tampered
from gemel.facts import Time

CLEAR = struct.Struct(">BQqqHHB")
FORMAT = 1
_NONCE, _TAG = 12, 16


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
    head = CLEAR.pack(FORMAT, seq, true_at, known_at, len(twin_), len(kind_), len(mark_))
    return b"".join((head, twin_, kind_, mark_))


def parse(record: bytes, leaf: bytes) -> Row:
    """Return the row whose record this is, with the hash that was made of it; raise `Tampered` if it is none."""
    try:
        form, seq, true_at, known_at, *sizes = CLEAR.unpack_from(record)
        ends = list(accumulate(sizes, initial=CLEAR.size))
        twin, kind, mark = (record[start:end] for start, end in pairwise(ends))
        names = twin.decode(), kind.decode()
    except (struct.error, UnicodeDecodeError):
        raise Tampered("a record is not as it was written") from None
    nonce, sealed = record[ends[-1] : ends[-1] + _NONCE], record[ends[-1] + _NONCE :]
    if form != FORMAT or len(sealed) < _TAG:
        raise Tampered("a record is not as it was written")
    return Row(seq, *names, true_at, known_at, mark or None, leaf, nonce, sealed)
