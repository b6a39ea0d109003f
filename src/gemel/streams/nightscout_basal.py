"""The basal rate from Nightscout: profiles, profile switches, temporary rates, suspends."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from gemel.errors import BadInput
from gemel.facts import MINUTE, Time
from gemel.streams.basal import Schedule, Temporary
from gemel.streams.clock import LATEST, LocalClock, moment, plausible, zone
from gemel.streams.contract import Place
from gemel.streams.nightscout_docs import Document, text, time_of
from gemel.streams.reading import amount, number
from gemel.streams.report import Report

TEMPORARY = ("Temp Basal", "Temp Basal Start", "Temp Basal End", "TempBasal")
SUSPENDED = ("Suspend Pump", "Resume Pump")
SWITCH = "Profile Switch"


def temporary(document: Document, clock: tzinfo | None) -> Temporary:
    """Return the temporary rate of a treatment; a duration of zero, a resume or an end cancels the one before."""
    start, place = time_of(document, clock), document.by
    minutes = minutes_of(document)
    if document.event in SUSPENDED:
        rate = 0.0 if document.event == SUSPENDED[0] else None
        return Temporary(start, _end(start, minutes) if rate is not None else start, rate, None, document.id, place)
    rate, percent = _first_rate(document), document.number("percent")
    if rate is None and percent is None:
        return Temporary(start, start, None, None, document.id, place)
    if minutes is None:
        raise place.at("duration").bad("a temporary basal rate needs a duration in minutes")
    if percent is not None and percent < -100:
        raise place.at("percent").bad(f"{percent:g} is less than -100, which is no insulin at all")
    fraction = None if percent is None or rate is not None else 1 + percent / 100
    return Temporary(start, _end(start, minutes), rate, fraction, document.id, place)


def _first_rate(document: Document) -> float | None:
    absolute = amount(document.fields.get("absolute"), document.by.at("absolute"))
    return amount(document.fields.get("rate"), document.by.at("rate")) if absolute is None else absolute


def minutes_of(document: Document) -> float | None:
    """Return for how long a treatment holds, in minutes; None where it does not say."""
    exact = amount(document.fields.get("durationInMilliseconds"), document.by.at("durationInMilliseconds"))
    plain = amount(document.fields.get("duration"), document.by.at("duration"))
    return exact / MINUTE if exact is not None else plain


def _end(start: Time, minutes: float | None) -> Time:
    return LATEST if minutes is None else min(start + round(min(minutes, 1e9) * MINUTE), LATEST)


def schedules(
    profiles: Sequence[Document], switches: Sequence[Document], clock: tzinfo | None, report: Report
) -> list[Schedule]:
    """Return which schedule held from when: the default of each profile record, and each switch."""
    found = [plan for document in profiles for plan in _default(document, clock)]
    stores = [_store(document) for document in profiles]
    for document in sorted(switches, key=lambda switch: time_of(switch, clock)):
        found += _switched(document, stores, found, clock, report)
    return found


def _default(document: Document, clock: tzinfo | None) -> Iterator[Schedule]:
    store, name = _store(document), text(document, "defaultProfile")
    chosen = store.get(name) if name else next(iter(store.values()), None)
    if chosen is None:
        place = document.by.at("defaultProfile")
        raise place.bad(f"profile {name!r} is not in its store: {', '.join(store) or 'empty'}")
    if chosen.get("basal"):
        yield _schedule(chosen, _start(document, clock), document.by, clock)


def _start(document: Document, clock: tzinfo | None) -> Time:
    """Return from when a profile holds; sites that never changed theirs write 1970, which is fine here."""
    start = document.fields.get("startDate")
    if isinstance(start, str) and start[:4] == "1970":
        return 0
    if isinstance(start, str) and start:
        return moment(start, document.by.at("startDate"), LocalClock(clock))
    if start is not None and start != "":
        return plausible(number(start, document.by.at("startDate")) or 0.0, document.by.at("startDate"))
    return time_of(document, clock)


def _store(document: Document) -> dict[str, Mapping[str, Any]]:
    store = document.fields.get("store")
    if not isinstance(store, dict) or not all(isinstance(one, dict) for one in store.values()):
        raise document.by.at("store").bad("is no set of profiles by name")
    return store


def _switched(
    document: Document,
    stores: Sequence[Mapping[str, Mapping[str, Any]]],
    before: Sequence[Schedule],
    clock: tzinfo | None,
    report: Report,
) -> list[Schedule]:
    """Return the schedule that a switch starts and, if it is for a time, the one that it goes back to."""
    chosen, start = _chosen(document, stores), time_of(document, clock)
    if chosen is None or not chosen.get("basal") or document.number("timeshift"):
        report.warn("a profile switch is skipped: its profile is not here, or is shifted in time")
        return []
    percent = amount(document.fields.get("percentage"), document.by.at("percentage"))
    plan = _schedule(chosen, start, document.by, clock)
    switched = [replace(plan, rates=tuple(rate * (100 if percent is None else percent) / 100 for rate in plan.rates))]
    held = max((old for old in before if old.start <= start), key=lambda old: old.start, default=None)
    minutes = minutes_of(document)
    return [*switched, replace(held, start=_end(start, minutes))] if minutes and held else switched


def _chosen(document: Document, stores: Sequence[Mapping[str, Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    inline, name = text(document, "profileJson"), text(document, "profile")
    if inline is not None:
        try:
            found = json.loads(inline)
        except (ValueError, RecursionError):
            raise document.by.at("profileJson").bad("is not JSON") from None
        return found if isinstance(found, dict) else None
    return next((store[name] for store in reversed(stores) if name in store), None) if name else None


def _schedule(profile: Mapping[str, Any], start: Time, by: Place, clock: tzinfo | None) -> Schedule:
    place, rows = by.at("basal"), profile["basal"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise place.bad("is no list of times and values")
    entries = sorted({_second(row, place): _rate(row, place) for row in rows}.items())
    seconds, rates = zip(*entries, strict=True)
    return Schedule(start, seconds, rates, _zone(profile, by, clock), by)


def _zone(profile: Mapping[str, Any], by: Place, clock: tzinfo | None) -> tzinfo:
    named = profile.get("timezone")
    if isinstance(named, str) and named:
        return zone(named, by.at("timezone"))
    if clock is None:
        raise by.at("timezone").bad("the profile names no time zone: say which timezone= it is in")
    return clock


def _rate(row: Mapping[str, Any], place: Place) -> float:
    rate = amount(row.get("value"), place)
    if rate is None:
        raise place.bad("has an entry without a value")
    return rate


def _second(row: Mapping[str, Any], place: Place) -> int:
    """Return seconds after midnight, from "HH:MM" or else `timeAsSeconds`."""
    shown = row.get("time")
    try:
        if isinstance(shown, str):
            hours, minutes = (int(part) for part in shown.split(":")[:2])
            found: float = hours * 3600 + minutes * 60
        else:
            found = number(row.get("timeAsSeconds"), place) or 0.0
    except BadInput:
        raise
    except ValueError:
        found = math.nan
    if not 0 <= found < 86400:
        raise place.bad(f"{shown!r} is no time of day")
    return int(found)
