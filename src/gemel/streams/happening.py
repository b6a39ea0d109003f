"""Events of cases as JSON: {"case": "4711", "phase": "started", "activity": "triage", "resource": "desk 2", "at": …}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemel.dynamics import PHASES, Event
from gemel.errors import unknown
from gemel.facts import Time
from gemel.streams.contract import Item, Place, told


def tells(content: Mapping[str, Any]) -> bool:
    """Return whether a JSON object tells an event rather than a reading."""
    return "phase" in content


def happened(content: Mapping[str, Any], at: Time, source_id: str | None, by: Place) -> Item:
    """Return the item of a JSON object with `case`, `phase`, and, where there are any, `activity`, `resource`, `attributes`."""
    phase = _text(content, "phase", by)
    if phase not in PHASES:
        raise by.at("phase").bad(unknown("phase", phase, PHASES).problem)
    case, activity, resource = (_text(content, name, by) for name in ("case", "activity", "resource"))
    if not case and phase not in ("down", "up"):
        raise by.at("case").bad("is missing")
    return told(Event(case, phase, at, activity, resource, _attributes(content, by)), source_id, by)


def _text(content: Mapping[str, Any], name: str, by: Place) -> str:
    found = content.get(name, "")
    if not isinstance(found, str):
        raise by.at(name).bad("is not a text")
    return found


def _attributes(content: Mapping[str, Any], by: Place) -> dict[str, str | float]:
    found = content.get("attributes") or {}
    fits = isinstance(found, dict) and all(
        isinstance(value, (str, int, float)) and not isinstance(value, bool) for value in found.values()
    )
    if not fits:
        raise by.at("attributes").bad("is not an object of texts and numbers")
    return {str(name): value if isinstance(value, str) else float(value) for name, value in found.items()}
