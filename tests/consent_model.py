"""The rules of consent, written once more and as plainly as possible: the oracle that the gate is compared with.

Nothing of `gemel.consent` is used. A world is the facts about lily, in order; everything is worked out from all of them
each time, as sets of what is true, with no state that could go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from gemel.facts import DAY, Fact

FOREVER = 10**15
SCHOOL = "08:00-15:00 Europe/Paris Mon-Fri"


@dataclass(frozen=True)
class Key:
    """Somebody may hold the keys in this span; `by` gave them, when fact `n` was said."""

    who: str
    start: int
    end: int
    by: str
    n: int


@dataclass(frozen=True)
class Ask:
    """What is asked."""

    actor: str
    verb: str
    signal: str
    purpose: str
    amount: float | None
    at: int


Policy = Callable[[Ask, Collection[str], bool, bool], str]
"""Says forbid, permit or nothing of (ask, roles, holder, glass)."""


class World:
    """What the first facts of a thread, and no others, make true."""

    def __init__(self, facts: Sequence[Fact], subject: str = "lily") -> None:
        self.facts, self.subject = facts, subject

    @cached_property
    def before(self) -> World:
        """Return the world before its last fact."""
        return World(self.facts[:-1], self.subject)

    def when(self, n: int) -> World:
        """Return the world before fact *n*."""
        world = self
        while len(world.facts) > n:
            world = world.before
        return world

    def said(self, kind: str) -> list[tuple[int, Fact]]:
        """Return the facts of a kind with their places."""
        return [(n, fact) for n, fact in enumerate(self.facts) if fact.kind == kind]

    # keys

    @cached_property
    def hand_over(self) -> int:
        """Return when the subject takes the keys: the earliest day that a holder of then has named."""
        born = {f.known_at for _, f in self.said("created/1")[:1] if f.body["holder"] == self.subject}
        named = {
            max(f.known_at, f.body["from"] or 0)
            for n, f in self.said("entrusted/1")
            if f.body["role"] == "self" and f.body["to"] == self.subject and self.when(n).holds(f.by, f.known_at)
        }
        return min(born | named, default=FOREVER)

    @cached_property
    def keys(self) -> list[Key]:
        """Return every span in which somebody else than the subject holds the keys."""
        first = [Key(f.body["holder"], 0, FOREVER, f.by, n) for n, f in self.said("created/1")[:1]]
        given = [
            Key(f.body["to"], max(f.known_at, f.body["from"] or 0), self._until(n, f), f.by, n)
            for n, f in self.said("entrusted/1")
            if f.body["role"] in ("holder", "guardian") and f.body["to"] != self.subject
            and self.when(n).holds(f.by, f.known_at)
        ]  # fmt: skip
        others = [key for key in first + given if key.who != self.subject]
        return [Key(k.who, k.start, min(k.end, self._ended(k)), k.by, k.n) for k in others]

    def _until(self, n: int, fact: Fact) -> int:
        giver = [key.end for key in self.when(n).held(fact.known_at) if key.who == fact.by]
        own = FOREVER if fact.by == self.subject else max(giver)
        return min(fact.body["until"] or FOREVER, own)

    def _ended(self, key: Key) -> int:
        by_day = self.hand_over if self.facts[key.n].known_at < self.hand_over else FOREVER
        dismissed = {
            f.known_at for n, f in self.said("dismissed/1") if n > key.n and self.when(n).dismisses(f, key.who)
        }
        return min({by_day} | dismissed)

    def dismisses(self, fact: Fact, who: str) -> bool:
        """Return whether a dismissal ends the keys of *who*: said by one who may, and somebody who lasts is left."""
        now = self.held(fact.known_at)
        mine = [key for key in now if key.who == who]
        lasting = {key.who for key in now if key.end in (FOREVER, self.hand_over)} | self._subject_at(fact.known_at)
        may = {who, self.subject} | {key.by for key in mine}
        return (
            fact.body["holder"] == who != self.subject and fact.by in may and self.holds(fact.by, fact.known_at)
            and bool(lasting - {who})
        )  # fmt: skip

    def _subject_at(self, at: int) -> set[str]:
        return {self.subject} if at >= self.hand_over else set()

    def held(self, at: int) -> list[Key]:
        """Return the keys that others than the subject hold at a moment."""
        return [key for key in self.keys if key.start <= at < key.end]

    def holds(self, who: str, at: int) -> bool:
        """Return whether somebody holds the keys at a moment."""
        return who in {key.who for key in self.held(at)} | self._subject_at(at)

    # grants

    @cached_property
    def grants(self) -> dict[str, tuple[int, Fact]]:
        """Return the last valid saying of each grant."""
        return {f.body["grant"]: (n, f) for n, f in self.said("granted/1") if self.when(n).may_grant(f)}

    def may_grant(self, fact: Fact) -> bool:
        """Return whether who granted might: a holder, the subject for later, or who has it to give on."""
        via, since = fact.body.get("via"), fact.body.get("since")
        if via is not None:
            return via in self.grants and self.grants[via][1].body["to"] == fact.by
        ahead = fact.by == self.subject and since is not None and since >= self.hand_over
        return self.holds(fact.by, fact.known_at) or ahead

    def revoked(self, id_: str, since: int, by: str) -> bool:
        """Return whether it was taken back after fact *since*, by a holder or by *by*, who may."""
        taken = [(n, f) for n, f in self.said("revoked/1") if n > since and f.body["grant"] == id_]
        return any(f.by == by or self.when(n).holds(f.by, f.known_at) for n, f in taken)

    def gives(self, id_: str, ask: Ask, depth: int = 0) -> bool:
        """Return whether a grant opens this to whom it names."""
        if id_ not in self.grants:
            return False
        n, fact = self.grants[id_]
        body, via = fact.body, fact.body.get("via")
        own = fact.by if via is not None else ""
        return (
            _covers(body, ask)
            and (body.get("since") or 0) <= ask.at < (body["until"] or FOREVER)
            and (body.get("hours") is None or _school(ask.at))
            and not self.revoked(id_, n, own)
            and (fact.by == self.subject or fact.known_at >= self.hand_over or ask.at < self.hand_over)
            and _within(body["bounds"], ask)
            and (via is None or (self._passes(via, fact.by, depth) and self.gives(via, ask, depth + 1)))
        )

    def _passes(self, via: str, by: str, depth: int) -> bool:
        source = self.grants.get(via)
        return source is not None and source[1].body["to"] == by and source[1].body.get("onward", 0) > depth

    # broken glass

    def glass(self, ask: Ask, permitted: bool) -> bool:
        """Return whether a broken glass opens this; *permitted*: the organisation lets the actor break it."""
        return any(
            f.by == ask.actor
            and f.body["reason"].strip() != ""
            and _covers(f.body, ask)
            and f.known_at <= ask.at < min(f.body["until"], f.known_at + DAY)
            and not self.revoked(f.body["glass"], n, f.by)
            and (ask.verb != "act" or bool({ask.signal, "*"} & set(f.body["bounds"])))
            and _within(f.body["bounds"], ask)
            and (permitted if f.body["via"] is None else self._rests(f.body["via"], ask))
            for n, f in self.said("broke_glass/1")
        )

    def _rests(self, via: str, ask: Ask) -> bool:
        right = Ask(ask.actor, "emergency", ask.signal, ask.purpose, None, ask.at)
        return via in self.grants and self.grants[via][1].body["to"] == ask.actor and self.gives(via, right)


def _covers(body: Any, ask: Ask) -> bool:
    named = bool({ask.signal, "*"} & set(body["signals"]))
    return ask.verb in body["verbs"] and named and body["purpose"] == ask.purpose


def _within(bounds: Any, ask: Ask) -> bool:
    most = bounds.get(ask.signal, bounds.get("*"))
    if ask.verb != "act" or (ask.amount is None and most is None):
        return True
    return ask.amount is not None and ask.amount == ask.amount and (most is None or abs(ask.amount) <= most)


def _school(at: int) -> bool:
    local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo("Europe/Paris"))
    return local.weekday() < 5 and 8 <= local.hour < 15


def allowed(world: World, policies: Collection[Policy], roles: Collection[str], ask: Ask) -> bool:
    """Return whether the gate must open: the subject's side opens it, and no policy closes it."""
    holder = world.holds(ask.actor, ask.at)
    right = Ask(ask.actor, "emergency", ask.signal, ask.purpose, None, ask.at)
    lets = {policy(right, roles, False, False) for policy in policies}
    permitted = "permit" in lets and "forbid" not in lets
    by_grant = any(world.gives(id_, ask) for id_, (_, f) in world.grants.items() if f.body["to"] == ask.actor)
    by_glass = world.glass(ask, permitted)
    opened = holder or by_grant or by_glass or (ask.verb == "emergency" and permitted)
    own = holder and ask.verb == "read"
    through = by_glass and not by_grant and not holder
    return opened and (own or "forbid" not in {policy(ask, roles, holder, through) for policy in policies})
