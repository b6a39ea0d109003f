"""Rights: who holds the keys of one subject, whom they let do what, and whose glass is broken; folded from facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gemel.consent.grant import GRANTED, REVOKED, Grant, grant_of
from gemel.consent.hours import hours
from gemel.facts import DAY, Fact, Time

CREATED, ENTRUSTED, DISMISSED, BROKE_GLASS = "created/1", "entrusted/1", "dismissed/1", "broke_glass/1"

KINDS = (CREATED, ENTRUSTED, DISMISSED, GRANTED, REVOKED, BROKE_GLASS)
"""The facts of a subject that rights are folded from."""

SELF, GUARDIAN, HOLDER = "self", "guardian", "holder"
ROLES = (SELF, GUARDIAN, HOLDER)
"""In what role keys are held; whoever holds them as `self` is the subject, and ends what others held before."""

GLASS_LASTS: Time = DAY
"""How long a broken glass stays open at the most."""


@dataclass(frozen=True)
class Holding:
    """*holder* holds a subject's keys in a role, from `since`, before `until`; `by` entrusted them, at `said`."""

    holder: str
    role: str = HOLDER
    since: Time | None = None
    until: Time | None = None
    by: str = ""
    said: Time = 0

    def at(self, when: Time) -> bool:
        """Return whether the keys are held at a moment."""
        return (self.since is None or self.since <= when) and (self.until is None or when < self.until)


@dataclass(frozen=True)
class Rights:
    """What the facts of one subject say, up to `known`; everything in it carries the time for which it holds.

    `glasses` are broken glasses, as grants to whoever broke them: `via` names the grant of `emergency` they rest on,
    None the organisation's policy. `handover` is when the subject takes the keys.
    """

    subject: str
    holdings: tuple[Holding, ...] = ()
    grants: tuple[Grant, ...] = ()
    glasses: tuple[Grant, ...] = ()
    handover: Time | None = None
    known: Time = 0

    def holders(self, at: Time) -> tuple[str, ...]:
        """Return who holds the keys at a moment, longest first."""
        return tuple(dict.fromkeys(holding.holder for holding in self.holdings if holding.at(at)))

    def holds(self, actor: str, at: Time) -> bool:
        """Return whether *actor* holds the keys at a moment."""
        return any(holding.holder == actor and holding.at(at) for holding in self.holdings)

    def named(self, actor: str) -> tuple[Grant, ...]:
        """Return the grants and broken glasses that name *actor*, in order, whether or not they open anything now."""
        return self._by_actor.get(actor, ())

    def grant(self, id: str | None) -> Grant | None:
        """Return the grant or broken glass of that id, if there is one."""
        return self._by_id.get(id or "")

    def turns(self, after: Time) -> Time | None:
        """Return the next moment at which something opens or ends by itself, None if nothing will."""
        moments = [m for h in self.holdings for m in (h.since, h.until)]
        for grant in (*self.grants, *self.glasses):
            if grant.revoked is None:
                moments += [grant.since, grant.until, grant.lapsed]
                moments += [hours(grant.hours).turns(after)] if grant.hours else []
        return min((moment for moment in moments if moment is not None and moment > after), default=None)

    @cached_property
    def _by_actor(self) -> Mapping[str, tuple[Grant, ...]]:
        found: dict[str, list[Grant]] = {}
        for grant in (*self.grants, *self.glasses):
            found.setdefault(grant.to, []).append(grant)
        return {actor: tuple(grants) for actor, grants in found.items()}

    @cached_property
    def _by_id(self) -> Mapping[str, Grant]:
        return {grant.id: grant for grant in (*self.glasses, *self.grants)}


def fold(subject: str, facts: Iterable[Fact]) -> Rights:
    """Return what the facts say of who may do what with *subject*, in order of seq.

    Whoever says something must hold the keys when it becomes known, or it is passed over: nobody can give what is not
    theirs. Facts of other kinds and subjects are passed over too.
    """
    told = _Told(subject)
    for fact in facts:
        if fact.twin == subject and fact.kind in KINDS:
            told.known = max(told.known, fact.known_at)
            told.take(fact)
    return told.rights()


class _Told:
    """What has been said so far."""

    def __init__(self, subject: str) -> None:
        self.subject, self.known = subject, 0
        self.handover: Time | None = None
        self._holdings: list[Holding] = []
        self._grants: dict[str, tuple[Grant, Time]] = {}
        self._glasses: dict[str, Grant] = {}

    def take(self, fact: Fact) -> None:
        """Take in one fact."""
        takes = {
            CREATED: self._created, ENTRUSTED: self._entrusted, DISMISSED: self._dismissed, GRANTED: self._granted,
            REVOKED: self._revoked, BROKE_GLASS: self._broke,
        }  # fmt: skip
        takes[fact.kind](fact, fact.body)

    def rights(self) -> Rights:
        """Return all of it, with what the hand-over ends."""
        grants = tuple(self._lapsing(grant, said) for grant, said in self._grants.values())
        glasses = tuple(self._glasses.values())
        return Rights(self.subject, tuple(self._held()), grants, glasses, self.handover, self.known)

    def _held(self) -> list[Holding]:
        """Return the holdings, those of others cut off where the subject takes the keys."""
        return [self._cut(holding) for holding in self._holdings]

    def _cut(self, holding: Holding) -> Holding:
        end = self.handover
        if end is None or holding.role == SELF or holding.said >= end:
            return holding
        return replace(holding, until=earlier(end, holding.until))

    def _lapsing(self, grant: Grant, said: Time) -> Grant:
        end = self.handover
        if end is None or grant.by == self.subject or said >= end:
            return grant
        return replace(grant, lapsed=end)

    def _holds(self, actor: str, at: Time) -> bool:
        return any(holding.holder == actor and holding.at(at) for holding in self._held())

    def _created(self, fact: Fact, body: Mapping[str, Any]) -> None:
        if self._holdings:
            return
        by, when = str(body["holder"]), min(fact.true_at, fact.known_at)
        self._holdings.append(Holding(by, SELF if by == self.subject else HOLDER, None, None, fact.by, when))
        self.handover = when if by == self.subject else None

    def _entrusted(self, fact: Fact, body: Mapping[str, Any]) -> None:
        now, to, role = fact.known_at, str(body["to"]), str(body["role"])
        if not self._holds(fact.by, now) or role not in ROLES or (role == SELF) != (to == self.subject):
            return
        since = max(now, body.get("from") or now)
        if role == SELF:
            self._hand_over(fact.by, since, now)
        else:
            until = earlier(body.get("until"), last_of(self._held(), fact.by, now))
            self._holdings.append(Holding(to, role, since, until, fact.by, now))

    def _hand_over(self, by: str, since: Time, now: Time) -> None:
        """The subject takes the keys; a day once named may come earlier, and never later."""
        if self.handover is not None and since >= self.handover:
            return
        self._holdings = [h for h in self._holdings if h.role != SELF]
        self._holdings.append(Holding(self.subject, SELF, since, None, by, now))
        self.handover = since

    def _dismissed(self, fact: Fact, body: Mapping[str, Any]) -> None:
        now, gone = fact.known_at, str(body["holder"])
        if not self._holds(fact.by, now) or gone == self.subject:
            return
        given = {holding.by for holding in self._held() if holding.holder == gone and holding.at(now)}
        others = [h for h in self._held() if h.holder != gone and h.at(now) and h.until in (None, self.handover)]
        if others and (fact.by in (gone, self.subject) or fact.by in given):
            self._holdings = [_ended(h, now) if h.holder == gone else h for h in self._holdings]

    def _granted(self, fact: Fact, body: Mapping[str, Any]) -> None:
        grant = grant_of(fact)
        if grant.via is not None:
            source = self._grants.get(grant.via)
            allowed = source is not None and source[0].to == fact.by
        else:
            allowed = self._holds(fact.by, fact.known_at) or self._in_advance(grant)
        kept = self._grants.get(grant.id)
        if allowed and (kept is None or kept[0].via == grant.via):
            self._grants[grant.id] = grant, fact.known_at

    def _in_advance(self, grant: Grant) -> bool:
        """Return whether the subject says, before the hand-over, what is to hold from then on."""
        at = self.handover
        return grant.by == self.subject and at is not None and grant.since is not None and grant.since >= at

    def _revoked(self, fact: Fact, body: Mapping[str, Any]) -> None:
        id_, when = str(body["grant"]), min(fact.true_at, fact.known_at)
        held = self._grants[id_][0] if id_ in self._grants else self._glasses.get(id_)
        if held is None or held.revoked is not None:
            return
        own = fact.by == held.by and (held.via is not None or id_ in self._glasses)
        if own or self._holds(fact.by, fact.known_at):
            self._mark(id_, replace(held, revoked=when))

    def _mark(self, id_: str, grant: Grant) -> None:
        if id_ in self._grants:
            self._grants[id_] = grant, self._grants[id_][1]
        else:
            self._glasses[id_] = grant

    def _broke(self, fact: Fact, body: Mapping[str, Any]) -> None:
        reason, since = str(body.get("reason", "")).strip(), fact.known_at
        until = min(int(body["until"]), since + GLASS_LASTS)
        if reason and since < until:
            self._glasses[str(body["glass"])] = Grant(
                self.subject, fact.by, body["purpose"], tuple(body["verbs"]), tuple(body["signals"]), until,
                body.get("bounds", {}), body["glass"], by=fact.by, since=since, via=body.get("via"), glass=reason,
            )  # fmt: skip


def _ended(holding: Holding, now: Time) -> Holding:
    return replace(holding, until=earlier(now, holding.until))


def last_of(holdings: Iterable[Holding], holder: str, at: Time) -> Time | None:
    """Return when the keys that *holder* holds at a moment end, None if they do not."""
    ends = [holding.until for holding in holdings if holding.holder == holder and holding.at(at)]
    return None if None in ends else max((end for end in ends if end is not None), default=at)


def earlier(one: Time | None, other: Time | None) -> Time | None:
    """Return the earlier of two ends, where None is none."""
    return min((end for end in (one, other) if end is not None), default=None)
