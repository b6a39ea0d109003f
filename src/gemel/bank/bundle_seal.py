"""Sealing a bundle for one receiver: by a passphrase (scrypt), or by their public key (X25519, HKDF); then zlib and AES-256-GCM.

The key that seals the parts is made for this bundle alone, so nonces may simply count. A public key is 64 hex digits.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gemel.errors import BadInput, Refused

COST = 1 << 15
"""Of scrypt with r = 8, p = 1: 32 MB and about a tenth of a second for each guess (RFC 7914)."""
SUFFIX = ".sealed"
_ONCE = bytes(12)
"""The nonce of a key that is used once."""


@dataclass(frozen=True)
class Passphrase:
    """Whoever knows it may open the bundle."""

    text: str


@dataclass(frozen=True)
class PublicKey:
    """Whoever has the private key of it (X25519, hex) may open the bundle."""

    hex: str


@dataclass(frozen=True)
class PrivateKey:
    """Opens what was sealed for its public key (X25519, hex)."""

    hex: str

    @property
    def public(self) -> PublicKey:
        """Return the public key, to be given to whoever sends bundles."""
        return PublicKey(_private(self.hex).public_key().public_bytes_raw().hex())


Receiver = Passphrase | PublicKey | PrivateKey


def new_key() -> PrivateKey:
    """Return a fresh private key."""
    return PrivateKey(X25519PrivateKey.generate().private_bytes_raw().hex())


def sealed(parts: Mapping[str, bytes], receiver: Receiver) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return how the parts were sealed, for the manifest, and the parts under their new names."""
    key = AESGCM.generate_key(256)
    how, outer = _for_key(receiver.hex) if isinstance(receiver, PublicKey) else _for_passphrase(receiver)
    how["key"] = AESGCM(outer).encrypt(_ONCE, key, b"gemel bundle key").hex()
    cipher, held = AESGCM(key), {}
    for i, (name, data) in enumerate(parts.items(), 1):
        nonce = i.to_bytes(12)
        held[name + SUFFIX] = nonce + cipher.encrypt(nonce, zlib.compress(data), name.encode())
    return how, held


def unsealed(parts: Mapping[str, bytes], how: Mapping[str, Any], receiver: Receiver | None) -> dict[str, bytes]:
    """Return the parts, readable; raise `Refused` where the receiver's secret does not open them."""
    try:
        cipher = AESGCM(AESGCM(_outer(how, receiver)).decrypt(_ONCE, bytes.fromhex(how["key"]), b"gemel bundle key"))
        found = {}
        for name, data in parts.items():
            if name.endswith(SUFFIX):
                name = name.removesuffix(SUFFIX)
                data = zlib.decompress(cipher.decrypt(data[:12], data[12:], name.encode()))
            found[name] = data
        return found
    except (InvalidTag, ValueError, KeyError, TypeError, zlib.error):
        raise Refused(f"the bundle is sealed by {_by(how)}; what was given does not open it") from None


def _outer(how: Mapping[str, Any], receiver: Receiver | None) -> bytes:
    if how.get("by") == "passphrase" and isinstance(receiver, Passphrase):
        return _stretched(receiver.text, bytes.fromhex(how["salt"]))
    if how.get("by") == "key" and isinstance(receiver, PrivateKey):
        return _agreed(_private(receiver.hex), bytes.fromhex(how["ephemeral"]), how["receiver"] + how["ephemeral"])
    raise Refused(f"the bundle is sealed by {_by(how)}; give that to open it")


def _by(how: Mapping[str, Any]) -> str:
    return f"the public key {how.get('receiver')}" if how.get("by") == "key" else "a passphrase"


def _for_passphrase(receiver: Receiver) -> tuple[dict[str, Any], bytes]:
    if not isinstance(receiver, Passphrase) or not receiver.text:
        raise BadInput("a bundle is sealed by a passphrase or for a public key")
    salt = AESGCM.generate_key(128)
    return {"by": "passphrase", "salt": salt.hex(), "scrypt": COST}, _stretched(receiver.text, salt)


def _stretched(text: str, salt: bytes) -> bytes:
    return Scrypt(salt, length=32, n=COST, r=8, p=1).derive(text.encode())


def _for_key(public: str) -> tuple[dict[str, Any], bytes]:
    mine = X25519PrivateKey.generate()
    ephemeral = mine.public_key().public_bytes_raw().hex()
    try:
        outer = _agreed(mine, bytes.fromhex(public), public + ephemeral)
    except ValueError:
        raise BadInput(f"{public!r} is no public key: `gemel bundle key` makes one, of 64 hex digits") from None
    return {"by": "key", "receiver": public, "ephemeral": ephemeral}, outer


def _agreed(mine: X25519PrivateKey, theirs: bytes, context: str) -> bytes:
    shared = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    return HKDF(SHA256(), 32, None, f"gemel bundle 1 {context}".encode()).derive(shared)


def _private(text: str) -> X25519PrivateKey:
    try:
        return X25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except ValueError:
        raise BadInput("this is no private key: `gemel bundle key` makes one, of 64 hex digits") from None
