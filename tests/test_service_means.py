"""Means: stations opened, customers compensated, scanners looked after: what is proposed comes from forks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gemel.bank import Bank
from gemel.dynamics import Event
from gemel.facts import DAY, HOUR, MINUTE
from gemel.packs.service import AGENTS
from gemel.packs.service.actions import Action
from gemel.packs.service.advise import View, fork
from gemel.packs.service.experience import clv_of
from gemel.packs.service.guards import Rules
from gemel.packs.service.hospital import MEANS as HOSPITAL
from gemel.packs.service.hospital.means import quiet_hour
from gemel.packs.service.hospital.network import network as hospital
from gemel.packs.service.kind import service_type
from gemel.packs.service.means import Here, Look, Means, Opening, closed
from gemel.packs.service.planner import amend, considered, expected, plan, repaired
from gemel.packs.service.remedy import Remedy, overdue, repairs
from gemel.process import (
    ANY,
    Arrivals,
    Calendar,
    Case,
    Choice,
    Customers,
    Network,
    Pool,
    Present,
    Rule,
    Station,
    Task,
    Team,
    Token,
    exponential,
)
from gemel.streams import Item, Place, told
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

NOW = 1_767_571_200_000 + 10 * HOUR
"""Monday 5 January 2026, 10:00."""


def shop(per_hour: float = 20.0) -> Network:
    """Return a shop with two desks, of which all go to the first, unless they are sent to the second."""
    desks = ("first", "second")
    return Network(
        "shop", (Customers("guest", Arrivals.steady(per_hour), "way"),),
        (Choice("way", (Rule({"first": 1.0, "second": 0.0}),)), *(Task(name, name) for name in desks)),
        tuple(Station(name, {ANY: exponential(200.0)}, (Team(f"{name} staff"),), promise=600.0) for name in desks),
        tuple(Pool(f"{name} staff", Calendar.always(1)) for name in desks),
    )  # fmt: skip


def crowd(waits: list[float], per_hour: float = 20.0) -> View:
    """Return the shop with guests at the first desk who have waited so many seconds; the second is closed."""
    cases = tuple(Case(f"g{i}", "guest", NOW - 1000 * wait) for i, wait in enumerate(waits))
    tokens = tuple(Token(case.id, "first", 0, case.arrived) for case in cases)
    shut = (("open", "second", NOW, NOW + DAY, -1.0),)
    return View(
        shop(per_hour), Present(NOW, cases, tokens), lambda node, customers: 600.0, extra=shut, members=48, seed=4
    )  # fmt: skip


OPENING = Opening("second", price=30.0, lead=300.0, hold=3600.0, ways={"way>second": 1.0})
SHOP = Means((Look("queue", lambda view, usual, here: ()),), openings=(OPENING,), worth=20.0)


def test_a_closed_station_that_would_relieve_the_queue_is_proposed_at_its_price_and_lead() -> None:
    view = crowd([0.0] * 12)
    here = Here(NOW, closed=closed(view))
    assert here.closed == {"second"}
    told = considered(view, SHOP.looks[0], SHOP, here, Rules())
    assert told is not None
    (best,) = told.free
    assert [(one.kind, one.target) for one in best.actions] == [("open", "second"), ("reroute", "way>second")]
    assert best.cost == 30.0 and best.prevented.low > 0 and best.actions[0].works == NOW + 5 * MINUTE
    assert best.title.startswith("open second in 5 min for 60 min")


def test_a_station_that_is_open_or_no_means_names_is_not_opened() -> None:
    view = crowd([0.0] * 12)
    assert considered(view, SHOP.looks[0], SHOP, Here(NOW), Rules()) is None
    none = replace(SHOP, openings=())
    assert considered(view, SHOP.looks[0], none, Here(NOW, closed=closed(view)), Rules()) is None


GIFT = Remedy(15.0, 60.0, (760, 1000), (850, 1000))
GIFTS = replace(SHOP, remedies={"guest": GIFT})


def test_who_is_let_down_for_certain_is_offered_compensation_and_who_is_served_in_time_is_not() -> None:
    """One has waited longer than promised, one comes next with eight minutes left, one came just now."""
    view = crowd([900.0, 120.0, 1.0])
    told = repaired(view, GIFTS, Here(NOW), Rules())
    assert told is not None
    (offer,) = told.free
    assert offer.actions[0].whom == ("g0",) and offer.cost == 15.0 and offer.actions[0].bears == "the service"
    assert offer.prevented.value == 0.0, "compensation shortens no wait"
    assert offer.besides is not None and offer.besides.value == pytest.approx(
        clv_of(60, 0.85, 0.1) - clv_of(60, 0.76, 0.1)
    )
    assert offer.score == pytest.approx(offer.besides.low - 15.0)
    assert expected(offer) == "no shorter wait; worth of those who stay: 70 in money (42 to 98), for 15"
    assert repaired(crowd([120.0, 1.0]), GIFTS, Here(NOW), Rules()) is None


def test_who_will_surely_be_let_down_is_met_before_the_promise_is_broken() -> None:
    """Behind eleven others with two minutes left; she who is helped by what else is done is left out."""
    view = crowd([480.0] * 12)
    told = repaired(view, GIFTS, Here(NOW), Rules())
    assert told is not None and "g11" in told.ranked[0].actions[0].whom and "g0" not in told.ranked[0].actions[0].whom
    many = (Action("add", "first staff", 12.0, NOW, lead=0.0),)
    assert repaired(view, GIFTS, Here(NOW), Rules(), many) is None


def test_the_days_money_caps_compensation_and_the_longest_wait_comes_first() -> None:
    view = crowd([700.0, 900.0, 800.0])
    told = repaired(view, GIFTS, Here(NOW, left=35.0), Rules(money_per_day=100.0))
    assert told is not None
    assert [one.actions[0].whom for one in told.free] == [("g1", "g2")]
    assert list(told.refused.values()) == ["65 spent today and 45 more would be above 100"]
    assert repaired(view, GIFTS, Here(NOW, left=14.0), Rules(money_per_day=100.0)).free == []  # type: ignore[union-attr]  # offered, refused


def test_nobody_is_compensated_twice() -> None:
    """Who was let down by ten minutes after the last gift was met by it."""
    here = Here(NOW, turned={"compensate.guest": NOW - MINUTE})
    assert repaired(crowd([900.0]), GIFTS, here, Rules()) is None
    assert [one.case for one in overdue(crowd([900.0]), GIFTS.remedies, {"guest": NOW - 10 * MINUTE})] == ["g0"]


def test_a_remedy_that_keeps_nobody_more_is_not_proposed() -> None:
    """Compensation is worth what it keeps: as many stayed without it."""
    vain = replace(SHOP, remedies={"guest": replace(GIFT, given=(760, 1000))})
    told = repaired(crowd([900.0]), vain, Here(NOW), Rules())
    assert told is not None and told.free == [] and told.ranked[0].score < 0
    assert repairs(vain.remedies, ()) is None


def test_an_option_that_a_class_pays_for_is_refused_with_its_interval() -> None:
    """Nobody may wait longer, and all are sent to one desk: guests may wait longer, by forks."""
    away = Look("queue", lambda view, usual, here: [(Action("move", "first staff>second staff", 1.0, NOW, lead=0.0),)])
    view = replace(crowd([0.0] * 6), extra=())
    told = considered(view, away, replace(SHOP, worth=-1e6), Here(NOW), Rules(worse_s=0.0, money_per_day=1e9))
    assert told is not None and told.free == []
    (reason,) = told.refused.values()
    assert reason.startswith("guest would wait +") and "with 95% confidence" in reason and "up to +" in reason


# in the live loop


def living(kind: Network, told_of: dict[str, float], waits: int, now: int) -> Bank:
    """Return a bank with a twin of that service, of which gauges and levers were read and some guests wait."""
    watched = {name: ("count", name) for name in told_of if "." in name and not name.startswith("open.")}
    bank = Bank(MemoryThread(), FakeClock(now), {})
    mia = bank.create(service_type(kind, members=32, watched=watched), "twin", by="mia")
    mia.grant(to="agent:planner", purpose="service", read="*", propose="*", act="*")
    mia.record([Item(name, value, "count", now - 20 * MINUTE, None, Place("x")) for name, value in told_of.items()])
    mia.record([told(Event(f"g{i}", "queued", now - MINUTE, "first"), None, Place("x")) for i in range(waits)])
    return bank


def test_the_live_loop_opens_what_was_closed() -> None:
    """By the usual means: a station that a lever closed; the lever is told to open, and to close again."""
    one = Network(
        "kiosk", shop().customers, (Choice("way", (Rule({"first": 1.0}),)), Task("first", "first")), shop().stations[:1],
        shop().pools[:1],
    )  # fmt: skip
    bank = living(one, {"open.first": 0.0}, 8, NOW)
    (weighed,) = plan(bank.find("twin", by="agent:planner", purpose="service").situation(NOW), rules=Rules())
    titles = [option["title"] for option in weighed.choice["options"]]
    assert any(title.startswith("open first") for title in titles)
    assert weighed.intervention is not None and weighed.intervention.title.startswith("open first")
    assert [(dose.lever, dose.amount, dose.at - NOW) for dose in weighed.intervention.doses][:2] == [
        ("open.first", 1.0, 0), ("open.first", 0.0, HOUR)
    ]  # fmt: skip


def test_an_offer_that_waits_for_a_word_holds_back_nothing_that_shortens_waits() -> None:
    """Amends are another agent's: the planner never compensates, and the one that does shortens nothing."""
    assert [agent.name for agent in AGENTS["service"]] == ["planner", "amends"]
    bank = living(shop(), {"open.second": 0.0}, 8, NOW)
    mia = bank.find("twin", by="mia", purpose="service")
    mia.record([told(Event("late", "queued", NOW - 30 * MINUTE, "first"), None, Place("x"))])
    situation = bank.find("twin", by="agent:planner", purpose="service").situation(NOW)
    (given,) = amend(situation, GIFTS)
    offered = {option["title"].split()[0] for option in given.choice["options"]}
    tried = {option["title"].split()[0] for one in plan(situation, GIFTS) for option in one.choice["options"]}
    assert offered == {"nothing", "give"} and "open" in tried and "give" not in tried


UP = {"up.scanner-0": 1.0, "up.scanner-1": 1.0, "wear.scanner-0": 200.0, "wear.scanner-1": 60.0}


def scanners(here: Here) -> View:
    """Return the hospital at ten on a Monday, nobody in it yet."""
    view = View(hospital(), Present(here.now), HOSPITAL.promised or (lambda n, c: 1e9), members=48, seed=2)
    return HOSPITAL.sharpen(view, here)


def test_a_scanner_that_is_down_makes_a_delay_foreseen_and_forks_find_what_lowers_it() -> None:
    """A technician, appointments moved, or both; each with what the forks say of it."""
    runs, down = Here(NOW, UP), Here(NOW, UP | {"up.scanner-0": 0.0})
    look = HOSPITAL.looks[0]
    assert look.when(down) and not look.when(runs)
    usual = [float(fork(replace(scanners(here), horizon=look.horizon)).breaches.sum(1).mean()) for here in (runs, down)]
    assert usual[1] > usual[0] + 5
    told = considered(scanners(down), look, HOSPITAL, down, Rules())
    assert told is not None
    kinds = {tuple(action.kind for action in one.actions) for one in told.ranked}
    assert kinds == {("add",), ("reschedule",), ("add", "reschedule")}
    best = told.free[0]
    acted = fork(replace(scanners(down), horizon=look.horizon), best.actions)
    assert acted.breaches.sum(1).mean() < usual[1] - 3 and best.prevented.low > 3
    recent = replace(down, turned={"arrivals.outpatient": NOW - HOUR})
    assert not look.when(recent)


def test_maintenance_planned_among_patients_is_moved_to_an_hour_that_forks_find_better() -> None:
    """Planned for ten the next morning: brought forward, it is not done twice, and promises are kept."""
    here = Here(NOW, UP | {"planned.scanner-0": 24.0})
    look = HOSPITAL.looks[1]
    assert look.when(here) and not look.when(Here(NOW, UP))
    told = considered(scanners(here), look, HOSPITAL, here, Rules())
    assert told is not None and told.free
    best = told.free[0]
    assert best.actions[0].kind == "maintain" and best.prevented.low > 0
    assert best.actions[0].at in (quiet_hour(NOW), quiet_hour(NOW) + DAY)
    assert best.besides is not None and best.besides.name == "repairs spared"


def test_the_wear_of_a_scanner_says_when_to_look_and_how_soon_it_may_fail() -> None:
    """Of evenings only; a worn one fails sooner in the forks."""
    evening = NOW + 10 * HOUR
    worn = UP | {"wear.scanner-0": 290.0}
    look = HOSPITAL.looks[1]
    assert look.when(Here(evening, worn)) and not look.when(Here(evening, UP | {"wear.scanner-0": 60.0}))
    assert "290 scans since maintenance" in look.reason(Here(evening, worn))
    told = [scanners(Here(NOW, gauges)).machines for gauges in (UP, worn)]
    soon = [float(np.mean(one.fails[0] < NOW + 2 * DAY)) for one in told if one]
    assert soon[1] > soon[0] > 0


def test_the_live_loop_proposes_help_for_a_scanner_and_can_look_again_after_maintenance() -> None:
    """From the gauges that it reads; maintenance that was told once is not done again in later forks."""
    down = UP | {"up.scanner-0": 0.0}
    bank = living(hospital(), down, 0, NOW)
    seen = bank.find("twin", by="agent:planner", purpose="service")
    (weighed,) = plan(seen.situation(NOW))
    assert weighed.choice["look"] == "scanner down" and weighed.why.startswith("scanner-0 is down; ")
    levers = bank.type_of("twin").levers
    assert weighed.intervention is not None and {dose.lever for dose in weighed.intervention.doses} <= set(levers)
    before = seen.forecast("oldest.scanner", 2, NOW).mean
    mia = bank.find("twin", by="mia", purpose="service")
    mia.record([Item("away.scanner", 10_800.0, "s", NOW - 19 * MINUTE, None, Place("x"))])
    assert plan(seen.situation(NOW)) is not None
    assert np.allclose(seen.forecast("oldest.scanner", 2, NOW).mean, before)
