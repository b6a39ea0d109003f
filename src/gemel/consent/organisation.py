"""The organisation's side: Cedar policies about the roles of its people, which close, and of which few open."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gemel.consent.cedar import rules
from gemel.consent.purposes import purpose_word
from gemel.consent.request import Request
from gemel.facts import MINUTE, Fact

if TYPE_CHECKING:
    import cedarpy

POLICY, ROLE = "policy/1", "role/1"
KINDS = (POLICY, ROLE)
"""The facts of the house that an organisation is folded from."""

REMEMBERED = 50_000
"""Answers that are remembered; a new policy or role forgets them all."""


@dataclass(frozen=True)
class Policy:
    """A Cedar text under a name; every change of it is a new version."""

    name: str
    text: str
    version: int = 1


@dataclass(frozen=True)
class Role:
    """What the organisation knows of an actor: roles, department, and attributes that policies may ask for."""

    actor: str
    roles: tuple[str, ...] = ()
    department: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Said:
    """Which policies forbid and which permit, and which could not be evaluated, each by name."""

    forbids: tuple[str, ...] = ()
    permits: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def because(self) -> str:
        """Return who said it, as a clause."""
        if not self.forbids:
            return f"policy {', '.join(self.permits)} permits it"
        broken = [text for text in self.failed if text.split(":")[0] in self.forbids]
        why = f" ({'; '.join(broken)})" if broken else ""
        return f"policy {', '.join(self.forbids)} forbids it{why}"


@dataclass(frozen=True)
class Organisation:
    """Policies and roles of those who run the bank; without policies it has no say."""

    policies: tuple[Policy, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=dict, hash=False)

    def says(self, request: Request, *, holder: bool, glass: bool) -> Said:
        """Return what the policies say; a prohibition that cannot be evaluated forbids, a permission permits nothing.

        *holder*: the actor holds the keys. *glass*: what opens this is a broken glass.
        """
        if not self.policies:
            return Said()
        asked = replace(request, purpose=purpose_word(request.purpose), at=request.at // MINUTE * MINUTE)
        known = self._answers.get((asked, holder, glass))
        if known is None:
            if len(self._answers) >= REMEMBERED:
                self._answers.clear()
            known = self._answers[asked, holder, glass] = self._evaluate(asked, holder, glass)
        return known

    @cached_property
    def _answers(self) -> dict[tuple[Request, bool, bool], Said]:
        return {}

    @cached_property
    def _rules(self) -> Mapping[str, Any]:
        """Return every rule of every policy in Cedar's JSON, by `name@version` and its number where there are several."""
        found: dict[str, Any] = {}
        for policy in self.policies:
            made = rules(policy.text)
            for i, rule in enumerate(made):
                found[f"{policy.name}@{policy.version}{f'.{i + 1}' if len(made) > 1 else ''}"] = rule
        return found

    @cached_property
    def _set(self) -> cedarpy.PolicySet:
        import cedarpy

        whole = {"staticPolicies": self._rules, "templates": {}, "templateLinks": []}
        return cedarpy.PolicySet.from_json_str(json.dumps(whole))

    @cached_property
    def _people(self) -> cedarpy.Entities:
        import cedarpy

        return cedarpy.Entities.from_json_str(json.dumps([e for role in self.roles.values() for e in _entities(role)]))

    def _evaluate(self, asked: Request, holder: bool, glass: bool) -> Said:
        import cedarpy

        context = {
            "signal": asked.signal, "purpose": asked.purpose, "at": asked.at, "holder": holder, "emergency": glass,
        }  # fmt: skip
        request = {
            "principal": {"type": "Actor", "id": asked.actor}, "action": {"type": "Action", "id": asked.verb},
            "resource": {"type": "Twin", "id": asked.subject}, "context": context | _decimal(asked.amount),
        }  # fmt: skip
        answer = cedarpy.is_authorized(request, self._set, self._people)
        return self._said(answer.diagnostics.reasons, answer.diagnostics.errors)

    def _said(self, reasons: Iterable[str], errors: Iterable[str]) -> Said:
        failed = {name: error for error in errors for name in self._rules if f"`{name}`" in error}
        having = {*reasons, *failed}
        forbids = sorted(name for name in having if self._rules[name]["effect"] == "forbid")
        permits = sorted(name for name in {*reasons} - {*forbids})
        problems = tuple(f"{name}: {error.split('`: ', 1)[-1]}" for name, error in sorted(failed.items()))
        return Said(tuple(forbids), tuple(permits) if not forbids else (), problems)


NOBODY = Organisation()
"""The side of a bank that no organisation runs."""


def fold_organisation(facts: Iterable[Fact]) -> Organisation:
    """Return what the facts of the house say, in order of seq; a policy with an empty text is none any more."""
    policies: dict[str, Policy] = {}
    roles: dict[str, Role] = {}
    for fact in facts:
        body = fact.body
        if fact.kind == POLICY:
            policies[str(body["name"])] = Policy(str(body["name"]), str(body["text"]), int(body["version"]))
        elif fact.kind == ROLE:
            named = tuple(body.get("roles", ()))
            roles[str(body["actor"])] = Role(
                str(body["actor"]), named, str(body.get("department", "")), dict(body.get("attributes", {}))
            )
    return Organisation(tuple(policy for policy in policies.values() if policy.text), roles)


def _entities(role: Role) -> list[dict[str, Any]]:
    parents = [{"type": "Role", "id": name} for name in role.roles]
    parents += [{"type": "Department", "id": role.department}] if role.department else []
    return [{"uid": {"type": "Actor", "id": role.actor}, "attrs": dict(role.attributes), "parents": parents}]


def _decimal(amount: float | None) -> dict[str, Any]:
    """Return the amount as Cedar's decimal, of four places; rounded away from zero, so that no limit is missed."""
    if amount is None or not math.isfinite(amount) or abs(amount) > 9e14:
        return {}
    places = math.copysign(math.ceil(abs(amount) * 1e4 - 1e-9) / 1e4, amount)
    return {"amount": {"__extn": {"fn": "decimal", "arg": f"{places:.4f}"}}}
