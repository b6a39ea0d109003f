"""The gate is the model: every (actor, verb, signal, purpose, amount, time), over any history, on every back end."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import Any, ClassVar

import pytest
import tank
from consent_model import SCHOOL, Ask, Policy, World, allowed
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from postgres import NewStore

from gemel.bank import Bank, house
from gemel.consent import VERBS
from gemel.errors import BadInput, Refused
from gemel.facts import DAY, HOUR, MINUTE, Draft

PEOPLE = ("sarah", "tom", "lily", "dr-lee", "nurse", "mallory")
SIGNALS = ("gauge", "tap", "*")
PURPOSES = ("care", "emergency")
AMOUNTS = (None, 1.0, 3.0)

TEXTS: dict[str, tuple[str, Policy]] = {
    "staff": (
        'forbid(principal, action, resource) unless { context.holder || principal in Role::"doctor" };',
        lambda ask, roles, holder, glass: "" if holder or "doctor" in roles else "forbid",
    ),
    "calm": (
        'forbid(principal, action == Action::"act", resource)'
        ' when { context has amount && context.amount.greaterThan(decimal("2.0")) };',
        lambda ask, roles, holder, glass: "forbid" if ask.verb == "act" and (ask.amount or 0) > 2 else "",
    ),
    "night": (
        'permit(principal in Role::"doctor", action == Action::"emergency", resource);',
        lambda ask, roles, holder, glass: "permit" if ask.verb == "emergency" and "doctor" in roles else "",
    ),
    "open": ("permit(principal, action, resource) when { context.purpose == \"care\" };",
             lambda ask, roles, holder, glass: "permit" if ask.purpose == "care" else ""),
    "no-glass": ("forbid(principal, action, resource) when { context.emergency };",
                 lambda ask, roles, holder, glass: "forbid" if glass else ""),
    "broken": ('forbid(principal, action == Action::"fork", resource) when { principal.level > 3 };',
               lambda ask, roles, holder, glass: "forbid" if ask.verb == "fork" else ""),
}  # fmt: skip
"""Cedar texts, and what each says in Python; the last asks for an attribute that nobody has, and so forbids."""


def asks(at: int) -> list[Ask]:
    """Return everything that can be asked at a moment."""
    every = [Ask(*one, None, at) for one in itertools.product(PEOPLE, VERBS, SIGNALS, PURPOSES)]
    acts = [Ask(a, "act", s, p, m, at) for a, s, p, m in itertools.product(PEOPLE, SIGNALS, PURPOSES, AMOUNTS[1:])]
    return every + acts


def differing(bank: Bank, policies: dict[str, Policy], roles: dict[str, list[str]], seen: Counter[bool]) -> list[Any]:
    """Return where gate and model differ."""
    facts = list(bank.thread.read("lily"))
    kinds = ("created/1", "entrusted/1", "dismissed/1", "granted/1", "revoked/1", "broke_glass/1")
    world = World([fact for fact in facts if fact.kind in kinds])
    wrong = []
    for ask in asks(max(bank.now(), world.facts[-1].known_at)):
        said = bank.gate.decide(ask.actor, ask.verb, "lily", ask.signal, ask.purpose, ask.amount)
        must = allowed(world, policies.values(), roles.get(ask.actor, ()), ask)
        seen[must] += 1
        if said.allowed != must:
            wrong.append((ask, must, said))
    return wrong


class Life(RuleBasedStateMachine):
    """Anybody says anything, time goes by, and clocks jump back."""

    where = "memory:"
    seen: ClassVar[Counter[bool]] = Counter()

    @initialize(by=st.sampled_from(["sarah", "lily"]))
    def born(self, by: str) -> None:
        self.bank = tank.bank(self.new_store())
        self.bank.create(tank.Tank, "lily", by=by)
        self.policies: dict[str, Policy] = {}
        self.roles: dict[str, list[str]] = {}

    def new_store(self) -> str:
        return self.where

    def as_(self, who: str, purpose: str = "care") -> Any:
        return self.bank.as_writer("lily", who, purpose)

    def attempt(self, act: Any) -> None:
        with contextlib.suppress(Refused, BadInput):
            act()

    @rule(by=st.sampled_from(PEOPLE), to=st.sampled_from(PEOPLE[3:]), verb=st.sampled_from([*VERBS, "read", "emergency"]),
          signal=st.sampled_from(SIGNALS), purpose=st.sampled_from(PURPOSES), lasts=st.sampled_from([None, HOUR, 3 * DAY]),
          wait=st.sampled_from([None, None, HOUR, 2 * DAY]), hours=st.sampled_from([None, None, SCHOOL]),
          onward=st.sampled_from([0, 0, 1, 2]), bound=st.sampled_from([None, None, {"tap": 2.0}, {"*": 0.5}]))  # fmt: skip
    def grants(self, by: str, to: str, verb: str, signal: str, purpose: str, lasts: int | None, wait: int | None,
               hours: str | None, onward: int, bound: dict[str, float] | None) -> None:  # fmt: skip
        now = self.bank.now()
        terms: dict[str, Any] = {
            "until": None if lasts is None else now + lasts, "since": None if wait is None else now + wait,
            "hours": hours, "onward": onward, "bounds": bound, verb: signal,
        }  # fmt: skip
        self.attempt(lambda: self.as_(by).grant(to=to, purpose=purpose, **terms))

    @rule(by=st.sampled_from(PEOPLE), which=st.integers(0, 20), how=st.sampled_from(["revoke", "revoke", "renew"]))
    def takes_back(self, by: str, which: int, how: str) -> None:
        rights = self.bank.gate.rights("lily")
        ids = [grant.id for grant in (*rights.grants, *rights.glasses)]
        if ids:
            self.attempt(lambda: getattr(self.as_(by), how)(ids[which % len(ids)]))

    @rule(by=st.sampled_from(PEOPLE), to=st.sampled_from(PEOPLE), until=st.sampled_from([None, DAY, 5 * DAY]))
    def entrusts(self, by: str, to: str, until: int | None) -> None:
        self.attempt(lambda: self.as_(by).entrust(to, until=None if until is None else self.bank.now() + until))

    @rule(by=st.sampled_from(PEOPLE[:3]), days=st.integers(1, 4))
    def hands_over(self, by: str, days: int) -> None:
        self.attempt(lambda: self.as_(by).hand_over(self.bank.now() + days * DAY))

    @rule(by=st.sampled_from(PEOPLE), who=st.sampled_from(PEOPLE))
    def dismisses(self, by: str, who: str) -> None:
        self.attempt(lambda: self.as_(by).dismiss(who))

    @rule(by=st.sampled_from(PEOPLE), purpose=st.sampled_from(["emergency", "emergency", "care"]),
          minutes=st.sampled_from([30, 600]), signal=st.sampled_from(SIGNALS))  # fmt: skip
    def breaks_the_glass(self, by: str, purpose: str, minutes: int, signal: str) -> None:
        self.attempt(lambda: self.as_(by, purpose).break_glass("found unconscious", minutes, (signal,)))

    @rule(by=st.sampled_from(PEOPLE), kind=st.sampled_from(["entrusted/1", "dismissed/1", "granted/1", "revoked/1"]),
          to=st.sampled_from(PEOPLE), role=st.sampled_from(["self", "holder"]), n=st.integers(0, 9))  # fmt: skip
    def somebody_writes_it_past_the_twin(self, by: str, kind: str, to: str, role: str, n: int) -> None:
        """Facts that no method would have let through; what they say must not count unless it is theirs to say."""
        now, ids = self.bank.now(), [grant.id for grant in self.bank.grants("lily")] or ["none"]
        bodies: dict[str, dict[str, Any]] = {
            "entrusted/1": {"to": to, "role": role, "from": None, "until": None}, "dismissed/1": {"holder": to},
            "revoked/1": {"grant": ids[n % len(ids)]},
            "granted/1": {"grant": f"forged{by}{to}", "to": to, "purpose": "care", "verbs": ["read"], "signals": ["*"],
                          "until": None, "bounds": {}},
        }  # fmt: skip
        self.bank.append([Draft("lily", kind, bodies[kind], now, by)])

    @rule(name=st.sampled_from(sorted(TEXTS)))
    def adds_a_policy(self, name: str) -> None:
        house.add_policy(self.bank, name, TEXTS[name][0], "boss")
        self.policies[name] = TEXTS[name][1]

    @precondition(lambda self: self.policies)
    @rule(n=st.integers(0, 9))
    def removes_a_policy(self, n: int) -> None:
        name = sorted(self.policies)[n % len(self.policies)]
        house.remove_policy(self.bank, name, "boss")
        del self.policies[name]

    @rule(who=st.sampled_from(PEOPLE), roles=st.sampled_from([[], ["doctor"], ["nurse", "doctor"]]))
    def names_a_role(self, who: str, roles: list[str]) -> None:
        house.name_role(self.bank, who, roles, "boss")
        self.roles[who] = roles

    @rule(by=st.sampled_from([MINUTE, 20 * MINUTE, 11 * HOUR, DAY, 3 * DAY, -DAY]))
    def time_goes_by(self, by: int) -> None:
        """Also backwards: a clock may jump."""
        self.bank.now.now += by
        self.bank.gate.tick()

    @invariant()
    def gate_and_model_agree(self) -> None:
        if hasattr(self, "bank"):
            assert differing(self.bank, self.policies, self.roles, self.seen) == []

    def teardown(self) -> None:
        if hasattr(self, "bank"):
            self.bank.close()


def test_the_gate_is_the_model_whatever_happens() -> None:
    """In memory: many lives; both answers are met often, so that agreement says something."""
    Life.seen.clear()
    run_state_machine_as_test(Life, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))

    assert min(Life.seen[True], Life.seen[False]) > 2_000


def test_the_gate_is_the_model_on_every_store(new_store: NewStore) -> None:
    """On SQLite and on PostgreSQL, which seal, order and read back what is said."""

    class Stored(Life):
        def new_store(self) -> str:
            return new_store()

    run_state_machine_as_test(Stored, settings=settings(max_examples=3, stateful_step_count=10, deadline=None))


# one life, told as a table


def test_every_role_verb_signal_purpose_and_time_of_a_childhood() -> None:
    """A child with two guardians, a clinic with a ward, a night doctor, a school: each moment of it is asked all there is."""
    clock = tank.Clock(tank.BORN)
    bank = Bank.open("memory:", clock, {"tank": tank.Tank})
    sarah = bank.create(tank.Tank, "lily", by="sarah")
    seen: Counter[bool] = Counter()
    policies: dict[str, Policy] = {}
    roles = {"dr-lee": ["doctor"]}
    tom, lee, lily = (bank.as_writer("lily", who, "care") for who in ("tom", "dr-lee", "lily"))
    day = tank.BORN + 14 * DAY

    def played(*steps: Any) -> None:
        for step in steps:
            step()
            for jump in (0, MINUTE, 9 * HOUR, 15 * HOUR):
                clock.now += jump
                bank.gate.tick()
                assert differing(bank, policies, roles, seen) == []

    def policy(name: str) -> None:
        house.add_policy(bank, name, TEXTS[name][0], "boss")
        policies[name] = TEXTS[name][1]

    first: list[Any] = []
    played(
        lambda: sarah.entrust("tom", "guardian"),
        lambda: first.extend(
            sarah.grant(to="dr-lee", purpose="care", read="*", act="tap", bounds={"tap": 2}, onward=1)
        ),
        lambda: lee.grant(to="nurse", purpose="care", read="gauge", hours=SCHOOL),
        lambda: tom.grant(to="nurse", purpose="emergency", emergency="*", bounds={"tap": 0.5}),
        lambda: bank.as_writer("lily", "nurse", "emergency").break_glass("found unconscious", 600),
        lambda: sarah.revoke(first[0].id),
        lambda: tom.hand_over(day),
        lambda: lily.grant(to="nurse", purpose="care", read="gauge", since=day + DAY),
        lambda: house.name_role(bank, "dr-lee", ["doctor"], "boss"),
        lambda: policy("calm"),
        lambda: policy("staff"),
    )
    clock.now = day
    played(lambda: lily.renew(first[1].id), lambda: lily.entrust("tom"), lambda: lily.dismiss("tom"))

    assert seen[True] > 500
    assert seen[False] > 5_000


@pytest.mark.parametrize("rule_", ["revocation", "hand-over", "forbid", "depth"])
def test_a_rule_that_is_left_out_would_be_found(rule_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault planted in the model makes it differ from the gate: the comparison sees what it is for."""
    faults: dict[str, tuple[str, Any]] = {
        "revocation": ("revoked", lambda self, *_: False),
        "hand-over": ("_subject_at", lambda self, at: set()),
        "depth": ("_passes", lambda self, via, by, depth: False),
    }
    if rule_ in faults:
        monkeypatch.setattr(World, *faults[rule_])
    else:
        monkeypatch.setitem(TEXTS, "calm", (TEXTS["calm"][0], lambda *_: ""))

    with pytest.raises(AssertionError):
        test_every_role_verb_signal_purpose_and_time_of_a_childhood()
