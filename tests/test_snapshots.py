"""Snapshots are disposable: whatever becomes of them, in whatever order facts come, the belief is the same; only time differs."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tank import BORN, Tank, bank, drafts, lived

from gemel.bank import Bank
from gemel.bank.ground import DENSE, MOST, SLOTS, grain, slot, thinned
from gemel.bank.replica import Followed
from gemel.bank.snapshots import LATEST, NAMES, read
from gemel.dynamics import Belief
from gemel.errors import Unavailable
from gemel.facts import HOUR, MINUTE, Draft
from gemel.testing.beliefs import same

DRAFTS = tuple(drafts(*lived(5)))
KEYS = [draft.key for draft in DRAFTS if draft.kind == "observed/1"]


def took_back(key: str, at: int = BORN) -> Draft:
    return Draft("tank", "retracted/1", {"key": key, "name": "gauge"}, at, "gauge", key=f"not {key}")


def fresh() -> Bank:
    made = bank(at=BORN + 6 * HOUR)
    made.create("tank", "tank", by="me")
    return made


def restarted(made: Bank) -> Bank:
    """Return another bank over the same thread, as after a start."""
    return Bank(made.thread, made.now, {"tank": Tank})


def believed(made: Bank) -> Followed:
    return made.followed("tank")[-1]


@cache
def whole(withdrawn: frozenset[str]) -> Belief:
    """Return what a bank believes that heard everything in order, at once."""
    made = fresh()
    made.append([*DRAFTS, *(took_back(key) for key in sorted(withdrawn))])
    return believed(made).belief


STEPS = st.lists(st.sampled_from(["fold", "remember", "restart", "delete", "damage", "look back"]), max_size=3)


@settings(max_examples=60)
@given(st.data())
def test_any_order_of_arrival_restart_and_loss_of_snapshots_gives_the_same_belief(data: st.DataObject) -> None:
    withdrawn = data.draw(st.sets(st.sampled_from(KEYS), max_size=2))
    late = data.draw(st.lists(st.sampled_from(DRAFTS), max_size=6, unique_by=id))
    order = [d for d in DRAFTS if d not in late]
    for draft in [*late, *(took_back(key) for key in sorted(withdrawn))]:
        order.insert(data.draw(st.integers(0, len(order))), draft)
    made, cuts = fresh(), sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    for low, high in zip([0, *cuts], [*cuts, len(order)], strict=True):
        made.append(order[low:high])
        for step in data.draw(STEPS):
            made = done(made, step, data)
    assert same(believed(made).belief, whole(frozenset(withdrawn)))


def done(made: Bank, step: str, data: st.DataObject) -> Bank:
    names = st.sampled_from(NAMES)
    if step == "fold":
        made.followed("tank")
    elif step == "look back" and made.replica("tank").start is not None:
        made.followed("tank", since=data.draw(st.integers(BORN, BORN + 5 * HOUR)))
    elif step == "remember":
        made.remember("tank")
    elif step == "delete":
        made.thread.keep("tank", data.draw(names), b"")
    elif step == "damage":
        name = data.draw(names)
        kept = made.thread.kept("tank", name) or b"nonsense"
        at = data.draw(st.integers(0, len(kept) - 1))
        made.thread.keep("tank", name, kept[:at])
    elif step == "restart":
        made.remember("tank")
        return restarted(made)
    return made


# what a late fact costs


def folded(made: Bank) -> int:
    """Return how many cycles this bank folded to say what is believed now."""
    before = made.replica("tank").folded
    believed(made)
    return made.replica("tank").folded - before


def late(hours_ago: float) -> Draft:
    at = BORN + round((24 - hours_ago) * HOUR) + 2 * MINUTE
    body = {"name": "gauge", "value": 60.0, "unit": "L", "source": "", "key": f"late {hours_ago}"}
    return Draft("tank", "observed/1", body, at, "gauge", key=f"late {hours_ago}")


@pytest.mark.parametrize(("hours_ago", "at_most"), [(0.5, 8), (3, 4 * 12), (12, 15 * 12)])
@pytest.mark.parametrize("restart", [False, True])
def test_a_late_fact_refolds_what_it_touches_and_not_the_day(hours_ago: float, at_most: int, restart: bool) -> None:
    """24 h are 288 cycles; those after the fact must be folded again, and at most a quarter of its age before it."""
    made = fresh()
    made.append(drafts(*lived(24)))
    assert folded(made) == 288
    made.remember("tank")
    if restart:
        made = restarted(made)
        assert folded(made) == 0
    made.append([late(hours_ago)])
    assert round(hours_ago * 12) < folded(made) <= (at_most if not restart else 24 * hours_ago + 13)
    anew = fresh()
    anew.append([*drafts(*lived(24)), late(hours_ago)])
    assert same(believed(made).belief, believed(anew).belief)


def test_what_the_dynamics_does_not_sense_refolds_nothing() -> None:
    made = fresh()
    made.append(DRAFTS)
    believed(made)
    body = {"name": "colour", "value": 1.0, "unit": "", "source": "", "key": "colour"}
    made.append([Draft("tank", "observed/1", body, BORN + HOUR, "eye", key="colour")])
    assert folded(made) == 0


def test_what_is_not_sensed_still_tells_when_the_beginning_was() -> None:
    """The prior begins where anything is known, so an older fact of any kind folds the record from there."""
    body = {"name": "colour", "value": 1.0, "unit": "", "source": "", "key": "colour"}
    older = Draft("tank", "observed/1", body, BORN - HOUR, "eye", key="colour")
    late, early = fresh(), fresh()
    late.append(DRAFTS)
    believed(late)
    late.append([older])
    early.append([older, *DRAFTS])
    assert same(believed(late).belief, believed(early).belief)


def test_a_retraction_after_a_restart_refolds_from_before_what_it_takes_back() -> None:
    """The fact of a retraction may carry any time of its own; what counts is when the reading was true."""
    made = fresh()
    made.append(DRAFTS)
    believed(made)
    made.remember("tank")
    made.append([took_back(KEYS[30], at=BORN + 6 * HOUR)])
    assert same(believed(restarted(made)).belief, whole(frozenset([KEYS[30]])))


# what is kept


def test_a_killed_bank_lost_an_hour_of_folding_at_most() -> None:
    made = fresh()
    for draft in DRAFTS:
        made.append([draft])
        made.followed("tank")
    assert folded(restarted(made)) <= 12


def test_a_snapshot_of_another_type_or_seed_is_not_used() -> None:
    made = fresh()
    made.append(DRAFTS)
    believed(made)
    made.remember("tank")
    assert folded(restarted(made)) == 0
    kept = read(made.thread.kept("tank", LATEST))
    assert kept is not None
    assert (kept.lineage, kept.seed) == (Tank.hash, 0)
    assert folded(Bank(made.thread, made.now, {"tank": Tank}, seed=1)) > 50
    with pytest.raises(Unavailable, match=r"was folded with version .* of tank which is not installed"):
        folded(Bank(made.thread, made.now, {"tank": replace(Tank, members=32)}))


def test_snapshots_are_few_and_each_about_twice_as_old() -> None:
    held: dict[int, int] = {}
    for hour in range(1, 365 * 24):
        held[slot(hour * HOUR)] = hour
    assert len(held) <= SLOTS
    now = 365 * 24 - 1
    for age in (1, 2, 5, 20, 100, 1000, 4000):
        assert any(age <= now - hour <= 2 * age + 1 for hour in held.values()), age


@given(st.integers(1, 2000), st.integers(1, 90))
def test_beliefs_held_in_memory_are_few_and_near_any_moment(cycles: int, every_min: int) -> None:
    points: list[Followed] = []
    for i in range(cycles):
        points.append(Followed(BORN + i * every_min * MINUTE, Belief((), np.zeros(0), {}), {}))
        if len(points) > MOST:
            points = thinned(points)
    assert len(points) <= MOST
    last = points[-1].at
    for older, newer in pairwise(points):
        assert newer.at - older.at <= 2 * grain(last - older.at) + every_min * MINUTE
    assert [p.at for p in points[-DENSE:]] == [last - i * every_min * MINUTE for i in range(len(points[-DENSE:]))][::-1]


def test_forgetting_a_twin_leaves_nothing_of_it_in_memory() -> None:
    made = fresh()
    made.append(DRAFTS)
    made.forecast("tank", "gauge", 1, BORN + 5 * HOUR)
    made.remember("tank")
    made.forget("tank")
    beliefs = made.beliefs
    for held in (beliefs._replicas, beliefs._hours, beliefs._said, beliefs._foresights, beliefs.snapshots._put):
        assert held == {}
    assert same(believed(made).belief, whole(frozenset()))
