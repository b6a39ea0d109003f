"""A customer's own journey, from events on a thread: where she is, what is expected, and why."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from tank import Clock, bank

from gemel.bank import Bank, Twin
from gemel.dynamics import Event
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, SECOND, Draft, Time
from gemel.packs.service.kind import service_type
from gemel.packs.service.own import expected, log_of_events, own
from gemel.process.calendar import Arrivals, Calendar
from gemel.process.duration import exponential
from gemel.process.network import ANY, Customers, Network, Pool, Station, Task, Team

T0: Time = 1_700_000_000_000

DESK = Network(
    "desk",
    (Customers("people", Arrivals((6.0,) * 168), "talk"),),
    (Task("talk", "desk", then="pay"), Task("pay", "till")),
    (
        Station("desk", {ANY: exponential(300.0)}, (Team("clerks"),), promise=600.0),
        Station("till", {ANY: exponential(60.0)}, (Team("clerks"),)),
    ),
    (Pool("clerks", Calendar.always(2)),),
)


def event(case: str, phase: str, at: Time, activity: str = "", who: str = "") -> Draft:
    """Return an event as a fact to be stored."""
    key = f"{case}|{phase}|{activity}"
    body = {
        "name": "log", "case": case, "phase": phase, "activity": activity, "resource": who, "source": "", "key": key,
        "attributes": {"customers": "people"} if phase == "arrived" else {},
    }  # fmt: skip
    return Draft("desk", "happened/1", body, at, "desk", key=key)


def visit(case: str, at: Time, wait: Time) -> list[Draft]:
    """Return the events of one who waited so long, talked for five minutes, paid within one, and left."""
    begun = at + wait
    return [
        event(case, "arrived", at), event(case, "queued", at, "talk"), event(case, "started", begun, "talk", "ann"),
        event(case, "completed", begun + 5 * MINUTE, "talk", "ann"), event(case, "queued", begun + 5 * MINUTE, "pay"),
        event(case, "started", begun + 5 * MINUTE, "pay", "bob"),
        event(case, "completed", begun + 6 * MINUTE, "pay", "bob"), event(case, "left", begun + 6 * MINUTE),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def served() -> tuple[Bank, Twin]:
    """Return the twin of a desk that saw 40 customers, who waited 0 to 39 min; eve waits for 12 min now."""
    made = Bank.open("memory:", Clock(T0), {"service.desk": service_type(DESK, members=8)})
    desk = made.create("service.desk", "desk", by="sarah")
    drafts = [one for i in range(40) for one in visit(f"c{i}", T0 + i * HOUR, i * MINUTE)]
    since = T0 + 50 * HOUR
    made.append([*drafts, event("eve", "arrived", since), event("eve", "queued", since, "talk")])
    made.now.now = since + 12 * MINUTE  # type: ignore[attr-defined]
    return made, desk


def test_she_sees_where_she_is_and_what_is_expected_and_why(served: tuple[Bank, Twin]) -> None:
    """Twelve minutes in, of forty before her those who waited that long count: nothing quicker can come."""
    made, desk = served
    found = own(desk, "eve")
    assert found.where == "waiting for talk"
    assert (found.steps[0].waited, found.steps[0].promised, found.steps[0].told) == (720.0, 600.0, True)
    next_, end = found.ahead
    assert (next_.what, end.what) == ("pay", "all done")
    assert made.now() <= next_.low <= next_.high <= T0 + 50 * HOUR + 45 * MINUTE
    assert end.high >= next_.high
    assert "eight of ten of the" in end.why
    assert "2 min longer than promised" in str(found)


def test_what_is_expected_holds_eight_of_ten(served: tuple[Bank, Twin]) -> None:
    """Spans made from some are held against others: about eight in ten of the ends lie within."""
    rng, held = np.random.default_rng(1), []
    for _ in range(60):
        waits = rng.exponential(10, 41) * MINUTE
        drafts = [one for i, wait in enumerate(waits) for one in visit(f"c{i}", T0 + i * HOUR, int(wait))]
        told = [
            Event(str(d.body["case"]), str(d.body["phase"]), d.true_at, str(d.body["activity"]), "", {})
            for d in drafts if d.body["case"] != "c40" or d.true_at == T0 + 40 * HOUR
        ]  # fmt: skip
        over = {one.case: one.at for one in told if one.phase == "left"}
        end = expected(log_of_events(told), "c40", over, T0 + 40 * HOUR)[-1]
        held.append(end.low <= T0 + 40 * HOUR + int(waits[40]) + 6 * MINUTE <= end.high)
    assert 0.68 <= np.mean(held) <= 0.92


def test_who_has_left_expects_nothing_and_the_past_can_be_asked_for(served: tuple[Bank, Twin]) -> None:
    """Where c5 was after two minutes of her five; at the end she is done."""
    _, desk = served
    assert own(desk, "c5").ahead == ()
    assert own(desk, "c5").where == "done: pay"
    early = own(desk, "c5", T0 + 5 * HOUR + 2 * MINUTE)
    assert (early.where, early.steps[0].waited) == ("waiting for talk", 2 * MINUTE / SECOND)
    assert early.ahead == ()  # five before her are too few


def test_what_cannot_be_seen_is_told(served: tuple[Bank, Twin]) -> None:
    """A case that is none, a twin that is no service, an asker without a right."""
    made, desk = served
    with pytest.raises(NotFound, match="unknown case 'mallory'"):
        own(desk, "mallory")
    with pytest.raises(BadInput, match="tank is no service"):
        own(bank().create("tank", "tank", by="ann"), "eve")
    desk.grant(to="bea", purpose="service", propose="staff.clerks")
    with pytest.raises(Refused, match="bea may not read"):
        own(made.find("desk", by="bea", purpose="service"), "eve")


def test_the_command_says_it(
    served: tuple[Bank, Twin], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gemel journey`, for people and for programs."""
    from gemel.cli import journeying, main

    monkeypatch.setattr(journeying, "opened", lambda store: nullcontext(served[0]))
    for words, said in ((["--json"], '"where": "waiting for talk"'), ([], "eve, waiting for talk")):
        monkeypatch.setattr(sys, "argv", ["gemel", "journey", "desk", "eve", "--as", "sarah", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr().out
        assert (not stop.value.code, said in out) == (True, True)
        assert not words or json.loads(out)["ahead"][0]["what"] == "pay"
