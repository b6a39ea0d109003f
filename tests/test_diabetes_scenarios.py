"""Supposed changes do what the clinical rules say, and nothing else differs between paired futures."""

from __future__ import annotations

import numpy as np
import pytest
from family import LIVED_UNTIL

from gemel.bank import Fork, Twin
from gemel.dynamics import Dose
from gemel.errors import BadInput
from gemel.experiment.compare import compare
from gemel.facts import HOUR, MINUTE
from gemel.intervention import Scenario
from gemel.packs import diabetes

NOW = LIVED_UNTIL


def effect(twin: Twin, scenario: Scenario, hours: float = 6) -> np.ndarray:
    """Return what a scenario changes in glucose, (time, member), against the paired usual future."""
    usual, _ = twin.fork("as usual").run("glucose", hours)
    supposed, _ = twin.fork("supposed").suppose(scenario).run("glucose", hours)
    return supposed - usual


def sensitivity(twin: Twin) -> float:
    """Return mg/dL per unit by the 1700 rule on the insulin of the twin's usual day."""
    belief = twin.bank.belief_at(twin.id, NOW)
    return 1700 / (float(np.mean(belief.values["habit.total"])) * 1440)


def test_a_unit_lowers_glucose_by_a_good_part_of_what_the_1700_rule_says(lily: Twin) -> None:
    """Two compartments of 75 min and a wearing off of 400 min leave 0.61 of the rule at the lowest point (SciPy solve_ivp)."""
    lowest = effect(lily, diabetes.bolus(1.0)).mean(axis=1).min()

    assert lowest == pytest.approx(-0.61 * sensitivity(lily), rel=0.12)


def test_carbohydrate_raises_glucose_by_what_the_500_rule_says(lily: Twin) -> None:
    """Fifteen grams raise by up to 51 mg/dL; a good part of it is seen at once."""
    highest = effect(lily, diabetes.meal(15.0)).mean(axis=1).max()

    assert 0.6 * 15 * 3.4 < highest < 15 * 3.4


def test_a_meal_and_a_bolus_each_at_its_own_time_are_both_done_and_nothing_else() -> None:
    """The form's numbers are the doses: 30 g now and 2 U in 10 minutes."""
    filled = diabetes.Person.scenarios["meal_bolus"].fill({"carbs": 30, "eat": 0, "amount": 2, "after": 10})
    assert filled.name == "30 g of carbohydrate now, 2 U in 10 min"
    assert filled.revise([], NOW) == [Dose("carbs", 30.0, NOW), Dose("bolus", 2.0, NOW + 10 * MINUTE)]


def test_forks_are_not_ranked_by_a_mean_that_lows_bring_down(lily: Twin) -> None:
    """Eight units lower the mean by lows: the difference is told, and no fork is the best; by time below, the usual day is."""
    usual = lily.fork("as usual")
    forks = usual, usual.suppose(diabetes.bolus(8.0))
    found = compare(*forks, metric="mean", hours=4)
    assert found.effects[1].difference < 0 and found.effects[1].better is None
    assert (found.body()["best"], found.body()["better"]) == (None, None) and "neither way is better" in str(found)
    with pytest.raises(BadInput, match="neither more nor less mean"):
        _ = found.best
    assert compare(*forks, metric="time_below_range", hours=4).body()["effects"][1]["better"] == 0.0


def test_less_basal_raises_and_more_lowers(lily: Twin) -> None:
    """Direction and order of basal segments are as anyone would expect."""
    suspended, more = (effect(lily, diabetes.basal(rate)).mean(axis=1)[35] for rate in (0.0, 1.2))

    assert more < 0 < suspended


def test_a_scenario_that_changes_nothing_changes_nothing(lily: Twin) -> None:
    """Noise is shared: equal plans give equal draws, to the bit."""
    assert np.array_equal(effect(lily, diabetes.bolus_scale(1.0)), np.zeros((72, lily.type.members)))


def test_an_earlier_bolus_moves_insulin_and_adds_none(lily: Twin) -> None:
    """What the lead time takes away later it gives before: the same amounts, each no later than it was."""
    fork = lily.fork("as usual")
    led = fork.suppose(diabetes.bolus_lead("15 min"))

    def boluses(one: Fork) -> list[tuple[float, int]]:
        return sorted((float(dose.amount), dose.at) for dose in one.plan(24 * HOUR) if dose.lever == "bolus")

    before, after = boluses(fork), boluses(led)
    assert [amount for amount, _ in after] == [amount for amount, _ in before]
    assert all(then <= at + 45 * MINUTE for (_, at), (_, then) in zip(before, after, strict=True))


def test_the_closed_loop_never_asks_for_more_than_its_cap(lily: Twin) -> None:
    """Every member's rate stays between nothing and three times the usual."""
    usual = float(np.mean(lily.bank.belief_at(lily.id, NOW).values["habit.basal"])) * 60
    _, done = lily.fork("loop").suppose(diabetes.ArtificialPancreas()).run("glucose", 3)

    rates = np.concatenate([np.atleast_1d(dose.amount) for dose in done])
    assert rates.min() >= 0
    assert rates.max() <= 3.2 * usual
