"""`streams.nightscout`: every shape a site writes, and nothing that is not what the person did."""

from __future__ import annotations

import copy
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.facts import HOUR, MINUTE, time_of
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.streams import UNITS
from gemel.streams import Item, Report, Source, collect, key_of, nightscout, withdraws
from gemel.streams.long_acting import is_long_acting
from gemel.testing.streams import SourceContract

FOLDER = Path(__file__).parent / "data" / "nightscout"
NINE = time_of("2026-03-29T09:00:00Z")


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def said(items: list[Item], name: str) -> list[tuple[float, int]]:
    return [(item.value, item.at - NINE) for item in items if item.name == name and not item.retracted]


def sgv(at: int, value: object = 120, **more: object) -> dict[str, object]:
    return {"type": "sgv", "sgv": value, "date": at, **more}


class TestContract(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self) -> Source:
        return nightscout(FOLDER)


def test_readings_and_finger_sticks_are_glucose_and_error_codes_are_not() -> None:
    """sgv, mbg and a finger stick in mmol/L come with the unit as found; sensor code 5 is no glucose."""
    report = Report()
    found = [item for item in nightscout(FOLDER).read(report) if item.name == "glucose"]
    assert [(item.value, item.unit) for item in found] == [
        (126, "mg/dL"), (120, "mg/dL"), (6.7, "mmol/L"), (131, "mg/dL"),
    ]  # fmt: skip
    assert report.warnings["a sensor's error code in place of a glucose value is skipped"] == 1
    assert report.warnings["an entry without a glucose value is skipped"] == 1
    assert report.warnings["Note: not used"] == 1


def meter(value: object, **more: object) -> dict[str, object]:
    return {"type": "mbg", "mbg": value, "date": NINE, **more}


@pytest.mark.parametrize(("code", "told"), [(601, 600), (605, 600), (19, 20), (1, 20), (600, 600), (34, 34)])
def test_a_meter_off_its_scale_is_told_as_the_end_of_it(tmp_path: Path, code: int, told: float) -> None:
    """601 to 605 stand for HI, whole numbers below 20 for LO; a sensor's readings beside it are no reason to refuse it."""
    source = nightscout(written(tmp_path, "e.json", [meter(code), *(sgv(NINE + k * MINUTE) for k in range(1, 9))]))
    found = collect(source, Person)
    assert found.items[0].value == pytest.approx(told, abs=0.01)
    warning = f"a meter's reading of {code} is off its scale: it is imported as {told:g} mg/dL"
    assert found.report.warnings == ({} if code == told else {warning: 1})


def test_a_meters_zero_is_left_out_and_no_other_number_is_guessed(tmp_path: Path) -> None:
    """0 is no reading; 2000, 606 and 7.8 are refused as before: nobody knows what they mean; 7 mmol/L is a reading."""
    report = Report()
    assert list(nightscout(written(tmp_path, "e.json", [meter(0)])).read(report)) == []
    assert report.warnings == {"a meter's 0 in place of a glucose value is skipped": 1}
    for value in (2000, 606, 7.8):
        with pytest.raises(BadInput, match=rf"glucose of {value:g} mg/dL is outside 20 to 600"):
            collect(nightscout(written(tmp_path, "e.json", [meter(value)])), Person)
    mmol = list(nightscout(written(tmp_path, "e.json", [meter(7, units="mmol")])).read())
    assert [(item.value, item.unit) for item in mmol] == [(7, "mmol/L")]


LANTUS, RAPID = {"insulin": "Lantus", "units": 22.0}, {"insulin": "Novorapid", "units": 5.0}
SLOW, PRIMED = "long-acting insulin: not used", "insulin that primed a pump: not used"


@pytest.mark.parametrize(
    ("fields", "units", "warnings"),
    [
        ({"insulin": 22, "insulinInjections": json.dumps([LANTUS])}, [], [SLOW]),
        ({"insulin": 27, "insulinInjections": json.dumps([RAPID, LANTUS])}, [5], [SLOW]),
        ({"insulin": 27, "insulinInjections": [RAPID, LANTUS]}, [5], [SLOW]),
        ({"insulin": 5, "insulinInjections": json.dumps([RAPID])}, [5], []),
        ({"insulin": 6, "insulinInjections": json.dumps([RAPID])}, [6], []),
        ({"insulinInjections": json.dumps([RAPID])}, [5], []),
        ({"insulin": 5, "insulinInjections": "[]"}, [5], []),
        ({"insulin": 18, "isBasalInsulin": True, "type": "NORMAL"}, [], [SLOW]),
        ({"insulin": 2, "isBasalInsulin": False, "type": "NORMAL"}, [2], []),
        ({"insulin": 1.2, "type": "PRIMING"}, [], [PRIMED]),
        ({"insulin": 1.2, "type": "Priming"}, [], [PRIMED]),
    ],
)
def test_long_acting_and_priming_insulin_is_no_bolus(
    tmp_path: Path, fields: dict[str, object], units: list[float], warnings: list[str]
) -> None:
    """What xDrip+ names and what AndroidAPS marks is left out and reported; the rapid part and the meal stay."""
    treatment = {"eventType": "Meal Bolus", "carbs": 30, "date": NINE, "_id": "a", **fields}
    report = Report()
    items = list(nightscout(written(tmp_path, "t.json", [treatment])).read(report))
    assert said(items, "bolus") == [(one, 0) for one in units]
    assert said(items, "carbs") == [(30, 0)]
    assert list(report.warnings) == warnings


@pytest.mark.parametrize(
    "told", ["[", "3", '"Lantus"', "[3]", '[{"units": 22}]', '[{"insulin": "Lantus"}]', '[{"insulin": 1, "units": -2}]',
             "[" * 9999, 7, {"insulin": "Lantus", "units": 22}]
)  # fmt: skip
def test_injections_that_cannot_be_read_leave_what_insulin_says(tmp_path: Path, told: object) -> None:
    """It is taken as before, and the report says so."""
    treatment = {"eventType": "<none>", "insulin": 22, "insulinInjections": told, "date": NINE}
    report = Report()
    assert said(list(nightscout(written(tmp_path, "t.json", [treatment])).read(report)), "bolus") == [(22, 0)]
    assert list(report.warnings) == [
        "a list of injections that cannot be read: all their insulin is taken to be rapid-acting"
    ]


def test_long_acting_insulin_that_was_deleted_is_taken_back(tmp_path: Path) -> None:
    """It may have been imported as a bolus before long-acting insulin was told apart."""
    gone = {"eventType": "<none>", "insulin": 18, "isBasalInsulin": True, "isValid": False, "date": NINE, "_id": "a"}
    items = list(nightscout(written(tmp_path, "t.json", [gone])).read())
    assert [(item.retracted, withdraws(item)) for item in items] == [(True, "a|bolus")]


@pytest.mark.parametrize(
    ("name", "slow"),
    [
        *((name, True) for name in (
            "Lantus", "BASAGLAR", "Abasaglar", "Toujeo (long acting)", "Semglee", "Rezvoglar", "insulin glargine-yfgn",
            "Levemir", "Tresiba U200", "Insulatard", "Humulin N", "Novolin N", "Protaphane", "Huminsulin Basal", "NPH",
            "Insulin isophane", "Awiqli", "A10AE04",
        )),
        *((name, False) for name in (
            "Novorapid", "Novolog", "Humalog", "Liprolog", "Lispro", "Fiasp", "Lyumjev", "Apidra", "Actrapid", "Afrezza",
            "Humulin R", "Novolin R", "Huminsulin Normal", "insulin aspart", "A10AB05", "",
        )),
    ],
)  # fmt: skip
def test_long_acting_insulins_are_known_by_brand_and_substance(name: str, slow: bool) -> None:
    """And no rapid-acting one is taken for one."""
    assert is_long_acting(name) is slow


def test_the_latest_version_of_a_record_counts_and_copies_are_dropped() -> None:
    """The meal was corrected to 60 g; one bolus was sent twice under two ids, and the first made stays."""
    report = Report()
    items = list(nightscout(FOLDER).read(report))
    assert said(items, "carbs") == [(60, 55 * MINUTE)]
    assert said(items, "bolus") == [(1.0, 53 * MINUTE + 20_000), (4.5, 55 * MINUTE)]
    assert [item.source_id for item in items if item.value == 1.0 and item.name == "bolus"] == ["double-1"]
    assert report.duplicates == 2


def test_what_was_deleted_at_the_source_is_taken_back() -> None:
    """isValid=false becomes a retracted item that names the key it withdraws; local time with utcOffset is read."""
    gone = [item for item in nightscout(FOLDER).read() if item.retracted]
    assert [(item.name, item.value, item.at) for item in gone] == [("carbs", 15, time_of("2026-03-29T09:58:00Z"))]
    assert (key_of(gone[0]), withdraws(gone[0])) == ("gone-1|carbs|retracted", "gone-1|carbs")


def test_temporary_rates_override_the_schedule_in_local_time() -> None:
    """08:00Z is 10:00 in Madrid (1.0 U/h); 0 then 50 % of it; 11:45 is 09:45Z, half of 1.2; the plan ends at 10:20Z."""
    report = Report()
    items = list(nightscout(FOLDER).read(report))
    assert said(items, "basal") == [
        (1.0, -HOUR), (0, 0), (0.5, 20 * MINUTE), (0.6, 45 * MINUTE),
    ]  # fmt: skip
    assert report.warnings["a temporary basal rate runs beyond the last record; its end is not imported"] == 1


def profile(zone: str, *basal: tuple[str, float]) -> dict[str, object]:
    rows = [{"time": time, "value": value} for time, value in basal]
    return {
        "defaultProfile": "d",
        "startDate": "1970-01-01T00:00:00Z",
        "store": {"d": {"timezone": zone, "basal": rows}},
    }


@pytest.mark.parametrize(
    ("day", "changes"),
    [
        ("2026-03-29", {"2026-03-28T23:00Z": 1.0, "2026-03-29T01:00Z": 2.0}),  # 02:30 is skipped: 03:00 comes at once
        (
            "2026-10-25",
            {"2026-10-24T22:00Z": 1.0, "2026-10-25T00:30Z": 2.0, "2026-10-25T01:00Z": 1.0, "2026-10-25T01:30Z": 2.0},
        ),
        ("2026-06-01", {"2026-05-31T22:00Z": 1.0, "2026-06-01T00:30Z": 2.0}),
    ],
)
def test_a_schedule_follows_the_wall_clock(tmp_path: Path, day: str, changes: dict[str, float]) -> None:
    """On the short day a change in the lost hour comes with the jump, on the long one it comes twice."""
    start = time_of(min(changes))
    path = written(tmp_path, "entries.json", [sgv(start), sgv(start + 10 * HOUR)])
    plan = written(tmp_path, "profile.json", [profile("Europe/Madrid", ("00:00", 1.0), ("02:30", 2.0))])
    found = {item.at: item.value for item in nightscout(path, plan).read() if item.name == "basal"}
    assert found == {time_of(at): rate for at, rate in changes.items()}


def test_a_later_temporary_rate_cuts_an_earlier_one(tmp_path: Path) -> None:
    """Each lasts until its end or the next; duration 0 cancels; equal rates in a row are one."""

    def temp(minute: int, rate: float | None, duration: float) -> dict[str, object]:
        return {"eventType": "Temp Basal", "rate": rate, "duration": duration, "date": NINE + minute * MINUTE}

    treatments = [temp(0, 0.5, 30), temp(10, 0.5, 30), temp(20, 2.0, 30), temp(30, None, 0), {**sgv(NINE + 2 * HOUR)}]
    path = written(tmp_path, "treatments.json", treatments)
    plan = written(tmp_path, "profile.json", [profile("ETC/GMT+3", ("00:00", 1.0))])
    assert said(list(nightscout(path, plan).read()), "basal") == [(0.5, 0), (2.0, 20 * MINUTE), (1.0, 30 * MINUTE)]


def test_percent_without_a_profile_is_skipped_and_counted(tmp_path: Path) -> None:
    """Nothing says of what: no rate is made up."""
    temp = {"eventType": "Temp Basal", "percent": -50, "duration": 30, "date": NINE}
    path, report = written(tmp_path, "treatments.json", [temp]), Report()
    assert list(nightscout(path).read(report)) == []
    assert report.warnings["a temporary basal rate in percent is skipped: no profile says of what"] == 1


def test_a_profile_switch_scales_the_schedule_for_its_time(tmp_path: Path) -> None:
    """150 % for an hour, then back."""
    switch = {"eventType": "Profile Switch", "profile": "d", "percentage": 150, "duration": 60, "date": NINE + HOUR}
    records = [sgv(NINE), sgv(NINE + 3 * HOUR), switch, profile("UTC", ("00:00", 1.0))]
    path = written(tmp_path, "all.json", records)
    assert said(list(nightscout(path).read()), "basal") == [(1.0, 0), (1.5, HOUR), (1.0, 2 * HOUR)]


def test_a_suspended_pump_gives_nothing_until_it_resumes(tmp_path: Path) -> None:
    """Suspend and resume are rates too."""
    pump = [{"eventType": name, "date": NINE + at * HOUR} for name, at in (("Suspend Pump", 1), ("Resume Pump", 2))]
    path = written(tmp_path, "all.json", [sgv(NINE), sgv(NINE + 3 * HOUR), *pump, profile("UTC", ("00:00", 1.0))])
    assert said(list(nightscout(path).read()), "basal") == [(1.0, 0), (0.0, HOUR), (1.0, 2 * HOUR)]


def test_two_sensor_values_of_one_moment_the_last_modified_counts(tmp_path: Path) -> None:
    """A recalibrated value replaces the first."""
    entries = [sgv(NINE, 120, identifier="a", srvModified=NINE), sgv(NINE, 128, identifier="b", srvModified=NINE + 1)]
    assert [item.value for item in nightscout(written(tmp_path, "e.json", entries)).read()] == [128]


def test_a_database_dump_and_a_single_record_are_read(tmp_path: Path) -> None:
    """{"$oid": …} is an id, and one record needs no list."""
    path = written(tmp_path, "e.json", sgv(NINE, _id={"$oid": "abc"}, units="mmol", isReadOnly=True) | {"sgv": 6.5})
    assert [key_of(item) for item in nightscout(path).read()] == ["abc|glucose"]


@given(st.permutations(range(9)))
def test_the_order_of_an_export_does_not_matter(order: list[int]) -> None:
    """Keys and items are the same however the records are shuffled."""
    records = json.loads((FOLDER / "treatments.json").read_text())["result"]
    with tempfile.TemporaryDirectory() as folder:
        shuffled = written(Path(folder), "t.json", [records[i] for i in order])
        plan = FOLDER / "profile.json"
        first = list(nightscout(FOLDER / "treatments.json", plan).read())
        second = list(nightscout(shuffled, plan).read())
    assert {(key_of(i), i.value, i.at) for i in first} == {(key_of(i), i.value, i.at) for i in second}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("time;glucose\n", "is not JSON, or cut off"),
        ('[{"sgv": 1', "is not JSON, or cut off"),
        ("[]", "holds no Nightscout"),
        ('{"sgv": 1}\n{"sgv": 2}\n', "row 2: holds more than one JSON value, such as one record a line"),
        ("3", "holds no list of Nightscout records"),
        ("[3]", "row 1: a Nightscout record is an object"),
        ('[{"sgv": NaN, "date": 1774778400000}]', "NaN is not a number"),
        ('[{"sgv": 1e999, "date": 1774778400000}]', "is not a finite number"),
        ('[{"sgv": 120}]', "row 1: has no time"),
        ('[{"sgv": 120, "date": 1774778400}]', "are these seconds?"),
        ('[{"sgv": 120, "dateString": "2026-03-29T10:00:00"}]', "say which timezone="),
        ('[{"sgv": 120, "dateString": "yesterday"}]', "is not ISO 8601"),
        ('[{"sgv": 120, "date": 1774778400000, "units": "mol"}]', "unknown unit of glucose 'mol'"),
        ('[{"sgv": "12O", "date": 1774778400000}]', "field 'sgv': '12O' is not a number"),
        ('[{"eventType": "Bolus", "insulin": -1, "date": 1774778400000}]', "field 'insulin': -1 is negative"),
        ('[{"eventType": "Temp Basal", "absolute": 1, "date": 1774778400000}]', "needs a duration"),
        ('[{"eventType": "Temp Basal", "percent": -101, "duration": 1, "date": 1774778400000}]', "less than -100"),
        ('[{"defaultProfile": "x", "startDate": "1970", "store": {}}]', "profile 'x' is not in its store: empty"),
    ],
)
def test_what_is_wrong_is_named_with_file_row_and_field(tmp_path: Path, content: str, problem: str) -> None:
    """The message says what and where; nothing is imported."""
    path = written(tmp_path, "entries.json", content)
    with pytest.raises(BadInput) as caught:
        list(nightscout(path).read())
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_zone_and_a_missing_file_are_named(tmp_path: Path) -> None:
    """So are arguments."""
    with pytest.raises(BadInput, match="unknown time zone 'Europe/Madird'"):
        nightscout(tmp_path / "e.json", timezone="Europe/Madird")
    with pytest.raises(BadInput, match="there is no such file"):
        list(nightscout(tmp_path / "e.json").read())
    with pytest.raises(BadInput, match=r"no \.json files in this folder"):
        list(nightscout(tmp_path).read())
    with pytest.raises(BadInput, match="no Nightscout file named"):
        nightscout()


@pytest.mark.parametrize("name", ["entries.json", "treatments.json", "profile.json"])
def test_any_truncation_is_bad_input_or_a_full_parse(tmp_path: Path, name: str) -> None:
    """A download that broke off at any byte is never a traceback, and never half an import."""
    whole = (FOLDER / name).read_bytes()
    path = tmp_path / name
    complete = list(nightscout(FOLDER / name).read())
    for size in range(0, len(whole), 5):
        path.write_bytes(whole[:size])
        try:
            found = list(nightscout(path).read())
        except BadInput:
            continue
        assert [(key_of(item), item.value) for item in found] == [(key_of(item), item.value) for item in complete]


def fields_of(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the path to every value inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in fields_of(one, (*path, key)))]


RECORDS = [
    *json.loads((FOLDER / "entries.json").read_text()),
    *json.loads((FOLDER / "treatments.json").read_text())["result"],
    *json.loads((FOLDER / "profile.json").read_text()),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["-1", "1e400", "Temp Basal"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["$oid", "basal"]), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(fields_of(RECORDS)[1:]), JSON, st.integers(0, 3))
def test_any_corrupted_field_is_bad_input_or_valid_items(where: tuple[object, ...], value: object, how: int) -> None:
    """Whatever one field becomes, there is a clear error or there are finite items with a time and a place."""
    records = copy.deepcopy(RECORDS)
    target: Any = records
    for key in where[:-1]:
        target = target[key]
    target[where[-1]] = value
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "all.json", json.dumps(records))
        try:
            found = list(nightscout(path, timezone="UTC" if how else None).read())
        except BadInput as problem:
            assert str(path) in str(problem)
            return
    assert all(math.isfinite(item.value) and item.by.row and item.name in UNITS for item in found)
