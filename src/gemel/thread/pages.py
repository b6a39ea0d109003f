"""Which facts a damaged page of the SQLite file holds, read from its bytes.

The layout is that of https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages) and 2.1 (records).
"""

from __future__ import annotations

from pathlib import Path

_LEAF = 0x0D
_LENGTHS = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


def facts_on(path: Path, page: int) -> list[int]:
    """Return the seqs on a leaf page of a table, of wrong cells if there are any; none if it is no such page."""
    with path.open("rb") as file:
        head = file.read(100)
        size = int.from_bytes(head[16:18]) or 65_536
        size = 65_536 if size == 1 else size
        file.seek((page - 1) * size)
        content = file.read(size)
    start = 100 if page == 1 else 0
    if len(content) < size or content[start] != _LEAF:
        return []
    count = int.from_bytes(content[start + 3 : start + 5])
    places = [int.from_bytes(content[i : i + 2]) for i in range(start + 8, start + 8 + 2 * count, 2)]
    cells = [cell for place in places if place < size and (cell := _cell(content, place)) is not None]
    return [seq for seq, right in cells if not right] or [seq for seq, _ in cells]


def _cell(content: bytes, place: int) -> tuple[int, bool] | None:
    """Return a cell's seq, and whether its length is that of the record in it."""
    try:
        payload, place = _varint(content, place)
        seq, place = _varint(content, place)
        header, types = _varint(content, place)
        end, length = place + header, header
        while types < end:
            kind, types = _varint(content, types)
            length += _LENGTHS[kind] if kind < 10 else (kind - 12) // 2
    except IndexError:
        return None
    return seq, length == payload


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = 0
    for i in range(8):
        byte = content[place + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + i + 1
    return value << 8 | content[place + 8], place + 9
