"""Metrics against their published formulas, worked by hand, and what must hold whatever the readings."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound
from gemel.facts import DAY, MINUTE
from gemel.packs.diabetes import metrics
from gemel.packs.diabetes.metrics import METRICS, measure, mgdl

WHOLE = st.lists(st.one_of(st.none(), st.integers(39, 400)), min_size=1, max_size=300).filter(
    lambda v: any(x is not None for x in v)
)
PARTS = ("time_very_low", "time_low", "time_in_range", "time_high", "time_very_high")


def value(name: str, readings: Sequence[float | None] | np.ndarray, unit: str = "mg/dL") -> float:
    return measure(name, readings, unit).value


def test_ten_readings_by_hand() -> None:
    readings = [50, 60, 69, 70, 120, 180, 181, 250, 251, 300]
    found = {name: value(name, readings) for name in METRICS}
    assert [found[part] for part in PARTS] == [0.1, 0.2, 0.3, 0.2, 0.2]
    assert found["time_below_range"] == pytest.approx(0.3) and found["time_above_range"] == pytest.approx(0.4)
    assert found["time_in_tight_range"] == pytest.approx(0.2)
    assert found["mean"] == 153.1
    assert found["gmi"] == pytest.approx(3.31 + 0.02392 * 153.1)  # 10.2337/dc18-1581
    assert found["gri"] == pytest.approx(
        min(3.0 * 10 + 2.4 * 20 + 1.6 * 20 + 0.8 * 20, 100.0)
    )  # 10.1177/19322968221085273


def test_gmi_of_its_papers_table() -> None:
    """Bergenstal 2018, table 1: mean 100, 150, 200, 250 mg/dL are 5.7, 6.9, 8.1, 9.3 %."""
    assert [round(value("gmi", [mean] * 3), 1) for mean in (100, 150, 200, 250)] == [5.7, 6.9, 8.1, 9.3]


def test_risk_indices_by_hand() -> None:
    """f = 1.509 (ln(BG)^1.084 - 5.381), risk 10 f² (10.2337/dc06-1085); nearly 0 at 112.5 mg/dL, 100 at 20 and 600."""
    f50 = 1.509 * (math.log(50) ** 1.084 - 5.381)
    assert value("lbgi", [50, 112.5]) == pytest.approx(10 * f50**2 / 2, abs=1e-3)
    assert value("hbgi", [50]) == 0.0
    assert value("lbgi", [112.5]) + value("hbgi", [112.5]) == pytest.approx(0.0, abs=1e-3)
    assert value("lbgi", [20]) == pytest.approx(100.0, rel=0.01) and value("hbgi", [600]) == pytest.approx(
        100.0, rel=0.01
    )


def test_the_grid_and_the_index_of_glycemia_risk_stop_at_100() -> None:
    assert value("gri", [45] * 10) == 100.0 and value("gri", [120] * 10) == 0.0


def test_cv_of_two_values() -> None:
    assert value("cv", [100, 200]) == pytest.approx(100 * 50 / 150) and value("sd", [100, 200]) == 50.0


def test_the_bounds_in_mmol_are_those_of_the_consensus() -> None:
    """10.2337/dci19-0028: < 3.0, 3.0–3.8, 3.9–10.0, 10.1–13.9, > 13.9 mmol/L."""
    for shown, part in ((2.9, 0), (3.0, 1), (3.8, 1), (3.9, 2), (10.0, 2), (10.1, 3), (13.9, 3), (14.0, 4)):
        assert [value(name, [shown], "mmol/L") for name in PARTS] == [float(i == part) for i in range(5)], shown


@given(WHOLE)
def test_the_parts_sum_to_one(readings: list[float | None]) -> None:
    assert sum(value(part, readings) for part in PARTS) == pytest.approx(1.0)


@given(WHOLE)
def test_the_unit_does_not_matter(readings: list[float | None]) -> None:
    molar = [None if r is None else r / metrics.MGDL_PER_MMOL for r in readings]
    for name in METRICS:
        assert value(name, molar, "mmol/L") == pytest.approx(value(name, readings), rel=1e-9, abs=1e-9), name


@given(WHOLE, st.randoms())
def test_order_and_gaps_do_not_matter(readings: list[float | None], random: object) -> None:
    shuffled = [*readings, None, None]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for name in METRICS:
        assert value(name, shuffled) == pytest.approx(value(name, readings), nan_ok=True), name


def test_many_people_at_once_are_as_each_alone() -> None:
    glucose = np.random.default_rng(1).uniform(40, 300, (4, 5, 100))
    glucose[0, 0, :50] = np.nan
    for name, metric in METRICS.items():
        assert metric.function(glucose)[0, 0] == pytest.approx(value(name, glucose[0, 0]))
        assert metric.function(glucose).shape == (4, 5)


def test_nothing_read_is_not_a_number() -> None:
    assert all(math.isnan(value(name, [None, None])) for name in METRICS)


def test_fourteen_days_at_seventy_percent_are_sufficient() -> None:
    whole = [120.0] * (14 * 288)
    enough = [None if i % 10 > 6 else g for i, g in enumerate(whole)]
    assert measure("mean", whole).sufficient and measure("mean", enough).sufficient
    assert measure("mean", enough).present == pytest.approx(0.7, abs=1e-3)
    assert not measure("mean", [None if i % 10 > 5 else g for i, g in enumerate(whole)]).sufficient
    assert not measure("mean", whole[:-288]).sufficient
    assert bool(metrics.sufficient(np.array(whole))) and measure("mean", whole).days == 14.0


def test_readings_at_uneven_times_speak_for_as_long_as_they_hold() -> None:
    at = [0, 5 * MINUTE, 5 * MINUTE, 15 * MINUTE, 3 * DAY]
    assert list(metrics.speaks_for(at) / MINUTE) == [5, 0, 10, 10, 5]
    assert measure("mean", [100.0, 100.0, 100.0, 200.0, 200.0], at=at).value == 150.0
    assert measure("mean", [100.0, 100.0], at=[0, 13 * DAY]).present < 0.01


def test_better_is_named_and_a_mean_that_lows_bring_down_is_not_better() -> None:
    assert METRICS["time_in_range"].better == "higher"
    neither = {name for name, metric in METRICS.items() if metric.better is None}
    assert neither == {"mean", "gmi"}
    lower = {metric.better for name, metric in METRICS.items() if "range" not in name and name not in neither}
    assert lower == {"lower"}


def test_lows_outweigh_all_else() -> None:
    assert {name for name, metric in METRICS.items() if metric.outweighs} == {
        "time_below_range",
        "time_very_low",
        "lbgi",
    }


def test_what_cannot_be_glucose_is_refused() -> None:
    with pytest.raises(NotFound, match="mmol/L"):
        mgdl([5.0], "mmol")
    for reading in (0.0, -3.0, math.inf):
        with pytest.raises(BadInput, match="above 0"):
            mgdl([100.0, reading])
    with pytest.raises(NotFound, match="time_in_range"):
        measure("tir", [100.0])
