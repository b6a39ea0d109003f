"""A fit is adopted only where it foretells days it has not seen, and it is on record either way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tank import BORN, bank, drafts, lived

from gemel.bank import Bank, Fit
from gemel.errors import BadInput, Refused
from gemel.facts import DAY

LEAK = 0.06


def filled(leak: float, hours: float = 24) -> Bank:
    made = bank(at=BORN + DAY)
    made.create("tank", "tank", by="me")
    made.append(drafts(*lived(hours, leak)))
    return made


@cache
def personalised() -> tuple[Bank, Fit]:
    made = filled(LEAK)
    return made, made.find("tank", by="me", purpose="care").personalise(days=1)


def test_a_tank_that_leaks_otherwise_than_most_is_found_out_and_believed() -> None:
    made, fit = personalised()
    leak = fit.parameters["tank.leak"]
    assert leak.value == pytest.approx(LEAK, rel=0.2)
    assert fit.adopted and fit.held_out.crps < fit.held_out.crps_before
    assert made.replica("tank").constants == {"tank.leak": leak.value}
    assert np.asarray(made.belief_at("tank", BORN + DAY).values["tank.leak"]) == pytest.approx(leak.value)


def test_a_fit_is_on_record_with_its_cause_and_says_what_it_is() -> None:
    made, fit = personalised()
    fact = made.thread.get(fit.seq)
    assert (fact.kind, fact.by, fact.body["adopted"]) == ("personalised/1", "me", True)
    assert made.thread.get(fact.cause[0]).kind == "observed/1"
    assert all(word in str(fit) for word in ("tank.leak", "1/min", "90 %", "unseen", "adopted", "temper"))


def test_another_bank_on_the_same_facts_believes_the_same() -> None:
    made, _ = personalised()
    a, b = made.replica("tank").belief(), made.replica_known_by("tank", None).belief()
    assert a is not None and b is not None
    assert all(np.array_equal(a.belief.values[name], b.belief.values[name]) for name in b.belief.values)


def test_a_fit_that_foretells_worse_is_not_adopted() -> None:
    """The tank mends its leak on the day that is held out, so that what was fitted is no longer true."""
    made = bank(at=BORN + DAY)
    made.create("tank", "tank", by="me")
    plan, leaky = lived(24, LEAK)
    _, sound = lived(24, 0.02)
    mended = BORN + DAY * 2 // 3
    made.append(drafts(plan, [r for r in leaky if r.at <= mended] + [r for r in sound if r.at > mended]))
    fit = made.find("tank", by="me", purpose="care").personalise(days=1)
    assert not fit.adopted and "not adopted" in str(fit)
    assert made.replica("tank").constants == {}
    assert made.thread.get(fit.seq).body["adopted"] is False


def test_who_may_not_write_may_not_personalise() -> None:
    made = filled(0.02, hours=1)
    made.find("tank", by="me", purpose="care").grant(to="dr-lee", purpose="care", read="*")
    with pytest.raises(Refused, match="dr-lee may not write"):
        made.find("tank", by="dr-lee", purpose="care").personalise()


def test_too_few_readings_are_refused_with_how_many_there_are() -> None:
    with pytest.raises(BadInput, match=r"\d+ readings of gauge to fit"):
        filled(0.02, hours=2).find("tank", by="me", purpose="care").personalise(days=1)
