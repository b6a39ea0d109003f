"""The shared care plan and the team: who sees, proposes, decides, and what is in force."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gemel.bank import Bank, Twin, careplan, consenting
from gemel.bank.catalogue import roles
from gemel.bank.deciders import deciders
from gemel.bank.team import join, leave, team
from gemel.cli.main import app
from gemel.dynamics import Dose
from gemel.errors import BadInput, GemelError, NotFound, Refused
from gemel.facts import DAY, HOUR, Fact, Time
from gemel.intervention import Intervention
from gemel.packs.diabetes import Person
from gemel.packs.diabetes.control.profile import profile
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

SMALL = replace(Person, members=8)
TUESDAY: Time = 20_605 * DAY + 10 * HOUR
SCHOOL = "08:00-15:00 UTC Mon-Fri"
ROLES = roles(Person.name)


def lily(at: Time | FakeClock = TUESDAY) -> Twin:
    clock = at if isinstance(at, FakeClock) else FakeClock(at)
    return Bank(MemoryThread(), clock, {SMALL.name: SMALL}).create(SMALL, "lily", by="sarah")


def seen(twin: Twin, actor: str, purpose: str = "care") -> Twin:
    return twin.bank.find(twin.id, by=actor, purpose=purpose)


def test_a_change_is_in_force_when_it_was_approved_and_not_before() -> None:
    twin = lily()
    join(twin, ROLES, "dr-lee", "doctor")
    change = seen(twin, "dr-lee").propose_plan({"ratio": 12}, {"school": "juice at 70"}, "more lows at noon")
    assert twin.plan().settings == {} and twin.plan().open == (change,)
    twin.decide_plan(change.seq, True, "agreed")
    plan = twin.plan()
    assert plan.settings == {"ratio": 12.0} and plan.notes == {"school": "juice at 70"}
    assert plan.since == {"ratio": change.seq, "school": change.seq} and plan.open == ()
    assert plan.changes[0].decided_by == "sarah" and plan.changes[0].note == "agreed"


def test_a_change_is_decided_once_and_only_by_one_who_may() -> None:
    twin = lily()
    join(twin, ROLES, "dina", "dietitian")
    change = seen(twin, "dina").propose_plan({"ratio": 11})
    with pytest.raises(Refused):
        seen(twin, "dina").decide_plan(change.seq, True)
    twin.decide_plan(change.seq, False)
    with pytest.raises(Refused, match="rejected, not open"):
        twin.decide_plan(change.seq, True)
    with pytest.raises(NotFound):
        twin.decide_plan(10_000, True)


@pytest.mark.parametrize(
    ("settings", "notes"),
    [({"ratio": 1e9}, {}), ({"ratio": [1, 2]}, {}), ({"ratio": "ten"}, {}), ({"ration": 10}, {}), ({}, {}),
     ({"ratio": float("nan")}, {}), ({"ratio": True}, {}), ({}, {"school": "x" * 5000})],
)  # fmt: skip
def test_what_cannot_be_a_plan_is_refused_with_its_field(settings: dict[str, Any], notes: dict[str, str]) -> None:
    with pytest.raises((BadInput, NotFound)):
        lily().propose_plan(settings, notes)


def test_a_review_stays_with_the_plan_and_needs_a_say_in_it() -> None:
    twin = lily()
    join(twin, ROLES, "eddie", "educator")
    seen(twin, "eddie").review("nights are steady", TUESDAY - 14 * DAY, TUESDAY)
    assert [(one.by, one.text) for one in twin.plan().reviews] == [("eddie", "nights are steady")]
    twin.grant(to="aunt", purpose="care", read="plan")
    with pytest.raises(Refused):
        seen(twin, "aunt").review("looks fine", TUESDAY - DAY, TUESDAY)


@given(
    st.lists(st.tuples(st.sampled_from(["ratio", "action"]), st.integers(2, 10), st.sampled_from([None, True, False])))
)
def test_the_plan_is_the_last_approved_value_of_each_setting(said: list[tuple[str, int, bool | None]]) -> None:
    facts: list[Fact] = []
    expected: dict[str, float] = {}
    for i, (name, value, verdict) in enumerate(said):
        facts.append(_fact(careplan.PROPOSED, {"settings": {name: value}, "notes": {}, "why": ""}, 2 * i))
        if verdict is not None:
            word = "approved" if verdict else "rejected"
            facts.append(_fact(careplan.DECIDED, {"change": 2 * i, "verdict": word, "note": ""}, 2 * i + 1))
        if verdict:
            expected[name] = value
    plan = careplan.fold(facts)
    assert plan.settings == expected and len(plan.open) == sum(verdict is None for *_, verdict in said)


def _fact(kind: str, body: dict[str, Any], seq: int) -> Fact:
    return Fact("lily", kind, body, 0, 0, "dr-lee", (), seq)


def test_each_role_sees_what_it_should_and_no_more() -> None:
    twin = lily()
    for who, role in (("dr-lee", "doctor"), ("dina", "dietitian"), ("eddie", "educator"), ("lily", "child")):
        join(twin, ROLES, who, role)
    join(twin, ROLES, "nora", "nurse", hours=SCHOOL)
    opened = {
        who: {
            name
            for name in ("glucose", "bolus", "heart_rate", "plan", "alerts")
            if seen(twin, who, purpose).may("read", name)
        }
        for who, purpose in (
            ("dr-lee", "care"),
            ("dina", "care"),
            ("eddie", "care"),
            ("nora", "care"),
            ("lily", "self-management"),
        )
    }
    assert opened == {
        "dr-lee": {"glucose", "bolus", "heart_rate", "plan", "alerts"}, "dina": {"glucose", "plan"},
        "eddie": {"glucose", "bolus", "heart_rate", "plan"}, "nora": {"alerts"},
        "lily": {"glucose", "bolus", "heart_rate", "plan", "alerts"},
    }  # fmt: skip
    assert team(twin, ROLES) == {
        "sarah": "guardian", "lily": "child", "dr-lee": "doctor", "dina": "dietitian", "eddie": "educator", "nora": "nurse"
    }  # fmt: skip


def test_a_nurse_without_hours_is_refused_and_one_with_hours_is_gone_after_school() -> None:
    twin = lily(TUESDAY + 5 * HOUR)
    with pytest.raises(BadInput, match="certain hours"):
        join(twin, ROLES, "nora", "nurse")
    join(twin, ROLES, "nora", "nurse", hours=SCHOOL)
    with pytest.raises(Refused):
        seen(twin, "nora")
    with pytest.raises(NotFound, match="unknown role"):
        join(twin, ROLES, "nora", "headmaster")


def test_who_leaves_the_team_has_nothing_left() -> None:
    twin = lily()
    join(twin, ROLES, "dr-lee", "doctor")
    assert leave(twin, "dr-lee") > 0
    assert team(twin, ROLES) == {"sarah": "guardian"} and twin.alert_rules() == ()
    with pytest.raises(Refused):
        seen(twin, "dr-lee")


def test_a_father_may_hold_the_keys_too_until_the_child_takes_them() -> None:
    twin = lily()
    join(twin, ROLES, "tom", "guardian")
    assert set(twin.bank.holders("lily")) == {"sarah", "tom"}
    twin.hand_over(TUESDAY + 365 * DAY)
    assert twin.bank.holders("lily", TUESDAY + 366 * DAY) == ("lily",)


def test_after_the_hand_over_the_team_is_who_the_gate_honours_and_nobody_else() -> None:
    """Whoever her mother let in is no member any more, until she takes them in anew."""
    twin = lily(clock := FakeClock(TUESDAY))
    join(twin, ROLES, "lily", "child")
    join(twin, ROLES, "dr-lee", "doctor")
    join(twin, ROLES, "dina", "dietitian")
    join(twin, ROLES, "nora", "nurse", hours=SCHOOL)
    assert set(team(twin, ROLES)) == {"sarah", "lily", "dr-lee", "dina", "nora"}
    twin.hand_over(TUESDAY + DAY)
    assert consenting.ending(twin) == ("sarah", "dr-lee", "dina", "nora")
    clock.now = TUESDAY + 2 * DAY
    own = seen(twin, "lily", "self-management")
    assert team(own, ROLES) == {"lily": "holder"}
    join(own, ROLES, "dr-lee", "doctor")
    assert team(own, ROLES) == {"lily": "holder", "dr-lee": "doctor"}
    assert consenting.ending(own) == ("sarah", "dina", "nora")


def test_whom_the_subject_entrusts_is_a_guardian_only_if_she_says_so() -> None:
    twin = lily(clock := FakeClock(TUESDAY))
    twin.hand_over(TUESDAY + DAY)
    clock.now = TUESDAY + 2 * DAY
    own = seen(twin, "lily", "self-management")
    own.entrust("tom", "holder")
    own.entrust("ann", "guardian")
    assert team(own, ROLES) == {"lily": "holder", "tom": "holder", "ann": "guardian"}


@given(st.sets(st.sampled_from(["dr-lee", "dina", "eddie", "nora"])), st.booleans())
def test_nobody_is_a_member_who_may_do_nothing(revoked: set[str], handed: bool) -> None:
    """Whatever was taken back, and before and after the hand-over: a member may still do each thing their role brings."""
    twin = lily(clock := FakeClock(TUESDAY))
    for who, role in (("dr-lee", "doctor"), ("dina", "dietitian"), ("eddie", "educator"), ("nora", "nurse")):
        join(twin, ROLES, who, role, hours=SCHOOL)
    for grant in twin.bank.grants("lily"):
        if grant.to in revoked:
            twin.revoke(grant.id)
    if handed:
        twin.hand_over(TUESDAY + DAY)
        clock.now = TUESDAY + 3 * DAY
    found = {who: ROLES[role] for who, role in team(twin, ROLES).items() if who not in ("sarah", "lily")}
    assert set(found) == (set() if handed else {"dr-lee", "dina", "eddie", "nora"} - revoked)
    for who, role in found.items():
        for verb, names in role.marks.items():
            assert all(twin.bank.gate.over(who, verb, "lily", name, "care", 0.0) is None for name in names)


def test_a_doctor_decides_on_proposals_as_a_parent_does_and_others_do_not() -> None:
    """The gate and the guards decide as for a parent; a dietitian and the child herself are refused."""
    twin = lily()
    for who, role in (("lily", "child"), ("dr-lee", "doctor"), ("dina", "dietitian")):
        join(twin, ROLES, who, role)
    twin.grant(to="agent:loop", purpose="care", read="*", propose="basal")
    seq = _proposed(twin)
    for who, purpose in (("lily", "self-management"), ("dina", "care")):
        with pytest.raises(Refused):
            twin.bank.find("lily", by=who, purpose=purpose).decide(seq, False)
    assert deciders(twin, twin.bank.proposal("lily", seq)) == ("sarah", "dr-lee")
    assert seen(twin, "dr-lee").decide(seq, False, "not today").decided_by == "dr-lee"


def test_a_doctor_who_joined_before_the_role_grew_stays_the_doctor() -> None:
    twin = lily()
    twin.grant(to="dr-old", purpose="care", read="*", propose=("basal", "bolus", "plan"), act="plan")
    assert team(twin, ROLES)["dr-old"] == "doctor"
    assert deciders(twin, twin.bank.proposal("lily", _proposed(twin, "sarah"))) == ("sarah",)


def _proposed(twin: Twin, by: str = "agent:loop") -> int:
    twin.record([Item("glucose", 140.0, "mg/dL", TUESDAY - k * 300_000, None, Place("here")) for k in range(12, 0, -1)])
    pause = Intervention("no basal for a while", (Dose("basal", 0.0, twin.bank.now()),))
    return seen(twin, by).propose(pause, "falling").seq


def test_a_profile_takes_the_plan_first_and_rules_of_thumb_for_the_rest() -> None:
    hourly = tuple(float(i) for i in range(1, 25))
    found = profile({"ratio": hourly, "target_low": 90.0, "target_high": 110.0}, daily=24.0)
    assert found.ratio == hourly and found.target == (90.0, 110.0)
    assert found.basal == (0.5,) * 24 and found.sensitivity == pytest.approx((1700 / 24,) * 24)


def test_the_command_line_runs_a_change_from_proposal_to_plan(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with Bank.open(store) as bank:
        bank.create(Person, "lily", by="sarah")

    def gemel(*words: str, by: str = "sarah", code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--store", store, "--as", by])
        assert done.exit_code == code or (code and isinstance(done.exception, GemelError)), done.output
        return done.output

    gemel("join", "lily", "dr-lee", "--role", "doctor")
    assert "dr-lee               Doctor" in gemel("team", "lily")
    said = gemel(
        "propose-plan",
        "lily",
        "--set",
        "ratio=12",
        "--note",
        "school=juice",
        "--purpose",
        "care",
        "--json",
        by="dr-lee",
    )
    change = str(json.loads(said)["change"])
    assert f"open {change}" in gemel("plan", "lily")
    gemel("decide-plan", "lily", change)
    assert "Carbohydrate ratio         12 g/U" in gemel("plan", "lily")
    gemel("review", "lily", "steady nights", "--purpose", "care", by="dr-lee")
    assert "dr-lee: steady nights" in gemel("plan", "lily")
    gemel("propose-plan", "lily", "--set", "ratio", code=2)
    assert "left" in gemel("leave", "lily", "dr-lee")


def test_the_command_line_says_whom_a_hand_over_leaves_with_nothing(tmp_path: Path) -> None:
    """The answer names who sees and is told nothing from then on; afterwards each rule that tells nobody is marked."""
    store = str(tmp_path / "store")
    with Bank.open(store) as bank:
        bank.create(Person, "lily", by="sarah")

    def gemel(*words: str, by: str = "sarah") -> str:
        done = CliRunner().invoke(app, [*words, "--store", store, "--as", by])
        assert done.exit_code == 0, done.output
        return done.output

    gemel("join", "lily", "dr-lee", "--role", "doctor")
    assert "tells nobody" not in gemel("alerting", "lily")
    said = gemel("hand-over", "lily", "2020-01-01T00:00:00Z")
    assert "from then on sarah, dr-lee see nothing, send nothing and are told nothing" in said
    assert "dr-lee" not in gemel("team", "lily", by="lily")
    assert "tells nobody: dr-lee may not read alerts" in gemel("alerting", "lily", by="lily")
