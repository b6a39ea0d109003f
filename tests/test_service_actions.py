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
from gemel.packs.service.actions import KINDS, Action, controls, intervention
from gemel.packs.service.advise import Proposal, View, advise, fork, proposal, trusted
from gemel.packs.service.centre.asset import START, Centre
from gemel.packs.service.centre.means import candidates
from gemel.packs.service.centre.network import network, promised
from gemel.packs.service.estimate import mean
from gemel.packs.service.follow import Follower
from gemel.packs.service.guards import GUARDS, Rules, decide, extra_hours, refusal
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


def offered(cost: float, usual: float, acted: float, score: float = 5.0, kind: str = "move") -> Proposal:
    """Return a proposal of that cost and those waits."""
    target = {"move": "a>b", "add": "a"}[kind]
    return Proposal(
        (Action(kind, target, 1.0, NOW),), mean("p", np.ones(3)), (1, 1), cost, {"c": (usual, acted)}, {}, score
    )


def test_no_class_pays_for_anothers_speed_beyond_the_bound_nor_the_day_for_the_hour() -> None:
    """31 s against a bound of 30; 1 above the day's money; both just within pass."""
    rules = Rules(money_per_day=100.0, worse_s=30.0)
    assert "31 s longer" in (refusal(offered(1, 60, 91), rules, (), NOW) or "")
    assert refusal(offered(1, 60, 90), rules, (), NOW) is None
    done = [Action("add", "a", 1.0, NOW - HOUR, 3600.0)]
    assert "48 spent today" in (refusal(offered(53, 0, 0), rules, done, NOW) or "")
    assert refusal(offered(52, 0, 0), rules, done, NOW) is None
    assert refusal(offered(53, 0, 0), rules, done, NOW + DAY) is None


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
    pilot = Pilot(network(whole=False), promised, candidates, rules, members=8, block=HOUR // 2, seed=2)
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

    assert refused(*intervention([Action("move", "a>b", 2.0, NOW)], NOW).doses) == []
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


def test_a_scanner_that_is_down_is_met_with_a_technician_moved_appointments_and_word_of_it() -> None:
    """Once in four hours, and each action turns a lever that the hospital's twin has."""
    from gemel.dynamics import Dose, Reading
    from gemel.facts import HOUR
    from gemel.intervention import Situation
    from gemel.packs.service.hospital import help_now
    from gemel.packs.service.hospital.network import network
    from gemel.packs.service.kind import service_type
    from gemel.packs.service.planner import maintained

    noon = 1_767_614_400_000
    down = {name: [Reading(name, value, noon)] for name, value in (("up.scanner-0", 0.0), ("up.scanner-1", 1.0))}
    found = help_now(Situation("hospital", noon, down, [], {}, {}))
    assert [action.kind for action, _ in found] == ["add", "reschedule", "tell"]
    levers = service_type(network()).levers
    told = [maintained(action, reason, noon).intervention for action, reason in found]
    assert all(dose.lever in levers for one in told if one for dose in one.doses)
    again = Situation("hospital", noon, down, [Dose("arrivals.outpatient", 0.5, noon - HOUR)], {}, {})
    assert help_now(again) == []
