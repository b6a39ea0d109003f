"""Alarms of the loop: what is measured is told whatever else is paused, and silence on either side is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from test_loop import CARE, SMALL, START, World, item, temporary

from gemel.bank import Proposal
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound
from gemel.facts import HOUR, MINUTE
from gemel.intervention import Intervention, Situation
from gemel.loop import Agent
from gemel.packs.diabetes.agents import CLOSED_LOOP
from gemel.packs.diabetes.team import ROLES
from gemel.twintype import Autonomy

SELF = "self-management"
STREAM = "stream:cgm"


def read(world: World, values: Iterable[float]) -> None:
    """Let the sensor say one value after another, every five minutes, and the loop attend to each."""
    for value in values:
        world.lily.record([item("glucose", value, world.clock.pass_time(5 * MINUTE))])
        world.turn()


def with_mum(world: World) -> World:
    """Return *world* with somebody who is told of what is urgent."""
    world.lily.grant(to="mum", purpose=SELF, read="alerts")
    world.lily.alert_to("mum", severity="urgent", purpose=SELF)
    return world


def told(world: World, who: str = "mum") -> list[str]:
    """Return what somebody was told, in order."""
    return [one.text for one in world.bank.told("lily").notices if one.to == who and not one.over]


def bolus(world: World, units: float = 2.0) -> Proposal:
    """Return a bolus that the pump was sent."""
    doses = (Dose("bolus", units, world.clock()),)
    proposal = world.lily.propose(Intervention("bolus", doses), "to see")
    world.lily.decide(proposal.seq, approve=True)
    assert world.flush() == 1
    return proposal


def waited(world: World, minutes: int) -> set[str]:
    """Return the alerts that are on after so many minutes of readings, but for those of glucose."""
    world.live(minutes * MINUTE)
    return {name for name in world.active() if name.startswith(("unreported", "silent"))}


# what is measured


def test_a_low_is_told_while_the_twin_no_longer_follows_its_readings() -> None:
    """A new sensor reads 140 too high, glucose falls: nothing is forecast, and the low is told."""
    world = with_mum(World())
    world.turn()
    read(world, (250, 252, 250, 235, 215, 190, 165, 140, 115, 92, 72))
    assert world.active() == {"diverged"}
    made = len(world.facts("forecast/1"))
    read(world, (60, 52))
    assert world.active() == {"diverged", "low", "very low"}
    assert told(world) == ["glucose is 60 mg/dL, below 70", "glucose is 52 mg/dL: treat the low now"]
    assert len(world.facts("forecast/1")) == made
    read(world, (75,))
    assert world.active() == {"diverged"}


def test_a_high_is_told_while_nobody_can_say_whether_it_lasts() -> None:
    """Without a forecast, what was measured is enough."""
    world = World()
    world.turn()
    read(world, (300,) * 2)
    assert world.active() == {"diverged", "high"}


def test_a_low_is_told_while_the_clock_stands_back() -> None:
    """The sensor's own time is ahead of this machine's, or is this machine's: the reading that came last counts."""
    world = with_mum(World())
    world.turn()
    world.clock.pass_time(-HOUR)
    world.lily.grant(to=STREAM, purpose=SELF, write="*")
    world.loop.take("lily", [item("glucose", 65, START + 5 * MINUTE)], STREAM, SELF)
    world.turn()
    assert world.active() == {"clock", "low"}
    world.lily.record([item("glucose", 45, world.clock.pass_time(20 * MINUTE))])
    world.turn()
    assert world.active() == {"clock", "low", "very low"}
    assert len(told(world)) == 2


def test_a_silent_sensor_neither_begins_nor_ends_a_low() -> None:
    """What was read long ago says nothing of now; a low that nothing newer was read of is not over."""
    world = World()
    world.turn()
    world.clock.pass_time(HOUR)
    world.lily.record([item("glucose", 60, START + 5 * MINUTE)])
    world.turn()
    assert "stale:glucose" in world.active() and "low" not in world.active()
    read(world, (60,))
    assert "low" in world.active()
    world.clock.pass_time(40 * MINUTE)
    world.lily.record([item("basal", 0.4, world.clock())])
    world.turn()
    assert {"stale:glucose", "low"} <= world.active()


def test_a_low_is_told_although_the_twin_cannot_be_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails inside is said as well."""
    world = with_mum(World())
    read(world, (110, 100, 90, 80))

    def fail(*of: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(world.bank, "forecast", fail)
    read(world, (68,))
    assert told(world) == ["glucose is 68 mg/dL, below 70"]
    assert "ArithmeticError" in world.loop.troubles["lily"]


def test_an_alarm_that_fails_is_told_and_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own alert ends when it can say something again."""
    world, broken = World(), [True]

    def faulty(situation: Situation) -> None:
        if broken:
            raise ZeroDivisionError

    alarmed = replace(SMALL, alarms={"faulty": faulty, **SMALL.alarms})
    monkeypatch.setattr(world.bank, "type_of", lambda twin, at=None: alarmed)
    read(world, (60,))
    [failed] = [fact.body["text"] for fact in world.facts("alert/1") if fact.body["name"] == "alarm:faulty"]
    assert "ZeroDivisionError" in failed
    assert "low" in world.active()
    broken.clear()
    read(world, (60,))
    assert "low" in world.active() and "alarm:faulty" not in world.active()


# what grows worse


def test_a_low_that_deepens_is_told_to_whoever_takes_care_of_the_low() -> None:
    """Below 54 is an alert of its own: acknowledging the first does not silence it."""
    world = with_mum(World())
    read(world, (76, 69))
    [low] = [fact for fact in world.bank.alerts("lily") if fact.body["name"] == "low"]
    world.find("mum", SELF).acknowledge(low.seq, "juice")
    read(world, (64, 58))
    assert told(world) == ["glucose is 69 mg/dL, below 70"]
    read(world, (53, 47, 40))
    assert told(world) == ["glucose is 69 mg/dL, below 70", "glucose is 53 mg/dL: treat the low now"]
    read(world, (58,))
    assert "low" in world.active() and "very low" not in world.active()


def test_a_low_that_deepens_does_not_begin_the_escalation_anew() -> None:
    """Who is told after 20 min is told 20 min after it began."""
    world = World()
    world.lily.grant(to="dr-lee", purpose=CARE, read="alerts")
    world.lily.alert_to("dr-lee", severity="urgent", after="20 min")
    read(world, (69, 60, 52, 50))
    assert told(world, "dr-lee") == []
    read(world, (48,))
    assert told(world, "dr-lee") == ["glucose is 69 mg/dL, below 70"]


def test_a_child_is_told_of_every_low() -> None:
    """Her role names each of the alerts."""
    [rule] = ROLES["child"].alerts
    assert set(SMALL.alarms) == set(rule["names"])


# what the asset says of itself


def test_a_dose_that_is_not_reported_back_is_told_until_it_is() -> None:
    """The broker had it, and no pump listened; each such action is an alert of its own."""
    world = World()
    first = bolus(world)
    assert waited(world, 15) == set()
    assert waited(world, 5) == {f"unreported:{first.seq}"}
    [alert] = [fact.body for fact in world.bank.alerts("lily") if fact.body["name"].startswith("unreported")]
    assert alert["severity"] == "urgent" and "Bolus 2 U" in alert["text"]
    second = bolus(world, 1.0)
    assert waited(world, 20) == {f"unreported:{first.seq}", f"unreported:{second.seq}"}
    world.lily.record([replace(item("bolus", 0.7, world.clock()), source_id=f"lily/{second.seq}#0")])
    assert waited(world, 5) == {f"unreported:{first.seq}"}
    assert waited(world, 6 * 60) == set()


def test_a_dose_that_is_reported_without_its_id_counts_by_amount_and_time() -> None:
    """Another amount, or another hour, is another dose."""
    world = World()
    sent = bolus(world)
    world.lily.record([item("bolus", 0.5, world.clock() + MINUTE), item("bolus", 2.0, world.clock() - HOUR)])
    assert waited(world, 20) == {f"unreported:{sent.seq}"}
    world.lily.record([item("bolus", 2.0, START + 3 * MINUTE)])
    assert waited(world, 5) == set()


def test_a_rate_that_stood_already_or_was_set_again_need_not_be_reported() -> None:
    """Many a pump tells of changes only; the last rate that was sent is the one to hear of."""
    world = World()
    world.approved(0.5)
    world.flush()
    assert waited(world, 20) == set()
    world.approved(0.3)
    world.flush()
    world.live(5 * MINUTE)
    last = world.approved(0.2)
    world.flush()
    assert waited(world, 20) == {f"unreported:{last.seq}"}
    world.lily.record([item("basal", 0.2, last.made_at + MINUTE)])
    assert waited(world, 5) == set()


def test_a_lever_that_is_to_be_reported_regularly_and_is_not_is_told() -> None:
    """Only where whoever connected the asset said so: most pumps tell of changes alone."""
    world = World()
    assert waited(world, 60) == set()
    world.lily.act_through(world.sink, reports={"basal": 5 * MINUTE})
    assert waited(world, 15) == set()
    assert waited(world, 5) == {"silent:basal"}
    assert world.loop.fallback("lily") is None
    world.lily.record([item("basal", 0.5, world.clock())])
    assert waited(world, 5) == set()


def test_reports_are_of_levers_that_there_are() -> None:
    """A name that the type does not know is refused, with those that it does."""
    with pytest.raises(NotFound, match="basal"):
        World().lily.act_through(World().sink, reports={"bassal": MINUTE})


# what agents do without a sensor


def careful(asked: list[int]) -> Agent:
    """Return an agent that acts as long as it is asked, and falls back to a lower rate without a sensor."""

    def fallback(situation: Situation) -> Sequence[tuple[Intervention, str]]:
        asked.append(situation.now)
        return [(temporary(0.2, situation.now), "no reading")]

    return Agent("careful", lambda situation: [], Autonomy.ACT, fallback=fallback)


def entitled(world: World, agent: Agent) -> World:
    """Return *world* with all that an agent needs to act."""
    levers = ("basal", "bolus")
    world.lily.grant(to=agent.actor, purpose=agent.purpose, read="*", propose=levers, act=levers)
    return world


def test_without_a_sensor_an_agent_falls_back_and_is_asked_every_five_minutes() -> None:
    """Consent, guards and the outbox are the same."""
    asked: list[int] = []
    agent = careful(asked)
    world = entitled(World([agent]), agent)
    world.turn()
    for _ in range(20):
        world.clock.pass_time(MINUTE)
        world.turn()
        world.flush()
    assert asked == [START + 17 * MINUTE]
    assert [message["doses"][0]["value"] for _, message in world.sink.sent] == [0.2]
    for _ in range(5):
        world.clock.pass_time(MINUTE)
        world.turn()
    assert asked == [START + 17 * MINUTE, START + 22 * MINUTE]


def test_an_agent_does_not_fall_back_where_more_than_a_sensor_is_the_matter() -> None:
    """A twin that is lost, or a clock that stands back, is nothing to act on."""
    asked: list[int] = []
    agent = careful(asked)
    world = entitled(World([agent]), agent)
    world.turn()
    read(world, (45, 390) * 6)
    world.clock.pass_time(30 * MINUTE)
    world.turn()
    assert {"diverged", "stale:glucose"} <= world.active() and asked == []


def test_a_sensor_that_falls_silent_on_the_way_down_stops_the_basal_of_the_closed_loop() -> None:
    """What docs/control.md says happens in the live loop; where the profile runs already, nothing is asked for."""
    world = entitled(World([CLOSED_LOOP]), CLOSED_LOOP)
    falling = (130, 128, 120, 112, 104, 96, 88)
    world.lily.record([item("glucose", value, world.clock.pass_time(5 * MINUTE)) for value in falling])
    world.clock.pass_time(17 * MINUTE)
    world.turn()
    assert [(p.intervention.doses[0].amount, p.status) for p in world.bank.proposals("lily")] == [(0.0, "approved")]
    world.flush()
    world.lily.record([item("basal", 0.0, world.clock()), item("basal", 0.5, world.clock.pass_time(30 * MINUTE))])
    world.clock.pass_time(9 * HOUR)
    world.turn()
    assert len(world.bank.proposals("lily")) == 1
    assert world.active() == {"stale:glucose"}


def test_a_raised_basal_ends_when_the_sensor_falls_silent() -> None:
    """The profile goes on, and the guard lets that pass."""
    world = entitled(World([CLOSED_LOOP]), CLOSED_LOOP)
    world.lily.record([item("basal", 1.2, START)])
    world.clock.pass_time(17 * MINUTE)
    world.turn()
    [proposal] = world.bank.proposals("lily")
    assert proposal.status == "approved"
    assert float(proposal.intervention.doses[0].amount) == pytest.approx(0.6, abs=0.15)


# what is dated later


def test_a_live_reading_that_is_dated_hours_ahead_is_refused() -> None:
    """Food that is planned may be; a device's clock may be fast by minutes."""
    world = World()
    world.lily.grant(to=STREAM, purpose=SELF, write="*")
    with pytest.raises(BadInput, match="1380 min ahead of this machine's clock"):
        world.loop.take("lily", [item("glucose", 150, START + 23 * HOUR)], STREAM, SELF)
    assert world.loop.take("lily", [item("carbs", 20, START + HOUR)], STREAM, SELF) == (1, 0)
    assert world.loop.take("lily", [item("glucose", 60, START + 5 * MINUTE)], STREAM, SELF) == (1, 0)
    world.turn()
    assert "low" in world.active()


def test_a_reading_dated_later_does_not_hide_that_the_sensor_is_silent() -> None:
    """It may have come with a file; nor does it keep the twin from noticing that it is lost."""
    world = World()
    world.lily.record([item("glucose", 150, START + 23 * HOUR)])
    world.turn()
    world.clock.pass_time(17 * MINUTE)
    world.turn()
    assert world.active() == {"stale:glucose"}
    assert "no glucose reading for 17 min" in str(world.loop.fallback("lily"))
    read(world, (45, 390) * 7)
    assert "diverged" in world.active()
