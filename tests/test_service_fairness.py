"""Fairness: an audit finds the gap that is there, and none where there is none; a guard refuses what one class would pay."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from gemel.errors import BadInput, Unavailable
from gemel.packs.service import fairness as f


def cases(seed: int, n: int = 600, gap: float = 0.0, groups: int = 3) -> f.Cases:
    """Return customers of a few groups; the first waits *gap* s longer than the others."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, n)
    wait = rng.gamma(2, 60, n) + gap * (group == 0)
    said = wait + rng.normal(size=n) * 20 + 30 * (group == 1)
    return f.Cases(
        np.array(["old", "young", "new", "x1", "x2", "x3"])[group], said, wait, rng.random(n) < 0.9, wait,
        wait > 180, rng.random(n) < 0.2,
    )  # fmt: skip


def test_figures_by_group_are_those_of_fairlearn() -> None:
    """And the gap is its difference between groups."""
    pytest.importorskip("fairlearn", reason='pip install "gemel[fairness]"')
    from fairlearn.metrics import MetricFrame, mean_prediction

    made = cases(1)
    found = {gap.measure: gap for gap in f.audit(made).gaps}
    frame = MetricFrame(
        metrics=mean_prediction, y_true=made.wait, y_pred=made.wait, sensitive_features=np.asarray(made.group)
    )
    assert {name: one.value for name, one in found["wait"].groups.items()} == pytest.approx(dict(frame.by_group))
    assert found["wait"].gap.value == pytest.approx(frame.difference())
    assert list(found) == ["error", "bias", "coverage", "wait", "breach", "action_rate"]


def test_a_gap_that_is_there_is_found_and_told() -> None:
    """The old wait 60 s longer; forecasts for the young are 30 s too high."""
    found = {gap.measure: gap for gap in f.audit(cases(2, gap=60.0)).gaps}
    assert (found["wait"].clear, found["wait"].highest) == (True, "old")
    assert found["wait"].gap.holds(60.0)
    assert (found["bias"].clear, found["bias"].highest) == (True, "young")
    assert "old: customers wait" in found["wait"].text
    assert "beyond what chance makes" in found["wait"].text
    assert not found["action_rate"].clear
    assert "of" in found["coverage"].text


def test_the_widest_of_many_gaps_is_not_taken_for_more_than_chance() -> None:
    """Six groups alike: in no more than about 5 of 100 audits is gap in waiting called clear."""
    made = [cases(seed, groups=6) for seed in range(60)]
    said = [f.audit(f.Cases(one.group, wait=one.wait)).gaps[0].clear for one in made]
    assert np.mean(said) <= 0.1


def test_what_is_not_known_is_left_out_and_small_groups_are_named() -> None:
    """Customers without a truth yet do not count; of five customers little can be said."""
    wait = np.concatenate([np.full(100, 60.0), np.full(5, 90.0), [np.nan] * 10])
    found = f.audit(f.Cases(["a"] * 100 + ["b"] * 5 + ["a"] * 10, wait=wait))
    assert found.gaps[0].groups["a"].n == 100
    assert found.few == ("b",)
    assert "fewer than 30" in str(found)
    assert found.body()["few"] == ["b"]


def test_what_cannot_be_audited_is_told() -> None:
    """One group; columns that are not of the same customers."""
    with pytest.raises(BadInput, match="compares groups, and there is 1"):
        f.audit(f.Cases(["a", "a"], wait=np.ones(2)))
    with pytest.raises(BadInput, match="3 values of wait are not of 2 customers"):
        f.audit(f.Cases(["a", "b"], wait=np.ones(3)))
    with pytest.raises(BadInput, match="wait is known of one group alone"):
        f.audit(f.Cases(["a", "b"], wait=np.array([1.0, np.nan])))


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks fairlearn is told what to install."""
    f.fairlearn.cache_clear()
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    with pytest.raises(Unavailable, match=r"gemel\[fairness\]"):
        f.audit(cases(1))
    f.fairlearn.cache_clear()


# the guard


@dataclass(frozen=True)
class Runs:
    """What the guard sees of runs."""

    classes: tuple[str, ...]
    waited: np.ndarray
    visits: np.ndarray


def runs(seed: int, change: tuple[float, float] = (0.0, 0.0), members: int = 200) -> tuple[Runs, Runs]:
    """Return paired runs of two classes whose mean waits change by so many seconds."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(20, (members, 2)) + 1.0
    luck = rng.gamma(3, 40, (members, 2))
    after = np.maximum(luck + np.array(change) + rng.normal(size=(members, 2)) * 5, 0)
    names = ("urgent", "usual")
    return Runs(names, luck * visits, visits), Runs(names, after * visits, visits)


def test_no_class_pays_for_anothers_speed_beyond_the_bound() -> None:
    """The urgent gain half a minute, the others lose 40 s: refused at 30 s, allowed at 60 s."""
    usual, acted = runs(1, (-30.0, 40.0))
    reason = f.guard(usual, acted, 30.0)
    assert reason is not None
    assert reason.startswith(("usual would wait +39 s", "usual would wait +40 s", "usual would wait +41 s"))
    assert "while urgent waits" in reason
    assert f.guard(usual, acted, 60.0) is None


def test_what_is_not_sure_to_stay_within_the_bound_is_refused() -> None:
    """A loss of 29 s seen in five runs alone may well be more than 30."""
    assert f.guard(*runs(2, (0.0, 29.0), members=5), 30.0) is not None
    assert f.guard(*runs(2, (0.0, 29.0), members=5000), 30.0) is None


def test_the_guard_errs_as_seldom_as_it_says() -> None:
    """Of actions that cost one class 35 s, about 95 of 100 are refused at 35 s or more; the change is held as often."""
    held, passed = [], []
    for seed in range(200):
        usual, acted = runs(seed, (0.0, 35.0), members=60)
        held.append(f.changes(usual, acted)["usual"].holds(35.0))
        passed.append(f.guard(usual, acted, 35.0) is None)
    assert np.mean(held) >= 0.9
    assert np.mean(passed) <= 0.08


def test_runs_that_are_not_paired_are_refused() -> None:
    """Other classes, or other members."""
    with pytest.raises(BadInput, match="not paired"):
        f.changes(runs(1)[0], runs(1, members=9)[1])


def test_the_forks_of_advice_are_what_the_guard_takes() -> None:
    """`advise.Felt` has what it needs."""
    from gemel.packs.service.advise import Felt

    usual, acted = (Felt(r.classes, r.waited * 0, r.waited, r.visits) for r in runs(3, (0.0, 90.0)))
    assert "usual would wait" in str(f.guard(usual, acted, 30.0))
