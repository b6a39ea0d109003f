"""Nothing looks ahead: neither what is read off a past, nor what is foreseen from it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from tank import BORN, Tank, lived

from gemel.bank import Record, Replica, Walk, record
from gemel.bank.features import Past
from gemel.bank.foresight import Walked
from gemel.bank.record import AHEAD, EVERY
from gemel.experiment.baselines import ALPHA, ridge_ar
from gemel.facts import HOUR, MINUTE, Fact, Time


def tank(plan: list[tuple[Time, str, float]], readings: list[tuple[Time, str, float]]) -> Replica:
    made = Replica(Tank, "tank", {}, 0)
    rows = [(*row, "acted/1") for row in plan] + [(*row, "observed/1") for row in readings]
    made.take(
        Fact("tank", kind, {"name": name, "value": value, "key": f"{i}"}, at, at, "me", (), i)
        for i, (at, name, value, kind) in enumerate(rows, start=1)
    )
    return made


@cache
def history() -> tuple[list[tuple[Time, str, float]], list[tuple[Time, str, float]]]:
    plan, readings = lived(60)
    return [(d.at, d.lever, float(d.amount)) for d in plan], [(r.at, r.signal, r.value) for r in readings]


@given(st.integers(30, 700), st.integers(0, 2**32 - 1))
def test_nothing_after_a_moment_changes_its_features(origin: int, seed: int) -> None:
    """Any other future, at other times, with more or less in it, but never another past."""
    plan, readings = history()
    now, rng = readings[origin][0], np.random.default_rng(seed)

    def other(rows: list[tuple[Time, str, float]]) -> list[tuple[Time, str, float]]:
        later = [
            (at + int(rng.integers(0, HOUR)), name, value * float(rng.uniform(0, 4)))
            for at, name, value in rows
            if at > now
        ]
        return sorted([row for row in rows if row[0] <= now] + later[: int(rng.integers(0, len(later) + 1))])

    at = np.array([readings[origin - 12][0], now])
    told = [Past(tank(p, r), "gauge").features(at) for p, r in ((plan, readings), (other(plan), other(readings)))]
    assert np.array_equal(*told)


@given(st.integers(700, 5000))
def test_a_shorter_look_back_gives_the_same_features_where_it_reaches(minute: int) -> None:
    """The bank reads only the last week; the record was made from all of it."""
    plan, readings = history()
    made, at = tank(plan, readings), np.array([readings[-1][0]])
    del minute
    assert np.allclose(Past(made, "gauge", BORN - HOUR).features(at), Past(made, "gauge").features(at))


@cache
def known() -> Record:
    plan, readings = history()
    return record(tank(plan, readings), "gauge")


def walked(changed: Record) -> Walked:
    return Walk([]).along(changed)


def first(found: Record, count: int) -> Record:
    arrays = {name: value[:count] for name, value in vars(found).items() if isinstance(value, np.ndarray)}
    return replace(found, **arrays)


@cache
def as_it_was() -> Walked:
    return walked(first(known(), 430))


@settings(max_examples=6)
@given(st.integers(170, 400), st.floats(-300, 300))
def test_what_comes_later_changes_no_earlier_forecast_and_no_earlier_interval(origin: int, off: float) -> None:
    found, now = known(), known().at[origin]
    due = found.at[:, None] + EVERY * np.arange(1, AHEAD + 1)[None]
    later = found.at > now
    other = replace(
        found,
        value=np.where(later, found.value + off, found.value),
        features=np.where(later[:, None], found.features + off, found.features),
        said=np.where(later[:, None], found.said - off, found.said),
        truth=np.where(due > now, found.truth + off, found.truth),
    )
    a, b = as_it_was(), walked(first(other, origin + 20))
    assert np.array_equal(a.mean[: origin + 1], b.mean[: origin + 1])
    assert np.array_equal(a.quantiles[:, : origin + 1], b.quantiles[:, : origin + 1])


def test_a_record_is_what_the_replica_would_have_said_then() -> None:
    """The same origins from a replica that never heard of what came later."""
    plan, readings = history()
    until = readings[100][0]
    short = record(tank([p for p in plan if p[0] <= until], readings[:101]), "gauge")
    whole = known().until(until)
    assert np.array_equal(short.at, whole.at)
    assert np.allclose(short.said, whole.said, rtol=1e-5) and np.allclose(
        short.features, whole.features, rtol=1e-4, atol=1e-4
    )


@given(st.integers(0, 719))
def test_a_record_cut_off_hides_truths_that_had_not_come(origin: int) -> None:
    found = known()
    moment = int(found.at[origin])
    cut = found.until(moment)
    due = cut.at[:, None] + EVERY * np.arange(1, AHEAD + 1)[None]
    assert len(cut.at) == origin + 1
    assert np.isnan(cut.truth[due > moment]).all()
    seen = due <= moment
    assert np.array_equal(cut.truth[seen], found.truth[: origin + 1][seen], equal_nan=True)


def test_the_ridge_baseline_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    X, train = rng.normal(3, 2, (200, 5)), np.arange(200) < 140
    truth = X @ [1.0, -2.0, 0.5, 0.0, 3.0] + rng.normal(0, 0.3, 200)
    truth[::17] = np.nan
    rows = train & np.isfinite(truth)
    Z = (X - X[rows].mean(axis=0)) / X[rows].std(axis=0)
    theirs = Ridge(alpha=ALPHA).fit(Z[rows], truth[rows]).predict(Z)
    assert ridge_ar(X, truth, train) == pytest.approx(theirs, rel=1e-9)


def test_every_origin_is_a_reading_and_every_truth_the_one_that_came() -> None:
    found, (_, readings) = known(), history()
    by_time = {at: value for at, _, value in readings}
    assert set(found.at) <= set(by_time)
    assert found.truth[10, 3] == by_time[int(found.at[10]) + 20 * MINUTE]
