"""The asker: who knocks, as whom, what for, on what ground; found in each request before anything else is done."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gemel.bank import Bank
from gemel.bank.tokens import MACHINERY, Token, Tokens
from gemel.consent import VERBS
from gemel.errors import GemelError
from gemel.facts import Time
from gemel.server.errors import Turned
from gemel.server.oidc import Issuer
from gemel.server.sessions import Session, Sessions

PREFIX = "gemel_"
"""How the secret of a token begins, so that it is told from a provider's, and found where it was left lying."""

WRITES = ("POST", "PUT", "PATCH", "DELETE")
SCOPE_OF = (
    (re.compile(r"^/metrics$"), "metrics"),
    (re.compile(r"^/api/tokens(/|$)"), "tokens"),
    (re.compile(r"^/api/cohorts/"), "study"),
    (re.compile(r"^/api/twins/[^/]+/proposals/[^/]+/decision$"), "act"),
    (re.compile(r"^/api/twins/[^/]+/(suppose|forks/.*)$"), "fork"),
)
"""Which scope an address needs; otherwise reading needs `read` and all else `write`."""


@dataclass(frozen=True)
class Asker:
    """*actor* asks for *purpose*, one of *purposes*, and may at most what *scopes* name, for as long as *holds* says."""

    actor: str
    purpose: str
    purposes: tuple[str, ...]
    scopes: tuple[str, ...]
    holds: Callable[[], bool]
    until: Time | None = None
    token: str | None = None
    session: Session | None = None


class Entry:
    """Knows askers by token, session cookie or a provider's JWT; or, in a demonstration, takes all for one."""

    def __init__(
        self, bank: Bank, *, issuer: Issuer | None = None, open_as: tuple[str, str] | None = None, cookie: str = "gemel",
        others: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.bank, self.issuer, self.open_as, self.cookie = bank, issuer, open_as, cookie
        self.others = others or {}
        self.tokens, self.sessions = Tokens(bank), Sessions(bank)

    def identify(self, method: str, path: str, headers: Mapping[str, str], cookies: Mapping[str, str],
                 purpose: str | None, other: str | None = None) -> Asker:  # fmt: skip
        """Return who asks, or raise `Turned` with what is missing; a demonstration may be looked at as an *other* person."""
        asker = self._who(method, headers, cookies) if other is None or self.open_as is None else self._as(other)
        scope = scope_of(method, path)
        if scope not in asker.scopes:
            raise Turned(403, "refused", f"this token opens {', '.join(asker.scopes)}, not {scope}")
        if purpose is None or purpose == asker.purpose:
            return asker
        if purpose not in asker.purposes:
            raise Turned(403, "refused", f"{asker.actor} may ask for {', '.join(asker.purposes)} here, not {purpose}")
        return replace(asker, purpose=purpose)

    def _who(self, method: str, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Asker:
        if self.open_as is not None:
            actor, purpose = self.open_as
            return Asker(actor, purpose, (purpose,), VERBS, lambda: True)
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer" or not secret.strip():
                raise nobody("the Authorization header must say: Bearer, and the token")
            return self.bearer(secret.strip())
        if self.cookie not in cookies:
            raise nobody("log in, or send a token: Authorization: Bearer …")
        if method != "GET" and "origin" not in headers:
            raise Turned(403, "refused", "a write with a cookie must say from which page it comes (Origin)")
        return self.by_session(self.sessions.open(cookies[self.cookie]))

    def _as(self, other: str) -> Asker:
        """Return one of those as whom a demonstration may be looked at."""
        assert self.open_as is not None
        found = dict([self.open_as]) | dict(self.others)
        if other not in found:
            raise Turned(403, "refused", f"this demonstration is looked at as {', '.join(found)}, not as {other}")
        return Asker(other, found[other], (found[other],), VERBS, lambda: True)

    def bearer(self, secret: str) -> Asker:
        """Return who shows *secret*: one of our tokens, or a JWT of the provider."""
        if self.issuer is not None and not secret.startswith(PREFIX):
            actor, until = self.issuer.verify(secret)
            return self.of_provider(actor, until)
        token = self.tokens.find(secret)
        if token is None:
            raise nobody("this token opens nothing: it is unknown, has ended or was revoked", "invalid_token")
        return self._of_token(token)

    def _of_token(self, token: Token) -> Asker:
        def holds() -> bool:
            return self.tokens.lives(token.id)

        return Asker(token.actor, token.purposes[0], token.purposes, token.scopes, holds, token.until, token.id)

    def of_provider(self, actor: str, until: Time) -> Asker:
        """Return the asker whom the provider vouches for."""
        assert self.issuer is not None
        if actor.startswith(MACHINERY):
            raise nobody(f"{actor!r} is the name of a program here, not of a person", "invalid_token")
        purposes = self.issuer.provider.purposes
        return Asker(actor, purposes[0], purposes, VERBS, lambda: self.bank.now() < until, until)

    def by_session(self, session: Session | None) -> Asker:
        """Return whose session it is, if it still stands."""
        if session is None or not self._stands(session):
            raise nobody("the login has ended: log in again", "invalid_token")
        return Asker(
            session.actor, session.purposes[0], session.purposes, session.scopes, lambda: self._stands(session),
            session.until, session.token, session,
        )  # fmt: skip

    def _stands(self, session: Session) -> bool:
        if not self.sessions.stands(session):
            return False
        try:
            return session.token is None or self.tokens.lives(session.token)
        except GemelError:
            return False


def scope_of(method: str, path: str) -> str:
    """Return which scope a request needs."""
    named = next((scope for pattern, scope in SCOPE_OF if pattern.match(path)), None)
    return named or ("write" if method in WRITES else "read")


def nobody(detail: str, error: str = "") -> Turned:
    """Return the answer to one who is not known, 401."""
    how = 'Bearer realm="gemel"' + (f', error="{error}"' if error else "")
    return Turned(401, "login", detail, {"WWW-Authenticate": how})
