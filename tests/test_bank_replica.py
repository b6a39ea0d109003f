"""A belief follows from its facts, whatever their order, where they were kept, and whoever copied it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import BORN, Tank, bank, drafts, lived

from gemel.bank import Bank, Replica
from gemel.dynamics import Belief
from gemel.facts import HOUR, MINUTE, Draft, Fact
from gemel.intervention import Scenario


@cache
def facts() -> tuple[Fact, ...]:
    """Return half an hour of a tank, one reading withdrawn and a fit adopted."""
    kept = [d for d in drafts(*lived(2)) if d.true_at < BORN + 40 * MINUTE or d.true_at > BORN + 100 * MINUTE]
    gone = next(d.key for d in kept[4:] if d.kind == "observed/1")
    kept.append(Draft("tank", "retracted/1", {"key": gone, "name": "gauge"}, BORN + 50 * MINUTE, "gauge"))
    for leak, at in ((0.04, 20), (0.03, 30)):
        fit = {"parameters": {"tank.leak": {"value": leak}}, "adopted": True}
        kept.append(Draft("tank", "personalised/1", fit, BORN + at * MINUTE, "me"))
    kept.append(Draft("tank", "personalised/1", {"parameters": {}, "adopted": False}, BORN + 60 * MINUTE, "me"))
    return tuple(
        Fact(d.twin, d.kind, d.body, d.true_at, d.true_at, d.by, d.cause, seq) for seq, d in enumerate(kept, start=1)
    )


def replica(*groups: list[Fact] | tuple[Fact, ...]) -> Replica:
    made = Replica(Tank, "tank", {}, 0)
    for group in groups:
        made.take(group)
        made.belief()
    return made


def same(a: Belief, b: Belief) -> bool:
    return (
        a.values.keys() == b.values.keys()
        and a.subjects == b.subjects
        and all(np.array_equal(np.asarray(a.values[name]), np.asarray(b.values[name])) for name in a.values)
    )


def believed(made: Replica) -> Belief:
    found = made.belief()
    assert found is not None
    return found.belief


@settings(max_examples=40)
@given(st.data())
def test_the_order_of_arrival_does_not_matter_nor_do_late_and_duplicate_facts(data: st.DataObject) -> None:
    given_ = facts()
    order = data.draw(st.permutations(range(len(given_))))
    twice = data.draw(st.lists(st.sampled_from(range(len(given_))), max_size=4))
    arrived = [given_[i] for i in [*order, *twice]]
    cut = data.draw(st.integers(0, len(arrived)))
    assert same(believed(replica(arrived[:cut], arrived[cut:])), believed(replica(given_)))


def test_the_latest_adopted_fit_holds_from_the_beginning() -> None:
    made = replica(facts())
    assert made.constants == {"tank.leak": 0.03}
    first = next(made.follow(until=made.start))
    assert np.asarray(first.belief.values["tank.leak"]) == pytest.approx(0.03)


# through the bank


def filled(*, hours: float = 3, until: float = 99, where: str = "memory:") -> Bank:
    made = bank(where)
    made.create("tank", "tank", by="me")
    for draft in drafts(*lived(hours)):
        if draft.true_at <= BORN + until * HOUR:
            made.now.now = max(made.now.now, draft.true_at)  # type: ignore[attr-defined]
            made.append([draft])
    return made


def test_known_by_gives_the_belief_of_that_day() -> None:
    early, late = filled(until=1), filled()
    then = late.replica_known_by("tank", BORN + HOUR)
    assert same(believed(then), early.belief_at("tank", BORN + HOUR)) or same(
        then.forward(then.belief(), BORN + HOUR), early.belief_at("tank", BORN + HOUR)  # type: ignore[arg-type]
    )  # fmt: skip
    assert late.replica("tank").read() != then.read()


def test_a_late_reading_changes_todays_belief_and_not_that_of_its_day() -> None:
    made = filled(hours=2)
    before = believed(made.replica_known_by("tank", BORN + 2 * HOUR))
    made.now.now += HOUR  # type: ignore[attr-defined]
    body = {"name": "gauge", "value": 80.0, "unit": "L", "source": "", "key": "late"}
    made.append([Draft("tank", "observed/1", body, BORN + HOUR + MINUTE, "gauge", key="late")])
    assert same(believed(made.replica_known_by("tank", BORN + 2 * HOUR)), before)
    assert not same(believed(made.replica("tank")), before)


def test_a_fork_leaves_the_trunk_as_it_was() -> None:
    made = filled()
    twin = made.find("tank", by="me", purpose="care")
    before, facts_before = believed(made.replica("tank")), list(made.thread.read("tank"))
    flood = Scenario("flood", revise=lambda plan, now: [*plan, *(type(d)("bucket", 40.0, now) for d in plan[:1])])
    fork = twin.fork("flood").suppose(flood)
    draws, _ = fork.run("gauge", 2)
    assert draws.shape[1] == Tank.members
    assert same(believed(made.replica("tank")), before)
    kept = [fact for fact in made.thread.read("tank") if fact.kind != "accessed/1"]
    assert kept == [fact for fact in facts_before if fact.kind != "accessed/1"]


def test_forks_share_their_noise_so_that_the_same_plan_gives_no_difference_at_all() -> None:
    twin = filled().find("tank", by="me", purpose="care")
    a, b = (twin.fork(name).run("gauge", 3)[0] for name in ("as usual", "the same"))
    assert np.array_equal(a, b)


def test_a_reopened_bank_believes_what_an_uninterrupted_one_does(tmp_path: object) -> None:
    whole = filled()
    first = filled(until=1.5, where=str(tmp_path))
    first.belief_at("tank", BORN + HOUR)
    first.close()
    with bank(str(tmp_path), BORN + 3 * HOUR) as again:
        again.append([d for d in drafts(*lived(3)) if d.true_at > BORN + 1.5 * HOUR])
        assert same(believed(again.replica("tank")), believed(whole.replica("tank")))
