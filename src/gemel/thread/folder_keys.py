"""Keys in a folder that only its owner may enter: as they are, or each wrapped by a master key that lives elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gemel.errors import BadInput, GemelError, Tampered, Unavailable
from gemel.thread.contract import Checkpoint
from gemel.thread.keys import Cipher, SubjectKey, cipher_of
from gemel.thread.slots import Slots, replace
from gemel.thread.wrapping import KeyWrapper

log = logging.getLogger(__name__)

PLAIN, WRAPPED = ("subjects", 128, 32), ("wrapped", 512, 447)
"""File, bytes of a slot, and bytes it keeps: the secret itself, or how long the wrapped secret is, and that."""

CACHED = 65_536
OTHERS = 0o077
_T = TypeVar("_T")


class FolderKeys:
    """Keys in a folder; with a *wrapper*, what lies there opens nothing without its master key."""

    def __init__(self, folder: Path, *, readonly: bool = False, wrapper: KeyWrapper | None = None) -> None:
        self.folder, self.readonly, self.wrapper = folder, readonly, wrapper
        self._cache: dict[bytes, tuple[tuple[bytes, ...], SubjectKey]] = {}
        self._signing: tuple[bytes, Ed25519PrivateKey] | None = None
        self._slots = self._try(self._open)

    def _open(self) -> Slots:
        if not self.readonly:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        other, (name, size, held) = (PLAIN, WRAPPED) if self.wrapper else (WRAPPED, PLAIN)
        if (self.folder / other[0]).exists():
            how = "as they are" if self.wrapper else "wrapped by a master key"
            raise Unavailable(f"the keys in {self.folder} lie there {how}; GEMEL_KEYS says otherwise")
        close_to_others(self.folder, self.readonly)
        return Slots(self.folder / name, size, held, readonly=self.readonly)

    def _try(self, what: Callable[..., _T], *given: object) -> _T:
        try:
            return what(*given)
        except OSError as error:
            raise Unavailable(f"the keys in {self.folder} cannot be used: {error.strerror or error}") from None

    # subjects

    def subject(self, twin: str) -> SubjectKey | None:
        """Return the subject's key, or None if it has none (any more); raise `Unavailable` if it is damaged."""
        id_ = subject_id(twin)
        cached = self._cache.get(id_)
        if cached is not None and not self.readonly:  # nobody else may change keys
            return cached[1]
        slots = self._try(self._slots.of, id_)
        if not slots or self._slots.marked(slots):
            self._cache.pop(id_, None)
            return None
        if cached is not None and cached[0] == slots:
            return cached[1]
        if len(self._cache) >= CACHED:
            self._cache.clear()
        key = SubjectKey(*(self._secret(id_, slot, twin) for slot in slots))
        self._cache[id_] = slots, key
        if self._try(self._slots.of, id_) != slots:  # changed meanwhile
            self._cache.pop(id_, None)
        return key

    def ciphers(self, twins: Collection[str]) -> dict[str, Cipher]:
        """Return what opens the facts of many subjects, without those that have no key (any more); none is kept."""
        ids = {twin: _digest(twin) for twin in twins}
        found, marked, secret = self._try(self._slots.many, ids.values()), self._slots.marked, self._secret
        return {
            twin: cipher_of([secret(id_, slot, twin) for slot in slots])
            for twin, id_ in ids.items() if (slots := found[id_]) and not marked(slots)
        }  # fmt: skip

    def _secret(self, id_: bytes, slot: bytes, twin: str = "a subject") -> bytes:
        kept = self._slots.kept(slot)
        if kept is None:
            raise Unavailable(f"the key of {twin} in {self.folder} is damaged; put the folder back from a copy")
        if self.wrapper is None:
            return kept
        return self._unwrap(kept[2 : 2 + int.from_bytes(kept[:2])], id_)

    def _unwrap(self, wrapped: bytes, label: bytes) -> bytes:
        assert self.wrapper is not None
        try:
            return self.wrapper.unwrap(wrapped, label)
        except GemelError:
            raise
        except Exception as error:
            raise Unavailable(f"{self.wrapper.name} opened no key: {error or type(error).__name__}") from None

    def _wrap(self, secret: bytes, label: bytes) -> bytes:
        if self.wrapper is None:
            return secret
        try:
            wrapped = self.wrapper.wrap(secret, label)
        except GemelError:
            raise
        except Exception as error:
            raise Unavailable(f"{self.wrapper.name} wrapped no key: {error or type(error).__name__}") from None
        if len(wrapped) > WRAPPED[2] - 2:
            raise Unavailable(
                f"{self.wrapper.name} wraps in {len(wrapped)} bytes; at most {WRAPPED[2] - 2} can be kept"
            )
        return wrapped

    def _kept(self, secret: bytes, id_: bytes) -> bytes:
        """Return a secret as a slot keeps it."""
        wrapped = self._wrap(secret, id_)
        return wrapped if self.wrapper is None else (len(wrapped).to_bytes(2) + wrapped).ljust(WRAPPED[2], b"\0")

    def erased(self, twin: str) -> bool:
        """Return whether the subject's key was destroyed."""
        id_ = subject_id(twin)
        return self._slots.buried(id_, self._try(self._slots.of, id_))

    def living(self, twins: Iterable[str]) -> list[str]:
        """Return those of many subjects that were not erased."""
        suspects = self._try(self._slots.suspects)
        return [twin for twin in twins if not suspects or subject_id(twin) not in suspects or not self.erased(twin)]

    def create(self, twins: Collection[str]) -> None:
        """Make a key, durably, for each of some subjects that have none."""
        ids = [subject_id(twin) for twin in twins]
        if ids:
            self.add([(id_, AESGCM.generate_key(256)) for id_ in ids])

    def renew(self, twin: str) -> None:
        """Make the subject a further key, durably, that seals from now on; older ones still open."""
        if self.subject(twin) is None:
            raise BadInput(f"{twin} has no key{' any more: it was erased' if self.erased(twin) else ''}")
        self.create([twin])

    def erase(self, twin: str) -> None:
        """Overwrite all of the subject's keys, durably, and keep that this was done."""
        try:
            self._try(self._slots.bury, subject_id(twin))
        finally:
            self._cache.pop(subject_id(twin), None)

    # all of them, for backups and rotation

    def add(self, secrets: Sequence[tuple[bytes, bytes]]) -> None:
        """Write further secrets by subject id, durably."""
        self._try(self._slots.add, [(id_, self._kept(secret, id_)) for id_, secret in secrets])
        for id_, _ in secrets:
            self._cache.pop(id_, None)

    def held(self) -> Iterator[tuple[bytes, tuple[bytes, ...] | None]]:
        """Yield every subject id with its secrets, oldest first; None for one that was erased."""
        for id_ in self._slots.ids():
            slots = self._try(self._slots.of, id_)
            yield id_, None if self._slots.marked(slots) else tuple(self._secret(id_, slot) for slot in slots)

    def intact(self) -> Iterator[tuple[bytes, tuple[bytes, ...] | None]]:
        """Yield every subject id with those of its secrets that are whole; None for one that was erased for certain."""
        for id_ in self._slots.ids():
            slots = self._try(self._slots.of, id_)
            whole = [slot for slot in slots if self._slots.kept(slot) is not None]
            yield id_, None if self._slots.buried(id_, slots) else tuple(self._secret(id_, slot) for slot in whole)

    def rewrite(self, held: Mapping[bytes, tuple[bytes, ...] | None]) -> None:
        """Put these secrets, None for a tombstone, in the place of all that is kept, whole or not at all."""
        self._try(self._slots.rewrite, self._again(list(held.items()), lambda done: None))
        self._cache.clear()

    def rotate(self, tell: Callable[[int], object] = lambda done: None) -> int:
        """Wrap all keys with a new master key, then let the old one be destroyed; return how many keys that were.

        Cut short at any point, everything can still be read, and rotating again finishes it.
        """
        if self.wrapper is None:
            raise BadInput(
                f"the keys in {self.folder} are wrapped by no master key: GEMEL_KEYS names one, or renew each"
            )
        signing, held = self.signing, list(self.held())
        self.wrapper.renew()
        self._try(self._slots.rewrite, self._again(held, tell))
        if signing is not None:
            self.sign_with(signing)
        self.wrapper.retire()
        self._cache.clear()
        return sum(len(secrets or ()) for _, secrets in held)

    def _again(
        self, held: Sequence[tuple[bytes, tuple[bytes, ...] | None]], tell: Callable[[int], object]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        for done, (id_, secrets) in enumerate(held):
            tell(done)
            yield from [(id_, None)] if secrets is None else [(id_, self._kept(secret, id_)) for secret in secrets]

    # signing

    @property
    def signing(self) -> Ed25519PrivateKey | None:
        """Return the key that signs, if it is here."""
        content = self._file("signing")
        if content is None:
            return None
        if self._signing is None or self._signing[0] != content:
            secret = content if self.wrapper is None else self._unwrap(content, b"signing")
            self._signing = content, Ed25519PrivateKey.from_private_bytes(secret)
        return self._signing[1]

    def make_signing(self) -> Ed25519PrivateKey:
        """Make the key that signs, if there is none, and return it."""
        return self.signing or self.sign_with(Ed25519PrivateKey.generate())

    def sign_with(self, key: Ed25519PrivateKey) -> Ed25519PrivateKey:
        """Keep *key* as the one that signs."""
        self._keep("signing", self._wrap(key.private_bytes_raw(), b"signing"), wipe=True)
        return key

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
        path = self.folder / name
        return self._try(lambda: path.read_bytes() if path.exists() else None)

    def _keep(self, name: str, content: bytes, *, wipe: bool = False) -> None:
        self._try(lambda: replace(self.folder / name, [content], wipe=wipe))

    def refresh(self) -> None:
        """Take in what another process wrote while this one was not the store's only writer."""
        self._try(self._slots.refresh)
        self._cache.clear()

    def close(self) -> None:
        """Let go of the file."""
        self._slots.close()
        self._cache.clear()


def _digest(twin: str) -> bytes:
    return sha256(b"gemel subject\x00" + twin.encode()).digest()


@lru_cache(CACHED)
def subject_id(twin: str) -> bytes:
    """Return the name under which a subject's keys are kept: a digest, so that the folder names nobody."""
    return _digest(twin)


def close_to_others(folder: Path, readonly: bool) -> None:
    """Take from all but the owner the right to enter; where that cannot be done, refuse to write, and warn who reads."""
    found = [path for path in (folder, *folder.glob("*")) if path.exists() and path.stat().st_mode & OTHERS]
    try:
        for path in found if not readonly else ():
            path.chmod(path.stat().st_mode & 0o700)
    except PermissionError:
        raise Unavailable(f"others may read the keys in {folder}; its owner must do `chmod -R go= {folder}`") from None
    if found:
        log.warning("others %s read the keys in %s", "may" if readonly else "could until now", folder)
