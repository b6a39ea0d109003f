"""Scores against closed forms and integrals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from gemel.intervention import LEVELS
from gemel.simulate.score import covered, crps, gaussian_crps, mard, rmse

NORMAL = norm.ppf(LEVELS)


@given(st.floats(-50, 50), st.floats(0.5, 30), st.floats(-80, 80))
def test_the_crps_of_a_normal_forecast_is_the_integral_that_defines_it(mean: float, sd: float, truth: float) -> None:
    """Against numeric integration of (F(x) - 1[x >= truth])²."""
    low, high = min(mean - 9 * sd, truth), max(mean + 9 * sd, truth)
    below = quad(lambda x: norm.cdf(x, mean, sd) ** 2, low, truth, epsabs=1e-9, limit=200)[0]
    above = quad(lambda x: norm.sf(x, mean, sd) ** 2, truth, high, epsabs=1e-9, limit=200)[0]
    assert float(gaussian_crps(np.array(mean), np.array(sd), np.array(truth))) == pytest.approx(below + above, rel=1e-5)


def test_the_crps_of_seven_quantiles_comes_near_the_closed_form_of_the_normal() -> None:
    truth = np.random.default_rng(0).normal(0, 1, 20_000)
    seven = crps(np.tile(NORMAL[:, None], (1, len(truth))), truth).mean()
    assert seven == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)


def test_the_crps_rewards_the_true_spread() -> None:
    truth = np.random.default_rng(1).normal(0, 1, 20_000)
    scores = [crps(np.tile(width * NORMAL[:, None], (1, len(truth))), truth).mean() for width in (0.5, 1.0, 2.0)]
    assert scores[1] == min(scores)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_intervals_of_a_normal_cover_what_they_should(share: float) -> None:
    truth = np.random.default_rng(2).normal(3, 2, 50_000)
    stated = np.tile(3 + 2 * NORMAL[:, None], (1, len(truth)))
    assert covered(stated, truth, share).mean() == pytest.approx(share, abs=0.008)


def test_errors_are_what_their_names_say() -> None:
    said, truth = np.array([110.0, 90.0]), np.array([100.0, 100.0])
    assert (rmse(said, truth), mard(said, truth)) == (10.0, 10.0)
