"""Proposals: which doses of what was approved nobody told of yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gemel.bank.proposals import AFTER, AGREED, Proposal, planned, underway
from gemel.dynamics import Dose
from gemel.facts import HOUR, MINUTE
from gemel.intervention import Intervention

NOW = 1_700_000_000_000
shots = st.lists(st.tuples(st.integers(0, 60), st.sampled_from([1.0, 2.0, 4.0])), min_size=1, max_size=3)


def proposal(seq: int, *doses: Dose, status: str = "approved") -> Proposal:
    """Return a proposal that was decided a moment after it was made."""
    what = Intervention("x", doses)
    return Proposal(seq, "lily", "sarah", NOW, NOW + HOUR, what, "", "care", (), status, history=(seq, seq + 1))


@given(st.lists(shots, min_size=1, max_size=4), st.data())
def test_each_report_strikes_out_one_dose_of_its_own_command(
    made: list[list[tuple[int, float]]], data: st.DataObject
) -> None:
    agreed = [
        proposal(10 * k, *(Dose("bolus", units, NOW + at * MINUTE) for at, units in own))
        for k, own in enumerate(made, 1)
    ]
    every = [(one, i) for one in agreed for i in range(len(one.intervention.doses))]
    reported = data.draw(st.lists(st.sampled_from(every), unique_by=lambda own: (own[0].seq, own[1])))
    told = [(NOW + HOUR, "bolus", 0.5, f"{one.key}#{i}|bolus") for one, i in reported]
    assert len(underway(agreed, told, ())) == len(every) - len(reported)
    assert not underway(agreed, [(NOW, "bolus", 1.0, f"{one.key}#{i}|bolus") for one, i in every], ())


@given(st.sampled_from(["open", "rejected", "refused", "expired", "failed", *AGREED]))
def test_only_what_was_agreed_is_planned_or_underway(status: str) -> None:
    one = proposal(10, Dose("bolus", 1.0, NOW), status=status)
    assert bool(underway([one], (), ())) == bool(planned([one], NOW)) == (status in AGREED)


def test_what_was_decided_by_or_after_a_fact_does_not_count() -> None:
    first, second = (proposal(seq, Dose("bolus", float(seq), NOW)) for seq in (10, 20))
    assert not underway([first, second], (), (), decided=11)
    assert [dose.amount for dose in underway([first, second], (), (), decided=21)] == [10.0]


def test_a_report_that_names_nothing_stands_for_one_dose_like_it_of_about_its_time() -> None:
    two = [proposal(seq, Dose("bolus", 4.0, NOW)) for seq in (10, 20)]
    assert len(underway(two, [(NOW + MINUTE, "bolus", 4.1, "bolus|1|4.1|U")], ())) == 1
    for at, lever, units in (
        (-HOUR, "bolus", 4.0),
        (HOUR, "bolus", 4.0),
        (MINUTE, "bolus", 3.0),
        (MINUTE, "carbs", 4.0),
    ):
        assert len(underway(two, [(NOW + at, lever, units, "x|y")], ())) == 2


def test_what_goes_on_is_planned_with_the_doses_that_began_it_and_for_a_while_after() -> None:
    sport = proposal(10, Dose("exercise", 60.0, NOW), Dose("exercise", 0.0, NOW + HOUR))
    assert len(planned([sport], NOW + HOUR // 2)) == len(planned([sport], NOW + HOUR + AFTER - 1)) == 2
    assert planned([sport], NOW + HOUR + AFTER) == ()
