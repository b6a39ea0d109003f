"""Grants as FHIR R4B Consent resources, out and in; what FHIR has no word for is an extension or a code of our own.

Elements and codes are those of https://hl7.org/fhir/R4B/consent.html; actions come from the code system `consentaction`,
purposes from `v3-ActReason` where that has the word, always beside the term of the Data Privacy Vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gemel.consent.grant import VERBS, Grant
from gemel.consent.purposes import purpose_iri, purpose_word
from gemel.errors import BadInput
from gemel.facts import Time, iso, time_of

Resource = Mapping[str, Any]

OWN = "urn:gemel:"
DPV = "https://w3id.org/dpv"
TERMS = "http://terminology.hl7.org/CodeSystem/"
ACTIONS = {
    "read": "access", "write": "collect", "propose": "use", "act": "use", "fork": "use", "study": "use",
    "emergency": "access",
}  # fmt: skip
"""From each verb to the nearest action of FHIR; the verb itself stands beside it."""

REASONS = {"care": "TREAT", "emergency": "ETREAT", "research": "HRESCH", "public-health": "PUBHLTH"}
"""From purposes to codes of v3-ActReason; the others have none that means the same."""

_SCOPE = {"coding": [{"system": f"{TERMS}consentscope", "code": "patient-privacy"}]}
_CATEGORY = {"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]}
_RECIPIENT = {"coding": [{"system": f"{TERMS}v3-ParticipationType", "code": "IRCP"}]}


def to_fhir(grant: Grant, given: Time | None = None) -> dict[str, Any]:
    """Return a grant as a Consent that permits; *given* is when it was said."""
    ended = grant.revoked is not None or grant.lapsed is not None
    found = {
        "resourceType": "Consent",
        "id": grant.id,
        "identifier": [{"system": f"{OWN}grant", "value": grant.id}],
        "status": "inactive" if ended else "active",
        "scope": _SCOPE,
        "category": [_CATEGORY],
        "patient": {"identifier": {"system": f"{OWN}twin", "value": grant.subject}},
        "policyRule": {"coding": [{"system": f"{OWN}policy", "code": "subject-grants"}]},
        "provision": _provision(grant),
    }
    found |= {} if given is None else {"dateTime": iso(given)}
    return found | ({} if grant.by is None else {"performer": [{"identifier": _actor(grant.by)}]})


def _provision(grant: Grant) -> dict[str, Any]:
    ends = {"start": grant.since, "end": grant.until}
    period = {name: iso(when) for name, when in ends.items() if when is not None}
    found: dict[str, Any] = {
        "type": "permit",
        "actor": [{"role": _RECIPIENT, "reference": {"identifier": _actor(grant.to)}}],
        "action": [_action(verb) for verb in grant.verbs],
        "purpose": _purposes(grant.purpose),
        "code": [{"coding": [{"system": f"{OWN}signal", "code": signal}]} for signal in grant.signals],
    }
    extensions = [*(_bound(signal, most) for signal, most in grant.bounds.items()), *_terms(grant)]
    found |= {"period": period} if period else {}
    return found | ({"extension": extensions} if extensions else {})


def _actor(name: str) -> dict[str, str]:
    return {"system": f"{OWN}actor", "value": name}


def _action(verb: str) -> dict[str, Any]:
    codings = [{"system": f"{TERMS}consentaction", "code": ACTIONS[verb]}, {"system": f"{OWN}verb", "code": verb}]
    return {"coding": codings}


def _purposes(purpose: str) -> list[dict[str, str]]:
    reason = REASONS.get(purpose_word(purpose))
    own = {"system": DPV, "code": purpose_iri(purpose)}
    return [own] if reason is None else [own, {"system": f"{TERMS}v3-ActReason", "code": reason}]


def _bound(signal: str, most: float) -> dict[str, Any]:
    parts = [{"url": "signal", "valueString": signal}, {"url": "most", "valueDecimal": most}]
    return {"url": f"{OWN}bound", "extension": parts}


def _terms(grant: Grant) -> list[dict[str, Any]]:
    found = [{"url": f"{OWN}hours", "valueString": grant.hours}] if grant.hours else []
    return found + ([{"url": f"{OWN}onward", "valueInteger": grant.onward}] if grant.onward else [])


def from_fhir(resource: Resource, subject: str) -> tuple[Grant, bool]:
    """Return what a Consent about *subject* grants, and whether it does so still (`status` active).

    Raises `BadInput`, naming the element, for what a grant cannot say: a `deny`, nested provisions, several actors or
    purposes, actions and codes that are unknown here. Nothing is left out in silence.
    """
    _require(resource, "resourceType", "Consent")
    status = resource.get("status")
    if status not in ("active", "inactive"):
        raise BadInput(f"a consent with status {status!r} grants nothing; possible: active, inactive", field="status")
    named = _value(resource, "patient.identifier.value")
    if named != subject:
        raise BadInput(f"the consent is about {named!r}, not {subject!r}", field="patient")
    provision = resource.get("provision", {})
    _simple(provision)
    period = provision.get("period", {})
    grant = Grant(
        subject,
        str(_value(_only(provision, "actor"), "reference.identifier.value")),
        _purpose(provision),
        tuple(_coded(action, f"{OWN}verb", "action", VERBS) for action in _several(provision, "action")),
        tuple(_coded(code, f"{OWN}signal", "code", None) for code in _several(provision, "code")),
        until=_moment(period, "end"),
        since=_moment(period, "start"),
        bounds=_bounds(provision),
        id=next((str(i["value"]) for i in resource.get("identifier", ()) if i.get("system") == f"{OWN}grant"), ""),
        hours=_extension(provision, "hours", "valueString"),
        onward=int(_extension(provision, "onward", "valueInteger") or 0),
    )
    return grant, status == "active"


def _simple(provision: Mapping[str, Any]) -> None:
    _require(provision, "type", "permit", "provision.type")
    for name in ("provision", "securityLabel", "class", "dataPeriod", "data"):
        if provision.get(name):
            raise BadInput("a grant cannot say this; leave it out or grant by hand", field=f"provision.{name}")
    known = {f"{OWN}{name}" for name in ("bound", "hours", "onward")}
    for extension in [*provision.get("extension", ()), *provision.get("modifierExtension", ())]:
        if extension.get("url") not in known:
            raise BadInput(f"unknown extension {extension.get('url')!r}", field="provision.extension")


def _require(found: Mapping[str, Any], name: str, wanted: str, path: str | None = None) -> None:
    if found.get(name) != wanted:
        raise BadInput(f"{found.get(name)!r} is found where {wanted!r} is possible", field=path or name)


def _several(found: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = found.get(name) or ()
    if not entries:
        raise BadInput("nothing is named; a grant names each of its terms", field=f"provision.{name}")
    return entries


def _only(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    entries = _several(found, name)
    if len(entries) > 1:
        raise BadInput(f"{len(entries)} are named; a grant is for one", field=f"provision.{name}")
    return entries[0]


def _value(found: Mapping[str, Any], path: str) -> object:
    here: Any = found
    for part in path.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    if not here:
        raise BadInput(f"{path} is missing", field=path)
    return here


def _purpose(provision: Mapping[str, Any]) -> str:
    own = [coding["code"] for coding in _several(provision, "purpose") if coding.get("system") == DPV]
    back = {code: word for word, code in REASONS.items()}
    own = own or [back[c["code"]] for c in provision["purpose"] if c.get("code") in back]
    if len(own) != 1:
        raise BadInput(
            f"{len(own)} purposes that are known here are named; a grant is for one", field="provision.purpose"
        )
    return purpose_word(str(own[0]))


def _coded(concept: Mapping[str, Any], system: str, name: str, possible: Sequence[str] | None) -> str:
    codes = [str(coding.get("code")) for coding in concept.get("coding", ()) if coding.get("system") == system]
    if len(codes) != 1 or (possible is not None and codes[0] not in possible):
        choice = f" of {', '.join(possible)}" if possible else ""
        raise BadInput(f"one code{choice} in the system {system} is needed; found {codes}", field=f"provision.{name}")
    return codes[0]


def _moment(period: Mapping[str, Any], name: str) -> Time | None:
    return time_of(period[name], what=f"provision.period.{name}") if name in period else None


def _bounds(provision: Mapping[str, Any]) -> dict[str, float]:
    found = [e["extension"] for e in provision.get("extension", ()) if e.get("url") == f"{OWN}bound"]
    pairs = [{part["url"]: part for part in parts} for parts in found]
    return {str(p["signal"]["valueString"]): float(p["most"]["valueDecimal"]) for p in pairs}


def _extension(provision: Mapping[str, Any], name: str, kind: str) -> Any:
    found = (extension for extension in provision.get("extension", ()) if extension.get("url") == f"{OWN}{name}")
    return next((extension[kind] for extension in found), None)
