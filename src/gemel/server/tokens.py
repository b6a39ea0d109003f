"""Tokens over HTTP: for one who may make them, while the server holds the store."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from gemel.bank.tokens import Token
from gemel.consent import VERBS
from gemel.server.asker import PREFIX
from gemel.server.desk import At, By
from gemel.server.schema import Instant, Model

LAST = 253_402_300_799_000
"""The last moment of the year 9999."""

routes = APIRouter()


class TokenIn(Model):
    """As whom, what for, to do what at most, until when (for ever, if nothing is said)."""

    actor: str = Field(min_length=1, max_length=200)
    purposes: list[str] = Field(min_length=1, max_length=20)
    scopes: list[str] = Field(default=list(VERBS), min_length=1, max_length=20)
    until: Annotated[int, Field(ge=0, le=LAST, description="milliseconds since 1970")] | None = None


class TokenView(Model):
    """A token without its secret."""

    id: str
    actor: str
    purposes: list[str]
    scopes: list[str]
    until: Instant | None
    made_at: Instant
    by: str
    revoked: Instant | None


class TokenMade(TokenView):
    """A token with its secret, which is shown this once."""

    token: str


@routes.get("/api/tokens")
def listed(desk: At) -> list[TokenView]:
    """Every token there ever was; needs the scope `tokens`, as do the other two."""
    return [TokenView(**_body(token)) for token in desk.entry.tokens.all()]


@routes.post("/api/tokens", status_code=201)
def create(body: TokenIn, desk: At, asker: By) -> TokenMade:
    """Make a token, and show its secret this once."""
    secret = PREFIX + secrets.token_urlsafe(32)
    made = desk.entry.tokens.create(
        secret, body.actor, body.purposes, by=asker.actor, until=body.until, scopes=body.scopes
    )
    return TokenMade(**_body(made), token=secret)


@routes.delete("/api/tokens/{id}", status_code=204)
def revoke(id: Annotated[str, Path(min_length=1, max_length=64)], desk: At, asker: By) -> None:
    """Close a token at once, with all that was opened by it."""
    desk.entry.tokens.revoke(id, asker.actor)


def _body(token: Token) -> dict[str, Any]:
    kept = ("id", "actor", "until", "made_at", "by", "revoked")
    return {name: getattr(token, name) for name in kept} | {
        "purposes": list(token.purposes), "scopes": list(token.scopes)
    }  # fmt: skip
