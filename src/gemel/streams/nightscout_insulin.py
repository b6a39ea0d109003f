"""How much insulin of a Nightscout treatment is a bolus: not what acts for a day, nor what filled a pump's tube.

AndroidAPS marks such doses by `isBasalInsulin` and by the `type` PRIMING. xDrip+ lists what was injected in
`insulinInjections`, as JSON in a text, and `insulin` is the sum of all of it.
"""

from __future__ import annotations

import json

from gemel.errors import BadInput
from gemel.streams.contract import Place
from gemel.streams.long_acting import is_long_acting
from gemel.streams.nightscout_docs import Document
from gemel.streams.reading import amount
from gemel.streams.report import Report

_SLOW = "long-acting insulin: not used"


def bolus_of(document: Document, whole: float | None, report: Report) -> float | None:
    """Return how much of the *whole* is a bolus in U, None or 0 where nothing is; the rest is reported.

    Of a deleted record it is the whole: all is taken back that was ever imported.
    """
    other = _other(document)
    if document.valid and other is not None:
        report.warn(other)
        return None
    return _fast(document, whole, report) if document.valid else whole


def _other(document: Document) -> str | None:
    """Return what to report of a treatment that is marked as no bolus, None where it is not."""
    if document.fields.get("isBasalInsulin") is True:
        return _SLOW
    primed = str(document.fields.get("type")).upper() == "PRIMING"
    return "insulin that primed a pump: not used" if primed else None


def _fast(document: Document, whole: float | None, report: Report) -> float | None:
    try:
        injected = _injections(document)
    except BadInput:
        report.warn("a list of injections that cannot be read: all their insulin is taken to be rapid-acting")
        return whole
    fast = [units for name, units in injected if not is_long_acting(name)]
    if len(fast) == len(injected):
        return whole or sum(fast)
    report.warn(_SLOW)
    return sum(fast)


def _injections(document: Document) -> list[tuple[str, float]]:
    """Return the name and units of each injection, none where they are not listed; raise where they cannot be read."""
    told, place = document.fields.get("insulinInjections"), document.by.at("insulinInjections")
    try:
        found = json.loads(told) if isinstance(told, str) and told.strip() else told
    except (ValueError, RecursionError):
        raise place.bad("is not JSON") from None
    if found and not isinstance(found, list):
        raise place.bad("is no list of injections")
    return [_injection(one, place) for one in found or ()]


def _injection(one: object, place: Place) -> tuple[str, float]:
    name, units = (one.get("insulin"), amount(one.get("units"), place)) if isinstance(one, dict) else (None, None)
    if not isinstance(name, str) or units is None:
        raise place.bad("has an injection without a name or without units")
    return name, units
