"""The decision: a pure function of grants, request and holder, which carries its reason."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from gemel.consent.grant import ALL, Grant, check_verb
from gemel.consent.purposes import purpose_iri
from gemel.facts import Time, iso


@dataclass(frozen=True)
class Request:
    """*actor* wants to *verb* the *signal* (`"*"`: all of them) of *subject* for *purpose*; *amount* when acting."""

    actor: str
    verb: str
    subject: str
    signal: str
    purpose: str
    at: Time
    amount: float | None = None

    def __post_init__(self) -> None:
        check_verb(self.verb)
        purpose_iri(self.purpose)


@dataclass(frozen=True)
class Decision:
    """Whether a request may go on, why, and by which grant (none if the holder asked, or if it is refused)."""

    allowed: bool
    reason: str
    grant_id: str | None = None


def decide(grants: Iterable[Grant], request: Request, holder: str) -> Decision:
    """Return the decision; *holder* is the actor who holds the subject's keys, and needs no grant.

    A refusal names what the nearest grant lacks: the one that fails the latest of the conditions below.
    """
    what = f"{request.signal} of {request.subject}"
    if request.actor == holder:
        return Decision(True, f"{holder} may {request.verb} {what}: {holder} holds its keys")
    nearest, lack = -1, "no grant names them"
    for grant in grants:
        stage, found = _lack(grant, request, holder)
        if found is None:
            reason = f"{request.actor} may {request.verb} {what} for {request.purpose}: grant {grant.id}"
            return Decision(True, reason, grant.id)
        if stage > nearest:
            nearest, lack = stage, found
    return Decision(False, f"{request.actor} may not {request.verb} {what}: {lack}")


def _lack(grant: Grant, request: Request, holder: str) -> tuple[int, str | None]:
    """Return how many conditions the grant meets, and what the next lacks; None if it meets all."""
    named = f"grant {grant.id}"
    if grant.to != request.actor or grant.subject != request.subject:
        return -1, "no grant names them"
    if grant.by is not None and grant.by not in (holder, grant.subject):
        return 0, f"{named} was given by {grant.by}, who is neither the subject nor its holder"
    if purpose_iri(grant.purpose) != purpose_iri(request.purpose):
        return 1, f"{named} is for {grant.purpose}, not {request.purpose}"
    if request.verb not in grant.verbs:
        return 2, f"{named} allows {', '.join(grant.verbs)}, not {request.verb}"
    if ALL not in grant.signals and request.signal not in grant.signals:
        return 3, f"{named} does not name {'all signals' if request.signal == ALL else request.signal}"
    if grant.revoked is not None:
        return 4, f"{named} was revoked at {iso(grant.revoked)}"
    if grant.until is not None and request.at >= grant.until:
        return 5, f"{named} expired at {iso(grant.until)}"
    beyond = _beyond(grant, request)
    return (7, None) if beyond is None else (6, f"{beyond} of {named}")


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
