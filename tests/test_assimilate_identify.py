"""Identification: on a twin's own dynamics the truth lies where the fit says it does."""

from __future__ import annotations

import numpy as np
import pytest
from tank import BORN, TANK, lived

from gemel.assimilate import Filter, Search, cycles, identify
from gemel.dynamics import Belief, Info, Subject

SEARCH = Search(rounds=3, candidates=32, members=16, least=12.0, settle=600_000)


def fitted(leak: float, seed: int, hours: float = 12, search: Search = SEARCH) -> tuple[Belief, Info]:
    plan, readings = lived(hours, leak, seed)
    start = TANK.prior([Subject("tank", BORN)], 16, 0)
    return identify(TANK, start, cycles(readings), plan, 0, Filter(4.0), search)


@pytest.fixture(scope="module")
def fits() -> dict[float, tuple[Belief, Info]]:
    return {leak: fitted(leak, seed) for seed, leak in enumerate([0.01, 0.016, 0.03, 0.045])}


def test_the_interval_covers_the_truth(fits: dict[float, tuple[Belief, Info]]) -> None:
    covered = [info["tank.leak.low"][0] <= leak <= info["tank.leak.high"][0] for leak, (_, info) in fits.items()]
    assert sum(covered) >= 3


def test_a_wrong_constant_is_pulled_to_the_truth_and_foretells_better(fits: dict[float, tuple[Belief, Info]]) -> None:
    for leak, (_, info) in fits.items():
        away, before = abs(np.log(info["tank.leak"][0] / leak)), abs(np.log(0.02 / leak))
        assert away < 0.5 * before
        assert info["gain"][0] > 0
        assert info["tank.leak.shrinkage"][0] < 0.5


def test_replay_is_better_where_the_constant_was_far_off(fits: dict[float, tuple[Belief, Info]]) -> None:
    info = fits[0.045][1]
    assert info["gauge.rmse60"][0] < info["gauge.rmse60.before"][0]


def test_the_belief_goes_on_with_what_was_fitted(fits: dict[float, tuple[Belief, Info]]) -> None:
    belief, info = fits[0.03]
    assert np.asarray(belief.values["tank.leak"]) == pytest.approx(info["tank.leak"][0], rel=1e-6)
    assert belief.values["tank.leak"].shape == (1, 16)


def test_the_likelihood_is_tempered_until_enough_candidates_count() -> None:
    _, info = fitted(0.045, 3, hours=24, search=Search(rounds=1, candidates=32, members=16, least=8.0, settle=0))
    assert info["temper"][0] < 1.0
    assert info["ess"][0] == pytest.approx(8.0, abs=0.1)


def test_no_reading_moves_a_constant_and_only_those_who_have_one_carry_it() -> None:
    assert "tank.leak" not in TANK.prior([Subject("a", BORN)], 4, 0).values
    both = TANK.prior([Subject("a", BORN), Subject("b", BORN, {"tank.leak": 0.05})], 4, 0)
    assert np.asarray(both.values["tank.leak"])[:, 0] == pytest.approx([0.02, 0.05])
    assert "tank.leak" not in TANK.ranges
