"""Sessions: what a browser's cookie says, encrypted; ended ones are remembered, and all of them survive a restart."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from gemel.bank import Bank
from gemel.bank.tail import Tail
from gemel.bank.tokens import never_back
from gemel.facts import HOUR, HOUSE, Draft, Time

LOGGED_IN, ENDED = "logged_in/1", "session_ended/1"
LASTS: Time = 12 * HOUR
"""How long a login lasts at most."""

NOTE = "session-key"
HEADER = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True)
class Session:
    """Somebody is logged in until a time; `token` is the one they did it with, if they did."""

    id: str
    actor: str
    purposes: tuple[str, ...]
    scopes: tuple[str, ...]
    until: Time
    token: str | None = None


class Sessions:
    """Seals and opens cookies with a key that is kept, sealed, in the store."""

    def __init__(self, bank: Bank) -> None:
        self._bank, self._ended, self._now = bank, Tail(bank.thread, (ENDED,)), never_back(bank)
        self._key: OctKey | None = None
        self._gone: tuple[int, frozenset[str]] = (0, frozenset())

    def begin(
        self, actor: str, purposes: tuple[str, ...], scopes: tuple[str, ...], how: str, until: Time | None = None,
        token: str | None = None,
    ) -> Session:  # fmt: skip
        """Log somebody in, on record."""
        now = self._now()
        end = min(now + LASTS, until if until is not None else now + LASTS)
        made = Session(secrets.token_urlsafe(24), actor, purposes, scopes, end, token)
        body = {"session": _name(made), "how": how, "until": end}
        self._bank.append([Draft(HOUSE, LOGGED_IN, body, now, actor)])
        return made

    def stands(self, session: Session) -> bool:
        """Return whether it has neither ended nor been ended."""
        facts = self._ended.of(HOUSE)
        if self._gone[0] != len(facts):
            self._gone = len(facts), frozenset(str(fact.body["session"]) for fact in facts)
        return self._now() < session.until and _name(session) not in self._gone[1]

    def end(self, session: Session) -> None:
        """Log out: no copy of the cookie opens anything any more."""
        body, now = {"session": _name(session)}, self._bank.now()
        self._bank.append([Draft(HOUSE, ENDED, body, now, session.actor, key=f"session_ended|{body['session']}")])

    def seal(self, value: dict[str, Any]) -> str:
        """Return *value* as a cookie that only this server reads."""
        return jwe.encrypt_compact(HEADER, json.dumps(value), self._secret())

    def unseal(self, cookie: str) -> dict[str, Any] | None:
        """Return what was sealed, or None if it was not here."""
        try:
            opened = jwe.decrypt_compact(cookie, self._secret(), algorithms=list(HEADER.values())).plaintext
            value = json.loads(opened or b"null")
        except (JoseError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def cookie(self, session: Session) -> str:
        """Return the cookie of a session."""
        return self.seal(asdict(session))

    def open(self, cookie: str) -> Session | None:
        """Return the session of a cookie, ended or not."""
        value = self.unseal(cookie)
        if value is None or "actor" not in value:
            return None
        return Session(**{**value, "purposes": tuple(value["purposes"]), "scopes": tuple(value["scopes"])})

    def _secret(self) -> OctKey:
        if self._key is None:
            kept = self._bank.thread.kept(HOUSE, NOTE)
            raw = kept if kept is not None and len(kept) == 32 else secrets.token_bytes(32)
            self._bank.thread.keep(HOUSE, NOTE, raw)
            self._key = OctKey.import_key(raw)
        return self._key


def _name(session: Session) -> str:
    """Return how a session is called in facts: nobody can make a cookie of it."""
    return hashlib.sha256(session.id.encode()).hexdigest()[:32]


class Ticket:
    """A link that logs in once; when it was used, another takes its place."""

    def __init__(self) -> None:
        self.now = secrets.token_urlsafe(24)

    def redeem(self, shown: str) -> bool:
        """Return whether *shown* is the link's, and replace it if so."""
        good = secrets.compare_digest(shown.encode(), self.now.encode())
        if good:
            self.now = secrets.token_urlsafe(24)
        return good
