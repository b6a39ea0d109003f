"""The filter: exact where the exact answer is known, and never carried away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tank import BORN, TANK, lived

from gemel.assimilate import Filter, condition, cycles, follow, step
from gemel.dynamics import Belief, Expected, Range, Reading, Subject, stack
from gemel.facts import MINUTE

SD = 0.7


@dataclass(frozen=True)
class Line:
    """Values that stand still, the first of them read with noise."""

    ranges: Mapping[str, Range]
    read: str

    def observe(self, belief: Belief) -> Mapping[str, Expected]:
        """Return what is read of the first value."""
        mean = np.asarray(belief.values[self.read], np.float32)
        return {"seen": Expected(mean, np.full(mean.shape, SD, np.float32))}


def still(values: Mapping[str, np.ndarray]) -> Belief:
    rows = len(next(iter(values.values())))
    return Belief(
        tuple(Subject(str(i), 0) for i in range(rows)), np.zeros(rows, np.int64),
        {name: value.astype(np.float32) for name, value in values.items()},
    )  # fmt: skip


def told(line: Line, belief: Belief, values: Sequence[float], settings: Filter | None = None) -> tuple[Belief, Any]:
    return condition(line, belief, {"seen": np.array(values)}, settings or Filter(doubt=1e6))  # type: ignore[arg-type]


FREE = Line({"x": Range(), "y": Range()}, "x")


def pair(rows: int = 1, members: int = 4000, seed: int = 0) -> Belief:
    rng = np.random.default_rng(seed)
    x = rng.normal(2.0, 1.5, (rows, members))
    return still({"x": x, "y": 0.8 * x + rng.normal(-1.0, 0.5, (rows, members))})


@pytest.mark.parametrize("reading", [2.0, 4.0, -3.0])
def test_the_update_is_the_kalman_filters(reading: float) -> None:
    """Against the closed form for mean and covariance of a linear Gaussian model."""
    before = pair()
    after, info = told(FREE, before, [reading])
    prior = np.stack([before.values["x"][0], before.values["y"][0]]).astype(float)
    mean, P, H = prior.mean(axis=1), np.cov(prior), np.array([[1.0, 0.0]])
    K = P @ H.T / (H @ P @ H.T + SD**2)
    found = np.stack([np.asarray(after.values["x"])[0], np.asarray(after.values["y"])[0]]).astype(float)
    assert found.mean(axis=1) == pytest.approx(mean + K[:, 0] * (reading - mean[0]), abs=2e-4)
    assert np.cov(found) == pytest.approx((np.eye(2) - K @ H) @ P, abs=5e-4)
    total = P[0, 0] + SD**2
    density = -0.5 * (np.log(2 * np.pi * total) + (reading - mean[0]) ** 2 / total)
    assert float(info["seen.log_score"][0]) == pytest.approx(density, abs=1e-3)


def test_many_readings_leave_the_kalman_filters_mean_and_variance() -> None:
    belief, readings = pair(), [1.0, 2.5, 3.0, 1.7, 2.2]
    m, v = float(belief.values["x"].mean()), float(belief.values["x"].var(ddof=1))
    for reading in readings:
        belief, _ = told(FREE, belief, [reading])
        k = v / (v + SD**2)
        m, v = m + k * (reading - m), (1 - k) * v
    x = np.asarray(belief.values["x"], float)
    assert (x.mean(), x.var(ddof=1)) == pytest.approx((m, v), rel=2e-3)


spans = st.sampled_from([Range(0.0, np.inf, True), Range(0.2, 0.9, True), Range(-5.0, 5.0), Range(0.0, np.inf)])


@given(spans, st.integers(0, 99), st.floats(-1e3, 1e3), st.sampled_from([0.0, 0.6]))
def test_every_value_stays_in_its_range(span: Range, seed: int, reading: float, relax: float) -> None:
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((1, 16))
    values = 0.2 + 0.7 / (1 + np.exp(-z)) if np.isfinite(span.high) else np.exp(z)
    belief = still({"x": rng.normal(0, 1, (1, 16)) + z, "p": values})
    after, _ = told(Line({"x": Range(), "p": span}, "x"), belief, [reading], Filter(4.0, relax))
    p = np.asarray(after.values["p"])
    assert np.isfinite(p).all() and (p >= span.low).all() and (p <= span.high).all()


@given(st.floats(10.0, 1e6), st.booleans())
def test_an_outlier_moves_the_belief_no_further_than_a_doubtful_reading(off: float, below: bool) -> None:
    belief, settings = pair(members=64), Filter(doubt=3.0)
    x = belief.values["x"].astype(float)
    mean, total = x.mean(), np.sqrt(x.var(ddof=1) + SD**2)
    sign = -1.0 if below else 1.0
    doubtful, _ = told(FREE, belief, [mean + sign * 3.0 * total], settings)
    wild, info = told(FREE, belief, [mean + sign * off * total], settings)
    moved = [abs(float(np.asarray(b.values["x"], float).mean()) - mean) for b in (doubtful, wild)]
    assert moved[1] <= moved[0] + 1e-4
    assert float(info["seen.outlier"][0]) == 1.0


def test_where_nothing_was_read_nothing_is_learned() -> None:
    belief = pair(rows=2, members=32)
    after, _ = told(FREE, belief, [np.nan, 1.0])
    assert np.allclose(np.asarray(after.values["x"])[0], belief.values["x"][0], atol=1e-5)
    assert not np.allclose(np.asarray(after.values["x"])[1], belief.values["x"][1], atol=1e-2)


def test_missing_readings_only_widen() -> None:
    """The same record with an hour missing: no narrower at its end, and in the middle of it twice as wide."""
    plan, readings = lived(8)
    gap = [r for r in readings if not BORN + 360 * MINUTE < r.at < BORN + 475 * MINUTE]
    start = TANK.prior([Subject("tank", BORN)], 64, 0)
    whole, holed = (
        {c.at: b for c, b, _ in follow(TANK, start, cycles(r), plan, 0, Filter(4.0))} for r in (readings, gap)
    )

    def spread(belief: Belief) -> float:
        return float(np.asarray(belief.values["tank.level"], float).std())

    last = max(at for at in holed if at <= BORN + 360 * MINUTE)
    moved, _ = TANK.advance(holed[last], [[d for d in plan if d.at >= last]], holed[last].at + 60 * MINUTE, 0)
    assert spread(moved) > 2 * spread(whole[last + 60 * MINUTE])
    end = max(whole)
    assert spread(holed[end]) >= 0.9 * spread(whole[end])


def test_a_twin_alone_learns_the_same_as_in_a_batch_of_thousands() -> None:
    plan, readings = lived(1)
    many = TANK.prior([Subject(f"tank {i}", BORN) for i in range(2000)], 16, 0)
    alone = [TANK.prior([Subject(f"tank {i}", BORN)], 16, 0) for i in (0, 1234, 1999)]
    for cycle in cycles(readings)[:6]:
        many, _ = step(TANK, many, cycle, plan, 0, Filter(4.0))
        alone = [step(TANK, belief, cycle, plan, 0, Filter(4.0))[0] for belief in alone]
    together = stack(alone)
    for name, value in together.values.items():
        assert np.allclose(value, np.asarray(many.values[name])[[0, 1234, 1999]], rtol=1e-4, atol=1e-4), name


@given(st.permutations(range(12)))
def test_cycles_do_not_depend_on_the_order_of_readings(order: list[int]) -> None:
    readings = [Reading("ab"[i % 2], float(i % 5), BORN + (i // 3) * 20_000) for i in range(12)]
    assert cycles([readings[i] for i in order]) == cycles(readings)
