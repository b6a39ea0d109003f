"""Keys: one per subject, so that destroying it erases the subject, and one that signs checkpoints.

They live apart from the facts, so that a copy of the facts alone says nothing. The file `subjects` is a row of slots of
128 bytes, none of which crosses a disk sector: a key is destroyed by overwriting it in place. Snapshots, backups and
copy-on-write disks keep what they copied; keep them no longer than the subject may wait to be forgotten.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gemel.errors import Tampered, Unavailable
from gemel.thread.contract import Checkpoint

SLOT = 128
_LIVE, _ERASED = b"\x01", b"\x02"
_NO_SECRET = bytes(32)
_NO_ID = bytes(32)


class SubjectKey:
    """What seals and marks the facts of one subject; the mark of an idempotency key says nothing without it."""

    __slots__ = ("_marking", "cipher")

    def __init__(self, secret: bytes) -> None:
        self.cipher = AESGCM(secret)
        self._marking = hmac.digest(secret, b"gemel mark", "sha256")

    def mark(self, key: str) -> bytes:
        """Return the digest of an idempotency key, 16 bytes."""
        return hmac.digest(self._marking, key.encode(), "sha256")[:16]


class Keys(Protocol):
    """Where keys live."""

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more)."""
        ...

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        ...

    def create(self, twins: Collection[str]) -> None:
        """Make a key, durably, for each of some subjects that have none."""
        ...

    def erase(self, twin: str) -> None:
        """Destroy the subject's key, durably, and keep that this was done."""
        ...

    @property
    def signing(self) -> Ed25519PrivateKey | None:
        """Return the key that signs, if it is here."""
        ...

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep the last checkpoint apart from the facts, so that an older copy of them is found out."""
        ...

    @property
    def remembered(self) -> Checkpoint | None:
        """Return the last checkpoint."""
        ...


class MemoryKeys:
    """Keys for as long as the process runs."""

    def __init__(self) -> None:
        self._keys: dict[str, SubjectKey | None] = {}
        self.signing = Ed25519PrivateKey.generate()
        self.remembered: Checkpoint | None = None

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more)."""
        return self._keys.get(twin)

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        return self._keys.get(twin, ...) is None

    def create(self, twins: Collection[str]) -> None:
        """Make a key for each of some subjects that have none."""
        for twin in twins:
            self._keys[twin] = SubjectKey(AESGCM.generate_key(256))

    def erase(self, twin: str) -> None:
        """Destroy the subject's key, and keep that this was done."""
        self._keys[twin] = None

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep the last checkpoint."""
        self.remembered = checkpoint


class FolderKeys:
    """Keys in a folder that only its owner may enter."""

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self.folder, self.readonly = folder, readonly
        self._slots: dict[bytes, int] = {}
        self._cache: dict[int, tuple[bytes, SubjectKey]] = {}
        self._end = 0
        try:
            self._fd = self._open()
            self._scan()
        except OSError as error:
            raise _unavailable(folder, error) from None

    def _open(self) -> int:
        path = self.folder / "subjects"
        if self.readonly:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path.exists() else -1
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _sync_folder(self.folder)
        return fd

    def _scan(self) -> None:
        """Take in the slots written since the last scan; one cut short by a crash holds a key nobody used."""
        if self._fd < 0:
            return
        while len(block := os.pread(self._fd, SLOT * 8192, self._end)) >= SLOT:
            whole = len(block) - len(block) % SLOT
            for offset in range(0, whole, SLOT):
                id_ = block[offset : offset + 32]
                if id_ != _NO_ID:
                    self._slots[id_] = self._end + offset
            self._end += whole

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more); raise `Unavailable` if it is damaged."""
        place, slot = self._slot(twin)
        if slot is None or slot[32:33] == _ERASED:
            self._cache.pop(place, None)
            return None
        cached = self._cache.get(place)
        if cached is not None and cached[0] == slot:
            return cached[1]
        if slot != _slot(slot[:32], _LIVE, slot[33:65]):
            raise Unavailable(f"the key of {twin} in {self.folder} is damaged; put the folder back from a copy")
        if len(self._cache) >= 65_536:
            self._cache.clear()
        key = SubjectKey(slot[33:65])
        self._cache[place] = slot, key
        return key

    def _slot(self, twin: str) -> tuple[int, bytes | None]:
        id_ = _id(twin)
        if self.readonly and id_ not in self._slots:
            self._scan()
        place = self._slots.get(id_, -1)
        return place, None if place < 0 else os.pread(self._fd, SLOT, place)

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        _, slot = self._slot(twin)
        return slot is not None and slot == _slot(_id(twin), _ERASED, _NO_SECRET)

    def create(self, twins: Collection[str]) -> None:
        """Make a key, durably, for each of some subjects that have none."""
        if not twins:
            return
        ids = [_id(twin) for twin in twins]
        try:
            _write(self._fd, b"".join(_slot(id_, _LIVE, AESGCM.generate_key(256)) for id_ in ids), self._end)
        except OSError as error:
            raise _unavailable(self.folder, error) from None
        for id_ in ids:
            self._slots[id_] = self._end
            self._end += SLOT

    def erase(self, twin: str) -> None:
        """Overwrite the subject's key, durably."""
        id_ = _id(twin)
        try:
            _write(self._fd, _slot(id_, _ERASED, _NO_SECRET), self._slots[id_])
        except OSError as error:
            raise _unavailable(self.folder, error) from None
        self._cache.pop(self._slots[id_], None)

    @property
    def signing(self) -> Ed25519PrivateKey | None:
        """Return the key that signs, if it is here."""
        secret = self._file("signing")
        return None if secret is None else Ed25519PrivateKey.from_private_bytes(secret)

    def make_signing(self) -> Ed25519PrivateKey:
        """Make the key that signs, if there is none, and return it."""
        found = self.signing
        if found is None:
            found = Ed25519PrivateKey.generate()
            self._keep("signing", found.private_bytes_raw())
        return found

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep the last checkpoint apart from the facts, so that an older copy of them is found out."""
        self._keep("checkpoint", msgspec.json.encode(checkpoint))

    @property
    def remembered(self) -> Checkpoint | None:
        """Return the last checkpoint."""
        text = self._file("checkpoint")
        try:
            return None if text is None else msgspec.json.decode(text, type=Checkpoint)
        except msgspec.MsgspecError:
            raise Tampered(f"{self.folder / 'checkpoint'} is not as it was written") from None

    def _file(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self.folder, error) from None

    def _keep(self, name: str, content: bytes) -> None:
        part = self.folder / f"{name}.part"
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                _write(fd, content, 0)
            finally:
                os.close(fd)
            part.replace(self.folder / name)
            _sync_folder(self.folder)
        except OSError as error:
            raise _unavailable(self.folder, error) from None

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._cache.clear()


def _id(twin: str) -> bytes:
    return sha256(b"gemel subject\x00" + twin.encode()).digest()


def _slot(id_: bytes, state: bytes, secret: bytes) -> bytes:
    head = id_ + state + secret
    return head + bytes(31) + sha256(head).digest()


def _write(fd: int, content: bytes, place: int) -> None:
    """Write all of *content*, durably."""
    while content:
        done = os.pwrite(fd, content, place)
        content, place = content[done:], place + done
    os.fsync(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unavailable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(f"the keys in {folder} cannot be used: {error.strerror or error}")
