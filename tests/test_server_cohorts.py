"""Cohorts over HTTP: what comes out, what it costs, and who is turned away, is what the bank itself says."""

from __future__ import annotations

from typing import Any

import pytest
from serving import HOME, NOW, Works, bearer, secret_of
from tank import drafts, lived

from gemel.facts import HOUR

ASK = {"query": "tank", "of": "gauge", "statistic": "count", "epsilon": 1.0}
RESEARCH = {"Gemel-Purpose": "research"}


@pytest.fixture
def works() -> Works:
    """Return works with eight more tanks, of which seven let eve study their gauge; she has a budget of three."""
    works = Works()
    for i in range(8):
        made = works.bank.create("tank", f"t{i}", by="zoe")
        works.bank.append(drafts(*lived(0.5, seed=i), twin=f"t{i}"))
        if i:
            made.grant(to="eve", purpose="research", study="gauge")
    works.bank.budgets.set("eve", 3.0, by="ann", now=NOW)
    return works


def test_an_aggregate_comes_out_and_is_paid_for(works: Works) -> None:
    """Noise, price and record are those of the bank; the budget tells what was asked."""
    with works.door("eve") as door:
        found = door.post("/api/cohorts/ask", json={**ASK, "until": NOW + HOUR}, headers=RESEARCH).json()
        assert (found["statistic"], found["left"], found["reason"]) == ("count", 2.0, "")
        assert found["mechanism"] == "discrete Laplace, scale 1" and isinstance(found["value"], int)
        quantiles = {**ASK, "statistic": "quantiles", "levels": [0.5]}
        assert set(door.post("/api/cohorts/ask", json=quantiles, headers=RESEARCH).json()["value"]) == {"0.5"}

        budget = door.get("/api/cohorts/budget").json()
    held = works.bank.budgets.of("eve")
    assert (budget["total"], budget["spent"], budget["left"]) == (held.total, held.spent, held.left) == (3.0, 2.0, 1.0)
    assert [one["question"]["statistic"] for one in budget["asked"]] == ["count", "quantiles"]
    assert any(fact.body["actor"] == "eve" for fact in works.thread.read("t3", kinds=["accessed/1"]))


def test_a_small_group_is_held_back_and_costs(works: Works) -> None:
    """There is no value, and the reason says why."""
    with works.door("eve") as door:
        found = door.post("/api/cohorts/ask", json={**ASK, "twins": ["t1", "t2"]}, headers=RESEARCH).json()
    assert found["value"] is None and found["reason"].startswith("held back: fewer than 5 members")
    assert found["left"] == 2.0


def test_an_ask_that_is_sent_again_with_its_key_is_paid_once(works: Works) -> None:
    """And answered with the same noise."""
    with works.door("eve") as door:
        sent = [door.post("/api/cohorts/ask", json=ASK, headers={**RESEARCH, "Idempotency-Key": "a"}) for _ in "ab"]
    assert sent[0].json() == sent[1].json()
    assert works.bank.budgets.of("eve").spent == 1.0


@pytest.mark.parametrize(
    ("who", "changed", "status"),
    [
        ("ann", {}, 403), ("eve", {"epsilon": 4.0}, 403), ("eve", {"epsilon": 0}, 422), ("eve", {"minimum": 2}, 422),
        ("eve", {"statistic": "rows"}, 422), ("eve", {"of": "nothing"}, 404), ("eve", {"query": "tank[gauge>1]"}, 422),
        ("eve", {"query": "ship"}, 404), ("eve", {"statistic": "share"}, 422), ("eve", {"bounds": [2, 1]}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_and_costs_nothing(
    works: Works, who: str, changed: dict[str, Any], status: int
) -> None:
    """No budget, too little of it, no such thing, or a single twin's row: one error shape, and no price."""
    with works.door(who) as door:
        answer = door.post("/api/cohorts/ask", json={**ASK, **changed}, headers=RESEARCH)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert works.bank.budgets.of(who).spent == 0


def test_a_token_needs_the_scope_of_study(works: Works) -> None:
    """One that only reads asks no cohort, and sees no budget."""
    works.tokens.create(secret_of("eve-reads"), "eve", ["research"], by="ann", scopes=["read", "write"])
    with works.door(None) as door:
        for answer in (
            door.post(f"{HOME}/api/cohorts/ask", json=ASK, headers=bearer("eve-reads")),
            door.get(f"{HOME}/api/cohorts/budget", headers=bearer("eve-reads")),
        ):
            assert answer.status_code == 403 and "not study" in answer.text
