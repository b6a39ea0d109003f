"""What a bundle claims, checked before anything is written: proofs, bodies, rights, types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gemel.bank.bundle import Box
from gemel.bank.gate import signals_of
from gemel.consent import ALL, Request, Rights, decide, fold
from gemel.consent.grant import GRANTED, REVOKED
from gemel.consent.rights import BROKE_GLASS, CREATED, DISMISSED, ENTRUSTED
from gemel.errors import BadInput, Refused, Tampered
from gemel.facts import Fact, Time
from gemel.thread import Row
from gemel.thread.codec import name, unseal_with_key
from gemel.thread.keys import SubjectKey
from gemel.thread.merkle import leaf_hash
from gemel.thread.row import parse
from gemel.thread.standalone.verify import Checkpoint, Wrong, included, read_checkpoint

OF_KEYS = (CREATED, ENTRUSTED, DISMISSED)
"""Facts that say who holds the keys: they always travel, or the receiving bank could not ask for consent."""
OF_GRANTS = (GRANTED, REVOKED, BROKE_GLASS)


class About(msgspec.Struct, frozen=True):
    """What `contents.json` says of one twin."""

    id: str
    type: str
    hash: str
    whole: bool
    all: bool
    signals: list[str]
    first_known: list[tuple[int, int]] = []
    """Which facts of its rights the sender has from another bank, by seq there, and when they were first known."""


class Contents(msgspec.Struct, frozen=True):
    """What `contents.json` says."""

    by: str
    to: str
    purpose: str
    twins: list[About]


class _Line(msgspec.Struct, frozen=True):
    seq: int
    twin: str
    kind: str
    true_at: int
    known_at: int
    by: str
    cause: tuple[int, ...]
    key: str | None
    body: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """A bundle that holds: its facts with their keys, in order of seq, and what the sender's log was."""

    contents: Contents
    facts: Sequence[tuple[Fact, str | None]]
    checkpoint: Checkpoint
    note: str
    made_at: Time

    def of(self, twin: str) -> list[Fact]:
        """Return the facts of a twin."""
        return [fact for fact, _ in self.facts if fact.twin == twin]

    def rights(self, twin: str) -> Rights:
        """Return who may do what with a twin, as the sender's bank has it."""
        return fold(twin, sorted(self.of(twin), key=lambda fact: fact.known_at))


def checked(box: Box) -> Told:
    """Return what a bundle tells, if its proofs hold and the subjects' grants allow it; raise `Tampered` or `Refused`."""
    try:
        contents = msgspec.json.decode(box.parts["contents.json"], type=Contents)
        lines = [msgspec.json.decode(line, type=_Line) for line in box.parts["facts.jsonl"].splitlines()]
        note = box.parts["checkpoint"].decode()
        checkpoint = read_checkpoint(note, box.key)
        rows = {row.seq: row for row in _rows(box.parts["records.jsonl"], checkpoint)}
        keys = msgspec.json.decode(box.parts.get("keys.json", b"{}"), type=dict[str, list[str]])
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadInput(f"the bundle is not laid out as one: {error}") from None
    except Wrong as wrong:
        raise Tampered(f"the bundle does not hold: {wrong}") from None
    facts = [(_fact(line), line.key) for line in lines]
    told = Told(contents, facts, checkpoint, note, box.made_at)
    _check_facts(told, rows, {twin: SubjectKey(*map(bytes.fromhex, held)) for twin, held in keys.items()})
    told = replace(told, facts=list(_first_known(told)))
    for about in contents.twins:
        _check_grants(told, about)
    return told


def _first_known(told: Told) -> Iterator[tuple[Fact, str | None]]:
    """Yield the facts with the times at which they were known first, whichever bank that was in."""
    first = {(about.id, seq): at for about in told.contents.twins for seq, at in about.first_known}
    for fact, key in told.facts:
        yield replace(fact, known_at=min(fact.known_at, first.get((fact.twin, fact.seq), fact.known_at))), key


def _rows(lines: bytes, checkpoint: Checkpoint) -> Iterator[Row]:
    for each in lines.splitlines():
        line = json.loads(each)
        included(line, checkpoint)
        record = bytes.fromhex(line["record"])
        yield parse(record, leaf_hash(record))


def _fact(line: _Line) -> Fact:
    return Fact(line.twin, line.kind, line.body, line.true_at, line.known_at, line.by, line.cause, line.seq)


def _check_facts(told: Told, rows: Mapping[int, Row], keys: Mapping[str, SubjectKey]) -> None:
    """Compare each readable fact with its record: what is in the clear always, the body where the key came along."""
    seqs = [fact.seq for fact, _ in told.facts]
    named, whole = (
        {about.id for about in told.contents.twins},
        {about.id for about in told.contents.twins if about.whole},
    )
    if seqs != sorted(set(seqs)) or seqs != sorted(rows) or not whole <= keys.keys():
        raise Tampered("the bundle does not hold: its facts are not those of its records")
    for fact, key in told.facts:
        row = rows[fact.seq]
        clear = (row.twin, row.kind, row.true_at, row.known_at) == (fact.twin, fact.kind, fact.true_at, fact.known_at)
        body = fact.twin not in whole or unseal_with_key(row, keys[fact.twin]) == (fact, key)
        if not clear or not body or fact.twin not in named:
            raise Tampered(f"{name(fact.seq, fact.twin, fact.kind)} is not what its record says")


def _check_grants(told: Told, about: About) -> None:
    """Ask again what the sender's gate was asked: the bundle brings the facts that it was answered from."""
    rights, contents = told.rights(about.id), told.contents
    if not any(fact.kind == CREATED for fact in told.of(about.id)):
        raise Refused(f"the bundle does not say who holds the keys of {about.id}")
    if about.whole and not rights.holds(contents.by, told.made_at):
        raise Refused(f"{contents.by} handed {about.id} over whole without holding its keys")
    at = max(told.made_at, rights.known)
    for actor in dict.fromkeys((contents.by, contents.to)):
        for signal in [ALL] if about.all else about.signals:
            decision = decide(rights, Request(actor, "read", about.id, signal, contents.purpose, at))
            if not decision.allowed:
                raise Refused(f"the bundle holds more than its grants allow: {decision.reason}")
    for fact in told.of(about.id) if not about.all else ():
        if fact.kind not in (*OF_KEYS, *OF_GRANTS) and not {*signals_of(fact)} & {*about.signals}:
            raise Refused(f"the bundle holds more than its grants allow: {name(fact.seq, fact.twin, fact.kind)}")
