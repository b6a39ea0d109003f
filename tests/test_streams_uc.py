"""The UC_HT_T1DM sheets: measured columns only, at local times; broken workbooks are named."""

# ruff: noqa: DTZ001 the sheets hold naive times

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from gemel.errors import BadInput
from gemel.facts import time_of
from gemel.packs.diabetes.streams import UNITS, detect, uc_ht_t1dm
from gemel.streams import Report, Source
from gemel.testing.streams import SourceContract

DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[2] / "shared" / "data")) / "t1d" / "uc_ht_t1dm"
FIRST = datetime(2021, 3, 11, 20, 25)
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}: set GEMEL_DATA")


def sheet(path: Path, header: tuple[str, ...], *rows: tuple[object, ...]) -> Path:
    """Write a sheet whose n-th row is 5 n min after the first."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append((None, *header))
    for n, row in enumerate(rows):
        book.active.append((FIRST + timedelta(minutes=5 * n), *row))
    book.save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sheet(tmp_path / "Glucose.xlsx", ("Value_interp (mg/dl)", "Value (mg/dl)"), (178, 178), (180, None), (182, 182))
    insulin = ("Basal Rate (U/5min)", "Bolus (U)", "Total")
    sheet(tmp_path / "Insulin.xlsx", insulin, (0.075, 4.08, 0), (0.075, 0, 0), (0.1, 0, 0), (0.1, 1, 0))
    sheet(tmp_path / "Carbohidrates.xlsx", ("Value (g)",), (0,), (45,))
    return tmp_path


class TestContract(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self, folder: Path) -> Source:
        return uc_ht_t1dm(folder)


@real
class TestContractOnRealData(SourceContract):
    names = UNITS

    @pytest.fixture
    def source(self) -> Source:
        return uc_ht_t1dm(DATA / "T1DM_07")


def test_only_what_was_measured_and_changed_is_said(folder: Path) -> None:
    """No interpolated glucose; basal in U/h when it changes; boluses and meals above zero; 20:25 in Chile is 23:25Z."""
    report = Report()
    found = [(item.name, item.value, (item.at - time_of("2021-03-11T23:25Z")) // 300_000, item.by.row)
             for item in detect(folder).read(report)]  # fmt: skip
    assert found == [
        ("basal", 0.9, 0, 2), ("bolus", 4.08, 0, 2), ("glucose", 178, 0, 2),
        ("carbs", 45, 1, 3), ("basal", 1.2, 2, 4), ("glucose", 182, 2, 4), ("bolus", 1, 3, 5),
    ]  # fmt: skip
    assert sorted(report.warnings) == ["Heart Rate.xlsx is not there", "Steps.xlsx is not there"]


def test_the_folder_above_names_the_people(folder: Path) -> None:
    """One twin is one person."""
    with pytest.raises(BadInput, match=f"name one person: .*{folder.name}"):
        detect(folder.parent)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([(None, "abc")], "row 2, field 'Value (mg/dl)': 'abc' is not a number"),
        ([(None, -5)], "row 2, field 'Value (mg/dl)': -5 is negative"),
        ([], None),
    ],
)
def test_a_wrong_cell_is_named(folder: Path, rows: list[tuple[object, ...]], problem: str | None) -> None:
    """File, row, field; a sheet with a header only says nothing."""
    path = sheet(folder / "Glucose.xlsx", ("Value_interp (mg/dl)", "Value (mg/dl)"), *rows)
    if problem is None:
        assert not [item for item in uc_ht_t1dm(folder).read() if item.name == "glucose"]
        return
    with pytest.raises(BadInput) as caught:
        list(uc_ht_t1dm(folder).read())
    assert str(caught.value) == f"{path}, {problem}"


def test_a_missing_column_is_named(folder: Path) -> None:
    """With those that there are."""
    sheet(folder / "Glucose.xlsx", ("Value_interp (mg/dl)",), (1,))
    with pytest.raises(
        BadInput, match=r"row 1, field 'Value \(mg/dl\)': there is no such column; the sheet has Value_i"
    ):
        list(uc_ht_t1dm(folder).read())


def test_times_that_run_backwards_are_named(folder: Path) -> None:
    """The sheets are in order; a step back is a damaged file."""
    book = openpyxl.load_workbook(folder / "Carbohidrates.xlsx")
    assert book.active is not None
    book.active["A3"] = FIRST - timedelta(minutes=5)
    book.save(folder / "Carbohidrates.xlsx")
    with pytest.raises(BadInput, match=r"Carbohidrates\.xlsx, row 3, field 'Value \(g\)': time runs backwards"):
        list(uc_ht_t1dm(folder).read())


def test_any_truncation_of_a_workbook_is_bad_input(folder: Path) -> None:
    """A copy that broke off is never half an import."""
    path = folder / "Glucose.xlsx"
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"Glucose\.xlsx"):
            list(uc_ht_t1dm(folder).read())


def test_any_damaged_byte_in_a_member_is_bad_input_or_harmless(folder: Path) -> None:
    """Checksums find it, except in the zip's own padding."""
    path = folder / "Glucose.xlsx"
    whole = path.read_bytes()
    expected = list(uc_ht_t1dm(folder).read())
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert list(uc_ht_t1dm(folder).read()) == expected
        except BadInput as problem:
            assert "Glucose.xlsx" in str(problem)


@real
def test_real_people_are_read_whole() -> None:
    """Counts as found in the sheets by openpyxl alone: T1DM_02 has 1326 raw glucose values and 39 or 40 boluses."""
    items = list(uc_ht_t1dm(DATA / "T1DM_02").read())
    counts = {name: sum(item.name == name for item in items) for name in UNITS}
    assert counts == {"glucose": 1326, "heart_rate": 1443, "steps": 1443, "bolus": 40, "basal": 30, "carbs": 14}
