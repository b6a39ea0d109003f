"""Nightscout exports and sites: glucose, boluses, carbohydrates and the basal rate of one person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from gemel.errors import BadInput
from gemel.facts import MINUTE
from gemel.streams.basal import timeline
from gemel.streams.clock import zone
from gemel.streams.contract import Item, Source
from gemel.streams.nightscout_basal import SUSPENDED, SWITCH, TEMPORARY, minutes_of, schedules, temporary
from gemel.streams.nightscout_docs import Document, created, documents, files_of, newest, text, time_of
from gemel.streams.nightscout_insulin import bolus_of
from gemel.streams.reading import amount
from gemel.streams.report import Report
from gemel.streams.spread import spread

_UNITS = {"mg/dl": "mg/dL", "mgdl": "mg/dL", "mmol": "mmol/L", "mmol/l": "mmol/L"}

_ERROR_CODES = 12
"""Dexcom sensors write whole numbers up to this in place of a value: 5 not calibrated, 10 power deviation …"""

_LO, _HI, _HI_CODES = 20.0, 600.0, 605.0
"""Where the scales of meters end, mg/dL: whole numbers below stand for LO, numbers up to the last for HI."""

_AT_LO = 1.1101
"""The lower end in mmol/L, where it cannot be taken for a number in the wrong unit."""


def nightscout(*paths: str | Path, timezone: str | None = None) -> Source:
    """Return what Nightscout files, or a folder of them, say: `glucose`, `bolus` U, `carbs` g, `basal` U/h.

    *timezone* is for times and profiles that name none. A row is the n-th record of its file.
    """
    if not paths:
        raise BadInput("no Nightscout file named: entries.json, treatments.json, profile.json, or their folder")
    return _Nightscout(tuple(Path(path) for path in paths), zone(timezone) if timezone else None)


@dataclass(frozen=True)
class _Nightscout:
    paths: tuple[Path, ...]
    zone: tzinfo | None
    name: str = "nightscout"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all items by time."""
        report = Report() if report is None else report
        found = [document for path in files_of(self.paths) for document in documents(path)]
        if not any(document.kind != "other" for document in found):
            names = ", ".join(str(path) for path in self.paths)
            raise BadInput("holds no Nightscout entries, treatments or profiles", file=names)
        yield from items_of(newest(found, report), self.zone, report)


def items_of(kept: Sequence[Document], clock: tzinfo | None, report: Report) -> list[Item]:
    """Return what records, each in its latest version, say, by time; *clock* is for those that name no zone."""
    items = [*_said(kept, clock, report), *_basal(kept, clock, report)]
    return sorted(items, key=lambda item: (item.at, item.name))


def usable(document: Document, clock: tzinfo | None) -> None:
    """Raise `BadInput` saying what is wrong with a record, if anything is."""
    items_of([document], clock, Report())


@dataclass(frozen=True)
class _Found:
    item: Item
    document: Document


def _said(kept: Sequence[Document], clock: tzinfo | None, report: Report) -> Iterator[Item]:
    """Yield readings, boluses and meals, copies left out, and what was deleted at the source."""
    site = _site_unit(kept)
    found = [_Found(item, document) for document in kept for item in _items(document, clock, site, report)]
    yield from (one.item for one in found if one.item.retracted)
    yield from _once([one for one in found if not one.item.retracted], report)


def _once(found: Iterable[_Found], report: Report) -> Iterator[Item]:
    """Yield one item per event: uploaders send one event twice under two ids; the first made is kept.

    Two sensor values of one moment cannot both be: the one modified last is kept.
    """
    groups: dict[tuple[object, ...], list[_Found]] = defaultdict(list)
    for one in found:
        item, document = one.item, one.document
        what = ("sensor",) if document.is_sensor else (document.event, item.value)
        groups[(item.name, item.at, *what)].append(one)
    for group in groups.values():
        report.duplicates += len(group) - 1
        yield _chosen(group).item


def _chosen(group: Sequence[_Found]) -> _Found:
    last = max(group, key=lambda one: (one.document.modified, one.item.value)).item.value
    return min((one for one in group if one.item.value == last), key=lambda one: created(one.document))


def _site_unit(kept: Iterable[Document]) -> str:
    """Return the unit that the site shows glucose in; it holds for treatments that name none."""
    profiles = [document for document in kept if document.kind == "profile"]
    named = [_UNITS.get(str(document.fields.get("units", "")).lower()) for document in profiles]
    return next((unit for unit in named if unit), "mg/dL")


def _items(document: Document, clock: tzinfo | None, site: str, report: Report) -> Iterator[Item]:
    readers: dict[str, Callable[[], Iterator[Item]]] = {
        "entry": lambda: _reading(document, clock, report),
        "treatment": lambda: _treatment(document, clock, site, report),
    }
    if document.kind in readers:
        yield from readers[document.kind]()
    elif document.kind == "other":
        report.warn("a record that is no entry, treatment or profile is skipped")


def _reading(document: Document, clock: tzinfo | None, report: Report) -> Iterator[Item]:
    field = next((name for name in ("sgv", "mbg") if name in document.fields), None)
    value = None if field is None else amount(document.fields[field], document.by.at(field))
    unit = _unit(document, "mg/dL")
    if field is None or value is None:
        report.warn("an entry without a glucose value is skipped")
    elif coded := _coded(field, value, unit):
        report.warn(f"{coded} in place of a glucose value is skipped")
    else:
        read = _metered(value, report) if field == "mbg" and unit == "mg/dL" else (value, unit)
        yield _item(document, "glucose", *read, field, clock)


def _coded(field: str, value: float, unit: str) -> str | None:
    """Return what a number is that tells no glucose, None where it does."""
    if field == "mbg":
        return None if value else "a meter's 0"
    code = unit == "mg/dL" and value <= _ERROR_CODES and value == int(value)
    return "a sensor's error code" if code else None


def _metered(value: float, report: Report) -> tuple[float, str]:
    """Return what a meter read in mg/dL, and its unit; a code for LO or HI is told as the end of its scale, and reported."""
    low, high = value < _LO and value == int(value), _HI < value <= _HI_CODES
    if low or high:
        end = _LO if low else _HI
        report.warn(f"a meter's reading of {value:g} is off its scale: it is imported as {end:g} mg/dL")
    return (_AT_LO, "mmol/L") if low else (_HI if high else value, "mg/dL")


def _unit(document: Document, otherwise: str) -> str:
    named = text(document, "units")
    if named is None:
        return otherwise
    if named.lower() not in _UNITS:
        raise document.by.at("units").bad(f"unknown unit of glucose {named!r}; possible: {', '.join(_UNITS)}")
    return _UNITS[named.lower()]


def _item(document: Document, name: str, value: float, unit: str, field: str, clock: tzinfo | None) -> Item:
    at = time_of(document, clock)
    return Item(name, value, unit, at, document.id, document.by.at(field), retracted=not document.valid)


def _treatment(document: Document, clock: tzinfo | None, site: str, report: Report) -> Iterator[Item]:
    """Yield the insulin, the carbohydrates and the finger stick in one treatment; the basal rate is read elsewhere."""
    insulin, carbs = (amount(document.fields.get(name), document.by.at(name)) for name in ("insulin", "carbs"))
    used = bool(insulin) or document.event in (*TEMPORARY, *SUSPENDED, SWITCH)
    bolus = bolus_of(document, insulin, report)
    for field, name, unit, value in (("insulin", "bolus", "U", bolus), ("carbs", "carbs", "g", carbs)):
        if value:
            used = True
            yield _item(document, name, value, unit, field, clock)
    stick = amount(document.fields.get("glucose"), document.by.at("glucose"))
    if stick and text(document, "glucoseType") in ("Finger", "Manual"):
        used = True
        yield _item(document, "glucose", stick, _unit(document, site), "glucose", clock)
    for part in _combo(document, clock, report):
        used = True
        yield part
    if document.event in TEMPORARY and not document.valid:
        yield from _withdrawn(document, clock)
    if not used:
        report.warn(f"{document.event[:40] or 'a treatment without a type'}: not used")


def _combo(document: Document, clock: tzinfo | None, report: Report) -> Iterator[Item]:
    """Yield the parts of a combo bolus that `insulin` does not tell: what `splitNow` and `splitExt` say of the whole."""
    whole, now, later, rate = (
        amount(document.fields.get(name), document.by.at(name)) or 0.0
        for name in ("enteredinsulin", "splitNow", "splitExt", "relative")
    )
    at_once = amount(document.fields.get("insulin"), document.by.at("insulin")) or 0.0
    if not later:
        return
    if not at_once and whole and now:
        yield _item(document, "bolus", whole * now / 100, "U", "splitNow", clock)
    minutes = minutes_of(document)
    extended = whole * later / 100 or rate * (minutes or 0.0) / 60 or (at_once * later / now if now else 0.0)
    if not minutes or not extended:
        report.warn("the extended part of a bolus is not imported: it names no amount or no duration")
        return
    report.warn("the extended part of a bolus is imported as a bolus every 5 min")
    yield from spread(_item(document, "bolus", extended, "U", "splitExt", clock), round(min(minutes, 1e6) * MINUTE))


def _withdrawn(document: Document, clock: tzinfo | None) -> Iterator[Item]:
    """Yield that the start of a temporary rate is taken back; its rate matters no more."""
    if document.id is not None:
        rate = amount(document.fields.get("absolute"), document.by.at("absolute"))
        yield _item(document, "basal", rate or 0.0, "U/h", "absolute", clock)


def _basal(kept: Sequence[Document], clock: tzinfo | None, report: Report) -> Iterator[Item]:
    valid = [document for document in kept if document.valid]
    treated = [document for document in valid if document.kind == "treatment"]
    times = [time_of(document, clock) for document in valid if document.kind in ("entry", "treatment")]
    temporaries = [temporary(d, clock) for d in treated if d.event in (*TEMPORARY, *SUSPENDED)]
    switches = [document for document in treated if document.event == SWITCH]
    plans = schedules([document for document in valid if document.kind == "profile"], switches, clock, report)
    if not times:
        report.warn("no entries and no treatments: nothing says when the profile was in use")
    elif temporaries or plans:
        yield from timeline(temporaries, plans, min(times), max(times), report)
