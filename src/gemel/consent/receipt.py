"""Consent receipts: what was agreed to, for the person to keep, in the fields of ISO/IEC TS 27560:2023.

The standard itself was not at hand; its fields are as Pandit, Lindquist and Krog describe them (arXiv 2405.04528, and the
DPV guide https://w3id.org/dpv/guides/consent-27560). Fields of which a bank knows nothing are named in `not_stated`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gemel.consent.grant import GRANTED, REVOKED, Grant
from gemel.consent.purposes import purpose_iri, purpose_word
from gemel.facts import Fact, Time, iso

SCHEMA = "gemel/consent-record/1 (fields of ISO/IEC TS 27560:2023)"
CONSENT = "https://w3id.org/dpv#Consent"

NOT_STATED = (
    "jurisdictions", "geographic_restrictions", "codes_of_conduct", "impact_assessment", "authority_party",
    "privacy_notice",
)  # fmt: skip
"""Fields that only the organisation can fill."""

RIGHTS = ("see who read what", "correct", "take away", "withdraw", "erase")

_STATES = {GRANTED: ("consent_given", "active"), REVOKED: ("consent_withdrawn", "withdrawn")}


def consent_record(grant: Grant, said: Iterable[Fact], controller: str) -> dict[str, Any]:
    """Return the record of a grant; *said* are facts of its subject, *controller* is who runs the bank."""
    events = [_event(fact) for fact in said if fact.kind in _STATES and fact.body.get("grant") == grant.id]
    return {
        "schema_version": SCHEMA,
        "record_id": grant.id,
        "pii_principal_id": grant.subject,
        "pii_processing": {"language": "en", "purposes": [_purpose(grant, controller)]},
        "party_identification": [
            {"party_id": grant.subject, "party_role": "pii_principal"},
            {"party_id": controller, "party_role": "pii_controller"},
            {"party_id": grant.to, "party_role": "recipient"},
        ],
        "events": events,
        "not_stated": list(NOT_STATED),
    }


def _purpose(grant: Grant, controller: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "purpose": purpose_iri(grant.purpose),
        "purpose_type": purpose_word(grant.purpose),
        "lawful_basis": CONSENT,
        "pii_information": [{"pii_type": signal, "pii_optional": True} for signal in grant.signals],
        "pii_controllers": [controller],
        "collection_method": "streams and records that a holder of the twin's keys connected",
        "processing_method": list(grant.verbs),
        "storage_locations": ["this bank, sealed with the subject's own key"],
        "retention_period": "until the subject erases it",
        "recipient_third_parties": [grant.to],
        "withdrawal_method": f"gemel revoke {grant.subject} {grant.id}",
        "privacy_rights": list(RIGHTS),
    }
    terms = {"valid_from": grant.since, "valid_until": grant.until}
    found |= {name: iso(when) for name, when in terms.items() if when is not None}
    extra = {"hours": grant.hours, "bounds": dict(grant.bounds), "may_be_given_on": grant.onward}
    return found | {name: value for name, value in extra.items() if value}


def _event(fact: Fact) -> dict[str, Any]:
    kind, state = _STATES[fact.kind]
    found = {"event_time": iso(fact.known_at), "entity_id": fact.by, "event_type": kind, "event_state": state}
    until = fact.body.get("until")
    return found | ({} if until is None else {"validity_duration": f"{iso(fact.known_at)}/{iso(until)}"})


def consent_receipt(record: dict[str, Any], now: Time) -> dict[str, Any]:
    """Return the receipt: the record as it stood at *now*, for the person to keep."""
    return {"receipt_id": f"{record['record_id']}@{now}", "receipt_time": iso(now), "record": record}
