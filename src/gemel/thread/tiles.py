"""The layout of an exported log, c2sp.org/tlog-tiles: hashes in tiles of 256, entries in bundles of 256.

A bundle there holds whole entries of at most 65,535 bytes. Where an entry is longer or left out, the bundle lies in
`records/` instead, in a layout of our own: each entry is eight bytes of its place in the log, four of its length, and itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gemel.thread.merkle import fold

WIDTH = 256
"""Hashes in a full tile."""
LONGEST = 0xFFFF
"""Bytes of an entry that a bundle can hold."""

Write = Callable[[str, bytes], None]
"""Takes the path of a file within the export, and its content."""


def path_of(index: int, width: int) -> str:
    """Return where the tile or bundle with this index lies: 1234067 is x001/x234/067, and a partial one says its width."""
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.append(f"x{index % 1000:03d}")
    whole = "/".join(reversed(parts))
    return whole if width == WIDTH else f"{whole}.p/{width}"


def bundle(index: int, width: int, records: Mapping[int, bytes]) -> tuple[str, bytes] | None:
    """Return path and content of the bundle that holds *records*, by their place in it; None if there are none."""
    if not records:
        return None
    whole = len(records) == width and all(len(record) <= LONGEST for record in records.values())
    if whole:
        lines = [len(records[i]).to_bytes(2) + records[i] for i in range(width)]
        return f"tile/entries/{path_of(index, width)}", b"".join(lines)
    places = sorted(records)
    own = [(index * WIDTH + i).to_bytes(8) + len(records[i]).to_bytes(4) + records[i] for i in places]
    return f"records/{path_of(index, width)}", b"".join(own)


class Tiles:
    """Takes leaf hashes in order and writes each tile when it is full, or when the log ends."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._levels: list[tuple[int, list[bytes]]] = []

    def add(self, leaf: bytes, level: int = 0) -> None:
        """Add the next hash of a level."""
        if level == len(self._levels):
            self._levels.append((0, []))
        index, hashes = self._levels[level]
        hashes.append(leaf)
        if len(hashes) == WIDTH:
            self._put(level, index, hashes)
            self._levels[level] = index + 1, []
            self.add(fold(hashes), level + 1)

    def end(self) -> None:
        """Write the tiles that are not full."""
        for level, (index, hashes) in enumerate(self._levels):
            if hashes:
                self._put(level, index, hashes)

    def _put(self, level: int, index: int, hashes: list[bytes]) -> None:
        self._write(f"tile/{level}/{path_of(index, len(hashes))}", b"".join(hashes))
