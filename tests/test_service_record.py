"""From choices on the thread to an uplift: what actions bring is found again from facts alone."""

from __future__ import annotations

import numpy as np
import pytest
from tank import BORN, bank

from gemel.bank import Twin
from gemel.bank.account import CHOSEN
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, Draft
from gemel.packs.service.propensity import choose
from gemel.packs.service.record import chances_of, kind_of, record
from gemel.packs.service.uplift import always, effect, value

BRINGS = 4.0
"""By how much a bucket raises the level in the simulator."""


def chosen_often(n: int) -> Twin:
    """Return a tank for which a bucket was chosen or not n times, each three hours after the other, at random."""
    rng = np.random.default_rng(1)
    made = bank(at=BORN)
    tank = made.create("tank", "tank", by="ann")
    drafts = []
    for i in range(n):
        at, level = BORN + (i + 1) * 3 * HOUR, float(rng.uniform(5, 15))
        choice = choose({"bucket": 1.0}, 3, "tank", at, idle=0.3)
        body = choice.body() | {"situation": {"gauge": level}}
        drafts.append(Draft("tank", CHOSEN, body, at, "agent:x"))
        after = level + BRINGS * (choice.action == "bucket") + float(rng.normal()) * 0.5
        for k in range(1, 4):
            key = f"{i}|{k}"
            told = {"name": "gauge", "value": after, "unit": "L", "source": "", "key": key}
            drafts.append(Draft("tank", "observed/1", told, at + k * 30 * MINUTE, "gauge", key=key))
    made.append(drafts)
    made.now.now = BORN + (n + 2) * 3 * HOUR  # type: ignore[attr-defined]
    return tank


def test_what_an_action_brings_is_found_from_facts_alone() -> None:
    """A bucket brings 4 L nearer to the band of 20 L and more; the interval holds it, and always acting is worth more."""
    found = record(chosen_often(200), "gauge")
    assert (found.actions, found.gauges, found.unknown) == (("nothing", "bucket"), ("gauge",), 0)
    assert effect(found.log, 1).holds(BRINGS)
    assert value(found.log, always(found.log, 1)).gain.low > 0


def test_what_came_of_a_choice_must_be_known() -> None:
    """A signal that is none; a twin that chose nothing; one whose hours after the choice are not over."""
    tank = chosen_often(2)
    with pytest.raises(NotFound, match="unknown signal 'mood'; possible: gauge"):
        record(tank, "mood")
    tank.bank.now.now = BORN  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="no choice is on record after which gauge of tank was read"):
        record(tank, "gauge")


def test_who_may_not_read_all_learns_no_uplift() -> None:
    """Choices tell everything of a twin."""
    tank = chosen_often(2)
    tank.grant(to="bea", purpose="care", read="gauge")
    with pytest.raises(Refused, match="bea may not read"):
        record(tank.bank.find("tank", by="bea", purpose="care"), "gauge")


def test_chances_are_those_of_the_options_or_of_the_two_ways_there_were() -> None:
    """Options that bear chances; a choice of the best that was free, and a hold-out of it."""
    assert chances_of(choose({"a": 1.0}, 1, "x", 1, idle=0.1, explore=0.0).body()) == pytest.approx(
        {"nothing": 0.1, "a": 0.9}
    )
    add = {"title": "add two", "actions": [{"kind": "add"}], "score": 3.0}
    move = {"title": "move one", "actions": [{"kind": "move"}], "score": 2.0}
    body = {
        "options": [add, move],
        "refused": {"add two": "too dear"},
        "chosen": move,
        "propensity": 0.9,
        "held_out": False,
    }
    assert chances_of(body) == pytest.approx({"move": 0.9, "nothing": 0.1})
    held = body | {"chosen": None, "propensity": 0.1, "held_out": True}
    assert chances_of(held) == pytest.approx({"move": 0.9, "nothing": 0.1})
    idle = body | {"chosen": None, "propensity": 1.0, "held_out": False}
    assert chances_of(idle) == {"nothing": 1.0}
    assert kind_of({"title": "both", "actions": [{"kind": "move"}, {"kind": "add"}]}) == "add and move"
