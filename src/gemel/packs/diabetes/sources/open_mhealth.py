"""Open mHealth data points (IEEE 1752.1): blood-glucose, heart-rate, step-count, as JSON.

Source: the public schemas of Open mHealth: a header with `schema_id`, a body with the value and
`effective_time_frame`; a body may come alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, SECOND, Time
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.rates import Bins
from gemel.packs.diabetes.sources.records import member, positive, text, when
from gemel.packs.diabetes.sources.sheet import unused
from gemel.packs.diabetes.sources.words import GLUCOSE, metered
from gemel.streams.contract import Item, Place, Source
from gemel.streams.reading import json_of, text_of
from gemel.streams.report import Report

BODIES = ("blood_glucose", "heart_rate", "step_count")
_LENGTHS = {"sec": SECOND, "min": MINUTE, "h": HOUR, "d": DAY}


def open_mhealth(path: str | Path, timezone: str | None = None) -> Source:
    """Return what Open mHealth data points say: `glucose`, `heart_rate`, `steps` (shared out over 5 min).

    The file is a list of them, one, or one per line. Averages and other statistics are left out.
    """
    return one_file(path, timezone, "open-mhealth", _items)


def points_of(path: Path) -> list[Any]:
    """Return the records of a JSON file that is a list, one record, or a record per line."""
    try:
        found = json_of(path)
    except BadInput:
        lines = text_of(path).splitlines()
        try:
            return [json.loads(line) for line in lines if line.strip()]
        except (ValueError, RecursionError):
            pass
        raise
    return found if isinstance(found, list) else [found]


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    steps = Bins("steps", "step", True, "open-mhealth")
    known = 0
    for row, point in enumerate(points_of(path), 1):
        by = Place(str(path), row)
        body = member(point, "body") or point
        if not isinstance(body, Mapping):
            raise by.bad("is no data point: an object with a header and a body, or a body")
        kind = next((name for name in BODIES if name in body), None)
        known += kind is not None
        if kind is None or body.get("descriptive_statistic") not in (None, "latest"):
            unused(
                report, text(member(point, "header", "schema_id", "name")) if kind is None else f"a statistic of {kind}"
            )
        else:
            yield from _said(kind, body, _id(point), by, zone, steps, report)
    if not known:
        raise BadInput(f"holds no data points of {', '.join(BODIES)}", file=str(path))
    yield from steps.items(report)


def _id(point: Any) -> str | None:
    return text(member(point, "header", "uuid")) or text(member(point, "header", "id")) or None


def _said(
    kind: str, body: Mapping[str, Any], named: str | None, by: Place, zone: tzinfo | None, steps: Bins, report: Report
) -> Iterator[Item]:
    start, end = _span(body, by, zone)
    place = by.at(kind)
    value = positive(member(body, kind, "value") if isinstance(body[kind], Mapping) else body[kind], place)
    if value is None:
        raise place.bad("has no value")
    unit = text(member(body, kind, "unit"))
    if kind == "step_count":
        steps.add(start, end, value, "", place, report)
    elif kind == "heart_rate":
        if unit and unit != "beats/min":
            raise place.bad(f"a heart rate in {unit[:20]!r}: only beats/min is known")
        yield Item("heart_rate", value, "bpm", end, named, place)
    elif unit.lower() not in GLUCOSE:
        raise place.bad(f"{unit[:20]!r} is no unit of glucose: mg/dL or mmol/L")
    else:
        yield metered(Item("glucose", value, GLUCOSE[unit.lower()], end, named, place), report)


def _span(body: Mapping[str, Any], by: Place, zone: tzinfo | None) -> tuple[Time, Time]:
    """Return the time frame: a moment, or two of start, end and duration."""
    frame, field = body.get("effective_time_frame"), by.at("effective_time_frame")
    if member(frame, "date_time") is not None:
        at = when(member(frame, "date_time"), field, zone)
        return at, at
    start, end = (member(frame, "time_interval", name) for name in ("start_date_time", "end_date_time"))
    length = _length(member(frame, "time_interval", "duration"), field)
    if start is not None and (end is not None or length is not None):
        first = when(start, field, zone)
        return first, first + (length or 0) if end is None else when(end, field, zone)
    if end is not None and length is not None:
        last = when(end, field, zone)
        return last - length, last
    raise field.bad("names no moment: date_time, or two of start_date_time, end_date_time and duration")


def _length(value: Any, place: Place) -> Time | None:
    if value is None:
        return None
    amount, unit = positive(member(value, "value"), place), text(member(value, "unit"))
    if amount is None or unit not in _LENGTHS or amount * _LENGTHS[unit] > 10 * DAY:
        raise place.bad(f"is no duration: a number of {', '.join(_LENGTHS)}, ten days at most")
    return round(amount * _LENGTHS[unit])
