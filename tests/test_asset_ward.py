"""A ward is the same for every controller, obeys only doses that are amounts, and its faults are felt and not told."""

from __future__ import annotations

from dataclasses import fields, replace

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound
from gemel.facts import HOUR, MINUTE
from gemel.packs.diabetes.asset import (
    COMMON,
    NONE,
    STILL,
    Mishaps,
    Ward,
    basal_bolus,
    parameters_of,
    sample,
    settings,
    subjects,
)
from gemel.packs.diabetes.asset.therapy import titrated, titration

SIX = ("adult#001", "adult#003", "adolescent#001", "adolescent#006", "child#003", "child#010")
"""One width for all tests: another one would be compiled anew."""


def ward(days: int = 1, seed: int = 1, mishaps: Mishaps = NONE, **options: object) -> Ward:
    return Ward(SIX, days, seed, mishaps, **options)  # type: ignore[arg-type]


def nothing(one: Ward) -> tuple[np.ndarray, np.ndarray]:
    """Return a treatment without insulin."""
    return np.zeros(len(one.names)), np.zeros(len(one.names))


def held(one: Ward) -> tuple[np.ndarray, np.ndarray]:
    """Return basal alone."""
    return one.settings.basal[:, one.now // HOUR % 24], np.zeros(len(one.names))


def test_two_runs_of_one_seed_are_one_run_and_another_seed_is_another() -> None:
    first, second, other = (ward(1, seed, COMMON).run(basal_bolus) for seed in (3, 3, 4))
    assert np.array_equal(first.truth, second.truth) and first.truth.shape == (6, 288)
    assert not np.array_equal(first.truth, other.truth)


def test_controllers_are_paired_they_meet_the_same_meals_errors_and_faults() -> None:
    treated, left = ward(2, 1, COMMON), ward(2, 1, COMMON)
    for _ in range(100):
        a, b = treated.readings(), left.readings()
        assert np.array_equal(a.carbs, b.carbs) and np.array_equal(np.isnan(a.glucose), np.isnan(b.glucose))
        assert np.array_equal(a.heart_rate, b.heart_rate) and np.array_equal(a.steps, b.steps)
        treated.step(*basal_bolus(treated))
        left.step(*nothing(left))
    assert left.truth[:, -1].mean() > treated.truth[:, -1].mean() + 30.0


def test_one_kind_of_mishap_leaves_the_rest_as_it_was() -> None:
    plain, off = ward(3).course, ward(3, mishaps=Mishaps(carb_error=0.3, missed=0.3, gaps=2.0)).course
    told = {"announced", "offset"}
    for name in (field.name for field in fields(plain)):
        same = np.array_equal(getattr(plain, name), getattr(off, name), equal_nan=True)
        assert same == (name not in told), name
    seen = ~np.isnan(off.offset)
    assert np.array_equal(plain.offset[seen], off.offset[seen])


def test_nobody_is_changed_by_who_else_is_in_the_ward() -> None:
    few, many = ward(1, 5, COMMON).run(basal_bolus), Ward(subjects(), 1, 5, COMMON).run(basal_bolus)
    rows = [subjects().index(name) for name in SIX]
    assert np.allclose(few.truth, many.truth[rows], atol=0.01)


def test_the_standard_treatment_keeps_most_people_in_range_and_mishaps_make_it_harder() -> None:
    def in_range(one: Ward) -> float:
        glucose = one.run(basal_bolus).truth
        return float(((glucose >= 70.0) & (glucose <= 180.0)).mean())

    easy, usual = in_range(ward(3, varying=STILL)), in_range(ward(3, 1, replace(COMMON, missed=0.3)))
    assert 0.75 < easy <= 1.0 and 0.4 < usual < easy


@pytest.mark.parametrize("dose", [np.nan, np.inf, -0.1])
def test_what_is_no_amount_is_refused_and_nothing_happens(dose: float) -> None:
    one = ward()
    wrong = np.array([0.0, 0.0, dose, 0.0, 0.0, 0.0])
    for basal, bolus in ((wrong, np.zeros(6)), (np.zeros(6), wrong), (np.zeros(5), np.zeros(6))):
        with pytest.raises(BadInput, match="6 finite amounts"):
            one.step(basal, bolus)
    assert one.now == 0 and one.truth.shape == (6, 0)


GIVING: list[Ward] = []
"""The wards that the property above steps through, begun when it is."""


@hypothesis.settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_the_pump_gives_whole_steps_within_its_limits(basal: float, bolus: float) -> None:
    if not GIVING or GIVING[-1].over:
        GIVING.append(ward(3, rescues=False))
    one = GIVING[-1]
    one.step(np.full(6, basal), np.full(6, bolus))
    given_ = one.readings()
    assert given_.basal.max() <= 30.0 and given_.bolus.max() <= 30.0
    for amount, asked in ((given_.basal, basal), (given_.bolus, bolus)):
        assert np.allclose(amount / 0.05, np.round(amount / 0.05)) and abs(amount[0] - min(asked, 30.0)) < 0.026


def test_an_occluded_set_gives_nothing_reports_as_given_and_is_found() -> None:
    faulty = Mishaps(occlusions=3.0, found=4 * HOUR)
    one, well = ward(2, 1, faulty).run(basal_bolus), ward(2, 1).run(basal_bolus)
    reported = one.past["basal"] / 12.0 + one.past["bolus"]
    stopped = (one.past["reached"] == 0.0) & (reported > 0.0)
    assert 0.1 < stopped.mean() < 0.8 and not ((well.past["reached"] == 0.0) & (reported > 0.0))[:, 0].any()
    assert np.allclose(one.past["reached"][~stopped], reported[~stopped])
    assert one.truth.mean() > well.truth.mean() + 10.0
    runs = [len(run) for row in stopped for run in "".join("x" if s else " " for s in row).split()]
    assert max(runs) <= 2 * 12 * 12 and min(runs) >= 1


def test_the_pumps_alarm_ends_an_occlusion_once_enough_is_held_back() -> None:
    quick = Mishaps(occlusions=3.0, found=12 * HOUR, alarm_units=0.5)
    slow = replace(quick, alarm_units=1e9)
    lost = [(w.past["reached"] == 0.0).mean() for w in (ward(1, 1, m).run(held) for m in (quick, slow))]
    assert lost[0] < 0.7 * lost[1]


def test_missed_meals_are_not_announced_late_ones_later_and_counts_err_as_asked() -> None:
    plain, missed = ward(14).course, ward(14, mishaps=Mishaps(missed=0.4)).course
    assert 0.5 < (missed.announced > 0).sum() / (plain.announced > 0).sum() < 0.7
    assert np.array_equal(plain.eaten, missed.eaten)
    late = ward(14, mishaps=Mishaps(late=1.0)).course
    first = np.argmax(plain.eaten > 0, axis=1)
    assert (np.argmax(late.announced > 0, axis=1) >= first + 3).all()
    assert (np.argmax(plain.announced > 0, axis=1) == first - 2).all()
    for shape, most in (("uniform", 0.3), ("log-normal", 2.0)):
        off = ward(14, mishaps=Mishaps(carb_error=0.3, carb_shape=shape)).course
        both = (off.announced > 0) & (plain.announced > 20)
        error = off.announced[both] / plain.announced[both] - 1.0
        assert np.abs(error).max() < most + 0.03 and error.std() > 0.1


def test_bouts_show_in_heart_rate_and_steps_and_lower_glucose() -> None:
    active, idle = (ward(2, 3, Mishaps(exercise=chance), varying=STILL, rescues=False) for chance in (1.0, 0.0))
    moving = active.course.heart > 0.0
    assert moving.any(axis=1).all() and not idle.course.heart.any()
    for seen in ("heart_rate", "steps"):
        shown = getattr(active.course, seen)
        assert shown[moving].mean() > 1.4 * shown[~moving].mean()
    assert active.run(held).truth.mean() < idle.run(held).truth.mean() - 10.0


@pytest.mark.parametrize("model", ["S2008", "S2013"])
def test_illness_raises_glucose(model: str) -> None:
    ill, well = (ward(2, 3, m, model=model, varying=STILL).run(held) for m in (Mishaps(illness=1.0), NONE))
    assert ill.truth[:, -100:].mean() > well.truth[:, -100:].mean() + 10.0


def test_sensor_faults_leave_readings_out_or_low() -> None:
    plain = ward(14).course
    lost = {
        "gaps": Mishaps(gaps=2.0), "dropouts": Mishaps(dropouts=0.05), "warm-up": Mishaps(warm_up=120 * MINUTE),
        "replaced": Mishaps(replaced=6 * HOUR),
    }  # fmt: skip
    for what, mishaps in lost.items():
        assert 0.002 < np.isnan(ward(14, mishaps=mishaps).course.offset).mean() < 0.1, what
    assert not np.isnan(plain.offset).any()
    pressed = ward(14, mishaps=Mishaps(compressions=1.0)).course
    lower = 1.0 - (pressed.gain * 120 + pressed.offset) / (plain.gain * 120 + plain.offset)
    hours = np.nonzero(lower > 0.05)[1] % 288 / 12
    assert 0.2 < lower.max() <= 0.5 and ((hours >= 23.0) | (hours < 6.6)).all()
    drifting = ward(14, mishaps=Mishaps(drift_sd=0.02)).course
    assert np.abs(drifting.gain - plain.gain).max() > 0.05


def test_an_old_set_loses_insulin() -> None:
    one = ward(3, mishaps=Mishaps(wear=0.3)).run(held)
    share = one.past["reached"] / np.maximum(one.past["basal"] / 12.0, 1e-9)
    assert share.max() == pytest.approx(1.0) and 0.69 < share[one.past["basal"] > 0].min() < 0.75


def test_lows_are_treated_unless_told_otherwise() -> None:
    def much(one: Ward) -> tuple[np.ndarray, np.ndarray]:
        return 2.0 * one.settings.basal[:, 0], np.zeros(6)

    treated, left = ward().run(much), ward(rescues=False).run(much)
    assert treated.past["rescued"].sum() > 0.0 and not left.past["rescued"].any()
    assert (treated.truth < 54.0).mean() < (left.truth < 54.0).mean()


def test_a_ward_ends() -> None:
    one = ward(1, rescues=False).run(held)
    assert one.over and one.now == 24 * HOUR
    with pytest.raises(BadInput, match="over"):
        one.step(*held(one))


def test_synthetic_subjects_have_settings_too() -> None:
    names = sample("child", 1)
    own = settings(names, 1, "S2008")
    assert own.basal.shape == own.ratio.shape == own.sensitivity.shape == (1, 24)
    assert 0.2 < own.daily[0] / parameters_of(names[0])["BW"] < 2.0


@pytest.mark.parametrize(("model", "name"), [("S2008", "adult#001"), ("S2013", "child#004")])
def test_the_table_of_settings_is_what_titration_finds(model: str, name: str) -> None:
    assert titration(model, name) == pytest.approx(titrated(model, name), rel=0.02)


def test_settings_as_in_simglucoses_table_are_there_too() -> None:
    own = settings(SIX, 1, titrated=False)
    assert np.allclose(own.ratio[:, 0], [parameters_of(name)["CR"] for name in SIX])
    assert np.allclose(own.basal[0], parameters_of(SIX[0])["u2ss"] * parameters_of(SIX[0])["BW"] / 100.0)


def test_what_there_is_not_is_refused_with_what_there_is() -> None:
    for options in ({"model": "S1999"}, {"sensor": "G9"}, {"pump": "Quill"}):
        with pytest.raises(NotFound):
            ward(**options)  # type: ignore[arg-type]
    for wrong in ({"missed": 1.5}, {"gaps": -1.0}, {"carb_shape": "square"}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            Mishaps(**wrong)  # type: ignore[arg-type]
