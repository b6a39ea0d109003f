"""The request: what somebody wants to do with a twin, what for, and when."""

from __future__ import annotations

from dataclasses import dataclass

from gemel.consent.grant import check_verb
from gemel.consent.purposes import purpose_iri
from gemel.facts import Time


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
