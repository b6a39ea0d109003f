"""Apple Health's `export.xml`, alone or in the zip that the phone makes, read as a stream: some are gigabytes.

Types and metadata: Apple's HealthKit documentation (`HKQuantityTypeIdentifier`, `HKInsulinDeliveryReason`: 1 basal,
2 bolus). A row is a line of the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from gemel.errors import BadInput
from gemel.facts import HOUR, Time
from gemel.packs.diabetes.sources.apple_xml import mended
from gemel.packs.diabetes.sources.file import one_file
from gemel.packs.diabetes.sources.rates import Bins, Stretch, changes
from gemel.packs.diabetes.sources.records import positive, when
from gemel.packs.diabetes.sources.sheet import unused
from gemel.packs.diabetes.sources.words import glucose_unit, metered
from gemel.streams.contract import Item, Place, Source
from gemel.streams.report import Report

_KIND = "HKQuantityTypeIdentifier"
_USED = ("BloodGlucose", "InsulinDelivery", "DietaryCarbohydrates", "HeartRate", "StepCount")
_REASON = "HKInsulinDeliveryReason"
_CHUNK = 1 << 16


def apple_health(path: str | Path, timezone: str | None = None) -> Source:
    """Return what an export of Apple Health says: `glucose`, `bolus`, `basal`, `carbs`, `heart_rate`, `steps`.

    *path* is `export.xml`, or the zip with it in. Times bear an offset. Basal insulin is an amount over a stretch of
    time, here its rate; an injection logged as basal is left out. Heart rate is the mean of 5 min. Steps are shared out
    over 5 min, and where phone and watch count at once the larger count is used.
    """
    return one_file(path, timezone, "apple-health", _items)


def export_in(path: Path) -> str | None:
    """Return the name of the export within a zip, None where there is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.lower().endswith(".xml") and "cda" not in info.filename.lower():
                    with archive.open(info) as inside:
                        if b"<HealthData" in inside.read(_CHUNK):
                            return info.filename
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, EOFError):
        return None
    return None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        if zipfile.is_zipfile(path):
            inside = export_in(path)
            if inside is None:
                raise BadInput("the zip holds no export of Apple Health", file=str(path))
            with zipfile.ZipFile(path) as archive, archive.open(inside) as stream:
                yield stream
        else:
            with path.open("rb") as stream:
                yield stream
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror or error}", file=str(path)) from None
    except zipfile.BadZipFile as error:
        raise BadInput(f"is cut off, or damaged: {error}", file=str(path)) from None


@dataclass
class _Gathered:
    zone: tzinfo | None
    report: Report
    items: list[Item] = field(default_factory=list)
    rates: list[Stretch] = field(default_factory=list)
    hearts: Bins = field(default_factory=lambda: Bins("heart_rate", "bpm", False, "apple-health"))
    steps: Bins = field(default_factory=lambda: Bins("steps", "step", True, "apple-health"))


def _items(path: Path, zone: tzinfo | None, report: Report) -> Iterator[Item]:
    found = _Gathered(zone, report)
    with _opened(path) as stream:
        _parse(stream, path, lambda record, reason, line: _take(record, reason, str(path), line, found))
    said = [*found.items, *found.hearts.items(report), *found.steps.items(report)]
    yield from said
    yield from changes(found.rates, report, said)


def _parse(stream: IO[bytes], path: Path, take: Callable[[Mapping[str, str], str, int], None]) -> None:
    """Call *take* with each record, the reason in its metadata, and its line; nothing of the file is kept."""
    parser = expat.ParserCreate()
    held: dict[str, Any] = {"record": None, "reason": "", "line": 0, "root": ""}

    def start(name: str, found: dict[str, str]) -> None:
        held["root"] = held["root"] or name
        if name == "Record":
            held.update(record=found, reason="", line=parser.CurrentLineNumber)
        elif name == "MetadataEntry" and held["record"] is not None and found.get("key") == _REASON:
            held["reason"] = found.get("value", "")

    def end(name: str) -> None:
        if name == "Record" and held["record"] is not None:
            record, held["record"] = held["record"], None
            take(record, held["reason"], held["line"])

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        for chunk in mended(stream):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadInput(
            f"is no XML, or cut off: {expat.ErrorString(error.code)}", file=str(path), row=error.lineno
        ) from None
    if held["root"] != "HealthData":
        raise BadInput("is no export of Apple Health: its first element is no HealthData", file=str(path))


def _take(record: Mapping[str, str], reason: str, file: str, line: int, found: _Gathered) -> None:
    kind = record.get("type", "").removeprefix(_KIND)
    if kind not in _USED:
        unused(found.report, f"{kind or 'a record without a type'}")
        return
    by = Place(file, line, "value")
    value = positive(record.get("value"), by)
    began, ended = record.get("startDate"), record.get("endDate", record.get("startDate"))
    start = when(began, Place(file, line, "startDate"), found.zone)
    end = start if ended == began else when(ended, Place(file, line, "endDate"), found.zone)
    if value is not None:
        _say(kind, value, start, end, record, reason, by, found)


def _say(
    kind: str, value: float, start: Time, end: Time, record: Mapping[str, str], reason: str, by: Place, found: _Gathered
) -> None:
    unit, device = record.get("unit", ""), record.get("sourceName", "")
    if kind == "BloodGlucose":
        named = glucose_unit(unit.replace("<180.1558800000541>", ""))
        if named is None:
            raise by.bad(f"{unit[:20]!r} is no unit of glucose: mg/dL or mmol/L")
        found.items.append(metered(Item("glucose", value, named, start, None, by), found.report))
    elif kind == "DietaryCarbohydrates":
        if unit != "g":
            raise by.bad(f"carbohydrates in {unit[:20]!r}: only g is known")
        found.items += [Item("carbs", value, "g", start, None, by)] if value else []
    elif kind == "InsulinDelivery":
        _insulin(value, start, end, reason, by, found)
    elif kind == "HeartRate":
        found.hearts.add(start, end, value, device, by, found.report)
    else:
        found.steps.add(start, end, value, device, by, found.report)


def _insulin(value: float, start: Time, end: Time, reason: str, by: Place, found: _Gathered) -> None:
    if reason == "2":
        found.items += [Item("bolus", value, "U", start, None, by)] if value else []
    elif reason == "1" and end > start:
        found.rates.append(Stretch(start, end, round(value * HOUR / (end - start), 6), None, by))
    elif reason == "1":
        unused(found.report, "an injection of basal insulin")
    else:
        unused(found.report, "insulin that is neither basal nor bolus")
