"""Only grants of the subject open anything, only as far as they say, and every decision carries its reason."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gemel.consent import (
    ALL,
    PURPOSES,
    VERBS,
    Decision,
    Grant,
    Holding,
    Request,
    Rights,
    fold,
    grant_body,
    hours,
    purpose_iri,
    revocation_body,
)
from gemel.consent import decide as decided
from gemel.errors import BadInput, NotFound
from gemel.facts import DAY, HOUR, Fact, time_of
from gemel.testing.thread import draft
from gemel.thread import MemoryThread


def decide(grants: Iterable[Grant], request: Request, holder: str) -> Decision:
    """Decide where *holder* holds the keys and there are these grants."""
    return decided(Rights(request.subject, (Holding(holder),), tuple(grants)), request)


GRANT = Grant("lily", "dr-lee", "care", ("read",), ("glucose",), until=10 * DAY, id="g1")
ASK = Request("dr-lee", "read", "lily", "glucose", "care", at=DAY)


@pytest.mark.parametrize(
    ("grant", "request_", "reason"),
    [
        ({}, {}, "dr-lee may read glucose of lily for care: grant g1"),
        ({}, {"actor": "sarah"}, "sarah may read glucose of lily: sarah holds its keys"),
        ({}, {"actor": "acme-ads"}, "acme-ads may not read glucose of lily: no grant names them"),
        ({}, {"purpose": "research"}, "dr-lee may not read glucose of lily: grant g1 is for care, not research"),
        ({}, {"verb": "act"}, "dr-lee may not act glucose of lily: grant g1 allows read, not act"),
        ({}, {"signal": "insulin"}, "dr-lee may not read insulin of lily: grant g1 does not name insulin"),
        ({}, {"signal": "*"}, "dr-lee may not read * of lily: grant g1 does not name all signals"),
        ({"signals": ("*",)}, {"signal": "*"}, "dr-lee may read * of lily for care: grant g1"),
        ({}, {"at": 10 * DAY}, "dr-lee may not read glucose of lily: grant g1 expired at 1970-01-11T00:00:00Z"),
        ({"revoked": DAY}, {}, "dr-lee may not read glucose of lily: grant g1 was revoked at 1970-01-02T00:00:00Z"),
        ({"since": 2 * DAY}, {}, "dr-lee may not read glucose of lily: grant g1 begins at 1970-01-03T00:00:00Z"),
        ({"lapsed": DAY}, {}, "dr-lee may not read glucose of lily: grant g1 ended at 1970-01-02T00:00:00Z, when lily took"
                              " the keys, and was not renewed"),
        ({"hours": "08:00-15:00 UTC"}, {}, "dr-lee may not read glucose of lily: grant g1 holds at 08:00-15:00 UTC only"),
        ({"hours": "08:00-15:00 UTC"}, {"at": DAY + 8 * HOUR}, "dr-lee may read glucose of lily for care: grant g1"),
        ({"via": "g0"}, {}, "dr-lee may not read glucose of lily: grant g1 was given on from g0, which may not be given on"),
        ({"verbs": ("act",), "bounds": {"glucose": 2}}, {"verb": "act", "amount": 2.5},
         "dr-lee may not act glucose of lily: 2.5 is beyond the bound 2 of grant g1"),
        ({"verbs": ("act",), "bounds": {"*": 2}}, {"verb": "act"},
         "dr-lee may not act glucose of lily: no amount is given to compare with the bound 2 of grant g1"),
        ({"verbs": ("act",)}, {"verb": "act", "amount": math.nan},
         "dr-lee may not act glucose of lily: nan is not an amount, and beyond any bound of grant g1"),
        ({"verbs": ("act",), "bounds": {"glucose": 2}}, {"verb": "act", "amount": -2.0},
         "dr-lee may act glucose of lily for care: grant g1"),
    ],
)  # fmt: skip
def test_decisions_say_why(grant: dict[str, Any], request_: dict[str, Any], reason: str) -> None:
    """One sentence: who, what, of whom, and which grant opens it or what the nearest lacks."""
    decision = decide([replace(GRANT, **grant)], replace(ASK, **request_), holder="sarah")

    assert decision.reason == reason
    assert decision.allowed == (" may not " not in reason)
    assert decision.grant_id == ("g1" if reason.endswith("for care: grant g1") else None)


def test_a_refusal_tells_of_the_nearest_grant() -> None:
    """Of many grants, the one that lacks least."""
    grants = [
        replace(GRANT, purpose="research", id="a"),
        replace(GRANT, until=0, id="b"),
        replace(GRANT, verbs=("fork",)),
    ]

    decision = decide(grants, ASK, "sarah")

    assert decision.reason == "dr-lee may not read glucose of lily: grant b expired at 1970-01-01T00:00:00Z"


def test_any_one_grant_is_enough() -> None:
    """A revoked or expired grant takes nothing away from another."""
    grants = [replace(GRANT, revoked=1, id="a"), GRANT, replace(GRANT, until=0, id="b")]

    assert decide(grants, ASK, "sarah").grant_id == "g1"


def test_purposes_are_dpv_terms_or_their_short_words() -> None:
    """A short word, `dpv:` and the full address of one term are the same purpose; no other opens."""
    assert purpose_iri("service") == purpose_iri("dpv:ServiceProvision") == "https://w3id.org/dpv#ServiceProvision"
    assert purpose_iri("care") == "https://w3id.org/dpv/sector/health#ServiceProvision"
    assert len({purpose_iri(word) for word in PURPOSES}) == len(PURPOSES)
    request = replace(ASK, purpose="https://w3id.org/dpv/sector/health#ServiceProvision")
    assert decide([GRANT], request, "sarah").allowed


@pytest.mark.parametrize(
    "purpose", ["", "fun", "dpv:", "dpv:a b", "https://example.org/dpv#Care", "https://w3id.org/dpv"]
)
def test_other_purposes_are_errors_that_name_the_possible(purpose: str) -> None:
    """A misspelt purpose is not a refusal."""
    with pytest.raises(NotFound, match=r"unknown purpose .*; possible: .*care, .*research"):
        replace(GRANT, purpose=purpose)
    with pytest.raises(NotFound):
        replace(ASK, purpose=purpose)


def test_other_verbs_are_errors() -> None:
    """In grants and in requests."""
    for make in (lambda: replace(GRANT, verbs=("read", "see")), lambda: replace(ASK, verb="see")):
        with pytest.raises(
            NotFound, match="unknown verb 'see'; possible: act, emergency, fork, propose, read, study, write"
        ):
            make()


@pytest.mark.parametrize(
    "wrong",
    [
        {"verbs": ()}, {"signals": ()}, {"to": ""}, {"bounds": {"a": -1}}, {"bounds": {"a": math.nan}}, {"onward": 4},
        {"onward": -1}, {"since": 5, "until": 5}, {"hours": "8-15"},
    ],
)  # fmt: skip
def test_a_grant_of_nothing_cannot_be_made(wrong: dict[str, Any]) -> None:
    """Nor one with a bound that bounds nothing."""
    with pytest.raises(BadInput):
        replace(GRANT, **wrong)


def test_grants_do_not_change() -> None:
    """They are facts; single words stand for one verb or signal."""
    with pytest.raises(FrozenInstanceError):
        GRANT.to = "me"  # type: ignore[misc]  # that is the test
    assert Grant("lily", "dr-lee", "care", "read", "*").signals == (ALL,)  # type: ignore[arg-type]  # convenience
    assert replace(GRANT, id="").id == replace(GRANT, id="").id != replace(GRANT, id="", to="dr-wu").id


# hours


@pytest.mark.parametrize(
    ("window", "moment", "open_"),
    [
        ("08:00-15:00 Europe/Paris Mon-Fri", "2026-11-20T07:00:00Z", True),  # a Friday, winter: 8 in Paris
        ("08:00-15:00 Europe/Paris Mon-Fri", "2026-11-20T06:59:59Z", False),
        ("08:00-15:00 Europe/Paris Mon-Fri", "2026-11-20T14:00:00Z", False),
        ("08:00-15:00 Europe/Paris Mon-Fri", "2026-11-21T10:00:00Z", False),  # a Saturday
        ("08:00-15:00 Europe/Paris Mon-Fri", "2026-07-03T06:00:00Z", True),  # summer time
        ("22:00-06:00 UTC Fri", "2026-11-21T05:59:00Z", True),  # Friday's night goes on
        ("22:00-06:00 UTC Fri", "2026-11-20T05:59:00Z", False),  # Thursday's is none
        ("08:00-15:00 UTC Sat-Mon,Wed", "2026-11-22T09:00:00Z", True),
        ("08:00-15:00 UTC Sat-Mon,Wed", "2026-11-24T09:00:00Z", False),
    ],
)
def test_hours_are_those_of_the_place(window: str, moment: str, open_: bool) -> None:
    """In its own time zone, summer time kept; a window past midnight belongs to the day on which it begins."""
    assert hours(window).open(time_of(moment)) is open_


@given(
    st.integers(0, 10**12), st.sampled_from(["08:00-15:00 Europe/Paris Mon-Fri", "22:00-06:30 America/New_York Sat"])
)
def test_hours_turn_where_they_say(at: int, window: str) -> None:
    """Nothing opens or closes between a moment and the next turn."""
    span, turn = hours(window), hours(window).turns(at)

    assert at < turn <= at + 2 * DAY
    assert {span.open(at + (turn - 1 - at) * i // 7) for i in range(8)} == {span.open(at)}


@pytest.mark.parametrize(
    "text",
    ["", "8-15", "08:00-15:00", "08:00-25:00 UTC", "08:00-08:00 UTC", "08:00-15:00 Mars/Base", "08:00-09:00 UTC Foo"],
)
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    """With an example of what can."""
    with pytest.raises(BadInput, match="such as '08:00-15:00 Europe/Paris Mon-Fri'"):
        hours(text)


# grants as facts


def _told(*said: tuple[str, str, dict[str, Any]]) -> list[Fact]:
    """Return facts about lily, whose keys sarah holds: who said what."""
    thread = MemoryThread()
    first = ("sarah", "created/1", {"holder": "sarah"})
    for now, (by, kind, body) in enumerate([first, *said]):
        thread.append([draft(twin="lily", kind=kind, body=body, by=by, true_at=now)], now)
    return list(thread.read())


def test_grants_survive_as_facts() -> None:
    """What is folded back is what was granted, and by whom; what is not set is not said."""
    full = replace(
        GRANT, verbs=VERBS, signals=("basal", "bolus"), bounds={"bolus": 2.5}, id="", since=3, onward=2,
        hours="08:00-15:00 UTC",
    )  # fmt: skip

    assert fold("lily", _told(("sarah", "granted/1", grant_body(full)))).grants == (replace(full, by="sarah"),)
    assert not {"since", "hours", "onward", "via"} & set(grant_body(GRANT))


def test_a_revocation_closes_and_a_new_grant_opens_again() -> None:
    """In the order of the facts."""
    given, taken = ("sarah", "granted/1", grant_body(GRANT)), ("sarah", "revoked/1", revocation_body("g1"))

    states = [
        decided(fold("lily", _told(*said)), ASK).allowed for said in ([given], [given, taken], [given, taken, given])
    ]

    assert states == [True, False, True]


def test_a_later_clock_cannot_postpone_a_revocation() -> None:
    """It holds from when it was said at the latest."""
    facts = _told(("sarah", "granted/1", grant_body(GRANT)), ("sarah", "revoked/1", revocation_body("g1")))
    facts[2] = replace(facts[2], true_at=5 * DAY)

    assert fold("lily", facts).grants[0].revoked == 2


def test_only_holders_grant_and_revoke() -> None:
    """What others say opens nothing and closes nothing."""
    forged = ("mallory", "granted/1", grant_body(replace(GRANT, to="mallory", id="m")))
    facts = _told(forged, ("sarah", "granted/1", grant_body(GRANT)), ("mallory", "revoked/1", revocation_body("g1")))
    rights = fold("lily", facts)

    assert [grant.id for grant in rights.grants] == ["g1"]
    assert decided(rights, ASK).allowed
    assert not decided(rights, replace(ASK, actor="mallory")).allowed


def test_revoking_what_was_not_granted_changes_nothing() -> None:
    """And other kinds of facts, and other subjects, are passed over."""
    facts = _told(("sarah", "revoked/1", revocation_body("g9")), ("cgm", "observed/1", {"value": 1}))

    assert fold("lily", facts).grants == ()
    assert fold("max", facts) == Rights("max")


def test_a_circle_of_grants_opens_nothing() -> None:
    """Two grants that each say they were given on from the other."""
    one = replace(GRANT, id="one", to="a", by="b", via="two", onward=3)
    two = replace(GRANT, id="two", to="b", by="a", via="one", onward=3)

    assert not decided(Rights("lily", grants=(one, two)), replace(ASK, actor="a")).allowed


# against a model written from the rules alone

PEOPLE, SIGNALS, WHY = (
    ("sarah", "dr-lee", "acme-ads", "lily"),
    ("glucose", "bolus"),
    ("care", "research", "dpv:Marketing"),
)

grants = st.builds(
    Grant,
    subject=st.just("lily"),
    to=st.sampled_from(PEOPLE),
    purpose=st.sampled_from(WHY),
    verbs=st.sets(st.sampled_from(VERBS), min_size=1).map(tuple),
    signals=st.sampled_from([("*",), ("glucose",), ("bolus",), SIGNALS]),
    until=st.none() | st.integers(0, 10),
    bounds=st.dictionaries(st.sampled_from([*SIGNALS, "*"]), st.floats(0, 5)),
    revoked=st.none() | st.integers(0, 10),
)
requests = st.builds(
    Request,
    actor=st.sampled_from(PEOPLE),
    verb=st.sampled_from(VERBS),
    subject=st.just("lily"),
    signal=st.sampled_from([*SIGNALS, "*"]),
    purpose=st.sampled_from([*WHY, "marketing"]),
    at=st.integers(0, 10),
    amount=st.none() | st.floats(-6, 6) | st.just(math.nan),
)


def model(given_: list[Grant], ask: Request) -> bool:
    """Return whether the rules allow it: sarah holds lily's keys."""
    same = {"marketing": "dpv:Marketing"}
    for grant in given_:
        if grant.to != ask.actor:
            continue
        conditions = [grant.revoked is None, grant.until is None or ask.at < grant.until, ask.verb in grant.verbs]
        conditions.append(grant.purpose == same.get(ask.purpose, ask.purpose))
        conditions.append("*" in grant.signals or ask.signal in grant.signals)
        if ask.verb == "act":
            amount = 0.0 if ask.amount is None else ask.amount
            limits = [grant.bounds[name] for name in (ask.signal, "*") if name in grant.bounds][:1]
            conditions.append(amount == amount)
            conditions += [ask.amount is not None and -most <= amount <= most for most in limits]
        if all(conditions):
            return True
    return ask.actor == "sarah"


@settings(max_examples=400, deadline=None)
@given(st.lists(grants, max_size=5), requests)
def test_decisions_are_those_of_the_rules(given_: list[Grant], ask: Request) -> None:
    """Allowed exactly when the model allows; the reason and the grant belong to the decision."""
    decision = decide(given_, ask, "sarah")

    event("allowed" if decision.allowed else "refused")
    assert decision.allowed == model(given_, ask)
    assert decision.reason.startswith(
        f"{ask.actor} may {'' if decision.allowed else 'not '}{ask.verb} {ask.signal} of lily"
    )
    assert (decision.grant_id in {grant.id for grant in given_}) == (decision.allowed and ask.actor != "sarah")


@settings(max_examples=300, deadline=None)
@given(st.lists(grants, max_size=4), grants, requests)
def test_another_grant_never_closes_and_less_never_opens(given_: list[Grant], more: Grant, ask: Request) -> None:
    """Grants add up; revoking all of them leaves the holder alone."""
    before = decide(given_, ask, "sarah").allowed

    assert not before or decide([*given_, more], ask, "sarah").allowed
    assert decide([replace(grant, revoked=0) for grant in given_], ask, "sarah").allowed == (ask.actor == "sarah")


@settings(max_examples=200, deadline=None)
@given(st.lists(grants, max_size=5), requests)
def test_the_order_of_grants_does_not_matter_for_the_answer(given_: list[Grant], ask: Request) -> None:
    """Only for which of two sufficient grants is named."""
    answers = {decide(order, ask, "sarah").allowed for order in (given_, given_[::-1])}

    assert len(answers) == 1
    assert isinstance(decide(iter(given_), ask, "sarah"), Decision)
