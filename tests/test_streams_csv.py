"""`streams.csv`: tables as people export them, read as they are meant, or refused with the row that is wrong."""

from __future__ import annotations

import csv as text_table
import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.facts import MINUTE, iso, time_of
from gemel.packs.diabetes.streams import UNITS, detect
from gemel.streams import Report, Source, csv, csv_by, key_of, read_map
from gemel.testing.streams import SourceContract

COLUMNS = {"time": "time", "glucose": "glucose", "carbs": "carbs"}
GRAMS = {"glucose": "mg/dL", "carbs": "g"}
PLAIN = "time,glucose,carbs,mood\n2026-03-01T08:00Z,120,,fine\n2026-03-01T08:05Z,125,45,\n"
DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def written(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(source: Source) -> list[tuple[str, float, str]]:
    return [(item.name, item.value, iso(item.at)[5:16]) for item in source.read()]


class TestWide(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return csv(written(tmp_path, PLAIN), COLUMNS, GRAMS)


class TestLong(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        table = "when,what,how much,in,no\n2026-03-01T08:00Z,CGM,7.2,mmol/L,a1\n2026-03-01T08:00Z,meal,45,g,a2\n"
        columns = {"time": "when", "name": "what", "value": "how much", "unit": "in", "id": "no"}
        names = {"CGM": "glucose", "meal": "carbs"}
        return csv(written(tmp_path, table), columns, layout="long", names=names)

    def test_units_and_ids_come_from_the_rows(self, source: Source) -> None:
        """A long table says unit and id per row."""
        assert [(key_of(item), item.unit) for item in source.read()] == [
            ("a2|carbs", "g"), ("a1|glucose", "mmol/L"),
        ]  # fmt: skip


def test_columns_that_are_not_used_are_reported(tmp_path: Path) -> None:
    """Nothing is left out in silence."""
    report = Report()
    assert len(list(csv(written(tmp_path, PLAIN), COLUMNS, GRAMS).read(report))) == 3
    assert list(report.warnings) == ["columns not used: mood"]


@pytest.mark.parametrize(
    "content",
    [
        "time;glucose;carbs\n01.03.2026 08:00;7,8;45\n",
        "\ufefftime\tglucose\tcarbs\n01.03.2026 08:00\t7,8\t45\n",
        'time,glucose,carbs\n01.03.2026 08:00,"7,8",45\n',
        "Meter of Ana\n\ntime|glucose|carbs|\n01.03.2026 08:00|7.8|45|\n",
        "time;glucose;carbs\r\n01.03.2026 08:00;7,8;45\r\n".encode("utf-16"),
    ],
)
def test_delimiters_decimal_commas_preambles_and_marks_are_understood(tmp_path: Path, content: str | bytes) -> None:
    """Spanish and German exports, Excel's text files, a line of chatter before the header."""
    units = {"glucose": "mmol/L", "carbs": "g"}
    path = written(tmp_path, content)
    source = csv(path, COLUMNS, units, timezone="Europe/Madrid", time_format="%d.%m.%Y %H:%M")
    assert said(source) == [("carbs", 45, "03-01T07:00"), ("glucose", 7.8, "03-01T07:00")]


def test_the_hour_that_comes_twice_is_read_in_order(tmp_path: Path) -> None:
    """A file that runs through the end of summer time is one hour longer; a lone time is the earlier one."""
    rows = "".join(f"2026-10-25T{at},100\n" for at in ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00"))
    path = written(tmp_path, "time,glucose\n" + rows)
    columns = {"time": "time", "glucose": "glucose"}
    times = [item.at for item in csv(path, columns, GRAMS, timezone="Europe/Madrid").read()]
    assert [at - times[0] for at in times] == [n * 30 * MINUTE for n in range(6)]
    assert times[0] == time_of("2026-10-25T01:30+02:00")


def table(*rows: str) -> str:
    return "\n".join(("time,glucose,carbs", *rows, ""))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        ("when,glucose\n1,2\n", "row 1: no column carbs, time; this table has when, glucose"),
        (table("2026-03-01T08:00Z,abc,"), "row 2, field 'glucose': 'abc' is not a number"),
        (table("2026-03-01T08:00Z,NaN,"), "'NaN' is not a number"),
        (table("2026-03-01T08:00Z,1e999,"), "is not a finite number"),
        (table('2026-03-01T08:00Z,"1,234",'), "may be read in two ways"),
        (table("2026-03-01T08:00,120,"), "field 'time': time 2026-03-01T08:00:00 has no offset: say which timezone="),
        (table("2026-13-01T08:00Z,120,"), "is not ISO 8601"),
        (table("2026-03-01T08:00Z,120,", "2026-03-01T07:00Z,120,"), "row 3, field 'glucose': time runs backwards"),
        (table("2026-03-01T08:00Z,120,", "2026-03-01T08:00Z,130,"), "is 130 here and 120 in row 2"),
        (table("2026-03-01T08:00Z,120"), "row 2: has 2 fields where the header has 3; is the file cut off?"),
        (table("2026-03-01T08:00Z,120,5,9"), "row 2: has 4 fields"),
        (table('2026-03-01T08:00Z,"120,5'), "is not a table"),
        ("time,glucose,glucose,carbs\n2026-03-01T08:00Z,1,2,3\n", "two columns have this name"),
        (table("2026-03-01T08:00Z,120,45").encode() + b"\xf1,,\n", "row 3: is not utf-8-sig text; if it is an older"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path: Path, content: str | bytes, problem: str) -> None:
    """The message says what and where; nothing is imported."""
    path = written(tmp_path, content)
    with pytest.raises(BadInput) as caught:
        list(csv(path, COLUMNS, GRAMS).read())
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_time_that_the_clock_skipped_is_refused(tmp_path: Path) -> None:
    """02:30 never was on the night that summer time began."""
    path = written(tmp_path, table("2026-03-29T02:30,120,"))
    with pytest.raises(BadInput, match="row 2, field 'time': local time 2026-03-29T02:30:00 never was"):
        list(csv(path, COLUMNS, GRAMS, timezone="Europe/Madrid").read())


def test_a_value_without_a_unit_is_refused(tmp_path: Path) -> None:
    """mmol/L or mg/dL is never guessed."""
    with pytest.raises(BadInput, match="which unit is carbs in"):
        list(csv(written(tmp_path, PLAIN), COLUMNS, {"glucose": "mg/dL"}).read())


def test_repeated_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    """The same row twice is one reading."""
    row, report = "2026-03-01T08:00Z,120,", Report()
    assert len(list(csv(written(tmp_path, table(row, row)), COLUMNS, GRAMS).read(report))) == 1
    assert report.duplicates == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "map.toml",
            'timezone = "UTC"\nwhere = { who = "b" }\nunits = { glucose = "mg/dL" }\n'
            'columns = { time = "t", glucose = "g" }\n',
        ),
        (
            "map.json",
            '{"timezone": "UTC", "where": {"who": "b"}, "units": {"glucose": "mg/dL"},'
            ' "columns": {"time": "t", "glucose": "g"}}',
        ),
    ],
)
def test_a_map_can_come_from_a_file(tmp_path: Path, name: str, content: str) -> None:
    """The command line reads the same map; `where` keeps one person's rows."""
    how = read_map(written(tmp_path, content, name))
    path = written(tmp_path, "t,g,who\n2026-03-01T08:00,120,a\n2026-03-01T07:00,130,b\n")
    assert said(csv_by(path, how)) == [("glucose", 130, "03-01T07:00")]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"columns": 3}', '{"columns": {"time": 3}}', '{"columns": {"time": "t"}}', '{"colums": {}}',
     '{"columns": {"time": "t", "a": "b"}, "layout": "tall"}', '{"columns": {"time": "t", "a": "b"}, "units": "g"}'],
)  # fmt: skip
def test_a_map_that_is_wrong_is_refused(tmp_path: Path, content: str) -> None:
    """Each key and each value is checked."""
    with pytest.raises(BadInput):
        read_map(written(tmp_path, content, "map.json"))


def test_known_headers_are_detected(tmp_path: Path) -> None:
    """Gemel's own names with units in brackets, and Dexcom Clarity, whose alerts are no glucose."""
    own = written(tmp_path, "Time;Glucose (mmol/l);Carbs [g];Heart rate\n2026-03-01T08:00Z;7,2;45;61\n")
    assert [(i.name, i.value, i.unit) for i in detect(own).read()] == [
        ("carbs", 45, "g"), ("glucose", 7.2, "mmol/L"), ("heart_rate", 61, "bpm"),
    ]  # fmt: skip
    clarity = (
        "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Glucose Value (mg/dL),Insulin Value (u)\n"
        "1,,Alert,65,\n2,2026-03-01T08:00:00,EGV,120,\n3,2026-03-01T08:01:00,Insulin,,5\n"
    )
    source = detect(written(tmp_path, clarity, "clarity.csv"), timezone="UTC")
    assert said(source) == [("glucose", 120, "03-01T08:00")]


def test_what_is_not_recognised_says_what_was_looked_for(tmp_path: Path) -> None:
    """So that a person knows what to bring."""
    for path in (tmp_path, written(tmp_path, "a,b\n1,2\n"), written(tmp_path, "x", "notes.pdf")):
        with pytest.raises(BadInput, match=r"Nightscout .* Dexcom Clarity"):
            detect(path)
    with pytest.raises(BadInput, match="no such file or folder"):
        detect(tmp_path / "absent")


CELLS = st.lists(
    st.tuples(st.integers(1, 100_000), st.floats(0, 1e6), st.none() | st.floats(0, 400)), min_size=1, max_size=20
)


@given(CELLS, st.sampled_from(",;\t|"), st.booleans())
@settings(deadline=None)
def test_a_table_round_trips(cells: list[tuple[int, float, float | None]], delimiter: str, comma: bool) -> None:
    """Whatever is written as a table is read back: times, values, gaps, with any delimiter."""
    at, rows, expected = time_of("2026-01-01T00:00Z"), io.StringIO(), []
    writer = text_table.writer(rows, delimiter=delimiter)
    writer.writerow(["time", "glucose", "carbs"])
    for step, glucose, carbs in cells:
        at += step
        texts = [f"{glucose!r}", "" if carbs is None else f"{carbs!r}"]
        decimal = comma and delimiter != ","
        writer.writerow([iso(at), *(text.replace(".", ",") if decimal else text for text in texts)])
        expected += [("carbs", carbs, at)] if carbs is not None else []
        expected += [("glucose", glucose, at)]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), rows.getvalue())
        assert [(i.name, i.value, i.at) for i in csv(path, COLUMNS, GRAMS).read()] == expected


@given(st.integers(0, 200), st.text(max_size=3) | st.binary(max_size=3))
@settings(deadline=None, max_examples=300)
def test_any_damage_is_bad_input_or_valid_items(place: int, damage: str | bytes) -> None:
    """Bytes overwritten anywhere give a clear error or plausible items, never a traceback."""
    whole, new = PLAIN.encode(), damage.encode("utf-8", "surrogatepass") if isinstance(damage, str) else damage
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), whole[:place] + new + whole[place + len(new) :])
        try:
            items = list(csv(path, COLUMNS, GRAMS).read())
        except BadInput as problem:
            assert str(path) in str(problem)
            return
    assert all(item.by.row and item.name in GRAMS for item in items)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}: set GEMEL_DATA")
def test_real_libre_values_run_through_the_end_of_summer_time() -> None:
    """Offsets in all times but those of the hour that came twice, which need the zone (ddatshr, CC BY 4.0)."""
    columns = {"time": "Local datetime [ISO8601]", "glucose": "Historic Glucose [mmol/l]"}
    where = {"Subject code number": "903", "Record Type": "0"}
    path = DATA / "t1d/ddatshr/Abbott.csv"
    source = csv(path, columns, {"glucose": "mmol/L"}, where=where, timezone="Europe/Amsterdam")
    report = Report()
    times = [item.at for item in source.read(report)]
    assert (len(times), report.duplicates) == (1198, 0)
    assert [iso(at)[11:16] for at in times if time_of("2019-10-27T00:00Z") <= at < time_of("2019-10-27T01:00Z")] == [
        "00:05", "00:20", "00:35", "00:50",
    ]  # fmt: skip
    with pytest.raises(BadInput, match=r"row 748.*has no offset"):
        list(csv(path, columns, {"glucose": "mmol/L"}, where=where).read())
