"""The house: policies and roles of those who run the bank, as facts of `@house`; a text that cannot be read is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gemel.consent import Policy, Role, rules
from gemel.consent.organisation import POLICY, ROLE
from gemel.errors import BadInput, unknown
from gemel.facts import HOUSE, Draft

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def add_policy(bank: Bank, name: str, text: str, by: str) -> Policy:
    """Put a Cedar text in force under a name, as its next version; raise `BadInput` with line and column if it is none."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name for a policy: letters a to z, digits, - and _", field="name")
    rules(text)
    _say(bank, POLICY, {"name": name, "text": text, "version": _version(bank, name) + 1}, by)
    return policy(bank, name)


def remove_policy(bank: Bank, name: str, by: str) -> None:
    """Take a policy out of force; its versions stay on record."""
    policy(bank, name)
    _say(bank, POLICY, {"name": name, "text": "", "version": _version(bank, name) + 1}, by)


def policy(bank: Bank, name: str) -> Policy:
    """Return the policy in force under that name."""
    held = {one.name: one for one in bank.rights.organisation().policies}
    if name not in held:
        raise unknown("policy", name, held)
    return held[name]


def name_role(
    bank: Bank, actor: str, roles: Sequence[str], by: str, department: str = "", attributes: Mapping[str, Any] | None = None
) -> Role:  # fmt: skip
    """Say what the organisation knows of an actor, in place of what it said before; attributes are text, whole or bool."""
    for name, value in (attributes or {}).items():
        if not isinstance(value, str | int | bool):
            raise BadInput(f"{value!r} is neither text, a whole number nor true or false", field=name)
    body = {"actor": actor, "roles": list(roles), "department": department, "attributes": dict(attributes or {})}
    _say(bank, ROLE, body, by)
    return bank.rights.organisation().roles[actor]


def _version(bank: Bank, name: str) -> int:
    said = bank.thread.read(HOUSE, kinds=[POLICY])
    return max((int(fact.body["version"]) for fact in said if fact.body["name"] == name), default=0)


def _say(bank: Bank, kind: str, body: Mapping[str, Any], by: str) -> None:
    bank.append([Draft(HOUSE, kind, body, bank.now(), by)])
