"""A cold start: what was learned on virtual people speaks for a new twin, and fades as it learns for itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.assimilate import Learning, Lessons, Residual, learn
from gemel.bank import memory
from gemel.bank.cold import LEARNING, cold_start
from gemel.bank.foresight import Foresight
from gemel.packs.diabetes import Person

WIDTH = 5


def lessons(rows: int, slope: float = 2.0) -> Lessons:
    """Return forecasts whose error grows with the first feature."""
    features = np.random.default_rng(rows).standard_normal((rows, WIDTH))
    return Lessons(features, np.repeat(slope * features[:, :1], 24, axis=1), np.ones(rows))


COLD = learn([lessons(4000)], LEARNING)
"""What was learned elsewhere."""


def test_the_packaged_start_was_learned_for_the_twin_type_as_it_is() -> None:
    """If this fails, the type has changed: run `python -m gemel.packs.diabetes.cold_start` (two minutes) again."""
    found = cold_start(Person, "glucose")
    assert found is not None and np.isfinite(found.weights).all()


def test_another_version_of_a_type_has_no_start() -> None:
    """What was learned for one model says nothing of another."""
    other = replace(Person, band={})
    assert other.hash != Person.hash
    assert cold_start(other, "glucose") is None


def test_a_twin_without_a_past_takes_a_quarter_of_what_was_learned_elsewhere() -> None:
    """Nothing of its own yet."""
    assert COLD is not None
    features = lessons(40).features
    said = learn([lessons(40)], Learning(), COLD)
    assert said is not None
    np.testing.assert_allclose(said.correct(features, 24), 0.25 * COLD.correct(features, 24))


def test_without_a_cold_start_too_few_rows_say_nothing() -> None:
    """Nor does one of another width."""
    assert learn([lessons(40)], Learning()) is None
    other = Residual(np.zeros(2), np.ones(2), np.zeros((3, 4)), LEARNING)
    assert learn([lessons(40)], Learning(), other) is None


@settings(max_examples=10, deadline=None)
@given(st.integers(150, 6000))
def test_the_start_fades_as_rows_come_in(rows: int) -> None:
    """Its share is 0.25 · 700 / (n + 700): own lessons, which say the contrary here, win."""
    assert COLD is not None
    taught = [lessons(rows, slope=-2.0)]
    begun, alone = learn(taught, Learning(), COLD), learn(taught, Learning())
    assert begun is not None and alone is not None
    features = lessons(30).features
    share = 0.25 * 700 / (rows + 700)
    np.testing.assert_allclose(
        begun.correct(features, 24) - alone.correct(features, 24), share * COLD.correct(features, 24)
    )


def test_what_was_kept_says_the_same_after_a_restart() -> None:
    """A correction with its start is as it was, to single precision."""
    features = lessons(30).features
    for rows in (40, 400):
        made = Foresight((), residual=learn([lessons(rows)], Learning(), COLD))
        note = memory.read_foresight(memory.foresight_note(made, "hash", 0, ()), "hash")
        assert note is not None and made.residual is not None
        again = memory.foresight(note).residual
        assert again is not None
        np.testing.assert_allclose(again.correct(features, 24), made.residual.correct(features, 24), atol=1e-4)
