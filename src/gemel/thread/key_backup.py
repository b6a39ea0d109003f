"""A backup of the keys that expires: sealed with a passphrase, and never a way back for who was erased.

The passphrase becomes a key by scrypt (RFC 7914). The day of expiry is sealed in and restoring refuses after it; whoever
has file and passphrase may open it with a program of their own, so a backup that has expired is to be deleted.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gemel.errors import BadInput, Refused, Unavailable
from gemel.facts import DAY, HOUSE, Time, iso
from gemel.thread.codec import nonces
from gemel.thread.folder_keys import FolderKeys, subject_id
from gemel.thread.slots import replace

KIND = "gemel keys backup 1"
COST = 1 << 17
"""Of scrypt: 128 MB and about half a second per try."""

SHORTEST = 12
"""Characters of a passphrase."""

LONGEST_DAYS = 365


class Head(msgspec.Struct, frozen=True):
    """What a backup says in the clear; times in ms, bytes in base64."""

    kind: str
    public_key: str
    made_at: Time
    expires_at: Time
    cost: int
    salt: str
    nonce: str


class _File(msgspec.Struct, frozen=True):
    head: Head
    sealed: str


class _Content(msgspec.Struct, frozen=True):
    signing: bytes
    subjects: list[tuple[bytes, list[bytes] | None]]


@dataclass(frozen=True)
class Backup:
    """An opened backup: the key that signs, and the secrets of each subject; None for one that was erased by then."""

    head: Head
    signing: bytes
    subjects: Mapping[bytes, Sequence[bytes] | None]


@dataclass(frozen=True)
class Restored:
    """What a restore did: subjects whose keys are back, and those left out because they were erased."""

    subjects: int
    erased: int


def write_backup(path: Path, keys: FolderKeys, passphrase: str, now: Time, days: float) -> Head:
    """Write all keys to *path*, its owner's alone, sealed with *passphrase*, to be restored within so many *days*."""
    if len(passphrase) < SHORTEST:
        raise BadInput(f"a passphrase of {len(passphrase)} characters is too short; at least {SHORTEST}")
    if not 0 < days <= LONGEST_DAYS:
        raise BadInput(f"a backup that lasts {days:g} days is none that expires; 1 to {LONGEST_DAYS}", field="days")
    signing = keys.signing
    if signing is None:
        raise Unavailable(f"there are no keys in {keys.folder}")
    if keys.subject(HOUSE) is None:
        keys.create([HOUSE])  # what it will say of erasures must be readable after a restore
    salt, nonce = AESGCM.generate_key(256), nonces(1)[0]
    public = signing.public_key().public_bytes_raw().hex()
    head = Head(KIND, public, now, now + round(days * DAY), COST, _text(salt), _text(nonce))
    held = [(id_, None if secrets is None else list(secrets)) for id_, secrets in keys.held()]
    content = msgspec.msgpack.encode(_Content(signing.private_bytes_raw(), held))
    sealed = AESGCM(_key(passphrase, salt, COST)).encrypt(nonce, content, msgspec.json.encode(head))
    try:
        replace(path, [msgspec.json.encode(_File(head, _text(sealed)))])
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from None
    return head


def read_backup(path: Path, passphrase: str, now: Time) -> Backup:
    """Return what a backup holds; raise `Refused` after its expiry, or for another passphrase."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_File)
        salt, nonce, sealed = (base64.b64decode(text) for text in (found.head.salt, found.head.nonce, found.sealed))
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (msgspec.MsgspecError, ValueError):
        raise BadInput("is not a backup of keys", file=str(path)) from None
    head = found.head
    if head.kind != KIND or not 1 < head.cost <= 1 << 22:
        raise BadInput(f"is a {head.kind!r}; this version reads {KIND!r}", file=str(path))
    if now >= head.expires_at:
        raise Refused(f"{path} expired at {iso(head.expires_at)}: who was erased since must stay so; delete it")
    try:
        content = AESGCM(_key(passphrase, salt, head.cost)).decrypt(nonce, sealed, msgspec.json.encode(head))
    except (InvalidTag, ValueError):
        raise Refused(f"{path} does not open: another passphrase, or the file was changed") from None
    inner = msgspec.msgpack.decode(content, type=_Content)
    return Backup(head, inner.signing, dict(inner.subjects))


def restore(backup: Backup, keys: FolderKeys, erased: Callable[[], Collection[str]]) -> Restored:
    """Put back what is missing in *keys*; *erased* is asked, once the store can be read, who was erased since.

    Tombstones win: those in *keys*, those in the backup, those on record in the store. What lies there whole, stays.
    """
    if keys.signing is None:
        keys.sign_with(Ed25519PrivateKey.from_private_bytes(backup.signing))
    elif keys.signing.private_bytes_raw() != backup.signing:
        raise Refused(f"the backup is of another store: its keys do not belong into {keys.folder}")
    before, house = dict(keys.intact()), subject_id(HOUSE)
    _put_back(keys, {id_: secrets for id_, secrets in backup.subjects.items() if id_ == house or secrets is None})
    for twin in erased():
        keys.erase(twin)
    _put_back(keys, backup.subjects)
    after = dict(keys.intact())
    back = sum(secrets is not None and before.get(id_) != secrets for id_, secrets in after.items())
    return Restored(back, sum(secrets is not None and after[id_] is None for id_, secrets in backup.subjects.items()))


def _put_back(keys: FolderKeys, subjects: Mapping[bytes, Sequence[bytes] | None]) -> None:
    held: dict[bytes, tuple[bytes, ...] | None] = dict(keys.intact())
    for id_, secrets in subjects.items():
        there = held.get(id_, ())
        gone = there is None or secrets is None
        held[id_] = None if gone else tuple(dict.fromkeys([*(secrets or ()), *(there or ())]))
    keys.rewrite(held)


def _key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost, r=8, p=1).derive(passphrase.encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
