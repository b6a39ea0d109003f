"""FHIR R4 for other programs: readings, what was given, the summary of the sensor's record, the care plan, as one Bundle.

Codes of the sensor's readings and summary are those of HL7's guide on continuous glucose monitoring (hl7.org/fhir/uv/cgm, STU 1).
Devices have a text and no code. Nothing here was validated against that guide's profiles.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from gemel.bank import Twin
from gemel.consent.fhir import OWN
from gemel.errors import BadInput, Refused
from gemel.facts import Time, iso
from gemel.packs.diabetes.reports.agp import RANGES, Agp, agp, in_full
from gemel.packs.diabetes.reports.look import MGDL, Unit
from gemel.packs.diabetes.reports.seen import doses, glucose
from gemel.packs.diabetes.reports.words import setting

Resource = dict[str, Any]

LOINC, UCUM, ATC = "http://loinc.org", "http://unitsofmeasure.org", "http://www.whocc.no/atc"
READING = {"mg/dL": "99504-3", "mmol/L": "105272-9"}
MEAN = {"mg/dL": "97507-8", "mmol/L": "105273-7"}
SUMMARY, IN_RANGES, GMI, CV, WORN, ACTIVE = "107931-8", "106793-3", "97506-0", "104638-2", "104636-6", "104637-4"
PARTS = dict(zip(RANGES, ("104642-4", "104641-6", "97510-2", "104640-8", "104639-0"), strict=True))
"""From very low to very high: the components of the times in ranges."""

SIGNALS = {
    "heart_rate": ("8867-4", "vital-signs", "beats/min", "/min"),
    "steps": ("55423-8", "activity", "steps", "{steps}"),
}
"""Code, category, unit for people and for programs of what the watch says."""

DEVICES = {"sensor": "Continuous glucose sensor", "pump": "Insulin pump", "watch": "Activity tracker"}


def bundle(twin: Twin, since: Time, until: Time, zone: tzinfo, unit: Unit = MGDL) -> Resource:
    """Return what a reader may see of a period as a Bundle of type collection; raise `Refused` where it is not glucose.

    What else they may not see is left out, and an OperationOutcome in the Bundle says so. The patient has a pseudonym.
    """
    if not {"glucose"} <= set(twin.type.signals):
        raise BadInput(
            f"{twin.id} is a {twin.type.name}: `gemel fhir` writes twins that read glucose; `gemel takeout` writes any"
        )
    patient = pseudonym(twin)
    kept, hidden, used = [], [], set()
    sources: Sequence[tuple[str, str, Callable[[], Iterator[Resource]]]] = (
        ("glucose", "sensor", lambda: _glucose(twin, since, until, zone, unit)),
        ("heart_rate", "watch", lambda: _watched(twin, "heart_rate", since, until)),
        ("steps", "watch", lambda: _watched(twin, "steps", since, until)),
        ("carbs", "", lambda: _carbs(twin, since, until)),
        ("bolus", "pump", lambda: _boluses(twin, since, until)),
        ("basal", "pump", lambda: _basal(twin, since, until)),
        ("plan", "", lambda: _plans(twin)),
    )
    for name, device, made in sources:
        try:
            found = [_about(resource, patient, device) for resource in made()]
        except Refused as refusal:
            if name == "glucose":
                raise
            hidden.append(str(refusal))
            continue
        kept += found
        used |= {device} if found and device else set()
    begin = [_patient(patient), *(_device(patient, name) for name in DEVICES if name in used)]
    entries = [{"fullUrl": url(one), "resource": one} for one in (*begin, *kept, *_outcome(hidden))]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": iso(twin.bank.now()), "entry": entries}


def left_out(made: Resource) -> list[str]:
    """Return why parts of a Bundle are not in it."""
    found = [entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == "OperationOutcome"]
    return [issue["diagnostics"] for one in found for issue in one["issue"]]


def pseudonym(twin: Twin) -> str:
    """Return a name for the twin that only this store can work out: a digest of its signature."""
    signed = twin.bank.thread.sign(f"gemel:patient|{twin.id}".encode())
    return hashlib.sha256(str(signed).encode()).hexdigest()[:32]


def url(resource: Mapping[str, Any]) -> str:
    """Return by what the other resources of the Bundle refer to one."""
    return f"{OWN}{resource['resourceType']}:{resource['id']}"


def _about(resource: Resource, patient: str, device: str) -> Resource:
    """Return a resource with whom it is about, and the device that says so."""
    resource["subject"] = {"reference": f"{OWN}Patient:{patient}"}
    if device:
        reference = {"reference": f"{OWN}Device:{device}"}
        resource["device"] = [reference] if resource["resourceType"] == "MedicationAdministration" else reference
    return resource


def _patient(patient: str) -> Resource:
    return {"resourceType": "Patient", "id": patient, "identifier": [{"system": f"{OWN}pseudonym", "value": patient}]}


def _device(patient: str, name: str) -> Resource:
    return {
        "resourceType": "Device", "id": name, "type": {"text": DEVICES[name]},
        "deviceName": [{"name": DEVICES[name], "type": "user-friendly-name"}],
        "patient": {"reference": f"{OWN}Patient:{patient}"},
    }  # fmt: skip


def _outcome(hidden: Sequence[str]) -> list[Resource]:
    issues = [{"severity": "information", "code": "suppressed", "diagnostics": one} for one in hidden]
    return [{"resourceType": "OperationOutcome", "id": "not-shown", "issue": issues}] if issues else []


def observation(id: str, code: str, category: str, when: Mapping[str, Any], value: Mapping[str, Any]) -> Resource:
    """Return an Observation by its LOINC code; *when* and *value* are elements of it."""
    return {
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code}]}, **when, **value,
    }  # fmt: skip


def quantity(value: float, unit: str, code: str | None = None) -> Resource:
    """Return a UCUM quantity; *unit* is for people."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code or unit}


def _at(at: Time) -> Resource:
    return {"effectiveDateTime": iso(at)}


def _glucose(twin: Twin, since: Time, until: Time, zone: tzinfo, unit: Unit) -> Iterator[Resource]:
    at, values = glucose(twin, since, until)
    for when, value in zip(at.tolist(), unit.of(values).tolist(), strict=True):
        said = quantity(round(value, unit.digits + 1), unit.name)
        yield observation(f"glucose-{when}", READING[unit.name], "laboratory", _at(when), {"valueQuantity": said})
    if len(at):
        yield from summary(agp(at, values, since, until, zone), unit)


def summary(found: Agp, unit: Unit) -> Iterator[Resource]:
    """Return the summary of a period: mean, times in ranges, GMI, CV, days of wear, time active, and what holds them together."""
    when = {"effectivePeriod": {"start": iso(found.since), "end": iso(found.until)}}

    def one(name: str, code: str, value: Mapping[str, Any]) -> Resource:
        return observation(f"summary-{name}", code, "laboratory", when, value)

    def percent(value: float) -> Resource:
        return {"valueQuantity": quantity(round(value, 1), "%")}

    shares = zip(RANGES, in_full(found.ranges), strict=True)
    parts = [{"code": {"coding": [{"system": LOINC, "code": PARTS[name]}]}, **percent(share)} for name, share in shares]
    mean = quantity(round(found.values["mean"] / unit.mgdl, unit.digits + 1), unit.name)
    members = [
        one("mean", MEAN[unit.name], {"valueQuantity": mean}), one("ranges", IN_RANGES, {"component": parts}),
        one("gmi", GMI, percent(found.values["gmi"])), one("cv", CV, percent(found.values["cv"])),
        one("worn", WORN, {"valueQuantity": quantity(found.worn, "days", "d")}),
        one("active", ACTIVE, percent(100 * found.active)),
    ]  # fmt: skip
    yield from members
    yield one("whole", SUMMARY, {"hasMember": [{"reference": url(member)} for member in members]})


def _watched(twin: Twin, signal: str, since: Time, until: Time) -> Iterator[Resource]:
    code, category, unit, ucum = SIGNALS[signal]
    for reading in twin.readings(signal, since, until):
        said = {"valueQuantity": quantity(reading.value, unit, ucum)}
        yield observation(f"{signal.replace('_', '-')}-{reading.at}", code, category, _at(reading.at), said)


def _carbs(twin: Twin, since: Time, until: Time) -> Iterator[Resource]:
    for name, at, grams in _named("carbs", doses(twin, "carbs", since, until)):
        made = observation(name, "", "activity", _at(at), {"valueQuantity": quantity(grams, "g")})
        yield made | {
            "code": {"coding": [{"system": f"{OWN}signal", "code": "carbs"}], "text": "Carbohydrate announced"}
        }


def _boluses(twin: Twin, since: Time, until: Time) -> Iterator[Resource]:
    for name, at, amount in _named("bolus", doses(twin, "bolus", since, until)):
        yield _insulin(name, _at(at), {"dose": quantity(amount, "U", "[iU]")})


def _named(lever: str, given: Sequence[tuple[Time, float]]) -> Iterator[tuple[str, Time, float]]:
    """Yield an id, a time and an amount for each dose: the id is the same whatever period is written."""
    times = Counter[Time]()
    for at, amount in given:
        times[at] += 1
        yield f"{lever}-{at}" + (f"-{times[at]}" if times[at] > 1 else ""), at, amount


def _basal(twin: Twin, since: Time, until: Time) -> Iterator[Resource]:
    """Return each rate that held in the period, from when until when it held; the same rate said again goes on.

    The last rate on record has no end: nothing says how long it held.
    """
    rates = doses(twin, "basal", None, twin.bank.now() + 1)
    changed = [pair for k, pair in enumerate(rates) if k == 0 or pair[1] != rates[k - 1][1]]
    ends = [*(at for at, _ in changed[1:]), None][: len(changed)]
    for (at, rate), end in zip(changed, ends, strict=True):
        if at < until and (end is None or end > since):
            yield _held(at, end, quantity(rate, "U/h", "[iU]/h"))


def _held(at: Time, end: Time | None, rate: Resource) -> Resource:
    period = {"start": iso(at)} | ({} if end is None else {"end": iso(end)})
    made = _insulin(f"basal-{at}", {"effectivePeriod": period}, {"rateQuantity": rate})
    return made if end is not None else made | {"status": "in-progress"}


def _insulin(id: str, when: Mapping[str, Any], dosage: Mapping[str, Any]) -> Resource:
    return {
        "resourceType": "MedicationAdministration", "id": id, "status": "completed",
        "medicationCodeableConcept": {"coding": [{"system": ATC, "code": "A10A"}], "text": "Insulin"}, **when,
        "dosage": dict(dosage),
    }  # fmt: skip


def _plans(twin: Twin) -> Iterator[Resource]:
    plan, ports = twin.plan(), twin.type.settings
    if plan.settings or plan.notes:
        yield _care_plan("in-force", "active", "plan", ports, plan.settings, plan.notes)
    for change in plan.open:
        made = _care_plan(f"change-{change.seq}", "draft", "proposal", ports, change.settings, change.notes)
        yield made | ({"description": change.why} if change.why else {})


def _care_plan(
    id: str, status: str, intent: str, ports: Mapping[str, Any], settings: Mapping[str, Any], notes: Mapping[str, str]
) -> Resource:
    lines = [f"{ports[name].label or name}: {setting(value)} {ports[name].unit}" for name, value in settings.items()]
    lines += [f"{section}: {text}" for section, text in notes.items()]
    doing = "in-progress" if status == "active" else "not-started"
    return {
        "resourceType": "CarePlan", "id": f"plan-{id}", "status": status, "intent": intent, "title": "Shared care plan",
        "activity": [{"detail": {"status": doing, "description": line}} for line in lines],
    }  # fmt: skip
