"""A service's twin in the bank and the loop: its present follows from events, and a broken promise is met before it is felt."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.bank import Bank
from gemel.dynamics import Event
from gemel.errors import BadInput, Refused
from gemel.experiment import compare
from gemel.facts import HOUR, MINUTE, Draft, Time
from gemel.loop import Loop, Outbox
from gemel.packs.service import AGENTS
from gemel.packs.service.kind import service_type, staffed
from gemel.process import (
    ANY,
    Arrivals,
    Calendar,
    Customers,
    Delay,
    Duration,
    Network,
    Pool,
    Station,
    Task,
    Team,
    exponential,
    fixed,
)
from gemel.process.service import PRESENT, Service
from gemel.server.feed import belief_view
from gemel.streams import Item, Place, told
from gemel.testing.live import FakeClock, MemorySink
from gemel.thread import MemoryThread

START: Time = 1_767_600_000_000  # Monday 2026-01-05 08:00 UTC


def network(per_hour: float = 30.0, people: int = 2, serves: Duration | None = None) -> Network:
    """Return a desk with some people, and a walk to it."""
    return Network(
        "shop",
        (Customers("guest", Arrivals.steady(per_hour), "walk"),),
        (Delay("walk", fixed(60.0), "desk"), Task("desk", "desk")),
        (Station("desk", {ANY: serves or exponential(200.0)}, (Team("staff"),), promise=600.0),),
        (Pool("staff", Calendar.always(people)), Pool("stand-by", Calendar.always(3))),
    )


def events(count: int, every: Time = 2 * MINUTE, wait: Time = MINUTE, serve: Time = 3 * MINUTE) -> list[Event]:
    """Return so many guests, one after the other, each seen from arrival to leaving."""
    found = []
    for i in range(count):
        at, name = START + i * every, f"g{i}"
        found += [
            Event(name, "arrived", at, attributes={"customers": "guest"}),
            Event(name, "queued", at + MINUTE, "desk"),
            Event(name, "started", at + MINUTE + wait, "desk", "staff"),
            Event(name, "completed", at + MINUTE + wait + serve, "desk", "staff"),
            Event(name, "left", at + MINUTE + wait + serve),
        ]
    return sorted(found, key=lambda event: event.at)


def crowd(count: int, at: Time) -> list[Event]:
    """Return guests who all came to wait at one moment."""
    return [event for i in range(count) for event in (
        Event(f"c{i}", "arrived", at - MINUTE, attributes={"customers": "guest"}), Event(f"c{i}", "queued", at, "desk")
    )]  # fmt: skip


def items(found: list[Event]) -> list[Item]:
    """Return events as a stream tells them."""
    return [told(event, None, Place("test")) for event in found]


def opened(found: list[Event], now: Time, kind: Network | None = None) -> Bank:
    """Return a bank with a shop of which these events are known."""
    bank = Bank(MemoryThread(), FakeClock(now), {})
    bank.create(service_type(kind or network(), members=32), "shop", by="mia").record(items(found))
    return bank


def digest(bank: Bank) -> str:
    """Return what the belief after the last event is made of."""
    return belief_view(bank.followed("shop")[-1]).digest


def gauges(bank: Bank, now: Time) -> dict[str, float]:
    """Return what the gauges show."""
    dynamics = bank.type_of("shop").dynamics
    return {name: float(one.mean[0, 0]) for name, one in dynamics.observe(bank.belief_at("shop", now)).items()}


@given(order=st.randoms(use_true_random=False), parts=st.integers(1, 4))
@settings(max_examples=8, deadline=None)
def test_the_order_and_company_in_which_events_come_do_not_matter(order: random.Random, parts: int) -> None:
    found = [*events(6), *crowd(3, START + 20 * MINUTE)]
    straight = digest(opened(found, START + HOUR))
    shuffled = list(found)
    order.shuffle(shuffled)
    bank = opened([], START + HOUR)
    seen = bank.find("shop", by="mia", purpose="service")
    for part in range(parts):
        seen.record(items(shuffled[part::parts]))
        bank.followed("shop")
    assert digest(bank) == straight


def test_who_is_in_the_service_follows_from_its_events() -> None:
    now = START + 20 * MINUTE
    shown = gauges(opened([*events(3), *crowd(4, now - 5 * MINUTE)], now), now)
    assert (shown["queue.desk"], shown["oldest.desk"], shown["inside"]) == (4.0, 300.0, 4.0)


def test_a_restarted_twin_believes_the_same_without_folding_again(tmp_path: Path) -> None:
    clock = FakeClock(START + HOUR)
    with Bank.open(str(tmp_path / "store"), clock) as bank:
        bank.create(service_type(network(), members=32), "shop", by="mia").record(items(events(20)))
        before = digest(bank)
    with Bank.open(str(tmp_path / "store"), clock) as again:
        assert digest(again) == before
        assert again.replica("shop").folded == 0


def test_a_type_made_from_data_is_made_again_from_the_store(tmp_path: Path) -> None:
    kind = service_type(network(42.0), members=32)
    with Bank.open(str(tmp_path / "store"), FakeClock(START)) as bank:
        bank.create(kind, "shop", by="mia")
    with Bank.open(str(tmp_path / "store"), FakeClock(START)) as again:
        found = again.type_of("shop")
        assert (found.hash, found.name) == (kind.hash, "service.shop")
        assert isinstance(found.dynamics, Service) and found.dynamics.network == network(42.0)


def test_a_forecast_starts_from_those_who_wait_now() -> None:
    """Nobody comes; two serve four who wait, 60 s each: after 5 min all is over, and until then nothing is left to chance."""
    now = START + 20 * MINUTE
    quiet = opened(crowd(4, now), now, network(0.0, 2, fixed(400.0)))
    seen = quiet.find("shop", by="mia", purpose="service")
    said = seen.forecast("queue.desk", 1, now)
    assert said.at_level(0.5)[:3].tolist() == [2.0, 0.0, 0.0]
    assert np.ptp(said.quantiles[:, 0]) == 0.0


def test_the_twin_learns_that_more_come_than_it_was_told() -> None:
    """60 an hour come where 30 were expected; with a prior worth 100 arrivals, 4 h of it: (100 + 240) / (100 + 120) ≈ 1.55."""
    bank = opened(events(240, MINUTE), START + 4 * HOUR)
    belief = bank.belief_at("shop", START + 4 * HOUR)
    dynamics = bank.type_of("shop").dynamics
    assert isinstance(dynamics, Service)
    assert dynamics.scales(belief)["arrivals.guest"].mean() == pytest.approx(1.53, abs=0.06)


def test_services_that_take_longer_are_learned() -> None:
    bank = opened(events(120, 2 * MINUTE, serve=400 * 1000), START + 5 * HOUR)
    dynamics, belief = bank.type_of("shop").dynamics, bank.belief_at("shop", START + 5 * HOUR)
    assert isinstance(dynamics, Service)
    assert 1.3 < dynamics.scales(belief)["service.desk"].mean() < 2.0


def test_more_staff_on_a_fork_breaks_fewer_promises() -> None:
    now = START + 20 * MINUTE
    seen = opened(crowd(12, now), now).find("shop", by="mia", purpose="service")
    found = compare(
        seen.fork("as usual", now), seen.fork("two more", now).suppose(staffed("staff", 2)),
        metric="breaches desk", hours=2,
    )  # fmt: skip
    assert found.best.name == "two more"
    assert found.effects[1].difference < -1 and found.effects[1].high <= 0


def test_only_who_may_write_events_tells_them() -> None:
    bank = opened([], START)
    with pytest.raises(Refused, match="may not write events of shop"):
        bank.as_writer("shop", "stream:till", "service").record(items(events(1)))
    bank.find("shop", by="mia", purpose="service").grant(to="stream:till", purpose="service", write="events")
    assert bank.as_writer("shop", "stream:till", "service").record(items(events(1))).new == 5


def test_an_event_told_twice_counts_once_and_one_taken_back_never() -> None:
    bank = opened(events(3), START + HOUR)
    seen = bank.find("shop", by="mia", purpose="service")
    again = seen.record(items(events(3)))
    assert (again.new, again.known) == (0, 15)
    before = digest(bank)
    last = items(crowd(1, START + 30 * MINUTE))
    seen.record(last)
    seen.record([replace(item, retracted=True) for item in last])
    assert digest(bank) == before


def test_a_twin_of_readings_takes_no_events() -> None:
    from gemel.packs.diabetes import Person

    bank = Bank(MemoryThread(), FakeClock(START), {Person.name: Person})
    lily = bank.create(Person, "lily", by="sarah")
    from gemel.streams import checked

    with pytest.raises(BadInput, match="takes readings and doses"):
        checked(items(events(1)), lily.type)


class Shop:
    """A shop in the loop, with a clock that moves when told to."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.bank = Bank(MemoryThread(), self.clock, {})
        self.mia = self.bank.create(service_type(network(people=3), members=32), "shop", by="mia")
        self.mia.grant(to="agent:planner", purpose="service", read="*", propose="*")
        self.sink = MemorySink()
        self.mia.act_through(self.sink)
        self.loop = Loop(self.bank, AGENTS["service"], Outbox(self.bank, lambda: 0.0, (1.0,)))
        self.bank.thread.subscribe(self.loop.notice)

    def tell(self, found: list[Event], now: Time) -> None:
        """Let events be told, and the loop attend."""
        self.clock.now = now
        self.mia.record(items(found))
        self.turn(now)

    def turn(self, now: Time) -> None:
        """Let the loop attend once."""
        self.clock.now = now
        fresh, self.loop._fresh = self.loop._fresh, {}
        self.loop.attend("shop", fresh.get("shop", []))

    def facts(self, kind: str) -> list[object]:
        """Return what was said of a kind."""
        return list(self.bank.thread.read("shop", kinds=[kind]))


def test_trouble_is_told_and_an_action_proposed_before_the_promise_is_broken() -> None:
    shop = Shop()
    shop.tell(events(3), START + 15 * MINUTE)
    assert shop.bank.alerts("shop") == []
    now = START + 20 * MINUTE
    shop.tell(crowd(14, now), now)
    alert = shop.bank.alerts("shop")[-1].body
    assert alert["severity"] == "warning" and "may grow past the promised 10 min" in alert["text"]
    assert gauges(shop.bank, now)["oldest.desk"] < 600.0
    (proposal,) = shop.mia.proposals()
    assert proposal.by == "agent:planner" and proposal.status == "open"
    assert any(dose.lever == "staff.staff" and dose.amount > 0 for dose in proposal.intervention.doses)
    (chosen,) = shop.facts("chosen/1")
    assert chosen.seq in proposal.cause  # type: ignore[attr-defined]  # it is a fact
    assert 0 < chosen.body["propensity"] < 1  # type: ignore[attr-defined]  # it is a fact


def test_gauges_are_written_and_forecasts_meet_them() -> None:
    shop = Shop()
    shop.tell(events(3), START + 15 * MINUTE)
    for step in range(8):
        shop.turn(START + 15 * MINUTE + (step + 1) * 5 * MINUTE)
    read = shop.mia.readings("oldest.desk")
    assert [reading.at % (5 * MINUTE) for reading in read] == [0] * len(read) and len(read) == 9
    assert {row["horizon"] for fact in shop.facts("outcome/1") for row in fact.body["horizons"]} >= {30}  # type: ignore[attr-defined]  # facts


def test_people_who_did_not_come_are_missing_in_the_forecast() -> None:
    now = START + 20 * MINUTE
    told_of = [Event("", "up", START, resource="ann", attributes={"pool": "staff"})]
    few = opened([*told_of, *crowd(6, now)], now)
    both = opened(crowd(6, now), now)
    waits = [
        bank.find("shop", by="mia", purpose="service").forecast("queue.desk", 1, now).mean[:4].sum()
        for bank in (few, both)
    ]
    assert waits[0] > 1.5 * waits[1]


def test_a_lost_event_leaves_nobody_waiting_for_ever() -> None:
    """Of ten thousand services none lasts twenty times its mean: who left unseen is no longer there the next day."""
    lost = [event for event in events(1) if event.phase not in ("completed", "left")]
    now = START + 26 * HOUR
    assert gauges(opened(lost, now), now)["inside"] == 0.0
    assert gauges(opened(lost, START + 4 * MINUTE), START + 4 * MINUTE)["inside"] == 1.0


def test_a_new_version_of_the_service_takes_over_from_the_old() -> None:
    now = START + 20 * MINUTE
    bank = opened([*events(3), *crowd(4, now)], now)
    seen = bank.find("shop", by="mia", purpose="service")
    seen.retype(service_type(network(people=4), members=32), anew=True, why="two desks more")
    kind = bank.type_of("shop").dynamics
    assert isinstance(kind, Service) and kind.network.pool("staff").calendar == Calendar.always(4)
    assert len(bank.followed("shop")[-1].belief.values[PRESENT][0, 0].cases) == 4


def test_a_draft_of_an_event_says_what_happened() -> None:
    bank = opened(events(1), START + HOUR)
    (first, *_) = bank.thread.read("shop", kinds=["happened/1"])
    assert isinstance(Draft(first.twin, first.kind, first.body, first.true_at, first.by), Draft)
    assert (first.body["case"], first.body["phase"]) == ("g0", "arrived")
