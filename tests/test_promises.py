"""The promises of the design that concern thread, bank and consent, each a property, on SQLite and PostgreSQL.

Three have tests of their own: killed anywhere (test_crash, test_kill), any changed byte (test_thread_tampering,
test_thread_postgres), decisions as an independent model makes them (test_consent_bank).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import NewStore
from tank import BORN, Tank

from gemel.bank import Bank, Twin
from gemel.dynamics import Dose
from gemel.errors import NotFound, Refused
from gemel.facts import HOUR, MINUTE, Fact, Time
from gemel.intervention import Intervention, Scenario, Situation
from gemel.loop import Agent, Loop, Outbox
from gemel.server.feed import belief_view
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock, MemorySink
from gemel.thread import checkpoint_holds, inclusion_holds
from gemel.twintype import Autonomy

few = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NOW: Time = BORN + 2 * HOUR


def cap(intervention: Intervention, situation: Situation) -> str | None:
    """Return an objection to more than 5 L/min."""
    return next((f"{d.amount:g} is more than 5" for d in intervention.doses if float(d.amount) > 5), None)


GUARDED = replace(Tank, guards={"cap": cap})

Told = tuple[str, float, Time]
PAST: Sequence[Told] = [
    ("tap", 1.0, BORN), *(("gauge", 50.0 + i % 3, BORN + i * 10 * MINUTE) for i in range(12)),
    ("bucket", 10.0, BORN + 35 * MINUTE),
]  # fmt: skip


def items(told: Sequence[Told]) -> list[Item]:
    """Return what streams would say."""
    return [Item(name, value, Tank.port(name).unit, at, None, Place("test")) for name, value, at in told]


class World:
    """A tank of sarah's, two hours old."""

    def __init__(self, store: str, told: Sequence[Told] = PAST) -> None:
        self.store, self.clock = store, FakeClock(NOW)
        self.bank = Bank.open(store, self.clock, {"tank": GUARDED})
        self.tank = self.bank.create(GUARDED, "tank", by="sarah")
        self.sink = MemorySink()
        self.tank.act_through(self.sink)
        if told:
            self.tank.record(items(told))

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.bank.close()

    def seen(self, by: str, purpose: str = "care") -> Twin:
        """Return the tank as somebody may see it."""
        return self.bank.find("tank", by=by, purpose=purpose)

    def flush(self) -> None:
        """Send what is due."""
        asyncio.run(Outbox(self.bank).flush("tank"))

    def kinds(self, *kinds: str) -> list[Fact]:
        """Return facts of some kinds."""
        return list(self.bank.thread.read("tank", kinds=kinds))


def digest(bank: Bank) -> str:
    """Return what stands for every bit of the belief."""
    return belief_view(bank.followed("tank")[-1]).digest


def tap(amount: float, now: Time = NOW) -> Intervention:
    """Return a change of the tap."""
    return Intervention(f"tap {amount:g}", (Dose("tap", amount, now),))


@few
@given(order=st.permutations(PAST), cut=st.integers(1, len(PAST) - 1))
def test_the_belief_does_not_depend_on_order_company_or_restarts(
    new_store: NewStore, order: list[Told], cut: int
) -> None:
    """In two parts, in any order, with a restart between and after: bit for bit that of one quiet import."""
    with World(new_store()) as quiet:
        wanted = digest(quiet.bank)
    with World(new_store(), order[:cut]) as world:
        world.bank.followed("tank")
    with Bank.open(world.store, world.clock, {"tank": GUARDED}) as again:
        again.find("tank", by="sarah", purpose="care").record(items(order[cut:]))
        assert digest(again) == wanted
    with Bank.open(world.store, world.clock, {"tank": GUARDED}) as third:
        assert digest(third) == wanted


@few
@given(late=st.lists(st.integers(0, 110), min_size=1, max_size=4, unique=True))
def test_known_by_gives_the_belief_of_that_day(new_store: NewStore, late: list[int]) -> None:
    """Whatever became known afterwards, about whatever time."""
    with World(new_store()) as world:
        that_day, then = digest(world.bank), world.clock()
        world.clock.pass_time(HOUR)
        world.tank.record(items([("bucket", 20.0, BORN + minute * MINUTE) for minute in late]))
        assert digest(world.bank) != that_day
        replica = world.bank.replica_known_by("tank", then)
        followed = replica.belief()
        assert followed is not None and belief_view(followed).digest == that_day


def test_an_erased_subject_cannot_be_read_anywhere_and_old_proofs_still_verify(new_store: NewStore) -> None:
    """Now, as of then, by a fork, after a restart; another twin is untouched."""
    with World(new_store()) as world:
        world.bank.create(GUARDED, "other", by="max")
        fork, seqs = world.tank.fork("as usual"), [fact.seq for fact in world.kinds("observed/1")]
        checkpoint = world.bank.thread.checkpoint(NOW)
        proofs = [world.bank.thread.prove(seq) for seq in seqs]
        world.bank.erase("tank", by="sarah", reason="she asked")
        for see in (
            lambda: world.seen("sarah"),
            lambda: fork.run("gauge", 1.0),
            lambda: world.bank.thread.get(seqs[0]),
        ):
            with pytest.raises((NotFound, Refused)):
                see()
        assert world.kinds("observed/1") == [] and list(world.bank.thread.read("tank", known_by=NOW)) == []
    with Bank.open(world.store, world.clock, {"tank": GUARDED}) as again:
        assert "tank" not in again and "other" in again
        assert again.thread.verify().intact and checkpoint_holds(checkpoint, again.thread.public_key)
        assert all(inclusion_holds(proof, checkpoint.root) for proof in proofs)
        assert all(again.thread.prove(p.seq, p.size) == p for p in proofs)


@few
@given(granted=st.sets(st.sampled_from(["gauge", "tap", "bucket"])), asked=st.sampled_from(["gauge", "tap", "bucket"]))
def test_only_what_a_grant_names_is_shown(new_store: NewStore, granted: set[str], asked: str) -> None:
    """And all of it only where all of it was granted."""
    with World(new_store()) as world:
        if not granted:
            with pytest.raises(Refused):
                world.seen("dr-lee")
            return
        world.tank.grant(to="dr-lee", purpose="care", read=sorted(granted))
        seen = world.seen("dr-lee")
        if asked in granted:
            assert seen.readings(asked) is not None
        else:
            with pytest.raises(Refused):
                seen.readings(asked)
        for whole in (seen.belief, seen.situation, seen.proposals):
            with pytest.raises(Refused):
                whole()


@pytest.mark.parametrize("purpose", ["care", "research"])
def test_a_stranger_may_not_read_write_fork_suppose_propose_or_grant(new_store: NewStore, purpose: str) -> None:
    """Nor one who may do something else."""
    with World(new_store()) as world:
        with pytest.raises(Refused):
            world.seen("eve", purpose)
        world.tank.grant(to="eve", purpose="care", read="gauge")
        eve = Twin(world.bank, "tank", "eve", purpose)
        before = len(world.kinds("observed/1", "acted/1", "granted/1", "proposed/1"))
        for attempt in (
            lambda: eve.record(items([("gauge", 1.0, NOW)])), lambda: eve.fork("x"), lambda: eve.readings("tap"),
            lambda: eve.propose(tap(1.0), "x"), lambda: eve.grant(to="max", purpose="care", read="*"),
            lambda: eve.revoke("x"),
        ):  # fmt: skip
            with pytest.raises((Refused, NotFound)):
                attempt()
        assert len(world.kinds("observed/1", "acted/1", "granted/1", "proposed/1")) == before


@few
@given(ends=st.sampled_from(["revoked", "expired"]))
def test_an_ended_grant_opens_nothing_older_forks_included(new_store: NewStore, ends: str) -> None:
    """From that moment."""
    with World(new_store()) as world:
        grants = world.tank.grant(to="dr-lee", purpose="care", read="*", fork="*", until=NOW + HOUR)
        seen = world.seen("dr-lee")
        fork = seen.fork("as usual")
        fork.run("gauge", 1.0)
        if ends == "expired":
            world.clock.pass_time(HOUR)
        else:
            for grant in grants:
                world.tank.revoke(grant.id)
        empty = Scenario("nothing")
        for attempt in (
            lambda: seen.readings("gauge"), lambda: fork.run("gauge", 1.0), lambda: fork.suppose(empty),
            lambda: seen.fork("another"), lambda: world.seen("dr-lee"),
        ):  # fmt: skip
            with pytest.raises(Refused):
                attempt()


@few
@given(amount=st.floats(0, 10), hours=st.floats(0.5, 3))
def test_a_fork_sends_nothing_and_leaves_the_trunk_as_it_was(new_store: NewStore, amount: float, hours: float) -> None:
    """Whatever is supposed on it."""
    with World(new_store()) as world:
        before, facts = digest(world.bank), len(world.kinds("observed/1", "acted/1", "proposed/1", "sent/1"))
        scenario = Scenario("more", lambda plan, now: [*plan, Dose("tap", amount, now)])
        world.tank.fork("more").suppose(scenario).run("gauge", hours)
        world.flush()
        assert digest(world.bank) == before and world.sink.sent == []
        assert len(world.kinds("observed/1", "acted/1", "proposed/1", "sent/1")) == facts


@few
@given(amounts=st.lists(st.floats(0, 10), min_size=1, max_size=4))
def test_no_plan_that_breaks_a_guard_reaches_the_sink_whatever_an_agent_says(
    new_store: NewStore, amounts: list[float]
) -> None:
    """An agent that acts by itself, within its grant; refusals are on record."""
    with World(new_store()) as world:
        wanted = iter(amounts)

        def advise(situation: Situation) -> list[tuple[Intervention, str]]:
            amount = next(wanted, None)
            return [] if amount is None else [(tap(amount, situation.now), "it says so")]

        agent = Agent("reckless", advise, Autonomy.ACT)
        world.tank.grant(to=agent.actor, purpose=agent.purpose, read="*", propose="tap", act="tap")
        loop = Loop(world.bank, [agent], Outbox(world.bank))
        world.bank.thread.subscribe(loop.notice)
        for _ in amounts:
            world.tank.record(items([("gauge", 50.0, world.clock.pass_time(40 * MINUTE))]))
            asyncio.run(loop.turn())
            asyncio.run(loop.send())
        sent = [dose["value"] for _, message in world.sink.sent for dose in message["doses"]]
        assert world.kinds("proposed/1") and all(value <= 5 for value in sent)
        assert bool(sent) == any(amount <= 5 for amount in amounts[: len(world.kinds("proposed/1"))])
        verdicts = [fact.body["verdict"] for fact in world.kinds("decided/1")]
        assert verdicts.count("refused") == sum(
            float(dose["amount"]) > 5
            for fact in world.kinds("proposed/1")
            for dose in fact.body["intervention"]["doses"]
        )


def test_what_is_refused_sends_nothing_and_is_on_record(new_store: NewStore) -> None:
    """By the gate, by a guard, by a person."""
    with World(new_store()) as world:
        world.tank.grant(to="dr-lee", purpose="care", read="*", propose="tap")
        seen = world.seen("dr-lee")
        proposal = seen.propose(tap(2.0), "to see")
        with pytest.raises(Refused):
            seen.decide(proposal.seq, approve=True)
        guarded = seen.propose(tap(9.0), "to see")
        world.tank.decide(proposal.seq, approve=False, note="no")
        world.flush()
        assert (world.sink.sent, guarded.status) == ([], "refused")
        assert [fact.body["verdict"] for fact in world.kinds("decided/1")] == ["refused", "rejected"]
        assert any(not f.body["allowed"] and f.body["verb"] == "act" for f in world.kinds("accessed/1"))


def test_what_is_applied_is_written_then_sent_once(new_store: NewStore) -> None:
    """When the message leaves, the decision and the sending are durable; it leaves once."""
    with World(new_store()) as world:
        written: list[list[str]] = []
        world.sink.before.append(lambda: written.append([f.kind for f in world.kinds("decided/1", "sent/1")]))
        world.tank.decide(world.tank.propose(tap(2.0), "to see").seq, approve=True)
        for _ in range(3):
            world.flush()
        assert written == [["decided/1", "sent/1"]] and len(world.sink.sent) == 1
        assert [f.kind for f in world.kinds("sent/1", "delivered/1")] == ["sent/1", "delivered/1"]
