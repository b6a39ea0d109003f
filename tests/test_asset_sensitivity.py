"""Sensitivity varies by person, day and hour, the same whenever it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.diabetes.asset import STILL, Varying
from gemel.packs.diabetes.asset.sensitivity import dawn_shape, day, pattern, spells

USUAL = Varying()


def test_a_day_asked_for_again_is_the_same_and_other_people_have_others() -> None:
    first = [series.copy() for series in day(USUAL, "lily", 1, 5)]
    day.cache_clear()
    assert all(np.array_equal(a, b) for a, b in zip(first, day(USUAL, "lily", 1, 5), strict=True))
    for other in (("tom", 1, 5), ("lily", 2, 5), ("lily", 1, 6)):
        assert not np.array_equal(day(USUAL, *other)[0], first[0])


def test_one_day_runs_into_the_next() -> None:
    logs = np.concatenate([day(USUAL, "lily", 1, number)[0] for number in range(60)])
    assert np.abs(np.diff(logs)).max() < 0.03


def test_people_differ_in_their_pattern_and_days_by_as_much_as_asked() -> None:
    patterns = np.array([pattern(USUAL, f"person {i}", 1) for i in range(200)])
    assert np.abs(patterns.mean(axis=1)).max() < 1e-9
    assert len(np.unique(patterns.round(6), axis=0)) == 7
    noons = np.array([day(USUAL, "lily", 1, number)[0][0] for number in range(400)])
    assert noons.std() == pytest.approx(np.hypot(USUAL.day_sd, USUAL.hours_sd), rel=0.15)


def test_the_dawn_is_from_three_to_seven() -> None:
    _, dawn = day(USUAL, "lily", 1, 3)
    hours = np.arange(288) / 12
    assert dawn[(hours > 3.2) & (hours < 6.8)].min() > 0.0
    assert not dawn[(hours <= 3.0) | (hours >= 7.0)].any()
    assert hours[dawn_shape().argmax()] == 5.0


def test_nothing_varies_in_one_who_is_still() -> None:
    logs, dawn = day(STILL, "lily", 1, 3)
    assert not logs.any() and not dawn.any()


def test_illness_and_stress_lower_sensitivity_for_a_while_and_then_are_over() -> None:
    found = [spell for number in range(300) for spell in spells("lily", 1, number, 0.1, 0.3)]
    ill = [s for s in found if s.end - s.start >= DAY]
    strained = [s for s in found if s.end - s.start < DAY]
    assert 15 < len(ill) < 50 and 60 < len(strained) < 125
    assert all(DAY <= s.end - s.start <= 3 * DAY for s in ill)
    assert all(2 * HOUR <= s.end - s.start <= 6 * HOUR for s in strained)
    for spell in found:
        at = np.arange(spell.start - HOUR, spell.end + HOUR, 5 * MINUTE)
        assert spell.at(at).min() == pytest.approx(spell.log) and spell.log < 0.0
        assert not spell.at(at)[[0, -1]].any()
    assert not spells("lily", 1, 3, 0.0, 0.0)
