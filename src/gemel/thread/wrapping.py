"""Wrapping: keys that are kept only as a master key has sealed them (envelope encryption); the master lives elsewhere.

Whoever has a key management service writes a `KeyWrapper` of four small methods. `master` is the reference: its secrets
lie in one file of their own, or in the keyring of the operating system.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gemel.errors import Tampered, Unavailable
from gemel.thread.codec import NONCE, nonces
from gemel.thread.slots import replace

_NUMBER, _SECRET = 4, 32
_ENTRY = _NUMBER + _SECRET


class KeyWrapper(Protocol):
    """A master key, or the service that holds it; whatever it raises is told as `Unavailable` with its *name*."""

    name: str

    def wrap(self, secret: bytes, label: bytes) -> bytes:
        """Return 32 bytes sealed with the newest master key, bound to *label*: 445 bytes at the most."""
        ...

    def unwrap(self, wrapped: bytes, label: bytes) -> bytes:
        """Return what was wrapped, with whichever master key that was."""
        ...

    def renew(self) -> None:
        """Make a new master key that wraps from now on; a service that does this itself does nothing."""
        ...

    def retire(self) -> None:
        """Destroy all master keys but the newest: nothing is wrapped with them any more."""
        ...


class Master:
    """Master keys, numbered, as *load* and *store* keep them: number (4 bytes) and secret (32) of each, oldest first."""

    def __init__(self, name: str, load: Callable[[], bytes | None], store: Callable[[bytes], None]) -> None:
        self.name, self._load, self._store = name, load, store
        self._held: dict[int, bytes] = {}

    def wrap(self, secret: bytes, label: bytes) -> bytes:
        """Return number, nonce and sealed secret: 64 bytes."""
        if not self._read():
            self.renew()
        number, nonce = max(self._held), nonces(1)[0]
        return number.to_bytes(_NUMBER) + nonce + AESGCM(self._held[number]).encrypt(nonce, secret, label)

    def unwrap(self, wrapped: bytes, label: bytes) -> bytes:
        """Return what was wrapped; raise `Unavailable` if its master key is gone, `Tampered` if it was changed."""
        number, rest = int.from_bytes(wrapped[:_NUMBER]), wrapped[_NUMBER:]
        if number not in self._held and number not in self._read():
            raise Unavailable(f"{self.name} has no master key {number}; it has {sorted(self._held) or 'none'}")
        try:
            return AESGCM(self._held[number]).decrypt(rest[:NONCE], rest[NONCE:], label)
        except (InvalidTag, ValueError):
            raise Tampered(f"a key wrapped by {self.name} is not as it was written") from None

    def renew(self) -> None:
        """Make a new master key that wraps from now on."""
        self._keep({**self._read(), max(self._held, default=0) + 1: AESGCM.generate_key(256)})

    def retire(self) -> None:
        """Destroy all master keys but the newest."""
        newest = max(self._read())
        self._keep({newest: self._held[newest]})

    def _read(self) -> dict[int, bytes]:
        content = self._load() or b""
        if len(content) % _ENTRY:
            raise Unavailable(f"{self.name} is damaged; put it back from a copy")
        parts = [content[i : i + _ENTRY] for i in range(0, len(content), _ENTRY)]
        self._held = {int.from_bytes(part[:_NUMBER]): part[_NUMBER:] for part in parts}
        return self._held

    def _keep(self, held: dict[int, bytes]) -> None:
        self._store(b"".join(number.to_bytes(_NUMBER) + secret for number, secret in sorted(held.items())))
        self._held = held


def file_master(path: Path) -> Master:
    """Return the master key in a file, best on another disk than the keys it wraps; made when first needed."""
    name = f"the master key in {path}"

    def load() -> bytes | None:
        try:
            return path.read_bytes() if path.exists() else None
        except OSError as error:
            raise Unavailable(f"{name} cannot be read: {error.strerror}") from None

    def store(content: bytes) -> None:
        try:
            replace(path, [content], wipe=True)
        except OSError as error:
            raise Unavailable(f"{name} cannot be written: {error.strerror}") from None

    return Master(name, load, store)


def keyring_master(entry: str) -> Master:
    """Return the master key in the operating system's keyring, under service `gemel` and *entry*."""
    try:
        ring = import_module("keyring")
    except ImportError:
        raise Unavailable('the keyring needs an extra: pip install "gemel[keyring]"') from None
    name = f"the keyring's entry {entry}"

    def ask(method: str, *given: str) -> str | None:
        try:
            found: str | None = getattr(ring, method)("gemel", entry, *given)
        except Exception as error:  # each system's keyring raises errors of its own
            raise Unavailable(f"{name} cannot be used: {error or type(error).__name__}") from None
        return found

    def load() -> bytes | None:
        text = ask("get_password")
        return None if text is None else base64.b64decode(text)

    def store(content: bytes) -> None:
        ask("set_password", base64.b64encode(content).decode())

    return Master(name, load, store)
