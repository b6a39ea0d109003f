"""Cohorts: no row comes out, no small group, no question beyond the budget; and the noise is the noise that is promised."""

from __future__ import annotations

import builtins
import math
import threading
from collections import Counter
from typing import Any

import fleet
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres import NewStore
from scipy import stats

from gemel.bank import Answer, Bank, Cohort, Question, noise, relate
from gemel.bank.cohort import MINIMUM, STATISTICS
from gemel.errors import BadInput, NotFound, Refused, Unavailable
from gemel.facts import DAY, HOUR

ASKS: dict[str, dict[str, Any]] = {
    "count": {}, "mean": {}, "share": {"above": 0.0}, "quantiles": {"levels": (0.5,)}, "histogram": {"edges": (-40, 0, 60)},
    "rows": {},
}  # fmt: skip


def rich(bank: Bank, epsilon: float = 1000.0, asker: str = "rae") -> Bank:
    """Give an asker a budget that is not the point."""
    bank.budgets.set(asker, epsilon, by="ann", now=bank.now())
    return bank


def cohort(bank: Bank, names: list[str] | None = None, **more: Any) -> Cohort:
    """Return batches as rae may study them."""
    return bank.cohort("batch", by="rae", purpose="research", names=names, **more)


# who is counted, and what never comes out


@settings(max_examples=40)
@given(
    st.integers(0, 7), st.integers(0, 3), st.integers(0, 3), st.sampled_from(STATISTICS), st.integers(5, 6),
    st.floats(0.01, 10.0),
)  # fmt: skip
def test_no_group_below_the_minimum_and_no_row_ever_comes_out(
    studied: int, own: int, read: int, statistic: str, minimum: int, epsilon: float
) -> None:
    """Whatever is asked: below the minimum there is no value, and rows are refused to who may not read every one."""
    bank = rich(fleet.bank())
    fleet.group(bank, studied, lambda i: 7.0 + i)
    for i in range(own):
        bank.create("batch", f"own-{i}", by="rae")
        bank.append([fleet.reading(f"own-{i}", 9.0, fleet.START)])
    for i in range(read):
        bank.create("batch", f"read-{i}", by="zoe").grant(to="rae", purpose="research", read="*")
        bank.append([fleet.reading(f"read-{i}", 9.0, fleet.START)])
    question = Question(statistic, "temperature", epsilon=epsilon, **ASKS[statistic])
    if statistic == "rows":
        if studied or not own + read:
            with pytest.raises(Refused, match="rows of single twins"):
                cohort(bank, minimum=minimum).ask(question)
        else:
            assert set(cohort(bank).ask(question).value) == {f"own-{i}" for i in range(own)} | {
                f"read-{i}" for i in range(read)
            }
        return
    answer = cohort(bank, minimum=minimum).ask(question)
    if studied < minimum:
        assert answer.value is None and answer.reason.startswith(f"held back: fewer than {minimum} members")
    assert answer.epsilon == epsilon and answer.left == pytest.approx(1000 - epsilon)


@pytest.mark.parametrize("statistic", [s for s in STATISTICS if s != "rows"])
def test_the_alarm_fires_where_the_minimum_is_taken_away(monkeypatch: pytest.MonkeyPatch, statistic: str) -> None:
    """Planted: with no minimum, a group of three is answered about, and the property above would see it."""
    bank = rich(fleet.bank())
    fleet.group(bank, 3, lambda i: 7.0)
    question = Question(statistic, "temperature", epsilon=5.0, **ASKS[statistic])
    assert cohort(bank).ask(question).value is None
    monkeypatch.setattr("gemel.bank.cohort.MINIMUM", 0)
    assert cohort(bank, minimum=0).ask(question).value is not None


def test_who_did_not_allow_study_is_in_no_answer() -> None:
    """Not by another purpose, another verb, another signal, after revocation or erasure; the answers stay the same."""
    bank = rich(fleet.bank())
    names = fleet.group(bank, 8, lambda i: 5.0)
    opened = bank.find(names[7], by="owner-7", purpose="research")
    opened.revoke(bank.grants(names[7])[0].id)
    bank.thread.erase(names[6])
    bank.forget(names[6])
    others: list[tuple[str, str, dict[str, str]]] = [
        ("x", "care", {"study": "*"}), ("y", "research", {"read": "*"}), ("z", "research", {"study": "shock"}),
    ]  # fmt: skip
    for name, purpose, verbs in others:
        bank.create("batch", name, by="zoe").grant(to="rae", purpose=purpose, **verbs)
        bank.append([fleet.reading(name, 50.0, fleet.START)])
    before = next(fact.seq for fact in bank.thread.read(limit=1, reverse=True))
    answer = cohort(bank).ask(Question("count", "temperature", epsilon=10.0))
    assert abs(answer.value - 6) <= 3
    counted = {f.twin for f in bank.thread.read(kinds=["accessed/1"], after_seq=before) if f.body["verb"] == "study"}
    assert counted == set(names[:6])
    assert cohort(bank, minimum=7).ask(Question("count", "temperature")).value is None


def test_members_are_chosen_by_relation_that_they_let_be_studied() -> None:
    """Twins in a relation are counted if the relation too may be studied; a condition on a value chooses nobody."""
    bank = rich(fleet.bank())
    names = fleet.group(bank, 8, lambda i: 5.0)
    for i, name in enumerate(names):
        relate(bank, name, "on_board", "v0" if i < 6 else "v1", by=f"owner-{i}", purpose="research")
    bank.create("batch", "shy", by="zoe").grant(to="rae", purpose="research", study="temperature")
    relate(bank, "shy", "on_board", "v0", by="zoe", purpose="research")
    aboard = bank.cohort("batch on_board actor[id=v0]", by="rae", purpose="research", minimum=6)
    assert aboard.ask(Question("count", "temperature")).value is not None
    one_more = bank.cohort("batch on_board actor[id=v0]", by="rae", purpose="research", minimum=7)
    assert one_more.ask(Question("count", "temperature")).value is None
    for asked in ("batch[temperature>3]", "batch on_board vessel[alert=hot]", "batch[silent>2 h]"):
        with pytest.raises(BadInput, match="a cohort is chosen by type, id and relation"):
            bank.cohort(asked, by="rae", purpose="research")


def test_every_statistic_is_near_the_truth_where_the_noise_is_small() -> None:
    """With a large group and epsilon, each answer is what NumPy says of the members' means."""
    bank = rich(fleet.bank())
    names = fleet.group(bank, 150, lambda i: -20 + 0.4 * i)
    bank.append([fleet.reading(name, -20 + 0.4 * i + 2, fleet.START + 1, key="2") for i, name in enumerate(names)])
    truth = np.array([-19 + 0.4 * i for i in range(150)])
    ask = cohort(bank).ask
    assert abs(ask(Question("count", "temperature", epsilon=10)).value - 150) <= 5
    assert ask(Question("mean", "temperature", epsilon=10)).value == pytest.approx(truth.mean(), abs=1.5)
    assert ask(Question("share", "temperature", above=10, epsilon=10)).value == pytest.approx(
        (truth > 10).mean(), abs=0.05
    )
    found = ask(Question("quantiles", "temperature", levels=(0.1, 0.5), epsilon=10)).value
    assert [found["0.1"], found["0.5"]] == pytest.approx(list(np.quantile(truth, [0.1, 0.5])), abs=2.5)
    counts = ask(Question("histogram", "temperature", edges=(-10, 0, 20, 30), epsilon=10)).value["counts"]
    exact = [int((truth < 0).sum()), int(((truth >= 0) & (truth < 20)).sum()), int((truth >= 20).sum())]
    assert counts == pytest.approx(exact, abs=5)
    assert ask(Question("mean", "warm", epsilon=10)).unit == "fraction"
    later = ask(Question("mean", "temperature", since=fleet.START + 1, until=fleet.START + HOUR, epsilon=10)).value
    assert later == pytest.approx(truth.mean() + 1, abs=1.5)
    none = ask(Question("count", "temperature", since=fleet.START + DAY, epsilon=10)).value
    assert none <= 5


def test_what_was_taken_back_counts_no_more() -> None:
    """A withdrawn reading is in no member's number, whenever it was withdrawn."""
    bank = rich(fleet.bank())
    names = fleet.group(bank, 40, lambda i: 5.0)
    wrong = [fleet.reading(name, 55.0, fleet.START + 1) for name in names]
    bank.append(wrong)
    bank.append([fleet.withdrawn(one) for one in wrong])
    answer = cohort(bank).ask(Question("mean", "temperature", epsilon=10, until=fleet.START + 2))
    assert answer.value == pytest.approx(5.0, abs=4)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (lambda: Question("median", "temperature"), "unknown statistic"),
        (lambda: Question("mean", "temperature", epsilon=0), "epsilon 0"),
        (lambda: Question("mean", "temperature", epsilon=math.nan), "epsilon nan"),
        (lambda: Question("share", "temperature"), "above a number"),
        (lambda: Question("quantiles", "temperature", levels=(1.0,)), "between 0 and 1"),
        (lambda: Question("histogram", "temperature", edges=(3, 1)), "increasing"),
        (lambda: Question("mean", "colour"), "unknown signal or metric"),
        (lambda: Question("mean", "odd"), "no range of its own"),
        (lambda: Question("mean", "temperature", bounds=(3.0, 3.0)), "no range of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_costs_nothing(question: Any, reason: str) -> None:
    """A wrong question is said to be wrong, and nothing is spent."""
    bank = rich(fleet.bank())
    fleet.group(bank, 6, lambda i: 5.0)
    with pytest.raises((BadInput, NotFound), match=reason):
        cohort(bank).ask(question())
    assert bank.budgets.of("rae").spent == 0


# the budget


def test_budgets_are_facts_and_nobody_sets_their_own() -> None:
    """What was asked is seen by all, without the answer and without names; the digest tells the same group from another."""
    bank = fleet.bank()
    names = fleet.group(bank, 6, lambda i: 5.0)
    with pytest.raises(Refused, match="rae has no budget"):
        cohort(bank).ask(Question("count", "temperature"))
    with pytest.raises(Refused, match="rae may not set the budget of rae"):
        bank.budgets.set("rae", 5, by="rae", now=bank.now())
    rich(bank, 1.0)
    cohort(bank, names).ask(Question("count", "temperature", epsilon=0.75))
    with pytest.raises(Refused, match=r"0.25 of a budget of 1 is left"):
        cohort(bank).ask(Question("count", "temperature", epsilon=0.5))
    held = bank.budgets.of("rae")
    assert (held.total, held.spent, held.left) == (1.0, 0.75, 0.25)
    (fact,) = held.asked
    assert fact.twin == "@house" and fact.body["question"] == {"statistic": "count", "field": "temperature"}
    assert not any(name in str(fact.body) for name in names)
    rich(bank, 2.0)
    assert cohort(bank).ask(Question("count", "temperature", epsilon=0.5)).left == 0.75


@pytest.mark.parametrize("banks", [1, 2])
def test_askers_at_once_cannot_spend_more_than_there_is(banks: int) -> None:
    """Twelve asks of 0.1 at a budget of 0.7, at once, through one bank and through two over one store: seven are answered."""
    first = rich(fleet.bank(), 0.7)
    fleet.group(first, 6, lambda i: 5.0)
    doors = [first, *(Bank(first.thread, first.now, fleet.TYPES) for _ in range(banks - 1))]
    told: list[object] = []

    def ask(bank: Bank) -> None:
        try:
            told.append(cohort(bank).ask(Question("count", "temperature", epsilon=0.1)))
        except Refused as refused:
            told.append(str(refused))

    threads = [threading.Thread(target=ask, args=(doors[i % banks],)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(isinstance(one, Answer) for one in told) == {True: 7, False: 5}
    assert first.budgets.of("rae").spent == pytest.approx(0.7)


def test_who_looked_before_another_spent_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An asker who saw a budget that is gone by the time of spending is refused."""
    bank = rich(fleet.bank(), 0.1)
    fleet.group(bank, 6, lambda i: 5.0)
    stale = bank.budgets.of("rae")
    cohort(bank).ask(Question("count", "temperature", epsilon=0.1))
    seen, real = [stale], bank.budgets.of
    monkeypatch.setattr(bank.budgets, "of", lambda asker: seen.pop() if seen else real(asker))
    with pytest.raises(Refused, match=r"0 of a budget of 0\.1 is left"):
        bank.budgets.spend("rae", 0.1, {}, bank.now())


def test_budgets_outlive_the_process(new_store: NewStore) -> None:
    """On every back end: what was spent is spent when the bank is opened again."""
    where = new_store()
    with fleet.bank(where) as bank:
        rich(bank, 1.0)
        fleet.group(bank, 5, lambda i: 5.0)
        cohort(bank).ask(Question("count", "temperature", epsilon=0.6))
    with fleet.bank(where) as bank:
        assert bank.budgets.of("rae").left == pytest.approx(0.4)
        with pytest.raises(Refused):
            cohort(bank).ask(Question("count", "temperature", epsilon=0.6))


def test_without_opendp_nothing_is_answered_and_nothing_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; there is no answer without noise."""
    bank = rich(fleet.bank(), 1.0)
    fleet.group(bank, 6, lambda i: 5.0)
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("opendp"):
            raise ImportError(name)
        return real(name, *rest)

    noise.opendp.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(Unavailable, match=r"gemel\[privacy\]"):
        cohort(bank).ask(Question("count", "temperature"))
    monkeypatch.undo()
    assert bank.budgets.of("rae").spent == 0


# the noise

DRAWS = 20_000


@pytest.mark.parametrize("epsilon", [0.3, 1.0])
def test_counts_have_discrete_laplace_noise(epsilon: float) -> None:
    """Draws against the closed form P(k) = tanh(eps/2) exp(-eps |k|), by chi-square; SciPy's dlaplace is the same."""
    drawn = np.array(noise.counts([7] * DRAWS, epsilon)) - 7
    edge = math.ceil(5 / epsilon)
    clipped = np.clip(drawn, -edge, edge)
    seen = np.array([(clipped == k).sum() for k in range(-edge, edge + 1)])
    expected = math.tanh(epsilon / 2) * np.exp(-epsilon * np.abs(np.arange(-edge, edge + 1)))
    assert expected[1:-1] == pytest.approx(stats.dlaplace.pmf(np.arange(-edge + 1, edge), epsilon))
    expected[[0, -1]] = stats.dlaplace.sf(edge - 1, epsilon)
    assert stats.chisquare(seen, expected / expected.sum() * DRAWS).pvalue > 1e-6


@pytest.mark.parametrize("epsilon", [0.25, 2.0])
def test_sums_have_laplace_noise(epsilon: float) -> None:
    """Draws against the closed form of the Laplace distribution of scale 1/eps, by Kolmogorov and Smirnov."""
    drawn = [noise.total([0.5, -0.25], epsilon) - 0.25 for _ in range(3000)]
    assert stats.kstest(drawn, stats.laplace(scale=1 / epsilon).cdf).pvalue > 1e-6


def test_the_test_of_the_noise_sees_a_wrong_scale() -> None:
    """Planted: noise that is half as large as it should be is found."""
    drawn = [noise.total([0.5], 2.0) - 0.5 for _ in range(3000)]
    assert stats.kstest(drawn, stats.laplace(scale=1.0).cdf).pvalue < 1e-6


def test_one_member_more_changes_no_quantile_by_more_than_epsilon() -> None:
    """The chance of each place of the grid, with a member and without, differs by a factor of exp(eps) at most."""
    epsilon = 1.0
    with_, without = (
        [noise.quantile(parts, 0.5, epsilon) for _ in range(3000)] for parts in ([0.1, 0.2, 0.9], [0.1, 0.2])
    )
    for low, high in ((0, 0.1), (0.1, 0.2), (0.2, 0.9), (0.9, 1.01)):
        a, b = (np.mean([low <= one < high for one in drawn]) for drawn in (with_, without))
        assert max(a, b) <= math.exp(epsilon) * min(a, b) + 0.04


def test_a_member_changes_a_sum_by_its_own_range_at_most() -> None:
    """Numbers beyond the range are taken to lie on its end: one wild member cannot be seen through the noise."""
    drawn = np.array([noise.total([1e12], 10.0) for _ in range(300)])
    assert abs(np.median(drawn) - 1.0) < 0.1


def test_the_least_minimum_holds() -> None:
    """An asker may raise it, and nobody may lower it."""
    with pytest.raises(BadInput, match="the least is 5"):
        cohort(fleet.bank(), minimum=MINIMUM - 1)
