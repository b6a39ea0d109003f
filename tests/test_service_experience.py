"""Figures of experience, against their formulas, published values and repeated simulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from gemel.errors import BadInput, NotFound
from gemel.facts import DAY, SECOND
from gemel.packs.service import experience as x
from gemel.packs.service.estimate import bootstrap, clustered, mean, share
from gemel.packs.service.log import MISSING, Log, Names


def test_the_net_promoter_score_of_400_has_the_published_interval() -> None:
    """n 400, half promoters, a fifth detractors: 30 ± 7.7 (services.md, section 7)."""
    found = x.nps(np.repeat([10, 8, 3], [200, 120, 80]))
    assert found.value == pytest.approx(30)
    assert (found.high - found.low) / 2 == pytest.approx(7.65, abs=0.01)


@given(hits=st.integers(0, 60), n=st.integers(1, 60))
def test_a_share_has_the_interval_of_wilson(hits: int, n: int) -> None:
    """The same as SciPy's."""
    hits = min(hits, n)
    found = share("s", hits, n)
    theirs = binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == (pytest.approx(theirs.low, abs=1e-9), pytest.approx(theirs.high, abs=1e-9))


def test_a_lifetime_value_is_the_sum_of_its_periods() -> None:
    """The closed form equals the series of m r^t / (1+i)^t from the first renewal on."""
    t = np.arange(1, 2000)
    assert x.clv_of(100, 0.8, 0.1) == pytest.approx(float(np.sum(100 * (0.8 / 1.1) ** t)))


def coverage(trial: object, truth: float, trials: int = 300) -> float:
    """Return how often the interval of a trial holds the truth."""
    rng = np.random.default_rng(5)
    return float(np.mean([trial(rng).holds(truth) for _ in range(trials)]))  # type: ignore[operator]


def a_clv(rng: np.random.Generator) -> x.Estimate:
    """Return a lifetime value from 400 customers whose margin goes with their staying."""
    stayed = rng.random(400) < 0.7
    return x.clv(rng.gamma(4, 25, 400) + 20 * stayed, stayed, 0.1)


def days_apart(rng: np.random.Generator) -> x.Estimate:
    """Return a share over 30 days, good and bad ones."""
    each = rng.beta(4, 4, 30)
    days = np.repeat(np.arange(30), 40)
    return clustered("level", rng.random(1200) < each[days], days)


def a_ratio(rng: np.random.Generator) -> x.Estimate:
    """Return a ratio of two totals over 100 cases."""
    n = rng.poisson(3, 100) + 1
    return bootstrap("r", np.stack([n * rng.exponential(5, 100), n], 1), lambda t: t[..., 0] / t[..., 1])


@pytest.mark.parametrize(
    ("trial", "truth"),
    [
        (a_clv, x.clv_of(100 + 20 * 0.7, 0.7, 0.1)),
        (days_apart, 0.5),
        (a_ratio, 5.0),
        (lambda rng: mean("m", rng.exponential(3, 60)), 3.0),
        (lambda rng: x.nps(rng.choice(11, 300)), 100 * (2 / 11 - 7 / 11)),
        (lambda rng: x.csat(rng.choice([1, 2, 3, 4, 5], 200)), 0.4),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(trial: object, truth: float) -> None:
    """Over repeated simulations with a known truth, about 95 of 100 intervals hold it."""
    assert 0.91 <= coverage(trial, truth) <= 0.99


def test_days_that_differ_widen_the_interval() -> None:
    """Contacts of one day are alike: taken for independent they would promise too much."""
    assert coverage(days_apart, 0.5) > 0.9
    rng = np.random.default_rng(1)
    by_days = days_apart(rng)
    assert by_days.high - by_days.low > 2 * (share("s", 600, 1200).high - share("s", 600, 1200).low)


def test_blocks_of_many_cases_are_as_wide_as_the_cases_themselves() -> None:
    """Of 50,000 cases, the interval of a mean is Student's."""
    values = np.random.default_rng(2).exponential(2, 50_000)
    found = bootstrap("m", np.stack([values, np.ones_like(values)], 1), lambda t: t[..., 0] / t[..., 1])
    exact = mean("m", values)
    assert found.high - found.low == pytest.approx(exact.high - exact.low, rel=0.12)


def test_who_gives_up_at_once_does_not_count_against_the_service_level() -> None:
    """Three served, one late; one gave up after 5 s and one after 60 s: 3 of 5."""
    waits = np.array([3.0, 10, 19, 45, 5, 60])
    gone = np.array([False, False, False, False, True, True])
    assert x.service_level(waits, gone).value == pytest.approx(3 / 5)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), min_size=1, max_size=25))
def test_a_contact_is_resolved_if_nobody_comes_back(contacts: list[tuple[int, int]]) -> None:
    """Against a plain loop over contacts."""
    contacts = sorted(set(contacts), key=lambda c: (c[1], c[0]))
    who, at = (np.array(side) for side in zip(*contacts, strict=True))
    found = x.resolved(who, at, within=7, until=60)
    for i, (one, when) in enumerate(contacts):
        own = [t for c, t in contacts if c == one]
        if any(when - 7 <= t < when for t in own):
            assert np.isnan(found[i]) or found[i] == 0.0
        elif any(when < t <= when + 7 for t in own):
            assert found[i] == 0.0
        else:
            assert np.isnan(found[i]) if when + 7 > 60 else found[i] == 1.0


def test_an_answer_off_the_scale_is_named() -> None:
    """The row and the survey are told."""
    with pytest.raises(BadInput, match=r"row 2, field 'nps': 11 is not from 0 to 10"):
        x.nps(np.array([9.0, 11.0]))


def small() -> Log:
    """Return a log of three cases: two served, one gave up."""
    queued = np.array([0, 10, 20]) * SECOND + 5 * DAY
    start = np.array([queued[0] + 5_000, queued[1] + 30_000, MISSING])
    end = np.array([start[0] + 60_000, start[1] + 90_000, queued[2] + 40_000])
    ids = Names(np.arange(3, dtype=np.int32), ("a", "b", "c"))
    return Log(
        ids, Names(np.zeros(3, np.int32), ("call",)), Names(np.full(3, -1, np.int32), ()), queued, start, end,
        np.array([False, False, True]), about={"score": np.array([10.0, 3.0, np.nan]), "kind": ids},
    )  # fmt: skip


def test_a_log_gives_every_figure_it_has_the_columns_for() -> None:
    """Surveys by column, the rest from times."""
    found = x.experience(small(), {"nps": "score"})
    assert {name: round(one.value, 3) for name, one in found.items()} == {
        "nps": 0.0, "aht": 75.0, "service_level": 0.333, "abandonment": 0.333,
    }  # fmt: skip


def test_a_column_that_is_not_there_or_holds_words_is_named() -> None:
    """What was asked, what there is."""
    with pytest.raises(NotFound, match="unknown column 'stars'; possible: kind, score"):
        x.experience(small(), {"nps": "stars"})
    with pytest.raises(BadInput, match="holds words, such as 'a', not numbers"):
        x.experience(small(), {"nps": "kind"})
