"""The twin of one person from many days: equations, gradients, recovery, updates, diagnostics."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gemel.dynamics import Dose, Reading
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, time_of
from gemel.packs.diabetes import personal
from gemel.packs.diabetes.asset import parameters_of, virtual_days
from gemel.packs.diabetes.personal import ahead, carried, posterior, report
from gemel.packs.diabetes.personal.days import ended
from gemel.packs.diabetes.personal.equations import (
    ALPHA,
    KE,
    LEAD,
    R1,
    R2,
    TAU,
    VG,
    VI,
    Constants,
    F,
    Inputs,
    appeared,
    glucose,
)
from gemel.packs.diabetes.personal.evidence import LAGS, doses_of, withheld
from gemel.packs.diabetes.personal.fit import Gaussian, P, Problem, Q, fit, replays, stacked
from gemel.packs.diabetes.personal.noise import Noise, learn
from gemel.packs.diabetes.personal.pareto import smoothed
from gemel.packs.diabetes.personal.predictive import lines, predictive
from gemel.packs.diabetes.personal.root import mean_squared, rooted, squared
from gemel.packs.diabetes.personal.scores import scores
from gemel.packs.diabetes.personal.twin import ANYBODY, walk

CELLS = 288


def doses(day: int) -> list[Dose]:
    """Return what a made-up person takes in a day: basal, three meals, boluses with them."""
    rng = np.random.default_rng(day)
    begin = day * DAY
    found = [Dose("basal", 1.0, begin)]
    for hour, grams in ((8, 45.0), (13, 70.0), (19, 60.0)):
        at = begin + hour * HOUR + int(rng.integers(0, 9)) * 5 * MINUTE
        eaten = grams * float(rng.uniform(0.7, 1.3))
        found += [Dose("carbs", eaten, at), Dose("bolus", eaten / float(rng.uniform(8, 14)), at)]
    return found


ERRORS = Noise(8.0, 100.0, 2.0, 40.0, 1.5)


def lived(days: int) -> tuple[np.ndarray, list[personal.Day]]:
    """Return the person (P,) and days that the model itself lived, with correlated errors."""
    rng = np.random.default_rng(7)
    person = 0.6 * rng.standard_normal(P)
    person[1:7] = 0.0
    given = [dose for day in range(days + 1) for dose in doses(day)]
    empty = [personal.day_at([], given, d * DAY + 4 * HOUR, weight=70.0, basal=0.24) for d in range(days)]
    started = [replace(day, glucose=np.where(np.arange(CELLS + 1) == 0, 130.0, np.nan)) for day in empty]
    with jax.enable_x64(True):
        daily = 0.5 * rng.standard_normal((days, Q))
        said = replays(np.repeat(person[None], days, 0), daily, stacked(started))
    at = 5.0 * np.arange(CELLS + 1)
    root = np.linalg.cholesky(ERRORS.covariance(at))
    return person, [
        replace(day, glucose=row + root @ rng.standard_normal(CELLS + 1))
        for day, row in zip(empty, said, strict=True)
    ]  # fmt: skip


def few(at: posterior.Target, count: int, seed: int) -> posterior.Draws:
    """Sample quickly: not to be believed, good enough to go on."""
    return posterior.importance(at, 60, seed, 1)


@pytest.fixture(scope="module")
def record() -> tuple[np.ndarray, list[personal.Day]]:
    return lived(3)


def case() -> tuple[Constants, Inputs]:
    insulin = np.full(LEAD + CELLS, 0.25)
    insulin[[LEAD + 24, LEAD + 90]] += [8.0, 10.0]
    constants = Constants(
        np.full(CELLS, 125.0), 0.02, 0.012, 0.012, 0.03, 0.15, np.full(LEAD + CELLS, 8e-4),
        np.array([0.012, 0.02]), np.array([10.0, 3.0]), np.ones(2),
    )  # fmt: skip
    return constants, Inputs(insulin, 0.25, np.array([130.0, 455.0]), np.array([600.0, 800.0]), np.zeros(CELLS))


def integrated() -> np.ndarray:
    """Return the same day by SciPy's RK45 on the equations of the paper as they stand there, restarted at every jump."""
    _, inputs = case()

    def change(t: float, y: np.ndarray) -> list[float]:
        i1, i2, ip, x, q1, q2, qg, r1, r2, rg, g, ig = y
        cell = int(np.floor((t - TAU + 5 * LEAD) / 5 + 1e-9))
        rise = 1 + 10 * R1 * (np.log(np.clip(g, 60, 125)) ** R2 - np.log(125) ** R2) ** 2
        appears = F * (0.012 * qg + 0.02 * rg)
        return [
            inputs.insulin[cell] - 0.03 * i1, 0.03 * i1 - 0.012 * i2, 0.012 * i2 - KE * ip,
            -0.012 * (x - 8e-4 / VI * (ip - 0.25 / KE)), -0.15 * q1, 0.15 * (q1 - q2), 0.15 * q2 - 0.012 * qg,
            -0.15 * r1, 0.15 * (r1 - r2), 0.15 * r2 - 0.02 * rg,
            -(0.02 + rise * x) * g + 0.02 * 125 + appears / VG, (g - ig) / ALPHA,
        ]  # fmt: skip

    y = np.array([0.25 / 0.03, 0.25 / 0.012, 0.25 / KE, 0, 0, 0, 0, 0, 0, 0, 140.0, 140.0])
    edges = sorted({140.0, 458.0, *(5.0 * k for k in range(CELLS + 1)), *(5.0 * k + 3.0 for k in range(CELLS))})
    found = {0.0: y[11]}
    for begin, end in itertools.pairwise(edges):
        y = y + 600.0 * (begin == 140.0) * np.eye(12)[4] + 800.0 * (begin == 458.0) * np.eye(12)[7]
        # the middle of a piece decides its input: its edges belong to two
        y = solve_ivp(lambda t, s, m=(begin + end) / 2: change(m, s), (begin, end), y, rtol=1e-7, atol=1e-7).y[:, -1]
        found[end] = y[11]
    return np.array([found[5.0 * k] for k in range(CELLS + 1)])


def test_a_day_agrees_with_an_independent_integration() -> None:
    constants, inputs = case()
    with jax.enable_x64(True):
        ours = np.asarray(glucose(jax.tree.map(jnp.asarray, constants), jax.tree.map(jnp.asarray, inputs), 140.0)[1])
    assert np.abs(ours - integrated()).max() < 0.6
    assert ours.max() - ours.min() > 100


def test_a_meal_appears_whole_whatever_its_rates() -> None:
    with jax.enable_x64(True):
        for kempt, kabs in ((0.1, 0.02), (0.05, 0.05), (0.03, 0.0299999), (0.5, 0.01)):
            share = np.asarray(appeared(jnp.array([-5.0, 0.0, 30.0, 5000.0]), jnp.array(kempt), jnp.array(kabs)))
            assert share == pytest.approx([0.0, 0.0, share[2], 1.0], abs=1e-9)
            assert 0 < share[2] < 1


def test_the_derivatives_are_those_of_finite_differences(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    person, days = record
    with jax.enable_x64(True):
        problem = Problem(days[:1], Noise(), ANYBODY, walk())
        from gemel.packs.diabetes.personal.fit import jacobians

        z, daily = person.copy(), np.full((1, Q), 0.1)
        _, jac = jacobians(problem, z, daily)
        jac = np.linalg.pinv(problem.white[0]) @ jac[0]
        for i in range(0, P + Q, 5):
            step = 1e-5 * np.eye(P + Q)[i]
            ends = [
                replays((z + s * step[:P])[None], daily + s * step[P:], problem.told)[0] for s in (1.0, -1.0)
            ]  # fmt: skip
            assert jac[:, i] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=2e-4 + 2e-4 * np.abs(jac[:, i]).max())


def test_known_constants_are_found_again(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    person, days = record
    with jax.enable_x64(True):
        mode = fit(Problem(days, Noise(8.0, 100.0, 2.0, 40.0, 1.5), ANYBODY, np.zeros(P)))
    spread = np.sqrt(np.diag(np.linalg.inv(mode.gaussian.precision)))
    off = np.abs(mode.person - person) / spread
    assert (off < 1.645).mean() > 0.7
    assert off.max() < 4.5
    assert spread[0] < 0.5


def test_days_one_by_one_teach_what_they_teach_together(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    _, days = record
    with jax.enable_x64(True):
        noise = Noise(8.0, 100.0, 2.0, 40.0, 1.5)
        together = fit(Problem(days, noise, ANYBODY, np.zeros(P)), steps=60)
        belief = ANYBODY
        for day in days:
            belief = fit(Problem([day], noise, belief, np.zeros(P)), steps=60).gaussian
    spread = np.sqrt(np.diag(np.linalg.inv(together.gaussian.precision)))
    assert (np.abs(belief.mean - together.person) < 2.0 * spread).mean() > 0.8
    assert np.sqrt(np.diag(np.linalg.inv(belief.precision))) == pytest.approx(spread, rel=0.8)


def test_a_twin_is_updated_by_a_day_kept_and_foretells(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    _, days = record
    first = personal.personalise(days[:2], 1, sampler=few)
    twin = personal.update(first, days[2], 1, sampler=few)
    assert [day.at for day in twin.days] == [day.at for day in days]
    again = personal.from_body(json.loads(json.dumps(personal.body(twin))))
    today = personal.day_at(
        [Reading("glucose", 130.0, 3 * DAY + 4 * HOUR)], doses(3), 3 * DAY + 4 * HOUR, weight=70, basal=0.24
    )
    told, kept = (personal.foretell(which, today, 1, 50) for which in (twin, again))
    assert told == pytest.approx(kept, abs=5.0)
    assert told.shape == (50, CELLS + 1)
    assert np.ptp(told[:, 0]) < 15 < np.ptp(told[:, 100])
    seen = personal.foreseen(twin, today, 60, 1)
    assert seen.glucose.shape == seen.per_unit.shape == seen.per_gram.shape
    assert (
        seen.per_unit[:, 0] == pytest.approx(0) and seen.per_unit[:, -1].mean() < -1 and seen.per_gram[:, -1].mean() > 0
    )
    with pytest.raises(BadInput, match="does not come after"):
        personal.update(twin, days[2], 1)


def test_a_replay_under_its_own_inputs_gives_the_readings(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    _, days = record
    twin = personal.personalise(days[:1], 1, sampler=few)
    own = personal.replay(twin, days[0], count=4)
    assert np.sqrt(np.mean((own - days[0].glucose) ** 2)) < 4
    insulin = days[0].insulin.copy()
    insulin[LEAD + 100] += 1000 / 5 / 70
    less = personal.replay(twin, days[0], replace(days[0], insulin=insulin), count=4)
    assert (less - own)[:, :100] == pytest.approx(0)
    assert (less - own)[:, 130:].mean() < -1


def test_a_replay_gives_the_readings_even_where_the_insulin_on_record_would_have_been_deadly(
    record: tuple[np.ndarray, list[personal.Day]],
) -> None:
    _, days = record
    twin = personal.personalise(days[:1], 1, sampler=few)
    much = replace(days[0], insulin=np.where(days[0].insulin > 1.0, 4.0 * days[0].insulin, days[0].insulin))
    assert personal.replay(twin, much, count=4, flow=np.zeros((4, CELLS))).min() < 30
    assert np.sqrt(np.mean((personal.replay(twin, much, count=4) - days[0].glucose) ** 2)) < 4


def test_chains_that_did_not_meet_are_doubted() -> None:
    rng = np.random.default_rng(1)
    good = rng.standard_normal((4, 200, 3))
    assert posterior.trusted(posterior.mixed(good)) == []
    apart = good + np.arange(4)[:, None, None]
    assert "chains disagree" in posterior.trusted(posterior.mixed(apart))[0]


def test_weights_that_one_draw_carries_are_doubted() -> None:
    rng = np.random.default_rng(2)
    for heavy, doubted in ((0.3, False), (1.5, True)):
        log = heavy * rng.exponential(size=2000)
        weight, k = smoothed(log)
        assert weight.sum() == pytest.approx(1)
        assert bool(posterior.trusted({"pareto_k": k, "ess": 100.0})) is doubted
        assert k == pytest.approx(heavy, abs=0.35)


def test_the_sampler_finds_a_density_that_is_known(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    """A day with no reading leaves the prior: its draws have its mean and spread."""
    _, days = record
    nothing = replace(days[0], glucose=np.where(np.arange(CELLS + 1) == 0, 130.0, np.nan))
    with jax.enable_x64(True):
        problem = Problem([nothing], Noise(), Gaussian(np.full(P, 0.2), 4.0 * np.eye(P)), np.zeros(P))
        found = posterior.importance(posterior.target(problem, fit(problem)), 400, 1, 2)
    assert posterior.trusted(found.told) == []
    assert found.person.mean(axis=0) == pytest.approx(np.full(P, 0.2), abs=0.15)
    assert found.person.std(axis=0) == pytest.approx(np.full(P, 0.5), abs=0.12)


def test_chains_go_on_while_they_are_doubted(record: tuple[np.ndarray, list[personal.Day]]) -> None:
    """As many draws come of them, of chains that agree better."""
    nothing = replace(record[1][0], glucose=np.where(np.arange(CELLS + 1) == 0, 130.0, np.nan))
    with jax.enable_x64(True):
        problem = Problem([nothing], Noise(), Gaussian(np.full(P, 0.2), 4.0 * np.eye(P)), np.zeros(P))
        at = posterior.target(problem, fit(problem))
        short, long = (posterior.chains(at, 80, 1, more=more) for more in (0, 3))
    assert posterior.trusted(short.told) and short.person.shape == long.person.shape == (80, P)
    assert long.told["ess"] > 1.5 * short.told["ess"] and long.told["r_hat"] < short.told["r_hat"]


def test_correlated_noise_is_learned() -> None:
    true = Noise(20.0, 150.0, 5.0, 30.0, 1.5)
    root = np.linalg.cholesky(true.covariance(5.0 * np.arange(CELLS + 1)))
    found = learn(np.random.default_rng(3).standard_normal((4, CELLS + 1)) @ root.T)
    assert found.slow == pytest.approx(20.0, rel=0.35)
    assert found.fast == pytest.approx(5.0, rel=0.4)


def test_what_cannot_be_a_person_or_a_day_is_refused() -> None:
    with pytest.raises(BadInput, match="not a body weight"):
        personal.day_at([], [], 0, weight=700.0, basal=0.2)
    with pytest.raises(BadInput, match="no day to learn from"):
        personal.personalise([], 1)


def test_insulin_is_counted_to_the_last_unit() -> None:
    given: list[Any] = [
        Dose("basal", 0.6, 0),
        Dose("basal", 1.2, 10 * HOUR + 2 * MINUTE),
        Dose("bolus", 3.0, 12 * HOUR),
    ]
    day = personal.day_at([], given, 8 * HOUR, weight=50.0, basal=0.2)
    units = day.insulin.sum() * 5 * 50 / 1000
    assert units == pytest.approx(0.6 * (10 + 2 / 60) + 1.2 * (22 - 2 / 60) + 3.0)


@pytest.mark.parametrize("hours", [0, 4, -3])
def test_a_log_in_another_time_zone_is_noticed_and_put_right(hours: int) -> None:
    given = [dose for day in range(3) for dose in doses(day)]
    shifted = personal.put_right(given, personal.Clock(-hours * HOUR), 3 * DAY)
    clock = personal.clock_of(shifted, 3 * DAY)
    assert clock == personal.Clock(hours * HOUR)
    assert {(d.lever, d.at) for d in personal.put_right(shifted, clock, 3 * DAY)} == {(d.lever, d.at) for d in given}


@pytest.mark.parametrize("offset", [0, -3 * HOUR])
def test_a_log_without_am_and_pm_is_noticed_and_put_right(offset: int) -> None:
    """Every entry is written by twelve hours: that of 19 h as 7 h, that of midnight as 12 h."""
    given = [replace(dose, at=dose.at - offset) for day in range(4) for dose in doses(day)]
    given += [Dose("carbs", 20.0, 2 * DAY + 10 * MINUTE - offset), Dose("bolus", 2.0, 2 * DAY + 10 * MINUTE - offset)]

    def written(dose: Dose) -> Dose:
        hour = (dose.at + offset) % DAY // HOUR
        by = -12 * HOUR if hour >= 13 else 12 * HOUR if hour < 1 else 0
        return replace(dose, at=dose.at + by) if dose.lever == "carbs" else dose

    log, until = [written(dose) for dose in given], 4 * DAY - offset
    clock = personal.clock_of(log, until, offset)
    assert clock == personal.Clock(twelve=True)
    assert {(d.lever, d.at) for d in personal.put_right(log, clock, until, offset)} == {(d.lever, d.at) for d in given}
    assert personal.clock_of(given, until, offset) == personal.Clock()


def test_no_entry_is_put_behind_the_end_of_its_log() -> None:
    log = [Dose("carbs", 30.0, 9 * HOUR), Dose("bolus", 3.0, 8 * HOUR), Dose("bolus", 3.0, 21 * HOUR)]
    clock = personal.Clock(twelve=True)
    assert [d.at for d in personal.put_right(log, clock, 22 * HOUR) if d.lever == "carbs"] == [21 * HOUR]
    assert [d.at for d in personal.put_right(log, clock, 20 * HOUR) if d.lever == "carbs"] == [9 * HOUR]


def test_an_entry_that_twelve_hours_cannot_write_stays() -> None:
    log = [Dose("carbs", 30.0, 19 * HOUR), Dose("bolus", 3.0, 7 * HOUR), Dose("bolus", 3.0, 19 * HOUR + 25 * MINUTE)]
    assert personal.put_right(log, personal.Clock(twelve=True), DAY) == sorted(log, key=lambda dose: dose.at)


@pytest.mark.parametrize(("logged", "dosed"), [((8.0,), (8.0, 12.5, 20.0)), ((1.5, 5.5, 11.5), (1.5, 5.5, 11.5))])
def test_whoever_logs_breakfast_alone_or_lives_in_another_zone_has_no_clock_of_twelve_hours(
    logged: tuple[float, ...], dosed: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(2)
    given = [
        Dose(lever, 5.0, day * DAY + round(hour * 60 + rng.normal(0, 10)) * MINUTE)
        for day in range(60)
        for lever, hours in (("carbs", logged), ("bolus", dosed))
        for hour in hours
    ]
    assert [personal.clock_of(given, days * DAY) for days in (7, 14, 30, 60)] == [personal.Clock()] * 4


def test_entries_that_have_nothing_to_do_with_boluses_stay_where_they_are() -> None:
    rng = np.random.default_rng(1)
    given = [
        Dose(lever, 5.0, int(at))
        for lever in ("carbs", "bolus")
        for at in rng.integers(0, 7 * DAY, 25) // MINUTE * MINUTE
    ]
    assert personal.clock_of(given, 7 * DAY) == personal.Clock()
    mornings = [
        replace(d, at=d.at // DAY * DAY + HOUR + d.at % (12 * HOUR)) if d.lever == "carbs" else d for d in given
    ]
    assert personal.clock_of(mornings, 7 * DAY) == personal.Clock()
    assert personal.clock_of([Dose("carbs", 30.0, 0)], DAY) == personal.Clock()


def test_what_is_said_on_the_roots_scale_is_the_mean_and_the_draws_of_glucose() -> None:
    glucose = np.array([20.0, 70.0, 140.0, 400.0])
    assert squared(rooted(glucose)) == pytest.approx(glucose)
    assert np.gradient(rooted(np.array([139.9, 140.0, 140.1])), 0.1)[1] == pytest.approx(1.0, rel=1e-3)
    drawn = squared(rooted(glucose[1:]) + 30.0 * np.random.default_rng(1).standard_normal((200_000, 3)))
    assert drawn.mean(axis=0) == pytest.approx(mean_squared(rooted(glucose[1:]), np.full(3, 900.0)), rel=2e-3)


def test_each_dose_is_evidence_of_one_kind_and_all_of_it_is_counted() -> None:
    given = [Dose("basal", 1.0, 0), Dose("basal", 0.0, 20 * HOUR), Dose("basal", 1.0, 22 * HOUR)]
    given += [Dose("bolus", 4.0, 12 * HOUR), Dose("carbs", 40.0, 12 * HOUR + 10 * MINUTE)]
    given += [Dose("bolus", 2.0, 16 * HOUR), Dose("carbs", 20.0, 23 * HOUR), Dose("carbs", 500.0, 25 * HOUR)]
    found = doses_of(personal.day_at([], given, 8 * HOUR, weight=70.0, basal=0.24))
    assert found.sum(axis=1) == pytest.approx([1.0, 0.5, 1.0, 0.5 + 100 / 40, 2.0], abs=0.03)
    assert withheld(found).tolist() == [12 * 4]
    found[4] *= 0.6  # a lower rate at night
    assert withheld(found).tolist() == []


def test_habits_of_others_are_learned_and_make_a_record_of_doses_evidence() -> None:
    """Glucose of made-up people is high where they bolus alone, which is all that there is to learn."""
    rng = np.random.default_rng(3)

    def made(day: int) -> personal.Day:
        hour = int(rng.integers(10, 20))
        given = [Dose("basal", 1.0, 0), Dose("bolus", 4.0, day * DAY + hour * HOUR)]
        empty = personal.day_at([], given, day * DAY + 4 * HOUR, weight=70.0, basal=0.24)
        at = 5.0 * np.arange(CELLS + 1) / 60 + 4 - hour
        return replace(empty, glucose=140 + 60 * np.exp(-0.5 * at**2) + ERRORS.slow * rng.standard_normal())

    def kept(day: personal.Day) -> personal.Foretold:
        return personal.Foretold(day.at, np.full(CELLS // 3 + 1, np.nan), day.glucose[::3], doses_of(day), 4.0)

    habits = personal.learned([[kept(made(d)) for d in range(1, 5)] for _ in range(3)])
    bolus = habits.mean[2 + len(LAGS) : 2 + 2 * len(LAGS)]
    assert bolus[np.abs(LAGS) < 30].item() > 30 and np.abs(bolus[LAGS > 200]).max() < 15
    today = made(6)
    hidden = replace(today, glucose=np.where(np.arange(CELLS + 1) < 1, today.glucose, np.nan))
    known, given = carried.trust((), habits), doses_of(today)
    nothing = np.full(CELLS + 1, np.nan)
    mean, covariance = carried.foretold(today.at, nothing, hidden.glucose, known, given)
    assert known.without is not None
    blind, _ = carried.foretold(today.at, nothing, hidden.glucose, known.without)
    alone, _ = carried.foretold(today.at, nothing, hidden.glucose, replace(known, without=None), given)
    assert mean == pytest.approx((alone + blind) / 2)
    assert np.all(np.diag(covariance) >= ((alone - blind) / 2) ** 2)
    truth = rooted(today.glucose)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.7 * np.sqrt(np.mean((blind - truth) ** 2))
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    undosed, _ = carried.foretold(today.at, nothing, nothing, known)
    assert undosed.shape == mean.shape and personal.learned([()]).mean.shape == habits.mean.shape


@pytest.mark.parametrize("wide", [0.6, 1.5])
def test_the_spread_of_what_is_foretold_follows_the_persons_own_days(wide: float) -> None:
    """Made-up people whose errors are narrower or wider than anybody's; 90 % intervals of later days hold what they should."""
    rng = np.random.default_rng(6)
    root = wide * np.linalg.cholesky(carried.ERRORS[0].covariance(5.0 * np.arange(CELLS + 1)))
    held, plain = [], []
    for _ in range(6):
        days = [
            personal.Foretold(
                d * DAY, np.full(CELLS // 3 + 1, 140.0), squared(145.0 + root @ rng.standard_normal(CELLS + 1))[::3]
            )
            for d in range(9)
        ]
        for known, found in ((carried.trust(days[:8]), held), (replace(carried.trust(days[:1]), scale=1.0), plain)):
            mean, covariance = carried.foretold(
                days[8].at, days[8].said, np.full(CELLS // 3 + 1, np.nan), known, every=3
            )
            found.append(float((np.abs(rooted(days[8].read) - mean) < 1.645 * np.sqrt(np.diag(covariance))).mean()))
    assert abs(np.mean(held) - 0.9) < 0.08
    assert abs(np.mean(held) - 0.9) < abs(np.mean(plain) - 0.9)


def test_basal_that_begins_to_be_withheld_reads_that_glucose_is_where_others_withhold_it() -> None:
    """Made-up people wander, and their pumps withhold basal for an hour whenever glucose has fallen to 75."""
    rng = np.random.default_rng(5)
    root = np.linalg.cholesky(Noise(45.0, 250.0, 8.0, 40.0, 1.5).covariance(5.0 * np.arange(CELLS + 1)))

    def lived(at: int) -> personal.Foretold:
        glucose = np.maximum(140.0 + root @ rng.standard_normal(CELLS + 1), 40.0)[::3]
        given = np.zeros((5, (LEAD + CELLS) // 3))
        fallen = np.flatnonzero((glucose[1:] <= 75) & (glucose[:-1] > 75)) + 1
        for k in fallen[np.diff(fallen, prepend=-99) > 12]:
            given[4, LEAD // 3 + k : LEAD // 3 + k + 4] = 0.25
        return personal.Foretold(at, np.full(len(glucose), np.nan), glucose, given, 4.0)

    habits = personal.learned([[lived(d * DAY) for d in range(4)] for _ in range(3)])
    assert rooted(np.array([65.0])) < habits.mean[-1] < rooted(np.array([85.0]))
    assert habits.off < 25
    given = np.zeros((5, (LEAD + CELLS) // 3))
    given[4, (LEAD + 120) // 3 : (LEAD + 132) // 3] = 0.25
    known, nothing = carried.trust((), habits), np.full(CELLS + 1, np.nan)
    mean, covariance = carried.foretold(9 * DAY, nothing, nothing, replace(known, without=None), given)
    alone = squared(mean)
    assert abs(alone[120] - 75) < 30 and alone[[20, 260]].min() > 105
    assert covariance[120, 120] < 0.6 * covariance[260, 260]


def test_the_next_day_of_virtual_people_lies_within_its_intervals() -> None:
    """Another model than the twin's lives these days: UVA/Padova; 90 % intervals hold 75 % and more of so few readings."""
    within = []
    for name, record in virtual_days(["adult#001", "adolescent#003"], 3.5, 1).items():
        readings = [Reading("glucose", value, at) for what, value, _, at in record if what == "glucose"]
        given = [Dose(what, value, at) for what, value, _, at in record if what in ("basal", "bolus", "carbs")]
        weight = parameters_of(name)["BW"]
        basal = personal.usual_basal(given, DAY, weight)
        *past, today = personal.days_of(readings, given, weight=weight, basal=basal)
        twin = personal.personalise(past, 1, sampler=few)
        now = replace(today, glucose=np.where(np.arange(CELLS + 1) < 1, today.glucose, np.nan))
        low, high = np.percentile(personal.foretell(twin, now, 1), [5, 95], axis=0)
        seen = np.isfinite(today.glucose)
        within.append(float(((today.glucose >= low) & (today.glucose <= high))[seen].mean()))
    assert np.mean(within) > 0.75


@pytest.mark.parametrize(("minutes", "late"), [(1, 0), (5, 2), (15, 0), (15, 4), (15, 11)])
def test_a_day_without_a_gap_was_read_whole_however_often_its_sensor_reads(minutes: int, late: int) -> None:
    at = range(4 * HOUR + late * MINUTE, 29 * HOUR, minutes * MINUTE)
    day = personal.days_of([Reading("glucose", 120.0, time) for time in at], [], weight=70.0, basal=0.2)[0]
    assert day.share > 0.98
    assert np.isfinite(day.glucose).sum() == pytest.approx(min(24 * 60 / minutes, CELLS), abs=1)
    assert np.isfinite(day.seen(3)).mean() > 0.98
    half = [Reading("glucose", 120.0, time) for time in at if time % (2 * HOUR) < HOUR]
    assert personal.days_of(half, [], weight=70.0, basal=0.2, share=0.0)[0].share == pytest.approx(0.5, abs=0.05)


def test_what_a_sensor_reads_every_five_minutes_is_taken_as_it_stands_gaps_and_all() -> None:
    at = [4 * HOUR + k * 5 * MINUTE for k in range(CELLS) if k % 9 > 1]
    day = personal.days_of([Reading("glucose", 120.0, time) for time in at], [], weight=70.0, basal=0.2)[0]
    assert np.array_equal(day.seen(3), day.glucose[::3], equal_nan=True)
    assert day.share == np.isfinite(day.glucose[:-1]).mean()


@pytest.mark.parametrize(("change", "apart"), [("2026-10-25T01:00:00Z", 25), ("2027-03-28T01:00:00Z", 23)])
def test_days_begin_at_four_by_the_persons_clock_and_share_no_reading(change: str, apart: int) -> None:
    zone, noon = ZoneInfo("Europe/Stockholm"), time_of(change) - 13 * HOUR
    at = range(noon - 2 * DAY, noon + 3 * DAY, 5 * MINUTE)
    offset = partial(report._offset, zone)
    days = personal.days_of([Reading("glucose", 120.0, t) for t in at], [], weight=70.0, basal=0.2, offset=offset)
    assert {datetime.fromtimestamp(day.at / 1000, zone).hour for day in days} == {4}
    assert {(b.at - a.at) // HOUR for a, b in itertools.pairwise(days)} == {24, apart}
    read = [day.at + 5 * MINUTE * k for day in days for k in np.flatnonzero(np.isfinite(day.glucose[:-1]))]
    assert len(set(read)) >= len(read) - 1


def test_a_day_has_ended_where_its_readings_come_near_its_end() -> None:
    day = personal.day_at([], [], 4 * HOUR, weight=70.0, basal=0.2)
    assert [ended(day, DAY + hour) for hour in (-HOUR, 3 * HOUR, 4 * HOUR - 15 * MINUTE, 9 * HOUR)] == [
        False, False, True, True,
    ]  # fmt: skip


def test_readings_every_quarter_of_an_hour_find_the_constants_again(
    record: tuple[np.ndarray, list[personal.Day]],
) -> None:
    person, days = record
    seldom = [replace(d, glucose=np.where(np.arange(CELLS + 1) % 3 == 1, d.glucose, np.nan), every=3) for d in days]
    with jax.enable_x64(True):
        mode = fit(Problem(seldom, ERRORS, ANYBODY, np.zeros(P)))
    off = np.abs(mode.person - person) / np.sqrt(np.diag(np.linalg.inv(mode.gaussian.precision)))
    assert (off < 1.645).mean() > 0.7
    assert off.max() < 4.5


def test_the_scores_of_a_day_are_those_of_what_the_twin_itself_foretold(
    record: tuple[np.ndarray, list[personal.Day]],
) -> None:
    _, days = record
    yesterday = personal.personalise(days[:2], 1, sampler=few)
    twin = personal.update(yesterday, days[2], 1, sampler=few)
    hidden = replace(days[2], glucose=np.where(np.arange(CELLS + 1) < 1, days[2].glucose, np.nan))
    row, later = scores(twin.days, UTC)[-1], np.arange(3, CELLS + 1, 3)
    for name, said in (("twin_rmse", ahead.expected(yesterday, hidden, 1)),
                       ("rmse", ahead.plain(yesterday, hidden, 1).mean(axis=0))):  # fmt: skip
        assert row[name] == pytest.approx(np.sqrt(np.mean((said - days[2].glucose)[later] ** 2)), rel=0.03)
    low, high = np.percentile(personal.foretell(yesterday, hidden, 1, 2000), [5, 95], axis=0)
    within = (days[2].glucose >= low) & (days[2].glucose <= high)
    assert row["within90"] == pytest.approx(within[later].mean(), abs=0.06)


def test_draws_that_live_the_days_again_are_like_a_record_of_their_own_and_unlike_a_flat_one(
    record: tuple[np.ndarray, list[personal.Day]],
) -> None:
    """The whitened errors of flat days all lie within their 90 %; no draw is ever so flat."""
    _, days = record
    own = predictive(personal.personalise(days, 1, sampler=few), days, 1)
    assert 0.8 < own["within90"] <= 1.0
    assert all(0.005 < own[name]["p"] < 0.995 for name in ("in_range", "lowest", "highest"))
    assert all(own[name]["from"] < own[name]["to"] for name in ("lowest", "highest"))
    level = [replace(day, glucose=np.full(CELLS + 1, 120.0)) for day in days]
    flat = predictive(personal.personalise(level, 1, sampler=few), level, 1)
    assert flat["lowest"]["observed"] == flat["highest"]["observed"] == 120.0
    assert flat["lowest"]["p"] < 0.025 and flat["highest"]["p"] > 0.975
    assert sum("unlike the record" in line for line in lines(flat)) >= 2
