"""Consenting: what holders say about a twin's rights, and those they let speak: grant, revoke, entrust, break glass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.consent import ALL, GRANTED, REVOKED, Grant, Request, Rights, grant_body, opens, revocation_body
from gemel.consent.rights import BROKE_GLASS, DISMISSED, ENTRUSTED, GLASS_LASTS, GUARDIAN, HOLDER, SELF, last_of
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import HOUR, MINUTE, Draft, Time, iso, time_of

if TYPE_CHECKING:
    from gemel.bank.twin import Twin


@dataclass(frozen=True)
class Terms:
    """From when until when, at which hours and within which amounts grants hold, and how often they may be given on."""

    since: Time | None = None
    until: Time | None = None
    hours: str | None = None
    bounds: Mapping[str, float] | None = None
    onward: int = 0


def grant(twin: Twin, to: str, purpose: str, terms: Terms, verbs: Mapping[str, str | Sequence[str]]) -> list[Grant]:
    """Put grants on record, one for each verb; whoever may propose may try it on a copy first, so that brings `fork`."""
    named = {verb: (names,) if isinstance(names, str) else tuple(names) for verb, names in verbs.items()}
    if "propose" in named and _speaks(twin, terms):
        named = {"fork": (ALL,), **named}
    made = [
        Grant(
            twin.id, to, purpose, (verb,), signals, terms.until, dict(terms.bounds or {}), by=twin.actor,
            since=terms.since, hours=terms.hours, onward=terms.onward,
            via=None if _speaks(twin, terms) else _source(twin, to, purpose, verb, signals),
        )
        for verb, signals in named.items()
    ]  # fmt: skip
    _say(twin, *[(GRANTED, grant_body(one)) for one in made])
    return made


def renew(twin: Twin, grant_id: str) -> Grant:
    """Say a grant again, as it was: it holds anew, from whoever holds the keys now."""
    holder_only(twin, "renew")
    found = _found(twin, grant_id)
    if found.via is not None or found.glass is not None:
        raise Refused(f"{grant_id} rests on something else; what it rests on can be renewed")
    _say(twin, (GRANTED, grant_body(found)))
    return _found(twin, grant_id)


def revoke(twin: Twin, grant_id: str) -> None:
    """Take a grant or a broken glass back, at once: as a holder, or what one gave on or broke oneself."""
    found = _rights(twin).grant(grant_id)
    if found is None or found.by != twin.actor or (found.via is None and found.glass is None):
        holder_only(twin, "revoke")
    _found(twin, grant_id)
    _say(twin, (REVOKED, revocation_body(grant_id)))


def entrust(twin: Twin, to: str, role: str, since: Time | None, until: Time | None) -> None:
    """Let somebody hold the keys too, as `guardian` or `holder`, each of whom suffices."""
    holder_only(twin, "entrust anybody")
    if role not in (GUARDIAN, HOLDER) or to == twin.id:
        raise BadInput(f"keys are entrusted to somebody as {GUARDIAN} or {HOLDER}; the subject takes them by hand-over")
    end = last_of(_rights(twin).holdings, twin.actor, _now(twin))
    if until is not None and end is not None and until > end:
        raise Refused(f"{twin.actor} may not entrust the keys of {twin.id} beyond {iso(end)}, when its own end")
    _say(twin, (ENTRUSTED, {"to": to, "role": role, "from": since, "until": until}))


def hand_over(twin: Twin, at: Time) -> None:
    """Name the day on which the subject takes the keys and all others' end; it may come earlier, and never later."""
    holder_only(twin, "hand over")
    fixed = _rights(twin).handover
    if fixed is not None and at >= fixed:
        raise Refused(f"{twin.id} takes the keys at {iso(fixed)}; that can come earlier, and not later")
    _say(twin, (ENTRUSTED, {"to": twin.id, "role": SELF, "from": at, "until": None}))


def ending(twin: Twin) -> tuple[str, ...]:
    """Return who has nothing from the hand-over on, because their keys or grants end with it and nothing was granted anew."""
    rights = _rights(twin)
    at, grants = rights.handover, [grant for grant in rights.grants if grant.revoked is None]
    if at is None:
        return ()
    kept = {grant.to for grant in grants if grant.lapsed is None and (grant.until is None or grant.until > at)}
    keys = [held.holder for held in rights.holdings if held.until == at]
    lost = [grant.to for grant in grants if grant.lapsed is not None and (grant.until is None or grant.until > at)]
    still = {twin.id, *kept, *rights.holders(max(at, _now(twin)))}
    return tuple(who for who in dict.fromkeys([*keys, *lost]) if who not in still)


def dismiss(twin: Twin, holder: str) -> None:
    """End somebody's holding: one's own, one that one entrusted, or as the subject any; one must stay that lasts."""
    holder_only(twin, "dismiss")
    _say(twin, (DISMISSED, {"holder": holder}))
    if _rights(twin).holds(holder, _now(twin)):
        raise Refused(
            f"{holder} still holds the keys of {twin.id}: only who entrusted them, the subject or {holder} can end that,"
            " and somebody must be left whose keys do not end"
        )


def break_glass(twin: Twin, reason: str, lasts: Time = HOUR, signals: Sequence[str] = (ALL,)) -> Grant:
    """Open reading at once in an emergency, for a while; the subject is told in the same breath."""
    if not reason.strip():
        raise BadInput("a broken glass needs a reason", field="reason")
    if not MINUTE <= lasts <= GLASS_LASTS:
        raise BadInput(f"a broken glass stays open for 1 to {GLASS_LASTS // MINUTE} minutes", field="minutes")
    decisions = [twin.bank.gate.require(twin.actor, "emergency", twin.id, name, twin.purpose) for name in signals]
    rests = _rights(twin).grant(decisions[0].grant_id)
    now, bounds = twin.bank.now(), {} if rests is None else dict(rests.bounds)
    body = {
        "purpose": twin.purpose, "verbs": ["read", "act"] if bounds else ["read"], "signals": list(signals),
        "until": now + lasts, "bounds": bounds, "via": None if rests is None else rests.id, "reason": reason.strip(),
    }  # fmt: skip
    glass = hashlib.sha256(repr((twin.id, twin.actor, now, body)).encode()).hexdigest()[:12]
    text = f"{twin.actor} broke the glass for {twin.purpose} until {iso(now + lasts)}: {reason.strip()}"
    told = {"name": f"glass:{glass}", "severity": "urgent", "text": text, "active": True}
    _say(twin, (BROKE_GLASS, {"glass": glass, **body}), ("alert/1", told))
    return _found(twin, glass)


def holder_only(twin: Twin, what: str) -> None:
    """Raise `Refused` unless the actor holds the twin's keys now."""
    if not twin.bank.holds(twin.actor, twin.id):
        raise Refused(f"{twin.actor} may not {what} on {twin.id}: only its holder may")


def _speaks(twin: Twin, terms: Terms) -> bool:
    """Return whether the actor grants in their own right: as a holder, or as the subject for after the hand-over."""
    rights = _rights(twin)
    ahead = rights.handover is not None and terms.since is not None and terms.since >= rights.handover
    return rights.holds(twin.actor, _now(twin)) or (ahead and twin.actor == twin.id)


def _source(twin: Twin, to: str, purpose: str, verb: str, signals: Sequence[str]) -> str:
    """Return the grant that the actor may give this on from, or raise `Refused`."""
    rights, now = _rights(twin), _now(twin)
    for held in rights.named(twin.actor):
        given = Grant(twin.id, to, purpose, (verb,), tuple(signals), by=twin.actor, via=held.id)
        if all(opens(rights, given, Request(to, verb, twin.id, name, purpose, now, 0.0)) for name in signals):
            return held.id
    raise Refused(f"{twin.actor} may not grant on {twin.id}: only its holder may, and no grant lets them give this on")


def _now(twin: Twin) -> Time:
    return max(twin.bank.now(), _rights(twin).known)


def _found(twin: Twin, grant_id: str) -> Grant:
    found = _rights(twin).grant(grant_id)
    if found is None:
        raise NotFound(f"no grant {grant_id!r} on {twin.id}")
    return found


def _rights(twin: Twin) -> Rights:
    return twin.bank.gate.rights(twin.id)


def _say(twin: Twin, *facts: tuple[str, Mapping[str, object]]) -> None:
    now = twin.bank.now()
    twin.bank.append([Draft(twin.id, kind, body, now, twin.actor) for kind, body in facts])


def moment(when: Time | str | None) -> Time | None:
    """Return a moment; a bare date means its end in UTC."""
    if isinstance(when, str) and len(when) == 10:
        return time_of(f"{when}T00:00:00Z") + 24 * HOUR
    return None if when is None else time_of(when)
