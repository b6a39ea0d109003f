"""The grant: what a subject allows whom, for which purpose, from when until when; stored as a fact."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.consent.hours import hours
from gemel.consent.purposes import purpose_iri
from gemel.errors import BadInput, unknown
from gemel.facts import Fact, Time

GRANTED, REVOKED = "granted/1", "revoked/1"

VERBS = ("read", "write", "propose", "act", "fork", "study", "emergency")
"""What can be done with a twin: see a signal, add readings, suggest, act on the asset, copy, count in a cohort, and
break the glass, which opens reading for a short while."""

ALL = "*"
"""Stands for every signal; a request for it is opened only by a grant of it."""

DEEPEST = 3
"""How often a grant may be given on at the most."""


@dataclass(frozen=True)
class Grant:
    """*subject* lets *to* do *verbs* to *signals* for *purpose*, from `since`, before `until`, within `hours`.

    `bounds` gives the largest amount, either way, per signal (or `"*"`) when acting. `onward` says how often it may be
    given on, `via` which grant this one was given on from. `by` is who granted; `revoked` when it was taken back, and
    `lapsed` when a hand-over of the keys ends it; `glass` is why the glass was broken, None for a grant proper.
    """

    subject: str
    to: str
    purpose: str
    verbs: tuple[str, ...]
    signals: tuple[str, ...]
    until: Time | None = None
    bounds: Mapping[str, float] = field(default_factory=dict, hash=False)
    id: str = ""
    by: str | None = None
    revoked: Time | None = None
    since: Time | None = None
    hours: str | None = None
    onward: int = 0
    via: str | None = None
    lapsed: Time | None = None
    glass: str | None = None

    def __post_init__(self) -> None:
        for name in ("verbs", "signals"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        _check(self)
        if not self.id:
            object.__setattr__(self, "id", _content_id(self))


def _check(grant: Grant) -> None:
    purpose_iri(grant.purpose)
    for verb in grant.verbs:
        check_verb(verb)
    if not grant.verbs or not grant.signals or not all(grant.signals) or not grant.to or not grant.subject:
        raise BadInput(f"a grant names subject, reader, verbs and signals; this one is {grant}")
    for signal, most in grant.bounds.items():
        if not (math.isfinite(most) and most >= 0):
            raise BadInput(f"a bound of {most} is not an amount", field=signal)
    if not 0 <= grant.onward <= DEEPEST:
        raise BadInput(f"a grant may be given on up to {DEEPEST} times, not {grant.onward}", field="onward")
    if grant.since is not None and grant.until is not None and grant.since >= grant.until:
        raise BadInput("a grant cannot end before it begins", field="until")
    if grant.hours is not None:
        hours(grant.hours)


def check_verb(verb: str) -> None:
    """Raise `NotFound` for a verb that there is not."""
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)


LATER = ("since", "hours", "onward", "via")
"""Terms that are said only where they are set: a grant without them is written as it always was."""


def grant_body(grant: Grant) -> dict[str, Any]:
    """Return the body of the fact `granted/1` about the grant's subject."""
    body = {
        "grant": grant.id, "to": grant.to, "purpose": grant.purpose, "verbs": list(grant.verbs),
        "signals": list(grant.signals), "until": grant.until, "bounds": dict(grant.bounds),
    }  # fmt: skip
    return body | {name: value for name in LATER if (value := getattr(grant, name))}


def revocation_body(grant_id: str) -> dict[str, Any]:
    """Return the body of the fact `revoked/1`."""
    return {"grant": grant_id}


def grant_of(fact: Fact) -> Grant:
    """Return the grant that a fact `granted/1` tells of."""
    body = fact.body
    later = {name: body[name] for name in LATER if name in body}
    return Grant(
        fact.twin, body["to"], body["purpose"], tuple(body["verbs"]), tuple(body["signals"]), body["until"],
        body["bounds"], body["grant"], by=fact.by, **later,
    )  # fmt: skip


def _content_id(grant: Grant) -> str:
    content = json.dumps([grant.subject, grant_body(grant)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
