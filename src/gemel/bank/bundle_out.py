"""Out of a bank: what of some twins may travel, to whom and what for; asked of the gate, and on record.

Readable facts come with their sealed records and paths to a signed root, which prove twin, kind and times of each. That the
readable body is the sealed one can be checked only by whoever has the subject's key. It moves along in a *whole* hand-over:
by somebody who holds the twin's keys, of everything there is, sealed for the receiver. Else the sender's signature stands
for the bodies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.bank.bundle import packed
from gemel.bank.bundle_check import OF_GRANTS, OF_KEYS
from gemel.bank.bundle_seal import Receiver
from gemel.bank.gate import signals_of
from gemel.consent import ALL, Decision, Grant, Rights, grant_body
from gemel.consent.rights import CREATED
from gemel.dynamics import CASE, EVENTS
from gemel.errors import BadInput, Refused, Unavailable, unknown
from gemel.facts import HOUSE, Draft, Fact, Time
from gemel.thread import Row
from gemel.thread.codec import unseal_with_key
from gemel.thread.export import head
from gemel.thread.keys import SubjectKey
from gemel.thread.signature import checkpoint_note
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

EXPORTED = "exported/1"
NAMED = "named/1"
THINNED = "thinned"
"""What is said of facts that statistics stand for: they have no body any more."""

encode = msgspec.json.encode


@dataclass(frozen=True)
class Sent:
    """A bundle that was written: its digest (SHA-256), how many facts of which twins, and what was left out of each."""

    path: Path
    digest: str
    facts: int
    twins: tuple[str, ...]
    left_out: Mapping[str, Mapping[str, Any]]
    whole: bool


@dataclass(frozen=True)
class Share:
    """What of one twin its reader may see."""

    twin: str
    decisions: Mapping[str, Decision]
    grants: tuple[Grant, ...]
    whole: bool
    held: list[tuple[Row, Fact, str | None]] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> bool:
        """Return whether nothing is left out."""
        return self.decisions[ALL].allowed

    def shows(self, fact: Fact) -> bool:
        """Return whether a fact is among what may be seen."""
        if self.all or fact.kind in OF_KEYS:
            return True
        if fact.kind in OF_GRANTS:
            return str(fact.body.get("grant", fact.body.get("glass"))) in {grant.id for grant in self.grants}
        return any(name in self.decisions and self.decisions[name].allowed for name in signals_of(fact))


def send(
    bank: Bank, ids: Sequence[str], path: Path | str, *, by: str, purpose: str, to: str | None = None,
    whole: bool = False, receiver: Receiver | None = None,
) -> Sent:  # fmt: skip
    """Write a bundle of some twins for *to* (by default whoever asks), of what both may read for that purpose.

    It is on record as `exported/1` before the file is there. *whole* hands the subjects' keys over with it.
    """
    target, reader = Path(path), to or by
    if target.exists():
        raise BadInput(f"{target} is there already; choose another name", field="output")
    shares = [_share(bank, id_, by, reader, purpose, whole, receiver) for id_ in dict.fromkeys(ids)]
    if not shares:
        raise BadInput("a bundle holds at least one twin", field="id")
    at, (size, root) = bank.now(), head(bank.thread)
    for share in shares:
        _open(bank, share, size)
    parts = _parts(bank, shares, by, reader, purpose, size)
    parts["checkpoint"] = checkpoint_note(size, root, bank.thread.public_key, bank.thread.sign).encode()
    data = packed(parts, bank.thread, at, receiver)
    sent = _sent(target, data, shares)
    bank.append([_record(sent, by, reader, purpose, receiver, at)])
    _write(target, data)
    return sent


def _share(
    bank: Bank, id_: str, by: str, reader: str, purpose: str, whole: bool, receiver: Receiver | None
) -> Share:  # fmt: skip
    """Ask the gate, for whoever exports and whoever is to read; raise `Refused` where nothing may be read."""
    if id_ not in bank:
        raise unknown("twin", id_, bank.twins())
    names = _names(bank, id_, (by, reader), purpose)
    asked = [[bank.gate.decide(one, "read", id_, name, purpose) for name in names] for one in (by, reader)]
    for actor, decisions in zip(dict.fromkeys((by, reader)), asked, strict=False):
        bank.gate.record(actor, "read", purpose, [(id_, n, d) for n, d in zip(names, decisions, strict=True)])
    joint = {n: a if not a.allowed else b for n, a, b in zip(names, *asked, strict=True)}
    if not any(decision.allowed for decision in joint.values()):
        raise Refused(joint[ALL].reason)
    if whole:
        _check_whole(bank, id_, by, joint[ALL], receiver)
    rights = bank.gate.rights(id_)
    return Share(id_, joint, _resting_on(rights, [d.grant_id for d in joint.values()]), whole)


def _names(bank: Bank, id_: str, actors: Sequence[str], purpose: str) -> list[str]:
    """Return what the gate is asked about: all there is, with the cases that somebody was granted by name.

    The names in a type that was made of a twin's data tell of it: who may not read all is told those of their grants.
    """
    kind = bank.type_of(id_)
    granted = [name for one in actors for grant in bank.gate.rights(id_).named(one) for name in grant.signals]
    named = [name for name in dict.fromkeys(granted) if name != ALL]
    own = [name for name in named if kind.eventful and name.startswith(CASE)]
    every = [ALL, *([EVENTS] if kind.eventful else []), *kind.signals, *kind.levers, *own]
    whole = all(bank.gate.decide(one, "read", id_, ALL, purpose).allowed for one in actors)
    return every if kind.spec is None or whole else [name for name in every if name == ALL or name in named]


def _described(kind: TwinType, share: Share) -> dict[str, object]:
    """Return a type as it travels: of one that was made of the twin's data, who may not read all gets what may be read."""
    if share.all or kind.spec is None:
        return kind.describe()
    return {"name": kind.name, "signals": {n: p.unit for n, p in kind.signals.items() if n in share.decisions}}


def _check_whole(bank: Bank, id_: str, by: str, every: Decision, receiver: Receiver | None) -> None:
    if not bank.holds(by, id_):
        raise Refused(f"{by} may not hand {id_} over whole: only those who hold its keys may")
    if not every.allowed:
        raise Refused(every.reason)
    if receiver is None:
        raise BadInput("a whole hand-over takes the subject's keys along; seal it for a public key or by a passphrase")


def _resting_on(rights: Rights, ids: Iterable[str | None]) -> tuple[Grant, ...]:
    """Return the grants of these ids, and those that they were passed on from."""
    found: dict[str, Grant] = {}
    waiting = list(ids)
    while waiting:
        grant = rights.grant(waiting.pop())
        if grant is not None and grant.id not in found:
            found[grant.id] = grant
            waiting.append(grant.via)
    return tuple(found.values())


def _open(bank: Bank, share: Share, size: int) -> None:
    """Take in the facts that may be seen, and count the others."""
    key = SubjectKey(*bank.thread.secrets(share.twin))
    for row in bank.thread.rows(share.twin):
        if row.seq > size:
            break
        if not row.sealed:
            share.left[THINNED] = share.left.get(THINNED, 0) + 1
            continue
        fact, mark = unseal_with_key(row, key)
        if share.shows(fact):
            share.held.append((row, _shown(fact, share), mark))
        else:
            share.left[fact.kind] = share.left.get(fact.kind, 0) + 1


def _shown(fact: Fact, share: Share) -> Fact:
    """Return a fact as it travels: attributes are for those who may read everything."""
    if fact.kind != CREATED or share.all:
        return fact
    body = {**fact.body, "attributes": {}}
    return Fact(fact.twin, fact.kind, body, fact.true_at, fact.known_at, fact.by, fact.cause, fact.seq)


def _parts(
    bank: Bank, shares: Sequence[Share], by: str, reader: str, purpose: str, size: int
) -> dict[str, bytes]:  # fmt: skip
    held = sorted((one for share in shares for one in share.held), key=lambda one: one[1].seq)
    kinds = [(bank.type_of(share.twin), share) for share in shares]
    types = {kind.hash: _described(kind, share) for kind, share in kinds}
    contents = {"by": by, "to": reader, "purpose": purpose, "twins": [_about(bank, share) for share in shares]}
    parts = {
        "contents.json": encode(contents),
        "facts.jsonl": b"".join(encode(line(fact, key)) + b"\n" for _, fact, key in held),
        "records.jsonl": b"".join(_proofs(bank, [row for row, _, _ in held], size)),
        "types.json": encode(types),
    }
    keys = {one.twin: [secret.hex() for secret in bank.thread.secrets(one.twin)] for one in shares if one.whole}
    return {**parts, "keys.json": encode(keys)} if keys else parts


def line(fact: Fact, key: str | None) -> dict[str, Any]:
    """Return a fact as it stands in a bundle."""
    return {
        "seq": fact.seq, "twin": fact.twin, "kind": fact.kind, "true_at": fact.true_at, "known_at": fact.known_at,
        "by": fact.by, "cause": fact.cause, "key": key, "body": dict(fact.body),
    }  # fmt: skip


def _proofs(bank: Bank, rows: Sequence[Row], size: int) -> Iterator[bytes]:
    for row in rows:
        proof = bank.thread.prove(row.seq, size)
        yield encode({"seq": row.seq, "record": proof.record, "path": proof.path}) + b"\n"


def _about(bank: Bank, share: Share) -> dict[str, Any]:
    twin_type, facts = bank.type_of(share.twin), [fact for _, fact, _ in share.held]
    return {
        "id": share.twin, "type": twin_type.name, "hash": twin_type.hash, "whole": share.whole, "all": share.all,
        "facts": len(facts), "signals": [n for n, d in share.decisions.items() if d.allowed],
        "left_out": _left_out(share), "reasons": {n: d.reason for n, d in share.decisions.items()},
        "grants": [grant_body(grant) for grant in share.grants],
        "first_known": _first_known(bank, share.twin, {fact.seq: fact.known_at for fact in facts}),
        "versions": [dict(fact.body) for fact in facts if fact.kind == NAMED],
    }  # fmt: skip


def _first_known(bank: Bank, twin: str, held: Mapping[int, Time]) -> list[tuple[int, Time]]:
    """Return when facts of a twin's rights that came from another bank were known there."""
    said = [(fact.seq, fact.known_at) for fact in bank.rights.said(twin)]
    return [(seq, at) for seq, at in said if held.get(seq, at) != at]


def _left_out(share: Share) -> dict[str, Any]:
    if share.all:
        return {"facts": dict(share.left)} if share.left else {}
    refused = [name for name, decision in share.decisions.items() if not decision.allowed and name != ALL]
    return {"signals": refused, "attributes": True, "facts": dict(sorted(share.left.items()))}


def _sent(target: Path, data: bytes, shares: Sequence[Share]) -> Sent:
    return Sent(
        target, sha256(data).hexdigest(), sum(len(share.held) for share in shares),
        tuple(share.twin for share in shares), {share.twin: _left_out(share) for share in shares},
        any(share.whole for share in shares),
    )  # fmt: skip


def _record(sent: Sent, by: str, reader: str, purpose: str, receiver: Receiver | None, at: int) -> Draft:
    body = {
        "twins": list(sent.twins), "path": str(sent.path.absolute()), "digest": sent.digest, "to": reader,
        "purpose": purpose, "facts": sent.facts, "left_out": dict(sent.left_out), "whole": sent.whole,
        "sealed": receiver is not None,
    }  # fmt: skip
    return Draft(HOUSE, EXPORTED, body, at, by)


def _write(target: Path, data: bytes) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
