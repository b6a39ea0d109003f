"""Receipts: consent that a person can keep and show, signed by the store; and consents that come from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.consent import GRANTED, REVOKED, Grant, grant_body, revocation_body
from gemel.consent.fhir import from_fhir, to_fhir
from gemel.consent.receipt import consent_receipt, consent_record
from gemel.errors import NotFound, Refused, Tampered
from gemel.facts import Draft, Fact
from gemel.thread import Thread, signature_holds

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

CONTROLLER = "the operator of this bank"


def receipt(twin: Twin, grant_id: str, controller: str = CONTROLLER) -> str:
    """Return the receipt of a grant as a compact JWS (RFC 7515, 9864), for a holder or the one it is for."""
    grant = _grant(twin, grant_id)
    record = consent_record(grant, _said(twin, grant_id), controller)
    return signed(twin.bank.thread, consent_receipt(record, twin.bank.now()))


def signed(thread: Thread, payload: Mapping[str, Any]) -> str:
    """Return *payload* as a compact JWS, signed with the store's Ed25519 key, which its header names (RFC 8037)."""
    header = {"alg": "Ed25519", "typ": "JWT", "kid": thumbprint(thread.public_key), "jwk": jwk(thread.public_key)}
    text = f"{_b64(msgspec.json.encode(header))}.{_b64(msgspec.json.encode(payload))}"
    return f"{text}.{_b64(bytes.fromhex(thread.sign(text.encode())))}"


def opened(jws: str, public_key: str) -> dict[str, Any]:
    """Return what a JWS says, or raise `Tampered` where the store with that key (hex) did not sign just this."""
    try:
        text, _, signature = jws.strip().rpartition(".")
        payload: dict[str, Any] = msgspec.json.decode(_unb64(text.split(".")[1]))
        holds = signature_holds(public_key, text.encode(), _unb64(signature).hex())
    except (ValueError, IndexError, msgspec.MsgspecError):
        raise Tampered("this is no receipt: three parts of base64url with dots between them are needed") from None
    if not holds:
        raise Tampered(f"the receipt is not as the store with key {public_key[:16]}… signed it")
    return payload


def jwk(public_key: str) -> dict[str, str]:
    """Return an Ed25519 key (hex) as a JSON Web Key."""
    return {"crv": "Ed25519", "kty": "OKP", "x": _b64(bytes.fromhex(public_key))}


def thumbprint(public_key: str) -> str:
    """Return the key's thumbprint by RFC 7638."""
    return _b64(hashlib.sha256(msgspec.json.encode(jwk(public_key))).digest())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


def consent(twin: Twin, grant_id: str) -> dict[str, Any]:
    """Return a grant as a FHIR R4B Consent."""
    grant, said = _grant(twin, grant_id), _said(twin, grant_id)
    return to_fhir(grant, next((fact.known_at for fact in said if fact.kind == GRANTED), None))


def take_consent(twin: Twin, resource: Mapping[str, Any]) -> tuple[Grant, bool]:
    """Put on record what a FHIR Consent says: a grant, or that it ended; return it, and whether that is new.

    Only a holder of the keys may; nothing that the resource says is left out in silence (`from_fhir`).
    """
    if not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not take over consents of {twin.id}: only those who hold its keys may")
    grant, active = from_fhir(resource, twin.id)
    held = twin.bank.gate.rights(twin.id).grant(grant.id)
    open_now = held is not None and held.revoked is None
    if active == open_now:
        return grant, False
    kind, body = (GRANTED, grant_body(grant)) if active else (REVOKED, revocation_body(grant.id))
    twin.bank.append([Draft(twin.id, kind, body, twin.bank.now(), twin.actor)])
    return grant, True


def _grant(twin: Twin, grant_id: str) -> Grant:
    rights = twin.bank.gate.rights(twin.id)
    found = rights.grant(grant_id)
    if found is None:
        raise NotFound(
            f"no grant {grant_id!r} on {twin.id}; there are {', '.join(g.id for g in rights.grants) or 'none'}"
        )
    if twin.actor != found.to and not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not see grant {grant_id} of {twin.id}: it is for somebody else")
    return found


def _said(twin: Twin, grant_id: str) -> list[Fact]:
    facts = twin.bank.thread.read(twin.id, kinds=[GRANTED, REVOKED])
    return [fact for fact in facts if fact.body.get("grant") == grant_id]
