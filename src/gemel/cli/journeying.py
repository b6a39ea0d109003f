"""One customer's own journey through a service."""

from __future__ import annotations

from typing import Annotated

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen

Whose = Annotated[str, typer.Argument(metavar="CASE", help="The case: one customer's pass through the service.")]
At = Annotated[str | None, typer.Option("--at", help="As it stood at a time, ISO 8601; by default now.")]


def journey(
    twin: Id, case: Whose, *, at: At = None, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say where one customer is in a service, what is expected for her, and why."""
    from gemel.facts import time_of
    from gemel.packs.service.own import own

    with opened(store) as bank:
        found = own(seen(bank, twin, actor, purpose), case, None if at is None else time_of(at, what="--at"))
    say(as_json, {"twin": twin, **found.body()}, lambda: str(found))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(journey)
