"""Tokens: let somebody knock at the server, see who can, and stop it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import STORE, Actor, Json, Store, opened, say
from gemel.errors import BadInput

if TYPE_CHECKING:
    from gemel.bank.tokens import Token

Whom = Annotated[str, typer.Argument(metavar="ACTOR", help="As whom its bearer asks.")]
Which = Annotated[str, typer.Argument(metavar="TOKEN", help="Its id, as `gemel token list` shows it.")]
Purposes = Annotated[list[str], typer.Option("--purpose", help="What its bearer may ask for; again for each.")]
Until = Annotated[str | None, typer.Option("--until", help="When it ends: a date or a time with an offset.")]
Scopes = Annotated[
    list[str] | None, typer.Option("--scope", help="Only for this: a verb, or metrics, or tokens; again for each.")
]

Phone = Annotated[
    str | None,
    typer.Option("--nightscout", metavar="TWIN", help="An API secret for a phone app, at this twin's address only."),
]


def create(
    whom: Whom, *, purpose: Purposes, until: Until = None, scope: Scopes = None, nightscout: Phone = None,
    store: Store = STORE, by: Actor, as_json: Json = False,
) -> None:  # fmt: skip
    """Make a token for an actor, and show it this once."""
    from gemel.bank.consenting import moment
    from gemel.bank.tokens import Tokens
    from gemel.consent import VERBS
    from gemel.server.nightscout_auth import create as for_phone

    secret = f"gemel_{secrets.token_urlsafe(32)}"
    with opened(store, create=nightscout is None) as bank:
        if nightscout is not None:
            if scope:
                raise BadInput("an app's secret opens what its grants open; it takes no --scope", field="scope")
            secret, made = for_phone(bank, Tokens(bank), nightscout, whom, purpose, by=by, until=moment(until))
        else:
            made = Tokens(bank).create(secret, whom, purpose, by=by, until=moment(until), scopes=scope or VERBS)
    where = "" if nightscout is None else f", at /nightscout/{nightscout}"
    say(as_json, _body(made) | {"token": secret}, f"{secret}\nfor {_told(made)}{where}; it is shown this once")


def listed(*, store: Store = STORE, as_json: Json = False) -> None:
    """Show the tokens there are: whose, for what, until when; never their secrets."""
    from gemel.bank.tokens import Tokens

    with opened(store, readonly=True) as bank:
        tokens, now = Tokens(bank).all(), bank.now()
    rows = "\n".join(f"{t.id}  {_told(t)}{'' if t.lives(now) else '  (closed)'}" for t in tokens)
    say(as_json, {"tokens": [_body(token) for token in tokens]}, rows or "there is no token")


def revoke(token: Which, *, store: Store = STORE, by: Actor, as_json: Json = False) -> None:
    """Close a token at once, and all that was opened with it."""
    from gemel.bank.tokens import Tokens

    with opened(store) as bank:
        gone = Tokens(bank).revoke(token, by)
    say(as_json, _body(gone), f"token {gone.id} of {gone.actor} opens nothing any more")


def _body(token: Token) -> dict[str, Any]:
    return {
        "id": token.id, "actor": token.actor, "purposes": token.purposes, "scopes": token.scopes, "until": token.until,
        "made_at": token.made_at, "by": token.by, "revoked": token.revoked,
    }  # fmt: skip


def _told(token: Token) -> str:
    from gemel.facts import iso

    end = "" if token.until is None else f", until {iso(token.until)}"
    return f"{token.actor}, for {', '.join(token.purposes)}, to {', '.join(token.scopes)}{end}"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    group = typer.Typer(no_args_is_help=True, help="Who may knock at the server, as whom and what for.")
    group.command()(create)
    group.command("list")(listed)
    group.command()(revoke)
    app.add_typer(group, name="token")
