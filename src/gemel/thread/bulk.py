"""Bodies many at once: of one kind of one twin, no more than is asked for is opened up; of many twins, in a light form."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, cast

import msgspec
from cryptography.exceptions import InvalidTag

from gemel.errors import BadInput, Tampered, Unavailable
from gemel.facts import Fact
from gemel.thread.codec import name, unseal
from gemel.thread.contract import Light, S, Said
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.keys import Cipher, Keys, SubjectKey
from gemel.thread.query import Query
from gemel.thread.row import CLEAR, FORMAT, Row, clear


def listed(query: Query) -> tuple[str, Sequence[object]]:
    """Return the statement, and its values, that takes from SQLite what `unsealed` needs, in order of true_at and seq."""
    where, index = "twin = ? AND kind = ? AND rowid > ? AND rowid <= ? AND sealed <> x''", "fact_when"
    if query.after:  # few follow, and in this index they are the last
        index = "fact_kind"
    values: list[object] = [query.twin, *(query.kinds or ()), query.after, query.last]
    for condition, when in (("true_at >= ?", query.true_from), ("true_at < ?", query.true_until)):
        if when is not None:
            where, values = f"{where} AND {condition}", [*values, when]
    columns = "rowid, true_at, known_at, mark, nonce, sealed"
    return f"SELECT {columns} FROM fact INDEXED BY {index} WHERE {where} ORDER BY true_at, rowid", values


def facts_in(rows: Iterable[Row], keys: FolderKeys) -> Iterator[Fact]:
    """Yield the facts in rows, thinned ones and those of erased subjects left out."""
    subjects: dict[str, SubjectKey | None] = {}
    for row in rows:
        if row.twin not in subjects:
            subjects[row.twin] = _subject(row, keys)
        key = subjects[row.twin]
        if key is not None and row.sealed:
            yield unseal(row, key)


def _subject(row: Row, keys: FolderKeys) -> SubjectKey | None:
    key = keys.subject(row.twin)
    if key is None and not keys.erased(row.twin):
        called = name(row.seq, row.twin, row.kind)
        raise Unavailable(f"{called} cannot be read: its subject's key is not in {keys.folder}")
    return key


def unsealed(rows: Iterable[tuple[Any, ...]], twin: str, kind: str, key: SubjectKey, shape: type[S]) -> list[Said[S]]:
    """Return what rows say, thinned ones left out, or raise `Tampered` naming the fact that is not as it was written."""
    decrypt, decode, names = key.cipher.decrypt, _decoder(cast(Hashable, shape)).decode, (twin + kind).encode()
    form, lengths, pack, said, seq = FORMAT, (len(twin.encode()), len(kind.encode())), CLEAR.pack, list[Said[S]](), 0
    try:
        for seq, true_at, known_at, mark, nonce, sealed in rows:
            if sealed:
                head = pack(form, seq, true_at, known_at, *lengths, len(mark or b"")) + names + (mark or b"")
                said.append((true_at, seq, decode(decrypt(nonce, sealed, head)).body))
    except msgspec.ValidationError as error:
        raise BadInput(f"{name(seq, twin, kind)} does not say what is asked for: {error}") from None
    except (InvalidTag, msgspec.MsgspecError, ArithmeticError, TypeError, ValueError):
        raise Tampered(f"{name(seq, twin, kind)} is not as it was written") from None
    return said


class _Said(msgspec.Struct, gc=False):
    by: str
    body: dict[str, Any]
    cause: tuple[int, ...] = ()


_decode_said = msgspec.json.Decoder(_Said).decode


def skim(pages: Iterable[Sequence[Row]], keys: Keys) -> Iterator[Light]:
    """Yield what pages of rows say, thinned ones and those of erased subjects left out; raise `Tampered` as `unsealed`."""
    for rows in pages:
        ciphers = keys.ciphers({row.twin for row in rows})
        for row in rows:
            cipher = ciphers.get(row.twin)
            if cipher is None:
                _check_erased(row, keys)
            elif row.sealed:
                yield _light(row, cipher)


def _light(row: Row, cipher: Cipher) -> Light:
    seq, twin, kind, true_at, known_at, mark, _, nonce, sealed = row
    try:
        said = _decode_said(cipher.decrypt(nonce, sealed, clear(seq, twin, kind, true_at, known_at, mark)))
    except (InvalidTag, msgspec.MsgspecError, struct.error, ArithmeticError, TypeError, ValueError, AttributeError):
        raise Tampered(f"{name(seq, twin, kind)} is not as it was written") from None
    return Light(twin, kind, said.body, true_at, known_at, said.by, said.cause, seq)


def _check_erased(row: Row, keys: Keys) -> None:
    if not keys.erased(row.twin):
        raise Unavailable(f"{name(row.seq, row.twin, row.kind)} cannot be read: its subject's key is missing")


def shaped(facts: Iterable[Fact], shape: type[S]) -> list[Said[S]]:
    """Return the same of facts that are open already."""
    found = sorted(facts, key=lambda fact: (fact.true_at, fact.seq))
    try:
        return [(fact.true_at, fact.seq, msgspec.convert(fact.body, shape)) for fact in found]
    except msgspec.ValidationError as error:
        raise BadInput(f"a fact does not say what is asked for: {error}") from None


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    inner = msgspec.defstruct("Inner", [("body", shape)], gc=False)
    return msgspec.json.Decoder(inner)
