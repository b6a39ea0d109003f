"""How a fact is stored: what may be read in the clear, the rest sealed with the subject's key, and what is hashed.

The record of a fact, which the tree hashes, is its clear part, its nonce and its sealed part, in this order. The clear
part is also what AES-GCM authenticates, so that no column can be changed or moved to another fact unseen.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag

from gemel.errors import BadInput, Tampered
from gemel.facts import Body, Draft, Fact, Time
from gemel.thread.keys import SubjectKey
from gemel.thread.merkle import leaf_hash
from gemel.thread.row import Row, clear

NONCE = 12
LONGEST = 1024
"""Bytes that a name or key may have."""
KIND = re.compile(r"[a-z][a-z0-9_.-]*/[0-9]+")
_LIMIT = 1 << 63


class _Inner(msgspec.Struct, omit_defaults=True):
    by: str
    body: Any
    cause: tuple[int, ...] = ()
    key: str | None = None


class _Opened(msgspec.Struct):
    by: str
    body: dict[str, Any]
    cause: tuple[int, ...] = ()
    key: str | None = None


class Prepared(NamedTuple):
    """A draft found good: `inner` is what will be sealed."""

    twin: str
    kind: str
    body: Body
    true_at: Time
    by: str
    cause: tuple[int, ...]
    key: str | None
    inner: bytes


_encode = msgspec.json.Encoder().encode
_decode_body = msgspec.json.Decoder(dict[str, Any]).decode
_decode_inner = msgspec.json.Decoder(_Opened).decode


def prepare(draft: Draft) -> Prepared:
    """Return the draft ready to be sealed, or raise `BadInput` naming the field that cannot be stored."""
    _check_names(draft)
    if type(draft.true_at) is not int or not -_LIMIT <= draft.true_at < _LIMIT:
        raise BadInput(f"true_at {draft.true_at!r} is not a time in ms", field="true_at")
    if draft.cause and not all(type(seq) is int and seq > 0 for seq in draft.cause):
        raise BadInput(f"cause {draft.cause!r} is not a tuple of seqs", field="cause")
    cause = tuple(draft.cause)
    body: Body = dict(draft.body)
    said: object = body
    if not _flat(body):
        text, body = _body(body)
        said = msgspec.Raw(text)
    inner = _encode(_Inner(draft.by, said, cause, draft.key))
    return Prepared(draft.twin, draft.kind, body, draft.true_at, draft.by, cause, draft.key, inner)


def _flat(body: Body) -> bool:
    """Return whether JSON gives the body back as it is for certain: numbers and ASCII text, as readings are."""
    for name, value in body.items():
        of = type(value)
        if type(name) is not str or not name.isascii() or not (
            value.isascii() if of is str else value - value == 0 if of is float
            else -_LIMIT <= value < _LIMIT if of is int else of is bool
        ):  # fmt: skip
            return False
    return True


def _check_names(draft: Draft) -> None:
    twin, kind, by, key = draft.twin, draft.kind, draft.by, draft.key
    seen = type(twin) is type(kind) is type(by) is str and _plain_names(twin, kind, by)
    if not (seen and (key is None or (type(key) is str and 0 < len(key) <= LONGEST and key.isascii()))):
        _check_each_name(draft)


@lru_cache(65_536)
def _plain_names(twin: str, kind: str, by: str) -> bool:
    return all(0 < len(text) <= LONGEST and text.isascii() for text in (twin, kind, by)) and _is_kind(kind)


def _check_each_name(draft: Draft) -> None:
    for field, text in (("twin", draft.twin), ("kind", draft.kind), ("by", draft.by), ("key", draft.key or "-")):
        if not isinstance(text, str) or not text:
            raise BadInput(f"{text!r} is not a name", field=field)
        if not text.isascii() or len(text) > LONGEST:
            _check_text(field, text)
    if not _is_kind(draft.kind):
        raise BadInput(f"kind {draft.kind!r} is not a word with a version, such as observed/1", field="kind")


def _check_text(field: str, text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadInput(f"{text!r} is not Unicode text", field=field) from None
    if size > LONGEST:
        raise BadInput(f"{text[:20]!r}… has {size} bytes; at most {LONGEST} are possible", field=field)


@lru_cache(1024)
def _is_kind(kind: str) -> bool:
    return KIND.fullmatch(kind) is not None


def _body(body: Body) -> tuple[bytes, Body]:
    """Return the body as JSON, and as a reader will see it."""
    try:
        text = _encode(dict(body))
        seen = _decode_body(text)
    except (TypeError, ValueError, msgspec.MsgspecError):
        text, seen = b"", {}
    if seen != body or not text:
        plain = {_name(name, "body"): _plain(value, f"body.{name}") for name, value in dict(body).items()}
        text = _encode(plain)
        seen = _decode_body(text)
    return text, seen


def _plain(value: object, where: str) -> object:
    """Return *value* as JSON types; raise `BadInput` with the place of what is not."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value - value != 0:
            raise BadInput(f"{value!r} is not a number that JSON can hold", field=where)
        return float(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadInput(f"{value!r} is not Unicode text", field=where) from None
        return str(value)
    if isinstance(value, Mapping):
        return {_name(name, where): _plain(inner, f"{where}.{name}") for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, f"{where}[{i}]") for i, inner in enumerate(value)]
    kinds = "str, int, float, bool, None, list, dict"
    raise BadInput(f"{type(value).__name__} {value!r:.60} cannot be stored; possible: {kinds}", field=where)


def _name(name: object, where: str) -> str:
    if not isinstance(name, str):
        raise BadInput(f"name {name!r} is not text", field=where)
    return str(_plain(name, where))


def nonces(count: int) -> list[bytes]:
    """Return fresh random nonces; with 2³² facts of one subject, the chance of a repeat is 2⁻³³."""
    drawn = os.urandom(NONCE * count)
    return [drawn[i : i + NONCE] for i in range(0, len(drawn), NONCE)]


def seal(draft: Prepared, seq: int, known_at: Time, mark: bytes | None, key: SubjectKey, nonce: bytes) -> Row:
    """Return the row that stores a draft."""
    head = clear(seq, draft.twin, draft.kind, draft.true_at, known_at, mark)
    sealed = key.cipher.encrypt(nonce, draft.inner, head)
    leaf = leaf_hash(head + nonce + sealed)
    return Row(seq, draft.twin, draft.kind, draft.true_at, known_at, mark, leaf, nonce, sealed)


def unseal(row: Row, key: SubjectKey) -> Fact:
    """Return the fact in a row, or raise `Tampered` naming it."""
    inner = _inner(row, key)
    return Fact(row.twin, row.kind, inner.body, row.true_at, row.known_at, inner.by, inner.cause, row.seq)


def unseal_with_key(row: Row, key: SubjectKey) -> tuple[Fact, str | None]:
    """Return the fact in a row and its idempotency key, or raise `Tampered` naming it."""
    inner = _inner(row, key)
    fact = Fact(row.twin, row.kind, inner.body, row.true_at, row.known_at, inner.by, inner.cause, row.seq)
    return fact, inner.key


def _inner(row: Row, key: SubjectKey) -> _Opened:
    try:
        return _decode_inner(key.cipher.decrypt(row.nonce, row.sealed, row.clear))
    except (InvalidTag, msgspec.MsgspecError, struct.error, TypeError, ValueError, AttributeError):
        raise Tampered(f"{name(row.seq, row.twin, row.kind)} is not as it was written") from None


def name(seq: int, twin: str | None = None, kind: str | None = None) -> str:
    """Return how messages call a fact."""
    known = [part for part in (twin, kind) if part]
    return f"fact {seq} ({', '.join(known)})" if known else f"fact {seq}"
