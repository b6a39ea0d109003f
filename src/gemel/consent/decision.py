"""The decision: a pure function of rights, request and what the organisation says, which carries its reason."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gemel.consent.grant import ALL, Grant
from gemel.consent.hours import hours
from gemel.consent.organisation import NOBODY, Organisation
from gemel.consent.purposes import purpose_iri
from gemel.consent.request import Request
from gemel.consent.rights import Rights
from gemel.facts import DAY, Time, iso

WEEK: Time = 7 * DAY


@dataclass(frozen=True)
class Decision:
    """Whether a request may go on, why, by which grant (none for a holder), and which policies had a say."""

    allowed: bool
    reason: str
    grant_id: str | None = None
    policies: tuple[str, ...] = ()


def decide(rights: Rights, request: Request, organisation: Organisation = NOBODY) -> Decision:
    """Return the decision: the subject's side opens, the organisation's side may close what is open.

    A refusal names what the nearest grant lacks: the one that fails the latest of the conditions below. The
    organisation's permission opens nothing but `emergency`; its prohibition closes all but a holder's own reading.
    """
    own = _by_rights(rights, request, organisation)
    holds = rights.holds(request.actor, request.at)
    if not own.allowed or not organisation.policies or (holds and request.verb == "read"):
        return own
    opened = rights.grant(own.grant_id)
    said = organisation.says(request, holder=holds, glass=opened is not None and opened.glass is not None)
    if said.forbids:
        closed = f"{request.actor} may not {request.verb} {_what(request)}: {said.because()}"
        return Decision(False, closed, policies=said.forbids)
    if said.permits and said.permits != own.policies:
        return replace(own, reason=f"{own.reason}; {said.because()}", policies=said.permits)
    return own


def opens(rights: Rights, grant: Grant, request: Request, organisation: Organisation = NOBODY) -> bool:
    """Return whether a grant, with what it rests on, opens a request to whoever it is for."""
    return _lack(rights, grant, request, organisation)[1] is None


def again(rights: Rights, request: Request, organisation: Organisation = NOBODY) -> bool:
    """Return whether a request is allowed now or will be by itself within a week, as at the next hours of a grant."""
    at: Time | None = request.at
    while at is not None and at <= request.at + WEEK:
        if decide(rights, replace(request, at=at), organisation).allowed:
            return True
        at = rights.turns(at)
    return False


def explain(rights: Rights, request: Request, organisation: Organisation = NOBODY) -> tuple[str, ...]:
    """Return what was considered, one line each: holders, every grant that names the actor, every policy with a say."""
    holders = ", ".join(rights.holders(request.at)) or "nobody"
    lines = [f"keys: held by {holders}"]
    for grant in rights.named(request.actor):
        lacking = _lack(rights, grant, request, organisation)[1]
        lines.append(f"grant {grant.id}: opens this" if lacking is None else f"not opened: {lacking}")
    said = organisation.says(request, holder=rights.holds(request.actor, request.at), glass=False)
    lines += [f"policy {name}: forbids" for name in said.forbids]
    lines += [f"policy {name}: permits, which opens nothing by itself" for name in said.permits]
    lines += [f"policy {name}" for name in said.failed]
    silent = len(organisation.policies) and not (said.forbids or said.permits or said.failed)
    return (*lines, *([f"policies: none of {len(organisation.policies)} has a say"] if silent else []))


def _by_rights(rights: Rights, request: Request, organisation: Organisation) -> Decision:
    """Return what the subject's side says, before the organisation has closed anything."""
    what = _what(request)
    if rights.holds(request.actor, request.at):
        return Decision(True, f"{request.actor} may {request.verb} {what}: {request.actor} holds its keys")
    nearest, lack = -1, "no grant names them"
    for grant in rights.named(request.actor):
        stage, found = _lack(rights, grant, request, organisation)
        if found is None:
            reason = f"{request.actor} may {request.verb} {what} for {request.purpose}: {_name(grant)}"
            return Decision(True, reason, grant.id)
        if stage > nearest:
            nearest, lack = stage, found
    permits = _emergency(request, organisation) if request.verb == "emergency" else ()
    if permits:
        reason = f"{request.actor} may emergency {what} for {request.purpose}: policy {', '.join(permits)} permits it"
        return Decision(True, reason, policies=permits)
    return Decision(False, f"{request.actor} may not {request.verb} {what}: {lack}")


def _name(grant: Grant) -> str:
    return f"grant {grant.id}" if grant.glass is None else f"broken glass {grant.id} ({grant.glass})"


def _lack(
    rights: Rights, grant: Grant, request: Request, organisation: Organisation, depth: int = 0
) -> tuple[int, str | None]:
    """Return how many conditions the grant meets, and what the next lacks; None if it meets all."""
    for stage, lacking in enumerate(_conditions(grant, request)):
        if lacking is not None:
            return stage, lacking
    beyond = _source(rights, grant, request, organisation, depth)
    return (20, None) if beyond is None else (10, beyond)


def _conditions(grant: Grant, request: Request) -> Iterator[str | None]:
    """Yield, condition by condition, what the grant lacks or None where it meets it."""
    named = f"grant {grant.id}"
    yield (
        None
        if purpose_iri(grant.purpose) == purpose_iri(request.purpose)
        else (f"{named} is for {grant.purpose}, not {request.purpose}")
    )
    yield None if request.verb in grant.verbs else f"{named} allows {', '.join(grant.verbs)}, not {request.verb}"
    everything = "all signals" if request.signal == ALL else request.signal
    yield None if {ALL, request.signal} & set(grant.signals) else f"{named} does not name {everything}"
    yield None if grant.revoked is None else f"{named} was revoked at {iso(grant.revoked)}"
    yield _ended(grant, request.at)
    yield None if grant.since is None or request.at >= grant.since else f"{named} begins at {iso(grant.since)}"
    yield None if grant.hours is None or hours(grant.hours).open(request.at) else f"{named} holds at {grant.hours} only"
    beyond = _beyond(grant, request)
    yield None if beyond is None else f"{beyond} of {named}"


def _ended(grant: Grant, at: Time) -> str | None:
    if grant.until is not None and at >= grant.until:
        return f"grant {grant.id} expired at {iso(grant.until)}"
    if grant.lapsed is not None and at >= grant.lapsed:
        return f"grant {grant.id} ended at {iso(grant.lapsed)}, when {grant.subject} took the keys, and was not renewed"
    return None


def _beyond(grant: Grant, request: Request) -> str | None:
    """Return in which way an act goes beyond its bound, if there is one."""
    bound = grant.bounds.get(request.signal, grant.bounds.get(ALL))
    if request.verb != "act":
        return None
    if request.amount is not None and not math.isfinite(request.amount):
        return f"{request.amount} is not an amount, and beyond any bound"
    if bound is None:
        return None
    if request.amount is None:
        return f"no amount is given to compare with the bound {bound:g}"
    return None if abs(request.amount) <= bound else f"{request.amount:g} is beyond the bound {bound:g}"


def _source(rights: Rights, grant: Grant, request: Request, organisation: Organisation, depth: int) -> str | None:
    """Return why what the grant rests on does not stand any more, or None: it opens only what that opens too."""
    if grant.glass is not None:
        return _glass(rights, grant, request, organisation)
    if grant.via is None:
        return None
    source = rights.grant(grant.via)
    if source is None or source.to != grant.by or source.onward <= depth:
        return (
            f"grant {grant.id} was given on from {grant.via}, which may not be given on{' so often' if depth else ''}"
        )
    lacking = _lack(rights, source, replace(request, actor=source.to), organisation, depth + 1)[1]
    return None if lacking is None else f"grant {grant.id} was given on, and {lacking}"


def _glass(rights: Rights, glass: Grant, request: Request, organisation: Organisation) -> str | None:
    """Return why a broken glass does not open this, or None: reading, and acting only within an amount that is said."""
    if request.verb == "act" and not {request.signal, ALL} & set(glass.bounds):
        return f"grant {glass.id} has no bound for {request.signal}, and a broken glass acts within bounds only"
    asked = replace(request, verb="emergency", amount=None)
    if glass.via is None:
        return None if _emergency(asked, organisation) else f"no policy permits {request.actor} to break the glass"
    source = rights.grant(glass.via)
    if source is None or source.to != glass.to:
        return f"grant {glass.id} rests on no grant of emergency"
    return _lack(rights, source, asked, organisation)[1]


def _emergency(request: Request, organisation: Organisation) -> tuple[str, ...]:
    """Return the policies that let the actor break the glass, none if one forbids it."""
    said = organisation.says(request, holder=False, glass=False)
    return () if said.forbids else said.permits


def _what(request: Request) -> str:
    return f"{request.signal} of {request.subject}"
