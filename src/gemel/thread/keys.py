"""Keys: one per subject, so that destroying it erases the subject, and one that signs checkpoints.

They live apart from the facts, so that a copy of the facts alone says nothing. `folder_keys` keeps them in a folder, as
they are or wrapped by a master key (`wrapping`); `key_stores` finds the right one from an address.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gemel.errors import NotFound
from gemel.thread.contract import Checkpoint


class Generations:
    """Several keys of one subject as one cipher: the newest seals, and each is tried, the newest first, to open."""

    def __init__(self, ciphers: Sequence[AESGCM]) -> None:
        self._newest_first = tuple(reversed(ciphers))

    def encrypt(self, nonce: bytes, data: bytes, label: bytes | None) -> bytes:
        """Return *data* sealed with the newest key."""
        return self._newest_first[0].encrypt(nonce, data, label)

    def decrypt(self, nonce: bytes, data: bytes, label: bytes | None) -> bytes:
        """Return what was sealed with any of the keys, or raise `InvalidTag`."""
        for cipher in self._newest_first:
            try:
                return cipher.decrypt(nonce, data, label)
            except InvalidTag:
                continue
        raise InvalidTag


Cipher = AESGCM | Generations
"""What opens the facts of one subject."""


class SubjectKey:
    """What seals and marks the facts of one subject; the mark of an idempotency key says nothing without it.

    Of several secrets, oldest first, the last seals and all open; marks stay those of the first, so that what was
    written once before a change of keys is known after it.
    """

    __slots__ = ("_marking", "cipher", "secrets")

    def __init__(self, secret: bytes, *later: bytes) -> None:
        self.secrets = (secret, *later)
        self.cipher = cipher_of(self.secrets)
        self._marking: Hmac | None = None

    def mark(self, key: str) -> bytes:
        """Return the digest of an idempotency key, 16 bytes."""
        marking = self._marking
        if marking is None:  # whoever only reads never needs it
            marking = self._marking = Hmac(hmac.digest(self.secrets[0], b"gemel mark", "sha256"))
        return marking.digest(key.encode())[:16]


def cipher_of(secrets: Sequence[bytes]) -> Cipher:
    """Return what opens with any of some secrets, oldest first."""
    return AESGCM(secrets[0]) if len(secrets) == 1 else Generations([AESGCM(one) for one in secrets])


_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class Hmac:
    """HMAC-SHA-256 (RFC 2104) under one key of at most 64 bytes, whose two pads are hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(64, b"\0")
        self._inner, self._outer = sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """Return the 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


class Keys(Protocol):
    """Where keys live."""

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more)."""
        ...

    def ciphers(self, twins: Collection[str]) -> dict[str, Cipher]:
        """Return what opens the facts of many subjects, without those that have no key (any more); none is kept."""
        ...

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        ...

    def living(self, twins: Iterable[str]) -> list[str]:
        """Return those of many subjects that were not erased."""
        ...

    def create(self, twins: Collection[str]) -> None:
        """Make a key, durably, for each of some subjects that have none."""
        ...

    def erase(self, twin: str) -> None:
        """Destroy the subject's key, durably, and keep that this was done."""
        ...

    def renew(self, twin: str) -> None:
        """Make the subject a further key, durably, that seals from now on; older ones still open."""
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


def secrets_of(keys: Keys, twin: str) -> tuple[bytes, ...]:
    """Return the subject's keys, oldest first; raise `NotFound` if it has none (any more)."""
    key = keys.subject(twin)
    if key is None:
        raise NotFound(f"{twin} has no key here: it was erased, or never was")
    return key.secrets


class MemoryKeys:
    """Keys for as long as the process runs."""

    def __init__(self) -> None:
        self._keys: dict[str, SubjectKey | None] = {}
        self._secrets: dict[str, tuple[bytes, ...]] = {}
        self.signing = Ed25519PrivateKey.generate()
        self.remembered: Checkpoint | None = None

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more)."""
        return self._keys.get(twin)

    def ciphers(self, twins: Collection[str]) -> dict[str, Cipher]:
        """Return what opens the facts of many subjects, without those that have no key (any more)."""
        return {twin: key.cipher for twin in twins if (key := self._keys.get(twin)) is not None}

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        return self._keys.get(twin, ...) is None

    def living(self, twins: Iterable[str]) -> list[str]:
        """Return those of many subjects that were not erased."""
        return [twin for twin in twins if not self.erased(twin)]

    def create(self, twins: Collection[str]) -> None:
        """Make a key for each of some subjects that have none."""
        for twin in twins:
            self.renew(twin)

    def renew(self, twin: str) -> None:
        """Make the subject a further key that seals from now on; older ones still open."""
        self._secrets[twin] = (*self._secrets.get(twin, ()), AESGCM.generate_key(256))
        self._keys[twin] = SubjectKey(*self._secrets[twin])

    def erase(self, twin: str) -> None:
        """Destroy the subject's key, and keep that this was done."""
        self._keys[twin] = None
        self._secrets.pop(twin, None)

    def remember(self, checkpoint: Checkpoint) -> None:
        """Keep the last checkpoint."""
        self.remembered = checkpoint
