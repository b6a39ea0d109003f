"""The grant: what a subject allows whom, for which purpose, until when; stored as facts, folded back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gemel.consent.purposes import purpose_iri
from gemel.errors import BadInput, unknown
from gemel.facts import Fact, Time

GRANTED, REVOKED = "granted/1", "revoked/1"

VERBS = ("read", "write", "propose", "act", "fork", "study")
"""What can be done with a twin: see a signal, add readings, suggest, act on the asset, copy, count in a cohort."""

ALL = "*"
"""Stands for every signal; a request for it is opened only by a grant of it."""


@dataclass(frozen=True)
class Grant:
    """*subject* lets *to* do *verbs* to *signals* for *purpose*, before *until* and, when acting, within *bounds*.

    `bounds` gives the largest amount, either way, per signal (or `"*"`). `by` is who granted, `revoked` when it ended.
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

    def __post_init__(self) -> None:
        for name in ("verbs", "signals"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        purpose_iri(self.purpose)
        for verb in self.verbs:
            check_verb(verb)
        if not self.verbs or not self.signals or not all(self.signals) or not self.to or not self.subject:
            raise BadInput(f"a grant names subject, reader, verbs and signals; this one is {self}")
        for signal, most in self.bounds.items():
            if not (math.isfinite(most) and most >= 0):
                raise BadInput(f"a bound of {most} is not an amount", field=signal)
        if not self.id:
            object.__setattr__(self, "id", _content_id(self))


def check_verb(verb: str) -> None:
    """Raise `NotFound` for a verb that there is not."""
    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)


def grant_body(grant: Grant) -> dict[str, Any]:
    """Return the body of the fact `granted/1` about the grant's subject."""
    return {
        "grant": grant.id, "to": grant.to, "purpose": grant.purpose, "verbs": list(grant.verbs),
        "signals": list(grant.signals), "until": grant.until, "bounds": dict(grant.bounds),
    }  # fmt: skip


def revocation_body(grant_id: str) -> dict[str, Any]:
    """Return the body of the fact `revoked/1`."""
    return {"grant": grant_id}


def fold(facts: Iterable[Fact], holder: str | None = None) -> list[Grant]:
    """Return the grants that facts of one or more subjects tell of, in order of seq, revoked ones marked.

    What somebody else than the subject or its *holder* said, if that is given, is passed over; granting the same again
    after a revocation opens it again. Facts of other kinds are passed over too.
    """
    grants: dict[tuple[str, str], Grant] = {}
    for fact in facts:
        if fact.kind not in (GRANTED, REVOKED) or (holder is not None and fact.by not in (fact.twin, holder)):
            continue
        key = fact.twin, str(fact.body["grant"])
        if fact.kind == GRANTED:
            grants[key] = _granted(fact)
        elif key in grants and grants[key].revoked is None:
            grants[key] = replace(grants[key], revoked=min(fact.true_at, fact.known_at))
    return list(grants.values())


def _granted(fact: Fact) -> Grant:
    body = fact.body
    return Grant(
        fact.twin, body["to"], body["purpose"], tuple(body["verbs"]), tuple(body["signals"]), body["until"],
        body["bounds"], body["grant"], by=fact.by,
    )  # fmt: skip


def _content_id(grant: Grant) -> str:
    content = json.dumps([grant.subject, grant_body(grant)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
