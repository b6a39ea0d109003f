"""Papers about a person with diabetes: figures against NumPy and published formulas, the clock, consent, the page itself."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gemel.bank import Bank, Twin
from gemel.bank.catalogue import papers
from gemel.cli.main import app
from gemel.errors import NotFound, Refused
from gemel.facts import DAY, HOUR, MINUTE, Draft, Time, time_of
from gemel.packs.diabetes.metrics import METRICS
from gemel.packs.diabetes.person import Person
from gemel.packs.diabetes.reports import agp_page, clock, grids_page, letter, look
from gemel.packs.diabetes.reports import given as doses_given
from gemel.packs.diabetes.reports.agp import (
    FEWEST,
    KERNEL,
    PERCENTILES,
    STEPS,
    agp,
    cadence,
    in_full,
    profile,
    smoothed,
)
from gemel.packs.diabetes.reports.changes import COMPARED, changes
from gemel.packs.diabetes.reports.fhir_out import bundle, left_out, pseudonym
from gemel.packs.diabetes.reports.look import MGDL, MMOL, UNITS
from gemel.packs.diabetes.reports.patterns import episodes, parts
from gemel.packs.diabetes.sources.fhir import fhir
from gemel.streams import Item, Place, collect
from gemel.thread import MemoryThread

ZONE = ZoneInfo("Europe/Amsterdam")
START = time_of("2026-05-31T22:00:00Z")
"""Midnight in Amsterdam, in a summer without a change of clocks."""

STEP: Time = 5 * MINUTE
Record = tuple[np.ndarray, np.ndarray]


def record(days: float, since: Time = START, shift: float = 0.0, seed: int = 0, step: Time = STEP) -> Record:
    """Return a made-up person: a daily curve, days that differ, noise; times and mg/dL."""
    at = np.arange(since, since + round(days * DAY), step, dtype=np.int64)
    rng = np.random.default_rng(seed)
    day = rng.normal(0.0, 15.0, round(days) + 2)[(at - since) // DAY]
    curve = 150.0 + 45.0 * np.sin(2 * np.pi * (at - START) / DAY * 2.0)
    return at, np.clip(curve + day + rng.normal(0.0, 18.0, len(at)) + shift, 40.0, 400.0)


def items(found: Record) -> list[Item]:
    return [
        Item("glucose", round(float(v), 1), "mg/dL", int(at), None, Place("made up"))
        for at, v in zip(*found, strict=True)
    ]


END = START + 28 * DAY


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Lily, 28 days, hers and her doctor's; the dietitian may read glucose alone, the neighbour steps."""
    made = Bank(MemoryThread(), lambda: END, {Person.name: Person})
    lily = made.create(Person, "lily", by="sarah")
    doses = [("basal", 0.8, START - DAY), ("basal", 1.0, START + 20 * DAY + 12 * HOUR)]
    doses += [
        (name, amount, START + day * DAY + 8 * HOUR)
        for day in range(28)
        for name, amount in (("bolus", 4.0), ("carbs", 40.0))
    ]
    units = {"basal": "U/h", "bolus": "U", "carbs": "g"}
    lily.record([*items(record(28)), *(Item(n, v, units[n], at, None, Place("made up")) for n, v, at in doses)])
    lily.record(
        [
            Item(n, v, u, END - HOUR, None, Place("made up"))
            for n, v, u in (("heart_rate", 80.0, "bpm"), ("steps", 120.0, "step"))
        ]
    )
    lily.grant(to="dietitian", purpose="care", read="glucose")
    lily.grant(to="neighbour", purpose="care", read="steps")
    change = lily.propose_plan({"basal": [0.8] * 6 + [1.0] * 18, "ratio": 12.0}, {"school": "Snack at 10:30"}, "dawn")
    lily.decide_plan(change.seq, True, "agreed")
    lily.propose_plan({"sensitivity": 60.0}, {}, "evenings <overshoot>")
    lily.review("Evenings run high.", END - 7 * DAY, END)
    made.append([outcome(END - k * HOUR, 150.0, 150.0 + k) for k in range(1, 41)])
    return made


def outcome(at: Time, happened: float, said: float) -> Draft:
    row = {
        "forecast": 1,
        "horizon": 60,
        "made_at": at - HOUR,
        "mean": said,
        "median": said,
        "low80": said - 20,
        "high80": said + 20,
    }
    body = {"signal": "glucose", "happened": happened, "horizons": [row | {"crps": 1.0, "in80": True, "in95": True}]}
    return Draft("lily", "outcome/1", body, at, "loop", key=f"outcome|{at}")


@pytest.fixture
def lily(bank: Bank) -> Twin:
    return bank.find("lily", by="sarah", purpose="care")


def words(page: str) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&lt;", "<").replace("&gt;", ">")


# the numbers


def test_percentiles_are_numpys_of_the_45_minutes_by_the_wall_clock_smoothed_around_it() -> None:
    """Worked out again reading by reading with datetime, and smoothed by a wrapped convolution."""
    at, glucose = record(20, step=15 * MINUTE)
    found = profile(at, glucose, ZONE).percentiles
    moments = [datetime.fromtimestamp(t / 1000, UTC).astimezone(ZONE) for t in at.tolist()]
    quarter = np.array([m.hour * 4 + m.minute // 15 for m in moments])
    raw = [np.percentile(glucose[np.isin(quarter, [(k - 1) % 96, k, (k + 1) % 96])], PERCENTILES) for k in range(STEPS)]
    padded = np.pad(np.array(raw).T, ((0, 0), (2, 2)), mode="wrap")
    expected = np.array([np.convolve(row, KERNEL, mode="valid") for row in padded])
    assert found == pytest.approx(expected)


def test_smoothing_keeps_a_constant_and_what_is_missing_missing() -> None:
    raw = np.full((5, STEPS), 120.0)
    raw[:, 10:20] = np.nan
    assert np.isnan(smoothed(raw)[:, 10:20]).all() and smoothed(raw)[:, :10] == pytest.approx(120.0)


def test_gmi_cv_and_ranges_are_those_of_iglus_definitions(data: Path) -> None:
    """iglu: gmi 3.31 + 0.02392 mean; cv 100 sd / mean with the sample's sd; percentages of readings. On its own example data."""
    path = data / "t1d/iglu/example_data_hall.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    for name, (at, glucose) in _hall(path).items():
        found = agp(at, glucose, int(at[0]), int(at[-1]) + 1, ZoneInfo("UTC"))
        even = np.ones(len(glucose))
        assert float(METRICS["gmi"].function(glucose, even)) == pytest.approx(3.31 + 0.02392 * glucose.mean()), name
        assert float(METRICS["cv"].function(glucose, even)) == pytest.approx(
            100 * glucose.std(ddof=1) / glucose.mean(), rel=2e-3
        )
        assert found.values["time_in_range"] == pytest.approx(((glucose >= 70) & (glucose <= 180)).mean(), abs=0.02)
        assert found.values["gmi"] == pytest.approx(3.31 + 0.02392 * glucose.mean(), abs=0.05)


def _hall(path: Path) -> dict[str, Record]:
    import csv

    rows: dict[str, dict[int, float]] = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            at = time_of(row["time"].replace(" ", "T") + "Z")
            rows.setdefault(row["id"], {})[at] = float(row["gl"])
    return {
        name: (np.array(sorted(one)), np.array([one[at] for at in sorted(one)])) for name, one in list(rows.items())[:5]
    }


def test_every_metric_of_the_report_is_the_metrics_own() -> None:
    at, glucose = record(14)
    found = agp(at, glucose, START, START + 14 * DAY, ZONE)
    assert {name: found.values[name] for name in METRICS} == {
        n: pytest.approx(float(m.function(glucose))) for n, m in METRICS.items()
    }
    assert (found.active, found.sufficient, found.worn, found.cadence) == (1.0, True, 14, STEP)


@given(st.lists(st.floats(39, 401), min_size=1, max_size=60), st.integers(0, 3))
def test_the_five_ranges_sum_to_100_percent(values: list[float], digits: int) -> None:
    at = START + np.arange(len(values)) * STEP
    found = agp(at, np.array(values), START, START + DAY, ZONE)
    shown = in_full(found.ranges, digits)
    assert sum(shown) == pytest.approx(100.0) and sum(found.ranges) == pytest.approx(1.0)
    assert all(abs(a - 100 * b) < 10**-digits for a, b in zip(shown, found.ranges, strict=True))


def test_too_few_days_or_too_thin_a_record_is_said() -> None:
    at, glucose = record(14)
    short = agp(at[: 10 * 288], glucose[: 10 * 288], START, START + 10 * DAY, ZONE)
    keep = np.arange(len(at)) % 3 != 0
    thin = agp(at[keep], glucose[keep], START, START + 14 * DAY, ZONE)
    assert not short.sufficient and not thin.sufficient and thin.active == pytest.approx(2 / 3, abs=0.001)
    for found in (short, thin):
        assert "Not enough data to judge by" in words(agp_page.page("x", found, ZONE))
    assert "Not enough data" not in agp_page.page("x", agp(at, glucose, START, START + 14 * DAY, ZONE), ZONE)


def test_fewer_than_five_days_make_no_profile() -> None:
    at, glucose = record(4)
    assert np.isnan(profile(at, glucose, ZONE).percentiles).all() and FEWEST == 5
    assert "too few days" in agp_page.page("x", agp(at, glucose, START, START + 4 * DAY, ZONE), ZONE)


def test_a_sensor_that_reads_each_quarter_of_an_hour_is_active_all_the_time() -> None:
    at, glucose = record(14, step=15 * MINUTE)
    assert cadence(at) == 15 * MINUTE and agp(at, glucose, START, START + 14 * DAY, ZONE).active == 1.0


@pytest.mark.parametrize("seconds", [1, 3, 10])
def test_a_sensor_whose_clock_jitters_is_active_all_the_time(seconds: int) -> None:
    """Complete, and with one reading of ten missing: 90 %, whatever the jitter."""
    rng = np.random.default_rng(seconds)
    at, glucose = record(14)
    at = np.sort(at + rng.normal(0.0, 1000.0 * seconds, len(at)).astype(np.int64))
    until = int(at[-1]) + 1
    keep = rng.random(len(at)) > 0.1
    assert agp(at, glucose, until - 14 * DAY, until, ZONE).active == pytest.approx(1.0, abs=0.002)
    thin = agp(at[keep], glucose[keep], until - 14 * DAY, until, ZONE)
    assert thin.active == pytest.approx(keep.mean(), abs=0.005) and thin.cadence == STEP


@pytest.mark.parametrize("scans", [20, 60, 120])
def test_scans_between_do_not_make_a_complete_record_thin(scans: int) -> None:
    """A reading each quarter of an hour, and scans by day besides."""
    rng = np.random.default_rng(scans)
    at, _ = record(14, step=15 * MINUTE)
    more = rng.integers(START, START + 14 * DAY, scans * 14)
    both = np.unique(np.concatenate([at, more[(more % DAY) > DAY // 3] // MINUTE * MINUTE]))
    found = agp(both, np.full(len(both), 120.0), START, START + 14 * DAY, ZONE)
    assert (found.cadence, found.sufficient) == (15 * MINUTE, True) and found.active == pytest.approx(1.0, abs=0.001)


def test_finger_sticks_are_not_a_sensors_record() -> None:
    at = START + np.arange(70) * (DAY // 5)
    found = agp(at, np.full(70, 120.0), START, START + 14 * DAY, ZONE)
    assert found.active == pytest.approx(70 * 15 / (14 * 1440)) and not found.sufficient


# the clock


@pytest.mark.parametrize(("midnight", "hours", "second_hour"), [
    ("2025-10-25T22:00:00Z", 25, 24), ("2026-03-28T23:00:00Z", 23, 0), ("2026-06-09T22:00:00Z", 24, 12)
])  # fmt: skip
def test_an_hour_of_the_local_clock_comes_twice_or_not_at_all(midnight: str, hours: int, second_hour: int) -> None:
    """Amsterdam, 26 October 2025 and 29 March 2026: 25 and 23 hours, of which two and none are from two to three."""
    since = time_of(midnight)
    at = np.arange(since, since + hours * HOUR, STEP, dtype=np.int64)
    assert len(np.unique(clock.days(at, ZONE))) == 1
    assert ((clock.minutes(at, ZONE) // 60) == 2).sum() == second_hour
    assert clock.minutes(at, ZONE).min() == 0 and clock.minutes(at, ZONE).max() == 1435


def test_a_fortnight_with_a_change_of_clocks_is_a_fortnight() -> None:
    """In spring 14 local days are an hour short; all of them are shown, and the line is cut where the clock was put back."""
    for midnight, hours in (("2026-03-20T23:00:00Z", 14 * 24 - 1), ("2025-10-17T22:00:00Z", 14 * 24 + 1)):
        since = time_of(midnight)
        at = np.arange(since, since + hours * HOUR, STEP, dtype=np.int64)
        found = agp(at, np.full(len(at), 120.0), since, since + hours * HOUR, ZONE)
        assert found.sufficient and found.worn == 14 and found.active == 1.0
        assert [len(day.glucose) for day in found.thumbnails].count(288) == 13
        assert sum(int(np.isnan(day.glucose).sum()) for day in found.thumbnails) == (hours > 14 * 24)
        assert np.isfinite(found.profile.percentiles).all()


@settings(max_examples=30)
@given(
    st.integers(0, 2**33),
    st.sampled_from(["Europe/Amsterdam", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_the_wall_clock_is_datetimes(seconds: int, name: str) -> None:
    local = datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(name))
    at = np.array([seconds * 1000])
    assert clock.date_of(int(clock.days(at, ZoneInfo(name))[0])) == local.date()
    assert clock.minutes(at, ZoneInfo(name))[0] == pytest.approx(local.hour * 60 + local.minute + local.second / 60)


# changes and patterns


def test_the_figures_compared_are_the_metrics() -> None:
    before, now = record(14, START - 14 * DAY, seed=1), record(14, seed=2)
    for change in changes(before, now, ZONE, np.random.default_rng(0)):
        for value, (_, glucose) in ((change.before, before), (change.now, now)):
            assert value == pytest.approx(float(METRICS[change.name].function(glucose)))
        assert change.low <= change.difference <= change.high


def test_a_planted_rise_is_found_and_none_in_the_same_weeks_again() -> None:
    before = record(14, START - 14 * DAY, seed=1)
    rise = {c.name: c for c in changes(before, record(14, shift=40.0, seed=2), ZONE, np.random.default_rng(0))}
    same = changes(before, (before[0] + 14 * DAY, before[1]), ZONE, np.random.default_rng(0))
    assert (
        rise["mean"].clear
        and rise["mean"].low < 40.0 < rise["mean"].high + 15.0
        and rise["time_in_range"].difference < 0
    )
    assert not any(change.clear or change.difference for change in same)


def test_less_than_a_week_says_nothing_of_changes() -> None:
    assert changes(record(14), record(6), ZONE, np.random.default_rng(0)) == ()
    assert len(changes(record(14), record(7), ZONE, np.random.default_rng(0))) == len(COMPARED)


def test_episodes_last_a_quarter_of_an_hour_and_short_returns_do_not_end_them() -> None:
    """Low for 10 min: none. Low 15, back 10, low 15: one. Low 15, back 15, low 15: two. A gap ends one."""

    def found(marks: str) -> list[tuple[int, int]]:
        at = np.array([START + k * STEP for k, mark in enumerate(marks) if mark != " "], np.int64)
        low = np.array([mark == "x" for mark in marks if mark != " "])
        return [((a - START) // STEP, (b - START) // STEP) for a, b in episodes(at, low, STEP)]

    assert found("..xx....") == [] and found("..xxx..xxx..") == [(2, 10)]
    assert found("..xxx...xxx..") == [(2, 5), (8, 11)] and found("xxx") == [(0, 3)]
    assert found("..xxx" + " " * 12 + "xxx") == [(2, 5), (17, 20)]


def test_lows_of_the_night_are_a_pattern_of_the_night() -> None:
    at, glucose = record(14)
    glucose = np.full(len(glucose), 120.0)
    night = (clock.minutes(at, ZONE) >= 120) & (clock.minutes(at, ZONE) < 180)
    glucose[night & (clock.days(at, ZONE) % 2 == 0)] = 60.0
    found = {one.name: one for one in parts(at, glucose, STEP, ZONE)}
    assert (found["Night"].days_low, found["Night"].days, found["Night"].low) == (7, 14, True)
    assert found["Night"].below == pytest.approx(1 / 12) and not any(
        found[name].low for name in ("Morning", "Afternoon", "Evening")
    )


def test_a_basal_rate_holds_until_the_next() -> None:
    """0.5 U/h from before, 2 U/h for 6 of 24 hours: 9 + 12 = 21 U; before the first rate nothing is known."""
    rates = [(START - DAY, 0.5), (START + 6 * HOUR, 2.0), (START + 12 * HOUR, 0.5)]
    assert doses_given.units(rates, START, START + DAY) == pytest.approx(21.0)
    assert doses_given.units(rates, START - 3 * DAY, START - 2 * DAY) is None
    assert doses_given.units([], START, START + DAY) is None


def test_days_without_a_dose_on_record_are_left_out_of_the_average_and_named(bank: Bank) -> None:
    """A pump's record of five of fourteen days, 24 U of boluses and of basal on each."""
    twin = bank.create(Person, "ann", by="sarah")
    twin.record(items(record(14)))
    begins = clock.midnight(int(clock.days(np.array([START + 9 * DAY]), ZONE)[0]), ZONE)
    told = [("bolus", 6.0, "U", begins + day * DAY + hour * HOUR) for day in range(5) for hour in (0, 7, 12, 18)]
    twin.record([Item(n, v, u, at, None, Place("made up")) for n, v, u, at in [("basal", 1.0, "U/h", begins), *told]])
    found = doses_given.given(twin, START, START + 14 * DAY, ZONE)
    assert (found.days, found.bolus, found.basal) == pytest.approx((5.0, 24.0, 24.0))
    told_in = words(letter.make(twin, START, START + 14 * DAY, ZONE))
    assert "Doses are on record for 5 of 14 days" in told_in and "(48.0 U a day)" in told_in


# the pages


@pytest.mark.parametrize("unit", UNITS.values(), ids=list(UNITS))
def test_the_report_holds_every_figure_that_the_metrics_say(lily: Twin, unit: look.Unit) -> None:
    since = END - 14 * DAY
    glucose = np.array([one.value for one in lily.readings("glucose", since, END)])
    value = {name: float(metric.function(glucose)) for name, metric in METRICS.items()}
    told = words(agp_page.make(lily, since, END, ZONE, unit))
    for name in ("mean", "sd"):
        assert f"{value[name] / unit.mgdl:.{unit.digits}f} {unit.name}" in told
    assert f"{value['gmi']:.1f} %" in told and f"{value['cv']:.1f} %" in told and f"{value['gri']:.1f}" in told
    for share, label in zip(in_full(tuple(value[n] for n in ("time_very_low", "time_low", "time_in_range", "time_high",
                                                              "time_very_high"))), unit.ranges, strict=True):  # fmt: skip
        assert f"{label} " in told and f"{share:.1f} %" in told
    assert "14 days; sensor active 100.0 % of the time" in told and "AGP report: lily" in told


def test_a_goal_is_told_in_either_unit() -> None:
    """154 mg/dL, which the consensus writes 8.6 mmol/L."""
    assert (look.goal("mean", MGDL), look.goal("mean", MMOL)) == ("<154 mg/dL", "<8.6 mmol/L")
    assert [look.goal(n, MGDL) for n in ("time_in_range", "time_below_range", "cv", "gmi", "sd")] == [
        ">70 %",
        "<4 %",
        "≤36 %",
        "<7 %",
        "",
    ]


@pytest.mark.parametrize("days", [3, 14, 28])
@pytest.mark.parametrize("unit", UNITS.values(), ids=list(UNITS))
def test_the_report_is_exactly_one_page(lily: Twin, unit: look.Unit, days: int) -> None:
    weasyprint = pytest.importorskip("weasyprint")
    page = agp_page.make(lily, END - days * DAY, END, ZONE, unit)
    pages = weasyprint.HTML(string=page).render().pages
    assert len(pages) == 1
    assert [round(side / 96 * 25.4) for side in (pages[0].width, pages[0].height)] == [210, 297]


@pytest.mark.parametrize("name", sorted(papers(Person.name)))
def test_a_paper_needs_nothing_from_elsewhere_and_says_what_it_is_not(lily: Twin, name: str) -> None:
    page = papers(Person.name)[name].make(lily, END - 14 * DAY, END + 1, ZONE)
    assert page == papers(Person.name)[name].make(lily, END - 14 * DAY, END + 1, ZONE)
    assert "not a medical device" in page and "<script" not in page and "src=" not in page and "url(" not in page
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert ("mmol/L" in page) == name.endswith("mmol") and (
        "mg/dL" not in words(page).replace("mg/dL/U", "")
    ) == name.endswith("mmol")


def test_the_letter_tells_what_is_on_record(lily: Twin) -> None:
    told = words(letter.make(lily, END - 14 * DAY, END + 1, ZONE))
    for phrase in (
        "Bolus insulin: 4.0 U a day in 1.0 boluses a day", "Basal insulin: 21.8 U a day", "40 g a day in 1.0 entries",
        "Basal rate 0–6 h 0.8, 6–24 h 1 U/h", "Carbohydrate ratio 12 g/U", "school: Snack at 10:30", "approved by sarah",
        "evenings <overshoot>", "Evenings run high.", "waits for a decision: Correction factor 60 mg/dL/U",
        "60 min 40 24 mg/dL", "Against 31 May 2026 to 14 June 2026, nothing changed",
    ):  # fmt: skip
        assert phrase in told, phrase


def test_who_may_read_glucose_alone_gets_a_letter_that_says_what_is_not_shown(bank: Bank) -> None:
    twin = bank.find("lily", by="dietitian", purpose="care")
    told = words(letter.make(twin, END - 14 * DAY, END + 1, ZONE))
    assert (
        told.count("Not shown: dietitian may not read") == 3
        and "Evenings run high" not in told
        and "Bolus insulin" not in told
    )
    assert "60 min 40" in told


@pytest.mark.parametrize("name", [*papers(Person.name), "fhir"])
def test_who_may_not_read_glucose_gets_no_paper(bank: Bank, name: str) -> None:
    twin = bank.find("lily", by="neighbour", purpose="care")
    with pytest.raises(Refused, match="neighbour may not read"):
        bundle(twin, START, END, ZONE) if name == "fhir" else papers(Person.name)[name].make(twin, START, END, ZONE)


def test_nothing_read_and_nothing_foretold_is_said(lily: Twin) -> None:
    for make in (agp_page.make, letter.make):
        with pytest.raises(NotFound, match="no reading of glucose"):
            make(lily, START - 9 * DAY, START - 5 * DAY, ZONE)
    with pytest.raises(NotFound, match="no forecast of lily"):
        grids_page.make(lily, START, START + DAY, ZONE)


# FHIR


def resources(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in made["entry"] if entry["resource"]["resourceType"] == kind]


def test_the_bundle_is_fhir_and_every_reference_leads_somewhere(lily: Twin) -> None:
    """fhir.resources accepts it (R4B)."""
    bundles = pytest.importorskip("fhir.resources.R4B.bundle")
    made = bundle(lily, END - DAY, END, ZONE)
    bundles.Bundle.model_validate(json.loads(json.dumps(made)))
    urls = [entry["fullUrl"] for entry in made["entry"]]
    assert len(set(urls)) == len(urls) and set(re.findall(r'"reference": "([^"]+)"', json.dumps(made))) <= set(urls)
    assert all(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", entry["resource"]["id"]) for entry in made["entry"])


def test_the_patient_has_a_pseudonym_that_the_store_alone_can_work_out(lily: Twin) -> None:
    made = bundle(lily, END - DAY, END, ZONE)
    assert "lily" not in json.dumps(made) and resources(made, "Patient")[0]["id"] == pseudonym(lily)
    other = Bank(MemoryThread(), lambda: END, {Person.name: Person}).create(Person, "lily", by="sarah")
    assert pseudonym(other) != pseudonym(lily)


def test_the_summary_has_the_codes_of_hl7s_guide(lily: Twin) -> None:
    """hl7.org/fhir/uv/cgm STU 1: its example resources name these codes and units."""
    for unit, reading, mean in ((MGDL, "99504-3", "97507-8"), (MMOL, "105272-9", "105273-7")):
        made = bundle(lily, END - 14 * DAY, END, ZONE, unit)
        found = {one["code"]["coding"][0]["code"]: one for one in resources(made, "Observation")}
        assert {reading, mean, "106793-3", "97506-0", "104638-2", "104636-6", "104637-4", "107931-8"} <= set(found)
        shares = {p["code"]["coding"][0]["code"]: p["valueQuantity"]["value"] for p in found["106793-3"]["component"]}
        assert list(shares) == ["104642-4", "104641-6", "97510-2", "104640-8", "104639-0"] and sum(
            shares.values()
        ) == pytest.approx(100)
        value = agp(*record(28), END - 14 * DAY, END, ZONE)
        assert found[mean]["valueQuantity"]["code"] == unit.name and len(found["107931-8"]["hasMember"]) == 6
        assert value.values["mean"] > 0 and found["104636-6"]["valueQuantity"] == {
            "value": 14, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}  # fmt: skip


@pytest.mark.parametrize("unit", UNITS.values(), ids=list(UNITS))
def test_what_is_written_is_read_back(lily: Twin, unit: look.Unit, tmp_path: Path) -> None:
    """Our importer of FHIR finds the same readings, boluses, meals and rates."""
    (tmp_path / "b.json").write_text(json.dumps(bundle(lily, END - 10 * DAY, END, ZONE, unit)))
    back = collect(fhir(tmp_path / "b.json"), Person, now=END).items
    read = {item.at: item.value for item in back if item.name == "glucose"}
    assert read == {
        one.at: pytest.approx(one.value, abs=0.06 * unit.mgdl) for one in lily.readings("glucose", END - 10 * DAY, END)
    }
    assert [(i.value, i.at) for i in back if i.name == "basal"] == [
        (0.8, START - DAY),
        (1.0, START + 20 * DAY + 12 * HOUR),
    ]
    assert [i.value for i in back if i.name == "bolus"] == [4.0] * 10
    assert [i.value for i in back if i.name == "carbs"] == [40.0] * 10
    assert [(i.name, i.value) for i in back if i.name in ("heart_rate", "steps")] == [
        ("heart_rate", 80.0),
        ("steps", 120.0),
    ]


def test_bundles_that_overlap_name_and_tell_the_same_things_alike(lily: Twin) -> None:
    """What a program keeps by id is not doubled by a second bundle; the summaries differ, being of other periods."""
    long, short = (bundle(lily, END - days * DAY, END, ZONE) for days in (10, 3))
    known = {entry["fullUrl"]: entry["resource"] for entry in long["entry"]}
    shared = [entry for entry in short["entry"] if "summary" not in entry["fullUrl"]]
    assert all(entry["resource"] == known.get(entry["fullUrl"]) for entry in shared)


def test_two_boluses_of_one_moment_have_two_names(bank: Bank) -> None:
    twin = bank.create(Person, "tom", by="sarah")
    twin.record([Item("glucose", 120.0, "mg/dL", END - DAY, None, Place("made up"))])
    twin.record([Item("bolus", 1.0, "U", END - DAY, name, Place("made up")) for name in "ab"])
    named = [one["id"] for one in resources(bundle(twin, END - 2 * DAY, END, ZONE), "MedicationAdministration")]
    assert named == [f"bolus-{END - DAY}", f"bolus-{END - DAY}-2"]


def test_the_last_rate_on_record_has_no_end(lily: Twin) -> None:
    """Nothing says how long it held; one that another followed is completed, also where that was after the period."""
    held = [one for one in resources(bundle(lily, END - 10 * DAY, END - 9 * DAY, ZONE), "MedicationAdministration")
            if "effectivePeriod" in one]  # fmt: skip
    assert [(one["status"], "end" in one["effectivePeriod"]) for one in held] == [("completed", True)]
    last = resources(bundle(lily, END - DAY, END, ZONE), "MedicationAdministration")[-1]
    assert (last["status"], set(last["effectivePeriod"])) == ("in-progress", {"start"})


def test_the_bundle_says_what_its_reader_may_not_see(bank: Bank) -> None:
    twin = bank.find("lily", by="dietitian", purpose="care")
    made = bundle(twin, END - DAY, END, ZONE)
    assert len(left_out(made)) == 6 and all("dietitian may not read" in one for one in left_out(made))
    assert not resources(made, "MedicationAdministration") and not resources(made, "CarePlan")
    assert [one["id"] for one in resources(made, "Device")] == ["sensor"]


def test_the_plan_goes_along_with_what_is_proposed(lily: Twin) -> None:
    active, draft = resources(bundle(lily, END - DAY, END, ZONE), "CarePlan")
    assert (active["status"], active["intent"], draft["status"], draft["intent"]) == (
        "active",
        "plan",
        "draft",
        "proposal",
    )
    assert [a["detail"]["description"] for a in active["activity"]] == [
        "Basal rate: 0–6 h 0.8, 6–24 h 1 U/h", "Carbohydrate ratio: 12 g/U", "school: Snack at 10:30"]  # fmt: skip


# the command line


def test_the_commands_write_whole_files_or_none(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Bank.open(str(store)) as held:
        held.create("diabetes.person", "lily", by="sarah").record(items(record(1, time_of("2026-06-01T00:00:00Z"))))
    env = {"GEMEL_STORE": str(store), "GEMEL_ACTOR": "sarah"}

    def run(*given: str) -> Any:
        return CliRunner().invoke(app, list(given), env=env)

    done = run("fhir", "lily", "-o", str(tmp_path / "b.json"), "--days", "1", "--unit", "mmol/L", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["resources"] == len(json.loads((tmp_path / "b.json").read_text())["entry"])
    done = run("paper", "lily", "agp", "-o", str(tmp_path / "agp.html"), "--timezone", "Europe/Amsterdam")
    assert done.exit_code == 0 and "AGP report: lily" in (tmp_path / "agp.html").read_text()
    for wrong in (["-o", str(tmp_path / "no/b.json")], ["-o", str(tmp_path / "c.json"), "--unit", "g/L"],
                  ["-o", str(tmp_path / "c.json"), "--as", "eve"]):  # fmt: skip
        assert run("fhir", "lily", *wrong).exit_code != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agp.html", "b.json", "store"]
