"""Signed checkpoints and proofs as a stranger checks them, from an export alone."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gemel.facts import Time
from gemel.thread.contract import Checkpoint, Inclusion
from gemel.thread.merkle import extends, includes, leaf_hash


def statement(size: int, root: str, at: Time) -> bytes:
    """Return the text that a checkpoint signs."""
    return f"gemel checkpoint 1\n{size}\n{root}\n{at}\n".encode()


def sign_checkpoint(key: Ed25519PrivateKey, size: int, root: str, at: Time) -> Checkpoint:
    """Return the signed checkpoint."""
    return Checkpoint(size, root, at, key.sign(statement(size, root, at)).hex())


def signature_holds(public_key: str, message: bytes, signature: str) -> bool:
    """Return whether the holder of the key (hex) signed *message*."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_holds(checkpoint: Checkpoint, public_key: str) -> bool:
    """Return whether the store with that key signed the checkpoint."""
    message = statement(checkpoint.size, checkpoint.root, checkpoint.at)
    return signature_holds(public_key, message, checkpoint.signature)


def log_name(public_key: str) -> str:
    """Return the name under which a store signs notes: made from its key, since a store has no other."""
    return f"gemel/{public_key[:16]}"


def _key_id(public_key: str) -> bytes:
    return sha256(log_name(public_key).encode() + b"\n\x01" + bytes.fromhex(public_key)).digest()[:4]


def verifier_key(public_key: str) -> str:
    """Return the key as verifiers of signed notes share it: name, id and key (c2sp.org/signed-note)."""
    encoded = base64.b64encode(b"\x01" + bytes.fromhex(public_key)).decode()
    return f"{log_name(public_key)}+{_key_id(public_key).hex()}+{encoded}"


def note(text: str, public_key: str, sign: Callable[[bytes], str]) -> str:
    """Return *text*, which ends with a newline, as a signed note; *sign* gives the signature in hex."""
    signature = base64.b64encode(_key_id(public_key) + bytes.fromhex(sign(text.encode()))).decode()
    return f"{text}\n\u2014 {log_name(public_key)} {signature}\n"


def checkpoint_note(size: int, root: bytes, public_key: str, sign: Callable[[bytes], str]) -> str:
    """Return a checkpoint for strangers, c2sp.org/tlog-checkpoint: it says no time, and any verifier can read it."""
    return note(f"{log_name(public_key)}\n{size}\n{base64.b64encode(root).decode()}\n", public_key, sign)


def inclusion_holds(inclusion: Inclusion, root: str) -> bool:
    """Return whether the record is the fact `seq` under *root* (hex)."""
    try:
        leaf, path = leaf_hash(bytes.fromhex(inclusion.record)), [bytes.fromhex(step) for step in inclusion.path]
        return includes(leaf, inclusion.seq - 1, inclusion.size, path, bytes.fromhex(root))
    except ValueError:
        return False


def growth_holds(first: Checkpoint, second: Checkpoint, path: Sequence[str]) -> bool:
    """Return whether the tree of the second checkpoint begins with that of the first."""
    try:
        steps = [bytes.fromhex(step) for step in path]
        return extends(first.size, second.size, steps, bytes.fromhex(first.root), bytes.fromhex(second.root))
    except ValueError:
        return False
