"""The backtest on real people: its form, its baselines against plain arithmetic, and that the twin is worth having."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.bank import Replica
from gemel.bank.catalogue import detector
from gemel.bank.intake import drafts
from gemel.experiment import backtest
from gemel.experiment.backtest import SPLIT
from gemel.facts import DAY, MINUTE, Fact
from gemel.packs.diabetes.person import Person
from gemel.streams import collect

PEOPLE = ("T1DM_04", "T1DM_07")
DAYS = 3


@cache
def person(folder: Path) -> Replica:
    """Return the first days of a real record."""
    items = collect(detector("diabetes.person")(folder, None), Person, now=2_000_000_000_000).items
    end = min(item.at for item in items) + DAYS * DAY
    found = drafts([item for item in items if item.at < end], Person, folder.name, "me")
    made = Replica(Person, folder.name, {}, 0)
    made.take(
        Fact(d.twin, d.kind, d.body, d.true_at, d.true_at, d.by, d.cause, i) for i, d in enumerate(found, start=1)
    )
    return made


@pytest.fixture(scope="module")
def result(data: Path) -> dict[str, Any]:
    return backtest([person(data / "t1d/uc_ht_t1dm" / name) for name in PEOPLE], [], "glucose")


def test_a_backtest_tells_what_design_10_promises(result: dict[str, Any]) -> None:
    assert result["twins"] == list(PEOPLE)
    assert set(result["horizons"]) == {"30", "60", "120"}
    for row in result["horizons"].values():
        assert {"n", "rmse", "mard", "crps", "cover80", "cover95", "baselines"} <= set(row)
        assert {"hold", "ridge_ar"} <= set(row["baselines"])
        assert row["n"] > 200
        assert row["crps"] < row["rmse"]


def test_hold_last_value_is_what_plain_numpy_makes_of_the_readings(data: Path, result: dict[str, Any]) -> None:
    for minutes in (30, 60):
        errors = []
        for name in PEOPLE:
            readings = [r for r in person(data / "t1d/uc_ht_t1dm" / name).read() if r.signal == "glucose"]
            at, value = np.array([r.at for r in readings]), np.array([r.value for r in readings])
            cut = at[0] + SPLIT * (at[-1] - at[0])
            for i in np.flatnonzero(at > int(cut)):
                off = np.abs(at - (at[i] + minutes * MINUTE))
                if off.min() <= 5 * MINUTE / 2:
                    errors.append(value[off.argmin()] - value[i])
        row = result["horizons"][str(minutes)]
        assert row["n"] == len(errors)
        assert row["baselines"]["hold"] == pytest.approx(float(np.sqrt(np.mean(np.square(errors)))), rel=1e-9)


def test_the_twin_is_better_than_holding_the_last_value_and_its_intervals_hold(result: dict[str, Any]) -> None:
    for minutes in ("30", "60"):
        row = result["horizons"][minutes]
        assert row["rmse"] < row["baselines"]["hold"]
        assert 0.65 <= row["cover80"] <= 0.92
        assert 0.86 <= row["cover95"] <= 0.995


def test_errors_grow_with_the_horizon(result: dict[str, Any]) -> None:
    errors = [result["horizons"][minutes]["rmse"] for minutes in ("30", "60", "120")]
    assert errors == sorted(errors)
