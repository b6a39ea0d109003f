"""Words: texts kept once, as bytes, each known by its code; the scanner adds to them."""

from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np

from gemel.packs.service.logs.xes_tags import code_of


class Words:
    """Texts kept once, as bytes, with a hash table that compiled code fills."""

    def __init__(self) -> None:
        self.bytes = np.empty(1 << 16, np.uint8)
        self.start = np.zeros(1 << 12, np.int64)
        self.hash = np.zeros(1 << 12, np.uint64)
        self.key = np.full(1 << 12, -1, np.int32)
        self.table = np.full(1 << 14, -1, np.int32)
        self.count = np.zeros(2, np.int64)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return what compiled code works on."""
        return self.bytes, self.start, self.hash, self.key, self.table, self.count

    def room(self, size: int) -> None:
        """Make room for all words that *size* more bytes can hold."""
        words = int(self.count[0])
        used = int(self.start[words])
        if used + size > len(self.bytes):
            self.bytes = _longer(self.bytes, 2 * (used + size), 0)
        most = words + size // 4 + 2
        if most >= len(self.start):
            self.start, self.hash = _longer(self.start, 2 * most, 0), _longer(self.hash, 2 * most, 0)
            self.key = _longer(self.key, 2 * most, -1)
        if 2 * most > len(self.table):
            self.table = np.full(1 << (4 * most).bit_length(), -1, np.int32)
            _rehash(self.hash[:words], self.table)

    def add(self, word: bytes) -> int:
        """Return the code of a word."""
        self.room(len(word))
        raw = np.frombuffer(word, np.uint8)
        return int(code_of(raw, 0, len(raw), self.bytes, self.start, self.hash, self.table, self.count))

    def all(self) -> list[bytes]:
        """Return all words, in order of their codes."""
        ends = self.start[: self.count[0] + 1].tolist()
        content = self.bytes[: ends[-1]].tobytes()
        return [content[a:b] for a, b in pairwise(ends)]

    def key_words(self) -> list[int]:
        """Return the words that are keys, in order of their numbers as keys."""
        keys = self.key[: self.count[0]]
        words = np.flatnonzero(keys >= 0)
        found: list[int] = words[np.argsort(keys[words])].tolist()
        return found


def _longer(column: np.ndarray, size: int, fill: int) -> np.ndarray:
    grown = np.full(size, fill, column.dtype)
    grown[: len(column)] = column
    return grown


@numba.njit(cache=True, nogil=True)
def _rehash(hashes, table):  # type: ignore[no-untyped-def]
    mask = len(table) - 1
    for code in range(len(hashes)):
        place = int(hashes[code]) & mask
        while table[place] >= 0:
            place = (place + 1) & mask
        table[place] = code
