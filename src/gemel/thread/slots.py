"""Slots: a file of records of one size, none of which crosses a disk sector, so that each can be destroyed in place.

A slot holds an id (32 bytes), a state, what is kept, zeros, and SHA-256 over the first three. An id may have several
slots, in the order they were added; one tombstone among them buries them all. Snapshots, backups and copy-on-write disks
keep what they copied.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

HEAD = 33
NEAR = 8
"""Slots are read in one go if at least one in so many of them is wanted."""
_LIVE, _BURIED = b"\x01", b"\x02"
_NO_ID = bytes(32)


class Slots:
    """A file of slots of *size* bytes that each keep *held* bytes; raises `OSError`."""

    def __init__(self, path: Path, size: int, held: int, *, readonly: bool) -> None:
        self.path, self.size, self.held, self.readonly = path, size, held, readonly
        self._fd = -1
        self._open()
        if not readonly:
            self._bury_the_rest()

    def _open(self) -> None:
        self.close()
        self._places: dict[bytes, list[int]] = {}
        self._end = 0
        if not self.readonly:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            sync_folder(self.path.parent)
        elif self.path.exists():
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self._scan()

    def _scan(self) -> None:
        """Take in the slots written since the last scan; one cut short by a crash keeps what nobody used."""
        if self._fd < 0:
            return
        while len(block := os.pread(self._fd, self.size * 4096, self._end)) >= self.size:
            whole = len(block) - len(block) % self.size
            for offset in range(0, whole, self.size):
                id_ = block[offset : offset + 32]
                if id_ != _NO_ID:
                    self._places.setdefault(id_, []).append(self._end + offset)
            self._end += whole

    def refresh(self) -> None:
        """Take in what another process wrote."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return
        if self._fd < 0 or os.fstat(self._fd).st_ino != there.st_ino:
            self._open()
        elif there.st_size >= self._end + self.size:
            self._scan()

    def of(self, id_: bytes) -> tuple[bytes, ...]:
        """Return the slots of an id, oldest first."""
        if self.readonly:
            self.refresh()
        return tuple(os.pread(self._fd, self.size, place) for place in self._places.get(id_, ()))

    def many(self, ids: Collection[bytes]) -> dict[bytes, tuple[bytes, ...]]:
        """Return the slots of many ids, oldest first; those that lie near each other are read at once."""
        if self.readonly:
            self.refresh()
        places = {id_: self._places.get(id_, ()) for id_ in ids}
        every = [place for held in places.values() for place in held]
        start, end, size = min(every, default=0), max(every, default=0) + self.size, self.size
        if end - start > NEAR * size * len(every):
            return {id_: tuple(os.pread(self._fd, size, place) for place in held) for id_, held in places.items()}
        block = os.pread(self._fd, end - start, start) if every else b""
        return {
            id_: tuple([block[place - start : place - start + size] for place in held]) for id_, held in places.items()
        }

    def ids(self) -> list[bytes]:
        """Return all ids, buried ones too, in the order they came."""
        return list(self._places)

    def add(self, kept: Sequence[tuple[bytes, bytes]]) -> None:
        """Write new slots (id, what is kept), durably."""
        self._append([(id_, self._slot(id_, _LIVE, what)) for id_, what in kept])

    def _append(self, slots: Sequence[tuple[bytes, bytes]]) -> None:
        write(self._fd, b"".join(slot for _, slot in slots), self._end)
        for id_, _ in slots:
            self._places.setdefault(id_, []).append(self._end)
            self._end += self.size

    def bury(self, id_: bytes) -> None:
        """Overwrite every slot of an id, durably; one that has none gets its tombstone all the same."""
        if id_ not in self._places:
            return self._append([(id_, self._tombstone(id_))])
        for place in self._places[id_]:
            write(self._fd, self._tombstone(id_), place, sync=False)
        return os.fsync(self._fd)

    def _bury_the_rest(self) -> None:
        """Finish what a crash cut short: one tombstone is enough to know."""
        for id_ in [id_ for id_, places in self._places.items() if len(places) > 1]:
            slots = self.of(id_)
            if self.buried(id_, slots) and {*slots} != {self._tombstone(id_)}:
                self.bury(id_)

    def buried(self, id_: bytes, slots: Sequence[bytes]) -> bool:
        """Return whether a whole tombstone is among the slots."""
        return self._tombstone(id_) in slots

    def marked(self, slots: Sequence[bytes]) -> bool:
        """Return whether any slot says that it is a tombstone, be it damaged or whole."""
        return any(slot[32:HEAD] == _BURIED for slot in slots)

    def suspects(self) -> set[bytes]:
        """Return the ids of all slots that say they are tombstones, be they damaged or whole."""
        if self.readonly:
            self.refresh()
        found, place = set[bytes](), 0
        while self._fd >= 0 and len(block := os.pread(self._fd, self.size * 4096, place)) >= self.size:
            states, at = block[32 :: self.size], -1
            while (at := states.find(_BURIED, at + 1)) >= 0:
                found.add(block[at * self.size : at * self.size + 32])
            place += len(block) - len(block) % self.size
        return found

    def kept(self, slot: bytes) -> bytes | None:
        """Return what a slot keeps, or None if it is damaged."""
        id_, what = slot[:32], slot[HEAD : HEAD + self.held]
        return what if slot == self._slot(id_, _LIVE, what) else None

    def rewrite(self, slots: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Put other slots (id, what is kept or None for a tombstone) in the place of all, whole or not at all."""
        made = (self._tombstone(id_) if what is None else self._slot(id_, _LIVE, what) for id_, what in slots)
        replace(self.path, made, wipe=True)
        self._open()

    def _tombstone(self, id_: bytes) -> bytes:
        return self._slot(id_, _BURIED, bytes(self.held))

    def _slot(self, id_: bytes, state: bytes, what: bytes) -> bytes:
        head = id_ + state + what
        return head + bytes(self.size - len(head) - 32) + sha256(head).digest()

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def write(fd: int, content: bytes, place: int, *, sync: bool = True) -> None:
    """Write all of *content*, durably."""
    while content:
        done = os.pwrite(fd, content, place)
        content, place = content[done:], place + done
    if sync:
        os.fsync(fd)


def replace(path: Path, parts: Iterable[bytes], *, wipe: bool = False) -> None:
    """Put a new file, its owner's alone, in the place of *path*, whole or not at all; *wipe* overwrites the old one."""
    part = path.with_name(f"{path.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    place = 0
    try:
        for content in parts:
            write(fd, content, place, sync=False)
            place += len(content)
        os.fsync(fd)
    finally:
        os.close(fd)
    old = os.open(path, os.O_RDWR | os.O_CLOEXEC) if wipe and path.exists() else -1
    try:
        part.replace(path)
        sync_folder(path.parent)
        for zeros in _zeros(old) if old >= 0 else ():
            write(old, *zeros)
    finally:
        if old >= 0:
            os.close(old)


def _zeros(fd: int) -> Iterator[tuple[bytes, int]]:
    size, block = os.fstat(fd).st_size, 1 << 20
    return ((bytes(min(block, size - place)), place) for place in range(0, size, block))


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
