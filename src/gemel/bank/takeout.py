"""Takeout: everything a bank holds of a twin, in one file that other programs can read: JSON, FHIR, signed receipts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.bank.accesses import accesses
from gemel.bank.bundle_out import EXPORTED
from gemel.bank.receipts import consent, receipt
from gemel.consent.fhir import OWN
from gemel.errors import BadInput, Refused
from gemel.facts import HOUSE, Draft, Fact, iso
from gemel.twintype import TwinType

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

UCUM = "http://unitsofmeasure.org"

CONTENTS = """What the bank at hand held of {twin} on {now}, asked for by {actor}.

facts.jsonl       every fact, in the order in which it became known: kind, times, who said it, what follows from what
fhir.json         readings, doses and consents as a FHIR R4B Bundle; units are given as the twin's type has them
accesses.json     who saw what, when, for what purpose, by which grant, refusals included
receipts/*.jws    a receipt for each grant, signed with the store's key {key} (Ed25519)

Times are UTC. facts.jsonl alone is complete; the other files tell parts of it in other words.
"""


def takeout(twin: Twin, path: Path, tell: Callable[[str, int, int], object] = lambda what, done, whole: None) -> int:
    """Write all there is of a twin to a zip file at *path*, whole or not at all; return how many facts it holds.

    Only those who hold its keys may; that it was done is on record as `accessed/1` and, with the path, as `exported/1`.
    """
    if not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not take {twin.id} away: only those who hold its keys may")
    twin.bank.gate.require(twin.actor, "read", twin.id, "*", twin.purpose)
    if path.exists():
        raise BadInput(f"{path} is there already; choose another name", field="output")
    if not path.absolute().parent.is_dir():
        raise BadInput("there is no such folder", file=str(path.parent))
    exported(twin, path)
    facts = list(twin.bank.thread.read(twin.id))
    part = path.with_name(f"{path.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for i, (name, data) in enumerate(_parts(twin, facts)):
                tell("writing", i, 5)
                archive.writestr(name, data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return len(facts)


def exported(twin: Twin, path: Path) -> None:
    """Put on record that a readable copy is written to *path*, so that an erasure deletes it there, or names it."""
    body = {"twin": twin.id, "path": str(path.absolute()), "to": twin.actor, "purpose": twin.purpose, "whole": False}
    twin.bank.append([Draft(HOUSE, EXPORTED, body, twin.bank.now(), twin.actor)])


def _parts(twin: Twin, facts: list[Fact]) -> Iterator[tuple[str, bytes]]:
    bank = twin.bank
    about = CONTENTS.format(twin=twin.id, now=iso(bank.now()), actor=twin.actor, key=bank.thread.public_key)
    yield "README.txt", about.encode()
    yield "facts.jsonl", b"".join(msgspec.json.encode(plain(fact)) + b"\n" for fact in facts)
    yield "fhir.json", msgspec.json.encode(bundle(twin, facts))
    yield "accesses.json", msgspec.json.encode([access.json() for access in accesses(twin)])
    for grant in bank.gate.rights(twin.id).grants:
        yield f"receipts/{grant.id}.jws", receipt(twin, grant.id).encode()


def plain(fact: Fact) -> dict[str, Any]:
    """Return a fact as JSON, with its times in words."""
    return {
        "seq": fact.seq, "twin": fact.twin, "kind": fact.kind, "true_at": iso(fact.true_at),
        "known_at": iso(fact.known_at), "by": fact.by, "cause": list(fact.cause), "body": dict(fact.body),
    }  # fmt: skip


def bundle(twin: Twin, facts: list[Fact]) -> dict[str, Any]:
    """Return readings, doses and consents as a FHIR R4B Bundle of type collection; what was taken back says so."""
    replica = twin.bank.replica(twin.id)
    said = [fact for fact in facts if fact.kind in ("observed/1", "acted/1")]
    observations = [observation(fact, twin.type, replica.standing(str(fact.body["key"])) == fact.seq) for fact in said]
    consents = [consent(twin, grant.id) for grant in twin.bank.gate.rights(twin.id).grants]
    entries = [
        {"fullUrl": f"{OWN}{one['resourceType']}:{one['id']}", "resource": one} for one in (*observations, *consents)
    ]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": iso(twin.bank.now()), "entry": entries}


def observation(fact: Fact, twin_type: TwinType, standing: bool) -> dict[str, Any]:
    """Return a reading or dose as an Observation: `entered-in-error` if it was taken back, `amended` if it corrects one."""
    body: Mapping[str, Any] = fact.body
    ports = {**twin_type.signals, **twin_type.levers}
    name = str(body["name"])
    label = ports[name].label if name in ports and ports[name].label else name
    status = "entered-in-error" if not standing else "amended" if "corrects" in body else "final"
    quantity = {"value": body["value"], "unit": body["unit"] or "1", "system": UCUM, "code": body["unit"] or "1"}
    return {
        "resourceType": "Observation",
        "id": str(fact.seq),
        "status": status,
        "code": {"coding": [{"system": f"{OWN}signal", "code": name, "display": label}], "text": label},
        "subject": {"identifier": {"system": f"{OWN}twin", "value": fact.twin}},
        "effectiveDateTime": iso(fact.true_at),
        "issued": iso(fact.known_at),
        "performer": [{"identifier": {"system": f"{OWN}actor", "value": fact.by}}],
        "valueQuantity": quantity,
    }
