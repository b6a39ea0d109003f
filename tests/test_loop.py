"""The loop with a fake clock: forecasts, proposals, actions and outcomes, and what it does when things fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.bank import Bank, Proposal, Twin
from gemel.bank.why import told, walk
from gemel.dynamics import Dose
from gemel.errors import GemelError, Refused, Unavailable
from gemel.facts import HOUR, MINUTE, Draft, Fact, Time
from gemel.intervention import Intervention, Situation
from gemel.loop import Agent, Loop, Outbox
from gemel.loop.hindsight import look_back
from gemel.loop.outbox import PATIENCE
from gemel.packs.diabetes import Person, meal
from gemel.server.feed import belief_view
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock, ListSource, MemorySink, broken
from gemel.thread import Appended, MemoryThread, Thread
from gemel.twintype import Autonomy

START: Time = 1_795_154_400_000
SMALL = replace(Person, members=16)
TYPES = {SMALL.name: SMALL}
CARE = "care"


def item(name: str, value: float, at: Time, unit: str = "") -> Item:
    """Return one item, in the type's own unit if none is given."""
    return Item(name, float(value), unit or SMALL.port(name).unit, at, None, Place("test"))


def glucose(first: Time, last: Time, level: float = 120.0) -> list[Item]:
    """Return a quiet sensor's readings, every five minutes."""
    return [
        item("glucose", round(level + 8 * float(np.sin(at / HOUR))), at) for at in range(first, last + 1, 5 * MINUTE)
    ]


class World:
    """A twin with two hours of past, a sink, a clock, and a loop that only moves when told to."""

    def __init__(
        self, agents: Sequence[Agent] = (), thread: Thread | None = None, clock: FakeClock | None = None
    ) -> None:
        self.clock = clock or FakeClock(START)
        self.thread = thread or MemoryThread()
        self.bank = Bank(self.thread, self.clock, TYPES)
        self.sink = MemorySink()
        self.ticks = FakeClock(0)
        self.loop = Loop(self.bank, agents, Outbox(self.bank, lambda: float(self.ticks()), (1.0, 60.0)))
        self.thread.subscribe(self.loop.notice)
        fresh = "lily" not in self.bank
        self.lily = self.bank.create(SMALL, "lily", by="sarah") if fresh else self.find("sarah", "self-management")
        self.lily.act_through(self.sink)
        if fresh:
            self.lily.record([item("basal", 0.5, START - 2 * HOUR), *glucose(START - 2 * HOUR, START)])

    def again(self, agents: Sequence[Agent] = ()) -> World:
        """Return the world after a crash: all that was not durable is gone."""
        return World(agents, self.thread, self.clock)

    def find(self, by: str, purpose: str) -> Twin:
        """Return Lily's twin as somebody sees it."""
        return self.bank.find("lily", by=by, purpose=purpose)

    def turn(self) -> None:
        """Let the loop do what is due."""
        asyncio.run(self.loop.turn())

    def flush(self) -> int:
        """Send what is due."""
        return asyncio.run(self.loop.outbox.flush("lily"))

    def live(self, length: Time, level: float = 120.0) -> None:
        """Let time pass with a reading every five minutes."""
        until = self.clock() + length
        while self.clock() < until:
            self.lily.record(glucose(self.clock.pass_time(5 * MINUTE), self.clock(), level))
            self.turn()

    def facts(self, *kinds: str) -> list[Fact]:
        """Return Lily's facts of some kinds."""
        return list(self.thread.read("lily", kinds=kinds))

    def active(self) -> set[str]:
        """Return the names of active alerts."""
        return {str(f.body["name"]) for f in self.bank.alerts("lily") if f.body["active"]}

    def proposed(self, rate: float = 0.3) -> Proposal:
        """Return an open proposal of a temporary basal rate."""
        return self.lily.propose(temporary(rate, self.clock()), "to see")

    def approved(self, rate: float = 0.3) -> Proposal:
        """Return an approved one."""
        return self.lily.decide(self.proposed(rate).seq, approve=True)


def temporary(rate: float, now: Time) -> Intervention:
    """Return a basal segment of half an hour."""
    return Intervention(f"basal {rate:g}", (Dose("basal", rate, now), Dose("basal", 0.5, now + 30 * MINUTE)))


def adviser(autonomy: Autonomy = Autonomy.APPROVE) -> Agent:
    """Return an agent that always wants the same."""

    def advise(situation: Situation) -> list[tuple[Intervention, str]]:
        return [(temporary(0.3, situation.now), "always")]

    return Agent("adviser", advise, autonomy)


def granted(world: World, **more: str) -> World:
    """Return *world* with the agent's grants."""
    world.lily.grant(to="agent:adviser", purpose=CARE, read="*", propose="basal", **more)
    return world


# forecasts


def test_a_reading_leads_to_a_forecast_that_names_its_grounds() -> None:
    """`why` leads from the forecast to readings and doses."""
    world = World()
    world.turn()
    [forecast] = world.facts("forecast/1")
    kinds = {world.thread.get(seq).kind for seq in forecast.cause}
    assert kinds == {"observed/1", "acted/1"}
    assert "Basal 0.5 U/h" in told(walk(world.lily, forecast.seq))


def test_a_turn_without_news_writes_nothing() -> None:
    """Time alone does not flood the thread."""
    world = World()
    world.turn()
    before = len(world.facts("forecast/1", "alert/1", "outcome/1", "proposed/1"))
    world.turn()
    assert len(world.facts("forecast/1", "alert/1", "outcome/1", "proposed/1")) == before


def test_forecasts_are_scored_when_the_truth_comes() -> None:
    """Each horizon once per reading, and each outcome follows from the reading and the forecast."""
    world = World()
    world.turn()
    world.live(65 * MINUTE)
    last = world.facts("outcome/1")[-1]
    assert [row["horizon"] for row in last.body["horizons"]] == [30, 60]
    assert {world.thread.get(seq).kind for seq in last.cause} == {"observed/1", "forecast/1"}


def test_other_signals_do_not_bring_a_forecast() -> None:
    """A heart rate that the model does not use changes no forecast."""
    world = World()
    world.turn()
    world.lily.record([item("heart_rate", 80, START + MINUTE)])
    world.turn()
    assert len(world.facts("forecast/1")) == 1


def test_what_came_before_a_crash_is_caught_up_with() -> None:
    """A reading that was stored, and whose forecast was not, gets one from the next loop."""
    world = World()
    world.turn()
    world.clock.pass_time(5 * MINUTE)
    world.lily.record(glucose(world.clock(), world.clock()))
    after = world.again()
    after.turn()
    assert after.facts("forecast/1")[-1].true_at == world.clock()


def test_looking_back_uses_only_what_was_known() -> None:
    """A forecast worked out afterwards is the one that was made then."""
    live, late = World(), World()
    live.turn()
    [then] = live.facts("forecast/1")
    late.clock.pass_time(HOUR)
    late.lily.record(glucose(START + 5 * MINUTE, START + HOUR, 200.0))
    look_back(late.bank, "lily", START, START + 1)
    [afterwards] = late.facts("forecast/1")
    assert afterwards.body["quantiles"] == then.body["quantiles"]
    assert late.facts("outcome/1")


# what fails


def test_a_stale_sensor_is_told_and_agents_pause_until_it_speaks() -> None:
    """No forecast is made up while the sensor is silent."""
    world = granted(World([adviser()]))
    world.clock.pass_time(40 * MINUTE)
    world.turn()
    assert world.active() == {"stale:glucose"}
    assert "no glucose reading for 40 min" in str(world.loop.fallback("lily"))
    assert world.facts("forecast/1", "proposed/1") == []
    world.live(5 * MINUTE)
    assert world.active() == set()
    assert world.loop.fallback("lily") is None
    assert len(world.facts("proposed/1")) == 1


def test_a_late_reading_does_not_end_the_silence() -> None:
    """What is an hour old says nothing about now."""
    world = World()
    world.clock.pass_time(2 * HOUR)
    world.lily.record([item("glucose", 130, START + 5 * MINUTE)])
    world.turn()
    assert world.active() == {"stale:glucose"}
    assert world.facts("forecast/1") == []


def test_a_filter_that_lost_its_twin_falls_back() -> None:
    """Readings that leap between extremes are not forecast from."""
    world = granted(World([adviser()]))
    world.turn()
    for i in range(14):
        at = world.clock.pass_time(5 * MINUTE)
        world.lily.record([item("glucose", (45, 390)[i % 2], at)])
        world.turn()
    assert "diverged" in world.active()
    made = len(world.facts("forecast/1"))
    world.lily.record([item("glucose", 45, world.clock.pass_time(5 * MINUTE))])
    world.turn()
    assert len(world.facts("forecast/1")) == made


class FullDisk(MemoryThread):
    """Takes nothing while `full`."""

    full = False

    def append(self, drafts: Sequence[Draft], now: Time) -> Appended:
        """Append, unless the disk is full."""
        if self.full:
            raise Unavailable("the disk is full")
        return super().append(drafts, now)


def test_a_full_disk_is_said_where_it_can_be_and_mended_without_loss() -> None:
    """The loop goes on, and the reading it could not work on is worked on later."""
    thread = FullDisk()
    world = World(thread=thread)
    thread.full = True
    world.turn()
    assert world.loop.troubles == {"lily": "the disk is full"}
    assert "the disk is full" in str(world.loop.fallback("lily"))
    thread.full = False
    world.turn()
    assert world.loop.troubles == {}
    assert len(world.facts("forecast/1")) == 1


def test_an_agent_that_fails_is_told_of_and_stops_nobody_else() -> None:
    """Its error is an alert; the other agent's proposal is there."""

    def fail(_: Situation) -> list[tuple[Intervention, str]]:
        raise ZeroDivisionError("of its own making")

    world = granted(World([Agent("broken", fail), adviser()]))
    world.lily.grant(to="agent:broken", purpose=CARE, read="*")
    world.turn()
    assert "agent:broken" in world.active()
    assert len(world.facts("proposed/1")) == 1


# order and repetition


MIXED = [
    *glucose(START, START + 25 * MINUTE),
    item("carbs", 20, START + 7 * MINUTE),
    item("basal", 0.8, START + 12 * MINUTE),
]


def digest(batches: Sequence[Sequence[Item]]) -> str:
    """Return the belief's digest when *batches* come one after the other, each followed by a look at the belief."""
    world = World(clock=FakeClock(START + HOUR))
    for batch in batches:
        world.lily.record(batch)
        world.bank.followed("lily")
    return belief_view(world.bank.followed("lily")[-1]).digest


IN_ORDER: list[str] = []


@given(st.permutations(MIXED), st.lists(st.integers(0, len(MIXED)), max_size=3))
@settings(max_examples=15)
def test_the_order_of_arrival_does_not_matter(arrived: list[Item], cuts: list[int]) -> None:
    """Late, early or in batches: the belief is the same, bit by bit."""
    if not IN_ORDER:
        IN_ORDER.append(digest([MIXED]))
    edges = [0, *sorted(cuts), len(arrived)]
    batches = [arrived[a:b] for a, b in pairwise(edges)]
    assert digest(batches) == IN_ORDER[0]


def test_what_is_delivered_again_changes_nothing() -> None:
    """Neither facts nor belief nor forecasts."""
    world = World()
    world.turn()
    size, before = len(world.facts("observed/1")), belief_view(world.lily.belief()).digest
    assert world.loop.take("lily", glucose(START - HOUR, START), "sarah", "self-management") == (0, 13)
    world.turn()
    assert (len(world.facts("observed/1")), belief_view(world.lily.belief()).digest) == (size, before)
    assert len(world.facts("forecast/1")) == 1


# forks and refusals


def test_a_fork_sends_nothing_and_leaves_the_trunk_as_it_was() -> None:
    """What is supposed of a copy happens to nobody."""
    world = World()
    before = belief_view(world.lily.belief()).digest
    world.lily.fork("lunch").suppose(meal(60)).run("glucose", 2.0)
    world.flush()
    assert (world.sink.sent, belief_view(world.lily.belief()).digest) == ([], before)


def test_what_a_guard_refuses_is_on_record_and_is_not_sent() -> None:
    """Fifty units at once."""
    world = World()
    proposal = world.lily.propose(Intervention("much", (Dose("bolus", 45.0, START),)), "why not")
    world.flush()
    assert proposal.status == "refused"
    assert [f.body["verdict"] for f in world.facts("decided/1")] == ["refused"]
    assert world.sink.sent == []


def test_on_the_way_to_a_low_insulin_may_be_paused_and_not_raised() -> None:
    """Even if the rate that follows the pause is the usual one rounded up."""
    world = World()
    for value in range(120, 70, -7):
        world.lily.record([item("glucose", value, world.clock.pass_time(5 * MINUTE))])
    now = world.clock()
    pause = Intervention("pause", (Dose("basal", 0.0, now), Dose("basal", 0.51, now + 30 * MINUTE)))
    assert world.lily.propose(pause, "falling").status == "open"
    assert world.proposed(1.2).reason.startswith("predicted low")


def test_a_rejected_proposal_is_not_sent() -> None:
    """A person's no is enough."""
    world = World()
    world.lily.decide(world.proposed().seq, approve=False, note="not now")
    world.flush()
    assert world.sink.sent == []


def test_of_two_who_decide_the_second_is_refused() -> None:
    """Once decided, it stays so."""
    world = World()
    seq = world.approved().seq
    with pytest.raises(Refused, match="approved"):
        world.lily.decide(seq, approve=False)


def test_a_proposal_expires() -> None:
    """Nobody decided in time; then nobody can."""
    world = World()
    seq = world.proposed().seq
    world.clock.pass_time(31 * MINUTE)
    assert world.bank.proposal("lily", seq).status == "expired"
    with pytest.raises(Refused, match="expired"):
        world.lily.decide(seq, approve=True)


def test_what_is_approved_late_begins_late() -> None:
    """Half an hour of another rate is half an hour, from the approval on."""
    world = World()
    seq = world.proposed().seq
    world.live(10 * MINUTE)
    world.lily.decide(seq, approve=True)
    world.flush()
    [(_, message)] = world.sink.sent
    assert [dose["at"] - world.clock() for dose in message["doses"]] == [0, 30 * MINUTE]


# sending


def test_an_approved_action_is_written_then_sent_once_then_delivered() -> None:
    """In that order on record, under a key that names the proposal."""
    world = World()
    seq = world.approved().seq
    assert (world.flush(), world.flush()) == (1, 0)
    assert world.sink.keys == [f"lily/{seq}"]
    kinds = [f.kind for f in world.facts("proposed/1", "decided/1", "sent/1", "delivered/1")]
    assert kinds == ["proposed/1", "decided/1", "sent/1", "delivered/1"]


def die() -> None:
    """Crash, as a kill does: nothing after it runs."""
    raise KeyboardInterrupt


def crashed(world: World) -> None:
    """Flush, and crash in it."""
    with pytest.raises(KeyboardInterrupt):
        world.flush()


def test_a_crash_between_writing_and_sending_sends_once() -> None:
    """The next process finds what was written, and sends it."""
    world = World()
    world.sink.before = [die]
    seq = world.approved().seq
    crashed(world)
    after = world.again()
    assert after.flush() == 1
    assert (world.sink.keys, after.sink.keys) == ([], [f"lily/{seq}"])
    assert len(after.facts("sent/1")) == 1


def test_a_crash_after_sending_sends_again_under_the_same_key() -> None:
    """At least once; the other side knows the repeat by its key."""
    world = World()
    seq = world.approved().seq
    send = world.sink.send

    async def send_and_die(message: Any, key: str) -> None:
        await send(message, key)
        die()

    world.sink.send = send_and_die  # type: ignore[method-assign]
    crashed(world)
    after = world.again()
    after.flush()
    assert [*world.sink.keys, *after.sink.keys] == [f"lily/{seq}"] * 2
    assert after.bank.proposal("lily", seq).status == "delivered"


def test_a_sink_that_fails_is_tried_again_later_and_later() -> None:
    """After one second, then two; until then it is left alone, and an alert says so."""
    world = World()
    world.turn()
    world.sink.before = [broken, broken]
    world.approved()
    assert world.flush() == 0
    world.turn()
    assert "sink" in world.active()
    assert world.flush() == 0
    assert len(world.sink.before) == 1
    world.ticks.pass_time(1)
    world.flush()
    world.ticks.pass_time(1)
    assert world.flush() == 0
    world.ticks.pass_time(1)
    assert world.flush() == 1
    world.turn()
    assert "sink" not in world.active()
    assert len(world.facts("sent/1")) == 1


def test_what_could_not_be_sent_in_time_is_given_up_and_never_sent_late() -> None:
    """A late dose is another dose."""
    world = World()
    world.sink.before = [broken] * 9
    seq = world.approved().seq
    world.flush()
    world.clock.pass_time(PATIENCE + 1)
    world.ticks.pass_time(100)
    assert world.flush() == 0
    proposal = world.bank.proposal("lily", seq)
    assert (proposal.status, world.sink.sent) == ("failed", [])
    assert "nobody there" in proposal.reason


def test_consent_withdrawn_before_sending_stops_the_action() -> None:
    """Dr Lee approved; then Sarah took the grant back."""
    world = World()
    grants = world.lily.grant(to="dr-lee", purpose=CARE, read="*", propose="basal", act="basal")
    world.find("dr-lee", CARE).decide(world.proposed().seq, approve=True)
    for grant in grants:
        world.lily.revoke(grant.id)
    world.flush()
    assert world.sink.sent == []
    assert world.bank.proposals("lily")[-1].status == "failed"


# agents


def test_an_agent_without_a_grant_proposes_nothing() -> None:
    """It may not even look."""
    world = World([adviser()])
    world.turn()
    assert world.facts("proposed/1") == []


def test_an_agent_has_one_open_proposal_and_rests_after_a_no() -> None:
    """Advice does not flood."""
    world = granted(World([adviser()]))
    world.turn()
    world.live(15 * MINUTE)
    assert len(world.facts("proposed/1")) == 1
    world.lily.decide(world.bank.proposals("lily")[0].seq, approve=False)
    world.live(10 * MINUTE)
    assert len(world.facts("proposed/1")) == 1
    world.live(10 * MINUTE)
    assert len(world.facts("proposed/1")) == 2


def test_an_agent_that_may_act_acts_within_its_grant() -> None:
    """Proposal, decision by the agent, delivery."""
    world = granted(World([adviser(Autonomy.ACT)]), act="basal")
    world.turn()
    world.flush()
    assert [f.by for f in world.facts("decided/1")] == ["agent:adviser"]
    assert len(world.sink.sent) == 1


def test_what_an_agent_recommends_cannot_be_approved() -> None:
    """Advice is shown and kept, and never reaches the asset, whoever tries."""
    world = granted(World([adviser(Autonomy.RECOMMEND)]))
    world.turn()
    seq = world.facts("proposed/1")[0].seq
    with pytest.raises(Refused, match="is advice"):
        world.lily.decide(seq, approve=True)
    world.flush()
    assert world.sink.sent == []


def test_an_agent_that_may_only_propose_does_not_act() -> None:
    """Autonomy without consent opens nothing; the refusal is on record."""
    world = granted(World([adviser(Autonomy.ACT)]))
    world.turn()
    world.flush()
    assert world.sink.sent == []
    assert any(not f.body["allowed"] and f.body["verb"] == "act" for f in world.facts("accessed/1"))


# outcomes


def test_an_action_gets_an_outcome_against_the_run_without_it() -> None:
    """Two hours after carbohydrate that somebody advised, glucose is higher than it would have been."""
    world = World()
    snack = Intervention("40 g", (Dose("carbs", 40.0, START),))
    seq = world.lily.decide(world.lily.propose(snack, "to see").seq, approve=True).seq
    world.flush()
    world.lily.record([item("carbs", 40.0, START + MINUTE)])
    world.live(130 * MINUTE, 150.0)
    [outcome] = [f for f in world.facts("outcome/1") if "proposal" in f.body]
    assert (outcome.body["proposal"], outcome.body["doses_reported"]) == (seq, 1)
    assert outcome.body["difference"] > 0
    assert outcome.body["difference_80"][0] <= outcome.body["difference"] <= outcome.body["difference_80"][1]
    expected = outcome.body["happened"] - outcome.body["difference"]
    assert outcome.body["nothing_done"] == pytest.approx(expected)
    assert "proposed/1" in {f.kind for f in _chain(world, outcome)}


def _chain(world: World, fact: Fact) -> list[Fact]:
    causes = [world.thread.get(seq) for seq in fact.cause]
    return [fact, *(found for cause in causes for found in _chain(world, cause))]


# streams, in a loop that really runs


def run_until(world: World, done: Any) -> None:
    """Run the loop until *done()* after some fact."""

    async def main() -> None:
        stop = asyncio.Event()
        home = asyncio.get_running_loop()

        def heard(_: Sequence[Fact]) -> None:
            if done():
                home.call_soon_threadsafe(stop.set)

        quiet = world.thread.subscribe(heard)
        async with asyncio.timeout(60):
            await world.loop.run(stop, every_s=60.0)
        quiet()

    asyncio.run(main())


def test_a_stream_is_written_and_foreseen() -> None:
    """From an item to a forecast, with no turn asked for."""
    world = World()
    world.clock.pass_time(5 * MINUTE)
    world.lily.listen(ListSource(glucose(world.clock(), world.clock())))
    run_until(world, lambda: any(f.true_at == world.clock() for f in world.facts("forecast/1")))


def test_a_wrong_item_is_told_and_the_stream_goes_on() -> None:
    """The reading after it is written."""
    world = World()
    good = item("glucose", 130, START + 5 * MINUTE)
    world.clock.pass_time(5 * MINUTE)
    world.lily.listen(ListSource([item("glucose", 5000, START), good]))
    run_until(world, lambda: [f for f in world.facts("alert/1") if not f.body["active"]])
    assert world.facts("observed/1")[-1].body["value"] == 130
    assert any("could not be used" in f.body["text"] for f in world.facts("alert/1"))


def test_a_broken_connection_is_told() -> None:
    """As an alert that names the broker."""
    world = World()
    problem: GemelError = Unavailable("mqtt://localhost: gone")
    world.lily.listen(ListSource([problem, item("glucose", 130, START)]))
    run_until(world, lambda: any(f.body["name"].startswith("stream:") for f in world.facts("alert/1")))
    assert world.active() == {"stream:list"}


def test_an_approved_action_is_sent_by_the_running_loop() -> None:
    """The decision wakes the outbox."""
    world = World()
    world.approved()
    run_until(world, lambda: world.facts("delivered/1"))
    assert len(world.sink.sent) == 1
