"""Tidepool's JSON, as its export and its API give it: cbg, smbg, basal, bolus, wizard, food.

Source: Tidepool's public data model (tidepool.redocly.app/reference/data.v1). Glucose is in mmol/L unless the record
says otherwise; `time` is UTC, `deviceTime` what the device showed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

from gemel.errors import BadInput
from gemel.facts import HOUR, Time
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.rates import Stretch, changes
from gemel.packs.diabetes.sources.records import member, positive, text, when
from gemel.packs.diabetes.sources.sheet import unused
from gemel.packs.diabetes.sources.words import GLUCOSE, metered
from gemel.streams.contract import Item, Place, Source
from gemel.streams.reading import json_of
from gemel.streams.report import Report
from gemel.streams.spread import spread

KINDS = ("cbg", "smbg", "basal", "bolus", "wizard", "food", "insulin")
QUIET = ("upload", "pumpSettings", "cgmSettings", "deviceEvent", "physicalActivity", "dosingDecision",
         "controllerSettings", "controllerStatus", "pumpStatus", "reportedState", "bloodKetone", "water", "alert")  # fmt: skip


def tidepool(path: str | Path, timezone: str | None = None) -> Source:
    """Return what a Tidepool export says: `glucose` (cbg, smbg), `basal`, `bolus`, `carbs` (wizard, food).

    *timezone* is for records that have `deviceTime` alone. Extended boluses are told as a bolus every 5 min.
    """
    return one_file(path, timezone, "tidepool", _items)


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    content = json_of(path)
    if isinstance(content, dict):
        content = content.get("data", [content])
    if not isinstance(content, list) or not any(member(one, "type") in KINDS for one in content):
        raise BadInput("holds no Tidepool records", file=str(path))
    rates, said = list[Stretch](), list[Item]()
    for row, one in enumerate(content, 1):
        by = Place(str(path), row)
        if not isinstance(one, Mapping):
            raise by.bad(f"a record is an object, not {type(one).__name__}")
        if one.get("_active") is False:
            report.warn("a record that was replaced by another: not used")
        elif one.get("type") == "basal":
            rates += _stretch(one, by, zone, report)
        else:
            said += _said(one, by, zone, report)
    yield from said
    yield from changes(rates, report, said)


def _at(one: Mapping[str, Any], by: Place, zone: tzinfo | None) -> Time:
    if one.get("time"):
        return when(one["time"], by.at("time"), zone)
    if one.get("deviceTime"):
        return when(one["deviceTime"], by.at("deviceTime"), zone, one.get("timezoneOffset"))
    raise by.at("time").bad("has no time: neither time nor deviceTime")


def _id(one: Mapping[str, Any]) -> str | None:
    return text(one.get("id")) or text(one.get("guid")) or None


def _stretch(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> list[Stretch]:
    rate = positive(one.get("rate"), by.at("rate"))
    if rate is None and one.get("deliveryType") != "suspend":
        unused(report, "a basal record without a rate")
        return []
    start = _at(one, by, zone)
    length = positive(one.get("duration"), by.at("duration"))
    end = None if length is None else start + round(min(length, 1e9))
    return [Stretch(start, end, rate or 0.0, _id(one), by.at("rate"))]


def _said(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    kind = text(one.get("type"))
    if kind in ("cbg", "smbg"):
        yield from _reading(one, by, zone, report)
    elif kind == "bolus":
        yield from _bolus(one, by, zone, report)
    elif kind in ("wizard", "food"):
        yield from _carbs(one, by, zone, report)
    elif kind == "insulin":
        yield from _insulin(one, by, zone, report)
    else:
        unused(report, kind)


def _reading(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    """Yield a reading; its annotations, a list or in exports the text of one, say whether it is off the scale."""
    value = positive(one.get("value"), by.at("value"))
    if value is not None:
        item = Item("glucose", value, _unit(one, by), _at(one, by, zone), _id(one), by.at("value"))
        yield metered(item, report, "bg/out-of-range" in str(one.get("annotations")))


def _unit(one: Mapping[str, Any], by: Place) -> str:
    said = text(one.get("units")) or "mmol/L"
    if said.lower() not in GLUCOSE:
        raise by.at("units").bad(f"{said[:20]!r} is no unit of glucose: mmol/L or mg/dL")
    return GLUCOSE[said.lower()]


def _bolus(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    now, later = (positive(one.get(name), by.at(name)) for name in ("normal", "extended"))
    if now:
        yield Item("bolus", now, "U", _at(one, by, zone), _id(one), by.at("normal"))
    if later:
        length = positive(one.get("duration"), by.at("duration"))
        if not length or length > 24 * HOUR:
            raise by.at("duration").bad("an extended bolus needs a duration in ms, of a day at most")
        report.warn("the extended part of a bolus is imported as a bolus every 5 min")
        yield from spread(Item("bolus", later, "U", _at(one, by, zone), _id(one), by.at("extended")), round(length))


def _carbs(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    if one.get("type") == "wizard":
        field, value, unit = "carbInput", one.get("carbInput"), text(one.get("carbUnits")) or "grams"
    else:
        field, value = "nutrition.carbohydrate.net", member(one, "nutrition", "carbohydrate", "net")
        unit = text(member(one, "nutrition", "carbohydrate", "units")) or "grams"
    grams = positive(value, by.at(field))
    if grams and unit not in ("grams", "g"):
        unused(report, f"carbohydrates in {unit}")
    elif grams:
        yield Item("carbs", grams, "g", _at(one, by, zone), _id(one), by.at(field))


def _insulin(one: Mapping[str, Any], by: Place, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    """Yield an injection of rapid-acting insulin; the twin has no lever for slower kinds."""
    acting = text(member(one, "formulation", "simple", "actingType"))
    dose = positive(member(one, "dose", "total"), by.at("dose.total"))
    if acting == "rapid" and dose:
        yield Item("bolus", dose, "U", _at(one, by, zone), _id(one), by.at("dose.total"))
    else:
        unused(report, f"an injection of insulin, {acting or 'of no kind that is named'}")
