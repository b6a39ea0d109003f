"""Team: who is who around a twin, by roles that its pack offers: what each may see and do, and what it is told of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.bank import reaching
from gemel.consent import Grant
from gemel.consent.rights import GUARDIAN
from gemel.errors import BadInput, unknown
from gemel.facts import Time

if TYPE_CHECKING:
    from gemel.bank.twin import Twin


@dataclass(frozen=True)
class Role:
    """What one role is: verbs and what they open, purpose, and the alerts it is told of (terms of a `Rule`).

    `keys` is how the twin's keys are held, if at all; `timed` says that it holds only in hours that are named when it is given.
    `known_by` is what suffices to be called so, where the role brought less before: nobody falls out of a team because it grew.
    """

    label: str
    does: str
    verbs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alerts: tuple[Mapping[str, Any], ...] = ()
    purpose: str = "care"
    keys: str | None = None
    timed: bool = False
    known_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def marks(self) -> Mapping[str, tuple[str, ...]]:
        """Return the verbs and what they open by which one of this role is known."""
        return self.known_by or self.verbs


def join(
    twin: Twin, roles: Mapping[str, Role], who: str, role: str, hours: str | None = None, until: Time | str | None = None,
    quiet: str | None = None,
) -> tuple[Grant, ...]:  # fmt: skip
    """Take *who* into the team of *twin* in one of *roles*: grants or keys, and the rules of what they are told of.

    *hours* limit all of it, and a timed role must have them; in *quiet* hours they are told only of what is urgent.
    """
    if role not in roles:
        raise unknown("role", role, roles)
    found = roles[role]
    if found.timed and hours is None:
        hint = "such as '08:00-15:00 Europe/Oslo Mon-Fri'"
        raise BadInput(f"a {found.label.lower()} is there at certain hours, {hint}", field="hours")
    verbs: dict[str, Any] = dict(found.verbs)
    grants: tuple[Grant, ...] = ()
    if found.keys:
        twin.entrust(who, found.keys, until=until)
    else:
        grants = twin.grant(to=who, purpose=found.purpose, hours=hours, until=until, **verbs)
    for rule in found.alerts:
        twin.alert_to(who, **rule, hours=hours, quiet=quiet, purpose=found.purpose)
    return grants


def leave(twin: Twin, who: str) -> int:
    """Take *who* out of the team: every grant, key, rule and way of being reached; return how many grants were taken back."""
    for rule in [rule for rule in twin.alert_rules() if rule.to == who]:
        twin.stop_alerting(rule.id)
    reaching.end_all(twin, who)
    held = [grant for grant in twin.bank.grants(twin.id) if grant.to == who and grant.revoked is None]
    for grant in held:
        twin.revoke(grant.id)
    if who in twin.bank.holders(twin.id):
        twin.dismiss(who)
    return len(held)


def team(twin: Twin, roles: Mapping[str, Role]) -> dict[str, str]:
    """Return, for each member of the team, the role whose rights the gate honours now, or at the next of their hours."""
    found = {who: _holding(twin, roles, who) for who in twin.bank.holders(twin.id)}
    rights = _honoured(twin)
    for name, role in roles.items():
        for (who, purpose), held in rights.items():
            known = all(held.get(verb, set()) >= set(names) for verb, names in role.marks.items())
            if role.marks and purpose == role.purpose and known:
                found.setdefault(who, name)
    return found


def _honoured(twin: Twin) -> dict[tuple[str, str], dict[str, set[str]]]:
    """Return, by actor and purpose, what each verb opens by grants that still hold: not revoked, nor ended with a hand-over."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    now, gate = twin.bank.now(), twin.bank.gate
    for one in twin.bank.grants(twin.id):
        if one.revoked is None and all(end is None or now < end for end in (one.until, one.lapsed)):
            for verb in one.verbs:
                names = {
                    name for name in one.signals if gate.over(one.to, verb, twin.id, name, one.purpose, 0.0) is None
                }
                found.setdefault((one.to, one.purpose), {}).setdefault(verb, set()).update(names)
    return found


def _holding(twin: Twin, roles: Mapping[str, Role], who: str) -> str:
    """Return what to call one who holds the keys: the subject, and whom she entrusts as no guardian, a holder."""
    guarded = not twin.bank.holds(twin.id, twin.id) or _guards(twin, who)
    named = next((name for name, role in roles.items() if role.keys), "holder")
    return named if guarded and who != twin.id else "holder"


def _guards(twin: Twin, who: str) -> bool:
    now, held = twin.bank.now(), twin.bank.gate.rights(twin.id).holdings
    return any(one.holder == who and one.role == GUARDIAN and one.at(now) for one in held)
