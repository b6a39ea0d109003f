"""Tokens: who may knock at the server, as whom and what for; facts of the house, and of each secret only its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gemel.bank.tail import Tail
from gemel.consent import VERBS, purpose_iri
from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import HOUSE, Draft, Fact, Time, iso

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

TOKEN, TOKEN_REVOKED = "token/1", "token_revoked/1"

SCOPES = (*VERBS, "metrics", "tokens")
"""What a token can be limited to: the verbs of consent, the server's figures, and making tokens for others."""

MACHINERY = ("@", "agent:", "stream:", "guard:")
"""How names begin that no person bears."""


@dataclass(frozen=True)
class Token:
    """*actor* may knock for *purposes* before *until*, for what *scopes* name; grants still decide what is opened."""

    id: str
    digest: str
    actor: str
    purposes: tuple[str, ...]
    scopes: tuple[str, ...]
    until: Time | None
    made_at: Time
    by: str
    revoked: Time | None = None

    def lives(self, now: Time) -> bool:
        """Return whether it opens the door at *now*."""
        return self.revoked is None and (self.until is None or now < self.until)


class Tokens:
    """The tokens of a bank, always in step with its thread."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._tail, self._now = Tail(bank.thread, (TOKEN, TOKEN_REVOKED)), never_back(bank)
        self._folded: tuple[int, dict[str, Token]] = (0, {})

    def create(
        self, secret: str, actor: str, purposes: Sequence[str], *, by: str, until: Time | None = None,
        scopes: Sequence[str] = VERBS,
    ) -> Token:  # fmt: skip
        """Let whoever shows *secret* knock as *actor*; the secret itself is not kept."""
        if len(secret) < 32:
            raise BadInput("a secret of fewer than 32 characters can be guessed", field="secret")
        now, token = self._bank.now(), digest(secret)
        _check(actor, purposes, scopes, until, now)
        body = {"digest": token, "actor": actor, "purposes": list(purposes), "scopes": list(scopes), "until": until}
        self._bank.append([Draft(HOUSE, TOKEN, body, now, by, key=f"token|{token}")])
        return self._by_digest()[token]

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret if it opens the door now."""
        found = self._by_digest().get(digest(secret))
        return found if found is not None and found.lives(self._now()) else None

    def lives(self, id: str) -> bool:
        """Return whether a token opens the door now."""
        return self.get(id).lives(self._now())

    def get(self, id: str) -> Token:
        """Return a token by its id."""
        tokens = {token.id: token for token in self.all()}
        if id not in tokens:
            raise unknown("token", id, tokens)
        return tokens[id]

    def all(self) -> list[Token]:
        """Return every token there ever was, in the order they were made."""
        return list(self._by_digest().values())

    def revoke(self, id: str, by: str) -> Token:
        """Close a token, at once and for what was opened with it."""
        token = self.get(id)
        if token.revoked is not None:
            raise NotFound(f"token {id} was revoked at {iso(token.revoked)} already")
        body = {"digest": token.digest}
        self._bank.append(
            [Draft(HOUSE, TOKEN_REVOKED, body, self._bank.now(), by, key=f"token_revoked|{token.digest}")]
        )
        return self.get(id)

    def _by_digest(self) -> dict[str, Token]:
        facts = self._tail.of(HOUSE)
        if self._folded[0] != len(facts):
            self._folded = len(facts), fold(facts)
        return self._folded[1]


def never_back(bank: Bank) -> Callable[[], Time]:
    """Return a clock that never says less than before, nor less than the house's last fact: what has ended stays so."""
    seen = max((fact.known_at for fact in bank.thread.read(HOUSE, reverse=True, limit=1)), default=0)

    def now() -> Time:
        nonlocal seen
        seen = max(seen, bank.now())
        return seen

    return now


def digest(secret: str) -> str:
    """Return what is stored of a secret: SHA-256 in hex, which suffices for one of 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def fold(facts: Iterable[Fact]) -> dict[str, Token]:
    """Return tokens by digest, revoked ones marked."""
    found: dict[str, Token] = {}
    for fact in facts:
        body: dict[str, Any] = dict(fact.body)
        if fact.kind == TOKEN:
            found[body["digest"]] = Token(
                body["digest"][:12], body["digest"], body["actor"], tuple(body["purposes"]), tuple(body["scopes"]),
                body["until"], fact.known_at, fact.by,
            )  # fmt: skip
        elif fact.kind == TOKEN_REVOKED and body["digest"] in found:
            found[body["digest"]] = replace(found[body["digest"]], revoked=fact.known_at)
    return found


def _check(actor: str, purposes: Sequence[str], scopes: Sequence[str], until: Time | None, now: Time) -> None:
    if not actor.strip() or actor.startswith(HOUSE[0]):
        raise BadInput(f"{actor!r} is no actor", field="actor")
    if not purposes or not scopes:
        raise BadInput("a token names at least one purpose and one scope")
    for purpose in purposes:
        purpose_iri(purpose)
    for scope in scopes:
        if scope not in SCOPES:
            raise unknown("scope", scope, SCOPES)
    if until is not None and until <= now:
        raise BadInput(f"a token until {iso(until)} would never open anything", field="until")
