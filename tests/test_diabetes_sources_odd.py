"""`gemel.packs.diabetes.sources` and what devices write against the rules: totals as doses, LO as a number, XML that is none."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from test_diabetes_sources import FOLDER, LATER, said, source_of, warned, written

from gemel.errors import BadInput
from gemel.facts import HOUR, iso, time_of
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.sources import apple_health, carelink, detect, tidepool
from gemel.packs.diabetes.sources.apple_xml import CHUNK, mended
from gemel.streams import collect, key_of

START = time_of("2026-05-01T00:00:00Z")

# CareLink

PUMP = "-------;MiniMed 780G;Pump;MADE0001;{}\nIndex;Date;Time;Basal Rate (U/h);Bolus Volume Delivered (U);Bolus Source;Suspend\n"


def pump(folder: Path, *rows: str, totals: tuple[str, ...] = ()) -> Path:
    """Write a pump's rows, and the daily totals of its auto mode, as CareLink does."""
    parts = [PUMP.format("-------"), *rows, PUMP.format("Aggregated Auto Insulin Data"), *totals]
    return written(folder, "carelink.csv", "\n".join(part.strip() for part in parts) + "\n")


def test_a_days_total_of_automatic_insulin_is_no_bolus(tmp_path: Path) -> None:
    """27.895 U at midnight were given through the day; the small doses of auto mode that have a row are doses."""
    rows = (
        "1;2026/07/28;08:00:00;;0,2;CLOSED_LOOP_MICRO_BOLUS;", "2;2026/07/28;08:05:00;;0,1;CLOSED_LOOP_AUTO_BASAL;",
        "3;2026/07/28;09:00:00;;0,8;CLOSED_LOOP_BG_CORRECTION;", "4;2026/07/28;12:00:00;;5,0;MANUAL;",
    )  # fmt: skip
    totals = tuple(f"{day};2026/07/{day};00:00:00;;27,895;CLOSED_LOOP_AUTO_INSULIN;" for day in (27, 28))
    source = carelink(pump(tmp_path, *rows, totals=totals), "UTC")
    assert [value for value, _ in said(source, "bolus")] == [0.2, 0.1, 0.8, 5]
    assert warned(source) == {"automatic insulin, a total of a day: not used": 2}


def test_a_days_total_may_stand_at_a_midnight_that_never_was(tmp_path: Path) -> None:
    """In Santiago the clocks skip midnight in spring; a total is of no moment, so its time is not asked about."""
    total = "1;2026/09/06;00:00:00;;30,1;CLOSED_LOOP_AUTO_INSULIN;"
    path = pump(tmp_path, "2;2026/09/06;12:00:00;;5,0;MANUAL;", totals=(total,))
    assert said(carelink(path, "America/Santiago"), "bolus") == [(5, "09-06T15:00")]


def test_a_pump_that_kept_to_its_rates_is_read(tmp_path: Path) -> None:
    """Neither a temporary rate nor a suspend in the whole export."""
    path = pump(tmp_path, "1;2026/07/28;00:00:00;0,8;;;", "2;2026/07/28;06:00:00;1,1;;;")
    assert said(carelink(path, "UTC"), "basal") == [(0.8, "07-28T00:00"), (1.1, "07-28T06:00")]


# where basal ends


def records(folder: Path, *found: dict[str, Any]) -> Path:
    """Write Tidepool's records; `at` is when, in h."""
    told = [{**one, "id": str(k), "time": iso(START + round(one["at"] * HOUR))} for k, one in enumerate(found)]
    return written(folder, "tidepool.json", json.dumps(told))


@pytest.mark.parametrize(("hours", "warnings"), [
    (4.9, {}), (5.1, {"no basal rate is told after 2026-05-01T02:00:00Z: the last one is taken to hold": 1}),
])  # fmt: skip
def test_it_is_said_where_the_record_of_basal_ends(tmp_path: Path, hours: float, warnings: dict[str, int]) -> None:
    """At two, while the sensor goes on for more than three hours; no rate is made up."""
    basal = {"type": "basal", "rate": 0.9, "duration": 2 * HOUR, "at": 0}
    source = tidepool(records(tmp_path, basal, {"type": "cbg", "value": 6.5, "at": hours}))
    assert (warned(source), said(source, "basal")) == (warnings, [(0.9, "05-01T00:00")])


def test_apple_health_says_so_too(tmp_path: Path) -> None:
    """Of Loop's last rate, when the watch goes on counting."""
    text = (FOLDER / "export.xml").read_text().replace("08:03:00 +0100", "12:03:00 +0100")
    told = warned(apple_health(written(tmp_path, "export.xml", text)))
    assert told["no basal rate is told after 2026-04-01T07:30:00Z: the last one is taken to hold"] == 1


# LO and HI as numbers

USUAL: list[dict[str, Any]] = [{"type": "cbg", "value": 7.5, "at": k / 12} for k in range(12)]
MARKED: dict[str, Any] = {"units": "mg/dL", "annotations": json.dumps([{"code": "bg/out-of-range", "value": "low"}])}


@pytest.mark.parametrize(("value", "more", "expected", "warnings"), [
    (33.36, {}, 600, ["a reading is 601 mg/dL, as meters tell HI: it is imported as 600 mg/dL"]),
    (605 / 18.01559, {}, 600, ["a reading is 605 mg/dL, as meters tell HI: it is imported as 600 mg/dL"]),
    (601, {"units": "mg/dL"}, 600, ["a reading is 601 mg/dL, as meters tell HI: it is imported as 600 mg/dL"]),
    (600 / 18.01559, {}, 600, []),
    (19 / 18.01559, {}, 20, ["a reading is 19 mg/dL, as meters tell LO: it is imported as 20 mg/dL"]),
    (19, MARKED, 20, ["a reading is 19 mg/dL, as meters tell LO: it is imported as 20 mg/dL"]),
    (1.1, {}, 20, []),
    (1.2, {}, 1.2 * 18.018, []),
])  # fmt: skip
@pytest.mark.parametrize("usual", ["mmol/L", "mg/dL"])
def test_a_meters_lo_and_hi_are_the_ends_of_its_scale(
    tmp_path: Path, usual: str, value: float, more: dict[str, Any], expected: float, warnings: list[str]
) -> None:
    """Tidepool tells them as one beyond; whatever unit the others are in, and its 18.01559 mg/dL are our 18.018."""
    others = USUAL if usual == "mmol/L" else [{**one, "value": 135, "units": usual} for one in USUAL]
    found = collect(tidepool(records(tmp_path, *others, {"type": "smbg", "value": value, "at": 9, **more})), Person)
    assert (found.items[-1].value, list(found.report.warnings)) == (expected, warnings)


@pytest.mark.parametrize(("value", "more"), [
    (2000 / 18.01559, {}), (35, {}), (2000, MARKED), (606, {"units": "mg/dL"}), (0, {}), (0.02, {}),
    (19, {"units": "mg/dL"}), (5.5, {"units": "mg/dL"}), (1e308, {}),
])  # fmt: skip
def test_what_no_meter_says_is_still_refused(tmp_path: Path, value: float, more: dict[str, Any]) -> None:
    """Too far off, or low in mg/dL without a word on it: that may be a number in mmol/L."""
    path = records(tmp_path, *USUAL, {"type": "smbg", "value": value, "at": 9, **more})
    with pytest.raises(BadInput, match="outside 20 to 600"):
        collect(tidepool(path), Person)


@pytest.mark.parametrize(("name", "old", "new"), [
    ("export.xml", 'value="118"', 'value="601"'), ("open_mhealth.json", '"value": 105', '"value": 601'),
    ("carelink.csv", ";;7,2;;", ";;33,4;;"), ("libreview.csv", ",1,,7.2,", ",1,,33.4,"),
    ("fhir.json", '"value": 142', '"value": 601'),
])  # fmt: skip
def test_so_are_those_of_other_sources(tmp_path: Path, name: str, old: str, new: str) -> None:
    """A finger stick of 601 mg/dL, or 33.4 mmol/L, is no reason to refuse a year."""
    text = (FOLDER / name).read_text()
    assert old in text
    found = collect(detect(written(tmp_path, name, text.replace(old, new)), "UTC"), Person, now=LATER)
    assert max(item.value for item in found.items if item.name == "glucose") == 600


# Apple's XML

IOS_16 = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|VisionPrescription)*)>
<!ELEMENT VisionPrescription ((RightEye|LeftEye)*, MetadataEntry*)>
<!ATTLIST VisionPrescription
  type CDATA #REQUIRED
  brand CDATA #IMPLIED
<!ELEMENT RightEye EMPTY>
<!ATTLIST RightEye
  sphere CDATA #IMPLIED
>
>
]>"""


def ios_16() -> str:
    """Return an export with the DOCTYPE of iOS 16 and with control characters in a name."""
    text = (FOLDER / "export.xml").read_text()
    before, after = text.index("<!DOCTYPE"), text.index("]>") + 2
    return text[:before] + IOS_16 + text[after:].replace('"CGM"', '"C\x0bG\x00M\x1f"')


def test_an_export_of_ios_16_says_what_any_other_says(tmp_path: Path) -> None:
    """Though its DOCTYPE is no XML, and a name holds what no XML may hold."""
    path = written(tmp_path, "export.xml", ios_16())
    assert [key_of(item) for item in detect(path).read()] == [key_of(item) for item in source_of("export.xml").read()]


def test_rows_are_counted_as_the_file_has_them(tmp_path: Path) -> None:
    """What is passed over leaves its lines."""
    text = ios_16().replace('unit="count/min"', 'unit="count/min" x="\x0c"').replace('value="30"/', 'value="thirty"/')
    path = written(tmp_path, "export.xml", text)
    with pytest.raises(BadInput, match="'thirty' is not a number") as caught:
        list(apple_health(path).read())
    assert caught.value.row == text[: text.index("thirty")].count("\n") + 1


class Pieces(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    few = 1

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.few)


@pytest.mark.parametrize("few", range(1, 40))
def test_it_does_not_matter_where_a_piece_ends(few: int) -> None:
    """In the middle of a DOCTYPE, of its end, of a name."""
    pieces = Pieces(ios_16().encode())
    pieces.few = few
    assert b"".join(mended(pieces)) == b"".join(mended(io.BytesIO(ios_16().encode())))


def test_a_file_that_ends_too_soon_is_still_called_so(tmp_path: Path) -> None:
    """Within the DOCTYPE or after it, and whatever is in it."""
    whole = ios_16().encode()
    for size in range(1, len(whole) - len("</HealthData>\n"), 23):
        with pytest.raises(BadInput, match="is no XML, or cut off"):
            list(apple_health(written(tmp_path, "export.xml", whole[:size])).read())


@pytest.mark.parametrize(
    "doctype", ["<!DOCTYPE HealthData>", '<!DOCTYPE HealthData SYSTEM "x.dtd">', "<!DOCTYPE a [] >", ""]
)
def test_a_doctype_may_be_short_or_none(tmp_path: Path, doctype: str) -> None:
    """Nothing after it is taken for a part of it."""
    text = ios_16().replace(IOS_16, doctype)
    assert len(list(apple_health(written(tmp_path, "export.xml", text)).read())) == len(
        list(source_of("export.xml").read())
    )


def test_a_doctype_that_never_ends_is_not_held_whole(tmp_path: Path) -> None:
    """Nor is any file without a first element: after 1 MiB it is left to be refused."""
    path = written(tmp_path, "export.xml", "<!DOCTYPE HealthData [\n" + "<!-- more -->\n" * 2_000_000)
    tracemalloc.start()
    with path.open("rb") as stream:
        longest = max(len(piece) for piece in mended(stream))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert longest <= (1 << 20) + CHUNK
    assert most < path.stat().st_size / 4


# tables that are no text, or in another language

GERMAN = "Gerät,Seriennummer,Gerätezeitstempel,Aufzeichnungstyp,Glukosewert-Verlauf mg/dL\nL,1,01-09-2026 00:05,0,100\n"


@pytest.mark.parametrize(("raw", "problem"), [
    (b"", "the file is empty"), (b"\xef\xbb\xbf", "the file is empty"), (b"\xef\xbb\xbf\r\n", "the file is empty"),
    ("Device,Serial Number\n".encode("utf-16-le"), "is no text, or UTF-16 without a mark: save it as UTF-8"),
    (b"a,b\n\x81,\xff\n", "row 2: is not utf-8-sig text; if it is an older Windows file, say encoding='cp1252', else save it"),
    (GERMAN.encode(), "row 1: no header that is known; Clarity, LibreView and CareLink are read in English: set the account's"),
    (GERMAN.encode("cp1252"), "can be read with a map of its columns (--map)"),
])  # fmt: skip
def test_why_a_table_cannot_be_read_is_said(tmp_path: Path, raw: bytes, problem: str) -> None:
    """The true reason, and what can be done."""
    with pytest.raises(BadInput) as caught:
        detect(written(tmp_path, "glucose.csv", raw))
    assert problem in str(caught.value)


def named(folder: Path, name: str, encoding: str) -> Path:
    """Write an export of a person whose name is no ASCII, as a spreadsheet program saves it."""
    text = (FOLDER / name).read_text()
    assert "Made" in text
    return written(folder, name, text.replace("Made", "Zoë").encode(encoding))


CP1252 = "the table is no UTF-8: it is read as cp1252, in which Excel on Windows saves"


@pytest.mark.parametrize("name", ["clarity.csv", "libreview.csv", "carelink.csv", "tandem.csv"])
def test_a_table_that_excel_saved_again_is_read(tmp_path: Path, name: str) -> None:
    """In cp1252, which is said; else it says what it said."""
    found = {}
    for encoding in ("cp1252", "utf-8"):
        source = detect(named(tmp_path, name, encoding), "Europe/London")
        found[encoding] = [key_of(item) for item in source.read()], warned(source)
    assert found["cp1252"] == (found["utf-8"][0], found["utf-8"][1] | {CP1252: 1})


def test_so_is_a_table_with_our_names(tmp_path: Path) -> None:
    """A column of notes beside them is no hindrance."""
    path = written(tmp_path, "own.csv", "time;glucose;Notiz\n2026-03-01T08:00Z;120;Frühstück\n".encode("cp1252"))
    assert said(detect(path), "glucose") == [(120, "03-01T08:00")]
    assert warned(detect(path)) == {CP1252: 1, "columns not used: Notiz": 1}
