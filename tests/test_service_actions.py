"""Actions, forks and guards: what is told to the engine, what a fork may not touch, what must not be done."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.dynamics import Dose
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE
from gemel.intervention import Intervention, Situation
from gemel.packs.service.actions import KINDS, Action, controls, doses
from gemel.packs.service.advise import Proposal, View, advise, fork, proposal, trusted
from gemel.packs.service.centre.asset import START, Centre
from gemel.packs.service.centre.means import MEANS
from gemel.packs.service.centre.network import network, promised
from gemel.packs.service.estimate import mean, normal
from gemel.packs.service.follow import Follower
from gemel.packs.service.guards import GUARDS, Rules, decide, extra_hours, money_of, open_hours, refusal, spent
from gemel.packs.service.pilot import Pilot
from gemel.twintype import Autonomy

NOW = START + 10 * HOUR
SPANS = st.tuples(st.integers(0, 100), st.integers(1, 60), st.integers(1, 3))


@given(st.lists(SPANS, max_size=5), st.integers(0, 200))
def test_actions_that_overlap_add_up_and_end(spans: list[tuple[int, int, int]], minute: int) -> None:
    """At any minute, what the engine was last told is the sum of what acts then."""
    actions = [Action("move", "a>b", float(n), NOW + at * MINUTE, 60.0 * hold) for at, hold, n in spans]
    told = controls(actions, NOW)
    at = NOW + minute * MINUTE
    last = {c.target: c.value for c in told if c.at <= at}
    expected = sum(a.amount for a in actions if a.works <= at < a.until)
    assert last.get("b", 0.0) == expected and last.get("a", 0.0) == -expected


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_says_what_it_costs_and_who_bears_it(kind: str) -> None:
    """A text, a cost that is a number, someone who bears it; and back to rest at its end."""
    target = KINDS[kind].target.replace("pool", "p").replace("choice", "c").replace("node", "n")
    action = Action(kind, target, 0.5, NOW)
    body = action.body()
    assert body["text"] and body["bears"] and np.isfinite(body["cost"])
    rest = {"staff": 0.0, "route": 0.0}
    for control in controls([action], NOW):
        if control.at == action.until and kind != "reschedule":
            assert control.value == rest.get(control.kind, 1.0)


def test_an_action_that_cannot_be_says_why() -> None:
    """Kind, target and amount."""
    with pytest.raises(BadInput, match="unknown kind of action 'bribe'"):
        Action("bribe", "x", 1.0, NOW)
    with pytest.raises(BadInput, match="move names pool>pool"):
        Action("move", "agents", 1.0, NOW)
    with pytest.raises(BadInput, match="cannot be"):
        Action("add", "agents", -1.0, NOW)


@lru_cache
def view() -> View:
    """Return a busy morning: the queue of an asset that lost half of Sydney's people."""
    centre, follower = Centre(7, days=1), Follower(network(whole=False))
    follower.take(centre.until(NOW))
    follower.settle(NOW, centre.gauges())
    short = (("staff", "agents.sydney", NOW, NOW + HOUR, -6.0),)
    return View(follower.network, follower.present(NOW), promised, extra=short, members=24, seed=3)


def test_a_fork_with_nothing_done_is_what_comes_as_usual() -> None:
    """Paired runs are paired: no action, no difference in any member."""
    assert (fork(view()).breaches == fork(view(), ()).breaches).all()
    assert proposal((), fork(view()), fork(view()), 8.0).prevented.value == 0


def test_people_where_they_are_missing_prevent_breaches_in_pairs() -> None:
    """Three more at Sydney: fewer breaches in nearly all members, none changed at Brisbane, ranked above none."""
    ranked = advise(view(), [(Action("move", "agents.brisbane>agents.sydney", 3.0, NOW),), ()], worth=8.0)
    best = ranked[0]
    assert best.actions and best.prevented.low > 0 and best.by_class["claim.sydney"] > 0
    assert best.title == "move 3 from agents.brisbane to agents.sydney for 60 min"


def test_paired_forks_are_surer_than_forks_of_their_own_draws() -> None:
    """The variance of the difference over shared draws is less than half of that over others."""
    action = (Action("add", "agents.sydney", 2.0, NOW, 5400.0),)
    usual, acted = fork(view()), fork(view(), action)
    paired = (usual.breaches - acted.breaches).sum(1)
    other = usual.breaches.sum(1) - np.roll(acted.breaches.sum(1), 1)
    assert paired.var() < 0.5 * other.var()


def test_the_time_told_is_kept_for_most() -> None:
    """A wait that 85 % do not exceed, in half minutes."""
    usual = fork(view())
    told = trusted(usual, "phone.sydney")
    assert told is not None and told % 30 == 0
    assert np.mean(usual.soon["phone.sydney"] <= told) >= 0.85 and trusted(usual, "no such") is None


def offered(
    cost: float, usual: float, acted: float, score: float = 5.0, kind: str = "move", error: float = 0.0
) -> Proposal:  # fmt: skip
    """Return a proposal of that cost and those waits, with the standard error of their difference."""
    target = {"move": "a>b", "add": "a"}[kind]
    harm = {"c": normal("c", acted - usual, error, 64, "s")}
    return Proposal(
        (Action(kind, target, 1.0, NOW),), mean("p", np.ones(3)), (1, 1), cost, {"c": (usual, acted)}, {}, score, harm
    )


def test_no_class_pays_for_anothers_speed_beyond_the_bound_nor_the_day_for_the_hour() -> None:
    """31 s against a bound of 30; 1 above the day's money; both just within pass."""
    rules = Rules(money_per_day=100.0, worse_s=30.0)
    assert "+31 s (up to +31 s" in (refusal(offered(1, 60, 91), rules, 0.0) or "")
    assert refusal(offered(1, 60, 90), rules, 0.0) is None
    done = [Action("add", "a", 1.0, NOW - HOUR, 3600.0)]
    assert "48 spent today" in (refusal(offered(53, 0, 0), rules, spent(done, NOW)) or "")
    assert refusal(offered(52, 0, 0), rules, spent(done, NOW)) is None
    assert refusal(offered(53, 0, 0), rules, spent(done, NOW + DAY)) is None


def test_what_may_well_be_unfair_is_refused_with_its_interval_in_the_reason() -> None:
    """20 s longer, give or take 10: with 95 % confidence no more than 20 + 1.645 × 10, above 30; less sure, it passes."""
    rules = Rules(worse_s=30.0)
    reason = refusal(offered(1, 60, 80, error=10.0), rules, 0.0)
    assert reason is not None and reason.startswith("c would wait +20 s (up to +36 s with 95% confidence) longer")
    assert refusal(offered(1, 60, 80, error=10.0), Rules(worse_s=30.0, sure=0.8), 0.0) is None
    found = decide([offered(1, 60, 80, error=10.0)], rules, (), NOW, np.random.default_rng(0))
    assert found.chosen is None and list(found.refused.values()) == [reason]


def test_autonomy_is_by_kind_and_its_least_decides() -> None:
    """Who is called in waits for an approval; moves do not."""
    rng, rules = np.random.default_rng(0), Rules(holdout=0.0)
    assert decide([offered(1, 0, 0)], rules, (), NOW, rng).chosen is not None
    call = offered(1, 0, 0, kind="add")
    assert decide([call], rules, (), NOW, rng).chosen is None
    assert decide([call], rules, (), NOW, rng, approve=lambda p: True).chosen is call
    allowed = Rules(holdout=0.0, autonomy={"add": Autonomy.ACT})
    assert decide([call], allowed, (), NOW, rng).chosen is call


def test_what_is_held_out_is_as_frequent_as_its_propensity_says() -> None:
    """2,000 decisions: the share held out within 4 standard errors, each with its own chance on record."""
    rng, rules = np.random.default_rng(1), Rules(holdout=0.2)
    found = [decide([offered(1, 0, 0)], rules, (), NOW, rng) for _ in range(2000)]
    held = np.mean([one.held_out for one in found])
    assert abs(held - 0.2) < 4 * np.sqrt(0.16 / 2000)
    assert all(one.propensity == (0.2 if one.held_out else 0.8) for one in found)


def test_nothing_done_reaches_into_a_block_that_is_held_out() -> None:
    """Two hours of a centre short of people, hold-outs at every second block on average: every act ends before them."""
    centre = Centre(7, days=1)
    rules = Rules(holdout=0.5, autonomy={"add": Autonomy.ACT})
    pilot = Pilot(network(whole=False), MEANS, rules, members=8, block=HOUR // 2, seed=2)
    pilot.watch(centre, START + 9 * HOUR)
    for now in range(START + 9 * HOUR, START + 11 * HOUR, 10 * MINUTE):
        pilot.watch(centre, now)
        pilot.step(centre, now)
    for action in pilot.done:
        middle = range(action.works, action.until - 1, MINUTE)
        assert not any(pilot.held_out(at) for at in middle), action
    assert all(one.chosen is None for one in pilot.decided if pilot.held_out(one.at))


def situation(*doses: Dose) -> Situation:
    """Return a situation in which only what was done matters."""
    return Situation("s", NOW, {}, doses, {}, {})


def test_guards_of_the_loop_refuse_too_many_too_far_and_too_dear() -> None:
    """And let through what an action of the pack becomes."""

    def refused(*doses: Dose) -> list[str]:
        return [why for guard in GUARDS.values() if (why := guard(Intervention("x", doses), situation()))]

    assert refused(*doses([Action("move", "a>b", 2.0, NOW)], NOW)) == []
    assert "is more than 6" in refused(Dose("staff.a", 7.0, NOW), Dose("staff.a", 0.0, NOW + HOUR))[0]
    assert "not within" in refused(Dose("staff.a", 1.0, NOW + 2 * DAY))[0]
    assert "beyond the rota" in refused(Dose("staff.a", 3.0, NOW))[0]


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 180))
def test_who_moves_is_not_beyond_the_rota(people: int, minutes: int) -> None:
    """A move costs no extra hours; people added cost theirs."""
    until, end = NOW + DAY, NOW + minutes * MINUTE
    moved = [
        Dose("staff.a", -people, NOW),
        Dose("staff.b", people, NOW),
        Dose("staff.b", 0, end),
        Dose("staff.a", 0, end),
    ]
    assert extra_hours(moved, until) == 0
    assert extra_hours([Dose("staff.a", people, NOW), Dose("staff.a", 0, end)], until) == pytest.approx(
        people * minutes / 60
    )


def test_who_opens_what_was_closed_opens_it_for_so_long_and_no_longer() -> None:
    """Opened over a closing that lasts: 1 while it holds, 0 again after; a station that is open stays so."""
    shut = [("open", "desk", NOW, NOW + DAY, -1.0)]
    opening = Action("open", "desk", 1.0, NOW, 3600.0, lead=600.0)
    assert [(d.at - NOW, d.amount) for d in doses([opening], NOW, shut)][:3] == [
        (0, 0.0), (10 * MINUTE, 1.0), (70 * MINUTE, 0.0)
    ]  # fmt: skip
    assert {c.value for c in controls([opening], NOW)} == {1.0}
    assert [c.value for c in controls([Action("open", "desk", 0.0, NOW, 3600.0)], NOW)] == [0.0, 1.0]


def test_the_guard_of_money_counts_openings_and_gifts() -> None:
    """Two hours open at 20, gifts of 45 in all; a station that is closed for a while costs nothing."""
    opened = [Dose("open.desk", 1.0, NOW), Dose("open.desk", 0.0, NOW + 2 * HOUR)]
    given = doses([Action("compensate", "c", 15.0, NOW, counts=3, whom=("x", "y", "z"))], NOW)
    assert open_hours(opened) == 2 and money_of([*opened, *given], NOW + DAY) == pytest.approx(85.0)
    assert open_hours([Dose("open.desk", 0.0, NOW), Dose("open.desk", 1.0, NOW + HOUR)]) == 0
    much = Intervention("x", (Dose("compensate.c", 601.0, NOW),))
    assert "601; 600 are allowed a day" in str(GUARDS["money"](much, situation()))
