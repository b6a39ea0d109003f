"""FHIR bundles (R4, R4B, R5): observations of glucose, heart rate, steps and carbohydrates, insulin that was given.

Sources: FHIR's Observation and MedicationAdministration (hl7.org/fhir), HL7's guide on continuous glucose monitoring
(hl7.org/fhir/uv/cgm), LOINC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.facts import Time
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.open_mhealth import points_of
from gemel.packs.diabetes.sources.rates import Bins
from gemel.packs.diabetes.sources.records import member, positive, text, when
from gemel.packs.diabetes.sources.sheet import unused
from gemel.packs.diabetes.sources.words import GLUCOSE, metered
from gemel.streams.contract import Item, Place, Source
from gemel.streams.long_acting import is_long_acting
from gemel.streams.report import Report

LOINC = {
    "2339-0": "glucose", "15074-8": "glucose", "14745-4": "glucose", "2345-7": "glucose", "99504-3": "glucose",
    "105272-9": "glucose", "41653-7": "glucose", "8867-4": "heart_rate", "55423-8": "steps", "41950-7": "steps",
    "9059-7": "carbs",
}  # fmt: skip
"""Which signal an observation tells, by its code: glucose in blood, serum, capillary blood, interstitial fluid."""

_OWN = ("urn:gemel:signal", "carbs")
"""System and code of carbohydrates that were announced, as Gemel writes them: there is no LOINC code for that."""

_UNITS = {
    "glucose": GLUCOSE,
    "heart_rate": dict.fromkeys(("/min", "{beats}/min", "beats/minute", "beats/min", "bpm", "1/min"), "bpm"),
    "steps": dict.fromkeys(("", "1", "{steps}", "steps", "step", "{#}", "/d", "{steps}/d", "steps/day"), "step"),
    "carbs": {"g": "g", "gram": "g", "grams": "g"},
}
_UNITS_OF_INSULIN = ("u", "[iu]", "iu", "unit", "units", "[u]")
_GONE = ("entered-in-error",)
_NEVER = ("cancelled", "not-done", "stopped", "registered", "unknown", "on-hold")


def fhir(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a bundle, a resource, or a file with one per line says of one person.

    `glucose`, `heart_rate`, `steps` and `carbs` come from observations, `bolus` and `basal` from MedicationAdministration.
    What was entered in error is taken back. Times without a time of day are left out.
    """
    return one_file(path, timezone, "fhir", _items)


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    steps, people, known = Bins("steps", "step", True, "fhir"), set[str](), 0
    for row, resource in enumerate(_resources(points_of(path)), 1):
        by, kind = Place(str(path), row), member(resource, "resourceType")
        if kind in ("Observation", "MedicationAdministration"):
            known += 1
            people.add(text(member(resource, "subject", "reference")))
            read = _observed if kind == "Observation" else _given
            yield from read(resource, by, zone, steps, report)
        elif kind not in ("Patient", "Device", None):
            unused(report, f"a resource {text(kind)}")
    if len(people - {""}) > 1:
        raise BadInput(f"is about {len(people - {''})} people: bring a bundle of one", file=str(path), field="subject")
    if not known:
        raise BadInput("holds no Observation and no MedicationAdministration", file=str(path))
    yield from steps.items(report)


def _resources(found: list[Any]) -> Iterator[Any]:
    for one in found:
        entries = member(one, "entry") if member(one, "resourceType") == "Bundle" else None
        if isinstance(entries, list):
            yield from _resources([member(entry, "resource") for entry in entries])
        else:
            yield one


def _codes(concept: Any) -> list[str]:
    """Return the codes, displays and text of a concept."""
    codings = member(concept, "coding")
    found = [
        text(member(one, name))
        for one in (codings if isinstance(codings, list) else [])
        for name in ("code", "display")
    ]
    return [word for word in (*found, text(member(concept, "text"))) if word]


def _span(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> tuple[Time, Time] | None:
    """Return from when until when something was so, None where no time of day is told."""
    for field in ("effectiveDateTime", "effectiveInstant", "occurenceDateTime", "occurrenceDateTime"):
        if one.get(field) is not None:
            ends = (one[field], one[field])
            break
    else:
        period, field = next(
            ((one[name], name) for name in ("effectivePeriod", "occurencePeriod") if name in one), (None, "effective")
        )
        ends = (member(period, "start"), member(period, "end") or member(period, "start"))
    if any(not isinstance(end, str) or "T" not in end for end in ends):
        report.warn("a resource that does not say when, to the minute: not used")
        return None
    return when(ends[0], by.at(field), zone), when(ends[1], by.at(field), zone)


def _name(one: Mapping[str, Any]) -> str | None:
    return text(one.get("id")) or None


def _signal(concept: Any) -> str | None:
    codings = member(concept, "coding")
    if isinstance(codings, list) and any((member(c, "system"), member(c, "code")) == _OWN for c in codings):
        return "carbs"
    return next((LOINC[code] for code in _codes(concept) if code in LOINC), None)


def _observed(one: Mapping[str, Any], by: Place, zone: tzinfo | None, steps: Bins, report: Report) -> Iterator[Item]:
    signal = _signal(one.get("code"))
    span = None if signal is None else _span(one, by, zone, report)
    if signal is None or one.get("status") in _NEVER:
        unused(
            report,
            "an observation of something else" if signal is None else f"an observation {text(one.get('status'))}",
        )
        return
    if span is None:
        return
    if "valueSampledData" in one:
        yield from _sampled(one, signal, span[0], by.at("valueSampledData"), report)
        return
    place = by.at("valueQuantity")
    value = positive(member(one, "valueQuantity", "value"), place)
    gone = one.get("status") in _GONE
    if value is None:
        unused(report, f"an observation of {signal} without a value")
        return
    unit = _unit(member(one, "valueQuantity"), signal, place)
    if signal == "steps" and not gone:
        steps.add(*span, value, "", place, report)
    elif signal != "steps" and (not gone or _name(one)):
        item = Item(signal, value, unit, span[1], _name(one), place, retracted=gone)
        yield metered(item, report) if signal == "glucose" else item


def _unit(quantity: Any, signal: str, place: Place) -> str:
    known = _UNITS[signal]
    said = [text(member(quantity, name)) for name in ("code", "unit")]
    for word in said:
        if word and word.lower() in known:
            return known[word.lower()]
    if not any(said) and "" in known:
        return known[""]
    raise place.bad(f"{signal} in {(said[0] or said[1])[:20]!r}: known are {', '.join(dict.fromkeys(known.values()))}")


def _sampled(one: Mapping[str, Any], signal: str, start: Time, place: Place, report: Report) -> Iterator[Item]:
    """Yield the values of sampled data: origin + factor × each, *period* ms apart; E, L and U are no values."""
    data = one["valueSampledData"]
    origin, factor = (positive(member(data, *path), place) for path in (("origin", "value"), ("factor",)))
    period = positive(member(data, "period") or member(data, "interval"), place)
    if signal == "steps" or period is None or text(member(data, "intervalUnit")) not in ("", "ms"):
        raise place.bad("samples need a period in ms, and are of glucose or heart rate")
    unit = _unit(member(data, "origin"), signal, place)
    for k, word in enumerate(text(member(data, "data")).split()):
        if word in ("E", "L", "U"):
            report.warn("a sample that is an error or off the scale: not used")
            continue
        value = positive(word, place)
        assert value is not None
        named = None if _name(one) is None else f"{_name(one)}+{k}"
        yield Item(
            signal,
            (origin or 0.0) + (1.0 if factor is None else factor) * value,
            unit,
            start + round(k * period),
            named,
            place,
        )


def _given(one: Mapping[str, Any], by: Place, zone: tzinfo | None, steps: Bins, report: Report) -> Iterator[Item]:
    words = _codes(one.get("medicationCodeableConcept") or member(one, "medication", "concept"))
    whole = " ".join(words).lower()
    if "insulin" not in whole and not any(word.startswith("A10A") for word in words):
        unused(report, "a medication that is no insulin")
    elif one.get("status") in _NEVER:
        unused(report, f"insulin that is {text(one.get('status'))}")
    elif is_long_acting(whole) and member(one, "dosage", "rateQuantity") is None:
        unused(report, "an injection of long-acting insulin")
    else:
        span = _span(one, by, zone, report)
        if span is not None:
            yield from _dose(one, span[0], by.at("dosage"), report)


def _dose(one: Mapping[str, Any], at: Time, place: Place, report: Report) -> Iterator[Item]:
    gone = one.get("status") in _GONE
    rate, dose = member(one, "dosage", "rateQuantity"), member(one, "dosage", "dose")
    quantity, name, unit = (rate, "basal", "U/h") if rate is not None else (dose, "bolus", "U")
    value = positive(member(quantity, "value"), place)
    said = [text(member(quantity, part)).lower() for part in ("code", "unit")]
    known = (
        [f"{word}/h" for word in _UNITS_OF_INSULIN] + ["u/hr", "units/hour", "iu/hr"]
        if rate is not None
        else _UNITS_OF_INSULIN
    )
    if value is None:
        unused(report, "insulin without an amount")
    elif not any(word in known for word in said):
        raise place.bad(f"insulin in {(said[0] or said[1])[:20]!r}: {unit} is known")
    elif not gone or _name(one):
        yield Item(name, value, unit, at, _name(one), place, retracted=gone)
