"""`gemel.packs.diabetes.sources`: what devices, apps and clinics export, recognised by its content and read whole."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import tracemalloc
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import Clock

from gemel.bank import Bank
from gemel.bank.correction import correct
from gemel.errors import BadInput
from gemel.facts import MINUTE, Time, iso, time_of
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.sources import (
    UNITS,
    apple_health,
    carelink,
    clarity,
    ddatshr,
    detect,
    fhir,
    format_of,
    libreview,
    open_mhealth,
    tandem,
    tidepool,
)  # fmt: skip
from gemel.streams import Item, Report, Source, checked, collect, csv, key_of, nightscout
from gemel.testing.streams import SourceContract
from gemel.thread import MemoryThread

FOLDER = Path(__file__).parent / "data" / "diabetes"
ZONES = {"clarity.csv": "Europe/Berlin", "libreview.csv": "Europe/London", "carelink.csv": "Europe/Berlin",
         "tandem.csv": "America/New_York"}  # fmt: skip
FORMATS = {
    "clarity.csv": "Dexcom Clarity", "libreview.csv": "LibreView", "carelink.csv": "CareLink", "tandem.csv": "t:connect",
    "tidepool.json": "Tidepool", "export.xml": "Apple Health", "open_mhealth.json": "Open mHealth", "fhir.json": "FHIR",
}  # fmt: skip
LATER = time_of("2027-01-01T00:00:00Z")


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def source_of(name: str) -> Source:
    return detect(FOLDER / name, ZONES.get(name))


def said(source: Source, name: str) -> list[tuple[float, str]]:
    """Return the values of one signal with their times in UTC."""
    return [
        (round(item.value, 4), iso(item.at)[5:16]) for item in source.read() if item.name == name and not item.retracted
    ]


def warned(source: Source) -> dict[str, int]:
    report = Report()
    list(source.read(report))
    return dict(report.warnings)


@pytest.mark.parametrize("name", FORMATS)
class TestContract(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self, name: str) -> Source:
        return source_of(name)


# recognising


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_recognised_by_its_content_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    """And so are those of before."""
    other = tmp_path / "download (3).bin"
    shutil.copy(FOLDER / name, other)
    assert format_of(other) == FORMATS[name] == format_of(FOLDER / name)
    nights = Path(__file__).parent / "data" / "nightscout"
    for file in nights.iterdir():
        shutil.copy(file, other)
        assert format_of(other) == "Nightscout"
    assert format_of(nights) is None
    assert detect(nights, "UTC").name == "nightscout"


def test_what_is_nothing_of_this_is_not_recognised(tmp_path: Path) -> None:
    """Binary, another table, another XML, an empty file."""
    for content in (b"\x00\x01\x02", "a,b\n1,2\n", "<html></html>", "", "%PDF-1.4 x"):
        path = written(tmp_path, "x.dat", content)
        with pytest.raises(BadInput, match="looked for"):
            detect(path)


def test_a_folder_of_several_exports_is_read_together(tmp_path: Path) -> None:
    """Each with its own format; what is not known beside them is told."""
    for name in ("clarity.csv", "tidepool.json"):
        shutil.copy(FOLDER / name, tmp_path / name)
    written(tmp_path, "readme.txt", "made up")
    report = Report()
    found = list(detect(tmp_path, "Europe/Berlin").read(report))
    assert len(found) == sum(len(list(source_of(name).read())) for name in ("clarity.csv", "tidepool.json"))
    assert report.warnings["a file or folder beside the others is not recognised: not read"] == 1


@pytest.mark.parametrize("name", FORMATS)
def test_importing_twice_adds_nothing(name: str) -> None:
    """Through the bank's own intake, into a twin."""
    bank = Bank(MemoryThread(), Clock(LATER), {"diabetes.person": Person})
    lily = bank.create(Person, "lily", by="sarah")
    first, again = lily.load(source_of(name)), lily.load(source_of(name))
    assert (first.new > 0, again.new, again.known) == (True, 0, first.new + first.known)


def test_what_was_changed_and_then_deleted_at_the_source_is_gone(tmp_path: Path) -> None:
    """The correction is taken back with what it corrected; what a person said instead stays."""
    bank = Bank(MemoryThread(), Clock(LATER), {"diabetes.person": Person})
    lily = bank.create(Person, "lily", by="sarah")
    at = time_of("2026-05-01T12:00:00Z")
    meals: list[dict[str, Any]] = [
        {"identifier": name, "carbs": 30, "date": at + k * MINUTE} for k, name in enumerate("ab")
    ]

    def load(*records: dict[str, Any]) -> None:
        lily.load(nightscout(written(tmp_path, "treatments.json", json.dumps(records))))

    load(*meals)
    load(*({**meal, "carbs": 45} for meal in meals))
    second = next(
        fact for fact in bank.thread.read("lily", kinds=["acted/1"]) if fact.body["value"] == 45 and fact.true_at > at
    )
    correct(lily, second.seq, 20.0, "she ate half")
    load(*({**meal, "carbs": 45, "isValid": False} for meal in meals))
    assert [dose[2] for dose in bank.replica("lily").doses] == [20.0]


# each format


def test_clarity_is_put_in_order_by_the_transmitters_clock() -> None:
    """The hour that comes twice is two hours, though the file is sorted by local time; words are off the scale."""
    assert said(source_of("clarity.csv"), "glucose") == [
        (110, "10-25T00:00"), (112, "10-25T00:05"), (150, "10-25T01:00"), (152, "10-25T01:05"), (39, "10-25T02:00"),
        (401, "10-25T02:05"),
    ]  # fmt: skip
    assert said(source_of("clarity.csv"), "bolus") == [(4.5, "10-25T07:00")]
    assert said(source_of("clarity.csv"), "carbs") == [(45, "10-25T07:02")]
    told = warned(source_of("clarity.csv"))
    assert told["insulin that is Long-Acting: not used, this twin takes rapid-acting"] == 1
    assert told["a reading says 'Low': it is imported as 39 mg/dL"] == 1
    assert told["Calibration: not used"] == 1


def test_libreview_is_read_by_record_type() -> None:
    """Historic, scan and strip are glucose; what the twin has no lever for is told."""
    source = source_of("libreview.csv")
    assert said(source, "glucose") == [
        (6.1, "02-03T23:45"), (6.4, "02-04T00:00"), (39, "02-04T00:15"), (7.2, "02-04T07:02"), (7.5, "02-04T07:03"),
    ]  # fmt: skip
    assert (said(source, "bolus"), said(source, "carbs")) == ([(5, "02-04T07:05")], [(40, "02-04T07:08")])
    told = warned(source)
    assert {"ketone: not used", "long-acting insulin: not used", "insulin or food without an amount: not used"} <= set(
        told
    )


def test_carelink_has_sections_decimal_commas_and_runs_backwards() -> None:
    """A percentage and a suspend return to the pump's rate; a dual wave is given over its time."""
    source = source_of("carelink.csv")
    assert said(source, "basal") == [
        (1.2, "06-01T06:00"), (0.6, "06-01T08:00"), (1.2, "06-01T09:00"), (0, "06-01T10:00"), (1.2, "06-01T10:30"),
    ]  # fmt: skip
    assert sum(value for value, _ in said(source, "bolus")) == 5.0
    assert said(source, "bolus")[-1] == (0.5, "06-01T07:15")
    assert said(source, "glucose") == [(7.2, "06-01T06:30"), (7.9, "06-01T11:00"), (8.1, "06-01T11:05")]
    assert said(source, "carbs") == [(45, "06-01T06:59")]


def test_tandem_has_sections_for_sensor_meter_basal_and_bolus() -> None:
    """02:00 is skipped on that day in New York; what a bolus gives later is given later; a repeat is dropped."""
    source, report = source_of("tandem.csv"), Report()
    assert said(source, "glucose") == [(127, "03-08T06:55"), (131, "03-08T07:00"), (140, "03-08T11:00")]
    assert said(source, "basal") == [(0.8, "03-08T05:00"), (1.1, "03-08T10:00")]
    assert sum(value for value, _ in said(source, "bolus")) == pytest.approx(4.2 + 2 + 3)
    assert said(source, "carbs") == [(42, "03-08T12:02"), (50, "03-08T16:00")]
    list(source.read(report))
    assert report.duplicates == 1


def test_tidepool_is_in_mmol_unless_it_says_otherwise() -> None:
    """`time` is UTC, `deviceTime` has an offset of its own; a suspend is a rate of nothing; replaced records are left."""
    source = source_of("tidepool.json")
    assert [(item.value, item.unit) for item in source.read() if item.name == "glucose"] == [
        (6.5, "mmol/L"), (7.0, "mmol/L"), (121.0, "mg/dL"),
    ]  # fmt: skip
    assert said(source, "basal") == [(0.9, "05-01T06:00"), (0.3, "05-01T07:00"), (0, "05-01T07:30")]
    assert said(source, "bolus") == [(2, "05-01T06:30"), (0.5, "05-01T06:30"), (0.5, "05-01T06:35")]
    assert said(source, "carbs") == [(35, "05-01T06:30"), (12, "05-01T10:00")]
    assert warned(source)["carbohydrates in exchanges: not used"] == 1


def test_apple_health_tells_basal_as_a_rate_and_counts_steps_once() -> None:
    """Two apps wrote one reading; phone and watch counted at once; an injection of basal insulin is no rate."""
    source = source_of("export.xml")
    assert said(source, "basal") == [(0.8, "04-01T07:00")]
    assert said(source, "steps") == [(250, "04-01T07:05"), (200, "04-01T07:10")]
    assert said(source, "heart_rate") == [(65, "04-01T07:05")]
    assert said(source, "glucose") == [(118, "04-01T07:00"), (6.8, "04-01T07:05")]
    assert (said(source, "bolus"), said(source, "carbs")) == ([(2.5, "04-01T07:10")], [(30, "04-01T07:15")])
    assert warned(source)["an injection of basal insulin: not used"] == 1


def test_apple_health_is_read_from_its_zip(tmp_path: Path) -> None:
    """Whatever the file in it is called in the phone's language; a clinical document beside it is left."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("apple_health_export/export_cda.xml", "<ClinicalDocument/>")
        archive.write(FOLDER / "export.xml", "apple_health_export/exportación.xml")
    assert format_of(path) == "Apple Health"
    assert [key_of(i) for i in detect(path).read()] == [key_of(i) for i in source_of("export.xml").read()]


def test_a_long_export_of_apple_health_is_not_held_in_memory(tmp_path: Path) -> None:
    """Megabytes of heart rates, of which a few means remain: memory stays below a tenth of the file."""
    line = (
        '<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="W" unit="count/min" '
        'startDate="2026-04-01 08:{:02}:{:02} +0000" endDate="2026-04-01 08:{:02}:{:02} +0000" value="60"/>\n'
    )
    rows = "".join(line.format(m % 60, s % 60, m % 60, s % 60) for m in range(60) for s in range(60))
    body = '<?xml version="1.0"?>\n<HealthData>\n' + rows * 4 + "</HealthData>"
    path = written(tmp_path, "big.xml", body)
    tracemalloc.start()
    found = list(apple_health(path).read())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(found), {item.value for item in found}) == (12, {60.0})
    assert most < path.stat().st_size / 10


def test_open_mhealth_shares_steps_out_and_leaves_statistics() -> None:
    """600 steps in ten minutes are twice 300; a day's count says nothing of when."""
    source = source_of("open_mhealth.json")
    assert said(source, "steps") == [(300, "05-02T15:35"), (300, "05-02T15:40")]
    assert (said(source, "glucose"), said(source, "heart_rate")) == ([(105, "05-02T15:30")], [(72, "05-02T15:31")])
    assert warned(source)["a statistic of blood_glucose: not used"] == 1


def test_open_mhealth_may_be_a_record_per_line(tmp_path: Path) -> None:
    """As stores of data points write them."""
    points = json.loads((FOLDER / "open_mhealth.json").read_text())
    path = written(tmp_path, "points.ndjson", "\n".join(json.dumps(one) for one in points))
    assert [i.value for i in detect(path).read()] == [i.value for i in source_of("open_mhealth.json").read()]


def test_fhir_tells_insulin_and_takes_back_what_was_entered_in_error() -> None:
    """Codes of LOINC; rates and doses; sampled data with an error in it; a date alone is no time."""
    source = source_of("fhir.json")
    assert said(source, "glucose") == [
        (142, "05-03T06:00"), (7.1, "05-03T06:05"), (101, "05-03T09:00"), (103, "05-03T09:10"),
    ]  # fmt: skip
    assert [key_of(item) for item in source.read() if item.retracted] == ["g3|glucose|retracted"]
    assert (said(source, "bolus"), said(source, "basal")) == ([(3.5, "05-03T08:30")], [(0.85, "05-03T08:40")])
    assert (said(source, "steps"), said(source, "carbs")) == ([(310, "05-03T08:05")], [(38, "05-03T08:30")])
    told = warned(source)
    assert told["an injection of long-acting insulin: not used"] == 1
    assert told["a resource that does not say when, to the minute: not used"] == 1


def test_a_bundle_about_two_people_is_refused(tmp_path: Path) -> None:
    """Whose twin would it be? Names are not in the error."""
    bundle = json.loads((FOLDER / "fhir.json").read_text())
    bundle["entry"][1]["resource"]["subject"]["reference"] = "Patient/other-name"
    with pytest.raises(BadInput, match="about 2 people") as caught:
        list(fhir(written(tmp_path, "b.json", json.dumps(bundle))).read())
    assert "other-name" not in str(caught.value)


def test_a_combo_bolus_of_nightscout_gives_its_two_parts(tmp_path: Path) -> None:
    """4 U, a quarter now and the rest over 30 min, by splitNow and splitExt; AndroidAPS tells a rate alone."""
    at = time_of("2026-05-01T12:00:00Z")
    combo = {
        "eventType": "Combo Bolus",
        "enteredinsulin": 4,
        "splitNow": 25,
        "splitExt": 75,
        "duration": 30,
        "date": at,
        "_id": "a",
    }
    later = {"eventType": "Combo Bolus", "relative": 2, "splitNow": 0, "splitExt": 100, "duration": 15,
             "date": at + 60 * MINUTE, "_id": "b"}  # fmt: skip
    path = written(tmp_path, "treatments.json", json.dumps([combo, later]))
    items = list(nightscout(path).read())
    first = [item for item in items if item.at < at + 60 * MINUTE]
    assert sum(item.value for item in first) == pytest.approx(4)
    assert [item.value for item in first if item.source_id == "a"] == [1.0]
    assert [(round(i.value, 4), (i.at - at) // MINUTE) for i in items[len(first) :]] == [
        (0.1667, 60),
        (0.1667, 65),
        (0.1667, 70),
    ]
    assert len({key_of(item) for item in items}) == len(items)


# units, dates and clocks


@given(st.lists(st.floats(2.3, 22), min_size=1, max_size=20))
@settings(deadline=None)
def test_both_units_of_glucose_say_the_same(values: list[float]) -> None:
    """18.018 mg/dL are 1 mmol/L, whichever the header names."""
    head = "Device,Serial Number,Device Timestamp,Record Type,Historic Glucose {},Notes\n"
    tables = {}
    for unit, factor in (("mg/dL", 18.018), ("mmol/L", 1.0)):
        rows = [f"L,1,{k + 13:02}-01-2026 08:00,0,{value * factor!r},\n" for k, value in enumerate(values[:18])]
        tables[unit] = head.format(unit) + "".join(rows)
    with tempfile.TemporaryDirectory() as folder:
        found = [
            [item.value for item in collect(libreview(written(Path(folder), "l.csv", table), "UTC"), Person).items]
            for table in tables.values()
        ]
    assert found[0] == pytest.approx(found[1])


HEAD = "Device,Serial Number,Device Timestamp,Record Type,Historic Glucose mg/dL,Notes\n"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["13-02-2026 08:00"], "2026-02-13T08:00:00Z"),
        (["02-13-2026 08:00"], "2026-02-13T08:00:00Z"),
        (["02-03-2026 08:00 PM", "02-04-2026 08:00 PM"], "2026-02-03T20:00:00Z"),
        (["02-03-2026 11:55 PM", "02-04-2026 12:05 AM"], "2026-02-03T23:55:00Z"),
        (["03-02-2026 23:55", "04-02-2026 00:05"], "2026-02-03T23:55:00Z"),
        (["03.02.2026 08:00"], "2026-02-03T08:00:00Z"),
        (["2026/02/03 08:00"], "2026-02-03T08:00:00Z"),
    ],
)
def test_day_and_month_are_told_apart_by_the_dates(tmp_path: Path, times: list[str], expected: str) -> None:
    """By a number over twelve, by a step over midnight, by how such dates are usually written."""
    table = HEAD + "".join(f"L,1,{time},0,120,\n" for time in times)
    assert iso(next(iter(libreview(written(tmp_path, "l.csv", table), "UTC").read())).at) == expected


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        (["03-02-2026 08:00"], "day or with the month"), (["13-02-2026 08:00", "02-13-2026 08:00"], "others only month"),
        (["31-02-2026 08:00"], "no date and time"), (["13-02-2026 25:00"], "no date and time"),
    ],
)  # fmt: skip
def test_dates_that_may_be_read_in_two_ways_are_asked_about(tmp_path: Path, times: list[str], problem: str) -> None:
    """Nothing is guessed where nothing says."""
    table = HEAD + "".join(f"L,1,{time},0,120,\n" for time in times)
    with pytest.raises(BadInput, match=problem):
        list(libreview(written(tmp_path, "l.csv", table), "UTC").read())


@pytest.mark.parametrize("backwards", [False, True])
@given(start=st.integers(0, 23), missing=st.sets(st.integers(0, 60), max_size=20))
@settings(deadline=None, max_examples=12)
def test_a_file_that_runs_through_the_change_of_clocks_is_read_right(
    backwards: bool, start: int, missing: set[int]
) -> None:
    """Every moment comes back as it was, forwards or backwards, where the file begins before the second of the two hours."""
    zone, first = ZoneInfo("Europe/Berlin"), time_of("2026-10-24T23:00:00Z")
    times = [first + (start + k) * 5 * MINUTE for k in range(60) if k not in missing or k % 6 == 0]
    rows = [f"L,1,{datetime.fromtimestamp(at / 1000, zone):%d-%m-%Y %H:%M},0,120,\n" for at in times]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "l.csv", HEAD + "".join(reversed(rows) if backwards else rows))
        found = [item.at for item in libreview(path, "Europe/Berlin").read()]
    assert found == times


def test_a_time_that_never_was_is_named_and_nothing_is_shifted(tmp_path: Path) -> None:
    """02:30 on the day on which the clocks skip from 02:00 to 03:00; and local times need a zone."""
    rows = HEAD + "L,1,29-03-2026 01:45,0,120,\nL,1,29-03-2026 02:30,0,121,\n"
    path = written(tmp_path, "l.csv", rows)
    with pytest.raises(BadInput, match="never was in Europe/Berlin") as caught:
        list(libreview(path, "Europe/Berlin").read())
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), 3, "Device Timestamp")
    with pytest.raises(BadInput, match="say which timezone="):
        list(libreview(path).read())


# what is wrong


@pytest.mark.parametrize(
    ("name", "old", "new", "row", "problem"),
    [
        ("clarity.csv", '"112"', '"1l2"', 7, "'1l2' is not a number"),
        ("clarity.csv", "2026-10-25T08:02:00", "yesterday", 13, "no date and time"),
        ("libreview.csv", ",0,6.4,", ",0,6.4.1,", 4, "is not a number"),
        ("libreview.csv", "05,4,,,,5,", "05,4,,,,-5,", 9, "-5 is negative"),
        ("carelink.csv", ";0:20:00;", ";soon;", 11, "'soon' is no duration"),
        ("carelink.csv", ";50,0;Percent;1:00:00;", ";50,0;Percent;;", 10, "needs a duration"),
        ("tandem.csv", "2026-03-08T03:00:00,131", "2026-03-08T02:30:00,131", 7, "never was"),
        ("tidepool.json", '"units": "mmol/L"', '"units": "furlong"', 2, "no unit of glucose"),
        ("tidepool.json", '"time": "2026-05-01T07:00:00Z"', '"x": 1', 8, "has no time"),
        ("export.xml", 'unit="mg/dL"', 'unit="g/L"', 8, "no unit of glucose"),
        ("export.xml", "2026-04-01 08:15:00 +0100", "noon", 20, "is not ISO 8601"),
        ("open_mhealth.json", '"beats/min"', '"Hz"', 2, "only beats/min"),
        ("fhir.json", '"code": "/min"', '"code": "Hz"', 7, "are bpm"),
        ("fhir.json", '"unit": "U", "code": "[iU]"', '"unit": "mL"', 10, "insulin in 'ml'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_row(
    tmp_path: Path, name: str, old: str, new: str, row: int, problem: str
) -> None:
    """The message says what and where; nothing is imported."""
    content = (FOLDER / name).read_text("utf-8")
    if name == "fhir.json" and "/min" in old:
        content = content.replace('"unit": "beats/minute"', '"unit": "Hz"')
    assert old in content
    path = written(tmp_path, name, content.replace(old, new))
    with pytest.raises(BadInput) as caught:
        collect(detect(path, ZONES.get(name)), Person, now=LATER)
    assert problem in str(caught.value)
    assert (caught.value.file, caught.value.row) == (str(path), row)
    assert caught.value.field is not None


MAKERS: dict[str, Any] = {
    "clarity.csv": clarity, "libreview.csv": libreview, "carelink.csv": carelink, "tandem.csv": tandem,
    "tidepool.json": tidepool, "export.xml": apple_health, "open_mhealth.json": open_mhealth, "fhir.json": fhir,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_that_is_cut_off_is_never_a_traceback(tmp_path: Path, name: str) -> None:
    """At any byte there is a clear error, or what the whole lines say."""
    whole = (FOLDER / name).read_bytes()
    for size in range(0, len(whole), 41):
        path = written(tmp_path, name, whole[:size])
        try:
            found = list(MAKERS[name](path, ZONES.get(name)).read())
        except BadInput as problem:
            assert str(path) in str(problem)
            continue
        assert all(isinstance(item, Item) for item in found)


@pytest.mark.parametrize("name", MAKERS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_damage_is_bad_input_or_valid_items(name: str, data: st.DataObject) -> None:
    """Whatever a few bytes become."""
    raw = bytearray((FOLDER / name).read_bytes())
    for _ in range(3):
        where = data.draw(st.integers(0, len(raw) - 1))
        raw[where : where + data.draw(st.integers(0, 4))] = data.draw(
            st.sampled_from([b"", b",", b"9", b"-", b'"', b"\xff", b"}", b"e9"])
        )
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), name, bytes(raw))
        try:
            items = collect(detect(path, ZONES.get(name) or "UTC"), Person, now=LATER).items
        except BadInput:
            return
    assert all(item.name in UNITS and item.by.row for item in items)


# real data


def test_ddatshr_imports_through_the_hour_that_comes_twice(data: Path) -> None:
    """One person, mmol/L; 02:05 on 2019-10-27 bears no offset and is the first; 01:50 and 03:05 bear theirs."""
    path = data / "t1d/ddatshr/Abbott.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with pytest.raises(BadInput, match=r"11 people, name one: 903, 907"):
        list(detect(path).read())
    report = Report()
    found = list(ddatshr(path, "903").read(report))
    night = [iso(i.at)[11:16] for i in found if "2019-10-26T23:4" < iso(i.at) < "2019-10-27T02:10"]
    assert night == ["23:50", "00:05", "00:20", "00:35", "00:50", "02:05"]
    assert (len(found), {item.unit for item in found}) == (1198, {"mmol/L"})
    assert sum(count for text, count in report.warnings.items() if "comes twice" in text) == 4
    assert len(checked(found, Person)) == 1198


def test_ddatshr_imports_through_a_map_of_its_columns(data: Path) -> None:
    """The same historic readings, by a person's own map: a column, a unit, a zone, whose rows."""
    path = data / "t1d/ddatshr/Abbott.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    columns = {"time": "Local datetime [ISO8601]", "glucose": "Historic Glucose [mmol/l]"}
    where = {"Subject code number": "903", "Record Type": "0"}
    by_map = csv(path, columns, {"glucose": "mmol/L"}, timezone="Europe/Amsterdam", where=where)
    own = [(i.at, i.value) for i in ddatshr(path, "903").read() if (i.by.field or "").startswith("Historic")]
    assert [(item.at, item.value) for item in by_map.read()] == own


def moments(source: Source) -> list[Time]:
    return [item.at for item in source.read()]


def test_a_table_may_be_in_another_encoding(tmp_path: Path) -> None:
    """With a mark, or as UTF-16 of a spreadsheet program."""
    text = (FOLDER / "libreview.csv").read_text()
    for encoding in ("utf-8-sig", "utf-16"):
        raw = io.StringIO(text).read().encode(encoding)
        path = written(tmp_path, "x.csv", raw)
        assert format_of(path) == "LibreView"
        assert moments(detect(path, "Europe/London")) == moments(source_of("libreview.csv"))
