"""Accesses: who saw what of a twin, when, for what purpose and by which grant, as its holders may read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemel.errors import Refused
from gemel.facts import Fact, Time, iso

if TYPE_CHECKING:
    from gemel.bank.twin import Twin

ACCESSED = "accessed/1"


@dataclass(frozen=True)
class Access:
    """One actor doing one thing with one signal for one purpose, allowed or refused for one reason.

    `first` and `last` are when that was put on record, `hours` how often: what is allowed is recorded once an hour, what
    is refused each time. `grant` is empty where the actor holds the keys.
    """

    actor: str
    verb: str
    signal: str
    purpose: str
    allowed: bool
    reason: str
    grant: str
    first: Time
    last: Time
    hours: int = 1

    def json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "actor": self.actor, "verb": self.verb, "signal": self.signal, "purpose": self.purpose,
            "allowed": self.allowed, "reason": self.reason, "grant": self.grant or None,
            "first": iso(self.first), "last": iso(self.last), "hours": self.hours,
        }  # fmt: skip


def accesses(
    twin: Twin, since: Time | None = None, until: Time | None = None, actor: str | None = None
) -> list[Access]:  # fmt: skip
    """Return who did what, `since <= at < until`, the latest first; only those who hold the twin's keys may ask."""
    if not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not see who accessed {twin.id}: only those who hold its keys may")
    facts = twin.bank.thread.read(twin.id, kinds=[ACCESSED], true_from=since, true_until=until)
    found = folded(fact for fact in facts if actor is None or fact.body["actor"] == actor)
    return sorted(found, key=lambda access: access.last, reverse=True)


def folded(facts: Iterable[Fact]) -> list[Access]:
    """Return one access for all facts that differ in nothing but their time."""
    found: dict[tuple[Any, ...], Access] = {}
    for fact in facts:
        one = _access(fact)
        same = one.actor, one.verb, one.signal, one.purpose, one.allowed, one.grant, one.reason
        before = found.get(same)
        found[same] = (
            one if before is None else replace(before, last=max(before.last, one.last), hours=before.hours + 1)
        )
    return list(found.values())


def _access(fact: Fact) -> Access:
    body, at = fact.body, fact.true_at
    actor, verb, signal, purpose = (str(body[name]) for name in ("actor", "verb", "signal", "purpose"))
    return Access(
        actor, verb, signal, purpose, bool(body["allowed"]), str(body["reason"]), str(body.get("grant") or ""), at, at
    )
