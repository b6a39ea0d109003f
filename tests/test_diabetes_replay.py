"""Replay: one's own past under other doses, with every surprise as it was."""

from __future__ import annotations

from dataclasses import replace as changed

import numpy as np
import pytest

from gemel.bank import Bank, Twin
from gemel.bank.tools import named
from gemel.errors import BadInput, Refused
from gemel.facts import DAY, HOUR, Time
from gemel.packs.diabetes import Person, bolus_lead, bolus_scale
from gemel.packs.diabetes.asset import LILY, virtual_days
from gemel.packs.diabetes.replay import TOOLS, replay
from gemel.packs.diabetes.scenarios import ArtificialPancreas, basal_scale
from gemel.streams import Item, Place
from gemel.testing.live import FakeClock
from gemel.thread import MemoryThread

START: Time = 20_000 * DAY
SMALL = changed(Person, members=8)


@pytest.fixture(scope="module")
def lily() -> Twin:
    bank = Bank(MemoryThread(), FakeClock(START + 3 * DAY), {SMALL.name: SMALL})
    twin = bank.create(SMALL, "lily", by="sarah")
    told = virtual_days([LILY], 3, seed=5, start=START)[LILY]
    twin.record([Item(name, value, unit, at, None, Place("virtual")) for name, value, unit, at in told])
    return twin


def change(twin: Twin, *args: object, metric: str = "mean") -> float:
    found = replay(twin, *args, days=2.0)  # type: ignore[arg-type]
    return next(one.change for one in found.metrics if one.name == metric)


def test_the_same_doses_give_the_same_days(lily: Twin) -> None:
    found = replay(lily, bolus_scale(1.0), days=2.0)
    assert np.array_equal(found.replayed, np.broadcast_to(found.observed, found.replayed.shape))
    assert [(one.change, one.low, one.high) for one in found.metrics] == [pytest.approx((0.0, 0.0, 0.0))] * len(
        found.metrics
    )


MOVES = {
    "exercise": [("exercise", 45.0, "bpm", 14 * HOUR), ("exercise", 0.0, "bpm", 15 * HOUR)],
    "illness": [("illness", 50.0, "%", 8 * HOUR), ("illness", 0.0, "%", 30 * HOUR)],
    "stress": [("stress", 40.0, "%", 8 * HOUR)],
}


@pytest.mark.parametrize("name", MOVES)
def test_the_same_doses_give_the_same_days_whatever_else_moved_glucose(lily: Twin, name: str) -> None:
    """What was read knows of sport, illness and stress already; other doses change it by about as much as without."""
    twin = lily.bank.create(SMALL, f"with {name}", by="sarah")
    told = virtual_days([LILY], 3, seed=5, start=START)[LILY]
    twin.record([Item(n, value, unit, at, None, Place("virtual")) for n, value, unit, at in told])
    twin.record([Item(n, value, unit, START + DAY + at, None, Place("told")) for n, value, unit, at in MOVES[name]])
    same = replay(twin, bolus_scale(1.0), days=2.0)
    assert np.array_equal(same.replayed, np.broadcast_to(same.observed, same.replayed.shape))
    assert change(twin, bolus_scale(1.3)) == pytest.approx(change(lily, bolus_scale(1.3)), rel=0.5)


def test_more_insulin_lowers_and_less_raises(lily: Twin) -> None:
    assert change(lily, bolus_scale(1.3)) < 0.0 < change(lily, bolus_scale(0.7))
    assert change(lily, basal_scale(1.3)) < 0.0 < change(lily, basal_scale(0.7))


def test_one_more_unit_a_day_lowers_by_the_rule_of_thumb(lily: Twin) -> None:
    """The least shift after one bolus of 1 U more, against 1700/T of the person less what wore off by then."""
    found = replay(lily, bolus_scale(1.1), days=2.0)
    assert -60.0 < float(np.median(found.replayed - found.observed, axis=0).min()) < 0.0


def test_an_earlier_bolus_changes_when_and_hardly_how_much(lily: Twin) -> None:
    assert abs(change(lily, bolus_lead("15 min"))) < abs(change(lily, bolus_scale(1.3)))


def test_intervals_hold_the_change_and_grow_with_it(lily: Twin) -> None:
    small, large = (
        next(one for one in replay(lily, bolus_scale(factor), days=2.0).metrics if one.name == "mean")
        for factor in (1.1, 1.5)
    )
    assert small.low <= small.change <= small.high and large.high - large.low > small.high - small.low


def test_what_cannot_be_replayed_is_said(lily: Twin) -> None:
    with pytest.raises(BadInput, match="controller cannot be replayed"):
        replay(lily, ArtificialPancreas())
    with pytest.raises(BadInput, match="readings of glucose"):
        replay(lily, bolus_scale(1.1), days=2.0, until=START + HOUR)
    lily.grant(to="dina", purpose="care", read="glucose")
    with pytest.raises(Refused):
        replay(lily.bank.find("lily", by="dina", purpose="care"), bolus_scale(1.1))


def test_the_tool_tells_the_same_as_the_function(lily: Twin) -> None:
    told = named(TOOLS, "replay").call(lily, {"scenario": "bolus_scale", "values": {"factor": 1.3}, "days": 2.0})
    row = next(one for one in told["metrics"] if one["name"] == "mean")
    assert row["change"] == round(change(lily, bolus_scale(1.3)), 1) and "not a medical device" in told["note"]
