"""Who is told of alerts: rules, escalation, quiet hours, and what ends them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Works
from typer.testing import CliRunner

from gemel.bank import Bank, alerting
from gemel.cli.main import app
from gemel.errors import BadInput, GemelError, NotFound, Refused
from gemel.facts import DAY, HOUR, MINUTE, Draft, Fact, Time
from gemel.loop import Loop
from gemel.packs.diabetes import Person
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

MONDAY: Time = 20_602 * DAY  # 2026-05-29 is a Friday; see `test_the_week_is_as_the_calendar_says`
SMALL = replace(Person, members=8)
SCHOOL = "08:00-15:00 UTC Mon-Fri"
NIGHT = "21:00-07:00 UTC"


class House:
    """Lily's twin with her mother's keys, a clock, and a loop that turns when asked."""

    def __init__(self, at: Time) -> None:
        self.clock = FakeClock(at)
        self.bank = Bank(MemoryThread(), self.clock, {SMALL.name: SMALL})
        self.lily = self.bank.create(SMALL, "lily", by="sarah")
        self.loop = Loop(self.bank, [])

    def alert(self, text: str = "glucose is 60 mg/dL", severity: str = "urgent", active: bool = True) -> Fact:
        body = {"name": "low", "severity": severity, "text": text, "active": active}
        fact = self.bank.append([Draft("lily", "alert/1", body, self.clock(), "loop:alarms")]).facts[0]
        self.turn()
        return fact

    def turn(self, minutes: float = 0) -> list[str]:
        self.clock.now += round(minutes * MINUTE)
        before = len(self.told())
        self.loop.attend("lily", [])
        return [("over:" if one.over else "") + one.to for one in self.told()[before:]]

    def told(self) -> tuple[alerting.Notice, ...]:
        return self.bank.told("lily").notices

    def as_seen(self, actor: str) -> Any:
        return self.bank.find("lily", by=actor, purpose="care")


def house(hour: float = 10, **rules: dict[str, Any]) -> House:
    made = House(MONDAY + 3 * DAY + round(hour * HOUR))
    for to, rule in rules.items():
        if to != "sarah":
            made.lily.grant(to=to, purpose="care", read="alerts")
        made.lily.alert_to(to, **rule)
    return made


def names(house: House) -> list[str]:
    return [one.to for one in house.told() if not one.over]


def test_whoever_a_rule_names_is_told_once_and_told_again_only_if_asked_for() -> None:
    one = house(sarah={"severity": "warning"}, tom={"severity": "warning", "again": "15 min"})
    one.alert()
    assert names(one) == ["sarah", "tom"]
    assert one.turn(14) == []
    assert one.turn(1) == ["tom"]


def test_the_next_in_line_is_told_only_where_nobody_took_care_of_it() -> None:
    quiet, taken = (house(sarah={}, doctor={"after": "20 min"}) for _ in range(2))
    quiet.alert()
    assert quiet.turn(20) == ["doctor"]
    taken.lily.acknowledge(taken.alert().seq, "has had juice")
    assert taken.turn(60) == []
    assert taken.told()[0].acknowledged_by == "sarah" and taken.told()[0].note == "has had juice"


def test_an_alert_that_grows_worse_after_it_was_acknowledged_is_told_again() -> None:
    one = house(sarah={})
    one.lily.acknowledge(one.alert(severity="warning").seq)
    one.alert(severity="urgent")
    assert names(one) == ["sarah", "sarah"]


def test_an_alert_that_only_grew_worse_is_not_said_to_be_over_and_one_that_ended_is_said_so_once() -> None:
    one = house(sarah={})
    one.alert(severity="warning")
    one.alert(severity="urgent")
    assert [notice.over for notice in one.told()] == [False, False]
    one.alert(active=False)
    assert one.turn(5) == [] and [notice.over for notice in one.told()] == [False, False, True]


def test_who_was_told_hears_that_it_is_over_and_nobody_else() -> None:
    one = house(sarah={}, doctor={"after": "30 min"})
    one.alert()
    one.alert(active=False)
    assert one.turn(60) == [] and [n.to for n in one.told() if n.over] == ["sarah"]


def test_quiet_hours_hold_back_what_is_not_urgent_until_the_morning() -> None:
    mild, grave = (house(22, sarah={"quiet": NIGHT}) for _ in range(2))
    mild.alert(severity="warning")
    grave.alert(severity="urgent")
    assert names(mild) == [] and names(grave) == ["sarah"]
    assert mild.turn(8 * 60 + 59) == [] and mild.turn(1) == ["sarah"]


def test_the_school_nurse_is_told_from_8_to_15_and_sees_nothing_but_alerts() -> None:
    one = House(MONDAY + 3 * DAY + 7 * HOUR)
    one.lily.grant(to="nurse", purpose="care", read="alerts", hours=SCHOOL)
    one.lily.alert_to("nurse", hours=SCHOOL)
    one.alert()
    assert names(one) == []
    assert one.turn(60) == ["nurse"]
    seen = one.as_seen("nurse")
    assert [fact.body["name"] for fact in seen.alerts() if fact.body["active"]] == ["low"]
    with pytest.raises(Refused):
        seen.readings("glucose")
    one.turn(8 * 60)
    with pytest.raises(Refused):
        one.as_seen("nurse")


def test_the_week_is_as_the_calendar_says() -> None:
    assert datetime.fromtimestamp((MONDAY + 3 * DAY) / 1000, UTC).strftime("%a") == "Mon"


def test_nobody_is_told_what_they_may_not_read_however_the_rules_stand() -> None:
    one = house(tom={})
    for grant in one.bank.grants("lily"):
        one.lily.revoke(grant.id)
    one.alert()
    assert names(one) == []
    with pytest.raises(Refused, match="grant that first"):
        one.lily.alert_to("stranger")


def test_after_the_hand_over_a_rule_that_tells_nobody_is_known_as_such_and_none_is_made_anew() -> None:
    one = house(tom={}, sarah={})
    one.lily.hand_over(one.clock.now + DAY)
    assert [alerting.heard(one.lily, rule) for rule in one.lily.alert_rules()] == [True, True]
    one.clock.now += 2 * DAY
    own = one.as_seen("lily")
    assert [alerting.heard(own, rule) for rule in own.alert_rules()] == [False, False]
    with pytest.raises(Refused, match="grant that first"):
        own.alert_to("tom", severity="info")
    own.grant(to="tom", purpose="care", read="alerts")
    assert [alerting.heard(own, rule) for rule in own.alert_rules()] == [True, False]


def test_only_who_holds_the_keys_says_who_is_told() -> None:
    one = house(tom={})
    with pytest.raises(Refused):
        one.as_seen("tom").alert_to("tom", severity="info")
    rule = one.lily.alert_rules()[0]
    one.lily.stop_alerting(rule.id)
    one.alert()
    assert names(one) == []
    with pytest.raises(NotFound, match="unknown rule"):
        one.lily.stop_alerting("none")


def test_a_changed_rule_takes_the_place_of_the_old_one_and_both_stay_on_record() -> None:
    one = house(sarah={"severity": "warning"}, tom={})
    first, second = one.lily.alert_rules()
    made = one.lily.change_alerting(first.id, replace(first, quiet=NIGHT, id=""))
    assert one.lily.alert_rules() == (made, second) and made.quiet == NIGHT and made.id != first.id
    said = [
        fact for fact in one.bank.thread.read("lily", kinds=[alerting.ALERTING]) if fact.body["rule"]["to"] == "sarah"
    ]
    assert [fact.body["rule"]["quiet"] for fact in said] == [None, NIGHT]
    assert said[1].cause == (said[0].seq,) and one.bank.told("lily").said[made.id] == said[1]
    with pytest.raises(NotFound, match="unknown rule"):
        one.lily.change_alerting(first.id, replace(first, after=MINUTE, id=""))


def test_a_changed_rule_tells_nobody_anew_of_what_they_were_told() -> None:
    one = house(sarah={})
    one.alert()
    rule = one.lily.alert_rules()[0]
    one.lily.change_alerting(rule.id, replace(rule, severity="info", id=""))
    assert one.turn(5) == [] and names(one) == ["sarah"]


def test_a_rule_is_changed_by_who_holds_the_keys_and_only_to_who_may_be_told() -> None:
    one = house(tom={})
    rule = one.lily.alert_rules()[0]
    with pytest.raises(Refused):
        one.as_seen("tom").change_alerting(rule.id, replace(rule, severity="info", id=""))
    with pytest.raises(Refused, match="grant that first"):
        one.lily.change_alerting(rule.id, replace(rule, to="stranger", id=""))
    assert one.lily.alert_rules() == (rule,)
    assert one.lily.change_alerting(rule.id, rule) == rule


@given(
    st.lists(st.tuples(st.sampled_from(["add", "change", "stop"]), st.integers(0, 3), st.integers(0, 3)), max_size=12)
)
def test_after_any_adding_changing_and_stopping_each_rule_is_in_force_once_under_the_id_of_what_it_says(
    steps: list[tuple[str, int, int]],
) -> None:
    facts: list[Fact] = []
    for what, old, new in steps:
        rules, rule = alerting.fold(facts).rules, alerting.Rule("sarah", after=new * MINUTE)
        target = rules[old % len(rules)] if rules else None
        if what == "add" or target is None:
            facts.append(_ruling(rule, True))
        elif what == "stop":
            facts.append(_ruling(target, False))
            assert target not in alerting.fold(facts).rules
        elif target.id != rule.id:
            facts.append(_ruling(rule, True, replaces=target.id))
            assert target not in alerting.fold(facts).rules and rule in alerting.fold(facts).rules
    told = alerting.fold(facts)
    assert [one.id for one in told.rules] == list(told.said) and len(set(told.rules)) == len(told.rules)
    assert all(replace(one, id="").id == one.id for one in told.rules)


def _ruling(rule: alerting.Rule, active: bool, **more: str) -> Fact:
    body = {"rule": {**asdict(rule), "names": list(rule.names)}, "active": active, **more}
    return _fact(alerting.ALERTING, body, 0)


def test_an_alert_is_taken_care_of_once_by_one_who_sees_it() -> None:
    one = house(sarah={}, tom={})
    seq = one.alert().seq
    one.as_seen("tom").acknowledge(seq)
    with pytest.raises(Refused, match="acknowledged by tom"):
        one.lily.acknowledge(seq)
    with pytest.raises(NotFound):
        one.lily.acknowledge(99_999)


def test_a_child_whose_keys_others_hold_does_not_end_the_escalation_of_her_own_alert() -> None:
    one = house(sarah={}, lily={}, doctor={"after": "20 min"})
    seq = one.alert().seq
    with pytest.raises(Refused, match="somebody of the team"):
        one.as_seen("lily").acknowledge(seq)
    assert one.turn(20) == ["doctor"]


@pytest.mark.parametrize("wrong", [{"severity": "awful"}, {"quiet": "at night"}, {"again": "1 s"}, {"names": ()}])
def test_a_rule_that_means_nothing_is_refused_with_what_is_possible(wrong: dict[str, Any]) -> None:
    with pytest.raises((BadInput, NotFound)):
        house().lily.alert_to("sarah", **wrong)


@given(
    afters=st.lists(st.integers(0, 90), min_size=1, max_size=4),
    steps=st.lists(st.integers(0, 30), max_size=12),
    taken=st.none() | st.integers(0, 11),
)
def test_everybody_is_told_at_most_once_never_early_and_never_after_it_was_taken(
    afters: list[int], steps: list[int], taken: int | None
) -> None:
    rules = tuple(alerting.Rule(f"p{i}", after=after * MINUTE) for i, after in enumerate(afters))
    body = {"name": "low", "severity": "urgent", "text": "low", "active": True}
    alert = Fact("lily", "alert/1", body, 0, 0, "loop:alarms", (), 7)
    facts: list[Fact] = []
    now, heard = 0, {}
    for i, step in enumerate(steps):
        now += step * MINUTE
        if i == taken:
            facts.append(_fact(alerting.ACKNOWLEDGED, {"alert": alert.seq, "note": ""}, now))
        for rule, fact, nth in alerting.due(alerting.Told(rules, *_parts(facts)), [alert], now):
            assert rule.to not in heard and now >= rule.after and not (taken is not None and i >= taken)
            heard[rule.to] = now
            told = {
                "to": rule.to,
                "alert": fact.seq,
                "nth": nth,
                "over": False,
                **{k: body[k] for k in ("name", "severity", "text")},
            }
            facts.append(_fact(alerting.NOTIFIED, told, now))
    if taken is None or taken >= len(steps):
        assert set(heard) == {rule.to for rule in rules if steps and rule.after <= now}


def _parts(facts: list[Fact]) -> tuple[Any, Any]:
    told = alerting.fold(facts)
    return told.acknowledged, told.notices


def _fact(kind: str, body: dict[str, Any], now: Time) -> Fact:
    return Fact("lily", kind, body, now, now, "x", (), 100)


def test_the_server_shows_a_nurse_alerts_and_nothing_else_and_lets_her_take_care() -> None:
    works = Works()
    ann = works.bank.find("north", by="ann", purpose="self-management")
    ann.grant(to="eve", purpose="care", read="alerts")
    body = {"name": "leak", "severity": "urgent", "text": "the tank leaks", "active": True}
    seq = works.bank.append([Draft("north", "alert/1", body, works.clock(), "loop:alarms")]).facts[0].seq
    with works.door("ann") as door:
        rule = door.post("/api/twins/north/alerting", json={"to": "eve", "severity": "urgent", "purpose": "care"})
        assert rule.status_code == 201, rule.text
        asked = {"to": "eve", "severity": "warning", "purpose": "care", "quiet": NIGHT}
        rule = door.put(f"/api/twins/north/alerting/{rule.json()['id']}", json=asked)
        assert rule.status_code == 200, rule.text
        assert (rule.json()["severity"], rule.json()["quiet"], rule.json()["said_by"]) == ("warning", NIGHT, "ann")
        assert door.get("/api/twins/north/alerting").json() == [rule.json()]
        assert door.post("/api/twins/north/alerting", json={"to": "eve", "severity": "awful"}).status_code == 422
    works.loop.attend("north", [])
    with works.door("eve") as door:
        view = door.get("/api/twins/north/view").json()
        assert "The tank leaks" in [one["text"] for one in view["alerts"] if one["active"]]
        assert not view["signals"] and not view["readings"] and view["forecast"] is None
        told = door.get("/api/notices").json()
        assert [one["alert"] for one in told] == [seq] and told[0]["severity"] == "urgent"
        done = door.post(f"/api/twins/north/alerts/{seq}/acknowledgement", json={"note": "on my way"})
        assert done.status_code == 201 and done.json()["acknowledged_by"] == "eve"
        assert door.post("/api/twins/north/alerting", json={"to": "eve"}).status_code == 403
        assert door.put(f"/api/twins/north/alerting/{rule.json()['id']}", json={"to": "eve"}).status_code == 403
    with works.door("ann") as door:
        assert door.delete(f"/api/twins/north/alerting/{rule.json()['id']}").status_code == 204
        assert door.get("/api/twins/north/alerting").json() == []


def test_the_command_line_sets_rules_and_takes_care(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with Bank.open(store, types={SMALL.name: SMALL}) as bank:
        lily = bank.create(Person, "lily", by="sarah")
        body = {"name": "low", "severity": "urgent", "text": "glucose is 60 mg/dL", "active": True}
        seq = bank.append([Draft("lily", "alert/1", body, bank.now(), "loop:alarms")]).facts[0].seq
        assert lily.alert_rules() == ()

    def gemel(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--store", store, "--as", "sarah"], catch_exceptions=True)
        assert done.exit_code == code or (code and isinstance(done.exception, GemelError)), done.output
        return done.output

    rule = json.loads(gemel("alert-to", "lily", "--to", "sarah", "--after", "10 min", "--json"))["rule"]["id"]
    assert f"{rule}  sarah" in gemel("alerting", "lily")
    assert f"{seq}  urgent" in gemel("alerts", "lily")
    gemel("acknowledge", "lily", str(seq), "--note", "juice")
    assert "sarah takes care of it" in gemel("alerts", "lily")
    changed = json.loads(gemel("change-alerting", "lily", rule, "--quiet", NIGHT, "--json"))["rule"]
    assert (changed["after"], changed["quiet"]) == (10 * MINUTE, NIGHT)
    rule = json.loads(gemel("change-alerting", "lily", changed["id"], "--quiet", "never", "--json"))["rule"]["id"]
    assert "quiet" not in gemel("alerting", "lily") and f"{rule}  sarah" in gemel("alerting", "lily")
    gemel("stop-alerting", "lily", rule)
    assert "nobody is told" in gemel("alerting", "lily")
    assert "you were told nothing" in gemel("notices", "lily")
    gemel("stop-alerting", "lily", rule, code=2)
