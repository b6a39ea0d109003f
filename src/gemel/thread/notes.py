"""Notes: what can be computed again from facts and is kept to save time, sealed with the subject's key; never a source.

A note that is missing, old or damaged is as good as none. Erasing a subject removes its notes, and its key opens no copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag

from gemel.thread.codec import NONCE, nonces
from gemel.thread.keys import SubjectKey


class Notes(Protocol):
    """Where notes lie."""

    def put(self, twin: str, name: str, data: bytes) -> None:
        """Replace a note."""
        ...

    def get(self, twin: str, name: str) -> bytes | None:
        """Return a note, or None."""
        ...

    def drop(self, twin: str) -> None:
        """Remove all notes of a subject."""
        ...


def sealed(data: bytes, key: SubjectKey, twin: str, name: str) -> bytes:
    """Return *data* as it may lie on a disk."""
    nonce = nonces(1)[0]
    return nonce + key.cipher.encrypt(nonce, data, _label(twin, name))


def opened(note: bytes | None, key: SubjectKey | None, twin: str, name: str) -> bytes | None:
    """Return what a note says, or None where it cannot be trusted."""
    if note is None or key is None:
        return None
    try:
        return key.cipher.decrypt(note[:NONCE], note[NONCE:], _label(twin, name))
    except (InvalidTag, ValueError):
        return None


def _label(twin: str, name: str) -> bytes:
    return f"note\0{twin}\0{name}".encode()


class FolderNotes:
    """Notes as files, one folder per subject; a disk that is full or read-only only means that nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _of(self, twin: str) -> Path:
        return self._folder / hashlib.sha256(twin.encode()).hexdigest()[:32]

    def put(self, twin: str, name: str, data: bytes) -> None:
        """Replace a note, whole or not at all."""
        with contextlib.suppress(OSError):
            folder = self._of(twin)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = folder / f"{name}.{os.getpid()}.part"
            part.write_bytes(data)
            part.replace(folder / name)

    def get(self, twin: str, name: str) -> bytes | None:
        """Return a note, or None."""
        with contextlib.suppress(OSError):
            return (self._of(twin) / name).read_bytes()
        return None

    def drop(self, twin: str) -> None:
        """Remove all notes of a subject."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._of(twin))


class MemoryNotes:
    """Notes for as long as the process runs."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], bytes] = {}

    def put(self, twin: str, name: str, data: bytes) -> None:
        """Replace a note."""
        self._held[twin, name] = data

    def get(self, twin: str, name: str) -> bytes | None:
        """Return a note, or None."""
        return self._held.get((twin, name))

    def drop(self, twin: str) -> None:
        """Remove all notes of a subject."""
        self._held = {place: data for place, data in self._held.items() if place[0] != twin}
