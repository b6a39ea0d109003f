"""Decision memory and accounts: like situations come back with what was done and what came of it, and who did it is told."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Works
from tank import BORN, Tank, bank, drafts, lived

from gemel.bank import Bank, Twin
from gemel.bank.account import CHOSEN, accounts
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, Draft, Time
from gemel.intervention import Intervention
from gemel.loop.memory import Memory, Past, distance, gained, ranked, remember

START: Time = BORN + 2 * HOUR


def tanks(where: str = "memory:") -> tuple[Bank, Twin]:
    """Return a bank with a tank of ann's that lived two hours."""
    made = bank(where, START)
    tank = made.create("tank", "tank", by="ann")
    made.append(drafts(*lived(2.0)))
    return made, tank


def read(made: Bank, level: float) -> None:
    """Put a reading on record, now."""
    now = made.now()
    body = {"name": "gauge", "value": level, "unit": "L", "source": "", "key": f"gauge|{now}"}
    made.append([Draft("tank", "observed/1", body, now, "gauge", key=f"gauge|{now}")])


def lived_through(made: Bank, tank: Twin, level: float, title: str, gain: float | None, **more: Any) -> int:
    """Let an hour pass, read a level, propose a bucket, decide, and put on record what came of it; return its seq."""
    made.now.now += HOUR  # type: ignore[attr-defined]
    read(made, level)
    bucket = Intervention(title, (Dose("bucket", 5.0, made.now() + MINUTE),))
    seq = tank.propose(bucket, f"the level is {level:g}", **more).seq
    tank.decide(seq, approve=gain is not None, note="as seen")
    if gain is not None:
        body = {
            "proposal": seq, "signal": "gauge", "unit": "L", "hours": 2.0, "happened": 20.0, "nothing_done": 20.0 - gain,
            "nothing_done_80": [19.0 - gain, 21.0 - gain], "difference": gain, "difference_80": [gain - 1, gain + 1],
            "n": 24, "doses_reported": 1,
        }  # fmt: skip
        made.append([Draft("tank", "outcome/1", body, made.now(), "loop:outcomes", (seq,), key=f"outcome|{seq}")])
    return seq


@pytest.fixture
def past() -> Iterator[tuple[Bank, Twin, dict[str, int]]]:
    """Yield a tank that ran dry three times and was full once, with what was done each time."""
    made, tank = tanks()
    seqs = {
        "one bucket": lived_through(made, tank, 10.0, "one bucket", 3.0),
        "two buckets": lived_through(made, tank, 11.0, "two buckets", 8.0),
        "full": lived_through(made, tank, 110.0, "open the drain", 1.0),
        "left": lived_through(made, tank, 9.0, "a third bucket", None),
    }
    yield made, tank, seqs


def test_like_situations_come_back_best_outcome_first(past: tuple[Bank, Twin, dict[str, int]]) -> None:
    """The tank is low again: the two buckets that helped most come first, the one of the full tank not at all."""
    made, tank, _ = past
    made.now.now += HOUR  # type: ignore[attr-defined]
    read(made, 10.5)
    found = remember(tank, most=3)
    assert [one.title for one in found.alike] == ["two buckets", "one bucket", "a third bucket"]
    assert [one.gain for one in found.alike] == [8.0, 3.0, None]
    assert found.alike[2].status == "rejected"
    assert found.by_action == {"two buckets": (1, 8.0), "one bucket": (1, 3.0)}
    assert "proposed by ann, approved by ann" in str(found)


def test_only_what_was_before_a_proposal_counts(past: tuple[Bank, Twin, dict[str, int]]) -> None:
    """To the second proposal only the first was known; to the first nothing."""
    _, tank, seqs = past
    assert [one.seq for one in remember(tank, seqs["two buckets"]).alike] == [seqs["one bucket"]]
    assert "no like situation is on record" in str(remember(tank, seqs["one bucket"]))
    with pytest.raises(NotFound, match="has no proposal 999"):
        remember(tank, 999)


def test_gauges_that_a_choice_put_on_record_are_the_situation(past: tuple[Bank, Twin, dict[str, int]]) -> None:
    """An agent's own gauges go before those that are read off the thread."""
    made, tank, _ = past
    body = {"chosen": "bucket", "options": [], "propensity": 0.9, "held_out": False, "situation": {"queue": 7.0}}
    fact = made.append([Draft("tank", CHOSEN, body, made.now(), "agent:x")]).facts[0]
    seq = lived_through(made, tank, 10.0, "with gauges", 1.0, cause=(fact.seq,))
    assert remember(tank, seq).situation == {"queue": 7.0}


def test_now_is_held_against_choices_by_their_own_gauges() -> None:
    """A choice that put the level on record is found again by the level that is believed now."""
    made, tank = tanks()
    body = {"chosen": "bucket", "options": [], "propensity": 0.9, "held_out": False, "situation": {"tank.level": 9.0}}
    fact = made.append([Draft("tank", CHOSEN, body, made.now(), "agent:x")]).facts[0]
    lived_through(made, tank, 10.0, "with gauges", 1.0, cause=(fact.seq,))
    found = remember(tank)
    assert list(found.situation) == ["tank.level"]
    assert found.situation["tank.level"] == pytest.approx(tank.situation().state["tank.level"])
    assert [one.title for one in found.alike] == ["with gauges"]


GAUGES = st.dictionaries(st.sampled_from("abc"), st.integers(-9, 9).map(float), max_size=3)


def a_past(seq: int, gain: float | None, situation: dict[str, float]) -> Past:
    """Return a past decision."""
    return Past(seq, seq, "t", "", "x", "", "delivered", gain, None, "", situation)


@given(
    GAUGES,
    st.lists(st.tuples(st.one_of(st.none(), st.integers(-5, 5).map(float)), GAUGES), max_size=8),
    st.integers(1, 4),
)
def test_the_most_alike_are_chosen_and_then_ordered_by_outcome(
    here: dict[str, float], pasts: list[tuple[float | None, dict[str, float]]], most: int
) -> None:
    """None that is left out is nearer than one that is shown; gains fall; unknown ones are last; itself is nearest."""
    known = [a_past(i, gain, situation) for i, (gain, situation) in enumerate(pasts)]
    found = ranked(here, known, most)
    comparable = [one for one in known if one.situation.keys() & here.keys()]
    assert len(found) == min(most, len(comparable))
    far = [one.distance for one in ranked(here, known, 100) if one.seq not in {shown.seq for shown in found}]
    assert not far or min(far) >= max(one.distance for one in found)
    gains = [one.gain for one in found]
    assert gains == sorted(gains, key=lambda gain: (gain is None, -(gain or 0)))
    assert distance(here, here, dict.fromkeys("abc", 1.0)) == (0.0 if here else float("inf"))


def test_what_came_of_an_action_is_how_much_nearer_it_came() -> None:
    """Below the band by 10 without it, by 4 with it: 6 better; within the band nothing is gained."""
    body = {"signal": "gauge", "happened": 16.0, "nothing_done": 10.0, "nothing_done_80": [8.0, 12.0]}
    assert gained(body, Tank) == (6.0, (4.0, 8.0))
    well = {"signal": "gauge", "happened": 50.0, "nothing_done": 60.0, "nothing_done_80": [10.0, 90.0]}
    assert gained(well, Tank) == (0.0, (0.0, 10.0))
    assert gained({"gain": 2, "gain_80": [1, 3]}, Tank) == (2.0, (1.0, 3.0))
    assert gained({"signal": "other", "happened": 1.0}, Tank) == (None, None)


# accounts


def case_facts(made: Bank) -> int:
    """Put an event of a case, a choice that rests on it, and a hold-out on record; return the choice's seq."""
    now = made.now()
    event = {"name": "log", "case": "eve", "phase": "queued", "activity": "triage", "resource": "", "attributes": {},
             "source": "", "key": "e1"}  # fmt: skip
    seq = made.append([Draft("tank", "happened/1", event, now, "desk")]).facts[0].seq
    options = [
        {"title": "one bucket", "score": 2.0},
        {"title": "nothing", "score": 0.0},
        {"title": "drain", "score": 3.0},
    ]
    body = {
        "chosen": "one bucket",
        "options": options,
        "propensity": 0.93,
        "held_out": False,
        "refused": {"drain": "too dear"},
    }
    chosen = made.append([Draft("tank", CHOSEN, body, now, "agent:helper", (seq,))]).facts[0].seq
    held = {"chosen": None, "options": options, "propensity": 0.05, "held_out": True}
    made.append([Draft("tank", CHOSEN, held, now + 1, "agent:helper", ())])
    return chosen


def test_an_account_tells_state_forecast_alternatives_choice_actor_and_outcome() -> None:
    """All of it in words, and what chance left alone is told too."""
    made, tank = tanks()
    seq = lived_through(made, tank, 10.0, "one bucket", 3.0, cause=(case_facts(made),))
    told, left = sorted(accounts(tank), key=lambda one: one.status)
    assert (told.seq, told.cases, told.chance) == (seq, ("eve",), 0.93)
    assert told.state == ("eve: triage queued",)
    assert told.alternatives == ("one bucket, score 2", "nothing, score 0", "drain, score 3, refused: too dear")
    assert "Approved by ann: as seen" in told.history[0]
    assert told.outcome.startswith("Gauge averaged 20 L over 2 h; without the action 17")
    assert "ann proposed it for self-management; ann decided" in str(told)
    assert (left.status, left.by, left.body()["software"]) == ("left alone", "agent:helper", ["agent:helper"])


def test_an_account_is_of_one_case_or_of_one_actor() -> None:
    """Others are left out; a case that nobody knows is named."""
    made, tank = tanks()
    lived_through(made, tank, 10.0, "one bucket", 3.0, cause=(case_facts(made),))
    lived_through(made, tank, 10.0, "another", 3.0)
    assert [one.title for one in accounts(tank, case="eve")] == ["one bucket"]
    assert [one.title for one in accounts(tank, actor="agent:helper")] == ["nothing"]
    assert accounts(tank, actor="nobody") == []
    with pytest.raises(BadInput, match="nothing is on record about 'mallory' of tank"):
        accounts(tank, case="mallory")


def test_who_may_not_read_all_sees_neither() -> None:
    """Memory and accounts tell everything: a right to one signal does not open them."""
    made, tank = tanks()
    tank.grant(to="bea", purpose="care", read="gauge")
    seen = made.find("tank", by="bea", purpose="care")
    for ask in (remember, accounts):
        with pytest.raises(Refused, match="bea may not read"):
            ask(seen)


# the doors


def test_the_server_answers_as_the_library_does() -> None:
    """The same memory and account over HTTP; the stranger finds nothing."""
    works = Works()
    works.north.propose(Intervention("a bucket", (Dose("bucket", 2.0, works.clock.now + MINUTE),)), "to see")
    with works.door() as door:
        memory, account = (door.get(f"/api/twins/north/{noun}").json() for noun in ("memory", "account"))
        assert memory["alike"][0]["title"] == "a bucket"
        assert account[0]["status"] == "open"
        assert door.get("/api/twins/north/account?case=eve").status_code == 422
    with works.door("bea") as door:
        assert door.get("/api/twins/north/memory").status_code == 403
    with works.door("eve") as door:
        assert door.get("/api/twins/north/account").status_code == 404


def test_the_commands_say_it_and_give_it_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gemel memory` and `gemel account`, for people and for programs."""
    from gemel.cli import remembering

    made, tank = tanks()
    lived_through(made, tank, 10.0, "one bucket", 3.0)
    monkeypatch.setattr(remembering, "opened", lambda store: __import__("contextlib").nullcontext(made))
    from gemel.cli import main

    def gemel(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["gemel", *words, "--as", "ann"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        return capsys.readouterr().out

    assert json.loads(gemel("memory", "tank", "--json"))["alike"][0]["gain"] == 3.0
    assert "one bucket: +3 on average of 1" in gemel("memory", "tank")
    assert json.loads(gemel("account", "tank", "--json"))["interventions"][0]["title"] == "one bucket"
    assert "outcome      Gauge averaged 20 L" in gemel("account", "tank", "--actor", "ann")
    assert gemel("account", "tank", "--since", "2030-01-01T00:00:00Z") == "no intervention is on record\n"


def test_nothing_on_record_is_said() -> None:
    """A young twin remembers nothing."""
    _, tank = tanks()
    assert isinstance(found := remember(tank), Memory)
    assert found.body()["alike"] == []
