"""A pump gives whole steps within its limits, holds a rate until the next, and stops when told."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound
from gemel.facts import HOUR, MINUTE
from gemel.packs.diabetes.asset import MODELS, Pump

INSULET = MODELS["Insulet"]


def pump(rate: float = 0.6) -> Pump:
    return Pump(INSULET, [rate] * 24)


@given(st.floats(0.0, 200.0), st.sampled_from(sorted(MODELS)))
def test_what_is_given_is_whole_steps_within_limits(amount: float, name: str) -> None:
    model = MODELS[name]
    given_ = Pump(model, [0.0] * 24).command("bolus", amount, 0)
    assert 0.0 <= given_ <= model.bolus_max
    assert math.isclose(given_ / model.bolus_step, round(given_ / model.bolus_step), abs_tol=1e-6)
    assert abs(given_ - min(amount, model.bolus_max)) <= model.bolus_step / 2 + 1e-6


def test_the_profile_runs_from_the_first_minute_and_changes_on_the_hour() -> None:
    rates = [0.5] * 6 + [0.8] * 18
    assert Pump(INSULET, rates).take(0, 7 * HOUR) == [Dose("basal", 0.5, 0), Dose("basal", 0.8, 6 * HOUR)]


def test_the_profile_follows_the_persons_own_clock() -> None:
    rates = [0.5] * 6 + [0.8] * 18
    assert Pump(INSULET, rates, offset=2 * HOUR).take(0, 7 * HOUR)[1] == Dose("basal", 0.8, 4 * HOUR)


def test_a_commanded_rate_holds_until_the_profile_has_it_back() -> None:
    device = pump()
    assert device.command("basal", 1.23, 10 * MINUTE) == 1.25
    device.command("profile", 0, 20 * MINUTE)
    rates = [(dose.amount, dose.at) for dose in device.take(0, HOUR)]
    assert rates == [(0.6, 0), (1.25, 10 * MINUTE), (0.6, 20 * MINUTE)]


def test_suspended_it_gives_nothing_and_then_goes_on() -> None:
    device = pump()
    device.command("suspend", 30, 5 * MINUTE)
    assert [(dose.amount, dose.at) for dose in device.take(0, HOUR)] == [
        (0.6, 0),
        (0.0, 5 * MINUTE),
        (0.6, 35 * MINUTE),
    ]


def test_a_suspension_can_be_ended() -> None:
    device = pump()
    device.command("suspend", 30, 5 * MINUTE)
    device.command("suspend", 0, 10 * MINUTE)
    assert device.take(0, HOUR)[-1] == Dose("basal", 0.6, 10 * MINUTE)


def test_pieces_of_time_give_what_one_go_gives() -> None:
    def told(ends: list[int]) -> list[Dose]:
        device, start, doses = pump(), 0, []
        device.command("bolus", 2.0, 17 * MINUTE)
        device.command("suspend", 9, 20 * MINUTE)
        for end in ends:
            doses += device.take(start * MINUTE, end * MINUTE)
            start = end
        return doses

    assert told([1, 5, 17, 18, 25, 60]) == told([60])


def test_an_occluded_set_reports_as_given_and_lets_nothing_through_until_it_is_changed() -> None:
    device = pump()
    device.occlude(10 * MINUTE, 40 * MINUTE)
    device.command("bolus", 2.0, 17 * MINUTE)
    device.command("bolus", 1.0, 50 * MINUTE)
    told = device.take(0, HOUR)
    assert Dose("bolus", 2.0, 17 * MINUTE) in told
    carbs = Dose("carbs", 20.0, 20 * MINUTE)
    assert device.reaching([*told, carbs], 0, HOUR) == [
        Dose("basal", 0.6, 0), Dose("basal", 0.0, 10 * MINUTE), carbs, Dose("basal", 0.6, 40 * MINUTE),
        Dose("bolus", 1.0, 50 * MINUTE),
    ]  # fmt: skip


def test_a_set_that_is_open_lets_everything_through() -> None:
    device = pump()
    device.command("bolus", 2.0, 17 * MINUTE)
    told = device.take(0, HOUR)
    assert sorted(device.reaching(told, 0, HOUR), key=str) == sorted(told, key=str)


def test_a_late_command_is_obeyed_at_once() -> None:
    device = pump()
    device.take(0, HOUR)
    device.command("bolus", 1.0, 10 * MINUTE)
    assert device.take(HOUR, 2 * HOUR) == [Dose("bolus", 1.0, HOUR)]


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf])
def test_what_cannot_be_given_is_refused(amount: float) -> None:
    with pytest.raises(BadInput, match="bolus"):
        pump().command("bolus", amount, 0)


def test_an_unknown_command_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="basal, bolus, profile, suspend"):
        pump().command("dance", 1.0, 0)
